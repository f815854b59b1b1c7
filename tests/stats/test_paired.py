"""Paired differences: reference numbers, properties, coverage, and what is refused."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import special, stats

import panopt
from panopt.stats.paired import Method, PairedDifference, paired_difference
from panopt.stats.paired_bootstrap import bootstrap_levels
from panopt.stats.tango import tango_interval

Floats = NDArray[np.float64]
METHODS: tuple[Method, ...] = ("t", "percentile", "bca")
Draw = Callable[[np.random.Generator, int, int], tuple[Floats, Floats]]


def ends(found: PairedDifference) -> tuple[float, float]:
    assert found.low is not None, found.reason
    assert found.high is not None
    return found.low, found.high


def logs(shared: Path, folder: str) -> list[dict[tuple[str, str], float]]:
    """Scores of each real log by item and epoch."""
    out = []
    for file in sorted((shared / "data/logs/inspect" / folder).glob("*.eval")):
        matrix = panopt.read(file).matrix("match")
        keys = [(matrix.name("item", i), matrix.name("epoch", i)) for i in range(len(matrix.items))]
        out.append(dict(zip(keys, matrix.scores()[:, 0].tolist(), strict=True)))
    return out


# Reference numbers


def test_P_10_difference_equals_scipy_on_real_logs(shared: Path) -> None:
    for one, other in itertools.combinations(logs(shared, "popularity"), 2):
        keys = sorted(one.keys() & other.keys())
        a, b = (np.array([log[key] for key in keys]) for log in (one, other))
        found, peer = paired_difference(a, b), stats.ttest_rel(a, b)
        interval = peer.confidence_interval()
        assert found.value == pytest.approx(np.mean(a - b), abs=1e-12)
        assert found.se == pytest.approx(stats.sem(a - b), abs=1e-12)
        assert ends(found) == pytest.approx((interval.low, interval.high), abs=1e-10)


def test_P_10_clustered_difference_equals_statsmodels_on_real_logs(shared: Path) -> None:
    one, other = logs(shared, "popularity_epochs")
    keys = sorted(one.keys() & other.keys())
    a, b = (np.array([log[key] for key in keys]) for log in (one, other))
    items = np.array([item for item, _ in keys])
    found = paired_difference(a, b, clusters=items)
    peer = sm.OLS(a - b, np.ones(len(a))).fit(
        cov_type="cluster",
        cov_kwds={"groups": np.unique(items, return_inverse=True)[1]},
        use_t=True,
    )
    assert (found.n, found.n_clusters, found.df) == (50, 10, 9.0)
    assert found.se == pytest.approx(peer.bse[0], abs=1e-10)
    assert ends(found) == pytest.approx(tuple(peer.conf_int()[0]), abs=1e-10)


def test_se_is_cr1_and_the_interval_wider_where_clusters_differ_in_size() -> None:
    rng = np.random.default_rng(1)
    a, b, clusters = rng.random(200), rng.random(200), rng.integers(0, 25, 200) ** 2 // 20
    peer = sm.OLS(a - b, np.ones(200)).fit(
        cov_type="cluster", cov_kwds={"groups": clusters}, use_t=True
    )
    found = paired_difference(a, b, clusters=clusters)
    assert found.se == pytest.approx(peer.bse[0], abs=1e-10)
    low, high = ends(found)
    assert found.df is not None
    assert found.df < found.n_clusters - 1
    assert low < peer.conf_int()[0][0] < peer.conf_int()[0][1] < high


@pytest.mark.parametrize("method", ["percentile", "bca"])
@pytest.mark.parametrize("kind", ["pass", "five levels", "continuous"])
def test_bootstrap_equals_scipy_at_many_items(
    kind: str, method: Literal["percentile", "bca"]
) -> None:
    # Above 1000 clusters the levels are scipy's up to 1e-3 and the joined ends are not used.
    rng = np.random.default_rng(2)
    levels = {"pass": 2, "five levels": 5}.get(kind, 0)
    a = rng.integers(0, levels, 3000) / 4 if levels else rng.exponential(size=3000)
    b = rng.integers(0, levels, 3000) / 4 if levels else rng.random(3000)
    found = paired_difference(a, b, method=method, n_boot=20_000, rng=rng)
    peer = stats.bootstrap(
        [a - b], np.mean, method=method, n_resamples=8000, batch=500, rng=rng
    ).confidence_interval
    assert found.se is not None
    assert ends(found) == pytest.approx((peer.low, peer.high), abs=0.12 * found.se)


def test_closed_form_of_clusters_of_unequal_size_equals_draws(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(3)
    a, b, clusters = rng.exponential(size=3000), rng.random(3000), rng.integers(0, 1500, 3000)
    for method in METHODS[1:]:
        closed = paired_difference(a, b, clusters=clusters, method=method)
        with monkeypatch.context() as patch:
            patch.setattr("panopt.stats.paired_bootstrap._FEW", 10**9)
            drawn = paired_difference(a, b, clusters=clusters, method="percentile", rng=rng)
        assert "no draws" in closed.method
        assert "9999 resamples" in drawn.method
        assert closed.se is not None
        if method == "percentile":
            assert ends(closed) == pytest.approx(ends(drawn), abs=0.06 * closed.se)
        else:  # skewed: BCa lies above the percentiles
            assert ends(closed)[0] > ends(drawn)[0] - 0.06 * closed.se
            assert ends(closed)[1] > ends(drawn)[1] + 0.01 * closed.se


def test_bootstrap_levels_are_efrons_without_expansion() -> None:
    # Efron 1987, eq. 6.8, by hand: z0 = a = .1 at 90%, normal quantile 1.6449.
    low, high = bootstrap_levels(10**9, 0.1, below=float(special.ndtr(0.1)), acceleration=0.1)
    assert low == pytest.approx(special.ndtr(0.1 - 1.544854 / 1.1544854), abs=1e-6)
    assert high == pytest.approx(special.ndtr(0.1 + 1.744854 / 0.8255146), abs=1e-6)


@pytest.mark.parametrize(("ahead", "behind", "n"), [(12, 2, 50), (1, 0, 44), (5, 5, 30)])
def test_tango_ends_are_where_the_score_statistic_is_the_quantile(
    ahead: int, behind: int, n: int
) -> None:
    """The rate under a supposed difference is found anew, as the maximum of the likelihood."""
    for end, sign in zip(tango_interval(ahead, behind, n, reach=1.96), (1.0, -1.0), strict=True):
        rate = np.linspace(max(0.0, -end), (1.0 - end) / 2.0, 400_001)[1:-1]
        rest = n - ahead - behind
        likelihood = (
            special.xlogy(ahead, rate + end)
            + special.xlogy(behind, rate)
            + special.xlogy(rest, 1.0 - 2.0 * rate - end)
        )
        best = rate[np.argmax(likelihood)]
        z = (ahead - behind - n * end) / np.sqrt(n * (2.0 * best + end - end**2))
        assert z == pytest.approx(sign * 1.96, abs=2e-3)


# Properties

scores = hnp.arrays(np.float64, st.integers(2, 40), elements=st.sampled_from([0.0, 0.25, 0.5, 1.0]))


@given(a=scores, seed=st.integers(0, 99), method=st.sampled_from(METHODS))
def test_the_interval_holds_the_value_and_turns_round_with_the_systems(
    a: Floats, seed: int, method: Method
) -> None:
    b = np.random.default_rng(seed).permutation(a)
    found = paired_difference(a, b, method=method, n_boot=200)
    turned = paired_difference(b, a, method=method, n_boot=200)
    low, high = ends(found)
    assert found.value is not None
    assert low <= found.value <= high
    assert low < high
    assert turned.value == pytest.approx(-found.value, abs=1e-12)
    if "resamples" not in found.method:
        assert ends(turned) == pytest.approx((-high, -low), abs=1e-9)


def test_order_of_pairs_and_names_of_clusters_do_not_matter() -> None:
    rng = np.random.default_rng(4)
    a, b, clusters = rng.random(60), rng.random(60), np.repeat(np.arange(12), 5)
    first = paired_difference(a, b, clusters=clusters)
    order = rng.permutation(60)
    names = np.array([f"item {10**6 - code}" for code in clusters])
    again = paired_difference(a[order], b[order], clusters=names[order])
    assert ends(again) == pytest.approx(ends(first), abs=1e-12)
    assert again.n_clusters == 12
    assert again.se == pytest.approx(first.se)


def test_same_seed_same_interval_and_a_longer_level_is_wider() -> None:
    a, b = np.random.default_rng(5).random((2, 50))
    one, two = (paired_difference(a, b, method="bca", rng=np.random.default_rng(7)) for _ in "ab")
    assert one == two
    wide = paired_difference(a, b, method="bca", alpha=0.01, rng=np.random.default_rng(7))
    assert ends(wide)[0] < ends(one)[0] < ends(one)[1] < ends(wide)[1]


def test_a_pair_without_a_score_is_left_out_and_told() -> None:
    a, b = np.array([1.0, 0.0, np.nan, 1.0, 0.5]), np.array([0.0, 0.5, 1.0, np.nan, 0.25])
    found = paired_difference(a, b)
    assert (found.n, found.n_missing) == (3, 2)
    assert found.notes[0] == "2 pairs lack a score and are left out"
    assert found.value == pytest.approx(0.25)


# Coverage


def skewed(rng: np.random.Generator, n: int, epochs: int) -> tuple[Floats, Floats]:
    """Scores piled up near 1, with item effects common to both systems."""
    item = 1.2 * rng.normal(size=(n, 1))
    noise = rng.normal(size=(2, n, epochs))
    return special.expit(2.5 + item + noise[0]), special.expit(2.0 + item + noise[1])


def binary(rng: np.random.Generator, n: int, epochs: int) -> tuple[Floats, Floats]:
    """Pass rates of about 76% and 68%, items of different difficulty."""
    item = rng.normal(size=(n, 1))
    chance = special.expit(np.array([1.4, 0.85])[:, None, None] + item)
    return tuple(np.asarray(rng.random((2, n, epochs)) < chance, dtype=float))


def bent(rng: np.random.Generator, n: int, epochs: int) -> tuple[Floats, Floats]:
    """Differences of skewness 2: exponential, with mean 1."""
    b = rng.exponential(size=(n, epochs))
    return b + rng.exponential(size=(n, 1)), b


def covered(draw: Draw, n: int, epochs: int, *, runs: int, method: Method, seed: int = 0) -> float:
    rng = np.random.default_rng(seed)
    clusters = np.repeat(np.arange(n), epochs) if epochs > 1 else None
    a, b = draw(np.random.default_rng(99), 2_000_000 // epochs, epochs)
    truth, inside = float(np.mean(a - b)), 0
    for _ in range(runs):
        a, b = draw(rng, n, epochs)
        found = paired_difference(
            a.ravel(), b.ravel(), clusters=clusters, method=method, n_boot=999, rng=rng
        )
        low, high = ends(found)
        inside += low <= truth <= high
    return inside / runs


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("draw", [skewed, binary, bent])
def test_coverage_with_20_items(draw: Draw, method: Method) -> None:
    share = covered(draw, 20, 1, runs=400, method=method)
    assert share >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / 400)


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("n", "epochs", "runs"), [(20, 1, 3000), (20, 5, 3000), (100, 5, 1500), (1000, 5, 400)]
)
@pytest.mark.parametrize("draw", [skewed, binary, bent])
def test_coverage_in_full(draw: Draw, n: int, epochs: int, runs: int, method: Method) -> None:
    share = covered(draw, n, epochs, runs=runs, method=method, seed=1)
    assert share >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / runs)
    assert share <= 0.98


def test_binary_coverage_is_kept_however_rare_a_difference_is() -> None:
    """Summed over all outcomes of 20 pairs; t by itself falls to .64 where 5% of pairs differ."""
    n = 20
    interval = {}
    for ahead, behind in itertools.product(range(n + 1), repeat=2):
        if ahead + behind <= n:
            a = np.repeat([1.0, 0.0, 1.0], [ahead, behind, n - ahead - behind])
            b = np.repeat([0.0, 1.0, 1.0], [ahead, behind, n - ahead - behind])
            interval[ahead, behind] = ends(paired_difference(a, b))
    cells = np.array(list(interval))
    low, high = np.array(list(interval.values())).T
    counts = np.column_stack((cells, n - cells.sum(axis=1)))
    for p, q in ((0.05, 0.0), (0.1, 0.0), (0.1, 0.05), (0.3, 0.1), (0.25, 0.25), (0.9, 0.05)):
        mass = stats.multinomial.pmf(counts, n, [p, q, 1.0 - p - q])
        inside = (low - 1e-9 <= p - q) & (p - q <= high + 1e-9)
        assert mass[inside].sum() >= 0.94


# Where the data say little, and what is refused


def test_all_ties_of_binary_scores_have_an_interval_that_shrinks_with_items() -> None:
    few, many = (paired_difference(np.ones(n), np.ones(n)) for n in (20, 2000))
    assert few.value == 0.0
    assert ends(few) == pytest.approx((-0.1797, 0.1797), abs=1e-4)  # t^2 / (n + t^2), 19 df
    assert ends(many)[1] < 0.003
    assert "only 0 of 20 pairs" in few.notes[0]


def test_all_ties_of_scores_on_no_known_scale_have_a_reason() -> None:
    found = paired_difference([3.0, 70.0, 5.0], [3.0, 70.0, 5.0])
    assert (found.value, found.low, found.se) == (0.0, None, 0.0)
    assert found.reason == "all differences are equal: their spread cannot be estimated"


def test_a_constant_shift_of_scores_has_a_rough_interval_on_a_known_scale_only() -> None:
    x = np.linspace(0.1, 0.5, 30)
    found, few = paired_difference(x + 0.1, x), paired_difference(x[:3] + 0.1, x[:3])
    assert 0.0 < ends(found)[0] < 0.1 < ends(found)[1] < 0.25
    assert "a rough one" in found.notes[0]
    assert ends(few)[0] < 0.0
    assert ends(few)[1] > 0.1
    assert paired_difference(x * 9 + 1.0, x * 9).reason is not None
    steady = paired_difference(np.full(30, 0.7), np.full(30, 0.5))
    assert ends(steady)[0] < 0.19
    assert ends(steady)[1] > 0.21


def test_one_item_has_no_interval() -> None:
    found = paired_difference([1.0, 0.0], [0.0, 0.0], clusters=["x", "x"])
    assert (found.value, found.low, found.n_clusters) == (0.5, None, 1)
    assert found.reason == "one cluster gives no standard error: two are needed"


def test_no_pair_has_no_value() -> None:
    found = paired_difference([np.nan, 1.0], [1.0, np.nan])
    assert (found.value, found.n, found.n_missing) == (None, 0, 2)
    assert found.reason == "there is no pair with both scores"
    assert paired_difference([], []).value is None


@pytest.mark.parametrize("score", [0.6, 0.7, 0.8])
def test_rounding_leaves_no_difference_off_its_interval(score: float) -> None:
    found = paired_difference([score] * 20, [0.5] * 20)
    low, high = ends(found)
    assert found.value is not None
    assert low <= found.value <= high


def test_few_clusters_are_not_resampled_and_strong_skew_is_told() -> None:
    rng = np.random.default_rng(6)
    few = paired_difference(rng.random(6), rng.random(6), method="bca")
    assert few.method == "t, 5 df"
    assert few.notes == ("6 clusters are too few to resample: t instead",)
    shot = np.append(rng.normal(0, 0.01, 39), 1.0)
    found = paired_difference(shot, np.zeros(40))
    assert found.notes == ("a few large differences decide: a true one may lie outside more often",)
    assert "BCa" in found.method


def test_resampling_few_clusters_reaches_at_least_as_far_as_t() -> None:
    rng = np.random.default_rng(7)
    for n in (12, 40, 100):
        a, b = rng.random((2, n))
        low, high = ends(paired_difference(a, b))
        for method in METHODS[1:]:
            found = paired_difference(a, b, method=method, n_boot=500)
            assert "whichever reaches farther" in found.method
            assert ends(found)[0] <= low < high <= ends(found)[1]


def test_text_keys_bools_and_masks_are_taken() -> None:
    a = np.ma.masked_array([1, 0, 1, 1], mask=[False, False, False, True])
    found = paired_difference(a, [True, True, False, False], clusters=["b", "a", "b", "c"])
    assert (found.n, found.n_clusters) == (3, 2)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"alpha": 0.0}, r"alpha = 0\.0 must lie strictly between 0 and 1"),
        ({"method": "wald"}, "method = 'wald' must be one of"),
        ({"n_boot": 10}, "n_boot = 10 must be at least 100"),
        ({"clusters": [1, 2]}, r"clusters must have the shape of a, \(3,\), not \(2,\)"),
        ({"b": [1.0, 2.0]}, "one score a pair each, not 3 and 2"),
        ({"b": [1.0, np.inf, 0.0]}, "b must be finite, NaN where a score is missing"),
        ({"b": np.ones((3, 1))}, "b must have one dimension, not 2"),
        ({"b": ["1", "2", "3"]}, "b has dtype"),
    ],
)
def test_bad_arguments_are_named(change: dict[str, object], match: str) -> None:
    arguments: dict[str, object] = {"a": [1.0, 0.0, 1.0], "b": [0.0, 0.0, 1.0]} | change
    with pytest.raises(ValueError, match=match):
        paired_difference(**arguments)  # type: ignore[arg-type]
