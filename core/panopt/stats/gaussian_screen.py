"""Look for judges that would break a Gaussian panel model before it is fitted.

Under the model every two judges have covariance tau^2 and independent errors. Two judges whose
errors are nearly the same count as one, or their agreement would be taken for precision; and a
judge whose variance is below the covariance of the others cannot be on their scale.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from panopt.stats.gaussian_pairs import Pairs, components
from panopt.stats.gaussian_sums import PanelSums
from panopt.stats.tables import FloatArray, times

#: Two judges count as one when the sd of their difference is below this share of the scores'
#: own sd, and their errors correlate above COPY, at z > CLEAR. Two precise judges among noisy
#: ones seem to share errors now and then; merged, the panel would have to follow the others.
NEAR = 0.2
COPY = 0.95
CLEAR = 3.0
_RELATED = 0.3  # correlation of errors from which that is said, at z > 4
_FLAT = 0.5  # share of the others' covariance below which a judge's variance is off their scale
_NARROW = 0.8  # share below which that is said
_SHARED = 20  # items before equal scores on a coarse scale, or a small variance, mean anything
_FEWEST = 10  # items two judges share before their errors may be called related
_SAMPLE = 1 << 14
_LEVELS = 128


@dataclass(frozen=True, slots=True)
class Screen:
    """Which judges may enter the fit."""

    kept: NDArray[np.intp]
    """The judge each one repeats, itself where it repeats none (judges,)."""
    flat: NDArray[np.bool_]
    """Varies so little that it cannot be following the items on the others' scale (judges,)."""
    narrow: NDArray[np.bool_]
    """Varies clearly less than the others agree that items differ (judges,)."""
    reversed: NDArray[np.bool_]
    """Runs against the others (judges,)."""

    @property
    def copied(self) -> NDArray[np.bool_]:
        """Judges that repeat another one (judges,)."""
        return np.asarray(self.kept != np.arange(self.kept.size))

    @property
    def counted(self) -> NDArray[np.bool_]:
        """Judges that enter the fit in their own name (judges,)."""
        return ~self.copied & ~self.flat


def screen(pairs: Pairs, anchor: NDArray[np.bool_], *, grid: bool) -> Screen:
    """Find copies, flat judges and reversed ones; anchors are never any of these.

    Two judges are copies when their scores differ by a constant on all items they share, or
    when they are :data:`NEAR` each other while the other judges show that both are noisy. On a
    coarse scale (`grid`) equal scores may be right ones, so the others must show it there too.
    """
    n, var = np.diag(pairs.n), np.diag(pairs.var)
    off, moved = _off_diagonal(pairs)
    count, mine = off.sum(axis=1), moved.sum(axis=1)
    typical = float(var @ n / n.sum())
    with_others = mine / np.maximum(count, 1.0)
    left = off.sum() - 2 * count
    others = (moved.sum() - 2 * mine) / np.maximum(left, 1.0)
    known = (n >= _SHARED) & ~anchor
    lacking = others - var > 3 * np.sqrt((typical**2 + others**2) / np.maximum(n, 1.0))
    lacking &= known & (left >= _SHARED)
    flat = (lacking & (var < _FLAT * others)) | ((var <= 1e-18) & (n >= 5) & ~anchor)
    against = -with_others > 4 * np.sqrt((var * typical + with_others**2) / np.maximum(n, 1.0))
    return Screen(
        kept=_kept(pairs, anchor | flat, with_others, grid=grid),
        flat=flat,
        narrow=lacking & ~flat & (var < _NARROW * others),
        reversed=known & against,
    )


def _kept(
    pairs: Pairs, apart: NDArray[np.bool_], with_others: FloatArray, *, grid: bool
) -> NDArray[np.intp]:
    """Give every judge the fullest of those it repeats, but for judges kept apart."""
    shared, z = _shared_error(pairs)
    own = pairs.var + pairs.var.T
    difference = own - 2 * pairs.cov
    equal = (difference <= 1e-12 * own) & (own > 0) & (pairs.n >= 5) & (not grid)
    # More where many pairs could do it by chance.
    clear = np.sqrt(CLEAR**2 + 2 * np.log(max(apart.size, 4) / 4)) + (0.5 if grid else 0.0)
    close = (shared > COPY) & (z > clear) & (difference < NEAR**2 * own / 2)
    close &= pairs.n >= (_SHARED if grid else _FEWEST)
    # Two judges whom nobody else follows are not copies: rather, the others are noise.
    close &= with_others[:, None] + with_others > 0.4 * pairs.cov
    alike = (equal | close) & ~(apart[:, None] | apart)
    kept = np.arange(apart.size)
    for group in components(alike, np.zeros(apart.size, dtype=bool)):
        kept[group] = group[int(np.argmax(np.diag(pairs.n)[group]))]
    return kept


def related(pairs: Pairs) -> list[tuple[int, int, float]]:
    """Give pairs of judges whose errors clearly correlate, and how much, the strongest first."""
    shared, z = _shared_error(pairs)
    marked = np.triu((shared > _RELATED) & (z > 4) & (pairs.judged >= _FEWEST), 1)
    found = [(int(j), int(k), float(shared[j, k])) for j, k in np.argwhere(marked)]
    return sorted(found, key=lambda pair: -pair[2])


def _off_diagonal(pairs: Pairs) -> tuple[FloatArray, FloatArray]:
    """Items shared by two different judges, and those times covariance (judges, judges)."""
    off = pairs.n * (1 - np.eye(len(pairs.n)))
    return off, off * pairs.cov


def _shared_error(pairs: Pairs) -> tuple[FloatArray, FloatArray]:
    """Give the correlation of two judges' errors, and its z value (judges, judges)."""
    off, moved = _off_diagonal(pairs)
    level = max(float(moved.sum() / max(off.sum(), 1.0)), 0.0)
    n = np.diag(pairs.n)
    noise = np.maximum(np.diag(pairs.var) - level, 0.0)
    of_two = (n * noise)[:, None] + n * noise
    typical = (float(n @ noise) - of_two) / np.maximum(n.sum() - n[:, None] - n, 1.0)
    typical = np.maximum(typical, 0.0)
    both = noise[:, None] + noise
    inverse, inverse_pairs, alone = pairs.others
    spread = noise[:, None] * noise + pairs.excess**2 + both * typical * inverse
    spread += 2 * typical**2 * inverse_pairs + alone * level * (both / 4 + typical)
    z = pairs.excess / np.sqrt(np.maximum(spread, 1e-12) / np.maximum(pairs.judged, 1.0))
    shared = 2 * np.maximum(pairs.excess, 0.0)
    difference = np.maximum(pairs.var + pairs.var.T - 2 * pairs.cov, 0.0)
    return shared / np.maximum(shared + difference, 1e-30), z


def selected(sums: PanelSums, anchor: NDArray[np.bool_]) -> tuple[float, float]:
    """Compare the judges' scores of items that an anchor scored with those of the others.

    Gives Welch's z of their mean, and of their mean distance from the median; 0 and 0 where
    there are too few items of either kind.
    """
    rows = np.empty(len(sums.order), dtype=np.intp)
    rows[sums.order] = np.repeat(np.arange(len(sums.size)), np.diff(sums.starts))
    judges, anchors = (~anchor).astype(np.float64), anchor.astype(np.float64)
    judged = times(sums.counts, judges)[rows]
    known = judged > 0
    level = times(sums.cells, judges)[known] / judged[known]
    labelled = (times(sums.counts, anchors)[rows] > 0)[known]
    if min(np.count_nonzero(labelled), np.count_nonzero(~labelled)) < _FEWEST:
        return 0.0, 0.0
    return _welch(level, labelled), _welch(np.abs(level - np.median(level)), labelled)


def _welch(value: FloatArray, first: NDArray[np.bool_]) -> float:
    one, other = value[first], value[~first]
    error = float(np.sqrt(one.var(ddof=1) / one.size + other.var(ddof=1) / other.size))
    return float(one.mean() - other.mean()) / max(error, 1e-12)


def rounding(score: FloatArray) -> float:
    """Give the step of the even grid that scores lie on, 0 where there is none.

    Looks at up to 16,384 scores: a grid has at most 128 levels, and half as many as scores.

    Examples
    --------
    >>> rounding(np.array([1.0, 5.0, 3.0, 3.5, 1.0, 5.0, 3.0, 1.0]))
    0.5
    """
    sample = score[:: max(1, -(-score.size // _SAMPLE))]
    levels = np.unique(sample)
    if levels.size < 2 or levels.size > min(_LEVELS, sample.size // 2):
        return 0.0
    gaps = np.diff(levels)
    step = float(gaps[gaps > 1e-6 * float(np.ptp(levels))].min())
    place = (levels - levels[0]) / step
    return step if float(np.abs(place - np.rint(place)).max()) < 0.02 else 0.0
