"""Certify against the truth when the humans who label err too.

Several humans judge an item and are not always right. Three ways to count what a judge gets wrong:

- ``majority``: disagreement with the majority of an item's humans. The promise is about agreement
  with such majorities, whatever they are worth.
- ``error_rate``: every human errs with one probability e on every item, on its own. A majority
  then errs with probability eta, and a judge of risk r disagrees with it with probability
  ``r (1 - eta) + (1 - r) eta``: some of the disagreements are the humans' doing. e comes from how
  often two humans of an item differ, 2 e (1 - e).
- ``disagreement``: humans may err more on some items than on others, but on none more often than
  not, and on their own given the item. A majority then errs on an item with probability at most
  e <= 2 e (1 - e), which is how often two of its humans differ: the judge's risk is at most its
  disagreement with the majority plus the humans' with one another.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panopt.stats.arrays import as_floats
from panopt.stats.binomial import risk_upper
from panopt.stats.certify import CertificateMethod, CertifiedThreshold, certify_threshold
from panopt.stats.certify_checks import check_levels, check_scale, generator, one_of_each
from panopt.stats.steps import Goal, choose_steps, vector

__all__ = ["LabelNoise", "NoisyCertificate", "certify_noisy", "majority_error", "majority_support"]

LabelNoise = Literal["majority", "error_rate", "disagreement"]

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

#: Part of delta that the bound on the humans' error rate may fail with.
RATE_PART = 0.2

_SAID: dict[LabelNoise, str] = {
    "majority": "the risk is disagreement with the majority of an item's humans, ties included",
    "error_rate": (
        "the risk is against the truth: every human errs with one probability on every item, "
        "independently of the judge and of other humans, and two labels are possible"
    ),
    "disagreement": (
        "the risk is against the truth: given an item its humans err independently, none more "
        "often than not, and two labels are possible"
    ),
}


@dataclass(frozen=True, slots=True)
class NoisyCertificate:
    """A certified threshold, and what the humans' own errors did to it.

    Attributes
    ----------
    certificate
        What :func:`panopt.stats.certify.certify_threshold` found for the counts below.
    bound
        Upper bound on the risk that was promised; 1 where nothing is accepted.
    alpha, delta
        The risk tolerated and the failure probability of the whole promise.
    alpha_counted
        The rate of counted errors that certifies `alpha`.
    human_error
        Bounds on the probability that one human errs (0, 1 where it plays no part).
    human_disagreement
        Share of items on which two of its humans differ; None where none has two.
    noise, assumption
        How errors were counted, and what the promise rests on.
    """

    certificate: CertifiedThreshold
    bound: float
    alpha: float
    delta: float
    alpha_counted: float
    human_error: tuple[float, float]
    human_disagreement: float | None
    noise: LabelNoise
    assumption: str

    @property
    def threshold(self) -> float:
        """Accept at or above; infinity where nothing is certified."""
        return self.certificate.threshold

    @property
    def coverage(self) -> float:
        """Share of the labelled judgments that the threshold accepts."""
        return self.certificate.coverage

    @property
    def feasible(self) -> bool:
        """Whether a threshold was certified."""
        return self.certificate.feasible

    @property
    def reason(self) -> str | None:
        """Why nothing is certified; None where something is."""
        return self.certificate.reason


def certify_noisy(  # noqa: PLR0913 - one argument an option
    confidence: ArrayLike,
    agrees: ArrayLike,
    *,
    alpha: float = 0.1,
    delta: float = 0.1,
    noise: LabelNoise = "majority",
    method: CertificateMethod = "fixed_sequence",
    grid: ArrayLike | None = None,
    pool: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    unit: bool = True,
    rng: np.random.Generator | None = None,
) -> NoisyCertificate:
    """Find a confidence threshold when each item was labelled by several imperfect humans.

    Parameters
    ----------
    confidence
        Confidence in each judgment, shape (items,).
    agrees
        Whether the judgment agrees with the label of each human, 0/1 or bool, shape (items,
        humans); NaN where a human did not label the item. Columns need not be people.
    alpha, delta
        Risk tolerated among accepted judgments, and probability that the certificate is wrong.
    noise
        What counts as an error and what is promised: ``majority``, ``error_rate`` or
        ``disagreement``; see the module.
    method, grid, pool, clusters, unit
        As for :func:`panopt.stats.certify.certify_threshold`.
    rng
        Draws humans, items of clusters and coins; a fixed stream where not given.

    Returns
    -------
    NoisyCertificate
        Infeasible, with a reason, where nothing passes.

    Raises
    ------
    ValueError
        For arguments off their range, arrays that do not match, items without a label; for
        ``error_rate`` and ``disagreement`` where no item, or not every item, has two labels.

    Notes
    -----
    ``error_rate``: with probability 1 - delta / 5 the humans' rate e is at least e_low, from the
    exact bound on 2 e (1 - e) by one pair of humans an item. Then eta is at least what a majority
    of the most humans an item has would err with, r <= alpha if the counted rate is at most
    ``alpha + eta (1 - 2 alpha)``, which is certified at 4 delta / 5; the union bound gives delta.

    ``disagreement``: the loss 1[judge differs from the majority] + 1[two humans differ], in
    {0, 1, 2}, has a mean of at least the risk. An error is counted with half the loss as its
    probability (a coin where it is 1), so that errors are exactly binomial; they are certified at
    alpha / 2. Nothing is estimated and the humans' rates may differ from item to item.

    Where humans err more on some items than on others, ``error_rate`` is wrong: two humans who
    err on 30% of the unsure items and 1% of the sure ones made it fail with probability .3 at
    delta = .1 (risk .101, alpha = .1, 500 items), ``disagreement`` never more than .05.

    Majorities of an even number of humans are made of all but one of them, drawn blindly.

    Examples
    --------
    >>> import numpy as np
    >>> sure, agrees = np.linspace(0.5, 1, 300), np.ones((300, 3))
    >>> [certify_noisy(sure, agrees, noise=n).coverage for n in ("majority", "disagreement")]
    [1.0, 1.0]
    """
    check_levels(alpha, delta)
    if noise not in get_args(LabelNoise):
        raise ValueError(f"noise = {noise!r} must be one of {', '.join(get_args(LabelNoise))}")
    draws = generator(rng)
    c = vector("confidence", confidence)
    check_scale("confidence", c, unit=unit)
    table = _humans(agrees, len(c), noise)
    kept = one_of_each(clusters, len(c), draws)
    if kept is not None:
        c, table = c[kept], table[kept]
    shuffled = _shuffle(table, draws)
    humans = np.count_nonzero(~np.isnan(table), axis=1)
    right = majority_support(shuffled if noise != "majority" else table, odd=noise != "majority")
    pairs = humans >= 2
    differ = shuffled[:, 0] != shuffled[:, 1] if shuffled.shape[1] > 1 else np.zeros(len(c), bool)
    seen = float(differ[pairs].mean()) if pairs.any() else None
    counted, part, error, eta = alpha, delta, (0.0, 1.0), 0.0
    if noise == "error_rate":
        part = (1.0 - RATE_PART) * delta
        error = _human_error(differ[pairs], RATE_PART * delta)
        eta = majority_error(error[0], int(humans.max()))
        counted = alpha + eta * (1.0 - 2.0 * alpha)
        if grid is None and method == "fixed_sequence":
            # Steps must not depend on labels, as the rate that is tested does.
            grid = choose_steps(c, None, pool, Goal(alpha, part, method)).thresholds
    elif noise == "disagreement":
        counted = alpha / 2.0
        loss = (~right).astype(np.int64) + differ
        right = 2 * draws.random(len(c)) >= loss
    found = certify_threshold(
        c,
        right,
        alpha=counted,
        delta=part,
        method=method,
        grid=grid,
        pool=pool,
        unit=unit,
        rng=draws,
    )
    bound = found.bound
    if noise == "error_rate" and found.feasible:
        bound = max((bound - eta) / (1.0 - 2.0 * eta), 0.0)
    elif noise == "disagreement":
        bound = min(2.0 * bound, 1.0)
    clustered = () if kept is None else ("one item of each cluster was counted",)
    return NoisyCertificate(
        certificate=found,
        bound=bound,
        alpha=alpha,
        delta=delta,
        alpha_counted=counted,
        human_error=error,
        human_disagreement=seen,
        noise=noise,
        assumption="; ".join((found.assumption, *clustered, _SAID[noise])),
    )


def majority_support(agrees: ArrayLike, *, odd: bool = False) -> Flags:
    """Tell whether most humans of each item agree with the judgment; a tie is no agreement.

    Parameters
    ----------
    agrees
        0/1, shape (items, humans); NaN where a human did not label the item.
    odd
        Leave the last human of an item out where their number is even, so that none is tied.

    Returns
    -------
    ndarray of bool
        Shape (items,).

    Examples
    --------
    >>> majority_support([[1, 1, 0], [1, 0, np.nan], [0, 0, 1]]).tolist()
    [True, False, False]
    """
    table = as_floats("agrees", agrees)
    known = ~np.isnan(table)
    if odd:
        place = np.cumsum(known, axis=1)
        number = known.sum(axis=1, keepdims=True)
        known &= (place < number) | (number % 2 == 1)
    votes = np.where(known, table, 0.0).sum(axis=1)
    return np.asarray(2.0 * votes > known.sum(axis=1))


def majority_error(rate: float, humans: int) -> float:
    """Give how often the majority of an odd number of humans errs, each with the same rate.

    An even number counts as one less.

    Examples
    --------
    >>> round(majority_error(0.1, 3), 4), majority_error(0.1, 1), majority_error(0.1, 2)
    (0.028, 0.1, 0.1)
    """
    from scipy.special import bdtrc  # noqa: PLC0415 - scipy is imported late

    if not 0.0 <= rate <= 1.0:
        raise ValueError(f"rate = {rate} must lie in [0, 1]")
    if humans < 1:
        raise ValueError(f"humans = {humans} must be at least 1")
    odd = humans - 1 + humans % 2
    return rate if odd == 1 else float(bdtrc((odd - 1) // 2, odd, rate))


def _humans(agrees: ArrayLike, items: int, noise: LabelNoise) -> Floats:
    table = as_floats("agrees", agrees)
    if table.ndim != 2 or len(table) != items:
        raise ValueError(f"agrees has shape {table.shape}; it must be ({items}, humans)")
    known = ~np.isnan(table)
    if not np.isin(table[known], (0.0, 1.0)).all():
        raise ValueError("agrees must be 0 or 1 (or bool), NaN where a human did not label")
    humans = known.sum(axis=1)
    if items and not humans.all():
        bare = int(np.flatnonzero(humans == 0)[0])
        raise ValueError(f"agrees has no label for item {bare}; leave items without a label out")
    if noise == "error_rate" and not (humans >= 2).any():
        raise ValueError("agrees holds no item with two humans: how often they err is not known")
    if noise == "disagreement" and not (humans >= 2).all():
        one = int(np.flatnonzero(humans < 2)[0])
        raise ValueError(f"agrees has one label for item {one}; noise='disagreement' takes two")
    return table


def _shuffle(table: Floats, rng: np.random.Generator) -> Floats:
    """Put each item's labels in random order, the missing ones last."""
    keys = rng.random(table.shape) + np.isnan(table)
    return np.take_along_axis(table, np.argsort(keys, axis=1), axis=1)


def _human_error(differ: Flags, delta: float) -> tuple[float, float]:
    """Bound one human's error rate from how often two differ: 2 e (1 - e), e at most a half.

    Only the lower end is used for a promise; each end fails with probability delta.
    """
    n, k = len(differ), int(np.count_nonzero(differ))
    low = 1.0 - float(risk_upper(n - k, n, delta))
    high = float(risk_upper(k, n, delta))
    ends = 0.5 - 0.5 * np.sqrt(1.0 - 2.0 * np.clip([low, high], 0.0, 0.5))
    return float(ends[0]), float(ends[1])
