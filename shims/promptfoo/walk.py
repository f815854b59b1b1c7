"""Go through the results of one row's assertions and give every judge's verdict once.

promptfoo lists the result of an assert-set, or of a Python panel, and then once more each result
inside it, one level at a time. The walk follows the test's own assertions where they fit the
results, and passes over the copies.
"""

from __future__ import annotations

from typing import NamedTuple

from panopt.shims.promptfoo.schema import Assertion, Component

__all__ = ["Leaf", "Scope", "leaves"]

#: Assertions over several answers, whose results promptfoo appends after all others.
COMPARING = ("select-", "max-score")

Components = list[Component | None]
Assertions = list[Assertion | None]


class Scope(NamedTuple):
    """Where a verdict stands: in an assert-set, in a panel inside one assertion, or in neither."""

    kind: str
    name: str | None = None


class Leaf(NamedTuple):
    """One verdict, the assertion it answers (or that of the panel around it), and its scope."""

    component: Component
    assertion: Assertion | None
    scope: Scope


ROW = Scope("row")


def leaves(asserts: Assertions | None, components: Components) -> list[Leaf]:
    """List the verdicts of one row, none twice.

    Parameters
    ----------
    asserts
        Assertions of the test, None where the file does not hold them.
    components
        The graded row's ``componentResults``.
    """
    if not any(component is None or component.nested for component in components):
        return [Leaf(c, c.assertion, ROW) for c in components if c is not None]
    return _walk(asserts, components, ROW, None)


def _walk(
    asserts: Assertions | None, components: Components, scope: Scope, parent: Assertion | None
) -> list[Leaf]:
    found: list[Leaf] = []
    at = 0
    if asserts:
        followed = _follow(asserts, components, scope)
        if followed is not None:
            found, at = followed
    while at < len(components):
        component = components[at]
        at += 1
        if component is None:
            continue
        if component.nested:
            assertion = component.assertion or parent
            found += _walk(None, component.nested, _scope_of(component, assertion), assertion)
            at += _copies(component.nested, components, at)
        else:
            found.append(Leaf(component, component.assertion or parent, scope))
    return found


def _follow(
    asserts: Assertions, components: Components, scope: Scope
) -> tuple[list[Leaf], int] | None:
    """Match assertions and results one by one; None where they do not fit."""
    found: list[Leaf] = []
    at = 0
    for asserted in asserts:
        if asserted is None or _is_comparing(asserted.type):
            continue
        if at >= len(components):
            break  # the run stopped early
        component = components[at]
        at += 1
        if component is None:
            continue
        own = component.assertion
        if asserted.nested is not None:  # an assert-set
            if own is not None:
                return None
            inner = component.nested or []
            found += _walk(asserted.nested, inner, Scope("set", _text(asserted.metric)), None)
            at += _copies(inner, components, at)
        elif own is None or own.type != asserted.type:
            return None
        elif component.nested:
            found += _walk(None, component.nested, _scope_of(component, own), own)
            at += _copies(component.nested, components, at)
        else:
            found.append(Leaf(component, own, scope))
    return found, at


def _copies(inner: Components, components: Components, at: int) -> int:
    """Count the results from `at` on that repeat `inner`: all of them, or none."""
    if len(components) < at + len(inner):
        return 0
    for one, other in zip(inner, components[at : at + len(inner)], strict=True):
        if (one is None) != (other is None):
            return 0
        if one is None or other is None:
            continue
        if one.score != other.score or one.reason != other.reason or one.passed != other.passed:
            return 0
    return len(inner)


def _scope_of(component: Component, assertion: Assertion | None) -> Scope:
    if assertion is None:
        named = component.metadata.assertionSet if component.metadata else None
        return Scope("set", _text(named.metric) if named else None)
    return Scope("panel", _text(assertion.metric) or _text(assertion.type))


def _is_comparing(kind: object) -> bool:
    return isinstance(kind, str) and kind.startswith(COMPARING)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
