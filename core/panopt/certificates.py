"""Certificates: made from labelled logs, kept in a file, read back before they are applied."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from panopt.analysis import aggregate, versions_of
from panopt.errors import AskError, CertificateError
from panopt.host import Host
from panopt.records.ask import Ask
from panopt.records.calibration import Calibration, calibrate, one_of_each_cluster
from panopt.records.calibration import certify as certify_threshold
from panopt.records.cascade import CASCADE
from panopt.records.cascade_certificate import certify_judges
from panopt.records.certificate import Certificate, Deciding, Seen
from panopt.records.consensus import Consensus
from panopt.records.label_doubts import one_sided, unread
from panopt.records.matrix import Matrix
from panopt.records.scope import scope_of
from panopt.records.settle import settle_scales
from panopt.records.source import Source
from panopt.records.standing import DRIFT_LEVEL
from panopt.records.study import Study
from panopt.stats.certify import CertifiedThreshold
from panopt.stats.certify_checks import one_of_each
from panopt.stats.drift import drift_test
from panopt.writing import Written, write_text

__all__ = ["certify", "read_certificate", "write_certificate"]

#: The rule for each kind of scale; no other plain rule uses more of the votes.
RULES = {"nominal": "plurality", "binary": "majority", "pairwise": "majority"}
RULE = "mean"

#: Where a day begins first.
EASTERNMOST = dt.timezone(dt.timedelta(hours=14))


def certify(
    study: Study, ask: Ask | None = None, *, date: str | None = None, host: Host | None = None
) -> Certificate:
    """Certify from which confidence verdicts of a panel, or a cascade, may be trusted.

    Parameters
    ----------
    study
        Judgments and human labels of responses drawn as those to come will be.
    ask
        Options; the defaults where not given. ``aggregate="auto"`` takes the plain rule of the
        scale: a confidence fitted to these logs would mean something else on others. With
        ``cascade``, names of judges from cheap to strong, the certificate is of these judges
        asked in turn, each by its own confidence.
    date
        When these responses were judged, ``YYYY-MM-DD``; the day the latest run that tells it
        began where not given. The clock tells no date: same input, same certificate.
    host
        Plugins; the installed ones where not given.

    Returns
    -------
    Certificate
        Of one criterion, to be written by :func:`write_certificate` and applied by
        ``analyze(study, Ask(certificate=...))``.

    Raises
    ------
    CertificateError
        Where no threshold can be certified, with the number of labels it would take.
    AskError
        For several criteria where `ask` names none, a method that is unknown, or a date that is
        none or has not come anywhere on earth.
    """
    ask, host = ask or Ask(), host or Host()
    if ask.certificate is not None:
        raise AskError("option certificate is for logs to come: it makes no new certificate")
    when = _date(date, study.sources)
    if study.table["scale"].null_count:
        study, _ = settle_scales(study, {})
    criterion = _criterion(study, ask)
    rows, matrix = study.where("criterion", criterion), study.matrix(criterion)
    if not matrix.n_judges:
        raise AskError(f"criterion {criterion!r} has human labels but no judge; read a log too")
    versions = versions_of(host)
    if ask.cascade:
        made = certify_judges(
            rows, matrix, ask, data=study.digest, date=when, versions=_told(versions, host, CASCADE)
        )
        return made.model_copy(update={"warnings": (*made.warnings, *_doubts(matrix, ask))})
    if ask.costs:
        raise AskError("option costs is of a cascade: name its judges, cheap to strong (cascade)")
    consensus = _consensus(rows, matrix, ask, host)
    labelled = calibrate(matrix, consensus, ask)
    found = certify_threshold(labelled, ask)
    if not found.feasible:
        raise CertificateError(f"criterion {criterion!r}: {_short(matrix, labelled, found)}")
    return Certificate(
        scope=scope_of(rows, matrix, consensus, ask),
        deciding=(Deciding(judge="panel", threshold=found.threshold),),
        alpha=found.alpha,
        delta=found.delta,
        n=found.n,
        errors=found.errors,
        bound=found.bound,
        level=found.level,
        coverage=found.coverage,
        n_labels=found.n_labels,
        n_tied=labelled.n_tied,
        n_undecided=labelled.n_undecided,
        n_responses=matrix.n_responses,
        promised=labelled.promised,
        method=found.method,
        assumption=found.assumption,
        warnings=(*_warnings(labelled, matrix, consensus, ask), *_doubts(matrix, ask)),
        seen=_seen(labelled, consensus, ask),
        seed=ask.seed,
        data=study.digest,
        date=when,
        versions=_told(versions, host, consensus.method),
    )


def read_certificate(path: str | Path) -> Certificate:
    """Read a certificate from its file.

    Raises
    ------
    CertificateError
        For a file that cannot be read, is no certificate, of another version, or was edited.
    """
    try:
        content = Path(path).read_bytes()
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise CertificateError(f"{path}: cannot be read ({why})") from error
    try:
        return Certificate.from_json(content)
    except CertificateError as error:
        raise CertificateError(f"{path}: {error}") from error


def write_certificate(
    certificate: Certificate,
    path: str | Path,
    *,
    overwrite: bool = False,
    study: Study | None = None,
) -> Written:
    """Write a certificate to a file, whole or not at all.

    Parameters
    ----------
    certificate
        What :func:`certify` gave.
    path
        The file; folders are made where missing.
    overwrite
        Replace a file with other content.
    study
        What it was made from: its sources are never replaced.

    Raises
    ------
    OutputError
        When the file exists with other content, is a source, or cannot be written.
    """
    sources = () if study is None else study.sources
    return write_text(
        certificate.to_json(),
        path,
        source="certificate",
        keep=[source.location for source in sources],
        overwrite=overwrite,
    )


def _told(versions: Mapping[str, str], host: Host, method: str) -> dict[str, str]:
    """Give the versions that a confidence depends on."""
    plugin = host.methods().get(method)
    if plugin is None:
        raise AskError(f"aggregation method {method!r} is of no plugin that is installed")
    return {name: versions[name] for name in ("panopt", "numpy", "scipy", f"plugin {plugin}")}


def _criterion(study: Study, ask: Ask) -> str:
    wanted = tuple(dict.fromkeys(ask.criterion or study.criteria))
    if len(wanted) != 1:
        known = ", ".join(repr(name) for name in wanted) or "none"
        raise AskError(f"a certificate is of one criterion; name it with --criterion: {known}")
    return wanted[0]


def _consensus(rows: Study, matrix: Matrix, ask: Ask, host: Host) -> Consensus:
    method, why = ask.aggregate, "asked for"
    if method == "auto":
        method = RULES.get(matrix.scale.kind, RULE)
        why = "its confidence depends on a response's own votes alone"
    consensus = aggregate(rows, matrix, ask.model_copy(update={"aggregate": method}), host, why)
    if not consensus.own_votes:
        raise CertificateError(
            f"the confidence of {method!r} is fitted to the logs at hand: a threshold certified on "
            "it means something else on others; take a plain rule, such as --aggregate "
            f"{RULES.get(matrix.scale.kind, RULE)}"
        )
    return consensus


def _short(matrix: Matrix, labelled: Calibration, found: CertifiedThreshold) -> str:
    """Say why nothing is certified, and how many labels it would take."""
    if found.n_labels:
        why = found.reason or "nothing is certified"
        if found.n_labels < found.labels_needed:  # which the reason tells
            return f"{why}, and more with errors"
    else:
        why = "no response has both a human label and a panel verdict"
        if labelled.n_undecided:
            why += f" ({labelled.n_undecided} labelled ones have no verdict)"
        why = unread(matrix) or why
    return (
        f"{why}; alpha = {found.alpha:g} at delta = {found.delta:g} takes at least "
        f"{found.labels_needed} labelled responses above the threshold, and more with errors"
    )


def _doubts(matrix: Matrix, ask: Ask) -> list[str]:
    """Say what speaks against the labels themselves."""
    found = (unread(matrix), one_sided(matrix, threshold=ask.threshold))
    return [text for text in found if text is not None]


def _warnings(
    labelled: Calibration, matrix: Matrix, consensus: Consensus, ask: Ask
) -> tuple[str, ...]:
    """Say where labelled responses are no random sample of the responses of their own logs."""
    decided = (consensus.verdict >= 0) & ~np.isnan(consensus.confidence)
    decided &= ~np.isin(matrix.clusters, labelled.clusters)
    others, _ = one_of_each_cluster(np.flatnonzero(decided), matrix.clusters, seed=ask.seed)
    mine, _ = one_of_each_cluster(labelled.rows, matrix.clusters, seed=ask.seed)
    found = drift_test(
        consensus.confidence[mine],
        consensus.confidence[others],
        rng=np.random.default_rng(ask.seed),
    )
    if found.p_value is None or found.p_value > DRIFT_LEVEL:
        return ()
    text = (
        f"the {found.n_reference} labelled responses are no random sample of these logs: the "
        f"confidences of {found.n} others are distributed otherwise (largest difference "
        f"{found.difference:.3f}, p = {found.p_value:.2g})"
    )
    return (text,)


def _seen(labelled: Calibration, consensus: Consensus, ask: Ask) -> tuple[Seen, ...]:
    rows = labelled.rows
    if labelled.clustered:  # the very responses that the certificate counts
        rows = rows[one_of_each(labelled.clusters, len(rows), np.random.default_rng(ask.seed))]
    pairs = zip(consensus.n_votes[rows].tolist(), consensus.confidence[rows].tolist(), strict=True)
    return tuple(
        Seen(votes=votes, confidence=confidence, count=count)
        for (votes, confidence), count in sorted(Counter(pairs).items())
    )


def _date(given: str | None, sources: tuple[Source, ...]) -> str | None:
    if given is None:
        began = [_day(source.attempt[1][:10]) for source in sources if source.attempt is not None]
        return max((day for day in began if day is not None), default=None)
    day = _day(given)
    if day is None:
        raise AskError(f"option date = {given!r} is no date; write it YYYY-MM-DD")
    if day > dt.datetime.now(EASTERNMOST).date().isoformat():
        raise AskError(f"option date = {given!r} lies in the future: it is the day of judging")
    return day


def _day(text: str) -> str | None:
    try:
        return dt.date.fromisoformat(text).isoformat()
    except ValueError:
        return None
