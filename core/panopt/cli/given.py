"""What was typed on the command line: which options, and the costs of judges."""

from __future__ import annotations

import math
from collections.abc import Sequence

import typer

from panopt.cli.sources import name_value
from panopt.errors import AskError

__all__ = ["costs_of", "refuse_idle", "typed"]


def typed(context: typer.Context, *names: str) -> tuple[str, ...]:
    """Give those of some options that stand on the command line, in the order asked for.

    Parameters
    ----------
    context
        Of the command that runs.
    names
        Of the command's parameters: ``at_least``, not ``--at-least``.
    """
    sources = {name: context.get_parameter_source(name) for name in names}
    return tuple(name for name, source in sources.items() if source and source.name != "DEFAULT")


def refuse_idle(context: typer.Context, names: Sequence[str], why: str) -> None:
    """Refuse an option that was typed and would change nothing.

    Raises
    ------
    AskError
        Naming the first of `names` that was typed.
    """
    for name in typed(context, *names):
        raise AskError(f"--{name.replace('_', '-')} {why}")


def costs_of(given: Sequence[str]) -> dict[str, float]:
    """Read ``--cost JUDGE=COST`` options.

    Raises
    ------
    AskError
        For a cost that is no number from 0, or a judge with two.
    """
    costs: dict[str, float] = {}
    for text in given:
        name, value = name_value(text, "--cost", last=True)
        try:
            cost = float(value)
        except ValueError:
            raise AskError(
                f"option --cost {text!r}: {value!r} is no number, as costs are"
            ) from None
        if not (math.isfinite(cost) and cost >= 0.0):
            raise AskError(f"option --cost {text!r}: costs must be finite and not negative")
        if name in costs:
            raise AskError(f"option --cost {text!r}: {name!r} has a cost already, {costs[name]:g}")
        costs[name] = cost
    return costs
