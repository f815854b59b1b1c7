from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from panopt.stats.certify import certify_threshold
from panopt.stats.label_noise import (
    LabelNoise,
    certify_noisy,
    majority_error,
    majority_support,
)

Floats = NDArray[np.float64]


def replay(
    noise: LabelNoise, draws: int, *, humans: int, error: float, uneven: bool, slope: float
) -> tuple[float, float]:
    """Give coverage and share of failures against the truth.

    The judge errs with probability .101 + slope (u - .5), u the rank of its doubt, so the risk of
    what a threshold 1 - t accepts is .101 + slope (t - 1) / 2; humans err with probability
    `error`, or on the doubtful 30% of items with .3 and else with .01.
    """
    kept, failed = 0.0, 0
    for seed in range(draws):
        rng = np.random.default_rng(seed)
        u = rng.random(500)
        wrong = rng.random(500) < 0.101 + slope * (u - 0.5)
        rate = np.where(u > 0.7, 0.3, 0.01) if uneven else np.full(500, error)
        humans_err = rng.random((500, humans)) < rate[:, None]
        found = certify_noisy(1 - u, humans_err == wrong[:, None], noise=noise, rng=rng)
        kept += found.coverage / draws
        share = 1 - found.threshold
        failed += found.feasible and 0.101 + slope * (share - 1) / 2 > 0.1
    return kept, failed / draws


@pytest.mark.parametrize(("noise", "uneven"), [("error_rate", False), ("disagreement", True)])
def test_guarantee_against_the_truth_holds(noise: LabelNoise, *, uneven: bool) -> None:
    for slope in (0.0, 0.1):
        failed = replay(noise, 60, humans=3, error=0.1, uneven=uneven, slope=slope)[1]
        assert failed <= 0.1 + 3 * math.sqrt(0.09 / 60)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("noise", "uneven"),
    [("error_rate", False), ("disagreement", True), ("disagreement", False)],
)
@pytest.mark.parametrize(("humans", "error"), [(2, 0.08), (3, 0.1), (5, 0.05), (4, 0.2)])
def test_guarantee_against_the_truth_holds_in_many_draws(
    noise: LabelNoise, humans: int, error: float, *, uneven: bool
) -> None:
    for slope in (0.0, 0.02, 0.2):
        failed = replay(noise, 1000, humans=humans, error=error, uneven=uneven, slope=slope)[1]
        assert failed <= 0.1 + 3 * math.sqrt(0.09 / 1000)


def test_knowing_how_often_humans_err_keeps_more() -> None:
    rates = {
        noise: replay(noise, 30, humans=2, error=0.08, uneven=False, slope=0.2)[0]
        for noise in ("majority", "error_rate")
    }
    assert rates["error_rate"] > rates["majority"] + 0.1


def test_majority_is_the_plain_certificate_of_majorities() -> None:
    rng = np.random.default_rng(0)
    c, agrees = rng.random(300), rng.random((300, 3)) < 0.97
    found = certify_noisy(c, agrees)
    plain = certify_threshold(c, majority_support(agrees))
    assert found.certificate == plain
    assert (found.threshold, found.coverage, found.bound) == (
        plain.threshold,
        plain.coverage,
        plain.bound,
    )
    assert found.human_disagreement == pytest.approx(2 * 0.97 * 0.03, abs=0.03)
    assert "ties included" in found.assumption


def test_error_rate_is_bounded_by_how_often_two_humans_differ() -> None:
    hits = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        agrees = rng.random((400, 3)) >= 0.1
        low, high = certify_noisy(rng.random(400), agrees, noise="error_rate").human_error
        assert low < high
        hits += low <= 0.1
    assert hits >= 95  # the end fails with probability .02


def test_error_rate_promises_what_was_asked_for() -> None:
    # Noisy humans differ from the judge more often than alpha allows, yet it is never wrong.
    rng = np.random.default_rng(0)
    agrees = rng.random((300, 2)) >= 0.1
    c = np.ones(300)
    assert not certify_noisy(c, agrees).feasible
    found = certify_noisy(c, agrees, noise="error_rate")
    assert found.feasible
    assert found.bound <= found.alpha < found.alpha_counted


def test_majorities() -> None:
    assert majority_support([[1, 0], [1, 1]]).tolist() == [False, True]
    assert majority_support([[1, 0], [0, 1]], odd=True).tolist() == [True, False]
    assert majority_support([[np.nan, 1, 0, 1, 0]], odd=True).tolist() == [True]
    for humans, rate in ((3, 0.1), (5, 0.3), (7, 0.45)):
        wanted = stats.binom.sf(humans // 2, humans, rate)
        assert majority_error(rate, humans) == pytest.approx(wanted)
        assert majority_error(rate, humans + 1) == majority_error(rate, humans)


def test_clusters_count_once() -> None:
    c, agrees = np.ones(60), np.ones((60, 3))
    key = np.repeat(np.arange(10), 6)
    assert certify_noisy(c, agrees).feasible
    assert not certify_noisy(c, agrees, clusters=key).feasible


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"noise": "loud"}, "noise = 'loud' must be one of majority"),
        ({"agrees": [1, 0]}, r"agrees has shape \(2,\); it must be \(2, humans\)"),
        ({"agrees": [[1, 3], [0, 1]]}, "agrees must be 0 or 1"),
        ({"agrees": [[np.nan], [1]]}, "agrees has no label for item 0"),
        ({"agrees": [[1], [1]], "noise": "error_rate"}, "no item with two humans"),
        ({"agrees": [[1, 1], [1, np.nan]], "noise": "disagreement"}, "one label for item 1"),
        ({"confidence": [0.5, np.nan]}, "confidence must not be NaN"),
        ({"confidence": [0.5, 1.5]}, r"confidence must lie in \[0, 1\]"),
        ({"delta": 0.0}, "delta = 0.0 must lie strictly"),
    ],
)
def test_bad_arguments_are_named(arguments: dict[str, object], message: str) -> None:
    call: dict[str, object] = {"confidence": [0.5, 0.6], "agrees": [[1, 0], [1, 1]], **arguments}
    with pytest.raises(ValueError, match=message):
        certify_noisy(**call)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="rate = 2 must lie"):
        majority_error(2, 3)
    with pytest.raises(ValueError, match="humans = 0 must be at least 1"):
        majority_error(0.1, 0)
