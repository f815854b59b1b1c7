"""The sheet that every figure is drawn on: its colours, its words, and bytes that never change."""

from __future__ import annotations

import io
import unicodedata
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from panopt.errors import AskError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "COLOURS",
    "GREY",
    "MARKERS",
    "Plot",
    "drawn",
    "percent_axis",
    "readable",
    "require_plotting",
    "thinned",
]

Format = Literal["svg", "png"]

#: Okabe & Ito's colours, told apart by colour-blind readers; never the only difference.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
GREY = "#6b6b6b"
MARKERS = ("o", "s", "^", "D", "v", "P", "X")

#: A curve of more points than this is drawn by as many of them.
MOST_POINTS = 400

#: A README shows about 830 pixels; one inch is 100 of them.
PIXELS_PER_INCH = 100

_STYLE: dict[str, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": GREY,
    "axes.grid": True,
    "axes.labelsize": 10.0,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 11.0,
    "figure.dpi": PIXELS_PER_INCH,
    "figure.facecolor": "white",
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same everywhere
    "font.size": 9.5,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.8,
    "legend.fontsize": 9.0,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "savefig.dpi": 2 * PIXELS_PER_INCH,
    "svg.fonttype": "path",
    "svg.hashsalt": "panopt",
    "text.parse_math": False,  # a judge's name may hold a dollar sign
    "xtick.color": GREY,
    "xtick.labelcolor": "black",
    "ytick.color": GREY,
    "ytick.labelcolor": "black",
}


@dataclass(frozen=True, slots=True)
class Plot:
    """One figure.

    Attributes
    ----------
    name
        Stem of its file.
    title, caption
        What it is, in a few words; what it shows, for those who see it and those who cannot.
    svg, png
        The figure.
    """

    name: str
    title: str
    caption: str
    svg: bytes
    png: bytes


def require_plotting() -> None:
    """Refuse to draw where there is nothing to draw with.

    Raises
    ------
    AskError
        Where matplotlib is not installed.
    """
    if find_spec("matplotlib") is None:
        raise AskError(
            "plots need matplotlib, which is not installed: pip install 'panopt[report]'"
        )


def drawn(
    name: str,
    title: str,
    caption: str,
    paint: Callable[[Figure], None],
    *,
    size: tuple[float, float] = (8.0, 4.6),
) -> Plot:
    """Draw one figure; no state of matplotlib's is used or left changed.

    Parameters
    ----------
    name, title, caption
        As in :class:`Plot`.
    paint
        Draws on an empty figure.
    size
        Width and height in inches of 100 pixels.
    """
    require_plotting()
    from matplotlib import style  # noqa: PLC0415 - only when drawn
    from matplotlib.figure import Figure  # noqa: PLC0415

    # the default first: the user's own matplotlibrc has no part in a figure
    with warnings.catch_warnings(), style.context(["default", _STYLE]):
        # a letter that the font lacks is drawn as a box; the caption holds it
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure = Figure(figsize=size, layout="constrained")
        paint(figure)
        return Plot(name, title, caption, *(_bytes(figure, kind, title) for kind in ("svg", "png")))


def _bytes(figure: Figure, kind: Format, title: str) -> bytes:
    told: dict[str, str | None] = {"Title": title}
    told |= {"Date": None, "Creator": None} if kind == "svg" else {"Software": None}
    out = io.BytesIO()
    figure.savefig(out, format=kind, metadata=told)
    return out.getvalue()


def readable(text: str, most: int = 32) -> str:
    r"""Make a name out of logs fit for a figure: one line, nothing that steers, not too long.

    Examples
    --------
    >>> readable("judge\x1b[31m\n7"), readable("x" * 40, 6)
    ('judge [31m 7', 'xxxxx…')
    """
    kept = "".join(" " if unicodedata.category(char)[0] in "CZ" else char for char in text)
    line = " ".join(kept.split())
    return line if len(line) <= most else line[: most - 1] + "…"


def thinned(x: NDArray[np.float64], most: int = MOST_POINTS) -> NDArray[np.intp]:
    """Choose points of a rising row, at most so many, spread evenly, with both ends.

    Examples
    --------
    >>> thinned(np.linspace(0, 1, 1001), 3).tolist()
    [0, 500, 1000]
    """
    if len(x) <= most:
        return np.arange(len(x))
    wanted = np.linspace(x[0], x[-1], most)
    return np.unique(np.searchsorted(x, wanted).clip(0, len(x) - 1))


def percent_axis(axes: Axes, which: Literal["x", "y", "both"]) -> None:
    """Show shares as percent."""
    from matplotlib.ticker import PercentFormatter  # noqa: PLC0415 - only when drawn

    for axis in (axes.xaxis,) * (which != "y") + (axes.yaxis,) * (which != "x"):
        axis.set_major_formatter(PercentFormatter(xmax=1.0))
