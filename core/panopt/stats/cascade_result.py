"""A certified cascade: who decides what, and what the certificate rests on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panopt.stats.arrays import as_floats
from panopt.stats.cascade_path import deciding_judge

__all__ = ["CascadeMethod", "CertifiedCascade"]

CascadeMethod = Literal["joint_path", "per_stage"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class CertifiedCascade:
    """Thresholds at which the judges of a cascade may decide, and what that rests on.

    Attributes
    ----------
    thresholds
        One a judge, shape (judges,): judge m decides an item that no judge before it decided
        when its confidence is at or above; infinity where it never decides.
    n, errors
        Accepted labels that the certificate was tested on; disagreements among them.
    bound, level
        Exact upper bound on the risk of the cascade at that level (per stage: the largest of the
        stages' bounds, which holds for the whole); 1 where nothing is accepted.
    coverage
        Share of all labelled items that the cascade accepts.
    composition
        Share of the accepted items that each judge decides, shape (judges,): sums to 1, or all
        0 where nothing is accepted.
    expected_cost
        Mean cost of an item: that of every judge asked until one decides; judges that never
        decide are not asked. In calls where no costs were given.
    feasible
        Whether anything was certified.
    labels_needed
        Fewest accepted labels that could certify, all of them without an error.
    n_labels, n_learned, n_tested
        Independent labels in all; those the path was learned on; threshold vectors tested.
    alpha, delta, method
        The risk tolerated, the failure probability, the procedure.
    assumption
        What the guarantee rests on, and where it is not exact.
    reason
        Why nothing is certified; None where something is.
    """

    thresholds: Floats
    n: int
    errors: int
    bound: float
    level: float
    coverage: float
    composition: Floats
    expected_cost: float
    feasible: bool
    labels_needed: int
    n_labels: int
    n_learned: int
    n_tested: int
    alpha: float
    delta: float
    method: CascadeMethod
    assumption: str
    reason: str | None

    def decide(self, confidence: ArrayLike) -> NDArray[np.intp] | int:
        """Tell which judge decides each item.

        Parameters
        ----------
        confidence
            Of each judge, shape (items, judges), or (judges,) for one item; NaN where a judge
            gave no answer: it passes the item on.

        Returns
        -------
        ndarray of int or int
            Index of the deciding judge, shape (items,); -1 where all abstain.

        Raises
        ------
        ValueError
            Where the last axis is not that of the judges.
        """
        c = as_floats("confidence", confidence)
        judges = len(self.thresholds)
        if c.ndim not in (1, 2) or c.shape[-1] != judges:
            raise ValueError(
                f"confidence has shape {c.shape}; it must be (items, {judges}) or ({judges},), one "
                "column a judge"
            )
        stage = deciding_judge(np.atleast_2d(c), self.thresholds)
        return int(stage[0]) if c.ndim == 1 else stage
