"""Print the folder of the files that a promptfoo config names, or the path of one of them."""

from __future__ import annotations

import sys
from pathlib import Path

FILES = ("hook.mjs", "scoring.mjs", "scoring.py", "jury_provider.py")


def main(wanted: list[str]) -> int:
    """Print the folder, or the paths of the files asked for, one a line."""
    folder = Path(__file__).parent.resolve()
    unknown = [name for name in wanted if name not in FILES]
    if unknown:
        sys.stderr.write(f"{unknown[0]!r} is none of {', '.join(FILES)}\n")
        return 2
    for path in [folder / name for name in wanted] or [folder]:
        sys.stdout.write(f"{path.as_posix()}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
