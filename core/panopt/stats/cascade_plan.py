"""What to test of a cascade, in which order, and on which labels: planned on the other labels.

A random part of the labels teaches a first path. Items that no cascade along it could certify
surely lie out of reach, so their labels are no use to the test: they are revealed too, and teach
the path that is tested on what lies within reach. Last, two steps are chosen at which parts of
delta enter (the fallback procedure: Wiens 2003).

Nothing here carries a guarantee; :mod:`panopt.stats.cascade` tests the plan and says why it may.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from panopt.stats.binomial import zero_error_labels
from panopt.stats.cascade_errors import expected_errors
from panopt.stats.cascade_path import learn_path, tally

__all__ = ["Plan", "plan_test"]

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Rows = NDArray[np.intp]

#: Share of the labels that a path is first learned on, and their greatest number: more teach
#: nothing that simulation can see.
LEARN, MOST_LEARN = 0.15, 2000

#: Steps that pass with less probability than this lie out of reach; each judge's surest KEEP are
#: kept within it, lest the first path's choice of judges be final.
OUT_OF_REACH, KEEP = 0.03, 0.3

#: Labels that the modelled risk of a cascade is worth beside the errors that it made.
PULL = 120.0

#: Errors rarer than this share of alpha are as good as none: a cheaper judge goes first.
SAFE = 0.2

#: Steps tested along a path. Fewer stop sooner than they must, more stop by accident.
STEPS = 25

#: The first step holds enough labels but for this many standard deviations.
MARGIN = 2.0

#: Of delta, LATE_PART waits for the step that passes most probably, where that is late; the rest
#: enters at the share START at most, for risks that grew faster than they seemed to.
START, LATE_PART, LATE_GAP = 0.25, 0.5, 0.05


@dataclass(frozen=True, slots=True)
class Plan:
    """Steps to test, in this order, on labels that had no say in it.

    Attributes
    ----------
    path
        Threshold vectors, shape (steps, judges), each at most the one before.
    entries
        Pairs (index of a step, part of delta that enters there); the parts sum to 1.
    testing
        Rows to test on: those within reach whose labels were not looked at.
    learned
        Labels that were looked at.
    """

    path: Floats
    entries: tuple[tuple[int, float], ...]
    testing: Rows
    learned: int


@dataclass(frozen=True, slots=True)
class _Curve:
    """Share and modelled risk of the items within reach that each step of a path accepts."""

    path: Floats
    share: Floats
    risk: Floats
    labels: int


def plan_test(  # noqa: PLR0913 - one argument an option
    confidence: Floats,
    wrong: Flags,
    *,
    alpha: float,
    delta: float,
    floor: float,
    asked: Floats | None,
    pool: Floats | None,
    rng: np.random.Generator,
) -> Plan | None:
    """Learn a path on some labels, and say how to test it on others.

    Parameters
    ----------
    confidence, wrong
        Of each judge on each labelled item, shape (items, judges).
    alpha, delta
        Risk tolerated and failure probability.
    floor
        Threshold at which a judge decides whatever it answers.
    asked, pool
        See :func:`panopt.stats.cascade_path.learn_path`.
    rng
        Draws the labels that are looked at first.

    Returns
    -------
    Plan or None
        None where no judge answered any of the items drawn, or there are too few to draw any.
    """
    items, judges = confidence.shape
    order = rng.permutation(items)
    drawn, testing = np.split(order, [min(int(LEARN * items), MOST_LEARN)])
    source = confidence[drawn] if pool is None else np.concatenate([confidence[drawn], pool])
    known = np.zeros(items, dtype=np.bool_)
    known[drawn] = True
    least = np.full(judges, floor)

    def grown(rows: Rows) -> tuple[Floats, _Curve] | None:
        expected = expected_errors(confidence, wrong, known, source)[rows]
        sure = _within(confidence[rows], least)
        others = None if pool is None else _within(pool, least)
        path = learn_path(
            sure, wrong[rows], expected, least=least, safe=SAFE * alpha, asked=asked, pool=others
        )
        return (path, _curve(path, sure, wrong[rows], expected)) if len(path) else None

    first = grown(drawn)
    if first is None:
        return None
    curve = first[1]
    reach = _reach(curve, len(testing), alpha=alpha, delta=delta)
    if reach < len(curve.path) - 1:
        # What a judge's surest answers are is asked of the items drawn alone: those that remain
        # to be tested must not choose where they are tested.
        least = np.minimum(curve.path[reach], _surest(source))
        inside = ((confidence >= least) & (least < np.inf)).any(axis=1)
        known |= ~inside
        testing = testing[inside[testing]]
        again = grown(drawn[inside[drawn]])
        if again is None:
            return None
        curve = again[1]
    steps, entries = _steps(curve, len(testing), alpha=alpha, delta=delta)
    return Plan(steps, entries, testing, int(known.sum()))


def _within(confidence: Floats, least: Floats) -> Floats:
    """Silence the judges below the thresholds that they may not fall below."""
    return np.where(confidence >= least, confidence, np.nan)


def _surest(source: Floats) -> Floats:
    """Give the confidence above which the surest answers of each judge lie."""
    least = np.full(source.shape[1], np.inf)
    for m in range(source.shape[1]):
        rising = np.sort(source[~np.isnan(source[:, m]), m])
        if rising.size:
            least[m] = rising[min(int((1.0 - KEEP) * len(rising)), len(rising) - 1)]
    return least


def _curve(path: Floats, confidence: Floats, wrong: Flags, expected: Floats) -> _Curve:
    accepted, observed, hoped = tally(confidence, path, wrong, expected)
    grows = np.flatnonzero(np.diff(accepted, prepend=0.0) > 0.0)
    if not grows.size:  # nobody answers any of these: any step will do
        return _Curve(path[-1:], np.ones(1), np.ones(1), 1)
    accepted, observed, hoped = accepted[grows], observed[grows], hoped[grows]
    risk = (observed + PULL * hoped / accepted) / (accepted + PULL)
    items = len(confidence)
    return _Curve(path[grows], accepted / items, np.maximum.accumulate(risk), items)


def _reach(curve: _Curve, n_test: int, *, alpha: float, delta: float) -> int:
    """Find the last step that may pass: its errors Poisson, at a risk that is known roughly."""
    from scipy.special import ndtr, ndtri  # noqa: PLC0415 - scipy is imported late

    n = curve.share * n_test
    errors = n * curve.risk
    known = curve.share * (curve.labels + PULL)  # labels that the modelled risk is worth
    spread = np.sqrt(errors * (1.0 + n / known)) + 1e-9
    # Errors that the exact test allows, by the Cornish-Fisher expansion of the binomial.
    z = float(ndtri(delta))
    skew = (z * z - 1.0) * (1.0 - 2.0 * alpha) / 6.0
    allowed = np.floor(n * alpha + z * np.sqrt(n * alpha * (1.0 - alpha)) + skew - 0.48)
    enough = n >= zero_error_labels(alpha, delta)
    chance = np.where(enough, ndtr((np.maximum(allowed, 0.0) + 0.5 - errors) / spread), 0.0)
    hopeful = np.flatnonzero(chance >= OUT_OF_REACH)
    return int(hopeful[-1] if hopeful.size else np.argmax(chance))


def _steps(
    curve: _Curve, n_test: int, *, alpha: float, delta: float
) -> tuple[Floats, tuple[tuple[int, float], ...]]:
    """Choose the steps to test, in even steps of coverage, and where parts of delta enter."""
    hoped = curve.share * n_test
    doubt = np.sqrt(hoped * (1.0 - curve.share) * (1.0 + n_test / curve.labels))
    need = zero_error_labels(alpha, delta)
    enough = hoped - MARGIN * doubt >= need
    if not enough.any():
        enough = hoped >= min(need, hoped[-1])
    margin = np.where(enough, (alpha - curve.risk) * np.sqrt(hoped), -np.inf)
    late = int(np.argmax(margin))
    start = max(int(np.searchsorted(curve.share, START)), int(np.argmax(enough)))
    start = min(start, late)
    wanted = np.linspace(curve.share[start], curve.share[-1], STEPS)
    rows = np.minimum(np.searchsorted(curve.share, wanted), len(curve.share) - 1)
    chosen = np.unique(np.r_[rows, late])
    if curve.share[late] - curve.share[start] < LATE_GAP:
        return curve.path[chosen], ((0, 1.0),)
    entry = int(np.searchsorted(chosen, late))
    return curve.path[chosen], ((0, 1.0 - LATE_PART), (entry, LATE_PART))
