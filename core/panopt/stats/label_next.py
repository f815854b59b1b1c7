"""Which responses to have labelled next, at known chances, and how many labels are needed.

``even``: systematic sampling along the sorted responses (Cochran 1977, ch. 8). Every response has
the same chance, and every stretch of the order (a system, from low scores to high) its share, so
whatever holds of a random sample holds, only closer. ``doubt``: chances in proportion to a
doubt, half of them spread evenly so that no weight grows beyond two (active inference, Zrnic &
Candes 2024, ICML, eq. 6); estimates then need ``weights=1 / chance``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panopt.stats.arrays import as_floats
from panopt.stats.generators import generator
from panopt.stats.ppi import DOUBT, LEAST
from panopt.stats.ppi_case import numbers
from panopt.stats.ppi_sums import regress

__all__ = ["LabelPlan", "LabelsForWidth", "label_next", "labels_for_width"]

Floats = NDArray[np.float64]

#: Share of the chances that every response has alike, whatever its doubt.
EVEN = 0.5


@dataclass(frozen=True, slots=True)
class LabelPlan:
    """Responses to have labelled.

    Attributes
    ----------
    rows
        Places of the chosen responses, rising.
    chance
        Chance each of `rows` had of being chosen.
    design
        How they were chosen.
    """

    rows: NDArray[np.int64]
    chance: Floats
    design: str


@dataclass(frozen=True, slots=True)
class LabelsForWidth:
    """How many labels a wanted interval takes.

    Attributes
    ----------
    n
        Labels in all, those that are there included; None with a `reason`.
    alone
        The same without a judge.
    half_width
        Half-width asked for.
    now
        Half-width of the labels that are there.
    reason
        Why no number of labels is enough, or why it cannot be told.
    """

    n: int | None
    alone: int | None
    half_width: float
    now: float | None
    reason: str | None = None


def label_next(
    order: ArrayLike,
    *,
    n: int,
    rng: np.random.Generator | int,
    design: Literal["even", "doubt"] = "even",
    doubt: ArrayLike | None = None,
) -> LabelPlan:
    """Choose responses to have labelled, each with a known chance.

    Parameters
    ----------
    order
        Sorting keys of the responses without a label, the most important first, shape
        (responses,) or (responses, keys): systems, then scores.
    n
        How many to choose; all where there are no more.
    rng
        Draws, or a seed that does, the start and the order of responses with equal keys.
    design
        ``even``: every response has the same chance. ``doubt``: in proportion to `doubt`.
    doubt
        How unsure the judge is of each response, not below 0 (responses,), such as the sd of the
        label given its score.

    Returns
    -------
    LabelPlan
        O(n log n) time.

    Raises
    ------
    ValueError
        For `n` below 1, NaN, an unknown design, or `doubt` that is missing, negative or of
        another shape.

    Examples
    --------
    >>> plan = label_next([3, 1, 2, 4, 5, 6, 8, 7], n=2, rng=np.random.default_rng(1))
    >>> plan.rows.tolist(), plan.chance.tolist()
    ([0, 7], [0.25, 0.25])
    """
    keys = as_floats("order", order)
    keys = keys[:, None] if keys.ndim == 1 else keys
    if keys.ndim != 2 or np.isnan(keys).any():
        raise ValueError("order must have the shape (responses,) or (responses, keys), without NaN")
    if n < 1:
        raise ValueError(f"n = {n} must be at least 1")
    if design not in {"even", "doubt"}:
        raise ValueError(f"design = {design!r} must be 'even' or 'doubt'")
    size = len(keys)
    wanted = min(n, size)
    chance = np.full(size, wanted / max(size, 1))
    if design == "doubt":
        if doubt is None:
            raise ValueError("design 'doubt' needs a doubt of every response")
        unsure = numbers("doubt", doubt)
        if unsure.shape != (size,) or np.any(unsure < 0):
            raise ValueError(f"doubt must be 0 or above and have the shape ({size},)")
        chance = _chances(unsure, wanted)
    source = generator(rng)
    shuffled = source.permutation(size)
    line = shuffled[np.lexsort(keys[shuffled].T[::-1])]
    reach = np.floor(np.cumsum(chance[line]) + source.random() + 1e-9)
    chosen = np.diff(reach, prepend=0.0) > 0
    if size and wanted == size:
        chosen[:] = True
    rows = np.sort(line[chosen])
    how = {
        "even": "every response has the same chance, spread evenly over the order",
        "doubt": "chances grow with doubt: weigh each label by one over its chance",
    }
    return LabelPlan(rows.astype(np.int64), chance[rows], how[design])


def labels_for_width(
    y: ArrayLike,
    yhat: ArrayLike,
    yhat_unlabeled: ArrayLike,
    *,
    half_width: float,
    alpha: float = 0.05,
) -> LabelsForWidth:
    """Tell how many labels bring the interval of a mean to a half-width, from those there are.

    Parameters
    ----------
    y, yhat, yhat_unlabeled, alpha
        As in :func:`panopt.stats.ppi.ppi_mean`; five labels or more.
    half_width
        Wanted half-width, above 0, in the unit of `y`.

    Returns
    -------
    LabelsForWidth
        Labels are of further responses out of the unlabelled.

    Raises
    ------
    ValueError
        As :func:`panopt.stats.ppi.ppi_mean`, and for a half-width that is not above 0.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> y = rng.normal(size=5050)
    >>> judge = y + 0.5 * rng.normal(size=5050)
    >>> found = labels_for_width(y[:50], judge[:50], judge[50:], half_width=0.1)
    >>> found.n < found.alone / 2
    True
    """
    from scipy.special import stdtrit  # noqa: PLC0415 - scipy is imported late

    labels, f, pool = (
        numbers("y", y),
        numbers("yhat", yhat),
        numbers("yhat_unlabeled", yhat_unlabeled),
    )
    if f.shape != labels.shape:
        raise ValueError(f"yhat must have the shape of y, {labels.shape}, not {f.shape}")
    if not 0.0 < half_width < np.inf:
        raise ValueError(f"half_width = {half_width} must be a finite number above 0")
    if not 0.0 < alpha < 1.0:
        raise ValueError(f"alpha = {alpha} must lie strictly between 0 and 1")
    m = labels.size
    if m < LEAST:
        why = f"{m} label(s) do not show how labels spread: {LEAST} are needed"
        return LabelsForWidth(None, None, half_width, None, why)
    if labels.min() == labels.max():
        why = "all labels are equal: their spread cannot be estimated"
        return LabelsForWidth(None, None, half_width, None, why)
    found = regress(labels, f, pool)
    each = (m * found.labelled + DOUBT * found.alone) / (m + DOUBT) * m
    now = float(stdtrit(m - 2, 1.0 - alpha / 2.0)) * float(np.sqrt(each / m + found.pool))
    # What the judge says of all responses stays as sure as there are responses.
    floor = found.slope**2 * float(np.concatenate((f, pool)).var()) / (m + pool.size)
    everything = m + pool.size
    alone = _smallest(found.alone * m, 0.0, half_width, alpha)
    n = _smallest(each, floor, half_width, alpha)
    if n is None or n > everything:
        why = f"there are {everything} responses, too few for +-{half_width:g}: more are needed"
        return LabelsForWidth(None, alone, half_width, now, why)
    return LabelsForWidth(n, alone, half_width, now)


def _chances(doubt: Floats, n: int) -> Floats:
    """Give chances that grow with doubt, sum to n and are at most 1."""
    mean = float(doubt.mean()) if doubt.size else 0.0
    wish = EVEN + (1.0 - EVEN) * (doubt / mean if mean > 0 else np.ones(doubt.size))
    sure = np.zeros(doubt.size, dtype=np.bool_)
    chance = np.ones(doubt.size)
    while not sure.all():
        left = n - np.count_nonzero(sure)
        chance[~sure] = wish[~sure] * left / wish[~sure].sum()
        over = ~sure & (chance > 1.0)
        if not over.any():
            break
        chance[over], sure = 1.0, sure | over
    return chance


def _smallest(each: float, floor: float, half_width: float, alpha: float) -> int | None:
    """Give the least n with t sqrt(each / n + floor) at most the half-width."""
    from scipy.special import ndtri, stdtrit  # noqa: PLC0415 - scipy is imported late

    z = float(ndtri(1.0 - alpha / 2.0))
    room = (half_width / z) ** 2 - floor
    if room <= 0.0:
        return None
    low, high = 2, max(LEAST, int(np.ceil(3.0 * each / room))) + 200

    def enough(n: int) -> bool:
        reach = float(stdtrit(n - 2, 1.0 - alpha / 2.0)) * np.sqrt(each / n + floor)
        return bool(reach <= half_width)

    if not enough(high):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
