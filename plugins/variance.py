"""Say how much of the scores' variance is the responses and how much is the judges.

Components of variance by generalizability theory (`panopt.stats.components`), the spread of a
judge's repeats (`panopt.stats.variance_within`), its split into what asking again and what asking
another judge would settle (`panopt.stats.variance_split`), and the design that reaches a wanted
standard error at least cost (`panopt.stats.design`).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from panopt.findings import Finding, Findings, finite
from panopt.records.ask import Ask
from panopt.records.matrix import Matrix
from panopt.spec import hookimpl
from panopt.stats.components import (
    FEW_ITEMS,
    PARTS,
    Component,
    VarianceComponents,
    variance_components,
)
from panopt.stats.design import DecisionStudy, Design, check_wish, decision_study
from panopt.stats.mean import mean_interval
from panopt.stats.variance_split import UncertaintySplit, split_items, uncertainty_split
from panopt.stats.variance_sums import MOST_JUDGES
from panopt.stats.variance_within import (
    ModalShare,
    SelfConsistency,
    modal_share,
    modal_shares,
    self_consistency,
    within_judge,
)

__all__ = [
    "Component",
    "DecisionStudy",
    "Design",
    "ModalShare",
    "SelfConsistency",
    "UncertaintySplit",
    "VarianceComponents",
    "check_wish",
    "decision_study",
    "matrix_components",
    "modal_share",
    "self_consistency",
    "uncertainty_split",
    "variance_components",
]

Details = Mapping[str, float | int | str | bool | None]

_UNIT = "variance of scores in [0, 1]"
_SHARE = "share of the variance of a single score"
_METHOD = "random effects, fitting constants (Henderson III); generalized confidence interval"
_ASSUMES = (
    "responses of a system and judges are random draws, judge effects normal",
    "the variances are alike for all judges",
)
_NOISE = "judge_noise_share"
_MOSTLY_NOISE = 0.5


def matrix_components(
    matrix: Matrix, *, level: float, rng: np.random.Generator
) -> VarianceComponents | str:
    """Estimate the components of one criterion, or say why it has none.

    Systems have means of their own; responses of one cluster (the item) go together.
    """
    votes = matrix.votes
    if matrix.scale.kind == "nominal":
        return "labels on a nominal scale have no variance"
    if np.isnan(votes.score).all():
        return "no judge gave a score"
    if matrix.n_judges > MOST_JUDGES:
        return f"{matrix.n_judges} judges; at most {MOST_JUDGES} can be told apart"
    return variance_components(
        votes.response,
        votes.judge,
        votes.score,
        system=matrix.systems,
        clusters=matrix.clusters,
        level=level,
        rng=rng,
    )


@hookimpl
def panopt_analyze(matrix: Matrix, ask: Ask, rng: np.random.Generator) -> Findings | None:
    """Say where the variance of one criterion's scores comes from, and how steady judges are."""
    if matrix.scale.kind == "nominal":
        return _steadiness_of_labels(matrix, ask)
    found = matrix_components(matrix, level=ask.level, rng=rng)
    if isinstance(found, str):
        unknown = Component(None, reason=found)
        return Findings((_finding(matrix, _NOISE, unknown, ask.level, {}, headline=False),))
    few = FEW_ITEMS in found.notes
    rows = [
        _finding(
            matrix,
            f"variance_{name}",
            getattr(found, name),
            found.level,
            _details(found, name),
            headline=False,
            few=name == "item" and few,
        )
        for name in PARTS
    ]
    share = found.noise_share.value
    about = _share_details(found)
    known = share is not None
    share_row = found.noise_share, found.level, about
    rows.append(_finding(matrix, _NOISE, *share_row, headline=known, few=few))
    notes = []
    if share is not None and share >= _MOSTLY_NOISE:
        notes.append(
            f"{matrix.criterion}: {share:.0%} of the variance of a single score is judge noise; "
            "`panopt power --design` with --se says how many items and judges make up for it"
        )
    if found.repeat.reason is not None:
        return Findings(tuple(rows), notes=tuple(notes))
    more, columns = _repeats(matrix, found, ask)
    return Findings((*rows, *more), columns, tuple(notes))


def _finding(  # noqa: PLR0913 - the parts of one record
    matrix: Matrix,
    name: str,
    part: Component,
    level: float,
    details: Details,
    *,
    headline: bool,
    few: bool = False,
) -> Finding:
    value = part.value
    warnings = []
    if part.raw is not None and part.raw < 0:
        warnings.append(f"estimated at {part.raw:.3g}, taken as 0")
    if few and part.low is not None:
        warnings.append(FEW_ITEMS)
    return Finding(
        plugin="variance",
        name=name,
        criterion=matrix.criterion,
        value=value,
        unit=_SHARE if name == _NOISE else _UNIT,
        low=part.low,
        high=part.high,
        level=None if part.low is None else level,
        n=matrix.n_responses,
        method=_METHOD,
        assumptions=_ASSUMES,
        warnings=tuple(warnings),
        reason=part.reason,
        no_interval=part.no_interval,
        details=details,
        headline=headline,
    )


def _details(found: VarianceComponents, name: str) -> Details:
    part: Component = getattr(found, name)
    confounded = name == "item_judge" and found.repeat.reason is not None
    return {
        "df": part.df,
        "sd": None if part.value is None else float(np.sqrt(part.value)),
        "holds_repeat": True if confounded else None,
    }


def _share_details(found: VarianceComponents) -> Details:
    item, judge, cross, repeat = found.values().tolist()
    noise = (judge + cross + repeat / found.repeats) / found.scores_per_item
    whole = item + noise
    return {
        "of_panel_mean": noise / whole if whole > 0 and found.noise_share.value else None,
        "judges": found.n_judges,
        "balanced": found.balanced,
    }


def _repeats(
    matrix: Matrix, found: VarianceComponents, ask: Ask
) -> tuple[list[Finding], dict[str, NDArray[np.float64]]]:
    """Say what repeats tell: each judge's own spread, and each response's two uncertainties."""
    votes = matrix.votes
    there = ~np.isnan(votes.score)
    response, judge, score = (
        votes.response[there],
        votes.judge[there],
        votes.score[there],
    )
    split = split_items(response, judge, score, matrix.n_responses, found)
    both = {"aleatoric": split.mean_aleatoric, "epistemic": split.mean_epistemic}
    rows = [
        _finding(matrix, f"{name}_variance", part, found.level, {}, headline=False)
        for name, part in both.items()
    ]
    spread = within_judge(
        response,
        judge,
        score,
        matrix.n_judges,
        clusters=matrix.clusters,
        level=ask.level,
    )
    for name, (value, low, high, n) in zip(matrix.judges, spread.tolist(), strict=True):
        known = finite(low) is not None and finite(high) is not None
        none = "all its repeats are equal" if value == 0 else "its repeats are of one item"
        rows.append(
            Finding(
                plugin="variance",
                name="within_judge_sd",
                criterion=matrix.criterion,
                subject_kind="judge",
                subject=name,
                value=finite(value),
                low=finite(low) if known else None,
                high=finite(high) if known else None,
                level=ask.level if known else None,
                n=int(n),
                method="standard deviation of repeats, pooled over responses; chi-square interval",
                assumptions=(
                    "repeats are independent draws",
                    "responses are a random sample",
                ),
                reason=None if n else "it scored no response twice",
                no_interval=None if known else none,
                headline=False,
            )
        )
    columns = {
        "aleatoric_sd": np.sqrt(split.aleatoric),
        "epistemic_sd": np.sqrt(split.epistemic),
    }
    return rows, columns


def _steadiness_of_labels(matrix: Matrix, ask: Ask) -> Findings | None:
    """Say how often each judge's repeats give its commonest label; nothing without repeats."""
    votes = matrix.votes
    given = votes.label >= 0
    cell = votes.response[given].astype(np.int64) * matrix.n_judges + votes.judge[given]
    cells, place = np.unique(cell, return_inverse=True)
    shares, _ = modal_shares(place, votes.label[given], cells.size)
    known = ~np.isnan(shares)
    if not known.any():
        return None
    shares, cells = shares[known], cells[known]
    response, judge = cells // matrix.n_judges, cells % matrix.n_judges
    rows = []
    for code, name in enumerate(matrix.judges):
        own = judge == code
        found = mean_interval(
            shares[own], clusters=matrix.clusters[response[own]], alpha=1 - ask.level
        )
        rows.append(
            Finding(
                plugin="variance",
                name="modal_share",
                criterion=matrix.criterion,
                subject_kind="judge",
                subject=name,
                value=found.value,
                unit="share of repeats",
                low=found.low,
                high=found.high,
                level=None if found.low is None else ask.level,
                n=found.n,
                method=f"share of repeats that give the commonest label; {found.method}",
                assumptions=found.assumptions,
                reason="it judged no response twice" if found.value is None else None,
                no_interval=found.reason if found.value is not None else None,
                headline=False,
            )
        )
    sums = np.bincount(response, weights=shares, minlength=matrix.n_responses)
    counts = np.bincount(response, minlength=matrix.n_responses)
    nan = np.full(matrix.n_responses, np.nan)
    column = np.divide(sums, counts, out=nan, where=counts > 0)
    return Findings(tuple(rows), {"modal_share": column})
