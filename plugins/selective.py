"""Which of the panel's verdicts can be trusted, with a guarantee bought by human labels.

Trust or abstain: accept verdicts whose confidence reaches a threshold, chosen so that with
probability 1 - delta at most a share alpha of the accepted ones disagrees with the human label
(Jung, Brahman & Choi 2025; Geifman & El-Yaniv 2017). The tests, their steps and what they rest on
stand where the numbers are made, and here under their own names too:
:func:`panopt.stats.certify.certify_threshold` for one confidence,
:func:`panopt.stats.cascade.certify_cascade` for judges asked from cheap to strong,
:func:`panopt.stats.panel_certificate.certify_panel` for all judges together, and
:func:`panopt.stats.label_noise.certify_noisy` for humans who err themselves.
"""

from __future__ import annotations

import numpy as np

from panopt.findings import Finding, Findings
from panopt.records.ask import Ask
from panopt.records.calibration import Calibration, calibrate, certify
from panopt.records.consensus import Consensus
from panopt.records.label_doubts import one_sided, unread
from panopt.records.matrix import Matrix
from panopt.records.standing import certificate_of
from panopt.spec import hookimpl
from panopt.stats.binomial import clopper_pearson, labels_needed, risk_upper, zero_error_labels
from panopt.stats.cascade import CertifiedCascade, certify_cascade, quantile_path
from panopt.stats.certify import CertifiedThreshold, certify_threshold, least_abstention
from panopt.stats.label_noise import NoisyCertificate, certify_noisy
from panopt.stats.mean import mean_interval
from panopt.stats.panel_certificate import CertifiedPanel, certify_panel, panel_confidence

__all__ = [
    "CertifiedCascade",
    "CertifiedPanel",
    "CertifiedThreshold",
    "NoisyCertificate",
    "certify_cascade",
    "certify_noisy",
    "certify_panel",
    "certify_threshold",
    "labels_needed",
    "least_abstention",
    "panel_confidence",
    "quantile_path",
    "risk_upper",
    "zero_error_labels",
]


@hookimpl
def panopt_analyze(matrix: Matrix, consensus: Consensus, ask: Ask) -> Findings | None:
    """Find the threshold above which verdicts may be trusted, and what share that is."""
    calibration = calibrate(matrix, consensus, ask)
    agreement = _agreement(matrix, calibration, ask)
    if certificate_of(ask, matrix.criterion) is not None:  # which says what may be trusted
        return Findings((agreement,))
    result = certify(calibration, ask)
    rows = (
        _threshold(matrix, calibration, result),
        _coverage(matrix, consensus, result),
        agreement,
    )
    notes = [text for text in (unread(matrix),) if text is not None]
    seen = one_sided(matrix, threshold=ask.threshold) if result.feasible else None
    notes += [] if seen is None else [f"{matrix.criterion!r}: {seen}"]
    if calibration.n_tied:
        notes.append(
            f"{calibration.n_tied} labelled responses of {matrix.criterion!r} count as "
            "disagreements: their human labels are tied or evenly split"
        )
    if calibration.n_undecided:
        notes.append(
            f"{calibration.n_undecided} labelled responses of {matrix.criterion!r} are left out of "
            "the calibration: the panel had no verdict"
        )
    return Findings(rows, notes=tuple(notes))


def _threshold(matrix: Matrix, calibration: Calibration, result: CertifiedThreshold) -> Finding:
    details: dict[str, float | int | str | bool | None] = {
        "n": result.n,
        "errors": result.errors,
        "bound": result.bound,
        "coverage": result.coverage,
        "labels_needed": result.labels_needed,
        "alpha": result.alpha,
        "delta": result.delta,
        "n_tested": result.n_tested,
        "feasible": result.feasible,
    }
    observed = 1.0 - float(calibration.agrees.mean()) if len(calibration.rows) else None
    if observed is not None:
        details["least_abstention"] = least_abstention(observed, alpha=result.alpha)
    if not result.n_labels:
        reason = (
            f"no human labels: alpha = {result.alpha:g} at delta = {result.delta:g} needs at least "
            f"{result.labels_needed}"
        )
    else:
        reason = result.reason or ""
    return Finding(
        plugin="selective",
        name="certified_threshold",
        criterion=matrix.criterion,
        value=result.threshold if result.feasible else None,
        unit="confidence",
        n=result.n_labels,
        method=f"{result.method.replace('_', ' ')}, exact binomial test",
        assumptions=(result.assumption,),
        reason=None if result.feasible else reason,
        no_interval="a threshold that was tested, not an estimate" if result.feasible else None,
        details=details,
    )


def _coverage(matrix: Matrix, consensus: Consensus, result: CertifiedThreshold) -> Finding:
    confidence = consensus.confidence
    accepted = (consensus.verdict >= 0) & (np.nan_to_num(confidence, nan=-1.0) >= result.threshold)
    known = bool(result.n_labels and matrix.n_responses)
    return Finding(
        plugin="selective",
        name="certified_coverage",
        criterion=matrix.criterion,
        value=float(accepted.mean()) if known else None,
        unit="share of responses",
        n=matrix.n_responses,
        method="share at or above the certified threshold",
        reason=None if known else "no human labels to certify a threshold with",
        no_interval="counted over all responses of the study" if known else None,
        details={"n_accepted": int(np.count_nonzero(accepted))},
    )


def _agreement(matrix: Matrix, calibration: Calibration, ask: Ask) -> Finding:
    n, same = len(calibration.rows), int(calibration.agrees.sum())
    low = high = None
    no_interval = None
    method, assumption = "Clopper-Pearson", "labelled responses are a random sample"
    if n and calibration.clustered:
        result = mean_interval(
            calibration.agrees, clusters=calibration.clusters, alpha=1.0 - ask.level
        )
        low, high, method, no_interval = result.low, result.high, result.method, result.reason
        assumption = "labelled clusters are a random sample"
    elif n:
        ends = clopper_pearson(same, n, level=ask.level)
        low, high = float(ends[0]), float(ends[1])
    return Finding(
        plugin="selective",
        name="human_agreement",
        criterion=matrix.criterion,
        value=same / n if n else None,
        unit="share of labelled responses",
        low=low,
        high=high,
        level=ask.level if low is not None else None,
        n=n,
        method=method,
        assumptions=(assumption,),
        reason=None if n else "no response has both a human label and a panel verdict",
        no_interval=no_interval,
        details={"n_agree": same},
    )
