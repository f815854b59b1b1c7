"""Show a report on a terminal: systems, judges, panel, decisions, and what may spoil them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from panopt.cli.advice import next_steps
from panopt.cli.glossary import SECTIONS, meaning, section
from panopt.cli.text import interval, plain, shown
from panopt.findings import Finding
from panopt.records.decisions import DECISIONS
from panopt.records.judgment import STATUSES
from panopt.records.report import CriterionReport, Report
from panopt.writing import Written

__all__ = ["show_report", "show_written"]

DECISION_STYLES = dict(zip(DECISIONS, ("green", "yellow", "magenta", "cyan"), strict=True))
#: A promise is shown whole, with what it rests on.
LONGEST_PROMISE = 2000
#: Most judges, or systems, a terminal table lists.
MOST_ROWS = 40


def show_report(report: Report, console: Console | None = None) -> None:
    """Print the whole report; ids, names and messages are shown as plain text."""
    out = console or Console()
    out.print(_sources(report))
    for part in report.criteria:
        out.print(_criterion(part, report))
    if report.warnings:
        out.print(_sentences("may spoil a conclusion", report.warnings, "yellow"))


def show_written(written: Iterable[Written], console: Console | None = None) -> None:
    """Print what was written where."""
    out = console or Console()
    for file in written:
        if file.target is None:
            out.print(shown(f"no annotated copy of {file.source}: its format takes none", "dim"))
        else:
            out.print(Text(f"{file.state:<9} "), shown(file.target, "bold"), sep="")


def _sources(report: Report) -> RenderableType:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in (
        "source",
        "format",
        "planned",
        "scored",
        "unscored",
        "declined",
        "errored",
        "invalid",
    ):
        name = column in ("source", "format")
        table.add_column(
            column, justify="left" if name else "right", overflow="fold", no_wrap=not name
        )
    for source in report.study.sources[:MOST_ROWS]:
        c = source.counts
        counts = (c.planned, c.scored, c.unscored, c.declined, c.errored, c.invalidated)
        cells = ["-" if count is None else f"{count:,}" for count in counts]
        table.add_row(shown(source.location), shown(source.format), *cells)
    more = len(report.study.sources) - MOST_ROWS
    notes = [f"{s.location}: {note}" for s in report.study.sources for note in s.notes]
    notes += report.notes
    parts: list[RenderableType] = [Text(f"{len(report.study):,} judgments", style="bold"), table]
    if more > 0:
        parts.append(Text(f"... and {more} more sources", style="dim"))
    if notes:
        parts.append(_sentences("read as", notes, "dim"))
    return Group(*parts)


def _criterion(part: CriterionReport, report: Report) -> RenderableType:
    matrix, consensus = part.matrix, part.consensus
    head = Text.assemble(
        f"{matrix.n_responses:,} responses, {matrix.n_judges} judges on {matrix.scale}, "
        f"{matrix.n_labelled:,} with human labels\n",
        ("aggregated by ", "dim"),
        shown(consensus.method, "bold"),
        (": ", "dim"),
        shown(consensus.why, "dim"),
    )
    body: list[RenderableType] = [head, Text(), _systems(part), Text(), _judges(part), Text()]
    body += [_panel_numbers(part), *_decisions(part)]
    if part.findings.notes:
        body.append(_sentences("note", part.findings.notes, ""))
    steps = next_steps(part, report.ask)
    if steps:
        body += [Text(), _sentences("next", steps, "cyan")]
    title = Text.assemble(Text("criterion "), shown(part.criterion, "bold"))
    level = f"intervals at {report.ask.level:.0%}, scores on [0, 1]"
    return Panel(
        Group(*body), title=title, subtitle=level, title_align="left", subtitle_align="right"
    )


def _systems(part: CriterionReport) -> Table:
    table = _table("system", "responses", "mean", "pass rate", *DECISIONS)
    matrix, decisions = part.matrix, part.decisions
    for code, name in enumerate(matrix.names["system"][:MOST_ROWS]):
        mine = matrix.systems == code
        if not mine.any():
            continue
        tally = ["-"] * len(DECISIONS)
        if decisions is not None:
            counts = np.bincount(decisions.decision[mine], minlength=len(DECISIONS))
            tally = [f"{count:,}" for count in counts]
        cells = [
            Text(text, style=DECISION_STYLES[decision])
            for text, decision in zip(tally, DECISIONS, strict=True)
        ]
        table.add_row(
            shown(name or "(unnamed)"),
            f"{int(mine.sum()):,}",
            interval(_first(part, "mean", name)),
            interval(_first(part, "pass_rate", name)),
            *cells,
        )
    return table


def _judges(part: CriterionReport) -> RenderableType:
    matrix, votes = part.matrix, part.matrix.votes
    anchors = {str(row.details.get("anchor")) for row in part.findings.named("bias")}
    anchor = anchors.pop() if len(anchors) == 1 else part.consensus.anchor
    table = _table("judge", "ok", *STATUSES[1:], f"bias vs {anchor}", "noise sd")
    reasons: dict[str, None] = {}
    for code, name in enumerate(matrix.judges[:MOST_ROWS]):
        counts = np.bincount(votes.status[votes.judge == code], minlength=len(STATUSES))
        quality = [_first(part, finding, name) for finding in ("bias", "noise_sd")]
        reasons |= {row.reason: None for row in quality if row is not None and row.reason}
        table.add_row(
            shown(name),
            *(f"{count:,}" for count in counts),
            *("-" if row is None or row.value is None else interval(row) for row in quality),
        )
    lines = [shown(f"no bias or noise: {reason}", "dim") for reason in reasons]
    return Group(table, *lines)


def _panel_numbers(part: CriterionReport) -> Table:
    rows = [row for row in part.findings if row.subject_kind == "panel" and row.headline]
    table = _table("the panel", "", "n", "what it says")
    for column in (2, 3):
        table.columns[column].justify = ("right", "left")[column == 3]
    table.columns[1].justify = "left"
    for name in SECTIONS:
        mine = [row for row in rows if section(row) == name]
        if mine:
            table.add_row(Text(name, style="italic"))
        for row in mine:
            words = shown(f"  {row.name.replace('_', ' ')}")
            table.add_row(words, interval(row), f"{row.n:,}", shown(meaning(row), "dim"))
    return table


def _decisions(part: CriterionReport) -> list[RenderableType]:
    decisions = part.decisions
    if decisions is None:
        return []
    line = Text("decisions: ")
    for name, count in decisions.counts().items():
        line.append(f"{count:,} {name}  ", style=DECISION_STYLES[name])
    promise = (
        shown(f"guarantee: {decisions.guarantee}", "green", longest=LONGEST_PROMISE)
        if decisions.guarantee is not None
        else shown(f"no guarantee: {decisions.no_guarantee}", "yellow", longest=LONGEST_PROMISE)
    )
    return [Text(), line, promise]


def _sentences(title: str, sentences: Iterable[str], style: str) -> Group:
    lines = [Text.assemble(Text(f"{title}: ", style="bold"), shown(s, style)) for s in sentences]
    return Group(*lines)


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for i, column in enumerate(columns):
        count = column in {*DECISIONS, *STATUSES}  # short numbers are never cut
        table.add_column(
            plain(column),
            justify="left" if i == 0 else "right",
            overflow="fold",
            no_wrap=count,
            min_width=len(column) if count else None,
        )
    return table


def _first(part: CriterionReport, name: str, subject: str) -> Finding | None:
    found = part.findings.named(name, subject=subject)
    return found[0] if found else None
