"""``panopt power --effect``: which difference a pilot could show, and what a wanted one takes."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from panopt.effect import PlannedPair
    from panopt.stats.components import Component
    from panopt.stats.design import Design

__all__ = ["show_effect"]

#: Most designs, and most pairs, a terminal table lists.
MOST_DESIGNS = 6
MOST_PAIRS = 15


def show_effect(
    found: Sequence[PlannedPair], *, effect: float, alpha: float, power: float, as_json: bool
) -> None:
    """Print what showing a difference takes, pair by pair."""
    from rich.console import Console  # noqa: PLC0415 - a fast start

    from panopt.cli.text import shown  # noqa: PLC0415

    if as_json:
        told = {
            "effect": effect,
            "alpha": alpha,
            "power": power,
            "pairs": [_as_dict(one) for one in found],
        }
        sys.stdout.write(json.dumps(told, indent=2, allow_nan=False) + "\n")
        return
    console = Console()
    console.print(
        shown(
            f"a true difference of {effect:g}, shown in {power:.0%} of comparisons at level "
            f"{1 - alpha:.4g}",
            "bold",
        )
    )
    for criterion in dict.fromkeys(one.criterion for one in found):
        own = [one for one in found if one.criterion == criterion]
        console.print()
        console.print(shown(f"criterion {criterion}", "bold"))
        console.print(_pairs(own))
        for one in own:
            if one.detectable is None:
                console.print(shown(f"{_title(one)}: no plan: {one.reason}", "yellow", longest=600))
        planned = [one for one in own if one.detectable is not None]
        if not planned:
            continue
        hardest = max(planned, key=lambda one: one.sd or 0.0)
        _show_designs(console, hardest, many=len(own) > 1)
        console.print(shown(f"In short: {_conclusion(hardest, own, effect)}.", "bold", longest=600))


def _title(one: PlannedPair) -> str:
    return one.a if one.b is None else f"{one.a} - {one.b}"


def _pairs(found: Sequence[PlannedPair]) -> Table:
    from rich.table import Table  # noqa: PLC0415 - a fast start

    from panopt.cli.text import number, shown  # noqa: PLC0415

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("pilot", overflow="fold")
    for name in ("items", "answers", "spread", "could show", "items needed"):
        table.add_column(name, justify="right", no_wrap=True)
    for one in found[:MOST_PAIRS]:
        table.add_row(
            shown(_title(one)),
            f"{one.n_items:,}",
            f"{one.epochs:.3g}",
            number(one.sd),
            _shows(one),
            _needed(one),
        )
    if len(found) > MOST_PAIRS:
        table.add_row(f"... {len(found) - MOST_PAIRS} more: see --json")
    return table


def _shows(one: PlannedPair) -> str:
    """Write what the pilot could show; scores on [0, 1] differ by 1 at most."""
    from panopt.cli.text import number  # noqa: PLC0415 - a fast start

    return "nothing" if (one.detectable or 0.0) >= 1.0 else number(one.detectable)


def _needed(one: PlannedPair) -> str:
    if one.detectable is None:
        return "-"
    return "over a billion" if one.items_needed is None else f"{one.items_needed:,}"


def _conclusion(one: PlannedPair, own: Sequence[PlannedPair], effect: float) -> str:
    """Say what it takes, for a reader who knows no statistics."""
    takes = f"it takes {_needed(one)} items to show a difference of {effect:g}"
    if one.b is None:
        return (
            f"{takes} between {one.a} and another system, if that varies no more and the two have "
            "no strengths in common; systems that share theirs take fewer. Judge two systems in "
            "the pilot to know"
        )
    hardest = f" ({_title(one)}, the hardest pair)" if len(own) > 1 else ""
    return (
        f"{takes}{hardest} with this panel and {one.epochs:.3g} answer(s) an item; the pilot's "
        f"{one.n_items:,} could show {_shows(one)}"
    )


def _show_designs(console: Console, one: PlannedPair, *, many: bool) -> None:
    """Print the panels that would show the difference."""
    from rich.text import Text  # noqa: PLC0415 - a fast start

    from panopt.cli.text import shown  # noqa: PLC0415

    if one.designs is None:
        console.print(shown(f"other panels: {one.designs_reason}", "dim", longest=600))
        return
    if many:
        console.print(shown(f"panels that show it for {_title(one)}", "bold", longest=600))
    if one.aggregate != "mean" and (one.designs.designs_fixed or one.designs.designs):
        text = f"for the mean of the judges' scores, where the table above takes {one.aggregate}"
        console.print(shown(text, "dim"))
    for words, designs, why in (
        ("these judges, or some of them", one.designs.designs_fixed, one.designs.reason_fixed),
        ("judges like these: another panel", one.designs.designs, one.designs.reason),
    ):
        if designs:
            console.print(Text(words, "bold"))
            console.print(_table(designs, one.epochs, fixed=designs is one.designs.designs_fixed))
        else:
            console.print(shown(f"{words}: {why}", "dim", longest=600))


def _as_dict(one: PlannedPair) -> dict[str, object]:
    told: dict[str, object] = {
        name: getattr(one, name) for name in one.__slots__ if name != "designs"
    }
    if one.designs is not None:
        told["designs"] = {
            "wanted_se": one.designs.wanted,
            "these_judges": [_design(each, one.epochs) for each in one.designs.designs_fixed],
            "these_judges_reason": one.designs.reason_fixed,
            "judges_like_these": [_design(each, one.epochs) for each in one.designs.designs],
            "judges_like_these_reason": one.designs.reason,
        }
    return told


def _design(found: Design, epochs: float) -> dict[str, object]:
    return {**asdict(found), "calls": _calls(found, epochs)}


def _calls(found: Design, epochs: float) -> int:
    """Count the calls for both systems."""
    return round(2 * epochs * found.calls)


def _table(designs: Sequence[Design], epochs: float, *, fixed: bool) -> Table:
    from rich.table import Table  # noqa: PLC0415 - a fast start

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("items", "judges", "repeats", "calls", "cost", "se of the difference"):
        table.add_column(name, justify="right", no_wrap=True)
    for one in designs[:MOST_DESIGNS]:
        table.add_row(
            f"{one.items:,}",
            f"{one.judges:,}",
            f"{one.repeats:,}",
            f"{_calls(one, epochs):,}",
            f"{one.cost:,.6g}",
            _ends(one.se_fixed if fixed else one.se),
        )
    return table


def _ends(part: Component) -> str:
    if part.value is None:
        return "unknown"
    ends = "" if part.low is None or part.high is None else f" [{part.low:.3g}, {part.high:.3g}]"
    return f"{part.value:.3g}{ends}"
