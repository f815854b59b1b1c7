"""What a certificate made from other logs lets one trust here, and whether it still stands.

A threshold certified on labelled logs (``panopt calibrate``) is applied to logs of the same
judges; of a cascade (``calibrate --cascade``), a threshold of each judge, asked in turn. Two tests
may expire it: drift of the confidences (Anderson & Darling's rank statistic for two samples:
Pettitt 1976), and, where these logs hold labels, a bet against the promise (Ville 1939;
Waudby-Smith & Ramdas 2024). See :mod:`panopt.records.standing` for when, and
:mod:`panopt.stats.drift` for both tests, which stand here under their own names too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from panopt.findings import Finding, Findings
from panopt.records.ask import Ask
from panopt.records.cascade import CASCADE, cascade_consensus
from panopt.records.consensus import Consensus
from panopt.records.matrix import Matrix
from panopt.records.standing import (
    DRIFT_LEVEL,
    RISK_LEVEL,
    Standing,
    certificate_of,
    standing_of,
)
from panopt.spec import hookimpl
from panopt.stats.binomial import clopper_pearson
from panopt.stats.drift import Drift, drift_test, risk_wealth

__all__ = ["Drift", "drift_test", "risk_wealth"]

Details = Mapping[str, float | int | str | bool | None]


@hookimpl
def panopt_analyze(matrix: Matrix, consensus: Consensus, ask: Ask) -> Findings | None:
    """Find what the certificate of this criterion accepts, and what speaks against it."""
    certificate = certificate_of(ask, matrix.criterion)
    if certificate is None:
        return None
    standing = standing_of(certificate, matrix, consensus, ask)
    rows = (
        *_thresholds(matrix, standing),
        _coverage(matrix, standing),
        _drift(matrix, standing),
        _risk(matrix, standing, ask),
    )
    return Findings(rows)


@hookimpl
def panopt_methods() -> tuple[str, ...]:
    """Name the aggregation by the judge that decides in a certified cascade."""
    return (CASCADE,)


@hookimpl
def panopt_aggregate(matrix: Matrix, why: str, ask: Ask) -> Consensus | None:
    """Take the verdict of the judge that decides, in the cascade of a certificate."""
    certificate = certificate_of(ask, matrix.criterion)
    if certificate is None or not certificate.stages:
        raise ValueError("it needs the certificate of a cascade: panopt calibrate --cascade")
    return cascade_consensus(certificate, matrix, why)


def _thresholds(matrix: Matrix, standing: Standing) -> Iterator[Finding]:
    """Tell the threshold of the panel, or of each judge of a cascade that may decide."""
    made, walk = standing.certificate, standing.walk
    if walk is None:
        yield _threshold(matrix, standing, made.threshold)
        return
    for s, stage in enumerate(made.stages):
        if stage.threshold is not None:
            decided = int((walk.stage == s).sum()) if standing.expired is None else 0
            details: Details = {
                "stage": s + 1,
                "source": stage.source,
                "cost": stage.cost,
                "n_reached": int(walk.reached[s].sum()),
                "n_decided": decided,
            }
            least = None if stage.always and not stage.unit else stage.threshold
            yield _threshold(matrix, standing, least, judge=stage.judge, more=details)


def _threshold(
    matrix: Matrix,
    standing: Standing,
    threshold: float | None,
    *,
    judge: str | None = None,
    more: Details | None = None,
) -> Finding:
    made, expired = standing.certificate, standing.expired
    why = (
        "its every verdict is certified, however low its confidence" if threshold is None else None
    )
    why = why if expired is None else standing.refusal()
    return Finding(
        plugin="certificate",
        name="certified_threshold",
        criterion=matrix.criterion,
        subject_kind="panel" if judge is None else "judge",
        subject=judge or "",
        value=None if why else threshold,
        unit="confidence",
        n=made.n_labels,
        method=f"{made.method.replace('_', ' ')}, exact binomial test, on other logs",
        assumptions=("these responses are drawn as the labelled ones were", made.assumption),
        warnings=made.warnings if expired is None else (standing.refusal(),),
        reason=why,
        no_interval=None if why else "a threshold that was tested, not an estimate",
        details={
            "certificate": made.sha256,
            "date": made.date,
            "n": made.n,
            "errors": made.errors,
            "bound": made.bound,
            "alpha": made.alpha,
            "delta": made.delta,
            "expired": expired is not None,
            "same_prompts_vouched": standing.vouched,
            **(more or {}),
        },
    )


def _coverage(matrix: Matrix, standing: Standing) -> Finding:
    n = matrix.n_responses
    accepted = int(standing.accepted.sum())
    known = standing.expired is None and n > 0
    return Finding(
        plugin="certificate",
        name="certified_coverage",
        criterion=matrix.criterion,
        value=accepted / n if known else None,
        unit="share of responses",
        n=n,
        method=(
            "share at or above the threshold of the certificate"
            if standing.walk is None
            else "share that a judge of the certified cascade decides"
        ),
        reason=None if known else "the certificate is expired",
        no_interval="counted over all responses of the study" if known else None,
        details={"n_accepted": accepted if known else 0},
    )


def _drift(matrix: Matrix, standing: Standing) -> Finding:
    first = standing.headline_drift
    details: dict[str, float | int | str | bool | None] = {
        "p_value": standing.p_value,
        "level": DRIFT_LEVEL,
        "n_certified": first.n_reference,
    }
    for name, test in standing.drifts.items():
        details |= {f"{name}_p_value": test.p_value, f"{name}_difference": test.difference}
    value = first.difference
    what = "confidence and number of decisive judges"
    if standing.walk is not None:
        what = "each judge's confidence on the responses that come to it"
    return Finding(
        plugin="certificate",
        name="certificate_drift",
        criterion=matrix.criterion,
        value=value,
        unit="largest difference of distribution functions",
        n=first.n,
        method=f"Anderson-Darling permutation tests of {what}, one response of each cluster",
        assumptions=("clusters are independent",),
        reason=None if value is not None else "no verdict to compare with those certified",
        no_interval="a distance that is tested, not an estimate" if value is not None else None,
        details=details,
        headline=False,
    )


def _risk(matrix: Matrix, standing: Standing, ask: Ask) -> Finding:
    n, errors = standing.n, standing.errors
    low, high = clopper_pearson(errors, n, level=ask.level)
    none = "none of these responses has a human label and a verdict that the certificate accepts"
    return Finding(
        plugin="certificate",
        name="certificate_risk",
        criterion=matrix.criterion,
        value=errors / n if n else None,
        unit="share of accepted verdicts that disagree with the human label",
        low=float(low) if n else None,
        high=float(high) if n else None,
        level=ask.level if n else None,
        n=n,
        method="Clopper-Pearson; a mixture of bets against the promise, good at any time",
        assumptions=("labelled responses are a random sample; one of each cluster counts",),
        reason=None if n else none,
        details={
            "errors": errors,
            "promised": standing.certificate.alpha,
            "wealth": float(np.minimum(standing.wealth, np.finfo(np.float64).max)),
            "expires_at_wealth": 1.0 / RISK_LEVEL,
        },
        headline=n > 0,
    )
