from __future__ import annotations

import gzip
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from panopt.errors import AskError, LabelsError, SourceError
from panopt.host import Host
from panopt.reading import find_sources, read
from panopt.records.ask import Reading
from panopt.records.source import SourceFile

Table = Callable[..., Path]


@pytest.fixture(scope="module")
def host() -> Host:
    return Host()


def found(host: Host, *places: str | Path) -> list[str]:
    return [Path(source.location).name for source in find_sources(places, host)]


def test_folders_are_searched_for_the_endings_that_shims_read(
    host: Host, table: Table, tmp_path: Path
) -> None:
    for name in ("b.csv", "a.jsonl", "deep/er/c.parquet", "d.CSV.gz", "note.txt", ".hidden.csv"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        table(name)
    (tmp_path / ".git").mkdir()
    table(".git/e.csv")
    assert found(host, tmp_path) == ["a.jsonl", "b.csv", "d.CSV.gz", "c.parquet"]


def test_a_named_file_is_taken_whatever_it_is_called(host: Host, table: Table) -> None:
    assert found(host, table("note.txt"), table(".hidden.csv")) == ["note.txt", ".hidden.csv"]


def test_globs_and_names_that_look_like_them(
    host: Host, table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table("a1.csv")
    table("a2.csv")
    table("a[3].csv")
    assert found(host, str(tmp_path / "a*.csv")) == ["a1.csv", "a2.csv", "a[3].csv"]
    assert found(host, str(tmp_path / "a[3].csv")) == ["a[3].csv"]  # the file, not the pattern
    monkeypatch.chdir(tmp_path)
    assert found(host, "a?.csv") == ["a1.csv", "a2.csv"]


def test_each_file_is_read_once(host: Host, table: Table, tmp_path: Path) -> None:
    path = table("a.csv")
    (tmp_path / "link.csv").symlink_to(path)
    places: list[str | Path] = [path, tmp_path, str(tmp_path / "*.csv"), tmp_path / "link.csv"]
    assert found(host, *places) == ["a.csv"]
    uri = "s3://bucket/log.eval"
    assert [s.location for s in find_sources([uri, uri], host)] == [uri]


def test_outputs_of_earlier_runs_are_passed_over_in_folders(
    host: Host, table: Table, tmp_path: Path
) -> None:
    for name in ("out/report.json", "out/responses.csv", "out/a.panopt.csv", "a.panopt.jsonl.gz"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        table(name)
    table("a.csv")
    table("a.jsonl.gz")
    table("b.panopt.csv")  # its original is not here: the only witness
    table("responses.csv")  # alone, so somebody else's
    assert found(host, tmp_path) == ["a.csv", "a.jsonl.gz", "b.panopt.csv", "responses.csv"]
    assert found(host, str(tmp_path / "*.csv")) == ["a.csv", "b.panopt.csv", "responses.csv"]
    assert found(host, tmp_path / "out" / "a.panopt.csv") == ["a.panopt.csv"]


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("nowhere", "nowhere: does not exist; name a file, a folder or a glob"),
        ("no*where", r"no\*where: matches no file; name a file"),
        ("empty", r"empty: the folder holds no log \(files ending in .*\.csv, .*\.parquet"),
        ("only", "only: the folder holds no log"),
    ],
)
def test_places_without_a_log(host: Host, tmp_path: Path, place: str, message: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "only").mkdir()
    (tmp_path / "only" / "note.txt").write_text("x")
    with pytest.raises(SourceError, match=message):
        find_sources([tmp_path / place], host)
    with pytest.raises(SourceError, match="no sources were named"):
        find_sources([], host)


def test_judgments_of_several_files_make_one_study(host: Host, table: Table) -> None:
    one = table("1.csv", "item,judge,score\na,x,1\nb,x,0\n")
    two = table("2.jsonl", '{"item": "a", "judge": "y", "score": 0}\n')
    told: list[tuple[str, float]] = []
    study = read(one, two, host=host, progress=lambda place, share: told.append((place, share)))
    assert [source.location for source in study.sources] == [str(one), str(two)]
    assert study.matrix("score").judges == ("x", "y")
    assert study.sources[0].notes == ("score: scale binary inferred for x, y",)


def test_copies_are_dropped_and_said(host: Host, table: Table) -> None:
    study = read(table("1.csv"), table("2.csv"), host=host)
    assert len(study) == 12
    assert study.table["source"].unique().to_pylist() == [study.sources[1].location]
    assert study.sources[0].notes[0].startswith("12 judgments stand in several sources")


def test_labels_are_joined_on_the_scale_of_the_judges(host: Host, table: Table) -> None:
    logs = table("log.csv", "item,judge,score\na,x,1\nb,x,5\na,y,2\nb,y,4\n")
    labels = table("labels.csv", "question_id,rating\na,3\nb,4\n")
    study = read(logs, labels=labels, host=host)
    matrix = study.matrix("score")
    assert matrix.humans == ("human",)
    assert matrix.human_mean.tolist() == [0.5, 0.75]
    assert [source.format for source in study.sources] == ["tables", "tables"]


def test_declared_scales_hold(host: Host, table: Table) -> None:
    logs = table("log.csv", "item,judge,score\na,x,2\nb,x,6\n")
    study = read(logs, host=host, reading=Reading(scales=(("*", "ordinal:1:6"),)))
    assert study.table["scale"].unique().to_pylist() == ["ordinal:1:6"]
    with pytest.raises(SourceError, match=r"log\.csv: item 'b', judge 'x': score 6 is off the sca"):
        read(logs, host=host, reading=Reading(scales=(("x", "ordinal:1:5"),)))
    lenient = Reading(scales=(("x", "ordinal:1:5"),), off_scale="fail")
    assert read(logs, host=host, reading=lenient).table["status"].to_pylist() == ["ok", "failed"]
    with pytest.raises(AskError, match="scale kind 'stars' is unknown"):
        read(logs, host=host, reading=Reading(scales=(("*", "stars"),)))


def test_human_must_name_something(host: Host, table: Table) -> None:
    logs = table("log.csv", "item,judge,score,gold\na,x,1,1\na,bob,0,1\n")
    for name in ("bob", "gold"):
        study = read(logs, host=host, reading=Reading(human=(name,)))
        assert study.matrix("score").humans == (name,)
    with pytest.raises(
        AskError, match=r"human = \('gould',\): no judge, scorer.*judges are bob, x"
    ):
        read(logs, host=host, reading=Reading(human=("gould",)))


def test_strict_makes_warnings_errors(host: Host, table: Table) -> None:
    logs = table()
    labels = table("labels.csv", "item,score\ni0,1\nq,1\n")
    study = read(logs, labels=labels, host=host)
    assert study.sources[-1].warnings == ("1 of 2 labels match no response (for example 'q')",)
    with pytest.raises(SourceError, match=r"labels\.csv: 1 of 2 .* \(an error under --strict\)"):
        read(logs, labels=labels, host=host, reading=Reading(strict=True))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"labels\.csv: is no file; name a CSV, JSONL or Parquet file of labels"),
        ("", r"labels\.csv: the file is empty; a table has a header"),
        ("item,score\n", r"labels\.csv: the table has no rows"),
        (
            "item,mood\na,1\n",
            r"labels\.csv: labels need a column score or label; columns are 'item",
        ),
        ("item,judge,judge_kind,score\na,x,llm,1\n", r"labels\.csv: holds no human label"),
        ("item,score\nQ1,1\nQ2,1\nQ3,0\nQ4,1\n", r"labels have Q1, Q2, Q3; responses have i0, i1,"),
        ("item,score\ni1,1\ni1,0\n", r"labels\.csv: duplicate labels of item 'i1' by 'human'"),
        ("item,score\ni1,7\n", "item 'i1', judge 'human': score 7 is off the scale binary"),
    ],
)
def test_labels_that_cannot_be_used(
    host: Host, table: Table, tmp_path: Path, content: str | None, message: str
) -> None:
    labels = tmp_path / "labels.csv"
    if content is not None:
        labels.write_text(content)
    with pytest.raises((LabelsError, SourceError), match=message):
        read(table(), labels=labels, host=host, reading=Reading(scales=(("*", "binary"),)))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("log.eval", b"", r"log\.eval: the file is empty"),
        ("log.json", b"", r"log\.json: the file is empty"),
        ("log.yaml", b"", r"log\.yaml: the file is empty"),
        ("log.csv", b"", r"log\.csv: the file is empty; a table has a header"),
        ("log.txt", b"", r"log\.txt: the file is empty; a log has at least a header"),
        ("log.json", b'{"hello": [1, 2]}', r"log\.json: "),
        ("log.json", b"hello", r"log\.json: "),
        ("log.txt", b"hello", r"log\.txt: not a log or table that an installed shim knows"),
        ("log.csv.gz", b"\x1f\x8bnot gzip", r"log\.csv\.gz: cannot be opened \(.+\)"),
    ],
)
def test_files_that_are_no_logs(
    host: Host, tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(SourceError, match=message) as error:
        read(path, host=host)
    assert "\n" not in str(error.value)


def test_failed_votes_are_judgments_too(host: Host, table: Table) -> None:
    study = read(table("log.csv", "item,judge,score\na,x,\n"), host=host)
    assert study.table["status"].to_pylist() == ["failed"]


def test_a_gzip_file_cut_short(host: Host, tmp_path: Path) -> None:
    path = tmp_path / "log.csv.gz"
    text = "item,judge,score\n" + "".join(f"item-{i * 7919},x,{i % 2}\n" for i in range(50_000))
    path.write_bytes(gzip.compress(text.encode())[:-2000])
    with pytest.raises(SourceError, match=r"log\.csv\.gz: cannot be read \(Compressed file ended"):
        read(path, host=host)


def test_remote_places_of_no_known_kind(host: Host) -> None:
    with pytest.raises(SourceError, match=r"^nope://x/log\.csv: cannot be opened \(Protocol not k"):
        read("nope://x/log.csv", host=host)


@pytest.mark.skipif(os.name != "posix", reason="names of bytes are a habit of POSIX")
def test_a_name_that_is_no_text_is_one_line(host: Host, tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.csv"))
    path.write_text("item,judge,score\na,x,1\n")
    for place in (path, tmp_path):
        with pytest.raises(SourceError, match="the name is not UTF-8; rename the file"):
            read(place, host=host)


def test_a_source_file_tells_its_kind(tmp_path: Path) -> None:
    path = tmp_path / "Log.JSONL.GZ"
    path.write_bytes(gzip.compress(b"x" * 100_000))
    source = SourceFile(str(path))
    assert (source.suffix, source.name, source.is_gzipped) == (".jsonl", "Log.JSONL.GZ", True)
    assert source.head == b"x" * 65536
    assert not source.is_remote
    assert SourceFile("s3://bucket/a/b.eval").is_remote
    assert SourceFile("s3://bucket/a/b.eval").name == "b.eval"
    assert SourceFile("noending").suffix == ""


def test_a_searched_folder_passes_over_files_that_are_no_logs(tmp_path: Path) -> None:
    (tmp_path / "judged.csv").write_text("item,judge,score\na,x,1\nb,x,0\n")
    (tmp_path / "package.json").write_text('{"name": "x"}')
    (tmp_path / "prices.csv").write_text("model,price\nx,1\n")
    (tmp_path / "empty.jsonl").write_text("")
    study = read(tmp_path)
    assert len(study) == 2
    notes = " ".join(note for source in study.sources for note in source.notes)
    assert "3 files of searched folders are no logs" in notes
    for name in ("package.json", "prices.csv", "empty.jsonl"):
        assert name in notes
        with pytest.raises(SourceError):
            read(tmp_path / name)


def test_a_searched_folder_does_not_pass_over_a_broken_log(tmp_path: Path) -> None:
    (tmp_path / "judged.csv").write_text("item,judge,score\na,x,1\n")
    (tmp_path / "cut.eval").write_bytes(b"PK\x03\x04 cut short")
    with pytest.raises(SourceError, match=r"cut\.eval"):
        read(tmp_path)
