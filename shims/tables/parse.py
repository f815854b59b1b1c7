"""Bytes of a table to Arrow columns: CSV and TSV as text, JSONL and Parquet as they are typed."""

from __future__ import annotations

import gzip
import io
import json
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from panopt.errors import NotALogError, SourceError
from panopt.records.source import UNREADABLE, SourceFile

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["SUFFIXES", "parse_table", "read_bytes"]

SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")
#: Lines of JSON longer than this are parsed the slow way.
JSON_BLOCK = 8 << 20
#: Arrow goes down nested JSON without end, until the process runs out of stack and dies.
DEEPEST = 500
NO_OPENING = bytes(sorted(set(range(256)) - set(b"[{\n")))
NO_BRACKET = bytes(sorted(set(range(256)) - set(b"[]{}")))
TEXT = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)


def parse_table(source: SourceFile, content: bytes) -> pa.Table:
    """Parse the bytes of a table; every column of a CSV stays text.

    Raises
    ------
    SourceError
        For content that is not of the format its name says, and for repeated column names.
    """
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


def read_bytes(source: SourceFile) -> tuple[bytes, bytes]:
    """Give the bytes as they are stored, and decompressed.

    Raises
    ------
    SourceError
        For a file that is empty or cannot be read or decompressed.
    """
    import fsspec  # noqa: PLC0415 - import panopt stays cheap

    if not source.head:
        raise NotALogError("the file is empty; a table has a header", source=source.location)
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

    _refuse_deep(content, source)
    try:
        table = parse(())
        dates = [field.name for field in table.schema if pa.types.is_temporal(field.type)]
        return parse(dates) if dates else table
    except pa.ArrowInvalid:
        return _from_lines(content, source)  # NaN, mixed types, a byte order mark: the slow way


def _refuse_deep(content: bytes, source: SourceFile) -> None:
    """Raise for JSON that is nested deeper than `DEEPEST`, at little cost for any other."""
    breaks = content.count(b"\n") - content.endswith(b"\n")
    if content.count(b"}\n{") + content.count(b"}\r\n{") != breaks:
        # Arrow goes on across line breaks; where each line is in braces, nothing does
        if _depth(content) > DEEPEST:
            raise SourceError(f"JSON nested deeper than {DEEPEST} levels", source=source.location)
        return
    opened = np.frombuffer(content.translate(None, NO_OPENING) + b"\n", dtype=np.uint8)
    ends = np.flatnonzero(opened == ord("\n"))
    suspects = np.flatnonzero(np.diff(ends, prepend=-1) > DEEPEST)
    lines = content.split(b"\n") if suspects.size else []
    for number in suspects.tolist():
        if _depth(lines[number]) > DEEPEST:
            raise SourceError(
                f"JSON nested deeper than {DEEPEST} levels",
                source=source.location,
                place=f"line {number + 1}",
            )


def _depth(text: bytes) -> int:
    marks = np.frombuffer(TEXT.sub(b"", text).translate(None, NO_BRACKET), dtype=np.uint8)
    steps = np.where((marks == ord("[")) | (marks == ord("{")), 1, -1)
    return int(steps.cumsum().max(initial=0))


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
            row, why = json.loads(line), "another value"
        except (ValueError, RecursionError) as error:
            row, why = None, str(error)
        if not isinstance(row, dict):
            raise SourceError(
                f"is no JSON object ({why}); every line holds one",
                source=source.location,
                place=f"line {number}",
            )
        rows.append(row)
    return rows
