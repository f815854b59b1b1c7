"""How much may be accepted at which risk: risk-coverage curves and what was certified on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from panopt.plots.canvas import COLOURS, Plot, drawn, percent_axis, readable, thinned
from panopt.stats.ranking import RiskCoverage

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["AcceptedPoint", "risk_coverage_plot"]

#: A curve of so few confidences shows each of them.
_FEW = 30

_DASHES = ("-", "--", "-.", ":", (0, (6, 2, 1, 2, 1, 2)), (0, (1, 3)))


@dataclass(frozen=True, slots=True)
class AcceptedPoint:
    """What a certificate accepts.

    Attributes
    ----------
    coverage
        Share of the labelled verdicts it accepts.
    risk, bound
        Share of errors among them; what the risk is at most.
    threshold, n, errors
        Least confidence accepted; labels at or above it, and errors among them.
    delta
        Probability that the bound does not hold.
    """

    coverage: float
    risk: float
    bound: float
    threshold: float
    n: int
    errors: int
    delta: float


def risk_coverage_plot(  # noqa: PLR0913 - a figure's parts
    curves: Mapping[str, RiskCoverage],
    *,
    alpha: float,
    name: str,
    subject: str,
    certified: AcceptedPoint | None = None,
    notes: Sequence[str] = (),
) -> Plot:
    """Draw the risk of accepting the surest verdicts, against how many that are.

    Parameters
    ----------
    curves
        Curves by whose confidence they are; the first has a band, its pointwise exact interval.
    alpha
        Risk tolerated.
    name, subject
        Stem of the file; what was judged, for the title.
    certified
        What a certificate accepts by the first curve's confidence.
    notes
        Sentences that end the caption.

    Raises
    ------
    ValueError
        For no curve, or a curve without a verdict.
    """
    if not curves or any(not len(curve.n) for curve in curves.values()):
        raise ValueError("a risk-coverage plot needs at least one curve, each of some verdicts")
    title = f"Risk of accepting the surest verdicts: {readable(subject, 40)}"
    first = next(iter(curves.values()))

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        for at, (whose, curve) in reversed(list(enumerate(curves.items()))):
            _curve(axes, at, readable(whose), curve)
        _band(axes, first)
        axes.axhline(alpha, color="black", linestyle=(0, (4, 3)), linewidth=1.2)
        axes.annotate(
            f"tolerated\n{100 * alpha:g}%",
            (1.0, alpha),
            (4, 0),
            textcoords="offset points",
            va="center",
            fontsize=8.5,
            annotation_clip=False,
        )
        if certified is not None:
            _point(axes, certified)
        axes.set(title=title, xlim=(0.0, 1.0), ylim=(0.0, _top(curves, alpha)))
        axes.set_xlabel(f"coverage: share of {int(first.n[-1]):,} labelled verdicts accepted")
        axes.set_ylabel("risk: share of accepted\nverdicts humans disagree with")
        percent_axis(axes, "both")
        handles, labels = axes.get_legend_handles_labels()
        lines = len(curves)  # drawn from the last to the first, and then the rest
        order = [*range(lines - 1, -1, -1), *range(lines, len(labels))]
        figure.legend(
            [handles[k] for k in order],
            [labels[k] for k in order],
            loc="outside lower left",
            ncols=2,
        )

    return drawn(name, title, _caption(curves, alpha, subject, certified, notes), paint)


def _curve(axes: Axes, at: int, whose: str, curve: RiskCoverage) -> None:
    points = thinned(curve.coverage)
    axes.plot(
        curve.coverage[points],
        curve.risk[points],
        color=COLOURS[at % len(COLOURS)],
        linestyle=_DASHES[at % len(_DASHES)],
        marker="o" if len(curve.n) <= _FEW else None,
        markersize=3.5,
        label=f"{whose}, {int(curve.n[-1]):,} labels",
    )


def _band(axes: Axes, curve: RiskCoverage) -> None:
    points = thinned(curve.coverage)
    axes.fill_between(
        curve.coverage[points],
        curve.low[points],
        curve.high[points],
        color=COLOURS[0],
        alpha=0.15,
        linewidth=0.0,
        label=f"its exact {curve.level:.0%} interval, of each point by itself",
    )


def _point(axes: Axes, certified: AcceptedPoint) -> None:
    reach = np.array([[0.0], [certified.bound - certified.risk]])
    axes.errorbar(
        [certified.coverage],
        [certified.risk],
        yerr=reach,
        color="black",
        marker="*",
        markersize=15,
        markeredgecolor="white",
        capsize=5,
        zorder=5,
        linestyle="none",
        label=f"certified, up to its bound {certified.bound:.3f}",
    )


def _top(curves: Mapping[str, RiskCoverage], alpha: float) -> float:
    """Show all risks and alpha, and of the band what stays near them."""
    first = next(iter(curves.values()))
    settled = first.coverage >= 0.1
    reach = [alpha, *(float(curve.risk.max()) for curve in curves.values())]
    if settled.any():
        reach.append(float(first.high[settled].max()))
    return min(1.15 * max(reach), 1.0)


def _caption(
    curves: Mapping[str, RiskCoverage],
    alpha: float,
    subject: str,
    certified: AcceptedPoint | None,
    notes: Sequence[str],
) -> str:
    told = [
        (
            f"Risk against coverage for {readable(subject, 80)}: share of verdicts that humans "
            "disagree with among the surest ones, as more are accepted."
        )
    ]
    ends = [
        f"{readable(whose)} {curve.risk[-1]:.3f} ({int(curve.n[-1]):,} labelled verdicts)"
        for whose, curve in curves.items()
    ]
    told.append(
        f"Where all are accepted: {', '.join(ends)}. The dashed line is the risk tolerated, "
        f"{alpha:g}."
    )
    first = next(iter(curves.values()))
    told.append(
        f"Band: exact {first.level:.0%} interval of each point by itself; a threshold picked by "
        "looking at it has no guarantee."
    )
    if certified is not None:
        told.append(
            f"Certified: confidence {certified.threshold:.3f} or more accepts "
            f"{certified.coverage:.1%} with {certified.errors} errors in {certified.n} labels; the "
            f"risk is at most {certified.bound:.3f}, with probability {1 - certified.delta:g}."
        )
    return " ".join([*told, *notes])
