"""Write an annotated copy of an Inspect log: lossless, deterministic, one sample in memory."""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any
from zipfile import ZipInfo

import zstandard

from panopt.records.report import Report
from panopt.records.source import Source, SourceFile
from panopt.shims.inspect.annotation import annotations_of, by_sample
from panopt.shims.inspect.archive import DEFLATED, ZSTANDARD, Archive
from panopt.shims.inspect.edit import edit_header, edit_sample, edit_samples, strip_reductions
from panopt.shims.inspect.fast import checked_header
from panopt.shims.inspect.header import Header
from panopt.shims.inspect.headline import eval_score, log_update, results_metadata
from panopt.shims.inspect.rawjson import fields, join_fields, load
from panopt.shims.inspect.read import FAST_VERSION, local_copy
from panopt.shims.inspect.zipwriter import ZipWriter

__all__ = ["KNOWN_INSPECT", "write_log"]

#: The newest Inspect whose logs this module was tested on.
KNOWN_INSPECT = "0.3.285"

#: Bytes of content in one zstandard frame; Inspect's viewer fails on frames above 256 MiB.
MOST_FRAME = 200 * 1024 * 1024

#: Parts of a JSON log that no header has.
BULKY = frozenset({"samples", "reductions", "logging"})

Edit = Callable[[bytes], bytes | bytearray]


def write_log(report: Report, source: Source, target: Path) -> Path | None:
    """Write `source`, a log that was read for `report`, with annotations, to `target`.

    Every judged sample gets a score ``panopt`` (``panopt_CRITERION`` where several criteria were
    judged); the header gets run-level scores, tags, metadata with provenance and the whole
    report. Members and fields that panopt does not know are copied as they are. A log written by
    a newer Inspect than this one knows, or in a newer format, keeps its samples as they are.

    Returns
    -------
    Path or None
        The target; None for a log whose run has not ended, which has no header to write to.
    """
    file = SourceFile(source.location)
    plan = _Plan(report, source)
    with local_copy(file) as path:
        if file.suffix == ".eval":
            return _write_eval(path, target, plan)
        return _write_json(path, target, plan, gzipped=file.is_gzipped)


class _Plan:
    """What to write into one log."""

    def __init__(self, report: Report, source: Source) -> None:
        self._report = report
        self._source = source
        self._found = annotations_of(report, source)

    def scores_of(self, sample: tuple[str, int]) -> Mapping[str, dict[str, Any]]:
        """Give the scores of a sample."""
        return by_sample(self._found, sample)

    def edit_header(self, data: bytes, header: Header, left_out: str | None) -> bytes:
        """Annotate the header."""
        stats, spec = header.data.get("stats"), header.eval
        ended = stats.get("completed_at") if isinstance(stats, Mapping) else None
        when = str(ended or spec.get("created") or "1970-01-01T00:00:00+00:00")
        return edit_header(
            data,
            scores=[eval_score(found, left_out=left_out) for found in self._found],
            metadata=results_metadata(self._report, self._source, self._found),
            update=log_update(self._report, self._found, when=when, left_out=left_out),
        )


def why_left_out(header: Header) -> str | None:
    """Tell why the samples of a log are not to be touched; None where they may be."""
    if header.version > FAST_VERSION:
        return f"samples are not annotated: log format {header.version} is newer than 2"
    try:
        known = version("inspect_ai")
    except PackageNotFoundError:
        known = KNOWN_INSPECT
    written = header.inspect_version
    if written is not None and _numbers(written) > max(_numbers(known), _numbers(KNOWN_INSPECT)):
        return f"samples are not annotated: written by Inspect {written}, newer than {known}"
    return None


def _write_eval(path: Path, target: Path, plan: _Plan) -> Path | None:
    with Archive(path) as archive:
        if "header.json" not in archive.members:
            return None
        content = archive.read(archive.members["header.json"])
        header = checked_header(json.loads(content), str(path))
        left_out = why_left_out(header)
        edit_of = _edits(plan, header, left_out, again=b"panopt" in content)
        with target.open("xb") as file:
            writer = ZipWriter(file)
            for entry in archive.entries:
                last = archive.members[entry.filename] is entry
                _write_member(archive, entry, writer, edit_of(entry.filename) if last else None)
            writer.close()
    return target


def _write_member(archive: Archive, entry: ZipInfo, writer: ZipWriter, edit: Edit | None) -> None:
    old = archive.read(entry) if edit is not None else b""
    new = edit(old) if edit is not None else old
    if new == old:
        data = archive.compressed(entry)
        writer.add(entry, data, size=entry.file_size, crc=entry.CRC)
    else:
        writer.add(entry, _compressed(new, entry), size=len(new), crc=zlib.crc32(new))


def _edits(
    plan: _Plan, header: Header, left_out: str | None, *, again: bool
) -> Callable[[str], Edit | None]:
    """Tell what is to be done to each member of an archive; None for nothing.

    `again` is True where the log may hold earlier annotations.
    """
    scorer = next(iter(header.scorers), "score")

    def edit_of(name: str) -> Edit | None:
        if name == "header.json":
            return lambda data: plan.edit_header(data, header, left_out)
        if left_out is not None:
            return None
        if name.startswith("samples/") and name.endswith(".json"):
            return lambda data: edit_sample(data, plan.scores_of, scorer=scorer)
        if name == "summaries.json":
            return lambda data: edit_samples(data, plan.scores_of, scorer=scorer)
        if name == "reductions.json" and again:
            return strip_reductions
        return None

    return edit_of


def _compressed(content: bytes | bytearray, like: ZipInfo) -> bytes:
    if like.compress_type == ZSTANDARD:
        squeeze = zstandard.ZstdCompressor()
        frames = range(0, max(len(content), 1), MOST_FRAME)
        whole = memoryview(content)
        return b"".join(squeeze.compress(whole[at : at + MOST_FRAME]) for at in frames)
    if like.compress_type == DEFLATED:
        deflate = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        return deflate.compress(content) + deflate.flush()
    return bytes(content)  # stored: Archive.read refuses all other methods


def _write_json(path: Path, target: Path, plan: _Plan, *, gzipped: bool) -> Path | None:
    content = gzip.decompress(path.read_bytes()) if gzipped else path.read_bytes()
    parts = fields(content)
    small = {name: load(value) for name, value in parts.items() if name not in BULKY}
    header = checked_header(small, str(path))
    if header.status == "started":
        return None
    left_out = why_left_out(header)
    log: dict[str, bytes | bytearray] = dict(parts)
    samples = parts.get("samples", b"null")
    if left_out is None and samples != b"null":
        scorer = next(iter(header.scorers), "score")
        log["samples"] = edit_samples(samples, plan.scores_of, scorer=scorer)
    if left_out is None and parts.get("reductions", b"null") != b"null":
        log["reductions"] = strip_reductions(parts["reductions"])
    content = plan.edit_header(join_fields(log), header, left_out)
    target.write_bytes(gzip.compress(content, mtime=0) if gzipped else content)
    return target


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", text)[:3])
