"""What routing saves on recorded panels, what a step costs, and learning after every response.

The panels are nine judges of 400 questions, each answered by nine systems (triviaqa_judges_dev of
the shared data; PANOPT_SHARED or ../shared). Two price lists: equal, and by size of the model
(billions of parameters; 200 is a guess for GPT-4). The peer of the last lines is the plain way to
learn online: Dawid and Skene's model fitted anew after every response.
Run: python tests/benchmarks/bench_routing.py [SEEDS]
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from panopt.judging.verdict import Boolean
from panopt.policies import PolicyReplay, replay_policies
from panopt.records.ask import Ask
from panopt.records.study import Study
from panopt.router import Router, RouterOptions
from panopt.stats.label_models import dawid_skene
from panopt.stats.routing_bootstrap import Estimate

SIZES = {
    "Gemma-2B": 2,
    "JudgeLM": 7,
    "Llama-7B": 7,
    "Mistral-7B": 7,
    "Llama3-8B": 8,
    "Llama-13B": 13,
    "Llama-70B": 70,
    "Llama3-70B": 70,
    "GPT-4": 200,
}


def panels() -> Study:
    """Read the panels and the human labels."""
    root = Path(os.environ.get("PANOPT_SHARED", Path(__file__).parents[3] / "shared"))
    rows = pq.read_table(root / "data/sets/triviaqa_judges_dev/scores.parquet").to_pylist()
    llm = [(row, "llm", row["score"]) for row in rows if row["judge_kind"] == "llm"]
    people = {row["item_id"]: row for row in rows if row["judge_kind"] == "human"}
    every = [*llm, *((row, "human", row["label"]) for row in people.values())]
    return Study.from_columns(
        {
            "item": [row["item_id"] for row, _, _ in every],
            "judge": [row["judge"] for row, _, _ in every],
            "judge_kind": [kind for _, kind, _ in every],
            "score": [score for _, _, score in every],
            "status": ["failed" if score is None else "ok" for _, _, score in every],
            "cluster": [row["question_id"] for row, _, _ in every],
            "scale": "binary",
        }
    )


def percent(found: Estimate | None) -> str:
    if found is None or found.low is None or found.high is None:
        return "-"
    return f"{100 * found.value:6.2f} [{100 * found.low:6.2f}, {100 * found.high:6.2f}]"


def show(found: PolicyReplay, what: str, *, plain: bool) -> None:
    for run in found.runs:
        if plain != run.policy.startswith(("all", "single")):
            continue
        expected = "-" if run.expected_error is None else f"{100 * run.expected_error:.2f}"
        print(
            f"{what:34s} {run.policy:16s} cost {percent(run.share)}  error {percent(run.error)}  "
            f"vs all {percent(run.more_error)}  flips {percent(run.flips)}  expected {expected}",
            flush=True,
        )


def curves(study: Study, seeds: int) -> None:
    """Print what each policy costs and gets wrong, by its options."""
    for name, costs in (("equal", {}), ("size", SIZES)):
        for warm in (0, 200):
            first = True
            for epsilon, at_least in ((0.1, 1), (0.05, 1), (0.02, 1), (0.01, 1), (0.01, 5)):
                policies = ["voi", *(["single"] if first else [])]
                policies += ["thompson", "random", "cheapest_first"] if epsilon == 0.02 else []
                (found,) = replay_policies(
                    study,
                    Ask(),
                    policies=policies,
                    costs=costs,
                    seeds=seeds,
                    warm=warm,
                    options=RouterOptions(epsilon=epsilon, at_least=at_least),
                )
                what = f"{name}, {warm} labels"
                if first:
                    show(found, what, plain=True)
                show(found, f"{what}, eps {epsilon:g}, >= {at_least}", plain=False)
                first = False
    for correlation in (0.0, 0.25, 0.4):
        (found,) = replay_policies(
            study,
            policies=["voi"],
            seeds=seeds,
            options=RouterOptions(epsilon=0.02, correlation=correlation),
        )
        show(found, f"equal, 0 labels, correlation {correlation:g}", plain=False)


def speed() -> None:
    """Time steps, and learning against fitting anew after every response."""
    rng = np.random.default_rng(0)
    truth = rng.random(2000) < 0.6
    votes = np.where(
        rng.random((2000, 9)) < np.linspace(0.7, 0.92, 9), truth[:, None], ~truth[:, None]
    )
    names = [f"j{k}" for k in range(9)]
    for policy in ("voi", "thompson", "random"):
        router = Router(names, Boolean(), options=RouterOptions(policy=policy))
        steps, longest, start = 0, 0.0, time.process_time()
        for i in range(2000):
            step = router.next(str(i))
            while step.judge is not None:
                router.observe(str(i), step.judge, bool(votes[i, names.index(step.judge)]))
                begun = time.perf_counter()
                step = router.next(str(i))
                longest = max(longest, time.perf_counter() - begun)
                steps += 1
            router.close(str(i))
        spent = time.process_time() - start
        print(
            f"{policy:10s} {1e6 * spent / steps:6.0f} us a step, learning included "
            f"(longest next() {1e3 * longest:.1f} ms), {spent / 2000 * 1e3:.2f} ms a response"
        )
    start = time.process_time()
    for n in range(100, 2000, 100):  # one in a hundred of the fits that it would take
        item, judge = np.divmod(np.arange(n * 9), 9)
        dawid_skene(item, judge, votes[:n].reshape(-1).astype(int))
    every = (time.process_time() - start) / 19
    router = Router(names, Boolean(), options=RouterOptions(policy="all"))
    start = time.process_time()
    for i, row in enumerate(votes.tolist()):
        for name in names:
            router.next(str(i))
            router.observe(str(i), name, row[names.index(name)])
        router.close(str(i))
    own = (time.process_time() - start) / 2000
    print(f"learning online: {1e3 * own:.2f} ms a response, fitting anew {1e3 * every:.2f} ms")
    print(f"ratio {every / own:.1f}")


if __name__ == "__main__":
    speed()
    curves(panels(), int(sys.argv[1]) if len(sys.argv) > 1 else 20)
