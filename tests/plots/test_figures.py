"""Figures show the numbers they are drawn from, say so in words, and are the same bytes always."""

from __future__ import annotations

import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure

from panopt.errors import AskError
from panopt.plots import (
    AcceptedPoint,
    MethodPoint,
    Plot,
    coverage_plot,
    methods_plot,
    reliability_plot,
    require_plotting,
    risk_coverage_plot,
)
from panopt.plots.canvas import drawn, readable, thinned
from panopt.stats.certify import certify_threshold
from panopt.stats.ranking import risk_coverage
from panopt.stats.scoring import reliability_curve
from panopt.stats.split_coverage import split_coverage

RNG = np.random.default_rng(0)
CONFIDENCE = RNG.uniform(0.5, 1.0, 300)
AGREES = RNG.random(300) < CONFIDENCE
METHODS = (
    MethodPoint("no selection", guaranteed=False, coverage=1.0, success=0.0, low=0.0, high=0.02),
    MethodPoint("joint path", guaranteed=True, coverage=0.7, success=0.95, low=0.93, high=0.97),
)


def accepted() -> AcceptedPoint:
    found = certify_threshold(CONFIDENCE, AGREES, alpha=0.2)
    return AcceptedPoint(
        found.n / found.n_labels,
        found.errors / found.n,
        found.bound,
        found.threshold,
        found.n,
        found.errors,
        found.delta,
    )


def risk(subject: str = "helpful") -> Plot:
    curves = {
        "the panel": risk_coverage(CONFIDENCE, AGREES),
        "judge": risk_coverage(CONFIDENCE.round(1), AGREES),
    }
    return risk_coverage_plot(curves, alpha=0.2, name="x", subject=subject, certified=accepted())


def reliability() -> Plot:
    return reliability_plot(reliability_curve(CONFIDENCE, AGREES), name="x", subject="helpful")


def coverage() -> Plot:
    rng = np.random.default_rng(3)
    return coverage_plot(split_coverage(rng.random(200), rng=rng), name="x", subject="helpful")


def methods() -> Plot:
    return methods_plot({"a": METHODS, "b": METHODS}, delta=0.1, name="x", title="t", caption="c.")


FIGURES = [risk, reliability, coverage, methods]


@pytest.mark.parametrize("make", FIGURES)
def test_a_figure_is_the_same_bytes_and_tells_of_no_day_or_program(
    make: Callable[[], Plot],
) -> None:
    one, two = make(), make()
    assert one == two
    assert one.png.startswith(b"\x89PNG")
    ET.fromstring(one.svg)  # noqa: S314 - ours
    for content in (one.svg, one.png):
        assert b"http://purl.org/dc/terms/date" not in content
        assert b"<dc:date>" not in content
        assert b"Matplotlib v" not in content
        assert b"Software" not in content
    assert one.title.encode() in one.svg
    assert len(one.svg) < 300_000


def test_another_process_draws_the_same_bytes(tmp_path: Path) -> None:
    (tmp_path / "matplotlibrc").write_text("font.size: 30\naxes.facecolor: red\n")
    code = (
        "import sys, numpy as np\n"
        "from panopt.plots import reliability_plot\n"
        "from panopt.stats.scoring import reliability_curve\n"
        "rng = np.random.default_rng(0)\n"
        "c = rng.uniform(0.5, 1.0, 300)\n"
        "curve = reliability_curve(c, rng.random(300) < c)\n"
        "sys.stdout.buffer.write(reliability_plot(curve, name='x', subject='helpful').svg)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, check=True
    )
    assert done.stdout == reliability().svg


def test_drawing_leaves_the_settings_of_matplotlib_as_they_were() -> None:
    before = dict(mpl.rcParams)
    mpl.rcParams["font.size"] = 7.0
    try:
        risk()
        assert mpl.rcParams["font.size"] == 7.0
    finally:
        mpl.rcParams["font.size"] = before["font.size"]
    assert dict(mpl.rcParams) == before


def test_captions_hold_the_numbers() -> None:
    point, told = accepted(), risk().caption
    assert f"confidence {point.threshold:.3f} or more accepts {point.coverage:.1%}" in told
    assert f"{point.errors} errors in {point.n} labels" in told
    assert f"at most {point.bound:.3f}, with probability 0.9" in told
    assert f"the panel {np.mean(~AGREES):.3f} (300 labelled verdicts)" in told
    assert "no guarantee" in told
    curve = reliability_curve(CONFIDENCE, AGREES)
    told = reliability().caption
    assert "300 labelled verdicts in 5 bins" in told
    for says, right in zip(curve.confidence, curve.accuracy, strict=True):
        assert f"says {says:.2f}, is right {right:.2f}" in told
    rng = np.random.default_rng(3)
    found = split_coverage(rng.random(200), rng=rng)
    told = coverage().caption
    assert f"Mean {found.coverage.mean():.3f}, promised at least 0.9, by the law 0.901" in told
    assert "100 calibrate, 100 are held out" in told
    assert "joint path accepts 70.0% and succeeds in 95.0%" in methods().caption


def seen(make: Callable[[], Plot], monkeypatch: pytest.MonkeyPatch) -> Figure:
    """Give the figure itself."""
    kept: list[Figure] = []
    save = Figure.savefig

    def savefig(self: Figure, *args: object, **options: object) -> None:
        kept.append(self)
        save(self, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Figure, "savefig", savefig)
    make()
    return kept[0]


def test_lines_are_the_curves_and_the_point_lies_on_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    axes = seen(risk, monkeypatch).axes[0]
    curve = risk_coverage(CONFIDENCE, AGREES)
    lines = {str(line.get_label()): line for line in axes.get_lines()}
    panel = lines["the panel, 300 labels"]
    assert np.asarray(panel.get_xdata()) == pytest.approx(curve.coverage)
    assert np.asarray(panel.get_ydata()) == pytest.approx(curve.risk)
    point = accepted()
    at = int(np.flatnonzero(np.isclose(curve.coverage, point.coverage))[0])
    assert curve.risk[at] == pytest.approx(point.risk)
    assert curve.threshold[at] >= point.threshold
    for axis in (axes.get_xlabel(), axes.get_ylabel()):
        assert "share" in axis
    assert axes.get_ylim()[1] >= curve.risk.max()


def test_bars_of_coverage_are_shares_and_so_is_the_law(monkeypatch: pytest.MonkeyPatch) -> None:
    axes = seen(coverage, monkeypatch).axes[0]
    heights = [patch.get_height() for patch in axes.containers[0]]
    assert sum(heights) == pytest.approx(1.0)
    law = next(line for line in axes.get_lines() if "law" in str(line.get_label()))
    assert np.sum(law.get_ydata()) == pytest.approx(1.0, abs=1e-3)


def test_names_out_of_logs_steer_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    hostile = "a$_{b}$ <svg> --> \x1b[31m 判断 " + "x" * 100
    plot = risk(hostile)
    ET.fromstring(plot.svg)  # noqa: S314 - ours
    assert b"\x1b" not in plot.svg
    assert "\x1b" not in plot.caption
    title = seen(lambda: risk(hostile), monkeypatch).axes[0].get_title(loc="left")
    assert title.endswith("…")
    assert "$_{b}$" in title
    assert len(readable(hostile)) == 32


def test_many_points_make_no_large_file() -> None:
    rng = np.random.default_rng(0)
    c = rng.random(100_000)
    curve = risk_coverage(c, rng.random(100_000) < c)
    plot = risk_coverage_plot({"the panel": curve}, alpha=0.2, name="x", subject="y")
    assert len(plot.svg) < 150_000
    kept = thinned(curve.coverage)
    assert kept[[0, -1]].tolist() == [0, 99_999]
    assert len(kept) == 400
    assert np.diff(curve.coverage[kept]).max() < 0.01


def test_one_verdict_and_a_curve_of_one_bin_can_be_drawn() -> None:
    one = risk_coverage([1.0], [1])
    risk_coverage_plot({"the panel": one}, alpha=0.1, name="x", subject="y")
    reliability_plot(reliability_curve([1.0], [1]), name="x", subject="y")


def test_bad_input_is_refused_by_name() -> None:
    nothing = risk_coverage([], [])
    with pytest.raises(ValueError, match="needs at least one curve, each of some verdicts"):
        risk_coverage_plot({"the panel": nothing}, alpha=0.1, name="x", subject="y")
    with pytest.raises(ValueError, match="needs at least one bin"):
        reliability_plot(reliability_curve([], []), name="x", subject="y")
    with pytest.raises(ValueError, match="one to four sets, not 0"):
        methods_plot({}, delta=0.1, name="x", title="t", caption="c")


def test_without_matplotlib_the_mend_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("panopt.plots.canvas.find_spec", lambda name: None)
    with pytest.raises(AskError, match=r"pip install 'panopt\[report\]'"):
        require_plotting()
    with pytest.raises(AskError, match="plots need matplotlib"):
        drawn("x", "t", "c", lambda figure: None)
