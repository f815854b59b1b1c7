"""Sign flips: every pattern gone through beside it, type-I error, and what is refused."""

from __future__ import annotations

import itertools

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from panopt.stats.signflip import _all_patterns, _drawn, _saddlepoint, permutation_test

Floats = NDArray[np.float64]


def every_pattern(total: Floats) -> float:
    """Go through all sign patterns, one by one."""
    signs = np.array(list(itertools.product((-1.0, 1.0), repeat=len(total))))
    return float(np.mean(np.abs(signs @ total) >= abs(total.sum()) - 1e-9))


def p_of(total: Floats) -> float:
    found = permutation_test(total, np.zeros(len(total)))
    assert found.p is not None
    return found.p


@given(
    hnp.arrays(np.float64, st.integers(1, 11), elements=st.sampled_from([-1, -0.4, 0, 0.2, 0.6, 1]))
)
def test_P_10_discrete_p_is_the_share_of_all_sign_patterns(total: Floats) -> None:
    found = permutation_test(total, np.zeros(len(total)))
    assert found.exact
    assert found.p == pytest.approx(every_pattern(total), abs=1e-12)


@given(hnp.arrays(np.float64, st.integers(1, 11), elements=st.floats(-3, 3, width=32)))
def test_P_10_continuous_p_is_the_share_of_all_sign_patterns(total: Floats) -> None:
    assert p_of(total) == pytest.approx(every_pattern(total), abs=1e-12)


def test_P_10_p_equals_scipys_exact_test() -> None:
    a, b = np.random.default_rng(0).random((2, 12))
    peer = stats.permutation_test(
        [a, b],
        lambda x, y: float(np.mean(x - y)),
        permutation_type="samples",
        n_resamples=10**6,  # more than there are: all of them
    )
    assert permutation_test(a, b).p == pytest.approx(peer.pvalue, abs=1e-12)


def test_binary_p_is_mcnemars() -> None:
    a, b = np.repeat([1, 0, 1], [40, 18, 900]), np.repeat([0, 1, 1], [40, 18, 900])
    assert permutation_test(a, b).p == pytest.approx(stats.binomtest(18, 58).pvalue, rel=1e-12)


def test_a_small_tail_keeps_its_digits() -> None:
    """All sums positive: only the pattern seen and its mirror are as far out."""
    total = np.random.default_rng(1).integers(1, 6, 200) / 5
    assert p_of(total) == pytest.approx(2.0**-199, rel=1e-9)


def test_convolution_equals_the_meeting_in_the_middle() -> None:
    rng = np.random.default_rng(2)
    for lean in (0.5, 0.7, 0.9):
        total = rng.integers(1, 9, 30) / 8 * np.where(rng.random(30) < lean, 1, -1)
        assert p_of(total) == pytest.approx(_all_patterns(total), rel=1e-10)


@pytest.mark.parametrize("kind", ["normal", "exponential", "heavy"])
def test_saddlepoint_is_within_two_percent_of_all_patterns(kind: str) -> None:
    """From 1e-7 to 1, even where one of 34 sums has a third of the variance."""
    rng = np.random.default_rng(3)
    size = {
        "normal": np.abs(rng.normal(size=34)),
        "exponential": rng.exponential(size=34),
        "heavy": np.abs(rng.standard_t(3, size=34)),
    }[kind]
    for lean in (0.5, 0.6, 0.7, 0.85, 1.0):
        total = size * np.where(rng.random(34) < lean, 1, -1)
        exact = _all_patterns(total)
        assert _saddlepoint(total) == pytest.approx(exact, rel=0.02)


def test_drawn_p_is_near_the_exact_one_and_never_0() -> None:
    rng = np.random.default_rng(4)
    total = np.append(rng.normal(0.2, 1.0, 39), 30.0)  # one sum decides: no saddlepoint
    found = permutation_test(total, np.zeros(40), n_perm=4999, rng=rng)
    assert (found.exact, found.method) == (False, "4999 sign patterns drawn")
    rest = total[:39]  # as far out: the large one on its side, and the rest beyond theirs
    expected = p_of(rest) / 2 if rest.sum() > 0 else 1 - p_of(rest) / 2
    assert found.p == pytest.approx(expected, abs=4 * np.sqrt(expected / 4999))
    exact = _all_patterns(total[8:])  # 32 of them, by both ways
    drawn = _drawn(total[8:], 9999, rng)
    assert drawn == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 9999) + 1e-4)
    assert _drawn(np.ones(60), 99, rng) == 1 / 100


def test_clusters_change_sign_together() -> None:
    rng = np.random.default_rng(5)
    a, b, clusters = rng.random(60), rng.random(60), np.repeat(np.arange(12), 5)
    sums = np.asarray(np.bincount(clusters, a - b), dtype=float)
    assert permutation_test(a, b, clusters=clusters).p == pytest.approx(every_pattern(sums))


def test_identical_systems_have_p_1() -> None:
    x = np.random.default_rng(6).random(50)
    found = permutation_test(x, x)
    assert (found.p, found.exact, found.n_differ) == (1.0, True, 0)
    three = permutation_test([0.1, 0.2], [0.2, 0.1], clusters=["x", "x"])
    assert (three.p, three.n_differ) == (1.0, 0)


def test_five_items_cannot_show_more_than_two_in_32() -> None:
    found = permutation_test(np.ones(5), np.zeros(5))
    assert (found.p, found.exact) == (2 / 32, True)


def test_a_million_discrete_items_are_exact() -> None:
    rng = np.random.default_rng(7)
    a, b = rng.integers(0, 11, (2, 10**6)) / 10
    found = permutation_test(a, b)
    z = (a - b).sum() / np.sqrt(((a - b) ** 2).sum())
    assert found.exact
    assert found.p == pytest.approx(2 * stats.norm.sf(abs(z)), rel=2e-3)


def errors(groups: int, size: int, kind: str, *, runs: int, seed: int) -> float:
    """Share of runs with p at most .05 for systems that do not differ, ICC .3 in clusters."""
    rng = np.random.default_rng(seed)
    clusters = np.repeat(np.arange(groups), size)
    wrong = 0
    for _ in range(runs):
        d = np.sqrt(0.3) * rng.normal(size=groups)[clusters]
        d = d + np.sqrt(0.7) * rng.normal(size=groups * size)
        if kind == "ties":
            d = np.where(np.abs(d) > 1.2, np.sign(d), 0.0)
        p = permutation_test(d, np.zeros(len(d)), clusters=clusters).p
        wrong += p is not None and p <= 0.05
    return wrong / runs


@pytest.mark.parametrize("kind", ["continuous", "ties"])
@pytest.mark.parametrize(("groups", "size"), [(5, 1), (10, 20), (30, 10), (60, 1)])
def test_type_I_error_is_at_most_its_level(groups: int, size: int, kind: str) -> None:
    runs = 150 if (groups, kind) == (30, "continuous") else 400
    share = errors(groups, size, kind, runs=runs, seed=8)
    assert share <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / runs)
    if groups == 10 and kind == "continuous":
        assert share >= 0.05 - 3 * np.sqrt(0.05 * 0.95 / runs)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["continuous", "ties"])
@pytest.mark.parametrize(("groups", "size"), [(5, 1), (10, 20), (30, 10), (100, 5)])
def test_type_I_error_in_full(groups: int, size: int, kind: str) -> None:
    runs = 1000 if (groups, kind) == (30, "continuous") else 5000
    share = errors(groups, size, kind, runs=runs, seed=9)
    assert share <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / runs)


def test_no_pair_has_no_p() -> None:
    found = permutation_test([np.nan], [1.0])
    assert (found.p, found.reason) == (None, "there is no pair with both scores")


def test_few_draws_are_refused() -> None:
    with pytest.raises(ValueError, match="n_perm = 9 must be at least 99"):
        permutation_test([1.0], [0.0], n_perm=9)
