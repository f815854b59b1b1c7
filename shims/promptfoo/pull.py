"""Take the rows out of JSON of any layout, a piece at a time, in memory that does not grow.

Slower than cutting at the indentation or parsing at once; used only where memory is short.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Generator
from typing import Any

from panopt.shims.promptfoo.stream import CHUNK, Readable

__all__ = ["pull_rows"]

LARGEST = 256 << 20
SPACE = " \t\r\n"


def pull_rows(stream: Readable) -> Generator[bytes, None, bytes]:
    """Give the JSON of each row; return the JSON of everything else, the rows left out.

    Raises
    ------
    ValueError
        For JSON that is broken, or one value of it beyond 256 MiB.
    """
    text = _Text(stream)
    if text.mark() == "[":
        yield from _array(text)
        return b"[]"
    rest = yield from _object(text, "")
    return json.dumps(rest).encode()


def _object(text: _Text, path: str) -> Generator[bytes, None, dict[str, Any]]:
    rest: dict[str, Any] = {}
    text.take("{")
    while text.mark() != "}":
        name = text.value()
        text.take(":")
        where = f"{path}.{name}"
        if text.mark() == "[" and where in (
            ".results",
            ".results.results",
            ".data.results.results",
        ):
            yield from _array(text)
            rest[name] = []
        elif text.mark() == "{" and where in (".results", ".data", ".data.results"):
            rest[name] = yield from _object(text, where)
        else:
            rest[name] = text.value()
        if text.mark() == ",":
            text.take(",")
    text.take("}")
    return rest


def _array(text: _Text) -> Generator[bytes, None, None]:
    text.take("[")
    while text.mark() != "]":
        yield text.raw().encode()
        if text.mark() == ",":
            text.take(",")
    text.take("]")


class _Text:
    """A window on the text of a stream, from which values are taken."""

    def __init__(self, stream: Readable) -> None:
        self._stream = stream
        self._decode = codecs.getincrementaldecoder("utf-8-sig")().decode
        self._scan = json.JSONDecoder().raw_decode
        self._window = ""
        self._at = 0
        self._ended = False

    def mark(self) -> str:
        """Look at the next character that is no space."""
        while True:
            while self._at < len(self._window) and self._window[self._at] in SPACE:
                self._at += 1
            if self._at < len(self._window):
                return self._window[self._at]
            self._more()

    def take(self, mark: str) -> None:
        """Go past one character."""
        if self.mark() != mark:
            raise ValueError(f"expected {mark!r}, found {self.mark()!r}")
        self._at += 1

    def value(self) -> Any:  # noqa: ANN401 - any JSON
        """Take one value."""
        return self._scanned()[0]

    def raw(self) -> str:
        """Take the text of one value."""
        start_of, end = self._scanned()[1:]
        return self._window[start_of:end]

    def _scanned(self) -> tuple[Any, int, int]:
        self.mark()
        while True:
            try:
                found, end = self._scan(self._window, self._at)
            except json.JSONDecodeError:
                if self._ended or len(self._window) - self._at > LARGEST:
                    raise
                self._more()
                continue
            if end == len(self._window) and not self._ended:
                self._more()  # a number may go on
                continue
            start, self._at = self._at, end
            return found, start, end

    def _more(self) -> None:
        if self._ended:
            raise ValueError("the file is cut off")
        waiting = len(self._window) - self._at
        chunk = self._stream.read(max(CHUNK, waiting))
        self._ended = not chunk
        self._window = self._window[self._at :] + self._decode(chunk, not chunk)
        self._at = 0
