"""``python -m panopt`` is the command ``panopt``."""

from __future__ import annotations

from panopt.cli import main

if __name__ == "__main__":
    main()
