"""``panopt replay --policies``: what ways of choosing judges would have cost, and got wrong."""

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

    from panopt.policies import PolicyReplay, PolicyRun
    from panopt.records.ask import Ask
    from panopt.records.study import Study
    from panopt.stats.routing_bootstrap import Estimate

__all__ = ["show_policies"]


def show_policies(  # noqa: PLR0913 - one argument an option
    study: Study,
    ask: Ask,
    *,
    policies: str,
    costs: Mapping[str, float],
    seeds: int,
    epsilon: float,
    at_least: int,
    warm: int,
    as_json: bool,
) -> None:
    """Replay policies and print a table a criterion, or all of it as JSON."""
    from rich.console import Console  # noqa: PLC0415 - a fast start

    from panopt.policies import REPLAYED, replay_policies  # noqa: PLC0415
    from panopt.router_options import RouterOptions  # noqa: PLC0415

    names = [name.strip() for name in policies.split(",") if name.strip()]
    if not names:
        raise AskError(f"--policies {policies!r} names none of {', '.join(REPLAYED)}")
    options = RouterOptions(epsilon=epsilon, at_least=at_least)
    with Console(stderr=True).status("replaying") as status:
        found = replay_policies(
            study,
            ask,
            policies=names,
            costs=costs,
            options=options,
            seeds=seeds,
            warm=warm,
            progress=lambda told: status.update(f"replaying {told}"),
        )
    if as_json:
        told = {
            "seed": ask.seed,
            "threshold": ask.threshold,
            "criteria": [asdict(one) for one in found],
        }
        sys.stdout.write(json.dumps(told, indent=2, allow_nan=False) + "\n")
        return
    console = Console()
    for number, one in enumerate(found):
        if number:
            console.print()
        console.print(_shown(one))


def _shown(found: PolicyReplay) -> RenderableType:
    from rich.console import Group  # noqa: PLC0415 - a fast start
    from rich.text import Text  # noqa: PLC0415

    from panopt.cli.text import shown  # noqa: PLC0415

    known = "from votes alone"
    if found.warm:
        known = f"from {found.warm:,} labelled responses first, then from votes"
    orders = "in one order" if found.seeds == 1 else f"in {found.seeds:,} orders"
    costs = ", ".join(f"{one.judge} {one.cost:g}" for one in found.judges)
    parts: list[RenderableType] = [
        shown(
            f"criterion {found.criterion}: {found.n_responses:,} responses judged by all "
            f"{len(found.judges)} judges and by humans, {orders}",
            "bold",
            longest=1000,
        ),
        shown(f"cost of a call: {costs}", longest=1000),
        shown(
            f"judges are known {known}; a decision is settled below {found.options['epsilon']:g} "
            f"chance of error, after {found.options['at_least']} vote(s) or more",
            longest=1000,
        ),
        Text(),
        _table(found.runs, found.level),
        Text(),
        shown(
            "cost: percent of asking all judges; error: percent decided otherwise than by humans; "
            "vs all: points more than by all judges; flips: percent decided otherwise than by all; "
            "expected: error as the router saw it",
            "dim",
            longest=1000,
        ),
    ]
    parts += [shown(f"note: {note}", "dim", longest=1000) for note in found.notes]
    return Group(*parts)


def _table(runs: Sequence[PolicyRun], level: float) -> Table:
    from rich.table import Table  # noqa: PLC0415 - a fast start
    from rich.text import Text  # noqa: PLC0415

    from panopt.cli.text import shown  # noqa: PLC0415

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(f"percent, {level:.0%}", no_wrap=True)
    for name in ("cost", "error", "vs all", "flips", "calls", "expected"):
        table.add_column(name, justify="right")
    for run in runs:
        expected = "-" if run.expected_error is None else f"{100 * run.expected_error:.1f}"
        table.add_row(
            shown(run.policy),
            "-" if run.share is None else _percent(run.share, bare=run.policy.startswith("all")),
            _percent(run.error),
            "" if run.policy == "all" else _percent(run.more_error, sign="+"),
            "" if run.policy == "all" else _percent(run.flips),
            Text(f"{run.calls.value:.2f}"),
            expected,
        )
    return table


def _percent(found: Estimate, *, sign: str = "", bare: bool = False) -> str:
    text = f"{100 * found.value:{sign}.1f}"
    if bare or found.low is None or found.high is None:
        return text
    return f"{text} [{100 * found.low:{sign}.1f}, {100 * found.high:{sign}.1f}]"
