"""Live use of a certificate: who may decide, who is refused, and which difference is named."""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import version
from typing import Any

import pytest

from panopt.errors import CertificateError
from panopt.records.certificate import Certificate
from panopt.records.live import LiveJudge, check_live, live_answer, refuse_unless_for
from panopt.stats.binomial import risk_upper


def stage(judge: str, threshold: float | None, source: str, **more: object) -> dict[str, Any]:
    decided = 22 if judge == "cheap" else 0
    seen = [{"confidence": 0.5, "count": 28}]
    if decided:
        seen.append({"confidence": 0.95, "count": decided})
    return {
        "judge": judge,
        "threshold": threshold,
        "source": source,
        "unit": not source.startswith("margin"),
        "draws": 1,
        "cost": 1.0,
        "n": decided,
        "errors": 0,
        "seen": seen,
        **more,
    }


def certificate(**changes: object) -> Certificate:
    prompts = (("cheap", ["c1", "c2"]), ("mid", [None]), ("strong", ["s1"]))
    return Certificate.model_validate(
        {
            "format": 2,
            "scope": {
                "criterion": "helpful",
                "scale": "binary",
                "judges": [
                    {"name": name, "kind": "llm", "scale": "binary", "prompts": hashes}
                    for name, hashes in prompts
                ],
                "aggregate": "cascade",
                "confidence": "deciding judge's own",
                "threshold": 0.5,
                "min_successful": 1,
            },
            "deciding": [
                stage("cheap", 0.9, "logprobs"),
                stage("mid", None, "verbalised"),
                stage("strong", 1.5, "margin", draws=2),
            ],
            "alpha": 0.1,
            "delta": 0.1,
            "n": 22,
            "errors": 0,
            "bound": float(risk_upper(0, 22, 0.1)),
            "level": 0.1,
            "coverage": 0.44,
            "expected_cost": 1.56,
            "n_labels": 50,
            "n_tied": 0,
            "n_undecided": 0,
            "n_responses": 50,
            "promised": "of the trusted verdicts",
            "method": "joint_path",
            "assumption": "labels are a random sample",
            "seed": 0,
            "data": "0" * 64,
            "date": None,
            "versions": {"panopt": version("panopt")},
            **changes,
        }
    )


CHEAP = LiveJudge("cheap", "c1", "logprobs")
MID = LiveJudge("mid", "m1", "verbalised")
STRONG = LiveJudge("strong", "s1", "margin", draws=2)


def check(*judges: LiveJudge, made: Certificate | None = None, **more: Any) -> None:  # noqa: ANN401
    options = {"criterion": "helpful", "scale": "binary", **more}
    check_live(certificate() if made is None else made, judges, **options)


def test_the_judges_that_were_certified_pass() -> None:
    check(CHEAP, STRONG, threshold=0.5)
    check(CHEAP, MID, STRONG, same_prompts=True)
    check(replace(CHEAP, prompt_hash="c2", scale="binary"), STRONG)


@pytest.mark.parametrize(
    ("judges", "more", "message"),
    [
        ([CHEAP, STRONG], {"criterion": "style"}, "the criterion is 'style', it was 'helpful'"),
        ([CHEAP, STRONG], {"scale": "ordinal:1:5"}, "the scale is 'ordinal:1:5', it was 'binary'"),
        ([CHEAP, STRONG], {"threshold": 0.6}, r"option threshold is 0\.6, it was 0\.5"),
        ([CHEAP], {}, "the certified judge 'strong' is missing"),
        ([], {}, "'cheap' is missing; the certified judge 'strong' is missing"),
        ([STRONG, CHEAP], {}, "in the order strong, cheap, it was cheap, mid, strong"),
        ([CHEAP, CHEAP, STRONG], {}, "in the order cheap, cheap, strong"),
        ([CHEAP, STRONG, LiveJudge("x", "p", "s")], {}, "judge 'x' is not among the certified"),
        (
            [replace(CHEAP, source="verbalised"), STRONG],
            {},
            "the confidence of 'cheap' is 'verbalised', it was 'logprobs'",
        ),
        (
            [CHEAP, replace(STRONG, draws=1)],
            {},
            "judge 'strong' is asked 1 times a response, it was 2",
        ),
        (
            [replace(CHEAP, prompt_hash="zz"), STRONG],
            {},
            "the prompt of judge 'cheap' is zz, certified was c1, c2",
        ),
        (
            [replace(CHEAP, prompt_hash="zz"), STRONG],
            {"same_prompts": True},
            "the prompt of judge 'cheap' is zz",
        ),
        ([replace(CHEAP, prompt_hash=None), STRONG], {}, "not known whether judge 'cheap' has"),
        ([CHEAP, MID, STRONG], {}, "not known whether judge 'mid' has the same prompt"),
        (
            [replace(CHEAP, scale="ordinal:1:5"), STRONG],
            {},
            "the scale of judge 'cheap' is ordinal:1:5, it was binary",
        ),
    ],
)
def test_every_difference_is_named_before_any_call(
    judges: list[LiveJudge], more: dict[str, Any], message: str
) -> None:
    with pytest.raises(CertificateError, match=message):
        check(*judges, **more)


def test_all_differences_are_told_at_once() -> None:
    with pytest.raises(CertificateError) as raised:
        check(replace(CHEAP, source="verbalised", prompt_hash="zz"), STRONG, criterion="style")
    for part in ("is not for these judges", "style", "verbalised", "zz"):
        assert part in str(raised.value)


def test_a_certificate_of_another_version_is_refused() -> None:
    with pytest.raises(CertificateError, match=r"panopt is .*, it was 0\.0\.0"):
        check(CHEAP, STRONG, made=certificate(versions={"panopt": "0.0.0"}))


def test_a_panel_s_certificate_is_for_no_judge_alone() -> None:
    content = certificate().model_dump(mode="json")
    del content["expected_cost"]
    panel = Certificate.model_validate(
        {
            **content,
            "format": 1,
            "deciding": [{"judge": "panel", "threshold": 0.9}],
            "seen": [
                {"votes": 3, "confidence": confidence, "count": count}
                for confidence, count in ((0.5, 28), (1.0, 22))
            ],
        }
    )
    with pytest.raises(CertificateError, match="is of a panel of judges together"):
        check(CHEAP, STRONG, made=panel)
    assert live_answer(panel, CHEAP, 0.99).action == "refused"


def test_the_walk_of_a_response() -> None:
    made = certificate()
    sure = live_answer(made, CHEAP, 0.9)
    assert (sure.action, sure.next_judge) == ("decides", None)
    assert sure.reason == "'cheap' decides: confidence 0.900 (logprobs) reaches 0.9"
    unsure = live_answer(made, CHEAP, 0.89)
    assert (unsure.action, unsure.next_judge) == ("escalate", "strong")  # mid never decides
    assert unsure.reason == "'cheap': confidence 0.890 (logprobs) is below 0.9; ask 'strong'"
    last = live_answer(made, STRONG, -3.0)
    assert (last.action, last.next_judge) == ("escalate", None)
    assert last.reason.endswith("no judge is left: ask a human")
    assert live_answer(made, MID, 1.0, same_prompts=True).reason == (
        "'mid' never decides; ask 'strong'"
    )


@pytest.mark.parametrize("confidence", [None, float("nan")])
def test_no_confidence_escalates(confidence: float | None) -> None:
    answer = live_answer(certificate(), CHEAP, confidence)
    assert (answer.action, answer.next_judge) == ("escalate", "strong")
    assert answer.reason == "'cheap' has no confidence; ask 'strong'"


@pytest.mark.parametrize(
    ("judge", "confidence", "message"),
    [
        (replace(CHEAP, source="verbalised"), 0.99, "is 'verbalised', it was 'logprobs'"),
        (replace(CHEAP, prompt_hash="zz"), 0.99, "is zz, certified was"),
        (LiveJudge("gpt", "c1", "logprobs"), 0.99, "has no judge 'gpt'"),
        (CHEAP, 7.0, "must be in [0, 1]"),
        (STRONG, float("inf"), "must be a finite number"),
    ],
)
def test_another_judge_is_refused_without_an_exception(
    judge: LiveJudge, confidence: float, message: str
) -> None:
    answer = live_answer(certificate(), judge, confidence)
    assert answer.action == "refused"
    assert message in answer.reason


def test_refusal_gives_the_stage_of_the_right_judge() -> None:
    assert refuse_unless_for(certificate(), CHEAP).threshold == 0.9
    with pytest.raises(CertificateError, match="is zz, certified was c1, c2"):
        refuse_unless_for(certificate(), replace(CHEAP, prompt_hash="zz"))
