"""How likely a win, a tie and a loss are, given how much stronger one system is than the other.

Each model gives the log-probability of every outcome and its first and second derivatives in
`d`, the log-odds by which the first system is ahead, and in `t`, the tie parameter (Davidson
1970: log nu; Rao & Kupper 1967: log theta). Columns of outcomes: won, tied, lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["Slopes", "Ties", "slopes", "starting_tie"]

Floats = NDArray[np.float64]
Ties = Literal["davidson", "rao_kupper", "half"]


@dataclass(frozen=True, slots=True, eq=False)
class Slopes:
    """Log-likelihood of cells and its derivatives.

    Attributes
    ----------
    log_likelihood
        Sum over all comparisons.
    in_d, in_t
        First derivatives of one comparison of each cell and outcome (cells, 3).
    dd, dt, tt
        Minus the second derivatives, summed over the comparisons of each cell (cells,).
    """

    log_likelihood: float
    in_d: Floats
    in_t: Floats
    dd: Floats
    dt: Floats
    tt: Floats


def slopes(ties: Ties, d: Floats, t: Floats, counts: Floats) -> Slopes:
    """Evaluate a model at `d` and `t` (cells,); `t` = -inf (Davidson) or 0 means no ties."""
    if ties == "davidson":
        return _davidson(d, t, counts)
    return _rao_kupper(d, t, counts, half=ties == "half")


def starting_tie(ties: Ties, share: Floats) -> Floats:
    """Give the tie parameter that fits a share of ties in (0, 1) between equal systems."""
    if ties == "davidson":
        return np.asarray(np.log(2 * share / (1 - share)))
    return np.asarray(2 * np.arctanh(share))


def _davidson(d: Floats, t: Floats, counts: Floats) -> Slopes:
    terms = np.stack((d / 2, t, -d / 2), axis=1)
    log_total = np.logaddexp.reduce(terms, axis=1)
    log_p = terms - log_total[:, None]
    won, tied, lost = np.exp(log_p).T
    lead = won - lost
    n = counts.sum(axis=1)
    in_d = np.stack((0.5 - lead / 2, -lead / 2, -0.5 - lead / 2), axis=1)
    in_t = np.stack((-tied, 1 - tied, -tied), axis=1)
    return Slopes(
        _total(counts, log_p),
        in_d,
        in_t,
        n * (won + lost - lead**2) / 4,
        -n * lead * tied / 2,
        n * tied * (1 - tied),
    )


def _rao_kupper(d: Floats, t: Floats, counts: Floats, *, half: bool) -> Slopes:
    """Use P(tie) = (theta^2 - 1) P(win) P(loss); half a win and half a loss is theta = 1."""
    log_a, log_b = -np.logaddexp(0, t - d), -np.logaddexp(0, t + d)
    a, b = np.exp(log_a), np.exp(log_b)
    won, tied, lost = counts.T
    share = 0.5 if half else 1.0  # of a tie that counts as a win, and as a loss
    as_won, as_lost = won + share * tied, lost + share * tied
    between, bend, curve = np.zeros_like(t), np.zeros_like(t), np.zeros_like(t)
    if not half:
        open_ = t > 0
        rise = np.expm1(2 * t[open_])
        between[open_] = np.log(rise)
        bend[open_] = 2 * (rise + 1) / rise
        curve[open_] = 4 * (rise + 1) / rise**2
    log_p = np.stack((log_a, share * (log_a + log_b) + between, log_b), axis=1)
    in_d = np.stack((1 - a, share * (b - a), b - 1), axis=1)
    in_t = np.stack((a - 1, share * (a + b - 2) + bend, b - 1), axis=1)
    at_a, at_b = as_won * a * (1 - a), as_lost * b * (1 - b)
    return Slopes(
        _total(counts, log_p), in_d, in_t, at_a + at_b, at_b - at_a, at_a + at_b + tied * curve
    )


def _total(counts: Floats, log_p: Floats) -> float:
    seen = counts > 0
    return float(np.sum(counts[seen] * log_p[seen]))
