"""Clusters by any name: a field of samples' metadata, a test's variable, a column of a table."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from inspect_ai.log import read_eval_log, write_eval_log

from panopt.errors import AskError
from panopt.reading import read as panopt_read
from panopt.reading import read_sides
from panopt.records.ask import Reading, checked
from panopt.records.study import Study

MakeEval = Callable[..., Path]
TIERS = ["fast", "api", "auto"]


def read(place: Path, cluster: str, tier: str = "auto") -> Study:
    return panopt_read(place, reading=checked(Reading, cluster=cluster, tier=tier))


def told(study: Study, column: str = "cluster") -> list[str | None]:
    rows = sorted(study.table.select(["item", column]).to_pylist(), key=lambda row: row["item"])
    return [row[column] for row in rows]


@pytest.fixture
def log(make_eval: MakeEval) -> Path:
    facts = [
        {"topic": "art", "family": "f1", "cluster": "c1", "passage": 7},
        {"topic": "art", "family": "f2", "cluster": "c1", "passage": 7},
        {"topic": None, "family": "f2", "cluster": "c2"},
    ]
    samples = [{"metadata": own} for own in facts]
    return make_eval([{"match": "C"}] * 3, scorers=[("match", {})], samples=samples)


@pytest.mark.parametrize("tier", TIERS)
def test_a_field_of_the_metadata_names_clusters(log: Path, tier: str) -> None:
    assert told(read(log, "topic", tier)) == ["art", "art", None]
    assert told(read(log, "passage", tier)) == ["7", "7", None]
    assert told(read(log, "", tier)) == ["c1", "c1", "c2"]
    study = read(log, "family", tier)
    assert told(study) == ["f1", "f2", "f2"]
    assert told(study, "family") == [None] * 3  # it is the cluster now
    assert told(read(log, "topic", tier), "family") == ["f1", "f2", "f2"]


@pytest.mark.parametrize("tier", TIERS)
def test_a_json_log_names_clusters_as_the_eval_log_does(
    log: Path, tier: str, tmp_path: Path
) -> None:
    other = tmp_path / "copy.json"
    write_eval_log(read_eval_log(str(log)), str(other))
    assert told(read(other, "topic", tier)) == ["art", "art", None]


@pytest.mark.parametrize("tier", TIERS)
def test_a_name_that_no_sample_has_is_refused_with_those_there_are(log: Path, tier: str) -> None:
    with pytest.raises(AskError, match="'genre' is not in the samples' metadata, which hold") as e:
        read(log, "genre", tier)
    assert "'topic', 'family', 'cluster', 'passage'" in str(e.value)


def test_one_side_that_tells_is_enough(log: Path, make_eval: MakeEval) -> None:
    other = make_eval(
        [{"match": "I"}] * 3, name="other.eval", eval_id="eval-2", scorers=[("match", {})]
    )
    one, two = read_sides(log, other, reading=Reading(cluster="topic"))
    assert told(one) == ["art", "art", None]
    assert told(two) == [None] * 3
    assert any(note.startswith("no clusters: 'topic'") for note in two.sources[0].notes)


def test_a_variable_or_metadata_of_promptfoo_names_clusters(shared: Path) -> None:
    made = shared / "data" / "logs" / "promptfoo" / "made" / "panel5_base.json.gz"
    strata = {row["stratum"] for row in _tests(made)}
    assert set(told(read(made, "stratum"))) == strata
    assert set(told(read(made, "metadata.stratum"))) == strata
    assert len(set(told(read(made, "vars.item")))) == 80
    with pytest.raises(AskError, match=r"'topic' is not in the tests' metadata and variables"):
        read(made, "topic")


def _tests(place: Path) -> list[dict[str, str]]:
    import gzip  # noqa: PLC0415

    document = json.loads(gzip.decompress(place.read_bytes()))
    return [row["testCase"]["metadata"] for row in document["results"]["results"]]


def test_a_column_names_clusters(tmp_path: Path) -> None:
    table = tmp_path / "judged.csv"
    table.write_text(
        "item,judge,score,topic,cluster\na,m,1,x,p\nb,m,0,x,q\nc,m,1,y,q\n", encoding="utf-8"
    )
    assert told(read(table, "topic")) == ["x", "x", "y"]
    assert told(read(table, "")) == ["p", "q", "q"]
    with pytest.raises(AskError, match="'genre' is not in the columns, which hold 'item', 'judge'"):
        read(table, "genre")
