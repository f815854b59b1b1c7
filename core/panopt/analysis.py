"""Doors two to four: aggregate, analyze and decide, one criterion after the other."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from importlib.metadata import version

import numpy as np

from panopt.errors import AskError, CertificateError, PluginError
from panopt.host import Generators, Host
from panopt.records.ask import Ask
from panopt.records.consensus import Consensus
from panopt.records.matrix import Matrix
from panopt.records.report import CriterionReport, Problem, Report
from panopt.records.scope import check_consensus, check_scope
from panopt.records.settle import settle_scales
from panopt.records.standing import certificate_of
from panopt.records.study import Study

__all__ = ["aggregate", "aggregate_or_fall_back", "analyze", "choose_method", "versions_of"]

#: Fewer labelled responses than this do not anchor the bias of a single judge or two.
ANCHOR_LABELS = 20

#: Fewer labelled responses than this do not decide between majority and weighed votes.
WEIGHING_LABELS = 40

#: Weighed votes are taken where chance would make them so much better with this probability.
BETTER = 0.05

#: What to do about scores that look like verdicts on pairs, where nothing says that they are.
_TIES = "; if .5 is a tie between two answers, say --scale pairwise: labels then weigh votes"

#: The rule that answers where the chosen method cannot.
PLAIN = "mean"


def analyze(study: Study, ask: Ask | None = None, *, host: Host | None = None) -> Report:
    """Say what the evidence of `study` supports.

    Parameters
    ----------
    study
        Judgments, as :func:`panopt.reading.read` gives them.
    ask
        Options; the defaults where not given.
    host
        Plugins; the installed ones where not given.

    Raises
    ------
    AskError
        For a criterion that was not judged, an unknown method, or nothing to analyze.
    SourceError
        For a score off its declared scale.
    """
    ask = ask or Ask()
    host = host or Host()
    unsettled = study.table["scale"].null_count > 0
    study, inferred = settle_scales(study, {}) if unsettled else (study, ())
    wanted = dict.fromkeys(ask.criterion or study.criteria)
    _check_certified(wanted, ask)
    versions = versions_of(host)
    problems: list[Problem] = list(host.broken)
    parts: list[CriterionReport] = []
    for criterion in wanted:
        rows = study.where("criterion", criterion)
        matrix = (rows if len(rows) else study).matrix(criterion)
        if not matrix.n_judges:
            raise AskError(f"criterion {criterion!r} has human labels but no judge; read a log too")
        part, troubles = _one_criterion(rows, matrix, ask, host, versions)
        parts.append(part)
        problems += troubles
    notes = (*inferred, *_strangers(study, ask))
    return Report(study, ask, tuple(parts), versions, tuple(dict.fromkeys(problems)), notes)


def versions_of(host: Host) -> dict[str, str]:
    """Give the versions of panopt, of what it computes with and of every plugin."""
    versions = {name: version(name) for name in ("panopt", "numpy", "scipy", "pyarrow")}
    return versions | {
        f"plugin {info.name}": f"{info.distribution} {info.version}"
        for info in host.plugins
        if info.error is None
    }


def _strangers(study: Study, ask: Ask) -> tuple[str, ...]:
    """Tell of families of judges and systems that are not there: the names may be misspelt."""
    known = {name.casefold() for column in ("judge", "system") for name in study.codes(column)[1]}
    names = (name for name, _ in ask.families if name.casefold() not in known)
    return tuple(f"family of {name!r}: no judge or system has this name" for name in names)


def _check_certified(wanted: Mapping[str, None], ask: Ask) -> None:
    if ask.cascade or ask.costs:
        raise AskError("options cascade and costs are for a certificate: see certify")
    certified = None if ask.certificate is None else ask.certificate.scope.criterion
    if certified is not None and certified not in wanted:
        raise CertificateError(
            f"the certificate is for criterion {certified!r}, these are "
            f"{', '.join(map(repr, wanted)) or 'none'}"
        )


def choose_method(matrix: Matrix) -> tuple[str, str]:
    """Choose the aggregation method for ``auto``, and say why.

    By scale, number of judges and labels: with fewer than three judges and no human anchor the
    judges' biases and noises are unidentified, so a plain rule is taken. Votes are weighed by
    human labels only where that is shown to meet left-out labels more often than the majority.
    """
    kind, judges = matrix.scale.kind, matrix.n_judges
    if kind in ("binary", "pairwise", "nominal") and judges >= 2:
        why = _weighed_better(matrix)
        if why is not None:
            return "supervised", why
    if kind == "nominal":
        return "plurality", "the verdicts are labels without an order"
    if kind in ("binary", "pairwise"):
        return "majority", f"the verdicts are {kind}"
    if judges >= 3:
        why = f"{judges} judges on {matrix.scale}: bias and noise can be told apart"
        return "gaussian", why + (_TIES if _halves(matrix) else "")
    if matrix.n_labelled >= ANCHOR_LABELS:
        return "gaussian", f"{matrix.n_labelled} human labels anchor the bias of {judges} judge(s)"
    return "mean", (
        f"{judges} judge(s) and {matrix.n_labelled} human labels: bias and noise are unidentified "
        f"(three judges, or {ANCHOR_LABELS} labelled responses, would identify them)"
    )


def _weighed_better(matrix: Matrix) -> str | None:
    """Say why votes should be weighed by the human labels; None where they should not."""
    if matrix.n_labelled < WEIGHING_LABELS and not _many_human_labels(matrix):
        return None
    from panopt.records.supervision import electorate, supervise  # noqa: PLC0415 - brings scipy

    try:
        found = supervise(matrix, electorate(matrix), seed=0, level=0.95)
    except ValueError:  # too few of the labels can be learned from
        return None
    if found.n < WEIGHING_LABELS or found.rival is None or found.p_value is None:
        return None
    if found.accuracy <= found.rival or found.p_value >= BETTER:
        return None
    return (
        f"votes weighed by human labels agree with {found.accuracy:.0%} of {found.n} of them, each "
        f"left out in its turn, the majority with {found.rival:.0%} (p = {found.p_value:.2g})"
    )


def _halves(matrix: Matrix) -> bool:
    """Tell whether all scores are 0, .5 or 1, and all three occur: .5 may well be a tie."""
    score = matrix.votes.score
    first = score[:100]  # tells nearly all others apart at once
    if (
        matrix.scale.kind != "continuous"
        or not np.isin(first[~np.isnan(first)], (0.0, 0.5, 1.0)).all()
    ):
        return False
    return np.array_equal(np.unique(score[~np.isnan(score)]), (0.0, 0.5, 1.0))


def _many_human_labels(matrix: Matrix) -> bool:
    """Tell whether there are enough responses with labels that are no scores."""
    labelled = matrix.human_votes.response[matrix.human_votes.label >= 0]
    return len(np.unique(labelled)) >= WEIGHING_LABELS


def aggregate(study: Study, matrix: Matrix, ask: Ask, host: Host, why: str) -> Consensus:
    """Aggregate one criterion by the method of `ask`, whose rows `study` holds.

    Raises
    ------
    AskError
        For a method that is unknown or cannot aggregate this criterion.
    """
    return _asked_for(study, matrix, ask, host, _generators(matrix, ask), why)


def aggregate_or_fall_back(
    study: Study, matrix: Matrix, ask: Ask, host: Host
) -> tuple[Consensus, list[Problem]]:
    """Aggregate one criterion as `analyze` does, and tell of a method that broke down over it.

    Raises
    ------
    AskError
        For a method that was asked for and is unknown or cannot aggregate this criterion.
    """
    return _aggregate(study, matrix, ask, host, _generators(matrix, ask))


def _generators(matrix: Matrix, ask: Ask) -> Generators:
    def rng(plugin: str, hook: str) -> np.random.Generator:
        name = f"{plugin}/{hook}/{matrix.criterion}".encode()
        words = np.frombuffer(hashlib.sha256(name).digest(), dtype=np.uint32)
        return np.random.default_rng([ask.seed, *words.tolist()])

    return rng


def _one_criterion(
    study: Study, matrix: Matrix, ask: Ask, host: Host, versions: Mapping[str, str]
) -> tuple[CriterionReport, list[Problem]]:
    rng = _generators(matrix, ask)
    certificate = certificate_of(ask, matrix.criterion)
    if certificate is None:
        consensus, aggregated = _aggregate(study, matrix, ask, host, rng)
    else:
        check_scope(certificate, study, matrix, ask, versions)
        method = {"aggregate": certificate.scope.aggregate}
        asked, why = ask.model_copy(update=method), "as the certificate has it"
        consensus, aggregated = _asked_for(study, matrix, asked, host, rng, why), []
        check_consensus(certificate, consensus)
    findings, analyzed = host.analyze(study, matrix, consensus, ask=ask, rng=rng)
    decisions, decided = host.decide(study, matrix, consensus, ask=ask, rng=rng)
    part = CriterionReport(matrix.criterion, matrix, consensus, findings, decisions)
    return part, [*aggregated, *analyzed, *decided]


def _aggregate(
    study: Study, matrix: Matrix, ask: Ask, host: Host, rng: Generators
) -> tuple[Consensus, list[Problem]]:
    """Aggregate by the method asked for, or by the one chosen, else by a plain rule."""

    def by(method: str, why: str) -> Consensus:
        return host.aggregate(study, matrix, method=method, why=why, ask=ask, rng=rng)

    if ask.aggregate != "auto":
        return _asked_for(study, matrix, ask, host, rng, "asked for"), []
    method, why = choose_method(matrix)
    if method not in host.methods():
        return by(PLAIN, f"{method} is not installed"), []
    try:
        return by(method, why), []
    except PluginError as error:
        if method == PLAIN or error.__cause__ is None:
            raise
        told = f"{method} could not answer: {error.__cause__}"
        if isinstance(error.__cause__, ValueError):  # it says that these data are not for it
            return by(PLAIN, told), []
        broken = Problem(error.plugin, error.hook or "", str(error), matrix.criterion)
        return by(PLAIN, told), [broken]


def _asked_for(  # noqa: PLR0913, PLR0917 - the hook's arguments
    study: Study, matrix: Matrix, ask: Ask, host: Host, rng: Generators, why: str
) -> Consensus:
    """Aggregate by the method of `ask`; what it cannot aggregate is the asker's error."""
    method, methods = ask.aggregate, host.methods()
    if method not in methods:
        known = ", ".join(sorted(methods))
        raise AskError(f"aggregation method {method!r} is unknown; known: auto, {known}")
    try:
        return host.aggregate(study, matrix, method=method, why=why, ask=ask, rng=rng)
    except PluginError as error:
        if not isinstance(error.__cause__, ValueError):
            raise
        raise AskError(
            f"{method} cannot aggregate {matrix.criterion!r}: {error.__cause__}"
        ) from error
