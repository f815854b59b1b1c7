"""Trust a whole panel's verdict: one confidence made of all judges, and a threshold for it.

Asking every judge costs more than a cascade and keeps more: errors of different judges cancel.
The panel's confidence is the mean of what the judges believe of its verdict (a linear opinion
pool: Stone 1961), which needs no label; or weights of the judges learned on some labels and
certified on the others; or any confidence made elsewhere without these labels, such as a model's
posterior. A map of one confidence that only rises (Platt, isotonic) moves no verdict past another
and so changes no certificate.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panopt.stats.arrays import as_floats
from panopt.stats.cascade_errors import expit
from panopt.stats.certify import CertificateMethod, CertifiedThreshold, certify_threshold
from panopt.stats.certify_checks import check_levels, check_scale, generator, one_of_each

__all__ = ["CertifiedPanel", "Combination", "certify_panel", "panel_confidence"]

Combination = Literal["mean", "learned"]

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

#: Share of the labels that weights are learned on; with fewer than LEAST errors or right verdicts
#: among them the judges weigh alike.
LEARN = 0.3
LEAST = 5

#: Probabilities are kept off 0 and 1 by this before their log-odds are taken.
CLIP = 0.005

#: Ridge that draws the weights to equal ones, in units of one label.
RIDGE = 4.0
NEWTON_STEPS, NEWTON_LENGTH, NEWTON_ENOUGH = 30, 1.0, 1e-8


@dataclass(frozen=True, slots=True)
class CertifiedPanel:
    """The confidence at which a panel's verdicts may be accepted, and how it is made.

    Attributes
    ----------
    certificate
        Threshold, bound, coverage and what they rest on; its numbers stand here too.
    combine
        How judges are combined; None where one confidence was given.
    weights
        Learned weight of each judge's log-odds, shape (judges,); None where none were learned.
    n_learned
        Labels that the weights were learned on; the certificate rests on the others.
    coverage
        Share of all labelled items that are accepted, those learned on included.
    """

    certificate: CertifiedThreshold
    combine: Combination | None
    weights: Floats | None
    n_learned: int
    coverage: float

    @property
    def threshold(self) -> float:
        """Accept at or above; infinity where nothing is certified."""
        return self.certificate.threshold

    @property
    def n(self) -> int:
        """Tested labels that were accepted."""
        return self.certificate.n

    @property
    def errors(self) -> int:
        """Disagreements among them."""
        return self.certificate.errors

    @property
    def bound(self) -> float:
        """Upper bound on the risk at the threshold; 1 where nothing is accepted."""
        return self.certificate.bound

    @property
    def feasible(self) -> bool:
        """Whether a threshold was certified."""
        return self.certificate.feasible

    @property
    def labels_needed(self) -> int:
        """Fewest accepted labels that could certify, all of them without an error."""
        return self.certificate.labels_needed

    @property
    def assumption(self) -> str:
        """What the guarantee rests on, and where it is not exact."""
        return self.certificate.assumption

    @property
    def reason(self) -> str | None:
        """Why nothing is certified; None where something is."""
        return self.certificate.reason

    def decide(self, confidence: ArrayLike, verdicts: ArrayLike | None = None) -> NDArray[np.int64]:
        """Give the panel's verdict on each item where it is accepted.

        Parameters
        ----------
        confidence
            As for :func:`certify_panel`: (items, judges), or (items,) where one was given.
        verdicts
            Of each judge, whole numbers from 0, shape (items, judges); not needed for (items,).

        Returns
        -------
        ndarray of int
            The panel's verdict, shape (items,); -1 where it abstains. For (items,): 0 (the
            verdict that the confidence is of) or -1.
        """
        if self.combine is None:
            given = as_floats("confidence", confidence)
            return np.where(given >= self.threshold, 0, -1)
        if verdicts is None:
            raise ValueError("verdicts must be given: the panel's verdict is made of the judges'")
        c, v = _table(confidence, verdicts, "verdicts", unit=True)
        verdict, sure = _combine(c, v, self.weights)
        return np.where(np.nan_to_num(sure, nan=-1.0) >= self.threshold, verdict, -1)


def certify_panel(  # noqa: PLR0913 - one argument an option
    confidence: ArrayLike,
    agrees: ArrayLike,
    *,
    alpha: float = 0.1,
    delta: float = 0.1,
    combine: Combination = "mean",
    verdicts: ArrayLike | None = None,
    method: CertificateMethod = "fixed_sequence",
    grid: ArrayLike | None = None,
    pool: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    unit: bool = True,
    rng: np.random.Generator | None = None,
) -> CertifiedPanel:
    """Find the confidence of a panel at which at most a share alpha of its verdicts is wrong.

    Parameters
    ----------
    confidence
        Of each judge in its verdict on each labelled item, a probability, shape (items, judges),
        NaN where a judge did not answer; or of the panel, made without these labels, (items,).
    agrees
        Whether each verdict agrees with the human label, 0/1 or bool, same shape.
    alpha, delta
        Risk tolerated among accepted items, and probability that the certificate is wrong.
    combine
        ``mean``: mean probability of the panel's verdict; no label is used. ``learned``: the
        judges' log-odds, weighted by a logistic regression on 30% of the labels; the other 70%
        are tested. Two labels only.
    verdicts
        Of each judge, whole numbers from 0, shape (items, judges); needed where there are more
        labels than two, since two judges that are wrong may then still differ.
    method, grid, pool
        As for :func:`panopt.stats.certify.certify_threshold`, for the panel's confidence: a pool
        is that of unlabelled items (:func:`panel_confidence`), shape (pool,).
    clusters
        Key of the cluster of each item; one of each is counted.
    unit
        Whether confidence must lie in [0, 1]; False only for (items,).
    rng
        Draws items of clusters and labels to learn on; a fixed stream where not given.

    Returns
    -------
    CertifiedPanel
        Infeasible, with a reason, where nothing passes.

    Raises
    ------
    ValueError
        For arguments off their range or arrays of different shape.

    Notes
    -----
    The panel's verdict and confidence depend on the judges' answers and, where learned, on other
    labels alone: given those they are fixed functions of an item, so the certificate of one
    confidence applies as it stands. Labels that taught the weights are left out of the test; the
    confidences of their items choose its steps, which makes these exact for a risk of any shape.

    Examples
    --------
    >>> import numpy as np
    >>> agrees = np.c_[np.ones(100), np.ones(100), np.arange(100) % 5 > 0]
    >>> found = certify_panel(np.full((100, 3), 0.8), agrees)
    >>> found.coverage, found.errors
    (1.0, 0)
    >>> found.decide([[0.8, 0.8, 0.8]], [[1, 1, 0]]).tolist()
    [1]
    """
    check_levels(alpha, delta)
    if combine not in get_args(Combination):
        raise ValueError(f"combine = {combine!r} must be one of {', '.join(get_args(Combination))}")
    draws = generator(rng)
    certify = partial(certify_threshold, alpha=alpha, delta=delta, method=method, grid=grid)
    if as_floats("confidence", confidence).ndim == 1:
        found = certify(confidence, agrees, pool=pool, clusters=clusters, unit=unit, rng=draws)
        return CertifiedPanel(found, None, None, 0, found.coverage)
    c, agree = _table(confidence, agrees, "agrees", unit=unit)
    if not np.isin(agree[agree >= 0], (0, 1)).all():
        raise ValueError("agrees must be 0 or 1 (or bool) wherever confidence is given")
    v = agree if verdicts is None else _table(confidence, verdicts, "verdicts", unit=unit)[1]
    if combine == "learned" and v.max(initial=0) > 1:
        raise ValueError("combine = 'learned' takes two labels, 0 and 1; use combine='mean'")
    kept = one_of_each(clusters, len(c), draws)
    rows = np.arange(len(c)) if kept is None else kept
    rows = rows[(agree[rows] >= 0).any(axis=1)]
    learning, weights = rows[:0], None
    if combine == "learned":
        learning, rows = np.split(draws.permutation(rows), [int(LEARN * len(rows))])
        weights = _weights(c[learning], agree[learning])
    verdict, sure = _combine(c, v, weights)
    right = ((agree == 1) & (v == verdict[:, None])).any(axis=1)
    if pool is None and grid is None and len(learning):
        pool = sure[learning]
    found = certify(sure[rows], right[rows], pool=pool, rng=draws)
    accepted = np.nan_to_num(sure, nan=-1.0) >= found.threshold
    coverage = float(accepted.mean()) if len(c) else 0.0
    return CertifiedPanel(found, combine, weights, len(learning), coverage)


def panel_confidence(
    confidence: ArrayLike, verdicts: ArrayLike, *, weights: ArrayLike | None = None
) -> tuple[NDArray[np.int64], Floats]:
    """Make one verdict and one confidence of all judges.

    Parameters
    ----------
    confidence
        Probability that each judge gives its verdict, shape (items, judges); NaN where it did
        not answer.
    verdicts
        Whole numbers from 0, shape (items, judges).
    weights
        Of the judges' log-odds (two labels); the mean probability where not given.

    Returns
    -------
    tuple of ndarray
        Verdict (items,), -1 where no judge answered, and confidence (items,), there NaN. A tie
        goes to the earlier judge's verdict.

    Notes
    -----
    With two labels a judge that gives its verdict c gives the other 1 - c. With more, what it
    gives each other label is not known; all of 1 - c is shared alike among the labels but its
    own that any judge named (and one more, for those that none did).

    Examples
    --------
    >>> verdict, sure = panel_confidence([[0.9, 0.6, 0.6]], [[1, 0, 0]])
    >>> verdict.tolist(), sure.round(4).tolist()
    ([1], [0.5667])
    """
    c, v = _table(confidence, verdicts, "verdicts", unit=True)
    given = None if weights is None else as_floats("weights", weights)
    if given is not None and given.shape != (c.shape[1],):
        raise ValueError(f"weights has shape {given.shape}; it must be ({c.shape[1]},)")
    if given is not None and not np.isfinite(given).all():
        raise ValueError(f"weights = {given.tolist()} must be finite")
    if given is not None and (v > 1).any():
        raise ValueError("weights are of two labels, 0 and 1; leave them out for more")
    return _combine(c, v, given)


def _table(
    confidence: ArrayLike, other: ArrayLike, name: str, *, unit: bool
) -> tuple[Floats, NDArray[np.int64]]:
    """Take confidence and codes of one shape; -1 where the judge did not answer."""
    c = as_floats("confidence", confidence)
    if c.ndim != 2 or not c.shape[1]:
        raise ValueError(f"confidence has shape {c.shape}; it must be (items, judges)")
    if not unit:
        raise ValueError("unit=False: only probabilities can be combined; give one confidence")
    answered = ~np.isnan(c)
    check_scale("confidence", c[answered], unit=True)
    codes = as_floats(name, other)
    if codes.shape != c.shape:
        raise ValueError(
            f"confidence and {name} differ in shape: {c.shape} and {codes.shape}; both are "
            "(items, judges)"
        )
    known = codes[answered]
    if not ((known >= 0) & (known == np.floor(known)) & (known < 2**53)).all():
        raise ValueError(f"{name} must hold whole numbers from 0 wherever confidence is given")
    return c, np.where(answered, codes, -1).astype(np.int64)


def _combine(
    c: Floats, v: NDArray[np.int64], weights: Floats | None
) -> tuple[NDArray[np.int64], Floats]:
    answered = v >= 0
    silent = ~answered.any(axis=1)
    support = np.full(c.shape, -np.inf)  # of each judge's verdict, by all judges
    if weights is None:
        named = sum((v == label).any(axis=1).astype(np.int64) for label in _labels(v))
        others = np.maximum(named, 1) if v.max(initial=0) > 1 else np.ones(len(c))
        known = np.where(answered, c, 0.0)
        left = np.where(answered, (1.0 - c) / np.asarray(others)[:, None], 0.0)
        count = np.maximum(answered.sum(axis=1), 1)
        for m in range(c.shape[1]):
            same = (v == v[:, [m]]) & answered
            total = np.where(same, known, left).sum(axis=1) / count
            support[:, m] = np.where(answered[:, m], total, -np.inf)
    else:
        odds = np.where(answered, _log_odds(c), 0.0) * weights
        for m in range(c.shape[1]):
            total = np.where(v == v[:, [m]], odds, -odds).sum(axis=1)
            support[:, m] = np.where(answered[:, m], expit(total), -np.inf)
    best = np.argmax(support, axis=1)
    rows = np.arange(len(c))
    sure = np.where(silent, np.nan, support[rows, best])
    return np.where(silent, -1, v[rows, best]), sure


def _labels(v: NDArray[np.int64]) -> NDArray[np.int64]:
    found = np.unique(v)
    return found[found >= 0]


def _log_odds(c: Floats) -> Floats:
    p = np.clip(c, CLIP, 1.0 - CLIP)
    odds: Floats = np.log(p / (1.0 - p))
    return odds


def _weights(c: Floats, agree: NDArray[np.int64]) -> Floats:
    """Weigh the judges' log-odds: logistic regression, ridge towards equal weights.

    The right label stands on the positive side of every item, so nothing needs an intercept and
    both labels are treated alike.
    """
    judges = c.shape[1]
    equal = np.full(judges, 1.0 / judges)
    sides = np.where(agree == 1, 1.0, -1.0) * np.where(agree >= 0, _log_odds(c), 0.0)
    right = int(np.count_nonzero(sides.sum(axis=1) > 0))
    if min(right, len(c) - right) < LEAST:
        return equal
    weights = equal.copy()
    for _ in range(NEWTON_STEPS):
        p = expit(sides @ weights)
        slope = sides.T @ (1.0 - p) - RIDGE * (weights - equal)
        curve = (sides.T * (p * (1.0 - p))) @ sides + RIDGE * np.eye(judges)
        step = np.linalg.solve(curve, slope)
        length = float(np.abs(step).max())
        weights += step * min(1.0, NEWTON_LENGTH / max(length, NEWTON_ENOUGH))
        if length < NEWTON_ENOUGH:
            break
    return weights
