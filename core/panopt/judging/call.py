"""Call one judge once: whatever it does is a vote, except that everything ends.

The one module here that needs anyio; :mod:`panopt.jury` imports it.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import anyio

from panopt.judging.ballot import failed_vote, read_vote
from panopt.judging.failures import failure_of
from panopt.judging.protocol import Failure, Judge, JudgeError, Question, Usage, Vote

if TYPE_CHECKING:
    import asyncio as asyncio_types

__all__ = ["CUT", "ask", "end_of_task"]

FREE = Usage(calls=0, input_tokens=0, output_tokens=0, cost=0.0)
CUT = "the call was cancelled, and nobody outside asked for that"


async def ask(  # noqa: PLR0913 - whom, what, how long, and who is told
    judge: Judge,
    question: Question,
    *,
    stands_for: str | None = None,
    timeout: float | None = None,  # noqa: ASYNC109 - its passing is a vote, not an exception
    settle: Callable[[Usage | None], None] | None = None,
    ending: Callable[[], bool] | None = None,
) -> Vote:
    """Put a question to a judge, and check its answer.

    Parameters
    ----------
    judge, question
        Who is asked what.
    stands_for
        Judge that it replaces.
    timeout
        Seconds it may take; None: any.
    settle
        Is told what the call took, in any case: None where it was broken off, nothing where the
        answer came from a cache.
    ending
        Tells whether a cancellation comes from outside, as :func:`end_of_task` of the task that
        waits for this one; by default of this one.

    Returns
    -------
    Vote
        Of this one draw; ``failed`` for any exception, and for a call that the judge cancelled by
        itself. Being cancelled from outside, and an interrupt, are raised.
    """
    begun = time.monotonic()
    ending = ending or end_of_task()
    usage: Usage | None = None
    scope = anyio.CancelScope()
    if timeout is not None:
        scope.deadline = anyio.current_time() + timeout
    late = Failure("timeout", f"no answer within {timeout:g} s" if timeout else "no answer")
    vote: Vote | None = None
    spent = Usage(calls=1)
    failure = late
    try:
        try:
            with scope:
                vote = read_vote(
                    await _answer(judge, question, ending),
                    judge=judge.name,
                    kind=question.kind,
                    draw=question.draw,
                    order=question.order,
                    stands_for=stands_for,
                )
        except Exception as error:  # noqa: BLE001 - a judge may raise anything
            told = _told(error)
            broken_off = scope.cancel_called and told is None
            failure = late if broken_off else failure_of(error)
            spent = spent if told is None else told
        if vote is None:
            vote = failed_vote(
                judge.name,
                failure.kind,
                failure.message,
                draw=question.draw,
                order=question.order,
                stands_for=stands_for,
                usage=spent,
            )
        if vote.usage.seconds is None:
            took = time.monotonic() - begun
            vote = replace(vote, usage=replace(vote.usage, seconds=took))
        usage = (
            None
            if failure is late and vote.status == "failed" and spent.cost is None
            else vote.usage
        )
        if vote.free and usage is not None:
            usage = FREE
        return vote
    finally:
        if settle is not None:
            settle(usage)


async def _answer(judge: Judge, question: Question, ending: Callable[[], bool]) -> object:
    """Call a judge; tell the end of everything from a call that a judge cancelled by itself.

    Raises
    ------
    JudgeError
        For a cancellation that nobody outside asked for.
    """
    ended = anyio.get_cancelled_exc_class()
    try:
        return await judge(question)
    except ended as error:
        if ending():
            raise
        raise JudgeError(CUT, "unknown") from error
    except BaseExceptionGroup as group:
        if isinstance(group, Exception) or ending() or group.split((Exception, ended))[1]:
            raise
        raise JudgeError(f"{CUT}: {group}", "unknown") from group


def end_of_task() -> Callable[[], bool]:
    """Watch the running task: give a function that tells whether it, or who asks, is to end.

    A scope around who asks may end it, or asyncio itself the watched task. That asyncio cancelled
    the task of a single call is the doing of the judge in it: nobody else knows that task.
    """
    asyncio = sys.modules.get("asyncio")
    watched: asyncio_types.Task[object] | None = None
    if asyncio is not None and anyio.get_cancelled_exc_class() is asyncio.CancelledError:
        watched = asyncio.current_task()

    def ending() -> bool:
        if anyio.current_effective_deadline() == -math.inf:
            return True
        return watched is not None and watched.cancelling() > 0

    return ending


def _told(error: BaseException) -> Usage | None:
    """Give what a failed call took, where its error tells."""
    parts = error.exceptions if isinstance(error, BaseExceptionGroup) else (error,)
    return next((part.usage for part in parts if isinstance(part, JudgeError)), None)
