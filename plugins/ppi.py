"""Estimate what humans would say on average, from few of their labels and many judge scores.

Prediction-powered inference (PPI++, Angelopoulos, Duchi & Zrnic 2023) with intervals that hold at
20 labels (`panopt.stats.ppi`), by strata and for differences (`panopt.stats.ppi_groups`), with a
calibrated judge (`panopt.stats.ppi_crossfit`); Rogan and Gladen's corrected rate; which responses
to label next, and how many (`panopt.stats.label_next`).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from panopt.findings import Finding, Findings
from panopt.records.ask import Ask
from panopt.records.consensus import Consensus
from panopt.records.matrix import Matrix
from panopt.spec import hookimpl
from panopt.stats.drift import drift_test
from panopt.stats.label_next import LabelPlan, LabelsForWidth, label_next, labels_for_width
from panopt.stats.ppi import PpiEstimate, ppi_mean, ppi_pass_rate
from panopt.stats.ppi_crossfit import ppi_calibrated
from panopt.stats.ppi_groups import ppi_difference, ppi_stratified
from panopt.stats.rogan_gladen import RoganGladen, rogan_gladen

__all__ = [
    "LabelPlan",
    "LabelsForWidth",
    "PpiEstimate",
    "RoganGladen",
    "label_next",
    "labels_for_width",
    "ppi_calibrated",
    "ppi_difference",
    "ppi_mean",
    "ppi_pass_rate",
    "ppi_stratified",
    "rogan_gladen",
]

Floats = NDArray[np.float64]

#: Systems whose label-corrected mean a first look shows.
MOST_SHOWN = 10

#: Systems whose labelled responses are compared with the rest.
MOST_TESTED = 40

#: Probability, over all systems, of a false word on labels that are no random sample.
FALSE_ALARM = 0.01


@hookimpl
def panopt_analyze(
    matrix: Matrix, consensus: Consensus, ask: Ask, rng: np.random.Generator
) -> Findings | None:
    """Correct the mean score of every system by the labels some of its responses have."""
    if not matrix.n_labelled or matrix.scale.kind == "nominal":
        return None
    labelled = ~np.isnan(matrix.human_mean)
    counts = np.bincount(matrix.systems[labelled] + 1, minlength=len(matrix.names["system"]) + 1)
    codes = (np.flatnonzero(counts) - 1).tolist()
    rows: list[Finding] = []
    notes: list[str] = []
    for code in codes:
        of = np.flatnonzero(matrix.systems == code)
        name = matrix.names["system"][code] if code >= 0 else ""
        if np.all(labelled[of]):  # the labels' own mean needs no judge
            continue
        unlike = None
        if len(codes) <= MOST_TESTED:
            unlike = _unlike(matrix, consensus, of, FALSE_ALARM / len(codes), rng)
        if unlike is not None:
            notes.append(f"{matrix.criterion}: {name or 'the system'}: {unlike}")
        rows += _system(matrix, consensus, ask, of, (name, unlike, len(codes) <= MOST_SHOWN))
    return Findings(tuple(rows), notes=tuple(notes)) if rows else None


def _system(
    matrix: Matrix,
    consensus: Consensus,
    ask: Ask,
    of: NDArray[np.intp],
    told: tuple[str, str | None, bool],
) -> Iterator[Finding]:
    """Give the label-corrected mean of one system, and its pass rate."""
    name, unlike, shown = told
    human, judge = matrix.human_mean[of], consensus.blind_value[of].copy()
    silent = np.isnan(judge)
    # An estimate is right whatever a judge says: where the panel says nothing, its mean stands.
    judge[silent] = judge[~silent].mean() if not silent.all() else 0.5
    has, clusters = ~np.isnan(human), matrix.clusters[of]
    grouped = np.unique(clusters).size < clusters.size
    keys = (clusters[has], clusters[~has]) if grouped else (None, None)
    warnings = () if unlike is None else (unlike,)
    kinds = [("ppi_mean", human, judge, "score in [0, 1]", shown)]
    if not np.isin(human[has], (0.0, 1.0)).all():
        above = np.where(np.isnan(human), np.nan, human >= ask.threshold)
        passed = (judge >= ask.threshold).astype(np.float64)
        kinds.append(("ppi_pass_rate", above, passed, "share of responses", False))
    for kind, labels, scores, unit, headline in kinds:
        found = ppi_mean(
            labels[has],
            scores[has],
            scores[~has],
            alpha=1.0 - ask.level,
            clusters=keys[0],
            clusters_unlabeled=keys[1],
        )
        yield Finding(
            plugin="ppi",
            name=kind,
            criterion=matrix.criterion,
            subject_kind="system",
            subject=name,
            value=found.value,
            unit=unit,
            low=found.low,
            high=found.high,
            level=ask.level if found.low is not None else None,
            n=found.n,
            method=f"labels helped by the panel: {found.method}",
            assumptions=found.assumptions,
            warnings=warnings,
            reason=found.reason if found.value is None else None,
            no_interval=found.reason if found.value is not None else None,
            details={
                "se": found.se,
                "lam": found.lam,
                "ess": found.ess,
                "n_unlabeled": found.n_unlabeled,
                "n_clusters": found.n_clusters,
                "panel_mean": float(scores.mean()),
                "n_without_panel": int(np.count_nonzero(silent)),
            },
            headline=headline,
        )


def _unlike(
    matrix: Matrix,
    consensus: Consensus,
    of: NDArray[np.intp],
    level: float,
    rng: np.random.Generator,
) -> str | None:
    """Say so where the panel scores labelled responses unlike the others: one of each cluster."""
    shuffled = rng.permutation(of[~np.isnan(consensus.blind_value[of])])
    one = shuffled[np.unique(matrix.clusters[shuffled], return_index=True)[1]]
    has = ~np.isnan(matrix.human_mean[one])
    score = consensus.blind_value[one]
    found = drift_test(score[~has], score[has], rng=rng)
    if found.p_value is None or found.p_value > level:
        return None
    above = float(score[has].mean() - score[~has].mean())
    return (
        f"the panel scores labelled responses unlike the others (mean {above:+.3f}, p = "
        f"{found.p_value:.2g}): labels that are no random sample, or not chosen by the judges' "
        "scores alone, may leave ppi_mean off; draw the next ones with --label-next"
    )
