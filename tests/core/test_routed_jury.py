"""The routed jury: who is asked, what breaks, what is kept, on scripted judges."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path

import anyio
import numpy as np
import pytest

from panopt.errors import AskError, SourceError
from panopt.judging import Answer, Question
from panopt.judging.verdict import Boolean, Labelled, Numeric, VerdictKind
from panopt.jury import Budget
from panopt.routed_jury import Routed, RoutedJury, read_router
from panopt.router import Router, RouterOptions

Verdict = bool | float | str | None


class Scripted:
    """A judge that answers what a function says."""

    prompt_hash = confidence_source = model = None

    def __init__(self, name: str, answer: Callable[[str], Verdict]) -> None:
        self.name = name
        self.answer = answer
        self.asked = 0

    async def __call__(self, question: Question) -> Answer:
        self.asked += 1
        await anyio.lowlevel.checkpoint()
        verdict = self.answer(question.item)
        return Answer(verdict, abstained=verdict is None)


def panel(n: int = 600, seed: int = 0) -> tuple[list[bool], list[Scripted]]:
    """Give a truth by number, and three judges right in 7, 8 and 9 of 10."""
    rng = np.random.default_rng(seed)
    truth = (rng.random(n) < 0.5).tolist()

    def of(accuracy: float) -> Callable[[str], Verdict]:
        right = (rng.random(n) < accuracy).tolist()
        return lambda item: truth[int(item)] == right[int(item)]

    return truth, [Scripted(f"j{int(10 * a)}", of(a)) for a in (0.7, 0.8, 0.9)]


def posed(item: int | str, kind: VerdictKind, **details: object) -> Question:
    return Question(str(item), "task", ("answer",), "right?", kind, details=details)


def seated(judges: list[Scripted], kind: VerdictKind, **options: object) -> RoutedJury:
    router = Router([j.name for j in judges], kind, options=RouterOptions(**options))  # type: ignore[arg-type]
    return RoutedJury(judges, kind=kind, router=router)


def all_of(jury: RoutedJury, n: int, at_once: int = 16) -> list[Routed]:
    """Route n responses, several at a time."""
    found: dict[int, Routed] = {}

    async def run() -> None:
        gate = anyio.Semaphore(at_once)

        async def one(i: int) -> None:
            async with gate:
                found[i] = await jury.route(posed(i, jury.kind))

        async with anyio.create_task_group() as group:
            for i in range(n):
                group.start_soon(one, i)

    anyio.run(run)
    return [found[i] for i in range(n)]


def test_responses_judged_together_are_each_settled() -> None:
    truth, judges = panel()
    jury = seated(judges, Boolean(), epsilon=0.15, pilot=40, correlation=0.0)
    found = all_of(jury, 600)
    calls = sum(judge.asked for judge in judges)
    assert calls == sum(one.ruling.n_asked for one in found) == jury.router.spent
    assert calls < 0.75 * 1800
    assert all(one.ruling.outcome == "decided" for one in found)
    wrong = np.mean([one.ruling.value != t for one, t in zip(found, truth, strict=True)])
    assert wrong < 0.17
    late = [one.stop.why for one in found[100:] if one.stop is not None]
    assert "settled" in late
    assert "chance of error" in found[-1].as_dict()["reason"] or found[-1].ruling.n_asked == 3
    json.dumps(found[-1].as_dict(), allow_nan=False)
    json.dumps(found[-1].ruling.as_dict(), allow_nan=False)


def test_a_judge_that_fails_or_abstains_is_passed_over() -> None:
    truth, judges = panel(60)

    def broken(_: str) -> Verdict:
        raise RuntimeError("down")

    silent = Scripted("silent", lambda _: None)
    jury = seated([Scripted("broken", broken), silent, judges[2]], Boolean(), policy="all")
    found = all_of(jury, 60)
    for one, t in zip(found, truth, strict=True):
        assert (one.ruling.n_failed, one.ruling.n_abstained, one.ruling.n_decisive) == (1, 1, 1)
        assert one.ruling.outcome == "decided"
        assert one.ruling.value in (float(t), float(not t))
    dead = seated([Scripted("broken", broken)], Boolean())
    (lost,) = all_of(dead, 1)
    assert lost.ruling.outcome == "all_failed"
    assert lost.belief is not None
    assert lost.belief.decision is None


def test_nothing_is_asked_where_there_is_no_response() -> None:
    _, judges = panel(5)
    jury = seated(judges, Boolean())

    async def run() -> Routed:
        return await jury.route(posed(0, Boolean()), response_error="no output")

    found = anyio.run(run)
    assert found.ruling.outcome == "response_error"
    assert found.as_dict() == {}
    assert sum(judge.asked for judge in judges) == 0


def test_scores_are_the_posterior_mean_and_labels_the_likeliest() -> None:
    kind = Numeric(1, 5, threshold=3)
    jury = seated([Scripted(f"s{k}", lambda _: 4.0) for k in range(3)], kind, policy="all")
    (found,) = all_of(jury, 1)
    assert found.belief is not None
    assert found.ruling.value == found.belief.mean
    assert found.ruling.passed is True
    labelled = Labelled(("good", "bad"), passing=frozenset({"good"}))
    jury = seated([Scripted(f"l{k}", lambda _: "bad") for k in range(3)], labelled, policy="all")
    (found,) = all_of(jury, 1)
    assert (found.ruling.label, found.ruling.passed) == ("bad", False)


def test_budgets_of_calls_end_in_truthful_outcomes() -> None:
    _, judges = panel(30)
    router = Router([j.name for j in judges], Boolean(), options=RouterOptions(policy="all"))
    jury = RoutedJury(judges, kind=Boolean(), router=router, budget=Budget(calls=5))
    found = all_of(jury, 10)
    assert sum(judge.asked for judge in judges) == 5
    assert {one.ruling.outcome for one in found} <= {"decided", "all_failed"}
    assert any(one.ruling.outcome == "all_failed" for one in found)


def test_a_cancelled_response_leaves_nothing_open(tmp_path: Path) -> None:
    _, judges = panel(5)

    class Stalls(Scripted):
        async def __call__(self, question: Question) -> Answer:
            await anyio.sleep(60)
            return await super().__call__(question)

    names = ["stalls", *(j.name for j in judges)]
    router = Router(names, Boolean(), options=RouterOptions(order=("stalls",), policy="all"))
    path = tmp_path / "router.json"
    jury = RoutedJury(
        [Stalls("stalls", lambda _: True), *judges], kind=Boolean(), router=router, snapshot=path
    )

    async def run() -> bool:
        with anyio.move_on_after(0.05) as scope:
            await jury.route(posed(0, Boolean()))
        return scope.cancelled_caught

    assert anyio.run(run)
    assert router.snapshot()["counts"][:2] == [1, 1]
    assert path.exists()
    with pytest.raises(ValueError, match="is not being judged"):
        router.posterior("0")


def test_what_was_learned_is_kept_and_read_back(tmp_path: Path) -> None:
    _, judges = panel()
    kind, names, path = Boolean(), [j.name for j in judges], tmp_path / "deep" / "router.json"
    options = RouterOptions(pilot=50)
    jury = RoutedJury(judges, kind=kind, router=Router(names, kind, options=options), snapshot=path)
    all_of(jury, 200)
    again = read_router(path, judges=names, kind=kind, options=options, costs={})
    for name, found in jury.router.quality().items():  # looked at once more, with all votes
        assert again.quality()[name] == pytest.approx(found, abs=0.01)
    assert [file.name for file in path.parent.iterdir()] == ["router.json"]
    with pytest.raises(AskError, match="but the snapshot is of"):
        read_router(path, judges=["x"], kind=kind, options=options, costs={})
    path.write_text("[]")
    with pytest.raises(SourceError, match="no router's snapshot"):
        read_router(path, judges=names, kind=kind, options=options, costs={})
    path.write_text("{")
    with pytest.raises(SourceError, match="no router's snapshot"):
        read_router(path, judges=names, kind=kind, options=options, costs={})


def test_a_snapshot_that_cannot_be_kept_loses_no_vote(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _, judges = panel()
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    names = [judge.name for judge in judges]
    router = Router(names, Boolean(), options=RouterOptions(pilot=50))
    jury = RoutedJury(judges, kind=Boolean(), router=router, snapshot=blocked / "router.json")
    with caplog.at_level(logging.WARNING, logger="panopt"):
        found = all_of(jury, 5)
    assert {one.ruling.n_decisive for one in found} == {3}
    assert [record.message for record in caplog.records].count(caplog.messages[-1]) == 1
    assert "the router's snapshot was not kept" in caplog.text


def test_families_of_tasks_are_told_apart() -> None:
    _, judges = panel(4)
    jury = seated(judges, Boolean(), policy="all")

    async def run() -> None:
        await jury.route(posed(0, Boolean(), task_family="maths"))
        await jury.route(posed(1, Boolean(), family="prose"))

    anyio.run(run)
    seen = jury.router.snapshot()["learned"]["seen"]
    assert {row[0] for row in seen} == {"maths", "prose"}


def test_a_router_of_others_is_refused() -> None:
    _, judges = panel(1)
    with pytest.raises(AskError, match=r"router is for \['x'\], the jury is"):
        RoutedJury(judges, kind=Boolean(), router=Router(["x"], Boolean()))
    names = [j.name for j in judges]
    with pytest.raises(AskError, match="router is for Boolean"):
        RoutedJury(judges, kind=Numeric(threshold=0.5), router=Router(names, Boolean()))
