"""What an ordered probit says of a panel, and of new items judged by the same panel."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panopt.stats.ordinal_errors import noiseless_loss, standard_errors
from panopt.stats.ordinal_fit import Truths, fit_ordinal, rescaled, truths
from panopt.stats.ordinal_likelihood import Parameters
from panopt.stats.ordinal_screen import Names, screen_judges, weigh_judges
from panopt.stats.ordinal_table import (
    FloatArray,
    OrdinalTable,
    OrdinalVotes,
    ordinal_table,
    ordinal_votes,
)

_SURE = 0.1  # noise below which the others' votes hardly matter


@dataclass(frozen=True, slots=True)
class OrdinalScores:
    """Posterior of the truth of items.

    Attributes
    ----------
    mean, sd
        Posterior mean and standard deviation of each item's truth on the latent scale, where
        truths are N(0, 1) (items,); NaN where no counted judge voted.
    posterior
        Probability of each true level, what a judge without offset and noise would say
        (items, levels); rows sum to 1, NaN as above.
    """

    mean: FloatArray
    sd: FloatArray
    posterior: FloatArray

    @property
    def expected_level(self) -> FloatArray:
        """Posterior mean of the true level, in codes from 0 (items,)."""
        found: FloatArray = self.posterior @ np.arange(self.posterior.shape[1])
        return found


@dataclass(frozen=True, slots=True)
class OrdinalProbit(OrdinalScores):
    """An ordered probit of a panel: items' truths, judges' offsets and noises, shared cutpoints.

    Attributes
    ----------
    mean, sd, posterior
        As in :class:`OrdinalScores`; `sd` includes the uncertainty of the parameters, to first
        order, so that `mean` +- z `sd` is the interval. `posterior` takes parameters as known.
    judge_offset, judge_offset_se
        Systematic error of each judge on the latent scale and its standard error (judges,): above
        0 is lenient. Sums to zero over the counted judges with five votes or more. NaN for a
        judge that is left out (with a warning), as below.
    judge_gain, judge_gain_se
        How far each judge spreads the truths, 1 where it was not estimated (se 0); the geometric
        mean is 1 over judges weighed by what they tell (judges,).
    judge_noise, judge_noise_se
        Standard deviation of each judge's random error, in sds of the truths (judges,). What a
        vote tells goes by gain over noise.
    noiseless_loss
        Log-likelihood lost were the judge's noise the least one, .05, all else as fitted
        (judges,): where it is below 2 or so, the votes set no lower end to the noise, and the
        standard error is only that of its prior.
    cutpoints
        Bounds between levels on the latent scale, increasing (levels - 1,).
    log_likelihood
        Marginal log-likelihood of the votes at the estimate (which maximises it plus the log
        prior); a copied judge's votes count by share.
    converged, n_iter
        Whether the search met its tolerance, and its iterations.
    reason
        Why it did not converge; None where it did.
    warnings
        What may spoil it.
    """

    judge_offset: FloatArray
    judge_offset_se: FloatArray
    judge_gain: FloatArray
    judge_gain_se: FloatArray
    judge_noise: FloatArray
    judge_noise_se: FloatArray
    noiseless_loss: FloatArray
    judge_weight: FloatArray
    """What a vote of each judge counts: 1, less for copies, 0 for judges left out (judges,)."""
    cutpoints: FloatArray
    log_likelihood: float
    converged: bool
    n_iter: int
    reason: str | None
    warnings: tuple[str, ...]


def fit_votes(votes: OrdinalVotes, names: Names, *, gains: bool) -> OrdinalProbit:
    """Screen the judges, fit, and give items and judges their estimates."""
    screened = screen_judges(votes, names)
    told = partial(_renamed, screened.counted, names)
    table = ordinal_table(screened.votes)
    weights = weigh_judges(table, told, gains=gains)
    fit, grid = fit_ordinal(
        table, weight=weights.weight, summed=weights.summed, gains=weights.gains
    )
    errors = standard_errors(table, fit, grid)
    p, change = fit.parameters, np.eye(len(errors.covariance))
    if weights.gains:
        p, change = rescaled(p, fit.weight)
    found = truths(table, p, fit.weight, grid)
    covariance = change @ errors.covariance @ change.T
    se = np.sqrt(np.maximum(np.diag(covariance), 0.0))[p.cutpoints.size :].reshape(3, -1)

    def wide(values: FloatArray, absent: float = np.nan) -> FloatArray:
        full = np.full(votes.n_judges, absent)
        full[screened.counted] = values
        return full

    scores = _scores(table, found, found.variance + errors.added)
    warnings = [*screened.warnings, *weights.warnings]
    sure = np.flatnonzero(p.noise < _SURE * p.gain)
    if 1 < sure.size < p.noise.size:
        warnings.append(
            f"{told(sure.tolist())} agree so well that they outweigh all others: right if they "
            "err little, wrong if they err alike"
        )
    unjudged = int(np.count_nonzero(table.pattern < 0))
    if unjudged:
        warnings.append(f"{unjudged} items have no vote of a counted judge: NaN")
    reason = None if fit.converged else f"no convergence after {fit.n_iter} iterations"
    return OrdinalProbit(
        mean=scores.mean,
        sd=scores.sd,
        posterior=scores.posterior,
        judge_offset=wide(p.offset),
        judge_offset_se=wide(se[0]),
        judge_gain=wide(p.gain),
        judge_gain_se=wide(se[1] * p.gain),
        judge_noise=wide(p.noise),
        judge_noise_se=wide(se[2] * p.noise),
        noiseless_loss=wide(noiseless_loss(table, fit)),
        judge_weight=wide(fit.weight, 0.0),
        cutpoints=p.cutpoints,
        log_likelihood=fit.log_likelihood,
        converged=fit.converged,
        n_iter=fit.n_iter,
        reason=reason,
        warnings=tuple(warnings if reason is None else [*warnings, reason]),
    )


def ordinal_scores(
    fit: OrdinalProbit,
    item: ArrayLike,
    judge: ArrayLike,
    level: ArrayLike,
    *,
    n_items: int | None = None,
) -> OrdinalScores:
    """Score items by a panel whose parameters are fitted already.

    Parameters
    ----------
    fit
        The fitted panel.
    item, judge, level
        Votes in long format as in ``ordinal_probit`` (votes,); judges are those of `fit`, votes of
        judges it left out are passed over.
    n_items
        Number of items, if some at the end have no vote.

    Returns
    -------
    OrdinalScores
        Parameters are taken as known: `sd` does not hold their uncertainty.

    Raises
    ------
    ValueError
        Arguments that do not fit, or a judge that `fit` does not know.
    """
    n_judges, n_levels = fit.judge_noise.size, fit.cutpoints.size + 1
    votes = ordinal_votes(item, judge, level, n_levels=n_levels, n_items=n_items, n_judges=n_judges)
    counted = np.flatnonzero(fit.judge_weight > 0)
    kept = np.isin(votes.judge, counted)
    code = np.cumsum(fit.judge_weight > 0) - 1
    known = OrdinalVotes(
        votes.item[kept],
        code[votes.judge[kept]],
        votes.level[kept],
        votes.n_items,
        counted.size,
        n_levels,
    )
    table = ordinal_table(known)
    p = Parameters(
        fit.cutpoints,
        fit.judge_offset[counted],
        fit.judge_gain[counted],
        fit.judge_noise[counted],
    )
    found = truths(table, p, fit.judge_weight[counted])
    return _scores(table, found, found.variance)


def _scores(table: OrdinalTable, found: Truths, variance: FloatArray) -> OrdinalScores:
    return OrdinalScores(
        table.spread(found.mean),
        table.spread(np.sqrt(np.maximum(variance, 0.0))),
        table.spread(found.levels),
    )


def _renamed(counted: NDArray[np.intp], names: Names, codes: list[int]) -> str:
    return names(counted[codes].tolist())
