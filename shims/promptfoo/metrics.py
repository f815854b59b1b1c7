"""Give the metrics of a row the names promptfoo shows them under.

promptfoo stores a metric as its author wrote it, often a template (``accuracy/{{task}}``), and
the rendered name (``accuracy/safety``) only among the row's named scores. Variables are filled in
here; what else a template may hold is never run, but looked up among those names.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Any, NamedTuple

import msgspec

from panopt.shims.promptfoo.responses import row_variables
from panopt.shims.promptfoo.schema import Row, decode
from panopt.shims.promptfoo.walk import Leaf

__all__ = ["NO_NAMES", "REDACTED", "Names", "is_ours", "name_metrics"]

OURS = re.compile(r"panopt(?:$|[._])")
OPENING = re.compile(r"\{[{%#]")
VARIABLE = re.compile(r"\{\{\s*([A-Za-z_$][\w$]*(?:\.[A-Za-z_$][\w$]*)*)\s*\}\}", re.ASCII)
TAG = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
REDACTED = "[REDACTED]"
EXACT = 2**53
LONGEST = 1000  # longer than this, a template is no name
_object = msgspec.json.Decoder(dict[str, Any])


class Names(NamedTuple):
    """Names of the metrics of one row that are templates, and the templates without a name."""

    rendered: dict[str, str]
    unknown: tuple[str, ...]

    def of(self, metric: str) -> str:
        """Give the name of a metric; itself where it is no template, or one without a name."""
        return self.rendered.get(metric, metric)


NO_NAMES = Names({}, ())


def name_metrics(found: list[Leaf], row: Row) -> Names:
    """Name the metrics of a row's verdicts that are templates.

    A template of text and variables is filled in from the row's variables. Any other has the name
    among the row's named scores that fits its text, where only one does and no other metric has it.

    Parameters
    ----------
    found
        The verdicts of the row.
    row
        The row, whose ``vars`` and ``namedScores`` are read.
    """
    metrics = {
        metric
        for _, assertion, scope in found
        for metric in (None if assertion is None else assertion.metric, scope.name)
        if type(metric) is str
    }
    templates = sorted(metric for metric in metrics if "{" in metric and OPENING.search(metric))
    if not templates:
        return NO_NAMES
    variables, scores = _fields(row_variables(row)), _fields(row.namedScores)
    rendered: dict[str, str] = {}
    for template in templates:
        filled = template if template in scores else _fill(template, variables)
        if filled is not None:
            rendered[template] = filled
    taken = (metrics - set(templates)) | set(rendered.values())
    free = [name for name in scores if name not in taken and not is_ours(name)]
    fits = {
        template: [name for name in free if _fits(name, template)]
        for template in templates
        if template not in rendered and len(template) <= LONGEST
    }
    wanted = Counter(names[0] for names in fits.values() if len(names) == 1)
    rendered |= {
        template: names[0]
        for template, names in fits.items()
        if len(names) == 1 and wanted[names[0]] == 1
    }
    return Names(rendered, tuple(t for t in templates if t not in rendered))


def is_ours(name: str) -> bool:
    """Tell whether a named score, metric or metadata field was written by panopt.

    Examples
    --------
    >>> is_ours("panopt.accuracy"), is_ours("panopt_why"), is_ours("panoptic_quality")
    (True, True, False)
    """
    return OURS.match(name) is not None


def _fields(raw: msgspec.Raw) -> dict[str, Any]:
    """Decode an object; empty where it is missing or something else."""
    try:
        return decode(raw, _object) if len(raw) else {}
    except msgspec.DecodeError:
        return {}


def _fill(template: str, variables: dict[str, Any]) -> str | None:
    """Fill variables in; None where the template holds more, or a variable no plain value."""
    pieces = VARIABLE.split(template)  # text, variable, text, variable ... text
    made = []
    for number, piece in enumerate(pieces):
        if number % 2:
            value = _text(_look_up(piece, variables))
        else:
            value = None if OPENING.search(piece) else piece
        if value is None:
            return None
        made.append(value)
    return "".join(made)


def _look_up(path: str, variables: dict[str, Any]) -> object:
    value: object = variables
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _text(value: object) -> str | None:
    """Write a value as JavaScript does; None where that, or the value, is not sure."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        loaded = value == REDACTED or value.startswith("file://") or OPENING.search(value)
        return None if loaded else value
    if isinstance(value, int | float):
        if not abs(value) < EXACT:
            return None
        whole = int(value)
        return str(whole) if whole == value else repr(value) if abs(value) >= 1e-4 else None
    return None


def _fits(name: str, template: str) -> bool:
    """Tell whether a name holds the template's text, in order, from its start to its end."""
    first, *inner = TAG.split(template)
    if not inner:
        return False
    last = inner.pop()
    if "{%" in template:  # text between blocks may be left out
        inner = []
    if len(name) < len(first) + len(last) or not (name.startswith(first) and name.endswith(last)):
        return False
    at, end = len(first), len(name) - len(last)
    for text in inner:
        at = name.find(text, at, end)
        if at < 0:
            return False
        at += len(text)
    return True
