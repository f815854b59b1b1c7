"""The jury provider asks its judges once a row, tells every vote, and names what is wrong."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any, ClassVar

import pytest

import panopt
from panopt.errors import AskError
from panopt.judging import Answer, Boolean, JudgeError, Numeric, Question, Usage, models
from panopt.judging.prompts import PromptMaker
from panopt.shims.promptfoo.live import jury_provider
from panopt.shims.promptfoo.live.jury_provider import call_api
from panopt.shims.promptfoo.live.votes import row_votes

ROOT = Path(__file__).parents[3]
VARS = {"item_id": "q1", "question": "2 + 2?", "output": "4", "rubric": "Is it right?"}


class Recorded:
    """A judge that answers by its name: ``say-0.8``, ``fail-timeout``, ``abstain-x``."""

    confidence_source = None
    asked: ClassVar[Counter[str]] = Counter()
    seen: ClassVar[list[Question]] = []

    def __init__(self, model: str, prompts: PromptMaker, *, name: str | None = None) -> None:
        self.name, self.model, self.prompt_hash = name or model, model, prompts.hash

    async def __call__(self, question: Question) -> Answer:
        """Answer as the name says."""
        self.asked[self.name] += 1
        self.seen.append(question)
        how, _, what = self.model.partition("-")
        used = Usage(calls=1, input_tokens=10, output_tokens=2, cost=0.5)
        if how == "fail":
            raise JudgeError("no answer", "timeout", used)
        if how == "abstain":
            return Answer(None, abstained=True, usage=used)
        verdict: float | bool = what == "yes" if what in {"yes", "no"} else float(what)
        return Answer(verdict, rationale=f"because {what}", usage=used)


@pytest.fixture(autouse=True)
def recorded(monkeypatch: pytest.MonkeyPatch) -> type[Recorded]:
    """Let judges be those above."""
    monkeypatch.setattr(models, "_load", lambda _: Recorded)
    monkeypatch.setattr(models, "entry_points", lambda group: [EntryPoint("inspect", "x:y", group)])
    jury_provider._jury.cache_clear()  # noqa: SLF001 - opened with other judges
    Recorded.asked.clear()
    Recorded.seen.clear()
    return Recorded


def grade(variables: dict[str, Any] | None = None, **config: Any) -> dict[str, Any]:  # noqa: ANN401
    found = call_api("p", {"config": config}, {"vars": VARS if variables is None else variables})
    json.dumps(found, allow_nan=False)
    return found


def test_every_vote_is_told_and_spent_tokens_add_up(recorded: type[Recorded]) -> None:
    found = grade(judges=["say-0.8", "say-0.6", "fail-x", "abstain-y"], rule="median")
    assert found["output"]["pass"] is True
    assert found["output"]["score"] == pytest.approx(0.7)
    panel = found["metadata"]["panel"]
    assert panel["outcome"] == "decided"
    one, two, failed, silent = panel["verdicts"]
    assert (one["judge"], one["score"], one["pass"]) == ("say-0.8", 0.8, True)
    assert two["reason"] == "because 0.6"
    assert failed["error"] == "timeout: no answer"
    assert silent["abstained"] is True
    assert len({verdict["prompt_hash"] for verdict in panel["verdicts"]}) == 1
    assert found["tokenUsage"] == {
        "prompt": 40,
        "completion": 8,
        "total": 48,
        "numRequests": 4,
    }
    assert found["cost"] == pytest.approx(2.0)
    asked = recorded.seen[0]
    assert (asked.item, asked.task, asked.responses) == ("q1", "2 + 2?", ("4",))
    assert asked.rubric == "Is it right?"


def test_likert_range_is_brought_to_one_and_verdicts_keep_it() -> None:
    found = grade(judges=["say-4", "say-5"], low=1, high=5)
    assert found["output"]["score"] == pytest.approx(0.875)
    assert [verdict["score"] for verdict in found["metadata"]["panel"]["verdicts"]] == [4, 5]
    off = grade(judges=["say-4", "say-9"], low=1, high=5)["metadata"]["panel"]["verdicts"]
    assert "off the range" in off[1]["error"]


def test_yes_and_no_are_counted_and_a_tie_fails_truthfully() -> None:
    assert grade(judges=["say-yes", "too-yes", "say-no"], kind="boolean")["output"]["pass"] is True
    tie = grade(judges=["say-yes", "say-no"], kind="boolean")
    assert tie["output"]["pass"] is False
    assert tie["metadata"]["panel"]["outcome"] == "tie"


def test_all_failed_is_no_low_score() -> None:
    found = grade(judges=["fail-a", "fail-b"])
    assert found["output"]["pass"] is False
    assert found["metadata"]["panel"]["outcome"] == "all_failed"
    assert found["output"]["reason"].startswith("ALL FAILED")


def test_cyclic_seats_go_by_item_whatever_the_order() -> None:
    config: dict[str, Any] = {
        "judges": ["say-0.1", "say-0.2", "say-0.3"],
        "assignment": "cyclic",
    }

    def who(item: str) -> str:
        found = grade({**VARS, "item_id": item}, **config)
        return str(found["metadata"]["panel"]["verdicts"][0]["judge"])

    items = [f"q{number}" for number in range(30)]
    first = [who(item) for item in items]
    assert [who(item) for item in reversed(items)] == first[::-1]
    assert len(set(first)) == 3


def test_items_without_an_id_go_by_their_variables(recorded: type[Recorded]) -> None:
    for output in ("4", "5"):
        grade({"a": 1, "b": "x", "output": output, "rubric": "r"}, judges=["say-1"])
    first, second = (question.item for question in recorded.seen)
    assert first == second
    assert first.startswith("vars-")
    assert recorded.seen[0].task == "a: 1\nb: x"


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({}, "judges"),
        ({"judges": []}, "judges"),
        ({"judges": [" "]}, "model = ' ' must not be blank"),
        ({"judges": ["say-1", "say-1"]}, "judges name 'say-1' twice"),
        ({"judges": ["say-1"], "rulez": 1}, "rulez"),
        ({"judges": ["say-1"], "rule": "best"}, "rule = 'best'"),
        ({"judges": ["say-1"], "min_successful": 2}, "min_successful = 2"),
        ({"judges": ["say-1"], "threshold": 3}, "threshold = 3"),
        ({"judges": ["say-1"], "budget": {"calls": 0}}, "budget.calls = 0"),
    ],
)
def test_wrong_configurations_are_named(config: dict[str, Any], told: str) -> None:
    found = grade(**config)
    assert set(found) == {"error"}
    assert told in found["error"]


def test_what_promptfoo_must_give_is_named() -> None:
    assert "is this provider used as a grader" in grade({"rubric": "r"}, judges=["say-1"])["error"]
    assert "has no rubric" in grade({"output": "4"}, judges=["say-1"])["error"]
    assert "error" in call_api("p", None, None)


def test_budget_spent_is_a_failed_vote_and_no_error() -> None:
    config: dict[str, Any] = {"judges": ["say-1", "say-0.9"], "budget": {"calls": 2}}
    assert grade(**config)["output"]["pass"] is True
    graded = grade(**config)
    assert graded["output"]["reason"].startswith("BUDGET SPENT")
    spent = graded["metadata"]["panel"]
    assert spent["outcome"] == "all_failed"
    assert spent["verdicts"][0]["error"].startswith("budget: ")


def test_judges_need_a_framework_that_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    point = EntryPoint("inspect", "no_such_framework_here:Judge", models.GROUP)
    monkeypatch.setattr(models, "entry_points", lambda group: [point])
    told = r"no_such_framework_here is not installed; pip install 'panopt\[inspect\]'"
    with pytest.raises(AskError, match=told):
        models.open_judge("m", PromptMaker(Boolean()))
    with pytest.raises(AskError, match="through 'other'; installed: inspect"):
        models.open_judge("m", PromptMaker(Numeric()), through="other")


@pytest.mark.parametrize("name", ["panel3.json", "panel5_base.jsonl.gz"])
def test_votes_of_a_row_are_those_that_the_file_is_read_as(name: str) -> None:
    path = ROOT / "tests" / "logs" / "promptfoo" / name
    if name.endswith(".gz"):
        lines = gzip.decompress(path.read_bytes()).decode().splitlines()
        rows = [json.loads(line) for line in lines]
    else:
        rows = json.loads(path.read_text(encoding="utf-8"))["results"]["results"]
    table = panopt.read(path).table
    names = ("sample_id", "judge", "score", "status", "judge_kind")
    columns = (table[column].to_pylist() for column in names)
    wanted: Counter[tuple[object, ...]] = Counter()
    for row, judge, score, status, kind in zip(*columns, strict=True):
        if kind != "human":
            wanted[row, judge, score, status, kind == "llm"] += 1
    found: Counter[tuple[object, ...]] = Counter()
    for number, row in enumerate(rows):
        grading = row.get("gradingResult") or {}
        for one in row_votes(grading.get("componentResults")):
            vote = one.vote
            found[str(number), vote.judge, vote.value, vote.status, one.model] += 1
    assert found == wanted
