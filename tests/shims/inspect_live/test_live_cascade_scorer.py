"""The scorer panopt/cascade: real evals over recorded judges, and back through their logs."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from inspect_ai.log import EvalLog, read_eval_log, read_eval_log_sample_summaries
from inspect_ai.model import get_model
from inspect_ai.scorer import SampleScore, Score, match

import panopt
from panopt.certificates import certify, read_certificate, write_certificate
from panopt.errors import AskError, CertificateError
from panopt.judging import Numeric, Pairwise, VerdictKind
from panopt.judging.confidence import MARGIN, REASONED
from panopt.judging.prompts import DEFAULT_RUBRIC, SYSTEM, PromptMaker
from panopt.judging.verdict import scale_text
from panopt.records.ask import Ask
from panopt.records.decisions import DECISIONS
from panopt.records.study import Study
from panopt.shims.inspect.live.cascade import cascade
from panopt.shims.inspect.live.cascade_summary import rates_of, stages_of
from panopt.shims.inspect.live.jury import jury
from panopt.shims.inspect.live.pairwise import DEFAULT_RUBRIC as DEFAULT_PAIR_RUBRIC
from panopt.stats.cascade import certify_cascade

from .conftest import Replayed, metrics_of, scores_of

if TYPE_CHECKING:
    from tests.conftest import Program

YES, NO = True, False
A, B = "panopt-replay/a", "panopt-replay/b"


def line(item: str, judge: str, verdict: object, **more: object) -> dict[str, Any]:
    return {"item": item, "judge": judge, "verdict": verdict, "reason": f"says {judge}", **more}


def sure(item: str, judge: str, p: float, **more: object) -> dict[str, Any]:
    """Give a recorded judge that passes with probability p, by its tokens."""
    shares = {"true": p, "false": 1 - p}
    return line(item, judge, p >= 0.5, probabilities=shares, cost=1.0, **more)


def run(replayed: Replayed, lines: Sequence[Mapping[str, Any]], **options: Any) -> EvalLog:  # noqa: ANN401
    replayed.record(lines)
    samples = options.pop("samples", None)
    how = {name: options.pop(name) for name in ("epochs", "model_roles") if name in options}
    models = options.pop("models", [A, B])
    log = replayed.run(
        cascade(models, **options),
        [*dict.fromkeys(str(one["item"]) for one in lines)],
        samples=samples,
        log_realtime=False,
        **how,
    )
    assert log.status == "success", log.error
    return log


def ends(log: EvalLog) -> dict[str, str]:
    return {
        item: (score.metadata or {})["cascade"]["end"]
        for item, score in scores_of(log, "cascade").items()
    }


LINES = [
    sure("1", "a", 0.95),
    sure("1", "b", 0.1),
    sure("2", "a", 0.7),
    sure("2", "b", 0.05),
    sure("3", "a", 0.6),
    sure("3", "b", 0.5),
    line("4", "a", None, fault="429"),
    sure("4", "b", 0.99),
]


def test_judges_are_asked_in_turn_and_each_outcome_is_told(replayed: Replayed) -> None:
    log = run(replayed, LINES, thresholds="0.9,0.9")
    scores = scores_of(log, "cascade")
    values: dict[str, Any] = {item: score.value for item, score in scores.items()}
    assert {item: value["stage"] for item, value in values.items()} == {
        "1": 1, "2": 2, "3": pytest.approx(math.nan, nan_ok=True), "4": 2,
    }  # fmt: skip
    assert values["1"] == {
        "panel": 1.0, "passed": 1.0, "decided": 1.0, "abstained": 0.0, "stage": 1.0,
        A: 1.0, B: pytest.approx(math.nan, nan_ok=True),
    }  # fmt: skip
    assert (values["2"]["panel"], values["2"][A], values["2"][B]) == (0.0, 1.0, 0.0)
    assert math.isnan(values["3"]["panel"])
    assert values["3"]["abstained"] == 1.0
    assert math.isnan(values["4"][A])
    assert scores["3"].reason == "panopt:abstained"
    assert ends(log) == {"1": "decided", "2": "decided", "3": "abstained", "4": "decided"}
    told = scores["4"].explanation or ""
    assert "PASS: stage 2 of 2 decides, pass" in told
    assert "failed: status" in told.replace("\\", "")
    assert "no guarantee: the thresholds were given by hand" in told
    found = metrics_of(log, "cascade")
    assert (found["decided"], found["abstained"], found["responses"]) == (0.75, 0.25, 4)
    assert found["decided_low"] < 0.75 < found["decided_high"]
    assert (found["ended_decided"], found["ended_abstained"]) == (3, 1)
    assert [found[A], found[B]] == pytest.approx([1 / 3, 2 / 3])
    assert found["mean"] == pytest.approx(2 / 3)  # of those decided
    assert found["asked_each"] == pytest.approx(7 / 4)


def test_what_summaries_must_hold_is_under_a_kilobyte(replayed: Replayed) -> None:
    log = run(replayed, LINES, thresholds="0.9,0.9")
    for summary in read_eval_log_sample_summaries(log.location):
        told = (summary.scores or {})["cascade"].metadata or {}
        assert told["cascade"]["end"] in ("decided", "abstained")
        assert told["jury"]["outcome"] == told["cascade"]["end"]


def test_the_log_is_read_back_with_stages_confidences_and_holes(replayed: Replayed) -> None:
    log = run(replayed, LINES, thresholds="0.9,0.9", criterion="helpful")
    rows = panopt.read(log.location).table.to_pylist()
    found = {(row["item"], row["judge"]): row for row in rows}
    asked = {("1", A), ("2", A), ("2", B), ("3", A), ("3", B), ("4", A), ("4", B)}
    assert set(found) == asked  # a judge that was not asked has no row
    assert found["2", B]["confidence"] == pytest.approx(0.95)
    assert found["2", B]["confidence_source"] == "chain-of-thought probability"
    assert found["2", B]["probabilities"] == pytest.approx([0.95, 0.05])
    assert found["4", A]["status"] == "failed"
    assert {row["criterion"] for row in rows} == {"helpful"}
    assert len({row["prompt_hash"] for row in rows}) == 1


# --- Certificates: from a run that asked everybody, to one that does not --------------------


def population(n: int, seed: int) -> tuple[list[dict[str, Any]], dict[str, bool]]:
    """Draw judges that are as often right as they are sure."""
    rng = np.random.default_rng(seed)
    lines, truth = [], {}
    for i in range(n):
        item = f"s{seed}-{i:04d}"
        truth[item] = bool(rng.integers(2))
        for judge, levels in (("a", (0.55, 0.97)), ("b", (0.8, 0.99))):
            level = float(rng.choice(levels))
            passes = truth[item] == bool(rng.random() < level)
            lines.append(sure(item, judge, level if passes else 1 - level))
    return lines, truth


#: The text of the certificate, once it is made.
MADE: list[str] = []


@pytest.fixture
def certified(replayed: Replayed, tmp_path: Path) -> Path:
    """Certify on a run that asked everybody, once for all tests."""
    path = tmp_path / "certificate.json"
    if MADE:
        path.write_text(MADE[0])
        return path
    lines, truth = population(100, 1)
    log = run(replayed, lines, ask_all=True)
    assert set(ends(log).values()) == {"asked_all"}
    labels = tmp_path / "labels.csv"
    rows = [f"{item},{int(passes)}" for item, passes in truth.items()]
    labels.write_text("\n".join(["item,score", *rows, ""]))
    study = panopt.read(log.location, labels=labels)
    write_certificate(certify(study, Ask(cascade=(A, B), alpha=0.2, n_boot=0)), path)
    MADE.append(path.read_text())
    return path


def test_a_certificate_made_of_a_run_decides_the_next_run_as_its_analysis(
    replayed: Replayed, certified: Path
) -> None:
    lines, truth = population(50, 2)
    log = run(replayed, lines, certificate=str(certified))
    certificate = read_certificate(certified)
    report = panopt.analyze(panopt.read(log.location), Ask(certificate=certificate, n_boot=0))
    [part] = report.criteria
    assert part.criterion == "cascade"
    assert part.decisions is not None
    names = report_items(part)
    again = dict(zip(names, part.decisions.decision.tolist(), strict=True))
    stage = dict(zip(names, part.decisions.numbers["stage"].tolist(), strict=True))
    trust = DECISIONS.index("trust")
    scores = scores_of(log, "cascade")
    decided = 0
    for item, score in scores.items():
        value: Any = score.value
        assert (again[item] == trust) == (value["decided"] == 1.0)
        assert stage[item] == pytest.approx(value["stage"], nan_ok=True)
        decided += value["decided"] == 1.0
    assert decided > 10
    right = [
        (score.value["panel"] == 1.0) == truth[item]  # type: ignore[index, call-overload]
        for item, score in scores.items()
        if score.value["decided"] == 1.0  # type: ignore[index, call-overload]
    ]
    assert sum(right) / len(right) > 0.85
    told = (scores["s2-0000"].metadata or {})["cascade"]
    assert told["certificate"] == certificate.sha256
    assert "no_guarantee" not in told


def report_items(part: Any) -> list[str]:  # noqa: ANN401 - a part of a report
    ids = part.matrix.response_ids["item"].tolist()
    return [part.matrix.names["item"][code] for code in ids]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rubric": "Another one?"}, "the prompt of judge 'panopt-replay/a' is"),
        ({"confidence": "verbalised"}, "the confidence of 'panopt-replay/a' is 'verbalised', it"),
        ({"reason": False}, "is 'predictive probability', it was 'chain-of-thought probability'"),
        ({"models": [B, A]}, "judges are asked in the order"),
        ({"models": [A, "panopt-replay/c"]}, "judge 'panopt-replay/c' is not among the certified"),
        ({"criterion": "safe"}, "the criterion is 'safe', it was 'cascade'"),
        ({"kind": "numeric", "score_range": "1,4"}, "the scale is 'continuous:1:4', it was"),
        ({"repeats": 2}, "is asked 2 times a response, it was 1"),
    ],
)
def test_a_certificate_that_does_not_fit_is_refused_before_the_first_call(
    replayed: Replayed, certified: Path, options: dict[str, Any], message: str
) -> None:
    replayed.record(LINES)
    with pytest.raises(CertificateError, match=message):
        cascade(**{"models": [A, B], "certificate": str(certified), **options})


def test_judges_bound_to_a_role_are_checked_too(replayed: Replayed, certified: Path) -> None:
    lines, _ = population(3, 3)
    replayed.record(lines)
    items = [*dict.fromkeys(one["item"] for one in lines)]
    scorer = cascade(certificate=str(certified))
    roles = {"grader": [get_model(A), get_model(B)]}
    log = replayed.run(scorer, items, model_roles=roles)
    assert log.status == "success", log.error
    wrong = {"grader": [get_model(B), get_model(A)]}
    log = replayed.run(cascade(certificate=str(certified)), items, model_roles=wrong)
    assert log.status == "error"
    assert "judges are asked in the order" in str(log.error)
    assert not calls_of(log)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "takes one of certificate"),
        ({"thresholds": "0.5,0.5,0.5"}, "must have one entry a judge"),
        ({"thresholds": "none,never"}, "let no judge decide"),
        ({"thresholds": "high"}, "thresholds = 'high' must be a number"),
        ({"thresholds": 0.5, "confidence": "luck"}, "confidence = 'luck' must be one of"),
        ({"thresholds": 0.5, "confidence": "logprobs,votes,votes"}, "must name one source, or one"),
        ({"thresholds": 0.5, "confidence": "votes"}, "has no confidence: give it a source"),
        ({"thresholds": 0.5, "confidence": "annotators"}, "go together"),
        ({"thresholds": 0.5, "annotators": "some.jsonl"}, "go together"),
        ({"thresholds": 0.5, "kind": "numeric", "score_range": "0,.5"}, "no whole levels"),
        ({"thresholds": 0.5, "top_logprobs": 50}, "top_logprobs = 50 must lie in 1 to 20"),
        ({"thresholds": 0.5, "budget_calls": 0}, "budget calls = 0"),
        ({"thresholds": 0.5, "labels": "a,b"}, "labels = 'a,b' has no meaning"),
    ],
)
def test_options_that_contradict_are_refused(
    replayed: Replayed, options: dict[str, Any], message: str
) -> None:
    replayed.record(LINES)
    with pytest.raises(AskError, match=message):
        cascade([A, B], **options)


def test_a_file_that_is_no_certificate_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "certificate.json"
    with pytest.raises(CertificateError, match="cannot be read"):
        cascade([A], certificate=str(path))
    path.write_text("{}")
    with pytest.raises(CertificateError, match="is no certificate"):
        cascade([A], certificate=str(path))


# --- Sources --------------------------------------------------------------------------------


def calls_of(log: EvalLog) -> list[Any]:
    whole = read_eval_log(log.location, resolve_attachments=True)
    return [e for s in whole.samples or () for e in s.events if e.event == "model"]


def told_by(log: EvalLog, item: str = "1") -> dict[str, Any]:
    found: dict[str, Any] = (scores_of(log, "cascade")[item].metadata or {})["cascade"]
    return found


def test_T_3_verbalised_confidence_is_asked_for_and_read(replayed: Replayed) -> None:
    lines = [line("1", "a", YES, confidence=85), line("1", "b", NO, confidence=0.2)]
    log = run(replayed, lines, thresholds=0.8, confidence="verbalised")
    assert told_by(log)["confidence"] == 0.85
    assert told_by(log)["source"] == "verbalised"
    event = calls_of(log)[0]
    assert '"confidence"' in event.input[-1].text


def test_T_3_predictive_probability_is_of_a_verdict_without_reasons(replayed: Replayed) -> None:
    log = run(replayed, LINES[:2], thresholds=0.9, reason=False)
    assert told_by(log)["source"] == "predictive probability"
    event = calls_of(log)[0]
    assert event.config.logprobs
    assert event.config.top_logprobs == 6
    assert event.input[0].text != SYSTEM
    assert "reason" not in event.input[-1].text.split("Answer in JSON")[-1]


def test_T_3_vote_share_over_repeats(replayed: Replayed) -> None:
    lines = [line("1", "a", draw < 3, draw=draw) for draw in range(4)]
    log = run(replayed, lines, models=[A], thresholds=0.7, confidence="votes", repeats=4)
    assert told_by(log)["confidence"] == 0.75
    assert told_by(log)["source"] == "vote share over repeats"
    rows = panopt.read(log.location).table.to_pylist()
    assert [row["repeat"] for row in rows] == [0, 1, 2, 3]


def test_T_3_lexical_similarity_of_rationales(replayed: Replayed) -> None:
    lines = [{**line("1", "a", YES, draw=d), "reason": "the very same words"} for d in range(3)]
    log = run(replayed, lines, models=[A], thresholds=0.7, confidence="lexical", repeats=3)
    assert told_by(log)["confidence"] == 1.0
    assert told_by(log)["source"] == "lexical similarity over repeats"


@pytest.mark.parametrize("counted", [False, True])
def test_T_2_simulated_annotators_in_a_real_eval(
    replayed: Replayed,
    tmp_path: Path,
    counted: bool,  # noqa: FBT001
) -> None:
    examples = tmp_path / "examples.jsonl"
    examples.write_text(
        "".join(
            json.dumps(
                {"item": f"x{i}", "task": f"T{i}", "response": f"R{i}", "verdict": i % 2 == 0,
                 "annotator": f"p{i % 4}"}
            ) + "\n"
            for i in range(40)
        )
    )  # fmt: skip
    shares = [0.9, 0.8, 0.4]
    lines = [sure("1", "a", p, draw=j) for j, p in enumerate(shares)]
    options = {"annotators_n": 3, "annotators_k": 2, "annotators_mode": "individual"}
    log = run(
        replayed, lines, models=[A], thresholds=0.6, confidence="annotators",
        annotators=str(examples), annotators_votes=counted, **options,
    )  # fmt: skip
    found = told_by(log)
    assert found["confidence"] == pytest.approx(2 / 3 if counted else sum(shares) / 3)
    votes = ", votes" if counted else ""
    assert found["source"] == f"simulated annotators (individual, 3 x 2{votes})"
    events = calls_of(log)
    assert len(events) == 3
    for event in events:
        roles = [message.role for message in event.input]
        assert roles == ["system", "user", "assistant", "user", "assistant", "user"]
        assert event.input[2].text in ('{"verdict": true}', '{"verdict": false}')
        assert event.input[-1].text.endswith('Answer in JSON with "verdict" alone.')
    assert len({str(event.input[1].text) for event in events}) == 3
    [row] = panopt.read(log.location).table.to_pylist()
    assert row["confidence"] == pytest.approx(found["confidence"])


def test_T_2_pairs_are_averaged_over_both_orders(replayed: Replayed) -> None:
    def pair(order: int, verdict: str, p: float) -> dict[str, Any]:
        shares = {verdict: p, {"first": "second", "second": "first"}[verdict]: 1 - p}
        return line("1", "a", verdict, order=order, probabilities=shares)

    samples = {"1": {"metadata": {"other": "the other response"}}}
    log = run(
        replayed, [pair(0, "first", 0.9), pair(1, "second", 0.7)], models=[A], thresholds=0.75,
        kind="pairwise", samples=samples,
    )  # fmt: skip
    assert told_by(log)["confidence"] == pytest.approx(0.8)
    value: Any = scores_of(log, "cascade")["1"].value
    assert value["panel"] == 1.0
    rows = panopt.read(log.location).table.to_pylist()
    assert [row["order"] for row in rows] == [0, 1]
    # Of the responses, not of the places, and lowest first: lost, tied, won.
    assert [row["probabilities"] for row in rows] == [
        pytest.approx([0.1, 0.0, 0.9]),
        pytest.approx([0.3, 0.0, 0.7]),
    ]
    log = run(
        replayed, [pair(0, "first", 0.9), pair(1, "first", 0.9)], models=[A], thresholds=0.5,
        kind="pairwise", samples=samples,
    )  # fmt: skip
    assert told_by(log)["end"] == "abstained"


def test_a_jury_that_tells_the_same_confidence_calibrates_a_cascade_too(
    replayed: Replayed,
) -> None:
    told = []
    replayed.record(LINES[:4])
    for scorer in (jury([A, B], confidence="logprobs"), cascade([A, B], ask_all=True)):
        log = replayed.run(scorer, ["1", "2"])
        rows = panopt.read(log.location).table.to_pylist()
        columns = ("item", "judge", "confidence", "confidence_source", "prompt_hash", "score")
        told.append(sorted(tuple(row[name] for name in columns) for row in rows))
    assert told[0] == told[1]
    assert len(told[0]) == 4


@pytest.mark.programs
def test_inspect_scores_a_log_by_a_cascade_named_on_the_command_line(
    replayed: Replayed, inspect_cli: Program, tmp_path: Path
) -> None:
    replayed.record(LINES[:4])
    log = replayed.run(match(), ["1", "2"])
    target = tmp_path / "scored.eval"
    environ = {**inspect_cli.environ, "PANOPT_REPLAY": str(replayed.file)}
    program = replace(inspect_cli, environ=environ)
    given = ["--scorer", "panopt/cascade", "-S", f"models={A},{B}", "-S", "thresholds=0.9,0.9"]
    written = ["--action", "append", "--output-file", str(target)]
    program.run("score", log.location, *given, *written, timeout=120)
    assert ends(read_eval_log(str(target))) == {"1": "decided", "2": "decided"}
    bad = program.run(
        "score", log.location, *given, "-S", "confidence=luck", check=False, timeout=120
    )
    assert bad.returncode != 0
    assert "panopt/cascade: confidence = 'luck'" in " ".join((bad.stdout + bad.stderr).split())


def test_a_model_without_log_probabilities_escalates(replayed: Replayed) -> None:
    log = run(replayed, [line("1", "a", YES), sure("1", "b", 0.95)], thresholds=0.9)
    assert told_by(log)["judge"] == B
    assert "has no confidence" in (scores_of(log, "cascade")["1"].explanation or "")


def test_the_budget_bounds_the_cascade_and_the_rest_was_not_asked(replayed: Replayed) -> None:
    log = run(replayed, LINES[2:4], thresholds=0.9, budget_calls=1)
    assert ends(log) == {"2": "budget"}
    assert [row["judge"] for row in panopt.read(log.location).table.to_pylist()] == [A]
    assert metrics_of(log, "cascade")["ended_budget"] == 1


def test_a_response_that_errored_is_not_judged(replayed: Replayed) -> None:
    samples = {"1": {"metadata": {"answer": None}}}
    log = run(replayed, LINES[:2], thresholds=0.9, samples=samples)
    assert ends(log) == {"1": "response_error"}
    assert scores_of(log, "cascade")["1"].reason == "no_response"
    found = metrics_of(log, "cascade")
    assert (found["responses"], found["ended_response_error"]) == (1, 1)
    assert "decided" not in found or math.isnan(found["decided"])


def test_metrics_are_safe_on_nothing_and_on_scores_of_others() -> None:
    other = SampleScore(score=Score(value=math.nan), sample_id=1)
    assert rates_of([]) == {} == rates_of([other])
    assert stages_of([]) == {} == stages_of([other])


def test_epochs_are_one_cluster(replayed: Replayed) -> None:
    once = metrics_of(run(replayed, LINES, thresholds=0.9), "cascade")
    twice = metrics_of(run(replayed, LINES, thresholds=0.9, epochs=3), "cascade")
    assert twice["responses"] == 12
    assert twice["decided"] == once["decided"]
    assert (
        twice["decided_high"] - twice["decided_low"] >= once["decided_high"] - once["decided_low"]
    )


# --- Real judges: the live cascade decides as the certificate does offline ------------------

REWARD = 3


def margins(shared: Path) -> tuple[list[dict[str, Any]], dict[str, float], tuple[str, ...]]:
    """Take the three best reward models on pairs in one order: winner and size of the margin."""
    table = pq.read_table(shared / "data/sets/judgebench_rm/scores.parquet").to_pandas()
    rows = table.query("judge_kind == 'metric' and order == 0").drop_duplicates(
        ["item_id", "judge"]
    )
    rows = rows.assign(right=(rows.margin > 0) == (rows.label == 1))
    best = rows.groupby("judge").right.mean().sort_values(kind="stable").index[-REWARD:]
    lines = [
        line(
            str(row.item_id), row.judge, "first" if row.margin > 0 else "second",
            order=0, confidence=abs(float(row.margin)),
        )
        for row in rows[rows.judge.isin(best)].itertuples()
    ]  # fmt: skip
    truth = {
        str(item): float(label) for item, label in rows.groupby("item_id").label.first().items()
    }
    return lines, truth, tuple(best)


def tokens(shared: Path) -> tuple[list[dict[str, Any]], dict[str, float], tuple[str, ...]]:
    """Take the token probabilities of one model on Likert questions about dialogues."""
    table = pq.read_table(shared / "data/sets/llm_rubric/scores.parquet").to_pandas()
    human = table.query("judge_kind == 'human'").groupby(["item_id", "task"]).score.mean().dropna()
    rows = table.query("judge_kind == 'llm'").drop_duplicates(["item_id", "task"])
    rows = rows.join(human.rename("human"), on=["item_id", "task"], how="inner")
    lines, truth = [], {}
    for row in rows.itertuples():
        item = f"{row.item_id} {row.task}"
        p = [max(float(x), 1e-12) for x in (row.p1, row.p2, row.p3, row.p4)]
        shares = {str(k): x / sum(p) for k, x in enumerate(p, 1)}
        level = max(shares, key=lambda name: shares[name])
        text = json.dumps({"reason": "", "verdict": int(level)})
        lines.append(line(item, row.judge, level, text=text, probabilities=shares))
        truth[item] = float(row.human)
    return lines, truth, (str(rows.judge.iloc[0]),)


#: Tolerated risk, and options of the scorer.
REAL: dict[str, tuple[float, dict[str, Any]]] = {
    "judgebench_rm": (
        0.4,
        {"kind": "pairwise", "baseline": "other", "both_orders": False, "confidence": "margin"},
    ),
    "llm_rubric": (0.15, {"kind": "numeric", "score_range": "1,4", "threshold": 2.5}),
}


@pytest.mark.parametrize("name", REAL)
def test_T_1_decisions_of_a_live_cascade_are_the_offline_ones(
    shared: Path, replayed: Replayed, tmp_path: Path, name: str
) -> None:
    agree_on_decisions(shared, replayed, tmp_path, name, most=40)


@pytest.mark.slow
@pytest.mark.parametrize("name", REAL)
def test_T_1_every_decision_of_a_live_cascade_is_the_offline_one_full(
    shared: Path, replayed: Replayed, tmp_path: Path, name: str
) -> None:
    agree_on_decisions(shared, replayed, tmp_path, name, most=None)


def agree_on_decisions(
    shared: Path, replayed: Replayed, tmp_path: Path, name: str, *, most: int | None
) -> None:
    """Calibrate on half of the items; decide on all, or some of the others, by a real eval."""
    alpha, options = REAL[name]
    lines, truth, judges = (margins if name == "judgebench_rm" else tokens)(shared)
    models = [f"panopt-replay/{judge}" for judge in judges]
    items = np.random.default_rng(4).permutation(list(truth)).tolist()
    half = set(items[: len(items) // 2])
    decided = set(items if most is None else items[-most:])
    parts = [[one for one in lines if one["item"] in own] for own in (half, decided)]
    made = certify(
        recorded_study(parts[0], truth, options), Ask(cascade=tuple(models), alpha=alpha, n_boot=0)
    )
    path = tmp_path / "certificate.json"
    write_certificate(made, path)
    samples = {item: {"metadata": {"other": "the other"}} for item in items}
    log = run(replayed, parts[1], models=models, certificate=str(path), samples=samples,
              criterion="score", **options)  # fmt: skip
    live = {item: stage_in(score) for item, score in scores_of(log, "cascade").items()}
    assert live.keys() == decided
    # As analyze decides again from the log of the live cascade, holes and all.
    [part] = panopt.analyze(panopt.read(log.location), Ask(certificate=made, n_boot=0)).criteria
    assert part.decisions is not None
    stages = part.decisions.numbers["stage"]
    again = dict(zip(report_items(part), np.nan_to_num(stages, nan=0.0).tolist(), strict=True))
    assert live == again
    # As the certificate decides on the complete table of what was recorded.
    assert live == offline(made, parts[1], models, options)
    # As the pure method that certified it decides, told the same labels.
    assert live == certified_purely(parts, truth, models, options, alpha)
    assert len(set(live.values())) > 1


def recorded_study(
    lines: Sequence[Mapping[str, Any]], truth: Mapping[str, float], options: Mapping[str, Any]
) -> Study:
    """Give what an eval that asks all judges would log, and the labels."""
    pair = options["kind"] == "pairwise"
    kind: VerdictKind = Pairwise(both_orders=False) if pair else Numeric(1, 4, threshold=2.5)
    prompts = PromptMaker(kind, DEFAULT_PAIR_RUBRIC if pair else DEFAULT_RUBRIC, "score")
    source = MARGIN if pair else REASONED
    rows: list[tuple[Any, ...]] = []
    for one in lines:
        score = float(one["verdict"] == "first") if pair else float(one["verdict"])
        judge = f"panopt-replay/{one['judge']}"
        sure = confidence_of(one, options)
        rows.append((one["item"], judge, "llm", score, sure, source, prompts.hash))
    rows += [
        (item, "human", "human", truth[item], None, None, None)
        for item in dict.fromkeys(one["item"] for one in lines)
    ]
    names = ("item", "judge", "judge_kind", "score", "confidence", "confidence_source",
             "prompt_hash")  # fmt: skip
    columns = dict(zip(names, (list(column) for column in zip(*rows, strict=True)), strict=True))
    return Study.from_columns({**columns, "criterion": "score", "scale": scale_text(kind)})


def stage_in(score: Score) -> float:
    value: Any = score.value
    return 0.0 if math.isnan(value["stage"]) else float(value["stage"])


def confidence_of(one: Mapping[str, Any], options: Mapping[str, Any]) -> float:
    if options["kind"] == "pairwise":
        return float(one["confidence"])
    shares = {int(level): p for level, p in one["probabilities"].items()}
    passes = int(one["verdict"]) >= 2.5
    total = math.fsum(shares.values())
    return min(math.fsum(p for level, p in shares.items() if (level >= 2.5) == passes) / total, 1.0)


def offline(
    made: Any, lines: Sequence[Mapping[str, Any]], models: Sequence[str],  # noqa: ANN401
    options: Mapping[str, Any],
) -> dict[str, float]:  # fmt: skip
    told = {
        (one["item"], f"panopt-replay/{one['judge']}"): confidence_of(one, options) for one in lines
    }
    found = {}
    for item in {one["item"] for one in lines}:
        decides = [m for m in made.asked if made.decides(m, told.get((item, m)))]
        found[item] = float(models.index(decides[0]) + 1) if decides else 0.0
    return found


def certified_purely(
    parts: Sequence[Sequence[Mapping[str, Any]]], truth: Mapping[str, float],
    models: Sequence[str], options: Mapping[str, Any], alpha: float,
) -> dict[str, float] | None:  # fmt: skip
    """Certify with the arrays alone, in the order in which the log has the responses."""
    tables = []
    for lines in parts:
        items = sorted({str(one["item"]) for one in lines})
        order = [*dict.fromkeys(str(one["item"]) for one in lines)]
        assert set(items) == set(order)
        confidence = np.full((len(order), len(models)), np.nan)
        agrees = np.zeros(confidence.shape, dtype=np.bool_)
        for one in lines:
            i, m = order.index(str(one["item"])), models.index(f"panopt-replay/{one['judge']}")
            confidence[i, m] = confidence_of(one, options)
            human = truth[str(one["item"])]
            if options["kind"] == "pairwise":
                agrees[i, m] = (one["verdict"] == "first") == (human == 1.0)
            else:
                agrees[i, m] = (int(one["verdict"]) >= 2.5) == (human >= 2.5)
        tables.append((order, confidence, agrees))
    found = certify_cascade(
        tables[0][1], tables[0][2], alpha=alpha, unit=options["kind"] != "pairwise",
        rng=np.random.default_rng(0),
    )  # fmt: skip
    if not found.feasible:
        return None
    decided = np.asarray(found.decide(tables[1][1]))
    return dict(zip(tables[1][0], (decided + 1.0).tolist(), strict=True))
