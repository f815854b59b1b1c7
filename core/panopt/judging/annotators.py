"""Simulated annotators: who is imitated by which labelled examples (Jung et al. 2025, section 2.2).

Each of N simulated annotators is the judge itself, shown K answered examples first. In
``individual`` mode the examples of one annotator are labels of one person, in ``majority`` mode
the majority's, in ``randomised`` mode labels drawn blindly: a control that tells whether the
labels matter or only the asking N times.

The examples are lines of JSON::

    {"item": "q7", "task": "...", "response": "...", "verdict": true, "annotator": "ann"}
    {"item": "q9", "task": "...", "first": "...", "second": "...", "verdict": "second"}
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from panopt.errors import AskError, SourceError
from panopt.judging.ballot import read_vote
from panopt.judging.confidence import options_of
from panopt.judging.protocol import Answer, Example, Order, Question
from panopt.judging.verdict import Boolean, Labelled, Numeric, Pairwise, Verdict, VerdictKind

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Annotators", "Labelling", "Mode", "Shot", "draw_annotators", "read_examples"]

Mode = Literal["individual", "majority", "randomised"]

_KNOWN = frozenset(
    ("item", "task", "response", "first", "second", "verdict", "annotator", "reference", "details")
)
_PLACES: Mapping[float, str] = {1.0: "first", 0.5: "tie", 0.0: "second"}


@dataclass(frozen=True, slots=True)
class Labelling:
    """One person's verdict on one response, or the better one of two."""

    item: str
    task: str
    responses: tuple[str, ...]
    verdict: Verdict
    annotator: str | None = None
    reference: str | None = None
    details: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Shot:
    """An example as it is shown; of pairs in the order given, with the verdict as shown."""

    labelling: Labelling
    verdict: Verdict
    order: Order | None = None


@dataclass(frozen=True, slots=True)
class Annotators:
    """Who is imitated.

    Attributes
    ----------
    shots
        Examples of each annotator, in the order of preference: the first `k` that are not of the
        response at hand are shown.
    k
        How many are shown.
    mode
        What the labels are.
    hash
        Of all that, for certificates: 16 hexadecimal digits.
    """

    shots: tuple[tuple[Shot, ...], ...]
    k: int
    mode: Mode
    hash: str = field(init=False)

    def __post_init__(self) -> None:
        """Digest the examples."""
        told = [
            [
                [s.labelling.item, s.labelling.task, *s.labelling.responses, s.verdict, s.order]
                for s in own
            ]
            for own in self.shots
        ]
        text = json.dumps([told, self.k, self.mode], sort_keys=True, ensure_ascii=True)
        object.__setattr__(self, "hash", hashlib.sha256(text.encode()).hexdigest()[:16])

    @property
    def n(self) -> int:
        """Number of simulated annotators."""
        return len(self.shots)

    def source(self, *, votes: bool) -> str:
        """Name the confidence; `votes`: their verdicts are counted, not token probabilities."""
        counted = ", votes" if votes else ""
        return f"simulated annotators ({self.mode}, {self.n} x {self.k}{counted})"

    def examples(self, annotator: int, question: Question) -> tuple[Example, ...]:
        """Give what one annotator is shown before a question: never the answer to it.

        Examples of the same item, or with a response that is judged, are passed over.
        """
        judged = set(question.responses)
        shown: list[Example] = []
        for shot in self.shots[annotator]:
            own = shot.labelling
            if own.item == question.item or judged & set(own.responses):
                continue
            posed = replace(
                question,
                item=own.item,
                task=own.task,
                responses=own.responses,
                reference=own.reference if question.reference is not None else None,
                order=shot.order,
                details=own.details,
                examples=(),
            )
            shown.append(Example(posed, shot.verdict))
            if len(shown) == self.k:
                break
        return tuple(shown)


def read_examples(path: str | Path, kind: VerdictKind) -> tuple[Labelling, ...]:
    """Read labelled examples from a file of JSON lines.

    Parameters
    ----------
    path
        The file; see the module for its lines.
    kind
        Of the verdicts; each is checked against it.

    Raises
    ------
    SourceError
        Naming the line that is wrong.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"cannot be read ({error})", source=str(path)) from error
    found = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            found.append(_labelling(json.loads(line), kind))
        except ValueError as error:
            raise SourceError(
                f"no labelled example: {error}", source=str(path), place=f"line {number}"
            ) from error
    if not found:
        raise SourceError("holds no labelled example", source=str(path))
    return tuple(found)


def draw_annotators(  # noqa: PLR0913 - one draw with all it depends on
    labellings: Sequence[Labelling],
    *,
    kind: VerdictKind,
    rng: np.random.Generator,
    n: int = 5,
    k: int = 5,
    mode: Mode = "majority",
) -> Annotators:
    """Draw who is imitated by which examples, and in which order they are shown.

    Parameters
    ----------
    labellings
        Of one person each, or without a name.
    kind
        Of the verdicts.
    rng
        Draws people, examples, places of pairs and, randomised, labels.
    n, k
        Annotators, and examples that each is shown. Individual: n people with k labels or more.
    mode
        ``individual``, ``majority`` (of each response, tied ones left out) or ``randomised``.

    Raises
    ------
    AskError
        Naming the option that asks for more than there is.
    """
    if mode not in get_args(Mode):
        raise AskError(f"mode = {mode!r} must be one of {', '.join(get_args(Mode))}")
    for name, given in (("n", n), ("k", k)):
        if type(given) is not int or given < 1:
            raise AskError(f"{name} = {given!r} must be a whole number, 1 or more")
    if mode == "individual":
        pools = _people(labellings, n, k, rng)
    else:
        pool = _majority(labellings)
        if len(pool) < k:
            raise AskError(
                f"k = {k} examples an annotator are wanted, and {len(pool)} responses have "
                "a majority label"
            )
        pools = [pool] * n
    options = options_of(kind)
    if mode == "randomised" and not options:
        raise AskError("mode = 'randomised' needs verdicts with options: these scores have none")
    shots = []
    for own in pools:
        order = rng.permutation(len(own)).tolist()
        reserve = [own[place] for place in order[: 4 * k + 4]]  # enough to pass some over
        shots.append(tuple(_shot(one, kind, mode, options, rng) for one in reserve))
    return Annotators(tuple(shots), k, mode)


def _labelling(line: Any, kind: VerdictKind) -> Labelling:  # noqa: ANN401 - a JSON value
    if not isinstance(line, dict):
        raise ValueError("a line must be an object")  # noqa: TRY004 - a bad value like any other
    stranger = next((name for name in line if name not in _KNOWN), None)
    if stranger is not None:
        raise ValueError(f"unknown field {stranger!r}")
    wanted = ("first", "second") if isinstance(kind, Pairwise) else ("response",)
    for name in ("task", *wanted):
        if not isinstance(line.get(name), str):
            raise ValueError(f"{name} must be a text")  # noqa: TRY004 - as above
    if line.get("item") is None:
        raise ValueError("item must be named, so that no judge is shown the answer it is to give")
    read = read_vote(Answer(line.get("verdict")), judge="example", kind=kind)
    if read.failure is not None:
        raise ValueError(read.failure.message)
    annotator, reference, details = (line.get(n) for n in ("annotator", "reference", "details"))
    return Labelling(
        str(line["item"]),
        line["task"],
        tuple(line[name] for name in wanted),
        _verdict(read.value, read.label, kind),
        None if annotator is None else str(annotator),
        None if reference is None else str(reference),
        details if isinstance(details, dict) else {},
    )


def _verdict(value: float | None, label: str | None, kind: VerdictKind) -> Verdict:
    """Give a checked verdict as a judge writes it."""
    if label is not None:
        return label
    assert value is not None  # noqa: S101 - a vote that is ok has one of the two
    if isinstance(kind, Pairwise):
        return _PLACES[value]
    if isinstance(kind, Boolean):
        return bool(value)
    return int(value) if value == round(value) else value


def _people(
    labellings: Iterable[Labelling], n: int, k: int, rng: np.random.Generator
) -> list[list[Labelling]]:
    own: dict[str, dict[tuple[str, tuple[str, ...]], Labelling]] = {}
    for one in labellings:
        if one.annotator is not None:
            own.setdefault(one.annotator, {})[one.item, one.responses] = one
    able = [list(labels.values()) for _, labels in sorted(own.items()) if len(labels) >= k]
    if len(able) < n:
        raise AskError(
            f"n = {n} annotators are wanted, and {len(able)} people have {k} labels or more "
            f"({len(own)} are named)"
        )
    return [able[i] for i in rng.permutation(len(able))[:n].tolist()]


def _majority(labellings: Iterable[Labelling]) -> list[Labelling]:
    """Give one labelling a response, with the label most people gave; none where they tie."""
    by: dict[tuple[str, tuple[str, ...]], list[Labelling]] = {}
    for one in labellings:
        by.setdefault((one.item, one.responses), []).append(one)
    found = []
    for own in by.values():
        ranked = Counter(one.verdict for one in own).most_common(2)
        if len(ranked) < 2 or ranked[0][1] > ranked[1][1]:
            found.append(replace(own[0], verdict=ranked[0][0], annotator=None))
    return found


def _shot(
    one: Labelling, kind: VerdictKind, mode: Mode, options: Sequence[str], rng: np.random.Generator
) -> Shot:
    verdict = one.verdict
    if mode == "randomised":
        verdict = _written(options[int(rng.integers(len(options)))], kind)
    if not isinstance(kind, Pairwise):
        return Shot(one, verdict)
    order: Order = 1 if rng.integers(2) else 0
    turned = {"first": "second", "second": "first"}
    return Shot(one, turned.get(str(verdict), verdict) if order else verdict, order)


def _written(option: str, kind: VerdictKind) -> Verdict:
    match kind:
        case Boolean():
            return option == "true"
        case Numeric():
            return int(option)
        case Labelled() | Pairwise():
            return option
