from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from panopt.analysis import analyze
from panopt.findings import Finding, Findings
from panopt.reading import read
from panopt.records.ask import Ask
from panopt.records.report import Problem, Report
from panopt.records.study import Study
from panopt.responses import responses_table


@pytest.fixture
def report(table: Callable[..., Path]) -> Report:
    text = "item,judge,system,task,score\n"
    for i in range(6):
        for j, judge in enumerate("xyz"):
            text += f"i{i},{judge},s{i % 2},tone,{(i + j) % 2}\n"
    text += "i0,x,s0,facts,\ni1,x,s1,facts,1\n"
    return analyze(read(table("log.csv", text)))


def test_the_json_form_is_plain_and_reproducible(report: Report) -> None:
    found = report.to_dict()
    text = json.dumps(found, allow_nan=False, sort_keys=False)
    assert json.loads(text) == found
    assert json.dumps(analyze(report.study).to_dict()) == text
    assert found["schema"] == 1
    assert found["judgments"] == 20
    assert found["ask"] == Ask().model_dump(mode="json")
    assert [part["criterion"] for part in found["criteria"]] == ["facts", "tone"]
    assert found["criteria"][1]["judges"] == ["x", "y", "z"]
    assert found["criteria"][1]["systems"] == ["s0", "s1"]
    assert {"panopt", "numpy", "scipy", "pyarrow", "plugin tables"} <= set(found["versions"])
    counts = found["sources"][0]["counts"]
    assert (counts["completed"], counts["scored"]) == (6, 6)


def test_warnings_come_from_everywhere_and_once(report: Report) -> None:
    row = Finding(
        plugin="p",
        name="mean",
        criterion="facts",
        subject="s0",
        value=1,
        no_interval="one",
        n=1,
        method="x",
        warnings=("thin", "thin"),
    )
    source = replace(report.study.sources[0], warnings=("torn",))
    changed = replace(
        report,
        criteria=(replace(report.criteria[0], findings=Findings((row,))), *report.criteria[1:]),
        study=Study(report.study.table, (source,)),
        problems=(Problem("p", "panopt_decide", "sulks"),),
    )
    assert changed.warnings[:1] == (f"{source.location}: torn",)
    assert [text for text in changed.warnings if text.endswith(": thin")] == [
        "facts: mean s0: thin"
    ]
    assert changed.warnings[-1] == "p (panopt_decide): sulks"


def test_responses_are_a_table_of_every_criterion(report: Report) -> None:
    table = responses_table(report)
    assert table.num_rows == 8
    rows = table.to_pylist()
    assert [row["criterion"] for row in rows] == ["facts"] * 2 + ["tone"] * 6
    failed = rows[0]
    assert (failed["item"], failed["value"], failed["outcome"]) == ("i0", None, "all_failed")
    tone = report.criteria[1]
    values = [row["value"] for row in rows[2:]]
    assert values == tone.consensus.value.tolist()
    assert {row["system"] for row in rows} == {"s0", "s1"}
    assert tone.decisions is not None
    assert [row["why"] for row in rows[2:]] == [tone.decisions.why(i) for i in range(6)]


def test_responses_without_decisions_and_with_columns(report: Report) -> None:
    bare = replace(report, criteria=(replace(report.criteria[0], decisions=None),))
    assert "decision" not in responses_table(bare).column_names
    columns = {"conformal_low": np.array([0.25, np.nan])}
    found = replace(bare, criteria=(replace(bare.criteria[0], findings=Findings((), columns)),))
    assert responses_table(found)["conformal_low"].to_pylist() == [0.25, None]
