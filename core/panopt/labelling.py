"""A sheet for people to fill in: which responses to label next, chosen without seeing a verdict.

Every response without a label has the same chance (`panopt.stats.label_next`, design ``even``),
spread evenly over systems and over the panel's scores, so that what rests on a random sample
(certificates, conformal intervals, label-corrected means) may rest on these labels.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from panopt.errors import AskError, OutputError
from panopt.records.report import CriterionReport, Report
from panopt.records.schema import RESPONSE_KEY
from panopt.stats.label_next import label_next
from panopt.writing import Written, write_text

__all__ = ["SHEET", "label_sheet", "write_label_sheet"]

#: Name of the sheet.
SHEET = "label-next.csv"

_COLUMNS = (*RESPONSE_KEY, "criterion", "judge", "score", "inclusion_probability")


def label_sheet(report: Report, n: int) -> str:
    """Give a table (CSV) of up to n responses of each criterion to label, scores left empty.

    Parameters
    ----------
    report
        What was analyzed; its seed draws the responses.
    n
        Responses a criterion, at least 1.

    Returns
    -------
    str
        One row a response: its ids, an empty judge (who labels) and score (a verdict's name on
        nominal criteria), and the chance it had of being on the sheet. What judges said is not
        told: it would sway people. ``--labels`` reads the sheet once it is filled in; rows are
        in random order, so that a sheet filled from the top as far as time allows is a random
        sample too (the chances then shrink alike for all).

    Raises
    ------
    AskError
        For `n` below 1, or where every response has a label.
    """
    if n < 1:
        raise AskError(f"option label-next = {n}: must be at least 1")
    rows = [row for part in report.criteria for row in _rows(part, n, report.ask.seed)]
    if not rows:
        raise AskError("every response has a human label: there is none to label next")
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    writer.writerows(rows)
    return text.getvalue()


def write_label_sheet(report: Report, n: int, folder: Path) -> Written:
    """Write the sheet into a folder; never over another one, which people may have filled in.

    Raises
    ------
    OutputError
        Where a sheet with other content is there.
    """
    keep = [source.location for source in report.study.sources]
    text, target = label_sheet(report, n), folder / SHEET
    if target.is_file() and target.read_bytes() != text.encode():
        raise OutputError(
            "another sheet is there, which people may have filled in; move it, or choose another "
            "--out",
            target=str(target),
        )
    return write_text(text, target, source="report", keep=keep, overwrite=False)


def _rows(part: CriterionReport, n: int, seed: int) -> Iterator[list[str]]:
    """Give the rows of one criterion in random order: whoever stops early has a random part."""
    matrix, panel = part.matrix, part.consensus
    human = np.zeros(matrix.n_responses, dtype=np.bool_)
    votes = matrix.human_votes
    human[votes.response[~np.isnan(votes.score) | (votes.label >= 0)]] = True
    free = np.flatnonzero(~human)
    if not free.size:
        return
    score = panel.verdict if matrix.scale.kind == "nominal" else panel.blind_value
    keys = np.column_stack(
        [
            matrix.systems[free],
            np.nan_to_num(np.asarray(score, dtype=np.float64)[free], nan=-1.0),
            np.nan_to_num(panel.confidence[free], nan=-1.0),
        ]
    )
    rng = np.random.default_rng(seed)
    plan = label_next(keys, n=n, rng=rng)
    shuffled = rng.permutation(plan.rows.size)
    drawn, chances = free[plan.rows][shuffled], plan.chance[shuffled]
    for row, chance in zip(drawn.tolist(), chances.tolist(), strict=True):
        ids = [matrix.name(column, row) for column in RESPONSE_KEY]
        yield [*ids, part.criterion, "", "", f"{chance:.6g}"]
