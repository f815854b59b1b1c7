from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from panopt.records.consensus import OUTCOMES, Consensus


def consensus(**fields: object) -> Consensus:
    n = 3
    floats = ("value", "sd", "estimate", "blind_value", "blind_sd", "confidence")
    base: dict[str, Any] = {name: np.full(n, 0.5) for name in floats}
    base |= {name: np.zeros(n) for name in ("disagreement", "spread", "agreement")}
    base |= {name: np.zeros(n, dtype=np.int32) for name in ("verdict", "outcome", "n_votes")}
    base |= {"criterion": "tone", "method": "mean", "why": "asked for"}
    return Consensus(**{**base, "confidence_source": "vote share", **fields})


def test_counts_the_responses() -> None:
    assert len(consensus()) == 3


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"value": np.zeros(2)}, "consensus arrays differ in shape: .*'value': \\(2,\\)"),
        ({"sd": np.zeros((3, 1))}, "consensus arrays differ in shape"),
        ({"confidence": np.array([0.5, np.nan, 1.01])}, r"confidence must lie in \[0, 1\]"),
        ({"confidence": np.array([0.5, -0.01, 1.0])}, r"confidence must lie in \[0, 1\]"),
        ({"outcome": np.array([0, 8, 0])}, r"outcomes must lie in 0\.\.7"),
        ({"outcome": np.array([0, -1, 0])}, r"outcomes must lie in 0\.\.7"),
    ],
)
def test_refuses(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        consensus(**fields)


def test_unknown_confidence_is_nan() -> None:
    assert np.isnan(consensus(confidence=np.full(3, np.nan)).confidence).all()


def test_outcomes_keep_their_codes() -> None:
    assert OUTCOMES.index("decided") == 0
    assert len(set(OUTCOMES)) == len(OUTCOMES) == 8
