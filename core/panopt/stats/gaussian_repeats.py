"""Weigh the repeats of a judge on one item, whose errors are partly the same.

Model: ``y = theta_i + b_j + u_ij + e_ijr``, where ``u_ij ~ N(0, omega_j^2)`` is what judge j thinks
of item i every time and ``e_ijr ~ N(0, sigma_j^2)`` is new in every repeat. With
rho = omega^2 / (omega^2 + sigma^2), the mean of R repeats tells as much as
R / (1 + (R - 1) rho) independent scores (the design effect, Kish 1965, section 5.4).

Repeats show sigma_j alone; the noise s_j^2 of a judge's means, on average over its items, shows
against the other judges. It is integrated out as the noise of any judge is, under the same prior,
times the probability, given the repeats, that sigma_j^2 averaged over repeats is no larger: means
cannot be finer than that. So where few repeats, or few judges, say little of omega it is taken
for larger rather than for nil. How items with more repeats weigh against those with fewer rests on
an estimate of rho; with equally many on all items nothing does.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from panopt.stats.tables import FloatArray, back, by_column, minus, over, squared

if TYPE_CHECKING:
    from panopt.stats.gaussian_pairs import Pairs
    from panopt.stats.gaussian_sums import Codes, PanelSums

_DEEP = 1e-200  # a probability below which its asymptote is taken
_ROUNDING = 1 / 12  # variance of rounding errors, in squared steps


@dataclass(frozen=True, slots=True)
class Repeats:
    """What the repeats of each judge tell of its noise, on centred and scaled scores."""

    spare: FloatArray
    """Scores beyond one an item (judges,)."""
    within: FloatArray
    """Squared deviations from the mean of an item's repeats, summed (judges,)."""
    inverse: FloatArray
    """Mean of 1 / R over a judge's items, R being its scores of an item (judges,)."""
    even: bool
    """Whether every judge has equally many on all its items."""

    @property
    def repeated(self) -> NDArray[np.bool_]:
        """Mark the judges with repeats (judges,)."""
        return np.asarray(self.spare > 0)

    def log_share(self, weight: FloatArray) -> FloatArray:
        """Give the log probability that means of noise 1 / `weight` are possible, summed.

        `weight` is (..., judges), the result (...,).
        """
        mine = self.repeated
        shape, scaled = self.spare[mine] / 2, self._scaled(weight)[..., mine]
        return np.asarray(_log_tail(shape, scaled).sum(axis=-1))

    def slopes(self, weight: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Give first and second derivative of :meth:`log_share` in each weight (judges,)."""
        mine = self.repeated & (self.within > 0)
        first, second = np.zeros(weight.size), np.zeros(weight.size)
        shape, at = self.spare[mine] / 2, self._scaled(weight)[mine]
        hazard = np.exp((shape - 1) * np.log(at) - at - _log_gamma(shape) - _log_tail(shape, at))
        factor = at / weight[mine]
        first[mine] = -hazard * factor
        second[mine] = -hazard * ((shape - 1) / at - 1 + hazard) * factor**2
        return first, second

    def drawn(self, weight: FloatArray) -> FloatArray:
        """Draw sigma_j^2 once at every point, evenly from what is left of it there.

        `weight` and the result are (points, judges); 0 for a judge without repeats.
        """
        from scipy.special import gammaincc, gammainccinv  # noqa: PLC0415  # scipy is late

        mine = self.repeated
        shape, at = self.spare[mine] / 2, self._scaled(weight)[:, mine]
        # Multiples of e lie evenly, and not as those of the roots that the points are made of.
        even = np.mod(np.arange(1, len(weight) + 1)[:, None] * np.e - 0.5, 1.0)
        tail = gammainccinv(shape, gammaincc(shape, at) * np.clip(even, 1e-6, 1 - 1e-6))
        found = np.zeros(weight.shape)
        with np.errstate(divide="ignore"):
            half = np.broadcast_to(self.within[mine] / 2, tail.shape)
            found[:, mine] = np.where(half > 0, half / np.maximum(tail, at), 0.0)
        return found

    def noise(self, weight: FloatArray, share: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Give the noise of single scores at points, and rho on average over those.

        Parameters
        ----------
        weight
            Precision of a judge's means (points, judges).
        share
            Weights of the points, of sum 1 (points,).

        Returns
        -------
        sd
            sqrt(omega^2 + sigma^2) (points, judges).
        rho
            0 for a judge without repeats (judges,).
        """
        own = self.drawn(weight)
        total = 1 / weight + own * (1 - self.inverse)
        return np.sqrt(total), np.where(self.repeated, share @ (1 - own / total), 0.0)

    def likeliest(self, weight: FloatArray) -> FloatArray:
        """Estimate rho at one point (judges,)."""
        most = 1 / (weight * self.inverse)
        own = np.minimum(self.within / np.maximum(self.spare, 1.0), most)
        total = 1 / weight + own * (1 - self.inverse)
        return np.where(self.repeated, 1 - own / total, 0.0)

    def part(self, rho: FloatArray) -> FloatArray:
        """Give the variance of an average mean, in units of that of a score (judges,)."""
        return np.asarray(rho + (1 - rho) * self.inverse)

    def floor(self, step: float) -> FloatArray:
        """Give the variance that rounding to steps leaves in a judge's means (judges,).

        Rounding errors of repeats are the same where those differ by far less than a step: with
        errors of sd v steps they correlate by exp(-(2 pi v)^2), but for smaller terms.
        """
        if not step:
            return np.zeros(self.spare.size)
        seen = self.within / np.maximum(self.spare, 1.0) / step**2
        same = np.exp(-((2 * np.pi) ** 2) * np.maximum(seen - _ROUNDING, 0.0))
        return np.asarray(step**2 * _ROUNDING * np.where(self.repeated, self.part(same), 1.0))

    def _scaled(self, weight: FloatArray) -> FloatArray:
        """Give half of the deviations' chi-square, were sigma^2 as large as can be."""
        return np.asarray(weight * (self.inverse * self.within / 2))


def repeats(sums: PanelSums, pairs: Pairs) -> Repeats | None:
    """Collect what repeats tell; None where no judge scored an item twice."""
    items = np.diag(pairs.n)
    spare = sums.n - items
    if not spare.any():
        return None
    once, size = over(over(sums.counts, sums.counts), sums.counts), sums.size
    inverse = back(once, size) / items
    even = back(squared(once), size) / items - inverse**2 < 1e-12
    return Repeats(spare, pairs.within, inverse, bool(even.all()))


def merged(sums: PanelSums, told: Repeats, rho: FloatArray) -> PanelSums:
    """Put means of repeats for scores: those of R weigh R / (1 + (R - 1) `rho`) of a judge's.

    Weights are in units in which the mean of 1 / weight over a judge's items is 1, so that a
    judge's noise is that of its means on average.
    """
    filled = over(sums.counts, sums.counts)
    below = minus(by_column(sums.counts, rho), by_column(filled, rho - 1))
    part, ones = told.part(rho), np.ones(len(sums.size))
    counts = by_column(over(sums.counts, below), part)
    total = by_column(over(sums.sums, below), part)
    cells, cross = total, None
    if sums.cross is None:
        squares = back(over(squared(total), counts), ones)
    else:
        factor = np.asarray(by_column(over(filled, below), part))
        cross = sums.cross * factor[:, :, None] * factor[:, None, :]
        own = np.diagonal(cross, axis1=1, axis2=2)
        squares = back(over(own, counts), ones)
        row = np.empty(len(sums.order), dtype=np.intp)
        row[sums.order] = np.repeat(np.arange(len(sums.size)), np.diff(sums.starts))
        cells = factor[row]
        cells *= np.asarray(sums.cells)
    return replace(
        sums,
        counts=counts,
        sums=total,
        cross=cross,
        n=back(filled, sums.size),
        mass=back(counts, sums.size),
        totals=back(total, ones),
        squares=squares,
        cells=cells,
        repeats=told,
    )


def averaged(
    item: Codes,
    judge: Codes,
    score: FloatArray,
    repeated: NDArray[np.bool_],
    n_items: int,
) -> tuple[Codes, Codes, FloatArray]:
    """Replace the repeats of some judges by their mean, in long format."""
    mine = repeated[judge]
    cell = judge[mine].astype(np.int64) * n_items + item[mine]
    cells, place, count = np.unique(cell, return_inverse=True, return_counts=True)
    means = np.bincount(place, weights=score[mine]) / count
    return (
        np.concatenate((item[~mine], cells % n_items)),
        np.concatenate((judge[~mine], cells // n_items)),
        np.concatenate((score[~mine], means)),
    )


def log_weights(sums: PanelSums) -> float:
    """Sum the logarithms of the weights of all means."""
    if isinstance(sums.counts, np.ndarray):
        logs = np.log(sums.counts, out=np.zeros(sums.counts.shape), where=sums.counts > 0)
        return float(sums.size @ logs.sum(axis=1))
    return float(np.log(sums.counts.data).sum())


def score_weights(item: Codes, judge: Codes, precision: FloatArray, rho: FloatArray) -> FloatArray:
    """Give every score its weight in its item's truth: repeats share theirs (scores,).

    `precision` of a single score and `rho` are a judge's (judges,); `rho` is NaN without repeats.
    """
    each: FloatArray = precision[judge]
    if np.isnan(rho).all():
        return each
    cell = item.astype(np.int64) * precision.size + judge
    _, place, count = np.unique(cell, return_inverse=True, return_counts=True)
    return np.asarray(each / (1 + (count[place] - 1) * np.nan_to_num(rho)[judge]))


def _log_tail(shape: FloatArray, at: FloatArray) -> FloatArray:
    """Give the log of the regularised upper incomplete gamma function, however deep."""
    from scipy.special import gammaincc  # noqa: PLC0415  # scipy is imported late

    tail = gammaincc(shape, at)
    deep = tail < _DEEP
    logs = np.log(np.where(deep, 1.0, tail))
    if deep.any():
        far, own = np.where(deep, at, shape + 1), _log_gamma(shape)
        logs = np.where(deep, shape * np.log(far) - far - own - np.log(far - shape + 1), logs)
    return np.asarray(logs)


def _log_gamma(shape: FloatArray) -> FloatArray:
    from scipy.special import gammaln  # noqa: PLC0415  # scipy is imported late

    return np.asarray(gammaln(shape))
