from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from panopt.stats.label_next import label_next, labels_for_width
from panopt.stats.ppi import ppi_mean

DESIGNS: tuple[Literal["even", "doubt"], ...] = ("even", "doubt")


@given(size=st.integers(1, 60), n=st.integers(1, 70), seed=st.integers(0, 99))
def test_as_many_are_chosen_as_were_asked_for(size: int, n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    for options in ({}, {"design": "doubt", "doubt": rng.random(size)}):
        plan = label_next(rng.random(size), n=n, rng=rng, **options)  # type: ignore[arg-type]
        assert len(plan.rows) == min(n, size)
        assert len(set(plan.rows.tolist())) == len(plan.rows)
        assert plan.rows.tolist() == sorted(plan.rows.tolist())
        assert np.all((plan.chance > 0) & (plan.chance <= 1 + 1e-12))


@pytest.mark.parametrize("design", DESIGNS)
def test_responses_are_chosen_as_often_as_their_chance_says(
    design: Literal["even", "doubt"],
) -> None:
    rng = np.random.default_rng(0)
    doubt = np.r_[np.zeros(10), np.full(10, 0.1), np.full(4, 3.0)]
    seen, draws = np.zeros(24), 4000
    chance = np.full(24, np.nan)
    for _ in range(draws):
        plan = label_next(np.arange(24) % 5, n=6, rng=rng, design=design, doubt=doubt)
        seen[plan.rows] += 1
        chance[plan.rows] = plan.chance
    assert chance.sum() == pytest.approx(6)
    bound = 4 * np.sqrt(chance * (1 - chance) / draws)
    assert np.all(np.abs(seen / draws - chance) <= bound + 1e-9)
    assert (np.ptp(chance) < 1e-12) == (design == "even")


def test_an_even_plan_is_spread_over_systems_and_scores() -> None:
    rng = np.random.default_rng(0)
    system = np.repeat([0, 1, 2], [600, 300, 100])
    score = rng.random(1000)
    plan = label_next(np.column_stack([system, score]), n=50, rng=rng)
    assert np.bincount(system[plan.rows]).tolist() == [30, 15, 5]
    of_first = np.sort(score[plan.rows[system[plan.rows] == 0]])
    assert np.abs(of_first - (np.arange(30) + 0.5) / 30).max() < 0.06


def test_labels_chosen_by_doubt_leave_weighed_estimates_right_and_narrower() -> None:
    """Scores near one half are in doubt; the mean label of these 2,000 responses is known."""
    rng = np.random.default_rng(0)
    held = 0
    errors: dict[str, list[float]] = {"even": [], "doubt": []}
    for _ in range(200):
        score = rng.beta(0.3, 0.3, 2000)
        truth = (rng.random(2000) < score).astype(float)
        doubt = np.sqrt(score * (1 - score))
        for design in DESIGNS:
            plan = label_next(
                score,
                n=100,
                rng=rng,
                doubt=doubt,
                design=design,
            )
            rest = np.setdiff1d(np.arange(2000), plan.rows)
            parts = truth[plan.rows], score[plan.rows], score[rest]
            found = ppi_mean(*parts, weights=1 / plan.chance)
            errors[design].append(found.value - 0.5)  # type: ignore[operator]
            held += found.low <= 0.5 <= found.high  # type: ignore[operator]
    assert held / 400 >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / 400)
    for found_errors in errors.values():
        assert abs(np.mean(found_errors)) <= 4 * np.std(found_errors) / np.sqrt(200)
    assert np.std(errors["doubt"]) < np.std(errors["even"])


def test_as_many_labels_as_told_reach_the_half_width() -> None:
    rng = np.random.default_rng(0)
    truth = rng.beta(5, 2, 20_000)
    judge = truth + 0.1 * rng.normal(size=20_000)
    plan = labels_for_width(truth[:60], judge[:60], judge[60:], half_width=0.01)
    assert plan.n is not None
    assert plan.alone is not None
    assert plan.now is not None
    assert plan.n < plan.alone / 2
    halves = []
    for start in range(20):
        has = np.arange(start, 20_000, 20_000 // plan.n)[: plan.n]
        found = ppi_mean(truth[has], judge[has], np.delete(judge, has))
        halves.append((found.high - found.low) / 2)  # type: ignore[operator]
    assert np.mean(halves) == pytest.approx(0.01, rel=0.25)
    pilot = ppi_mean(truth[:60], judge[:60], judge[60:])
    assert plan.now == pytest.approx((pilot.high - pilot.low) / 2, rel=0.05)  # type: ignore[operator]


def test_what_no_label_can_reach_has_a_reason() -> None:
    rng = np.random.default_rng(0)
    y = rng.random(50)
    f, pool = y + 0.01 * rng.normal(size=50), rng.random(100)
    found = labels_for_width(y, f, pool, half_width=0.001)
    assert found.n is None
    assert found.reason == "there are 150 responses, too few for +-0.001: more are needed"
    few = labels_for_width(y[:4], f[:4], pool, half_width=0.1)
    assert few.reason == "4 label(s) do not show how labels spread: 5 are needed"
    alike = labels_for_width(np.ones(9), f[:9], pool, half_width=0.1)
    assert alike.reason == "all labels are equal: their spread cannot be estimated"


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"n": 0}, "n = 0 must be at least 1"),
        ({"design": "best"}, "design = 'best' must be 'even' or 'doubt'"),
        ({"order": [np.nan, 1.0]}, "order must have the shape .*, without NaN"),
        ({"design": "doubt"}, "design 'doubt' needs a doubt of every response"),
        ({"design": "doubt", "doubt": [-1.0, 1.0]}, "doubt must be 0 or above"),
    ],
)
def test_wrong_plans_are_refused(change: dict[str, Any], match: str) -> None:
    given: dict[str, Any] = {"order": [1.0, 2.0], "n": 1, "rng": np.random.default_rng(0)} | change
    with pytest.raises(ValueError, match=match):
        label_next(given.pop("order"), **given)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"half_width": 0.0}, "half_width = 0.0 must be a finite number above 0"),
        ({"alpha": 2.0}, "alpha = 2.0 must lie strictly between 0 and 1"),
        ({"yhat": [1.0]}, "yhat must have the shape of y"),
    ],
)
def test_wrong_widths_are_refused(change: dict[str, Any], match: str) -> None:
    y = np.linspace(0, 1, 9)
    given: dict[str, Any] = {"y": y, "yhat": y, "yhat_unlabeled": y, "half_width": 0.1} | change
    with pytest.raises(ValueError, match=match):
        labels_for_width(**given)
