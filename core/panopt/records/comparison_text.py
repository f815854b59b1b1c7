"""A comparison in words that need no statistics: who is better, by how much, and how sure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from panopt.records.comparison import UNLIKE, Comparison, Missing, PairResult, Standing
from panopt.stats.ranking_agreement import RankingAgreement

__all__ = ["agreement_words", "by_mean", "conclusion", "lacking", "pair_words"]

#: Names or pairs that a sentence lists at most.
MOST = 5

#: Share of items left out beyond which the end of a comparison says so.
MANY = 0.05


def conclusion(one: Comparison, names: Mapping[str, str] | None = None) -> str:
    """Say in a sentence or two what the comparison shows.

    Parameters
    ----------
    one
        What was found.
    names
        What to call contenders instead of their names.
    """
    text = _shown(one, names or {})
    if any(_many(gone, pair) for pair in one.pairs for gone in (pair.missing_a, pair.missing_b)):
        text += ". Many items lack a score and are left out: were they the hard ones, it may differ"
    if any(words in warning for words in UNLIKE for warning in one.warnings):
        text += ". They were not judged alike: that alone may make the difference"
    return text


def _many(gone: Missing, pair: PairResult) -> bool:
    return gone.n > MANY * (pair.n_items + gone.n)


def _shown(one: Comparison, names: Mapping[str, str]) -> str:
    if len(one.pairs) == 1:
        return _of_pair(one.pairs[0], one.level, names)
    told = [pair for pair in one.pairs if pair.better(one.level) is not None]
    systems, pairs = len(one.standings), len(one.pairs)
    if not told:
        return (
            f"no system is shown to be better than another: none of the {pairs} pairs can be told "
            "apart on these items, so an order by the means alone may be chance"
        )
    beats: dict[str, set[str]] = {}
    for pair in told:
        better = pair.better(one.level) or ""
        beats.setdefault(better, set()).add(pair.b if better == pair.a else pair.a)
    for name, beaten in beats.items():
        if len(beaten) == systems - 1:
            best = names.get(name, name)
            return f"{best} is the best of the {systems}: shown to be better than each other one"
    beaten = set().union(*beats.values())
    open_ = [each.name for each in by_mean(one) if each.name not in beaten]
    few = [name for name in open_ if one.ranked and name not in one.ranked]
    open_ = [name for name in open_ if name not in few]
    text = f"{len(told)} of {pairs} pairs can be told apart"
    if len(open_) == 1:
        text += f"; {names.get(open_[0], open_[0])} may be the best, but is not shown to be"
    elif open_:
        titles = [names.get(name, name) for name in open_]
        text += f". Which one is best stays open: {_listed(titles, 'or')}"
    if few:
        titles = [names.get(name, name) for name in few]
        text += f" (of {_listed(titles, 'and')} too few items are known)"
    return text


def _of_pair(pair: PairResult, level: float, names: Mapping[str, str]) -> str:
    a, b = (names.get(name, name) for name in (pair.a, pair.b))
    if pair.value is None:
        return f"nothing can be said of {a} and {b}: {pair.reason}"
    if pair.better(level) is not None:
        return pair_words(pair, level, names)
    if pair.low is None or pair.high is None:
        return f"{a} and {b} cannot be told apart: {pair.reason}"
    text = (
        f"these {pair.n_items:,} items do not tell {a} and {b} apart: the difference "
        f"may be anything from {pair.low:.3f} to {pair.high:.3f}"
    )
    if pair.detectable is not None and pair.detectable < 1.0:
        text += (
            f". A true difference of {pair.detectable:.2g} or more would have been shown 4 times "
            "in 5; panopt power --effect says what a smaller one takes"
        )
    return text


def pair_words(pair: PairResult, level: float, names: Mapping[str, str] | None = None) -> str:
    """Say which of two is better and by how much; for a pair that is told apart."""
    better = pair.better(level)
    pair = pair if better == pair.a else pair.turned()
    ends = "" if pair.low is None or pair.high is None else f" ({pair.low:.3f} to {pair.high:.3f})"
    value = 0.0 if pair.value is None else pair.value
    a, b = ((names or {}).get(name, name) for name in (pair.a, pair.b))
    return f"{a} is better than {b}, by {value:.3f}{ends}, on {pair.n_items:,} items"


def by_mean(one: Comparison) -> list[Standing]:
    """Give the contenders, the largest mean first."""
    return sorted(one.standings, key=lambda each: -(each.mean.value or 0.0))


def agreement_words(found: RankingAgreement) -> str:
    """Say how far the order of the systems agrees with the reference, and what other items do."""
    head = f"agreement with the reference, {found.method}"
    if found.value is None:
        return f"{head}: none, as {found.reason}"
    text = f"{head}: {found.value:.2f}"
    if found.low is not None and found.high is not None:
        text += f" [{found.low:.2f}, {found.high:.2f}]"
    text += f" of {found.n_systems} systems on {found.n:,} items"
    if found.low is None or found.high is None:
        text += f" (no interval: {found.reason})"
    if found.resampled_low is not None and found.resampled_high is not None:
        text += f"; resampled items give {found.resampled_low:.2f} to {found.resampled_high:.2f}"
    if found.p is not None:
        text += f"; an order by chance agrees or disagrees as much: p {found.p:.2g}"
    return text


def lacking(one: Comparison, names: Mapping[str, str] | None = None) -> list[str]:
    """Say which contenders lack items of the others, those that lack alike together."""
    titles = names or {}
    if len(one.pairs) == 1:
        (pair,) = one.pairs
        sides = ((pair.a, pair.missing_a), (pair.b, pair.missing_b))
        return [
            f"{titles.get(name, name)} {_lacks(missing, 'items of the other', 1)}: left out"
            for name, missing in sides
            if missing.n
        ]
    groups: dict[Missing, list[str]] = {}
    for each in one.standings:
        if each.missing.n:
            groups.setdefault(each.missing, []).append(each.name)
    lines = []
    for missing, alike in groups.items():
        pairs = [pair for pair in one.pairs if pair.a in alike or pair.b in alike]
        most = max(pair.n_items for pair in pairs)
        n, who = len(alike), _listed([titles.get(name, name) for name in alike], "and")
        who = who if n == 1 else f"{n} systems ({who})"
        lines.append(
            f"{who} {_lacks(missing, f'of the {one.n_items:,} items', n)}: the {len(pairs)} pairs "
            f"with {'it' if n == 1 else 'them'} rest on {most:,} items or fewer"
        )
    return lines


def _lacks(missing: Missing, of: str, who: int) -> str:
    parts = []
    if missing.absent:
        parts.append(f"{'lacks' if who == 1 else 'lack'} {missing.absent:,} {of}")
    if missing.unscored:
        has = "has" if who == 1 else "have"
        parts.append(f"{has} no score on {missing.unscored:,}{'' if parts else f' {of}'}")
    more = " ..." if missing.n > len(missing.examples) else ""
    return f"{' and '.join(parts)} ({', '.join(missing.examples)}{more})"


def _listed(names: Sequence[str], joint: str) -> str:
    if len(names) > MOST:
        return f"{', '.join(names[:MOST])} {joint} {len(names) - MOST} more"
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} {joint} {names[-1]}"
