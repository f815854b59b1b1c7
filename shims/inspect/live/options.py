"""The options of live scorers: JSON primitives, as ``-S name=value`` gives them, made into juries.

Every check is made when the scorer is made, and names the argument; only what a role is bound to
is known no earlier than the run.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any, ParamSpec, TypeAlias, TypeVar

from inspect_ai.model import Model, get_model, model_roles

from panopt.errors import AskError
from panopt.judging.budget import Budget
from panopt.judging.verdict import Boolean, Labelled, Numeric, VerdictKind
from panopt.shims.inspect.live.model_judge import ConfidenceReader

__all__ = [
    "KINDS",
    "Models",
    "bound_to",
    "budget_of",
    "jury_reader",
    "kind_of",
    "known_models",
    "listed",
    "mapping",
    "number",
    "outspoken",
]

_log = logging.getLogger(__name__)

Options = ParamSpec("Options")
Made = TypeVar("Made")
Models: TypeAlias = str | Model | Sequence[str | Model]

#: Sources of confidence by the name of the option.
CONFIDENCES = ("logprobs", "verbalised", "margin")

#: Kinds of verdicts by the name of the option.
KINDS = ("boolean", "labelled", "numeric")


def outspoken(make: Callable[Options, Made]) -> Callable[Options, Made]:
    """Make a scorer log what is wrong with its options, and then raise it.

    Inspect's command line tells of a ``ValueError`` only that the scorer could not be loaded.
    """

    @wraps(make)
    def made(*args: Options.args, **options: Options.kwargs) -> Made:
        try:
            return make(*args, **options)
        except AskError as error:
            _log.error("panopt/%s: %s", make.__name__, error)
            raise

    return made


def listed(name: str, given: object) -> tuple[str, ...]:
    """Read a list of names: a list, or a text with commas.

    Examples
    --------
    >>> listed("labels", "good, bad")
    ('good', 'bad')
    """
    parts = given.split(",") if isinstance(given, str) else given
    if not isinstance(parts, Sequence):
        raise AskError(f"{name} = {given!r} must be a list, or names with commas between them")
    names = tuple(str(part).strip() for part in parts)
    if not names or not all(names):
        raise AskError(f"{name} = {given!r} must name at least one, and none may be blank")
    return names


def known_models(name: str, given: Models) -> tuple[str | Model, ...]:
    """Read models, and refuse those of a provider Inspect does not know.

    Raises
    ------
    AskError
        Naming the argument and the model.
    """
    if isinstance(given, Model):
        return (given,)
    if not isinstance(given, Sequence):
        raise AskError(f"{name} = {given!r} must be a list, or names with commas between them")
    parts = list(given) if not isinstance(given, str) else [*listed(name, given)]
    if not parts:
        raise AskError(f"{name} must name one model or more")
    models = [part if isinstance(part, Model) else str(part).strip() for part in parts]
    for model in models:
        if isinstance(model, Model):
            continue
        if not model:
            raise AskError(f"{name} = {given!r} holds a blank name")
        _check_provider(name, model)
    return tuple(models)


def bound_to(role: str) -> tuple[Model, ...]:
    """Give the models that a role is bound to in this run.

    Raises
    ------
    AskError
        When the run binds it to none: a judge is never taken by chance.
    """
    bound = model_roles().get(role)
    if bound is None:
        raise AskError(
            f"role = {role!r} is bound to no model; name the judges (models=...), or bind the "
            f"role (--model-role {role}=...)"
        )
    return tuple(bound) if isinstance(bound, list) else (bound,)


def kind_of(  # noqa: PLR0913 - what kinds are made of
    kind: str,
    *,
    labels: object = None,
    passing_labels: object = None,
    descriptions: object = None,
    score_range: object = None,
    threshold: float | None = None,
    anchors: object = None,
) -> VerdictKind:
    """Make the kind of verdict that some options describe.

    Raises
    ------
    AskError
        For an unknown kind, or an option that the kind does not have.

    Examples
    --------
    >>> kind_of("numeric", score_range="1,5", threshold=3)
    Numeric(low=1.0, high=5.0, threshold=3.0, anchors={})
    """
    if kind not in KINDS:
        raise AskError(f"kind = {kind!r} must be one of {', '.join(KINDS)}")
    theirs = {
        "labels": (labels, "labelled"),
        "passing_labels": (passing_labels, "labelled"),
        "descriptions": (descriptions, "labelled"),
        "score_range": (score_range, "numeric"),
        "threshold": (threshold, "numeric"),
        "anchors": (anchors, "numeric"),
    }
    for name, (given, owner) in theirs.items():
        if given is not None and owner != kind:
            raise AskError(f"{name} = {given!r} has no meaning for kind = {kind!r}")
    if kind == "boolean":
        return Boolean()
    if kind == "labelled":
        if labels is None:
            raise AskError("labels must be given with kind = 'labelled'")
        return Labelled(
            listed("labels", labels),
            None if passing_labels is None else frozenset(listed("passing_labels", passing_labels)),
            {
                str(label): str(told)
                for label, told in mapping("descriptions", descriptions).items()
            },
        )
    low, high = _range(score_range)
    told = mapping("anchors", anchors)
    return Numeric(
        low,
        high,
        None if threshold is None else number("threshold", threshold),
        {number("anchors", level): str(text) for level, text in told.items()},
    )


def budget_of(calls: int | None, tokens: int | None, cost: float | None) -> Budget | None:
    """Make what a run may spend; None without a limit."""
    if calls is None and tokens is None and cost is None:
        return None
    return Budget(calls, tokens, cost)


def jury_reader(confidence: str, kind: VerdictKind) -> ConfidenceReader | None:
    """Give what reads the confidence of a jury's judges, by its name.

    Raises
    ------
    AskError
        For a name that a jury has no use for.
    """
    from panopt.shims.inspect.live.confidence import reader_of  # noqa: PLC0415 - seldom needed

    if confidence not in CONFIDENCES:
        raise AskError(
            f"confidence = {confidence!r} must be one of {', '.join(CONFIDENCES)}, or left out"
        )
    return reader_of(confidence, kind)


def mapping(name: str, given: object) -> Mapping[Any, Any]:
    """Read a mapping: itself, or its JSON; empty for None."""
    if given is None:
        return {}
    if isinstance(given, str):
        try:
            given = json.loads(given)
        except ValueError as error:
            raise AskError(f"{name} = {given!r} must be a JSON object ({error})") from error
    if not isinstance(given, Mapping):
        raise AskError(f"{name} = {given!r} must be an object from names to values")
    return given


def number(name: str, given: object) -> float:
    """Read a number."""
    if isinstance(given, bool) or not isinstance(given, int | float | str):
        raise AskError(f"{name} = {given!r} must be a number")
    try:
        return float(given)
    except ValueError as error:
        raise AskError(f"{name} = {given!r} must be a number") from error


def _range(given: object) -> tuple[float, float]:
    if given is None:
        return 0.0, 1.0
    ends = given.split(",") if isinstance(given, str) else given
    if not isinstance(ends, Sequence) or len(ends) != 2:
        raise AskError(f"score_range = {given!r} must be two numbers, low and high")
    return number("score_range", ends[0]), number("score_range", ends[1])


def _check_provider(name: str, model: str) -> None:
    """Refuse an unknown provider now; Inspect itself tells of missing keys and packages."""
    try:
        get_model(model)
    except AskError:
        raise
    except ValueError as error:
        raise AskError(f"{name} names {model!r}: {error}") from error
