"""A jury: several judges asked about one response at once, and one truthful ruling.

Free of any framework: judges are whatever answers a `panopt.judging.protocol.Question`. Runs on
asyncio and trio. A judge that fails, stalls or answers garbage costs its own vote and nothing
else; being cancelled from outside ends everything at once, without a ruling.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import replace
from functools import lru_cache, partial

import anyio
from anyio.lowlevel import checkpoint_if_cancelled

from panopt.errors import AskError
from panopt.judging.assignment import ASSIGNMENTS, seats
from panopt.judging.ballot import failed_vote
from panopt.judging.budget import Budget, Hold
from panopt.judging.call import CUT, ask, end_of_task
from panopt.judging.members import members_of
from panopt.judging.pairs import orders_of
from panopt.judging.panel_check import check_panel
from panopt.judging.passes import TIE_BREAKS, reduce_passes, reduction_of
from panopt.judging.protocol import Judge, Order, Question, Usage, Vote
from panopt.judging.rules import Rule, checked_weights, rule_for, rule_on
from panopt.judging.ruling import Ruling
from panopt.judging.verdict import Boolean, Labelled, Numeric, Pairwise, VerdictKind

__all__ = ["Budget", "Jury", "Ruling", "check_options"]

_log = logging.getLogger(__name__)
_BUDGET = "the budget is spent"

#: A judge, and for whom it stands in.
_Seat = tuple[Judge, str | None]


class Jury:
    """A panel of judges and how its votes count. Holds nothing that a response changes.

    Parameters
    ----------
    judges
        The panel: distinct names. Judges of one model with one known prompt are one judge: the
        first stays, and `warnings` say so.
    kind
        What verdict is wanted: Boolean, Labelled, Numeric or Pairwise.
    rule
        How votes count: "mean", "median", "min", "max", "trimmed_mean", "majority", "unanimous",
        "plurality", "absolute_majority", as the kind allows, or a function of all votes that
        gives a score, a label, or None for no consensus. See
        :func:`panopt.judging.rules.rule_for`.
    min_successful
        Decisive votes below which there is no verdict.
    repeats
        Draws of every judge on every response, reduced to one vote first; `Question.draw` tells
        them apart, for caches.
    reduce
        "mean" or "median" of scores; everything else by "plurality".
    weights
        Of judges and replacements by name, above 0; 1 where a judge has none.
    assignment
        "all", or "cyclic": response i goes to judge i mod J alone.
    replacements
        Judges that stand in, in this order, for those that failed (never for those that
        abstained, nor for want of budget), until every seat has answered or none is left. Those
        that are on the panel already are left out.
    tie_break
        What a tie of repeats, or of "plurality", counts as: "low", "high" or "first"; None:
        nothing. See :func:`panopt.judging.rules.rule_on`.
    strict_panel
        Refuse a judge of the family of the system under test, or a panel of one family; else
        warn.
    families
        Makers by name of judge, model or system, before what the names say; see
        :func:`panopt.judging.panel_check.check_panel`.
    system
        Model under test, where it is known; that of a question is checked before its first call.
    timeout
        Seconds that one call may take.
    max_concurrency
        Most calls at once for one response; None: all. Frameworks limit connections by
        themselves.
    budget
        What the run may spend, shared with other juries; the one thing that changes between
        responses.

    Raises
    ------
    AskError
        Naming the argument that is wrong.

    Examples
    --------
    >>> from panopt.judging import Answer, Question
    >>> class Always:
    ...     model = prompt_hash = confidence_source = None
    ...     def __init__(self, name, verdict):
    ...         self.name, self.verdict = name, verdict
    ...     async def __call__(self, question):
    ...         return Answer(self.verdict)
    >>> jury = Jury([Always("a", True), Always("b", True), Always("c", False)], kind=Boolean())
    >>> question = Question("q1", "2 + 2?", ("4",), "Is it right?", Boolean())
    >>> ruling = anyio.run(jury.judge, question)
    >>> ruling.outcome, ruling.passed, round(ruling.agreement, 2)
    ('decided', True, 0.67)
    """

    def __init__(  # noqa: PLR0913 - every option of a panel
        self,
        judges: Sequence[Judge],
        *,
        kind: VerdictKind,
        rule: Rule | None = None,
        min_successful: int = 1,
        repeats: int = 1,
        reduce: str | None = None,
        weights: Mapping[str, float] | None = None,
        assignment: str = "all",
        replacements: Sequence[Judge] = (),
        tie_break: str | None = None,
        strict_panel: bool = False,
        families: Mapping[str, str] | None = None,
        system: str | None = None,
        timeout: float | None = None,
        max_concurrency: int | None = None,
        budget: Budget | None = None,
    ) -> None:
        check_options(
            kind,
            rule=rule,
            min_successful=min_successful,
            repeats=repeats,
            reduce=reduce,
            weights=weights,
            assignment=assignment,
            tie_break=tie_break,
            timeout=timeout,
            max_concurrency=max_concurrency,
        )
        self.judges, self.replacements, dropped = members_of(
            judges, replacements, families=families
        )
        self.kind: VerdictKind = kind
        self.rule: Rule = rule_for(kind, rule)
        self.weights = checked_weights(self.rule, weights)
        known = {judge.name for judge in (*judges, *replacements)}
        stranger = next((name for name in self.weights or () if name not in known), None)
        if stranger is not None:
            raise AskError(f"weights name {stranger!r}, which is no judge or replacement")
        self.repeats, self.reduce = repeats, reduction_of(kind, reduce)
        self.tie_break = tie_break
        self.assignment = assignment
        if min_successful > len(self.judges):
            raise AskError(
                f"min_successful = {min_successful} must lie in 1..{len(self.judges)}, "
                "the panel's size"
            )
        self.min_successful = min_successful
        self.timeout = timeout
        self.max_concurrency = max_concurrency
        if budget is not None and not isinstance(budget, Budget):
            raise AskError(f"budget = {budget!r} must be a Budget, or None")
        self.budget = budget
        self.strict_panel = strict_panel
        self._models = {judge.name: judge.model for judge in (*self.judges, *self.replacements)}
        self._families = dict(families or {})
        self._check = lru_cache(maxsize=64)(self._check_system)
        self.warnings: tuple[str, ...] = (*dropped, *self._check(system))
        for warning in self.warnings:
            _log.warning("%s", warning)

    @property
    def calls_per_response(self) -> int:
        """Calls that one response takes, where none fails and is replaced."""
        members = 1 if self.assignment == "cyclic" else len(self.judges)
        return members * len(self._passes())

    def check(self, system: str | None) -> tuple[str, ...]:
        """Warn of judges of the family of a system under test; refuse them where strict.

        Raises
        ------
        AskError
            Where `strict_panel`.
        """
        return self._check(system)

    async def judge(
        self, question: Question, *, position: int = 0, response_error: str | None = None
    ) -> Ruling:
        """Ask the panel about one response.

        Parameters
        ----------
        question
            What to ask; `draw` and `order` are set here.
        position
            Place of the response in the data, from 0, for cyclic assignment.
        response_error
            Why there is no response: the panel is then not asked.

        Returns
        -------
        Ruling
            Always, whatever the judges do.

        Raises
        ------
        AskError
            For a question of another kind, or a system that a strict panel must not judge.
        """
        if question.kind != self.kind:
            raise AskError(f"question is of kind {question.kind}, the jury of {self.kind}")
        wanted = 2 if isinstance(self.kind, Pairwise) else 1
        if response_error is not None:
            return self._rule((), question, response_error)
        if len(question.responses) != wanted:
            raise AskError(f"question has {len(question.responses)} responses, not {wanted}")
        if self.strict_panel:
            self._check(question.system)
        members = [self.judges[seat] for seat in seats(len(self.judges), position, self.assignment)]
        panel: list[_Seat] = [(judge, None) for judge in members]
        votes = await self._round(panel, question, first=True)
        pool = list(self.replacements)
        vacant = [vote.judge for vote in votes if _replaceable(vote)]
        while vacant and pool:
            sent: list[_Seat] = [(pool.pop(0), seat) for seat in vacant[: len(pool)]]
            stood = await self._round(sent, question)
            votes += stood
            again = [vote.stands_for or "" for vote in stood if _replaceable(vote)]
            vacant = again + vacant[len(sent) :]
        return self._rule(tuple(votes), question, None)

    def _rule(self, votes: tuple[Vote, ...], question: Question, error: str | None) -> Ruling:
        return rule_on(
            votes,
            kind=self.kind,
            rule=self.rule,
            min_successful=self.min_successful,
            weights=self.weights,
            tie_break=self.tie_break,
            criterion=question.criterion,
            response_error=error,
        )

    def _check_system(self, system: str | None) -> tuple[str, ...]:
        return check_panel(
            [judge.name for judge in self.judges],
            models=self._models,
            system=system,
            replacements=[judge.name for judge in self.replacements],
            strict=self.strict_panel,
            families=self._families,
        )

    async def _round(
        self,
        asked: Sequence[_Seat],
        question: Question,
        *,
        first: bool = False,
    ) -> list[Vote]:
        """Ask some judges at once, all their draws; give a vote of each, in their order."""
        shown = self._passes()
        held = self._reserve(asked, len(shown), first=first)
        found: list[list[Vote | None]] = [[None] * len(shown) for _ in asked]
        gate: AbstractAsyncContextManager[object] = nullcontext()
        if self.max_concurrency is not None:
            gate = anyio.Semaphore(self.max_concurrency)

        ending = end_of_task()

        async def one(row: int, column: int, hold: Hold | None) -> None:
            judge, stands_for = asked[row]
            draw, order = shown[column]
            posed = replace(question, draw=draw, order=order)
            async with gate:
                found[row][column] = await ask(
                    judge,
                    posed,
                    stands_for=stands_for,
                    timeout=self.timeout,
                    settle=self._settle(hold),
                    ending=ending,
                )

        try:
            async with anyio.create_task_group() as group:
                for row, holds in enumerate(held):
                    for column, hold in enumerate(holds or ()):
                        group.start_soon(one, row, column, hold)
        finally:
            for hold in (hold for holds in held for hold in holds or ()):
                if self.budget is not None and hold is not None:
                    self.budget.release(hold)  # of calls that never began
        await checkpoint_if_cancelled()  # a judge may swallow the end of all: no vote of its own
        return [
            self._reduced(*seat, passes, shown, refused=holds is None)
            for seat, passes, holds in zip(asked, found, held, strict=True)
        ]

    def _settle(self, hold: Hold | None) -> Callable[[Usage | None], None] | None:
        return None if self.budget is None or hold is None else partial(self.budget.settle, hold)

    def _passes(self) -> tuple[tuple[int, Order | None], ...]:
        """Give draw and order of every call to one judge."""
        if isinstance(self.kind, Pairwise):
            kind = self.kind
            return tuple((k, order) for k in range(self.repeats) for order in orders_of(kind, k))
        return tuple((k, None) for k in range(self.repeats))

    def _reserve(
        self, asked: Sequence[_Seat], n: int, *, first: bool
    ) -> list[tuple[Hold | None, ...] | None]:
        """Set the calls of each judge aside; None for those the budget is too small for.

        Where too few are left to decide, none is asked: their calls would buy nothing.
        """
        budget = self.budget
        if budget is None:
            return [(None,) * n for _ in asked]
        held: list[tuple[Hold, ...] | None] = [budget.reserve(judge.name, n) for judge, _ in asked]
        if first and sum(holds is not None for holds in held) < self.min_successful:
            for hold in (hold for holds in held for hold in holds or ()):
                budget.release(hold)
            return [None for _ in asked]
        return [*held]

    def _reduced(
        self,
        judge: Judge,
        stands_for: str | None,
        passes: Sequence[Vote | None],
        shown: Sequence[tuple[int, Order | None]],
        *,
        refused: bool,
    ) -> Vote:
        """Make one vote of the calls to one judge; each that left nothing has failed."""
        name = judge.name
        if refused:
            nothing = Usage()
            return failed_vote(name, "budget", _BUDGET, stands_for=stands_for, usage=nothing)
        cast = [
            failed_vote(name, "unknown", CUT, draw=draw, order=order, stands_for=stands_for)
            if vote is None
            else vote
            for vote, (draw, order) in zip(passes, shown, strict=True)
        ]
        return reduce_passes(cast, kind=self.kind, reduce=self.reduce, tie_break=self.tie_break)


def check_options(  # noqa: PLR0913 - the options of a panel that name no judge
    kind: VerdictKind,
    *,
    rule: Rule | None = None,
    min_successful: int = 1,
    repeats: int = 1,
    reduce: str | None = None,
    weights: Mapping[str, float] | None = None,
    assignment: str = "all",
    tie_break: str | None = None,
    timeout: float | None = None,
    max_concurrency: int | None = None,
) -> None:
    """Check what can be checked of a jury's options before its judges are known.

    Raises
    ------
    AskError
        Naming the argument that is wrong.

    Examples
    --------
    >>> check_options(Boolean(), repeats=0)
    Traceback (most recent call last):
    panopt.errors.AskError: repeats = 0 must be a whole number, 1 or more
    """
    if not isinstance(kind, (Boolean, Labelled, Numeric, Pairwise)):
        raise AskError(f"kind = {kind!r} must be a Boolean, Labelled, Numeric or Pairwise")
    checked_weights(rule_for(kind, rule), weights)
    _whole("repeats", repeats, 1)
    reduction_of(kind, reduce)
    if tie_break not in TIE_BREAKS:
        raise AskError(f"tie_break = {tie_break!r} must be None, 'low', 'high' or 'first'")
    if tie_break is not None and isinstance(kind, Numeric):
        raise AskError(f"tie_break = {tie_break!r} has no meaning for Numeric verdicts")
    if assignment not in ASSIGNMENTS:
        raise AskError(f"assignment = {assignment!r} must be one of {', '.join(ASSIGNMENTS)}")
    _whole("min_successful", min_successful, 1)
    if assignment == "cyclic" and min_successful > 1:
        raise AskError(f"min_successful = {min_successful} must lie in 1..1, one judge a response")
    _seconds("timeout", timeout)
    if max_concurrency is not None:
        _whole("max_concurrency", max_concurrency, 1)


def _replaceable(vote: Vote) -> bool:
    """Tell a mechanical failure, for which another judge may stand in."""
    return vote.status == "failed" and vote.failure is not None and vote.failure.kind != "budget"


def _whole(argument: str, given: object, least: int) -> None:
    if isinstance(given, bool) or not isinstance(given, int) or given < least:
        raise AskError(f"{argument} = {given!r} must be a whole number, {least} or more")


def _seconds(argument: str, given: float | None) -> None:
    if given is None:
        return
    stated: object = given
    number = isinstance(stated, (int, float)) and not isinstance(stated, bool)
    if not (number and math.isfinite(given) and given > 0):
        raise AskError(f"{argument} = {given!r} must be seconds above 0, or None")
