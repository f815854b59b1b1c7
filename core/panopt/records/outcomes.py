"""What became of each response, from how its judges fared."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from panopt.records.consensus import OUTCOMES
from panopt.records.judgment import STATUSES

__all__ = ["outcomes"]


def outcomes(
    status: NDArray[np.int8], n_votes: NDArray[np.int64], *, least: int
) -> NDArray[np.int8]:
    """Say what became of each response.

    Parameters
    ----------
    status
        Codes into :data:`panopt.records.judgment.STATUSES`, -1 = never asked, (responses, judges).
    n_votes
        Decisive votes (responses,).
    least
        Votes it takes to decide.

    Returns
    -------
    ndarray
        Codes into :data:`panopt.records.consensus.OUTCOMES` (responses,).

    Examples
    --------
    >>> found = outcomes(np.array([[0, 2], [2, 2]], dtype=np.int8), np.array([1, 0]), least=1)
    >>> [OUTCOMES[code] for code in found]
    ['decided', 'all_failed']
    """
    asked = np.count_nonzero(status >= 0, axis=1)
    abstained = np.count_nonzero(status == STATUSES.index("abstained"), axis=1)
    failed = np.count_nonzero(status == STATUSES.index("failed"), axis=1)
    choices = (
        (n_votes >= max(least, 1), "decided"),
        (n_votes > 0, "quorum_not_met"),
        (asked == 0, "no_votes"),
        (abstained == asked, "all_abstained"),
        (failed == asked, "all_failed"),
    )
    found = np.full(len(status), OUTCOMES.index("quorum_not_met"), dtype=np.int8)
    for where, name in reversed(choices):
        found[where] = OUTCOMES.index(name)
    return found
