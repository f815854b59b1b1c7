"""Read the rows of a run one by one, as they come, with the reader of results files.

What tells judges apart may show in later rows only (a judge that names itself in what it returns,
two graders of one id): names are settled from all rows seen so far, as a results file settles
them from all its rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from panopt.records.ask import Reading
from panopt.records.certificate import CertifiedJudge
from panopt.records.judgment import STATUSES
from panopt.records.matrix import Matrix, Votes
from panopt.records.scale import Scale
from panopt.shims.promptfoo.collect import Judgments
from panopt.shims.promptfoo.criteria import Settled, settle
from panopt.shims.promptfoo.schema import decode_row

__all__ = ["STATED", "Judged", "LiveRows", "matrix_of_row"]

#: Source of a confidence that a judge told beside its verdict, as in a results file.
STATED = "stated by the judge"


class Judged(NamedTuple):
    """One verdict of one judge on the row at hand."""

    judge: str
    criterion: str
    kind: str
    """``llm`` or ``program``."""
    score: float
    """As the judge gave it; NaN where the status is not ok."""
    status: str
    """``ok``, ``abstained`` or ``failed``."""
    prompt: str | None
    """Hash of what it was asked."""
    confidence: float | None
    """Its own, where it stated one."""


class LiveRows:
    """The rows of a run so far: nothing is kept of them but names.

    Parameters
    ----------
    reading
        ``scorers`` and ``human`` matter, as in a results file.
    """

    def __init__(self, reading: Reading | None = None) -> None:
        options = reading or Reading()
        self._reading = options.model_copy(update={"rationales": False})
        self._judgments = Judgments(self._reading, "this run")
        self._settled: Settled | None = None
        self._known: tuple[int, int, int] = (0, 0, 0)
        self.cluster = ""

    def add(self, raw: bytes) -> list[Judged]:
        """Read one row (JSON of a graded row); give its verdicts, those of humans left out.

        Raises
        ------
        ValueError, TypeError, msgspec.DecodeError, SourceError
            Where it is no row of promptfoo results.
        """
        found = self._judgments
        found.forget_rows()
        found.add(decode_row(raw), "this row")
        self.cluster = _cluster(found)
        settled = self._settle()
        columns = found.columns
        judges, prompts = list(columns.judges), list(columns.prompts)
        rows = zip(
            *(columns.column(name).tolist() for name in ("place", "judge", "score", "status")),
            columns.column("prompt").tolist(),
            strict=True,
        )
        verdicts = []
        for number, (place, own, score, status, prompt) in enumerate(rows):
            name = judges[own] if own else settled.judges[place]
            if name in self._reading.human:
                continue
            verdicts.append(
                Judged(
                    judge=name,
                    criterion=settled.criteria[place],
                    kind="llm" if found.model[place] else "program",
                    score=score,
                    status=STATUSES[status],
                    prompt=prompts[prompt] if prompt >= 0 else None,
                    confidence=columns.confidence.get(number),
                )
            )
        return verdicts

    def _settle(self) -> Settled:
        found = self._judgments
        told = sum(len(names) for names in found.told)
        known = (len(found.places), told, sum(found.model))
        if self._settled is None or known != self._known:
            self._known = known
            self._settled = settle(
                found.rows, found.places, found.told, found.model, scorers=self._reading.scorers
            )
        return self._settled


def _cluster(found: Judgments) -> str:
    """Name what the row is not independent of: its cluster, else its item."""
    named = list(found.responses.clusters)
    return f"cluster {named[0]}" if named else f"item {found.responses.last_item}"


def matrix_of_row(
    verdicts: Sequence[Judged], *, criterion: str, scale: str, judges: Sequence[CertifiedJudge]
) -> Matrix:
    """Make the criterion of one response that a row is, as if it were a file.

    Parameters
    ----------
    verdicts
        Of the row on the criterion, by certified judges alone.
    criterion, scale
        Its name and scale.
    judges
        All certified judges, by name: they have the scales on which scores are brought to [0, 1].
    """
    names = [judge.name for judge in judges]
    scales = tuple(Scale.parse(judge.scale) for judge in judges)
    judge = [names.index(one.judge) for one in verdicts]
    score = [
        float(scales[number].normalise(one.score)) if one.status == "ok" else np.nan
        for number, one in zip(judge, verdicts, strict=True)
    ]
    stated = np.array([np.nan if one.confidence is None else one.confidence for one in verdicts])
    ids = ("run", "system", "item", "epoch", "family", "cluster")
    return Matrix(
        criterion=criterion,
        scale=Scale.parse(scale),
        judges=tuple(names),
        judge_scales=scales,
        judge_kinds=tuple(judge.kind for judge in judges),
        humans=(),
        labels=(),
        sources=(STATED,),
        votes=_votes(judge, score, [STATUSES.index(one.status) for one in verdicts], stated),
        human_votes=_votes([], [], [], np.zeros(0)),
        response_ids={name: np.zeros(1, dtype=np.int32) for name in ids},
        names=dict.fromkeys(ids, ("this one",)),
    )


def _votes(
    judge: Sequence[int],
    score: Sequence[float],
    status: Sequence[int],
    confidence: np.ndarray[tuple[int], np.dtype[np.float64]],
) -> Votes:
    taken: Counter[int] = Counter()
    repeat = []
    for number in judge:
        repeat.append(taken[number])
        taken[number] += 1
    size = len(judge)
    return Votes(
        row=np.arange(size),
        response=np.zeros(size, dtype=np.int32),
        judge=np.array(judge, dtype=np.int32),
        repeat=np.array(repeat, dtype=np.int32),
        score=np.array(score, dtype=np.float64),
        label=np.full(size, -1, dtype=np.int32),
        status=np.array(status, dtype=np.int8),
        confidence=confidence,
        margin=np.full(size, np.nan),
        source=np.where(np.isnan(confidence), -1, 0).astype(np.int32),
    )
