"""Panel rules: vectors of the sources, numpy and scipy as peers, and what must hold always."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from panopt.plugins.panel import (
    OUTCOMES,
    RULES,
    combine,
    explain,
    normalise,
    panopt_aggregate,
    panopt_methods,
    reduce_repeats,
)
from panopt.records.ask import Ask
from panopt.records.consensus import Consensus
from panopt.records.study import Study
from panopt.stats import panel as kernel

NAN = np.nan
THREE = [[0.8, 0.6, 0.8]]

votes = hnp.arrays(
    np.float64,
    hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=7),
    elements=st.one_of(st.sampled_from([0.0, 0.25, 0.5, 0.6, 1.0]), st.just(NAN), st.floats(0, 1)),
)


def test_outcome_codes_are_those_of_the_records() -> None:
    assert OUTCOMES[kernel.DECIDED] == "decided"
    assert OUTCOMES[kernel.TIE] == "tie"
    assert OUTCOMES[kernel.SPLIT] == "split"


# --- The vectors of the sources -----------------------------------------------------------


def test_V_1_majority_and_unanimous_use_one_half_unless_told() -> None:
    assert combine([[0.5, 0.7, 0.1]], rule="majority").value[0] == 1
    assert combine([[0.5, 0.7, 0.1]], rule="majority").threshold == 0.5
    assert combine([[0.5, 0.7, 1.0]], rule="unanimous").value[0] == 1
    assert combine([[0.5, 0.7, 0.1]], rule="unanimous").value[0] == 0


def test_V_3_normalisation() -> None:
    assert normalise([1, 3, 5], 1, 5).tolist() == [0, 0.5, 1]
    assert normalise(5.5, 1, 10) == 0.5


@pytest.mark.parametrize(
    ("rule", "threshold", "value"),
    [("mean", None, 0.7333), ("median", None, 0.8), ("min", None, 0.6), ("majority", 0.6, 1.0)],
)
def test_V_4_three_judges(rule: str, threshold: float | None, value: float) -> None:
    assert combine(THREE, rule=rule, threshold=threshold).value[0] == pytest.approx(value, abs=1e-4)


def test_V_4_median_of_four_is_the_mean_of_the_middles() -> None:
    assert combine([[0.1, 0.4, 0.6, 1.0]], rule="median").value[0] == 0.5


def test_V_4_majority_needs_strictly_more_than_half() -> None:
    found = combine([[0.9, 0.9, 0.1], [0.9, 0.1, 0.1]], rule="majority", threshold=0.5)
    assert found.value.tolist() == [1, 0]


def test_V_4_majority_tie_falls_back_to_mean() -> None:
    found = combine([[0.9, 0.2], [1.0, 0.0], [0.8, 0.1]], rule="majority", threshold=0.5)
    assert found.value == pytest.approx([0.55, 0.5, 0.45])
    assert found.outcome.tolist() == ["tie"] * 3
    assert found.passed is not None
    assert found.passed.tolist() == [True, True, False]


def test_V_5_passes_at_the_threshold_itself() -> None:
    found = combine([[0.6, 0.6, 0.6], [0.6, 0.6, 0.59]], threshold=0.6)
    assert found.passed is not None
    assert found.passed.tolist() == [True, False]


def test_V_5_rounding_never_fails_a_mean_that_is_the_threshold() -> None:
    # .7 + .5 + .6 sums to 1.7999999999999998 in binary.
    found = combine([[0.7, 0.5, 0.6]], threshold=0.6)
    assert found.passed is not None
    assert found.passed[0]
    assert found.value[0] == 0.6


def test_V_6_failed_judges_leave_first_and_only_all_of_them_fail_a_panel() -> None:
    found = combine(
        [[0.9, NAN, 0.7], [NAN, NAN, NAN]],
        status=[["ok", "failed", "ok"], ["failed"] * 3],
        threshold=0.5,
    )
    assert found.value[0] == pytest.approx(0.8)
    assert found.outcome.tolist() == ["decided", "all_failed"]
    assert found.passed is not None
    assert found.passed.tolist() == [True, False]
    assert np.isnan(found.value[1])


def test_V_7_failed_judges_are_named() -> None:
    found = combine([[0.9, NAN]], status=[["ok", "failed"]], threshold=0.5)
    line = explain(found, 0, {"a": 0.9, "b": "failed: timeout"})
    assert line.endswith("; b failed: timeout")
    assert "failed" not in explain(combine(THREE), 0, {"a": 0.8, "b": 0.6, "c": 0.8})


def test_V_8_one_line_of_evidence() -> None:
    line = explain(combine(THREE, threshold=0.7), 0, {"a": 0.8, "b": 0.6, "c": 0.8})
    assert line == "PASS: mean of 3 of 3 judges (a=0.80, b=0.60, c=0.80) is 0.73; agreement 0.67"


def test_V_10_disagreement_is_the_range_with_sd_beside_it() -> None:
    found = combine(THREE)
    assert found.disagreement[0] == pytest.approx(0.2)
    assert found.sd[0] == pytest.approx(np.std([0.8, 0.6, 0.8]))


def test_J_8_repeats_reduce_to_one_vote_and_a_tied_judge_abstains() -> None:
    repeats = [[[1.0, 1.0, 0.0], [1.0, 0.0, NAN], [NAN, NAN, NAN]]]
    np.testing.assert_array_equal(reduce_repeats(repeats, how="plurality"), [[1, NAN, NAN]])
    np.testing.assert_allclose(reduce_repeats(repeats, how="mean"), np.array([[2 / 3, 0.5, NAN]]))
    np.testing.assert_allclose(
        reduce_repeats([[[0.1, 0.9, 0.2], [0.1, 0.3, np.inf]]], how="median"), [[0.2, 0.2]]
    )


def test_J_10_quorum() -> None:
    found = combine([[1, NAN, NAN], [1, 1, NAN]], min_successful=2)
    assert found.outcome.tolist() == ["quorum_not_met", "decided"]
    assert np.isnan(found.value[0])
    assert found.n_votes.tolist() == [1, 2]


def test_J_11_two_of_three() -> None:
    for rule in ("mean", "majority", "plurality", "absolute_majority"):
        found = combine([[1, 1, 0]], rule=rule, threshold=0.5)
        assert found.agreement[0] == pytest.approx(2 / 3)
        assert found.sd[0] == pytest.approx(np.sqrt(2 / 9))
    assert combine([[1, 1, 0]]).value[0] == pytest.approx(2 / 3)
    assert combine([[1, 1, 0]], rule="plurality").value[0] == 1


@pytest.mark.parametrize("scores", [[1, 0], [1, 1, 0, 0]])
@pytest.mark.parametrize("rule", ["majority", "plurality", "absolute_majority"])
def test_J_11_even_votes_tie_and_agreement_is_not_censored(rule: str, scores: list[int]) -> None:
    found = combine([scores], rule=rule)
    assert found.outcome[0] == "tie"
    assert found.agreement[0] == 0.5


def test_J_4_numeric_rules() -> None:
    scores = [[0, 0.6, 0.9]]
    assert combine(scores).value[0] == pytest.approx(0.5)
    assert combine(scores, rule="median").value[0] == 0.6
    assert combine(scores, rule="min").value[0] == 0
    assert combine(scores, rule="max").value[0] == 0.9


def test_J_4_labels_lead_without_a_majority() -> None:
    scores = [[3, 3, 1, 2], [3, 3, 3, 2], [3, 3, 2, 2]]
    plural = combine(scores, rule="plurality")
    absolute = combine(scores, rule="absolute_majority")
    np.testing.assert_array_equal(plural.value, [3, 3, NAN])
    assert plural.outcome.tolist() == ["decided", "decided", "tie"]
    np.testing.assert_array_equal(absolute.value, [NAN, 3, NAN])
    assert absolute.outcome.tolist() == ["split", "decided", "tie"]


def test_J_4_a_function_sees_every_vote_and_may_find_no_consensus() -> None:
    seen = []

    def strictest(scores: np.ndarray, status: np.ndarray) -> np.ndarray:
        seen.append((scores.copy(), status.copy()))
        return np.where((status == 2).any(axis=1), NAN, np.nanmin(scores, axis=1))

    found = combine(
        [[0.9, 0.4, NAN], [0.9, NAN, NAN]],
        rule=strictest,
        status=[["ok", "ok", "abstained"], ["ok", "failed", "abstained"]],
        threshold=0.5,
    )
    np.testing.assert_array_equal(found.value, [0.4, NAN])
    assert found.outcome.tolist() == ["decided", "split"]
    assert found.rule == "strictest"
    assert seen[0][1].tolist() == [[0, 0, 1], [0, 2, 1]]


def test_J_16_a_response_that_errored_is_not_judged() -> None:
    found = combine([[1, 1], [1, 0]], errored=[True, False])
    assert found.outcome.tolist() == ["response_error", "decided"]
    assert found.n_votes.tolist() == [0, 2]
    assert np.isnan(found.value[0])


# --- Better than the sources --------------------------------------------------------------


def test_why_there_is_no_vote_is_told_apart() -> None:
    found = combine(
        [[NAN, NAN], [NAN, NAN], [NAN, NAN], [NAN, NAN], [NAN, NAN]],
        status=[
            ["abstained", "abstained"],
            ["failed", "failed"],
            ["failed", "abstained"],
            ["abstained", ""],
            ["", ""],
        ],
    )
    want = ["all_abstained", "all_failed", "quorum_not_met", "all_abstained", "no_votes"]
    assert found.outcome.tolist() == want
    assert combine([[NAN, NAN]]).outcome[0] == "no_votes"
    assert found.n_judges.tolist() == [2, 2, 2, 1, 0]


def test_a_vote_off_the_scale_is_one_failed_vote_not_a_pass() -> None:
    found = combine([[0.1, 0.1, 85.0]], bounds=(0, 1), threshold=0.5)
    assert found.value[0] == pytest.approx(0.1)
    assert found.passed is not None
    assert not found.passed[0]
    assert found.n_votes[0] == 2


def test_an_infinity_is_one_failed_vote_never_a_lost_item() -> None:
    found = combine([[np.inf, 0.4, 0.6], [np.inf, -np.inf, np.inf]])
    assert found.value[0] == pytest.approx(0.5)
    assert found.outcome.tolist() == ["decided", "all_failed"]


def test_an_ok_vote_without_a_score_has_failed_and_a_failed_score_never_counts() -> None:
    found = combine([[NAN, NAN], [0.9, 0.1]], status=[["ok", "ok"], ["failed", "ok"]])
    assert found.outcome.tolist() == ["all_failed", "decided"]
    assert found.value[1] == 0.1


def test_one_survivor_of_five_is_degraded() -> None:
    found = combine([[1, NAN, NAN, NAN, NAN], [1, 1, 1, NAN, NAN], [1, NAN, NAN, NAN, NAN]])
    assert found.degraded.tolist() == [True, False, True]
    asked = combine([[1, NAN, NAN]], status=[["ok", "", ""]])
    assert not asked.degraded[0], "judges never asked are not missing"
    assert "fewer than half" in explain(found, 0, {"a": 1, **dict.fromkeys("bcde", "failed")})


def test_majority_counts_on_any_scale_with_a_threshold() -> None:
    found = combine([[4, 5, 1], [1, 2, 5]], rule="majority", threshold=3)
    assert found.passed is not None
    assert found.passed.tolist() == [True, False]
    with pytest.raises(ValueError, match=r"majority needs a threshold: .* 4 are off \[0, 1\]"):
        combine([[4, 5, 1]], rule="majority")


@pytest.mark.parametrize(("tie_break", "value"), [("low", 1), ("high", 2), ("first", 2)])
def test_a_named_tie_break_settles_the_value_and_the_outcome_still_says_tie(
    tie_break: str, value: float
) -> None:
    found = combine([[3, 2, 1, 2, 1]], rule="plurality", tie_break=tie_break)
    assert found.value[0] == value
    assert found.outcome[0] == "tie"


def test_trimmed_mean_drops_whole_votes_at_each_end() -> None:
    found = combine([[0, 0.4, 0.5, 0.6, 1], [0, 0.4, 0.6, 1, NAN]], rule="trimmed_mean")
    assert found.value == pytest.approx([0.5, 0.5])
    assert combine([[0, 0.2, 1]], rule="trimmed_mean", trim=0.4).value[0] == 0.2


def test_explanations_of_ties_and_of_nothing() -> None:
    tie = combine([[1, 0]], rule="majority")
    assert explain(tie, 0, {"a": 1, "b": 0}).startswith("PASS (tie): majority of 2 of 2 judges")
    none = combine([[NAN]], status=[["failed"]], threshold=0.5)
    assert (
        explain(none, 0, {"a": "failed: 429"}) == "ALL FAILED: mean of 0 of 1 judges; a failed: 429"
    )


# --- Peers and properties -----------------------------------------------------------------


@pytest.mark.parametrize("n_judges", [1, 2, 3, 6, 9])
def test_rules_equal_numpy_and_scipy(n_judges: int) -> None:
    rng = np.random.default_rng(n_judges)
    scores = rng.random((300, n_judges))
    scores[rng.random(scores.shape) < 0.2] = NAN
    scores[:, 0] = rng.random(300)  # at least one vote
    found = {rule: combine(scores, rule=rule, threshold=0.5) for rule in RULES}
    np.testing.assert_allclose(found["mean"].value, np.nanmean(scores, axis=1))
    np.testing.assert_allclose(found["median"].value, np.nanmedian(scores, axis=1))
    np.testing.assert_array_equal(found["min"].value, np.nanmin(scores, axis=1))
    np.testing.assert_array_equal(found["max"].value, np.nanmax(scores, axis=1))
    np.testing.assert_allclose(found["mean"].sd, np.nanstd(scores, axis=1), atol=1e-12)
    trimmed = [stats.trim_mean(row[~np.isnan(row)], 0.2) for row in scores]
    np.testing.assert_allclose(found["trimmed_mean"].value, trimmed)
    levels = np.round(scores * 2)
    modes = stats.mode(levels, axis=1, nan_policy="omit").mode
    plural = combine(levels, rule="plurality", tie_break="low").value
    np.testing.assert_array_equal(plural, modes)


@settings(max_examples=60)
@given(votes)
def test_every_rule_is_a_value_among_the_votes_or_inconclusive(scores: np.ndarray) -> None:
    for rule in RULES:
        found = combine(scores, rule=rule, threshold=0.6)
        n = np.count_nonzero(~np.isnan(scores), axis=1)
        assert found.n_votes.tolist() == n.tolist()
        conclusive = ~np.isnan(found.value)
        assert not conclusive[n == 0].any()
        assert (n[found.outcome == "decided"] > 0).all()
        assert conclusive[found.outcome == "decided"].all()
        if rule not in ("majority", "unanimous"):
            low, high = np.where(n, np.nanmin(np.where(np.isnan(scores), 9, scores), axis=1), 0), 1
            assert (found.value[conclusive] >= low[conclusive] - 1e-12).all()
            assert (found.value[conclusive] <= high).all()
            assert found.passed is not None
            assert (found.passed == (found.value >= 0.6)).all()
        agreement = found.agreement[n > 0]
        assert (agreement > 0).all()
        assert (agreement <= 1).all()


@settings(max_examples=40)
@given(votes)
def test_the_order_of_judges_does_not_matter(scores: np.ndarray) -> None:
    order = np.random.default_rng(0).permutation(scores.shape[1])
    for rule in RULES:
        one, two = combine(scores, rule=rule), combine(scores[:, order], rule=rule)
        np.testing.assert_array_equal(one.value, two.value)
        np.testing.assert_array_equal(one.sd, two.sd)
        np.testing.assert_array_equal(one.outcome_code, two.outcome_code)


@settings(max_examples=40)
@given(votes)
def test_judges_that_did_not_vote_change_nothing(scores: np.ndarray) -> None:
    wider = np.column_stack((scores, np.full(scores.shape[0], NAN)))
    for rule in RULES:
        one, two = combine(scores, rule=rule), combine(wider, rule=rule)
        np.testing.assert_array_equal(one.value, two.value)
        np.testing.assert_array_equal(one.agreement, two.agreement)
        np.testing.assert_array_equal(one.outcome_code, two.outcome_code)


@settings(max_examples=30)
@given(
    hnp.arrays(
        np.float64,
        hnp.array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=5),
        elements=st.sampled_from([0.0, 1.0, NAN]),
    )
)
def test_repeats_reduce_like_a_panel_of_its_own(cube: np.ndarray) -> None:
    rows = cube.reshape(-1, cube.shape[2])
    for how, rule in (("mean", "mean"), ("median", "median"), ("plurality", "plurality")):
        expected = combine(rows, rule=rule).value.reshape(cube.shape[:2])
        np.testing.assert_allclose(reduce_repeats(cube, how=how), expected)  # type: ignore[arg-type]


def test_a_million_responses_take_well_under_a_second() -> None:
    scores = np.random.default_rng(0).integers(0, 11, (200_000, 5)) / 10
    start = time.process_time()
    combine(scores, rule="median", threshold=0.5)
    assert time.process_time() - start < 1.0  # a fifth of the size, five times the time


# --- Messages -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rule": "average"}, r"rule = 'average' must be one of mean, median"),
        ({"min_successful": 0}, r"min_successful = 0 must lie in 1\.\.3"),
        ({"min_successful": 4}, r"min_successful = 4 must lie in 1\.\.3, the panel's size"),
        ({"trim": 0.5}, r"trim = 0\.5 must lie in \[0, \.5\)"),
        ({"tie_break": "coin"}, r"tie_break = 'coin' must be None, 'low', 'high' or 'first'"),
        ({"threshold": NAN}, r"threshold = nan must be a finite number"),
        ({"status": [["ok", "late", "ok"]]}, r"status 'late' must be 'ok', 'abstained'"),
        ({"status": [[0, 1, 7]]}, r"status codes must be 0 \(ok\)"),
        ({"status": [["ok"]]}, r"status of shape \(1, 1\) must match scores, \(1, 3\)"),
        ({"errored": [True, False]}, r"errored of shape \(2,\) must hold one flag a response"),
        ({"rule": lambda scores, _: scores}, r"rule <lambda> gave shape \(1, 3\)"),
    ],
)
def test_bad_options_name_argument_value_and_rule(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        combine(THREE, **options)  # type: ignore[arg-type]


def test_bad_shapes_and_scales() -> None:
    with pytest.raises(ValueError, match=r"scores of shape \(3,\) must be \(responses, judges\)"):
        combine([1, 0, 1])
    with pytest.raises(ValueError, match=r"low = 5 must be below high = 1"):
        normalise([1], 5, 1)
    with pytest.raises(ValueError, match=r"how = 'mode' must be one of mean, median, plurality"):
        reduce_repeats([[[1.0]]], how="mode")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"must be \(responses, judges, repeats\)"):
        reduce_repeats([[1.0]])


# --- The hook -----------------------------------------------------------------------------


def _aggregate(columns: Mapping[str, object], method: str, **ask: object) -> Consensus:
    matrix = Study.from_columns(columns).matrix("score")
    found = panopt_aggregate(matrix=matrix, method=method, why="asked for", ask=Ask(**ask))  # type: ignore[arg-type]
    assert found is not None
    return found


def _votes(rows: list[list[float | None]], scale: str, **more: object) -> dict[str, Any]:
    flat = [x for row in rows for x in row]
    return {
        "item": [f"i{i}" for i, row in enumerate(rows) for _ in row],
        "judge": [f"j{j}" for row in rows for j in range(len(row))],
        "score": flat,
        "scale": scale,
        **more,
    }


def test_the_hook_offers_every_rule() -> None:
    assert panopt_methods() == RULES


def test_consensus_of_a_binary_majority() -> None:
    columns = _votes([[1, 1, 0], [1, 0, None], [None, None, None]], "binary")
    found = _aggregate(columns, "majority")
    np.testing.assert_array_equal(found.value, [1, 0.5, NAN])
    assert [OUTCOMES[code] for code in found.outcome] == ["decided", "tie", "all_failed"]
    assert found.verdict.tolist() == [1, 1, -1]
    np.testing.assert_allclose(found.confidence, [2 / 3, 0.5, NAN])
    np.testing.assert_array_equal(found.estimate, found.value)
    np.testing.assert_array_equal(found.blind_value, found.value)
    assert np.isnan(found.sd).all()
    assert found.confidence_source == "vote share"
    assert found.warnings == (
        "inconclusive responses: 1 all failed",
        "1 exact ties count as passes: their mean reaches the threshold",
    )


def test_consensus_counts_confidence_on_the_side_of_the_value() -> None:
    found = _aggregate(_votes([[5, 2, 2], [1, 1, 5]], "ordinal:1:5"), "mean", threshold=0.5)
    np.testing.assert_allclose(found.value, [0.5, 1 / 3])
    assert found.verdict.tolist() == [1, 0]
    np.testing.assert_allclose(found.confidence, [1 / 3, 2 / 3])


def test_a_binary_judge_whose_repeats_tie_abstains_from_a_vote() -> None:
    columns = {
        "item": ["a"] * 5,
        "judge": ["x", "x", "y", "z", "z"],
        "repeat": [0, 1, 0, 0, 1],
        "score": [1.0, 0.0, 0.0, 0.0, 0.0],
        "scale": "binary",
    }
    found = _aggregate(columns, "majority")
    assert found.value[0] == 0
    assert found.n_votes[0] == 2
    assert _aggregate(columns, "mean").value[0] == pytest.approx(1 / 6)


def test_pairwise_votes_for_a_tie_count_half_for_each_side() -> None:
    rows: list[list[float | None]] = [[0.5, 0.5, 0], [1, 0.5, 0], [1, 0.5, 0.5], [0.5, 0.5, 0.5]]
    found = _aggregate(_votes(rows, "pairwise"), "majority")
    assert found.value.tolist() == [0, 0.5, 1, 0.5]
    assert found.verdict.tolist() == [0, -1, 1, -1], "a draw has no winner"
    np.testing.assert_allclose(found.confidence, [2 / 3, NAN, 2 / 3, NAN])
    assert [OUTCOMES[code] for code in found.outcome] == ["decided", "tie", "decided", "tie"]
    np.testing.assert_allclose(found.agreement, [2 / 3, 1 / 3, 2 / 3, 1])


def test_labels_take_the_plurality_and_have_no_value() -> None:
    columns = {
        "item": ["a", "a", "a", "b", "b", "c"],
        "judge": ["x", "y", "z", "x", "y", "x"],
        "label": ["cat", "dog", "cat", "cat", "dog", None],
        "scale": "nominal",
        "status": ["ok"] * 5 + ["abstained"],
    }
    matrix = Study.from_columns(columns).matrix("score")
    for method in ("plurality", "majority"):
        found = _aggregate(columns, method)
        assert [matrix.labels[code] if code >= 0 else "" for code in found.verdict] == [
            "cat",
            "",
            "",
        ]
        assert [OUTCOMES[code] for code in found.outcome] == ["decided", "tie", "all_abstained"]
        assert np.isnan(found.value).all()
        np.testing.assert_allclose(found.confidence, [2 / 3, NAN, NAN])
    with pytest.raises(ValueError, match=r"mean needs scores, and 'score' was judged by labels"):
        _aggregate(columns, "mean")


def test_the_hook_never_looks_at_human_labels() -> None:
    rows: list[list[float | None]] = [[0.2, 0.9, 0.4], [0.8, 0.7, 0.9]]
    judged = _votes(rows, "continuous:0:1", judge_kind="llm")
    with_humans = {
        "item": [*judged["item"], "i0", "i1"],
        "judge": [*judged["judge"], "h", "h"],
        "score": [*judged["score"], 1.0, 0.0],
        "judge_kind": ["llm"] * 6 + ["human"] * 2,
        "scale": "continuous:0:1",
    }
    for method in RULES:
        one, two = _aggregate(judged, method), _aggregate(with_humans, method)
        np.testing.assert_array_equal(one.value, two.value)
        np.testing.assert_array_equal(one.confidence, two.confidence)


def test_a_degraded_panel_and_mixed_scales_are_told() -> None:
    columns = _votes([[1, None, None], [1, 1, 1]], "binary")
    columns["scale"] = ["binary", "binary", "ordinal:1:5", "binary", "binary", "ordinal:1:5"]
    found = _aggregate(columns, "mean")
    assert "1 responses were decided by fewer than half of their judges" in found.warnings
    assert "judges use different scales, combined on [0, 1]" in found.warnings


def test_a_quorum_beyond_the_panel_is_refused() -> None:
    with pytest.raises(ValueError, match=r"min_successful = 4 must lie in 1\.\.3"):
        _aggregate(_votes([[1, 1, 0]], "binary"), "majority", min_successful=4)


@pytest.mark.parametrize(
    ("rule", "scores", "agreement"),
    [
        ("unanimous", [1, 1, 0], 1 / 3),  # fails, on the word of one
        ("unanimous", [1, 1, 1], 1.0),
        ("unanimous", [0, 0, 1], 2 / 3),
        ("mean", [1.0, 0.4, 0.4], 1 / 3),  # .6 passes
        ("median", [1.0, 0.4, 0.4], 2 / 3),
        ("min", [1.0, 0.9, 0.4], 1 / 3),
        ("max", [1.0, 0.4, 0.4], 1 / 3),
        ("trimmed_mean", [0.9, 0.7, 0.4], 2 / 3),
        ("majority", [1.0, 0.4, 0.4], 2 / 3),
        ("plurality", [1.0, 0.4, 0.4], 2 / 3),
    ],
)
def test_agreement_is_the_share_of_judges_on_the_side_of_the_verdict(
    rule: str, scores: list[float], agreement: float
) -> None:
    found = combine([scores], rule=rule, threshold=0.5)
    assert found.agreement[0] == pytest.approx(agreement)


def test_agreement_without_a_verdict_is_the_largest_bloc() -> None:
    votes = [[1.0, 0.4, 0.4]]
    assert combine(votes).agreement[0] == pytest.approx(2 / 3)  # no threshold
    few = combine([[1.0, 1.0, NAN]], rule="unanimous", min_successful=3)
    assert (few.outcome[0], few.agreement[0]) == ("quorum_not_met", 1.0)


@pytest.mark.parametrize("threshold", ["a", [0.5], 1j, np.inf])
def test_a_threshold_that_is_no_number_is_refused(threshold: float) -> None:
    with pytest.raises(ValueError, match=r"threshold = .* must be a finite number"):
        combine([[0.1, 0.2]], threshold=threshold)
