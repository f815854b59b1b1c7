"""What speaks against the human labels of a criterion: words that are no score, one side only."""

from __future__ import annotations

import numpy as np

from panopt.records.calibration import TIED, human_verdicts
from panopt.records.matrix import Matrix

__all__ = ["one_sided", "unread"]

#: Words of labels that are quoted, and how many letters of each.
QUOTED, LETTERS = 3, 40


def unread(matrix: Matrix) -> str | None:
    """Tell of human labels that are words where the criterion takes scores; None: all are read."""
    votes = matrix.human_votes
    lost = np.isnan(votes.score) & (votes.label >= 0)
    if matrix.scale.kind == "nominal" or not lost.any():
        return None
    words = [matrix.labels[code][:LETTERS] for code in np.unique(votes.label[lost]).tolist()]
    quoted = ", ".join(map(repr, words[:QUOTED])) + (", ..." if len(words) > QUOTED else "")
    return (
        f"{int(lost.sum())} human labels of {matrix.criterion!r} are words that are no score on "
        f"{matrix.scale} ({quoted}): they are not counted; write scores"
    )


def one_sided(matrix: Matrix, *, threshold: float) -> str | None:
    """Tell of labels that all give one verdict; None where there are several verdicts, or none.

    A bound on the risk holds all the same, for responses drawn as the labelled ones were. But a
    judge that passes everything would have it, too: that these judges notice the other verdict
    was never seen.
    """
    human = human_verdicts(matrix, threshold=threshold)
    decided = human[(human >= 0) | (human == TIED)]
    if not len(decided) or (decided != decided[0]).any() or decided[0] == TIED:
        return None
    if matrix.scale.kind == "nominal":
        verdict = f"are {matrix.labels[int(decided[0])][:LETTERS]!r}"
    else:
        verdict = "pass" if decided[0] else "fail"
    return (
        f"all {len(decided)} labelled responses {verdict}: whether the judges notice any other "
        "verdict was never seen, and the promise rests on responses to come being alike"
    )
