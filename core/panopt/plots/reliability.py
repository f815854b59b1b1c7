"""Whether a stated confidence is the share of right verdicts: the reliability curve."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from panopt.plots.canvas import COLOURS, GREY, Plot, drawn, percent_axis, readable
from panopt.stats.scoring import ReliabilityCurve

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["reliability_plot"]


def reliability_plot(
    curve: ReliabilityCurve,
    *,
    name: str,
    subject: str,
    whose: str = "the panel",
    notes: Sequence[str] = (),
) -> Plot:
    """Draw the share of right verdicts against confidence, with how many labels each bin has.

    Parameters
    ----------
    curve
        From :func:`panopt.stats.scoring.reliability_curve`.
    name, subject, whose
        Stem of the file; what was judged; whose confidence it is.
    notes
        Sentences that end the caption.

    Raises
    ------
    ValueError
        For a curve without a bin.
    """
    if not curve.n.size:
        raise ValueError("a reliability plot needs at least one bin of labelled verdicts")
    n = int(curve.n.sum())
    title = f"Is {readable(whose)} as often right as it says? {readable(subject, 32)}"

    def paint(figure: Figure) -> None:
        top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
        _shares(top, curve)
        start = float(min(curve.left.min(), curve.confidence.min()))
        top.set(title=title, ylabel="share right", ylim=(-0.02, 1.02), xlim=(start - 0.02, 1.02))
        bottom.bar(
            (curve.left + curve.right) / 2.0,
            curve.n,
            width=np.maximum(curve.right - curve.left, 0.004) * 0.92,
            color=GREY,
        )
        for x, count in zip((curve.left + curve.right) / 2.0, curve.n, strict=True):
            bottom.annotate(
                f"{int(count):,}",
                (x, count),
                (0, 2),
                textcoords="offset points",
                ha="center",
                fontsize=8,
            )
        bottom.set(ylim=(0.0, 1.35 * float(curve.n.max())), ylabel="labels")
        bottom.set_xlabel(f"confidence that {readable(whose)} has in its verdict")
        bottom.grid(visible=False)
        percent_axis(top, "y")
        percent_axis(bottom, "x")
        figure.legend(loc="outside lower left", ncols=3)

    return drawn(name, title, _caption(curve, n, subject, whose, notes), paint, size=(8.0, 5.2))


def _shares(axes: Axes, curve: ReliabilityCurve) -> None:
    axes.vlines(
        curve.confidence,
        curve.band_low,
        curve.band_high,
        color=COLOURS[5],
        linewidth=6,
        alpha=0.55,
        label=f"{curve.level:.0%} band of all bins at once",
    )
    axes.errorbar(
        curve.confidence,
        curve.accuracy,
        yerr=np.maximum([curve.accuracy - curve.low, curve.high - curve.accuracy], 0.0),
        color=COLOURS[0],
        marker="o",
        markersize=6,
        capsize=3,
        linewidth=1.2,
        label=f"share right, {curve.level:.0%} interval",
    )
    axes.plot(
        [0, 1],
        [0, 1],
        color="black",
        linestyle=(0, (4, 3)),
        linewidth=1.2,
        label="as often right as it says",
    )


def _caption(
    curve: ReliabilityCurve, n: int, subject: str, whose: str, notes: Sequence[str]
) -> str:
    bins = "; ".join(
        f"says {says:.2f}, is right {right:.2f} [{low:.2f}, {high:.2f}] of {int(count):,}"
        for says, right, low, high, count in zip(
            curve.confidence, curve.accuracy, curve.low, curve.high, curve.n, strict=True
        )
    )
    told = [
        (
            "Share of verdicts that humans agree with against the confidence of "
            f"{readable(whose)}, for {readable(subject, 80)}: {n:,} labelled verdicts in "
            f"{curve.n.size} bins of equal width. By bin: {bins}."
        ),
        (
            f"Intervals: {curve.method}, {curve.level:.0%}, of each bin by itself; the band holds "
            "all bins at once. On the dashed line confidence is calibrated."
        ),
    ]
    return " ".join([*told, *notes])
