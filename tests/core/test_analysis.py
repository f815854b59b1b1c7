from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from panopt import analysis
from panopt.analysis import analyze, choose_method
from panopt.errors import AskError, PluginError, SourceError
from panopt.host import Host
from panopt.records.ask import Ask
from panopt.records.study import Study


def study_of(
    n: int = 30, judges: str = "xyz", scale: str = "binary", humans: int = 0, **columns: str
) -> Study:
    rng = np.random.default_rng(1)
    item = [f"i{i:03}" for i in range(n)]
    high = float(scale.rsplit(":", 1)[1]) if ":" in scale else 1.0
    score = rng.integers(1 if high > 1 else 0, int(high) + 1, n * len(judges))
    both: dict[str, Any] = {
        "item": item * len(judges) + item[:humans],
        "judge": [*np.repeat(list(judges), n).tolist(), *["bob"] * humans],
        "judge_kind": ["llm"] * (n * len(judges)) + ["human"] * humans,
        "scale": scale,
        "score": [*score.tolist(), *score[:humans].tolist()],
    }
    if scale == "nominal":
        both |= {"label": [str(value) for value in both.pop("score")]}
    return Study.from_columns({**both, **columns})


@pytest.mark.parametrize(
    ("study", "method", "why"),
    [
        (study_of(judges="x"), "majority", "binary"),
        (study_of(scale="pairwise"), "majority", "pairwise"),
        (study_of(scale="nominal"), "plurality", "labels without an order"),
        (study_of(scale="ordinal:1:5"), "gaussian", "3 judges on ordinal:1:5"),
        (study_of(scale="ordinal:1:5", judges="xy"), "mean", "2 judge.* 0 human labels: bias and"),
        (study_of(scale="ordinal:1:5", judges="xy", humans=19), "mean", "19 human labels"),
        (study_of(scale="ordinal:1:5", judges="x", humans=20), "gaussian", "20 human labels anch"),
    ],
)
def test_auto_picks_by_scale_judges_and_labels(study: Study, method: str, why: str) -> None:
    found, reason = choose_method(study.matrix("score"))
    assert found == method
    assert re.search(why, reason)


def test_auto_says_what_it_took_and_why() -> None:
    part = analyze(study_of()).criteria[0]
    assert (part.consensus.method, part.consensus.why) == ("majority", "the verdicts are binary")
    asked = analyze(study_of(), Ask(aggregate="median")).criteria[0]
    assert (asked.consensus.method, asked.consensus.why) == ("median", "asked for")


WARY = """
from panopt.spec import hookimpl

@hookimpl
def panopt_methods():
    return ("wary",)

@hookimpl
def panopt_aggregate(matrix):
    raise {}
"""


def test_a_chosen_method_that_cannot_answer_gives_way_to_the_mean(
    install: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    install("wary", WARY.format("ValueError('too few judges')"))
    monkeypatch.setattr(analysis, "choose_method", lambda matrix: ("wary", "a whim"))
    report = analyze(study_of(), host=Host())
    consensus = report.criteria[0].consensus
    assert consensus.method == "mean"
    assert consensus.why == "wary could not answer: too few judges"
    assert not [problem for problem in report.problems if problem.plugin == "wary"]
    with pytest.raises(AskError, match="wary cannot aggregate 'score': too few judges"):
        analyze(study_of(), Ask(aggregate="wary"), host=Host())


def test_a_chosen_method_that_breaks_is_a_problem_and_gives_way_to_the_mean(
    install: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    install("wary", WARY.format("KeyError('x')"))
    monkeypatch.setattr(analysis, "choose_method", lambda matrix: ("wary", "a whim"))
    report = analyze(study_of(), host=Host())
    assert report.criteria[0].consensus.method == "mean"
    (problem,) = [problem for problem in report.problems if problem.plugin == "wary"]
    assert (problem.hook, problem.criterion) == ("panopt_aggregate", "score")
    with pytest.raises(PluginError, match="plugin 'wary', hook panopt_aggregate: KeyError"):
        analyze(study_of(), Ask(aggregate="wary"), host=Host())


def test_a_chosen_method_that_is_not_installed_gives_way_to_the_mean(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(analysis, "choose_method", lambda matrix: ("gone", "a whim"))
    consensus = analyze(study_of()).criteria[0].consensus
    assert (consensus.method, consensus.why) == ("mean", "gone is not installed")


@pytest.mark.parametrize(
    ("study", "ask", "message"),
    [
        (
            study_of(),
            Ask(criterion=("tune",)),
            "criterion 'tune' was not judged; judged criteria: ",
        ),
        (study_of(), Ask(aggregate="best"), "aggregation method 'best' is unknown; known: auto, "),
        (study_of(judge_kind="human"), Ask(), "criterion 'score' has human labels but no judge; r"),
    ],
)
def test_refuses(study: Study, ask: Ask, message: str) -> None:
    with pytest.raises(AskError, match=message):
        analyze(study, ask)


def test_a_criterion_only_humans_judged_is_no_criterion_among_others() -> None:
    people = study_of(criterion="style", judge_kind="human")
    both = Study.concat([study_of(criterion="tone"), people])
    assert [part.criterion for part in analyze(both).criteria] == ["tone"]
    with pytest.raises(AskError, match="criterion 'style' has human labels but no judge"):
        analyze(both, Ask(criterion=("style",)))


def test_criteria_are_analyzed_in_the_order_asked_for_and_once() -> None:
    both = Study.concat([study_of(criterion=name) for name in ("facts", "style", "tone")])
    assert [part.criterion for part in analyze(both).criteria] == ["facts", "style", "tone"]
    asked = analyze(both, Ask(criterion=("tone", "facts", "tone"))).criteria
    assert [part.criterion for part in asked] == ["tone", "facts"]


def test_other_criteria_do_not_matter() -> None:
    alone = analyze(study_of(criterion="tone")).to_dict()["criteria"]
    others = study_of(n=7, judges="abxz", criterion="facts", system="other")
    both = Study.concat([others, study_of(criterion="tone")])
    assert analyze(both, Ask(criterion=("tone",))).to_dict()["criteria"] == alone


def test_a_study_made_in_python_is_settled_first() -> None:
    raw = Study.from_columns({"item": list("aabb"), "judge": ["x", "y"] * 2, "score": [1, 5, 2, 4]})
    report = analyze(raw)
    assert report.notes == ("score: scale ordinal:1:5 inferred for x, y",)
    assert_array_equal(report.criteria[0].matrix.scores(), [[0, 1], [0.25, 0.75]])
    assert report.study.table["scale"].null_count == 0
    off = Study.from_columns({"item": "a", "judge": "x", "score": [7], "scale": "ordinal:1:5"})
    with pytest.raises(SourceError, match="score 7 is off the scale"):
        analyze(Study.concat([off, raw]))


def test_the_same_study_and_ask_give_the_same_report() -> None:
    study = study_of(humans=10)
    first, again = (analyze(study, Ask(n_boot=50, seed=3)).to_dict() for _ in range(2))
    assert first == again


def test_a_plugin_that_breaks_its_contract_in_aggregation_is_named(
    install: Callable[..., Path],
) -> None:
    install(
        "odd",
        """
        from panopt.spec import hookimpl

        @hookimpl
        def panopt_methods():
            return ("best",)

        @hookimpl
        def panopt_aggregate(matrix):
            return None
        """,
    )
    with pytest.raises(PluginError, match="plugin 'odd', hook panopt_aggregate: gave no consensus"):
        analyze(study_of(), Ask(aggregate="best"), host=Host())


def test_a_family_of_nobody_is_told_of() -> None:
    study = Study.from_columns(
        {"item": ["i", "j"], "judge": "Ann's judge", "system": "s", "score": [1, 0]}
    )
    families = (("ann's JUDGE", "acme"), ("S", "acme"), ("an's judge", "acme"))
    notes = analyze(study, Ask(families=families)).notes
    assert 'family of "an\'s judge": no judge or system has this name' in notes
    assert sum("no judge or system" in note for note in notes) == 1
