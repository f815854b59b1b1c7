"""Bring studies to be compared side by side: which systems, by which criterion, on which items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from panopt.analysis import aggregate_or_fall_back
from panopt.errors import AskError
from panopt.host import Host
from panopt.reading import apart
from panopt.records.arrow import coded
from panopt.records.ask import Ask
from panopt.records.comparison import UNLIKE
from panopt.records.consensus import Consensus
from panopt.records.matrix import Matrix
from panopt.records.pairing import Contender, Items, by_item, line_up, no_common_items
from panopt.records.scale import Scale
from panopt.records.settle import settle_scales
from panopt.records.study import Study
from panopt.stats.rule_names import RULES

__all__ = ["Lineup", "line_ups", "listed", "short_names"]

#: Names that a message lists at most.
MOST_NAMES = 5


@dataclass(frozen=True, slots=True, eq=False)
class Lineup:
    """One criterion of several studies, with the contenders side by side.

    Attributes
    ----------
    criterion
        What was judged.
    matrix, consensus
        All judgments, and what the panel says of every response.
    contenders, items
        What is compared, and its scores item by item.
    values
        What is averaged, of every response; NaN where it has no score.
    cached
        Verdicts on each contender that are copies out of a cache, and all verdicts on it.
    measure
        ``score in [0, 1]`` or ``pass rate``.
    notes, warnings
        What was left out or taken how; what may spoil a conclusion.
    left_out
        Criteria that cannot be compared, and why.
    mixed
        Why the sides are not judged alike; empty where they are.
    """

    criterion: str
    matrix: Matrix
    consensus: Consensus
    contenders: tuple[Contender, ...]
    items: Items
    values: NDArray[np.float64]
    cached: tuple[tuple[int, int], ...]
    measure: str
    notes: tuple[str, ...]
    warnings: tuple[str, ...]
    mixed: tuple[str, ...]
    left_out: tuple[str, ...] = ()


def short_names(places: Sequence[str]) -> tuple[str, ...]:
    """Name places by the last part of their paths, or by as many parts as keep them apart.

    Examples
    --------
    >>> short_names(["r/base.json.gz", "r/cand.json"]), short_names(["r/a/x.csv", "r/b/x.csv"])
    (('base', 'cand'), ('a/x.csv', 'b/x.csv'))
    """
    paths = [Path(place.rstrip("/")) for place in places]
    short = [path.name.split(".")[0] or place for path, place in zip(paths, places, strict=True)]
    deepest = max((len(path.parts) for path in paths), default=0)
    tails = (["/".join(path.parts[-k:]) for path in paths] for k in range(1, deepest))
    apart_from_others = (names for names in (short, *tails) if len(set(names)) == len(names))
    return tuple(next(apart_from_others, places))


def line_ups(  # noqa: PLR0913 - options
    studies: Sequence[Study],
    ask: Ask,
    *,
    names: Sequence[str],
    cluster: str,
    passed: bool,
    force: bool,
    host: Host,
    least: int = 2,
) -> tuple[Lineup, ...]:
    """Line up the systems of all studies, criterion by criterion; of `least` systems or more.

    Raises
    ------
    AskError
        Where nothing can be compared, or not without `force`.
    """
    studies = apart(studies)
    for study, name in zip(studies, names, strict=True):
        if not len(study):
            raise AskError(f"{name} holds no judgment: no test was run, or none was judged")
    _same_tasks(studies, names, force=force)
    studies, wanted, notes = _criteria(studies, names, ask, force=force)
    joint = Study.concat(list(studies))
    if joint.table["scale"].null_count:
        joint, inferred = settle_scales(joint, {})
        notes = (*notes, *inferred)
    _same_scales(joint)
    place_of = {
        run: place
        for place, study in enumerate(studies)
        for run in study.table["run"].unique().to_pylist()
    }
    warnings = (
        *_same_runs(studies, names),
        *(f"{source.location}: {text}" for source in joint.sources for text in source.warnings),
    )
    found: list[Lineup] = []
    unfit: list[str] = []
    for criterion in wanted:
        rows = joint.where("criterion", criterion)
        one = _lined_up(
            rows,
            criterion,
            place_of,
            ask,
            host,
            names,
            cluster=cluster,
            passed=passed,
            least=least,
        )
        if isinstance(one, str):
            unfit.append(f"criterion {criterion!r}: {one}")
        else:
            told = (*warnings, *one.warnings)
            found.append(replace(one, notes=(*notes, *one.notes), warnings=told))
    if not found or (unfit and ask.criterion):
        raise AskError(unfit[0] if unfit else "no criterion is left to compare")
    return tuple(replace(one, left_out=tuple(unfit)) for one in found)


def _lined_up(  # noqa: PLR0913, PLR0917 - the parts of one result
    rows: Study,
    criterion: str,
    place_of: Mapping[str, int],
    ask: Ask,
    host: Host,
    names: Sequence[str],
    *,
    cluster: str,
    passed: bool,
    least: int,
) -> Lineup | str:
    """Line up the contenders of one criterion, or say why it cannot be compared."""
    matrix = rows.matrix(criterion)
    why = _unfit(matrix, passed=passed)
    if why is not None:
        return why
    places = np.array([place_of[name] for name in matrix.names["run"]], dtype=np.intp)
    contenders = line_up(matrix, places[matrix.response_ids["run"]], names)
    if len(contenders) < least:
        return (
            f"{contenders[0].name or 'one system'} alone was judged: name a second log, or one "
            "that holds two systems"
        )
    consensus, problems = aggregate_or_fall_back(rows, matrix, ask, host)
    values = consensus.estimate
    if passed:
        values = np.where(consensus.verdict >= 0, consensus.verdict, np.nan).astype(np.float64)
    items = by_item(matrix, values, contenders, cluster=cluster)
    nothing = no_common_items(items, contenders)
    if nothing is not None and len(contenders) > 1:
        return nothing
    broken = (f"{problem.plugin} ({problem.hook}): {problem.message}" for problem in problems)
    return Lineup(
        criterion,
        matrix,
        consensus,
        contenders,
        items,
        values,
        _cached(rows, matrix, contenders),
        "pass rate" if passed else "score in [0, 1]",
        _rests_on(consensus.method),
        (*consensus.warnings, *broken),
        _mixed(rows, matrix, contenders),
    )


def _rests_on(method: str) -> tuple[str, ...]:
    """Tell that scores of a fitted panel depend on what it is fitted to."""
    if method in RULES:
        return ()
    beside = "with others beside they differ a little; --aggregate mean takes each response alone"
    return (f"scores by {method} are fitted to all logs named here together: {beside}",)


def listed(names: Sequence[str]) -> str:
    """Name the first few of several in quotes, and count the rest."""
    more = len(names) - MOST_NAMES
    text = ", ".join(repr(name) for name in names[:MOST_NAMES])
    return f"{text} and {more} more" if more > 0 else text or "none"


def _same_tasks(studies: Sequence[Study], names: Sequence[str], *, force: bool) -> None:
    """Refuse logs of different tasks, whose items may well be numbered alike."""
    if force:
        return
    first: tuple[str, set[str]] | None = None
    for study, name in zip(studies, names, strict=True):
        tasks = {source.task for source in study.sources if source.task is not None}
        if not tasks:
            continue
        if first is not None and not tasks & first[1]:
            one, other = listed(sorted(first[1])), listed(sorted(tasks))
            raise AskError(
                f"{first[0]} is of task {one}, {name} of task {other}: their items may be "
                "numbered alike and be others; --force compares them all the same"
            )
        first = first or (name, tasks)


def _same_runs(studies: Sequence[Study], names: Sequence[str]) -> tuple[str, ...]:
    """Tell of a run that stands in two places: a copy shows no difference, whatever changed."""
    seen: dict[str, str] = {}
    told: dict[str, None] = {}
    for study, name in zip(studies, names, strict=True):
        own = set()
        for source in study.sources:
            keys = {source.sha256} if source.sha256 else set()
            if source.format != "tables":  # whose runs may well be numbers
                known = (*source.runs, *source.aliases)
                keys |= {f"{source.format} run {run}" for run in known if run}
            for key in keys & seen.keys():
                told[f"{name} holds the same run as {seen[key]}: a copy shows no difference"] = None
            own |= keys
        seen = dict.fromkeys(own, name) | seen
    return tuple(told)


def _criteria(
    studies: tuple[Study, ...], names: Sequence[str], ask: Ask, *, force: bool
) -> tuple[tuple[Study, ...], tuple[str, ...], tuple[str, ...]]:
    """Choose the criteria that all studies were judged by."""
    judged = [study.criteria for study in studies]
    if ask.criterion:
        for wanted in ask.criterion:
            for own, name in zip(judged, names, strict=True):
                if wanted not in own:
                    raise AskError(
                        f"criterion {wanted!r} was not judged in {name}, whose criteria are "
                        f"{listed(own)}"
                    )
        return studies, tuple(dict.fromkeys(ask.criterion)), ()
    common = [one for one in judged[0] if all(one in own for own in judged)]
    if common:
        left = sorted({one for own in judged for one in own} - set(common))
        notes = (f"left out, as not all logs were judged by them: {listed(left)}",) if left else ()
        return studies, tuple(common), notes
    told = "; ".join(f"{name} by {listed(own)}" for own, name in zip(judged, names, strict=True))
    if not force or any(len(own) != 1 for own in judged):
        mend = (
            "read one criterion of each as the other with --force"
            if all(len(own) == 1 for own in judged)
            else "name logs that share one"
        )
        raise AskError(f"no criterion is common to all logs: {told}; {mend}")
    title = " / ".join(dict.fromkeys(own[0] for own in judged))
    renamed = []
    for study in studies:
        codes, titles = study.codes("criterion")
        renamed.append(study.with_column("criterion", coded(codes, [title] * len(titles))))
    return tuple(renamed), (title,), (f"compared as one criterion: {told}",)


def _same_scales(study: Study) -> None:
    """Refuse a judge that scores on scales of different ends in different logs."""
    keys = ("criterion", "judge", "scale")
    codes = [study.codes(column) for column in keys]
    rows = np.unique(np.stack([code for code, _ in codes], axis=1), axis=0)
    seen: dict[tuple[int, int], Scale] = {}
    for criterion, judge, scale in rows.tolist():
        if scale < 0:
            continue
        own = Scale.parse(codes[2][1][scale])
        other = seen.setdefault((criterion, judge), own)
        if (own.low, own.high) != (other.low, other.high):
            name = codes[1][1][judge]
            raise AskError(
                f"judge {name!r} scores on {other} in one log and on {own} in another; say which "
                f"it is with --scale '{name}=...'"
            )


def _unfit(matrix: Matrix, *, passed: bool) -> str | None:
    if not matrix.n_judges:
        return "it has human labels but no judge"
    if matrix.scale.kind == "nominal":
        return "labels on a nominal scale have no mean to compare"
    if matrix.scale.kind == "pairwise":
        return "its verdicts are on pairs of systems already: see panopt analyze"
    if passed or not np.isnan(matrix.votes.score).all():
        return None
    return "no judge gave a score"


def _of_contender(matrix: Matrix, contenders: Sequence[Contender]) -> NDArray[np.intp]:
    """Give the contender of every vote, -1 for none."""
    of = np.full(matrix.n_responses, -1, dtype=np.intp)
    for k, one in enumerate(contenders):
        of[one.responses] = k
    return of[matrix.votes.response]


def _cached(
    rows: Study, matrix: Matrix, contenders: Sequence[Contender]
) -> tuple[tuple[int, int], ...]:
    cached = rows.numbers("cached")[matrix.votes.row] > 0
    of = _of_contender(matrix, contenders)
    n = len(contenders)
    copies = np.bincount(of[cached & (of >= 0)], minlength=n).tolist()
    verdicts = np.bincount(of[of >= 0], minlength=n).tolist()
    return tuple(zip(copies, verdicts, strict=True))


def _mixed(rows: Study, matrix: Matrix, contenders: Sequence[Contender]) -> tuple[str, ...]:
    """Say where contenders were not judged alike: by other judges, or asked otherwise."""
    of, votes = _of_contender(matrix, contenders), matrix.votes
    asked = np.zeros((len(contenders), matrix.n_judges), dtype=np.bool_)
    asked[of[of >= 0], votes.judge[of >= 0]] = True
    told = []
    if not np.array_equal(asked.any(axis=0), asked.all(axis=0)):
        other = int(np.flatnonzero((asked != asked[0]).any(axis=1))[0])
        sides = []
        for k in (0, other):
            own = [matrix.judges[j] for j in np.flatnonzero(asked[k]).tolist()]
            sides.append(f"{contenders[k].name} by {listed(own)}")
        told.append(f"{UNLIKE[0]}: {', '.join(sides)}")
    prompts, names = rows.codes("prompt_hash")
    if names:
        told += _other_prompts(prompts[votes.row], of, matrix, contenders)
    return tuple(told)


def _other_prompts(
    prompt: NDArray[np.int32],
    of: NDArray[np.intp],
    matrix: Matrix,
    contenders: Sequence[Contender],
) -> list[str]:
    known = (prompt >= 0) & (of >= 0)
    triples = np.unique(
        np.stack([matrix.votes.judge[known], of[known], prompt[known]], axis=1), axis=0
    )
    by: dict[tuple[int, int], set[int]] = {}
    for judge, contender, code in triples.tolist():
        by.setdefault((judge, contender), set()).add(code)
    for (judge, contender), own in by.items():
        for other in range(contender):
            if (judge, other) in by and not own & by[judge, other]:
                sides = f"{contenders[other].name} than for {contenders[contender].name}"
                return [f"judge {matrix.judges[judge]!r} {UNLIKE[1]} {sides}"]
    return []
