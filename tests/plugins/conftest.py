"""A small judged criterion for the tests of hooks, aggregated by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from panopt.records.consensus import OUTCOMES, Consensus
from panopt.records.matrix import Matrix
from panopt.records.study import Study


class Judged(NamedTuple):
    """What the hooks of analyzers and deciders see of one criterion."""

    study: Study
    matrix: Matrix
    consensus: Consensus


Judge = Callable[..., Judged]


@pytest.fixture
def judged() -> Judge:
    """Build a criterion from votes (responses, judges), NaN where a judge failed."""
    return build


def build(
    votes: NDArray[np.float64],
    *,
    human: Sequence[float] | NDArray[np.float64] | None = None,
    item: Sequence[str] | None = None,
    system: Sequence[str] | None = None,
    epoch: Sequence[int] | None = None,
    scale: str = "binary",
    confidence: NDArray[np.float64] | None = None,
    consensus: dict[str, Any] | None = None,
) -> Judged:
    """Give study, matrix and the consensus by mean and vote share.

    `human` has one label a response, or one row a person, NaN where there is none; `consensus`
    replaces fields of the result.
    """
    n = len(votes)
    names = np.array(item if item is not None else [f"i{i:05d}" for i in range(n)])
    rows: dict[str, list[Any]] = {
        key: [] for key in ("item", "judge", "judge_kind", "score", "system", "epoch")
    }
    people = np.atleast_2d(np.empty((0, n)) if human is None else np.asarray(human, dtype=float))
    for kind, table in (("llm", votes.T), ("human", people)):
        for j, column in enumerate(table):
            keep = np.arange(n) if kind == "llm" else np.flatnonzero(~np.isnan(column))
            rows["item"] += names[keep].tolist()
            rows["judge"] += [f"{kind}{j}"] * len(keep)
            rows["judge_kind"] += [kind] * len(keep)
            rows["score"] += column[keep].tolist()
            rows["system"] += [system[i] if system else "s" for i in keep.tolist()]
            rows["epoch"] += [epoch[i] if epoch else 1 for i in keep.tolist()]
    study = Study.from_columns({**rows, "scale": scale})
    matrix = study.matrix("score")
    assert matrix.n_responses == n, "responses must be sorted by run, system, item and epoch"
    found = by_vote_share(matrix)
    if confidence is not None:
        found = replace(found, confidence=confidence, confidence_source="posterior probability")
    return Judged(study, matrix, replace(found, **(consensus or {})))


def by_vote_share(matrix: Matrix) -> Consensus:
    """Take the mean, the verdict at .5 and the share of judges on its side."""
    scores = matrix.scores()
    n_votes = np.count_nonzero(~np.isnan(scores), axis=1)
    voted = n_votes > 0
    value = np.full(len(scores), np.nan)
    value[voted] = np.nanmean(scores[voted], axis=1)
    verdict = np.where(voted, value >= 0.5, -1).astype(np.int32)
    same = np.count_nonzero(((scores >= 0.5) == verdict[:, None]) & ~np.isnan(scores), axis=1)
    share = np.divide(same, n_votes, out=np.full(len(scores), np.nan), where=voted)
    missing = np.full(len(scores), np.nan)
    return Consensus(
        criterion=matrix.criterion,
        method="mean",
        why="a test",
        value=value,
        sd=missing,
        estimate=value,
        blind_value=value,
        blind_sd=missing,
        confidence=share,
        confidence_source="vote share",
        verdict=verdict,
        outcome=np.where(voted, 0, OUTCOMES.index("all_failed")).astype(np.int8),
        n_votes=n_votes.astype(np.int32),
        disagreement=missing,
        spread=missing,
        agreement=share,
    )
