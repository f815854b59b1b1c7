"""Human labels in promptfoo results: what a person clicked, or what a test declares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

__all__ = ["HUMAN", "Homes", "HumanLabel", "find_homes", "read_label"]

#: Judge of ratings in the web UI, which keep no name; criterion of labels that fit no other.
HUMAN = "human"

#: Words for a verdict, and the score they stand for.
VERDICTS = {
    **dict.fromkeys(("pass", "passed", "yes", "true", "correct", "good"), 1.0),
    **dict.fromkeys(("fail", "failed", "no", "false", "incorrect", "bad"), 0.0),
}


class HumanLabel(NamedTuple):
    """What a person (or a label that stands for one) says of one response."""

    response: int
    judge: str
    score: float | None
    label: str | None
    scale: str | None
    rationale: str | None
    name: str
    """Under which name it stands in the file."""


def read_label(value: Any) -> tuple[float | None, str | None, str | None]:  # noqa: ANN401 - any JSON
    """Read a human label: score, label and scale; words for pass and fail are a binary scale.

    Raises
    ------
    ValueError
        For a list or an object.

    Examples
    --------
    >>> read_label("Pass"), read_label(4), read_label("harmful")
    ((1.0, 'pass', 'binary'), (4.0, None, None), (None, 'harmful', None))
    """
    if isinstance(value, bool):
        return float(value), "pass" if value else "fail", "binary"
    if isinstance(value, int | float):
        return float(value), None, None
    if not isinstance(value, str):
        raise ValueError("a human label is a number or a word")  # noqa: TRY004 - the file's fault
    word = value.strip()
    score = VERDICTS.get(word.lower())
    if score is not None:
        return score, "pass" if score else "fail", "binary"
    try:
        return float(word), None, None
    except ValueError:
        return None, word, None


class Homes(NamedTuple):
    """The criterion each label is of, and what had to be assumed for it."""

    criteria: list[str]
    homeless: int
    """Labels that fit no criterion, because several were judged."""
    assumed: str | None
    """The criterion labels were taken for though their rows were judged on others too."""


def find_homes(
    people: Sequence[HumanLabel], judged: Mapping[int, set[str]], panels: Mapping[str, list[str]]
) -> Homes:
    """Find the criterion each label is of: promptfoo's labels are of a row, not of a criterion.

    That is the one its row was judged on; where there are several, the only one with several
    judges; else a criterion of its own, ``human``.

    Parameters
    ----------
    people
        The labels.
    judged
        Criteria that machines judged each labelled response on.
    panels
        All criteria and their judges.
    """
    wide = [name for name, judges in panels.items() if len(judges) > 1]
    whole = next(iter(panels)) if len(panels) == 1 else wide[0] if len(wide) == 1 else None
    criteria: list[str] = []
    homeless = 0
    assumed: str | None = None
    for label in people:
        found = judged.get(label.response, set())
        if len(found) == 1:
            home: str | None = next(iter(found))
        elif not found or whole in found:
            home = whole
            assumed = whole if found else assumed
        else:
            home = None
        homeless += home is None
        criteria.append(home or HUMAN)
    return Homes(criteria, homeless, assumed)
