"""Files come out whole or not at all, beside the user's and never over them."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from panopt.analysis import analyze
from panopt.errors import OutputError, PluginError
from panopt.host import Host
from panopt.reading import read
from panopt.records.ask import Ask
from panopt.records.report import Report
from panopt.records.source import Source
from panopt.records.study import Study
from panopt.writing import Written, write

MakeLog = Callable[..., Path]
Table = Callable[..., Path]


def files(folder: Path) -> dict[str, bytes | None]:
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
        if "__pycache__" not in path.parts  # Python's own, of strangers' modules
    }


@contextmanager
def untouched(folder: Path) -> Iterator[None]:
    before = files(folder)
    yield
    assert files(folder) == before


def reported(*places: Path, alpha: float = 0.1) -> Report:
    return analyze(read(*places), Ask(alpha=alpha))


def outcome(written: tuple[Written, ...], folder: Path) -> list[tuple[str | None, str]]:
    return [
        (file.target and str(Path(file.target).relative_to(folder)), file.state) for file in written
    ]


def test_a_copy_stands_beside_its_original(odd_log: MakeLog, tmp_path: Path) -> None:
    log = odd_log()
    before = log.read_bytes()
    report = reported(log)
    assert outcome(write(report), tmp_path) == [("log.panopt.odd", "written")]
    assert log.read_bytes() == before
    annotated = json.loads((tmp_path / "log.panopt.odd").read_text())
    assert annotated["panopt"] == [[0.5, 1.0]]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log.odd", "log.panopt.odd", "site"]


def test_a_second_run_changes_nothing(odd_log: MakeLog, tmp_path: Path) -> None:
    log = odd_log()
    write(reported(log))
    copy = tmp_path / "log.panopt.odd"
    with untouched(tmp_path):
        assert outcome(write(reported(log)), tmp_path) == [("log.panopt.odd", "unchanged")]
        # of the copy of a copy, which is itself; and of the folder, where the copy is passed over
        assert outcome(write(reported(copy)), tmp_path) == [("log.panopt.odd", "unchanged")]
        assert outcome(write(reported(tmp_path)), tmp_path) == [("log.panopt.odd", "unchanged")]


def test_report_and_responses_go_into_the_folder(odd_log: MakeLog, tmp_path: Path) -> None:
    report = reported(odd_log())
    out = tmp_path / "deep" / "out"
    written = write(report, out=out, summary=True)
    assert outcome(written, out) == [
        ("log.panopt.odd", "written"),
        ("report.json", "written"),
        ("responses.csv", "written"),
    ]
    assert json.loads((out / "report.json").read_text()) == report.to_dict()
    rows = list(csv.DictReader((out / "responses.csv").read_text().splitlines()))
    assert [(row["item"], row["value"], row["n_votes"]) for row in rows] == [
        ("i0", "0.5", "2"),
        ("i1", "1", "2"),
    ]
    assert {row["decision"] for row in rows} <= {"trust", "escalate", "ambiguous", "human"}
    assert all(row["why"] for row in rows)
    states = [state for _, state in outcome(write(report, out=out, summary=True), out)]
    assert states == ["unchanged"] * 3


def test_outputs_inside_the_folder_of_the_logs_do_not_become_inputs(
    odd_log: MakeLog, tmp_path: Path
) -> None:
    odd_log("logs/a.odd")
    logs, out = tmp_path / "logs", tmp_path / "logs" / "out"
    write(reported(logs), out=out, summary=True)
    with untouched(tmp_path):
        again = outcome(write(reported(logs), out=out, summary=True), out)
    assert [state for _, state in again] == ["unchanged"] * 3


def test_tables_take_no_annotations(table: Table) -> None:
    judged = table()
    (written,) = write(reported(judged))
    assert written == Written(str(judged), None, "not_supported")


def test_an_output_that_differs_is_replaced_only_when_asked(
    odd_log: MakeLog, tmp_path: Path
) -> None:
    log = odd_log()
    write(reported(log), out=tmp_path / "out", summary=True)
    other = reported(log, alpha=0.2)
    with (
        untouched(tmp_path),
        pytest.raises(OutputError, match=r"report\.json: exists with other content; pass --overw"),
    ):
        write(other, out=tmp_path / "out", summary=True)
    states = outcome(write(other, out=tmp_path / "out", summary=True, overwrite=True), tmp_path)
    assert ("out/report.json", "written") in states
    assert json.loads((tmp_path / "out/report.json").read_text())["ask"]["alpha"] == 0.2


def test_a_source_is_never_overwritten(odd_log: MakeLog, tmp_path: Path) -> None:
    log = odd_log("log.panopt.odd")  # somebody else's name for a log; its copy would be itself
    report = reported(log)
    for overwrite in (False, True):
        with (
            untouched(tmp_path),
            pytest.raises(OutputError, match=r"log\.panopt\.odd: is a source of this analysis; s"),
        ):
            write(report, overwrite=overwrite)
    link = tmp_path / "link"
    link.mkdir()
    (link / "log.panopt.odd").symlink_to(log)
    with untouched(tmp_path), pytest.raises(OutputError, match="is a source of this analysis"):
        write(report, out=link, overwrite=True)


def test_a_report_is_never_written_over_a_source(odd_log: MakeLog, tmp_path: Path) -> None:
    log = odd_log("x/report.json")
    study = read(odd_log("log.odd"))
    study = Study(study.table, (replace(study.sources[0], location=str(log)),))
    with (
        untouched(tmp_path),
        pytest.raises(OutputError, match=r"x/report\.json: is a source of this analysis"),
    ):
        write(analyze(study), out=tmp_path / "x", copies=False, summary=True, overwrite=True)


def test_two_logs_of_one_name_cannot_share_a_folder(odd_log: MakeLog, tmp_path: Path) -> None:
    report = reported(odd_log("a/log.odd", run="a"), odd_log("b/log.odd", run="b"))
    with (
        untouched(tmp_path),
        pytest.raises(
            OutputError,
            match=r"out/log\.panopt\.odd: is where the copies of both .*a/log\.odd and .*b/log\.od",
        ),
    ):
        write(report, out=tmp_path / "out")
    assert outcome(write(report), tmp_path) == [
        ("a/log.panopt.odd", "written"),
        ("b/log.panopt.odd", "written"),
    ]


@pytest.mark.parametrize(
    ("place", "why"),
    [
        ("file", "Not a directory|File exists"),
        ("file/below", "Not a directory"),
        ("x" * 300, "File name too long"),
    ],
)
def test_a_place_that_cannot_be_written(
    odd_log: MakeLog, tmp_path: Path, place: str, why: str
) -> None:
    report = reported(odd_log())
    (tmp_path / "file").write_text("a file")
    with (
        untouched(tmp_path),
        pytest.raises(OutputError, match=rf"panopt\.odd: cannot be written \(({why})\)"),
    ):
        write(report, out=tmp_path / place, summary=True)


def test_a_target_that_is_a_folder(odd_log: MakeLog, tmp_path: Path) -> None:
    report = reported(odd_log())
    (tmp_path / "log.panopt.odd").mkdir()
    with untouched(tmp_path), pytest.raises(OutputError, match=r"panopt\.odd: is a folder or"):
        write(report, overwrite=True)


def test_where_one_file_cannot_be_made_none_is_written(
    odd_log: MakeLog, install: Callable[..., Path], tmp_path: Path
) -> None:
    report = reported(odd_log("a.odd"), odd_log("b.odd", run="r2"))
    install(
        "wary",
        """
        from panopt.spec import hookimpl

        @hookimpl
        def panopt_write(source, target):
            if source.location.endswith("b.odd"):
                target.write_text("half")
                raise RuntimeError("full")
        """,
    )
    sources = [replace(source, format="wary") for source in report.study.sources]
    report = replace(report, study=Study(report.study.table, tuple(sources)))
    with (
        untouched(tmp_path),
        pytest.raises(PluginError, match="plugin 'wary', hook panopt_write: RuntimeError: full"),
    ):
        write(report, out=tmp_path / "new" / "out", summary=True, host=Host())


def test_what_needs_a_folder_says_so(odd_log: MakeLog) -> None:
    report = reported(odd_log())
    with pytest.raises(OutputError, match=r"report\.json: the report needs a folder: give --out"):
        write(report, summary=True)
    remote = Study(report.study.table, (Source("s3://bucket/log.eval", "inspect"),))
    with pytest.raises(OutputError, match=r"s3://bucket/log\.eval: a remote source needs a local"):
        write(replace(report, study=remote))


def test_a_source_that_is_gone_by_now(odd_log: MakeLog, tmp_path: Path) -> None:
    log = odd_log()
    report = reported(log)
    out = tmp_path / "out"
    write(report, out=out, copies=False, summary=True)
    log.unlink()
    other = replace(report, ask=Ask(alpha=0.3))
    written = write(other, out=out, copies=False, summary=True, overwrite=True)
    assert ("report.json", "written") in outcome(written, out)
