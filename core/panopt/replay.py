"""Labelled logs replayed: how often each way of trusting judges would have kept its promise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from panopt.analysis import aggregate
from panopt.certificates import RULE, RULES
from panopt.errors import AskError
from panopt.host import Host
from panopt.records.ask import Ask
from panopt.records.calibration import UNLABELLED, human_verdicts
from panopt.records.matrix import Matrix
from panopt.records.settle import settle_scales
from panopt.records.study import Study
from panopt.stats.binomial import zero_error_labels
from panopt.stats.replay import Labelled, Replayed, replay

__all__ = ["CriterionReplay", "JudgeReplay", "replay_study"]

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

#: Side of a pairwise judgment that names no winner: no verdict to trust.
NO_WINNER = 2


@dataclass(frozen=True, slots=True)
class JudgeReplay:
    """One judge: where its confidence comes from, its price, how often humans agree with it.

    `source` is None, with a `reason`, where it has no confidence, and then it is in no cascade.
    `agreement` is over the labelled responses that it has a confidence on, None where it has none.
    """

    judge: str
    source: str | None
    cost: float
    agreement: float | None
    n: int
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class CriterionReplay:
    """The replays of one criterion.

    Attributes
    ----------
    criterion, scale, aggregate
        What was judged, on which scale; the plain rule that pools the panel.
    judges
        The panel's judges by name.
    order
        Judges of the cascade, cheap to strong; empty where the panel was replayed alone.
    n_labelled, n_clusters, labels_per_split
        Labelled responses; independent ones; those that a replay is calibrated on.
    reference_cost
        Cost that relative costs are relative to: asking the strongest judge of the cascade, or
        the panel, on every response.
    methods
        What became of each method.
    notes
        What a reader should know.
    labelled
        What was replayed: confidence and agreement of judges and panel.
    """

    criterion: str
    scale: str
    aggregate: str
    judges: tuple[JudgeReplay, ...]
    order: tuple[str, ...]
    n_labelled: int
    n_clusters: int
    labels_per_split: int
    reference_cost: float
    methods: tuple[Replayed, ...]
    notes: tuple[str, ...]
    labelled: Labelled = field(repr=False, compare=False)


def replay_study(  # noqa: PLR0913 - one argument an option
    study: Study,
    ask: Ask | None = None,
    *,
    splits: int = 1000,
    labels_per_split: int | None = None,
    order: Sequence[str] = (),
    costs: Mapping[str, float] | None = None,
    host: Host | None = None,
) -> tuple[CriterionReplay, ...]:
    """Replay every method of selective judging on the labelled responses of each criterion.

    Parameters
    ----------
    study
        Judgments and human labels.
    ask
        Options; the defaults where not given. `criterion` names what to replay: all that humans
        labelled where it is empty. ``aggregate="auto"`` takes the plain rule of the scale, as a
        certificate does.
    splits
        Replays, in each of both ways of measuring.
    labels_per_split
        Independent labels a replay is calibrated on; half of them where not given.
    order
        Judges of the cascade, cheap to strong; all that have a confidence, by cost and then by
        name, where not given.
    costs
        Cost of one judgment of a judge; 1 where not given.
    host
        Plugins; the installed ones where not given.

    Returns
    -------
    tuple of CriterionReplay
        One a criterion, in the order of the study or as named.

    Raises
    ------
    AskError
        For options that these data cannot meet, and fewer labels than a certificate takes.
    """
    ask, host = ask or Ask(), host or Host()
    if ask.certificate is not None:
        raise AskError("option certificate does not go with a replay, which makes its own")
    if splits < 1:
        raise AskError(f"splits = {splits} must be 1 or more")
    if study.table["scale"].null_count:
        study, _ = settle_scales(study, {})
    wanted = tuple(dict.fromkeys(ask.criterion or study.criteria))
    matrices = {criterion: study.matrix(criterion) for criterion in wanted}
    prices = _prices([matrix.judges for matrix in matrices.values()], costs or {})
    if not matrices:
        raise AskError("there is nothing to replay: no judgment was read")
    bare = [name for name, matrix in matrices.items() if not matrix.n_labelled]
    if ask.criterion or len(bare) == len(matrices):
        bare = []  # what is asked for says itself what it lacks
    drawing = _Drawing(splits, labels_per_split, tuple(order), prices)
    found = [
        _replayed(study.where("criterion", criterion), matrix, ask, drawing, host)
        for criterion, matrix in matrices.items()
        if criterion not in bare
    ]
    notes = tuple(f"{name!r} is not replayed: it has no human labels" for name in bare)
    return tuple(replace(one, notes=(*one.notes, *notes)) for one in found)


@dataclass(frozen=True, slots=True)
class _Drawing:
    """How replays are drawn, and who is asked at what price."""

    splits: int
    labels: int | None
    order: tuple[str, ...]
    prices: Mapping[str, float]


def _replayed(
    rows: Study, matrix: Matrix, ask: Ask, drawing: _Drawing, host: Host
) -> CriterionReplay:
    """Replay one criterion."""
    criterion = matrix.criterion
    if not matrix.n_judges:
        raise AskError(f"criterion {criterion!r} has human labels but no judge; read a log too")
    human = human_verdicts(matrix, threshold=ask.threshold)
    labelled = np.flatnonzero(human != UNLABELLED)
    clusters = matrix.clusters[labelled]
    n_clusters = len(np.unique(clusters))
    drawn = _labels(criterion, n_clusters, drawing.labels, ask)
    price = [drawing.prices[name] for name in matrix.judges]
    confidence, verdict, sources = _judged(matrix, ask.threshold)
    agrees = verdict[labelled] == human[labelled, None]
    judges = tuple(
        _judge(matrix.judges[m], price[m], confidence[labelled, m], agrees[:, m], sources[m])
        for m in range(matrix.n_judges)
    )
    chain, notes = _order(criterion, judges, drawing.order)
    method = ask.aggregate
    if method == "auto":
        method = RULES.get(matrix.scale.kind, RULE)
    plain = ask.model_copy(update={"aggregate": method})
    consensus = aggregate(rows, matrix, plain, host, "its confidence is a response's own")
    if not consensus.own_votes:
        raise AskError(
            f"the confidence of {method!r} is fitted to the logs at hand: no replay says what it "
            "would do on others; take a plain rule, such as --aggregate "
            f"{RULES.get(matrix.scale.kind, RULE)}"
        )
    panel = np.where(consensus.verdict >= 0, consensus.confidence, np.nan)[labelled]
    total = float(sum(price))
    labels = Labelled(
        confidence[labelled][:, chain],
        agrees[:, chain],
        panel,
        consensus.verdict[labelled] == human[labelled],
        clusters,
        np.array([price[m] for m in chain]),
        total,
    )
    try:
        methods = replay(
            labels,
            alpha=ask.alpha,
            delta=ask.delta,
            splits=drawing.splits,
            labels=drawn,
            seed=ask.seed,
            level=ask.level,
        )
    except ValueError as error:
        raise AskError(f"criterion {criterion!r}: {error}") from error
    if n_clusters < len(labelled):
        notes.append(
            f"the {len(labelled)} labelled responses are of {n_clusters} clusters, which are drawn "
            "and held out together and weigh alike"
        )
    if drawn >= n_clusters:
        notes.append("every label may be drawn, so nothing is held out: the known population only")
    silent = int(np.count_nonzero(np.isnan(panel)))
    if silent:
        notes.append(f"the panel has no verdict on {silent} labelled responses: never accepted")
    return CriterionReplay(
        criterion,
        str(matrix.scale),
        method,
        judges,
        tuple(matrix.judges[m] for m in chain),
        len(labelled),
        n_clusters,
        drawn,
        price[chain[-1]] if chain else total,
        methods,
        tuple(notes),
        labels,
    )


def _labels(criterion: str, n_clusters: int, asked: int | None, ask: Ask) -> int:
    """Give the labels of a replay; refuse fewer than any certificate takes."""
    if asked is not None and asked < 1:
        raise AskError(f"labels per split = {asked} must be 1 or more")
    drawn = n_clusters // 2 if asked is None else asked
    need = zero_error_labels(ask.alpha, ask.delta)
    if n_clusters < 2:
        raise AskError(
            f"criterion {criterion!r} has {n_clusters} independent labelled responses: a replay "
            f"takes at least {2 * need} (--labels)"
        )
    if drawn < need:
        raise AskError(
            f"criterion {criterion!r}: {drawn} labels a replay cannot certify alpha = "
            f"{ask.alpha:g} at delta = {ask.delta:g}: {need} without a single error are needed "
            f"({n_clusters} independent labelled responses; half of them are drawn unless "
            "--labels-per-split says how many)"
        )
    return drawn


def _prices(panels: Sequence[tuple[str, ...]], costs: Mapping[str, float]) -> dict[str, float]:
    """Give the price of every judge of any criterion."""
    judges = tuple(dict.fromkeys(name for panel in panels for name in panel))
    for name, cost in costs.items():
        if name not in judges:
            raise AskError(f"--cost names {name!r}, which is no judge here: {_names(judges)}")
        if not (np.isfinite(cost) and cost >= 0.0):
            raise AskError(f"cost {cost:g} of {name!r} must be finite and not negative")
    return {name: float(costs.get(name, 1.0)) for name in judges}


def _order(
    criterion: str, judges: tuple[JudgeReplay, ...], order: tuple[str, ...]
) -> tuple[list[int], list[str]]:
    """Put the judges of the cascade from cheap to strong, and say what a reader should know."""
    names = tuple(judge.judge for judge in judges)
    without = [judge.judge for judge in judges if judge.source is None]
    if not order:
        chain = [m for m, judge in enumerate(judges) if judge.source is not None]
        chain.sort(key=lambda m: (judges[m].cost, names[m]))
        if not chain:
            alone = (
                "the panel alone: no judge states a confidence or was asked repeatedly, so that "
                "only all of them together have one"
            )
            return [], [alone]
        notes = ["judges by cost, then by name; --order says which is cheap and which is strong"]
        if without:
            notes.append(f"not in the cascade, for want of a confidence: {_names(without)}")
        return chain, notes if len(chain) > 1 else notes[1:]
    for name in order:
        if name not in names:
            raise AskError(
                f"--order names {name!r}, which is no judge here (criterion {criterion!r}): "
                f"{_names(names)}"
            )
        if order.count(name) > 1:
            raise AskError(f"--order names {name!r} twice")
        if name in without:
            raise AskError(
                f"--order names {name!r}, which cannot be in a cascade: "
                f"{judges[names.index(name)].reason}"
            )
    chain = [names.index(name) for name in order]
    for cheap, strong in pairwise(chain):
        if judges[strong].cost < judges[cheap].cost:
            raise AskError(
                f"costs fall from {judges[cheap].cost:g} ({names[cheap]}) to "
                f"{judges[strong].cost:g} ({names[strong]}): --order goes from cheap to strong"
            )
    return chain, []


def _names(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names))


def _judge(
    name: str, cost: float, confidence: Floats, agrees: Flags, source: str | None
) -> JudgeReplay:
    known = ~np.isnan(confidence)
    n = int(known.sum())
    if source is None:
        return JudgeReplay(name, None, cost, None, 0, "no confidence stated, asked once a response")
    if not n:
        return JudgeReplay(name, None, cost, None, 0, "no confidence on a labelled response")
    return JudgeReplay(name, source, cost, float(agrees[known].mean()), n)


def _judged(matrix: Matrix, threshold: float) -> tuple[Floats, NDArray[np.int32], list[str | None]]:
    """Give each judge's confidence in its verdict on each response, the verdict, and the source.

    A stated confidence is what the judge's repeats together believe of its verdict: the mean of
    theirs, of those with the other verdict what is left to one. Else the share of repeats on the
    verdict's side, of responses with two or more. NaN and -1 where there is none.
    """
    votes, k, cells = matrix.votes, matrix.n_judges, matrix.n_responses * matrix.n_judges
    nominal = matrix.scale.kind == "nominal"
    decisive = votes.label >= 0 if nominal else ~np.isnan(votes.score)
    cell = (votes.response.astype(np.int64) * k + votes.judge)[decisive]
    stated = votes.confidence[decisive]
    if nominal:
        side = votes.label[decisive]
        verdict = _plurality(cell, side, cells)
        two_sided = len(matrix.labels) <= 2
    else:
        side = (votes.score[decisive] >= threshold).astype(np.int32)
        mean = matrix.scores().reshape(-1)
        verdict = np.where(np.isnan(mean), -1, mean >= threshold).astype(np.int32)
        two_sided = matrix.scale.kind != "pairwise"
        if not two_sided:  # a tie is a third side, and no verdict
            side[votes.score[decisive] == 0.5] = NO_WINNER
            verdict[mean == 0.5] = -1
    same = side == verdict[cell]
    asked = np.bincount(cell, minlength=cells)
    share = np.bincount(cell, same, cells) / np.maximum(asked, 1)
    tells = ~np.isnan(stated)
    other = 1.0 - stated if two_sided else np.zeros_like(stated)
    believed = np.where(same, stated, other)[tells]
    told = np.bincount(cell[tells], minlength=cells)
    belief = np.bincount(cell[tells], believed, cells) / np.maximum(told, 1)
    belief[told == 0] = np.nan
    share[asked < 2] = np.nan
    confidence = np.full((matrix.n_responses, k), np.nan)
    sources: list[str | None] = []
    for m in range(k):
        mine = slice(m, None, k)
        if told[mine].any():
            confidence[:, m] = belief[mine]
            sources.append("stated")
        elif (asked[mine] > 1).any():
            confidence[:, m] = share[mine]
            sources.append("vote share over repeats")
        else:
            sources.append(None)
    table = verdict.reshape(-1, k)
    return np.where(table >= 0, confidence, np.nan).clip(0.0, 1.0), table, sources


def _plurality(cell: NDArray[np.int64], side: NDArray[np.int32], cells: int) -> NDArray[np.int32]:
    """Give the label that most repeats chose, -1 where two were chosen as often."""
    width = int(side.max(initial=0)) + 1
    keys, counts = np.unique(cell * width + side, return_counts=True)
    of, label = keys // width, (keys % width).astype(np.int32)
    most = np.zeros(cells, dtype=np.int64)
    np.maximum.at(most, of, counts)
    top = counts == most[of]
    verdict = np.full(cells, -1, dtype=np.int32)
    verdict[of[top]] = label[top]
    verdict[np.bincount(of[top], minlength=cells) > 1] = -1
    return verdict
