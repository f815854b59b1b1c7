"""Hold a candidate to its baseline: fail only where a larger drop than allowed is shown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

import numpy as np

from panopt.errors import AskError
from panopt.gate_anytime import anytime_check, by_plain_rule
from panopt.host import Host
from panopt.lineup import Lineup, line_ups, listed
from panopt.records.ask import Ask
from panopt.records.comparison import Missing
from panopt.records.gate import Gate, GateCheck, Status
from panopt.records.pairing import Contender
from panopt.records.study import Study
from panopt.stats.detectable import detectable_effect, items_needed
from panopt.stats.drop_test import drop_bounds

__all__ = ["run_gate"]

#: Share of the time in which a drop is to be shown, for what is said of planning.
POWER = 0.8

Pair = tuple[int, int]


def run_gate(  # noqa: PLR0913 - options
    baseline: Study,
    candidate: Study,
    *,
    max_drop: float,
    ask: Ask | None = None,
    alpha: float = 0.05,
    require_no_worse: bool = False,
    systems: Sequence[str] = (),
    cluster: str = "auto",
    passed: bool = False,
    max_missing: float = 0.05,
    names: tuple[str, str] = ("baseline", "candidate"),
    anytime: bool = False,
    force: bool = False,
    host: Host | None = None,
) -> Gate:
    """Test whether a candidate dropped by more than is tolerated.

    Systems that go by one name on both sides are compared with themselves, and the one that is
    left on either side with the other.

    Parameters
    ----------
    baseline, candidate
        Both sides, as :func:`panopt.reading.read_sides` gives them.
    max_drop
        Drop of the mean score on [0, 1] (or of the pass rate) that is tolerated, in [0, 1).
    ask
        Options: `criterion` (all common ones where empty), `aggregate`, `threshold`,
        `min_successful`, `seed`.
    alpha
        Probability of failing a candidate that dropped by no more, all checks together; in
        (0, .5). It is kept exactly where systems are alike on every item, and else as far as the
        items show how differences vary: gains so large and rare that hardly an item shows one are
        missed (:mod:`panopt.stats.drop_test`); `anytime` holds whatever they are.
    require_no_worse
        Pass only where a larger drop is ruled out, with the same probability of an error in each
        check.
    systems
        Which to compare: ``NAME``, or ``BASELINE=CANDIDATE``; all of them where empty.
    cluster, passed
        As in :func:`panopt.comparison.compare`.
    max_missing
        Share of the baseline's items that the candidate may lack.
    names
        Short names of the sides.
    anytime
        Ask again and again while the candidate's run grows: at most `alpha` of runs fail that
        should not, at whichever of their looks. Bounds are wider; items that are not complete
        yet are left out, and `max_missing` counts those alone that failed, which may be anything.
        See :mod:`panopt.gate_anytime`.
    force
        Go on with other tasks, criteria or judges, verdicts from a cache, or missing items.
    host
        Plugins; the installed ones where not given.

    Raises
    ------
    AskError
        For options off their range, and where a pass would mean nothing: no test, verdicts that
        are copies out of a cache, other judges, too many missing items, no common items.
    """
    _check(max_drop, alpha, max_missing)
    ask = ask or Ask()
    line_up = partial(
        line_ups,
        (baseline, candidate),
        names=names,
        cluster=cluster,
        passed=passed,
        force=force,
        host=host or Host(),
    )
    sides = line_up(ask)
    notes: dict[str, None] = {}
    if anytime and ask.aggregate == "auto" and not all(map(by_plain_rule, sides)):
        sides = line_up(ask.model_copy(update={"aggregate": "mean"}))
        notes[_PLAIN] = None
    if not (ask.criterion or force):
        _refuse_lost_criteria(baseline, candidate, names)
    if sides[0].left_out and not force:
        raise AskError(
            f"{sides[0].left_out[0]}; choose what to hold it to with --metric, or go on with "
            "--force"
        )
    pairs = [(side, pair) for side in sides for pair in _pairs(side, systems, names, force=force)]
    notes |= dict.fromkeys(f"left out: {text}" for text in sides[0].left_out)
    warnings: dict[str, None] = {}
    for side in sides:
        refused = [*_cached(side), *side.mixed]
        if refused and not force:
            raise AskError(f"criterion {side.criterion!r}: {refused[0]}; --force goes on")
        warnings |= dict.fromkeys((*refused, *side.warnings))
        notes |= dict.fromkeys(side.notes)
    alpha_low = alpha / len(pairs)
    checks = tuple(
        anytime_check(
            side,
            pair,
            max_drop=max_drop,
            alpha=alpha,
            alpha_low=alpha_low,
            sources=(baseline, candidate)[side.contenders[pair[1]].place].sources,
            max_missing=None if force else max_missing,
        )
        if anytime
        else _checked(
            side,
            pair,
            max_drop=max_drop,
            alpha=alpha,
            alpha_low=alpha_low,
            max_missing=None if force else max_missing,
            seed=ask.seed,
        )
        for side, pair in pairs
    )
    told = tuple(notes), tuple(warnings)
    return Gate(max_drop, alpha, require_no_worse, checks, *told, anytime=anytime)


#: Why scores of a gate at every look are not those of the usual aggregate.
_PLAIN = (
    "scores are the mean of the judges': a fitted panel's would change with every response added"
)

#: What a drop that is shown rests on.
_SHOWN = (
    "shown for items like these: it would miss large gains on items so rare that hardly one is "
    "among them (--anytime allows for these)"
)


def _check(max_drop: float, alpha: float, max_missing: float) -> None:
    if not 0.0 <= max_drop < 1.0:
        raise AskError(f"max_drop = {max_drop} must lie in [0, 1): scores are on [0, 1]")
    if not 0.0 < alpha < 0.5:
        raise AskError(f"alpha = {alpha} must lie strictly between 0 and .5")
    if not 0.0 <= max_missing <= 1.0:
        raise AskError(f"max_missing = {max_missing} must lie in [0, 1]")


def _refuse_lost_criteria(baseline: Study, candidate: Study, names: tuple[str, str]) -> None:
    lost = [one for one in baseline.criteria if one not in candidate.criteria]
    if lost:
        raise AskError(
            f"{names[0]} was judged by {lost[0]!r}, {names[1]} was not; choose what to hold it to "
            "with --metric, or go on with --force"
        )


def _cached(side: Lineup) -> list[str]:
    told = []
    for one, (copies, verdicts) in zip(side.contenders, side.cached, strict=True):
        if copies:
            told.append(
                f"{copies:,} of {verdicts:,} verdicts on {one.name} are copies out of a cache, so "
                "nothing was judged anew; run without the cache"
            )
    return told


def _pairs(
    side: Lineup, systems: Sequence[str], names: tuple[str, str], *, force: bool
) -> list[Pair]:
    """Say which contender of the baseline is held against which of the candidate."""
    old, new = (
        {one.system: k for k, one in enumerate(side.contenders) if one.place == place}
        for place in (0, 1)
    )
    for own, name in ((old, names[0]), (new, names[1])):
        if not own:
            raise AskError(f"criterion {side.criterion!r}: {name} holds no system")
    if systems:
        return [_named(text, old, new, names) for text in systems]
    pairs = [(old[name], new[name]) for name in old if name in new]
    gone = [name for name in old if name not in new]
    fresh = [name for name in new if name not in old]
    if len(gone) == 1 and len(fresh) == 1:
        return [*pairs, (old[gone[0]], new[fresh[0]])]
    if (gone or (fresh and not pairs)) and not (force and pairs):
        raise AskError(
            f"{names[0]} holds {listed(list(old))}, {names[1]} {listed(list(new))}: say "
            "which is held against which with --system BASELINE=CANDIDATE"
        )
    return pairs


def _named(text: str, old: dict[str, int], new: dict[str, int], names: tuple[str, str]) -> Pair:
    left, right = text, text
    if text not in old and "=" in text:
        left, _, right = text.partition("=")
    for name, own, where in ((left, old, names[0]), (right, new, names[1])):
        if name not in own:
            raise AskError(f"system {name!r} is not in {where}, which holds {listed(list(own))}")
    return old[left], new[right]


def _checked(  # noqa: PLR0913 - the parts of one result
    side: Lineup,
    pair: Pair,
    *,
    max_drop: float,
    alpha: float,
    alpha_low: float,
    max_missing: float | None,
    seed: int,
) -> GateCheck:
    old, new = pair
    baseline, candidate = side.contenders[old], side.contenders[new]
    items = side.items
    x, y = items.scores[:, old], items.scores[:, new]
    where = f"criterion {side.criterion!r}: {candidate.name} against {baseline.name}"
    missing = _missing(side, old, new, where, max_missing)
    common = ~(np.isnan(x) | np.isnan(y))
    if not common.any():
        raise AskError(
            f"{where}: no common item has a score on both sides; they have "
            f"{_some(side, old, baseline)} and {_some(side, new, candidate)}"
        )
    keys = None if items.clusters is None else items.clusters[common]
    found = drop_bounds(
        x[common],
        y[common],
        clusters=keys,
        alpha_low=alpha_low,
        alpha_high=alpha,
        rng=np.random.default_rng(seed),
    )
    if found.value is None or found.low is None or found.high is None:
        one = "one common item" if found.n == 1 else f"{found.n:,} common items"
        raise AskError(f"{where}: nothing can be shown with {one}: {found.reason}")
    # a drop of exactly the tolerated size is no larger one, whatever rounding makes of it
    status: Status = "inconclusive"
    if found.low > max_drop + 1e-12:
        status = "worse"
    elif found.high <= max_drop:
        status = "no worse"
    detectable, needed = _planning(
        found.value, found.se, found.n_clusters, max_drop, alpha_low, alpha
    )
    return GateCheck(
        side.criterion,
        side.measure,
        baseline.name,
        candidate.name,
        drop=found.value,
        low=found.low,
        high=found.high,
        se=found.se,
        p=found.p,
        status=status,
        n_items=found.n,
        n_clusters=found.n_clusters,
        missing=missing,
        detectable=detectable,
        items_needed=None if needed is None else round(needed * found.n / found.n_clusters),
        notes=found.notes if status != "worse" else (*found.notes, _SHOWN),
    )


def _some(side: Lineup, k: int, one: Contender) -> str:
    names = ", ".join(map(repr, side.items.examples(side.items.present[:, k])))
    return f"{names} ({one.name})"


def _missing(side: Lineup, old: int, new: int, where: str, max_missing: float | None) -> Missing:
    """Count the baseline's items that the candidate lacks; refuse too many."""
    scored = ~np.isnan(side.items.scores)
    gone = scored[:, old] & ~scored[:, new]
    absent = int(np.count_nonzero(gone & ~side.items.present[:, new]))
    n, whole = int(np.count_nonzero(gone)), int(np.count_nonzero(scored[:, old]))
    found = Missing(absent, n - absent, side.items.examples(gone))
    if max_missing is not None and n > max_missing * whole and n < whole:
        raise AskError(
            f"{where}: {n:,} of {whole:,} items of the baseline have no score in the candidate "
            f"({', '.join(map(repr, found.examples))} ...): it may have failed on the hard ones; "
            "--max-missing allows a larger share, --anytime a run that still grows"
        )
    return found


def _planning(  # noqa: PLR0913, PLR0917 - what was found, and what is asked
    drop: float, se: float | None, n: int, max_drop: float, alpha_low: float, alpha_high: float
) -> tuple[float | None, int | None]:
    """Say which true drop would be shown, and how many clusters would settle what was measured."""
    if se is None or se <= 0.0 or n < 2:
        return None, None
    sd = se * n**0.5
    seen = max_drop + detectable_effect(sd, n, alpha=alpha_low, power=POWER, sides=1)
    gap = max_drop - drop
    if abs(gap) < 1e-3:  # as near the border as that it would take forever
        return seen, None
    if gap < 0.0:
        return seen, items_needed(sd, -gap, alpha=alpha_low, power=POWER, sides=1)
    needed = items_needed(sd, gap, alpha=alpha_high, power=POWER, sides=1)
    # total losses on rare items must be ruled out, too: see drop_bounds
    rare = math.ceil(math.log(alpha_high) / math.log1p(-gap / (1.0 - drop)))
    return seen, None if needed is None else max(needed, rare)
