"""The command line: ``panopt analyze | plugins | demo``."""

from __future__ import annotations

from panopt.cli.app import main

__all__ = ["main"]
