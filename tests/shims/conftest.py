"""Small Inspect logs, written by hand where no real run gives what a test needs."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

MakeEval = Callable[..., Path]


@pytest.fixture
def inspect_logs() -> Path:
    """Folder of the logs with known votes; see its README."""
    return Path(__file__).parents[1] / "logs" / "inspect"


@pytest.fixture
def make_eval(tmp_path: Path) -> MakeEval:
    """Give a function that writes a ``.eval`` log of the given samples, and returns its path.

    ``scores`` has one dict a sample: score name to score, a dict as Inspect writes it or just
    its value. ``scorers`` lists (name, options); other keywords go into the section ``eval``.
    """

    def make(
        scores: Sequence[Mapping[str, Any]],
        *,
        scorers: Sequence[tuple[str, Mapping[str, Any]]] = (),
        samples: Sequence[Mapping[str, Any]] = (),
        name: str = "log.eval",
        header: Mapping[str, Any] | None = None,
        **spec: Any,  # noqa: ANN401 - any JSON value
    ) -> Path:
        path = tmp_path / name
        log = {
            "version": 2,
            "status": "success",
            "eval": {
                "eval_id": "eval-1",
                "run_id": "run-1",
                "created": "2026-01-02T03:04:05+00:00",
                "task": "made_up",
                "task_id": "task-1",
                "dataset": {"samples": len(scores)},
                "model": "mockllm/system",
                "config": {"epochs": 1},
                "packages": {"inspect_ai": "0.3.285"},
                "scorers": [
                    {"name": scorer, "options": dict(options), "metrics": [], "metadata": {}}
                    for scorer, options in scorers
                ],
                **spec,
            },
            "plan": {"name": "plan", "steps": []},
            "results": {"total_samples": len(scores), "completed_samples": len(scores)},
            "stats": {
                "started_at": "2026-01-02T03:04:05+00:00",
                "completed_at": "2026-01-02T03:05:05+00:00",
            },
            **(header or {}),
        }
        extra = [*samples, *({} for _ in range(len(scores) - len(samples)))]
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("_journal/start.json", json.dumps({"version": 2, "eval": log["eval"]}))
            for i, (own, more) in enumerate(zip(scores, extra, strict=True), 1):
                sample = {
                    "id": i,
                    "epoch": 1,
                    "input": f"question {i}",
                    "target": f"target {i}",
                    "scores": {
                        key: score
                        if isinstance(score, dict) and "value" in score
                        else {"value": score}
                        for key, score in own.items()
                    },
                    **more,
                }
                member = f"samples/{sample['id']}_epoch_{sample['epoch']}.json"
                archive.writestr(member, json.dumps(sample))
            archive.writestr("header.json", json.dumps(log))
        return path

    return make
