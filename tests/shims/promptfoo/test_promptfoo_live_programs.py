"""The real promptfoo runs the example: decisions in its rows, verdicts, exit codes."""

from __future__ import annotations

import csv
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import panopt
from panopt.shims.promptfoo import live
from panopt.shims.promptfoo.annotate import gather

if TYPE_CHECKING:
    from tests.conftest import Program

pytestmark = pytest.mark.programs

EXAMPLES = Path(__file__).parents[3] / "examples"
LIVE = Path(str(live.__file__)).parent.resolve()
JUDGES = ["ChatGPT", "Falcon", "GPT-4", "LLaMA2", "PaLM2"]
QUIET = ("--no-table", "--no-progress-bar")


@pytest.fixture
def example(tmp_path: Path) -> Path:
    """Copy of the example, with its certificate."""
    folder = tmp_path / "panel"
    shutil.copytree(EXAMPLES / "promptfoo_panel", folder)
    logs = EXAMPLES / "logs"
    study = panopt.read(logs / "llmbar.json", labels=logs / "labels" / "llmbar.csv")
    certificate = panopt.certify(study, panopt.Ask(criterion=("natural",)))
    panopt.write_certificate(certificate, folder / "certificate.json")
    return folder


@pytest.fixture
def run(promptfoo: Program) -> Program:
    """Promptfoo with what the README says to set."""
    environ = dict(promptfoo.environ) | {"PANOPT_LIVE": str(LIVE), "PANOPT_PANEL": "panel.yaml"}
    return replace(promptfoo, environ=environ)


def rows_of(path: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["results"]["results"]
    return rows


def test_example_decides_live_as_the_analysis_of_its_results(run: Program, example: Path) -> None:
    done = run.run("eval", "-o", "results.json", *QUIET, cwd=example, check=False)
    assert done.returncode == 100, done.stdout + done.stderr  # rows that fail: promptfoo's own code
    assert "25 rows: 14 trust, 11 escalate" in done.stdout + done.stderr
    path = example / "results.json"
    rows = rows_of(path)
    certificate = panopt.read_certificate(example / "certificate.json")
    study = panopt.read(path)
    written = gather(panopt.analyze(study, panopt.Ask(certificate=certificate)), study.sources[0])
    with (example / "pairs.csv").open(encoding="utf-8") as file:
        recorded = {pair["item"]: pair for pair in csv.DictReader(file)}
    for number, row in enumerate(rows):
        ours = {name: x for name, x in row["metadata"].items() if name.startswith("panopt")}
        assert ours == written.metadata(number)
        assert written.scores(number).items() <= row["namedScores"].items()
        cast = [recorded[row["vars"]["item"]][judge] for judge in JUDGES]
        votes = [int(vote) for vote in cast if vote]
        panel = row["gradingResult"]["metadata"]["panel"]
        assert panel["n_decisive"] == len(votes)
        assert row["success"] == (2 * sum(votes) > len(votes))
        assert ours["panopt_decision"] == ("trust" if len(set(votes)) == 1 else "escalate")


def test_python_scoring_function_gives_the_same_rows(run: Program, example: Path) -> None:
    config = example / "promptfooconfig.yaml"
    args = ("--filter-first-n", "5", *QUIET)
    run.run("eval", "-o", "one.json", *args, cwd=example, check=False)
    text = config.read_text().replace("scoring.mjs", "scoring.py")
    assert text != config.read_text()
    config.write_text(text)
    run.run("eval", "-o", "other.json", *args, cwd=example, check=False)
    found = []
    for name in ("one.json", "other.json"):
        rows = sorted(rows_of(example / name), key=lambda row: row["testIdx"])
        parts = [row["gradingResult"] for row in rows]
        found.append([(p["pass"], p["score"], p["reason"], p["metadata"]) for p in parts])
    assert found[0] == found[1]
    assert len(found[0]) == 5


def test_missed_quorum_and_other_certificate_fail_and_say_so(run: Program, example: Path) -> None:
    (example / "panel.yaml").write_text("min_successful: 6\ncertificate: certificate.json\n")
    replay = example / "replay.mjs"
    replay.write_text(replay.read_text().replace("replay:${", "other:${"))
    config = example / "promptfooconfig.yaml"
    config.write_text(config.read_text().replace("label: PaLM2", "label: Stranger"))
    done = run.run(
        "eval", "-o", "r.json", "--filter-first-n", "4", *QUIET, cwd=example, check=False
    )
    assert done.returncode == 100
    told = done.stdout + done.stderr
    assert told.count("judge 'Stranger' is not among the certified") == 2  # once, and at the end
    for row in rows_of(example / "r.json"):
        assert row["failureReason"] == 1  # an assertion failed; the row is no error
        assert row["gradingResult"]["metadata"]["panel"]["outcome"] == "quorum_not_met"
        assert row["metadata"]["panopt_decision"] == "human"
        assert row["namedScores"]["panopt.trust"] == 0


def test_all_rows_passing_ends_with_0(run: Program, example: Path) -> None:
    lines = (example / "pairs.csv").read_text().splitlines()
    kept = [lines[0], *[line for line in lines[1:] if line.split(",")[1:6] == ["1"] * 5]]
    (example / "pairs.csv").write_text("\n".join(kept) + "\n")
    run.run("eval", *QUIET, cwd=example)


def test_jury_of_models_grades_and_every_vote_is_read_back(run: Program, example: Path) -> None:
    pytest.importorskip("inspect_ai")
    environ = dict(run.environ) | {"PANOPT_REPLAY": str(example / "recording.jsonl")}
    jury = replace(run, environ=environ)
    args = ("eval", "-c", "jury.yaml", "-o", "jury.json", "--no-cache", *QUIET)
    done = jury.run(*args, cwd=example, check=False)
    assert done.returncode == 100, done.stdout + done.stderr
    study = panopt.read(example / "jury.json")
    found = {
        (item, judge): (score, status)
        for item, judge, score, status in zip(
            *(study.table[name].to_pylist() for name in ("item", "judge", "score", "status")),
            strict=True,
        )
    }
    with (example / "pairs.csv").open(encoding="utf-8") as file:
        for pair in csv.DictReader(file):
            for judge in JUDGES:
                wanted = (float(pair[judge]), "ok") if pair[judge] else (None, "failed")
                assert found[pair["item"], judge] == wanted
    assert len(set(study.table["prompt_hash"].to_pylist())) == 1


def test_recordings_hold_the_same_verdicts() -> None:
    folder = EXAMPLES / "promptfoo_panel"
    with (folder / "pairs.csv").open(encoding="utf-8") as file:
        pairs = list(csv.DictReader(file))
    with (EXAMPLES / "make_logs" / "llmbar.csv").open(encoding="utf-8") as file:
        source = {pair["item"]: pair for pair in csv.DictReader(file)}
    with (EXAMPLES / "logs" / "labels" / "llmbar.csv").open(encoding="utf-8") as file:
        labelled = {row["item"] for row in csv.DictReader(file)}
    lines = [json.loads(line) for line in (folder / "recording.jsonl").read_text().splitlines()]
    recorded = {(line["item"], line["judge"]): line.get("verdict") for line in lines}
    assert len(pairs) == 25
    for pair in pairs:
        item = pair["item"]
        assert item not in labelled  # the certificate has not seen them
        for judge in JUDGES:
            assert pair[judge] == source[item][judge]
            assert recorded[item, judge] == (float(pair[judge]) if pair[judge] else None)
    assert os.environ.get("PANOPT_REPLAY") is None
