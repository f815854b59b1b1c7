"""Every number that a plugin here finds has words for a reader who knows no statistics."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import panopt
from panopt.cli.demo import example_jobs
from panopt.cli.glossary import SECTIONS, explained, meaning, section
from panopt.findings import Finding
from panopt.records.study import Study

ROOT = Path(__file__).parents[2]
#: Responses to compare, by their systems.
PAIRS = ("m|n", "n|o", "o|m")


def found(report: panopt.Report) -> list[Finding]:
    return [row for part in report.criteria for row in part.findings]


def unexplained(report: panopt.Report) -> set[str]:
    return {f"{row.plugin}: {row.name}" for row in found(report) if not explained(row)}


def judged(kind: str, rng: np.random.Generator, *, n: int = 60) -> Study:
    """Three judges asked twice, and a human, on a scale of some kind."""
    truth = rng.integers(0, 2, n)
    rows = [(i, judge, r) for i in range(n) for judge in "abc" for r in range(2)]
    rows += [(i, "human", 0) for i in range(n)]
    right = [judge == "human" or rng.random() < 0.8 for _, judge, _ in rows]
    vote = [
        int(truth[i]) if ok else 1 - int(truth[i])
        for (i, _, _), ok in zip(rows, right, strict=True)
    ]
    columns: dict[str, object] = {
        "scale": kind,
        "item": [f"i{i}" for i, _, _ in rows],
        "judge": [judge for _, judge, _ in rows],
        "judge_kind": ["human" if judge == "human" else "llm" for _, judge, _ in rows],
        "repeat": [r for _, _, r in rows],
        "rationale": [f"because of {'xy'[v]}" for v in vote],
        "criterion": "quality",
    }
    if kind == "nominal":
        columns["label"] = ["xy"[v] for v in vote]
    elif kind == "pairwise":
        columns["system"] = [PAIRS[i % 3] for i, _, _ in rows]
        columns["order"] = [r for _, _, r in rows]
        columns["score"] = [float(v) for v in vote]
    else:
        shift = rng.integers(0, 2, len(rows)).tolist()
        columns |= {
            "scale": "ordinal:1:5",
            "score": [1 + 3 * v + s for v, s in zip(vote, shift, strict=True)],
        }
    return Study.from_columns(columns)


@pytest.mark.parametrize("labelled", [True, False])
@pytest.mark.parametrize("name", sorted(example_jobs(ROOT / "examples" / "logs")))
def test_numbers_of_the_example_logs_are_explained(name: str, *, labelled: bool) -> None:
    files, labels = example_jobs(ROOT / "examples" / "logs")[name]
    report = panopt.analyze(panopt.read(*files, labels=labels if labelled else None))
    assert found(report)
    assert unexplained(report) == set()


@pytest.mark.parametrize("kind", ["nominal", "pairwise", "ordinal"])
def test_numbers_of_every_kind_of_scale_are_explained(kind: str) -> None:
    report = panopt.analyze(judged(kind, np.random.default_rng(0)))
    assert found(report)
    assert unexplained(report) == set()


def test_a_half_width_says_what_it_is_around() -> None:
    row = Finding(
        plugin="conformal",
        name="conformal_halfwidth",
        criterion="quality",
        value=0.2,
        n=100,
        method="split conformal",
        no_interval="it is itself the bound of an interval",
        details={"recalibrated": False},
    )
    ask = panopt.Ask(alpha=0.2)
    assert meaning(row, ask) == "for 80% of responses human and panel are this near"
    learned = row.model_copy(update={"details": {"recalibrated": True}})
    assert (
        meaning(learned, ask) == "for 80% of responses human and recalibrated panel are this near"
    )
    assert section(row) == SECTIONS[0]


def test_a_strangers_number_says_how_it_was_made() -> None:
    row = Finding(
        plugin="odd",
        name="oddity",
        criterion="quality",
        value=None,
        n=0,
        method="by eye",
        reason="?",
    )
    assert (explained(row), meaning(row, panopt.Ask()), section(row)) == (False, "by eye", "more")
