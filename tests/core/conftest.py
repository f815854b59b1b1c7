"""Helpers of the core's tests: strangers' plugins, the command in this process, small tables."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

import pytest

from panopt.cli.app import main

Rows = Sequence[Mapping[str, object]]


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run of the command ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Ended]:
    """Run ``panopt ...`` in this process."""

    def call(*args: str | Path) -> Ended:
        monkeypatch.setattr(sys, "argv", ["panopt", *map(str, args)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        code = ended.value.code
        return Ended(code if isinstance(code, int) else 0, out, err)

    return call


@pytest.fixture
def fails(run: Callable[..., Ended], tmp_path: Path) -> Callable[..., str]:
    """Run the command on bad input: code 2, one line, nothing printed or written; the line."""

    def call(*args: str | Path) -> str:
        before = snapshot(tmp_path)
        ended = run(*args)
        assert (ended.code, ended.out) == (2, ""), ended
        assert ended.err.startswith("panopt: error: ")
        assert ended.err.endswith("\n")
        assert ended.err.count("\n") == 1
        assert snapshot(tmp_path) == before
        return ended.err

    return call


def snapshot(folder: Path) -> dict[str, bytes | None]:
    """Give every path below a folder, and the content of the files."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
        if "__pycache__" not in path.parts  # Python's own, of strangers' modules
    }


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Path]]:
    """Install plugins of strangers, each a module and the metadata of its distribution."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))
    modules: list[str] = []

    def add(
        name: str, source: str, *, distribution: str | None = None, version: str | None = "1.0"
    ) -> Path:
        number = len(modules)
        module = f"stranger_{tmp_path.name.replace('-', '_')}_{number}"
        modules.append(module)
        (site / f"{module}.py").write_text(dedent(source), encoding="utf-8")
        info = site / f"stranger{number}-1.dist-info"
        info.mkdir()
        entry = f"[panopt]\n{name} = {module}\n"
        (info / "entry_points.txt").write_text(entry, encoding="utf-8")
        if version is not None:
            metadata = f"Metadata-Version: 2.1\nName: {distribution or name}\nVersion: {version}\n"
            (info / "METADATA").write_text(metadata, encoding="utf-8")
        importlib.invalidate_caches()
        return site

    yield add
    for module in modules:
        sys.modules.pop(module, None)


@pytest.fixture
def table(tmp_path: Path) -> Callable[..., Path]:
    """Write a small table of judgments: 2 judges by default, `n` items."""

    def make(name: str = "judged.csv", text: str | None = None, n: int = 6) -> Path:
        path = tmp_path / name
        if text is None:
            lines = [
                f"i{i},{judge},{(i + j) % 2}" for i in range(n) for j, judge in enumerate("xy")
            ]
            text = "\n".join(["item,judge,score", *lines, ""])
        path.write_text(text, encoding="utf-8")
        return path

    return make


#: A shim of logs that take annotations: ``{"rows": [judgment, ...]}`` in a file ``.odd``.
ODD_SHIM = '''
"""Odd logs."""
import json
from pathlib import Path
from panopt.records.source import Source
from panopt.records.study import Study
from panopt.spec import hookimpl

@hookimpl
def panopt_suffixes():
    return (".odd",)

@hookimpl
def panopt_read(source):
    if source.suffix != ".odd":
        return None
    rows = json.loads(source.path.read_text())["rows"]
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    study = Study.from_columns({**columns, "source": source.location})
    return Study(study.table, (Source(source.location, "odd"),))

@hookimpl
def panopt_write(report, source, target):
    if source.format != "odd":
        return None
    log = json.loads(Path(source.location).read_text())
    log["panopt"] = [part.consensus.value.tolist() for part in report.criteria]
    target.write_text(json.dumps(log))
    return target
'''


@pytest.fixture
def odd_log(install: Callable[..., Path], tmp_path: Path) -> Callable[..., Path]:
    """Install the shim of odd logs, and write them: two judges on some items."""
    install("odd", ODD_SHIM)

    def make(name: str = "log.odd", run: str = "r", scores: Sequence[float] = (1, 0, 1, 1)) -> Path:
        rows = [
            {"run": run, "item": f"i{i // 2}", "judge": "xy"[i % 2], "score": score}
            for i, score in enumerate(scores)
        ]
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"rows": rows}), encoding="utf-8")
        return path

    return make
