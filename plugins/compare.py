"""Whether one system scores better than another on the same items, and by how much.

Paired mean difference with a t or bootstrap interval over clusters of items
(:func:`paired_difference`), the sign-flip test, exact wherever differences are discrete
(:func:`permutation_test`), McNemar's test for pass and fail (:func:`mcnemar`), the share of items
won (:func:`win_rate`), ranks of several systems that hold at once (:func:`rank_intervals`),
correlation with a reference order (:func:`rank_correlation`; of systems by their items,
:func:`ranking_agreement`), and what many tests cost (:func:`holm`, :func:`benjamini_hochberg`).
Sources are in the modules they come from.

Systems that share items are compared pair by pair, epochs of an item averaged; clusters are the
named ones, else the items.
"""

from __future__ import annotations

from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from panopt.findings import Finding, Findings, finite
from panopt.records.ask import Ask
from panopt.records.consensus import Consensus
from panopt.records.matrix import Matrix
from panopt.spec import hookimpl
from panopt.stats.mcnemar import McNemar, mcnemar
from panopt.stats.multiple import benjamini_hochberg, holm
from panopt.stats.paired import PairedDifference, paired_difference
from panopt.stats.paired_wins import win_rate
from panopt.stats.rank_correlation import RankCorrelation, rank_correlation
from panopt.stats.ranking_agreement import RankingAgreement, ranking_agreement
from panopt.stats.ranks import RankIntervals, rank_intervals
from panopt.stats.signflip import PermutationTest, permutation_test

__all__ = [
    "McNemar",
    "PairedDifference",
    "PermutationTest",
    "RankCorrelation",
    "RankIntervals",
    "RankingAgreement",
    "benjamini_hochberg",
    "holm",
    "mcnemar",
    "paired_difference",
    "permutation_test",
    "rank_correlation",
    "rank_intervals",
    "ranking_agreement",
    "win_rate",
]

Floats = NDArray[np.float64]

_MOST_COMPARED = 4_000_000  # items times pairs that are compared: about two seconds
_MOST_SYSTEMS = 12

_DRAWN = "clusters of items are independent draws; the interval holds their sampling"
_NOT_HELD = "an error that all scores of one system share, such as a judge's liking, is not held"
_HOLDS = (f"{_DRAWN} and every error that is independent between them", _NOT_HELD)


class Table(NamedTuple):
    """Mean score of each system on each item, NaN where it has none, and the items' clusters."""

    systems: tuple[str, ...]
    scores: Floats  # (items, systems)
    clusters: NDArray[np.int64]  # (items,)


@hookimpl
def panopt_analyze(
    matrix: Matrix, consensus: Consensus, ask: Ask, rng: np.random.Generator
) -> Findings | None:
    """Compare the systems of one criterion on the items they share, and rank them."""
    if matrix.scale.kind == "nominal":
        return None
    table = by_item(matrix, consensus.estimate)
    if len(table.systems) < 2:
        return None
    pairs = list(combinations(range(len(table.systems)), 2))
    notes: tuple[str, ...] = ()
    if len(table.systems) > _MOST_SYSTEMS or len(pairs) * len(table.scores) > _MOST_COMPARED:
        best = int(np.argmax(np.nan_to_num(np.nanmean(table.scores, axis=0), nan=-np.inf)))
        pairs = [(min(best, j), max(best, j)) for j in range(len(table.systems)) if j != best]
        notes = (f"{len(table.systems)} systems are compared with the best one alone",)
        notes = notes if len(pairs) > 1 else ()
    rows = _differences(matrix, ask, table, pairs)
    return Findings((*rows, *_ranks(matrix, ask, table, rng)), notes=notes)


def by_item(matrix: Matrix, estimate: Floats) -> Table:
    """Average the panel's values of each system on each item over epochs and runs."""
    kept = (matrix.systems >= 0) & ~np.isnan(estimate)
    codes, system = np.unique(matrix.systems[kept], return_inverse=True)
    item, cell = np.unique(matrix.items[kept], return_inverse=True)
    place = cell * len(codes) + system
    size = np.bincount(place, minlength=len(item) * len(codes))
    total = np.bincount(place, estimate[kept], minlength=size.size)
    scores = np.full(size.size, np.nan)
    np.divide(total, size, out=scores, where=size > 0)
    clusters = np.zeros(len(item), dtype=np.int64)
    clusters[cell] = matrix.clusters[kept]
    names = tuple(matrix.names["system"][code] for code in codes.tolist())
    return Table(names, scores.reshape(len(item), len(codes)), clusters)


def _differences(
    matrix: Matrix, ask: Ask, table: Table, pairs: list[tuple[int, int]]
) -> list[Finding]:
    alpha, made = 1.0 - ask.level, []
    for i, j in pairs:
        a, b, clusters = table.scores[:, i], table.scores[:, j], table.clusters
        made.append(
            (
                paired_difference(a, b, clusters=clusters, alpha=alpha),
                permutation_test(a, b, clusters=clusters),
                win_rate(a, b, clusters=clusters, alpha=alpha),
            )
        )
    p = np.array([np.nan if test.p is None else test.p for _, test, _ in made])
    family, share = holm(p), benjamini_hochberg(p)
    return [
        Finding(
            plugin="compare",
            name="difference",
            criterion=matrix.criterion,
            subject_kind="system",
            subject=f"{table.systems[i]} ~ {table.systems[j]}",
            value=found.value,
            low=found.low,
            high=found.high,
            level=ask.level if found.low is not None else None,
            n=found.n,
            method=f"mean of paired differences, first less second; {found.method}",
            assumptions=_HOLDS,
            warnings=found.notes,
            reason=None if found.value is not None else "the two systems have no item in common",
            no_interval=found.reason if found.value is not None else None,
            details={
                "se": found.se,
                "n_clusters": found.n_clusters,
                "n_only_one": found.n_missing,
                "p": test.p,
                "p_exact": test.exact,
                "p_method": test.method,
                "p_holm": finite(family[k]),
                "p_benjamini_hochberg": finite(share[k]),
                "win_rate": wins.value,
                "win_rate_low": wins.low,
                "win_rate_high": wins.high,
            },
            headline=len(table.systems) == 2,
        )
        for k, ((i, j), (found, test, wins)) in enumerate(zip(pairs, made, strict=True))
    ]


def _ranks(matrix: Matrix, ask: Ask, table: Table, rng: np.random.Generator) -> list[Finding]:
    found = rank_intervals(
        table.scores, clusters=table.clusters, alpha=1.0 - ask.level, n_boot=1999, rng=rng
    )
    rows = []
    for k, name in enumerate(table.systems):
        value = None if found.value is None else float(found.value[k])
        ends = found.low is not None and found.high is not None
        rows.append(
            Finding(
                plugin="compare",
                name="rank",
                criterion=matrix.criterion,
                subject_kind="system",
                subject=name,
                value=value,
                unit=f"rank among {len(table.systems)}, 1 the best",
                low=float(found.low[k]) if found.low is not None else None,
                high=float(found.high[k]) if found.high is not None else None,
                level=ask.level if ends else None,
                n=found.n,
                method="rank by mean on common items; holds for all systems at once, largest t",
                assumptions=_HOLDS,
                reason=found.reason if value is None else None,
                no_interval=found.reason if value is not None else None,
                details={"n_clusters": found.n_clusters, "n_left_out": found.n_missing},
                headline=False,
            )
        )
    return rows
