"""Figures of what was found, as files that are the same bytes every time.

A figure is drawn from records alone and says in its caption what it shows, of how many labels and
at which level. matplotlib comes with ``pip install 'panopt[report]'`` and is imported when the
first figure is drawn.
"""

from __future__ import annotations

from panopt.plots.canvas import Plot, require_plotting
from panopt.plots.coverage import coverage_plot
from panopt.plots.methods import MethodPoint, methods_plot
from panopt.plots.reliability import reliability_plot
from panopt.plots.risk import AcceptedPoint, risk_coverage_plot

__all__ = [
    "AcceptedPoint",
    "MethodPoint",
    "Plot",
    "coverage_plot",
    "methods_plot",
    "reliability_plot",
    "require_plotting",
    "risk_coverage_plot",
]
