"""Columns of judgments that grow row by row: some 35 bytes each, plus the rationales.

Arrow arrays are built from buffers here: every other way makes pyarrow import pandas where that
is installed, which costs a second and 50 MB.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

__all__ = ["BATCH", "Columns", "Verdict", "coded", "empty", "numbers", "texts"]

BATCH = 1024

#: response, place, judge's own name, score, label, status, prompt, tokens read, tokens written
Verdict = tuple[int, int, int, float, int, int, int, int, int]
_TYPES = {
    "response": "i",
    "place": "i",
    "judge": "i",
    "score": "d",
    "label": "b",
    "status": "b",
    "prompt": "i",
    "input_tokens": "i",
    "output_tokens": "i",
}
_NUMBERS: dict[str, pa.DataType] = {
    "i": pa.int32(),
    "l": pa.int64(),
    "d": pa.float64(),
    "b": pa.int8(),
}


class Columns:
    """The judgments of a file; every column has one entry a judgment.

    Parameters
    ----------
    rationales
        Keep what the judges wrote.

    Attributes
    ----------
    cached, errors, confidence
        By number of the judgment: copies from a cache, texts of errors, stated confidences.
    """

    def __init__(self, *, rationales: bool) -> None:
        self.judges: dict[str, int] = {"": 0}
        self.prompts: dict[str, int] = {}
        self.cached = array("i")
        self.errors: dict[int, str] = {}
        self.confidence: dict[int, float] = {}
        self._keep = rationales
        self._arrays = {name: array(code) for name, code in _TYPES.items()}
        self._size = 0
        self._batch: list[Verdict] = []
        self._reasons: list[str | None] = []
        self._packed: list[pa.Array] = []

    def __len__(self) -> int:
        """Count the judgments."""
        return self._size + len(self._batch)

    def append(self, verdict: Verdict, reason: Any) -> None:  # noqa: ANN401 - any JSON
        """Take in one judgment, and what the judge wrote."""
        self._batch.append(verdict)
        if self._keep:
            self._reasons.append(reason if type(reason) is str and reason else None)
        if len(self._batch) >= BATCH:
            self._pack()

    def state_confidence(self, stated: Any) -> None:  # noqa: ANN401 - any JSON
        """Note the confidence that the judge of the next judgment stated."""
        if isinstance(stated, int | float) and 0 <= stated <= 1:
            self.confidence[len(self)] = float(stated)

    def column(self, name: str) -> NDArray[Any]:
        """Give a column by name, as numbers."""
        self._pack()
        column = self._arrays[name]
        return np.frombuffer(column, dtype=np.dtype(column.typecode))

    def pop(self, name: str) -> NDArray[Any]:
        """Give a column and forget it."""
        values = self.column(name)
        del self._arrays[name]
        return values

    def rationales(self) -> pa.ChunkedArray | None:
        """Give what the judges wrote; None where it was not kept."""
        self._pack()
        return pa.chunked_array(self._packed, type=pa.large_string()) if self._keep else None

    def _pack(self) -> None:
        if not self._batch:
            return
        columns = zip(*self._batch, strict=True)
        for column, values in zip(self._arrays.values(), columns, strict=True):
            column.extend(values)
        self._size += len(self._batch)
        self._batch = []
        if self._keep:
            self._packed.append(texts(self._reasons, large=True))
            self._reasons = []


def numbers(values: NDArray[Any], missing: NDArray[np.bool_] | None = None) -> pa.Array:
    """Build a number column of the array's own type; `missing` marks empty cells."""
    values = np.ascontiguousarray(values)
    kind = _NUMBERS[values.dtype.char]
    return pa.Array.from_buffers(kind, len(values), [_validity(missing), pa.py_buffer(values)])


def coded(codes: NDArray[Any], names: Sequence[str | None] | pa.Array) -> pa.DictionaryArray:
    """Build a dictionary column; a negative code is an empty cell."""
    codes = np.ascontiguousarray(codes, dtype=np.int32)
    missing = codes < 0
    indices = numbers(np.where(missing, 0, codes), missing) if missing.any() else numbers(codes)
    words = names if isinstance(names, pa.Array) else texts(names)
    return pa.DictionaryArray.from_arrays(indices, words)


def texts(words: Sequence[str | None], *, large: bool = False) -> pa.Array:
    """Build a text column; None is an empty cell."""
    encoded = [word.encode("utf-8", "replace") if word else b"" for word in words]
    offsets = np.zeros(len(encoded) + 1, dtype=np.int64 if large else np.int32)
    np.cumsum([len(word) for word in encoded], out=offsets[1:])
    missing = np.fromiter((word is None for word in words), dtype=np.bool_, count=len(encoded))
    kind = pa.large_string() if large else pa.string()
    content = pa.py_buffer(b"".join(encoded))
    validity = _validity(missing) if missing.any() else None
    return pa.Array.from_buffers(kind, len(encoded), [validity, pa.py_buffer(offsets), content])


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


def _validity(missing: NDArray[np.bool_] | None) -> pa.Buffer | None:
    return None if missing is None else pa.py_buffer(np.packbits(~missing, bitorder="little"))
