"""Ask whether labelled responses look like today's: what every conformal guarantee rests on.

Two groups at once: a permutation test on any label-free numbers, such as the panel's scores. One by
one in their order: a conformal martingale, wealth that grows past 100 with probability at most 1%
while the stream is exchangeable (Vovk et al. 2021, the simple jumper).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panopt.stats.arrays import as_floats

__all__ = [
    "ExchangeTest",
    "Martingale",
    "conformal_martingale",
    "exchangeability_test",
]

Floats = NDArray[np.float64]

_BINS = 64
_LEAST = 5
_JUMP = 0.01
_BETS = np.array([-1.0, 0.0, 1.0])


@dataclass(frozen=True, slots=True)
class ExchangeTest:
    """Whether two groups of responses could be one, randomly parted.

    Attributes
    ----------
    p_value
        Valid in finite samples; None with a `reason`.
    n_labelled, n_new
        Responses in either group.
    feature
        Column of the numbers that differs most.
    shift
        Mean of that column among new responses less that among labelled ones, in standard
        deviations of both.
    method, reason
        The test; why there is no answer.
    """

    p_value: float | None
    n_labelled: int
    n_new: int
    feature: int
    shift: float | None
    method: str
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Martingale:
    """Evidence, piled up in the order of a stream, that it is not exchangeable.

    Attributes
    ----------
    log10_wealth
        After each number (numbers,): 2 is a hundredfold.
    p_value
        Anytime-valid: one over the largest wealth so far, at most 1.
    alarm
        First place at which wealth reached ``1 / level``; None where it never did.
    level, n
        Probability of a false alarm, ever; numbers seen.
    """

    log10_wealth: Floats
    p_value: float
    alarm: int | None
    level: float
    n: int


def exchangeability_test(
    labelled: ArrayLike,
    new: ArrayLike,
    *,
    n_permutations: int = 999,
    rng: np.random.Generator | None = None,
) -> ExchangeTest:
    """Test whether labelled and new responses are drawn alike, by numbers that need no label.

    Parameters
    ----------
    labelled, new
        Numbers of the responses of either group, such as panel mean and spread: (responses,) or
        (responses, columns), NaN missing. Responses are independent: one of each cluster.
    n_permutations
        Random partings that the real one is compared with.
    rng
        Draws them; one of fixed seed by default.

    Returns
    -------
    ExchangeTest

    Raises
    ------
    ValueError
        For infinite numbers, shapes that do not fit, or `n_permutations` below 1.

    Notes
    -----
    The statistic is Anderson and Darling's distance of two distributions, on up to 64 groups of
    equal size; how partings fall on groups is multivariate hypergeometric, so that a million
    responses cost no more than a hundred. Several columns: the smallest p-value times their
    number. A high p-value shows no exchangeability: what differs may not show in these numbers.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> exchangeability_test(rng.normal(size=200), rng.normal(size=2000)).p_value > 0.05
    True
    >>> exchangeability_test(rng.normal(size=200), rng.normal(0.5, 1, 2000)).p_value
    0.001
    """
    a, b = _columns("labelled", labelled), _columns("new", new)
    if a.shape[1] != b.shape[1]:
        raise ValueError(f"labelled has {a.shape[1]} columns, new {b.shape[1]}")
    if n_permutations < 1:
        raise ValueError(f"n_permutations = {n_permutations} must be at least 1")
    rng = np.random.default_rng(0) if rng is None else rng
    method = f"permutation test (Anderson-Darling distance, {n_permutations} random partings)"
    if min(len(a), len(b)) < _LEAST:
        return ExchangeTest(
            p_value=None,
            n_labelled=len(a),
            n_new=len(b),
            feature=0,
            shift=None,
            method=method,
            reason=f"{len(a)} labelled and {len(b)} new responses: {_LEAST} of each are needed",
        )
    values = [_permuted(x, y, n_permutations, rng) for x, y in zip(a.T, b.T, strict=True)]
    at = int(np.argmin(values))
    return ExchangeTest(
        p_value=min(1.0, values[at] * len(values)),
        n_labelled=len(a),
        n_new=len(b),
        feature=at,
        shift=_shift(a[:, at], b[:, at]),
        method=method,
    )


def conformal_martingale(
    values: ArrayLike, *, level: float = 0.01, rng: np.random.Generator | None = None
) -> Martingale:
    """Bet, number by number, against a stream being exchangeable.

    Parameters
    ----------
    values
        Numbers in the order in which they came (numbers,), the calibration set first: residuals,
        panel scores or confidences.
    level
        Probability of a false alarm over the whole stream, in (0, 1).
    rng
        Breaks ties; one of fixed seed by default.

    Returns
    -------
    Martingale

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> conformal_martingale(rng.normal(size=1000)).alarm is None
    True
    >>> shifted = np.concatenate([rng.normal(size=500), rng.normal(1.0, 1.0, 500)])
    >>> 500 < conformal_martingale(shifted).alarm < 600
    True
    """
    x = as_floats("values", values)
    if x.ndim != 1 or not np.isfinite(x).all():
        raise ValueError("values must be one row of finite numbers")
    if not 0.0 < level < 1.0:
        raise ValueError(f"level = {level} must lie strictly between 0 and 1")
    uniform = (np.random.default_rng(0) if rng is None else rng).random(len(x)).tolist()
    seen: list[float] = []
    factors = np.empty(len(x))
    for t, number in enumerate(x.tolist()):  # a rank among those before: one by one, by nature
        below, upto = bisect_left(seen, number), bisect_right(seen, number)
        factors[t] = (t - upto + uniform[t] * (upto - below + 1)) / (t + 1)
        insort(seen, number)
    logs, share = np.empty(len(x)), np.full(3, 1.0 / 3.0)
    total = 0.0
    for t, p in enumerate((factors - 0.5).tolist()):
        share = (1.0 - _JUMP) * share + _JUMP / 3.0
        share *= 1.0 + _BETS * p
        gain = float(share.sum())
        total += np.log10(gain)
        share /= gain
        logs[t] = total
    reached = np.flatnonzero(logs >= -np.log10(level))
    most = float(logs.max()) if len(x) else 0.0
    return Martingale(
        log10_wealth=logs,
        p_value=float(10.0 ** -max(most, 0.0)),
        alarm=int(reached[0]) if reached.size else None,
        level=level,
        n=len(x),
    )


def _permuted(a: Floats, b: Floats, n_permutations: int, rng: np.random.Generator) -> float:
    """Give the p-value of one column; missing numbers are a group of their own."""
    pooled = np.concatenate([a, b])
    known = pooled[~np.isnan(pooled)]
    edges = np.unique(np.quantile(known, np.arange(1, _BINS) / _BINS)) if known.size else known
    counts = [_counts(part, edges) for part in (a, b)]
    both = counts[0] + counts[1]
    kept = both > 0
    both, first = both[kept], counts[0][kept]
    if len(both) < 2:
        return 1.0
    drawn = rng.multivariate_hypergeometric(both, len(a), size=n_permutations, method="marginals")
    seen = _distance(first[None, :], both, len(a))[0]
    null = _distance(drawn, both, len(a))
    larger = np.count_nonzero(null >= seen * (1.0 - 1e-12))
    return float((1 + larger) / (n_permutations + 1))


def _counts(part: Floats, edges: Floats) -> NDArray[np.int64]:
    code = np.searchsorted(edges, part, side="left")  # NaN comes last
    code[np.isnan(part)] = len(edges) + 1
    return np.bincount(code, minlength=len(edges) + 2).astype(np.int64)


def _distance(drawn: NDArray[np.int64], both: NDArray[np.int64], n: int) -> Floats:
    """Give Anderson and Darling's distance of each row's groups from all (rows,)."""
    total = both.sum()
    share = np.cumsum(both)[:-1] / total
    apart = np.cumsum(drawn, axis=1)[:, :-1] / n - share
    mass = (both[:-1] + both[1:]) / (2.0 * total)
    return np.asarray((apart**2 / (share * (1.0 - share)) * mass).sum(axis=1))


def _shift(a: Floats, b: Floats) -> float | None:
    x, y = a[~np.isnan(a)], b[~np.isnan(b)]
    if not x.size or not y.size:
        return None
    sd = float(np.concatenate([x, y]).std())
    return float(y.mean() - x.mean()) / sd if sd > 0 else 0.0


def _columns(name: str, values: ArrayLike) -> Floats:
    x = as_floats(name, values)
    if x.ndim == 1:
        x = x[:, None]
    if x.ndim != 2 or x.shape[1] == 0:
        raise ValueError(f"{name} must have one or two dimensions and a column at least")
    if np.isinf(x).any():
        raise ValueError(f"{name} must be finite, NaN where missing")
    return x
