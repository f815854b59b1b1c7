"""Choose the rule that counts a kind of verdict, and refuse what does not suit it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from numbers import Real

from panopt.errors import AskError
from panopt.judging.protocol import Vote
from panopt.judging.verdict import Boolean, Labelled, Numeric, Pairwise, VerdictKind
from panopt.stats.rule_names import LABELLED, RULES, SIDED

__all__ = ["CustomRule", "Rule", "checked_weights", "limit_of", "name_of", "rule_for"]

#: A rule of one's own: sees all votes, failed and abstained too; None is no consensus.
CustomRule = Callable[[tuple[Vote, ...]], "float | str | None"]
Rule = str | CustomRule

_WEIGHED = ("mean", "majority", *LABELLED)


def rule_for(kind: VerdictKind, rule: Rule | None) -> Rule:
    """Give the rule that counts votes of a kind, and refuse one that cannot.

    Parameters
    ----------
    kind
        Kind of verdict.
    rule
        A name in :data:`panopt.stats.rule_names.RULES`, or a function. By default numbers take
        their mean, pairs the side of the mean ("majority": a tie is half for each), everything
        else the verdict given most often.

    Raises
    ------
    AskError
        For an unknown name, or one that the kind does not know.

    Examples
    --------
    >>> rule_for(Boolean(), None), rule_for(Labelled(("a", "b")), "majority")
    ('plurality', 'absolute_majority')
    """
    if rule is None:
        return {Numeric: "mean", Pairwise: "majority"}.get(type(kind), "plurality")
    if not isinstance(rule, str):
        if not callable(rule):
            raise AskError(f"rule = {rule!r} must be a name or a function")
        return rule
    if rule not in RULES:
        raise AskError(f"rule = {rule!r} must be one of {', '.join(RULES)}, or a function")
    known: tuple[str, ...] = RULES
    if isinstance(kind, (Labelled, Pairwise)):
        known = ("majority", *LABELLED)
    elif isinstance(kind, Numeric):
        known = tuple(name for name in RULES if name not in LABELLED)
    if rule not in known:
        raise AskError(
            f"rule = {rule!r} does not count {type(kind).__name__} verdicts; use "
            f"{', '.join(known)}, or a function"
        )
    if isinstance(kind, Labelled) and rule == "majority":
        return "absolute_majority"
    limit_of(kind, rule)
    return rule


def limit_of(kind: VerdictKind, rule: Rule) -> float | None:
    """Give what a score must reach to pass; None where nothing passes by a score.

    Raises
    ------
    AskError
        For a rule that counts passes where scores are not on [0, 1] and no threshold is set.
    """
    if isinstance(kind, Boolean):
        return 0.5
    if not isinstance(kind, Numeric):
        return None
    if kind.threshold is not None or rule not in SIDED:
        return kind.threshold
    if (kind.low, kind.high) != (0.0, 1.0):
        raise AskError(
            f"rule = {rule!r} counts passes: set a threshold, as scores are on {kind.low:g} to "
            f"{kind.high:g}"
        )
    return 0.5


def checked_weights(rule: Rule, weights: Mapping[str, float] | None) -> dict[str, float] | None:
    """Check weights of judges, by name; None where there are none.

    Raises
    ------
    AskError
        For a weight that is not above 0, or a rule that knows no weights.
    """
    if weights is None:
        return None
    for judge, weight in weights.items():
        given: object = weight
        number = isinstance(given, Real) and not isinstance(given, bool)
        if not (number and math.isfinite(weight) and weight > 0):
            raise AskError(f"weights[{judge!r}] = {weight!r} must be a finite number above 0")
    if weights and rule not in _WEIGHED:
        raise AskError(
            f"weights have no meaning for rule {name_of(rule)!r}; it must be one of "
            f"{', '.join(_WEIGHED)}"
        )
    return {judge: float(weight) for judge, weight in weights.items()}


def name_of(rule: Rule) -> str:
    """Name a rule, a function by its own name."""
    return rule if isinstance(rule, str) else str(getattr(rule, "__name__", type(rule).__name__))
