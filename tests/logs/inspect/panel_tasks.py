"""Tasks whose judges answer from a written table, so that every true vote in a log is known.

No model is called: the provider ``replay`` looks the reply up by the question's number and the
epoch, which the answer under judgment carries as ``[q03/2]``. A ``?`` in a table is a reply
without a verdict in it.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import (
    ChatMessage,
    GenerateConfig,
    ModelAPI,
    ModelOutput,
    ModelUsage,
    get_model,
    modelapi,
)
from inspect_ai.scorer import (
    Score,
    Scorer,
    Target,
    accuracy,
    mean,
    model_graded_fact,
    model_graded_qa,
    multi_scorer,
    precomputed_scores,
    scorer,
    stderr,
)
from inspect_ai.solver import Generate, Solver, TaskState, solver
from inspect_ai.tool import ToolChoice, ToolInfo

JUDGES = ["judge-a", "judge-b", "judge-c"]
N_ITEMS = 10

# Epoch e reads its row rotated left by e - 1 places, so that epochs differ.
LETTERS = {
    "judge-a": "CCCICCII?C",
    "judge-b": "CCIICCCI?I",
    "judge-c": "CICIC?CICI",
}
RATINGS = {
    "clarity": {"judge-a": "5432154321", "judge-b": "443322?544", "judge-c": "3332244455"},
    "depth": {"judge-a": "1234512345", "judge-b": "2?34455112", "judge-c": "1124454335"},
}
ANSWERS_RIGHT = "1110101011"
HUMAN = "CCCICCCICI"


def letter(judge: str, number: int, epoch: int = 1) -> str:
    """Give the grade C or I in the table, or ? for a reply without one."""
    return LETTERS[judge][(number - 1 + epoch - 1) % N_ITEMS]


def rating(judge: str, number: int, criterion: str = "clarity", epoch: int = 1) -> str:
    """Give the rating 1 to 5 in the table, or ? for a reply without one."""
    return RATINGS[criterion][judge][(number - 1 + epoch - 1) % N_ITEMS]


@modelapi(name="replay")
def replay() -> type[ModelAPI]:
    """Register the provider that answers from the tables above."""
    return ReplayAPI


class ReplayAPI(ModelAPI):
    """Answers from the tables above; the tokens it reports are words."""

    async def generate(
        self,
        input: list[ChatMessage],  # noqa: A002 - Inspect passes it by this name
        tools: list[ToolInfo],
        tool_choice: ToolChoice,
        config: GenerateConfig,
    ) -> ModelOutput:
        """Look the reply up by the mark in the prompt."""
        prompt = input[-1].text
        mark = re.search(r"\[q(\d+)/(\d+)\]", prompt)
        if mark is None:
            raise ValueError(f"no mark like [q03/1] in the prompt: {prompt[:200]!r}")
        number, epoch = int(mark[1]), int(mark[2])
        criterion = re.search(r"Rate the (\w+)", prompt)
        if self.model_name not in JUDGES:
            right = ANSWERS_RIGHT[number - 1] == "1"
            text = f"[q{number:02d}/{epoch}] {2 * number if right else 2 * number + 1}"
        elif criterion is not None:
            number_text = rating(self.model_name, number, criterion[1], epoch)
            text = (
                "I would rather not say."
                if number_text == "?"
                else json.dumps({"reason": f"{criterion[1]} seen", "rating": int(number_text)})
            )
        else:
            grade = letter(self.model_name, number, epoch)
            text = (
                "I would rather not say."
                if grade == "?"
                else f"{self.model_name} compared the answer with the criterion.\n\nGRADE: {grade}"
            )
        output = ModelOutput.from_content(model=self.model_name, content=text)
        n_in, n_out = len(prompt.split()), len(text.split())
        output.usage = ModelUsage(input_tokens=n_in, output_tokens=n_out, total_tokens=n_in + n_out)
        return output


@solver
def ask(error_at: int = 0, error_once_at: int = 0) -> Solver:
    """Have the model answer; question `error_at` fails always, `error_once_at` the first time."""
    seen: set[int] = set()

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        number = int(state.metadata["number"])
        if number == error_at:
            raise RuntimeError(f"the solver failed on question {number}")
        if number == error_once_at and number not in seen:
            seen.add(number)
            raise RuntimeError(f"the solver failed once on question {number}")
        state.user_prompt.text += f" [q{number:02d}/{state.epoch}]"
        return await generate(state)

    return solve


async def ask_rating(judge: str, state: TaskState, criterion: str = "clarity") -> float:
    """Ask one judge for a rating; NaN where its reply holds none."""
    reply = await get_model(f"replay/{judge}").generate(
        f"Rate the {criterion} of this answer from 1 to 5, as JSON.\n\n{state.output.completion}"
    )
    try:
        return float(json.loads(reply.completion)["rating"])
    except json.JSONDecodeError:
        return math.nan


@scorer(metrics=[mean(), stderr()])
def likert(model: str) -> Scorer:
    """Rate from 1 to 5 by one judge."""

    async def score(state: TaskState, target: Target) -> Score:
        value = await ask_rating(model.removeprefix("replay/"), state)
        if math.isnan(value):
            return Score.unscored(reason="grader_failed", explanation="no rating in the reply")
        return Score(value=value, explanation=f"rated {value:g} of 5")

    return score


@scorer(metrics={"*": [mean(), stderr()]})
def jury() -> Scorer:
    """Rate by the whole panel: one key a judge."""

    async def score(state: TaskState, target: Target) -> Score:
        return Score(value={judge: await ask_rating(judge, state) for judge in JUDGES})

    return score


@scorer(metrics={"*": [mean(), stderr()]})
def rubric(model: str) -> Scorer:
    """Rate two criteria by one judge: one key a criterion."""

    async def score(state: TaskState, target: Target) -> Score:
        judge = model.removeprefix("replay/")
        return Score(value={c: await ask_rating(judge, state, c) for c in RATINGS})

    return score


@scorer(metrics=[accuracy(), stderr()])
def human(ratings: str) -> Scorer:
    """Take a human's grades from a file."""
    return precomputed_scores(ratings)


def values(number: int) -> dict[str, Any]:
    """List the value of each kind for one question."""
    return {
        "bool": number % 2 == 0,
        "int": number,
        "float": math.nan if number == 4 else number / 10,
        "letter": "CIPN"[number % 4],
        "text": ["yes", "no", "0.5", "unknown"][number % 4],
        "list": [number, number + 1],
        "declined": number,
    }


@scorer(metrics=[mean()])
def valued(kind: str) -> Scorer:
    """Score with a value of one Python kind, no judge asked; ``declined`` gives no score on q02."""

    async def score(state: TaskState, target: Target) -> Score | None:
        number = int(state.metadata["number"])
        return None if kind == "declined" and number == 2 else Score(value=values(number)[kind])

    return score


def dataset(ids: list[int | str] | None = None) -> MemoryDataset:
    """Ten questions; `ids` gives them other sample ids."""
    names: list[int | str] = ids or [f"q{n:02d}" for n in range(1, N_ITEMS + 1)]
    return MemoryDataset(
        [
            Sample(
                id=name,
                input=f"What is {number} + {number}?",
                target=str(2 * number),
                metadata={"number": number, "family": "even" if number % 2 == 0 else "odd"},
            )
            for number, name in enumerate(names, start=1)
        ]
    )


MODELS = [f"replay/{judge}" for judge in JUDGES]
IDS: list[int | str] = [7, 12, "a/b", "a/b c:é", "with space", "ünï", "x" * 80, "q#8", "9.5", "%2F"]


@task
def panel_majority() -> Task:
    """One scorer, three judges, the votes in ``metadata.panel``."""
    return Task(dataset=dataset(), solver=ask(), scorer=model_graded_qa(model=[*MODELS]))


@task
def panel_roles() -> Task:
    """One scorer, the judges bound to the role ``grader``."""
    return Task(dataset=dataset(), solver=ask(), scorer=model_graded_fact())


@task
def panel_mode() -> Task:
    """One scorer, reducer mode: the votes stand in the model events alone."""
    return Task(
        dataset=dataset(), solver=ask(), scorer=model_graded_qa(model=[*MODELS], reducer="mode")
    )


@task
def panel_mean() -> Task:
    """Several scorers reduced to their mean: the votes stand in the model events alone."""
    graders = [model_graded_qa(model=m) for m in MODELS]
    return Task(dataset=dataset(), solver=ask(), scorer=multi_scorer(graders, "mean"))


@task
def panel_collect() -> Task:
    """Several scorers collected in a list, from which a failed judge is missing."""
    graders = [model_graded_qa(model=m) for m in MODELS]
    return Task(dataset=dataset(), solver=ask(), scorer=multi_scorer(graders, "collect"))


@task
def scorers_list(error_at: int = 0, error_once_at: int = 0) -> Task:
    """Three graders side by side, one score key each."""
    return Task(
        dataset=dataset(),
        solver=ask(error_at, error_once_at),
        scorer=[model_graded_qa(model=m) for m in MODELS],
    )


@task
def likert_list() -> Task:
    """Three ratings from 1 to 5 side by side, one score key each."""
    return Task(dataset=dataset(), solver=ask(), scorer=[likert(model=m) for m in MODELS])


@task
def dict_judges() -> Task:
    """One score whose dict has a key for each judge."""
    return Task(dataset=dataset(), solver=ask(), scorer=jury())


@task
def dict_criteria() -> Task:
    """A score for each judge, whose dict has a key for each criterion."""
    return Task(dataset=dataset(), solver=ask(), scorer=[rubric(model=m) for m in MODELS])


@task
def odd_ids() -> Task:
    """Sample ids that are whole numbers or hold signs a file name must not."""
    return Task(
        dataset=dataset(IDS), solver=ask(), scorer=[model_graded_qa(model=m) for m in MODELS]
    )


@task
def value_types() -> Task:
    """Scores that are bools, whole numbers, floats with a NaN, letters, texts, lists, nothing."""
    kinds = ["bool", "int", "float", "letter", "text", "list", "declined"]
    return Task(dataset=dataset(), solver=ask(), scorer=[valued(kind) for kind in kinds])


@task
def human_scorer(ratings: str) -> Task:
    """Three graders and a human's grades read from a file."""
    graders = [model_graded_qa(model=m) for m in MODELS]
    return Task(dataset=dataset(), solver=ask(), scorer=[*graders, human(ratings)])
