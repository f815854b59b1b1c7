from __future__ import annotations

import pytest

from panopt.records.versions import version_of, version_pairs


@pytest.mark.parametrize(
    ("names", "pairs"),
    [
        (["gpt-4o-2024-08-06", "claude", "gpt-4o-2024-05-13", "gpt-4o"], ((2, 0), (0, 3))),
        (["claude-3-5-sonnet-20241022", "claude-3-5-sonnet-20240620"], ((1, 0),)),
        (["ChatGPT", "ChatGPT-0301"], ((1, 0),)),
        (["judge-v10", "judge-v9", "judge-v9.5"], ((1, 2), (2, 0))),
        (["gpt-4-0613/strict", "gpt-4-0314/strict", "gpt-4-0613/lenient"], ((1, 0),)),
        (["llama-7b", "llama-13b", "judge-1", "judge-2", "a", "b"], ()),
        (["v1", "v2", "2024-05-13", ""], ()),
    ],
)
def test_versions_of_a_judge_are_paired_earlier_with_later(
    names: list[str], pairs: tuple[tuple[int, int], ...]
) -> None:
    assert set(version_pairs(names)) == set(pairs)


def test_a_name_of_nothing_but_a_version_is_a_name() -> None:
    assert version_of("-v2") == ("-v2", ())
