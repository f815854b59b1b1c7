"""Agreement by system, by task family and without each judge, as `panopt analyze` finds it."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

from panopt.findings import Findings
from panopt.plugins.reliability import (
    alpha_without,
    fleiss_kappa,
    gwet_ac,
    gwet_ac1,
    icc,
    krippendorff_alpha,
    panopt_analyze,
    raw_agreement,
)
from panopt.records.ask import Ask
from panopt.records.study import Study

NAN = np.nan


def defined(value: float | None) -> float:
    assert value is not None
    return value


def _columns(
    ratings: np.ndarray, scale: str, **of_response: list[Any] | np.ndarray
) -> dict[str, Any]:
    n, judges = ratings.shape
    return {
        "item": [f"i{i:05d}" for i in range(n) for _ in range(judges)],
        "judge": [f"j{j}" for _ in range(n) for j in range(judges)],
        "score": ratings.ravel(),
        "scale": scale,
    } | {name: np.repeat(values, judges).tolist() for name, values in of_response.items()}


def _analyze(columns: dict[str, Any], ask: Ask) -> Findings:
    matrix = Study.from_columns(columns).matrix("score")
    found = panopt_analyze(matrix=matrix, ask=ask, rng=np.random.default_rng(0))
    assert found is not None
    return found


def _binary(n: int, *, accuracy: float = 0.85, judges: int = 3, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 2, (n, 1))
    return np.where(rng.random((n, judges)) < accuracy, truth, 1 - truth) * 1.0


@pytest.mark.parametrize(("column", "kind"), [("system", "system"), ("family", "group")])
def test_J_15_each_system_and_task_family_has_its_own_agreement(column: str, kind: str) -> None:
    ratings = np.concatenate((_binary(60, accuracy=0.95), _binary(40, accuracy=0.6, seed=1)))
    of = np.repeat(["easy", "hard"], [60, 40])
    found = _analyze(_columns(ratings, "binary", **{column: of}), Ask(n_boot=100))
    subjects = {row.subject for row in found if row.subject_kind == kind}
    assert subjects == {"easy", "hard"}
    for name, rows in (("easy", ratings[:60]), ("hard", ratings[60:])):
        for what, expected in (
            ("alpha_nominal", krippendorff_alpha(rows)),
            ("raw_agreement", raw_agreement(rows)),
            ("ac1", gwet_ac1(rows, n_levels=2)),
        ):
            row = found.named(what, subject=name)[0]
            assert row.value == pytest.approx(defined(expected.value), abs=1e-12)
            assert (row.n, row.subject_kind, row.headline) == (len(rows), kind, False)
            assert defined(row.low) < defined(row.value) < defined(row.high)
    other = "group" if kind == "system" else "system"
    assert not [row for row in found if row.subject_kind == other]


def test_one_system_of_all_responses_is_the_panel_itself() -> None:
    found = _analyze(_columns(_binary(20), "binary", system=["s"] * 20), Ask(n_boot=0))
    assert {row.subject_kind for row in found} == {"panel", "judge_pair", "judge"}


def test_responses_without_a_family_belong_to_none() -> None:
    columns = _columns(_binary(30), "binary")
    columns["family"] = [*["maths"] * 60, *[None] * 30]
    found = _analyze(columns, Ask(n_boot=0))
    assert found.named("raw_agreement", subject="maths")[0].n == 20
    assert {row.subject for row in found if row.subject_kind == "group"} == {"maths"}


def test_a_family_without_agreement_to_measure_says_why() -> None:
    columns = _columns(_binary(30), "binary", family=["a"] * 29 + ["b"])
    row = _analyze(columns, Ask(n_boot=0)).named("alpha_nominal", subject="b")[0]
    assert row.value is None
    assert row.reason == "1 unit(s) have two or more ratings; agreement needs two"


def test_too_many_systems_are_left_out_and_said_so() -> None:
    systems = [f"s{i % 41}" for i in range(82)]
    found = _analyze(_columns(_binary(82), "binary", system=systems), Ask(n_boot=0))
    assert not [row for row in found if row.subject_kind == "system"]
    assert "score: agreement by system is left out, 41 systems" in found.notes


def test_items_judged_for_several_systems_are_clusters() -> None:
    ratings = _binary(50, seed=3)
    twice = np.concatenate((ratings, ratings))
    columns = _columns(twice, "binary", system=np.repeat(["a", "b"], 50))
    columns["item"] = [f"i{i:03d}" for _ in range(2) for i in range(50) for _ in range(3)]
    found = _analyze(columns, Ask(n_boot=0))
    whole = found.named("raw_agreement", subject="")[0]
    assert whole.details["se"] == pytest.approx(defined(raw_agreement(ratings).se))
    assert found.named("fleiss_kappa")[0].details["se"] == pytest.approx(
        defined(fleiss_kappa(ratings).se)
    )
    row = found.named("raw_agreement", subject="a")[0]
    assert row.details["se"] == pytest.approx(defined(raw_agreement(ratings).se))


def test_a_judge_that_guesses_is_named_with_the_difference() -> None:
    rng = np.random.default_rng(4)
    ratings = _binary(150, accuracy=0.92, judges=4)
    ratings[:, 1] = rng.integers(0, 2, 150)
    found = _analyze(_columns(ratings, "binary"), Ask(n_boot=400))
    rows = found.named("alpha_without")
    assert [row.subject for row in rows] == ["j0", "j1", "j2", "j3"]
    assert {(row.subject_kind, row.headline) for row in rows} == {("judge", False)}
    expected = alpha_without(ratings, n_boot=0)
    for row, left in zip(rows, expected, strict=True):
        assert row.value == pytest.approx(defined(left.without.value))
        assert row.details["difference"] == pytest.approx(left.difference)
        assert defined(row.low) < defined(row.value) < defined(row.high)
    told = [note for note in found.notes if "alpha would be" in note]
    assert len(told) == 1
    assert f"alpha would be {rows[1].value:.3f} without j1 (higher by " in told[0]
    assert "compare with human labels before you leave a judge out" in told[0]


def test_equal_judges_and_judges_on_other_scales_are_not_accused() -> None:
    found = _analyze(_columns(_binary(150, judges=4), "binary"), Ask(n_boot=300))
    assert not found.notes
    rng = np.random.default_rng(5)
    quality = rng.random((200, 1))
    seen = np.clip(quality + rng.normal(0, 0.05, (200, 3)), 0, 1)
    seen[:, 2] = seen[:, 2] > 0.5
    columns = _columns(seen, "") | {"scale": ["continuous:0:1", "continuous:0:1", "binary"] * 200}
    mixed = _analyze(columns, Ask(n_boot=300))
    assert len(mixed.named("alpha_without")) == 3
    assert len(mixed.notes) == 1


def test_two_judges_have_no_alpha_without_one() -> None:
    ratings = np.c_[_binary(20, judges=2), np.full(20, NAN)]  # a third never answered
    assert not _analyze(_columns(ratings, "binary"), Ask(n_boot=0)).named("alpha_without")


def test_ordinal_panels_have_ac2_and_iccs_of_complete_responses() -> None:
    rng = np.random.default_rng(6)
    scores = np.clip(rng.integers(1, 6, (60, 1)) + rng.integers(-1, 2, (60, 3)), 1, 4) * 1.0
    scores[:5, 0] = NAN
    found = _analyze(_columns(scores, "ordinal:1:5"), Ask(n_boot=0))
    ac2 = found.named("ac2")[0]
    expected = gwet_ac(scores, weights="quadratic", levels=[1, 2, 3, 4, 5])
    assert ac2.value == pytest.approx(defined(expected.value))
    table = icc(scores)
    for name, form in (("icc_2_1", "ICC2"), ("icc_2_k", "ICC2k"), ("icc_3_k", "ICC3k")):
        row = found.named(name)[0]
        assert row.value == pytest.approx(defined(table[form].value))
        assert row.low == pytest.approx(defined(table[form].low))
        assert row.n == 55
        assert row.warnings == ("5 response(s) that not every judge rated are left out",)
        assert not row.headline


def test_iccs_of_no_complete_response_say_why() -> None:
    scores = np.random.default_rng(7).random((30, 3))
    scores[np.arange(30), np.arange(30) % 3] = NAN
    row = _analyze(_columns(scores, "continuous:0:1"), Ask(n_boot=0)).named("icc_2_k")[0]
    assert row.value is None
    assert row.reason == "0 unit(s) are rated by all 3 judges; an ICC needs two"


def test_the_same_seed_gives_the_same_findings() -> None:
    columns = _columns(_binary(40), "binary", system=np.repeat(["a", "b"], 20))
    one, two = (_analyze(columns, Ask(n_boot=50)) for _ in range(2))
    assert one.rows == two.rows


def test_a_large_panel_stays_cheap() -> None:
    ratings = _binary(100_000, judges=5)
    columns = _columns(ratings, "binary", system=np.resize(["a", "b", "c"], 100_000))
    columns["item"] = np.repeat([f"i{i:05d}" for i in range(100_000)], 5).tolist()
    matrix = Study.from_columns(columns).matrix("score")
    start = time.process_time()
    panopt_analyze(matrix=matrix, ask=Ask(), rng=np.random.default_rng(0))
    assert time.process_time() - start < 3  # about .5 s on an idle core
