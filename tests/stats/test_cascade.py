from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from panopt.stats.binomial import risk_upper, zero_error_labels
from panopt.stats.cascade import CertifiedCascade, certify_cascade, quantile_path
from panopt.stats.certify import certify_threshold

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Rng = np.random.Generator
Judged = tuple[Floats, Flags]

ITEMS = 20_000


def judges(strength: list[float], *, sharp: float = 2.0, shared: float = 0.4) -> Judged:
    """Give confidence and agreement of judges whose errors are correlated: a population."""
    rng = np.random.default_rng(0)
    common, own = rng.normal(size=(ITEMS, 1)), rng.normal(size=(ITEMS, len(strength)))
    margin = np.array(strength) + 1.5 * (math.sqrt(shared) * common + math.sqrt(1 - shared) * own)
    p = 1 / (1 + np.exp(-sharp * margin))
    return np.maximum(p, 1 - p), margin > 0


def rising(*, shape: str, tied: int = 0) -> Judged:
    """Three judges whose risk is a function of their confidence's rank: monotone and not."""
    rng = np.random.default_rng(1)
    u = rng.random((ITEMS, 3))
    risk = {
        "spikes": np.where((u * 8) % 1 < 0.25, 0.42, 0.005),
        "sure and wrong": np.where(u > 0.92, 0.6, np.where(u > 0.5, 0.02, 0.5)),
        "just above alpha": np.full(u.shape, 0.101),
        "coin": np.full(u.shape, 0.5),
        "below chance": 0.6 + 0.2 * u,
    }[shape]
    return (np.ceil(u * tied) / tied if tied else u), rng.random(u.shape) >= risk


#: For scale: judges like those of the published cascade, of which the last is right on 81%.
POPULATIONS: dict[str, Judged] = {
    "like the paper's": judges([0.75, 1.0, 1.3]),
    "weak and cheap": judges([0.1, 0.3, 1.6]),
    "correlated": judges([0.8, 0.9, 1.0], shared=0.8),
    "five values": (
        np.ceil(judges([0.8, 1.1, 1.4])[0] * 10) / 10,
        judges([0.8, 1.1, 1.4])[1],
    ),
    "spikes": rising(shape="spikes"),
    "sure and wrong": rising(shape="sure and wrong"),
    "just above alpha": rising(shape="just above alpha"),
    "just above alpha, tied": rising(shape="just above alpha", tied=5),
}


def replay(
    population: Judged,
    draws: int,
    *,
    alpha: float,
    n: int = 500,
    **options: Any,  # noqa: ANN401 - any option of the certificate
) -> tuple[float, float]:
    """Give mean coverage and share of failures, both in a population where they are known."""
    c, a = population
    kept, failed = 0.0, 0
    for seed in range(draws):
        rng = np.random.default_rng(seed)
        rows = rng.integers(0, len(c), n)
        found = certify_cascade(c[rows], a[rows], alpha=alpha, rng=rng, **options)
        judge = np.asarray(found.decide(c))
        accepted = np.flatnonzero(judge >= 0)
        kept += len(accepted) / len(c) / draws
        if len(accepted):
            failed += float(np.mean(~a[accepted, judge[accepted]])) > alpha
    return kept, failed / draws


def at_most(delta: float, draws: int) -> float:
    return delta + 3 * math.sqrt(delta * (1 - delta) / draws)


@pytest.mark.parametrize("options", [{}, {"method": "per_stage"}], ids=["joint", "per stage"])
@pytest.mark.parametrize("name", POPULATIONS)
def test_T_1_cascade_keeps_its_promise(name: str, options: dict[str, Any]) -> None:
    assert replay(POPULATIONS[name], 30, alpha=0.1, n=250, **options)[1] <= at_most(0.1, 30)


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"prefer": "cost", "costs": [1, 3, 10]},
        {"method": "per_stage"},
        {"method": "per_stage", "disjoint": True},
        {"grid": np.linspace(0, 1, 11)},
    ],
    ids=["joint", "cost", "per stage", "disjoint", "grid"],
)
@pytest.mark.parametrize("alpha", [0.1, 0.2])
@pytest.mark.parametrize("name", POPULATIONS)
def test_T_1_cascade_keeps_its_promise_in_many_draws(
    name: str, alpha: float, options: dict[str, Any]
) -> None:
    failed = replay(POPULATIONS[name], 400, alpha=alpha, n=300, **options)[1]
    assert failed <= at_most(0.1, 400)


@pytest.mark.parametrize("shape", ["coin", "below chance"])
def test_T_1_useless_judges_decide_nothing(shape: str) -> None:
    for method in ("joint_path", "per_stage"):
        c, a = rising(shape=shape)
        for seed in range(5):
            rows = np.random.default_rng(seed).integers(0, ITEMS, 500)
            found = certify_cascade(c[rows], a[rows], alpha=0.15, method=method)
            assert not found.feasible
            assert found.coverage == found.composition.sum() == 0.0
            assert np.isposinf(found.thresholds).all()
            assert (np.asarray(found.decide(c[:50])) == -1).all()
            assert found.reason is not None
            assert "above alpha = 0.15" in found.reason
            assert (found.bound, found.n, found.expected_cost) == (1.0, 0, 0.0)


@pytest.mark.parametrize("alpha", [0.15, 0.2])
def test_T_1_joint_path_keeps_more_than_stage_by_stage(alpha: float) -> None:
    # One safe judge pays for another: no threshold is tested at delta / 3.
    population = POPULATIONS["like the paper's"]
    joint = replay(population, 40, alpha=alpha)[0]
    staged = replay(population, 40, alpha=alpha, method="per_stage")[0]
    assert joint > staged + 0.03


def test_T_1_joint_path_is_no_worse_where_only_the_last_judge_is_any_good() -> None:
    population = POPULATIONS["weak and cheap"]
    joint = replay(population, 40, alpha=0.1)[0]
    assert joint > replay(population, 40, alpha=0.1, method="per_stage")[0] - 0.03
    lowered = quantile_path(population[0][:2000])
    assert replay(population, 20, alpha=0.1, grid=lowered)[0] < 0.1 < joint


def test_T_1_perfect_judges_decide_everything_at_the_first() -> None:
    c = np.random.default_rng(0).random((500, 3))
    for method in ("joint_path", "per_stage"):
        found = certify_cascade(c, np.ones((500, 3)), alpha=0.05, method=method, costs=[1, 2, 8])
        assert found.coverage == 1.0
        assert found.errors == 0
        assert found.composition.sum() == pytest.approx(1.0)


def test_T_1_zero_errors_in_22_tested_labels_certify_and_in_21_do_not() -> None:
    c, grid = np.full((22, 2), 0.9), np.zeros((1, 2))
    found = certify_cascade(c, np.ones((22, 2)), grid=grid)
    assert (found.n, found.errors, found.coverage, found.labels_needed) == (22, 0, 1.0, 22)
    assert found.bound == float(risk_upper(0, 22, 0.1)) <= 0.1
    short = certify_cascade(c[:21], np.ones((21, 2)), grid=grid)
    assert short.reason is not None
    assert "22 without a single error" in short.reason
    one = certify_cascade(c[:, :1], np.ones((22, 1)))
    assert one.feasible
    assert not certify_cascade(c[:21, :1], np.ones((21, 1))).feasible


def test_one_judge_is_a_threshold_on_all_labels() -> None:
    c, a = POPULATIONS["like the paper's"]
    c, a = c[:500, :1], a[:500, :1]
    for method in ("joint_path", "per_stage"):
        found = certify_cascade(c, a, alpha=0.2, method=method)
        alone = certify_threshold(c[:, 0], a[:, 0], alpha=0.2)
        assert found.thresholds.tolist() == [alone.threshold]
        assert (found.n, found.errors, found.bound) == (alone.n, alone.errors, alone.bound)


@settings(max_examples=40)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(1, 200),
    m=st.integers(1, 4),
    alpha=st.floats(0.05, 0.6),
    tied=st.booleans(),
    staged=st.booleans(),
)
def test_result_counts_what_the_cascade_accepts(
    *, seed: int, n: int, m: int, alpha: float, tied: bool, staged: bool
) -> None:
    rng = np.random.default_rng(seed)
    c = rng.random((n, m))
    c = np.round(c, 1) if tied else c
    c[rng.random((n, m)) < 0.1] = np.nan
    a = rng.random((n, m)) > alpha * rng.random()
    found = certify_cascade(c, a, alpha=alpha, method="per_stage" if staged else "joint_path")
    judge = np.asarray(found.decide(c))
    assert found.coverage == (judge >= 0).mean()
    for row in range(min(n, 5)):
        reach = [j for j in range(m) if c[row, j] >= found.thresholds[j]]
        assert judge[row] == found.decide(c[row]) == (reach[0] if reach else -1)
    assert found.feasible == (found.n > 0) == (found.reason is None)
    assert found.labels_needed == zero_error_labels(alpha, found.level if staged else 0.1)
    assert found.level <= 0.1
    if found.feasible:
        assert found.bound <= alpha * (1 + 1e-9)
        assert found.composition.tolist() == [
            np.mean(judge[judge >= 0] == j) if (judge >= 0).any() else 0.0 for j in range(m)
        ]
    else:
        assert np.isposinf(found.thresholds).all()


def test_expected_cost_is_what_is_asked_until_one_decides() -> None:
    c = np.array([[0.9, 0.9, 0.9], [0.1, 0.9, 0.9], [0.1, 0.1, 0.9], [0.1, 0.1, 0.1]] * 25)
    grid = [[0.5, np.inf, 0.5]]
    found = certify_cascade(c, np.ones(c.shape), costs=[1, 5, 20], grid=grid)
    assert np.asarray(found.decide(c[:4])).tolist() == [0, 2, 2, -1]
    assert found.expected_cost == (1 + 21 * 3) / 4  # the second never decides: it is not asked
    assert found.composition.tolist() == [1 / 3, 0.0, 2 / 3]
    assert certify_cascade(c, np.ones(c.shape), grid=grid).expected_cost == (1 + 2 * 3) / 4


def test_preferring_cost_asks_less() -> None:
    c, a = judges([1.0, 1.2, 1.4])
    spent = {}
    for prefer in ("coverage", "cost"):
        runs = [
            certify_cascade(
                c[500 * i : 500 * (i + 1)],
                a[500 * i : 500 * (i + 1)],
                alpha=0.2,
                costs=[1, 10, 100],
                prefer=prefer,
            )
            for i in range(20)
        ]
        spent[prefer] = np.mean([run.expected_cost for run in runs])
    assert spent["cost"] < spent["coverage"]


def test_a_judge_that_did_not_answer_passes_on() -> None:
    c = np.full((100, 2), 0.9)
    c[:40, 0] = np.nan
    a = np.ones((100, 2))
    a[:40, 0] = np.nan
    found = certify_cascade(c, a, grid=[0.5])
    assert found.decide([np.nan, 0.95]) == 1
    assert found.decide([np.nan, np.nan]) == -1
    assert found.composition.tolist() == [0.6, 0.4]
    silent = certify_cascade(np.full((100, 2), np.nan), a)
    assert silent.reason is not None
    assert not silent.feasible


def test_clusters_count_once() -> None:
    c, a = np.full((44, 2), 0.9), np.ones((44, 2))
    grid = np.zeros((1, 2))
    found = certify_cascade(c, a, grid=grid, clusters=np.repeat(np.arange(22), 2))
    assert (found.n_labels, found.n, found.coverage) == (22, 22, 1.0)
    assert "clusters are independent" in found.assumption
    assert not certify_cascade(c, a, grid=grid, clusters=np.repeat(np.arange(11), 4)).feasible


def test_joint_path_tests_labels_that_it_did_not_learn_on() -> None:
    c, a = POPULATIONS["like the paper's"]
    found = certify_cascade(c[:500], a[:500], alpha=0.2)
    tested = 500 - found.n_learned
    assert (found.n_labels, found.n_learned >= 75) == (500, True)
    assert found.n <= tested
    assert f"learned on {found.n_learned} labels" in found.assumption
    assert f"tested on the other {tested}: exact" in found.assumption


def test_same_seed_same_certificate_and_another_another() -> None:
    c, a = POPULATIONS["like the paper's"]

    def run(seed: int) -> CertifiedCascade:
        return certify_cascade(c[:500], a[:500], alpha=0.2, rng=np.random.default_rng(seed))

    assert run(1).thresholds.tolist() == run(1).thresholds.tolist()
    assert run(1).thresholds.tolist() != run(2).thresholds.tolist()


def test_margins_are_taken_when_said_to_be() -> None:
    c, a = POPULATIONS["like the paper's"]
    c, a = c[:500], a[:500]
    plain, scaled = (certify_cascade(x, a, alpha=0.2, unit=x is c) for x in (c, 7 * c - 3))
    assert (plain.n, plain.errors, plain.bound) == (scaled.n, scaled.errors, scaled.bound)


def test_steps_of_a_given_path_that_hold_too_few_labels_are_passed_over() -> None:
    c, a = np.random.default_rng(0).random((200, 2)), np.ones((200, 2))
    found = certify_cascade(c, a, grid=[1.0, 0.99, 0.5, 0.2])
    assert found.thresholds.tolist() == [0.2, 0.2]
    assert found.n_tested == 2
    assert "passed over" in found.assumption
    none = certify_cascade(c, a, grid=[1.0])
    assert none.reason is not None
    assert "0 errors in 0 accepted labels" in none.reason


def test_a_failed_step_of_a_path_stops_it() -> None:
    c = np.repeat([[0.9], [0.5]], [40, 400], axis=0)
    a = np.ones((440, 1))
    a[:6] = 0.0
    found = certify_cascade(np.tile(c, 2), np.tile(a, 2), grid=[0.9, 0.5])
    assert not found.feasible
    bound = stats.beta.ppf(0.9, 7, 34)
    assert found.reason == (
        f"the most cautious step has 6 errors in 40 accepted labels: the risk may be {bound:.3f}, "
        "above alpha = 0.1"
    )


def test_labels_that_learning_leaves_too_few_of_are_told() -> None:
    sure = np.tile(np.linspace(0.5, 1.0, 26)[:, None], 2)
    assert certify_cascade(sure, np.ones((26, 2))).feasible
    found = certify_cascade(sure[:22], np.ones((22, 2)))
    assert found.reason == (
        "22 labels, 19 of them to learn the path from or out of its reach, leave 3 to test: 22 "
        "without a single error are needed"
    )


def test_quantile_path_lowers_all_judges_alike() -> None:
    c = np.random.default_rng(0).random((1000, 3)) * [1, 0.5, 0.1]
    path = quantile_path(c, steps=5)
    shares = (c[:, None, :] >= path).mean(axis=0)
    assert shares.tolist() == [[0.2] * 3, [0.4] * 3, [0.6] * 3, [0.8] * 3, [1.0] * 3]


def test_ten_thousand_labels_take_under_a_twentieth_of_a_second() -> None:
    c, a = POPULATIONS["like the paper's"]
    times = []
    for _ in range(3):
        start = time.process_time()
        certify_cascade(c[:10_000], a[:10_000], alpha=0.15)
        times.append(time.process_time() - start)
    assert min(times) < 0.15  # .015 s on an idle machine


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"alpha": 0.0}, r"alpha = 0\.0 must lie strictly between 0 and 1"),
        ({"delta": 1}, "delta = 1 must lie strictly between 0 and 1"),
        ({"method": "guess"}, "method = 'guess' must be one of joint_path, per_stage"),
        ({"prefer": "luck"}, "prefer = 'luck' must be one of coverage, cost"),
        ({"confidence": [[1.5, 0.5]] * 2}, r"confidence must lie in \[0, 1\], not 0\.5 to 1\.5"),
        ({"confidence": [[np.inf, 0.5]] * 2}, "confidence must be finite"),
        ({"confidence": [0.5, 0.5]}, r"confidence has shape \(2,\); it must be \(items, judges\)"),
        ({"agrees": [[1, 0]]}, "differ in shape"),
        ({"agrees": [[1, 2], [0, 1]]}, "agrees must be 0 or 1"),
        ({"agrees": [[1, np.nan], [0, 1]]}, "agrees must be 0 or 1"),
        ({"costs": [5, 1]}, r"costs fall from 5 \(judge 0\) to 1 \(judge 1\)"),
        ({"costs": [1]}, r"costs has shape \(1,\)"),
        ({"costs": [-1, 1]}, "must be finite and not negative"),
        ({"grid": [[0.5, 0.5], [0.6, 0.4]]}, "grid rises from step 0 to step 1"),
        ({"grid": np.empty((0, 2))}, "grid has shape"),
        ({"grid": [[np.nan, 0.5]]}, "grid must not be NaN"),
        ({"pool": [0.5]}, r"pool has shape \(1,\); it must be \(pool, 2\)"),
        ({"pool": [[0.5, 2.0]]}, r"pool must lie in \[0, 1\]"),
        ({"clusters": [1]}, "clusters must have the shape"),
        ({"rng": 3}, "rng = 3 must be a numpy Generator"),
    ],
)
def test_bad_arguments_are_named(arguments: dict[str, object], message: str) -> None:
    call: dict[str, object] = {
        "confidence": [[0.5, 0.6], [0.7, 0.8]],
        "agrees": [[1, 0], [1, 1]],
        **arguments,
    }
    with pytest.raises(ValueError, match=message):
        certify_cascade(**call)  # type: ignore[arg-type]


def test_decide_refuses_other_judges() -> None:
    found = certify_cascade([[0.5, 0.6]], [[1, 0]])
    with pytest.raises(ValueError, match=r"confidence has shape \(3,\); it must be \(items, 2\)"):
        found.decide([0.1, 0.2, 0.3])
    for steps in (0, 1.0, 2.5, np.inf, np.nan, True):
        with pytest.raises(ValueError, match=f"steps = {steps} must be a whole number"):
            quantile_path([[0.5]], steps=steps)  # type: ignore[arg-type]
    assert quantile_path([[0.5]], steps=np.int64(1)).tolist() == [[-np.inf]]  # type: ignore[arg-type]


def test_no_items_is_an_answer_not_an_error() -> None:
    for method in ("joint_path", "per_stage"):
        found = certify_cascade(np.empty((0, 2)), np.empty((0, 2)), method=method)
        assert not found.feasible
        assert found.reason is not None
        assert (found.coverage, found.expected_cost) == (0.0, 0.0)
