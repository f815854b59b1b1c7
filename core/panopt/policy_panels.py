"""Panels that were recorded whole: every judge and a human judged the response."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from panopt.errors import AskError
from panopt.judging.verdict import Boolean, Labelled, Numeric, Pairwise, VerdictKind
from panopt.records.answers import answers_of
from panopt.records.ask import Ask
from panopt.records.calibration import TIED, UNLABELLED, human_verdicts
from panopt.records.matrix import Matrix
from panopt.stats.panel import apply_rule, tally_votes

__all__ = ["FEWEST", "Panel", "complete_panels", "unlabelled_panels"]

Floats = NDArray[np.float64]

#: Responses judged by all judges and by humans, below which a replay tells nothing of use.
FEWEST = 200


@dataclass(frozen=True, slots=True)
class Panel:
    """Complete panels with human verdicts: what a replay draws from.

    Attributes
    ----------
    kind, judges, costs
        The verdict, who gives it, and what a call of each costs.
    votes
        Of each response, each judge's, as a router takes them.
    decided
        The decision that each judge's vote is (responses, judges).
    human
        The humans' decision on each response, and
    truth
        their verdict, as a router takes it.
    plain
        Decision of a plain rule, None where it has none.
    clusters
        Cluster of each response, from 0 without gaps.
    """

    kind: VerdictKind
    judges: tuple[str, ...]
    costs: Floats
    votes: list[list[bool | float | str]]
    decided: NDArray[np.object_]
    human: NDArray[np.object_]
    truth: list[bool | float | str]
    plain: NDArray[np.object_]
    clusters: NDArray[np.intp]


def complete_panels(
    matrix: Matrix, ask: Ask, costs: Mapping[str, float], warm: int
) -> tuple[Panel, list[str]]:
    """Keep the responses that every judge and a human judged, and say what was left out.

    Raises
    ------
    AskError
        For fewer than 200 of them besides `warm` to be taught, or a single judge.
    """
    if matrix.n_judges < 2:
        raise AskError(
            f"criterion {matrix.criterion!r} has {matrix.n_judges} judge(s): policies choose "
            "between two or more"
        )
    verdict = human_verdicts(matrix, threshold=ask.threshold)
    kind, codes, names = _codes(matrix, ask.threshold)
    complete = (codes >= 0).all(axis=1)
    rows = np.flatnonzero(complete & (verdict != UNLABELLED) & (verdict != TIED))
    if len(rows) < FEWEST + warm:
        taught = f" besides the {warm} to be taught" if warm else ""
        raise AskError(
            f"criterion {matrix.criterion!r} has {max(len(rows) - warm, 0)} responses that all "
            f"{matrix.n_judges} judges and a human judged{taught}; a replay of policies takes "
            f"{FEWEST}"
        )
    labelled = int((verdict != UNLABELLED).sum())
    notes = []
    if labelled > len(rows):
        notes.append(
            f"{labelled - len(rows)} labelled responses left out: a judge gave no verdict, or "
            "humans were tied"
        )
    return _panels(matrix, rows, verdict[rows], (kind, codes[rows], names), ask.threshold, costs), (
        notes
    )


def unlabelled_panels(matrix: Matrix, threshold: float, costs: Mapping[str, float]) -> Panel | None:
    """Keep the responses that every judge judged; None for fewer than 200, or a single judge.

    What humans said of them is left blank: it is the first of the possible decisions.
    """
    kind, codes, names = _codes(matrix, threshold)
    rows = np.flatnonzero((codes >= 0).all(axis=1))
    if matrix.n_judges < 2 or len(rows) < FEWEST:
        return None
    blank = np.zeros(len(rows), dtype=np.int32)
    return _panels(matrix, rows, blank, (kind, codes[rows], names), threshold, costs)


def _panels(  # noqa: PLR0913, PLR0917 - the parts of one record
    matrix: Matrix,
    rows: NDArray[np.intp],
    verdict: NDArray[np.int32],
    coded: tuple[VerdictKind, NDArray[np.intp], tuple[float | str, ...]],
    threshold: float,
    costs: Mapping[str, float],
) -> Panel:
    kind, codes, names = coded
    scores = matrix.scores()[rows]
    numeric = isinstance(kind, Numeric)
    human = _named(verdict, names)
    tally = tally_votes(scores if numeric else codes.astype(float), threshold if numeric else None)
    value, ruling = apply_rule("mean" if numeric else "plurality", tally, trim=0.0, tie_break=None)
    plain = np.full(len(rows), None, dtype=object)
    told = np.flatnonzero(~np.isnan(value) & (ruling == 0))
    sides = (value[told] >= threshold) if numeric else value[told]
    plain[told] = _named(sides.astype(np.intp), names)
    decided = (scores >= threshold).astype(np.intp) if numeric else codes
    votes = scores.tolist() if numeric else _named(codes, names).tolist()
    truth = matrix.human_mean[rows].tolist() if numeric else human.tolist()
    return Panel(
        kind,
        matrix.judges,
        np.array([costs.get(judge, 1.0) for judge in matrix.judges]),
        votes,
        _named(decided, names),
        human,
        truth,
        plain,
        np.unique(matrix.clusters[rows], return_inverse=True)[1].astype(np.intp),
    )


def _codes(
    matrix: Matrix, threshold: float
) -> tuple[VerdictKind, NDArray[np.intp], tuple[float | str, ...]]:
    """Give the kind of verdict, each judge's as a code (-1: none), and what codes stand for."""
    scores = matrix.scores()
    match matrix.scale.kind:
        case "nominal":
            codes = answers_of(matrix, threshold=threshold).verdict
            return Labelled(matrix.labels), codes.astype(np.intp), matrix.labels
        case "binary":
            codes = answers_of(matrix, threshold=threshold).verdict
            return Boolean(), codes.astype(np.intp), (0.0, 1.0)
        case "pairwise":
            side = (scores > 0.5).astype(np.intp)
            side[scores == 0.5] = 2
            side[np.isnan(scores)] = -1
            return Pairwise(ties=bool((side == 2).any())), side, (0.0, 1.0, 0.5)
        case _:
            side = (scores >= threshold).astype(np.intp)
            side[np.isnan(scores)] = -1
            return Numeric(0.0, 1.0, threshold), side, (0.0, 1.0)


def _named(codes: NDArray[np.integer], names: tuple[float | str, ...]) -> NDArray[np.object_]:
    table = np.empty(len(names), dtype=object)
    table[:] = names
    found: NDArray[np.object_] = table[codes]
    return found
