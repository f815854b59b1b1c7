"""Check the wheel where nothing but its own dependencies is installed; plain Python, no pytest.

Run by ``make wheel`` with the Python of an environment that holds the wheel alone:
``.venv-wheel/bin/python tests/wheel/minimal_install.py``.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
LOGS = ROOT / "examples" / "logs"
PACKAGES = {"panopt": "core/panopt", "panopt/plugins": "plugins", "panopt/shims": "shims"}


def demand(holds: bool, message: str) -> None:  # noqa: FBT001 - an assertion that -O keeps
    """End with the message unless it holds."""
    if not holds:
        sys.exit(f"minimal install: {message}")


def panopt(*args: str | Path) -> str:
    """Run the installed command in an empty folder and give what it printed."""
    program = Path(sys.executable).with_name("panopt")
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [program, *args], cwd=folder, capture_output=True, text=True, check=False, timeout=120
        )
    demand(
        done.returncode == 0,
        f"panopt {' '.join(map(str, args))} ended with {done.returncode}\n"
        f"{done.stdout}\n{done.stderr}",
    )
    return done.stdout


def check_files() -> None:
    """Every module and script is in the wheel, and it is the wheel that is imported."""
    spec = importlib.util.find_spec("panopt")
    demand(spec is not None and spec.origin is not None, "panopt is not installed")
    home = Path(str(spec and spec.origin)).parent
    demand(ROOT / "core" not in home.parents, f"panopt is imported from the checkout, {home}")
    for inside, source in PACKAGES.items():
        for path in sorted(p for end in ("py", "mjs") for p in (ROOT / source).rglob(f"*.{end}")):
            relative = path.relative_to(ROOT / source)
            if source == "core/panopt" and relative.parts[0] in {"plugins", "shims"}:
                continue
            demand((home.parent / inside / relative).is_file(), f"{source}/{relative} is not in it")


def check_dependencies() -> None:
    """No extra slipped in: neither Inspect nor a development tool is there."""
    for name in ("inspect_ai", "pytest", "pandas", "sklearn"):
        demand(importlib.util.find_spec(name) is None, f"{name} is installed")


def check_command() -> None:
    """The command helps, lists every entry point, and analyses both example logs."""
    demand("analyze" in panopt("--help"), "panopt --help does not name analyze")
    listed = panopt("plugins")
    for entry in importlib.metadata.entry_points(group="panopt"):
        demand(entry.name in listed, f"panopt plugins does not list {entry.name}")
    for name in ("hanna-complexity", "llmbar"):
        logs = sorted(LOGS.glob(f"{name}*.*"))
        demand(len(logs) > 0, f"no example log {name} in {LOGS}")
        labels = LOGS / "labels" / f"{name}.csv"
        report = json.loads(panopt("analyze", *logs, "--labels", labels, "--json"))
        demand(bool(report), f"the report of {name} is empty")


if __name__ == "__main__":
    check_files()
    check_dependencies()
    check_command()
    sys.stdout.write(f"minimal install: panopt {importlib.metadata.version('panopt')} works\n")
