"""Which judges of a panel are asked about which response."""

from __future__ import annotations

import zlib

from panopt.errors import AskError

__all__ = ["ASSIGNMENTS", "position_of", "seats"]

#: ``all``: every judge judges every response; ``cyclic``: response i is judged by judge i mod J.
ASSIGNMENTS = ("all", "cyclic")


def seats(n_judges: int, position: int, assignment: str = "all") -> tuple[int, ...]:
    """Give the places in the panel of the judges that are asked.

    Parameters
    ----------
    n_judges
        Size of the panel.
    position
        Place of the response in the data, from 0. The answer depends on nothing else, so that it
        is the same at any concurrency.
    assignment
        A name in `ASSIGNMENTS`.

    Examples
    --------
    >>> seats(3, 7), seats(3, 7, "cyclic")
    ((0, 1, 2), (1,))
    """
    if assignment not in ASSIGNMENTS:
        raise AskError(f"assignment = {assignment!r} must be one of {', '.join(ASSIGNMENTS)}")
    given: object = position
    if isinstance(given, bool) or not isinstance(given, int) or given < 0:
        raise AskError(f"position = {position!r} must be a whole number, 0 or more")
    return (position % n_judges,) if assignment == "cyclic" else tuple(range(n_judges))


def position_of(item: str, epoch: int = 1) -> int:
    """Give a position to an item whose place in the data is not known.

    It is a hash of the name, the same on every machine: judges then get about the same number of
    items, not exactly. The epochs of an item go to consecutive judges.

    Examples
    --------
    >>> position_of("q1") % 3, position_of("q1", epoch=2) % 3
    (1, 2)
    """
    return zlib.crc32(item.encode("utf-8", "replace")) + epoch - 1
