"""One set of items, run by Inspect, by promptfoo and noted in a table: compared by item id."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
import pytest
import scipy.stats

if TYPE_CHECKING:
    from tests.conftest import Program

pytestmark = pytest.mark.programs


class Ended(Protocol):
    """How a run of the command ended; see conftest.py."""

    code: int
    out: str
    err: str


Run = Callable[..., Ended]
Fails = Callable[..., str]
Table = Callable[..., Path]

N = 24
TASK = """\
from inspect_ai import Task, task
from inspect_ai.dataset import Sample
from inspect_ai.scorer import match
from inspect_ai.solver import solver

@solver
def says():
    async def solve(state, generate):
        state.output.completion = state.metadata["says"]
        return state
    return solve

@task
def capitals():
    rows = {rows}
    samples = [
        Sample(id=name, input="?", target="yes", metadata={{"says": "yes" if right else "no"}})
        for name, right in rows
    ]
    return Task(samples, solver=says(), scorer=match(location="exact"))
"""


def answers(seed: int, share: float) -> dict[str, bool]:
    right = np.random.default_rng(seed).random(N) < share
    return {f"q{k:02d}": bool(one) for k, one in enumerate(right)}


def by_inspect(inspect_cli: Program, folder: Path, right: dict[str, bool]) -> Path:
    task = folder / "capitals.py"
    task.write_text(TASK.format(rows=list(right.items())), encoding="utf-8")
    inspect_cli.run("eval", task.name, "--model", "mockllm/one", cwd=folder)
    (log,) = (folder / "inspect-logs").glob("*.eval")
    return log


def by_promptfoo(promptfoo: Program, folder: Path, right: dict[str, bool]) -> Path:
    tests = [
        {
            "vars": {"word": "yes" if one else "no"},
            "metadata": {"item_id": name},
            "assert": [{"type": "equals", "value": "yes", "metric": "match"}],
        }
        for name, one in right.items()
    ]
    config, results = folder / "promptfooconfig.json", folder / "results.json"
    given = {"prompts": ["{{word}}"], "providers": [{"id": "echo", "label": "two"}]}
    config.write_text(json.dumps({**given, "tests": tests}), encoding="utf-8")
    promptfoo.run("eval", "-c", config, "-o", results, "--no-cache", check=False, cwd=folder)
    return results


@pytest.mark.parametrize("promptfoo", ["0.123"], indirect=True)
def test_a_log_of_each_framework_and_a_table_are_compared_by_item(  # noqa: PLR0917 - fixtures
    promptfoo: Program, inspect_cli: Program, tmp_path: Path, run: Run, fails: Fails, table: Table
) -> None:
    one, two, three = answers(1, 0.5), answers(2, 0.8), answers(3, 0.7)
    log, results = by_inspect(inspect_cli, tmp_path, one), by_promptfoo(promptfoo, tmp_path, two)
    rows = [f"{name},three,match,match,{int(own)}" for name, own in three.items() if name != "q05"]
    noted = table("noted.csv", "\n".join(["item,system,judge,criterion,score", *rows, ""]))
    ended = run("compare", log, results, noted, "--criterion", "match", "--json")
    assert (ended.code, ended.err) == (0, "")
    (told,) = json.loads(ended.out)["comparisons"]
    names = [each["name"] for each in told["contenders"]]
    assert ("one" in names[0], "two" in names[1], names[2]) == (True, True, "three")
    assert [each["mean"]["value"] for each in told["contenders"][:2]] == [
        sum(one.values()) / N,
        sum(two.values()) / N,
    ]
    pair = told["pairs"][0]
    x, y = (np.array(list(own.values()), dtype=np.float64) for own in (one, two))
    assert (pair["n_items"], pair["value"]) == (N, pytest.approx(np.mean(x - y)))
    wins = scipy.stats.binomtest(int(np.sum(x > y)), int(np.sum(x != y)))
    assert pair["p"] == pytest.approx(wins.pvalue)
    assert told["pairs"][1]["missing_b"] == {"absent": 1, "unscored": 0, "examples": ["q05"]}
    gate = json.loads(
        run("gate", results, log, "--max-drop", ".01", "--metric", "match", "--json", "--force").out
    )
    assert gate["checks"][0]["drop"] == pytest.approx(np.mean(y - x))
    others = table("others.csv", "item,system,judge,criterion,score\nz1,x,match,match,1\n")
    line = fails("compare", results, others)
    assert "has 'q00', 'q01', 'q02'" in line
    assert "'z1'" in line
