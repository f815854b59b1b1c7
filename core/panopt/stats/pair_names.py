"""Read which two systems the name of a pair stands for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["PairNames", "split_pairs"]

#: Between the two systems of a pair; the last two also stand inside names of single systems.
SEPARATORS = ("|", " vs. ", " vs ", "_vs_", "/", "_")
DOUBTFUL = ("/", "_")


class PairNames(NamedTuple):
    """The two systems that each name of a pair stands for; None with the reason."""

    pairs: tuple[tuple[str, str], ...] | None
    reason: str | None


def split_pairs(names: Sequence[str]) -> PairNames:
    """Read the names of pairs of systems: "a|b", "a vs b", "a vs. b", "a_vs_b", "a/b" or "a_b".

    One form for all names: the first in that order that cuts every name into two different parts.
    A slash or underscore is as common inside a name ("provider/model"), so these two count only
    where some system stands on the left of one pair and on the right of another, or where the same
    pair occurs both ways round.

    Parameters
    ----------
    names
        Distinct names of pairs.

    Examples
    --------
    >>> split_pairs(["gpt-4|llama", "claude|gpt-4"]).pairs
    (('gpt-4', 'llama'), ('claude', 'gpt-4'))
    >>> split_pairs(["openai/gpt-4", "meta/llama"]).reason
    'the systems of a pair are unknown: name it as first|second, not as openai/gpt-4'
    """
    for separator in SEPARATORS:
        parts = [tuple(part.strip() for part in name.split(separator)) for name in names]
        pairs = [(part[0], part[1]) for part in parts if len(part) == 2]
        if not pairs or len(pairs) < len(parts) or any(not a or not b or a == b for a, b in pairs):
            continue
        if separator in DOUBTFUL and not {a for a, _ in pairs} & {b for _, b in pairs}:
            continue
        return PairNames(tuple(pairs), None)
    odd = next((name for name in names if "|" not in name), names[0] if names else "")
    reason = (
        f"the systems of a pair are unknown: name it as first|second, not as {odd or 'nothing'}"
    )
    return PairNames(None, reason)
