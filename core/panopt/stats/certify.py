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
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panopt.stats.binomial import certifies, labels_needed, risk_upper, zero_error_labels

__all__ = ["CertificateMethod", "CertifiedThreshold", "certify_threshold", "least_abstention"]

CertificateMethod = Literal["fixed_sequence", "bonferroni", "point_estimate"]

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

#: Steps of a union bound, and of a grid of quantiles.
STEPS = 10

#: Most steps at preset counts; more gain nothing that simulation can see.
MOST_COUNTS = 40

#: The first step allows this many errors where the labels suffice, and holds this share of them:
#: a first step that allows none fails by accident, and a failed first step certifies nothing.
START_ERRORS = 3
START_SHARE = 0.2
START_LIMIT = 0.4

#: Confidences with at most this many values, and this many labels a value, are a discrete scale.
MOST_VALUES = 50
LABELS_A_VALUE = 4

#: A grid from a pool starts where its first step holds enough labels but for this many standard
#: deviations.
MARGIN = 3.0

_SAMPLE = (
    "the labelled judgments are a random sample of the judgments the threshold will be used on"
)
_CLUSTERS = (
    "clusters are independent; one judgment of each, drawn without its label, is counted, so the "
    "risk is that of a random judgment of a random cluster"
)
_MONOTONE = "exact where risk does not fall as confidence falls"


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
    bound
        Exact upper bound on the risk at the threshold at the level of its test; 1 where nothing
        is accepted.
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


@dataclass(frozen=True, slots=True)
class _Steps:
    """Thresholds from high to low; those with fewer labels than `least` are passed over."""

    thresholds: Floats
    least: int
    assumption: str


def certify_threshold(
    confidence: ArrayLike,
    agrees: ArrayLike,
    *,
    alpha: float = 0.1,
    delta: float = 0.1,
    grid: ArrayLike | None = None,
    pool: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    method: CertificateMethod = "fixed_sequence",
    rng: np.random.Generator | None = None,
) -> CertifiedThreshold:
    """Find the lowest confidence at which at most a share alpha of judgments is wrong.

    Parameters
    ----------
    confidence
        Confidence in each labelled judgment, shape (labels,); any scale, higher is surer.
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
    Without that monotonicity which step is the first below v tells a little about the errors; in
    simulation with risks built to exploit this, delta = .1 became at most .11. Steps passed over
    because they hold too few labels (`grid`) keep delta by the same argument.

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
    c, wrong = _checked(confidence, agrees, alpha, delta, method)
    sure, missed, notes = _observations(c, wrong, clusters, rng)
    steps = _steps(sure, grid, pool, alpha, delta, method)
    level = delta / len(steps.thresholds) if method == "bonferroni" else delta
    n, k = _tally(sure, missed, steps.thresholds)
    if method == "point_estimate":
        tested = np.flatnonzero(n > 0)
        passed = tested[k[tested] <= alpha * n[tested]]
        chosen = int(passed[-1]) if passed.size else -1
    elif method == "bonferroni":
        tested = np.flatnonzero(n >= steps.least)
        passed = tested[certifies(k[tested], n[tested], alpha=alpha, delta=level)]
        chosen = int(passed[-1]) if passed.size else -1
    else:
        tested, chosen = _walk(n, k, steps.least, alpha, delta)
    need = zero_error_labels(alpha, level)
    feasible = chosen >= 0
    threshold = float(steps.thresholds[chosen]) if feasible else np.inf
    accepted, errors = (int(n[chosen]), int(k[chosen])) if feasible else (0, 0)
    return CertifiedThreshold(
        threshold=threshold,
        n=accepted,
        errors=errors,
        bound=float(risk_upper(errors, accepted, level)),
        coverage=float(np.mean(c >= threshold)) if feasible else 0.0,
        feasible=feasible,
        labels_needed=need,
        n_labels=len(sure),
        n_tested=len(tested),
        alpha=alpha,
        delta=delta,
        method=method,
        assumption="; ".join((*notes, steps.assumption)),
        reason=None if feasible else _why(steps, n, k, tested, need, alpha, level, len(sure)),
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
    confidence: ArrayLike, agrees: ArrayLike, alpha: float, delta: float, method: str
) -> tuple[Floats, Flags]:
    for name, value in (("alpha", alpha), ("delta", delta)):
        if not 0.0 < value < 1.0:
            raise ValueError(f"{name} = {value} must lie strictly between 0 and 1")
    if method not in get_args(CertificateMethod):
        methods = ", ".join(get_args(CertificateMethod))
        raise ValueError(f"method = {method!r} must be one of {methods}")
    c = _vector("confidence", confidence)
    agree = np.asarray(agrees, dtype=np.float64)
    if agree.shape != c.shape:
        raise ValueError(
            f"confidence and agrees differ in shape: {c.shape} and {agree.shape}; both hold one "
            "entry a labelled judgment"
        )
    if not np.isin(agree, (0.0, 1.0)).all():
        raise ValueError("agrees must be 0 or 1 (or bool) for every labelled judgment")
    return c, agree == 0.0


def _vector(name: str, values: ArrayLike) -> Floats:
    x = np.asarray(values, dtype=np.float64)
    if x.ndim != 1:
        raise ValueError(f"{name} must have one dimension, not {x.ndim}")
    if np.isnan(x).any():
        raise ValueError(f"{name} must not be NaN; leave judgments without it out")
    return x


def _observations(
    c: Floats, wrong: Flags, clusters: ArrayLike | None, rng: np.random.Generator | None
) -> tuple[Floats, Flags, tuple[str, ...]]:
    """Keep one judgment a cluster: a uniform draw, which neither labels nor order can steer."""
    if clusters is None:
        return c, wrong, (_SAMPLE,)
    keys = np.asarray(clusters)
    if keys.shape != c.shape:
        raise ValueError(f"clusters must have the shape of confidence, {c.shape}, not {keys.shape}")
    codes = np.unique(keys, return_inverse=True)[1]
    shuffled = (rng or np.random.default_rng(0)).permutation(len(codes))
    one = shuffled[np.unique(codes[shuffled], return_index=True)[1]]
    return c[one], wrong[one], (_SAMPLE, _CLUSTERS)


def _steps(
    c: Floats,
    grid: ArrayLike | None,
    pool: ArrayLike | None,
    alpha: float,
    delta: float,
    method: CertificateMethod,
) -> _Steps:
    """Choose the thresholds to test, from high to low, and say what the choice assumes."""
    everything = 0.0 if _on_unit(c) and (pool is None or _on_unit(np.asarray(pool))) else -np.inf
    if method == "point_estimate":
        steps = np.unique(c if grid is None else _vector("grid", grid))[::-1]
        return _Steps(steps, 1, "a point estimate: NO guarantee that the risk is at most alpha")
    if grid is not None:
        steps = np.unique(_vector("grid", grid))[::-1]
        if not steps.size:
            raise ValueError("grid must hold at least one threshold")
        if method == "bonferroni":
            need = zero_error_labels(alpha, delta / len(steps))
            return _Steps(steps, need, "a grid fixed beforehand: exact (union bound)")
        need = zero_error_labels(alpha, delta)
        return _Steps(
            steps,
            need,
            f"a grid fixed beforehand: {_MONOTONE} (steps with too few labels are passed over)",
        )
    if pool is not None:
        return _pool_steps(c, _vector("pool", pool), everything, alpha, delta, method)
    if method == "bonferroni":
        counts = np.ceil(len(c) * np.arange(1, STEPS + 1) / STEPS).astype(np.int64)
        steps = _above(np.sort(c), counts, everything)
        need = zero_error_labels(alpha, delta / len(steps))
        return _Steps(steps, need, "steps at preset counts: exact (union bound)")
    return _own_steps(np.sort(c), everything, alpha, delta)


def _on_unit(x: Floats) -> bool:
    return x.size == 0 or bool(x.min() >= 0.0 and x.max() <= 1.0)


def _start(n: int, alpha: float, delta: float) -> int:
    """Give the number of labels the first step should hold; depends on counts alone."""
    none, some = labels_needed([0, START_ERRORS], alpha=alpha, delta=delta)
    return max(int(none), min(int(some), int(START_LIMIT * n)), int(START_SHARE * n))


def _pool_steps(
    c: Floats,
    pool: Floats,
    everything: float,
    alpha: float,
    delta: float,
    method: CertificateMethod,
) -> _Steps:
    """Take quantiles of confidences that carry no label: exact whatever the shape of the risk."""
    if not pool.size:
        raise ValueError("pool must hold at least one confidence; leave it out instead")
    n, size = len(c), len(pool)
    level = delta / STEPS if method == "bonferroni" else delta
    need = zero_error_labels(alpha, level)
    share = np.arange(1, size + 1) / (size + 1.0)
    spread = np.sqrt(n * share * (1.0 - share) * (1.0 + n / (size + 2.0)))
    enough = (n * share - MARGIN * spread >= need) & (n * share >= _start(n, alpha, level))
    ranks = np.flatnonzero(enough)
    steps = np.array([everything])
    if ranks.size:
        picked = ranks[np.round(np.linspace(0, len(ranks) - 1, STEPS)).astype(np.int64)]
        steps = np.r_[np.unique(np.sort(pool)[::-1][picked])[::-1][: STEPS - 1], everything]
    return _Steps(
        steps,
        need if method == "bonferroni" else 0,
        "steps at quantiles of unlabelled confidences: exact for a risk of any shape",
    )


def _own_steps(ascending: Floats, everything: float, alpha: float, delta: float) -> _Steps:
    """Take steps from the labelled confidences: every value of few, preset counts of many."""
    n = len(ascending)
    start = _start(n, alpha, delta)
    if n < zero_error_labels(alpha, delta):
        return _Steps(np.array([everything]), n + 1, "none needed: too few labels for any test")
    values = np.unique(ascending)
    if len(values) <= min(MOST_VALUES, n / LABELS_A_VALUE):
        steps = np.r_[values[:0:-1], everything]
        return _Steps(steps, start, f"steps at every value of a discrete confidence: {_MONOTONE}")
    most = int(np.floor(alpha * n)) + 1
    needs = labels_needed(np.arange(most + 1), alpha=alpha, delta=delta)
    reached = np.flatnonzero(needs <= n)
    first = max(int(np.searchsorted(needs, start, side="right")) - 1, 0)
    allowed = reached[first:]
    if len(allowed) > MOST_COUNTS:
        allowed = allowed[np.round(np.linspace(0, len(allowed) - 1, MOST_COUNTS)).astype(np.int64)]
    # Past the last count that allows one more error nothing is lost by testing in between.
    tail = np.round(np.linspace(needs[allowed[-1]], n, STEPS)).astype(np.int64)
    counts = np.unique(np.r_[needs[allowed], tail])
    return _Steps(
        _above(ascending, counts, everything),
        int(counts[0]),
        f"steps at preset counts of the labelled confidences: {_MONOTONE}, else up to a small "
        "selection effect (pass pool= for exactness without that)",
    )


def _above(ascending: Floats, counts: NDArray[np.int64], everything: float) -> Floats:
    """Give thresholds that accept what lies strictly above the (m + 1)-th largest value."""
    n = len(ascending)
    inside = counts[counts < n]
    steps = np.nextafter(ascending[n - 1 - inside], np.inf)
    if not counts.size or counts.max() >= n:
        steps = np.r_[steps, everything]
    return np.unique(steps)[::-1]


def _tally(
    c: Floats, wrong: Flags, thresholds: Floats
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Count labels and errors at or above each threshold."""
    everyone, erring = np.sort(c), np.sort(c[wrong])
    rising = thresholds[::-1]  # sorted needles stay in cache
    n = len(everyone) - np.searchsorted(everyone, rising, side="left")
    k = len(erring) - np.searchsorted(erring, rising, side="left")
    return n[::-1].astype(np.int64), k[::-1].astype(np.int64)


def _walk(
    n: NDArray[np.int64], k: NDArray[np.int64], least: int, alpha: float, delta: float
) -> tuple[NDArray[np.int64], int]:
    """Test from the top until one fails; give what was tested and the last that passed."""
    tested = np.flatnonzero(n >= least)
    if not tested.size:
        return tested, -1
    # With as many errors, more labels only help: the first step at each count of errors decides.
    errors = k[tested]
    fresh = np.flatnonzero(np.r_[True, errors[1:] != errors[:-1]])
    at = tested[fresh]
    failed = np.flatnonzero(~certifies(k[at], n[at], alpha=alpha, delta=delta))
    stop = int(fresh[failed[0]]) if failed.size else len(tested)
    return tested[: stop + 1], int(tested[stop - 1]) if stop else -1


def _why(
    steps: _Steps,
    n: NDArray[np.int64],
    k: NDArray[np.int64],
    tested: NDArray[np.int64],
    need: int,
    alpha: float,
    level: float,
    total: int,
) -> str:
    if total < need:
        return (
            f"{total} labels cannot certify alpha = {alpha:g} at delta = {level:g}: {need} without "
            "a single error are needed"
        )
    if not tested.size or n[tested[0]] < need:
        return (
            f"no step holds the {need} labels that alpha = {alpha:g} at delta = {level:g} needs: "
            f"the first, confidence >= {steps.thresholds[0]:.6g}, holds {int(n[0])} of {total}"
        )
    best = tested[np.argmin(risk_upper(k[tested], n[tested], level))]
    bound = float(risk_upper(k[best], n[best], level))
    return (
        f"confidence >= {steps.thresholds[best]:.6g} has {int(k[best])} errors in {int(n[best])} "
        f"labels: the risk may be {bound:.3f}, above alpha = {alpha:g}"
    )
