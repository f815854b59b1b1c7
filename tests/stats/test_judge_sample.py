"""Differences for judges like these: reference numbers, properties, coverage, messages."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from panopt.stats.judge_sample import judged_difference
from panopt.stats.paired import paired_difference


def drawn(
    rng: np.random.Generator, items: int, judges: int, *, liking: float, missing: float = 0.0
) -> np.ndarray:
    """Draw differences of true mean .05, judges that differ by `liking`, clusters of items of 2."""
    shared = np.repeat(rng.normal(0, 0.2, items // 2), 2)[:, None]
    found = 0.05 + rng.normal(0, liking, judges) + shared + rng.normal(0, 0.2, (items, judges))
    found[rng.random(found.shape) < missing] = np.nan
    return found


def test_balanced_variance_is_that_of_a_two_way_table() -> None:
    """(MS items + MS judges - MS rest) / (items x judges), what random effects of both give."""
    seen = np.random.default_rng(3).normal(0.1, 0.3, (12, 4)) + np.linspace(-0.2, 0.2, 4)
    seen += np.random.default_rng(4).normal(0, 0.4, (12, 1))
    rows, columns = seen.mean(axis=1), seen.mean(axis=0)
    rest = seen - rows[:, None] - columns + seen.mean()
    ms_rows, ms_columns = 4 * rows.var(ddof=1), 12 * columns.var(ddof=1)
    ms_rest = (rest**2).sum() / (11 * 3)
    found = judged_difference(seen)
    assert found.value == pytest.approx(seen.mean(), abs=1e-15)
    assert found.se == pytest.approx(np.sqrt((ms_rows + ms_columns - ms_rest) / 48), rel=1e-12)


@pytest.mark.parametrize(
    ("items", "judges", "liking", "missing"),
    [(20, 3, 0.0, 0.0), (20, 3, 0.1, 0.1), (100, 2, 0.05, 0.0), (60, 5, 0.05, 0.1)],
)
def test_coverage_with_few_judges(items: int, judges: int, liking: float, missing: float) -> None:
    """The interval is cautious: at least its level, up to three standard errors."""
    rng, hits, runs = np.random.default_rng(7), 0, 600
    for _ in range(runs):
        seen = drawn(rng, items, judges, liking=liking, missing=missing)
        found = judged_difference(seen, clusters=np.arange(items) // 2)
        assert found.low is not None
        assert found.high is not None
        hits += found.low <= 0.05 <= found.high
    assert hits / runs >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / runs)


@pytest.mark.parametrize("shared", ["nothing", "single verdicts", "items alone"])
def test_p_and_interval_say_the_same(shared: str) -> None:
    """Also where the items that judges share, or the judges, add no variance of their own."""
    rng, noughts = np.random.default_rng(11), 0
    for _ in range(60):
        seen = rng.normal(0, 0.2, (24, 3))
        if shared == "single verdicts":  # each item has one judge
            seen[np.arange(24)[:, None] % 3 != np.arange(3)] = np.nan
        elif shared == "items alone":
            seen = np.repeat(rng.normal(0, 0.2, (24, 1)), 3, axis=1)
        for alpha in (0.01, 0.05, 0.5):
            found = judged_difference(seen, alpha=alpha)
            assert found.low is not None
            assert found.high is not None
            assert found.p is not None
            assert (found.p <= alpha) == (not found.low <= 0 <= found.high)
            noughts += found.p < 1e-9
    assert noughts == 0


def test_judges_that_differ_widen_what_items_alone_would_give() -> None:
    seen = drawn(np.random.default_rng(1), 200, 4, liking=0.2)
    found = judged_difference(seen)
    of_items = paired_difference(seen.mean(axis=1), np.zeros(200))
    assert found.se is not None
    assert of_items.se is not None
    assert found.se > 2 * of_items.se
    assert found.value == pytest.approx(of_items.value)


@given(st.integers(2, 30), st.integers(2, 6), st.integers(0, 99))
def test_p_is_the_level_at_which_the_interval_ends_at_nothing(
    items: int, judges: int, seed: int
) -> None:
    seen = np.random.default_rng(seed).normal(0.3, 1.0, (items, judges))
    found = judged_difference(seen)
    assert found.p is not None
    if 1e-6 < found.p < 1 - 1e-6:
        again = judged_difference(seen, alpha=found.p)
        assert again.low is not None
        assert again.high is not None
        assert min(abs(again.low), abs(again.high)) == pytest.approx(0, abs=1e-9)
    turned = judged_difference(-seen)
    assert turned.p == pytest.approx(found.p)
    assert turned.value == pytest.approx(-(found.value or 0))


def test_what_cannot_be_told_has_its_reason() -> None:
    one = np.array([[0.1], [0.3]])
    assert (
        judged_difference(one).reason
        == "one judge tells nothing of how judges differ: two are needed"
    )
    assert judged_difference(one).value == pytest.approx(0.2)
    assert "one cluster" in (judged_difference(np.ones((1, 2))).reason or "")
    assert "no judge" in (judged_difference(np.full((3, 2), np.nan)).reason or "")
    assert "no judge" in (judged_difference(np.empty((0, 2))).reason or "")
    equal = judged_difference(np.full((5, 3), 0.1))
    assert equal.reason == "all differences are equal: their spread cannot be estimated"
    assert (equal.low, equal.p) == (None, None)
    # a judge without a common item is left out, not counted as 0
    lone = np.array([[0.1, np.nan], [0.2, np.nan], [0.4, np.nan]])
    assert judged_difference(lone).n_judges == 1


@pytest.mark.parametrize(
    ("seen", "options", "match"),
    [
        (np.zeros(3), {}, r"differences must have shape \(items, judges\), not \(3,\)"),
        (np.full((2, 2), np.inf), {}, "differences must be finite"),
        (np.zeros((2, 2)), {"alpha": 1.0}, r"alpha = 1\.0 must lie strictly between 0 and 1"),
        (np.zeros((2, 2)), {"clusters": [1]}, r"clusters must have one key an item, \(2,\)"),
    ],
)
def test_bad_input_is_named(seen: np.ndarray, options: dict[str, object], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        judged_difference(seen, **options)  # type: ignore[arg-type]
