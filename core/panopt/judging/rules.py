"""Rule on one response from the votes on it: the rules of `panopt.stats.panel`, one row at a time.

On equal weights a ruling is what `panopt.plugins.panel.combine` finds for the same votes; a test
holds the two together. Here nothing needs numpy, and judges may weigh differently.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from panopt.errors import AskError
from panopt.judging.ballot import checked
from panopt.judging.counting import (
    Count,
    agreement,
    apply_own_rule,
    apply_rule,
    count_votes,
    end_of,
    moments,
)
from panopt.judging.passes import TIE_BREAKS
from panopt.judging.protocol import Usage, Vote
from panopt.judging.rule_choice import (
    CustomRule,
    Rule,
    checked_weights,
    limit_of,
    name_of,
    rule_for,
)
from panopt.judging.ruling import Ruling
from panopt.judging.verdict import Labelled, Pairwise, VerdictKind
from panopt.records.markdown import readable
from panopt.stats.rule_names import DECIDED, OUTCOMES, SIDED, SPLIT

__all__ = ["CustomRule", "Rule", "checked_weights", "limit_of", "rule_for", "rule_on"]

_TRIM = 0.2
_MOST_REASON = 500


def rule_on(  # noqa: PLR0913 - one rule with all that may qualify a vote
    votes: Sequence[Vote],
    *,
    kind: VerdictKind,
    rule: Rule | None = None,
    min_successful: int = 1,
    weights: Mapping[str, float] | None = None,
    tie_break: str | None = None,
    trim: float = _TRIM,
    criterion: str = "score",
    response_error: str | None = None,
) -> Ruling:
    """Rule on one response from one vote a judge.

    Parameters
    ----------
    votes
        Votes of distinct judges, repeats already reduced. Each is checked first: a score off the
        range, or not finite, is one failed vote.
    kind
        What was asked for; its threshold and passing labels tell what passes.
    rule
        As in :func:`rule_for`. A function that raises, or gives what is off the scale, is no
        consensus, with the reason.
    min_successful
        Fewer decisive votes than this are no verdict.
    weights
        Of judges by name, above 0; 1 where a judge has none. Means, majorities and pluralities
        are by weight, and agreement too; the quorum counts judges.
    tie_break
        Verdict that "plurality" takes among tied ones: "low" or "high" (of labels, the first or
        last in the set), or "first", that of the first judge among them. The outcome is ``tie``
        all the same.
    trim
        Share of the votes that "trimmed_mean" drops at each end, in [0, .5).
    criterion
        What was judged.
    response_error
        Why there is no response to judge; no votes are then counted.

    Returns
    -------
    Ruling
        The outcome and all that led to it.

    Raises
    ------
    AskError
        Naming the option that is wrong, or a judge with two votes; never for what a vote says.

    Examples
    --------
    >>> from panopt.judging.verdict import Boolean
    >>> votes = [Vote("a", "ok", 1.0), Vote("b", "ok", 1.0), Vote("c", "ok", 0.0)]
    >>> ruling = rule_on(votes, kind=Boolean())
    >>> ruling.outcome, ruling.passed, round(ruling.agreement, 3), ruling.agreement_n
    ('decided', True, 0.667, 3)
    """
    rule = rule_for(kind, rule)
    known = checked_weights(rule, weights)
    if isinstance(min_successful, bool) or not isinstance(min_successful, int):
        raise AskError(f"min_successful = {min_successful!r} must be a whole number")
    if min_successful < 1:
        raise AskError(f"min_successful = {min_successful} must be 1 or more")
    if tie_break not in TIE_BREAKS:
        raise AskError(f"tie_break = {tie_break!r} must be None, 'low', 'high' or 'first'")
    if not 0 <= trim < 0.5:
        raise AskError(f"trim = {trim} must lie in [0, .5)")
    names = [vote.judge for vote in votes]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise AskError(f"votes hold judge {twice!r} twice; reduce its draws to one vote first")
    cast = () if response_error is not None else tuple(checked(vote, kind) for vote in votes)
    return _ruling(
        cast, kind, rule, min_successful, known, tie_break, trim, criterion, response_error
    )


def _ruling(  # noqa: PLR0913, PLR0917 - the checked arguments of rule_on
    votes: tuple[Vote, ...],
    kind: VerdictKind,
    rule: Rule,
    least: int,
    weights: Mapping[str, float] | None,
    tie_break: str | None,
    trim: float,
    criterion: str,
    response_error: str | None,
) -> Ruling:
    counted = tuple(vote for vote in votes if vote.status == "ok")
    n = len(counted)
    count = count_votes(counted, kind, limit_of(kind, rule), weights)
    value: float | None = None
    label: str | None = None
    reason: str | None = None
    if response_error is not None:
        outcome, reason = "response_error", response_error
    elif n < least:
        outcome = _missing(votes)
        reason = _why_missing(outcome, votes, n, least)
    else:
        if isinstance(rule, str):
            value, ended = apply_rule(rule, count, tie_break=tie_break, trim=trim)
        else:
            value, ended, reason = apply_own_rule(rule, votes, kind)
        outcome = OUTCOMES[ended]
        if ended != DECIDED and reason is None:
            reason = _why_even(count, kind, ended)
        if isinstance(kind, Labelled) and value is not None:
            label, value = kind.labels[int(value)], None
    passed = _passed(rule, count, value, label, outcome)
    scores = None if isinstance(kind, Labelled) or not n else sorted(count.values)
    mean, sd = (None, None) if scores is None else moments(scores)
    usage = Usage()
    for vote in votes:
        usage += vote.usage
    told = None if weights is None else {v.judge: weights.get(v.judge, 1.0) for v in counted}
    n_replaced = sum(vote.stands_for is not None for vote in votes)
    return Ruling(
        outcome=outcome,
        value=value,
        label=label,
        passed=passed,
        agreement=agreement(rule, count, outcome, passed=passed) if n else None,
        agreement_n=n,
        mean=mean,
        disagreement=None if scores is None else scores[-1] - scores[0],
        sd=sd,
        n_decisive=n,
        n_asked=len(votes),
        n_abstained=sum(vote.status == "abstained" for vote in votes),
        n_failed=sum(vote.status == "failed" for vote in votes),
        n_replaced=n_replaced,
        n_flipped=sum(vote.flipped for vote in votes),
        degraded=2 * n < len(votes) - n_replaced,
        votes=votes,
        usage=usage,
        rule=name_of(rule),
        threshold=count.limit,
        kind=kind,
        criterion=criterion,
        weights=told,
        reason=None if reason is None else readable(reason[:_MOST_REASON]),
    )


def _passed(
    rule: Rule, count: Count, value: float | None, label: str | None, outcome: str
) -> bool | None:
    kind, limit = count.kind, count.limit
    if isinstance(kind, Labelled):
        return None if label is None or kind.passing is None else label in kind.passing
    if limit is None or value is None:
        return None
    if rule in SIDED and outcome == OUTCOMES[DECIDED]:
        return value == end_of(kind, high=True)
    return value >= limit


def _missing(votes: tuple[Vote, ...]) -> str:
    """Say why a response has too few votes."""
    if not votes:
        return "no_votes"
    for status in ("abstained", "failed"):
        if all(vote.status == status for vote in votes):
            return f"all_{status}"
    return "quorum_not_met"


def _why_missing(outcome: str, votes: tuple[Vote, ...], n: int, least: int) -> str:
    abstained = sum(vote.status == "abstained" for vote in votes)
    unpaid = sum(vote.unpaid for vote in votes)
    failed = len(votes) - n - abstained - unpaid
    told = f"{abstained} abstained, {failed} failed"
    if unpaid:
        told += f", {unpaid} not asked: the budget is spent"
    if outcome == "quorum_not_met":
        return f"{n} of {len(votes)} judges voted, {least} must ({told})"
    if outcome == "no_votes":
        return "no judge was asked"
    if unpaid == len(votes):
        return f"the budget is spent: none of {len(votes)} judges was asked"
    if unpaid:
        return f"{failed} of {len(votes)} judges failed, {unpaid} not asked: the budget is spent"
    return f"all {len(votes)} judges {outcome.removeprefix('all_')}"


def _why_even(count: Count, kind: VerdictKind, ended: int) -> str:
    if count.limit is not None:
        return f"{len(count.values)} votes are even"
    most, tied = count.top()
    share = f"{most / count.total:.0%} of the votes"
    if ended == SPLIT:
        return f"no verdict has more than half; the largest bloc has {share}"
    if isinstance(kind, Pairwise):
        return f"{len(count.values)} votes are even"
    return f"{len(tied)} verdicts have {share} each"
