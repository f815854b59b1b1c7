"""The one number of a sample that a claim is about: live, and in the log of a baseline."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import anyio.to_thread
from inspect_ai.log import (
    EvalLog,
    EvalSample,
    EvalSampleSummary,
    EvalSpec,
    read_eval_log_async,
    read_eval_log_sample_summaries_async,
    read_eval_log_samples,
)
from inspect_ai.scorer import Score

from panopt.errors import AskError, SourceError
from panopt.shims.inspect.live.early_stopping_claim import Population
from panopt.shims.inspect.values import convert, kind_of

__all__ = ["Measure", "baseline_means", "measure_of"]


@dataclass(frozen=True, slots=True)
class Measure:
    """Which score counts, and how it becomes a number.

    Attributes
    ----------
    scorer
        Key of the score in a sample.
    key
        Its part, where the value is a dict; None where it is no dict.
    to_float
        Makes numbers of values; None: C is 1, P .5, I 0, and numbers and bools are themselves.
    low, high
        Least and largest score there can be.
    """

    scorer: str
    key: str | None
    to_float: Callable[[Any], float] | None
    low: float
    high: float

    @property
    def name(self) -> str:
        """What to call it."""
        return self.scorer if self.key is None else f"{self.scorer}.{self.key}"

    def read(self, scores: Mapping[str, Score]) -> tuple[float | None, str | None]:
        """Give the number among a sample's scores, or None and why there is none.

        Raises
        ------
        AskError
            For a value that is no number, or off the range: nothing could be claimed.
        """
        score = scores.get(self.scorer)
        if score is None:
            return None, f"no score of {self.scorer}"
        value: Any = score.value
        if isinstance(value, Mapping):
            if self.key is None:
                keys = ", ".join(map(repr, value))
                raise AskError(f"{self.scorer} gives a dict: name one of its keys ({keys}) by key=")
            if self.key not in value:
                keys = ", ".join(map(repr, value))
                raise AskError(f"key = {self.key!r} is none of {self.scorer}'s: {keys}")
            value = value[self.key]
        elif self.key is not None and kind_of(value) != "missing":
            raise AskError(f"key = {self.key!r}: {self.scorer} gives no dict, but {value!r}")
        return self._number(value, score.reason)

    def _number(self, value: Any, reason: str | None) -> tuple[float | None, str | None]:  # noqa: ANN401 - a score's value
        if self.to_float is not None and (kind := kind_of(value)) != "missing":
            number = float(self.to_float(value))
            if math.isnan(number):
                return None, f"value_to_float makes NaN of a {kind}"
        elif isinstance(value, Sequence) and not isinstance(value, str):
            raise AskError(f"{self.name} gives a list; give value_to_float=")
        elif kind_of(value) == "text":
            raise AskError(f"{self.name} gives {value!r}, which is no number; give value_to_float=")
        else:
            read = convert([value], [reason], nominal=False)
            found = read.score[0]
            if found is None:
                return None, read.error[0]
            number = found
        if not self.low <= number <= self.high:
            raise AskError(
                f"{self.name} gives {number:g}, off score_range = ({self.low:g}, {self.high:g})"
            )
        return number, None


def measure_of(
    spec: EvalSpec,
    *,
    scorer: str | None,
    key: str | None,
    to_float: Callable[[Any], float] | None,
    score_range: tuple[float, float],
) -> Measure:
    """Find the score that counts among those the task will give.

    Raises
    ------
    AskError
        Where no scorer is named and there are several, or the named one is not there.
    """
    names = scorer_names(spec)
    if scorer is None:
        if len(names) != 1:
            many = ", ".join(map(repr, names)) or "none"
            raise AskError(f"name the score to stop by with scorer=; the task's are: {many}")
        scorer = names[0]
    elif scorer not in names:
        many = ", ".join(map(repr, names)) or "none"
        raise AskError(f"scorer = {scorer!r} is none of the task's: {many}")
    return Measure(scorer, key, to_float, *score_range)


def scorer_names(spec: EvalSpec) -> list[str]:
    """Name the scores of a task's samples: scorers of one name are numbered.

    The keys are those of `inspect_ai`: ``match``, ``match1``, ``match2``.
    """
    names: list[str] = []
    for one in spec.scorers or ():
        base = one.name.rsplit("/", 1)[-1]
        name, count = base, 0
        while name in names:
            count += 1
            name = f"{base}{count}"
        names.append(name)
    return names


async def baseline_means(
    location: str, measure: Measure, population: Population
) -> dict[str, float]:
    """Read the mean score of every item in a log; items of which no response has one are left out.

    Raises
    ------
    AskError
        For a log whose scores are no numbers on the range, or not there; for one that is not whole
        where it is to stand for other items: which items it has depends on how it scored.
    SourceError
        For a log that cannot be read.
    """
    try:
        rows: list[EvalSample] | list[EvalSampleSummary]
        header = await read_eval_log_async(location, header_only=True)
        if header.invalidated:
            rows = await anyio.to_thread.run_sync(_valid_samples, location)
        else:
            rows = await read_eval_log_sample_summaries_async(location)
    except (OSError, ValueError, KeyError) as error:
        raise SourceError(f"cannot be read as the baseline ({error})", source=location) from error
    if population != "dataset":
        _refuse_part(header, location)
    errors_count = bool(header.eval.config.score_on_error)
    found: dict[str, list[float]] = defaultdict(list)
    seen: set[str] = set()
    for row in rows:
        seen.update(row.scores or ())
        if row.error is not None and not errors_count:
            continue
        try:
            number, _ = measure.read(row.scores or {})
        except AskError as error:
            raise AskError(f"baseline {location}: {error}") from error
        if number is not None:
            found[str(row.id)].append(number)
    if not found:
        there = ", ".join(map(repr, sorted(seen))) or "none"
        raise AskError(f"baseline {location}: no score of {measure.name}; its scores are: {there}")
    return {item: math.fsum(own) / len(own) for item, own in found.items()}


def _refuse_part(header: EvalLog, location: str) -> None:
    stopping = header.results and header.results.early_stopping
    why = f"ended with status {header.status!r}" if header.status != "success" else None
    if stopping and stopping.early_stops:
        why = "was itself stopped early"
    if why is not None:
        raise AskError(
            f"baseline {location} {why}: which items it has may depend on its scores, so that it "
            "can serve population='dataset' only"
        )


def _valid_samples(location: str) -> list[EvalSample]:
    samples = read_eval_log_samples(location, all_samples_required=False)
    return [sample for sample in samples if sample.invalidation is None]
