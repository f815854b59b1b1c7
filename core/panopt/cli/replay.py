"""``panopt replay``: how often each way of trusting judges would have kept its promise."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from panopt.cli.figures import Plots, check_plots, save_plots
from panopt.cli.given import costs_of, refuse_idle
from panopt.cli.sources import (
    STATISTICS,
    Columns,
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
    read_logs,
    reading_of,
)
from panopt.errors import AskError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType
    from rich.table import Table

    from panopt.records.ask import Ask
    from panopt.replay import CriterionReplay
    from panopt.stats.replay import Measured, Replayed

__all__ = ["replay"]

#: Heading, in the help, of what goes with --policies.
POLICIES = "Policies"

#: Options of each of the two replays that mean nothing in the other.
OF_POLICIES = ("seeds", "epsilon", "at_least", "warm")
OF_PROMISES = ("splits", "alpha", "delta", "labels_per_split", "order", "aggregate")

#: How success is measured, in words, by the name of the field.
WAYS = {
    "known_population": "known population: labels drawn with replacement, risk known exactly",
    "held_out": "held-out part: the responses that were not drawn, with test noise",
}


def replay(  # noqa: PLR0913 - one parameter an option
    context: typer.Context,
    logs: Logs,
    *,
    labels: Labels = None,
    criterion: Annotated[
        list[str] | None, typer.Option(help="Replay this criterion only; repeat for more.")
    ] = None,
    splits: Annotated[int, typer.Option(help="Replays, of each way to measure success.")] = 1000,
    alpha: Annotated[
        float, typer.Option(help="Tolerated disagreement with humans among trusted responses.")
    ] = 0.1,
    delta: Annotated[
        float, typer.Option(help="Tolerated probability that a certificate fails.")
    ] = 0.1,
    labels_per_split: Annotated[
        int | None, typer.Option(help="Labels a replay calibrates on; half of them if not given.")
    ] = None,
    order: Annotated[
        str | None,
        typer.Option(metavar="JUDGE,JUDGE,..", help="Judges of the cascade, cheap to strong."),
    ] = None,
    cost: Annotated[
        list[str] | None,
        typer.Option(
            metavar="JUDGE=COST", help="Cost of a judge's answer to one response; 1 if not given."
        ),
    ] = None,
    threshold: Annotated[
        float, typer.Option(help="A response passes at this value on [0, 1] or above.")
    ] = 0.5,
    aggregate: Annotated[
        str,
        typer.Option(help="Plain rule that pools the votes, or auto.", rich_help_panel=STATISTICS),
    ] = "auto",
    policies: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,NAME,..",
            help="Replay instead ways of choosing judges: all, single, random, cheapest_first, "
            "escalate, thompson, voi.",
            rich_help_panel=POLICIES,
        ),
    ] = None,
    seeds: Annotated[
        int, typer.Option(help="Random orders of the responses.", rich_help_panel=POLICIES)
    ] = 20,
    epsilon: Annotated[
        float,
        typer.Option(
            help="A decision is settled below this chance of error.", rich_help_panel=POLICIES
        ),
    ] = 0.02,
    at_least: Annotated[
        int, typer.Option(help="Votes before a decision is settled.", rich_help_panel=POLICIES)
    ] = 1,
    warm: Annotated[
        int,
        typer.Option(help="Labelled responses to learn from first.", rich_help_panel=POLICIES),
    ] = 0,
    level: Level = 0.95,
    seed: Seed = 0,
    column: Columns = None,
    scale: Scales = None,
    human: Human = None,
    scorers: Scorers = "auto",
    keys: Keys = "auto",
    off_scale: OffScale = "error",
    tier: Tier = "auto",
    low_memory: LowMemory = False,
    plots: Plots = None,
    overwrite: Annotated[
        bool, typer.Option(help="Replace earlier figures that differ; never a source.")
    ] = False,
    as_json: Json = False,
    strict: Strict = False,
) -> None:
    """Replay on labelled logs how often each way of trusting judges keeps its promise."""
    from rich.console import Console  # noqa: PLC0415 - a fast start

    from panopt.host import Host  # noqa: PLC0415
    from panopt.records.ask import Ask, checked  # noqa: PLC0415

    ask = checked(
        Ask,
        criterion=tuple(criterion or ()),
        aggregate=aggregate,
        alpha=alpha,
        delta=delta,
        level=level,
        threshold=threshold,
        seed=seed,
    )
    if splits < 1:  # before anything is read
        raise AskError(f"--splits {splits} must be 1 or more")
    if policies is not None and plots is not None:
        raise AskError("--plots draws promises, not --policies: give one of the two")
    if policies is None:
        refuse_idle(context, OF_POLICIES, "is of ways of choosing judges: give --policies too")
    else:
        refuse_idle(context, OF_PROMISES, "is of promises, which --policies does not replay")
    check_plots(plots)
    costs = costs_of(cost or [])
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
    if policies is not None:
        from panopt.cli.policies import show_policies  # noqa: PLC0415

        show_policies(
            study,
            ask,
            policies=policies,
            costs=costs,
            seeds=seeds,
            epsilon=epsilon,
            at_least=at_least,
            warm=warm,
            as_json=as_json,
        )
        return
    from panopt.replay import replay_study  # noqa: PLC0415

    with Console(stderr=True).status(f"{splits:,} replays"):
        found = replay_study(
            study,
            ask,
            splits=splits,
            labels_per_split=labels_per_split,
            order=() if order is None else [name.strip() for name in order.split(",")],
            costs=costs,
            host=host,
        )
    if as_json:
        sys.stdout.write(json.dumps(_as_dict(found, ask, splits), indent=2, allow_nan=False) + "\n")
    else:
        console = Console()
        for number, one in enumerate(found):
            if number:
                console.print()
            console.print(_shown(one, ask, splits))
    if plots is not None:
        from panopt.plots.drawing import draw_replays  # noqa: PLC0415

        console = Console(stderr=as_json)
        save_plots(draw_replays(found, ask), plots, study, overwrite=overwrite, console=console)


def _as_dict(found: Sequence[CriterionReplay], ask: Ask, splits: int) -> dict[str, object]:
    return {
        "alpha": ask.alpha,
        "delta": ask.delta,
        "splits": splits,
        "seed": ask.seed,
        "level": ask.level,
        "threshold": ask.threshold,
        "criteria": [_criterion(one) for one in found],
    }


def _criterion(found: CriterionReplay) -> dict[str, object]:
    return {
        "criterion": found.criterion,
        "scale": found.scale,
        "aggregate": found.aggregate,
        "n_labelled": found.n_labelled,
        "n_clusters": found.n_clusters,
        "labels_per_split": found.labels_per_split,
        "reference_cost": found.reference_cost,
        "judges": [
            {
                "judge": one.judge,
                "confidence": one.source,
                "reason": one.reason,
                "cost": one.cost,
                "human_agreement": one.agreement,
                "n": one.n,
            }
            for one in found.judges
        ],
        "order": list(found.order),
        "notes": list(found.notes),
        "methods": [
            {
                "method": one.method,
                "guaranteed": one.guaranteed,
                "judges": _deciders(one, found),
                **{way: _measure(getattr(one, way), one, found) for way in WAYS},
            }
            for one in found.methods
        ],
    }


def _measure(
    seen: Measured | None, method: Replayed, found: CriterionReplay
) -> dict[str, object] | None:
    if seen is None:
        return None
    names = _deciders(method, found) or ["panel"]
    shares = seen.composition
    return {
        "success": seen.success,
        "success_low": seen.success_low,
        "success_high": seen.success_high,
        "n_success": seen.n_success,
        "n_splits": seen.n_splits,
        "coverage": seen.coverage,
        "coverage_range": list(seen.coverage_range),
        "agreement": seen.agreement,
        "agreement_range": None if seen.agreement_range is None else list(seen.agreement_range),
        "composition": None if shares is None else dict(zip(names, shares, strict=True)),
        "cost": seen.cost,
        "relative_cost": _relative(seen, found),
        "nothing_accepted": seen.nothing,
    }


def _deciders(method: Replayed, found: CriterionReplay) -> list[str] | None:
    """Name the judges that may decide; None: the panel does."""
    return None if method.judges is None else [found.order[m] for m in method.judges]


def _relative(seen: Measured, found: CriterionReplay) -> float | None:
    return seen.cost / found.reference_cost if found.reference_cost > 0.0 else None


def _shown(found: CriterionReplay, ask: Ask, splits: int) -> RenderableType:
    from rich.console import Group  # noqa: PLC0415 - a fast start
    from rich.text import Text  # noqa: PLC0415

    from panopt.cli.text import listed, shown  # noqa: PLC0415

    parts: list[RenderableType] = [
        shown(
            f"criterion {listed([found.criterion])}: {splits:,} replays, each calibrated on "
            f"{found.labels_per_split:,} of {found.n_clusters:,} independent labels",
            "bold",
        ),
        shown(
            f"success: at most {ask.alpha:g} of what was accepted disagrees with the human label; "
            f"methods marked * promise it in {1 - ask.delta:.4g} of replays; accepting nothing is "
            "a success that costs nothing",
            longest=1000,
        ),
    ]
    whole = "the panel"
    if found.order:
        whole = f"{listed([found.order[-1]])} on every response"
        sources = {one.judge: one.source for one in found.judges}
        chain = ", ".join(
            f"{listed([name])} ({listed([sources[name] or ''])})" for name in found.order
        )
        parts.append(shown(f"cascade, cheap to strong: {chain}", longest=1000))
    costs = f"cost: relative to asking {whole}" if found.reference_cost > 0 else "cost: none given"
    parts.append(
        shown(f"panel: {found.aggregate} of {len(found.judges)} judges; {costs}", longest=1000)
    )
    for way, words in WAYS.items():
        if getattr(found.methods[0], way) is not None:
            parts += [Text(), Text(words, "bold"), _table(found, way, 1.0 - ask.delta)]
    if found.notes:
        parts += [Text(), *(shown(f"note: {note}", "dim", longest=1000) for note in found.notes)]
    return Group(*parts)


def _table(found: CriterionReplay, way: str, promised: float) -> Table:
    from rich.table import Table  # noqa: PLC0415 - a fast start
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("percent")
    for name in ("composition", "coverage", "success", "agreement", "cost"):
        table.add_column(name, justify="right", no_wrap=name == "success")
    for one in found.methods:
        seen: Measured = getattr(one, way)
        shares, cost = seen.composition, _relative(seen, found)
        if shares is None:
            made = "-"
        elif one.judges is None:
            made = "panel"
        else:  # a judge that the method does not ask decides nothing
            by = dict(zip(one.judges, shares, strict=True))
            made = "/".join(f"{100 * by.get(m, 0.0):.0f}" for m in range(len(found.order)))
        ends = f" [{100 * seen.success_low:.1f}, {100 * seen.success_high:.1f}]"
        style = "red" if seen.success_high < promised else "green" if one.guaranteed else ""
        table.add_row(
            f"{one.method} *" if one.guaranteed else one.method,
            made,
            f"{100 * seen.coverage:.1f}",
            Text.assemble((f"{100 * seen.success:.1f}", style), (ends, "dim")),
            "-" if seen.agreement is None else f"{100 * seen.agreement:.1f}",
            "-" if cost is None else f"{cost:.2f}",
        )
    return table
