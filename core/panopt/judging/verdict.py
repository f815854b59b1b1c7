"""What kind of verdict a judge is asked for: yes or no, a label, a number, or the better of two.

The kind is always stated, never guessed from an answer.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from panopt.errors import AskError

__all__ = [
    "Boolean",
    "Labelled",
    "Numeric",
    "Pairwise",
    "Verdict",
    "VerdictKind",
    "folded",
    "scale_text",
]


@dataclass(frozen=True, slots=True)
class Boolean:
    """Pass or fail: a score of 1 or 0."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """One of several labels.

    Attributes
    ----------
    labels
        Two or more, distinct when case and spaces are ignored.
    passing
        Those that pass; None: the verdict has no pass or fail.
    descriptions
        What a label means, for the judge's prompt.
    """

    labels: tuple[str, ...]
    passing: frozenset[str] | None = None
    descriptions: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse labels that are too few, alike or unknown."""
        if len(self.labels) < 2:
            raise AskError(f"labels = {list(self.labels)} must hold two labels or more")
        plain = [folded(label) for label in self.labels]
        if "" in plain or len(set(plain)) < len(plain):
            raise AskError(
                f"labels = {list(self.labels)} must be distinct and not blank (case and spaces "
                "are ignored)"
            )
        for name, given in (("passing", self.passing or ()), ("descriptions", self.descriptions)):
            unknown = sorted(set(given) - set(self.labels))
            if unknown:
                raise AskError(f"{name} names {unknown[0]!r}, which is none of {list(self.labels)}")
        if self.passing is not None and not self.passing:
            raise AskError("passing must name a label or be left out")

    def find(self, text: str) -> str | None:
        """Give the label that a text is, whatever its case and spaces; None for none of them."""
        wanted = folded(text)
        return next((label for label in self.labels if folded(label) == wanted), None)


@dataclass(frozen=True, slots=True)
class Numeric:
    """A number on a range.

    Attributes
    ----------
    low, high
        Ends of the range, both allowed; finite, `low` below `high`.
    threshold
        A score passes at or above it; on the range. None: no pass or fail.
    anchors
        What 2 to 10 levels of the range mean, for the judge's prompt.
    """

    low: float = 0.0
    high: float = 1.0
    threshold: float | None = None
    anchors: Mapping[float, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse an empty range, and a threshold or anchors off it."""
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise AskError(
                f"score_range = ({self.low}, {self.high}) must be finite, low below high"
            )
        if self.threshold is not None and not self.low <= self.threshold <= self.high:
            raise AskError(
                f"threshold = {self.threshold} must lie on the range {self.low} to {self.high}"
            )
        if self.anchors and not 2 <= len(self.anchors) <= 10:
            raise AskError(f"anchors name {len(self.anchors)} levels; 2 to 10 are allowed")
        off = [level for level in self.anchors if not self.low <= level <= self.high]
        if off:
            raise AskError(f"anchor {off[0]} must lie on the range {self.low} to {self.high}")


@dataclass(frozen=True, slots=True)
class Pairwise:
    """The better of two responses: 1 the first, 0 the second, 1/2 a tie.

    Attributes
    ----------
    both_orders
        Show every judge both orders; one that follows the place and not the response abstains.
    ties
        Whether a judge may call a tie.
    """

    both_orders: bool = True
    ties: bool = True


VerdictKind: TypeAlias = Boolean | Labelled | Numeric | Pairwise

#: What a judge says: true or false, a label, a number, the place of the better response.
Verdict: TypeAlias = bool | float | str


def folded(text: str) -> str:
    """Give a label without what people vary: case, spaces around and between words.

    Examples
    --------
    >>> folded("  Mostly   Right ")
    'mostly right'
    """
    return " ".join(text.casefold().split())


def scale_text(kind: VerdictKind) -> str:
    """Give the scale of a kind of verdict, as :class:`panopt.records.scale.Scale` writes it.

    Examples
    --------
    >>> scale_text(Boolean()), scale_text(Numeric(1, 5))
    ('binary', 'continuous:1:5')
    """
    match kind:
        case Boolean():
            return "binary"
        case Labelled():
            return "nominal"
        case Pairwise():
            return "pairwise"
        case Numeric(low, high):
            ends = (repr(float(end)).removesuffix(".0") for end in (low, high))
            return ":".join(("continuous", *ends))
