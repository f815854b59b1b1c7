"""Who judged: the name of the grader in each of the shapes promptfoo leaves it in.

``assertion.provider`` is a string, an object with id, label and config, a dump of the live
provider (with or without an id), a map from kind of model to one of these, or absent. Its
``config`` can hold an API key in clear and is never decoded.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec

from panopt.shims.promptfoo.schema import EMPTY, decode

__all__ = ["Grader", "GraderNames", "is_model_graded", "plain_type"]

#: Assertion types whose score a model gives.
MODEL_GRADED = frozenset(
    [
        "llm-rubric",
        "agent-rubric",
        "search-rubric",
        "trajectory:goal-success",
        "g-eval",
        "factuality",
        "model-graded-closedqa",
        "model-graded-factuality",
        "answer-relevance",
        "context-recall",
        "context-relevance",
        "context-faithfulness",
        "conversation-relevance",
        "classifier",
        "pi",
        "moderation",
        "select-best",
    ]
)
#: Keys of a provider as a user declares it; other keys show a dump of the live object.
DECLARED = frozenset(
    ("id", "label", "config", "prompts", "transform", "delay", "env", "inputs", "maxConcurrency")
)
KINDS = ("text", "embedding", "classification", "moderation")
SECRET = re.compile(
    rb'"(?:api[_-]?key|\w*token|\w*secret|password|authorization)"\s*:\s*"(?!\[REDACTED\]|")',
    re.IGNORECASE,
)
#: A URL: scheme, user and password, host and path, query and fragment.
URL = re.compile(r"(\b[a-z][a-z0-9+.-]*://)(?:[^\s/?#]*@)?([^\s?#]*)(?:[?#]\S*)?", re.IGNORECASE)
LONGEST = 512
MOST_KEPT = 4096


class Grader(NamedTuple):
    """The grader of one assertion: its name if any, and what tells equal names apart."""

    name: str | None
    key: bytes = b""


class _Shape(msgspec.Struct, gc=False):
    label: Any = None
    id: Any = None
    modelName: Any = None  # noqa: N815 - promptfoo's name
    options: msgspec.Raw = EMPTY
    scriptPath: Any = None  # noqa: N815


UNKNOWN = Grader(None)
_shape = msgspec.json.Decoder(_Shape)
_text = msgspec.json.Decoder(str)
_keys = msgspec.json.Decoder(dict[str, msgspec.Raw])


@dataclass
class GraderNames:
    """Reads graders, and remembers those it read.

    Attributes
    ----------
    secret
        True once a provider with a secret in clear was seen.
    """

    secret: bool = False

    def __post_init__(self) -> None:
        """Start with nothing read."""
        self._known: dict[bytes, Grader] = {}

    def of(self, raw: msgspec.Raw) -> Grader:
        """Name the grader that raw JSON of a provider stands for."""
        if not len(raw):
            return UNKNOWN
        if len(raw) > LONGEST:
            return self._read(raw)
        content = bytes(raw)
        grader = self._known.get(content)
        if grader is None:
            if len(self._known) >= MOST_KEPT:
                self._known.clear()
            grader = self._known[content] = self._read(raw)
        return grader

    def _read(self, raw: msgspec.Raw) -> Grader:
        first = bytes(memoryview(raw)[:1])
        if first == b'"':
            written = decode(raw, _text)
            shown = _without_secret(written)
            return Grader(shown or None, b"" if shown == written else _digest(bytes(raw)))
        if first != b"{":
            return UNKNOWN
        self.secret = self.secret or SECRET.search(memoryview(raw)) is not None
        fields = decode(raw, _keys)
        for kind in KINDS:
            if kind in fields and not {"id", "label"} & set(fields):
                return self._read(fields[kind])
        name = _name(decode(raw, _shape))
        if "config" in fields and "label" not in fields and set(fields) <= DECLARED:
            # only a digest, only in memory: tells judges of one id apart
            return Grader(name, _digest(bytes(fields["config"])))
        return Grader(name)


def _digest(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=8).digest()


def _name(shape: _Shape) -> str | None:
    inner = None
    if bytes(memoryview(shape.options)[:1]) == b"{":
        inner = decode(shape.options, _shape).id
    for name in (shape.label, shape.id, shape.modelName, inner, shape.scriptPath):
        if isinstance(name, str) and name:
            return _without_secret(name)
    return None


def _without_secret(name: str) -> str:
    """Take user, password, query and fragment off a URL in a name: keys stand in them.

    Examples
    --------
    >>> _without_secret("https://me:pa55@host/v1?key=sk-1"), _without_secret("openai:gpt-4o@x?")
    ('https://host/v1', 'openai:gpt-4o@x?')
    """
    return URL.sub(r"\1\2", name)


def plain_type(kind: str) -> str:
    """Take the inversion off an assertion type: ``not-llm-rubric`` is an ``llm-rubric``."""
    return kind.removeprefix("not-")


def is_model_graded(kind: str) -> bool:
    """Tell whether a model gives the score of assertions of this type.

    Examples
    --------
    >>> is_model_graded("not-llm-rubric"), is_model_graded("icontains")
    (True, False)
    """
    plain = plain_type(kind)
    return plain in MODEL_GRADED or plain.startswith("promptfoo:redteam:")
