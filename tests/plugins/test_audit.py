"""The audit of judges as `panopt analyze` asks for it: made cases, and judges of real data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from panopt.findings import Finding, Findings
from panopt.plugins.audit import panopt_analyze, self_preference
from panopt.records.ask import Ask
from panopt.records.audit_words import MISSING
from panopt.records.source import Source
from panopt.records.study import Study

JUDGES = ("gpt-4o", "claude-3-opus", "gemini-1.5-pro", "mistral-large")
SYSTEMS = ("claude-3-haiku", "gpt-4", "grok-2", "llama-3-8b")


def study_of(scores: Any, **columns: Any) -> Study:  # noqa: ANN401 - (responses, judges)
    """Judge 4 systems on each item; `columns` have one entry a response."""
    n, judges = scores.shape
    held: dict[str, Any] = {
        "item": [f"i{i // 4:04d}" for i in range(n)],
        "system": [SYSTEMS[i % 4] for i in range(n)],
    } | columns
    rows = {name: np.tile(np.array(values), judges).tolist() for name, values in held.items()}
    flat = scores.T.ravel()
    kept = np.flatnonzero(~np.isnan(flat))
    rows = {name: [values[i] for i in kept.tolist()] for name, values in rows.items()}
    rows["judge"] = np.repeat(JUDGES[:judges], n)[kept].tolist()
    return Study.from_columns({"scale": "continuous:0:1"} | rows | {"score": flat[kept].tolist()})


def audited(study: Study, **ask: Any) -> Findings:  # noqa: ANN401 - options
    found = panopt_analyze(study, study.matrix("score"), Ask(**ask))
    assert found is not None
    return found


def one(found: Findings, name: str, subject: str) -> Finding:
    [row] = found.named(name, subject=subject)
    return row


def seen(rng: np.random.Generator, items: int = 60, judges: int = 4) -> Any:  # noqa: ANN401
    quality = rng.normal(0.5, 0.1, (4 * items, 1))
    return np.clip(quality + rng.normal(0, 0.06, (4 * items, judges)), 0.01, 0.99)


def test_fair_judges_are_told_of_in_no_sentence() -> None:
    rng = np.random.default_rng(0)
    found = audited(study_of(seen(rng), response_length=rng.integers(50, 500, 240)))
    assert found.notes == ()
    assert not [row for row in found if row.headline]
    tested = [row for row in found if row.details.get("p") is not None]
    assert {row.name for row in tested} == {
        "self_preference",
        "length_bias",
        "scale_ends",
        "scale_entropy",
    }
    assert len(tested) == 2 + 3 * 4
    for row in tested:
        p, adjusted = row.details["p"], row.details["p_adjusted"]
        assert isinstance(p, float)
        assert isinstance(adjusted, float)
        assert p <= adjusted


def test_self_preference_is_found_told_and_equal_to_the_plain_function() -> None:
    scores = seen(np.random.default_rng(1))
    own = np.arange(240) % 4 == 1
    scores[own, 0] += 0.12
    found = audited(study_of(scores))
    row = one(found, "self_preference", "gpt-4o")
    direct = self_preference(scores[:, 0], scores[:, 1:], own, clusters=np.arange(240) // 4)
    assert row.value == pytest.approx(direct.value)
    assert row.low == pytest.approx(direct.low)
    assert row.high == pytest.approx(direct.high)
    assert row.headline
    assert row.details["liked_as_much"] == 0
    [note] = found.notes
    assert note.startswith("score: judge gpt-4o gives answers of its own family (openai) 0.1")
    assert "more than other judges do, after taking out how it scores answers of other" in note
    assert note.endswith("; with 3 other systems it may be a liking of the one, not of its family")
    assert not one(found, "self_preference", "claude-3-opus").headline


def test_what_a_judge_gives_other_families_as_well_is_no_self_preference_to_tell_of() -> None:
    scores = seen(np.random.default_rng(11))
    scores[np.arange(240) % 4 < 2, 0] += 0.12
    found = audited(study_of(scores))
    row = one(found, "self_preference", "gpt-4o")
    assert row.low is not None
    assert row.low > 0
    assert row.details["liked_as_much"] in {0, 1}
    assert row.headline is (row.details["liked_as_much"] == 0)
    scores[np.arange(240) % 4 == 0, 0] += 0.06
    again = audited(study_of(scores))
    assert one(again, "self_preference", "gpt-4o").details["liked_as_much"] == 1
    assert again.notes == ()  # nor is the mirror image a dislike, of claude-3-opus for its own


def test_a_liking_of_long_answers_is_found_by_the_lengths_of_the_study() -> None:
    rng = np.random.default_rng(2)
    length = np.round(np.exp(rng.normal(6, 0.6, 240))).astype(int)
    scores = seen(rng)
    scores[:, 2] += 0.05 * (np.log2(length) - 8.6)
    found = audited(study_of(scores, response_length=length))
    row = one(found, "length_bias", "gemini-1.5-pro")
    assert row.value == pytest.approx(0.05, abs=0.02)
    assert row.unit == "score in [0, 1] per doubling of the length"
    assert "among responses of one item and one system" in row.method
    assert any("judge gemini-1.5-pro gives an answer twice as long" in note for note in found.notes)


def test_humans_judge_a_liking_where_they_labelled() -> None:
    rng = np.random.default_rng(3)
    scores = seen(rng)
    own = np.arange(240) % 4 == 1
    scores[own, 1:] -= 0.1  # the panel dislikes what the judge and humans see as it is
    judged = study_of(scores)
    human = Study.from_columns(
        {
            "item": [f"i{i // 4:04d}" for i in range(240)],
            "system": [SYSTEMS[i % 4] for i in range(240)],
            "judge": "human",
            "judge_kind": "human",
            "scale": "continuous:0:1",
            "score": np.clip(scores[:, 0] + rng.normal(0, 0.05, 240), 0, 1),
        }
    )
    found = audited(Study.concat([judged, human]))
    against_panel = one(found, "self_preference", "gpt-4o")
    assert against_panel.value == pytest.approx(0.1, abs=0.03)
    assert not against_panel.headline
    assert one(found, "self_preference_humans", "gpt-4o").value == pytest.approx(0, abs=0.03)
    assert not [note for note in found.notes if "judge gpt-4o" in note]


@pytest.mark.parametrize("judges", [2, 4])
def test_a_better_family_under_a_judge_of_another_scale_is_no_liking_to_tell_of(
    judges: int,
) -> None:
    """One other judge tells no scale; pass and fail tell none to a judge that passes the best."""
    rng = np.random.default_rng(5)
    own = np.arange(600) % 4 == 1
    quality = rng.normal(0.45 + 0.2 * own, 0.12)
    seen = quality[:, None] + rng.normal(0, 0.08, (600, judges))
    if judges == 2:
        seen[:, 0] = 0.45 + 1.6 * (seen[:, 0] - 0.45)
        scores, scale = np.clip(seen, 0, 1), "continuous:0:1"
    else:
        scores, scale = (seen > [0.7, 0.45, 0.45, 0.45]) * 1.0, "binary"
    found = audited(study_of(scores, scale=[scale] * 600))
    row = one(found, "self_preference", "gpt-4o")
    assert row.low is not None
    assert row.low > 0
    assert not row.headline
    assert "without any liking" in row.warnings[-1]
    assert not [note for note in found.notes if "own family" in note]


def test_judges_of_one_family_do_not_vouch_for_each_other() -> None:
    scores = seen(np.random.default_rng(4))
    scores[np.arange(240) % 4 == 1, :2] += 0.1
    families = (("claude-3-opus", "openai"),)
    found = audited(study_of(scores), families=families)
    row = one(found, "self_preference", "gpt-4o")
    assert row.value == pytest.approx(0.1, abs=0.03)
    assert "1 other judge likewise" in found.notes[0]


def test_a_judge_that_flips_on_repeats_is_told_and_copies_are_no_repeats() -> None:
    rng = np.random.default_rng(5)
    truth = rng.integers(0, 2, 80)
    rows: dict[str, list[Any]] = {"item": [], "judge": [], "score": [], "repeat": [], "cached": []}
    for judge, wrong in zip(JUDGES[:3], (0.3, 0.02, 0.02), strict=True):
        for repeat in range(4):
            votes = np.where(rng.random(80) < wrong, 1 - truth, truth)
            rows["item"] += [f"i{i:02d}" for i in range(80)]
            rows["judge"] += [judge] * 80
            rows["score"] += votes.astype(float).tolist()
            rows["repeat"] += [repeat] * 80
            rows["cached"] += [False] * 80
    found = audited(Study.from_columns({**rows, "scale": "binary"}))
    rate = one(found, "repeat_flips", "gpt-4o")
    assert rate.value == pytest.approx(2 * 0.3 * 0.7, abs=0.08)
    assert one(found, "repeat_flips_excess", "gpt-4o").headline
    assert "judge gpt-4o, asked the same again, changes between pass and fail" in found.notes[0]
    rows["cached"] = [True] * len(rows["item"])
    copies = audited(Study.from_columns({**rows, "scale": "binary"}))
    [missing] = copies.named("repeat_flips")
    assert missing.reason == MISSING["repeat_flips"]


def test_epochs_of_one_text_are_repeats_and_of_other_texts_are_not() -> None:
    rng = np.random.default_rng(6)
    scores = rng.integers(0, 2, (240, 2)).astype(float)
    item = [f"i{i // 2:04d}" for i in range(240)]
    epochs = {"item": item, "system": ["s"] * 240, "epoch": [1 + i % 2 for i in range(240)]}
    same = audited(study_of(scores, **epochs, response_hash=item))
    assert one(same, "repeat_flips", "gpt-4o").n == 120
    other = audited(study_of(scores, **epochs, response_hash=[f"h{i}" for i in range(240)]))
    assert other.named("repeat_flips")[0].value is None


def test_versions_of_a_judge_are_compared() -> None:
    rng = np.random.default_rng(7)
    scores = seen(rng, judges=2)
    scores[:, 1] += 0.05
    study = study_of(scores)
    names = {"gpt-4o": "gpt-4o-2024-05-13", "claude-3-opus": "gpt-4o-2024-08-06"}
    columns = study.table.to_pydict() | {
        "judge": [names[judge] for judge in study.table["judge"].to_pylist()]
    }
    found = audited(Study.from_columns(columns))
    row = one(found, "version_drift", "gpt-4o-2024-05-13 ~ gpt-4o-2024-08-06")
    assert row.value == pytest.approx(0.05, abs=0.02)
    assert row.subject_kind == "judge_pair"
    assert "the later scores the same answers 0.0" in found.notes[0]


def dated(scores: Any, texts: list[str], days: list[int]) -> Study:  # noqa: ANN401
    """A study whose responses are of one run a day."""
    n = len(scores)
    run = [f"r{i % len(days):02d}" for i in range(n)]
    study = study_of(scores, run=run, item=texts, system=["s"] * n, response_hash=texts)
    sources = tuple(
        Source(f"{i}.eval", "inspect", runs=(f"r{i:02d}",), begun=f"2026-03-{day:02d}T10:00:00Z")
        for i, day in enumerate(days)
    )
    return Study(study.table, sources)


def test_a_judge_that_moves_away_from_the_panel_is_found_by_the_dates_of_runs() -> None:
    scores = seen(np.random.default_rng(8), items=100)
    days = [1, 4, 9, 12, 17, 21, 25, 29]
    scores[:, 3] += 0.005 * np.array([days[i % 8] for i in range(400)])
    study = dated(scores, [f"i{i:03d}" for i in range(400)], days)
    found = audited(study)
    row = one(found, "time_drift", "mistral-large")
    assert row.value == pytest.approx(0.15, abs=0.05)
    assert row.details["n_clusters"] == 8
    assert any("judge mistral-large scores" in note for note in found.notes)
    undated = audited(Study(study.table))
    assert undated.named("time_drift")[0].reason == MISSING["time_drift"]


def test_a_judge_s_two_runs_over_the_same_texts_are_compared() -> None:
    scores = seen(np.random.default_rng(9))
    scores[1::2, 0] = scores[::2, 0] + 0.05
    study = dated(scores, [f"i{i // 2:03d}" for i in range(240)], [3, 20])
    row = one(audited(study), "version_drift", "gpt-4o, first and last run")
    assert row.value == pytest.approx(0.05)
    assert row.n == 120


def test_pairs_have_a_lean_and_a_liking_of_their_own() -> None:
    rng = np.random.default_rng(10)
    rows: dict[str, list[Any]] = {
        name: [] for name in ("item", "system", "judge", "score", "order")
    }
    for i in range(80):
        for judge, favour in zip(JUDGES[:3], (0.3, 0.0, 0.0), strict=True):
            for order in (0, 1):
                chance = 0.4 + favour + (0.15 if order == 0 else -0.15)
                rows["item"].append(f"i{i:02d}")
                rows["system"].append("gpt-4|llama-3-8b")
                rows["judge"].append(judge)
                rows["score"].append(float(rng.random() < chance))
                rows["order"].append(order)
    found = audited(Study.from_columns({**rows, "scale": "pairwise"}))
    liking = one(found, "self_preference_pairs", "gpt-4o")
    assert liking.value == pytest.approx(0.3, abs=0.12)
    assert liking.headline
    assert "lets answers of its own family (openai) win 0." in found.notes[0]
    leans = [row.value for row in found.named("position_lean")]
    assert len(leans) == 3
    assert leans == pytest.approx([0.15] * 3, abs=0.1)


def test_what_the_data_do_not_hold_has_a_reason() -> None:
    found = audited(study_of(np.full((40, 1), 0.5)))
    assert {row.name: row.reason for row in found} == MISSING
    assert all(row.value is None and not row.headline for row in found)


@pytest.mark.parametrize("n", [1, 4, 12])
def test_handfuls_of_responses_give_reasons_not_errors(n: int) -> None:
    rng = np.random.default_rng(n)
    study = study_of(rng.random((n, 4)), response_length=list(range(n)))
    found = audited(study)
    for row in found:
        assert row.value is not None or row.reason
    assert found.notes == ()


def test_constant_scores_and_silent_judges_give_reasons_not_errors() -> None:
    scores = np.full((80, 4), 0.5)
    scores[:, 3] = np.nan
    scores[0, 3] = 0.5
    found = audited(study_of(scores, response_length=[7] * 80))
    assert found.notes == ()
    assert one(found, "length_bias", "gpt-4o").reason == (
        "responses of one system are all about as long"
    )


def test_labels_without_an_order_have_no_audit() -> None:
    study = Study.from_columns(
        {"item": ["a", "b"], "judge": "j", "label": ["x", "y"], "scale": "nominal"}
    )
    assert panopt_analyze(study, study.matrix("score"), Ask()) is None


def test_crowds_are_left_out_in_words() -> None:
    rows = [(f"i{i}", f"w{j}") for i in range(10) for j in range(30)]
    study = Study.from_columns(
        {"item": [i for i, _ in rows], "judge": [j for _, j in rows], "score": [1.0] * 300}
    )
    found = audited(study)
    assert found.notes == ("score: habits of judges are left out, 30 judges",)


def real(folder: Path, name: str, item: str, scale: str, **where: str) -> Study:
    table = pq.read_table(folder / "data/sets" / name / "scores.parquet")
    rows = [
        row
        for row in table.to_pylist()
        if row["score"] is not None
        and not np.isnan(row["score"])
        and all(row["judge_kind"] == "human" or row[key] == value for key, value in where.items())
        and row.get("in_range") is not False
    ]
    kinds = {"llm": "llm", "human": "human", "metric": "program"}
    return Study.from_columns(
        {
            "item": [str(row[item]) for row in rows],
            "system": [str(row["response_id"]) for row in rows],
            "judge": [row["judge"] for row in rows],
            "judge_kind": [kinds[row["judge_kind"]] for row in rows],
            "score": [row["score"] for row in rows],
            "criterion": [row["task"] for row in rows],
            "order": [int(row.get("order") or 0) for row in rows],
            "repeat": [row["repeat"] for row in rows],
            "scale": scale,
        }
    )


def audit_of(study: Study, criterion: str, **ask: Any) -> Findings:  # noqa: ANN401 - options
    rows = study.where("criterion", criterion)
    found = panopt_analyze(rows, rows.matrix(criterion), Ask(**ask))
    assert found is not None
    return found


def test_triviaqa_gpt_4_favours_gpt_4_turbo_and_llama_3_8b_llamas(shared: Path) -> None:
    """GPT-4 passes answers of gpt-4-turbo more often than answers of others, by either anchor."""
    study = real(shared, "triviaqa_judges_dev", "question_id", "binary")
    found = audit_of(study, "triviaqa_v1")
    for name, value in (("self_preference", 0.039), ("self_preference_humans", 0.050)):
        row = one(found, name, "GPT-4")
        assert row.value == pytest.approx(value, abs=0.002)
        assert row.low is not None
        assert row.low > 0
        assert row.details["liked_as_much"] == 0
    # Its answers are right more often, too: beside judges alone that may be all there is to it.
    assert "without any liking" in one(found, "self_preference", "GPT-4").warnings[-1]
    assert not one(found, "self_preference_humans", "GPT-4").warnings
    assert one(found, "self_preference_humans", "Llama3-8B").headline
    # Most of what Llama judges give Llamas more than others do, humans give them too.
    large = one(found, "self_preference_humans", "Llama-70B")
    assert large.low is not None
    assert large.high is not None
    assert large.low < 0 < large.high


def test_hanna_one_judge_gives_most_stories_the_lowest_score(shared: Path) -> None:
    study = real(shared, "hanna", "story_prompt", "ordinal:1:5", prompt_variant="eval_prompt_1")
    found = audit_of(study, "coherence")
    row = one(found, "scale_ends", "ChatGPT")
    assert row.headline
    assert row.value == pytest.approx(0.61, abs=0.01)
    assert row.details["bottom"] == pytest.approx(0.74, abs=0.01)
    assert "gives 3% of its scores at the top and 74% at the bottom" in " ".join(found.notes)
    assert one(found, "scale_ends", "OrcaPlatypus").headline is False


def test_topicalchat_judges_contradict_themselves_in_a_sixth_of_pairs(shared: Path) -> None:
    study = real(shared, "topicalchat_geval20_dev", "dialog_id", "ordinal:1:3")
    kept = np.isin(study.numbers("score"), (1.0, 2.0, 3.0))
    found = audit_of(study.filter(kept), "naturalness")
    rates = [row.value for row in found.named("repeat_flips") if row.value is not None]
    assert len(rates) == 7
    assert 0.11 < min(rates) < max(rates) < 0.2


def test_llmbar_judges_lean_to_the_answer_shown_first(shared: Path) -> None:
    study = real(shared, "llmbar", "item_id", "pairwise", prompt_variant="Vanilla")
    found = audit_of(study, "Natural")
    falcon, gpt4 = (one(found, "position_lean", judge) for judge in ("Falcon", "GPT-4"))
    assert falcon.low is not None
    assert falcon.low > 0.15
    assert gpt4.value is not None
    assert gpt4.value < 0.1


def test_peers_favour_their_own_answers(shared: Path) -> None:
    study = real(shared, "prd_vicuna80", "question_id", "pairwise")
    own = {"gpt35": "openai", "gpt4": "openai"}
    found = audit_of(study, "vicuna80_pairwise", families=tuple(own.items()))
    row = one(found, "self_preference_pairs", "gpt4")
    assert row.value == pytest.approx(0.075, abs=0.005)
    assert "3 other judges likewise" in found.notes[0]
