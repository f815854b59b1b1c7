"""What each stream of scores is: whose verdict, and on which criterion.

The defaults, in the order they are tried:

- Inspect's deterministic scorers (``match``, ``includes`` ...) are programs, a criterion each.
- A panel inside one score (votes, list, keys named like judges) is the judges of one criterion.
- Keys that are not named like judges are criteria.
- Scorers that share a function are judges of one criterion, where their models differ or they
  differ in nothing else; where they differ otherwise they are criteria.
- Scorers of different functions are criteria, unless all are named like judges.

``Reading.scorers`` and ``Reading.keys`` override the last three.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from panopt.records.ask import Reading
from panopt.records.judgment import JudgeKind
from panopt.shims.inspect.header import Header
from panopt.shims.inspect.juries import PANEL
from panopt.shims.inspect.names import looks_like_judge, split_keys
from panopt.shims.inspect.panels import Panel
from panopt.shims.inspect.series import Gathered, SeriesKey
from panopt.shims.inspect.values import kinds_of

__all__ = ["Layout", "Place", "human_names", "lay_out"]


class Place(NamedTuple):
    """Where a stream belongs."""

    criterion: str
    judge: str
    kind: JudgeKind


@dataclass(slots=True)
class Layout:
    """Places of all streams, and what is to be said of the choice."""

    places: dict[SeriesKey, Place] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def criteria(self, kind: JudgeKind) -> tuple[str, ...]:
        """Name the criteria that judges of this kind judged."""
        return tuple(sorted({p.criterion for p in self.places.values() if p.kind == kind}))

    def criterion_of(self, name: str, part: str | None) -> str | None:
        """Name the criterion of the judges whose score stands under `name`."""
        mine = {
            place.criterion
            for key, place in self.places.items()
            if key.name == name
            and (key.part in (part, None) or (key.form == "jury" and part == PANEL))
            and place.kind != "human"
        }
        return mine.pop() if len(mine) == 1 else None


def human_names(header: Header, reading: Reading, names: Iterable[str]) -> frozenset[str]:
    """Give the score names whose scores are human labels."""
    return frozenset(
        name for name in names if {name, header.scorer(name).base} & set(reading.human)
    )


def lay_out(
    header: Header,
    gathered: Gathered,
    reading: Reading,
    *,
    humans: frozenset[str],
    panels: dict[str, Panel],
) -> Layout:
    """Give every stream its criterion and judge.

    Parameters
    ----------
    header, gathered
        The log.
    reading
        ``scorers`` and ``keys`` override what is guessed; ``human`` names labels.
    humans
        Score names that are human labels.
    panels
        Panels whose votes were read from the transcript.
    """
    layout = Layout()
    forms: dict[str, list[SeriesKey]] = {}
    for key in sorted(gathered.series, key=_sort_key):
        forms.setdefault(key.name, []).append(key)
    lone: dict[str, list[SeriesKey]] = {}
    for name in _in_header_order(header, forms):
        keys = forms[name]
        scorer = header.scorer(name)
        if name in humans:
            continue
        if scorer.is_program:
            for key in keys:
                criterion = name if key.part is None else f"{name}/{key.part}"
                layout.places[key] = Place(criterion + _position(key), name, "program")
            continue
        keys = _without_human_keys(keys, reading)
        rest = _place_panel(header, gathered, reading, panels, layout, keys)
        if rest:
            lone[name] = rest
    _place_lone(header, gathered, reading, layout, lone)
    layout.notes.extend(
        f"{name}: {count} responses had an error, and its jury was not asked about them"
        for name, count in sorted(gathered.unasked.items())
    )
    _tell_judges_apart(layout)
    _place_humans(layout, forms, humans, reading)
    for name in lone:
        scorer = header.scorer(name)
        if header.grades_itself(scorer):
            layout.notes.append(
                f"{name}: no grader model was set, so the model under test grades itself"
            )
    return layout


def _sort_key(key: SeriesKey) -> tuple[str, str, int, str]:
    return (key.name, key.form, key.place, key.part or "")


def _in_header_order(header: Header, names: Iterable[str]) -> list[str]:
    order = {name: i for i, name in enumerate(header.scorers)}
    return sorted(names, key=lambda name: (order.get(name, len(order)), name))


def _position(key: SeriesKey) -> str:
    return "" if key.place < 0 else f"[{key.place}]"


def _without_human_keys(keys: Sequence[SeriesKey], reading: Reading) -> list[SeriesKey]:
    return [key for key in keys if key.part is None or key.part not in reading.human]


def _place_panel(  # noqa: PLR0913, PLR0917 - the log and what is made of it
    header: Header,
    gathered: Gathered,
    reading: Reading,
    panels: dict[str, Panel],
    layout: Layout,
    keys: Sequence[SeriesKey],
) -> list[SeriesKey]:
    """Place the streams of one score that are several judges; give back the others."""
    if not keys:
        return []
    name = keys[0].name
    models = header.models(header.scorer(name))
    rest: list[SeriesKey] = []
    parts = {key.part for key in keys if key.form == "dict" and key.part is not None}
    known = (*models, *gathered.jury.get(name, ()))
    judges, aggregates = split_keys(parts, known, reading.keys)
    for key in keys:
        if key.form == "events":
            judge = panels[name].judges[key.place]
        elif key.form == "votes":
            judge = _voter(name, key.place, models, _size(keys, "votes"))
        elif key.form == "list" and reading.keys != "criteria":
            size = _size(keys, "list")
            ragged = gathered.lengths.get(name, {size}) != {size}
            judge = _voter(name, key.place, () if ragged else models, size)
        elif key.form == "jury" or (key.form == "dict" and key.part in judges):
            judge = str(key.part)
        elif key.form == "dict" and key.part in aggregates:
            continue
        else:
            rest.append(key)
            continue
        criterion = gathered.named.get(name, name)
        if key.part is not None and key.form not in {"dict", "jury"}:
            criterion = f"{name}/{key.part}"
        layout.places[key] = Place(criterion, judge, "llm")
    if aggregates and judges:
        layout.notes.append(
            f"{name}: keys {', '.join(judges)} are read as judges; {', '.join(aggregates)} as made "
            "of their scores, and left out (keys=criteria reads every key as a criterion)"
        )
    _say_positions(layout, gathered, name, models, keys, reading)
    return rest


def _size(keys: Sequence[SeriesKey], form: str) -> int:
    return 1 + max(key.place for key in keys if key.form == form)


def _voter(name: str, place: int, models: Sequence[str], size: int) -> str:
    return models[place] if len(models) == size else f"{name}[{place}]"


def _say_positions(  # noqa: PLR0913, PLR0917 - the log and what is made of it
    layout: Layout,
    gathered: Gathered,
    name: str,
    models: Sequence[str],
    keys: Sequence[SeriesKey],
    reading: Reading,
) -> None:
    for form in ("votes", "list"):
        if not any(key.form == form for key in keys) or (
            form == "list" and reading.keys == "criteria"
        ):
            continue
        size = _size(keys, form)
        lengths = gathered.lengths.get(name, {size}) if form == "list" else {size}
        if lengths != {size}:
            layout.warnings.append(
                f"{name}: its lists have {min(lengths)} to {max(lengths)} entries, so that places "
                "do not tell the judges; they are read by place all the same"
            )
        elif len(models) != size:
            layout.notes.append(
                f"{name}: the log does not name its {size} judges; they are named by place"
            )


def _place_lone(
    header: Header,
    gathered: Gathered,
    reading: Reading,
    layout: Layout,
    lone: dict[str, list[SeriesKey]],
) -> None:
    """Place the scores that are one judge's, on one criterion or on one for each key."""
    groups = _groups(header, gathered, reading, layout, lone)
    taken = {place.criterion for place in layout.places.values()} | set(groups)
    owners = Counter(
        part
        for names in groups.values()
        for part in {key.part for name in names for key in lone[name] if key.part is not None}
    )
    for criterion, names in groups.items():
        for name in names:
            models = header.models(header.scorer(name))
            judge = models[0] if len(models) == 1 else name
            for key in lone[name]:
                own = criterion + _position(key)
                if key.part is not None:
                    unique = owners[key.part] == 1 and key.part not in taken
                    own = key.part if unique else f"{criterion}/{key.part}"
                layout.places[key] = Place(own, judge, "llm")


def _groups(
    header: Header,
    gathered: Gathered,
    reading: Reading,
    layout: Layout,
    lone: dict[str, list[SeriesKey]],
) -> dict[str, list[str]]:
    """Group scores into criteria: the criterion's name, and the scores of its judges."""
    names = list(lone)
    if reading.scorers == "criteria" or len(names) < 2:
        return {name: [name] for name in names}
    bases: dict[str, list[str]] = {}
    for name in names:
        bases.setdefault(header.scorer(name).base, []).append(name)
    if reading.scorers == "judges":
        return {next(iter(bases)) if len(bases) == 1 else header.task: names}
    kinds = {name: _value_class(gathered, lone[name]) for name in names}
    if len(bases) == len(names):
        if (
            not layout.places
            and len(set(kinds.values())) == 1
            and all(map(looks_like_judge, names))
        ):
            layout.notes.append(
                f"scorers {', '.join(names)} are read as judges of one criterion, {header.task!r} "
                "(scorers=criteria reads each as a criterion)"
            )
            return {header.task: names}
        layout.notes.append(
            f"scorers {', '.join(names)} are read as a criterion each "
            "(scorers=judges reads them as judges of one)"
        )
        return {name: [name] for name in names}
    groups: dict[str, list[str]] = {}
    for base, members in bases.items():
        groups |= _split_base(header, layout, base, members, kinds)
    return groups


def _split_base(
    header: Header,
    layout: Layout,
    base: str,
    members: list[str],
    kinds: dict[str, str],
) -> dict[str, list[str]]:
    """Group scorers that share a function."""
    models = [header.models(header.scorer(name)) for name in members]
    told_apart = all(len(own) == 1 for own in models) and len(set(models)) == len(models)
    groups: dict[tuple[object, ...], list[str]] = {}
    for name in members:
        options = () if told_apart else header.scorer(name).other_options
        groups.setdefault((kinds[name], options), []).append(name)
    if len(groups) == 1:
        return {base: members}
    layout.notes.append(
        f"scorers {', '.join(members)} differ in what they score, not in their models alone: "
        f"{len(groups)} criteria (scorers=judges reads them as judges of one)"
    )
    return {own[0]: own for own in groups.values()}


def _value_class(gathered: Gathered, keys: Sequence[SeriesKey]) -> str:
    kinds = frozenset().union(*(kinds_of(gathered.series[key].value) for key in keys))
    if "text" in kinds:
        return "text"
    return "number" if "number" in kinds else "grade"


def _tell_judges_apart(layout: Layout) -> None:
    """Name judges of one criterion apart who share a model but not a score."""
    scores: dict[tuple[str, str], set[str]] = {}
    for key, place in layout.places.items():
        scores.setdefault((place.criterion, place.judge), set()).add(key.name)
    for key, place in layout.places.items():
        if len(scores[place.criterion, place.judge]) > 1:
            layout.places[key] = place._replace(judge=f"{place.judge} ({key.name})")


def _place_humans(
    layout: Layout,
    forms: dict[str, list[SeriesKey]],
    humans: frozenset[str],
    reading: Reading,
) -> None:
    """Place human labels on the criterion they are for."""
    judged = layout.criteria("llm") or layout.criteria("program")
    for name, keys in forms.items():
        for key in keys:
            own_key = key.part is not None and key.part in reading.human
            if name not in humans and not own_key:
                continue
            judge = str(key.part) if own_key else name + _position(key)
            about = name if own_key or key.part is None else key.part
            criterion = key.part if key.part in judged else criterion_for(about, judged)
            if criterion is None:
                layout.warnings.append(
                    f"the labels of {judge!r} fit none of several criteria "
                    f"({', '.join(judged)}) and are not used; name one in the scorer's name"
                )
                criterion = about
            layout.places[key] = Place(criterion, judge, "human")


def criterion_for(name: str, judged: Sequence[str]) -> str | None:
    """Find the criterion a label's name speaks of: the only one, or the one it names."""
    if len(judged) == 1:
        return judged[0]
    words = re.sub(r"[^a-z0-9]+", " ", name.lower()).split()
    fits = [
        criterion
        for criterion in judged
        if (own := re.sub(r"[^a-z0-9]+", " ", criterion.lower()).split())
        and any(words[i : i + len(own)] == own for i in range(len(words)))
    ]
    return fits[0] if len(fits) == 1 else None
