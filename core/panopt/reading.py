"""Door one: find the sources, read each with the shim that knows it, and settle one study."""

from __future__ import annotations

import glob
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from panopt.errors import AskError, LabelsError, NotALogError, SourceError
from panopt.host import Host
from panopt.records.arrow import coded
from panopt.records.ask import Reading
from panopt.records.labels import attach_labels
from panopt.records.runs import drop_twins, warn_of_doubles
from panopt.records.scale import Scale
from panopt.records.settle import drop_copies, settle_scales
from panopt.records.source import MARK, NO_CLUSTER, REPORT_FILES, SourceFile
from panopt.records.study import Study

__all__ = ["apart", "find_sources", "read", "read_labels", "read_sides"]

Progress = Callable[[str, float], None]


def find_sources(places: Sequence[str | Path], host: Host) -> list[SourceFile]:
    """List the files that `places` (files, folders, globs, URIs) stand for, each once, sorted.

    Folders are searched for the endings the shims read. Hidden files are passed over there, and
    so is what panopt wrote: its reports, and copies whose original is found too.

    Raises
    ------
    SourceError
        For a place that does not exist or a folder or glob without a readable file.
    """
    suffixes = host.suffixes()
    found: dict[str, SourceFile] = {}
    for place in map(str, places):
        if "://" in place:
            found.setdefault(place, SourceFile(place))
            continue
        try:
            searched = Path(place).is_dir()
            files = _files(place, suffixes)
        except OSError as error:  # such as a name too long
            why = error.strerror or str(error)
            raise SourceError(f"cannot be opened ({why})", source=place) from error
        for file in files:
            if not _is_text(str(file)):
                raise SourceError("the name is not UTF-8; rename the file", source=str(file))
            found.setdefault(str(file.resolve()), SourceFile(str(file), searched=searched))
    if not found:
        raise SourceError("no sources were named; name a file, a folder or a glob", source="panopt")
    return list(found.values())


def _files(place: str, suffixes: Sequence[str]) -> list[Path]:
    """List the files of one local place; at least one."""
    path = Path(place)
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if _is_log(file, path, suffixes))
        if not files:
            raise SourceError(
                f"the folder holds no log (files ending in {', '.join(suffixes)})", source=place
            )
        return _without_outputs(files)
    if path.exists():
        return [path]
    files = sorted(map(Path, glob.glob(place, recursive=True)))  # noqa: PTH207 - the pattern may be absolute
    files = [file for file in files if file.is_file()]
    if not files:
        what = "matches no file" if glob.has_magic(place) else "does not exist"
        raise SourceError(f"{what}; name a file, a folder or a glob", source=place)
    return _without_outputs(files)


def _is_log(file: Path, folder: Path, suffixes: Sequence[str]) -> bool:
    hidden = any(part.startswith(".") for part in file.relative_to(folder).parts)
    return not hidden and file.is_file() and SourceFile(file.name).suffix in suffixes


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _without_outputs(files: Sequence[Path]) -> list[Path]:
    """Leave out copies that panopt made of others of the files, and its reports."""
    names = {file.name for file in files}
    kept = []
    for file in files:
        original = file.name.replace(f".{MARK}.", ".", 1)
        is_copy = original != file.name and original in names
        is_report = file.name in REPORT_FILES and all(
            (file.parent / name).is_file() for name in REPORT_FILES
        )
        if not is_copy and not is_report:
            kept.append(file)
    return kept


def read(
    *places: str | Path,
    labels: str | Path | None = None,
    reading: Reading | None = None,
    criterion: Sequence[str] = (),
    host: Host | None = None,
    progress: Progress | None = None,
) -> Study:
    """Read logs and tables into one study, with human labels joined and scales settled.

    Parameters
    ----------
    places
        Files, folders, globs or URIs: Inspect ``.eval``/``.json``, promptfoo
        ``.json``/``.jsonl``/``.yaml``, tables ``.csv``/``.jsonl``/``.parquet``.
    labels
        A table of human labels: column ``item``, a ``score`` or ``label``, and what else tells
        responses apart (``system``, ``epoch``, ``run``, ``criterion``); ``judge`` names people.
    reading
        Options of reading.
    criterion
        Criteria the labels may be for, where several were judged and the labels do not say.
    host
        Plugins and shims; the installed ones where not given.
    progress
        Called with a file's location and the share read, 0 to 1.

    Raises
    ------
    SourceError, LabelsError, AskError
        For anything that cannot be read as it stands, in one line.
    """
    host = host or Host()
    reading = reading or Reading()
    declared = {judge: Scale.parse(text) for judge, text in reading.scales}
    study, notes = _gathered(find_sources(places, host), reading, host, progress)
    _refuse_no_humans(study, reading)
    _refuse_no_clusters(study, reading)
    study = warn_of_doubles(study)
    if labels is not None:
        study = read_labels(study, labels, reading=reading, criterion=criterion, host=host)
    study, inferred = settle_scales(study, declared, off_scale=reading.off_scale)
    study = _with_notes(study, (*notes, *inferred))
    if reading.strict:
        _refuse_warnings(study)
    return study


def read_sides(
    *places: str | Path,
    labels: str | Path | None = None,
    reading: Reading | None = None,
    criterion: Sequence[str] = (),
    host: Host | None = None,
    progress: Progress | None = None,
) -> tuple[Study, ...]:
    """Read what is to be compared: a study a place, with scales that hold for all of them.

    As :func:`read`, but that what stands in two places is not taken for a copy: baseline and
    candidate may well name their runs alike.

    Raises
    ------
    SourceError, LabelsError, AskError
        Also for a file that is in two of the places, and for a place without any judgment.
    """
    host = host or Host()
    reading = reading or Reading()
    declared = {judge: Scale.parse(text) for judge, text in reading.scales}
    found = [find_sources([place], host) for place in places]
    seen: dict[str, str] = {}
    for place, sources in zip(map(str, places), found, strict=True):
        for source in sources:
            key = source.location if source.is_remote else str(source.path.resolve())
            if key in seen:
                raise AskError(f"{source.location} is named twice: a log cannot be both sides")
            seen[key] = place
    gathered = [_gathered(sources, reading, host, progress) for sources in found]
    sides = apart([side for side, _ in gathered])
    runs = [set(side.table["run"].unique().to_pylist()) for side in sides]
    study = Study.concat(sides)
    _refuse_no_humans(study, reading)
    _refuse_no_clusters(study, reading)
    if labels is not None:
        study = read_labels(study, labels, reading=reading, criterion=criterion, host=host)
    study, inferred = settle_scales(study, declared, off_scale=reading.off_scale)
    study = _with_notes(study, (*(note for _, notes in gathered for note in notes), *inferred))
    if reading.strict:
        _refuse_warnings(study)
    parts, first = [], 0
    for number, (side, own) in enumerate(zip(sides, runs, strict=True), 1):
        last = first + len(side.sources) if number < len(sides) else len(study.sources)
        parts.append(Study(study.where("run", own).table, study.sources[first:last]))
        first = last
    return tuple(parts)


def apart(sides: Sequence[Study]) -> tuple[Study, ...]:
    """Give runs of several studies names of their own, so that their responses stay apart."""
    seen: set[str] = set()
    parts = []
    for number, side in enumerate(sides, 1):
        codes, names = side.codes("run")
        fresh = [f"{name}#{number}" if name in seen else name for name in names]
        while seen & set(fresh) or len(set(fresh)) < len(fresh):
            fresh = [f"{name}#{number}" for name in fresh]
        seen |= set(fresh)
        renamed = fresh != names
        parts.append(side.with_column("run", coded(codes, fresh)) if renamed else side)
    return tuple(parts)


def _gathered(
    sources: Sequence[SourceFile], reading: Reading, host: Host, progress: Progress | None
) -> tuple[Study, tuple[str, ...]]:
    """Read sources into one study, each judgment once, and say what was dropped."""
    parts, passed_over = _read_all(sources, reading, host, progress)
    study = Study.concat(parts)
    if not len(study):
        names = ", ".join(source.location for source in study.sources[:3])
        raise SourceError("holds no judgment: nothing was scored by a judge", source=names)
    study, twins = drop_twins(study)
    study, copies = drop_copies(study)
    return study, (*passed_over, *twins, *copies)


def _refuse_no_humans(study: Study, reading: Reading) -> None:
    if reading.human and not len(study.where("judge_kind", "human")):
        raise AskError(
            f"option human = {reading.human!r}: no judge, scorer, metric or column of these "
            f"sources has that name; judges are {', '.join(sorted(study.codes('judge')[1])[:10])}"
        )


def _refuse_no_clusters(study: Study, reading: Reading) -> None:
    if reading.cluster and study.table["cluster"].null_count == len(study):
        told = [
            f"{source.location}: {note}"
            for source in study.sources
            for note in source.notes
            if note.startswith(NO_CLUSTER)
        ]
        why = f": {told[0]}" if told else ""
        raise AskError(f"cluster = {reading.cluster}: no source tells it of any item{why}")


def _read_all(
    sources: Sequence[SourceFile], reading: Reading, host: Host, progress: Progress | None
) -> tuple[list[Study], tuple[str, ...]]:
    """Read every source; of searched folders, files that are no logs are passed over and told."""
    parts: list[Study] = []
    foreign: list[NotALogError] = []
    for source in sources:
        try:
            parts.append(host.read(source, reading, _progress_of(source, progress)))
        except NotALogError as error:
            if not source.searched or reading.strict:
                raise
            foreign.append(error)
    if foreign and not parts:
        raise foreign[0]
    if not foreign:
        return parts, ()
    names = ", ".join(Path(error.source).name for error in foreign[:5])
    more = " ..." if len(foreign) > 5 else ""
    return parts, (f"{len(foreign)} files of searched folders are no logs: {names}{more}",)


def read_labels(
    study: Study,
    labels: str | Path,
    *,
    reading: Reading | None = None,
    criterion: Sequence[str] = (),
    host: Host | None = None,
) -> Study:
    """Join a file of human labels to `study`; see :func:`read`.

    Raises
    ------
    LabelsError
        When the file is missing, empty, contradicts itself or fits no response.
    """
    host = host or Host()
    as_labels = (reading or Reading()).model_copy(update={"judge_kind": "human"})
    source = SourceFile(str(labels))
    if not source.is_remote and not source.path.is_file():
        raise LabelsError(f"{labels}: is no file; name a CSV, JSONL or Parquet file of labels")
    rows = host.read(source, as_labels, _progress_of(source, None))
    people = rows.where("judge_kind", "human") if len(rows) else rows
    if not len(people):
        raise LabelsError(f"{labels}: holds no human label")
    return attach_labels(study, people, criterion=criterion)


def _progress_of(source: SourceFile, progress: Progress | None) -> Callable[[float], None]:
    def tell(share: float) -> None:
        if progress is not None:
            progress(source.location, share)

    return tell


def _with_notes(study: Study, notes: Sequence[str]) -> Study:
    if not notes or not study.sources:
        return study
    first = study.sources[0]
    return Study(study.table, (replace(first, notes=(*first.notes, *notes)), *study.sources[1:]))


def _refuse_warnings(study: Study) -> None:
    for source in study.sources:
        for warning in source.warnings:
            raise SourceError(f"{warning} (an error under --strict)", source=source.location)
