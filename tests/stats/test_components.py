"""Components of variance: textbook tables, peers, unbiasedness, coverage, odd data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import ndtr
from scipy.stats import chi2

from panopt.stats.components import FEW_ITEMS, PARTS, VarianceComponents, variance_components
from panopt.stats.design import decision_study

Floats = NDArray[np.float64]
TRUTH = {"item": 1.0, "judge": 0.16, "item_judge": 0.36, "repeat": 0.49}


def long(table: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
    """Item, judge and score of a cube items x judges x repeats; NaN left in."""
    items, judges, _ = np.indices(table.shape).reshape(3, -1)
    return items, judges, table.ravel()


def draw(rng: np.random.Generator, n: int, k: int, r: int, truth: dict[str, float]) -> Floats:
    sd = {name: np.sqrt(variance) for name, variance in truth.items()}
    return np.asarray(
        sd["item"] * rng.normal(size=(n, 1, 1))
        + sd["judge"] * rng.normal(size=(1, k, 1))
        + sd["item_judge"] * rng.normal(size=(n, k, 1))
        + sd["repeat"] * rng.normal(size=(n, k, r))
    )


def raw(found: VarianceComponents) -> Floats:
    return np.array([getattr(found, part).raw for part in PARTS], dtype=np.float64)


def mean_squares(y: Floats) -> Floats:
    """Closed-form analysis of variance of a complete table."""
    n, k, r = y.shape
    cell, item, judge, grand = y.mean(2), y.mean((1, 2)), y.mean((0, 2)), y.mean()
    within = np.sum((y - cell[..., None]) ** 2) / (n * k * (r - 1))
    cross = r * np.sum((cell - item[:, None] - judge + grand) ** 2) / ((n - 1) * (k - 1))
    judges = n * r * np.sum((judge - grand) ** 2) / (k - 1)
    items = k * r * np.sum((item - grand) ** 2) / (n - 1)
    return np.array(
        [
            (items - cross) / (k * r),
            (judges - cross) / (n * r),
            (cross - within) / r,
            within,
        ]
    )


@given(st.integers(2, 9), st.integers(2, 5), st.integers(2, 4), st.integers(0, 99))
def test_complete_tables_give_the_analysis_of_variance(n: int, k: int, r: int, seed: int) -> None:
    y = draw(np.random.default_rng(seed), n, k, r, TRUTH) + 1e4
    found = variance_components(*long(y))
    assert found.balanced
    np.testing.assert_allclose(raw(found), mean_squares(y), atol=1e-8)


def test_complete_tables_equal_reml_of_statsmodels_where_no_estimate_is_negative() -> None:
    import pandas as pd  # noqa: PLC0415 - two seconds
    from statsmodels.regression.mixed_linear_model import MixedLM  # noqa: PLC0415

    y = draw(np.random.default_rng(3), 9, 4, 3, TRUTH)
    items, judges, scores = long(y)
    frame = pd.DataFrame({"y": scores, "i": items, "j": judges, "one": 1})
    parts = {"item": "0 + C(i)", "item_judge": "0 + C(i):C(j)", "judge": "0 + C(j)"}
    model = MixedLM.from_formula("y ~ 1", frame, groups="one", re_formula="0", vc_formula=parts)
    peer = model.fit(reml=True)
    by_name = dict(zip(model.exog_vc.names, peer.vcomp, strict=True)) | {"repeat": peer.scale}
    found = variance_components(items, judges, scores)
    for name in PARTS:
        assert getattr(found, name).value == pytest.approx(by_name[name], rel=2e-3), name


def test_a_table_without_repeats_gives_the_icc_of_shrout_and_fleiss() -> None:
    table = np.array([9, 2, 5, 8, 6, 1, 3, 2, 8, 4, 6, 8, 7, 1, 2, 6, 10, 5, 6, 9, 6, 2, 4, 7.0])
    found = variance_components(*long(table.reshape(6, 4, 1)))
    share = found.noise_share.value
    assert share is not None
    assert 1 - share == pytest.approx(0.2898, abs=5e-5)  # ICC(2,1) of their table 4: .29
    assert found.judge.df == pytest.approx(3)


#: README of the data set: item, prompt variant, item x variant, repeat, on the complete rows.
TOPICAL = {
    "coherence": (0.253, 0.055, 0.058, 0.198),
    "engagingness": (0.222, 0.009, 0.055, 0.162),
    "groundedness": (0.126, 0.014, 0.031, 0.082),
    "naturalness": (0.202, 0.009, 0.082, 0.263),
}


@pytest.mark.parametrize("task", sorted(TOPICAL))
def test_components_of_repeated_real_scores_are_the_published_ones(shared: Path, task: str) -> None:
    file = shared / "data/sets/topicalchat_geval20_dev/scores.parquet"
    rows = pq.read_table(
        file, filters=[("judge_kind", "=", "llm"), ("task", "=", task)]
    ).to_pydict()
    keys = [f"{a}|{b}" for a, b in zip(rows["item_id"], rows["response_id"], strict=True)]
    items = np.unique(keys, return_inverse=True)[1]
    judges = np.unique(rows["judge"], return_inverse=True)[1]
    score, low, high = (
        np.array(rows[name], dtype=np.float64) for name in ("score", "score_min", "score_max")
    )
    score[(score < low) | (score > high)] = np.nan  # a few are off the scale
    whole = np.bincount(items[~np.isnan(score)], minlength=items.max() + 1) == 7 * 20
    kept = whole[items]
    balanced = variance_components(items[kept], judges[kept], score[kept])
    assert balanced.balanced
    np.testing.assert_allclose(raw(balanced), TOPICAL[task], atol=6e-4)
    every = variance_components(items, judges, score)
    assert not every.balanced
    assert every.n_items == 180
    np.testing.assert_allclose(raw(every), TOPICAL[task], rtol=0.15, atol=0.005)


def holes(rng: np.random.Generator, y: Floats) -> Floats:
    """Leave out judges of items, and repeats, at random but not alike."""
    n, k, r = y.shape
    keep = rng.random((n, k)) < np.linspace(0.4, 0.9, k)
    depth = rng.integers(1, r + 1, size=(n, k))
    return np.where(keep[..., None] & (np.arange(r) < depth[..., None]), y, np.nan)


@pytest.mark.parametrize("systems", [1, 3])
def test_unbalanced_estimates_are_unbiased(systems: int) -> None:
    """The mean of 200 estimates is within 3 standard errors of the variances drawn from.

    Systems shift their items, and each judge's scores of a system: what is drawn anew for each
    system counts as judge.
    """
    rng = np.random.default_rng(11)
    system = np.arange(30) % systems
    found = []
    for _ in range(200):
        shift = 5.0 * rng.normal(size=systems)[system][:, None, None]
        taste = 0.3 * rng.normal(size=(systems, 5))[system][..., None]
        y = holes(rng, draw(rng, 30, 5, 3, TRUTH) + shift + taste)
        found.append(raw(variance_components(*long(y), system=system, n_draws=100)))
    error = np.std(found, axis=0, ddof=1) / np.sqrt(len(found))
    truth = np.array(list(TRUTH.values()))
    truth[1] += 0.09
    assert np.all(np.abs(np.mean(found, axis=0) - truth) < 3 * error)


def cover(runs: int, *, n: int, k: int, r: int, gaps: bool, seed: int) -> dict[str, float]:
    """How often intervals hold the truth: the variances, the noise share, and standard errors."""
    rng = np.random.default_rng(seed)
    item, judge, cross, repeat = TRUTH.values()
    fixed = item / n + cross / (n * k) + repeat / (n * k * r)
    truth = TRUTH | {"noise_share": (judge + cross + repeat) / (item + judge + cross + repeat)}
    if not gaps:  # with gaps the pilot's design in whole numbers is another one
        truth |= {"se": np.sqrt(fixed + judge / k), "se_fixed": np.sqrt(fixed)}
    held = dict.fromkeys(truth, 0)
    for _ in range(runs):
        y = draw(rng, n, k, r, TRUTH)
        found = variance_components(*long(holes(rng, y) if gaps else y), n_draws=1000, rng=rng)
        pilot = decision_study(found, se=1.0).pilot
        for name, value in truth.items():
            part = getattr(pilot if name.startswith("se") else found, name)
            held[name] += part.low <= value <= part.high
    return {name: count / runs for name, count in held.items()}


@pytest.mark.parametrize("gaps", [False, True])
def test_intervals_cover(*, gaps: bool) -> None:
    runs = 120
    covered = cover(runs, n=40, k=4, r=2, gaps=gaps, seed=5)
    assert min(covered.values()) >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / runs), covered


@pytest.mark.slow
@pytest.mark.parametrize("gaps", [False, True])
@pytest.mark.parametrize(("n", "k", "r"), [(15, 3, 2), (40, 4, 2), (200, 5, 3)])
def test_intervals_cover_over_many_draws(n: int, k: int, r: int, *, gaps: bool) -> None:
    runs = 1500
    covered = cover(runs, n=n, k=k, r=r, gaps=gaps, seed=6)
    # Substituting estimates into degrees of freedom costs up to a point at 15 items.
    assert min(covered.values()) >= 0.94 - 3 * np.sqrt(0.95 * 0.05 / runs), covered


def test_intervals_of_rare_failures_cover_at_fifty_items_or_say_that_they_may_not() -> None:
    """Before the farthest item counted twice the noise share's covered .69, the item's .76."""
    rng, runs, told = np.random.default_rng(5), 120, 0
    # Chances to pass are Phi(2.33 + N(0, 1)): .95 on average; the truth is from 400,000 of them.
    shift = 1.6448536269514722 * np.sqrt(2)
    many = ndtr(shift + np.random.default_rng(1).normal(size=400_000))
    item, repeat = float(many.var()), float((many * (1 - many)).mean())
    held = np.zeros(2)
    for _ in range(runs):
        y = rng.random((50, 5, 3)) < ndtr(shift + rng.normal(size=(50, 1, 1)))
        found = variance_components(*long(y.astype(float)), level=0.9, n_draws=600, rng=rng)
        told += FEW_ITEMS in found.notes
        for k, (part, truth) in enumerate(
            ((found.item, item), (found.noise_share, repeat / (item + repeat)))
        ):
            assert part.low is not None
            assert part.high is not None
            held[k] += part.low <= truth <= part.high
    assert held.min() / runs >= 0.9 - 3 * np.sqrt(0.09 / runs), held / runs
    assert told > runs / 2


def test_ordinary_spread_between_items_is_not_said_to_be_that_of_a_few() -> None:
    rng = np.random.default_rng(2)
    found = variance_components(*long(draw(rng, 60, 4, 2, TRUTH)))
    assert FEW_ITEMS not in found.notes


def test_intervals_of_binary_scores_cover_where_chi_square_ones_do_not() -> None:
    """One panel of judges, passes rare: the truth is that panel's own, from many items.

    At 100 items they cover .90 or more; the textbook's chi-square interval is counted beside.
    """
    rng = np.random.default_rng(8)
    kind = rng.normal(size=(1, 3, 1)) * 0.3

    def passes(n: int) -> Floats:
        u, w, e = (
            rng.normal(size=(n, 1, 1)),
            rng.normal(size=(n, 3, 1)),
            rng.normal(size=(n, 3, 2)),
        )
        return np.asarray((u + kind + 0.5 * w + 0.5 * e > 1.3).astype(np.float64))

    truth = raw(variance_components(*long(passes(200_000)))).tolist()
    runs, held, plain = 150, np.zeros(3), 0
    for _ in range(runs):
        found = variance_components(*long(passes(100)), n_draws=1000, rng=rng)
        # Not the judges' variance: they are the same in every run.
        parts = [found.item, found.item_judge, found.repeat]
        for number, (part, value) in enumerate(
            zip(parts, (truth[0], truth[2], truth[3]), strict=True)
        ):
            assert part.low is not None
            assert part.high is not None
            held[number] += part.low <= value <= part.high
        estimate = found.repeat.value or 0.0
        low, high = (estimate * 300 / float(chi2.ppf(tail, 300)) for tail in (0.975, 0.025))
        plain += low <= truth[3] <= high
    assert held.min() / runs >= 0.90 - 3 * np.sqrt(0.9 * 0.1 / runs)
    assert plain / runs < 0.75


def test_relabelling_and_order_change_nothing() -> None:
    rng = np.random.default_rng(2)
    items, judges, scores = long(holes(rng, draw(rng, 20, 4, 2, TRUTH)))
    first = variance_components(items, judges, scores)
    order = rng.permutation(scores.size)
    far = variance_components(7 * items[order] + 3, 5 * judges[order] + 1, scores[order])
    np.testing.assert_allclose(raw(far), raw(first), rtol=1e-9)
    one = variance_components(items, judges, scores, system=["a"] * 20)
    assert one.item == first.item
    assert far.n_items == first.n_items


def test_moving_and_stretching_scores_does_what_it_must() -> None:
    y = draw(np.random.default_rng(4), 12, 3, 2, TRUTH)
    first = variance_components(*long(y))
    other = variance_components(*long(100 + 3 * y))
    np.testing.assert_allclose(raw(other), 9 * raw(first), rtol=1e-8)
    assert other.noise_share.value == pytest.approx(first.noise_share.value)
    assert other.item.high == pytest.approx(9 * (first.item.high or 0))


def test_clusters_widen_the_interval_of_items() -> None:
    rng = np.random.default_rng(5)
    y = np.repeat(draw(rng, 12, 3, 1, TRUTH), 6, axis=0) + 0.1 * rng.normal(size=(72, 3, 1))
    apart = variance_components(*long(y)).item
    together = variance_components(*long(y), clusters=np.repeat(np.arange(12), 6))
    assert together.items_per_system == 12
    assert (together.item.high or 0) - (together.item.low or 0) > 1.5 * (
        (apart.high or 0) - (apart.low or 0)
    )


def test_negative_estimates_are_floored_and_said_so() -> None:
    y = np.array([[[0.0], [1.0]], [[1.0], [0.0]], [[0.0], [1.0]], [[1.0], [0.0]]])
    found = variance_components(*long(y))
    assert found.item.value == 0.0
    assert found.item.raw is not None
    assert found.item.raw < 0
    assert "item came out at -0.333 and is taken as 0" in found.notes


def test_one_judge_without_repeats_tells_only_the_whole() -> None:
    found = variance_components([0, 1, 2, 3], [0] * 4, [1.0, 2, 3, 4])
    assert found.item.value == pytest.approx(5 / 3)
    assert found.repeat.reason == "no judge scored an item twice: repeat is part of item"
    assert found.item_judge.reason is not None
    assert "item x judge is part of item" in found.item_judge.reason
    assert found.noise_share.reason is not None
    assert "no item has scores of two judges" in found.noise_share.reason


def test_one_judge_with_repeats_tells_repeat() -> None:
    found = variance_components([0, 0, 1, 1], [0] * 4, [1.0, 2, 5, 6])
    assert found.repeat.value == pytest.approx(0.5)
    assert found.item.value == pytest.approx(8 - 0.25)
    assert found.judge.value is None


def test_one_item_tells_no_item() -> None:
    found = variance_components([0, 0, 0, 0], [0, 0, 1, 1], [1.0, 2, 5, 6])
    assert found.repeat.value == pytest.approx(0.5)
    assert found.repeat.no_interval == "all scores are of one cluster"
    for part in (found.item, found.judge, found.item_judge, found.noise_share):
        assert part.reason is not None
        assert "too few items are scored by two judges" in part.reason


def test_constant_scores_have_no_share_and_no_interval() -> None:
    found = variance_components(*long(np.full((5, 3, 2), 0.7)))
    assert [getattr(found, name).value for name in PARTS] == [0.0] * 4
    assert found.item.no_interval == "no spread was seen, so none can be bounded"
    assert found.noise_share.reason == "no variance: all scores of a system are equal"


def test_judges_without_a_shared_item_are_said_to_be_apart() -> None:
    found = variance_components([0, 1, 2, 3], [0, 0, 1, 1], [1.0, 2, 5, 6])
    assert found.judge.reason is not None
    assert "no item has scores of two judges" in found.judge.reason


def test_a_disconnected_panel_is_estimated_within_its_halves() -> None:
    rng = np.random.default_rng(9)
    found = []
    for _ in range(100):
        y = draw(rng, 24, 4, 2, TRUTH)
        y[:12, 2:] = np.nan
        y[12:, :2] = np.nan
        found.append(raw(variance_components(*long(y), n_draws=100)))
    error = np.std(found, axis=0, ddof=1) / 10
    assert np.all(np.abs(np.mean(found, axis=0) - list(TRUTH.values())) < 3.5 * error)


def test_a_crowd_of_164_judges_is_no_trouble() -> None:
    rng = np.random.default_rng(10)
    y = draw(rng, 800, 164, 1, TRUTH)
    y[rng.random(y.shape) < 0.94] = np.nan
    found = variance_components(*long(y))
    assert found.n_judges == 164
    assert found.item.value == pytest.approx(1.0, rel=0.2)
    assert found.judge.value == pytest.approx(0.16, rel=0.4)
    assert found.judge.low is not None
    assert found.judge.low > 0.08
    assert found.item_judge.value == pytest.approx(0.85, rel=0.1)


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (([], [], []), {}, "score is empty"),
        (([0, 1], [0, 0], [1.0, np.inf]), {}, "score.1. is inf"),
        (([0, 1], [0, 0], [np.nan, np.nan]), {}, "score holds no number; all are NaN"),
        (([0, -1], [0, 0], [1.0, 2.0]), {}, "item holds -1; codes count from 0"),
        (([0, 1], [0.5, 0], [1.0, 2.0]), {}, "judge has dtype float64"),
        (([0, 1], [0], [1.0, 2.0]), {}, "judge has shape"),
        (([0, 10**9], [0, 0], [1.0, 2.0]), {}, "number them 0, 1, 2"),
        (([0, 1], [0, 0], ["a", "b"]), {}, "score has dtype"),
        (([0, 1], [0, 0], [1.0, 2.0]), {"level": 1.0}, "level = 1.0 must lie strictly"),
        (
            ([0, 1], [0, 0], [1.0, 2.0]),
            {"n_draws": 5},
            "n_draws = 5 must be 100 or more",
        ),
        (
            ([0, 1], [0, 0], [1.0, 2.0]),
            {"system": ["a"]},
            "system has shape .1,.; it must hold",
        ),
        (([0, 1], [0, 0], [1.0, 2.0]), {"clusters": [[1, 2]]}, "clusters has shape"),
        (
            ([0, 0], [0, 0], [1.0, 2.0]),
            {"repeat": [3, 3]},
            "repeat 3 of judge 0 on item 0 occurs",
        ),
        (
            ([0, 0], [0, 0], [1.0, 2.0]),
            {"repeat": [3]},
            "repeat has shape .1,.; it must be",
        ),
    ],
)
def test_bad_arguments_are_named(
    arguments: tuple[list[int], list[int], list[float]],
    options: dict[str, object],
    message: str,
) -> None:
    with pytest.raises(ValueError, match=message):
        variance_components(*arguments, **options)  # type: ignore[arg-type]


def test_missing_scores_are_as_if_they_were_not_there() -> None:
    y = draw(np.random.default_rng(1), 6, 3, 2, TRUTH)
    y[0, 0, 0] = np.nan
    items, judges, scores = long(y)
    there = ~np.isnan(scores)
    one = variance_components(items, judges, scores)
    other = variance_components(items[there], judges[there], scores[there])
    assert one.item == other.item
    assert one.n_scores == 35
