"""Fit a panel whose errors have Student's t distribution, so that outliers pull at nothing.

A t error is a normal one whose precision was drawn anew for every score (Lange, Little and
Taylor 1989), so expectation-maximisation alternates the Gaussian panel of weighted scores with
the weights. That gives biases and a first guess; scales, tau and degrees of freedom are then
integrated by importance sampling under the exact likelihood, truths by quadrature.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from panopt.stats.gaussian_likelihood import Design, Mode, Points, find_mode, log_prior, start
from panopt.stats.gaussian_mixture import Mixture, adapt, integrate, typical, widened
from panopt.stats.gaussian_pairs import components
from panopt.stats.gaussian_sums import Codes, PanelSums
from panopt.stats.gaussian_within import locate
from panopt.stats.student_truth import Scores, Settings, group_scores, truth_moments
from panopt.stats.tables import FloatArray, Table, by_column, gram, row_forms, times

#: Prior of the degrees of freedom, a gamma with mean 20 (Juarez and Steel 2010).
SHAPE, RATE = 2.0, 0.1

_FIRST_DF = 4.0
_ITEMS = 2400  # items that scales, tau and degrees of freedom rest on, where there are more
_FIRST_ITEMS = 300  # items of the first part, and by how much the next is larger
_GROWTH = 2
_JUDGES = 30  # judges beyond whom parts would not hold enough of each
_SCORES = 20  # scores of each judge a part must hold
_NODES = 1_500_000  # quadrature nodes x points evaluated in a round
_POINTS = (64, 384)
_ROUNDS = 3
_STEPS = 60
_GUIDES = 128  # points of the panel of weighted scores
_SAME = 1e-2  # change of weights below which expectation-maximisation has settled


@dataclass(frozen=True, slots=True)
class StudentFit:
    """A fitted panel on the centred and scaled scores."""

    sums: PanelSums
    """Sums of the scores, each with its weight."""
    mixture: Mixture
    """Posterior of scales and tau as weighted points."""
    df: FloatArray
    """Degrees of freedom at each point (points,)."""
    mean: FloatArray
    """Posterior mean of every item's truth (items,)."""
    sd: FloatArray
    """Posterior standard deviation (items,)."""
    mode: Mode
    """The likeliest variances of the weighted scores."""
    log_likelihood: float
    """Of all scores, at the likeliest point evaluated."""
    loss: float
    """What location covariances given weights are multiplied by, as weights are estimates."""

    @property
    def breadth(self) -> FloatArray:
        """Give the half-width that holds 68% of standard t errors, as 1 sd does of normal ones."""
        from scipy.special import ndtr, stdtrit  # noqa: PLC0415  # scipy is imported late

        return np.asarray(stdtrit(self.df, ndtr(1.0)), dtype=np.float64)


def fit_student(  # noqa: PLR0913, PLR0917 - three arrays of one table, and what is known of the panel
    item: Codes,
    judge: Codes,
    score: FloatArray,
    sums: PanelSums,
    plan: Design,
    floor: FloatArray,
    *,
    df: float | None,
) -> StudentFit:
    """Fit scores in long format, of which `sums` are the unweighted sums.

    `df` are the degrees of freedom of the errors, None to estimate them.
    """
    whole = _Part(item, judge, (score - sums.center[judge]) / sums.scale, sums, len(sums.order))
    parts = _parts(whole)
    if df is None and len(parts) == 1:
        parts *= 2  # the second time with weights that rest on a likely number
    found, size = None, 0
    for part in parts:
        found = _sampled(part, plan, floor, df, found, size)
        size = part.n_items
    assert found is not None  # noqa: S101 - there is always a part
    if parts[-1] is not whole:
        return _everywhere(whole, plan, found)
    mean, sd = found.posterior()
    best, loss = float(found.mixture.points.log_likelihood.max()), _loss(found.assumed)
    return StudentFit(found.sums, found.mixture, found.df, mean, sd, found.mode, best, loss)


@dataclass(frozen=True, slots=True)
class _Part:
    """Scores of some items, centred and scaled."""

    item: Codes
    judge: Codes
    value: FloatArray
    whole: PanelSums
    n_items: int

    def weighted(self, weight: FloatArray) -> PanelSums:
        """Sum the scores, each with its weight: an item is a row."""
        n_judges = self.whole.n.size
        moved = weight * self.value

        def total(values: FloatArray) -> FloatArray:
            return np.bincount(self.judge, weights=values, minlength=n_judges).astype(np.float64)

        each = np.arange(self.n_items + 1)
        return replace(
            self.whole,
            counts=self._table(weight),
            size=np.ones(self.n_items),
            sums=(cells := self._table(moved)),
            cross=None,
            n=total(np.ones(weight.size)),
            mass=total(weight),
            totals=total(moved),
            squares=total(moved * self.value),
            cells=cells,
            order=each[:-1],
            starts=each,
        )

    def _table(self, values: FloatArray) -> Table:
        shape = (self.n_items, self.whole.n.size)
        if not isinstance(self.whole.cells, np.ndarray):
            from scipy.sparse import csr_array  # noqa: PLC0415  # only crowds need it

            return csr_array((values, (self.item, self.judge)), shape)
        cell = self.item.astype(np.int64) * shape[1] + self.judge
        held: FloatArray = np.bincount(cell, weights=values, minlength=shape[0] * shape[1]).astype(
            np.float64
        )
        return held.reshape(shape)

    def weigh(self, at: Points, sums: PanelSums, plan: Design, df: float) -> FloatArray:
        """Give the expected precision factor of every score at one point (scores,)."""
        precision = at.prior[0] + times(sums.counts, at.weight[0])
        means = plan.columns @ at.location[0]
        mu = float(plan.mu @ at.location[0])
        pull = times(sums.cells, at.weight[0]) - times(sums.counts, at.weight[0] * (means - mu))
        truth = (at.prior[0] * mu + pull) / precision
        error = self.value - (means - mu)[self.judge] - truth[self.item]
        squared = np.square(error) + 1 / precision[self.item]
        return np.asarray((df + 1) / (df + squared * at.weight[0, self.judge]))

    def part(self, items: NDArray[np.intp]) -> _Part:
        """Keep the scores of some items, numbered anew."""
        code = np.full(self.n_items, -1)
        code[items] = np.arange(items.size)
        mine = code[self.item] >= 0
        kept = (code[self.item[mine]], self.judge[mine], self.value[mine])
        return _Part(*kept, self.whole, items.size)

    def linked(self) -> bool:
        """Say whether these items link all judges, each with enough scores."""
        given = np.bincount(self.judge, minlength=self.whole.n.size)
        if np.any(given < np.minimum(self.whole.n, _SCORES)):
            return False
        filled = np.asarray(self._table(np.ones(self.value.size))) > 0
        shared = gram(filled.astype(np.float64), np.ones(self.n_items), filled.astype(np.float64))
        return len(components(shared > 0, np.zeros(given.size, dtype=bool))) == 1

    def scores(self) -> Scores:
        """Find the scores of every item."""
        return group_scores(self.item, self.judge, self.value, self.n_items)


@dataclass(frozen=True, slots=True)
class _Sampled:
    """The posterior of scales, tau and degrees of freedom, from the items of a part."""

    sums: PanelSums
    plan: Design
    mixture: Mixture
    df: FloatArray
    mean: FloatArray
    var: FloatArray
    mode: Mode
    assumed: float
    """Degrees of freedom that the weights rest on."""

    @property
    def typical_df(self) -> float:
        """Give the geometric mean of the degrees of freedom."""
        return float(np.exp(self.mixture.share @ np.log(self.df)))

    def shape(self, *, free: bool) -> tuple[FloatArray, FloatArray]:
        """Give center and covariance of the points, with log degrees of freedom if `free`."""
        x = self.mixture.points.x
        at = np.column_stack((x, np.log(self.df))) if free else x
        center = self.mixture.share @ at
        apart = at - center
        return center, apart.T @ (self.mixture.share[:, None] * apart)

    def posterior(self) -> tuple[FloatArray, FloatArray]:
        """Give mean and sd of every item's truth."""
        share = self.mixture.share
        mean = share @ self.mean
        var = widened(share, self.var) + share @ np.square(self.mean - mean)
        return mean, np.sqrt(var + _by_location(self.sums, self.plan, self.mixture))


def _parts(whole: _Part) -> list[_Part]:
    """Give ever larger parts of the items: each tells where to look for what the next says.

    The last is the whole, or as many items as scales need to be known well.
    """
    n_judges, parts = whole.whole.n.size, []
    if isinstance(whole.whole.cells, np.ndarray) and n_judges <= _JUDGES:
        size = _FIRST_ITEMS
        while size < min(whole.n_items, _ITEMS + 1):
            part = whole.part(_chosen(whole.whole, size))
            if part.linked():
                parts.append(part)
            size *= _GROWTH
        if parts and whole.n_items > _ITEMS:
            return parts
    return [*parts, whole]


def _chosen(sums: PanelSums, most: int) -> NDArray[np.intp]:
    """Choose at most `most` items, evenly spread, as many of each pattern of judges."""
    sizes = np.diff(sums.starts)
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        if np.minimum(sizes, middle).sum() <= most:
            low = middle
        else:
            high = middle - 1
    if not low:  # more patterns than room
        return np.sort(sums.order[np.linspace(0, len(sums.order) - 1, most).astype(np.intp)])
    taken = np.minimum(sizes, low)
    rank = np.arange(taken.sum()) - np.repeat(np.cumsum(taken) - taken, taken)
    at = np.repeat(sums.starts[:-1], taken)
    at = at + rank * np.repeat(sizes, taken) // np.repeat(taken, taken)
    return np.sort(sums.order[at])


def _sampled(  # noqa: PLR0913, PLR0917 - where to start from is part of the call
    part: _Part,
    plan: Design,
    floor: FloatArray,
    df: float | None,
    before: _Sampled | None,
    n_before: int,
) -> _Sampled:
    """Weigh points of scales, tau and, unless given, degrees of freedom.

    The first proposal rests on the Gaussian panel of weighted scores, or on what the `n_before`
    items of an earlier part told.
    """
    assumed, x = _FIRST_DF if df is None else df, start(part.whole)
    if before is not None:
        assumed, x = before.typical_df, before.mode.x
    sums, mode, guess, weight = _settled(part, plan, floor, x, assumed)
    scores, size = part.scores(), mode.x.size
    if before is None:
        # A t score tells less of its scale than a normal one.
        cov = np.zeros((size + 1, size + 1))
        cov[:size, :size] = guess * 1.5 * (assumed + 3) / assumed
        cov[size, size] = 0.5
        center = np.append(mode.x, np.log(assumed))
        if df is not None:
            center, cov = center[:size], cov[:size, :size]
    else:
        center, cov = before.shape(free=df is None)
        cov *= min(1.0, 1.5 * n_before / part.n_items)

    def density(at: FloatArray) -> tuple[_Found, FloatArray]:
        many = np.exp(at[:, size]) if df is None else np.full(len(at), df)
        points, location_cov = _located(sums, plan, floor, at[:, :size])
        log_likelihood, mean, var = truth_moments(scores, weight, _settings(points, plan, many))
        found = log_likelihood + 0.5 * np.linalg.slogdet(location_cov)[1]
        found += log_prior(points.x)
        if df is None:
            found += SHAPE * at[:, size] - RATE * many
        points = replace(points, log_likelihood=log_likelihood, log_density=found)
        return _Found(points, location_cov, many, mean, var), found

    n_points = int(np.clip(_NODES / max(scores.nodes, 1), *_POINTS))
    found, share, poor = adapt(density, center, cov, n_points, rounds=_ROUNDS)
    mixture = Mixture(found.points, share, _loss(assumed) * found.location_cov, poor)
    return _Sampled(sums, plan, mixture, found.df, found.mean, found.var, mode, assumed)


@dataclass(frozen=True, slots=True)
class _Found:
    points: Points
    location_cov: FloatArray
    df: FloatArray
    mean: FloatArray
    var: FloatArray


def _settled(
    part: _Part, plan: Design, floor: FloatArray, x: FloatArray, df: float
) -> tuple[PanelSums, Mode, FloatArray, FloatArray]:
    """Alternate the weighted panel's likeliest variances with the weights until they settle."""
    change, steps, weight = np.inf, 0, np.ones(part.value.size)
    crowd = part.whole.n.size > _JUDGES
    while True:
        sums = part.weighted(weight)
        mode = find_mode(sums, plan, floor, x)
        if crowd:  # too many to integrate at each step, and none can sway the others
            x, cov = mode.x, np.asarray(np.linalg.inv(mode.curvature), dtype=np.float64)
            at = _located(sums, plan, floor, x[None])[0]
        else:  # the mode may have a judge without noise, to which all weights would then bow
            mixture = integrate(sums, plan, floor, mode, n_points=_GUIDES)
            x = mixture.share @ mixture.points.x
            apart = mixture.points.x - x
            cov, at = apart.T @ (mixture.share[:, None] * apart), typical(mixture)
        if change <= _SAME or steps == _STEPS:
            break
        new = part.weigh(at, sums, plan, df)
        change = float(np.abs(new - weight).max())
        weight, steps = new, steps + 1
    found = replace(mode, x=x, converged=mode.converged and change <= 0.05, n_iter=steps)
    return sums, found, cov, weight


def _located(
    sums: PanelSums, plan: Design, floor: FloatArray, x: FloatArray
) -> tuple[Points, FloatArray]:
    weight = 1 / (floor + np.exp(2 * x[:, :-1]))
    nothing = np.zeros(len(x))
    return locate(
        sums, plan, Points(x, nothing, nothing, weight, np.exp(-2 * x[:, -1]), nothing[:, None])
    )


def _settings(points: Points, plan: Design, df: FloatArray) -> Settings:
    means, mu = points.location @ plan.columns.T, points.location @ plan.mu
    return Settings(points.weight**-0.5, means, mu, points.prior**-0.5, df)


def _loss(df: float) -> float:
    """Give by how much weights overstate what t errors tell of a location.

    The information of a t score is (df + 1) / (df + 3) of 1 / scale^2; weights average 1.
    """
    return (df + 3) / (df + 1)


def _by_location(sums: PanelSums, plan: Design, mixture: Mixture) -> FloatArray:
    """Give the part of a truth's variance that the judge means bring, at typical points (items,).

    A truth moves with mu by the share of its precision that is the prior's, against a judge's
    mean by that judge's.
    """
    at = typical(mixture)
    weight, prior = at.weight[0], float(at.prior[0])
    cov = np.tensordot(mixture.share, mixture.location_cov, axes=1)
    precision = prior + times(sums.counts, weight)
    judges = plan.columns @ cov @ plan.columns.T
    mixed = times(sums.counts, weight * (plan.columns @ cov @ plan.mu)) / precision
    forms = row_forms(by_column(sums.counts, weight), judges) / precision**2
    return np.asarray(np.maximum(plan.mu @ cov @ plan.mu - 2 * mixed + forms, 0.0))


def _everywhere(part: _Part, plan: Design, found: _Sampled) -> StudentFit:
    """Carry what some items told of the scales to all items, whose biases rest on all."""
    at = typical(found.mixture)
    df, weight = found.typical_df, np.ones(part.value.size)
    for _ in range(_STEPS):
        sums = part.weighted(weight)
        located, cov = locate(sums, plan, at)
        new = part.weigh(located, sums, plan, df)
        change, weight = float(np.abs(new - weight).max()), new
        if change <= 0.01:
            break
    sums = part.weighted(weight)
    located, cov = locate(sums, plan, at)
    points = found.mixture.points
    shift = located.location - found.mixture.share @ points.location
    points = replace(points, location=points.location + shift)
    cov = np.broadcast_to(_loss(df) * cov, (len(points.x), *cov.shape[1:]))
    mixture = replace(found.mixture, points=points, location_cov=cov)
    one = _settings(located, plan, np.array([df]))
    log_likelihood, mean, var = truth_moments(part.scores(), weight, one)
    sd = np.sqrt(var[0] + _by_location(sums, plan, mixture))
    best = float(log_likelihood[0])
    return StudentFit(sums, mixture, found.df, mean[0], sd, found.mode, best, _loss(df))
