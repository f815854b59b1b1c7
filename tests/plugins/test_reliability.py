"""Agreement coefficients: published numbers, peers, identities, coverage, messages, the hook."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any, get_args

import krippendorff
import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats.inter_rater import cohens_kappa

from panopt.findings import Findings
from panopt.plugins.reliability import (
    Level,
    alpha_without,
    cohen_kappa,
    fleiss_kappa,
    gwet_ac,
    gwet_ac1,
    icc,
    krippendorff_alpha,
    pairwise_kappa,
    panopt_analyze,
    percent_agreement,
    prevalence_note,
    raw_agreement,
)
from panopt.records.ask import Ask
from panopt.records.study import Study
from panopt.stats.coincidence import krippendorff as prepare
from panopt.stats.kappa import Weights
from panopt.stats.units import rated_units

NAN = np.nan
LEVELS: tuple[Level, ...] = get_args(Level)

#: Krippendorff 2011, "Computing Krippendorff's alpha-reliability", section C: 12 units, 4 raters.
CLASSIC = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, NAN, NAN, NAN],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NAN, 3],
        [NAN, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NAN],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NAN],
    ]
).T


def defined(value: float | None) -> float:
    assert value is not None
    return value


# --- Published and given numbers ----------------------------------------------------------


@pytest.mark.parametrize(
    ("level", "value"),
    [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849), ("ratio", 0.797)],
)
def test_alpha_of_krippendorffs_own_example(level: Level, value: float) -> None:
    found = krippendorff_alpha(CLASSIC, level=level)
    assert defined(found.value) == pytest.approx(value, abs=5e-4)
    assert (found.n_units, found.n_ratings) == (11, 40)


def test_J_15_vectors_of_alpha() -> None:
    assert defined(krippendorff_alpha([[1, 0], [1, 0]]).value) < 0
    assert krippendorff_alpha([[1, 1, 0], [1, 0, 0], [1, 1, 1]]).value == pytest.approx(1 / 9)
    assert krippendorff_alpha([[1, 0], [0, 1]]).value == pytest.approx(-0.5)


def test_J_15_a_unit_with_one_vote_is_left_out() -> None:
    whole = krippendorff_alpha([[1, 1, 0], [1, 0, 0], [1, 1, 1]])
    more = krippendorff_alpha(
        [[1.0, 1.0, 0.0], [NAN, 0.0, NAN], [1.0, 0.0, 0.0], [1.0, 1.0, 1.0], [NAN] * 3]
    )
    assert more == whole
    assert more.n_units == 3


def test_J_15_alpha_is_none_with_the_reason_when_undefined() -> None:
    one_judge = krippendorff_alpha([[1, NAN], [0, NAN]])
    assert (one_judge.value, one_judge.reason) == (
        None,
        "1 judge(s) gave ratings; agreement needs two",
    )
    one_unit = krippendorff_alpha([[1.0, 0.0], [0.0, NAN]])
    assert one_unit.reason == "1 unit(s) have two or more ratings; agreement needs two"
    same = krippendorff_alpha([[1, 1], [1, 1]], n_boot=10)
    assert same.reason == "no variation: all 4 ratings of shared units are equal"
    assert (same.value, same.low, same.high) == (None, None, None)
    assert krippendorff_alpha(np.empty((0, 3))).value is None
    assert raw_agreement([[1, NAN], [0, NAN]]).reason == one_judge.reason
    assert gwet_ac1([[1, NAN], [0, NAN]]).reason == one_judge.reason


def test_J_15_299_of_300_equal_votes_give_alpha_0_and_ac1_beside_it_says_why() -> None:
    ratings = [[1, 1]] * 149 + [[1, 0]]
    assert krippendorff_alpha(ratings).value == 0.0
    assert defined(gwet_ac1(ratings).value) > 0.99
    note = prevalence_note(ratings)
    assert note is not None
    assert note.startswith(
        "alpha is 0.000 although judges agree on 99.3% of pairs: "
        "299 of 300 ratings are the same (1)"
    )
    # 299 of 300 ratings are 1: two drawn at random are equal with chance 1 - 2 / 300.
    assert "such judges would agree on 99.3% of pairs by chance" in note
    assert "a low alpha here does not mean that the judges disagree" in note
    assert "AC1, which such lopsided ratings hardly move, is 0.993" in note


def test_the_prevalence_note_speaks_only_where_the_paradox_is() -> None:
    rng = np.random.default_rng(0)
    balanced = np.repeat(rng.integers(0, 2, (50, 1)), 3, axis=1)
    assert prevalence_note(balanced) is None
    assert prevalence_note(rng.integers(0, 2, (50, 3))) is None
    assert prevalence_note([[1, NAN], [0, NAN]]) is None
    same = prevalence_note([[1, 1], [1, 1]], names=["bad", "good"])
    assert same is not None
    assert "4 of 4 ratings are the same (good)" in same


def test_ac1_equals_irrcac() -> None:
    # irrCAC 0.4.4 (Python): irrCAC.raw.CAC(pandas.DataFrame(ratings)).gwet()["est"]
    found = gwet_ac1(CLASSIC)
    assert defined(found.value) == pytest.approx(0.77544, abs=1e-5)
    assert defined(found.se) == pytest.approx(0.14295, abs=1e-5)
    assert (found.n_units, found.n_ratings) == (11, 40)
    rng = np.random.default_rng(3)
    ratings = rng.integers(0, 3, (40, 3)) * 1.0
    ratings[:, 1] = np.where(rng.random(40) < 0.6, ratings[:, 0], ratings[:, 1])
    ratings[rng.random(ratings.shape) < 0.2] = NAN
    found = gwet_ac1(ratings)
    assert defined(found.value) == pytest.approx(0.13052, abs=1e-5)
    assert defined(found.se) == pytest.approx(0.09437, abs=1e-5)


def test_ac1_by_hand() -> None:
    # Equal pairs 3/4; prevalence 5/8, so chance 2 (5/8) (3/8) = 15/32: (24 - 15) / (32 - 15).
    assert gwet_ac1([[1, 1], [1, 1], [1, 0], [0, 0]]).value == pytest.approx(9 / 17)
    # A third category nobody used halves the chance agreement.
    third = gwet_ac1([[1, 1], [1, 1], [1, 0], [0, 0]], n_levels=3).value
    assert third == pytest.approx((0.75 - 15 / 64) / (1 - 15 / 64))


def test_ac1_of_one_category_needs_to_know_how_many_there_are() -> None:
    assert gwet_ac1([[1, 1], [1, 1]]).reason == (
        "one category only; say how many were on offer (n_levels)"
    )
    assert gwet_ac1([[1, 1], [1, 1]], n_levels=2).value == 1.0


def test_raw_agreement_of_the_classic() -> None:
    # irrCAC: pa of gwet() is 0.81818 for these ratings.
    assert defined(raw_agreement(CLASSIC).value) == pytest.approx(0.81818, abs=1e-5)


# --- Reference values of the data sets ----------------------------------------------------


def _table(shared: Path, name: str, **where: str) -> dict[str, np.ndarray]:
    table = pq.read_table(shared / "data" / "sets" / name / "scores.parquet")
    columns = {c: table[c].to_numpy(zero_copy_only=False) for c in table.column_names}
    keep = np.ones(table.num_rows, dtype=bool)
    for column, value in where.items():
        keep &= columns[column] == value
    return {c: values[keep] for c, values in columns.items()}


def _ratings(rows: dict[str, np.ndarray], *unit: str) -> np.ndarray:
    key = np.array(["/".join(map(str, key)) for key in zip(*(rows[u] for u in unit), strict=True)])
    units, unit_of = np.unique(key, return_inverse=True)
    judges, judge_of = np.unique(rows["judge"].astype(str), return_inverse=True)
    matrix = np.full((units.size, judges.size), NAN)
    matrix[unit_of, judge_of] = rows["score"].astype(float)
    return matrix


SETS: list[tuple[str, dict[str, str], Level, float]] = [
    ("alttest_dev", {"task": "cebab_stars", "judge_kind": "human"}, "ordinal", 0.679),
    ("alttest_dev", {"task": "cebab_stars", "judge_kind": "llm"}, "ordinal", 0.896),
    ("alttest_dev", {"task": "10k_prompts", "judge_kind": "human"}, "ordinal", 0.255),
    ("alttest_dev", {"task": "10k_prompts", "judge_kind": "llm"}, "ordinal", 0.434),
    ("alttest_dev", {"task": "cebab_aspects", "judge_kind": "human"}, "nominal", 0.742),
    ("alttest_dev", {"task": "cebab_aspects", "judge_kind": "llm"}, "nominal", 0.819),
    ("alttest_dev", {"task": "mtbench", "judge_kind": "human"}, "nominal", 0.519),
    ("alttest_dev", {"task": "mtbench", "judge_kind": "llm"}, "nominal", 0.362),
    ("mlqe_da_dev", {"task": "et-en", "judge_kind": "human"}, "interval", 0.605),
    ("mlqe_da_dev", {"task": "ro-en", "judge_kind": "human"}, "interval", 0.778),
    ("mlqe_da_dev", {"task": "en-de", "judge_kind": "human"}, "interval", 0.377),
    ("triviaqa_judges_dev", {"judge_kind": "llm"}, "nominal", 0.541),
    ("prd_vicuna80", {"judge_kind": "human"}, "nominal", 0.184),
    *(
        (
            "hanna",
            {"task": task, "judge_kind": "llm", "prompt_variant": "eval_prompt_1"},
            "interval",
            a,
        )
        for task, a in [
            ("relevance", 0.297),
            ("coherence", 0.399),
            ("empathy", 0.201),
            ("surprise", 0.141),
            ("engagement", 0.210),
            ("complexity", 0.166),
        ]
    ),
]


@pytest.mark.parametrize(("name", "where", "level", "value"), SETS)
def test_alpha_of_the_data_sets(
    shared: Path, name: str, where: dict[str, str], level: Level, value: float
) -> None:
    unit = ("item_id", "order") if name == "prd_vicuna80" else ("item_id",)
    ratings = _ratings(_table(shared, name, **where), *unit)
    found = defined(krippendorff_alpha(ratings, level=level).value)
    assert found == pytest.approx(value, abs=6e-4)
    peer = krippendorff.alpha(reliability_data=ratings.T, level_of_measurement=level)
    assert found == pytest.approx(peer, abs=1e-9)


@pytest.mark.parametrize(
    ("task", "single", "mean"),
    [("et-en", 0.613, 0.905), ("ro-en", 0.778, 0.955), ("en-de", 0.386, 0.790)],
)
def test_icc_of_the_data_sets(shared: Path, task: str, single: float, mean: float) -> None:
    rows = _table(shared, "mlqe_da_dev", task=task, judge_kind="human")
    found = icc(_ratings(rows, "item_id"))
    assert defined(found["ICC(2,1)"].value) == pytest.approx(single, abs=6e-4)
    assert defined(found["ICC(2,k)"].value) == pytest.approx(mean, abs=6e-4)


def test_kappa_of_the_data_sets(shared: Path) -> None:
    people = _ratings(_table(shared, "pandalm", judge_kind="human"), "item_id")
    kappa = pairwise_kappa(people).value[np.triu_indices(3, 1)]
    np.testing.assert_allclose(kappa, [0.8520, 0.8789, 0.8617], atol=6e-5)
    rows = _table(shared, "triviaqa_judges_dev")
    ratings = _ratings(rows, "item_id")
    names = np.unique(rows["judge"].astype(str)).tolist()
    human = ratings[:, names.index(str(rows["judge"][rows["judge_kind"] == "human"][0]))]
    for judge, value in [("Llama3-70B", 0.818), ("GPT-4", 0.788), ("Gemma-2B", 0.422)]:
        found = cohen_kappa(ratings[:, names.index(judge)], human)
        assert defined(found.value) == pytest.approx(value, abs=6e-4)


# --- Peers and identities -----------------------------------------------------------------

matrices = hnp.arrays(
    np.float64,
    st.tuples(st.integers(2, 12), st.integers(2, 6)),
    elements=st.sampled_from([0.0, 1.0, 2.0, 2.5, 7.0, NAN]),
)


@given(matrices, st.sampled_from(LEVELS))
def test_alpha_equals_the_krippendorff_package(ratings: np.ndarray, level: Level) -> None:
    shared_units = ratings[(~np.isnan(ratings)).sum(axis=1) > 1]
    found = krippendorff_alpha(ratings, level=level)
    if shared_units.shape[0] < 2 or np.unique(shared_units[~np.isnan(shared_units)]).size < 2:
        assert found.value is None
        assert found.reason
        return
    peer = krippendorff.alpha(reliability_data=ratings.T, level_of_measurement=level)
    assert defined(found.value) == pytest.approx(peer, abs=1e-10)


@pytest.mark.parametrize("n_units", [40, 3000])
def test_ordinal_alpha_is_interval_alpha_on_mid_ranks(n_units: int) -> None:
    rng = np.random.default_rng(n_units)  # 3000 units: too many levels for a table of patterns
    ratings = rng.normal(size=(n_units, 1)) + rng.normal(size=(n_units, 4))
    ratings[rng.random(ratings.shape) < 0.3] = NAN
    alone = (~np.isnan(ratings)).sum(axis=1) < 2
    ranks = ratings.copy()
    ranks[alone] = NAN
    ranks[~np.isnan(ranks)] = stats.rankdata(ranks[~np.isnan(ranks)])
    ordinal = krippendorff_alpha(ratings, level="ordinal").value
    assert defined(ordinal) == pytest.approx(
        defined(krippendorff_alpha(ranks, level="interval").value), abs=1e-12
    )


def _gap(level: Level, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    if level == "nominal":
        unlike: np.ndarray = (a != b) * 1.0
        return unlike
    difference: np.ndarray = a - b if level == "interval" else (a - b) / (a + b)
    difference *= difference
    return difference


@pytest.mark.parametrize("level", ["interval", "ratio", "nominal"])
def test_alpha_of_continuous_scores_equals_its_definition(level: Level) -> None:
    rng = np.random.default_rng(5)  # 6000 distinct scores, far beyond the package
    ratings = np.exp(rng.normal(size=(1500, 1)) + 0.5 * rng.normal(size=(1500, 4)))
    inside = _gap(level, ratings[:, :, None], ratings[:, None, :]).sum() / 3
    flat = ratings.ravel()
    parts = (flat[i : i + 500, None] for i in range(0, flat.size, 500))
    between = sum(_gap(level, part, flat[None, :]).sum() for part in parts)
    expected = 1 - (flat.size - 1) * inside / between
    found = defined(krippendorff_alpha(ratings, level=level).value)
    assert found == pytest.approx(expected, abs=1e-10)


@settings(max_examples=50)
@given(matrices, st.sampled_from(LEVELS), st.integers(0, 2**32 - 1))
def test_a_resample_by_pattern_counts_is_a_resample_of_the_rows(
    ratings: np.ndarray, level: Level, seed: int
) -> None:
    units = rated_units(ratings)
    assume(units.n_units > 0)
    times = np.random.default_rng(seed).integers(0, 4, size=units.n_units)
    weights = np.bincount(units.pattern, weights=times, minlength=units.counts.size)
    found = prepare(units, level)(np.stack((weights, weights * 0 + units.counts)))
    for value, repeated in zip(found, (np.repeat(units.kept, times), units.kept), strict=True):
        expected = krippendorff_alpha(ratings[repeated], level=level)
        if repeated.size >= 2:
            want = NAN if expected.value is None else expected.value
            assert value == pytest.approx(want, abs=1e-9, nan_ok=True)


@settings(max_examples=50)
@given(matrices, st.sampled_from(LEVELS))
def test_alpha_does_not_care_for_the_order_of_units_and_raters(
    ratings: np.ndarray, level: Level
) -> None:
    rng = np.random.default_rng(1)
    shuffled = ratings[rng.permutation(ratings.shape[0])][:, rng.permutation(ratings.shape[1])]
    one, two = (krippendorff_alpha(ratings, level=level), krippendorff_alpha(shuffled, level=level))
    assert one.reason == two.reason
    if one.value is not None:
        assert one.value == pytest.approx(defined(two.value), abs=1e-12)


@pytest.mark.parametrize("level", ["nominal", "ordinal", "interval"])
def test_alpha_does_not_care_for_a_linear_change_of_scale(level: Level) -> None:
    rng = np.random.default_rng(2)
    ratings = rng.integers(0, 5, (80, 3)) * 1.0
    moved = 1e6 + 0.1 * ratings  # squares would lose the spread beside 1e6
    assert defined(krippendorff_alpha(moved, level=level).value) == pytest.approx(
        defined(krippendorff_alpha(ratings, level=level).value), abs=1e-8
    )


@pytest.mark.parametrize("weights", [None, "linear", "quadratic"])
def test_kappa_equals_scikit_learn_and_statsmodels(weights: Weights | None) -> None:
    rng = np.random.default_rng(4)
    a = rng.integers(1, 6, 300)
    b = np.clip(a + rng.integers(-1, 3, 300), 1, 5)
    found = cohen_kappa(a, b, weights=weights)
    peer = cohen_kappa_score(a, b, weights=weights)
    assert defined(found.value) == pytest.approx(peer, abs=1e-12)
    table = np.zeros((5, 5))
    np.add.at(table, (a - 1, b - 1), 1)
    other = cohens_kappa(table, wt=weights)
    assert defined(found.se) == pytest.approx(other.std_kappa, abs=1e-12)


@pytest.mark.parametrize("weights", ["linear", "quadratic"])
def test_weighted_kappa_goes_by_the_values_so_an_unused_level_changes_nothing(
    weights: Weights,
) -> None:
    rng = np.random.default_rng(6)
    a = rng.choice([1, 2, 5], 200)
    b = np.where(rng.random(200) < 0.7, a, rng.choice([1, 2, 5], 200))
    peer = cohen_kappa_score(a, b, weights=weights, labels=[1, 2, 3, 4, 5])
    assert defined(cohen_kappa(a, b, weights=weights).value) == pytest.approx(peer, abs=1e-12)


def test_kappa_of_continuous_scores_equals_its_definition() -> None:
    rng = np.random.default_rng(7)
    a = rng.normal(size=3000)
    b = a + rng.normal(size=3000)
    for weights, power in (("linear", 1), ("quadratic", 2)):
        observed = (np.abs(a - b) ** power).mean()
        expected = (np.abs(a[:, None] - b[None, :]) ** power).mean()
        found = cohen_kappa(a, b, weights=weights)  # type: ignore[arg-type]
        assert defined(found.value) == pytest.approx(1 - observed / expected, abs=1e-10)


def test_kappa_leaves_out_units_that_one_did_not_rate() -> None:
    a, b = np.array([1, 0, 1, NAN, 0]), np.array([1, 0, 0, 1, NAN])
    assert cohen_kappa(a, b) == cohen_kappa(a[:3], b[:3])
    assert cohen_kappa(a[2:], b[2:]).reason == "1 unit(s) rated by both; kappa needs two"
    assert cohen_kappa([1, 1], [1, 1]).reason == "no variation: all 4 ratings are equal"
    assert cohen_kappa([1, 1], [0, 0]).value == 0.0


def test_pairwise_kappa_is_kappa_of_each_pair() -> None:
    rng = np.random.default_rng(8)
    ratings = rng.integers(0, 3, (60, 4)) * 1.0
    ratings[rng.random(ratings.shape) < 0.2] = NAN
    pairs = pairwise_kappa(ratings, weights="linear", raters="abcd")
    assert pairs.raters == ("a", "b", "c", "d")
    for i in range(4):
        assert np.isnan(pairs.value[i, i])
        for j in range(4):
            if i != j:
                one = cohen_kappa(ratings[:, i], ratings[:, j], weights="linear")
                assert pairs.value[i, j] == pytest.approx(defined(one.value))
                assert pairs.low[i, j] == pytest.approx(defined(one.low))
                assert pairs.high[i, j] == pytest.approx(defined(one.high))
                assert pairs.n_units[i, j] == one.n_units


# --- Intervals ----------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_interval_and_no_bootstrap_none() -> None:
    one, two = (
        krippendorff_alpha(CLASSIC, n_boot=300, rng=np.random.default_rng(1)) for _ in range(2)
    )
    assert one == two
    assert krippendorff_alpha(CLASSIC, n_boot=300) == krippendorff_alpha(CLASSIC, n_boot=300)
    plain = krippendorff_alpha(CLASSIC)
    assert (plain.low, plain.high, plain.reason) == (None, None, None)
    assert plain.no_interval == "no bootstrap was asked for (n_boot = 0)"


@pytest.mark.parametrize("level", LEVELS)
def test_a_higher_level_of_confidence_gives_a_wider_interval_around_the_value(level: Level) -> None:
    found = [
        krippendorff_alpha(CLASSIC, level=level, n_boot=400, alpha=alpha) for alpha in (0.5, 0.1)
    ]
    narrow, wide = found
    assert defined(wide.low) < defined(narrow.low) < defined(narrow.value)
    assert defined(narrow.value) < defined(narrow.high) <= defined(wide.high)


def test_perfect_agreement_still_has_an_interval() -> None:
    ratings = np.repeat([[0], [1]] * 10, 3, axis=1)
    for found in (
        krippendorff_alpha(ratings, n_boot=200),
        gwet_ac1(ratings),
        cohen_kappa(ratings[:, 0], ratings[:, 1]),
        raw_agreement(ratings),
    ):
        assert found.value == 1.0
        assert 0.5 < defined(found.low) < 0.95
        assert found.high == 1.0


def test_responses_that_hardly_differ_have_no_interval_of_zero_width() -> None:
    ratings = np.array([[0, 0, 1], [1, 1, 0]] * 4)
    two = krippendorff_alpha(ratings[:2], n_boot=200)
    for found in (two, gwet_ac1(ratings), raw_agreement(ratings)):
        assert found.value is not None
        assert (found.low, found.high) == (None, None)
        assert found.no_interval == "too few responses differ to give an interval"
    perfect = raw_agreement(np.array([[0, 0], [1, 1]] * 4))
    assert perfect.low is not None
    assert perfect.low < 1 == perfect.high


def test_constant_resamples_are_left_out_and_too_many_leave_no_interval() -> None:
    some = krippendorff_alpha([[1, 1]] * 149 + [[1, 0]], n_boot=500)
    assert defined(some.low) <= 0 <= defined(some.high)
    found = [
        krippendorff_alpha([[1, 1], [0, 0]], n_boot=3, rng=np.random.default_rng(seed))
        for seed in range(20)
    ]
    reasons = {result.no_interval for result in found}
    assert reasons == {
        None,
        "2 of 3 resamples have no variation",
        "3 of 3 resamples have no variation",
    }
    assert all((result.low is None) == (result.no_interval is not None) for result in found)


def test_copies_of_a_unit_in_one_cluster_add_no_certainty() -> None:
    rng = np.random.default_rng(9)
    ratings = rng.integers(0, 2, (60, 3)) * 1.0
    ratings[:, 1] = np.where(rng.random(60) < 0.7, ratings[:, 0], ratings[:, 1])
    copies, clusters = np.tile(ratings, (5, 1)), np.tile(np.arange(60), 5)
    for estimate in (raw_agreement, gwet_ac1):
        once, naive = estimate(ratings), estimate(copies)
        grouped = estimate(copies, clusters=clusters)
        assert defined(grouped.se) == pytest.approx(defined(once.se))
        assert defined(naive.se) < 0.5 * defined(once.se)
        assert defined(grouped.low) == pytest.approx(defined(once.low))
    once, grouped = (
        cohen_kappa(ratings[:, 0], ratings[:, 1]),
        cohen_kappa(copies[:, 0], copies[:, 1], clusters=clusters),
    )
    assert defined(grouped.se) == pytest.approx(defined(once.se) * np.sqrt(60 / 59))
    once = krippendorff_alpha(ratings, n_boot=2000)
    grouped = krippendorff_alpha(copies, n_boot=2000, clusters=clusters)
    assert defined(grouped.se) == pytest.approx(defined(once.se), rel=0.1)


def test_one_cluster_has_no_interval() -> None:
    found = raw_agreement([[1, 1], [1, 0]], clusters=["x", "x"])
    assert found.value == 0.5
    assert (found.low, found.no_interval) == (None, "all units are of one cluster")
    assert krippendorff_alpha(CLASSIC, n_boot=50, clusters=np.zeros(12)).low is None


def _panel(
    rng: np.random.Generator, n: int, *, prevalence: float, accuracy: float, judges: int = 3
) -> np.ndarray:
    truth = rng.random((n, 1)) < prevalence
    return np.where(rng.random((n, judges)) < accuracy, truth, ~truth) * 1.0


def _truth(prevalence: float, accuracy: float) -> dict[str, float]:
    """Population values of independent judges of equal accuracy.

    Two judges agree when both are right or both wrong, with probability a; each says 1 with
    probability m. Alpha and kappa are 1 - (1 - a) / (2 m (1 - m)), AC1 uses 2 m (1 - m) as chance.
    """
    agree = accuracy**2 + (1 - accuracy) ** 2
    says_one = prevalence * accuracy + (1 - prevalence) * (1 - accuracy)
    unlike = 2 * says_one * (1 - says_one)
    alpha = 1 - (1 - agree) / unlike
    ac1 = (agree - unlike) / (1 - unlike)
    return {"alpha": alpha, "kappa": alpha, "ac1": ac1, "raw": agree}


def _coverage(n: int, draws: int, prevalence: float, accuracy: float) -> dict[str, float]:
    truth = _truth(prevalence, accuracy)
    hits = dict.fromkeys(truth, 0)
    rng = np.random.default_rng([n, draws])
    for _ in range(draws):
        ratings = _panel(rng, n, prevalence=prevalence, accuracy=accuracy)
        found = {
            "alpha": krippendorff_alpha(ratings, n_boot=200, rng=rng, alpha=0.1),
            "kappa": cohen_kappa(ratings[:, 0], ratings[:, 1], alpha=0.1),
            "ac1": gwet_ac1(ratings, n_levels=2, alpha=0.1),
            "raw": raw_agreement(ratings, alpha=0.1),
        }
        for name, result in found.items():
            hits[name] += defined(result.low) <= truth[name] <= defined(result.high)
    return {name: count / draws for name, count in hits.items()}


@pytest.mark.parametrize(("prevalence", "accuracy"), [(0.5, 0.9), (0.8, 0.8)])
def test_ninety_percent_intervals_cover(prevalence: float, accuracy: float) -> None:
    draws = 200
    margin = 3 * np.sqrt(0.9 * 0.1 / draws)
    for name, share in _coverage(100, draws, prevalence, accuracy).items():
        assert 0.9 - margin <= share <= min(1.0, 0.9 + margin), name


@pytest.mark.slow
@pytest.mark.parametrize(("prevalence", "accuracy"), [(0.5, 0.9), (0.9, 0.9), (0.5, 0.7)])
def test_ninety_percent_intervals_cover_in_many_draws(prevalence: float, accuracy: float) -> None:
    draws = 2000
    margin = 3 * np.sqrt(0.9 * 0.1 / draws)
    for name, share in _coverage(200, draws, prevalence, accuracy).items():
        assert share >= 0.9 - margin, name


def test_intervals_of_a_small_lopsided_panel_do_not_collapse() -> None:
    # At n = 20 with agreement .94, plus or minus a standard error covers .71 - .84 of the time.
    hits, truth = 0, _truth(0.9, 0.97)["ac1"]
    rng = np.random.default_rng(11)
    for _ in range(400):
        found = gwet_ac1(_panel(rng, 20, prevalence=0.9, accuracy=0.97), n_levels=2, alpha=0.1)
        hits += defined(found.low) <= truth <= defined(found.high)
    assert hits / 400 >= 0.9 - 3 * np.sqrt(0.9 * 0.1 / 400)


# --- Size ---------------------------------------------------------------------------------


@pytest.mark.parametrize("level", LEVELS)
def test_memory_is_linear_in_continuous_scores(level: Level) -> None:
    ratings = np.exp(np.random.default_rng(0).normal(size=(20_000, 5)))
    tracemalloc.start()
    krippendorff_alpha(ratings, level=level, n_boot=2)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40 * ratings.nbytes  # a matrix of levels would be 80 GB


# --- Messages -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"level": "likert"}, r"level = 'likert' must be one of nominal, ordinal, interval, ratio"),
        ({"n_boot": -1}, r"n_boot = -1 must be 0 \(no interval\) or at least 2"),
        ({"n_boot": 1}, r"n_boot = 1 must be 0"),
        ({"alpha": 1.0}, r"alpha = 1\.0 must lie strictly between 0 and 1"),
        ({"raters": ["a", "b"]}, r"4 columns but 2 raters are named; rows must be units"),
        ({"clusters": [1, 2]}, r"clusters of shape \(2,\) must hold one entry a unit: 12"),
    ],
)
def test_bad_options_name_argument_value_and_rule(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        krippendorff_alpha(CLASSIC, **options)


def test_a_seed_in_the_place_of_a_generator_is_refused() -> None:
    for seed in (0, "x", np.random.RandomState(0)):
        with pytest.raises(TypeError, match=r"^rng = .* must be a numpy\.random\.Generator"):
            krippendorff_alpha(CLASSIC, rng=seed, n_boot=10)  # type: ignore[arg-type]


def test_bad_ratings() -> None:
    with pytest.raises(ValueError, match=r"ratings of shape \(2,\) must have two axes"):
        krippendorff_alpha([1, 0])
    with pytest.raises(ValueError, match="ratings hold an infinity"):
        raw_agreement([[1.0, np.inf], [0.0, 0.0]])
    with pytest.raises(ValueError, match=r"ratings hold -1; level 'ratio' needs 0 or more"):
        krippendorff_alpha([[1, -1], [2, 2]], level="ratio")
    with pytest.raises(ValueError, match=r"n_levels = 2 must be at least 2 and the 5 that occur"):
        gwet_ac1(CLASSIC, n_levels=2)
    with pytest.raises(ValueError, match=r"weights = 'cubic' must be None, 'linear' or"):
        cohen_kappa([1, 0], [1, 1], weights="cubic")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"shapes \(2,\) and \(3,\) must be lists of one length"):
        cohen_kappa([1, 0], [1, 1, 0])


def test_a_transposed_matrix_does_not_pass_silently() -> None:
    ratings = np.random.default_rng(0).integers(0, 2, (3, 50))
    with pytest.warns(UserWarning, match=r"3 rows and 50 columns: rows must be units"):
        krippendorff_alpha(ratings)
    krippendorff_alpha(ratings, raters=[str(j) for j in range(50)])
    for function in (icc, fleiss_kappa, gwet_ac, percent_agreement, pairwise_kappa, alpha_without):
        with pytest.warns(UserWarning, match=r"4 rows and 12 columns") as told:
            function(np.nan_to_num(CLASSIC, nan=2).T)
        assert told[0].filename == __file__
    assert krippendorff_alpha(CLASSIC).n_raters == 4


# --- The hook -----------------------------------------------------------------------------


def _analyze(columns: dict[str, Any], ask: Ask) -> Findings:
    matrix = Study.from_columns(columns).matrix("score")
    found = panopt_analyze(matrix=matrix, ask=ask, rng=np.random.default_rng(0))
    assert found is not None
    return found


def _columns(ratings: np.ndarray, scale: str) -> dict[str, Any]:
    n, judges = ratings.shape
    return {
        "item": [f"i{i}" for i in range(n) for _ in range(judges)],
        "judge": [f"j{j}" for _ in range(n) for j in range(judges)],
        "score": ratings.ravel(),
        "scale": scale,
    }


def test_findings_of_an_ordinal_criterion() -> None:
    rng = np.random.default_rng(12)
    truth = rng.integers(1, 6, (80, 1))
    ratings = np.clip(truth + rng.integers(-1, 2, (80, 3)), 1, 5) * 1.0
    found = _analyze(_columns(ratings, "ordinal:1:5"), Ask(level=0.9, n_boot=200))
    iccs = ["icc_2_1", "icc_2_k", "icc_3_1", "icc_3_k"]
    further = ["ac2", *iccs, *["kappa"] * 3, *["alpha_without"] * 3]
    assert [row.name for row in found] == ["alpha_ordinal", "raw_agreement", "ac1", *further]
    assert [row.name for row in found if row.headline] == ["alpha_ordinal", "raw_agreement", "ac1"]
    alpha = found.named("alpha_ordinal")[0]
    assert alpha.value == pytest.approx(
        defined(krippendorff_alpha(ratings, level="ordinal").value), abs=1e-12
    )
    assert defined(alpha.low) < defined(alpha.value) < defined(alpha.high)
    assert (alpha.n, alpha.level, alpha.subject_kind) == (80, 0.9, "panel")
    assert alpha.assumptions == ("responses are a random sample",)
    pair = found.named("kappa", subject="j0 ~ j2")[0]
    assert pair.subject_kind == "judge_pair"
    assert pair.value == pytest.approx(
        cohen_kappa_score(ratings[:, 0], ratings[:, 2], weights="quadratic")
    )
    assert found.notes == ()


@pytest.mark.parametrize(
    ("scale", "name"),
    [
        ("binary", "alpha_nominal"),
        ("pairwise", "alpha_nominal"),
        ("continuous:0:1", "alpha_interval"),
    ],
)
def test_the_level_of_alpha_follows_the_scale(scale: str, name: str) -> None:
    ratings = np.random.default_rng(13).integers(0, 2, (30, 2)) * 1.0
    found = _analyze(_columns(ratings, scale), Ask(n_boot=50))
    assert found.rows[0].name == name


def _mixed_columns(ratings: np.ndarray, scales: list[str]) -> dict[str, Any]:
    """Give a panel whose judges each score on a scale of their own."""
    return _columns(ratings, "") | {"scale": scales * len(ratings)}


def _mixed_panel(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw judges on 0/1, [0, 1] and 1-5, as they score and on [0, 1]."""
    rng = np.random.default_rng(16)
    quality = rng.random(n)
    seen = np.clip(quality[:, None] + rng.normal(0, 0.15, (n, 3)), 0, 1)
    scored = np.c_[seen[:, 0] > 0.4, seen[:, 1], np.round(1 + 4 * seen[:, 2])]
    return scored, np.c_[scored[:, 0], scored[:, 1], (scored[:, 2] - 1) / 4]


def test_judges_on_different_scales_are_compared_on_what_is_comparable() -> None:
    """Equal scores on unequal scales mean nothing; sides of the threshold do."""
    scored, unit = _mixed_panel(120)
    scales = ["binary", "continuous:0:1", "ordinal:1:5"]
    found = _analyze(_mixed_columns(scored, scales), Ask(n_boot=50, threshold=0.6))
    headlines = [row.name for row in found if row.headline]
    assert headlines == ["alpha_interval", "raw_agreement", "ac1"]
    alpha, raw, ac1 = found.rows[:3]
    peer = krippendorff.alpha(reliability_data=unit.T, level_of_measurement="interval")
    assert alpha.value == pytest.approx(peer, abs=1e-12)
    assert alpha.method.startswith("Krippendorff's alpha, interval, scores brought to [0, 1]")
    passes = (unit >= 0.6) * 1
    pairs = [passes[:, i] == passes[:, j] for i, j in ((0, 1), (0, 2), (1, 2))]
    assert raw.value == pytest.approx(np.mean(pairs))
    assert raw.method.startswith("share of equal pairs, on pass/fail at 0.6 on [0, 1]")
    assert ac1.value == pytest.approx(defined(gwet_ac1(passes, n_levels=2).value))
    for i, j in ((0, 1), (0, 2), (1, 2)):
        pair = found.named("kappa", subject=f"j{i} ~ j{j}")[0]
        assert pair.value == pytest.approx(cohen_kappa_score(passes[:, i], passes[:, j]))
        assert pair.method.startswith("Cohen's kappa, nominal, on pass/fail at 0.6 on [0, 1]")
    assert len(found.notes) == 1
    assert found.notes[0] == (
        "score: judges use different scales (binary, continuous:0:1, ordinal:1:5): alpha compares "
        "their scores on [0, 1]; raw agreement, AC1 and kappa compare pass/fail at 0.6"
    )
    assert not any(row.warnings for row in found)


def test_mostly_binary_panels_have_no_nominal_alpha_of_unequal_scales() -> None:
    """Three judges on 0/1, one on [0, 1], one on 1-5: nominal alpha would be near 0."""
    rng = np.random.default_rng(17)
    _, unit = _mixed_panel(200)
    sides = [np.where(rng.random(200) < 0.9, unit[:, 0], 1 - unit[:, 0]) for _ in range(2)]
    scored = np.c_[unit[:, 0], sides[0], sides[1], unit[:, 1], 1 + 4 * unit[:, 2]]
    scales = ["binary"] * 3 + ["continuous:0:1", "ordinal:1:5"]
    found = _analyze(_mixed_columns(scored, scales), Ask(n_boot=0))
    assert not found.named("alpha_nominal")
    assert defined(found.named("alpha_interval")[0].value) > 0.5
    assert defined(found.named("raw_agreement")[0].value) > 0.75
    nominal = krippendorff_alpha(np.c_[scored[:, :4], unit[:, 2]]).value
    assert defined(nominal) < 0.4


def test_continuous_judges_agree_on_pass_and_fail() -> None:
    ratings = np.random.default_rng(18).random((60, 1)) * np.ones(3) * [1, 0.9, 0.8]
    found = _analyze(_columns(ratings * 100, "continuous:0:100"), Ask(n_boot=0))
    passes = (ratings >= 0.5) * 1
    raw, ac1 = found.named("raw_agreement")[0], found.named("ac1")[0]
    assert raw.value == pytest.approx(defined(raw_agreement(passes).value))
    assert raw.method == "share of equal pairs, on pass/fail at 0.5 on [0, 1]; Wilson's interval"
    assert ac1.value == pytest.approx(defined(gwet_ac1(passes, n_levels=2).value))
    pair = found.named("kappa", subject="j0 ~ j1")[0]  # one scale: its distances say more
    expected = cohen_kappa(ratings[:, 0], ratings[:, 1], weights="quadratic").value
    assert pair.value == pytest.approx(defined(expected))
    assert found.notes == ()


def test_lopsided_pass_and_fail_are_explained() -> None:
    ratings = np.full((150, 2), [0.9, 0.8])
    ratings[0, 1] = 0.1
    found = _analyze(_columns(ratings, "continuous:0:1"), Ask(n_boot=0))
    assert found.notes[0].startswith("score: on pass/fail at 0.5, alpha is 0.000 although judges")
    assert "are the same (pass)" in found.notes[0]


def test_a_judge_that_never_scored_makes_no_scale_differ() -> None:
    ratings = np.random.default_rng(19).integers(0, 2, (30, 3)) * 1.0
    ratings[:, 2] = NAN
    columns = _mixed_columns(ratings, ["binary", "binary", "continuous:0:1"])
    found = _analyze(columns, Ask(n_boot=0))
    assert found.rows[0].name == "alpha_nominal"
    assert found.notes == ()


def test_no_bootstrap_says_so() -> None:
    ratings = np.random.default_rng(13).integers(0, 2, (30, 2)) * 1.0
    alpha = _analyze(_columns(ratings, "binary"), Ask(n_boot=0)).rows[0]
    assert alpha.value is not None
    assert alpha.no_interval == "no bootstrap was asked for (n_boot = 0)"


def test_labels_are_compared_by_name() -> None:
    columns = {
        "item": ["a", "a", "b", "b", "c", "c"],
        "judge": ["x", "y"] * 3,
        "label": ["cat", "cat", "dog", "dog", "cat", "dog"],
        "scale": "nominal",
    }
    found = _analyze(columns, Ask(n_boot=50))
    assert found.named("raw_agreement")[0].value == pytest.approx(2 / 3)
    expected = krippendorff_alpha([[0, 0], [1, 1], [0, 1]]).value
    assert found.named("alpha_nominal")[0].value == pytest.approx(defined(expected))


def test_one_judge_gives_reasons_not_numbers() -> None:
    found = _analyze(_columns(np.ones((5, 1)), "binary"), Ask())
    assert [row.value for row in found] == [None, None, None, None]
    assert {row.reason for row in found} == {"1 judge(s) gave ratings; agreement needs two"}


def test_the_paradox_and_rare_failures_are_told() -> None:
    ratings = np.ones((150, 2))
    ratings[0, 1] = 0
    found = _analyze(_columns(ratings, "binary"), Ask(n_boot=100))
    assert len(found.notes) == 1
    assert found.notes[0].startswith("score: alpha is 0.000 although judges agree on 99.3%")
    rare = "only 1 rating(s) differ from the commonest: the interval is too short"
    assert found.rows[0].warnings == (rare,)
    assert found.named("ac1")[0].warnings == ()


def test_epochs_of_an_item_are_one_cluster() -> None:
    rng = np.random.default_rng(14)
    once = rng.integers(0, 2, (40, 2)) * 1.0
    once[:, 1] = np.where(rng.random(40) < 0.7, once[:, 0], once[:, 1])
    one = _columns(once, "binary")
    columns = {name: [*one[name]] * 4 for name in ("item", "judge", "score")}
    columns["epoch"] = np.repeat([1, 2, 3, 4], 80).tolist()
    found = _analyze(columns | {"scale": "binary"}, Ask(n_boot=100))
    raw = found.named("raw_agreement")[0]
    assert raw.n == 160
    assert raw.details["se"] == pytest.approx(defined(raw_agreement(once).se))
    assert raw.assumptions == ("clusters are a random sample",)
    assert "by cluster" in raw.method


def test_the_pairs_of_many_judges_are_left_out_and_said_so() -> None:
    ratings = np.random.default_rng(15).integers(0, 2, (20, 11)) * 1.0
    found = _analyze(_columns(ratings, "binary"), Ask(n_boot=20))
    assert not found.named("kappa")
    assert (
        "score: kappa of pairs and alpha without each judge are left out, 11 judges" in found.notes
    )


def test_a_pair_that_shares_nothing_says_so() -> None:
    ratings = np.array([[1, 1, NAN], [0, 1, NAN], [1, NAN, 0], [0, NAN, 0]])
    found = _analyze(_columns(ratings, "binary"), Ask(n_boot=20))
    pair = found.named("kappa", subject="j1 ~ j2")[0]
    assert pair.reason == "0 response(s) judged by both; kappa needs two"


def test_one_draw_makes_no_interval_and_no_trouble() -> None:
    ratings = np.random.default_rng(0).integers(0, 2, (30, 3)).astype(float)
    (alpha,) = _analyze(_columns(ratings, "binary"), Ask(n_boot=1)).named("alpha_nominal")
    assert alpha.value is not None
    assert alpha.low is None
