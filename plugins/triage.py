"""What to do with each response: trust the verdict, escalate it, call it ambiguous, ask a human.

*Trust*: the verdict's confidence reaches the threshold that human labels certified; or, without
labels, the judges agree beyond chance, form no camps that one truth does not explain, and the panel
leaves less than epsilon on the other side of the pass mark, votes whose errors are correlated
counting for fewer (and then nothing is guaranteed). *Human*: no judge decided. What is left is
uncertain, and the question is why:

- *ambiguous* (aleatoric): more judging would not settle it. Its human labels are split, or most
  of the judges' spread is single judges contradicting themselves, or the judges are many and
  evenly split;
- *escalate* (epistemic): a stronger judge has a fair chance to settle it.

That chance is the preposterior probability of the value of information (Raiffa & Schlaifer 1961,
chapter 5). Let the n votes put the response z standard errors off the pass mark, ``z = Phi^-1(1 -
doubt)``, and let the next judge be worth m such votes. With ``r = n / (n + m)`` the new standard
error is ``sqrt(r)`` of the old and the value moves by a normal step of variance ``1 - r``, so the
doubt falls below epsilon, ``q = Phi^-1(1 - epsilon)``, with probability
``Phi((z - q sqrt(r)) / sqrt(1 - r)) + Phi((-z - q sqrt(r)) / sqrt(1 - r))``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panopt.records.ask import Ask
from panopt.records.calibration import Calibration, calibrate, certify, human_sides
from panopt.records.consensus import OUTCOMES, Consensus
from panopt.records.decisions import DECISIONS, Decisions
from panopt.records.interdependence import interdependence
from panopt.records.matrix import Matrix
from panopt.records.standing import certificate_of, standing_of
from panopt.records.unproven import sides_by_model, unproven_sides
from panopt.spec import hookimpl
from panopt.stats.binomial import clopper_pearson
from panopt.stats.certify import CertifiedThreshold
from panopt.stats.doubt import WORTH, independent_votes, settling_chance, vote_doubt
from panopt.stats.shares import larger_share, within_share

__all__ = [
    "REASONS",
    "Triage",
    "independent_votes",
    "settling_chance",
    "triage",
    "vote_doubt",
]

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
    "no_votes": "no judge was asked",
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


@hookimpl
def panopt_decide(
    matrix: Matrix, consensus: Consensus, ask: Ask, rng: np.random.Generator
) -> Decisions | None:
    """Decide on each response of one criterion, with the reason in words.

    None where only programs judged and no human did: their checks leave nothing to decide.
    """
    programs = matrix.n_judges > 0 and all(kind == "program" for kind in matrix.judge_kinds)
    given = certificate_of(ask, matrix.criterion)
    if programs and given is None and not len(matrix.human_votes.row):
        return None
    calibration = calibrate(matrix, consensus, ask)
    result = certify(calibration, ask)
    together = interdependence(matrix, ask, rng)
    confidence = consensus.confidence
    models = sides_by_model(matrix, ask)
    n_votes = independent_votes(consensus.n_votes, together.shared)
    if models is not None and together.found.basis != "truth":  # errors of one model are one error
        n_votes = np.minimum(n_votes, np.count_nonzero(~np.isnan(models), axis=1))
    doubt = _doubt(consensus, n_votes)
    standing = None if given is None else standing_of(given, matrix, consensus, ask)
    epsilon = min(ask.alpha if given is None else given.alpha, 0.49)
    certified = _certified(calibration, result, doubt, epsilon)
    unproven = None if certified is not None else unproven_sides(matrix, ask, together, models)
    promised, own = certified is not None and result.feasible, "the panel's own doubt"
    if standing is not None:  # decides alone: labels in these logs can only refute it
        certified, promised = standing.threshold, standing.expired is None
        unproven, own = None if promised else "the certificate is expired", "expired certificate"
    human_share = _human_share(matrix, ask.threshold)
    votes = matrix.votes
    waver_share = within_share(votes.response, votes.judge, votes.score, matrix.n_responses)
    found = triage(
        confidence,
        doubt,
        n_votes,
        consensus.outcome,
        certified=certified if unproven is None else np.inf,
        epsilon=epsilon,
        human_share=human_share,
        waver_share=waver_share,
    )
    if standing is not None:
        words = standing.guarantee() if promised else standing.refusal()
    elif promised:
        words = _guarantee(result, calibration)
    else:
        words = _no_guarantee(
            result, certified, epsilon, unproven, independent=together.found.mean is None
        )
    return Decisions(
        criterion=matrix.criterion,
        method="certified confidence" if promised else own,
        decision=found.decision,
        reason=found.reason,
        reasons=_sentences(
            certified, epsilon, unproven, correlated=bool((n_votes < consensus.n_votes).any())
        ),
        numbers={
            "confidence": confidence,
            "doubt": doubt,
            "n_votes": consensus.n_votes.astype(np.float64),
            "worth": n_votes,
            "chance": found.chance,
            "human_share": human_share,
            "waver_share": waver_share,
        },
        guarantee=words if promised else None,
        no_guarantee=None if promised else words,
    )


def _certified(
    calibration: Calibration, result: CertifiedThreshold, doubt: Floats, epsilon: float
) -> float | None:
    """Give the threshold to trust from: None where the labels are too few to say anything.

    Too few to certify may still be enough to refute: when even the lower bound on the errors
    among the verdicts that would be trusted is above alpha, nothing is trusted.
    """
    if result.n_labels >= result.labels_needed:
        return result.threshold
    own = doubt[calibration.rows] < epsilon
    errors = int(np.count_nonzero(own & ~calibration.agrees))
    if not errors:
        return None
    low, _ = clopper_pearson(errors, int(own.sum()), level=1.0 - 2.0 * min(result.delta, 0.49))
    return np.inf if float(low) > result.alpha else None


def _doubt(consensus: Consensus, n_votes: Floats) -> Floats:
    """Give the panel's own doubt, as its votes support it if their errors are shared."""
    if consensus.confidence_source == "posterior probability":
        from scipy.special import ndtr, ndtri  # noqa: PLC0415 - scipy is imported late

        shrunk = np.sqrt(n_votes / np.maximum(consensus.n_votes, 1))
        doubt = np.asarray(ndtr(-ndtri(consensus.confidence) * shrunk))
    else:
        doubt = vote_doubt(consensus.confidence, n_votes)
    without = np.isin(consensus.outcome, [OUTCOMES.index("tie"), OUTCOMES.index("split")])
    doubt[without & np.isnan(consensus.confidence)] = 0.5
    return doubt


def _sentences(
    certified: float | None, epsilon: float, unproven: str | None, *, correlated: bool
) -> tuple[str, ...]:
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


def _guarantee(result: CertifiedThreshold, calibration: Calibration) -> str:
    policy = "a human tie or even split counts as disagreement"
    if calibration.n_tied:
        policy = (
            f"{policy} ({calibration.n_tied} of the {len(calibration.rows)} labelled responses)"
        )
    if calibration.n_undecided:
        policy = (
            f"{policy}; {calibration.n_undecided} labelled responses without a panel verdict are "
            "not counted"
        )
    return (
        f"with probability {1 - result.delta:g} over the draw of the {result.n_labels} labels, at "
        f"least {1 - result.alpha:g} {calibration.promised} agree with the human label "
        f"({result.errors} of {result.n} labelled ones did not, exact bound {result.bound:.3f}); "
        f"{policy}; assumes: {result.assumption}"
    )


def _no_guarantee(
    result: CertifiedThreshold,
    certified: float | None,
    epsilon: float,
    unproven: str | None,
    *,
    independent: bool,
) -> str:
    own = f"trust means that the panel's own doubt is below {epsilon:g}"
    if independent:
        own += ", taking the judges to err independently, which their scores cannot show"
    else:
        own += "; an error that all judges share would not show"
    if unproven is not None:
        more = "more human labels" if result.n_labels else "human labels"
        own = f"{unproven}: nothing is trusted without {more}"
    if certified is None:
        labels = (
            f"only {result.n_labels} usable human labels" if result.n_labels else "no human labels"
        )
        return f"{labels}, at least {result.labels_needed} are needed for a guarantee; {own}"
    if result.n_labels < result.labels_needed:
        return "the few human labels contradict the panel: nothing is trusted"
    return f"nothing is trusted: {result.reason}"


def _human_share(matrix: Matrix, threshold: float) -> Floats:
    side = human_sides(matrix, threshold)
    return larger_share(matrix.human_votes.response, side, matrix.n_responses)
