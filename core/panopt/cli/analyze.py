"""``panopt analyze``: the main job, from logs to decisions and annotated copies."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from panopt.cli.figures import Plots, check_plots, save_plots
from panopt.cli.given import typed
from panopt.cli.sources import (
    STATISTICS,
    Columns,
    Criteria,
    Human,
    Json,
    Keys,
    Labels,
    Level,
    Logs,
    LowMemory,
    OffScale,
    Scales,
    Scorers,
    Seed,
    Strict,
    Tier,
    name_value,
    read_logs,
    reading_of,
)
from panopt.errors import AskError

if TYPE_CHECKING:
    from panopt.records.ask import Ask, Reading
    from panopt.records.certificate import Certificate
    from panopt.records.report import Report
    from panopt.writing import Written

__all__ = ["analyze", "run"]

OUTPUT = "Output"


def analyze(  # noqa: PLR0913 - one parameter an option
    context: typer.Context,
    logs: Logs,
    *,
    labels: Labels = None,
    criterion: Criteria = None,
    alpha: Annotated[
        float, typer.Option(help="Tolerated disagreement with humans among trusted responses.")
    ] = 0.1,
    delta: Annotated[
        float, typer.Option(help="Tolerated probability that the certificate fails.")
    ] = 0.1,
    certificate: Annotated[
        Path | None,
        typer.Option(help="Trust by a certificate of panopt calibrate, not by labels in here."),
    ] = None,
    same_prompts: Annotated[
        bool,
        typer.Option(
            "--same-prompts",
            help="Certificate: prompts that logs do not tell are the same as then.",
        ),
    ] = False,
    level: Level = 0.95,
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
    seed: Seed = 0,
    family: Annotated[
        list[str] | None,
        typer.Option(
            help="JUDGE=FAMILY: whose model a judge or system is, e.g. grader=openai.",
            rich_help_panel=STATISTICS,
        ),
    ] = None,
    column: Columns = None,
    scale: Scales = None,
    human: Human = None,
    scorers: Scorers = "auto",
    keys: Keys = "auto",
    off_scale: OffScale = "error",
    tier: Tier = "auto",
    low_memory: LowMemory = False,
    out: Annotated[
        Path | None, typer.Option(help="Folder for report, responses and copies.")
    ] = None,
    do_write: Annotated[
        bool, typer.Option("--write", help="Write annotated copies of the logs.")
    ] = False,
    plots: Plots = None,
    label_next: Annotated[
        int | None,
        typer.Option(
            help="Write label-next.csv: so many responses a criterion, drawn for people to label."
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option(help="Replace earlier outputs that differ; never a source.")
    ] = False,
    as_json: Json = False,
    strict: Strict = False,
) -> None:
    """Re-analyze judged logs: how good each system and judge is, and which verdicts to trust."""
    from panopt.records.ask import Ask, checked  # noqa: PLC0415 - a fast start

    if label_next is not None and label_next < 1:
        raise AskError(f"option --label-next {label_next}: must be at least 1")
    if same_prompts and certificate is None:
        raise AskError("--same-prompts vouches for a certificate: give --certificate too")
    risk = {"alpha": alpha, "delta": delta}  # a certificate has its own: refused where these differ
    ask = checked(
        Ask,
        **{name: risk[name] for name in typed(context, *risk)},
        criterion=tuple(criterion or ()),
        aggregate=aggregate,
        level=level,
        threshold=threshold,
        min_successful=min_successful,
        seed=seed,
        n_boot=n_boot,
        families=tuple(name_value(text, "--family", last=True) for text in family or ()),
        certificate=None if certificate is None else _read(certificate),
        same_prompts=same_prompts,
    )
    reading = reading_of(
        column=column,
        scale=scale,
        human=human,
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
        plots=plots,
        label_next=label_next,
        overwrite=overwrite,
        as_json=as_json,
    )


def _read(path: Path) -> Certificate:
    from panopt.certificates import read_certificate  # noqa: PLC0415 - a fast start

    return read_certificate(path)


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
    plots: Path | None = None,
    label_next: int | None = None,
) -> Report:
    """Read, analyze, show and write; what ``analyze`` and ``demo`` share."""
    from rich.console import Console  # noqa: PLC0415 - a fast start

    from panopt.analysis import analyze as analyze_study  # noqa: PLC0415
    from panopt.cli.show import show_report, show_written  # noqa: PLC0415
    from panopt.host import Host  # noqa: PLC0415
    from panopt.writing import write  # noqa: PLC0415

    check_plots(plots)
    host = Host()
    study = read_logs(logs, labels=labels, reading=reading, criterion=ask.criterion, host=host)
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
        show_written(written, Console(stderr=True))
    else:
        show_report(report)
        show_written(written)
    if label_next is not None:
        from panopt.labelling import write_label_sheet  # noqa: PLC0415

        sheet = write_label_sheet(report, label_next, out or Path())
        show_written([sheet], Console(stderr=as_json))
    if plots is not None:
        from panopt.plots.drawing import draw_report  # noqa: PLC0415

        console = Console(stderr=as_json)
        save_plots(draw_report(report), plots, study, overwrite=overwrite, console=console)
    return report
