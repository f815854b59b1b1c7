"""Self-preference and length bias: against other fits, at their level, and beside a plain gap."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from statsmodels.sandbox.regression.gmm import IV2SLS

from panopt.stats.audit_preference import length_bias, self_preference

Floats = NDArray[np.float64]


class Case(NamedTuple):
    """Judges' scores (responses, judges), the first judge's own system, items, lengths."""

    scores: Floats
    own: NDArray[np.bool_]
    item: NDArray[np.intp]
    system: NDArray[np.intp]
    length: Floats


def drawn(
    rng: np.random.Generator,
    items: int,
    systems: int,
    judges: int,
    *,
    kind: str = "continuous",
    better: float = 0.0,
    alike: bool = True,
    favour: float = 0.0,
    wordy: float = 0.0,
) -> Case:
    """Draw judges that see one quality through scales of their own, alike or not.

    The first judge's system is `better`; `favour` and `wordy` are what that judge adds to its own
    family's and to an answer twice as long.
    """
    n = items * systems
    item, system = np.repeat(np.arange(items), systems), np.tile(np.arange(systems), items)
    own = system == 0
    quality = rng.normal(size=items)[item] + rng.normal(0, 0.7, n) + better * own
    length = np.exp(rng.normal(5, 0.5, n) + 0.4 * quality)
    slope = np.ones(judges) if alike else np.linspace(0.5, 1.5, judges)
    level = np.zeros(judges) if alike else np.linspace(-0.5, 0.8, judges)
    seen = level + slope * quality[:, None] + rng.normal(0, 0.6, (n, judges))
    if kind == "binary":
        hit = np.full(judges, 0.85) if alike else np.linspace(0.98, 0.7, judges)
        false = np.full(judges, 0.15) if alike else np.linspace(0.5, 0.05, judges)
        right = np.where(quality[:, None] > 0, hit, false)
        seen = (rng.random((n, judges)) < right).astype(np.float64)
    elif kind == "ordinal":
        seen = np.clip(np.round(2 + seen), 0, 4) / 4
    seen[:, 0] += favour * own + wordy * np.log2(length)
    return Case(seen, own, item, system, length)


def taken(case: Case, rows: NDArray[Any]) -> Case:
    return Case(
        case.scores[rows], case.own[rows], case.item[rows], case.system[rows], case.length[rows]
    )


def preference(case: Case, **options: Any) -> Any:  # noqa: ANN401 - an effect
    found = self_preference(
        case.scores[:, 0], case.scores[:, 1:], case.own, clusters=case.item, **options
    )
    assert found.p is not None, found.reason
    return found


def bias(case: Case, **options: Any) -> Any:  # noqa: ANN401 - an effect
    groups = {"items": case.item, "systems": case.system}
    found = length_bias(case.scores[:, 0], case.scores[:, 1:], case.length, **(groups | options))
    assert found.p is not None, found.reason
    return found


def test_self_preference_is_the_mean_of_two_stage_fits() -> None:
    case = drawn(np.random.default_rng(0), 60, 4, 3, alike=False, better=0.5, favour=0.3)
    y, one, two = case.scores.T
    fits = []
    for part, rest in ((one, two), (two, one)):
        x, z = (np.column_stack((np.ones(y.size), case.own, q)) for q in (rest, part))
        fits.append(IV2SLS(y, x, z).fit().params)
    found = preference(case)
    assert found.value == pytest.approx(np.mean([fit[1] for fit in fits]), abs=1e-10)
    assert found.details["slope"] == pytest.approx(np.mean([fit[2] for fit in fits]), abs=1e-10)


def test_with_one_other_judge_it_is_the_difference_of_differences_clustered() -> None:
    case = drawn(np.random.default_rng(1), 40, 3, 2, favour=0.2)
    apart = case.scores[:, 0] - case.scores[:, 1]
    fit = sm.OLS(apart, sm.add_constant(case.own.astype(float))).fit(
        cov_type="cluster", cov_kwds={"groups": case.item, "use_correction": False}
    )
    found = preference(case)
    assert found.value == pytest.approx(apart[case.own].mean() - apart[~case.own].mean())
    assert found.value == pytest.approx(found.details["plain"])
    assert found.se == pytest.approx(fit.bse[1] * np.sqrt(40 / 39))
    assert (found.df, found.n, found.n_clusters) == (pytest.approx(39), 120, 40)


def test_against_humans_quality_is_their_score() -> None:
    case = drawn(np.random.default_rng(2), 50, 4, 2, alike=False, better=0.5)
    y, human = case.scores.T
    x = np.column_stack((np.ones(y.size), case.own, human))
    found = self_preference(y, human, case.own, clusters=case.item, anchor="humans")
    assert found.value == pytest.approx(sm.OLS(y, x).fit().params[1], abs=1e-10)


def test_length_bias_is_the_fit_with_a_mean_for_each_item_and_system() -> None:
    case = drawn(np.random.default_rng(3), 30, 4, 3, alike=False, wordy=0.1)
    y, one, two = case.scores.T
    dummies = np.column_stack((np.eye(30)[case.item], np.eye(4)[case.system][:, 1:]))
    long, fits = np.log2(case.length), []
    for part, rest in ((one, two), (two, one)):
        x, z = (np.column_stack((long, q, dummies)) for q in (rest, part))
        fits.append(IV2SLS(y, x, z).fit().params[0])
    assert bias(case).value == pytest.approx(np.mean(fits), abs=1e-8)


def test_missing_scores_and_lengths_are_left_out_as_if_never_there() -> None:
    case = drawn(np.random.default_rng(4), 40, 4, 4)
    gone = np.random.default_rng(5).random(160) < 0.1
    scores, length = case.scores.copy(), case.length.copy()
    scores[gone, 2] = np.nan
    kept = taken(case, ~gone)
    assert preference(case._replace(scores=scores)).value == pytest.approx(preference(kept).value)
    length[gone] = np.nan
    assert bias(case._replace(length=length)).se == pytest.approx(bias(kept).se)


@given(st.integers(0, 2**16), st.floats(0.1, 5), st.floats(-3, 3))
def test_a_hotter_judge_and_a_stretched_scale_change_nothing_but_the_unit(
    seed: int, stretch: float, shift: float
) -> None:
    case = drawn(np.random.default_rng(seed), 20, 3, 3, favour=0.2)
    plain, moved = preference(case), case.scores.copy()
    moved[:, 0] = shift + stretch * moved[:, 0]
    found = preference(case._replace(scores=moved))
    assert found.p == pytest.approx(plain.p, rel=1e-5, abs=1e-9)
    if plain.details["slope"] != 1.0:  # else the panel's scale is taken for the judge's
        assert found.value == pytest.approx(stretch * plain.value, rel=1e-6, abs=1e-9)


@given(st.integers(0, 2**16))
def test_the_order_of_rows_and_names_of_items_change_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    case = drawn(rng, 15, 3, 3, kind="ordinal")
    shuffle = rng.permutation(45)
    named = np.array([f"item {code}" for code in case.item])
    other = taken(case, shuffle)
    found = self_preference(
        other.scores[:, 0], other.scores[:, 1:], other.own, clusters=named[shuffle]
    )
    first = self_preference(case.scores[:, 0], case.scores[:, 1:], case.own, clusters=case.item)
    assert found.value == pytest.approx(first.value)
    assert found.se == pytest.approx(first.se)


def rejected(audit: Any, draws: int, *design: int, **options: Any) -> float:  # noqa: ANN401
    seed = np.random.SeedSequence([7, *design, draws])
    rng = np.random.default_rng(seed)
    return float(np.mean([audit(drawn(rng, *design, **options)).p <= 0.05 for _ in range(draws)]))


def at_most(level: float, draws: int) -> float:
    return level + 3.0 * float(np.sqrt(level * (1.0 - level) / draws))


@pytest.mark.parametrize("audit", [preference, bias])
@pytest.mark.parametrize("design", [(20, 2, 2), (60, 3, 4)])
@pytest.mark.parametrize("kind", ["continuous", "binary"])
def test_fair_judges_are_accused_at_the_level(
    audit: Any,  # noqa: ANN401 - one of two
    design: tuple[int, int, int],
    kind: str,
) -> None:
    assert rejected(audit, 200, *design, kind=kind, better=0.6) <= at_most(0.05, 200)


def test_a_better_own_system_is_no_preference_of_judges_with_other_scales() -> None:
    """The plain difference of differences takes the judge's scale for a liking; here it is off.

    The judge stretches quality half as much as the mean judge of the panel, and its system is .8
    better: -.53 without any liking.
    """
    rng = np.random.default_rng(8)
    found = [preference(drawn(rng, 60, 4, 4, alike=False, better=0.8)) for _ in range(150)]
    assert np.mean([each.details["plain"] for each in found]) < -0.4
    assert abs(np.mean([each.value for each in found])) < 0.03
    assert np.mean([each.p <= 0.05 for each in found]) <= at_most(0.05, 150)


def test_a_preference_is_found_and_covered() -> None:
    rng = np.random.default_rng(9)
    found = [preference(drawn(rng, 60, 4, 4, alike=False, favour=0.4)) for _ in range(150)]
    assert np.mean([each.p <= 0.05 for each in found]) > 0.9
    covered = np.mean([each.low <= 0.4 <= each.high for each in found])
    assert covered >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / 150)


def test_a_liking_of_long_answers_is_found_and_covered() -> None:
    rng = np.random.default_rng(10)
    found = [bias(drawn(rng, 60, 4, 4, wordy=0.3)) for _ in range(150)]
    assert np.mean([each.p <= 0.05 for each in found]) > 0.9
    covered = np.mean([each.low <= 0.3 <= each.high for each in found])
    assert covered >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / 150)


@pytest.mark.slow
@pytest.mark.parametrize("audit", [preference, bias])
@pytest.mark.parametrize("alike", [True, False])
@pytest.mark.parametrize("kind", ["continuous", "binary"])
@pytest.mark.parametrize("design", [(10, 4, 4), (20, 5, 4), (60, 5, 4), (200, 3, 5)])
def test_fair_judges_are_accused_at_the_level_in_all_designs(
    audit: Any,  # noqa: ANN401 - one of two
    alike: bool,  # noqa: FBT001 - a parameter of the test
    kind: str,
    design: tuple[int, int, int],
) -> None:
    """Judges that share a scale, and judges of scales of their own, on unequal systems.

    A panel of single verdicts needs some items to show its scale: below 60 the slope on it is often
    taken as 1, and judges unlike each other are compared on equal systems there.
    """
    better = 0.6 if alike or kind == "continuous" or design[0] >= 60 else 0.0
    rate = rejected(audit, 1500, *design, kind=kind, alike=alike, better=better)
    assert rate <= at_most(0.05, 1500)


def test_few_responses_of_either_kind_give_a_reason() -> None:
    own = np.r_[np.ones(4, dtype=bool), np.zeros(40, dtype=bool)]
    found = self_preference(np.zeros(44), np.ones((44, 2)), own)
    assert found.value is None
    assert found.reason == "4 of the own family's responses were scored by all: 5 are needed"
    other = self_preference(np.zeros(44), np.ones((44, 2)), ~own)
    assert other.reason == "4 of the other families' responses were scored by all: 5 are needed"
    clustered = self_preference(
        np.zeros(40), np.ones((40, 2)), np.arange(40) < 20, clusters=np.arange(40) % 4
    )
    assert clustered.reason == "4 independent items bear on it: 8 are needed"


def test_no_other_judge_gives_a_reason() -> None:
    found = self_preference(np.zeros(30), np.empty((30, 0)), np.arange(30) < 15)
    assert found.reason is not None
    assert found.reason.startswith("0 of the own family's responses were scored by all")
    assert length_bias([1.0] * 9, np.empty((9, 0)), range(9)).reason == (
        "no response has both scores"
    )


def test_judges_that_never_differ_have_no_interval() -> None:
    score = np.random.default_rng(0).integers(0, 2, 60).astype(float)
    found = self_preference(score, np.column_stack((score, score)), np.arange(60) % 3 == 0)
    assert found.value == pytest.approx(0.0, abs=1e-12)
    assert (found.p, found.low) == (1.0, None)
    assert found.reason == (
        "judge and others differ nowhere, or everywhere alike: no spread to go by"
    )


def test_a_constant_panel_and_constant_humans_leave_the_judge_s_own_difference() -> None:
    rng = np.random.default_rng(0)
    own, score = np.arange(60) % 3 == 0, rng.random(60)
    plain = score[own].mean() - score[~own].mean()
    for rest, anchor in ((np.full((60, 3), 0.5), "panel"), (np.full(60, 0.5), "humans")):
        found = self_preference(score, rest, own, anchor=anchor)  # type: ignore[arg-type]
        assert found.value == pytest.approx(plain)


def test_a_family_that_is_as_good_as_its_answers_has_no_preference_to_tell() -> None:
    own = np.arange(60) % 3 == 0
    rest = np.repeat(own.astype(float)[:, None], 3, axis=1)
    found = self_preference(np.random.default_rng(0).random(60), rest, own)
    assert found.value is None
    assert found.reason == "what is asked about does not vary at equal quality"


def test_equal_lengths_and_no_lengths_give_a_reason() -> None:
    score, rest = np.random.default_rng(0).random((2, 30))
    equal = length_bias(score, rest, np.full(30, 7.0))
    assert equal.reason == "responses are all about as long"
    none = length_bias(score, rest, np.full(30, np.nan))
    assert none.reason == "no response has a length"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rest": np.zeros(9)}, r"rest has shape \(9,\); it must be \(10,\) or \(10, judges\)"),
        ({"score": np.zeros((10, 2))}, "score must have one dimension, not 2"),
        ({"score": np.r_[np.inf, np.zeros(9)]}, "score holds an infinity"),
        ({"own": np.arange(10)}, "own must be true or false for every response"),
        ({"own": np.zeros(9, dtype=bool)}, r"own has shape \(9,\); it must be \(10,\)"),
        ({"own": ["yes"] * 10}, "own .* must hold real numbers"),
        ({"clusters": np.zeros(9)}, r"clusters has shape \(9,\); it must be \(10,\)"),
        ({"clusters": [None] * 10}, "clusters has missing entries"),
        ({"anchor": "crowd"}, r"anchor = 'crowd' must be one of \('panel', 'humans'\)"),
        ({"anchor": "humans", "rest": np.zeros((10, 2))}, "rest has 2 columns; against humans"),
        ({"alpha": 1.0}, "alpha = 1.0 must lie strictly between 0 and 1"),
    ],
)
def test_self_preference_refuses(change: dict[str, Any], message: str) -> None:
    call: dict[str, Any] = {
        "score": np.zeros(10),
        "rest": np.zeros((10, 2)),
        "own": np.arange(10) < 5,
    }
    call |= change
    with pytest.raises(ValueError, match=message):
        self_preference(call.pop("score"), call.pop("rest"), call.pop("own"), **call)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"length": np.r_[-1.0, np.ones(9)]}, "length holds -1; a length is not below 0"),
        ({"length": np.ones(9)}, "length has 9 entries; it must have 10, one a response"),
        ({"items": np.ones(9)}, r"items has shape \(9,\); it must be \(10,\)"),
        ({"systems": np.ones((10, 2))}, r"systems has shape \(10, 2\)"),
        ({"alpha": 0.0}, "alpha = 0.0 must lie strictly between 0 and 1"),
    ],
)
def test_length_bias_refuses(change: dict[str, Any], message: str) -> None:
    call: dict[str, Any] = {"length": np.ones(10)} | change
    with pytest.raises(ValueError, match=message):
        length_bias(np.zeros(10), np.zeros((10, 2)), call.pop("length"), **call)
