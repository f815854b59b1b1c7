"""Open a judge by the name of its model, through whichever framework is installed to call it.

A framework offers its judges by an entry point of the group ``panopt.judges``: a callable that
takes a model's name, a :class:`panopt.judging.prompts.PromptMaker` and ``name``, and gives a
:class:`panopt.judging.protocol.Judge`. panopt has no client of its own.
"""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points

from panopt.errors import AskError
from panopt.judging.prompts import PromptMaker
from panopt.judging.protocol import Judge

__all__ = ["GROUP", "open_judge"]

#: Entry points of those who call models.
GROUP = "panopt.judges"
INSPECT = "inspect"


def open_judge(
    model: str, prompts: PromptMaker, *, name: str | None = None, through: str = INSPECT
) -> Judge:
    """Open a judge.

    Parameters
    ----------
    model
        Name of the model, as the framework knows it: ``openai/gpt-4o-mini``.
    prompts
        What it is told.
    name
        Name in results; the model's where not given.
    through
        Entry point to call it by.

    Raises
    ------
    AskError
        Where no such framework is installed.
    """
    if not model.strip():
        raise AskError(f"model = {model!r} must not be blank")
    known = {point.name: point for point in entry_points(group=GROUP)}
    if through not in known:
        listed = ", ".join(sorted(known)) or "none"
        raise AskError(f"models cannot be called through {through!r}; installed: {listed}")
    opener = _load(known[through])
    judge: Judge = opener(model, prompts, name=name)  # type: ignore[operator]  # by contract
    return judge


def _load(point: EntryPoint) -> object:
    try:
        return point.load()
    except ModuleNotFoundError as error:
        if error.name is not None and error.name.startswith("panopt"):
            raise
        mend = "; pip install 'panopt[inspect]'" if point.name == INSPECT else ""
        raise AskError(
            f"judges are called through {point.name}, and {error.name} is not installed{mend}"
        ) from error
