"""Repeats of a judge on one item: intervals cover whether or not they err alike.

Scores are theta_i + b_j + u_ij + e_ijr with u of sd `effect`, the same in all repeats, and e of
sd `noise`; truths and biases as in test_gaussian.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from panopt.plugins.gaussian import GaussianPanel, hierarchical_gaussian

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]
Z90 = 1.6449


class Drawn(NamedTuple):
    """Scores in long format and what they were made from."""

    item: Codes
    judge: Codes
    score: Floats
    truth: Floats
    bias: Floats


class Case(NamedTuple):
    """Sds of what repeats do not share and of what they do, and how many there are."""

    noise: float
    effect: float
    most: int
    even: bool


CASES = [
    Case(0.3, 0.1, 3, even=True),
    Case(0.3, 0.2, 4, even=False),
    Case(0.1, 0.1, 3, even=True),
    Case(0.3, 0.0, 3, even=True),
    Case(0.3, 0.0, 4, even=False),
]
LEAST = {100: 0.87, 200: 0.88, 1000: 0.89}


def draw(seed: int, n: int, n_judges: int, case: Case) -> Drawn:
    rng = np.random.default_rng([seed, n, n_judges])
    truth = 0.5 + 0.25 * rng.standard_normal(n)
    bias = rng.normal(0, 0.1, n_judges)
    bias -= bias.mean()
    size = (n, n_judges)
    count = np.full(size, case.most) if case.even else rng.integers(1, case.most + 1, size)
    pair = np.repeat(np.arange(count.size), count.ravel())
    item, judge = np.divmod(pair, n_judges)
    same = case.effect * rng.standard_normal(count.size)[pair]
    own = case.noise * rng.standard_normal(pair.size)
    return Drawn(item, judge, truth[item] + bias[judge] + same + own, truth, bias)


def check(case: Case, n: int, n_judges: int, draws: int) -> None:
    share, bias_held, noise_held, squared = [], [], [], np.zeros(2)
    total = np.hypot(case.noise, case.effect)
    for seed in range(draws):
        data = draw(seed, n, n_judges, case)
        panel = hierarchical_gaussian(data.item, data.judge, data.score)
        share.append(np.mean(np.abs(panel.mean - data.truth) <= Z90 * panel.sd))
        bias_held.append(np.mean(np.abs(panel.bias - data.bias) <= Z90 * panel.bias_se))
        off = np.abs(np.log(panel.noise_sd / total))
        noise_held.append(np.mean(off <= Z90 * panel.noise_se / panel.noise_sd))
        plain = np.bincount(data.item, weights=data.score) / np.bincount(data.item)
        squared += [np.sum((one - data.truth) ** 2) for one in (panel.mean, plain)]
    assert squared[0] < squared[1]  # the plain mean loses
    assert np.mean(share) >= LEAST[n] - 3 * np.std(share, ddof=1) / np.sqrt(draws)
    assert np.mean(share) <= 0.95
    for held, least in ((bias_held, 0.89), (noise_held, 0.87)):
        assert np.mean(held) >= least - 3 * np.std(held, ddof=1) / np.sqrt(draws)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_intervals_of_90_percent_cover(case: Case) -> None:
    check(case, 100, 3, 20 if case.even else 5)


@pytest.mark.slow
@pytest.mark.parametrize("n_judges", [3, 5])
@pytest.mark.parametrize("n", [100, 200, 1000])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_intervals_of_90_percent_cover_in_many_draws(case: Case, n: int, n_judges: int) -> None:
    check(case, n, n_judges, 200)


@pytest.mark.parametrize("case", [CASES[1], CASES[2]], ids=str)
def test_many_items_find_what_repeats_share(case: Case) -> None:
    data = draw(0, 20_000, 3, case)
    panel = hierarchical_gaussian(data.item, data.judge, data.score)
    share = case.effect**2 / (case.effect**2 + case.noise**2)
    assert panel.rho == pytest.approx(np.full(3, share), abs=0.03)
    assert panel.noise_sd == pytest.approx(np.full(3, np.hypot(case.noise, case.effect)), rel=0.02)
    assert not panel.warnings


def fit(data: Drawn, kept: NDArray[np.bool_]) -> GaussianPanel:
    return hierarchical_gaussian(data.item[kept], data.judge[kept], data.score[kept])


def first_of(data: Drawn) -> NDArray[np.bool_]:
    """Mark the first score of every judge on every item."""
    first = np.zeros(data.item.size, dtype=bool)
    first[np.unique(data.item * 3 + data.judge, return_index=True)[1]] = True
    return first


def test_one_item_with_a_repeat_changes_little() -> None:
    data = draw(1, 150, 3, Case(0.2, 0.1, 2, even=True))
    first = first_of(data)
    plain = fit(data, first)
    first[np.flatnonzero(~first)[0]] = True
    panel = fit(data, first)
    assert np.isfinite(panel.rho).sum() == 1
    assert panel.rho[0] > 0.15  # one repeat tells next to nothing, and half is not ruled out
    assert panel.mean[1:] == pytest.approx(plain.mean[1:], abs=0.1 * plain.sd.mean())
    assert panel.sd[1:] == pytest.approx(plain.sd[1:], rel=0.05)


def test_repeats_of_an_anchor_leave_it_without_bias() -> None:
    data = draw(2, 200, 3, CASES[2])
    panel = hierarchical_gaussian(data.item, data.judge, data.score, anchor=2)
    assert panel.bias[2] == 0
    assert np.abs(panel.bias - data.bias + data.bias[2]).max() < 4 * panel.bias_se.max()
    assert panel.rho == pytest.approx(np.full(3, 0.5), abs=0.2)


def test_scaling_scores_scales_the_result() -> None:
    data = draw(3, 100, 3, CASES[1])
    panel = hierarchical_gaussian(data.item, data.judge, data.score)
    large = hierarchical_gaussian(data.item, data.judge, 50 * data.score - 7)
    assert large.mean == pytest.approx(50 * panel.mean - 7, rel=1e-6)
    assert large.noise_sd == pytest.approx(50 * panel.noise_sd, rel=1e-6)
    assert large.rho == pytest.approx(panel.rho, rel=1e-6)
    assert large.log_likelihood == pytest.approx(panel.log_likelihood - np.log(50) * 300, rel=1e-6)


def test_with_outliers_repeats_are_averaged_and_that_is_told() -> None:
    data = draw(4, 60, 3, CASES[2])
    panel = hierarchical_gaussian(data.item, data.judge, data.score, errors="student_t", df=10)
    assert any("were averaged to one score an item" in text for text in panel.warnings)
    means = data.score.reshape(180, 3).mean(axis=1)
    plain = hierarchical_gaussian(data.item[::3], data.judge[::3], means, errors="student_t", df=10)
    assert panel.mean == pytest.approx(plain.mean, abs=1e-6)
    assert panel.rho.tolist() == [1.0] * 3
