"""The rows of a results file as columns: which item, which system, which repeat, and what came."""

from __future__ import annotations

import hashlib
import json
from array import array
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from panopt.shims.promptfoo.judges import GraderNames
from panopt.shims.promptfoo.schema import Response, Row, TestMetadata, canonical, decode

__all__ = ["Column", "Responses", "item_key", "row_variables", "test_metadata"]

ERRORED = 2  # promptfoo's failureReason
KEY_DIGITS = 16
LONGEST_LABEL = 60
Codes = NDArray[np.int32]
_metadata = msgspec.json.Decoder(TestMetadata)
_vars = msgspec.json.Decoder(dict[str, Any])


class _Prompt(msgspec.Struct, gc=False):
    label: Any = None
    display: Any = None


_prompt = msgspec.json.Decoder(_Prompt)
_text = msgspec.json.Decoder(str)


class Column(NamedTuple):
    """One column of promptfoo's table: a provider with a prompt."""

    provider: str
    prompt: str
    rank: int


class Responses:
    """One entry a row, in the order of the file.

    Attributes
    ----------
    errored
        1 where the system, or promptfoo, failed before the answer could be judged.
    """

    def __init__(self, graders: GraderNames) -> None:
        self.items: dict[str, int] = {}
        self.columns: dict[Column, int] = {}
        self.families: dict[str, int] = {}
        self.clusters: dict[str, int] = {}
        self.item = array("i")
        self.column = array("i")
        self.test = array("i")
        self.family = array("i")
        self.cluster = array("i")
        self.length = array("i")  # characters of the answer, -1 for none
        self.answers = bytearray()  # 8 bytes of digest each; zeros for no answer
        self.errored = bytearray()
        self.cached = 0
        self.unjudged = 0
        self.run: str | None = None
        self.last_item = ""
        self.several_vars: set[str] = set()
        self._vars_of = array("q")  # by item: hash of the variables first seen
        self._graders = graders

    def __len__(self) -> int:
        """Count the rows."""
        return len(self.item)

    def add(self, row: Row, metadata: TestMetadata, *, judged: bool) -> int:
        """Note one row; give its number."""
        number = len(self.item)
        self.item.append(self._item_code(row, metadata))
        column = self._column_of(row)
        self.column.append(self.columns.setdefault(column, len(self.columns)))
        test = _index(row.testIdx)
        self.test.append(number if test is None else test)
        self.family.append(
            _code(self.families, metadata.family, metadata.task_family, metadata.stratum)
        )
        self.cluster.append(_code(self.clusters, metadata.cluster))
        response = row.response or row.providerResponse
        output = response.output if response is not None else row.output
        text = canonical(output) if len(output) else b""
        self.answers += hashlib.sha256(text).digest()[:8] if len(output) else bytes(8)
        self.length.append(len(text.decode("utf-8", "replace")) if text else -1)
        failed = not judged and (row.failureReason == ERRORED or _failed(row, response, output))
        self.errored.append(failed)
        self.unjudged += not judged and not failed
        self.cached += response is not None and response.cached is True
        if self.run is None:
            named = row.evalId or row.evaluationId
            self.run = named if isinstance(named, str) else None
        return number

    def epochs(self) -> tuple[Codes, int]:
        """Count the answers of each column to each item by test index, from 1.

        promptfoo gives every repeat of a test an index of its own and does not store which
        repeat it is. Also gives how many rows repeat the test index of another one.
        """
        key = np.frombuffer(self.item, dtype=np.int32) * np.int64(len(self.columns) or 1)
        key += np.frombuffer(self.column, dtype=np.int32)
        test = np.frombuffer(self.test, dtype=np.int32)
        order = np.lexsort((test, key)).astype(np.int32)
        fresh = np.diff(key[order], prepend=-1) != 0
        same = int(np.count_nonzero(~fresh[1:] & (np.diff(test[order]) == 0)))
        ranks = np.arange(len(key), dtype=np.int32)
        starts = np.maximum.accumulate(np.where(fresh, ranks, np.int32(0)))
        epochs = np.empty(len(key), dtype=np.int32)
        epochs[order] = ranks - starts + np.int32(1)
        return epochs, same

    def systems(self) -> list[str]:
        """Name the system of each column: its provider, and its prompt where it has several."""
        columns = list(self.columns)
        names = []
        for column in columns:
            mates = [other for other in columns if other.provider == column.provider]
            name = column.provider
            if len(mates) > 1:
                label = _short(column.prompt)
                name = f"{name} | {label}" if name else label
                if sum(_short(other.prompt) == label for other in mates) > 1:
                    name = f"{name} #{column.rank}"
            names.append(name)
        return names

    def _item_code(self, row: Row, metadata: TestMetadata) -> int:
        variables = row_variables(row)
        key = self.last_item = item_key(row, metadata, variables)
        code = self.items.setdefault(key, len(self.items))
        content = hash(bytes(variables))
        if code == len(self._vars_of):
            self._vars_of.append(content)
        elif self._vars_of[code] != content and not key.startswith("vars-"):
            self.several_vars.add(key)
        return code

    def _column_of(self, row: Row) -> Column:
        provider = self._graders.of(row.provider).name or ""
        index = _index(row.promptIdx)
        return Column(provider, _label(row.prompt), -1 if index is None else index)


def item_key(row: Row, metadata: TestMetadata, variables: msgspec.Raw) -> str:
    """Give the key of the test a row answers: equal in every run, under every filter.

    The test's own ``metadata.testCaseId``, ``item_id`` or ``id``; else a digest of its
    variables, without those promptfoo or the run put in. Neither testIdx (it restarts under
    filters) nor the row's id (it changes at import).
    """
    own = row.testCase.id if row.testCase is not None else None
    for name in (metadata.testCaseId, metadata.item_id, metadata.id, own):
        if isinstance(name, str | int) and not isinstance(name, bool) and name != "":
            return str(name)
    try:
        values = decode(variables, _vars) if len(variables) else {}
    except msgspec.DecodeError:
        values = {}
    kept = {
        name: value
        for name, value in values.items()
        if not name.startswith("_") and name != "sessionId"
    }
    text = json.dumps(kept, sort_keys=True, separators=(",", ":"))
    return f"vars-{hashlib.sha256(text.encode()).hexdigest()[:KEY_DIGITS]}"


def test_metadata(row: Row) -> TestMetadata:
    """Read what the author of the test wrote beside it."""
    if row.testCase is None or not len(row.testCase.metadata):
        return TestMetadata()
    try:
        return decode(row.testCase.metadata, _metadata)
    except msgspec.DecodeError:
        return TestMetadata()


def row_variables(row: Row) -> msgspec.Raw:
    """Give the variables a row was made with: its own, else those of its test."""
    if len(row.vars) or row.testCase is None:
        return row.vars
    return row.testCase.vars


def _label(raw: msgspec.Raw) -> str:
    first = bytes(memoryview(raw)[:1])
    if first == b'"':
        return decode(raw, _text)
    if first != b"{":
        return ""
    try:
        prompt = decode(raw, _prompt)
    except msgspec.DecodeError:
        return ""
    label = prompt.label or prompt.display
    return label if isinstance(label, str) else ""


def _short(label: str) -> str:
    text = " ".join(label.split())
    if len(text) <= LONGEST_LABEL:
        return text
    return f"{text[: LONGEST_LABEL - 8]}… {hashlib.sha256(label.encode()).hexdigest()[:6]}"


def _failed(row: Row, response: Response | None, output: msgspec.Raw) -> bool:
    told = row.error if response is None else response.error
    return told not in (None, "") and bytes(output) in (b"", b"null")


def _index(value: Any) -> int | None:  # noqa: ANN401 - any JSON
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31:
        return value
    return None


def _code(names: dict[str, int], *values: Any) -> int:  # noqa: ANN401 - any JSON
    for value in values:
        if isinstance(value, str | int) and not isinstance(value, bool) and value != "":
            return names.setdefault(str(value), len(names))
    return -1
