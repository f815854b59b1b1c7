"""Turn the panel's confidence into the share that is right, by human labels, out of fold.

Isotonic regression, Platt scaling, inductive and cross Venn-Abers (`panopt.stats.calibration_maps`,
`panopt.stats.recalibration`). ``calibrated_confidence`` of a labelled response comes from a map
that never saw its label, or any of its cluster; that of the others from a map of all labels.
"""

from __future__ import annotations

import numpy as np

from panopt.findings import Finding, Findings
from panopt.records.ask import Ask
from panopt.records.calibration import calibrate
from panopt.records.consensus import Consensus
from panopt.records.matrix import Matrix
from panopt.spec import hookimpl
from panopt.stats.calibration_maps import (
    CalibrationMap,
    CrossVennAbers,
    Isotonic,
    Platt,
    VennAbers,
    fit_isotonic,
    fit_platt,
    fit_venn_abers,
)
from panopt.stats.recalibration import Method, Recalibration, recalibrate
from panopt.stats.scoring import brier_score

__all__ = [
    "CalibrationMap",
    "CrossVennAbers",
    "Isotonic",
    "Method",
    "Platt",
    "Recalibration",
    "VennAbers",
    "fit_isotonic",
    "fit_platt",
    "fit_venn_abers",
    "recalibrate",
]

_MANY = 20_000  # labels from which on both Venn-Abers probabilities are the isotonic one


@hookimpl
def panopt_analyze(
    matrix: Matrix, consensus: Consensus, ask: Ask, rng: np.random.Generator
) -> Findings | None:
    """Give every response with a verdict a calibrated confidence, where labels allow."""
    labelled = calibrate(matrix, consensus, ask)
    if not labelled.rows.size:
        return None
    clusters = labelled.clusters if labelled.clustered else None
    found = recalibrate(
        labelled.confidence,
        labelled.agrees,
        method="venn_abers" if labelled.rows.size < _MANY else "isotonic",
        clusters=clusters,
        level=ask.level,
        rng=rng,
    )
    if found.fitted is None:
        return Findings((_finding(matrix, found, {}),))
    column = np.full(len(consensus), np.nan)
    decided = consensus.verdict >= 0
    column[decided] = found.fitted.predict(consensus.confidence[decided])
    column[labelled.rows] = found.probability
    score = brier_score(found.probability, labelled.agrees, clusters=clusters, level=ask.level)
    ends = {"low": score.low, "high": score.high, "level": ask.level}
    row = _finding(matrix, found, ends if score.low is not None else {})
    gain, notes = found.gain, []
    if gain is not None and gain.low is not None and gain.low > 0.0:
        notes.append(
            f"{matrix.criterion}: calibrated_confidence is closer to the share that is right than "
            f"the panel's own (Brier score {found.brier_after:.3f} instead of "
            f"{found.brier_before:.3f}): use it where a probability is wanted"
        )
    return Findings((row,), {"calibrated_confidence": column}, tuple(notes))


def _finding(matrix: Matrix, found: Recalibration, ends: dict[str, float | None]) -> Finding:
    gain = found.gain
    return Finding(
        plugin="recalibration",
        name="calibrated_brier",
        criterion=matrix.criterion,
        value=found.brier_after,
        unit="mean squared error, 0 best",
        low=ends.get("low"),
        high=ends.get("high"),
        level=ends.get("level"),
        n=found.n,
        method=f"calibrated confidence, out of fold, against right or wrong: {found.method}",
        assumptions=(
            "labelled responses are a random sample of all that get a calibrated confidence",
        ),
        warnings=found.warnings,
        reason=found.reason,
        no_interval=None if ends or found.reason else "one cluster gives no interval",
        details={
            "brier_before": found.brier_before,
            "gain": None if gain is None else gain.value,
            "gain_low": None if gain is None else gain.low,
            "gain_high": None if gain is None else gain.high,
            "n_clusters": found.n_clusters,
        },
        headline=False,
    )
