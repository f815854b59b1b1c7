"""``panopt power --cost``: calls, tokens and money before any judge is called."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from panopt.errors import AskError

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from panopt.records.study import Study
    from panopt.spending import Amount, Spending

__all__ = ["prices_of", "show_spending"]


def prices_of(given: Sequence[str]) -> dict[str, float]:
    """Read ``JUDGE=USD`` options."""
    from panopt.cli.sources import name_value  # noqa: PLC0415 - a fast start

    prices: dict[str, float] = {}
    for text in given:
        name, value = name_value(text, "--price", last=True)
        try:
            prices[name] = float(value)
        except ValueError:
            raise AskError(f"option --price {text!r}: {value!r} is no number") from None
    return prices


def show_spending(  # noqa: PLR0913 - one argument an option
    study: Study,
    *,
    criterion: Sequence[str],
    items: int | None,
    epochs: int,
    repeats: int | None,
    prices: Mapping[str, float],
    policies: str,
    epsilon: float,
    level: float,
    as_json: bool,
) -> None:
    """Plan what judging takes and print it."""
    from rich.console import Console  # noqa: PLC0415 - a fast start

    from panopt.policies import REPLAYED  # noqa: PLC0415
    from panopt.router_options import RouterOptions  # noqa: PLC0415
    from panopt.spending import plan_spending  # noqa: PLC0415

    names = [name.strip() for name in policies.split(",") if name.strip()]
    if not names:
        raise AskError(f"--policies {policies!r} names none of {', '.join(REPLAYED)}")
    with Console(stderr=True).status("planning"):
        found = plan_spending(
            study,
            criterion=criterion,
            items=items,
            epochs=epochs,
            repeats=repeats,
            prices=prices,
            policies=names,
            options=RouterOptions(epsilon=epsilon),
            level=level,
        )
    if as_json:
        told = {"criteria": [asdict(one) for one in found]}
        sys.stdout.write(json.dumps(told, indent=2, allow_nan=False) + "\n")
        return
    console = Console()
    for number, one in enumerate(found):
        if number:
            console.print()
        console.print(_shown(one))


def _shown(found: Spending) -> RenderableType:
    from rich.console import Group  # noqa: PLC0415 - a fast start
    from rich.text import Text  # noqa: PLC0415

    from panopt.cli.text import shown  # noqa: PLC0415

    epochs = "1 epoch" if found.epochs == 1 else f"{found.epochs:,} epochs"
    parts: list[RenderableType] = [
        shown(
            f"criterion {found.criterion}: {found.items:,} items x {epochs} x "
            f"{len(found.judges)} judges",
            "bold",
            longest=1000,
        ),
        _judges(found),
        Text(),
        Text(f"all of it, with {found.level:.0%} intervals", "bold"),
        _policies(found),
    ]
    reasons = [
        amount.reason
        for policy in found.policies
        for amount in (policy.input_tokens, policy.output_tokens, policy.cost)
        if amount.reason is not None
    ]
    notes = (*dict.fromkeys(reasons), *found.notes)
    if notes:
        parts += [Text(), *(shown(f"note: {note}", "dim", longest=1000) for note in notes)]
    return Group(*parts)


def _judges(found: Spending) -> Table:
    from rich.table import Table  # noqa: PLC0415 - a fast start

    from panopt.cli.text import shown  # noqa: PLC0415

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("one call of")
    for name in ("calls a response", "tokens in", "tokens out", "cost", "recorded"):
        table.add_column(name, justify="right")
    for judge in found.judges:
        table.add_row(
            shown(judge.judge),
            f"{judge.calls:g}",
            _number(judge.input_tokens),
            _number(judge.output_tokens),
            _money(judge.cost),
            f"{judge.n:,}",
        )
    return table


def _policies(found: Spending) -> Table:
    from rich.table import Table  # noqa: PLC0415 - a fast start

    from panopt.cli.text import shown  # noqa: PLC0415

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("policy")
    for name in ("calls", "tokens in", "tokens out", "cost"):
        table.add_column(name, justify="right")
    for policy in found.policies:
        table.add_row(
            shown(policy.policy),
            "unknown" if policy.calls is None else f"{policy.calls:,.0f}",
            _number(policy.input_tokens, ends=True),
            _number(policy.output_tokens, ends=True),
            _money(policy.cost, ends=True),
        )
    return table


def _number(amount: Amount, *, ends: bool = False) -> str:
    if amount.value is None:
        return "unknown"
    text = f"{amount.value:,.0f}"
    if not ends or amount.low is None or amount.high is None:
        return text
    return f"{text} [{amount.low:,.0f}, {amount.high:,.0f}]"


def _money(amount: Amount, *, ends: bool = False) -> str:
    if amount.value is None:
        return "unknown"
    text = f"${amount.value:,.4g}"
    if not ends or amount.low is None or amount.high is None:
        return text
    return f"{text} [{amount.low:,.4g}, {amount.high:,.4g}]"
