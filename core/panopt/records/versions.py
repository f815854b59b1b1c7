"""Which judges are versions of one: names that differ by a date or a version number alone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

__all__ = ["version_of", "version_pairs"]

_VERSION = re.compile(
    r"[-_@: ](?P<version>20\d\d-?[01]\d-?[0-3]\d|[01]\d[0-3]\d|v\d+(?:\.\d+)*)(?=$|[/|:@ ])",
    re.IGNORECASE,
)


def version_of(name: str) -> tuple[str, tuple[int, ...]]:
    """Give a judge's name without its version, and the version, which sorts as versions do.

    Examples
    --------
    >>> version_of("gpt-4-0613/strict"), version_of("Judge-v2.1"), version_of("gpt-4o")
    (('gpt-4/strict', (613,)), ('judge', (2, 1)), ('gpt-4o', ()))
    """
    found = _VERSION.search(name)
    if found is None:
        return name.casefold(), ()
    rest = name[: found.start()] + name[found.end() :]
    if rest.strip("-_/@: ") == "":
        return name.casefold(), ()
    digits = re.sub(r"^(20\d\d)(\d\d)(\d\d)$", r"\1-\2-\3", found["version"])
    return rest.casefold(), tuple(int(n) for n in re.findall(r"\d+", digits))


def version_pairs(names: Sequence[str]) -> tuple[tuple[int, int], ...]:
    """Pair each version of a judge with the next one, by their places in `names`.

    A name without a version stands for the latest: providers let it follow the newest snapshot.
    A day without a year (``0613``) is older than any with one.

    Examples
    --------
    >>> version_pairs(["gpt-4o-2024-08-06", "claude", "gpt-4o-2024-05-13", "gpt-4o"])
    ((2, 0), (0, 3))
    """
    versions: dict[str, list[tuple[bool, tuple[int, ...], int]]] = {}
    for place, name in enumerate(names):
        base, version = version_of(name)
        versions.setdefault(base, []).append((version == (), version, place))
    return tuple(
        (before[-1], after[-1])
        for found in versions.values()
        for before, after in pairwise(sorted(found))
    )
