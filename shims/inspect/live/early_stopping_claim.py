"""What is to be settled about a mean, and when an interval settles it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeGuard, get_args

from panopt.errors import AskError

__all__ = ["Claim", "Population", "Verdict", "claim_of"]

Population = Literal["dataset", "items like these"]
Verdict = Literal["shown", "refuted", "narrow enough"]


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim about the mean score, or about its mean difference from a baseline's.

    Attributes
    ----------
    threshold
        The mean is claimed to lie above it, or below where `above` is False; None where only a
        narrow interval is wanted.
    above
        Which side is claimed.
    width
        An interval no wider than this settles it, too; None where none does.
    paired
        True where the mean is that of differences from a baseline.
    low, high
        Least and largest score there can be.
    alpha
        Chance that the interval misses the mean at any time.
    min_items
        Items that must count before anything is settled.
    population
        Whose mean it is.
    """

    threshold: float | None
    above: bool
    width: float | None
    paired: bool
    low: float
    high: float
    alpha: float
    min_items: int
    population: Population

    def verdict(self, low: float, high: float) -> Verdict | None:
        """Tell what an interval settles; None where it settles nothing, or is empty.

        Examples
        --------
        >>> claim = claim_of(above=0.6)
        >>> claim.verdict(0.63, 0.81), claim.verdict(0.4, 0.59), claim.verdict(0.5, 0.7)
        ('shown', 'refuted', None)
        """
        if low > high:
            return None
        if self.threshold is not None:
            if low > self.threshold:
                return "shown" if self.above else "refuted"
            if high < self.threshold:
                return "refuted" if self.above else "shown"
        if self.width is not None and high - low <= self.width:
            return "narrow enough"
        return None

    def words(self, measure: str) -> str:
        """Say the claim about `measure` in words."""
        what = (
            f"mean difference of {measure} from the baseline" if self.paired else f"mean {measure}"
        )
        parts = []
        if self.threshold is not None:
            parts.append(f"{what} is {'above' if self.above else 'below'} {self.threshold:g}")
        if self.width is not None:
            parts.append(f"{what} is known to within {self.width:g}")
        return ", or ".join(parts)


def claim_of(  # noqa: PLR0913 - one claim of several kinds
    *,
    above: float | None = None,
    below: float | None = None,
    width: float | None = None,
    paired: bool = False,
    max_drop: float | None = None,
    better: bool = False,
    alpha: float = 0.05,
    min_items: int = 10,
    population: Population = "dataset",
    score_range: tuple[float, float] = (0.0, 1.0),
) -> Claim:
    """Check the options of a claim, and make it; see :func:`stop_when_settled`.

    Raises
    ------
    AskError
        Names the option, its value and the rule.
    """
    low, high = _range(score_range)
    span = high - low
    ends = (-span, span) if paired else (low, high)
    claims: dict[str, float | None] = {
        "above": above,
        "below": below,
        "max_drop": max_drop,
        "better": 0.0 if better else None,
    }
    given = [name for name, value in claims.items() if value is not None]
    if len(given) > 1:
        raise AskError(f"{' and '.join(given)} are claims each: give one")
    if not given and width is None:
        raise AskError("nothing to settle: give above, below, max_drop, better or width")
    for name in {"max_drop", "better"} & set(given):
        if not paired:
            raise AskError(f"{name} is about a difference: give the baseline, too")
    threshold = None
    for name in given:
        if name == "max_drop":
            threshold = -_number(name, max_drop, 0.0, span, least_too=True)
        else:
            threshold = _number(name, claims[name], *ends)
    if width is not None:
        width = _number("width", width, 0.0, ends[1] - ends[0])
    alpha = _number("alpha", alpha, 0.0, 1.0)
    if not _is_number(min_items) or min_items != int(min_items) or min_items < 1:
        raise AskError(f"min_items = {min_items!r} must be a whole number, 1 or more")
    if population not in get_args(Population):
        names = ", ".join(map(repr, get_args(Population)))
        raise AskError(f"population = {population!r} must be one of {names}")
    return Claim(
        threshold, below is None, width, paired, low, high, alpha, int(min_items), population
    )


def _range(given: object) -> tuple[float, float]:
    if isinstance(given, tuple | list) and len(given) == 2:
        low, high = given
        if _is_number(low) and _is_number(high) and low < high:
            return float(low), float(high)
    raise AskError(f"score_range = {given!r} must be two numbers, the least and the largest score")


def _number(name: str, value: object, low: float, high: float, *, least_too: bool = False) -> float:
    if _is_number(value):
        number = float(value)
        if low < number < high or (least_too and number == low):
            return number
    where = f"from {low:g} to below {high:g}" if least_too else f"between {low:g} and {high:g}"
    raise AskError(f"{name} = {value!r} must be a number {where}")


def _is_number(value: object) -> TypeGuard[float]:
    is_bool = isinstance(value, bool)
    return isinstance(value, int | float) and not is_bool and math.isfinite(value)
