"""Combine judges' votes by how they met human labels, and say how well that does on others.

Votes are weighed by logistic regression; the strength of its prior, from "count the votes" to
"each judge by its own record", is not chosen but averaged over by cross-validated log score
(pseudo-BMA: Geisser and Eddy 1979; Yao et al. 2018, section 3.4). Judges that err against the
truth get negative weight, copies share one. Cross-validation is nested: no number reported for a
labelled response was computed with its label.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panopt.stats.arrays import as_floats
from panopt.stats.binomial import clopper_pearson
from panopt.stats.mean import mean_interval
from panopt.stats.reliability import check_alpha, cluster_codes, rating_matrix
from panopt.stats.supervised_fit import (
    design,
    fit,
    log_scores,
    precisions,
    probabilities,
    strengths,
)

__all__ = ["SupervisedVotes", "paired_sign_test", "supervised_votes"]

FloatArray = NDArray[np.float64]

#: Fewest labelled responses (clusters) to learn from.
LEAST_LABELS = 20
_FOLDS = 5
_MOST_LABELS = 1000
_SLIGHT = 1e-3


@dataclass(frozen=True, slots=True)
class SupervisedVotes:
    """Probabilities of labels from votes weighed by human labels, and how good they are."""

    probabilities: FloatArray
    """Probability of each label (responses, labels): out of fold where labelled, by the fit to
    all labels elsewhere; NaN for a response without votes."""
    weight: FloatArray
    """Log odds a judge's vote adds to its label (judges,): the fit to all labels."""
    n: int
    """Labelled responses learned from."""
    n_clusters: int
    """Clusters they are of."""
    accuracy: float
    """Share of labelled responses whose likeliest label, out of fold, is the human one."""
    low: float | None
    """Lower end of its interval."""
    high: float | None
    """Upper end of its interval."""
    rival: float | None
    """The same share for the rival verdicts; a missing one counts half."""
    p_value: float | None
    """Two-sided exact test that both are as often right (sign test over clusters; McNemar's
    where each response is its own)."""
    judge_accuracy: FloatArray
    """The same share for each judge among the labelled responses it voted on (judges,); NaN
    without votes. A tie vote counts half."""
    judge_n: NDArray[np.int64]
    """Labelled responses each judge voted on."""
    no_interval: str | None = None
    """Why the accuracy has no interval."""


def supervised_votes(  # noqa: PLR0913 - one estimate, and what it is compared with
    votes: ArrayLike,
    truth: ArrayLike,
    *,
    n_labels: int | None = None,
    rival: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    rng: np.random.Generator | None = None,
    alpha: float = 0.05,
    judges: Sequence[str] | None = None,
) -> SupervisedVotes:
    """Learn from labelled responses how much each judge's vote counts.

    Parameters
    ----------
    votes
        Matrix (responses, judges), NaN missing: scores in [0, 1] (.5: a tie), or codes of
        labels where `n_labels` is given.
    truth
        Human label of each response, a code from 0 (responses,); NaN where unknown.
    n_labels
        Number of labels; None: 0 and 1, and votes are scores.
    rival
        Other verdicts to compare with, such as the majority's (responses,); -1 for none.
    clusters
        Cluster of each response; whole clusters are left out together.
    rng
        Deals clusters into folds; one of fixed seed by default.
    alpha
        Probability that the interval misses, in (0, 1).
    judges
        Names of the columns, to make sure that columns are judges.

    Returns
    -------
    SupervisedVotes

    Raises
    ------
    ValueError
        For arguments that do not fit, fewer than 20 labelled clusters with votes, or labels that
        are all the same.

    Notes
    -----
    Assumes that labelled responses are a random sample of those the result is used for. Five
    folds; at most 1,000 labelled responses are learned from (a random choice of clusters).

    Examples
    --------
    A panel of two good judges and three that copy a bad one:

    >>> rng = np.random.default_rng(1)
    >>> z = rng.integers(0, 2, 400)
    >>> right = rng.random((400, 3)) < [0.9, 0.85, 0.35]
    >>> votes = np.where(right, z[:, None], 1 - z[:, None])[:, [0, 1, 2, 2, 2]]
    >>> truth = np.where(np.arange(400) < 100, z, np.nan)
    >>> found = supervised_votes(votes, truth, rival=(votes.sum(axis=1) > 2))
    >>> found.accuracy > 0.85, found.rival < 0.6, found.p_value < 0.001
    (True, True, True)
    """
    matrix = rating_matrix(votes, judges)
    check_alpha(alpha)
    _check_votes(matrix, n_labels)
    labels = _labels(truth, len(matrix), n_labels or 2)
    rng = np.random.default_rng(0) if rng is None else rng
    groups = cluster_codes(clusters, len(matrix))
    voted = ~np.isnan(matrix).all(axis=1)
    rows = np.flatnonzero((labels >= 0) & voted)
    of = rows if groups is None else groups[rows]
    among, of = np.unique(of, return_inverse=True)
    if len(among) < LEAST_LABELS:
        raise ValueError(
            f"truth labels {len(among)} independent response(s) with votes; it must label at least "
            f"{LEAST_LABELS}"
        )
    place = rng.permutation(len(among))[of]
    if len(rows) > _MOST_LABELS:  # of shuffled clusters, the first that hold as many as wanted
        size = np.bincount(place)
        kept = place < np.searchsorted(np.cumsum(size), _MOST_LABELS)
        rows, place = rows[kept], place[kept]
    known = labels[rows]
    if len(np.unique(known)) < 2:
        raise ValueError(
            f"truth holds label {known[0]} alone; what tells labels apart takes two of them"
        )
    features = _features(matrix[rows], n_labels)
    share, weights, shares, mixed = _cross_fitted(features, known, place % _FOLDS)
    answer = _everywhere(matrix, n_labels, weights, shares, mixed)
    answer[rows] = share
    answer[~voted] = np.nan
    right = (share.argmax(axis=1) == known).astype(np.float64)
    low, high, why = _interval(right, place, alpha)
    versus = None if rival is None else _rights(rival, rows, known, len(matrix))
    judged = np.stack([_vote_rights(column, known, n_labels) for column in matrix[rows].T], axis=1)
    judge_n = np.count_nonzero(~np.isnan(judged), axis=0)
    total = np.nansum(judged, axis=0)
    return SupervisedVotes(
        probabilities=answer,
        weight=mixed @ weights,
        n=len(rows),
        n_clusters=len(np.unique(place)),
        accuracy=float(right.mean()),
        low=low,
        high=high,
        rival=None if versus is None else float(versus.mean()),
        p_value=None if versus is None else paired_sign_test(right - versus, clusters=place),
        judge_accuracy=np.divide(
            total, judge_n, out=np.full(len(total), np.nan), where=judge_n > 0
        ),
        judge_n=judge_n.astype(np.int64),
        no_interval=why,
    )


def paired_sign_test(difference: ArrayLike, *, clusters: ArrayLike | None = None) -> float:
    """Test that paired differences go either way as often, two-sided and exact.

    Parameters
    ----------
    difference
        One number a pair; for right and wrong answers 1, 0 or -1, which makes it McNemar's exact
        test.
    clusters
        Cluster of each pair: differences are summed by cluster first.

    Returns
    -------
    float
        The p-value; 1 where no cluster differs.

    Raises
    ------
    ValueError
        For differences that are not finite, or clusters of another length.

    Examples
    --------
    >>> round(paired_sign_test([1] * 9 + [-1] + [0] * 40), 5)
    0.02148
    """
    from scipy.special import bdtr  # noqa: PLC0415 - scipy is imported late

    d = np.asarray(difference, dtype=np.float64)
    if d.ndim != 1 or not np.isfinite(d).all():
        raise ValueError(f"difference of shape {d.shape} must be a row of finite numbers")
    groups = cluster_codes(clusters, len(d))
    if groups is not None:
        d = np.asarray(np.bincount(groups, weights=d), dtype=np.float64)
    up, down = np.count_nonzero(d > 1e-12), np.count_nonzero(d < -1e-12)
    if up + down == 0:
        return 1.0
    return float(min(1.0, 2.0 * bdtr(min(up, down), up + down, 0.5)))


def _cross_fitted(
    features: FloatArray, known: NDArray[np.intp], fold: NDArray[np.intp]
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Give out-of-fold probabilities, and per strength judges' weights, intercepts and its share.

    Each fit leaves one fold out, or two: the strengths that predict fold f are weighed by how
    fits without f and g predict g, for all g but f.
    """
    n, k, n_judges = features.shape
    columns, directions = design(features)
    grid = strengths(n)
    precision = precisions(grid, directions.shape[1], k)
    left_out = [(f, g) for f in range(_FOLDS) for g in range(f, _FOLDS)]
    weight = np.stack([((fold != f) & (fold != g)) for f, g in left_out]).astype(np.float64)
    weight = np.concatenate([weight, np.ones((1, n))])
    beta = fit(
        columns,
        known,
        np.repeat(weight, len(grid), axis=0),
        np.tile(precision, (len(weight), 1)),
    ).reshape(len(weight), len(grid), -1)
    scores = np.zeros((_FOLDS, _FOLDS, len(grid)))  # [f, g]: fold g predicted without f and g
    share = np.zeros((n, k))
    singles: dict[int, FloatArray] = {}
    for b, (f, g) in enumerate(left_out):
        for out, inner in {(f, g), (g, f)}:
            rows = np.flatnonzero(fold == inner)
            found = probabilities(columns[rows], beta[b])
            scores[out, inner] = log_scores(found, known[rows]).sum(axis=1)
            if f == g:
                singles[f] = found
    for f in range(_FOLDS):
        mix = _softmax(scores[f].sum(axis=0) - scores[f, f])
        share[fold == f] = np.einsum("g,gnk->nk", mix, singles[f])
    mix = _softmax(np.einsum("ffg->g", scores))
    last = beta[-1]
    own = last[:, 1 : 1 + directions.shape[1]] @ directions.T
    return share, own + last[:, :1] / np.sqrt(n_judges), last[:, 1 + directions.shape[1] :], mix


def _everywhere(
    matrix: FloatArray,
    n_labels: int | None,
    weights: FloatArray,
    shares: FloatArray,
    mixed: FloatArray,
) -> FloatArray:
    """Average the probabilities of every response over the strengths that count."""
    k = n_labels or 2
    used = np.flatnonzero(mixed > _SLIGHT)
    total = np.zeros((len(matrix), k))
    block = max(1, 4_000_000 // (k * matrix.shape[1]))
    for first in range(0, len(matrix), block):
        features = _features(matrix[first : first + block], n_labels)
        for g in used:
            odds = features @ weights[g]
            odds[:, 1:] += shares[g]
            odds -= odds.max(axis=1, keepdims=True)
            np.exp(odds, out=odds)
            odds *= mixed[g] / mixed[used].sum() / odds.sum(axis=1, keepdims=True)
            total[first : first + block] += odds
    return total


def _features(matrix: FloatArray, n_labels: int | None) -> FloatArray:
    """Give, per label, what each vote says for it: (responses, labels, judges), 0 where missing."""
    missing = np.isnan(matrix)
    if n_labels is None:
        side = np.where(missing, 0.0, np.nan_to_num(matrix) - 0.5)
        return np.stack([-side, side], axis=1)
    each = matrix[:, None, :] == np.arange(n_labels)[None, :, None]
    return np.where(missing[:, None, :], 0.0, each - 1.0 / n_labels)


def _softmax(score: FloatArray) -> FloatArray:
    odds = np.exp(score - score.max())
    return np.asarray(odds / odds.sum())


def _rights(
    rival: ArrayLike, rows: NDArray[np.intp], known: NDArray[np.intp], n: int
) -> FloatArray:
    given = np.asarray(rival, dtype=np.float64)
    if given.shape != (n,):
        raise ValueError(f"rival of shape {given.shape} must hold one verdict a response: {n}")
    some = given[rows]
    return np.where(some < 0, 0.5, some == known)


def _vote_rights(column: FloatArray, known: NDArray[np.intp], n_labels: int | None) -> FloatArray:
    if n_labels is None:
        said = np.where(column == 0.5, 0.5, (column > 0.5) == (known == 1))
    else:
        said = (column == known).astype(np.float64)
    return np.where(np.isnan(column), np.nan, said)


def _interval(
    right: FloatArray, place: NDArray[np.intp], alpha: float
) -> tuple[float | None, float | None, str | None]:
    if len(np.unique(place)) == len(place):
        low, high = clopper_pearson(int(right.sum()), len(right), level=1.0 - alpha)
        return float(low), float(high), None
    found = mean_interval(right, clusters=place, alpha=alpha)
    return found.low, found.high, found.reason


def _labels(truth: ArrayLike, n: int, k: int) -> NDArray[np.intp]:
    given = as_floats("truth", truth)
    if given.shape != (n,):
        raise ValueError(f"truth of shape {given.shape} must hold one label a response: {n}")
    known = given[~np.isnan(given)]
    if np.any((known < 0) | (known >= k) | (known != np.floor(known))):
        bad = known[(known < 0) | (known >= k) | (known != np.floor(known))][0]
        raise ValueError(f"truth holds {bad:g}; it must hold codes 0..{k - 1}, NaN where unknown")
    return np.where(np.isnan(given), -1, np.nan_to_num(given)).astype(np.intp)


def _is_count(value: object, *, least: int) -> bool:
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    return whole and int(value) >= least  # type: ignore[call-overload]  # whole says it is one


def _check_votes(matrix: FloatArray, n_labels: int | None) -> None:
    given = matrix[~np.isnan(matrix)]
    if n_labels is not None and not _is_count(n_labels, least=2):
        raise ValueError(f"n_labels = {n_labels!r} must be a whole number of at least 2")
    if n_labels is None:
        if given.size and not 0.0 <= given.min() <= given.max() <= 1.0:
            raise ValueError(f"votes span {given.min():g}..{given.max():g}; scores lie in [0, 1]")
    elif given.size and (
        given.min() < 0 or given.max() >= n_labels or np.any(given != np.floor(given))
    ):
        raise ValueError(f"votes must be codes 0..{n_labels - 1}, NaN where missing")
