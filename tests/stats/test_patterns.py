"""Distinct rows and levels against numpy's own, slower ways."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from panopt.stats.patterns import distinct_rows, few_level_codes, level_codes

NAN = np.nan

codes = hnp.arrays(
    np.int64,
    st.tuples(st.integers(0, 30), st.integers(1, 5)),
    elements=st.integers(-1, 3),
)


@given(codes)
def test_distinct_rows_equal_numpys_unique(rows: np.ndarray) -> None:
    found = distinct_rows(rows, n_levels=4, return_inverse=True)
    expected, counts = np.unique(rows, axis=0, return_counts=True)
    np.testing.assert_array_equal(rows[found.first], expected)
    np.testing.assert_array_equal(found.counts, counts)
    np.testing.assert_array_equal(expected[found.pattern_of_rows()], rows)


def test_distinct_rows_of_more_columns_than_a_number_holds() -> None:
    rng = np.random.default_rng(0)
    rows = np.repeat(rng.integers(-1, 1000, (20, 40)), 3, axis=0)[rng.permutation(60)]
    found = distinct_rows(rows, n_levels=1000, return_inverse=True)
    assert found.counts.tolist() == [3] * 20
    np.testing.assert_array_equal(rows[found.first][found.pattern_of_rows()], rows)


def test_many_possible_keys_are_sorted_not_counted() -> None:
    rows = np.array([[999, 999, 999, 999], [0, 0, 0, 0], [999, 999, 999, 999]])
    found = distinct_rows(rows, n_levels=1000)
    assert found.counts.tolist() == [1, 2]
    assert rows[found.first, 0].tolist() == [0, 999]


def test_pattern_of_rows_must_be_asked_for() -> None:
    found = distinct_rows(np.zeros((2, 1), dtype=int), n_levels=1)
    assert found.inverse is None
    with pytest.raises(ValueError, match="called without return_inverse"):
        found.pattern_of_rows()


@given(
    hnp.arrays(
        np.float64,
        hnp.array_shapes(min_dims=1, max_dims=3, max_side=8),
        elements=st.one_of(
            st.just(NAN), st.sampled_from([0.1, 0.2, 0.30000000000000004, 0.3, -1e300, 1e300]),
            st.floats(-5, 5),
        ),
    )
)  # fmt: skip
def test_levels_and_codes_give_the_values_back(values: np.ndarray) -> None:
    levels, found = level_codes(values)
    assert (np.diff(levels) > 0).all()
    np.testing.assert_array_equal(levels, np.unique(values[~np.isnan(values)]))
    back = np.append(levels, NAN)[found]
    np.testing.assert_array_equal(back, values)


@pytest.mark.parametrize(
    "levels",
    [
        np.arange(11) / 10,  # an even grid
        np.array([1.0, 2.0, 4.0, 5.0]),  # a grid with a gap
        np.array([0.0, 0.6, 0.9, 7.3]),  # none
        np.array([0.0, 1e-12, 1e12]),  # too wide for a look-up
        np.array([2.0]),
    ],
)
def test_levels_too_rare_for_the_sample_are_found(levels: np.ndarray) -> None:
    rng = np.random.default_rng(1)
    values = rng.choice(levels, 100_000)
    values[rng.random(values.size) < 0.1] = NAN
    values[77_777] = -3.25
    found = few_level_codes(values, limit=100)
    assert found is not None
    np.testing.assert_array_equal(found[0], np.append(-3.25, levels))
    np.testing.assert_array_equal(np.append(found[0], NAN)[found[1]], values)
    assert found[1].dtype == np.int8


def test_too_many_levels_are_noticed_late_too() -> None:
    values = np.zeros(100_000)
    values[1::12][:2000] = np.arange(2000)
    assert few_level_codes(values, limit=1000) is None
    levels, found = level_codes(values)
    assert levels.size == 2000
    np.testing.assert_array_equal(levels[found], values)


def test_continuous_values_are_coded_by_one_sort() -> None:
    values = np.random.default_rng(2).normal(size=(5000, 3))
    values[7, 1] = NAN
    levels, found = level_codes(values)
    assert levels.size == 14_999
    assert found[7, 1] == -1
    np.testing.assert_array_equal(np.append(levels, NAN)[found], values)
