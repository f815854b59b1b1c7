"""Two likings of judges: for answers of their own maker's models, and for long answers.

Self-preference: how much higher the judge scores its own family's responses than the other judges
do, less the same on other families' responses (a difference of differences: hot judges cancel), at
equal quality (Panickssery et al. 2024 and Wataoka et al. 2024 on why it must be). Length bias: how
much more a judge gives than the others for a response twice as long (Dubois et al. 2024), among
responses to one item, and of one system, wherever there are several. Both are slopes of
:mod:`panopt.stats.audit_slope`; against humans, quality is the human score.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panopt.stats.audit_effect import (
    AuditEffect,
    check_alpha,
    column,
    keyed,
    others,
    unknown,
)
from panopt.stats.audit_slope import demeaned, fit_slope, slope_effect
from panopt.stats.paired_data import cluster_codes

__all__ = ["Anchor", "Lengths", "length_bias", "self_preference"]

Floats = NDArray[np.float64]

#: Who says what quality is: the other judges, each with error, or humans, whose word it is.
Anchor = Literal["panel", "humans"]

_FEWEST_OWN = 5
_SPREAD = 0.1  # of log2 length: responses that differ by less, 7%, tell of no doubling
_FEWEST_WITHIN = 10  # items with several responses before they alone are looked at


def self_preference(  # noqa: PLR0913 - the options of one estimate
    score: ArrayLike,
    rest: ArrayLike,
    own: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    anchor: Anchor = "panel",
    alpha: float = 0.05,
) -> AuditEffect:
    """Estimate how much more a judge gives its own family's responses than others would.

    Parameters
    ----------
    score
        The judge's scores (responses,); NaN is missing.
    rest
        Scores of judges of other families on the same responses (responses, judges), or of humans
        (responses,). Responses that lack one are left out.
    own
        Whether each response is of the judge's own family (responses,).
    clusters
        Key of each response's cluster: the item that several systems answered.
    anchor
        ``panel``: quality is what the others measure, each with error; ``humans``: quality is
        the human score.
    alpha
        One minus the level.

    Returns
    -------
    AuditEffect
        In units of the score, positive where the judge favours its own. `details`:
        ``plain``, the difference of differences as it stands, ``slope`` of the judge on the
        others' scores, ``n_own``. With a reason below 5 responses of either kind, or 8 clusters.

    Raises
    ------
    ValueError
        For arrays of different length, infinities, `own` that is not true or false, or options
        off their range.

    Notes
    -----
    Assumes clusters independent; judges that err independently of one another, the same on all
    families but for the preference; and others that have no preference for the judge's family. A
    judge may like a system for other reasons than its maker: with few systems the two cannot be
    told apart. With one other judge (or parts that hardly agree) the judge is taken to
    use the scale as the others do.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> own = np.tile([True, False, False], 100)
    >>> quality = rng.normal(0.5 + 0.1 * own, 0.2)
    >>> rest = quality[:, None] + rng.normal(0, 0.1, (300, 3))
    >>> score = quality + 0.1 * own + rng.normal(0.2, 0.1, 300)
    >>> found = self_preference(score, rest, own, clusters=np.repeat(np.arange(100), 3))
    >>> round(found.value, 2), found.low < 0.1 < found.high, found.n_clusters
    (0.09, True, 100)
    """
    check_alpha(alpha)
    _check_anchor(anchor)
    y = column("score", score)
    panel = others("rest", rest, len(y))
    mine = _flags(own, len(y))
    codes = keyed("clusters", clusters, len(y))
    _one_human(panel, anchor)
    kept = _complete(y, panel)
    n_own, n = int(np.count_nonzero(mine & kept)), int(np.count_nonzero(kept))
    if min(n_own, n - n_own) < _FEWEST_OWN:
        which = "own family's" if n_own < _FEWEST_OWN else "other families'"
        count = min(n_own, n - n_own)
        told = f"{count} of the {which} responses were scored by all: {_FEWEST_OWN} are needed"
        return unknown(told, alpha, n=n)
    held: Floats = np.column_stack((y, mine.astype(np.float64), panel))[kept]
    flat = demeaned(held, ())
    inside = cluster_codes(codes[kept])[0]
    fits = fit_slope(flat, exact=anchor == "humans")
    per = f"difference of differences, own family's less others'; {_quality(anchor)}"
    found = slope_effect(fits, inside, alpha=alpha, per=per)
    apart = held[:, 0] - held[:, 2:].mean(axis=1)
    of = held[:, 1] > 0.0
    plain = float(apart[of].mean() - apart[~of].mean())
    return _with(found, {"plain": plain, "n_own": float(n_own)})


def length_bias(  # noqa: PLR0913 - the options of one estimate
    score: ArrayLike,
    rest: ArrayLike,
    length: ArrayLike,
    *,
    items: ArrayLike | None = None,
    systems: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    anchor: Anchor = "panel",
    alpha: float = 0.05,
) -> AuditEffect:
    """Estimate how much more a judge gives than others would for a response twice as long.

    Parameters
    ----------
    score, rest
        As in :func:`self_preference`.
    length
        Length of each response, in characters or words (responses,); NaN is unknown. Lengths
        below 1 count as 1.
    items
        Key of each response's item: where 10 items or more have responses of several lengths,
        responses are compared with others to the same item alone.
    systems
        Key of each response's system: where there are several, responses are compared with others
        of the same system alone, so that a liking of a wordy system is no length bias.
    clusters
        Key of each response's cluster; the items where not given, else each response its own.
    anchor, alpha
        As in :func:`self_preference`.

    Returns
    -------
    AuditEffect
        In units of the score per doubling of the length, positive where the judge favours long
        responses. With a reason where lengths hardly vary (sd of 7%), or for fewer than 8 clusters.

    Raises
    ------
    ValueError
        As :func:`self_preference`, and for a negative length.

    Notes
    -----
    Against the panel only what the judge has beyond the others is seen: a liking all judges
    share needs humans. The effect is taken as linear in the logarithm of the length.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> length, quality = rng.lognormal(5, 0.5, 400), rng.normal(0.5, 0.2, 400)
    >>> rest = quality[:, None] + rng.normal(0, 0.1, (400, 3))
    >>> score = quality + 0.05 * np.log2(length) + rng.normal(0, 0.1, 400)
    >>> found = length_bias(score, rest, length, items=np.repeat(np.arange(100), 4))
    >>> round(found.value, 2), found.low < 0.05 < found.high, found.p < 1e-4
    (0.04, True, True)
    """
    check_alpha(alpha)
    _check_anchor(anchor)
    y = column("score", score)
    n = len(y)
    panel = others("rest", rest, n)
    long = column("length", length, n)
    if np.any(long < 0.0):
        raise ValueError(f"length holds {np.nanmin(long):g}; a length is not below 0")
    item = keyed("items", items, n)
    # Without systems, all are of one.
    system = np.zeros(n, dtype=np.intp) if systems is None else keyed("systems", systems, n)
    codes = item if clusters is None else keyed("clusters", clusters, n)
    _one_human(panel, anchor)
    kept = _complete(y, panel) & ~np.isnan(long)
    if not kept.any():
        told = "no response has a length" if np.isnan(long).all() else "no response has both scores"
        return unknown(told, alpha)
    lengths = Lengths.of(
        np.column_stack((y, panel))[kept], long[kept], item[kept], system[kept], codes[kept]
    )
    return lengths.effect(0, list(range(1, 1 + panel.shape[1])), anchor=anchor, alpha=alpha)


@dataclass(frozen=True, slots=True)
class Lengths:
    """Scores of judges and the lengths of what they judged, without items' and systems' means.

    Attributes
    ----------
    flat
        Logarithm of the length, then the judges' scores (responses, 1 + judges).
    clusters
        Cluster of each response, from 0 without gaps (responses,).
    among
        Within what responses are compared.
    sd
        Standard deviation of the logarithm of the length, to base 2.
    """

    flat: Floats
    clusters: NDArray[np.intp]
    among: tuple[str, ...]
    sd: float

    @classmethod
    def of(
        cls,
        scores: Floats,
        length: Floats,
        items: NDArray[np.integer],
        systems: NDArray[np.integer],
        clusters: NDArray[np.integer],
    ) -> Lengths:
        """Take means out; no NaN, all of one number of responses. See :func:`length_bias`."""
        x = np.log2(np.maximum(length, 1.0))
        item, n_items = cluster_codes(items)
        system, n_systems = cluster_codes(systems)
        groups, among = [], []
        if _several(item, n_items, x) >= _FEWEST_WITHIN:
            groups, among = [item], ["one item"]
        if 1 < n_systems <= x.size // 4:
            groups.append(system)
            among.append("one system")
        flat = demeaned(np.column_stack((x, scores)), tuple(groups))
        return cls(flat, cluster_codes(clusters)[0], tuple(among), float(x.std()))

    def effect(
        self, judge: int, rest: list[int], *, anchor: Anchor = "panel", alpha: float = 0.05
    ) -> AuditEffect:
        """Estimate the length bias of one judge beside others, by their columns among scores."""
        columns = [1 + judge, 0, *(1 + other for other in rest)]
        alike = float(self.flat[:, 0].std()) < _SPREAD
        fits = () if alike else fit_slope(self.flat[:, columns], exact=anchor == "humans")
        where = f", among responses of {' and '.join(self.among)}" if self.among else ""
        per = f"slope on log2 length{where}; {_quality(anchor)}"
        still = f"responses{where.removeprefix(', among responses')} are all about as long"
        found = slope_effect(fits, self.clusters, alpha=alpha, per=per, still=still)
        inside = float("one item" in self.among)
        return _with(found, {"within_item": inside, "sd_log2": self.sd})


def _with(found: AuditEffect, details: Mapping[str, float]) -> AuditEffect:
    return replace(found, details={**found.details, **details})


def _quality(anchor: Anchor) -> str:
    return "quality as humans score it" if anchor == "humans" else "quality as other judges see it"


def _check_anchor(anchor: str) -> None:
    if anchor not in get_args(Anchor):
        raise ValueError(f"anchor = {anchor!r} must be one of {get_args(Anchor)}")


def _one_human(panel: Floats, anchor: Anchor) -> None:
    if anchor == "humans" and panel.shape[1] != 1:
        raise ValueError(
            f"rest has {panel.shape[1]} columns; against humans it is their mean, (responses,)"
        )


def _flags(own: ArrayLike, n: int) -> NDArray[np.bool_]:
    found = np.asarray(own)
    if found.dtype != np.bool_:
        numbers = column("own", own, n)
        if not np.isin(numbers, (0.0, 1.0)).all():
            raise ValueError("own must be true or false for every response")
        found = numbers > 0.0
    if found.shape != (n,):
        raise ValueError(f"own has shape {found.shape}; it must be ({n},), one a response")
    return found


def _complete(y: Floats, panel: Floats) -> NDArray[np.bool_]:
    if not panel.shape[1]:
        return np.zeros(len(y), dtype=np.bool_)
    kept: NDArray[np.bool_] = ~np.isnan(y) & ~np.isnan(panel).any(axis=1)
    return kept


def _several(item: NDArray[np.intp], groups: int, x: Floats) -> int:
    """Count the items with responses of several lengths."""
    low, high = np.full(groups, np.inf), np.full(groups, -np.inf)
    np.minimum.at(low, item, x)
    np.maximum.at(high, item, x)
    return int(np.count_nonzero(high > low))
