"""Inspect AI logs (.eval, .json): reads what judges scored, writes the analysis back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from panopt.spec import hookimpl

if TYPE_CHECKING:
    from panopt.records.ask import Reading
    from panopt.records.report import Report
    from panopt.records.source import Source, SourceFile
    from panopt.records.study import Study

__all__ = ["panopt_read", "panopt_suffixes", "panopt_write"]

# Everything else is imported when it is first needed: Inspect itself imports this module at
# the start of every eval.


@hookimpl
def panopt_suffixes() -> tuple[str, ...]:
    """Name the endings of Inspect logs."""
    return (".eval", ".json")


@hookimpl
def panopt_read(
    source: SourceFile, reading: Reading, progress: Callable[[float], None]
) -> Study | None:
    """Read one Inspect log; None for a file that is none."""
    from panopt.shims.inspect.read import read_log  # noqa: PLC0415 - see above

    return read_log(source, reading, progress)


@hookimpl
def panopt_write(report: Report, source: Source, target: Path) -> Path | None:
    """Write an annotated copy of an Inspect log; None for a source of another shim."""
    if source.format != "inspect":
        return None
    from panopt.shims.inspect.write import write_log  # noqa: PLC0415 - see above

    return write_log(report, source, target)
