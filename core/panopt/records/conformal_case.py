"""What conformal findings of one criterion share: their form, counts by class, and the check.

Every conformal promise rests on labelled and new responses being exchangeable; what the panel says
of both can refute that, without any label.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from panopt.findings import Finding
from panopt.records.ask import Ask
from panopt.records.calibration import one_of_each_cluster
from panopt.records.consensus import Consensus
from panopt.records.matrix import Matrix
from panopt.stats.conformal_exchange import exchangeability_test
from panopt.stats.conformal_split import SplitThreshold

__all__ = ["ConformalCase", "coverage_by_class", "exchange_check", "law"]

#: Below this p-value labelled responses are said to differ from the others.
_DIFFER = 0.01
#: Responses of either kind looked at, drawn at random, for that.
_MOST = 100_000


@dataclass(frozen=True, slots=True)
class ConformalCase:
    """A criterion, what is asked of it, and warnings that go with every promise."""

    matrix: Matrix
    consensus: Consensus
    ask: Ask
    warnings: tuple[str, ...]

    def row(
        self,
        name: str,
        value: float | None,
        *,
        n: int,
        method: str,
        headline: bool = False,
        **more: object,
    ) -> Finding:
        """Make a finding of this criterion; `more` are further fields of it."""
        given: dict[str, object] = {
            "plugin": "conformal",
            "name": name,
            "criterion": self.matrix.criterion,
            "value": value,
            "n": n,
            "method": method,
            "headline": headline,
            "warnings": self.warnings,
            **more,
        }
        return Finding.model_validate(given)


def coverage_by_class(  # noqa: PLR0913 - one table of counts
    case: ConformalCase,
    name: str,
    classes: Sequence[str],
    *,
    codes: NDArray[np.integer],
    held: NDArray[np.bool_],
    what: str,
) -> tuple[list[Finding], tuple[str, ...]]:
    """Count how many labelled responses of each class are covered.

    Parameters
    ----------
    case, name
        The criterion; name of the findings.
    classes
        What humans do with a response of each class, as in ``humans fail``.
    codes, held
        Class of each labelled response, and whether it is covered by a bound made without it.
    what
        What is counted, in words.

    Returns
    -------
    tuple
        A finding a class that occurs, and a warning for each that is covered too seldom (exact
        binomial, all classes tested together).
    """
    from panopt.stats.binomial import clopper_pearson  # noqa: PLC0415 - a fast start

    wanted, level = 1.0 - case.ask.alpha, case.ask.level
    rows, warnings = [], []
    for code, subject in enumerate(classes):
        inside = held[codes == code]
        n, hits = len(inside), int(inside.sum())
        if not n:
            continue
        low, high = (float(end) for end in clopper_pearson(hits, n, level=level))
        rows.append(
            case.row(
                name,
                hits / n,
                n=n,
                method=f"{what}, each judged by the other labels' bound; exact binomial interval",
                subject_kind="group",
                subject=subject,
                unit="share of labelled responses",
                low=low,
                high=high,
                level=level,
                assumptions=("labelled responses are a random sample",),
                details={"wanted": wanted},
                warnings=(),  # a count, not a promise
            )
        )
        together = 1.0 - (1.0 - level) / len(classes)
        if float(clopper_pearson(hits, n, level=together)[1]) < wanted:
            warnings.append(
                f"coverage {wanted:.0%} holds on average, but where {subject} only {hits / n:.0%} "
                f"of {n} labelled responses are covered"
            )
    return rows, tuple(warnings)


def exchange_check(
    matrix: Matrix, consensus: Consensus, ask: Ask, rng: np.random.Generator
) -> tuple[tuple[Finding, ...], tuple[str, ...]]:
    """Test whether labelled responses look like the others to the panel, one of each cluster.

    Returns
    -------
    tuple
        Findings (none where all or no responses are labelled) and warnings (where they differ).
    """
    labelled = np.zeros(matrix.n_responses, dtype=np.bool_)
    votes = matrix.human_votes
    labelled[votes.response[~np.isnan(votes.score) | (votes.label >= 0)]] = True
    if not labelled.any() or labelled.all():
        return (), ()
    apart = np.ones(int(matrix.clusters.max()) + 1, dtype=np.bool_)
    apart[matrix.clusters[labelled]] = False
    numbers = [consensus.blind_value, consensus.spread]
    if np.isnan(consensus.blind_value).all():
        numbers = [consensus.confidence, consensus.agreement]
    table = np.column_stack(numbers)
    table = table[:, ~np.isnan(table).all(axis=0)]
    if not table.shape[1]:
        return (), ()
    new = np.flatnonzero(apart[matrix.clusters] & ~np.isnan(table[:, 0]))
    old = np.flatnonzero(labelled & ~np.isnan(table[:, 0]))
    groups = []
    for rows in (old, new):
        some = np.sort(rng.choice(rows, _MOST, replace=False)) if len(rows) > _MOST else rows
        groups.append(table[one_of_each_cluster(some, matrix.clusters, seed=ask.seed)[0]])
    found = exchangeability_test(groups[0], groups[1], rng=rng)
    where = ("scores", "spread")[found.feature] if numbers[0] is consensus.blind_value else "votes"
    warnings: tuple[str, ...] = ()
    if found.p_value is not None and found.p_value < _DIFFER:
        said = (
            f"labelled responses differ from the others in the panel's {where} "
            f"(p = {found.p_value:.3f}): what is promised holds for responses like the labelled "
            "ones; label a random sample"
        )
        warnings = (said,)
    row = Finding(
        plugin="conformal",
        name="conformal_exchangeable_p",
        criterion=matrix.criterion,
        value=found.p_value,
        unit="p-value",
        n=found.n_labelled,
        method="could labelled responses be a random sample of all: " + found.method,
        assumptions=("clusters are independent, one response of each was taken",),
        warnings=warnings,
        reason=found.reason,
        no_interval=None if found.reason else "a p-value has none",
        details={"n_new": found.n_new, "shift_in_sd": found.shift},
        headline=False,
    )
    return (row,), warnings


def law(bound: SplitThreshold) -> dict[str, float | int]:
    """Give the law of the realised coverage, as details of a finding."""
    return {
        "k": bound.k,
        "n": bound.n,
        "alpha": bound.alpha,
        "coverage_low": bound.coverage_low,
        "coverage_high": bound.coverage_high,
        "labels_needed": bound.labels_needed,
    }
