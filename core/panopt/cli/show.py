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
from panopt.records.ask import Ask
from panopt.records.decisions import DECISIONS
from panopt.records.judgment import STATUSES
from panopt.records.report import CriterionReport, Report
from panopt.writing import Written

__all__ = ["show_report", "show_written"]

DECISION_STYLES = dict(zip(DECISIONS, ("green", "yellow", "magenta", "cyan"), strict=True))
#: Headings of a source's counts; one that is 0 everywhere is shown only if it is named below.
COUNTS = {
    "planned": "planned",
    "scored": "scored",
    "unscored": "unscored",
    "declined": "declined",
    "errored": "errored",
    "invalidated": "invalid",
}
ALWAYS = ("planned", "scored")
#: A promise is shown whole, with what it rests on.
LONGEST_PROMISE = 2000
#: A longer note or warning is cut.
LONGEST_NOTE = 700
#: Most judges, systems, sources or criteria a terminal lists.
MOST_ROWS = 40
#: A narrower terminal gets numbers of two digits.
NARROW = 100
#: Kinds of decisions that a narrow table of systems has room for.
MOST_KINDS = 2


def show_report(report: Report, console: Console | None = None) -> None:
    """Print the whole report; ids, names and messages are shown as plain text."""
    out = console or Console()
    digits = 2 if out.width < NARROW else 3
    out.print(_sources(report))
    for part in report.criteria[:MOST_ROWS]:
        out.print(_criterion(part, report, digits))
    left = len(report.criteria) - MOST_ROWS
    if left > 0:
        what = "criterion" if left == 1 else "criteria"
        how = "see --json, or name those to show with --criterion"
        out.print(Text(f"... and {left:,} more {what}: {how}", style="dim"))
    alone = report.criteria[0].criterion if len(report.criteria) == 1 else None
    warnings = [_without(alone, text) for text in report.headline_warnings]
    if warnings:
        out.print(_sentences("may spoil a conclusion", warnings, "yellow"))
    more = len(report.warnings) - len(warnings)
    if more > 0:
        which = "1 warning is" if more == 1 else f"{more:,} warnings are"
        out.print(Text(f"{which} about numbers not shown here: see --json", style="dim"))


def show_written(written: Iterable[Written], console: Console | None = None) -> None:
    """Print what was written where."""
    out = console or Console()
    for file in written:
        if file.target is None:
            out.print(shown(f"no annotated copy of {file.source}: its format takes none", "dim"))
        else:
            out.print(Text(f"{file.state:<9} "), shown(file.target, "bold"), sep="")


def _sources(report: Report) -> RenderableType:
    sources = report.study.sources[:MOST_ROWS]
    columns = {field: [getattr(source.counts, field) for source in sources] for field in COUNTS}
    columns = {field: counts for field, counts in columns.items() if field in ALWAYS or any(counts)}
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("source", overflow="fold")
    table.add_column("format")
    for field in columns:
        table.add_column(COUNTS[field], justify="right", no_wrap=True)
    for k, source in enumerate(sources):
        row = [counts[k] for counts in columns.values()]
        cells = ["-" if count is None else f"{count:,}" for count in row]
        table.add_row(shown(source.location), shown(source.format), *cells)
    notes = [f"{s.location}: {note}" for s in report.study.sources for note in s.notes]
    parts: list[RenderableType] = [Text(_count(len(report.study), "judgment"), style="bold")]
    parts += [table, *_more(len(report.study.sources), "source")]
    if notes or report.notes:
        parts.append(_sentences("read as", [*notes, *report.notes], "dim"))
    return Group(*parts)


def _criterion(part: CriterionReport, report: Report, digits: int) -> RenderableType:
    matrix, consensus = part.matrix, part.consensus
    head = Text.assemble(
        f"{_count(matrix.n_responses, 'response')}, {_count(matrix.n_judges, 'judge')} on "
        f"{matrix.scale}, {matrix.n_labelled:,} with human labels\n",
        ("aggregated by ", "dim"),
        shown(consensus.method, "bold"),
        (": ", "dim"),
        shown(consensus.why, "dim", longest=LONGEST_NOTE),
    )
    body: list[RenderableType] = [head, Text(), *_systems(part, report.ask, digits), Text()]
    body += [*_judges(part, digits), Text(), _panel_numbers(part, report.ask, digits)]
    body += _decisions(part)
    notes = dict.fromkeys(_without(part.criterion, note) for note in part.findings.notes)
    if notes:
        body += [Text(), _sentences("note", notes, "")]
    steps = next_steps(part, report.ask)
    if steps:
        body += [Text(), _sentences("next", steps, "cyan")]
    title = Text.assemble(Text("criterion "), shown(part.criterion, "bold"))
    level = f"intervals at {100 * report.ask.level:.4g}%, scores on [0, 1]"
    return Panel(
        Group(*body), title=title, subtitle=level, title_align="left", subtitle_align="right"
    )


def _systems(part: CriterionReport, ask: Ask, digits: int) -> list[RenderableType]:
    matrix, decisions = part.matrix, part.decisions
    kinds = {} if decisions is None else decisions.counts()
    kinds = {kind: code for code, (kind, count) in enumerate(kinds.items()) if count}
    if digits < 3 and len(kinds) > MOST_KINDS:  # the totals are below
        kinds = {}
    scored = matrix.scale.kind != "nominal"  # labels have no mean
    columns = {"mean": "mean", "pass_rate": "pass rate"} if scored else {}
    for name, title in {"ppi_mean": "mean by humans", "mean_anytime": "mean at every look"}.items():
        if any(row.headline and row.value is not None for row in part.findings.named(name)):
            columns[name] = title
            kinds = {} if digits < 3 or name == "mean_anytime" else kinds
    if len(columns) > 3:  # no line has room for four intervals and a name
        columns.pop("pass_rate")
    table = _table("system", "responses", *columns.values(), *kinds)
    names = matrix.names["system"]
    sizes = np.bincount(matrix.systems[matrix.systems >= 0], minlength=len(names))
    present = np.flatnonzero(sizes).tolist()
    for code in present[:MOST_ROWS]:
        name, mine = names[code], matrix.systems == code
        made = np.empty(0, np.int8) if decisions is None else decisions.decision[mine]
        counts = np.bincount(made, minlength=len(DECISIONS))
        table.add_row(
            shown(name or "(unnamed)"),
            f"{sizes[code]:,}",
            *(interval(_first(part, of, name), digits) for of in columns),
            *(Text(f"{counts[k]:,}", style=DECISION_STYLES[kind]) for kind, k in kinds.items()),
        )
    told = {
        "pass_rate": f"pass rate: share of responses at {ask.threshold:g} or above",
        "ppi_mean": "mean by humans: what they would give, by the labels there are and the panel",
        "mean_anytime": "mean at every look: right also while the run goes on, however often one "
        "looks",
    }
    passes = Text("; ".join(text for of, text in told.items() if of in columns), "dim")
    return [table, *_more(len(present), "system"), *([passes] if scored else [])]


def _judges(part: CriterionReport, digits: int) -> list[RenderableType]:
    matrix, votes = part.matrix, part.matrix.votes
    anchors = {str(row.details.get("anchor")) for row in part.findings.named("bias")}
    anchor = anchors.pop() if len(anchors) == 1 else part.consensus.anchor
    size = (matrix.n_judges, len(STATUSES))
    counts = np.bincount(votes.judge * size[1] + votes.status, minlength=size[0] * size[1])
    counts = counts.reshape(size)
    kinds = [k for k in range(len(STATUSES)) if k == 0 or counts[:, k].any()]
    known = any(row.value is not None for row in part.findings.named("noise_sd"))
    columns = (f"bias vs {anchor}", "noise sd") if known else ()
    table = _table("judge", *(STATUSES[k] for k in kinds), *columns)
    reasons: dict[str, None] = {}
    for code, name in enumerate(matrix.judges[:MOST_ROWS]):
        quality = [_first(part, finding, name) for finding in ("bias", "noise_sd")]
        reasons |= {row.reason: None for row in quality if row is not None and row.reason}
        numbers = [interval(row, digits) for row in quality if known]
        table.add_row(shown(name), *(f"{counts[code, k]:,}" for k in kinds), *numbers)
    lines = [
        shown(f"no bias or noise: {reason}", "dim", longest=LONGEST_NOTE) for reason in reasons
    ]
    if known and not lines:
        words = (
            "bias: how much higher the judge scores; noise sd: the usual size of its other errors"
        )
        lines.append(Text(words, "dim"))
    return [table, *_more(matrix.n_judges, "judge"), *lines]


def _panel_numbers(part: CriterionReport, ask: Ask, digits: int) -> Table:
    rows = [row for row in part.findings if row.subject_kind == "panel" and row.headline]
    certified = any(row.name == "certified_threshold" and row.value is not None for row in rows)
    table = _table("the panel", "", "n", "what it says")
    table.columns[1].justify, table.columns[3].justify = "left", "left"
    table.columns[3].no_wrap = False
    for name in SECTIONS:
        mine = [row for row in rows if section(row) == name]
        if name == SECTIONS[0] and not part.matrix.n_labelled:
            table.add_row(Text(name, style="italic"), "-", "0", Text("no human labels", "dim"))
            mine = [row for row in mine if row.value is not None]
        elif name == SECTIONS[1] and part.matrix.n_judges == 1:
            table.add_row(Text(name, style="italic"), "-", "1", Text("one judge alone", "dim"))
            mine = [row for row in mine if row.value is not None]
        elif mine:
            table.add_row(Text(name, style="italic"))
        for row in mine:
            if row.name == "certified_coverage" and not certified:
                continue
            said = meaning(row, ask) if row.value is not None else f"none: {row.reason}"
            table.add_row(
                shown(f"  {row.name.replace('_', ' ')}"),
                interval(row, digits),
                f"{row.n:,}",
                shown(said, "dim"),
            )
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


def _sentences(title: str, sentences: Iterable[str], style: str) -> RenderableType:
    """Give sentences under a title, each hanging on its own mark."""
    lines = Table.grid(padding=(0, 1, 0, 0))
    lines.add_column(no_wrap=True)
    lines.add_column(overflow="fold")
    for sentence in sentences:
        lines.add_row(Text("-", style), shown(sentence, style, longest=LONGEST_NOTE))
    return Group(Text(f"{title}:", style="bold"), lines)


def _table(*columns: str) -> Table:
    """Give a table whose first column folds and whose numbers stay whole."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for i, column in enumerate(columns):
        table.add_column(
            plain(column), justify="right" if i else "left", overflow="fold", no_wrap=i > 0
        )
    return table


def _more(count: int, what: str) -> list[Text]:
    """Say how many rows a table leaves out."""
    left = count - MOST_ROWS
    return [Text(f"... and {_count(left, f'more {what}')}: see --json", "dim")] if left > 0 else []


def _count(count: int, what: str) -> str:
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def _without(criterion: str | None, text: str) -> str:
    """Leave out the criterion that a text begins with."""
    return text if criterion is None else text.removeprefix(f"{criterion}: ")


def _first(part: CriterionReport, name: str, subject: str) -> Finding | None:
    found = part.findings.named(name, subject=subject)
    return found[0] if found else None
