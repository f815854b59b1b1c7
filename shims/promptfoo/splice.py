"""Change single fields of JSON, and leave every other byte of it as it was."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec

from panopt.shims.promptfoo.schema import decode

__all__ = ["Fields", "Layout", "fields_of"]

Fields = dict[str, bytes]
_PRETTY = json.JSONEncoder(ensure_ascii=False, allow_nan=False, indent=2)
_COMPACT = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])


class Layout(NamedTuple):
    """How a document is written: indented by two, as ``JSON.stringify`` does, or compact."""

    pretty: bool

    def object(self, fields: Mapping[str, bytes], depth: int) -> bytes:
        """Write an object that stands at `depth`; the fields' values are written already."""
        if not fields:
            return b"{}"
        inner, outer = self._break(depth + 1), self._break(depth)
        colon = b": " if self.pretty else b":"
        parts = (inner + _key(name) + colon + value for name, value in fields.items())
        return b"{" + b",".join(parts) + outer + b"}"

    def array(self, elements: list[bytes], depth: int) -> bytes:
        """Write an array that stands at `depth`."""
        if not elements:
            return b"[]"
        inner, outer = self._break(depth + 1), self._break(depth)
        return b"[" + b",".join(inner + element for element in elements) + outer + b"]"

    def value(self, value: Any, depth: int) -> bytes:  # noqa: ANN401 - any JSON
        """Write a new value that stands at `depth`."""
        if self.pretty and isinstance(value, dict | list):
            text = _PRETTY.encode(value).replace("\n", "\n" + "  " * depth)
        else:
            text = _COMPACT.encode(value)
        return text.encode("utf-8", "replace")

    def _break(self, depth: int) -> bytes:
        return b"\n" + b"  " * depth if self.pretty else b""


def fields_of(raw: bytes | msgspec.Raw | None) -> Fields:
    """Give the fields of an object, their values as they are written; none for no object."""
    if raw is None or not len(raw):
        return {}
    try:
        return {name: bytes(value) for name, value in decode(raw, _fields).items()}
    except msgspec.ValidationError:
        return {}


@lru_cache(maxsize=1024)
def _key(name: str) -> bytes:
    return _COMPACT.encode(name).encode("utf-8", "replace")
