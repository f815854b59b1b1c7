"""Judge a pair both ways round: a judge that follows the place and not the response abstains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from panopt.judging.protocol import Order, Vote
from panopt.judging.verdict import Pairwise

__all__ = ["both_ways", "orders_of"]


def orders_of(kind: Pairwise, draw: int = 0) -> tuple[Order, ...]:
    """Give the orders in which one draw shows a pair; a single one changes with the draw.

    Examples
    --------
    >>> orders_of(Pairwise()), orders_of(Pairwise(both_orders=False), draw=1)
    ((0, 1), (1,))
    """
    if kind.both_orders:
        return (0, 1)
    return (1,) if draw % 2 else (0,)


def both_ways(passes: Sequence[Vote]) -> Vote:
    """Make one vote of the two orders of one draw, whose values are of the pair, not as shown.

    Returns
    -------
    Vote
        The verdict that both orders give. Where they differ, in a tie too, the judge abstains and
        `flipped` is set. An order that failed leaves the other unconfirmed: the vote fails with
        it; one that abstained makes the judge abstain.

    Examples
    --------
    >>> both_ways([Vote("a", "ok", 1.0, order=0), Vote("a", "ok", 0.0, order=1)]).flipped
    True
    """
    first = passes[0]
    for status in ("failed", "abstained"):
        broken = next((one for one in passes if one.status == status), None)
        if broken is not None:
            rest = len(passes) > 1 and any(one.status == "ok" for one in passes)
            note = f"one order {status}, so the other proves nothing" if rest else broken.note
            return replace(broken, order=None, note=note)
    if len(passes) > 1 and any(one.value != first.value for one in passes):
        note = "the verdict follows the place and not the response"
        return replace(
            first, status="abstained", value=None, order=None, flipped=True, note=note,
            confidence=None, confidence_source=None, probabilities=None,
        )  # fmt: skip
    return replace(first, order=None if len(passes) > 1 else first.order)
