"""What commands that read logs share: their options, the reading itself, a bar for large files."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from panopt.errors import AskError

if TYPE_CHECKING:
    from panopt.host import Host
    from panopt.reading import Progress
    from panopt.records.ask import Reading
    from panopt.records.study import Study

__all__ = [
    "READ",
    "STATISTICS",
    "Columns",
    "Criteria",
    "Human",
    "Json",
    "Keys",
    "Labels",
    "Level",
    "Logs",
    "LowMemory",
    "OffScale",
    "Scales",
    "Scorers",
    "Seed",
    "Strict",
    "Tier",
    "name_value",
    "read_apart",
    "read_logs",
    "reading_of",
]

READ = "Reading"
STATISTICS = "Statistics"

#: Small reads are over before a bar is of use.
BAR_FROM_BYTES = 8_000_000

Logs = Annotated[
    list[str],
    typer.Argument(
        metavar="LOGS...",
        help="Files, folders or globs: .eval, .json, .jsonl, .yaml, .csv, .parquet.",
    ),
]
Labels = Annotated[Path | None, typer.Option(help="Table of human labels: item, score, system ...")]
Criteria = Annotated[
    list[str] | None, typer.Option(help="Analyze this criterion only; repeat for more.")
]
Level = Annotated[float, typer.Option(help="Confidence level of intervals.")]
Seed = Annotated[int, typer.Option(help="Seed.", rich_help_panel=STATISTICS)]
Columns = Annotated[
    list[str] | None,
    typer.Option(help="Tables: OURS=THEIRS, e.g. item=question_id.", rich_help_panel=READ),
]
Scales = Annotated[
    list[str] | None,
    typer.Option(help="[JUDGE=]KIND[:LOW:HIGH], e.g. ordinal:1:5.", rich_help_panel=READ),
]
Human = Annotated[
    list[str] | None,
    typer.Option(
        help="Scorer, judge, metric or column that holds human labels.", rich_help_panel=READ
    ),
]
Scorers = Annotated[
    str,
    typer.Option(
        help="Several scorers are: judges of one criterion | criteria | auto.",
        rich_help_panel=READ,
    ),
]
Keys = Annotated[
    str,
    typer.Option(
        help="Keys of dict-valued scores are: judges | criteria | auto.", rich_help_panel=READ
    ),
]
OffScale = Annotated[
    str, typer.Option(help="Scores off their scale: error | fail.", rich_help_panel=READ)
]
Tier = Annotated[str, typer.Option(help="Inspect reader: auto | fast | api.", rich_help_panel=READ)]
LowMemory = Annotated[bool, typer.Option(help="Stream large JSON files.", rich_help_panel=READ)]
Json = Annotated[bool, typer.Option("--json", help="Print the report as JSON.")]
Strict = Annotated[bool, typer.Option(help="Make warnings errors.")]


def reading_of(
    *,
    column: Sequence[str] | None,
    scale: Sequence[str] | None,
    human: Sequence[str] | None,
    **options: str | bool,
) -> Reading:
    """Take the reading options of a command line as one object.

    Raises
    ------
    AskError
        For an option that is malformed or not one of its values.
    """
    from panopt.records.ask import Reading, checked  # noqa: PLC0415 - a fast start

    return checked(
        Reading,
        columns=tuple(name_value(text, "--column") for text in column or ()),
        scales=tuple(_scale(text) for text in scale or ()),
        human=tuple(human or ()),
        **options,
    )


def read_logs(
    logs: Sequence[str],
    *,
    labels: Path | None,
    reading: Reading,
    criterion: Sequence[str],
    host: Host,
) -> Study:
    """Read logs and labels, with a bar for a person who waits."""
    from panopt.reading import read  # noqa: PLC0415 - a fast start

    _spare_pandas()
    with _bar() as progress:
        return read(
            *logs,
            labels=labels,
            reading=reading,
            criterion=criterion,
            host=host,
            progress=progress,
        )


def read_apart(
    places: Sequence[str],
    *,
    labels: Path | None,
    reading: Reading,
    criterion: Sequence[str],
    host: Host,
) -> tuple[Study, ...]:
    """Read the sides of a comparison, with a bar for a person who waits."""
    from panopt.reading import read_sides  # noqa: PLC0415 - a fast start

    _spare_pandas()
    with _bar() as progress:
        return read_sides(
            *places,
            labels=labels,
            reading=reading,
            criterion=criterion,
            host=host,
            progress=progress,
        )


class _NoPandas:
    """An import finder that finds no pandas."""

    @staticmethod
    def find_spec(name: str, *_: object) -> None:
        if name == "pandas":
            raise ModuleNotFoundError(name=name)


def _spare_pandas() -> None:
    """Let Arrow find out that it has no pandas to serve; importing it to ask takes a second."""
    import pyarrow as pa  # noqa: PLC0415 - a fast start

    if "pandas" not in sys.modules:
        sys.meta_path.insert(0, _NoPandas)
        try:
            pa.array([0])
        finally:
            sys.meta_path.remove(_NoPandas)


def name_value(text: str, option: str, *, last: bool = False) -> tuple[str, str]:
    """Split ``NAME=VALUE`` at its first sign, or at the last."""
    left, sign, right = text.rpartition("=") if last else text.partition("=")
    if not sign or not left or not right:
        raise AskError(f"option {option} {text!r} is not of the form NAME=VALUE")
    return left, right


def _scale(text: str) -> tuple[str, str]:
    judge, sign, scale = text.rpartition("=")
    return (judge, scale) if sign else ("*", text)


@contextmanager
def _bar() -> Iterator[Progress]:
    """Show a bar on standard error for files that take a while, when a person is looking."""
    from rich.console import Console  # noqa: PLC0415 - a fast start
    from rich.markup import escape  # noqa: PLC0415
    from rich.progress import Progress as Bars  # noqa: PLC0415
    from rich.progress import TaskID  # noqa: PLC0415

    from panopt.cli.text import plain  # noqa: PLC0415

    console = Console(stderr=True)
    tasks: dict[str, TaskID] = {}
    with Bars(console=console, transient=True, disable=not console.is_terminal) as bars:

        def tell(location: str, share: float) -> None:
            if location not in tasks:
                local = Path(location)
                if local.is_file() and local.stat().st_size < BAR_FROM_BYTES:
                    return
                tasks[location] = bars.add_task(f"reading {escape(plain(location))}", total=1.0)
            bars.update(tasks[location], completed=share)

        yield tell
