"""Check the panel's promises, its intervals and probabilities, against human labels.

Coverage of intervals, over all and by group with all groups held at once, and how it trades with
width (`panopt.stats.coverage`); the Hosmer-Lemeshow test of probabilities with the degrees of
freedom that fit their origin (`panopt.stats.goodness`).
"""

from __future__ import annotations

import numpy as np

from panopt.findings import Finding, Findings
from panopt.records.ask import Ask
from panopt.records.calibration import calibrate, one_of_each_cluster
from panopt.records.consensus import Consensus
from panopt.records.matrix import Matrix
from panopt.spec import hookimpl
from panopt.stats.coverage import (
    Coverage,
    CoverageWidth,
    coverage_width,
    holm,
    interval_coverage,
)
from panopt.stats.goodness import GoodnessOfFit, hosmer_lemeshow

__all__ = [
    "Coverage",
    "CoverageWidth",
    "GoodnessOfFit",
    "coverage_width",
    "holm",
    "hosmer_lemeshow",
    "interval_coverage",
]


@hookimpl
def panopt_analyze(matrix: Matrix, consensus: Consensus, ask: Ask) -> Findings | None:
    """Check the panel's own intervals and confidence on the responses that humans judged."""
    if not matrix.n_labelled and not matrix.human_votes.row.size:
        return None
    rows, notes = _intervals(matrix, consensus, ask)
    rows.append(_fit(matrix, consensus, ask))
    return Findings(tuple(rows), notes=tuple(notes))


def _intervals(matrix: Matrix, consensus: Consensus, ask: Ask) -> tuple[list[Finding], list[str]]:
    """Check the intervals of the panel's model, value -+ z sd, against the human score."""
    from scipy.special import ndtri  # noqa: PLC0415 - scipy is imported late

    method = f"does {consensus.method}'s {ask.level:.0%} interval hold the human score"
    labelled = np.flatnonzero(~np.isnan(matrix.human_mean))
    usable = ~(np.isnan(consensus.blind_value[labelled]) | np.isnan(consensus.blind_sd[labelled]))
    if not usable.any():
        reason = (
            f"{consensus.method} gives no interval of its own"
            if labelled.size
            else "no response has a human score"
        )
        return [_row(matrix, None, method, reason=reason, n=0)], []
    at = labelled[usable]
    reach = float(ndtri((1.0 + ask.level) / 2.0)) * consensus.blind_sd[at]
    family = matrix.response_ids["family"][at]
    families = matrix.names["family"]
    named = np.array([*families, ""], dtype=object)[family].astype(str) if families else None
    found = interval_coverage(
        matrix.human_mean[at],
        consensus.blind_value[at] - reach,
        consensus.blind_value[at] + reach,
        nominal=ask.level,
        groups=named,
        clusters=matrix.clusters[at],
        level=ask.level,
    )
    rows = [_row(matrix, found, method, n=found.n)]
    if len(found.groups) > 1:
        rows += [_group_row(matrix, found, k, method) for k in range(len(found.groups))]
    notes = []
    if found.high is not None and found.high < ask.level:
        notes.append(
            f"{matrix.criterion}: the panel's {ask.level:.0%} intervals hold the human score of "
            f"only {found.value:.0%} of responses: trust the conformal ones instead"
        )
    return rows, notes


_ASSUMPTIONS = (
    "labelled responses are a random sample",
    "human scores have errors of their own, which the panel's intervals do not allow for",
)


def _row(
    matrix: Matrix, found: Coverage | None, method: str, *, n: int, reason: str | None = None
) -> Finding:
    interval = found is not None and found.low is not None
    return Finding(
        plugin="coverage",
        name="interval_coverage",
        criterion=matrix.criterion,
        value=None if found is None else found.value,
        unit="share of responses",
        low=None if found is None else found.low,
        high=None if found is None else found.high,
        level=found.level if found is not None and interval else None,
        n=n,
        method=method if found is None else f"{method}; {found.method}",
        assumptions=_ASSUMPTIONS,
        reason=reason,
        no_interval=None if found is None or interval else "one cluster gives no interval",
        details={}
        if found is None
        else {"nominal": found.nominal, "p_value": found.p_value, "n_missing": found.n_missing},
        headline=False,
    )


def _group_row(matrix: Matrix, found: Coverage, k: int, method: str) -> Finding:
    p_value = float(found.group_p_value[k])
    return Finding(
        plugin="coverage",
        name="interval_coverage",
        criterion=matrix.criterion,
        subject_kind="group",
        subject=found.groups[k],
        value=float(found.group_value[k]),
        unit="share of responses",
        low=float(found.group_low[k]),
        high=float(found.group_high[k]),
        level=found.level,
        n=int(found.group_n[k]),
        method=f"{method}; {found.method}",
        assumptions=_ASSUMPTIONS,
        details={"nominal": found.nominal, "p_value": None if np.isnan(p_value) else p_value},
        headline=False,
    )


def _fit(matrix: Matrix, consensus: Consensus, ask: Ask) -> Finding:
    """Test whether the panel's confidence fits how often it is right, one of each cluster."""
    labelled = calibrate(matrix, consensus, ask)
    place = np.full(matrix.n_responses, -1, dtype=np.int64)
    place[labelled.rows] = np.arange(labelled.rows.size)
    rows, note = one_of_each_cluster(labelled.rows, matrix.clusters, seed=ask.seed)
    at = place[rows]
    found = hosmer_lemeshow(labelled.confidence[at], labelled.agrees[at])
    infinite = found.statistic is not None and np.isinf(found.statistic)
    return Finding(
        plugin="coverage",
        name="hosmer_lemeshow_p",
        criterion=matrix.criterion,
        value=found.p_value,
        unit="p-value",
        n=int(rows.size),
        method="could calibrated confidence look as far off as this by chance: " + found.method,
        assumptions=("labelled responses are a random sample", *note),
        reason=found.reason,
        no_interval=None if found.reason else "a p-value has none",
        details={
            "statistic": None if infinite else found.statistic,
            "df": found.df,
            "groups": int(found.n.size),
        },
        headline=False,
    )
