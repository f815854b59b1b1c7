"""Turn the gathered columns of a results file into the table of a study."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from panopt.records.arrow import coded, empty, flags, numbers, texts
from panopt.records.ask import Reading
from panopt.records.judgment import JUDGE_KINDS, STATUSES
from panopt.records.schema import SCHEMA
from panopt.records.study import Study
from panopt.shims.promptfoo.collect import Judgments
from panopt.shims.promptfoo.columns import BATCH
from panopt.shims.promptfoo.criteria import Settled, settle
from panopt.shims.promptfoo.people import HUMAN, Homes, find_homes
from panopt.shims.promptfoo.verdict import ABSTAINED, OK

__all__ = ["Built", "build_table"]

LABELS = ["fail", "pass"]
Codes = NDArray[np.int32]


class Built(NamedTuple):
    """The table, and what of its making the reader has to tell."""

    table: pa.Table
    settled: Settled
    panels: dict[str, list[str]]
    """Criteria that models judged (programs, where no model did), and their judges."""
    homes: Homes
    same_test: int
    """Rows that repeat the test index of another answer of the same system to the same item."""
    repeats: int
    """Most answers of one system to one item."""
    scored: NDArray[np.bool_]
    declined: NDArray[np.bool_]
    """Per row: whether a judge gave a verdict; whether all of them abstained."""


def build_table(judgments: Judgments, *, run: str, source: str, reading: Reading) -> Built:
    """Settle names and build the study's table.

    Parameters
    ----------
    judgments
        Everything gathered from the file.
    run, source
        Id of the run, location of the file.
    reading
        ``scorers`` and ``human`` matter here.
    """
    settled = settle(
        judgments.rows, judgments.places, judgments.told, judgments.model, scorers=reading.scorers
    )
    judge, judge_names = _judges(judgments, settled)
    criterion, criteria = _places_to_names(judgments, settled.criteria)
    kind = _kinds(judgments, judge, judge_names, reading)
    responses, same_test = _response_columns(judgments, run)
    response = machines = judgments.columns.column("response")
    columns = _verdict_columns(judgments) | {
        "judge": coded(judge, judge_names),
        "judge_kind": coded(kind, list(JUDGE_KINDS)),
        "criterion": coded(criterion, criteria),
    }
    table = _table(columns, responses, response, source)
    wanted = kind == (0 if (kind == 0).any() else 2)
    if not wanted.all():
        criterion, judge, machines = criterion[wanted], judge[wanted], response[wanted]
    panels = _panels(criterion, criteria, judge, judge_names)
    judged = _judged(judgments, machines, criterion, criteria)
    homes = find_homes(judgments.people, judged, panels)
    if judgments.people:
        rated = np.array([label.response for label in judgments.people], dtype=np.int32)
        labels = _table(_label_columns(judgments, homes), responses, rated, source)
        table = Study.concat([Study(table), Study(labels)]).table
    status = judgments.columns.column("status")
    scored = np.zeros(len(judgments.responses), dtype=np.bool_)
    declined = scored.copy()
    scored[response[status == OK]] = True
    declined[response[status == ABSTAINED]] = True
    declined &= ~scored
    repeats = int(responses["epoch"][0].max(initial=1))
    return Built(table, settled, panels, homes, same_test, repeats, scored, declined)


def _judges(judgments: Judgments, settled: Settled) -> tuple[Codes, list[str]]:
    """Name each verdict's judge: whom its own metadata names, else the judge of its place."""
    own = judgments.columns.pop("judge")
    names = dict(judgments.columns.judges)
    for name in settled.judges:
        names.setdefault(name, len(names))
    of_place = np.array([names[name] for name in settled.judges] or [0], dtype=np.int32)
    place = judgments.columns.column("place")
    return np.where(own > 0, own, of_place[place]).astype(np.int32), list(names)


def _places_to_names(judgments: Judgments, names: list[str]) -> tuple[Codes, list[str]]:
    distinct = {name: code for code, name in enumerate(dict.fromkeys(names))}
    of_place = np.array([distinct[name] for name in names] or [0], dtype=np.int32)
    return of_place[judgments.columns.column("place")], list(distinct)


def _kinds(
    judgments: Judgments, judge: Codes, judge_names: list[str], reading: Reading
) -> NDArray[np.int8]:
    """Code each verdict's kind of judge: 0 model, 1 human, 2 program."""
    model = [JUDGE_KINDS.index("llm" if told else "program") for told in judgments.model]
    of_place = np.array(model or [0], dtype=np.int8)
    kind: NDArray[np.int8] = of_place[judgments.columns.column("place")]
    people = [code for code, name in enumerate(judge_names) if name in reading.human]
    if people:
        kind[np.isin(judge, people)] = JUDGE_KINDS.index("human")
    return kind


def _verdict_columns(judgments: Judgments) -> dict[str, Any]:
    columns = judgments.columns
    score = columns.pop("score")
    names, distinct = _places_to_names(judgments, [p.metric or p.kind for p in judgments.places])
    made: dict[str, Any] = {
        "score": numbers(score, np.isnan(score)),
        "label": coded(columns.pop("label"), LABELS),
        "status": coded(columns.column("status"), STATUSES),
        "rationale": columns.rationales(),
        "prompt_hash": coded(columns.pop("prompt"), list(columns.prompts)),
        "cached": _flags(len(columns), np.frombuffer(columns.cached, dtype=np.int32)),
        "score_name": coded(names, distinct),
    }
    if columns.errors:
        words = {text: code for code, text in enumerate(dict.fromkeys(columns.errors.values()))}
        codes = np.full(len(columns), -1, dtype=np.int32)
        codes[list(columns.errors)] = [words[text] for text in columns.errors.values()]
        made["error"] = coded(codes, list(words))
    if columns.confidence:
        stated = np.full(len(columns), np.nan)
        stated[list(columns.confidence)] = list(columns.confidence.values())
        made["confidence"] = numbers(stated, np.isnan(stated))
        codes = np.where(np.isnan(stated), -1, 0)
        made["confidence_source"] = coded(codes, ["stated by the judge"])
    for name in ("input_tokens", "output_tokens"):
        spent = columns.pop(name)
        if (spent >= 0).any():
            made[name] = numbers(spent.astype(np.int64), spent < 0)
    return made


def _flags(size: int, marked: NDArray[np.int32]) -> pa.Array:
    found = np.zeros(size, dtype=np.bool_)
    found[marked] = True
    return flags(found)


def _label_columns(judgments: Judgments, homes: Homes) -> dict[str, Any]:
    people = judgments.people
    score = np.array([np.nan if label.score is None else label.score for label in people])
    words: dict[str, Sequence[str | None]] = {
        "criterion": homes.criteria,
        "judge": [label.judge for label in people],
        "label": [label.label for label in people],
        "scale": [label.scale for label in people],
        "score_name": [label.judge for label in people],
    }
    made: dict[str, Any] = {name: texts(found).dictionary_encode() for name, found in words.items()}
    made["judge_kind"] = coded(np.zeros(len(people)), [HUMAN])
    made["status"] = coded(np.zeros(len(people)), STATUSES)
    made["score"] = numbers(score, np.isnan(score))
    made["rationale"] = texts([label.rationale for label in people], large=True)
    made["cached"] = _flags(len(people), np.array([], dtype=np.int32))
    return made


def _response_columns(judgments: Judgments, run: str) -> tuple[dict[str, Any], int]:
    """Give codes of each response and the names they stand for (none: they are numbers)."""
    responses = judgments.responses
    items = texts(list(responses.items))
    responses.items.clear()  # the largest of what was gathered, and not needed again
    epochs, same_test = responses.epochs()
    systems = responses.systems()
    distinct = {name: code for code, name in enumerate(dict.fromkeys(systems))}
    to_system = np.array([distinct[name] for name in systems] or [0], dtype=np.int32)
    size = len(responses)
    return {
        "run": (np.zeros(size, dtype=np.int32), [run]),
        "system": (to_system[np.frombuffer(responses.column, dtype=np.int32)], list(distinct)),
        "item": (np.frombuffer(responses.item, dtype=np.int32), items),
        "epoch": (epochs, None),
        "family": (np.frombuffer(responses.family, dtype=np.int32), list(responses.families)),
        "cluster": (np.frombuffer(responses.cluster, dtype=np.int32), list(responses.clusters)),
        "response_hash": _hashes(bytes(responses.answers)),
        "response_length": (np.frombuffer(responses.length, dtype=np.int32).astype(np.int64), None),
        "sample_id": (np.arange(size, dtype=np.int32), _ordinals(size)),
    }, same_test


def _hashes(answers: bytes) -> tuple[Codes, pa.Array]:
    """Code the digests of the answers, 8 bytes each (zeros: none), and write them as text."""
    digests = np.frombuffer(answers, dtype=">u8")
    distinct, codes = np.unique(digests, return_inverse=True)
    codes = np.where(digests == 0, -1, codes.reshape(-1))
    text = distinct.tobytes().hex().encode()
    offsets = np.arange(len(distinct) + 1, dtype=np.int32) * 16
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(text)]
    return codes.astype(np.int32), pa.Array.from_buffers(pa.string(), len(distinct), buffers)


def _ordinals(size: int) -> pa.Array:
    """Write 0, 1, 2 ... as texts (Arrow's own cast would load 13 MB of kernels)."""
    digits = np.arange(size).astype(f"S{len(str(max(size - 1, 0)))}")
    lengths = np.char.str_len(digits)
    content = digits.view(np.uint8)
    offsets = np.zeros(size + 1, dtype=np.int32)
    np.cumsum(lengths, out=offsets[1:])
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(content[content != 0])]
    return pa.Array.from_buffers(pa.string(), size, buffers)


def _table(
    columns: dict[str, Any], responses: dict[str, Any], response: Codes, source: str
) -> pa.Table:
    """Join per-verdict columns with those of the responses they are of."""
    size = len(response)
    zeros = pa.py_buffer(np.zeros(size + 1, dtype=np.int64))
    first = pa.Array.from_buffers(pa.int32(), size, [None, zeros])
    joined = dict(columns)
    for name, (codes, names) in responses.items():
        if names is None:
            found = codes[response]
            joined[name] = numbers(found, found < 0) if found.min(initial=0) < 0 else numbers(found)
        elif not isinstance(names, pa.Array) and len(names) == 1 and not codes.any():
            joined[name] = pa.DictionaryArray.from_arrays(first, texts(names))
        elif len(names):
            joined[name] = coded(codes[response], names)
    joined["source"] = pa.DictionaryArray.from_arrays(first, texts([source]))
    joined["repeat"] = first
    arrays = [
        empty(field, size, zeros) if joined.get(field.name) is None else joined[field.name]
        for field in SCHEMA
    ]
    return pa.table(arrays, schema=SCHEMA)


def _panels(
    criterion: Codes, criteria: list[str], judge: Codes, judge_names: list[str]
) -> dict[str, list[str]]:
    """List the judges of each criterion."""
    width = max(1, len(judge_names))
    pairs: set[int] = set()
    for start in range(0, len(judge), BATCH):
        batch = slice(start, start + BATCH)
        pairs.update((criterion[batch] * width + judge[batch]).tolist())
    found: dict[str, set[str]] = defaultdict(set)
    for pair in pairs:
        found[criteria[pair // width]].add(judge_names[pair % width])
    return {name: sorted(found[name]) for name in sorted(found)}


def _judged(
    judgments: Judgments, response: Codes, criterion: Codes, criteria: list[str]
) -> dict[int, set[str]]:
    """List the criteria of each response that carries a label."""
    if not judgments.people:
        return {}
    labelled = np.unique([label.response for label in judgments.people])
    keep = np.isin(response, labelled)
    found: dict[int, set[str]] = defaultdict(set)
    for r, c in zip(response[keep].tolist(), criterion[keep].tolist(), strict=True):
        found[r].add(criteria[c])
    return found
