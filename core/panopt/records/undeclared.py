"""Infer the scales that nobody declared, one criterion at a time, and say what may be wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from panopt.errors import SourceError
from panopt.records.people import (
    PersonScale,
    commonest,
    declared_rival,
    fitting,
    people_scales,
)
from panopt.records.scale import Scale, infer_scale, infer_scales
from panopt.records.scale_columns import ScaleColumns

__all__ = ["few", "infer_criterion"]

#: From this many 0s and 1s on, another score may be a slip.
_TELLING = 10

#: Share of scores outside [0, 1] up to which they may be slips, and up to which they must be.
_STRAY, _FEW_STRAYS = 0.1, 0.02


def infer_criterion(blocks: Sequence[NDArray[np.int64]], columns: ScaleColumns) -> list[str]:
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
            notes.append(f"scale {scale} inferred for {few(sorted(names))}")
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


def few(names: Sequence[str]) -> str:
    """List names, the first five of many."""
    return ", ".join(names[:5]) + (" ..." if len(names) > 5 else "")


def _of_pairs(paired: NDArray[np.bool_], scores: NDArray[np.float64]) -> Scale | None:
    """Read verdicts on pairs, shown in a known order, as such: 0, 1, or .5 for a tie."""
    pairwise = Scale("pairwise")
    return pairwise if paired.all() and not pairwise.off(scores).any() else None


def _kept(rows: NDArray[np.int64], keep: NDArray[np.bool_]) -> NDArray[np.int64]:
    return rows if keep.all() else rows[keep]


def _tops(scored: Sequence[NDArray[np.int64]], columns: ScaleColumns) -> dict[Scale, float]:
    """Give the greatest score the judges on each scale gave."""
    tops: dict[Scale, float] = {}
    for rows in scored:
        if len(rows) and columns.scale[rows[0]] >= 0 and not columns.human[rows[0]]:
            scale, top = columns.scale_of(rows[0]), float(columns.score[rows].max())
            tops[scale] = max(top, tops.get(scale, top))
    return tops


def _undoubted(read: PersonScale, rows: NDArray[np.int64], columns: ScaleColumns) -> Scale:
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


def _refuse_typos(scored: Sequence[NDArray[np.int64]], columns: ScaleColumns) -> None:
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
    columns: ScaleColumns,
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
