"""What an audit of judges needs of one criterion: who stands beside whom, lengths, texts, dates."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from panopt.records.arrow import codes_of
from panopt.records.ask import Ask
from panopt.records.families import family_of, model_codes
from panopt.records.matrix import Matrix
from panopt.records.study import Study

__all__ = ["AuditCase", "audit_case", "days_of", "flips_of", "lengths_of", "texts_of"]

Floats = NDArray[np.float64]
Codes = NDArray[np.integer]

_SHARED = 0.8  # of a judge's responses that another must have scored to stand beside it
_FEWEST_LABELS = 20


@dataclass(frozen=True)
class AuditCase:
    """Scores of one criterion, and what is known of what they are of."""

    study: Study
    matrix: Matrix
    ask: Ask
    judges: tuple[int, ...]
    """Codes of the judges that are looked at: the models, where there are any."""

    @property
    def alpha(self) -> float:
        """One minus the level of intervals."""
        return 1.0 - self.ask.level

    @property
    def pairwise(self) -> bool:
        """Whether verdicts are on pairs of answers."""
        return self.matrix.scale.kind == "pairwise"

    @cached_property
    def scores(self) -> Floats:
        """Scores (responses, judges), repeats averaged."""
        return self.matrix.scores()

    @cached_property
    def there(self) -> NDArray[np.bool_]:
        """Which of them there are."""
        there: NDArray[np.bool_] = ~np.isnan(self.scores)
        return there

    @cached_property
    def both(self) -> Floats:
        """How many responses two judges both scored (judges, judges)."""
        there = self.there.astype(np.float64)
        both: Floats = there.T @ there
        return both

    @cached_property
    def family(self) -> dict[int, str | None]:
        """Maker of each judge."""
        return {j: family_of(self.matrix.judges[j], self.ask.families) for j in self.judges}

    @cached_property
    def makers(self) -> list[str | None]:
        """Maker of each system by its code."""
        return [family_of(name, self.ask.families) for name in self.matrix.names["system"]]

    @cached_property
    def models(self) -> tuple[int, ...]:
        """Model of each judge: two prompts of one model are no two judges."""
        return model_codes(self.matrix.judges)

    @property
    def labelled(self) -> bool:
        """Whether enough responses have a human score."""
        return self.matrix.n_labelled >= _FEWEST_LABELS

    def name(self, judge: int) -> str:
        """Name a judge by its code."""
        return self.matrix.judges[judge]

    def beside(self, judge: int, *, other_family: bool = False) -> list[int]:
        """List the judges of other models that scored most of what a judge scored."""
        least = _SHARED * self.both[judge, judge]
        return [
            other
            for other in self.judges
            if self.models[other] != self.models[judge]
            and not (other_family and self.family[other] == self.family[judge])
            and self.both[judge, other] >= max(1.0, least)
        ]


def audit_case(study: Study, matrix: Matrix, ask: Ask) -> AuditCase:
    """Take the models among the judges; all judges where none is a model."""
    models = tuple(j for j, kind in enumerate(matrix.judge_kinds) if kind == "llm")
    return AuditCase(study, matrix, ask, models or tuple(range(matrix.n_judges)))


def lengths_of(panel: AuditCase) -> Floats | None:
    """Give the characters of each response, NaN where no row tells; None where none does."""
    if panel.study.table["response_length"].null_count == len(panel.study):
        return None
    told = panel.study.numbers("response_length")[panel.matrix.votes.row]
    known = ~np.isnan(told)
    length = np.full(panel.matrix.n_responses, np.nan)
    length[panel.matrix.votes.response[known]] = told[known]
    return length


def flips_of(panel: AuditCase) -> tuple[Floats, Codes] | None:
    """Give flip shares (texts, judges) of texts that a judge scored twice, and their clusters.

    Epochs of which the text is the same count as repeats; verdicts copied from a cache do not.
    """
    matrix, votes = panel.matrix, panel.matrix.votes
    epochs = matrix.response_ids["epoch"]
    if votes.repeat.max(initial=0) == 0 and (not epochs.size or np.ptp(epochs) == 0):
        return None
    text = texts_of(panel, ("run", "system", "item"))
    fresh = ~np.isnan(votes.score)
    cached = panel.study.numbers("cached")[votes.row] > 0.0
    fresh &= ~cached
    cell = text[votes.response[fresh]].astype(np.int64) * matrix.n_judges + votes.judge[fresh]
    n = np.bincount(cell)
    if n.max(initial=0) < 2:
        return None
    again = np.flatnonzero(np.bincount(np.arange(n.size) // matrix.n_judges, n > 1))
    first = np.zeros(int(text.max()) + 1, dtype=np.int64)
    first[text[::-1]] = np.arange(matrix.n_responses)[::-1]
    size = (int(text.max()) + 1) * matrix.n_judges
    passed = np.bincount(cell, votes.score[fresh] >= panel.ask.threshold, size)
    n = np.bincount(cell, minlength=size)
    pairs = n * (n - 1.0)
    flips = np.divide(2.0 * passed * (n - passed), pairs, out=np.full(size, np.nan), where=n > 1)
    return flips.reshape(-1, matrix.n_judges)[again], matrix.clusters[first[again]]


def texts_of(panel: AuditCase, columns: tuple[str, ...]) -> Codes:
    """Give each text a number: responses of equal hash in the same `columns` are one."""
    matrix = panel.matrix
    n = matrix.n_responses
    column = panel.study.table["response_hash"]
    if column.null_count == len(panel.study):
        return np.arange(n)
    hashes = np.full(n, -1, dtype=np.int64)
    hashes[matrix.votes.response] = codes_of(column.unify_dictionaries())[matrix.votes.row]
    key = hashes + 1
    for name in columns:
        codes = matrix.response_ids[name].astype(np.int64)
        key = np.unique(key, return_inverse=True)[1] * (int(codes.max(initial=0)) + 2) + codes + 1
    key = np.where(hashes < 0, -1 - np.arange(n), key)  # nobody knows the text: one of its own
    return np.unique(key, return_inverse=True)[1]


def days_of(panel: AuditCase) -> Floats:
    """Give the day on which each response's run began, NaN where no source tells."""
    begun = {
        run: datetime.fromisoformat(source.begun).astimezone(UTC).timestamp() / 86400.0
        for source in panel.study.sources
        if source.begun is not None
        for run in source.runs
    }
    days = np.array([begun.get(run, np.nan) for run in panel.matrix.names["run"]] + [np.nan])
    return days[panel.matrix.response_ids["run"]]
