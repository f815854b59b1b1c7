"""Read an evaluation while it runs: intervals and evidence that stay right however often one looks.

Intervals for means and paired differences at every moment at once (:func:`mean_sequence`,
:func:`difference_sequence`, value by value :class:`RunningInterval`), evidence for or against a
drop (:func:`drop_e_process`), a gate for a run that grows (:func:`anytime_gate`), and whether a
certificate still keeps its promise (:func:`risk_e_process`; `panopt.plugins.certificate` watches
it, and the drift of confidences). Sources are in the modules they come from.

A run that has not ended, or that was stopped for what it showed, gets such an interval for the mean
of each system: the usual one takes the number of items as fixed beforehand.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from panopt.findings import Finding, Findings
from panopt.records.ask import Ask
from panopt.records.matrix import Matrix
from panopt.records.source import Counts
from panopt.records.study import Study
from panopt.spec import hookimpl
from panopt.stats.confseq import (
    ConfidenceSequence,
    RunningInterval,
    by_cluster,
    difference_sequence,
    mean_sequence,
)
from panopt.stats.evalue import (
    AnytimeGate,
    EProcess,
    anytime_gate,
    drop_e_process,
    risk_e_process,
)

__all__ = [
    "AnytimeGate",
    "ConfidenceSequence",
    "EProcess",
    "RunningInterval",
    "anytime_gate",
    "difference_sequence",
    "drop_e_process",
    "mean_sequence",
    "risk_e_process",
]

_MOST_SHOWN = 8  # systems whose number a first look shows

_ASSUMED = (
    "the items' planned order does not depend on their scores",
    "where a source does not tell that order, those that ended first are no easier ones",
    "the judges' scores stand for the truth",
)


@hookimpl
def panopt_analyze(study: Study, matrix: Matrix, ask: Ask) -> Findings | None:
    """Bound the mean of every system whose run is not complete, however often that is looked at."""
    partial = _partial_runs(study, matrix)
    if not partial or matrix.scale.kind == "nominal":
        return None
    codes = np.array(sorted(partial), dtype=np.int64)
    of_partial = np.isin(matrix.response_ids["run"], codes)
    systems = np.unique(matrix.systems[of_partial]).tolist()
    shown = len(systems) <= _MOST_SHOWN
    rows = tuple(
        _finding(matrix, ask, of, failed=failed, waiting=waiting, shown=shown)
        for of, failed, waiting in _systems(matrix, partial, systems)
    )
    note = (
        f"{matrix.criterion}: not all planned responses are there: while a run goes on, or if it "
        "was stopped for what it showed, read the mean at every look (`mean_anytime`): other "
        "intervals take the number of responses as fixed beforehand"
    )
    return Findings(rows, notes=(note,))


def _partial_runs(study: Study, matrix: Matrix) -> dict[int, Counts]:
    """Find runs of which fewer responses are in their source than were planned."""
    partial = {
        name: source.counts
        for source in study.sources
        for name in source.runs
        if source.counts.planned is not None and _found(source.counts) < source.counts.planned
    }
    present = set(np.unique(matrix.response_ids["run"]).tolist())
    names = enumerate(matrix.names["run"])
    return {code: partial[name] for code, name in names if name in partial and code in present}


def _found(counts: Counts) -> int:
    judged = counts.scored + counts.unscored + counts.declined
    return judged + counts.errored + counts.invalidated


def _systems(
    matrix: Matrix, partial: dict[int, Counts], systems: list[int]
) -> Iterator[tuple[NDArray[np.intp], int, int]]:
    """Give the responses of each system, and how many failed, and wait; those of its runs alone."""
    runs = matrix.response_ids["run"]
    for code in systems:
        of = np.flatnonzero(matrix.systems == code)
        own = [counts for run, counts in partial.items() if np.any(runs[of] == run)]
        yield of, sum(each.errored for each in own), sum(each.waiting for each in own)


def _finding(  # noqa: PLR0913 - the parts of one finding
    matrix: Matrix, ask: Ask, of: NDArray[np.intp], *, failed: int, waiting: int, shown: bool
) -> Finding:
    """Bound the mean of one system over its items in their first epoch.

    That each alone tells the mean; means over more epochs would change with every epoch begun, and
    each such number of epochs be one more chance to err.
    """
    scores = _panel_mean(matrix)[of]
    items, epochs = matrix.items[of], matrix.response_ids["epoch"][of]
    first = _first_epoch(matrix.response_ids["run"][of], epochs)
    lows = np.where(np.isnan(scores), 0.0, scores)[first]
    highs = np.where(np.isnan(scores), 1.0, scores)[first]
    least, most, _ = by_cluster((lows, highs), matrix.clusters[of][first])
    running = RunningInterval(alpha=1.0 - ask.level, intersect=False)
    running.update_between(least, most)
    # An item without a first epoch failed there, or is not yet done: its score could be anything.
    # Quick responses come first, and may be the right ones: those begun before them wait.
    lost = np.setdiff1d(items, items[first]).size
    single = bool(first.all())
    running.update_unknown(failed + waiting if single else max(lost, waiting))
    warnings = []
    if not single:
        warnings.append("every item's first epoch alone counts: later ones are another look")
    if failed and not single:
        warnings.append(f"{failed} responses that failed are taken for no worse than the others")
    if len(least) < np.unique(items[first]).size:
        warnings.append("clusters count by what is in of them: items still to come change them")
    system = int(matrix.systems[of[0]])
    value = running.estimate
    return Finding(
        plugin="anytime",
        name="mean_anytime",
        criterion=matrix.criterion,
        subject_kind="system",
        subject=matrix.names["system"][system] if system >= 0 else "",
        value=value,
        low=running.low if value is not None else None,
        high=running.high if value is not None else None,
        level=ask.level if value is not None else None,
        n=running.n,
        method=f"mean of the judges' scores; {running.method}",
        assumptions=_ASSUMED,
        warnings=tuple(warnings),
        reason=None if value is not None else "no item has a score",
        details={"n_unknown": running.n_unknown, "n_responses": int(np.count_nonzero(first))},
        headline=shown,
    )


def _first_epoch(runs: NDArray[np.int32], epochs: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Mark the responses of their run's first epoch."""
    run = np.unique(runs, return_inverse=True)[1]
    least = np.full(int(run.max()) + 1, np.iinfo(epochs.dtype).max, dtype=epochs.dtype)
    np.minimum.at(least, run, epochs)
    first: NDArray[np.bool_] = epochs == least[run]
    return first


def _panel_mean(matrix: Matrix) -> NDArray[np.float64]:
    """Average the judges' scores of each response; NaN where none gave one."""
    scores = matrix.scores()
    given = ~np.isnan(scores)
    n = given.sum(axis=1)
    mean = np.full(len(n), np.nan)
    np.divide(np.where(given, scores, 0.0).sum(axis=1), n, out=mean, where=n > 0)
    return mean
