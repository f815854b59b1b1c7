"""Door five: write what was concluded, beside the user's files and never over them."""

from __future__ import annotations

import filecmp
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from panopt.errors import OutputError
from panopt.host import Host
from panopt.records.report import Report
from panopt.records.source import MARK, REPORT_FILES, Source, SourceFile
from panopt.responses import responses_table, spreadsheet_safe

__all__ = ["Written", "write", "write_files", "write_text"]

State = Literal["written", "unchanged", "not_supported"]


@dataclass(frozen=True, slots=True)
class Written:
    """One file that was asked for, and what became of it."""

    source: str
    """What it was made from: a source, or ``report``."""
    target: str | None
    """Where it stands; None where the source's format takes no annotations."""
    state: State


@dataclass(frozen=True, slots=True)
class _Job:
    source: str
    target: Path
    fill: Callable[[Path], Path | None]


def write(  # noqa: PLR0913 - options
    report: Report,
    *,
    out: str | Path | None = None,
    copies: bool = True,
    summary: bool = False,
    overwrite: bool = False,
    host: Host | None = None,
) -> tuple[Written, ...]:
    """Write annotated copies of the sources, and the report's own files.

    A copy of ``x.eval`` is ``x.panopt.eval``, in `out` or beside the original; the copy of an
    annotated copy is itself, left as it is when the conclusions are the same. All files are
    made under temporary names, synced, and moved into place only when every one of them can be.

    Parameters
    ----------
    report
        What :func:`panopt.analysis.analyze` gave.
    out
        Folder for the files; made where missing. Needed for `summary` and for remote sources.
    copies
        Write an annotated copy of each log.
    summary
        Write ``report.json``, and ``responses.csv`` with one row a response and criterion.
    overwrite
        Replace earlier outputs that differ. Sources are never replaced.

    Raises
    ------
    OutputError
        When a target is a source, exists with other content, or cannot be written; then nothing
        was written.
    """
    host = host or Host()
    jobs: list[_Job] = []
    if copies:
        jobs += [
            _copy_job(report, source, out, host)
            for source in report.study.sources
            if not source.columns
        ]
    if summary:
        if out is None:
            raise OutputError("the report needs a folder: give --out", target="report.json")
        jobs += _summary_jobs(report, Path(out))
    _refuse_shared_targets(jobs)
    locations = [s.location for s in report.study.sources if "://" not in s.location]
    written = _publish(jobs, sources=locations, overwrite=overwrite)
    if not copies:
        return tuple(written)
    tables = [source for source in report.study.sources if source.columns]
    return (*written, *(Written(table.location, None, "not_supported") for table in tables))


def write_text(
    text: str, target: str | Path, *, source: str, keep: Sequence[str], overwrite: bool
) -> Written:
    """Write one file of text, whole or not at all; `source` says what it is made from.

    Raises
    ------
    OutputError
        When the target is one of the files to `keep`, exists with other content and `overwrite`
        is not given, or cannot be written.
    """
    files = {Path(target): text.encode()}
    return write_files(files, source=source, keep=keep, overwrite=overwrite)[0]


def write_files(
    files: Mapping[Path, bytes], *, source: str, keep: Sequence[str], overwrite: bool
) -> tuple[Written, ...]:
    """Write several files, all or none of them; `source` says what they are made from.

    Raises
    ------
    OutputError
        When a target is one of the files to `keep`, exists with other content and `overwrite` is
        not given, or cannot be written.
    """

    def filled(content: bytes) -> Callable[[Path], Path]:
        def fill(path: Path) -> Path:
            path.write_bytes(content)
            return path

        return fill

    jobs = [_Job(source, target, filled(content)) for target, content in files.items()]
    locations = [location for location in keep if "://" not in location]
    return tuple(_publish(jobs, sources=locations, overwrite=overwrite))


def _copy_job(report: Report, source: Source, out: str | Path | None, host: Host) -> _Job:
    file = SourceFile(source.location)
    if file.is_remote and out is None:
        raise OutputError("a remote source needs a local folder: give --out", target=file.location)
    ending = file.suffix + (".gz" if file.is_gzipped else "")
    stem = file.name[: len(file.name) - len(ending)]
    name = file.name if stem.endswith(f".{MARK}") else f"{stem}.{MARK}{ending}"
    folder = Path(out) if out is not None else file.path.parent
    return _Job(source.location, folder / name, lambda path: host.write(report, source, path))


def _summary_jobs(report: Report, folder: Path) -> list[_Job]:
    def as_json(path: Path) -> Path:
        text = json.dumps(report.to_dict(), indent=2, ensure_ascii=False, allow_nan=False)
        # a file name that is no text holds lone surrogates; their escape is what JSON takes
        path.write_text(text + "\n", encoding="utf-8", errors="backslashreplace")
        return path

    def as_csv(path: Path) -> Path:
        from pyarrow import csv  # noqa: PLC0415 - only when it is written

        csv.write_csv(spreadsheet_safe(responses_table(report)), path)
        return path

    fills = zip(REPORT_FILES, (as_json, as_csv), strict=True)
    return [_Job("report", folder / name, fill) for name, fill in fills]


def _refuse_shared_targets(jobs: Sequence[_Job]) -> None:
    claimed: dict[Path, str] = {}
    for job in jobs:
        other = claimed.setdefault(job.target.resolve(), job.source)
        if other != job.source:
            raise OutputError(
                f"is where the copies of both {other} and {job.source} would go; "
                "analyze them apart, or leave out --out",
                target=str(job.target),
            )


def _publish(jobs: Sequence[_Job], *, sources: Sequence[str], overwrite: bool) -> list[Written]:
    """Make every file under a temporary name, check every target, then move all into place."""
    with ExitStack() as stack:
        staged = [(job, _stage(job, stack)) for job in jobs]
        states = [
            _state(job.target, temporary, sources=sources, overwrite=overwrite)
            for job, temporary in staged
        ]
        for (job, temporary), state in zip(staged, states, strict=True):
            if temporary is not None and state == "written":
                _move(temporary, job.target)
    return [
        Written(job.source, None if state == "not_supported" else str(job.target), state)
        for job, state in zip(jobs, states, strict=True)
    ]


def _stage(job: _Job, stack: ExitStack) -> Path | None:
    """Fill a temporary file in a folder beside the target; None where the shim declines."""
    try:
        made = _make_folders(job.target.parent)
        folder = Path(tempfile.mkdtemp(prefix=f".{MARK}-", dir=job.target.parent))
        stack.callback(_remove_empty, made)
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        return job.fill(folder / job.target.name)
    except OSError as error:
        why = error.strerror or str(error)
        raise OutputError(f"cannot be written ({why})", target=str(job.target)) from error


def _make_folders(folder: Path) -> list[Path]:
    """Make a folder and its parents; give those that were missing, deepest first."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    return missing


def _remove_empty(folders: Sequence[Path]) -> None:
    """Take back folders that were made for files which then were not written."""
    for folder in folders:
        if not any(folder.iterdir()):
            folder.rmdir()


def _state(
    target: Path, temporary: Path | None, *, sources: Sequence[str], overwrite: bool
) -> State:
    if temporary is None:
        return "not_supported"
    if not target.exists():
        return "written"
    if target.is_file() and filecmp.cmp(temporary, target, shallow=False):
        return "unchanged"
    if any(target.samefile(source) for source in sources if Path(source).exists()):
        raise OutputError(
            "is a source of this analysis; sources are never overwritten: choose another --out",
            target=str(target),
        )
    if not target.is_file():
        raise OutputError("is a folder or a device: name a file", target=str(target))
    if not overwrite:
        raise OutputError(
            "exists with other content; pass --overwrite, or choose another --out",
            target=str(target),
        )
    return "written"


def _move(temporary: Path, target: Path) -> None:
    try:
        _sync(temporary)
        temporary.replace(target)
        _sync(target.parent)
    except OSError as error:
        why = error.strerror or str(error)
        raise OutputError(f"cannot be written ({why})", target=str(target)) from error


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
