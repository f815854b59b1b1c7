"""Masks, None and what is no number, in the converter and in every public function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from numpy.typing import ArrayLike

from panopt.plugins.conformal import ordinal_levels, split_interval, split_threshold
from panopt.plugins.gaussian import hierarchical_gaussian
from panopt.plugins.panel import combine, normalise, reduce_repeats
from panopt.plugins.reliability import (
    cohen_kappa,
    gwet_ac1,
    krippendorff_alpha,
    pairwise_kappa,
    raw_agreement,
)
from panopt.plugins.selective import certify_threshold
from panopt.stats.arrays import as_floats, as_keys
from panopt.stats.mean import mean_interval

NAN = np.nan
RNG = np.random.default_rng(0)
RATINGS = RNG.integers(0, 3, (40, 4)).astype(float)
HOLES = RNG.random(RATINGS.shape) < 0.2
MASKED = np.ma.masked_array(RATINGS, mask=HOLES)
FILLED = np.where(HOLES, NAN, RATINGS)
ROW = np.ma.masked_array([0.9, 0.8, 0.7], mask=[False, True, False])


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.ma.masked_array([1, 2], mask=[True, False]), [NAN, 2]),
        (np.ma.masked_array([1.0, 2.0]), [1, 2]),
        (np.ma.masked_array([True, False], mask=True), [NAN, NAN]),
        (np.ma.masked_array(np.array([1, "x"], dtype=object), mask=[False, True]), [1, NAN]),
        ([1, None, 0.5], [1, NAN, 0.5]),
        ([], []),
        (np.float32(0.5), 0.5),
        ([True, False], [1, 0]),
        ([2**70, 1], [2.0**70, 1]),
    ],
)
def test_numbers_become_floats_and_masks_nan(values: ArrayLike, expected: ArrayLike) -> None:
    found = as_floats("x", values)
    assert found.dtype == np.float64
    assert type(found) is np.ndarray
    assert_array_equal(found, expected)


def test_floats_are_not_copied_and_masked_ones_not_changed() -> None:
    plain = np.ones(3)
    assert as_floats("x", plain) is plain
    before = ROW.copy()
    as_floats("x", ROW)
    assert_array_equal(ROW.mask, before.mask)
    assert_array_equal(ROW.data, before.data)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["a", "b"], r"^x has dtype <U1; it must hold real numbers, NaN where missing$"),
        (["1", "2"], "x has dtype <U1"),
        (np.array([1, "2"], dtype=object), "^x holds '2'; it must hold real numbers"),
        ([1j], "x has dtype complex128"),
        (np.array(["2020-01-01"], dtype="datetime64[D]"), "x has dtype datetime64"),
        ([[1, 2], [3]], "^x has rows of unequal length; it must hold real numbers"),
        (np.array([{}], dtype=object), "^x must hold real numbers, NaN where missing: float"),
    ],
)
def test_what_is_no_number_is_refused_by_name(values: ArrayLike, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        as_floats("x", values)


def test_keys_cannot_be_masked() -> None:
    assert as_keys("judge", np.ma.masked_array([1, 2])).tolist() == [1, 2]
    with pytest.raises(ValueError, match=r"^judge has masked entries; leave those rows out$"):
        as_keys("judge", np.ma.masked_array([1, 2], mask=[False, True]))


@pytest.mark.parametrize(
    "function",
    [
        lambda x: combine(x).value,
        lambda x: combine(x, rule="plurality").n_votes,
        lambda x: normalise(x, 0, 2),
        lambda x: reduce_repeats(x[:, None, :]),
        lambda x: krippendorff_alpha(x, level="ordinal").value,
        lambda x: gwet_ac1(x).value,
        lambda x: raw_agreement(x).value,
        lambda x: pairwise_kappa(x).value,
        lambda x: cohen_kappa(x[:, 0], x[:, 1]).value,
        lambda x: split_interval(x, 0.5, scale_low=0.0, scale_high=2.0)[0],
        lambda x: ordinal_levels(x, x, [0, 1, 2])[0],
    ],
)
def test_functions_read_a_mask_as_missing(function: Callable[[Any], Any]) -> None:
    assert_array_equal(function(MASKED), function(FILLED))
    assert not np.array_equal(function(MASKED), function(RATINGS), equal_nan=True)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda: split_threshold(ROW), "residuals must not be NaN; leave responses without"),
        (lambda: mean_interval(ROW), "score must be finite; leave responses without a score out"),
        (lambda: certify_threshold(ROW, [1, 1, 1]), "confidence must not be NaN; leave judgments"),
        (lambda: certify_threshold([0.9, 0.8, 0.7], ROW >= 0), "agrees must be 0 or 1"),
        (
            lambda: certify_threshold([0.9, 0.8, 0.7], [1, 1, 1], clusters=ROW),
            "clusters has masked entries",
        ),
        (lambda: mean_interval([1, 0, 1], clusters=ROW), "clusters has masked entries"),
        (
            lambda: hierarchical_gaussian([0, 0, 1], [0, 1, 1], ROW),
            r"score\[1\] is nan; .* leave the row of a missing score out",
        ),
        (
            lambda: hierarchical_gaussian(np.ma.masked_equal([0, 0, 1], 1), [0, 1, 1], [1, 2, 3]),
            "item has masked entries",
        ),
        (
            lambda: combine([[1, 0]], status=np.ma.masked_array([[0, 0]], mask=[[False, True]])),
            "status has masked entries",
        ),
        (lambda: combine([["a", "b"]], rule="plurality"), "scores has dtype <U1"),
        (lambda: krippendorff_alpha([["a", "b"], ["a", "a"]]), "ratings has dtype <U1"),
        (lambda: split_threshold(["a"]), "residuals has dtype <U1"),
        (lambda: certify_threshold(["a"], [1]), "confidence has dtype <U1"),
        (lambda: hierarchical_gaussian([0, 0], [0, 1], ["a", "b"]), "score has dtype <U1"),
    ],
)
def test_functions_refuse_a_mask_where_nothing_may_be_missing(
    function: Callable[[], Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        function()
