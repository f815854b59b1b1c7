"""The labelled responses of a criterion: where the panel's verdict meets the human's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from panopt.records.ask import Ask
from panopt.records.consensus import Consensus
from panopt.records.matrix import Matrix
from panopt.stats.certify import CertifiedThreshold, certify_threshold

__all__ = [
    "Calibration",
    "calibrate",
    "certify",
    "human_sides",
    "human_verdicts",
    "one_of_each_cluster",
    "plurality",
    "promised_of",
]

Floats = NDArray[np.float64]

#: Fewer unlabelled responses than this are no pool to choose thresholds from.
POOL = 50

#: What :func:`human_verdicts` gives besides verdicts.
UNLABELLED, TIED = -1, -2

#: The side of a pairwise label that names no winner, besides 0 fail and 1 pass.
NO_WINNER = 2


@dataclass(frozen=True, slots=True)
class Calibration:
    """Responses on which both the panel and the humans decided.

    Attributes
    ----------
    rows
        Codes of these responses, rising.
    confidence, agrees
        The panel's confidence in its verdict, and whether the humans' verdict is the same. Where
        the humans are tied it is not: leaving these out would promise an agreement with human
        labels that a panel does not have which decides what humans cannot.
    clusters
        Cluster of each of `rows`.
    pool
        Confidences of responses that no human labelled, of other clusters than `rows`.
    n_tied
        Of `rows`, how many the humans were evenly split on, or called a tie: disagreements.
    n_undecided
        Labelled responses left out: the panel had no verdict that could be trusted or not.
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

    @property
    def promised(self) -> str:
        """Of what a certificate bounds the risk: see :func:`promised_of`."""
        return promised_of(clustered=self.clustered)


def promised_of(*, clustered: bool) -> str:
    """Say of what a certificate bounds the risk: verdicts, or one verdict of a random cluster.

    One verdict of each labelled cluster is counted, so clusters weigh alike whatever their
    size; over the verdicts of a study, where large clusters weigh more, nothing is known.
    """
    if not clustered:
        return "of the trusted verdicts"
    return (
        "of trusted verdicts, each drawn at random from a random cluster (clusters weigh "
        "alike, whatever their size),"
    )


def calibrate(matrix: Matrix, consensus: Consensus, ask: Ask) -> Calibration:
    """Collect the responses that carry a human verdict and one of the panel."""
    human = human_verdicts(matrix, threshold=ask.threshold)
    decided = (consensus.verdict >= 0) & ~np.isnan(consensus.confidence)
    labelled = human != UNLABELLED
    rows = np.flatnonzero(labelled & decided)
    apart = ~np.isin(matrix.clusters, matrix.clusters[labelled])
    return Calibration(
        rows=rows,
        confidence=consensus.confidence[rows],
        agrees=human[rows] == consensus.verdict[rows],
        clusters=matrix.clusters[rows],
        pool=consensus.confidence[~labelled & decided & apart],
        n_tied=int(np.count_nonzero(human[rows] == TIED)),
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
    """Give the humans' verdict on each response: the side, or label, that most of them chose.

    1 pass, 0 fail, or a label's code; -1 where no human judged; -2 where they were evenly split
    or most of them called a tie.
    """
    votes = matrix.human_votes
    verdict = plurality(votes.response, human_sides(matrix, threshold), matrix.n_responses)
    if matrix.scale.kind == "pairwise":
        verdict[verdict == NO_WINNER] = TIED
    return verdict


def human_sides(matrix: Matrix, threshold: float) -> NDArray[np.int32]:
    """Give the side of each human judgment: 1 at or above the threshold, 0 below, or its label.

    A pairwise tie is a side of its own, 2; -1 where a judgment is none.
    """
    votes = matrix.human_votes
    if matrix.scale.kind == "nominal":
        return votes.label
    side = (votes.score >= threshold).astype(np.int32)
    if matrix.scale.kind == "pairwise":
        side[votes.score == 0.5] = NO_WINNER
    side[np.isnan(votes.score)] = UNLABELLED
    return side


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


def plurality(
    response: NDArray[np.integer], side: NDArray[np.int32], n_responses: int
) -> NDArray[np.int32]:
    """Give the side that most judgments of each response chose; -1 without any, -2 for a tie."""
    chosen, width = side >= 0, int(side.max(initial=0)) + 1
    key = response[chosen].astype(np.int64) * width + side[chosen]
    cells, counts = np.unique(key, return_counts=True)
    of, named = cells // width, (cells % width).astype(np.int32)
    most = np.zeros(n_responses, dtype=np.int64)
    np.maximum.at(most, of, counts)
    top = counts == most[of]
    winners = np.bincount(of[top], minlength=n_responses)
    verdict = np.full(n_responses, UNLABELLED, dtype=np.int32)
    verdict[of[top]] = named[top]
    verdict[winners > 1] = TIED
    return verdict
