"""Whether agreement of a criterion's judges is shown to be more than chance or a shared error."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from panopt.records.ask import Ask
from panopt.records.ballots import ballots
from panopt.records.families import model_codes
from panopt.records.interdependence import Interdependence
from panopt.records.matrix import Matrix
from panopt.stats.votes import reduce_repeats

__all__ = ["sides_by_model", "unproven_sides"]

FloatArray = NDArray[np.float64]

#: The side of a model whose judges are evenly split.
SPLIT = -1.0


def sides_by_model(matrix: Matrix, ask: Ask) -> FloatArray | None:
    """Give one side per response and model: judges of one model repeat its errors.

    Returns
    -------
    ndarray or None
        The side, or label, that most of a model's judges took (responses, models): NaN where
        none voted, `SPLIT` where they are evenly split. None where no two judges are one model.
    """
    llm = np.array([kind == "llm" for kind in matrix.judge_kinds], dtype=bool)
    codes = np.array(model_codes(matrix.judges), dtype=np.intp)
    codes[~llm] = len(codes) + np.flatnonzero(~llm)
    models = np.unique(codes)
    if len(models) == len(codes):
        return None
    sides = _sides(matrix, ask)
    found = np.full((len(sides), len(models)), np.nan)
    for column, model in zip(found.T, models, strict=True):
        votes = sides[:, codes == model]
        column[:] = reduce_repeats(votes[:, None, :], how="plurality")[:, 0]
        column[np.isnan(column) & ~np.isnan(votes).all(axis=1)] = SPLIT
    return found


def unproven_sides(
    matrix: Matrix, ask: Ask, together: Interdependence, by_model: FloatArray | None
) -> str | None:
    """Say why what the judges agree on is not shown; None where it is.

    Parameters
    ----------
    matrix, ask
        The criterion, and the options of the question.
    together
        How its judges err together.
    by_model
        What :func:`sides_by_model` gives: agreement of a model with itself shows nothing.
    """
    if together.untrusted:
        return "the judges agree in camps that one truth does not explain"
    if by_model is not None and by_model.shape[1] == 1:
        return "the judges are all one model, which repeats its own errors"
    from panopt.stats.beyond_chance import unproven_agreement  # noqa: PLC0415 - brings scipy

    return unproven_agreement(
        _sides(matrix, ask) if by_model is None else by_model,
        n_boot=ask.n_boot,
        rng=np.random.default_rng(ask.seed),
        level=ask.level,
        clusters=matrix.clusters,
    )


def _sides(matrix: Matrix, ask: Ask) -> FloatArray:
    votes, _ = ballots(matrix)
    if matrix.scale.kind in ("nominal", "pairwise"):
        return votes
    return np.where(np.isnan(votes), np.nan, votes >= ask.threshold)
