"""An interval for the mean of what comes in one after another, right at every moment.

See `panopt.stats.confseq`, which has whole sequences of them, and on the order that values must
come in.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panopt.stats.arrays import as_floats
from panopt.stats.confseq_wealth import N_BETS, LowerWealth

__all__ = ["RunningInterval", "one_dimension", "within"]

Floats = NDArray[np.float64]

_SLACK = 1e-12
_APART = "later values contradict earlier ones: their mean is not one, or a rare draw"


class RunningInterval:
    """Interval for the mean of values in [0, 1] that may be looked at after every value.

    Parameters
    ----------
    alpha
        Probability, in (0, 1), that the interval ever leaves out the mean; half of it a side.
    population
        Size of the finite data set that items are drawn from without replacement: the interval is
        for the mean of them all, and has no width when all are in. None: for the mean of items
        like these, however many there are.
    intersect
        Never widen: what was ruled out stays so. Without, the ends are those of the values so far
        in whatever order they came, and hold the average of the means that they had even where
        it drifts (Jensen); the ends of a finite population are always intersected.

    Raises
    ------
    ValueError
        For alpha or population off their range.

    Notes
    -----
    Holds at all times at once if every value has the same mean given those before it (or comes
    out of `population` at random) in an order that does not depend on the values. An item that is
    repeated over epochs counts once, by its mean, when it is complete. Memory does not grow.

    Examples
    --------
    >>> running = RunningInterval(alpha=0.05)
    >>> running.update([1.0, 0.0] * 50)
    >>> running.n, running.estimate, round(running.low, 3), round(running.high, 3)
    (100, 0.5, 0.347, 0.657)
    """

    __slots__ = (
        "_known",
        "_lower",
        "_n_known",
        "_upper",
        "alpha",
        "high",
        "intersect",
        "low",
        "reason",
    )

    def __init__(
        self, *, alpha: float = 0.05, population: int | None = None, intersect: bool = True
    ) -> None:
        if not 0.0 < alpha < 1.0:
            raise ValueError(f"alpha = {alpha} must lie strictly between 0 and 1")
        if population is not None and (population < 1 or population != int(population)):
            raise ValueError(
                f"population = {population} must be a whole number of items, at least 1"
            )
        if population is not None and not intersect:
            raise ValueError("intersect = False needs population = None: a data set has one mean")
        self.alpha = alpha
        self.intersect = intersect
        #: Ends of the interval now; 0 and 1 before the first value.
        self.low, self.high = 0.0, 1.0
        #: Why the interval no longer moves: later values contradict it; None where it does.
        self.reason: str | None = None
        self._lower = LowerWealth(alpha / 2.0, population)
        self._upper = LowerWealth(alpha / 2.0, population)
        self._known, self._n_known = 0.0, 0

    @property
    def n(self) -> int:
        """Values so far, unknown ones counted."""
        return self._lower.n

    @property
    def n_unknown(self) -> int:
        """Values so far that are not, or not exactly, known."""
        return self._lower.n - self._n_known

    @property
    def population(self) -> int | None:
        """Size of the data set that is drawn from; None where it has none."""
        return self._lower.population

    @property
    def estimate(self) -> float | None:
        """Mean of the known values; None before the first."""
        return self._known / self._n_known if self._n_known else None

    @property
    def method(self) -> str:
        """What the interval is, in a few words."""
        drawn = "" if self.population is None else f", without replacement of {self.population:,}"
        return f"betting, average of {N_BETS} bets a side{drawn}; valid at every time"

    def update(self, values: ArrayLike) -> None:
        """Take the next values in [0, 1], in order; NaN is one that is unknown.

        Raises
        ------
        ValueError
            For values off [0, 1], or more than `population`; nothing is taken then.
        """
        x = one_dimension("values", np.atleast_1d(as_floats("values", values)))
        within("values", x, 0.0, 1.0)
        self.update_between(np.where(np.isnan(x), 0.0, x), np.where(np.isnan(x), 1.0, x))

    def update_unknown(self, k: int = 1) -> None:
        """Take `k` items whose values are not known: 0 for the lower end, 1 for the upper."""
        if k < 0 or k != int(k):
            raise ValueError(f"k = {k} must be a whole number, not negative")
        self.update_between(np.zeros(int(k)), np.ones(int(k)))

    def update_between(self, low: ArrayLike, high: ArrayLike) -> None:
        """Take the next values, each known to lie between `low` and `high`.

        The mean of an item's epochs one of which failed is such a value. Only those known exactly
        count in `estimate`.
        """
        self.take(*_between(low, high))

    def take(self, lows: Floats, highs: Floats) -> tuple[Floats, Floats]:
        """Take values; give the ends after each (those after the last, where not intersected)."""
        self.refuse_more(len(lows))
        if not len(lows):
            return lows, highs
        known = lows == highs
        self._known += float(lows[known].sum())
        self._n_known += int(np.count_nonzero(known))
        if not self.intersect:
            self.low, self.high = self._lower.add(lows), 1.0 - self._upper.add(1.0 - highs)
            return np.array([self.low]), np.array([self.high])
        least = self._lower.total + np.cumsum(lows)
        missed = self._upper.total + np.cumsum(1.0 - highs)
        low, high = self._lower.extend(lows), 1.0 - self._upper.extend(1.0 - highs)
        if self.population is not None:  # what must be goes before what was bet
            low = np.minimum(low, 1.0 - missed / self.population)
            high = np.maximum(high, least / self.population)
        self.agree(low, high)
        if self.population == self._n_known:
            low[-1] = high[-1] = self._known / self._n_known
        self.low, self.high = float(low[-1]), float(high[-1])
        return low, high

    def refuse_more(self, k: int) -> None:
        """Refuse `k` more values where the population has not as many left."""
        if self.population is not None and self.n + k > self.population:
            raise ValueError(
                f"population = {self.population} items, but {self.n + k} are drawn from it"
            )

    def agree(self, low: Floats, high: Floats) -> None:
        """Keep, in place, the last interval from where nothing is left of it."""
        crossed = low > high + _SLACK if self.reason is None else np.ones(len(low), dtype=np.bool_)
        if crossed.any():
            first = int(np.argmax(crossed))
            low[first:] = low[first - 1] if first else self.low
            high[first:] = high[first - 1] if first else self.high
            self.reason = _APART
        np.maximum(high, low, out=high)


def one_dimension(name: str, values: ArrayLike) -> Floats:
    """Give numbers as one row of floats, NaN where missing."""
    row = as_floats(name, values)
    if row.ndim != 1:
        raise ValueError(f"{name} must have one dimension, not {row.ndim}")
    return row


def within(name: str, values: Floats, low: float, high: float) -> None:
    """Refuse values off [low, high], but for NaN."""
    known = values[~np.isnan(values)]
    if known.size and not low <= known.min() <= known.max() <= high:
        raise ValueError(
            f"{name} spans {known.min():g}..{known.max():g}; it must lie in {low:g}..{high:g}"
        )


def _between(low: ArrayLike, high: ArrayLike) -> tuple[Floats, Floats]:
    lows, highs = (
        one_dimension("low", np.atleast_1d(low)),
        one_dimension("high", np.atleast_1d(high)),
    )
    if lows.shape != highs.shape:
        raise ValueError(f"low and high must be as many, not {len(lows)} and {len(highs)}")
    if lows.size and not bool(np.all((lows >= 0.0) & (lows <= highs) & (highs <= 1.0))):
        raise ValueError("values must lie in 0..1, and low not above high")
    return lows, highs
