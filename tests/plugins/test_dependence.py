from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from panopt.analysis import analyze
from panopt.plugins.dependence import panopt_analyze
from panopt.records.ask import Ask
from panopt.records.study import Study

Array = NDArray[Any]
Judge = Callable[..., Any]

analyze_hook: Callable[..., Any] = panopt_analyze


def panel(truth: Array, rng: np.random.Generator, accuracy: list[float]) -> Array:
    right = rng.random((len(truth), len(accuracy))) < accuracy
    return np.where(right, truth[:, None], 1 - truth[:, None]).astype(float)


def camps(rng: np.random.Generator) -> tuple[Array, Array]:
    """Two good judges, and five that follow one error most of the time."""
    truth = rng.integers(0, 2, 200)
    error = np.where(rng.random(200) < 0.7, 1 - truth, truth)
    return np.hstack([panel(truth, rng, [0.85] * 2), panel(error, rng, [0.9] * 5)]), truth


def test_a_panel_in_camps_is_not_to_be_trusted_and_the_mend_is_said(judged: Judge) -> None:
    rng = np.random.default_rng(0)
    votes, _ = camps(rng)
    found = analyze_hook(*judged(votes)[1:], Ask(n_boot=200), rng)
    (note,) = [note for note in found.notes if "do not trust this panel" in note]
    assert "label about 50 responses by hand and pass them with --labels" in note[:300]
    (row,) = found.named("effective_judges")
    assert any("camps" in text for text in row.warnings)
    assert row.details["against"] == "panel"
    assert "cannot be seen without human labels" in row.assumptions[0]


def test_with_labels_errors_are_against_humans(judged: Judge) -> None:
    rng = np.random.default_rng(1)
    votes, truth = camps(rng)
    found = analyze_hook(*judged(votes, human=truth)[1:], Ask(n_boot=200), rng)
    (row,) = found.named("effective_judges")
    assert row.details["against"] == "humans"
    assert row.n == 200
    assert row.low < row.value < row.high < 7
    pairs = found.named("residual_correlation")
    assert len(pairs) == 21
    assert not any(pair.headline for pair in pairs)


def test_an_independent_panel_gets_no_note(judged: Judge) -> None:
    rng = np.random.default_rng(2)
    votes = panel(rng.integers(0, 2, 200), rng, [0.9, 0.8, 0.8, 0.7, 0.6])
    found = analyze_hook(*judged(votes)[1:], Ask(n_boot=200), rng)
    assert found.notes == ()
    assert found.rows[0].value == pytest.approx(5, abs=0.5)


def test_intervals_that_are_not_widened_are_said(judged: Judge) -> None:
    rng = np.random.default_rng(3)
    quality = rng.integers(1, 6, (200, 1))
    scores = np.clip(quality + rng.integers(-1, 2, (200, 1)) + rng.integers(-1, 2, (200, 3)), 1, 5)
    case = judged(scores.astype(float), human=quality[:, 0], scale="ordinal:1:5")
    consensus = replace(case.consensus, method="gaussian")
    found = analyze_hook(case.matrix, consensus, Ask(n_boot=200), rng)
    assert any("gaussian assume judges that err independently" in note for note in found.notes)
    assert any("they are not widened" in note for note in found.notes)


@pytest.mark.parametrize("n_judges", [1, 2, 3])
def test_small_panels_get_a_reason(judged: Judge, n_judges: int) -> None:
    rng = np.random.default_rng(4)
    votes = rng.integers(0, 2, (30, n_judges)).astype(float)
    found = analyze_hook(*judged(votes)[1:], Ask(), rng)
    assert found.rows[0].value is None
    assert found.rows[0].reason


def test_J_14_a_family_shared_with_the_system_is_a_warning_and_can_be_overridden() -> None:
    rows = {
        "item": [f"i{i}" for i in range(20)] * 2,
        "judge": ["gpt-4o"] * 20 + ["claude-3-haiku"] * 20,
        "system": ["openai/o3-mini"] * 40,
        "score": np.random.default_rng(5).integers(0, 2, 40).tolist(),
    }
    study = Study.from_columns({**rows, "scale": "binary"})
    assert any("both of openai" in text for text in analyze(study).warnings)
    told = Ask(families=(("gpt-4o", "unknown"),))
    assert not any("both of openai" in text for text in analyze(study, told).warnings)
