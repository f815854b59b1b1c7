"""Plain tables of judgments or human labels: CSV, JSONL and Parquet.

Columns carry the names of :class:`panopt.records.judgment.Judgment`, some common other names,
or those a mapping gives (``--column item=question_id``). Columns that are not the study's are
left out and named in a note.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from panopt.errors import SourceError
from panopt.records.ask import Reading
from panopt.records.judgment import JUDGE_KINDS, STATUSES, Judgment
from panopt.records.scale import MOST_LEVELS, Scale
from panopt.records.source import Counts, Source, SourceFile
from panopt.records.study import RESPONSE_KEY, Study
from panopt.spec import hookimpl

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["parse_table", "read_table"]

KNOWN = frozenset(Judgment.model_fields)
NUMBER_COLUMNS = frozenset(
    ("score", "confidence", "input_tokens", "output_tokens", "cost", "latency", "epoch", "repeat")
)
TEXT_COLUMNS = KNOWN - NUMBER_COLUMNS - {"order", "probabilities", "cached"}
#: What an empty cell of a required text column stands for.
DEFAULT_TEXT = {"run": "", "system": "", "criterion": "score", "judge_kind": "llm", "status": "ok"}
#: Verdicts that are scores, whatever the scale.
VERDICTS = {
    **dict.fromkeys(("pass", "passed", "yes", "true", "correct", "c", "good"), 1.0),
    **dict.fromkeys(("fail", "failed", "no", "false", "incorrect", "i", "bad"), 0.0),
}
#: Texts that stand for a missing number.
MISSING = frozenset(("", "na", "n/a", "nan", "null", "none"))

SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")

#: Other names columns go by in the wild, first match wins; the study's own names come first.
ALIASES: dict[str, tuple[str, ...]] = {
    "item": ("item_id", "sample_id", "id", "question_id", "case_id"),
    "judge": ("judge_id", "grader", "annotator", "rater", "worker", "judge_model"),
    "score": ("rating", "grade", "value", "human", "human_score"),
    "system": ("response_id", "model", "provider", "target"),
    "criterion": ("task", "metric", "dimension"),
    "rationale": ("reason", "explanation"),
    "label": ("verdict",),
    "family": ("task_family",),
    "input_tokens": ("prompt_tokens",),
    "output_tokens": ("completion_tokens",),
}


def read_table(source: SourceFile, reading: Reading) -> Study:
    """Read one table of judgments, or of labels where ``reading.judge_kind`` is ``human``.

    Parameters
    ----------
    source
        CSV or TSV with a header, JSONL with an object a line, or Parquet; ``.gz`` too.
    reading
        ``columns`` maps names (``a+b`` joins two columns), ``judge_kind`` is the kind of judges
        where no column says it, ``human`` names columns that hold a human score of the response.

    Raises
    ------
    SourceError
        For a broken file, a mapping that names no column, or values of the wrong type; with the
        row where there is one.
    """
    content = _content(source)
    mapping = dict(reading.columns)
    table = parse_table(source, content, set(mapping.values()))
    if table.num_rows == 0:
        raise SourceError("the table has no rows", source=source.location)
    columns, left_out = _map_columns(table, mapping, source, reading)
    if reading.judge_kind == "human":
        columns.setdefault("judge", "human")
        if not {"score", "label"} & set(columns):
            names = ", ".join(table.column_names)
            raise SourceError(
                f"labels need a column score or label; columns are {names}", source=source.location
            )
    given = tuple(columns)
    columns.setdefault("judge_kind", reading.judge_kind)
    columns["source"] = source.location
    if not reading.rationales:
        columns.pop("rationale", None)
    study = Study.from_columns(columns, source=source.location)
    people = [_labels_of(study, table, name, source) for name in reading.human]
    judged = Study.concat([study, *(part for part in people if part is not None)])
    unscored = int(np.count_nonzero(study.codes("status")[0] != _code(study, "status", "ok")))
    record = Source(
        location=source.location,
        format="tables",
        sha256=hashlib.sha256(content).hexdigest(),
        runs=tuple(sorted(study.table["run"].unique().to_pylist())),
        counts=Counts(completed=len(study), scored=len(study) - unscored, unscored=unscored),
        columns=given,
        notes=(f"columns left out: {', '.join(left_out)}",) if left_out else (),
    )
    return Study(judged.table, (record,))


def parse_table(source: SourceFile, content: bytes, wanted: set[str]) -> pa.Table:
    """Parse the bytes of a table; id columns (and `wanted` ones that join) stay text."""
    import pyarrow as pa  # noqa: PLC0415 - import panopt stays cheap
    from pyarrow import parquet  # noqa: PLC0415

    try:
        if source.suffix == ".parquet":
            return parquet.read_table(io.BytesIO(content))
        if source.suffix in (".jsonl", ".ndjson"):
            return _parse_jsonl(content, source)
        return _parse_csv(content, source, wanted)
    except (pa.ArrowInvalid, pa.ArrowKeyError) as error:
        message = " ".join(str(error).split())
        raise SourceError(f"cannot be parsed ({message})", source=source.location) from error


def _content(source: SourceFile) -> bytes:
    import fsspec  # noqa: PLC0415 - import panopt stays cheap

    if not source.head:
        raise SourceError("the file is empty; a table has a header", source=source.location)
    compression = "gzip" if source.is_gzipped else None
    with fsspec.open(source.location, "rb", compression=compression) as file:
        return bytes(file.read())


def _parse_csv(content: bytes, source: SourceFile, wanted: set[str]) -> pa.Table:
    import pyarrow as pa  # noqa: PLC0415
    from pyarrow import csv  # noqa: PLC0415

    delimiter = "\t" if source.suffix == ".tsv" else ","
    header = csv.open_csv(
        io.BytesIO(content), parse_options=csv.ParseOptions(delimiter=delimiter)
    ).schema.names
    texts = {name for name in header if _home(name) in TEXT_COLUMNS}
    texts |= {part for name in wanted for part in name.split("+") if "+" in name}
    texts |= set(header) & wanted - {name for name in header if _home(name) in NUMBER_COLUMNS}
    return csv.read_csv(
        io.BytesIO(content),
        parse_options=csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
        convert_options=csv.ConvertOptions(column_types=dict.fromkeys(texts, pa.string())),
    )


def _parse_jsonl(content: bytes, source: SourceFile) -> pa.Table:
    import pyarrow as pa  # noqa: PLC0415
    from pyarrow import json as arrow_json  # noqa: PLC0415

    try:
        return arrow_json.read_json(io.BytesIO(content))
    except pa.ArrowInvalid:
        return pa.Table.from_pylist(_lines(content, source))  # NaN, mixed types: the slow way


def _lines(content: bytes, source: SourceFile) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for number, line in enumerate(content.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise SourceError(
                f"is no JSON ({error}); every line holds one object",
                source=source.location,
                place=f"line {number}",
            ) from error
        if not isinstance(row, dict):
            raise SourceError(
                "is no JSON object; every line holds one object",
                source=source.location,
                place=f"line {number}",
            )
        rows.append(row)
    return rows


def _home(name: str) -> str | None:
    """Tell which of the study's columns a column of this name is, by name or alias."""
    plain = name.strip().lower().replace(" ", "_").replace("-", "_")
    if plain in KNOWN:
        return plain
    return next((home for home, others in ALIASES.items() if plain in others), None)


def _map_columns(
    table: pa.Table, mapping: Mapping[str, str], source: SourceFile, reading: Reading
) -> tuple[dict[str, Any], list[str]]:
    columns: dict[str, Any] = {}
    used: set[str] = set(reading.human)
    for home, name in mapping.items():
        if home not in KNOWN:
            raise SourceError(
                f"cannot map to {home!r}, which is no column of a judgment; "
                f"columns are {', '.join(sorted(KNOWN))}",
                source=source.location,
            )
        parts = name.split("+") if name not in table.column_names else [name]
        missing = [part for part in parts if part not in table.column_names]
        if missing:
            raise SourceError(
                f"column {missing[0]!r} (mapped to {home!r}) is not in the file; "
                f"columns are {', '.join(table.column_names)}",
                source=source.location,
            )
        columns[home] = _joined(table, parts)
        used.update(parts)
    for name in sorted(table.column_names, key=lambda name: name not in KNOWN):
        found = _home(name)
        if found is None or found in columns or name in used:
            continue
        if found == "label" and _numeric(table.schema.field(name).type):
            if _has_scores(table, mapping):
                continue  # a gold value beside the scores, no verdict of the judge
            found = "score"
        columns[found] = table[name]
        used.add(name)
    if "label" in columns and "score" not in columns:
        scores = _verdicts(columns["label"])
        if scores is not None:
            columns["score"] = scores
    if "scale" not in columns and {"score_min", "score_max"} <= set(table.column_names):
        columns["scale"] = _declared_scales(table, columns)
        used.update(("score_min", "score_max"))
    typed = {home: _typed(home, values, source) for home, values in columns.items()}
    return typed, [name for name in table.column_names if name not in used]


def _joined(table: pa.Table, parts: list[str]) -> Any:  # noqa: ANN401 - an Arrow column
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.compute as pc  # noqa: PLC0415

    if len(parts) == 1:
        return table[parts[0]]
    texts = [table[part].cast(pa.string()) for part in parts]
    return pc.binary_join_element_wise(*texts, "/", null_handling="skip")


def _verdicts(labels: Any) -> pa.Array | None:  # noqa: ANN401 - an Arrow column
    """Read verdicts that everybody reads as pass or fail as 1 and 0; None for other labels."""
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.compute as pc  # noqa: PLC0415

    words = pc.utf8_lower(pc.utf8_trim_whitespace(labels.cast(pa.string())))
    if not set(words.drop_null().unique().to_pylist()) - {""} <= set(VERDICTS):
        return None
    names = pa.array(list(VERDICTS))
    codes = pc.index_in(words, names)
    return pc.take(pa.array(list(VERDICTS.values()), type=pa.float64()), codes)


def _has_scores(table: pa.Table, mapping: Mapping[str, str]) -> bool:
    return "score" in mapping or any(_home(name) == "score" for name in table.column_names)


def _declared_scales(table: pa.Table, columns: Mapping[str, Any]) -> pa.Array:
    """Read ``score_min``/``score_max`` as a declared range; kinds by the scores of the range."""
    import pyarrow as pa  # noqa: PLC0415

    low = np.asarray(table["score_min"].to_numpy(zero_copy_only=False), dtype=np.float64)
    high = np.asarray(table["score_max"].to_numpy(zero_copy_only=False), dtype=np.float64)
    score = np.asarray(columns["score"].to_numpy(zero_copy_only=False), dtype=np.float64)
    bounded = np.isfinite(low) & np.isfinite(high) & (low < high)
    ends, code = np.unique(np.stack([low, high], axis=1)[bounded], axis=0, return_inverse=True)
    codes = np.full(len(low), -1, dtype=np.int32)
    codes[bounded] = code.ravel()
    texts = []
    for i, (lo, hi) in enumerate(ends):
        x = score[(codes == i) & np.isfinite(score)]
        whole = bool(np.all(x == np.round(x))) and hi - lo < MOST_LEVELS
        texts.append(_range_text(float(lo), float(hi), whole=whole))
    return pa.DictionaryArray.from_arrays(
        pa.array(codes, mask=codes < 0, type=pa.int32()), pa.array(texts, type=pa.string())
    )


def _range_text(low: float, high: float, *, whole: bool) -> str:
    if whole and (low, high) == (0.0, 1.0):
        return str(Scale("binary"))
    return str(Scale("ordinal" if whole else "continuous", low, high))


def _typed(home: str, values: Any, source: SourceFile) -> Any:  # noqa: ANN401 - an Arrow column
    """Bring one column to text or number, naming the first row that does not fit."""
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.compute as pc  # noqa: PLC0415

    if home == "judge_kind":
        values = pc.replace_substring_regex(values.cast(pa.string()), "^metric$", "program")
        _check_names(values, JUDGE_KINDS, home, source)
    if home == "status":
        _check_names(values.cast(pa.string()), STATUSES, home, source)
    if home in TEXT_COLUMNS:
        if pa.types.is_dictionary(values.type):
            values = values.cast(values.type.value_type)
        text = values.cast(pa.string())
        empty = pc.equal(text, "")
        filled = pc.if_else(empty, pa.scalar(None, pa.string()), text)
        return pc.fill_null(filled, DEFAULT_TEXT[home]) if home in DEFAULT_TEXT else filled
    if home in NUMBER_COLUMNS and not _numeric(values.type):
        return _numbers_of(home, values, source)
    if home in ("epoch", "repeat", "cached"):
        return pc.fill_null(values, {"epoch": 1, "repeat": 0, "cached": False}[home])
    return values


def _numeric(kind: pa.DataType) -> bool:
    import pyarrow as pa  # noqa: PLC0415

    return bool(pa.types.is_floating(kind) or pa.types.is_integer(kind))


def _numbers_of(home: str, values: Any, source: SourceFile) -> pa.Array:  # noqa: ANN401 - an Arrow column
    import pyarrow as pa  # noqa: PLC0415

    if pa.types.is_boolean(values.type):
        return values.cast(pa.int8())
    texts = values.to_pylist()
    numbers: list[float | None] = []
    for row, text in enumerate(texts, start=1):
        try:
            missing = text is None or str(text).strip().lower() in MISSING
            numbers.append(None if missing else float(text))
        except (TypeError, ValueError):
            raise SourceError(
                f"{home} {text!r} is no number", source=source.location, place=f"row {row}"
            ) from None
    return pa.array(numbers, type=pa.float64())


def _check_names(
    values: Any,  # noqa: ANN401 - an Arrow column
    allowed: tuple[str, ...],
    home: str,
    source: SourceFile,
) -> None:
    for name in values.unique().to_pylist():
        if name not in allowed:
            row = values.to_pylist().index(name) + 1
            raise SourceError(
                f"{home} {name!r} is unknown; it must be one of {', '.join(allowed)}",
                source=source.location,
                place=f"row {row}",
            )


def _labels_of(study: Study, table: pa.Table, name: str, source: SourceFile) -> Study | None:
    """Read a column that repeats the human score of the response on every row of it."""
    import pyarrow as pa  # noqa: PLC0415

    if name not in table.column_names or name in study.table["judge"].unique().to_pylist():
        return None
    score = np.asarray(table[name].to_numpy(zero_copy_only=False), dtype=np.float64)
    group = study.group((*RESPONSE_KEY, "criterion"))
    has = np.isfinite(score)
    _, first = np.unique(np.where(has, group, -1), return_index=True)
    first = first[has[first]]
    value_of = np.full(int(group.max(initial=0)) + 1, np.nan)
    value_of[group[first]] = score[first]
    clash = has & (score != value_of[group])
    if clash.any():
        row = int(np.flatnonzero(clash)[0])
        raise SourceError(
            f"column {name!r} gives item {study.table['item'][row].as_py()!r} both "
            f"{value_of[group[row]]:g} and {score[row]:g}; a response has one human score there",
            source=source.location,
            place=f"row {row + 1}",
        )
    rows = study.table.take(pa.array(first))
    keep = (*RESPONSE_KEY, "criterion", "family", "cluster", "source")
    columns: dict[str, Any] = {column: rows[column] for column in keep}
    columns |= {"judge": name, "judge_kind": "human", "score": pa.array(score[first])}
    return Study.from_columns(columns, source=source.location)


def _code(study: Study, column: str, name: str) -> int:
    names = study.codes(column)[1]
    return names.index(name) if name in names else -1


@hookimpl
def panopt_suffixes() -> tuple[str, ...]:
    """Name the endings of tables."""
    return SUFFIXES


@hookimpl
def panopt_read(source: SourceFile, reading: Reading) -> Study | None:
    """Read a table; None where the name does not end like one."""
    return read_table(source, reading) if source.suffix in SUFFIXES else None
