"""A million judgments as columns: CPU seconds and peak memory of building, settling and viewing.

Run ``python tests/benchmarks/bench_study.py [--rows N]``. Every form of the columns is measured in
a process of its own, after imports; memory is the peak of the whole process, inputs and imports
included (``input`` is what was there before). The peer is pandas: categories and a pivot table.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

JUDGES = 5
FORMS = ("lists", "numpy", "arrow", "dictionaries", "csv", "pandas")
Laps = list[tuple[str, float, float]]


def columns_of(form: str, n: int) -> dict[str, Any]:
    """Give five judges of n / 5 items, in one form of columns."""
    import pyarrow as pa

    item, judge = np.arange(n) // JUDGES, np.arange(n) % JUDGES
    score = np.random.default_rng(0).integers(1, 6, n).astype(float)
    if form == "dictionaries":
        items = pa.array([f"item-{i}" for i in range(n // JUDGES + 1)])
        judges = pa.array([f"judge-{i}" for i in range(JUDGES)])
        coded = pa.DictionaryArray.from_arrays
        return {
            "item": coded(pa.array(item.astype(np.int32)), items),
            "judge": coded(pa.array(judge.astype(np.int32)), judges),
            "score": pa.array(score),
        }
    names = {
        "item": [f"item-{i}" for i in item.tolist()],
        "judge": [f"judge-{i}" for i in judge.tolist()],
    }
    if form in {"numpy", "pandas"}:
        return {**{name: np.array(values) for name, values in names.items()}, "score": score}
    if form == "arrow":
        return {**{name: pa.array(values) for name, values in names.items()}, "score": score}
    return {**names, "score": score.tolist()}


def peak() -> float:
    """Peak memory of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(form: str, n: int, folder: str, pipe: Connection) -> None:
    """Run one form and send its laps."""
    laps: Laps = []

    def lap(name: str, work: Callable[[], Any]) -> Any:  # noqa: ANN401
        start = time.process_time()
        done = work()
        laps.append((name, time.process_time() - start, peak()))
        return done

    if form == "pandas":
        in_pandas(columns_of(form, n), lap)
    else:
        in_panopt(form, n, folder, lap)
    pipe.send(laps)


def in_panopt(form: str, n: int, folder: str, lap: Callable[..., Any]) -> None:
    """Build, settle and view a study."""
    from panopt.records import matrix as _  # noqa: F401 - imports are not measured
    from panopt.records.ask import Reading
    from panopt.records.settle import settle_scales
    from panopt.records.source import SourceFile
    from panopt.records.study import Study
    from panopt.shims.tables.read import read_table

    settle_scales(Study.from_columns({"item": ["a"], "judge": ["b"], "score": [1.0]}), {})
    if form == "csv":
        path = Path(folder) / "judgments.csv"
        columns = columns_of("lists", n)
        with path.open("w", encoding="utf-8") as file:
            file.write("item,judge,score\n")
            file.writelines(f"{i},{j},{s:g}\n" for i, j, s in zip(*columns.values(), strict=True))
        del columns
        lap("input", lambda: None)
        study = lap("build", lambda: read_table(SourceFile(str(path)), Reading()))
    else:
        columns = columns_of(form, n)
        lap("input", lambda: None)
        study = lap("build", lambda: Study.from_columns(columns))
    assert len(study) == n
    settled = lap("settle", lambda: settle_scales(study, {})[0])
    matrix = lap("matrix", lambda: settled.matrix("score"))
    scores = lap("scores", matrix.scores)
    assert scores.shape == (n // JUDGES, JUDGES)
    lap("digest", lambda: settled.digest)


def in_pandas(columns: dict[str, Any], lap: Callable[..., Any]) -> None:
    """Do with pandas what leads to the same matrix."""
    import pandas as pd

    lap("input", lambda: None)
    frame = lap(
        "build", lambda: pd.DataFrame(columns).astype({"item": "category", "judge": "category"})
    )
    pivot = lap(
        "matrix",
        lambda: frame.pivot_table(index="item", columns="judge", values="score", observed=True),
    )
    assert pivot.shape[1] == JUDGES


def main() -> None:
    """Print a table, a row a form and step."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    n = parser.parse_args().rows
    n -= n % JUDGES
    spawn = multiprocessing.get_context("spawn")
    build: dict[str, float] = {}
    print(f"{n:,} judgments of {JUDGES} judges")
    with tempfile.TemporaryDirectory() as folder:
        for form in FORMS:
            ours, theirs = spawn.Pipe(duplex=False)
            process = spawn.Process(target=measure, args=(form, n, folder, theirs))
            process.start()
            laps: Laps = ours.recv()
            process.join()
            for name, seconds, megabytes in laps:
                print(f"{form:<13} {name:<7} {seconds:7.3f} s  peak {megabytes:6.0f} MB")
            build[form] = sum(s for name, s, _ in laps if name in {"build", "settle", "matrix"})
    print(f"from arrays to a matrix, pandas / panopt: {build['pandas'] / build['numpy']:.2f}")


if __name__ == "__main__":
    main()
