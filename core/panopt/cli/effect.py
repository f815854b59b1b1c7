"""``panopt power --effect``: which difference a pilot could show, and what a wanted one takes."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

    from panopt.effect import PlannedPair
    from panopt.stats.components import Component
    from panopt.stats.design import Design

__all__ = ["show_effect"]

#: Most designs a terminal table lists.
MOST_DESIGNS = 6


def show_effect(
    found: Sequence[PlannedPair], *, effect: float, alpha: float, power: float, as_json: bool
) -> None:
    """Print what showing a difference takes, pair by pair."""
    from rich.console import Console  # noqa: PLC0415 - a fast start
    from rich.text import Text  # noqa: PLC0415

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
    for one in found:
        console.print()
        head = f"criterion {one.criterion}: {one.a} - {one.b}, {one.n_items:,} items in the pilot"
        console.print(shown(head, "bold", longest=600))
        if one.sd is None or one.detectable is None:
            console.print(shown(f"no plan: {one.reason}", "yellow", longest=600))
            continue
        needed = "more than a billion" if one.items_needed is None else f"{one.items_needed:,}"
        console.print(
            Text(
                f"differences vary by {one.sd:.3f} from item to item: these {one.n_items:,} items "
                f"could show {one.detectable:.3f}; {effect:g} takes {needed} items with this panel "
                f"and {one.epochs:.3g} answers an item, as here"
            )
        )
        if one.designs is None:
            console.print(shown(f"other panels: {one.designs_reason}", "yellow", longest=600))
            continue
        for words, designs, why in (
            ("these judges, or some of them", one.designs.designs_fixed, one.designs.reason_fixed),
            ("judges like these: another panel", one.designs.designs, one.designs.reason),
        ):
            console.print(Text(words, "bold"))
            if designs:
                fixed = designs is one.designs.designs_fixed
                console.print(_table(designs, one.epochs, fixed=fixed))
            else:
                console.print(shown(f"no design: {why}", "yellow", longest=600))


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
