"""Say in words why alpha is low where nearly all ratings are the same: the prevalence paradox.

Feinstein and Cicchetti 1990, "High agreement but low kappa".
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from panopt.stats.agreement import pair_agreement
from panopt.stats.alpha import Level, krippendorff_alpha
from panopt.stats.chance_corrected import gwet_ac1
from panopt.stats.patterns import level_codes
from panopt.stats.reliability import rating_matrix, too_few
from panopt.stats.units import rated_units

_LOPSIDED = 0.8  # share of the commonest rating, and of equal pairs, from which it may be at work
_APART = 0.2  # by how much AC1 must be above alpha


def prevalence_note(
    ratings: ArrayLike,
    *,
    level: Level = "nominal",
    n_levels: int | None = None,
    raters: Sequence[str] | None = None,
    names: Sequence[str] | None = None,
) -> str | None:
    """Explain in words why alpha is low although the raters agree, where that is so.

    Parameters
    ----------
    ratings, level, raters
        As in `panopt.plugins.reliability.krippendorff_alpha`.
    n_levels
        As in `panopt.plugins.reliability.gwet_ac1`.
    names
        What the ratings stand for, where they are codes from 0.

    Returns
    -------
    str or None
        `None` unless at least 80% of the ratings are one value, at least 80% of the pairs
        agree, and AC1 is above alpha by .2 or more, or alpha is undefined for lack of variation.

    Examples
    --------
    >>> print(prevalence_note([[1, 1]] * 149 + [[1, 0]])[:58])
    alpha is 0.000 although judges agree on 99.3% of pairs: 29
    """
    matrix = rating_matrix(ratings, raters)
    units = rated_units(matrix)
    if too_few(units.n_raters, units.n_units) is not None:
        return None
    levels, codes = level_codes(units.values)
    counts = np.zeros(levels.size)
    for column in codes.T:
        rated = column >= 0
        counts += np.bincount(column[rated], units.counts[rated], minlength=levels.size)
    top, n = int(counts.max()), units.n_ratings
    agree = pair_agreement(units)[0]
    if top < _LOPSIDED * n or agree < _LOPSIDED:
        return None
    common = levels[counts.argmax()]
    shown = f"{common:g}" if names is None else names[int(common)]
    lopsided = f"{top} of {n} ratings are the same ({shown})"
    if top == n:
        return (
            f"alpha is undefined: {lopsided}. Judges who always say the same agree whether or "
            "not they look, so these responses cannot show which it is; judge some that should "
            "be rated differently"
        )
    alpha = krippendorff_alpha(matrix, level=level, raters=raters).value
    ac1 = gwet_ac1(matrix, n_levels=n_levels, raters=raters).value
    if alpha is None or ac1 is None or ac1 - alpha < _APART:
        return None
    blind = float(counts @ (counts - 1)) / (n * (n - 1))
    return (
        f"alpha is {alpha:.3f} although judges agree on {agree:.1%} of pairs: {lopsided}. Alpha "
        "counts only agreement beyond what judges would reach who never looked and gave ratings "
        f"in these proportions, and such judges would agree on {blind:.1%} of pairs by chance. "
        "So a low alpha here does not mean that the judges disagree; it means that responses "
        "which are nearly all alike cannot show whether they can tell good from bad. AC1, which "
        f"such lopsided ratings hardly move, is {ac1:.3f}. To find out more, judge responses of "
        "more varied quality"
    )
