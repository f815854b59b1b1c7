"""Bring loose columns to the schema of a study."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from panopt.errors import AskError, NotALogError, SourceError
from panopt.records.arrow import coded, codes_of, flags, numbers, scalar
from panopt.records.judgment import JUDGE_KINDS, STATUSES, is_margin
from panopt.records.scale import Scale
from panopt.records.schema import SCHEMA

__all__ = ["to_table"]

#: What a required column holds where the source does not give it.
DEFAULTS: dict[str, Any] = {
    "run": "",
    "system": "",
    "epoch": 1,
    "criterion": "score",
    "judge_kind": "llm",
    "repeat": 0,
    "status": "ok",
    "cached": False,
    "source": "",
}

#: One value for all rows, rather than a column.
SINGLE = (str, int, float, bool, np.generic)

#: The names a column may hold.
ALLOWED: dict[str, tuple[str, ...]] = {"judge_kind": JUDGE_KINDS, "status": STATUSES}

#: Least and largest value of a column, as in :class:`panopt.records.judgment.Judgment`; tables
#: may count epochs from 0.
RANGES: dict[str, tuple[float, float | None]] = {
    "confidence": (0, 1),
    "order": (0, 1),
    "repeat": (0, None),
    "epoch": (0, None),
    "response_length": (0, None),
    "input_tokens": (0, None),
    "output_tokens": (0, None),
    "cost": (0, None),
    "latency": (0, None),
}


def to_table(columns: Mapping[str, Any], *, source: str = "columns") -> pa.Table:
    """Bring columns (sequences, numpy or Arrow arrays, or one value for all rows) to the schema.

    Dictionaries are brought to the order in which their values appear, so that the same rows
    give the same table however they were encoded.

    Parameters
    ----------
    columns
        By the names of :data:`SCHEMA`; ``item`` and ``judge`` are required. NaN scores count as
        missing. Rows that have neither score nor label are ``failed``, unless they abstained;
        what a judge that abstained or failed may have left as score or label is dropped.
    source
        Named in errors.

    Raises
    ------
    SourceError
        For an unknown or missing column, unequal lengths, values of the wrong type, and values
        :class:`panopt.records.judgment.Judgment` refuses; with the row where there is one.
    """
    unknown = sorted(set(columns) - set(SCHEMA.names))
    if unknown:
        known = ", ".join(SCHEMA.names)
        raise SourceError(f"unknown column {unknown[0]!r}; known columns: {known}", source=source)
    for name in ("item", "judge"):
        if columns.get(name) is None:
            raise NotALogError(f"column {name!r} is required", source=source)
    n_rows = _length(columns, source)
    empty: dict[pa.DataType, pa.ChunkedArray] = {}  # empty columns of a type are one array
    arrays: dict[str, pa.ChunkedArray] = {}
    for field in SCHEMA:
        values = columns.get(field.name)
        if values is None and field.name not in DEFAULTS:
            if field.type not in empty:
                empty[field.type] = pa.chunked_array([pa.nulls(n_rows, field.type)])
            arrays[field.name] = empty[field.type]
        else:
            values = DEFAULTS[field.name] if values is None else values
            arrays[field.name] = _column(field, values, n_rows, source)
    for field in SCHEMA:
        checked = _probabilities(arrays, source) if field.name == "confidence" else None
        _check_values(field, arrays[field.name] if checked is None else checked, source)
    _keep_whole(arrays)
    return pa.table([arrays[name] for name in SCHEMA.names], schema=SCHEMA)


def _keep_whole(arrays: dict[str, pa.ChunkedArray]) -> None:
    """Make status, score and label agree: a verdict where and only where the status is ok."""
    score = arrays["score"]
    if pc.any(pc.is_nan(score)).as_py():
        score = pc.if_else(pc.is_nan(score), pa.nulls(1, pa.float64())[0], score)
    label, ok = arrays["label"], _is_value(arrays["status"], "ok")
    if not pc.all(ok).as_py():
        score = pc.if_else(ok, score, pa.nulls(1, score.type)[0])
        label = _masked(label, pc.invert(ok))
    arrays["score"], arrays["label"] = score, label
    if score.null_count:
        empty = pc.and_(ok, pc.and_(pc.is_null(score), pc.is_null(label)))
        if pc.any(empty).as_py():
            words = pc.if_else(empty, scalar("failed"), arrays["status"].cast(pa.string()))
            arrays["status"] = words.dictionary_encode()


def _is_value(array: pa.ChunkedArray, value: str) -> pa.ChunkedArray:
    """Compare a dictionary column of one dictionary with a value, by its code."""
    if not len(array):
        return pa.chunked_array([pa.nulls(0, pa.bool_())])
    names = array.chunk(0).dictionary.to_pylist()
    code = numbers(np.array([names.index(value) if value in names else -1], dtype=np.int32))[0]
    chunks = [pc.equal(chunk.indices, code) for chunk in array.chunks]
    return pa.chunked_array(chunks)


def _masked(array: pa.ChunkedArray, drop: pa.ChunkedArray) -> pa.ChunkedArray:
    if array.null_count == len(array):
        return array
    whole, mask = array.combine_chunks(), drop.combine_chunks()
    codes = pc.if_else(mask, pa.nulls(1, pa.int32())[0], whole.indices)
    return _canonical(pa.DictionaryArray.from_arrays(codes, whole.dictionary))


def _check_values(field: pa.Field, array: pa.ChunkedArray, source: str) -> None:
    """Refuse what :class:`panopt.records.judgment.Judgment` refuses, naming the first row."""
    if not len(array):
        return
    if not field.nullable and array.null_count:
        row = pc.index(pc.is_null(array), value=True).as_py()
        raise SourceError(
            f"column {field.name!r} is empty; every row needs one",
            source=source,
            place=f"row {row + 1}",
        )
    if field.name in ("item", "judge", "criterion", "scale", *ALLOWED):
        names = array.chunk(0).dictionary
        if field.name in ("item", "judge", "criterion"):
            names = names.filter(pc.equal(names, scalar("")))
        for name in names.to_pylist():
            rule = _broken_rule(field.name, name)
            if rule is not None:
                _refuse(field, array, _is_value(array, name), rule, source)
    if field.name in RANGES and array.null_count < len(array):
        low, high = RANGES[field.name]
        _refuse(field, array, pc.less(array, scalar(low)), f"it must be at least {low}", source)
        if high is not None:
            _refuse(
                field, array, pc.greater(array, scalar(high)), f"it must be at most {high}", source
            )


def _probabilities(arrays: Mapping[str, pa.ChunkedArray], source: str) -> pa.ChunkedArray | None:
    """Give the confidences that must lie in [0, 1]: all, None, unless some are margins."""
    told = arrays["confidence_source"]
    if not len(told) or told.null_count == len(told):
        return None
    names = [name for name in told.chunk(0).dictionary.to_pylist() if is_margin(name)]
    if not names:
        return None
    margin = pc.is_in(told.cast(pa.string()), value_set=pa.array(names))
    confidence = arrays["confidence"]
    infinite = pc.and_(margin, pc.is_inf(confidence))
    _refuse(SCHEMA.field("confidence"), confidence, infinite, "a margin must be finite", source)
    return pc.if_else(margin, pa.nulls(1, pa.float64())[0], confidence)


def _broken_rule(column: str, name: str) -> str | None:
    """Say which rule a name in a column breaks; None where it breaks none."""
    if column in ALLOWED:
        allowed = ALLOWED[column]
        return None if name in allowed else f"it must be one of {', '.join(allowed)}"
    if column == "scale":
        try:
            Scale.parse(name)
        except AskError as error:
            return str(error)
        return None
    return None if name else "every row needs a name there"


def _refuse(
    field: pa.Field, array: pa.ChunkedArray, bad: pa.ChunkedArray, rule: str, source: str
) -> None:
    if pc.any(bad).as_py():
        row = pc.index(bad, value=True).as_py()
        raise SourceError(
            f"column {field.name!r} has {array[row].as_py()!r}; {rule}",
            source=source,
            place=f"row {row + 1}",
        )


def _length(columns: Mapping[str, Any], source: str) -> int:
    lengths = {
        name: len(values)
        for name, values in columns.items()
        if values is not None and not isinstance(values, SINGLE)
    }
    if not lengths:
        return 1
    n_rows = next(iter(lengths.values()))
    for name, length in lengths.items():
        if length != n_rows:
            raise SourceError(
                f"column {name!r} has {length} rows where the others have {n_rows}", source=source
            )
    return n_rows


def _column(field: pa.Field, values: Any, n_rows: int, source: str) -> pa.ChunkedArray:  # noqa: ANN401 - any column
    try:
        if isinstance(values, SINGLE):
            return _constant(field, values, n_rows)
        return _converted(field, values)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        first = str(error).splitlines()[0]
        raise SourceError(f"column {field.name!r}: {first}", source=source) from error


def _constant(field: pa.Field, value: Any, n_rows: int) -> pa.ChunkedArray:  # noqa: ANN401 - any value
    if isinstance(value, np.generic):
        value = value.item()
    if pa.types.is_dictionary(field.type):
        return pa.chunked_array([coded(np.zeros(n_rows, dtype=np.int32), [str(value)])])
    if isinstance(value, int | float):
        constant = numbers(np.full(n_rows, float(value)))
        return pa.chunked_array([constant.cast(field.type)])
    return pa.chunked_array([pa.repeat(pa.scalar(value).cast(field.type), n_rows)])


def _converted(field: pa.Field, values: Any) -> pa.ChunkedArray:  # noqa: ANN401 - any column
    if isinstance(values, np.ndarray) and values.dtype.kind in "OUS":
        values = values.tolist()
    elif isinstance(values, np.ndarray) and values.ndim == 1:
        values = _by_buffer(values)
    array = values if isinstance(values, pa.Array | pa.ChunkedArray) else pa.array(values)
    chunked = array if isinstance(array, pa.ChunkedArray) else pa.chunked_array([array])
    if not pa.types.is_dictionary(field.type):
        if pa.types.is_dictionary(chunked.type):
            chunked = chunked.cast(chunked.type.value_type)
        return chunked.cast(field.type)
    if not pa.types.is_dictionary(chunked.type):
        chunked = chunked.cast(pa.string()).dictionary_encode()
    elif chunked.type != field.type:
        chunked = chunked.cast(field.type)
    whole = chunked.unify_dictionaries().combine_chunks()
    return pa.chunked_array([_canonical(whole)], type=field.type)


def _by_buffer(values: NDArray[Any]) -> pa.Array | NDArray[Any]:
    if values.dtype == np.bool_:
        return flags(values)
    return numbers(values) if values.dtype.char in "bild" else values


def _canonical(array: pa.DictionaryArray) -> pa.DictionaryArray:
    """Renumber the values of a dictionary by their first row; drop unused and repeated ones."""
    names = array.dictionary
    if names.null_count or len(pc.unique(names)) < len(names):
        encoded = array.cast(pa.string()).dictionary_encode()
        return encoded.combine_chunks() if isinstance(encoded, pa.ChunkedArray) else encoded
    codes = codes_of(array)
    first = np.full(len(names) + 1, len(codes), dtype=np.int64)
    first[codes[::-1]] = np.arange(len(codes))[::-1]  # the last written, the first row, stays
    order = np.argsort(first[:-1], kind="stable")
    used = order[first[order] < len(codes)]
    if len(used) == len(names) and (used == np.arange(len(names))).all():
        return array
    recode = np.full(len(names) + 1, -1, dtype=np.int32)
    recode[used] = np.arange(len(used), dtype=np.int32)
    fresh = recode[codes]
    return coded(fresh, names.take(numbers(used)))
