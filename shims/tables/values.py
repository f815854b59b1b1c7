"""Values of a table's columns: texts, numbers, verdicts, and declared ranges."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from panopt.errors import SourceError
from panopt.records.ask import Reading
from panopt.records.judgment import Judgment
from panopt.records.scale import MOST_LEVELS, Scale
from panopt.records.source import SourceFile

__all__ = [
    "KNOWN",
    "declared_scales",
    "human_labels",
    "human_scores",
    "looks_numeric",
    "typed",
    "verdicts",
]

#: ``source`` is the file itself, whatever column the file may have of that name.
KNOWN = frozenset(Judgment.model_fields) - {"source"}
NUMBER_COLUMNS = frozenset(
    (
        "score",
        "confidence",
        "response_length",
        "input_tokens",
        "output_tokens",
        "cost",
        "latency",
        "epoch",
        "repeat",
        "order",
    )
)
TEXT_COLUMNS = KNOWN - NUMBER_COLUMNS - {"probabilities", "cached"}
#: What an empty cell of a required text column stands for.
DEFAULT_TEXT = {"run": "", "system": "", "criterion": "score", "status": "ok"}
#: What an empty cell of another required column stands for.
DEFAULT_VALUE = {"epoch": 1, "repeat": 0, "cached": False}
#: Verdicts that are scores, whatever the scale.
VERDICTS = {
    **dict.fromkeys(("pass", "passed", "yes", "true", "correct", "c", "good"), 1.0),
    **dict.fromkeys(("fail", "failed", "no", "false", "incorrect", "i", "bad"), 0.0),
}
#: Texts that stand for a missing number.
MISSING = frozenset(("", "na", "n/a", "nan", "null", "none"))


def typed(home: str, values: Any, source: SourceFile, reading: Reading) -> Any:  # noqa: ANN401 - Arrow columns
    """Bring one column to text or number, naming the first row that does not fit."""
    try:
        if pa.types.is_dictionary(values.type):
            values = values.cast(values.type.value_type)
        if pa.types.is_floating(values.type):
            values = pc.if_else(pc.is_nan(values), pa.scalar(None, values.type), values)
        if home in TEXT_COLUMNS:
            text = values.cast(pa.string())
            filled = pc.if_else(pc.equal(text, ""), pa.scalar(None, pa.string()), text)
            default = {**DEFAULT_TEXT, "judge_kind": reading.judge_kind}.get(home)
            if home == "judge" and reading.judge_kind == "human":
                default = "human"  # labels need not say who gave them
            values = filled if default is None else pc.fill_null(filled, default)
        elif home in NUMBER_COLUMNS:
            values = _numbers_of(home, values, source, scores=home == "score")
        elif home == "cached":
            values = values.cast(pa.bool_())
        if home in DEFAULT_VALUE:
            values = pc.fill_null(values, DEFAULT_VALUE[home])
    except pa.ArrowException as error:
        message = " ".join(str(error).split())
        raise SourceError(f"column {home!r}: {message}", source=source.location) from error
    if home == "judge_kind":
        values = pc.replace_substring_regex(values, "^metric$", "program")
    return values


def _numbers_of(
    home: str,
    values: Any,  # noqa: ANN401 - Arrow columns
    source: SourceFile,
    *,
    scores: bool,
) -> Any:  # noqa: ANN401
    """Bring a column to numbers; words for pass and fail are numbers where they are scores."""
    if pa.types.is_boolean(values.type):
        return values.cast(pa.int8())
    if not (pa.types.is_string(values.type) or pa.types.is_large_string(values.type)):
        return values.cast(pa.float64())
    trimmed = pc.utf8_trim_whitespace(values.cast(pa.string()))
    missing = pc.is_in(pc.utf8_lower(trimmed), pa.array(sorted(MISSING)))
    texts = pc.if_else(missing, pa.scalar(None, pa.string()), trimmed)
    try:
        return texts.cast(pa.float64())
    except pa.ArrowInvalid:
        read = verdicts(texts) if scores else None
        return _numbers_in_words(home, texts, source) if read is None else read


def _numbers_in_words(home: str, texts: Any, source: SourceFile) -> Any:  # noqa: ANN401 - Arrow columns
    """Read texts as Python reads numbers, true as 1."""
    words = {"true": 1.0, "false": 0.0}
    numbers: list[float | None] = []
    for row, text in enumerate(texts.to_pylist(), start=1):
        try:
            known = None if text is None else words.get(text.lower())
            numbers.append(known if known is not None or text is None else float(text))
        except ValueError:
            raise SourceError(
                f"{home} {text!r} is no number", source=source.location, place=f"row {row}"
            ) from None
    return pa.array(numbers, type=pa.float64())


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def looks_numeric(values: Any) -> bool:  # noqa: ANN401 - an Arrow column
    """Tell a column of numbers, typed as such or written in text."""
    if pa.types.is_floating(values.type) or pa.types.is_integer(values.type):
        return True
    if pa.types.is_nested(values.type):
        return False
    texts = {str(text).strip() for text in values.unique().to_pylist() if text is not None}
    texts = {text for text in texts if text.lower() not in MISSING}
    return bool(texts) and all(map(_is_number, texts))


def verdicts(labels: Any) -> Any:  # noqa: ANN401 - Arrow columns
    """Read verdicts that everybody reads as pass or fail as 1 and 0; None for other labels."""
    words = pc.utf8_lower(pc.utf8_trim_whitespace(labels))
    if not set(words.drop_null().unique().to_pylist()) <= set(VERDICTS):
        return None
    codes = pc.index_in(words, pa.array(list(VERDICTS)))
    return pc.take(pa.array(list(VERDICTS.values()), type=pa.float64()), codes)


def declared_scales(
    table: pa.Table, columns: Mapping[str, Any], source: SourceFile, reading: Reading
) -> Any:  # noqa: ANN401 - an Arrow column
    """Read ``score_min``/``score_max`` as a declared range; kinds by the scores of the range."""

    def numbers(values: Any) -> Any:  # noqa: ANN401 - Arrow columns
        return values.cast(pa.float64()).to_numpy(zero_copy_only=False)

    ends = [typed("score", table[name], source, reading) for name in ("score_min", "score_max")]
    low, high = map(numbers, ends)
    score = numbers(columns["score"]) if "score" in columns else np.full(len(low), np.nan)
    bounded = np.isfinite(low) & np.isfinite(high) & (low < high)
    ranges, code = np.unique(np.stack([low, high], axis=1)[bounded], axis=0, return_inverse=True)
    codes = np.full(len(low), -1, dtype=np.int32)
    codes[bounded] = code.ravel()
    texts = []
    for i, (lo, hi) in enumerate(ranges):
        x = score[(codes == i) & np.isfinite(score)]
        whole = bool(np.all(x == np.round(x))) and hi - lo < MOST_LEVELS
        texts.append(_range_text(float(lo), float(hi), whole=whole))
    return pa.DictionaryArray.from_arrays(
        pa.array(codes, mask=codes < 0, type=pa.int32()), pa.array(texts, type=pa.string())
    )


def _range_text(low: float, high: float, *, whole: bool) -> str:
    if whole and (low, high) == (0.0, 1.0):
        return str(Scale("binary"))
    whole = whole and high - low == round(high - low) and low == round(low)
    return str(Scale("ordinal" if whole else "continuous", low, high))


def human_scores(name: str, values: Any, source: SourceFile) -> Any:  # noqa: ANN401 - Arrow columns
    """Read a column of human scores: numbers, or verdicts such as pass and fail.

    Raises
    ------
    SourceError
        For another value, with its row.
    """
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    return _numbers_of(name, values, source, scores=True)


def human_labels(values: Any) -> Any:  # noqa: ANN401 - Arrow columns
    """Read a column of human labels: texts, empty cells as missing."""
    text = values.cast(pa.string())
    return pc.if_else(pc.equal(text, ""), pa.scalar(None, pa.string()), text)
