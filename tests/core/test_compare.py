"""``panopt compare``: what it finds, in which words, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pytest
import scipy.stats
import statsmodels.api as sm

import panopt
from panopt.errors import AskError
from panopt.records.study import Study


class Ended(Protocol):
    """How a run of the command ended; see conftest.py."""

    code: int
    out: str
    err: str


Run = Callable[..., Ended]
Fails = Callable[..., str]
Table = Callable[..., Path]


def study_of(
    scores: dict[str, np.ndarray],
    *,
    judge: str | list[str] = "m",
    epochs: int = 1,
    first: int = 0,
    **more: Any,  # noqa: ANN401 - columns
) -> Study:
    """Give systems scored item by item; an array of two dimensions has a column a judge."""
    rows: dict[str, list[Any]] = {
        name: [] for name in ("item", "system", "judge", "score", "epoch")
    }
    for system, table in scores.items():
        columns = np.atleast_2d(table.T).T
        names = judge if isinstance(judge, list) else [judge]
        for j, name in enumerate(names):
            n = len(columns)
            rows["item"] += [f"i{first + k // epochs:03d}" for k in range(n)]
            rows["epoch"] += [1 + k % epochs for k in range(n)]
            rows["system"] += [system] * n
            rows["judge"] += [name] * n
            rows["score"] += columns[:, j].tolist()
    return Study.from_columns({**rows, "scale": "continuous:0:1", **more})


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_the_difference_is_the_paired_t_of_scipy(rng: np.random.Generator) -> None:
    x, y = rng.random(40), rng.random(40)
    (found,) = panopt.compare(study_of({"a": x, "b": y}))
    (pair,) = found.pairs
    peer = scipy.stats.ttest_rel(x, y)
    ends = peer.confidence_interval(0.95)
    assert (pair.a, pair.b, pair.n_items) == ("a", "b", 40)
    assert pair.value == pytest.approx(np.mean(x - y), abs=1e-12)
    assert pair.low == pytest.approx(float(ends.low))
    assert pair.high == pytest.approx(float(ends.high))
    signs = scipy.stats.permutation_test(
        (x - y,), np.mean, permutation_type="samples", n_resamples=9999, rng=rng
    )
    assert pair.p == pytest.approx(signs.pvalue, abs=0.03)


def test_epochs_are_averaged_and_items_are_the_units(rng: np.random.Generator) -> None:
    x, y = rng.random(100).round(1), rng.random(100).round(1)
    (found,) = panopt.compare(study_of({"a": x, "b": y}, epochs=5))
    d = x - y
    fitted = sm.OLS(d, np.ones(100)).fit(
        cov_type="cluster", cov_kwds={"groups": np.repeat(np.arange(20), 5)}
    )
    # CR1 of statsmodels has (n - 1) / (n - k) more, which is 1 for a constant alone
    (pair,) = found.pairs
    assert pair.n_clusters == 20
    assert pair.se == pytest.approx(float(fitted.bse[0]), rel=1e-10)


def test_two_logs_of_one_system_are_told_apart_and_paired(rng: np.random.Generator) -> None:
    """Neither run nor item names tell the sides apart: only that they are two studies."""
    x, y = rng.random(30), rng.random(30)
    (found,) = panopt.compare(study_of({"s": x}), study_of({"s": y}), names=("before", "after"))
    (pair,) = found.pairs
    assert (pair.a, pair.b) == ("s (before)", "s (after)")
    assert pair.value == pytest.approx(np.mean(x - y))


def test_items_that_one_side_lacks_are_named_and_counted(rng: np.random.Generator) -> None:
    x, y = rng.random(10), rng.random(8)
    y[3] = np.nan  # item 5 of a; its judge failed
    (found,) = panopt.compare(study_of({"a": x}), study_of({"b": y}, first=2))
    (pair,) = found.pairs
    assert pair.n_items == 7
    assert (pair.missing_b.absent, pair.missing_b.unscored) == (2, 1)
    assert pair.missing_b.examples == ("i000", "i001", "i005")
    assert pair.missing_a.n == 0


def test_named_clusters_are_the_units(rng: np.random.Generator) -> None:
    x, y = rng.random(40), rng.random(40)
    clusters = [f"c{k // 4}" for k in range(40)]
    study = study_of({"a": x, "b": y}, cluster=clusters * 2)
    ((pair,),) = (one.pairs for one in panopt.compare(study))
    assert pair.n_clusters == 10
    ((alone,),) = (one.pairs for one in panopt.compare(study, cluster="item"))
    assert alone.n_clusters == 40
    with pytest.raises(AskError, match="cluster = family: no log tells a task family"):
        panopt.compare(study, cluster="family")


def test_many_systems_are_adjusted_ranked_and_given_strengths(rng: np.random.Generator) -> None:
    base = rng.random(120) * 0.5
    systems = {f"s{k}": base + 0.2 * k + 0.1 * rng.random(120) for k in range(3)}
    (found,) = panopt.compare(study_of(systems))
    assert [one.rank for one in found.standings] == [3.0, 2.0, 1.0]
    assert [(one.rank_low, one.rank_high) for one in found.standings] == [(3, 3), (2, 2), (1, 1)]
    p = np.array([pair.p for pair in found.pairs])
    adjusted = np.array([pair.p_holm for pair in found.pairs])
    assert (adjusted >= p).all()
    assert found.pair("s2", "s0").better(0.95) == "s2"
    with pytest.raises(ValueError, match="'s0' and 'x' were not compared"):
        found.pair("s0", "x")
    # s2 won every item: no finite strength, which is said rather than made up
    assert found.strengths is not None
    assert found.strengths.reason is not None
    assert any(note.startswith("no strengths: ") for note in found.notes)


def test_judges_as_a_sample_widen_the_interval(rng: np.random.Generator) -> None:
    liking = np.array([0.3, -0.1, 0.1])
    a = np.clip(0.4 + 0.1 * rng.random((200, 3)) + liking, 0, 1)
    b = 0.4 + 0.1 * rng.random((200, 3))
    study = study_of({"a": a, "b": b}, judge=["x", "y", "z"])
    (items,), (both,) = (
        panopt.compare(study, ask=panopt.Ask(aggregate="mean"), sources=sources)
        for sources in ("items", "items+judges")
    )
    one, other = items.pairs[0], both.pairs[0]
    assert one.value == pytest.approx(other.value)
    assert (one.se or 1) < (other.se or 0) / 5
    assert one.better(0.95) == "a"
    assert other.better(0.95) is None
    assert other.of_judge["x"] == pytest.approx(0.3, abs=0.02)
    assert any("judges were asked" in text for text in both.holds)
    assert any("other judges" in text for text in items.holds_not)


def test_other_judges_and_cached_verdicts_are_warned_of(rng: np.random.Generator) -> None:
    (found,) = panopt.compare(
        study_of({"a": rng.random(9)}, judge="x", cached=True),
        study_of({"b": rng.random(9)}, judge="y"),
    )
    told = " / ".join(found.warnings)
    assert "not all were judged by the same judges: a by 'x', b by 'y'" in told
    assert "9 verdicts are copies out of a cache" in told


def test_pass_rates_of_a_threshold(rng: np.random.Generator) -> None:
    x, y = rng.random(50), rng.random(50)
    (found,) = panopt.compare(
        study_of({"a": x, "b": y}), ask=panopt.Ask(threshold=0.3), passed=True
    )
    assert found.pairs[0].value == pytest.approx(np.mean(x >= 0.3) - np.mean(y >= 0.3))
    assert found.pairs[0].p_method == "McNemar's exact test"
    assert found.measure == "pass rate"


def test_no_common_item_is_refused_with_examples(rng: np.random.Generator) -> None:
    with pytest.raises(AskError, match=r"a has 'i000', .* b has 'i050', .* matched by their ids"):
        panopt.compare(study_of({"a": rng.random(5)}), study_of({"b": rng.random(5)}, first=50))


def test_one_common_item_is_refused(rng: np.random.Generator) -> None:
    with pytest.raises(AskError, match="a and b have one item in common"):
        panopt.compare(study_of({"a": rng.random(5)}), study_of({"b": rng.random(5)}, first=4))


def test_ties_everywhere_are_refused_unless_forced() -> None:
    study = study_of({"a": np.tile([0.0, 1.0], 20), "b": np.tile([0.0, 1.0], 20)})
    with pytest.raises(AskError, match="scores the same on each of 40 common items"):
        panopt.compare(study)
    (found,) = panopt.compare(study, force=True)
    assert found.pairs[0].p == 1.0
    assert found.pairs[0].low is not None
    assert found.pairs[0].low < 0 < (found.pairs[0].high or 0)


def test_one_cluster_is_refused(rng: np.random.Generator) -> None:
    study = study_of({"a": rng.random(9), "b": rng.random(9)}, cluster="all")
    with pytest.raises(AskError, match="all items are of one cluster"):
        panopt.compare(study)


def test_a_criterion_that_one_log_lacks_is_refused(rng: np.random.Generator) -> None:
    one = study_of({"a": rng.random(9)}, criterion="style")
    other = study_of({"b": rng.random(9)}, criterion="truth")
    with pytest.raises(AskError, match="criterion 'style' was not judged in right"):
        panopt.compare(one, other, ask=panopt.Ask(criterion=("style",)), names=("left", "right"))
    with pytest.raises(AskError, match=r"no criterion is .*left by 'style'; right by 'truth'"):
        panopt.compare(one, other, names=("left", "right"))
    (found,) = panopt.compare(one, other, force=True)
    assert found.criterion == "style / truth"


def test_one_system_is_refused(rng: np.random.Generator) -> None:
    with pytest.raises(AskError, match="a alone was judged: name a second log"):
        panopt.compare(study_of({"a": rng.random(9)}))


def test_runs_of_the_one_system_are_compared(rng: np.random.Generator) -> None:
    both = Study.concat(
        [study_of({"a": rng.random(9)}, run="x"), study_of({"a": rng.random(9)}, run="y")]
    )
    (found,) = panopt.compare(both)
    assert (found.pairs[0].a, found.pairs[0].b) == ("a (x)", "a (y)")


def test_labels_without_order_are_refused() -> None:
    study = Study.from_columns(
        {
            "item": ["i", "j"] * 2,
            "system": ["a", "a", "b", "b"],
            "judge": "m",
            "label": ["red", "blue", "red", "red"],
            "scale": "nominal",
        }
    )
    with pytest.raises(AskError, match="labels on a nominal scale have no mean"):
        panopt.compare(study)


def test_a_criterion_that_cannot_be_compared_is_left_out_and_said(
    rng: np.random.Generator,
) -> None:
    good, tied = rng.random(20), np.ones(20)
    both = Study.concat(
        [
            study_of({"a": good, "b": good[::-1]}, criterion="style"),
            study_of({"a": tied, "b": tied}, criterion="truth"),
        ]
    )
    (found,) = panopt.compare(both)
    assert found.criterion == "style"
    assert any("left out: criterion 'truth': every system scores" in one for one in found.notes)
    with pytest.raises(AskError, match="criterion 'truth': every system scores the same"):
        panopt.compare(both, ask=panopt.Ask(criterion=("style", "truth")))


def test_a_judge_on_two_scales_is_refused(rng: np.random.Generator) -> None:
    one = study_of({"a": rng.integers(1, 6, 9).astype(float)}, scale="ordinal:1:5")
    other = study_of({"b": rng.integers(1, 5, 9).astype(float)}, scale="ordinal:1:4")
    with pytest.raises(AskError, match=r"judge 'm' scores on ordinal:1:5 in one log"):
        panopt.compare(one, other)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"sources": "judges"}, "sources = 'judges' must be one of items, items"),
        ({"method": "z"}, "method = 'z' must be one of t, bca, percentile"),
        ({"cluster": "topic"}, "cluster = 'topic' must be one of auto, item, family"),
        ({"names": ("x", "y")}, "names has 2 entries for 1 studies"),
        ({"sources": "items+judges"}, "has one judge, 'm': how judges differ cannot be told"),
    ],
)
def test_options_off_their_range_are_named(
    options: dict[str, Any], match: str, rng: np.random.Generator
) -> None:
    with pytest.raises(AskError, match=match):
        panopt.compare(study_of({"a": rng.random(9), "b": rng.random(9)}), **options)


def test_no_study_is_refused() -> None:
    with pytest.raises(AskError, match="compare needs a study"):
        panopt.compare()


def test_tasks_of_other_names_are_refused(shared: Path, fails: Fails) -> None:
    logs = shared / "data" / "logs" / "inspect"
    one = next((logs / "popularity").glob("*gpt*"), None) or next((logs / "popularity").iterdir())
    other = next((logs / "theory_of_mind").iterdir())
    told = fails("compare", one, other, "--tier", "fast")
    assert "is of task 'popularity'" in told
    assert "of task 'theory_of_mind': their items may be numbered alike" in told


def test_four_real_logs_compare_as_scipy_and_statsmodels_do(run: Run, shared: Path) -> None:
    logs = sorted((shared / "data" / "logs" / "inspect" / "popularity").glob("*.eval"))
    ended = run("compare", *logs, "--tier", "fast", "--json")
    assert (ended.code, ended.err) == (0, "")
    (told,) = json.loads(ended.out)["comparisons"]
    means = {one["name"]: one["mean"]["value"] for one in told["contenders"]}
    assert means == {
        "openai/gpt-5": 0.52,
        "google/gemini-2.5-pro": 0.66,
        "google/gemini-2.5-flash": 0.58,
        "openai/gpt-4o-mini": 0.63,
    }
    assert len(told["pairs"]) == 6
    study = panopt.read(*logs, reading=panopt.Reading(tier="fast"))
    rows = study.table.select(["item", "system", "score"]).to_pylist()
    by = {(row["system"], row["item"]): row["score"] for row in rows}
    items = sorted({item for _, item in by})
    for pair in told["pairs"]:
        x, y = (np.array([by[pair[side], item] for item in items]) for side in "ab")
        wins = scipy.stats.binomtest(int(np.sum(x > y)), int(np.sum(x != y)))
        assert pair["value"] == pytest.approx(np.mean(x - y), abs=1e-10)
        assert pair["se"] == pytest.approx(scipy.stats.sem(x - y), abs=1e-10)
        assert pair["p"] == pytest.approx(wins.pvalue, abs=1e-10)


def test_a_person_sees_differences_and_what_they_hold(run: Run, table: Table) -> None:
    lines = ["item,system,judge,score"]
    rng = np.random.default_rng(1)
    for k in range(40):
        lines += [f"i{k},[red]a,m,{int(rng.random() < 0.9)}", f"i{k},b,m,{int(rng.random() < 0.3)}"]
    ended = run("compare", table("judged.csv", "\n".join([*lines, ""])))
    assert (ended.code, ended.err) == (0, "")
    words = " ".join(ended.out.replace("│", " ").split())
    for part in (
        "criterion score",
        "[red]a is better than b, by 0.",
        "intervals hold: which items were asked",
        "they do not hold:",
        "p: McNemar's exact test",
    ):
        assert part in words


def test_tables_that_name_no_run_are_compared_side_by_side(run: Run, table: Table) -> None:
    old = table("old.csv", "item,judge,score\na,m,1\nb,m,0\nc,m,1\nd,m,1\n")
    new = table("new.csv", "item,judge,score\na,m,1\nb,m,1\nc,m,0\nd,m,0\n")
    ended = run("compare", old, new, "--json")
    (pair,) = json.loads(ended.out)["comparisons"][0]["pairs"]
    assert (pair["a"], pair["b"], pair["value"], pair["n_items"]) == ("old", "new", 0.25, 4)


def test_a_log_that_is_named_twice_is_refused(fails: Fails, table: Table) -> None:
    log = table()
    assert "is named twice: a log cannot be both sides" in fails("compare", log, log)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        (("--level", "1.5"), "option level = 1.5"),
        (("--metric", "style"), "criterion 'style' was not judged"),
        (("--method", "z"), "method = 'z' must be one of"),
        (("--bootstrap", "10", "--method", "bca"), "n_boot = 10 must be 1000 or more"),
    ],
)
def test_bad_options_of_the_command(
    fails: Fails, table: Table, options: tuple[str, ...], match: str
) -> None:
    log = table("log.csv", "item,system,judge,score\na,s,m,1\nb,s,m,0\na,t,m,0\nb,t,m,0\n")
    assert match in fails("compare", log, *options)
