"""Read the votes of one row from the results of its assertions: who said what, and who failed.

The walk, the names of judges and criteria and the marks of a judge's failure are those of a
results file; there are only no tests and no other rows to look at. Light: no numpy.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from panopt.judging import Failure, Usage, Vote
from panopt.shims.promptfoo.criteria import Place, settle
from panopt.shims.promptfoo.judges import Grader, GraderNames, is_model_graded
from panopt.shims.promptfoo.people import HUMAN
from panopt.shims.promptfoo.schema import Component, decode_row
from panopt.shims.promptfoo.verdict import (
    ABSTAINED,
    FAILED,
    count,
    outcome,
    panel_verdicts,
    passed,
)
from panopt.shims.promptfoo.walk import Leaf, leaves

__all__ = ["RowVote", "row_votes"]

KIND = "component"
NO_GRADER = Grader(None)


class RowVote(NamedTuple):
    """One verdict on the row; `vote.value` is the score as the judge gave it."""

    vote: Vote
    criterion: str
    model: bool
    """Whether a model judged; else a program checked."""
    flag: bool | None
    """The judge's own pass or fail; None where it has none, or promptfoo forced it."""
    weight: float


def row_votes(components: object, *, scorers: str = "auto") -> list[RowVote]:
    """Read the ``componentResults`` of one row, those copied from inside a set once.

    Parameters
    ----------
    components
        As promptfoo gives them, whatever that is.
    scorers
        How assertions become criteria; see :class:`panopt.records.ask.Reading`.
    """
    row = {"gradingResult": {"componentResults": components}}
    grading = decode_row(json.dumps(row, default=str).encode()).gradingResult
    read = (grading.components if grading is not None else None) or []
    found = [leaf for leaf in leaves(None, read) if not _is_human(leaf)]
    places = _places(found)
    given: list[tuple[int, Component]] = []
    told: list[Counter[str]] = [Counter() for _ in found]
    model = [is_model_graded(place.kind) for place in places]
    for number, leaf in enumerate(found):
        metadata = leaf.component.metadata
        inner = panel_verdicts(metadata.panel) if metadata and len(metadata.panel) else []
        for component in inner or [leaf.component]:
            given.append((number, component))
            name = _own_name(component)
            if name is not None:
                told[number][name] += 1
            model[number] |= name is not None or _tokens(component) > 0
    settled = settle(
        [range(len(places))],
        places,
        told,
        model,
        scorers=scorers,  # type: ignore[arg-type]  # checked where options are read
    )
    return [
        RowVote(
            vote=_vote(component, _own_name(component) or settled.judges[number], places[number]),
            criterion=settled.criteria[number],
            model=model[number],
            flag=(None, False, True)[passed(component) + 1],
            weight=_weight(found[number]),
        )
        for number, component in given
    ]


def _is_human(leaf: Leaf) -> bool:
    return leaf.assertion is not None and leaf.assertion.type == HUMAN


def _places(found: Sequence[Leaf]) -> list[Place]:
    graders, places = GraderNames(), []
    rubrics: dict[bytes, int] = {}
    for component, assertion, scope in found:
        if assertion is None:
            places.append(Place(scope, KIND, None, NO_GRADER, -1))
            continue
        kind = assertion.type if isinstance(assertion.type, str) else KIND
        metric = assertion.metric if isinstance(assertion.metric, str) else None
        own = component.assertion is not None or scope.kind != "panel"
        grader = graders.of(assertion.provider) if own else NO_GRADER
        value = bytes(assertion.value)
        text = rubrics.setdefault(value, len(rubrics)) if value else -1
        places.append(Place(scope, kind, metric or None, grader, text, own))
    return places


def _own_name(component: Component) -> str | None:
    metadata = component.metadata
    name = None if metadata is None else metadata.judge
    return name if isinstance(name, str) and name else None


def _tokens(component: Component) -> int:
    used = component.tokensUsed
    return 0 if used is None else max(count(used.prompt), count(used.completion), count(used.total))


def _weight(leaf: Leaf) -> float:
    weight: object = None if leaf.assertion is None else leaf.assertion.weight
    if isinstance(weight, bool) or not isinstance(weight, int | float):
        return 1.0
    return float(weight) if weight >= 0 else 1.0


def _vote(component: Component, judge: str, place: Place) -> Vote:
    score, status, error = outcome(component, place.kind)
    reason = component.reason if isinstance(component.reason, str) else ""
    tokens = component.tokensUsed
    read = wrote = -1
    if tokens is not None:
        read, wrote = count(tokens.prompt), count(tokens.completion)
    usage = Usage(
        calls=1,
        input_tokens=read if read >= 0 else None,
        output_tokens=wrote if wrote >= 0 else None,
    )
    metadata = component.metadata
    cached = metadata is not None and metadata.cachedResponse is True
    if status == FAILED:
        failure = Failure("unknown", error or "failed")
        return Vote(judge, "failed", failure=failure, usage=usage, cached=cached)
    if status == ABSTAINED:
        return Vote(judge, "abstained", rationale=reason, usage=usage, cached=cached)
    return Vote(judge, "ok", value=score, rationale=reason, usage=usage, cached=cached)
