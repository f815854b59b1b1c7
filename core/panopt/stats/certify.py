"""Which confidence threshold may be trusted: selective judgment with a guarantee.

A judgment is accepted when its confidence is at or above a threshold. From labelled judgments,
find the lowest threshold at which, with probability at least 1 - delta over the draw of the
labels, at most a share alpha of the accepted judgments disagrees with the human label.

The thresholds are tested one after the other from high to low, each at level delta by the exact
binomial test, until one fails; the last that passed is certified (fixed-sequence testing: Bauer
1991; for selective judgment: Jung, Brahman & Choi 2025; for a union bound instead: Geifman &
El-Yaniv 2017). Errors among the labels accepted by a threshold that was chosen without them are
binomial with the risk in the population, so the first threshold whose risk exceeds alpha passes
with probability at most delta, whatever the risk looks like. What is left is to choose the
sequence without the labels; the sources of steps below differ in how exactly they do.

Where labels are many, delta enters in parts along the sequence (the fallback procedure: Wiens
2003): a step is tested at the parts that entered since the last one that failed, so that a small
share of good judgments is found at the top, and an unlucky step does not end everything. A false
pass needs that the first bad step since some entry passes at what entered since the bad step
before it failed; these parts are disjoint and sum to delta.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panopt.stats.arrays import as_floats
from panopt.stats.binomial import certifies, risk_upper, zero_error_labels
from panopt.stats.certify_checks import check_levels, check_scale, generator, one_of_each
from panopt.stats.steps import CertificateMethod, Goal, Steps, choose_steps, vector

__all__ = ["CertificateMethod", "CertifiedThreshold", "certify_threshold", "least_abstention"]

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Counts = NDArray[np.int64]

_SAMPLE = (
    "the labelled judgments are a random sample of the judgments the threshold will be used on"
)
_CLUSTERS = (
    "clusters are independent; one judgment of each, drawn without its label, is counted, so the "
    "risk is that of a random judgment of a random cluster"
)


@dataclass(frozen=True, slots=True)
class CertifiedThreshold:
    """The lowest confidence at which judgments may be accepted, and what that rests on.

    Attributes
    ----------
    threshold
        Accept a judgment when ``confidence >= threshold``: a threshold that was tested and
        passed; infinity (abstain on everything) where none did, with a `reason`. Where
        accepting everything is certified it is 0 for confidences in [0, 1], else minus infinity.
    n, errors
        Independent labels (clusters count once) at or above the threshold; disagreements among
        them.
    bound, level
        Exact upper bound on the risk at the threshold, at the level of its test; 1 where nothing
        is accepted. The level is delta unless delta was shared among tests, and then less.
    coverage
        Share of all labelled judgments that the threshold accepts.
    feasible
        Whether a threshold was certified.
    labels_needed
        Fewest accepted labels that could certify, all of them without an error.
    n_labels, n_tested
        Independent labels in all; thresholds tested.
    alpha, delta, method
        The risk tolerated, the failure probability, the procedure.
    assumption
        What the guarantee rests on, and where it is not exact.
    reason
        Why nothing is certified; None where something is.
    """

    threshold: float
    n: int
    errors: int
    bound: float
    level: float
    coverage: float
    feasible: bool
    labels_needed: int
    n_labels: int
    n_tested: int
    alpha: float
    delta: float
    method: CertificateMethod
    assumption: str
    reason: str | None


def certify_threshold(  # noqa: PLR0913 - one argument an option
    confidence: ArrayLike,
    agrees: ArrayLike,
    *,
    alpha: float = 0.1,
    delta: float = 0.1,
    grid: ArrayLike | None = None,
    pool: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    method: CertificateMethod = "fixed_sequence",
    unit: bool = True,
    rng: np.random.Generator | None = None,
) -> CertifiedThreshold:
    """Find the lowest confidence at which at most a share alpha of judgments is wrong.

    Parameters
    ----------
    confidence
        Confidence in each labelled judgment, shape (labels,), in [0, 1]; higher is surer.
    agrees
        Whether the judgment agrees with the human label, 0/1 or bool, shape (labels,).
    alpha
        Risk tolerated among accepted judgments, in (0, 1).
    delta
        Probability, over the draw of the labels, that the certificate is wrong, in (0, 1).
    grid
        Thresholds to test, chosen without these labels and confidences. Those that hold too few
        labels to pass, whatever the labels say, are passed over.
    pool
        Confidences of judgments without a label (not those of `confidence`), shape (pool,): ten
        quantiles of them are tested, from the first that surely holds enough labels. Exact for a
        risk of any shape. Ignored where `grid` is given.
    clusters
        Integer or string key of the cluster of each judgment (the same prompt judged twice is
        one observation). One judgment of each cluster, drawn blindly, is counted.
    method
        ``fixed_sequence``; ``bonferroni``: ten steps, each at delta / 10, exact for a risk of any
        shape also without a pool; ``point_estimate``: the lowest threshold at which the observed
        risk is at most alpha, WITHOUT any guarantee (a baseline).
    unit
        Whether confidence must lie in [0, 1]; False for margins or log-odds.
    rng
        Draws the judgment of each cluster; a fixed stream where not given.

    Returns
    -------
    CertifiedThreshold
        Infeasible, with a reason, where nothing passes.

    Raises
    ------
    ValueError
        For arguments off their range, arrays of different length, or missing values.

    Notes
    -----
    Without `grid` and `pool` the sequence comes from the labelled confidences. Where these take
    few values (vote shares), every value is a step. Else the steps are preset counts m, those at
    which one more error becomes tolerable: the m surest judgments are accepted, "strictly above
    the (m + 1)-th confidence"; given that value the m above it are independent draws, so each
    step alone is exact. Let v be where the risk of accepting "above v" first exceeds alpha as v
    falls, and N the number of labels above it. The sequence errs only if the first step below v
    passes; given N, its errors are Bin(N, alpha) plus those below v, which are at least as many
    as Bin(m - N, alpha) gives where risk does not fall as confidence falls: so delta is kept.
    Where delta enters in parts, that step is tested at most at those that entered by its own
    number of labels, which N and the confidences below v give; if it fails, only the parts that
    enter later are left, each tested below v in the same way: the sum is delta again.
    Without that monotonicity which step is the first below v tells a little about the errors:
    no bound is proved, and 1000 random risks around alpha, and ones climbed to from there to
    exploit it, failed with probability .104 at most at delta = .1 (1500 draws each, se .008).
    Steps passed over because they hold too few labels (`grid`) keep delta by the same argument.

    O(n log n) time, O(n) memory.

    Examples
    --------
    >>> import numpy as np
    >>> result = certify_threshold(np.linspace(0.5, 1, 22), np.ones(22))
    >>> result.threshold, result.n, round(result.bound, 4), result.coverage
    (0.0, 22, 0.0994, 1.0)
    >>> certify_threshold(np.linspace(0.5, 1, 21), np.ones(21)).reason
    '21 labels cannot certify alpha = 0.1 at delta = 0.1: 22 without a single error are needed'
    """
    goal = Goal(alpha, delta, method)
    c, wrong = _checked(confidence, agrees, goal, unit=unit)
    kept = one_of_each(clusters, len(c), generator(rng))
    sure, missed = (c, wrong) if kept is None else (c[kept], wrong[kept])
    notes = (_SAMPLE,) if kept is None else (_SAMPLE, _CLUSTERS)
    if pool is not None:
        pool = vector("pool", pool)
        check_scale("pool", pool, unit=unit)
    steps = choose_steps(sure, grid, pool, goal)
    n, k = _tally(sure, missed, steps.thresholds)
    whole = level = delta / steps.tests if method == "bonferroni" else delta
    if method == "fixed_sequence":
        tested, levels, chosen = _walk(n, k, steps, goal)
        level = float(levels[tested == chosen][0]) if chosen >= 0 else delta
    else:
        tested = np.flatnonzero(n >= steps.least)
        levels = np.full(len(tested), level)
        passed = (
            certifies(k[tested], n[tested], alpha=alpha, delta=level)
            if method == "bonferroni"
            else k[tested] <= alpha * n[tested]
        )
        chosen = int(tested[passed][-1]) if passed.any() else -1
    feasible = chosen >= 0
    threshold = float(steps.thresholds[chosen]) if feasible else np.inf
    accepted, errors = (int(n[chosen]), int(k[chosen])) if feasible else (0, 0)
    return CertifiedThreshold(
        threshold=threshold,
        n=accepted,
        errors=errors,
        bound=float(risk_upper(errors, accepted, level)),
        level=level,
        coverage=float(np.mean(c >= threshold)) if feasible else 0.0,
        feasible=feasible,
        labels_needed=zero_error_labels(alpha, whole),
        n_labels=len(sure),
        n_tested=len(tested),
        alpha=alpha,
        delta=delta,
        method=method,
        assumption="; ".join((*notes, steps.assumption)),
        reason=None
        if feasible
        else _why(steps, (len(sure), n, k), (tested, levels), Goal(alpha, whole, method)),
    )


def least_abstention(risk: float, *, alpha: float) -> float:
    """Give the share of judgments that must at least be abstained on to reach risk alpha.

    A judge that errs on a share `risk` of all judgments errs on at most alpha of the accepted
    ones only if the others, all errors at best, number ``(risk - alpha) / (1 - alpha)``.

    Examples
    --------
    >>> round(least_abstention(0.28, alpha=0.1), 4), least_abstention(0.05, alpha=0.1)
    (0.2, 0.0)
    """
    if not 0.0 <= risk <= 1.0:
        raise ValueError(f"risk = {risk} must lie in [0, 1]")
    if not 0.0 < alpha < 1.0:
        raise ValueError(f"alpha = {alpha} must lie strictly between 0 and 1")
    return max(0.0, (risk - alpha) / (1.0 - alpha))


def _checked(
    confidence: ArrayLike, agrees: ArrayLike, goal: Goal, *, unit: bool
) -> tuple[Floats, Flags]:
    check_levels(goal.alpha, goal.delta)
    if goal.method not in get_args(CertificateMethod):
        methods = ", ".join(get_args(CertificateMethod))
        raise ValueError(f"method = {goal.method!r} must be one of {methods}")
    c = vector("confidence", confidence)
    check_scale("confidence", c, unit=unit)
    agree = as_floats("agrees", agrees)
    if agree.shape != c.shape:
        raise ValueError(
            f"confidence and agrees differ in shape: {c.shape} and {agree.shape}; both hold one "
            "entry a labelled judgment"
        )
    if not np.isin(agree, (0.0, 1.0)).all():
        raise ValueError("agrees must be 0 or 1 (or bool) for every labelled judgment")
    return c, agree == 0.0


def _tally(c: Floats, wrong: Flags, thresholds: Floats) -> tuple[Counts, Counts]:
    """Count labels and errors at or above each threshold."""
    everyone, erring = np.sort(c), np.sort(c[wrong])
    rising = thresholds[::-1]  # sorted needles stay in cache
    n = len(everyone) - np.searchsorted(everyone, rising, side="left")
    k = len(erring) - np.searchsorted(erring, rising, side="left")
    return n[::-1].astype(np.int64), k[::-1].astype(np.int64)


def _walk(n: Counts, k: Counts, steps: Steps, goal: Goal) -> tuple[Counts, Floats, int]:
    """Test from the top, each step at what has entered since one failed.

    Returns
    -------
    tuple
        What was tested, at which levels, and the last that passed, -1 where none did.
    """
    held = np.flatnonzero(n >= steps.least)
    enters = np.searchsorted(held, [index for index, _ in steps.entries])
    ends = np.append(enters[1:], len(held))
    tested, levels, level, chosen = [], [], 0.0, -1
    for start, end, (_, part) in zip(enters, ends, steps.entries, strict=True):
        level = min(level + part * goal.delta, goal.delta)
        at = held[start:end]
        passed = _passes(n[at], k[at], alpha=goal.alpha, delta=level)
        tested.append(at[: passed + 1])
        levels.append(np.full(len(tested[-1]), level))
        if passed:
            chosen = int(at[passed - 1])
        if passed < len(at):
            level = 0.0
    return np.concatenate(tested), np.concatenate(levels), chosen


def _passes(n: Counts, k: Counts, *, alpha: float, delta: float) -> int:
    """Count the tests that pass before the first that fails."""
    if not n.size:
        return 0
    # With as many errors, more labels only help: the first step at each count of errors decides.
    fresh = np.flatnonzero(np.r_[True, k[1:] != k[:-1]])
    failed = np.flatnonzero(~certifies(k[fresh], n[fresh], alpha=alpha, delta=delta))
    return int(fresh[failed[0]]) if failed.size else len(n)


def _why(
    steps: Steps, counts: tuple[int, Counts, Counts], tests: tuple[Counts, Floats], goal: Goal
) -> str:
    """Say why nothing passed: too few labels in all, in the steps, or too many errors."""
    (total, n, k), (tested, levels) = counts, tests
    need = zero_error_labels(goal.alpha, goal.delta)
    wanted = f"alpha = {goal.alpha:g} at delta = {goal.delta:g}"
    if total < need:
        return f"{total} labels cannot certify {wanted}: {need} without a single error are needed"
    if not tested.size or n[tested[0]] < need:
        return (
            f"no step holds the {need} labels that {wanted} needs: the first, confidence >= "
            f"{steps.thresholds[0]:.6g}, holds {int(n[0])}, the last {int(n[-1])}"
        )
    bounds = np.empty(len(tested))
    for level in np.unique(levels):
        at = levels == level
        bounds[at] = risk_upper(k[tested[at]], n[tested[at]], float(level))
    best = tested[np.argmin(bounds)]
    return (
        f"confidence >= {steps.thresholds[best]:.6g} has {int(k[best])} errors in {int(n[best])} "
        f"labels: the risk may be {bounds.min():.3f}, above alpha = {goal.alpha:g}"
    )
