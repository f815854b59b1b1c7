"""The certificate's findings: what it accepts here, and what speaks against it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from panopt.findings import Findings
from panopt.plugins import certificate as plugin
from panopt.plugins.certificate import panopt_analyze
from panopt.plugins.triage import panopt_decide
from panopt.records.ask import Ask
from panopt.records.certificate import Certificate
from panopt.stats import drift
from panopt.stats.binomial import risk_upper

Judge = Callable[..., Any]


def certificate(*, unanimous: int = 60, split: int = 40, errors: int = 1) -> Certificate:
    """Certify unanimous verdicts of three judges."""
    judges = [
        {"name": f"llm{j}", "kind": "llm", "scale": "binary", "prompts": [None]} for j in range(3)
    ]
    return Certificate.model_validate(
        {
            "scope": {
                "criterion": "score",
                "scale": "binary",
                "judges": judges,
                "aggregate": "mean",
                "confidence": "vote share",
                "threshold": 0.5,
                "min_successful": 1,
            },
            "deciding": [{"judge": "panel", "threshold": 1.0}],
            "alpha": 0.1,
            "delta": 0.1,
            "n": unanimous,
            "errors": errors,
            "bound": float(risk_upper(errors, unanimous, 0.1)),
            "level": 0.1,
            "coverage": unanimous / (unanimous + split),
            "n_labels": unanimous + split,
            "n_tied": 2,
            "n_undecided": 3,
            "n_responses": 500,
            "promised": "of the trusted verdicts",
            "method": "fixed_sequence",
            "assumption": "the labels are a random sample",
            "seen": [
                {"votes": 3, "confidence": 2 / 3, "count": split},
                {"votes": 3, "confidence": 1.0, "count": unanimous},
            ],
            "seed": 0,
            "data": "0" * 64,
            "date": "2026-01-01",
            "versions": {},
        }
    )


def votes(unanimous: int, split: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.array([[1.0, 1.0, 1.0]] * unanimous + [[1.0, 1.0, 0.0]] * split)


def found(judged: Judge, *args: Any, ask: Ask | None = None, **more: Any) -> Findings:  # noqa: ANN401
    case = judged(*args, **more)
    result = panopt_analyze(case.matrix, case.consensus, ask or Ask(certificate=certificate()))
    assert result is not None
    return result


def test_both_tests_are_the_ground_floor_s() -> None:
    assert plugin.drift_test is drift.drift_test
    assert plugin.risk_wealth is drift.risk_wealth


def test_without_a_certificate_there_is_nothing_to_say(judged: Judge) -> None:
    case = judged(votes(3, 2))
    assert panopt_analyze(case.matrix, case.consensus, Ask()) is None
    made = certificate()
    other = made.model_copy(update={"scope": made.scope.model_copy(update={"criterion": "style"})})
    assert panopt_analyze(case.matrix, case.consensus, Ask(certificate=other)) is None


def test_what_it_accepts_and_rests_on(judged: Judge) -> None:
    threshold, coverage, moved, risk = found(judged, votes(55, 45)).rows
    assert threshold.value == 1.0
    assert (threshold.n, threshold.details["errors"]) == (100, 1)
    assert threshold.details["certificate"] == certificate().sha256
    assert coverage.value == 0.55
    assert coverage.details["n_accepted"] == 55
    assert moved.value == pytest.approx(0.05)
    assert moved.details["p_value"] is not None
    assert (risk.value, risk.n) == (None, 0)
    assert not risk.headline
    assert "none of these responses has a human label" in (risk.reason or "")


def test_errors_of_labelled_responses_that_it_accepts_are_counted(judged: Judge) -> None:
    human = np.ones(100)
    human[[0, 1, 60, 61]] = 0.0  # two it accepts, two it does not
    human[50:55] = np.nan
    risk = found(judged, votes(60, 40), human=human).rows[3]
    ends = stats.binomtest(2, 55).proportion_ci(0.95, method="exact")
    assert (risk.value, risk.n, risk.details["errors"]) == (2 / 55, 55, 2)
    assert risk.low == pytest.approx(ends.low)
    assert risk.high == pytest.approx(ends.high)
    assert risk.headline


def test_drift_takes_threshold_and_coverage_away(judged: Judge) -> None:
    threshold, coverage, moved, _ = found(judged, votes(20, 80)).rows
    assert threshold.value is None
    assert "is expired: confidences are not distributed" in (threshold.reason or "")
    assert threshold.warnings == (threshold.reason,)
    assert coverage.value is None
    assert moved.value == pytest.approx(0.4)
    assert moved.details["p_value"] == pytest.approx(2 / 2000)


def test_broken_promises_expire_it(judged: Judge) -> None:
    human = np.ones(100)
    human[:20] = 0.0
    case = judged(votes(60, 40), human=human)
    ask = Ask(certificate=certificate())
    threshold, _, _, risk = found(judged, votes(60, 40), human=human).rows
    assert "20 of 60 verdicts that it trusts disagree" in (threshold.reason or "")
    assert risk.value == pytest.approx(1 / 3)
    decisions = panopt_decide(case.matrix, case.consensus, ask, np.random.default_rng(0))
    assert decisions is not None
    assert decisions.counts()["trust"] == 0
    assert "calibrate again" in (decisions.no_guarantee or "")


def test_the_promise_tells_its_whole_basis(judged: Judge) -> None:
    case = judged(votes(60, 40))
    ask = Ask(certificate=certificate(), same_prompts=True)
    decisions = panopt_decide(case.matrix, case.consensus, ask, np.random.default_rng(0))
    assert decisions is not None
    assert decisions.counts()["trust"] == 60
    for words in (
        "of 2026-01-01: with probability 0.9 over the draw of its 100 labels",
        "1 of 60 of those did not, exact bound 0.063, 2 human ties or even splits counted as",
        "3 without a panel verdict not counted",
        "prompts that logs do not tell are those of then",
        "the labels are a random sample",
    ):
        assert words in (decisions.guarantee or "")
    assert decisions.why(0) == "confidence 1.000 reaches the certified 1.000"
    assert decisions.why(99).startswith("confidence 0.667 is below the certified 1.000; ")


def test_responses_of_one_item_count_once(judged: Judge) -> None:
    # The same 10 items, 10 systems each: 10 clusters, far too few to show drift.
    n = 100
    names = sorted(f"i{i // 10}" for i in range(n))
    systems = [f"s{i % 10}" for i in range(n)]
    order = np.lexsort((names, systems))
    rows = found(
        judged,
        votes(n, 0),
        item=[names[i] for i in order],
        system=[systems[i] for i in order],
    ).rows
    assert rows[2].n == 10
    assert rows[0].value == 1.0


def test_verdicts_that_are_missing_are_no_trouble(judged: Judge) -> None:
    rows = found(judged, np.full((3, 3), np.nan)).rows
    assert rows[1].value == 0.0
    assert rows[2].value is None
    assert "no verdict to compare" in (rows[2].reason or "")


def test_checks_by_programs_may_be_certified_too(judged: Judge) -> None:
    case = judged(votes(60, 40))
    programs = replace(case.matrix, judge_kinds=("program",) * 3)
    rng = np.random.default_rng(0)
    assert panopt_decide(programs, case.consensus, Ask(), rng) is None
    decisions = panopt_decide(programs, case.consensus, Ask(certificate=certificate()), rng)
    assert decisions is not None
    assert decisions.guarantee is not None
