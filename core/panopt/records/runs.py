"""Runs that stand in several sources: in two formats, or tried again."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import replace

import numpy as np

from panopt.records.study import Study

__all__ = ["drop_earlier_attempts", "drop_nameless", "drop_twins", "warn_of_doubles"]

#: Fewer judgments may well agree by chance.
LEAST_DOUBLED = 10

_JUDGMENT = ("system", "item", "epoch", "criterion", "judge", "repeat", "order")
_VERDICT = ("label", "status", "response_hash")


def drop_twins(study: Study) -> tuple[Study, tuple[str, ...]]:
    """Drop the rows of runs that other sources hold too: in another format, or tried again.

    Returns
    -------
    tuple
        The study without those rows, and a note for each thing dropped.
    """
    study, twins = drop_nameless(study)
    study, attempts = drop_earlier_attempts(study)
    return study, (*twins, *attempts)


def drop_nameless(study: Study) -> tuple[Study, tuple[str, ...]]:
    """Drop the rows of sources whose one run another source holds under its proper name.

    A shim gives a run without an id a name made of its rows, and lists that name among the
    ``aliases`` of a source that has the id too: equal names, equal rows.

    Returns
    -------
    tuple
        The study without those rows, and a note for each source they stood in.
    """
    named = {alias: source for source in study.sources for alias in source.aliases}
    twins = {
        source.location: named[source.runs[0]].location
        for source in study.sources
        if len(source.runs) == 1 and source.runs[0] in named
    }
    if not twins:
        return study, ()
    codes, names = study.codes("source")
    keep = ~np.isin(codes, [code for code, name in enumerate(names) if name in twins])
    notes = (
        f"{twin} holds the same rows as {other}: they count once" for twin, other in twins.items()
    )
    return study.filter(keep), tuple(notes)


def drop_earlier_attempts(study: Study) -> tuple[Study, tuple[str, ...]]:
    """Drop responses that a later attempt at the same task took over.

    A run that failed and is tried again gets a new id, and copies the samples that were
    complete. Of the runs with one task in their ``attempt``, the one that began last counts for
    each system, item and epoch it has judgments of; of two that began together, the one read
    last.

    Returns
    -------
    tuple
        The study without those rows, and a note where there were any.
    """
    attempts = [
        (source.attempt[0], source.attempt[1], place, source.runs[0])
        for place, source in enumerate(study.sources)
        if source.attempt is not None and len(source.runs) == 1
    ]
    latest = {run: (task, begun, place) for task, begun, place, run in attempts}
    tasks = Counter(task for task, _, _ in latest.values())
    again = {run: key for run, key in latest.items() if tasks[key[0]] > 1}
    if not again or not len(study):
        return study, ()
    run, names = study.codes("run")
    numbers = {task: number for number, task in enumerate(tasks)}
    task_of = np.array([numbers[again[name][0]] if name in again else -1 for name in names])
    begun = [again[name][1:] if name in again else ("", -1) for name in names]
    rank_of = np.empty(len(names), dtype=np.int64)
    rank_of[sorted(range(len(names)), key=begun.__getitem__)] = np.arange(len(names))
    task, rank = task_of[run], rank_of[run]
    response = study.group(("system", "item", "epoch")) * (len(numbers) + 1) + task + 1
    _, response = np.unique(response, return_inverse=True)
    last = np.full(int(response.max()) + 1, -1, dtype=np.int64)
    np.maximum.at(last, response, rank)
    gone = (task >= 0) & (rank < last[response])
    if not gone.any():
        return study, ()
    n_responses = len(np.unique(response[gone] * len(names) + run[gone]))
    note = (
        f"{n_responses} responses stand in several attempts at one task (a retried run): those "
        f"of the attempt that began last count, {int(np.count_nonzero(gone))} judgments of "
        "earlier ones were dropped"
    )
    return study.filter(~gone), (note,)


def warn_of_doubles(study: Study) -> Study:
    """Warn where runs of different sources hold the same judgments under different names.

    Such as a result that was imported under a new id and exported again. The judgments stay:
    a run that was repeated and came out the same is no copy, and only the user can tell.
    """
    if len(study.sources) < 2 or not len(study):
        return study
    run, names = study.codes("run")
    sizes = np.bincount(run, minlength=len(names))
    shared = np.flatnonzero(np.bincount(sizes) > 1)
    alike = (sizes >= LEAST_DOUBLED) & np.isin(sizes, shared)
    if not alike.any():
        return study
    part = study.filter(alike[run])
    run = part.codes("run")[0]
    source, locations = part.codes("source")
    score = np.unique(part.numbers("score"), return_inverse=True)[1]
    verdict = part.group((*_JUDGMENT, *_VERDICT))
    order = np.lexsort((score, verdict, run))
    held = np.stack((verdict[order], score[order]), axis=1)
    starts = np.flatnonzero(np.r_[True, np.diff(run[order]) != 0])
    seen: dict[bytes, tuple[str, int]] = {}
    doubts: dict[str, list[str]] = {}
    for start, rows in zip(starts.tolist(), np.split(held, starts[1:]), strict=True):
        first = order[start]
        name, place = names[run[first]], int(source[first])
        other, home = seen.setdefault(hashlib.sha256(rows.tobytes()).digest(), (name, place))
        if home != place:
            doubts.setdefault(locations[place], []).append(
                f"two runs hold the same {len(rows)} judgments (run {other!r} of "
                f"{locations[home]}, run {name!r}): they are counted twice unless one is left out"
            )
    if not doubts:
        return study
    told = (
        replace(each, warnings=(*each.warnings, *doubts.get(each.location, ())))
        for each in study.sources
    )
    return Study(study.table, tuple(told))
