"""Paired bootstrap and sign flips against scipy.stats, in the same run.

Numbers must agree before times are compared. Run: python tests/benchmarks/bench_compare.py
"""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from panopt.plugins.compare import paired_difference, permutation_test

Floats = NDArray[np.float64]
Ends = tuple[float | None, float | None]
RESAMPLES = 9999
SHORT = 0.3  # calls longer than this are measured once
METHODS: tuple[Literal["t", "percentile", "bca"], ...] = ("t", "percentile", "bca")
BOOTSTRAPS: tuple[Literal["percentile", "bca"], ...] = ("percentile", "bca")
ITEMS = 10**5


def measured(work: Callable[[], Ends], *, again: bool = True) -> tuple[Ends, float, float]:
    """Give the answer, CPU seconds (the least of up to three) and peak MB of a call.

    Without `again` memory is measured in the same call, which slows it by little where it works
    in long arrays.
    """
    if not again:
        tracemalloc.start()
        start = time.process_time()
        answer = work()
        took, peak = time.process_time() - start, tracemalloc.get_traced_memory()[1] / 2**20
        tracemalloc.stop()
        return answer, took, peak
    answer = (None, None)
    seconds = float("inf")
    for _ in range(3):
        start = time.process_time()
        answer = work()
        seconds = min(seconds, time.process_time() - start)
        if seconds > SHORT:
            break
    tracemalloc.start()
    work()
    peak = tracemalloc.get_traced_memory()[1] / 2**20
    tracemalloc.stop()
    return answer, seconds, peak


def ours(a: Floats, b: Floats, method: Literal["t", "percentile", "bca"]) -> Ends:
    """Give our interval."""
    found = paired_difference(a, b, method=method, n_boot=RESAMPLES)
    return found.low, found.high


def theirs(a: Floats, b: Floats, method: Literal["percentile", "bca"], resamples: int) -> Ends:
    """Give scipy's interval, in batches that fit into memory."""
    found = stats.bootstrap(
        [a - b], np.mean, method=method, n_resamples=resamples, batch=100, rng=1
    ).confidence_interval
    return float(found.low), float(found.high)


def our_p(a: Floats, b: Floats) -> Ends:
    """Give our p-value."""
    return permutation_test(a, b).p, None


def scores(kind: str, n: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Draw two systems' scores."""
    if kind == "binary":
        return (rng.random(n) < 0.62).astype(float), (rng.random(n) < 0.6).astype(float)
    if kind == "11 levels":
        return rng.integers(0, 11, n) / 10, rng.integers(0, 11, n) / 10
    return rng.beta(5, 2, n), rng.beta(5, 2, n)


def main() -> None:
    """Print seconds, memory and ratios."""
    rng = np.random.default_rng(0)
    ours(*scores("continuous", 2000, rng), "bca")  # scipy is imported before the clock starts
    for kind in ("binary", "11 levels", "continuous"):
        a, b = scores(kind, ITEMS, rng)
        se = float(stats.sem(a - b))
        for method in BOOTSTRAPS:
            # scipy draws 1 in 20 resamples. Its percentiles' time is linear in them; that of BCa is
            # mostly its jackknife, quadratic in items, and is quoted as it is, in its favour.
            share = 20
            times = share if method == "percentile" else 1
            mine, seconds, peak = measured(partial(ours, a, b, method))
            work = partial(theirs, a, b, method, RESAMPLES // share)
            peer, their_seconds, their_peak = measured(work, again=method == "percentile")
            for one, other in zip(mine, peer, strict=True):
                if one is None or other is None or abs(one - other) > 0.5 * se:
                    raise SystemExit(f"{kind}, {method}: {mine} and {peer} differ")
            print(
                f"{method:10} {kind:10} 1e5  {seconds * 1e3:8.1f} ms {peak:6.1f} MB   scipy "
                f"{their_seconds * times * 1e3:9.0f} ms (from 1 in {share}) {their_peak:6.1f} MB  "
                f"{their_seconds * times / seconds:7.0f} x, memory {their_peak / peak:5.1f} x",
                flush=True,
            )
        a, b = scores(kind, 10**6, rng)
        for name in METHODS:
            _, seconds, peak = measured(partial(ours, a, b, name))
            print(f"{name:10} {kind:10} 1e6  {seconds * 1e3:8.1f} ms {peak:6.1f} MB")
        (p, _), seconds, peak = measured(partial(our_p, a, b))
        z = float((a - b).sum()) / float(np.sqrt(((a - b) ** 2).sum()))
        normal = 2 * float(stats.norm.sf(abs(z)))
        if p is None or abs(p - normal) > 0.01 * normal + 1e-12:
            raise SystemExit(f"sign flips, {kind}: {p} is far from the normal law's {normal}")
        print(f"sign flips {kind:10} 1e6  {seconds * 1e3:8.1f} ms {peak:6.1f} MB")
    a, b = scores("continuous", 14, rng)
    peer_p = stats.permutation_test(
        [a, b], lambda x, y: float(np.mean(x - y)), permutation_type="samples", n_resamples=10**6
    ).pvalue
    if abs((permutation_test(a, b).p or 0.0) - peer_p) > 1e-12:
        raise SystemExit("the exact p-values of 14 pairs differ")


if __name__ == "__main__":
    main()
