"""What cannot be is refused by name, before a wrong promise is made of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from panopt.plugins import conformal
from panopt.stats.conformal_sets import left_out_coverage

NAN, INF = np.nan, np.inf
ROWS = {"value": np.ones(4), "scores": np.ones((4, 2)), "spread": np.ones(4), "human": np.ones(4)}
PLUS = {"residuals": [1.0] * 6, "fold": [0, 1] * 3, "predicted": np.ones((2, 3))}
RISK = {"losses": np.zeros((30, 2)), "settings": [0.0, 1.0], "alpha": 0.2}
CASES: list[tuple[str, dict[str, Any], str]] = [
    ("split_interval", {"threshold": -0.1}, r"threshold = -0.1 must be one number, not negative"),
    ("split_interval", {"threshold": NAN}, r"threshold = nan must be one number"),
    ("split_interval", {"threshold": [1.0, 2.0]}, r"threshold = .* must be one number"),
    ("split_interval", {"spread": [1.0]}, r"spread of shape \(1,\) must have that of prediction"),
    ("split_interval", {"spread": [1.0, 0.0]}, r"spread must be positive"),
    ("split_interval", {"prediction": [INF, 0.0]}, r"prediction must be finite"),
    ("ordinal_levels", {"low": [0.0]}, r"low and high differ in shape: \(1,\) and \(2,\)"),
    ("ordinal_levels", {"levels": [0.0, NAN]}, r"levels must be one row .* all of them finite"),
    ("ordinal_levels", {"levels": [1.0, 0.0]}, r"levels must be one rising row"),
    ("choose_spread", {"residuals": [INF] * 30}, r"residuals and spread must be finite"),
    ("choose_spread", {"residuals": [-1.0] * 30}, r"residuals not negative"),
    ("choose_spread", {"spread": [INF] * 30}, r"residuals and spread must be finite"),
    ("choose_spread", {"least_gain": NAN}, r"least_gain = nan must be a share below 1"),
    ("plan_intervals", {"rows": [0, 0]}, r"rows must name each response once"),
    ("plan_intervals", {"rows": [-1]}, r"rows must be one row of whole numbers in 0..3"),
    ("plan_intervals", {"rows": [0.5]}, r"rows must be one row of whole numbers"),
    ("plan_intervals", {"rows": [[0]]}, r"rows must be one row of whole numbers"),
    ("plan_intervals", {"rows": [4]}, r"rows must be one row of whole numbers"),
    ("plan_intervals", {"rows": [NAN]}, r"rows must be one row of whole numbers"),
    ("plan_intervals", {"value": [INF, 1, 1, 1]}, r"value and human must be finite"),
    ("mondrian_threshold", {"least": NAN}, r"least = nan must be a number of labels"),
    ("mondrian_threshold", {"groups": [["a"], ["b", "c"]]}, r"groups must be an array of labels"),
    ("cv_plus_interval", {"residuals": [-1.0] * 6}, r"residuals not negative"),
    ("cv_plus_interval", {"residuals": [INF] * 6}, r"residuals and predicted must be finite"),
    ("cv_plus_interval", {"predicted": np.full((2, 3), INF)}, r"predicted must be finite"),
    ("cv_plus_interval", {"predicted": np.ones((3, 3))}, r"predicted has 3 rows: each must be of"),
    ("cv_plus", {"features": np.full((6, 2), INF)}, r"features and new_features must be finite"),
    ("adaptive_conformal", {"window": 2.5}, r"window = 2.5 must be a whole number from 1 on"),
    ("adaptive_conformal", {"window": INF}, r"window = inf must be a whole number from 1 on"),
    ("adaptive_conformal", {"calibration": [NAN]}, r"calibration must be one row of residuals"),
    ("adaptive_conformal", {"calibration": [[1.0]]}, r"calibration must be one row of residuals"),
    ("risk_controlling_setting", {"delta": 0.0}, r"delta = 0.0 must lie strictly between 0 and 1"),
    ("risk_controlling_setting", {"delta": INF}, r"delta = inf must lie strictly between 0 and 1"),
    ("label_sets", {"threshold": [0.1, 0.2]}, r"threshold = .* must be one number"),
    ("weighted_threshold", {"weights": [INF] * 3}, r"weights must be finite and not negative"),
]
RIGHT: dict[str, dict[str, Any]] = {
    "split_interval": {
        "prediction": [0.1, 0.2],
        "threshold": 0.1,
        "scale_low": 0.0,
        "scale_high": 1.0,
    },
    "ordinal_levels": {"low": [0.0, 0.1], "high": [0.2, 0.3], "levels": [0.0, 1.0]},
    "choose_spread": {"residuals": [0.1] * 30, "spread": [1.0] * 30},
    "plan_intervals": {**ROWS, "rows": [0, 1]},
    "mondrian_threshold": {"residuals": [0.1, 0.2], "groups": ["a", "b"]},
    "cv_plus_interval": {**PLUS, "alpha": 0.3},
    "cv_plus": {"features": np.eye(6)[:, :2], "human": np.arange(6), "new_features": np.eye(2)},
    "adaptive_conformal": {"residuals": [0.1, 0.2]},
    "risk_controlling_setting": RISK,
    "label_sets": {"probabilities": [[0.5, 0.5]], "threshold": 0.5},
    "weighted_threshold": {"residuals": [1.0] * 3, "weights": [1.0] * 3, "new_weights": [1.0]},
}


@pytest.mark.parametrize("name", sorted(RIGHT))
def test_what_is_right_is_taken(name: str) -> None:
    assert getattr(conformal, name)(**RIGHT[name]) is not None


@pytest.mark.parametrize(("name", "given", "words"), CASES)
def test_what_cannot_be_is_refused_by_name(name: str, given: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        getattr(conformal, name)(**{**RIGHT[name], **given})


def test_left_out_coverage_takes_one_row_of_numbers() -> None:
    for scores in ([[0.1, 0.2]], 0.5, [NAN, 0.1]):
        with pytest.raises(ValueError, match="scores must"):
            left_out_coverage(scores, alpha=0.1)


@pytest.mark.parametrize("unit", [5e-324, 1e-300, 1e300, 1e308])
def test_weights_count_up_to_any_factor(unit: float) -> None:
    given = np.arange(1.0, 30.0)
    plain = conformal.weighted_threshold(given, np.ones(29), [1.0, 30.0])
    found = conformal.weighted_threshold(given, np.full(29, unit), [unit, min(30 * unit, 1.7e308)])
    assert found.value[0] == plain.value[0] == 27.0
    assert found.n_effective == pytest.approx(29.0)
    beyond = conformal.weighted_threshold(given, np.full(29, 5e-324), [1e308])
    assert np.isinf(beyond.value[0])
    assert beyond.labels_needed > 10**15
