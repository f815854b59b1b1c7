"""The command and its exit codes: 0 done, 1 a gate failed, 2 bad input or usage."""

from __future__ import annotations

import io
import os
import sys
from importlib.metadata import version
from typing import Annotated

import typer

from panopt.cli.analyze import analyze
from panopt.cli.calibrate import calibrate
from panopt.cli.compare import compare
from panopt.cli.demo import demo
from panopt.cli.gate import gate
from panopt.cli.plugins import plugins
from panopt.cli.power import power
from panopt.cli.replay import replay
from panopt.cli.text import plain
from panopt.errors import PanoptError

__all__ = ["app", "main"]

BAD_INPUT = 2
#: An error message may show a few ids of each side.
LONGEST_ERROR = 1500

app = typer.Typer(
    name="panopt",
    help="Say what LLM-judge scores support: whom to trust, what to escalate, how sure to be.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(asked: bool) -> None:  # noqa: FBT001 - typer passes the flag by position
    if asked:
        typer.echo(version("panopt"))
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _options(
    context: typer.Context,
    *,
    _asked: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


app.command()(analyze)
app.command()(calibrate)
app.command()(compare)
app.command()(gate)
app.command()(power)
app.command()(replay)
app.command()(plugins)
app.command()(demo)


def main() -> None:
    """Run the command; an error of the user's making is one line on standard error."""
    code: object = 0
    for stream in (sys.stdout, sys.stderr):  # a narrow encoding loses a letter, not the answer
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        code = app(standalone_mode=False)
    except PanoptError as error:
        _fail(str(error))
    except BrokenPipeError:  # the reader of our output went away: `panopt ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:  # such as a full disk behind our output
        _fail(f"cannot go on: {error}")
    except typer.Abort:
        sys.exit(130)
    except Exception as error:
        message = getattr(error, "format_message", None)  # usage: whichever click typer carries
        if message is None:
            raise
        context = getattr(error, "ctx", None)
        command = "panopt" if context is None else context.command_path
        _fail(f"{message()} (see: {command} --help)")
    sys.exit(code if isinstance(code, int) else 0)


def _fail(message: str) -> None:
    sys.stderr.write(f"panopt: error: {plain(message, longest=LONGEST_ERROR)}\n")
    sys.exit(BAD_INPUT)
