"""Pick the responses that humans would score above a bar, with few false picks among them.

Conformal p-values of "the human score is not above the bar", from labelled responses that are not,
and the Benjamini-Hochberg procedure over them: the expected share of false picks is at most `fdr`,
however bad the panel is (Jin & Candes 2023, theorem 3).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panopt.stats.arrays import as_floats
from panopt.stats.conformal_split import EXCHANGEABLE, one_row

__all__ = ["ConformalSelection", "conformal_selection"]

Floats = NDArray[np.float64]

_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class ConformalSelection:
    """Responses picked.

    Attributes
    ----------
    selected
        Whether each new response is picked (responses,).
    p_value
        Conformal p-value of each; NaN where there is no prediction.
    n_selected
        How many are picked.
    n, n_below
        Labels, and those of them not above the bar, which p-values are made from.
    fdr
        Expected share of false picks that is tolerated.
    labels_needed
        Fewest labels with which picks are possible: p-values are multiples of 1 / (n + 1).
    coverage_low, coverage_high
        None: what is bounded is the expected share of false picks, not a coverage.
    assumption, reason
        What it rests on; why nothing is picked.
    """

    selected: NDArray[np.bool_]
    p_value: Floats
    n_selected: int
    n: int
    n_below: int
    fdr: float
    labels_needed: int
    assumption: str
    reason: str | None
    coverage_low: float | None = None
    coverage_high: float | None = None


def conformal_selection(
    prediction: ArrayLike,
    human: ArrayLike,
    new_prediction: ArrayLike,
    *,
    above: float | ArrayLike,
    fdr: float = 0.1,
) -> ConformalSelection:
    """Pick new responses whose human score is above a bar, at a false discovery rate.

    Parameters
    ----------
    prediction
        Panel's value of labelled responses (labels,); no label used here may have entered it.
    human
        Their human scores (labels,).
    new_prediction
        Panel's value of new responses (responses,), NaN where there is none.
    above
        The bar: humans must score more than it; one for all, or one a labelled response.
    fdr
        Expected share of false picks tolerated, in (0, 1).

    Returns
    -------
    ConformalSelection

    Raises
    ------
    ValueError
        For NaN labels or predictions of labelled responses, or arguments that do not fit.

    Notes
    -----
    ``p = (1 + #{labels not above the bar whose prediction is at least the new one}) / (n + 1)``:
    the clipped score of Jin & Candes 2023, section 2.5, with ties counted against picking.

    Examples
    --------
    >>> human = np.arange(100) % 2
    >>> found = conformal_selection(0.2 + 0.6 * human, human, [0.8, 0.8, 0.2], above=0.5)
    >>> found.selected.tolist(), found.p_value.round(3).tolist()
    ([True, True, False], [0.01, 0.01, 0.505])
    """
    f, y = one_row("prediction", prediction), one_row("human", human)
    new = as_floats("new_prediction", new_prediction)
    if f.shape != y.shape:
        raise ValueError(f"prediction and human differ in length: {len(f)} and {len(y)}")
    if new.ndim != 1:
        raise ValueError(f"new_prediction must have one dimension, not {new.ndim}")
    if not 0.0 < fdr < 1.0:
        raise ValueError(f"fdr = {fdr} must lie strictly between 0 and 1")
    bar = as_floats("above", above)
    if np.isnan(bar).any() or bar.shape not in ((), y.shape):
        raise ValueError("above must be one number, or one a label, none of them NaN")
    below = np.sort(f[y <= bar])
    n = len(y)
    beaten = len(below) - np.searchsorted(below, new, side="left")
    p = np.where(np.isnan(new), np.nan, (1.0 + beaten) / (n + 1.0))
    known = np.flatnonzero(~np.isnan(p))
    selected = np.zeros(len(new), dtype=np.bool_)
    ranked = np.sort(p[known])
    passed = ranked <= fdr * np.arange(1, len(ranked) + 1) / max(len(ranked), 1) + _ROUNDING / (
        n + 1.0
    )
    if passed.any():
        selected[known] = p[known] <= ranked[np.flatnonzero(passed)[-1]]
    needed = int(np.ceil(1.0 / fdr - _ROUNDING)) - 1
    n_selected = int(selected.sum())
    reason = None
    if n < needed:
        reason = f"{n} labels allow no pick at a false discovery rate of {fdr:g}: {needed} are "
        reason += "needed"
    elif n_selected == 0:
        reason = "no response stands out enough from labelled ones that are not above the bar"
    return ConformalSelection(
        selected=selected,
        p_value=p,
        n_selected=n_selected,
        n=n,
        n_below=len(below),
        fdr=fdr,
        labels_needed=needed,
        assumption=EXCHANGEABLE,
        reason=reason,
    )
