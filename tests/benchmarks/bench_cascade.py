"""Certified coverage of cascades: judge after judge against one path, on the same draws.

Labels are drawn with replacement from items whose answers are all known, so risk and coverage of
what is certified are exact. Beside them: the panel's certificate (asking every judge), and the
oracle, the greatest coverage that any thresholds of this cascade have at a known risk of alpha.
Sets that may not be copied are read from the folder that PANOPT_SHARED names (../shared if unset).
Run: python tests/benchmarks/bench_cascade.py [draws] [labels]
"""

from __future__ import annotations

import math
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from panopt.stats.cascade import certify_cascade
from panopt.stats.cascade_path import deciding_judge
from panopt.stats.panel_certificate import certify_panel

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Judged = tuple[Floats, Flags]

ITEMS = 20_000
ALPHAS = (0.10, 0.15, 0.20)
#: Quantiles of each judge's confidence among which the oracle looks, by the number of judges.
ORACLE = {1: 400, 2: 200, 3: 48, 4: 20, 5: 12}
SHARED = Path(os.environ.get("PANOPT_SHARED", Path(__file__).parents[3] / "shared"))


def judges(strength: list[float], *, shared: float = 0.4, doubt: float = 0.0) -> Judged:
    """Give judges whose errors are correlated; with `doubt` the weaker state theirs wildly."""
    rng = np.random.default_rng(0)
    common, own = rng.normal(size=(ITEMS, 1)), rng.normal(size=(ITEMS, len(strength)))
    margin = np.array(strength) + 1.5 * (math.sqrt(shared) * common + math.sqrt(1 - shared) * own)
    stated = np.abs(2.0 * margin)
    if doubt:
        wild = rng.normal(size=stated.shape) * [4.0, 2.0, 0.7]
        stated = np.abs(stated * [4.0, 1.0, 0.35] + doubt * wild)
    return 1.0 / (1.0 + np.exp(-stated)), margin > 0.0


def shaped(shape: str) -> Judged:
    """Give three judges whose risk is a function of their confidence's rank."""
    rng = np.random.default_rng(1)
    u = rng.random((ITEMS, 3))
    risk = {
        "spikes": np.where((u * 8) % 1 < 0.25, 0.42, 0.005),
        "sure and wrong": np.where(u > 0.92, 0.6, np.where(u > 0.5, 0.02, 0.5)),
        "useless": np.full(u.shape, 0.5),
        "below chance": 0.6 + 0.2 * u,
    }[shape]
    return u, rng.random(u.shape) >= risk


def real(name: str) -> Judged:
    """Give the judges of a real set, weak to strong."""
    table = pq.read_table(SHARED / "data" / "sets" / name / "scores.parquet").to_pandas()
    if name == "llm_rubric":  # one judge, by token probabilities
        human = table.query("judge_kind == 'human'").groupby(["item_id", "task"]).score.mean()
        rows = table.query("judge_kind == 'llm'").join(
            human.rename("human"), on=["item_id", "task"], how="inner"
        )
        rows = rows.dropna(subset=["human"])
        high = (rows.p3 + rows.p4).to_numpy()
        c, a = np.maximum(high, 1 - high), (high >= 0.5) == (rows.human >= 2.5).to_numpy()
        return c[:, None], a[:, None]
    if name == "judgebench_rm":  # margins of five reward models
        rows = table.query("judge_kind == 'metric' and order == 0")
        margin = rows.pivot_table(index="item_id", columns="judge", values="margin")
        right = rows.groupby("item_id").label.first().reindex(margin.index).to_numpy() == 1
        c, a = np.abs(margin.to_numpy()), (margin.to_numpy() > 0) == right[:, None]
    else:  # vote shares of three panels of three judges
        rows = table.query("judge_kind == 'llm'")
        votes = rows.pivot_table(index="item_id", columns="judge", values="score")
        right = rows.groupby("item_id").label.first().reindex(votes.index).to_numpy() == 1
        order = votes.eq(right.astype(float), axis=0).mean().sort_values().index
        share = np.stack(
            [votes[order[i : i + 3]].mean(axis=1).to_numpy() for i in (0, 3, 6)], axis=1
        )
        c, a = np.maximum(share, 1 - share), (share > 0.5) == right[:, None]
    weak_to_strong = np.argsort(a.mean(axis=0), kind="stable")
    return c[:, weak_to_strong], a[:, weak_to_strong]


def populations() -> dict[str, Judged]:
    """List the sets; real ones only where they are at hand."""
    c, a = judges([0.8, 1.1, 1.4])
    found = {
        "like the paper's": judges([0.75, 1.0, 1.3]),
        "weak and cheap": judges([0.1, 0.3, 1.6]),
        "correlated": judges([0.8, 0.9, 1.0], shared=0.8),
        "miscalibrated": judges([0.75, 1.0, 1.3], doubt=1.0),
        "five values": (np.ceil(c * 10) / 10, a),
        **{name: shaped(name) for name in ("spikes", "sure and wrong", "useless", "below chance")},
    }
    for name in ("triviaqa_judges_dev", "llm_rubric", "judgebench_rm"):
        if (SHARED / "data" / "sets" / name).is_dir():
            found[name] = real(name)
        else:
            print(f"{name}: not found under {SHARED}")
    return found


def oracle(population: Judged) -> list[float]:
    """Give the greatest coverage of thresholds on a grid whose known risk is at most alpha."""
    c, a = population
    items, count = c.shape
    steps = ORACLE[count]
    place = np.zeros(c.shape, dtype=np.intp)
    sizes = []
    for m in range(count):
        known = c[~np.isnan(c[:, m]), m]
        quantiles = np.linspace(0, 1, steps + 1)[1:-1]
        cuts = np.unique(np.quantile(known, quantiles, method="higher"))
        at = np.searchsorted(cuts, np.nan_to_num(c[:, m], nan=-np.inf), side="right") + 1
        place[:, m] = np.where(np.isnan(c[:, m]), 0, at)
        sizes.append(len(cuts) + 2)
    accepted, errs = np.zeros((1,) * count), np.zeros((1,) * count)
    for m in range(count):
        shape = tuple(sizes[: m + 1])
        cell = np.ravel_multi_index(tuple(place[:, : m + 1].T), shape)
        parts = []
        for weight in (np.ones(items), ~a[:, m]):
            mass = np.bincount(cell, weight, math.prod(shape)).reshape(shape) / items
            for axis in range(m):  # the judges before are below their thresholds
                mass = np.insert(np.cumsum(mass, axis=axis), 0, 0.0, axis=axis)
            mass = np.flip(np.cumsum(np.flip(mass, m), axis=m), m)  # this one reaches its own
            mass = np.insert(mass, mass.shape[m], 0.0, axis=m)
            inner = mass[tuple(slice(1, None) for _ in range(m + 1))]
            parts.append(inner.reshape(inner.shape + (1,) * (count - m - 1)))
        accepted, errs = accepted + parts[0], errs + parts[1]
    return [
        float(np.max(np.where(errs <= alpha * accepted + 1e-12, accepted, 0.0))) for alpha in ALPHAS
    ]


def certified(
    population: Judged,
    draws: int,
    n: int,
    **options: Any,  # noqa: ANN401 - any option of the certificate
) -> tuple[Floats, float, float]:
    """Give coverage in each draw, the share of draws that keep the promise, and milliseconds."""
    c, a = population
    coverage, kept, took = np.zeros(draws), 0, 0.0
    for seed in range(draws):
        rng = np.random.default_rng(seed)
        rows = rng.integers(0, len(c), n)
        start = time.process_time()
        found = certify_cascade(c[rows], a[rows], rng=rng, unit=False, **options)
        took += time.process_time() - start
        judge = deciding_judge(c, found.thresholds)
        accepted = np.flatnonzero(judge >= 0)
        coverage[seed] = len(accepted) / len(c)
        risk = float(np.mean(~a[accepted, judge[accepted]])) if len(accepted) else 0.0
        kept += risk <= options["alpha"] + 1e-12
    return coverage, kept / draws, took / draws * 1e3


def panel(population: Judged, draws: int, n: int, alpha: float) -> float | None:
    """Give the mean coverage of the mean probability of all judges; None for margins."""
    c, a = population
    if c.max() > 1.0:
        return None
    kept = 0.0
    for seed in range(draws):
        rng = np.random.default_rng(seed)
        rows = rng.integers(0, len(c), n)
        found = certify_panel(c[rows], a[rows], alpha=alpha, rng=rng)
        kept += float(np.mean(found.decide(c, a) >= 0)) / draws
    return kept


def main() -> None:
    """Print a row a set and alpha: coverages, their paired difference, success, milliseconds."""
    given = [int(x) for x in sys.argv[1:]]
    draws, n = (*given, *(200, 500)[len(given) :])
    print(f"{draws} draws of {n} labels, delta = 0.1; success is of per stage, joint path")
    print(f"{'set':20} alpha  stage  joint  joint - stage (se)  panel oracle  success      ms")
    for name, population in populations().items():
        for alpha, best in zip(ALPHAS, oracle(population), strict=True):
            stage, safe, slow = certified(population, draws, n, alpha=alpha, method="per_stage")
            joint, sound, ms = certified(population, draws, n, alpha=alpha)
            gain = joint - stage
            error = gain.std() / math.sqrt(draws)
            mean = panel(population, min(draws, 100), n, alpha)
            shown = "    -" if mean is None else f"{mean:.3f}"
            print(
                f"{name:20} {alpha:.2f}  {stage.mean():.3f}  {joint.mean():.3f}  "
                f"{gain.mean():+.3f} ({error:.3f})      {shown}  {best:.3f}  "
                f"{safe:.3f} {sound:.3f}  {slow:.1f} {ms:.1f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
