"""Read a plain table into a study: its judgments, its human labels, its counts.

Columns carry the names of :class:`panopt.records.judgment.Judgment`, some common other names,
or those a mapping gives (``--column item=question_id``). Columns that are not the study's are
left out and named in a note. The same rows give the same study in any of the formats.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pyarrow as pa

from panopt.errors import SourceError
from panopt.records.ask import Reading
from panopt.records.schema import RESPONSE_KEY
from panopt.records.source import Counts, Source, SourceFile
from panopt.records.study import Study
from panopt.shims.tables.columns import map_columns
from panopt.shims.tables.parse import parse_table, read_bytes
from panopt.shims.tables.values import human_labels, human_scores

__all__ = ["read_table"]


def read_table(source: SourceFile, reading: Reading) -> Study:
    """Read one table of judgments, or of labels where ``reading.judge_kind`` is ``human``.

    Parameters
    ----------
    source
        CSV or TSV with a header, JSONL with an object a line, or Parquet; ``.gz`` too.
    reading
        ``columns`` maps names (``a+b`` joins two columns), ``judge_kind`` is the kind of judges
        where no column says it, ``human`` names judges that are people and columns that hold a
        human score of the response.

    Raises
    ------
    SourceError
        For a broken file, a mapping that names no column, or values of the wrong type; with the
        row (the first below a header is row 1) or line where there is one.
    """
    stored, content = read_bytes(source)
    table = parse_table(source, content)
    if table.num_rows == 0:
        raise SourceError("the table has no rows", source=source.location)
    try:
        mapped = map_columns(table, source, reading)
        study = Study.from_columns(mapped.columns, source=source.location)
        people = [_labels_of(study, table, name, source) for name in reading.human]
    except pa.ArrowException as error:  # a column of lists where one of texts is due, and the like
        raise SourceError(" ".join(str(error).split()), source=source.location) from error
    judged = Study.concat([study, *(part for part in people if part is not None)])
    record = Source(
        location=source.location,
        format="tables",
        sha256=None if source.is_remote else hashlib.sha256(stored).hexdigest(),
        runs=tuple(sorted(study.table["run"].unique().to_pylist())),
        counts=_counts(study),
        columns=tuple(name for name in mapped.columns if name != "source"),
        notes=mapped.notes,
        warnings=mapped.warnings,
    )
    return Study(judged.table, (record,))


def _labels_of(study: Study, table: pa.Table, name: str, source: SourceFile) -> Study | None:
    """Read a column that repeats the human verdict of the response on every row of it.

    Where the judges gave labels and no scores, the humans did too.
    """
    if name not in table.column_names:
        return None
    by_label = study.table["score"].null_count == len(study) > study.table["label"].null_count
    home = "label" if by_label else "score"
    values = human_labels(table[name]) if by_label else human_scores(name, table[name], source)
    given = Study.from_columns({"item": study.table["item"], "judge": name, home: values})
    codes, names = given.codes("label")
    score = given.numbers("score")
    verdict = np.where(codes >= 0, codes, np.nan) if by_label else score
    group = study.group((*RESPONSE_KEY, "criterion"))
    has = ~np.isnan(verdict)
    _, first = np.unique(np.where(has, group, -1), return_index=True)
    first = first[has[first]]
    verdict_of = np.full(int(group.max(initial=0)) + 1, np.nan)
    verdict_of[group[first]] = verdict[first]
    clash = has & (verdict != verdict_of[group])
    if clash.any():
        row = int(np.flatnonzero(clash)[0])
        both = (verdict_of[group[row]], verdict[row])
        told = [names[int(one)] if by_label else f"{one:g}" for one in both]
        raise SourceError(
            f"column {name!r} gives item {study.table['item'][row].as_py()!r} both {told[0]} and "
            f"{told[1]}; a response has one human verdict there",
            source=source.location,
            place=f"row {row + 1}",
        )
    rows, theirs = study.table.take(pa.array(first)), given.table.take(pa.array(first))
    keep = (*RESPONSE_KEY, "criterion", "family", "cluster", "source")
    columns: dict[str, Any] = {column: rows[column] for column in keep}
    columns |= {"judge": name, "judge_kind": "human", home: theirs[home]}
    return Study.from_columns(columns, source=source.location)


def _counts(study: Study) -> Counts:
    """Count what became of the responses that others than humans judged."""
    kinds, kind_names = study.codes("judge_kind")
    human = np.isin(kinds, [i for i, name in enumerate(kind_names) if name == "human"])
    judged = study if human.all() else study.filter(~human)
    response = judged.group(RESPONSE_KEY)
    n = int(response.max(initial=-1)) + 1
    statuses, names = judged.codes("status")
    found = {
        name: np.bincount(response[statuses == code], minlength=n) > 0
        for code, name in enumerate(names)
    }
    nowhere = np.zeros(n, dtype=np.bool_)
    scored = found.get("ok", nowhere)
    declined = found.get("abstained", nowhere) & ~scored
    return Counts(
        completed=n,
        scored=int(scored.sum()),
        declined=int(declined.sum()),
        unscored=int((~scored & ~declined).sum()),
    )
