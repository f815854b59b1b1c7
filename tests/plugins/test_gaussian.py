"""Gaussian panel: references, invariances, coverage by simulation, screening, messages, hooks.

The simulated truth: theta ~ N(.5, tau^2), scores theta + b_j + N(0, sigma_j^2), biases of sum
zero. A 90% interval mean +- 1.645 sd must then hold theta nine times in ten on average over
items, whatever the variances.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import fields, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from statsmodels.regression.mixed_linear_model import MixedLM

from panopt.analysis import analyze
from panopt.errors import AskError
from panopt.plugins import gaussian
from panopt.plugins.gaussian import GaussianPanel, hierarchical_gaussian
from panopt.records.ask import Ask
from panopt.records.consensus import OUTCOMES, Consensus
from panopt.stats.mean import mean_interval

from .conftest import Judge

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]
Z90 = 1.6449


class Simulated(NamedTuple):
    """Scores in long format and what they were made from."""

    item: Codes
    judge: Codes
    score: Floats
    truth: Floats
    bias: Floats
    noise: Floats

    @property
    def rows(self) -> tuple[Codes, Codes, Floats]:
        return self.item, self.judge, self.score


def layers(fast: int, full: int) -> pytest.MarkDecorator:
    """Give a test so many draws, and so many in the slow layer."""
    return pytest.mark.parametrize("draws", [fast, pytest.param(full, marks=pytest.mark.slow)])


def simulate(
    seed: int,
    n: int,
    noise: list[float],
    *,
    tau: float = 0.25,
    missing: float = 0.0,
    repeats: int = 1,
) -> Simulated:
    rng = np.random.default_rng([seed, n, len(noise)])
    sigma = np.array(noise)
    truth = 0.5 + tau * rng.standard_normal(n)
    bias = rng.normal(0, 0.1, len(noise))
    bias -= bias.mean()
    item = np.repeat(np.arange(n), len(noise) * repeats)
    judge = np.tile(np.repeat(np.arange(len(noise)), repeats), n)
    score = truth[item] + bias[judge] + sigma[judge] * rng.standard_normal(item.size)
    kept = rng.random(item.size) >= missing
    return Simulated(item[kept], judge[kept], score[kept], truth, bias, sigma)


def wide(data: Simulated, *columns: Floats) -> tuple[Codes, Codes, Floats]:
    """Add judges to complete scores: one column of scores each, NaN where it gave none."""
    table = np.column_stack((data.score.reshape(len(data.truth), -1), *columns))
    item, judge = np.nonzero(~np.isnan(table))
    return item, judge, table[item, judge]


def covered(panel: GaussianPanel, truth: Floats) -> float:
    known = ~np.isnan(panel.mean)
    return float(np.mean(np.abs(panel.mean - truth)[known] <= Z90 * panel.sd[known]))


# --- reference numbers ---------------------------------------------------------------------


def test_P_6_balanced_design_agrees_with_mixed_lm_and_anova() -> None:
    data = simulate(0, 400, [0.3] * 4, tau=0.5)
    panel = hierarchical_gaussian(*data.rows)
    table = data.score.reshape(400, 4)
    # ANOVA of items by judges: mean squares 4 tau^2 + sigma^2 and sigma^2.
    rest = table - table.mean(axis=1, keepdims=True) - table.mean(axis=0) + table.mean()
    within = float((rest**2).sum() / (399 * 3))
    between = 4 * float(np.var(table.mean(axis=1), ddof=1))
    tau = np.sqrt((between - within) / 4)
    assert np.sqrt(np.mean(panel.noise_sd**2)) == pytest.approx(np.sqrt(within), rel=0.01)
    assert panel.tau == pytest.approx(tau, rel=0.005)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        peer = MixedLM(data.score, pd.get_dummies(data.judge).astype(float), groups=data.item).fit()
    assert panel.tau == pytest.approx(float(np.sqrt(peer.cov_re.iloc[0, 0])), rel=0.005)
    assert panel.mu + panel.bias == pytest.approx(np.asarray(peer.fe_params), abs=1e-9)
    effects = np.array([peer.random_effects[i].iloc[0] for i in range(400)])
    difference = panel.mean - panel.mu - effects
    assert np.abs(difference).max() < 0.25 * panel.sd.max()  # it weighs judges alike; we do not
    assert np.sqrt(np.mean(difference**2)) < 0.1 * panel.sd.max()


def test_judge_means_of_a_balanced_design_are_the_biases() -> None:
    data = simulate(1, 50, [0.1, 0.2, 0.4, 0.3])
    panel = hierarchical_gaussian(*data.rows)
    means = data.score.reshape(50, 4).mean(axis=0)
    assert panel.bias == pytest.approx(means - means.mean(), abs=1e-12)
    assert panel.mu == pytest.approx(means.mean(), abs=1e-12)
    spread = np.sqrt(np.mean(panel.noise_sd**2) * 0.75 / 50)
    assert np.mean(panel.bias_se) == pytest.approx(spread, rel=0.15)


def test_many_items_find_every_parameter() -> None:
    data = simulate(2, 100_000, [0.05, 0.2, 0.3], missing=0.2)
    panel = hierarchical_gaussian(*data.rows)
    assert panel.converged
    assert panel.noise_sd == pytest.approx(data.noise, abs=0.004)
    assert panel.bias == pytest.approx(data.bias, abs=0.004)
    assert (panel.mu, panel.tau) == pytest.approx((0.5, 0.25), abs=0.004)
    assert panel.precision == pytest.approx(panel.noise_sd**-2.0)


def test_known_variances_give_the_textbook_posterior() -> None:
    # With 20,000 items the variances are known, and the posterior is that of a normal mean.
    data = simulate(3, 20_000, [0.1, 0.2, 0.3])
    panel = hierarchical_gaussian(*data.rows)
    weight = data.noise**-2.0
    precision = weight.sum() + 0.25**-2
    scores = data.score.reshape(-1, 3) - data.bias
    mean = (scores @ weight + 0.5 * 0.25**-2) / precision
    assert panel.sd == pytest.approx(np.full(20_000, precision**-0.5), rel=0.04)
    assert np.abs(panel.mean - mean).max() < 0.03


def test_repeats_sharpen_as_independent_scores_do() -> None:
    data = simulate(4, 2000, [0.2, 0.2, 0.2], repeats=4)
    panel = hierarchical_gaussian(*data.rows)
    assert panel.noise_sd == pytest.approx(data.noise, rel=0.03)
    assert panel.sd.mean() == pytest.approx((12 / 0.04 + 16) ** -0.5, rel=0.03)
    assert not panel.warnings


def test_estimates_are_the_weighted_scores_less_bias() -> None:
    data = simulate(5, 200, [0.1, 0.2, 0.3], missing=0.3, repeats=2)
    panel = hierarchical_gaussian(*data.rows)
    repeats = np.bincount(data.item * 3 + data.judge)[data.item * 3 + data.judge]
    weight = panel.precision[data.judge] / (1 + (repeats - 1) * panel.rho[data.judge])
    assert panel.rho.min() > 0
    assert panel.rho.max() < 0.2
    pull = np.bincount(data.item, weights=weight * (data.score - panel.bias[data.judge]))
    with np.errstate(invalid="ignore"):
        assert panel.estimate == pytest.approx(
            pull / np.bincount(data.item, weights=weight), nan_ok=True
        )


def test_estimates_are_unbiased_for_groups_where_posterior_means_are_not() -> None:
    data = simulate(5, 4000, [0.3, 0.4, 0.5], missing=0.3)
    panel = hierarchical_gaussian(*data.rows, n_items=4000)
    best = (data.truth > 0.75) & ~np.isnan(panel.estimate)
    error = np.sqrt(np.mean(panel.noise_sd**2) / best.sum())
    assert np.mean((panel.estimate - data.truth)[best]) == pytest.approx(0.0, abs=3 * error)
    assert np.mean((panel.mean - data.truth)[best]) < -0.1


# --- properties ----------------------------------------------------------------------------


def same(left: GaussianPanel, right: GaussianPanel, tolerance: float = 1e-7) -> None:
    for field in fields(GaussianPanel):
        if field.name not in ("warnings", "n_iter", "log_likelihood"):
            assert getattr(left, field.name) == pytest.approx(
                getattr(right, field.name), rel=tolerance, abs=tolerance, nan_ok=True
            ), field.name


@settings(max_examples=20)
@given(st.integers(0, 2**16), st.floats(-1e3, 1e3), st.floats(1e-3, 1e3))
def test_moving_and_stretching_the_scale_moves_and_stretches_the_result(
    seed: int, shift: float, factor: float
) -> None:
    data = simulate(seed, 30, [0.1, 0.2, 0.3], missing=0.2)
    panel = hierarchical_gaussian(*data.rows)
    moved = hierarchical_gaussian(data.item, data.judge, data.score * factor + shift)
    back = replace(
        moved,
        mean=(moved.mean - shift) / factor,
        mu=(moved.mu - shift) / factor,
        estimate=(moved.estimate - shift) / factor,
        bias_cov=moved.bias_cov / factor**2,
        **{
            name: getattr(moved, name) / factor
            for name in ("sd", "bias", "bias_se", "noise_sd", "noise_se", "mu_se", "tau", "tau_se")
        },
    )
    same(panel, back, 1e-5)
    gained = moved.log_likelihood + data.score.size * np.log(factor)
    assert gained == pytest.approx(panel.log_likelihood, abs=1e-4)


@settings(max_examples=20)
@given(st.integers(0, 2**16))
def test_the_order_of_rows_does_not_matter(seed: int) -> None:
    data = simulate(seed, 30, [0.1, 0.2, 0.3], missing=0.3, repeats=2)
    order = np.random.default_rng(seed).permutation(data.score.size)
    same(
        hierarchical_gaussian(*data.rows),
        hierarchical_gaussian(*(column[order] for column in data.rows)),
        1e-6,
    )


def test_naming_items_otherwise_only_moves_them() -> None:
    data = simulate(6, 60, [0.1, 0.2, 0.3], missing=0.2)
    names = np.random.default_rng(0).permutation(60)
    panel = hierarchical_gaussian(*data.rows, n_items=60)
    other = hierarchical_gaussian(names[data.item], data.judge, data.score, n_items=60)
    assert other.mean[names] == pytest.approx(panel.mean, nan_ok=True)
    assert other.sd[names] == pytest.approx(panel.sd, nan_ok=True)


def test_naming_judges_otherwise_only_moves_them() -> None:
    data = simulate(7, 100, [0.1, 0.2, 0.3, 0.2], missing=0.2)
    names = np.array([2, 0, 3, 1])
    panel = hierarchical_gaussian(*data.rows)
    other = hierarchical_gaussian(data.item, names[data.judge], data.score)
    assert np.log(other.noise_sd[names] / panel.noise_sd) == pytest.approx(
        np.zeros(4), abs=0.15 * np.max(panel.noise_se / panel.noise_sd)
    )
    assert other.mean == pytest.approx(panel.mean, abs=0.002, nan_ok=True)


def test_same_scores_same_bytes() -> None:
    data = simulate(8, 100, [0.1, 0.2, 0.3], missing=0.2)
    first, second = (hierarchical_gaussian(*data.rows) for _ in range(2))
    assert first.mean.tobytes() == second.mean.tobytes()
    assert first.sd.tobytes() == second.sd.tobytes()


def test_a_constant_on_one_judge_is_its_bias_against_the_anchor() -> None:
    data = simulate(9, 200, [0.1, 0.2, 0.3], missing=0.1)
    panel = hierarchical_gaussian(*data.rows, anchor=2)
    raised = np.where(data.judge == 0, data.score + 0.7, data.score)
    other = hierarchical_gaussian(data.item, data.judge, raised, anchor=[2])
    assert (other.bias - panel.bias).tolist() == pytest.approx([0.7, 0.0, 0.0])
    assert other.mean == pytest.approx(panel.mean, nan_ok=True)
    assert panel.bias[2] == panel.bias_se[2] == 0.0
    moved = hierarchical_gaussian(
        data.item, data.judge, np.where(data.judge == 2, data.score + 0.7, data.score), anchor=2
    )
    assert moved.mean == pytest.approx(panel.mean + 0.7, nan_ok=True)
    assert (moved.bias - panel.bias).tolist() == pytest.approx([-0.7, -0.7, 0.0])


def test_several_anchors_share_one_mean() -> None:
    data = simulate(10, 3000, [0.1, 0.2, 0.3, 0.3])
    score = data.score - data.bias[data.judge] + np.array([0.2, -0.1, 0.0, 0.0])[data.judge]
    panel = hierarchical_gaussian(data.item, data.judge, score, anchor=[2, 3])
    assert panel.bias.tolist() == pytest.approx([0.2, -0.1, 0.0, 0.0], abs=0.02)
    assert panel.bias_se[2:].tolist() == [0.0, 0.0]
    assert panel.mu == pytest.approx(0.5, abs=0.02)


def test_an_item_or_a_judge_without_scores_has_no_numbers_and_is_told() -> None:
    data = simulate(11, 40, [0.2, 0.2, 0.3])
    judge = data.judge + (data.judge > 0)  # nobody is judge 1
    panel = hierarchical_gaussian(data.item + 1, judge, data.score, n_items=42, n_judges=5)
    assert np.flatnonzero(np.isnan(panel.mean)).tolist() == [0, 41]
    assert np.isnan(panel.sd).sum() == 2
    assert np.flatnonzero(np.isnan(panel.noise_sd)).tolist() == [1, 4]
    assert panel.counted.tolist() == [True, False, True, True, False]
    assert panel.warnings == ("no score from judge 1, 4: its bias and noise are NaN",)
    assert np.flatnonzero(np.isnan(panel.estimate)).tolist() == [0, 41]
    plain = hierarchical_gaussian(*data.rows)
    assert panel.mean[1:41] == pytest.approx(plain.mean)


# --- coverage and recovery -----------------------------------------------------------------

DESIGNS = [[0.05, 0.1, 0.2], [0.02, 0.2, 0.3], [0.3, 0.3, 0.3]]
LARGER = [
    [0.05, 0.1, 0.2, 0.05, 0.1],
    [0.02, 0.2, 0.3, 0.2, 0.3],
    [0.3] * 5,
    [0.05, 0.1, 0.2] * 3 + [0.05],
    [0.02, *[0.2, 0.3] * 4, 0.2],
    [0.3] * 10,
]
LEAST = {100: 0.85, 200: 0.87, 1000: 0.89}


def check_coverage(noise: list[float], n: int, draws: int, *, tau: float) -> None:
    share, squared = np.empty(draws), np.zeros(2)
    for seed in range(draws):
        data = simulate(seed, n, noise, tau=tau)
        panel = hierarchical_gaussian(*data.rows)
        share[seed] = covered(panel, data.truth)
        plain = data.score.reshape(n, -1).mean(axis=1)
        squared += [np.sum((one - data.truth) ** 2) for one in (panel.mean, plain)]
    assert squared[0] < squared[1]  # the plain mean loses
    error = share.std(ddof=1) / np.sqrt(draws)
    assert share.mean() >= LEAST[n] - 3 * error
    assert share.min() >= 0.55
    if min(noise) > 0.02:  # a nearly noiseless judge makes intervals wide, never short
        assert share.mean() <= 0.96


@pytest.mark.parametrize("n", [100, 200])
@pytest.mark.parametrize("noise", DESIGNS, ids=str)
def test_P_6_intervals_of_90_percent_cover(noise: list[float], n: int) -> None:
    check_coverage(noise, n, 15, tau=0.25)


@pytest.mark.slow
@pytest.mark.parametrize("tau", [0.1, 0.2, 0.3, 1.0])
@pytest.mark.parametrize("n", [100, 200, 1000])
@pytest.mark.parametrize("noise", DESIGNS, ids=str)
def test_P_6_intervals_of_90_percent_cover_in_many_draws(
    noise: list[float], n: int, tau: float
) -> None:
    check_coverage(noise, n, 200, tau=tau)


@pytest.mark.slow
@pytest.mark.parametrize("n", [100, 200, 1000])
@pytest.mark.parametrize("noise", LARGER, ids=str)
def test_P_6_intervals_of_90_percent_cover_with_five_and_ten_judges(
    noise: list[float], n: int
) -> None:
    check_coverage(noise, n, 200, tau=0.25)


def check_recovery(noise: list[float], n: int, draws: int, **options: float) -> None:
    hits = np.zeros(3)
    for seed in range(draws):
        data = simulate(seed, n, noise, **options)  # type: ignore[arg-type]
        panel = hierarchical_gaussian(*data.rows)
        hits[0] += bool(np.all(np.abs(panel.bias - data.bias) <= 3 * panel.bias_se))
        hits[1] += bool(np.all(np.abs(panel.noise_sd - data.noise) <= 3 * panel.noise_se))
        hits[2] += abs(panel.tau - options.get("tau", 0.25)) <= 3 * panel.tau_se
    assert hits.min() >= 0.95 * draws, hits


@layers(20, 100)
def test_P_6_parameters_are_recovered_within_three_standard_errors(draws: int) -> None:
    check_recovery([0.1, 0.2, 0.3, 0.4], 200, draws, missing=0.3)


@pytest.mark.slow
@pytest.mark.parametrize("noise", [*DESIGNS, [0.1] * 5, [0.05, 0.1, 0.2, 0.4, 0.8]], ids=str)
@pytest.mark.parametrize("n", [50, 300])
@pytest.mark.parametrize("missing", [0.0, 0.4])
def test_P_6_parameters_are_recovered_in_many_designs(
    noise: list[float], n: int, missing: float
) -> None:
    check_recovery(noise, n, 100, missing=missing)


@layers(1, 5)
def test_a_crowd_where_every_item_has_its_own_raters_is_covered(draws: int) -> None:
    # 300 items, 60 raters, five an item; noise from .07 to .6.
    share, z = [], []
    for seed in range(draws):
        rng = np.random.default_rng(seed)
        noise = 0.2 * np.exp(0.5 * rng.standard_normal(60))
        bias = rng.normal(0, 0.1, 60)
        truth = 0.5 + 0.25 * rng.standard_normal(300) + bias.mean()
        bias -= bias.mean()
        judge = np.argsort(rng.random((300, 60)), axis=1)[:, :5].ravel()
        item = np.repeat(np.arange(300), 5)
        score = truth[item] + bias[judge] + noise[judge] * rng.standard_normal(1500)
        panel = hierarchical_gaussian(item, judge, score)
        share.append(covered(panel, truth))
        z.append((panel.noise_sd - noise) / panel.noise_se)
    assert np.mean(share) == pytest.approx(0.9, abs=3 * np.sqrt(0.09 / (300 * draws)))
    assert np.std(z) == pytest.approx(1.0, abs=0.25)


def test_judges_that_err_together_are_not_called_friends_of_the_anchor() -> None:
    # Judges 1 and 2 share errors; judge 0 and the humans (3) have none in common.
    data = simulate(6, 300, [0.1, 0.1, 0.1, 0.05])
    shared = 0.2 * np.random.default_rng(0).standard_normal(300)
    theirs = (data.judge == 1) | (data.judge == 2)
    score = data.score + np.where(theirs, shared[data.item], 0.0)
    names = ["one", "two", "three", "people"]
    panel = hierarchical_gaussian(data.item, data.judge, score, anchor=3, names=names)
    told = [text for text in panel.warnings if "correlate" in text or "share errors" in text]
    assert any("two and three" in text for text in told)
    assert not any("people" in text for text in panel.warnings)


# --- who scored what may depend on what it is ---------------------------------------------


@pytest.mark.parametrize(
    ("n_judges", "form", "draws"),
    [
        (1, "patterns", 20),
        (3, "patterns", 20),
        (1, "items", 2),
        pytest.param(1, "patterns", 60, marks=pytest.mark.slow),
        pytest.param(3, "patterns", 60, marks=pytest.mark.slow),
        pytest.param(1, "items", 8, marks=pytest.mark.slow),
    ],
)
def test_bias_is_unbiased_where_humans_label_the_hardest_items(
    n_judges: int, form: str, draws: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    crowd = form == "items"
    if crowd:  # items that are not summed by pattern share one mu; biases must not feel it
        monkeypatch.setattr("panopt.stats.gaussian_sums._ROOM", -(10**9))
    n = 300
    bias = np.array([0.1, -0.05, 0.02])[:n_judges]
    hits, errors = [], []
    for seed in range(draws):
        rng = np.random.default_rng(seed)
        truth = 0.5 + 0.15 * rng.normal(size=n)
        item, judge = np.divmod(np.arange(n * n_judges), n_judges)
        score = truth[item] + bias[judge] + 0.15 * rng.normal(size=item.size)
        hard = np.argsort(truth)[:60]
        panel = hierarchical_gaussian(
            np.append(item, hard),
            np.append(judge, np.full(60, n_judges)),
            np.append(score, truth[hard] + 0.05 * rng.normal(size=60)),
            anchor=n_judges,
        )
        error = panel.bias[:n_judges] - bias
        errors.append(error)
        hits.append(np.abs(error) <= 1.96 * panel.bias_se[:n_judges])
        if n_judges == 3:  # one judge's noise and tau part only if labels are a random sample
            assert panel.sd.max() <= np.sqrt(panel.tau**2 + panel.mu_se**2)
            assert covered(panel, truth) > 0.8
    error = np.mean(errors, axis=0)
    assert error == pytest.approx(np.zeros(n_judges), abs=4 * 0.02 / np.sqrt(draws))
    floor = 0.90 if crowd else 0.93
    assert np.mean(hits) >= floor - 3 * np.sqrt(0.05 * 0.95 / (draws * n_judges))


@layers(20, 60)
def test_estimates_of_two_systems_with_a_judge_each_rest_on_shared_labels(draws: int) -> None:
    # Judge 0 scores the better system and judge 1 the worse; humans a fifth of both.
    errors = []
    for seed in range(draws):
        rng = np.random.default_rng(seed)
        truth = np.where(np.arange(400) < 200, 0.65, 0.4) + 0.05 * rng.normal(size=400)
        judge = np.repeat([0, 1], 200)
        score = truth + np.array([0.05, -0.03])[judge] + 0.2 * rng.normal(size=400)
        human = np.flatnonzero(rng.random(400) < 0.2)
        panel = hierarchical_gaussian(
            np.append(np.arange(400), human),
            np.append(judge, np.full(human.size, 2)),
            np.append(score, truth[human] + 0.05 * rng.normal(size=human.size)),
            anchor=2,
        )
        error = (panel.bias[:2] - [0.05, -0.03]) / panel.bias_se[:2]
        errors.append([*error, np.mean((panel.estimate - truth)[:200])])
    assert np.mean(np.abs(np.array(errors)[:, :2]) <= 1.96) >= 0.95 - 3 * np.sqrt(
        0.0475 / (2 * draws)
    )
    assert np.mean(errors, axis=0)[2] == pytest.approx(0.0, abs=0.015 * np.sqrt(60 / draws))


@pytest.mark.parametrize("few", [1, 2, 4])
def test_a_judge_with_few_scores_does_not_blow_up_the_sds_of_its_items(few: int) -> None:
    for seed in range(8):
        data = simulate(seed, 200, [0.025, 0.05, 0.075])
        rng = np.random.default_rng(seed)
        rare = np.full(200, np.nan)
        rare[:few] = data.truth[:few] + 0.05 * rng.normal(size=few)
        plain = hierarchical_gaussian(*data.rows)
        panel = hierarchical_gaussian(*wide(data, rare))
        assert np.all(panel.sd <= np.sqrt(panel.tau**2 + panel.mu_se**2))
        assert panel.sd[:few].max() <= 1.2 * plain.sd.max()


# --- judges that must not take over --------------------------------------------------------


@pytest.mark.parametrize("jitter", [0.0, 0.02])
@pytest.mark.parametrize("noise", [[0.2, 0.2, 0.3], [0.2, 0.2, 0.3, 0.25]], ids=str)
def test_a_copied_judge_counts_once(noise: list[float], jitter: float) -> None:
    share = []
    for seed in range(10):
        data = simulate(seed, 150, noise)
        rng = np.random.default_rng(seed)
        copy = data.score.reshape(150, -1)[:, 1] + 0.1 + jitter * rng.standard_normal(150)
        panel = hierarchical_gaussian(*wide(data, copy))
        plain = hierarchical_gaussian(*data.rows)
        assert panel.counted.sum() == len(noise)
        assert panel.noise_sd[-1] == panel.noise_sd[1] > 0.1
        assert panel.bias[-1] - panel.bias[1] == pytest.approx(0.1, abs=0.01)
        assert np.abs(panel.mean - plain.mean).max() < 0.5 * plain.sd.max()
        assert any("counted as one judge" in text for text in panel.warnings)
        share.append(covered(panel, data.truth))
    assert np.mean(share) > 0.85


def test_a_copy_stands_in_where_the_original_has_no_score() -> None:
    data = simulate(0, 120, [0.2, 0.2, 0.3])
    original = data.score.reshape(120, 3)[:, 0].copy()
    table = data.score.reshape(120, 3).copy()
    table[80:, 0] = np.nan
    copy = np.where(np.arange(120) < 20, np.nan, original + 0.3)
    item, judge = np.nonzero(~np.isnan(np.column_stack((table, copy))))
    score = np.column_stack((table, copy))[item, judge]
    panel = hierarchical_gaussian(item, judge, score)
    plain = hierarchical_gaussian(*data.rows)
    assert panel.counted.sum() == 3
    shift = panel.mean.mean() - plain.mean.mean()  # the copy's level stands for both
    assert panel.mean - shift == pytest.approx(plain.mean, abs=0.02 * plain.sd.min())
    assert panel.sd == pytest.approx(plain.sd, rel=0.02)


@pytest.mark.parametrize(
    ("noise", "most"),
    [([0.02, 0.02, 0.3, 0.3], 0), ([0.0125, 0.0125, 0.125], 1), ([0.005, 0.005, 0.075], 2)],
    ids=str,
)
@layers(10, 30)
def test_precise_judges_that_agree_are_not_taken_for_copies(
    noise: list[float], most: int, draws: int
) -> None:
    # Two honest judges are merged in some 2% of panels of three, never among four.
    taken = 0
    for seed in range(draws):
        data = simulate(seed, 100, noise)
        taken += not hierarchical_gaussian(*data.rows).counted.all()
    assert taken <= most


@pytest.mark.parametrize("scores", [1, 2, 4])
def test_a_judge_with_few_scores_does_not_take_over(scores: int) -> None:
    data = simulate(1, 100, [0.2, 0.2, 0.3])
    few = np.full(100, np.nan)
    few[:scores] = data.score.reshape(100, 3)[:scores, 0]  # equal to another judge's
    plain = hierarchical_gaussian(*data.rows)
    panel = hierarchical_gaussian(*wide(data, few))
    assert np.abs(panel.mean - plain.mean).max() < 0.75 * plain.sd.max()
    assert np.abs(panel.mean - plain.mean)[4:].max() < 0.15 * plain.sd.max()
    assert panel.noise_sd[3] > 0.05
    assert panel.noise_se[3] > 0.5 * panel.noise_sd[3]
    assert any("judge 3 gave so few scores" in text for text in panel.warnings)


def test_one_wild_score_moves_nobody_else() -> None:
    data = simulate(2, 100, [0.2, 0.2, 0.3])
    wild = np.full(100, np.nan)
    wild[7] = 50.0
    plain = hierarchical_gaussian(*data.rows)
    panel = hierarchical_gaussian(*wide(data, wild))
    assert panel.bias[:3] == pytest.approx(plain.bias, abs=0.01)
    assert panel.mean == pytest.approx(plain.mean, abs=0.05)


@pytest.mark.parametrize("slope", [0.0, 0.05, 0.5])
def test_a_judge_whose_scores_hardly_vary_is_left_out(slope: float) -> None:
    data = simulate(3, 200, [0.2, 0.2, 0.3, 0.2])
    flat = 0.7 + slope * (data.truth - 0.5)
    panel = hierarchical_gaussian(*wide(data, flat))
    plain = hierarchical_gaussian(*data.rows)
    assert panel.counted.tolist() == [True] * 4 + [False]
    assert panel.mean == pytest.approx(plain.mean, abs=1e-9)
    assert any("judge 4 left out" in text for text in panel.warnings)
    # It errs by its own level and, given that, by what the items differ.
    assert panel.bias[4] == pytest.approx(0.7 - np.mean(data.truth), abs=0.05)
    assert panel.noise_sd[4] == pytest.approx((1 - slope) * 0.25, rel=0.2)
    assert 0 < panel.noise_se[4] < 0.05


def test_repeats_that_say_the_same_again_count_once() -> None:
    data = simulate(4, 150, [0.2, 0.2, 0.3])
    five = [np.repeat(column, 5) for column in data.rows]
    panel = hierarchical_gaussian(*five)
    plain = hierarchical_gaussian(*data.rows)
    assert panel.rho == pytest.approx(np.ones(3), abs=1e-9)
    assert np.isnan(plain.rho).all()
    same(panel, replace(plain, rho=panel.rho), 1e-6)


@layers(8, 20)
def test_repeats_on_few_items_leave_bias_intervals_their_coverage(draws: int) -> None:
    held, total = 0, 0
    item, judge = (x.ravel() for x in np.indices((8, 3, 30))[:2])
    for seed in range(draws):
        rng = np.random.default_rng(seed)
        bias = rng.normal(0, 0.1, 3)
        bias -= bias.mean()
        cell = rng.normal(0.5, 0.2, (8, 1)) + bias + rng.normal(0, 0.2, (8, 3))
        score = cell[item, judge] + rng.normal(0, 0.2, item.size)
        panel = hierarchical_gaussian(item, judge, score)
        held += int(np.count_nonzero(np.abs(panel.bias - bias) < 1.96 * panel.bias_se))
        total += 3
    # Two of the three errors are free, so 3 standard errors count two a draw.
    assert held / total > 0.95 - 3 * np.sqrt(0.95 * 0.05 / (2 * draws))


def test_related_errors_are_told() -> None:
    data = simulate(5, 300, [0.2, 0.2, 0.2, 0.2])
    shared = 0.2 * np.random.default_rng(0).standard_normal(300)
    score = data.score + np.where(data.judge < 2, shared[data.item], 0.0)
    panel = hierarchical_gaussian(data.item, data.judge, score)
    told = re.search(r"errors of judge 0 and judge 1 \((0\.\d+)\)", " ".join(panel.warnings))
    assert told is not None
    found = float(told[1])
    assert found == pytest.approx(0.5, abs=0.15)
    assert not any("correlate" in text for text in hierarchical_gaussian(*data.rows).warnings)


def test_a_reversed_scale_is_told() -> None:
    data = simulate(6, 100, [0.1, 0.2, 0.2])
    backwards = 1 - data.truth + 0.1 * np.random.default_rng(0).standard_normal(100)
    panel = hierarchical_gaussian(*wide(data, backwards))
    assert any("judge 3 run against" in text for text in panel.warnings)


def test_scores_on_a_grid_carry_their_rounding() -> None:
    verdict = np.random.default_rng(0).integers(1, 6, 100).astype(float)
    item, judge = np.divmod(np.arange(300), 3)
    panel = hierarchical_gaussian(item, judge, verdict[item])
    assert panel.noise_sd == pytest.approx(np.full(3, 12**-0.5), rel=0.05)
    assert any("cannot be told from none" in text for text in panel.warnings)


# --- identification ------------------------------------------------------------------------


def test_P_two_judges_without_anchor_are_refused_as_unidentified() -> None:
    data = simulate(0, 100, [0.1, 0.2])
    with pytest.raises(
        ValueError, match=r"judge 0 and judge 1 scored; .* unidentified.*human labels.*plain rule"
    ):
        hierarchical_gaussian(*data.rows)
    with pytest.raises(ValueError, match=r"only judge 0 scored; .* unidentified"):
        hierarchical_gaussian(data.item, 0 * data.judge, data.score, anchor=0)


def test_one_judge_and_an_anchor_are_identified() -> None:
    share = []
    for seed in range(20):
        data = simulate(seed, 200, [0.2, 0.1])
        score = data.score - np.where(data.judge == 1, data.bias[1], 0.0)
        labelled = (data.judge == 0) | (data.item < 60)
        rows = (data.item[labelled], data.judge[labelled], score[labelled])
        panel = hierarchical_gaussian(*rows, anchor=1)
        share.append(covered(panel, data.truth))
        assert abs(panel.bias[0] - data.bias[0]) < 4 * panel.bias_se[0]
        assert np.all(np.abs(panel.noise_sd - data.noise) < 4 * panel.noise_se)
    assert np.mean(share) > 0.87


def test_judges_who_share_no_item_are_named() -> None:
    data = simulate(0, 30, [0.1, 0.2, 0.3])
    item = np.concatenate((data.item, data.item + 30))
    judge = np.concatenate((data.judge, data.judge + 3))
    score = np.concatenate((data.score, data.score))
    with pytest.raises(
        ValueError, match=r"2 groups that share no item \(a, b and c; d, e and f\).*let one judge"
    ):
        hierarchical_gaussian(item, judge, score, names=list("abcdef"))
    linked = hierarchical_gaussian(
        np.append(item, 31), np.append(judge, 0), np.append(score, score[1])
    )
    assert np.all(np.isfinite(linked.bias))


def test_two_different_judges_of_three_are_fitted_with_a_warning() -> None:
    data = simulate(0, 100, [0.2, 0.3])
    panel = hierarchical_gaussian(*wide(data, data.score.reshape(100, 2)[:, 0]))
    assert any("only judge 0 and judge 1 remain" in text for text in panel.warnings)


# --- messages ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"score": np.full(90, 3.3)}, "score: no judge's scores vary"),
        ({"score": np.tile([0.1, 0.2, 0.3], 30)}, "score: no judge's scores vary"),
        ({"score": np.full(90, np.nan)}, r"score\[0\] is nan; .*leave the row"),
        ({"score": np.full(90, 1e200)}, r"score\[0\] is 1e\+200; .*below 1e\+100"),
        ({"score": np.zeros(89)}, r"item has shape \(90,\) and score \(89,\)"),
        ({"item": np.zeros(90)}, "item has dtype float64; it must hold integer codes"),
        ({"judge": np.full(90, -1)}, "judge holds -1; codes count from 0"),
        ({"item": np.full(90, 10**9)}, "item holds 1000000000 with only 90 scores"),
        ({"n_items": 20}, "n_items = 20 but code 29 occurs; it must be 30 or more"),
        ({"names": ["a", "b"]}, "names: got 2 for 3 judges"),
        ({"anchor": 3}, "anchor = 3; it must be judge codes from 0 to 2"),
        ({"anchor": 3, "n_judges": 4}, "anchor = 3, but judge 3 has no score"),
        ({"anchor": "humans"}, "anchor = 'humans'; it must be judge codes"),
    ],
)
def test_bad_arguments_are_named(change: dict[str, object], message: str) -> None:
    data = simulate(0, 30, [0.1, 0.2, 0.3])
    arguments: dict[str, object] = dict(zip(("item", "judge", "score"), data.rows, strict=True))
    with pytest.raises(ValueError, match=message):
        hierarchical_gaussian(**{**arguments, **change})  # type: ignore[arg-type]


def test_identical_judges_are_one_judge() -> None:
    score = np.random.default_rng(0).random(50)
    item, judge = np.divmod(np.arange(150), 3)
    with pytest.raises(ValueError, match=r"judge 1 repeats judge 0.*judge 2 repeats judge 0"):
        hierarchical_gaussian(item, judge, score[item])


# --- real data -----------------------------------------------------------------------------


def codes(column: pa.ChunkedArray[pa.StringScalar]) -> tuple[list[str], Codes]:
    names, code = np.unique(np.array(column.to_pylist(), dtype=np.str_), return_inverse=True)
    return names.tolist(), code


@pytest.mark.parametrize("pair", ["et-en", "ro-en", "en-de"])
def test_scores_held_out_of_real_raters_lie_where_predicted(shared: Path, pair: str) -> None:
    # 6,000 direct assessments; a tenth held out. A score is predicted within its rater's noise.
    table = pq.read_table(shared / "data/sets/mlqe_da_dev/scores.parquet")
    chosen = pc.and_(pc.equal(table["task"], pair), pc.equal(table["judge_kind"], "human"))
    table = table.filter(chosen)
    item, judge = codes(table["item_id"])[1], codes(table["judge"])[1]
    score = table["score"].to_numpy()
    out = np.random.default_rng(0).random(score.size) < 0.1
    panel = hierarchical_gaussian(item[~out], judge[~out], score[~out], n_items=1000)
    predicted = panel.mean[item[out]] + panel.bias[judge[out]]
    spread = np.hypot(panel.sd[item[out]], panel.noise_sd[judge[out]])
    share = np.mean(np.abs(score[out] - predicted) <= Z90 * spread)
    assert 0.85 <= share <= 0.95
    assert any("correlate" in text for text in panel.warnings)  # these raters do


def test_a_real_crowd_is_weighed_better_than_by_votes(shared: Path) -> None:
    # rte: 800 items, 164 workers, 10 votes an item. Dawid-Skene reaches .9275, majority .897.
    table = pq.read_table(shared / "data/sets/crowd_classic_a/scores.parquet")
    table = table.filter(pc.equal(table["task"], "rte"))
    names, item = codes(table["item_id"])
    score, gold = table["score"].to_numpy(), np.zeros(len(names))
    gold[item] = table["label"].to_numpy()
    panel = hierarchical_gaussian(item, codes(table["judge"])[1], score)
    assert panel.converged
    assert np.mean((panel.mean > 1.5) == (gold > 1.5)) >= 0.92


# --- hooks ---------------------------------------------------------------------------------


def votes_of(data: Simulated, n: int) -> Floats:
    """Complete scores as (responses, judges), pressed onto [0, 1]."""
    return np.clip(data.score.reshape(n, -1), 0.0, 1.0)


def aggregated(judged: Judge, votes: Floats, **options: object) -> tuple[Consensus, object]:
    case = judged(votes, scale="continuous", **options)
    consensus = gaussian.panopt_aggregate(case.matrix, "gaussian", "asked for", Ask())
    assert isinstance(consensus, Consensus)
    return consensus, case


def test_consensus_is_the_fit(judged: Judge) -> None:
    data = simulate(0, 80, [0.05, 0.1, 0.2], tau=0.15)
    votes = votes_of(data, 80)
    consensus, _ = aggregated(judged, votes)
    panel = hierarchical_gaussian(data.item, data.judge, votes.ravel())
    assert consensus.value == pytest.approx(panel.mean)
    assert consensus.sd == pytest.approx(panel.sd)
    assert consensus.blind_value == pytest.approx(panel.mean)
    assert consensus.estimate == pytest.approx(panel.estimate)
    assert [judge.judge for judge in consensus.judges] == ["llm0", "llm1", "llm2"]
    assert [judge.noise_sd for judge in consensus.judges] == pytest.approx(panel.noise_sd.tolist())
    assert (consensus.anchor, consensus.method) == ("panel mean", "gaussian")
    assert consensus.verdict.tolist() == (panel.mean >= 0.5).astype(int).tolist()
    assert consensus.confidence_source == "posterior probability"
    assert np.all((consensus.confidence >= 0.5) & (consensus.confidence <= 1))


def test_confidence_is_the_share_of_verdicts_that_are_right(judged: Judge) -> None:
    hits, said = [], []
    for seed in range(10):
        data = simulate(seed, 200, [0.1, 0.15, 0.2], tau=0.12)
        consensus, _ = aggregated(judged, data.score.reshape(200, 3))
        hits.append(np.mean((data.truth >= 0.5) == consensus.verdict))
        said.append(np.mean(consensus.confidence))
    assert np.mean(hits) == pytest.approx(np.mean(said), abs=0.02)


def test_humans_anchor_the_value_and_leave_the_blind_one_alone(judged: Judge) -> None:
    data = simulate(1, 150, [0.05, 0.1, 0.1], tau=0.15)
    votes = votes_of(data, 150)
    lenient = np.clip(data.truth - 0.15, 0.0, 1.0)
    human = np.where(np.arange(150) < 60, lenient, np.nan)
    consensus, _ = aggregated(judged, votes, human=human)
    other, _ = aggregated(judged, votes, human=np.where(np.isnan(human), np.nan, 1 - human))
    none, _ = aggregated(judged, votes)
    for name in ("blind_value", "blind_sd", "confidence", "verdict"):
        assert getattr(consensus, name).tobytes() == getattr(other, name).tobytes()
        assert getattr(consensus, name).tobytes() == getattr(none, name).tobytes()
    assert (consensus.anchor, none.anchor) == ("humans", "panel mean")
    bias = np.array([judge.bias for judge in consensus.judges], dtype=float)
    assert bias.mean() == pytest.approx(0.15, abs=0.03)
    assert np.mean(none.value - consensus.value) == pytest.approx(0.15, abs=0.03)


def test_few_labels_do_not_anchor_a_panel_of_three(judged: Judge) -> None:
    data = simulate(2, 60, [0.05, 0.1, 0.1])
    human = np.where(np.arange(60) < 19, data.truth, np.nan)
    consensus, _ = aggregated(judged, votes_of(data, 60), human=human)
    assert consensus.anchor == "panel mean"
    assert consensus.warnings[0].startswith("19 labelled responses do not anchor the panel")


def test_two_judges_lean_on_humans_and_their_verdicts_on_votes(judged: Judge) -> None:
    data = simulate(3, 100, [0.05, 0.1])
    votes = votes_of(data, 100)
    human = np.where(np.arange(100) < 40, data.truth, np.nan)
    consensus, _ = aggregated(judged, votes, human=human)
    assert consensus.anchor == "humans"
    assert np.isnan(consensus.blind_sd).all()
    assert consensus.blind_value == pytest.approx(votes.mean(axis=1))
    assert consensus.confidence_source == "vote share"
    assert set(consensus.confidence.tolist()) <= {0.5, 1.0}
    assert any("verdicts are those of the mean" in text for text in consensus.warnings)


def test_people_with_few_labels_are_one_anchor_together(judged: Judge) -> None:
    data = simulate(4, 120, [0.05, 0.1, 0.1])
    human = np.full((12, 120), np.nan)
    for person in range(12):  # eleven people with five labels each, one with forty
        chosen = slice(60, 100) if person == 11 else slice(5 * person, 5 * person + 5)
        human[person, chosen] = data.truth[chosen]
    human += 0.15 * np.random.default_rng(0).standard_normal(human.shape)
    human = np.clip(human, 0.0, 1.0)
    consensus, _ = aggregated(judged, votes_of(data, 120), human=human)
    assert consensus.anchor == "humans"
    assert not any("gave so few" in text or "no score" in text for text in consensus.warnings)


def test_too_little_to_identify_raises_for_core_to_fall_back(judged: Judge) -> None:
    data = simulate(5, 60, [0.05, 0.1])
    case = judged(votes_of(data, 60), scale="continuous")
    with pytest.raises(ValueError, match=r"only llm0 and llm1 scored; .* unidentified"):
        gaussian.panopt_aggregate(case.matrix, "gaussian", "asked for", Ask())
    with pytest.raises(AskError, match=r"gaussian cannot aggregate 'score': .* unidentified"):
        analyze(case.study, Ask(aggregate="gaussian"))


def test_outcomes_tell_why_there_is_no_value(judged: Judge) -> None:
    data = simulate(6, 40, [0.05, 0.1, 0.1])
    votes = votes_of(data, 40)
    votes[3], votes[5, :2] = np.nan, np.nan
    case = judged(votes, scale="continuous")
    consensus = gaussian.panopt_aggregate(
        case.matrix, "gaussian", "asked for", Ask(min_successful=2)
    )
    assert consensus is not None
    names = [OUTCOMES[code] for code in consensus.outcome]
    assert (names[3], names[5], names[0]) == ("all_failed", "quorum_not_met", "decided")
    for name in ("value", "sd", "estimate", "blind_value", "blind_sd", "confidence"):
        assert np.flatnonzero(np.isnan(getattr(consensus, name))).tolist() == [3, 5]
    assert np.flatnonzero(consensus.verdict < 0).tolist() == [3, 5]


def test_findings_carry_bias_and_noise_of_every_judge(judged: Judge) -> None:
    data = simulate(7, 150, [0.05, 0.1, 0.2])
    case = judged(votes_of(data, 150), scale="continuous")
    consensus = gaussian.panopt_aggregate(case.matrix, "gaussian", "asked for", Ask())
    assert consensus is not None
    found = gaussian.panopt_analyze(case.matrix, consensus, Ask(level=0.9))
    assert found is not None
    assert [(row.name, row.subject) for row in found] == [
        (name, f"llm{j}") for j in range(3) for name in ("bias", "noise_sd")
    ]
    for row in found:
        assert (row.level, row.n, row.subject_kind) == (0.9, 150, "judge")
        assert row.details["anchor"] == "panel mean"
        assert row.value is not None
        assert row.low is not None
        assert row.high is not None
    noise, quality = found.named("noise_sd", subject="llm2")[0], consensus.judges[2]
    assert noise.value is not None
    assert noise.low is not None
    assert noise.high is not None
    assert quality.noise_sd is not None
    assert quality.noise_se is not None
    assert noise.low * noise.high == pytest.approx(noise.value**2)
    assert np.log(noise.high / noise.low) == pytest.approx(
        2 * Z90 * quality.noise_se / quality.noise_sd, rel=1e-3
    )


def test_findings_do_not_need_the_aggregator(judged: Judge) -> None:
    data = simulate(8, 100, [0.05, 0.1, 0.2])
    case = judged(votes_of(data, 100), scale="continuous")
    found = gaussian.panopt_analyze(case.matrix, case.consensus, Ask())
    consensus = gaussian.panopt_aggregate(case.matrix, "gaussian", "asked for", Ask())
    assert consensus is not None
    again = gaussian.panopt_analyze(case.matrix, consensus, Ask())
    assert found is not None
    assert again is not None
    assert found.rows == again.rows


def test_findings_give_the_reason_where_there_is_no_number(judged: Judge) -> None:
    data = simulate(9, 60, [0.05, 0.1])
    case = judged(votes_of(data, 60), scale="continuous")
    found = gaussian.panopt_analyze(case.matrix, case.consensus, Ask())
    assert found is not None
    assert len(found) == 4
    for row in found:
        assert row.value is None
        assert row.n == 60
        assert row.reason is not None
        assert "unidentified" in row.reason


def test_few_scores_are_no_bias_and_no_news_of_the_mean(judged: Judge) -> None:
    data = simulate(11, 200, [0.1, 0.1, 0.1], tau=0.12)
    votes = np.column_stack((votes_of(data, 200), np.full(200, np.nan)))
    votes[:1, 3] = data.truth[:1]
    consensus, case = aggregated(judged, votes)
    plain, _ = aggregated(judged, votes[:, :3])
    assert consensus.shared_sd is not None
    assert plain.shared_sd is not None
    assert consensus.shared_sd == pytest.approx(plain.shared_sd, rel=0.3)
    assert consensus.judges[3].bias is None
    found = gaussian.panopt_analyze(case.matrix, consensus, Ask())  # type: ignore[attr-defined]
    assert found is not None
    row = found.named("bias", subject="llm3")[0]
    assert row.value is None
    assert row.reason == "1 of 5 scores needed to tell bias from noise"


def test_shared_error_is_that_of_biases_by_their_share_in_a_system(judged: Judge) -> None:
    # Judge 0 scored system a alone, judge 1 system b; each label tells of one of them.
    rng = np.random.default_rng(0)
    truth = 0.5 + 0.1 * rng.normal(size=200)
    votes = truth[:, None] + 0.1 * rng.normal(size=(200, 2))
    votes[100:, 0] = votes[:100, 1] = np.nan
    human = np.where(rng.random(200) < 0.4, truth + 0.03 * rng.normal(size=200), np.nan)
    names = [f"i{k:03d}" for k in (*range(100), *range(100))]
    consensus, case = aggregated(
        judged, votes, human=human, system=["a"] * 100 + ["b"] * 100, item=names
    )
    assert consensus.shared_sd is not None
    for code in (0, 1):
        mine = case.matrix.systems == code  # type: ignore[attr-defined]
        shared = consensus.shared_sd[mine]
        se = consensus.judges[code].bias_se
        assert se is not None
        assert shared.min() == shared.max()
        # Labelled responses rest mostly on their label, which has no bias.
        assert 0.5 * se < shared[0] < 0.8 * se


@pytest.mark.parametrize("few", [0, 6])
@layers(20, 40)
def test_system_means_hold_the_error_of_the_reference(judged: Judge, few: int, draws: int) -> None:
    hits = 0
    for seed in range(draws):
        rng = np.random.default_rng(seed)
        truth = 0.6 + 0.1 * rng.normal(size=300)
        votes = truth[:, None] + [0.05, 0.0, -0.05] + 0.1 * rng.normal(size=(300, 3))
        if few:
            rare = np.full(300, np.nan)
            rare[:few] = truth[:few] + 0.15 * rng.normal(size=few)
            votes = np.column_stack((votes, rare))
        consensus, _ = aggregated(judged, np.clip(votes, 0, 1))
        assert consensus.shared_sd is not None
        result = mean_interval(consensus.estimate, shared_sd=float(consensus.shared_sd[0]))
        assert result.low is not None
        assert result.high is not None
        hits += result.low <= 0.6 <= result.high
    assert hits / draws >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / draws)


def test_core_takes_it_for_three_judges_on_a_continuous_scale(judged: Judge) -> None:
    data = simulate(10, 60, [0.05, 0.1, 0.2])
    votes = votes_of(data, 60)
    report = analyze(judged(votes, scale="continuous").study)
    consensus = report.criteria[0].consensus
    assert consensus.method == "gaussian"
    assert not report.problems
    panel = hierarchical_gaussian(data.item, data.judge, votes.ravel())
    assert consensus.value == pytest.approx(np.clip(panel.mean, 0, 1))
    assert len(report.criteria[0].findings.named("noise_sd")) == 3
