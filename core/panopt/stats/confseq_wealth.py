"""Bound a mean from below at every time at once, by what bets against smaller means have earned.

If values in [0, 1] have mean m, whatever came before, the product of ``(1 + k x) / (1 + k m)`` does
not grow on average, for any k > 0; nor does an average of such products over several k. It passes
1 / alpha at any time with probability at most alpha (Ville 1939), so that every m for which it has
may be left out: a confidence sequence by betting (Waudby-Smith & Ramdas 2024, theorem 3; constant
bets averaged over: Cover 1991, Orabona & Jun 2021). In these terms of k a bet does not depend on m,
so that sums over the values serve all m, and the bound is a root instead of a grid.

Draws without replacement from N items have at draw i the mean ``(N m - what was drawn) / (N - i +
1)`` (section 5 there), and k grows as fewer are left. The concave logarithm is bounded by its value
at the average of these means (Jensen), within spans where k stays the same.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["BETS", "LOG_WEIGHTS", "N_BETS", "LowerWealth", "log_wealth"]

Floats = NDArray[np.float64]

#: Draws of one k: how many, and their mean as slope times m less offset, summed over the draws.
Span = tuple[float | Floats, float | Floats, float | Floats]

_CHUNK = 4096  # steps at once: a megabyte an array
_NEWTON = 100
_NEAR = 1e-13
_MOST_DOUBLINGS = 6

# Bets lie a factor 1.57 apart. Those that settle ten to ten thousand values weigh most.
_LOG_BETS = np.arange(-6.2, 6.9, 0.45)
BETS: Floats = np.exp(_LOG_BETS)
_WEIGHTS: Floats = 1.0 / np.cosh((_LOG_BETS - np.log(0.5)) / 1.6)
LOG_WEIGHTS: Floats = np.log(_WEIGHTS / _WEIGHTS.sum())

N_BETS = len(BETS)


class LowerWealth:
    """Wealth of bets that the mean of values in [0, 1] is larger, as values come in.

    Parameters
    ----------
    alpha
        Probability, in (0, 1), that the bound ever lies above the mean.
    population
        Number of items that values are drawn from without replacement; None: no such number.

    Attributes
    ----------
    n, total
        Values so far, and their sum.
    low
        Largest bound so far.
    """

    __slots__ = ("_goal", "_grown", "_span", "_spans", "low", "n", "population", "total")

    def __init__(self, alpha: float, population: int | None = None) -> None:
        self.n = 0
        self.total = 0.0
        self.low = 0.0
        self.population = population
        self._goal = -np.log(alpha)
        self._grown = np.zeros(N_BETS)
        self._spans: list[Span] = []
        self._span = (0.0, 0.0, 0.0)

    def extend(self, values: Floats, *, running: bool = True) -> Floats:
        """Take values in [0, 1] in their order; give the bound after each.

        Parameters
        ----------
        values
            Shape (values,), no NaN.
        running
            Give the largest bound so far, rather than each step's own, which never lies above the
            average of the values so far.
        """
        ends = np.empty(len(values))
        done = 0
        while done < len(values):
            size = min(_CHUNK, max(1, self.n), len(values) - done)
            if self.population is not None:
                size = min(size, self._until_doubling(self.population))
            ends[done : done + size] = self._chunk(values[done : done + size], running=running)
            done += size
        return ends

    def add(self, values: Floats) -> float:
        """Take values of no population; give the bound by all so far, whatever their order was.

        The same as the last of ``extend(values, running=False)``, without those before.
        """
        for start in range(0, len(values), _CHUNK):
            part = values[start : start + _CHUNK]
            self._grown = self._grown + np.log1p(np.multiply.outer(part, BETS)).sum(axis=0)
        self.n += len(values)
        self.total += float(values.sum())
        self._span = (float(self.n), float(self.n), 0.0)
        if not self.n:
            return 0.0
        grown = self._grown[None, :]
        nearest = self._nearest(grown, np.array([float(self.n)]))
        low = float(self._roots(nearest, grown, [self._span])[0])
        self.low = max(self.low, low)
        return low

    def _nearest(self, grown: Floats, count: Floats) -> Floats:
        """Give the best bound by one bet alone, with its share of the wealth; no population."""
        own = (LOG_WEIGHTS - self._goal + grown) / count[:, None]
        alone: Floats = np.max(np.expm1(own) / BETS, axis=1)
        return np.maximum(alone, 0.0)

    def _doublings(self, drawn: int, population: int) -> int:
        """Say how often what is left was halved, before the next draw."""
        left = population - drawn
        return min(_MOST_DOUBLINGS, int(np.log2(population / left)))

    def _until_doubling(self, population: int) -> int:
        """Count the draws until k grows; starts a span where it does."""
        now = self._doublings(self.n, population)
        while now > len(self._spans):
            self._spans.append(self._span)
            self._span = (0.0, 0.0, 0.0)
        if now == _MOST_DOUBLINGS:
            return population - self.n
        # doublings = floor(log2(N / (N - drawn))) grows at drawn = N - N / 2^(now + 1)
        return max(1, int(np.ceil(population - population / 2.0 ** (now + 1))) - self.n)

    def _chunk(self, values: Floats, *, running: bool) -> Floats:
        drawn = self.n + np.arange(len(values))
        sums = self.total + np.cumsum(values)
        bets = BETS * 2.0 ** len(self._spans)
        grown = self._grown + np.cumsum(np.log1p(np.multiply.outer(values, bets)), axis=0)
        count = self._span[0] + np.arange(1.0, len(values) + 1.0)
        if self.population is None:
            slope, offset = count, np.zeros(len(values))
            start = self._nearest(grown, count)
        else:
            left = 1.0 / (self.population - drawn)
            slope = self._span[1] + np.cumsum(self.population * left)
            offset = self._span[2] + np.cumsum((sums - values) * left)
            start = sums / self.population
        if running:
            start = np.maximum(start, self.low)
        ends = self._roots(start, grown, [*self._spans, (count, slope, offset)])
        if running:
            ends = np.maximum.accumulate(ends)
        self.n += len(values)
        self.total = float(sums[-1])
        self._grown = grown[-1]
        self._span = (float(count[-1]), float(slope[-1]), float(offset[-1]))
        self.low = max(self.low, float(ends.max()))
        return ends

    def _roots(self, start: Floats, grown: Floats, spans: list[Span]) -> Floats:
        """Find where the wealth falls to the goal, from the left.

        Its logarithm falls with m and is convex, so that Newton's steps never pass the root: the
        bound holds after any number of them.
        """
        ends = start.copy()
        rows = np.arange(len(ends))
        for _ in range(_NEWTON):
            at = ends[rows]
            worth = LOG_WEIGHTS + grown[rows]
            falls = np.zeros_like(worth)
            for doublings, (count, slope, offset) in enumerate(spans):
                many, a, b = (_column(part, rows) for part in (count, slope, offset))
                bets = BETS * 2.0**doublings
                ratio = bets * (a * at[:, None] - b) / many
                worth -= many * np.log1p(ratio)
                falls += bets * a / (1.0 + ratio)
            top = worth.max(axis=1)
            share = np.exp(worth - top[:, None])
            whole = share.sum(axis=1)
            above = top + np.log(whole) - self._goal
            step = above * whole / np.einsum("ij,ij->i", share, falls)
            on = step > _NEAR
            if not on.any():
                break
            rows = rows[on]
            ends[rows] += step[on]
        return ends


def _column(part: float | Floats, rows: NDArray[np.intp]) -> float | Floats:
    return part[rows][:, None] if isinstance(part, np.ndarray) else part


def log_wealth(values: Floats, mean: float) -> Floats:
    """Give the logarithm of the wealth against a mean of at most `mean` after each value.

    Parameters
    ----------
    values
        Shape (values,), in [0, 1], in their order, no NaN.
    mean
        In [0, 1].
    """
    found = np.empty(len(values))
    grown = LOG_WEIGHTS.copy()
    growth = np.log1p(BETS * mean)
    for start in range(0, len(values), _CHUNK):
        part = np.log1p(np.multiply.outer(values[start : start + _CHUNK], BETS)) - growth
        worth = grown + np.cumsum(part, axis=0)
        top = worth.max(axis=1)
        share = np.exp(worth - top[:, None]).sum(axis=1)
        found[start : start + len(worth)] = top + np.log(share)
        grown = worth[-1]
    return found
