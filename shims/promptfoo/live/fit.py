"""Whether a certificate fits the judges of a row: the same ones, asked the same, on their scales.

As :mod:`panopt.records.scope` checks a whole file, but row by row: what is not seen yet counts as
a difference, so that nothing is trusted on the word of judges that never spoke.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import version

from panopt.records.answers import REPEATS
from panopt.records.certificate import Certificate, CertifiedJudge
from panopt.records.scale import Scale
from panopt.shims.promptfoo.live.rows import STATED, Judged
from panopt.stats.rule_names import RULES

__all__ = ["differences", "unfit"]


def unfit(certificate: Certificate) -> Iterator[str]:
    """Name what of a certificate does not fit rows decided one by one, by this panopt."""
    scope, now = certificate.scope, version("panopt")
    plain = scope.aggregate in RULES and scope.confidence == "vote share"
    if not certificate.stages and not plain:
        yield f"votes are pooled by {scope.aggregate} ({scope.confidence}), which is no plain rule"
    if Scale.parse(scope.scale).kind == "nominal":
        yield "it is for labels, and rows hold scores"
    for name, then in sorted(certificate.versions.items()):
        here = now if name == "panopt" else f"panopt {now}"
        if (name == "panopt" or name.startswith("plugin ")) and then != here:
            yield f"{name} is {here}, it was {then} (calibrate again with this one)"


def differences(
    certificate: Certificate, verdicts: Sequence[Judged], *, vouched: bool
) -> Iterator[str]:
    """Name what of the judges of a row is not as it was certified.

    Parameters
    ----------
    certificate
        Of a panel, or of a cascade: then other judges may be in the row, too.
    verdicts
        Of the row, on the criterion of the certificate.
    vouched
        Prompts that are not known are taken to be the same.
    """
    known = {judge.name: judge for judge in certificate.scope.judges}
    unsure: dict[str, None] = {}
    for one in verdicts:
        then = known.get(one.judge)
        if then is None or (certificate.stages and one.judge not in certificate.asked):
            yield from () if certificate.stages else (_stranger(one.judge, known),)
            continue
        if one.kind != then.kind:
            yield f"judge {one.judge!r} is a {one.kind} judge, it was a {then.kind} one"
        if one.status == "ok" and bool(Scale.parse(then.scale).off(one.score)):
            yield f"score {one.score:g} of judge {one.judge!r} is off its scale {then.scale}"
        other = _other_prompt(then, one)
        if other is not None:
            yield other
        elif one.prompt is None or None in then.prompts:
            unsure[one.judge] = None
    if certificate.stages:
        yield from _other_confidence(certificate, verdicts)
    if unsure and not vouched:
        names = ", ".join(map(repr, sorted(unsure)))
        yield (
            f"it is not known whether {names} had the same prompt (PANOPT_SAME_PROMPTS=1 if you "
            "know it)"
        )


def _stranger(judge: str, known: Iterable[str]) -> str:
    return f"judge {judge!r} is not among the certified ({', '.join(sorted(known))})"


def _other_prompt(then: CertifiedJudge, now: Judged) -> str | None:
    if now.prompt is None or None in then.prompts or now.prompt in then.prompts:
        return None
    was = ", ".join(text for text in then.prompts if text is not None)
    return f"the prompt of judge {now.judge!r} is {now.prompt}, certified was {was}"


def _other_confidence(certificate: Certificate, verdicts: Sequence[Judged]) -> Iterator[str]:
    """Name judges of a cascade whose confidence comes from elsewhere, or from other draws."""
    draws = Counter(one.judge for one in verdicts)
    told = {one.judge for one in verdicts if one.confidence is not None}
    spoke = {one.judge for one in verdicts if one.status == "ok"}
    for stage in certificate.stages:
        name = stage.judge
        if stage.threshold is None or name not in draws:
            continue
        if draws[name] != stage.draws:
            yield f"judge {name!r} was asked {draws[name]} time(s), it was {stage.draws}"
        source = STATED if name in told else REPEATS if draws[name] > 1 else None
        if name in spoke and source != stage.source and (source or stage.source != STATED):
            yield (
                f"the confidence of judge {name!r} is {source or 'not told'}, it was {stage.source}"
            )
