"""Habits of judges: how much of the scale they use, how steady they are, where they lean.

Range: the share of scores at either end of the scale (ceiling and floor), and the entropy of the
levels used over the logarithm of their number (Pielou 1966). Instability: how often two scores of
one judge for one response lie on different sides of the pass mark. Lean: being shown first, over
pairs shown in both orders, so that the systems' strengths cancel. Each beside the other judges on
the same responses, clustered by item.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import log, sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panopt.stats.arrays import as_floats
from panopt.stats.audit_effect import (
    AuditEffect,
    check_alpha,
    column,
    few,
    keyed,
    others,
    paired_effect,
    unknown,
)
from panopt.stats.mean import mean_interval
from panopt.stats.paired_data import cluster_codes

__all__ = [
    "LevelUse",
    "RangeUse",
    "flip_shares",
    "position_lean",
    "range_use",
    "repeat_instability",
    "scale_levels",
]

Floats = NDArray[np.float64]

_BINS = 10  # of a scale without levels
_MOST_LEVELS = 101
_SAME = 1e-9
_MOSTLY = 0.8
_FEWEST_SPREAD = 20  # an entropy of fewer is too far from normal for its standard error


@dataclass(frozen=True, slots=True)
class RangeUse:
    """How much of the scale a judge uses.

    Attributes
    ----------
    bottom, top
        Share of its scores at the lowest and at the highest level; None without scores.
    n_used, n_levels
        Levels it uses, and levels there are (bins of equal width where the scale has none).
    entropy
        0: it gives one level always; 1: all levels alike. None without scores.
    ends
        How much larger its share of scores at either end is than the others', on the same
        responses.
    spread
        How much larger its entropy is than the others'.
    """

    bottom: float | None
    top: float | None
    n_used: int
    n_levels: int
    entropy: float | None
    ends: AuditEffect
    spread: AuditEffect


def range_use(
    score: ArrayLike,
    rest: ArrayLike,
    *,
    levels: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    alpha: float = 0.05,
) -> RangeUse:
    """Measure how much of the scale a judge uses, beside the other judges.

    Parameters
    ----------
    score
        The judge's scores (responses,), on [0, 1] where no levels are given; NaN is missing.
    rest
        The others' scores on the same responses (responses,) or (responses, judges); a response
        counts with those of them that scored it.
    levels
        All levels of the scale; ten bins of [0, 1] where not given.
    clusters
        Key of each response's cluster; every response its own where not given.
    alpha
        One minus the level of the intervals.

    Returns
    -------
    RangeUse
        `ends` and `spread` have a reason where the scale has only its two ends, no other judge
        scored the same, or there are fewer than 8 clusters, `spread` below 20.

    Raises
    ------
    ValueError
        For arrays of different length, infinities, scores off [0, 1] without levels, fewer than two
        or more than 101 levels, or alpha off (0, 1).

    Notes
    -----
    Assumes clusters independent. A score between two levels counts as the nearest. That a judge
    uses less of the scale is no error by itself: the others may use too much.

    Examples
    --------
    >>> wide = [1, 2, 3, 4, 5, 1, 2, 3, 4, 5]
    >>> found = range_use([5, 5, 5, 5, 4, 5, 5, 5, 5, 4], wide, levels=[1, 2, 3, 4, 5])
    >>> found.top, round(found.entropy, 4), round(found.ends.value, 4)
    (0.8, 0.3109, 0.4)
    """
    check_alpha(alpha)
    y = column("score", score)
    panel = others("rest", rest, len(y))
    codes = keyed("clusters", clusters, len(y))
    known = scale_levels(levels)
    scores = np.column_stack((y, panel))
    if known is None and np.any((scores < 0.0) | (scores > 1.0)):
        raise ValueError("score and rest must lie in [0, 1] where no levels are given")
    return LevelUse.of(scores, known, codes).of_judge(0, list(range(1, scores.shape[1])), alpha)


@dataclass(frozen=True, slots=True)
class LevelUse:
    """Which level each judge gives each response.

    Attributes
    ----------
    place
        Number of the level, -1 where there is no score (responses, judges).
    bottom, top
        Whether it is at that end of the scale (responses, judges).
    n_levels
        Levels of the scale, or bins.
    clusters
        Cluster of each response, from 0 without gaps (responses,).
    whole
        Responses that all judges scored.
    """

    place: NDArray[np.int8]
    bottom: NDArray[np.bool_]
    top: NDArray[np.bool_]
    n_levels: int
    clusters: NDArray[np.intp]
    whole: NDArray[np.bool_]
    _known: dict[int, tuple[float, Floats]] = field(default_factory=dict)

    @classmethod
    def of(cls, scores: Floats, levels: Floats | None, clusters: NDArray[np.integer]) -> LevelUse:
        """Look up the levels of scores; `levels` in rising order, or None for bins of [0, 1]."""
        filled = np.nan_to_num(scores, nan=0.0)
        missing = np.isnan(scores)
        if levels is None:  # the ends are 0 and 1 themselves, not the bins beside them
            n_levels = _BINS
            place = np.minimum((filled * _BINS + _SAME).astype(np.int8), _BINS - 1)
            bottom, top = filled <= _SAME, filled >= 1.0 - _SAME
        else:
            n_levels = len(levels)
            place = np.zeros(filled.shape, dtype=np.int8)
            for cut in (levels[1:] + levels[:-1]) / 2.0:
                place += filled > cut
            bottom, top = place == 0, place == n_levels - 1
        place[missing] = -1
        codes = cluster_codes(np.asarray(clusters))[0]
        there = ~missing
        whole = np.logical_and.reduce(there, axis=1)
        return cls(place, bottom & there, top & there, n_levels, codes, whole)

    def of_judge(self, judge: int, rest: list[int], alpha: float) -> RangeUse:
        """Measure one judge beside others, by their columns; see :func:`range_use`."""
        place = self.place[:, judge]
        there = place >= 0
        n_scored = int(np.count_nonzero(there))
        some = n_scored > 0
        own = np.bincount(place[there], minlength=self.n_levels) / max(1, n_scored)
        ends, spread = self._beside(judge, rest, alpha)
        return RangeUse(
            bottom=float(np.count_nonzero(self.bottom[:, judge])) / n_scored if some else None,
            top=float(np.count_nonzero(self.top[:, judge])) / n_scored if some else None,
            n_used=int(np.count_nonzero(own)),
            n_levels=self.n_levels,
            entropy=_entropy(own) if some else None,
            ends=ends,
            spread=spread,
        )

    def _beside(self, judge: int, rest: list[int], alpha: float) -> tuple[AuditEffect, AuditEffect]:
        if self.n_levels == 2:
            ends = unknown("a scale of two levels has only its ends", alpha)
            return ends, ends
        own = self.place[:, judge] >= 0
        n, at_end = np.zeros(len(own)), np.zeros(len(own))
        for other in rest:
            n += self.place[:, other] >= 0
            at_end += self.bottom[:, other] | self.top[:, other]
        both = own & (n > 0)
        if not both.any():
            none = unknown("no other judge scored the same responses", alpha)
            return none, none
        mine = (self.bottom[:, judge] | self.top[:, judge])[both]
        share = paired_effect(
            mine, at_end[both] / n[both], clusters=self.clusters[both], alpha=alpha
        )
        return share, self._spread(judge, rest, both, alpha)

    def _spread(
        self, judge: int, rest: list[int], both: NDArray[np.bool_], alpha: float
    ) -> AuditEffect:
        """Compare the judge's entropy with the mean of the others'.

        On the responses that all judges scored, where they are most; else pair by pair.
        """
        groups = int(self.clusters.max()) + 1
        value, total, there = 0.0, np.zeros(groups), np.zeros(groups, dtype=np.bool_)
        n_whole, n_both = int(np.count_nonzero(self.whole)), int(np.count_nonzero(both))
        there[self.clusters[both]] = True
        n_groups = int(np.count_nonzero(there))
        if n_groups < _FEWEST_SPREAD:
            lack = few(n_groups, _FEWEST_SPREAD)
            return unknown(lack, alpha, n=n_both, n_clusters=n_groups)
        judges = 0
        for other in rest:
            kept = both & (self.place[:, other] >= 0)
            if not kept.any():
                continue
            judges += 1
            shared = n_whole >= _MOSTLY * n_both
            for side, sign in ((judge, 1.0), (other, -1.0)):
                entropy, influence = self._of_whole(side) if shared else self._influence(side, kept)
                value += sign * entropy
                total += sign * influence
        value, total = value / judges, total / judges
        se = sqrt(n_groups / (n_groups - 1.0) * float(total @ total))
        told = AuditEffect(
            *(value, None, None, se, n_groups - 1.0, None, n_both, n_groups, alpha),
            method="difference of entropies on the same responses; delta method",
        )
        if se <= _SAME:
            none = "the judges use the levels alike everywhere: no spread to go by"
            return replace(told, p=1.0 if abs(value) <= _SAME else None, reason=none)
        return _student(told, value, se, n_groups - 1.0)

    def _of_whole(self, judge: int) -> tuple[float, Floats]:
        if judge not in self._known:
            self._known[judge] = self._influence(judge, self.whole)
        return self._known[judge]

    def _influence(self, judge: int, kept: NDArray[np.bool_]) -> tuple[float, Floats]:
        """Give a judge's entropy on some responses, and each cluster's influence on it."""
        place, codes = self.place[kept, judge], self.clusters[kept]
        share = np.bincount(place, minlength=self.n_levels) / len(place)
        entropy = _entropy(share)
        surprise = np.zeros(self.n_levels)
        np.log(share, out=surprise, where=share > 0.0)
        each = (-surprise / log(self.n_levels) - entropy) / len(place)
        groups = int(self.clusters.max()) + 1
        total = np.asarray(np.bincount(codes, each[place], groups), dtype=np.float64)
        return entropy, total


def scale_levels(levels: ArrayLike | None) -> Floats | None:
    """Give the levels of a scale in rising order, each once; None for none."""
    if levels is None:
        return None
    known = np.unique(column("levels", levels))
    if np.isnan(known).any() or not 2 <= len(known) <= _MOST_LEVELS:
        raise ValueError(f"levels has {len(known)} values; it must have 2 to {_MOST_LEVELS}")
    return known


def _entropy(share: Floats) -> float:
    used = share[share > 0.0]
    return max(0.0, float(-(used @ np.log(used))) / log(len(share)))


def _student(told: AuditEffect, value: float, se: float, df: float) -> AuditEffect:
    from scipy.special import stdtr, stdtrit  # noqa: PLC0415 - scipy is imported late

    half = float(stdtrit(df, 1.0 - told.alpha / 2.0)) * se
    p = min(1.0, 2.0 * float(stdtr(df, -abs(value) / se)))
    method = f"{told.method}; t, {df:.4g} df, clustered"
    return replace(told, low=value - half, high=value + half, p=p, method=method)


def flip_shares(score: ArrayLike, *, threshold: float = 0.5) -> Floats:
    """Give the share of pairs of repeats that lie on different sides of the pass mark.

    Parameters
    ----------
    score
        Scores (..., repeats); NaN is missing.
    threshold
        A score passes at or above it.

    Returns
    -------
    ndarray
        Shares in [0, 1] (...); NaN for fewer than two repeats.

    Examples
    --------
    >>> flip_shares([[1, 1, 0], [1, 1, 1], [1, np.nan, np.nan]]).round(4).tolist()
    [0.6667, 0.0, nan]
    """
    scores = as_floats("score", score)
    if scores.ndim < 2 or np.isinf(scores).any():
        raise ValueError("score must be finite numbers (responses, repeats), NaN where missing")
    n = np.count_nonzero(~np.isnan(scores), axis=-1)
    passed = np.count_nonzero(scores >= threshold, axis=-1)
    return _flips(n, passed)


def _flips(n: NDArray[np.integer], passed: NDArray[np.integer]) -> Floats:
    pairs = n * (n - 1.0)
    nan = np.full(n.shape, np.nan)
    shares: Floats = np.divide(2.0 * passed * (n - passed), pairs, out=nan, where=pairs > 0)
    return shares


def repeat_instability(
    flips: ArrayLike,
    rest: ArrayLike | None = None,
    *,
    clusters: ArrayLike | None = None,
    alpha: float = 0.05,
) -> AuditEffect:
    """Estimate how often a judge, asked the same again, gives the other verdict.

    Parameters
    ----------
    flips
        Of each response the share of pairs of the judge's repeats with different verdicts, as
        :func:`flip_shares` gives it (responses,); NaN without repeats.
    rest
        The same of the other judges, (responses,) or (responses, judges): the effect is then
        how much more often the judge flips than they do on the same responses.
    clusters
        Key of each response's cluster; every response its own where not given.
    alpha
        One minus the level.

    Returns
    -------
    AuditEffect
        The rate, without p-value; with `rest` the difference, and `details` has the ``rate``.

    Raises
    ------
    ValueError
        For shares off [0, 1], arrays of different length, or alpha off (0, 1).

    Notes
    -----
    Assumes that repeats are independent draws, not copies from a cache.

    Examples
    --------
    >>> found = repeat_instability([0, 0, 1, 0, 0.5, 0, 0, 0.5, 0, 0])
    >>> found.value, found.p
    (0.2, None)
    """
    check_alpha(alpha)
    own = column("flips", flips)
    if np.any((own < 0.0) | (own > 1.0)):
        raise ValueError("flips must lie in [0, 1]; they are shares of pairs of repeats")
    codes = keyed("clusters", clusters, len(own))
    kept = ~np.isnan(own)
    if not kept.any():
        return unknown("the judge scored no response twice", alpha)
    if rest is not None:
        return _excess(own, others("rest", rest, len(own)), codes, alpha)
    found = mean_interval(own[kept], clusters=codes[kept], alpha=alpha)
    return AuditEffect(
        *(found.value, found.low, found.high, found.se, None, None),
        n=found.n,
        n_clusters=found.n_clusters,
        alpha=alpha,
        method=f"share of pairs of repeats with different verdicts; {found.method}",
        reason=found.reason,
    )


def _excess(own: Floats, panel: Floats, codes: NDArray[np.intp], alpha: float) -> AuditEffect:
    n = np.count_nonzero(~np.isnan(panel), axis=1)
    nan = np.full(len(own), np.nan)
    theirs = np.divide(np.nansum(panel, axis=1), n, out=nan, where=n > 0)
    both = ~np.isnan(own) & ~np.isnan(theirs)
    if not both.any():
        return unknown("no other judge scored the same responses twice", alpha)
    found = paired_effect(own[both], theirs[both], clusters=codes[both], alpha=alpha)
    return replace(found, details={"rate": float(own[both].mean())})


def position_lean(
    first: ArrayLike,
    second: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    alpha: float = 0.05,
) -> AuditEffect:
    """Estimate how much a judge of pairs leans to the answer it is shown first.

    Parameters
    ----------
    first, second
        One and the same answer's outcome (1 won, .5 tie, 0 lost; means of repeats, too) where it
        was shown first, and where it was shown second (pairs,); NaN is missing.
    clusters
        Key of each pair's cluster (its item); every pair its own where not given.
    alpha
        One minus the level.

    Returns
    -------
    AuditEffect
        By how much being shown first lifts the share of wins above one half, in [-.5, .5].

    Examples
    --------
    >>> found = position_lean([1, 1, 1, 0, 1, 1, 0, 1], [0, 1, 0, 0, 1, 0, 0, 0])
    >>> found.value, found.p
    (0.25, 0.125)
    """
    check_alpha(alpha)
    a, b = column("first", first), column("second", second)
    if any(np.any((x < 0.0) | (x > 1.0)) for x in (a, b)):
        raise ValueError("first and second must lie in [0, 1]: 1 won, 0.5 tie, 0 lost")
    return paired_effect(a, b, clusters=clusters, alpha=alpha, scale=0.5)
