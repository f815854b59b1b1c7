"""How many human labels a wanted precision of each system's mean takes, from those there are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from panopt.analysis import aggregate_or_fall_back
from panopt.errors import AskError
from panopt.host import Host
from panopt.records.ask import Ask
from panopt.records.study import Study
from panopt.stats.label_next import LabelsForWidth, labels_for_width

__all__ = ["PlannedLabels", "plan_labels"]


@dataclass(frozen=True, slots=True)
class PlannedLabels:
    """What the labels of one system's responses say of how many it takes.

    Attributes
    ----------
    criterion, system
        What was judged, and whose responses.
    n_labelled, n_responses
        Responses with a label and a score of the panel, and with a score.
    plan
        Labels that bring the interval to the wanted half-width, with the panel's help and
        without; labels already there count among them.
    n_items
        Items of the labelled responses; where fewer than `n_labelled`, labels of one item are
        taken for independent, and the plan is too small where they are alike.
    """

    criterion: str
    system: str
    n_labelled: int
    n_responses: int
    plan: LabelsForWidth
    n_items: int


def plan_labels(
    study: Study, *, half_width: float, ask: Ask | None = None, host: Host | None = None
) -> tuple[PlannedLabels, ...]:
    """Say how many labels bring the interval of each system's mean to a half-width.

    Parameters
    ----------
    study
        Judgments, and human labels of some responses.
    half_width
        Wanted half-width of the interval of the mean on [0, 1], in (0, .5].
    ask
        Options: `criterion`, `aggregate`, `level`, `threshold`, `min_successful`.
    host
        Plugins; the installed ones where not given.

    Raises
    ------
    AskError
        For a half-width off its range, and where no response has a label and a score.
    """
    ask, host = ask or Ask(), host or Host()
    if not 0.0 < half_width <= 0.5:
        raise AskError(f"half_width = {half_width} must lie in (0, .5]: scores are on [0, 1]")
    found = []
    for criterion in dict.fromkeys(ask.criterion or study.criteria):
        rows = study.where("criterion", criterion)
        matrix = rows.matrix(criterion)
        if not (matrix.n_judges and matrix.n_labelled) or matrix.scale.kind == "nominal":
            continue
        score = aggregate_or_fall_back(rows, matrix, ask, host)[0].blind_value
        human = matrix.human_mean
        scored = ~np.isnan(score)
        for code in np.unique(matrix.systems[scored & ~np.isnan(human)]).tolist():
            of = np.flatnonzero((matrix.systems == code) & scored)
            has = ~np.isnan(human[of])
            plan = labels_for_width(
                human[of][has],
                score[of][has],
                score[of][~has],
                half_width=half_width,
                alpha=1.0 - ask.level,
            )
            name = matrix.names["system"][code] if code >= 0 else ""
            items = len(np.unique(matrix.items[of][has]))
            found.append(
                PlannedLabels(criterion, name, int(has.sum()), len(of), plan, n_items=items)
            )
    if not found:
        raise AskError(
            "no response has both a human label and a judge's score to plan from: give --labels, "
            "with five labels or more; panopt analyze --label-next 20 writes a sheet to fill in"
        )
    return tuple(found)
