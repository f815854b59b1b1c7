"""Tell beforehand how far the human may be from the panel, so that intervals fit each response.

Panels err more in the middle of a scale than at its ends, and more where judges differ. A line
through absolute residuals, in the panel's value, its square and the spread of the judges, says how
much; residuals are then divided by it (Lei et al. 2018, section 5.2). It is learned from labels
that will not calibrate, so that coverage holds whether the line fits or not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panopt.stats.arrays import as_floats
from panopt.stats.conformal_split import one_row

__all__ = ["ExpectedError", "expected_error"]

Floats = NDArray[np.float64]

#: Pull of each slope towards 0, as a share of the labels: few labels tell slopes badly.
_PULL = 0.3
#: No expected error is below this share of the mean one: a panel that seems sure may err.
_FLOOR = 0.3
_LEAST = 3


@dataclass(frozen=True, slots=True)
class ExpectedError:
    """A learned line that gives the expected absolute residual.

    Attributes
    ----------
    intercept
        Mean absolute residual of the labels.
    slope
        Of the standardised value, its square, and the standardised spread (3,).
    middle, unit
        What the three are centred at, and divided by (3,); a unit of 0: never told, slope 0.
    n
        Labels learned from.
    """

    intercept: float
    slope: Floats
    middle: Floats
    unit: Floats
    n: int

    def predict(self, value: ArrayLike, spread: ArrayLike) -> Floats:
        """Give the expected absolute residual of each response, positive; NaN without a value.

        Parameters
        ----------
        value, spread
            What the interval is around, and the spread (responses,), as those learned from.
        """
        f, s = as_floats("value", value), as_floats("spread", spread)
        if f.ndim != 1 or f.shape != s.shape:
            raise ValueError(
                f"value {f.shape} and spread {s.shape} must have one entry a response each"
            )
        told = _standardised(_columns(f, s, self.middle[0], self.unit[0]), self.middle, self.unit)
        return np.maximum(self.intercept + told @ self.slope, _FLOOR * self.intercept)


def expected_error(residuals: ArrayLike, value: ArrayLike, spread: ArrayLike) -> ExpectedError:
    """Learn how large residuals are from the value an interval is around, and the spread.

    Parameters
    ----------
    residuals
        ``|human - value|`` of labels that will not calibrate, out of fold where `value` was
        learned from them (labels,).
    value
        What the interval is around (labels,).
    spread
        Spread of the panel (labels,), not NaN.

    Returns
    -------
    ExpectedError

    Raises
    ------
    ValueError
        For fewer than 3 labels, NaN, shapes that differ, or residuals that are all 0.

    Examples
    --------
    Errors that grow with the spread:

    >>> rng = np.random.default_rng(0)
    >>> spread = rng.uniform(1, 3, 2000)
    >>> error = np.abs(rng.normal(0, spread))
    >>> found = expected_error(error, rng.normal(size=2000), spread)
    >>> found.predict([0.0, 0.0], [1.0, 3.0]).round(1).tolist()
    [0.9, 2.3]
    """
    r, f = one_row("residuals", residuals), one_row("value", value)
    s = one_row("spread", spread)
    if not r.shape == f.shape == s.shape:
        raise ValueError(
            f"residuals, value and spread differ in length: {len(r)}, {len(f)} and {len(s)}"
        )
    if len(r) < _LEAST:
        raise ValueError(f"{len(r)} labels are too few to learn from: {_LEAST} are needed")
    if not (np.isfinite(r).all() and np.isfinite(f).all() and np.isfinite(s).all()):
        raise ValueError("residuals, value and spread must be finite")
    if not r.max() > 0.0 or r.min() < 0.0:
        raise ValueError("residuals must be distances, not all of them 0")
    columns = _columns(f, s, float(f.mean()), _scale(f))
    middle = columns.mean(axis=0)
    unit = np.array([_scale(column) for column in columns.T])
    told = _standardised(columns, middle, unit)
    pulled = told.T @ told + _PULL * len(r) * np.eye(3)
    return ExpectedError(
        intercept=float(r.mean()),
        slope=np.linalg.solve(pulled, told.T @ (r - r.mean())),
        middle=middle,
        unit=unit,
        n=len(r),
    )


def _columns(f: Floats, s: Floats, middle: float, unit: float) -> Floats:
    """Give value, squared distance from its middle, and spread (rows, 3)."""
    away = (f - middle) / unit if unit > 0.0 else np.zeros_like(f)
    return np.column_stack([f, np.square(away), s])


def _standardised(columns: Floats, middle: Floats, unit: Floats) -> Floats:
    blank = np.where(np.isnan(columns), np.nan, 0.0)
    return np.divide(columns - middle, unit, out=blank, where=unit > 0.0)


def _scale(column: Floats) -> float:
    """Give the standard deviation; 0 where it is rounding alone."""
    sd = float(column.std())
    return sd if sd > 1e-12 * max(1.0, float(np.abs(column).max())) else 0.0
