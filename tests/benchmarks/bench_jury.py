"""What a jury costs above the bare calls, and what becomes of 30% failing calls.

Judges answer at once, so that all that is measured is orchestration. The peer is the same calls
in the plainest task group that waits for all of them: no checks, no rule, and one exception ends
it, so it is given judges that never fail.

Run: python tests/benchmarks/bench_jury.py
"""

from __future__ import annotations

import gc
import json
import random
import resource
import time
from collections import Counter
from collections.abc import Awaitable, Callable

import anyio
import anyio.lowlevel

from panopt.judging import Answer, Numeric, Question, Usage
from panopt.jury import Jury, Ruling

ITEMS, MANY, JUDGES, SAMPLES, SHARE = 1000, 10_000, 5, 16, 0.3
KIND = Numeric(1, 5, threshold=3.0)
FAULTS = ("hang", "429", "malformed", "nan", "out of range", "refusal", "reset", "no answer")
TIMEOUT = 0.25


class RateLimitError(Exception):
    """What a provider raises."""

    status_code = 429


class Steady:
    """A judge that always answers."""

    model = prompt_hash = confidence_source = None

    def __init__(self, name: str) -> None:
        self.name = name

    async def __call__(self, question: Question) -> Answer:
        await anyio.lowlevel.checkpoint()
        return Answer(4.0, rationale="Clear and right. " * 10, usage=Usage(1, 900, 80, 0.002))


class Faulty(Steady):
    """A judge that fails three times in ten, by a plan that is the same on every run."""

    async def __call__(self, question: Question) -> Answer:
        draw = random.Random(f"{self.name} {question.item}")  # noqa: S311 - a plan, no secret
        if draw.random() >= SHARE:
            return await super().__call__(question)
        match draw.choice(FAULTS):
            case "hang":
                await anyio.sleep_forever()
            case "429":
                raise RateLimitError("slow down")
            case "malformed":
                json.loads("{'score': 4}")
            case "nan":
                return Answer(float("nan"))
            case "out of range":
                return Answer(85)
            case "refusal":
                return Answer(None, abstained=True)
            case "reset":
                raise ConnectionResetError("by peer")
        return None  # type: ignore[return-value]


async def bare(judges: list[Steady], question: Question) -> list[Answer]:
    """The plainest panel: all answers or an exception."""
    found: list[Answer] = []

    async def one(judge: Steady) -> None:
        found.append(await judge(question))

    async with anyio.create_task_group() as group:
        for judge in judges:
            group.start_soon(one, judge)
    return found


async def through(n: int, each: Callable[[Question], Awaitable[object]]) -> list[object]:
    """Put `n` questions, SAMPLES at a time."""
    gate = anyio.Semaphore(SAMPLES)
    found: list[object] = []

    async def one(k: int) -> None:
        question = Question(f"q{k}", "a task", ("a response",), "a rubric", KIND)
        async with gate:
            found.append(await each(question))

    async with anyio.create_task_group() as group:
        for k in range(n):
            group.start_soon(one, k)
    return found


def timed(
    backend: str, n: int, each: Callable[[Question], Awaitable[object]]
) -> tuple[float, list[object]]:
    """Give CPU seconds a vote, and what came out."""
    gc.collect()
    start = time.process_time()
    found = anyio.run(through, n, each, backend=backend)
    return (time.process_time() - start) / (n * JUDGES), found


def memory() -> float:
    """Give the peak resident memory in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Print what was measured."""
    steady = [Steady(f"j{k}") for k in range(JUDGES)]
    faulty = [Faulty(f"j{k}") for k in range(JUDGES)]
    calm = Jury(steady, kind=KIND, timeout=60.0)
    rough = Jury(faulty, kind=KIND, timeout=TIMEOUT, min_successful=2)

    async def told(question: Question) -> str:
        return (await calm.judge(question)).explanation

    for backend in ("asyncio", "trio"):
        floor, _ = timed(backend, ITEMS, lambda question: bare(steady, question))
        jury, _ = timed(backend, ITEMS, calm.judge)
        words, _ = timed(backend, ITEMS, told)
        broken, rulings = timed(backend, ITEMS, rough.judge)
        print(
            f"{backend}: ms CPU a vote: bare calls {1e3 * floor:.3f}, jury {1e3 * jury:.3f} "
            f"({jury / floor:.1f}x), with explanation {1e3 * words:.3f}, "
            f"30% faults {1e3 * broken:.3f}"
        )
        outcomes = Counter(r.outcome for r in rulings if isinstance(r, Ruling))
        failures = Counter(
            vote.failure.kind
            for r in rulings
            if isinstance(r, Ruling)
            for vote in r.votes
            if vote.failure is not None
        )
        assert sum(outcomes.values()) == ITEMS, "no item is lost"
        print(f"  {ITEMS} items x {JUDGES} judges: {dict(outcomes)}; failed votes {dict(failures)}")

    async def flat() -> None:
        seen = []
        gate = anyio.CapacityLimiter(SAMPLES)

        async def one(k: int) -> None:
            question = Question(f"q{k}", "a task", ("a response",), "a rubric", KIND)
            async with gate:
                await calm.judge(question)

        for block in range(0, MANY, ITEMS):
            async with anyio.create_task_group() as group:
                for k in range(block, block + ITEMS):
                    group.start_soon(one, k)
            seen.append(memory())
        print(f"peak MB after each {ITEMS} of {MANY} items: {[round(x, 1) for x in seen]}")

    anyio.run(flat)


if __name__ == "__main__":
    main()
