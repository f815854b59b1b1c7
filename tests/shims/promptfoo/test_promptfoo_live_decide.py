"""A row decided while the run goes on is decided as the analysis of the whole file decides it."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import panopt
from panopt.errors import CertificateError
from panopt.records.certificate import Certificate
from panopt.shims.promptfoo.annotate import gather
from panopt.shims.promptfoo.live.decide import Decider
from panopt.stats.rule_names import RULES

LOGS = Path(__file__).parents[3] / "examples" / "logs"
MakeResults = Callable[..., Path]
Row = Mapping[str, Any]


def component(judge: str, score: float | None, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    """Give what promptfoo stores of one judge."""
    assertion = {
        "type": "llm-rubric",
        "metric": "quality",
        "value": "is it good?",
        "provider": {"id": "openai:gpt", "label": judge},
    }
    passed = score is not None and score >= 0.5
    return {"assertion": assertion, "score": score, "pass": passed, "reason": "r", **more}


def failing(judge: str) -> dict[str, Any]:
    return component(judge, 0, metadata={"graderError": True})


def abstaining(judge: str) -> dict[str, Any]:
    return component(judge, 0, metadata={"abstained": True})


def rows_of(path: Path) -> list[Row]:
    rows: list[Row] = json.loads(path.read_text(encoding="utf-8"))["results"]["results"]
    return rows


def labels_for(rows: int, right: list[int], folder: Path) -> Path:
    """Write human labels of made rows, whose items are numbered."""
    path = folder / "labels.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["item", "score"])
        writer.writerows((f"i{number}", right[number]) for number in range(rows))
    return path


def offline(path: Path, certificate: Certificate, **options: Any) -> list[tuple[Any, Any]]:  # noqa: ANN401
    """Give what the analysis would write into each row of a file."""
    ask = panopt.Ask(
        certificate=certificate,
        criterion=(certificate.scope.criterion,),
        threshold=certificate.scope.threshold,
        min_successful=certificate.scope.min_successful,
        n_boot=0,
        **options,
    )
    study = panopt.read(path)
    written = gather(panopt.analyze(study, ask), study.sources[0])
    return [(written.scores(i), written.metadata(i)) for i in range(len(rows_of(path)))]


def live(decider: Decider, rows: list[Row]) -> list[tuple[Any, Any]]:
    found: list[tuple[Any, Any]] = []
    for row in rows:
        decided = decider.decide(json.dumps(row).encode())
        if decided is None:
            found.append(({}, {}))
            continue
        scores = {name: x for name, x in decided.scores.items() if name != "panopt.confidence"}
        assert all(0 <= score <= 1 for score in decided.scores.values())
        found.append((scores, dict(decided.metadata)))
    return found


@pytest.fixture(scope="module")
def natural() -> Certificate:
    """Certificate of the example's panel."""
    study = panopt.read(LOGS / "llmbar.json", labels=LOGS / "labels" / "llmbar.csv")
    return panopt.certify(study, panopt.Ask(criterion=("natural",)))


def test_recorded_panel_is_decided_row_by_row_as_the_file_is(natural: Certificate) -> None:
    decider = Decider(natural)
    found = live(decider, rows_of(LOGS / "llmbar.json"))
    assert found == offline(LOGS / "llmbar.json", natural)
    assert decider.counts == {"trust": 52, "escalate": 48}
    assert "no drift is seen" in decider.summary()


@pytest.mark.parametrize("rule", [name for name in RULES if "plurality" not in name])
def test_every_rule_decides_as_offline_with_failed_and_abstaining_judges(
    rule: str, make_results: MakeResults, tmp_path: Path
) -> None:
    rng = np.random.default_rng(5)
    size, names = 160, ("a", "b", "c")
    right = rng.integers(0, 2, size).tolist()
    binary = rule in ("majority", "absolute_majority", "unanimous")
    made = []
    for number, truth in enumerate(right):
        draws = np.where(rng.random(3) < 0.95, truth, 1 - truth)
        scores = draws if binary else np.round(draws * 0.8 + rng.random(3) * 0.2, 2)
        judges = [component(name, x) for name, x in zip(names, scores.tolist(), strict=True)]
        for place, chance in enumerate(rng.random(3)):
            if chance < 0.06:
                judges[place] = failing(names[place])
            elif chance < 0.1:
                judges[place] = abstaining(names[place])
        if number == 7:
            judges = [failing(names[0]), abstaining(names[1]), failing(names[2])]
        if number == 8:
            judges = [failing(name) for name in names]
        made.append({"components": judges, "metadata": {"testCaseId": f"i{number}"}})
    path = make_results(made)
    study = panopt.read(path, labels=labels_for(size, right, tmp_path))
    ask = panopt.Ask(aggregate=rule, min_successful=2, alpha=0.25, threshold=0.5)
    certificate = panopt.certify(study, ask)
    decider = Decider(certificate)
    found = live(decider, rows_of(path))
    expected = offline(path, certificate)
    assert found == expected
    assert decider.counts["human"] >= 2
    assert decider.counts["trust"] > 40


def test_cascade_decides_as_offline_holes_and_all(
    make_results: MakeResults, tmp_path: Path
) -> None:
    rng = np.random.default_rng(6)
    size = 200
    right = rng.integers(0, 2, size).tolist()
    made: list[dict[str, Any]] = []
    for number, truth in enumerate(right):
        sure = rng.random(2)
        said = [truth if rng.random() < 0.6 + 0.4 * one else 1 - truth for one in sure]
        judges = [
            component(name, verdict, metadata={"confidence": round(float(one), 2)})
            for name, verdict, one in zip(("cheap", "strong"), said, sure, strict=True)
        ]
        if number % 10 == 9:
            judges[0] = failing("cheap")
        made.append({"components": judges, "metadata": {"testCaseId": f"i{number}"}})
    path = make_results(made)
    study = panopt.read(path, labels=labels_for(size, right, tmp_path))
    certificate = panopt.certify(study, panopt.Ask(cascade=("cheap", "strong"), alpha=0.3))
    for number, row in enumerate(made):
        if number % 3 == 0:
            row["components"] = row["components"][:1]  # the strong one was not asked
    holes = make_results(made, name="holes.json")
    decider = Decider(certificate)
    assert live(decider, rows_of(holes)) == offline(holes, certificate)
    assert decider.counts["trust"] > 20
    assert decider.counts["escalate"] + decider.counts["human"] > 0


def test_other_judges_are_refused_by_name_and_nothing_is_trusted(natural: Certificate) -> None:
    rows = rows_of(LOGS / "llmbar.json")
    row = next(row for row in rows if row["testCase"]["metadata"]["testCaseId"] == "natural-001")
    text = json.dumps(row)
    for other, told in (
        (text.replace('"ChatGPT"', '"Imposter"'), "judge 'Imposter' is not among the certified"),
        (text.replace("follows the instruction", "is longer"), "the prompt of judge 'ChatGPT' is"),
        (text.replace('"score": 1,', '"score": 3,'), "score 3 of judge 'ChatGPT' is off its scale"),
    ):
        decider = Decider(natural)
        found = decider.decide(other.encode())
        assert found is not None
        assert found.scores == {"panopt.trust": 0}
        assert found.metadata["panopt_decision"] == "human"
        assert "nothing is trusted" in str(found.metadata["panopt_why"])
        assert any(told in reason for reason in decider.refused)
        assert told in decider.summary()


def test_certified_judge_that_never_spoke_is_a_difference(natural: Certificate) -> None:
    rows = rows_of(LOGS / "llmbar.json")
    row = json.loads(json.dumps(rows[0]))
    parts = row["gradingResult"]["componentResults"]
    row["gradingResult"]["componentResults"] = parts[:4]
    row["testCase"]["assert"] = row["testCase"]["assert"][:4]
    decider = Decider(natural)
    found = decider.decide(json.dumps(row).encode())
    assert found is not None
    assert "certified judge 'PaLM2' gave no judgment" in str(found.metadata["panopt_why"])
    decider.decide(json.dumps(rows[0]).encode())  # it speaks now
    assert live(decider, [row])[0][1]["panopt_decision"] in ("trust", "escalate")


def test_certificate_of_another_version_is_refused_before_any_row(natural: Certificate) -> None:
    versions = dict(natural.versions) | {"panopt": "0.0.1"}
    other = natural.model_copy(update={"versions": versions})
    with pytest.raises(CertificateError, match=r"panopt is .*, it was 0\.0\.1"):
        Decider(other)
    pooled = natural.scope.model_copy(update={"aggregate": "gaussian"})
    with pytest.raises(CertificateError, match=r"gaussian .* which is no plain rule"):
        Decider(natural.model_copy(update={"scope": pooled}))


def test_unknown_prompts_are_refused_unless_vouched_for(natural: Certificate) -> None:
    blank = [judge.model_copy(update={"prompts": (None,)}) for judge in natural.scope.judges]
    scope = natural.scope.model_copy(update={"judges": tuple(blank)})
    certificate = natural.model_copy(update={"scope": scope})
    rows = rows_of(LOGS / "llmbar.json")[:3]
    assert {found[1]["panopt_decision"] for found in live(Decider(certificate), rows)} == {"human"}
    vouched = live(Decider(certificate, same_prompts=True), rows)
    assert vouched == live(Decider(natural), rows)


def test_drift_expires_the_certificate_when_the_run_ends(natural: Certificate) -> None:
    rows = [row for row in rows_of(LOGS / "llmbar.json") if "natural" in json.dumps(row["vars"])]
    split = []
    for number, row in enumerate(rows):
        changed = json.loads(json.dumps(row))
        changed["testCase"]["metadata"]["testCaseId"] = f"new-{number}"
        for place, part in enumerate(changed["gradingResult"]["componentResults"]):
            part["score"], part["pass"], part["metadata"] = place % 2, bool(place % 2), {}
        split.append(changed)
    decider = Decider(natural)
    live(decider, split)
    assert "EXPIRED" in decider.summary()
    assert "trust none of these decisions" in decider.summary()
