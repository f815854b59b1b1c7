"""Make the Inspect logs of this folder again: ``python -m tests.logs.inspect.make_logs``.

Every log comes out of the real ``inspect_ai.eval``; beside each stands ``NAME.expected.json``,
written from the tables of ``panel_tasks`` and not from the log. Two things are edited afterwards:
folder names of the machine inside tracebacks, and what the table in README.md calls *edited*.
Ids and times differ from run to run, the votes do not.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import sysconfig
import tempfile
import warnings
import zipfile
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypedDict

import zipfile_zstd  # type: ignore[import-untyped]  # noqa: F401 - zipfile learns zstd
from inspect_ai import Task
from inspect_ai import eval as inspect_eval
from inspect_ai.log import (
    EvalLog,
    ProvenanceData,
    edit_score,
    invalidate_samples,
    read_eval_log,
    write_eval_log,
)
from inspect_ai.model import get_model
from inspect_ai.scorer import ScoreEdit
from tests.logs.inspect import panel_tasks as tasks

HERE = Path(__file__).parent
ZSTD = 93
NEVER_ENDED = ("header.json", "summaries.json", "reductions.json")


class Vote(TypedDict):
    """One true judgment of a log."""

    id: int | str
    epoch: int
    scorer: str
    judge: str
    criterion: str | None
    value: str | float | None


def run(name: str, work: Path, task: Task, **options: Any) -> EvalLog:  # noqa: ANN401 - eval's own
    """Run one task in the folder `work` and move its log here under a lasting name."""
    kind = options.pop("log_format", "eval")
    [log] = inspect_eval(
        task, model="replay/system-x", log_dir="logs", log_format=kind, display="none", **options
    )
    shutil.move(work / "logs" / Path(log.location).name, HERE / f"{name}.{kind}")
    hide_folders(HERE / f"{name}.{kind}", work)
    return log


def expect(name: str, votes: Iterable[Vote], *, note: str, recorded: str, **more: object) -> None:
    """Write down what a reader must find, and in which part of the log it stands."""
    rows = list(votes)
    document = {"log": name, "note": note, "recorded": recorded, **more, "votes": rows}
    text = json.dumps(document, ensure_ascii=False, indent=1)
    for row in rows:  # one line a vote
        pretty = json.dumps(row, ensure_ascii=False, indent=1).replace("\n", "\n  ")
        text = text.replace(pretty, json.dumps(row, ensure_ascii=False))
    (HERE / f"{Path(name).stem}.expected.json").write_text(text + "\n", encoding="utf-8")


def letters(
    key: Callable[[int], str], *, epochs: int = 1, ids: list[int | str] | None = None
) -> list[Vote]:
    """List the C/I grades of the three judges; `key` names the score of judge 0, 1, 2."""
    names: list[int | str] = ids or [f"q{n:02d}" for n in range(1, tasks.N_ITEMS + 1)]
    return [
        {
            "id": name,
            "epoch": epoch,
            "scorer": key(index),
            "judge": f"replay/{judge}",
            "criterion": None,
            "value": None if (v := tasks.letter(judge, number, epoch)) == "?" else v,
        }
        for number, name in enumerate(names, start=1)
        for epoch in range(1, epochs + 1)
        for index, judge in enumerate(tasks.JUDGES)
    ]


def ratings(key: Callable[[int], str], criteria: dict[str, str | None]) -> list[Vote]:
    """List the ratings; `criteria` maps a criterion of the table to the name the log has for it."""
    return [
        {
            "id": f"q{number:02d}",
            "epoch": 1,
            "scorer": key(index),
            "judge": f"replay/{judge}" if key(0) != "jury" else judge,
            "criterion": logged,
            "value": None if (v := tasks.rating(judge, number, criterion)) == "?" else float(v),
        }
        for number in range(1, tasks.N_ITEMS + 1)
        for index, judge in enumerate(tasks.JUDGES)
        for criterion, logged in criteria.items()
    ]


def numbered(name: str) -> Callable[[int], str]:
    """Name scores as Inspect does: the first plain, then with a digit."""
    return lambda index: f"{name}{index or ''}"


def one(name: str) -> Callable[[int], str]:
    """Name the one score all judges share."""
    return lambda _index: name


def make_panels(work: Path) -> None:
    """Make the logs in which one score speaks for three judges."""
    qa = letters(one("model_graded_qa"))
    for kind in ("eval", "json"):
        run("panel_majority", work, tasks.panel_majority(), log_format=kind)
    expect(
        "panel_majority.eval",
        qa,
        recorded="scores[..].metadata.panel.votes, by position",
        note="model_graded_qa(model=[a, b, c]); panel_majority.json is a second run of the same",
    )
    graders = [get_model(m) for m in tasks.MODELS]
    run("panel_roles", work, tasks.panel_roles(), model_roles={"grader": graders})
    expect(
        "panel_roles.eval",
        letters(one("model_graded_fact")),
        recorded="scores[..].metadata.panel.votes, by position; judges in eval.model_roles.grader",
        note="model_graded_fact() with the judges bound to the role grader",
    )
    for style in ("mode", "mean", "collect"):
        task = {"mode": tasks.panel_mode, "mean": tasks.panel_mean, "collect": tasks.panel_collect}[
            style
        ]
        run(f"panel_{style}", work, task())
        name = "model_graded_qa" if style == "mode" else "multi_scorer"
        expect(
            f"panel_{style}.eval",
            letters(one(name)),
            recorded="model events inside the scorer's span only",
            note=f"one score that reduces three graders by {style}; it does not hold their votes",
        )


def make_lists(work: Path) -> None:
    """Make the logs in which every judge has a score of its own, or a key in one."""
    votes = letters(numbered("model_graded_qa"))
    recorded = "scores[key].value; the judge in eval.scorers[i].options.model"
    run("scorers_list", work, tasks.scorers_list())
    expect("scorers_list.eval", votes, recorded=recorded, note="three graders, three score keys")
    run("epochs", work, tasks.scorers_list(), epochs=3)
    expect(
        "epochs.eval",
        letters(numbered("model_graded_qa"), epochs=3),
        recorded=recorded,
        note="the same with three epochs, whose votes differ",
    )
    run("odd_ids", work, tasks.odd_ids())
    expect(
        "odd_ids.eval",
        letters(numbered("model_graded_qa"), ids=tasks.IDS),
        recorded=recorded,
        note="sample ids 7, 12 (whole numbers), with /, colon, space, accents, 80 signs, #, %2F",
    )
    run("likert_list", work, tasks.likert_list())
    expect(
        "likert_list.eval",
        ratings(numbered("likert"), {"clarity": None}),
        recorded=recorded,
        note="three ratings from 1 to 5; one reply without a rating is unscored",
    )
    run("dict_judges", work, tasks.dict_judges())
    expect(
        "dict_judges.eval",
        ratings(one("jury"), {"clarity": None}),
        recorded="scores.jury.value[judge]",
        note="one score whose dict has a key a judge; a failed judge is NaN",
    )
    run("dict_criteria", work, tasks.dict_criteria())
    expect(
        "dict_criteria.eval",
        ratings(numbered("rubric"), {"clarity": "clarity", "depth": "depth"}),
        recorded="scores[key].value[criterion]; the judge in eval.scorers[i].options.model",
        note="a score a judge, whose dict has a key a criterion",
    )


def make_values(work: Path) -> None:
    """Make the log of value kinds and the one with a human's grades among the scorers."""
    run("value_types", work, tasks.value_types())
    kinds = ["bool", "int", "float", "letter", "text", "list"]
    values = {
        f"q{n:02d}": {
            kind: None if (kind, n) == ("float", 4) else tasks.values(n)[kind] for kind in kinds
        }
        for n in range(1, tasks.N_ITEMS + 1)
    }
    expect(
        "value_types.eval",
        [],
        recorded="scores[valued, valued1, ... valued6].value",
        values=values,
        note="bool, int, float with NaN at q04, C/I/P/N, text, list, nothing at q02 (declined)",
    )
    table = [{"id": f"q{n:02d}", "value": v} for n, v in enumerate(tasks.HUMAN, start=1) if n != 6]
    (work / "human.jsonl").write_text("".join(json.dumps(row) + "\n" for row in table))
    run("human_scorer", work, tasks.human_scorer("human.jsonl"))
    human: list[Vote] = [
        {
            "id": f"q{n:02d}",
            "epoch": 1,
            "scorer": "human",
            "judge": "human",
            "criterion": None,
            "value": None if n == 6 else value,
        }
        for n, value in enumerate(tasks.HUMAN, start=1)
    ]
    expect(
        "human_scorer.eval",
        [*letters(numbered("model_graded_qa")), *human],
        recorded="scores[key].value",
        note="three graders and precomputed_scores as scorer human",
    )


def make_troubled(work: Path) -> None:
    """Make the logs with errors, retries, invalidations, and ends that never came."""
    votes = letters(numbered("model_graded_qa"))
    run(
        "errors",
        work,
        tasks.scorers_list(error_at=3, error_once_at=5),
        fail_on_error=False,
        retry_on_error=1,
    )
    expect(
        "errors.eval",
        [v for v in votes if v["id"] != "q03"],
        recorded="scores[key].value",
        note="q03 ended in an error and has no scores; q05 failed once and was run again",
        errored=["q03"],
        retried=["q05"],
    )
    log = run("failed", work, tasks.scorers_list(error_at=6), max_samples=1, fail_on_error=True)
    done = [s.id for s in read_eval_log(str(HERE / "failed.eval")).samples or [] if not s.error]
    expect(
        "failed.eval",
        [v for v in votes if v["id"] in done],
        recorded="scores[key].value",
        note=f"the run stopped (status {log.status}) on q06; five samples of ten are complete",
        errored=["q06"],
        cancelled=["q07"],
    )
    make_edited(votes)
    make_broken_off(votes)


def make_edited(votes: list[Vote]) -> None:
    """Invalidate two samples of a log and edit a score by hand, through the public functions."""
    log = read_eval_log(str(HERE / "scorers_list.eval"))
    by_hand = ProvenanceData(
        author="reader", reason="read again", timestamp=datetime(2026, 1, 2, tzinfo=UTC)
    )
    uuids = [s.uuid for s in log.samples or [] if s.id in ("q02", "q09") and s.uuid]
    log = invalidate_samples(log, uuids, by_hand)
    edit_score(log, "q04", "model_graded_qa1", ScoreEdit(value="C", provenance=by_hand))
    write_eval_log(log, str(HERE / "invalidated.eval"))
    edited: list[Vote] = [
        {**v, "value": "C"} if (v["id"], v["scorer"]) == ("q04", "model_graded_qa1") else v
        for v in votes
    ]
    expect(
        "invalidated.eval",
        edited,
        recorded="scores[key].value",
        note="scorers_list.eval with q02, q09 invalidated; q04 model_graded_qa1 edited from I to C",
        invalidated=["q02", "q09"],
    )


def make_broken_off(votes: list[Vote]) -> None:
    """Write the members of a finished log as an unfinished one, and one with a member twice."""
    source = HERE / "scorers_list.eval"
    target = HERE / "in_progress.eval"
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", ZSTD) as new:
        for member in old.infolist():
            if member.filename not in NEVER_ENDED:
                new.writestr(member, old.read(member))
    expect(
        "in_progress.eval",
        votes,
        recorded="scores[key].value",
        note="scorers_list.eval without header, summaries and reductions, as while it runs",
    )
    target = HERE / "duplicate_member.eval"
    shutil.copyfile(source, target)
    with zipfile.ZipFile(target, "a", ZSTD) as archive:
        sample = json.loads(archive.read("samples/q01_epoch_1.json"))
        sample["scores"]["model_graded_qa"]["value"] = "I"
        with warnings.catch_warnings():  # zipfile warns of the duplicate we want
            warnings.simplefilter("ignore", UserWarning)
            archive.writestr("samples/q01_epoch_1.json", json.dumps(sample))
    last: list[Vote] = [
        {**v, "value": "I"} if (v["id"], v["scorer"]) == ("q01", "model_graded_qa") else v
        for v in votes
    ]
    expect(
        "duplicate_member.eval",
        last,
        recorded="scores[key].value",
        note="scorers_list.eval with a second, later member for q01 (I in place of C): it counts",
    )


def hide_folders(path: Path, work: Path) -> None:
    """Replace the names of this machine's folders in every member of a log."""
    known = {
        str(HERE.parents[2]): "panopt",
        os.path.realpath(work): "work",
        sysconfig.get_paths()["purelib"]: "site-packages",
        sysconfig.get_paths()["stdlib"]: "python",
        sys.prefix: "venv",
        str(Path.home()): "home",
    }
    names = sorted(known, key=len, reverse=True)

    def clean(content: bytes) -> bytes:
        for name in names:
            content = content.replace(name.encode(), known[name].encode())
        return content

    if path.suffix == ".json":
        path.write_bytes(clean(path.read_bytes()))
        return
    fresh = path.with_suffix(".new")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(fresh, "w", ZSTD) as new:
        for member in old.infolist():
            new.writestr(member, clean(old.read(member)))
    fresh.replace(path)


def main() -> None:
    """Run every task in an empty folder outside any repository, so that none is recorded."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        os.chdir(work)
        make_panels(work)
        make_lists(work)
        make_values(work)
        make_troubled(work)
        os.chdir(HERE)


if __name__ == "__main__":
    main()
