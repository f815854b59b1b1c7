"""Intraclass correlations: published numbers, pingouin, coverage, what has no answer."""

from __future__ import annotations

import warnings
from typing import get_args

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from panopt.plugins.reliability import icc
from panopt.stats.icc import Form, IccTable

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of the packages that draw its figures
    import pingouin

NAN = np.nan
FORMS: tuple[Form, ...] = get_args(Form)
THEIRS = dict(
    zip(
        ("ICC(1,1)", "ICC(1,k)", "ICC(A,1)", "ICC(A,k)", "ICC(C,1)", "ICC(C,k)"), FORMS, strict=True
    )
)

#: Shrout and Fleiss 1979, table 2: 6 targets, 4 judges.
CLASSIC = np.array(
    [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
)


def defined(value: float | None) -> float:
    assert value is not None
    return value


def test_shrout_and_fleiss_1979_table_4() -> None:
    values = [defined(row.value) for row in icc(CLASSIC)]
    np.testing.assert_allclose(values, [0.17, 0.44, 0.29, 0.62, 0.71, 0.91], atol=5e-3)
    # R psych::ICC of the same table: bounds of ICC1, ICC2, ICC3 at 95%.
    ends = [
        [defined(end) for end in (row.low, row.high)] for row in icc(CLASSIC) if "k" not in row.form
    ]
    np.testing.assert_allclose(ends, [[-0.133, 0.723], [0.019, 0.761], [0.342, 0.946]], atol=6e-4)


@pytest.mark.parametrize(("n", "k"), [(3, 2), (8, 4), (60, 3), (25, 9)])
def test_icc_equals_pingouin(n: int, k: int) -> None:
    rng = np.random.default_rng([n, k])
    ratings = rng.normal(size=(n, 1)) + rng.normal(size=(n, k)) + rng.normal(size=k)
    found = icc(ratings)
    long = pd.DataFrame(
        {
            "unit": np.repeat(np.arange(n), k),
            "rater": np.tile(np.arange(k), n),
            "score": ratings.ravel(),
        }
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of statsmodels, on the way
        pingouin.options["round.column.CI95"] = 12
        peer = pingouin.intraclass_corr(long, "unit", "rater", "score").set_index("Type")
    for theirs, form in THEIRS.items():
        row, other = found[form], peer.loc[theirs]
        assert row.value == pytest.approx(other["ICC"], abs=1e-8)
        assert row.f == pytest.approx(other["F"], rel=1e-8)
        assert (row.df1, row.df2) == (other["df1"], other["df2"])
        assert row.p == pytest.approx(other["pval"], abs=1e-8)
        assert [row.low, row.high] == pytest.approx(list(other["CI95"]), abs=1e-8)


def test_units_with_a_missing_rating_are_left_out_and_counted() -> None:
    whole = icc(CLASSIC)
    holes = np.vstack((CLASSIC[:2], [[1, 2, NAN, 4], [NAN] * 4], CLASSIC[2:]))
    found = icc(holes)
    assert found.rows == whole.rows
    assert (found.n_units, found.n_left_out, found.n_raters) == (6, 2, 4)
    assert (whole.n_units, whole.n_left_out) == (6, 0)


def test_forms_go_by_their_usual_names() -> None:
    found = icc(CLASSIC)
    for names in (
        ("ICC1", "ICC(1,1)", "ICC(1)"),
        ("ICC2k", "ICC(2,k)", "ICC(2, k)"),
        ("ICC3", "ICC(3,1)"),
    ):
        assert len({found[name] for name in names}) == 1
    with pytest.raises(KeyError, match=r"form = 'ICC4' must be one of ICC1, ICC1k, ICC2"):
        found["ICC4"]


@pytest.mark.parametrize(
    ("ratings", "reason"),
    [
        (np.ones((5, 1)), "1 judge(s) gave ratings; agreement needs two"),
        ([[1, 2]], "1 unit(s) are rated by all 2 judges; an ICC needs two"),
        ([[1, NAN], [NAN, 2]], "0 unit(s) are rated by all 2 judges; an ICC needs two"),
        (np.full((3, 2), NAN), "0 unit(s) are rated by all 2 judges; an ICC needs two"),
        (np.full((4, 3), 0.1), "no variation: all 12 ratings are equal"),
        (np.empty((0, 3)), "0 unit(s) are rated by all 3 judges; an ICC needs two"),
    ],
)
def test_what_has_no_icc_says_why(ratings: np.ndarray, reason: str) -> None:
    for row in icc(ratings):
        assert (row.value, row.low, row.reason) == (None, None, reason)


def test_perfect_agreement_is_1_without_an_interval() -> None:
    for row in icc(np.repeat([[0.1], [0.2], [0.7]], 3, axis=1)):
        assert row.value == pytest.approx(1.0)
        assert (row.low, row.high, row.f) == (None, None, None)
        assert row.no_interval is not None
        assert "no error to go by" in row.no_interval


def test_a_rater_who_is_always_higher_spoils_agreement_but_not_consistency() -> None:
    one = np.array([1.0, 2.0, 3.0, 4.0])
    found = icc(np.stack((one, one + 5), axis=1))
    assert found["ICC3"].value == pytest.approx(1.0)
    assert defined(found["ICC2"].value) < 0.2


def test_units_of_one_mean_have_no_reliability_of_the_mean() -> None:
    found = icc([[1, 2], [2, 1], [3, 0]])
    assert found["ICC3"].value == pytest.approx(-1.0)
    assert found["ICC3k"].value is None
    assert "same mean" in str(found["ICC3k"].reason)
    assert found["ICC3"].no_interval == "units hardly differ: the interval has no end"


def test_bad_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="ratings hold an infinity"):
        icc([[1.0, np.inf], [0.0, 0.0]])
    with pytest.raises(ValueError, match=r"alpha = 0 must lie strictly between 0 and 1"):
        icc(CLASSIC, alpha=0)
    with pytest.raises(ValueError, match=r"clusters of shape \(2,\) must hold one entry a unit"):
        icc(CLASSIC, clusters=[0, 1])


tables = hnp.arrays(
    np.float64,
    st.tuples(st.integers(2, 9), st.integers(2, 5)),
    elements=st.sampled_from([0.0, 0.25, 1.0, 3.0, NAN]),
)


@given(tables, st.sampled_from([1.0, -3.0, 1e-3]), st.sampled_from([0.0, 50.0]))
def test_icc_does_not_care_for_scale_and_never_gives_nan(
    ratings: np.ndarray, factor: float, shift: float
) -> None:
    one, two = icc(ratings), icc(ratings * factor + shift)
    for a, b in zip(one, two, strict=True):
        assert (a.value is None) == (b.value is None)
        assert (a.value is None) == (a.reason is not None)
        if a.value is not None:
            assert np.isfinite(a.value)
            assert a.value == pytest.approx(defined(b.value), abs=1e-6, rel=1e-6)
            assert (a.low is None) == (a.no_interval is not None)
        if a.low is not None:
            assert np.isfinite([defined(a.low), defined(a.high)]).all()
            assert a.low <= defined(a.high)


def test_large_offsets_keep_the_digits() -> None:
    one, two = icc(CLASSIC), icc(CLASSIC * 1e-3 + 1e6)
    for a, b in zip(one, two, strict=True):
        assert defined(b.value) == pytest.approx(defined(a.value), abs=1e-6)


# --- Coverage -----------------------------------------------------------------------------


def _scores(
    rng: np.random.Generator, items: int, each: int, k: int, *, of_item: float
) -> tuple[np.ndarray, np.ndarray]:
    """Draw responses of items by k raters; variances: 1 of responses, 1 of the error.

    Of the variance of responses, the share `of_item` is common to the responses of an item.
    """
    item = rng.normal(size=(items, 1)) * np.sqrt(of_item)
    quality = item + rng.normal(size=(items, each)) * np.sqrt(1 - of_item)
    return quality.reshape(-1, 1) + rng.normal(size=(items * each, k)), np.repeat(
        np.arange(items), each
    )


def _cover(draws: int, items: int, each: int, *, seed: int, clustered: bool) -> dict[str, float]:
    """Share of 90% intervals that hold the truth; forms 1 and 3 (2 in theory alike) at rho = .5."""
    k, truth = 3, {"ICC1": 0.5, "ICC3": 0.5, "ICC3k": 0.75, "ICC2": 0.5}
    hits = dict.fromkeys(truth, 0)
    rng = np.random.default_rng(seed)
    for _ in range(draws):
        ratings, item = _scores(rng, items, each, k, of_item=0.7 if each > 1 else 0.0)
        found: IccTable = icc(ratings, alpha=0.1, clusters=item if clustered else None)
        for form, value in truth.items():
            hits[form] += defined(found[form].low) <= value <= defined(found[form].high)
    return {form: count / draws for form, count in hits.items()}


def test_intervals_by_f_cover() -> None:
    draws = 600
    margin = 3 * np.sqrt(0.9 * 0.1 / draws)
    for form, share in _cover(draws, 20, 1, seed=1, clustered=False).items():
        assert abs(share - 0.9) <= margin, form


def test_intervals_by_cluster_cover_where_those_by_f_do_not() -> None:
    draws = 400
    margin = 3 * np.sqrt(0.9 * 0.1 / draws)
    for form, share in _cover(draws, 40, 4, seed=2, clustered=True).items():
        assert share >= 0.9 - margin, form
    naive = _cover(draws, 40, 4, seed=2, clustered=False)
    assert max(naive.values()) < 0.88


@pytest.mark.slow
@pytest.mark.parametrize(("items", "each"), [(15, 4), (40, 4), (100, 2)])
def test_intervals_by_cluster_cover_in_many_draws(items: int, each: int) -> None:
    draws = 4000
    margin = 3 * np.sqrt(0.9 * 0.1 / draws)
    least = 0.9 - margin - (0.01 if items < 100 else 0.0)  # few clusters: .88 to .89, measured
    for form, share in _cover(draws, items, each, seed=3, clustered=True).items():
        assert share >= least, form


@pytest.mark.slow
@pytest.mark.parametrize("items", [6, 15, 100])
def test_intervals_by_f_cover_in_many_draws(items: int) -> None:
    draws = 4000
    margin = 3 * np.sqrt(0.9 * 0.1 / draws)
    for form, share in _cover(draws, items, 1, seed=4, clustered=False).items():
        assert share >= 0.9 - margin, form


def test_copies_of_a_unit_in_one_cluster_add_no_certainty() -> None:
    rng = np.random.default_rng(5)
    once, _ = _scores(rng, 60, 1, 3, of_item=0.0)
    copies, clusters = np.tile(once, (5, 1)), np.tile(np.arange(60), 5)
    grouped, naive, single = icc(copies, clusters=clusters), icc(copies), icc(once)
    widths = [
        defined(found["ICC3"].high) - defined(found["ICC3"].low)
        for found in (grouped, naive, single)
    ]
    assert widths[1] < 0.6 * widths[2]
    assert widths[0] == pytest.approx(widths[2], rel=0.25)
    assert icc(copies, clusters=np.zeros(300, dtype=int))["ICC2"].no_interval == (
        "all units are of one cluster"
    )


@pytest.mark.parametrize("size", [1e101, 1e300, 1e-101, 5e-324])
def test_ratings_whose_squares_no_float_holds_are_refused_by_size(size: float) -> None:
    ratings = np.array([[1.0, 2.0], [3.0, 1.0], [0.0, NAN], [2.0, 3.0]]) * size
    with pytest.raises(ValueError, match=r"ratings reach .* from 1e-100 to 1e\+100"):
        icc(ratings)


def test_squares_are_right_over_several_blocks_far_from_zero() -> None:
    rng = np.random.default_rng(3)
    ratings = rng.normal(size=(20_001, 1)) + rng.normal(size=(20_001, 4)) + [0.0, 1.0, 2.0, 3.0]
    near, far = icc(ratings), icc(ratings + 1e6)
    units, raters = ratings.mean(axis=1), ratings.mean(axis=0)
    rest = ratings - units[:, None] - raters + ratings.mean()
    between = 4 * units.var(ddof=1)
    error = float((rest**2).sum()) / (20_000 * 3)
    assert defined(near["ICC3k"].value) == pytest.approx(1 - error / between, abs=1e-12)
    assert [row.value for row in far] == pytest.approx([row.value for row in near], abs=1e-8)
