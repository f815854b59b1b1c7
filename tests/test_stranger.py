"""A third party's plugin is one module and one entry-point line, in a real distribution."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

STRANGER = Path(__file__).parent / "stranger"

#: Strangers that go wrong, each in its own way.
BROKEN = {
    "at_import": "raise RuntimeError('no luck at import')",
    "in_the_hook": """
from panopt.spec import hookimpl

@hookimpl
def panopt_analyze(matrix):
    raise LookupError("no luck in the hook")
""",
    "wrong_type": """
from panopt.spec import hookimpl

@hookimpl
def panopt_analyze(matrix):
    return [matrix.n_responses]
""",
    "unknown_hook": """
from panopt.spec import hookimpl

@hookimpl
def panopt_judge(matrix):
    return None
""",
}


def panopt(*args: str | Path, path: Path) -> subprocess.CompletedProcess[str]:
    """Run the command with more distributions on the path."""
    return subprocess.run(
        [sys.executable, "-m", "panopt", *map(str, args)],
        env={**os.environ, "PYTHONPATH": str(path)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the stranger's distribution with pip, from a copy of its source."""
    folder = tmp_path_factory.mktemp("stranger")
    source, target = folder / "source", folder / "site"
    shutil.copytree(STRANGER, source, ignore=shutil.ignore_patterns("__pycache__"))
    install = ["install", "--no-deps", "--no-build-isolation", "--target", str(target), str(source)]
    subprocess.run(
        [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *install],
        env={**os.environ, "PIP_NO_INDEX": "1"},
        check=True,
        timeout=120,
    )
    return target


@pytest.fixture
def judged(tmp_path: Path) -> Path:
    """Three judges on four items: they agree on two."""
    votes = {"a": "111", "b": "000", "c": "100", "d": "1-0"}
    rows = [
        f"{item},{judge},{vote.strip('-')}"
        for item, line in votes.items()
        for judge, vote in zip("xyz", line, strict=True)
    ]
    path = tmp_path / "judged.csv"
    path.write_text("\n".join(["item,judge,score", *rows, ""]), encoding="utf-8")
    return path


def test_it_is_listed_with_its_distribution_and_version(installed: Path) -> None:
    done = panopt("plugins", "--json", path=installed)
    assert done.returncode == 0, done.stderr
    infos = {info["name"]: info for info in json.loads(done.stdout)}
    assert infos["unanimity"] == {
        "name": "unanimity",
        "module": "panopt_unanimity",
        "distribution": "panopt-unanimity",
        "version": "2.1",
        "hooks": ["panopt_aggregate", "panopt_analyze", "panopt_methods"],
        "about": "How often all judges agree, and the middle of their range: "
        "a whole plugin of a third party.",
        "error": None,
    }


def test_its_finding_is_in_the_report(installed: Path, judged: Path) -> None:
    args = ("analyze", judged, "--json", "--bootstrap", "20", "--aggregate", "midrange")
    done = panopt(*args, path=installed)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    (part,) = report["criteria"]
    (row,) = (row for row in part["findings"] if row["plugin"] == "unanimity")
    assert (row["value"], row["n"]) == (0.5, 4)
    assert (round(row["low"], 3), round(row["high"], 3)) == (0.15, 0.85)
    assert part["aggregate"]["method"] == "midrange"
    assert part["decisions"] is not None
    assert report["versions"]["plugin unanimity"] == "panopt-unanimity 2.1"
    assert report["problems"] == []


def test_broken_strangers_are_reported_and_take_nothing_down(tmp_path: Path, judged: Path) -> None:
    site = tmp_path / "site"
    for name, source in BROKEN.items():
        info = site / f"{name}-0.1.dist-info"
        info.mkdir(parents=True)
        (site / f"broken_{name}.py").write_text(source, encoding="utf-8")
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.1\n")
        (info / "entry_points.txt").write_text(f"[panopt]\n{name} = broken_{name}\n")
    args = ("analyze", judged, "--json", "--bootstrap", "20")
    alone, done = panopt(*args, path=tmp_path), panopt(*args, path=site)
    assert (alone.returncode, done.returncode) == (0, 0), done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    assert report["criteria"] == json.loads(alone.stdout)["criteria"]
    known = {
        (problem["plugin"], problem["hook"]) for problem in json.loads(alone.stdout)["problems"]
    }
    problems = {
        (problem["plugin"], problem["hook"]): problem["message"]
        for problem in report["problems"]
        if (problem["plugin"], problem["hook"]) not in known
    }
    assert problems.keys() == {
        ("at_import", "load"),
        ("in_the_hook", "panopt_analyze"),
        ("wrong_type", "panopt_analyze"),
        ("unknown_hook", "load"),
    }
    assert problems["at_import", "load"] == "no luck at import"
    assert "LookupError: no luck in the hook" in problems["in_the_hook", "panopt_analyze"]
    assert "answered with list; the hook takes Findings" in problems["wrong_type", "panopt_analyze"]
    assert "hook panopt_judge: no such hook; hooks are panopt_a" in problems["unknown_hook", "load"]


def test_a_name_that_is_taken_is_one_line_naming_both(tmp_path: Path, judged: Path) -> None:
    info = tmp_path / "my_panel-3.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-panel\nVersion: 3.0\n")
    (info / "entry_points.txt").write_text("[panopt]\npanel = my_panel\n")
    done = panopt("analyze", judged, path=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(
        "panopt: error: plugin 'panel': two installed packages bring a plugin of this name: "
        "my-panel 3.0 and panopt "
    )
    assert done.stderr.count("\n") == 1
