"""Trust the first judge that is sure enough, and know how often the whole cascade is wrong.

Judges are asked from cheap to strong; the verdict of the first whose confidence reaches its
threshold is accepted, and where none does the item is left to a human. From labelled items, find
thresholds such that, with probability at least 1 - delta over the draw of the labels, at most a
share alpha of the accepted verdicts disagrees with the human label.

Testing judge after judge (Jung, Brahman & Choi 2025) asks each to keep alpha and shares delta
among them. Here the risk of the whole cascade is tested along one path of threshold vectors, with
undivided delta: a safe judge pays for a slightly risky one (the path is chosen on other labels
than it is tested on, as in Pareto Testing: Laufer-Goldshtein, Fisch, Barzilay & Jaakkola 2023;
here these are a random few, and those of all items that it could not reach anyhow).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panopt.stats.binomial import certifies, risk_upper, zero_error_labels
from panopt.stats.cascade_inputs import answers, nested_path, prices, quantile_path, unlabelled
from panopt.stats.cascade_path import Preference, deciding_judge, tally
from panopt.stats.cascade_plan import plan_test
from panopt.stats.cascade_result import CascadeMethod, CertifiedCascade
from panopt.stats.certify import certify_threshold
from panopt.stats.certify_checks import check_levels, generator, one_of_each, within_unit

__all__ = ["CascadeMethod", "CertifiedCascade", "Preference", "certify_cascade", "quantile_path"]

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

_SAMPLE = "the labelled items are a random sample of the items the cascade will be used on"
_CLUSTERS = (
    "clusters are independent; one item of each, drawn without its label, is counted, so the risk "
    "is that of a random item of a random cluster"
)
_LEARNED = (
    "the path was learned on {learned} labels, a random part and those out of its reach, and "
    "tested on the other {tested}: exact for a risk of any shape"
)
_GIVEN = (
    "a path fixed beforehand: exact where the risk of the cascade does not fall along it (steps "
    "with too few labels are passed over)"
)
_STAGES = (
    "each judge was tested at delta / {judges} on the items that those before it abstained on; "
    "which these are was settled on the same labels, a selection effect too small for simulation "
    "to see (method joint_path is exact without that)"
)
_DISJOINT = "each judge was tested at delta / {judges} on labels of its own: exact"


@dataclass(frozen=True, slots=True)
class _Tested:
    """What a method found."""

    thresholds: Floats
    n: int
    errors: int
    bound: float
    level: float
    learned: int
    tested: int
    note: str
    reason: str | None


@dataclass(frozen=True, slots=True)
class _Case:
    """Labelled items, one of each cluster, and what is asked of them."""

    confidence: Floats
    wrong: Flags
    alpha: float
    delta: float
    floor: float


def certify_cascade(  # noqa: PLR0913 - one argument an option
    confidence: ArrayLike,
    agrees: ArrayLike,
    *,
    alpha: float = 0.1,
    delta: float = 0.1,
    method: CascadeMethod = "joint_path",
    costs: ArrayLike | None = None,
    grid: ArrayLike | None = None,
    pool: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    prefer: Preference = "coverage",
    disjoint: bool = False,
    unit: bool = True,
    rng: np.random.Generator | None = None,
) -> CertifiedCascade:
    """Find thresholds at which at most a share alpha of what a cascade accepts is wrong.

    Parameters
    ----------
    confidence
        Of each judge in its verdict on each labelled item, shape (items, judges), judges from
        cheap to strong, in [0, 1]; higher is surer. NaN: the judge did not answer.
    agrees
        Whether each verdict agrees with the human label, 0/1 or bool, shape (items, judges);
        anything where the judge did not answer.
    alpha
        Risk tolerated among accepted items, in (0, 1).
    delta
        Probability, over the draw of the labels, that the certificate is wrong, in (0, 1).
    method
        ``joint_path``: the risk of the whole cascade, along one path. ``per_stage``: judge after
        judge, each at delta / judges, on what those before it abstained on.
    costs
        Cost of one judgment of each judge, shape (judges,), not falling; 1 each where not given.
    grid
        Path chosen without these labels and confidences, which saves learning one: threshold
        vectors, shape (steps, judges), each at most the one before (:func:`quantile_path` of
        other items' confidences), or thresholds that all judges share, shape (steps,). Per stage:
        thresholds of every stage, shape (steps,).
    pool
        Confidences of items without a label, shape (pool, judges); blocks of the learned path
        are taken from them too.
    clusters
        Integer or string key of the cluster of each item (the same prompt judged twice is one
        observation). One item of each cluster, drawn blindly, is counted.
    prefer
        ``coverage``: the learned path lowers next what errs least. ``cost``: what errs least
        times the cost of asking so far, for a cascade that stops early.
    disjoint
        Per stage: test each judge on labels of its own, an equal part for each.
    unit
        Whether confidence must lie in [0, 1]; False for margins or log-odds.
    rng
        Draws the labels that the path is learned on; a fixed stream where not given.

    Returns
    -------
    CertifiedCascade
        Infeasible, with a reason, where nothing passes.

    Raises
    ------
    ValueError
        For arguments off their range, arrays of different shape, costs that fall, a grid that
        rises.

    Notes
    -----
    Joint path, why it is exact. (1) A path is learned on labels drawn at random; it settles a
    region R that later steps may accept items of, and the labels of all items outside R are then
    looked at too. Given these and how many items R holds, the items in R are independent draws
    from the population within R. (2) Path, start and order of the tests depend on what was looked
    at alone, and every step accepts items of R alone, so its errors are Bin(n, risk) given the n
    it accepts, and its exact test is valid; no step is passed over. (3) Each step is tested at
    the parts of delta that entered since a step failed (all of delta at the first step, or a
    part later: the fallback procedure, Wiens 2003). To err, the first step whose risk exceeds
    alpha must pass at most at the parts that entered by then, or fail and the next such step pass
    at those that entered since: these parts are disjoint, so the probability is at most delta,
    whatever the risks look like. Of a `grid`, steps that hold too few labels to pass are passed
    over, which depends on confidences alone.

    Per stage: each judge's threshold is certified at delta / judges among the items that reach
    it (:func:`panopt.stats.certify.certify_threshold`); by the union bound all hold with
    probability 1 - delta, and the risk of the cascade is a mean of theirs. With labels of their
    own (`disjoint`) the stages' tests are exact; on shared labels the items that reach a judge
    depend on labels through the thresholds before it.

    One judge has no path to learn: its threshold is tested on all labels.

    O(judges n log n) time, O(judges n) memory.

    Examples
    --------
    >>> import numpy as np
    >>> sure = np.tile(np.linspace(0.5, 1, 500)[:, None], 2)
    >>> found = certify_cascade(sure, np.ones((500, 2)), alpha=0.05, costs=[1, 10])
    >>> found.coverage, found.errors, found.expected_cost
    (1.0, 0, 1.0)
    >>> found.decide([0.2, 0.9])
    0
    """
    check_levels(alpha, delta)
    if method not in get_args(CascadeMethod):
        raise ValueError(f"method = {method!r} must be one of {', '.join(get_args(CascadeMethod))}")
    if prefer not in get_args(Preference):
        raise ValueError(f"prefer = {prefer!r} must be one of {', '.join(get_args(Preference))}")
    c, wrong = answers(confidence, agrees, unit=unit)
    price = prices(costs, c.shape[1])
    others = None if pool is None else unlabelled(pool, c.shape[1], unit=unit)
    draws = generator(rng)
    kept = one_of_each(clusters, len(c), draws)
    known = [x[~np.isnan(x)] for x in (c, others) if x is not None]
    floor = 0.0 if unit or all(within_unit(x) for x in known) else -np.inf
    case = _Case(*((c, wrong) if kept is None else (c[kept], wrong[kept])), alpha, delta, floor)
    if method == "per_stage":
        found = _stages(case, grid, others, draws, disjoint=disjoint)
    elif grid is not None:
        found = _given(case, nested_path(grid, c.shape[1]))
    elif c.shape[1] == 1:
        found = _single(case, others)
    else:
        asked = np.cumsum(price) if prefer == "cost" else None
        found = _learned(case, others, asked, draws)
    stage = deciding_judge(c, found.thresholds)
    accepted = np.bincount(stage[stage >= 0], minlength=c.shape[1]).astype(np.float64)
    level = delta / c.shape[1] if method == "per_stage" else delta
    return CertifiedCascade(
        thresholds=found.thresholds,
        n=found.n,
        errors=found.errors,
        bound=found.bound,
        level=found.level,
        coverage=float(accepted.sum() / len(c)) if len(c) else 0.0,
        composition=accepted / max(accepted.sum(), 1.0),
        expected_cost=_cost(stage, found.thresholds, price),
        feasible=found.n > 0,
        labels_needed=zero_error_labels(alpha, level),
        n_labels=len(case.confidence),
        n_learned=found.learned,
        n_tested=found.tested,
        alpha=alpha,
        delta=delta,
        method=method,
        assumption="; ".join((_SAMPLE, *([] if kept is None else [_CLUSTERS]), found.note)),
        reason=found.reason,
    )


def _learned(
    case: _Case, pool: Floats | None, asked: Floats | None, rng: np.random.Generator
) -> _Tested:
    plan = plan_test(
        case.confidence,
        case.wrong,
        alpha=case.alpha,
        delta=case.delta,
        floor=case.floor,
        asked=asked,
        pool=pool,
        rng=rng,
    )
    items = len(case.confidence)
    if plan is None:
        note = _LEARNED.format(learned=0, tested=items)
        if items < zero_error_labels(case.alpha, case.delta):
            return _nothing(case, 0, note, _few(case, items))
        return _nothing(case, 0, note, "no judge answered any of the labels that a path is for")
    note = _LEARNED.format(learned=plan.learned, tested=len(plan.testing))
    c, wrong = case.confidence[plan.testing], case.wrong[plan.testing]
    return _walk((c, wrong), plan.path, plan.entries, case, (plan.learned, note))


def _given(case: _Case, path: Floats) -> _Tested:
    """Test a path that was fixed beforehand, but for steps that cannot pass whatever is true."""
    n = tally(case.confidence, path)[0]
    held = n >= min(zero_error_labels(case.alpha, case.delta), n.max())
    labels = (case.confidence, case.wrong)
    return _walk(labels, path[held], ((0, 1.0),), case, (0, _GIVEN))


def _walk(
    labels: tuple[Floats, Flags],
    path: Floats,
    entries: tuple[tuple[int, float], ...],
    case: _Case,
    origin: tuple[int, str],
) -> _Tested:
    """Test the steps in their order, each at the parts of delta that entered since one failed."""
    learned, note = origin
    n, k = (counts.astype(np.int64) for counts in tally(labels[0], path, labels[1]))
    ends = [*(index for index, _ in entries[1:]), len(path)]
    level, tested, chosen, at = 0.0, 0, -1, case.delta
    for (start, part), end in zip(entries, ends, strict=True):
        level = min(level + part * case.delta, case.delta)
        passed = certifies(k[start:end], n[start:end], alpha=case.alpha, delta=level)
        failed = np.flatnonzero(~passed)
        passes = int(failed[0]) if failed.size else end - start
        tested += min(passes + 1, end - start)
        if passes:
            chosen, at = start + passes - 1, level
        if failed.size:
            level = 0.0
    if chosen < 0:
        why = _why(case, len(labels[0]), int(n[0]), int(k[0]), entries[0][1] * case.delta)
        return _nothing(case, learned, note, why)
    return _Tested(
        path[chosen],
        int(n[chosen]),
        int(k[chosen]),
        float(risk_upper(k[chosen], n[chosen], at)),
        at,
        learned,
        tested,
        note,
        None,
    )


def _single(case: _Case, pool: Floats | None) -> _Tested:
    answered = ~np.isnan(case.confidence[:, 0])
    others = None if pool is None else pool[~np.isnan(pool)]
    found = certify_threshold(
        case.confidence[answered, 0],
        ~case.wrong[answered, 0],
        alpha=case.alpha,
        delta=case.delta,
        pool=others if others is not None and others.size else None,
        unit=False,
    )
    return _Tested(
        np.array([found.threshold]),
        found.n,
        found.errors,
        found.bound,
        found.level,
        0,
        found.n_tested,
        found.assumption.split("; ", 1)[1],
        found.reason,
    )


def _stages(
    case: _Case,
    grid: ArrayLike | None,
    pool: Floats | None,
    rng: np.random.Generator,
    *,
    disjoint: bool,
) -> _Tested:
    """Certify judge after judge, on the items that reach it."""
    items, judges = case.confidence.shape
    part = rng.permutation(items) % judges if disjoint else None
    thresholds = np.full(judges, np.inf)
    n = errors = tested = 0
    bound, reasons = 0.0, []
    for m in range(judges):
        reaches = (deciding_judge(case.confidence, thresholds) < 0) & ~np.isnan(
            case.confidence[:, m]
        )
        if part is not None:
            reaches &= part == m
        others = None
        if pool is not None:
            others = pool[deciding_judge(pool, thresholds) < 0, m]
            others = others[~np.isnan(others)]
        found = certify_threshold(
            case.confidence[reaches, m],
            ~case.wrong[reaches, m],
            alpha=case.alpha,
            delta=case.delta / judges,
            grid=grid,
            pool=others if others is not None and others.size else None,
            unit=False,
        )
        tested += found.n_tested
        if found.feasible:
            thresholds[m] = found.threshold
            n, errors = n + found.n, errors + found.errors
            bound = max(bound, found.bound)
        else:
            reasons.append(f"judge {m}: {found.reason}")
    note = (_DISJOINT if disjoint else _STAGES).format(judges=judges)
    level = case.delta / judges
    if not n:
        return _Tested(thresholds, 0, 0, 1.0, level, 0, tested, note, "; ".join(reasons))
    return _Tested(thresholds, n, errors, bound, level, 0, tested, note, None)


def _nothing(case: _Case, learned: int, note: str, reason: str) -> _Tested:
    never = np.full(case.confidence.shape[1], np.inf)
    return _Tested(never, 0, 0, 1.0, case.delta, learned, 0, note, reason)


def _few(case: _Case, labels: int) -> str:
    need = zero_error_labels(case.alpha, case.delta)
    return (
        f"{labels} labels cannot certify alpha = {case.alpha:g} at delta = {case.delta:g}: {need} "
        "without a single error are needed"
    )


def _why(case: _Case, tested: int, accepted: int, errors: int, level: float) -> str:
    labels, need = len(case.confidence), zero_error_labels(case.alpha, level)
    if labels < zero_error_labels(case.alpha, case.delta):
        return _few(case, labels)
    if tested < need:
        return (
            f"{labels} labels, {labels - tested} of them to learn the path from or out of its "
            f"reach, leave {tested} to test: {need} without a single error are needed"
        )
    bound = float(risk_upper(errors, accepted, level))
    return (
        f"the most cautious step has {errors} errors in {accepted} accepted labels: the risk may "
        f"be {bound:.3f}, above alpha = {case.alpha:g}"
    )


def _cost(stage: NDArray[np.intp], thresholds: Floats, price: Floats) -> float:
    """Add up what is asked until a judge decides; judges that never decide are not asked."""
    if not len(stage):
        return 0.0
    asked = np.cumsum(np.where(thresholds < np.inf, price, 0.0))
    return float(asked[stage].mean())  # -1, nobody decides, is the last: all were asked
