"""The hook on variance: what it finds, what it leaves to the report, what it cannot tell."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from panopt.findings import Finding, Findings
from panopt.plugins.variance import (
    matrix_components,
    panopt_analyze,
    variance_components,
)
from panopt.records.ask import Ask
from panopt.records.matrix import Matrix
from panopt.records.study import Study

ASK = Ask()


def matrix_of(
    table: NDArray[np.float64],
    *,
    scale: str = "continuous",
    systems: int = 1,
    epochs: int = 1,
) -> Matrix:
    """Give a criterion scored by a cube responses x judges x repeats, NaN where a judge failed."""
    n, judges, _ = table.shape
    response, judge, repeat = np.indices(table.shape).reshape(3, -1)
    score = table.ravel()
    each = n // (systems * epochs)
    item = response % each
    study = Study.from_columns(
        {
            "item": [f"i{code:03d}" for code in item],
            "system": [f"s{code}" for code in response // (each * epochs)],
            "epoch": (response // each % epochs).tolist(),
            "judge": [f"j{code}" for code in judge],
            "repeat": repeat.tolist(),
            "score": [None if np.isnan(value) else value for value in score],
            "status": ["failed" if np.isnan(value) else "ok" for value in score],
            "scale": scale,
        }
    )
    matrix = study.matrix("score")
    assert matrix.n_judges == judges
    return matrix


def analyzed(matrix: Matrix) -> Findings:
    found = panopt_analyze(matrix, ASK, np.random.default_rng(0))
    assert found is not None
    return found


def one(found: Findings, name: str, subject: str = "") -> Finding:
    (row,) = found.named(name, subject=subject)
    return row


def cube(n: int, k: int, r: int, seed: int = 0) -> NDArray[np.float64]:
    rng = np.random.default_rng(seed)
    y = 0.5 + 0.1 * rng.normal(size=(n, 1, 1)) + 0.04 * rng.normal(size=(1, k, 1))
    y = y + 0.06 * rng.normal(size=(n, k, 1)) + 0.05 * rng.normal(size=(n, k, r))
    return np.asarray(np.clip(y, 0, 1))


def test_the_hook_gives_what_the_function_gives() -> None:
    y = cube(40, 3, 2)
    y[3, 1, :] = np.nan
    found = analyzed(matrix_of(y))
    items, judges, _ = np.indices(y.shape).reshape(3, -1)
    direct = variance_components(items, judges, y.ravel(), rng=np.random.default_rng(0))
    for name in ("item", "judge", "item_judge", "repeat"):
        row, part = one(found, f"variance_{name}"), getattr(direct, name)
        assert row.value == pytest.approx(part.value)
        assert row.low is not None
        assert row.low <= row.value <= (row.high or 0)  # type: ignore[operator]
        assert not row.headline
    share = one(found, "judge_noise_share")
    assert share.headline
    assert share.value == pytest.approx(direct.noise_share.value)
    assert share.details["of_panel_mean"] < share.value  # type: ignore[operator]
    assert [row.name for row in found if row.headline] == ["judge_noise_share"]


def test_repeats_give_columns_and_every_judge_its_spread() -> None:
    y = cube(30, 3, 4)
    y[0] = 0.5
    y[:, 2] = y[:, 2, :1]  # a judge that never wavers
    found = analyzed(matrix_of(y))
    within = y.var(axis=2, ddof=1).mean(axis=1)
    np.testing.assert_allclose(found.columns["aleatoric_sd"], np.sqrt(within), atol=1e-9)
    assert np.isfinite(found.columns["epistemic_sd"]).all()
    steady, wavering = (one(found, "within_judge_sd", name) for name in ("j2", "j0"))
    assert (steady.value, steady.no_interval) == (0.0, "all its repeats are equal")
    assert wavering.value == pytest.approx(np.sqrt(y[:, 0].var(axis=1, ddof=1).mean()))
    assert one(found, "aleatoric_variance").value == pytest.approx(within.mean())
    assert one(found, "epistemic_variance").value is not None


def test_without_repeats_there_are_no_columns_and_the_reason_is_told() -> None:
    found = analyzed(matrix_of(cube(30, 3, 1)))
    assert found.columns == {}
    row = one(found, "variance_repeat")
    assert row.reason == "no judge scored an item twice: repeat is part of item x judge"
    assert one(found, "variance_item_judge").details["holds_repeat"] is True


def test_systems_have_means_of_their_own() -> None:
    y = cube(60, 3, 1)
    y[30:] = np.clip(y[30:] + 0.3, 0, 1)
    apart, mixed = analyzed(matrix_of(y, systems=2)), analyzed(matrix_of(y))
    own = one(apart, "variance_item").value
    whole = one(mixed, "variance_item").value
    assert own is not None
    assert whole is not None
    assert own < 0.015 < whole


def test_epochs_of_an_item_are_one_cluster() -> None:
    y = np.tile(cube(15, 3, 1), (4, 1, 1))
    found = matrix_components(matrix_of(y, epochs=4), level=0.95, rng=np.random.default_rng(0))
    assert not isinstance(found, str)
    assert (found.n_items, found.items_per_system) == (60, 15)
    items, judges = np.indices((60, 3)).reshape(2, -1)
    alone = variance_components(items, judges, y.ravel())
    assert found.item.df is not None
    assert alone.item.df is not None
    assert found.item.df < 0.4 * alone.item.df


def test_a_few_items_that_make_the_spread_are_a_warning_beside_the_interval() -> None:
    rng = np.random.default_rng(4)
    table = 0.5 + 0.01 * rng.normal(size=(40, 3, 1))
    table[:2] = 0.95
    found = analyzed(matrix_of(table))
    for name in ("variance_item", "judge_noise_share"):
        assert any("a few items make most of the spread" in w for w in one(found, name).warnings)
    assert not any("a few items" in w for w in one(found, "variance_judge").warnings)


def test_mostly_noise_says_what_to_do() -> None:
    rng = np.random.default_rng(1)
    noisy = analyzed(matrix_of((rng.random((40, 3, 1)) < 0.5).astype(np.float64), scale="binary"))
    assert len(noisy.notes) == 1
    assert "`panopt power --design` with --se" in noisy.notes[0]
    clear = rng.random((40, 1, 1)) + 0.01 * rng.random((40, 3, 1))
    assert analyzed(matrix_of(np.asarray(clear / 1.01))).notes == ()


def test_nothing_to_go_by_is_a_reason_and_no_headline() -> None:
    one_judge = one(analyzed(matrix_of(cube(10, 1, 1))), "judge_noise_share")
    assert one_judge.value is None
    assert not one_judge.headline
    silent = analyzed(matrix_of(np.full((3, 2, 1), np.nan)))
    assert one(silent, "judge_noise_share").reason == "no judge gave a score"
    constant = analyzed(matrix_of(np.full((5, 2, 2), 0.7)))
    share = one(constant, "judge_noise_share")
    assert share.reason == "no variance: all scores of a system are equal"
    assert one(constant, "within_judge_sd", "j0").value == 0.0


def labelled(draws: dict[str, list[list[str]]]) -> Matrix:
    """Give labels of judges: items x repeats."""
    rows = [
        (f"i{i}", judge, repeat, label)
        for judge, items in draws.items()
        for i, labels in enumerate(items)
        for repeat, label in enumerate(labels)
    ]
    names = ("item", "judge", "repeat", "label")
    columns = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
    return Study.from_columns({**columns, "scale": "nominal"}).matrix("score")


def test_P_5_labels_get_modal_shares() -> None:
    found = analyzed(labelled({"a": [["x", "x", "y"], ["z", "z", "z"]], "b": [["x"], ["y"]]}))
    steady = one(found, "modal_share", "a")
    assert steady.value == pytest.approx(5 / 6)
    assert steady.low is not None
    assert one(found, "modal_share", "b").reason == "it judged no response twice"
    np.testing.assert_allclose(found.columns["modal_share"], [2 / 3, 1.0])
    assert panopt_analyze(labelled({"a": [["x"], ["y"]]}), ASK, np.random.default_rng(0)) is None
