"""One step of a router: whom to ask about a response, or why nobody any more."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from panopt.router_beliefs import Belief
from panopt.router_checks import ROUNDING
from panopt.router_options import RouterOptions
from panopt.stats.routing_value import Asking

__all__ = ["Open", "Step", "Why", "agreed", "settled", "worthless"]

Why = Literal[
    "ask", "everyone", "settled", "narrow", "budget", "worthless", "agreed", "certified", "single"
]


@dataclass(frozen=True, slots=True)
class Step:
    """Whom to ask next; None, and why, where nobody is to be asked."""

    judge: str | None
    why: Why
    reason: str


@dataclass(slots=True)
class Open:
    """A response that is being judged; votes are codes by judge, `asked` those who answered."""

    family: str
    full: bool
    order: tuple[int, ...]
    votes: dict[int, float] = field(default_factory=dict)
    asked: set[int] = field(default_factory=set)
    pending: int | None = None
    decided: int | None = None
    confidence: float | None = None


def agreed(now: Open, options: RouterOptions, top: int) -> Step | None:
    """Stop where two votes or more vary little; `top` is the highest code of a vote."""
    if len(now.votes) < 2:
        return None
    spread = float(np.var(np.array(list(now.votes.values())) / top))
    if spread > options.variance + ROUNDING:
        return None
    return Step(None, "agreed", f"votes vary by {spread:.3g}")


def settled(belief: Belief, options: RouterOptions) -> Step | None:
    """Stop where the chance of error is small enough, or the interval narrow enough."""
    if belief.error is not None and belief.error < options.epsilon:
        reason = f"chance of error {belief.error:.3g} is below {options.epsilon:g}"
        return Step(None, "settled", reason)
    if options.width is not None and belief.low is not None and belief.high is not None:
        width = belief.high - belief.low
        if width <= options.width:
            return Step(None, "narrow", f"interval {width:.3g} wide, {options.width:g} wanted")
    return None


def worthless(found: Asking, options: RouterOptions) -> Step | None:
    """Stop where no vote that is left can change the decision, or none pays for itself."""
    if found.value <= 0.0:
        return Step(None, "worthless", "no vote left can change the decision")
    price = options.error_cost
    if price is None or found.value * price > found.cost:
        return None
    return Step(
        None,
        "worthless",
        f"no vote left pays for itself: {found.value:.3g} of an error for {found.cost:.3g}",
    )
