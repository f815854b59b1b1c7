"""Find the cheapest numbers of items, judges and repeats that reach a wanted standard error.

The decision study of generalizability theory (Brennan 2001, chapter 4). A mean over I items, J
judges and R repeats has the variance ``item / I + judge / J + cross / (I J) + repeat / (I J R)``
where the judges stand for others like them; given these very judges, ``judge / J`` is no error.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from panopt.stats.components import PARTS, Component, VarianceComponents

__all__ = ["DecisionStudy", "Design", "Enough", "check_wish", "decision_study"]

FloatArray = NDArray[np.float64]

#: Whether items, judges and repeats are enough, for judges like these (True) or these (False).
Enough = Callable[[int, int, int, bool], bool]

_MOST_CELLS = 10_000
_MOST_ITEMS = 10**9
_MOST_SIZE = 1e100  # squares and sums of it are numbers still
_NO_REPEATS = "no judge scored an item twice, so how a judge's repeats differ is unknown"


@dataclass(frozen=True, slots=True)
class Design:
    """One design, what it costs and the standard errors it promises, each with an interval."""

    items: int
    judges: int
    repeats: int
    cost: float
    se: Component
    """Of a system's mean, for judges like these: another panel would be drawn anew."""
    se_fixed: Component
    """Of a system's mean, for these judges: what this panel says of all items."""
    se_response: Component
    """Of one response's score, for judges like these."""
    se_response_fixed: Component
    """Of one response's score, for these judges: only their repeats differ."""

    @property
    def calls(self) -> int:
        """Judge calls in all."""
        return self.items * self.judges * self.repeats


@dataclass(frozen=True, slots=True)
class DecisionStudy:
    """Designs that reach a wanted standard error of a system's mean, cheapest first."""

    wanted: float
    designs: tuple[Design, ...]
    """With the fewest items for each number of judges and repeats, for judges like these."""
    designs_fixed: tuple[Design, ...]
    """The same for these judges, or some of them."""
    pilot: Design
    """The design of the data themselves, rounded to whole numbers."""
    reason: str | None = None
    """Why there is no design for judges like these."""
    reason_fixed: str | None = None
    """Why there is no design for these judges."""

    @property
    def cheapest(self) -> Design | None:
        """The cheapest design for judges like these; None with `reason`."""
        return self.designs[0] if self.designs else None

    @property
    def cheapest_fixed(self) -> Design | None:
        """The cheapest design for these judges; None with `reason_fixed`."""
        return self.designs_fixed[0] if self.designs_fixed else None


def decision_study(  # noqa: PLR0913 - one option a choice
    components: VarianceComponents,
    *,
    se: float,
    cost_call: float = 1.0,
    cost_item: float = 0.0,
    max_judges: int = 10,
    max_repeats: int = 5,
    enough: Enough | None = None,
) -> DecisionStudy:
    """Find the designs that reach a standard error of a system's mean, cheapest first.

    Parameters
    ----------
    components
        Variances of a pilot, from :func:`panopt.stats.components.variance_components`.
    se
        Wanted standard error, above 0, in the unit of the scores.
    cost_call, cost_item
        Cost of one judge call, and of one item (the system's response, say) whatever the number
        of judges; not negative, not both 0.
    max_judges, max_repeats
        Most judges, and repeats of each, that a design may have.
    enough
        What a design must fulfil besides, such as to show a difference often enough: a few judges
        say too little of their own spread for a standard error to tell. More items must not undo
        it.

    Returns
    -------
    DecisionStudy
        Standard errors carry the uncertainty of the components as intervals at their level. Where
        the pilot has no repeats, neither have the designs.

    Raises
    ------
    ValueError
        For options outside their range.

    Notes
    -----
    Assumes new items (and judges) to be drawn as the pilot's were, and every judge to score every
    item. What all judges get wrong together is no part of any standard error here. "These judges"
    are at most as many as the pilot had.

    Examples
    --------
    The table of Shrout & Fleiss 1979: variances 2.56 (item), 5.24 (judge), 1.02 (rest).

    >>> from panopt.stats.components import variance_components
    >>> table = [9, 2, 5, 8, 6, 1, 3, 2, 8, 4, 6, 8, 7, 1, 2, 6, 10, 5, 6, 9, 6, 2, 4, 7]
    >>> items, judges = np.indices((6, 4)).reshape(2, -1)
    >>> pilot = variance_components(items, judges, table)
    >>> found = decision_study(pilot, se=0.2, cost_item=1)
    >>> [(one.items, one.judges, one.cost) for one in found.designs_fixed[:2]]
    [(90, 1, 180.0), (77, 2, 231.0)]
    >>> found.reason
    'no number of items reaches 0.2 with 10 judges or fewer: at least 132 judges are needed'
    """
    check_wish(
        se,
        cost_call=cost_call,
        cost_item=cost_item,
        max_judges=max_judges,
        max_repeats=max_repeats,
    )
    plan = _Plan(components, cost_call, cost_item, enough)
    pilot = plan.design(
        max(1, round(components.items_per_system)),
        max(1, round(components.scores_per_item)),
        max(1, round(components.repeats)),
    )
    unknown = components.item.reason
    if unknown is None and not components.values().any():
        unknown = "all scores of a system are equal: nothing is known of how they vary"
    if unknown is not None:
        return DecisionStudy(se, (), (), pilot, unknown, unknown)
    repeats = 1 if components.repeat.reason is not None else max_repeats
    alike, fixed = [], []
    most_fixed = min(max_judges, components.n_judges if plan.crossed else 1)
    for judges in range(1, max_judges + 1):
        for again in range(1, repeats + 1):
            if plan.unknown_judges is None:
                alike += plan.reaching(se, judges, again, alike=True)
            if judges <= most_fixed:
                fixed += plan.reaching(se, judges, again, alike=False)
    reason = reason_fixed = None
    if not alike:
        reason = plan.unknown_judges or _too_many(components, se, max_judges, enough)
    if not fixed:
        reason_fixed = f"{se:g} takes more than {_MOST_ITEMS:,} items"
    return DecisionStudy(se, _by_cost(alike), _by_cost(fixed), pilot, reason, reason_fixed)


class _Plan:
    """Predicted errors and costs of any design."""

    def __init__(
        self,
        components: VarianceComponents,
        cost_call: float,
        cost_item: float,
        enough: Enough | None,
    ) -> None:
        self.components, self.enough = components, enough
        self.cost_call, self.cost_item = cost_call, cost_item
        self.values, self.draws = components.values(), components.draws
        self.unknown_judges = components.judge.reason or components.item_judge.reason
        self.crossed = components.item_judge.reason is None
        parts = [getattr(components, name) for name in PARTS]
        self.unbounded = {name: part.no_interval for name, part in zip(PARTS, parts, strict=True)}

    def reaching(self, se: float, judges: int, repeats: int, *, alike: bool) -> list[Design]:
        """Give the design with the fewest items, if one reaches the standard error."""
        item, judge, cross, again = self.values.tolist()
        left = se**2 - (judge / judges if alike else 0.0)
        if left <= 0:
            return []
        # a hair's breadth below a whole number is that number
        needed = (item + cross / judges + again / (judges * repeats)) / left * (1 - 1e-12)
        if needed > _MOST_ITEMS:
            return []
        items = self._fewest(max(2, math.ceil(needed)), judges, repeats, alike=alike)
        return [] if items is None else [self.design(items, judges, repeats)]

    def _fewest(self, least: int, judges: int, repeats: int, *, alike: bool) -> int | None:
        """Give the fewest items from `least` on that are enough; None where no number is."""
        if self.enough is None or self.enough(least, judges, repeats, alike):
            return least
        low, high = least, 2 * least
        if not self.enough(_MOST_ITEMS, judges, repeats, alike):
            return None
        while not self.enough(high, judges, repeats, alike):
            low, high = high, 2 * high
        while high - low > 1:
            middle = (low + high) // 2
            is_enough = self.enough(middle, judges, repeats, alike)
            low, high = (low, middle) if is_enough else (middle, high)
        return high

    def design(self, items: int, judges: int, repeats: int) -> Design:
        """Predict the errors of one design."""
        calls, pairs = items * judges * repeats, items * judges
        fixed = np.array([1 / items, 0.0, 1 / pairs, 1 / calls])
        alike = fixed + np.array([0.0, 1 / judges, 0.0, 0.0])
        response = np.array([0.0, 1 / judges, 1 / judges, 1 / (judges * repeats)])
        again = np.array([0.0, 0.0, 0.0, 1 / (judges * repeats)])
        unknown = self.components.item.reason
        no_repeat = None if self.components.repeat.reason is None else _NO_REPEATS
        return Design(
            items,
            judges,
            repeats,
            items * self.cost_item + calls * self.cost_call,
            self._error(alike, unknown or self.unknown_judges),
            self._error(fixed, unknown),
            self._error(response, self.unknown_judges),
            self._error(again, no_repeat),
        )

    def _error(self, factors: FloatArray, unknown: str | None) -> Component:
        if unknown is not None:
            return Component(None, reason=unknown)
        value = math.sqrt(float(factors @ self.values))
        counted = [name for name, factor in zip(PARTS, factors, strict=True) if factor > 0]
        # A variance that was seen as 0 and cannot be bounded leaves the others' intervals.
        if all(self.unbounded[name] is not None for name in counted):
            return Component(value, no_interval=self.unbounded[counted[0]])
        level = self.components.level
        drawn = np.sqrt(factors @ self.draws)
        low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2]).tolist()
        return Component(value, min(low, value), max(high, value))


def check_wish(
    se: float, *, cost_call: float, cost_item: float, max_judges: int, max_repeats: int
) -> None:
    """Refuse options of `decision_study` that are off their range.

    Raises
    ------
    ValueError
        Naming option, value and rule.
    """
    if not 0 < se < math.inf:
        raise ValueError(f"se = {se} must be a finite number above 0")
    if not 1 / _MOST_SIZE <= se <= _MOST_SIZE:
        raise ValueError(f"se = {se} must be from {1 / _MOST_SIZE:g} to {_MOST_SIZE:g}")
    for name, cost in (("cost_call", cost_call), ("cost_item", cost_item)):
        if not 0 <= cost < math.inf:
            raise ValueError(f"{name} = {cost} must be a finite number, not below 0")
        if cost > _MOST_SIZE:
            raise ValueError(f"{name} = {cost} must be {_MOST_SIZE:g} or less")
    if cost_call == 0 and cost_item == 0:
        raise ValueError("cost_call = cost_item = 0; one of them must be above 0")
    for name, most in (("max_judges", max_judges), ("max_repeats", max_repeats)):
        if most < 1:
            raise ValueError(f"{name} = {most} must be 1 or more")
    if max_judges * max_repeats > _MOST_CELLS:
        raise ValueError(
            f"max_judges * max_repeats = {max_judges * max_repeats} must be {_MOST_CELLS} or less"
        )


def _by_cost(designs: list[Design]) -> tuple[Design, ...]:
    return tuple(sorted(designs, key=lambda one: (one.cost, one.judges, one.repeats)))


def _too_many(
    components: VarianceComponents, se: float, max_judges: int, enough: Enough | None
) -> str:
    variance = components.judge.value or 0.0
    needed = math.floor(variance / se**2) + 1
    if needed <= max_judges and enough is not None:
        return f"no number of items is enough with {max_judges} judges or fewer"
    if needed <= max_judges:
        return f"{se:g} takes more than {_MOST_ITEMS:,} items"
    if needed > _MOST_ITEMS:
        return f"{se:g} takes more than {_MOST_ITEMS:,} judges"
    return (
        f"no number of items reaches {se:g} with {max_judges} judges or fewer: at least "
        f"{needed} judges are needed"
    )
