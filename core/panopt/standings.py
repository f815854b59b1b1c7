"""Each system on its own within a comparison: mean, rank, strength, and the items it lacks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from panopt.errors import AskError
from panopt.lineup import Lineup
from panopt.records.ask import Ask
from panopt.records.comparison import Missing, Standing
from panopt.records.pairing import Contender, Items
from panopt.stats.bradley_terry import BradleyTerry, bradley_terry
from panopt.stats.mean import mean_interval
from panopt.stats.ranking_agreement import RankingAgreement, ranking_agreement
from panopt.stats.ranks import RankIntervals, rank_intervals

__all__ = ["Order", "agreement_with", "missing_of", "order_of", "ranked_together", "standings_of"]

#: Comparisons of two systems on an item beyond which strengths take too much memory.
MOST_COMPARISONS = 4_000_000

#: Names that a message lists at most.
MOST_NAMES = 8


@dataclass(frozen=True, slots=True, eq=False)
class Order:
    """Ranks and strengths of three contenders or more.

    Attributes
    ----------
    places
        Contenders that are ranked, in the order of the entries of `ranks`.
    ranks, strengths
        None for fewer than three contenders, or where `notes` say why.
    notes
        What was left out and why.
    """

    places: tuple[int, ...]
    ranks: RankIntervals | None
    strengths: BradleyTerry | None
    notes: tuple[str, ...]


def ranked_together(scored: NDArray[np.bool_]) -> tuple[int, ...]:
    """Choose the contenders to rank: those that make the largest table without gaps.

    A rank needs items that all ranked ones have; one system with few of them would throw the
    items of all others away.

    Parameters
    ----------
    scored
        Whether a contender has a score on an item (items, contenders).

    Examples
    --------
    >>> table = np.ones((100, 4), dtype=bool)
    >>> table[10:, 2] = False
    >>> ranked_together(table)
    (0, 1, 3)
    """
    order = np.argsort(-scored.sum(axis=0), kind="stable")
    common = np.logical_and.accumulate(scored[:, order], axis=1).sum(axis=0)
    cells = common * np.arange(1, len(order) + 1)
    cells[:1] = -1  # one alone has no rank
    last = len(cells) - int(np.argmax(cells[::-1]))
    return tuple(sorted(order[:last].tolist()))


def order_of(lineup: Lineup, ask: Ask, rng: np.random.Generator) -> Order:
    """Rank the contenders and fit strengths to who scored more on each item."""
    items, contenders = lineup.items, lineup.contenders
    if len(contenders) < 3:
        return Order((), None, None, ())
    scored = ~np.isnan(items.scores)
    places = ranked_together(scored)
    ranks = rank_intervals(
        items.scores[:, places], clusters=items.clusters, alpha=1.0 - ask.level, rng=rng
    )
    strengths, why = _strengths(items, contenders, 1.0 - ask.level)
    notes = []
    if ranks.reason:
        notes.append(f"no ranks: {ranks.reason}")
    elif len(places) < len(contenders):
        notes.append(
            f"ranks are among the {len(places)} systems that have {ranks.n:,} items in common; "
            "the others have too few of these"
        )
    elif ranks.n_missing:
        notes.append(f"ranks are by the {ranks.n:,} items that all systems have")
    notes += [f"no strengths: {why}"] if why else []
    return Order(places, ranks, strengths, tuple(notes))


def _strengths(
    items: Items, contenders: Sequence[Contender], alpha: float
) -> tuple[BradleyTerry | None, str | None]:
    """Fit strengths to who scored more on each item."""
    n, k = items.scores.shape
    if n * k * (k - 1) // 2 > MOST_COMPARISONS:
        return None, f"{n:,} items of {k} systems make more than {MOST_COMPARISONS:,} comparisons"
    one, other = np.triu_indices(len(contenders), 1)
    outcome = (np.sign(items.scores[:, one] - items.scores[:, other]) + 1.0) / 2.0
    units = np.arange(n) if items.clusters is None else items.clusters
    known = ~np.isnan(outcome)
    found = bradley_terry(
        np.broadcast_to(one, outcome.shape)[known],
        np.broadcast_to(other, outcome.shape)[known],
        outcome[known],
        clusters=np.broadcast_to(units[:, None], outcome.shape)[known],
        alpha=alpha,
    )
    return found, found.reason


def standings_of(lineup: Lineup, ask: Ask, order: Order) -> tuple[Standing, ...]:
    """Describe every contender on its own."""
    items, judges = lineup.items, lineup.matrix.judges
    votes = lineup.matrix.votes
    scored = ~np.isnan(items.scores)
    any_scored = scored.any(axis=1)
    standings = []
    for k, one in enumerate(lineup.contenders):
        own, known = items.scores[:, k], scored[:, k]
        keys = None if items.clusters is None else items.clusters[known]
        mean = mean_interval(own[known], clusters=keys, alpha=1.0 - ask.level)
        mine = np.zeros(lineup.matrix.n_responses, dtype=np.bool_)
        mine[one.responses] = True
        who = np.unique(votes.judge[mine[votes.response]]).tolist()
        standing = Standing(
            one.name,
            one.system,
            mean,
            n_items=int(np.count_nonzero(known)),
            n_responses=len(one.responses),
            n_unscored=int(np.count_nonzero(np.isnan(lineup.values[one.responses]))),
            n_cached=lineup.cached[k][0],
            judges=tuple(judges[j] for j in who),
            missing=missing_of(items, any_scored & ~known, k),
        )
        standings.append(_placed(standing, k, order))
    return tuple(standings)


def missing_of(items: Items, gone: NDArray[np.bool_], of: int) -> Missing:
    """Count the items marked `gone`, on which a contender has no score."""
    absent = int(np.count_nonzero(gone & ~items.present[:, of]))
    return Missing(absent, int(np.count_nonzero(gone)) - absent, items.examples(gone))


def _placed(one: Standing, k: int, order: Order) -> Standing:
    """Add rank and strength where there are any."""
    ranks, strengths = order.ranks, order.strengths
    if ranks is not None and ranks.value is not None and k in order.places:
        at = order.places.index(k)
        one = replace(one, rank=float(ranks.value[at]))
        if ranks.low is not None and ranks.high is not None:
            one = replace(one, rank_low=int(ranks.low[at]), rank_high=int(ranks.high[at]))
    if strengths is None or strengths.strength is None:
        return one
    if strengths.low is None or strengths.high is None:
        return one
    if k not in strengths.systems:  # it shares no item with another
        return one
    at = strengths.systems.index(k)
    return replace(
        one,
        strength=float(strengths.strength[at]),
        strength_low=float(strengths.low[at]),
        strength_high=float(strengths.high[at]),
    )


def agreement_with(
    reference: Mapping[str, float], lineup: Lineup, ask: Ask, rng: np.random.Generator
) -> tuple[tuple[RankingAgreement, ...], tuple[str, ...]]:
    """Correlate the order of the contenders with a reference order, and say who is left out.

    Parameters
    ----------
    reference
        Score of each system, larger the better, by its name, the name it goes by here, or
        without its maker's name where that is its own.
    lineup, ask, rng
        What is compared, at which level, and the source of randomness.

    Raises
    ------
    AskError
        Where fewer than two systems are in the reference.
    """
    if not reference:
        return (), ()
    names = [one.name for one in lineup.contenders]
    given = np.array(
        [_given(reference, one, lineup.contenders) for one in lineup.contenders],
        dtype=np.float64,
    )
    found = [k for k in range(len(names)) if not np.isnan(given[k])]
    if len(found) < 2:
        known = ", ".join(map(repr, list(reference)[:MOST_NAMES]))
        here = ", ".join(map(repr, names[:MOST_NAMES]))
        raise AskError(
            f"the reference holds {len(found)} of the systems that are compared, and two are "
            f"needed: it names {known}; compared are {here}"
        )
    scores = lineup.items.scores[:, found]
    places = ranked_together(~np.isnan(scores))
    kept = [found[k] for k in places]
    results = tuple(
        ranking_agreement(
            lineup.items.scores[:, kept],
            given[kept],
            clusters=lineup.items.clusters,
            method=method,
            alpha=1.0 - ask.level,
            n_boot=max(ask.n_boot, 2000),
            rng=rng,
        )
        for method in ("spearman", "kendall")
    )
    notes = []
    lost = [name for k, name in enumerate(names) if k not in found]
    if lost:
        notes.append(f"not in the reference: {', '.join(lost[:MOST_NAMES])}")
    if len(kept) < len(found):
        few = [names[k] for k in found if k not in kept]
        notes.append(f"too few common items to stand by the reference: {', '.join(few)}")
    return results, tuple(notes)


def _given(reference: Mapping[str, float], one: Contender, all_of: Sequence[Contender]) -> float:
    """Give the reference score of one system, NaN for none."""
    short = one.system.rpartition("/")[2]
    alone = len({each.system for each in all_of if each.system.rpartition("/")[2] == short}) == 1
    names = (one.name, one.system, *([short] if alone else []))
    return next((reference[name] for name in names if name in reference), float("nan"))
