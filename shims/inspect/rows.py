"""Streams of scores as the columns of a study."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from panopt.records.arrow import coded, numbers, texts
from panopt.records.ask import Reading
from panopt.records.judgment import Status
from panopt.shims.inspect.juries import Call
from panopt.shims.inspect.layout import Layout, Place, criterion_for
from panopt.shims.inspect.panels import Reply
from panopt.shims.inspect.responses import JUDGED, Responses
from panopt.shims.inspect.series import Gathered, Series, SeriesKey
from panopt.shims.inspect.values import Kind, convert, kinds_of, scale_of

__all__ = ["Rows", "build_rows"]


class Rows:
    """Columns under way; one chunk a stream, its rows in Inspect's order of samples."""

    def __init__(self, responses: Responses) -> None:
        self._responses = responses
        self._rank = responses.rank
        self._home: list[NDArray[np.int64]] = []
        self._columns: dict[str, list[pa.Array]] = {}
        self._judged: list[tuple[NDArray[np.int64], list[Status]]] = []

    def add(  # noqa: PLR0913 - the parts of one stream
        self,
        place: Place,
        series: Series,
        kinds: frozenset[Kind],
        *,
        nominal: bool,
        partial: bool,
        prompt: str | None,
        usage: tuple[list[int | None], list[int | None]] | None,
    ) -> None:
        """Add one stream of scores."""
        # The explanation of a dict of judges is no one judge's.
        said = series.key.form != "dict" or place.judge != series.key.part
        n = len(series.sample)
        converted = convert(series.value, series.reason, nominal=nominal)
        sample = np.asarray(series.sample, dtype=np.int64)
        order = np.argsort(self._rank[sample], kind="stable")
        self._home.append(self._rank[sample[order]])
        if place.kind != "human":
            self._judged.append((sample, converted.status))
        replies: Sequence[Reply | Call | None] = series.call or (
            series.reply + [None] * (n - len(series.reply))
        )
        tokens = usage or (
            [reply.input_tokens if reply else None for reply in replies],
            [reply.output_tokens if reply else None for reply in replies],
        )
        for name, constant in (
            ("criterion", place.criterion),
            ("judge", place.judge),
            ("judge_kind", place.kind),
            ("scale", _scale(series, kinds, nominal=nominal, partial=partial)),
            ("prompt_hash", series.call[0].prompt_hash if series.call else prompt),
            ("score_name", series.key.name),
        ):
            self._columns.setdefault(name, []).append(_constant(constant, n))
        text = pa.string()
        for name, array in (
            ("score", _floats(converted.score)),
            ("label", texts(converted.label) if converted.label else pa.nulls(n, text)),
            ("status", texts(converted.status)),
            ("error", texts(converted.error)),
            ("rationale", series.rationale.take_all() if said else pa.nulls(n, pa.large_string())),
            ("input_tokens", _counts(tokens[0])),
            ("output_tokens", _counts(tokens[1])),
            ("latency", _floats([r.latency if r else None for r in replies])),
            *_of_calls(series.call, n),
        ):
            self._columns.setdefault(name, []).append(array.take(numbers(order)))

    def judged(self) -> tuple[NDArray[np.int64], list[Status]]:
        """Give sample and status of every judgment that is not a human's."""
        samples = [sample for sample, _ in self._judged]
        joined = np.concatenate(samples) if samples else np.empty(0, dtype=np.int64)
        return joined, [status for _, own in self._judged for status in own]

    def finish(self, location: str) -> dict[str, Any]:
        """Give the columns of the study."""
        responses = self._responses
        columns: dict[str, Any] = {
            name: pa.chunked_array(parts) for name, parts in self._columns.items()
        }
        if not columns:
            return {"item": texts([]), "judge": texts([])}
        home = numbers(np.concatenate(self._home))
        by_rank = np.argsort(self._rank).tolist()

        def of_sample(values: Sequence[str | None]) -> pa.Array:
            return _names([values[i] for i in by_rank]).take(home)

        return columns | {
            "item": of_sample(responses.ids),
            "sample_id": of_sample(responses.ids),
            "epoch": _counts([responses.epochs[i] for i in by_rank]).take(home),
            "family": of_sample(responses.families),
            "cluster": of_sample(responses.clusters),
            "response_hash": of_sample(responses.hashes),
            "response_length": _counts([responses.lengths[i] for i in by_rank]).take(home),
            "run": _constant(responses.header.run, len(home)),
            "system": _constant(responses.header.model, len(home)),
            "source": _constant(location, len(home)),
        }


def build_rows(
    gathered: Gathered,
    responses: Responses,
    layout: Layout,
    reading: Reading,
    prompts: Mapping[str, str | None],
) -> Rows:
    """Turn all streams into rows: judges and labels first, then edits and targets as labels.

    Parameters
    ----------
    gathered, responses, layout
        What was read, and what it is.
    reading
        ``human`` may ask for targets as labels; ``rationales`` may leave out texts.
    prompts
        Hash of the judges' prompt by score name.
    """
    kinds = {key: kinds_of(gathered.series[key].value) for key in layout.places}
    labels = _edits(gathered, layout) + _targets(responses, layout, reading)
    nominal: dict[str, bool] = {}
    partial: dict[str, bool] = {}
    for key, place in layout.places.items():
        values = gathered.series[key].value
        labelled = "text" in kinds[key] or gathered.series[key].scale == "nominal"
        nominal[place.criterion] = nominal.get(place.criterion, False) or labelled
        partial[place.criterion] = partial.get(place.criterion, False) or "P" in values
    rows = Rows(responses)
    shared = Counter(place.judge for place in layout.places.values())
    for key, place in layout.places.items():
        series = gathered.series[key]
        alone = shared[place.judge] == 1 and not series.reply and not series.call
        rows.add(
            place,
            series,
            kinds[key],
            nominal=nominal[place.criterion],
            partial=partial[place.criterion],
            prompt=prompts.get(key.name) if place.kind == "llm" else None,
            usage=_usage(responses, place.judge, series.sample) if alone else None,
        )
    for place, series in labels:
        rows.add(
            place,
            series,
            kinds_of(series.value),
            nominal=nominal.get(place.criterion, False),
            partial=partial.get(place.criterion, False),
            prompt=None,
            usage=None,
        )
    return rows


def _edits(gathered: Gathered, layout: Layout) -> list[tuple[Place, Series]]:
    """Give scores that people edited as labels by those people."""
    found: dict[tuple[str, str, str], Series] = {}
    for edit in gathered.edits:
        criterion = layout.criterion_of(edit.name, edit.part)
        if criterion is None or isinstance(edit.value, dict | list):
            continue
        series = found.setdefault(
            (criterion, edit.author, edit.name), Series(SeriesKey(edit.name, "scalar"))
        )
        _put(series, edit.sample, edit.value)
    if found:
        layout.notes.append(
            f"{sum(len(s.sample) for s in found.values())} scores were edited by hand: the judge's "
            "score is the one before, the edited one is read as a human label"
        )
    return [
        (Place(criterion, author, "human"), series)
        for (criterion, author, _), series in sorted(found.items(), key=lambda pair: pair[0])
    ]


def _targets(responses: Responses, layout: Layout, reading: Reading) -> list[tuple[Place, Series]]:
    """Give the samples' targets as labels, where the reading asks for them."""
    if "target" not in reading.human:
        return []
    judged = layout.criteria("llm") or layout.criteria("program")
    criterion = criterion_for("target", judged)
    if criterion is None:
        layout.warnings.append(
            f"the samples' targets fit none of several criteria ({', '.join(judged)}) and are not "
            "used as labels"
        )
        return []
    series = Series(SeriesKey("target", "scalar"))
    for index, target in enumerate(responses.targets):
        value = target[0] if isinstance(target, list) and len(target) == 1 else target
        if responses.fates[index] == JUDGED and not isinstance(value, dict | list):
            _put(series, index, value)
    return [(Place(criterion, "target", "human"), series)] if series.sample else []


def _put(series: Series, index: int, value: Any) -> None:  # noqa: ANN401 - a JSON value
    series.sample.append(index)
    series.value.append(value)
    series.reason.append(None)
    series.rationale.append(None)


def _usage(
    responses: Responses, judge: str, sample: Sequence[int]
) -> tuple[list[int | None], list[int | None]] | None:
    """Give the tokens of a model that judged and did nothing else in the sample."""
    used = responses.usage.get(judge)
    if used is None:
        return None
    rows = {row: i for i, row in enumerate(used.sample)}
    found = [rows.get(i) for i in sample]
    return _tokens(used.read, found), _tokens(used.written, found)


def _tokens(counts: Sequence[int], found: Sequence[int | None]) -> list[int | None]:
    return [counts[i] if i is not None and counts[i] >= 0 else None for i in found]


def _scale(series: Series, kinds: frozenset[Kind], *, nominal: bool, partial: bool) -> str | None:
    if nominal:
        return "nominal"
    return series.scale or scale_of(kinds, partial=partial)


def _of_calls(calls: Sequence[Call], n: int) -> list[tuple[str, pa.Array]]:
    """Give the columns that only a jury of panopt's fills."""
    if not calls:
        return [
            ("repeat", pa.array(np.zeros(n, dtype=np.int32))),
            ("order", pa.nulls(n, pa.int8())),
            ("confidence", pa.nulls(n, pa.float64())),
            ("confidence_source", pa.nulls(n, pa.string())),
            ("probabilities", pa.nulls(n, pa.list_(pa.float64()))),
            ("cost", pa.nulls(n, pa.float64())),
            ("cached", pa.array(np.zeros(n, dtype=np.bool_))),
        ]
    first = calls[0]
    order = None if first.order is None else np.full(n, first.order, dtype=np.int8)
    return [
        ("repeat", pa.array(np.full(n, first.repeat, dtype=np.int32))),
        ("order", pa.nulls(n, pa.int8()) if order is None else pa.array(order)),
        ("confidence", _floats([call.confidence for call in calls])),
        ("confidence_source", texts([call.source for call in calls])),
        ("probabilities", pa.array([c.probabilities for c in calls], pa.list_(pa.float64()))),
        ("cost", _floats([call.cost for call in calls])),
        ("cached", pa.array(np.array([call.cached for call in calls], dtype=np.bool_))),
    ]


def _constant(value: str | None, n: int) -> pa.DictionaryArray:
    return coded(np.full(n, -1 if value is None else 0), [value or ""])


def _names(values: Sequence[str | None]) -> pa.DictionaryArray:
    return texts(values).dictionary_encode()


def _floats(values: Sequence[float | None]) -> pa.Array:
    found = np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    return numbers(found, np.isnan(found))


def _counts(values: Sequence[int | None]) -> pa.Array:
    found = np.array([-1 if value is None else value for value in values], dtype=np.int64)
    return numbers(found, found < 0)
