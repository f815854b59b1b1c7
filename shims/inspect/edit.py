"""Put annotations into the JSON of a log; everything of others stays byte for byte."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from panopt.shims.inspect.rawjson import dump, fields, items, join_fields, join_items, load
from panopt.shims.inspect.series import is_ours

__all__ = ["ScoresOf", "edit_header", "edit_sample", "edit_samples", "strip_reductions"]

#: Gives the scores to write for a sample, by its id as text and its epoch.
ScoresOf = Callable[[tuple[str, int]], Mapping[str, dict[str, Any]]]

#: The fields of a log in the order Inspect writes and reads them.
ORDER = (
    "version",
    "status",
    "eval",
    "plan",
    "results",
    "stats",
    "error",
    "invalidated",
    "log_updates",
    "config_updates",
    "tags",
    "metadata",
    "samples",
    "reductions",
)


def edit_sample(data: bytes, scores_of: ScoresOf, *, scorer: str = "score") -> bytes:
    """Replace panopt's scores in one sample, or in one summary of a sample.

    Parameters
    ----------
    data
        JSON of the sample.
    scores_of
        Gives the new scores.
    scorer
        Name for the one score of a log of 2024, which had none.
    """
    sample = fields(data)
    epoch = load(sample.get("epoch"))
    key = (str(load(sample.get("id"))), epoch if isinstance(epoch, int) else 1)
    new = scores_of(key)
    old = fields(sample["scores"]) if sample.get("scores", b"null") != b"null" else {}
    theirs = {name: score for name, score in old.items() if not is_ours(name)}
    if not new and len(theirs) == len(old):
        return data
    if "score" in sample:  # Inspect refuses a sample with both
        score = sample.pop("score")
        if score != b"null":
            theirs = {scorer: score, **theirs}
    sample["scores"] = join_fields({**theirs, **{name: dump(own) for name, own in new.items()}})
    return join_fields(sample)


def edit_samples(data: bytes, scores_of: ScoresOf, *, scorer: str = "score") -> bytearray:
    """Replace panopt's scores in an array of samples or summaries."""
    return join_items(edit_sample(part, scores_of, scorer=scorer) for part in items(data))


def edit_header(
    data: bytes,
    *,
    scores: Sequence[dict[str, Any]],
    metadata: dict[str, Any],
    update: dict[str, Any],
) -> bytes:
    """Replace panopt's part of a log's header.

    Parameters
    ----------
    data
        JSON of the header, or of a whole log.
    scores
        New run-level scores.
    metadata
        What goes to ``results.metadata["panopt"]``; it survives a recomputation of metrics.
    update
        The edit of tags and metadata.
    """
    log = fields(data)
    if log.get("results", b"null") != b"null":
        log["results"] = _edit_results(log["results"], scores, metadata)
    updates = [part for part in _array(log.get("log_updates")) if not is_ours(_author(part))]
    _put(log, "log_updates", bytes(join_items([*updates, dump(update)])))
    tags, info = _current(log, [*updates, dump(update)])
    _put(log, "tags", dump(tags))
    _put(log, "metadata", join_fields(info))
    return join_fields(log)


def strip_reductions(data: bytes) -> bytes | bytearray:
    """Take out reductions of panopt's own scores, which Inspect makes when it scores again."""
    parts = list(items(data))
    kept = [part for part in parts if not is_ours(str(load(fields(part).get("scorer"))))]
    return data if len(kept) == len(parts) else join_items(kept)


def _edit_results(data: bytes, scores: Sequence[dict[str, Any]], metadata: dict[str, Any]) -> bytes:
    results = fields(data)
    if "scorer" not in results:  # format 1 had one scorer, and no list
        theirs = [
            part
            for part in _array(results.get("scores"))
            if not is_ours(str(load(fields(part).get("name"))))
        ]
        results["scores"] = bytes(join_items([*theirs, *(dump(score) for score in scores)]))
    own = fields(results["metadata"]) if results.get("metadata", b"null") != b"null" else {}
    own.pop("panopt", None)
    results["metadata"] = join_fields({**own, "panopt": dump(metadata)})
    return join_fields(results)


def _array(data: bytes | None) -> list[bytes]:
    return [] if data is None or data == b"null" else list(items(data))


def _author(update: bytes) -> str:
    provenance = fields(update).get("provenance")
    return str(load(fields(provenance).get("author"))) if provenance else ""


def _current(
    log: Mapping[str, bytes], updates: Sequence[bytes]
) -> tuple[list[str], dict[str, bytes]]:
    """Compute tags and metadata from those of the run and all edits, as Inspect does."""
    spec = fields(log["eval"])
    tags = {str(load(tag)) for tag in _array(spec.get("tags"))}
    info = fields(spec["metadata"]) if spec.get("metadata", b"null") != b"null" else {}
    for update in updates:
        for edit in _array(fields(update).get("edits")):
            parts = fields(edit)
            tags -= {str(load(tag)) for tag in _array(parts.get("tags_remove"))}
            tags |= {str(load(tag)) for tag in _array(parts.get("tags_add"))}
            for key in _array(parts.get("metadata_remove")):
                info.pop(str(load(key)), None)
            if "metadata_set" in parts:
                info |= fields(parts["metadata_set"])
    return sorted(tags), info


def _put(log: dict[str, bytes], name: str, value: bytes) -> None:
    """Set a field of the log; a new one goes where Inspect has it, since it reads in order."""
    if name in log:
        log[name] = value
        return
    later = set(ORDER[ORDER.index(name) + 1 :])
    moved = {key: log.pop(key) for key in list(log) if key in later}
    log[name] = value
    log.update(moved)
