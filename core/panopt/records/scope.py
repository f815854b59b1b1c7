"""Whether a certificate is for these logs: the same judges, asked the same, pooled the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from panopt.errors import CertificateError
from panopt.records.answers import Answers, answers_of
from panopt.records.ask import Ask
from panopt.records.cascade import CASCADE
from panopt.records.certificate import Certificate, CertifiedJudge, Scope
from panopt.records.consensus import Consensus
from panopt.records.matrix import Matrix
from panopt.records.study import Study

__all__ = ["check_consensus", "check_scope", "scope_of", "scope_of_cascade", "source_of"]

#: A judge with more prompts than this has hashes of filled-in prompts, which never come again.
MOST_PROMPTS = 50


def scope_of(study: Study, matrix: Matrix, consensus: Consensus, ask: Ask) -> Scope:
    """Give what a certificate of this criterion is for; `study` holds the rows of `matrix`.

    Raises
    ------
    CertificateError
        For a judge with a prompt of its own for nearly every response.
    """
    return Scope(
        criterion=matrix.criterion,
        scale=str(matrix.scale),
        judges=_templates(_judges(study, matrix)),
        aggregate=consensus.method,
        confidence=consensus.confidence_source,
        threshold=ask.threshold,
        min_successful=ask.min_successful,
    )


def scope_of_cascade(study: Study, matrix: Matrix, answers: Answers, ask: Ask) -> Scope:
    """Give what a certificate of the judges in ``ask.cascade`` is for.

    Raises
    ------
    CertificateError
        For a judge with a prompt of its own for nearly every response, or with no confidence, or
        confidences of several sources.
    """
    sources = []
    for name in ask.cascade:
        try:
            sources.append(f"{name}: {source_of(answers, matrix.judges.index(name), name)}")
        except CertificateError as error:
            raise CertificateError(f"{error}{_told_of_confidence(study)}") from error
    known = [judge for judge in _judges(study, matrix) if judge.name in ask.cascade]
    return Scope(
        criterion=matrix.criterion,
        scale=str(matrix.scale),
        judges=_templates(known),
        aggregate=CASCADE,
        confidence=f"deciding judge's own ({'; '.join(sources)})",
        threshold=ask.threshold,
        min_successful=1,
    )


def _told_of_confidence(study: Study) -> str:
    """Repeat what reading warned of confidences: a column that was left out, and why."""
    told = (f"{one.location}: {text}" for one in study.sources for text in one.warnings)
    return "".join(f"; {text}" for text in told if "column confidence" in text)


def source_of(answers: Answers, column: int, judge: str) -> str:
    """Give the source of a judge's confidence.

    Raises
    ------
    CertificateError
        Where it has none or several.
    """
    sources = answers.sources[column]
    if not sources:
        raise CertificateError(
            f"judge {judge!r} has no confidence: it states none (column confidence) and was asked "
            "once a response, so that there is no share of repeats either"
        )
    if len(sources) > 1:
        raise CertificateError(
            f"judge {judge!r} has confidences of several sources ({', '.join(sources)}), which "
            "do not compare; a threshold is on one of them"
        )
    return sources[0]


def _templates(judges: Sequence[CertifiedJudge]) -> tuple[CertifiedJudge, ...]:
    for judge in judges:
        if len(judge.prompts) > MOST_PROMPTS:
            raise CertificateError(
                f"judge {judge.name!r} has {len(judge.prompts)} prompt hashes, those of prompts "
                "with the response filled in; a certificate needs the hash of the template"
            )
    return tuple(judges)


def check_scope(
    certificate: Certificate, study: Study, matrix: Matrix, ask: Ask, versions: Mapping[str, str]
) -> None:
    """Refuse a certificate of other judges, scales, prompts, options or versions.

    Raises
    ------
    CertificateError
        Naming every difference.
    """
    scope = certificate.scope
    found = [
        *_other_versions(certificate.versions, versions),
        *_other_options(certificate, ask),
    ]
    if certificate.stages:
        found += _other_stages(certificate, study, matrix, ask)
    else:
        judges = _judges(study, matrix)
        found += _other_judges(scope.judges, judges, vouched=ask.same_prompts)
    if str(matrix.scale) != scope.scale:
        found.append(
            f"the scale of {matrix.criterion!r} is {matrix.scale}, it was {scope.scale} (declare "
            f"it if that is the form: --scale {scope.scale})"
        )
    _refuse(certificate, found)


def check_consensus(certificate: Certificate, consensus: Consensus) -> None:
    """Refuse a certificate whose confidence was made in another way.

    Raises
    ------
    CertificateError
        Naming every difference.
    """
    scope, found = certificate.scope, []
    for what, now, then in (
        ("verdicts are aggregated by", consensus.method, scope.aggregate),
        ("the confidence is the", consensus.confidence_source, scope.confidence),
    ):
        if now != then:
            found.append(f"{what} {now}, it was {then}")
    if not consensus.own_votes:
        found.append(
            f"the confidence of {consensus.method} is fitted to the logs at hand, so that a "
            "threshold does not carry over"
        )
    _refuse(certificate, found)


def _refuse(certificate: Certificate, found: Sequence[str]) -> None:
    if found:
        raise CertificateError(f"{certificate.name} is not for these logs: {'; '.join(found)}")


def _judges(study: Study, matrix: Matrix) -> tuple[CertifiedJudge, ...]:
    codes, hashes = study.codes("prompt_hash")
    prompt = codes[matrix.votes.row]
    width = len(hashes) + 1
    pairs = np.unique(matrix.votes.judge.astype(np.int64) * width + (prompt + 1)).tolist()
    asked: list[list[str | None]] = [[] for _ in matrix.judges]
    for pair in pairs:
        code = pair % width - 1
        asked[pair // width].append(hashes[code] if code >= 0 else None)
    return tuple(
        CertifiedJudge(
            name=name,
            kind="program" if kind == "program" else "llm",
            scale=str(scale),
            prompts=tuple(sorted(prompts, key=lambda text: (text is not None, text))),
        )
        for name, kind, scale, prompts in zip(
            matrix.judges, matrix.judge_kinds, matrix.judge_scales, asked, strict=True
        )
    )


def _other_versions(then: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
    """Name panopt or the aggregating plugin where its confidence may be another by now."""
    for name in sorted(then):
        if name == "panopt" or name.startswith("plugin "):
            here = now.get(name, "not installed")
            if here != then[name]:
                yield f"{name} is {here}, it was {then[name]} (calibrate again with this one)"


def _other_options(certificate: Certificate, ask: Ask) -> Iterator[str]:
    scope = certificate.scope
    for name, given, then in (
        ("threshold", ask.threshold, scope.threshold),
        ("min_successful", ask.min_successful, scope.min_successful),
    ):
        if given != then:
            yield f"option {name} is {given:g}, it was {then:g}"
    for name, given, then in (
        ("alpha", ask.alpha, certificate.alpha),
        ("delta", ask.delta, certificate.delta),
    ):
        if name in ask.model_fields_set and given != then:  # a default asks for nothing
            yield f"option {name} is {given:g}, certified was {then:g}"
    if ask.aggregate not in ("auto", scope.aggregate):
        yield f"option aggregate is {ask.aggregate}, it was {scope.aggregate}"


def _other_judges(
    then: Sequence[CertifiedJudge],
    now: Sequence[CertifiedJudge],
    *,
    vouched: bool,
    sometimes: frozenset[str] = frozenset(),
) -> Iterator[str]:
    """Name what judges are otherwise; prompts of those asked `sometimes` need not all come up."""
    was, here = ({judge.name: judge for judge in judges} for judges in (then, now))
    for name in sorted(here.keys() - was.keys()):
        yield f"judge {name!r} is not among the certified ({', '.join(sorted(was))})"
    for name in sorted(was.keys() - here.keys()):
        yield f"the certified judge {name!r} gave no judgment"
    unknown = []
    for name in sorted(was.keys() & here.keys()):
        old, new = was[name], here[name]
        if new.kind != old.kind:
            yield f"judge {name!r} is a {new.kind} judge, it was a {old.kind} one"
        if new.scale != old.scale:
            yield (
                f"the scale of judge {name!r} is {new.scale}, it was {old.scale} (declare it if "
                f"that is the form: --scale {name}={old.scale})"
            )
        difference = _other_prompts(old.prompts, new.prompts, all_come_up=name not in sometimes)
        if difference is not None:
            yield f"the prompt of judge {name!r} {difference}"
        elif None in (*old.prompts, *new.prompts):
            unknown.append(name)
    if unknown and not vouched:
        yield (
            f"it is not known whether {', '.join(map(repr, unknown))} had the same prompt: the "
            "logs, these or the certified ones, do not tell (--same-prompts if you know it)"
        )


def _other_stages(
    certificate: Certificate, study: Study, matrix: Matrix, ask: Ask
) -> Iterator[str]:
    """Name what the judges of a cascade are otherwise; others may be in the logs, too.

    Judges that were never asked are no difference: a cascade asks them where it must. Nor is a
    prompt of theirs that does not come up, but for the first judge, who is always asked.
    """
    answers = answers_of(matrix, threshold=ask.threshold)
    here = {judge.name: judge for judge in _judges(study, matrix)}
    if not set(certificate.asked) & set(here):
        yield f"no judge of the cascade ({', '.join(certificate.asked)}) gave a judgment"
    then, now = [], []
    for stage in certificate.stages:
        if stage.judge not in here or stage.threshold is None:
            continue
        judge = here[stage.judge]
        was = next(known for known in certificate.scope.judges if known.name == stage.judge)
        column = matrix.judges.index(stage.judge)
        sources = " and ".join(answers.sources[column])
        if sources != stage.source and (sources or (answers.verdict[:, column] >= 0).any()):
            yield (
                f"the confidence of judge {stage.judge!r} is {sources or 'not told'}, it was "
                f"{stage.source}"
            )
        if answers.draws[column] != stage.draws:
            yield (
                f"judge {stage.judge!r} was asked {answers.draws[column]} time(s) a response, it "
                f"was {stage.draws}"
            )
        then.append(was)
        now.append(judge)
    later = frozenset(certificate.asked[1:])
    yield from _other_judges(then, now, vouched=ask.same_prompts, sometimes=later)


def _other_prompts(
    then: Sequence[str | None], now: Sequence[str | None], *, all_come_up: bool
) -> str | None:
    """Say how known prompts differ; what is not known differs in nothing."""
    fresh = [text for text in now if text is not None and text not in then]
    gone = [text for text in then if text is not None and text not in now]
    if fresh and None not in then:
        known = ", ".join(text for text in then if text is not None)
        return f"is {fresh[0]}, certified was {known}"
    if gone and None not in now and all_come_up:
        return f"is never {gone[0]}, which was among the certified"
    return None
