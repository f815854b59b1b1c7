"""Fit a panel of judges with Gaussian errors: screen the judges, fit, undo the scaling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from panopt.stats.gaussian_likelihood import Design, design, find_mode
from panopt.stats.gaussian_mixture import Mixture, integrate, item_posterior, typical
from panopt.stats.gaussian_notes import (
    UNIDENTIFIED,
    Names,
    on_few,
    on_related,
    on_repeats,
    on_screen,
    on_selected,
    on_silent,
    on_two,
)
from panopt.stats.gaussian_pairs import components, pair_moments
from panopt.stats.gaussian_repeats import Repeats, averaged, log_weights, merged, repeats
from panopt.stats.gaussian_screen import Screen, related, rounding, screen, selected
from panopt.stats.gaussian_student import fit_student
from panopt.stats.gaussian_sums import Codes, PanelSums, panel_sums
from panopt.stats.gaussian_within import locate
from panopt.stats.tables import FloatArray, times

Rows = tuple[Codes, Codes, FloatArray]


@dataclass(frozen=True, slots=True)
class Errors:
    """Errors with Student's t distribution."""

    df: float | None
    """Degrees of freedom; None to estimate them."""


_LEAST = 1e-3  # smallest noise, in units of the scores' own sd
_FEW = 5  # scores below which a judge's bias and noise are as good as unknown
_ENOUGH = 10  # scores from which some can be told for outliers
_FAR = 5.0  # robust sds from the median beyond which a score is an outlier
_MANY = 20  # judges beyond whom a rough integral is expected, and does little harm


@dataclass(frozen=True, slots=True)
class GaussianPanel:
    """Posterior of a panel of judges with Gaussian errors, in the units of the scores.

    Attributes
    ----------
    mean, sd
        Posterior mean and standard deviation of every item's truth (items,); NaN for an item
        that nobody scored. `mean` +- z `sd` is the interval; `sd` includes the uncertainty of
        all biases and variances, and is widened for the skew of that of the variances.
    estimate
        Mean of every item's scores less their judges' bias, weighed by precision (items,). It
        is not shrunk towards `mu`, so its mean over any group of items is unbiased for the
        group's mean truth. NaN for an item that no counted judge scored.
    bias, bias_se
        Systematic error of every judge and its standard error (judges,), from differences
        within items alone, so that it does not matter who scored which items; 0 and 0 for
        anchors, NaN for a judge without scores (with a warning).
    bias_cov
        Covariance of the biases at typical variances (judges, judges), for what they put on a
        mean of estimates; NaN as above.
    noise_sd, noise_se
        Standard deviation of every judge's random error (judges,): the geometric mean of its
        posterior, and that times the posterior sd of its logarithm, so that the interval is
        `noise_sd` * exp(+- z `noise_se` / `noise_sd`). NaN as above. Of Student's t errors it
        is what holds 68% of them, as the standard deviation does of normal ones. It is that of a
        single score wherever a judge scored an item several times, what those scores have in
        common included; with Student's t errors that of their average.
    rho
        Share of a judge's error variance that its scores of one item have in common (judges,):
        R of them tell as much as R / (1 + (R - 1) `rho`) independent ones. NaN for a judge
        without repeats; 1 with Student's t errors, for which they are averaged.
    counted
        Judges whose scores entered the posterior (judges,): not copies of another judge, nor
        judges whose scores do not vary.
    mu, mu_se, tau, tau_se
        Mean and standard deviation of the truths, with standard errors.
    log_likelihood
        Logarithm of the marginal likelihood at the mode of the variances' posterior (of
        Student's t errors: at the likeliest point evaluated).
    df
        Degrees of freedom of the errors' t distribution; infinite where they are normal.
    converged, n_iter
        Whether the mode was found, and in how many Newton steps.
    warnings
        What may spoil the numbers here.
    """

    mean: FloatArray
    sd: FloatArray
    estimate: FloatArray
    bias: FloatArray
    bias_se: FloatArray
    bias_cov: FloatArray
    noise_sd: FloatArray
    noise_se: FloatArray
    rho: FloatArray
    counted: NDArray[np.bool_]
    mu: float
    mu_se: float
    tau: float
    tau_se: float
    log_likelihood: float
    df: float
    converged: bool
    n_iter: int
    warnings: tuple[str, ...]

    @property
    def precision(self) -> FloatArray:
        """Give 1 / `noise_sd`^2 of every judge (judges,)."""
        return np.asarray(self.noise_sd**-2.0)


def fit_panel(  # noqa: PLR0913  # the three arrays are one table
    item: Codes,
    judge: Codes,
    score: FloatArray,
    *,
    n_items: int,
    anchor: NDArray[np.bool_],
    names: Names,
    errors: Errors | None = None,
) -> GaussianPanel:
    """Fit the model to checked scores in long format.

    Every judge code below the length of `anchor` occurs; `names` words a list of judges;
    `errors` says that errors have Student's t distribution.

    Raises
    ------
    ValueError
        The panel falls apart, does not vary or is unidentified; the message names the judges.
    """
    if anchor.size < 2 or (anchor.size == 2 and not anchor.any()):
        raise ValueError(f"judge: only {names(range(anchor.size))} scored; {UNIDENTIFIED}")
    step = rounding(score)
    tame = score if errors is None else _tamed(judge, score, step)
    sums = panel_sums(item, judge, tame, n_items, anchor=anchor)
    pairs, scale = pair_moments(sums), sums.scale
    n = np.diag(pairs.n)
    _refuse_groups(components(pairs.n > 0, anchor), names)
    found = screen(pairs, anchor, grid=step > 0)
    warnings = on_screen(found, names)
    shift = (pairs.mean - pairs.mean.T)[np.arange(anchor.size), found.kept] * scale
    shift += sums.center - sums.center[found.kept]
    left = np.flatnonzero(found.counted).tolist()
    rows: Rows = (item, judge, score)

    def summed() -> PanelSums:
        tame = rows[2] if errors is None else _tamed(rows[1], rows[2], step)
        return panel_sums(rows[0], rows[1], tame, n_items, anchor=anchor[left])

    if len(left) < anchor.size:
        warnings += _refuse_few(left, anchor, warnings, names)
        rows = _without(rows, found, shift, n_items)
        sums = summed()
        pairs = pair_moments(sums)

    def left_names(codes: Sequence[int]) -> str:
        return names([left[code] for code in codes])

    # Again, for a judge that is left out may have been the only link.
    _refuse_groups(components(pairs.n > 0, anchor[left]), left_names)
    warnings += on_related(related(pairs), anchor[left], left_names)
    warnings += on_selected(*selected(sums, anchor[left]))
    told = repeats(sums, pairs)
    if told is None or errors is None:
        fit, silent = _fit(rows, sums, anchor[left], step, errors, told)
    else:
        warnings.append(on_repeats(told.repeated, left_names))
        rows = averaged(*rows, told.repeated, n_items)
        fit, silent = _fit(rows, summed(), anchor[left], step, errors)
        fit = replace(fit, rho=np.where(told.repeated, 1.0, np.nan))
    warnings += on_silent(silent, anchor[left], left_names)
    if len(left) < anchor.size:
        fit = _spread(fit, found, shift, (item, judge, score))
    if (n < _FEW).any():
        warnings.append(on_few(n < _FEW, names))
    return replace(fit, warnings=(*warnings, *fit.warnings))


def _tamed(judge: Codes, score: FloatArray, step: float) -> FloatArray:
    """Pull scores far from their judge's median in: screening rests on second moments."""
    order = np.argsort(judge, kind="stable")
    tamed = score.copy()
    for mine in np.split(order, np.cumsum(np.bincount(judge))[:-1]):
        low, middle, high = np.quantile(score[mine], (0.25, 0.5, 0.75))
        reach = _FAR * max(float(high - low) / 1.349, step)
        if mine.size >= _ENOUGH and high > low:
            tamed[mine] = np.clip(score[mine], middle - reach, middle + reach)
    return tamed


def _refuse_groups(groups: list[list[int]], names: Names) -> None:
    if len(groups) > 1:
        parts = "; ".join(names(group) for group in groups)
        raise ValueError(
            f"judge: the panel falls into {len(groups)} groups that share no item ({parts}), so "
            "their biases cannot be compared; let one judge score items of each"
        )


def _refuse_few(
    left: list[int], anchor: NDArray[np.bool_], warnings: list[str], names: Names
) -> list[str]:
    """Refuse a panel of which one judge remains, and warn of one of which two do."""
    if len(left) < 2:
        raise ValueError(f"judge: {'; '.join(warnings)}; {UNIDENTIFIED}")
    return [on_two(left, names)] if len(left) == 2 and not anchor.any() else []


def _without(rows: Rows, found: Screen, shift: FloatArray, n_items: int) -> Rows:
    """Drop judges that are not counted; a copy's scores stand in where the original has none."""
    item, judge, score = rows
    take = found.counted[judge]
    moved, raised = np.asarray(judge).copy(), score.copy()
    for copy in np.flatnonzero(found.copied):
        original = int(found.kept[copy])
        has = np.zeros(n_items, dtype=bool)
        has[item[take & (moved == original)]] = True
        spare = np.flatnonzero((judge == copy) & ~has[item])
        take[spare] = True
        moved[spare] = original
        raised[spare] -= shift[copy]
    code: Codes = np.cumsum(found.counted) - 1
    return item[take], code[moved[take]], raised[take]


def _fit(  # noqa: PLR0913, PLR0917 - three arrays of one table, and what is known of the panel
    rows: Rows,
    sums: PanelSums,
    anchor: NDArray[np.bool_],
    step: float,
    errors: Errors | None,
    told: Repeats | None = None,
) -> tuple[GaussianPanel, NDArray[np.bool_]]:
    """Fit judges that are all counted, and mark those whose noise cannot be told from none.

    A judge cannot be finer than the step it rounds to: at least that much noise is its floor.
    """
    raw = sums
    if told is not None:
        sums = merged(raw, told, np.ones(anchor.size))
    central = sums.n >= _FEW
    if np.count_nonzero(central) < 2:
        central = np.ones(anchor.size, dtype=bool)
    plan = design(anchor, central)
    floor = np.full(anchor.size, (step / sums.scale) ** 2 / 12 + _LEAST**2)
    if told is not None:
        floor = told.floor(step / sums.scale) + _LEAST**2
    if errors is None:
        mode = find_mode(sums, plan, floor)
        if told is not None and not told.even:
            sums = merged(raw, told, told.likeliest(1 / (floor + np.exp(2 * mode.x[:-1]))))
            mode = find_mode(sums, plan, floor, mode.x)
        mixture = integrate(sums, plan, floor, mode)
        mean, sd = item_posterior(sums, plan, mixture)
        log_likelihood = mode.log_likelihood - float(sums.n.sum()) * 0.5 * np.log(2 * np.pi)
        breadth, df, loss = np.ones(len(mixture.share)), np.inf, 1.0
    else:
        student = fit_student(*rows, sums, plan, floor, df=errors.df)
        sums, mode, mixture = student.sums, student.mode, student.mixture
        mean, sd, log_likelihood, loss = (
            student.mean,
            student.sd,
            student.log_likelihood,
            student.loss,
        )
        breadth, df = student.breadth, float(np.exp(mixture.share @ np.log(student.df)))
    mu, mu_se = _linear(mixture, plan.mu[None])
    bias, bias_se = _linear(mixture, plan.columns - plan.mu)
    bias_cov = _bias_cov(sums, plan, mixture, loss)
    widths = breadth[:, None] * mixture.points.weight**-0.5
    noise, noise_share = _logarithmic(mixture, widths)
    weight, rho, weighed = noise**-2.0, np.full(anchor.size, np.nan), sums
    if told is not None:
        widths, rho = told.noise(mixture.points.weight, mixture.share)
        log_likelihood += 0.5 * log_weights(sums)
        noise, noise_share = _logarithmic(mixture, widths)
        weight, weighed = noise**-2.0 / told.part(rho), merged(raw, told, rho)
        rho = np.where(told.repeated, rho, np.nan)
    tau, tau_share = _logarithmic(mixture, mixture.points.prior[:, None] ** -0.5)
    scale, total = sums.scale, float(sums.n.sum())
    warnings = []
    if mixture.poor and anchor.size <= _MANY:
        warnings.append("the variances could be integrated only roughly: trust the sds less")
    if not mode.converged:
        warnings.append("the search for the likeliest variances did not converge")
    origin = float(sums.center[anchor][0] if anchor.any() else sums.center[central].mean())
    fit = GaussianPanel(
        mean=origin + scale * mean,
        sd=scale * sd,
        estimate=origin + scale * _unshrunk(weighed, weight, float(mu[0]), mu + bias),
        bias=np.where(anchor, 0.0, sums.center - origin + scale * bias),
        bias_se=scale * bias_se,
        bias_cov=scale**2 * bias_cov,
        noise_sd=scale * noise,
        noise_se=scale * noise * noise_share,
        rho=rho,
        counted=np.ones(anchor.size, dtype=bool),
        mu=origin + scale * float(mu[0]),
        mu_se=scale * float(mu_se[0]),
        tau=scale * float(tau[0]),
        tau_se=scale * float(tau[0] * tau_share[0]),
        log_likelihood=float(log_likelihood - total * np.log(scale)),
        df=df,
        converged=mode.converged,
        n_iter=mode.n_iter,
        warnings=tuple(warnings),
    )
    own = mixture.share @ np.exp(2 * mixture.points.x[:, :-1])
    unsure = (noise_share > 0.25) & (fit.noise_sd < 0.3 * fit.tau)
    return fit, np.asarray((own < 0.5 * floor) | unsure)


def _unshrunk(sums: PanelSums, weight: FloatArray, mu: float, judge_mean: FloatArray) -> FloatArray:
    """Average scores less bias by precision (items,)."""
    row = np.empty(len(sums.order), dtype=np.intp)
    row[sums.order] = np.repeat(np.arange(len(sums.size)), np.diff(sums.starts))
    total = times(sums.counts, weight)[row]
    pull = times(sums.cells, weight) - times(sums.counts, weight * judge_mean)[row]
    shift: FloatArray = np.full(len(row), np.nan)
    np.divide(pull, total, out=shift, where=total > 0)
    return mu + shift


def _linear(mixture: Mixture, rows: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Posterior mean and sd of linear functions of the locations, one a row."""
    values = mixture.points.location @ rows.T
    mean = mixture.share @ values
    between = mixture.share @ (values - mean) ** 2
    cov = np.tensordot(mixture.share, mixture.location_cov, axes=1)
    return mean, np.sqrt(between + np.einsum("jl,lm,jm->j", rows, cov, rows))


def _bias_cov(sums: PanelSums, plan: Design, mixture: Mixture, loss: float) -> FloatArray:
    """Covariance of the biases, given typical variances, and with those (judges, judges)."""
    rows = plan.columns - plan.mu
    values = mixture.points.location @ rows.T
    values -= mixture.share @ values
    cov = loss * locate(sums, plan, typical(mixture))[1][0]
    return np.asarray(rows @ cov @ rows.T + values.T @ (mixture.share[:, None] * values))


def _logarithmic(mixture: Mixture, values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Geometric posterior mean of positive numbers, and the sd of their logarithms.

    Noise is skewed where it is barely there; on the logarithm it is nearly normal.
    """
    logs = np.log(values)
    mean = mixture.share @ logs
    return np.exp(mean), np.sqrt(mixture.share @ (logs - mean) ** 2)


def _spread(fit: GaussianPanel, found: Screen, shift: FloatArray, rows: Rows) -> GaussianPanel:
    """Give judges that were left out what the fitted truths say of them."""
    item, judge, score = rows
    place = (np.cumsum(found.counted) - 1)[found.kept]
    bias, bias_se = fit.bias[place] + np.where(found.copied, shift, 0.0), fit.bias_se[place]
    noise, noise_se = fit.noise_sd[place], fit.noise_se[place]
    weight = np.bincount(judge, minlength=place.size)[found.counted] / fit.noise_sd**2
    common = float(np.sqrt(weight @ fit.bias_cov @ weight)) / float(weight.sum())
    for flat in np.flatnonzero(found.flat):
        mine = judge == flat
        error = score[mine] - fit.mean[item[mine]]
        n = error.size
        # A posterior mean is shrunk: what it lacks on these items is no bias of the judge.
        bias[flat] = np.nanmean(score[mine] - fit.estimate[item[mine]])
        noise[flat] = np.sqrt(np.mean((error - error.mean()) ** 2 + fit.sd[item[mine]] ** 2))
        bias_se[flat] = np.hypot(noise[flat] / np.sqrt(n), common)
        noise_se[flat] = noise[flat] / np.sqrt(2 * n)
    return replace(
        fit,
        bias=bias,
        bias_se=bias_se,
        bias_cov=fit.bias_cov[np.ix_(place, place)],
        noise_sd=noise,
        noise_se=noise_se,
        rho=np.where(found.flat, np.nan, fit.rho[place]),
        counted=found.counted,
    )
