"""What coverage conformal bounds really have, over random splits, beside the law it follows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from panopt.plots.canvas import COLOURS, Plot, drawn, percent_axis, readable
from panopt.stats.split_coverage import SplitCoverage

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["coverage_plot"]

#: About so many bars.
_BARS = 30


def coverage_plot(
    found: SplitCoverage, *, name: str, subject: str, notes: Sequence[str] = ()
) -> Plot:
    """Draw how often splits of the labelled responses had which coverage, and how often expected.

    Parameters
    ----------
    found
        From :func:`panopt.stats.split_coverage.split_coverage`.
    name, subject
        Stem of the file; what was judged.
    notes
        Sentences that end the caption.
    """
    splits, wanted = len(found.coverage), 1.0 - found.alpha
    title = f"Coverage of conformal intervals over splits: {readable(subject, 32)}"
    edges, seen, law = _bars(found)
    middle = (edges[1:] + edges[:-1]) / 2.0

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        axes.axvspan(
            found.law_low,
            found.law_high,
            color=COLOURS[4],
            alpha=0.15,
            linewidth=0.0,
            label="middle 95% of the law",
        )
        axes.bar(
            middle,
            seen,
            width=np.diff(edges) * 0.92,
            color=COLOURS[5],
            label=f"seen in {splits:,} splits",
        )
        axes.plot(
            middle,
            law,
            color=COLOURS[1],
            marker="o",
            markersize=3.5,
            label=f"law: beta-binomial, Beta({found.k}, {found.n + 1 - found.k})",
        )
        mean = float(found.coverage.mean())
        axes.axvline(mean, color=COLOURS[0], label=f"mean of the splits, {mean:.3f}")
        axes.axvline(wanted, color="black", linestyle=(0, (4, 3)), linewidth=1.2)
        axes.annotate(
            f"promised {wanted:g}",
            (wanted, 1.0),
            (-4, -2),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            ha="right",
            va="top",
            fontsize=8.5,
        )
        axes.set(title=title, ylabel="share of splits", xlim=(edges[0], edges[-1]))
        axes.set_xlabel(
            f"coverage: share of {found.m:,} held-out human scores inside the interval that "
            f"{found.n:,} labels give"
        )
        axes.set_ylim(0.0, 1.12 * float(max(seen.max(), law.max())))
        percent_axis(axes, "both")
        figure.legend(loc="outside lower left", ncols=2)

    return drawn(name, title, _caption(found, subject, notes), paint)


def _bars(found: SplitCoverage) -> tuple[NDArray[np.float64], ...]:
    """Give bars of as many possible shares each, and how often they are met and expected."""
    hits = np.rint(found.coverage * found.m).astype(np.int64)
    likely = np.flatnonzero(found.law > 1e-4 * found.law.max())
    first = int(min(hits.min(), likely[0]))
    last = int(max(hits.max(), likely[-1]))
    width = max(1, -(-(last - first + 1) // _BARS))
    starts = np.arange(first, last + 1, width)
    shares = np.bincount(hits, minlength=found.m + 1) / len(hits)
    edges = (np.append(starts, starts[-1] + width) - 0.5) / found.m

    def sums(x: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.add.reduceat(x[: starts[-1] + width], starts)

    return edges, sums(shares), sums(found.law)


def _caption(found: SplitCoverage, subject: str, notes: Sequence[str]) -> str:
    mean = float(found.coverage.mean())
    inside = np.mean((found.coverage >= found.law_low) & (found.coverage <= found.law_high))
    told = [
        (
            f"Coverage of split conformal intervals at {1 - found.alpha:g} for "
            f"{readable(subject, 80)}, over {len(found.coverage):,} random splits of "
            f"{found.n + found.m:,} labelled responses: {found.n:,} calibrate, {found.m:,} are "
            f"held out. Mean {mean:.3f}, promised at least {1 - found.alpha:g}, by the law "
            f"{found.expected:.3f}; "
            f"{inside:.1%} of the splits lie in the law's middle 95%, {found.law_low:.3f} to "
            f"{found.law_high:.3f}."
        )
    ]
    if found.distinct < 1.0:
        told.append(
            f"{found.distinct:.0%} of the residuals are distinct: tied ones are covered together, "
            "so coverage may lie above the law."
        )
    return " ".join([*told, *notes])
