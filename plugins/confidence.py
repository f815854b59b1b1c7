"""Say whether the panel is as often right as it claims, and surer where it is right.

Calibration: ECE in two binnings, MCE, Brier score with its decomposition, reliability curve with
bands (`panopt.stats.scoring`, `panopt.stats.calibration_error`). Ranking: AUROC, average
precision, risk-coverage curve and its area (`panopt.stats.ranking`). Right is what the human
labels say; the panel's confidence never saw them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from panopt.findings import Finding, Findings, SubjectKind
from panopt.records.ask import Ask
from panopt.records.calibration import NO_WINNER, calibrate, human_verdicts
from panopt.records.consensus import Consensus
from panopt.records.matrix import Matrix
from panopt.spec import hookimpl
from panopt.stats.calibration_error import (
    CalibrationError,
    expected_calibration_error,
    maximum_calibration_error,
)
from panopt.stats.ranking import (
    RiskCoverage,
    aurc,
    auroc,
    average_precision,
    excess_aurc,
    risk_coverage,
)
from panopt.stats.scored import Estimate
from panopt.stats.scoring import BrierScore, ReliabilityCurve, brier_score, reliability_curve

__all__ = [
    "BrierScore",
    "CalibrationError",
    "Estimate",
    "ReliabilityCurve",
    "RiskCoverage",
    "aurc",
    "auroc",
    "average_precision",
    "brier_score",
    "excess_aurc",
    "expected_calibration_error",
    "maximum_calibration_error",
    "reliability_curve",
    "risk_coverage",
]

Floats = NDArray[np.float64]
Details = Mapping[str, float | int | str | bool | None]

_NOISE = 0.05  # part of an ECE that is chance, when labels are said to be enough
_LEAST = 20  # fewer labels than this are never said to be enough
_BLIND = 0.75  # an AUROC that may be .5 and surely is no more than this is worth a word


@hookimpl
def panopt_analyze(matrix: Matrix, consensus: Consensus, ask: Ask) -> Findings | None:
    """Hold the panel's confidence, and what each judge states, against the human labels."""
    labelled = calibrate(matrix, consensus, ask)
    rows: list[Finding]
    notes: list[str] = []
    if labelled.rows.size:
        panel = _Labelled(
            labelled.confidence,
            labelled.agrees,
            labelled.clusters if labelled.clustered else None,
            matrix.criterion,
            ask.level,
        )
        rows, notes = _of_panel(panel)
    else:
        rows = [_without_labels(matrix, consensus, labelled.n_undecided)]
    for name, stated in _stated(matrix, ask):
        subject: tuple[SubjectKind, str] = ("judge", name)
        found = auroc(stated.x, stated.y, clusters=stated.clusters, level=ask.level)
        rows.append(_of_error("ece", stated.ece(), stated, subject=subject))
        rows.append(_of_estimate("auroc", found, stated, _RANKED, subject=subject))
    return Findings(tuple(rows), notes=tuple(f"{matrix.criterion}: {note}" for note in notes))


_RANKED = "chance that a right verdict carries more confidence than a wrong one"


class _Labelled(NamedTuple):
    """Verdicts with human labels, and how to report on them."""

    x: Floats
    y: NDArray[np.bool_]
    clusters: NDArray[np.int32] | None
    criterion: str
    level: float

    def ece(self) -> CalibrationError:
        return expected_calibration_error(self.x, self.y, clusters=self.clusters, level=self.level)

    @property
    def assumptions(self) -> tuple[str, ...]:
        drawn = "responses" if self.clusters is None else "clusters"
        return (f"labelled {drawn} are a random sample of those that the number is used for",)


def _of_panel(panel: _Labelled) -> tuple[list[Finding], list[str]]:
    error = panel.ece()
    ranking = auroc(panel.x, panel.y, clusters=panel.clusters, level=panel.level)
    curve = reliability_curve(panel.x, panel.y, clusters=panel.clusters, level=panel.level)
    rows = [
        _of_error("ece", error, panel, headline=True),
        _of_estimate("auroc", ranking, panel, _RANKED, headline=True),
        *_others(panel),
        *_curve_rows(curve, panel),
    ]
    return rows, [*_gap_note(error, curve), *_rank_note(ranking)]


def _without_labels(matrix: Matrix, consensus: Consensus, n_undecided: int) -> Finding:
    confidence = consensus.confidence[consensus.verdict >= 0]
    confidence = confidence[~np.isnan(confidence)]
    reason, needed = "no human labels, and no response with a verdict to label", None
    if n_undecided:
        reason = f"the panel has no verdict on any of the {n_undecided} labelled responses"
    elif confidence.size:
        nothing = np.zeros(confidence.size)
        chance = expected_calibration_error(confidence, nothing).by_chance or 0.0
        needed = max(_LEAST, math.ceil(confidence.size * (chance / _NOISE) ** 2))
        reason = (
            f"no human labels: about {needed} on randomly drawn responses would tell (the part of "
            f"this error that is chance is then {_NOISE:g} or less)"
        )
    return Finding(
        plugin="confidence",
        name="ece",
        criterion=matrix.criterion,
        value=None,
        unit="share",
        n=0,
        method="gap between confidence and share right",
        reason=reason,
        details={"labels_needed": needed},
        headline=False,
    )


def _others(panel: _Labelled) -> list[Finding]:
    """Give what belongs in the record but not on the first look."""
    x, y = panel.x, panel.y
    by_mass = expected_calibration_error(
        x, y, strategy="mass", clusters=panel.clusters, level=panel.level
    )
    worst = maximum_calibration_error(x, y, clusters=panel.clusters, level=panel.level)
    precision = average_precision(x, y, clusters=panel.clusters, level=panel.level)
    errors = average_precision(-x, ~y, clusters=panel.clusters, level=panel.level)
    area = aurc(x, y, clusters=panel.clusters, level=panel.level)
    excess = excess_aurc(x, y, clusters=panel.clusters, level=panel.level)
    return [
        _of_error("ece_equal_mass", by_mass, panel),
        _of_estimate("mce", worst, panel, "largest gap between confidence and share right"),
        _of_brier(panel),
        _of_estimate(
            "auprc",
            precision,
            panel,
            "mean share right among verdicts at least as sure as each right one",
            details={
                "share_right": float(y.mean()),
                "auprc_of_errors": errors.value,
                "share_wrong": 1.0 - float(y.mean()),
            },
        ),
        _of_estimate(
            "aurc",
            area,
            panel,
            "mean share of errors among the surest verdicts, over all coverages",
            details={
                "excess": excess.value,
                "excess_low": excess.low,
                "excess_high": excess.high,
                "error_rate": 1.0 - float(y.mean()),
            },
        ),
    ]


def _of_brier(panel: _Labelled) -> Finding:
    found = brier_score(panel.x, panel.y, clusters=panel.clusters, level=panel.level)
    interval = found.low is not None
    return Finding(
        plugin="confidence",
        name="brier",
        criterion=panel.criterion,
        value=found.value,
        unit="mean squared error, 0 best",
        low=found.low,
        high=found.high,
        level=found.level if interval else None,
        n=found.n,
        method=f"confidence against right (1) or wrong (0): {found.method}",
        assumptions=panel.assumptions,
        no_interval=None if interval else found.reason,
        details={
            "reliability": found.reliability,
            "resolution": found.resolution,
            "uncertainty": found.uncertainty,
            "within_variance": found.within_variance,
            "within_covariance": found.within_covariance,
            "skill": found.skill,
        },
        headline=False,
    )


def _of_error(
    name: str,
    found: CalibrationError,
    labelled: _Labelled,
    *,
    subject: tuple[SubjectKind, str] = ("panel", ""),
    headline: bool = False,
) -> Finding:
    interval = found.low is not None
    warnings: tuple[str, ...] = ()
    if (
        found.value is not None
        and found.by_chance is not None
        and found.value < 2 * found.by_chance
    ):
        text = f"{found.by_chance:.2g} would be seen by chance with perfectly calibrated confidence"
        warnings = (f"{text} and {found.n} labels",)
    return Finding(
        plugin="confidence",
        name=name,
        criterion=labelled.criterion,
        subject_kind=subject[0],
        subject=subject[1],
        value=found.value,
        unit="share",
        low=found.low,
        high=found.high,
        level=found.level if interval else None,
        n=found.n,
        method=f"gap between confidence and share right: {found.method}",
        assumptions=labelled.assumptions,
        warnings=warnings,
        no_interval=None if interval else found.reason,
        details={
            "by_chance": found.by_chance,
            "squared_without_bias": found.squared,
            "overconfidence": found.overconfidence,
            "n_bins": found.n_bins,
            "n_clusters": found.n_clusters,
        },
        headline=headline,
    )


def _of_estimate(  # noqa: PLR0913 - the parts of one record
    name: str,
    found: Estimate,
    labelled: _Labelled,
    words: str,
    *,
    subject: tuple[SubjectKind, str] = ("panel", ""),
    details: Details | None = None,
    headline: bool = False,
) -> Finding:
    interval = found.low is not None
    return Finding(
        plugin="confidence",
        name=name,
        criterion=labelled.criterion,
        subject_kind=subject[0],
        subject=subject[1],
        value=found.value,
        unit="share",
        low=found.low,
        high=found.high,
        level=found.level if interval else None,
        n=found.n,
        method=f"{words}: {found.method}",
        assumptions=labelled.assumptions,
        reason=found.reason,
        no_interval=None if interval else found.no_interval,
        details={"se": found.se, "n_clusters": found.n_clusters, **(details or {})},
        headline=headline and found.value is not None,
    )


def _curve_rows(curve: ReliabilityCurve, panel: _Labelled) -> list[Finding]:
    return [
        Finding(
            plugin="confidence",
            name="reliability",
            criterion=panel.criterion,
            subject_kind="group",
            subject=f"confidence {curve.left[k]:.2f} to {curve.right[k]:.2f}",
            value=float(curve.accuracy[k]),
            unit="share right",
            low=float(curve.band_low[k]),
            high=float(curve.band_high[k]),
            level=curve.level,
            n=int(curve.n[k]),
            method=f"share right; {curve.method}, band over all {curve.n.size} bins",
            assumptions=panel.assumptions,
            details={"confidence": float(curve.confidence[k])},
            headline=False,
        )
        for k in range(curve.n.size)
    ]


def _stated(matrix: Matrix, ask: Ask) -> list[tuple[str, _Labelled]]:
    """Collect the verdicts of each judge that stated a confidence, where humans judged too."""
    votes = matrix.votes
    if np.isnan(votes.confidence).all():
        return []
    human = human_verdicts(matrix, threshold=ask.threshold)
    if matrix.scale.kind == "nominal":
        side = votes.label
    else:
        side = (votes.score >= ask.threshold).astype(np.int32)
        side[np.isnan(votes.score)] = -1
        if matrix.scale.kind == "pairwise":
            side[votes.score == 0.5] = NO_WINNER
    decided = (side >= 0) & ~((matrix.scale.kind == "pairwise") & (side == NO_WINNER))
    use = decided & ~np.isnan(votes.confidence) & (human[votes.response] != -1)
    found = []
    for code, name in enumerate(matrix.judges):
        rows = np.flatnonzero(use & (votes.judge == code))
        if rows.size:
            response = votes.response[rows]
            clusters = matrix.clusters[response]
            repeated = np.unique(clusters).size < clusters.size
            part = _Labelled(
                votes.confidence[rows],
                side[rows] == human[response],
                clusters if repeated else None,
                matrix.criterion,
                ask.level,
            )
            found.append((name, part))
    return found


def _gap_note(error: CalibrationError, curve: ReliabilityCurve) -> list[str]:
    """Say in words where confidence and right part most, where they surely do."""
    if not error.low:
        return []
    gap = curve.n * (curve.confidence - curve.accuracy)
    outside = (curve.confidence < curve.band_low) | (curve.confidence > curve.band_high)
    worst = int(np.argmax(np.abs(gap) * np.where(outside.any(), outside, 1)))
    what = "overconfident" if gap[worst] > 0 else "not confident enough"
    says, right = curve.confidence[worst], curve.accuracy[worst]
    told = f"where it says {says:.2f} it is right {right:.2f} of the time"
    return [f"the panel is {what}: {told} ({int(curve.n[worst])} labels)"]


def _rank_note(found: Estimate) -> list[str]:
    if found.low is None or found.high is None or found.low > 0.5 or found.high > _BLIND:
        return []
    seen = f"AUROC {found.value:.2f}, {found.low:.2f} to {found.high:.2f}; .5 is a coin"
    told = f"nothing shows that the panel is surer where it is right ({seen})"
    return [f"{told}: picking by its confidence may gain nothing"]
