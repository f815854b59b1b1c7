"""The labelled responses of a criterion: where the panel's verdict meets the human's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from panopt.records.ask import Ask
from panopt.records.consensus import Consensus
from panopt.records.matrix import Matrix
from panopt.stats.certify import CertifiedThreshold, certify_threshold

__all__ = ["Calibration", "calibrate", "certify", "human_verdicts", "one_of_each_cluster"]

Floats = NDArray[np.float64]

#: Fewer unlabelled responses than this are no pool to choose thresholds from.
POOL = 50

#: What :func:`human_verdicts` gives besides verdicts.
UNLABELLED, TIED = -1, -2


@dataclass(frozen=True, slots=True)
class Calibration:
    """Responses on which both the panel and the humans decided.

    Attributes
    ----------
    rows
        Codes of these responses, rising.
    confidence, agrees
        The panel's confidence in its verdict, and whether the humans' verdict is the same.
    clusters
        Cluster of each of `rows`.
    pool
        Confidences of responses that no human labelled, of other clusters than `rows`.
    n_tied, n_undecided
        Labelled responses left out: the humans were evenly split; the panel had no verdict.
    """

    rows: NDArray[np.int64]
    confidence: Floats
    agrees: NDArray[np.bool_]
    clusters: NDArray[np.int32]
    pool: Floats
    n_tied: int
    n_undecided: int

    @property
    def clustered(self) -> bool:
        """Whether some cluster was labelled more than once."""
        return len(np.unique(self.clusters)) < len(self.clusters)


def calibrate(matrix: Matrix, consensus: Consensus, ask: Ask) -> Calibration:
    """Collect the responses that carry a human verdict and one of the panel."""
    human = human_verdicts(matrix, threshold=ask.threshold)
    decided = (consensus.verdict >= 0) & ~np.isnan(consensus.confidence)
    labelled = human >= 0
    rows = np.flatnonzero(labelled & decided)
    apart = ~np.isin(matrix.clusters, matrix.clusters[human != UNLABELLED])
    return Calibration(
        rows=rows,
        confidence=consensus.confidence[rows],
        agrees=human[rows] == consensus.verdict[rows],
        clusters=matrix.clusters[rows],
        pool=consensus.confidence[(human == UNLABELLED) & decided & apart],
        n_tied=int(np.count_nonzero(human == TIED)),
        n_undecided=int(np.count_nonzero(labelled & ~decided)),
    )


def certify(calibration: Calibration, ask: Ask) -> CertifiedThreshold:
    """Certify a confidence threshold at the alpha and delta that were asked for.

    The answer depends on the calibration and `ask` alone, so that every plugin gets the same.
    """
    return certify_threshold(
        calibration.confidence,
        calibration.agrees,
        alpha=ask.alpha,
        delta=ask.delta,
        pool=calibration.pool if len(calibration.pool) >= POOL else None,
        clusters=calibration.clusters if calibration.clustered else None,
        rng=np.random.default_rng(ask.seed),
    )


def human_verdicts(matrix: Matrix, *, threshold: float) -> NDArray[np.int32]:
    """Give the humans' verdict on each response: 1 pass, 0 fail, or the label they chose most.

    -1 where no human judged; -2 where they were evenly split: between two labels, or between
    pass and fail on a binary or pairwise scale (a single pairwise "tie" is a split too).
    """
    if matrix.scale.kind == "nominal":
        return _plurality(matrix)
    mean = matrix.human_mean
    verdict = np.where(mean >= threshold, 1, 0).astype(np.int32)
    if matrix.scale.kind in {"binary", "pairwise"}:
        verdict[mean == threshold] = TIED
    verdict[np.isnan(mean)] = UNLABELLED
    return verdict


def one_of_each_cluster(
    rows: NDArray[np.int64], clusters: NDArray[np.integer], *, seed: int
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Keep one of `rows` a cluster, drawn blindly, and say so where that left some out."""
    shuffled = np.random.default_rng(seed).permutation(rows)
    first = np.unique(clusters[shuffled], return_index=True)[1]
    if len(first) == len(rows):
        return rows, ()
    note = (
        f"clusters are independent: of {len(rows)} labelled responses, one of each of "
        f"{len(first)} clusters was counted"
    )
    return np.sort(shuffled[first]), (note,)


def _plurality(matrix: Matrix) -> NDArray[np.int32]:
    votes, width = matrix.human_votes, max(len(matrix.labels), 1)
    chosen = votes.label >= 0
    key = votes.response[chosen].astype(np.int64) * width + votes.label[chosen]
    cells, counts = np.unique(key, return_counts=True)
    response, label = cells // width, (cells % width).astype(np.int32)
    most = np.zeros(matrix.n_responses, dtype=np.int64)
    np.maximum.at(most, response, counts)
    top = counts == most[response]
    winners = np.bincount(response[top], minlength=matrix.n_responses)
    verdict = np.full(matrix.n_responses, UNLABELLED, dtype=np.int32)
    verdict[response[top]] = label[top]
    verdict[winners > 1] = TIED
    return verdict
