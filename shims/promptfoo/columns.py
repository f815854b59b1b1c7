"""Columns of judgments that grow row by row: some 35 bytes each, plus the rationales."""

from __future__ import annotations

from array import array
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from panopt.records.arrow import texts

__all__ = ["BATCH", "Columns", "Verdict"]

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
