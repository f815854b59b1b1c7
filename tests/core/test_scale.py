from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from panopt.errors import AskError
from panopt.records.scale import COMMON_RANGES, Scale, infer_scale, infer_scales

FINITE = st.floats(-1e12, 1e12, allow_subnormal=False)


@given(FINITE, FINITE, st.sampled_from(["continuous", "ordinal"]))
def test_text_form_reads_back_as_the_same_scale(low: float, width: float, kind: str) -> None:
    width = abs(width) or 1.0
    if kind == "ordinal":
        low, width = round(low), max(1, round(width) % 1000)
    high = low + width
    if low < high:
        scale = Scale(kind, low, high)  # type: ignore[arg-type]
        assert Scale.parse(str(scale)) == scale


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("ordinal:1:5", "ordinal:1:5"),
        (" continuous:-0.5:1e3 ", "continuous:-0.5:1000"),
        ("binary", "binary"),
        ("binary:0:1", "binary"),
        ("pairwise", "pairwise"),
        ("nominal", "nominal"),
        ("continuous", "continuous:0:1"),
        ("continuous:0:1234567.25", "continuous:0:1234567.25"),
    ],
)
def test_parse(text: str, written: str) -> None:
    assert str(Scale.parse(text)) == written


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("stars:1:5", "scale kind 'stars' is unknown; it must be one of binary, ordinal"),
        ("ordinal:1", "'ordinal:1' is not of the form KIND or KIND:LOW:HIGH"),
        ("ordinal:1:2:3", "is not of the form"),
        ("ordinal:one:5", "LOW and HIGH must be numbers"),
        ("ordinal:5:1", "ordinal:5:1: both ends must be finite, low below high"),
        ("continuous:2:2", "low below high"),
        ("continuous:nan:1", "both ends must be finite"),
        ("continuous:0:inf", "both ends must be finite"),
        ("ordinal:0.5:5", "ordinal:0.5:5: an ordinal scale has whole steps"),
        ("ordinal:0:100000", "at most 1001 levels"),
        ("binary:0:2", "binary takes no range"),
        ("", "scale kind '' is unknown"),
    ],
)
def test_parse_names_the_text_and_the_rule(text: str, message: str) -> None:
    with pytest.raises(AskError, match=message):
        Scale.parse(text)


@given(st.lists(st.floats(1, 5), min_size=1))
def test_normalise_and_raw_are_inverse_and_stay_in_range(scores: list[float]) -> None:
    scale = Scale("continuous", 1, 5)
    unit = scale.normalise(scores)
    assert unit.min() >= 0
    assert unit.max() <= 1
    assert_allclose(scale.raw(unit), scores)


def test_levels() -> None:
    assert_array_equal(Scale("ordinal", 1, 4).levels, [1, 2, 3, 4])
    assert_array_equal(Scale("binary").levels, [0, 1])
    assert_array_equal(Scale("pairwise").levels, [0, 0.5, 1])
    assert Scale("continuous", 0, 3).levels is None
    assert Scale("nominal").levels is None


@pytest.mark.parametrize(
    ("scale", "on", "off"),
    [
        ("ordinal:1:5", [1, 3, 5, np.nan], [0, 6, 3.5, np.inf, -np.inf]),
        ("ordinal:-0.5:1.5", [-0.5, 0.5], [0, 1]),
        ("binary", [0, 1, np.nan], [0.5, 2, -1, np.inf]),
        ("pairwise", [0, 0.5, 1], [0.25, 0.7, 1.5]),
        ("continuous:0:10", [0, 3.3, 10, np.nan], [-0.1, 10.1, np.inf]),
        ("nominal", [-7, 0.3, np.nan], []),
    ],
)
def test_off(scale: str, on: list[float], off: list[float]) -> None:
    assert not Scale.parse(scale).off(on).any()
    assert Scale.parse(scale).off(off).all()


@pytest.mark.parametrize(
    ("scores", "scale"),
    [
        ([0, 1, 1], "binary"),
        ([1, 1], "binary"),
        ([0.2, 0.9], "continuous:0:1"),
        ([1, 5], "ordinal:1:5"),
        ([1.5, 5], "continuous:1:5"),
        ([6, 2], "ordinal:1:7"),
        ([10, 2], "ordinal:1:10"),
        ([0, 10], "ordinal:0:10"),
        ([0, 55], "continuous:0:100"),
        ([0, 250], "continuous:0:250"),
        ([-1, 1], "ordinal:-1:1"),
        ([-3.25, -3.25], "continuous:-3.25:1"),
        ([700, 700], "continuous:0:700"),
        ([np.nan, np.inf], "continuous:0:1"),
        ([], "continuous:0:1"),
    ],
)
def test_infer_scale(scores: list[float], scale: str) -> None:
    assert str(infer_scale(scores)) == scale


@given(st.lists(FINITE, min_size=1, max_size=30))
def test_an_inferred_scale_holds_its_scores(scores: list[float]) -> None:
    scale = infer_scale(scores)
    assert not scale.off(scores).any()
    assert not Scale.parse(str(scale)).off(scores).any()


@given(st.sampled_from(COMMON_RANGES), st.data())
def test_scores_on_a_common_range_never_get_a_wider_one(
    ends: tuple[float, float], data: st.DataObject
) -> None:
    whole = st.integers(int(ends[0]), int(ends[1])).map(float)
    scale = infer_scale(data.draw(st.lists(whole, min_size=1)))
    assert scale.high <= ends[1]


@pytest.mark.parametrize(
    ("panel", "scales"),
    [
        # whoever never left the part of a wide range below 2 is read on the range of the others
        ([[1, 5, 3], [1, 1, 1]], ["ordinal:1:5", "ordinal:1:5"]),
        # but zeros and fractions show that a judge scores on [0, 1]
        ([[1, 5, 3], [0, 1, 1]], ["ordinal:1:5", "binary"]),
        ([[1, 5, 3], [0.5, 1, 1]], ["ordinal:1:5", "continuous:0:1"]),
        # one range for the judges of a panel that share one
        ([[1, 3], [2, 7]], ["ordinal:1:7", "ordinal:1:7"]),
        ([[0, 1], [0.3, 1]], ["continuous:0:1", "continuous:0:1"]),
        ([[0, 1], [1, 1]], ["binary", "binary"]),
        # one unusual range where all use much of it, their own where they do not
        ([[-3, 3], [0, 3]], ["ordinal:-3:3", "ordinal:-3:3"]),
        (
            [[-3, 3], [0, 900], [1, 3], [2, 7]],
            ["ordinal:-3:3", "continuous:0:900"] + ["ordinal:1:7"] * 2,
        ),
        ([], []),
    ],
)
def test_infer_scales_of_a_panel_together(panel: list[list[float]], scales: list[str]) -> None:
    found = infer_scales([np.array(scores, dtype=float) for scores in panel])
    assert [str(scale) for scale in found] == scales
