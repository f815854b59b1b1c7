"""Settle a study after reading: one row a judgment, and a scale for every score."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from panopt.errors import SourceError
from panopt.records.arrow import coded, numbers
from panopt.records.scale import Scale
from panopt.records.scale_columns import GREATEST, ScaleColumns
from panopt.records.schema import RESPONSE_KEY
from panopt.records.study import Study
from panopt.records.undeclared import few, infer_criterion

__all__ = ["drop_copies", "settle_scales"]

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
    columns = ScaleColumns(study)
    columns.declare(declared)
    study = _classes_as_labels(study, columns)
    n_declared = len(columns.known)
    blocks = columns.blocks()
    told: dict[str, list[str]] = {}
    for code, name in enumerate(columns.criteria):
        mine = [rows for rows in blocks if columns.criterion[rows[0]] == code]
        for text in infer_criterion(mine, columns):
            told.setdefault(text, []).append(name)
    notes = [f"{few(names)}: {text}" for text, names in told.items()]
    study, unplaced = _with_doubts(study, columns.doubts)
    notes += unplaced
    off = columns.off(n_declared)
    if not off.any():
        return study.with_column("scale", _dictionary(columns.scale, columns.known)), tuple(notes)
    return _mend_off(study, columns, off, off_scale, notes)


def _classes_as_labels(study: Study, columns: ScaleColumns) -> Study:
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


def _mend_off(
    study: Study,
    columns: ScaleColumns,
    off: NDArray[np.bool_],
    off_scale: str,
    notes: Sequence[str],
) -> tuple[Study, tuple[str, ...]]:
    """Refuse the scores off their scale, or make them failed votes."""
    rows = np.flatnonzero(off)
    row, score = int(rows[0]), study.numbers("score")
    if off_scale == "error":
        first = {name: study.table[name][row].as_py() for name in ("source", "item", "judge")}
        if GREATEST < abs(score[row]) < np.inf:
            raise SourceError(
                f"{score[row]:g} is no score: beyond {GREATEST:g}; correct it, or count it as "
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
