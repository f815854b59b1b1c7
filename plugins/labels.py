"""Work out true labels and each judge's habits of error from the judges' votes alone.

Dawid-Skene (a confusion matrix a judge; Dawid and Skene 1979), one-coin (one accuracy a judge;
Zhang et al. 2016) and MACE (a judge copies the truth or votes by habit; Hovy et al. 2013). All
rest on judges erring independently given the truth: judges that share errors look accurate.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from panopt.findings import Finding, Findings
from panopt.records.ballot_labels import BallotLabels, ballot_labels
from panopt.records.consensus import OUTCOMES, Consensus
from panopt.records.outcomes import outcomes
from panopt.spec import hookimpl
from panopt.stats.label_accuracy import accuracy_interval, accuracy_se
from panopt.stats.label_check import check_labels
from panopt.stats.label_estimate import unshrunk
from panopt.stats.label_fit import LabelModel, Learn, fit
from panopt.stats.label_mace import Mace
from panopt.stats.label_models import dawid_skene, dawid_skene_step, mace, one_coin, one_coin_step
from panopt.stats.label_table import VoteTable, checked_votes
from panopt.stats.words import listed

if TYPE_CHECKING:
    from panopt.records.ask import Ask
    from panopt.records.matrix import Matrix

__all__ = ["LabelModel", "dawid_skene", "mace", "one_coin"]

FloatArray = NDArray[np.float64]

METHODS = ("dawid_skene", "mace", "one_coin")

_SMOOTHING = 0.01
_LABELS = 20  # known labels from which fewer than three judges can be told apart
_MOST_ITER = 1000
_TOL = 1e-6
_RESTARTS = 10
_REFUTED = 0.01
_WORK = 5e8  # votes of distinct patterns times labels times passes: some seconds
_QUICK = 1e8
_MANY = 30  # labels from which the ways to mistake them may outnumber the votes
_ASSUMPTIONS = (
    "the judges' errors are independent given the true label, and as likely on any response",
    "a judge's repeats on a response count as one vote, the commonest",
)
_PLUGGED = (
    "sd and intervals of systems take the judges' habits as known, and are not widened for it"
)
_UNORDERED = "the levels are taken as labels without an order"


@dataclass(frozen=True, slots=True)
class _Fits:
    """A model of one criterion, fitted without human labels and with them."""

    blind: LabelModel | None
    """`None` where votes alone do not identify it."""
    full: LabelModel
    warnings: tuple[str, ...]


@hookimpl
def panopt_methods() -> tuple[str, ...]:
    """Name the models."""
    return METHODS


@hookimpl
def panopt_aggregate(
    matrix: Matrix, method: str, why: str, ask: Ask, rng: np.random.Generator
) -> Consensus | None:
    """Give every response its posterior over labels; known human labels stand as they are.

    What calibration rests on (the blind value, its sd, confidence, verdict and probabilities)
    comes from a fit that has seen no human label.
    """
    labels = ballot_labels(matrix, threshold=ask.threshold)
    table = _table(matrix, labels)
    fits = _fits(matrix, labels, method, table, rng)
    worth = labels.worth
    shares = table.shares()[table.inverse]
    chances = shares if fits.blind is None else fits.blind.posterior
    verdict, confidence = _verdicts(chances, worth, ask.threshold, matrix.scale.kind)
    n_votes = np.count_nonzero(labels.codes >= 0, axis=1)
    outcome = outcomes(labels.status, n_votes, least=ask.min_successful)
    decided = outcome == OUTCOMES.index("decided")
    outcome[decided & (verdict < 0)] = OUTCOMES.index("tie")

    def known(values: FloatArray) -> FloatArray:
        return np.where(decided, values, np.nan)

    blank = np.full(decided.size, np.nan)
    value = sd = estimate = blind_value = blind_sd = disagreement = spread = blank
    if worth is not None:
        value, sd = _moments(fits.full.posterior, worth)
        blind_value, blind_sd = _moments(chances, worth)
        blind_sd = blank if fits.blind is None else blind_sd
        estimate = unshrunk(table, fits.full, worth)
        estimate = np.where(np.isnan(estimate), value, estimate)
        disagreement, spread = _range(shares, worth), _moments(shares, worth)[1]
    ruling = np.where(decided, verdict, -1).astype(np.int32)
    ordered = matrix.scale.kind == "ordinal"
    return Consensus(
        criterion=matrix.criterion,
        method=method,
        why=why,
        value=known(value),
        sd=known(sd),
        estimate=known(estimate),
        blind_value=known(blind_value),
        blind_sd=known(blind_sd),
        confidence=np.where(ruling >= 0, confidence, np.nan),
        confidence_source="vote share" if fits.blind is None else "posterior probability",
        verdict=ruling,
        outcome=outcome,
        n_votes=n_votes.astype(np.int32),
        disagreement=np.where(n_votes > 0, disagreement, np.nan),
        spread=np.where(n_votes > 0, spread, np.nan),
        agreement=np.where(n_votes > 0, _agreement(shares, ruling, ask, matrix, worth), np.nan),
        anchor="humans" if (labels.known >= 0).any() else "panel mean",
        assumptions=(*_ASSUMPTIONS, _PLUGGED, *((_UNORDERED,) if ordered else ())),
        warnings=(*labels.warnings, *fits.warnings),
        probabilities=np.where(decided[:, None], chances, np.nan),
        levels=labels.names,
    )


@hookimpl
def panopt_analyze(matrix: Matrix, ask: Ask, rng: np.random.Generator) -> Findings | None:
    """Find how often each judge is right, without knowing the truth."""
    if matrix.scale.kind not in ("binary", "nominal", "pairwise"):
        return None
    labels = ballot_labels(matrix, threshold=ask.threshold)
    n = np.count_nonzero(labels.codes >= 0, axis=0)
    reason = _unanswerable(labels)
    if reason is None:
        table = _table(matrix, labels)
        try:
            return _accuracies(matrix, labels, table, ask, rng)
        except ValueError as error:
            reason = str(error)
    return Findings(tuple(_missing(matrix, k, int(n[k]), reason) for k in range(n.size)))


def _accuracies(
    matrix: Matrix, labels: BallotLabels, table: VoteTable, ask: Ask, rng: np.random.Generator
) -> Findings:
    """Word every judge's accuracy with its interval.

    Raises
    ------
    ValueError
        The votes do not identify how any judge errs.
    """
    voted = labels.codes >= 0
    told = _refuted(matrix, labels, rng)
    if told:  # what unlabelled votes teach is wrong
        table = replace(table, counts=np.where(table.truth >= 0, table.counts, 0.0))
        voted = voted & (labels.known >= 0)[:, None]
    model = _model(matrix, "dawid_skene", table, rng, work=_QUICK)
    n = np.count_nonzero(voted, axis=0)
    clusters, apart = None, n
    if int(matrix.clusters.max(initial=-1)) + 1 < matrix.n_responses:
        clusters = matrix.clusters.astype(np.intp)
        apart = np.array([np.unique(clusters[column]).size for column in voted.T])
    se = accuracy_se(table, model, smoothing=_SMOOTHING, rng=rng, clusters=clusters)
    low, high = accuracy_interval(model.accuracy, se, apart.astype(float), level=ask.level)
    humans = int(np.count_nonzero(labels.known >= 0))
    rows, worse = [], []
    for k, name in enumerate(matrix.judges):
        if not (model.identified[k] and n[k]):
            why = "the judge shares too few responses with others to tell how it errs"
            rows.append(_missing(matrix, k, int(n[k]), why if n[k] else "no vote to go by"))
            continue
        ends = None if np.isnan(se[k]) else (float(low[k]), float(high[k]))
        chance = 1 / table.n_labels
        if ends is not None and ends[1] < chance:
            worse.append(f"{name} ({model.accuracy[k]:.0%})")
        rows.append(
            Finding(
                plugin="labels",
                name="accuracy",
                criterion=matrix.criterion,
                subject_kind="judge",
                subject=name,
                value=float(model.accuracy[k]),
                unit="share of verdicts that are right",
                low=None if ends is None else ends[0],
                high=None if ends is None else ends[1],
                level=None if ends is None else ask.level,
                n=int(n[k]),
                method=(
                    "how often the judge is right, learned from who agrees with whom "
                    "(Dawid-Skene; interval from the information in the votes)"
                ),
                assumptions=_ASSUMPTIONS,
                warnings=(*told, *model.warnings),
                no_interval="too many judges and labels for an interval" if ends is None else None,
                details={
                    "se": None if ends is None else float(se[k]),
                    "n_clusters": int(apart[k]),
                    "human_labels": humans,
                    "labelled_alone": bool(told),
                    "converged": model.converged,
                },
                headline=False,
            )
        )
    notes = [f"{matrix.criterion}: {text}" for text in told]
    if worse:
        notes.append(
            f"{matrix.criterion}: right less often than guessing would be: {listed(worse)}: their "
            "scales may be turned round, or they may all fall for the same thing"
        )
    return Findings(tuple(rows), notes=tuple(notes))


def _refuted(matrix: Matrix, labels: BallotLabels, rng: np.random.Generator) -> tuple[str, ...]:
    """Say so where human labels refute what the votes alone would teach."""
    if np.count_nonzero(labels.known >= 0) < _LABELS:
        return ()
    unaided = _table(matrix, labels, known=False)
    try:
        blind = _model(matrix, "dawid_skene", unaided, rng, work=_QUICK)
    except ValueError:  # fewer than three judges: nothing is taught without labels
        return ()
    return _misled(labels, blind)


def _missing(matrix: Matrix, judge: int, n: int, reason: str) -> Finding:
    return Finding(
        plugin="labels",
        name="accuracy",
        criterion=matrix.criterion,
        subject_kind="judge",
        subject=matrix.judges[judge],
        value=None,
        unit="share of verdicts that are right",
        n=n,
        method="how often the judge is right, learned from who agrees with whom (Dawid-Skene)",
        assumptions=_ASSUMPTIONS,
        reason=reason,
        headline=False,
    )


def _unanswerable(labels: BallotLabels) -> str | None:
    """Say why no judge's accuracy can be learned, if it is so."""
    cast = labels.codes[labels.codes >= 0]
    kinds = len(labels.names)
    if kinds > _MANY and kinds**2 > cast.size:
        return f"{kinds} labels can be mistaken in more ways than there are votes ({cast.size})"
    known = int(np.count_nonzero(labels.known >= 0))
    if not cast.size:
        return "no judge gave a vote"
    if np.unique(cast).size < 2:
        return "all votes are for one label: nothing tells a right vote from a constant one"
    judges = int((labels.codes >= 0).any(axis=0).sum())
    if judges < 3 and known < _LABELS:
        return (
            f"{judges} judge(s) and {known} human labels: who errs cannot be told (three judges, "
            f"or {_LABELS} labelled responses, would tell)"
        )
    return None


def _table(matrix: Matrix, labels: BallotLabels, *, known: bool = True) -> VoteTable:
    response, judge, label = labels.long()
    if not label.size:
        raise ValueError("no judge gave a vote")
    return checked_votes(
        response,
        judge,
        label,
        n_labels=max(len(labels.names), 2),
        n_items=matrix.n_responses,
        n_judges=matrix.n_judges,
        known=labels.known if known and (labels.known >= 0).any() else None,
    )


def _fits(
    matrix: Matrix, labels: BallotLabels, method: str, table: VoteTable, rng: np.random.Generator
) -> _Fits:
    """Fit the votes alone, and with the human labels where there are any.

    Raises
    ------
    ValueError
        The model is identified neither way.
    """
    n_known = int(np.count_nonzero(labels.known >= 0))
    # Built anew: what is blind to labels must be so to the last bit.
    unaided = _table(matrix, labels, known=False) if n_known else table
    try:
        blind = _model(matrix, method, unaided, rng)
    except ValueError as error:
        if n_known < _LABELS:
            raise
        full = _model(matrix, method, table, rng)
        told = (
            "without human labels verdicts are those of the most votes, confidence is the vote "
            f"share: {error}"
        )
        return _Fits(None, full, (*full.warnings, told))
    if not n_known:
        return _Fits(blind, blind, blind.warnings)
    misled = _misled(labels, blind)
    full = _model(matrix, method, table, rng, unknown_weight=0.0 if misled else 1.0)
    return _Fits(blind, full, tuple(dict.fromkeys((*misled, *full.warnings, *blind.warnings))))


def _misled(labels: BallotLabels, blind: LabelModel) -> tuple[str, ...]:
    """Say so where human labels refute the model: it is right far less often than it thinks."""
    used = np.count_nonzero(labels.codes >= 0, axis=1) > 0
    found = check_labels(blind.posterior, labels.known, used=used)
    if found is None or found.n < _LABELS or found.p_value >= _REFUTED:
        return ()
    told = (
        f"do not trust verdicts made without human labels: on {found.n} labelled responses "
        f"they are right {found.right:.0%} of the time, and the model expects "
        f"{found.expected:.0%}; the judges share errors. Values are learned from the labelled "
        "responses alone"
    )
    return (told,)


def _model(  # noqa: PLR0913 - one call in parts
    matrix: Matrix,
    method: str,
    table: VoteTable,
    rng: np.random.Generator,
    *,
    unknown_weight: float = 1.0,
    work: float = _WORK,
) -> LabelModel:
    """Fit one model, with as many passes as the size of the data allows."""
    starts = _RESTARTS if method == "mace" else 1
    size = max(table.cell.size * table.n_labels * starts, 1)
    passes = int(np.clip(work / size, 20, _MOST_ITER))
    start = None
    if method == "mace":
        model = Mace(table, None)
        step: Learn = model.learn
        start = model.random(starts - 1, rng)
    else:
        step = (dawid_skene_step if method == "dawid_skene" else one_coin_step)(_SMOOTHING)
    return fit(
        table,
        step,
        max_iter=passes,
        tol=_TOL,
        names=matrix.judges,
        start=start,
        unknown_weight=unknown_weight,
    )


def _moments(chances: FloatArray, worth: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Give mean and sd of the worth of each response's label."""
    mean = np.clip(chances @ worth, 0.0, 1.0)
    return mean, np.sqrt(np.maximum(chances @ worth**2 - mean**2, 0.0))


def _verdicts(
    chances: FloatArray, worth: FloatArray | None, threshold: float, kind: str
) -> tuple[NDArray[np.int64], FloatArray]:
    """Give verdicts (-1: none) and the probability of each."""
    if worth is not None and kind != "pairwise":
        passed = np.clip(chances @ (worth >= threshold), 0.0, 1.0)
        verdict = _moments(chances, worth)[0] >= threshold
        return verdict.astype(np.int64), np.where(verdict, passed, 1 - passed)
    top = chances.max(axis=1)
    verdict = chances.argmax(axis=1)
    even = np.count_nonzero(chances >= top[:, None] - 1e-12, axis=1) > 1
    if worth is not None:
        even |= worth[verdict] == 0.5  # a tie has no winner
        verdict = (worth[verdict] > 0.5).astype(np.int64)
    return np.where(even, -1, verdict), np.clip(top, 0.0, 1.0)


def _range(shares: FloatArray, worth: FloatArray) -> FloatArray:
    """Give the greatest less the least worth that was voted for."""
    voted = shares > 0
    high = np.where(voted, worth, -np.inf).max(axis=1)
    low = np.where(voted, worth, np.inf).min(axis=1)
    width: FloatArray = np.maximum(high - low, 0.0)
    return width


def _agreement(
    shares: FloatArray,
    verdict: NDArray[np.int32],
    ask: Ask,
    matrix: Matrix,
    worth: FloatArray | None,
) -> FloatArray:
    """Give the share of votes on the verdict's side; the largest bloc where there is none."""
    bloc = shares.max(axis=1)
    if worth is None:
        side = np.take_along_axis(shares, np.maximum(verdict, 0)[:, None], axis=1)[:, 0]
    elif matrix.scale.kind == "pairwise":
        side = np.where(verdict == 1, shares[:, -1], shares[:, 0])
    else:
        passed = shares @ (worth >= ask.threshold)
        side = np.where(verdict == 1, passed, 1 - passed)
    return np.clip(np.where(verdict >= 0, side, bloc), 0.0, 1.0)
