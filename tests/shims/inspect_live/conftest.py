"""Real evals over recorded judges: nothing here calls a model."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from inspect_ai import Task
from inspect_ai import eval as evaluate
from inspect_ai.dataset import Sample
from inspect_ai.log import EvalLog
from inspect_ai.model import ModelOutput
from inspect_ai.scorer import Score, Scorer
from inspect_ai.solver import Generate, Solver, TaskState, solver

from panopt.shims.inspect.live.jury import jury

Line = Mapping[str, Any]
#: By item: what each judge answered; a bare verdict stands for its line.
Votes = Mapping[str, Mapping[str, Any]]


@solver
def recorded() -> Solver:
    """Answer with the text in the sample's metadata."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        text = state.metadata.get("answer", f"answer to {state.sample_id}")
        state.output = (
            ModelOutput() if text is None else ModelOutput.from_content("recorded/model", text)
        )
        return state

    return solve


class Replayed:
    """Writes recordings and evaluates tasks with them."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.file = folder / "recording.jsonl"
        monkeypatch.setenv("PANOPT_REPLAY", str(self.file))
        monkeypatch.setenv("INSPECT_LOG_DIR", str(folder / "logs"))
        monkeypatch.setenv("INSPECT_CACHE_DIR", str(folder / "cache"))

    def record(self, lines: Sequence[Line]) -> None:
        """Write a recording."""
        self.file.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")

    def record_votes(self, votes: Votes) -> None:
        """Write a recording of one line a vote."""
        self.record(
            [
                {"item": item, "judge": judge, "reason": f"{judge} on {item}", **_line(given)}
                for item, own in votes.items()
                for judge, given in own.items()
            ]
        )

    def run(
        self,
        scorer: Scorer | list[Scorer],
        items: Sequence[str | int],
        *,
        samples: Mapping[str, Mapping[str, Any]] | None = None,
        **options: Any,  # noqa: ANN401 - options of eval
    ) -> EvalLog:
        """Evaluate a task of these items with a scorer."""
        given = samples or {}
        dataset = [
            Sample(id=item, input=f"question {item}", target="C", **given.get(str(item), {}))
            for item in items
        ]
        task = Task(dataset=dataset, solver=recorded(), scorer=scorer)
        options = {"model": "none", "display": "none"} | options
        [log] = evaluate(task, log_dir=str(self.folder / "logs"), **options)
        return log

    def judged(self, votes: Votes, **options: Any) -> dict[str, Score]:  # noqa: ANN401
        """Record votes, let a jury judge, and give the scores by item."""
        log = self.log_of(votes, **options)
        assert log.status == "success", log.error
        return scores_of(log)

    def log_of(self, votes: Votes, **options: Any) -> EvalLog:  # noqa: ANN401
        """Record votes, let a jury judge, and give the log."""
        self.record_votes(votes)
        judges = options.pop("judges", None) or [
            *dict.fromkeys(j for v in votes.values() for j in v)
        ]
        run = {name: options.pop(name) for name in ("epochs", "samples") if name in options}
        names = [f"panopt-replay/{judge}" for judge in judges]
        return self.run(jury(names, **options), list(votes), **run)


@pytest.fixture
def replayed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Replayed:
    """Recordings, logs and caches in a folder of the test's own."""
    return Replayed(tmp_path, monkeypatch)


def scores_of(log: EvalLog, name: str = "jury") -> dict[str, Score]:
    """Give the scores of a log by item, of the first epoch."""
    return {str(s.id): (s.scores or {})[name] for s in log.samples or () if s.epoch == 1}


def metrics_of(log: EvalLog, name: str = "jury") -> dict[str, float]:
    """Give the metrics of a scorer by name."""
    assert log.results is not None
    return {
        key: metric.value
        for score in log.results.scores
        if score.scorer == name
        for key, metric in score.metrics.items()
    }


def _line(given: object) -> dict[str, Any]:
    return dict(given) if isinstance(given, Mapping) else {"verdict": given}
