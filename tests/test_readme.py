"""Every command and snippet of the READMEs does what it says."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Program

ROOT = Path(__file__).parents[1]
READMES = ("README.md", "plugins/README.md", "shims/README.md", "examples/README.md")


def blocks(language: str) -> list[tuple[str, str]]:
    """Give the fenced blocks of one language, each with the README it stands in."""
    pattern = re.compile(rf"^```{language}\n(.*?)^```", re.DOTALL | re.MULTILINE)
    return [
        (name, block)
        for name in READMES
        for block in pattern.findall((ROOT / name).read_text(encoding="utf-8"))
    ]


def commands() -> list[str]:
    """Give the panopt commands that need nothing but the checkout."""
    lines = [line.split("#")[0].strip() for _, block in blocks("sh") for line in block.splitlines()]
    return sorted(
        {line for line in lines if line.startswith("panopt") and "results.json" not in line}
    )


def ran(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run one panopt command in a folder, its patterns filled in as a shell does."""
    words = [sys.executable, "-c", "from panopt.cli import main; main()"]
    words += [
        str(path)
        for word in shlex.split(line)[1:]
        for path in (sorted(folder.glob(word)) if "*" in word else [word])
    ]
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Copy the examples to a folder that the commands may write to."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    return tmp_path


@pytest.mark.parametrize("command", commands())
def test_commands_run(command: str, checkout: Path) -> None:
    before = []
    if "--certificate" in command:  # another line makes it
        before = [line for line in commands() if line.startswith("panopt calibrate")]
    for line in (*before, command):
        run = ran(line, checkout)
        assert run.returncode == 0, run.stderr
        assert run.stdout


@pytest.mark.parametrize(("name", "code"), blocks("python"))
def test_snippets_run(
    name: str, code: str, checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(checkout)
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(code, name, "exec"), {})  # noqa: S102 - the snippet is ours
    assert out.getvalue() or "print" not in code


def test_readme_names_only_files_that_are_there() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    paths = re.findall(r"\]\(([^)#:]+)\)", text) + re.findall(r"examples/logs/[\w./-]+", text)
    assert paths
    for path in paths:
        assert list(ROOT.glob(path.rstrip("-."))) or list(ROOT.glob(f"{path}*")), path


def test_readme_numbers_are_the_report_s() -> None:
    import panopt  # noqa: PLC0415

    logs = ROOT / "examples" / "logs"
    study = panopt.read(logs / "llmbar.json", labels=logs / "labels" / "llmbar.csv")
    report = panopt.analyze(study)
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for part in report.criteria:
        for name in ("human_agreement", "alpha_nominal"):
            row = part.findings.named(name)[0]
            assert f"{row.value:.3f} [{row.low:.3f}, {row.high:.3f}]" in text
        assert part.decisions is not None
    trusted = [part.decisions.counts()["trust"] for part in report.criteria if part.decisions]
    assert trusted == [52, 0]


LOGS = "examples/logs/hanna-complexity"
LABELS = "--labels examples/logs/labels/hanna-complexity.csv"
CLAIMS = {
    f"compare {LOGS}-*.eval": ["0.135 [0.109, 0.161]"],
    f"gate {LOGS}-Human.eval {LOGS}-GPT-2.eval --max-drop 0.05": ["at least 0.100", "sure at 95%"],
    f"power {LOGS}-*.eval --effect 0.02": ["449", "could show 0.044"],
    f"power {LOGS}-*.eval {LABELS} --labels-for 0.05": ["14 more"],
    f"analyze {LOGS}-*.eval {LABELS}": [
        *("0.45 [0.40, 0.49]", "0.49 [0.46, 0.52]"),
        *("41%", "0.38 more than the other", "(0.34 to 0.43)"),
    ],
}


@pytest.mark.parametrize("claim", CLAIMS)
def test_readme_claims_are_what_the_commands_say(claim: str) -> None:
    told = " ".join(ran(f"panopt {claim}", ROOT).stdout.replace("│", " ").split())
    text = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    for figure in CLAIMS[claim]:
        assert figure in told
        shown = (
            figure.split(" [")[0] if figure.startswith("0.49") else figure.removesuffix(" other")
        )
        assert shown in text


@pytest.mark.programs
def test_promptfoo_post_processing(promptfoo: Program, tmp_path: Path) -> None:
    """The three lines of the README, the evaluation replaced by its recorded result."""
    shutil.copy(ROOT / "examples" / "logs" / "llmbar.json", tmp_path / "results.json")
    words = [sys.executable, "-c", "from panopt.cli import main; main()"]
    run = subprocess.run(
        [*words, "analyze", "results.json", "--write"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    done = promptfoo.run("import", "results.panopt.json", "--new-id", cwd=tmp_path)
    assert "success" in (done.stdout + done.stderr).lower()
