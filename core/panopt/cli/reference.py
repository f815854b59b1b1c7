"""A reference order of systems, out of a table that a person wrote."""

from __future__ import annotations

from math import isfinite, isnan
from pathlib import Path
from typing import TYPE_CHECKING

from panopt.errors import SourceError

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["read_reference"]

#: Names of the columns, the first that is there counts.
SYSTEM = ("system", "model", "name")
SCORE = ("score", "mean", "rating", "elo")
RANK = ("rank", "place")


def read_reference(place: Path) -> dict[str, float]:
    """Read a table of systems and their scores, or ranks of which 1 is the best.

    Parameters
    ----------
    place
        CSV, TSV, JSONL or Parquet with a column ``system`` and a column ``score`` or ``rank``.

    Returns
    -------
    dict
        Score of each system, larger the better: ranks are negated.

    Raises
    ------
    SourceError
        For a file that cannot be read, columns that are missing, a system that is named twice, or
        a value that is no number; with the row.
    """
    from panopt.records.source import SourceFile  # noqa: PLC0415 - a fast start
    from panopt.shims.tables.parse import SUFFIXES, parse_table, read_bytes  # noqa: PLC0415

    where = str(place)
    if not place.is_file():
        raise SourceError("does not exist, or is no file", source=where)
    source = SourceFile(where)
    if source.suffix not in SUFFIXES:
        raise SourceError(f"a reference is a table ({', '.join(SUFFIXES)})", source=where)
    table = parse_table(source, read_bytes(source)[1])
    systems = _column(table, SYSTEM, where)
    ranked = not any(name in table.column_names for name in SCORE)
    values = _column(table, RANK if ranked else SCORE, where, or_else=SCORE if ranked else ())
    found: dict[str, float] = {}
    for row, (system, text) in enumerate(zip(systems, values, strict=True), 1):
        name = "" if system is None else str(system).strip()
        if not name or text is None or str(text).strip() == "":
            continue
        value = _number(text, where, row)
        if name in found:
            raise SourceError(
                f"system {name!r} stands there twice", source=where, place=f"row {row}"
            )
        found[name] = -value if ranked else value
    if not found:
        raise SourceError("no row has a system and its score or rank", source=where)
    return found


def _column(
    table: pa.Table, names: tuple[str, ...], where: str, *, or_else: tuple[str, ...] = ()
) -> list[object]:
    for name in names:
        if name in table.column_names:
            found: list[object] = table[name].to_pylist()
            return found
    wanted = " or ".join(repr(name) for name in (or_else[:1] + names[:1]))
    raise SourceError(
        f"a reference needs a column {wanted}; its columns are {', '.join(table.column_names)}",
        source=where,
    )


def _number(text: object, where: str, row: int) -> float:
    try:
        value = float(str(text))
    except ValueError:
        value = float("nan")
    if isnan(value) or not isfinite(value):
        raise SourceError(f"{text!r} is no number", source=where, place=f"row {row}")
    return value
