"""Plain tables of judgments or human labels: CSV, JSONL and Parquet.

Columns carry the names of :class:`panopt.records.judgment.Judgment`, some common other names,
or those a mapping gives (``--column item=question_id``). Columns that are not the study's are
left out and named in a note. The same rows give the same study in any of the formats.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from panopt.shims.tables.parse import SUFFIXES
from panopt.spec import hookimpl

if TYPE_CHECKING:
    from panopt.records.ask import Reading
    from panopt.records.source import SourceFile
    from panopt.records.study import Study

__all__ = ["panopt_read", "panopt_suffixes"]


@hookimpl
def panopt_suffixes() -> tuple[str, ...]:
    """Name the endings of tables."""
    return SUFFIXES


@hookimpl
def panopt_read(source: SourceFile, reading: Reading) -> Study | None:
    """Read a table; None where the name does not end like one."""
    if source.suffix not in SUFFIXES:
        return None
    from panopt.shims.tables.read import read_table  # noqa: PLC0415 - reading logs needs no parser

    return read_table(source, reading)
