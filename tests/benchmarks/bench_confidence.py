"""AUROC, Brier, ECE and recalibration against scikit-learn and venn-abers, in the same run.

Numbers must agree before times are compared. Run: python tests/benchmarks/bench_confidence.py
"""

from __future__ import annotations

import time
import tracemalloc
import warnings
from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray
from sklearn.calibration import calibration_curve
from sklearn.isotonic import IsotonicRegression
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score
from venn_abers import VennAbers

from panopt.plugins.confidence import (
    auroc,
    average_precision,
    brier_score,
    reliability_curve,
)
from panopt.plugins.recalibration import fit_isotonic, fit_venn_abers
from panopt.stats.scored import scored

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


def timed(work: Callable[[], object], repeats: int = 3) -> tuple[float, float]:
    """Give least CPU seconds and peak MB of a call."""
    work()
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        seconds.append(time.process_time() - start)
    tracemalloc.start()
    work()
    peak = tracemalloc.get_traced_memory()[1] / 2**20
    tracemalloc.stop()
    return min(seconds), peak


def told(name: str, ours: Callable[[], object], theirs: Callable[[], object]) -> None:
    """Print a ratio."""
    (mine, mb), (other, their_mb) = timed(ours), timed(theirs)
    print(
        f"{name:34} {mine * 1e3:9.2f} ms {mb:6.1f} MB   peer {other * 1e3:9.2f} ms "
        f"{their_mb:6.1f} MB   {other / mine:7.1f} x"
    )


def ours_isotonic(x: Floats, y: Flags) -> object:
    """Fit this package's isotonic map."""
    return fit_isotonic(scored(x, y))


def agree(name: str, ours: float | None, theirs: float, within: float = 1e-8) -> None:
    """Stop where a number differs from the peer's."""
    if ours is None or abs(ours - theirs) > within:
        raise SystemExit(f"{name}: {ours} and {theirs} differ")


def package(x: Floats, y: Flags, new: Floats) -> Floats:
    """Give the merged probability of the venn-abers package."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        calibrator = VennAbers()
        calibrator.fit(np.column_stack((1 - x, x)), y.astype(float))
        merged = calibrator.predict_proba(np.column_stack((1 - new, new)))[0][:, 1]
    return np.asarray(merged)


def ours_venn_abers(x: Floats, y: Flags, new: Floats) -> Floats:
    """Give our merged probability."""
    return fit_venn_abers(scored(x, y)).predict(new)


def main() -> None:
    """Print seconds, memory and ratios."""
    rng = np.random.default_rng(0)
    n = 10**6
    for kind, x in (("vote shares", rng.integers(0, 6, n) / 5), ("continuous", rng.random(n))):
        y = rng.random(n) < x
        agree("AUROC", auroc(x, y).value, roc_auc_score(y, x))
        told(f"AUROC + interval, {kind}", partial(auroc, x, y), partial(roc_auc_score, y, x))
        agree("AUPRC", average_precision(x, y).value, average_precision_score(y, x))
        told(
            f"AUPRC + interval, {kind}",
            partial(average_precision, x, y),
            partial(average_precision_score, y, x),
        )
        agree("Brier", brier_score(x, y).value, brier_score_loss(y, x))
        told(f"Brier + parts, {kind}", partial(brier_score, x, y), partial(brier_score_loss, y, x))
        curve = reliability_curve(x, y)
        for ours, theirs in zip(
            (curve.accuracy, curve.confidence), calibration_curve(y, x, n_bins=10), strict=True
        ):
            agree("curve", float(np.abs(ours - theirs).max()), 0.0)
        told(
            f"reliability curve + bands, {kind}",
            partial(reliability_curve, x, y),
            partial(calibration_curve, y, x, n_bins=10),
        )
        theirs_fit = IsotonicRegression(out_of_bounds="clip")
        expected = theirs_fit.fit(x, y).predict(x[:1000])
        found = fit_isotonic(scored(x, y)).predict(x[:1000])
        agree("isotonic", float(np.abs(found - expected).max()), 0.0)
        told(
            f"isotonic, {kind}",
            partial(ours_isotonic, x, y),
            partial(theirs_fit.fit, x, y),
        )
    x = rng.random(2000)
    y, new = rng.random(2000) < x, rng.random(2000)
    gap = np.abs(ours_venn_abers(x, y, new) - package(x, y, new)).max()
    agree("Venn-Abers", float(gap), 0.0)
    told(
        "Venn-Abers, 2000 labels and 2000 new",
        partial(ours_venn_abers, x, y, new),
        partial(package, x, y, new),
    )


if __name__ == "__main__":
    main()
