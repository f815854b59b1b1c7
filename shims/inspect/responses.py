"""The samples of a log as columns, and what became of each."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from panopt.records.source import Counts
from panopt.shims.inspect.header import Header
from panopt.shims.inspect.logs import order_key
from panopt.shims.inspect.schema import Sample
from panopt.shims.inspect.series import is_ours

__all__ = ["Responses"]

JUDGED, ERRORED, INVALIDATED = 0, 1, 2


def _integers() -> array[int]:
    return array("q")


@dataclass(slots=True)
class Tokens:
    """What one model used: samples, and the tokens read and written in each; -1 = not said."""

    sample: array[int] = field(default_factory=_integers)
    read: array[int] = field(default_factory=_integers)
    written: array[int] = field(default_factory=_integers)


@dataclass(slots=True)
class Responses:
    """Lists of one length, one entry a sample."""

    header: Header
    keeps_targets: bool
    ids: list[str] = field(default_factory=list)
    epochs: list[int] = field(default_factory=list)
    families: list[str | None] = field(default_factory=list)
    clusters: list[str | None] = field(default_factory=list)
    hashes: list[str | None] = field(default_factory=list)
    lengths: list[int | None] = field(default_factory=list)
    targets: list[Any] = field(default_factory=list)
    fates: list[int] = field(default_factory=list)
    order: list[tuple[int, str]] = field(default_factory=list)
    usage: dict[str, Tokens] = field(default_factory=dict)
    """By model that is not under test."""
    names: dict[str, str] = field(default_factory=dict)
    retried: int = 0
    scored_errors: int = 0
    """Samples that failed and were scored afterwards."""

    def add(self, sample: Sample) -> bool:
        """Add one sample; tell whether its scores count."""
        facts = sample.metadata
        index = len(self.ids)
        self.ids.append(str(sample.id))
        self.epochs.append(sample.epoch)
        self.families.append(self._name(facts and (facts.task_family or facts.family)))
        self.clusters.append(self._name(facts and facts.cluster))
        said = sample.output.text if sample.output is not None else None
        self.hashes.append(hashlib.sha256(said.encode()).hexdigest()[:16] if said else None)
        self.lengths.append(len(said) if said else None)
        self.targets.append(sample.target if self.keeps_targets else None)
        self.order.append(order_key(sample))
        self.retried += bool(sample.error_retries)
        for model, used in (sample.model_usage or {}).items():
            if model not in self.header.models_under_test:
                tokens = self.usage.setdefault(model, Tokens())
                tokens.sample.append(index)
                tokens.read.append(-1 if used.input_tokens is None else used.input_tokens)
                tokens.written.append(-1 if used.output_tokens is None else used.output_tokens)
        fate = JUDGED
        if sample.invalidation is not None:
            fate = INVALIDATED
        elif sample.error is not None:
            has_scores = any(not is_ours(name) for name in sample.scores or ())
            self.scored_errors += has_scores
            if not (has_scores and self.header.scores_errors):
                fate = ERRORED
        self.fates.append(fate)
        return fate == JUDGED

    def _name(self, value: Any) -> str | None:  # noqa: ANN401 - a JSON value
        if value is None or isinstance(value, dict | list):
            return None
        name = str(value)
        return self.names.setdefault(name, name)

    @property
    def rank(self) -> NDArray[np.int64]:
        """Place of each sample in Inspect's order (epoch, then id)."""
        by_order = sorted(range(len(self.order)), key=self.order.__getitem__)
        rank = np.empty(len(by_order), dtype=np.int64)
        rank[by_order] = np.arange(len(by_order))
        return rank

    def counts(self, sample: NDArray[np.int64], status: Sequence[str]) -> Counts:
        """Count what became of the samples.

        Parameters
        ----------
        sample, status
            Sample and status of every judgment that is not a human's.
        """
        states = np.asarray(status, dtype=object)
        fate = np.asarray(self.fates, dtype=np.int64)
        decided = np.zeros(len(fate), dtype=np.bool_)
        declined = np.zeros(len(fate), dtype=np.bool_)
        decided[sample[states == "ok"]] = True
        declined[sample[states == "abstained"]] = True
        judged = fate == JUDGED
        return Counts(
            planned=self.header.planned,
            completed=int(np.count_nonzero(fate != ERRORED)),
            scored=int(np.count_nonzero(judged & decided)),
            unscored=int(np.count_nonzero(judged & ~decided & ~declined)),
            declined=int(np.count_nonzero(judged & ~decided & declined)),
            errored=int(np.count_nonzero(fate == ERRORED)),
            invalidated=int(np.count_nonzero(fate == INVALIDATED)),
            waiting=self._waiting(),
        )

    def _waiting(self) -> int:
        """Count the items whose first epoch is not in the log, planned before one whose is."""
        place = {name: k for k, name in enumerate(self.header.sample_ids)}
        first = min(self.epochs, default=1)
        found = {
            place[name]
            for name, epoch in zip(self.ids, self.epochs, strict=True)
            if epoch == first and name in place
        }
        return max(found) + 1 - len(found) if found else 0

    def remarks(self) -> tuple[list[str], list[str]]:
        """Say what is worth a note, and what spoils conclusions."""
        notes: list[str] = []
        warnings: list[str] = []
        status, planned, found = self.header.status, self.header.planned, len(self.ids)
        stopped = self.header.stopped
        if stopped is not None and planned is not None:
            n_stopped, why = stopped
            warnings.append(
                f"stopped early: {n_stopped} of {planned} planned samples were not run ({why}); "
                "intervals that take the number of responses as fixed are too narrow for that"
            )
            planned -= n_stopped
        if status != "success":
            ended = "has not ended" if status == "started" else f"ended with status {status!r}"
            planned_text = f" of {planned} planned" if planned is not None else ""
            warnings.append(f"the run {ended}: {found}{planned_text} responses are in the log")
        elif planned is not None and found < planned:
            warnings.append(f"{found} of {planned} planned responses are in the log")
        if self.header.version > 2:
            warnings.append(
                f"log format {self.header.version} is newer than panopt knows (2); fields it "
                "knows were read"
            )
        if self.retried:
            notes.append(f"{self.retried} responses were tried again after an error")
        if self.scored_errors and not self.header.scores_errors:
            warnings.append(
                f"{self.scored_errors} responses failed but were scored afterwards; their scores "
                "are left out"
            )
        return notes, warnings
