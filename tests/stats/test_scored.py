from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from panopt.stats.bins import binned, equal_mass_edges
from panopt.stats.calibration_error import expected_calibration_error
from panopt.stats.scored import checked_level, scored
from panopt.stats.scoring import brier_score


@given(st.lists(st.tuples(st.integers(0, 8), st.booleans()), max_size=40))
def test_table_counts_each_distinct_confidence(pairs: list[tuple[int, bool]]) -> None:
    x = np.array([a for a, _ in pairs]) / 8
    y = np.array([b for _, b in pairs], dtype=bool)
    table = scored(x, y)
    assert table.values.tolist() == np.unique(x).tolist()
    assert table.right.tolist() == [np.sum(y[x == v]) for v in table.values]
    assert table.wrong.tolist() == [np.sum(~y[x == v]) for v in table.values]


def test_many_distinct_confidences_are_counted_as_few_are() -> None:
    rng = np.random.default_rng(0)
    x = rng.random(20_000).round(4)
    x[:10_000] = rng.random(10_000)  # more than are counted without a sort, some of them tied
    y = rng.random(x.size) < 0.5
    table = scored(x, y)
    values, inverse = np.unique(x, return_inverse=True)
    assert table.values.tolist() == values.tolist()
    assert table.right.tolist() == np.bincount(inverse, weights=y).tolist()
    assert table.wrong.tolist() == np.bincount(inverse, weights=~y).tolist()
    assert table.codes().tolist() == inverse.tolist()


def test_missing_numbers_leave_the_verdict_out_with_its_cluster() -> None:
    table = scored(
        [0.5, np.nan, 0.7, 0.9], np.array([1, 1, None, 0]), clusters=["a", "b", "c", "a"]
    )
    assert (table.n, table.n_clusters) == (2, 1)
    masked = np.ma.masked_array([0.5, 0.6], mask=[False, True])
    assert scored(masked, [1, 0]).values.tolist() == [0.5]


def test_clusters_of_one_are_no_clusters() -> None:
    assert scored([0.5, 0.6], [1, 0], clusters=[10**12, -5]).clusters is None


@pytest.mark.parametrize(
    ("confidence", "agrees", "match"),
    [
        ([0.5, np.inf], [1, 0], "confidence must be finite, NaN where missing; it holds inf"),
        ([0.5, 1.5], [1, 0], r"confidence holds 1\.5; a probability must lie in \[0, 1\]"),
        ([-0.5], [1], r"confidence holds -0\.5"),
        ([0.5], [2], "agrees holds 2; it must be 1"),
        ([0.5, 0.6], [1], r"agrees must have the shape of confidence, \(2,\), not \(1,\)"),
        ([[0.5]], [[1]], "confidence must have one dimension, not 2"),
        (["high"], [1], "confidence has dtype"),
        ([0.5], ["yes"], "agrees has dtype"),
    ],
)
def test_bad_input_is_refused_by_name(confidence: list, agrees: list, match: str) -> None:  # type: ignore[type-arg]
    with pytest.raises(ValueError, match=match):
        scored(confidence, agrees)


def test_clusters_of_another_length_are_refused() -> None:
    with pytest.raises(ValueError, match="clusters must have the shape of confidence"):
        scored([0.5, 0.6], [1, 0], clusters=[1])


@pytest.mark.parametrize("level", [0.0, 1.0, -1.0, float("nan")])
def test_a_level_off_its_range_is_refused(level: float) -> None:
    with pytest.raises(ValueError, match=r"level = .* must lie strictly between 0 and 1"):
        checked_level(level)


@pytest.mark.parametrize("n_bins", [1, 3, 7, 10, 20])
def test_edges_of_equal_mass_are_numpy_s_quantiles(n_bins: int) -> None:
    rng = np.random.default_rng(n_bins)
    for x in (rng.random(101), rng.integers(0, 5, 64) / 4, np.array([0.3])):
        values, counts = np.unique(x, return_counts=True)
        edges = equal_mass_edges(values, counts.astype(float), n_bins)
        percent = np.linspace(0, 1, n_bins + 1) * 100
        np.testing.assert_array_equal(edges, np.percentile(x, percent))


def test_bins_never_part_equal_confidences() -> None:
    x = np.repeat([0.6, 0.8, 1.0], [1, 50, 9])
    bins = binned(scored(x, x > 0.7), n_bins=10, strategy="mass")
    assert bins.n.sum() == 60
    assert bins.n.max() >= 50


@pytest.mark.parametrize("n_bins", [0, -1, 2.5, True, 10**9])
def test_numbers_of_bins_that_are_none_are_refused(n_bins: float) -> None:
    with pytest.raises(ValueError, match=r"n_bins = .* must be a whole number from 1"):
        binned(scored([0.5], [1]), n_bins=n_bins, strategy="width")  # type: ignore[arg-type]


def test_an_unknown_binning_is_refused() -> None:
    with pytest.raises(ValueError, match="strategy = 'quantile' must be one of width, mass"):
        binned(scored([0.5], [1]), n_bins=2, strategy="quantile")  # type: ignore[arg-type]


@pytest.mark.parametrize("clustered", [False, True])
def test_bins_of_equal_width_do_without_counting_many_confidences(*, clustered: bool) -> None:
    rng = np.random.default_rng(1)
    x = rng.random(6_000) ** 2
    y = rng.random(x.size) < x
    keys = np.arange(x.size) // 4 if clustered else None
    tables = [scored(x, y, clusters=keys, counted=counted) for counted in (True, False)]
    assert tables[1].values is tables[1].x  # else this tests nothing
    one, other = (binned(table, n_bins=12, strategy="width") for table in tables)
    for name in ("left", "right", "n", "hits", "confidence", "accuracy", "squares", "calibrated"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), atol=1e-10)
    in_bins = [bins.of[table.codes()] for bins, table in zip((one, other), tables, strict=True)]
    np.testing.assert_array_equal(in_bins[0], in_bins[1])


def test_measures_in_bins_of_equal_width_are_those_of_counted_confidences() -> None:
    rng = np.random.default_rng(2)
    x = rng.random(6_000)
    y = rng.random(x.size) < x**2
    found = brier_score(x, y)
    parts = found.reliability, found.resolution, found.uncertainty
    extra = found.within_variance, found.within_covariance
    assert None not in (*parts, *extra)
    total = np.array([*parts, *extra], dtype=float) @ [1.0, -1.0, 1.0, 1.0, -1.0]
    assert total == pytest.approx(float(np.mean((x - y) ** 2)), abs=1e-12)
    few = np.ceil(x * 4_000) / 4_000  # counted: no more are different than are counted unsorted
    near = expected_calibration_error(few, y).value, expected_calibration_error(x, y).value
    assert near[0] == pytest.approx(near[1], abs=1e-3)
