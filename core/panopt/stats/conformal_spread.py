"""Let intervals be wide where the panel is unsure, if that makes them narrower on the whole.

Residuals are divided by a spread (posterior sd, spread of the judges) before the quantile is
taken (Lei et al. 2018, section 5.2). Coverage holds for any spread that no calibration label
entered; whether it helps is decided on other labels, so that it still holds after the choice.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panopt.stats.arrays import as_floats
from panopt.stats.conformal_split import one_row, rank_and_need

__all__ = ["SpreadChoice", "choose_spread", "floored_spread"]

Floats = NDArray[np.float64]

#: Smallest share of width that normalising must save before it is used.
LEAST_GAIN = 0.03
_LEAST = 20


@dataclass(frozen=True, slots=True)
class SpreadChoice:
    """Whether to divide residuals by a spread.

    Attributes
    ----------
    use
        Whether intervals get narrower by it on the labels it was decided on.
    width_ratio
        Mean width with the spread over the one without; None where labels are too few.
    n
        Labels it was decided on, none of which may calibrate afterwards.
    reason
        The decision in words.
    """

    use: bool
    width_ratio: float | None
    n: int
    reason: str


def floored_spread(spread: ArrayLike) -> Floats:
    """Add half of the mean spread to every spread, so that none is 0: one agreed panel may err.

    Parameters
    ----------
    spread
        Spread of each response (responses,), not negative; NaN (no or one judge) becomes the mean.

    Returns
    -------
    ndarray
        Positive spreads (responses,); 1 everywhere where there is no spread at all.

    Examples
    --------
    >>> floored_spread([0.0, 0.2, np.nan]).tolist()
    [0.05, 0.25, 0.15000000000000002]
    """
    s = as_floats("spread", spread)
    if s.ndim != 1:
        raise ValueError(f"spread must have one dimension, not {s.ndim}")
    if np.isinf(s).any() or np.any(s < 0):
        raise ValueError("spread must be finite and not negative")
    known = ~np.isnan(s)
    mean = float(s[known].mean()) if known.any() else 0.0
    if mean <= 0.0:
        return np.ones(s.shape)
    return np.where(known, s, mean) + mean / 2.0


def choose_spread(
    residuals: ArrayLike,
    spread: ArrayLike,
    *,
    alpha: float = 0.1,
    least_gain: float = LEAST_GAIN,
    what: str = "the spread",
) -> SpreadChoice:
    """Decide whether to normalise residuals, on labels that will not calibrate.

    Widths are compared at five miscoverages around `alpha` (from alpha / 2 to 3 alpha / 2), since
    one quantile of few labels says little.

    Parameters
    ----------
    residuals
        ``|human - panel|`` of labels set aside for the decision (labels,).
    spread
        Spread of the same responses, positive.
    alpha
        Miscoverage that intervals will have, in (0, 1).
    least_gain
        Share of the width that must be saved.
    what
        The spread in words, for the reason.

    Returns
    -------
    SpreadChoice

    Raises
    ------
    ValueError
        For NaN, infinity, negative residuals, spreads that are not positive, or shapes that
        differ.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> s = rng.uniform(0.1, 2.0, 400)
    >>> choose_spread(np.abs(rng.normal(0, s)), s).use
    True
    >>> choose_spread(np.abs(rng.normal(size=400)), s).use
    False
    """
    r, s = one_row("residuals", residuals), one_row("spread", spread)
    if r.shape != s.shape:
        raise ValueError(f"residuals and spread differ in length: {len(r)} and {len(s)}")
    if np.any(s <= 0):
        raise ValueError("spread must be positive")
    if not (np.isfinite(r).all() and np.isfinite(s).all() and np.all(r >= 0)):
        raise ValueError("residuals and spread must be finite, residuals not negative")
    if not least_gain < 1.0:
        raise ValueError(f"least_gain = {least_gain} must be a share below 1")
    rank_and_need(len(r), alpha)
    n = len(r)
    if n < _LEAST:
        return SpreadChoice(
            use=False,
            width_ratio=None,
            n=n,
            reason=f"not normalised: {n} labels are too few to decide it on ({_LEAST})",
        )
    levels = 1.0 - alpha * np.linspace(0.5, 1.5, 5)
    levels = levels[levels > 0]
    plain = np.quantile(r, levels, method="higher")
    scaled = np.quantile(r / s, levels, method="higher") * s.mean()
    if plain.min() <= 0.0 or scaled.min() <= 0.0:
        return SpreadChoice(
            use=False, width_ratio=None, n=n, reason="not normalised: most residuals are 0"
        )
    ratio = float(np.exp(np.mean(np.log(scaled / plain))))
    use = ratio <= 1.0 - least_gain
    word = "narrower" if ratio <= 1.0 else "wider"
    said = f"intervals in units of {what} are {abs(1 - ratio):.0%} {word} on {n} labels"
    return SpreadChoice(
        use=use, width_ratio=ratio, n=n, reason=f"{'' if use else 'not '}normalised: {said}"
    )
