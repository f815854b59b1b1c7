"""The columns of a study: one Arrow schema, and how loose columns are brought to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from panopt.errors import SourceError

__all__ = ["SCHEMA", "to_table"]

_ID = pa.dictionary(pa.int32(), pa.string())

SCHEMA: pa.Schema = pa.schema(
    [
        pa.field("run", _ID, nullable=False),
        pa.field("system", _ID, nullable=False),
        pa.field("item", _ID, nullable=False),
        pa.field("epoch", pa.int32(), nullable=False),
        pa.field("criterion", _ID, nullable=False),
        pa.field("judge", _ID, nullable=False),
        pa.field("judge_kind", _ID, nullable=False),
        pa.field("repeat", pa.int32(), nullable=False),
        pa.field("order", pa.int8()),
        pa.field("score", pa.float64()),
        pa.field("label", _ID),
        pa.field("scale", _ID),
        pa.field("status", _ID, nullable=False),
        pa.field("error", _ID),
        pa.field("confidence", pa.float64()),
        pa.field("confidence_source", _ID),
        pa.field("probabilities", pa.list_(pa.float64())),
        pa.field("rationale", pa.large_string()),
        pa.field("prompt_hash", _ID),
        pa.field("response_hash", _ID),
        pa.field("input_tokens", pa.int64()),
        pa.field("output_tokens", pa.int64()),
        pa.field("cost", pa.float64()),
        pa.field("latency", pa.float64()),
        pa.field("cached", pa.bool_(), nullable=False),
        pa.field("family", _ID),
        pa.field("cluster", _ID),
        pa.field("source", _ID, nullable=False),
        pa.field("sample_id", _ID),
        pa.field("score_name", _ID),
    ]
)

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


def to_table(columns: Mapping[str, Any], *, source: str = "columns") -> pa.Table:
    """Bring columns (sequences, numpy or Arrow arrays, or one value for all rows) to the schema.

    Parameters
    ----------
    columns
        By the names of :data:`SCHEMA`; ``item`` and ``judge`` are required. NaN scores count as
        missing. Without a ``status``, rows that have neither score nor label are ``failed``.
    source
        Named in errors.

    Raises
    ------
    SourceError
        For an unknown or missing column, unequal lengths, or values of the wrong type.
    """
    unknown = sorted(set(columns) - set(SCHEMA.names))
    if unknown:
        known = ", ".join(SCHEMA.names)
        raise SourceError(f"unknown column {unknown[0]!r}; known columns: {known}", source=source)
    for name in ("item", "judge"):
        if columns.get(name) is None:
            raise SourceError(f"column {name!r} is required", source=source)
    n_rows = _length(columns, source)
    arrays = {
        field.name: _column(field, columns.get(field.name), n_rows, source) for field in SCHEMA
    }
    score = arrays["score"]
    arrays["score"] = pc.if_else(pc.is_nan(score), pa.scalar(None, pa.float64()), score)
    if columns.get("status") is None:
        empty = pc.and_(pc.is_null(arrays["score"]), pc.is_null(arrays["label"]))
        arrays["status"] = pc.if_else(empty, "failed", "ok").dictionary_encode()
    table = pa.table([arrays[name] for name in SCHEMA.names], schema=SCHEMA)
    for field in SCHEMA:
        if not field.nullable and table.column(field.name).null_count:
            row = pc.index(pc.is_null(table.column(field.name)), value=True).as_py()
            raise SourceError(
                f"column {field.name!r} is empty; every row needs one",
                source=source,
                place=f"row {row + 1}",
            )
    return table


def _length(columns: Mapping[str, Any], source: str) -> int:
    lengths = {
        name: len(values)
        for name, values in columns.items()
        if values is not None and not isinstance(values, str | int | float | bool)
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
    if values is None:
        values = DEFAULTS.get(field.name)
    try:
        if values is None or isinstance(values, str | int | float | bool):
            return _constant(field, values, n_rows)
        return _converted(field, values)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
        first = str(error).splitlines()[0]
        raise SourceError(f"column {field.name!r}: {first}", source=source) from error


def _constant(field: pa.Field, value: Any, n_rows: int) -> pa.ChunkedArray:  # noqa: ANN401 - any value
    if pa.types.is_dictionary(field.type):
        if value is None:
            return pa.chunked_array([pa.nulls(n_rows, field.type)])
        codes = pa.array(np.zeros(n_rows, dtype=np.int32))
        array = pa.DictionaryArray.from_arrays(codes, pa.array([str(value)]))
        return pa.chunked_array([array])
    return pa.chunked_array([pa.repeat(pa.scalar(value, field.type), n_rows)])


def _converted(field: pa.Field, values: Any) -> pa.ChunkedArray:  # noqa: ANN401 - any column
    if isinstance(values, np.ndarray) and values.dtype.kind in "OUS":
        values = values.tolist()  # Arrow would import pandas to look at an array of objects
    array = values if isinstance(values, pa.Array | pa.ChunkedArray) else pa.array(values)
    chunked = array if isinstance(array, pa.ChunkedArray) else pa.chunked_array([array])
    if not pa.types.is_dictionary(field.type):
        return chunked.cast(field.type)
    if not pa.types.is_dictionary(chunked.type):
        chunked = chunked.cast(pa.string()).dictionary_encode()
    elif chunked.type != field.type:
        chunked = chunked.cast(pa.dictionary(pa.int32(), pa.string()))
    return chunked.unify_dictionaries()
