"""The per-response answer as a table: one row a response and criterion."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from panopt.records.consensus import OUTCOMES
from panopt.records.decisions import DECISIONS
from panopt.records.report import CriterionReport, Report

__all__ = ["responses_table", "spreadsheet_safe"]


def responses_table(report: Report) -> pa.Table:
    """Give every response of every criterion: ids, consensus, decision and the reason for it.

    Numbers are on [0, 1]; what is unknown is empty. One row a response and criterion, in the
    order of the study's codes; memory is a few hundred bytes a row (the reasons are text).
    """
    return pa.concat_tables([_one(part) for part in report.criteria], promote_options="default")


def spreadsheet_safe(table: pa.Table) -> pa.Table:
    """Make text cells that spreadsheets take for formulas, or that steer a terminal, plain text.

    A cell that begins with ``= + - @`` gets an apostrophe before it; control and format
    characters become spaces.
    """
    for i, field in enumerate(table.schema):
        if pa.types.is_string(field.type):
            plain = pc.replace_substring_regex(table.column(i), r"[\p{Cc}\p{Cf}]", " ")
            safe = pc.replace_substring_regex(plain, r"^(\s*[=+\-@])", r"'\1")
            table = table.set_column(i, field, safe)
    return table


def _one(part: CriterionReport) -> pa.Table:
    matrix, consensus, decisions = part.matrix, part.consensus, part.decisions
    n = matrix.n_responses
    columns: dict[str, pa.Array] = {
        name: _named(matrix.response_ids[name], matrix.names[name])
        for name in ("run", "system", "item")
    }
    columns["epoch"] = pa.array(matrix.response_ids["epoch"])
    columns["criterion"] = pa.array([part.criterion] * n, type=pa.string())
    for name in ("value", "sd", "confidence", "disagreement", "spread", "agreement"):
        columns[name] = _numbers(getattr(consensus, name))
    columns["n_votes"] = pa.array(consensus.n_votes)
    columns["outcome"] = _named(consensus.outcome.astype(np.int32), OUTCOMES)
    columns["human"] = _numbers(matrix.human_mean)
    for name, values in part.findings.columns.items():
        columns[name] = _numbers(values)
    if decisions is not None:
        columns["decision"] = _named(decisions.decision.astype(np.int32), DECISIONS)
        columns["why"] = pa.array([decisions.why(i) for i in range(n)], type=pa.string())
    return pa.table(columns)


def _named(codes: NDArray[np.int32], names: tuple[str, ...]) -> pa.Array:
    array = pa.array(codes, mask=codes < 0, type=pa.int32())
    return pa.DictionaryArray.from_arrays(array, pa.array(names, type=pa.string())).cast(
        pa.string()
    )


def _numbers(values: NDArray[np.float64]) -> pa.Array:
    return pa.array(np.asarray(values, dtype=np.float64), from_pandas=True)
