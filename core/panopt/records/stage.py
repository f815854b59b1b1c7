"""A stage of a cascade: a judge, how sure it must be to decide, and how sure it was when certified.

Part of a certificate: see :mod:`panopt.records.certificate`.
"""

from __future__ import annotations

import math
import sys
from typing import Annotated, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = ["ALWAYS", "Count", "Deciding", "Frozen", "Level", "Stage"]

#: Threshold of a judge whose every verdict is trusted: below all finite confidences.
ALWAYS = -sys.float_info.max

Count = Annotated[int, Field(ge=0)]


class Frozen(BaseModel):
    """What never changes and knows all its names."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Deciding(Frozen):
    """Who decides from which confidence on."""

    judge: str
    """A judge by name, or ``panel``."""
    threshold: float | None
    """Verdicts of at least this confidence are trusted; None: never."""


class Level(Frozen):
    """So many labelled responses got this confidence from one judge."""

    confidence: float | None
    """Of its verdict; None where it was asked and gave none."""
    count: int = Field(ge=1)
    """Labelled responses, one of each cluster."""


class Stage(Deciding):
    """A judge of a cascade: it decides what no judge before it did."""

    source: str = Field(min_length=1)
    """Where its confidence comes from: ``token probability``, ``vote share over repeats`` ..."""
    unit: bool
    """Whether that is on [0, 1]; a margin may be any number."""
    draws: int = Field(ge=1)
    """Times it is asked about a response."""
    cost: float = Field(ge=0)
    """Price of asking it about one response."""
    n: Count
    """Independent labelled responses that it decides."""
    errors: Count
    """Disagreements among them."""
    seen: tuple[Level, ...]
    """Its confidences on the labelled responses that reach it: to notice drift."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.errors > self.n:
            raise ValueError(f"judge {self.judge!r} has {self.errors} errors in {self.n}")
        if self.threshold is None and self.n:
            raise ValueError(f"judge {self.judge!r} never decides, but decided {self.n}")
        if self.n > self.n_seen:
            raise ValueError(f"judge {self.judge!r} decided {self.n} of {self.n_seen}")
        known = [row.confidence for row in self.seen if row.confidence is not None]
        if self.unit and not all(0.0 <= confidence <= 1.0 for confidence in known):
            raise ValueError(f"judge {self.judge!r} has confidences off [0, 1]")
        return self

    @property
    def n_seen(self) -> int:
        """Labelled responses that reach it."""
        return sum(row.count for row in self.seen)

    def decides(self, confidence: float | None) -> bool:
        """Tell whether a verdict of this confidence is trusted; without a confidence none is.

        Raises
        ------
        ValueError
            For a confidence that is infinite or off [0, 1], where it must lie there.
        """
        if confidence is None or math.isnan(confidence):
            return False
        if math.isinf(confidence) or (self.unit and not 0.0 <= confidence <= 1.0):
            where = "in [0, 1]" if self.unit else "a finite number"
            raise ValueError(
                f"confidence = {confidence:g} of judge {self.judge!r} ({self.source}) must be "
                f"{where}"
            )
        return self.threshold is not None and confidence >= self.threshold

    @property
    def always(self) -> bool:
        """Tell whether its every verdict is trusted, however low its confidence."""
        return self.threshold is not None and self.threshold <= (0.0 if self.unit else ALWAYS)

    def confidences(self) -> NDArray[np.float64]:
        """Confidence on each labelled response that reaches it; `ALWAYS` where it gave none."""
        values = [ALWAYS if row.confidence is None else row.confidence for row in self.seen]
        return np.repeat(np.array(values, dtype=np.float64), [row.count for row in self.seen])
