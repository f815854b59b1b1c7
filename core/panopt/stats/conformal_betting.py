"""Bound the mean of losses between 0 and B from above, tightly where they vary little.

If the mean were R, wealth that starts at 1 and bets against R would pass 1 / delta with
probability at most delta (Ville's inequality). The bound is the least R that is so refuted: it
holds for every distribution on [0, B], in finite samples (Waudby-Smith & Ramdas 2024, theorem 3;
bets as in Bates et al. 2021, section 3.1.3).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panopt.stats.conformal_split import one_row

__all__ = ["LossBound", "loss_upper"]

Floats = NDArray[np.float64]

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
        ``exact binomial`` where losses are all 0 or B, else ``betting``, or what was asked for.
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
    method: Literal["auto", "betting", "hoeffding"] = "auto",
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
        ``auto``: exact binomial where every loss is 0 or `bound`, else betting. ``hoeffding`` is
        there for comparison: wider, and no assumption is saved.

    Returns
    -------
    LossBound

    Raises
    ------
    ValueError
        For losses that are NaN or outside [0, bound], or delta outside (0, 1).

    Examples
    --------
    >>> losses = np.tile([0.0, 0.1, 0.2], 100)
    >>> round(loss_upper(losses).value, 3), round(loss_upper(losses, method="hoeffding").value, 3)
    (0.111, 0.162)
    >>> round(loss_upper([0.0] * 22, delta=0.1).value, 4)
    0.0994
    """
    r = one_row("losses", losses)
    if not (bound > 0 and np.isfinite(bound)):
        raise ValueError(f"bound = {bound} must be positive and finite")
    if not 0.0 < delta < 1.0:
        raise ValueError(f"delta = {delta} must lie strictly between 0 and 1")
    if method not in ("auto", "betting", "hoeffding"):
        raise ValueError(f"method = {method!r} must be auto, betting or hoeffding")
    if r.size and not 0.0 <= r.min() <= r.max() <= bound:
        raise ValueError(f"losses span {r.min():g}..{r.max():g}; they must lie in 0..{bound:g}")
    x, n = r / bound, len(r)
    used: str
    whole = bool(np.all((x == 0.0) | (x == 1.0)))
    if n == 0:
        share, used = 1.0, method
    elif method == "auto" and whole:
        from panopt.stats.binomial import risk_upper  # noqa: PLC0415 - a fast start

        share, used = float(risk_upper(int(x.sum()), n, delta)), "exact binomial"
    elif method == "hoeffding":
        share, used = float(x.mean() + np.sqrt(-np.log(delta) / (2 * n))), method
    else:
        share, used = _betting(x, delta), "betting"
    share = min(share, 1.0)
    return LossBound(
        value=share * bound,
        mean=float(r.mean()) if n else None,
        n=n,
        method=used,
        delta=delta,
        bound=bound,
        assumption=_INDEPENDENT,
        reason=None if share < 1.0 else f"{n} losses rule nothing out at delta = {delta:g}",
    )


def _betting(x: Floats, delta: float) -> float:
    """Find the least mean that betting refutes, by bisection: wealth rises with it."""
    n = len(x)
    i = np.arange(1, n + 1)
    mean = (0.5 + np.cumsum(x)) / (1 + i)
    variance = (0.25 + np.cumsum((x - mean) ** 2)) / (1 + i)
    before = np.concatenate([[0.25], variance[:-1]])
    stake = np.minimum(1.0, np.sqrt(2.0 * np.log(1.0 / delta) / (n * before)))
    goal = np.log(1.0 / delta)

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
