"""Other people's words made plain: what judges and logs say must not steer who shows it."""

from __future__ import annotations

import re
import unicodedata

__all__ = ["UNSHOWN", "escaped", "readable"]

#: Unicode categories of signs that steer a terminal or turn the text round, and show nothing.
UNSHOWN = frozenset(("Cc", "Cf", "Cs", "Co", "Zl", "Zp"))


def readable(text: str) -> str:
    r"""Write text on one line, without signs that steer a terminal or break a file.

    Examples
    --------
    >>> readable("red \x1b[31m,\n turned \u202e round")
    'red [31m, turned round'
    """
    if text.isascii() and text.isprintable():
        return " ".join(text.split())
    shown = "".join(" " if unicodedata.category(sign) in UNSHOWN else sign for sign in text)
    return " ".join(shown.split())


def escaped(text: str) -> str:
    r"""Make text plain in Markdown: names of judges and labels are other people's words.

    Examples
    --------
    >>> print(escaped("<img src=x> [a](b) *c* d_e"))
    \<img src=x\> \[a\](b) \*c\* d_e
    >>> print(escaped("red \x1b[31m, turned \u202e round"))
    red \[31m, turned round
    """
    plain = re.sub(r"([\\`*\[\]#|<>~&$])", r"\\\1", readable(text))
    return re.sub(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])", r"\\_", plain)
