"""Label-corrected means of several groups put together: their difference, or their mixture.

Stratified: the share of every stratum among all responses is known, so only what happens within
strata is uncertain (Cochran 1977, ch. 5; Fisch et al. 2024, arXiv:2406.04291). Each part keeps its
own lambda. MOVER (Donner & Zou 2012) puts the intervals of two systems together, skew and all; of
many small strata it would add up the skew of each, which their sum no longer has, so that variances
are added instead, and labels in [0, 1] get the shape of Wilson's interval.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panopt.stats.arrays import as_clusters
from panopt.stats.ppi import ppi_mean, regression_estimate
from panopt.stats.ppi_case import Case, PpiEstimate, numbers
from panopt.stats.ppi_table import mover

__all__ = ["ppi_difference", "ppi_stratified"]

Floats = NDArray[np.float64]

#: Fewer labelled pairs that differ than this say too little of how systems go together.
FEW = 10


def ppi_difference(  # noqa: PLR0913, PLR0917 - two systems, and options
    y_a: ArrayLike,
    yhat_a: ArrayLike,
    yhat_unlabeled_a: ArrayLike,
    y_b: ArrayLike,
    yhat_b: ArrayLike,
    yhat_unlabeled_b: ArrayLike,
    *,
    paired: bool = True,
    alpha: float = 0.05,
    lam: float | None = None,
    clusters: ArrayLike | None = None,
    clusters_unlabeled: ArrayLike | None = None,
) -> PpiEstimate:
    """Estimate how much higher the mean human label of system a is than that of system b.

    Parameters
    ----------
    y_a, yhat_a, yhat_unlabeled_a
        Labels and judge's scores of system a, as in :func:`panopt.stats.ppi.ppi_mean`.
    y_b, yhat_b, yhat_unlabeled_b
        The same of system b.
    paired
        Whether entry i of a and of b are of one item; else the systems' items are independent.
    alpha, lam
        As in :func:`panopt.stats.ppi.ppi_mean`.
    clusters, clusters_unlabeled
        Of the pairs; not without `paired`.

    Returns
    -------
    PpiEstimate
        Of the difference; its `n` are pairs, or the labels of both systems.

    Raises
    ------
    ValueError
        For pairs of different number, and as :func:`panopt.stats.ppi.ppi_mean`.

    Examples
    --------
    >>> one, two = np.repeat([1, 0], [15, 5]), np.repeat([1, 0, 1, 0], [9, 6, 1, 4])
    >>> many = np.tile([1, 1, 0], 100)
    >>> found = ppi_difference(one, one, many, two, two, np.tile([1, 0, 0], 100), paired=False)
    >>> round(found.value, 3), round(found.low, 3), round(found.high, 3)
    (0.328, 0.145, 0.481)
    """
    first = _taken("a", y_a, yhat_a, yhat_unlabeled_a)
    second = _taken("b", y_b, yhat_b, yhat_unlabeled_b)
    if not paired:
        if clusters is not None or clusters_unlabeled is not None:
            raise ValueError("clusters are of pairs: they need paired=True")
        return _apart(first, second, alpha=alpha, lam=lam)
    for name, x, z in zip(("y", "yhat", "yhat_unlabeled"), first, second, strict=True):
        if x.shape != z.shape:
            raise ValueError(
                f"{name}_a and {name}_b must have one entry a pair, not {x.size} and {z.size}; "
                "systems on different items are compared with paired=False"
            )
    y, f, pool = (x - z for x, z in zip(first, second, strict=True))
    case = Case.checked(y, f, pool, clusters, clusters_unlabeled, None, alpha=alpha, lam=lam)
    binary = bool(np.isin(np.concatenate((first[0], second[0])), (0.0, 1.0)).all())
    few = int(np.count_nonzero(y)) < FEW or int(np.count_nonzero(y != f)) < FEW
    if binary and few and case.plain and case.n > 1:
        return _apart(first, second, alpha=alpha, lam=lam, pairs=case.n)
    if case.n_clusters < 2 or (lam is not None and case.plain):
        return ppi_mean(
            y,
            f,
            pool,
            alpha=alpha,
            lam=lam,
            clusters=clusters,
            clusters_unlabeled=clusters_unlabeled,
        )
    bounded = all(part.min() >= 0.0 and part.max() <= 1.0 for part in (first[0], second[0]))
    span = (-1.0, 1.0) if bounded else None
    return regression_estimate(case, lam, span=span)


def ppi_stratified(  # noqa: PLR0913 - one argument an option
    y: ArrayLike,
    yhat: ArrayLike,
    yhat_unlabeled: ArrayLike,
    *,
    strata: ArrayLike,
    strata_unlabeled: ArrayLike,
    alpha: float = 0.05,
    lam: float | None = None,
) -> PpiEstimate:
    """Estimate the mean human label of all responses from labels of each of several strata.

    Responses may have been chosen for labelling at different rates in different strata, but at
    random within each.

    Parameters
    ----------
    y, yhat, yhat_unlabeled, alpha, lam
        As in :func:`panopt.stats.ppi.ppi_mean`; `lam` is fitted in each stratum where None.
    strata, strata_unlabeled
        Stratum (task family, say) of every labelled and every other response.

    Returns
    -------
    PpiEstimate
        Its `lam` is the mean over the strata. Without interval, and with a reason, where a
        stratum has fewer than two labels; without value where one has none.

    Raises
    ------
    ValueError
        As :func:`panopt.stats.ppi.ppi_mean`, and for strata of other shapes.

    Examples
    --------
    Hard responses, which fail more, are labelled more often; the judge is always right:

    >>> y = np.r_[np.tile([1, 1, 1, 0], 40), np.tile([0, 0, 1, 0], 40)]
    >>> group, chosen = np.repeat(["easy", "hard"], 160), np.arange(320) >= 120
    >>> found = ppi_stratified(
    ...     y[chosen], y[chosen], y[~chosen],
    ...     strata=group[chosen], strata_unlabeled=group[~chosen],
    ... )
    >>> float(y[chosen].mean()), float(y.mean()), round(found.value, 3)
    (0.35, 0.5, 0.5)
    """
    labels, f, pool = _taken("", y, yhat, yhat_unlabeled)
    mine = as_clusters("strata", strata)
    rest = as_clusters("strata_unlabeled", strata_unlabeled)
    for name, keys, size in (("strata", mine, labels.size), ("strata_unlabeled", rest, pool.size)):
        if keys.shape != (size,):
            raise ValueError(f"{name} must have the shape ({size},), not {keys.shape}")
    case = Case.checked(labels, f, pool, None, None, None, alpha=alpha, lam=None)
    names, codes = np.unique(np.concatenate((mine, rest)), return_inverse=True)
    own, others = codes[: labels.size], codes[labels.size :]
    parts = [
        ppi_mean(
            labels[own == k],
            f[own == k],
            pool[others == k],
            alpha=alpha,
            lam=lam if np.any(others == k) else None,
        )
        for k in range(names.size)
    ]
    method = f"{names.size} strata: {parts[0].method if parts else 'none'}"
    for name, part in zip(names.tolist(), parts, strict=True):
        if part.value is None:
            return case.give(None, method, reason=f"stratum {name!r} has no label")
    weight = np.bincount(codes) / codes.size
    value = np.array([part.value for part in parts], dtype=np.float64)
    total = float(weight @ value)
    lams = float(weight @ np.array([part.lam or 0.0 for part in parts]))
    for name, part in zip(names.tolist(), parts, strict=True):
        if part.low is None:
            why = f"stratum {name!r}: {part.reason}"
            return case.give(total, method, lam=lams, reason=why)
    # The strata's shares are those of these responses; others would come in other shares.
    shares = float(weight @ (value - total) ** 2) / codes.size
    se = np.array([part.se for part in parts], dtype=np.float64)
    counts = np.bincount(own).astype(np.float64)
    if np.isin(labels, (0.0, 1.0)).all():  # two labels that agree do not show that all would
        lone = np.array([part.lam == 0.0 for part in parts])
        right = np.bincount(own, weights=labels)
        least = (right + 0.5) * (counts - right + 0.5) / (counts + 1.0) ** 2 / counts
        se = np.where(lone, np.maximum(se, np.sqrt(least)), se)
    variance = float(np.sum((weight * se) ** 2)) + shares
    if names.size > 1 and labels.min() >= 0.0 and labels.max() <= 1.0:
        from panopt.stats.bounded import wilson_interval  # noqa: PLC0415 - it imports scipy

        # Degrees of freedom of strata that spread alike, the heavy ones counting for most.
        each = weight**2 / counts
        df = float(each.sum() ** 2 / np.sum(each**2 / (counts - 1.0)))
        total = min(max(total, 0.0), 1.0)
        low, high = wilson_interval(total, float(np.sqrt(variance)), n_units=df + 1.0, alpha=alpha)
        shape = f"Wilson at the effective sample size, {df:.4g} df"
    else:
        ends = np.array([(part.low, part.high) for part in parts], dtype=np.float64)
        wide = _normal(alpha) * float(np.sqrt(shares))
        low, high = mover(
            total,
            np.append(weight * np.maximum(value - ends[:, 0], 0.0), wide),
            np.append(weight * np.maximum(ends[:, 1] - value, 0.0), wide),
        )
        if labels.min() >= 0.0 and labels.max() <= 1.0:
            low, high = max(low, 0.0), min(high, 1.0)
        shape = "put together by MOVER"
    spread = float(labels.var(ddof=1))
    return case.give(
        total,
        f"{method}; {shape}",
        ends=(low, high),
        se=float(np.sqrt(variance)),
        lam=lams,
        ess=spread / variance if variance > 0.0 else None,
    )


def _apart(
    first: tuple[Floats, Floats, Floats],
    second: tuple[Floats, Floats, Floats],
    *,
    alpha: float,
    lam: float | None,
    pairs: int | None = None,
) -> PpiEstimate:
    """Give the difference of two estimates, taken as independent."""
    one, two = (ppi_mean(*part, alpha=alpha, lam=lam) for part in (first, second))
    n = one.n + two.n if pairs is None else pairs
    difference = None if one.value is None or two.value is None else one.value - two.value
    note = "independent systems" if pairs is None else "few pairs differ: taken as independent"
    low = high = se = ess = None
    if difference is not None and one.reason is None and two.reason is None:
        ends = np.array([(part.low, part.value, part.high) for part in (one, two)], dtype=float)
        (low_a, at_a, high_a), (low_b, at_b, high_b) = ends
        low, high = mover(
            difference,
            np.array([at_a - low_a, high_b - at_b]),
            np.array([high_a - at_a, at_b - low_b]),
        )
        se = float(np.hypot(one.se or 0.0, two.se or 0.0))
    if se and one.se and two.se and one.ess and two.ess:
        alone = one.se**2 * one.ess / one.n + two.se**2 * two.ess / two.n
        ess = n * alone / se**2
    return PpiEstimate(
        value=difference,
        low=low,
        high=high,
        se=se,
        lam=None if one.lam is None or two.lam is None else (one.lam + two.lam) / 2.0,
        ess=ess,
        n=n,
        n_unlabeled=one.n_unlabeled + two.n_unlabeled if pairs is None else one.n_unlabeled,
        n_clusters=one.n_clusters + two.n_clusters if pairs is None else one.n_clusters,
        alpha=alpha,
        method=f"{one.method}; difference by MOVER, {note}",
        assumptions=one.assumptions,
        reason=one.reason or two.reason,
    )


def _taken(
    system: str, y: ArrayLike, yhat: ArrayLike, pool: ArrayLike
) -> tuple[Floats, Floats, Floats]:
    end = f"_{system}" if system else ""
    return (
        numbers(f"y{end}", y),
        numbers(f"yhat{end}", yhat),
        numbers(f"yhat_unlabeled{end}", pool),
    )


def _normal(alpha: float) -> float:
    from scipy.special import ndtri  # noqa: PLC0415 - scipy is imported late

    return float(ndtri(1.0 - alpha / 2.0))
