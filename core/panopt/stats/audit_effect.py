"""One habit of one judge: an effect with interval and p-value, and the price of asking of many.

Means of differences come from :mod:`panopt.stats.paired` (interval) and
:mod:`panopt.stats.signflip` (p), slopes from :mod:`panopt.stats.audit_slope`. Intervals are for
each effect alone; p-values are adjusted by Holm's method for all the tests of a family.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panopt.stats.arrays import as_clusters, as_floats
from panopt.stats.multiple import holm
from panopt.stats.paired import paired_difference
from panopt.stats.paired_data import cluster_codes
from panopt.stats.signflip import permutation_test

__all__ = ["FEWEST", "AuditEffect", "adjust_effects", "check_alpha", "paired_effect", "unknown"]

Floats = NDArray[np.float64]

#: Fewer independent clusters than this make no effect.
FEWEST = 8


@dataclass(frozen=True, slots=True)
class AuditEffect:
    """How far a judge departs from what is fair, in one respect.

    Attributes
    ----------
    value
        The effect; 0 is fair. None where `reason` says why.
    low, high
        Interval at level 1 - alpha, for this effect alone.
    se, df
        Cluster-robust standard error and its degrees of freedom.
    p, p_adjusted
        Two-sided p-value, and the same adjusted for all tests of the family (Holm); None until
        :func:`adjust_effects` has seen the family, and where no test was made.
    n, n_clusters
        Responses, and independent clusters of them, that bear on it.
    alpha
        One minus the level.
    method
        Estimator and interval in a few words.
    details
        Further numbers of the same estimate.
    notes
        What to beware of.
    reason
        Why there is no value, or no interval.
    """

    value: float | None
    low: float | None
    high: float | None
    se: float | None
    df: float | None
    p: float | None
    n: int
    n_clusters: int
    alpha: float
    method: str
    p_adjusted: float | None = None
    details: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    reason: str | None = None

    def shown(self) -> bool:
        """Tell whether the effect is shown at alpha, all tests of the family considered."""
        return self.p_adjusted is not None and self.p_adjusted <= self.alpha


def adjust_effects(effects: Sequence[AuditEffect]) -> tuple[AuditEffect, ...]:
    """Adjust the p-values of a family of effects for their number (Holm 1979).

    Parameters
    ----------
    effects
        All that were looked at; those without a p-value do not count.

    Returns
    -------
    tuple of AuditEffect
        The same with `p_adjusted`: calling those at most alpha real errs with probability at
        most alpha, even once, whatever the tests have to do with each other.

    Examples
    --------
    >>> fair = [0.6, 0.4, 0.5, 0.3, 0.7, 0.5, 0.6, 0.4, 0.5, 0.6]
    >>> high = [0.9, 0.6, 0.8, 0.7, 0.9, 0.7, 0.9, 0.6, 0.8, 0.9]
    >>> family = [paired_effect(high, fair), paired_effect(fair, fair[::-1])]
    >>> [round(found.p_adjusted, 4) for found in adjust_effects(family)]
    [0.0039, 1.0]
    """
    p = np.array([np.nan if found.p is None else found.p for found in effects])
    adjusted = holm(p) if len(effects) else p
    return tuple(
        replace(found, p_adjusted=None if found.p is None else float(value))
        for found, value in zip(effects, adjusted, strict=True)
    )


def paired_effect(
    a: ArrayLike,
    b: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    alpha: float = 0.05,
    scale: float = 1.0,
) -> AuditEffect:
    """Estimate the mean of a - b over responses, with interval and sign-flip p.

    Parameters
    ----------
    a, b
        What a judge does and what is fair, on the same responses (responses,); NaN is missing.
    clusters
        Key of each response's cluster (responses,); every response its own where not given.
    alpha
        One minus the level of the interval.
    scale
        Factor by which the effect is multiplied.

    Raises
    ------
    ValueError
        For arrays of different length, infinities, or alpha off (0, 1).

    Examples
    --------
    >>> found = paired_effect([1, 1, 0, 1, 1, 1, 1, 1, 1, 0], [0, 1, 0, 0, 1, 0, 0, 1, 0, 0])
    >>> found.value, found.p, found.n_clusters
    (0.5, 0.0625, 10)
    """
    found = paired_difference(a, b, clusters=clusters, alpha=alpha)
    if found.value is None:
        return unknown("no response has both scores", alpha)
    if found.n_clusters < FEWEST:
        return unknown(few(found.n_clusters), alpha, n=found.n, n_clusters=found.n_clusters)
    ends = None
    if found.low is not None and found.high is not None:
        ends = sorted((found.low * scale, found.high * scale))
    return AuditEffect(
        value=found.value * scale,
        low=None if ends is None else ends[0],
        high=None if ends is None else ends[1],
        se=None if found.se is None else found.se * abs(scale),
        df=found.df,
        p=permutation_test(a, b, clusters=clusters).p,
        n=found.n,
        n_clusters=found.n_clusters,
        alpha=alpha,
        method=f"mean difference on the same responses; {found.method}; sign-flip p",
        notes=found.notes,
        reason=found.reason,
    )


def unknown(reason: str, alpha: float, *, n: int = 0, n_clusters: int = 0) -> AuditEffect:
    """Give an effect that the data do not tell, with its reason.

    Examples
    --------
    >>> unknown("no lengths", 0.05).reason
    'no lengths'
    """
    return AuditEffect(
        None, None, None, None, None, None, n, n_clusters, alpha, "none", reason=reason
    )


def few(n_clusters: int, fewest: int = FEWEST) -> str:
    """Say that there are too few clusters."""
    return f"{n_clusters} independent items bear on it: {fewest} are needed"


def check_alpha(alpha: float) -> None:
    """Refuse a level off (0, 1)."""
    if not 0.0 < alpha < 1.0:
        raise ValueError(f"alpha = {alpha} must lie strictly between 0 and 1")


def column(name: str, values: ArrayLike, n: int | None = None) -> Floats:
    """Give one number a response, finite or NaN, of the length the others have."""
    found = as_floats(name, values)
    if found.ndim != 1:
        raise ValueError(f"{name} must have one dimension, not {found.ndim}")
    if n is not None and len(found) != n:
        raise ValueError(f"{name} has {len(found)} entries; it must have {n}, one a response")
    if np.isinf(found).any():
        raise ValueError(f"{name} holds an infinity; it must be finite, NaN where missing")
    return found


def others(name: str, values: ArrayLike, n: int) -> Floats:
    """Give scores of the rest of the panel as (responses, judges)."""
    found = as_floats(name, values)
    if found.ndim not in (1, 2) or len(found) != n:
        raise ValueError(f"{name} has shape {found.shape}; it must be ({n},) or ({n}, judges)")
    if np.isinf(found).any():
        raise ValueError(f"{name} holds an infinity; it must be finite, NaN where missing")
    return found[:, None] if found.ndim == 1 else found


def keyed(name: str, values: ArrayLike | None, n: int) -> NDArray[np.intp]:
    """Give keys as codes from 0 without gaps; each response its own where there are none."""
    if values is None:
        return np.arange(n)
    keys = as_clusters(name, values)
    if keys.shape != (n,):
        raise ValueError(f"{name} has shape {keys.shape}; it must be ({n},), one a response")
    return cluster_codes(keys)[0]
