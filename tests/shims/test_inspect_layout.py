from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest

from panopt.records.ask import Reading, checked
from panopt.records.source import SourceFile
from panopt.records.study import Study
from panopt.shims.inspect.names import looks_like_judge, split_keys
from panopt.shims.inspect.read import read_log
from panopt.shims.inspect.values import convert, kind_of, kinds_of, scale_of

MakeEval = Callable[..., Path]
NAN = math.nan


def read(log: Path, **options: object) -> Study:
    study = read_log(SourceFile(str(log)), checked(Reading, tier="fast", **options), lambda _: None)
    assert study is not None
    return study


def places(study: Study) -> set[tuple[str, str, str]]:
    return {(row["criterion"], row["judge"], row["judge_kind"]) for row in study.table.to_pylist()}


def scores(study: Study, judge: str) -> list[float | None]:
    return [row["score"] for row in study.table.to_pylist() if row["judge"] == judge]


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (True, "truth"),
        (0, "number"),
        (0.25, "number"),
        (NAN, "missing"),
        (math.inf, "missing"),
        (None, "missing"),
        ("", "missing"),
        ("C", "letter"),
        ("N", "letter"),
        ("Yes", "truth"),
        (" 0.5 ", "number"),
        ("A", "text"),
        ("nan", "text"),
    ],
)
def test_kinds_of_values(value: object, kind: str) -> None:
    assert kind_of(value) == kind


def test_values_become_numbers_statuses_and_reasons() -> None:
    values = ["C", "I", "P", "N", True, "no", "0.5", 3, NAN, NAN, None, math.inf]
    reasons: list[str | None] = [None] * len(values)
    reasons[8:10] = ["grader_failed: gibberish", "refusal: will not say"]
    found = convert(values, reasons, nominal=False)
    assert found.score == [1.0, 0.0, 0.5, None, 1.0, 0.0, 0.5, 3.0, None, None, None, None]
    assert found.status[3:] == [
        "abstained", "ok", "ok", "ok", "ok", "failed", "abstained", "failed", "failed",
    ]  # fmt: skip
    assert found.error[3] == "no answer (N)"
    assert found.error[8:] == [
        "grader_failed: gibberish",
        "refusal: will not say",
        "unscored, no reason given",
        "the score is inf, not a number",
    ]


def test_one_text_makes_labels_of_all() -> None:
    found = convert(["A", "C", " B ", 1, True, None], [None] * 6, nominal=True)
    assert found.label == ["A", "C", "B", "1", "true", None]
    assert found.score == [None] * 6
    assert kinds_of(["A", "C", NAN]) == {"text", "letter"}


@pytest.mark.parametrize(
    ("kinds", "partial", "scale"),
    [
        ({"letter"}, False, "binary"),
        ({"letter", "truth"}, True, "continuous:0:1"),
        ({"number"}, False, None),
        ({"letter", "number"}, False, None),
        ({"text", "letter"}, False, "nominal"),
        (set(), False, None),
    ],
)
def test_scales_are_declared_for_letters_and_labels_alone(
    kinds: set[str], scale: str | None, *, partial: bool
) -> None:
    assert scale_of(frozenset(kinds), partial=partial) == scale


def test_every_kind_of_value_is_read_from_a_real_log(inspect_logs: Path) -> None:
    study = read(inspect_logs / "value_types.eval")
    assert scores(study, "valued") == [0.0, 1.0] * 5
    assert scores(study, "valued1") == [float(n) for n in range(1, 11)]
    assert scores(study, "valued2")[:5] == [0.1, 0.2, 0.3, None, 0.5]
    assert scores(study, "valued3")[:4] == [0.0, 0.5, None, 1.0]
    assert scores(study, "valued5[1]") == [float(n) for n in range(2, 12)]
    assert scores(study, "valued6") == [1.0, *(float(n) for n in range(3, 11))]  # declined q02
    labels = [r["label"] for r in study.table.to_pylist() if r["judge"] == "valued4"]
    assert labels[:4] == ["no", "0.5", "unknown", "yes"]
    scales = {r["judge"]: r["scale"] for r in study.table.to_pylist()}
    assert scales["valued3"] == "continuous:0:1"
    assert scales["valued4"] == "nominal"
    assert scales["valued1"] is None


def test_choice_letters_are_labels_not_grades(make_eval: MakeEval) -> None:
    study = read(make_eval([{"pick": "A"}, {"pick": "C"}, {"pick": "D"}]))
    assert study.table["label"].to_pylist() == ["A", "C", "D"]
    assert set(study.table["scale"].to_pylist()) == {"nominal"}


def test_partial_credit_of_one_judge_sets_the_scale_of_the_criterion(make_eval: MakeEval) -> None:
    scorers = [("grade", {"model": "m/a"}), ("grade", {"model": "m/b"})]
    log = make_eval([{"grade": "C", "grade1": "P"}, {"grade": "I", "grade1": "C"}], scorers=scorers)
    assert set(read(log).table["scale"].to_pylist()) == {"continuous:0:1"}


def test_scorers_of_one_function_and_different_models_are_judges(make_eval: MakeEval) -> None:
    scorers = [
        ("grade", {"model": "m/a", "rubric": "x"}),
        ("grade", {"model": "m/b", "rubric": "y"}),
    ]
    log = make_eval([{"grade": "C", "grade1": "I"}], scorers=scorers)
    assert places(read(log)) == {("grade", "m/a", "llm"), ("grade", "m/b", "llm")}
    apart = read(log, scorers="criteria")
    assert places(apart) == {("grade", "m/a", "llm"), ("grade1", "m/b", "llm")}


def test_scorers_that_differ_in_what_they_score_are_criteria(make_eval: MakeEval) -> None:
    scorers = [
        ("grade", {"model": "m/a", "rubric": "clear"}),
        ("grade", {"model": "m/b", "rubric": "clear"}),
        ("grade", {"model": "m/a", "rubric": "deep"}),
        ("grade", {"model": "m/b", "rubric": "deep"}),
    ]
    log = make_eval([{"grade": 1, "grade1": 2, "grade2": 3, "grade3": 4}], scorers=scorers)
    study = read(log)
    assert places(study) == {
        ("grade", "m/a", "llm"),
        ("grade", "m/b", "llm"),
        ("grade2", "m/a", "llm"),
        ("grade2", "m/b", "llm"),
    }
    assert "scorers=judges" in study.sources[0].notes[-1]
    forced = read(log, scorers="judges")
    assert places(forced) == {
        ("grade", f"m/{model} ({score})", "llm")
        for model, score in [("a", "grade"), ("b", "grade1"), ("a", "grade2"), ("b", "grade3")]
    }


def test_scorers_of_different_functions_are_criteria_unless_named_like_judges(
    make_eval: MakeEval,
) -> None:
    log = make_eval([{"helpful": 3, "harmless": 5}], scorers=[("helpful", {}), ("harmless", {})])
    study = read(log)
    assert study.criteria == ("harmless", "helpful")
    assert "scorers=judges" in study.sources[0].notes[-1]
    assert read(log, scorers="judges").criteria == ("made_up",)
    log = make_eval([{"judge_a": 3, "gpt4_grader": 5}], name="named.eval")
    study = read(log)
    assert places(study) == {("made_up", "judge_a", "llm"), ("made_up", "gpt4_grader", "llm")}
    assert "scorers=criteria" in study.sources[0].notes[-1]


def test_programs_stand_beside_judges_on_their_own_criterion(make_eval: MakeEval) -> None:
    log = make_eval(
        [{"match": "C", "grade": "I"}], scorers=[("match", {}), ("grade", {"model": "m/a"})]
    )
    assert places(read(log)) == {("match", "match", "program"), ("grade", "m/a", "llm")}


def test_keys_named_like_judges_are_judges_and_the_rest_made_of_them(make_eval: MakeEval) -> None:
    value = {"openai/gpt-4o": 4, "anthropic/claude": 3, "mean": 3.5}
    study = read(make_eval([{"jury": {"value": value}}]))
    assert places(study) == {("jury", "openai/gpt-4o", "llm"), ("jury", "anthropic/claude", "llm")}
    assert "mean as made of their scores" in " ".join(study.sources[0].notes)
    forced = read(make_eval([{"jury": {"value": value}}]), keys="criteria")
    assert forced.criteria == ("anthropic/claude", "mean", "openai/gpt-4o")


def test_keys_that_the_metadata_names_as_judges_are_judges(make_eval: MakeEval) -> None:
    score = {
        "value": {"ann": 1, "bob": 0, "panel": 0.5},
        "metadata": {"jury": {"judges": ["ann", "bob"]}},
    }
    assert places(read(make_eval([{"jury": score}]))) == {
        ("jury", "ann", "llm"),
        ("jury", "bob", "llm"),
    }


def test_other_keys_are_criteria_named_by_the_score_where_two_have_them(
    make_eval: MakeEval,
) -> None:
    both = {"a": {"value": {"clarity": 1, "depth": 2}}, "b": {"value": {"clarity": 3}}}
    assert places(read(make_eval([both]))) == {
        ("a/clarity", "a", "llm"),
        ("depth", "a", "llm"),
        ("b/clarity", "b", "llm"),
    }
    assert read(make_eval([both]), keys="judges").criteria == ("a", "b")


def test_an_unscored_dict_is_unscored_for_each_of_its_keys(make_eval: MakeEval) -> None:
    log = make_eval(
        [
            {"jury": {"value": {"judge_a": 1, "judge_b": 0}}},
            {"jury": {"value": NAN, "reason": "scoring_failed"}},
        ]
    )
    found = [(r["item"], r["judge"], r["status"], r["error"]) for r in read(log).table.to_pylist()]
    assert found == [
        ("1", "judge_a", "ok", None),
        ("2", "judge_a", "failed", "scoring_failed"),
        ("1", "judge_b", "ok", None),
        ("2", "judge_b", "failed", "scoring_failed"),
    ]


def test_lists_are_votes_by_place_of_the_models_named(make_eval: MakeEval) -> None:
    named = make_eval(
        [{"panel": {"value": [1, 2]}}], scorers=[("panel", {"model": ["m/a", "m/b"]})]
    )
    assert places(read(named)) == {("panel", "m/a", "llm"), ("panel", "m/b", "llm")}
    ragged = make_eval(
        [{"panel": {"value": [1, 2]}}, {"panel": {"value": [1]}}], name="ragged.eval"
    )
    study = read(ragged)
    assert places(study) == {("panel", "panel[0]", "llm"), ("panel", "panel[1]", "llm")}
    assert "places do not tell the judges" in study.sources[0].warnings[0]


def test_places_of_lists_that_lost_a_vote_are_no_models(make_eval: MakeEval) -> None:
    options = {"model": ["m/a", "m/b"], "reducer": "collect"}
    scores = [{"panel": {"value": ["C", "I"]}}, {"panel": {"value": ["I"]}}]
    study = read(make_eval(scores, scorers=[("panel", options)]))
    assert places(study) == {("panel", "panel[0]", "llm"), ("panel", "panel[1]", "llm")}
    assert len(study.sources[0].warnings) == 2


def test_the_explanation_of_a_dict_of_judges_is_no_judges_rationale(make_eval: MakeEval) -> None:
    dicts = {
        "jury": {"value": {"judge_a": 1, "judge_b": 0}, "explanation": "a said"},
        "rubric": {"value": {"clear": 1}, "explanation": "it is clear"},
    }
    found = {r["judge"]: r["rationale"] for r in read(make_eval([dicts])).table.to_pylist()}
    assert found == {"judge_a": None, "judge_b": None, "rubric": "it is clear"}


def test_a_model_listed_twice_votes_twice(make_eval: MakeEval) -> None:
    panel = {"value": "C", "metadata": {"panel": {"votes": ["C", "I", "C"], "size": 3}}}
    log = make_eval([{"q": panel}], scorers=[("q", {"model": ["m/a", "m/a", "m/b"]})])
    study = read(log)
    assert scores(study, "m/a") == [1.0, 0.0]
    assert study.matrix("q").votes.repeat.tolist() == [0, 1, 0]


def test_votes_that_are_dicts_are_a_criterion_a_key(make_eval: MakeEval) -> None:
    votes = [{"clear": 1, "deep": 2}, {"clear": 3, "deep": None}]
    panel = {"value": {"clear": 2}, "metadata": {"panel": {"votes": votes, "size": 2}}}
    log = make_eval([{"q": panel}], scorers=[("q", {"model": ["m/a", "m/b"]})])
    study = read(log)
    assert study.criteria == ("q/clear", "q/deep")
    assert scores(study, "m/b") == [3.0, None]


def test_edited_scores_are_labels_and_the_judge_keeps_its_own(inspect_logs: Path) -> None:
    study = read(inspect_logs / "invalidated.eval")
    [label] = [r for r in study.table.to_pylist() if r["judge_kind"] == "human"]
    assert (label["item"], label["judge"], label["score"]) == ("q04", "reader", 1.0)
    assert study.matrix("model_graded_qa").n_labelled == 1
    assert "edited by hand" in " ".join(study.sources[0].notes)


def test_edits_of_our_own_are_no_labels(make_eval: MakeEval) -> None:
    score = {
        "value": 1,
        "history": [
            {"value": 0},
            {"value": 1, "provenance": {"author": "panopt 0.1.0", "timestamp": "2026-01-01"}},
        ],
    }
    study = read(make_eval([{"q": score}]))
    assert study.table["score"].to_pylist() == [0.0]
    assert study.table["judge_kind"].to_pylist() == ["llm"]


def test_a_named_scorer_holds_human_labels(inspect_logs: Path) -> None:
    study = read(inspect_logs / "human_scorer.eval", human=("human",))
    assert study.criteria == ("model_graded_qa",)
    matrix = study.matrix("model_graded_qa")
    assert matrix.humans == ("human",)
    assert matrix.n_labelled == 9
    unnamed = read(inspect_logs / "human_scorer.eval")
    assert unnamed.criteria == ("human", "model_graded_qa")
    nobody = read(inspect_logs / "human_scorer.eval", human=("expert",))
    assert "no score or key is named 'expert'" in " ".join(nobody.sources[0].notes)
    half = read(inspect_logs / "human_scorer.eval", human=("human", "expert"))
    assert half.matrix("model_graded_qa").n_labelled == 9
    assert "no score or key is named 'expert'" in " ".join(half.sources[0].notes)


def test_labels_of_several_criteria_are_placed_by_name(make_eval: MakeEval) -> None:
    scores_ = {"clarity": 1, "depth": 2, "human_clarity": 3}
    study = read(make_eval([scores_]), human=("human_clarity",))
    assert ("clarity", "human_clarity", "human") in places(study)
    astray = read(make_eval([{"clarity": 1, "depth": 2, "ann": 3}]), human=("ann",))
    assert "fit none of several criteria" in astray.sources[0].warnings[0]
    assert astray.criteria == ("clarity", "depth")
    keyed = read(make_eval([{"q": {"value": {"clarity": 1, "expert": 0}}}]), human=("expert",))
    assert places(keyed) == {("clarity", "q", "llm"), ("clarity", "expert", "human")}
    dicts = {"a": {"value": {"clarity": 1, "depth": 0}}, "h": {"value": {"clarity": 0, "depth": 1}}}
    assert places(read(make_eval([dicts]), human=("h",))) == {
        ("clarity", "a", "llm"),
        ("depth", "a", "llm"),
        ("clarity", "h", "human"),
        ("depth", "h", "human"),
    }


def test_targets_are_labels_where_asked_for(make_eval: MakeEval) -> None:
    samples = [{"target": "C"}, {"target": ["I"]}, {"target": ["a", "b"]}]
    log = make_eval([{"q": "C"}, {"q": "C"}, {"q": "I"}], samples=samples)
    study = read(log, human=("target",))
    assert scores(study, "target") == [1.0, 0.0]
    assert study.matrix("q").n_labelled == 2
    assert read(log).matrix("q").n_labelled == 0


@pytest.mark.parametrize(
    ("name", "is_judge"),
    [
        ("openai/gpt-4o", True),
        ("judge-a", True),
        ("rater 2", True),
        ("j1", True),
        ("gpt-4o-mini", True),
        ("claude-3-5-sonnet", True),
        ("o3-mini", True),
        ("llama3", True),
        ("clarity", False),
        ("judgement", False),
        ("phishing", False),
        ("grading", False),
        ("command", False),
        ("overall", False),
        ("yes/no answer", False),
    ],
)
def test_names_of_judges(name: str, *, is_judge: bool) -> None:
    assert looks_like_judge(name) is is_judge


def test_one_judge_like_key_is_not_enough() -> None:
    assert split_keys(["judge_a", "clarity"], (), "auto") == ((), ())
    assert split_keys(["judge_a", "judge_b", "mean"], (), "auto") == (
        ("judge_a", "judge_b"),
        ("mean",),
    )
    assert split_keys(["ann", "bob", "Mean"], (), "judges") == (("ann", "bob"), ("Mean",))
