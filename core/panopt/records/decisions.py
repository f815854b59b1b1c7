"""What to do with each response: trust it, escalate it, call it ambiguous, or ask a human."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

__all__ = ["DECISIONS", "Decisions"]

#: Decisions by code.
DECISIONS: tuple[str, ...] = ("trust", "escalate", "ambiguous", "human")


@dataclass(frozen=True)
class Decisions:
    """A decision for every response of one criterion, with the reason in words.

    Attributes
    ----------
    criterion, method
        What was judged; how it was decided.
    decision
        Codes into :data:`DECISIONS`, one a response.
    reason
        Index into `reasons`, one a response.
    reasons
        Sentence templates; ``{name}`` fields are filled from `numbers` (``str.format``).
    numbers
        Per-response arrays the sentences use.
    guarantee
        What is promised of the trusted responses, with assumption, level and n; None where
        nothing is promised, and then
    no_guarantee
        says why.
    """

    criterion: str
    method: str
    decision: NDArray[np.int8]
    reason: NDArray[np.int16]
    reasons: tuple[str, ...]
    numbers: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    guarantee: str | None = None
    no_guarantee: str | None = None

    def __post_init__(self) -> None:
        """Refuse a missing guarantee without a reason, codes out of range, unfillable reasons."""
        if (self.guarantee is None) == (self.no_guarantee is None):
            raise ValueError("decisions need exactly one of guarantee and no_guarantee")
        lengths = {name: len(values) for name, values in self.numbers.items()}
        lengths |= {"decision": len(self.decision), "reason": len(self.reason)}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"decisions' arrays differ in length: {lengths}")
        for name, codes, names in (
            ("decision", self.decision, DECISIONS),
            ("reason", self.reason, self.reasons),
        ):
            if codes.size and not 0 <= codes.min() <= codes.max() < len(names):
                raise ValueError(f"{name} codes must lie in 0..{len(names) - 1}")
        for template in self.reasons:
            try:
                template.format(**dict.fromkeys(self.numbers, 0.5))
            except (KeyError, IndexError, ValueError) as error:
                raise ValueError(f"reason {template!r} cannot be filled: {error!r}") from error

    def __len__(self) -> int:
        """Count the responses."""
        return len(self.decision)

    def name(self, response: int) -> str:
        """Give the decision on one response."""
        return DECISIONS[int(self.decision[response])]

    def why(self, response: int) -> str:
        """Give the reason for one response, in words."""
        template = self.reasons[int(self.reason[response])]
        return template.format(**{name: values[response] for name, values in self.numbers.items()})

    def counts(self) -> dict[str, int]:
        """Count the responses of each decision."""
        tally = np.bincount(self.decision, minlength=len(DECISIONS))
        return {name: int(count) for name, count in zip(DECISIONS, tally, strict=True)}
