"""Evidence that may be weighed after every item: for a drop, against a drop, against a promise.

An e-process is what a fair gambler who starts with 1 and bets against a claim owns after each
item. While the claim holds, it ever reaches 1 / alpha with probability at most alpha (Ville 1939;
Ramdas et al. 2023): it may be looked at after every item, and testing may stop or go on because of
what was seen. The bets are those of `panopt.stats.confseq_wealth`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panopt.stats.confseq import by_cluster, difference_ends
from panopt.stats.confseq_running import RunningInterval, one_dimension, within
from panopt.stats.confseq_wealth import log_wealth
from panopt.stats.drift import risk_wealth

__all__ = [
    "AnytimeGate",
    "DropStatus",
    "EProcess",
    "anytime_gate",
    "drop_e_process",
    "risk_e_process",
]

Floats = NDArray[np.float64]
DropStatus = Literal["worse", "no worse", "inconclusive"]

_LARGEST = 700.0  # exponents beyond are no floats


@dataclass(frozen=True, slots=True, eq=False)
class EProcess:
    """Evidence against a claim after each step.

    Attributes
    ----------
    values
        E-value after each step (n,): what 1 has become.
    max
        Largest of them so far; 1 where there are none.
    p
        Anytime-valid p-value, 1 / max and at most 1.
    n
        Steps: pairs, or complete clusters of them.
    null
        The claim that is bet against.
    reason
        Why there is no evidence at all; None where steps were taken.
    """

    values: Floats
    max: float
    p: float
    n: int
    null: str
    reason: str | None

    def rejected_at(self, alpha: float = 0.05) -> int | None:
        """Give the number of steps after which the claim was first refuted at level alpha.

        None where it was not. Raises ValueError for alpha outside (0, 1).
        """
        if not 0.0 < alpha < 1.0:
            raise ValueError(f"alpha = {alpha} must lie strictly between 0 and 1")
        reached = self.values >= 1.0 / alpha
        return int(np.argmax(reached)) + 1 if reached.any() else None


def drop_e_process(  # noqa: PLR0913 - the options of one test
    a: ArrayLike,
    b: ArrayLike,
    *,
    max_drop: float,
    show: Literal["worse", "no worse"] = "worse",
    low: float = 0.0,
    high: float = 1.0,
    clusters: ArrayLike | None = None,
) -> EProcess:
    """Weigh after each pair whether the mean of a - b is larger than is tolerated.

    Parameters
    ----------
    a, b
        Scores of baseline and candidate on the same items (pairs,), in the order of the schedule,
        in [low, high]; NaN is unknown, and taken as what gives least evidence.
    max_drop
        Tolerated mean drop, between low - high and high - low.
    show
        ``worse`` bets against "the mean drop is at most `max_drop`"; ``no worse`` against "it is
        at least `max_drop`" (non-inferiority).
    low, high
        Least and largest score there can be.
    clusters
        Key of each pair's cluster; a cluster counts by its mean, when its last pair is in.

    Returns
    -------
    EProcess

    Raises
    ------
    ValueError
        For scores off [low, high], arrays of different length, options off their range.

    Notes
    -----
    Valid if every difference has the same mean given those before it, or all such means satisfy
    the claim, in an order that does not depend on the scores.

    Examples
    --------
    >>> found = drop_e_process([1, 1, 1, 0] * 40, [1, 0, 1, 0] * 40, max_drop=0.05)
    >>> found.rejected_at(0.05), round(found.p, 10)
    (38, 4.2e-08)
    """
    if show not in ("worse", "no worse"):
        raise ValueError(f"show = {show!r} must be 'worse' or 'no worse'")
    least, most, _ = by_cluster(difference_ends(a, b, low, high), clusters)
    reach = high - low
    _check_drop(max_drop, reach)
    at = float(_unit(max_drop, reach))
    worse = show == "worse"
    x = _unit(least, reach) if worse else 1.0 - _unit(most, reach)
    values = np.exp(np.minimum(log_wealth(x, at if worse else 1.0 - at), _LARGEST))
    return _process(values, f"the mean drop is at {'most' if worse else 'least'} {max_drop:g}")


def risk_e_process(wrong: ArrayLike, *, alpha: float) -> EProcess:
    """Weigh after each label whether more than a share alpha of judgments is wrong.

    The monitor of a deployed certificate (:func:`panopt.stats.drift.risk_wealth`), label by label.

    Parameters
    ----------
    wrong
        Whether each accepted judgment that was labelled was wrong (labels,), 0 or 1, in order.
    alpha
        Risk that was promised, in (0, 1).

    Returns
    -------
    EProcess

    Raises
    ------
    ValueError
        For entries other than 0 and 1, alpha outside (0, 1).

    Examples
    --------
    >>> found = risk_e_process([0, 0, 1, 0] * 20, alpha=0.1)
    >>> found.rejected_at(0.05), float(found.values[-1].round(1))
    (51, 215.9)
    """
    labels = one_dimension("wrong", wrong)
    if not np.isin(labels, (0.0, 1.0)).all():
        raise ValueError("wrong must be 0 or 1 for every label, with none missing")
    wealth = risk_wealth(np.cumsum(labels), np.arange(1, len(labels) + 1), alpha=alpha)
    values = np.minimum(wealth, np.exp(_LARGEST))
    return _process(values, f"at most a share {alpha:g} of accepted judgments is wrong")


@dataclass(frozen=True, slots=True)
class AnytimeGate:
    """Whether a candidate is shown to be worse than it may be, at this look of many.

    Attributes
    ----------
    status
        ``worse``: a larger drop than tolerated is shown; ``no worse``: one is ruled out.
    value
        Mean of the known drops; None where there are none.
    low, high
        The drop is at least, and at most, this: each at level 1 - alpha, at all looks at once.
    e_worse, e_no_worse
        Evidence that the drop is larger, and that it is smaller, than tolerated; 1 / alpha and
        more settles it.
    n, n_unknown
        Differences (clusters, where given), and those of them that are not exactly known.
    max_drop, alpha
        As asked for.
    method
        What was done, in a few words.
    reason
        Why there is no value.
    """

    status: DropStatus
    value: float | None
    low: float
    high: float
    e_worse: float
    e_no_worse: float
    n: int
    n_unknown: int
    max_drop: float
    alpha: float
    method: str
    reason: str | None


def anytime_gate(
    differences: ArrayLike,
    *,
    max_drop: float,
    alpha: float = 0.05,
    clusters: ArrayLike | None = None,
) -> AnytimeGate:
    """Judge a drop by the items so far, however often that was and will be done.

    Parameters
    ----------
    differences
        Baseline less candidate (pairs,), scores being on [0, 1]; NaN is unknown, anything in
        [-1, 1].
    max_drop
        Tolerated mean drop, in (-1, 1).
    alpha
        Probability of ever calling a candidate ``worse`` that dropped by no more, and of ever
        calling one ``no worse`` that dropped by more; in (0, .5).
    clusters
        Key of each pair's cluster; a cluster counts by its mean. Give complete ones only.

    Returns
    -------
    AnytimeGate

    Raises
    ------
    ValueError
        For differences off [-1, 1], or options off their range.

    Notes
    -----
    The verdict depends on the differences, not on their order, so that each look may sort a
    growing log as it likes. Which items are there must not depend on how they were scored: those
    that finish first may be the easy ones. A run made anew is new evidence, not another look: the
    guarantee is for one run that grows.

    Examples
    --------
    >>> found = anytime_gate([0, 0.5, 0, 0, 0.5, 0, 1, 0] * 20, max_drop=0.05)
    >>> found.status, round(found.low, 3), round(found.high, 3), round(found.e_no_worse, 3)
    ('worse', 0.176, 0.341, 0.137)
    """
    if not 0.0 < alpha < 0.5:
        raise ValueError(f"alpha = {alpha} must lie strictly between 0 and .5")
    _check_drop(max_drop, 1.0)
    given = one_dimension("differences", differences)
    within("differences", given, -1.0, 1.0)
    missing = np.isnan(given)
    ends = np.where(missing, -1.0, given), np.where(missing, 1.0, given)
    least, most, _ = by_cluster(ends, clusters)
    running = RunningInterval(alpha=2.0 * alpha, intersect=False)
    running.update_between(_unit(least, 1.0), _unit(most, 1.0))
    low, high = 2.0 * running.low - 1.0, 2.0 * running.high - 1.0
    status: DropStatus = "inconclusive"
    if low > max_drop:
        status = "worse"
    elif high <= max_drop:
        status = "no worse"
    at = float(_unit(max_drop, 1.0))
    known = least[least == most]
    return AnytimeGate(
        status=status,
        value=float(known.mean()) if len(known) else None,
        low=low,
        high=high,
        e_worse=_last(log_wealth(_unit(least, 1.0), at)),
        e_no_worse=_last(log_wealth(1.0 - _unit(most, 1.0), 1.0 - at)),
        n=len(least),
        n_unknown=len(least) - len(known),
        max_drop=max_drop,
        alpha=alpha,
        method=running.method,
        reason=None if len(known) else "no difference is known",
    )


def _unit(drop: Floats | float, reach: float) -> Floats:
    """Bring drops in [-reach, reach] to [0, 1]."""
    return np.clip((np.asarray(drop) + reach) / (2.0 * reach), 0.0, 1.0)


def _check_drop(max_drop: float, reach: float) -> None:
    if not -reach < max_drop < reach:
        raise ValueError(
            f"max_drop = {max_drop} must lie strictly between {-reach:g} and {reach:g}"
        )


def _last(log_values: Floats) -> float:
    return float(np.exp(min(log_values[-1], _LARGEST))) if len(log_values) else 1.0


def _process(values: Floats, null: str) -> EProcess:
    most = max(1.0, float(values.max(initial=1.0)))
    reason = None if len(values) else "there are no values"
    return EProcess(values, most, 1.0 / most, len(values), null, reason)
