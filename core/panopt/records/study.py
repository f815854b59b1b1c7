"""A study: every judgment that was read, as columns."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from panopt.errors import AskError
from panopt.records.arrow import codes_of, flags, floats_of
from panopt.records.judgment import Judgment
from panopt.records.matrix import Matrix, build_matrix
from panopt.records.schema import SCHEMA
from panopt.records.source import Source

__all__ = ["Study"]


@dataclass(frozen=True)
class Study:
    """All judgments of one analysis, and the sources they came from.

    Never mutated: every method that changes something gives a new study. Memory is a few tens
    of bytes a judgment (ids are dictionary-encoded), plus the rationales.

    Parameters
    ----------
    table
        Arrow table of :data:`panopt.records.schema.SCHEMA`.
    sources
        One entry a file read.
    """

    table: pa.Table
    sources: tuple[Source, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a table of another schema."""
        schema = self.table.schema
        if (schema.names, schema.types) != (SCHEMA.names, SCHEMA.types):
            raise TypeError("a study's table has the columns of panopt.records.schema.SCHEMA")

    def __len__(self) -> int:
        """Count the judgments."""
        return int(self.table.num_rows)

    @classmethod
    def from_columns(
        cls,
        columns: Mapping[str, Any],
        *,
        sources: Sequence[Source] = (),
        source: str = "columns",
    ) -> Study:
        """Build a study from columns; see :func:`panopt.records.columns.to_table`.

        Examples
        --------
        >>> study = Study.from_columns({"item": ["a", "b"], "judge": "gpt", "score": [1.0, 0.0]})
        >>> len(study), study.criteria
        (2, ('score',))
        """
        from panopt.records.columns import to_table  # noqa: PLC0415 - reading logs may do without

        return cls(to_table(columns, source=source), tuple(sources))

    @classmethod
    def from_judgments(cls, judgments: Iterable[Judgment]) -> Study:
        """Build a study from checked rows; for shims whose files are small."""
        rows = [judgment.model_dump() for judgment in judgments]
        columns = {
            field.name: pa.array([row[field.name] for row in rows], type=_plain(field.type))
            for field in SCHEMA
        }
        return cls.from_columns(columns)

    @classmethod
    def concat(cls, studies: Sequence[Study]) -> Study:
        """Put studies one after the other."""
        if not studies:
            return cls(SCHEMA.empty_table())
        table = pa.concat_tables([study.table for study in studies]).unify_dictionaries()
        return cls(table, tuple(source for study in studies for source in study.sources))

    @property
    def criteria(self) -> tuple[str, ...]:
        """Names of what was judged by other than humans (all, where only humans judged)."""
        criterion, names = self.codes("criterion")
        kinds, kind_names = self.codes("judge_kind")
        human = np.isin(kinds, [i for i, name in enumerate(kind_names) if name == "human"])
        used = np.unique(criterion if human.all() else criterion[~human])
        return tuple(sorted(names[code] for code in used.tolist()))

    def where(self, column: str, values: str | Iterable[str]) -> Study:
        """Keep the rows whose `column` is one of `values`."""
        wanted = {values} if isinstance(values, str) else set(values)
        codes, names = self.codes(column)
        keep = np.isin(codes, [i for i, name in enumerate(names) if name in wanted])
        return self.filter(keep)

    def filter(self, keep: NDArray[np.bool_]) -> Study:
        """Keep the rows marked True."""
        if keep.all():
            return self
        return Study(self.table.filter(flags(keep)), self.sources)

    def codes(self, column: str) -> tuple[NDArray[np.int32], list[str]]:
        """Give a dictionary column as codes (-1 where empty) and the names they stand for."""
        chunked = self.table[column].unify_dictionaries()
        if chunked.num_chunks == 0:
            return np.empty(0, dtype=np.int32), []
        return codes_of(chunked), chunked.chunk(0).dictionary.to_pylist()

    def numbers(self, column: str) -> NDArray[np.float64]:
        """Give a number column as floats, NaN where empty."""
        return floats_of(self.table[column])

    def group(self, columns: Sequence[str]) -> NDArray[np.int64]:
        """Give each row the number of its combination of values in some columns."""
        key = np.zeros(len(self), dtype=np.int64)
        if not len(self):
            return key
        for column in columns:
            if pa.types.is_dictionary(SCHEMA.field(column).type):
                codes = self.codes(column)[0].astype(np.int64)
            else:
                numbers = self.numbers(column)
                least = np.fmin.reduce(numbers)
                missing = -1.0 if np.isnan(least) else least - 1
                codes = np.where(np.isnan(numbers), missing, numbers).astype(np.int64)
            codes -= codes.min()
            width = int(codes.max()) + 1
            if int(key.max()) > 2**62 // width:
                key = _numbered(key)
            key = key * width + codes
        return _numbered(key)

    def with_column(self, column: str, values: Any) -> Study:  # noqa: ANN401 - any column
        """Replace one column."""
        field = SCHEMA.field(column)
        index = SCHEMA.get_field_index(column)
        array = values if isinstance(values, pa.ChunkedArray) else pa.chunked_array([values])
        if array.type != field.type:
            array = array.cast(field.type)
        return Study(self.table.set_column(index, field, array), self.sources)

    def matrix(self, criterion: str) -> Matrix:
        """Give the numpy view of one criterion; the one bridge to the numerics.

        Raises
        ------
        AskError
            For a criterion nobody judged.
        """
        if criterion not in self.criteria:
            known = ", ".join(repr(name) for name in self.criteria) or "none"
            raise AskError(f"criterion {criterion!r} was not judged; judged criteria: {known}")
        return build_matrix(self.where("criterion", criterion), criterion)

    @property
    def digest(self) -> str:
        """Hash of all judgments but for their files and rationales: same rows, same digest.

        However the columns are cut into chunks, or their names numbered.
        """
        import pyarrow.compute as pc  # noqa: PLC0415 - reading does without

        hasher = hashlib.sha256(str(len(self)).encode())
        for field in SCHEMA:
            if field.name in ("source", "rationale"):
                continue
            hasher.update(field.name.encode())
            if pa.types.is_dictionary(field.type):
                codes, names = self.codes(field.name)
                used = np.unique(codes[codes >= 0])
                ranked = sorted(used.tolist(), key=names.__getitem__)
                recode = np.full(len(names) + 1, -1, dtype=np.int32)
                recode[ranked] = np.arange(len(ranked), dtype=np.int32)
                hasher.update(
                    "".join(f"{len(n)}:{n}" for n in map(names.__getitem__, ranked)).encode()
                )
                hasher.update(recode[codes].tobytes())
            elif pa.types.is_list(field.type):
                flat = self.table[field.name].combine_chunks()
                hasher.update(np.asarray(pc.list_value_length(flat).fill_null(-1)).tobytes())
                hasher.update(np.asarray(pc.list_flatten(flat), dtype=np.float64).tobytes())
            else:
                hasher.update(self.numbers(field.name).tobytes())
        return hasher.hexdigest()


def _numbered(key: NDArray[np.int64]) -> NDArray[np.int64]:
    """Renumber the distinct values of a key from 0, in their order."""
    width = int(key.max()) + 1
    if width > 8 * len(key):  # too wide for a table of all possible values
        return np.unique(key, return_inverse=True)[1].astype(np.int64)
    present = np.zeros(width, dtype=np.bool_)
    present[key] = True
    rank: NDArray[np.int64] = np.cumsum(present, dtype=np.int64)
    rank -= 1
    return rank[key]


def _plain(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind
