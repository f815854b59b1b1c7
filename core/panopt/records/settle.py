"""Settle a study after reading: one row a judgment, and a scale for every score."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from panopt.errors import SourceError
from panopt.records.arrow import coded, numbers
from panopt.records.people import (
    PersonScale,
    commonest,
    declared_rival,
    fitting,
    people_scales,
)
from panopt.records.scale import Scale, infer_scale, infer_scales
from panopt.records.schema import RESPONSE_KEY
from panopt.records.study import Study

__all__ = ["drop_copies", "settle_scales"]

#: No judge means a number beyond this as a score.
_GREATEST = 1e12

#: From this many 0s and 1s on, another score may be a slip.
_TELLING = 10

#: Share of scores outside [0, 1] up to which they may be slips, and up to which they must be.
_STRAY, _FEW_STRAYS = 0.1, 0.02

_VOTE_KEY = (*RESPONSE_KEY, "criterion", "judge", "repeat", "order")


def drop_copies(study: Study) -> tuple[Study, tuple[str, ...]]:
    """Drop judgments that stand in several sources, keeping those of the source read last.

    Two rows are copies when run, system, item, epoch, criterion, judge, repeat and order agree
    and they come from different sources. Within one source they are repeats, which
    :class:`panopt.records.matrix.Matrix` numbers in the order of the rows.

    Returns
    -------
    tuple
        The study without copies, and a note for each kind of thing dropped.
    """
    if len(study.sources) < 2:
        return study, ()
    source, names = study.codes("source")
    if len(names) < 2:
        return study, ()
    key = study.group(_VOTE_KEY)
    last = np.full(int(key.max(initial=0)) + 1, -1, dtype=np.int64)
    np.maximum.at(last, key, source.astype(np.int64))
    keep = source == last[key]
    dropped = int(np.count_nonzero(~keep))
    if not dropped:
        return study, ()
    score = study.numbers("score")
    kept_score = np.full(len(last), np.nan)
    kept_score[key[keep]] = score[keep]
    gone, stays = score[~keep], kept_score[key[~keep]]
    changed = int(np.count_nonzero(~((gone == stays) | (np.isnan(gone) & np.isnan(stays)))))
    note = f"{dropped} judgments stand in several sources; those of the source named last were kept"
    if changed:
        note += f" ({changed} of them with another score)"
    return study.filter(keep), (note,)


def settle_scales(
    study: Study, declared: Mapping[str, Scale], *, off_scale: str = "error"
) -> tuple[Study, tuple[str, ...]]:
    """Give every judgment a scale, and hold scores to the scales that were declared.

    Scores that no one declared a scale for get one by judge and criterion: the one of the panel
    that fits, else the first common range that holds them; see
    :func:`panopt.records.people.people_scales` for humans. Judgments without a score or label
    take the scale of their judge, else the panel's. Scores on a nominal scale become labels.

    Parameters
    ----------
    declared
        Scale by judge name; ``*`` is for all others. They win over what a source says. Human
        scores between the levels of ``*`` (a mean of ratings) are read as continuous.
    off_scale
        ``error`` refuses a score off a declared scale; ``fail`` makes it a failed vote.

    Returns
    -------
    tuple
        The settled study, and a note for each scale that was inferred. Human scores that may
        well be on another scale than the one inferred are a warning of their source (a note
        where they have none).

    Raises
    ------
    SourceError
        For a score off its declared scale or beyond 1e12, naming source, item, judge, value and
        rule; for human
        scores that fit two scales of other sizes alike (all 1, beside judges on 1 to 5).
    """
    if not len(study):
        return study, ()
    columns = _Columns(study)
    columns.declare(declared)
    study = _classes_as_labels(study, columns)
    n_declared = len(columns.known)
    blocks = columns.blocks()
    told: dict[str, list[str]] = {}
    for code, name in enumerate(columns.criteria):
        mine = [rows for rows in blocks if columns.criterion[rows[0]] == code]
        for text in _settle_criterion(mine, columns):
            told.setdefault(text, []).append(name)
    notes = [f"{_few(names)}: {text}" for text, names in told.items()]
    study, unplaced = _with_doubts(study, columns.doubts)
    notes += unplaced
    off = columns.off(n_declared)
    if not off.any():
        return study.with_column("scale", _dictionary(columns.scale, columns.known)), tuple(notes)
    return _mend_off(study, columns, off, off_scale, notes)


class _Columns:
    """The columns of a study that settling looks at, and the scales it has settled so far."""

    def __init__(self, study: Study) -> None:
        self.score = study.numbers("score")
        beyond = np.abs(self.score) > _GREATEST
        if beyond.any():  # no scale allows an infinite score, and none is inferred from it
            self.score = np.where(beyond, np.copysign(np.inf, self.score), self.score)
        self.judge, self.judges = study.codes("judge")
        self.criterion, self.criteria = study.codes("criterion")
        self.labelled = study.codes("label")[0] >= 0
        kinds, kind_names = study.codes("judge_kind")
        self.human = np.isin(kinds, [i for i, name in enumerate(kind_names) if name == "human"])
        scale, texts = study.codes("scale")
        self.scale = scale.copy()
        self.known: dict[str, int] = {text: code for code, text in enumerate(texts)}
        self.starred = np.zeros(len(self.score), dtype=np.bool_)
        self.source, self.sources = study.codes("source")
        self.item = study.table["item"]
        #: Where a judgment says which of two responses was shown first, it compares them.
        self.paired = ~np.isnan(study.numbers("order"))
        #: Source and text of every scale that may well be another.
        self.doubts: list[tuple[str | None, str]] = []

    def blocks(self) -> list[NDArray[np.intp]]:
        """Give the rows of each criterion and judge (a human apart from a judge of his name)."""
        sizes = (len(self.criteria), len(self.judges), 2)
        key = np.ravel_multi_index((self.criterion, self.judge, self.human), sizes)
        key = key.astype(np.min_scalar_type(math.prod(sizes)))
        order = np.argsort(key, kind="stable")
        return np.split(order, np.flatnonzero(np.diff(key[order])) + 1)

    def code(self, scale: Scale) -> int:
        """Give the code of a scale, a new one where it is new."""
        return self.known.setdefault(str(scale), len(self.known))

    def scale_of(self, row: int) -> Scale:
        return Scale.parse(list(self.known)[self.scale[row]])

    def source_of(self, row: int) -> str | None:
        """Name the source of a row, None where it has none."""
        return self.sources[self.source[row]] if self.source[row] >= 0 else None

    def item_of(self, row: int) -> str:
        """Name the item of a row."""
        return str(self.item[row].as_py())

    def declare(self, declared: Mapping[str, Scale]) -> None:
        """Settle the scales the user declares."""
        named = {self.judges.index(name) for name in declared if name in self.judges}
        for name, wanted in declared.items():
            if name == "*":
                chosen = ~np.isin(self.judge, list(named))
            elif name in self.judges:
                chosen = self.judge == self.judges.index(name)
            else:
                raise SourceError(
                    f"a scale is declared for judge {name!r}, who judged nothing; "
                    f"judges: {', '.join(sorted(self.judges)[:10])}",
                    source="--scale",
                )
            self.scale[chosen] = self.code(wanted)
            if name == "*":
                self.starred = chosen & self.human
                between = wanted.off(self.score) & (self.score >= wanted.low)
                between &= self.human & chosen & (self.score <= wanted.high)
                people = np.unique(self.judge[between])
                soft = chosen & self.human & np.isin(self.judge, people)
                self.scale[soft] = self.code(Scale("continuous", wanted.low, wanted.high))

    def off(self, n_declared: int) -> NDArray[np.bool_]:
        """Tell which scores are off a declared scale; those inferred fit all finite scores."""
        off = np.isinf(self.score)
        for text, code in list(self.known.items())[:n_declared]:
            rows = np.flatnonzero(self.scale == code)
            off[rows] |= Scale.parse(text).off(self.score[rows])
        return off


def _classes_as_labels(study: Study, columns: _Columns) -> Study:
    """Read the scores on a nominal scale (numbers of classes) as labels."""
    rows = columns.scale == columns.known.get(str(Scale("nominal")), -2)
    rows &= ~np.isnan(columns.score)
    if not rows.any():
        return study
    values, which = np.unique(columns.score[rows], return_inverse=True)
    labels, names = study.codes("label")
    labels = labels.copy()
    labels[rows] = np.where(labels[rows] < 0, which + len(names), labels[rows])
    columns.score = np.where(rows, np.nan, columns.score)
    columns.labelled[rows] = True
    texts = [f"{value:.15g}" for value in values]
    score = numbers(columns.score, np.isnan(columns.score))
    return study.with_column("score", score).with_column(
        "label", _encoded(labels, [*names, *texts])
    )


def _settle_criterion(blocks: Sequence[NDArray[np.int64]], columns: _Columns) -> list[str]:
    """Settle the judges of one criterion that have no scale yet, humans after judges."""
    notes: list[str] = []
    scored = [_kept(rows, ~np.isnan(columns.score[rows])) for rows in blocks]
    found = Counter(
        columns.scale_of(rows[0]) for rows in scored if len(rows) and columns.scale[rows[0]] >= 0
    )
    for rows in scored:
        if len(rows) and columns.starred[rows[0]]:
            scale, x = columns.scale_of(rows[0]), columns.score[rows]
            _undoubted(PersonScale(scale, declared_rival(scale, x)), rows, columns)
    _refuse_typos(scored, columns)
    for people in (False, True):
        open_ = [_kept(rows, columns.scale[rows] < 0) for rows in scored]
        open_ = [rows for rows in open_ if len(rows) and bool(columns.human[rows[0]]) is people]
        scores = [columns.score[rows] for rows in open_]
        if people:
            read = people_scales(found, _tops(scored, columns), scores)
            scales = [_undoubted(one, rows, columns) for one, rows in zip(read, open_, strict=True)]
        else:
            scales = [
                _of_pairs(columns.paired[rows], x)
                or (fitting(found, x) if found else None)
                or inferred
                for rows, x, inferred in zip(open_, scores, infer_scales(scores), strict=True)
            ]
        _doubt_spans(open_, scales, found, columns)
        judges_on: dict[Scale, list[str]] = {}
        for rows, scale in zip(open_, scales, strict=True):
            columns.scale[rows] = columns.code(scale)
            judges_on.setdefault(scale, []).append(columns.judges[columns.judge[rows[0]]])
        for scale, names in sorted(judges_on.items(), key=lambda pair: str(pair[0])):
            found[scale] += len(names)
            notes.append(f"scale {scale} inferred for {_few(sorted(names))}")
    panel = commonest(found) if found else Scale("continuous")
    for rows in blocks:
        bare = columns.scale[rows] < 0
        if not bare.any():
            continue
        labels = bare & columns.labelled[rows]
        columns.scale[rows[labels]] = columns.code(Scale("nominal"))
        own = rows[columns.scale[rows] >= 0]
        rest = columns.scale_of(own[0]) if len(own) else panel
        columns.scale[rows[bare & ~labels]] = columns.code(rest)
    return notes


def _of_pairs(paired: NDArray[np.bool_], scores: NDArray[np.float64]) -> Scale | None:
    """Read verdicts on pairs, shown in a known order, as such: 0, 1, or .5 for a tie."""
    pairwise = Scale("pairwise")
    return pairwise if paired.all() and not pairwise.off(scores).any() else None


def _kept(rows: NDArray[np.int64], keep: NDArray[np.bool_]) -> NDArray[np.int64]:
    return rows if keep.all() else rows[keep]


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (" ..." if len(names) > 5 else "")


def _with_doubts(study: Study, doubts: Sequence[tuple[str | None, str]]) -> tuple[Study, list[str]]:
    """Make doubts warnings of their sources; those without a source come back."""
    places = {source.location for source in study.sources}
    sources = [
        replace(
            source,
            warnings=(*source.warnings, *(text for at, text in doubts if at == source.location)),
        )
        for source in study.sources
    ]
    left = [text for at, text in doubts if at not in places]
    return (Study(study.table, tuple(sources)) if doubts else study), left


def _tops(scored: Sequence[NDArray[np.int64]], columns: _Columns) -> dict[Scale, float]:
    """Give the greatest score the judges on each scale gave."""
    tops: dict[Scale, float] = {}
    for rows in scored:
        if len(rows) and columns.scale[rows[0]] >= 0 and not columns.human[rows[0]]:
            scale, top = columns.scale_of(rows[0]), float(columns.score[rows].max())
            tops[scale] = max(top, tops.get(scale, top))
    return tops


def _undoubted(read: PersonScale, rows: NDArray[np.int64], columns: _Columns) -> Scale:
    """Take the scale read for a person; say what else it may be, or refuse to guess."""
    if read.rival is None:
        return read.scale
    name = columns.judges[columns.judge[rows[0]]]
    x, code = columns.score[rows], int(rows[0])
    criterion = columns.criteria[columns.criterion[code]]
    spread = f"are all {x[0]:g}" if x.min() == x.max() else f"span {x.min():g} to {x.max():g}"
    what = f"the {len(x)} scores of {name!r} on {criterion!r} {spread}"
    options = f"--scale '{name}={read.scale}' or --scale '{name}={read.rival}'"
    if read.refused:
        raise SourceError(
            f"{what}, which fits {read.scale} as well as {read.rival}; declare {options}",
            source=columns.source_of(code) or "study",
        )
    columns.doubts.append(
        (
            columns.source_of(code),
            f"{what}: read as {read.scale}, may be {read.rival}; declare {options}",
        )
    )
    return read.scale


def _refuse_typos(scored: Sequence[NDArray[np.int64]], columns: _Columns) -> None:
    """Refuse a lone score outside [0, 1] of a judge who else gave 0s and 1s only.

    It would stretch the scale of all the others. Where another judge of the criterion is on a
    wider scale that holds it, or the scores outside are more than a few, it is but a doubt.
    """
    wider: list[tuple[float, float]] = []
    suspects = []
    for rows in scored:
        x = columns.score[rows]
        take = np.isfinite(x)
        x = x[take]
        if not len(x):
            continue
        out = (x < 0.0) | (x > 1.0)
        rest, n = x[~out], int(np.count_nonzero(out))
        two = len(rest) >= _TELLING and set(np.unique(rest).tolist()) == {0.0, 1.0}
        if columns.scale[rows[0]] < 0 and two and 0 < n <= _STRAY * len(x):
            suspects.append((rows[take], out, n == 1 or n <= _FEW_STRAYS * len(x)))
        elif columns.scale[rows[0]] >= 0:
            scale = columns.scale_of(rows[0])
            wider.append((scale.low, scale.high))
        elif out.any():
            scale = infer_scale(x)
            wider.append((scale.low, scale.high))
    for rows, out, lone in suspects:
        x, row = columns.score[rows], int(rows[out][0])
        name, item = columns.judges[columns.judge[row]], columns.item_of(row)
        criterion, source = columns.criteria[columns.criterion[row]], columns.source_of(row)
        mend = f"correct it, or declare --scale '{name}=KIND:LOW:HIGH'"
        fits = f"the other {np.count_nonzero(~out)} scores of {name!r} on {criterion!r}"
        if lone and not any(low <= x.min() and x.max() <= high for low, high in wider):
            raise SourceError(
                f"score {columns.score[row]:g} is outside [0, 1], where {fits} are all 0 or 1 "
                f"(binary); {mend}",
                source=source or "study",
                place=f"item {item!r}, judge {name!r}",
            )
        text = (
            f"{np.count_nonzero(out)} scores of {name!r} on {criterion!r} are outside [0, 1] "
            f"(first: {columns.score[row]:g}, item {item!r}) while {fits} are all 0 or 1: "
            f"if they are slips, the scale is wrong for all; {mend}"
        )
        columns.doubts.append((source, text))


def _doubt_spans(
    blocks: Sequence[NDArray[np.int64]],
    scales: Sequence[Scale],
    found: Counter[Scale],
    columns: _Columns,
) -> None:
    """Say whose scores are read on a range that is theirs alone."""
    for rows, scale in zip(blocks, scales, strict=True):
        if scale.usual or scale in found:
            continue
        name = columns.judges[columns.judge[rows[0]]]
        criterion = columns.criteria[columns.criterion[rows[0]]]
        x = columns.score[rows]
        x = x[np.isfinite(x)]
        text = (
            f"scores of {name!r} on {criterion!r} lie on no usual scale "
            f"({x.min():g}..{x.max():g}): read as {scale}, the range they span; declare one with "
            f"--scale '{name}=KIND:LOW:HIGH'"
        )
        columns.doubts.append((columns.source_of(int(rows[0])), text))


def _mend_off(
    study: Study,
    columns: _Columns,
    off: NDArray[np.bool_],
    off_scale: str,
    notes: Sequence[str],
) -> tuple[Study, tuple[str, ...]]:
    """Refuse the scores off their scale, or make them failed votes."""
    rows = np.flatnonzero(off)
    row, score = int(rows[0]), study.numbers("score")
    if off_scale == "error":
        first = {name: study.table[name][row].as_py() for name in ("source", "item", "judge")}
        if _GREATEST < abs(score[row]) < np.inf:
            raise SourceError(
                f"{score[row]:g} is no score: beyond {_GREATEST:g}; correct it, or count it as "
                "failed with --off-scale fail",
                source=first["source"] or "study",
                place=f"item {first['item']!r}, judge {first['judge']!r}",
            )
        raise SourceError(
            f"score {score[row]:g} is off the scale {columns.scale_of(row)} ({len(rows)} such "
            "scores); declare the right one with --scale, or count them as failed with "
            "--off-scale fail",
            source=first["source"] or "study",
            place=f"item {first['item']!r}, judge {first['judge']!r}",
        )
    values, which = np.unique(score[off], return_inverse=True)
    errors, error_names = study.codes("error")
    reasons = [f"score {value:g} is off the scale" for value in values]
    errors = errors.copy()
    errors[off] = which.astype(np.int32) + len(error_names)
    statuses, status_names = study.codes("status")
    statuses = np.where(off, len(status_names), statuses).astype(np.int32)
    labels, label_names = study.codes("label")
    labels = np.where(off, -1, labels).astype(np.int32)
    failed = numbers(score, off | np.isnan(score))
    mended = (
        study.with_column("scale", _dictionary(columns.scale, columns.known))
        .with_column("score", failed)
        .with_column("label", _dictionary(labels, label_names))
        .with_column("status", _encoded(statuses, [*status_names, "failed"]))
        .with_column("error", _encoded(errors, [*error_names, *reasons]))
    )
    return mended, (*notes, f"{len(rows)} scores off their scale count as failed votes")


def _dictionary(codes: NDArray[np.int32], names: Iterable[str]) -> pa.DictionaryArray:
    return coded(codes, list(names))


def _encoded(codes: NDArray[np.int32], names: Iterable[str]) -> pa.DictionaryArray:
    """As :func:`_dictionary`, of names that may repeat."""
    return _dictionary(codes, names).cast(pa.string()).dictionary_encode()
