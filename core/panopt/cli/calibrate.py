"""``panopt calibrate``: from labelled logs to a certificate for logs that have no labels yet."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from panopt.cli.given import costs_of
from panopt.cli.sources import (
    STATISTICS,
    Columns,
    Human,
    Json,
    Keys,
    Labels,
    Logs,
    LowMemory,
    OffScale,
    Scales,
    Scorers,
    Seed,
    Strict,
    Tier,
    read_logs,
    reading_of,
)
from panopt.errors import AskError, CertificateError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from panopt.records.certificate import Certificate

__all__ = ["calibrate"]


def calibrate(  # noqa: PLR0913 - one parameter an option
    logs: Logs,
    *,
    labels: Labels = None,
    criterion: Annotated[
        str | None, typer.Option(help="What to certify, where several criteria were judged.")
    ] = None,
    alpha: Annotated[
        float, typer.Option(help="Tolerated disagreement with humans among trusted responses.")
    ] = 0.1,
    delta: Annotated[
        float, typer.Option(help="Tolerated probability that the certificate fails.")
    ] = 0.1,
    threshold: Annotated[
        float, typer.Option(help="A response passes at this value on [0, 1] or above.")
    ] = 0.5,
    cascade: Annotated[
        str | None,
        typer.Option(
            metavar="JUDGE,JUDGE,..",
            help="Certify these judges asked in turn, cheap to strong, not the panel of all.",
        ),
    ] = None,
    cost: Annotated[
        list[str] | None,
        typer.Option(
            metavar="JUDGE=COST",
            help="Cascade: cost of a judge's answer to one response; 1 if not given.",
        ),
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(
            metavar="joint_path|per_stage",
            help="Cascade: test its risk as a whole (joint_path, the default), or judge by judge.",
            rich_help_panel=STATISTICS,
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="File for the certificate.")] = Path("certificate.json"),
    overwrite: Annotated[bool, typer.Option(help="Replace a file with other content.")] = False,
    date: Annotated[
        str | None,
        typer.Option(help="Day these were judged, YYYY-MM-DD, where the logs do not tell."),
    ] = None,
    aggregate: Annotated[
        str,
        typer.Option(help="Plain rule that pools the votes, or auto.", rich_help_panel=STATISTICS),
    ] = "auto",
    min_successful: Annotated[
        int, typer.Option(help="Decisive judges a response needs.", rich_help_panel=STATISTICS)
    ] = 1,
    seed: Seed = 0,
    column: Columns = None,
    scale: Scales = None,
    human: Human = None,
    scorers: Scorers = "auto",
    keys: Keys = "auto",
    off_scale: OffScale = "error",
    tier: Tier = "auto",
    low_memory: LowMemory = False,
    as_json: Json = False,
    strict: Strict = False,
) -> None:
    """Certify from labelled logs which verdicts to trust on unlabelled logs of the same judges."""
    from rich.console import Console  # noqa: PLC0415 - a fast start

    from panopt.certificates import certify, write_certificate  # noqa: PLC0415
    from panopt.cli.show import show_written  # noqa: PLC0415
    from panopt.host import Host  # noqa: PLC0415
    from panopt.records.ask import Ask, checked  # noqa: PLC0415

    if cascade is None and (cost or method is not None):
        raise AskError(f"--{'cost' if cost else 'method'} is of a cascade: give --cascade too")
    ask = checked(
        Ask,
        cascade=() if cascade is None else tuple(name.strip() for name in cascade.split(",")),
        costs=tuple(costs_of(cost or []).items()),
        cascade_method=method or "joint_path",
        criterion=() if criterion is None else (criterion,),
        aggregate=aggregate,
        alpha=alpha,
        delta=delta,
        threshold=threshold,
        min_successful=min_successful,
        seed=seed,
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
    host = Host()
    study = read_logs(logs, labels=labels, reading=reading, criterion=ask.criterion, host=host)
    warnings = [
        f"{source.location}: {text}" for source in study.sources for text in source.warnings
    ]
    made = certify(study, ask, date=date, host=host)
    warnings += made.warnings
    if strict and warnings:
        raise CertificateError(f"{warnings[0]} (an error under --strict)")
    written = write_certificate(made, out, overwrite=overwrite, study=study)
    if as_json:
        sys.stdout.write(made.to_json())
        show_written([written], Console(stderr=True))
        return
    console = Console()
    console.print(_shown(made, warnings))
    show_written([written], console)


def _shown(made: Certificate, warnings: list[str]) -> RenderableType:
    from rich.console import Group  # noqa: PLC0415 - a fast start
    from rich.text import Text  # noqa: PLC0415

    from panopt.cli.text import listed, plain, shown  # noqa: PLC0415

    scope = made.scope
    silent = [judge.name for judge in scope.judges if None in judge.prompts]
    share = f"({made.coverage:.0%} of the labelled responses)"
    lines = [
        Text.assemble(
            Text("certified: ", "bold"),
            f"trust verdicts of confidence {made.threshold:.4g} or more {share}"
            if not made.stages
            else f"trust the first judge that is sure enough {share}",
        ),
        *(shown(text, longest=1000) for text in _of_stages(made)),
        shown(
            f"promise: with probability {1 - made.delta:g}, at least {1 - made.alpha:g} "
            f"{made.promised} agree with the human label ({made.errors} of {made.n} labelled ones "
            f"did not, exact bound {made.bound:.3f})",
            "green",
            longest=1000,
        ),
        shown(
            f"for: criterion {plain(scope.criterion)} on {scope.scale}, {scope.aggregate} of "
            f"{listed(_names(made))}",
            longest=1000,
        ),
        shown(
            f"from: {made.n_labels} independent labels, {made.n_responses:,} responses, judged "
            f"{made.date or '(unknown; --date tells it)'}"
        ),
        shown(f"assumes: {made.assumption}", "dim", longest=1000),
    ]
    if silent:
        names = listed(silent)
        lines.append(
            shown(
                f"these logs do not tell the prompts of {names}: who applies the certificate must "
                "vouch for them with --same-prompts",
                "yellow",
                longest=1000,
            )
        )
    lines += [shown(f"may spoil it: {text}", "yellow") for text in warnings]
    return Group(*lines)


def _names(made: Certificate) -> list[str]:
    """Give the judges, those of a cascade in their order."""
    if made.stages:
        return [stage.judge for stage in made.stages]
    return [judge.name for judge in made.scope.judges]


def _of_stages(made: Certificate) -> list[str]:
    """Say of each judge of a cascade when it decides, and what a response costs."""
    from panopt.cli.text import listed  # noqa: PLC0415 - a fast start

    lines = []
    decided = sum(stage.n for stage in made.stages)
    for place, stage in enumerate(made.stages, start=1):
        told = f"  {place}. {listed([stage.judge])} ({listed([stage.source])})"
        if stage.threshold is None:
            lines.append(f"{told}: never decides, need not be asked")
        else:
            when = f"confidence {stage.threshold:.4g} or more"
            if stage.always:
                when = "whatever its confidence"
            lines.append(f"{told}: {when}; decides {stage.n / decided:.0%} of what is trusted")
    if made.expected_cost is not None:
        lines.append(f"  mean cost of a response: {made.expected_cost:.4g}")
    return lines
