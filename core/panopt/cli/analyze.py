"""``panopt analyze``: the main job, from logs to decisions and annotated copies."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from panopt.errors import AskError

if TYPE_CHECKING:
    from panopt.reading import Progress
    from panopt.records.ask import Ask, Reading
    from panopt.records.report import Report
    from panopt.writing import Written

__all__ = ["analyze", "run"]

READ = "Reading"
STATISTICS = "Statistics"
OUTPUT = "Output"

#: Small reads are over before a bar is of use.
BAR_FROM_BYTES = 8_000_000


def analyze(  # noqa: PLR0913 - one parameter an option
    logs: Annotated[
        list[str],
        typer.Argument(
            metavar="LOGS...",
            help="Files, folders or globs: .eval, .json, .jsonl, .yaml, .csv, .parquet.",
        ),
    ],
    *,
    labels: Annotated[
        Path | None, typer.Option(help="Table of human labels: item, score, system ...")
    ] = None,
    criterion: Annotated[
        list[str] | None, typer.Option(help="Analyze this criterion only; repeat for more.")
    ] = None,
    alpha: Annotated[
        float, typer.Option(help="Tolerated disagreement with humans among trusted responses.")
    ] = 0.1,
    delta: Annotated[
        float, typer.Option(help="Tolerated probability that the certificate fails.")
    ] = 0.1,
    level: Annotated[float, typer.Option(help="Confidence level of intervals.")] = 0.95,
    threshold: Annotated[
        float, typer.Option(help="A response passes at this value on [0, 1] or above.")
    ] = 0.5,
    aggregate: Annotated[
        str, typer.Option(help="Aggregation method, or auto.", rich_help_panel=STATISTICS)
    ] = "auto",
    min_successful: Annotated[
        int, typer.Option(help="Decisive judges a response needs.", rich_help_panel=STATISTICS)
    ] = 1,
    n_boot: Annotated[
        int, typer.Option("--bootstrap", help="Bootstrap draws.", rich_help_panel=STATISTICS)
    ] = 1000,
    seed: Annotated[int, typer.Option(help="Seed.", rich_help_panel=STATISTICS)] = 0,
    family: Annotated[
        list[str] | None,
        typer.Option(
            help="JUDGE=FAMILY: whose model a judge or system is, e.g. grader=openai.",
            rich_help_panel=STATISTICS,
        ),
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(help="Tables: OURS=THEIRS, e.g. item=question_id.", rich_help_panel=READ),
    ] = None,
    scale: Annotated[
        list[str] | None,
        typer.Option(help="[JUDGE=]KIND[:LOW:HIGH], e.g. ordinal:1:5.", rich_help_panel=READ),
    ] = None,
    human: Annotated[
        list[str] | None,
        typer.Option(
            help="Scorer, judge, metric or column that holds human labels.", rich_help_panel=READ
        ),
    ] = None,
    scorers: Annotated[
        str,
        typer.Option(
            help="Several scorers are: judges of one criterion | criteria | auto.",
            rich_help_panel=READ,
        ),
    ] = "auto",
    keys: Annotated[
        str,
        typer.Option(
            help="Keys of dict-valued scores are: judges | criteria | auto.", rich_help_panel=READ
        ),
    ] = "auto",
    off_scale: Annotated[
        str, typer.Option(help="Scores off their scale: error | fail.", rich_help_panel=READ)
    ] = "error",
    tier: Annotated[
        str, typer.Option(help="Inspect reader: auto | fast | api.", rich_help_panel=READ)
    ] = "auto",
    low_memory: Annotated[
        bool, typer.Option(help="Stream large JSON files.", rich_help_panel=READ)
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="Folder for report, responses and copies.")
    ] = None,
    do_write: Annotated[
        bool, typer.Option("--write", help="Write annotated copies of the logs.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option(help="Replace earlier outputs that differ; never a source.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    strict: Annotated[bool, typer.Option(help="Make warnings errors.")] = False,
) -> None:
    """Re-analyze judged logs: how good each system and judge is, and which verdicts to trust."""
    from panopt.records.ask import Ask, Reading, checked  # noqa: PLC0415 - a fast start

    ask = checked(
        Ask,
        criterion=tuple(criterion or ()),
        aggregate=aggregate,
        alpha=alpha,
        delta=delta,
        level=level,
        threshold=threshold,
        min_successful=min_successful,
        seed=seed,
        n_boot=n_boot,
        families=tuple(_pair(text, "--family", last=True) for text in family or ()),
    )
    reading = checked(
        Reading,
        columns=tuple(_pair(text, "--column") for text in column or ()),
        scales=tuple(_scale(text) for text in scale or ()),
        human=tuple(human or ()),
        scorers=scorers,
        keys=keys,
        off_scale=off_scale,
        tier=tier,
        low_memory=low_memory,
        strict=strict,
    )
    run(
        logs,
        labels=labels,
        ask=ask,
        reading=reading,
        out=out,
        copies=do_write,
        overwrite=overwrite,
        as_json=as_json,
    )


def run(  # noqa: PLR0913 - options
    logs: list[str],
    *,
    labels: Path | None,
    ask: Ask,
    reading: Reading,
    out: Path | None,
    copies: bool,
    overwrite: bool,
    as_json: bool,
) -> Report:
    """Read, analyze, show and write; what ``analyze`` and ``demo`` share."""
    from panopt.analysis import analyze as analyze_study  # noqa: PLC0415 - a fast start
    from panopt.cli.show import show_report, show_written  # noqa: PLC0415
    from panopt.host import Host  # noqa: PLC0415
    from panopt.reading import read  # noqa: PLC0415
    from panopt.writing import write  # noqa: PLC0415

    _spare_pandas()
    host = Host()
    with _bar() as progress:
        study = read(
            *logs,
            labels=labels,
            reading=reading,
            criterion=ask.criterion,
            host=host,
            progress=progress,
        )
    report = analyze_study(study, ask, host=host)
    if reading.strict and report.warnings:
        raise AskError(f"{report.warnings[0]} (an error under --strict)")
    written: tuple[Written, ...] = ()
    if copies or out is not None:
        written = write(
            report, out=out, copies=copies, summary=out is not None, overwrite=overwrite, host=host
        )
    if as_json:
        # plain ASCII: names out of logs must not steer the terminal this may be printed on
        sys.stdout.write(json.dumps(report.to_dict(), indent=2, allow_nan=False) + "\n")
    else:
        show_report(report)
        show_written(written)
    return report


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


def _pair(text: str, option: str, *, last: bool = False) -> tuple[str, str]:
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
