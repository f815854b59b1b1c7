"""Split conformal against crepes and MAPIE, and label sets against MAPIE, on the same data.

Run: python tests/benchmarks/bench_conformal.py (with crepes and mapie installed; without mapie its
lines are left out). Intervals and sets must be equal, or it stops.
"""

from __future__ import annotations

import importlib
import importlib.util
import time
import tracemalloc
from collections.abc import Callable
from functools import partial

import numpy as np
from crepes import ConformalRegressor
from numpy.typing import NDArray

from panopt.plugins.conformal import (
    label_sets,
    label_threshold,
    split_interval,
    split_threshold,
)

Floats = NDArray[np.float64]


def measured(work: Callable[[], object], repeats: int = 7) -> tuple[float, float]:
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


def ours(residuals: Floats, prediction: Floats) -> tuple[Floats, Floats]:
    """Calibrate and predict here."""
    bound = split_threshold(residuals, alpha=0.1)
    return split_interval(prediction, bound.value, scale_low=0.0, scale_high=1.0)


def theirs(residuals: Floats, prediction: Floats) -> Floats:
    """Calibrate and predict with crepes."""
    fitted = ConformalRegressor().fit(residuals)
    ends: Floats = fitted.predict_int(prediction, confidence=0.9, y_min=0.0, y_max=1.0)
    return ends


class Given:
    """A fitted model, to MAPIE, that answers what it is asked with."""

    def __init__(self, labels: int = 0) -> None:
        self.classes_ = np.arange(labels)

    def fit(self, X: Floats, y: Floats) -> Given:  # noqa: N803 - the interface
        """Learn nothing."""
        return self

    def predict(self, X: Floats) -> Floats:  # noqa: N803 - the interface
        """Give the only column, or the likeliest label."""
        return X.argmax(axis=1) if len(self.classes_) else X[:, 0]

    def predict_proba(self, X: Floats) -> Floats:  # noqa: N803 - the interface
        """Give the probabilities."""
        return X

    def __sklearn_is_fitted__(self) -> bool:
        """Be fitted."""
        return True


def mapie_intervals(residuals: Floats, prediction: Floats) -> Floats:
    """Calibrate and predict with MAPIE."""
    from sklearn.base import BaseEstimator, RegressorMixin

    regression = importlib.import_module("mapie.regression")
    model = type("Model", (Given, RegressorMixin, BaseEstimator), {})()
    peer = regression.SplitConformalRegressor(model, confidence_level=0.9, prefit=True)
    peer.conformalize(np.zeros((len(residuals), 1)), residuals)
    ends: Floats = peer.predict_interval(prediction[:, None])[1][:, :, 0]
    return np.clip(ends, 0.0, 1.0)


def mapie_sets(p: Floats, labels: NDArray[np.int64], new: Floats) -> NDArray[np.bool_]:
    """Calibrate and predict LAC sets with MAPIE."""
    from sklearn.base import BaseEstimator, ClassifierMixin

    classification = importlib.import_module("mapie.classification")
    model = type("Model", (Given, ClassifierMixin, BaseEstimator), {})(p.shape[1])
    peer = classification.SplitConformalClassifier(
        model, confidence_level=0.9, prefit=True, conformity_score="lac"
    )
    peer.conformalize(p, labels)
    sets: NDArray[np.bool_] = peer.predict_set(new)[1][:, :, 0]
    return sets


def our_sets(p: Floats, labels: NDArray[np.int64], new: Floats) -> NDArray[np.bool_]:
    """Calibrate and predict LAC sets here."""
    return label_sets(new, label_threshold(p, labels, alpha=0.1))


def line(what: str, mine: tuple[float, float], name: str, other: tuple[float, float]) -> None:
    """Print one comparison."""
    print(
        f"{what}: panopt {mine[0] * 1e3:7.2f} ms {mine[1]:6.1f} MB, {name} "
        f"{other[0] * 1e3:8.2f} ms {other[1]:6.1f} MB, ratio {other[0] / mine[0]:.1f} x"
    )


def main() -> None:
    """Print seconds, memory and the ratio at 1e4 and 1e6 responses."""
    rng = np.random.default_rng(0)
    with_mapie = importlib.util.find_spec("mapie") is not None
    for n in (10**4, 10**6):
        residuals, prediction = np.abs(rng.normal(0, 0.1, n)), rng.random(n)
        low, high = ours(residuals, prediction)
        mine = measured(partial(ours, residuals, prediction))
        for name, work in (("crepes", theirs), ("MAPIE", mapie_intervals)):
            if name == "MAPIE" and not with_mapie:
                continue
            peer = work(residuals, prediction)
            if not (np.allclose(low, peer[:, 0]) and np.allclose(high, peer[:, 1])):
                raise SystemExit(f"intervals differ from those of {name} at n = {n}")
            line(
                f"intervals, n = {n:>7}", mine, name, measured(partial(work, residuals, prediction))
            )
    if not with_mapie:
        return
    p = rng.dirichlet(np.ones(5), 200_000)
    labels = (p.cumsum(axis=1) < rng.random((len(p), 1))).sum(axis=1)
    half = len(p) // 2
    parts = p[:half], labels[:half], p[half:]
    if not np.array_equal(our_sets(*parts), mapie_sets(*parts)):
        raise SystemExit("label sets differ from those of MAPIE")
    line(
        f"LAC sets of 5 labels, n = {half}",
        measured(partial(our_sets, *parts)),
        "MAPIE",
        measured(partial(mapie_sets, *parts)),
    )


if __name__ == "__main__":
    main()
