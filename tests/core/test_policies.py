"""``panopt replay --policies``: the table, its numbers by plain counting, and bad input."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np
import pytest

from panopt.errors import AskError
from panopt.policies import replay_policies
from panopt.records.ask import Ask
from panopt.records.study import Study
from panopt.router_options import RouterOptions
from panopt.stats.routing_bootstrap import ItemsAndSeeds


class Ended(Protocol):
    """How a run of the command ended; see conftest.py."""

    code: int
    out: str
    err: str


Run = Callable[..., Ended]
Fails = Callable[..., str]
Table = Callable[..., Path]

JUDGES = {"cheap": 0.75, "fair": 0.85, "fine": 0.9}


def drawn(n: int, seed: int = 0) -> tuple[list[int], dict[str, list[int]]]:
    """Draw human labels, and judges that err independently."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 2, n)
    votes = {
        judge: np.where(rng.random(n) < right, truth, 1 - truth).tolist()
        for judge, right in JUDGES.items()
    }
    return truth.tolist(), votes


def study_of(n: int, *, scale: str = "binary") -> Study:
    truth, votes = drawn(n)
    items = [f"i{i}" for i in range(n)]
    columns: dict[str, list[object]] = {
        name: [] for name in ("item", "judge", "judge_kind", "score", "scale")
    }
    for judge, scores in [("human", truth), *votes.items()]:
        columns["item"] += items
        columns["judge"] += [judge] * n
        columns["judge_kind"] += ["human" if judge == "human" else "llm"] * n
        columns["score"] += [float(score) for score in scores]
        columns["scale"] += [scale] * n
    return Study.from_columns(columns)


@pytest.fixture
def logs(table: Table) -> tuple[Path, Path]:
    truth, votes = drawn(300)
    lines = ["item,judge,score"]
    lines += [
        f"i{i},{judge},{score}" for judge, own in votes.items() for i, score in enumerate(own)
    ]
    human = ["item,score", *(f"i{i},{score}" for i, score in enumerate(truth)), ""]
    return table("judged.csv", "\n".join([*lines, ""])), table("human.csv", "\n".join(human))


def test_plain_rows_are_what_counting_gives() -> None:
    truth, votes = drawn(300)
    (found,) = replay_policies(study_of(300), policies=["single"], seeds=2)
    runs = {run.policy: run for run in found.runs}
    table = np.array(list(votes.values()))
    majority = (table.sum(axis=0) >= 2).astype(int)
    assert runs["all, plurality"].error.value == pytest.approx(np.mean(majority != truth))
    for judge, own in votes.items():
        one = runs[f"single {judge}"]
        assert one.error.value == pytest.approx(np.mean(np.array(own) != truth))
        assert (one.cost.value, one.calls.value) == (1.0, 1.0)
        assert one.share is not None
        assert one.share.value == pytest.approx(1 / 3)
        gap = one.error.value - runs["all"].error.value
        assert one.more_error.value == pytest.approx(gap)
    assert runs["all"].flips.value == 0
    assert (runs["all"].more_error.low, runs["all"].more_error.high) == (0, 0)


def test_routed_rows_cost_less_and_say_what_ended_them() -> None:
    (found,) = replay_policies(
        study_of(400),
        policies=["voi", "thompson", "random", "escalate"],
        seeds=2,
        costs={"fine": 5},
        options=RouterOptions(epsilon=0.1, correlation=0.0),
    )
    runs = {run.policy: run for run in found.runs}
    for name in ("voi", "thompson", "random", "escalate"):
        run = runs[name]
        assert run.share is not None
        assert run.share.value < 1
        assert sum(run.stops.values()) == pytest.approx(1)
        assert run.error.low is not None
        assert run.error.high is not None
        assert run.error.low <= run.error.value <= run.error.high
    assert runs["voi"].cost.value < runs["random"].cost.value
    assert "settled" in runs["voi"].stops


def test_taught_responses_are_not_routed_and_their_clusters_are_not_either() -> None:
    (found,) = replay_policies(study_of(300), policies=["voi"], seeds=2, warm=60)
    assert found.warm == 60
    with pytest.raises(AskError, match=r"has 199 responses .* besides the 101 to be taught"):
        replay_policies(study_of(300), policies=["voi"], warm=101)


def test_the_same_seed_gives_the_same_numbers() -> None:
    study = study_of(250)
    first = replay_policies(study, Ask(seed=3, n_boot=50), policies=["thompson"], seeds=2)
    assert first == replay_policies(study, Ask(seed=3, n_boot=50), policies=["thompson"], seeds=2)


@pytest.mark.parametrize("scale", ["nominal", "continuous:0:1", "pairwise"])
def test_other_scales_are_replayed(scale: str) -> None:
    study = study_of(250, scale=scale)
    if scale == "nominal":
        truth, votes = drawn(250)
        rows = [("human", "human", truth), *(("llm", judge, own) for judge, own in votes.items())]
        study = Study.from_columns(
            {
                "item": [f"i{i}" for _ in rows for i in range(250)],
                "judge": [judge for _, judge, _ in rows for _ in range(250)],
                "judge_kind": [kind for kind, _, _ in rows for _ in range(250)],
                "label": [("no", "yes")[score] for _, _, own in rows for score in own],
                "scale": "nominal",
            }
        )
    (found,) = replay_policies(study, policies=["voi"], seeds=1)
    runs = {run.policy: run for run in found.runs}
    assert runs["voi"].error.value < 0.25
    assert runs["voi"].undecided == 0


def test_intervals_over_items_and_seeds_cover() -> None:
    # Truth: rows N(m_i + s_k): the mean over all items and seeds that could be drawn is 0.
    inside = 0
    for run in range(200):
        rng = np.random.default_rng(run)
        values = (
            rng.normal(size=(1, 80)) + 0.3 * rng.normal(size=(20, 1)) + rng.normal(size=(20, 80))
        )
        draws = ItemsAndSeeds(np.arange(80), 20, n_boot=200, level=0.9, rng=rng)
        found = draws.mean(values)
        assert found.low is not None
        assert found.high is not None
        inside += found.low <= 0.0 <= found.high
    assert inside / 200 > 0.9 - 3 * np.sqrt(0.09 / 200)


def test_replay_shows_policies(run: Run, logs: tuple[Path, Path]) -> None:
    ended = run(
        *("replay", logs[0], "--labels", logs[1], "--scale", "binary", "--seeds", "2"),
        *("--policies", "single,voi", "--cost", "fine=10"),
    )
    assert (ended.code, ended.err) == (0, "")
    words = " ".join(ended.out.split())
    for part in (
        "300 responses judged by all 3 judges and by humans, in 2 orders",
        "cheap 1, fair 1, fine 10",
        "judges are known from votes alone",
        "all, plurality",
        "single fine",
        "voi",
        "flips calls expected",
    ):
        assert part in words


def test_replay_of_policies_as_json(run: Run, logs: tuple[Path, Path]) -> None:
    ended = run(
        *("replay", logs[0], "--labels", logs[1], "--scale", "binary", "--seeds", "1", "--json"),
        *("--policies", "cheapest_first", "--warm", "50", "--epsilon", ".1"),
    )
    assert ended.code == 0
    (found,) = json.loads(ended.out)["criteria"]
    assert [run["policy"] for run in found["runs"]] == ["all", "all, plurality", "cheapest_first"]
    assert found["options"]["epsilon"] == 0.1
    assert set(found["runs"][0]["error"]) == {"value", "low", "high"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--policies", "best"), "policy 'best' must be one of all, single"),
        (("--policies", "cascade"), "policy 'cascade' decides by a certificate"),
        (("--policies", ","), "--policies ',' names none of all"),
        (("--policies", "voi", "--seeds", "0"), "seeds = 0 must be 1 or more"),
        (("--policies", "voi", "--cost", "x=1"), "--cost names 'x', which is no judge here"),
        (
            ("--policies", "voi", "--cost", "fair=-1"),
            "'fair=-1': costs must be finite",
        ),
        (("--policies", "voi", "--cost", "fair=nan"), "'fair=nan': costs must be finite"),
        (("--policies", "voi", "--alpha", ".1"), "--alpha is of promises, which --policies does"),
        (("--policies", "voi", "--splits", "9"), "--splits is of promises, which --policies does"),
        (("--at-least", "1"), "--at-least is of ways of choosing judges: give --policies too"),
        (("--seeds", "3"), "--seeds is of ways of choosing judges: give --policies too"),
        (("--cost", "fair=1", "--cost", "fair=2"), "'fair=2': 'fair' has a cost already, 1"),
        (("--policies", "voi", "--epsilon", "0"), r"epsilon = 0.0 must lie in \(0, 1\)"),
        (("--policies", "voi", "--at-least", "4"), "at_least = 4 is more than the 3 judges"),
    ],
)
def test_bad_input_is_one_line(
    fails: Fails, logs: tuple[Path, Path], options: tuple[str, ...], message: str
) -> None:
    told = fails("replay", logs[0], "--labels", logs[1], "--scale", "binary", *options)
    assert message.replace("\\", "") in told


def test_fewer_than_200_panels_are_refused_with_the_number() -> None:
    with pytest.raises(AskError, match="has 199 responses that all 3 judges and a human judged"):
        replay_policies(study_of(199), policies=["voi"])


def test_routing_reaches_all_judges_on_real_panels_at_three_fifths_of_their_cost(
    shared: Path,
) -> None:
    import pyarrow.parquet as pq  # noqa: PLC0415 - for this test alone

    rows = pq.read_table(shared / "data/sets/triviaqa_judges_dev/scores.parquet").to_pylist()
    llm = [row for row in rows if row["judge_kind"] == "llm"]
    human = {row["item_id"]: row for row in rows if row["judge_kind"] == "human"}.values()
    every = [
        *((row, "llm", row["score"]) for row in llm),
        *((row, "human", row["label"]) for row in human),
    ]
    study = Study.from_columns(
        {
            "item": [row["item_id"] for row, _, _ in every],
            "judge": [row["judge"] for row, _, _ in every],
            "judge_kind": [kind for _, kind, _ in every],
            "score": [score for _, _, score in every],
            "status": ["failed" if score is None else "ok" for _, _, score in every],
            "cluster": [row["question_id"] for row, _, _ in every],
            "scale": "binary",
        }
    )
    (found,) = replay_policies(
        study, Ask(n_boot=200), policies=["voi"], seeds=1, options=RouterOptions(epsilon=0.01)
    )
    runs = {run.policy: run for run in found.runs}
    assert (found.n_responses, found.n_clusters) == (3465, 400)
    assert runs["all"].error.value == pytest.approx(0.0759, abs=0.002)
    share = runs["voi"].share
    assert share is not None
    assert share.high is not None
    assert share.high < 0.6
    assert runs["voi"].more_error.value < 0.005
