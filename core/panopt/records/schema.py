"""The columns of a study: one Arrow schema."""

from __future__ import annotations

import pyarrow as pa

__all__ = ["RESPONSE_KEY", "SCHEMA"]

#: What names one response of one system.
RESPONSE_KEY = ("run", "system", "item", "epoch")

_ID = pa.dictionary(pa.int32(), pa.string())

SCHEMA: pa.Schema = pa.schema(
    [
        pa.field("run", _ID, nullable=False),
        pa.field("system", _ID, nullable=False),
        pa.field("item", _ID, nullable=False),
        pa.field("epoch", pa.int32(), nullable=False),
        pa.field("criterion", _ID, nullable=False),
        pa.field("judge", _ID, nullable=False),
        pa.field("judge_kind", _ID, nullable=False),
        pa.field("repeat", pa.int32(), nullable=False),
        pa.field("order", pa.int8()),
        pa.field("score", pa.float64()),
        pa.field("label", _ID),
        pa.field("scale", _ID),
        pa.field("status", _ID, nullable=False),
        pa.field("error", _ID),
        pa.field("confidence", pa.float64()),
        pa.field("confidence_source", _ID),
        pa.field("probabilities", pa.list_(pa.float64())),
        pa.field("rationale", pa.large_string()),
        pa.field("prompt_hash", _ID),
        pa.field("response_hash", _ID),
        pa.field("response_length", pa.int64()),
        pa.field("input_tokens", pa.int64()),
        pa.field("output_tokens", pa.int64()),
        pa.field("cost", pa.float64()),
        pa.field("latency", pa.float64()),
        pa.field("cached", pa.bool_(), nullable=False),
        pa.field("family", _ID),
        pa.field("cluster", _ID),
        pa.field("source", _ID, nullable=False),
        pa.field("sample_id", _ID),
        pa.field("score_name", _ID),
    ]
)
