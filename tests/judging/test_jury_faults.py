"""Three calls in ten fail, in every way there is: every response still ends truthfully."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from panopt.judging import Answer, Budget, Numeric, Question, tree
from panopt.jury import Jury, Ruling

ITEMS, JUDGES, SHARE = 150, 5, 0.3
KIND = Numeric(1, 5, threshold=3.0)


class RateLimitError(Exception):
    status_code = 429


#: Faults and how a vote must tell of them.
FAULTS: dict[str, tuple[str, str | None]] = {
    "hang": ("failed", "timeout"),
    "slow client": ("failed", "timeout"),
    "429": ("failed", "status"),
    "reset": ("failed", "connection"),
    "malformed": ("failed", "parse"),
    "nan": ("failed", "parse"),
    "out of range": ("failed", "parse"),
    "no answer": ("failed", "parse"),
    "refusal": ("abstained", None),
    "bug": ("failed", "unknown"),
}


def plan(judge: str, item: str) -> tuple[str | None, float]:
    """What a judge will do with an item, the same on every run: a fault or none, and its score."""
    draw = random.Random(f"{judge} {item}")  # noqa: S311 - a plan, no secret
    fault = draw.choice(sorted(FAULTS)) if draw.random() < SHARE else None
    return fault, float(draw.randint(1, 5))


class Faulty:
    """A judge with a plan."""

    model = prompt_hash = confidence_source = None

    def __init__(self, name: str) -> None:
        self.name = name

    async def __call__(self, question: Question) -> Answer:  # noqa: C901 - a fault a case
        fault, score = plan(self.name, question.item)
        await anyio.lowlevel.checkpoint()
        match fault:
            case None:
                return Answer(score)
            case "hang":
                await anyio.sleep_forever()
            case "slow client":
                try:
                    await anyio.sleep_forever()
                finally:
                    raise ConnectionError("closed on the way out")
            case "429":
                raise RateLimitError("slow down")
            case "reset":
                raise ExceptionGroup("pool", [ConnectionResetError("by peer")])
            case "malformed":
                json.loads("{'score': 4}")
            case "nan":
                return Answer(float("nan"))
            case "out of range":
                return Answer(85)
            case "no answer":
                return None  # type: ignore[return-value]
            case "refusal":
                return Answer(None, abstained=True, rationale="I cannot help with that.")
        raise KeyError("bug")


@pytest.fixture(params=[1, 3])
def least(request: pytest.FixtureRequest) -> int:
    return int(request.param)


def test_a_third_of_all_calls_fail_and_every_item_ends_truthfully(
    run: Callable[[Callable[[], Awaitable[object]]], object], least: int
) -> None:
    budget = Budget(calls=ITEMS * JUDGES)
    judges = [Faulty(f"j{k}") for k in range(JUDGES)]
    jury = Jury(judges, kind=KIND, timeout=1.0, min_successful=least, budget=budget)
    rulings: dict[str, Ruling] = {}
    cancelled: set[str] = set()

    async def one(item: str, gate: anyio.Semaphore) -> None:
        question = Question(item, "a task", ("a response",), "a rubric", KIND)
        async with gate:
            # One sample in ten is cancelled from outside while its judges hang.
            doomed = int(item[1:]) % 10 == 0
            with anyio.move_on_after(0.02 if doomed else None):
                rulings[item] = await jury.judge(question)
                return
        cancelled.add(item)

    async def everything() -> None:
        gate = anyio.Semaphore(75)
        with anyio.fail_after(60):
            async with anyio.create_task_group() as group:
                for k in range(ITEMS):
                    group.start_soon(one, f"q{k}", gate)

    run(everything)
    assert rulings.keys() | cancelled == {f"q{k}" for k in range(ITEMS)}
    assert rulings.keys().isdisjoint(cancelled)
    assert all(int(item[1:]) % 10 == 0 for item in cancelled)
    assert cancelled, "some samples hang long enough to be cancelled"
    outcomes = Counter[str]()
    for item, ruling in rulings.items():
        check(item, ruling, least)
        outcomes[ruling.outcome] += 1
    assert outcomes["decided"] > 0.8 * len(rulings) * (least == 1)
    assert least == 1 or outcomes["quorum_not_met"] > 0


def check(item: str, ruling: Ruling, least: int) -> None:
    """Compare a ruling with what its judges had planned."""
    scores: list[float] = []
    for vote in ruling.votes:
        fault, score = plan(vote.judge, item)
        if fault is None:
            assert (vote.status, vote.value) == ("ok", score)
            scores.append(score)
            continue
        status, kind = FAULTS[fault]
        assert vote.status == status, fault
        told: Any = vote.failure
        assert (told.kind if told else None) == kind, (fault, told)
        assert vote.value is None
    assert ruling.n_asked == JUDGES
    assert ruling.n_decisive == len(scores)
    if len(scores) >= least and scores:
        assert ruling.outcome == "decided"
        assert ruling.value == pytest.approx(sum(scores) / len(scores))
        assert ruling.passed == (sum(scores) / len(scores) >= 3.0 - 1e-9)
    else:
        assert ruling.value is None
        assert ruling.passed is None
        assert ruling.outcome == ("quorum_not_met" if scores else _without(ruling))
    assert ruling.degraded == (2 * len(scores) < JUDGES)
    json.dumps(ruling.as_dict(), allow_nan=False)
    json.dumps(tree(ruling), allow_nan=False)
    assert all(f"**{vote.judge}**" in ruling.explanation for vote in ruling.votes)


def _without(ruling: Ruling) -> str:
    kinds = {vote.status for vote in ruling.votes}
    return f"all_{kinds.pop()}" if len(kinds) == 1 else "quorum_not_met"
