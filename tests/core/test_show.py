"""What a terminal shows: short, whole, and nothing twice."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest
from rich.console import Console

from panopt.analysis import analyze
from panopt.cli.show import show_report
from panopt.cli.text import interval, number
from panopt.findings import Finding, Findings
from panopt.records.ask import Ask
from panopt.records.report import CriterionReport, Report
from panopt.records.source import Counts, Source
from panopt.records.study import Study


def study(n_judges: int = 3, n_items: int = 60, *, declined: int = 0) -> Study:
    """Give scores of a panel on one criterion, of two systems with long names."""
    rng = np.random.default_rng(7)
    truth = rng.integers(1, 6, n_items)
    rows = [(item, judge) for item in range(n_items) for judge in range(n_judges)]
    scores = [int(np.clip(truth[item] + rng.integers(-1, 2), 1, 5)) for item, _ in rows]
    return Study.from_columns(
        {
            "item": [f"i{item}" for item, _ in rows],
            "system": [f"provider/a-model-with-a-long-name-{item % 2}" for item, _ in rows],
            "judge": [f"provider/judge-{judge}" for _, judge in rows],
            "criterion": ["clarity"] * len(rows),
            "score": scores,
        },
        sources=[
            Source(
                location="log.csv",
                format="tables",
                sha256="0" * 64,
                runs=(),
                counts=Counts(scored=n_items, declined=declined),
            )
        ],
    )


def printed(report: Report, width: int = 140) -> str:
    console = Console(width=width, force_terminal=False)
    with console.capture() as capture:
        show_report(report, console)
    return capture.get()


def told(report: Report, findings: Iterable[Finding], *notes: str) -> Report:
    """Give the report with other findings on its one criterion."""
    (part,) = report.criteria
    found = Findings(tuple(findings), notes=notes)
    part = CriterionReport(part.criterion, part.matrix, part.consensus, found, part.decisions)
    return Report(report.study, report.ask, (part,), report.versions)


def row(name: str, **more: object) -> Finding:
    given = {"plugin": "x", "name": name, "criterion": "clarity", "n": 9, "method": "counted"}
    return Finding.model_validate(given | {"value": 0.5, "no_interval": "a count"} | more)


@pytest.mark.parametrize("width", [80, 100, 140])
def test_numbers_are_never_folded(width: int) -> None:
    report = analyze(study(), Ask(n_boot=20))
    text = printed(report, width)
    assert all(len(line) <= width for line in text.splitlines())
    digits = 2 if width < 100 else 3
    for name in ("mean", "pass_rate", "bias", "noise_sd"):
        for finding in report.criteria[0].findings.named(name):
            assert interval(finding, digits).plain in text, (name, finding.subject)


@pytest.mark.parametrize("width", [80, 100, 140])
def test_means_of_incomplete_runs_stand_beside_the_others(width: int) -> None:
    names = [f"provider/a-model-with-a-long-name-{k}" for k in range(2)]
    ends = {"low": 0.41, "high": 0.59, "level": 0.95, "no_interval": None}
    rows = [
        row(name, subject_kind="system", subject=system, **ends)
        for name in ("mean", "pass_rate", "ppi_mean", "mean_anytime")
        for system in names
    ]
    report = analyze(study(), Ask(n_boot=0))
    text = printed(told(report, rows), width)
    assert "responses" in text
    assert "system" in text
    assert "mean at every look: right" in " ".join(text.replace("│", " ").split())
    assert "pass rate" not in text  # no room for four intervals
    digits = 2 if width < 100 else 3
    assert text.count(interval(rows[0], digits).plain) == 6
    assert "mean at every look" not in printed(report, width)


def test_counts_that_are_all_zero_are_left_out() -> None:
    ask = Ask(n_boot=0)
    text = printed(analyze(study(), ask))
    for name in ("unscored", "declined", "abstained", "failed"):
        assert name not in text
    assert "declined" in printed(analyze(study(declined=2), ask))


def test_rows_left_out_are_counted() -> None:
    assert "... and 5 more judges: see --json" in printed(analyze(study(45, 12), Ask(n_boot=0)))


def test_a_note_is_said_once_and_without_its_criterion() -> None:
    report = analyze(study(), Ask(n_boot=0))
    text = printed(told(report, [], "clarity: beware", "beware", "other: look"))
    assert text.count("beware") == 1
    assert "clarity: beware" not in text
    assert "other: look" in text


def test_warnings_about_numbers_not_shown_are_only_counted() -> None:
    report = analyze(study(), Ask(n_boot=0))
    rows = [
        row("shown", warnings=("too few",)),
        row("hidden", headline=False, warnings=("floored", "too few")),
    ]
    report = told(report, rows)
    text = printed(report)
    assert "too few" in text
    assert "floored" not in text
    assert "1 warning is about numbers not shown here: see --json" in text
    assert "clarity: hidden: floored" in report.warnings
    assert "clarity: hidden: floored" not in report.headline_warnings


def test_a_warning_about_many_numbers_names_their_kinds() -> None:
    rows = [
        row(name, subject_kind="judge", subject=f"j{k}", warnings=("odd",))
        for k in range(9)
        for name in ("bias", "noise_sd")
    ]
    report = told(analyze(study(), Ask(n_boot=0)), rows)
    assert "clarity: bias, noise_sd of 9: odd" in report.warnings


def test_a_number_that_is_none_says_why_in_words() -> None:
    gone = row("shown", value=None, no_interval=None, reason="nothing to count")
    text = printed(told(analyze(study(), Ask(n_boot=0)), [gone]))
    assert "none: nothing to count" in text


def test_without_labels_one_line_says_so() -> None:
    text = printed(analyze(study(5), Ask(n_boot=20)), width=300)
    assert text.count("no human labels") == 2  # in the table, and where the guarantee would stand
    assert "certified" not in text
    assert "errors that all share show only against human labels" in text


def test_the_level_is_not_rounded() -> None:
    assert "intervals at 99.5%" in printed(analyze(study(), Ask(n_boot=0, level=0.995)))


def test_of_one_judge_one_line_says_that_agreement_is_unknown() -> None:
    text = printed(analyze(study(1), Ask(n_boot=0)))
    assert text.count("one judge alone") == 1
    assert "alpha" not in text


def test_of_many_criteria_the_first_are_shown() -> None:
    report = analyze(study(), Ask(n_boot=0))
    report = Report(report.study, report.ask, report.criteria * 45, report.versions)
    text = printed(report)
    assert text.count("criterion clarity") == 40
    assert "... and 5 more criteria: see --json, or name those to show with --criterion" in text


def test_two_values_of_a_wide_scale_are_doubted() -> None:
    rng = np.random.default_rng(3)
    rows = [(item, judge) for item in range(30) for judge in "abc"]
    given = Study.from_columns(
        {
            "item": [f"i{item}" for item, _ in rows],
            "judge": [judge for _, judge in rows],
            "score": rng.integers(1, 3, len(rows)).tolist(),
            "scale": ["ordinal:1:5"] * len(rows),
        }
    )
    text = " ".join(printed(analyze(given, Ask(n_boot=0)), 300).split())
    assert "check the scale: of ordinal:1:5 only 1 and 2 occur" in text
    assert "check the scale" not in printed(analyze(study(), Ask(n_boot=0)), 300)


def test_zero_has_no_sign() -> None:
    assert (number(-0.0004), number(-0.0006), number(0.0)) == ("0.000", "-0.001", "0.000")


def test_labels_have_neither_mean_nor_bias() -> None:
    rows = [(item, judge) for item in range(12) for judge in "abc"]
    given = Study.from_columns(
        {
            "item": [f"i{item}" for item, _ in rows],
            "judge": [judge for _, judge in rows],
            "label": ["xyz"[item % 3] for item, _ in rows],
            "scale": ["nominal"] * len(rows),
        }
    )
    text = printed(analyze(given, Ask(n_boot=0)))
    assert "pass rate" not in text
    assert "noise sd" not in text
    assert "no bias or noise: the verdicts are labels" in text
