"""Say whether judges err together: how many independent judges a panel is worth, whom to doubt.

Residual correlations of judges and the effective number of judges (Kish 1965, section 5.4:
J / (1 + (J - 1) rho)), against human labels where there are enough, else against one common cause
of the scores (`panopt.stats.dependence`); makers that judges share with each other or with the
system under test; and the marks of a camp that errs together (`panopt.stats.dependence_distrust`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from panopt.findings import Finding, Findings, finite
from panopt.records.families import family_warnings, same_model
from panopt.records.interdependence import LABELLED, Interdependence, interdependence
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

_MOST_PAIRS = 45
_MODELS = ("dawid_skene", "mace", "one_coin", "gaussian", "ordinal_probit", "ordinal")
_LABEL_50 = "label about 50 responses by hand and pass them with --labels"


@hookimpl
def panopt_analyze(
    matrix: Matrix, consensus: Consensus, ask: Ask, rng: np.random.Generator
) -> Findings | None:
    """Say how the errors of the judges of one criterion go together."""
    families = _families(matrix, ask)
    together = interdependence(matrix, ask, rng)
    names, blind, found = together.names, together.blind, together.found
    notes: list[str] = []
    marks: list[str] = []
    if together.untrusted:
        marks.append("judges form camps that one truth does not explain (see the notes)")
        notes.append(f"{matrix.criterion}: {_distrust(together)}")
    notes += [f"{matrix.criterion}: {text}" for text in _copies(blind, found, names)]
    widening = _not_widened(consensus, together)
    if widening is not None:
        notes.append(f"{matrix.criterion}: {widening}")
    if len(names) < matrix.n_judges:
        notes.append(
            f"{matrix.criterion}: dependence is that of the {len(names)} judges with most votes, "
            f"of {matrix.n_judges}"
        )
    rows = [
        _effective(matrix, ask, found, together.n_labelled, warnings=(*families, *marks)),
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


def _pairs(matrix: Matrix, ask: Ask, found: Dependence, names: tuple[str, ...]) -> list[Finding]:
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


def _distrust(together: Interdependence) -> str:
    """Say in words why this panel is not to be trusted."""
    enough = together.n_labelled >= LABELLED
    mend = "go by the human labels, not by the votes alone" if enough else _LABEL_50
    found = together.distrust
    if found is None:
        return (
            f"do not trust this panel on its own: {_list(together.names, together.opposed)} "
            "score(s) against the others, in camps that one quality of the responses does not "
            f"explain; scores alone cannot tell which camp is right: {mend}"
        )
    pairs = "1 pair" if found.n_dependent == 1 else f"{found.n_dependent} pairs"
    below = f"; it rates {_list(together.names, found.below_chance)} below chance"
    return (
        f"do not trust this panel on its own: its judges agree in camps ({pairs} of "
        "judges) that one truth does not explain, and the larger camp may share an error: "
        f"{mend}. A label model (Dawid-Skene) overturns {found.overturned:.0%} of the majorities "
        f"and is over 99% sure of {found.certain:.0%} of its labels"
        + (below if found.below_chance else "")
    )


def _copies(blind: Dependence, found: Dependence, names: tuple[str, ...]) -> list[str]:
    """Name the judges whose votes are nearly the same beyond what their accuracy explains."""
    pairs = dict.fromkeys((*blind.copies, *found.copies))
    if not pairs:
        return []
    shown = [f"{names[i]} and {names[j]}" for i, j in list(pairs)[:5]]
    more = f" and {len(pairs) - 5} more pairs" if len(pairs) > 5 else ""
    return [f"judges that err alike count as one: {'; '.join(shown)}{more}; leave one of each out"]


def _not_widened(consensus: Consensus, together: Interdependence) -> str | None:
    """Say that intervals of a model that takes judges for independent are not widened."""
    found = together.found
    if consensus.method not in _MODELS or not together.shared or found.effective is None:
        return None
    return (
        f"intervals and probabilities of {consensus.method} assume judges that err independently; "
        f"here their errors correlate by {found.mean:.2f} (worth {found.effective:.1f} judges): "
        "they are not widened for it and are too narrow"
    )


def _list(names: tuple[str, ...], which: tuple[int, ...]) -> str:
    shown = ", ".join(names[judge] for judge in which[:4])
    return shown + (f" and {len(which) - 4} more" if len(which) > 4 else "")
