"""Draw the README's figure: what `panopt analyze` prints of the promptfoo example, as SVG.

Run it again in the checkout::

    python examples/figure/make_figure.py
"""

from __future__ import annotations

import io
import re
from pathlib import Path

from rich.console import Console

import panopt
from panopt.cli.show import show_report

HERE = Path(__file__).parent
LOGS = Path("examples") / "logs"


def main() -> None:
    """Analyze the example and write ``panel.svg`` beside this script."""
    study = panopt.read(LOGS / "llmbar.json", labels=LOGS / "labels" / "llmbar.csv")
    console = Console(record=True, width=118, file=io.StringIO(), force_terminal=True)
    show_report(panopt.analyze(study), console)
    svg = console.export_svg(
        title="panopt analyze examples/logs/llmbar.json --labels examples/logs/labels/llmbar.csv",
        unique_id="panopt",
    )
    # No web fonts: the reader's own monospace serves.
    svg = re.sub(r"@font-face\s*\{.*?\}\s*", "", svg, flags=re.DOTALL)
    (HERE / "panel.svg").write_text(svg, encoding="utf-8")


if __name__ == "__main__":
    main()
