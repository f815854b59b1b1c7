"""Split conformal against crepes on the same residuals: calibrate, then a million intervals.

Run: python tests/benchmarks/bench_conformal.py
"""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable
from functools import partial

import numpy as np
from crepes import ConformalRegressor
from numpy.typing import NDArray

from panopt.plugins.conformal import split_interval, split_threshold

Floats = NDArray[np.float64]


def measured(work: Callable[[], object], repeats: int = 7) -> tuple[float, float]:
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


def ours(residuals: Floats, prediction: Floats) -> tuple[Floats, Floats]:
    """Calibrate and predict here."""
    bound = split_threshold(residuals, alpha=0.1)
    return split_interval(prediction, bound.value, scale_low=0.0, scale_high=1.0)


def theirs(residuals: Floats, prediction: Floats) -> Floats:
    """Calibrate and predict with crepes."""
    fitted = ConformalRegressor().fit(residuals)
    ends: Floats = fitted.predict_int(prediction, confidence=0.9, y_min=0.0, y_max=1.0)
    return ends


def main() -> None:
    """Print seconds, memory and the ratio at 1e4 and 1e6 responses."""
    rng = np.random.default_rng(0)
    for n in (10**4, 10**6):
        residuals, prediction = np.abs(rng.normal(0, 0.1, n)), rng.random(n)
        low, high = ours(residuals, prediction)
        peer = theirs(residuals, prediction)
        if not (np.array_equal(low, peer[:, 0]) and np.array_equal(high, peer[:, 1])):
            raise SystemExit(f"intervals differ at n = {n}")
        mine = measured(partial(ours, residuals, prediction))
        other = measured(partial(theirs, residuals, prediction))
        print(
            f"n = {n:>7}: panopt {mine[0] * 1e3:7.2f} ms {mine[1]:6.1f} MB, "
            f"crepes {other[0] * 1e3:7.2f} ms {other[1]:6.1f} MB, ratio {other[0] / mine[0]:.1f} x"
        )


if __name__ == "__main__":
    main()
