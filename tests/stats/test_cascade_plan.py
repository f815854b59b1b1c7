from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import expit as reference

from panopt.stats.cascade_errors import expected_errors, expit
from panopt.stats.cascade_path import deciding_judge, learn_path, tally
from panopt.stats.cascade_plan import LEARN, Plan, plan_test

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


def labelled(n: int, seed: int, *, tied: bool = False) -> tuple[Floats, Flags]:
    rng = np.random.default_rng(seed)
    c = 0.5 + 0.5 * rng.random((n, 3))
    wrong = rng.random((n, 3)) > np.clip(c - 0.05, 0, 1)
    c = np.ceil(c * 10) / 10 if tied else c
    c[rng.random((n, 3)) < 0.03] = np.nan
    return c, wrong & ~np.isnan(c)


def planned(c: Floats, wrong: Flags, *, alpha: float = 0.1) -> Plan:
    plan = plan_test(
        c,
        wrong,
        alpha=alpha,
        delta=0.1,
        floor=0.0,
        asked=None,
        pool=None,
        rng=np.random.default_rng(7),
    )
    assert plan is not None
    return plan


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("seed", range(8))
def test_plan_never_looks_at_the_labels_that_it_is_tested_on(seed: int, *, tied: bool) -> None:
    c, wrong = labelled(400, seed, tied=tied)
    plan = planned(c, wrong)
    hidden = wrong.copy()
    hidden[plan.testing] = ~wrong[plan.testing] & ~np.isnan(c[plan.testing])
    again = planned(c, hidden)
    assert again.path.tolist() == plan.path.tolist()
    assert again.entries == plan.entries
    assert again.testing.tolist() == plan.testing.tolist()
    assert plan.learned + len(plan.testing) == 400


@pytest.mark.parametrize("seed", range(8))
def test_plan_never_moves_with_the_confidences_that_it_is_tested_on(seed: int) -> None:
    # Given how many items lie within reach, nothing about them may steer the test: neither which
    # they are nor their confidences, as long as they stay within reach.
    c, wrong = labelled(400, seed)
    plan = planned(c, wrong)
    moved = c.copy()
    moved[plan.testing] = np.nan_to_num(c[plan.testing], nan=1.0) ** 0.01
    again = planned(moved, wrong)
    assert again.path.tolist() == plan.path.tolist()
    assert again.entries == plan.entries
    assert again.testing.tolist() == plan.testing.tolist()


@pytest.mark.parametrize("seed", range(8))
def test_no_step_accepts_an_item_whose_label_was_revealed_as_out_of_reach(seed: int) -> None:
    c, wrong = labelled(400, seed)
    plan = planned(c, wrong)
    assert plan.learned > int(LEARN * 400)  # some were revealed
    looked = np.ones(400, dtype=bool)
    looked[plan.testing] = False
    looked[np.random.default_rng(7).permutation(400)[: int(LEARN * 400)]] = False
    assert (deciding_judge(c[looked], plan.path[-1]) == -1).all()
    assert (plan.path[1:] <= plan.path[:-1]).all()
    assert sum(part for _, part in plan.entries) == pytest.approx(1.0)
    assert [at for at, _ in plan.entries] == sorted({at for at, _ in plan.entries})
    assert plan.entries[0][0] == 0


def test_nothing_is_revealed_where_everything_may_be_certified() -> None:
    c, wrong = labelled(400, 0)
    plan = planned(c, np.zeros_like(wrong))
    assert plan.learned == int(LEARN * 400)


def test_tally_counts_what_a_loop_counts() -> None:
    c, wrong = labelled(200, 3, tied=True)
    path = np.array([[np.inf, np.inf, 0.9], [np.inf, 0.9, 0.9], [0.8, 0.7, 0.6], [0, 0, 0]])
    accepted, errors = tally(c, path, wrong)
    for step, thresholds in enumerate(path):
        judge = deciding_judge(c, thresholds)
        rows = np.flatnonzero(judge >= 0)
        assert accepted[step] == len(rows)
        assert errors[step] == np.count_nonzero(wrong[rows, judge[rows]])


def test_path_takes_the_judge_that_errs_less_and_the_earlier_of_two_that_err_rarely() -> None:
    c = np.tile(np.linspace(0.5, 1, 100)[:, None], 2)
    least, wrong = np.zeros(2), np.zeros((100, 2), dtype=bool)
    expected = np.tile([0.3, 0.1], (100, 1))
    assert np.isinf(learn_path(c, wrong, expected, least=least)[0]).tolist() == [True, False]
    rare = np.tile([0.02, 0.01], (100, 1))
    assert np.isinf(learn_path(c, wrong, rare, least=least)[0]).tolist() == [True, False]
    first = learn_path(c, wrong, rare, least=least, safe=0.02)[0]
    assert np.isinf(first).tolist() == [False, True]


def test_expected_errors_find_the_risk_of_judges_and_of_confidence() -> None:
    rng = np.random.default_rng(0)
    u = rng.random((20_000, 2))
    risk = reference(-1.5 - 3.0 * (u - 0.5) + np.array([1.0, 0.0]))
    wrong = rng.random(u.shape) < risk
    found = expected_errors(u, wrong, np.ones(len(u), dtype=bool), u)
    assert np.abs(found - risk).max() < 0.04
    few = np.arange(len(u)) < 1000
    hidden = np.where(few[:, None], wrong, ~wrong)  # looked at where known alone
    np.testing.assert_array_equal(
        expected_errors(u, hidden, few, u[:1000]), expected_errors(u, wrong, few, u[:1000])
    )


def test_expected_errors_of_silence_and_of_no_labels() -> None:
    c = np.array([[0.9, np.nan], [0.6, 0.7]])
    none = np.zeros(2, dtype=bool)
    found = expected_errors(c, np.zeros((2, 2), dtype=bool), none, c)
    assert found[0, 1] == 0.0
    assert ((found[~np.isnan(c)] > 0) & (found[~np.isnan(c)] < 1)).all()
    assert found[0, 0] < found[1, 0]  # surer, so less often wrong, before any label


def test_expit_is_that_of_scipy() -> None:
    x = np.linspace(-30, 30, 101)
    np.testing.assert_allclose(expit(x), reference(x), rtol=1e-9, atol=1e-16)
