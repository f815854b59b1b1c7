"""``panopt gate``: exit 1 where a candidate is shown to be worse than its baseline may allow."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from panopt.cli.compare import (
    Aggregate,
    Cluster,
    Force,
    Metric,
    MinSuccessful,
    Passed,
    Threshold,
    cluster_of,
    criteria_of,
)
from panopt.cli.sources import (
    Columns,
    Criteria,
    Human,
    Json,
    Keys,
    Labels,
    LowMemory,
    OffScale,
    Scales,
    Scorers,
    Seed,
    Strict,
    Tier,
    read_apart,
    reading_of,
)
from panopt.errors import AskError, OutputError, PanoptError

if TYPE_CHECKING:
    from panopt.records.gate import Gate

__all__ = ["gate"]

OUTPUT = "Output"
FAILED = 1


def gate(  # noqa: PLR0913 - one parameter an option
    baseline: Annotated[str, typer.Argument(help="Log, folder or glob to hold it against.")],
    candidate: Annotated[str, typer.Argument(help="Log, folder or glob that is to pass.")],
    *,
    max_drop: Annotated[
        float, typer.Option(help="Drop of the mean score on [0, 1] that is tolerated.")
    ],
    criterion: Criteria = None,
    metric: Metric = None,
    passed: Passed = False,
    threshold: Threshold = 0.5,
    require_no_worse: Annotated[
        bool,
        typer.Option("--require-no-worse", help="Fail unless a larger drop is ruled out."),
    ] = False,
    alpha: Annotated[
        float, typer.Option(help="Probability of failing a candidate that dropped no more.")
    ] = 0.05,
    system: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME[=NAME]", help="Systems to compare: baseline's = candidate's."),
    ] = None,
    max_missing: Annotated[
        float, typer.Option(help="Share of the baseline's items that the candidate may lack.")
    ] = 0.05,
    anytime: Annotated[
        bool,
        typer.Option("--anytime", help="Stay right however often a growing log is looked at."),
    ] = False,
    cluster: Cluster = "auto",
    aggregate: Aggregate = "auto",
    min_successful: MinSuccessful = 1,
    seed: Seed = 0,
    labels: Labels = None,
    column: Columns = None,
    scale: Scales = None,
    human: Human = None,
    scorers: Scorers = "auto",
    keys: Keys = "auto",
    off_scale: OffScale = "error",
    tier: Tier = "auto",
    low_memory: LowMemory = False,
    force: Force = False,
    junit: Annotated[
        Path | None, typer.Option(help="JUnit XML for a build server.", rich_help_panel=OUTPUT)
    ] = None,
    summary: Annotated[
        Path | None, typer.Option(help="The verdict as Markdown.", rich_help_panel=OUTPUT)
    ] = None,
    github: Annotated[
        bool,
        typer.Option(
            "--github", help="Append it to the job's $GITHUB_STEP_SUMMARY.", rich_help_panel=OUTPUT
        ),
    ] = False,
    as_json: Json = False,
    strict: Strict = False,
) -> None:
    """Fail (exit 1) only where a candidate is shown to have dropped by more than is tolerated."""
    from panopt.gate import run_gate  # noqa: PLC0415 - a fast start
    from panopt.host import Host  # noqa: PLC0415
    from panopt.lineup import short_names  # noqa: PLC0415
    from panopt.records.ask import Ask, checked  # noqa: PLC0415
    from panopt.records.gate_text import junit as junit_of  # noqa: PLC0415
    from panopt.records.gate_text import (  # noqa: PLC0415
        junit_refusal,
        markdown_refusal,
    )
    from panopt.records.gate_text import markdown as markdown_of  # noqa: PLC0415

    step = _step_summary() if github else None
    places = [baseline, candidate]
    _refuse_overwriting(junit, summary, places)
    try:
        ask = checked(
            Ask,
            criterion=criteria_of(criterion, metric),
            aggregate=aggregate,
            threshold=threshold,
            min_successful=min_successful,
            seed=seed,
        )
        named, cluster = cluster_of(cluster)
        reading = reading_of(
            cluster=named,
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
        host = Host()
        old, new = read_apart(places, labels=labels, reading=reading, criterion=(), host=host)
        one, other = short_names(places)
        found = run_gate(
            old,
            new,
            max_drop=max_drop,
            ask=ask,
            alpha=alpha,
            require_no_worse=require_no_worse,
            systems=tuple(system or ()),
            cluster=cluster,
            passed=passed,
            max_missing=max_missing,
            names=(one, other),
            anytime=anytime,
            force=force,
            host=host,
        )
        if strict and found.warnings:
            raise AskError(f"{found.warnings[0]} (an error under --strict)")
    except PanoptError as error:
        # What an earlier run left there would be read as this one's verdict.
        _write(junit, junit_refusal(str(error)))
        _write(summary, markdown_refusal(str(error)))
        _write(step, markdown_refusal(str(error)), append=True)
        raise
    _write(junit, junit_of(found))
    _write(summary, markdown_of(found))
    _write(step, markdown_of(found), append=True)
    if as_json:
        sys.stdout.write(json.dumps(found.to_dict(), indent=2, allow_nan=False) + "\n")
    else:
        _show(found)
    if not found.passed:
        raise typer.Exit(FAILED)


def _step_summary() -> Path:
    given = os.environ.get("GITHUB_STEP_SUMMARY")
    if not given:
        raise AskError("--github needs $GITHUB_STEP_SUMMARY, which GitHub sets in its jobs")
    return Path(given)


def _refuse_overwriting(junit: Path | None, summary: Path | None, places: list[str]) -> None:
    logs = {Path(place).resolve() for place in places if "://" not in place}
    for target in (junit, summary):
        if target is not None and target.resolve() in logs:
            raise OutputError("this is a log that is read; name another file", target=str(target))
    for target, head in ((junit, "<testsuite"), (summary, "### panopt gate")):
        if target is not None and head not in _beginning(target):
            raise OutputError(
                "a file that is no earlier verdict is there; name another", target=str(target)
            )
    if junit is not None and summary is not None and junit.resolve() == summary.resolve():
        raise OutputError("--junit and --summary name one file", target=str(junit))


def _beginning(target: Path) -> str:
    """Give how an output that is there begins; as a verdict would where there is none."""
    if not target.is_file() or not target.stat().st_size:
        return "<testsuite ### panopt gate"
    try:
        with target.open("rb") as file:
            return file.read(1000).decode(errors="replace")
    except OSError as error:
        why = error.strerror or str(error)
        raise OutputError(f"cannot be written ({why})", target=str(target)) from error


def _write(target: Path | None, text: str, *, append: bool = False) -> None:
    if target is None:
        return
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("a" if append else "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        why = error.strerror or str(error)
        raise OutputError(f"cannot be written ({why})", target=str(target)) from error


def _show(found: Gate) -> None:
    from rich.console import Console  # noqa: PLC0415 - a fast start
    from rich.table import Table  # noqa: PLC0415

    from panopt.cli.text import number, shown  # noqa: PLC0415
    from panopt.records.gate_text import (  # noqa: PLC0415
        check_words,
        conclusion,
        plan_words,
        verdict_words,
    )

    console = Console()
    unsure = any(check.status == "inconclusive" for check in found.checks)
    style = "bold red" if not found.passed else "bold yellow" if unsure else "bold green"
    console.print(shown(verdict_words(found), style))
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("criterion", overflow="fold")
    table.add_column("candidate", overflow="fold")
    for name in ("drop", "at least", "at most", "items"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("")
    for check in found.checks:
        colour = (
            "red" if found.fails(check) else "green" if check.status == "no worse" else "yellow"
        )
        ends = [number(value) for value in (check.drop, check.low, check.high)]
        names = shown(check.criterion), shown(check.candidate)
        table.add_row(*names, *ends, f"{check.n_items:,}", shown(check.status, colour))
    console.print(table)
    for check in found.checks:
        console.print(shown(check_words(check, found), longest=1000))
        plan = plan_words(check)
        if plan is not None:
            console.print(shown(f"  {plan}", "dim", longest=600))
        if check.missing.n:
            names_of = ", ".join(check.missing.examples)
            what = "are not complete there" if found.anytime else "have no score there, left out"
            text = f"{check.missing.n:,} items of the baseline {what} ({names_of})"
            console.print(shown(f"{check.candidate}: {text}", "yellow", longest=600))
    for note in dict.fromkeys(note for check in found.checks for note in check.notes):
        console.print(shown(f"note: {note}", "dim", longest=600))
    for note in found.notes:
        console.print(shown(f"note: {note}", "dim", longest=600))
    for warning in found.warnings:
        console.print(shown(f"warning: {warning}", "yellow", longest=1000))
    console.print(shown(f"In short: {conclusion(found)}.", style, longest=600))
