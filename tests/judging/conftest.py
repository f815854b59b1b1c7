"""Judges that answer as they are told, and both event loops to run them on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

import anyio
import anyio.lowlevel
import pytest

from panopt.judging import Answer, Pairwise, Question, VerdictKind
from panopt.jury import Jury, Ruling

Reply = Callable[[Question], object]


class Hang:
    """Said by a judge that never answers."""


@dataclass
class Scripted:
    """A judge that gives the same reply always, or what a function makes of the question.

    A reply that is an exception is raised; `Hang` waits for ever; an answer is given as it is,
    and everything else is the verdict of an answer.
    """

    name: str
    reply: object
    model: str | None = None
    prompt_hash: str | None = None
    confidence_source: str | None = None
    asked: list[Question] = field(default_factory=list)

    async def __call__(self, question: Question) -> Answer:
        self.asked.append(question)
        await anyio.lowlevel.checkpoint()
        scripted = callable(self.reply) and self.reply is not Hang
        reply = self.reply(question) if scripted else self.reply  # type: ignore[operator]
        if reply is Hang:
            await anyio.sleep_forever()
        if isinstance(reply, BaseException):
            raise reply
        return reply if isinstance(reply, Answer) else Answer(reply)  # type: ignore[arg-type]


class Ask(Protocol):
    """Ask a jury about one response and give the ruling."""

    def __call__(self, jury: Jury, **question: object) -> Ruling: ...


@pytest.fixture
def scripted() -> type[Scripted]:
    return Scripted


@pytest.fixture
def hang() -> type[Hang]:
    return Hang


@pytest.fixture(params=["asyncio", "trio"])
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def question_for(kind: VerdictKind, **changes: object) -> Question:
    responses = ("one", "other") if isinstance(kind, Pairwise) else ("one",)
    values: dict[str, object] = {
        "item": "q1", "task": "a task", "responses": responses, "rubric": "is it right?",
        "kind": kind,
    }  # fmt: skip
    return Question(**(values | changes))  # type: ignore[arg-type]


@pytest.fixture
def question() -> Callable[..., Question]:
    return question_for


@pytest.fixture
def run(backend: str) -> Callable[[Callable[[], Awaitable[object]]], object]:
    """Run an async function of no arguments on each event loop."""

    def runs(function: Callable[[], Awaitable[object]]) -> object:
        return anyio.run(function, backend=backend)

    return runs


@pytest.fixture
def ask(backend: str) -> Ask:
    def asks(jury: Jury, **changes: object) -> Ruling:
        position = changes.pop("position", 0)
        error = changes.pop("response_error", None)
        posed = question_for(jury.kind, **changes)

        async def judge() -> Ruling:
            return await jury.judge(posed, position=position, response_error=error)  # type: ignore[arg-type]

        return anyio.run(judge, backend=backend)

    return asks
