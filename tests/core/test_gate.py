"""``panopt gate``: it fails only where a drop is shown, and refuses what would mean nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol
from xml.etree import ElementTree as ET

import numpy as np
import pytest

import panopt
from panopt.errors import AskError
from panopt.records.gate_text import conclusion, junit, junit_refusal, markdown, verdict_words
from panopt.records.study import Study


class Ended(Protocol):
    """How a run of the command ended; see conftest.py."""

    code: int
    out: str
    err: str


Run = Callable[..., Ended]
Fails = Callable[..., str]
Table = Callable[..., Path]


def side(scores: np.ndarray, **more: Any) -> Study:  # noqa: ANN401 - columns
    """Give one system's scores, an item a row."""
    n = len(scores)
    given = {"item": [f"i{k:03d}" for k in range(n)], "judge": "m", "system": "s"}
    return Study.from_columns({**given, "score": scores, "scale": "continuous:0:1", **more})


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_a_shown_drop_fails_and_a_tolerated_one_passes(rng: np.random.Generator) -> None:
    base = 0.5 + 0.3 * rng.random(100)
    worse = base - 0.1 - 0.05 * rng.random(100)
    found = panopt.run_gate(side(base), side(worse), max_drop=0.05)
    (check,) = found.checks
    assert (found.passed, check.status) == (False, "worse")
    assert check.drop == pytest.approx(np.mean(base - worse))
    assert check.low > 0.05
    assert check.p is not None
    assert check.p < 1e-6
    assert any("rare that hardly one is among them" in note for note in check.notes)
    tolerated = panopt.run_gate(side(base), side(worse), max_drop=0.2).checks[0]
    assert (tolerated.status, tolerated.notes) == ("no worse", ())
    risen = panopt.run_gate(side(worse), side(base), max_drop=0.0)
    assert (risen.passed, risen.checks[0].status) == (True, "no worse")


def test_what_is_not_known_passes_unless_no_worse_is_required(rng: np.random.Generator) -> None:
    base, other = rng.random(20), rng.random(20)
    found = panopt.run_gate(side(base), side(other), max_drop=0.05)
    assert (found.passed, found.checks[0].status) == (True, "inconclusive")
    assert "inconclusive" in verdict_words(found)
    strict = panopt.run_gate(side(base), side(other), max_drop=0.05, require_no_worse=True)
    assert not strict.passed
    assert verdict_words(strict) == "FAIL: a drop of more than 0.05 is not ruled out"
    assert found.checks[0].detectable is not None
    assert found.checks[0].detectable > 0.05 + 0.1


def equal_binary(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    hard = rng.beta(2, 1, 40)
    return (rng.random(40) < hard) * 1.0, (rng.random(40) < hard) * 1.0


def equal_levels(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    base, other = np.clip(np.round(rng.normal(3.5, 1, (2, 12))), 1, 5) / 5
    return base, other


@pytest.mark.parametrize("draw", [equal_binary, equal_levels])
def test_equal_systems_fail_in_at_most_alpha_of_runs(
    draw: Callable[[np.random.Generator], tuple[np.ndarray, np.ndarray]],
) -> None:
    """Two checks a run (two criteria), of systems that are equal: all of the gate, end to end."""
    rng, runs, failed = np.random.default_rng(3), 40, 0
    host = panopt.Host()
    for _ in range(runs):
        sides = [[], []]  # type: list[list[Study]]
        for criterion in ("style", "truth"):
            for own, scores in zip(sides, draw(rng), strict=True):
                own.append(side(scores, criterion=criterion))
        base, cand = (Study.concat(own) for own in sides)
        failed += not panopt.run_gate(base, cand, max_drop=0.0, alpha=0.1, host=host).passed
    assert failed / runs <= 0.1 + 3 * np.sqrt(0.1 * 0.9 / runs)


def test_identical_scores_pass_and_say_what_could_hide(rng: np.random.Generator) -> None:
    scores = (rng.random(60) < 0.7) * 1.0
    found = panopt.run_gate(side(scores), side(scores), max_drop=0.1, require_no_worse=True)
    assert found.passed
    assert 0 < found.checks[0].high < 0.1
    assert not panopt.run_gate(
        side(scores), side(scores), max_drop=0.02, require_no_worse=True
    ).passed


def test_the_level_is_shared_among_checks(rng: np.random.Generator) -> None:
    base = Study.concat([side(rng.random(30), system=name) for name in "xy"])
    cand = Study.concat([side(rng.random(30), system=name) for name in "xz"])
    found = panopt.run_gate(base, cand, max_drop=0.1)
    pairs = [(check.baseline, check.candidate) for check in found.checks]
    assert pairs == [("x (baseline)", "x (candidate)"), ("y", "z")]
    assert found.alpha_worse == pytest.approx(0.025)
    alone = panopt.run_gate(base, cand, max_drop=0.1, systems=["y=z"])
    assert [check.candidate for check in alone.checks] == ["z"]
    assert alone.checks[0].low > found.checks[1].low
    with pytest.raises(AskError, match="system 'q' is not in baseline, which holds 'x', 'y'"):
        panopt.run_gate(base, cand, max_drop=0.1, systems=["q"])


def test_systems_that_cannot_be_matched_are_refused(rng: np.random.Generator) -> None:
    base = Study.concat([side(rng.random(9), system=name) for name in "xy"])
    cand = Study.concat([side(rng.random(9), system=name) for name in "vw"])
    with pytest.raises(AskError, match="say which is held against which with --system"):
        panopt.run_gate(base, cand, max_drop=0.1)
    with pytest.raises(AskError, match="say which is held against which with --system"):
        panopt.run_gate(base, side(rng.random(9), system="x"), max_drop=0.1)


def test_verdicts_out_of_a_cache_are_refused(rng: np.random.Generator) -> None:
    base, cand = side(rng.random(30)), side(rng.random(30), cached=[True] * 3 + [False] * 27)
    with pytest.raises(AskError, match=r"3 of 30 verdicts on s \(candidate\) are copies"):
        panopt.run_gate(base, cand, max_drop=0.1)
    forced = panopt.run_gate(base, cand, max_drop=0.1, force=True)
    assert "copies out of a cache" in " ".join(forced.warnings)


def test_other_judges_are_refused(rng: np.random.Generator) -> None:
    with pytest.raises(AskError, match="not all were judged by the same judges"):
        panopt.run_gate(side(rng.random(9)), side(rng.random(9), judge="other"), max_drop=0.1)


def test_another_prompt_is_refused(rng: np.random.Generator) -> None:
    old, new = (side(rng.random(9), prompt_hash=name) for name in ("p", "q"))
    with pytest.raises(AskError, match="judge 'm' was given another prompt for s"):
        panopt.run_gate(old, new, max_drop=0.1)


def test_a_candidate_that_lost_items_or_a_criterion_is_refused(rng: np.random.Generator) -> None:
    base, few = side(rng.random(40)), side(rng.random(30))
    with pytest.raises(AskError, match="10 of 40 items of the baseline have no score"):
        panopt.run_gate(base, few, max_drop=0.1)
    found = panopt.run_gate(base, few, max_drop=0.1, max_missing=0.25)
    assert found.checks[0].missing.absent == 10
    two = Study.concat([side(rng.random(40), criterion=name) for name in ("score", "style")])
    with pytest.raises(AskError, match="baseline was judged by 'style', candidate was not"):
        panopt.run_gate(two, base, max_drop=0.1)
    named = panopt.run_gate(two, base, max_drop=0.1, ask=panopt.Ask(criterion=("score",)))
    assert len(named.checks) == 1


def test_one_item_and_no_common_item_are_refused(rng: np.random.Generator) -> None:
    with pytest.raises(AskError, match="nothing can be shown with one common item: one cluster"):
        panopt.run_gate(side(rng.random(1)), side(rng.random(1)), max_drop=0.1)
    far = side(rng.random(3), item=["x", "y", "z"])
    with pytest.raises(AskError, match="no item is in two of what is compared"):
        panopt.run_gate(side(rng.random(3)), far, max_drop=0.1)


def test_a_criterion_that_cannot_be_held_is_refused(rng: np.random.Generator) -> None:
    def both(first: str) -> Study:
        items = [f"{first}{k}" for k in range(9)]
        own = side(rng.random(9), item=items, criterion="far")
        return Study.concat([side(rng.random(9), criterion="near"), own])

    base, cand = both("x"), both("y")
    with pytest.raises(AskError, match=r"criterion 'far': no item is in two .* with --metric"):
        panopt.run_gate(base, cand, max_drop=0.1)
    assert len(panopt.run_gate(base, cand, max_drop=0.1, force=True).checks) == 1


def test_an_empty_candidate_is_refused(rng: np.random.Generator) -> None:
    empty = side(rng.random(3)).filter(np.zeros(3, dtype=np.bool_))
    with pytest.raises(AskError, match="candidate holds no judgment: no test was run"):
        panopt.run_gate(side(rng.random(3)), empty, max_drop=0.1)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"max_drop": -0.1}, r"max_drop = -0\.1 must lie in \[0, 1\)"),
        ({"max_drop": 5.0}, r"max_drop = 5\.0 must lie in \[0, 1\)"),
        ({"max_drop": float("nan")}, "max_drop = nan must lie in"),
        ({"max_drop": 0.1, "alpha": 0.5}, r"alpha = 0\.5 must lie strictly between 0 and \.5"),
        ({"max_drop": 0.1, "max_missing": 2.0}, r"max_missing = 2\.0 must lie in \[0, 1\]"),
    ],
)
def test_options_off_their_range_are_named(
    options: dict[str, Any], match: str, rng: np.random.Generator
) -> None:
    with pytest.raises(AskError, match=match):
        panopt.run_gate(side(rng.random(5)), side(rng.random(5)), **options)


def test_hostile_names_stay_words_in_markdown_and_junit(rng: np.random.Generator) -> None:
    name = "<script>\x1b[31m|x|\n</script>"
    base = 0.5 + 0.4 * rng.random(30)
    found = panopt.run_gate(
        side(base, system=name), side(base - 0.4 * rng.random(30), system=name), max_drop=0.1
    )
    assert "\x1b" not in markdown(found)
    assert "<script>" not in markdown(found)
    tree = ET.fromstring(junit(found))  # noqa: S314 - what we wrote
    assert (tree.get("tests"), tree.get("failures"), tree.get("errors")) == ("1", "1", "0")
    assert tree.find("testcase/failure") is not None


def test_junit_keeps_to_the_elements_and_attributes_of_build_servers(
    rng: np.random.Generator,
) -> None:
    """As the schema junit-10.xsd of Jenkins' xUnit plugin has them; checked against it once."""
    base = rng.random(30)
    for text in (junit(panopt.run_gate(side(base), side(base), max_drop=0.1)), junit_refusal("x")):
        root = ET.fromstring(text)  # noqa: S314 - what we wrote
        assert set(root.attrib) == {"name", "tests", "failures", "errors", "skipped", "time"}
        assert len(root.findall("testcase")) == int(root.get("tests", "0"))
        for case in root:
            assert (case.tag, set(case.attrib)) == ("testcase", {"name", "classname", "time"})
            assert {child.tag for child in case} <= {"failure", "error", "system-out"}


def test_the_end_says_what_the_verdict_comes_to(rng: np.random.Generator) -> None:
    base = 0.5 + 0.4 * rng.random(40)
    worse, noise = base - 0.3 - 0.1 * rng.random(40), np.clip(base + rng.normal(0, 0.3, 40), 0, 1)
    for candidate, strict, words in (
        (worse, False, "the candidate is worse than allowed; a candidate that is not would be"),
        (base + 0.1 * rng.random(40), False, "the candidate is no worse than allowed"),
        (noise, False, "too few to tell. It passes since nothing worse than allowed is shown"),
        (noise, True, "too few to rule out that it is worse than allowed"),
    ):
        found = panopt.run_gate(side(base), side(candidate), max_drop=0.05, require_no_worse=strict)
        assert words in conclusion(found)
        assert f"**In short:** {conclusion(found)}." in markdown(found).replace("\\", "")


def test_items_that_would_settle_it_leave_room_for_rare_losses(rng: np.random.Generator) -> None:
    """A loss of all score on 1 in 20 items stays unseen in 40 with probability .95^40 = .13."""
    base = 0.5 + 0.4 * rng.random(40)
    found = panopt.run_gate(side(base), side(base - 0.01 * rng.random(40)), max_drop=0.05)
    (check,) = found.checks
    assert check.status == "inconclusive"
    gap, needed = 0.05 - check.drop, check.items_needed
    assert needed is not None
    assert (1 - gap / (1 - check.drop)) ** needed <= 0.05
    assert (1 - gap / (1 - check.drop)) ** (needed - 1) > 0.05


def test_the_known_panels_are_inconclusive_and_say_so(
    run: Run, shared: Path, tmp_path: Path
) -> None:
    """The true drop of target-x is .0667; 80 items cannot show that it is above .02."""
    logs = shared / "data" / "logs" / "promptfoo" / "made"
    files = {"--junit": tmp_path / "j.xml", "--summary": tmp_path / "s.md"}
    ended = run(
        "gate",
        logs / "panel5_base.json.gz",
        logs / "panel5_cand.json.gz",
        "--max-drop",
        ".02",
        *(word for pair in files.items() for word in pair),
    )
    assert (ended.code, ended.err) == (0, "")
    assert "PASS, but inconclusive" in ended.out
    tree = ET.parse(files["--junit"]).getroot()  # noqa: S314 - what we wrote
    assert (tree.get("tests"), tree.get("failures")) == ("2", "0")
    assert "inconclusive" in files["--summary"].read_text()
    told = run(
        "gate",
        logs / "panel5_base.json.gz",
        logs / "panel5_cand.json.gz",
        "--max-drop",
        ".02",
        "--system",
        "target-x=target-x2",
        "--require-no-worse",
        "--json",
    )
    assert told.code == 1
    (check,) = json.loads(told.out)["checks"]
    assert check["low"] < 0.0667 < check["high"]
    assert check["status"] == "inconclusive"


def test_zero_tests_and_cached_runs_are_refused_and_leave_no_stale_pass(
    run: Run, shared: Path, tmp_path: Path
) -> None:
    logs, xml = shared / "data" / "logs" / "promptfoo" / "made", tmp_path / "j.xml"
    for old, new, why in (
        ("filter_base", "filter_zero_tests", "holds no judgment"),
        ("cache_fresh_repeat3", "cache_replayed_repeat3", "copies out of a cache"),
    ):
        xml.write_text("<testsuite failures='0'/>")
        places = logs / f"{old}.json", logs / f"{new}.json"
        ended = run("gate", *places, "--max-drop", ".1", "--junit", xml)
        assert (ended.code, ended.out) == (2, "")
        assert why in ended.err
        error = ET.parse(xml).getroot().find("testcase/error")  # noqa: S314 - what we wrote
        assert error is not None
        assert why in (error.get("message") or "")


def test_github_gets_the_summary_appended(
    run: Run, fails: Fails, table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = "".join(f"i{k},m,{int(k % 3 > 0)}\n" for k in range(30))
    old = table("old.csv", f"item,judge,score\n{rows}")
    new = table("new.csv", f"item,judge,score\n{rows.replace(',1', ',0')}")
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    assert "--github needs $GITHUB_STEP_SUMMARY" in fails(
        "gate", old, new, "--max-drop", "0", "--github"
    )
    step = tmp_path / "step.md"
    step.write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(step))
    ended = run("gate", old, new, "--max-drop", "0", "--github")
    assert ended.code == 1
    assert step.read_text().startswith("before\n### panopt gate: FAIL")


def test_a_log_is_never_overwritten(fails: Fails, table: Table) -> None:
    old, new = table("old.csv"), table("new.csv")
    told = fails("gate", old, new, "--max-drop", "0", "--junit", old)
    assert "this is a log that is read" in told
    told = fails("gate", old, new, "--max-drop", "0", "--junit", "x", "--summary", "x")
    assert "name one file" in told


def test_only_an_earlier_verdict_is_overwritten(
    run: Run, fails: Fails, table: Table, tmp_path: Path
) -> None:
    rows = "".join(f"i{k},m,{int(k % 3 > 0)}\n" for k in range(30))
    old = table("old.csv", f"item,judge,score\n{rows}")
    new = table("new.csv", f"item,judge,score\n{rows.replace('i1,m,1', 'i1,m,0')}")
    for option in ("--junit", "--summary"):
        mine = tmp_path / f"mine{option}"
        mine.write_text("my own words")
        told = fails("gate", old, new, "--max-drop", ".3", option, mine)
        assert "a file that is no earlier verdict is there; name another" in told
        assert mine.read_text() == "my own words"
        told = fails("gate", old.parent, new, "--max-drop", ".3", option, new)
        assert "this is a log that is read" in told
        place = tmp_path / f"verdict{option}"
        assert run("gate", old, new, "--max-drop", ".3", option, place).code == 0
        first = place.read_text()
        assert run("gate", old, new, "--max-drop", ".2", option, place).code == 0
        assert place.read_text() != first


def test_a_copy_of_the_baseline_passes_but_is_told_of(run: Run, shared: Path, table: Table) -> None:
    rows = "".join(f"i{k},m,{int(k % 3 > 0)}\n" for k in range(30))
    places = [table(f"{name}.csv", f"item,judge,score\n{rows}") for name in ("old", "new")]
    told = json.loads(run("gate", *places, "--max-drop", ".3", "--json").out)
    assert told["warnings"] == ["new holds the same run as old: a copy shows no difference"]
    assert run("gate", *places, "--max-drop", ".3", "--strict").code == 2
    logs = shared / "data" / "logs" / "promptfoo" / "made"
    twice = logs / "panel5_base.json.gz", logs / "panel5_base.jsonl.gz"
    told = json.loads(run("gate", *twice, "--max-drop", ".3", "--json").out)
    assert "a copy shows no difference" in told["warnings"][0]
