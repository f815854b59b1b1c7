"""Tell from its first bytes whether a file holds promptfoo results."""

from __future__ import annotations

import re

from panopt.errors import NotALogError
from panopt.records.source import SourceFile

__all__ = ["is_results", "key_paths"]

DEPTH = 3
TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|["{}\[\]:,]|[^\s{}\[\]:,"]+', re.DOTALL)
CSV = re.compile(rb",Status,Score,Named Scores,|[\",]\[(?:PASS|FAIL)\] \(\d")
YAML_KEYS = re.compile(rb"^(evalId|results|stats|table|config):", re.MULTILINE)


def is_results(source: SourceFile) -> bool:
    """Tell whether `source` is one of ours, by its ending and its first 64 KiB.

    Raises
    ------
    SourceError
        For promptfoo's CSV, which rounds scores and leaves the judges out.
    """
    head = source.head.removeprefix(b"\xef\xbb\xbf")
    if source.suffix == ".csv" and CSV.search(head):
        raise NotALogError(
            "promptfoo's CSV rounds scores to two digits and leaves the judges out; "
            "export JSON or JSONL (promptfoo export eval ID -o results.json)",
            source=source.location,
        )
    if source.suffix == ".json":
        return _is_json(head)
    if source.suffix == ".jsonl":
        return _is_row(key_paths(head.lstrip().split(b"\n", 1)[0]))
    if source.suffix in (".yaml", ".yml"):
        return _is_yaml(head)
    return False


def key_paths(head: bytes) -> frozenset[str]:
    """List the keys of truncated JSON down to three levels: ``results[].prompt``.

    Examples
    --------
    >>> sorted(key_paths(b'{"a": {"b": 1}, "c": [1, {"d": "x'))
    ['a', 'a.b', 'c', 'c[].d']
    """
    found: set[str] = set()
    prefixes = [""]  # of the keys of each open object or array: "results.", "results[]"
    key: str | None = None  # the key whose value is to come
    text = ""
    for match in TOKEN.finditer(head):
        token = match.group()
        mark = token[:1]
        if token == b'"':
            break  # a string that the end of the head cuts off
        if mark == b'"':
            text = token[1:-1].decode("utf-8", "replace")
        elif mark == b":":
            key = text
            if len(prefixes) <= DEPTH + 1:
                found.add(prefixes[-1] + key)
        elif mark in (b"{", b"["):
            # deeper prefixes name no key: at a head full of brackets they would fill gigabytes
            shown = len(prefixes) <= DEPTH
            prefixes.append(_inside(prefixes[-1] + (key or ""), mark) if shown else "")
            key = None
        elif mark in (b"}", b"]") and len(prefixes) > 1:
            prefixes.pop()
            key = None
        elif mark == b",":
            key = None
    return frozenset(found)


def _inside(path: str, mark: bytes) -> str:
    if mark == b"[":
        return f"{path}[]"
    return f"{path}." if path else ""


def _is_json(head: bytes) -> bool:
    keys = key_paths(head)
    if head.lstrip()[:1] == b"[":
        return {"[].prompt", "[].output"} <= keys
    if {"eval", "plan"} & keys:
        return False  # an Inspect log
    if "evalId" in keys or {"createdAt", "config"} <= keys:
        return True
    if any(name in keys for name in ("results.results", "data.results", "results.table")):
        return True
    rows = {name.removeprefix("results[].") for name in keys if name.startswith("results[].")}
    return bool(rows) and ({"stats", "table"} <= keys or _is_row(frozenset(rows)))


def _is_row(keys: frozenset[str]) -> bool:
    if keys & {"gradingResult", "testCase"} or {"testIdx", "promptIdx"} <= keys:
        return True
    return "prompt.raw" in keys and bool(keys & {"provider", "response", "success"})


def _is_yaml(head: bytes) -> bool:
    keys = set(YAML_KEYS.findall(head))
    if b"evalId" in keys:
        return True
    return b"results" in keys and bool(keys & {b"stats", b"table", b"config"})
