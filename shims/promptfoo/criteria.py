"""Settle what each judge of a results file is called, and which criterion its score is of.

promptfoo has no word for a panel, so it is read off the assertions of a test (a *place* is one
assertion among those of its row):

- an assert-set whose model-graded assertions have a judge each is a panel: one criterion,
  named by the metric of the set;
- a metric that several judges of a row share is a criterion;
- judges of one row with the same rubric text are a panel, whatever their metrics are called;
- any other assertion is a criterion of its own, named by its metric, else by its type;
- what a program checks (``contains``, ``javascript`` ...) is never mixed with what models judge.

``reading.scorers`` overrides this: ``judges`` puts all model-graded verdicts in one criterion,
``criteria`` makes every metric a criterion.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

from panopt.shims.promptfoo.judges import Grader, is_model_graded
from panopt.shims.promptfoo.walk import Scope

__all__ = ["Place", "Settled", "settle"]

DEFAULT = "score"
HUMAN = "human"


class Place(NamedTuple):
    """One assertion among those of a row, without what differs between rows.

    `text` numbers the distinct rubric texts within the row; `own` is False for a result inside a
    panel that names no assertion of its own; `template` is the metric as the test has it, where
    `metric` was rendered from that: of all rows, one judge.
    """

    scope: Scope
    kind: str
    metric: str | None
    grader: Grader
    text: int
    own: bool = True
    template: str | None = None

    @property
    def mark(self) -> str | None:
        """The metric as the same in every row."""
        return self.template or self.metric


class Settled(NamedTuple):
    """Names for each place, in the order of the places; `unnamed` lists judges without a model."""

    judges: list[str]
    criteria: list[str]
    unnamed: tuple[str, ...]
    alike: tuple[str, ...]


def settle(
    rows: Sequence[range],
    places: Sequence[Place],
    told: Sequence[Counter[str]],
    model: Sequence[bool],
    *,
    scorers: Literal["auto", "judges", "criteria"] = "auto",
) -> Settled:
    """Name judge and criterion of each place.

    Parameters
    ----------
    rows
        The places of each distinct composition of a row.
    places
        All places.
    told
        Per place, how often which judge named itself in the verdict's metadata.
    model
        Per place, whether a model judges there.
    scorers
        As :attr:`panopt.records.ask.Reading.scorers`.
    """
    graders: dict[str, set[bytes]] = defaultdict(set)
    for place in places:
        if place.grader.name is not None:
            graders[place.grader.name].add(place.grader.key)
    shared = {name for name, keys in graders.items() if len(keys) > 1}
    judges = [""] * len(places)
    for row in rows:
        _name_judges(row, places, told, model, shared, judges)
    criteria = [""] * len(places)
    for row in rows:
        _name_criteria(row, places, judges, model, scorers, criteria)
    if scorers == "auto":
        _join_lone_metrics(rows, places, judges, criteria)
    unnamed = {
        judges[i]
        for i, place in enumerate(places)
        if place.own and is_model_graded(place.kind) and place.grader.name is None and not told[i]
    }
    alike = {
        name
        for name in shared
        if any(
            judges[i] == name and not told[i]
            for i, place in enumerate(places)
            if place.grader.name == name
        )
    }
    return Settled(judges, criteria, tuple(sorted(unnamed)), tuple(sorted(alike)))


def _name_judges(  # noqa: PLR0913, PLR0917 - one table, column by column
    row: range,
    places: Sequence[Place],
    told: Sequence[Counter[str]],
    model: Sequence[bool],
    shared: set[str],
    judges: list[str],
) -> None:
    taken: Counter[tuple[object, ...]] = Counter()
    for i in row:
        place = places[i]
        if len(told[i]) == 1:
            judges[i] = next(iter(told[i]))
        elif not place.own:  # inside a panel that names nobody
            taken[place.scope] += 1
            judges[i] = f"{place.mark or place.kind} {taken[place.scope]}"
        elif not model[i]:
            taken[place.metric, place.kind] += place.metric is not None
            rank = taken[place.metric, place.kind]
            judges[i] = place.kind if rank < 2 else f"{place.kind} {rank}"
        elif place.grader.name is None:
            judges[i] = place.mark or place.kind
        else:
            name = place.grader.name
            # one id under several configurations: the metric tells these judges apart
            judges[i] = f"{name} ({place.mark})" if name in shared and place.mark else name


def _name_criteria(  # noqa: PLR0913, PLR0917 - one table, column by column
    row: range,
    places: Sequence[Place],
    judges: Sequence[str],
    model: Sequence[bool],
    scorers: str,
    criteria: list[str],
) -> None:
    used: Counter[str] = Counter()
    models = [i for i in row if model[i]]
    if scorers == "judges":
        groups = [models] if models else []
    elif scorers == "criteria":
        groups = _by(models, lambda i: places[i].metric or (places[i].kind, places[i].text))
    else:
        scopes = _by(models, lambda i: places[i].scope)
        groups = [group for scope in scopes for group in _panels(scope, places, judges)]
    for group in groups:
        name = _group_name([places[i] for i in group])
        used[name] += 1
        for i in group:
            criteria[i] = name if used[name] == 1 else f"{name} {used[name]}"
    for group in _by(
        [i for i in row if not model[i]], lambda i: places[i].metric or (places[i].kind, i)
    ):
        first = places[group[0]]
        name = first.metric or first.kind
        if used[name] and first.metric:
            name = f"{name} ({first.kind})"
        used[name] += 1
        for i in group:
            criteria[i] = name if used[name] == 1 else f"{name} {used[name]}"


def _panels(scope: list[int], places: Sequence[Place], judges: Sequence[str]) -> list[list[int]]:
    """Part the model-graded places of one scope into criteria."""
    kind = places[scope[0]].scope.kind
    identities = [(judges[i], places[i].grader.key) for i in scope]
    if kind != "row" and len(set(identities)) == len(scope):
        return [scope]
    metrics: dict[str, set[str]] = defaultdict(set)
    for i in scope:
        if places[i].metric:
            metrics[str(places[i].metric)].add(judges[i])
    common = {metric for metric, named in metrics.items() if len(named) > 1}

    def key(i: int) -> object:
        place = places[i]
        if place.metric in common:
            return place.metric
        return place.kind, place.text

    return _by(scope, key)


def _group_name(group: list[Place]) -> str:
    scopes = {place.scope for place in group}
    metrics = {place.metric for place in group}
    if len(metrics) == 1 and group[0].metric:
        return str(group[0].metric)
    scope = group[0].scope
    if len(scopes) == 1 and scope.kind != "row" and scope.name:
        return scope.name
    kinds = {place.kind for place in group}
    return group[0].kind if len(kinds) == 1 else DEFAULT


def _join_lone_metrics(
    rows: Sequence[range],
    places: Sequence[Place],
    judges: Sequence[str],
    criteria: list[str],
) -> None:
    """Put a judge that stands alone in some rows where it stands in the others' panel."""
    sizes = [Counter(criteria[i] for i in row) for row in rows]
    home: dict[tuple[str, str], set[str]] = defaultdict(set)
    for row, size in zip(rows, sizes, strict=True):
        for i in row:
            if places[i].metric and size[criteria[i]] > 1 and criteria[i] != places[i].metric:
                home[str(places[i].mark), judges[i]].add(criteria[i])
    for row, size in zip(rows, sizes, strict=True):
        for i in row:
            known = home.get((places[i].mark or "", judges[i]), set())
            if size[criteria[i]] == 1 and criteria[i] == places[i].metric and len(known) == 1:
                criteria[i] = next(iter(known))


def _by(members: list[int], key: Callable[[int], object]) -> list[list[int]]:
    groups: dict[object, list[int]] = defaultdict(list)
    for i in members:
        groups[key(i)].append(i)
    return list(groups.values())
