"""Read promptfoo results: every judge's verdict once, every label, and what became of each row."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from panopt.errors import SourceError
from panopt.records.ask import Reading
from panopt.records.source import SourceFile
from panopt.records.study import Study
from panopt.shims.promptfoo.collect import Judgments
from panopt.shims.promptfoo.document import Document
from panopt.shims.promptfoo.recognise import is_results
from panopt.shims.promptfoo.schema import decode_row
from panopt.shims.promptfoo.stream import open_stream
from panopt.shims.promptfoo.table import build_table
from panopt.shims.promptfoo.tell import describe

__all__ = ["read_results"]


def read_results(
    source: SourceFile, reading: Reading, progress: Callable[[float], None]
) -> Study | None:
    """Read one results file of any generation; None where it is none.

    Parameters
    ----------
    source
        ``.json``, ``.jsonl`` or ``.yaml``, gzipped or not, local or remote.
    reading
        ``scorers`` says how assertions become criteria, ``human`` names metrics, variables
        (``vars.NAME``) or test metadata (``metadata.NAME``) that hold human labels;
        ``rationales=False`` and ``low_memory`` save memory.
    progress
        Told the share read.

    Raises
    ------
    SourceError
        For results that are broken, of an unknown generation, or that cannot hold judges.

    Notes
    -----
    JSONL is read line by line and indented JSON row by row, in memory that holds the columns of
    the study and one row; other JSON is parsed at once unless ``low_memory`` asks otherwise.
    """
    if not is_results(source):
        return None
    judgments = Judgments(reading, source.location)
    with open_stream(source, progress) as stream:
        document = Document(source, stream, low_memory=reading.low_memory)
        for where, raw in document.rows():
            try:
                row = decode_row(raw)
            except (msgspec.DecodeError, ValueError, TypeError, RecursionError) as error:
                raise SourceError(
                    f"is no row of promptfoo results ({' '.join(str(error).split())})",
                    source=source.location,
                    place=where,
                ) from error
            judgments.add(row, where)
        digest = None if source.is_remote else stream.sha256()
    run = document.eval_id or judgments.responses.run or judgments.run_name()
    built = build_table(judgments, run=run, source=source.location, reading=reading)
    record = describe(document, judgments, built, sha256=digest, run=run)
    return Study(built.table, (record,))
