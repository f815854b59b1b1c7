"""Hold a model of labels against labels that people gave: as right as it thinks, or not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["LabelCheck", "check_labels"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class LabelCheck:
    """How often a model was right on items of known label, and how often it expected to be."""

    n: int
    """Items of known label."""
    right: float
    """Share on which the likeliest label is the known one."""
    expected: float
    """Mean probability of the likeliest label."""
    p_value: float
    """Probability of so few right ones if each were right with the mean probability."""


def check_labels(
    posterior: FloatArray, known: NDArray[np.integer[Any]], *, used: NDArray[np.bool_]
) -> LabelCheck | None:
    """Compare a posterior that has not seen the known labels with them.

    Parameters
    ----------
    posterior
        Probability of each label (items, labels).
    known
        Label of each item, -1 where unknown (items,).
    used
        Items with votes (items,).

    Returns
    -------
    LabelCheck
        `None` without an item that has both. The one-sided test is binomial with the mean of the
        probabilities, which is conservative for a sum of unequal ones (Hoeffding 1956).

    Examples
    --------
    Sure of .9 on each of 20 items, right on 12:

    >>> known = np.repeat([1, 0], [12, 8])
    >>> found = check_labels(np.tile([0.1, 0.9], (20, 1)), known, used=np.ones(20, bool))
    >>> found.right, round(found.expected, 3), round(found.p_value, 6)
    (0.6, 0.9, 0.000416)
    """
    from scipy.special import bdtr  # noqa: PLC0415  # scipy is imported late

    rows = np.flatnonzero((known >= 0) & used)
    if not rows.size:
        return None
    chances = posterior[rows]
    right = int(np.count_nonzero(chances.argmax(axis=1) == known[rows]))
    # Of these items alone: judges may be less sure of them than of others.
    expected = min(float(chances.max(axis=1).mean()), 1.0)
    p_value = float(bdtr(right, rows.size, min(expected, 1 - 1e-12)))
    return LabelCheck(int(rows.size), right / rows.size, expected, p_value)
