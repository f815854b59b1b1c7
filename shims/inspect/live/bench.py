"""A panel of Inspect's models, seated once a run, and the questions that samples put to it."""

from __future__ import annotations

import logging
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from inspect_ai.model import Model
from inspect_ai.scorer import Score, Target
from inspect_ai.solver import TaskState

from panopt.errors import AskError
from panopt.judging.protocol import Judge, Question
from panopt.judging.verdict import VerdictKind
from panopt.jury import Jury
from panopt.shims.inspect.live.model_judge import InspectJudge
from panopt.shims.inspect.live.options import bound_to
from panopt.shims.inspect.live.panel_score import Panel

__all__ = ["Bench", "Seated", "names_of", "position_of", "question_of", "response_error"]

_log = logging.getLogger(__name__)

#: Makes a judge of a model and the name it has on the panel.
Maker = Callable[[str | Model, str], InspectJudge]


@dataclass(frozen=True, slots=True)
class Seated:
    """A jury, and how its rulings become scores."""

    jury: Jury
    panel: Panel

    async def score(
        self, question: Question, state: TaskState, missing: str | None = None
    ) -> Score:
        """Ask the panel about a sample; whatever breaks on the way, there is a truthful score.

        `missing` tells what else the panel would need and the sample has not.

        Raises
        ------
        AskError
            Where the options themselves do not fit the run: a strict panel of the system's own
            family, or a template that asks for what the sample has not.
        """
        try:
            ruling = await self.jury.judge(
                question,
                position=position_of(state.sample_id),
                response_error=response_error(state) or missing,
            )
            return self.panel.score(ruling)
        except AskError:
            raise
        except Exception as error:  # noqa: BLE001 - raising would lose the sample
            _log.exception("sample %s: the jury broke", state.sample_id)
            return self.panel.failed(f"{type(error).__name__}: {error}")


class Bench:
    """Seats the panel: at once where the models are given, else when the run has bound the role.

    Parameters
    ----------
    models, replacements
        Models; None: those that `role` is bound to.
    role
        Name of the role.
    seat
        Makes the jury of the judges and the replacements.
    make
        Makes a judge.
    kind, criterion
        Of the scores.
    """

    def __init__(  # noqa: PLR0913 - who sits, and how
        self,
        models: Sequence[str | Model] | None,
        replacements: Sequence[str | Model],
        *,
        role: str,
        seat: Callable[[Sequence[Judge], Sequence[Judge]], Jury],
        make: Maker,
        kind: VerdictKind,
        criterion: str | None,
    ) -> None:
        self._role = role
        self._seat = seat
        self._make = make
        self._kind = kind
        self._criterion = criterion
        self._replacements = tuple(replacements)
        self._systems: set[str | None] = set()
        self._bound: dict[tuple[int, ...], tuple[Seated, Sequence[Model]]] = {}
        self._seated = self._sit(models) if models is not None else None

    def seated(self, system: str | None) -> Seated:
        """Give the jury of this run; the first call warns of judges of the system's family.

        Raises
        ------
        AskError
            When the role is bound to no model, or its panel does not fit the options.
        """
        if self._seated is not None:
            found = self._seated
        else:
            models = bound_to(self._role)
            key = tuple(map(id, models))
            if key not in self._bound:
                self._bound[key] = (self._sit(models), models)  # kept, so that ids stay theirs
            found = self._bound[key][0]
        told = found.jury.check(system)
        if system not in self._systems:
            self._systems.add(system)
            for warning in set(told) - set(found.jury.warnings):
                _log.warning("%s", warning)
        return found

    def _sit(self, models: Sequence[str | Model]) -> Seated:
        names = names_of([*models, *self._replacements])
        given = dict(zip(names, [*models, *self._replacements], strict=True))
        judges = [self._make(given[name], name) for name in names]
        members, spare = judges[: len(models)], judges[len(models) :]
        jury = self._seat(members, spare)
        panel = Panel.of(jury.judges, jury.replacements, self._kind, self._criterion)
        return Seated(jury, panel)


def names_of(models: Sequence[str | Model]) -> list[str]:
    """Name the judges by their models; names given twice are refused, models bound twice counted.

    Examples
    --------
    >>> names_of(["openai/gpt-4o", "google/gemini-2.5-pro"])
    ['openai/gpt-4o', 'google/gemini-2.5-pro']
    """
    names: list[str] = []
    for model in models:
        name = str(model)
        if name in names and isinstance(model, str):
            raise AskError(f"models name {name!r} twice; ask one judge several times by repeats=")
        count = 1
        while name in names:  # one model, bound twice with different settings
            count += 1
            name = f"{model}#{count}"
        names.append(name)
    return names


def question_of(  # noqa: PLR0913 - what a sample does not say
    state: TaskState,
    target: Target,
    *,
    kind: VerdictKind,
    rubric: str,
    criterion: str | None,
    reference: bool,
    history: bool,
) -> Question:
    """Make the question that a sample puts to the panel."""
    return Question(
        item=str(state.sample_id),
        task=_history(state) if history else state.input_text,
        responses=(state.output.completion,),
        rubric=rubric,
        kind=kind,
        criterion=criterion or "score",
        system=str(state.model),
        epoch=state.epoch,
        reference=target.text if reference else None,
        details=state.metadata or {},
    )


def position_of(sample_id: int | str) -> int:
    """Give a place in the data for cyclic assignment: the same at any concurrency and each run.

    Examples
    --------
    >>> position_of(1), position_of("3"), position_of("q1") == position_of("q1")
    (0, 2, True)
    """
    text = str(sample_id)
    if text.isdecimal() and int(text) > 0:
        return int(text) - 1
    return zlib.crc32(text.encode("utf-8", "replace"))


def response_error(state: TaskState) -> str | None:
    """Tell why there is no response; None where there is one, be it empty."""
    if state.output.error:
        return state.output.error
    return "the model gave no output" if state.output.empty else None


def _history(state: TaskState) -> str:
    """Write the conversation before the last answer."""
    messages = list(state.messages)
    if messages and messages[-1].role == "assistant":
        messages.pop()
    return "\n\n".join(f"{message.role}: {message.text}" for message in messages)
