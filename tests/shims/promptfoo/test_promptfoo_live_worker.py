"""The worker and its JavaScript side: answers to everything, one Python, and no row lost."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import panopt
from panopt.shims.promptfoo.live import worker as worker_module
from panopt.shims.promptfoo.live.worker import Worker, serve

ROOT = Path(__file__).parents[3]
LOGS = ROOT / "examples" / "logs"
LIVE = Path(str(worker_module.__file__)).parent


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """File of the certificate of the example's panel."""
    study = panopt.read(LOGS / "llmbar.json", labels=LOGS / "labels" / "llmbar.csv")
    path = tmp_path_factory.mktemp("certified") / "certificate.json"
    panopt.write_certificate(panopt.certify(study, panopt.Ask(criterion=("natural",))), path)
    return path


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    """Rows of the example, graded."""
    document = json.loads((LOGS / "llmbar.json").read_text(encoding="utf-8"))
    found: list[dict[str, Any]] = document["results"]["results"]
    return found


@pytest.fixture
def node() -> str:
    """Node itself, newest first."""
    own = ROOT / ".tools" / "promptfoo-0.123" / "node_modules" / "node" / "bin" / "node"
    found = str(own) if own.exists() else shutil.which("node")
    if found is None:
        pytest.skip("node is not installed")
    return found


def asked(worker: Worker, **question: object) -> dict[str, Any]:
    return worker.answer(json.dumps({"id": 1, **question}).encode())


def test_rows_are_decided_and_a_broken_one_is_told(
    certificate: Path, rows: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PANOPT_CERTIFICATE", str(certificate))
    worker = Worker()
    good = asked(worker, do="decide", row=json.dumps(rows[0]))
    assert good["result"]["metadata"]["panopt_decision"] in ("trust", "escalate")
    assert good["note"] is None
    for broken in ("[]", "{", "3", '{"gradingResult": {"componentResults": [NaN]}}', "\ud800"):
        answer = worker.answer(json.dumps({"id": 2, "do": "decide", "row": broken}).encode())
        json.dumps(answer, allow_nan=False)
        if answer["result"] is not None:
            assert answer["result"]["metadata"]["panopt_decision"] == "human"
    assert asked(worker, do="nonsense")["note"] == "'nonsense' is no question"
    assert "no question" in worker.answer(b"{")["note"]
    assert "rows: " in asked(worker, do="summary")["note"]


def test_without_a_certificate_nothing_is_written(
    rows: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PANOPT_CERTIFICATE", raising=False)
    answer = asked(Worker(), do="decide", row=json.dumps(rows[0]))
    assert answer["result"] is None
    assert answer["note"] == "PANOPT_CERTIFICATE names no certificate: no decision is written"


@pytest.mark.parametrize("content", [None, "{}", "no json"])
def test_a_certificate_that_cannot_be_read_trusts_nothing(
    content: str | None,
    rows: list[dict[str, Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / "certificate.json"
    if content is not None:
        path.write_text(content)
    monkeypatch.setenv("PANOPT_CERTIFICATE", str(path))
    answer = asked(Worker(), do="decide", row=json.dumps(rows[0]))
    assert answer["result"]["namedScores"] == {"panopt.trust": 0}
    assert answer["result"]["metadata"]["panopt_decision"] == "human"
    assert str(path) in answer["note"]


def test_serving_answers_line_by_line() -> None:
    questions = [b"\n", b'{"id": 5, "do": "panel"}\n', b"x\n"]
    answers = io.BytesIO()
    serve(questions, answers)
    lines = [json.loads(line) for line in answers.getvalue().splitlines()]
    assert [line["id"] for line in lines] == [5, None]
    assert lines[0]["result"]["pass"] is False


def run(node: str, script: str, folder: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a script that finds the live folder in `live`."""
    path = folder / "script.mjs"
    path.write_text(f"const live = {json.dumps(LIVE.resolve().as_uri())};\n{script}")
    return subprocess.run(
        [node, str(path)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=os.environ | {"PROMPTFOO_PYTHON": sys.executable} | environ,
    )


def test_hook_writes_decisions_from_one_python_and_lets_node_end(
    node: str, certificate: Path, rows: list[dict[str, Any]], tmp_path: Path
) -> None:
    (tmp_path / "rows.json").write_text(json.dumps(rows[:40]))
    script = """
import { readFileSync } from 'node:fs';
const { afterEach, afterAll } = await import(`${live}/hook.mjs`);
const rows = JSON.parse(readFileSync(new URL('rows.json', import.meta.url)));
rows[3].testCase.options = { provider: {} };
rows[3].testCase.options.provider.self = rows[3].testCase.options; // a live provider's circle
const found = await Promise.all(rows.map((result) => afterEach({ test: result.testCase, result })));
const nothing = await afterEach({ result: { error: 'no grading' } });
await afterAll({});
console.log(JSON.stringify({ found, nothing: nothing ?? null }));
"""
    done = run(node, script, tmp_path, PANOPT_CERTIFICATE=str(certificate))
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    decisions = [one["result"]["metadata"]["panopt_decision"] for one in told["found"] if one]
    assert len(decisions) == 40
    assert set(decisions) == {"trust", "escalate"}
    assert told["nothing"] is None
    assert "40 rows: " in done.stderr


def test_a_python_that_cannot_start_costs_no_row(node: str, tmp_path: Path) -> None:
    script = """
const { afterEach } = await import(`${live}/hook.mjs`);
const { panel } = await import(`${live}/scoring.mjs`);
const row = { gradingResult: { componentResults: [] } };
const hook = [];
for (let i = 0; i < 10; i += 1) hook.push((await afterEach({ result: row })) ?? null);
const scored = await panel({ a: 1 }, { componentResults: [] });
console.log(JSON.stringify({ hook, scored }));
"""
    done = run(node, script, tmp_path, PROMPTFOO_PYTHON=str(tmp_path / "no-python"))
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["hook"] == [None] * 10
    assert told["scored"]["pass"] is False
    assert "no panel verdict, the row is failed" in told["scored"]["reason"]
    assert done.stderr.count("cannot be started") <= 2
    assert "no decision was written" in done.stderr


def test_a_worker_that_dies_is_started_again(
    node: str, certificate: Path, rows: list[dict[str, Any]], tmp_path: Path
) -> None:
    (tmp_path / "row.json").write_text(json.dumps(rows[0]))
    mortal = tmp_path / "python"
    mortal.write_text(
        f"#!/bin/sh\necho start >> {tmp_path}/starts\n"
        f"if [ $(wc -l < {tmp_path}/starts) = 1 ]; then read line; exit 3; fi\n"
        f'exec {sys.executable} "$@"\n'
    )
    mortal.chmod(0o755)
    script = """
import { readFileSync } from 'node:fs';
const { afterEach } = await import(`${live}/hook.mjs`);
const result = JSON.parse(readFileSync(new URL('row.json', import.meta.url)));
const found = [await afterEach({ result }), await afterEach({ result })];
console.log(JSON.stringify(found));
"""
    environ = {"PROMPTFOO_PYTHON": str(mortal), "PANOPT_CERTIFICATE": str(certificate)}
    done = run(node, script, tmp_path, **environ)
    assert done.returncode == 0, done.stderr
    decisions = [one["result"]["metadata"]["panopt_decision"] for one in json.loads(done.stdout)]
    assert len(decisions) == 2
    assert (tmp_path / "starts").read_text().count("start") == 2


def test_a_worker_that_stalls_is_ended(node: str, tmp_path: Path) -> None:
    stalling = tmp_path / "python"
    stalling.write_text("#!/bin/sh\nexec sleep 60\n")
    stalling.chmod(0o755)
    script = """
const { afterEach } = await import(`${live}/hook.mjs`);
const result = { gradingResult: { componentResults: [] } };
console.log(JSON.stringify((await afterEach({ result })) ?? null));
"""
    environ = {"PROMPTFOO_PYTHON": str(stalling), "PANOPT_WORKER_TIMEOUT_MS": "300"}
    done = run(node, script, tmp_path, **environ)
    assert done.stdout.strip() == "null"
    assert "no answer in 300 ms" in done.stderr


def test_scoring_with_options_of_ones_own(node: str, tmp_path: Path) -> None:
    script = """
const { panelWith } = await import(`${live}/scoring.mjs`);
const judge = (provider, score) => ({
  assertion: { type: 'llm-rubric', value: 'good?', provider }, score, pass: score > 0.5, reason: '',
});
const judges = [judge('a', 1), judge('b', 0.2), judge('c', 0.3)];
const one = await panelWith({ rule: 'median' })({}, { componentResults: judges, threshold: 0.3 });
const wrong = await panelWith({ rulez: 'median' })({}, { componentResults: judges });
console.log(JSON.stringify([one, wrong]));
"""
    done = run(node, script, tmp_path)
    one, wrong = json.loads(done.stdout)
    assert (one["pass"], one["score"]) == (True, 0.3)
    assert "option 'rulez' of the call is unknown" in wrong["reason"]
