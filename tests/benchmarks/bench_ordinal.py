"""Ordinal probit against the same likelihood written out item by item, and by itself at size.

No package at hand fits judges with offsets and noises on shared cutpoints, so the peer is the
textbook: a dense integral over Gauss-Hermite nodes, maximised by scipy's BFGS without gradients.
Both maximise the same penalised likelihood; their parameters and values are compared. Further
figures stand alone. Run: python tests/benchmarks/bench_ordinal.py
"""

from __future__ import annotations

import os
import time
import tracemalloc
from collections.abc import Callable
from typing import TypeVar

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # CPU seconds: no thread spins beside the one at work

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.stats import norm

from panopt.plugins.ordinal import OrdinalProbit, ordinal_probit

Result = TypeVar("Result")
Floats = NDArray[np.float64]
Rows = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]
FIVE = np.array([-1.2, -0.4, 0.3, 1.1])


def simulate(n_items: int, noise: Floats, cutpoints: Floats, each: int | None = None) -> Rows:
    """Draw levels in long format; with `each`, so many judges an item, drawn at random."""
    rng = np.random.default_rng(0)
    if each is None:
        item, judge = np.divmod(np.arange(n_items * noise.size), noise.size)
    else:
        item = np.repeat(np.arange(n_items), each)
        judge = rng.integers(0, noise.size, item.size)
    offset = np.linspace(-0.4, 0.4, noise.size)
    latent = rng.standard_normal(n_items)[item] + offset[judge]
    latent += noise[judge] * rng.standard_normal(item.size)
    return item, judge, np.searchsorted(cutpoints, latent)


def timed(work: Callable[[], Result], repeats: int = 1) -> tuple[Result, float]:
    """Give the result and the least CPU seconds of a call."""
    least, result = np.inf, None
    for _ in range(repeats):
        start = time.process_time()
        result = work()
        least = min(least, time.process_time() - start)
    assert result is not None
    return result, least


def textbook(table: NDArray[np.int64]) -> tuple[Floats, float]:
    """Maximise the penalised likelihood of a full table of three judges, all gains 1."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    log_weights = np.log(weights / weights.sum())

    def loss(x: Floats) -> float:
        cut = x[0] + np.concatenate(([0.0], np.cumsum(np.exp(x[1:4]))))
        offset, noise = np.array([x[4], x[5], -x[4] - x[5]]), np.exp(x[6:])
        edges = np.concatenate(([-np.inf], cut, [np.inf]))
        z = (edges[:, None, None] - offset[:, None] - nodes) / noise[:, None]
        p = np.maximum(np.diff(norm.cdf(z), axis=0), 1e-300)
        log = np.log(p[table, np.arange(3)]).sum(axis=1) + log_weights
        mean = np.log(noise).mean()
        mass = np.maximum(np.diff(norm.cdf(edges)), 1e-12)
        prior = np.log(mass).sum() / 5 - (offset**2).sum() / 2 / 2.5**2
        prior -= ((np.log(noise) - mean) ** 2).sum() / 2 + mean**2 / 2 / 1.5**2
        return -float(np.logaddexp.reduce(log, axis=1).sum() + prior)

    start = np.concatenate(([-1.5], np.zeros(8)))
    found = minimize(loss, start, method="BFGS", options={"gtol": 1e-2})
    return np.asarray(found.x), float(found.fun)


def against_textbook(n_items: int) -> None:
    """Print one comparison; the parameters must agree."""
    item, judge, level = simulate(n_items, np.array([0.5, 0.8, 1.2]), FIVE)
    (x, _), seconds = timed(lambda: textbook(level.reshape(n_items, 3)))
    panel, ours = timed(
        lambda: ordinal_probit(item, judge, level, n_levels=5, gains=False), repeats=5
    )
    difference = max(
        float(np.abs(panel.judge_noise - np.exp(x[6:])).max()),
        float(np.abs(panel.judge_offset[:2] - x[4:6]).max()),
        abs(float(panel.cutpoints[0] - x[0])),
    )
    assert difference < 5e-3, difference
    print(
        f"{n_items:>9,} x 3, 5 levels: textbook {seconds:8.2f} s, panopt {ours:.3f} s with its "
        f"standard errors, ratio {seconds / ours:,.0f}; parameters differ by {difference:.0e}"
    )


def alone(name: str, rows: Rows, noise: Floats, n_levels: int) -> None:
    """Print time, memory and error without a peer."""

    def work() -> OrdinalProbit:
        return ordinal_probit(*rows, n_levels=n_levels)

    panel, seconds = timed(work)
    tracemalloc.start()
    work()
    most = tracemalloc.get_traced_memory()[1] / 2**20
    tracemalloc.stop()
    error = float(np.abs(np.log(panel.judge_noise / noise)).max())
    print(
        f"{name:>40}: {seconds:6.2f} s, {most:.0f} MB; {panel.n_iter} steps; "
        f"noise off by {error:.1%} at most"
    )


def main() -> None:
    """Run all comparisons."""
    for n_items in (300, 3000):
        against_textbook(n_items)
    five = np.array([0.3, 0.5, 0.8, 1.0, 1.5])
    for n_items in (1_000, 100_000, 1_000_000):
        alone(f"{n_items:,} x 5, 5 levels", simulate(n_items, five, FIVE), five, 5)
    fine = np.linspace(-2, 2, 12)
    alone("100,000 x 5, 13 levels", simulate(100_000, five, fine), five, 13)
    crowd = np.linspace(0.5, 1.5, 200)
    alone("10,000 items, 5 each of 200 judges", simulate(10_000, crowd, FIVE, 5), crowd, 5)


if __name__ == "__main__":
    main()
