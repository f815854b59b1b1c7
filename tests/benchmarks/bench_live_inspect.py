"""What ``panopt/jury`` adds to bare model calls in Inspect, and how it fares when judges fail.

The peer is a scorer that makes the same calls with the same prompts and keeps the replies. Each
part runs in a process of its own; answers come from the replay provider, at once.

    python tests/benchmarks/bench_live_inspect.py [overhead] [memory] [faults]
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from inspect_ai.log import EvalLog

JUDGES = ("a", "b", "c", "d", "e")
AT_ONCE = 16


def record(folder: Path, n_items: int, n_judges: int) -> None:
    with (folder / "recording.jsonl").open("w", encoding="utf-8") as file:
        for item in range(1, n_items + 1):
            for place, judge in enumerate(JUDGES[:n_judges]):
                line = {
                    "item": item,
                    "judge": judge,
                    "verdict": (item + place) % 7 / 7,
                    "reason": "It names the source and answers the question. " * 4,
                }
                file.write(f"{json.dumps(line)}\n")


def evaluate(how: str, n_items: int, n_judges: int, folder: Path, faults: float = 0.0) -> EvalLog:
    from inspect_ai import Task
    from inspect_ai import eval as run
    from inspect_ai.dataset import Sample
    from inspect_ai.model import ChatMessageSystem, ChatMessageUser, GenerateConfig, ModelOutput
    from inspect_ai.model import get_model as model_of
    from inspect_ai.scorer import Score, Scorer, Target, mean, scorer
    from inspect_ai.solver import Generate, Solver, TaskState, solver

    from panopt.judging.prompts import DEFAULT_RUBRIC, PromptMaker
    from panopt.judging.protocol import Question
    from panopt.judging.verdict import Numeric
    from panopt.shims.inspect.live.registry import jury

    os.environ["PANOPT_REPLAY"] = str(folder / "recording.jsonl")
    names = [f"panopt-replay/{judge}" for judge in JUDGES[:n_judges]]
    models: list[Any] = list(names)
    if faults:
        models = [model_of(name, faults=faults, fault_seed=1) for name in names]

    @solver
    def recorded() -> Solver:
        async def solve(state: TaskState, generate: Generate) -> TaskState:
            state.output = ModelOutput.from_content("m", f"answer to {state.sample_id}")
            return state

        return solve

    @scorer(metrics=[mean()])
    def bare() -> Scorer:
        import anyio

        prompts = PromptMaker(Numeric(), DEFAULT_RUBRIC, "score")

        async def score(state: TaskState, target: Target) -> Score:
            replies: list[str] = [""] * len(names)

            async def one(place: int, name: str) -> None:
                question = Question(
                    str(state.sample_id),
                    state.input_text,
                    (state.output.completion,),
                    "",
                    Numeric(),
                )
                prompt = prompts.make(question, schema_in_prompt=False)
                asked = {"item": str(state.sample_id), "epoch": 1, "draw": 0, "order": None}
                out = await model_of(name).generate(
                    [
                        ChatMessageSystem(content=prompt.system),
                        ChatMessageUser(content=prompt.user, metadata={"panopt": asked}),
                    ],
                    config=GenerateConfig(max_retries=3, attempt_timeout=120),
                )
                replies[place] = out.completion

            async with anyio.create_task_group() as group:
                for place, name in enumerate(names):
                    group.start_soon(one, place, name)
            return Score(value=0.5, metadata={"replies": replies})

        return score

    scored: dict[str, Any] = {
        "bare": bare,
        "jury": lambda: jury(models, kind="numeric", threshold=0.5),
    }
    data = [Sample(id=i, input=f"question {i}", target="C") for i in range(1, n_items + 1)]
    task = Task(data, solver=recorded(), scorer=scored.get(how, lambda: None)())
    [log] = run(
        task,
        model="none",
        display="none",
        log_dir=str(folder / "logs"),
        max_samples=AT_ONCE,
        log_realtime=False,
        score=how != "none",
    )
    return log


def measured(how: str, n_items: int, n_judges: int) -> dict[str, float]:
    """Run in this process; give CPU seconds and the peak of memory."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        record(folder, max(n_items, 20), n_judges)
        evaluate(how, 20, n_judges, folder)  # imports and first uses
        before = time.process_time()
        log = evaluate(how, n_items, n_judges, folder)
        seconds = time.process_time() - before
        assert log.status == "success", log.error
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"cpu": seconds, "mb": peak}


def apart(how: str, n_items: int, n_judges: int) -> dict[str, float]:
    """Run in a process of its own."""
    told = [sys.executable, __file__, "--one", how, str(n_items), str(n_judges)]
    done = subprocess.run(told, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def overhead() -> None:
    n_items, n_judges = 300, 5
    votes = n_items * n_judges
    best: dict[str, float] = {}
    for _ in range(2):
        for how in ("none", "bare", "jury"):
            seconds = apart(how, n_items, n_judges)["cpu"]
            best[how] = min(seconds, best.get(how, seconds))
    each = {how: 1000 * seconds / votes for how, seconds in best.items()}
    print(f"{n_items} samples x {n_judges} judges, {AT_ONCE} at once, CPU ms a vote, best of 2:")
    print(f"  no scorer {each['none']:.2f}, bare calls {each['bare']:.2f}, jury {each['jury']:.2f}")
    print(f"  jury above bare calls: {each['jury'] - each['bare']:.2f} ms (limit 3)")


def memory() -> None:
    print("peak memory, MB, one judge:")
    for n_items in (1000, 4000, 10_000):
        bare, jury = (apart(how, n_items, 1)["mb"] for how in ("bare", "jury"))
        print(
            f"  {n_items:6d} samples: bare {bare:.0f}, jury {jury:.0f}, above it {jury - bare:.0f}"
        )


def faults() -> None:
    n_items, n_judges = 1000, 5
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        record(folder, n_items, n_judges)
        start = time.perf_counter()
        log = evaluate("jury", n_items, n_judges, folder, faults=0.3)
        seconds = time.perf_counter() - start
        samples = log.samples or []
        scores = [sample.scores["jury"] for sample in samples if sample.scores]
        told = [score.metadata or {} for score in scores]
        outcomes = Counter(one["jury"]["outcome"] for one in told)
        status = Counter("".join(one["votes"]["status"] for one in told))
        errors = [error for one in told for error in one.get("errors", {}).values()]
        kinds = Counter(error.split(":")[0] for error in errors)
        import panopt

        study = panopt.read(log.location)
        print(f"{n_items} samples x {n_judges} judges, 30% of calls spoilt:")
        print(f"  {log.status} in {seconds:.0f} s")
        lost = n_items - len(scores) + sum(sample.error is not None for sample in samples)
        print(f"  lost samples {lost}; outcomes {dict(outcomes)}")
        print(f"  votes {dict(status)}; failures {dict(kinds)}")
        print(f"  judgments read back {len(study)}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(measured(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))))
    else:
        parts = {"overhead": overhead, "memory": memory, "faults": faults}
        for wanted in sys.argv[1:] or list(parts):
            parts[wanted]()
