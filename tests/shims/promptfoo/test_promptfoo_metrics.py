"""Metrics that are templates go by the names promptfoo shows, so that criteria are not mixed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from panopt.analysis import analyze
from panopt.reading import read
from panopt.records.ask import Ask
from panopt.records.study import Study
from panopt.shims.promptfoo.metrics import is_ours, name_metrics
from panopt.shims.promptfoo.schema import decode_row
from panopt.shims.promptfoo.walk import leaves
from panopt.writing import write

if TYPE_CHECKING:
    from tests.conftest import Program

ReadResults = Callable[..., Study]
MakeResults = Callable[..., Path]
Json = dict[str, Any]

VARS: Json = {
    "task": "safety",
    "a_b": "x y",
    "info": {"kind": {"name": "k"}},
    "n": 3,
    "whole": 2.0,
    "part": 0.25,
    "flag": True,
    "nothing": None,
    "list": [1, 2],
    "key": "[REDACTED]",
    "nested": "{{task}}",
    "loaded": "file://x.txt",
    "tiny": 1e-7,
    "huge": 10**24,
    "empty": "",
}


def named(*metrics: object, **scores: float) -> dict[str, str | None]:
    """Name the metrics of one row; None for a template that has no name."""
    components = [{"assertion": {"type": "x", "metric": m}, "score": 1} for m in metrics]
    row = {"vars": VARS, "gradingResult": {"componentResults": components}, "namedScores": scores}
    decoded = decode_row(json.dumps(row).encode())
    assert decoded.gradingResult is not None
    assert decoded.gradingResult.components is not None
    names = name_metrics(leaves(None, decoded.gradingResult.components), decoded)
    return {**names.rendered, **dict.fromkeys(names.unknown)}


FILLED = {
    "{{task}}": "safety",
    "m/{{ task }}/{{a_b}}": "m/safety/x y",
    "{{info.kind.name}}": "k",
    "{{n}} {{whole}} {{part}} {{flag}}": "3 2 0.25 true",
    "{{empty}}": "",
}


@pytest.mark.parametrize("template", FILLED)
def test_variables_are_filled_in(template: str) -> None:
    assert named(template) == {template: FILLED[template]}


@pytest.mark.parametrize("metric", ["plain", "{task}", "", None, 7, ["{{task}}"], "}} {"])
def test_what_is_no_template_stays(metric: object) -> None:
    assert named(metric) == {}


LOOKED_UP = [
    "{{ task | upper }}",
    "{{ task ~ n }}",
    "{{ 7 * 7 }}",
    "{{ task.length }}",
    "{{ list }}",
    "{{ list[0] }}",
    "{{ info }}",
    "{{ nothing }}",
    "{{ absent }}",
    "{{ info.absent.name }}",
    "{{ key }}",
    "{{ nested }}",
    "{{ loaded }}",
    "{{ tiny }}",
    "{{ huge }}",
    "{{ task }}{# why #}",
    "{% if flag %}a{% else %}b{% endif %}",
]


@pytest.mark.parametrize("tag", LOOKED_UP)
def test_all_else_is_looked_up_among_named_scores_and_never_run(tag: str) -> None:
    template = f"m/{tag}!"
    scores = {"m/Shown!": 1.0, "other": 0.0, "m/Shown": 0.0, "panopt.m/x!": 1.0}
    assert named(template, "other", **scores) == {template: "m/Shown!"}
    assert named(template) == {template: None}
    assert named(template, **scores, **{"m/Too!": 1.0}) == {template: None}
    assert named(template, "m/Shown!", **scores) == {template: None}


def test_a_name_of_two_templates_is_taken_for_neither() -> None:
    templates = ("m/{{ a | f }}", "m/{{ b | f }}")
    assert named(*templates, **{"m/x": 1.0}) == dict.fromkeys(templates)
    apart = ("m/{{ a | f }}", "n/{{ b | f }}")
    found = named(*apart, **{"m/x": 1.0, "n/y": 1.0})
    assert found == {"m/{{ a | f }}": "m/x", "n/{{ b | f }}": "n/y"}


def test_a_template_that_promptfoo_could_not_render_is_the_name() -> None:
    broken = "{{ task"
    assert named(broken, **{broken: 1.0, "other": 1.0}) == {broken: broken}
    assert named("x{{ task.0 }}", **{"x{{ task.0 }}": 1.0}) == {"x{{ task.0 }}": "x{{ task.0 }}"}


def test_panopt_s_own_scores_are_no_names() -> None:
    assert named("{{ task | upper }}", **{"panopt": 1.0, "panopt.SAFETY": 1.0}) == {
        "{{ task | upper }}": None
    }


@given(
    st.lists(st.sampled_from(["{{", "}}", "{%", "%}", "a", "b", " ", "x.y", "|", "{#"]), max_size=9)
)
def test_a_name_is_the_template_where_nothing_is_filled_in(parts: list[str]) -> None:
    """Whatever the template, a name comes from its variables or from the named scores alone."""
    template = "".join(parts)
    assert set(named(template).values()) <= {None}
    assert set(named(template, ab=1.0, b=0.5).values()) <= {"ab", "b", None}


def test_hostile_templates_take_no_time() -> None:
    many = "{{ a|f }}a" * 90
    assert named(many, **{"a" * 5000 + "b": 1.0}) == {many: None}
    assert named("{{" * 100_000) == {"{{" * 100_000: None}


def judged(metric: str, provider: str | None = "gpt", **fields: object) -> Json:
    """Give the component of one judge."""
    assertion: Json = {"type": "llm-rubric", "value": metric, "metric": metric}
    if provider is not None:
        assertion["provider"] = provider
    return {"assertion": assertion, "pass": True, "score": 0.5, "reason": "r"} | fields


def of_tasks(*components: Json, tasks: tuple[str, ...] = ("a", "b", "a")) -> list[Json]:
    """Give rows that differ in the variable task."""
    return [
        {"components": list(components), "vars": {"q": n, "task": task}}
        for n, task in enumerate(tasks)
    ]


def verdicts(study: Study) -> list[tuple[str, str]]:
    """Give criterion and judge of every verdict."""
    table = study.table
    return list(zip(table["criterion"].to_pylist(), table["judge"].to_pylist(), strict=True))


def test_criteria_are_named_as_promptfoo_shows_them(
    read_results: ReadResults, make_results: MakeResults
) -> None:
    rows = of_tasks(judged("{{task}}"), judged("{{task}}", "claude"), judged("fix"))
    study = read_results(make_results(rows))
    assert verdicts(study) == [
        (name, judge)
        for task in ("a", "b", "a")
        for name, judge in ((task, "gpt"), (task, "claude"), ("fix", "gpt"))
    ]
    assert set(study.table["score_name"].to_pylist()) == {"a", "b", "fix"}
    assert not study.sources[0].warnings


def test_assert_sets_are_named_as_promptfoo_shows_them(
    read_results: ReadResults, make_results: MakeResults
) -> None:
    inner = [judged("right/{{task}}"), judged("kind/{{task}}", "claude")]
    told = {"assertionSet": {"type": "assert-set", "metric": "all/{{task}}"}}
    whole = {"pass": True, "score": 0.5, "reason": "all", "componentResults": inner}
    study = read_results(make_results(of_tasks(whole | {"metadata": told}, *inner)))
    assert [criterion for criterion, _ in verdicts(study)] == [
        f"all/{task}" for task in ("a", "a", "b", "b", "a", "a")
    ]


def test_a_judge_without_a_model_is_one_judge_in_every_row(
    read_results: ReadResults, make_results: MakeResults
) -> None:
    """Two judges on one rubric, told apart by metric alone: a panel of two, whatever the task."""
    one, two = judged("one/{{task}}", None), judged("two/{{task}}", None)
    one["assertion"]["value"] = two["assertion"]["value"] = "good"
    study = read_results(make_results(of_tasks(one, two)))
    assert (
        verdicts(study)
        == [
            ("llm-rubric", "one/{{task}}"),
            ("llm-rubric", "two/{{task}}"),
        ]
        * 3
    )


def test_a_template_without_a_name_is_kept_and_told(
    read_results: ReadResults, make_results: MakeResults
) -> None:
    study = read_results(make_results(of_tasks(judged("{{task | upper}}"))))
    assert {criterion for criterion, _ in verdicts(study)} == {"{{task | upper}}"}
    assert any(
        "metric {{task | upper}} is a template that variables alone do not fill in" in text
        for text in study.sources[0].warnings
    )


@pytest.mark.parametrize("human", ["gold/a", "gold/{{task}}"])
def test_human_metrics_go_by_either_name(
    read_results: ReadResults, make_results: MakeResults, human: str
) -> None:
    rows = of_tasks(judged("{{task}}"), judged("gold/{{task}}", score=1))
    study = read_results(make_results(rows), human=(human,))
    kinds = study.table["judge_kind"].to_pylist()
    labels = [pair for pair, kind in zip(verdicts(study), kinds, strict=True) if kind == "human"]
    both = [("a", human), ("a", human), ("b", human)]
    assert sorted(labels) == (both[:2] if human == "gold/a" else both)


def test_the_copy_speaks_of_criteria_by_name_and_reads_as_before(
    make_results: MakeResults, tmp_path: Path
) -> None:
    components = [judged("{{task|upper}}", f"j{n}") for n in range(3)]
    rows = [
        row | {"namedScores": {row["vars"]["task"].upper(): 0.5}} for row in of_tasks(*components)
    ]
    path = make_results(rows)
    copies = []
    for folder in ("one", "two"):
        report = analyze(read(path), Ask(n_boot=0))
        assert [part.criterion for part in report.criteria] == ["A", "B"]
        (done,) = write(report, out=tmp_path / folder)
        path = Path(str(done.target))
        copies.append(json.loads(path.read_text(encoding="utf-8"))["results"]["results"])
    ours = [{name for name in row["namedScores"] if is_ours(name)} for row in copies[0]]
    assert ours == [{f"panopt.{x}", f"panopt.{x}.trust"} for x in ("A", "B", "A")]
    assert copies[0] == copies[1]


def test_metrics_of_a_kept_run_all_stand_among_its_named_scores(
    shared: Path, read_results: ReadResults
) -> None:
    made = shared / "data" / "logs" / "promptfoo" / "made"
    study = read_results(made / "python_assertion_return_forms.json")
    names = set(study.table["score_name"].to_pylist())
    assert "m/hello" in names
    assert not any("{" in name for name in names)
    assert "m/hello" in study.criteria


CONFIG = """\
prompts: ["Answer {{question}}"]
providers: [echo]
defaultTest:
  assert:
    - {type: javascript, value: "0.1", metric: "{{task}}"}
    - {type: javascript, value: "0.2", metric: "m/{{ question }}"}
    - {type: python, value: "0.3", metric: "py-{{info.kind}}-{{ n }}-{{flag}}-{{part}}"}
    - {type: javascript, value: "0.4", metric: "up-{{ task | upper }}"}
    - {type: javascript, value: "0.5", metric: "obj {{info}}"}
    - {type: javascript, value: "0.6", metric: "miss-{{ nothing }}"}
    - {type: javascript, value: "0.7", metric: "broken {{ question"}
    - {type: javascript, value: "0.8", metric: "single {question}"}
    - type: assert-set
      metric: "set/{{task}}"
      assert:
        - {type: javascript, value: "0.9", metric: "in/{{task}}"}
tests:
  - vars: {task: safety, question: "a & b <c> 'd' x", info: {kind: k1}, n: 3, flag: true, part: 1.5}
  - vars: {task: help, question: "hello", info: {kind: k2}, n: 4.0, flag: false, part: 0.001}
"""


@pytest.mark.programs
def test_the_real_promptfoo_gives_metrics_the_same_names(
    promptfoo: Program, tmp_path: Path, read_results: ReadResults
) -> None:
    """Each metric has one assertion with a score of its own: name and score must go together."""
    (tmp_path / "promptfooconfig.yaml").write_text(CONFIG)
    args = ("--no-cache", "--no-table", "--no-write", "-o", "out.json")
    promptfoo.run("eval", *args, cwd=tmp_path)
    rows = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))["results"]["results"]
    study = read_results(tmp_path / "out.json")
    table = study.table.to_pylist()
    assert not any("template" in text for text in study.sources[0].warnings)
    assert len(rows) == 2
    for number, row in enumerate(rows):
        shown = {
            name: score for name, score in row["namedScores"].items() if not name.startswith("set/")
        }
        mine = {r["score_name"]: r["score"] for r in table if r["sample_id"] == str(number)}
        assert len(shown) == 9
        assert mine == pytest.approx(shown)
