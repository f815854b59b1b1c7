"""Real evals that stop when their claim is settled, and those that do not."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import anyio
import pytest
from inspect_ai import Task, eval_retry
from inspect_ai import eval as evaluate
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.log import EvalLog, read_eval_log
from inspect_ai.model import ModelOutput, ModelUsage, get_model
from inspect_ai.scorer import Score, Scorer, Target, accuracy, match, scorer
from inspect_ai.solver import Generate, Solver, TaskState, generate, solver

import panopt
from panopt.records.ask import Reading
from panopt.shims.inspect.live.early_stopping import StopWhenSettled, stop_when_settled

from .conftest import Replayed

NAN = float("nan")


@solver
def told(seconds: float = 0.0) -> Solver:
    """Answer as the sample's metadata say, right answers first; or fail."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        value = state.metadata["value"]
        await anyio.sleep(seconds if value == 1 else 4 * seconds)
        if value == "fail":
            raise RuntimeError("the sandbox broke")
        state.output = ModelOutput.from_content("recorded/model", str(value))
        return state

    return solve


@scorer(metrics=[accuracy()])
def given() -> Scorer:
    """Score what the sample's metadata say."""

    async def score(state: TaskState, target: Target) -> Score:
        return Score(value=state.metadata["value"], reason=state.metadata.get("reason"))

    return score


def task_of(
    values: Sequence[Any],
    stopping: StopWhenSettled,
    *,
    scorers: Scorer | list[Scorer] | None = None,
    shuffled: bool = True,
    seconds: float = 0.0,
    **options: Any,  # noqa: ANN401 - options of Task
) -> Task:
    samples = [
        Sample(id=f"i{k}", input=f"question {k}", target="1", metadata={"value": value})
        for k, value in enumerate(values)
    ]
    return Task(
        dataset=MemoryDataset(samples, shuffled=shuffled),
        solver=told(seconds),
        scorer=scorers or given(),
        early_stopping=stopping,
        **options,
    )


def run(folder: Path, task: Task, **options: Any) -> EvalLog:  # noqa: ANN401 - of eval
    quick = {"display": "none", "log_buffer": 1000, "log_realtime": False}
    options = {"model": "none", "max_samples": 10, **quick, **options}
    [log] = evaluate(task, log_dir=str(folder), **options)
    return log


def found(log: EvalLog) -> Mapping[str, Any]:
    assert log.status == "success", log.error
    assert log.results is not None
    assert log.results.early_stopping is not None
    return log.results.early_stopping.metadata


def mostly(n: int, every: int = 10) -> list[int]:
    """Give values of which one in `every` is 0."""
    return [int(k % every != 3) for k in range(n)]


def test_a_clear_mean_stops_and_says_so(tmp_path: Path) -> None:
    log = run(tmp_path, task_of(mostly(120), stop_when_settled(above=0.7), seconds=0.002))
    told = found(log)
    assert told["verdict"] == "shown"
    assert told["claim"] == "mean given is above 0.7"
    assert told["at_stop"]["low"] > 0.7
    assert told["n_planned_samples"] == 120
    n_run = len(log.samples or ())
    assert n_run + told["n_samples_not_run"] == 120
    assert n_run < 100
    assert told["final"]["n_samples"] == n_run  # those in flight were finished and count
    assert told["final"]["n_samples"] > told["at_stop"]["n_samples"]
    stopping = log.results and log.results.early_stopping
    assert stopping
    assert stopping.manager == "panopt/stop_when_settled: mean given is above 0.7"
    assert stopping.early_stops[0].reason
    assert stopping.early_stops[0].reason.startswith("settled: mean given is above 0.7: yes (0.70")
    assert told["order"] == "shuffled"
    assert read_eval_log(log.location).results == log.results


def test_a_mean_below_refutes_the_claim(tmp_path: Path) -> None:
    told = found(run(tmp_path, task_of([0] * 60, stop_when_settled(above=0.7))))
    assert told["verdict"] == "refuted"
    assert "mean given is above 0.7: no (0.000 to 0." in told["said"]


def test_an_open_claim_runs_to_the_end_and_is_exact(tmp_path: Path) -> None:
    log = run(tmp_path, task_of([1, 0] * 20, stop_when_settled(above=0.5)))
    told = found(log)
    assert len(log.samples or ()) == 40
    assert (told["verdict"], told["n_samples_not_run"]) == ("not settled", 0)
    assert told["final"]["low"] == pytest.approx(0.5)
    assert told["final"]["high"] == pytest.approx(0.5)
    assert told["at_stop"] is None


def test_epochs_stop_in_the_first_for_items_like_these(tmp_path: Path) -> None:
    like = stop_when_settled(above=0.6, population="items like these")
    log = run(tmp_path, task_of(mostly(60), like, epochs=3))
    assert {sample.epoch for sample in log.samples or ()} == {1}
    assert "the items are independent draws from those like them" in found(log)["assumptions"]
    log = run(tmp_path, task_of(mostly(30), stop_when_settled(above=0.6), epochs=3))
    assert len(log.samples or ()) > 55  # the last epoch could have been all wrong
    assert found(log)["verdict"] == "shown"


def test_samples_that_fail_count_both_ways(tmp_path: Path) -> None:
    values: list[Any] = [1] * 30
    values[5] = values[9] = "fail"
    stopping = stop_when_settled(above=0.99, min_items=1)
    log = run(tmp_path, task_of(values, stopping), fail_on_error=False)
    told = found(log)
    assert told["verdict"] == "not settled"
    assert told["unscored"] == {"the sample failed": 2}
    assert told["final"]["low"] == pytest.approx(28 / 30)
    assert told["final"]["high"] == pytest.approx(1.0)
    assert (told["final"]["n_samples"], told["final"]["n_unknown"]) == (28, 2)


def test_samples_that_fail_do_not_hold_up_the_rest(tmp_path: Path) -> None:
    values: list[Any] = [1] * 60
    values[0] = "fail"
    task = task_of(values, stop_when_settled(above=0.7))
    log = run(tmp_path, task, fail_on_error=False, retry_on_error=1)
    assert found(log)["verdict"] == "shown"
    assert len(log.samples or ()) < 50


def test_an_error_that_ends_the_eval_ends_it_as_ever(tmp_path: Path) -> None:
    log = run(tmp_path, task_of([1, "fail", 1], stop_when_settled(above=0.5)))
    assert log.status == "error"


def test_unscored_samples_are_counted_by_reason(tmp_path: Path) -> None:
    values = [NAN, "N", *[1] * 28]
    told = found(run(tmp_path, task_of(values, stop_when_settled(above=0.95))))
    assert told["unscored"] == {"unscored, no reason given": 1, "no answer (N)": 1}
    assert told["final"]["high"] - told["final"]["low"] == pytest.approx(2 / 30)


def test_a_score_of_several_is_named(tmp_path: Path) -> None:
    def stopped(**options: Any) -> EvalLog:  # noqa: ANN401 - of stop_when_settled
        stopping = stop_when_settled(above=0.5, **options)
        return run(tmp_path, task_of([1] * 40, stopping, scorers=[given(), match(), match()]))

    log = stopped()
    assert log.status == "error"
    assert log.error
    assert "scorer=; the task's are: 'given', 'match', 'match1'" in log.error.message
    assert not log.samples
    log = stopped(scorer="own")
    assert log.error
    assert "scorer = 'own' is none of the task's" in log.error.message
    assert found(stopped(scorer="match1"))["scorer"] == "match1"


def test_dicts_are_read_by_key_and_a_wrong_one_stops_nothing(tmp_path: Path) -> None:
    values = [{"tone": 5 - k % 2, "length": NAN} for k in range(50)]
    five = {"score_range": (1, 5)}
    told = found(
        run(tmp_path, task_of(values, stop_when_settled(above=3.5, key="tone", **five)))  # type: ignore[arg-type]
    )
    assert (told["verdict"], told["claim"]) == ("shown", "mean given.tone is above 3.5")
    values = values[:15]
    log = run(tmp_path, task_of(values, stop_when_settled(above=3.5, key="tome", **five)))  # type: ignore[arg-type]
    assert len(log.samples or ()) == 15
    assert found(log)["reason"] == "key = 'tome' is none of given's: 'tone', 'length'"
    assert found(log)["final"] is None
    log = run(tmp_path, task_of(values, stop_when_settled(above=0.5, key="tone")))
    assert "off score_range = (0, 1)" in found(log)["reason"]


def test_panels_of_recorded_judges_stop_their_task(replayed: Replayed) -> None:
    from panopt.shims.inspect.live.jury import jury  # noqa: PLC0415 - beside its only use

    items = [f"i{k}" for k in range(40)]
    replayed.record_votes({item: {"a": True, "b": True, "c": item != "i7"} for item in items})
    stopping = stop_when_settled(above=0.7, key="passed")
    judges = [f"panopt-replay/{name}" for name in "abc"]
    task = task_of([1] * 40, stopping, scorers=jury(judges))
    told = found(run(replayed.folder, task))
    assert (told["verdict"], told["claim"]) == ("shown", "mean jury.passed is above 0.7")


@pytest.mark.filterwarnings("ignore:The 'initial' parameter:DeprecationWarning")
def test_the_model_under_test_is_asked_no_more(tmp_path: Path) -> None:
    asked = []

    def answer(*_: object) -> ModelOutput:
        asked.append(1)
        output = ModelOutput.from_content("mockllm/model", "1")
        output.usage = ModelUsage(input_tokens=1, output_tokens=1, total_tokens=2)
        return output

    task = task_of([1] * 60, stop_when_settled(above=0.7), scorers=match())
    task.solver = generate()
    told = found(run(tmp_path, task, model=get_model("mockllm/model", custom_outputs=answer)))
    assert told["verdict"] == "shown"
    assert len(asked) == 60 - told["n_samples_not_run"] < 50


def test_a_limit_is_the_plan(tmp_path: Path) -> None:
    told = found(run(tmp_path, task_of([1] * 100, stop_when_settled(above=0.9)), limit=20))
    assert (told["n_planned_items"], told["n_planned_samples"]) == (20, 20)


def test_an_order_as_given_is_warned_of_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    stopping = stop_when_settled(above=0.7)
    with caplog.at_level(logging.WARNING):
        log = run(tmp_path, task_of([1] * 40, stopping, shuffled=False))
    warned = [record for record in caplog.records if "not shuffled" in record.getMessage()]
    assert len(warned) == 1
    assert found(log)["order"] == "as given"
    assert "holds only if the order of its items" in found(log)["assumptions"][0]
    log = run(tmp_path, task_of([1] * 40, stopping, shuffled=False), sample_shuffle=3)
    assert found(log)["order"] == "shuffled"


def test_models_that_share_a_task_are_settled_apart(tmp_path: Path) -> None:
    @solver
    def by_model() -> Solver:
        async def solve(state: TaskState, generate: Generate) -> TaskState:
            state.metadata["value"] = int(str(state.model) == "mockllm/good")
            state.output = ModelOutput.from_content(str(state.model), "x")
            return state

        return solve

    task = task_of([0] * 50, stop_when_settled(above=0.5))
    task.solver = by_model()
    models = [get_model(f"mockllm/{name}") for name in ("good", "bad")]
    logs = evaluate(
        task, model=models, log_dir=str(tmp_path), display="none", max_tasks=2, max_samples=5
    )
    verdicts = {log.eval.model: found(log)["verdict"] for log in logs}
    assert verdicts == {"mockllm/good": "shown", "mockllm/bad": "refuted"}


def test_a_baseline_is_paired_by_item(tmp_path: Path) -> None:
    base = run(tmp_path, task_of([0, 1] * 30, stop_when_settled(width=0.0001)), limit=50)
    worse = stop_when_settled(max_drop=0.1, baseline=base.location)
    told = found(run(tmp_path, task_of([0] * 60, worse)))
    assert told["verdict"] == "refuted"
    assert told["claim"] == "mean difference of given from the baseline is above -0.1"
    assert told["n_planned_items"] == 50
    assert told["notes"] == ["10 items have no score in the baseline and count for nothing"]
    better = stop_when_settled(better=True, baseline=base.location)
    told = found(run(tmp_path, task_of([1] * 60, better)))
    assert told["verdict"] == "shown"
    same = stop_when_settled(better=True, baseline=base.location)
    told = found(run(tmp_path, task_of([0, 1] * 30, same)))
    assert told["verdict"] == "not settled"
    assert told["final"]["estimate"] == pytest.approx(0.0)


def test_a_baseline_that_fits_not_is_refused_before_a_sample_runs(tmp_path: Path) -> None:
    base = run(tmp_path, task_of([1] * 5, stop_when_settled(above=0.5)))

    def message(task: Task) -> str:
        log = run(tmp_path, task)
        assert not log.samples
        assert log.error
        return log.error.message

    paired = stop_when_settled(better=True, baseline=base.location)
    other = task_of([1] * 5, paired)
    for sample in other.dataset:
        sample.id = f"other-{sample.id}"
    assert "has none of the task's items: it has 'i0', 'i1', 'i2' ..., the task 'oth" in message(
        other
    )
    assert "no score of match; its scores are: 'given'" in message(
        task_of([1] * 5, paired, scorers=match())
    )
    part = run(tmp_path, task_of([1] * 30, stop_when_settled(above=0.5), seconds=0.002))
    like = stop_when_settled(better=True, baseline=part.location, population="items like these")
    assert "was itself stopped early: which items it has" in message(task_of([1] * 30, like))
    broken = tmp_path / "broken.eval"
    broken.write_bytes(b"no log")
    paired = stop_when_settled(better=True, baseline=broken)
    assert "cannot be read as the baseline" in message(task_of([1] * 5, paired))


def test_a_retry_goes_on_from_what_was_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("retried.py").write_text(
        """
from pathlib import Path
from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.scorer import match
from inspect_ai.solver import solver
from inspect_ai.model import ModelOutput
from panopt.shims.inspect.live.early_stopping import stop_when_settled

@solver
def flaky():
    async def solve(state, generate):
        if state.sample_id == "i12" and not Path("flag").exists():
            raise RuntimeError("not yet")
        state.output = ModelOutput.from_content("x", "1")
        return state
    return solve

@task
def retried():
    samples = [Sample(id=f"i{k}", input="?", target="1") for k in range(60)]
    return Task(dataset=MemoryDataset(samples, shuffled=True), solver=flaky(), scorer=match(),
                early_stopping=stop_when_settled(above=0.7))
""",
        encoding="utf-8",
    )
    options: dict[str, Any] = {"display": "none", "max_samples": 1, "log_dir": "logs"}
    [failed] = evaluate("retried.py", model="none", **options)
    assert failed.status == "error"
    n_done = len([sample for sample in failed.samples or () if not sample.error])
    assert n_done == 12
    Path("flag").touch()
    [log] = eval_retry(failed, **options)
    told = found(log)
    assert told["verdict"] == "shown"
    assert told["n_samples_not_run"] + len(log.samples or ()) == 60


@pytest.mark.parametrize("tier", ["fast", "api"])
def test_a_stopped_log_says_so_when_read(tmp_path: Path, tier: str) -> None:
    log = run(tmp_path, task_of(mostly(80), stop_when_settled(above=0.7)))
    study = panopt.read(log.location, reading=Reading(tier=tier))  # type: ignore[arg-type]
    [source] = study.sources
    n_saved = found(log)["n_samples_not_run"]
    [warning] = [text for text in source.warnings if "stopped early" in text]
    assert warning.startswith(f"stopped early: {n_saved} of 80 planned samples were not run (")
    assert "mean given is above 0.7: yes (0.7" in warning
    assert not any("planned responses are in the log" in text for text in source.warnings)
