"""Write an annotated copy of promptfoo results, which ``promptfoo import`` takes.

Added are named scores and flat metadata of each row, metrics of each prompt, and the run's
report in ``config.metadata``. Everything else keeps its bytes: pass, score and success too.
JSONL has no place for metrics and report; promptfoo imports neither JSONL nor YAML.
"""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

import msgspec

from panopt.records.report import Report
from panopt.records.source import Source, SourceFile
from panopt.shims.promptfoo.annotate import Annotations, gather, is_ours, run_report
from panopt.shims.promptfoo.document import Document, is_whole
from panopt.shims.promptfoo.schema import decode
from panopt.shims.promptfoo.splice import Fields, Layout, fields_of
from panopt.shims.promptfoo.stream import lines, open_stream

__all__ = ["write_results"]

MARK = "panopt"
#: Stands for the rows while the JSON around them is written; no JSON holds a zero byte.
ROWS = b"\0"
METRICS = ("namedScores", "namedScoresCount", "namedScoreWeights")


class _Index(msgspec.Struct, gc=False):
    promptIdx: Any = None  # noqa: N815 - promptfoo's name


class _Around(NamedTuple):
    """The JSON around the rows, edited."""

    before: bytes
    after: bytes
    depth: int


_index = msgspec.json.Decoder(_Index)
_array: msgspec.json.Decoder[list[msgspec.Raw]] = msgspec.json.Decoder(list[msgspec.Raw])
_any: msgspec.json.Decoder[Any] = msgspec.json.Decoder(Any)


def write_results(report: Report, source: Source, target: Path) -> Path | None:
    """Write an annotated copy of one results file, in its own format.

    Parameters
    ----------
    report
        What was concluded.
    source
        The file, as the reader described it.
    target
        A path with nothing at it.

    Returns
    -------
    Path or None
        `target`; None for generations that have no place for a row's named scores, and for a
        file none of whose rows were analyzed.

    Raises
    ------
    SourceError
        When the file cannot be read again.

    Notes
    -----
    JSON is gone through twice, row by row where it is large: memory does not grow with it.
    """
    file = SourceFile(source.location)
    found = gather(report, source)
    if not found.columns:
        return None  # every row of it was read from another file
    if file.suffix == ".jsonl":
        with ExitStack() as stack:
            stream = stack.enter_context(open_stream(file, _silent))
            out = _open_target(file, target, stack)
            for row, (_, line, whole) in enumerate(lines(stream)):
                # the last line of a killed run is cut off, and stays as it stands
                is_row = whole or is_whole(line)
                out.write(_edit_row(line, row, found, Layout(pretty=False), 0) if is_row else line)
                out.write(b"\n" if whole else b"")
        return target
    prompts, frame = _survey(file)
    layout = Layout(pretty=frame.startswith(b'{\n  "'))
    around = _edit_frame(frame, prompts, found, layout, report, source)
    if around is None:
        return None
    with ExitStack() as stack:
        out = _open_target(file, target, stack)
        pieces = _pieces(file, around, found, layout)
        if file.suffix == ".json":
            out.writelines(pieces)
        else:
            out.write(_as_yaml(b"".join(pieces)))
    return target


def _survey(file: SourceFile) -> tuple[dict[int, list[int]], bytes]:
    """Go through the rows: which belong to which prompt, and what stands around them."""
    prompts: dict[int, list[int]] = defaultdict(list)
    with open_stream(file, _silent) as stream:
        document = Document(file, stream, low_memory=False)
        for row, (_, raw) in enumerate(document.rows()):
            try:
                index = decode(raw, _index).promptIdx
            except msgspec.ValidationError:
                continue
            if isinstance(index, int):
                prompts[index].append(row)
        return prompts, document.frame


def _pieces(
    file: SourceFile, around: _Around, found: Annotations, layout: Layout
) -> Iterator[bytes]:
    """Give the bytes of the copy, row by row."""
    yield around.before
    opening = b"\n" + b"  " * around.depth if layout.pretty else b""
    row = -1
    with open_stream(file, _silent) as stream:
        document = Document(file, stream, low_memory=False)
        for row, (_, raw) in enumerate(document.rows()):
            yield (b"," if row else b"") + opening
            yield _edit_row(bytes(raw), row, found, layout, around.depth)
    if layout.pretty and row >= 0:
        yield b"\n" + b"  " * (around.depth - 1)
    yield around.after


def _edit_row(raw: bytes, row: int, found: Annotations, layout: Layout, depth: int) -> bytes:
    """Replace our named scores and metadata in one row."""
    fields = fields_of(raw)
    if not fields:
        return raw  # no object
    changed = [
        _replace_ours(fields, "namedScores", found.scores(row), layout, depth),
        _replace_ours(fields, "metadata", found.metadata(row), layout, depth),
    ]
    return layout.object(fields, depth) if any(changed) else raw


def _replace_ours(
    fields: Fields, name: str, added: Mapping[str, Any], layout: Layout, depth: int
) -> bool:
    """Take our entries out of an object among `fields`, and put `added` in."""
    entries = fields_of(fields.get(name, b""))
    kept = {key: value for key, value in entries.items() if not is_ours(key)}
    if not added and len(kept) == len(entries):
        return False
    kept |= {key: layout.value(value, depth + 2) for key, value in added.items()}
    fields[name] = layout.object(kept, depth + 1)
    return True


def _edit_frame(  # noqa: PLR0913, PLR0917 - what a frame is made of
    frame: bytes,
    prompts: Mapping[int, list[int]],
    found: Annotations,
    layout: Layout,
    report: Report,
    source: Source,
) -> _Around | None:
    """Write what stands around the rows; None where it is no object with results in it."""
    top = fields_of(frame)
    results = top.get("results", b"")
    depth = 2
    if results[:1] == b"{":
        inner = fields_of(results)
        inner["results"] = ROWS
        _edit_prompts(inner, 2, prompts, found, layout)
        top["results"] = layout.object(inner, 1)
        depth = 3
    elif results[:1] == b"[":
        top["results"] = ROWS
        _edit_prompts(top, 1, prompts, found, layout)
    else:
        return None
    if depth == 3 or "config" in top:
        _edit_config(top, report, source, layout)
    text = layout.object(top, 0) + frame[len(frame.rstrip()) :]
    before, after = text.split(ROWS)
    return _Around(before + b"[", b"]" + after, depth)


def _edit_prompts(
    fields: Fields, depth: int, prompts: Mapping[int, list[int]], found: Annotations, layout: Layout
) -> None:
    """Replace our metrics of each prompt that has metrics."""
    if fields.get("prompts", b"")[:1] != b"[":
        return
    made = []
    changed = False
    elements: list[msgspec.Raw] = decode(fields["prompts"], _array)
    for index, raw in enumerate(elements):
        prompt = fields_of(raw)
        metrics = fields_of(prompt.get("metrics", b""))
        sums, counts = found.metrics(prompts.get(index, [])) if metrics else ({}, {})
        edits: tuple[Mapping[str, float], ...] = (sums, counts, counts)
        replaced = [
            _replace_ours(metrics, name, added, layout, depth + 2)
            for name, added in zip(METRICS, edits, strict=True)
        ]
        if not any(replaced):
            made.append(bytes(raw))
            continue
        prompt["metrics"] = layout.object(metrics, depth + 2)
        made.append(layout.object(prompt, depth + 1))
        changed = True
    if changed:
        fields["prompts"] = layout.array(made, depth)


def _edit_config(top: Fields, report: Report, source: Source, layout: Layout) -> None:
    """Put the run's report into ``config.metadata``, and a tag that says who wrote it."""
    config = fields_of(top.get("config", b""))
    metadata = fields_of(config.get("metadata", b""))
    earlier = fields_of(metadata.get(MARK, b"")).get("source")
    origin: dict[str, Any] = {
        "name": SourceFile(source.location).name,
        "digest": None if source.sha256 is None else f"sha256:{source.sha256}",
    }
    if earlier is not None:
        origin = decode(earlier, _any)
    metadata[MARK] = layout.value(run_report(report, source, origin), 3)
    config["metadata"] = layout.object(metadata, 2)
    tags = fields_of(config.get("tags", b""))
    tags[MARK] = layout.value(str(report.versions.get(MARK, "")), 3)
    config["tags"] = layout.object(tags, 2)
    top["config"] = layout.object(config, 1)


def _as_yaml(data: bytes) -> bytes:
    import yaml  # noqa: PLC0415 - few results are YAML

    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    text = yaml.dump(
        json.loads(data), Dumper=dumper, sort_keys=False, allow_unicode=True, width=2**31 - 1
    )
    return str(text).encode()


def _open_target(file: SourceFile, target: Path, stack: ExitStack) -> IO[bytes]:
    """Open the copy; gzipped without a time or name, so that equal copies are equal bytes."""
    out = stack.enter_context(target.open("wb"))
    if not file.is_gzipped:
        return out
    packed = gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=out, mtime=0)
    return cast("IO[bytes]", stack.enter_context(packed))


def _silent(_: float) -> None:
    """Take no notice of progress."""
