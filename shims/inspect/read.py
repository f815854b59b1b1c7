"""Read one Inspect log with the tier that suits it, and fall back where that cannot."""

from __future__ import annotations

import hashlib
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Literal

from panopt.errors import SourceError
from panopt.records.ask import Reading
from panopt.records.source import SourceFile
from panopt.records.study import Study
from panopt.shims.inspect.api import ApiLog, is_installed
from panopt.shims.inspect.archive import UnknownCompressionError
from panopt.shims.inspect.assemble import Remarks, assemble
from panopt.shims.inspect.check import UncheckedError, chosen, differs
from panopt.shims.inspect.fast import FastLog, JsonLog, UnfamiliarError
from panopt.shims.inspect.logs import collector_paused
from panopt.shims.inspect.sniff import sniff

__all__ = ["FAST_VERSION", "local_copy", "read_log"]

Progress = Callable[[float], None]

#: The log format the fast tier was written for.
FAST_VERSION = 2


def read_log(source: SourceFile, reading: Reading, progress: Progress) -> Study | None:
    """Read one log; None for a file that is none of Inspect's.

    ``reading.tier`` ``auto`` takes the fast tier for finished local ``.eval`` files of format 2,
    and for every log where Inspect is not installed; else the API tier. Where the fast tier
    meets what it does not know, or differs from Inspect in its self-check, the API tier reads
    the log again. The self-check needs Inspect only where the log's own summaries do not
    confirm what was read, see :mod:`panopt.shims.inspect.summaries`.

    Raises
    ------
    SourceError
        When the log is broken, in one line.
    """
    kind = sniff(source)
    if kind is None:
        return None
    try:
        return _read(source, kind, reading, progress)
    except RecursionError as error:
        levels = sys.getrecursionlimit()
        raise SourceError(
            f"JSON nested deeper than can be read (about {levels} levels)", source=source.location
        ) from error


def _read(
    source: SourceFile, kind: Literal["eval", "json"], reading: Reading, progress: Progress
) -> Study:
    with collector_paused():
        if reading.tier == "api":
            if not is_installed():
                raise SourceError(
                    "the API tier needs Inspect; pip install 'panopt[inspect]', or take another",
                    source=source.location,
                )
            return _by_api(source, reading, progress, Remarks())
        if source.is_remote and reading.tier == "auto" and is_installed():
            return _by_api(source, reading, progress, Remarks())
        with local_copy(source) as path:
            if kind == "json":
                return _json(source, path, reading, progress)
            return _eval(source, path, reading, progress)


def _eval(source: SourceFile, path: Path, reading: Reading, progress: Progress) -> Study:
    remarks = Remarks()
    may_fall_back = reading.tier == "auto" and is_installed()
    try:
        with closing(FastLog(path, reading.cluster)) as log:
            familiar = log.is_finished and log.header.version <= FAST_VERSION
            study: Study | None = None
            if may_fall_back and not familiar:
                study = _if_inspect_can(source, reading, progress, remarks)
            if study is None:
                check = may_fall_back and familiar
                study = _fast(log, source, path, reading, progress, remarks, check=check)
            if study is not None:
                return study
    except (UnfamiliarError, UnknownCompressionError) as error:
        if not may_fall_back:
            raise
        remarks.notes.append(f"read with Inspect itself, since: {error}")
    return _by_api(source, reading, progress, remarks)


def _fast(  # noqa: PLR0913, PLR0917 - the log, its source, and the hook's arguments
    log: FastLog,
    source: SourceFile,
    path: Path,
    reading: Reading,
    progress: Progress,
    remarks: Remarks,
    *,
    check: bool,
) -> Study | None:
    """Read with the fast tier; None where Inspect reads something else there."""
    if not check:
        why = "was asked for" if reading.tier == "fast" else "stands alone"
        if not is_installed():
            why += ", Inspect is not installed"
        remarks.notes.append(f"the fast reader {why}; it was not checked against Inspect")
    study, kept = assemble(
        log,
        source.location,
        reading,
        progress,
        remarks,
        sha256=None if source.is_remote or not log.is_finished else _digest(path),
        keep=chosen(log.n_samples) if check else (),
    )
    try:
        unsure = check and not log.confirms(kept)
        difference = differs(str(path), kept, reading.cluster) if unsure else None
    except UncheckedError as error:
        text = f"the fast reader could not be checked, since Inspect fails on the log: {error}"
        return _with_warning(study, text)
    if difference is None:
        return study
    remarks.warnings.append(
        f"the fast reader was left, since Inspect reads otherwise: {difference}"
    )
    return None


def _if_inspect_can(
    source: SourceFile, reading: Reading, progress: Progress, remarks: Remarks
) -> Study | None:
    """Read with the API tier; None, and a note, where Inspect cannot."""
    try:
        return _by_api(source, reading, progress, remarks)
    except SourceError as error:
        remarks.notes.append(f"read without Inspect, since: {error}")
        return None


def _with_warning(study: Study, text: str) -> Study:
    [source] = study.sources
    return Study(study.table, (replace(source, warnings=(*source.warnings, text)),))


def _json(source: SourceFile, path: Path, reading: Reading, progress: Progress) -> Study:
    remarks = Remarks()
    if reading.tier == "auto" and is_installed() and not source.is_gzipped:
        study = _if_inspect_can(source, reading, progress, remarks)
        if study is not None:
            return study
    with closing(JsonLog(path, reading.cluster)) as log:
        sha256 = None if source.is_remote else _digest(path)
        return assemble(log, source.location, reading, progress, remarks, sha256=sha256)[0]


def _by_api(source: SourceFile, reading: Reading, progress: Progress, remarks: Remarks) -> Study:
    with closing(ApiLog(source.location, reading.cluster)) as log:
        growing = source.is_remote or log.header.status == "started"
        sha256 = None if growing else _digest(source.path)
        return assemble(log, source.location, reading, progress, remarks, sha256=sha256)[0]


@contextmanager
def local_copy(source: SourceFile) -> Iterator[Path]:
    """Give a local path of the source; a remote one is copied for as long as it is read."""
    if not source.is_remote:
        yield source.path
        return
    import fsspec  # noqa: PLC0415 - only remote files need it

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, source.name)
        try:
            with fsspec.open(source.location, "rb") as remote, path.open("wb") as local:
                shutil.copyfileobj(remote, local)
        except OSError as error:
            raise SourceError(f"cannot be opened ({error})", source=source.location) from error
        yield path


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
