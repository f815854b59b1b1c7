"""Words for lists of names."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["listed"]

_MOST = 8


def listed(names: Sequence[str]) -> str:
    """List names in words, the first few where they are many.

    Examples
    --------
    >>> listed(["a"]), listed(["a", "b", "c"])
    ('a', 'a, b and c')
    >>> listed([f"j{k}" for k in range(12)])
    'j0, j1, j2, j3, j4, j5, j6, j7 and 4 more'
    """
    if len(names) > _MOST + 1:
        return f"{', '.join(names[:_MOST])} and {len(names) - _MOST} more"
    return " and ".join((", ".join(names[:-1]), names[-1])) if len(names) > 1 else names[0]
