"""Trust, escalate, ambiguous or human: one decision a response, from confidence, doubt and votes.

The pure part of ``panopt.plugins.triage``, which tells the reasoning and its sources; what decides
on one response while a run goes on takes it from here too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panopt.records.consensus import OUTCOMES, Consensus
from panopt.records.decisions import DECISIONS
from panopt.stats.doubt import WORTH, settling_chance, vote_doubt

__all__ = ["REASONS", "Triage", "panel_doubt", "sentences", "triage"]

Floats = NDArray[np.float64]

TRUST, ESCALATE, AMBIGUOUS, HUMAN = range(len(DECISIONS))

#: Why, by code; the last ones stand for the outcomes of a panel without a verdict.
REASONS: tuple[str, ...] = (
    "certified",
    "confident",
    "may_settle",
    "humans_split",
    "judges_waver",
    "judges_split",
    "tie_may_settle",
    "tie_stays",
    *OUTCOMES,
)
_CERTIFIED, _CONFIDENT, _MAY_SETTLE, _HUMANS_SPLIT, _JUDGES_WAVER, _JUDGES_SPLIT = range(6)
_TIE_MAY_SETTLE, _TIE_STAYS, _FIRST_OUTCOME = 6, 7, 8

_NO_VERDICT = {
    "decided": "the panel gave no confidence in its verdict",
    "tie": "the judges are tied and name no winner",
    "split": "the judges are split and name no winner",
    "quorum_not_met": "only {n_votes:.0f} judge(s) decided, fewer than were asked for",
    "all_abstained": "every judge abstained",
    "all_failed": "every judge failed",
    "response_error": "the response itself failed: there is nothing to judge",
    "no_votes": "no judge gave a verdict",
}

#: Shares from which human labels count as split, and repeats as wavering.
SPLIT_SHARE = 0.6
WAVER_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Triage:
    """A decision for every response, and why; all arrays of one length.

    Attributes
    ----------
    decision
        Codes into :data:`panopt.records.decisions.DECISIONS`.
    reason
        Codes into :data:`REASONS`.
    chance
        Probability that a stronger judge settles the response; NaN where nobody decided.
    """

    decision: NDArray[np.int8]
    reason: NDArray[np.int16]
    chance: Floats


def triage(  # noqa: PLR0913 - one argument an option
    confidence: ArrayLike,
    doubt: ArrayLike,
    n_votes: ArrayLike,
    outcome: ArrayLike,
    *,
    certified: float | None = None,
    epsilon: float = 0.1,
    human_share: ArrayLike | None = None,
    waver_share: ArrayLike | None = None,
    worth: float = WORTH,
    promise: float = 0.25,
) -> Triage:
    """Decide what to do with each response.

    Parameters
    ----------
    confidence
        What the certificate was calibrated on, shape (responses,); NaN where the panel has no
        verdict, which is never trusted.
    doubt
        Probability that the truth is on the other side of the pass mark than the verdict, by
        the panel's own account, shape (responses,): 1/2 for a tie, NaN where nobody decided.
        See :func:`vote_doubt`.
    n_votes
        Decisive judges, shape (responses,).
    outcome
        Codes into :data:`panopt.records.consensus.OUTCOMES`, shape (responses,).
    certified
        Certified confidence threshold, infinity where labels certify none (nothing is trusted
        then); None where there are no labels to ask: responses with ``doubt < epsilon`` are
        trusted, without a guarantee.
    epsilon
        Doubt at which a verdict counts as settled, in (0, 1/2).
    human_share
        Share of a response's human labels on the larger side, NaN below two labels; at most .6
        is a split.
    waver_share
        Share of the judges' variance that is within judges, over repeats, NaN without repeats;
        from .5 on the judges contradict themselves more than each other.
    worth
        How many votes of this panel a stronger judge is worth, above 0.
    promise
        Least chance of settling a response that makes it worth escalating, in [0, 1].

    Returns
    -------
    Triage
        Codes; O(responses), no text is made.

    Raises
    ------
    ValueError
        For arrays of different length or options off their range.

    Examples
    --------
    >>> share, n = np.array([1.0, 2 / 3, 0.5, np.nan]), np.array([5, 3, 10, 0])
    >>> result = triage(share, vote_doubt(share, n), n, [0, 0, 0, 4])
    >>> [DECISIONS[code] for code in result.decision]
    ['trust', 'escalate', 'ambiguous', 'human']
    """
    c, d = np.asarray(confidence, dtype=np.float64), np.asarray(doubt, dtype=np.float64)
    n, out = np.asarray(n_votes, dtype=np.float64), np.asarray(outcome)
    split = _optional(human_share, c.shape)
    waver = _optional(waver_share, c.shape)
    for name, array in (("doubt", d), ("n_votes", n), ("outcome", out)):
        if array.shape != c.shape or c.ndim != 1:
            raise ValueError(f"{name} must have the shape of confidence, {c.shape}")
    _check_options(epsilon, worth, promise)
    silent = np.isnan(d)
    chance = np.full(c.shape, np.nan)
    chance[~silent] = settling_chance(d[~silent], n[~silent], epsilon=epsilon, worth=worth)
    sure = d < epsilon if certified is None else c >= certified
    trusted = ~silent & ~np.isnan(c) & sure
    # Later lines win over earlier ones.
    decision = np.full(c.shape, ESCALATE, dtype=np.int8)
    reason = np.full(c.shape, _MAY_SETTLE, dtype=np.int16)
    for where, what, why in (
        (chance < promise, AMBIGUOUS, _JUDGES_SPLIT),
        (waver >= WAVER_SHARE, AMBIGUOUS, _JUDGES_WAVER),
        (split <= SPLIT_SHARE, AMBIGUOUS, _HUMANS_SPLIT),
        (trusted, TRUST, _CONFIDENT if certified is None else _CERTIFIED),
        (silent, HUMAN, _FIRST_OUTCOME + out),
    ):
        decision[where] = what
        reason[where] = why[where] if isinstance(why, np.ndarray) else why
    tied = ~silent & np.isnan(c)
    reason[tied] = np.where(decision[tied] == ESCALATE, _TIE_MAY_SETTLE, _TIE_STAYS)
    return Triage(decision, reason, chance)


def _optional(values: ArrayLike | None, shape: tuple[int, ...]) -> Floats:
    array = np.full(shape, np.nan) if values is None else np.asarray(values, dtype=np.float64)
    if array.shape != shape:
        raise ValueError(f"human_share and waver_share must have the shape of confidence, {shape}")
    return array


def _check_options(epsilon: float, worth: float, promise: float) -> None:
    if not 0.0 < epsilon < 0.5:
        raise ValueError(f"epsilon = {epsilon} must lie strictly between 0 and 1/2")
    if not 0.0 < worth < np.inf:
        raise ValueError(f"worth = {worth} must be a finite number above 0")
    if not 0.0 <= promise <= 1.0:
        raise ValueError(f"promise = {promise} must lie in [0, 1]")


def panel_doubt(consensus: Consensus, n_votes: Floats) -> Floats:
    """Give the panel's own doubt, as its votes support it if their errors are shared.

    Parameters
    ----------
    consensus
        What the panel says of each response.
    n_votes
        Independent votes that its votes are worth, one number a response.
    """
    if consensus.confidence_source == "posterior probability":
        from scipy.special import ndtr, ndtri  # noqa: PLC0415 - scipy is imported late

        shrunk = np.sqrt(n_votes / np.maximum(consensus.n_votes, 1))
        doubt = np.asarray(ndtr(-ndtri(consensus.confidence) * shrunk))
    else:
        doubt = vote_doubt(consensus.confidence, n_votes)
    without = np.isin(consensus.outcome, [OUTCOMES.index("tie"), OUTCOMES.index("split")])
    doubt[without & np.isnan(consensus.confidence)] = 0.5
    return doubt


def sentences(
    certified: float | None, epsilon: float, unproven: str | None, *, correlated: bool
) -> tuple[str, ...]:
    """Give the sentence of each reason, as `Decisions.reasons` takes them.

    Parameters
    ----------
    certified
        As in :func:`triage`.
    epsilon
        Doubt at which a verdict counts as settled.
    unproven
        Why nothing may be trusted; None where something may.
    correlated
        Whether some votes count for less than they are.
    """
    votes = "{n_votes:.0f} vote(s)"
    if correlated:
        votes += " worth {worth:.1f} independent one(s)"
    if unproven is not None:
        short = unproven
    elif certified is None:
        short = f"doubt {{doubt:.3f}} is not below {epsilon:g}"
    elif np.isinf(certified):
        short = "no confidence is certified by the human labels"
    else:
        short = f"confidence {{confidence:.3f}} is below the certified {certified:.3f}"
    reaches = (
        f"confidence {{confidence:.3f}} reaches the certified {certified:.3f}"
        if certified
        else "every verdict is certified, whatever its confidence ({confidence:.3f})"
    )
    stronger = (
        f"a judge worth {WORTH:g} of these votes would settle it with probability {{chance:.2f}}"
    )
    return (
        reaches,
        f"doubt {{doubt:.3f}} is below {epsilon:g}; too few human labels to guarantee anything",
        f"{short}; {votes}, {stronger}",
        f"{short}; its human labels are split ({{human_share:.2f}} on the larger side)",
        f"{short}; the judges contradict themselves on repeats ({{waver_share:.2f}} of the spread)",
        f"{short}; {votes} are split, {stronger} only",
        f"the judges name no winner; {votes}, {stronger}",
        f"the judges name no winner in {votes}; more judging is unlikely to settle it",
        *(_NO_VERDICT[outcome] for outcome in OUTCOMES),
    )
