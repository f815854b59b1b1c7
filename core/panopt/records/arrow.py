"""Arrow columns to numpy and back by their buffers, without pandas.

Every other way (``pa.array``, ``pa.scalar``, ``to_numpy``) makes pyarrow import pandas where that
is installed, which costs a second and 40 MB.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

__all__ = ["coded", "codes_of", "empty", "flags", "floats_of", "numbers", "scalar", "texts"]

_NUMBERS: dict[str, pa.DataType] = {
    "i": pa.int32(),
    "l": pa.int64(),
    "d": pa.float64(),
    "b": pa.int8(),
}
_WIDTHS: dict[pa.DataType, Any] = {
    pa.int8(): np.int8,
    pa.int16(): np.int16,
    pa.int32(): np.int32,
    pa.int64(): np.int64,
    pa.uint8(): np.uint8,
    pa.float32(): np.float32,
    pa.float64(): np.float64,
}


def numbers(values: NDArray[Any], missing: NDArray[np.bool_] | None = None) -> pa.Array:
    """Build a number column of the array's own type; `missing` marks empty cells."""
    values = np.ascontiguousarray(values)
    kind = _NUMBERS[values.dtype.char]
    validity = None if missing is None else _bits(~missing)
    return pa.Array.from_buffers(kind, len(values), [validity, pa.py_buffer(values)])


def coded(codes: NDArray[Any], names: Sequence[str | None] | pa.Array) -> pa.DictionaryArray:
    """Build a dictionary column; a negative code is an empty cell."""
    codes = np.ascontiguousarray(codes, dtype=np.int32)
    missing = codes < 0
    indices = numbers(np.where(missing, 0, codes), missing) if missing.any() else numbers(codes)
    words = names if isinstance(names, pa.Array) else texts(names)
    return pa.DictionaryArray.from_arrays(indices, words)


def texts(words: Sequence[str | None], *, large: bool = False) -> pa.Array:
    """Build a text column; None is an empty cell, and half a character becomes ``?``."""
    encoded = [word.encode("utf-8", "replace") if word else b"" for word in words]
    offsets = np.zeros(len(encoded) + 1, dtype=np.int64 if large else np.int32)
    np.cumsum([len(word) for word in encoded], out=offsets[1:])
    missing = np.fromiter((word is None for word in words), dtype=np.bool_, count=len(encoded))
    kind = pa.large_string() if large else pa.string()
    content = pa.py_buffer(b"".join(encoded))
    validity = _bits(~missing) if missing.any() else None
    return pa.Array.from_buffers(kind, len(encoded), [validity, pa.py_buffer(offsets), content])


def flags(marked: NDArray[np.bool_]) -> pa.Array:
    """Build a column of booleans."""
    return pa.Array.from_buffers(pa.bool_(), len(marked), [None, _bits(marked)])


def scalar(value: str | float) -> pa.Scalar:
    """Build one value, to compare a column with."""
    if isinstance(value, str):
        return texts([value])[0]
    return numbers(np.array([value]))[0]


def empty(field: pa.Field, size: int, zeros: pa.Buffer) -> pa.Array:
    """Build a column of empty cells on a shared buffer of at least ``8 * size + 8`` zeros."""
    kind = field.type
    if pa.types.is_dictionary(kind):
        indices = pa.Array.from_buffers(kind.index_type, size, [zeros, zeros])
        return pa.DictionaryArray.from_arrays(indices, texts([]))
    if pa.types.is_list(kind):
        nothing = pa.nulls(0, kind.value_type)
        return pa.Array.from_buffers(kind, size, [zeros, zeros], children=[nothing])
    if pa.types.is_large_string(kind):
        return pa.Array.from_buffers(kind, size, [zeros, zeros, zeros.slice(0, 0)])
    return pa.Array.from_buffers(kind, size, [zeros, zeros])


def codes_of(column: pa.Array | pa.ChunkedArray) -> NDArray[np.int32]:
    """Give the codes of a dictionary column, -1 where it is empty.

    The array may share the column's memory: treat it as read-only.
    """
    parts = []
    for chunk in _chunks(column):
        values = _values(chunk.indices)
        if chunk.indices.null_count:
            values = np.where(_valid(chunk.indices), values, -1)
        parts.append(values.astype(np.int32, copy=False))
    return parts[0] if len(parts) == 1 else np.concatenate([np.empty(0, np.int32), *parts])


def floats_of(column: pa.Array | pa.ChunkedArray) -> NDArray[np.float64]:
    """Give a column of numbers as floats, NaN where it is empty; read-only."""
    parts = []
    for whole in _chunks(column):
        known = whole.type in _WIDTHS
        chunk = whole if known else whole.cast(pa.int8() if whole.type == pa.bool_() else "double")
        values = _values(chunk).astype(np.float64, copy=False)
        if chunk.null_count:
            values = np.where(_valid(chunk), values, np.nan)
        parts.append(values)
    return parts[0] if len(parts) == 1 else np.concatenate([np.empty(0), *parts])


def _chunks(column: pa.Array | pa.ChunkedArray) -> list[pa.Array]:
    return list(column.chunks) if isinstance(column, pa.ChunkedArray) else [column]


def _values(array: pa.Array) -> NDArray[Any]:
    kind, content = np.dtype(_WIDTHS[array.type]), array.buffers()[-1]
    if not len(array) or content is None:
        return np.zeros(len(array), dtype=kind)
    values = np.frombuffer(content, kind, count=len(array), offset=array.offset * kind.itemsize)
    values.flags.writeable = False
    return values


def _valid(array: pa.Array) -> NDArray[np.bool_]:
    bits = np.frombuffer(array.buffers()[0], dtype=np.uint8)
    first, last = array.offset, array.offset + len(array)
    found = np.unpackbits(bits[first // 8 : (last + 7) // 8], bitorder="little")
    return found[first % 8 : first % 8 + len(array)].view(np.bool_)


def _bits(marked: NDArray[np.bool_]) -> pa.Buffer:
    return pa.py_buffer(np.packbits(marked, bitorder="little"))
