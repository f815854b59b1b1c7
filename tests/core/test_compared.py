"""``panopt compare`` as a person meets it: many systems, gaps, a reference, a plain end."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pytest

import panopt
from panopt.cli.compared import short_systems
from panopt.errors import AskError
from panopt.records.comparison import Comparison
from panopt.records.comparison_text import conclusion, lacking, pair_words
from panopt.records.study import Study
from panopt.standings import ranked_together
from panopt.stats.judged_power import judged_power


class Ended(Protocol):
    """How a run of the command ended; see conftest.py."""

    code: int
    out: str
    err: str


Run = Callable[..., Ended]
Fails = Callable[..., str]
Table = Callable[..., Path]


def study_of(scores: dict[str, np.ndarray]) -> Study:
    """Give systems scored item by item; NaN is an item that the system did not answer."""
    rows: dict[str, list[Any]] = {name: [] for name in ("item", "system", "score")}
    for system, column in scores.items():
        for k in np.flatnonzero(~np.isnan(column)).tolist():
            rows["item"].append(f"i{k:03d}")
            rows["system"].append(system)
            rows["score"].append(float(column[k]))
    return Study.from_columns({**rows, "judge": "m", "scale": "continuous:0:1"})


def compared(**scores: np.ndarray) -> Comparison:
    (found,) = panopt.compare(study_of(scores), ask=panopt.Ask(n_boot=1000))
    return found


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def words_of(ended: Ended) -> str:
    assert (ended.code, ended.err) == (0, "")
    return " ".join(ended.out.replace("│", " ").split())


def csv_of(scores: dict[str, np.ndarray]) -> str:
    lines = ["item,system,judge,score"]
    for system, column in scores.items():
        lines += [f"i{k},{system},m,{value:g}" for k, value in enumerate(column.tolist())]
    return "\n".join([*lines, ""])


def test_two_that_are_told_apart_end_in_who_and_by_how_much(rng: np.random.Generator) -> None:
    base = rng.random(50) / 2
    found = compared(low=base, high=base + 0.2 + 0.01 * rng.random(50))
    (pair,) = found.pairs
    assert pair.value is not None
    assert conclusion(found) == (
        f"high is better than low, by {-pair.value:.3f} ({-(pair.high or 0):.3f} to "
        f"{-(pair.low or 0):.3f}), on 50 items"
    )
    assert conclusion(found, {"high": "H"}).startswith("H is better than low")


def test_two_that_are_not_told_apart_end_in_what_would_have_been_shown(
    rng: np.random.Generator,
) -> None:
    found = compared(a=rng.random(40), b=rng.random(40))
    (pair,) = found.pairs
    told = conclusion(found)
    assert told.startswith("these 40 items do not tell a and b apart: the difference may be")
    assert pair.detectable is not None
    assert f"A true difference of {pair.detectable:.2g} or more" in told
    # by the normal approximation, (1.96 + .84) standard errors
    assert pair.detectable == pytest.approx(2.8 * (pair.se or 0), rel=0.05)


def test_a_pair_turned_round_is_the_pair_of_the_other_order(rng: np.random.Generator) -> None:
    x, y = rng.random(30), rng.random(30)
    y[:4] = np.nan
    one, other = compared(a=x, b=y).pairs[0], compared(b=y, a=x).pairs[0]
    other = other if other.a == "b" else other.turned()
    turned = one.turned()
    for name in ("a", "b", "n_items", "missing_a", "missing_b"):
        assert getattr(turned, name) == getattr(other, name), name
    for name in ("value", "low", "high", "se", "win_rate", "win_low", "win_high"):
        assert getattr(turned, name) == pytest.approx(getattr(other, name)), name
    assert turned.turned() == one


def test_many_end_in_which_one_may_be_the_best(rng: np.random.Generator) -> None:
    base = rng.random(100) / 2
    scores = {name: base + 0.02 * rng.random(100) for name in "abc"}
    assert conclusion(compared(**scores)).startswith("no system is shown to be better")
    scores["a"] = scores["a"] - 0.2
    found = compared(**scores)
    assert conclusion(found).startswith("2 of 3 pairs can be told apart. Which one is best stays")
    scores["c"] = scores["c"] + 0.2
    assert conclusion(compared(**scores)) == (
        "c is the best of the 3: shown to be better than each other one"
    )
    assert pair_words(found.pair("a", "b"), 0.95).startswith("b is better than a, by 0.2")


def test_a_system_with_few_items_leaves_ranks_to_the_others(rng: np.random.Generator) -> None:
    scores = {name: rng.random(100) for name in "abcd"}
    scores["b"][10:] = np.nan
    scores["d"][10:] = np.nan
    found = compared(**scores)
    assert found.ranked == ("a", "c")
    assert [one.rank is None for one in found.standings] == [False, True, False, True]
    assert any("ranks are among the 2 systems that have 100 items" in one for one in found.notes)
    (line,) = lacking(found)
    assert line == (
        "2 systems (b and d) lack 90 of the 100 items (i010, i011, i012 ...): the 5 pairs with "
        "them rest on 10 items or fewer"
    )


def test_ranked_together_takes_the_largest_table_without_gaps() -> None:
    full = np.ones((10, 3), dtype=np.bool_)
    assert ranked_together(full) == (0, 1, 2)
    full[8:, 1] = False  # 8 x 3 are more than 10 x 2
    assert ranked_together(full) == (0, 1, 2)
    full[3:, 1] = False
    assert ranked_together(full) == (0, 2)
    assert ranked_together(np.eye(3, dtype=np.bool_)) == (0, 1, 2)  # nothing is left to lose


def test_makers_are_left_out_of_names_only_where_models_stay_apart() -> None:
    names = ["x/one", "y/one", "z/two", "plain", "http://a/b"]
    short = short_systems(names)
    assert list(short.values()) == ["x/one", "y/one", "two", "plain", "http://a/b"]


def test_many_systems_show_those_with_the_best_and_all_on_demand(
    run: Run, table: Table, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"maker/a-model-with-a-rather-long-name-{k}" for k in range(8)]
    scores = {name: np.clip(rng.random(40) + k / 20, 0, 1) for k, name in enumerate(names)}
    log = table("judged.csv", csv_of(scores))
    brief, whole = words_of(run("compare", log)), words_of(run("compare", log, "--all"))
    assert "pairs with the best system; 21 more: --all shows them" in brief
    assert "A - B" in brief
    assert "B - C" not in brief
    assert "G - H" in whole
    assert "strength" not in whole  # there is no room
    monkeypatch.setenv("COLUMNS", "140")
    assert "strength" in words_of(run("compare", log, "--all"))
    assert "A a-model-with-a-rather-long-name-7" in brief
    assert "In short: " in brief
    told = json.loads(run("compare", log, "--json").out)["comparisons"][0]
    assert len(told["pairs"]) == 28
    assert told["conclusion"]


def test_real_logs_with_other_items_are_told_of_in_a_line(run: Run, shared: Path) -> None:
    logs = shared / "data" / "logs" / "inspect"
    ended = run("compare", logs / "popularity", logs / "popularity_epochs")
    words = words_of(ended)
    assert "2 systems (gpt-5 (popularity_epochs) and gemini-2.5-pro (popularity_epochs))" in words
    assert "lack 90 of the 100 items (11, 12, 13 ...): the 9 pairs with them rest on 10" in words
    assert words.count("stand out") <= 1
    assert max(map(len, ended.out.splitlines())) <= 80
    assert words.rstrip("─ ").endswith("in [0, 1]") or "too few items are known)." in words


def test_the_order_is_held_against_a_reference(
    run: Run, table: Table, rng: np.random.Generator
) -> None:
    base = rng.random(200) / 2
    scores = {name: base + k / 8 + 0.05 * rng.random(200) for k, name in enumerate("abcd")}
    log = table("judged.csv", csv_of(scores))
    ranks = table("ranks.csv", "system,rank\nd,1\nc,2\nb,3\na,4\nother,5\n")
    told = json.loads(run("compare", log, "--reference", ranks, "--json").out)
    rho, tau = told["comparisons"][0]["reference"]
    assert (rho["value"], rho["low"], rho["high"], rho["n_systems"]) == (1.0, 1.0, 1.0, 4)
    assert (tau["value"], rho["p"]) == (1.0, pytest.approx(2 / 24))
    elo = table("elo.csv", "model,elo\na,1500\nb,1400\nc,1300\n")
    words = words_of(run("compare", log, "--reference", elo))
    assert "agreement with the reference, Spearman's rho: -1.00 [-1.00, -1.00] of 3" in words
    assert "note: not in the reference: d" in words


def test_a_reference_keeps_to_items_that_its_systems_share(rng: np.random.Generator) -> None:
    scores = {name: rng.random(100) for name in "abcd"}
    scores["d"][5:] = np.nan
    (found,) = panopt.compare(study_of(scores), reference=dict.fromkeys("abcd", 1.0) | {"a": 2.0})
    assert {one.n for one in found.reference} == {100}
    assert any("too few common items to stand by the reference: d" in one for one in found.notes)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("name,points\na,1\n", "needs a column 'score' or 'rank'; its columns are name, points"),
        ("thing,score\na,1\n", "needs a column 'system'; its columns are thing"),
        ("system,score\na,1\na,2\n", "row 2: system 'a' stands there twice"),
        ("system,score\na,high\n", "row 1: 'high' is no number"),
        ("system,score\na,inf\n", "row 1: 'inf' is no number"),
        ("system,score\n,\n", "no row has a system and its score or rank"),
        ("system,score\na,1\nz,2\n", "the reference holds 1 of the systems that are compared"),
    ],
)
def test_a_reference_that_cannot_be_used_is_refused(
    text: str, match: str, fails: Fails, table: Table, rng: np.random.Generator
) -> None:
    log = table("judged.csv", csv_of({"a": rng.random(9), "b": rng.random(9)}))
    assert match in fails("compare", log, "--reference", table("reference.csv", text))


def test_a_reference_that_is_no_table_is_refused(fails: Fails, table: Table) -> None:
    log = table("judged.csv", csv_of({"a": np.arange(3.0) / 2, "b": np.ones(3)}))
    assert "does not exist" in fails("compare", log, "--reference", log.with_name("no.csv"))
    other = table("reference.txt", "system,score\na,1\n")
    assert "a reference is a table (.csv" in fails("compare", log, "--reference", other)


def test_a_reference_of_strangers_is_refused(rng: np.random.Generator) -> None:
    study = study_of({"a": rng.random(9), "b": rng.random(9)})
    with pytest.raises(AskError, match="it names 'x'; compared are 'a', 'b'"):
        panopt.compare(study, reference={"x": 1.0})


def test_a_named_cluster_is_the_unit_of_both_commands(
    run: Run, fails: Fails, table: Table, rng: np.random.Generator
) -> None:
    def log(name: str) -> Path:
        rows = [f"i{k},m,{rng.random():.3f},t{k // 5}" for k in range(60)]
        return table(name, "\n".join(["item,judge,score,topic", *rows, ""]))

    one, other = log("one.csv"), log("other.csv")
    told = json.loads(run("compare", one, other, "--cluster", "topic", "--json").out)
    assert told["comparisons"][0]["pairs"][0]["n_clusters"] == 12
    gate = json.loads(
        run("gate", one, other, "--cluster", "topic", "--max-drop", ".5", "--json").out
    )
    assert gate["checks"][0]["n_clusters"] == 12
    for words in (("compare", one, other), ("gate", one, other, "--max-drop", ".5")):
        line = fails(*words, "--cluster", "genre")
        assert "cluster = genre: no source tells it of any item" in line
        assert "which hold 'item', 'judge', 'score', 'topic'" in line


def test_a_reference_may_leave_out_makers(rng: np.random.Generator) -> None:
    scores = {name: rng.random(30) for name in ("x/a", "x/b", "y/b")}
    (found,) = panopt.compare(study_of(scores), reference={"a": 1.0, "x/b": 2.0, "b": 3.0})
    assert "not in the reference: y/b" in found.notes  # b may be either
    assert found.reference


def test_the_end_tells_of_many_items_left_out(rng: np.random.Generator) -> None:
    whole = rng.random(40)
    for lost, told in ((0, False), (2, False), (3, True), (20, True)):
        found = compared(a=whole, b=np.where(np.arange(40) < lost, np.nan, whole**2))
        assert ("were they the hard ones" in conclusion(found)) is told


def test_what_could_be_shown_over_judges_is_shown_four_times_in_five() -> None:
    """Few judges that differ tell less than their standard error does: t has two degrees there."""
    draws, rng = [], np.random.default_rng(3)
    own, rest = 0.002, 0.01
    for _ in range(30):
        rows: dict[str, list[Any]] = {name: [] for name in ("item", "judge", "system", "score")}
        for judge in "xyz":
            gap = rng.normal(0, own**0.5) + rng.normal(0, rest**0.5, 40)
            for k, (low, high) in enumerate(zip(0.4 - gap / 2, 0.4 + gap / 2, strict=True)):
                for system, score in (("a", low), ("b", high)):
                    for name, value in zip(rows, (f"i{k}", judge, system, score), strict=True):
                        rows[name].append(value)
        study = Study.from_columns({**rows, "scale": "continuous:-1:2"})
        (found,) = panopt.compare(study, sources="items+judges", ask=panopt.Ask(aggregate="mean"))
        draws.append(3.0 * (found.pairs[0].detectable or np.nan))  # scores are on a third here
    told = float(np.sqrt(np.mean(np.square(draws))))
    power = judged_power(told, judges=3, items=40, judge=own, item=0.0, rest=rest)
    assert 0.7 < power < 0.9


def test_a_system_without_common_items_stands_beside_the_others(rng: np.random.Generator) -> None:
    scores = {name: np.full(60, np.nan) for name in "abc"}
    scores["a"][:30], scores["b"][:30], scores["c"][30:] = rng.random((3, 30))
    (found,) = panopt.compare(study_of(scores))
    assert [each.strength is None for each in found.standings] == [False, False, True]
    assert [pair.value is None for pair in found.pairs] == [False, True, True]
    assert conclusion(found)


def test_the_end_tells_of_sides_that_were_not_judged_alike() -> None:
    rows: dict[str, list[Any]] = {name: [] for name in ("item", "system", "judge", "prompt_hash")}
    for k in range(40):
        for system, judge in (("a", "x"), ("b", "y")):
            for name, value in zip(rows, (f"i{k}", system, judge, judge), strict=True):
                rows[name].append(value)
    score = [float(k % 3 > 0) if k % 2 else 1.0 for k in range(80)]
    for judges, told in ((rows["judge"], "the same judges"), ("x", "another prompt")):
        study = Study.from_columns({**rows, "judge": judges, "score": score, "scale": "binary"})
        (found,) = panopt.compare(study)
        assert any(told in warning for warning in found.warnings)
        assert conclusion(found).endswith("not judged alike: that alone may make the difference")
