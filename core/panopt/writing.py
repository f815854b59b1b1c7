"""Door five: write what was concluded, beside the user's files and never over them."""

from __future__ import annotations

import filecmp
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from panopt.errors import OutputError
from panopt.host import Host
from panopt.records.report import Report
from panopt.records.source import Source, SourceFile
from panopt.responses import responses_table

__all__ = ["Written", "write", "write_report"]

MARK = "panopt"


@dataclass(frozen=True, slots=True)
class Written:
    """One file that was asked for, and what became of it."""

    source: str
    """What it was made from."""
    target: str | None
    """Where it stands; None where the source's format takes no annotations."""
    state: Literal["written", "unchanged", "not_supported"]


def write(
    report: Report,
    *,
    out: str | Path | None = None,
    overwrite: bool = False,
    host: Host | None = None,
) -> tuple[Written, ...]:
    """Write an annotated copy of every source the report was made from.

    A copy of ``x.eval`` is ``x.panopt.eval``, in `out` or beside the original. The copy of an
    annotated copy is itself: the same conclusions leave it as it is.

    Parameters
    ----------
    report
        What :func:`panopt.analysis.analyze` gave.
    out
        Folder for the copies; made where missing.
    overwrite
        Replace earlier copies that differ. Sources are never replaced.

    Raises
    ------
    OutputError
        When a target is a source, exists with other content, or cannot be written; copies
        finished before stay, none is left half-written.
    """
    host = host or Host()
    sources = [source for source in report.study.sources if not source.columns]
    targets = {source.location: _target(source, out) for source in sources}
    claimed: dict[Path, str] = {}
    for location, target in targets.items():
        other = claimed.setdefault(target.resolve(), location)
        if other != location:
            raise OutputError(
                f"is where the copies of both {other} and {location} would go; "
                "analyze them apart or leave out --out",
                target=str(target),
            )
    return tuple(
        _write_one(report, source, targets[source.location], overwrite=overwrite, host=host)
        for source in sources
    ) + tuple(
        Written(source.location, None, "not_supported")
        for source in report.study.sources
        if source.columns
    )


def write_report(
    report: Report, out: str | Path, *, overwrite: bool = False
) -> tuple[Written, ...]:
    """Write ``report.json`` and ``responses.csv`` (one row a response and criterion) to `out`.

    Raises
    ------
    OutputError
        As :func:`write`.
    """
    from pyarrow import csv  # noqa: PLC0415 - only when something is written

    folder = Path(out)

    def as_json(temporary: Path) -> None:
        text = json.dumps(report.to_dict(), indent=2, ensure_ascii=False, allow_nan=False)
        temporary.write_text(text + "\n", encoding="utf-8")

    def as_csv(temporary: Path) -> None:
        csv.write_csv(responses_table(report), temporary)

    return tuple(
        Written("report", str(target), _place(target, fill, overwrite=overwrite, sources=()))
        for target, fill in ((folder / "report.json", as_json), (folder / "responses.csv", as_csv))
    )


def _target(source: Source, out: str | Path | None) -> Path:
    file = SourceFile(source.location)
    if file.is_remote and out is None:
        raise OutputError(
            "a remote source needs a local folder: give --out", target=source.location
        )
    ending = file.suffix + (".gz" if file.is_gzipped else "")
    stem = file.name[: len(file.name) - len(ending)]
    name = file.name if stem.endswith(f".{MARK}") else f"{stem}.{MARK}{ending}"
    folder = Path(out) if out is not None else file.path.parent
    return folder / name


def _write_one(
    report: Report, source: Source, target: Path, *, overwrite: bool, host: Host
) -> Written:
    answered: list[Path | None] = []

    def fill(temporary: Path) -> None:
        answered.append(host.write(report, source, temporary))

    locations = [s.location for s in report.study.sources if "://" not in s.location]
    state = _place(target, fill, overwrite=overwrite, sources=locations)
    if answered == [None]:
        return Written(source.location, None, "not_supported")
    return Written(source.location, str(target), state)


def _place(
    target: Path, fill: Callable[[Path], None], *, overwrite: bool, sources: Sequence[str]
) -> Literal["written", "unchanged"]:
    """Fill a temporary file beside `target`, sync it and move it into place."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{MARK}-", dir=target.parent))
    except OSError as error:
        raise OutputError(f"cannot be written ({error.strerror})", target=str(target)) from error
    try:
        temporary = folder / target.name
        fill(temporary)
        if not temporary.exists():
            return "unchanged"
        if target.exists():
            if filecmp.cmp(temporary, target, shallow=False):
                return "unchanged"
            _refuse_overwrite(target, overwrite=overwrite, sources=sources)
        _sync(temporary)
        temporary.replace(target)
        _sync(target.parent)
    except OSError as error:
        raise OutputError(f"cannot be written ({error.strerror})", target=str(target)) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return "written"


def _refuse_overwrite(target: Path, *, overwrite: bool, sources: Sequence[str]) -> None:
    if any(target.samefile(source) for source in sources):
        raise OutputError(
            "is a source of this analysis; sources are never overwritten: choose another --out",
            target=str(target),
        )
    if not overwrite:
        raise OutputError(
            "exists with other content; pass --overwrite, or choose another --out",
            target=str(target),
        )


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
