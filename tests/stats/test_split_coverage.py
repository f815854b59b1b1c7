"""Coverage over splits follows its law: by a peer's distribution, by counting, by simulation."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from panopt.stats.conformal_split import rank_and_need
from panopt.stats.split_coverage import coverage_law, split_coverage


@pytest.mark.parametrize(("n", "m", "k"), [(1, 1, 1), (48, 48, 45), (100, 37, 91), (500, 1, 3)])
def test_law_is_scipy_s_beta_binomial(n: int, m: int, k: int) -> None:
    law = coverage_law(n, m, k)
    assert law == pytest.approx(stats.betabinom(m, k, n + 1 - k).pmf(np.arange(m + 1)), abs=1e-12)
    assert law.sum() == pytest.approx(1.0)
    assert law @ np.arange(m + 1) / m == pytest.approx(k / (n + 1))


def test_law_counts_all_splits_of_distinct_residuals() -> None:
    """Of the 84 ways to draw 6 of 9 residuals, count those that cover 0 .. 3 of the others."""
    n, m, k = 6, 3, 5
    counts = np.zeros(m + 1)
    for drawn in itertools.combinations(range(n + m), n):
        rest = set(range(n + m)) - set(drawn)
        counts[sum(r <= sorted(drawn)[k - 1] for r in rest)] += 1
    assert coverage_law(n, m, k) == pytest.approx(counts / counts.sum())


@pytest.mark.parametrize("alpha", [0.1, 0.25])
def test_P_1_splits_follow_the_law_whatever_the_residuals(alpha: float) -> None:
    splits = 20_000
    heavy = np.random.default_rng(0).standard_cauchy(81)
    found = split_coverage(heavy, alpha=alpha, splits=splits, rng=np.random.default_rng(1))
    assert (found.n, found.m, found.k) == (40, 41, rank_and_need(40, alpha)[0])
    shares = np.arange(found.m + 1) / found.m
    variance = found.law @ (shares - found.expected) ** 2
    assert abs(found.coverage.mean() - found.expected) < 3 * np.sqrt(variance / splits)
    below = found.law[shares < found.law_low].sum()
    seen = float(np.mean(found.coverage < found.law_low))
    assert abs(seen - below) < 3 * np.sqrt(below * (1 - below) / splits)
    assert below <= 0.025
    assert found.law[shares > found.law_high].sum() <= 0.025
    assert found.distinct == 1.0


def test_tied_residuals_are_covered_more_often() -> None:
    tied = np.repeat([0.0, 0.5, 1.0], 40)
    found = split_coverage(tied, alpha=0.2, rng=np.random.default_rng(0), splits=300)
    assert found.coverage.mean() > found.expected + 0.1
    assert found.distinct == pytest.approx(3 / 120)


@given(st.integers(20, 60), st.sampled_from([0.1, 0.2, 0.5]), st.integers(0, 2**32 - 1))
def test_only_ranks_matter_and_the_seed_decides(size: int, alpha: float, seed: int) -> None:
    residuals = np.random.default_rng(seed).permutation(size).astype(float)
    one, two = (
        split_coverage(r, alpha=alpha, splits=5, rng=np.random.default_rng(seed))
        for r in (residuals, np.exp(residuals / 10))
    )
    assert one.coverage.tolist() == two.coverage.tolist()
    assert 0.0 <= one.law_low <= one.law_high <= 1.0


def test_bad_input_is_refused_by_name() -> None:
    rng = np.random.default_rng(0)
    row = np.arange(40.0)
    with pytest.raises(ValueError, match=r"8 labels give no finite bound at alpha = 0\.1: 9 are"):
        split_coverage(np.arange(16.0), rng=rng)
    with pytest.raises(ValueError, match="0 labels give no finite bound"):
        split_coverage([], rng=rng)
    with pytest.raises(ValueError, match="splits = 0 must be a whole number of at least 1"):
        split_coverage(row, splits=0, rng=rng)
    with pytest.raises(ValueError, match="labels = 40 must be a whole number below the 40 resid"):
        split_coverage(row, labels=40, rng=rng)
    with pytest.raises(ValueError, match="residuals must not be NaN"):
        split_coverage([np.nan] * 40, rng=rng)
    with pytest.raises(ValueError, match=r"alpha = 0\.0 must lie strictly between 0 and 1"):
        split_coverage(row, alpha=0.0, rng=rng)
    with pytest.raises(ValueError, match="k = 3 must lie from 1 to n = 2, and m = 1"):
        coverage_law(2, 1, 3)
