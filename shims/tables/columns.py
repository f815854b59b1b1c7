"""Columns of a table to the columns of a study: by a mapping, their own or other names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from panopt.errors import NotALogError, SourceError
from panopt.records.ask import Reading
from panopt.records.judgment import Judgment
from panopt.records.source import SourceFile, no_cluster
from panopt.shims.tables.values import KNOWN, declared_scales, looks_numeric, typed, verdicts

__all__ = ["ALIASES", "Mapped", "map_columns"]

#: Other names columns go by in the wild, first match wins; the study's own names come first.
ALIASES: dict[str, tuple[str, ...]] = {
    "item": ("item_id", "sample_id", "id", "question_id", "case_id"),
    "judge": ("judge_id", "grader", "annotator", "rater", "worker", "judge_model"),
    "score": ("rating", "grade", "value", "human", "human_score"),
    "system": ("response_id", "model", "provider", "target"),
    "criterion": ("task", "metric", "dimension"),
    "rationale": ("reason", "explanation"),
    "label": ("verdict",),
    "family": ("task_family",),
    "input_tokens": ("prompt_tokens",),
    "output_tokens": ("completion_tokens",),
}


@dataclass(frozen=True, slots=True)
class Mapped:
    """A table's columns in the study's words, and what the reader has to say of them."""

    columns: Mapping[str, Any]
    notes: tuple[str, ...]
    warnings: tuple[str, ...]


def map_columns(table: pa.Table, source: SourceFile, reading: Reading) -> Mapped:
    """Give the columns of a study that a table holds, typed.

    Raises
    ------
    SourceError
        For a mapping that does not fit, a missing column, and values of the wrong type.
    """
    labels = reading.judge_kind == "human"
    homes = _mapped(table, dict(reading.columns), source, lenient=labels)
    homes |= _recognised(table, homes, reading)
    unclustered = bool(reading.cluster) and reading.cluster not in table.column_names
    if reading.cluster:
        homes.pop("cluster", None)
        homes |= {} if unclustered else {"cluster": [reading.cluster]}
    columns: dict[str, Any] = {}
    for home, names in homes.items():
        columns[home] = typed(home, _joined(table, names), source, reading)
    warnings = _doubtful(columns)
    if labels:
        columns.setdefault("judge", "human")
    if "label" in columns and "score" not in columns:
        scores = verdicts(columns["label"])
        if scores is not None:
            columns["score"] = scores
    used = {name for names in homes.values() for name in names} | set(reading.human)
    if {"score_min", "score_max"} <= set(table.column_names) and "scale" not in columns:
        columns["scale"] = declared_scales(table, columns, source, reading)
        used.update(("score_min", "score_max"))
    _require(columns, table, source, labels=labels)
    columns.setdefault("judge_kind", reading.judge_kind)
    if reading.human:
        columns["judge_kind"] = _with_people(columns, reading.human, table.num_rows)
    if not reading.rationales:
        columns.pop("rationale", None)
    columns["source"] = source.location
    other = [f"{home} = {'+'.join(names)}" for home, names in homes.items() if names != [home]]
    left_out = [name for name in table.column_names if name not in used]
    notes = (("columns read as", other), ("columns left out", left_out))
    told = [f"{what}: {', '.join(names)}" for what, names in notes if names]
    if unclustered:
        told.append(no_cluster("the columns", reading.cluster, table.column_names))
    return Mapped(columns, tuple(told), warnings)


def _mapped(
    table: pa.Table, mapping: Mapping[str, str], source: SourceFile, *, lenient: bool
) -> dict[str, list[str]]:
    """Look up the columns that the user maps; `lenient` passes over those a table lacks."""
    homes: dict[str, list[str]] = {}
    for home, name in mapping.items():
        if home not in KNOWN:
            raise SourceError(
                f"cannot map to {home!r}, which is no column of a judgment; "
                f"columns are {', '.join(sorted(KNOWN))}",
                source=source.location,
            )
        parts = name.split("+") if name not in table.column_names else [name]
        missing = [part for part in parts if part not in table.column_names]
        if not missing:
            homes[home] = parts
        elif not lenient:
            raise SourceError(
                f"column {missing[0]!r} (mapped to {home!r}) is not in the file; "
                f"columns are {', '.join(table.column_names)}",
                source=source.location,
            )
    return homes


def _recognised(
    table: pa.Table, mapped: Mapping[str, Sequence[str]], reading: Reading
) -> dict[str, list[str]]:
    """Find the study's columns by their own names, then by their other names."""
    taken = {name for names in mapped.values() for name in names} | set(reading.human)
    by_name: dict[str, str] = {}
    for name in table.column_names:
        if name not in taken:
            plain = name.strip().lower().replace(" ", "_").replace("-", "_")
            by_name.setdefault(plain, name)
    homes: dict[str, list[str]] = {}
    own = {home: (home,) for home in Judgment.model_fields if home in KNOWN - {"sample_id"}}
    for wanted in (own, ALIASES, {"sample_id": ("sample_id",)}):
        for home, names in wanted.items():
            found = next((name for name in names if name in by_name), None)
            if home in mapped or home in homes or found is None:
                continue
            if home == "label" and looks_numeric(table[by_name[found]]):
                if {*by_name, *homes, *mapped} & {"score", *ALIASES["score"]}:
                    continue  # a gold value beside the scores, no verdict of the judge
                homes["score"] = [by_name.pop(found)]
            else:
                homes[home] = [by_name.pop(found)]
    return homes


def _joined(table: pa.Table, parts: Sequence[str]) -> Any:  # noqa: ANN401 - an Arrow column
    if len(parts) == 1:
        return table[parts[0]]
    texts = [table[part].cast(pa.string()) for part in parts]
    return pc.binary_join_element_wise(*texts, "/", null_handling="skip")


def _doubtful(columns: dict[str, Any]) -> tuple[str, ...]:
    """Leave out confidences that are neither probabilities nor called margins, and say so."""
    if "confidence" not in columns:
        return ()
    confidence = columns["confidence"]
    if "confidence_source" in columns:
        told = pc.utf8_lower(
            pc.utf8_trim_whitespace(columns["confidence_source"].cast(pa.string()))
        )
        margin = pc.fill_null(pc.starts_with(told, "margin"), pa.scalar(False))  # noqa: FBT003
        confidence = pc.if_else(margin, pa.scalar(None, confidence.type), confidence)
    ends = pc.min_max(confidence).as_py()
    if ends["min"] is None or (ends["min"] >= 0 and ends["max"] <= 1):
        return ()
    del columns["confidence"]
    text = f"column confidence left out: it goes from {ends['min']:g} to {ends['max']:g}, not 0-1"
    return (text,)


def _require(
    columns: Mapping[str, Any], table: pa.Table, source: SourceFile, *, labels: bool
) -> None:
    """Refuse a table without a column that says who judged what."""
    present = ", ".join(map(repr, table.column_names))
    for home in ("item", "judge"):
        if home not in columns:
            raise NotALogError(
                f"needs a column {home} (or {', '.join(ALIASES[home])}, or --column {home}=NAME); "
                f"columns are {present}",
                source=source.location,
            )
    if not {"score", "label"} & set(columns):
        what = "labels need" if labels else "needs"
        raise SourceError(
            f"{what} a column score or label; columns are {present}", source=source.location
        )


def _with_people(columns: Mapping[str, Any], people: Sequence[str], n_rows: int) -> Any:  # noqa: ANN401 - an Arrow column
    """Call the judges that are `people` human."""
    kinds = columns["judge_kind"]
    kinds = pa.repeat(kinds, n_rows) if isinstance(kinds, str) else kinds
    if isinstance(columns["judge"], str):
        return kinds
    named = pc.is_in(columns["judge"], pa.array(list(people), type=pa.string()))
    return pc.if_else(named, "human", kinds)
