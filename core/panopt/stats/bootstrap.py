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


def cluster_weights(
    pattern: NDArray[np.intp],
    clusters: NDArray[np.intp],
    n_boot: int,
    rng: np.random.Generator,
    *,
    width: int = 1,
) -> Iterator[FloatArray]:
    """Draw bootstrap resamples of whole clusters of units as counts of the units' patterns.

    Parameters
    ----------
    pattern, clusters
        Pattern code and cluster code of each unit, both from 0 without gaps (units,).
    n_boot, rng, width
        As in `pattern_weights`.

    Yields
    ------
    ndarray
        Weights (resamples in this block, patterns); rows sum to the units of the drawn clusters.
    """
    n_patterns, n_clusters = int(pattern.max()) + 1, int(clusters.max()) + 1
    rows = max(1, _CELLS // max(1, n_patterns * width))
    for start in range(0, n_boot, rows):
        block = np.empty((min(rows, n_boot - start), n_patterns))
        for row in block:
            drawn = rng.integers(0, n_clusters, size=n_clusters)
            times = np.bincount(drawn, minlength=n_clusters)
            row[:] = np.bincount(pattern, weights=times[clusters], minlength=n_patterns)
        yield block


def percentile_interval(
    draws: FloatArray, value: float, *, n_units: int, alpha: float
) -> tuple[float, float]:
    """Turn bootstrap draws into an interval, corrected for median bias and few units.

    The bias-corrected percentile interval (Efron 1987, with acceleration 0) at the levels of
    Student's t instead of the normal ("expanded", Hesterberg 2015, section 5): plain
    percentiles are too short by about 1 / n_units.

    Parameters
    ----------
    draws
        Values of the statistic in resamples (resamples,), finite.
    value
        The statistic of the data.
    n_units
        Units that were resampled, at least 2.
    alpha
        Total probability left outside.

    Returns
    -------
    tuple
        `low` and `high`.

    Examples
    --------
    >>> low, high = percentile_interval(np.arange(1001.0), 500.0, n_units=10**6, alpha=0.1)
    >>> round(low), round(high)
    (50, 950)
    """
    below = np.count_nonzero(draws < value) + np.count_nonzero(draws == value) / 2
    # Beyond one standard deviation the correction would push the value itself outside.
    from scipy.special import ndtr, ndtri, stdtrit  # noqa: PLC0415 - a fast start

    shift = np.clip(ndtri(below / draws.size), -1.0, 1.0)
    reach = np.sqrt(n_units / (n_units - 1)) * stdtrit(n_units - 1, 1 - alpha / 2)
    low, high = np.quantile(draws, ndtr([2 * shift - reach, 2 * shift + reach]))
    return float(low), float(high)
