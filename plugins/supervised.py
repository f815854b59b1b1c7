"""Combine judges' votes by how well each met human labels, where there are enough of them.

Fifty labelled responses tell a good judge from a camp that errs together, which no model of the
votes alone can. Votes are weighed by logistic regression, its prior averaged over by
cross-validated log score (`panopt.stats.supervised`; Yao et al. 2018, section 3.4).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from panopt.findings import Finding, Findings, finite
from panopt.records.consensus import Consensus
from panopt.records.supervision import electorate, supervise
from panopt.spec import hookimpl
from panopt.stats.supervised import SupervisedVotes, paired_sign_test, supervised_votes

if TYPE_CHECKING:
    from panopt.records.ask import Ask
    from panopt.records.matrix import Matrix

__all__ = ["SupervisedVotes", "paired_sign_test", "supervised_votes"]

_RANDOM = "labelled responses are a random sample of all"
_BLIND = (
    "verdict and confidence are the majority's and its share of votes, which no label entered, so "
    "that guarantees calibrated on them hold"
)
_ASSUMPTIONS = (
    _RANDOM,
    "value and estimate are the probability of the human label, out of fold where there is one",
    _BLIND,
)
_UNIT = "share of labelled responses"
_MOST_JUDGES = 40


@hookimpl
def panopt_methods() -> tuple[str, ...]:
    """Name the method."""
    return ("supervised",)


@hookimpl
def panopt_aggregate(matrix: Matrix, why: str, ask: Ask) -> Consensus | None:
    """Aggregate one criterion of votes by weights learned from its human labels."""
    found = electorate(matrix, threshold=ask.threshold, least=ask.min_successful)
    result = supervise(matrix, found, seed=ask.seed, level=ask.level)
    closed = found.n_votes < ask.min_successful
    shares = np.where(closed[:, None], np.nan, result.probabilities)
    scored = found.n_labels is None
    blank = np.full(len(found.value), np.nan)
    value = shares[:, 1] if scored else blank
    verdict = found.verdict.copy()
    if matrix.scale.kind == "binary":  # an even split stands at the mean of its votes, as ever
        even = (verdict < 0) & ~np.isnan(found.value)
        verdict[even] = found.value[even] >= ask.threshold
    given = ~np.isnan(found.votes)
    votes = np.where(given, found.votes, 0.0)
    n = np.maximum(found.n_votes, 1)
    mean = votes.sum(axis=1) / n
    spread = np.sqrt(np.maximum(np.square(votes).sum(axis=1) / n - mean**2, 0.0))
    some = found.n_votes > 0
    top = np.where(given, found.votes, -np.inf).max(axis=1)
    bottom = np.where(given, found.votes, np.inf).min(axis=1)
    numeric = some & scored
    reach = np.where(numeric, top - np.where(numeric, bottom, 0.0), np.nan)
    return Consensus(
        criterion=matrix.criterion,
        method="supervised",
        why=why,
        value=value,
        sd=np.sqrt(value * (1.0 - value)),
        estimate=value,
        blind_value=found.value,
        blind_sd=blank,
        confidence=np.where(verdict >= 0, found.share, np.nan),
        confidence_source="vote share",
        verdict=verdict,
        outcome=found.outcome,
        n_votes=found.n_votes,
        disagreement=reach,
        spread=np.where(numeric, spread, np.nan),
        agreement=np.where(some, found.share, np.nan),
        anchor="humans",
        assumptions=_ASSUMPTIONS,
        warnings=_warnings(result, 1.0 - ask.level),
        probabilities=shares,
        levels=(0.0, 1.0) if scored else matrix.labels,
    )


def _warnings(result: SupervisedVotes, alpha: float) -> tuple[str, ...]:
    """Warn where the majority, whose verdicts stand, is shown to be the worse guide."""
    if result.p_value is None or result.rival is None or result.p_value >= alpha:
        return ()
    if result.accuracy <= result.rival:
        advice = "prefer --aggregate majority"
    else:
        advice = "go by value, not by the verdicts, which are the majority's"
    shares = f"{result.rival:.0%} of {result.n} human labels, weighed votes {result.accuracy:.0%}"
    return (f"the majority meets {shares}: {advice}",)


@hookimpl
def panopt_analyze(matrix: Matrix, consensus: Consensus, ask: Ask) -> Findings | None:
    """Say how often weighed votes, majority and each judge agree with the human labels."""
    if consensus.method != "supervised":
        return None
    found = electorate(matrix, threshold=ask.threshold, least=ask.min_successful)
    result = supervise(matrix, found, seed=ask.seed, level=ask.level)
    rows = [
        Finding(
            plugin="supervised",
            name="supervised_agreement",
            criterion=matrix.criterion,
            value=result.accuracy,
            unit=_UNIT,
            low=result.low,
            high=result.high,
            level=ask.level if result.low is not None else None,
            n=result.n,
            method="share of human labels met by votes weighed without that label (five folds)",
            assumptions=(_RANDOM,),
            no_interval=result.no_interval,
            details={
                "majority": result.rival,
                "p_value_against_majority": result.p_value,
                "n_clusters": result.n_clusters,
            },
        )
    ]
    order = np.argsort(-np.nan_to_num(result.judge_accuracy, nan=-1.0), kind="stable")
    rows += [
        Finding(
            plugin="supervised",
            name="judge_agreement",
            criterion=matrix.criterion,
            subject_kind="judge",
            subject=matrix.judges[judge],
            value=finite(result.judge_accuracy[judge]),
            unit=_UNIT,
            n=int(result.judge_n[judge]),
            method="share of human labels met; a tie counts half",
            no_interval="beside the panel's, for comparison; the best of many is flattered",
            reason="no vote on a labelled response" if not result.judge_n[judge] else None,
            details={"weight": float(result.weight[judge])},
            headline=False,
        )
        for judge in order[:_MOST_JUDGES].tolist()
    ]
    return Findings(tuple(rows))
