"""What every test may ask for: the shared data folder and the real programs, or a visible skip."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import hypothesis
import pytest

ROOT = Path(__file__).parents[1]
PROMPTFOO_VERSIONS = ["0.121", "0.123"]
PROMPTFOO_SWITCHES = (
    "PROMPTFOO_DISABLE_TELEMETRY",
    "PROMPTFOO_DISABLE_UPDATE",
    "PROMPTFOO_DISABLE_REMOTE_GENERATION",
    "PROMPTFOO_DISABLE_SHARING",
)

# A machine shared with others is slow at times, which says nothing of the code.
# The suite asks the same questions each time; `--hypothesis-profile=explore` asks new ones.
hypothesis.settings.register_profile("panopt", deadline=None, derandomize=True)
hypothesis.settings.register_profile("explore", deadline=None)
hypothesis.settings.load_profile("panopt")

collect_ignore_glob = ["logs/*", "wheel/*"]  # logs and their scripts; what another Python runs


@dataclass(frozen=True, slots=True)
class Program:
    """A command line program and the environment it runs in."""

    version: str
    command: tuple[str, ...]
    environ: Mapping[str, str]

    def run(
        self, *args: str | Path, cwd: Path | None = None, check: bool = True, timeout: float = 180
    ) -> subprocess.CompletedProcess[str]:
        """Run it to its end; with `check`, an exit code other than 0 fails the test."""
        done = subprocess.run(
            [*self.command, *map(str, args)],
            cwd=cwd,
            env=dict(self.environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        if check and done.returncode != 0:
            pytest.fail(
                f"{self.command[0]} {' '.join(map(str, args))} ended with {done.returncode}\n"
                f"{done.stdout}\n{done.stderr}"
            )
        return done


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder of the shared data sets and logs; tests that need it skip where it is absent."""
    root = Path(os.environ.get("PANOPT_SHARED", ROOT.parent / "shared"))
    if not (root / "data").is_dir():
        pytest.skip(f"shared data not found at {root} (set PANOPT_SHARED)")
    return root


@pytest.fixture(params=PROMPTFOO_VERSIONS)
def promptfoo(request: pytest.FixtureRequest, tmp_path: Path) -> Program:
    """Each installed promptfoo in turn, with a database of its own and nothing sent anywhere."""
    version = str(request.param)
    modules = ROOT / ".tools" / f"promptfoo-{version}" / "node_modules"
    program = modules / ".bin" / "promptfoo"
    if not program.exists():
        pytest.skip(f"promptfoo {version} is not installed (make tools)")
    private_node = modules / "node" / "bin"
    path = [str(private_node)] if private_node.is_dir() else []
    environ = os.environ | dict.fromkeys(PROMPTFOO_SWITCHES, "1")
    environ |= {
        "PATH": os.pathsep.join([*path, str(Path(sys.executable).parent), os.environ["PATH"]]),
        "PROMPTFOO_CONFIG_DIR": str(tmp_path / f"promptfoo-{version}"),
        "PROMPTFOO_PYTHON": sys.executable,
        "NO_COLOR": "1",
    }
    return Program(version, (str(program),), environ)


@pytest.fixture
def inspect_cli(tmp_path: Path) -> Program:
    """Inspect's own command, logging into the test's folder."""
    program = Path(sys.executable).with_name("inspect")
    if not program.exists():
        pytest.skip("inspect-ai is not installed (pip install 'panopt[inspect]')")
    environ = os.environ | {
        "INSPECT_LOG_DIR": str(tmp_path / "inspect-logs"),
        "INSPECT_DISPLAY": "none",
        "NO_COLOR": "1",
    }
    return Program(importlib.metadata.version("inspect-ai"), (str(program),), environ)
