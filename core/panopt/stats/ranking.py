"""Whether confidence ranks right verdicts above wrong ones: AUROC, AUPRC, risk-coverage, AURC.

AUROC with the variance of DeLong et al. 1988, for clusters that of Obuchowski 1997; average
precision and the area under the risk-coverage curve (Geifman & El-Yaniv 2017) by their first-order
influence (the infinitesimal jackknife), summed within clusters. Tied confidences move together:
none is accepted before the others. Everything is O(n) plus work in the distinct confidences.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panopt.stats.binomial import clopper_pearson
from panopt.stats.scored import Estimate, Scored, checked_level, scored

__all__ = [
    "RiskCoverage",
    "aurc",
    "auroc",
    "average_precision",
    "excess_aurc",
    "risk_coverage",
]

Floats = NDArray[np.float64]


def auroc(
    confidence: ArrayLike,
    agrees: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    level: float = 0.95,
) -> Estimate:
    """Give the probability that a right verdict carries more confidence than a wrong one.

    Parameters
    ----------
    confidence
        Confidence of each labelled verdict, on any scale (n,); NaN is missing.
    agrees
        Whether the label confirms the verdict (n,); NaN is missing.
    clusters
        Key of each verdict's cluster (n,), where verdicts are not independent.
    level
        Confidence level of the interval, in (0, 1).

    Returns
    -------
    Estimate
        Ties count one half. None, with a reason, where all verdicts are right or all wrong.

    Raises
    ------
    ValueError
        For arrays of different shape, infinite confidence, labels other than 0 and 1.

    Notes
    -----
    Assumes that verdicts (or clusters) are a random sample. The interval is Wilson's at the
    variance of DeLong et al. 1988 (clusters: Obuchowski 1997), so that it stays within [0, 1] and
    has width where the ranking happens to be perfect.

    Examples
    --------
    >>> found = auroc([0.9, 0.8, 0.7, 0.6, 0.55], [1, 1, 0, 1, 0])
    >>> round(found.value, 4), round(found.low, 3), round(found.high, 3)
    (0.8333, 0.008, 1.0)
    """
    checked_level(level)
    table = scored(confidence, agrees, clusters=clusters, bounded=False)
    method = "AUROC, ties one half; Wilson's interval at DeLong's variance"
    n_right, n_wrong = float(table.right.sum()), float(table.wrong.sum())
    reason = _one_class(table, n_right)
    if reason is not None:
        return Estimate(None, None, None, None, table.n, table.n_clusters, level, method, reason)
    # Placement of each distinct confidence among the verdicts of the other kind.
    of_right = (np.cumsum(table.wrong) - table.wrong / 2.0) / n_wrong
    of_wrong = 1.0 - (np.cumsum(table.right) - table.right / 2.0) / n_right
    value = float(table.right @ of_right / n_right)
    above, below = (of_right - value) / n_right, (of_wrong - value) / n_wrong
    return _with_se(table, value, above, below, level=level, method=method, by_class=True)


def average_precision(
    confidence: ArrayLike,
    agrees: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    level: float = 0.95,
) -> Estimate:
    """Give the area under the precision-recall curve: mean precision over the right verdicts.

    To ask how well low confidence finds the wrong ones, negate both arguments.

    Parameters
    ----------
    confidence, agrees, clusters, level
        As in :func:`auroc`.

    Returns
    -------
    Estimate
        Its value under a useless confidence is the share of right verdicts. None where no verdict
        is right.

    Notes
    -----
    Steps, not trapezoids (the average precision of information retrieval). The interval is
    Wilson's at the first-order standard error.

    Examples
    --------
    >>> round(average_precision([0.9, 0.8, 0.7, 0.6], [1, 0, 1, 0]).value, 4)
    0.8333
    """
    checked_level(level)
    table = scored(confidence, agrees, clusters=clusters, bounded=False)
    method = "average precision; Wilson's interval at the first-order standard error"
    n_right = float(table.right.sum())
    if not n_right:
        reason = "no verdict is right" if table.n else "there is no labelled verdict"
        return Estimate(None, None, None, None, table.n, table.n_clusters, level, method, reason)
    right, total, precision = _from_the_top(table.right, table.counts)
    value = float(right @ precision / n_right)
    gain = _up_to(right / total * (1.0 - precision)) / n_right
    loss = _up_to(right / total * precision) / n_right
    above = (precision - value) / n_right + gain
    return _with_se(table, value, above[::-1], -loss[::-1], level=level, method=method)


def aurc(
    confidence: ArrayLike,
    agrees: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    level: float = 0.95,
) -> Estimate:
    """Give the area under the risk-coverage curve: the mean share of errors as coverage grows.

    Parameters
    ----------
    confidence, agrees, clusters, level
        As in :func:`auroc`.

    Returns
    -------
    Estimate
        0 is best; a useless confidence has the error rate. None without labelled verdicts.

    Notes
    -----
    The mean over verdicts of the risk among those with at least their confidence (Geifman &
    El-Yaniv 2017), tied ones all at once. The interval is Wilson's at the first-order standard
    error.

    Examples
    --------
    >>> round(aurc([0.9, 0.8, 0.7, 0.6], [1, 1, 0, 1]).value, 4)
    0.1458
    """
    checked_level(level)
    table = scored(confidence, agrees, clusters=clusters, bounded=False)
    return _area(table, level=level, excess=False)


def excess_aurc(
    confidence: ArrayLike,
    agrees: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    level: float = 0.95,
) -> Estimate:
    """Give AURC above the least that any confidence could reach with these errors.

    Parameters
    ----------
    confidence, agrees, clusters, level
        As in :func:`auroc`.

    Returns
    -------
    Estimate
        0 where every error is less confident than every right verdict (Geifman et al. 2019, with
        the exact sum in place of its limit).

    Examples
    --------
    >>> round(excess_aurc([0.9, 0.8, 0.7, 0.6], [1, 1, 0, 1]).value, 4)
    0.0833
    """
    checked_level(level)
    table = scored(confidence, agrees, clusters=clusters, bounded=False)
    return _area(table, level=level, excess=True)


@dataclass(frozen=True, slots=True)
class RiskCoverage:
    """Risk among the verdicts of at least each confidence, from the surest on.

    Attributes
    ----------
    threshold
        Distinct confidences, falling (values,).
    n, errors
        Verdicts with at least that confidence, and the wrong ones among them.
    coverage, risk
        Their share of all verdicts, and the share of errors among them.
    low, high
        Clopper-Pearson interval of each risk by itself: no guarantee for a threshold that is
        chosen by looking at them (that is what certification is for).
    level
        Confidence level of each interval.
    """

    threshold: Floats
    n: Floats
    errors: Floats
    coverage: Floats
    risk: Floats
    low: Floats
    high: Floats
    level: float


def risk_coverage(confidence: ArrayLike, agrees: ArrayLike, *, level: float = 0.95) -> RiskCoverage:
    """Give the risk-coverage curve at every distinct confidence.

    Parameters
    ----------
    confidence, agrees
        As in :func:`auroc`.
    level
        Confidence level of each point's interval, which takes verdicts as independent.

    Examples
    --------
    >>> curve = risk_coverage([0.9, 0.9, 0.7, 0.6], [1, 1, 0, 1])
    >>> curve.coverage.tolist(), curve.risk.round(3).tolist()
    ([0.5, 0.75, 1.0], [0.0, 0.333, 0.25])
    """
    checked_level(level)
    table = scored(confidence, agrees, bounded=False)
    accepted, errors = np.cumsum(table.counts[::-1]), np.cumsum(table.wrong[::-1])
    low, high = clopper_pearson(errors, accepted, level=level)
    coverage = accepted / max(table.n, 1)
    return RiskCoverage(
        table.values[::-1], accepted, errors, coverage, errors / accepted, low, high, level
    )


def _area(table: Scored, *, level: float, excess: bool) -> Estimate:
    name = "AURC above the least possible" if excess else "AURC"
    method = f"{name}; Wilson's interval at the first-order standard error"
    if not table.n:
        reason = "there is no labelled verdict"
        return Estimate(None, None, None, None, 0, 0, level, method, reason)
    n, n_wrong = table.n, float(table.wrong.sum())
    _, total, risk = _from_the_top(table.wrong, table.counts)
    accepted = np.diff(total, prepend=0.0)
    area = float(accepted @ risk / n)
    wrongly = (risk - area + _up_to(accepted / total * (1.0 - risk))) / n
    rightly = (risk - area - _up_to(accepted / total * risk)) / n
    value = area
    if excess:
        value = max(area - _least_area(n, int(n_wrong)), 0.0)
        rate = n_wrong / n
        slope = -np.log1p(-min(rate, 1.0 - 0.5 / n))  # of r + (1 - r) log(1 - r), the limit
        wrongly = wrongly - slope * (1.0 - rate) / n
        rightly = rightly + slope * rate / n
    return _with_se(table, value, rightly[::-1], wrongly[::-1], level=level, method=method)


def _least_area(n: int, n_wrong: int) -> float:
    """Sum the risks of an order that leaves all errors to the last."""
    errors = np.arange(1.0, n_wrong + 1.0)
    return float(np.sum(errors / (n - n_wrong + errors)) / n)


def _from_the_top(part: Floats, counts: Floats) -> tuple[Floats, Floats, Floats]:
    """Give a count at each confidence, falling; all verdicts so far; and that count's share."""
    total = np.cumsum(counts[::-1])
    return part[::-1], total, np.cumsum(part[::-1]) / total


def _up_to(terms: Floats) -> Floats:
    """Sum the terms from each place to the end."""
    sums: Floats = np.cumsum(terms[::-1])[::-1]
    return sums


def _one_class(table: Scored, n_right: float) -> str | None:
    if not table.n:
        return "there is no labelled verdict"
    if n_right in (0.0, float(table.n)):
        return f"all {table.n} labelled verdicts are {'right' if n_right else 'wrong'}"
    return None


def _with_se(  # noqa: PLR0913 - the parts of one estimate
    table: Scored,
    value: float,
    of_right: Floats,
    of_wrong: Floats,
    *,
    level: float,
    method: str,
    by_class: bool = False,
) -> Estimate:
    """Add the interval, from what each verdict of each confidence moves the value by.

    `by_class`: right and wrong verdicts count as drawn apart.
    """
    from panopt.stats.bounded import wilson_interval  # noqa: PLC0415 - it imports scipy

    n, groups = table.n, table.n_clusters
    if groups < 2:
        none = "one independent verdict gives no standard error"
        return Estimate(value, None, None, None, n, groups, level, method, no_interval=none)
    sizes = float(table.right.sum()), float(table.wrong.sum())
    if table.clusters is not None:
        codes = table.codes()
        moved = np.where(table.y, of_right[codes], of_wrong[codes])
        square = float(np.sum(np.bincount(table.clusters, weights=moved) ** 2))
        sides = [np.unique(table.clusters[side]).size for side in (table.y, ~table.y)]
        sizes = float(sides[0]), float(sides[1])
        variance = square * groups / (groups - 1.0)
    else:
        parts = float(table.right @ of_right**2), float(table.wrong @ of_wrong**2)
        drawn = sizes if by_class else (n, n)
        variance = sum(s * m / max(m - 1.0, 1.0) for s, m in zip(parts, drawn, strict=True))
    if min(sizes) == 1:
        none = "the only verdict of its kind, right or wrong, gives no standard error"
        return Estimate(value, None, None, None, n, groups, level, method, no_interval=none)
    # The rarer kind decides: where all are right (an AURC of 0) the other does.
    units = max(2.0, min(size for size in sizes if size))
    # A cluster errs as one: the imagined pair is as large as clusters are.
    pair = _misranked(table, of_right, of_wrong) * (n / groups) ** 2
    low, high = wilson_interval(
        value, float(np.sqrt(variance + pair)), n_units=units, alpha=1.0 - level
    )
    se = float(np.sqrt(variance))
    return Estimate(value, min(low, value), max(high, value), se, n, groups, level, method)


def _misranked(table: Scored, of_right: Floats, of_wrong: Floats) -> float:
    """Give the variance that half a misranked pair would add.

    A few errors of low confidence say little of how errors of high confidence are spread, on
    which the standard error depends; so one is imagined: half a wrong verdict with the right
    ones' median confidence, half a right one with the wrong ones'. It vanishes as n grows.
    """
    total = 0.0
    for moved, other in ((of_wrong, table.right), (of_right, table.wrong)):
        upto = np.cumsum(other)
        if upto[-1]:
            total += float(moved[np.searchsorted(upto, upto[-1] / 2.0)]) ** 2
    return total / 4.0
