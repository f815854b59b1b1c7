"""``panopt gate --anytime``: right however often a growing run is looked at."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pytest

import panopt
from panopt.errors import AskError
from panopt.records.gate import Gate
from panopt.records.gate_text import check_words, conclusion
from panopt.records.source import Counts, Source
from panopt.records.study import Study
from panopt.stats.evalue import anytime_gate

MEAN = panopt.Ask(aggregate="mean")


class Ended(Protocol):
    """How a run of the command ended; see conftest.py."""

    code: int
    out: str
    err: str


Run = Callable[..., Ended]
Table = Callable[..., Path]


def side(scores: np.ndarray, *, epochs: int = 1, **more: Any) -> Study:  # noqa: ANN401 - columns
    """Give one system's scores, an item a row, or `epochs` rows of one."""
    n = len(scores)
    given = {
        "item": [f"i{k // epochs:03d}" for k in range(n)],
        "epoch": [1 + k % epochs for k in range(n)],
        "judge": "m",
        "system": "s",
    }
    return Study.from_columns({**given, "score": scores, "scale": "continuous:0:1", **more})


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def watched(base: Study, cand: Study, **options: Any) -> Gate:  # noqa: ANN401 - options
    return panopt.run_gate(base, cand, **{"max_drop": 0.05, "ask": MEAN, **options}, anytime=True)


def test_the_bounds_are_those_of_the_confidence_sequence(rng: np.random.Generator) -> None:
    x, y = rng.random(60), rng.random(60)
    (check,) = watched(side(x), side(y)).checks
    peer = anytime_gate(x - y, max_drop=0.05, alpha=0.05)
    assert (check.low, check.high) == pytest.approx((peer.low, peer.high))
    assert check.status == peer.status
    fixed = panopt.run_gate(side(x), side(y), max_drop=0.05, ask=MEAN).checks[0]
    assert check.low < fixed.low < fixed.high < check.high  # what watching costs


def test_a_large_drop_fails_before_the_run_has_ended(rng: np.random.Generator) -> None:
    base = 0.6 + 0.4 * rng.random(300)
    found = watched(side(base), side(base[:80] - 0.4))
    (check,) = found.checks
    assert (found.passed, check.status, check.n_items) == (False, "worse", 80)
    assert (check.missing.absent, check.missing.examples) == (220, ("i080", "i081", "i082"))
    assert "at every look" in check_words(check, found)


def test_what_is_open_says_to_look_again(rng: np.random.Generator) -> None:
    base, cand = side(rng.random(100)), side(rng.random(30))
    assert conclusion(watched(base, cand)).endswith("look again when there are more")
    strict = watched(base, cand, require_no_worse=True)
    assert not strict.passed
    assert conclusion(strict).endswith("until then it does not pass")


def test_items_and_clusters_that_are_not_complete_wait(rng: np.random.Generator) -> None:
    x, y = rng.random(40), rng.random(40)
    (check,) = watched(side(x, epochs=4), side(y[:18], epochs=4)).checks
    assert (check.n_items, check.missing.examples) == (4, ("i004", "i005", "i006"))
    clusters = [f"c{k // 10}" for k in range(40)]
    (check,) = watched(side(x, cluster=clusters), side(y[:25], cluster=clusters[:25])).checks
    assert (check.n_items, check.n_clusters) == (20, 2)


def test_what_was_answered_and_not_scored_may_be_anything(rng: np.random.Generator) -> None:
    x, y = rng.random(50), rng.random(50)
    y[:10] = np.nan
    (check,) = watched(side(x), side(y)).checks
    (known,) = watched(side(x[10:]), side(y[10:])).checks
    assert check.low < known.low
    assert check.high > known.high
    assert any("10 failed, have no score, or were" in note for note in check.notes)


def test_what_failed_may_be_anything_and_too_much_of_it_is_refused(
    rng: np.random.Generator,
) -> None:
    x, y = rng.random(100), rng.random(100)
    counts = Counts(planned=100, scored=90, errored=10)
    whole = side(y[:90])
    part = Study(whole.table, (Source("log", "inspect", runs=("",), counts=counts),))
    with pytest.raises(AskError, match="10 responses of the candidate failed, 10 of 100 items"):
        watched(side(x), part)
    (check,) = watched(side(x), part, max_missing=0.1).checks
    peer = anytime_gate([*(x[:90] - y[:90]), *[np.nan] * 10], max_drop=0.05)
    assert (check.low, check.high) == pytest.approx((peer.low, peer.high))
    assert check.n_items == 90
    assert check.high > watched(side(x), whole).checks[0].high  # which may still be to come
    (forced,) = watched(side(x), part, force=True).checks
    assert forced.high == check.high
    slow = Counts(planned=100, scored=90, waiting=10)
    late = Study(whole.table, (Source("log", "inspect", runs=("",), counts=slow),))
    assert watched(side(x), late).checks[0].high == check.high  # what is slow may be hard
    many = [f"c{k // 10}" for k in range(100)]
    clustered = side(y[:90], cluster=many[:90])
    lost = Study(clustered.table, part.sources)
    (check,) = watched(side(x, cluster=many), lost, max_missing=0.1).checks
    assert (check.n_items, check.n_clusters) == (90, 10)  # those that failed are of one cluster


def test_scores_that_depend_on_other_responses_give_way_to_the_mean_or_are_refused(
    rng: np.random.Generator,
) -> None:
    judges = ["x", "y", "z"]
    many: dict[str, Any] = {
        "item": [f"i{k // 3}" for k in range(90)],
        "judge": judges * 30,
        "epoch": 1,
    }
    base, cand = (side(rng.random(90), **many) for _ in range(2))
    with pytest.raises(AskError, match="--anytime needs a rule that looks at each response alone"):
        watched(base, cand, ask=panopt.Ask(aggregate="gaussian"))
    assert any(
        "fitted to all logs" in note for note in panopt.run_gate(base, cand, max_drop=0).notes
    )
    found, plain = (watched(base, cand, ask=panopt.Ask(aggregate=how)) for how in ("auto", "mean"))
    assert found.checks == plain.checks
    assert any("would change with every response" in note for note in found.notes)
    assert not any("fitted" in note for note in plain.notes)


def test_a_run_without_a_complete_item_is_refused(rng: np.random.Generator) -> None:
    with pytest.raises(AskError, match="no item is complete and scored on both sides yet"):
        watched(side(rng.random(8), epochs=4), side(rng.random(3), epochs=4))


def test_equal_systems_that_are_watched_throughout_fail_in_at_most_alpha_of_runs() -> None:
    """A look every ten items; a gate for one look fails far more often when watched so."""
    rng, runs, alpha = np.random.default_rng(5), 150, 0.1
    looks, ever, naive = range(10, 201, 10), 0, 0
    for _ in range(runs):
        hard = rng.beta(2, 1, 200)
        drops = (rng.random(200) < hard) * 1.0 - (rng.random(200) < hard)
        found = [anytime_gate(drops[:n], max_drop=0.0, alpha=alpha).status for n in looks]
        ever += "worse" in found
        mean = np.array([drops[:n].mean() for n in looks])
        error = np.array([drops[:n].std(ddof=1) / n**0.5 for n in looks])
        naive += bool((mean > 1.2816 * error).any())
    assert ever / runs <= alpha + 3 * np.sqrt(alpha * (1 - alpha) / runs)
    assert naive / runs > 2 * alpha


def test_the_command_watches(run: Run, table: Table, rng: np.random.Generator) -> None:
    base = [f"i{k},m,1" for k in range(60)]
    cand = [f"i{k},m,{int(rng.random() < 0.3)}" for k in range(40)]
    old, new = (
        table(name, "\n".join(["item,judge,score", *rows, ""]))
        for name, rows in (("old.csv", base), ("new.csv", cand))
    )
    ended = run("gate", old, new, "--max-drop", ".1", "--anytime")
    assert (ended.code, ended.err) == (1, "")
    words = " ".join(ended.out.split())
    assert "20 items of the baseline are not complete there (i40, i41, i42)" in words
    told = json.loads(run("gate", old, new, "--max-drop", ".1", "--anytime", "--json").out)
    assert (told["anytime"], told["checks"][0]["status"]) == (True, "worse")
