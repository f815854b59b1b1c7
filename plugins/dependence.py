"""Say whether judges err together: how many independent judges a panel is worth, whom to doubt.

Residual correlations of judges and the effective number of judges (Kish 1965, section 5.4:
J / (1 + (J - 1) rho)), against human labels where there are enough, else against one common cause
of the scores (`panopt.stats.dependence`); makers that judges share with each other or with the
system under test; and the marks of a camp that errs together (`panopt.stats.dependence_distrust`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from panopt.findings import Finding, Findings, finite
from panopt.records.ballots import ballots
from panopt.records.calibration import human_verdicts
from panopt.records.families import family_warnings, same_model
from panopt.spec import hookimpl
from panopt.stats.dependence import Dependence, effective_number, residual_correlation
from panopt.stats.dependence_distrust import (
    Distrust,
    opposed_judges,
    panel_distrust,
)

if TYPE_CHECKING:
    from panopt.records.ask import Ask
    from panopt.records.consensus import Consensus
    from panopt.records.matrix import Matrix

__all__ = [
    "Dependence",
    "Distrust",
    "effective_number",
    "opposed_judges",
    "panel_distrust",
    "residual_correlation",
]

FloatArray = NDArray[np.float64]

_LABELLED = 20  # from here on errors are taken against humans
_MOST_JUDGES = 60
_MOST_PAIRS = 45
_MANY_LABELS = 1000  # distinct labels from which on these are texts, not labels
_NOTABLE = 0.1
_MODELS = ("dawid_skene", "mace", "one_coin", "gaussian", "ordinal_probit", "ordinal")
_LABEL_50 = "label about 50 responses by hand and pass them with --labels"


@hookimpl
def panopt_analyze(
    matrix: Matrix, consensus: Consensus, ask: Ask, rng: np.random.Generator
) -> Findings | None:
    """Say how the errors of the judges of one criterion go together."""
    families = _families(matrix, ask)
    votes = ballots(matrix)[0]
    kept = _most_active(votes)
    some = votes[:, kept]
    names = [matrix.judges[judge] for judge in kept.tolist()]
    by_label = matrix.scale.kind in ("binary", "pairwise", "nominal")
    if by_label and matrix.scale.kind != "nominal":
        some = _three_way(some, matrix.scale.kind, ask.threshold)

    def correlate(truth: FloatArray | None) -> Dependence:
        return residual_correlation(
            some,
            truth=truth,
            labels=by_label,
            clusters=matrix.clusters,
            n_boot=ask.n_boot if ask.n_boot > 1 else 0,
            rng=rng,
            alpha=1.0 - ask.level,
            judges=names,
        )

    human = _truth(matrix, ask, by_label=by_label)
    n_human = int(np.count_nonzero(~np.isnan(human)))
    blind = correlate(None)
    found = correlate(human) if n_human >= _LABELLED else blind
    notes: list[str] = []
    marks: list[str] = []
    if blind.reason is None:
        note = _distrust(some, blind, names, by_label=by_label, labelled=n_human)
        if note is not None:
            marks.append("judges form camps that one truth does not explain (see the notes)")
            notes.append(f"{matrix.criterion}: {note}")
    notes += [f"{matrix.criterion}: {text}" for text in _copies(blind, found, names)]
    widening = _not_widened(consensus, found)
    if widening is not None:
        notes.append(f"{matrix.criterion}: {widening}")
    if len(kept) < matrix.n_judges:
        notes.append(
            f"{matrix.criterion}: dependence is that of the {len(kept)} judges with most votes, "
            f"of {matrix.n_judges}"
        )
    rows = [
        _effective(matrix, ask, found, n_human, warnings=(*families, *marks)),
        *_pairs(matrix, ask, found, names),
    ]
    return Findings(tuple(rows), notes=tuple(notes))


def _families(matrix: Matrix, ask: Ask) -> tuple[str, ...]:
    judges = [
        judge
        for judge, kind in zip(matrix.judges, matrix.judge_kinds, strict=True)
        if kind == "llm"
    ]
    return family_warnings(judges, matrix.names["system"], overrides=ask.families)


def _most_active(votes: FloatArray) -> NDArray[np.intp]:
    """Choose the judges with most votes, in their order."""
    given = np.count_nonzero(~np.isnan(votes), axis=0)
    return np.sort(np.argsort(-given, kind="stable")[:_MOST_JUDGES])


def _three_way(votes: FloatArray, kind: str, threshold: float) -> FloatArray:
    """Code votes as 0 against, 1 for, and 2 for a tie where there are ties."""
    side = (votes >= threshold).astype(np.float64)
    if kind == "pairwise":
        side = np.where(votes == 0.5, 2.0, votes > 0.5)
    return np.where(np.isnan(votes), np.nan, side)


def _truth(matrix: Matrix, ask: Ask, *, by_label: bool) -> FloatArray:
    if not by_label:
        return matrix.human_mean
    verdict = human_verdicts(matrix, threshold=ask.threshold)
    return np.where(verdict >= 0, verdict, np.nan)


def _effective(
    matrix: Matrix,
    ask: Ask,
    found: Dependence,
    n_human: int,
    *,
    warnings: tuple[str, ...],
) -> Finding:
    against_humans = found.basis == "truth"
    interval = found.effective_low is not None
    assumptions = (
        ("the human labels are the truth: what errors they have count as shared by the judges",)
        if against_humans
        else (
            "an error that all judges share cannot be seen without human labels: at most so many",
        )
    )
    clustered = int(matrix.clusters.max(initial=-1)) + 1 < matrix.n_responses
    return Finding(
        plugin="dependence",
        name="effective_judges",
        criterion=matrix.criterion,
        value=found.effective,
        unit=f"independent judges, of {matrix.n_judges}",
        low=found.effective_low,
        high=found.effective_high,
        level=ask.level if interval else None,
        n=n_human if against_humans else matrix.n_responses,
        method=(
            "how many judges erring independently would do as well; "
            + ("errors against human labels" if against_humans else "from the scores alone")
            + (f"; bootstrap over {'clusters' if clustered else 'responses'}" if interval else "")
        ),
        assumptions=assumptions,
        warnings=warnings,
        reason=found.reason,
        no_interval=found.no_interval,
        details={
            "correlation": found.mean,
            "correlation_low": found.mean_low,
            "correlation_high": found.mean_high,
            "against": "humans" if against_humans else "panel",
            "unexplained_agreement": found.unexplained,
        },
    )


def _pairs(matrix: Matrix, ask: Ask, found: Dependence, names: list[str]) -> list[Finding]:
    """Give the pairs of judges, the most correlated first where there are many."""
    first, second = np.nonzero(np.triu(~np.isnan(found.correlation), 1))
    order = np.argsort(-found.correlation[first, second], kind="stable")[:_MOST_PAIRS]
    against = "human labels" if found.basis == "truth" else "one common cause of all scores"
    rows = []
    for k in np.sort(order).tolist():
        i, j = int(first[k]), int(second[k])
        value = float(found.correlation[i, j])
        low, high = finite(found.low[i, j]), finite(found.high[i, j])
        rows.append(
            Finding(
                plugin="dependence",
                name="residual_correlation",
                criterion=matrix.criterion,
                subject_kind="judge_pair",
                subject=f"{names[i]} ~ {names[j]}",
                value=value,
                unit="correlation of errors",
                low=low,
                high=high,
                level=ask.level if low is not None and high is not None else None,
                n=int(found.n[i, j]),
                method=f"correlation of what is left of two judges' scores after {against}",
                no_interval=None if low is not None else found.no_interval or "no draws",
                details={
                    "p_value_adjusted": finite(found.p_value[i, j]),
                    "same_model": same_model(names[i], names[j]),
                },
                headline=False,
            )
        )
    return rows


def _distrust(
    votes: FloatArray,
    blind: Dependence,
    names: list[str],
    *,
    by_label: bool,
    labelled: int,
) -> str | None:
    """Say in words why this panel is not to be trusted, if so."""
    mend = _LABEL_50 if labelled < _LABELLED else "go by the human labels, not by the votes alone"
    if not by_label:
        opposed = opposed_judges(blind)
        if not opposed:
            return None
        return (
            f"do not trust this panel on its own: {_list(names, opposed)} score(s) against the "
            "others, in camps that one quality of the responses does not explain; scores alone "
            f"cannot tell which camp is right: {mend}"
        )
    levels = int(np.nanmax(votes)) + 1
    if levels > _MANY_LABELS:
        return None
    found = panel_distrust(votes, blind)
    if found is None or not found.untrusted:
        return None
    below = f"; it rates {_list(names, found.below_chance)} below chance"
    return (
        f"do not trust this panel on its own: its judges agree in camps ({found.n_dependent} pairs "
        "of judges) that one truth does not explain, and the larger camp may share an error: "
        f"{mend}. A label model (Dawid-Skene) overturns {found.overturned:.0%} of the majorities "
        f"and is over 99% sure of {found.certain:.0%} of its labels"
        + (below if found.below_chance else "")
    )


def _copies(blind: Dependence, found: Dependence, names: list[str]) -> list[str]:
    """Name the judges whose votes are nearly the same beyond what their accuracy explains."""
    pairs = dict.fromkeys((*blind.copies, *found.copies))
    if not pairs:
        return []
    shown = [f"{names[i]} and {names[j]}" for i, j in list(pairs)[:5]]
    more = f" and {len(pairs) - 5} more pairs" if len(pairs) > 5 else ""
    return [f"judges that err alike count as one: {'; '.join(shown)}{more}; leave one of each out"]


def _not_widened(consensus: Consensus, found: Dependence) -> str | None:
    """Say that intervals of a model that takes judges for independent are not widened."""
    if consensus.method not in _MODELS or found.mean is None or found.effective is None:
        return None
    if found.mean < _NOTABLE or (found.mean_low is not None and found.mean_low <= 0.0):
        return None
    return (
        f"intervals and probabilities of {consensus.method} assume judges that err independently; "
        f"here their errors correlate by {found.mean:.2f} (worth {found.effective:.1f} judges): "
        "they are not widened for it and are too narrow"
    )


def _list(names: list[str], which: tuple[int, ...]) -> str:
    shown = ", ".join(names[judge] for judge in which[:4])
    return shown + (f" and {len(which) - 4} more" if len(which) > 4 else "")
