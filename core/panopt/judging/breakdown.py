"""Tell in words what a panel made of which votes.

Names, labels, rationales and messages are other people's words: they are made plain, and short,
before they stand in Markdown or on a terminal.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from panopt.judging.verdict import Boolean, Labelled, Pairwise
from panopt.records.markdown import escaped, readable

if TYPE_CHECKING:
    from panopt.judging.protocol import Vote
    from panopt.judging.ruling import Ruling

__all__ = ["evidence", "explain", "told"]

MOST_JUDGES = 12
MOST_NAME = 80
MOST_RATIONALE = 240
MOST_REASON = 160

Plain = Callable[[str], str]


def evidence(ruling: Ruling, *, markdown: bool = False) -> str:
    """Say in one line who voted what, and what the panel made of it.

    Parameters
    ----------
    ruling
        The ruling.
    markdown
        Make names and labels safe for Markdown, not only for a terminal.

    Examples
    --------
    >>> from panopt.judging import Numeric, Vote, rule_on
    >>> votes = [Vote(name, "ok", value) for name, value in (("a", 0.8), ("b", 0.6), ("c", 0.8))]
    >>> evidence(rule_on(votes, kind=Numeric(threshold=0.7)))
    'PASS: mean of 3 of 3 judges (a=0.80, b=0.60, c=0.80) is 0.73; agreement 0.67'
    """
    plain: Plain = escaped if markdown else readable
    if ruling.outcome == "response_error":
        return f"RESPONSE ERROR: {plain((ruling.reason or '')[:MOST_REASON])}"
    counted = [vote for vote in ruling.votes if vote.status == "ok"]
    rule = f"{'weighted ' if ruling.weights else ''}{plain(ruling.rule[:MOST_NAME])}"
    line = f"{_head(ruling)}: {rule} of {ruling.n_decisive} of {ruling.n_asked} judges"
    cast = [f"{_name(vote, plain)}={told(vote, ruling, plain)}" for vote in counted[:MOST_JUDGES]]
    if cast:
        more = len(counted) - len(cast)
        line += f" ({', '.join(cast)}{f' and {more} more' if more > 0 else ''})"
    if ruling.label is not None:
        line += f" is {plain(ruling.label[:MOST_NAME])}"
    elif ruling.value is not None:
        line += f" is {ruling.value:.2f}"
    parts = [line]
    if ruling.agreement is not None:
        parts.append(f"agreement {ruling.agreement:.2f}{' by weight' if ruling.weights else ''}")
    if ruling.degraded and ruling.n_decisive:
        parts.append("fewer than half of the panel voted")
    told_below = ruling.outcome == "all_failed" and not any(v.unpaid for v in ruling.votes)
    if ruling.reason is not None and not told_below:
        parts.append(plain(ruling.reason[:MOST_REASON]))
    silent = [vote for vote in ruling.votes if vote.status != "ok"]
    parts += [f"{_name(vote, plain)} {_silence(vote, plain)}" for vote in silent[:MOST_JUDGES]]
    if len(silent) > MOST_JUDGES:
        parts.append(f"{len(silent) - MOST_JUDGES} more without a vote")
    return "; ".join(parts)


def explain(ruling: Ruling, *, rationale: int = MOST_RATIONALE) -> str:
    """Give the line of :func:`evidence` and a list of the judges with their reasons, in Markdown.

    Parameters
    ----------
    ruling
        The ruling.
    rationale
        Characters of each judge's reasons; 0 leaves them out.
    """
    lines = [evidence(ruling, markdown=True)]
    lines += [_entry(vote, ruling, rationale) for vote in ruling.votes[:MOST_JUDGES]]
    if len(ruling.votes) > MOST_JUDGES:
        lines.append(f"- and {len(ruling.votes) - MOST_JUDGES} more judges")
    return "\n".join(lines) if len(lines) == 1 else "\n".join((lines[0], "", *lines[1:]))


def told(vote: Vote, ruling: Ruling, plain: Plain = readable) -> str:
    """Write what a decisive vote says: a score, a label, pass or fail, who won."""
    if vote.label is not None:
        return plain(vote.label[:MOST_NAME])
    if vote.value is None:
        return vote.status
    if isinstance(ruling.kind, Boolean):
        return "pass" if vote.value else "fail"
    if isinstance(ruling.kind, Pairwise):
        return {1.0: "first", 0.0: "second"}.get(vote.value, "tie")
    return f"{vote.value:.2f}"


def _head(ruling: Ruling) -> str:
    outcome = "budget spent" if ruling.unpaid else ruling.outcome.replace("_", " ")
    if ruling.passed is not None:
        verdict = "PASS" if ruling.passed else "FAIL"
        return verdict if ruling.outcome == "decided" else f"{verdict} ({outcome})"
    if ruling.outcome != "decided":
        return outcome.upper()
    if isinstance(ruling.kind, Pairwise) and ruling.value is not None:
        return {1.0: "FIRST", 0.0: "SECOND"}.get(ruling.value, "DRAW")
    return "LABEL" if isinstance(ruling.kind, Labelled) else "SCORE"


def _name(vote: Vote, plain: Plain) -> str:
    return plain(vote.judge[:MOST_NAME])


def _silence(vote: Vote, plain: Plain) -> str:
    if vote.unpaid:
        return "was not asked"
    if vote.failure is not None:
        return f"failed: {vote.failure.kind} ({plain(vote.failure.message[:MOST_REASON])})"
    note = f" ({plain(vote.note[:MOST_REASON])})" if vote.note else ""
    return f"{'flipped' if vote.flipped else vote.status}{note}"


def _entry(vote: Vote, ruling: Ruling, rationale: int) -> str:
    name = _name(vote, escaped)
    said = f"- **{name}**"
    if vote.stands_for is not None:
        said += f" (for {escaped(vote.stands_for[:MOST_NAME])})"
    weight = (ruling.weights or {}).get(vote.judge)
    if weight is not None:
        said += f" (weight {weight:g})"
    said += f" {told(vote, ruling, escaped) if vote.status == 'ok' else _silence(vote, escaped)}"
    if vote.confidence is not None:
        source = (
            f", {escaped(vote.confidence_source[:MOST_NAME])}" if vote.confidence_source else ""
        )
        said += f" (confidence {vote.confidence:.2f}{source})"
    if vote.passes:
        draws = ", ".join(
            told(one, ruling, escaped) if one.status == "ok" else one.status
            for one in vote.passes[:MOST_JUDGES]
        )
        said += f" from {len(vote.passes)} draws ({draws})"
    if vote.status == "ok" and vote.note:
        said += f" ({escaped(vote.note[:MOST_REASON])})"
    if rationale and vote.rationale:
        text = escaped(vote.rationale[:rationale].rstrip())
        said += f": {text}{'...' if len(vote.rationale) > rationale else ''}"
    return said
