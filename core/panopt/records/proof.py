"""Whether the numbers of a certificate follow from one another: what can be counted again, is.

A hash tells an edit by accident, no forgery: who edits a certificate can hash it anew. So all that
its counts settle is derived again from them: who decided how many of the labelled responses, the
bound, the coverage, the cost. What labels alone would tell, how many errors there were, is taken.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from panopt.records.stage import Stage

if TYPE_CHECKING:
    from panopt.records.certificate import Certificate

__all__ = ["contradictions"]

#: Formats of certificates of panels; the others are of cascades.
PANEL = 1

#: Relative difference of numbers that are the same: another scipy rounds otherwise.
SAME = 1e-6


def contradictions(made: Certificate) -> Iterator[str]:
    """Tell what contradicts what in a certificate, the first thing first.

    Later ones take the earlier for granted: take one.
    """
    yield from _of_cascade(made) if made.format != PANEL else _of_panel(made)
    if not made.errors <= made.n <= made.n_labels:
        counts = made.errors, made.n, made.n_labels
        yield f"errors, n and n_labels must rise: {counts}"
    seen = made.stages[0].n_seen if made.stages else sum(row.count for row in made.seen)
    if seen != made.n_labels:
        yield f"seen counts {seen} labels, not the {made.n_labels} of n_labels"
    if made.n_labels + made.n_undecided > made.n_responses:
        yield (
            f"n_labels = {made.n_labels} and n_undecided = {made.n_undecided} are more than the "
            f"{made.n_responses} of n_responses"
        )
    tests = 1
    if made.stages and made.method == "per_stage":
        tests = len(made.stages)
    if made.level > made.delta / tests * (1.0 + SAME):
        shared = "delta" if tests == 1 else f"delta / {tests}, a test for each judge,"
        yield f"level = {made.level} must not be above {shared} = {made.delta / tests:g}"
    yield from _of_bound(made)
    yield from _of_coverage(made)


def _of_panel(made: Certificate) -> Iterator[str]:
    if made.stages or made.expected_cost is not None or not made.seen:
        yield "format 1, of a panel, has `seen`, no stages, no expected_cost"
    if len(made.deciding) != 1 or made.deciding[0].judge != "panel":
        yield "format 1, of a panel, has one threshold, that of 'panel'"
    counted = sum(row.count for row in made.seen if row.confidence >= made.threshold)
    if counted != made.n:
        yield (
            f"{counted} of the labels in seen are at or above the threshold {made.threshold:g}, "
            f"not n = {made.n}"
        )


def _of_cascade(made: Certificate) -> Iterator[str]:
    stages = made.stages
    if len(stages) < len(made.deciding) or made.expected_cost is None or made.seen:
        yield "format 2, of a cascade, has stages and expected_cost, no `seen`"
        return
    names = [stage.judge for stage in stages]
    certified = sorted(judge.name for judge in made.scope.judges)
    if sorted(names) != certified:
        yield f"the stages are of {names}, the scope is of {certified}"
    if not made.asked:
        yield "no judge of the cascade ever decides"
    left, cost = stages[0].n_seen, 0.0
    for stage in stages:
        yield from _of_stage(stage, left)
        if stage.threshold is not None:
            cost += stage.cost * left
        left -= stage.n
    cost /= max(stages[0].n_seen, 1)
    if not math.isclose(cost, made.expected_cost, rel_tol=SAME, abs_tol=SAME):
        yield f"the stages cost {cost:g} a response, not expected_cost = {made.expected_cost:g}"
    n, errors = (sum(getattr(stage, name) for stage in stages) for name in ("n", "errors"))
    if made.method == "per_stage" and n != made.n:
        yield f"the stages' n do not add up to n = {made.n}"
    if made.errors > errors or made.n - made.errors > n - errors:  # tested on a part, or on all
        yield (
            f"{made.errors} errors in n = {made.n} are no part of the stages' {errors} errors "
            f"in {n}"
        )


def _of_stage(stage: Stage, left: int) -> Iterator[str]:
    if stage.n_seen != left:
        yield f"{left} labelled responses reach {stage.judge!r}, not its `seen`"
    counted = sum(row.count for row in stage.seen if stage.decides(row.confidence))
    if counted != stage.n:
        yield f"judge {stage.judge!r} decides {counted} of its `seen`, not n = {stage.n}"


def _of_bound(made: Certificate) -> Iterator[str]:
    from panopt.stats.binomial import certifies, risk_upper  # noqa: PLC0415 - numpy is not needed yet

    tests = [(made.errors, made.n)]
    each = made.stages and made.method == "per_stage"  # each judge was tested by itself
    if each:
        tests = [(stage.errors, stage.n) for stage in made.stages if stage.threshold is not None]
    for errors, n in tests:
        if not certifies(errors, n, alpha=made.alpha, delta=made.level):
            yield f"{errors} errors in {n} do not prove alpha = {made.alpha}"
    bound = max(float(risk_upper(errors, n, made.level)) for errors, n in tests)
    # A judge that was tested with a part of its share of delta has a larger bound than that.
    high = made.alpha if each else bound
    if not bound * (1.0 - SAME) <= made.bound <= high * (1.0 + SAME):
        yield (
            f"bound = {made.bound:g} does not follow: {made.errors} errors in {made.n} at level "
            f"{made.level:g} bound the risk by {bound:g}"
        )


def _of_coverage(made: Certificate) -> Iterator[str]:
    """Compare with the share of labels; of a panel the share is of responses, not of clusters."""
    decided = sum(stage.n for stage in made.stages) if made.stages else made.n
    least = most = decided / made.n_labels
    if not made.stages:
        least = decided / made.n_responses
        most = 1.0 - (made.n_labels - decided) / made.n_responses
    if not least * (1.0 - SAME) <= made.coverage <= most * (1.0 + SAME):
        yield (
            f"coverage = {made.coverage:g} does not follow from {decided} trusted of "
            f"{made.n_labels} labels"
        )
