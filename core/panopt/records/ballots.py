"""One vote of each judge on each response: repeats reduced as the judge's scale asks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from panopt.records.judgment import STATUSES
from panopt.records.matrix import Matrix
from panopt.stats.votes import reduce_repeats

__all__ = ["ballots"]


def ballots(matrix: Matrix) -> tuple[NDArray[np.float64], NDArray[np.int8]]:
    """Give one vote per response and judge, and how the judge fared.

    Returns
    -------
    tuple
        Votes (responses, judges), NaN where there is none: label codes for nominal criteria;
        for binary and pairwise judges the commonest of their repeats; for others the mean.
        Statuses of the same shape as in :meth:`Matrix.status`; a judge whose repeats tie has
        abstained.
    """
    votes, status = matrix.scores(), matrix.status()
    if matrix.scale.kind == "nominal":
        votes = reduce_repeats(_label_cube(matrix), how="plurality")
    elif int(matrix.votes.repeat.max(initial=0)):
        discrete = [scale.kind in ("binary", "pairwise") for scale in matrix.judge_scales]
        if any(discrete):
            votes[:, discrete] = reduce_repeats(matrix.cube()[:, discrete], how="plurality")
    status[(status == STATUSES.index("ok")) & np.isnan(votes)] = STATUSES.index("abstained")
    return votes, status


def _label_cube(matrix: Matrix) -> NDArray[np.float64]:
    votes = matrix.votes
    depth = int(votes.repeat.max(initial=0)) + 1
    grid = np.full((matrix.n_responses, matrix.n_judges, depth), np.nan)
    given = votes.label >= 0
    grid[votes.response[given], votes.judge[given], votes.repeat[given]] = votes.label[given]
    return grid
