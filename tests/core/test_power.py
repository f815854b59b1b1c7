"""``panopt power``: what a person sees, what a program reads, one line for bad input."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np
import pytest


class Ended(Protocol):
    """How a run of the command ended; see conftest.py."""

    code: int
    out: str
    err: str


Run = Callable[..., Ended]
Fails = Callable[..., str]
Table = Callable[..., Path]


@pytest.fixture
def pilot(table: Table) -> Path:
    """Write a pilot: 2 systems, 30 items, 3 judges, 2 repeats."""
    rng = np.random.default_rng(0)
    lines = ["item,system,judge,repeat,score"]
    for system in "ab":
        for item in range(30):
            quality = 0.5 + 0.2 * rng.normal()
            for judge, kind in (("x", -0.02), ("y", 0.0), ("z", 0.02)):
                own = quality + kind + 0.1 * rng.normal()
                for repeat in range(2):
                    score = np.clip(own + 0.1 * rng.normal(), 0, 1)
                    lines.append(f"i{item},{system},{judge},{repeat},{score:.4f}")
    return table("pilot.csv", "\n".join([*lines, ""]))


def test_power_shows_designs_and_the_pilot(run: Run, pilot: Path) -> None:
    ended = run("power", pilot, "--design", "--se", ".03", "--scale", "continuous:0:1")
    assert (ended.code, ended.err) == (0, "")
    words = " ".join(ended.out.replace("│", " ").split())
    for part in (
        "criterion score: standard error 0.03 of a system's mean",
        "30 items x 3 judges x 2 repeats: se",
        "for judges like these: another panel",
        "for these judges, or some of them",
        "items judges repeats calls cost se",
    ):
        assert part in words
    assert words.count("cheapest") == 2


def test_power_as_json_holds_every_number(run: Run, pilot: Path) -> None:
    options = (
        "--scale",
        "continuous:0:1",
        "--cost-call",
        ".5",
        "--cost-item",
        "2",
        "--json",
    )
    ended = run("power", pilot, "--design", "--se", ".03", "--max-judges", "4", *options)
    assert (ended.code, ended.err) == (0, "")
    told = json.loads(ended.out)
    (one,) = told["criteria"]
    assert (told["wanted_se"], told["cost_call"], told["cost_item"]) == (0.03, 0.5, 2.0)
    assert one["pilot"]["items"] == 30
    assert one["components"]["repeat"]["value"] == pytest.approx(0.01, rel=0.4)
    designs = one["judges_like_these"]["designs"]
    assert designs[0] == one["judges_like_these"]["cheapest"]
    assert max(design["judges"] for design in designs) == 4
    for design in designs + one["these_judges"]["designs"]:
        assert design["calls"] == design["items"] * design["judges"] * design["repeats"]
        assert design["cost"] == pytest.approx(0.5 * design["calls"] + 2 * design["items"])
    assert all(0 < design["se"]["value"] <= 0.03 for design in designs)
    again = run("power", pilot, "--design", "--se", ".03", "--max-judges", "4", *options)
    assert again.out == ended.out


def test_labels_without_an_order_have_no_design(run: Run, table: Table) -> None:
    rows = "\n".join(f"i{i},{judge},{'abc'[i % 3]}" for i in range(6) for judge in "xy")
    path = table("labels.csv", f"item,judge,label\n{rows}\n")
    ended = run("power", path, "--design", "--se", ".1")
    assert ended.code == 0
    assert "no design: labels on a nominal scale have no variance" in ended.out
    told = json.loads(run("power", path, "--design", "--se", ".1", "--json").out)
    assert told["criteria"][0]["reason"] == "labels on a nominal scale have no variance"


def test_hostile_names_steer_nothing(run: Run, table: Table) -> None:
    rows = "\n".join(
        f'i{i},{judge},{(i + j) % 2},"[red]\x1b[31mevil[/]"'
        for i in range(6)
        for j, judge in enumerate("xy")
    )
    path = table("hostile.csv", f"item,judge,score,criterion\n{rows}\n")
    ended = run("power", path, "--design", "--se", ".1")
    assert ended.code == 0
    assert "\x1b" not in ended.out
    assert "[red]" in ended.out


def test_bad_input_is_one_line(fails: Fails, table: Table) -> None:
    path = table()
    assert "give --design" in fails("power", path)
    assert "--design needs --se" in fails("power", path, "--design")
    assert "se = 0.0 must be a finite number above 0" in fails(
        "power", path, "--design", "--se", "0"
    )
    wanted = ("power", path, "--design", "--se", ".1")
    assert "cost_call = -1.0" in fails(*wanted, "--cost-call=-1")
    assert "max_judges = 0 must be 1 or more" in fails(*wanted, "--max-judges", "0")
    assert "level" in fails(*wanted, "--level", "2")
    assert "nowhere" in fails("power", "nowhere.csv", "--design", "--se", ".1")
    assert "other" in fails(*wanted, "--criterion", "other")
    assert "--column 'x' is not of the form" in fails(*wanted, "--column", "x")
    assert "--frobnicate" in fails(*wanted, "--frobnicate")


@pytest.mark.parametrize(
    ("question", "idle", "of"),
    [
        (("--effect", ".1"), ("--items", "9"), "--cost"),
        (("--effect", ".1"), ("--se", ".1"), "--design"),
        (("--design", "--se", ".1"), ("--power", ".9"), "--effect"),
        (("--labels-for", ".1"), ("--alpha", ".1"), "--effect"),
        (("--cost",), ("--max-judges", "3"), "--design and --effect"),
    ],
)
def test_an_option_of_another_question_is_refused(
    fails: Fails, question: tuple[str, ...], idle: tuple[str, ...], of: str
) -> None:
    told = fails("power", "nowhere.csv", *question, *idle)
    assert f"{idle[0]} changes nothing with {question[0]}: it goes with {of}" in told
