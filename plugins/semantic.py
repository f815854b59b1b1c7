"""Say how many different things repeated answers say, whatever their wording.

Semantic entropy of Kuhn et al. 2023 and Farquhar et al. 2024 (`panopt.stats.semantic`), with its
relatives: semantic sets, share of the commonest meaning, lexical similarity. Meanings are told
apart by an entailment test of the caller's, or else by exact match of normal forms.

In an analysis the repeated answers are what one judge wrote, or the labels it gave, when it judged
one response several times.
"""

from __future__ import annotations

from math import log
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from panopt.findings import Finding, Findings
from panopt.spec import hookimpl
from panopt.stats.mean import MeanInterval, mean_interval
from panopt.stats.semantic import SemanticEntropy, lexical_similarity, semantic_entropy
from panopt.stats.texts import normal_forms

if TYPE_CHECKING:
    from panopt.records.ask import Ask
    from panopt.records.matrix import Matrix
    from panopt.records.study import Study

__all__ = ["SemanticEntropy", "lexical_similarity", "normal_forms", "semantic_entropy"]

#: More texts than these are represented by a random sample of responses: for exact match, and
#: for the comparison of words, which is quadratic in the repeats.
_MOST_TEXTS = 200_000
_MOST_WORDED = 4_000

#: Where a judge that repeats says nothing twice in this share of responses or more, exact match
#: tells wordings apart: the entropy is log n whatever they mean.
_WORDINGS = 0.9


class _Answers(NamedTuple):
    """Repeated answers: response, group (one judge on one response) and text of each."""

    response: NDArray[np.int32]
    group: NDArray[np.int64]
    text: list[str]
    sampled: bool


@hookimpl
def panopt_analyze(
    study: Study, matrix: Matrix, ask: Ask, rng: np.random.Generator
) -> Findings | None:
    """Find the entropy of what judges said of one response over their repeats."""
    rows = _repeated(study, matrix)
    if not rows.size:
        return None
    nominal = matrix.scale.kind == "nominal"
    answers = _answers(study, matrix, rows, rng, most=_MOST_TEXTS)
    if answers is None:
        return None
    found = semantic_entropy(answers.group, answers.text)
    told = "labels" if nominal else "rationales"
    findings = []
    columns: dict[str, NDArray[np.float64]] = {}
    alone = int(np.count_nonzero(found.n_clusters == found.n))
    if nominal or alone < _WORDINGS * found.n.size:
        value = _by_response(found.entropy, answers, matrix)
        columns["semantic_entropy"] = value
        mean = _mean(value, matrix, ask, most=log(int(found.n.max())))
        findings.append(_entropy_finding(mean, matrix, ask, answers, told=told))
    else:
        findings.append(_no_entropy(matrix, answers, alone, found.n.size))
    if not nominal:
        some = _answers(study, matrix, rows, rng, most=_MOST_WORDED)
        if some is not None:
            alike = _by_response(lexical_similarity(some.group, some.text), some, matrix)
            findings.append(_similarity(_mean(alike, matrix, ask, most=1.0), matrix, ask, some))
    return Findings(tuple(findings), columns)


def _repeated(study: Study, matrix: Matrix) -> NDArray[np.intp]:
    """Find the votes of judges that drew a response more than once; copies are no draws."""
    votes = matrix.votes
    if matrix.scale.kind == "pairwise" or not int(votes.repeat.max(initial=0)):
        return np.zeros(0, dtype=np.intp)  # a pair in both orders is no repeat
    said = "label" if matrix.scale.kind == "nominal" else "rationale"
    column = study.table[said]
    if column.null_count == len(column):
        return np.zeros(0, dtype=np.intp)
    there = np.asarray(column.is_valid().to_numpy())[votes.row]
    there &= ~np.asarray(study.table["cached"].to_numpy())[votes.row]
    rows = np.flatnonzero(there & (votes.status == 0))
    key = _key(matrix, rows)
    return rows[np.bincount(key, minlength=1)[key] > 1]


def _key(matrix: Matrix, rows: NDArray[np.intp]) -> NDArray[np.int64]:
    votes = matrix.votes
    return votes.response[rows].astype(np.int64) * matrix.n_judges + votes.judge[rows]


def _answers(
    study: Study, matrix: Matrix, rows: NDArray[np.intp], rng: np.random.Generator, *, most: int
) -> _Answers | None:
    """Give the texts of those votes, of a sample of judges' responses where they are too many."""
    import pyarrow as pa  # noqa: PLC0415 - heavy, and only needed where there are repeats

    group = np.unique(_key(matrix, rows), return_inverse=True)[1]
    n = int(group.max()) + 1
    sampled = rows.size > most
    if sampled:
        drawn = rng.permutation(n)[: max(1, int(n * most / rows.size))]
        kept = np.isin(group, drawn)
        rows, group = rows[kept], group[kept]
    votes = matrix.votes
    if matrix.scale.kind == "nominal":
        text = [matrix.labels[code] for code in votes.label[rows].tolist()]
    else:
        text = study.table["rationale"].take(pa.array(votes.row[rows])).to_pylist()
    if not text:
        return None
    return _Answers(votes.response[rows], group.astype(np.int64), text, sampled)


def _by_response(
    value: NDArray[np.float64], answers: _Answers, matrix: Matrix
) -> NDArray[np.float64]:
    """Give the mean over judges of each response, NaN where no judge repeated."""
    first = np.unique(answers.group, return_index=True)[1]
    response = answers.response[first]
    ok = ~np.isnan(value)
    n = matrix.n_responses
    total = np.bincount(response[ok], weights=value[ok], minlength=n)
    count = np.bincount(response[ok], minlength=n)
    return np.asarray(np.divide(total, count, out=np.full(n, np.nan), where=count > 0))


def _mean(value: NDArray[np.float64], matrix: Matrix, ask: Ask, *, most: float) -> MeanInterval:
    """Give the mean over responses, with the interval of a score between 0 and `most`."""
    ok = ~np.isnan(value)
    return mean_interval(
        np.clip(value[ok] / most, 0.0, 1.0), clusters=matrix.clusters[ok], alpha=1 - ask.level
    )


def _entropy_finding(
    mean: MeanInterval, matrix: Matrix, ask: Ask, answers: _Answers, *, told: str
) -> Finding:
    depth = int(np.bincount(answers.group).max())
    return _finding(
        matrix,
        ask,
        "semantic_entropy",
        mean,
        most=log(depth),
        unit=f"nats, from 0 (all repeats say the same) to {log(depth):.2f}",
        method=f"entropy of what a judge's {told} say over its repeats, by exact match",
        assumptions=(
            "a judge's repeats are independent draws",
            "an entropy from a handful of repeats is too low: compare it at equal repeats",
        ),
        answers=answers,
    )


def _similarity(mean: MeanInterval, matrix: Matrix, ask: Ask, answers: _Answers) -> Finding:
    return _finding(
        matrix,
        ask,
        "lexical_similarity",
        mean,
        most=1.0,
        unit="mean ROUGE-L of pairs, in [0, 1]",
        method="words in common, in order, of a judge's rationales over its repeats",
        assumptions=("a judge's repeats are independent draws",),
        answers=answers,
    )


def _finding(  # noqa: PLR0913 - one argument a field
    matrix: Matrix,
    ask: Ask,
    name: str,
    mean: MeanInterval,
    *,
    most: float,
    unit: str,
    method: str,
    assumptions: tuple[str, ...],
    answers: _Answers,
) -> Finding:
    low, high = ((x if x is None else x * most) for x in (mean.low, mean.high))
    sample = f", of a random sample of {mean.n} responses" if answers.sampled else ""
    return Finding(
        plugin="semantic",
        name=name,
        criterion=matrix.criterion,
        value=None if mean.value is None else mean.value * most,
        unit=unit,
        low=low,
        high=high,
        level=ask.level if low is not None else None,
        n=mean.n,
        method=f"{method}{sample}; mean over responses, by cluster",
        assumptions=assumptions,
        reason=mean.reason if mean.value is None else None,
        no_interval=mean.reason if mean.value is not None else None,
        details={"n_texts": len(answers.text), "n_clusters": mean.n_clusters},
        headline=False,
    )


def _no_entropy(matrix: Matrix, answers: _Answers, alone: int, n: int) -> Finding:
    differ = "no two rationales of a judge on one response are the same words"
    if alone < n:
        differ = f"in {alone:,} of {n:,} cases {differ}"
    return Finding(
        plugin="semantic",
        name="semantic_entropy",
        criterion=matrix.criterion,
        value=None,
        n=int(np.unique(answers.response).size),
        method="entropy of what a judge's rationales say over its repeats, by exact match",
        reason=(
            f"{differ}: only an entailment test could tell the same meaning "
            "(panopt.plugins.semantic.semantic_entropy, entails=)"
        ),
        headline=False,
    )
