"""``panopt plugins``: what is installed, from where, and what it does."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

__all__ = ["plugins"]


def plugins(
    *, as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False
) -> None:
    """List every plugin and shim: its version, its hooks and where it came from."""
    from panopt.host import Host  # noqa: PLC0415 - the command line starts fast

    infos = Host().plugins
    if as_json:
        typer.echo(json.dumps([asdict(info) for info in infos], indent=2))
        return
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    from panopt.cli.text import shown  # noqa: PLC0415

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("plugin", "from", "hooks", "what it does"):
        table.add_column(column, overflow="fold")
    for info in infos:
        hooks = ", ".join(hook.removeprefix("panopt_") for hook in info.hooks)
        about = shown(info.about) if info.error is None else shown(f"broken: {info.error}", "red")
        origin = f"{info.distribution} {info.version} ({info.module})"
        table.add_row(shown(info.name, "bold"), shown(origin), shown(hooks), about)
    Console().print(table)
