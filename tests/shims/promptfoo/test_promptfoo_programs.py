"""The real promptfoo takes the annotated copies, gives them back, and finds decisions in them."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from panopt.analysis import analyze
from panopt.reading import read
from panopt.records.ask import Ask
from panopt.shims.promptfoo.annotate import is_ours
from panopt.writing import write

if TYPE_CHECKING:
    from tests.conftest import Program

pytestmark = pytest.mark.programs

#: promptfoo's server listens on every interface; this keeps it on this machine.
LOOPBACK = """\
const net = require('node:net');
const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (port, ...rest) {
  const callback = rest.find((argument) => typeof argument === 'function');
  return listen.call(this, port, '127.0.0.1', callback);
};
"""


def annotated(path: Path, folder: Path) -> Path:
    """Analyze results and write their annotated copy, as the command does."""
    report = analyze(read(path), Ask(n_boot=0))
    done = write(report, out=folder)
    assert [one.state for one in done] == ["written"]
    return Path(str(done[0].target))


def ours(row: dict[str, Any]) -> dict[str, Any]:
    """Give what panopt added to a row."""
    return {
        name: value
        for field in ("namedScores", "metadata")
        for name, value in row[field].items()
        if is_ours(name)
    }


def rows_by_place(path: Path) -> dict[tuple[int, int], dict[str, Any]]:
    """Give the rows of results by test and prompt."""
    rows = json.loads(path.read_text(encoding="utf-8"))["results"]["results"]
    return {(row["testIdx"], row["promptIdx"]): row for row in rows}


def import_new(promptfoo: Program, path: Path) -> str:
    """Import results under a new id, and give the id."""
    told = promptfoo.run("import", "--new-id", path).stdout
    found = re.search(r"eval-\S+", told)
    assert found is not None
    return found.group()


def test_an_annotated_copy_goes_in_comes_out_whole_and_concludes_the_same(
    promptfoo: Program, promptfoo_logs: Path, tmp_path: Path
) -> None:
    copy = annotated(promptfoo_logs / "panel3.json", tmp_path / "out")
    eval_id = import_new(promptfoo, copy)
    back = tmp_path / "back.json"
    promptfoo.run("export", "eval", eval_id, "-o", back)
    sent, got = rows_by_place(copy), rows_by_place(back)
    assert set(sent) == set(got)
    for place, row in sent.items():
        assert ours(got[place]) == ours(row) != {}
        assert got[place]["success"] == row["success"]
        assert got[place]["gradingResult"] == row["gradingResult"]
    before = json.loads(copy.read_text(encoding="utf-8"))
    after = json.loads(back.read_text(encoding="utf-8"))
    for old, new in zip(before["results"]["prompts"], after["results"]["prompts"], strict=True):
        for name in ("namedScores", "namedScoresCount", "namedScoreWeights"):
            assert new["metrics"][name] == old["metrics"][name]
    assert after["config"]["metadata"]["panopt"] == before["config"]["metadata"]["panopt"]
    assert after["config"]["tags"]["panopt"] == before["config"]["tags"]["panopt"]
    again = rows_by_place(annotated(back, tmp_path / "again"))
    assert {place: ours(row) for place, row in again.items()} == {
        place: ours(row) for place, row in sent.items()
    }


def test_the_web_ui_finds_rows_by_decision(
    promptfoo: Program, promptfoo_logs: Path, tmp_path: Path
) -> None:
    copy = annotated(promptfoo_logs / "panel3.json", tmp_path / "out")
    eval_id = import_new(promptfoo, copy)
    decisions = [row["metadata"]["panopt_decision"] for row in rows_by_place(copy).values()]
    with serve(promptfoo, tmp_path) as address:
        for decision in ("trust", "escalate", "ambiguous", "human"):
            condition = {
                "type": "metadata",
                "operator": "equals",
                "field": "panopt_decision",
                "value": decision,
            }
            query = urllib.parse.urlencode({"limit": 50, "filter": json.dumps(condition)})
            table = ask(f"{address}/api/eval/{eval_id}/table?{query}")
            outputs = [out for row in table["table"]["body"] for out in row["outputs"] if out]
            found = [out["metadata"]["panopt_decision"] for out in outputs]
            assert found.count(decision) >= min(1, decisions.count(decision))
            assert table["filteredCount"] == sum(
                any(d == decision for d in cells) for cells in by_test(copy)
            )
        keys = ask(f"{address}/api/eval/{eval_id}/metadata-keys")["keys"]
        assert {"panopt_decision", "panopt_value", "panopt_why"} <= set(keys)
        shown = ask(f"{address}/api/eval/{eval_id}/table?limit=1")
        metrics = shown["table"]["head"]["prompts"][0]["metrics"]
        assert metrics["namedScoresCount"]["panopt"] == 4
        assert 0 <= metrics["namedScores"]["panopt.low"] <= metrics["namedScores"]["panopt.high"]


def by_test(path: Path) -> list[list[str]]:
    """List the decisions of each test's answers."""
    found: dict[int, list[str]] = {}
    for (test, _), row in rows_by_place(path).items():
        found.setdefault(test, []).append(row["metadata"]["panopt_decision"])
    return list(found.values())


def ask(url: str) -> Any:  # noqa: ANN401 - any JSON
    """Get JSON from the server."""
    with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310 - our own server
        return json.load(answer)


@contextmanager
def serve(promptfoo: Program, folder: Path) -> Iterator[str]:
    """Run the web UI's server on this machine only, until the block ends."""
    preload = folder / "loopback.cjs"
    preload.write_text(LOOPBACK)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environ = dict(promptfoo.environ) | {"NODE_OPTIONS": f"--require {preload}"}
    log = (folder / "view.log").open("wb")
    server = subprocess.Popen(
        [*promptfoo.command, "view", "-n", "-p", str(port)],
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        wait_for(address, server, folder / "view.log")
        yield address
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait(timeout=10)
        log.close()


def wait_for(address: str, server: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until the server answers."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if server.poll() is not None:
            pytest.fail(f"promptfoo view ended: {log.read_text()}")
        try:
            ask(f"{address}/api/results")
        except OSError:
            time.sleep(0.2)
        else:
            return
    pytest.fail(f"promptfoo view did not answer in 60 s: {log.read_text()}")
