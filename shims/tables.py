"""Plain tables of judgments or human labels: CSV, JSONL and Parquet.

Columns carry the names of :class:`panopt.records.judgment.Judgment`, some common other names,
or those a mapping gives (``--column item=question_id``). Columns that are not the study's are
left out and named in a note. The same rows give the same study in any of the formats.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from panopt.errors import SourceError
from panopt.records.ask import Reading
from panopt.records.judgment import JUDGE_KINDS, STATUSES, Judgment
from panopt.records.scale import MOST_LEVELS, Scale
from panopt.records.source import UNREADABLE, Counts, Source, SourceFile
from panopt.records.study import RESPONSE_KEY, Study
from panopt.spec import hookimpl

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["parse_table", "read_table"]

#: ``source`` is the file itself, whatever column the file may have of that name.
KNOWN = frozenset(Judgment.model_fields) - {"source"}
NUMBER_COLUMNS = frozenset(
    (
        "score",
        "confidence",
        "input_tokens",
        "output_tokens",
        "cost",
        "latency",
        "epoch",
        "repeat",
        "order",
    )
)
TEXT_COLUMNS = KNOWN - NUMBER_COLUMNS - {"probabilities", "cached"}
#: What an empty cell of a required text column stands for.
DEFAULT_TEXT = {"run": "", "system": "", "criterion": "score", "status": "ok"}
#: What an empty cell of another required column stands for.
DEFAULT_VALUE = {"epoch": 1, "repeat": 0, "cached": False}
#: Verdicts that are scores, whatever the scale.
VERDICTS = {
    **dict.fromkeys(("pass", "passed", "yes", "true", "correct", "c", "good"), 1.0),
    **dict.fromkeys(("fail", "failed", "no", "false", "incorrect", "i", "bad"), 0.0),
}
#: Texts that stand for a missing number.
MISSING = frozenset(("", "na", "n/a", "nan", "null", "none"))

SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")
#: Lines of JSON longer than this are parsed the slow way.
JSON_BLOCK = 8 << 20

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
        where no column says it, ``human`` names judges that are people and columns that hold a
        human score of the response.

    Raises
    ------
    SourceError
        For a broken file, a mapping that names no column, or values of the wrong type; with the
        row (the first below a header is row 1) or line where there is one.
    """
    stored, content = _content(source)
    table = parse_table(source, content)
    if table.num_rows == 0:
        raise SourceError("the table has no rows", source=source.location)
    columns, notes, left_out, warnings = _map_columns(table, source, reading)
    study = Study.from_columns(columns, source=source.location)
    people = [_labels_of(study, table, name, source) for name in reading.human]
    judged = Study.concat([study, *(part for part in people if part is not None)])
    if left_out:
        notes.append(f"columns left out: {', '.join(left_out)}")
    record = Source(
        location=source.location,
        format="tables",
        sha256=None if source.is_remote else hashlib.sha256(stored).hexdigest(),
        runs=tuple(sorted(study.table["run"].unique().to_pylist())),
        counts=_counts(study),
        columns=tuple(name for name in columns if name != "source"),
        notes=tuple(notes),
        warnings=tuple(warnings),
    )
    return Study(judged.table, (record,))


def parse_table(source: SourceFile, content: bytes) -> pa.Table:
    """Parse the bytes of a table; every column of a CSV stays text."""
    import pyarrow as pa  # noqa: PLC0415 - import panopt stays cheap
    from pyarrow import parquet  # noqa: PLC0415

    try:
        if source.suffix == ".parquet":
            table = parquet.read_table(io.BytesIO(content))
        elif source.suffix in (".jsonl", ".ndjson"):
            table = _parse_jsonl(content, source)
        else:
            table = _parse_csv(content, source)
    except (pa.ArrowException, OSError) as error:
        message = " ".join(str(error).split())
        raise SourceError(f"cannot be parsed ({message})", source=source.location) from error
    names = table.column_names
    for name in names:
        if names.count(name) > 1:
            raise SourceError(f"two columns have the name {name!r}", source=source.location)
    return table


def _content(source: SourceFile) -> tuple[bytes, bytes]:
    """Give the bytes as they are stored, and decompressed."""
    import fsspec  # noqa: PLC0415 - import panopt stays cheap

    if not source.head:
        raise SourceError("the file is empty; a table has a header", source=source.location)
    try:
        with fsspec.open(source.location, "rb") as file:
            stored = bytes(file.read())
        return stored, gzip.decompress(stored) if source.is_gzipped else stored
    except UNREADABLE as error:
        raise SourceError(f"cannot be read ({error})", source=source.location) from error


def _parse_csv(content: bytes, source: SourceFile) -> pa.Table:
    import pyarrow as pa  # noqa: PLC0415
    from pyarrow import csv  # noqa: PLC0415

    form = csv.ParseOptions(
        delimiter="\t" if source.suffix == ".tsv" else ",", newlines_in_values=True
    )
    header = csv.open_csv(io.BytesIO(content), parse_options=form).schema.names
    texts = csv.ConvertOptions(column_types=dict.fromkeys(header, pa.string()))
    return csv.read_csv(io.BytesIO(content), parse_options=form, convert_options=texts)


def _parse_jsonl(content: bytes, source: SourceFile) -> pa.Table:
    import pyarrow as pa  # noqa: PLC0415
    from pyarrow import json as arrow_json  # noqa: PLC0415

    def parse(dates: Sequence[str]) -> pa.Table:
        texts = pa.schema([(name, pa.string()) for name in dates])
        return arrow_json.read_json(
            io.BytesIO(content),
            read_options=arrow_json.ReadOptions(block_size=JSON_BLOCK),
            parse_options=arrow_json.ParseOptions(explicit_schema=texts),
        )

    try:
        table = parse(())
        dates = [field.name for field in table.schema if pa.types.is_temporal(field.type)]
        return parse(dates) if dates else table
    except pa.ArrowInvalid:
        return _from_lines(content, source)  # NaN, mixed types, a byte order mark: the slow way


def _from_lines(content: bytes, source: SourceFile) -> pa.Table:
    """Parse JSON line by line; columns of mixed types become text."""
    import pyarrow as pa  # noqa: PLC0415

    rows = _lines(content, source)
    columns: dict[str, pa.Array] = {}
    for name in dict.fromkeys(name for row in rows for name in row):
        values = [row.get(name) for row in rows]
        try:
            columns[name] = pa.array(values)
        except (pa.ArrowInvalid, pa.ArrowTypeError):
            columns[name] = pa.array(
                [v if v is None or isinstance(v, str) else json.dumps(v) for v in values]
            )
    return pa.table(columns)


def _lines(content: bytes, source: SourceFile) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for number, line in enumerate(content.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            if not isinstance(row, dict):
                raise TypeError(f"but {type(row).__name__}")
        except (TypeError, ValueError, RecursionError) as error:
            raise SourceError(
                f"is no JSON object ({error}); every line holds one",
                source=source.location,
                place=f"line {number}",
            ) from error
        rows.append(row)
    return rows


def _map_columns(
    table: pa.Table, source: SourceFile, reading: Reading
) -> tuple[dict[str, Any], list[str], list[str], list[str]]:
    """Give the study's columns; and notes, the columns left out, and warnings."""
    labels = reading.judge_kind == "human"
    homes = _mapped(table, dict(reading.columns), source, lenient=labels)
    homes |= _recognised(table, homes, reading)
    columns: dict[str, Any] = {}
    for home, names in homes.items():
        columns[home] = _typed(home, _joined(table, names), source, reading)
    warnings = _doubtful(columns)
    if labels:
        columns.setdefault("judge", "human")
    if "label" in columns and "score" not in columns:
        scores = _verdicts(columns["label"])
        if scores is not None:
            columns["score"] = scores
    used = {name for names in homes.values() for name in names} | set(reading.human)
    if {"score_min", "score_max"} <= set(table.column_names) and "scale" not in columns:
        columns["scale"] = _declared_scales(table, columns, source, reading)
        used.update(("score_min", "score_max"))
    _require(columns, table, source, labels=labels)
    columns.setdefault("judge_kind", reading.judge_kind)
    if reading.human:
        columns["judge_kind"] = _with_people(columns, reading.human, table.num_rows)
    if not reading.rationales:
        columns.pop("rationale", None)
    columns["source"] = source.location
    other = [f"{home} = {'+'.join(names)}" for home, names in homes.items() if names != [home]]
    notes = [f"columns read as: {', '.join(other)}"] if other else []
    return columns, notes, [name for name in table.column_names if name not in used], warnings


def _mapped(
    table: pa.Table, mapping: Mapping[str, str], source: SourceFile, *, lenient: bool
) -> dict[str, list[str]]:
    """Look up the columns that the user maps; `lenient` passes over those a table lacks."""
    homes: dict[str, list[str]] = {}
    for home, name in mapping.items():
        if home not in KNOWN:
            raise SourceError(
                f"cannot map to {home!r}, which is no column of a judgment; "
                f"columns are {', '.join(sorted(KNOWN))}",
                source=source.location,
            )
        parts = name.split("+") if name not in table.column_names else [name]
        missing = [part for part in parts if part not in table.column_names]
        if not missing:
            homes[home] = parts
        elif not lenient:
            raise SourceError(
                f"column {missing[0]!r} (mapped to {home!r}) is not in the file; "
                f"columns are {', '.join(table.column_names)}",
                source=source.location,
            )
    return homes


def _recognised(
    table: pa.Table, mapped: Mapping[str, Sequence[str]], reading: Reading
) -> dict[str, list[str]]:
    """Find the study's columns by their own names, then by their other names."""
    taken = {name for names in mapped.values() for name in names} | set(reading.human)
    by_name: dict[str, str] = {}
    for name in table.column_names:
        if name not in taken:
            plain = name.strip().lower().replace(" ", "_").replace("-", "_")
            by_name.setdefault(plain, name)
    homes: dict[str, list[str]] = {}
    own = {home: (home,) for home in Judgment.model_fields if home in KNOWN - {"sample_id"}}
    for wanted in (own, ALIASES, {"sample_id": ("sample_id",)}):
        for home, names in wanted.items():
            found = next((name for name in names if name in by_name), None)
            if home in mapped or home in homes or found is None:
                continue
            if home == "label" and _looks_numeric(table[by_name[found]]):
                if {"score", *ALIASES["score"]} & set(by_name) or "score" in mapped:
                    continue  # a gold value beside the scores, no verdict of the judge
                homes["score"] = [by_name.pop(found)]
            else:
                homes[home] = [by_name.pop(found)]
    return homes


def _joined(table: pa.Table, parts: Sequence[str]) -> Any:  # noqa: ANN401 - an Arrow column
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.compute as pc  # noqa: PLC0415

    if len(parts) == 1:
        return table[parts[0]]
    texts = [table[part].cast(pa.string()) for part in parts]
    return pc.binary_join_element_wise(*texts, "/", null_handling="skip")


def _typed(home: str, values: Any, source: SourceFile, reading: Reading) -> Any:  # noqa: ANN401 - Arrow columns
    """Bring one column to text or number, naming the first row that does not fit."""
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.compute as pc  # noqa: PLC0415

    try:
        if pa.types.is_dictionary(values.type):
            values = values.cast(values.type.value_type)
        if pa.types.is_floating(values.type):
            values = pc.if_else(pc.is_nan(values), pa.scalar(None, values.type), values)
        if home in TEXT_COLUMNS:
            text = values.cast(pa.string())
            filled = pc.if_else(pc.equal(text, ""), pa.scalar(None, pa.string()), text)
            default = {**DEFAULT_TEXT, "judge_kind": reading.judge_kind}.get(home)
            values = filled if default is None else pc.fill_null(filled, default)
        elif home in NUMBER_COLUMNS:
            values = _numbers_of(home, values, source)
        elif home == "cached":
            values = values.cast(pa.bool_())
        if home in DEFAULT_VALUE:
            values = pc.fill_null(values, DEFAULT_VALUE[home])
    except pa.ArrowException as error:
        message = " ".join(str(error).split())
        raise SourceError(f"column {home!r}: {message}", source=source.location) from error
    if home == "judge_kind":
        values = pc.replace_substring_regex(values, "^metric$", "program")
        _check_names(values, JUDGE_KINDS, home, source)
    if home == "status":
        _check_names(values, STATUSES, home, source)
    return values


def _numbers_of(home: str, values: Any, source: SourceFile) -> Any:  # noqa: ANN401 - Arrow columns
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.compute as pc  # noqa: PLC0415

    if pa.types.is_boolean(values.type):
        return values.cast(pa.int8())
    if not (pa.types.is_string(values.type) or pa.types.is_large_string(values.type)):
        return values.cast(pa.float64())
    trimmed = pc.utf8_trim_whitespace(values.cast(pa.string()))
    missing = pc.is_in(pc.utf8_lower(trimmed), pa.array(sorted(MISSING)))
    texts = pc.if_else(missing, pa.scalar(None, pa.string()), trimmed)
    try:
        return texts.cast(pa.float64())
    except pa.ArrowInvalid:
        for row, text in enumerate(texts.to_pylist(), start=1):
            if text is not None and not _is_number(text):
                raise SourceError(
                    f"{home} {text!r} is no number", source=source.location, place=f"row {row}"
                ) from None
        return pa.array([None if text is None else float(text) for text in texts.to_pylist()])


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _looks_numeric(values: Any) -> bool:  # noqa: ANN401 - an Arrow column
    """Tell a column of numbers, typed as such or written in text."""
    import pyarrow as pa  # noqa: PLC0415

    if pa.types.is_floating(values.type) or pa.types.is_integer(values.type):
        return True
    texts = {str(text).strip() for text in values.unique().to_pylist() if text is not None}
    texts = {text for text in texts if text.lower() not in MISSING}
    return bool(texts) and all(map(_is_number, texts))


def _verdicts(labels: Any) -> Any:  # noqa: ANN401 - Arrow columns
    """Read verdicts that everybody reads as pass or fail as 1 and 0; None for other labels."""
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.compute as pc  # noqa: PLC0415

    words = pc.utf8_lower(pc.utf8_trim_whitespace(labels))
    if not set(words.drop_null().unique().to_pylist()) <= set(VERDICTS):
        return None
    codes = pc.index_in(words, pa.array(list(VERDICTS)))
    return pc.take(pa.array(list(VERDICTS.values()), type=pa.float64()), codes)


def _declared_scales(
    table: pa.Table, columns: Mapping[str, Any], source: SourceFile, reading: Reading
) -> Any:  # noqa: ANN401 - an Arrow column
    """Read ``score_min``/``score_max`` as a declared range; kinds by the scores of the range."""
    import pyarrow as pa  # noqa: PLC0415

    def numbers(values: Any) -> Any:  # noqa: ANN401 - Arrow columns
        return values.cast(pa.float64()).to_numpy(zero_copy_only=False)

    ends = [_typed("score", table[name], source, reading) for name in ("score_min", "score_max")]
    low, high = map(numbers, ends)
    score = numbers(columns["score"]) if "score" in columns else np.full(len(low), np.nan)
    bounded = np.isfinite(low) & np.isfinite(high) & (low < high)
    ranges, code = np.unique(np.stack([low, high], axis=1)[bounded], axis=0, return_inverse=True)
    codes = np.full(len(low), -1, dtype=np.int32)
    codes[bounded] = code.ravel()
    texts = []
    for i, (lo, hi) in enumerate(ranges):
        x = score[(codes == i) & np.isfinite(score)]
        whole = bool(np.all(x == np.round(x))) and hi - lo < MOST_LEVELS
        texts.append(_range_text(float(lo), float(hi), whole=whole))
    return pa.DictionaryArray.from_arrays(
        pa.array(codes, mask=codes < 0, type=pa.int32()), pa.array(texts, type=pa.string())
    )


def _range_text(low: float, high: float, *, whole: bool) -> str:
    if whole and (low, high) == (0.0, 1.0):
        return str(Scale("binary"))
    whole = whole and high - low == round(high - low) and low == round(low)
    return str(Scale("ordinal" if whole else "continuous", low, high))


def _doubtful(columns: dict[str, Any]) -> list[str]:
    """Leave out confidences that are no probabilities, and say so."""
    import pyarrow.compute as pc  # noqa: PLC0415

    if "confidence" not in columns:
        return []
    ends = pc.min_max(columns["confidence"]).as_py()
    if ends["min"] is None or (ends["min"] >= 0 and ends["max"] <= 1):
        return []
    del columns["confidence"]
    return [f"column confidence left out: it goes from {ends['min']:g} to {ends['max']:g}, not 0-1"]


def _require(
    columns: Mapping[str, Any], table: pa.Table, source: SourceFile, *, labels: bool
) -> None:
    """Refuse a table without a column that says who judged what."""
    present = ", ".join(map(repr, table.column_names))
    for home in ("item", "judge"):
        if home not in columns:
            raise SourceError(
                f"needs a column {home} (or {', '.join(ALIASES[home])}, or --column {home}=NAME); "
                f"columns are {present}",
                source=source.location,
            )
    if not {"score", "label"} & set(columns):
        what = "labels need" if labels else "needs"
        raise SourceError(
            f"{what} a column score or label; columns are {present}", source=source.location
        )


def _with_people(columns: Mapping[str, Any], people: Sequence[str], n_rows: int) -> Any:  # noqa: ANN401 - an Arrow column
    """Call the judges that are `people` human."""
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.compute as pc  # noqa: PLC0415

    kinds = columns["judge_kind"]
    kinds = pa.repeat(kinds, n_rows) if isinstance(kinds, str) else kinds
    if isinstance(columns["judge"], str):
        return kinds
    named = pc.is_in(columns["judge"], pa.array(list(people), type=pa.string()))
    return pc.if_else(named, "human", kinds)


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

    if name not in table.column_names:
        return None
    scores = _verdicts_or_numbers(name, table[name], source)
    score = np.asarray(scores.cast(pa.float64()).to_numpy(zero_copy_only=False))
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


def _verdicts_or_numbers(name: str, values: Any, source: SourceFile) -> Any:  # noqa: ANN401 - Arrow columns
    import pyarrow as pa  # noqa: PLC0415

    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    if not _looks_numeric(values) and not pa.types.is_boolean(values.type):
        scores = _verdicts(values.cast(pa.string()))
        if scores is not None:
            return scores
    return _numbers_of(name, values, source)


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


@hookimpl
def panopt_suffixes() -> tuple[str, ...]:
    """Name the endings of tables."""
    return SUFFIXES


@hookimpl
def panopt_read(source: SourceFile, reading: Reading) -> Study | None:
    """Read a table; None where the name does not end like one."""
    return read_table(source, reading) if source.suffix in SUFFIXES else None
