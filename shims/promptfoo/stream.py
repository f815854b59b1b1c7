"""Read a file once, front to back: decompress, hash, tell how far, and cut rows out of JSON.

The rows of ``JSON.stringify(results, null, 2)`` are cut at their indentation, without parsing:
strings hold no raw line breaks there, so a line that closes a brace at the depth of the rows
closes a row. Memory is that of one chunk and one row, whatever the size of the file.
"""

from __future__ import annotations

import gzip
import hashlib
import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import IO, Protocol, cast

from panopt.errors import SourceError
from panopt.records.source import SourceFile

__all__ = ["PrettyRows", "Stream", "lines", "open_stream"]

CHUNK = 1 << 17
RESULTS_KEY = re.compile(rb'\n  "results": ([\[{])')
INNER_KEY = re.compile(rb'\n(?:    "results": (\[)|  \})')


class Readable(Protocol):
    """What can be read piece by piece."""

    def read(self, size: int = -1, /) -> bytes:
        """Give the next bytes, at most `size`; none at the end."""
        ...


class Stream:
    """The content of one file, read once; hashes its bytes and tells the share read."""

    def __init__(
        self, raw: IO[bytes], *, size: int, gzipped: bool, progress: Callable[[float], None]
    ) -> None:
        self._raw = raw
        self._size = size
        self._done = 0
        self._progress = progress
        self._hash = hashlib.sha256()
        tap = cast("IO[bytes]", _Tap(self._tap))
        self._content: Readable = gzip.GzipFile(fileobj=tap, mode="rb") if gzipped else tap

    def read(self, size: int = -1) -> bytes:
        """Give the next bytes of the decompressed content."""
        if size >= 0:
            return self._content.read(size)
        return b"".join(iter(lambda: self._content.read(CHUNK), b""))

    def sha256(self) -> str:
        """Give the digest of the file's bytes; reads what is left."""
        while self._tap(CHUNK):
            pass
        return self._hash.hexdigest()

    def _tap(self, size: int) -> bytes:
        data = self._raw.read(size)
        self._hash.update(data)
        self._done += len(data)
        if self._size:
            self._progress(min(1.0, self._done / self._size))
        return data


class _Tap:
    """The raw bytes as a file object, for the decompressor."""

    def __init__(self, read: Callable[[int], bytes]) -> None:
        self._read = read

    def read(self, size: int = -1) -> bytes:
        return self._read(size)


@contextmanager
def open_stream(source: SourceFile, progress: Callable[[float], None]) -> Iterator[Stream]:
    """Open a local or remote file.

    Raises
    ------
    SourceError
        When it cannot be opened, read or decompressed; also while the caller reads.
    """
    try:
        with _opened(source) as raw:
            size = 0 if source.is_remote else source.path.stat().st_size
            yield Stream(raw, size=size, gzipped=source.is_gzipped, progress=progress)
    except (OSError, EOFError, zlib.error) as error:
        raise SourceError(f"cannot be read ({error})", source=source.location) from error


def _opened(source: SourceFile) -> AbstractContextManager[IO[bytes]]:
    if not source.is_remote:
        return source.path.open("rb")
    import fsspec  # noqa: PLC0415 - only remote files need it

    opened: AbstractContextManager[IO[bytes]] = fsspec.open(source.location, "rb")
    return opened


def lines(stream: Readable) -> Iterator[tuple[int, bytes, bool]]:
    """Give number (from 1), content and "ends with a line break" of each line that is not blank."""
    number, rest = 0, b""
    while chunk := stream.read(CHUNK):
        *whole, rest = (rest + chunk).split(b"\n") if rest else chunk.split(b"\n")
        for line in whole:
            number += 1
            if line and not line.isspace():
                yield number, line, True
    if rest and not rest.isspace():
        yield number + 1, rest, False


class PrettyRows:
    """Rows cut out of indented JSON; `head` and `tail` are what stands around them.

    Parameters
    ----------
    stream
        JSON that starts with ``{`` and a line break, and is indented by two.
    """

    def __init__(self, stream: Readable) -> None:
        self._stream = stream
        self._buffer = b""
        self.head = b""
        self.tail = b""
        self.indent = self._find_rows()

    @property
    def found(self) -> bool:
        """False where no array of rows was found; then `head` is the whole content."""
        return bool(self.indent)

    def __iter__(self) -> Iterator[bytes]:
        """Give the bytes of each row, one by one."""
        if not self.found:
            return
        opening, closing = b"\n" + self.indent, b"\n" + self.indent + b"}"
        at = 0
        while True:
            at, mark = self._row_start(at, opening)
            if mark == b"]":
                break
            if mark != b"{" or self._peek(at, 2) == b"{}":
                end = self._find(b"\n", at)
                row = self._buffer[at:end].rstrip(b",")
            else:
                end = self._find(closing, at) + len(closing)
                row = self._buffer[at:end]
            yield row
            at = end
            if at > CHUNK:
                self._buffer, at = self._buffer[at:], 0
        self.tail = self._buffer[at:] + self._stream.read(-1)
        self._buffer = b""

    def skeleton(self) -> bytes:
        """Give the JSON without its rows; valid once they were gone through."""
        return self.head + self.tail if self.found else self.head

    def _find_rows(self) -> bytes:
        at, wanted, indent = 0, RESULTS_KEY, b"    "
        while True:
            match = wanted.search(self._buffer, at)
            if match is None:
                at = max(0, len(self._buffer) - 64)
                if not self._more():
                    break
            elif match.group(1) == b"[":
                self.head = self._buffer[: match.end()]
                self._buffer = self._buffer[match.end() :]
                ahead = self._peek(0, len(indent) + 2)
                if ahead.lstrip()[:1] == b"]" or ahead == b"\n" + indent + b"{":
                    return indent
                self._buffer = self.head + self._buffer  # another layout
                break
            elif wanted is INNER_KEY:
                break  # the results end without rows
            else:
                at, wanted, indent = match.end() - 1, INNER_KEY, b"      "
        self.head = self._buffer + self._stream.read(-1)
        self._buffer = b""
        return b""

    def _row_start(self, at: int, opening: bytes) -> tuple[int, bytes]:
        """Go past comma, line break and indentation to a row, or to the end of the array."""
        if self._peek(at, 1) == b",":
            at += 1
        ahead = self._peek(at, len(opening) + 1)
        space = len(ahead) - len(ahead.lstrip())
        mark = ahead[space : space + 1]
        if mark != b"]" and (space != len(opening) or not ahead.startswith(opening)):
            raise ValueError("the rows are not indented as JSON.stringify does")
        return at + space, mark

    def _peek(self, at: int, size: int) -> bytes:
        while len(self._buffer) < at + size and self._more():
            pass
        return self._buffer[at : at + size]

    def _find(self, what: bytes, at: int) -> int:
        searched = at
        while (found := self._buffer.find(what, searched)) < 0:
            searched = max(at, len(self._buffer) - len(what))
            if not self._more():
                raise EOFError("the file is cut off inside a row")
        return found

    def _more(self) -> bool:
        chunk = self._stream.read(CHUNK)
        self._buffer += chunk
        return bool(chunk)
