"""Results files for the tests of the promptfoo shim: kept ones, and small ones written by hand."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from panopt.records.ask import Reading
from panopt.records.source import SourceFile
from panopt.records.study import Study
from panopt.shims.promptfoo import panopt_read

ReadResults = Callable[..., Study]
MakeResults = Callable[..., Path]


@pytest.fixture
def promptfoo_logs() -> Path:
    """Folder of promptfoo results with known verdicts; see its README."""
    return Path(__file__).parents[2] / "logs" / "promptfoo"


@pytest.fixture
def read_results() -> ReadResults:
    """Give a function that reads one file with the shim alone; keywords are those of Reading."""

    def read(path: Path, **options: Any) -> Study:  # noqa: ANN401 - options of Reading
        study = panopt_read(SourceFile(str(path)), Reading(**options), lambda _: None)
        assert study is not None
        return study

    return read


@pytest.fixture
def make_results(tmp_path: Path) -> MakeResults:
    """Give a function that writes results of the given rows, each a list of components.

    A row may also be a dict of row fields, with ``components`` and the test's ``assert`` and
    ``metadata`` among them. The ending of `name` says how they are written.
    """

    def make(
        rows: Sequence[Sequence[Mapping[str, Any]] | Mapping[str, Any]],
        *,
        name: str = "results.json",
        indent: int | None = 2,
        **top: Any,  # noqa: ANN401 - any JSON
    ) -> Path:
        made = [_row(number, row) for number, row in enumerate(rows)]
        path = tmp_path / name
        results = {"version": 3, "prompts": [], "results": made, "stats": {}}
        whole = {"evalId": "eval-made", "results": results, "config": {}, **top}
        plain = name.removesuffix(".gz")
        if plain.endswith(".jsonl"):
            text = "".join(json.dumps(row) + "\n" for row in made)
        elif plain.endswith(".yaml"):
            text = yaml.safe_dump(whole, sort_keys=False)
        else:
            text = json.dumps(whole, indent=indent)
        data = text.encode()
        path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        return path

    return make


def _row(number: int, given: Sequence[Mapping[str, Any]] | Mapping[str, Any]) -> dict[str, Any]:
    fields = dict(given) if isinstance(given, Mapping) else {"components": list(given)}
    components = fields.pop("components", [])
    test: dict[str, Any] = {
        "assert": fields.pop("assert", None),
        "metadata": fields.pop("metadata", {}),
    }
    row = {
        "testIdx": number,
        "promptIdx": 0,
        "provider": {"id": "echo", "label": ""},
        "prompt": {"raw": "q", "label": "q"},
        "vars": {"q": number},
        "testCase": {name: value for name, value in test.items() if value is not None},
        "response": {"output": f"answer {number}"},
        "success": True,
        "score": 0.123,
        "namedScores": {},
        "gradingResult": {"pass": True, "score": 0.123, "componentResults": components},
        "failureReason": 0,
    }
    return row | fields
