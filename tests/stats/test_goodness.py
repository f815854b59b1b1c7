from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from statsmodels.stats.diagnostic_gen import test_chisquare_binning as chisquare_binning

from panopt.stats.goodness import hosmer_lemeshow

Floats = NDArray[np.float64]


def test_statistic_is_statsmodels_on_groups_of_ten() -> None:
    rng = np.random.default_rng(0)
    p = np.sort(rng.permutation(500) + 0.5) / 500
    y = rng.random(500) < p
    found = hosmer_lemeshow(p, y, least=0)
    both = np.column_stack((~y, y)).astype(float)
    theirs = chisquare_binning(both, np.column_stack((1 - p, p)), sort_var=p, bins=10, df=10)
    assert found.n.tolist() == [50.0] * 10
    assert found.statistic == pytest.approx(theirs.statistic, abs=1e-8)
    assert found.p_value == pytest.approx(theirs.pvalue, abs=1e-8)
    assert found.df == 10
    fitted = hosmer_lemeshow(p, y, least=0, fitted=True)
    assert (fitted.statistic, fitted.df) == (found.statistic, 8)


def test_groups_never_part_ties_and_expect_enough_of_both_kinds() -> None:
    p = np.repeat([0.5, 0.8, 0.9, 1.0], [10, 100, 30, 60])
    found = hosmer_lemeshow(p, np.ones(200))
    assert found.n.sum() == 200
    assert (found.expected >= 5).all()
    assert (found.n - found.expected >= 5).all()
    assert (found.left[1:] > found.right[:-1]).all()
    assert found.right[-1] == 1.0  # what expects too little by itself joins its neighbour


def test_too_few_labels_are_answered_in_words() -> None:
    assert hosmer_lemeshow([], []).reason == "there is no labelled verdict"
    few = hosmer_lemeshow(np.full(30, 0.9), np.ones(30))
    assert few.reason == "30 labels expect 27 right and 3 wrong: the test takes 5 of either kind"
    two = hosmer_lemeshow(np.repeat([0.3, 0.7], 30), np.tile([0, 1], 30), fitted=True)
    assert two.reason == "2 group(s) leave no degree of freedom to a fitted model: 3 are needed"


def test_what_is_called_impossible_refutes() -> None:
    found = hosmer_lemeshow([1.0, 1.0, 0.5, 0.5], [1, 0, 1, 0], least=0)
    assert found.statistic == np.inf
    assert found.p_value == 0.0


@pytest.mark.parametrize(
    ("option", "match"),
    [
        ({"n_groups": 0}, "n_groups = 0 must be a whole number"),
        ({"n_groups": 2.5}, r"n_groups = 2\.5 must be a whole number"),
        ({"least": -1}, "least = -1 must be a finite number"),
        ({"least": float("nan")}, "least = nan must be"),
    ],
)
def test_bad_options_are_refused(option: dict[str, float], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        hosmer_lemeshow([0.5], [1], **option)  # type: ignore[arg-type]


def spread(rng: np.random.Generator, n: int) -> Floats:
    return 0.5 + 0.5 * rng.beta(2, 1, n)


def votes(rng: np.random.Generator, n: int) -> Floats:
    return rng.choice([0.6, 0.8, 0.97], n, p=[0.2, 0.3, 0.5])


LAWS = {"spread": spread, "votes": votes}


def rejected(law: str, n: int, draws: int) -> float:
    """Share of calibrated data sets that the test of given probabilities rejects at .05."""
    count = answered = 0
    for seed in range(draws):
        rng = np.random.default_rng(seed)
        p = LAWS[law](rng, n)
        found = hosmer_lemeshow(p, rng.random(n) < p)
        answered += found.p_value is not None
        count += found.p_value is not None and found.p_value <= 0.05
    assert answered > draws / 5
    return count / answered


def rejected_fitted(n: int, draws: int) -> tuple[float, float]:
    """As `rejected`, of a logistic model fitted to the data, with right and with all groups."""
    right = wrong = 0
    for seed in range(draws):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=n) * 1.5
        y = (rng.random(n) < 1 / (1 + np.exp(-x - 0.5))).astype(float)
        design, beta, p = np.column_stack((np.ones(n), x)), np.zeros(2), np.full(n, 0.5)
        for _ in range(12):
            p = 1 / (1 + np.exp(-design @ beta))
            beta += np.linalg.solve(
                design.T @ ((p * (1 - p))[:, None] * design), design.T @ (y - p)
            )
        ours, other = hosmer_lemeshow(p, y, fitted=True), hosmer_lemeshow(p, y)
        right += ours.p_value is not None and ours.p_value <= 0.05
        wrong += other.p_value is not None and other.p_value <= 0.05
    return right / draws, wrong / draws


@pytest.mark.parametrize("law", LAWS)
def test_P_9_hosmer_lemeshow_keeps_its_level_fast(law: str) -> None:
    assert rejected(law, 200, 400) <= 0.05 + 3 * np.sqrt(0.0475 / 400)


def test_P_9_hosmer_lemeshow_of_a_fitted_model_keeps_its_level_fast() -> None:
    assert rejected_fitted(300, 200)[0] == pytest.approx(0.05, abs=3 * np.sqrt(0.0475 / 200))


def test_hosmer_lemeshow_finds_overconfidence() -> None:
    rng = np.random.default_rng(0)
    p = spread(rng, 300)
    found = hosmer_lemeshow(p, rng.random(300) < p - 0.15)
    assert found.p_value is not None
    assert found.p_value < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("n", [30, 100, 400, 2000])
def test_P_9_hosmer_lemeshow_keeps_its_level(law: str, n: int) -> None:
    share = rejected(law, n, 4000)
    assert share <= 0.05 + 3 * np.sqrt(0.0475 / 800)
    if n >= 400:
        assert share == pytest.approx(0.05, abs=3 * np.sqrt(0.0475 / 4000))


@pytest.mark.slow
def test_P_9_hosmer_lemeshow_of_a_fitted_model_keeps_its_level() -> None:
    right, wrong = rejected_fitted(400, 2000)
    assert right == pytest.approx(0.05, abs=3 * np.sqrt(0.0475 / 2000))
    assert wrong < 0.05 - 3 * np.sqrt(0.0475 / 2000)  # ten for eight degrees of freedom is timid
