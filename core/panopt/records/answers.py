"""What each judge alone says of every response: its verdict, and how sure it is of that."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from panopt.records.ballots import ballots
from panopt.records.calibration import NO_WINNER, plurality
from panopt.records.matrix import Matrix

__all__ = ["REPEATS", "STATED", "Answers", "answers_of"]

Floats = NDArray[np.float64]

#: Source of a confidence that is counted from repeats, and of one that does not tell its source.
REPEATS = "vote share over repeats"
STATED = "stated"


@dataclass(frozen=True, slots=True)
class Answers:
    """Each judge by itself; all arrays are (responses, judges) or (judges,).

    Attributes
    ----------
    verdict
        1 pass, 0 fail, or the label's code, of its one vote as a panel would count it (repeats of
        binary, pairwise and labelled verdicts: the commonest; else their mean); -1 where it gave
        none, called a tie or is evenly split over repeats.
    confidence
        In that verdict; NaN where there is none. A stated confidence is what the judge's repeats
        together believe of the verdict: the mean of theirs, of those with the other verdict what
        is left to one (of a margin, its negative; of labels and pairs, which have more than one
        other verdict, nothing). Else the share of repeats on the verdict's
        side, of responses with two or more.
    times
        How often the judge was asked, whatever came of it.
    asked
        Whether it was asked at all.
    sources
        Where each judge's confidence comes from, every source that it tells; empty where it has
        none.
    unit
        Whether it lies on [0, 1]: margins do not.
    draws
        Most times the judge was asked about a response.
    """

    verdict: NDArray[np.int32]
    confidence: Floats
    times: NDArray[np.int32]
    asked: NDArray[np.bool_]
    sources: tuple[tuple[str, ...], ...]
    unit: tuple[bool, ...]
    draws: tuple[int, ...]


def answers_of(matrix: Matrix, *, threshold: float) -> Answers:
    """Read each judge of a criterion by itself; a score passes at `threshold` or above.

    O(judgments) time, O(responses x judges) memory.
    """
    votes, k, cells = matrix.votes, matrix.n_judges, matrix.n_responses * matrix.n_judges
    every = votes.response.astype(np.int64) * k + votes.judge
    rows = np.bincount(every, minlength=cells).reshape(-1, k)
    nominal = matrix.scale.kind == "nominal"
    decisive = votes.label >= 0 if nominal else ~np.isnan(votes.score)
    cell = every[decisive]
    if nominal:
        side = votes.label[decisive]
        verdict = np.maximum(plurality(cell, side, cells), -1)
        two_sided = False  # no log tells whether there are labels that nobody gave
    else:
        side = (votes.score[decisive] >= threshold).astype(np.int32)
        vote = ballots(matrix)[0].reshape(-1)
        verdict = np.where(np.isnan(vote), -1, vote >= threshold).astype(np.int32)
        two_sided = matrix.scale.kind != "pairwise"
        if not two_sided:  # a tie is a third side, and no verdict
            side[votes.score[decisive] == 0.5] = NO_WINNER
            verdict[vote == 0.5] = -1
    same = side == verdict[cell]
    probability, margin = votes.confidence[decisive], votes.margin[decisive]
    other = 1.0 - probability if two_sided else np.zeros_like(probability)
    believed = np.where(same, probability, other)
    stated = np.where(np.isnan(margin), believed, np.where(same, margin, -margin))
    tells = ~(np.isnan(probability) & np.isnan(margin))
    told = np.bincount(cell[tells], minlength=cells)
    belief = np.bincount(cell[tells], stated[tells], cells) / np.maximum(told, 1)
    belief[told == 0] = np.nan
    asked = np.bincount(cell, minlength=cells)
    share = np.bincount(cell, same, cells) / np.maximum(asked, 1)
    share[asked < 2] = np.nan
    confidence, sources, unit = np.full((matrix.n_responses, k), np.nan), [], []
    judge, source = votes.judge[decisive][tells], votes.source[decisive][tells]
    for m in range(k):
        mine = slice(m, None, k)
        names = tuple(
            sorted(matrix.sources[c] if c >= 0 else STATED for c in np.unique(source[judge == m]))
        )
        unit.append(not (judge[~np.isnan(margin[tells])] == m).any())
        if not names and (asked[mine] > 1).any():
            names, confidence[:, m] = (REPEATS,), share[mine]
        elif names:
            confidence[:, m] = belief[mine].clip(0.0, 1.0) if unit[m] else belief[mine]
        sources.append(names)
    table = verdict.reshape(-1, k)
    return Answers(
        verdict=table,
        confidence=np.where(table >= 0, confidence, np.nan),
        times=rows.astype(np.int32),
        asked=rows > 0,
        sources=tuple(sources),
        unit=tuple(unit),
        draws=tuple(rows.max(axis=0, initial=0).tolist()),
    )
