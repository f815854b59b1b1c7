"""Find the rows in a results file of any generation and encoding, one by one.

| generation | shape |
|---|---|
| April 2023 | a list of ``{prompt, output, ...}`` |
| May 2023 | ``{results: [...], stats, table}``, soon with ``version: 1`` |
| July 2023 | ``{results: {version: 2, results, stats, table}, config}``, or that object alone |
| October 2024 | ``{evalId, results: {version: 3, prompts, results, stats}, config}`` |
| Node API | ``{id, createdAt, config, results: [...], prompts}``, an evaluation record |
| share | ``{data: {results: {version: 2, ...}}}`` |
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgspec

from panopt.errors import SourceError
from panopt.records.source import SourceFile
from panopt.shims.promptfoo.pull import pull_rows
from panopt.shims.promptfoo.schema import Header, Summary, decode
from panopt.shims.promptfoo.stream import PrettyRows, Stream, lines

__all__ = ["Document", "check_aliases", "is_whole", "load_yaml", "open_json"]

#: Larger JSON is cut row by row where it is indented as promptfoo does.
STREAM_ABOVE = 16 << 20
VERSIONS = (1, 2, 3, 4)
#: Bytes that the aliases of a small YAML file may stand for; a large file may grow twentyfold.
MOST_FOLLOWED = 1 << 26
ROWS = msgspec.json.Decoder(list[msgspec.Raw])
HEADER = msgspec.json.Decoder(Header)
SUMMARY = msgspec.json.Decoder(Summary)
BOM = b"\xef\xbb\xbf"


class Document:
    """One results file: its rows as raw JSON, and what stands around them.

    Attributes
    ----------
    eval_id, promptfoo_version, generation, planned
        What the file says of itself; complete once the rows were gone through.
    frame
        The JSON around the rows, with or without them; none of JSONL.
    cut_off
        True where the last line of JSONL is no whole row (a run that was killed).
    """

    def __init__(self, source: SourceFile, stream: Stream, *, low_memory: bool) -> None:
        self._source = source
        self._stream = stream
        self._low_memory = low_memory
        self.eval_id: str | None = None
        self.promptfoo_version: str | None = None
        self.generation = "rows"
        self.planned: int | None = None
        self.frame = b""
        self.cut_off = False

    def rows(self) -> Iterator[tuple[str, bytes | msgspec.Raw]]:
        """Give the place and the raw JSON of each row.

        Raises
        ------
        SourceError
            For JSON or YAML that is broken, or a generation that is not known.
        """
        if self._source.suffix == ".jsonl":
            yield from self._lines()
            return
        try:
            for number, row in enumerate(self._elements()):
                yield f"result {number + 1}", row
        except (msgspec.DecodeError, ValueError, EOFError, RecursionError) as error:
            raise SourceError(
                f"promptfoo results that cannot be parsed ({' '.join(str(error).split())})",
                source=self._source.location,
            ) from error

    def _lines(self) -> Iterator[tuple[str, bytes]]:
        self.generation = "JSONL"
        waiting: tuple[str, bytes] | None = None
        for number, line, whole in lines(self._stream):
            if waiting is not None:
                yield waiting
            waiting = (f"line {number}", line.removeprefix(BOM) if number == 1 else line)
            if not whole and not is_whole(line):
                self.cut_off = True
                waiting = None
        if waiting is not None:
            yield waiting

    def _elements(self) -> Iterator[bytes | msgspec.Raw]:
        if self._source.suffix != ".json":
            content = self._stream.read()
            tree = load_yaml(content)
            if b"*" in content:
                check_aliases(tree, len(content))
            yield from self._whole(msgspec.json.encode(tree))
            return
        large = self._low_memory or self._is_large()
        if large and self._source.head.startswith(b'{\n  "'):
            pretty = PrettyRows(self._stream)
            yield from pretty
            if pretty.found:
                self._whole(pretty.skeleton())
            else:
                yield from self._whole(pretty.skeleton())
        elif self._low_memory:
            yield from self._pulled()
        else:
            yield from self._whole(self._stream.read())

    def _is_large(self) -> bool:
        if self._source.is_remote:
            return True
        least = STREAM_ABOVE // 8 if self._source.is_gzipped else STREAM_ABOVE
        return self._source.path.stat().st_size > least

    def _pulled(self) -> Iterator[bytes]:
        rest = yield from pull_rows(self._stream)
        self._whole(rest)

    def _whole(self, data: bytes) -> list[msgspec.Raw]:
        self.frame = data.removeprefix(BOM)
        header, summary, rows = open_json(self.frame)
        version = _version(summary.version if summary else header.version)
        if version is not None and version not in VERSIONS:
            raise SourceError(
                f"results of version {version}, which is not known; "
                f"versions {VERSIONS[0]} to {VERSIONS[-1]} are read",
                source=self._source.location,
            )
        stats = (summary or header).stats
        metadata = header.metadata if isinstance(header.metadata, dict) else {}
        named = header.evalId or header.id
        self.eval_id = named if isinstance(named, str) else None
        release = metadata.get("promptfooVersion")
        self.promptfoo_version = release if isinstance(release, str) else None
        self.generation = f"version {version}" if version else "rows without a version"
        self.planned = _total(stats)
        return rows


def open_json(data: bytes | msgspec.Raw) -> tuple[Header, Summary | None, list[msgspec.Raw]]:
    """Take results apart: the outer object, the summary around the rows if any, the rows.

    Raises
    ------
    msgspec.DecodeError
        For JSON that is broken, or where no rows stand.
    """
    if bytes(memoryview(data)[:64]).lstrip()[:1] == b"[":
        return Header(), None, decode(data, ROWS)
    header = decode(data, HEADER)
    if len(header.data):
        return open_json(header.data)
    first = bytes(memoryview(header.results)[:1])
    if first == b"[":
        return header, None, decode(header.results, ROWS)
    if first == b"{":
        summary = decode(header.results, SUMMARY)
        return header, summary, decode(summary.results, ROWS) if len(summary.results) else []
    raise msgspec.ValidationError("no results stand in it")


def load_yaml(data: bytes) -> Any:  # noqa: ANN401 - any YAML
    """Read YAML as promptfoo writes it: what looks like a date stays text."""
    import yaml  # noqa: PLC0415 - few results are YAML

    base = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    resolvers = {
        mark: [(tag, pattern) for tag, pattern in pairs if not tag.endswith(":timestamp")]
        for mark, pairs in base.yaml_implicit_resolvers.items()
    }
    loader = type("Loader", (base,), {"yaml_implicit_resolvers": resolvers})
    try:
        return yaml.load(data, Loader=loader)  # noqa: S506 - a safe loader, less dates
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error


def check_aliases(tree: Any, written: int) -> None:  # noqa: ANN401 - any YAML
    """Raise where YAML of `written` bytes is far larger once its aliases are followed.

    Aliases are one object in memory: each is gone through once, whoever stands for it.

    Raises
    ------
    ValueError
        Where it would grow beyond measure, or holds itself.

    Examples
    --------
    >>> text = ["lol"] * 9
    >>> check_aliases([text, text], 50)
    >>> for _ in range(9): text = [text] * 9
    >>> check_aliases(text, 400)
    Traceback (most recent call last):
    ...
    ValueError: its aliases stand for more than 67 MB
    """
    most = MOST_FOLLOWED + 20 * written
    sizes: dict[int, int] = {}
    waiting: list[tuple[Any, bool]] = [(tree, False)]
    while waiting:
        node, is_done = waiting.pop()
        if id(node) in sizes and not is_done:
            if not sizes[id(node)]:
                raise ValueError("an alias stands within what it stands for")
            continue
        inner = _inner(node)
        if is_done or not inner:
            size = 4 + len(node) if isinstance(node, str | bytes) else 8
            size += sum(sizes[id(one)] for one in inner)
            if size > most:
                raise ValueError(f"its aliases stand for more than {most / 1e6:.0f} MB")
            sizes[id(node)] = size
            continue
        sizes[id(node)] = 0  # until what is in it is known
        waiting.append((node, True))
        waiting += [(one, False) for one in inner]


def _inner(node: Any) -> list[Any]:  # noqa: ANN401 - any YAML
    if isinstance(node, dict):
        return [*node, *node.values()]
    return list(node) if isinstance(node, list | tuple | set) else []


def is_whole(line: bytes) -> bool:
    """Tell whether a line of JSONL is JSON; False where it is cut off."""
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def _version(value: Any) -> int | None:  # noqa: ANN401 - any JSON
    if isinstance(value, str) and value.isdigit():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _total(stats: Any) -> int | None:  # noqa: ANN401 - any JSON
    if not isinstance(stats, dict):
        return None
    parts = [stats.get(name) for name in ("successes", "failures", "errors")]
    numbers = [part for part in parts if isinstance(part, int)]
    return sum(numbers) if numbers else None
