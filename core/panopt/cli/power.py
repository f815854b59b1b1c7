"""``panopt power``: how many items, judges and repeats a wanted precision takes."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, TypedDict

import numpy as np
import typer

from panopt.cli.given import typed
from panopt.cli.sources import (
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
    read_apart,
    read_logs,
    reading_of,
)
from panopt.errors import AskError

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from panopt.plugins.variance import (
        Component,
        DecisionStudy,
        Design,
        VarianceComponents,
    )

__all__ = ["power"]

#: Heading, in the help, of what goes with --cost.
COST = "Cost"

#: Most designs a terminal table lists.
MOST_DESIGNS = 8


_PLANS = ("--design", "--effect")

#: The questions that each option goes with, by the name of its parameter.
ANSWERS = {
    "wanted": ("--effect",),
    "alpha": ("--effect",),
    "se": ("--design",),
    **dict.fromkeys(("items", "epochs", "repeats", "price", "policies", "epsilon"), ("--cost",)),
    **dict.fromkeys(("cost_call", "cost_item", "max_judges", "max_repeats"), _PLANS),
    "level": ("--design", "--cost", "--labels-for"),
}


@dataclass(frozen=True, slots=True)
class Planned:
    """What one criterion's pilot says of the designs to come; `reason` where it says nothing."""

    criterion: str
    components: VarianceComponents | None
    study: DecisionStudy | None
    reason: str | None = None


class _Wish(TypedDict):
    """Options of `decision_study` besides the wanted standard error."""

    cost_call: float
    cost_item: float
    max_judges: int
    max_repeats: int


def power(  # noqa: C901, PLR0913 - one parameter an option, one branch a question
    context: typer.Context,
    logs: Logs,
    *,
    design: Annotated[
        bool,
        typer.Option("--design", help="Find the cheapest design that reaches --se."),
    ] = False,
    cost: Annotated[
        bool,
        typer.Option("--cost", help="Say which calls, tokens and money an evaluation takes."),
    ] = False,
    effect: Annotated[
        float | None,
        typer.Option(
            help="Say what showing this difference between two systems takes; a log a system."
        ),
    ] = None,
    labels_for: Annotated[
        float | None,
        typer.Option(
            metavar="WIDTH",
            help="Say how many --labels bring the interval of a mean to +- this.",
        ),
    ] = None,
    wanted: Annotated[
        float, typer.Option("--power", help="--effect: probability of showing it.")
    ] = 0.8,
    alpha: Annotated[float, typer.Option(help="--effect: level of the test.")] = 0.05,
    items: Annotated[
        int | None,
        typer.Option(help="Items to be judged; as in the logs if not given.", rich_help_panel=COST),
    ] = None,
    epochs: Annotated[int, typer.Option(help="Epochs of each item.", rich_help_panel=COST)] = 1,
    repeats: Annotated[
        int | None,
        typer.Option(
            help="Calls of a judge about a response; as in the logs if not given.",
            rich_help_panel=COST,
        ),
    ] = None,
    price: Annotated[
        list[str] | None,
        typer.Option(
            metavar="JUDGE=USD", help="Price of a call, instead of the logs'.", rich_help_panel=COST
        ),
    ] = None,
    policies: Annotated[
        str,
        typer.Option(
            metavar="NAME,NAME,..",
            help="Ways of choosing judges, as in panopt replay --policies.",
            rich_help_panel=COST,
        ),
    ] = "all",
    epsilon: Annotated[
        float,
        typer.Option(help="Chance of error below which they stop.", rich_help_panel=COST),
    ] = 0.02,
    se: Annotated[
        float | None,
        typer.Option(help="Wanted standard error of a system's mean, scores on [0, 1]."),
    ] = None,
    cost_call: Annotated[float, typer.Option(help="Cost of one judge call.")] = 1.0,
    cost_item: Annotated[
        float, typer.Option(help="Cost of one item, whatever the number of judges.")
    ] = 0.0,
    max_judges: Annotated[int, typer.Option(help="Most judges of a design.")] = 10,
    max_repeats: Annotated[int, typer.Option(help="Most repeats of a judge on an item.")] = 5,
    criterion: Criteria = None,
    level: Level = 0.95,
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
    as_json: Json = False,
    strict: Strict = False,
) -> None:
    """Plan the next evaluation from judged logs: items, judges, repeats, calls, tokens, money."""
    if design + cost + (effect is not None) + (labels_for is not None) != 1:
        raise AskError(
            "panopt power answers one question at a time: give --design, --cost, --effect or "
            "--labels-for"
        )
    questions = {"--design": design, "--cost": cost, "--effect": effect is not None}
    _refuse_others(
        context, next((name for name, given in questions.items() if given), "--labels-for")
    )
    if design and se is None:
        raise AskError("--design needs --se, the standard error that is wanted")
    from panopt.host import Host  # noqa: PLC0415 - the command line starts fast
    from panopt.plugins.variance import (  # noqa: PLC0415
        check_wish,
        decision_study,
        matrix_components,
    )
    from panopt.records.ask import Ask, checked  # noqa: PLC0415

    ask = checked(Ask, criterion=tuple(criterion or ()), level=level, seed=seed)
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
    if effect is not None:
        from panopt.cli.effect import show_effect  # noqa: PLC0415
        from panopt.effect import plan_effect  # noqa: PLC0415
        from panopt.lineup import short_names  # noqa: PLC0415

        host = Host()
        show_effect(
            plan_effect(
                read_apart(logs, labels=labels, reading=reading, criterion=(), host=host),
                effect=effect,
                ask=ask,
                alpha=alpha,
                power=wanted,
                cost_call=cost_call,
                cost_item=cost_item,
                max_judges=max_judges,
                max_repeats=max_repeats,
                names=short_names(logs),
                host=host,
            ),
            effect=effect,
            alpha=alpha,
            power=wanted,
            as_json=as_json,
        )
        return
    if labels_for is not None:
        from panopt.cli.labels_for import show_labels_for  # noqa: PLC0415
        from panopt.label_plan import plan_labels  # noqa: PLC0415

        host = Host()
        study = read_logs(logs, labels=labels, reading=reading, criterion=ask.criterion, host=host)
        show_labels_for(
            plan_labels(study, half_width=labels_for, ask=ask, host=host),
            half_width=labels_for,
            level=level,
            as_json=as_json,
        )
        return
    if cost or se is None:
        from panopt.cli.spending import prices_of, show_spending  # noqa: PLC0415

        prices = prices_of(price or [])
        show_spending(
            read_logs(logs, labels=labels, reading=reading, criterion=ask.criterion, host=Host()),
            criterion=ask.criterion,
            items=items,
            epochs=epochs,
            repeats=repeats,
            prices=prices,
            policies=policies,
            epsilon=epsilon,
            level=level,
            as_json=as_json,
        )
        return
    wish = _Wish(
        cost_call=cost_call,
        cost_item=cost_item,
        max_judges=max_judges,
        max_repeats=max_repeats,
    )
    try:
        check_wish(se, **wish)
    except ValueError as error:
        raise AskError(str(error)) from error
    study = read_logs(logs, labels=labels, reading=reading, criterion=ask.criterion, host=Host())
    planned = []
    for name in dict.fromkeys(ask.criterion or study.criteria):
        matrix = study.matrix(name)
        if not matrix.n_judges:
            raise AskError(f"criterion {name!r} has human labels but no judge; read a log too")
        found = matrix_components(matrix, level=level, rng=np.random.default_rng(seed))
        if isinstance(found, str):
            planned.append(Planned(name, None, None, found))
            continue
        answer = decision_study(found, se=se, **wish)
        planned.append(Planned(name, found, answer))
    if as_json:
        told = {
            "wanted_se": se,
            "cost_call": cost_call,
            "cost_item": cost_item,
            "criteria": [_as_dict(one) for one in planned],
        }
        sys.stdout.write(json.dumps(told, indent=2, allow_nan=False) + "\n")
    else:
        _show(planned, se)


def _refuse_others(context: typer.Context, asked: str) -> None:
    """Refuse an option of another question, which would change nothing."""
    for name in typed(context, *ANSWERS):
        if asked not in ANSWERS[name]:
            option = "--power" if name == "wanted" else f"--{name.replace('_', '-')}"
            where = " and ".join(ANSWERS[name])
            raise AskError(f"{option} changes nothing with {asked}: it goes with {where}")


def _as_dict(one: Planned) -> Mapping[str, object]:
    if one.components is None or one.study is None:
        return {"criterion": one.criterion, "reason": one.reason}
    parts, study = one.components, one.study
    names = ("item", "judge", "item_judge", "repeat", "noise_share")
    return {
        "criterion": one.criterion,
        "level": parts.level,
        "components": {name: asdict(getattr(parts, name)) for name in names},
        "notes": parts.notes,
        "pilot": _design(study.pilot),
        "judges_like_these": {
            "cheapest": None if study.cheapest is None else _design(study.cheapest),
            "reason": study.reason,
            "designs": [_design(found) for found in study.designs],
        },
        "these_judges": {
            "cheapest": None if study.cheapest_fixed is None else _design(study.cheapest_fixed),
            "reason": study.reason_fixed,
            "designs": [_design(found) for found in study.designs_fixed],
        },
    }


def _design(found: Design) -> dict[str, object]:
    return {**asdict(found), "calls": found.calls}


def _show(planned: list[Planned], se: float) -> None:
    from rich.console import Console, Group  # noqa: PLC0415 - a fast start
    from rich.panel import Panel  # noqa: PLC0415

    from panopt.cli.text import shown  # noqa: PLC0415

    out = Console()
    for one in planned:
        body: RenderableType = shown(f"no design: {one.reason}", "yellow")
        if one.components is not None and one.study is not None:
            body = Group(*_body(one.components, one.study))
        title = shown(f"criterion {one.criterion}: standard error {se:g} of a system's mean")
        out.print(Panel(body, title=title, title_align="left"))


def _body(parts: VarianceComponents, study: DecisionStudy) -> list[RenderableType]:
    from rich.table import Table  # noqa: PLC0415 - a fast start
    from rich.text import Text  # noqa: PLC0415

    from panopt.cli.text import shown  # noqa: PLC0415

    grid = Table.grid(padding=(0, 2))
    for words, part in (
        ("between responses", parts.item),
        ("between judges", parts.judge),
        ("judge by response", parts.item_judge),
        ("repeats of a judge", parts.repeat),
    ):
        grid.add_row(Text(words), _spread(part))
    share = parts.noise_share.value
    body: list[RenderableType] = [
        Text("standard deviations of a score", style="bold"),
        grid,
    ]
    if share is not None:
        body.append(Text(f"judge noise is {share:.0%} of a single score's variance"))
    reasons = {parts.item_judge.reason, parts.repeat.reason}  # shown in the table
    body += [shown(f"note: {note}", "dim") for note in parts.notes if note not in reasons]
    body += [
        Text(),
        Text("the logs as they are", style="bold"),
        Text(_pilot(study.pilot)),
    ]
    body += [Text(), Text("for judges like these: another panel", style="bold")]
    if study.designs:
        body.append(_table(study.designs, fixed=False))
    else:
        body.append(shown(f"no design: {study.reason}", "yellow"))
    of_these = "for these judges, or some of them: how kind or harsh they are stays in the mean"
    body += [Text(), Text(of_these, style="bold")]
    if study.designs_fixed:
        body.append(_table(study.designs_fixed, fixed=True))
    else:
        body.append(shown(f"no design: {study.reason_fixed}", "yellow"))
    body += [
        Text(),
        Text("items and costs are per system; an error all judges share is not in se"),
    ]
    return body


def _pilot(found: Design) -> str:
    times = "1 repeat" if found.repeats == 1 else f"{found.repeats:,} repeats"
    return (
        f"{found.items:,} items x {found.judges:,} judges x {times}: se "
        f"{_error(found.se)} for judges like these, {_error(found.se_fixed)} for these judges"
    )


def _table(designs: tuple[Design, ...], *, fixed: bool) -> Table:
    from rich.table import Table  # noqa: PLC0415 - a fast start
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("items", "judges", "repeats", "calls", "cost", "se"):
        table.add_column(name, justify="right", no_wrap=name != "se")
    table.add_column("")
    for found in designs[:MOST_DESIGNS]:
        best = found is designs[0]
        table.add_row(
            f"{found.items:,}",
            f"{found.judges:,}",
            f"{found.repeats:,}",
            f"{found.calls:,}",
            f"{found.cost:,.6g}",
            Text(_error(found.se_fixed if fixed else found.se)),
            "cheapest" if best else "",
            style="bold green" if best else None,
        )
    more = len(designs) - MOST_DESIGNS
    if more > 0:
        table.add_row("...", "", "", "", f"{more} more", "", "")
    return table


def _error(part: Component) -> str:
    """Write a standard error and its interval, to three digits that count."""
    if part.value is None:
        return "unknown"
    ends = "" if part.low is None or part.high is None else f" [{part.low:.3g}, {part.high:.3g}]"
    return f"{part.value:.3g}{ends}"


def _spread(part: Component) -> RenderableType:
    from rich.text import Text  # noqa: PLC0415 - a fast start

    from panopt.cli.text import shown  # noqa: PLC0415

    if part.value is None:
        return shown(f"- ({part.reason})", "dim")
    text = Text(f"{part.value**0.5:.3f}")
    if part.low is not None and part.high is not None:
        text.append(f" [{part.low**0.5:.3f}, {part.high**0.5:.3f}]", "dim")
    return text
