"""The scoring function turns the judges that promptfoo ran into one truthful panel verdict."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from panopt.errors import AskError
from panopt.plugins.panel import combine
from panopt.shims.promptfoo.live.options import read_options
from panopt.shims.promptfoo.live.scoring import panel


def judge(name: str, score: object, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    """Give the result of one model-graded assertion."""
    assertion = {
        "type": "llm-rubric",
        "value": "is it good?",
        "metric": "quality",
        "provider": name,
        **more.pop("assertion", {}),
    }
    passed = isinstance(score, int | float) and score >= 0.5
    return {"assertion": assertion, "score": score, "pass": passed, "reason": name} | more


def failed(name: str, reason: str = "API call error: 503") -> dict[str, Any]:
    return judge(name, 0, reason=reason, metadata={"graderError": True})


def score(*components: object, threshold: float | None = None, **options: Any) -> dict[str, Any]:  # noqa: ANN401
    context = {"componentResults": list(components), "threshold": threshold}
    found = panel({}, context, **options)
    text = json.dumps(found, allow_nan=False)
    assert set(found) == {"pass", "score", "reason", "namedScores", "metadata"}
    assert isinstance(found["reason"], str)
    assert len(text) < 3000
    return found


def three(one: float, two: float, last: float) -> list[dict[str, Any]]:
    return [judge("a", one), judge("b", two), judge("c", last)]


@pytest.mark.parametrize(
    ("rule", "value"), [("mean", 0.7333), ("median", 0.8), ("min", 0.6), ("majority", 1.0)]
)
def test_V_4_rules_on_the_reference_votes(rule: str, value: float) -> None:
    found = score(*three(0.8, 0.6, 0.8), rule=rule, threshold=0.6)
    assert found["score"] == pytest.approx(value, abs=1e-4)
    assert found["pass"] is True


def test_V_4_majority_tie_falls_back_to_the_mean() -> None:
    found = score(judge("a", 0.9), judge("b", 0.3), rule="majority", threshold=0.5)
    assert found["score"] == pytest.approx(0.6)
    assert found["metadata"]["panel"]["outcome"] == "tie"


def test_V_5_threshold_is_inclusive_and_the_tests_own_counts() -> None:
    assert score(*three(0.6, 0.6, 0.6), threshold=0.6)["pass"] is True
    assert score(*three(0.6, 0.6, 0.59), threshold=0.6)["pass"] is False
    assert panel({}, {"componentResults": three(0.6, 0.6, 0.6), "threshold": 0.7})["pass"] is False


def test_V_6_failed_judges_leave_first_and_all_failed_fails() -> None:
    found = score(judge("a", 1), judge("b", 1), failed("c"))
    assert (found["pass"], found["score"]) == (True, 1.0)
    broken = score(failed("a"), failed("b"))
    assert (broken["pass"], broken["score"]) == (False, 0.0)
    assert broken["metadata"]["panel"]["outcome"] == "all_failed"
    assert "API call error: 503" in broken["reason"]


def test_V_7_failed_judges_are_listed_only_where_there_is_one() -> None:
    assert "failed_judges" not in score(*three(1, 1, 1))["metadata"]["panel"]
    found = score(judge("a", 1), judge("b", 1), failed("c"))["metadata"]["panel"]
    assert found["failed_judges"] == ["c"]
    assert found["votes"][2] == {
        "judge": "c",
        "status": "failed",
        "value": None,
        "error": "API call error: 503",
    }


def test_V_8_one_line_tells_who_said_what() -> None:
    reason = score(*three(0.8, 0.6, 0.8), threshold=0.6)["reason"]
    assert reason.startswith("PASS: mean of 3 of 3 judges (a=0.80, b=0.60, c=0.80) is 0.73")


def test_V_10_disagreement_is_the_range_and_sd_stands_beside_it() -> None:
    found = score(*three(0.8, 0.6, 0.8))["metadata"]["panel"]
    assert found["disagreement"] == pytest.approx(0.2)
    assert found["sd"] == pytest.approx(math.sqrt(0.08 / 9))


def test_J_vector_true_true_false_by_flags() -> None:
    found = score(*three(1, 1, 0), kind="boolean")
    shown = found["metadata"]["panel"]
    assert found["pass"] is True
    assert shown["agreement"] == pytest.approx(2 / 3)
    assert shown["sd"] == pytest.approx(math.sqrt(2 / 9))
    tie = score(judge("a", 1), judge("b", 0), kind="boolean", rule="plurality")
    assert tie["metadata"]["panel"]["outcome"] == "tie"
    assert tie["pass"] is False


def test_J_10_missed_quorum_fails_the_row_and_says_so() -> None:
    found = score(judge("a", 1), failed("b"), failed("c"), min_successful=2)
    assert found["pass"] is False
    assert found["metadata"]["panel"]["outcome"] == "quorum_not_met"
    assert "QUORUM NOT MET" in found["reason"]


def test_J_one_vote_off_the_range_is_one_failed_vote_before_aggregation() -> None:
    found = score(*three(0.1, 0.1, 85))
    assert found["pass"] is False
    assert found["score"] == pytest.approx(0.1)
    assert "score 85 is off 0 to 1" in found["reason"]


def test_J_one_survivor_of_five_is_flagged_as_degraded() -> None:
    found = score(judge("a", 1), *[failed(name) for name in "bcde"])
    assert found["metadata"]["panel"]["degraded"] is True
    assert "fewer than half" in found["reason"]


def test_declared_scales_bring_a_likert_five_to_one() -> None:
    scales = {"c": "ordinal:1:5"}
    found = score(judge("a", 1), judge("b", 0.5), judge("c", 4), scales=scales)
    assert [vote["value"] for vote in found["metadata"]["panel"]["votes"]] == [1, 0.5, 0.75]
    off = score(judge("a", 1), judge("c", 7), scales={"*": "binary", "c": "ordinal:1:5"})
    assert "score 7 is off the scale ordinal:1:5" in off["reason"]


def test_weights_of_assertions_and_of_options_count() -> None:
    parts = [judge("a", 1, assertion={"weight": 3}), judge("b", 0), judge("c", 0)]
    assert score(*parts)["score"] == pytest.approx(0.6)
    assert score(*parts, weights={"a": 1})["score"] == pytest.approx(1 / 3)
    assert "weights name 'z'" in score(*parts, weights={"z": 1})["reason"]
    informational = score(judge("a", 1, assertion={"weight": 0}), judge("b", 0))
    assert (informational["score"], informational["metadata"]["panel"]["n_asked"]) == (0.0, 1)


def test_copies_from_inside_an_assert_set_count_once() -> None:
    inner = three(1, 0, 0)
    whole = {"pass": False, "score": 1 / 3, "reason": "set", "componentResults": inner}
    whole["metadata"] = {"assertionSet": {"metric": "quality"}}
    found = score(whole, *inner, rule="majority")
    assert found["metadata"]["panel"]["n_asked"] == 3
    assert found["pass"] is False


def test_draws_of_one_judge_are_one_vote() -> None:
    found = score(judge("a", 1), judge("a", 1), judge("a", 1), judge("b", 0), judge("c", 0))
    assert found["score"] == pytest.approx(1 / 3)
    assert found["metadata"]["panel"]["votes"][0]["draws"] == 3


def test_checks_by_programs_gate_and_are_no_votes() -> None:
    check = {"assertion": {"type": "contains", "value": "x"}, "pass": False, "score": 0}
    found = score(*three(1, 1, 1), check)
    assert (found["pass"], found["score"]) == (False, 1.0)
    assert found["reason"].startswith("failed checks: contains")
    assert score(check)["pass"] is False
    assert score(check | {"pass": True, "score": 1})["pass"] is True


def test_several_criteria_must_each_pass() -> None:
    other = [judge(name, 0, assertion={"metric": "tone", "value": "kind?"}) for name in "abc"]
    found = score(*three(1, 1, 1), *other)
    assert (found["pass"], found["score"]) == (False, 0.5)
    assert set(found["metadata"]["panel"]["criteria"]) == {"quality", "tone"}
    assert score(*three(1, 1, 1), *other, criterion="quality")["pass"] is True
    assert "is none of" in score(*three(1, 1, 1), criterion="nope")["reason"]


def test_a_judge_that_abstains_is_no_zero() -> None:
    silent = judge("c", 0, metadata={"abstained": True})
    found = score(judge("a", 1), judge("b", 1), silent)
    assert found["score"] == 1.0
    assert found["metadata"]["panel"]["n_abstained"] == 1


@pytest.mark.parametrize(
    "components", [None, 3, "x", [], [None], [3], [{}], [{"score": "NaN"}], [[]], {"a": 1}]
)
def test_what_is_no_panel_fails_with_a_reason(components: object) -> None:
    found = panel({"a": math.nan, "b": 1}, {"componentResults": components})
    json.dumps(found, allow_nan=False)
    assert found["pass"] is False
    assert found["namedScores"] == {"b": 1}
    assert found["reason"]


@given(
    scores=st.lists(
        st.one_of(st.floats(0, 1), st.sampled_from([math.nan, math.inf, 85.0, None, "x", True])),
        min_size=1,
        max_size=6,
    ),
    rule=st.sampled_from(["mean", "median", "min", "max", "majority", "unanimous"]),
    least=st.integers(1, 3),
)
def test_any_scores_rule_as_the_offline_panel_does(
    scores: list[object], rule: str, least: int
) -> None:
    parts = [judge(f"j{place}", given_score) for place, given_score in enumerate(scores)]
    found = score(*parts, rule=rule, min_successful=least)
    numbers = [float(x) if isinstance(x, int | float) and 0 <= x <= 1 else math.nan for x in scores]
    passed = [part["pass"] for part in parts]
    for place, given_score in enumerate(scores):
        if given_score == "x":  # NaN and infinity are null in JSON, which fails; of text, the flag
            numbers[place] = float(passed[place])
    status = ["failed" if math.isnan(x) else "ok" for x in numbers]
    one = combine(
        [numbers + [math.nan] * 3],
        rule=rule,
        threshold=0.5,
        min_successful=least,
        status=[status + [""] * 3],
    )
    assert found["metadata"]["panel"]["outcome"] == one.outcome[0]
    assert one.passed is not None
    assert found["pass"] == bool(one.passed[0])
    if not math.isnan(one.value[0]):
        assert found["score"] == pytest.approx(one.value[0])


def test_options_come_from_environment_file_and_call(tmp_path: Path) -> None:
    file = tmp_path / "panel.yaml"
    file.write_text("rule: median\nmin_successful: 2\nscales: {a: 'ordinal:1:5'}\ncertificate: c\n")
    environ = {"PANOPT_PANEL": str(file), "PANOPT_RULE": "min", "PANOPT_THRESHOLD": "0.7"}
    found = read_options({"min_successful": 3}, environ)
    assert (found.rule, found.threshold, found.min_successful) == ("median", 0.7, 3)
    assert found.scales == {"a": "ordinal:1:5"}
    assert found.certificate == str(tmp_path / "c")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"rulez": "mean"}, "option 'rulez' of the call is unknown; known: certificate, criterion"),
        ({"rule": "best"}, "rule = 'best' must be one of mean, median"),
        ({"threshold": 2}, r"threshold = 2.0 must lie on \[0, 1\]"),
        ({"threshold": "high"}, "threshold = 'high' must be a number"),
        ({"min_successful": 0}, "min_successful = 0 must be 1 or more"),
        ({"min_successful": 1.5}, "min_successful = 1.5 must be a whole number"),
        ({"weights": {"a": -1}}, "weight -1.0 of 'a' must be a finite number"),
        ({"weights": 3}, "weights = 3 must be a mapping of judges"),
        ({"kind": "pairwise"}, "kind = 'pairwise' must be one of numeric, boolean"),
        ({"same_prompts": "maybe"}, "same_prompts = 'maybe' must be true or false"),
        ({"scorers": "none"}, "scorers = 'none' must be auto"),
    ],
)
def test_wrong_options_are_named(options: dict[str, object], told: str) -> None:
    with pytest.raises(AskError, match=told):
        read_options(options, {})
    assert panel({}, {"componentResults": three(1, 1, 1)}, **options)["pass"] is False


@pytest.mark.parametrize(
    ("text", "told"), [("[1]", "options are a mapping"), ("a: [", "PANOPT_PANEL = ")]
)
def test_broken_option_files_are_named(text: str, told: str, tmp_path: Path) -> None:
    file = tmp_path / "panel.yaml"
    file.write_text(text)
    with pytest.raises(AskError, match=told):
        read_options({}, {"PANOPT_PANEL": str(file)})
    with pytest.raises(AskError, match="cannot be read"):
        read_options({}, {"PANOPT_PANEL": str(tmp_path / "none.yaml")})


def test_scoring_loads_nothing_heavy() -> None:
    code = (
        "import sys, panopt.shims.promptfoo.live.scoring as scoring\n"
        "scoring.panel({}, {'componentResults': []})\n"
        "print([m for m in ('numpy', 'scipy', 'pyarrow', 'pydantic', 'yaml') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_paths_are_printed() -> None:
    module = "panopt.shims.promptfoo.live"
    done = subprocess.run(
        [sys.executable, "-m", module, "hook.mjs", "scoring.py"],
        capture_output=True,
        text=True,
        check=True,
    )
    paths = [Path(line) for line in done.stdout.splitlines()]
    assert [path.name for path in paths] == ["hook.mjs", "scoring.py"]
    assert all(path.is_absolute() and path.is_file() for path in paths)
    wrong = subprocess.run(
        [sys.executable, "-m", module, "x"], capture_output=True, text=True, check=False
    )
    assert (wrong.returncode, "'x' is none of hook.mjs" in wrong.stderr) == (2, True)
