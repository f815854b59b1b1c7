"""Tell a panel whose votes cannot be trusted on their own: camps that a label model sides with.

A label model (Dawid and Skene 1979) takes agreement for accuracy. Where judges share an error it
rates the camp that errs together highest, judges outside it below chance, and overturns majorities
with near certainty. Overturning alone is no fault (a few good judges may outweigh many weak ones);
together with agreement that no single truth explains it is the mark of shared errors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panopt.stats.label_models import dawid_skene
from panopt.stats.reliability import rating_matrix

if TYPE_CHECKING:
    from panopt.stats.dependence import Dependence

__all__ = ["Distrust", "opposed_judges", "panel_distrust"]

FloatArray = NDArray[np.float64]

#: Share of (squared) agreement left over by one common cause from which on it counts.
UNEXPLAINED = 0.05
#: Share of overturned majorities, or of judges rated below chance, that counts.
OVERTURNED = 0.1
_P_VALUE = 0.05
_MOST_ROWS = 20_000


@dataclass(frozen=True, slots=True)
class Distrust:
    """What speaks against trusting the votes of a panel, without any human label."""

    untrusted: bool
    """Whether the judges depend on each other, and a label model sides against majorities."""
    overturned: float
    """Share of majorities (ties apart) that the label model overturns."""
    below_chance: tuple[int, ...]
    """Judges the label model rates below chance."""
    certain: float
    """Share of responses on which the label model is more than 99% sure."""
    unexplained: float | None
    """Share of the judges' (squared) agreement that one truth does not explain."""
    n_dependent: int
    """Pairs of judges shown to depend on each other, at the 5% level over all pairs."""
    posterior: FloatArray | None
    """The label model's posterior (responses, labels); None where rows were left out for speed."""


def panel_distrust(
    votes: ArrayLike, dependence: Dependence, *, n_labels: int | None = None
) -> Distrust | None:
    """Say whether votes bear the mark of errors shared by a camp of judges.

    Parameters
    ----------
    votes
        Label codes from 0 (responses, judges), NaN missing.
    dependence
        Of the same votes, found without reference labels and with draws.
    n_labels
        Labels on offer; by default the largest code, plus 1.

    Returns
    -------
    Distrust or None
        None where the label model is not identified (fewer than three judges that share items).

    Raises
    ------
    ValueError
        For votes that are no codes, or a `dependence` found against a truth.

    Notes
    -----
    An error that all judges share leaves no mark; False is no proof of a good panel. With judges
    that err independently the alarm is at most as frequent as a false rejection of independence
    over all pairs (5%), whatever the label model overturns. The label model is fitted to at most
    20,000 responses, evenly spaced.
    """
    matrix = rating_matrix(votes, [""] * np.shape(votes)[1] if np.ndim(votes) == 2 else None)
    if dependence.basis != "panel":
        raise ValueError("dependence was found against a truth; it must be found without one")
    step = -(-len(matrix) // _MOST_ROWS)
    some = matrix[:: max(step, 1)]
    item, judge = np.nonzero(~np.isnan(some))
    label = some[item, judge]
    if label.size and (label.min() < 0 or np.any(label != np.floor(label))):
        raise ValueError("votes must be label codes 0, 1, 2 ..., NaN where missing")
    if not label.size:
        return None
    codes = label.astype(np.int64)
    width = max(2, int(codes.max()) + 1, n_labels or 0)
    try:
        model = dawid_skene(
            item, judge, codes, n_labels=width, n_items=len(some), n_judges=some.shape[1]
        )
    except ValueError:  # too few judges share items for their errors to be identified
        return None
    voted = np.bincount(item, minlength=len(some)) > 0
    tally = np.zeros((len(some), width))
    np.add.at(tally, (item, codes), 1.0)
    top = tally.max(axis=1)
    clear = voted & (np.count_nonzero(tally == top[:, None], axis=1) == 1)
    changed = tally.argmax(axis=1) != model.posterior.argmax(axis=1)
    overturned = float(changed[clear].mean()) if clear.any() else 0.0
    right = np.einsum("jkk->jk", model.confusion).mean(axis=1)
    below = tuple(np.flatnonzero(right < 1.0 / width).tolist())
    pairs = np.triu(np.nan_to_num(dependence.p_value, nan=1.0) < _P_VALUE, 1)
    n_dependent = int(np.count_nonzero(pairs))
    left = dependence.unexplained or 0.0
    # Judges below chance that agree with each other may be the ones who are right.
    rated_low = np.isin(np.arange(len(pairs)), below)
    camp = bool((pairs & (dependence.correlation > 0) & np.outer(rated_low, rated_low)).any())
    sides = overturned >= OVERTURNED or len(below) >= OVERTURNED * some.shape[1]
    return Distrust(
        untrusted=bool(n_dependent and sides and (left >= UNEXPLAINED or camp)),
        overturned=overturned,
        below_chance=below,
        certain=float((model.posterior[voted].max(axis=1) > 0.99).mean()),
        unexplained=dependence.unexplained,
        n_dependent=n_dependent,
        posterior=model.posterior if len(some) == len(matrix) else None,
    )


def opposed_judges(dependence: Dependence) -> tuple[int, ...]:
    """Name judges that score against the rest of a panel that no single truth explains.

    For scores without labels: judges whose correlation with the common cause is below 0 with
    confidence, where pairs of judges depend on each other beyond it; empty otherwise.
    """
    if dependence.loading_high is None or (dependence.unexplained or 0.0) < UNEXPLAINED:
        return ()
    if not np.any(np.triu(np.nan_to_num(dependence.p_value, nan=1.0) < _P_VALUE, 1)):
        return ()
    return tuple(np.flatnonzero(dependence.loading_high < 0.0).tolist())
