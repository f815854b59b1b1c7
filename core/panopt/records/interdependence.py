"""How the judges of one criterion err together, against humans or among themselves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from panopt.records.ask import Ask
from panopt.records.ballots import ballots
from panopt.records.calibration import human_verdicts
from panopt.records.matrix import Matrix
from panopt.stats.dependence import Dependence, residual_correlation
from panopt.stats.dependence_distrust import Distrust, opposed_judges, panel_distrust

__all__ = ["LABELLED", "Interdependence", "interdependence"]

FloatArray = NDArray[np.float64]

#: From so many labelled responses on errors are taken against humans.
LABELLED = 20
#: Below this mean correlation of errors, judges pass for independent.
NOTABLE = 0.1

_MOST_JUDGES = 60
_MANY_LABELS = 1000  # distinct labels from which on these are texts, not labels


@dataclass(frozen=True, slots=True)
class Interdependence:
    """What judges' votes say of their independence; judge numbers are those of `names`.

    Attributes
    ----------
    names
        The judges looked at: those with most votes, where there are very many.
    blind
        Dependence as far as the votes alone show it.
    found
        Against human labels where there are enough, else `blind`.
    by_label
        Whether verdicts were taken as labels (else as scores).
    n_labelled
        Responses with a human verdict.
    distrust
        The mark of camps of judges, for verdicts that are labels; None where not to be had.
    opposed
        Judges that score against the others, for verdicts that are scores.
    """

    names: tuple[str, ...]
    blind: Dependence
    found: Dependence
    by_label: bool
    n_labelled: int
    distrust: Distrust | None
    opposed: tuple[int, ...]

    @property
    def untrusted(self) -> bool:
        """Whether the votes alone speak against trusting them."""
        return bool(self.opposed) or (self.distrust is not None and self.distrust.untrusted)

    @property
    def shared(self) -> float:
        """Mean correlation of errors where it is notable and shown not to be 0, else 0."""
        mean, low = self.found.mean, self.found.mean_low
        if mean is None or mean < NOTABLE or (low is not None and low <= 0.0):
            return 0.0
        return mean


def interdependence(matrix: Matrix, ask: Ask, rng: np.random.Generator) -> Interdependence:
    """Measure how the judges of one criterion err together.

    Parameters
    ----------
    matrix
        Judgments of one criterion.
    ask
        Its `n_boot`, `level` and `threshold` are used.
    rng
        Draws the bootstrap.
    """
    votes = ballots(matrix)[0]
    kept = _most_active(votes)
    some, kind = votes[:, kept], matrix.scale.kind
    names = tuple(matrix.judges[judge] for judge in kept.tolist())
    by_label = kind in ("binary", "pairwise", "nominal")
    if by_label and kind != "nominal":
        some = _three_way(some, kind, ask.threshold)

    def correlate(truth: FloatArray | None) -> Dependence:
        return residual_correlation(
            some,
            truth=truth,
            labels=by_label,
            clusters=matrix.clusters,
            n_boot=ask.n_boot if ask.n_boot > 1 else 0,
            rng=rng,
            alpha=1.0 - ask.level,
            judges=names,
        )

    human = _truth(matrix, ask, by_label=by_label)
    n_labelled = int(np.count_nonzero(~np.isnan(human)))
    blind = correlate(None)
    known = blind.reason is None
    labels = known and by_label and int(np.nanmax(some)) < _MANY_LABELS
    return Interdependence(
        names=names,
        blind=blind,
        found=correlate(human) if n_labelled >= LABELLED else blind,
        by_label=by_label,
        n_labelled=n_labelled,
        distrust=panel_distrust(some, blind) if labels else None,
        opposed=opposed_judges(blind) if known and not by_label else (),
    )


def _most_active(votes: FloatArray) -> NDArray[np.intp]:
    """Choose the judges with most votes, in their order."""
    given = np.count_nonzero(~np.isnan(votes), axis=0)
    return np.sort(np.argsort(-given, kind="stable")[:_MOST_JUDGES])


def _three_way(votes: FloatArray, kind: str, threshold: float) -> FloatArray:
    """Code votes as 0 against, 1 for, and 2 for a tie where there are ties."""
    side = (votes >= threshold).astype(np.float64)
    if kind == "pairwise":
        side = np.where(votes == 0.5, 2.0, votes > 0.5)
    return np.where(np.isnan(votes), np.nan, side)


def _truth(matrix: Matrix, ask: Ask, *, by_label: bool) -> FloatArray:
    if not by_label:
        return matrix.human_mean
    verdict = human_verdicts(matrix, threshold=ask.threshold)
    return np.where(verdict >= 0, verdict, np.nan)
