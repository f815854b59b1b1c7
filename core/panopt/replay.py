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
from panopt.records.answers import Answers, answers_of
from panopt.records.ask import Ask
from panopt.records.calibration import UNLABELLED, human_verdicts
from panopt.records.matrix import Matrix
from panopt.records.settle import settle_scales
from panopt.records.study import Study
from panopt.stats.binomial import zero_error_labels
from panopt.stats.replay import Labelled, Replayed, replay

__all__ = ["CriterionReplay", "JudgeReplay", "replay_study"]

Flags = NDArray[np.bool_]

#: Why most judges are in no cascade.
MUTE = "no confidence stated, asked once a response"


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
    answers = answers_of(matrix, threshold=ask.threshold)
    agrees = answers.verdict[labelled] == human[labelled, None]
    known = ~np.isnan(answers.confidence[labelled])
    judges = tuple(
        _judge(name, price[m], answers, m, agrees[known[:, m], m])
        for m, name in enumerate(matrix.judges)
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
        answers.confidence[labelled][:, chain],
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
            return [], [_alone(judges)]
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


def _alone(judges: tuple[JudgeReplay, ...]) -> str:
    """Say why no judge is in a cascade."""
    others = [judge for judge in judges if judge.reason != MUTE]
    if others:
        why = "; ".join(f"{judge.judge}: {judge.reason}" for judge in others)
        return f"the panel alone: no judge can be in a cascade ({why})"
    return (
        "the panel alone: no judge states a confidence or was asked repeatedly, so that only all "
        "of them together have one"
    )


def _unfit(answers: Answers, column: int, n: int) -> str | None:
    """Say why a judge with a confidence on `n` labelled responses is in no cascade."""
    sources = answers.sources[column]
    if not sources:
        return MUTE
    if len(sources) > 1:
        return f"confidences of several sources ({', '.join(sources)}), which do not compare"
    if not answers.unit[column]:
        return "its confidence is a margin, and what is compared here are probabilities"
    return None if n else "no confidence on a labelled response"


def _judge(name: str, cost: float, answers: Answers, column: int, right: Flags) -> JudgeReplay:
    """Tell of one judge; `right`: its agreement with humans, where it has a confidence."""
    unfit = _unfit(answers, column, len(right))
    if unfit is not None:
        return JudgeReplay(name, None, cost, None, 0, unfit)
    return JudgeReplay(name, answers.sources[column][0], cost, float(right.mean()), len(right))
