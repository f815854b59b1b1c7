"""promptfoo results (.json, .jsonl, .yaml): reads what judges scored, writes the analysis back."""

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

# Everything else is imported when it is first needed: promptfoo starts one Python for every call
# of an assertion or hook.


@hookimpl
def panopt_suffixes() -> tuple[str, ...]:
    """Name the endings of promptfoo results that hold every judge's verdict."""
    return (".json", ".jsonl", ".yaml", ".yml")


@hookimpl
def panopt_read(
    source: SourceFile, reading: Reading, progress: Callable[[float], None]
) -> Study | None:
    """Read one file of promptfoo results; None for a file that is none."""
    from panopt.shims.promptfoo.read import read_results  # noqa: PLC0415 - see above

    return read_results(source, reading, progress)


@hookimpl
def panopt_write(report: Report, source: Source, target: Path) -> Path | None:
    """Write an annotated copy of promptfoo results; None for a source of another shim."""
    if source.format != "promptfoo":
        return None
    from panopt.shims.promptfoo.write import write_results  # noqa: PLC0415 - see above

    return write_results(report, source, target)
