"""Sets of labels that hold the human's label as often as promised.

The nonconformity of a label says how little the panel's probabilities speak for it; a set holds
the labels whose nonconformity is at most the k-th smallest among labelled responses. Three ways to
measure it: one minus the probability (LAC; Sadinle, Lei & Wasserman 2019), the probability of all
labels at least as likely (APS; Romano, Sesia & Candes 2020), and on ordered scales the least
probability between the label and the likeliest one, so that sets have no holes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panopt.stats.arrays import as_floats, as_keys
from panopt.stats.conformal_split import (
    SplitThreshold,
    one_row,
    rank_and_need,
    split_threshold,
)

__all__ = [
    "LabelCoverage",
    "SetScore",
    "class_conditional_threshold",
    "class_coverage",
    "label_scores",
    "label_sets",
    "label_threshold",
    "left_out_coverage",
]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

SetScore = Literal["lac", "aps", "ordinal"]

_SUM = 1e-6


@dataclass(frozen=True, slots=True)
class LabelCoverage:
    """How often the sets hold the human's label, in all and by that label.

    Attributes
    ----------
    coverage, low, high
        Share in all, and its exact interval.
    class_coverage, class_low, class_high
        The same among the responses of each label; NaN where there is none.
    class_n
        Responses of each label.
    mean_size
        Mean number of labels in a set.
    n, level
        Responses; confidence level of the intervals.
    """

    coverage: float
    low: float
    high: float
    class_coverage: Floats
    class_low: Floats
    class_high: Floats
    class_n: NDArray[np.int64]
    mean_size: float
    n: int
    level: float


def label_scores(
    probabilities: ArrayLike,
    *,
    method: SetScore = "lac",
    rng: np.random.Generator | None = None,
) -> Floats:
    """Give the nonconformity of every label of every response.

    Parameters
    ----------
    probabilities
        The panel's probability of each label (responses, labels); rows add up to 1, or are NaN.
    method
        ``lac``, ``aps`` or ``ordinal`` (labels in their order).
    rng
        Randomises APS, which makes sets smaller and its coverage exact; off by default, so that
        equal responses get equal sets.

    Returns
    -------
    ndarray
        Nonconformities (responses, labels), NaN where the probabilities are.

    Raises
    ------
    ValueError
        For probabilities that are none, an unknown method, or `rng` with another than APS.

    Examples
    --------
    >>> p = [[0.5, 0.1, 0.4]]
    >>> label_scores(p).round(2).tolist(), label_scores(p, method="aps").round(2).tolist()
    ([[0.5, 0.9, 0.6]], [[0.5, 1.0, 0.9]])
    >>> label_scores(p, method="ordinal").round(2).tolist()
    [[0.5, 0.9, 0.9]]
    """
    return _scores(_probabilities(probabilities), method, rng)


def label_threshold(
    probabilities: ArrayLike,
    labels: ArrayLike,
    *,
    alpha: float = 0.1,
    method: SetScore = "lac",
    rng: np.random.Generator | None = None,
) -> SplitThreshold:
    """Calibrate sets that hold the human's label with probability 1 - alpha.

    Parameters
    ----------
    probabilities
        The panel's probabilities of labelled responses (responses, labels); no label used here
        may have entered them.
    labels
        The human's label of each, a code from 0 (responses,).
    alpha
        Miscoverage in (0, 1).
    method, rng
        As in :func:`label_scores`.

    Returns
    -------
    SplitThreshold
        Its value is infinity (all labels) where there are too few labels.

    Raises
    ------
    ValueError
        As :func:`label_scores`, and for labels that are no codes, or NaN probabilities.

    Examples
    --------
    >>> p = np.tile([0.7, 0.2, 0.1], (19, 1))
    >>> bound = label_threshold(p, [0] * 17 + [1, 2], alpha=0.1)
    >>> bound.k, label_sets([[0.7, 0.2, 0.1], [0.3, 0.3, 0.4]], bound).tolist()
    (18, [[True, True, False], [True, True, True]])
    """
    p = _probabilities(probabilities)
    codes = _codes(labels, p)
    if method == "lac" and rng is None:  # no need to score the labels that humans did not give
        return split_threshold(1.0 - p[np.arange(len(p)), codes], alpha=alpha)
    scores = _scores(p, method, rng)
    return split_threshold(scores[np.arange(len(p)), codes], alpha=alpha)


def class_conditional_threshold(
    probabilities: ArrayLike,
    labels: ArrayLike,
    *,
    alpha: float = 0.1,
    method: SetScore = "lac",
) -> tuple[SplitThreshold, ...]:
    """Calibrate sets that hold the human's label with probability 1 - alpha for every label.

    Each label is calibrated on the responses that humans gave it (Vovk 2012, section 6): a rare
    label is then held as often as a common one. A label with too few is in every set.

    Parameters
    ----------
    probabilities, labels, alpha, method
        As in :func:`label_threshold`.

    Returns
    -------
    tuple of SplitThreshold
        One a label; :func:`label_sets` takes it. `reason` names how many labels are missing.

    Examples
    --------
    >>> p = np.tile([0.7, 0.2, 0.1], (30, 1))
    >>> bounds = class_conditional_threshold(p, [0] * 20 + [1] * 10, alpha=0.1)
    >>> [round(bound.value, 2) for bound in bounds]
    [0.3, 0.8, inf]
    """
    p = _probabilities(probabilities)
    codes = _codes(labels, p)
    scores = _scores(p, method)
    return tuple(
        split_threshold(scores[codes == label, label], alpha=alpha) for label in range(p.shape[1])
    )


def label_sets(
    probabilities: ArrayLike,
    threshold: float | SplitThreshold | tuple[SplitThreshold, ...],
    *,
    method: SetScore = "lac",
    fill: bool = False,
    rng: np.random.Generator | None = None,
) -> Bools:
    """Give the set of labels of each response.

    Parameters
    ----------
    probabilities
        The panel's probabilities (responses, labels), NaN rows where there are none.
    threshold
        From :func:`label_threshold` or :func:`class_conditional_threshold`, of the same method.
    method, rng
        As in :func:`label_scores`.
    fill
        Give an empty set the likeliest label: covers a little more, never less.

    Returns
    -------
    ndarray of bool
        Whether each label is in (responses, labels); all are where the probabilities are NaN.

    Examples
    --------
    >>> label_sets([[0.9, 0.1], [0.5, 0.5], [np.nan, np.nan]], 0.4).tolist()
    [[True, False], [False, False], [True, True]]
    """
    p = _probabilities(probabilities)
    bound = _bounds(threshold, p.shape[1])
    same = bool(np.all(bound == bound[0]))
    scores = _scores(p, method, rng)
    inside = np.asarray(scores <= (bound[0] if same else bound))
    unknown = np.isnan(p[:, 0])
    if unknown.any():
        inside[unknown] = True
    if fill and bool(np.any(bound < 1.0)):
        empty = np.flatnonzero(~inside.any(axis=1))
        inside[empty, p[empty].argmax(axis=1)] = True
    return inside


def class_coverage(sets: ArrayLike, labels: ArrayLike, *, level: float = 0.95) -> LabelCoverage:
    """Count how often sets hold the human's label, in all and by that label.

    A panel that always says the same may cover 95% in all and none of the failures.

    Parameters
    ----------
    sets
        Whether each label is in (responses, labels); of responses that did not calibrate them.
    labels
        The human's label of each, a code from 0 (responses,).
    level
        Confidence level of the exact intervals.

    Returns
    -------
    LabelCoverage

    Examples
    --------
    >>> found = class_coverage([[True, False]] * 20, [0] * 19 + [1])
    >>> found.coverage, found.class_coverage.tolist()
    (0.95, [1.0, 0.0])
    """
    inside = np.asarray(sets)
    if inside.ndim != 2 or inside.dtype.kind != "b":
        raise ValueError("sets must be a matrix (responses, labels) of bool")
    if not len(inside):
        raise ValueError("sets must hold at least one response")
    codes = _codes(labels, inside.astype(np.float64))
    from panopt.stats.binomial import clopper_pearson  # noqa: PLC0415 - a fast start

    hit, k = inside[np.arange(len(codes)), codes], inside.shape[1]
    n = np.bincount(codes, minlength=k)
    hits = np.bincount(codes[hit], minlength=k)
    some = n > 0
    ends = np.full((2, k), np.nan)
    ends[:, some] = clopper_pearson(hits[some], n[some], level=level)
    low, high = clopper_pearson(int(hit.sum()), len(hit), level=level)
    return LabelCoverage(
        coverage=float(hit.mean()),
        low=float(low),
        high=float(high),
        class_coverage=np.divide(hits, n, out=np.full(k, np.nan), where=some),
        class_low=ends[0],
        class_high=ends[1],
        class_n=n.astype(np.int64),
        mean_size=float(inside.sum(axis=1).mean()),
        n=len(codes),
        level=level,
    )


def left_out_coverage(scores: ArrayLike, *, alpha: float) -> Bools:
    """Tell which labelled responses the bound made from all others holds.

    The bound without the label i is the k'-th smallest of n - 1; it holds i exactly when i is
    among the k' smallest of all n, ties included.

    Examples
    --------
    >>> left_out_coverage(np.arange(20.0), alpha=0.1).sum()
    np.int64(18)
    """
    s = one_row("scores", scores)
    k, _ = rank_and_need(len(s) - 1, alpha)
    if k > len(s) - 1:
        return np.ones(len(s), dtype=np.bool_)
    return np.asarray(s <= np.partition(s, k - 1)[k - 1])


def _scores(p: Floats, method: SetScore, rng: np.random.Generator | None = None) -> Floats:
    """Give nonconformities of probabilities that were checked."""
    if method not in get_args(SetScore):
        raise ValueError(f"method = {method!r} must be one of {', '.join(get_args(SetScore))}")
    if rng is not None and method != "aps":
        raise ValueError(f"rng randomises aps alone, not {method}")
    if method == "aps":
        order = np.argsort(-p, axis=1, kind="stable")
        ranked = np.take_along_axis(p, order, axis=1)
        mass = np.cumsum(ranked, axis=1)
        if rng is not None:
            mass -= rng.random((len(p), 1)) * ranked
        scores = np.empty_like(p)
        np.put_along_axis(scores, order, mass, axis=1)
        return scores
    if method == "ordinal":
        p = _contiguous(p)
    return np.asarray(1.0 - p)


def _contiguous(p: Floats) -> Floats:
    """Lower each probability to the least one between its label and the likeliest."""
    top = p.argmax(axis=1)[:, None]
    at = np.arange(p.shape[1])
    rising = np.where(at >= top, p, np.inf)
    falling = np.where(at <= top, p, np.inf)
    right = np.minimum.accumulate(rising, axis=1)
    left = np.minimum.accumulate(falling[:, ::-1], axis=1)[:, ::-1]
    return np.where(at >= top, right, left)


def _bounds(
    threshold: float | SplitThreshold | tuple[SplitThreshold, ...], n_labels: int
) -> Floats:
    if isinstance(threshold, SplitThreshold):
        return np.full(n_labels, threshold.value)
    if isinstance(threshold, tuple):
        if len(threshold) != n_labels:
            raise ValueError(f"threshold holds {len(threshold)} bounds for {n_labels} labels")
        return np.array([bound.value for bound in threshold])
    if np.ndim(threshold) or np.isnan(threshold):
        raise ValueError(f"threshold = {threshold} must be one number, not NaN, or a bound")
    return np.full(n_labels, float(threshold))


def _probabilities(probabilities: ArrayLike) -> Floats:
    p = as_floats("probabilities", probabilities)
    if p.ndim != 2 or p.shape[1] < 2:
        raise ValueError(
            f"probabilities of shape {p.shape} must be a matrix (responses, labels) of two labels "
            "or more"
        )
    total = np.einsum("ij->i", p)  # a product would wake all cores for it
    if p.size and (
        np.fmax.reduce(total) > 1.0 + _SUM
        or np.fmin.reduce(total) < 1.0 - _SUM
        or np.fmin.reduce(p, axis=None) < 0
    ):
        bad = np.abs(total - 1.0) > _SUM
        where = int(np.flatnonzero(bad | (np.fmin.reduce(p, axis=1) < 0))[0])
        raise ValueError(
            f"probabilities of row {where} are {p[where].tolist()}; they must be at least 0 and "
            "add up to 1"
        )
    unknown = np.isnan(total)
    if unknown.any():
        p = np.where(unknown[:, None], np.nan, p)
    return p


def _codes(labels: ArrayLike, p: Floats) -> NDArray[np.intp]:
    given = as_keys("labels", labels)
    if given.shape != (len(p),):
        raise ValueError(f"labels of shape {given.shape} must hold one code a response: {len(p)}")
    if given.dtype.kind not in "iu":
        floats = as_floats("labels", given)
        if np.any(floats != np.floor(floats)) or np.isnan(floats).any():
            raise ValueError("labels must be codes (whole numbers), none of them missing")
        given = floats
    if given.size and not 0 <= given.min() <= given.max() < p.shape[1]:
        raise ValueError(
            f"labels span {given.min()}..{given.max()}; codes of {p.shape[1]} labels lie in "
            f"0..{p.shape[1] - 1}"
        )
    if np.isnan(p[:, 0]).any():
        raise ValueError("probabilities of labelled responses must not be NaN; leave these out")
    return given.astype(np.intp)
