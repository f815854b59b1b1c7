"""The scale a judge scores on, and its [0, 1] form."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panopt.errors import AskError

__all__ = ["Scale", "ScaleKind", "infer_scale", "infer_scales"]

ScaleKind = Literal["binary", "ordinal", "continuous", "nominal", "pairwise"]

#: Ranges in use for judge scores, narrowest first; an undeclared scale is the first that fits.
COMMON_RANGES: tuple[tuple[float, float], ...] = (
    (0, 1),
    (1, 5),
    (1, 7),
    (1, 10),
    (0, 10),
    (0, 100),
)

#: More distinct whole numbers than this read as a continuous scale.
MOST_LEVELS = 21

#: More levels than this are a continuous scale by any other name.
MOST_ORDINAL_LEVELS = 1001

#: Kinds whose range follows from the kind.
FIXED_KINDS: tuple[ScaleKind, ...] = ("binary", "nominal", "pairwise")


#: Scores this close to a level are on it.
ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Scale:
    """Kind and range of a score.

    Parameters
    ----------
    kind
        ``binary`` and ``pairwise`` are on [0, 1] (pairwise: 1 = the first wins, .5 = tie);
        ``ordinal`` has the whole numbers from `low` to `high`; ``nominal`` has labels, no range.
    low, high
        Ends of the range, `low` < `high`.

    Examples
    --------
    >>> Scale.parse("ordinal:1:5").normalise([1, 3, 5])
    array([0. , 0.5, 1. ])
    """

    kind: ScaleKind
    low: float = 0.0
    high: float = 1.0

    def __post_init__(self) -> None:
        """Refuse a range that is empty, not finite, or not the one its kind has."""
        if self.kind not in get_args(ScaleKind):
            kinds = ", ".join(get_args(ScaleKind))
            raise AskError(f"scale kind {self.kind!r} is unknown; it must be one of {kinds}")
        text = f"scale {self.kind}:{_shortest(self.low)}:{_shortest(self.high)}"
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise AskError(f"{text}: both ends must be finite, low below high")
        if self.kind in FIXED_KINDS and (self.low, self.high) != (0.0, 1.0):
            raise AskError(f"{text}: {self.kind} takes no range")
        width = self.high - self.low
        if self.kind == "ordinal" and (width != round(width) or width >= MOST_ORDINAL_LEVELS):
            raise AskError(
                f"{text}: an ordinal scale has whole steps from low to high, at most "
                f"{MOST_ORDINAL_LEVELS} levels; declare it continuous"
            )

    @classmethod
    def parse(cls, text: str) -> Scale:
        """Read ``kind`` or ``kind:low:high``, the form :meth:`__str__` writes."""
        kind, *ends = text.strip().split(":")
        if len(ends) not in (0, 2):
            raise AskError(f"scale {text!r} is not of the form KIND or KIND:LOW:HIGH")
        try:
            low, high = (float(ends[0]), float(ends[1])) if ends else (0.0, 1.0)
        except ValueError:
            raise AskError(f"scale {text!r}: LOW and HIGH must be numbers") from None
        return cls(kind, low, high)  # type: ignore[arg-type]  # __post_init__ checks the kind

    def __str__(self) -> str:
        """Give the text form, which :meth:`parse` reads back."""
        if self.kind in FIXED_KINDS:
            return self.kind
        return f"{self.kind}:{_shortest(self.low)}:{_shortest(self.high)}"

    @property
    def usual(self) -> bool:
        """Whether its range is one in common use for scores, not merely what the scores span."""
        return (self.low, self.high) in COMMON_RANGES

    @property
    def levels(self) -> NDArray[np.float64] | None:
        """The levels of an ordinal, binary or pairwise scale; None where it has none."""
        if self.kind == "binary":
            return np.array([0.0, 1.0])
        if self.kind == "pairwise":
            return np.array([0.0, 0.5, 1.0])
        if self.kind == "ordinal":
            return np.arange(self.low, self.high + 0.5)
        return None

    def normalise(self, score: ArrayLike) -> NDArray[np.float64]:
        """Map scores of any shape to [0, 1]: ``(score - low) / (high - low)``."""
        return (np.asarray(score, dtype=np.float64) - self.low) / (self.high - self.low)

    def raw(self, value: ArrayLike) -> NDArray[np.float64]:
        """Map [0, 1] values of any shape back to the scale."""
        return np.asarray(value, dtype=np.float64) * (self.high - self.low) + self.low

    def off(self, score: ArrayLike) -> NDArray[np.bool_]:
        """Tell which scores the scale does not allow (NaN, a missing score, is allowed).

        A score is off where it is outside the range, or between the levels of a scale that has
        levels.
        """
        x = np.asarray(score, dtype=np.float64)
        if self.kind == "nominal":
            return np.zeros(x.shape, dtype=np.bool_)
        bad = (x < self.low) | (x > self.high)
        if self.kind in ("binary", "ordinal", "pairwise"):
            steps = 2 * x if self.kind == "pairwise" else x - self.low
            with np.errstate(invalid="ignore"):  # infinities are off already, NaN is never above
                bad |= np.abs(steps - np.round(steps)) > ROUNDING
        return np.asarray(bad)


def infer_scale(
    score: ArrayLike, *, ranges: Sequence[tuple[float, float]] = COMMON_RANGES
) -> Scale:
    """Guess the scale of one judge from its finite scores: the first common range that fits.

    Two-valued 0/1 scores are binary; whole numbers with few levels are ordinal; the rest is
    continuous. Scores outside every common range take their own minimum and maximum.

    Examples
    --------
    >>> str(infer_scale([1, 4, 5])), str(infer_scale([0.2, 1])), str(infer_scale([0, 1]))
    ('ordinal:1:5', 'continuous:0:1', 'binary')
    """
    x = np.asarray(score, dtype=np.float64)
    x = x[np.isfinite(x)]
    if x.size == 0:
        return Scale("continuous")
    least, most = float(x.min()), float(x.max())
    whole = bool(np.all(x == np.round(x)))
    low, high = next(
        ((lo, hi) for lo, hi in ranges if lo <= least and most <= hi),
        (least, most) if least < most else (min(0.0, least), max(1.0, most)),
    )
    if whole and (low, high) == (0.0, 1.0):
        return Scale("binary")
    if whole and high - low < MOST_LEVELS:
        return Scale("ordinal", float(low), float(high))
    return Scale("continuous", float(low), float(high))


def infer_scales(scores: Sequence[NDArray[np.float64]]) -> list[Scale]:
    """Guess the scales of the judges of one criterion together.

    A judge whose scores leave [0, 1] shows the panel's wide range; a judge that used only the
    part of it below 1 (or only 1s) is read on the wide range when it never scored strictly
    between 0 and 1 nor 0 itself, and on [0, 1] when it did. Judges that together fit no common
    range share one only where each spans half of it; else those of no common range keep their
    own.
    """
    alone = [infer_scale(x) for x in scores]
    inside = [scale.low >= 0.0 and scale.high <= 1.0 for scale in alone]
    wide = [x for x, small in zip(scores, inside, strict=True) if not small]
    if not wide:
        mixed = any(scale.kind == "continuous" for scale in alone)
        return [Scale("continuous") if mixed else scale for scale in alone]
    panel = infer_scale(np.concatenate(wide))
    if not panel.usual and any(2 * _span(x) < panel.high - panel.low for x in wide):
        usual = [x for x, scale in zip(scores, alone, strict=True) if scale.usual]
        read = iter(infer_scales(usual))
        return [next(read) if scale.usual else scale for scale in alone]
    found = []
    for x, scale, small in zip(scores, alone, inside, strict=True):
        finite = x[np.isfinite(x)]
        fits = finite.size > 0 and bool(finite.min() >= panel.low and finite.max() <= panel.high)
        takes_wide = fits and (not small or finite.min() >= 1.0)
        found.append(panel if takes_wide else scale)
    return found


def _span(x: NDArray[np.float64]) -> float:
    finite = x[np.isfinite(x)]
    return float(finite.max() - finite.min())


def _shortest(number: float) -> str:
    """Write a number in the fewest digits that read back as the same number."""
    return repr(float(number)).removesuffix(".0")
