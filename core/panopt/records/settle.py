"""Settle a study after reading: one row a judgment, and a scale for every score."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from panopt.errors import SourceError
from panopt.records.scale import Scale, infer_scales
from panopt.records.study import RESPONSE_KEY, Study

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
    """Give every scored judgment a scale, and hold scores to the scales that were declared.

    Parameters
    ----------
    declared
        Scale by judge name; ``*`` is for all others. They win over what a source says.
    off_scale
        ``error`` refuses a score off a declared scale; ``fail`` makes it a failed vote.

    Returns
    -------
    tuple
        The settled study, and a note for each scale that was inferred.

    Raises
    ------
    SourceError
        For a score off its declared scale, naming source, item, judge, value and rule.
    """
    score = study.numbers("score")
    judge, judges = study.codes("judge")
    criterion, criteria = study.codes("criterion")
    scale, texts = study.codes("scale")
    kinds, kind_names = study.codes("judge_kind")
    human = np.isin(kinds, [i for i, name in enumerate(kind_names) if name == "human"])
    group = criterion.astype(np.int64) * len(judges) + judge
    known: list[str] = list(texts)
    settled = scale.copy()
    notes: list[str] = []
    for name, wanted in declared.items():
        chosen = (judge == judges.index(name)) if name in judges else None
        if name == "*":
            others = [judges.index(other) for other in declared if other in judges]
            chosen = ~np.isin(judge, others)
        if chosen is None:
            raise SourceError(
                f"a scale is declared for judge {name!r}, who judged nothing; "
                f"judges: {', '.join(judges[:10])}",
                source="--scale",
            )
        settled[chosen] = _index(known, str(wanted))
    order = np.argsort(group, kind="stable")
    bounds = np.flatnonzero(np.r_[True, np.diff(group[order]) != 0, True])
    blocks = [order[a:b] for a, b in pairwise(bounds)]
    for code, name in enumerate(criteria):
        mine = [rows for rows in blocks if criterion[rows[0]] == code]
        _settle_criterion(name, mine, score, settled, human, judge, judges, known, notes)
    off = _off(score, settled, known)
    if not off.any():
        return study.with_column("scale", _dictionary(settled, known)), tuple(notes)
    return _mend_off(study, score, settled, known, off, off_scale, notes)


def _settle_criterion(  # noqa: PLR0913, PLR0917 - columns of one table
    criterion: str,
    blocks: list[NDArray[np.int64]],
    score: NDArray[np.float64],
    settled: NDArray[np.int32],
    human: NDArray[np.bool_],
    judge: NDArray[np.int32],
    judges: list[str],
    known: list[str],
    notes: list[str],
) -> None:
    """Infer the scales of the judges of one criterion that have none yet, humans after judges."""
    found: list[Scale] = [
        Scale.parse(known[settled[rows[0]]]) for rows in blocks if settled[rows[0]] >= 0
    ]
    for people in (False, True):
        open_ = [rows for rows in blocks if settled[rows[0]] < 0 and bool(human[rows[0]]) is people]
        if not open_:
            continue
        scales = infer_scales([score[rows] for rows in open_])
        for i, rows in enumerate(open_):
            values = score[rows][~np.isnan(score[rows])]
            if not values.size:
                continue
            if people or found:
                fitting = [s for s in found if not s.off(values).any() and s.kind != "nominal"]
                wider = [s for s in found if s.low <= values.min() and values.max() <= s.high]
                if fitting or wider:
                    best = max(fitting or wider, key=(fitting or wider).count)
                    if not fitting:  # e.g. a mean of whole votes: same range, between the levels
                        best = Scale("continuous", best.low, best.high)
                    scales[i] = best
            settled[rows] = _index(known, str(scales[i]))
        new = [s for s, rows in zip(scales, open_, strict=True) if not np.isnan(score[rows]).all()]
        found += new
        for text in sorted({str(s) for s in new}):
            who = sorted(
                judges[judge[rows[0]]]
                for s, rows in zip(scales, open_, strict=True)
                if str(s) == text and not np.isnan(score[rows]).all()
            )
            names = ", ".join(who[:5]) + (" ..." if len(who) > 5 else "")
            notes.append(f"{criterion}: scale {text} inferred for {names}")
    labelled = [rows for rows in blocks if settled[rows[0]] < 0]
    for rows in labelled:
        settled[rows] = _index(known, "nominal")


def _off(
    score: NDArray[np.float64], scale: NDArray[np.int32], known: list[str]
) -> NDArray[np.bool_]:
    off = np.zeros(len(score), dtype=np.bool_)
    for code, text in enumerate(known):
        rows = scale == code
        off[rows] = Scale.parse(text).off(score[rows])
    return off


def _mend_off(  # noqa: PLR0913, PLR0917 - columns of one table
    study: Study,
    score: NDArray[np.float64],
    scale: NDArray[np.int32],
    known: list[str],
    off: NDArray[np.bool_],
    off_scale: str,
    notes: list[str],
) -> tuple[Study, tuple[str, ...]]:
    row = int(np.flatnonzero(off)[0])
    first = {name: study.table[name][row].as_py() for name in ("source", "item", "judge", "epoch")}
    text = known[scale[row]]
    if off_scale == "error":
        raise SourceError(
            f"score {score[row]:g} is off the scale {text} ({int(off.sum())} such scores); "
            "declare the right one with --scale, or count them as failed with --off-scale fail",
            source=first["source"] or "study",
            place=f"item {first['item']!r}, judge {first['judge']!r}",
        )
    failed = pa.array(np.where(off, np.nan, score), from_pandas=True)
    statuses = np.array(study.table["status"].to_pylist(), dtype=object)
    errors = np.array(study.table["error"].to_pylist(), dtype=object)
    statuses[off] = "failed"
    errors[off] = [f"score {value:g} is off the scale" for value in score[off]]
    notes.append(f"{int(off.sum())} scores off their scale count as failed votes")
    mended = study.with_column("scale", _dictionary(scale, known)).with_column("score", failed)
    mended = mended.with_column("status", pa.array(statuses.tolist()).dictionary_encode())
    mended = mended.with_column(
        "error", pa.array(errors.tolist(), type=pa.string()).dictionary_encode()
    )
    return mended, tuple(notes)


def _index(known: list[str], text: str) -> int:
    if text not in known:
        known.append(text)
    return known.index(text)


def _dictionary(codes: NDArray[np.int32], names: list[str]) -> pa.DictionaryArray:
    mask = pa.array(codes, mask=codes < 0, type=pa.int32())
    return pa.DictionaryArray.from_arrays(mask, pa.array(names, type=pa.string()))
