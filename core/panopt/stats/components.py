"""Split the variance of scores into item, judge, item x judge and repeat.

``y_ijr = mu + item_i + judge_j + cross_ij + repeat_ijr``, all random and independent: the design
of two facets of generalizability theory (Brennan 2001, chapter 3), unbalanced allowed. Where
systems are given, each has a mean of its own, and what a judge gives to one system more than to
another counts as judge: it is what a mean of one system suffers from.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panopt.stats.arrays import as_floats, as_keys
from panopt.stats.long_format import code_count, long_format
from panopt.stats.variance_draws import chance_degrees, draw_variances, solve_variances
from panopt.stats.variance_sums import MOST_JUDGES, Cells, Sums, add_up, make_cells

__all__ = ["FEW_ITEMS", "PARTS", "Component", "VarianceComponents", "variance_components"]

FloatArray = NDArray[np.float64]
Codes = NDArray[np.integer[Any]]

#: The four parts, in the order of `VarianceComponents.draws`.
PARTS = ("item", "judge", "item_judge", "repeat")
#: What `VarianceComponents.notes` says where intervals are too short.
FEW_ITEMS = (
    "a few items make most of the spread between items: intervals of item and of noise may be "
    "too short"
)
_FEW_DEGREES = 12  # below, 90% intervals of rare failures covered as little as .75
_WORDS = {
    "item": "item",
    "judge": "judge",
    "item_judge": "item x judge",
    "repeat": "repeat",
}


@dataclass(frozen=True, slots=True)
class Component:
    """One variance, or a share of it; `value` is None where the data cannot tell, with `reason`."""

    value: float | None
    """The estimate, not below 0."""
    low: float | None = None
    """Lower end of its interval; None with `no_interval` or `reason`."""
    high: float | None = None
    """Upper end of its interval."""
    raw: float | None = None
    """The unbiased estimate, before it was floored at 0."""
    df: float | None = None
    """Degrees of freedom of the sum of squares it mainly rests on."""
    reason: str | None = None
    """Why there is no value."""
    no_interval: str | None = None
    """Why there is a value but no interval."""


@dataclass(frozen=True, slots=True)
class VarianceComponents:
    """Where the variance of single scores comes from."""

    item: Component
    """Between items (of one system): what the scores are to show."""
    judge: Component
    """Between judges: some are kinder than others."""
    item_judge: Component
    """Judges differ more on some items than on others; includes `repeat` where no judge repeats."""
    repeat: Component
    """Between repeats of one judge on one item."""
    noise_share: Component
    """Share of a single score's variance that is not item."""
    n_items: int
    n_judges: int
    n_scores: int
    items_per_system: float
    """Independent items (clusters) behind a mean of one system."""
    scores_per_item: float
    """Judges that scored an item, on average."""
    repeats: float
    """Repeats of a judge on an item, harmonic mean."""
    balanced: bool
    """Whether every judge scored every item equally often."""
    level: float
    """Confidence level of the intervals."""
    notes: tuple[str, ...]
    """What was floored, and what could not be told apart."""
    draws: FloatArray
    """Draws of the four variances (4, draws), from which every interval comes."""

    def values(self) -> FloatArray:
        """Give the four variances, 0 for what is None (4,)."""
        return np.array([getattr(self, part).value or 0.0 for part in PARTS])


def variance_components(  # noqa: PLR0913 - one option a choice
    item: ArrayLike,
    judge: ArrayLike,
    score: ArrayLike,
    *,
    repeat: ArrayLike | None = None,
    system: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    level: float = 0.95,
    n_draws: int = 4000,
    rng: np.random.Generator | None = None,
) -> VarianceComponents:
    """Estimate the variances of item, judge, item x judge and repeat, with intervals.

    Parameters
    ----------
    item, judge
        Integer codes from 0 (scores,); several scores of one judge on one item are repeats.
    score
        Numbers (scores,); NaN is missing.
    repeat
        Number of each repeat (scores,), where it is known: it is only used to refuse scores that
        are in the data twice.
    system
        System that gave each item (items,), any keys: means are then taken out by system.
    clusters
        Cluster of each item (items,), any keys, where items are not independent, such as several
        systems' responses to one prompt.
    level
        Confidence level of intervals, in (0, 1).
    n_draws
        Draws behind the intervals, at least 100.
    rng
        Source of randomness; one of fixed seed by default.

    Returns
    -------
    VarianceComponents
        Unbiased moment estimates (Henderson III), negative ones floored at 0 and said so in
        `notes`. With complete data they are those of the analysis of variance.

    Raises
    ------
    ValueError
        For arrays or options outside their range.

    Notes
    -----
    Assumes items and judges to be random draws (judge effects normal; scores may be of any shape)
    and the variances to be alike for all judges. In simulation 95% intervals cover .94 to .99;
    where a rare level carries the variance (binary scores, 7% passes) .86 or more at 40 items, .78
    at 15: `notes` then say that a few items make most of the spread.

    Examples
    --------
    The two-way table of Shrout & Fleiss 1979, six targets by four judges: mean squares 11.24,
    32.49 and 1.02, hence variances 2.56, 5.24 and 1.02.

    >>> table = [9, 2, 5, 8, 6, 1, 3, 2, 8, 4, 6, 8, 7, 1, 2, 6, 10, 5, 6, 9, 6, 2, 4, 7]
    >>> items, judges = np.indices((6, 4)).reshape(2, -1)
    >>> found = variance_components(items, judges, table)
    >>> [round(part.value, 3) for part in (found.item, found.judge, found.item_judge)]
    [2.556, 5.244, 1.019]
    >>> found.repeat.reason
    'no judge scored an item twice: repeat is part of item x judge'
    """
    _check_options(level, n_draws)
    rng = np.random.default_rng(0) if rng is None else rng
    items, judges, scores = _given(item, judge, score, repeat)
    size = int(items.max(initial=-1)) + 1
    group_of, cluster_of = (
        _keys("system", system, size),
        _keys("clusters", clusters, size),
    )
    items, present = _renumber("n_items", items, group_of)
    judges, kept = _renumber("n_judges", judges, None)
    if kept.size > MOST_JUDGES:
        raise ValueError(f"judge names {kept.size} judges; at most {MOST_JUDGES} can be told apart")
    groups = None if group_of is None else group_of[present]
    among = None if cluster_of is None else np.unique(cluster_of[present], return_inverse=True)[1]
    cells = make_cells(items, judges, scores, present.size, kept.size)
    sums = _all_sums(cells, groups, kept.size)
    degrees, related = chance_degrees(sums, among)
    draws = draw_variances(sums, degrees, related, n_draws, rng)
    independent = present.size if among is None else int(among.max()) + 1
    parts, notes = _parts(sums, degrees, draws, independent, level)
    return VarianceComponents(
        **parts,
        noise_share=_share(parts, draws, level, kept.size),
        n_items=present.size,
        n_judges=kept.size,
        n_scores=scores.size,
        items_per_system=_per_system(groups, among, present.size),
        scores_per_item=cells.item.size / present.size,
        repeats=cells.item.size / float(np.sum(1.0 / cells.size)),
        balanced=cells.item.size == present.size * kept.size
        and bool(cells.size.min() == cells.size.max()),
        level=level,
        notes=notes,
        draws=draws,
    )


def _check_options(level: float, n_draws: int) -> None:
    if not 0.0 < level < 1.0:
        raise ValueError(f"level = {level} must lie strictly between 0 and 1")
    if n_draws < 100:
        raise ValueError(f"n_draws = {n_draws} must be 100 or more, or intervals are chance")


def _given(
    item: ArrayLike, judge: ArrayLike, score: ArrayLike, repeat: ArrayLike | None
) -> tuple[Codes, Codes, FloatArray]:
    """Check the scores, and leave the missing ones out."""
    scores = as_floats("score", score)
    missing = np.isnan(scores)
    items, judges, _ = long_format(item, judge, np.where(missing, 0.0, scores))
    if missing.all():
        raise ValueError("score holds no number; all are NaN")
    if missing.any():
        items, judges, scores = items[~missing], judges[~missing], scores[~missing]
    if repeat is not None:
        again = as_keys("repeat", repeat)
        if again.shape != missing.shape:
            raise ValueError(f"repeat has shape {again.shape}; it must be {missing.shape}")
        numbers = np.unique(again[~missing], return_inverse=True)[1]
        keys = np.stack([items, judges, numbers])
        order = np.lexsort(keys)
        twice = np.flatnonzero((np.diff(keys[:, order], axis=1) == 0).all(axis=0))
        if twice.size:
            i, j, _ = keys[:, order[twice[0]]]
            raise ValueError(
                f"repeat {again[~missing][order[twice[0]]]} of judge {j} on item {i} occurs twice; "
                "every repeat must have a number of its own"
            )
    return items, judges, scores


def _keys(name: str, given: ArrayLike | None, size: int) -> Codes | None:
    if given is None:
        return None
    keys = as_keys(name, given)
    if keys.ndim != 1 or keys.size < size:
        raise ValueError(f"{name} has shape {keys.shape}; it must hold one entry an item, {size}")
    codes: Codes = np.unique(keys, return_inverse=True)[1]
    return codes


def _renumber(name: str, codes: Codes, group: Codes | None) -> tuple[Codes, NDArray[np.intp]]:
    """Give codes without gaps, in the order of their groups, and the codes they stand for."""
    counts = np.bincount(codes, minlength=code_count(name, None, codes, codes.size))
    present = np.flatnonzero(counts)
    if group is not None:
        present = present[np.argsort(group[present], kind="stable")]
    if present.size == counts.size and (group is None or bool((np.diff(present) > 0).all())):
        return codes, present
    number = np.zeros(counts.size, dtype=np.int32)
    number[present] = np.arange(present.size, dtype=np.int32)
    return number[codes], present


def _all_sums(cells: Cells, groups: Codes | None, n_judges: int) -> Sums:
    """Add up the sums within each group; items are in the order of the groups."""
    if groups is None or groups[0] == groups[-1]:
        return add_up(cells, n_judges)
    first = np.flatnonzero(np.r_[True, np.diff(groups) != 0, True])
    first[-1] = groups.size
    edges = np.searchsorted(cells.item, first).tolist()
    found = [add_up(cells.part(start, stop), n_judges) for start, stop in pairwise(edges)]
    return Sums(
        np.sum([one.total for one in found], axis=0),
        np.sum([one.expected for one in found], axis=0),
        np.sum([one.df for one in found], axis=0),
        np.concatenate([one.by_item for one in found], axis=1),
        np.concatenate([one.weight for one in found], axis=1),
        np.sum([one.between for one in found], axis=0),
    )


def _per_system(groups: Codes | None, among: Codes | None, n_items: int) -> float:
    if groups is None:
        return float(n_items if among is None else int(among.max()) + 1)
    inside = np.arange(n_items) if among is None else among
    # Sorting beats np.unique, which hashes.
    pairs = np.sort(groups.astype(np.int64) * (int(inside.max()) + 1) + inside)
    n_pairs = 1 + np.count_nonzero(np.diff(pairs))
    return n_pairs / (1 + np.count_nonzero(np.diff(groups)))  # items are in groups' order


def _parts(
    sums: Sums, degrees: FloatArray, draws: FloatArray, independent: int, level: float
) -> tuple[dict[str, Component], tuple[str, ...]]:
    raw = solve_variances(sums.total, sums.expected)
    own = np.diag(sums.expected)
    reasons = _reasons(own, sums.df)
    parts, notes = {}, []
    tails = [(1 - level) / 2, (1 + level) / 2]
    for number, name in enumerate(PARTS):
        if name in reasons:
            parts[name] = Component(None, reason=reasons[name])
            continue
        value, why = max(float(raw[number]), 0.0), None
        if raw[number] < 0:
            notes.append(f"{_WORDS[name]} came out at {raw[number]:.3g} and is taken as 0")
        if sums.total[number] <= 0:
            why = "no spread was seen, so none can be bounded"
        elif independent < 2 and number != 1:
            why = "all scores are of one cluster"
        if why is not None:
            parts[name] = Component(value, raw=float(raw[number]), no_interval=why)
            continue
        low, high = np.quantile(draws[number], tails).tolist()
        low, high = min(low, value), max(high, value)
        parts[name] = Component(value, low, high, float(raw[number]), float(degrees[number]))
    notes += [reasons[name] for name in ("item_judge", "repeat") if name in reasons]
    if _rests_on_few(parts["item"], independent):
        notes.append(FEW_ITEMS)
    return parts, tuple(dict.fromkeys(notes))


def _rests_on_few(item: Component, independent: int) -> bool:
    """Say whether the spread between items is mostly that of a few: rare failures, outliers."""
    return item.df is not None and item.df < min(_FEW_DEGREES, (independent - 1) / 2)


def _reasons(own: FloatArray, df: FloatArray) -> dict[str, str]:
    """Say which variances the data cannot tell."""
    found: dict[str, str] = {}
    crossed, several = own[2] > 0, own[1] > 0
    if own[3] <= 0:
        found["repeat"] = "no judge scored an item twice: repeat is part of item x judge"
        if not several:
            found["repeat"] = "no judge scored an item twice: repeat is part of item"
    if not several:
        found["judge"] = "no item has scores of two judges: how judges differ is not to be seen"
        found["item_judge"] = "no item has scores of two judges: item x judge is part of item"
    elif not crossed:
        short = "too few items are scored by two judges to tell item x judge from judge and item"
        found |= dict.fromkeys(("item", "judge", "item_judge"), short)
    if own[0] <= 0 or df[0] <= 0:
        found.setdefault("item", "two items (of one system) are needed")
    return found


def _share(
    parts: dict[str, Component], draws: FloatArray, level: float, n_judges: int
) -> Component:
    """Give the share of a single score's variance that is not item."""
    for name in ("judge", "item_judge", "item"):
        if parts[name].reason is not None:
            return Component(None, reason=parts[name].reason)
    values = np.array([parts[name].value or 0.0 for name in PARTS])
    if not values.any():
        return Component(None, reason="no variance: all scores of a system are equal")
    value = float(values[1:].sum() / values.sum())
    missing = next((parts[name].no_interval for name in ("item", "judge", "item_judge")), None)
    why = missing or parts["item_judge"].no_interval or parts["item"].no_interval
    if why is not None:
        return Component(value, no_interval=why)
    whole = draws.sum(axis=0)
    share = np.divide(draws[1:].sum(axis=0), whole, out=np.zeros(whole.size), where=whole > 0)
    low, high = np.quantile(share, [(1 - level) / 2, (1 + level) / 2]).tolist()
    return Component(value, min(low, value), max(high, value), df=float(n_judges - 1))
