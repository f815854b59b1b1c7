"""Which ways of trusting judges keep their promise, and how much each accepts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import TYPE_CHECKING

from panopt.plots.canvas import COLOURS, GREY, MARKERS, Plot, drawn, percent_axis, readable

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["MethodPoint", "methods_plot"]


@dataclass(frozen=True, slots=True)
class MethodPoint:
    """One method in the replays.

    Attributes
    ----------
    method, guaranteed
        Its name; whether it promises anything.
    coverage
        Mean share accepted.
    success, low, high
        Share of replays in which the risk stayed within alpha, and its interval.
    """

    method: str
    guaranteed: bool
    coverage: float
    success: float
    low: float
    high: float


def methods_plot(
    panels: Mapping[str, Sequence[MethodPoint]],
    *,
    delta: float,
    name: str,
    title: str,
    caption: str,
) -> Plot:
    """Draw how often each method kept the risk within alpha, against how much it accepted.

    Parameters
    ----------
    panels
        Methods of each set of labelled items, the same methods in the same order where several
        sets have them; at most four.
    delta
        Share of replays in which a promise may fail.
    name, title, caption
        As in :class:`panopt.plots.canvas.Plot`; the numbers of each method are added.

    Raises
    ------
    ValueError
        For no set, more than four, or a set without a method.
    """
    if not 1 <= len(panels) <= 4 or not all(panels.values()):
        raise ValueError(f"a plot of methods takes one to four sets, not {len(panels)}")
    every = [one for part in panels.values() for one in part]
    order = list(dict.fromkeys(one.method for one in every))
    promises = dict.fromkeys(one.method for one in every if one.guaranteed)
    colours = dict(zip(promises, cycle(COLOURS), strict=False))

    def paint(figure: Figure) -> None:
        grid = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        for axes, (subject, part) in zip(grid, panels.items(), strict=True):
            _panel(axes, part, (order, colours), delta)
            axes.set_title(readable(subject, 44 if len(panels) == 1 else 34))
            axes.set_xlabel("coverage: share accepted")
        grid[0].set_ylabel("success: replays with the risk\nwithin what is tolerated")
        seen: dict[str, Artist] = {}
        for axes in grid:
            for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
                seen.setdefault(label, handle)
        labels = sorted(seen, key=lambda label: order.index(label.split(", ")[0]))
        figure.legend([seen[label] for label in labels], labels, loc="outside lower left", ncols=3)

    told = " ".join([caption, *(_numbers(subject, part) for subject, part in panels.items())])
    width = 8.0 if len(panels) < 3 else 9.6
    return drawn(name, title, told, paint, size=(width, 4.4))


def _panel(
    axes: Axes,
    part: Sequence[MethodPoint],
    look: tuple[Sequence[str], Mapping[str, str]],
    delta: float,
) -> None:
    order, colours = look
    axes.axhspan(1.0 - delta, 1.04, color=COLOURS[2], alpha=0.10, linewidth=0.0)
    axes.axhline(1.0 - delta, color="black", linestyle=(0, (4, 3)), linewidth=1.2)
    axes.annotate(
        f"promised: {1.0 - delta:.0%}",
        (0.0, 1.0 - delta),
        (2, -4),
        textcoords="offset points",
        va="top",
        fontsize=8.5,
    )
    for one in part:
        at = order.index(one.method)
        colour = colours[one.method] if one.guaranteed else GREY
        axes.errorbar(
            [one.coverage],
            [one.success],
            yerr=[[max(one.success - one.low, 0.0)], [max(one.high - one.success, 0.0)]],
            color=colour,
            marker=MARKERS[at % len(MARKERS)],
            markersize=9,
            markerfacecolor=colour if one.guaranteed else "white",
            markeredgewidth=1.6,
            linestyle="none",
            capsize=3,
            clip_on=False,
            zorder=4 if one.guaranteed else 3,
            label=one.method if one.guaranteed else f"{one.method}, no promise",
        )
    axes.set(xlim=(-0.03, 1.03), ylim=(-0.04, 1.04))
    percent_axis(axes, "both")


def _numbers(subject: str, part: Sequence[MethodPoint]) -> str:
    each = "; ".join(
        f"{one.method} accepts {one.coverage:.1%} and succeeds in {one.success:.1%}" for one in part
    )
    return f"{readable(subject, 80)}: {each}."
