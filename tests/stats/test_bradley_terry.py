"""Strengths from pairs: given numbers, peers, identities, coverage, missing answers, messages."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import choix
import numpy as np
import pyarrow.parquet as pq
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import optimize
from sklearn.linear_model import LogisticRegression

from panopt.stats.bradley_terry import BradleyTerry, Effect, bradley_terry
from panopt.stats.pair_models import Ties

Floats = NDArray[np.float64]
NAN = np.nan
MODELS: tuple[Ties, ...] = get_args(Ties)


def strengths(found: BradleyTerry) -> Floats:
    assert found.strength is not None, found.reason
    return found.strength


def errors(found: BradleyTerry) -> Floats:
    assert found.se is not None
    return found.se


def of(effect: Effect | None) -> Effect:
    assert effect is not None
    return effect


def chances(ties: Ties, d: Floats, tie: float) -> Floats:
    """Give the probabilities of win, tie and loss (n, 3) from the models' definitions."""
    a, b = np.exp(d), 1.0
    if ties == "davidson":
        top = np.stack((a, tie * np.sqrt(a * b), b + 0 * a), axis=1)
        return np.asarray(top / top.sum(axis=1, keepdims=True))
    won, lost = a / (a + tie * b), b / (b + tie * a)
    return np.stack((won, 1 - won - lost, lost), axis=1)


class Draw:
    """Comparisons drawn from a model: every pair of systems on every item, in random order."""

    def __init__(
        self,
        rng: np.random.Generator,
        *,
        strength: Floats,
        items: int,
        ties: Ties = "davidson",
        tie: float = 0.5,
        scale: tuple[float, ...] = (1.0,),
        position: float = 0.0,
        item_sd: float = 0.0,
    ) -> None:
        s, judges = len(strength), len(scale)
        i, j = np.triu_indices(s, 1)
        shape = (items, i.size, judges)
        self.first, self.second = (np.broadcast_to(x[None, :, None], shape).ravel() for x in (i, j))
        self.judge = np.broadcast_to(np.arange(judges), shape).ravel()
        self.cluster = np.broadcast_to(np.arange(items)[:, None, None], shape).ravel()
        self.order = rng.integers(0, 2, self.first.size)
        turn = item_sd * rng.normal(size=(items, s))  # a system's luck on an item
        own = strength + turn
        gap = own[self.cluster, self.first] - own[self.cluster, self.second]
        d = np.array(scale)[self.judge] * gap + position * (1 - 2 * self.order)
        p = chances("davidson" if ties == "half" else ties, d, tie)
        u = rng.random(d.size)
        self.outcome = np.where(u < p[:, 0], 1.0, np.where(u < p[:, 0] + p[:, 1], 0.5, 0.0))


# --- Given numbers and peers -------------------------------------------------------------


def pairs_of(shared: Path) -> dict[str, Any]:
    table = pq.read_table(shared / "data" / "sets" / "prd_vicuna80" / "scores.parquet")
    columns: dict[str, Any] = {
        name: table[name].to_numpy() for name in ("judge", "score", "order", "question_id")
    }
    names = np.array([name.split("|") for name in table["response_id"].to_pylist()])
    columns |= {"first": names[:, 0], "second": names[:, 1]}
    return columns


def test_J_13_strengths_of_prd_with_ties_half(shared: Path) -> None:
    data = pairs_of(shared)
    judge = data["judge"].astype(str)
    four = ("bard", "gpt35", "gpt4", "vicuna-13b")
    given_values = (
        (judge == "gpt4", {"gpt4": 1.5892, "claude": 0.8431, "vicuna-13b": -0.6549}),
        (judge == "gpt4", {"gpt35": -0.6806, "bard": -1.0969}),
        (
            np.char.startswith(judge, "human")
            & np.isin(data["first"], four)
            & np.isin(data["second"], four),
            {"gpt4": 0.8168, "vicuna-13b": -0.0083, "gpt35": -0.3531, "bard": -0.4555},
        ),
    )
    for rows, wanted in given_values:
        columns = (data[name][rows] for name in ("first", "second", "score"))
        found = bradley_terry(*columns, ties="half")
        by_name = dict(zip(found.systems, strengths(found), strict=True))
        for name, value in wanted.items():
            assert by_name[name] == pytest.approx(value, abs=5e-5)


def test_J_13_judge_scales_and_positions_of_prd(shared: Path) -> None:
    data = pairs_of(shared)
    rows = ~np.char.startswith(data["judge"].astype(str), "human")
    first, second, outcome, judge, order, question = (
        data[name][rows] for name in ("first", "second", "score", "judge", "order", "question_id")
    )
    found = bradley_terry(
        first, second, outcome, judge=judge, order=order, clusters=question, scale=True
    )
    assert found.converged
    assert found.n_clusters == 80
    scale = {effect.judge: of(effect.scale) for effect in found.judges}
    place = {effect.judge: of(effect.position) for effect in found.judges}
    assert np.mean([effect.value for effect in scale.values()]) == pytest.approx(1)
    assert min(scale, key=lambda name: scale[name].value) == "vicuna-13b"
    assert max(scale, key=lambda name: scale[name].value) == "gpt4"
    assert place["bard"].low > 1.5  # it prefers the answer shown first, four times out of five
    assert place["claude"].high < -0.5
    assert place["gpt35"].low < 0 < place["gpt35"].high


@pytest.mark.parametrize("penalty", [0.0, 0.3])
def test_strengths_without_ties_are_choix_s(penalty: float) -> None:
    draw = Draw(np.random.default_rng(1), strength=np.linspace(-1, 1, 6), items=8, tie=0.0)
    wins = [
        (f, s) if o == 1 else (s, f)
        for f, s, o in zip(
            draw.first.tolist(), draw.second.tolist(), draw.outcome.tolist(), strict=True
        )
    ]
    # choix adds alpha * sum(x^2) to the loss: a normal prior of precision 2 alpha.
    theirs = choix.opt_pairwise(6, wins, alpha=penalty / 2, tol=1e-13, max_iter=500)
    for ties in MODELS:
        found = bradley_terry(draw.first, draw.second, draw.outcome, ties=ties, penalty=penalty)
        np.testing.assert_allclose(strengths(found), theirs - theirs.mean(), atol=1e-8)


def test_without_ties_it_is_a_logistic_regression() -> None:
    rng = np.random.default_rng(2)
    draw = Draw(rng, strength=np.array([0.8, 0.1, -0.9]), items=60, tie=0.0, position=0.4)
    design = np.zeros((draw.first.size, 4))
    rows = np.arange(draw.first.size)
    design[rows, draw.first] += 1
    design[rows, draw.second] -= 1
    design[:, 3] = 1 - 2 * draw.order
    design = np.delete(design, 2, axis=1)  # the third system is the reference
    found = bradley_terry(draw.first, draw.second, draw.outcome, order=draw.order)
    clustered = bradley_terry(
        draw.first, draw.second, draw.outcome, order=draw.order, clusters=draw.cluster
    )
    model = sm.GLM(draw.outcome, design, family=sm.families.Binomial())
    plain = model.fit(tol=1e-13)
    groups = {"groups": draw.cluster, "use_correction": False}
    robust = model.fit(tol=1e-13, cov_type="cluster", cov_kwds=groups)
    for mine, peer, grow in ((found, plain, 1.0), (clustered, robust, np.sqrt(60 / 59))):
        for k in (0, 1):
            gap = of(mine.difference(k, 2))
            assert gap.value == pytest.approx(peer.params[k], abs=1e-8)
            assert gap.se == pytest.approx(peer.bse[k] * grow, rel=1e-6)
        place = of(mine.judges[0].position)
        assert place.value == pytest.approx(peer.params[2], abs=1e-8)
        assert place.se == pytest.approx(peer.bse[2] * grow, rel=1e-6)
    assert found.log_likelihood == pytest.approx(plain.llf, abs=1e-8)
    low, high = plain.conf_int()[0]
    assert (of(found.difference(0, 2)).low, of(found.difference(0, 2)).high) == pytest.approx(
        (low, high), abs=1e-6
    )


def test_half_ties_are_a_logistic_regression_of_two_half_rows() -> None:
    draw = Draw(np.random.default_rng(3), strength=np.array([0.8, 0.1, -0.9]), items=40)
    design = np.zeros((draw.first.size, 3))
    rows = np.arange(draw.first.size)
    design[rows, draw.first] += 1
    design[rows, draw.second] -= 1
    twice = np.concatenate((design, design))
    side = np.repeat([1, 0], draw.first.size)
    weight = np.concatenate((draw.outcome, 1 - draw.outcome))
    peer = LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-12, max_iter=1000)
    peer.fit(twice, side, sample_weight=weight)
    theirs = peer.coef_[0]
    found = bradley_terry(draw.first, draw.second, draw.outcome, ties="half")
    np.testing.assert_allclose(strengths(found), theirs - theirs.mean(), atol=1e-6)


def test_davidson_is_a_log_linear_model() -> None:
    """Fienberg & Larntz 1976: counts are Poisson with an intercept for every pair."""
    draw = Draw(np.random.default_rng(4), strength=np.array([0.7, 0.0, -0.7, 0.4]), items=50)
    i, j = np.triu_indices(4, 1)
    rows, counts = [], []
    for pair, (a, b) in enumerate(zip(i.tolist(), j.tolist(), strict=True)):
        met = (draw.first == a) & (draw.second == b)
        for outcome, lead in ((1.0, 0.5), (0.5, 0.0), (0.0, -0.5)):
            row = np.zeros(i.size + 5)
            row[pair] = 1
            row[i.size + a] += lead
            row[i.size + b] -= lead
            row[-1] = outcome == 0.5
            rows.append(row)
            counts.append(np.count_nonzero(draw.outcome[met] == outcome))
    design = np.delete(np.array(rows), i.size + 3, axis=1)
    peer = sm.GLM(counts, design, family=sm.families.Poisson()).fit(tol=1e-13)
    found = bradley_terry(draw.first, draw.second, draw.outcome)
    for k in range(3):
        gap = of(found.difference(k, 3))
        assert gap.value == pytest.approx(peer.params[i.size + k], abs=1e-8)
        assert gap.se == pytest.approx(peer.bse[i.size + k], rel=1e-6)
    tie = of(found.judges[0].tie)
    assert np.log(tie.value) == pytest.approx(peer.params[-1], abs=1e-8)
    assert tie.se == pytest.approx(peer.bse[-1], rel=1e-6)


@pytest.mark.parametrize("ties", ["davidson", "rao_kupper"])
def test_scales_positions_and_ties_are_at_the_maximum(ties: Ties) -> None:
    """A general optimiser on the likelihood, written out from the definitions."""
    draw = Draw(
        np.random.default_rng(5),
        strength=np.array([0.9, 0.1, -1.0]),
        items=120,
        ties=ties,
        tie=0.6 if ties == "davidson" else 1.5,
        scale=(1.5, 0.5),
        position=0.3,
    )
    found = bradley_terry(
        draw.first,
        draw.second,
        draw.outcome,
        judge=draw.judge,
        order=draw.order,
        ties=ties,
        scale=True,
    )
    column = (2 - 2 * draw.outcome).astype(int)

    def loss(x: Floats) -> float:
        strength = np.array([x[0], x[1], -x[0] - x[1]])
        scale, position, tie = np.array([x[2], 2 - x[2]]), x[3:5], np.exp(x[5:7])
        d = scale[draw.judge] * (strength[draw.first] - strength[draw.second])
        d = d + position[draw.judge] * (1 - 2 * draw.order)
        total = 0.0
        for judge in (0, 1):
            own = draw.judge == judge
            p = chances(ties, d[own], tie[judge])
            total -= np.log(p[np.arange(own.sum()), column[own]]).sum()
        return total

    start = np.array([0.5, 0.0, 1.0, 0.0, 0.0, 0.3, 0.3])
    best = optimize.minimize(loss, start, method="BFGS", options={"gtol": 1e-7})
    mine = [*strengths(found)[:2], of(found.judges[0].scale).value]
    mine += [of(effect.position).value for effect in found.judges]
    mine += [np.log(of(effect.tie).value) for effect in found.judges]
    assert found.log_likelihood == pytest.approx(-best.fun, abs=1e-6)
    np.testing.assert_allclose(mine, best.x, atol=2e-4)
    hessian = _second_derivatives(loss, np.array(mine))
    covariance = np.linalg.inv(hessian)
    assert errors(found)[:2] == pytest.approx(np.sqrt(covariance.diagonal()[:2]), rel=1e-3)
    assert of(found.judges[0].scale).se == pytest.approx(np.sqrt(covariance[2, 2]), rel=1e-3)
    for k, effect in enumerate(found.judges):
        wanted = np.sqrt([covariance[3 + k, 3 + k], covariance[5 + k, 5 + k]])
        assert (of(effect.position).se, of(effect.tie).se) == pytest.approx(wanted, rel=1e-3)


def _second_derivatives(function: Any, x: Floats, step: float = 1e-4) -> Floats:  # noqa: ANN401
    n = x.size
    moves = step * np.eye(n)
    out = np.empty((n, n))
    for i in range(n):
        for j in range(n):
            signs = ((1, 1), (1, -1), (-1, 1), (-1, -1))
            values = [a * b * function(x + a * moves[i] + b * moves[j]) for a, b in signs]
            out[i, j] = sum(values) / (4 * step**2)
    return out


# --- Properties --------------------------------------------------------------------------


@settings(max_examples=40)
@given(seed=st.integers(0, 10**6), ties=st.sampled_from(MODELS))
def test_neither_order_of_rows_nor_of_the_pair_matters(seed: int, ties: Ties) -> None:
    rng = np.random.default_rng(seed)
    draw = Draw(rng, strength=rng.normal(size=4), items=10, scale=(1.0, 0.7), position=0.2)
    columns = (draw.first, draw.second, draw.outcome, draw.judge, draw.order, draw.cluster)

    def fit(columns: tuple[Any, ...]) -> BradleyTerry:
        first, second, outcome, judge, order, cluster = columns
        return bradley_terry(
            first, second, outcome, judge=judge, order=order, clusters=cluster, ties=ties, penalty=1
        )

    found = fit(columns)
    turned = rng.random(draw.first.size) < 0.5
    other = (
        np.where(turned, draw.second, draw.first),
        np.where(turned, draw.first, draw.second),
        np.where(turned, 1 - draw.outcome, draw.outcome),
        draw.judge,
        np.where(turned, 1 - draw.order, draw.order),
        draw.cluster,
    )
    mixed = rng.permutation(draw.first.size)
    again = fit(tuple(column[mixed] for column in other))
    np.testing.assert_allclose(strengths(again), strengths(found), atol=1e-8)
    np.testing.assert_allclose(errors(again), errors(found), rtol=1e-6)
    assert strengths(found).sum() == pytest.approx(0, abs=1e-9)


@settings(max_examples=30)
@given(seed=st.integers(0, 10**6), ties=st.sampled_from(MODELS))
def test_a_weight_is_a_number_of_equal_rows(seed: int, ties: Ties) -> None:
    rng = np.random.default_rng(seed)
    draw = Draw(rng, strength=rng.normal(size=3), items=12)
    times = rng.integers(0, 4, draw.first.size)
    columns = (draw.first, draw.second, draw.outcome)
    weighted = bradley_terry(*columns, weights=times, ties=ties, penalty=0.5)
    repeated = bradley_terry(*(np.repeat(x, times) for x in columns), ties=ties, penalty=0.5)
    np.testing.assert_allclose(strengths(weighted), strengths(repeated), atol=1e-8)
    np.testing.assert_array_equal(weighted.n, repeated.n)
    np.testing.assert_allclose(weighted.win_rate, repeated.win_rate)


def test_names_codes_and_objects_give_the_same() -> None:
    draw = Draw(np.random.default_rng(6), strength=np.array([0.5, 0.0, -0.5]), items=20)
    names = np.array(["x", "y", "z"])
    by_code = bradley_terry(draw.first, draw.second, draw.outcome, systems=["x", "y", "z"])
    by_name = bradley_terry(names[draw.first], names[draw.second], draw.outcome)
    objects = bradley_terry(
        names[draw.first].astype(object), names[draw.second].tolist(), draw.outcome.tolist()
    )
    huge = bradley_terry(draw.first * 10**15, draw.second * 10**15, draw.outcome)
    assert by_code.systems == by_name.systems == objects.systems == ("x", "y", "z")
    assert huge.systems == (0, 10**15, 2 * 10**15)
    for other in (by_name, objects, huge):
        np.testing.assert_array_equal(strengths(other), strengths(by_code))


# --- Coverage ------------------------------------------------------------------------------


def covered(
    runs: int, seed: int, *, ties: Ties, items: int, clustered: bool, item_sd: float
) -> tuple[Floats, int]:
    """Count how often 90% intervals hold the truth: two differences, position, scale, tie."""
    truth = np.array([0.8, 0.0, -0.8])
    hits, used = np.zeros(5), 0
    for k in range(runs):
        draw = Draw(
            np.random.default_rng([seed, k]),
            strength=truth,
            items=items,
            ties=ties,
            tie=0.5 if ties == "davidson" else 1.5,
            scale=(1.3, 0.7),
            position=0.3,
            item_sd=item_sd,
        )
        found = bradley_terry(
            draw.first,
            draw.second,
            draw.outcome,
            judge=draw.judge,
            order=draw.order,
            clusters=draw.cluster if clustered else None,
            ties=ties,
            scale=True,
            alpha=0.1,
        )
        tie = 0.5 if ties == "davidson" else 1.5
        judge = found.judges[0]
        pairs = (
            (found.difference(0, 1), 0.8),
            (found.difference(1, 2), 0.8),
            (judge.position, 0.3),
            (judge.scale, 1.3),
            (judge.tie, tie),
        )
        hits += [of(effect).low <= value <= of(effect).high for effect, value in pairs]
        used += 1
    return hits / used, used


@pytest.mark.parametrize("ties", ["davidson", "rao_kupper"])
@pytest.mark.parametrize("clustered", [False, True])
def test_intervals_cover(ties: Ties, clustered: bool) -> None:  # noqa: FBT001 - a case
    share, runs = covered(100, 7, ties=ties, items=100, clustered=clustered, item_sd=0.0)
    assert (share > 0.9 - 3 * np.sqrt(0.09 / runs) - 0.01).all(), share
    assert (share < 0.9 + 3 * np.sqrt(0.09 / runs)).all(), share


@pytest.mark.slow
@pytest.mark.parametrize("ties", ["davidson", "rao_kupper"])
@pytest.mark.parametrize(("items", "clustered"), [(60, True), (100, False), (300, True)])
def test_intervals_cover_in_many_draws(ties: Ties, items: int, clustered: bool) -> None:  # noqa: FBT001 - a case
    share, runs = covered(2000, 8, ties=ties, items=items, clustered=clustered, item_sd=0.0)
    assert (np.abs(share - 0.9) < 3 * np.sqrt(0.09 / runs) + 0.015).all(), share


def test_intervals_of_dependent_comparisons_need_clusters() -> None:
    """Two equal systems and luck by item that all of 20 repeats share: the truth is 0."""
    hits = np.zeros(2)
    runs = 120
    for k in range(runs):
        rng = np.random.default_rng([9, k])
        draw = Draw(rng, strength=np.zeros(2), items=40, scale=(1.0,) * 20, item_sd=0.7)
        for way, clusters in enumerate((None, draw.cluster)):
            found = bradley_terry(
                draw.first, draw.second, draw.outcome, clusters=clusters, alpha=0.1
            )
            gap = of(found.difference(0, 1))
            hits[way] += gap.low <= 0 <= gap.high
    assert hits[0] / runs < 0.7
    assert abs(hits[1] / runs - 0.9) < 3 * np.sqrt(0.09 / runs)


def test_half_ties_have_intervals_of_the_level() -> None:
    """Equal systems, half of the verdicts ties: errors of the naive kind would be too wide."""
    hits, naive, runs = 0, 0, 200
    for k in range(runs):
        draw = Draw(np.random.default_rng([10, k]), strength=np.zeros(3), items=60, tie=2.0)
        found = bradley_terry(draw.first, draw.second, draw.outcome, ties="half", alpha=0.1)
        gap = of(found.difference(0, 1))
        hits += gap.low <= 0 <= gap.high
        naive += abs(gap.value) <= 1.645 * np.sqrt(2 * 4 / (60 * 3))
    assert abs(hits / runs - 0.9) < 3 * np.sqrt(0.09 / runs)
    assert naive / runs > 0.95


# --- Answers that cannot be given ----------------------------------------------------------


def test_groups_that_never_met_are_named() -> None:
    found = bradley_terry(["a", "b", "x"], ["b", "c", "y"], [1, 0.5, 0])
    assert found.strength is None
    assert found.reason == (
        "the systems fall into 2 groups that were never compared with each other: a, b, c | x, y"
    )
    assert found.difference("a", "x") is None
    assert found.win_rate.tolist() == [1, 0.25, 0.5, 0, 1]


@pytest.mark.parametrize("ties", MODELS)
def test_a_system_that_never_lost_is_named_and_a_penalty_mends_it(ties: Ties) -> None:
    first, second = ["a", "a", "b", "c", "b"], ["b", "c", "c", "b", "c"]
    outcome = [1, 1, 1, 1, 0.5]
    found = bradley_terry(first, second, outcome, ties=ties)
    assert found.strength is None
    assert found.reason is not None
    assert "a never lost" in found.reason
    assert "penalty" in found.reason
    shrunk = bradley_terry(first, second, outcome, ties=ties, penalty=1.0)
    assert strengths(shrunk)[0] > 0.3
    assert np.isfinite(errors(shrunk)).all()


def test_a_system_that_only_tied_and_won_has_no_finite_davidson_strength() -> None:
    found = bradley_terry(["a"] * 6, ["b"] * 6, [1, 1, 1, 0.5, 0.5, 0.5])
    assert found.reason is not None
    assert "a never lost against the others" in found.reason
    half = bradley_terry(["a"] * 6, ["b"] * 6, [1, 1, 1, 0.5, 0.5, 0.5], ties="half")
    assert np.diff(strengths(half))[0] == pytest.approx(-np.log(3))


@pytest.mark.parametrize("ties", ["davidson", "rao_kupper"])
def test_ties_that_run_away_with_the_strengths_are_no_overflow(ties: Ties) -> None:
    found = bradley_terry(["a", "b"] * 9, ["b", "a"] * 9, [1, 0.5] * 9, ties=ties)
    assert found.strength is None
    assert found.reason is not None
    assert "a never lost against the others" in found.reason


def test_a_judge_that_always_prefers_one_position_is_named() -> None:
    rng = np.random.default_rng(11)
    order = rng.integers(0, 2, 60)
    first, second = np.tile([0, 1, 2], 20), np.tile([1, 2, 0], 20)
    found = bradley_terry(
        first, second, 1.0 - order, judge=["lazy"] * 60, order=order, systems=["a", "b", "c"]
    )
    assert found.reason is not None
    assert "lazy always preferred the answer in one position" in found.reason


def test_positions_are_not_told_from_strengths_where_each_pair_has_one_order() -> None:
    found = bradley_terry(["a"] * 10, ["b"] * 10, [1, 0] * 5, order=[0] * 10)
    assert found.strength is None
    assert found.reason is not None
    assert found.reason.startswith("being shown first cannot be told from being stronger")


def test_only_ties_and_judges_that_only_tie() -> None:
    only = bradley_terry(["a", "a"], ["b", "b"], [0.5, 0.5])
    assert only.reason == "without judges that only tied, there is no comparison"
    half = bradley_terry(["a", "a"], ["b", "b"], [0.5, 0.5], ties="half")
    assert strengths(half).tolist() == [0, 0]
    both = bradley_terry(
        ["a"] * 6, ["b"] * 6, [1, 1, 0, 0.5, 0.5, 0.5], judge=["j", "j", "j", "k", "k", "k"]
    )
    assert of(both.difference("a", "b")).value == pytest.approx(np.log(2))
    assert [effect.tie for effect in both.judges] == [None, None]
    assert [effect.n for effect in both.judges] == [3, 3]


def test_nothing_one_row_one_cluster_and_all_missing() -> None:
    assert bradley_terry([], [], []).reason == "there is no comparison"
    missing = bradley_terry(["a"], ["b"], [NAN])
    assert missing.reason == "there is no comparison"
    assert np.isnan(missing.win_rate).all()
    assert bradley_terry(["a"], ["b"], [1]).strength is None
    one = bradley_terry(["a", "a"], ["b", "b"], [1, 0], clusters=[0, 0])
    assert one.reason == "one cluster gives no standard error: two are needed"
    mixed = bradley_terry(["a", "a", "a"], ["b", "b", "b"], [1, 0, NAN], order=[0, 1, NAN])
    assert mixed.n.tolist() == [2, 2]


def test_judges_that_follow_no_order_have_no_scale() -> None:
    """Strengths that are 0 throughout leave the scales untold."""
    first, second = np.tile(["a", "b", "c"], 8), np.tile(["b", "c", "a"], 8)
    outcome = np.repeat([1.0, 0.0], 12)
    judge = np.tile(np.repeat(["j", "k"], 6), 2)
    found = bradley_terry(first, second, outcome, judge=judge, scale=True)
    assert found.strength is None
    assert found.reason is not None
    assert "no finite judge scales" in found.reason


# --- Messages -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"outcome": [1, 2]}, r"outcome\[1\] = 2; it must be 1 \(the first wins\), 0.5 \(tie\)"),
        ({"outcome": [1, np.inf]}, r"outcome\[1\] = inf"),
        ({"outcome": [[1, 0]]}, "outcome has 2 dimensions; it must have one"),
        ({"outcome": ["1", "0"]}, "outcome has dtype"),
        ({"first": ["a"]}, r"first has shape \(1,\); it must be that of outcome, \(2,\)"),
        ({"first": ["a", "b"]}, "row 1 compares 'b' with itself"),
        ({"first": ["a", None]}, "names must not be missing"),
        ({"first": [0.0, NAN]}, "first: names must not be missing, NaN"),
        ({"order": [0, 2]}, r"order\[1\] = 2; it must be 0 .* or NaN"),
        ({"order": [0]}, "order has shape"),
        ({"judge": ["j"]}, "judge has shape"),
        ({"weights": [1, -1]}, r"weights\[1\] = -1; a weight is finite and at least 0"),
        ({"weights": [1, NAN]}, r"weights\[1\] = nan"),
        ({"weights": [1]}, "weights has shape"),
        ({"clusters": [1]}, "clusters has shape"),
        ({"ties": "none"}, "ties = 'none' must be one of davidson, rao_kupper, half"),
        ({"penalty": -1.0}, "penalty = -1.0 must be a finite number, at least 0"),
        ({"penalty": NAN}, "penalty = nan"),
        ({"alpha": 0.0}, "alpha = 0.0 must lie strictly between 0 and 1"),
        (
            {"first": [0, 0], "second": [1, 1], "systems": ["a", "a"]},
            "first and second: the names given are not distinct",
        ),
        ({"systems": ["a", "b"]}, "with names given, codes are integers"),
        ({"first": [0, 5], "second": [1, 1], "systems": ["a", "b"]}, r"must lie in 0\.\.1"),
    ],
)
def test_bad_arguments_are_named(change: dict[str, Any], message: str) -> None:
    arguments: dict[str, Any] = {"first": ["a", "a"], "second": ["b", "b"], "outcome": [1, 0]}
    with pytest.raises(ValueError, match=message):
        bradley_terry(**(arguments | change))


def test_an_unknown_system_has_no_difference() -> None:
    found = bradley_terry(["a", "a"], ["b", "b"], [1, 0])
    with pytest.raises(ValueError, match="'z' is no system here"):
        found.difference("a", "z")
