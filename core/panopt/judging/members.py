"""Check the judges of a panel, and keep one of those that are the same judge twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from panopt.errors import AskError
from panopt.judging.panel_check import weights_codes
from panopt.judging.protocol import Judge

__all__ = ["Members", "members_of"]

#: The panel, its replacements, and in words who was left out.
Members = tuple[tuple[Judge, ...], tuple[Judge, ...], tuple[str, ...]]


def members_of(
    judges: object, replacements: object, *, families: Mapping[str, str] | None = None
) -> Members:
    """Give the distinct judges of a panel and of its replacements.

    Judges whose model and whose prompt are known to be the same are one judge behind two
    providers: the first stays. A replacement that is on the panel is left out.

    Raises
    ------
    AskError
        For an empty panel, a judge without a name, or two of one name.
    """
    given, spare = _checked("judges", judges), _checked("replacements", replacements)
    if not given:
        raise AskError("judges must name one judge or more")
    names = [judge.name for judge in given]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise AskError(f"judges name {twice!r} twice; names must be distinct")
    everyone = (*given, *spare)
    codes = weights_codes([(judge.name, judge.model) for judge in everyone], families)
    known: dict[tuple[int, str], str] = {}
    seen: set[str] = set()
    left: dict[int, str] = {}
    for place, (judge, code) in enumerate(zip(everyone, codes, strict=True)):
        prompt = judge.prompt_hash
        first = judge.name if prompt is None else known.setdefault((code, prompt), judge.name)
        if judge.name in seen:
            left[place] = f"replacement {judge.name!r} is named already, and left out"
        elif first != judge.name:
            left[place] = (
                f"{judge.name!r} is the model of {first!r} with the same prompt: they count once, "
                f"and {judge.name!r} is left out"
            )
        seen.add(judge.name)
    kept = [None if place in left else judge for place, judge in enumerate(everyone)]
    panel = tuple(judge for judge in kept[: len(given)] if judge is not None)
    stand_ins = tuple(judge for judge in kept[len(given) :] if judge is not None)
    return panel, stand_ins, tuple(left.values())


def _checked(argument: str, given: object) -> tuple[Judge, ...]:
    """Check that judges are judges, with names to tell them by."""
    if isinstance(given, str) or not isinstance(given, Sequence):
        raise AskError(f"{argument} = {given!r} must be a sequence of judges")
    for judge in given:
        name = getattr(judge, "name", None)
        if not (callable(judge) and isinstance(name, str) and name.strip()):
            raise AskError(f"{argument} hold {judge!r}, which is no judge with a name")
    return tuple(given)
