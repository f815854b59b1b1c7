"""What the hook makes of labels: learned widths, families, label sets, classes, and the check."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from panopt.findings import Findings
from panopt.plugins.conformal import panopt_analyze
from panopt.records.ask import Ask

Floats = NDArray[np.float64]
Judged = Callable[..., Any]


def asked(case: Any, seed: int = 0, *, alpha: float = 0.1) -> Findings:  # noqa: ANN401 - a fixture's
    found = panopt_analyze(
        case.matrix, case.consensus, Ask(alpha=alpha), np.random.default_rng(seed)
    )
    assert found is not None
    return found


def squeezed(n: int, labels: int, seed: int = 0) -> tuple[Floats, Floats, Floats]:
    """Judges that use the middle of the scale; the labelled ones are a random sample."""
    rng = np.random.default_rng(seed)
    human = rng.random(n)
    votes = np.clip(0.55 + 0.4 * human[:, None] + rng.normal(0, 0.05, (n, 3)), 0, 1)
    known = np.where(np.isin(np.arange(n), rng.choice(n, labels, replace=False)), human, np.nan)
    return votes, human, known


def test_hook_learns_from_some_labels_and_calibrates_on_the_others(judged: Judged) -> None:
    inside, width = [], []
    for seed in range(25):
        votes, human, known = squeezed(400, 180, seed)
        case = judged(votes, human=known, scale="continuous")
        found = asked(case, seed, alpha=0.2)
        (row,) = found.named("conformal_halfwidth")
        assert (row.details["n_learned"], row.n) == (80, 100)
        assert row.details["recalibrated"] is True
        assert "recalibrated to 80 labels" in row.method
        assert "others than those that calibrate" in row.assumptions[-1]
        new = np.isnan(known)
        low, high = found.columns["conformal_low"], found.columns["conformal_high"]
        inside.append(np.mean((low <= human)[new] & (human <= high)[new]))
        raw = np.sort(np.abs(known - case.consensus.blind_value)[~new])[144]
        width.append((row.value or 0) / raw)
    error = 3 * np.std(inside) / 5
    assert 0.8 - error <= np.mean(inside) <= 0.8 + 1 / 101 + error
    assert np.mean(width) < 0.5


def with_families(case: Any, codes: NDArray[np.integer]) -> Any:  # noqa: ANN401 - as above
    ids = {**case.matrix.response_ids, "family": codes.astype(np.int32)}
    names = {**case.matrix.names, "family": ("essays", "maths", "odd")}
    return case._replace(matrix=replace(case.matrix, response_ids=ids, names=names))


def test_P_3_hook_keeps_the_coverage_within_task_families(judged: Judged) -> None:
    rng, n = np.random.default_rng(0), 1800
    family = rng.choice(3, n, p=[0.48, 0.48, 0.04])
    human = rng.random(n)
    votes = human[:, None] + rng.normal(0, 1, (n, 1)) * np.array([0.02, 0.1, 0.05])[family, None]
    known = np.where(np.arange(n) < 400, human, np.nan)
    case = with_families(judged(np.clip(votes, 0, 1), human=known, scale="continuous"), family)
    found = asked(case, alpha=0.2)
    rows = {row.subject: row for row in found.named("conformal_family_halfwidth")}
    assert set(rows) == {"essays", "maths", "odd"}
    assert [rows[name].details["pooled"] for name in rows] == [False, False, True]
    assert 2 < (rows["maths"].value or 0) / (rows["essays"].value or 1) < 6
    assert all(not row.headline for row in rows.values())
    low, high = found.columns["conformal_low"], found.columns["conformal_high"]
    for code in (0, 1):
        new = np.isnan(known) & (family == code)
        covered = np.mean((low <= human)[new] & (human <= high)[new])
        assert covered == pytest.approx(0.8, abs=0.1)
    (row,) = found.named("conformal_halfwidth")
    assert row.method.endswith(
        "within each of 2 task families, 1 with too few labels pooled (mean half-width)"
    )
    few = with_families(judged(votes, human=np.where(known < 0.2, known, np.nan)), family)
    assert not asked(few).named("conformal_family_halfwidth")


def test_hook_warns_where_failures_are_covered_less(judged: Judged) -> None:
    """A constant score near the passing majority covers it, and none of the failures."""
    rng = np.random.default_rng(0)
    human = np.where(rng.random(140) < 0.08, 0.0, 0.9)
    case = judged(np.full((140, 3), 0.9), human=human, scale="continuous")
    found = asked(case)
    rows = {row.subject: row for row in found.named("conformal_class_coverage")}
    assert rows["humans fail"].value == 0.0
    assert rows["humans pass"].value == 1.0
    assert not rows["humans fail"].headline
    assert "where humans fail only 0% of" in found.notes[0]
    (row,) = found.named("conformal_halfwidth")
    assert "where humans fail" in row.warnings[0]


def test_hook_warns_in_every_promise_where_labels_are_no_random_sample(judged: Judged) -> None:
    rng = np.random.default_rng(0)
    human = rng.random(600)
    votes = np.clip(human[:, None] + rng.normal(0, 0.1, (600, 3)), 0, 1)
    chosen = np.where((human > 0.6) & (rng.random(600) < 0.4), human, np.nan)
    random = np.where(rng.random(600) < 0.15, human, np.nan)
    for known, differs in ((chosen, True), (random, False)):
        case = judged(votes, human=known, scale="continuous")
        found = asked(case)
        (check,) = found.named("conformal_exchangeable_p")
        assert check.value is not None
        assert (check.value < 0.01) == differs
        (row,) = found.named("conformal_halfwidth")
        assert any("labelled responses differ" in said for said in row.warnings) == differs
        assert any("label a random sample" in note for note in found.notes) == differs


def posterior(human: NDArray[np.int64], k: int, seed: int, *, sharp: float = 4.0) -> Floats:
    """Give probabilities that speak for the human's label more often than not."""
    rng = np.random.default_rng(seed)
    p = rng.gamma(1.0, 1.0, (len(human), k))
    p[np.arange(len(human)), human] += sharp * rng.random(len(human))
    return np.asarray(p / p.sum(axis=1, keepdims=True))


def test_hook_gives_contiguous_sets_of_levels_where_there_is_a_posterior(judged: Judged) -> None:
    level = np.random.default_rng(0).integers(0, 5, 900)
    p = posterior(level, 5, 1)
    p[7] = np.nan
    levels = tuple((np.arange(5) / 4).tolist())
    known = np.where(np.arange(900) < 200, 1 + level, np.nan)
    case = judged(
        1.0 + level[:, None] * np.ones((1, 3)),
        human=known,
        scale="ordinal:1:5",
        consensus={"probabilities": p, "levels": levels, "method": "ordinal_probit"},
    )
    found = asked(case, alpha=0.2)
    (row,) = found.named("conformal_set_size")
    assert not row.headline
    assert row.n == 199
    size = found.columns["conformal_set_size"]
    low, high = found.columns["conformal_level_low"], found.columns["conformal_level_high"]
    new = np.arange(200, 900)
    np.testing.assert_allclose((high - low)[new] * 4 + 1, size[new])
    inside = (low <= level / 4 + 1e-9) & (level / 4 <= high + 1e-9)
    assert inside[new].mean() == pytest.approx(0.8, abs=0.1)
    assert np.isnan(size[7])
    assert row.value == pytest.approx(np.nanmean(size))
    by_label = found.named("conformal_set_class_coverage")
    assert [one.subject for one in by_label] == [
        f"humans say {at}" for at in (0, 0.25, 0.5, 0.75, 1)
    ]
    assert sum(one.n for one in by_label) == 199


def test_hook_gives_sets_on_two_values_and_holds_ties_in_full_sets_alone(judged: Judged) -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 400)
    first = np.where(np.arange(400) < 100, truth, np.nan).astype(float)
    second = first.copy()
    second[:15] = 1 - second[:15]  # the humans are split
    sizes, full = [], np.zeros(15)
    for people in (np.stack([first, first]), np.stack([first, second])):
        case = judged(
            np.tile(truth[:, None], (1, 3)).astype(float),
            human=people,
            consensus={"probabilities": posterior(truth, 2, 2), "levels": (0.0, 1.0)},
        )
        found = asked(case, alpha=0.1)
        assert found.named("conformal_halfwidth")[0].value is None
        sizes.append(found.named("conformal_set_size")[0])
        full = found.columns["conformal_set_size"][:15] == 2
    assert [row.details["tied"] for row in sizes] == [0, 15]
    assert full.mean() > 0.3, "ties count against the bound until enough of them are held"
    assert (sizes[1].value or 0) > (sizes[0].value or 0) + 0.1


def test_hook_gives_sets_of_names_and_says_which_are_in(judged: Judged) -> None:
    truth = np.random.default_rng(0).integers(0, 2, 300)
    names = ("bad", "good")
    case = judged(
        np.tile(truth[:, None], (1, 3)).astype(float),
        human=np.where(np.arange(300) < 120, truth, np.nan),
        consensus={"probabilities": posterior(truth, 2, 3)[:, ::-1], "levels": names[::-1]},
    )
    matrix = case.matrix
    votes = replace(matrix.human_votes, label=matrix.human_votes.score.astype(np.int32))
    nominal = replace(matrix, human_votes=votes, labels=names, scale=type(matrix.scale)("nominal"))
    found = asked(case._replace(matrix=nominal), alpha=0.2)
    (row,) = found.named("conformal_set_size")
    assert row.headline
    assert found.rows[0].reason == "labels have no distance on a nominal scale"
    assert not found.rows[0].headline
    holds = np.column_stack([found.columns[f"conformal_holds_{name}"] for name in names])
    np.testing.assert_array_equal(holds.sum(axis=1), found.columns["conformal_set_size"])
    new = np.arange(120, 300)
    assert holds[new, truth[new]].mean() == pytest.approx(0.8, abs=0.1)
    assert {one.subject for one in found.named("conformal_set_class_coverage")} == {
        "humans say bad",
        "humans say good",
    }


def test_hook_refuses_probabilities_that_labels_were_fitted_to(judged: Judged) -> None:
    truth = np.random.default_rng(0).integers(0, 2, 100)
    more = {"probabilities": posterior(truth, 2, 4), "levels": (0.0, 1.0), "method": "supervised"}
    case = judged(truth[:, None].astype(float), human=truth.astype(float), consensus=more)
    found = asked(case)
    (row,) = found.named("conformal_set_size")
    assert row.value is None
    assert row.reason is not None
    assert "cannot calibrate them too" in row.reason


@pytest.mark.parametrize("labels", [0, 5])
def test_hook_says_how_many_labels_sets_take(judged: Judged, labels: int) -> None:
    truth = np.random.default_rng(0).integers(0, 2, 50)
    case = judged(
        truth[:, None].astype(float),
        human=np.where(np.arange(50) < labels, truth, np.nan),
        consensus={"probabilities": posterior(truth, 2, 4), "levels": (0.0, 1.0)},
    )
    (row,) = asked(case).named("conformal_set_size")
    assert row.reason == f"{labels} labels give no finite bound at alpha = 0.1: 9 are needed"


@pytest.mark.parametrize("kind", ["no votes", "one response", "constant", "all labelled"])
def test_hook_answers_whatever_comes(judged: Judged, kind: str) -> None:
    n = 1 if kind == "one response" else 200
    votes = np.full((n, 3), np.nan if kind == "no votes" else 0.5)
    human = np.full(n, 0.5) if kind != "one response" else np.array([0.2])
    found = asked(judged(votes, human=human, scale="continuous"))
    (row,) = found.named("conformal_halfwidth")
    if kind in ("no votes", "one response"):
        assert row.value is None
    else:
        assert row.value == 0.0
        assert not found.named("conformal_exchangeable_p")
