"""An Inspect task whose five judges replay recorded verdicts: nothing is called, nothing costs.

Run it again, for one system at a time, in this folder::

    inspect eval hanna_panel.py --model none -T system=GPT-2

The provider ``replay`` stands for every model. As the system it gives the mark of its story (the
recorded verdicts come without the stories' texts); as a judge it gives the score in ``hanna.csv``,
or a refusal where the source holds none.
"""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

from inspect_ai import Task, task
from inspect_ai.dataset import Sample
from inspect_ai.model import (
    ChatMessage,
    GenerateConfig,
    ModelAPI,
    ModelOutput,
    ModelUsage,
    get_model,
    modelapi,
)
from inspect_ai.scorer import Score, Scorer, Target, mean, scorer, stderr
from inspect_ai.solver import TaskState, generate
from inspect_ai.tool import ToolChoice, ToolInfo

CRITERION = "complexity"
JUDGES = ["Beluga-13B", "ChatGPT", "Llama-13B", "Mistral-7B", "OrcaPlatypus"]
with Path("hanna.csv").open(encoding="utf-8", newline="") as _file:
    RECORDED = {
        (row["system"], row["story_prompt"]): row
        for row in csv.DictReader(_file)
        if row["criterion"] == CRITERION
    }


@modelapi(name="replay")
class ReplayAPI(ModelAPI):
    """Answers as a recorded system or judge; the tokens it reports are words."""

    async def generate(
        self,
        input: list[ChatMessage],  # noqa: A002 - Inspect passes it by this name
        tools: list[ToolInfo],  # noqa: ARG002
        tool_choice: ToolChoice,  # noqa: ARG002
        config: GenerateConfig,  # noqa: ARG002
    ) -> ModelOutput:
        """Give the story's mark to the one who asks for a story, a rating to the one who judges."""
        prompt = input[-1].text
        mark = re.search(r"\[story (?P<prompt>p\d+) by (?P<system>.+?)\]", prompt)
        if mark is None:
            wanted = re.search(r"p\d+", prompt)
            if wanted is None:
                raise ValueError(f"no story prompt like p00 in {prompt!r}")
            text = f"[story {wanted[0]} by {self.model_name}]"
        else:
            rating = RECORDED[mark["system"], mark["prompt"]][self.model_name]
            text = (
                json.dumps({"reason": f"recorded rating {rating} of 5", "rating": float(rating)})
                if rating
                else "No rating was recorded."
            )
        output = ModelOutput.from_content(model=self.model_name, content=text)
        n_in, n_out = len(prompt.split()), len(text.split())
        output.usage = ModelUsage(input_tokens=n_in, output_tokens=n_out, total_tokens=n_in + n_out)
        return output


@scorer(metrics=[mean(), stderr()], name=CRITERION)
def likert_judge(model: str) -> Scorer:
    """Have one judge rate the story from 1 to 5."""

    async def score(state: TaskState, target: Target) -> Score:  # noqa: ARG001
        reply = await get_model(model).generate(
            f"Rate the {CRITERION} of this story from 1 (low) to 5 (high). "
            f'Answer as JSON: {{"reason": text, "rating": number}}\n\n{state.output.completion}'
        )
        try:
            rating = float(json.loads(reply.completion)["rating"])
        except json.JSONDecodeError:
            return Score.unscored(reason="grader_failed", explanation=reply.completion)
        return Score(value=rating, explanation=reply.completion, metadata={"judge": model})

    return score


@task
def hanna_complexity(system: str) -> Task:
    """Have the system write a story for each of the 96 prompts and five judges rate it."""
    prompts = sorted(prompt for name, prompt in RECORDED if name == system)
    return Task(
        dataset=[Sample(id=p, input=f"Write a story for the writing prompt {p}.") for p in prompts],
        model=f"replay/{system}",
        solver=generate(),
        scorer=[likert_judge(model=f"replay/{judge}") for judge in JUDGES],
        metadata={
            "data": "HANNA, github.com/dig-team/hanna-benchmark-asg, MIT, (c) 2022 dig-team",
            "replayed": "the judges' scores are recorded; prompts and stories are marks, not texts",
        },
    )
