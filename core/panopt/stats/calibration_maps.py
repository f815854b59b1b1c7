"""Maps from confidence to probability, fitted to labels: isotonic, Platt, Venn-Abers.

Isotonic regression by pooling adjacent violators (Zadrozny & Elkan 2002); Platt 1999, with his
smoothed targets, by the Newton method of Lin, Lin & Weng 2007; inductive and cross Venn-Abers
(Vovk, Petej & Fedorova 2015). Every fit costs O(distinct confidences) after one count.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panopt.stats.arrays import as_floats
from panopt.stats.scored import Scored

__all__ = [
    "CalibrationMap",
    "CrossVennAbers",
    "Isotonic",
    "Platt",
    "VennAbers",
    "fit_isotonic",
    "fit_platt",
    "fit_venn_abers",
]

Floats = NDArray[np.float64]

_STEPS = 100  # Newton steps at most; a handful is usual
_HALVINGS = 40


class CalibrationMap(Protocol):
    """What a fitted map does."""

    def predict(self, confidence: ArrayLike) -> Floats:
        """Give the probability that a verdict of each confidence is right; NaN stays NaN."""
        ...


@dataclass(frozen=True, slots=True)
class Isotonic:
    """A rising map, linear between the confidences it was fitted at, flat beyond them."""

    values: Floats
    """Distinct confidences of the labels, rising."""
    fitted: Floats
    """Probability at each."""

    def predict(self, confidence: ArrayLike) -> Floats:
        """Give the probability that a verdict of each confidence is right; NaN stays NaN."""
        x = as_floats("confidence", confidence)
        return np.asarray(np.interp(x, self.values, self.fitted), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Platt:
    """A logistic curve: probability 1 / (1 + exp(-(intercept + slope * confidence)))."""

    intercept: float
    """Log odds at confidence 0."""
    slope: float
    """Change of the log odds from confidence 0 to 1; below 0 where confidence misleads."""

    def predict(self, confidence: ArrayLike) -> Floats:
        """Give the probability that a verdict of each confidence is right; NaN stays NaN."""
        from scipy.special import expit  # noqa: PLC0415 - scipy is imported late

        x = as_floats("confidence", confidence)
        return np.asarray(expit(self.intercept + self.slope * x))


@dataclass(frozen=True, slots=True)
class VennAbers:
    """Two rising maps: the isotonic fits with the new verdict added as wrong, and as right."""

    values: Floats
    """Distinct confidences of the labels, rising (values,)."""
    p0: Floats
    """Probability if the new verdict were wrong: below the first value, then at each."""
    p1: Floats
    """Probability if it were right: at each value, then above the last."""

    def interval(self, confidence: ArrayLike) -> tuple[Floats, Floats]:
        """Give both probabilities of each confidence, p0 <= p1; NaN stays NaN."""
        x = as_floats("confidence", confidence)
        missing = np.isnan(x)
        p0 = self.p0[np.searchsorted(self.values, x, side="right") * ~missing]
        p1 = self.p1[np.searchsorted(self.values, x, side="left") * ~missing]
        return np.where(missing, np.nan, p0), np.where(missing, np.nan, p1)

    def predict(self, confidence: ArrayLike) -> Floats:
        """Merge both into one probability, p1 / (1 - p0 + p1), by least regret in log loss."""
        p0, p1 = self.interval(confidence)
        merged: Floats = p1 / (1.0 - p0 + p1)
        return merged


@dataclass(frozen=True, slots=True)
class CrossVennAbers:
    """Venn-Abers maps of several folds, merged by geometric means."""

    maps: tuple[VennAbers, ...]
    """One a fold, fitted to that fold's labels alone."""

    def interval(self, confidence: ArrayLike) -> tuple[Floats, Floats]:
        """Give the folds' mean p0 and mean p1 of each confidence; NaN stays NaN."""
        both = [fold.interval(confidence) for fold in self.maps]
        p0, p1 = (np.mean([pair[k] for pair in both], axis=0) for k in (0, 1))
        return p0, p1

    def predict(self, confidence: ArrayLike) -> Floats:
        """Merge all folds: G(p1) / (G(1 - p0) + G(p1)), G the geometric mean over folds."""
        both = [fold.interval(confidence) for fold in self.maps]
        with np.errstate(divide="ignore"):
            wrong = np.exp(np.mean([np.log1p(-p0) for p0, _ in both], axis=0))
            right = np.exp(np.mean([np.log(p1) for _, p1 in both], axis=0))
        merged: Floats = right / (wrong + right)
        return merged


def fit_isotonic(table: Scored) -> Isotonic:
    """Fit the rising map of least squared error.

    Examples
    --------
    >>> from panopt.stats.scored import scored
    >>> fit_isotonic(scored([0.5, 0.6, 0.7, 0.8], [0, 1, 0, 1])).fitted.tolist()
    [0.0, 0.5, 0.5, 1.0]
    """
    from scipy.optimize import isotonic_regression  # noqa: PLC0415 - scipy is imported late

    counts = table.counts
    found = isotonic_regression(table.right / counts, weights=counts)
    return Isotonic(table.values, np.clip(found.x, 0.0, 1.0))


def fit_platt(table: Scored) -> Platt:
    """Fit a logistic curve to smoothed targets, so that it exists even where labels are parted.

    Right verdicts count as ``(n1 + 1) / (n1 + 2)`` right, wrong ones as ``1 / (n0 + 2)``
    (Platt 1999): the posterior means of a uniform prior, which is all the regularisation there is.

    Examples
    --------
    >>> from panopt.stats.scored import scored
    >>> fitted = fit_platt(scored([0.5, 0.6, 0.7, 0.8], [0, 1, 0, 1]))
    >>> fitted.predict([0.5, 0.8]).round(4).tolist()
    [0.3504, 0.6496]
    """
    from scipy.special import expit  # noqa: PLC0415 - scipy is imported late

    counts = table.counts
    n_right, n_wrong = float(table.right.sum()), float(table.wrong.sum())
    hits = table.right * (n_right + 1.0) / (n_right + 2.0) + table.wrong / (n_wrong + 2.0)
    centre = float(counts @ table.values) / table.n
    spread = float(np.sqrt(counts @ (table.values - centre) ** 2 / table.n))
    rate = float(hits.sum()) / table.n
    start = float(np.log(rate / (1.0 - rate)))
    if spread <= 1e-12 * max(abs(centre), 1e-300):
        return Platt(start, 0.0)
    design = np.column_stack((np.ones_like(counts), (table.values - centre) / spread))

    def loss(beta: Floats) -> float:
        at = design @ beta
        return float(counts @ np.logaddexp(0.0, at) - hits @ at)

    beta = np.array([start, 0.0])
    for _ in range(_STEPS):
        p = expit(design @ beta)
        gradient = design.T @ (counts * p - hits)
        if float(np.abs(gradient).max()) <= 1e-11 * table.n:
            break
        curvature = design.T @ ((counts * np.maximum(p * (1.0 - p), 1e-12))[:, None] * design)
        step = np.linalg.solve(curvature, gradient)
        size, now = 1.0, loss(beta)
        for _ in range(_HALVINGS):
            if loss(beta - size * step) <= now:
                break
            size /= 2.0
        beta = beta - size * step
    slope = float(beta[1]) / spread
    return Platt(float(beta[0]) - slope * centre, slope)


def fit_venn_abers(table: Scored) -> VennAbers:
    """Fit the inductive Venn-Abers predictor (Vovk, Petej & Fedorova 2015, algorithms 1 to 4).

    Where labels and the new verdict are exchangeable, one of p0 and p1 is perfectly calibrated:
    that of the true outcome. The nearer they are, the more the labels tell.

    Examples
    --------
    >>> from panopt.stats.scored import scored
    >>> fitted = fit_venn_abers(scored([0.5, 0.6, 0.7, 0.8], [0, 1, 0, 1]))
    >>> p0, p1 = fitted.interval([0.65, 0.9])
    >>> p0.round(4).tolist(), p1.round(4).tolist(), fitted.predict([0.9]).round(4).tolist()
    ([0.3333, 0.5], [0.6667, 1.0], [0.6667])
    """
    counts = table.counts
    above = _added_right(table.right, counts)
    below = 1.0 - _added_right(table.wrong[::-1], counts[::-1])[::-1]
    return VennAbers(table.values, np.concatenate(([0.0], below)), np.concatenate((above, [1.0])))


def _added_right(right: Floats, counts: Floats) -> Floats:
    """Fit at each value in turn, with one right verdict of that value added.

    The fit is the slope of the greatest convex minorant of cumulated right verdicts over cumulated
    verdicts. The added one starts as the first segment and is moved past one value after the
    other; corners once reached stay, so that all fits together cost O(values).
    """
    xs = [-1.0, 0.0, *np.cumsum(counts).tolist()]
    ys = [-1.0, 0.0, *np.cumsum(right).tolist()]

    def rises(i: tuple[float, float], j: tuple[float, float], k: tuple[float, float]) -> bool:
        return (j[0] - i[0]) * (k[1] - i[1]) > (j[1] - i[1]) * (k[0] - i[0])

    corners: list[tuple[float, float]] = []
    for point in zip(xs, ys, strict=True):
        while len(corners) > 1 and not rises(corners[-2], corners[-1], point):
            corners.pop()
        corners.append(point)
    corners.reverse()
    fits = np.empty(counts.size)
    shifted = (-1.0, -1.0)
    for i in range(counts.size):
        (left, low), (right_end, high) = corners[-1], corners[-2]
        fits[i] = (high - low) / (right_end - left)
        shifted = (shifted[0] + xs[i + 2] - xs[i + 1], shifted[1] + ys[i + 2] - ys[i + 1])
        if (shifted[1] - low) * (right_end - left) >= (high - low) * (shifted[0] - left):
            continue
        corners.pop()
        while len(corners) > 1 and not rises(shifted, corners[-1], corners[-2]):
            corners.pop()
        corners.append(shifted)
    return fits
