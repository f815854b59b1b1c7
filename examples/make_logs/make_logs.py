"""Make the example logs and their labels again: ``python examples/make_logs/make_logs.py``.

Runs the real ``inspect`` (beside this Python) and ``promptfoo`` (``make tools``, or the one on the
path) in an empty folder, so that no path of the machine enters a log, and moves what they wrote to
``examples/logs``. Nothing is edited. Ids and times differ from run to run, the scores do not.
"""

from __future__ import annotations

import csv
import os
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
LOGS = HERE.parent / "logs"
TOOLS = HERE.parents[1] / ".tools" / "promptfoo-0.123" / "node_modules"
N_LABELS = {"natural": 75, "neighbor": 45}
SEED = 20260101
INPUTS = (
    *("hanna.csv", "hanna_panel.py"),
    *("llmbar.csv", "pairs.mjs", "promptfooconfig.yaml", "replay.mjs"),
)


def run(command: list[str | Path], work: Path, environ: dict[str, str]) -> None:
    """Run one command in the folder, silent unless it fails."""
    done = subprocess.run(  # noqa: S603 - the two programs named below
        command, cwd=work, env=os.environ | environ, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        sys.exit(f"{command[0]} ended with {done.returncode}\n{done.stdout}\n{done.stderr}")


def make_inspect(work: Path) -> None:
    """Run the Inspect task once for each system."""
    program = Path(sys.executable).with_name("inspect")
    for system in ("Human", "GPT-2", "CTRL"):
        folder = f"logs-{system}"
        arguments = ["--model", "none", "-T", f"system={system}", "--log-dir", folder]
        run([program, "eval", "hanna_panel.py", *arguments], work, {"INSPECT_DISPLAY": "none"})
        [log] = (work / folder).glob("*.eval")
        shutil.move(log, LOGS / f"hanna-complexity-{system}.eval")


def make_promptfoo(work: Path) -> None:
    """Run the promptfoo config, with everything it might send switched off."""
    program = TOOLS / ".bin" / "promptfoo"
    environ = {
        "PATH": os.pathsep.join([str(TOOLS / "node" / "bin"), os.environ["PATH"]]),
        "PROMPTFOO_CONFIG_DIR": str(work / "database"),
        "PROMPTFOO_FAILED_TEST_EXIT_CODE": "0",
        "PROMPTFOO_DISABLE_TELEMETRY": "1",
        "PROMPTFOO_DISABLE_UPDATE": "1",
        "PROMPTFOO_DISABLE_REMOTE_GENERATION": "1",
        "PROMPTFOO_DISABLE_SHARING": "1",
    }
    command = program if program.exists() else "promptfoo"
    run([command, "eval", "--no-cache", "-o", "llmbar.json"], work, environ)
    shutil.move(work / "llmbar.json", LOGS / "llmbar.json")


def rows_of(table: str) -> list[dict[str, str]]:
    """Read one of the tables of recorded verdicts."""
    with (HERE / table).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def make_labels() -> None:
    """Write the labels of a random part of the responses, at most one an item."""
    draw = random.Random(SEED)  # noqa: S311 - a sample, not a secret
    stories: dict[str, list[dict[str, str]]] = {}
    for row in rows_of("hanna.csv"):
        stories.setdefault(row["story_prompt"], []).append(row)
    lines = ["item,system,criterion,label"]
    for item, written in stories.items():
        row = draw.choice(written)
        lines.append(f"{item},replay/{row['system']},{row['criterion']},{row['human']}")
    write_lines("hanna-complexity.csv", lines)
    pairs = rows_of("llmbar.csv")
    lines = ["item,criterion,label"]
    for task, n in N_LABELS.items():
        judged = [row for row in pairs if row["task"] == task]
        chosen = sorted(draw.sample(judged, n), key=judged.index)
        lines += [f"{row['item']},{task},{row['gold']}" for row in chosen]
    write_lines("llmbar.csv", lines)


def write_lines(name: str, lines: list[str]) -> None:
    """Write one table of labels."""
    (LOGS / "labels" / name).write_text("\n".join(lines) + "\n", encoding="utf-8")


def main() -> None:
    """Make everything anew."""
    (LOGS / "labels").mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for name in INPUTS:
            shutil.copy(HERE / name, folder)
        make_inspect(Path(folder))
        make_promptfoo(Path(folder))
    make_labels()


if __name__ == "__main__":
    main()
