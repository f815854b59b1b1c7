"""Student's t errors: outliers that pull at nothing, intervals that cover, messages, hooks.

Truths, judges and biases as in test_gaussian; an outlier is an error of sd 1.5, six times tau.
"""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import t

from panopt.plugins import gaussian
from panopt.plugins.gaussian import hierarchical_gaussian
from panopt.records.ask import Ask
from panopt.records.consensus import Consensus

from .conftest import Judge

Floats = NDArray[np.float64]
Z90 = 1.6449
DRAWS = pytest.mark.parametrize("draws", [2, pytest.param(5, marks=pytest.mark.slow)])


def drawn(
    seed: int, n: int, noise: list[float], *, outliers: float = 0.0, df: float | None = None
) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats, Floats, Floats]:
    """Draw complete scores: item, judge, score, truth and bias."""
    rng = np.random.default_rng([seed, n, len(noise)])
    truth = 0.5 + 0.25 * rng.standard_normal(n)
    bias = rng.normal(0, 0.1, len(noise))
    bias -= bias.mean()
    item, judge = np.divmod(np.arange(n * len(noise)), len(noise))
    shape = rng.standard_normal(item.size) if df is None else rng.standard_t(df, item.size)
    error = np.array(noise)[judge] * shape
    error = np.where(rng.random(item.size) < outliers, 1.5 * rng.standard_normal(item.size), error)
    return item, judge, truth[item] + bias[judge] + error, truth, bias


def squared(seeds: range, **options: float) -> tuple[float, float, float]:
    """Give mean squared errors with normal and with t errors, and the latter's coverage."""
    normal, student, share = [], [], []
    for seed in seeds:
        *rows, truth, _ = drawn(seed, 100, [0.1, 0.15, 0.2], **options)
        plain = hierarchical_gaussian(*rows)
        panel = hierarchical_gaussian(*rows, errors="student_t")
        assert panel.converged
        normal.append(np.mean((plain.mean - truth) ** 2))
        student.append(np.mean((panel.mean - truth) ** 2))
        share.append(np.mean(np.abs(panel.mean - truth) <= Z90 * panel.sd))
    return float(np.mean(normal)), float(np.mean(student)), float(np.mean(share))


@DRAWS
def test_outliers_pull_at_nothing(draws: int) -> None:
    normal, student, share = squared(range(draws), outliers=0.05)
    assert student < 0.5 * normal
    assert share > 0.9 - 3 * np.sqrt(0.09 / (100 * draws))


@DRAWS
def test_without_outliers_little_is_lost(draws: int) -> None:
    normal, student, share = squared(range(draws))
    assert student < 1.02 * normal
    assert share > 0.9 - 3 * np.sqrt(0.09 / (100 * draws))


@pytest.mark.slow
@pytest.mark.parametrize("df", [None, 4.0])
@pytest.mark.parametrize("noise", [[0.05, 0.1, 0.2], [0.3, 0.3, 0.3], [0.1, 0.2] * 3], ids=str)
@pytest.mark.parametrize("n", [100, 300])
def test_intervals_of_90_percent_cover(noise: list[float], n: int, df: float | None) -> None:
    share, bias_held, noise_held = [], [], []
    for seed in range(60):
        *rows, truth, bias = drawn(seed, n, noise, df=df)
        panel = hierarchical_gaussian(*rows, errors="student_t")
        share.append(np.mean(np.abs(panel.mean - truth) <= Z90 * panel.sd))
        bias_held.append(np.mean(np.abs(panel.bias - bias) <= 1.96 * panel.bias_se))
        width = np.array(noise) * (1.0 if df is None else t.ppf(0.84134, df))
        off = np.abs(np.log(panel.noise_sd / width))
        noise_held.append(np.mean(off <= 1.96 * panel.noise_se / panel.noise_sd))
    assert np.mean(share) >= (0.86 if n == 100 else 0.87)
    assert min(share) >= 0.55
    for held in (bias_held, noise_held):
        assert np.mean(held) >= 0.95 - 3 * np.std(held, ddof=1) / np.sqrt(60) - 0.02


def test_a_wild_score_leaves_its_own_item_alone() -> None:
    item, judge, score, truth, _ = drawn(0, 100, [0.1, 0.1, 0.15, 0.2])
    plain = hierarchical_gaussian(item, judge, score)
    wild = score.copy()
    wild[4] += 500.0  # judge 0 on item 1
    panel = hierarchical_gaussian(item, judge, wild, errors="student_t")
    assert abs(panel.mean[1] - truth[1]) < 3 * panel.sd[1]
    others = np.arange(100) != 1
    moved = (panel.mean - plain.mean)[others]
    assert np.sqrt(np.mean(moved**2)) < 0.5 * plain.sd.mean()
    assert panel.noise_sd == pytest.approx(plain.noise_sd, rel=0.4)
    assert 1 < panel.df < 100


def test_fixed_degrees_of_freedom_are_kept_and_many_are_normal_errors() -> None:
    *rows, _, _ = drawn(1, 150, [0.2, 0.2, 0.3])
    normal = hierarchical_gaussian(*rows)
    panel = hierarchical_gaussian(*rows, errors="student_t", df=1000)
    assert normal.df == np.inf
    assert panel.df == pytest.approx(1000)
    assert panel.mean == pytest.approx(normal.mean, abs=0.15 * normal.sd.mean())
    assert panel.sd == pytest.approx(normal.sd, rel=0.08)
    assert panel.noise_sd == pytest.approx(normal.noise_sd, rel=0.08)
    assert panel.bias == pytest.approx(normal.bias, abs=0.005)


def test_many_items_with_gaps_and_an_anchor() -> None:
    item, judge, score, truth, bias = drawn(2, 3000, [0.1, 0.2, 0.3, 0.1], df=4.0)
    kept = np.random.default_rng(0).random(item.size) < 0.8
    score = score - bias[judge] + np.array([0.2, -0.1, 0.1, 0.0])[judge]
    rows = (item[kept], judge[kept], score[kept])
    panel = hierarchical_gaussian(*rows, anchor=3, n_items=3000, errors="student_t")
    width = np.array([0.1, 0.2, 0.3, 0.1]) * t.ppf(0.84134, 4.0)
    assert panel.bias == pytest.approx([0.2, -0.1, 0.1, 0.0], abs=0.03)
    assert panel.noise_sd == pytest.approx(width, rel=0.15)
    assert panel.df == pytest.approx(4.0, rel=0.4)
    known = ~np.isnan(panel.mean)
    share = np.mean(np.abs(panel.mean - truth)[known] <= Z90 * panel.sd[known])
    assert share == pytest.approx(0.9, abs=0.03)


def test_a_crowd_of_forty_judges_is_fitted() -> None:
    rng = np.random.default_rng(0)
    judge = np.argsort(rng.random((200, 40)), axis=1)[:, :6].ravel()
    item = np.repeat(np.arange(200), 6)
    truth = rng.normal(size=200)
    score = truth[item] + 0.4 * rng.normal(size=1200)
    wild = rng.random(1200) < 0.05
    score[wild] += 8.0
    panel = hierarchical_gaussian(item, judge, score, errors="student_t")
    plain = hierarchical_gaussian(item, judge, score)
    assert np.mean((panel.mean - truth) ** 2) < 0.5 * np.mean((plain.mean - truth) ** 2)


def test_same_scores_same_bytes() -> None:
    *rows, _, _ = drawn(3, 60, [0.1, 0.2, 0.3], outliers=0.05)
    first, second = (hierarchical_gaussian(*rows, errors="student_t", df=4) for _ in range(2))
    assert first.mean.tobytes() == second.mean.tobytes()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"errors": "cauchy"}, "errors = 'cauchy'; it must be 'normal' or 'student_t'"),
        ({"df": 4}, "df = 4 with normal errors; it is for errors = 'student_t'"),
        ({"errors": "student_t", "df": 0.5}, "df = 0.5; it must be from 1 to 1000"),
        ({"errors": "student_t", "df": np.nan}, "df = nan; it must be from 1 to 1000"),
    ],
)
def test_bad_options_are_named(options: dict[str, object], message: str) -> None:
    *rows, _, _ = drawn(0, 30, [0.1, 0.2, 0.3])
    with pytest.raises(ValueError, match=message):
        hierarchical_gaussian(*rows, **options)  # type: ignore[arg-type]


def test_two_judges_are_refused_with_outliers_too() -> None:
    *rows, _, _ = drawn(0, 50, [0.1, 0.2])
    with pytest.raises(ValueError, match="unidentified"):
        hierarchical_gaussian(*rows, errors="student_t")


def test_the_method_student_t_is_an_aggregator(judged: Judge) -> None:
    assert gaussian.panopt_methods() == ("gaussian", "student_t")
    *_, score, _, _ = drawn(4, 60, [0.1, 0.1, 0.2], outliers=0.05)
    case = judged(np.clip(score.reshape(60, 3), 0, 1), scale="continuous")
    consensus = gaussian.panopt_aggregate(case.matrix, "student_t", "asked for", Ask())
    assert isinstance(consensus, Consensus)
    assert consensus.method == "student_t"
    assert "Student's t" in consensus.assumptions[0]
    findings = gaussian.panopt_analyze(case.matrix, consensus, Ask())
    assert findings is not None
    assert all("Student's t" in row.method for row in findings)
    assert all(row.value is not None for row in findings)
