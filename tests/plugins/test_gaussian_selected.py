"""Labels on chosen responses: what the data can show is told."""

from __future__ import annotations

import numpy as np
import pytest

from panopt.plugins.gaussian import GaussianPanel, hierarchical_gaussian


def labelled(seed: int, chosen: str, n_judges: int = 1) -> GaussianPanel:
    """Fit 300 responses by judges with bias .1, of which humans labelled 60."""
    rng = np.random.default_rng(seed)
    truth = 0.5 + 0.15 * rng.normal(size=300)
    item, judge = np.divmod(np.arange(300 * n_judges), n_judges)
    score = truth[item] + 0.1 + 0.15 * rng.normal(size=item.size)
    level = score.reshape(300, -1).mean(axis=1)
    key = {"random": rng.random(300), "low": level, "middle": np.abs(level - 0.6)}[chosen]
    those = np.argsort(key)[:60]
    return hierarchical_gaussian(
        np.append(item, those),
        np.append(judge, np.full(60, n_judges)),
        np.append(score, truth[those] + 0.05 * rng.normal(size=60)),
        anchor=n_judges,
    )


@pytest.mark.parametrize("n_judges", [1, 3])
@pytest.mark.parametrize(("chosen", "told"), [("low", "lower than"), ("middle", "spread")])
def test_labels_chosen_by_the_judges_scores_are_told(chosen: str, told: str, n_judges: int) -> None:
    for seed in range(3):
        warnings = labelled(seed, chosen, n_judges).warnings
        assert any("the responses that humans scored" in text and told in text for text in warnings)


@pytest.mark.parametrize("draws", [40, pytest.param(100, marks=pytest.mark.slow)])
def test_labels_on_a_random_sample_raise_no_alarm(draws: int) -> None:
    alarms = sum(
        any("that humans scored have" in text for text in labelled(seed, "random").warnings)
        for seed in range(draws)
    )
    assert alarms <= 1  # z beyond 3.5, twice: 1 in 1000
