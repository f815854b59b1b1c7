"""Pool judges' scores into one posterior per item: the call with its checks and its words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panopt.stats.gaussian_panel import Errors, GaussianPanel, fit_panel
from panopt.stats.long_format import anchor_mask, code_count, long_format
from panopt.stats.tables import FloatArray
from panopt.stats.words import listed

__all__ = ["GaussianPanel", "hierarchical_gaussian"]


def hierarchical_gaussian(  # noqa: PLR0913 - three arrays of one table, and its names
    item: ArrayLike,
    judge: ArrayLike,
    score: ArrayLike,
    *,
    anchor: int | Sequence[int] | None = None,
    n_items: int | None = None,
    n_judges: int | None = None,
    names: Sequence[str] | None = None,
    errors: Literal["normal", "student_t"] = "normal",
    df: float | None = None,
) -> GaussianPanel:
    """Estimate every item's truth and every judge's bias and noise.

    Parameters
    ----------
    item, judge
        Codes from 0 of the item and the judge of every score (scores,). A judge may score an
        item several times or never.
    score
        Finite numbers on any one scale (scores,). A missing score is a missing row.
    anchor
        Code(s) of judges without bias, e.g. human labels. Without, biases sum to zero over the
        judges that are counted.
    n_items, n_judges
        Number of codes, if some at the end occur in no row.
    names
        Names of the judges for messages (judges,); "judge 0" and so on by default.
    errors
        ``normal``, or ``student_t``: a few scores may then be far off and pull at nothing, and
        all else is as with normal errors. What a judge's noise_sd is then, see the result.
    df
        Degrees of freedom of Student's t, the same for all judges: 1 to 1000, or None to
        estimate them (gamma prior, mean 20). With errors that are normal after all, estimating
        loses next to nothing; a small fixed number may give too short intervals.

    Returns
    -------
    GaussianPanel

    Raises
    ------
    ValueError
        Arguments that do not fit; fewer than three judges without an anchor, or one judge
        (noise and bias are unidentified); groups of judges that share no item; scores that do
        not vary.

    Notes
    -----
    Assumes that errors are independent given the truth, of constant size for a judge, and that
    judges share one scale. What would break that is looked for first, and said in `warnings`: a
    judge that repeats another (or whose errors do) counts once; one whose scores do not vary, or
    far less than the others agree that items differ, is left out; a judge with fewer than five
    scores takes no part in the sum of biases.

    A judge's scores of one item need not err independently: what they have in common, `rho`, is
    estimated from how far they agree with each other beyond agreeing with the panel, and is
    rather taken for too large than for too small where the data say little of it. With Student's
    t errors they are averaged instead, with a warning.

    With Student's t errors who scored which items must not depend on their quality as far as
    noise and tau go (biases are from within items as ever); noise, tau and degrees of freedom
    rest on at most 2,400 items, evenly spread. The prior and grid below are the same.

    Each standard deviation has, in units of the sd s0 of scores around
    their judge's mean, the prior density s^.5 / (1 + s^2)^1.25; scores on a grid of step d
    carry at least the rounding noise d / sqrt(12). The result depends on nothing random. Time is
    linear in the scores, and per variance point quadratic in the judges times patterns of
    judges; memory is linear in the scores plus judges squared.

    References
    ----------
    Lange, Little and Taylor 1989, "Robust statistical modeling using the t distribution";
    Kish 1965, "Survey Sampling", section 5.4 (weights of repeats);
    Harville 1977, "Maximum likelihood approaches to variance component estimation", section 4;
    Chung et al. 2013, "A nondegenerate penalized likelihood estimator for variance parameters
    in multilevel models".

    Examples
    --------
    Three judges with noise .1, .2 and .4 and biases -.2, .1 and .1 on 20,000 items:

    >>> rng = np.random.default_rng(0)
    >>> item, judge = np.divmod(np.arange(60_000), 3)
    >>> truth, error = rng.normal(size=20_000), rng.normal(size=60_000)
    >>> bias, noise = np.array([-0.2, 0.1, 0.1]), np.array([0.1, 0.2, 0.4])
    >>> score = truth[item] + bias[judge] + noise[judge] * error
    >>> panel = hierarchical_gaussian(item, judge, score)
    >>> panel.noise_sd.round(2).tolist(), panel.bias.round(2).tolist()
    ([0.1, 0.2, 0.4], [-0.2, 0.1, 0.1])
    """
    student = _student(errors, df)
    items, judges, scores = long_format(item, judge, score)
    n_items = code_count("n_items", n_items, items, scores.size)
    n_judges = code_count("n_judges", n_judges, judges, scores.size)
    if names is not None and len(names) != n_judges:
        raise ValueError(f"names: got {len(names)} for {n_judges} judges; give one a judge")
    given = np.bincount(judges, minlength=n_judges)
    fixed = anchor_mask(anchor, given)
    present = np.flatnonzero(given)
    if present.size < n_judges:
        judges = (np.cumsum(given > 0) - 1)[judges]

    def named(codes: Sequence[int]) -> str:
        of = present[list(codes)].tolist()
        return listed([f"judge {k}" for k in of] if names is None else [names[k] for k in of])

    fit = fit_panel(
        items, judges, scores, n_items=n_items, anchor=fixed[present], names=named, errors=student
    )
    unscored = np.bincount(items, minlength=n_items) == 0
    fit.mean[unscored] = fit.sd[unscored] = np.nan
    if present.size == n_judges:
        return fit
    silent = [str(k) if names is None else names[k] for k in np.flatnonzero(given == 0).tolist()]
    told = f"no score from judge {', '.join(silent)}: its bias and noise are NaN"
    return replace(_spread(fit, present, n_judges), warnings=(*fit.warnings, told))


def _student(errors: str, df: float | None) -> Errors | None:
    """Check what is said of the errors."""
    if errors not in ("normal", "student_t"):
        raise ValueError(f"errors = {errors!r}; it must be 'normal' or 'student_t'")
    if errors == "normal":
        if df is not None:
            raise ValueError(f"df = {df!r} with normal errors; it is for errors = 'student_t'")
        return None
    if df is not None and not 1 <= df <= 1000:
        raise ValueError(f"df = {df!r}; it must be from 1 to 1000, or None to estimate it")
    return Errors(df)


def _spread(fit: GaussianPanel, present: NDArray[np.intp], n_judges: int) -> GaussianPanel:
    """Make room for judges without scores."""

    def full(values: FloatArray) -> FloatArray:
        longer = np.full(n_judges, np.nan)
        longer[present] = values
        return longer

    counted = np.zeros(n_judges, dtype=bool)
    counted[present] = fit.counted
    wide = np.full((n_judges, n_judges), np.nan)
    wide[np.ix_(present, present)] = fit.bias_cov
    return replace(
        fit,
        bias=full(fit.bias),
        bias_se=full(fit.bias_se),
        bias_cov=wide,
        noise_sd=full(fit.noise_sd),
        noise_se=full(fit.noise_se),
        rho=full(fit.rho),
        counted=counted,
    )
