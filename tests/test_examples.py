"""The example logs hold the recorded verdicts, and nothing of the machine that made them."""

from __future__ import annotations

import csv
import io
import json
import math
import re
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import zstandard
from pyarrow import parquet

import panopt

EXAMPLES = Path(__file__).parents[1] / "examples"
LOGS = EXAMPLES / "logs"
TEST_LOGS = Path(__file__).parent / "logs" / "inspect"
JUDGES = ["Beluga-13B", "ChatGPT", "Llama-13B", "Mistral-7B", "OrcaPlatypus"]
PAIR_JUDGES = ["ChatGPT", "Falcon", "GPT-4", "LLaMA2", "PaLM2"]
MACHINE = re.compile(rb'"[^"]*(?:/home/|/root/|/Users/|/tmp/|/opt/)[^"]*"')
ZSTD = 93


def rows_of(table: str) -> list[dict[str, str]]:
    text = (EXAMPLES / "make_logs" / f"{table}.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(io.StringIO(text)))


def labels_of(name: str) -> list[dict[str, str]]:
    text = (LOGS / "labels" / f"{name}.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(io.StringIO(text)))


def stories() -> dict[tuple[str, str], dict[str, str]]:
    return {(row["system"], row["story_prompt"]): row for row in rows_of("hanna")}


def pairs() -> dict[str, dict[str, str]]:
    return {row["item"]: row for row in rows_of("llmbar")}


def members(path: Path) -> Iterator[tuple[str, bytes]]:
    """Give the files inside a log, without Inspect: stored bytes, then zstd."""
    raw = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            start = info.header_offset
            name_length = int.from_bytes(raw[start + 26 : start + 28], "little")
            extra_length = int.from_bytes(raw[start + 28 : start + 30], "little")
            start += 30 + name_length + extra_length
            assert info.compress_type == ZSTD
            packed = raw[start : start + info.compress_size]
            reader = zstandard.ZstdDecompressor().stream_reader(packed, read_across_frames=True)
            yield info.filename, reader.read()


@pytest.mark.parametrize("system", ["Human", "GPT-2", "CTRL"])
def test_inspect_log_holds_the_recorded_ratings(system: str) -> None:
    recorded = stories()
    samples = [
        json.loads(content)
        for name, content in members(LOGS / f"hanna-complexity-{system}.eval")
        if name.startswith("samples/")
    ]
    assert len(samples) == 96
    for sample in samples:
        for index, judge in enumerate(JUDGES):
            score = sample["scores"][f"complexity{index or ''}"]
            rating = recorded[system, sample["id"]][judge]
            if rating:
                assert score["value"] == float(rating)
                assert score["metadata"]["judge"] == f"replay/{judge}"
            else:
                assert score["reason"] == "grader_failed"


def test_promptfoo_file_holds_the_recorded_verdicts() -> None:
    recorded = pairs()
    document = json.loads((LOGS / "llmbar.json").read_text(encoding="utf-8"))
    rows = document["results"]["results"]
    assert sorted(row["testCase"]["metadata"]["testCaseId"] for row in rows) == sorted(recorded)
    for row in rows:
        assert row["provider"]["label"] == "pair"
        source = recorded[row["testCase"]["metadata"]["testCaseId"]]
        components = row["gradingResult"]["componentResults"]
        assert [c["assertion"]["provider"]["label"] for c in components] == PAIR_JUDGES
        assert {c["assertion"]["metric"] for c in components} == {source["task"]}
        for component, judge in zip(components, PAIR_JUDGES, strict=True):
            if source[judge]:
                assert component["score"] == int(source[judge])
                assert component["pass"] == bool(component["score"])
                assert "graderError" not in component["metadata"]
            else:
                assert component["metadata"]["graderError"] is True


def test_pairs_are_all_of_natural_and_some_of_neighbor_as_the_source_has_them(
    shared: Path,
) -> None:
    data = parquet.read_table(shared / "data" / "sets" / "llmbar" / "scores.parquet").to_pylist()
    known = {
        (row["item_id"], row["judge"]): row
        for row in data
        if row["prompt_variant"] == "Metrics" and row["order"] == 0
    }
    recorded = pairs()
    assert Counter(row["task"] for row in recorded.values()) == {"natural": 100, "neighbor": 60}
    for item, row in recorded.items():
        task, number = item.split("-")
        assert task == row["task"]
        for judge in PAIR_JUDGES:
            source = known[f"llmbar-{task.title()}-{number}", judge]
            missing = source["score"] is None or math.isnan(source["score"])
            assert row[judge] == ("" if missing else str(int(source["score"])))
            assert int(row["gold"]) == source["label"]


def test_labels_of_stories_are_human_means_one_an_item() -> None:
    recorded = stories()
    labels = labels_of("hanna-complexity")
    assert sorted(row["item"] for row in labels) == sorted({item for _, item in recorded})
    assert {row["system"] for row in labels} == {"replay/Human", "replay/GPT-2", "replay/CTRL"}
    for row in labels:
        human = recorded[row["system"].removeprefix("replay/"), row["item"]]["human"]
        assert float(row["label"]) == float(human)


def test_labels_of_pairs_are_the_gold_of_a_part() -> None:
    recorded = pairs()
    labels = labels_of("llmbar")
    assert len({row["item"] for row in labels}) == len(labels)
    assert Counter(row["criterion"] for row in labels) == {"natural": 75, "neighbor": 45}
    for row in labels:
        assert row["criterion"] == recorded[row["item"]]["task"]
        assert row["label"] == recorded[row["item"]]["gold"]


def test_a_guarantee_is_given_on_natural_pairs_and_refused_on_neighbor() -> None:
    study = panopt.read(LOGS / "llmbar.json", labels=LOGS / "labels" / "llmbar.csv")
    report = panopt.analyze(study, panopt.Ask(n_boot=100))
    decided = {part.criterion: part.decisions for part in report.criteria}
    natural, neighbor = decided["natural"], decided["neighbor"]
    assert natural is not None
    assert neighbor is not None
    one_mind = sum(
        len({row[judge] for judge in PAIR_JUDGES} - {""}) == 1
        for row in pairs().values()
        if row["task"] == "natural"
    )
    assert natural.counts() == {"trust": 52, "escalate": 48, "ambiguous": 0, "human": 0}
    assert one_mind == 52
    assert natural.guarantee is not None
    assert "0 of 38" in natural.guarantee
    assert neighbor.counts()["trust"] == 0
    assert neighbor.guarantee is None


@pytest.mark.parametrize(
    "path",
    [*sorted(LOGS.glob("*.eval")), *sorted(LOGS.glob("*.json")), *sorted(TEST_LOGS.glob("*.eval"))],
    ids=lambda path: path.name,
)
def test_no_folder_of_a_machine_stands_in_a_log(path: Path) -> None:
    contents = [path.read_bytes()] if path.suffix == ".json" else [c for _, c in members(path)]
    assert contents
    for content in contents:
        assert MACHINE.findall(content) == []
