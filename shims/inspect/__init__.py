"""Inspect AI logs (.eval, .json): reads what judges scored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from panopt.spec import hookimpl

if TYPE_CHECKING:
    from panopt.records.ask import Reading
    from panopt.records.source import SourceFile
    from panopt.records.study import Study

__all__ = ["panopt_read", "panopt_suffixes"]

# Everything else is imported when it is first needed: Inspect itself imports this module at
# the start of every eval.


@hookimpl
def panopt_suffixes() -> Sequence[str]:
    """Name the endings of Inspect logs."""
    return (".eval", ".json")


@hookimpl
def panopt_read(
    source: SourceFile, reading: Reading, progress: Callable[[float], None]
) -> Study | None:
    """Read one Inspect log; None for a file that is none."""
    from panopt.shims.inspect.read import read_log  # noqa: PLC0415 - see above

    return read_log(source, reading, progress)
