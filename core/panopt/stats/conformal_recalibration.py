"""Predict the human score from all judges: learned from labels, shrunk to a line in their mean.

Judges are biased and use their scale differently; a line through human labels mends that with
few labels. Each judge's deviation from the panel's mean gets a weight of its own, shrunk by ridge
regression, whose strength is chosen by exact leave-one-out errors (Golub, Heath & Wahba 1979).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panopt.stats.arrays import as_floats

__all__ = ["RecalibratedPanel", "panel_moments", "recalibrated_panel"]

Floats = NDArray[np.float64]

#: Ridge penalties tried, in units of the mean variance of the deviations times labels.
PENALTIES = 10.0 ** np.arange(-3.0, 3.5, 0.5)


@dataclass(frozen=True, slots=True)
class RecalibratedPanel:
    """A fitted predictor of the human score.

    Attributes
    ----------
    intercept, slope
        Line in the mean of the judges' scores.
    weight
        Weight of each judge's deviation from that mean (judges,).
    penalty
        Ridge penalty that leave-one-out errors chose; infinity: deviations do not count.
    loo_error
        Root mean squared leave-one-out error on the labels.
    n
        Labels learned from.
    """

    intercept: float
    slope: float
    weight: Floats
    penalty: float
    loo_error: float
    n: int

    def predict(self, scores: ArrayLike) -> Floats:
        """Predict the human score of each row (responses, judges); NaN where no judge scored."""
        x = _matrix(scores)
        if x.shape[1] != len(self.weight):
            raise ValueError(
                f"scores have {x.shape[1]} judges; the predictor knows {len(self.weight)}"
            )
        mean, deviation = _split(x)
        return np.asarray(self.intercept + self.slope * mean + deviation @ self.weight)


def recalibrated_panel(scores: ArrayLike, human: ArrayLike) -> RecalibratedPanel:
    """Learn to predict human scores from the judges'.

    Parameters
    ----------
    scores
        Matrix (labels, judges), NaN missing: a missing judge stands at the mean of the others.
    human
        Human score of each row (labels,).

    Returns
    -------
    RecalibratedPanel

    Raises
    ------
    ValueError
        For fewer than 3 rows, rows without any score, NaN labels, or shapes that differ.

    Examples
    --------
    Judges that spread over twice the humans' range, and too high:

    >>> rng = np.random.default_rng(0)
    >>> truth = rng.normal(size=300)
    >>> scores = 1.0 + 2.0 * truth[:, None] + rng.normal(0, 0.2, (300, 3))
    >>> found = recalibrated_panel(scores, truth)
    >>> round(found.slope, 2), round(found.intercept, 2)
    (0.5, -0.49)
    """
    x, y = _matrix(scores), as_floats("human", human)
    if y.shape != (len(x),):
        raise ValueError(f"human of shape {y.shape} must hold one score a row: {len(x)}")
    if len(x) < 3:
        raise ValueError(f"{len(x)} labels are too few to learn from: 3 are needed")
    if not np.isfinite(y).all():
        raise ValueError("human must be finite; leave responses without a label out")
    mean, deviation = _split(x)
    if np.isnan(mean).any():
        raise ValueError("scores have rows without any score; leave these responses out")
    flat = float(np.ptp(mean)) <= 1e-12 * max(1.0, float(np.abs(mean).max()))
    base = np.ones((len(y), 1)) if flat else np.column_stack([np.ones(len(y)), mean])
    q, r = np.linalg.qr(base)
    inside, rest = deviation - q @ (q.T @ deviation), y - q @ (q.T @ y)
    u, s, vt = np.linalg.svd(inside, full_matrices=False)
    leverage, turned = np.square(q).sum(axis=1), u.T @ rest
    scale = float(np.square(inside).sum()) / max(x.shape[1], 1)
    strengths = [np.inf] if scale <= 0.0 else [np.inf, *(PENALTIES * scale)]
    tried = []
    for penalty in strengths:
        gain = np.zeros_like(s) if np.isinf(penalty) else s**2 / (s**2 + penalty)
        left = 1.0 - leverage - np.square(u) @ gain
        error = (rest - u @ (gain * turned)) / np.maximum(left, 1e-9)
        tried.append(float(np.mean(np.square(error))))
    best = int(np.argmin(tried))
    penalty = strengths[best]
    weight = (
        np.zeros(x.shape[1])
        if np.isinf(penalty)
        else np.asarray(vt.T @ (s / (s**2 + penalty) * turned))
    )
    line = np.linalg.solve(r, q.T @ (y - deviation @ weight))
    return RecalibratedPanel(
        intercept=float(line[0]),
        slope=0.0 if flat else float(line[1]),
        weight=weight,
        penalty=float(penalty),
        loo_error=float(np.sqrt(tried[best])),
        n=len(y),
    )


def panel_moments(scores: ArrayLike) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """Give mean, population sd and number of each row's scores (responses, judges).

    Mean and sd are NaN without any score; the sd is also NaN with one.

    Examples
    --------
    >>> mean, sd, n = panel_moments([[0.0, 1.0], [0.5, np.nan]])
    >>> mean.tolist(), sd.tolist(), n.tolist()
    ([0.5, 0.5], [0.5, nan], [2, 1])
    """
    x = _matrix(scores)
    given = ~np.isnan(x)
    n = np.count_nonzero(given, axis=1)
    blank = np.full(len(x), np.nan)
    filled = np.where(given, x, 0.0)
    mean = np.divide(filled.sum(axis=1), n, out=blank.copy(), where=n > 0)
    apart = np.where(given, filled - np.where(n > 0, mean, 0.0)[:, None], 0.0)
    variance = np.divide(np.square(apart).sum(axis=1), n, out=blank.copy(), where=n > 1)
    return mean, np.sqrt(variance), n


def _split(x: Floats) -> tuple[Floats, Floats]:
    """Give each row's mean and its scores' deviations from it, 0 where missing."""
    given = ~np.isnan(x)
    n = np.count_nonzero(given, axis=1)
    total = np.where(given, x, 0.0).sum(axis=1)
    mean = np.divide(total, n, out=np.full(len(x), np.nan), where=n > 0)
    return mean, np.where(given, x - mean[:, None], 0.0)


def _matrix(scores: ArrayLike) -> Floats:
    x = as_floats("scores", scores)
    if x.ndim != 2:
        raise ValueError(f"scores must be a matrix (responses, judges), not {x.ndim}-dimensional")
    if np.isinf(x).any():
        raise ValueError("scores must be finite, NaN where missing")
    return x
