"""Intervals over items and seeds at once, for what was replayed with several seeds.

Items (whole clusters of them) and seeds are drawn anew, each with replacement, and every response
of a drawn item under a drawn seed counts as often as both: the two-way bootstrap (Owen 2007, which
shows it to be a little too wide rather than too narrow).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panopt.stats.bootstrap import percentile_interval
from panopt.stats.resample import random_groups

__all__ = ["Estimate", "ItemsAndSeeds"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean and its interval; `low` and `high` are None where the items are too few for one."""

    value: float
    low: float | None
    high: float | None


class ItemsAndSeeds:
    """Draws of items and seeds, the same for all that is compared.

    Parameters
    ----------
    clusters
        Cluster of each item, from 0 without gaps (items,).
    n_seeds
        Seeds.
    n_boot
        Draws.
    level
        Confidence level.
    rng
        Source of randomness.

    Notes
    -----
    More than 2,000 clusters are drawn as 2,000 random groups of them. Memory: draws x groups.

    Examples
    --------
    >>> draws = ItemsAndSeeds(np.arange(100), 1, rng=np.random.default_rng(0))
    >>> draws.mean(np.arange(100)[None] % 2)
    Estimate(value=0.5, low=0.41, high=0.6)
    """

    def __init__(
        self,
        clusters: ArrayLike,
        n_seeds: int,
        *,
        n_boot: int = 1000,
        level: float = 0.95,
        rng: np.random.Generator,
    ) -> None:
        codes = np.asarray(clusters, dtype=np.intp)
        self.groups, self.n_groups = random_groups(codes.size, codes, rng)
        self.level = level
        self.items = rng.multinomial(
            self.n_groups, np.full(self.n_groups, 1.0 / self.n_groups), size=n_boot
        ).astype(np.float64)
        self.seeds = rng.multinomial(n_seeds, np.full(n_seeds, 1.0 / n_seeds), size=n_boot).astype(
            np.float64
        )

    def mean(self, values: ArrayLike) -> Estimate:
        """Estimate a mean.

        Parameters
        ----------
        values
            Of each seed and item, NaN where it does not count (seeds, items).
        """
        table = np.asarray(values, dtype=np.float64)
        counts = self._sums(~np.isnan(table))
        sums = self._sums(np.nan_to_num(table))
        value = float(sums.sum() / counts.sum())
        if self.n_groups < 2:
            return Estimate(value, None, None)
        above = np.einsum("bg,bg->b", self.seeds @ sums, self.items)
        below = np.einsum("bg,bg->b", self.seeds @ counts, self.items)
        drawn = above[below > 0] / below[below > 0]
        low, high = percentile_interval(drawn, value, n_units=self.n_groups, alpha=1.0 - self.level)
        return Estimate(value, min(low, value), max(high, value))

    def _sums(self, table: NDArray[np.generic]) -> Floats:
        rows = [np.bincount(self.groups, row, self.n_groups) for row in table.astype(np.float64)]
        return np.stack(rows).astype(np.float64)
