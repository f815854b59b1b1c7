"""A jury whose judges are asked one after the other, each chosen by a router, until it is settled.

Framework-free, as the jury is. One router serves the run: it learns from every response, whichever
task judges it. Its calls never wait for anything, so tasks of one thread share it without a lock.
"""

from __future__ import annotations

import json
import logging
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from panopt.errors import AskError, OutputError, SourceError
from panopt.judging.protocol import Judge, Question, Vote
from panopt.judging.rules import rule_on
from panopt.judging.ruling import Ruling
from panopt.judging.verdict import VerdictKind
from panopt.jury import Budget, Jury
from panopt.router import Belief, Router, RouterOptions, Step

__all__ = ["Routed", "RoutedJury", "read_router", "write_router"]

_log = logging.getLogger(__name__)

#: Details of a question that name the family of its task, in this order.
FAMILY = ("task_family", "family")


@dataclass(frozen=True, slots=True)
class Routed:
    """What became of one response: the ruling, what the router believes, and why it stopped."""

    ruling: Ruling
    belief: Belief | None
    stop: Step | None

    def as_dict(self) -> dict[str, Any]:
        """Give what the ruling does not say, as JSON holds it."""
        if self.belief is None or self.stop is None:
            return {}
        found = {
            "stop": self.stop.why,
            "reason": self.stop.reason,
            "error": self.belief.error,
            "low": self.belief.low,
            "high": self.belief.high,
        }
        return {name: value for name, value in found.items() if value is not None}


class RoutedJury(Jury):
    """A panel of which each response is given to as many judges as it takes.

    Parameters
    ----------
    judges, kind, repeats, reduce, strict_panel, families, timeout, budget
        As of :class:`panopt.jury.Jury`. A judge that failed is not replaced: the router asks
        another.
    router
        Chooses judges; one for these judges and this kind.
    snapshot
        File that keeps what the router learned: written whenever no response is open. Where it
        cannot be written a warning says so once, and judging goes on.

    Raises
    ------
    AskError
        Naming the argument that is wrong.
    """

    def __init__(  # noqa: PLR0913 - the options of a panel that go with a router
        self,
        judges: Sequence[Judge],
        *,
        kind: VerdictKind,
        router: Router,
        repeats: int = 1,
        reduce: str | None = None,
        strict_panel: bool = False,
        families: Mapping[str, str] | None = None,
        timeout: float | None = None,
        budget: Budget | None = None,
        snapshot: Path | None = None,
    ) -> None:
        super().__init__(
            judges,
            kind=kind,
            repeats=repeats,
            reduce=reduce,
            strict_panel=strict_panel,
            families=families,
            timeout=timeout,
            budget=budget,
        )
        seats = tuple(judge.name for judge in self.judges)
        if seats != router.judges:
            raise AskError(f"router is for {list(router.judges)}, the jury is {list(seats)}")
        if router.kind != kind:
            raise AskError(f"router is for {router.kind}, the jury for {kind}")
        self.router = router
        self._seats = dict(zip(seats, self.judges, strict=True))
        self._snapshot = snapshot
        self._number = count()
        self._open = 0
        self._unkept = False

    async def judge(
        self, question: Question, *, position: int = 0, response_error: str | None = None
    ) -> Ruling:
        """Ask as many judges as it takes; see :meth:`route`."""
        found = await self.route(question, position=position, response_error=response_error)
        return found.ruling

    async def route(
        self, question: Question, *, position: int = 0, response_error: str | None = None
    ) -> Routed:
        """Ask judges about one response until the router stops.

        Parameters
        ----------
        question, response_error
            As in :meth:`panopt.jury.Jury.judge`.
        position
            Not looked at: the router chooses.

        Returns
        -------
        Routed
            Always, whatever the judges do. Cancelled from outside, there is none, and what was
            voted until then is learned from.
        """
        if response_error is not None:
            ruling = await super().judge(question, position=position, response_error=response_error)
            return Routed(ruling, None, None)
        self._refuse(question)
        name = str(next(self._number))
        family = next(
            (str(question.details[key]) for key in FAMILY if question.details.get(key)), ""
        )
        votes: list[Vote] = []
        step = self.router.next(name, family=family)
        self._open += 1
        belief: Belief | None = None
        try:
            while step.judge is not None:
                votes += await self._round([(self._seats[step.judge], None)], question)
                self.router.observe(
                    name, step.judge, _verdict(votes[-1]), confidence=votes[-1].confidence
                )
                step = self.router.next(name)
        finally:
            belief = self.router.close(name)
            self._open -= 1
            self._save()
        return Routed(self._routed(tuple(votes), question, belief), belief, step)

    def _refuse(self, question: Question) -> None:
        if question.kind != self.kind:
            raise AskError(f"question is of kind {question.kind}, the jury of {self.kind}")
        if self.strict_panel:
            self.check(question.system)

    def _routed(self, votes: tuple[Vote, ...], question: Question, belief: Belief) -> Ruling:
        """Rule as the router believes: by the mean of scores, else by the likeliest verdict."""

        def routed(_: tuple[Vote, ...]) -> float | str | None:
            return belief.decision if belief.mean is None else belief.mean

        return rule_on(votes, kind=self.kind, rule=routed, criterion=question.criterion)

    def _save(self) -> None:
        if self._snapshot is None or self._open:
            return
        try:
            write_router(self.router, self._snapshot)
        except OutputError as error:  # the votes are cast and paid for: they count all the same
            if not self._unkept:
                _log.warning("%s", error)
            self._unkept = True


def read_router(
    path: Path,
    *,
    judges: Sequence[str],
    kind: VerdictKind,
    options: RouterOptions,
    costs: Mapping[str, float],
) -> Router:
    """Start a router from the snapshot in a file.

    Raises
    ------
    SourceError
        For a file that is no JSON.
    AskError
        For a snapshot of other judges, another kind or version, or a damaged one.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SourceError(f"no router's snapshot: {error}", source=str(path)) from error
    if not isinstance(found, dict):
        raise SourceError("no router's snapshot: not a JSON object", source=str(path))
    return Router.from_snapshot(found, judges=judges, kind=kind, options=options, costs=costs)


def write_router(router: Router, path: Path) -> None:
    """Write a router's snapshot, all of it or nothing.

    Raises
    ------
    OutputError
        Where the file cannot be written.
    """
    text = json.dumps(router.snapshot(), allow_nan=False)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", dir=path.parent, prefix=path.name, delete=False
        ) as file:
            file.write(text)
        os.replace(file.name, path)  # noqa: PTH105 - the same, without a Path of it
    except OSError as error:
        raise OutputError(
            f"the router's snapshot was not kept: {error}", target=str(path)
        ) from error


def _verdict(vote: Vote) -> float | str | None:
    if vote.status != "ok":
        return None
    return vote.label if vote.label is not None else vote.value
