"""Lists of names in words."""

from __future__ import annotations

import pytest

from panopt.stats.words import listed


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (1, "0"),
        (2, "0 and 1"),
        (9, "0, 1, 2, 3, 4, 5, 6, 7 and 8"),
        (164, "0, 1, 2, 3, 4, 5, 6, 7 and 156 more"),
    ],
)
def test_many_names_are_counted(count: int, words: str) -> None:
    assert listed([str(k) for k in range(count)]) == words
