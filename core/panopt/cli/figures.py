"""Option ``--plots``: figures of what was found, and a word for each that cannot be drawn."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from panopt.plots.drawing import Drawing
    from panopt.records.study import Study

__all__ = ["Plots", "check_plots", "save_plots"]

Plots = Annotated[
    Path | None, typer.Option(help="Folder for figures (SVG) and plots.md, which explains them.")
]


def check_plots(folder: Path | None) -> None:
    """Refuse figures before work starts where there is nothing to draw them with."""
    from panopt.plots.canvas import require_plotting  # noqa: PLC0415 - a fast start

    if folder is not None:
        require_plotting()


def save_plots(
    drawing: Drawing, folder: Path, study: Study, *, overwrite: bool, console: Console
) -> None:
    """Write the figures beside what is there, and say what was written and what could not be."""
    from panopt.cli.show import show_written  # noqa: PLC0415 - a fast start
    from panopt.cli.text import shown  # noqa: PLC0415
    from panopt.plots.drawing import write_plots  # noqa: PLC0415

    keep = [source.location for source in study.sources]
    show_written(write_plots(drawing, folder, keep=keep, overwrite=overwrite), console)
    for text in drawing.missing:
        console.print(shown(f"no figure: {text}", "dim", longest=1000))
