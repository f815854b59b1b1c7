"""What to do with each response: trust the verdict, escalate it, call it ambiguous, ask a human.

*Trust*: the verdict's confidence reaches the threshold that human labels certified; or, without
labels, the judges agree beyond chance, form no camps that one truth does not explain, and the panel
leaves less than epsilon on the other side of the pass mark, votes whose errors are correlated
counting for fewer (and then nothing is guaranteed; where a certificate of another criterion was
given, nothing is trusted without labels). Under a certificate of a cascade its judges decide in
turn (:mod:`panopt.records.cascade_decisions`). *Human*: no judge decided. What is left is
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

import numpy as np
from numpy.typing import NDArray

from panopt.records.ask import Ask
from panopt.records.calibration import Calibration, calibrate, certify, human_sides
from panopt.records.cascade_decisions import cascade_decisions
from panopt.records.consensus import Consensus
from panopt.records.decisions import Decisions
from panopt.records.interdependence import interdependence
from panopt.records.matrix import Matrix
from panopt.records.standing import certificate_of, standing_of
from panopt.records.triage import REASONS, Triage, panel_doubt, sentences, triage
from panopt.records.unproven import sides_by_model, unproven_sides
from panopt.spec import hookimpl
from panopt.stats.binomial import clopper_pearson
from panopt.stats.certify import CertifiedThreshold
from panopt.stats.doubt import independent_votes, settling_chance, vote_doubt
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
    standing = None if given is None else standing_of(given, matrix, consensus, ask)
    if standing is not None and standing.walk is not None:
        return cascade_decisions(matrix.criterion, standing, standing.walk)
    calibration = calibrate(matrix, consensus, ask)
    result = certify(calibration, ask)
    together = interdependence(matrix, ask, rng)
    confidence = consensus.confidence
    models = sides_by_model(matrix, ask)
    n_votes = independent_votes(consensus.n_votes, together.shared)
    if models is not None and together.found.basis != "truth":  # errors of one model are one error
        n_votes = np.minimum(n_votes, np.count_nonzero(~np.isnan(models), axis=1))
    doubt = panel_doubt(consensus, n_votes)
    epsilon = min(ask.alpha if given is None else given.alpha, 0.49)
    certified = _certified(calibration, result, doubt, epsilon)
    unproven = None if certified is not None else unproven_sides(matrix, ask, together, models)
    if certified is None and given is None and ask.certificate is not None:
        unproven = "the certificate is for another criterion"  # who gave it wants trust with proof
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
        reasons=sentences(
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
