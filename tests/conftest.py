"""What every test may ask for: the shared data folder, found or visibly skipped."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

collect_ignore_glob = ["logs/*"]  # logs and the scripts that made them


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder of the shared data sets and logs; tests that need it skip where it is absent."""
    root = Path(os.environ.get("PANOPT_SHARED", Path(__file__).parents[1].parent / "shared"))
    if not (root / "data").is_dir():
        pytest.skip(f"shared data not found at {root} (set PANOPT_SHARED)")
    return root
