"""The study of promises: its tables are what it writes, what the README shows, and kept."""

from __future__ import annotations

import csv
import math
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyarrow import parquet

ROOT = Path(__file__).parents[1]
STUDY = ROOT / "examples" / "trust_or_escalate"
SETS = ("simulated judges", "LLMBar", "LLM-Rubric")
FIXED = {"no selection", "heuristic", "cascaded heuristic"}
PROMPTS = [
    *("CoT", "Metrics", "Metrics_Reference", "Reference"),
    *("Swap", "Swap_CoT", "Vanilla", "Vanilla_NoRules"),
]
Rows = list[list[str]]


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, STUDY / "study.py", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


def tables(text: str) -> dict[str, Rows]:
    """Give the rows below each heading that has a table, without its ruler."""
    found: dict[str, Rows] = {}
    heading = ""
    for line in text.splitlines():
        if line.startswith("#"):
            heading = line.lstrip("# ")
        elif line.startswith("| "):
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            found.setdefault(heading, []).append(cells)
    return found


def committed() -> dict[str, Rows]:
    return tables((STUDY / "table.md").read_text(encoding="utf-8"))


def by_method(rows: Rows) -> dict[str, list[str]]:
    return {row[0]: row for row in rows[1:]}


def fields(rows: Rows) -> Iterator[tuple[str, list[float]]]:
    """Give the methods that promise, and their success in the known population."""
    for row in rows[1:]:
        if row[0].startswith("**"):
            yield row[0], [float(number) for number in re.findall(r"[\d.]+", row[3])]


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("study")
    done = run("--splits", "8", "--out", out)
    assert done.returncode == 0, done.stderr
    assert "accepts" in done.stdout
    return out


def test_T_4_command_writes_the_tables_that_are_there(quick: Path) -> None:
    """Fixed thresholds accept the same whatever labels are drawn: these rows must agree."""
    made, there = tables((quick / "table.md").read_text(encoding="utf-8")), committed()
    assert list(made) == list(there)
    compared = 0
    for heading, rows in made.items():
        old = by_method(there[heading])
        assert rows[0] == there[heading][0]
        if ", risk at most" not in heading:
            assert [row[:2] for row in rows] == [row[:2] for row in there[heading]]
            continue
        assert list(by_method(rows)) == list(old)
        for name in FIXED & old.keys():
            row = by_method(rows)[name]
            for column in (1, 2, 5, 6):
                assert row[column] == old[name][column], (heading, name)
            assert row[3].split(" ")[0] == old[name][3].split(" ")[0]
            compared += 1
    assert compared == 3 * (3 + 3 + 2)
    ET.parse(quick / "methods.svg")  # noqa: S314 - ours


def test_T_4_promises_are_kept_in_the_known_population() -> None:
    text = (STUDY / "table.md").read_text(encoding="utf-8")
    splits = re.search(r"([\d,]+) replays of each method, delta ([\d.]+)", text)
    assert splits is not None
    n, delta = int(splits[1].replace(",", "")), float(splits[2])
    assert n == 1000
    least = 100 * (1 - delta - 3 * math.sqrt(delta * (1 - delta) / n))
    promising = [
        (heading, method, success[0])
        for heading, rows in committed().items()
        if ", risk at most" in heading
        for method, success in fields(rows)
    ]
    assert len(promising) == 3 * (3 + 3 + 1)
    for heading, method, success in promising:
        assert success >= least, (heading, method)


def test_readme_shows_the_tables_of_the_study() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"<!-- study: (.+?) -->\n(.*?)\n<!-- /study -->", readme, re.DOTALL)
    assert [heading for heading, _ in blocks] == [
        "LLMBar, risk at most 0.15",
        "What is accepted under a promise",
    ]
    there = committed()
    for heading, block in blocks:
        assert tables(f"# {heading}\n{block}")[heading] == there[heading]
    assert "(examples/trust_or_escalate/methods.svg)" in readme


def test_summary_is_of_the_tables_below_it() -> None:
    there = committed()
    head, *rows = there["What is accepted under a promise"]
    assert {row[0] for row in rows} == set(SETS)
    for name, alpha, *cells in rows:
        full = by_method(there[f"{name}, risk at most {alpha}"])
        for method, cell in zip(head[2:], cells, strict=True):
            row = full.get(f"**{method}**")
            known = "-" if row is None else f"{row[2]} ({row[3].split(' ')[0]})"
            assert cell == known


def test_sets_of_others_need_a_place_of_their_own(tmp_path: Path) -> None:
    done = run("--shared", tmp_path)
    assert done.returncode == 2
    assert "--shared needs --out" in done.stderr


def test_pairs_are_counted_as_the_source_has_them(shared: Path) -> None:
    data = parquet.read_table(shared / "data" / "sets" / "llmbar" / "scores.parquet").to_pylist()
    for_one: dict[tuple[str, str], int] = {}
    verdicts: dict[tuple[str, str], int] = {}
    for row in data:
        if row["prompt_variant"] in PROMPTS and row["score"] in {0, 1}:
            key = (row["item_id"].lower().removeprefix("llmbar-"), row["judge"])
            for_one[key] = for_one.get(key, 0) + int(row["score"])
            verdicts[key] = verdicts.get(key, 0) + 1
    gold = {row["item_id"].lower().removeprefix("llmbar-"): row["label"] for row in data}
    with (STUDY / "llmbar.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(gold) == 419
    for row in rows:
        assert int(row["gold"]) == gold[row["item"]]
        for judge in ("ChatGPT", "PaLM2", "GPT-4"):
            key = (row["item"], judge)
            assert int(row[f"{judge} for 1"]) == for_one.get(key, 0)
            assert int(row[f"{judge} verdicts"]) == verdicts.get(key, 0)


def test_dialogues_are_judged_as_the_source_has_them(shared: Path) -> None:
    source = shared / "data" / "sets" / "llm_rubric" / "scores.parquet"
    passing: dict[tuple[str, str], float] = {}
    people: dict[tuple[str, str], list[float]] = {}
    for row in parquet.read_table(source).to_pylist():
        key = (row["item_id"], row["task"])
        if row["judge_kind"] == "llm":
            passing[key] = row["p3"] + row["p4"]
        elif row["score"] is not None and not math.isnan(row["score"]):
            people.setdefault(key, []).append(row["score"])
    with (STUDY / "llm_rubric.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {(row["dialogue"], row["question"]) for row in rows} == people.keys() & passing.keys()
    for row in rows:
        key = (row["dialogue"], row["question"])
        assert float(row["p 3 or 4"]) == pytest.approx(passing[key], abs=6e-6)
        mean = sum(people[key]) / len(people[key])
        assert float(row["human mean"]) == pytest.approx(mean, abs=6e-4)


@pytest.mark.slow
def test_T_4_tables_are_what_the_command_writes(tmp_path: Path) -> None:
    done = run("--out", tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "table.md").read_bytes() == (STUDY / "table.md").read_bytes()
