"""Read off a reply's token probabilities how likely each verdict was.

A verdict may be several tokens, and what else it might have been parts from it at any of them.
The tokens of the verdict are walked along; at each, an alternative is counted to the option that it
can become, with the probability of getting there, and in equal parts where it can become several.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import NamedTuple

from panopt.judging.confidence import Confidence, from_shares, option_of, options_of
from panopt.judging.verdict import Boolean, Numeric, Pairwise, Verdict, VerdictKind

__all__ = ["Token", "from_tokens", "option_shares"]

#: Where a verdict stands in a reply; a quotation mark with a backslash belongs to a text.
_KEY = re.compile(r'(?<!\\)"verdict"\s*:\s*')
_END = re.compile(r"[\s,}\]]")
_BEFORE = ' \t\r\n"'
_NULL = "null"  # the judge abstains: no option
_OTHERS: dict[str, tuple[str, ...]] = {
    "true": ("true", "yes", "pass", "passed", "correct", "1"),
    "false": ("false", "no", "fail", "failed", "incorrect", "0"),
    "first": ("first", "1", "a"),
    "second": ("second", "2", "b"),
    "tie": ("tie", "draw", "equal"),
}


class Token(NamedTuple):
    """A token of a reply: its text, natural log probability, and those of the likeliest ones."""

    text: str
    logprob: float
    top: tuple[tuple[str, float], ...] = ()


def from_tokens(
    tokens: Sequence[Token], verdict: Verdict, *, kind: VerdictKind, source: str
) -> Confidence:
    """Give the confidence in a verdict from the probabilities of its tokens.

    Parameters
    ----------
    tokens
        All of the reply, which holds ``"verdict": ...`` or is the verdict alone. Of several
        verdicts the last counts, as in :func:`panopt.judging.parse.read_reply`.
    verdict
        As it was read; for pairs the place as shown.
    kind
        Of the verdict.
    source
        `PREDICTIVE` where the verdict comes at once, `REASONED` where it follows reasons.

    Returns
    -------
    Confidence
        Normalised over the options of the verdict; `missing` tells what was not on any. Shares of
        pairs are of the places as shown.

    Examples
    --------
    >>> top = ((" true", math.log(0.8)), (" false", math.log(0.1)), (" True", math.log(0.05)))
    >>> tokens = [Token('{"verdict":', 0.0), Token(" true", math.log(0.8), top), Token("}", 0.0)]
    >>> found = from_tokens(tokens, True, kind=Boolean(), source="predictive probability")
    >>> round(found.value, 4), round(found.missing, 4)
    (0.8947, 0.05)
    """
    if option_of(verdict, kind) is None:
        return Confidence(None, source, f"{verdict!r} is no option that has a token of its own")
    found = option_shares(tokens, kind)
    if isinstance(found, str):
        return Confidence(None, source, found)
    return from_shares(found, verdict, kind=kind, source=source)


def option_shares(tokens: Sequence[Token], kind: VerdictKind) -> dict[str, float] | str:
    """Give the probability of each option, not normalised; or why it cannot be told."""
    spelt = _spellings(kind)
    if not tokens:
        return "the reply came without token probabilities"
    if not spelt:
        return "the scores have no whole levels, so no tokens of their own"
    start = _start("".join(token.text for token in tokens), spelt)
    if start is None:
        return "no verdict among the tokens of the reply"
    shares, said, told = _walked(tokens, start, spelt)
    if said is None:
        return "the tokens of the verdict are no option"
    if not told:
        return "the tokens of the verdict came without their alternatives"
    total = math.fsum(shares.values())  # rounding of the provider's must not make it more than 1
    return {name: share / max(total, 1.0) for name, share in shares.items()}


def _walked(
    tokens: Sequence[Token], start: int, spelt: dict[str, tuple[str, ...]]
) -> tuple[dict[str, float], str | None, bool]:
    """Walk along the verdict until it can be one option alone.

    Gives the probability of each option on the way, the option that the verdict is (None: none),
    and whether any of its tokens came with alternatives.
    """
    at, offset = _token_at(tokens, start)
    shares = dict.fromkeys((name for name in spelt if name != _NULL), 0.0)
    reached, said, told = 1.0, "", False
    end = Token("}", 0.0)  # of a reply that is the verdict alone
    for token in (*tokens[at:], end):
        told = told or bool(token.top)
        for other, logprob in _others(token, offset):
            options = [name for name in _become(said + other, spelt) if name != _NULL]
            for option in options:
                shares[option] += reached * _probability(logprob) / len(options)
        said += token.text[offset:]
        reached *= _probability(token.logprob)
        offset = 0
        mine = _become(said, spelt)
        if len(mine) < 2:
            own = mine[0] if mine and mine[0] in shares else None
            if own is not None:
                shares[own] += reached
            return shares, own, told
    return shares, None, told


def _spellings(kind: VerdictKind) -> dict[str, tuple[str, ...]]:
    """Give the ways in which each option may be written, and abstaining."""
    options = options_of(kind)
    if not options:
        return {}
    if isinstance(kind, Boolean | Pairwise):
        found = {option: _OTHERS[option] for option in options}
    elif isinstance(kind, Numeric):
        found = {option: (option, f"{option}.0") for option in options}
    else:
        found = {option: (_folded(option).strip(),) for option in options}
    return {**found, _NULL: (_NULL,)} if _NULL not in found else found


def _start(text: str, spelt: dict[str, tuple[str, ...]]) -> int | None:
    """Find where the verdict begins."""
    found = list(_KEY.finditer(text))
    if found:
        last = found[-1]
        return last.end() if last.end() < len(text) else None
    bare = text.strip(_BEFORE + ".")
    alone = any(_folded(bare).strip() in ways for ways in spelt.values())
    return text.index(bare) if bare and alone else None


def _token_at(tokens: Sequence[Token], start: int) -> tuple[int, int]:
    """Find the token that a place of the text is in, and where in it."""
    begun = 0
    for i, token in enumerate(tokens):
        if start < begun + len(token.text):
            return i, start - begun
        begun += len(token.text)
    raise ValueError(f"start = {start} lies behind the last token")


def _others(token: Token, offset: int) -> list[tuple[str, float]]:
    """Give the alternatives of a token, without what stands in it before the verdict."""
    before = token.text[:offset]
    found = []
    seen = {token.text}
    for text, logprob in token.top:
        if text in seen:
            continue
        seen.add(text)
        if text.startswith(before):
            found.append((text[offset:], logprob))
        elif not before.strip():
            found.append((text, logprob))
    return found


def _become(begun: str, spelt: dict[str, tuple[str, ...]]) -> list[str]:
    """Name the options, or abstaining, that a beginning of a verdict may become."""
    bare = begun.lstrip()
    quoted = bare.startswith('"')
    bare = bare.lstrip(_BEFORE)
    if quoted:
        body, end, _ = bare.partition('"')
        ended = bool(end)
    else:
        stop = _END.search(bare)
        # A label may hold spaces where the reply is the bare label.
        ended = stop is not None and (bare[stop.start()] != " " or not _fits(bare, spelt))
        body = bare[: stop.start()] if ended and stop is not None else bare
    body = _folded(body)
    if ended:
        return [name for name, ways in spelt.items() if body.strip() in ways]
    return _fits(body, spelt)


def _fits(body: str, spelt: dict[str, tuple[str, ...]]) -> list[str]:
    folded = _folded(body)
    return [name for name, ways in spelt.items() if any(way.startswith(folded) for way in ways)]


def _folded(text: str) -> str:
    return re.sub(r"\s+", " ", text.casefold()).lstrip()


def _probability(logprob: float) -> float:
    return math.exp(min(logprob, 0.0)) if math.isfinite(logprob) else 0.0
