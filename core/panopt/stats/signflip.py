"""Sign-flip test of paired differences: exact wherever the differences are discrete or few.

If two systems are exchangeable on every cluster of items, each cluster's sum of differences is as
likely with the opposite sign. The p-value is the share of the 2^clusters sign patterns whose total
is as far from 0 as the one seen (Fisher 1935; two-sided). Sums on a lattice: their distribution is
a convolution of one binomial a distinct magnitude, by Fourier transform after exponential tilting,
so that small tails keep all their digits. Few other sums: all patterns, by meeting in the middle
(Horowitz & Sahni 1974). Many: the saddlepoint approximation (Lugannani & Rice 1980; Robinson 1982
for permutations). In between, draws, with p = (b + 1) / (B + 1) (Phipson & Smyth 2010).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, log, pi, sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panopt.stats.generators import generator
from panopt.stats.paired_data import cluster_sums, pair_up

__all__ = ["PermutationTest", "permutation_test"]

Floats = NDArray[np.float64]

_ALL_PATTERNS = 34  # sums whose 2^34 sign patterns are gone through, half by half
_MANY = 35  # sums from which on the saddlepoint is used, as its error is then under 1% ...
_LARGEST_SHARE = 0.2  # ... if none of them has more of the variance than this
_LONGEST = 1 << 21  # lattice points of a Fourier transform: 32 MB of complex numbers
_DYADIC = 40  # clusters up to which p has few enough digits to be rounded to its own
_NOTHING = -60.0  # logarithm of a term too small to tell
_REACH = 24.0  # standard deviations of the tilted total that one Fourier period holds
_DRAWN = 1 << 20  # signs drawn at a time


@dataclass(frozen=True, slots=True)
class PermutationTest:
    """A two-sided test that two systems are exchangeable.

    Attributes
    ----------
    p
        p-value; None where there is no pair.
    exact
        Whether it is the share among all sign patterns, neither drawn nor approximated.
    value
        Mean difference a - b.
    n, n_clusters
        Pairs and clusters; `n_differ` of the clusters have a sum other than 0.
    n_differ
        Clusters that bear on the test.
    method
        How the p-value was had.
    reason
        Why there is none.
    """

    p: float | None
    exact: bool
    value: float | None
    n: int
    n_clusters: int
    n_differ: int
    method: str
    reason: str | None


def permutation_test(
    a: ArrayLike,
    b: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    n_perm: int = 9999,
    rng: np.random.Generator | int | None = None,
) -> PermutationTest:
    """Test by flipping the signs of cluster sums of a - b that neither system is better.

    Parameters
    ----------
    a, b
        Scores of two systems on the same items (pairs,); NaN is missing, and its pair left out.
    clusters
        Key of each pair's cluster, whose pairs change sign together; every pair its own cluster
        where not given.
    n_perm
        Sign patterns drawn, where the p-value is neither exact nor by saddlepoint; at least 99.
    rng
        Source of randomness where they are drawn; or a seed; seed 0 where not given.

    Returns
    -------
    PermutationTest
        p is 1 for systems that score alike everywhere.

    Raises
    ------
    ValueError
        For arrays of different length, infinite scores, or n_perm below 99.

    Notes
    -----
    Under the hypothesis of exchangeable systems and independent clusters an exact p is at most u
    with probability at most u, for any n and any ties. Time is linear in the pairs.

    Examples
    --------
    >>> found = permutation_test([1, 1, 1, 1, 1, 0], [0, 0, 0, 0, 0, 1])
    >>> found.p, found.exact
    (0.21875, True)
    """
    if n_perm < 99:
        raise ValueError(f"n_perm = {n_perm} must be at least 99")
    source = generator(rng)
    pairs = pair_up(a, b, clusters)
    if not pairs.n:
        none = "there is no pair with both scores"
        return PermutationTest(None, False, None, 0, 0, 0, "none", none)  # noqa: FBT003 - no p
    sums = cluster_sums(pairs)
    # Where differences cancel within a cluster, rounding may leave a trace of them.
    trace = 1e-13 * max(np.abs(pairs.a).max(), np.abs(pairs.b).max()) * sums.size
    moved = np.abs(sums.total) > trace
    total, count = sums.total[moved], sums.count[moved]
    differ = int(count.sum())
    if not differ:
        p, exact, how = 1.0, True, "no cluster differs"
    elif sums.unit is not None and (found := _on_lattice(total * sums.unit, count)) is not None:
        p, exact, how = found, True, "exact, convolution of binomials"
    else:
        each = np.repeat(total, count.astype(np.intp))
        p, exact, how = _off_lattice(each, n_perm, source)
    if exact and differ <= _DYADIC:  # a whole number of patterns, which rounding need not blur
        p = round(p * 2.0**differ) / 2.0**differ
    return PermutationTest(
        min(1.0, p), exact, sums.mean, pairs.n, pairs.n_clusters, differ, how, None
    )


def _off_lattice(total: Floats, n_perm: int, rng: np.random.Generator) -> tuple[float, bool, str]:
    if len(total) <= _ALL_PATTERNS:
        return _all_patterns(total), True, "exact, all sign patterns"
    square = total**2
    if len(total) >= _MANY and square.max() <= _LARGEST_SHARE * square.sum():
        return _saddlepoint(total), False, "saddlepoint approximation"
    return _drawn(total, n_perm, rng), False, f"{n_perm} sign patterns drawn"


def _on_lattice(total: Floats, count: Floats) -> float | None:
    """Give the exact p of sums that are whole numbers; None where the lattice is too fine."""
    from scipy.special import bdtr  # noqa: PLC0415 - scipy is imported late

    magnitude, kind = np.unique(np.abs(np.rint(total)).astype(np.int64), return_inverse=True)
    times = np.asarray(np.bincount(kind, count), np.float64)
    divisor = int(np.gcd.reduce(magnitude))
    magnitude = magnitude // divisor
    seen = abs(round(float(count @ np.rint(total)) / divisor))
    if seen == 0:
        return 1.0
    if len(magnitude) == 1:  # the sign test
        n = round(float(times[0]))
        return float(2.0 * bdtr((n - seen) // 2, n, 0.5))
    return _tilted_tail(magnitude.astype(np.float64), times, seen)


def _tilted_tail(magnitude: Floats, times: Floats, seen: int) -> float | None:
    """Give P(|total| >= seen) of magnitudes with random signs, each so many times."""
    largest = float(times @ magnitude)
    # Tilting puts the mean at `seen` (or near the end of the range, where that is the largest).
    tilt = _tilt(magnitude, times, min(float(seen), largest - 0.5))
    lean = np.tanh(tilt * magnitude)
    spread = sqrt(float(times @ (magnitude**2 * (1.0 - lean**2))))
    mean = float(times @ (magnitude * lean))
    # One period of the transform holds all that the total can be, or _REACH deviations.
    period = int(_REACH * max(spread, 1.0) + 64.0 * magnitude.max())
    start = round(mean) - period // 2
    if period > 2.0 * largest:
        period, start = 2 * int(largest) + 1, -int(largest)
    if period > _LONGEST:
        return None
    angle = 2.0 * pi / period * np.arange(period // 2 + 1)
    logs, alive = np.zeros(angle.size, dtype=np.complex128), np.arange(angle.size)
    for kind in np.argsort(-times):  # the commonest leave the fewest points to the others
        turn = magnitude[kind] * angle[alive]
        with np.errstate(divide="ignore"):  # a factor of 0 is a product of 0
            factor = np.log(np.cos(turn) + 1j * lean[kind] * np.sin(turn))
        logs[alive] += times[kind] * factor
        alive = alive[logs.real[alive] > _NOTHING]
    transform = np.zeros(angle.size, dtype=np.complex128)
    transform[alive] = np.exp(np.conj(logs[alive]))
    mass = np.fft.irfft(transform, period)
    place = np.arange(start, start + period)
    mass = np.maximum(mass[place % period], 0.0)
    tail = place >= seen
    log_sum = float(times @ (np.logaddexp(tilt * magnitude, -tilt * magnitude) - log(2.0)))
    weighted = float(mass[tail] @ np.exp(-tilt * (place[tail] - seen)))
    return 2.0 * exp(log_sum - tilt * seen) * weighted


def _tilt(magnitude: Floats, times: Floats, target: float) -> float:
    """Find t such that ``sum times magnitude tanh(t magnitude)`` is the target, a Newton root."""
    t = target / float(times @ magnitude**2)
    low, high = 0.0, np.inf
    for _ in range(200):
        lean = np.tanh(t * magnitude)
        off = float(times @ (magnitude * lean)) - target
        low, high = (t, high) if off < 0.0 else (low, t)
        if abs(off) <= 1e-10 * target:
            break
        slope = float(times @ (magnitude**2 * (1.0 - lean**2)))
        step = t - off / slope if slope > 0.0 else np.inf
        if not low < step < high:  # Newton left the bracket: halve it, or go twice as far
            step = 2.0 * t if np.isinf(high) else (low + high) / 2.0
        t = step
    return t


def _all_patterns(total: Floats) -> float:
    """Count the sign patterns at least as far out, from the sorted totals of two halves."""
    half = len(total) // 2
    left, right = _half_totals(total[:half]), np.sort(_half_totals(total[half:]))
    # Patterns that tie with the one seen differ from it by rounding.
    bound = abs(float(total.sum())) - 1e-10 * float(np.abs(total).sum())
    if bound <= 0.0:
        return 1.0
    above = right.size - np.searchsorted(right, bound - left, side="left")
    return 2.0 * float(above.sum()) / (float(left.size) * right.size)


def _half_totals(total: Floats) -> Floats:
    out = np.zeros(1)
    for each in total:
        out = np.concatenate((out + each, out - each))
    return out


def _saddlepoint(total: Floats) -> float:
    """Give P(|total| >= seen) by Lugannani and Rice, relative error of order 1 / sums."""
    from scipy.special import ndtr  # noqa: PLC0415 - scipy is imported late

    size = np.abs(total)
    seen, largest = abs(float(total.sum())), float(size.sum())
    deviation = seen / sqrt(float(size @ size))
    if deviation < 1e-4:  # the formula is 0 / 0 at the middle, where the normal law is as good
        return 2.0 * float(ndtr(-deviation))
    if seen >= largest * (1.0 - 1e-9):
        return 2.0 ** (1 - len(size))
    once = np.ones(len(size))
    tilt = _tilt(size, once, seen)
    turned = tilt * size
    cumulant = float((np.logaddexp(turned, -turned) - log(2.0)).sum())
    curve = float((size / np.cosh(turned)) @ (size / np.cosh(turned)))
    w, u = sqrt(2.0 * (tilt * seen - cumulant)), tilt * sqrt(curve)
    density = exp(-w * w / 2.0) / sqrt(2.0 * pi)
    return 2.0 * (float(ndtr(-w)) + density * (1.0 / u - 1.0 / w))


def _drawn(total: Floats, n_perm: int, rng: np.random.Generator) -> float:
    size = np.abs(total)
    seen = abs(float(total.sum())) - 1e-10 * float(size.sum())
    beyond, rows = 0, max(1, _DRAWN // len(total))
    for start in range(0, n_perm, rows):
        shape = (min(rows, n_perm - start), len(total))
        signs = rng.integers(0, 2, size=shape, dtype=np.int8).astype(np.float64)
        beyond += int(np.count_nonzero(np.abs(2.0 * (signs @ size) - size.sum()) >= seen))
    return (beyond + 1.0) / (n_perm + 1.0)
