"""Label sets of one criterion: calibrated on human labels, from the panel's blind probabilities."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from panopt.findings import Findings
from panopt.records.ask import Ask
from panopt.records.calibration import TIED, UNLABELLED, human_verdicts, one_of_each_cluster
from panopt.records.conformal_case import ConformalCase, coverage_by_class, law
from panopt.records.consensus import Consensus
from panopt.records.matrix import Matrix
from panopt.stats.conformal_sets import label_scores, label_sets, left_out_coverage
from panopt.stats.conformal_split import split_threshold, too_few

__all__ = ["conformal_sets", "human_labels"]

_FITTED = "its probabilities were fitted to the labels, which cannot calibrate them too"
_MOST_LEVELS = 10


def conformal_sets(case: ConformalCase) -> Findings:
    """Give every response with probabilities of labels the set that holds the human's label.

    Returns
    -------
    Findings
        Mean size and coverage by label; columns ``conformal_set_size``, and which labels are in
        (nominal) or the ends of the set (ordinal). Empty without probabilities.
    """
    matrix, consensus, ask = case.matrix, case.consensus, case.ask
    p = consensus.probabilities
    if p is None or p.shape[1] < 2:
        return Findings()
    ordinal = matrix.scale.kind == "ordinal"
    what = "contiguous sets of levels" if ordinal else "sets of labels (LAC)"
    says = f"split conformal {what}, coverage {1 - ask.alpha:g}"
    if consensus.method == "supervised":
        row = case.row("conformal_set_size", None, n=0, method=says, reason=_FITTED)
        return Findings((row,))
    human = human_labels(matrix, consensus, ask)
    labelled = np.flatnonzero((human != UNLABELLED) & ~np.isnan(p[:, 0]))
    rows, clustered = one_of_each_cluster(labelled, matrix.clusters, seed=ask.seed)
    scores = label_scores(p[rows], method="ordinal" if ordinal else "lac")
    codes = human[rows]
    tied = codes == TIED  # held only by the set of all labels
    score = scores[np.arange(len(rows)), np.where(tied, 0, codes)]
    score = np.where(tied, scores.max(axis=1), score)
    bound = split_threshold(score, alpha=ask.alpha)
    if not np.isfinite(bound.value):
        what = "clusters with a label" if clustered else "labels"
        reason = too_few(bound.n, ask.alpha, bound.labels_needed, what)
        row = case.row(
            "conformal_set_size",
            None,
            n=bound.n,
            method=says,
            unit="labels",
            reason=reason,
            details={"labels_needed": bound.labels_needed},
        )
        return Findings((row,))
    inside = label_sets(p, bound, method="ordinal" if ordinal else "lac", fill=True)
    unknown = np.isnan(p[:, 0])
    size = np.where(unknown, np.nan, inside.sum(axis=1))
    names = [f"{level:g}" if isinstance(level, float) else level for level in consensus.levels]
    by_label, warned = coverage_by_class(
        case,
        "conformal_set_class_coverage",
        [f"humans say {name}" for name in names],
        codes=np.where(tied, -1, codes),
        held=left_out_coverage(score, alpha=ask.alpha),
        what="share of human labels inside the set",
    )
    known = size[~unknown]
    finding = case.row(
        "conformal_set_size",
        float(known.mean()),
        n=bound.n,
        method=says,
        headline=matrix.scale.kind == "nominal",
        unit=f"labels of {p.shape[1]}",
        no_interval="it describes the responses at hand",
        assumptions=(bound.assumption, *clustered),
        warnings=(*case.warnings, *warned),
        details={
            **law(bound),
            "of_one_label": float(np.mean(known == 1)),
            "tied": int(tied.sum()),
        },
    )
    columns = {"conformal_set_size": size}
    if ordinal:
        levels = np.array([float(level) for level in consensus.levels])
        first, last = inside.argmax(axis=1), p.shape[1] - 1 - inside[:, ::-1].argmax(axis=1)
        columns["conformal_level_low"] = np.where(unknown, np.nan, levels[first])
        columns["conformal_level_high"] = np.where(unknown, np.nan, levels[last])
    elif len(names) <= _MOST_LEVELS and matrix.scale.kind == "nominal":
        for at, name in enumerate(names):
            columns[f"conformal_holds_{name}"] = np.where(unknown, np.nan, inside[:, at])
    notes = tuple(f"{matrix.criterion}: {warning}" for warning in warned)
    return Findings((finding, *by_label), columns, notes)


def human_labels(matrix: Matrix, consensus: Consensus, ask: Ask) -> NDArray[np.int64]:
    """Give the humans' label as a column of the probabilities; -1 without, -2 tied."""
    if matrix.scale.kind == "nominal":
        place = {str(name): at for at, name in enumerate(consensus.levels)}
        recode = np.array([*(place.get(name, TIED) for name in matrix.labels), TIED, UNLABELLED])
        return np.asarray(recode[human_verdicts(matrix, threshold=ask.threshold)], dtype=np.int64)
    levels = np.array([float(level) for level in consensus.levels])
    mean = matrix.human_mean
    known = ~np.isnan(mean)
    nearest = np.searchsorted((levels[1:] + levels[:-1]) / 2.0, np.where(known, mean, 0.0))
    label = np.where(known, nearest, UNLABELLED).astype(np.int64)
    if matrix.scale.kind == "binary":
        verdict = human_verdicts(matrix, threshold=ask.threshold)
        label = np.where(verdict < 0, verdict, np.where(verdict == 1, len(levels) - 1, 0))
    return label.astype(np.int64)
