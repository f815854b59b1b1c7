"""Split the spread of each item's scores into what a judge varies by and what judges differ by.

Law of total variance: the mean variance within a judge's repeats (aleatoric: asking again does not
settle it) plus the variance between judges' means (epistemic: another judge would tell), from which
the noise that few repeats leave in those means is taken out. Per item this is the one-way analysis
of variance; its interval for the part between judges is Williams' (1962; Burdick & Graybill 1992,
section 4.3). A bootstrap of two to five repeats would be too short by (R - 1) / R and is not used.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panopt.stats.components import Component, VarianceComponents, variance_components
from panopt.stats.variance_sums import add_by, make_cells

__all__ = ["UncertaintySplit", "mean_split", "split_items", "uncertainty_split"]

FloatArray = NDArray[np.float64]

_NO_REPEATS = "no judge scored an item twice: how judges differ cannot be told from their noise"
_ONE_JUDGE = "no item has scores of two judges: how judges differ is not to be seen"


@dataclass(frozen=True, slots=True)
class UncertaintySplit:
    """Aleatoric and epistemic variance of each item, and on average.

    Attributes
    ----------
    aleatoric
        Mean variance within a judge (items,); NaN where no judge scored the item twice.
    epistemic
        Variance between judges, noise of their means removed, floored at 0 (items,); NaN where
        the noise is unknown or fewer than two judges scored.
    raw_epistemic
        The same before the floor (items,).
    aleatoric_interval, epistemic_interval
        Ends of an interval of each item (items, 2), scores within a judge and between judges taken
        as normal with one variance; NaN where all repeats are equal (aleatoric) or there is no
        estimate.
    mean_aleatoric, mean_epistemic
        The variances on average over items.
    reason
        Why there is nothing to tell.
    """

    aleatoric: FloatArray
    epistemic: FloatArray
    raw_epistemic: FloatArray
    aleatoric_interval: FloatArray
    epistemic_interval: FloatArray
    mean_aleatoric: Component
    mean_epistemic: Component
    reason: str | None = None


def uncertainty_split(  # noqa: PLR0913 - as variance_components
    item: ArrayLike,
    judge: ArrayLike,
    score: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    system: ArrayLike | None = None,
    level: float = 0.95,
    rng: np.random.Generator | None = None,
) -> UncertaintySplit:
    """Split each item's spread of scores into aleatoric and epistemic variance.

    Parameters
    ----------
    item, judge, score, clusters, system, level, rng
        As in :func:`panopt.stats.components.variance_components`; results are by item code.

    Returns
    -------
    UncertaintySplit
        The averages are the components repeat, and judge + item x judge; with complete data the
        latter is the mean of `raw_epistemic`.

    Raises
    ------
    ValueError
        For arrays or options outside their range.

    Examples
    --------
    One item, two judges with two repeats each: within .5 and .5, between means 1 and 3 variance 2,
    of which .5 / 2 is noise.

    >>> found = uncertainty_split([0] * 4, [0, 0, 1, 1], [0.5, 1.5, 2.5, 3.5])
    >>> found.aleatoric.tolist(), found.epistemic.tolist()
    ([0.5], [1.75])
    """
    parts = variance_components(
        item, judge, score, clusters=clusters, system=system, level=level, rng=rng
    )
    scores = np.asarray(np.ma.filled(np.ma.asarray(score, dtype=np.float64), np.nan))
    there = ~np.isnan(scores)
    items, judges = np.asarray(item), np.asarray(judge)
    size = int(items.max()) + 1
    return split_items(items[there], judges[there], scores[there], size, parts)


def split_items(
    item: NDArray[np.integer],
    judge: NDArray[np.integer],
    score: FloatArray,
    n_items: int,
    parts: VarianceComponents,
) -> UncertaintySplit:
    """Split by item what `parts` says on average; arrays are checked and without NaN."""
    cells = make_cells(item, judge, score, n_items, int(judge.max()) + 1)
    rows = cells.item

    def add(values: FloatArray) -> FloatArray:
        return add_by(rows, values, n_items)

    judges, again = add(np.ones(rows.size)), cells.size > 1
    twice, df = add(again.astype(np.float64)), add(cells.size - 1.0)
    within = np.divide(cells.squares, cells.size - 1.0, out=np.zeros(rows.size), where=again)
    aleatoric = _over(add(within), twice)
    # A judge heard once is taken to vary as the item's other judges do.
    varied = np.where(again, within, aleatoric[rows])
    noise = _over(add(varied / cells.size), judges)
    centre = _over(add(cells.mean), judges)
    between = _over(add((cells.mean - centre[rows]) ** 2), judges - 1.0)
    between[between < 1e-24 * float(np.mean(cells.mean**2))] = 0.0
    raw = between - noise
    ends = _intervals(aleatoric, between, noise, judges - 1.0, df, parts.level)
    aleatoric_mean, epistemic_mean = mean_split(parts)
    reason = None
    if not again.any():
        reason = _NO_REPEATS
    elif not (judges > 1).any():
        reason = _ONE_JUDGE
    return UncertaintySplit(
        aleatoric,
        np.maximum(raw, 0.0),
        raw,
        *ends,
        aleatoric_mean,
        epistemic_mean,
        reason,
    )


def mean_split(parts: VarianceComponents) -> tuple[Component, Component]:
    """Give aleatoric and epistemic variance on average over items, from the components."""
    repeat, judge, cross = parts.repeat, parts.judge, parts.item_judge
    reason = None
    if repeat.reason is not None:
        reason = _ONE_JUDGE if judge.reason is not None else _NO_REPEATS
        return Component(None, reason=_NO_REPEATS), Component(None, reason=reason)
    reason = judge.reason or cross.reason
    if reason is not None:
        return repeat, Component(None, reason=reason)
    raw = (judge.raw or 0.0) + (cross.raw or 0.0)
    value, why = max(raw, 0.0), cross.no_interval or judge.no_interval
    if why is not None:
        return repeat, Component(value, raw=raw, no_interval=why)
    drawn = parts.draws[1] + parts.draws[2]
    tails = [(1 - parts.level) / 2, (1 + parts.level) / 2]
    low, high = np.quantile(drawn, tails).tolist()
    return repeat, Component(value, min(low, value), max(high, value), raw, judge.df)


def _over(sums: FloatArray, counts: FloatArray) -> FloatArray:
    found: FloatArray = np.divide(sums, counts, out=np.full(sums.size, np.nan), where=counts > 0)
    return found


def _intervals(  # noqa: PLR0913, PLR0917 - the parts of a one-way analysis of variance
    within: FloatArray,
    between: FloatArray,
    noise: FloatArray,
    first: FloatArray,
    second: FloatArray,
    level: float,
) -> tuple[FloatArray, FloatArray]:
    """Give intervals of both variances (items, 2), quantiles once for each pair of degrees."""
    from scipy.special import chdtri, fdtri  # noqa: PLC0415 - scipy is imported late

    ends = np.full((2, within.size, 2), np.nan)
    known = np.flatnonzero((second > 0) & ~np.isnan(within))
    pairs = np.stack([first[known], second[known]])
    distinct, kind = np.unique(pairs, axis=1, return_inverse=True)
    kind = kind.reshape(-1)
    for side, tail in enumerate(((1 - level) / 2, (1 + level) / 2)):
        # The lower end divides by the upper quantile; chdtri takes the probability above.
        repeats = chdtri(distinct[1], tail)[kind]
        spread = within[known] * second[known] / repeats
        ends[0, known, side] = np.where(spread > 0, spread, np.nan)
        degrees = np.maximum(distinct[0], 1.0)
        ratio = fdtri(degrees, distinct[1], 1 - tail)[kind]
        left = np.maximum(between[known] - ratio * noise[known], 0.0)
        ends[1, known, side] = left * first[known] / chdtri(degrees, tail)[kind]
    return ends[0], ends[1]
