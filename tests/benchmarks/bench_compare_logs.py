"""``panopt compare`` as a user runs it: four logs, and a table of 100,000 items, start to end.

The peer for numbers is scipy on the same scores, read by itself; the limit for four logs is 3 s.
Run: python tests/benchmarks/bench_compare_logs.py [FOLDER OF LOGS]
"""

from __future__ import annotations

import csv
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

ITEMS = 100_000
PANOPT = Path(sys.executable).with_name("panopt")
DATA = Path(os.environ.get("PANOPT_SHARED", Path(__file__).parents[3] / "shared")) / "data"
LOGS = DATA / "logs" / "inspect" / "popularity"


def run(*words: str | Path) -> tuple[dict[str, Any], float, float]:
    """Give the report of a command, its wall and its CPU seconds (the least of three)."""
    wall = cpu = float("inf")
    done = None
    for _ in range(3):
        begun = resource.getrusage(resource.RUSAGE_CHILDREN)
        start = time.perf_counter()
        done = subprocess.run(
            [str(PANOPT), *map(str, words), "--json"], check=True, capture_output=True, text=True
        )
        wall = min(wall, time.perf_counter() - start)
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent = ended.ru_utime + ended.ru_stime - begun.ru_utime - begun.ru_stime
        cpu = min(cpu, spent)
    assert done is not None
    report: dict[str, Any] = json.loads(done.stdout)
    return report, wall, cpu


def four_logs(folder: Path) -> None:
    """Time the comparison of all logs of a folder."""
    logs = sorted(folder.glob("*.eval"))
    told, wall, cpu = run("compare", *logs)
    pairs = told["comparisons"][0]["pairs"]
    print(f"{len(logs)} logs, {len(pairs)} pairs: {wall:.2f} s wall, {cpu:.2f} s CPU (limit 3)")


def large_table(folder: Path) -> None:
    """Time two systems on many items, and check the numbers against scipy's."""
    rng = np.random.default_rng(0)
    scores = rng.integers(0, 2, size=(2, ITEMS))
    table = folder / "judged.csv"
    with table.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["item", "system", "judge", "score"])
        for name, column in zip("ab", scores.tolist(), strict=True):
            writer.writerows((f"i{k}", name, "m", value) for k, value in enumerate(column))
    for method in ("t", "bca"):
        told, wall, cpu = run("compare", table, "--method", method)
        (pair,) = told["comparisons"][0]["pairs"]
        start = time.process_time()
        peer = stats.ttest_rel(*scores)
        ends = peer.confidence_interval(0.95)
        discordant = scores[0] != scores[1]
        wins = stats.binomtest(int(scores[0][discordant].sum()), int(discordant.sum()))
        spent = time.process_time() - start
        assert abs(pair["p"] - wins.pvalue) < 1e-9
        assert abs(pair["value"] - float(np.mean(scores[0] - scores[1]))) < 1e-12
        assert abs(pair["low"] - float(ends.low)) < 2e-4
        print(
            f"{ITEMS:,} items, {method}: {wall:.2f} s wall, {cpu:.2f} s CPU; "
            f"scipy alone {spent:.3f}"
        )


if __name__ == "__main__":
    place = Path(sys.argv[1]) if len(sys.argv) > 1 else LOGS
    if place.is_dir():
        four_logs(place)
    else:
        print(f"no logs at {place}")
    with tempfile.TemporaryDirectory() as made:
        large_table(Path(made))
