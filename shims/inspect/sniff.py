"""Tell Inspect logs from other files, by their first bytes."""

from __future__ import annotations

import json
from typing import Literal

from panopt.records.source import SourceFile

__all__ = ["sniff", "top_keys"]


def sniff(source: SourceFile) -> Literal["eval", "json"] | None:
    """Tell what kind of Inspect log this is; None where it is none.

    Every ``.eval`` file is taken for one. A JSON document is one where it has an object
    ``eval`` beside ``status`` or ``version``, as far as its first bytes show.
    """
    if source.suffix == ".eval":
        return "eval"
    if source.suffix != ".json":
        return None
    keys = top_keys(source.head)
    return "json" if "eval" in keys and {"status", "version"} & set(keys) else None


def top_keys(head: bytes) -> tuple[str, ...]:
    """List the keys of a JSON object as far as its first bytes go.

    Examples
    --------
    >>> top_keys(b'{"version": 2, "eval": {"task": "a"}, "samples": [{"id":')
    ('version', 'eval', 'samples')
    >>> top_keys(b'[1, 2]'), top_keys(b'')
    ((), ())
    """
    text = head.decode("utf-8", errors="replace").lstrip("\ufeff \t\r\n")
    if not text.startswith("{"):
        return ()
    decoder = json.JSONDecoder()
    keys: list[str] = []
    at = 1
    try:
        while True:
            at = _past_space(text, at)
            if text[at] != '"':
                return tuple(keys)
            key, at = decoder.raw_decode(text, at)
            at = _past_space(text, at)
            if text[at] != ":":
                return tuple(keys)
            keys.append(key)
            _, at = decoder.raw_decode(text, _past_space(text, at + 1))
            at = _past_space(text, at)
            if text[at] != ",":
                return tuple(keys)
            at += 1
    except (ValueError, IndexError, RecursionError):  # the head ends here, or is too deep
        return tuple(keys)


def _past_space(text: str, at: int) -> int:
    while text[at] in " \t\r\n":
        at += 1
    return at
