"""Rules on one response: vectors of the sources, and equality with the panel that reads logs."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from panopt.errors import AskError
from panopt.judging import (
    Boolean,
    Failure,
    Labelled,
    Numeric,
    Pairwise,
    Ruling,
    Usage,
    VerdictKind,
    Vote,
    rule_on,
)
from panopt.judging.rules import rule_for
from panopt.judging.verdict import scale_text
from panopt.plugins.panel import combine, panopt_aggregate
from panopt.records.ask import Ask
from panopt.records.consensus import OUTCOMES
from panopt.records.scale import Scale
from panopt.records.study import Study
from panopt.stats.rule_names import RULES

ABC = Labelled(("a", "b", "c"), passing=frozenset(("a",)))


def cast(*values: float | str | None) -> list[Vote]:
    """Votes of judges j0, j1 ...; "abstained" and "failed" are no values."""
    found = []
    for k, value in enumerate(values):
        name = f"j{k}"
        if value == "abstained":
            found.append(Vote(name, "abstained"))
        elif value == "failed":
            found.append(Vote(name, "failed", failure=Failure("timeout", "too slow")))
        elif isinstance(value, str):
            found.append(Vote(name, "ok", label=value))
        else:
            found.append(Vote(name, "ok", value))
    return found


def ruled(
    *values: float | str | None, kind: VerdictKind | None = None, **options: object
) -> Ruling:
    return rule_on(cast(*values), kind=kind or Numeric(), **options)  # type: ignore[arg-type]


# --- V: panel grader ----------------------------------------------------------------------


def test_V_1_defaults() -> None:
    assert rule_for(Numeric(), None) == "mean"
    found = ruled(0.5, 0.7, 0.1, rule="majority")
    assert (found.value, found.threshold, found.passed) == (1.0, 0.5, True)
    assert ruled(0.5, 0.7, 1.0, rule="unanimous").passed is True
    assert ruled(0.5, 0.7, 0.1, rule="unanimous").passed is False


@pytest.mark.parametrize(("score", "unit"), [(1, 0), (3, 0.5), (5, 1)])
def test_V_3_scores_normalise(score: float, unit: float) -> None:
    assert ruled(score, kind=Numeric(1, 5)).unit_value == unit
    assert ruled(5.5, kind=Numeric(1, 10)).unit_value == 0.5


@pytest.mark.parametrize(
    ("rule", "value"), [("mean", 0.7333), ("median", 0.8), ("min", 0.6), ("majority", 1.0)]
)
def test_V_4_three_judges(rule: str, value: float) -> None:
    found = ruled(0.8, 0.6, 0.8, kind=Numeric(threshold=0.6), rule=rule)
    assert found.value == pytest.approx(value, abs=1e-4)


def test_V_4_majority_tie_falls_back_to_mean() -> None:
    found = ruled(0.9, 0.2, kind=Numeric(threshold=0.5), rule="majority")
    assert (found.outcome, found.passed) == ("tie", True)
    assert found.value == pytest.approx(0.55)
    assert found.reason == "2 votes are even"
    assert ruled(0.8, 0.1, kind=Numeric(threshold=0.5), rule="majority").passed is False


def test_V_4_median_of_four_is_the_mean_of_the_middles() -> None:
    assert ruled(0.1, 0.4, 0.6, 1.0, rule="median").value == 0.5


def test_V_5_passes_at_the_threshold_itself_and_rounding_never_fails_it() -> None:
    at = Numeric(threshold=0.6)
    assert ruled(0.6, 0.6, 0.6, kind=at).passed is True
    assert ruled(0.6, 0.6, 0.59, kind=at).passed is False
    assert ruled(0.7, 0.5, 0.6, kind=at).passed is True  # sums to 1.7999999999999998


def test_V_6_failed_judges_leave_first_and_only_all_of_them_fail_a_panel() -> None:
    at = Numeric(threshold=0.5)
    some = ruled(0.9, "failed", 0.7, kind=at)
    assert (some.outcome, some.passed, some.n_failed) == ("decided", True, 1)
    assert some.value == pytest.approx(0.8)
    none = ruled("failed", "failed", kind=at)
    assert none.outcome == "all_failed"
    assert not none.passed
    assert none.value is None
    assert none.reason == "all 2 judges failed"


def test_V_10_disagreement_is_the_range_with_sd_beside_it() -> None:
    found = ruled(0.8, 0.6, 0.8)
    assert found.disagreement == pytest.approx(0.2)
    assert found.sd == pytest.approx(np.std([0.8, 0.6, 0.8]))


# --- J: jury ------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", ["plurality", "majority", "absolute_majority"])
def test_J_vector_two_of_three(rule: str) -> None:
    found = ruled(1.0, 1.0, 0.0, kind=Boolean(), rule=rule)
    assert (found.outcome, found.value, found.passed) == ("decided", 1.0, True)
    assert found.agreement == pytest.approx(2 / 3)
    assert found.mean == pytest.approx(2 / 3)
    assert found.sd == pytest.approx(math.sqrt(2 / 9))


@pytest.mark.parametrize("values", [(1.0, 0.0), (1.0, 1.0, 0.0, 0.0)])
def test_J_vector_even_votes_tie_and_agreement_is_not_censored(values: tuple[float, ...]) -> None:
    found = ruled(*values, kind=Boolean())
    assert (found.outcome, found.value, found.passed) == ("tie", None, None)
    assert (found.agreement, found.agreement_n) == (0.5, len(values))
    assert (
        found.reason == "2 verdicts have 50% each"
        or found.reason == f"{len(values)} votes are even"
    )


def test_J_vector_numbers() -> None:
    assert ruled(0.0, 0.6, 0.9).value == pytest.approx(0.5)
    assert ruled(0.0, 0.6, 0.9, rule="median").value == 0.6
    assert ruled(0.0, 0.6, 0.9, rule="min").value == 0.0
    assert ruled(0.0, 0.6, 0.9, rule="max").value == 0.9


def test_J_2_labels_that_pass_and_those_without_pass_or_fail() -> None:
    assert ruled("a", "a", "b", kind=ABC).passed is True
    assert ruled("b", "a", "b", kind=ABC).passed is False
    found = ruled("b", "a", "b", kind=Labelled(("a", "b")))
    assert (found.label, found.passed, found.value) == ("b", None, None)


def test_J_2_label_arguments_never_go_with_numbers() -> None:
    with pytest.raises(AskError, match=r"rule = 'plurality' does not count Numeric verdicts"):
        ruled(0.5, rule="plurality")
    with pytest.raises(AskError, match=r"rule = 'mean' does not count Labelled verdicts; use maj"):
        ruled("a", kind=ABC, rule="mean")


def test_J_4_plurality_leads_without_a_majority() -> None:
    votes = ("c", "c", "a", "b")
    assert ruled(*votes, kind=ABC).label == "c"
    split = ruled(*votes, kind=ABC, rule="majority")
    assert (split.outcome, split.label, split.agreement) == ("split", None, 0.5)
    assert split.reason == "no verdict has more than half; the largest bloc has 50% of the votes"
    assert ruled("c", "c", "a", "a", kind=ABC, rule="majority").outcome == "tie"


def test_J_4_a_function_sees_every_vote_and_may_find_no_consensus() -> None:
    seen: list[tuple[Vote, ...]] = []

    def strictest(votes: tuple[Vote, ...]) -> float | None:
        seen.append(votes)
        if any(vote.status == "failed" for vote in votes):
            return None
        return min(vote.value for vote in votes if vote.value is not None)

    found = ruled(0.9, 0.4, "abstained", rule=strictest)
    assert (found.outcome, found.value, found.rule) == ("decided", 0.4, "strictest")
    assert [vote.status for vote in seen[0]] == ["ok", "ok", "abstained"]
    none = ruled(0.9, "failed", rule=strictest)
    assert (none.outcome, none.value, none.reason) == (
        "split", None, "rule strictest found no consensus",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        (lambda _: 1 / 0, "rule <lambda> raised ZeroDivisionError: division by zero"),
        (lambda _: 85, "rule <lambda> gave 85, which is off 0 to 1"),
        (lambda _: math.nan, "rule <lambda> gave nan, which is off 0 to 1"),
        (lambda _: "a", "rule <lambda> gave 'a', which is off 0 to 1"),
    ],
)
def test_a_function_that_breaks_is_no_consensus_and_loses_nothing(
    rule: Callable[..., Any], reason: str
) -> None:
    found = ruled(0.9, 0.8, rule=rule)
    assert (found.outcome, found.value, found.reason) == ("split", None, reason)
    assert len(found.votes) == 2


def test_a_function_may_choose_a_label_and_is_not_taken_for_a_rule_of_its_name() -> None:
    def unanimous(votes: Sequence[Vote]) -> str:
        return " A "

    assert ruled("b", "b", kind=ABC, rule=unanimous).label == "a"

    def majority(votes: Sequence[Vote]) -> float:
        return 0.7

    found = ruled(0.9, 0.1, kind=Numeric(threshold=0.5), rule=majority)
    assert (found.value, found.passed) == (0.7, True)


def test_J_10_quorum() -> None:
    found = ruled(1.0, "failed", "abstained", kind=Boolean(), min_successful=2)
    assert (found.outcome, found.value, found.passed) == ("quorum_not_met", None, None)
    assert found.reason == "1 of 3 judges voted, 2 must (1 abstained, 1 failed)"
    assert (found.agreement, found.agreement_n) == (1.0, 1)


def test_J_16_a_response_that_errored_is_not_judged() -> None:
    found = ruled(1.0, kind=Boolean(), response_error="the system crashed")
    assert (found.outcome, found.reason, found.votes) == (
        "response_error", "the system crashed", (),
    )  # fmt: skip


# --- Better than the sources --------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "outcome"),
    [
        (("abstained", "abstained"), "all_abstained"),
        (("failed", "failed"), "all_failed"),
        (("abstained", "failed"), "quorum_not_met"),
        ((), "no_votes"),
    ],
)
def test_outcomes_without_votes_are_told_apart(values: tuple[str, ...], outcome: str) -> None:
    found = ruled(*values, kind=Boolean())
    assert found.outcome == outcome
    assert (found.agreement, found.agreement_n, found.mean) == (None, 0, None)
    assert found.reason


def test_judges_that_were_not_paid_for_are_told_from_those_that_failed() -> None:
    unpaid = Vote("u", "failed", failure=Failure("budget", "spent"), usage=Usage())
    broken = Vote("b", "failed", failure=Failure("timeout", "slow"), usage=Usage(calls=1))
    cut = Vote("c", "failed", failure=Failure("budget", "spent"), usage=Usage(calls=1))
    two = rule_on([unpaid, broken], kind=Boolean())
    assert two.reason == "1 of 2 judges failed, 1 not asked: the budget is spent"
    yes = Vote("y", "ok", 1.0)
    few = rule_on([yes, unpaid, broken], kind=Boolean(), min_successful=2)
    told = "0 abstained, 1 failed, 1 not asked: the budget is spent"
    assert few.reason == f"1 of 3 judges voted, 2 must ({told})"
    assert (unpaid.unpaid, broken.unpaid, cut.unpaid) == (True, False, False)
    assert not rule_on([cut], kind=Boolean()).unpaid


def test_usage_is_of_the_record_and_spent_of_the_run() -> None:
    paid, other = Usage(1, 10, 2, 0.5), Usage(2, 20, 4, 1.0)
    fresh, copy = Vote("a", "ok", 1.0, usage=paid), Vote("b", "ok", 1.0, usage=paid, cached=True)
    again = Vote("c", "ok", 1.0, usage=other, cached=True)  # a call, and a copy after it
    drawn = Vote("d", "ok", 1.0, usage=other, passes=(fresh, copy))
    found = rule_on([fresh, copy, again, drawn], kind=Boolean())
    assert found.usage == Usage(6, 60, 12, 3.0)
    assert found.spent == Usage(4, 40, 8, 2.0)
    assert found.as_dict()["spent"] == found.as_dict()["usage"] | {  # type: ignore[operator]
        "calls": 4, "input_tokens": 40, "output_tokens": 8, "cost": 2.0,
    }  # fmt: skip
    assert rule_on([copy], kind=Boolean()).spent == Usage()


def test_a_vote_off_the_range_is_one_failed_vote_not_a_pass() -> None:
    found = ruled(0.1, 0.1, 85.0, kind=Numeric(threshold=0.5))
    assert (found.n_decisive, found.n_failed, found.passed) == (2, 1, False)
    assert found.value == pytest.approx(0.1)
    assert found.votes[2].failure == Failure("parse", "score 85 is off the range 0 to 1")


@pytest.mark.parametrize("score", [math.nan, math.inf, -math.inf])
def test_a_score_that_is_not_finite_is_one_failed_vote(score: float) -> None:
    found = ruled(score, 0.5)
    assert (found.value, found.n_failed) == (0.5, 1)
    json.dumps(found.as_dict(), allow_nan=False)


def test_one_survivor_of_five_is_degraded() -> None:
    assert ruled(1.0, *["failed"] * 4, kind=Boolean()).degraded
    assert not ruled(1.0, 1.0, 1.0, "failed", "failed", kind=Boolean()).degraded
    assert not ruled(1.0, kind=Boolean()).degraded, "judges never asked are not missing"


def test_replaced_seats_are_not_missing() -> None:
    stood = [Vote("x", "ok", 1.0, stands_for="j1"), Vote("y", "ok", 1.0, stands_for="j2")]
    found = rule_on([*cast(1.0, "failed", "failed"), *stood], kind=Boolean())
    assert (found.n_asked, found.n_replaced, found.degraded) == (5, 2, False)
    assert found.n_decisive + found.n_abstained + found.n_failed == found.n_asked


def test_labels_compare_without_case_and_spaces() -> None:
    votes = [Vote("x", "ok", label=" Mostly  RIGHT"), Vote("y", "ok", label="mostly right")]
    found = rule_on(votes, kind=Labelled(("mostly right", "wrong")))
    assert (found.label, found.agreement) == ("mostly right", 1.0)


def test_weights_count_in_means_pluralities_and_agreement() -> None:
    weights = {"j0": 3.0}
    assert ruled(1.0, 0.0, weights=weights).value == 0.75
    found = ruled("a", "b", "b", kind=ABC, weights=weights)
    assert (found.label, found.agreement, found.agreement_n) == ("a", 0.6, 3)
    assert found.weights == {"j0": 3.0, "j1": 1.0, "j2": 1.0}
    assert ruled(1.0, 0.0, 0.0, kind=Boolean(), rule="majority", weights=weights).passed is True
    tie = ruled(1.0, 0.0, 0.0, kind=Boolean(), weights={"j0": 0.3, "j1": 0.1, "j2": 0.2})
    assert tie.outcome == "tie", ".1 + .2 is .3 but for rounding"


def test_equal_weights_change_nothing() -> None:
    for rule in ("mean", "majority"):
        plain = ruled(0.1, 0.7, 0.7, 0.2, kind=Numeric(threshold=0.5), rule=rule)
        same = ruled(
            0.1, 0.7, 0.7, 0.2, kind=Numeric(threshold=0.5), rule=rule,
            weights=dict.fromkeys(("j0", "j1", "j2", "j3"), 0.1),
        )  # fmt: skip
        assert (plain.value, plain.outcome, plain.agreement) == (
            same.value, same.outcome, same.agreement,
        )  # fmt: skip


def test_pairs_take_the_side_of_the_mean_and_a_tie_is_half() -> None:
    assert ruled(1.0, 0.5, 0.5, kind=Pairwise()).value == 1.0
    even = ruled(1.0, 0.5, 0.0, kind=Pairwise())
    assert (even.outcome, even.value, even.passed) == ("tie", 0.5, None)
    assert ruled(1.0, 0.5, 0.5, kind=Pairwise(), rule="plurality").value == 0.5
    assert ruled(0.7, 1.0, kind=Pairwise()).n_failed == 1


@pytest.mark.parametrize(("tie_break", "label"), [("low", "a"), ("high", "c"), ("first", "c")])
def test_a_named_tie_break_settles_and_the_outcome_still_says_tie(
    tie_break: str, label: str
) -> None:
    found = ruled("c", "a", kind=ABC, tie_break=tie_break)
    assert (found.label, found.outcome) == (label, "tie")


# --- Equality with the panel that reads logs ----------------------------------------------

GRID = st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.6, 0.7, 1.0, "abstained", "failed"])


def same(found: float | None, expected: float) -> bool:
    return math.isnan(expected) if found is None else found == expected


@settings(max_examples=400)
@example([2e-159], "min", 0.0, 1, "numeric", None)
@given(
    st.lists(st.one_of(GRID, st.floats(0, 1)), min_size=1, max_size=7),
    st.sampled_from(RULES),
    st.sampled_from([None, 0.0, 0.5, 0.6, 1.0]),
    st.integers(1, 3),
    st.sampled_from(["numeric", "boolean"]),
    st.sampled_from([None, "low", "high", "first"]),
)
def test_a_ruling_is_what_the_panel_finds_to_the_last_bit(  # noqa: PLR0917 - drawn by name
    values: list[Any],
    rule: str,
    threshold: float | None,
    least: int,
    shape: str,
    tie_break: str | None,
) -> None:
    kind: Numeric | Boolean = Numeric(threshold=threshold)
    if shape == "boolean":
        values = [v if isinstance(v, str) else float(v >= 0.5) for v in values]
        kind, threshold = Boolean(), 0.5
    elif rule in ("plurality", "absolute_majority"):
        return
    status = ["ok" if not isinstance(v, str) else v for v in values]
    scores = [v if not isinstance(v, str) else np.nan for v in values]
    least = min(least, len(values))
    expected = combine(
        [scores], rule=rule, threshold=threshold, min_successful=least, status=[status],
        tie_break=tie_break,
    )  # fmt: skip
    found = ruled(*values, kind=kind, rule=rule, min_successful=least, tie_break=tie_break)
    assert found.outcome == expected.outcome[0]
    assert same(found.value, expected.value[0])
    assert same(found.agreement, expected.agreement[0])
    assert same(found.sd, expected.sd[0])
    assert same(found.disagreement, expected.disagreement[0])
    assert (found.n_decisive, found.n_asked) == (expected.n_votes[0], expected.n_judges[0])
    assert found.degraded == expected.degraded[0]
    assert bool(found.passed) == (expected.passed is not None and bool(expected.passed[0]))
    assert found.threshold == expected.threshold


@settings(max_examples=60)
@given(
    st.lists(
        st.lists(
            st.sampled_from([1.0, 2.0, 3.0, 4.0, 5.0, "abstained", "failed"]),
            min_size=3,
            max_size=3,
        ),
        min_size=1,
        max_size=5,
    ),
    st.sampled_from(["numeric", "labelled", "pairwise", "boolean"]),
    st.sampled_from(["majority", "mean", "plurality"]),
)
def test_a_ruling_is_what_is_later_read_off_the_log(
    rows: list[list[Any]], shape: str, rule: str
) -> None:
    kind: Any = {
        "numeric": Numeric(1, 5, threshold=3.0),
        "labelled": Labelled(("1", "2", "3", "4", "5")),
        "pairwise": Pairwise(),
        "boolean": Boolean(),
    }[shape]
    reads: dict[str, Callable[[Any], Any]] = {
        "numeric": float,
        "labelled": lambda x: str(int(x)),
        "pairwise": lambda x: {1: 0.0, 2: 0.0, 3: 0.5, 4: 1.0, 5: 1.0}[int(x)],
        "boolean": lambda x: float(x >= 3),
    }
    if (shape == "labelled" and rule == "mean") or (shape == "numeric" and rule == "plurality"):
        return
    if shape == "pairwise":
        rule = "majority"
    rows = [[v if isinstance(v, str) else reads[shape](v) for v in row] for row in rows]
    silent = ("abstained", "failed")
    flat = [(i, j, v) for i, row in enumerate(rows) for j, v in enumerate(row)]
    columns: dict[str, list[Any]] = {
        "item": [f"i{i}" for i, _, _ in flat],
        "judge": [f"j{j}" for _, j, _ in flat],
        "scale": [scale_text(kind)] * len(flat),
        "status": [v if v in silent else "ok" for _, _, v in flat],
        "score": [v if isinstance(v, float) else None for _, _, v in flat],
        "label": [v if isinstance(v, str) and v not in silent else None for _, _, v in flat],
    }
    matrix = Study.from_columns(columns).matrix("score")
    ask = Ask(threshold=0.5)
    read = panopt_aggregate(matrix=matrix, method=rule, why="asked for", ask=ask)
    assert read is not None
    items = [matrix.name("item", k) for k in range(matrix.n_responses)]
    for i, row in enumerate(rows):
        found = ruled(*row, kind=kind, rule=rule)
        k = items.index(f"i{i}")
        assert found.outcome == OUTCOMES[read.outcome[k]]
        assert found.n_decisive == read.n_votes[k]
        if shape == "labelled":
            verdict = None if read.verdict[k] < 0 else matrix.labels[read.verdict[k]]
            assert found.label == verdict
        else:
            assert found.unit_value == pytest.approx(
                None if math.isnan(read.value[k]) else read.value[k]
            )
        if shape in ("numeric", "boolean"):
            expected = None if read.verdict[k] < 0 else bool(read.verdict[k])
            assert found.passed == expected


@pytest.mark.parametrize("kind", [Boolean(), ABC, Numeric(-2, 7.5), Pairwise()])
def test_the_scale_of_a_verdict_is_one_that_records_read(kind: VerdictKind) -> None:
    text = scale_text(kind)
    assert str(Scale.parse(text)) == text


@settings(max_examples=60)
@given(
    st.lists(st.tuples(GRID, st.floats(0.01, 10)), min_size=1, max_size=6),
    st.sampled_from(["mean", "majority"]),
    st.randoms(),
)
def test_the_order_of_judges_does_not_matter(
    pairs: list[tuple[Any, float]], rule: str, random: Random
) -> None:
    votes = cast(*[value for value, _ in pairs])
    weights = {vote.judge: w for vote, (_, w) in zip(votes, pairs, strict=True)}
    mixed = random.sample(votes, len(votes))
    one = rule_on(votes, kind=Numeric(), rule=rule, weights=weights)
    two = rule_on(mixed, kind=Numeric(), rule=rule, weights=weights)
    assert (one.value, one.outcome) == (two.value, two.outcome)


# --- Messages -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rule": "average"}, r"rule = 'average' must be one of mean, median"),
        ({"rule": 3}, r"rule = 3 must be a name or a function"),
        ({"kind": Numeric(1, 5), "rule": "majority"}, r"rule = 'majority' counts passes: set a th"),
        ({"kind": Pairwise(), "rule": "mean"}, r"rule = 'mean' does not count Pairwise verdicts"),
        ({"min_successful": 0}, r"min_successful = 0 must be 1 or more"),
        ({"min_successful": True}, r"min_successful = True must be a whole number"),
        ({"tie_break": "coin"}, r"tie_break = 'coin' must be None, 'low', 'high' or 'first'"),
        ({"trim": 0.5}, r"trim = 0\.5 must lie in \[0, \.5\)"),
        ({"weights": {"j0": 0}}, r"weights\['j0'\] = 0 must be a finite number above 0"),
        ({"weights": {"j0": math.nan}}, r"weights\['j0'\] = nan must be a finite number above 0"),
        ({"weights": {"j0": 1}, "rule": "median"}, r"weights have no meaning for rule 'median'"),
        ({"weights": {"j0": 1}, "rule": min}, r"weights have no meaning for rule 'min'; it must"),
    ],
)
def test_bad_options_name_argument_value_and_rule(options: dict[str, Any], message: str) -> None:
    with pytest.raises(AskError, match=message):
        ruled(0.5, **options)


def test_two_votes_of_one_judge_are_draws_to_reduce_first() -> None:
    with pytest.raises(AskError, match=r"votes hold judge 'a' twice; reduce its draws to one"):
        rule_on([Vote("a", "ok", 1.0), Vote("a", "ok", 0.0)], kind=Boolean())


def test_what_a_function_gives_must_be_a_verdict_of_the_kind() -> None:
    label = ruled("a", kind=ABC, rule=lambda _: "z")
    assert label.reason == "rule <lambda> gave 'z', which is no label"
    half = ruled(1.0, kind=Pairwise(), rule=lambda _: 0.7)
    assert (half.outcome, half.value) == ("split", None)
    assert ruled(1.0, kind=Pairwise(), rule=lambda _: 0.5).value == 0.5
