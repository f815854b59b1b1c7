"""``panopt power --labels-for``: how many human labels a wanted precision takes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np
import pytest

from panopt.errors import AskError
from panopt.label_plan import plan_labels
from panopt.records.ask import Ask
from panopt.records.study import Study
from panopt.stats.ppi import ppi_mean


class Ended(Protocol):
    """How a run of the command ended; see conftest.py."""

    code: int
    out: str
    err: str


Run = Callable[..., Ended]
Fails = Callable[..., str]
Table = Callable[..., Path]


def labelled(n: int, labels: int, *, noise: float = 0.1, seed: int = 0) -> Study:
    """Give a system whose judge sees its quality with an error, and people's labels of some."""
    rng = np.random.default_rng(seed)
    truth = np.clip(rng.normal(0.6, 0.2, n), 0, 1)
    judged = np.clip(truth + rng.normal(0, noise, n), 0, 1)
    items = [f"i{k:04d}" for k in range(n)]
    return Study.from_columns(
        {
            "item": [*items, *items[:labels]],
            "system": "s",
            "judge": ["m"] * n + ["human"] * labels,
            "judge_kind": ["llm"] * n + ["human"] * labels,
            "score": np.concatenate([judged, truth[:labels]]),
            "scale": "continuous:0:1",
        }
    )


def test_as_many_labels_as_planned_give_the_width_that_was_wanted() -> None:
    (pilot,) = plan_labels(labelled(2000, 40), half_width=0.02, ask=Ask(aggregate="mean"))
    assert (pilot.n_labelled, pilot.n_responses, pilot.n_items) == (40, 2000, 40)
    needed = pilot.plan.n
    assert needed is not None
    assert 40 < needed < (pilot.plan.alone or 0) / 2  # a good judge saves more than half
    study = labelled(2000, needed, seed=1)
    people, judges = study.where("judge_kind", "human"), study.where("judge_kind", "llm")
    score = judges.numbers("score")
    found = ppi_mean(people.numbers("score"), score[:needed], score[needed:])
    assert found.low is not None
    assert found.high is not None
    assert (found.high - found.low) / 2 == pytest.approx(0.02, rel=0.25)


def test_a_width_that_all_labels_together_do_not_reach_is_said() -> None:
    (pilot,) = plan_labels(labelled(60, 20), half_width=0.005, ask=Ask(aggregate="mean"))
    assert pilot.plan.n is None
    assert "there are 60 responses, too few" in (pilot.plan.reason or "")


@pytest.mark.parametrize("width", [0.0, -1.0, 0.6, float("nan")])
def test_a_width_off_its_range_is_refused(width: float) -> None:
    with pytest.raises(AskError, match=r"half_width = .* must lie in \(0, \.5\]"):
        plan_labels(labelled(20, 10), half_width=width)


def test_logs_without_labels_are_refused() -> None:
    with pytest.raises(AskError, match="no response has both a human label and a judge's score"):
        plan_labels(labelled(20, 0), half_width=0.1)


def test_the_command_ends_in_how_many_more(run: Run, fails: Fails, table: Table) -> None:
    rng = np.random.default_rng(0)
    truth = np.clip(rng.normal(0.6, 0.2, 400), 0, 1)
    judged = np.clip(truth + rng.normal(0, 0.1, 400), 0, 1)
    rows = [f"i{k},s,m,{value:.4f}" for k, value in enumerate(judged)]
    log = table("log.csv", "\n".join(["item,system,judge,score", *rows, ""]))
    some = [f"i{k},s,{value:.4f}" for k, value in enumerate(truth[:30])]
    people = table("people.csv", "\n".join(["item,system,score", *some, ""]))
    told = json.loads(run("power", log, "--labels", people, "--labels-for", ".03", "--json").out)
    (plan,) = told["plans"]
    ended = run("power", log, "--labels", people, "--labels-for", ".03")
    assert (ended.code, ended.err) == (0, "")
    words = " ".join(ended.out.split())
    more = plan["plan"]["n"] - 30
    assert f"In short: about {more} more labels in all bring it to +-0.03; panopt analyze" in words
    few = table("few.csv", "\n".join(["item,system,score", *some[:3], ""]))
    ended = run("power", log, "--labels", few, "--labels-for", ".03")
    assert "In short: too few labels to tell; panopt analyze --label-next" in " ".join(
        ended.out.split()
    )
    assert "no response has both" in fails("power", log, "--labels-for", ".03")
    assert "one question at a time" in fails("power", log, "--labels-for", ".03", "--cost")
