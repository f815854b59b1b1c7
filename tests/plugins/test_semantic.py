"""Semantic entropy through the hook: who hears of it, of which texts, and who does not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from panopt.findings import Findings
from panopt.plugins import semantic
from panopt.plugins.semantic import panopt_analyze
from panopt.records.ask import Ask
from panopt.records.study import Study
from panopt.stats import semantic as ground


def analyzed(columns: dict[str, Any], *, level: float = 0.95) -> Findings | None:
    study = Study.from_columns(columns)
    return panopt_analyze(study, study.matrix("score"), Ask(level=level), np.random.default_rng(0))


def repeated(n: int = 40, repeats: int = 5, *, seed: int = 0) -> dict[str, Any]:
    """One judge, `repeats` rationales a response, of one to three sayings each."""
    rng = np.random.default_rng(seed)
    sayings = rng.integers(1, 4, n)
    said = [f"Reason {rng.integers(0, k)} of {i}." for i, k in enumerate(sayings) for _ in "12345"]
    return {
        "item": [f"i{i:03d}" for i in range(n) for _ in range(repeats)],
        "judge": "j",
        "repeat": [r for _ in range(n) for r in range(repeats)],
        "score": rng.integers(0, 2, n * repeats).astype(float).tolist(),
        "scale": "binary",
        "rationale": said,
    }


def test_functions_are_the_ground_floor_s() -> None:
    assert semantic.semantic_entropy is ground.semantic_entropy
    assert semantic.lexical_similarity is ground.lexical_similarity


def test_P_4_hook_gives_each_response_the_entropy_of_its_rationales() -> None:
    columns = repeated()
    found = analyzed(columns, level=0.9)
    assert found is not None
    wanted = ground.semantic_entropy(columns["item"], columns["rationale"]).entropy
    np.testing.assert_allclose(found.columns["semantic_entropy"], wanted)
    row = found.named("semantic_entropy")[0]
    assert row.value == pytest.approx(wanted.mean())
    assert row.low is not None
    assert row.high is not None
    assert 0 <= row.low < wanted.mean() < row.high <= np.log(5)
    assert (row.level, row.n, row.headline) == (0.9, 40, False)
    alike = found.named("lexical_similarity")[0]
    words = ground.lexical_similarity(columns["item"], columns["rationale"])
    assert alike.value == pytest.approx(words.mean())
    assert found.notes == ()


def test_hook_takes_the_mean_over_judges_and_clusters_by_item() -> None:
    one, two = repeated(seed=1), repeated(seed=2)
    n = len(one["item"])
    both = {key: [*one[key], *two[key]] for key in ("item", "repeat", "score", "rationale")}
    found = analyzed(both | {"judge": ["j"] * n + ["k"] * n, "scale": "binary"})
    assert found is not None
    each = [ground.semantic_entropy(x["item"], x["rationale"]).entropy for x in (one, two)]
    np.testing.assert_allclose(found.columns["semantic_entropy"], np.mean(each, axis=0))


def test_hook_takes_labels_of_nominal_criteria() -> None:
    columns = repeated(n=3)
    del columns["score"], columns["rationale"]
    columns |= {"scale": "nominal", "label": ["red"] * 5 + ["red", "blue"] * 5}
    found = analyzed(columns)
    assert found is not None
    halves = ground.semantic_entropy([0] * 5, list("rbrbr")).entropy[0]
    np.testing.assert_allclose(found.columns["semantic_entropy"], [0, halves, halves])
    assert not found.named("lexical_similarity")


def test_hook_says_why_where_no_two_rationales_are_the_same_words() -> None:
    columns = repeated()
    columns["rationale"] = [f"{text} {k}" for k, text in enumerate(columns["rationale"])]
    found = analyzed(columns)
    assert found is not None
    row = found.named("semantic_entropy")[0]
    assert row.value is None
    assert row.reason is not None
    assert "only an entailment test could tell" in row.reason
    assert found.columns == {}
    assert found.named("lexical_similarity")[0].value is not None


@pytest.mark.parametrize(("equal", "reason"), [(4, "in 36 of 40 cases no two"), (5, None)])
def test_hook_gives_no_entropy_of_wordings(equal: int, reason: str | None) -> None:
    """Of 40 responses `equal` have two rationales in the same words; log 5 is that of the rest."""
    columns = repeated()
    texts = [f"reason {k}" for k in range(200)]
    for response in range(equal):
        texts[5 * response + 1] = texts[5 * response]
    columns["rationale"] = texts
    found = analyzed(columns)
    assert found is not None
    row = found.named("semantic_entropy")[0]
    if reason is None:
        assert row.value is not None
        assert np.count_nonzero(found.columns["semantic_entropy"] < np.log(5)) == equal
    else:
        assert row.value is None
        assert row.reason is not None
        assert row.reason.startswith(reason)
        assert found.columns == {}


@pytest.mark.parametrize("what", ["one draw", "no rationales", "cached copies", "pairs", "failed"])
def test_hook_is_silent_without_repeats(what: str) -> None:
    columns = repeated()
    n = len(columns["item"])
    if what == "one draw":
        columns["item"] = [f"i{k}" for k in range(n)]
    elif what == "no rationales":
        del columns["rationale"]
    elif what == "cached copies":
        columns["cached"] = [repeat > 0 for repeat in columns["repeat"]]
    elif what == "pairs":
        columns |= {"scale": "pairwise", "system": "a|b"}
    else:
        columns["status"] = ["ok" if repeat == 0 else "failed" for repeat in columns["repeat"]]
    assert analyzed(columns) is None


def test_hook_samples_where_texts_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(semantic, "_MOST_TEXTS", 100)
    found = analyzed(repeated())
    assert found is not None
    row = found.named("semantic_entropy")[0]
    assert row.n == 20
    assert "of a random sample of 20 responses" in row.method
    assert np.count_nonzero(~np.isnan(found.columns["semantic_entropy"])) == 20


def test_hook_survives_one_response_empty_and_hostile_rationales() -> None:
    columns = repeated(n=1)
    columns["rationale"] = ["[red]\x1b[31m", "", "{x}", None, "[red]\x1b[31m"]
    found = analyzed(columns)
    assert found is not None
    row = found.named("semantic_entropy")[0]
    assert row.value == pytest.approx(
        ground.semantic_entropy([0] * 4, ["a", "b", "c", "a"]).entropy[0]
    )
    assert row.no_interval == "one cluster gives no standard error: two are needed"


def test_mean_entropy_s_interval_covers() -> None:
    """Each response's repeats say one of k things; the truth is the mean over many responses."""

    def run(n: int, seed: int) -> Findings:
        found = analyzed(repeated(n, seed=seed), level=0.9)
        assert found is not None
        return found

    truth = run(4000, 99).named("semantic_entropy")[0].value
    assert truth is not None
    hits, runs = 0, 120
    for seed in range(runs):
        row = run(40, seed).named("semantic_entropy")[0]
        assert row.low is not None
        assert row.high is not None
        hits += row.low <= truth <= row.high
    assert hits / runs > 0.9 - 3 * np.sqrt(0.09 / runs)
