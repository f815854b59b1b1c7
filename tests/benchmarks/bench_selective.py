"""Certificate of a confidence threshold against a root search per threshold, the published way.

The peer finds the exact binomial bound of each threshold with scipy's root finder and counts its
errors afresh, one threshold after the other, as published code does; it is timed on the first
thousand thresholds at 1e4 labels, and what more would take is reckoned from that.
Run: python tests/benchmarks/bench_selective.py
"""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.stats import binom

from panopt.plugins.selective import CertifiedThreshold, certify_threshold

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


def peer(c: Floats, agrees: Flags, *, alpha: float, delta: float, most: int) -> tuple[float, int]:
    """Test thresholds from the surest down by root search; give the last passed and how many."""
    best, tested = np.inf, 0
    for threshold in np.sort(c)[::-1]:
        accepted = c >= threshold
        n, k = int(accepted.sum()), int(np.count_nonzero(accepted & ~agrees))
        tested += 1
        if n >= np.ceil(np.log(delta) / np.log(1 - alpha)):
            bound = (
                brentq(lambda r, k=k, n=n: binom.cdf(k, n, r) - delta, k / n, 1.0) if k < n else 1.0
            )
            if bound > alpha:
                break
            best = float(threshold)
        if tested == most:
            break
    return best, tested


def timed(work: Callable[[], CertifiedThreshold], repeats: int = 5) -> tuple[float, float]:
    """Give least CPU seconds and peak MB of a call."""
    work()
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        seconds.append(time.process_time() - start)
    tracemalloc.start()
    work()
    peak = tracemalloc.get_traced_memory()[1] / 2**20
    tracemalloc.stop()
    return min(seconds), peak


def main() -> None:
    """Print seconds, memory and ratios at 1e4 and 1e6 labels."""
    rng = np.random.default_rng(0)
    per_threshold = 0.0
    for n in (10**4, 10**6):
        c = rng.random(n)
        agrees = rng.random(n) > 0.12 * (1 - c)
        if n == 10**4:
            start = time.process_time()
            best, tested = peer(c, agrees, alpha=0.1, delta=0.1, most=1000)
            per_threshold = (time.process_time() - start) / tested
            same = certify_threshold(c, agrees, grid=np.sort(c)[-tested:])
            if same.threshold != best:
                raise SystemExit(f"thresholds differ: {same.threshold} and {best}")
            print(f"peer: {per_threshold * 1e3:.2f} ms a threshold at n = {n}, same threshold")
        certify = partial(certify_threshold, c, agrees)
        rows: dict[str, Callable[[], CertifiedThreshold]] = {
            "preset counts (default)": certify,
            "grid of 10": partial(certify, grid=np.linspace(0, 1, 10)),
            "every threshold": partial(certify, grid=c),
            "pool of 1e4": partial(certify, pool=c[:10_000]),
        }
        for name, work in rows.items():
            seconds, peak = timed(work)
            if name in {"grid of 10", "every threshold"}:
                tests = 10 if name == "grid of 10" else n
                theirs = per_threshold * tests * n / 10**4  # each of its steps costs O(n)
                note = f"peer about {theirs:.3g} s, {theirs / seconds:.3g} x"
            else:
                note = ""
            print(f"n = {n:>7} {name:24} {seconds * 1e3:8.2f} ms {peak:7.1f} MB  {note}")


if __name__ == "__main__":
    main()
