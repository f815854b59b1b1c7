"""All figures that a report or a replay supports, and why the others cannot be drawn."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from panopt.plots.canvas import Plot, readable
from panopt.plots.coverage import coverage_plot
from panopt.plots.methods import MethodPoint, methods_plot
from panopt.plots.reliability import reliability_plot
from panopt.plots.risk import AcceptedPoint, risk_coverage_plot
from panopt.records.ask import Ask
from panopt.records.calibration import calibrate, certify, one_of_each_cluster
from panopt.records.cascade import CASCADE
from panopt.records.report import CriterionReport, Report
from panopt.replay import CriterionReplay
from panopt.stats.certify_checks import one_of_each, within_unit
from panopt.stats.conformal_learned import plan_intervals
from panopt.stats.conformal_split import rank_and_need
from panopt.stats.ranking import risk_coverage
from panopt.stats.scoring import reliability_curve
from panopt.stats.split_coverage import split_coverage
from panopt.writing import Written, write_files

__all__ = ["INDEX", "Drawing", "draw_replays", "draw_report", "write_plots"]

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

#: Name of the page that holds all figures with their captions.
INDEX = "plots.md"

_ONE_OF_EACH = (
    "Labelled responses of one cluster count once: one of each was drawn blindly, {n:,} of {all:,}."
)


@dataclass(frozen=True, slots=True)
class Drawing:
    """Figures, and a sentence for each that could not be drawn."""

    plots: tuple[Plot, ...]
    missing: tuple[str, ...]


def draw_report(report: Report, *, splits: int = 1000) -> Drawing:
    """Draw of each criterion with human labels what the analysis rests on.

    Risk against coverage with the certified point, the reliability curve, and on a scale the
    coverage that conformal intervals have over splits of the labels.

    Parameters
    ----------
    report
        What :func:`panopt.analysis.analyze` gave.
    splits
        Splits of the labels for the coverage of intervals.
    """
    plots: list[Plot] = []
    missing: list[str] = []
    for part, stem in zip(
        report.criteria, _stems([part.criterion for part in report.criteria]), strict=True
    ):
        plots += _verdicts(part, report.ask, stem, missing)
        plots += _coverage(part, report.ask, stem, splits, missing)
    return Drawing(tuple(plots), tuple(missing))


def _verdicts(part: CriterionReport, ask: Ask, stem: str, missing: list[str]) -> list[Plot]:
    labelled = calibrate(part.matrix, part.consensus, ask)
    if not labelled.rows.size:
        why = "no labelled response has a panel verdict with a confidence"
        missing.append(f"{part.criterion}: risk-coverage and reliability: {why}")
        return []
    notes: list[str] = []
    whose = "the cascade" if part.consensus.method == CASCADE else "the panel"
    c, agrees = labelled.confidence, labelled.agrees
    if labelled.clustered:  # the draw that the certificate makes
        kept = one_of_each(labelled.clusters, len(c), np.random.default_rng(ask.seed))
        notes = [_ONE_OF_EACH.format(n=len(np.unique(labelled.clusters)), all=len(c))]
        c, agrees = (c, agrees) if kept is None else (c[kept], agrees[kept])
    certified = None
    if ask.certificate is not None:
        notes.append("A certificate that was made before decides: no point is shown.")
    else:
        found = certify(labelled, ask)
        if found.feasible:
            certified = AcceptedPoint(
                found.n / found.n_labels,
                found.errors / found.n,
                found.bound,
                found.threshold,
                found.n,
                found.errors,
                found.delta,
            )
        elif found.reason is not None:
            notes.append(f"Nothing is certified: {found.reason}.")
    plots = [
        risk_coverage_plot(
            {whose: risk_coverage(c, agrees, level=ask.level)},
            alpha=ask.alpha,
            name=f"{stem}-risk-coverage",
            subject=part.criterion,
            certified=certified,
            notes=notes,
        )
    ]
    clusters = labelled.clusters if labelled.clustered else None
    given = (labelled.confidence, labelled.agrees, clusters)
    return plots + _reliability(given, ask.level, stem, part.criterion, whose, missing)


def _reliability(  # noqa: PLR0913, PLR0917 - whose verdicts, and what is said of them
    given: tuple[Floats, Flags, NDArray[np.integer] | None],
    level: float,
    stem: str,
    subject: str,
    whose: str,
    missing: list[str],
) -> list[Plot]:
    confidence, agrees, clusters = given
    if not within_unit(confidence):
        why = f"the confidence of {whose} is a margin, which is no share of right verdicts"
        missing.append(f"{subject}: reliability: {why}")
        return []
    curve = reliability_curve(confidence, agrees, clusters=clusters, level=level)
    return [reliability_plot(curve, name=f"{stem}-reliability", subject=subject, whose=whose)]


def _coverage(
    part: CriterionReport, ask: Ask, stem: str, splits: int, missing: list[str]
) -> list[Plot]:
    matrix, consensus = part.matrix, part.consensus
    if matrix.scale.kind not in {"ordinal", "continuous"}:
        return []  # two values have no intervals
    value, human = consensus.blind_value, matrix.human_mean
    labelled = np.flatnonzero(~np.isnan(human - value))
    rows, clustered = one_of_each_cluster(labelled, matrix.clusters, seed=ask.seed)
    rng = np.random.default_rng(ask.seed)
    sd = np.where(np.isnan(consensus.blind_sd), consensus.spread, consensus.blind_sd)
    plan = None
    if len(rows):
        plan = plan_intervals(value, matrix.scores(), sd, human, rows, alpha=ask.alpha, rng=rng)
    n = 0 if plan is None else len(plan.calibrate)
    least = 2 * rank_and_need(0, ask.alpha)[1]
    if plan is None or n < least:
        why = f"{n} labels; halves of at least {least} give intervals at alpha = {ask.alpha:g}"
        missing.append(f"{part.criterion}: coverage of intervals: {why}")
        return []
    at = plan.calibrate
    unit = np.ones(len(value)) if plan.spread is None else plan.spread
    residual = np.abs(human[at] - plan.centre[at]) / unit[at]
    found = split_coverage(residual, rng=rng, alpha=ask.alpha, splits=splits)
    notes = [f"Intervals are {plan.reason}."]
    if clustered:
        notes.append(_ONE_OF_EACH.format(n=len(rows), all=len(labelled)))
    name = f"{stem}-conformal-coverage"
    return [coverage_plot(found, name=name, subject=part.criterion, notes=notes)]


def draw_replays(replays: Sequence[CriterionReplay], ask: Ask) -> Drawing:
    """Draw of each criterion which methods kept their promise, and how sure and right judges are.

    Parameters
    ----------
    replays
        What :func:`panopt.replay.replay_study` gave.
    ask
        The options it was given.
    """
    plots: list[Plot] = []
    missing: list[str] = []
    for found, stem in zip(replays, _stems([one.criterion for one in replays]), strict=True):
        plots += [_methods(found, ask, stem), *_judges(found, ask, stem, missing)]
    return Drawing(tuple(plots), tuple(missing))


def _methods(found: CriterionReplay, ask: Ask, stem: str) -> Plot:
    seen = [(one, one.known_population) for one in found.methods]
    points = [
        MethodPoint(
            one.method,
            one.guaranteed,
            what.coverage,
            what.success,
            what.success_low,
            what.success_high,
        )
        for one, what in seen
    ]
    return methods_plot(
        {found.criterion: points},
        delta=ask.delta,
        name=f"{stem}-methods",
        title=f"Which methods keep the risk within {ask.alpha:g}",
        caption=(
            f"Share of {seen[0][1].n_splits:,} replays in which at most {ask.alpha:g} of what was "
            "accepted disagrees with humans, against the mean share accepted; each replay is "
            f"calibrated on {found.labels_per_split:,} of {found.n_clusters:,} independent labels "
            "drawn with replacement, and measured on the known population of them. Bars: exact "
            f"{ask.level:.0%} intervals of the simulation."
        ),
    )


def _judges(found: CriterionReplay, ask: Ask, stem: str, missing: list[str]) -> list[Plot]:
    labelled = found.labelled
    sides: dict[str, tuple[Floats, Flags]] = {"the panel": (labelled.panel, labelled.panel_agrees)}
    for m, judge in enumerate(found.order):
        sides[judge] = (labelled.confidence[:, m], labelled.agrees[:, m])
    stems = {whose: stem if not at else f"{stem}-judge-{at}" for at, whose in enumerate(sides)}
    curves, plots = {}, []
    for whose, (confidence, agrees) in sides.items():
        known = ~np.isnan(confidence)
        if not known.any():
            missing.append(f"{found.criterion}: {whose} has no verdict on a labelled response")
            continue
        clusters = labelled.clusters[known]
        apart = len(np.unique(clusters)) == len(clusters)
        kept = one_of_each(None if apart else clusters, len(clusters), _draws(ask))
        c, right = confidence[known], agrees[known]
        rows = slice(None) if kept is None else kept
        curves[whose] = risk_coverage(c[rows], right[rows], level=ask.level)
        given = (c, right, None if apart else clusters)
        plots += _reliability(given, ask.level, stems[whose], found.criterion, whose, missing)
    if not curves:
        return plots
    curve = risk_coverage_plot(
        curves,
        alpha=ask.alpha,
        name=f"{stem}-risk-coverage",
        subject=found.criterion,
        notes=_clusters_note(found),
    )
    return [curve, *plots]


def _draws(ask: Ask) -> np.random.Generator:
    return np.random.default_rng(ask.seed)


def _clusters_note(found: CriterionReplay) -> list[str]:
    if found.n_clusters == found.n_labelled:
        return []
    return [_ONE_OF_EACH.format(n=found.n_clusters, all=found.n_labelled)]


def _stems(names: Sequence[str]) -> list[str]:
    """Make stems of files out of names: plain, and each its own."""
    seen: dict[str, int] = {}
    stems = []
    for name in names:
        stem = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:60] or "criterion"
        seen[stem] = seen.get(stem, 0) + 1
        stems.append(stem if seen[stem] == 1 else f"{stem}-{seen[stem]}")
    return stems


def write_plots(
    drawing: Drawing, folder: Path, *, keep: Sequence[str], overwrite: bool
) -> tuple[Written, ...]:
    """Write the figures as SVG, and a page that holds them with their captions.

    Parameters
    ----------
    drawing
        The figures.
    folder
        Where they go; made where missing.
    keep
        Files that are never replaced: the sources.
    overwrite
        Replace earlier figures that differ.

    Raises
    ------
    OutputError
        As :func:`panopt.writing.write`; then nothing was written.
    """
    files: Mapping[Path, bytes] = {
        **{folder / f"{plot.name}.svg": plot.svg for plot in drawing.plots},
        folder / INDEX: _page(drawing).encode(),
    }
    return write_files(files, source="plots", keep=keep, overwrite=overwrite)


def _page(drawing: Drawing) -> str:
    parts = []
    for plot in drawing.plots:
        title = _escaped(plot.title)
        parts.append(f"## {title}\n\n![{title}]({plot.name}.svg)\n\n{_escaped(plot.caption)}\n")
    if drawing.missing:
        told = "\n".join(f"- {_escaped(readable(text, 400))}" for text in drawing.missing)
        parts.append(f"## Not drawn\n\n{told}\n")
    return "\n".join(parts)


def _escaped(text: str) -> str:
    """Keep names out of logs from being read as markup."""
    return re.sub(r"([\\`*_\[\]<>#|!])", r"\\\1", text)
