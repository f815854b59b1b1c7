"""The command and its exit codes: 0 done, 1 a gate failed, 2 bad input or usage."""

from __future__ import annotations

import sys
from importlib.metadata import version
from typing import Annotated

import typer

from panopt.cli.analyze import analyze
from panopt.cli.demo import demo
from panopt.cli.plugins import plugins
from panopt.cli.text import plain
from panopt.errors import PanoptError

__all__ = ["app", "main"]

BAD_INPUT = 2

app = typer.Typer(
    name="panopt",
    help="Say what LLM-judge scores support: whom to trust, what to escalate, how sure to be.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(asked: bool) -> None:  # noqa: FBT001 - typer passes the flag by position
    if asked:
        typer.echo(version("panopt"))
        raise typer.Exit


@app.callback()
def _options(
    *,
    _asked: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    pass


app.command()(analyze)
app.command()(plugins)
app.command()(demo)


def main() -> None:
    """Run the command; an error of the user's making is one line on standard error."""
    try:
        app()
    except PanoptError as error:
        sys.stderr.write(f"panopt: error: {plain(str(error))}\n")
        sys.exit(BAD_INPUT)
    except BrokenPipeError:  # the reader of our output went away: `panopt ... | head`
        sys.stderr.close()
        sys.exit(0)
