"""A mean from few human labels and many judge scores, with an interval that holds at few labels.

Prediction-powered inference (Angelopoulos et al. 2023, Science 382; PPI++: Angelopoulos, Duchi &
Zrnic 2023, arXiv:2311.01453, eq. 2): labels' mean plus lambda times what the judge says of the
unlabelled beyond what it says of the labelled. Right whatever the judge is worth; the better it is,
the narrower. The published interval (normal, lambda fitted to the labels it is tested on) covers 75
to 88% at 20 to 50 labels of a share of .9. By default here:

- labels of 0 and 1 with verdicts of two kinds, or where few labels contradict the verdict: the
  table of labels by verdicts, post-stratified (`panopt.stats.ppi_table`), lambda being its slope;
- else least-squares lambda, the jackknife over clusters (`panopt.stats.ppi_sums`) for its own error
  too, Student's t, and for labels in [0, 1] the shape of Wilson's interval.

Which of the two depends on counts of labels, never on which interval is the shorter.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panopt.stats.mean import mean_interval
from panopt.stats.ppi_case import Case, PpiEstimate, numbers
from panopt.stats.ppi_sums import Regression, regress
from panopt.stats.ppi_table import TableEstimate, table_estimate

__all__ = ["PpiEstimate", "ppi_mean", "ppi_pass_rate", "regression_estimate"]

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]

#: Fewer labels than this that contradict the verdict are counted in a table, not averaged.
FEW = 10

#: Labelled clusters below which the judge is not asked: a slope of so few is worth nothing.
LEAST = 5

#: Clusters' worth of belief that the judge may be of no use at all, in the variance.
DOUBT = 1.0


def ppi_mean(  # noqa: PLR0913 - one argument an option
    y: ArrayLike,
    yhat: ArrayLike,
    yhat_unlabeled: ArrayLike,
    *,
    alpha: float = 0.05,
    lam: float | None = None,
    clusters: ArrayLike | None = None,
    clusters_unlabeled: ArrayLike | None = None,
    weights: ArrayLike | None = None,
) -> PpiEstimate:
    """Estimate the mean human label of all responses, few of them labelled.

    Parameters
    ----------
    y
        Human labels, shape (labelled,), any real numbers.
    yhat
        What the judge says of the same responses, shape (labelled,), on any scale.
    yhat_unlabeled
        What it says of the other responses, shape (others,); may be empty.
    alpha
        One minus the level, in (0, 1).
    lam
        Weight of the judge, any real number; fitted where None. Where it is given, without
        clusters and weights, estimate and interval are those of PPI++ (normal quantile).
    clusters, clusters_unlabeled
        Keys of responses that are not independent, such as the item of several epochs; both or
        none, in one naming.
    weights
        One over each label's chance of having been chosen, up to a factor (labelled,); alike
        where not given.

    Returns
    -------
    PpiEstimate
        Without interval, and with a reason, for fewer than two labelled clusters. O(responses).

    Raises
    ------
    ValueError
        For NaN, infinite numbers, shapes that do not fit, or options off their range.

    Examples
    --------
    The published estimate and interval at a given lambda:

    >>> y, yhat = [1, 1, 0, 1, 0, 1], [0.9, 0.8, 0.4, 0.6, 0.1, 0.7]
    >>> found = ppi_mean(y, yhat, [0.8, 0.3, 0.9, 0.7, 0.2, 0.6, 0.9, 0.5], lam=1.0)
    >>> round(found.value, 4), round(found.low, 4), round(found.high, 4)
    (0.6958, 0.4219, 0.9698)

    Lambda of a judge that passes 43 of 45 rightly and fails 3 of 5 rightly:

    >>> labels, verdicts = np.repeat([0, 1, 0, 1], [3, 2, 2, 43]), np.repeat([0, 1], [5, 45])
    >>> found = ppi_mean(labels, verdicts, np.repeat([0, 1], [105, 895]))
    >>> round(found.value, 3), round(found.low, 3), round(found.high, 3), round(found.lam, 2)
    (0.897, 0.81, 0.949, 0.53)
    """
    case = Case.checked(
        y, yhat, yhat_unlabeled, clusters, clusters_unlabeled, weights, alpha=alpha, lam=lam
    )
    if not case.n:
        return case.give(None, "none", reason="there is no label")
    if case.n_clusters < 2:
        mean = float(np.average(case.y, weights=case.weights))
        why = "one labelled cluster gives no standard error: two are needed"
        return case.give(mean, "labels alone", lam=0.0, reason=why)
    if lam is not None and case.plain:
        return _published(case, lam)
    if lam is None and case.weights is None and (case.n_clusters < LEAST or not case.pool.size):
        return _alone(case)
    # Without others, weights speak of responses that are not here; with them, they are the others.
    placed = case.weights is None or (case.n >= LEAST and case.pool.size > 0)
    if lam is None and case.codes is None and placed:
        table = _as_table(case)
        if table is not None:
            return table
    return regression_estimate(case, lam)


def ppi_pass_rate(  # noqa: PLR0913 - one argument an option
    y: ArrayLike,
    yhat: ArrayLike,
    yhat_unlabeled: ArrayLike,
    *,
    threshold: float = 0.5,
    alpha: float = 0.05,
    lam: float | None = None,
) -> PpiEstimate:
    """Estimate the share of responses whose human label is at the threshold or above.

    Parameters
    ----------
    y, yhat, yhat_unlabeled, alpha, lam
        As in :func:`ppi_mean`; labels and scores on one scale.
    threshold
        A response passes at this value or above.

    Examples
    --------
    >>> ppi_pass_rate([0.9, 0.4, 0.8, 0.2], [0.8, 0.3, 0.9, 0.6], [0.7, 0.6, 0.9, 0.1]).value
    0.5
    """
    if not np.isfinite(threshold):
        raise ValueError(f"threshold = {threshold} must be a finite number")
    sides = [
        numbers(name, values) >= threshold
        for name, values in (("y", y), ("yhat", yhat), ("yhat_unlabeled", yhat_unlabeled))
    ]
    return ppi_mean(*sides, alpha=alpha, lam=lam)


def _alone(case: Case) -> PpiEstimate:
    """Give the mean of the labels, without the judge."""
    found = mean_interval(case.y, clusters=case.codes, alpha=case.alpha)
    ends = None if found.low is None or found.high is None else (found.low, found.high)
    method = f"labels alone; {found.method}"
    ess = None if found.se is None else float(case.n)
    return case.give(
        found.value, method, ends=ends, se=found.se, lam=0.0, ess=ess, reason=found.reason
    )


def _published(case: Case, lam: float) -> PpiEstimate:
    """Give PPI++ at a fixed lambda, as published: divisors n and N, normal quantile."""
    from scipy.special import ndtri  # noqa: PLC0415 - scipy is imported late

    rest = case.y - lam * case.f
    value = float(rest.mean())
    variance = float(rest.var()) / case.n
    if lam:
        value += lam * float(case.pool.mean())
        variance += lam**2 * float(case.pool.var()) / case.pool.size
    se = float(np.sqrt(variance))
    half = float(ndtri(1.0 - case.alpha / 2.0)) * se
    alone = float(case.y.var()) / case.n
    return case.give(
        value,
        "PPI++ at a given lambda, normal",
        ends=(value - half, value + half),
        se=se,
        lam=float(lam),
        ess=case.n * alone / variance if variance > 0.0 else None,
    )


def _as_table(case: Case) -> PpiEstimate | None:
    """Estimate by the table of labels and verdicts; give None where averages are the better way."""
    if not bool(np.isin(case.y, (0.0, 1.0)).all()):
        return None
    y = case.y.astype(np.int64)
    both = np.concatenate((case.f, case.pool))
    lowest, highest = float(both.min()), float(both.max())
    two = bool(np.all((both == lowest) | (both == highest)))
    cut = highest if two else _cut(both)
    side = (case.f >= cut).astype(np.int64)
    if not _alike(case.weights, side):
        return None
    passed = int(np.count_nonzero(both >= cut))
    n = np.bincount(side, minlength=2)
    k = np.bincount(side, weights=y, minlength=2).astype(np.int64)
    if not two and int(np.minimum(k, n - k).sum()) >= FEW:
        return None
    found: TableEstimate = table_estimate(n, k, passed, both.size, case.alpha)
    method = found.method if two else f"{found.method}; verdict: yhat at {cut:.4g} or above"
    return case.give(
        found.value,
        method,
        ends=(found.low, found.high),
        se=float(np.sqrt(found.variance)),
        lam=found.slope * case.pool.size / both.size,
        ess=case.n * found.alone / found.variance,
    )


def _alike(weights: Floats | None, side: NDArray[np.int64]) -> bool:
    """Tell whether labels of one verdict all had the same chance: then weights cancel there."""
    if weights is None:
        return True
    parts = [weights[side == k] for k in (0, 1)]
    return all(not part.size or float(np.ptp(part)) <= 1e-9 * float(part.max()) for part in parts)


def _cut(scores: Floats) -> float:
    """Give the lowest score of the upper of the two groups that differ most (Otsu 1979).

    Of the judge's scores alone: a cut that has seen the labels would favour them.
    """
    values, counts = np.unique(scores, return_counts=True)
    below = np.cumsum(counts)[:-1].astype(np.float64)
    middle = float(scores.mean())
    sums = np.cumsum(counts * (values - middle))[:-1]
    return float(values[1:][np.argmax(sums**2 / (below * (scores.size - below)))])


def regression_estimate(
    case: Case, lam: float | None, *, span: tuple[float, float] | None = (0.0, 1.0)
) -> PpiEstimate:
    """Give the regression estimate with its jackknife interval.

    Parameters
    ----------
    case
        Labels and scores of two labelled clusters or more.
    lam
        Weight of the judge; fitted where None.
    span
        What labels that all lie within it are bounded by; None where nothing bounds them.
    """
    others = case.pool.size
    part = others / (case.n + others)
    enough = case.n_clusters >= LEAST and others > 0
    fixed = (lam or 0.0) / part if others else 0.0
    found = regress(
        case.y,
        case.f,
        case.pool,
        weights=case.weights,
        clusters=case.codes,
        pool_clusters=case.pool_codes,
        slope=None if lam is None and enough else fixed,
    )
    value, method = found.value, "PPI, least-squares lambda, jackknife"
    if found.slope == 0.0:
        method = "labels alone, jackknife"
    elif lam is not None:
        method = "PPI at a given lambda, jackknife"
    variance, alone = _variances(case, found, fitted=lam is None and found.slope != 0.0)
    bounds = span if span and span[0] <= case.y.min() and case.y.max() <= span[1] else None
    constant = bool(case.y.min() == case.y.max())
    if constant and bounds is None:
        why = "all labels are equal: their spread cannot be estimated"
        return case.give(value, method, lam=found.slope * part, reason=why)
    se = float(np.sqrt(variance))
    df = max(1.0, found.units - (2.0 if lam is None and found.slope != 0.0 else 1.0))
    ends, shape = _ends(value, se, df, alpha=case.alpha, bounds=bounds)
    return case.give(
        value if bounds is None else min(max(value, bounds[0]), bounds[1]),
        f"{method}; {shape}, {df:.4g} df",
        ends=ends,
        se=se,
        lam=found.slope * part,
        ess=case.n * alone / variance if variance > 0.0 else None,
    )


def _variances(case: Case, found: Regression, *, fitted: bool) -> tuple[float, float]:
    """Give the variance of the estimate and of the labels alone."""
    labelled, alone = found.labelled, found.alone
    if case.codes is not None:  # a chance negative correlation within clusters is no gain
        free = regress(
            case.y, case.f, case.pool, weights=case.weights, slope=None if fitted else found.slope
        )
        labelled, alone = max(labelled, free.labelled), max(alone, free.alone)
    if fitted:
        labelled = (found.units * labelled + DOUBT * alone) / (found.units + DOUBT)
    return labelled + found.pool, alone


def _ends(
    value: float, se: float, df: float, *, alpha: float, bounds: tuple[float, float] | None
) -> tuple[tuple[float, float], str]:
    from scipy.special import stdtrit  # noqa: PLC0415 - scipy is imported late

    from panopt.stats.bounded import wilson_interval  # noqa: PLC0415 - it imports scipy

    if bounds is None:
        half = float(stdtrit(df, 1.0 - alpha / 2.0)) * se
        return (value - half, value + half), "t"
    inside = min(max(value, bounds[0]), bounds[1])
    ends = wilson_interval(inside, se, n_units=df + 1.0, alpha=alpha, bounds=bounds)
    return ends, "Wilson at the effective sample size"
