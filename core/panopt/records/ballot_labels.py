"""A criterion's votes and human verdicts as codes of labels, for models that know labels only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from panopt.records.ballots import ballots
from panopt.records.calibration import TIED, human_verdicts
from panopt.records.judgment import STATUSES
from panopt.records.matrix import Matrix
from panopt.stats.votes import reduce_repeats

__all__ = ["MOST_LEVELS", "BallotLabels", "ballot_labels"]

Floats = NDArray[np.float64]
Codes = NDArray[np.integer[Any]]

#: More levels than this are no labels: their order says more than a confusion matrix can learn.
MOST_LEVELS = 10

_ROUNDING = 1e-6


@dataclass(frozen=True, slots=True)
class BallotLabels:
    """One label of each judge on each response, repeats reduced to the commonest.

    Attributes
    ----------
    codes
        Label of each vote (responses, judges); -1 where there is none.
    status
        How each judge fared, as in :meth:`panopt.records.matrix.Matrix.status`.
    names
        What the codes stand for: scores on [0, 1], or names of labels.
    worth
        Scores on [0, 1] of the labels (labels,); `None` where they have no order.
    known
        Label by human verdict (responses,); -1 where there is none, or none that most chose.
    warnings
        What was read in a way that the user may not expect.
    """

    codes: Codes
    status: NDArray[np.int8]
    names: tuple[str | float, ...]
    worth: Floats | None
    known: Codes
    warnings: tuple[str, ...]

    def long(self) -> tuple[Codes, Codes, Codes]:
        """Give response, judge and label of every vote (votes,)."""
        cast = self.codes >= 0
        response, judge = np.nonzero(cast)
        return response, judge, self.codes[cast]


def ballot_labels(matrix: Matrix, *, threshold: float) -> BallotLabels:
    """Read the votes of a criterion as labels.

    Parameters
    ----------
    matrix
        The criterion. Binary scores are the labels 0 and 1, of other judges beside them by
        `threshold`; pairwise ones loss, tie and win; ordinal ones their levels, unordered.
    threshold
        What passes, for human verdicts and judges that are not binary.

    Raises
    ------
    ValueError
        For a continuous scale, or too many levels, or scores between them.
    """
    kind = matrix.scale.kind
    votes, status = ballots(matrix)
    if kind == "nominal":
        known = human_verdicts(matrix, threshold=threshold).astype(np.int64)
        codes = np.where(np.isnan(votes), -1, votes).astype(np.int32)
        return BallotLabels(codes, status, matrix.labels, None, np.maximum(known, -1), ())
    if int(matrix.votes.repeat.max(initial=0)) and kind == "ordinal":
        votes = reduce_repeats(matrix.cube(), how="plurality")
        status[(status == STATUSES.index("ok")) & np.isnan(votes)] = STATUSES.index("abstained")
    warnings: tuple[str, ...] = ()
    if kind == "binary":
        worth = np.array([0.0, 1.0])
        mixed = [k for k, scale in enumerate(matrix.judge_scales) if scale.kind != "binary"]
        if mixed:
            named = ", ".join(matrix.judges[k] for k in mixed)
            votes[:, mixed] = np.where(
                np.isnan(votes[:, mixed]), np.nan, votes[:, mixed] >= threshold
            )
            warnings = (f"scores of {named} count as pass or fail at the threshold",)
        human = human_verdicts(matrix, threshold=threshold).astype(np.int64)
        return BallotLabels(
            _nearest(matrix, votes, worth),
            status,
            (0.0, 1.0),
            worth,
            np.maximum(human, -1),
            warnings,
        )
    worth = _levels(matrix)
    if kind == "pairwise" and not (_any(votes, 0.5) or _any(matrix.human_votes.score, 0.5)):
        worth = np.array([0.0, 1.0])
    people: Codes = (
        _human_winners(matrix, worth, threshold)
        if kind == "pairwise"
        else _human_levels(matrix, worth)
    )
    return BallotLabels(
        _nearest(matrix, votes, worth), status, tuple(worth.tolist()), worth, people, warnings
    )


def _levels(matrix: Matrix) -> Floats:
    scale = matrix.scale
    if scale.kind == "pairwise":
        return np.array([0.0, 0.5, 1.0])
    if scale.kind != "ordinal" or scale.high - scale.low >= MOST_LEVELS:
        raise ValueError(
            f"scale {scale} has no labels, or more than {MOST_LEVELS}; use gaussian or mean, or "
            "declare the scale binary, nominal or ordinal"
        )
    return np.linspace(0.0, 1.0, round(scale.high - scale.low) + 1)


def _any(scores: Floats, value: float) -> bool:
    return bool((scores == value).any())


def _nearest(matrix: Matrix, scores: Floats, worth: Floats) -> Codes:
    """Code scores by level; -1 where missing."""
    codes = np.empty(scores.shape, dtype=np.int8)
    for judge, column in enumerate(scores.T):  # a judge at a time: temporaries stay small
        place = column * (worth.size - 1)
        level = np.rint(place)
        off = np.abs(place - level) > _ROUNDING
        if off.any():
            raise ValueError(
                f"score {column[off][0]:.4g} (on [0, 1]) of judge {matrix.judges[judge]!r} lies "
                f"between the {worth.size} levels of scale {matrix.scale}; label models need "
                "labels: use gaussian or mean"
            )
        codes[:, judge] = np.where(np.isnan(level), -1, level)
    return codes


def _human_levels(matrix: Matrix, worth: Floats) -> Codes:
    """Take the level on which the humans' mean falls."""
    place = matrix.human_mean * (worth.size - 1)
    code = np.rint(place)
    code[~(np.abs(place - code) < _ROUNDING)] = -1
    return code.astype(np.int64)


def _human_winners(matrix: Matrix, worth: Floats, threshold: float) -> Codes:
    """Take the side most humans chose, or the tie if all called one; an even split has none."""
    verdict = human_verdicts(matrix, threshold=threshold)
    humans = matrix.human_votes
    split = np.zeros(matrix.n_responses, dtype=bool)
    split[humans.response[np.isfinite(humans.score) & (humans.score != 0.5)]] = True
    tie = np.where((verdict == TIED) & ~split, 1, -1)
    return np.where(verdict >= 0, verdict * (worth.size - 1), tie).astype(np.int64)
