"""A jury of five rates stories inside Inspect, offline: the judges' ratings are recorded.

In this folder::

    PANOPT_REPLAY=recording.jsonl inspect eval story_jury.py --model none
    panopt analyze logs/*.eval

With real models, name them and leave ``PANOPT_REPLAY`` out::

    inspect eval story_jury.py --model none -T judges=openai/gpt-4o,anthropic/claude-sonnet-4-0
"""

from __future__ import annotations

import json
from pathlib import Path

from inspect_ai import Task, task
from inspect_ai.dataset import Sample
from inspect_ai.model import ModelOutput
from inspect_ai.solver import Generate, Solver, TaskState, solver

from panopt.shims.inspect.live.registry import jury

HERE = Path(__file__).parent
JUDGES = [
    f"panopt-replay/{name}"
    for name in ("Beluga-13B", "ChatGPT", "Llama-13B", "Mistral-7B", "OrcaPlatypus")
]


@solver
def told() -> Solver:
    """Give the story that was written before: here its mark, since the ratings come without."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:  # noqa: ARG001
        text = f"[story {state.sample_id} by GPT-2]"
        state.output = ModelOutput.from_content("recorded/GPT-2", text)
        return state

    return solve


@task
def story_jury(judges: str | list[str] | None = None) -> Task:
    """Rate the complexity of stories from 1 to 5 by a panel.

    Parameters
    ----------
    judges
        Models; the recorded ones by default.
    """
    lines = (HERE / "recording.jsonl").read_text(encoding="utf-8").splitlines()
    prompts = dict.fromkeys(json.loads(line)["item"] for line in lines)
    return Task(
        dataset=[Sample(id=name, input=f"Write a story for prompt {name}.") for name in prompts],
        solver=told(),
        scorer=jury(
            judges or JUDGES,
            kind="numeric",
            criterion="complexity",
            rubric="How elaborate is the story?",
            score_range=[1, 5],
            threshold=3,
            anchors={"1": "a bare outline", "5": "rich in plot and detail"},
            min_successful=3,
        ),
    )
