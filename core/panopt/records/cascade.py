"""A certified cascade walked through logs: who decides each response, or why nobody does.

A log of a live cascade has holes by design: judges after the one that decided were not asked. A
judge that was asked and failed, abstained or called a tie passes the response on. One that was not
asked, though the walk comes to it, ends the walk: what the judges after it say was certified only
where it had been asked and was not sure. Nor was one asked as the certified judge is, where it was
asked fewer times than that about a response: of fewer draws its confidence means something else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from panopt.records.answers import Answers, answers_of
from panopt.records.ballots import ballots
from panopt.records.certificate import Certificate
from panopt.records.consensus import Consensus
from panopt.records.matrix import Matrix
from panopt.records.outcomes import outcomes
from panopt.stats.panel import tally_votes

__all__ = ["CASCADE", "Walk", "cascade_consensus", "column_of", "walk", "walk_of"]

Floats = NDArray[np.float64]
Codes = NDArray[np.int32]

#: Name of the aggregation method.
CASCADE = "cascade"


@dataclass(frozen=True, slots=True)
class Walk:
    """A cascade on every response; arrays are (responses,) but for `reached`.

    Attributes
    ----------
    stage
        Which stage decides; -1: none does.
    stopped
        Which stage was to be asked and was not; -1: none. Where both are -1 all that may decide
        were asked, and none is sure enough.
    last
        The last stage that was asked and gave a verdict; -1: none did.
    verdict, confidence
        Of that stage: 1 pass, 0 fail, or the label's code; -1 and NaN where there is none.
    reached
        Which responses each stage was asked about in its turn, (stages, responses).
    """

    stage: Codes
    stopped: Codes
    last: Codes
    verdict: Codes
    confidence: Floats
    reached: NDArray[np.bool_]


def walk(
    answers: Answers,
    columns: Sequence[int | None],
    thresholds: Sequence[float | None],
    draws: Sequence[int] | None = None,
) -> Walk:
    """Ask judge after judge until one is sure enough.

    Parameters
    ----------
    answers
        What each judge says.
    columns
        Which of its judges each stage is; None: a judge that was never asked.
    thresholds
        From which confidence each stage decides; None: never, it is passed over.
    draws
        How often each is to be asked about a response; once or more where not given.
    """
    n = len(answers.verdict)
    stage, stopped, last, verdict = (np.full(n, -1, dtype=np.int32) for _ in range(4))
    confidence, reached = np.full(n, np.nan), np.zeros((len(columns), n), dtype=np.bool_)
    pending = np.ones(n, dtype=np.bool_)
    for s, (column, threshold) in enumerate(zip(columns, thresholds, strict=True)):
        if threshold is None:
            continue
        asked = np.zeros(n, dtype=np.bool_)
        if column is not None:
            times = answers.times[:, column]
            asked = times > 0 if draws is None else times == draws[s]
        stopped[pending & ~asked] = s
        pending &= asked
        reached[s] = pending
        if column is None:
            break
        spoke = pending & (answers.verdict[:, column] >= 0)
        last[spoke], verdict[spoke] = s, answers.verdict[spoke, column]
        confidence[spoke] = answers.confidence[spoke, column]
        sure = spoke & (np.nan_to_num(answers.confidence[:, column], nan=-np.inf) >= threshold)
        stage[sure] = s
        pending &= ~sure
    return Walk(stage, stopped, last, verdict, confidence, reached)


def column_of(matrix: Matrix, judge: str) -> int | None:
    """Give the column of a judge; None where it judged nothing here."""
    return matrix.judges.index(judge) if judge in matrix.judges else None


def walk_of(certificate: Certificate, matrix: Matrix) -> Walk:
    """Walk the cascade of a certificate through a criterion."""
    stages = certificate.stages
    return walk(
        answers_of(matrix, threshold=certificate.scope.threshold),
        [column_of(matrix, stage.judge) for stage in stages],
        [stage.threshold for stage in stages],
        [stage.draws for stage in stages],
    )


def cascade_consensus(certificate: Certificate, matrix: Matrix, why: str) -> Consensus:
    """Take the verdict of the judge that decides, else of the last one that was asked.

    Confidence is that judge's own, where it is a probability. Spread and agreement are those of
    the cascade's judges that were asked in their turn.
    """
    found, stages = walk_of(certificate, matrix), certificate.stages
    n, columns = matrix.n_responses, [column_of(matrix, stage.judge) for stage in stages]
    nominal = matrix.scale.kind == "nominal"
    votes, status = ballots(matrix)
    value = np.full(n, np.nan)
    asked = np.full((n, len(stages)), np.nan)
    fared = np.full((n, len(stages)), -1, dtype=np.int8)
    for s, column in enumerate(columns):
        if column is None:
            continue
        turn, mine = found.reached[s], found.last == s
        asked[turn, s], fared[turn, s] = votes[turn, column], status[turn, column]
        value[mine] = votes[mine, column]
    tally = tally_votes(asked, None if nominal else certificate.scope.threshold, labels=nominal)
    decided = found.last >= 0
    off = [s for s, stage in enumerate(stages) if not stage.unit]
    unknown = np.full(n, np.nan)
    outcome = outcomes(fared, decided.astype(np.int64), least=1)
    value = unknown if nominal else value
    return Consensus(
        criterion=matrix.criterion,
        method=CASCADE,
        why=why,
        value=value,
        sd=unknown,
        estimate=value,
        blind_value=value,
        blind_sd=unknown,
        confidence=np.where(np.isin(found.last, off), np.nan, found.confidence),
        confidence_source=certificate.scope.confidence,
        verdict=found.verdict,
        outcome=outcome,
        n_votes=tally.n.astype(np.int32),
        disagreement=unknown if nominal else tally.high - tally.low,
        spread=unknown if nominal else tally.sd,
        agreement=tally.largest_bloc(),
        assumptions=("a response has the verdict of one judge, whose bias is not corrected",),
        own_votes=True,
    )
