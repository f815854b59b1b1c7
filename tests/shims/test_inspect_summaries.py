"""A log's own summaries vouch for the fast reader; where they cannot, Inspect is asked."""

from __future__ import annotations

import json
import shutil
import zipfile
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from panopt.records.ask import Reading, checked
from panopt.records.source import SourceFile
from panopt.records.study import Study
from panopt.shims.inspect import read as reader
from panopt.shims.inspect.archive import Archive
from panopt.shims.inspect.check import differs as differs_of
from panopt.shims.inspect.fast import FastLog
from panopt.shims.inspect.summaries import TESTED

LOGS = Path(__file__).parents[1] / "logs" / "inspect"


def read(place: Path, tier: str = "auto") -> Study:
    study = reader.read_log(SourceFile(str(place)), checked(Reading, tier=tier), lambda _: None)
    assert study is not None
    return study


def asked_inspect(log: Path, monkeypatch: pytest.MonkeyPatch) -> bool:
    asked = []
    real = differs_of

    def differs(location: str, *given: Any) -> str | None:  # noqa: ANN401 - as it is called
        asked.append(location)
        return real(location, *given)

    monkeypatch.setattr(reader, "differs", differs)
    assert read(log).sources[0].warnings == ()
    return bool(asked)


def rewritten(source: Path, target: Path, member: str, change: Any) -> Path:  # noqa: ANN401
    """Copy a log with one member changed."""
    with Archive(source) as log, zipfile.ZipFile(target, "w") as out:
        for name, entry in log.members.items():
            data = log.read(entry)
            if name == member:
                data = json.dumps(change(json.loads(data))).encode()
            out.writestr(name, data)
    return target


def of_version(version: str | None) -> Any:  # noqa: ANN401
    def change(header: dict[str, Any]) -> dict[str, Any]:
        header["eval"]["packages"] = {} if version is None else {"inspect_ai": version}
        return header

    return change


def other_score(table: list[dict[str, Any]]) -> list[dict[str, Any]]:
    for one in table:
        one["scores"]["model_graded_qa"]["value"] = "P"
    return table


@pytest.mark.parametrize("name", ["scorers_list", "dict_criteria", "epochs", "value_types"])
def test_summaries_of_a_tested_version_spare_loading_inspect(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not asked_inspect(LOGS / f"{name}.eval", monkeypatch)


def test_votes_out_of_transcripts_are_checked_with_inspect(monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked_inspect(LOGS / "panel_mode.eval", monkeypatch)


@pytest.mark.parametrize(
    ("member", "change"),
    [
        ("header.json", of_version("0.3.286")),
        ("header.json", of_version("0.3.40")),
        ("header.json", of_version("nightly")),
        ("header.json", of_version(None)),
        ("summaries.json", other_score),
        ("summaries.json", lambda table: table[:0]),
        ("summaries.json", lambda table: {"not": "a table"}),
    ],
)
def test_what_the_summaries_cannot_confirm_is_checked_with_inspect(
    member: str,
    change: Any,  # noqa: ANN401
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log = rewritten(LOGS / "scorers_list.eval", tmp_path / "log.eval", member, change)
    assert asked_inspect(log, monkeypatch)


def test_a_log_without_summaries_is_checked_with_inspect(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "log.eval"
    with Archive(LOGS / "scorers_list.eval") as old, zipfile.ZipFile(log, "w") as out:
        for name, entry in old.members.items():
            if name != "summaries.json":
                out.writestr(name, old.read(entry))
    assert asked_inspect(log, monkeypatch)


def test_the_last_tested_version_is_the_one_that_wrote_the_logs_here() -> None:
    with closing(FastLog(LOGS / "scorers_list.eval")) as log:
        assert log.header.inspect_version == ".".join(map(str, TESTED[1]))


def test_logs_of_the_first_and_later_tested_versions_read_alike_in_both_tiers(
    shared: Path, tmp_path: Path
) -> None:
    found = []
    for log in sorted((shared / "data" / "logs" / "inspect").rglob("*.eval")):
        try:
            with closing(FastLog(log)) as one:
                version, familiar = one.header.inspect_version or "", one.header.version <= 2
        except Exception:  # noqa: BLE001, S112 - a damaged log, on purpose
            continue
        if not familiar or log.stat().st_size > 150_000 or "retry" in log.name:
            continue
        copy = Path(shutil.copy(log, tmp_path))
        fast, api = read(copy, "fast"), read(copy, "api")
        assert fast.table.equals(api.table), log.name
        found.append(version.split(".dev")[0])
    assert found
    assert min(tuple(map(int, one.split("."))) for one in found) == TESTED[0]
