from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from panopt.stats.cascade import certify_cascade
from panopt.stats.certify import certify_threshold
from panopt.stats.panel_certificate import certify_panel, panel_confidence

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

ITEMS = 20_000


def judges(strength: list[float], *, sharp: float = 2.0) -> tuple[Floats, Flags]:
    """Give confidence and agreement of judges whose errors are correlated: a population."""
    rng = np.random.default_rng(0)
    common, own = rng.normal(size=(ITEMS, 1)), rng.normal(size=(ITEMS, len(strength)))
    margin = np.array(strength) + 1.5 * (math.sqrt(0.4) * common + math.sqrt(0.6) * own)
    p = 1 / (1 + np.exp(-sharp * margin))
    return np.maximum(p, 1 - p), margin > 0


def replay(
    population: tuple[Floats, Flags], draws: int, *, combine: str, alpha: float
) -> tuple[float, float]:
    c, a = population
    kept, failed = 0.0, 0
    for seed in range(draws):
        rng = np.random.default_rng(seed)
        rows = rng.integers(0, len(c), 500)
        found = certify_panel(c[rows], a[rows], alpha=alpha, combine=combine, rng=rng)  # type: ignore[arg-type]
        verdict = found.decide(c, a)  # the verdict 1 is the humans'
        kept += float(np.mean(verdict >= 0)) / draws
        if (verdict >= 0).any():
            failed += float(np.mean(verdict[verdict >= 0] == 0)) > alpha
    return kept, failed / draws


@pytest.mark.parametrize("combine", ["mean", "learned"])
@pytest.mark.parametrize("strength", [[0.75, 1.0, 1.3], [0.1, 0.3, 1.6], [0.0, 0.0, 0.0]])
def test_T_1_panel_keeps_its_promise(strength: list[float], combine: str) -> None:
    failed = replay(judges(strength), 40, combine=combine, alpha=0.1)[1]
    assert failed <= 0.1 + 3 * math.sqrt(0.09 / 40)


@pytest.mark.slow
@pytest.mark.parametrize("combine", ["mean", "learned"])
@pytest.mark.parametrize("strength", [[0.75, 1.0, 1.3], [0.1, 0.3, 1.6], [0.0, 0.0, 0.0]])
def test_T_1_panel_keeps_its_promise_in_many_draws(strength: list[float], combine: str) -> None:
    for alpha in (0.1, 0.15, 0.2):
        failed = replay(judges(strength), 500, combine=combine, alpha=alpha)[1]
        assert failed <= 0.1 + 3 * math.sqrt(0.09 / 500)


def test_T_1_asking_all_keeps_more_than_asking_in_turn() -> None:
    c, a = judges([0.75, 1.0, 1.3])
    cascade = np.mean(
        [
            certify_cascade(c[i : i + 500], a[i : i + 500], alpha=0.15).coverage
            for i in range(0, ITEMS, 500)
        ]
    )
    assert replay((c, a), 40, combine="mean", alpha=0.15)[0] > cascade


def test_learned_weights_save_a_panel_of_which_two_guess() -> None:
    population = judges([0.1, 0.3, 1.6])
    learned = replay(population, 20, combine="learned", alpha=0.1)[0]
    assert learned > 0.5
    assert replay(population, 20, combine="mean", alpha=0.1)[0] < 0.2
    found = certify_panel(population[0][:500], population[1][:500], combine="learned")
    assert found.weights is not None
    assert found.weights.argmax() == 2
    assert found.n_learned == 150
    assert "exact for a risk of any shape" in found.assumption


def test_mean_is_the_mean_probability_of_the_verdict() -> None:
    rng = np.random.default_rng(0)
    c, v = 0.5 + 0.5 * rng.random((200, 3)), rng.integers(0, 2, (200, 3))
    positive = np.where(v == 1, c, 1 - c).mean(axis=1)
    verdict, sure = panel_confidence(c, v)
    named = (v == 1).any(axis=1) & (v == 0).any(axis=1)
    assert (verdict[named] == (positive[named] > 0.5)).all()
    np.testing.assert_allclose(sure[named], np.maximum(positive, 1 - positive)[named])
    np.testing.assert_allclose(panel_confidence(c, 1 - v)[1], sure)  # no label is favoured


def test_agreement_alone_tells_as_much_as_verdicts_and_labels() -> None:
    rng = np.random.default_rng(0)
    c, a = judges([0.75, 1.0, 1.3])
    c, a = c[:500], a[:500]
    human = rng.integers(0, 2, (500, 1))
    verdicts = np.where(a, human, 1 - human)
    for combine in ("mean", "learned"):
        told = certify_panel(c, a, alpha=0.2, combine=combine)
        full = certify_panel(c, a, alpha=0.2, combine=combine, verdicts=verdicts)
        assert (told.threshold, told.n, told.errors) == (full.threshold, full.n, full.errors)


def test_more_labels_than_two() -> None:
    verdict, sure = panel_confidence([[0.6, 0.6, 0.9], [0.8, np.nan, 0.7]], [[4, 4, 2], [1, 9, 1]])
    assert verdict.tolist() == [2, 1]  # .6 for 4 leaves .2 to 2 and .2 to labels not named
    np.testing.assert_allclose(sure, [(0.2 + 0.2 + 0.9) / 3, 0.75])
    with pytest.raises(ValueError, match="combine = 'learned' takes two labels"):
        certify_panel([[0.6, 0.7]], [[1, 0]], verdicts=[[2, 1]], combine="learned")


def test_one_confidence_is_certified_as_it_stands() -> None:
    rng = np.random.default_rng(0)
    c = rng.random(300)
    a = rng.random(300) < 0.7 + 0.3 * c
    found, alone = certify_panel(c, a), certify_threshold(c, a)
    assert found.certificate == alone
    assert found.decide([0.0, 1.0]).tolist() == [0 if alone.threshold == 0 else -1, 0]
    assert found.weights is None


def test_silent_panels_are_never_accepted() -> None:
    c = np.full((60, 2), 0.9)
    c[:10] = np.nan
    found = certify_panel(c, np.ones((60, 2)))
    assert found.coverage == 50 / 60
    assert found.decide(c[[0, 20]], np.ones((2, 2))).tolist() == [-1, 1]


def test_labels_of_one_class_teach_no_weights() -> None:
    found = certify_panel(np.full((100, 2), 0.9), np.ones((100, 2)), combine="learned")
    assert found.weights is not None
    assert found.weights.tolist() == [0.5, 0.5]
    assert found.coverage == 1.0
    wrong = certify_panel(np.full((100, 2), 0.9), np.zeros((100, 2)), combine="learned")
    assert not wrong.feasible
    assert wrong.reason is not None


def test_clusters_count_once() -> None:
    c, a = np.full((44, 2), 0.9), np.ones((44, 2))
    assert certify_panel(c, a, clusters=np.repeat(np.arange(22), 2)).n == 22
    assert not certify_panel(c, a, clusters=np.repeat(np.arange(11), 4)).feasible


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"combine": "best"}, "combine = 'best' must be one of mean, learned"),
        ({"alpha": 2.0}, r"alpha = 2\.0 must lie strictly"),
        ({"confidence": [[1.2, 0.5]]}, r"confidence must lie in \[0, 1\]"),
        ({"agrees": [[1, 2]]}, "agrees must be 0 or 1"),
        ({"agrees": [[1]]}, "confidence and agrees differ in shape"),
        ({"verdicts": [[0.5, 1]]}, "verdicts must hold whole numbers"),
        ({"unit": False}, "only probabilities can be combined"),
        ({"confidence": [[[0.5]]]}, "must be"),
    ],
)
def test_bad_arguments_are_named(arguments: dict[str, object], message: str) -> None:
    call: dict[str, object] = {"confidence": [[0.5, 0.6]], "agrees": [[1, 0]], **arguments}
    with pytest.raises(ValueError, match=message):
        certify_panel(**call)  # type: ignore[arg-type]


def test_verdicts_are_asked_for_where_they_are_needed() -> None:
    found = certify_panel(np.full((50, 2), 0.9), np.ones((50, 2)))
    with pytest.raises(ValueError, match="verdicts must be given"):
        found.decide([[0.9, 0.9]])
    with pytest.raises(ValueError, match=r"weights has shape \(1,\); it must be \(2,\)"):
        panel_confidence([[0.9, 0.9]], [[1, 1]], weights=[1.0])
    for bad in (np.nan, np.inf):
        with pytest.raises(ValueError, match=f"weights = .*{bad}.* must be finite"):
            panel_confidence([[0.9, 0.9]], [[1, 1]], weights=[1.0, bad])
    with pytest.raises(ValueError, match="weights are of two labels, 0 and 1; leave them out"):
        panel_confidence([[0.9, 0.9]], [[1, 2]], weights=[1.0, 1.0])
