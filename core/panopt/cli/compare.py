"""``panopt compare``: which system is better on the items they share, and how sure that is."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from panopt.cli.sources import (
    READ,
    STATISTICS,
    Columns,
    Criteria,
    Human,
    Json,
    Keys,
    Labels,
    Level,
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
from panopt.errors import AskError

if TYPE_CHECKING:
    from panopt.records.comparison import Sources
    from panopt.stats.paired import Method

__all__ = ["cluster_of", "compare", "criteria_of"]

Metric = Annotated[
    list[str] | None, typer.Option("--metric", help="The same as --criterion.", hidden=False)
]
Cluster = Annotated[
    str,
    typer.Option(
        help="Units that are independent: auto (named clusters, else items) | item | family | "
        "a field of samples' metadata, a test variable or a column.",
        rich_help_panel=STATISTICS,
    ),
]
Passed = Annotated[bool, typer.Option("--passed", help="Compare pass rates, not mean scores.")]
Threshold = Annotated[
    float, typer.Option(help="A response passes at this value on [0, 1] or above.")
]
Aggregate = Annotated[
    str, typer.Option(help="Aggregation method, or auto.", rich_help_panel=STATISTICS)
]
MinSuccessful = Annotated[
    int, typer.Option(help="Decisive judges a response needs.", rich_help_panel=STATISTICS)
]
Force = Annotated[
    bool,
    typer.Option("--force", help="Go on though tasks or criteria differ.", rich_help_panel=READ),
]


def compare(  # noqa: PLR0913 - one parameter an option
    logs: Annotated[
        list[str],
        typer.Argument(
            metavar="A [B ...]",
            help="A log (or folder, or glob) a side; or one that holds several systems.",
        ),
    ],
    *,
    criterion: Criteria = None,
    metric: Metric = None,
    passed: Passed = False,
    threshold: Threshold = 0.5,
    sources: Annotated[
        str,
        typer.Option(
            help="What intervals take for a sample: items | items+judges (and their repeats)."
        ),
    ] = "items",
    method: Annotated[
        str, typer.Option(help="Interval of a difference: t | bca | percentile.")
    ] = "t",
    cluster: Cluster = "auto",
    reference: Annotated[
        Path | None,
        typer.Option(help="Table of systems and their score or rank, to hold the order against."),
    ] = None,
    level: Level = 0.95,
    aggregate: Aggregate = "auto",
    min_successful: MinSuccessful = 1,
    n_boot: Annotated[
        int, typer.Option("--bootstrap", help="Bootstrap draws.", rich_help_panel=STATISTICS)
    ] = 9999,
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
    every: Annotated[
        bool, typer.Option("--all", help="Show every system and pair, however many, and strengths.")
    ] = False,
    as_json: Json = False,
    strict: Strict = False,
) -> None:
    """Compare systems on the items they share: differences, their intervals, ranks."""
    from panopt.cli.compared import show_comparisons  # noqa: PLC0415 - a fast start
    from panopt.cli.reference import read_reference  # noqa: PLC0415
    from panopt.comparison import compare as compare_studies  # noqa: PLC0415
    from panopt.host import Host  # noqa: PLC0415
    from panopt.lineup import short_names  # noqa: PLC0415
    from panopt.records.ask import Ask, checked  # noqa: PLC0415
    from panopt.records.comparison_text import conclusion  # noqa: PLC0415

    ask = checked(
        Ask,
        criterion=criteria_of(criterion, metric),
        aggregate=aggregate,
        level=level,
        threshold=threshold,
        min_successful=min_successful,
        seed=seed,
        n_boot=n_boot,
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
    order = None if reference is None else read_reference(reference)
    studies = read_apart(logs, labels=labels, reading=reading, criterion=(), host=host)
    found = compare_studies(
        *studies,
        ask=ask,
        sources=cast("Sources", sources),
        method=cast("Method", method),
        cluster=cluster,
        passed=passed,
        names=short_names(logs),
        reference=order,
        force=force,
        host=host,
    )
    if strict:
        for one in found:
            for warning in one.warnings:
                raise AskError(f"{warning} (an error under --strict)")
    if as_json:
        told = {"comparisons": [{**one.to_dict(), "conclusion": conclusion(one)} for one in found]}
        sys.stdout.write(json.dumps(told, indent=2, allow_nan=False) + "\n")
        return
    show_comparisons(found, every=every)


def cluster_of(text: str) -> tuple[str, str]:
    """Tell a cluster's name, which reading looks for, from a way of clustering."""
    return ("", text) if text in {"auto", "item", "family"} else (text, "auto")


def criteria_of(criterion: Sequence[str] | None, metric: Sequence[str] | None) -> tuple[str, ...]:
    """Join the two names of one option."""
    return tuple(dict.fromkeys([*(criterion or ()), *(metric or ())]))
