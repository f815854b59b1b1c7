"""Text for terminals: names and messages out of logs are hostile until made plain."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from rich.text import Text

from panopt.findings import Finding

__all__ = ["interval", "listed", "number", "plain", "shown"]

#: Unicode categories that may steer a terminal or hide text: controls, formats, surrogates.
STEERING = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
LONGEST = 300
LONGEST_NAME = 60


def plain(text: str, *, longest: int = LONGEST) -> str:
    """Keep what can be read: one line, no control or format characters, at most `longest`."""
    kept = "".join(
        " " if unicodedata.category(char) in STEERING else char for char in text[: 2 * longest]
    )
    line = " ".join(kept.split())
    return line if len(line) <= longest else line[: longest - 1] + "…"


def listed(names: Iterable[str]) -> str:
    """Join names, none of which is so long that it hides the others."""
    return ", ".join(plain(name, longest=LONGEST_NAME) for name in names)


def shown(text: str, style: str = "", *, longest: int = LONGEST) -> Text:
    """Give text for rich that is never read as markup."""
    return Text(plain(text, longest=longest), style=style)


def number(value: float | None, digits: int = 3) -> str:
    """Write a number, or a dash where there is none."""
    if value is None:
        return "-"
    text = f"{value:.{digits}f}"
    return text.removeprefix("-") if float(text) == 0 else text


def interval(row: Finding | None, digits: int = 3) -> Text:
    """Write ``value [low, high]``, or a dash where there is none."""
    if row is None or row.value is None:
        return Text("-")
    text = Text(number(row.value, digits))
    if row.low is not None and row.high is not None:
        text.append(f" [{number(row.low, digits)}, {number(row.high, digits)}]", "dim")
    return text
