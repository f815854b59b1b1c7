"""Read the scale of human scores that say none, beside judges whose scale is known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from panopt.records.scale import COMMON_RANGES, Scale, infer_scale, infer_scales

__all__ = ["PersonScale", "commonest", "declared_rival", "fitting", "people_scales"]

FloatArray = NDArray[np.float64]

#: Narrow ranges in use for human grades; those from 0 need a 0 to be told from those from 1.
_GRADES: tuple[tuple[float, float], ...] = ((0, 2), (0, 3), (0, 4), (0, 5), *COMMON_RANGES[1:])

#: From this many scores on, nobody on a wide scale stays in {0, 1} by chance.
_TELLING = 10


@dataclass(frozen=True, slots=True)
class PersonScale:
    """The scale one person's scores are read on, and what else they may be on."""

    scale: Scale
    rival: Scale | None = None
    """A scale of another size that holds all the scores as well; None where none is likely."""
    refused: bool = False
    """Whether the two readings cannot be told apart at all."""


def people_scales(
    found: Counter[Scale], tops: dict[Scale, float], scores: Sequence[FloatArray]
) -> list[PersonScale]:
    """Read the scales of the people of one criterion together.

    Scores in [0, 1] that hold a 0 or a fraction are on [0, 1] whatever the judges' scale; others
    take the scale of the judges that holds them, else the first common range that does. People
    of one criterion share a form, so one who only gave 0s and 1s goes with those who gave more.

    Parameters
    ----------
    found
        How many judges are on each scale.
    tops
        Greatest score the judges on each scale gave.
    scores
        Scores of each person, NaN-free; infinite ones are off every scale.

    Returns
    -------
    list
        One reading a person, with a rival where the scores are small for the scale.

    Examples
    --------
    >>> judges = Counter({Scale("ordinal", 0, 10): 3})
    >>> [read] = people_scales(judges, {}, [np.array([0.0, 1.0, 1.0])])
    >>> str(read.scale)
    'binary'
    """
    finite = [x[np.isfinite(x)] for x in scores]
    beyond = [x for x in finite if x.size and not _inside(x)]
    alone = infer_scales(scores)
    pooled = np.concatenate(finite) if finite else np.empty(0)
    only_ones = bool(np.all(pooled == 1.0))
    read = []
    for x, own in zip(finite, alone, strict=True):
        taken = fitting(found, x) if x.size else None
        if x.size and not _inside(x):
            scale = taken or own
            read.append(PersonScale(scale, _narrower(scale, x, tops.get(scale))))
        elif x.size and beyond:
            crowd = np.concatenate(beyond)
            read.append(_in_crowd(fitting(found, crowd) or infer_scale(crowd), x))
        elif taken is None or not _wide(taken):
            read.append(PersonScale(taken or own))
        else:
            few = x.size < _TELLING and bool((x == 1.0).any())
            rival = taken if only_ones or few else None
            read.append(PersonScale(own, rival, refused=only_ones))
    return read


def declared_rival(scale: Scale, values: FloatArray) -> Scale | None:
    """Give the [0, 1] scale that human scores on a wide scale declared for all may be on.

    Examples
    --------
    >>> str(declared_rival(Scale("ordinal", 0, 10), np.array([0.0, 1.0] * 5)))
    'binary'
    """
    x = values[np.isfinite(values)]
    if x.size < _TELLING or not _wide(scale) or not _inside(x) or scale.off(x).any():
        return None
    return infer_scale(x)


def fitting(found: Counter[Scale], values: FloatArray) -> Scale | None:
    """Give the commonest scale of the panel that holds all the values, None where none does.

    Values between the levels, such as means of whole ratings, take its range without the levels.

    Examples
    --------
    >>> str(fitting(Counter({Scale("ordinal", 1, 5): 3}), np.array([2.0, 3.5])))
    'continuous:1:5'
    """
    ranked = {s: n for s, n in found.items() if s.kind != "nominal"}
    whole = {s: n for s, n in ranked.items() if not s.off(values).any()}
    if whole:
        return commonest(whole)
    wider = {s: n for s, n in ranked.items() if s.low <= values.min() and values.max() <= s.high}
    if not wider:
        return None
    best = commonest(wider)
    return Scale("continuous", best.low, best.high)


def commonest(found: dict[Scale, int]) -> Scale:
    """Give the scale most judges are on, the last by name among equals."""
    return max(found, key=lambda scale: (found[scale], str(scale)))


def _in_crowd(crowd: Scale, x: FloatArray) -> PersonScale:
    """Read a person whose scores lie in [0, 1], beside people on a wider scale."""
    own = infer_scale(x)
    if crowd.off(x).any():
        return PersonScale(own)
    if x.size < _TELLING or not (x == 1.0).any():
        return PersonScale(crowd)
    # All 1s may be a hard grader's; both 0s and 1s look like a form of their own.
    return PersonScale(crowd, own, refused=bool((x == 0.0).any()))


def _narrower(scale: Scale, x: FloatArray, top: float | None) -> Scale | None:
    """Give the range at most half as wide that holds the scores and not those of the judges."""
    for low, high in sorted(_GRADES, key=lambda ends: ends[1] - ends[0]):
        holds = low <= x.min() and x.max() <= high and (low > 0 or x.min() == 0.0)
        if not holds or 2 * (high - low) > scale.high - scale.low:
            continue
        if top is not None and top <= high:
            return None
        return infer_scale(x, ranges=[(low, high)])
    return None


def _inside(x: FloatArray) -> bool:
    return bool(x.min() >= 0.0 and x.max() <= 1.0)


def _wide(scale: Scale) -> bool:
    return scale.low < 0.0 or scale.high > 1.0
