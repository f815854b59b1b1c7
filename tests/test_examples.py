"""The example logs hold the recorded verdicts, and nothing of the machine that made them."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import zstandard

EXAMPLES = Path(__file__).parents[1] / "examples"
LOGS = EXAMPLES / "logs"
TEST_LOGS = Path(__file__).parent / "logs" / "inspect"
JUDGES = ["Beluga-13B", "ChatGPT", "Llama-13B", "Mistral-7B", "OrcaPlatypus"]
MACHINE = re.compile(rb'"[^"]*(?:/home/|/root/|/Users/|/tmp/|/opt/)[^"]*"')
ZSTD = 93


def rows_of(criterion: str) -> dict[tuple[str, str], dict[str, str]]:
    text = (EXAMPLES / "make_logs" / "hanna.csv").read_text(encoding="utf-8")
    return {
        (row["system"], row["story_prompt"]): row
        for row in csv.DictReader(io.StringIO(text))
        if row["criterion"] == criterion
    }


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
    recorded = rows_of("complexity")
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


def test_promptfoo_file_holds_the_recorded_ratings_on_0_to_1() -> None:
    recorded = rows_of("relevance")
    document = json.loads((LOGS / "hanna-relevance.json").read_text(encoding="utf-8"))
    rows = document["results"]["results"]
    assert len(rows) == 96
    for row in rows:
        source = recorded[row["provider"]["label"], row["testCase"]["metadata"]["testCaseId"]]
        components = row["gradingResult"]["componentResults"]
        assert [c["assertion"]["provider"]["label"] for c in components] == JUDGES
        for component, judge in zip(components, JUDGES, strict=True):
            if source[judge]:
                assert component["score"] == pytest.approx((float(source[judge]) - 1) / 4, abs=6e-5)
                assert component["pass"] == (component["score"] >= 0.5)
            else:
                assert component["metadata"]["graderError"] is True


@pytest.mark.parametrize(("criterion", "n", "slope"), [("complexity", 96, 1), ("relevance", 60, 4)])
def test_labels_are_human_means_on_the_scale_of_the_log(criterion: str, n: int, slope: int) -> None:
    recorded = rows_of(criterion)
    text = (LOGS / "labels" / f"hanna-{criterion}.csv").read_text(encoding="utf-8")
    labels = list(csv.DictReader(io.StringIO(text)))
    assert len({(row["item"], row["system"]) for row in labels}) == len(labels) == n
    for row in labels:
        human = float(recorded[row["system"].removeprefix("replay/"), row["item"]]["human"])
        expected = human if slope == 1 else (human - 1) / slope
        assert float(row["label"]) == pytest.approx(expected, abs=6e-4)


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
