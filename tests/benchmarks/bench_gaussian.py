"""Hierarchical Gaussian against statsmodels' MixedLM, and on a million items by itself.

MixedLM fits the same items and judge means with one noise for all judges: less than what is
timed beside it. Both see the same complete scores; their tau and judge means are printed to show
that they agree. At 1e6 items the peer would take hours, so those figures stand alone.
Run: python tests/benchmarks/bench_gaussian.py
"""

from __future__ import annotations

import os
import time
import tracemalloc
import warnings
from collections.abc import Callable
from typing import TypeVar

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # CPU seconds: no thread spins beside the one at work

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from statsmodels.regression.mixed_linear_model import MixedLM

from panopt.plugins.gaussian import GaussianPanel, hierarchical_gaussian

Result = TypeVar("Result")
Rows = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]


def simulate(n_items: int, n_judges: int, missing: float) -> Rows:
    """Draw scores in long format, sorted by item."""
    rng = np.random.default_rng(0)
    item, judge = np.divmod(np.arange(n_items * n_judges), n_judges)
    kept = rng.random(item.size) >= missing
    item, judge = item[kept], judge[kept]
    noise = np.linspace(0.05, 0.3, n_judges)[judge]
    score = 0.25 * rng.standard_normal(n_items)[item] + 0.1 * judge
    score += noise * rng.standard_normal(item.size)
    return item, judge, score


def timed(work: Callable[[], Result], repeats: int = 1) -> tuple[Result, float]:
    """Give the result and the least CPU seconds of a call."""
    least, result = np.inf, None
    for _ in range(repeats):
        start = time.process_time()
        result = work()
        least = min(least, time.process_time() - start)
    assert result is not None
    return result, least


def peak(work: Callable[[], GaussianPanel]) -> float:
    """Give the MB that a call takes at its peak beyond its arguments."""
    tracemalloc.start()
    work()
    most = tracemalloc.get_traced_memory()[1] / 2**20
    tracemalloc.stop()
    return most


def against_mixed_lm(n_items: int) -> None:
    """Print one comparison."""
    item, judge, score = simulate(n_items, 5, 0.0)
    means = pd.get_dummies(judge).astype(float)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        peer, seconds = timed(MixedLM(score, means, groups=item).fit)
    panel, ours = timed(lambda: hierarchical_gaussian(item, judge, score), repeats=5)
    tau = float(np.sqrt(peer.cov_re.iloc[0, 0]))
    shift = np.abs(np.asarray(peer.fe_params) - panel.mu - panel.bias).max()
    print(
        f"{n_items:>9,} x 5 complete: MixedLM {seconds:8.3f} s, panopt {ours:.3f} s, "
        f"ratio {seconds / ours:,.0f}; tau {tau:.4f} and {panel.tau:.4f}, "
        f"judge means differ by {shift:.1e}"
    )


def alone(n_items: int, n_judges: int, *, shuffled: bool = False) -> None:
    """Print time and memory without a peer."""
    rows = simulate(n_items, n_judges, 0.2)
    if shuffled:
        order = np.random.default_rng(1).permutation(rows[0].size)
        rows = (rows[0][order], rows[1][order], rows[2][order])

    def work() -> GaussianPanel:
        return hierarchical_gaussian(*rows)

    panel, seconds = timed(work, repeats=5)
    error = np.abs(panel.noise_sd - np.linspace(0.05, 0.3, n_judges)).max()
    print(
        f"{n_items:>9,} x {n_judges} with 20% missing{', shuffled' if shuffled else '':10}: "
        f"{seconds:.3f} s, {peak(work):.0f} MB; noise off by {error:.4f} at most"
    )


def crowd(n_items: int, n_judges: int, each: int) -> None:
    """Print time and memory where nearly every item has its own raters."""
    rng = np.random.default_rng(0)
    judge = rng.integers(0, n_judges, n_items * each)
    item = np.repeat(np.arange(n_items), each)
    score = rng.standard_normal(n_items)[item] + 0.5 * rng.standard_normal(item.size)

    def work() -> GaussianPanel:
        return hierarchical_gaussian(item, judge, score)

    _, seconds = timed(work)
    size = f"{n_items:>9,} items, {n_judges} judges, {each} an item"
    print(f"{size}: {seconds:.3f} s, {peak(work):.0f} MB")


def main() -> None:
    """Run all comparisons."""
    for n_items in (1_000, 10_000):
        against_mixed_lm(n_items)
    alone(100_000, 5)
    alone(1_000_000, 5)
    alone(1_000_000, 5, shuffled=True)
    alone(1_000_000, 10)
    crowd(800, 164, 10)
    crowd(10_000, 200, 5)


if __name__ == "__main__":
    main()
