"""What the metrics of cascades compute; pure, over Inspect's scores of samples."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from inspect_ai.scorer import SampleScore

from panopt.shims.inspect.live.cascade_score import ABSTAINED, CASCADE, DECIDED
from panopt.shims.inspect.live.summary import costs_of
from panopt.stats.mean import mean_interval

__all__ = ["rates_of", "stages_of"]

Numbers = dict[str, str | int | float | bool | None]


def rates_of(scores: Sequence[SampleScore], *, level: float = 0.95) -> Numbers:
    """Give coverage and abstention with intervals, ends by kind, calls and cost of a response.

    Parameters
    ----------
    scores
        Of cascades; others count for nothing.
    level
        Of the intervals.
    """
    told = [_part(score, CASCADE) for score in scores]
    if not any(told):
        return {}
    ends = Counter(str(part.get("end")) for part in told if part)
    found: Numbers = {"responses": sum(ends.values())}
    judged = [
        score
        for score, part in zip(scores, told, strict=True)
        if part.get("end") in ("decided", "abstained", "budget")
    ]
    for key in (DECIDED, ABSTAINED):
        values = np.array([_number(score, key) for score in judged])
        clusters = [str(score.sample_id) for score in judged]
        mean = mean_interval(values, clusters=clusters or None, alpha=1.0 - level)
        found |= {key: mean.value, f"{key}_low": mean.low, f"{key}_high": mean.high}
    found |= {f"ended_{end}": count for end, count in sorted(ends.items())}
    juries = [_part(score, "jury") for score in scores]
    n = len(scores)
    for key in ("asked", "failed", "calls"):
        found[f"{key}_each"] = sum(_count(jury.get(key)) for jury in juries) / n
    return found | costs_of(juries)


def stages_of(scores: Sequence[SampleScore]) -> Numbers:
    """Give the share of the decided responses that each judge decided; all add up to 1."""
    judges = Counter(
        str(part["judge"]) for score in scores if "judge" in (part := _part(score, CASCADE))
    )
    total = sum(judges.values())
    return {judge: count / total for judge, count in sorted(judges.items())}


def _part(score: SampleScore, name: str) -> Mapping[str, Any]:
    part = (score.score.metadata or {}).get(name)
    return part if isinstance(part, Mapping) else {}


def _number(score: SampleScore, key: str) -> float:
    value = score.score.value
    given = value.get(key) if isinstance(value, Mapping) else None
    return float(given) if isinstance(given, int | float) else math.nan


def _count(given: object) -> int:
    return given if isinstance(given, int) and not isinstance(given, bool) else 0
