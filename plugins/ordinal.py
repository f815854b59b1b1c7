"""Pool judges' levels (Likert and the like) into one latent truth, with each judge's leniency.

Model: the truth of item i is ``theta_i ~ N(0, 1)``; judge j says level k where ``c_k < a_j
theta_i + b_j + sigma_j e <= c_{k+1}``, with shared cutpoints c, the judge's offset b, gain a and
noise sigma, and normal e (McKelvey & Zavoina 1975; Johnson 1996, "On Bayesian analysis of
multirater ordinal data"). Truths are integrated out on a grid, parameters maximise the marginal
likelihood under weak priors that keep every noise above zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panopt.findings import Finding, Findings
from panopt.records.consensus import OUTCOMES, Consensus
from panopt.records.outcomes import outcomes
from panopt.spec import hookimpl
from panopt.stats.ordinal_panel import OrdinalProbit, OrdinalScores, fit_votes, ordinal_scores
from panopt.stats.ordinal_table import ordinal_votes
from panopt.stats.panel import tally_votes
from panopt.stats.patterns import few_level_codes
from panopt.stats.words import listed

if TYPE_CHECKING:
    from panopt.records.ask import Ask
    from panopt.records.matrix import Matrix

__all__ = ["OrdinalProbit", "OrdinalScores", "ordinal_probit", "ordinal_scores"]

FloatArray = NDArray[np.float64]

_MOST_LEVELS = 50  # distinct values beyond which scores are no levels
_SAMPLE = 3000  # responses from which an analysis learns the judges
_CROWD = 30  # more judges than this take many seconds, and are analysed where that is asked for
_DIGITS = 9  # scores are levels up to rounding here
_FEW = 5  # votes below which nothing is said of a judge

_ASSUMPTIONS = (
    "the judges' errors are independent given the response, normal on a latent scale",
    "all judges cut the latent scale at the same points, up to an offset and a stretch",
)


def ordinal_probit(  # noqa: PLR0913 - three arrays of one table, and its names
    item: ArrayLike,
    judge: ArrayLike,
    level: ArrayLike,
    *,
    n_levels: int,
    gains: bool = True,
    n_items: int | None = None,
    n_judges: int | None = None,
    names: Sequence[str] | None = None,
) -> OrdinalProbit:
    """Estimate every item's latent truth and true level, and every judge's offset and noise.

    Parameters
    ----------
    item, judge
        Codes from 0 of the item and the judge of every vote (votes,). A judge may vote on an
        item several times (independent draws, or one vote where they never differ) or never.
    level
        Codes of the ordered levels, 0 to `n_levels` - 1 (votes,); NaN is a missing vote.
    n_levels
        Number of levels, 2 or more; levels nobody used are allowed.
    gains
        Let every judge spread the truths by a gain of its own (about 1 on the whole): judges that
        use little of the scale are then not taken for noisy ones, nor others for precise. Without,
        or with fewer than three judges or levels in use, all gains are 1.
    n_items, n_judges
        Number of codes, if some at the end occur in no row.
    names
        Names of the judges for messages (judges,); "judge 0" and so on by default.

    Returns
    -------
    OrdinalProbit
        `mean` is the posterior mean on the latent scale: it ranks items. `expected_level` is
        on the scale of the codes.

    Raises
    ------
    ValueError
        Arguments that do not fit; one judge; fewer than two judges whose levels vary; two judges
        on two levels (unidentified); judges that share no item with the others.

    Notes
    -----
    The latent scale is fixed by theta ~ N(0, 1), offsets that sum to zero and log gains whose
    mean, weighed by what the judges tell, is zero. Judges that agree on all of 20 or more common
    items count as one; judges who always say the same are left out. Errors that judges share are
    not modelled: judges who err alike look precise and outweigh the others.

    Priors: one pseudo-item spread over the levels; offsets N(0, 2.5^2); log gains N(0, .5^2);
    log noises normal with sd 1 around the panel's, which is N(0, 1.5^2); noise at least .05.
    Nothing is random. Time and memory go by the distinct patterns of votes.

    References
    ----------
    McKelvey & Zavoina 1975, "A statistical model for the analysis of ordinal level dependent
    variables"; Johnson 1996, "On Bayesian analysis of multirater ordinal data", JASA 91.

    Examples
    --------
    Three judges with offsets .4, -.2 and -.2 and noises .3, .6 and 1 on 20,000 items:

    >>> rng = np.random.default_rng(0)
    >>> item, judge = np.divmod(np.arange(60_000), 3)
    >>> latent = rng.normal(size=20_000)[item] + np.array([0.4, -0.2, -0.2])[judge]
    >>> latent += np.array([0.3, 0.6, 1.0])[judge] * rng.normal(size=60_000)
    >>> level = np.searchsorted([-1.0, -0.3, 0.4, 1.2], latent)
    >>> panel = ordinal_probit(item, judge, level, n_levels=5)
    >>> panel.judge_offset.round(1).tolist(), panel.judge_noise.round(1).tolist()
    ([0.4, -0.2, -0.2], [0.3, 0.6, 1.0])
    >>> panel.cutpoints.round(1).tolist()
    [-1.0, -0.3, 0.4, 1.2]
    """
    votes = ordinal_votes(item, judge, level, n_levels=n_levels, n_items=n_items, n_judges=n_judges)
    if names is not None and len(names) != votes.n_judges:
        raise ValueError(f"names: got {len(names)} for {votes.n_judges} judges; give one a judge")

    def named(codes: Sequence[int]) -> str:
        return listed([f"judge {k}" if names is None else str(names[k]) for k in codes])

    return fit_votes(votes, named, gains=gains)


class _Levels(NamedTuple):
    """Scores of a criterion as levels."""

    values: FloatArray
    """Score of each level on [0, 1]."""
    codes: NDArray[np.int64]
    """Level of each vote (responses, judges), -1 where there is none."""
    between: bool
    """Whether there are scores between the levels of the scale."""


@hookimpl
def panopt_methods() -> tuple[str, ...]:
    """Name the method."""
    return ("ordinal_probit",)


@hookimpl
def panopt_aggregate(matrix: Matrix, method: str, why: str, ask: Ask) -> Consensus | None:
    """Give every response its posterior over true levels; human labels take no part."""
    scores = matrix.scores()
    levels = _levels(matrix, scores)
    fit = _fit(matrix, levels, np.arange(matrix.n_responses))
    tally = tally_votes(scores, ask.threshold)
    outcome = outcomes(matrix.status(), tally.n, least=ask.min_successful)
    decided = (outcome == OUTCOMES.index("decided")) & ~np.isnan(fit.mean)
    outcome[(outcome == OUTCOMES.index("decided")) & ~decided] = OUTCOMES.index("quorum_not_met")

    def known(values: FloatArray) -> FloatArray:
        return np.where(decided if values.ndim == 1 else decided[:, None], values, np.nan)

    posterior = fit.posterior
    value = posterior @ levels.values
    spread = (posterior * (levels.values - value[:, None]) ** 2).sum(axis=1)
    sd = known(np.sqrt(spread))
    reaches = levels.values >= ask.threshold - 10.0**-_DIGITS
    passed = np.clip(posterior @ reaches, 0.0, 1.0)
    verdict = value >= ask.threshold
    warnings = list(fit.warnings)
    if matrix.n_labelled:
        warnings.append("human labels take no part in the ordinal probit's values")
    if levels.between:
        warnings.append(
            f"scores lie between the scale's levels: each of their {levels.values.size} values "
            "is a level of its own"
        )
    return Consensus(
        criterion=matrix.criterion,
        method=method,
        why=why,
        value=known(value),
        sd=sd,
        estimate=known(_unshrunk(fit, levels, scores)),
        blind_value=known(value),
        blind_sd=sd,
        confidence=known(np.where(verdict, passed, 1.0 - passed)),
        confidence_source="posterior probability",
        verdict=np.where(decided, verdict, -1).astype(np.int32),
        outcome=outcome,
        n_votes=tally.n.astype(np.int32),
        disagreement=tally.high - tally.low,
        spread=tally.sd,
        agreement=tally.largest_bloc(),
        assumptions=_ASSUMPTIONS,
        warnings=tuple(warnings),
        probabilities=known(posterior),
        levels=tuple(levels.values.tolist()),
    )


@hookimpl
def panopt_analyze(matrix: Matrix, ask: Ask, rng: np.random.Generator) -> Findings | None:
    """Find the offset and the noise of every judge of one ordinal criterion."""
    if matrix.scale.kind != "ordinal":
        return None
    if matrix.n_judges < 3:
        return _unknown(matrix, f"{matrix.n_judges} judge(s): offset and noise take three")
    if matrix.n_judges > _CROWD and ask.aggregate != "ordinal_probit":
        why = (
            f"{matrix.n_judges} judges: offset and noise of so many take --aggregate ordinal_probit"
        )
        return _unknown(matrix, why)
    if matrix.n_responses < _FEW:
        why = f"{matrix.n_responses} response(s) of {_FEW} needed to tell offset from noise"
        return _unknown(matrix, why)
    n_used = min(matrix.n_responses, _SAMPLE)
    chosen = np.arange(n_used)
    if n_used < matrix.n_responses:
        chosen = np.sort(rng.choice(matrix.n_responses, n_used, replace=False))
    try:
        levels = _levels(matrix, matrix.scores())
        fit = _fit(matrix, levels, chosen)
    except ValueError as error:
        return _unknown(matrix, str(error))
    votes = np.count_nonzero(levels.codes[chosen] >= 0, axis=0)
    method = _METHOD
    if n_used < matrix.n_responses:
        method += f" (from {n_used} of {matrix.n_responses} responses, drawn at random)"
    rows = [
        finding
        for j in range(matrix.n_judges)
        for finding in _judge_findings(matrix, fit, j, int(votes[j]), method, ask.level)
    ]
    return Findings(tuple(rows))


_METHOD = "ordered probit with judges, maximum of the penalised marginal likelihood"


def _levels(matrix: Matrix, scores: FloatArray) -> _Levels:
    """Read the scores on [0, 1] as levels: the scale's, and the values between that occur.

    Raises
    ------
    ValueError
        Labels without an order, or more values than levels may be.
    """
    kind = matrix.scale.kind
    if kind == "nominal":
        raise ValueError("the verdicts are labels without an order; use plurality")
    own = matrix.scale.levels
    own = np.empty(0) if own is None else matrix.scale.normalise(own)
    rounded = np.round(scores, _DIGITS)
    few = few_level_codes(rounded, limit=_MOST_LEVELS)
    if few is None:
        raise ValueError(
            f"more than {_MOST_LEVELS} distinct scores (scale {matrix.scale}) are no levels; use "
            "gaussian, or round the scores"
        )
    used, codes = few
    values = np.unique(np.concatenate((used, np.round(own, _DIGITS))))
    if values.size > _MOST_LEVELS:
        values = used
    table = np.append(np.searchsorted(values, used), -1)
    between = bool(np.setdiff1d(used, np.round(own, _DIGITS)).size)
    return _Levels(values, table[codes], between)


def _fit(matrix: Matrix, levels: _Levels, chosen: NDArray[np.intp]) -> OrdinalProbit:
    codes = levels.codes[chosen]
    response, judge = np.nonzero(codes >= 0)
    return ordinal_probit(
        response,
        judge,
        codes[response, judge],
        n_levels=levels.values.size,
        n_items=chosen.size,
        n_judges=matrix.n_judges,
        names=matrix.judges,
    )


def _unshrunk(fit: OrdinalProbit, levels: _Levels, scores: FloatArray) -> FloatArray:
    """Give the weighed mean of scores less the judges' mean error, over all items, on [0, 1].

    A judge's mean error is that of its expected level's score over truths N(0, 1).
    """
    from scipy.special import ndtr  # noqa: PLC0415  # scipy is imported late

    counted = fit.judge_weight > 0
    scale = np.hypot(fit.judge_gain, fit.judge_noise)
    bounds = (fit.cutpoints - fit.judge_offset[:, None]) / scale[:, None]
    steps = np.diff(levels.values)
    bias = (ndtr(fit.cutpoints) - ndtr(bounds)) @ steps
    weight = np.where(counted, fit.judge_weight * (fit.judge_gain / fit.judge_noise) ** 2, 0.0)
    cast = ~np.isnan(scores) & counted
    total = cast @ weight
    pull = np.where(cast, scores - np.where(counted, bias, 0.0), 0.0) @ weight
    found: FloatArray = np.divide(pull, total, out=np.full(total.size, np.nan), where=total > 0)
    return found


def _unknown(matrix: Matrix, reason: str) -> Findings:
    """Say why nothing is known of any judge."""
    rows = [
        Finding(
            plugin="ordinal",
            name=name,
            criterion=matrix.criterion,
            value=None,
            n=matrix.n_responses,
            method=_METHOD,
            reason=reason,
            headline=False,
        )
        for name in ("ordinal_offset", "ordinal_noise")
    ]
    return Findings(tuple(rows))


def _judge_findings(  # noqa: PLR0913, PLR0917 - what a finding is made of
    matrix: Matrix, fit: OrdinalProbit, j: int, n: int, method: str, level: float
) -> tuple[Finding, Finding]:
    """Word a judge's offset and noise, with intervals, or why there are none."""
    z = NormalDist().inv_cdf(0.5 + level / 2)
    offset, noise = float(fit.judge_offset[j]), float(fit.judge_noise[j])
    reach = z * float(fit.judge_offset_se[j])
    factor = float(np.exp(z * fit.judge_noise_se[j] / noise))
    # Twice the usual limit of a likelihood ratio, as the other parameters are held.
    least = 0.0 if fit.noiseless_loss[j] < z**2 else noise / factor
    reason = None
    if n < _FEW:
        reason = f"{n} of {_FEW} votes needed to tell offset from noise"
    elif np.isnan(offset):
        reason = "the judge always gave the same level"
    elif not fit.converged:
        reason = fit.reason

    def finding(name: str, value: float, low: float, high: float) -> Finding:
        known = reason is None
        return Finding(
            plugin="ordinal",
            name=name,
            criterion=matrix.criterion,
            subject_kind="judge",
            subject=matrix.judges[j],
            value=value if known else None,
            unit="sd of the latent truth",
            low=low if known else None,
            high=high if known else None,
            level=level if known else None,
            n=n,
            method=method,
            assumptions=_ASSUMPTIONS,
            warnings=fit.warnings,
            reason=reason,
            details={"gain": float(fit.judge_gain[j])} if known else {},
            headline=False,
        )

    return (
        finding("ordinal_offset", offset, offset - reach, offset + reach),
        finding("ordinal_noise", noise, least, noise * factor),
    )
