"""Resample units by drawing how often each distinct pattern occurs.

A bootstrap resample of N units is a multinomial draw over the distinct patterns of the
units, so a statistic that is a function of pattern counts never touches the units again.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

_CELLS = 1 << 17  # weights held at a time: 1 MB, which stays in cache


def pattern_weights(
    counts: NDArray[np.int64],
    n_boot: int,
    rng: np.random.Generator,
    *,
    width: int = 1,
) -> Iterator[FloatArray]:
    """Draw bootstrap resamples of units as counts of their patterns, in blocks.

    Parameters
    ----------
    counts
        Units that carry each pattern (patterns,).
    n_boot
        Number of resamples.
    rng
        Source of randomness.
    width
        Numbers the caller will hold per pattern and resample; blocks shrink with it.

    Yields
    ------
    ndarray
        Weights (resamples in this block, patterns); every row sums to the number of units.
        The draws are the same whatever `width` is.
    """
    n_units, n_patterns = int(counts.sum()), counts.size
    rows = max(1, _CELLS // max(1, n_patterns * width))
    # One draw per unit is the cheaper way to a multinomial until units share patterns widely.
    by_unit = n_units < 8 * n_patterns
    pattern = np.repeat(np.arange(n_patterns), counts) if by_unit else counts
    share = counts / n_units
    for start in range(0, n_boot, rows):
        block = np.empty((min(rows, n_boot - start), n_patterns))
        for row in block:
            if by_unit:
                drawn = pattern[rng.integers(0, n_units, size=n_units)]
                row[:] = np.bincount(drawn, minlength=n_patterns)
            else:
                row[:] = rng.multinomial(n_units, share)
        yield block


def percentile_interval(draws: FloatArray, *, alpha: float) -> tuple[float, float]:
    """Take the central 1 - `alpha` part of bootstrap draws.

    Parameters
    ----------
    draws
        Bootstrap values (resamples,), finite.
    alpha
        Total probability left outside.

    Examples
    --------
    >>> low, high = percentile_interval(np.arange(1001.0), alpha=0.1)
    >>> round(low), round(high)
    (50, 950)
    """
    low, high = np.quantile(draws, [alpha / 2, 1 - alpha / 2])
    return float(low), float(high)
