"""Read 100,000 promptfoo results of 3 judges each: panopt beside ``json`` and a loop.

Run it: ``python tests/benchmarks/bench_promptfoo.py [RESULTS]``. Makes JSONL (about 600 MB) and
indented JSON (about 1 GB) in a temporary folder from the rows of a real run; every reader runs in
a process of its own and prints seconds of wall and CPU time, peak memory, and a checksum.
"""

from __future__ import annotations

import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

LOG = Path(__file__).parents[1] / "logs" / "promptfoo" / "panel3.json"
INDENT = " " * 6


def make_rows(count: int) -> Iterator[dict[str, Any]]:
    """Give rows of a real run, each with an item, scores and reasons of its own."""
    rows = json.loads(LOG.read_text(encoding="utf-8"))["results"]["results"]
    draw = random.Random(0)  # noqa: S311 - no secret
    for i in range(count):
        row = rows[i % len(rows)]
        row["id"] = f"00000000-0000-4000-8000-{i:012d}"
        row["testIdx"] = i // 2
        row["promptIdx"] = i % 2
        row["vars"] = {"question": f"question {i // 2}"}
        row["testCase"]["vars"] = row["vars"]
        row["testCase"]["metadata"] = {"item_id": f"item-{i // 2:06d}"}
        for component in row["gradingResult"]["componentResults"]:
            component["score"] = round(draw.random(), 3)
            component["pass"] = component["score"] >= 0.5
            component["reason"] = (
                f"The answer to question {i // 2} is given as {draw.random():.6f}."
            )
            component["metadata"].pop("graderError", None)
        yield row


def make_files(folder: Path, count: int) -> tuple[Path, Path]:
    """Write the same rows as JSONL and as promptfoo's indented JSON."""
    jsonl, pretty = folder / "results.jsonl", folder / "results.json"
    with jsonl.open("w", encoding="utf-8") as lines, pretty.open("w", encoding="utf-8") as file:
        file.write('{\n  "evalId": "eval-bench",\n  "results": {\n    "version": 3,\n')
        file.write('    "prompts": [],\n    "results": [')
        for number, row in enumerate(make_rows(count)):
            lines.write(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n")
            text = json.dumps(row, ensure_ascii=False, indent=2).replace("\n", "\n" + INDENT)
            file.write(("," if number else "") + "\n" + INDENT + text)
        file.write('\n    ],\n    "stats": {}\n  },\n  "config": {}\n}\n')
    return jsonl, pretty


def judgments_of(row: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Take one row apart, as a plain loop would."""
    item = row["testCase"]["metadata"]["item_id"]
    system = row["provider"]["label"]
    return [
        (item, system, part["assertion"]["provider"], part["score"], part["pass"], part["reason"])
        for part in row["gradingResult"]["componentResults"]
    ]


def read_json(path: Path) -> tuple[int, float]:
    """Load the whole file with ``json`` and loop."""
    with path.open("rb") as file:
        rows = json.load(file)["results"]["results"]
    table = [judgment for row in rows for judgment in judgments_of(row)]
    return len(table), sum(judgment[3] for judgment in table)


def read_json_lines(path: Path) -> tuple[int, float]:
    """Load line by line with ``json``."""
    table = []
    with path.open("rb") as file:
        for line in file:
            table += judgments_of(json.loads(line))
    return len(table), sum(judgment[3] for judgment in table)


def read_panopt(
    path: Path, *, rationales: bool = True, low_memory: bool = False
) -> tuple[int, float]:
    """Read, as ``panopt analyze`` does: host, shim, scales and all."""
    import panopt

    reading = panopt.Reading(rationales=rationales, low_memory=low_memory)
    study = panopt.read(path, reading=reading)
    return len(study), float(study.numbers("score").sum())


READERS: dict[str, Callable[[Path], tuple[int, float]]] = {
    "json": read_json,
    "json-lines": read_json_lines,
    "panopt": read_panopt,
    "panopt-no-rationales": lambda path: read_panopt(path, rationales=False),
    "panopt-low-memory": lambda path: read_panopt(path, low_memory=True),
}


def run_one(reader: str, path: Path) -> None:
    """Read in this process and print what it took."""
    start = time.perf_counter()
    count, total = READERS[reader](path)
    wall = time.perf_counter() - start
    used = resource.getrusage(resource.RUSAGE_SELF)
    cpu, peak = used.ru_utime + used.ru_stime, used.ru_maxrss / 1024
    print(json.dumps({"wall": wall, "cpu": cpu, "peak": peak, "n": count, "sum": round(total, 2)}))


def compare(path: Path, readers: list[str]) -> dict[str, dict[str, float]]:
    """Run each reader in a process of its own."""
    print(f"\n{path.name}: {path.stat().st_size / 1e6:,.0f} MB")
    print(f"  {'reader':<22}{'wall s':>8}{'CPU s':>8}{'peak MB':>9}{'judgments':>11}{'sum':>13}")
    found = {}
    for reader in readers:
        command = [sys.executable, __file__, "--one", reader, str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        row = found[reader] = json.loads(done.stdout)
        print(
            f"  {reader:<22}{row['wall']:>8.1f}{row['cpu']:>8.1f}{row['peak']:>9.0f}"
            f"{row['n']:>11,}{row['sum']:>13,.2f}"
        )
    return found


def main() -> None:
    """Make the files, compare the readers, print the ratios."""
    if sys.argv[1:2] == ["--one"]:
        run_one(sys.argv[2], Path(sys.argv[3]))
        return
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with tempfile.TemporaryDirectory() as folder:
        jsonl, pretty = make_files(Path(folder), count)
        compare(jsonl, ["json-lines", "panopt", "panopt-no-rationales"])
        found = compare(pretty, ["json", "panopt", "panopt-no-rationales", "panopt-low-memory"])
    peer, ours = found["json"], found["panopt"]
    print(
        f"\nJSON against json.load and a loop: {peer['wall'] / ours['wall']:.1f} x faster, "
        f"{peer['cpu'] / ours['cpu']:.1f} x less CPU, "
        f"{peer['peak'] / ours['peak']:.1f} x less memory"
    )


if __name__ == "__main__":
    main()
