"""Seeds and generators, wherever draws are made; clusters that are no clusters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from panopt.plugins import compare, ppi
from panopt.stats.generators import generator

A, B = np.random.default_rng(5).random((2, 25))
MANY = np.random.default_rng(6).random((3, 100))
TABLE = np.column_stack([A, B, A + B])

DRAWN: dict[str, Callable[[Any], object]] = {
    "paired_difference": lambda rng: compare.paired_difference(A, B, method="bca", rng=rng),
    "permutation_test": lambda rng: compare.permutation_test(A, B, rng=rng),
    "rank_correlation": lambda rng: compare.rank_correlation(A, B, rng=rng),
    "rank_intervals": lambda rng: compare.rank_intervals(TABLE, rng=rng),
    "ranking_agreement": lambda rng: compare.ranking_agreement(TABLE, [1, 2, 3], rng=rng),
    "ppi_calibrated": lambda rng: ppi.ppi_calibrated(MANY[0], MANY[1], MANY[2], rng=rng),
    "label_next": lambda rng: ppi.label_next(A, n=5, rng=rng),
}


@pytest.mark.parametrize("draw", DRAWN.values(), ids=DRAWN)
@pytest.mark.parametrize("seed", [3, np.int64(3)], ids=["int", "int64"])
def test_a_seed_draws_as_its_generator_does(draw: Callable[[Any], object], seed: int) -> None:
    assert repr(draw(seed)) == repr(draw(np.random.default_rng(3)))


@pytest.mark.parametrize("draw", DRAWN.values(), ids=DRAWN)
@pytest.mark.parametrize("rng", ["x", 1.5, -1, True, np.random.RandomState(0)])
def test_what_is_no_source_of_draws_is_refused(draw: Callable[[Any], object], rng: object) -> None:
    with pytest.raises(ValueError, match=r"rng = .* must be a numpy Generator, a seed from 0 up"):
        draw(rng)


def test_none_is_seed_0_and_a_generator_itself() -> None:
    own = np.random.default_rng(1)
    assert generator(own) is own
    assert generator(None).random() == generator(0).random()


@pytest.mark.parametrize("keys", [[None, "x"] * 12 + ["y"], [np.nan] * 25, [None] * 25])
@pytest.mark.parametrize(
    "compared", [compare.paired_difference, compare.permutation_test, compare.win_rate]
)
def test_clusters_without_a_key_are_refused(compared: Any, keys: list[object]) -> None:  # noqa: ANN401
    with pytest.raises(ValueError, match="clusters has missing entries"):
        compared(A, B, clusters=keys)


def test_strata_without_a_key_and_pairs_that_are_none_are_refused() -> None:
    wrong: Any = [None] * 25
    with pytest.raises(ValueError, match="strata has missing entries"):
        ppi.ppi_stratified(A, B, A, strata=wrong, strata_unlabeled=["a"] * 25)
    for wrong in (9, (1, 2, 3), (None, 4), ("a", 4)):
        with pytest.raises(ValueError, match=r"positives = .* must be two counts"):
            ppi.rogan_gladen(5, 10, positives=wrong, negatives=(8, 10))
    with pytest.raises(ValueError, match="order"):
        ppi.label_next(["a", "b"], n=1, rng=0)
