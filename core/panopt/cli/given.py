"""Which options of a command were typed, and which are at their defaults."""

from __future__ import annotations

import typer

__all__ = ["typed"]


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
