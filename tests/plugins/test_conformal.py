from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from crepes import ConformalRegressor
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from scipy import stats

from panopt.plugins.conformal import (
    ordinal_levels,
    panopt_analyze,
    split_interval,
    split_threshold,
)
from panopt.records.ask import Ask
from panopt.stats.conformal_split import kth_smallest

Floats = NDArray[np.float64]


@pytest.mark.parametrize("n", [9, 19, 20, 101, 1000])
@pytest.mark.parametrize("alpha", [0.05, 0.1, 0.2, 0.35])
def test_P_1_quantile_is_that_of_crepes(n: int, alpha: float) -> None:
    residuals = np.abs(np.random.default_rng(n).normal(size=n))
    result = split_threshold(residuals, alpha=alpha)
    if n < result.labels_needed:
        assert result.value == np.inf
        return
    # It takes int((1 - confidence) (n + 1)) in floats, which slips where that is whole
    # (n = 9 at .8 takes the largest residual); a hair less confidence mends it.
    peer = ConformalRegressor().fit(residuals)
    low, high = peer.predict_int(np.zeros(1), confidence=1 - alpha - 1e-12)[0]
    assert (-low, high) == (result.value, result.value)


@pytest.mark.parametrize(
    ("n", "alpha", "k"),
    # (n + 1)(1 - alpha) is whole as decimals; in floats the product or 1 - alpha is not.
    [(99, 0.29, 71), (9, 0.1, 9), (99, 0.01, 99), (29, 0.7, 9), (99, 0.42, 58), (49, 0.14, 43)],
)
def test_k_does_not_slip_by_rounding(n: int, alpha: float, k: int) -> None:
    assert split_threshold(np.arange(n), alpha=alpha).k == k


def test_P_1_too_few_labels_give_the_whole_scale_and_say_how_many() -> None:
    result = split_threshold([0.1] * 8, alpha=0.1)
    assert result.value == np.inf
    assert result.labels_needed == 9
    assert result.reason is not None
    assert "9 are needed" in result.reason
    low, high = split_interval([0.2, 0.9], result.value, scale_low=0, scale_high=1)
    assert low.tolist() == [0, 0]
    assert high.tolist() == [1, 1]
    assert split_threshold([0.1] * 9, alpha=0.1).value == 0.1
    assert split_threshold([], alpha=0.1).value == np.inf


@given(st.floats(0.001, 0.999), st.integers(0, 400))
def test_labels_needed_is_the_least_that_is_finite(alpha: float, n: int) -> None:
    result = split_threshold(np.ones(n), alpha=alpha)
    assert np.isfinite(result.value) == (n >= result.labels_needed)


def test_P_1_band_is_the_law_of_the_coverage_it_reports() -> None:
    # Uniform residuals: the coverage given a calibration set is the bound itself.
    rng = np.random.default_rng(0)
    n, draws = 60, 4000
    bounds = np.array([split_threshold(rng.random(n), alpha=0.2).value for _ in range(draws)])
    result = split_threshold(rng.random(n), alpha=0.2)
    law = stats.beta(result.k, n + 1 - result.k)
    assert result.coverage_low == pytest.approx(law.ppf(0.05))
    assert result.coverage_high == pytest.approx(law.ppf(0.95))
    inside = np.mean((bounds >= result.coverage_low) & (bounds <= result.coverage_high))
    assert inside == pytest.approx(0.9, abs=3 * np.sqrt(0.09 / draws))
    assert bounds.mean() == pytest.approx(result.k / (n + 1), abs=0.005)


def residuals_of(shared: Path, name: str) -> Floats:
    """Distance of the mean of machine scores from the mean of human ones, real data."""
    table = pq.read_table(shared / "data" / "sets" / name / "scores.parquet").to_pandas()
    if name == "hanna":
        table = table[table.task == "coherence"]
        panel = table[table.judge_kind == "llm"].groupby("item_id").score.mean()
        human = table[table.judge_kind == "human"].groupby("item_id").score.mean()
    else:  # one rater stands for the panel, the mean of the others for the human score
        table = table[table.judge_kind == "human"]
        first = table.judge.str.endswith("pos0")
        panel = table[first].groupby("item_id").score.mean()
        human = table[~first].groupby("item_id").score.mean()
    residual = (panel - human).abs().dropna().to_numpy()
    assert len(residual) > 900
    return np.asarray(residual, dtype=np.float64)


@pytest.mark.parametrize("name", ["hanna", "mlqe_da_dev"])
@pytest.mark.parametrize(("n", "alpha"), [(50, 0.1), (200, 0.2)])
def test_P_1_coverage_over_splits_of_real_data(
    shared: Path, name: str, n: int, alpha: float
) -> None:
    # Splits of one finite set: coverage of the rest averages k/(n+1) exactly up to ties.
    residual, rng, splits = residuals_of(shared, name), np.random.default_rng(7), 1000
    share = np.empty(splits)
    for i in range(splits):
        order = rng.permutation(len(residual))
        bound = split_threshold(residual[order[:n]], alpha=alpha)
        share[i] = np.mean(residual[order[n:]] <= bound.value)
    error = 3 * share.std() / np.sqrt(splits)
    assert share.mean() >= 1 - alpha - error
    assert share.mean() <= 1 - alpha + 1 / (n + 1) + error + 0.01  # ties cover a little more


@settings(deadline=None)
@given(
    hnp.arrays(np.float64, 20, elements=st.floats(-2, 3)),
    st.floats(0, 2),
)
def test_interval_stays_on_the_scale_and_holds_the_prediction(f: Floats, q: float) -> None:
    low, high = split_interval(f, q, scale_low=0, scale_high=1)
    inside = np.clip(f, 0, 1)
    assert ((low >= 0) & (high <= 1) & (low <= inside) & (inside <= high)).all()


def test_interval_scales_with_the_spread_and_keeps_missing_missing() -> None:
    low, high = split_interval(
        [0.5, 0.5, np.nan], 2.0, scale_low=0, scale_high=1, spread=[0.1, 0.2, 0.1]
    )
    np.testing.assert_allclose(low, [0.3, 0.1, np.nan])
    np.testing.assert_allclose(high, [0.7, 0.9, np.nan])
    with pytest.raises(ValueError, match="spread must be positive"):
        split_interval([0.5], 2.0, scale_low=0, scale_high=1, spread=[0.0])


def test_levels_of_an_interval() -> None:
    levels = np.arange(1, 6)
    first, last = ordinal_levels(
        [1.0, 2.4, 3.0, 2.6, np.nan, 1.2 - 1e-16], [3.0, 2.45, 5.0, 2.7, 1.0, 1.2], levels
    )
    assert first.tolist() == [0, 1, 2, 2, -1, 0]
    assert last.tolist() == [2, 1, 4, 2, -1, 0]
    # 1/3 and 2/3 of a scale come back with rounding; they are still levels.
    first, last = ordinal_levels([1 - 2 / 3], [3 * (1 / 3) - 1 / 3], [0, 1 / 3, 2 / 3, 1])
    assert (first[0], last[0]) == (1, 2)


def test_level_sets_cover_ordinal_scores() -> None:
    rng = np.random.default_rng(0)
    latent = rng.uniform(1, 5, 6000)
    human = np.clip(np.round(latent + rng.normal(0, 0.5, 6000)), 1, 5)
    bound = split_threshold(np.abs(human - latent)[:1000], alpha=0.2)
    low, high = split_interval(latent, bound.value, scale_low=1, scale_high=5)
    first, last = ordinal_levels(low, high, np.arange(1, 6))
    inside = ((human - 1 >= first) & (human - 1 <= last))[1000:]
    assert bound.coverage_low - 0.03 <= inside.mean()


@pytest.mark.parametrize(
    ("residuals", "alpha", "message"),
    [
        ([0.1, np.nan], 0.1, "residuals must not be NaN"),
        ([[0.1]], 0.1, "residuals must have one dimension, not 2"),
        ([0.1], 1.0, r"alpha = 1\.0 must lie strictly between 0 and 1"),
    ],
)
def test_bad_arguments_are_named(residuals: object, alpha: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        split_threshold(residuals, alpha=alpha)  # type: ignore[arg-type]


def test_bad_scale_and_levels_are_named() -> None:
    with pytest.raises(ValueError, match="scale_low = 1 must be below"):
        split_interval([0.5], 0.1, scale_low=1, scale_high=1)
    with pytest.raises(ValueError, match="prediction must be finite"):
        split_interval([np.inf], 0.1, scale_low=0, scale_high=1)
    with pytest.raises(ValueError, match="threshold = nan must be one number"):
        split_interval([0.5], np.nan, scale_low=0, scale_high=1)
    with pytest.raises(ValueError, match="levels must be one rising row"):
        ordinal_levels([0.1], [0.2], [2, 1])
    with pytest.raises(ValueError, match="low must not lie above high"):
        ordinal_levels([0.3], [0.2], [1, 2])


def labelled(judged: Callable[..., Any], n: int, labels: int, **more: object) -> tuple[Floats, Any]:
    rng = np.random.default_rng(0)
    human = rng.random(n)
    votes = np.clip(human[:, None] + rng.normal(0, 0.1, (n, 3)), 0, 1)
    known = np.full(n, np.nan)
    known[rng.permutation(n)[:labels]] = 1.0
    return human, judged(votes, human=human * known, scale="continuous", **more)


def test_hook_bounds_new_responses_from_the_labelled_ones(judged: Callable[..., Any]) -> None:
    human, case = labelled(judged, 2000, 99)
    found = panopt_analyze(case.matrix, case.consensus, Ask(alpha=0.2), np.random.default_rng(0))
    assert found is not None
    (row,) = found.named("conformal_halfwidth")
    known = ~np.isnan(case.matrix.human_mean)
    residual = np.abs(human - case.consensus.blind_value)
    assert row.value == np.sort(residual[known])[79]
    assert (row.n, row.details["k"]) == (99, 80)
    low, high = found.columns["conformal_low"], found.columns["conformal_high"]
    inside = np.mean((low[~known] <= human[~known]) & (human[~known] <= high[~known]))
    ends = row.details["coverage_low"], row.details["coverage_high"]
    assert isinstance(ends[0], float)
    assert isinstance(ends[1], float)
    assert ends[0] - 0.03 < inside < ends[1] + 0.03
    assert "exchangeable" in row.assumptions[0]


def test_hook_says_how_many_labels_are_missing(judged: Callable[..., Any]) -> None:
    for labels in (0, 8):
        _, case = labelled(judged, 50, labels)
        found = panopt_analyze(
            case.matrix, case.consensus, Ask(alpha=0.1), np.random.default_rng(0)
        )
        assert found is not None
        assert found.rows[0].value is None
        assert found.rows[0].reason == (
            f"{labels} labels give no finite bound at alpha = 0.1: 9 are needed"
        )
        assert not found.columns


def test_hook_counts_epochs_of_one_item_once(judged: Callable[..., Any]) -> None:
    n = 30
    item, epoch = [f"i{i // 3:03d}" for i in range(n)], [i % 3 + 1 for i in range(n)]
    _, case = labelled(judged, n, n, item=item, epoch=epoch)
    found = panopt_analyze(case.matrix, case.consensus, Ask(alpha=0.1), np.random.default_rng(0))
    assert found is not None
    assert found.rows[0].n == 10
    assert "one of each of 10 clusters" in found.rows[0].assumptions[1]
    few = panopt_analyze(case.matrix, case.consensus, Ask(alpha=0.05), np.random.default_rng(0))
    assert few is not None
    assert few.rows[0].reason is not None
    assert few.rows[0].reason.startswith("10 clusters with a label give no finite bound")


def test_hook_keeps_the_coverage_when_the_clusters_are_copies(judged: Callable[..., Any]) -> None:
    # Every item four times with the same error: 80 labels are 20, and say so by their coverage.
    rng, hits, draws = np.random.default_rng(0), 0, 300
    item, epoch = [f"i{i // 4:03d}" for i in range(80)], [i % 4 + 1 for i in range(80)]
    for _ in range(draws):
        error = np.repeat(np.abs(rng.normal(0, 0.1, 20)), 4)
        case = judged(
            (0.4 + error)[:, None],
            human=np.full(80, 0.4),
            item=item,
            epoch=epoch,
            scale="continuous",
        )
        found = panopt_analyze(
            case.matrix, case.consensus, Ask(alpha=0.2), np.random.default_rng(0)
        )
        assert found is not None
        value = found.rows[0].value
        assert value is not None
        hits += abs(rng.normal(0, 0.1)) <= value
    assert hits / draws >= 0.8 - 3 * np.sqrt(0.16 / draws)


def test_hook_has_no_distance_between_labels(judged: Callable[..., Any]) -> None:
    _, case = labelled(judged, 20, 20)
    object.__setattr__(case.matrix, "scale", type(case.matrix.scale)("nominal"))
    found = panopt_analyze(case.matrix, case.consensus, Ask(), np.random.default_rng(0))
    assert found is not None
    assert found.rows[0].reason == "labels have no distance on a nominal scale"


@pytest.mark.parametrize("scale", ["binary", "pairwise"])
def test_hook_points_to_the_certificate_where_scores_are_sides(
    judged: Callable[..., Any], scale: str
) -> None:
    case = judged(np.ones((60, 3)), human=np.ones(60), scale=scale)
    found = panopt_analyze(case.matrix, case.consensus, Ask(), np.random.default_rng(0))
    assert found is not None
    (row,) = found.rows
    assert (row.name, row.value, row.n) == ("conformal_halfwidth", None, 60)
    assert row.reason is not None
    assert "see the certified threshold" in row.reason
    assert not found.columns


@pytest.mark.parametrize("n", [49_999, 50_000, 300_001])
@pytest.mark.parametrize("kind", ["continuous", "ties", "sorted", "infinite"])
def test_kth_smallest_is_exact_however_values_lie(n: int, kind: str) -> None:
    rng = np.random.default_rng(n)
    values = rng.normal(size=n)
    if kind == "ties":
        values = np.round(values)
    elif kind == "sorted":
        values = np.sort(values)
    elif kind == "infinite":
        values[rng.random(n) < 0.3] = np.inf
    order = np.sort(values)
    for k in (1, 2, n // 10, n // 2, int(0.9 * n), n - 1, n):
        assert kth_smallest(values, k) == order[k - 1]
