"""The object itself, called as Inspect calls it: errors of its own, and how often it is wrong."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Sequence
from typing import Any

import anyio
import numpy as np
import pytest
from inspect_ai.dataset import Sample
from inspect_ai.log import EvalSpec
from inspect_ai.scorer import SampleScore, Score

from panopt.shims.inspect.live.early_stopping import StopWhenSettled, stop_when_settled

SPEC = EvalSpec.model_validate(
    {
        "created": "2026-01-01T00:00:00+00:00",
        "task": "task",
        "dataset": {"shuffled": True},
        "model": "none",
        "config": {},
        "scorers": [{"name": "own"}],
    }
)


def samples(n: int) -> list[Sample]:
    return [Sample(id=f"i{k}", input="?") for k in range(n)]


def scored(value: Any) -> dict[str, SampleScore]:  # noqa: ANN401 - a score's value
    return {"own": SampleScore(score=Score(value=value))}


async def ran(
    stopping: StopWhenSettled,
    values: Sequence[float],
    lasts: Callable[[float], float],
    at_once: int = 5,
) -> dict[str, Any]:
    """Run a task of these values, `at_once` at a time."""
    await stopping.start_task(SPEC, samples(len(values)), 1)
    running: list[tuple[float, int]] = []
    clock = 0.0
    for place, value in enumerate(values):
        if len(running) == at_once:
            clock, done = heapq.heappop(running)
            await stopping.complete_sample(f"i{done}", 1, scored(values[done]))
        if await stopping.schedule_sample(f"i{place}", 1) is None:
            heapq.heappush(running, (clock + lasts(value), place))
    while running:
        _, done = heapq.heappop(running)
        await stopping.complete_sample(f"i{done}", 1, scored(values[done]))
    return await stopping.complete_task()


def settled_wrongly(n_runs: int, n: int) -> float:
    """Share of runs that settle on which side of the data set's own mean its mean lies."""
    rng = np.random.default_rng(11)

    async def all_runs() -> int:
        wrong = 0
        for _ in range(n_runs):
            values = (rng.random(n) < 0.7).astype(float)
            mean = float(values.mean())
            if 0.0 < mean < 1.0:
                stopping = stop_when_settled(above=mean, alpha=0.2, min_items=1)
                found = await ran(stopping, values.tolist(), lambda x: rng.exponential(9.0 - 8 * x))
                wrong += found["verdict"] != "not settled"
        return wrong

    return anyio.run(all_runs) / n_runs


def test_it_is_wrong_no_more_often_than_alpha() -> None:
    assert settled_wrongly(25, 40) <= 0.2 + 3 * math.sqrt(0.2 * 0.8 / 25)


@pytest.mark.slow
def test_it_is_wrong_no_more_often_than_alpha_in_full() -> None:
    assert settled_wrongly(2000, 60) <= 0.2 + 3 * math.sqrt(0.2 * 0.8 / 2000)


def test_it_settles_what_is_clear() -> None:
    found = anyio.run(ran, stop_when_settled(above=0.5), [1.0] * 100, lambda _: 1.0)
    assert found["verdict"] == "shown"
    assert found["n_samples_not_run"] > 60


def test_a_function_that_breaks_breaks_no_eval(caplog: pytest.LogCaptureFixture) -> None:
    def broken(_: object) -> float:
        raise ZeroDivisionError("no scale")

    stopping = stop_when_settled(above=0.5, value_to_float=broken)
    found = anyio.run(ran, stopping, [1.0] * 30, lambda _: 1.0)
    assert found["reason"] == "ZeroDivisionError: no scale"
    assert (found["verdict"], found["n_samples_not_run"], found["final"]) == (
        "not settled",
        0,
        None,
    )
    assert "stops nothing any more: ZeroDivisionError" in caplog.text


def test_items_sorted_by_their_scores_contradict_themselves() -> None:
    values = [1.0] * 60 + [0.0] * 140
    stopping = stop_when_settled(width=0.001, population="items like these")
    found = anyio.run(ran, stopping, values, lambda _: 1.0)
    assert found["reason"].startswith("no mean agrees with all that was seen")
    assert found["final"] is None


def test_a_sample_that_would_be_tried_again_is_stopped_once_all_is_settled() -> None:
    stopping = stop_when_settled(above=0.5)

    async def run() -> dict[str, Any]:
        await stopping.start_task(SPEC, samples(40), 1)
        for place in range(30):
            assert await stopping.schedule_sample(f"i{place}", 1) is None
        for place in range(1, 29):  # the first and the last failed
            await stopping.complete_sample(f"i{place}", 1, scored(1.0))
        assert await stopping.schedule_sample("i0", 1) is not None
        return await stopping.complete_task()

    found = anyio.run(run)
    assert (found["n_samples_not_run"], found["unscored"]) == (1, {"the sample failed": 1})


def test_it_serves_a_task_again() -> None:
    stopping = stop_when_settled(above=0.5)

    async def twice() -> list[str]:
        return [
            (await ran(stopping, [value] * 60, lambda _: 1.0))["verdict"] for value in (1.0, 0.0)
        ]

    assert anyio.run(twice) == ["shown", "refuted"]
