"""The reducer ``panel_epochs``: epochs of panels made one score, labels, gaps and all.

Panels' own metrics see every epoch and need no reducer; this one is for metrics of others.
Inspect's ``mean`` takes a label for 0, and drops all but the first epoch's metadata.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from inspect_ai.scorer import Score, ScoreReducer, score_reducer

from panopt.shims.inspect.juries import PANEL

__all__ = ["panel_epochs"]


@score_reducer(name="panel_epochs")
def panel_epochs() -> ScoreReducer:
    """Reduce numbers to their mean and labels to the commonest, NaN left out.

    A tie of labels is NaN. The metadata hold the panel's value in every epoch under ``epochs``.
    """

    def reduce(scores: list[Score]) -> Score:
        values = [score.value for score in scores]
        dicts = [value for value in values if isinstance(value, Mapping)]
        reduced: Any = math.nan
        if dicts:
            keys = list(dict.fromkeys(key for value in dicts for key in value))
            reduced = {key: _one([value.get(key) for value in dicts]) for key in keys}
        elif values:
            reduced = _one(values)
        told = [value.get(PANEL) if isinstance(value, Mapping) else value for value in values]
        first = scores[0] if scores else Score(value=math.nan)
        return Score(
            value=reduced,
            answer=_same([score.answer for score in scores]),
            explanation=_same([score.explanation for score in scores]),
            reason=_same([score.reason for score in scores]),
            metadata={**(first.metadata or {}), "epochs": told},
        )

    return reduce


def _one(values: Sequence[Any]) -> str | float:
    """Reduce what one key held in every epoch."""
    known = [value for value in values if value is not None and not _is_nan(value)]
    if not known:
        return math.nan
    if all(isinstance(value, int | float) for value in known):
        return math.fsum(known) / len(known)
    (label, most), *others = Counter(str(value) for value in known).most_common(2)
    return math.nan if others and others[0][1] == most else label


def _is_nan(value: object) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _same(texts: Sequence[str | None]) -> str | None:
    return texts[0] if len(set(texts)) == 1 else None
