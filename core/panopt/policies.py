"""Ways of choosing judges, replayed on panels that were recorded whole: cost, error, flips."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
from numpy.typing import NDArray

from panopt.errors import AskError
from panopt.judging.verdict import Numeric, VerdictKind
from panopt.policy_panels import Panel, complete_panels, unlabelled_panels
from panopt.records.ask import Ask
from panopt.records.matrix import Matrix
from panopt.records.settle import settle_scales
from panopt.records.study import Study
from panopt.router import Router
from panopt.router_options import POLICIES, Policy, RouterOptions
from panopt.stats.routing_bootstrap import Estimate, ItemsAndSeeds

__all__ = [
    "REPLAYED",
    "PolicyJudge",
    "PolicyReplay",
    "PolicyRun",
    "calls_of_policy",
    "replay_policies",
]

Floats = NDArray[np.float64]

#: Policies that can be replayed; a cascade's promise is what ``panopt replay`` shows without.
REPLAYED = tuple(name for name in POLICIES if name != "cascade")


@dataclass(frozen=True, slots=True)
class PolicyJudge:
    """A judge of the panel, what a call of it costs, how often humans agree with it."""

    judge: str
    cost: float
    agreement: float


@dataclass(frozen=True, slots=True)
class PolicyRun:
    """What became of one policy.

    Attributes
    ----------
    policy
        Its name, with the judge for ``single``.
    cost, calls
        Of a response.
    share
        Of the cost of asking all judges; None where that is nothing.
    error
        Share of responses on which human and decision differ.
    more_error
        That less the error of all judges, on the same responses: below 0 is better than all.
    flips
        Share of responses decided otherwise than by all judges.
    expected_error
        Mean chance of an error that the router saw; None where it has none.
    undecided
        Share of responses without a decision, which count as errors and as flips.
    stops
        Share of responses by what ended them.
    """

    policy: str
    cost: Estimate
    share: Estimate | None
    error: Estimate
    more_error: Estimate
    flips: Estimate
    calls: Estimate
    expected_error: float | None
    undecided: float
    stops: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class PolicyReplay:
    """Replays of one criterion; see :func:`replay_policies`."""

    criterion: str
    scale: str
    judges: tuple[PolicyJudge, ...]
    n_responses: int
    n_clusters: int
    seeds: int
    warm: int
    level: float
    options: Mapping[str, object]
    runs: tuple[PolicyRun, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Seen:
    """What one policy did; arrays are (seeds, responses), NaN where the response was taught."""

    cost: Floats
    calls: Floats
    decision: NDArray[np.object_]
    expected: Floats
    stops: Counter[str]
    asked: Floats | None = None
    """Calls of each judge about a response after the pilot (judges,)."""


def replay_policies(  # noqa: PLR0913 - one argument an option
    study: Study,
    ask: Ask | None = None,
    *,
    policies: Sequence[str] = REPLAYED,
    costs: Mapping[str, float] | None = None,
    options: RouterOptions | None = None,
    seeds: int = 20,
    warm: int = 0,
    progress: Callable[[str], None] | None = None,
) -> tuple[PolicyReplay, ...]:
    """Replay policies on the responses that every judge and a human judged.

    Parameters
    ----------
    study
        Judgments and human labels.
    ask
        Criteria, threshold, seed, level and bootstrap draws.
    policies
        Names; ``single`` is replayed once a judge. All judges are always replayed: asked about
        everything and weighed by what is learned of them (``all``), and by a plain rule.
    costs
        Cost of a call of each judge; 1 where not given.
    options
        How routers choose; policy, order and seed are set here.
    seeds
        Replays of each policy, each in another order of the responses.
    warm
        Labelled responses (whole clusters of them) that every router is taught first, drawn anew
        for each seed. 0: judges are known from their votes alone.
    progress
        Told what is replayed.

    Returns
    -------
    tuple of PolicyReplay
        One a criterion.

    Raises
    ------
    AskError
        For fewer than 200 complete labelled responses besides the taught ones, and options that
        do not fit.

    Notes
    -----
    A router sees each response once, in random order, and its decision stands: what it learns
    later does not correct it. Responses are worked on one after the other, as the votes of one
    decide whom the next is given to.
    """
    ask = ask or Ask()
    wish = options or RouterOptions()
    names = _checked(policies, seeds, warm)
    if study.table["scale"].null_count:
        study, _ = settle_scales(study, {})
    wanted = tuple(dict.fromkeys(ask.criterion or study.criteria))
    matrices = [study.matrix(name) for name in wanted]
    known = {judge for matrix in matrices for judge in matrix.judges}
    for name, cost in (costs or {}).items():
        if name not in known:
            listed = ", ".join(map(repr, sorted(known)))
            raise AskError(f"--cost names {name!r}, which is no judge here: {listed}")
        if not (np.isfinite(cost) and cost >= 0.0):
            raise AskError(f"cost {cost:g} of {name!r} must be finite and not negative")
    return tuple(
        _replayed(matrix, ask, names, costs or {}, wish, seeds, warm, progress)
        for matrix in matrices
    )


def calls_of_policy(  # noqa: PLR0913 - one argument an option
    matrix: Matrix,
    policy: Policy,
    *,
    costs: Mapping[str, float],
    options: RouterOptions | None = None,
    threshold: float = 0.5,
    seeds: int = 5,
) -> Floats | None:
    """Find how often a policy asks each judge about a response, once it knows them.

    Parameters
    ----------
    matrix
        Recorded panels; human labels are not needed.
    policy, costs, options
        As in :func:`replay_policies`.
    threshold
        A score passes at this value on [0, 1] or above.
    seeds
        Orders of the responses.

    Returns
    -------
    ndarray or None
        Calls a response after the pilot (judges,); None with fewer than 200 complete panels.
    """
    panel = unlabelled_panels(matrix, threshold, costs)
    if panel is None:
        return None
    orders = [_order(panel.clusters, 0, (2, seed)) for seed in range(seeds)]
    wish = replace(options or RouterOptions(), policy=policy, order=(), thresholds={})
    return _routed(panel, wish, orders).asked


def _checked(policies: Sequence[str], seeds: int, warm: int) -> tuple[Policy, ...]:
    for name in policies:
        if name == "cascade":
            raise AskError(
                "policy 'cascade' decides by a certificate: panopt replay without --policies "
                "shows what it would have done"
            )
        if name not in REPLAYED:
            raise AskError(f"policy {name!r} must be one of {', '.join(REPLAYED)}")
    for what, value, least in (("seeds", seeds, 1), ("warm", warm, 0)):
        if value < least:
            raise AskError(f"{what} = {value} must be {least} or more")
    return tuple(cast("Policy", name) for name in dict.fromkeys(policies))


def _replayed(  # noqa: PLR0913, PLR0917 - the parts of one call
    matrix: Matrix,
    ask: Ask,
    names: tuple[Policy, ...],
    costs: Mapping[str, float],
    wish: RouterOptions,
    seeds: int,
    warm: int,
    progress: Callable[[str], None] | None,
) -> PolicyReplay:
    panel, notes = complete_panels(matrix, ask, costs, warm)
    draws = ItemsAndSeeds(
        panel.clusters,
        seeds,
        n_boot=max(ask.n_boot, 2),
        level=ask.level,
        rng=np.random.default_rng((ask.seed, 1)),
    )
    orders = [_order(panel.clusters, warm, (ask.seed, 2, seed)) for seed in range(seeds)]

    def routed(policy: Policy, told: str) -> _Seen:
        if progress is not None:
            progress(f"{matrix.criterion}: {told}")
        return _routed(panel, replace(wish, policy=policy, order=(), thresholds={}), orders)

    everyone = routed("all", "all")
    shown: list[tuple[str, _Seen]] = [
        ("all", everyone),
        (_rule(panel.kind), _plain(panel, everyone)),
    ]
    for name in names:
        if name == "single":
            shown += [
                (f"single {judge}", _single(panel, j, everyone))
                for j, judge in enumerate(panel.judges)
            ]
        elif name != "all":
            shown.append((name, routed(name, name)))
    total = float(panel.costs.sum())
    return PolicyReplay(
        matrix.criterion,
        str(matrix.scale),
        tuple(
            PolicyJudge(
                judge,
                float(panel.costs[j]),
                float(np.mean(_decided(panel, j) == panel.human)),
            )
            for j, judge in enumerate(panel.judges)
        ),
        len(panel.human),
        int(panel.clusters.max()) + 1,
        seeds,
        warm,
        ask.level,
        {
            name: getattr(wish, name)
            for name in (
                "epsilon",
                "at_least",
                "pilot",
                "explore",
                "correlation",
                "error_cost",
                "width",
            )
        },
        tuple(_run(name, seen, everyone, panel, draws, total) for name, seen in shown),
        tuple(notes),
    )


def _decided(panel: Panel, judge: int) -> NDArray[np.object_]:
    column: NDArray[np.object_] = panel.decided[:, judge]
    return column


def _order(
    clusters: NDArray[np.intp], warm: int, seed: tuple[int, ...]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Give the responses taught first, of clusters that are not routed, and the others' order."""
    rng = np.random.default_rng(seed)
    mixed = rng.permutation(len(clusters))
    if not warm:
        return mixed[:0], mixed
    rank = rng.permutation(int(clusters.max()) + 1)[clusters]
    order = np.argsort(rank, kind="stable")
    last = rank[order[warm - 1]]
    taught = np.flatnonzero(rank <= last)
    return taught, mixed[rank[mixed] > last]


def _routed(
    panel: Panel,
    options: RouterOptions,
    orders: Sequence[tuple[NDArray[np.intp], NDArray[np.intp]]],
) -> _Seen:
    shape = len(orders), len(panel.human)
    cost, calls, expected = (np.full(shape, np.nan) for _ in range(3))
    decision = np.full(shape, None, dtype=object)
    stops: Counter[str] = Counter()
    by_judge, after = np.zeros(len(panel.judges)), 0
    place = {judge: j for j, judge in enumerate(panel.judges)}
    costs = dict(zip(panel.judges, panel.costs.tolist(), strict=True))
    for seed, (taught, order) in enumerate(orders):
        router = Router(panel.judges, panel.kind, options=replace(options, seed=seed), costs=costs)
        for i in taught.tolist():
            router.teach(dict(zip(panel.judges, panel.votes[i], strict=True)), panel.truth[i])
        for turn, i in enumerate(order.tolist()):
            name, before, asked = str(i), router.spent, 0
            late = turn >= options.pilot
            after += late
            step = router.next(name)
            while step.judge is not None:
                router.observe(name, step.judge, panel.votes[i][place[step.judge]])
                asked += 1
                by_judge[place[step.judge]] += late
                step = router.next(name)
            belief = router.close(name)
            stops[step.why] += 1
            cost[seed, i], calls[seed, i] = router.spent - before, asked
            decision[seed, i] = belief.decision
            expected[seed, i] = np.nan if belief.error is None else belief.error
    return _Seen(cost, calls, decision, expected, stops, by_judge / after if after else None)


def _single(panel: Panel, judge: int, like: _Seen) -> _Seen:
    once = np.where(np.isnan(like.cost), np.nan, 1.0)
    decision = np.tile(_decided(panel, judge), (len(once), 1))
    return _Seen(
        once * panel.costs[judge], once, decision, np.full(once.shape, np.nan), Counter(single=1)
    )


def _plain(panel: Panel, like: _Seen) -> _Seen:
    decision = np.tile(panel.plain, (len(like.cost), 1))
    return replace(like, decision=decision, expected=np.full(like.cost.shape, np.nan))


def _rule(kind: VerdictKind) -> str:
    return "all, mean" if isinstance(kind, Numeric) else "all, plurality"


def _run(  # noqa: PLR0913, PLR0917 - the parts of one record
    name: str, seen: _Seen, everyone: _Seen, panel: Panel, draws: ItemsAndSeeds, total: float
) -> PolicyRun:
    routed = ~np.isnan(seen.cost)

    def counted(flags: NDArray[np.bool_]) -> Floats:
        return np.where(routed, flags.astype(np.float64), np.nan)

    silent = np.frompyfunc(lambda verdict: verdict is None, 1, 1)(seen.decision).astype(np.bool_)
    wrong = counted(seen.decision != panel.human)
    wrong_all = counted(everyone.decision != panel.human)
    known = ~np.isnan(seen.expected)
    ended = sum(seen.stops.values())
    return PolicyRun(
        name,
        draws.mean(seen.cost),
        draws.mean(seen.cost / total) if total > 0.0 else None,
        draws.mean(wrong),
        draws.mean(wrong - wrong_all),
        draws.mean(counted((seen.decision != everyone.decision) | silent)),
        draws.mean(seen.calls),
        float(seen.expected[known].mean()) if known.any() else None,
        float(silent[routed].mean()),
        {why: n / ended for why, n in sorted(seen.stops.items())},
    )
