"""Label-corrected means beside ppi-python, in one run: the same numbers, time and memory.

Run in an environment that has both: ``python tests/benchmarks/bench_ppi.py``. Where ppi-python is
not installed, its formula stands for it (a dozen numpy lines of its ``ppi_mean_ci``).
"""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from panopt.stats.ppi import ppi_mean

Floats = NDArray[np.float64]


def plain(y: Floats, f: Floats, pool: Floats, lam: float) -> tuple[float, float]:
    """Give the published interval."""
    value = (lam * pool).mean() + (y - lam * f).mean()
    se = np.sqrt((lam * pool).var() / len(pool) + (y - lam * f).var() / len(y))
    return float(value - 1.959963984540054 * se), float(value + 1.959963984540054 * se)


def peer() -> tuple[str, Callable[..., tuple[float, float]]]:
    """Find ppi-python, or its formula."""
    try:
        from ppi_py import ppi_mean_ci  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        return "formula of ppi-python", plain

    def interval(y: Floats, f: Floats, pool: Floats, lam: float) -> tuple[float, float]:
        low, high = ppi_mean_ci(y, f, pool, alpha=0.05, lam=lam)
        return float(np.ravel(low)[0]), float(np.ravel(high)[0])

    return "ppi-python", interval


def measured(work: Callable[[], Any]) -> tuple[Any, float, float]:
    """Give the result, the best CPU seconds of five runs, and the peak of memory in MB."""
    seconds = []
    for _ in range(5):
        start = time.process_time()
        work()
        seconds.append(time.process_time() - start)
    tracemalloc.start()
    result = work()
    peak = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    return result, min(seconds), peak


def main() -> None:
    """Compare at a fixed lambda, and time the default."""
    name, interval = peer()
    rng = np.random.default_rng(0)
    for n, others in ((1000, 100_000), (10_000, 1_000_000)):
        y = rng.random(n)
        f, pool = y + 0.2 * rng.normal(size=n), rng.random(others) + 0.2 * rng.normal(size=others)
        ppi_mean(y, f, pool)  # imports scipy
        theirs, their_time, their_memory = measured(lambda: interval(y, f, pool, 0.7))  # noqa: B023
        ours, our_time, our_memory = measured(lambda: ppi_mean(y, f, pool, lam=0.7))  # noqa: B023
        np.testing.assert_allclose((ours.low, ours.high), theirs, atol=1e-10)
        print(
            f"{n:,} labels, {others:,} others: lambda .7, time {their_time / our_time:.1f}x and "
            f"memory {their_memory / our_memory:.1f}x those of {name} saved"
        )
        found, fitted_time, fitted_memory = measured(lambda: ppi_mean(y, f, pool))  # noqa: B023
        assert found.low <= found.value <= found.high
        print(
            f"  default (lambda fitted, jackknife): {fitted_time / our_time:.1f}x the time and "
            f"{fitted_memory / our_memory:.1f}x the memory of a given lambda"
        )


if __name__ == "__main__":
    main()
