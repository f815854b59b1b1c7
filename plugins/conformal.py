"""How far the human score may lie from the panel's: intervals and label sets that hold.

Conformal prediction needs no model: labelled and new responses must be exchangeable, and a new
residual is then bounded by the calibration ones (Vovk et al. 2005; Lei et al. 2018). Here are all
its forms, from split intervals to risk control; the hook picks by scale and number of labels, by
rules that no calibration label has a part in, so that the coverage it promises is exact.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from panopt.findings import Finding, Findings
from panopt.records.ask import Ask
from panopt.records.calibration import one_of_each_cluster
from panopt.records.conformal_case import ConformalCase, coverage_by_class, exchange_check, law
from panopt.records.conformal_labels import conformal_sets
from panopt.records.consensus import Consensus
from panopt.records.matrix import Matrix
from panopt.spec import hookimpl
from panopt.stats.conformal_betting import LossBound, loss_upper
from panopt.stats.conformal_crossfit import CrossConformal, cv_plus, cv_plus_interval
from panopt.stats.conformal_exchange import (
    ExchangeTest,
    Martingale,
    conformal_martingale,
    exchangeability_test,
)
from panopt.stats.conformal_expected import ExpectedError, expected_error
from panopt.stats.conformal_groups import GroupThresholds, mondrian_threshold
from panopt.stats.conformal_learned import (
    IntervalPlan,
    LearnedIntervals,
    learned_intervals,
    plan_intervals,
)
from panopt.stats.conformal_online import AdaptiveResult, AdaptiveThreshold, adaptive_conformal
from panopt.stats.conformal_quantiles import QuantileIntervals, cqr, cqr_scores, panel_features
from panopt.stats.conformal_recalibration import RecalibratedPanel, recalibrated_panel
from panopt.stats.conformal_risk import (
    RiskControl,
    conformal_risk_control,
    risk_controlling_setting,
)
from panopt.stats.conformal_selection import ConformalSelection, conformal_selection
from panopt.stats.conformal_sets import (
    LabelCoverage,
    class_conditional_threshold,
    class_coverage,
    label_scores,
    label_sets,
    label_threshold,
    left_out_coverage,
)
from panopt.stats.conformal_split import (
    SplitThreshold,
    ordinal_levels,
    split_interval,
    split_threshold,
    too_few,
)
from panopt.stats.conformal_spread import SpreadChoice, choose_spread, floored_spread
from panopt.stats.conformal_weighted import WeightedThreshold, weighted_threshold

__all__ = [
    "AdaptiveResult",
    "AdaptiveThreshold",
    "ConformalSelection",
    "CrossConformal",
    "ExchangeTest",
    "ExpectedError",
    "GroupThresholds",
    "IntervalPlan",
    "LabelCoverage",
    "LearnedIntervals",
    "LossBound",
    "Martingale",
    "QuantileIntervals",
    "RecalibratedPanel",
    "RiskControl",
    "SplitThreshold",
    "SpreadChoice",
    "WeightedThreshold",
    "adaptive_conformal",
    "choose_spread",
    "class_conditional_threshold",
    "class_coverage",
    "conformal_martingale",
    "conformal_risk_control",
    "conformal_selection",
    "cqr",
    "cqr_scores",
    "cv_plus",
    "cv_plus_interval",
    "exchangeability_test",
    "expected_error",
    "floored_spread",
    "label_scores",
    "label_sets",
    "label_threshold",
    "learned_intervals",
    "loss_upper",
    "mondrian_threshold",
    "ordinal_levels",
    "panel_features",
    "plan_intervals",
    "recalibrated_panel",
    "risk_controlling_setting",
    "split_interval",
    "split_threshold",
    "weighted_threshold",
]

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]

#: On two values a half-width is 0 or the whole scale.
_TWO_SIDED = (
    "a score of two values is right or wrong: an interval around it says nothing; see the "
    "certified threshold for which verdicts agree with humans"
)
#: Fewest labels of a task family with an interval width of its own.
_FAMILY = 50


@hookimpl
def panopt_analyze(
    matrix: Matrix, consensus: Consensus, ask: Ask, rng: np.random.Generator
) -> Findings | None:
    """Bound human scores around the panel's, give sets of labels, and check what both rest on."""
    exchange, warnings = exchange_check(matrix, consensus, ask, rng)
    case = ConformalCase(matrix, consensus, ask, warnings)
    kind = matrix.scale.kind
    if kind == "nominal":
        about = Findings((_nothing(case, 0, "labels have no distance on a nominal scale"),))
    elif kind in {"binary", "pairwise"}:
        about = Findings((_nothing(case, matrix.n_labelled, _TWO_SIDED),))
    else:
        about = _intervals(case, rng)
    found = Findings.merge([about, conformal_sets(case)])
    if not found.columns:  # nothing was promised that could rest on it
        return found
    notes = [f"{matrix.criterion}: {warning}" for warning in warnings]
    return Findings((*found.rows, *exchange), found.columns, (*notes, *found.notes))


def _intervals(case: ConformalCase, rng: np.random.Generator) -> Findings:
    """Give every response its interval, by task family where families have labels enough."""
    matrix, consensus, ask = case.matrix, case.consensus, case.ask
    human, value = matrix.human_mean, consensus.blind_value
    labelled = np.flatnonzero(~np.isnan(human - value))
    rows, clustered = one_of_each_cluster(labelled, matrix.clusters, seed=ask.seed)
    bound = split_threshold(np.zeros(len(rows)), alpha=ask.alpha)
    if not np.isfinite(bound.value):
        what = "clusters with a label" if clustered else "labels"
        reason = too_few(bound.n, ask.alpha, bound.labels_needed, what)
        return Findings((_nothing(case, bound.n, reason, bound.labels_needed),))
    plan = plan_intervals(
        value, matrix.scores(), _spread(consensus), human, rows, alpha=ask.alpha, rng=rng
    )
    at = plan.calibrate
    unit = np.ones(len(value)) if plan.spread is None else plan.spread
    residual = np.abs(human[at] - plan.centre[at]) / unit[at]
    bound = split_threshold(residual, alpha=ask.alpha)
    groups = _by_family(matrix, at, residual, ask.alpha)
    if groups is None:
        half, held = bound.value * unit, left_out_coverage(residual, alpha=ask.alpha)
    else:
        families = np.array([*matrix.names["family"], ""])
        half = groups.threshold_of(families)[matrix.response_ids["family"]] * unit
        held = _held_by_family(groups, families[matrix.response_ids["family"][at]], residual, ask)
    reach = np.maximum(half, np.finfo(np.float64).tiny)  # a width of 0 is a width too
    low, high = split_interval(plan.centre, 1.0, scale_low=0.0, scale_high=1.0, spread=reach)
    sides, warned = coverage_by_class(
        case,
        "conformal_class_coverage",
        ["humans fail", "humans pass"],
        codes=(human[at] >= ask.threshold).astype(np.int64),
        held=held,
        what="share of human scores inside the interval",
    )
    constant = plan.spread is None and groups is None
    assumptions = (bound.assumption, *clustered)
    if plan.n_learned:
        assumptions += ("labels that were learned from are others than those that calibrate",)
    finding = case.row(
        "conformal_halfwidth",
        bound.value if constant else float(half[~np.isnan(plan.centre)].mean()),
        n=bound.n,
        method=_method(plan, groups, ask),
        headline=True,
        no_interval="it is itself the bound of an interval",
        assumptions=assumptions,
        warnings=(*case.warnings, *warned),
        details={
            **law(bound),
            "n_learned": plan.n_learned,
            "recalibrated": plan.recalibrated,
            "normalised": plan.spread is not None,
            "by_family": groups is not None,
            **_levels_held(matrix, low, high),
        },
    )
    by_family = [] if groups is None else _family_rows(case, groups, unit, plan)
    notes = tuple(f"{matrix.criterion}: {warning}" for warning in warned)
    columns = {"conformal_low": low, "conformal_high": high}
    return Findings((finding, *sides, *by_family), columns, notes)


def _by_family(
    matrix: Matrix, rows: Rows, residual: Floats, alpha: float
) -> GroupThresholds | None:
    """Calibrate each task family on its own; None where no two have labels enough."""
    names = matrix.names["family"]
    if len(names) < 2:
        return None
    families = np.array([*names, ""])[matrix.response_ids["family"][rows]]
    found = mondrian_threshold(residual, families, alpha=alpha, least=_FAMILY)
    return found if len(found.groups) > 1 else None


def _held_by_family(
    groups: GroupThresholds, families: NDArray[np.str_], residual: Floats, ask: Ask
) -> NDArray[np.bool_]:
    """Tell which labels the bounds made without them hold, each family by its own labels."""
    held = np.zeros(len(residual), dtype=np.bool_)
    rest = np.ones(len(residual), dtype=np.bool_)
    for name in groups.groups:
        own = families == name
        held[own] = left_out_coverage(residual[own], alpha=ask.alpha)
        rest &= ~own
    if rest.any() and groups.pooled_over == "pooled groups":
        held[rest] = left_out_coverage(residual[rest], alpha=ask.alpha)
    elif rest.any():
        held[rest] = left_out_coverage(residual, alpha=ask.alpha)[rest]
    return held


def _method(plan: IntervalPlan, groups: GroupThresholds | None, ask: Ask) -> str:
    said = f"split conformal, coverage {1 - ask.alpha:g}"
    if plan.n_learned:
        said += f", {plan.reason}"
    if groups is not None:
        said += f"; within each of {len(groups.groups)} task families"
        if groups.pooled:
            said += f", {len(groups.pooled)} with too few labels pooled"
    if groups is not None or plan.spread is not None:
        said += " (mean half-width)"
    return said


def _family_rows(
    case: ConformalCase, found: GroupThresholds, unit: Floats, plan: IntervalPlan
) -> list[Finding]:
    matrix = case.matrix
    code = np.where(np.isnan(plan.centre), -1, matrix.response_ids["family"])
    count = np.bincount(code + 1, minlength=len(matrix.names["family"]) + 1)[1:]
    total = np.bincount(code + 1, weights=unit, minlength=len(count) + 1)[1:]
    place = {name: at for at, name in enumerate(matrix.names["family"])}
    named = list(zip(found.groups, found.thresholds, strict=True))
    if found.pooled_threshold is not None:
        named += [(name, found.pooled_threshold) for name in found.pooled if name in place]
    rows = []
    for name, bound in named:
        own = name in found.groups
        over = "within the family" if own else f"on average over {found.pooled_over}"
        at = place[name]
        rows.append(
            case.row(
                "conformal_family_halfwidth",
                bound.value * float(total[at] / count[at]),
                n=bound.n,
                method=f"split conformal, coverage {1 - case.ask.alpha:g} {over}",
                subject_kind="group",
                subject=name,
                no_interval="it is itself the bound of an interval",
                assumptions=(bound.assumption,),
                details={**law(bound), "pooled": not own},
            )
        )
    return rows


def _spread(consensus: Consensus) -> Floats:
    """Give the posterior sd where it tells responses apart, else the spread of the judges."""
    sd = consensus.blind_sd
    known = sd[~np.isnan(sd)]
    if known.size and float(known.std()) > 0.01 * float(known.mean()):
        return sd
    return consensus.spread


def _levels_held(matrix: Matrix, low: Floats, high: Floats) -> dict[str, float]:
    """Count the levels of an ordinal scale that an interval holds, on average."""
    levels = matrix.scale.levels
    known = ~np.isnan(low)
    if levels is None or not known.any():
        return {}
    first, last = ordinal_levels(low[known], high[known], matrix.scale.normalise(levels))
    return {"levels_held": float(np.mean(last - first + 1)), "levels": len(levels)}


def _nothing(case: ConformalCase, n: int, reason: str, labels_needed: int | None = None) -> Finding:
    return case.row(
        "conformal_halfwidth",
        None,
        n=n,
        method=f"split conformal, coverage {1 - case.ask.alpha:g}",
        headline=case.matrix.scale.kind in {"ordinal", "continuous"},  # else there never is one
        reason=reason,
        details={"labels_needed": labels_needed},
    )
