"""The parts of promptfoo's rows that are read, as msgspec structs; all else is skipped unparsed.

Every field may be missing and every scalar may be of any type: what promptfoo wrote over the
years is checked where it is used. ``provider`` stays raw bytes, because its ``config`` can hold
an API key in clear; :mod:`panopt.shims.promptfoo.judges` reads the name in it and nothing else.
"""

from __future__ import annotations

import json
import math
from typing import Any, TypeVar

import msgspec

__all__ = [
    "EMPTY",
    "Assertion",
    "Component",
    "ComponentMetadata",
    "Header",
    "Row",
    "Summary",
    "TestMetadata",
    "canonical",
    "decode",
    "decode_row",
]

EMPTY = msgspec.Raw()


class Assertion(msgspec.Struct, gc=False):
    """One assertion of a test: what is checked, and by whom."""

    type: Any = None
    metric: Any = None
    value: msgspec.Raw = EMPTY
    weight: Any = None
    provider: msgspec.Raw = EMPTY
    nested: list[Assertion | None] | None = msgspec.field(default=None, name="assert")


class AssertionSet(msgspec.Struct, gc=False):
    """What the result of an assert-set says of the set (0.121 and later)."""

    metric: Any = None


class ComponentMetadata(msgspec.Struct, gc=False):
    """What the grader reported beside its verdict."""

    judge: Any = None
    graderError: Any = None  # noqa: N815 - promptfoo's name
    cachedResponse: Any = None  # noqa: N815
    abstained: Any = None
    confidence: Any = None
    promptHash: Any = None  # noqa: N815 - like the others; of a judge inside a jury
    panel: msgspec.Raw = EMPTY
    assertionSet: AssertionSet | None = None  # noqa: N815


class Tokens(msgspec.Struct, gc=False):
    """Tokens of the judge's call."""

    total: Any = None
    prompt: Any = None
    completion: Any = None


class Component(msgspec.Struct, gc=False):
    """The result of one assertion: one judge's verdict, or a set of them."""

    assertion: Assertion | None = None
    passed: Any = msgspec.field(default=None, name="pass")
    score: Any = msgspec.UNSET
    """UNSET where it is missing; None where it is null, as JSON writes a NaN."""
    reason: Any = None
    tokensUsed: Tokens | None = None  # noqa: N815
    metadata: ComponentMetadata | None = None
    nested: list[Component | None] | None = msgspec.field(default=None, name="componentResults")


class Grading(msgspec.Struct, gc=False):
    """The graded row; its own score and pass are never read as a judge's."""

    components: list[Component | None] | None = msgspec.field(default=None, name="componentResults")
    assertion: Assertion | None = None
    passed: Any = msgspec.field(default=None, name="pass")
    score: Any = msgspec.UNSET
    reason: Any = None
    comment: Any = None
    metadata: ComponentMetadata | None = None


class TestOptions(msgspec.Struct, gc=False):
    """Options of a test: the grader of assertions that name none."""

    provider: msgspec.Raw = EMPTY


class TestCase(msgspec.Struct, gc=False):
    """The test a row answers."""

    id: Any = None
    vars: msgspec.Raw = EMPTY
    asserts: list[Assertion | None] | None = msgspec.field(default=None, name="assert")
    metadata: msgspec.Raw = EMPTY
    options: TestOptions | None = None


class TestMetadata(msgspec.Struct, gc=False):
    """Names and labels that the author of a test may give."""

    testCaseId: Any = None  # noqa: N815
    item_id: Any = None
    id: Any = None
    expected_label: Any = None
    family: Any = None
    task_family: Any = None
    stratum: Any = None
    cluster: Any = None


class Response(msgspec.Struct, gc=False):
    """What the system under test answered."""

    output: msgspec.Raw = EMPTY
    cached: Any = None
    error: Any = None


class Row(msgspec.Struct, gc=False):
    """One answer of one system to one test, graded."""

    id: Any = None
    testIdx: Any = None  # noqa: N815
    promptIdx: Any = None  # noqa: N815
    evalId: Any = None  # noqa: N815
    evaluationId: Any = None  # noqa: N815
    provider: msgspec.Raw = EMPTY
    prompt: msgspec.Raw = EMPTY
    vars: msgspec.Raw = EMPTY
    namedScores: msgspec.Raw = EMPTY  # noqa: N815
    testCase: TestCase | None = None  # noqa: N815
    response: Response | None = None
    providerResponse: Response | None = None  # noqa: N815
    output: msgspec.Raw = EMPTY
    gradingResult: Grading | None = None  # noqa: N815
    failureReason: Any = None  # noqa: N815
    error: Any = None


class Summary(msgspec.Struct, gc=False):
    """The object around the rows."""

    version: Any = None
    results: msgspec.Raw = EMPTY
    stats: Any = None


class Header(msgspec.Struct, gc=False):
    """The object around everything."""

    evalId: Any = None  # noqa: N815
    id: Any = None
    version: Any = None
    results: msgspec.Raw = EMPTY
    stats: Any = None
    metadata: Any = None
    data: msgspec.Raw = EMPTY


Decoded = TypeVar("Decoded")
_decoder = msgspec.json.Decoder(Row)
_any = msgspec.json.Decoder(Any)

#: Fields that must be an object or a list of objects, by name; other values count as absent.
_OBJECTS = frozenset(
    [
        "assertion",
        "metadata",
        "tokensUsed",
        "assertionSet",
        "testCase",
        "options",
        "response",
        "providerResponse",
        "gradingResult",
    ]
)
_LISTS = frozenset(("assert", "componentResults"))
#: What stands under these is the user's own, of any kind.
_FREE = frozenset(("vars", "value", "output", "provider", "prompt", "namedScores"))


def decode_row(raw: bytes | msgspec.Raw) -> Row:
    """Decode one row, mending what is not as promptfoo writes it.

    Raises
    ------
    msgspec.DecodeError, ValueError
        Where it is no JSON object.
    """
    try:
        return _decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        row = json.loads(bytes(raw))
        if not isinstance(row, dict):
            raise TypeError("a row is an object") from None
        return _decoder.decode(_written(_mended(row)))


def decode(raw: bytes | msgspec.Raw, decoder: msgspec.json.Decoder[Decoded]) -> Decoded:
    """Decode a part of a row that was kept raw; mends halves of surrogate pairs.

    Raises
    ------
    msgspec.DecodeError
        Where it is not of the decoder's type.
    """
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        return decoder.decode(_written(_mended(json.loads(bytes(raw)), free=True)))


def canonical(raw: bytes | msgspec.Raw) -> bytes:
    """Give bytes that are equal for equal JSON, however it is written; of a string, its text."""
    content = bytes(raw)
    if content[:1] == b'"' and b"\\" not in content:
        return content[1:-1]
    value = decode(content, _any)
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    return text.encode("utf-8", "replace")


def _mended(value: Any, *, free: bool = False) -> Any:  # noqa: ANN401 - any JSON
    """Drop fields of the wrong kind, and halves of surrogate pairs, which are no Unicode."""
    if isinstance(value, dict):
        return {
            _mended(name): _mended(_fitting(name, content), free=name in _FREE)
            if not free
            else _mended(content, free=True)
            for name, content in value.items()
        }
    if isinstance(value, list):
        return [_mended(element, free=free) for element in value]
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _written(value: Any) -> bytes:  # noqa: ANN401 - any JSON
    return json.dumps(value, ensure_ascii=False).encode()


def _fitting(name: str, content: Any) -> Any:  # noqa: ANN401 - any JSON
    """Give a field's content where it is of the right kind; None, or none of it, where not."""
    if name in _OBJECTS:
        return content if isinstance(content, dict) else None
    if name in _LISTS:
        if not isinstance(content, list):
            return None
        return [element if isinstance(element, dict) else None for element in content]
    return content
