"""promptfoo results (.json, .jsonl, .yaml): reads what judges scored, writes the analysis back."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from panopt.spec import hookimpl

if TYPE_CHECKING:
    from panopt.records.ask import Reading
    from panopt.records.source import SourceFile
    from panopt.records.study import Study

__all__ = ["panopt_read", "panopt_suffixes"]

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
