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

from panopt.plugins.selective import (
    CertifiedThreshold,
    certify_cascade,
    certify_panel,
    certify_threshold,
)

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


def judges(items: int) -> tuple[Floats, Flags]:
    """Give three judges that are right on 69%, 75% and 81% and share some of their errors."""
    rng = np.random.default_rng(0)
    common, own = rng.normal(size=(items, 1)), rng.normal(size=(items, 3))
    margin = np.array([0.75, 1.0, 1.3]) + 1.5 * (np.sqrt(0.4) * common + np.sqrt(0.6) * own)
    p = 1 / (1 + np.exp(-2 * margin))
    return np.maximum(p, 1 - p), margin > 0


def published(c: Floats, agrees: Flags, *, alpha: float, delta: float) -> float:
    """Give the coverage of testing judge after judge at every confidence, each at delta / M."""
    left = np.ones(len(c), dtype=bool)
    for m in range(c.shape[1]):
        mine = c[left, m]
        found = certify_threshold(
            mine, agrees[left, m], alpha=alpha, delta=delta / c.shape[1], grid=mine
        )
        left &= c[:, m] < found.threshold
    return 1 - float(left.mean())


def cascades(draws: int = 200) -> None:
    """Print coverage and milliseconds of a certificate of three judges on 500 labels."""
    c, agrees = judges(20_000)
    for alpha in (0.10, 0.15, 0.20):
        rows: dict[str, Callable[[Floats, Flags, np.random.Generator], float]] = {
            "every threshold, stage by stage": lambda x, y, _, alpha=alpha: published(  # type: ignore[misc]
                x, y, alpha=alpha, delta=0.1
            ),
            "per_stage": lambda x, y, rng, alpha=alpha: (
                certify_cascade(  # type: ignore[misc]
                    x, y, alpha=alpha, method="per_stage", rng=rng
                ).coverage
            ),
            "joint_path": lambda x, y, rng, alpha=alpha: (
                certify_cascade(  # type: ignore[misc]
                    x, y, alpha=alpha, rng=rng
                ).coverage
            ),
            "panel, mean probability": lambda x, y, rng, alpha=alpha: (
                certify_panel(  # type: ignore[misc]
                    x, y, alpha=alpha, rng=rng
                ).coverage
            ),
        }
        for name, work in rows.items():
            kept, start = 0.0, time.process_time()
            for seed in range(draws):
                rng = np.random.default_rng(seed)
                drawn = rng.integers(0, len(c), 500)
                kept += work(c[drawn], agrees[drawn], rng) / draws
            took = (time.process_time() - start) / draws * 1e3
            print(f"alpha = {alpha:.2f} {name:32} coverage {kept:.3f} {took:7.2f} ms")
    start = time.process_time()
    certify_cascade(c[:10_000], agrees[:10_000], alpha=0.15)
    print(f"10,000 labels, three judges: {(time.process_time() - start) * 1e3:.1f} ms")


def main() -> None:
    """Print seconds, memory and ratios at 1e4 and 1e6 labels, and cascades at 500."""
    cascades()
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
