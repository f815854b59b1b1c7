"""Combine the scores of a panel by a plain rule: the arithmetic behind ``panopt.plugins.panel``.

A judge that abstained or failed never counts as a score; ties, splits, missed quorums and panels
that failed altogether are outcomes of their own. A verdict and its confidence depend on the votes
on one response alone, so that they are the same while a run goes on and afterwards.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from numbers import Real

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panopt.records.ask import Ask
from panopt.records.ballots import ballots
from panopt.records.consensus import OUTCOMES, Consensus
from panopt.records.matrix import Matrix
from panopt.stats.arrays import as_floats, as_keys
from panopt.stats.panel import (
    DECIDED,
    LABELLED,
    RULES,
    SIDED,
    SPLIT,
    TIE,
    Tally,
    apply_rule,
    tally_votes,
)
from panopt.stats.votes import ABSTAINED, FAILED, NEVER, OK, vote_codes

__all__ = ["Combined", "combine", "plain_consensus"]

FloatArray = NDArray[np.float64]
Codes = NDArray[np.int8]
CustomRule = Callable[[FloatArray, Codes], ArrayLike]

_TIE_BREAKS = (None, "low", "high", "first")


@dataclass(frozen=True, slots=True)
class Combined:
    """What a panel says of each response; every array has one entry a response."""

    value: FloatArray
    """Combined score, or label; NaN where the outcome is inconclusive."""
    outcome_code: Codes
    """Index into `OUTCOMES`."""
    n_votes: NDArray[np.int32]
    """Deciding judges."""
    n_judges: NDArray[np.int32]
    """Judges that were asked."""
    disagreement: FloatArray
    """Greatest minus least score; NaN without votes."""
    sd: FloatArray
    """Population standard deviation of the scores (ddof 0); NaN without votes."""
    agreement: FloatArray
    """Share of the deciding judges on the side of the verdict; NaN without votes. Sides are
    those of the threshold, and one dissent in three that makes "unanimous" fail agrees 1/3. For
    "majority", rules of labels, without a threshold and where there is no verdict it is the
    largest bloc: one side of the threshold, or equal scores or labels."""
    passed: NDArray[np.bool_] | None
    """Whether the response reaches the threshold; False where inconclusive, `None` without one."""
    rule: str
    """Name of the rule."""
    threshold: float | None
    """Threshold in force."""

    @property
    def outcome(self) -> NDArray[np.str_]:
        """Name what became of each response."""
        return np.array(OUTCOMES)[self.outcome_code]

    @property
    def degraded(self) -> NDArray[np.bool_]:
        """Tell where fewer than half of the judges that were asked voted."""
        return 2 * self.n_votes < self.n_judges


def combine(  # noqa: PLR0913 - one rule with all that may qualify a vote
    scores: ArrayLike,
    *,
    rule: str | CustomRule = "mean",
    threshold: float | None = None,
    min_successful: int = 1,
    status: ArrayLike | None = None,
    errored: ArrayLike | None = None,
    bounds: tuple[float, float] | None = None,
    trim: float = 0.2,
    tie_break: str | None = None,
) -> Combined:
    """Combine the judges' scores of every response by one rule.

    Parameters
    ----------
    scores
        One vote per response and judge, repeats already reduced (responses, judges); NaN: no
        decisive vote. An infinite score is a failed vote.
    rule
        A name in `RULES`, or a function that is given all scores and status codes (both
        (responses, judges)) and gives a value per response, NaN for no consensus.
    threshold
        A response passes at or above it. "majority" and "unanimous" need one: .5 by default, on
        scores in [0, 1].
    min_successful
        Fewer deciding judges than this leave a response inconclusive.
    status
        How each judge fared (responses, judges): "ok", "abstained", "failed", "" for never
        asked, or their codes 0, 1, 2, -1. Only ok votes count; one without a finite score has
        failed. Without `status`, NaN is a vote missing for reasons unsaid (code 3).
    errored
        Responses that errored and are not judged (responses,).
    bounds
        Ends of the scale; a vote outside is a failed vote.
    trim
        Share of the votes "trimmed_mean" drops at each end, rounded down, in [0, .5).
    tie_break
        Which of the tied labels "plurality" takes: "low", "high", or "first", that of the first
        judge among them; none by default. The outcome says ``tie`` all the same.

    Returns
    -------
    Combined
        "majority" is 1 when more than half of the deciding judges reach the threshold, 0 when
        fewer; an exact tie falls back to the mean of the scores. "unanimous" is 1 when all do,
        else 0. "absolute_majority" takes the label of more than half, else ``tie`` or ``split``.

    Raises
    ------
    ValueError
        For scores or options outside their range.

    Examples
    --------
    >>> panel = combine([[0.8, 0.6, 0.8], [1.0, 0.0, np.nan]], rule="majority", threshold=0.6)
    >>> panel.value.tolist(), panel.outcome.tolist(), panel.agreement.tolist()
    ([1.0, 0.5], ['decided', 'tie'], [1.0, 0.5])
    """
    given = as_floats("scores", scores)
    if given.ndim != 2 or not given.shape[1]:
        raise ValueError(f"scores of shape {given.shape} must be (responses, judges), judges >= 1")
    if isinstance(rule, str) and rule not in RULES:
        raise ValueError(f"rule = {rule!r} must be one of {', '.join(RULES)}, or a function")
    if not 1 <= min_successful <= given.shape[1]:
        raise ValueError(
            f"min_successful = {min_successful} must lie in 1..{given.shape[1]}, the panel's size"
        )
    if not 0 <= trim < 0.5:
        raise ValueError(f"trim = {trim} must lie in [0, .5)")
    if tie_break not in _TIE_BREAKS:
        raise ValueError(f"tie_break = {tie_break!r} must be None, 'low', 'high' or 'first'")
    name = rule if isinstance(rule, str) else getattr(rule, "__name__", "custom")
    codes = vote_codes(given, status, bounds)
    broken = _errored(errored, given.shape[0])
    codes[broken] = NEVER
    votes = np.where(codes == OK, given, np.nan)
    tally = tally_votes(votes, _limit(name, threshold, votes), labels=name in LABELLED)
    if isinstance(rule, str):
        value, ruling = apply_rule(rule, tally, trim=trim, tie_break=tie_break)
    else:
        value = np.array(rule(given, codes), dtype=np.float64)
        if value.shape != tally.n.shape:
            raise ValueError(f"rule {name} gave shape {value.shape}, not one value a response")
        ruling = np.where(np.isnan(value), SPLIT, DECIDED).astype(np.int8)
    outcome = np.where(tally.n < min_successful, _missing(codes, tally.n, broken), ruling)
    value = np.where(outcome > SPLIT, np.nan, value)
    passed = None
    if tally.limit is not None:
        won = (value == 1) if name in SIDED else (value >= tally.limit)
        passed = np.where(outcome == DECIDED, won, value >= tally.limit)
    return Combined(
        value=value,
        outcome_code=outcome.astype(np.int8),
        n_votes=tally.n.astype(np.int32),
        n_judges=np.count_nonzero(codes != NEVER, axis=1).astype(np.int32),
        disagreement=tally.high - tally.low,
        sd=tally.sd,
        agreement=_agreement(name, tally, outcome, passed),
        passed=passed,
        rule=name,
        threshold=tally.limit,
    )


def plain_consensus(matrix: Matrix, method: str, why: str, ask: Ask) -> Consensus:
    """Aggregate one criterion by a plain rule, after reducing each judge's repeats to one vote.

    Parameters
    ----------
    matrix
        Judgments of the criterion.
    method
        A name in `RULES`.
    why
        Why it was taken, for the record.
    ask
        Its `threshold` and `min_successful` are used.

    Raises
    ------
    ValueError
        For a rule of scores where the verdicts are labels.
    """
    votes, status = ballots(matrix)
    kind = matrix.scale.kind
    if kind == "nominal":
        found = _combine_labels(matrix, method, ask, votes, status)
        verdict = np.where(np.isnan(found.value), -1, found.value).astype(np.int32)
        blank = np.full(verdict.size, np.nan)
        numbers = replace(found, value=blank, disagreement=blank, sd=blank)
        return _consensus(matrix, method, why, numbers, verdict, found.agreement)
    if method not in (*SIDED, *LABELLED):
        votes, status = matrix.scores(), matrix.status()
    side = (votes >= ask.threshold).astype(np.float64)
    rule = method
    if kind == "pairwise":  # a vote for a tie counts half for each side
        side, rule = votes, "mean" if method == "majority" else method
    found = combine(
        votes,
        rule=rule,
        threshold=ask.threshold,
        min_successful=ask.min_successful,
        status=status,
    )
    if rule != method:
        tied = (found.value == 0.5) & (found.outcome_code == DECIDED)
        found = replace(
            found,
            value=np.where(np.isnan(found.value), np.nan, 0.5 + 0.5 * np.sign(found.value - 0.5)),
            outcome_code=np.where(tied, TIE, found.outcome_code).astype(np.int8),
        )
    verdict = np.where(np.isnan(found.value), -1, found.value >= ask.threshold).astype(np.int32)
    if kind == "pairwise":
        verdict[found.value == ask.threshold] = -1  # a draw has no winner
        blocs = combine(votes, rule="plurality", status=status)
        found = replace(found, agreement=blocs.agreement)  # a tie is a vote for neither side
    share = np.where(status == OK, side, 0.0).sum(axis=1) / np.maximum(found.n_votes, 1)
    return _consensus(matrix, method, why, found, verdict, np.where(verdict == 1, share, 1 - share))


def _combine_labels(
    matrix: Matrix, method: str, ask: Ask, votes: FloatArray, status: Codes
) -> Combined:
    rule = "absolute_majority" if method == "majority" else method
    if rule not in LABELLED:
        raise ValueError(
            f"{method} needs scores, and {matrix.criterion!r} was judged by labels; use plurality "
            "or majority"
        )
    return combine(votes, rule=rule, min_successful=ask.min_successful, status=status)


def _consensus(  # noqa: PLR0913, PLR0917 - the parts of one record
    matrix: Matrix,
    method: str,
    why: str,
    found: Combined,
    verdict: NDArray[np.int32],
    confidence: FloatArray,
) -> Consensus:
    unknown = np.full(verdict.size, np.nan)
    return Consensus(
        criterion=matrix.criterion,
        method=method,
        why=why,
        value=found.value,
        sd=unknown,
        estimate=found.value,
        blind_value=found.value,
        blind_sd=unknown,
        confidence=np.where(verdict >= 0, np.clip(confidence, 0.0, 1.0), np.nan),
        confidence_source="vote share",
        verdict=verdict,
        outcome=found.outcome_code,
        n_votes=found.n_votes,
        disagreement=found.disagreement,
        spread=found.sd,
        agreement=found.agreement,
        assumptions=("every judge counts the same, and the judges' biases are not corrected",),
        warnings=_warnings(matrix, found, verdict),
        own_votes=True,
    )


def _warnings(matrix: Matrix, found: Combined, verdict: NDArray[np.int32]) -> tuple[str, ...]:
    """Say what the rule glossed over, with counts."""
    warnings = []
    counts = np.bincount(found.outcome_code, minlength=len(OUTCOMES))
    missing = [
        f"{counts[i]} {OUTCOMES[i].replace('_', ' ')}" for i in range(2, len(OUTCOMES)) if counts[i]
    ]
    if missing:
        warnings.append(f"inconclusive responses: {', '.join(missing)}")
    passing = int(np.count_nonzero((found.outcome_code == TIE) & (verdict == 1)))
    if passing:
        warnings.append(f"{passing} exact ties count as passes: their mean reaches the threshold")
    degraded = int(np.count_nonzero(found.degraded & (found.n_votes > 0)))
    if degraded:
        warnings.append(f"{degraded} responses were decided by fewer than half of their judges")
    if len(set(matrix.judge_scales)) > 1:
        warnings.append("judges use different scales, combined on [0, 1]")
    return tuple(warnings)


def _errored(errored: ArrayLike | None, n_responses: int) -> NDArray[np.bool_]:
    if errored is None:
        return np.zeros(n_responses, dtype=np.bool_)
    flags = as_keys("errored", errored).astype(np.bool_)
    if flags.shape != (n_responses,):
        raise ValueError(f"errored of shape {flags.shape} must hold one flag a response")
    return flags


def _agreement(
    rule: str, tally: Tally, outcome: NDArray[np.int64], passed: NDArray[np.bool_] | None
) -> FloatArray:
    """Give the share of votes on the verdict's side, that of the largest bloc where none has it."""
    bloc = tally.largest_bloc()
    if passed is None or rule == "majority" or rule in LABELLED:
        return bloc
    side = np.where(passed, tally.reach, tally.n - tally.reach)
    return np.where(outcome == DECIDED, side / np.maximum(tally.n, 1), bloc)


def _limit(rule: str, threshold: float | None, votes: FloatArray) -> float | None:
    if threshold is not None:
        stated: object = threshold
        if not isinstance(stated, Real) or not np.isfinite(float(stated)):
            raise ValueError(f"threshold = {threshold!r} must be a finite number")
        return float(threshold)
    if rule not in SIDED:
        return None
    off = votes[(votes < 0) | (votes > 1)]
    if off.size:
        raise ValueError(f"{rule} needs a threshold: scores such as {off[0]:g} are off [0, 1]")
    return 0.5


def _missing(codes: Codes, n: NDArray[np.int64], broken: NDArray[np.bool_]) -> Codes:
    """Say why a response has too few votes."""
    asked = np.count_nonzero(codes != NEVER, axis=1)
    abstained = np.count_nonzero(codes == ABSTAINED, axis=1)
    failed = np.count_nonzero(codes == FAILED, axis=1)
    choices = (
        (broken, "response_error"),
        ((asked > 0) & (abstained == asked), "all_abstained"),
        ((asked > 0) & (failed == asked), "all_failed"),
        (n + abstained + failed > 0, "quorum_not_met"),
    )
    found = np.full(n.size, OUTCOMES.index("no_votes"), dtype=np.int8)
    for where, name in reversed(choices):
        found[where] = OUTCOMES.index(name)
    return found
