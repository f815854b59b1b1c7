"""One criterion of a study as numpy arrays: responses, judges, repeats and human labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from panopt.errors import AskError
from panopt.records.judgment import STATUSES, is_margin
from panopt.records.scale import Scale
from panopt.records.schema import RESPONSE_KEY

__all__ = ["Matrix", "Votes", "build_matrix"]

Floats = NDArray[np.float64]
Codes = NDArray[np.int32]


@dataclass(frozen=True)
class Votes:
    """Judgments in long format, one entry a judgment, all arrays of one length.

    Attributes
    ----------
    row
        Row of the study's table for this criterion.
    response, judge
        Codes of the response and of the judge.
    repeat
        Draw of the judge on that response, from 0.
    score
        Normalised to [0, 1] on the judge's own scale; NaN where there is no decisive vote.
    label
        Codes into ``Matrix.labels`` for nominal verdicts; -1 where there is none.
    status
        Codes into :data:`panopt.records.judgment.STATUSES` (0 ok, 1 abstained, 2 failed).
    confidence
        The judge's stated probability that its verdict is right, NaN where it gave none.
    margin
        The same where it states a margin, which may be any number: higher is surer.
    source
        Codes into ``Matrix.sources``: where confidence or margin come from; -1 where that is not
        told. Not to be written to.
    """

    row: NDArray[np.int64]
    response: Codes
    judge: Codes
    repeat: Codes
    score: Floats
    label: Codes
    status: NDArray[np.int8]
    confidence: Floats
    margin: Floats
    source: Codes


@dataclass(frozen=True)
class Matrix:
    """Judgments of one criterion, ready for numerics.

    Attributes
    ----------
    criterion
        What was judged.
    scale
        The scale most judges use; scores here are normalised to [0, 1], each on its judge's own.
    judges, humans
        Names by code, sorted; humans are never among the judges.
    judge_scales
        Scale of each judge.
    judge_kinds
        ``llm`` or ``program`` of each judge.
    labels
        Names of nominal verdicts by code.
    votes, human_votes
        Judgments of judges and of humans.
    sources
        Names of what confidences come from, by code.
    response_ids
        Codes of run, system, item, epoch, family and cluster of each response, and
    names
        what those codes stand for (``names["system"][code]``; epoch codes are the epochs).
    """

    criterion: str
    scale: Scale
    judges: tuple[str, ...]
    judge_scales: tuple[Scale, ...]
    judge_kinds: tuple[str, ...]
    humans: tuple[str, ...]
    labels: tuple[str, ...]
    sources: tuple[str, ...]
    votes: Votes
    human_votes: Votes
    response_ids: dict[str, Codes]
    names: dict[str, tuple[str, ...]]

    @property
    def n_responses(self) -> int:
        """Number of responses (rows of :meth:`scores`)."""
        return len(self.response_ids["item"])

    @property
    def n_judges(self) -> int:
        """Number of judges that are not human."""
        return len(self.judges)

    @property
    def items(self) -> Codes:
        """Item code of each response."""
        return self.response_ids["item"]

    @property
    def systems(self) -> Codes:
        """System code of each response; names in ``names["system"]``."""
        return self.response_ids["system"]

    @cached_property
    def clusters(self) -> Codes:
        """Cluster of each response: the named one, else the item (epochs are not independent)."""
        named = self.response_ids["cluster"]
        codes = np.where(named >= 0, named, self.items + len(self.names["cluster"]))
        return np.unique(codes, return_inverse=True)[1].astype(np.int32)

    def name(self, column: str, response: int) -> str:
        """Give the name of one response's item, system, run, epoch ..."""
        code = int(self.response_ids[column][response])
        if column == "epoch":
            return str(code)
        return self.names[column][code] if code >= 0 else ""

    def scores(self, *, reduce: Literal["mean", "median"] = "mean") -> Floats:
        """Give normalised scores as (responses, judges), repeats reduced; NaN: no decisive vote."""
        return _dense(self.votes, self.n_responses, self.n_judges, reduce)

    def status(self) -> NDArray[np.int8]:
        """Give statuses as (responses, judges): the best over repeats; -1 = never asked."""
        worst = len(STATUSES)
        grid = np.full((self.n_responses, self.n_judges), worst, dtype=np.int8)
        np.minimum.at(grid, (self.votes.response, self.votes.judge), self.votes.status)
        grid[grid == worst] = -1
        return grid

    def n_repeats(self) -> NDArray[np.int32]:
        """Count decisive votes as (responses, judges)."""
        ok = ~np.isnan(self.votes.score) | (self.votes.label >= 0)
        key = self.votes.response[ok].astype(np.int64) * self.n_judges + self.votes.judge[ok]
        counts = np.bincount(key, minlength=self.n_responses * self.n_judges)
        return counts.reshape(self.n_responses, self.n_judges).astype(np.int32)

    def cube(self) -> Floats:
        """Give normalised scores as (responses, judges, repeats), NaN where there is none."""
        votes = self.votes
        depth = int(votes.repeat.max(initial=0)) + 1
        grid = np.full((self.n_responses, self.n_judges, depth), np.nan)
        grid[votes.response, votes.judge, votes.repeat] = votes.score
        return grid

    @cached_property
    def human_mean(self) -> Floats:
        """Mean normalised human score of each response, NaN where no human scored it."""
        return _means(self.human_votes.response, self.human_votes.score, self.n_responses)

    @cached_property
    def n_labelled(self) -> int:
        """Number of responses that carry a human score."""
        return int(np.count_nonzero(~np.isnan(self.human_mean)))


class _Rows(Protocol):
    """What of a study the numerics need: columns as codes and numbers, and combinations."""

    def __len__(self) -> int: ...

    def codes(self, column: str) -> tuple[Codes, list[str]]: ...

    def numbers(self, column: str) -> Floats: ...

    def group(self, columns: Sequence[str]) -> NDArray[np.int64]: ...


def build_matrix(study: _Rows, criterion: str) -> Matrix:
    """Build the numpy view of the rows of `study`, which are all of one criterion.

    Raises
    ------
    AskError
        For scores without a scale that are not on [0, 1] as they stand: see
        :func:`panopt.records.settle.settle_scales`.
    """
    response, ids, names = _responses(study)
    kinds, kind_names = study.codes("judge_kind")
    human = np.isin(kinds, [i for i, kind in enumerate(kind_names) if kind == "human"])
    judge_codes, all_judges = study.codes("judge")
    scale_codes, scale_names = study.codes("scale")
    scales = [*map(Scale.parse, scale_names), Scale("continuous")]  # the last: none is known
    label_codes, labels = _present(study, "label")
    status_codes, status_names = study.codes("status")
    to_status = np.array([STATUSES.index(name) for name in status_names] or [0], dtype=np.int8)
    status = to_status[status_codes]
    score = _normalised(study, scales, scale_codes, status)
    confidence = study.numbers("confidence")
    source_codes, sources = _present(study, "confidence_source")
    margins = [code for code, name in enumerate(sources) if is_margin(name)]

    def votes_of(mask: NDArray[np.bool_]) -> tuple[Votes, tuple[str, ...]]:
        rows = np.flatnonzero(mask)
        present = np.unique(judge_codes[rows])
        order = sorted(present.tolist(), key=all_judges.__getitem__)
        recode = np.full(len(all_judges) + 1, -1, dtype=np.int32)
        recode[order] = np.arange(len(order), dtype=np.int32)
        judge = recode[judge_codes[rows]]
        stated, margin, source = confidence[rows], _nowhere(np.nan, len(rows)), source_codes[rows]
        if not sources:  # an array of one number: no memory for what nobody tells
            source = _nowhere(np.int32(-1), len(rows))
        elif margins:
            apart = np.isin(source, margins)
            margin, stated = np.where(apart, stated, np.nan), np.where(apart, np.nan, stated)
        votes = Votes(
            row=rows,
            response=response[rows],
            judge=judge,
            repeat=_ranks(response[rows], judge),
            score=score[rows],
            label=label_codes[rows],
            status=status[rows],
            confidence=stated,
            margin=margin,
            source=source,
        )
        return votes, tuple(all_judges[code] for code in order)

    votes, judges = votes_of(~human)
    human_votes, humans = votes_of(human)
    first_row = _first_rows(votes.judge, len(judges), np.ones(len(votes.row), dtype=np.bool_))
    first_scaled = _first_rows(votes.judge, len(judges), scale_codes[votes.row] >= 0)
    judge_scales = tuple(
        scales[scale_codes[votes.row[row]]] if row >= 0 else scales[-1] for row in first_scaled
    )
    return Matrix(
        criterion=criterion,
        scale=_common_scale(judge_scales),
        judges=judges,
        judge_scales=judge_scales,
        judge_kinds=tuple(kind_names[kinds[votes.row[row]]] for row in first_row),
        humans=humans,
        labels=labels,
        sources=sources,
        votes=votes,
        human_votes=human_votes,
        response_ids=ids,
        names=names,
    )


def _nowhere(value: float | np.int32, n: int) -> NDArray[Any]:
    return np.broadcast_to(np.asarray(value), (n,))


def _normalised(
    study: _Rows, scales: Sequence[Scale], codes: Codes, status: NDArray[np.int8]
) -> Floats:
    """Bring scores to [0, 1], each on its own scale; NaN where there is no decisive vote."""
    raw = np.where(status == 0, study.numbers("score"), np.nan)
    loose = (codes < 0) & ((raw < 0) | (raw > 1))
    if loose.any():
        row = int(np.flatnonzero(loose)[0])
        judge, judges = study.codes("judge")
        raise AskError(
            f"score {raw[row]:g} of judge {judges[judge[row]]!r} has no scale and "
            "is not on [0, 1]; declare a scale, or let settle_scales infer one"
        )
    low = np.array([scale.low for scale in scales])
    width = np.array([scale.high - scale.low for scale in scales])
    raw -= low[codes]
    raw /= width[codes]
    return raw


def _responses(study: _Rows) -> tuple[Codes, dict[str, Codes], dict[str, tuple[str, ...]]]:
    """Give each row its response, and each response its ids, in the order of those ids."""
    response = study.group(RESPONSE_KEY)
    n = int(response.max(initial=-1)) + 1
    first = _first_rows(response, n, np.ones(len(response), dtype=np.bool_))
    ids: dict[str, Codes] = {"epoch": study.numbers("epoch").astype(np.int32)[first]}
    names: dict[str, tuple[str, ...]] = {}
    for column in ("run", "system", "item", "family", "cluster"):
        codes, names[column] = _present(study, column)
        ids[column] = codes[first]
        if column in ("family", "cluster"):  # one row that tells is enough
            ids[column][response[codes >= 0]] = codes[codes >= 0]
    return response.astype(np.int32), ids, names


def _present(study: _Rows, column: str) -> tuple[Codes, tuple[str, ...]]:
    """Give codes and names of a dictionary column, of those names alone that occur in it."""
    codes, known = study.codes(column)
    used = np.unique(codes[codes >= 0])
    if len(used) == len(known):
        return codes, tuple(known)
    recode = np.full(len(known) + 1, -1, dtype=np.int32)
    recode[used] = np.arange(len(used), dtype=np.int32)
    return recode[codes], tuple(known[code] for code in used.tolist())


def _first_rows(group: NDArray[np.integer], n: int, counts: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Find the first row of each group among the rows that count; -1 where there is none."""
    rows = np.flatnonzero(counts)[::-1]
    first = np.full(n, -1, dtype=np.int64)
    first[group[rows]] = rows  # written from the last to the first: the first stays
    return first


def _ranks(response: Codes, judge: Codes) -> Codes:
    """Rank the draws of each judge on each response from 0, in the order of the rows."""
    if not len(response):
        return np.zeros(0, dtype=np.int32)
    width = int(judge.max()) + 1
    key = response.astype(np.int64) * width + judge
    if int(key.max()) < 8 * len(key) and int(np.bincount(key).max()) == 1:
        return np.zeros(len(key), dtype=np.int32)
    order = np.argsort(key, kind="stable")
    grouped = key[order]
    starts = np.flatnonzero(np.r_[True, grouped[1:] != grouped[:-1]])
    sizes = np.diff(np.r_[starts, len(key)])
    ranks = np.empty(len(key), dtype=np.int32)
    ranks[order] = (np.arange(len(key)) - np.repeat(starts, sizes)).astype(np.int32)
    return ranks


def _common_scale(scales: Sequence[Scale]) -> Scale:
    if not scales:
        return Scale("continuous")
    counts = Counter(scales)
    return max(counts, key=lambda scale: (counts[scale], str(scale)))


def _means(code: NDArray[np.integer], score: Floats, n: int) -> Floats:
    ok = ~np.isnan(score)
    total = np.bincount(code[ok], weights=score[ok], minlength=n)
    count = np.bincount(code[ok], minlength=n)
    means: Floats = np.divide(total, count, out=np.full(n, np.nan), where=count > 0)
    # Rounding must not push three scores of .7 below a threshold of .7.
    low, high = np.full(n, np.inf), np.full(n, -np.inf)
    np.minimum.at(low, code[ok], score[ok])
    np.maximum.at(high, code[ok], score[ok])
    return np.clip(means, low, high, out=means, where=count > 0)


def _dense(votes: Votes, n: int, k: int, reduce: str) -> Floats:
    key = votes.response.astype(np.int64) * k + votes.judge
    if reduce == "median" and int(votes.repeat.max(initial=0)) > 1:
        ok = np.flatnonzero(~np.isnan(votes.score))
        order = ok[np.lexsort((votes.score[ok], key[ok]))]
        cells, starts, sizes = np.unique(key[order], return_index=True, return_counts=True)
        low, high = (
            votes.score[order][starts + (sizes - 1) // 2],
            votes.score[order][starts + sizes // 2],
        )
        grid = np.full(n * k, np.nan)
        grid[cells] = (low + high) / 2
        return grid.reshape(n, k)
    if int(votes.repeat.max(initial=0)) == 0:
        grid = np.full(n * k, np.nan)
        grid[key] = votes.score
        return grid.reshape(n, k)
    return _means(key, votes.score, n * k).reshape(n, k)
