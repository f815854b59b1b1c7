"""Metrics of panels: reference numbers, and safe on nothing and on gaps."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from inspect_ai.scorer import Metric, SampleScore, Score

from panopt.errors import AskError
from panopt.shims.inspect.live.cascade_metrics import cascade_rates
from panopt.shims.inspect.live.metrics import (
    panel_agreement,
    panel_bias,
    panel_judges,
    panel_mean,
    panel_votes,
)
from panopt.shims.inspect.live.reducers import panel_epochs

from .conftest import Replayed, metrics_of

NAN = math.nan
METRICS = [panel_mean(), panel_agreement(), panel_judges(), panel_votes(), panel_bias("human")]


def score(
    item: object,
    value: Any,  # noqa: ANN401 - a score's value
    jury: dict[str, Any] | None = None,
    **sample: object,
) -> SampleScore:
    told = None if jury is None else {"jury": {"by": "panopt", "schema": 1, **jury}}
    return SampleScore(
        score=Score(value=value, metadata=told), sample_id=str(item), sample_metadata=sample
    )


def of(metric: Metric, scores: list[SampleScore]) -> dict[str, Any]:
    found = metric(scores)  # type: ignore[arg-type]
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("metric", METRICS)
def test_metrics_are_safe_on_nothing_and_on_gaps(metric: Metric) -> None:
    nothing = of(metric, [])
    gaps = of(metric, [score(i, {"panel": NAN, "n": 0, "a": NAN, "b": NAN}) for i in range(3)])
    for found in (nothing, gaps):
        for value in found.values():
            assert value is None or math.isfinite(value)
            assert value in (None, 0, 1, 3)


@pytest.mark.parametrize("level", [0, 1, 95, math.nan, "0.9"])
@pytest.mark.parametrize(
    "metric", [panel_mean, panel_agreement, panel_votes, partial(panel_bias, "x"), cascade_rates]
)
def test_a_level_is_refused_before_the_run(metric: Callable[..., Metric], level: object) -> None:
    with pytest.raises(AskError, match=r"level = .* must lie between 0 and 1"):
        metric(level=level)


def test_bias_of_labels_that_are_numbers_is_on_the_scale_of_the_humans() -> None:
    told = {"kind": "labelled", "outcome": "decided"}
    scores = [
        score(i, {"panel": own, "a": own, "b": "5"}, told, human=int(own))
        for i, own in enumerate("13355")
    ]
    found = of(panel_bias("human"), scores)
    assert (found["panel"], found["a"]) == (0.0, 0.0)
    assert found["b"] == pytest.approx(1.6)  # 5 - (1 + 3 + 3 + 5 + 5) / 5


def test_judges_of_labels_have_no_mean_whoever_wrote_the_score() -> None:
    scores = [
        score(i, {"panel": own, "a": own, "b": "bad"}) for i, own in enumerate(["good", "bad"])
    ]
    assert of(panel_judges(), scores) == {}
    assert of(panel_bias("human"), scores)["a"] is None


def test_mean_is_wilsons_for_pass_and_fail_and_students_off_the_unit_range() -> None:
    found = of(panel_mean(), [score(i, {"panel": float(i < 8)}) for i in range(10)])
    assert found == {
        "mean": 0.8,
        "low": pytest.approx(0.4902, abs=1e-4),  # statsmodels proportion_confint(8, 10, "wilson")
        "high": pytest.approx(0.9433, abs=1e-4),
        "n": 10,
    }
    values = np.array([1.0, 2.0, 4.0, 5.0, 3.0])
    found = of(panel_mean(), [score(i, v) for i, v in enumerate(values)])
    half = 2.7764451 * values.std(ddof=1) / math.sqrt(5)  # t quantile .975 at 4 degrees
    assert (found["low"], found["high"]) == (pytest.approx(3 - half), pytest.approx(3 + half))


def test_the_interval_counts_epochs_of_a_sample_once() -> None:
    once = [score(i, {"panel": float(i % 3 == 0)}) for i in range(30)]
    thrice = of(panel_mean(), [one for one in once for _ in range(3)])
    alone = of(panel_mean(), once)
    assert thrice["n"] == 90
    # a little wider, for Student's quantile stands in the place of the normal one
    assert 1.0 < (thrice["high"] - thrice["low"]) / (alone["high"] - alone["low"]) < 1.1


def test_clustered_intervals_cover_the_mean_of_the_samples() -> None:
    """Truth .5: each sample has a pass rate of its own, drawn from Beta(1, 1); 4 epochs each."""
    rng = np.random.default_rng(5)
    hits, n = 0, 400
    for _ in range(n):
        rates = rng.beta(1.0, 1.0, 40)
        passed = rng.random((40, 4)) < rates[:, None]
        scores = [score(i, float(one)) for i, row in enumerate(passed) for one in row]
        found = of(panel_mean(), scores)
        hits += found["low"] <= 0.5 <= found["high"]
    assert hits / n >= 0.95 - 3 * math.sqrt(0.95 * 0.05 / n)


def test_bias_is_of_human_labels_in_the_samples_metadata() -> None:
    rows = [(0.9, 0.7, "C"), (0.4, 0.0, "I"), (0.8, 0.4, 0.5), (0.5, 0.5, None)]
    scores = [
        score(i, {"panel": (a + b) / 2, "n": 2, "a": a, "b": b}, human=human)
        for i, (a, b, human) in enumerate(rows)
    ]
    found = of(panel_bias("human"), scores)
    assert found["a"] == pytest.approx((-0.1 + 0.4 + 0.3) / 3)
    assert found["b"] == pytest.approx((-0.3 + 0.0 - 0.1) / 3)
    assert found["panel n"] == 3
    assert found["a low"] < found["a"] < found["a high"]


def test_labels_have_shares_and_no_mean(replayed: Replayed) -> None:
    votes = {"1": {"a": "1", "b": "1"}, "2": {"a": "2", "b": "2"}, "3": {"a": "1", "b": "1"}}
    found = metrics_of(replayed.log_of(votes, kind="labelled", labels="1,2", passing_labels="1"))
    assert found["share 1"] == pytest.approx(2 / 3)
    assert found["pass_rate"] == pytest.approx(2 / 3)
    assert found["alpha"] == 1.0
    assert "mean" not in found
    assert "panopt-replay/a" not in found


def test_equal_votes_have_an_agreement_beside_an_alpha_that_says_nothing(
    replayed: Replayed,
) -> None:
    """299 of 300 equal votes give alpha 0.000: agreement and AC1 stand beside it."""
    rows = [score(i, {"panel": 1.0, "a": 1.0, "b": 1.0}, {"kind": "boolean"}) for i in range(149)]
    rows.append(score(149, {"panel": NAN, "a": 1.0, "b": 0.0}, {"kind": "boolean"}))
    found = of(panel_agreement(), rows)
    assert found["alpha"] == pytest.approx(0.0, abs=1e-6)
    assert found["agreement"] == pytest.approx(149 / 150)
    assert found["ac1"] > 0.99
    assert found["agreement_low"] < found["agreement"] < found["agreement_high"]
    assert found["alpha_n"] == 150


def test_no_two_metrics_of_a_panel_have_one_name(replayed: Replayed) -> None:
    """Inspect numbers names that come twice: ``n1`` would tell nobody of what it is the number."""
    found = metrics_of(
        replayed.log_of({"1": {"a": True, "b": True}, "2": {"a": False}, "3": {"a": True}})
    )
    assert (found["n"], found["alpha_n"]) == (3, 1)
    assert "n1" not in found


def test_a_score_that_was_never_made_counts_as_undecided() -> None:
    decided = {"kind": "boolean", "outcome": "decided", "asked": 2, "calls": 2, "cost": 0.5}
    failed = {"kind": "boolean", "outcome": "all_failed", "asked": 2, "failed": 2, "calls": 2}
    rows = [score(i, {"panel": 1.0}, decided) for i in range(3)] + [
        score(3, {"panel": NAN}, failed)
    ]
    found = of(panel_votes(), rows)
    assert (found["decided"], found["all_failed"], found["calls"]) == (3, 1, 8)
    assert (found["undecided_rate"], found["cost"]) == (0.25, 1.5)
    assert found["undecided_low"] < 0.25 < found["undecided_high"]


def test_what_a_cache_answered_is_told_from_what_this_run_paid() -> None:
    told = {"kind": "boolean", "outcome": "decided", "asked": 2, "calls": 2, "cost": 0.5}
    copies = [told, told | {"cached": 1, "spent": 0.2}, told | {"cached": 2, "spent": 0.0}]
    found = of(panel_votes(), [score(i, {"panel": 1.0}, one) for i, one in enumerate(copies)])
    assert (found["calls"], found["cost"]) == (6, 1.5)
    assert (found["calls_cached"], found["cost_of_run"]) == (3, pytest.approx(0.7))
    silent = {name: given for name, given in told.items() if name != "cost"}
    rows = [score(0, {"panel": 1.0}, silent | {"cached": 2})]
    assert of(panel_votes(), rows)["cost_of_run"] is None  # no price is known, then or now
    assert "cost_of_run" not in of(panel_votes(), [score(0, {"panel": 1.0}, told)])


@pytest.mark.parametrize(
    ("values", "reduced"),
    [
        ([1.0, NAN, 0.0], 0.5),
        (["good", "good", "bad"], "good"),
        (["good", "bad"], NAN),
        ([NAN, NAN], NAN),
        ([], NAN),
        ([{"panel": 1.0, "a": "x"}, NAN, {"panel": 0.0, "a": NAN}], {"panel": 0.5, "a": "x"}),
    ],
)
def test_the_reducer_takes_numbers_labels_and_gaps(values: list[Any], reduced: Any) -> None:  # noqa: ANN401
    found = panel_epochs()([Score(value=value) for value in values]).value
    if isinstance(reduced, float) and math.isnan(reduced):
        assert isinstance(found, float)
        assert math.isnan(found)
    else:
        assert found == reduced


def test_a_run_full_of_faults_loses_nothing(replayed: Replayed) -> None:
    """40 items, 5 judges, three calls in ten spoilt in every way, stalls among them."""
    from inspect_ai.model import get_model  # noqa: PLC0415 - one test of many

    import panopt  # noqa: PLC0415 - as above
    from panopt.shims.inspect.live.jury import jury  # noqa: PLC0415 - as above
    from panopt.shims.inspect.live.recording import FAULTS  # noqa: PLC0415 - as above

    votes = {str(i): dict.fromkeys("abcde", 0.5) for i in range(40)}
    replayed.record_votes(votes)
    faults = dict.fromkeys(FAULTS, 0.3 / len(FAULTS))
    models = [get_model(f"panopt-replay/{name}", faults=faults, fault_seed=3) for name in "abcde"]
    log = replayed.run(jury(models, kind="numeric", timeout=4), list(votes), max_samples=40)
    assert log.status == "success"
    assert log.samples is not None
    told = [(sample.scores or {})["jury"].metadata or {} for sample in log.samples]
    assert len(told) == 40
    assert all(sample.error is None for sample in log.samples)
    status = "".join(one["votes"]["status"] for one in told)
    assert len(status) == 200
    slow = sum(
        error.startswith("timeout") for one in told for error in one.get("errors", {}).values()
    )
    spoilt = status.count("f") + status.count("a") - slow
    # of the fifteen faults two are slow, and a schema rejected is asked again in the prompt
    share = 0.3 * 12 / len(FAULTS)
    assert abs(spoilt - 200 * share) < 3 * math.sqrt(200 * share * (1 - share))
    for one in told:
        own = one["votes"]["status"]
        kind = (
            "decided"
            if "o" in own
            else {"f": "all_failed", "a": "all_abstained"}.get(
                own[0] if len(set(own)) == 1 else "", "quorum_not_met"
            )
        )
        assert one["jury"]["outcome"] == kind
    assert len(panopt.read(log.location)) == 200
