"""The per-response table, and its form for spreadsheets."""

from __future__ import annotations

import pyarrow as pa
import pytest

from panopt.responses import spreadsheet_safe


@pytest.mark.parametrize(
    ("cell", "safe"),
    [
        ("=1+1", "'=1+1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("-crit", "'-crit"),
        (" +x", "' +x"),
        ("\t=x", "' =x"),
        ("plain = text", "plain = text"),
        ("a\x1b[31mb\u202ec", "a [31mb c"),
        (None, None),
    ],
)
def test_cells_are_no_formulas_and_steer_nothing(cell: str | None, safe: str | None) -> None:
    table = pa.table({"item": pa.array([cell], pa.string()), "value": [-0.5]})
    made = spreadsheet_safe(table)
    assert made["item"].to_pylist() == [safe]
    assert made["value"].to_pylist() == [-0.5]
