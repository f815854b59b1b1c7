"""A certificate of a cascade: from logs in which every judge was asked about what has a label."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from panopt.errors import AskError, CertificateError
from panopt.records.answers import Answers, answers_of
from panopt.records.ask import Ask
from panopt.records.calibration import (
    POOL,
    TIED,
    UNLABELLED,
    human_verdicts,
    one_of_each_cluster,
    promised_of,
)
from panopt.records.cascade import walk
from panopt.records.certificate import ALWAYS, FORMAT_OF_CASCADE, Certificate, Level, Stage
from panopt.records.matrix import Matrix
from panopt.records.scope import scope_of_cascade, source_of
from panopt.records.standing import DRIFT_LEVEL
from panopt.records.study import Study
from panopt.stats.cascade import CertifiedCascade, certify_cascade
from panopt.stats.drift import drift_test

__all__ = ["certify_judges"]

Rows = NDArray[np.int64]

#: More draws than any judge is asked for.
MANY = np.iinfo(np.int32).max


def certify_judges(  # noqa: PLR0913 - what a certificate is made of
    rows: Study,
    matrix: Matrix,
    ask: Ask,
    *,
    data: str,
    date: str | None,
    versions: Mapping[str, str],
) -> Certificate:
    """Certify the cascade of the judges in ``ask.cascade`` on one criterion.

    Parameters
    ----------
    rows, matrix
        The criterion's judgments and human labels.
    ask
        Options; ``costs`` are by judge.
    data, date, versions
        What the certificate tells of its origin.

    Raises
    ------
    AskError
        For judges or costs that these data do not have.
    CertificateError
        Where nothing can be certified, a judge has no confidence, or was not asked about some of
        the labelled responses: those that it was asked about may have been chosen by the answers
        of the judges before it, and are no random sample. Nor where it was asked about some of them
        more often than about others.
    """
    prices = _prices(matrix, ask)
    columns = [matrix.judges.index(name) for name in ask.cascade]
    answers = answers_of(matrix, threshold=ask.threshold)
    scope = scope_of_cascade(rows, matrix, answers, ask)
    human = human_verdicts(matrix, threshold=ask.threshold)
    asked = answers.asked[:, columns]
    labelled = np.flatnonzero((human != UNLABELLED) & asked.any(axis=1))
    _refuse_holes(asked[labelled], ask)
    draws = _draws(answers.times[labelled][:, columns], ask)
    kept, notes = one_of_each_cluster(labelled, matrix.clusters, seed=ask.seed)
    apart = ~np.isin(matrix.clusters, matrix.clusters[human != UNLABELLED])
    pool = np.flatnonzero((answers.times[:, columns] == draws).all(axis=1) & apart)
    found = certify_cascade(
        answers.confidence[kept][:, columns],
        answers.verdict[kept][:, columns] == human[kept, None],
        alpha=ask.alpha,
        delta=ask.delta,
        method=ask.cascade_method,
        costs=prices,
        pool=answers.confidence[pool][:, columns] if len(pool) >= POOL else None,
        unit=all(answers.unit[column] for column in columns),
        rng=np.random.default_rng(ask.seed),
    )
    if not found.feasible:
        raise CertificateError(f"criterion {matrix.criterion!r}: {_short(found, ask)}")
    return Certificate(
        format=FORMAT_OF_CASCADE,
        scope=scope,
        deciding=_stages(answers, human, kept, found, prices, ask, columns, draws),
        alpha=found.alpha,
        delta=found.delta,
        n=found.n,
        errors=found.errors,
        bound=found.bound,
        level=found.level,
        coverage=found.coverage,
        expected_cost=found.expected_cost,
        n_labels=found.n_labels,
        n_tied=int(np.count_nonzero(human[labelled] == TIED)),
        n_undecided=int(np.count_nonzero(human != UNLABELLED)) - len(labelled),
        n_responses=matrix.n_responses,
        promised=promised_of(clustered=len(kept) < len(labelled)),
        method=found.method,
        assumption="; ".join((found.assumption, *notes)),
        warnings=_warnings(answers, matrix, kept, labelled, columns[0], ask),
        seed=ask.seed,
        data=data,
        date=date,
        versions=versions,
    )


def _prices(matrix: Matrix, ask: Ask) -> list[float]:
    """Give the price of each judge of the cascade; refuse what these data cannot meet."""
    if ask.aggregate != "auto" or ask.min_successful != 1:
        raise AskError(
            "options aggregate and min_successful are of a panel: in a cascade one judge decides"
        )
    known = ", ".join(map(repr, matrix.judges))
    for name in ask.cascade:
        if name not in matrix.judges:
            raise AskError(f"cascade names {name!r}, which is no judge here: {known}")
        if ask.cascade.count(name) > 1:
            raise AskError(f"cascade names {name!r} twice")
    by = dict(ask.costs)
    for name, cost in ask.costs:
        if name not in ask.cascade:
            raise AskError(f"cost names {name!r}, which is no judge of the cascade")
        if not math.isfinite(cost):
            raise AskError(f"cost {cost:g} of {name!r} must be finite")
    prices = [float(by.get(name, 1.0)) for name in ask.cascade]
    for (cheap, low), (strong, high) in pairwise(zip(ask.cascade, prices, strict=True)):
        if high < low:
            raise AskError(
                f"costs fall from {low:g} ({cheap}) to {high:g} ({strong}): a cascade goes from "
                "cheap to strong"
            )
    return prices


def _refuse_holes(asked: NDArray[np.bool_], ask: Ask) -> None:
    holes = np.count_nonzero(~asked, axis=0)
    for name, missing in zip(ask.cascade, holes.tolist(), strict=True):
        if missing:
            raise CertificateError(
                f"judge {name!r} was not asked about {missing} of {len(asked)} labelled responses: "
                "a cascade is certified where every one of its judges was asked about every "
                "labelled response (those a live cascade asks are no random sample)"
            )


def _draws(times: NDArray[np.int32], ask: Ask) -> list[int]:
    """Tell how often each judge was asked about every labelled response: as often about each."""
    least, most = times.min(axis=0, initial=MANY), times.max(axis=0, initial=1)
    for name, low, high, column in zip(
        ask.cascade, least.tolist(), most.tolist(), times.T, strict=True
    ):
        if low < high:
            raise CertificateError(
                f"judge {name!r} was asked {low} to {high} times about a labelled response, "
                f"{np.count_nonzero(column < high)} of {len(times)} fewer than {high} times: its "
                "confidence means something else on each; a certificate is of one number of draws"
            )
    return [int(high) for high in most]


def _stages(  # noqa: PLR0913, PLR0917 - what a stage holds
    answers: Answers,
    human: NDArray[np.int32],
    kept: Rows,
    found: CertifiedCascade,
    prices: list[float],
    ask: Ask,
    columns: list[int],
    draws: list[int],
) -> tuple[Stage, ...]:
    thresholds = [
        _threshold(value, unit=answers.unit[column])
        for value, column in zip(found.thresholds.tolist(), columns, strict=True)
    ]
    walked = walk(answers, columns, thresholds)
    stage, wrong = walked.stage[kept], walked.verdict[kept] != human[kept]
    stages, left = [], np.ones(len(kept), dtype=np.bool_)
    for s, (name, column) in enumerate(zip(ask.cascade, columns, strict=True)):
        mine = stage == s
        seen = Counter(
            None if math.isnan(value) else value
            for value in answers.confidence[kept[left], column].tolist()
        )
        stages.append(
            Stage(
                judge=name,
                threshold=thresholds[s],
                source=source_of(answers, column, name),
                unit=answers.unit[column],
                draws=draws[s],
                cost=prices[s],
                n=int(mine.sum()),
                errors=int(np.count_nonzero(mine & wrong)),
                seen=tuple(
                    Level(confidence=value, count=count)
                    for value, count in sorted(
                        seen.items(), key=lambda pair: (pair[0] is not None, pair[0] or 0.0)
                    )
                ),
            )
        )
        left &= ~mine
    return tuple(stages)


def _threshold(value: float, *, unit: bool) -> float | None:
    """Give a threshold that JSON can hold and that decides as the certified one."""
    if value == math.inf:
        return None
    return max(value, 0.0 if unit else ALWAYS)


def _short(found: CertifiedCascade, ask: Ask) -> str:
    """Say why nothing is certified, and how many labels it would take."""
    why = found.reason or "nothing is certified"
    if not found.n_labels:
        why = "no response has both a human label and a judgment of the cascade"
    why = re.sub(r"\bjudge (\d+)\b", lambda at: f"judge {ask.cascade[int(at[1])]!r}", why)
    return (
        f"{why}; alpha = {found.alpha:g} at delta = {found.delta:g} takes at least "
        f"{found.labels_needed} labelled responses that the cascade accepts, and more with errors"
    )


def _warnings(  # noqa: PLR0913, PLR0917 - one argument a thing that is looked at
    answers: Answers, matrix: Matrix, kept: Rows, labelled: Rows, first: int, ask: Ask
) -> tuple[str, ...]:
    """Say where labelled responses are no random sample of the responses of their own logs."""
    apart = ~np.isin(matrix.clusters, matrix.clusters[labelled])
    others, _ = one_of_each_cluster(
        np.flatnonzero(answers.asked[:, first] & apart), matrix.clusters, seed=ask.seed
    )
    confidence = np.nan_to_num(answers.confidence[:, first], nan=ALWAYS)
    drift = drift_test(confidence[kept], confidence[others], rng=np.random.default_rng(ask.seed))
    if drift.p_value is None or drift.p_value > DRIFT_LEVEL:
        return ()
    text = (
        f"the {drift.n_reference} labelled responses are no random sample of these logs: the "
        f"confidences of {matrix.judges[first]!r} on {drift.n} others are distributed otherwise "
        f"(largest difference {drift.difference:.3f}, p = {drift.p_value:.2g})"
    )
    return (text,)
