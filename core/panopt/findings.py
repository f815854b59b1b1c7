"""Findings: few, typed, run-level numbers, each with an interval or a reason."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = ["Finding", "Findings", "SubjectKind", "finite"]

SubjectKind = Literal["panel", "judge", "judge_pair", "system", "group", "human"]


class Finding(BaseModel):
    """One number about one subject of one criterion.

    A value comes with an interval, or with `no_interval` saying why it has none; a value that
    cannot be given is None, with `reason`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    plugin: str
    """Method that found it."""
    name: str
    """What it is: ``mean``, ``bias``, ``noise_sd``, ``alpha_ordinal`` ..."""
    criterion: str
    """What was judged."""
    subject_kind: SubjectKind = "panel"
    """What the number is about."""
    subject: str = ""
    """Name of the judge, system ...; two judges of a pair are joined by `` ~ ``."""
    value: float | None
    """The estimate, in the unit said in `unit`."""
    unit: str = "score in [0, 1]"
    """Unit or scale of value, low and high."""
    low: float | None = None
    """Lower end of the interval."""
    high: float | None = None
    """Upper end of the interval."""
    level: float | None = Field(default=None, gt=0, lt=1)
    """Confidence level of the interval."""
    n: int = Field(ge=0)
    """How many units (responses, pairs, labels) it rests on."""
    method: str
    """Estimator and interval in a few words."""
    assumptions: tuple[str, ...] = ()
    """What must hold for the number to mean what it says."""
    warnings: tuple[str, ...] = ()
    """What may spoil it here."""
    reason: str | None = None
    """Why there is no value."""
    no_interval: str | None = None
    """Why there is a value but no interval."""
    details: Mapping[str, float | int | str | bool | None] = Field(default_factory=dict)
    """Further numbers of the same estimate (se, errors, bound ...)."""
    headline: bool = True
    """Whether a first look shows it (terminal, viewers); JSON and the report hold all."""

    @model_validator(mode="after")
    def _honest(self) -> Self:
        if self.value is None:
            if not self.reason:
                raise ValueError(f"finding {self.name!r} has no value and no reason")
            return self
        if self.low is None or self.high is None:
            if not self.no_interval:
                raise ValueError(f"finding {self.name!r} has neither interval nor no_interval")
        elif not self.low <= self.high:
            raise ValueError(f"finding {self.name!r}: low {self.low} is above high {self.high}")
        elif self.level is None:
            raise ValueError(f"finding {self.name!r} has an interval without a level")
        return self


@dataclass(frozen=True)
class Findings:
    """What one analyzer (or all of them) found for one criterion.

    Attributes
    ----------
    rows
        The findings.
    columns
        Per-response arrays (length: responses), e.g. the ends of a conformal interval.
    notes
        Sentences for the user that belong to no single number.
    """

    rows: tuple[Finding, ...] = ()
    columns: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[Finding]:
        """Go through the findings."""
        return iter(self.rows)

    def __len__(self) -> int:
        """Count the findings."""
        return len(self.rows)

    def named(self, name: str, *, subject: str | None = None) -> tuple[Finding, ...]:
        """Give the findings of one name, of one subject if given."""
        return tuple(
            row for row in self.rows if row.name == name and subject in (None, row.subject)
        )

    @classmethod
    def merge(cls, parts: list[Findings]) -> Findings:
        """Put the findings of several analyzers together; columns must have different names."""
        columns: dict[str, NDArray[np.float64]] = {}
        for part in parts:
            for name, values in part.columns.items():
                if name in columns:
                    raise ValueError(f"two analyzers give a column {name!r}")
                columns[name] = values
        return cls(
            tuple(row for part in parts for row in part.rows),
            columns,
            tuple(note for part in parts for note in part.notes),
        )


def finite(value: float) -> float | None:
    """Turn a numpy scalar into a float, NaN and infinities into None."""
    number = float(value)
    return number if math.isfinite(number) else None
