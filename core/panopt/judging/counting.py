"""Count the decisive votes on one response, and apply a rule to the count."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Real

from panopt.judging.passes import break_tie, verdict_of
from panopt.judging.protocol import Vote
from panopt.judging.rule_choice import CustomRule, Rule, name_of
from panopt.judging.verdict import Boolean, Labelled, Numeric, Pairwise, VerdictKind
from panopt.stats.rule_names import DECIDED, LABELLED, OUTCOMES, SPLIT, TIE

__all__ = [
    "Count",
    "agreement",
    "apply_own_rule",
    "apply_rule",
    "count_votes",
    "end_of",
    "moments",
]

_SNAP = 1e-12


@dataclass(frozen=True, slots=True)
class Count:
    """Decisive votes as numbers: of labels, their places in the set."""

    values: tuple[float, ...]
    weights: tuple[float, ...]
    kind: VerdictKind
    limit: float | None
    equal: bool
    """Whether all weights are the same, and so 1: sums of them are exact."""

    @property
    def total(self) -> float:
        """Weight of all votes."""
        return sum(self.weights)

    @property
    def reach(self) -> float:
        """Weight of the votes that reach the limit."""
        limit = self.limit
        if limit is None:
            return 0.0
        return sum(w for x, w in zip(self.values, self.weights, strict=True) if x >= limit)

    def same(self, one: float, other: float) -> bool:
        """Tell whether two weights are equal but for rounding."""
        return one == other if self.equal else math.isclose(one, other, rel_tol=1e-9)

    def blocs(self) -> dict[float, float]:
        """Give the weight of each value, in the order of the votes."""
        found: dict[float, float] = {}
        for value, weight in zip(self.values, self.weights, strict=True):
            found[value] = found.get(value, 0.0) + weight
        return found

    def top(self) -> tuple[float, list[float]]:
        """Give the weight of the largest bloc, and the values that have it."""
        blocs = self.blocs()
        most = max(blocs.values())
        return most, [value for value, weight in blocs.items() if self.same(weight, most)]


#: Value (None: none) and how the rule ended; of the user's own rules, also why.
Found = tuple[float | None, int]
OwnFound = tuple[float | None, int, str | None]


def count_votes(
    decisive: tuple[Vote, ...],
    kind: VerdictKind,
    limit: float | None,
    weights: Mapping[str, float] | None,
) -> Count:
    """Count checked votes; a judge without a weight weighs 1."""
    if isinstance(kind, Labelled):
        place = {name: float(k) for k, name in enumerate(kind.labels)}
        values = tuple(place[str(vote.label)] for vote in decisive)
    else:
        values = tuple(float(verdict_of(vote)) for vote in decisive)
    of = tuple((weights or {}).get(vote.judge, 1.0) for vote in decisive)
    equal = len(set(of)) < 2
    return Count(values, (1.0,) * len(of) if equal else of, kind, limit, equal)


def apply_rule(rule: str, count: Count, *, tie_break: str | None, trim: float) -> Found:
    """Apply a rule by name to one vote or more."""
    match rule:
        case "majority":
            return _majority(count)
        case "plurality":
            return _plurality(count, tie_break)
        case "absolute_majority":
            return _absolute_majority(count)
        case "unanimous":
            return end_of(count.kind, high=count.same(count.reach, count.total)), DECIDED
        case "min" | "max":
            return (min if rule == "min" else max)(count.values), DECIDED
        case _:
            return _settled(_average(rule, count, trim), count.limit), DECIDED


def _average(rule: str, count: Count, trim: float) -> float:
    ordered = sorted(count.values)
    match rule:
        case "mean":
            return _mean(count)
        case "median":
            return (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2
        case _:
            return _trimmed(ordered, trim)


def _plurality(count: Count, tie_break: str | None) -> Found:
    tied = count.top()[1]
    if len(tied) == 1:
        return tied[0], DECIDED
    # Places of labels rise as the labels of the set do.
    won = break_tie(tied, Boolean(), tie_break)
    return (None if won is None else float(won)), TIE


def _absolute_majority(count: Count) -> Found:
    most, tied = count.top()
    if 2 * most > count.total and not count.same(2 * most, count.total):
        return tied[0], DECIDED
    return None, TIE if len(tied) > 1 else SPLIT


def _majority(count: Count) -> Found:
    """Take the side of more than half; the mean where both have half."""
    mean = _mean(count)
    if isinstance(count.kind, Pairwise):  # a vote for a tie is half for each side
        if math.isclose(mean, 0.5, abs_tol=_SNAP):
            return 0.5, TIE
        return float(mean > 0.5), DECIDED
    reach, total = count.reach, count.total
    if count.same(2 * reach, total):
        return _settled(mean, count.limit), TIE
    return end_of(count.kind, high=2 * reach > total), DECIDED


def apply_own_rule(rule: CustomRule, votes: tuple[Vote, ...], kind: VerdictKind) -> OwnFound:
    """Apply a rule of the user's to all votes; one that breaks is no consensus, and says why."""
    name = name_of(rule)
    try:
        given: object = rule(votes)
    except Exception as error:  # noqa: BLE001 - other people's code
        return None, SPLIT, f"rule {name} raised {type(error).__name__}: {error}"
    if given is None:
        return None, SPLIT, f"rule {name} found no consensus"
    if isinstance(kind, Labelled):
        label = kind.find(given) if isinstance(given, str) else None
        if label is None:
            return None, SPLIT, f"rule {name} gave {given!r}, which is no label"
        return float(kind.labels.index(label)), DECIDED, None
    low, high = (kind.low, kind.high) if isinstance(kind, Numeric) else (0.0, 1.0)
    fits = isinstance(given, Real) and low <= float(given) <= high
    if isinstance(kind, Pairwise):
        fits = fits and given in {0, 0.5, 1}
    if not fits:
        return None, SPLIT, f"rule {name} gave {given!r}, which is off {low:g} to {high:g}"
    return float(given), DECIDED, None  # type: ignore[arg-type]  # a number, as it fits


def _mean(count: Count) -> float:
    """Average from the least vote up: the same votes give the same bits, whoever cast them."""
    pairs = sorted(zip(count.values, count.weights, strict=True))
    total = part = 0.0
    for value, weight in pairs:
        part += value if count.equal else value * weight
        total += 1.0 if count.equal else weight
    return min(max(part / total, pairs[0][0]), pairs[-1][0])


def _trimmed(ordered: Sequence[float], trim: float) -> float:
    cut = math.floor(trim * len(ordered) + 1e-9)
    return moments(ordered[cut : len(ordered) - cut])[0]


def moments(ordered: Sequence[float]) -> tuple[float, float]:
    """Give mean and population sd of one vote or more, in rising order."""
    part = 0.0
    for value in ordered:  # sum() rounds otherwise in some versions of Python
        part += value
    mean = min(max(part / len(ordered), ordered[0]), ordered[-1])
    squares = 0.0
    for value in ordered:
        squares += (value - mean) ** 2
    return mean, math.sqrt(squares / len(ordered))


def _settled(value: float, limit: float | None) -> float:
    """Move an average that misses the limit by rounding alone onto it."""
    if limit is not None and abs(value - limit) <= _SNAP * max(1.0, abs(limit)):
        return limit
    return value


def end_of(kind: VerdictKind, *, high: bool) -> float:
    """Give the end of the scale that stands for all or nothing."""
    if isinstance(kind, Numeric):
        return kind.high if high else kind.low
    return float(high)


def agreement(rule: Rule, count: Count, outcome: str, *, passed: bool | None) -> float:
    """Give the share of votes on the verdict's side, that of the largest bloc where none has it."""
    total = count.total
    if count.limit is None or rule in LABELLED:
        return count.top()[0] / total
    reach = count.reach
    if rule == "majority" or outcome != OUTCOMES[DECIDED]:
        return max(reach, total - reach) / total
    return (reach if passed else total - reach) / total
