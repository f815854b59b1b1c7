"""``panopt compare``: which system is better on the items they share, and how sure that is."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
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
    from rich.console import RenderableType
    from rich.table import Table

    from panopt.records.comparison import Comparison, Missing, PairResult, Sources
    from panopt.stats.paired import Method

__all__ = ["compare", "criteria_of"]

Metric = Annotated[
    list[str] | None, typer.Option("--metric", help="The same as --criterion.", hidden=False)
]
Cluster = Annotated[
    str,
    typer.Option(
        help="Units that are independent: auto (named clusters, else items) | item | family.",
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

#: Rows of a terminal table.
MOST_ROWS = 30


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
        typer.Option(help="What intervals take for a sample: items | items+judges."),
    ] = "items",
    method: Annotated[
        str, typer.Option(help="Interval of a difference: t | bca | percentile.")
    ] = "t",
    cluster: Cluster = "auto",
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
    as_json: Json = False,
    strict: Strict = False,
) -> None:
    """Compare systems on the items they share: differences, their intervals, ranks."""
    from panopt.comparison import compare as compare_studies  # noqa: PLC0415 - a fast start
    from panopt.host import Host  # noqa: PLC0415
    from panopt.lineup import short_names  # noqa: PLC0415
    from panopt.records.ask import Ask, checked  # noqa: PLC0415

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
    studies = read_apart(logs, labels=labels, reading=reading, criterion=(), host=host)
    found = compare_studies(
        *studies,
        ask=ask,
        sources=cast("Sources", sources),
        method=cast("Method", method),
        cluster=cluster,
        passed=passed,
        names=short_names(logs),
        force=force,
        host=host,
    )
    if strict:
        for one in found:
            for warning in one.warnings:
                raise AskError(f"{warning} (an error under --strict)")
    if as_json:
        told = {"comparisons": [one.to_dict() for one in found]}
        sys.stdout.write(json.dumps(told, indent=2, allow_nan=False) + "\n")
        return
    _show(found)


def criteria_of(criterion: Sequence[str] | None, metric: Sequence[str] | None) -> tuple[str, ...]:
    """Join the two names of one option."""
    return tuple(dict.fromkeys([*(criterion or ()), *(metric or ())]))


def _show(found: Sequence[Comparison]) -> None:
    from rich.console import Console  # noqa: PLC0415 - a fast start
    from rich.panel import Panel  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    from panopt.cli.text import shown  # noqa: PLC0415

    console = Console()
    for one in found:
        title = Text.assemble("criterion ", shown(one.criterion, "bold"))
        level = f"intervals at {100 * one.level:.4g}%, {one.measure}"
        console.print(
            Panel(
                _body(one, narrow=console.width < 100),
                title=title,
                subtitle=level,
                title_align="left",
                subtitle_align="right",
            )
        )


def _body(one: Comparison, *, narrow: bool) -> RenderableType:
    from rich.console import Group  # noqa: PLC0415 - a fast start
    from rich.text import Text  # noqa: PLC0415

    from panopt.cli.text import shown  # noqa: PLC0415

    parts: list[RenderableType] = [
        Text.assemble(
            ("scores by ", "dim"), shown(one.aggregate, "bold"), shown(f": {one.why}", "dim")
        ),
        Text(),
        _standings(one),
        Text(),
        _pairs(one, narrow=narrow),
        Text(),
    ]
    many = len(one.pairs) > 1
    for pair in one.pairs[:MOST_ROWS]:
        parts += [shown(line, style, longest=600) for line, style in _told(pair, one, many=many)]
    if len(one.pairs) > MOST_ROWS:
        parts.append(Text(f"... {len(one.pairs) - MOST_ROWS} more pairs: see --json", "dim"))
    parts.append(Text())
    parts += [shown(f"intervals hold: {text}", "dim", longest=400) for text in one.holds]
    parts += [shown(f"they do not hold: {text}", "dim", longest=400) for text in one.holds_not]
    parts += [shown(f"note: {text}", "dim", longest=1000) for text in one.notes]
    if one.warnings:
        parts += [Text(), Text("may spoil a conclusion", "yellow bold")]
        parts += [shown(f"  {text}", "yellow", longest=1000) for text in one.warnings]
    return Group(*parts)


def _standings(one: Comparison) -> Table:
    from rich.table import Table  # noqa: PLC0415 - a fast start

    from panopt.cli.text import number, shown  # noqa: PLC0415

    ranked = any(standing.rank is not None for standing in one.standings)
    strong = any(standing.strength is not None for standing in one.standings)
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("system", overflow="fold")
    for name in ("items", "mean", *(["rank"] if ranked else []), *(["strength"] if strong else [])):
        table.add_column(name, justify="right", no_wrap=True)
    if any(standing.n_unscored for standing in one.standings):
        table.add_column("unscored", justify="right")
    order = sorted(one.standings, key=lambda each: -(each.mean.value or 0.0))
    for each in order[:MOST_ROWS]:
        cells = [f"{each.n_items:,}", _ends(each.mean.value, each.mean.low, each.mean.high)]
        if ranked:
            ends = each.rank_low is not None and each.rank_high is not None
            own = "-" if each.rank is None else f"{each.rank:g}"
            cells.append(f"{own} [{each.rank_low}, {each.rank_high}]" if ends else own)
        if strong:
            spread = (
                ""
                if each.strength_low is None
                else f" [{number(each.strength_low, 2)}, {number(each.strength_high, 2)}]"
            )
            cells.append(f"{number(each.strength, 2)}{spread}")
        if any(standing.n_unscored for standing in one.standings):
            cells.append(f"{each.n_unscored:,}")
        table.add_row(shown(each.name), *cells)
    return table


def _ends(value: float | None, low: float | None, high: float | None) -> str:
    from panopt.cli.text import number  # noqa: PLC0415 - a fast start

    if value is None or low is None or high is None:
        return number(value)
    return f"{number(value)} [{number(low)}, {number(high)}]"


def _pairs(one: Comparison, *, narrow: bool) -> Table:
    from rich.table import Table  # noqa: PLC0415 - a fast start

    from panopt.cli.text import shown  # noqa: PLC0415

    many = len(one.pairs) > 1
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("a - b", overflow="fold")
    names = ["difference", "p", *(["p Holm"] if many else [])]
    names += [] if narrow else [*(["p BH"] if many else []), "a wins"]
    for name in (*names, "items"):
        table.add_column(name, justify="right", no_wrap=True)
    for pair in one.pairs[:MOST_ROWS]:
        cells = [_ends(pair.value, pair.low, pair.high), _chance(pair.p)]
        if many:
            cells.append(_chance(pair.p_holm))
        if not narrow:
            cells += [_chance(pair.p_bh)] if many else []
            cells.append(_ends(pair.win_rate, pair.win_low, pair.win_high))
        style = None if pair.better(one.level) is None else "bold"
        table.add_row(shown(f"{pair.a} - {pair.b}"), *cells, f"{pair.n_items:,}", style=style)
    return table


def _chance(p: float | None) -> str:
    if p is None:
        return "-"
    return f"{p:.4f}" if p >= 0.0001 else f"{p:.1e}"


def _told(pair: PairResult, one: Comparison, *, many: bool) -> list[tuple[str, str]]:
    """Say in words what a pair shows, and what it lacks."""
    better = pair.better(one.level)
    about = f"{pair.a} - {pair.b}: " if many else ""
    lines: list[tuple[str, str]] = []
    if pair.value is None:
        lines.append((f"{about}no difference: {pair.reason}", "yellow"))
    elif better is not None:
        other = pair.b if better == pair.a else pair.a
        lines.append((f"{better} is better than {other}, by {abs(pair.value):.3f}", "green"))
    elif not many:
        lines.append(("no difference is shown: neither is ruled out to be better", "yellow"))
    if pair.value is not None and pair.low is None:
        lines.append((f"{about}no interval: {pair.reason}", "yellow"))
    lines += [(f"{about}{note}", "dim") for note in pair.notes]
    for name, missing in ((pair.a, pair.missing_a), (pair.b, pair.missing_b)):
        if missing.n:
            lines.append((f"{about}{_lacks(name, missing)}", "yellow"))
    if not many:
        lines.append((f"difference: {pair.method}; p: {pair.p_method}", "dim"))
    return lines


def _lacks(name: str, missing: Missing) -> str:
    parts = []
    if missing.absent:
        parts.append(f"lacks {missing.absent:,} items of the other")
    if missing.unscored:
        parts.append(f"has no score on {missing.unscored:,}")
    examples = ", ".join(missing.examples)
    return f"{name} {' and '.join(parts)} ({examples}{' ...' if missing.n > 3 else ''}): left out"
