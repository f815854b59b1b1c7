"""Bound the mean of losses between 0 and B from above, tightly where they vary little.

If the mean were R, wealth that starts at 1 and bets against R would pass 1 / delta with
probability at most delta (Ville's inequality). The bound is the least R that is so refuted: it
holds for every distribution on [0, B], in finite samples (Waudby-Smith & Ramdas 2024, theorem 3;
bets as in Bates et al. 2021, section 3.1.3).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panopt.stats.conformal_split import one_row

__all__ = [
    "BoundMethod",
    "LossBound",
    "bound_method",
    "loss_upper",
    "refuted_means",
    "variance_before",
]

Floats = NDArray[np.float64]

BoundMethod = Literal["auto", "betting", "binomial", "hoeffding"]

_STEPS = 60
_INDEPENDENT = "losses are independent and drawn alike, and come in an order chosen without them"


@dataclass(frozen=True, slots=True)
class LossBound:
    """Upper confidence bound on a mean loss.

    Attributes
    ----------
    value
        The bound; with probability 1 - delta the true mean is no larger.
    mean, n
        Mean of the losses; how many.
    method
        ``binomial``, ``betting`` or ``hoeffding``.
    delta, bound
        Failure probability; largest loss there can be.
    assumption
        What it rests on.
    reason
        Why `value` says nothing more than `bound`; None where it does.
    """

    value: float
    mean: float | None
    n: int
    method: str
    delta: float
    bound: float
    assumption: str
    reason: str | None


def loss_upper(
    losses: ArrayLike,
    *,
    delta: float = 0.1,
    bound: float = 1.0,
    method: BoundMethod = "auto",
) -> LossBound:
    """Bound a mean loss from above with probability 1 - delta.

    Parameters
    ----------
    losses
        Independent losses (labels,), each between 0 and `bound`, in an order that does not depend
        on them.
    delta
        Failure probability in (0, 1).
    bound
        Largest loss there can be, positive.
    method
        ``binomial`` is exact for losses that can be 0 or `bound` only; ``auto`` takes it for
        losses given as bool, else ``betting``: losses that happen to be 0 or 1 do not tell that
        others cannot come, and a method picked by them would fail more often than delta.
        ``hoeffding`` is there for comparison: wider, and no assumption is saved.

    Returns
    -------
    LossBound

    Raises
    ------
    ValueError
        For losses that are NaN or outside [0, bound], or between both for ``binomial``; delta
        outside (0, 1).

    Examples
    --------
    >>> losses = np.tile([0.0, 0.1, 0.2], 100)
    >>> round(loss_upper(losses).value, 3), round(loss_upper(losses, method="hoeffding").value, 3)
    (0.111, 0.162)
    >>> round(loss_upper([False] * 22, delta=0.1).value, 4)
    0.0994
    """
    named = bound_method(method, losses)
    r = one_row("losses", losses)
    if not (bound > 0 and np.isfinite(bound)):
        raise ValueError(f"bound = {bound} must be positive and finite")
    if not 0.0 < delta < 1.0:
        raise ValueError(f"delta = {delta} must lie strictly between 0 and 1")
    if r.size and not 0.0 <= r.min() <= r.max() <= bound:
        raise ValueError(f"losses span {r.min():g}..{r.max():g}; they must lie in 0..{bound:g}")
    x, n = r / bound, len(r)
    if n == 0:
        share = 1.0
    elif named == "binomial":
        from panopt.stats.binomial import risk_upper  # noqa: PLC0415 - a fast start

        if np.any((x != 0.0) & (x != 1.0)):
            raise ValueError(f"losses lie between 0 and {bound:g}: binomial takes only these two")
        share = float(risk_upper(int(x.sum()), n, delta))
    elif named == "hoeffding":
        share = float(x.mean() + np.sqrt(-np.log(delta) / (2 * n)))
    else:
        share = _betting(x, delta)
    share = min(share, 1.0)
    return LossBound(
        value=share * bound,
        mean=float(r.mean()) if n else None,
        n=n,
        method=named,
        delta=delta,
        bound=bound,
        assumption=_INDEPENDENT,
        reason=None if share < 1.0 else f"{n} losses rule nothing out at delta = {delta:g}",
    )


def bound_method(method: BoundMethod, losses: ArrayLike) -> BoundMethod:
    """Name the method that `auto` takes: binomial for bools, else betting.

    Raises
    ------
    ValueError
        For an unknown method.

    Examples
    --------
    >>> bound_method("auto", [True, False]), bound_method("auto", [1.0, 0.0])
    ('binomial', 'betting')
    """
    if method not in get_args(BoundMethod):
        raise ValueError(f"method = {method!r} must be one of {', '.join(get_args(BoundMethod))}")
    if method != "auto":
        return method
    return "binomial" if np.asarray(losses).dtype.kind == "b" else "betting"


def refuted_means(losses: Floats, share: float, delta: float) -> NDArray[np.bool_]:
    """Tell for each column of losses on [0, 1] (labels, columns) whether its mean is below share.

    Each answer holds with probability 1 - delta; the same as ``loss_upper(column).value < share``
    by betting, without the search for that bound.
    """
    if not len(losses):
        return np.zeros(losses.shape[1], dtype=np.bool_)
    growth = 1.0 - _stakes(losses, delta) * (losses - share)
    with np.errstate(divide="ignore"):
        wealth = np.cumsum(np.log(growth), axis=0)
    return np.asarray(wealth.max(axis=0) > np.log(1.0 / delta))


def variance_before(x: Floats) -> Floats:
    """Guess the variance of each value on [0, 1] by those before it, down the first axis.

    One imagined value of mean and standard deviation .5 comes first.
    """
    i = np.arange(1, len(x) + 1).reshape(-1, *[1] * (x.ndim - 1))
    mean = (0.5 + np.cumsum(x, axis=0)) / (1 + i)
    variance = (0.25 + np.cumsum((x - mean) ** 2, axis=0)) / (1 + i)
    return np.concatenate([np.full_like(variance[:1], 0.25), variance[:-1]])


def _stakes(x: Floats, delta: float) -> Floats:
    """Give the stake of every bet, by the losses before it."""
    before = variance_before(x)
    return np.asarray(np.minimum(1.0, np.sqrt(2.0 * np.log(1.0 / delta) / (len(x) * before))))


def _betting(x: Floats, delta: float) -> float:
    """Find the least mean that betting refutes, by bisection: wealth rises with it."""
    stake, goal = _stakes(x, delta), np.log(1.0 / delta)

    def refuted(share: float) -> bool:
        growth = 1.0 - stake * (x - share)
        with np.errstate(divide="ignore"):
            return bool(np.cumsum(np.log(growth)).max() > goal)

    if not refuted(1.0):
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2.0
        low, high = (low, middle) if refuted(middle) else (middle, high)
    return high
