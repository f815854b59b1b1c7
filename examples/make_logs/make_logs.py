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
N_LABELS = {"complexity": 96, "relevance": 60}
N_STORIES = 48  # of the promptfoo run
SEED = 20260101


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
    with (work / "stories.csv").open("w", encoding="utf-8") as file:
        file.write("story_prompt,__metadata:testCaseId\n")
        file.writelines(f"p{n:02d},p{n:02d}\n" for n in range(N_STORIES))
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
    run([command, "eval", "--no-cache", "-o", "hanna-relevance.json"], work, environ)
    shutil.move(work / "hanna-relevance.json", LOGS / "hanna-relevance.json")


def make_labels() -> None:
    """Write the human label of a random part of the responses, on the scale the log has."""
    with (HERE / "hanna.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    draw = random.Random(SEED)  # noqa: S311 - a sample, not a secret
    for criterion, n in N_LABELS.items():
        inspect = criterion == "complexity"
        judged = [
            row
            for row in rows
            if row["criterion"] == criterion
            and (inspect or int(row["story_prompt"][1:]) < N_STORIES)
        ]
        lines = ["item,system,criterion,label"]
        for row in sorted(draw.sample(judged, n), key=judged.index):
            human = float(row["human"])
            system = f"replay/{row['system']}" if inspect else row["system"]
            label = human if inspect else round((human - 1) / 4, 4)
            lines.append(f"{row['story_prompt']},{system},{criterion},{label:g}")
        path = LOGS / "labels" / f"hanna-{criterion}.csv"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def main() -> None:
    """Make everything anew."""
    (LOGS / "labels").mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for name in ("hanna.csv", "hanna_panel.py", "promptfooconfig.yaml", "replay.mjs"):
            shutil.copy(HERE / name, folder)
        make_inspect(Path(folder))
        make_promptfoo(Path(folder))
    make_labels()


if __name__ == "__main__":
    main()
