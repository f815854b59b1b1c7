"""Compare systems on the items they share: differences, their uncertainty, ranks and strengths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from panopt.errors import AskError
from panopt.host import Host
from panopt.lineup import Lineup, line_ups, short_names
from panopt.records.ask import Ask
from panopt.records.comparison import Comparison, PairResult, Sources
from panopt.records.pairing import by_item_and_judge
from panopt.records.study import Study
from panopt.standings import agreement_with, missing_of, order_of, standings_of
from panopt.stats.detectable import detectable_effect
from panopt.stats.judge_sample import JudgedDifference, judged_difference
from panopt.stats.multiple import benjamini_hochberg, holm
from panopt.stats.paired import Method, paired_difference
from panopt.stats.paired_wins import win_rate
from panopt.stats.signflip import permutation_test

__all__ = ["compare"]

Floats = NDArray[np.float64]

#: Fewer resamples than this reach no further than an interval's ends.
FEWEST_DRAWS = 1000

HOLDS = {
    "items": (
        "which items were asked, of all like them (clusters of items stay together)",
        "chance that is new with every item: in answers, and in verdicts of single judges",
    ),
    "items+judges": (
        "which items were asked, of all like them (clusters of items stay together)",
        "which judges were asked, of all like them, and their repeats",
    ),
}
HOLDS_NOT = {
    "items": (
        "that other judges might like one of the systems better (--sources items+judges does)",
        "what all judges there are get wrong together",
    ),
    "items+judges": ("what all judges there are get wrong together",),
}


def compare(  # noqa: PLR0913 - options
    *studies: Study,
    ask: Ask | None = None,
    sources: Sources = "items",
    method: Method = "t",
    cluster: str = "auto",
    passed: bool = False,
    names: Sequence[str] | None = None,
    reference: Mapping[str, float] | None = None,
    force: bool = False,
    host: Host | None = None,
) -> tuple[Comparison, ...]:
    """Compare the systems of one or several studies, criterion by criterion.

    Parameters
    ----------
    studies
        One study that holds several systems, or several studies, as
        :func:`panopt.reading.read_sides` gives them. Every system of every study is a contender;
        items are matched by their ids, epochs of an item averaged.
    ask
        Options: `criterion`, `aggregate`, `level`, `threshold`, `min_successful`, `seed`,
        `n_boot` (1000 or more).
    sources
        ``items``: the panel as it is, on other items; ``items+judges``: other judges, too. Then
        the difference is the mean over judges of what each one sees.
    method
        Interval of a difference: ``t``, ``bca`` or ``percentile``.
    cluster
        ``auto``: named clusters of items where logs tell them; ``item``: each item its own;
        ``family``: task families.
    passed
        Compare pass rates at the threshold rather than mean scores.
    names
        Short name of each study; its file where not given.
    reference
        Score of each system by a reference order, larger the better (such as people's rating):
        how far the comparison's order agrees with it.
    force
        Go on though tasks or criteria differ, or all scores tie.
    host
        Plugins; the installed ones where not given.

    Returns
    -------
    tuple
        A comparison a criterion.

    Raises
    ------
    AskError
        For options off their range, and where nothing can be compared: no common item, one item
        alone, ties everywhere, a criterion that a study lacks, other tasks.
    """
    ask = ask or Ask()
    if not studies:
        raise AskError("compare needs a study, or several")
    if sources not in get_args(Sources):
        raise AskError(f"sources = {sources!r} must be one of {', '.join(get_args(Sources))}")
    if method not in get_args(Method):
        raise AskError(f"method = {method!r} must be one of {', '.join(get_args(Method))}")
    if method != "t" and ask.n_boot < FEWEST_DRAWS:
        raise AskError(f"n_boot = {ask.n_boot} must be {FEWEST_DRAWS} or more")
    titles = short_names([_place(study, k) for k, study in enumerate(studies, 1)])
    if names is not None and len(names) != len(studies):
        raise AskError(f"names has {len(names)} entries for {len(studies)} studies")
    found = line_ups(
        studies,
        ask,
        names=titles if names is None else names,
        cluster=cluster,
        passed=passed,
        force=force,
        host=host or Host(),
    )
    left_out = dict.fromkeys(found[0].left_out)
    results: list[Comparison] = []
    for one in found:
        try:
            results.append(
                _compared(
                    one,
                    ask,
                    sources=sources,
                    method=method,
                    reference=reference or {},
                    force=force,
                )
            )
        except AskError as error:
            if ask.criterion or len(found) == 1:
                raise
            left_out[str(error)] = None
    if not results:
        raise AskError(next(iter(left_out)))
    notes = tuple(f"left out: {text}" for text in left_out)
    return tuple(replace(one, notes=(*one.notes, *notes)) for one in results)


def _place(study: Study, number: int) -> str:
    return study.sources[0].location if study.sources else f"study {number}"


def _compared(  # noqa: PLR0913 - options
    lineup: Lineup,
    ask: Ask,
    *,
    sources: Sources,
    method: Method,
    reference: Mapping[str, float],
    force: bool,
) -> Comparison:
    contenders, items = lineup.contenders, lineup.items
    if sources == "items+judges" and lineup.matrix.n_judges < 2:
        raise AskError(
            f"criterion {lineup.criterion!r} has one judge, {lineup.matrix.judges[0]!r}: how "
            "judges differ cannot be told; use --sources items"
        )
    rng = np.random.default_rng(ask.seed)
    of_judge = [by_item_and_judge(lineup.matrix, one) for one in contenders]
    pairs = [
        _pair(lineup, (a, b), of_judge, ask, sources=sources, method=method, rng=rng)
        for a, b in combinations(range(len(contenders)), 2)
    ]
    if not force:
        _refuse_pointless(lineup, pairs)
    p = [np.nan if one.p is None else one.p for one in pairs]
    pairs = [
        replace(one, p_holm=_number(strict), p_bh=_number(lenient))
        for one, strict, lenient in zip(pairs, holm(p), benjamini_hochberg(p), strict=True)
    ]
    order = order_of(lineup, ask, rng)
    agreed, left = agreement_with(reference, lineup, ask, rng)
    notes = [*lineup.notes, *order.notes, *left]
    if items.clusters is not None:
        groups = int(items.clusters.max()) + 1
        notes.append(f"{len(items.names):,} items in {groups:,} clusters, which are the units")
    warnings = [*lineup.mixed, *lineup.warnings]
    copies = sum(cached for cached, _ in lineup.cached)
    if copies:
        warnings.append(f"{copies:,} verdicts are copies out of a cache: no evidence of their own")
    if sources == "items+judges":
        notes.append(
            f"differences are means over judges; means and ranks of systems are by "
            f"{lineup.consensus.method}, with intervals over items alone: go by the differences"
        )
    if len(pairs) > 1:
        notes.append(
            f"p Holm is p adjusted for {len(pairs)} pairs: told apart are those where it is at "
            f"most {1 - ask.level:.4g}; intervals hold pair by pair"
        )
    return Comparison(
        lineup.criterion,
        lineup.measure,
        lineup.consensus.method if sources == "items" else "mean over judges",
        lineup.consensus.why if sources == "items" else "judges are a sample",
        sources,
        HOLDS[sources],
        HOLDS_NOT[sources],
        ask.level,
        standings_of(lineup, ask, order),
        tuple(pairs),
        int(np.count_nonzero(~np.isnan(items.scores).all(axis=1))),
        order.ranks,
        order.strengths,
        tuple(contenders[k].name for k in order.places),
        agreed,
        tuple(notes),
        tuple(dict.fromkeys(warnings)),
    )


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _pair(  # noqa: PLR0913 - the parts of one result
    lineup: Lineup,
    which: tuple[int, int],
    of_judge: Sequence[Floats],
    ask: Ask,
    *,
    sources: Sources,
    method: Method,
    rng: np.random.Generator,
) -> PairResult:
    a, b = which
    items, contenders, alpha = lineup.items, lineup.contenders, 1.0 - ask.level
    here, there = ~np.isnan(items.scores[:, a]), ~np.isnan(items.scores[:, b])
    common = here & there
    x, y = items.scores[common, a], items.scores[common, b]
    keys = None if items.clusters is None else items.clusters[common]
    found = paired_difference(
        x, y, clusters=keys, alpha=alpha, method=method, n_boot=max(ask.n_boot, 1000), rng=rng
    )
    won = win_rate(x, y, clusters=keys, alpha=alpha)
    seen = of_judge[a] - of_judge[b]
    means = _column_means(seen)
    value, low, high, se = found.value, found.low, found.high, found.se
    freedom = found.n_clusters - 1
    how, reason, notes = found.method, found.reason, found.notes
    n, n_clusters = found.n, found.n_clusters
    if sources == "items":
        test = permutation_test(x, y, clusters=keys, rng=rng)
        p, exact, p_how = test.p, test.exact, f"sign flips of clusters, {test.method}"
        if (
            test.exact
            and keys is None
            and bool(np.isin(x, (0, 1)).all() & np.isin(y, (0, 1)).all())
        ):
            p_how = "McNemar's exact test"
    else:
        used = _clusters_of_all(lineup, seen)
        judged = judged_difference(seen, clusters=used, alpha=alpha)
        value, low, high, se = judged.value, judged.low, judged.high, judged.se
        n, n_clusters = judged.n, judged.n_clusters
        freedom = _freedom(judged, alpha)
        how, reason, notes = f"items and {judged.n_judges} judges, t", judged.reason, ()
        p, exact, p_how = judged.p, False, "t"
    if p is None and reason is None:
        reason = "there is no pair with both scores"
    return PairResult(
        contenders[a].name,
        contenders[b].name,
        value=value,
        low=low,
        high=high,
        se=se,
        p=p,
        p_exact=exact,
        p_holm=None,
        p_bh=None,
        win_rate=won.value,
        win_low=won.low,
        win_high=won.high,
        n_items=n,
        n_clusters=n_clusters,
        detectable=_detectable(se, freedom + 1, alpha),
        missing_a=missing_of(items, there & ~here, a),
        missing_b=missing_of(items, here & ~there, b),
        of_judge=dict(zip(lineup.matrix.judges, map(_number, means.tolist()), strict=True)),
        method=how,
        p_method=p_how,
        notes=notes,
        reason=reason,
    )


def _detectable(se: float | None, n: int, alpha: float) -> float | None:
    """Say which true difference would be shown in four comparisons of five."""
    if se is None or se <= 0.0 or n < 2:
        return None
    return detectable_effect(se * n**0.5, n, alpha=alpha)


def _freedom(found: JudgedDifference, alpha: float) -> int:
    """Give the degrees of freedom at which t reaches as far as the interval over judges does."""
    from scipy.special import stdtr  # noqa: PLC0415 - scipy is imported late

    if found.low is None or found.high is None or not found.se:
        return 0
    reach, freedom = (found.high - found.low) / 2.0 / found.se, np.arange(1, found.n_clusters)
    wide = 2.0 * stdtr(freedom, -reach) >= alpha * (1.0 - 1e-9)  # t reaches so far, or farther
    return max(1, int(np.count_nonzero(wide)))


def _clusters_of_all(lineup: Lineup, seen: Floats) -> NDArray[np.intp] | None:
    """Give clusters for all item codes, where the items at hand are some of them."""
    if lineup.items.clusters is None:
        return None
    place = {name: k for k, name in enumerate(lineup.items.names)}
    n = len(lineup.items.names)
    where = [place.get(name, -1) for name in lineup.matrix.names["item"]]
    own = np.append(lineup.items.clusters, -1)[where]
    return np.where(own >= 0, own, n + np.arange(len(seen)))


def _column_means(seen: Floats) -> Floats:
    known = ~np.isnan(seen)
    count = known.sum(axis=0)
    total = np.where(known, seen, 0.0).sum(axis=0)
    means: Floats = np.divide(total, count, out=np.full(seen.shape[1], np.nan), where=count > 0)
    return means


def _refuse_pointless(lineup: Lineup, pairs: Sequence[PairResult]) -> None:
    """Refuse a comparison that can tell nothing of any pair."""
    where = f"criterion {lineup.criterion!r}"
    if all(one.n_items < 2 for one in pairs):
        one = max(pairs, key=lambda pair: pair.n_items)
        if not one.n_items:
            raise AskError(
                f"{where}: no item has a score in both {one.a} and {one.b}, though "
                "some were answered by both"
            )
        raise AskError(
            f"{where}: {one.a} and {one.b} have one item in common: its neighbours could say "
            "anything; two are needed, and twenty are better"
        )
    if all(one.n_clusters < 2 for one in pairs):
        raise AskError(
            f"{where}: all items are of one cluster, so how items differ cannot be told; "
            "see --cluster"
        )
    scores = lineup.items.scores
    known = ~np.isnan(scores).all(axis=1)
    spread = np.nanmax(scores[known], axis=1) - np.nanmin(scores[known], axis=1)
    if np.all(spread <= 1e-12):
        n = max(one.n_items for one in pairs)
        raise AskError(
            f"{where}: every system scores the same on each of {n:,} common items: ties alone "
            "show no difference (--force shows how large one could hide)"
        )
