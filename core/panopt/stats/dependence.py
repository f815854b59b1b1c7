"""How far judges err together: correlations of their errors, and how many judges they are worth.

A panel of J judges whose errors correlate by rho on average narrows the error of its mean no more
than J / (1 + (J - 1) rho) independent judges would (Kish 1965, section 5.4: the design effect of a
mean). Against human labels errors are seen directly. Without them only what one common cause
leaves over is seen: an error that all judges share looks like the truth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panopt.stats.dependence_factor import one_factor
from panopt.stats.dependence_moments import Moments, channel_moments
from panopt.stats.reliability import check_alpha, cluster_codes, rating_matrix

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Dependence", "effective_number", "residual_correlation"]

FloatArray = NDArray[np.float64]

_SHARED = 10  # fewer responses in common than this tell nothing of a pair
_TESTED = 20  # and fewer than this do not show a pair to depend
_FEWEST = 4  # judges from which on one common cause leaves something over
_LEAST_LEFT = 0.02  # variance a judge keeps for its own errors
_MOST_DRAWS = 400
_MOST_CHANNELS = 12
_COPY = 0.9
_SAME_ERRORS = 0.98  # good judges share their few hard items; a copy shares them all


@dataclass(frozen=True, slots=True)
class Dependence:
    """How far judges' errors go together; matrices are (judges, judges), NaN where unknown."""

    correlation: FloatArray
    """Correlation of two judges' errors; 1 on the diagonal."""
    low: FloatArray
    """Lower end of its interval."""
    high: FloatArray
    """Upper end."""
    n: NDArray[np.int64]
    """Responses both judged."""
    p_value: FloatArray
    """Probability of so large a correlation if the pair erred independently, adjusted for the
    number of pairs (Holm)."""
    copies: tuple[tuple[int, int], ...]
    """Pairs that agree so far beyond what their accuracy explains that one may copy the other."""
    mean: float | None
    """Mean correlation, each pair weighted by how much error it has."""
    mean_low: float | None
    mean_high: float | None
    effective: float | None
    """Independent judges the panel is worth, between 1 and the number of judges."""
    effective_low: float | None
    effective_high: float | None
    loading: FloatArray | None
    """Correlation of each judge with the common cause (judges,); None with labels."""
    loading_high: FloatArray | None
    """Upper end of the loading's interval (judges,)."""
    unexplained: float | None
    """Share of the (squared) agreement of judges that one common cause leaves over."""
    basis: str
    """What errors are against: "truth", or "panel" (one common cause)."""
    reason: str | None = None
    """Why there is no mean."""
    no_interval: str | None = None
    """Why there is a mean but no interval."""


def effective_number(n_judges: int, correlation: float) -> float:
    """Give the number of independent judges that a panel of correlated ones is worth.

    Parameters
    ----------
    n_judges
        Judges, at least 1.
    correlation
        Mean correlation of their errors, in [-1, 1]; below 0 it counts as 0, since no more
        judges are claimed than there are.

    Raises
    ------
    ValueError
        For arguments outside their range.

    Examples
    --------
    >>> effective_number(5, 0.5), effective_number(5, -0.1), effective_number(5, 1.0)
    (1.6666666666666667, 5.0, 1.0)
    """
    if n_judges < 1:
        raise ValueError(f"n_judges = {n_judges} must be at least 1")
    if not -1.0 <= correlation <= 1.0:
        raise ValueError(f"correlation = {correlation} must lie in [-1, 1]")
    return n_judges / (1.0 + (n_judges - 1) * max(correlation, 0.0))


def residual_correlation(  # noqa: PLR0913 - one estimate, and how its interval is made
    scores: ArrayLike,
    *,
    truth: ArrayLike | None = None,
    labels: bool = False,
    clusters: ArrayLike | None = None,
    n_boot: int = 0,
    rng: np.random.Generator | None = None,
    alpha: float = 0.05,
    judges: Sequence[str] | None = None,
) -> Dependence:
    """Correlate the errors of every pair of judges, and say how many judges the panel is worth.

    Parameters
    ----------
    scores
        Matrix (responses, judges) of scores or label codes, NaN missing.
    truth
        Reference score or label of each response (responses,), NaN where unknown. Errors are then
        taken against it on the responses that have one; else against a common cause fitted to the
        panel, each pair left to disagree with it.
    labels
        Scores are codes of labels without an order. With `truth`, two-valued scores too should be
        called labels: a judge's errors are then taken given the true label.
    clusters
        Cluster of each response, where responses are not independent.
    n_boot
        Bootstrap draws of clusters (at most 400 are used); 0 gives no intervals.
    rng
        Source of randomness; one of fixed seed by default.
    alpha
        Probability that an interval misses, in (0, 1).
    judges
        Names of the columns, to make sure that columns are judges.

    Returns
    -------
    Dependence
        Means are None with a reason for one judge, for fewer than ten shared responses, and
        without `truth` for fewer than four judges (one common cause then explains anything).

    Raises
    ------
    ValueError
        For arrays or options outside their range.

    Notes
    -----
    Nothing is centred at the panel's mean, which would put -1 / (J - 1) between independent
    judges. Without `truth` an error all judges share is invisible: the mean correlation is a
    lower bound and the effective number an upper one. With `truth` its own errors, if it has any,
    count as errors all judges share, and raise the correlation. Labels of three or more values
    count by indicators: the common cause is exact if wrong votes fall evenly on the other labels.
    Memory is a few copies of `scores`; work beyond one pass does not depend on the responses.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> shared = rng.normal(size=(2000, 1))
    >>> y = np.arange(2000)[:, None] % 5 + shared + rng.normal(size=(2000, 3))
    >>> found = residual_correlation(y, truth=np.arange(2000) % 5)
    >>> round(found.mean, 2), round(found.effective, 2)
    (0.51, 1.49)
    """
    matrix = rating_matrix(scores, judges)
    check_alpha(alpha)
    if n_boot < 0 or n_boot == 1:
        raise ValueError(f"n_boot = {n_boot} must be 0 (no interval) or at least 2")
    groups = cluster_codes(clusters, len(matrix))
    rng = np.random.default_rng(0) if rng is None else rng
    known = np.ones(len(matrix), dtype=bool)
    reference = None
    if truth is not None:
        reference = np.asarray(truth, dtype=np.float64)
        if reference.shape != (len(matrix),):
            raise ValueError(f"truth of shape {reference.shape} must be one a row: {len(matrix)}")
        if np.isinf(reference).any():
            raise ValueError("truth holds an infinity; it must be finite, NaN where unknown")
        known = ~np.isnan(reference)
        reference = reference[known]
        groups = None if groups is None else groups[known]
        matrix = matrix[known]
    if groups is not None and len(groups):
        groups = np.unique(groups, return_inverse=True)[1].astype(np.intp)
    if not matrix.size:
        return _nothing(
            matrix.shape[1], "no response to compare judges on", panel=reference is None
        )
    moments = channel_moments(_channels(matrix, reference, labels=labels), groups, rng)
    return _dependence(moments, n_boot, rng, alpha, against_truth=reference is not None)


def _channels(matrix: FloatArray, truth: FloatArray | None, *, labels: bool) -> list[FloatArray]:
    """Give scores, or indicators of labels, less what the truth alone would have each judge say."""
    if not labels or np.isnan(matrix).all():
        centred = matrix if truth is None else matrix - truth[:, None]
        return [centred - _column_means(centred)]
    names, counts = np.unique(matrix[~np.isnan(matrix)], return_counts=True)
    kept = names[np.argsort(-counts, kind="stable")[:_MOST_CHANNELS]]
    if len(kept) == 2 == len(names):
        kept = kept[:1]  # the other indicator says the same
    missing = np.isnan(matrix)
    channels = [np.where(missing, np.nan, matrix == name) for name in kept]
    if truth is None:
        return [x - _column_means(x) for x in channels]
    for value in np.unique(truth):
        rows = truth == value
        for x in channels:
            x[rows] -= _column_means(x[rows])
    return channels


def _column_means(x: FloatArray) -> FloatArray:
    n = np.count_nonzero(~np.isnan(x), axis=0)
    total = np.nansum(x, axis=0)
    means: FloatArray = np.divide(total, n, out=np.zeros(x.shape[1]), where=n > 0)
    return means


def _dependence(
    moments: Moments,
    n_boot: int,
    rng: np.random.Generator,
    alpha: float,
    *,
    against_truth: bool,
) -> Dependence:
    n = moments.n.sum(axis=0)
    n_judges = len(n)
    off = ~np.eye(n_judges, dtype=bool)
    once = np.ones((1, moments.n_blocks))

    def known(r: FloatArray) -> FloatArray:
        return np.where((n >= _SHARED) | ~off, r, np.nan)

    observed = known(moments.correlations(once))
    usable = off & ~np.isnan(observed[0])
    active = int(usable.any(axis=0).sum())
    reason = _too_few(active, against_truth=against_truth)
    if reason is not None:
        return _nothing(n_judges, reason, panel=not against_truth, n=n)
    # Under independence a correlation near 0 scatters by 1 / sqrt(n).
    se = 1.0 / np.sqrt(np.maximum(n, 1.0))
    loading = None if against_truth else one_factor(observed, se)
    if loading is not None and np.square(loading[0][usable.any(axis=0)]).min() > 1 - _LEAST_LEFT:
        reason = "the judges hardly ever differ: only human labels would show errors they share"
        return _nothing(n_judges, reason, panel=True, n=n)
    rest, error = _rest(observed, loading, active_only=usable.any(axis=0))
    rho = _ratio(rest, error)[0]
    mean = _mean(rest, error, usable)[0]
    draws = min(n_boot, _MOST_DRAWS)
    low = high = np.full(rho.shape, np.nan)
    spread, ends, top, why = None, None, None, None
    if draws and moments.n_blocks >= _SHARED:
        low, high, spread, ends, top = _draws(
            moments, known, se, loading, usable, draws, rng, alpha, mean
        )
    else:
        why = (
            "no bootstrap was asked for (n_boot = 0)"
            if not draws
            else f"{moments.n_blocks} independent response(s) are too few for an interval"
        )
    explained = np.zeros(rho.shape) if loading is None else np.outer(loading[0], loading[0])
    null = np.maximum((1.0 - np.square(explained)) * se, _LEAST_LEFT)
    if spread is not None:
        null = np.fmax(spread, null)  # draws of few or equal responses show too little
    null = np.where(n >= _TESTED, null, np.inf)
    least = _SAME_ERRORS if against_truth else _COPY
    p_value, copies = _tests(rest[0], rho, null, usable, copy=least)
    upper = np.triu(usable)
    unexplained = None
    if loading is not None:
        noise = np.square(se[upper])
        total = float((np.square(observed[0][upper]) - noise).sum())
        left = float((np.square(rest[0][upper]) - noise).sum())
        unexplained = min(max(left, 0.0) / total, 1.0) if total > 0 else None
    rho[np.arange(n_judges), np.arange(n_judges)] = 1.0
    return Dependence(
        correlation=rho,
        low=low,
        high=high,
        n=n.astype(np.int64),
        p_value=p_value,
        copies=copies,
        mean=mean,
        mean_low=None if ends is None else ends[0],
        mean_high=None if ends is None else ends[1],
        effective=effective_number(active, mean),
        effective_low=None if ends is None else effective_number(active, ends[1]),
        effective_high=None if ends is None else effective_number(active, ends[0]),
        loading=None if loading is None else np.where(usable.any(axis=0), loading[0], np.nan),
        loading_high=top,
        unexplained=unexplained,
        basis="truth" if against_truth else "panel",
        no_interval=why,
    )


def _rest(
    observed: FloatArray, loading: FloatArray | None, *, active_only: NDArray[np.bool_]
) -> tuple[FloatArray, FloatArray]:
    """Give what the common cause leaves of each pair's correlation, and of each variance."""
    if loading is None:
        return observed, np.broadcast_to(np.ones(observed.shape[1]), observed.shape[:2])
    rest = observed - loading[:, :, None] * loading[:, None, :]
    error = np.maximum(1.0 - np.square(loading), _LEAST_LEFT)
    return rest, np.where(active_only, error, np.nan)


def _ratio(rest: FloatArray, error: FloatArray) -> FloatArray:
    scale = np.sqrt(error[:, :, None] * error[:, None, :])
    return np.asarray(np.clip(rest / scale, -1.0, 1.0))


def _mean(rest: FloatArray, error: FloatArray, usable: NDArray[np.bool_]) -> list[float]:
    """Average the correlations of pairs, each weighted by the error there is to correlate."""
    scale = np.sqrt(error[:, :, None] * error[:, None, :])
    seen = usable & ~np.isnan(rest)
    above = np.where(seen, rest, 0.0).sum(axis=(1, 2))
    below = np.where(seen, scale, 0.0).sum(axis=(1, 2))
    found = np.divide(above, below, out=np.zeros(len(rest)), where=below > 0)
    return [float(value) for value in np.clip(found, -1.0, 1.0)]


def _draws(  # noqa: PLR0913, PLR0917 - the parts of one bootstrap
    moments: Moments,
    known: Callable[[FloatArray], FloatArray],
    se: FloatArray,
    loading: FloatArray | None,
    usable: NDArray[np.bool_],
    n_boot: int,
    rng: np.random.Generator,
    alpha: float,
    mean: float,
) -> tuple[FloatArray, FloatArray, FloatArray, tuple[float, float], FloatArray | None]:
    """Draw blocks anew: ends of each pair's interval, sd of what is left, ends of the mean's."""
    from panopt.stats.bootstrap import percentile_interval  # noqa: PLC0415 - brings scipy

    g = moments.n_blocks
    judges = np.asarray(usable.any(axis=0))
    weights = rng.multinomial(g, np.full(g, 1.0 / g), size=n_boot).astype(np.float64)
    left, means, tops = [], [], []
    rhos = []
    step = max(1, 2_000_000 // usable.size)
    for first in range(0, n_boot, step):
        r = known(moments.correlations(weights[first : first + step]))
        fitted = None if loading is None else one_factor(r, se, start=loading[0], steps=15)
        rest, error = _rest(r, fitted, active_only=judges)
        left.append(rest)
        rhos.append(_ratio(rest, error))
        means += _mean(rest, error, usable)
        if fitted is not None:
            tops.append(fitted)
    everything = np.concatenate(rhos)
    everything[:, ~usable] = 0.0  # no interval for these
    low, high = np.nanquantile(everything, [alpha / 2, 1 - alpha / 2], axis=0)
    spread = np.where(usable, np.nanstd(np.where(usable, np.concatenate(left), 0.0), axis=0), 0.0)
    ends = percentile_interval(np.array(means), mean, n_units=g, alpha=alpha)
    top = np.quantile(np.concatenate(tops), 1 - alpha / 2, axis=0) if tops else None
    return (
        np.where(usable, low, np.nan),
        np.where(usable, high, np.nan),
        spread,
        (max(ends[0], -1.0), min(ends[1], 1.0)),
        top,
    )


def _tests(
    rest: FloatArray, rho: FloatArray, null: FloatArray, usable: NDArray[np.bool_], *, copy: float
) -> tuple[FloatArray, tuple[tuple[int, int], ...]]:
    """Test each pair for dependence, Holm-adjusted, and name the pairs that look copied."""
    from scipy.special import ndtr  # noqa: PLC0415 - scipy is imported late

    first, second = np.nonzero(np.triu(usable))
    z = np.abs(rest[first, second]) / null[first, second]
    raw = 2.0 * ndtr(-z)
    order = np.argsort(raw, kind="stable")
    adjusted = np.empty(len(raw))
    stepped = raw[order] * (len(raw) - np.arange(len(raw)))
    adjusted[order] = np.minimum(np.maximum.accumulate(stepped), 1.0)
    p_value = np.full(rho.shape, np.nan)
    p_value[first, second] = p_value[second, first] = adjusted
    copied = (rho[first, second] >= copy) & (adjusted < 0.01)
    pairs = zip(first[copied].tolist(), second[copied].tolist(), strict=True)
    return p_value, tuple(pairs)


def _too_few(active: int, *, against_truth: bool) -> str | None:
    if active < 2:
        judges = f"{active} judge" if active == 1 else f"{active} judges"
        return f"{judges} vary over {_SHARED} responses shared with another; two must"
    if not against_truth and active < _FEWEST:
        return (
            f"{active} judges and no reference: one common cause explains any agreement of fewer "
            f"than {_FEWEST} judges; add judges or human labels"
        )
    return None


def _nothing(
    n_judges: int,
    reason: str,
    *,
    panel: bool,
    n: FloatArray | None = None,
) -> Dependence:
    blank = np.full((n_judges, n_judges), np.nan)
    shared = np.zeros((n_judges, n_judges)) if n is None else n
    return Dependence(
        correlation=blank,
        low=blank,
        high=blank,
        n=shared.astype(np.int64),
        p_value=blank,
        copies=(),
        mean=None,
        mean_low=None,
        mean_high=None,
        effective=None,
        effective_low=None,
        effective_high=None,
        loading=None,
        loading_high=None,
        unexplained=None,
        basis="panel" if panel else "truth",
        reason=reason,
    )
