"""The real programs start, are the versions asked for, and read the logs of this folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Program

LOGS = Path(__file__).parent / "logs" / "inspect"


@pytest.mark.programs
def test_promptfoo_is_the_version_asked_for(promptfoo: Program) -> None:
    assert promptfoo.run("--version").stdout.strip().startswith(promptfoo.version)


@pytest.mark.programs
def test_inspect_reads_a_log_with_known_votes(inspect_cli: Program) -> None:
    dump = inspect_cli.run("log", "dump", LOGS / "panel_majority.eval").stdout
    expected = json.loads((LOGS / "panel_majority.expected.json").read_text(encoding="utf-8"))
    votes = {
        s["id"]: s["scores"]["model_graded_qa"]["metadata"]["panel"]["votes"]
        for s in json.loads(dump)["samples"]
    }
    for index, row in enumerate(expected["votes"]):
        assert votes[row["id"]][index % 3] == row["value"]
