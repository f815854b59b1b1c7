"""Let a log vouch for what was read of it: Inspect repeats all scores in a table of its own.

Loading Inspect to read three samples again takes longer than reading a small log. Where a
version of Inspect that the fast tier is tested on wrote the log, and its summaries tell the same
scores, nothing is left to find out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from panopt.errors import SourceError
from panopt.shims.inspect.archive import Archive
from panopt.shims.inspect.header import Header
from panopt.shims.inspect.schema import EventfulSample, Sample, decode

__all__ = ["TESTED", "confirmed"]

#: First and last version of Inspect whose logs the tests read with both tiers.
TESTED = ((0, 3, 41), (0, 3, 285))

#: Larger summaries take as long to read as Inspect takes to load.
MOST_BYTES = 4_000_000

_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)")


class _Score(msgspec.Struct):
    value: Any = None


class _Summary(msgspec.Struct):
    id: int | str
    epoch: int
    scores: dict[str, _Score] | None = None


def confirmed(archive: Archive, header: Header, samples: Sequence[Sample]) -> bool:
    """Tell whether the log's own summaries hold the same scores of these samples.

    False, too, for a log that a version of Inspect wrote which is not among the `TESTED` ones,
    that has no summaries or large ones, or whose votes were read out of transcripts.

    Parameters
    ----------
    archive, header
        The log.
    samples
        As the fast tier read them.
    """
    entry = archive.members.get("summaries.json")
    written = _VERSION.match(header.inspect_version or "")
    if entry is None or entry.file_size > MOST_BYTES or written is None:
        return False
    if not TESTED[0] <= tuple(map(int, written.groups())) <= TESTED[1]:
        return False
    if not samples or any(isinstance(sample, EventfulSample) for sample in samples):
        return False
    try:
        table = decode(archive.read(entry), list[_Summary])
    except (msgspec.DecodeError, SourceError):
        return False
    told = {(one.id, one.epoch): one.scores or {} for one in table}
    return all(
        _written({name: score.value for name, score in (sample.scores or {}).items()})
        == _written({name: score.value for name, score in own.items()})
        for sample in samples
        for own in (told.get((sample.id, sample.epoch), {"": _Score("not told of")}),)
    )


def _written(values: dict[str, Any]) -> str:
    """Write values so that types count and NaN is itself; the order of keys does not matter."""
    return repr(sorted((name, _ordered(value)) for name, value in values.items()))


def _ordered(value: Any) -> Any:  # noqa: ANN401 - a JSON value
    return sorted(value.items()) if isinstance(value, dict) else value
