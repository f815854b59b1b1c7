"""``panopt power --labels-for``: how many human labels a wanted precision takes."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from panopt.label_plan import PlannedLabels

__all__ = ["show_labels_for"]


def show_labels_for(
    found: Sequence[PlannedLabels], *, half_width: float, level: float, as_json: bool
) -> None:
    """Print how many labels it takes, system by system."""
    from rich.console import Console  # noqa: PLC0415 - a fast start
    from rich.table import Table  # noqa: PLC0415

    from panopt.cli.text import number, shown  # noqa: PLC0415

    if as_json:
        told = {"half_width": half_width, "level": level, "plans": [asdict(one) for one in found]}
        sys.stdout.write(json.dumps(told, indent=2, allow_nan=False) + "\n")
        return
    console = Console()
    head = f"labels for an interval of +-{half_width:g} of each system's mean, level {level:.4g}"
    console.print(shown(head, "bold"))
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("criterion", overflow="fold")
    table.add_column("system", overflow="fold")
    for name in ("responses", "labelled", "+- now", "labels needed", "without judges"):
        table.add_column(name, justify="right", no_wrap=True)
    for one in found:
        table.add_row(
            shown(one.criterion),
            shown(one.system or "-"),
            f"{one.n_responses:,}",
            f"{one.n_labelled:,}",
            number(one.plan.now),
            "-" if one.plan.n is None else f"{one.plan.n:,}",
            "-" if one.plan.alone is None else f"{one.plan.alone:,}",
        )
    console.print(table)
    for one in found:
        if one.plan.reason is not None:
            text = f"{one.criterion}: {one.system or 'the system'}: {one.plan.reason}"
            console.print(shown(text, "yellow", longest=600))
    if any(one.n_items < one.n_labelled for one in found):
        text = "note: labels of one item count as independent; where they are alike, take more"
        console.print(shown(text, "dim"))
    console.print(shown(f"In short: {_conclusion(found, half_width)}.", "bold", longest=600))


def _conclusion(found: Sequence[PlannedLabels], half_width: float) -> str:
    """Say what to do, for a reader who knows no statistics."""
    more = [max(one.plan.n - one.n_labelled, 0) for one in found if one.plan.n is not None]
    lost = sum(one.plan.n is None for one in found)
    text = f"about {sum(more):,} more labels in all bring it to +-{half_width:g}"
    if not more and any(one.plan.now is None for one in found):
        return "too few labels to tell; panopt analyze --label-next 20 writes a sheet to fill in"
    if not more:
        return f"no number of labels of these responses brings it to +-{half_width:g}"
    if not any(more):
        text = f"the labels there are reach +-{half_width:g}"
    if lost:
        text += f", but for {lost} systems, see above"
    return text + "; panopt analyze --label-next writes a sheet to fill in" * any(more)
