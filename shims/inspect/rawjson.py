"""JSON taken apart one level deep and put together again, all untouched parts byte for byte.

What Inspect wrote and panopt does not know survives: unknown fields, the spelling of numbers,
bare NaN, escapes that are no text.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache

import msgspec

__all__ = ["dump", "fields", "items", "join_fields", "join_items", "load"]

_object = msgspec.json.Decoder(dict[str, msgspec.Raw])
_array = msgspec.json.Decoder(list[msgspec.Raw])
_scanner = json.JSONDecoder()


def fields(data: bytes) -> dict[str, bytes]:
    """Take a JSON object apart: its keys, and the text of each value.

    Examples
    --------
    >>> fields(b'{"a": [1.50, NaN], "b": {"c": 1e2}}')
    {'a': b'[1.50, NaN]', 'b': b'{"c": 1e2}'}
    """
    try:
        return {key: bytes(value) for key, value in _object.decode(data).items()}
    except msgspec.DecodeError:  # NaN, for which msgspec has no name
        text = data.decode()
        return {key: value.encode() for key, value in _scan_object(text)}


def items(data: bytes) -> Iterator[bytes]:
    """Take a JSON array apart: the text of each value, one after the other.

    Examples
    --------
    >>> list(items(b'[1, {"a": NaN}]'))
    [b'1', b'{"a": NaN}']
    """
    try:
        for value in _array.decode(data):
            yield bytes(value)
    except msgspec.DecodeError:  # before the first value was given
        for text in _scan_array(data.decode()):
            yield text.encode()


def join_fields(parts: Mapping[str, bytes | bytearray]) -> bytes:
    """Put an object together."""
    return b"{" + b",".join([_key(key) + value for key, value in parts.items()]) + b"}"


def join_items(parts: Iterable[bytes]) -> bytearray:
    """Put an array together, without holding its parts."""
    joined = bytearray(b"[")
    for part in parts:
        joined += part
        joined += b","
    if len(joined) > 1:
        joined.pop()
    joined += b"]"
    return joined


def dump(value: object) -> bytes:
    """Write a value of panopt's own, in ASCII."""
    return json.dumps(value, separators=(",", ":")).encode()


def load(data: bytes | None) -> object:
    """Read a value; None for one that is not there."""
    return None if data is None else json.loads(data)


@lru_cache(maxsize=4096)
def _key(key: str) -> bytes:
    return dump(key) + b":"


def _scan_object(text: str) -> Iterator[tuple[str, str]]:
    at = _past_space(text, 0)
    if text[at : at + 1] != "{":
        raise ValueError(f"not a JSON object: {text[:40]!r}")
    at = _past_space(text, at + 1)
    while text[at] != "}":
        key, at = _scanner.raw_decode(text, at)
        at = _past_space(text, _past_space(text, at) + 1)
        _, end = _scanner.raw_decode(text, at)
        yield key, text[at:end]
        at = _past_comma(text, end)


def _scan_array(text: str) -> Iterator[str]:
    at = _past_space(text, 0)
    if text[at : at + 1] != "[":
        raise ValueError(f"not a JSON array: {text[:40]!r}")
    at = _past_space(text, at + 1)
    while text[at] != "]":
        _, end = _scanner.raw_decode(text, at)
        yield text[at:end]
        at = _past_comma(text, end)


def _past_comma(text: str, at: int) -> int:
    at = _past_space(text, at)
    return _past_space(text, at + 1) if text[at] == "," else at


def _past_space(text: str, at: int) -> int:
    while text[at : at + 1] in (" ", "\t", "\r", "\n"):
        at += 1
    return at
