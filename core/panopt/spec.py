"""The five doors: what a plugin or shim may implement.

Data flow one way: ``panopt_read`` -> ``panopt_aggregate`` -> ``panopt_analyze`` ->
``panopt_decide`` -> ``panopt_write``. An implementation takes only the arguments it needs, by
name. Every answer may be None: "not mine" or "nothing to say".
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    import numpy as np

    from panopt.findings import Findings
    from panopt.records.ask import Ask, Reading
    from panopt.records.consensus import Consensus
    from panopt.records.decisions import Decisions
    from panopt.records.matrix import Matrix
    from panopt.records.report import Report
    from panopt.records.source import Source, SourceFile
    from panopt.records.study import Study

__all__ = ["PROJECT", "hookimpl", "hookspec"]

PROJECT = "panopt"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def panopt_suffixes() -> tuple[str, ...]:
    """Name the file endings this shim reads (``.eval``); folders are searched for them."""
    return ()


@hookspec
def panopt_read(
    source: SourceFile, reading: Reading, progress: Callable[[float], None]
) -> Study | None:
    """Read one file: all its judgments, and one Source; None where it is not the shim's kind.

    `progress` takes the share done, 0 to 1. Raise SourceError for a file of its kind that is
    broken.
    """


@hookspec
def panopt_methods() -> tuple[str, ...]:
    """Name the aggregation methods this plugin answers to in ``panopt_aggregate``."""
    return ()


@hookspec
def panopt_aggregate(
    study: Study, matrix: Matrix, method: str, why: str, ask: Ask, rng: np.random.Generator
) -> Consensus | None:
    """Aggregate one criterion by `method`, one of the plugin's own names; copy `why` over."""


@hookspec
def panopt_analyze(
    study: Study, matrix: Matrix, consensus: Consensus, ask: Ask, rng: np.random.Generator
) -> Findings | None:
    """Find run-level numbers (and per-response columns) of one criterion."""


@hookspec
def panopt_decide(
    study: Study, matrix: Matrix, consensus: Consensus, ask: Ask, rng: np.random.Generator
) -> Decisions | None:
    """Decide what to do with each response of one criterion; one plugin answers."""


@hookspec
def panopt_write(report: Report, source: Source, target: Path) -> Path | None:
    """Write an annotated copy of `source` to `target`, a new path; None where not the shim's.

    Call it only through the host, which sees to it that `target` is not there yet and moves it
    into place.
    """
