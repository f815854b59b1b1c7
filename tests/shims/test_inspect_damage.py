"""Logs that are damaged in any way are refused in one line that names the file."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from panopt.errors import PluginError, SourceError
from panopt.host import Host
from panopt.reading import read

LOGS = Path(__file__).parents[1] / "logs" / "inspect"


def damaged(content: bytes, draw: random.Random) -> bytes:
    """Cut the end off, cut a piece out, or overwrite some bytes."""
    place = draw.randrange(len(content))
    kind = draw.randrange(3)
    if kind == 0:
        return content[:place]
    if kind == 1:
        return content[:place] + content[place + draw.randint(1, 2000) :]
    torn = bytearray(content)
    for _ in range(draw.randint(1, 20)):
        torn[draw.randrange(len(torn))] = draw.randrange(256)
    return bytes(torn)


@pytest.mark.parametrize(("name", "times"), [("panel_majority.eval", 150), ("epochs.eval", 50)])
def test_damaged_logs_are_one_line(tmp_path: Path, name: str, times: int) -> None:
    whole = (LOGS / name).read_bytes()
    draw, host = random.Random(name), Host()  # noqa: S311 - no secret
    refused: dict[str, str] = {}
    for number in range(times):
        path = tmp_path / f"{number}-{name}"
        path.write_bytes(damaged(whole, draw))
        try:
            read(path, host=host)
        except PluginError as error:
            pytest.fail(f"damage {number}: {error}")
        except SourceError as error:
            refused[str(path)] = str(error)
    assert len(refused) > times / 2
    for place, message in refused.items():
        assert place in message
        assert "\n" not in message


@pytest.mark.parametrize("depth", [2_000, 5_000, 20_000])
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('{"version": 2, "eval": {"task": "t"}, "samples": ', "}"),
        ('{"version": 2, "eval": ', "}"),
        ('{"deep": ', ', "version": 2, "eval": {}}'),
    ],
)
def test_json_nested_too_deep_is_one_line(
    tmp_path: Path, before: str, after: str, depth: int
) -> None:
    path = tmp_path / "deep.json"
    path.write_text(before + "[" * depth + "]" * depth + after)
    with pytest.raises(SourceError, match=r"deep\.json: [^\n]*$"):
        read(path)
