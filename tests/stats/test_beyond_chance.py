from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from panopt.stats.beyond_chance import unproven_agreement


def test_judges_that_guess_are_seldom_held_to_agree() -> None:
    rng = np.random.default_rng(0)
    shown = [
        unproven_agreement(rng.random((30, 4)) < 0.6, n_boot=300, rng=rng) is None
        for _ in range(400)
    ]
    bound = 0.025 + 3 * np.sqrt(0.025 * 0.975 / 400)
    assert np.mean(shown) < bound
    agreeing = rng.random((60, 1)) < 0.5
    flipped = agreeing ^ (rng.random((60, 4)) < 0.2)
    assert unproven_agreement(flipped, n_boot=300, rng=rng) is None
    one = unproven_agreement(flipped, n_boot=300, rng=rng, clusters=np.zeros(60, dtype=int))
    assert one is not None


def test_copies_of_two_items_show_nothing() -> None:
    ratings, rng = np.array([[1, 1, 1], [0, 0, 0]] * 20), np.random.default_rng(0)
    assert unproven_agreement(ratings, n_boot=300, rng=rng) is None
    item = np.tile([0, 1], 20)
    for n_boot in (0, 300):
        why = unproven_agreement(ratings, n_boot=n_boot, rng=rng, clusters=item)
        assert why == "2 independent response(s) are too few to tell agreement from chance"


@pytest.mark.parametrize(
    ("ratings", "options", "message"),
    [
        ([1.0], {}, r"ratings of shape \(1,\) must have two axes"),
        ([[1.0]], {"n_boot": -1}, "n_boot = -1 must be 0 or more"),
        ([[1.0]], {"level": 1.0}, "level = 1.0 must lie strictly between 0 and 1"),
    ],
)
def test_bad_agreement_options_are_named(
    ratings: list[Any], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        unproven_agreement(ratings, **{"n_boot": 0, "rng": np.random.default_rng(0), **options})
