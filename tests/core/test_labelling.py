from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import panopt
from panopt.errors import AskError, OutputError
from panopt.labelling import SHEET, label_sheet, write_label_sheet
from panopt.records.report import Report

Run = Callable[..., Any]


@pytest.fixture
def report() -> Report:
    """Two systems of 60 and 30 responses, ten of which have labels, and two judges."""
    rng = np.random.default_rng(0)
    rows = [
        {"item": f"i{i:02d}", "system": system, "judge": judge, "judge_kind": kind}
        for system, n in (("a", 60), ("b", 30))
        for i in range(n)
        for judge, kind in (("x", "llm"), ("y", "llm"), ("ann", "human"))
        if kind == "llm" or (system == "a" and i < 10)
    ]
    columns: dict[str, Any] = {name: [row[name] for row in rows] for name in rows[0]}
    columns["score"] = rng.integers(0, 2, len(rows)).astype(float).tolist()
    study = panopt.Study.from_columns({**columns, "scale": "binary"})
    return panopt.analyze(study, panopt.Ask(n_boot=0))


def lines(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_a_sheet_spreads_over_systems_and_leaves_labelled_ones_out(report: Report) -> None:
    rows = lines(label_sheet(report, 16))
    assert len({(row["system"], row["item"]) for row in rows}) == len(rows) == 16
    systems = [row["system"] for row in rows]
    assert (systems.count("a"), systems.count("b")) == (10, 6)  # of 50 and 30 unlabelled
    assert all(int(row["item"][1:]) >= 10 for row in rows if row["system"] == "a")
    assert {row["inclusion_probability"] for row in rows} == {"0.2"}
    assert {row["score"] for row in rows} == {""}
    assert label_sheet(report, 16) == label_sheet(report, 16)


def test_a_sheet_holds_at_most_what_there_is(report: Report) -> None:
    assert len(lines(label_sheet(report, 500))) == 80


def test_a_sheet_of_nothing_is_refused(report: Report) -> None:
    with pytest.raises(AskError, match="option label-next = 0: must be at least 1"):
        label_sheet(report, 0)
    study = panopt.Study.from_columns(
        {"item": ["i", "i"], "judge": ["x", "ann"], "judge_kind": ["llm", "human"], "score": [1, 1]}
    )
    with pytest.raises(AskError, match="every response has a human label"):
        label_sheet(panopt.analyze(study), 5)


def test_a_sheet_is_never_written_over(report: Report, tmp_path: Path) -> None:
    first = write_label_sheet(report, 5, tmp_path)
    assert (first.state, first.target) == ("written", str(tmp_path / SHEET))
    assert write_label_sheet(report, 5, tmp_path).state == "unchanged"
    filled = (tmp_path / SHEET).read_text().replace(",,,", ",ann,1,")
    (tmp_path / SHEET).write_text(filled)
    with pytest.raises(OutputError, match="people may have filled in"):
        write_label_sheet(report, 5, tmp_path)
    assert (tmp_path / SHEET).read_text() == filled


@pytest.mark.parametrize("who", ["ann", ""])
def test_a_filled_sheet_is_read_as_labels(run: Run, table: Callable[..., Path], who: str) -> None:
    source = table(n=60)
    folder = source.parent / "out"
    asked = run("analyze", source, "--label-next", "20", "--out", folder, "--bootstrap", "0")
    assert asked.code == 0
    assert SHEET in asked.out.replace("\n", "")
    sheet = folder / SHEET
    rows = lines(sheet.read_text())
    assert len(rows) == 20
    for i, row in enumerate(rows):
        row |= {"judge": who, "score": str(i % 3 % 2)}
    with sheet.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    done = run("analyze", source, "--labels", sheet, "--json", "--bootstrap", "0")
    assert done.code == 0, done.err
    found = json.loads(done.out)["criteria"][0]["findings"]
    mean = next(one for one in found if one["name"] == "ppi_mean")
    assert (mean["n"], mean["details"]["n_unlabeled"]) == (20, 40)
    shown = run("analyze", source, "--labels", sheet, "--bootstrap", "0")
    assert "mean by humans" in shown.out
    again = run("analyze", source, "--label-next", "20", "--out", folder, "--overwrite")
    assert again.code == 2
    assert "people may have filled in" in again.err


def test_label_next_below_one_is_refused(
    fails: Callable[..., str], table: Callable[..., Path]
) -> None:
    message = fails("analyze", table(), "--label-next", "0")
    assert "option --label-next 0: must be at least 1" in message


def test_a_sheet_filled_from_the_top_is_a_random_part(report: Report) -> None:
    of_a = []
    for seed in range(60):
        ask = report.ask.model_copy(update={"seed": seed})
        rows = lines(label_sheet(replace(report, ask=ask), 16))[:8]
        of_a.append(np.mean([row["system"] == "a" for row in rows]))
    # Eight of 16 rows without replacement: 50 of 80 unlabelled responses are of system a.
    error = np.sqrt(0.625 * 0.375 / 8 * 8 / 15 / 60)
    assert abs(np.mean(of_a) - 0.625) < 3 * error
