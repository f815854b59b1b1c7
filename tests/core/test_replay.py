"""``panopt replay``: from labelled logs to the table, and one line for bad input."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np
import pytest

import panopt
from panopt.errors import AskError
from panopt.records.ask import Ask
from panopt.replay import replay_study


class Ended(Protocol):
    """How a run of the command ended; see conftest.py."""

    code: int
    out: str
    err: str


Run = Callable[..., Ended]
Fails = Callable[..., str]
Table = Callable[..., Path]

#: The field's table, as a program reads it.
MEASURES = {
    "success",
    "success_low",
    "success_high",
    "n_success",
    "n_splits",
    "coverage",
    "coverage_range",
    "agreement",
    "agreement_range",
    "composition",
    "cost",
    "relative_cost",
    "nothing_accepted",
}


@pytest.fixture
def human(table: Table) -> Path:
    """Write human labels of 120 items."""
    rng = np.random.default_rng(0)
    lines = [f"i{i},{int(rng.random() < 0.5)}" for i in range(120)]
    return table("human.csv", "\n".join(["item,score", *lines, ""]))


def truth(human: Path) -> list[int]:
    rows = human.read_text(encoding="utf-8").split("\n")[1:-1]
    return [int(row.split(",")[1]) for row in rows]


@pytest.fixture
def stated(table: Table, human: Path) -> Path:
    """Write three judges that state how sure they are, and are right that often."""
    rng = np.random.default_rng(1)
    lines = ["item,judge,score,confidence"]
    for i, right in enumerate(truth(human)):
        for judge in ("cheap", "middle", "strong"):
            c = rng.uniform(0.5, 1)
            lines.append(f"i{i},{judge},{right if rng.random() < c else 1 - right},{c:.3f}")
    return table("stated.csv", "\n".join([*lines, ""]))


def test_replay_shows_both_tables(run: Run, stated: Path, human: Path) -> None:
    ended = run(
        *("replay", stated, "--labels", human, "--splits", "8", "--alpha", ".2"),
        *("--order", "cheap,strong", "--cost", "cheap=1", "--cost", "strong=10"),
    )
    assert (ended.code, ended.err) == (0, "")
    words = " ".join(ended.out.split())
    for part in (
        "criterion score: 8 replays, each calibrated on 60 of 120 independent labels",
        "at most 0.2 of what was accepted disagrees",
        "promise it in 0.9 of replays; accepting nothing is a success that costs nothing",
        "cascade, cheap to strong: cheap (stated), strong (stated)",
        "panel: majority of 3 judges; cost: relative to asking strong on every response",
        "known population: labels drawn with replacement, risk known exactly",
        "held-out part: the responses that were not drawn, with test noise",
        "percent composition coverage success agreement cost",
        "joint path *",
        "no selection 0/100 100.0",
    ):
        assert part in words, part


def test_replay_as_json_holds_every_number(run: Run, stated: Path, human: Path) -> None:
    words = ("replay", stated, "--labels", human, "--splits", "6", "--alpha", ".2", "--json")
    cost = ("--cost", "middle=2", "--cost", "strong=10")
    ended = run(*words, *cost)
    assert (ended.code, ended.err) == (0, "")
    options = json.loads(ended.out)
    (told,) = options.pop("criteria")
    assert options == {
        "alpha": 0.2,
        "delta": 0.1,
        "splits": 6,
        "seed": 0,
        "level": 0.95,
        "threshold": 0.5,
    }
    assert told["order"] == ["cheap", "middle", "strong"]
    assert (told["n_labelled"], told["n_clusters"], told["labels_per_split"]) == (120, 120, 60)
    assert (told["criterion"], told["reference_cost"]) == ("score", 10.0)
    assert [one["cost"] for one in told["judges"]] == [1.0, 2.0, 10.0]
    assert {one["confidence"] for one in told["judges"]} == {"stated"}
    assert [one["method"] for one in told["methods"]][-3:] == [
        "per-stage fixed sequence",
        "joint path",
        "panel certificate",
    ]
    judges = {one["method"]: one["judges"] for one in told["methods"]}
    assert (judges["no selection"], judges["panel certificate"]) == (["strong"], None)
    for one in told["methods"]:
        for way in ("known_population", "held_out"):
            seen = one[way]
            assert set(seen) == MEASURES
            assert seen["success"] == seen["n_success"] / seen["n_splits"]
            assert seen["success_low"] <= seen["success"] <= seen["success_high"]
            assert seen["relative_cost"] == pytest.approx(seen["cost"] / 10.0)
            if seen["composition"] is not None:
                assert sum(seen["composition"].values()) == pytest.approx(1.0)
    first = told["methods"][0]["known_population"]
    assert (first["coverage"], first["relative_cost"]) == (1.0, 1.0)
    strong = told["judges"][2]
    assert first["agreement"] == pytest.approx(strong["human_agreement"])
    assert (strong["n"], first["composition"]) == (120, {"strong": 1.0})
    assert run(*words, *cost).out == ended.out


def test_single_votes_leave_the_panel_alone(run: Run, table: Table, human: Path) -> None:
    rng = np.random.default_rng(2)
    lines = [
        f"i{i},{judge},{right if rng.random() < 0.8 else 1 - right}"
        for i, right in enumerate(truth(human))
        for judge in "xyz"
    ]
    path = table("single.csv", "\n".join(["item,judge,score", *lines, ""]))
    words = ("replay", path, "--labels", human, "--splits", "5")
    (told,) = json.loads(run(*words, "--json").out)["criteria"]
    assert told["order"] == []
    assert [one["method"] for one in told["methods"]] == [
        "no selection",
        "heuristic",
        "point estimate",
        "panel certificate",
    ]
    assert told["notes"][0].startswith("the panel alone: no judge states a confidence")
    assert told["judges"][0]["reason"] == "no confidence stated, asked once a response"
    assert told["judges"][0]["human_agreement"] is None
    assert "the panel alone" in run(*words).out


def test_repeats_give_shares_and_stated_confidence_goes_before(table: Table, human: Path) -> None:
    lines = []
    for i, right in enumerate(truth(human)):
        # Three repeats: all right on even items, one wrong on odd ones.
        lines += [f"i{i},x,{r},{1 - right if r == 2 and i % 2 else right}," for r in range(3)]
        # Told .9 for the right side, and .6 for the other one in every third item.
        lines += [f"i{i},y,0,{right},.9"]
        lines += [f"i{i},y,1,{right if i % 3 else 1 - right},.6"]
    path = table("repeats.csv", "\n".join(["item,judge,repeat,score,confidence", *lines, ""]))
    study = panopt.read(path, labels=human)
    (found,) = replay_study(study, Ask(alpha=0.2), splits=3)
    assert [(one.source, one.n) for one in found.judges] == [
        ("vote share over repeats", 120),
        ("stated", 80),  # evenly split over its repeats on the others: no verdict of its own
    ]
    assert found.judges[0].agreement == 1.0
    heuristic = {one.method: one for one in found.methods}["heuristic"].known_population
    # Of y: (.9 + .6) / 2 and, where it contradicts itself, (.9 + .4) / 2: never .8.
    assert heuristic.coverage == 0.0
    (shares,) = replay_study(study, Ask(alpha=0.2), splits=3, order=["x"])
    # Of x: 1 on even items, 2/3 on odd ones.
    assert shares.methods[1].known_population.coverage == pytest.approx(0.5)
    (low,) = replay_study(study, Ask(alpha=0.34), splits=3, order=["x"])
    assert low.methods[1].known_population.coverage == 1.0
    (third,) = replay_study(study, Ask(alpha=0.3), splits=3, order=["y"])
    kept = np.mean([i % 3 > 0 for i in range(120)])
    assert third.methods[1].known_population.coverage == pytest.approx(kept)


def test_judges_are_read_as_certificates_read_them(table: Table, human: Path) -> None:
    lines = ["item,judge,score,confidence,confidence_source"]
    for i, right in enumerate(truth(human)):
        lines += [f"i{i},x,{right},{5 + i % 3},margin", f"i{i},y,{right},.9,logprob"]
        lines += [f"i{i},z,{right},.8,{'logprob' if i % 2 else 'verbal'}"]
    study = panopt.read(table("sources.csv", "\n".join([*lines, ""])), labels=human)
    (found,) = replay_study(study, Ask(alpha=0.2), splits=2)
    x, y, z = found.judges
    assert (y.source, y.n) == ("logprob", 120)
    assert found.order == ("y",)
    assert x.reason == "its confidence is a margin, and what is compared here are probabilities"
    assert z.reason == "confidences of several sources (logprob, verbal), which do not compare"
    codes, names = study.codes("judge")
    (panel,) = replay_study(study.filter(codes != names.index("y")), Ask(alpha=0.2), splits=2)
    assert "no judge can be in a cascade (x: its confidence is a margin" in panel.notes[0]


def test_labels_without_an_order_are_replayed(table: Table) -> None:
    rng, lines, human = np.random.default_rng(3), ["item,judge,repeat,label"], ["item,label"]
    for i in range(90):
        right = "abc"[i % 3]
        human.append(f"i{i},{right}")
        for repeat in range(3):
            label = right if rng.random() < 0.7 else rng.choice(list("abc"))
            lines.append(f"i{i},x,{repeat},{label}")
    judged = table("nominal.csv", "\n".join([*lines, ""]))
    people = table("people.csv", "\n".join([*human, ""]))
    (found,) = replay_study(panopt.read(judged, labels=people), splits=4)
    assert (found.aggregate, found.judges[0].source) == ("plurality", "vote share over repeats")
    assert found.judges[0].n < 90  # three different labels are no verdict
    assert found.judges[0].agreement is not None
    assert found.judges[0].agreement > 0.7
    sure = found.methods[1].known_population
    assert sure.agreement is not None
    assert 0.3 < sure.coverage < 0.8
    assert sure.agreement > 0.9


def test_all_labels_drawn_hold_nothing_out(run: Run, stated: Path, human: Path) -> None:
    words = ("replay", stated, "--labels", human, "--splits", "3", "--labels-per-split", "120")
    (told,) = json.loads(run(*words, "--json").out)["criteria"]
    assert all(one["held_out"] is None for one in told["methods"])
    assert "so nothing is held out" in told["notes"][-1]
    assert "held-out part" not in run(*words).out


def test_bad_input_is_one_line(fails: Fails, stated: Path, human: Path, table: Table) -> None:
    words = ("replay", stated, "--labels", human, "--splits", "3")
    assert "alpha" in fails(*words, "--alpha", "1")
    assert "delta" in fails(*words, "--delta", "0")
    assert "--splits 0 must be 1 or more" in fails(*words, "--splits", "0")
    assert "labels per split = 0 must be 1 or more" in fails(*words, "--labels-per-split", "0")
    assert "10 labels a replay cannot certify alpha = 0.1 at delta = 0.1: 22" in fails(
        *words, "--labels-per-split", "10"
    )
    assert "--order names 'nobody', which is no judge here" in fails(*words, "--order", "nobody")
    assert "--order names 'cheap' twice" in fails(*words, "--order", "cheap,cheap")
    assert "costs fall from 5 (cheap) to 1 (strong)" in fails(
        *words, "--order", "cheap,strong", "--cost", "cheap=5"
    )
    assert "--cost names 'who', which is no judge" in fails(*words, "--cost", "who=1")
    assert "'dear' is no number" in fails(*words, "--cost", "cheap=dear")
    assert "not of the form NAME=VALUE" in fails(*words, "--cost", "cheap")
    assert "must be finite and not negative" in fails(*words, "--cost", "cheap=-1")
    assert "must be finite and not negative" in fails(*words, "--cost", "cheap=nan")
    assert "is fitted to the logs at hand" in fails(*words, "--aggregate", "gaussian")
    assert "has 0 independent labelled responses: a replay takes at least 44" in fails(
        "replay", stated
    )
    assert "nowhere" in fails("replay", "nowhere.csv")
    single = table("single.csv")
    few = table("few.csv", "item,score\n" + "".join(f"i{i},1\n" for i in range(6)))
    assert "3 labels a replay cannot certify" in fails("replay", single, "--labels", few)


def test_a_judge_without_confidence_is_in_no_cascade(
    fails: Fails, run: Run, table: Table, stated: Path, human: Path
) -> None:
    text = stated.read_text(encoding="utf-8") + "".join(f"i{i},mute,1,\n" for i in range(120))
    path = table("mute.csv", text)
    words = ("replay", path, "--labels", human, "--splits", "2")
    (told,) = json.loads(run(*words, "--json").out)["criteria"]
    assert told["order"] == ["cheap", "middle", "strong"]
    assert "not in the cascade, for want of a confidence: 'mute'" in told["notes"]
    assert "'mute', which cannot be in a cascade" in fails(*words, "--order", "cheap,mute")


@pytest.fixture
def criteria(table: Table) -> tuple[Path, Path]:
    """Write judgments of three criteria, of which humans labelled two."""
    rng = np.random.default_rng(4)
    judged, people = ["item,judge,criterion,score,confidence"], ["item,criterion,score"]
    for i in range(100):
        for criterion in "abc":
            right = int(rng.random() < 0.5)
            if criterion != "c":
                people.append(f"i{i},{criterion},{right}")
            for judge in "xy" if criterion == "a" else "xyz":
                sure = rng.uniform(0.5, 1)
                vote = right if rng.random() < sure else 1 - right
                judged.append(f"i{i},{judge},{criterion},{vote},{sure:.3f}")
    return table("three.csv", "\n".join([*judged, ""])), table("who.csv", "\n".join([*people, ""]))


def test_each_criterion_gets_a_table_of_its_own(run: Run, criteria: tuple[Path, Path]) -> None:
    words = ("replay", criteria[0], "--labels", criteria[1], "--splits", "4", "--alpha", ".3")
    every = json.loads(run(*words, "--json").out)["criteria"]
    assert [one["criterion"] for one in every] == ["a", "b"]
    assert [len(one["judges"]) for one in every] == [2, 3]
    for one in every:
        assert "'c' is not replayed: it has no human labels" in one["notes"]
    named = run(*words, "--criterion", "b", "--criterion", "a", "--json")
    turned = json.loads(named.out)["criteria"]
    assert [one["criterion"] for one in turned] == ["b", "a"]
    for one, other in zip(every, reversed(turned), strict=True):
        assert one["methods"] == other["methods"]
        assert not any("not replayed" in note for note in other["notes"])
    shown = run(*words).out
    assert shown.count("held-out part") == 2
    assert shown.index("criterion a:") < shown.index("criterion b:")


def test_what_a_criterion_lacks_is_named(
    fails: Fails, run: Run, criteria: tuple[Path, Path]
) -> None:
    words = ("replay", criteria[0], "--labels", criteria[1], "--splits", "2", "--alpha", ".3")
    assert "'c' has 0 independent labelled responses" in fails(*words, "--criterion", "c")
    assert "'z', which is no judge here (criterion 'a')" in fails(*words, "--order", "x,z")
    told = json.loads(run(*words, "--cost", "z=3", "--json").out)["criteria"]
    assert [[judge["cost"] for judge in one["judges"]] for one in told] == [[1, 1], [1, 1, 3]]


def test_replays_are_at_hand_from_python(criteria: tuple[Path, Path]) -> None:
    study = panopt.read(criteria[0], labels=criteria[1])
    found = panopt.replay_study(study, panopt.Ask(alpha=0.3, criterion=("b",)), splits=2)
    assert [type(one) for one in found] == [panopt.CriterionReplay]
    with pytest.raises(AskError, match="has human labels but no judge; read a log too"):
        panopt.replay_study(study.where("judge_kind", "human"), splits=2)
    with pytest.raises(AskError, match=r"splits = 0 must be 1 or more"):
        panopt.replay_study(study, splits=0)
    with pytest.raises(AskError, match="nothing to replay: no judgment was read"):
        panopt.replay_study(panopt.Study.from_columns({"item": [], "judge": [], "score": []}))
