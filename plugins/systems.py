"""Mean score and pass rate of each system, with intervals over the items.

The mean of the panel's unshrunk estimates; epochs of one item are one cluster. The interval is in
:func:`panopt.stats.mean.mean_interval`, which stands here as :func:`system_mean`: cluster-robust,
Student's t at clusters - 1 degrees of freedom, Wilson's shape for scores in [0, 1].
"""

from __future__ import annotations

import numpy as np

from panopt.findings import Finding, Findings
from panopt.records.ask import Ask
from panopt.records.consensus import Consensus
from panopt.records.matrix import Matrix
from panopt.spec import hookimpl
from panopt.stats.mean import MeanInterval as SystemMean
from panopt.stats.mean import mean_interval as system_mean

__all__ = ["SystemMean", "system_mean"]


@hookimpl
def panopt_analyze(matrix: Matrix, consensus: Consensus, ask: Ask) -> Findings | None:
    """Find the mean score and the pass rate of every system."""
    rows: list[Finding] = []
    for code in np.unique(matrix.systems).tolist():
        if matrix.scale.kind == "nominal":
            rows.append(_no_mean(matrix, code))
        else:
            rows += (
                _mean(matrix, consensus, ask, code),
                _pass_rate(matrix, consensus, ask, code),
            )
    return Findings(tuple(rows))


def _name(matrix: Matrix, code: int) -> str:
    return matrix.names["system"][code] if code >= 0 else ""


def _mean(matrix: Matrix, consensus: Consensus, ask: Ask, code: int) -> Finding:
    of = matrix.systems == code
    kept = of & ~np.isnan(consensus.estimate)
    shared = consensus.shared_sd
    result = system_mean(
        consensus.estimate[kept],
        clusters=matrix.clusters[kept],
        alpha=1.0 - ask.level,
        shared_sd=float(shared[kept].mean()) if shared is not None and kept.any() else 0.0,
    )
    left_out = int(np.count_nonzero(of & ~kept))
    passed = consensus.verdict[of & (consensus.verdict >= 0)]
    against = (
        "judge bias is measured against the human labels"
        if consensus.anchor == "humans"
        else "the panel's own mean stands for the truth: a bias of all judges is in the value"
    )
    return _finding(
        matrix,
        ask,
        "mean",
        _name(matrix, code),
        result,
        assumptions=(*result.assumptions, against),
        warnings=("responses without a panel value are left out",) if left_out else (),
        details={
            "n_clusters": result.n_clusters,
            "se": result.se,
            "n_inconclusive": left_out,
            "pass_rate": float(np.mean(passed)) if passed.size else None,
        },
    )


def _pass_rate(matrix: Matrix, consensus: Consensus, ask: Ask, code: int) -> Finding:
    of = matrix.systems == code
    kept = of & (consensus.verdict >= 0)
    result = system_mean(
        consensus.verdict[kept], clusters=matrix.clusters[kept], alpha=1.0 - ask.level
    )
    return _finding(
        matrix,
        ask,
        "pass_rate",
        _name(matrix, code),
        result,
        unit="share of responses",
        assumptions=(*result.assumptions, "the panel's verdicts stand for the truth"),
        details={
            "n_clusters": result.n_clusters,
            "se": result.se,
            "n_inconclusive": int(np.count_nonzero(of & ~kept)),
            "threshold": ask.threshold,
        },
    )


def _finding(  # noqa: PLR0913 - one argument a field
    matrix: Matrix,
    ask: Ask,
    name: str,
    system: str,
    result: SystemMean,
    *,
    assumptions: tuple[str, ...],
    details: dict[str, float | int | str | bool | None],
    unit: str = "score in [0, 1]",
    warnings: tuple[str, ...] = (),
) -> Finding:
    return Finding(
        plugin="systems",
        name=name,
        criterion=matrix.criterion,
        subject_kind="system",
        subject=system,
        value=result.value,
        unit=unit,
        low=result.low,
        high=result.high,
        level=ask.level if result.low is not None else None,
        n=result.n,
        method=f"mean, cluster-robust; {result.method}",
        assumptions=assumptions,
        warnings=warnings,
        reason=None if result.value is not None else result.reason,
        no_interval=result.reason if result.value is not None else None,
        details=details,
    )


def _no_mean(matrix: Matrix, code: int) -> Finding:
    return Finding(
        plugin="systems",
        name="mean",
        criterion=matrix.criterion,
        subject_kind="system",
        subject=_name(matrix, code),
        value=None,
        n=int(np.count_nonzero(matrix.systems == code)),
        method="mean",
        reason="labels on a nominal scale have no mean",
    )
