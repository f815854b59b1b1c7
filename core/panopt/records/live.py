"""A certificate in a live cascade: whether a judge may decide, or the next one must be asked.

Framework-free: whoever calls the models says who was asked, with which prompt, and where the
confidence comes from. Call :func:`check_live` before the first call, then :func:`live_answer`
after each. Every judgment must record the same confidence and source (`Judgment.confidence`,
`Judgment.confidence_source`), so that ``panopt analyze --certificate`` decides as the cascade did.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Literal

from panopt.errors import CertificateError
from panopt.records.certificate import Certificate
from panopt.records.stage import Stage

__all__ = ["LiveAnswer", "LiveJudge", "check_live", "live_answer", "refuse_unless_for"]


@dataclass(frozen=True, slots=True)
class LiveJudge:
    """A judge as it is about to be asked.

    Attributes
    ----------
    name
        As its judgments will be logged.
    prompt_hash
        Of the prompt without the response; None where that is not known.
    source
        Where its confidence comes from: the text that its judgments will carry as
        `confidence_source` (``vote share over repeats`` where it states none).
    draws
        Times it is asked about a response.
    scale
        Text of its scale; None for that of the criterion.
    """

    name: str
    prompt_hash: str | None
    source: str
    draws: int = 1
    scale: str | None = None


@dataclass(frozen=True, slots=True)
class LiveAnswer:
    """What to do with the verdict of one judge, and why in words.

    `action` is ``decides`` (trust its verdict, ask no more), ``escalate`` (ask `next_judge`; with
    none left the cascade abstains and a human is asked) or ``refused`` (it is not the judge that
    was certified: nothing of the certificate applies).
    """

    action: Literal["decides", "escalate", "refused"]
    reason: str
    next_judge: str | None = None


def check_live(  # noqa: PLR0913 - one argument a thing that must match
    certificate: Certificate,
    judges: Sequence[LiveJudge],
    *,
    criterion: str,
    scale: str,
    threshold: float | None = None,
    same_prompts: bool = False,
) -> None:
    """Refuse a certificate that is not for these judges, before any of them is called.

    Parameters
    ----------
    certificate
        Of a cascade.
    judges
        In the order in which they will be asked. Those that never decide may be left out.
    criterion, scale
        What will be judged; text of its scale.
    threshold
        Value on [0, 1] from which a response passes; not compared where not given.
    same_prompts
        Vouch that judges whose prompt is not known, here or in the certificate, have the same.

    Raises
    ------
    CertificateError
        Naming every difference.

    Notes
    -----
    That a certificate is of the judges asked is no proof that its promise holds: that the
    responses are drawn as the labelled ones were remains an assumption.
    """
    scope = certificate.scope
    if not certificate.stages:
        raise CertificateError(
            f"{certificate.name} is of a panel of judges together, not of a cascade (panopt "
            "calibrate --cascade makes one that is)"
        )
    found = list(_other_version(certificate))
    for what, now, then in (
        ("criterion", criterion, scope.criterion),
        ("scale", scale, scope.scale),
    ):
        if now != then:
            found.append(f"the {what} is {now!r}, it was {then!r}")
    if threshold is not None and threshold != scope.threshold:
        found.append(f"option threshold is {threshold:g}, it was {scope.threshold:g}")
    names = [judge.name for judge in judges]
    known = [stage.judge for stage in certificate.stages]
    found += [
        f"judge {name!r} is not among the certified ({', '.join(known)})"
        for name in names
        if name not in known
    ]
    found += [
        f"the certified judge {name!r} is missing"
        for name in certificate.asked
        if name not in names
    ]
    if not found and names != [name for name in known if name in names]:
        found.append(f"judges are asked in the order {', '.join(names)}, it was {', '.join(known)}")
    for judge in judges:
        if judge.name in known:
            found += _differences(certificate, judge, same_prompts=same_prompts)
    _refuse(certificate, found)


def refuse_unless_for(
    certificate: Certificate, judge: LiveJudge, *, same_prompts: bool = False
) -> Stage:
    """Give the stage of a judge; refuse one with another prompt, scale or confidence than then.

    Raises
    ------
    CertificateError
        Naming every difference.
    """
    stage = certificate.stage(judge.name)
    _refuse(certificate, list(_differences(certificate, judge, same_prompts=same_prompts)))
    return stage


def live_answer(
    certificate: Certificate,
    judge: LiveJudge,
    confidence: float | None,
    *,
    same_prompts: bool = False,
) -> LiveAnswer:
    """Say whether a judge's verdict decides, the next is to be asked, or it is refused.

    Parameters
    ----------
    certificate
        Of a cascade.
    judge
        Who answered; none before it in the cascade decided.
    confidence
        Its confidence in its verdict; None where it gave no verdict or no confidence: a judge
        that failed, abstained or called a tie passes the response on.
    same_prompts
        As in :func:`check_live`.

    Returns
    -------
    LiveAnswer
        Never an exception: a confidence off its range is refused, with the rule.

    """
    try:
        stage = refuse_unless_for(certificate, judge, same_prompts=same_prompts)
        decides = stage.decides(confidence)
    except (CertificateError, ValueError) as error:
        return LiveAnswer("refused", str(error))
    after = certificate.stages[certificate.stages.index(stage) + 1 :]
    follows = next((other.judge for other in after if other.threshold is not None), None)
    left = "no judge is left: ask a human" if follows is None else f"ask {follows!r}"
    if decides:
        return LiveAnswer("decides", f"{judge.name!r} decides: {_compared(stage, confidence)}")
    if stage.threshold is None:
        return LiveAnswer("escalate", f"{judge.name!r} never decides; {left}", follows)
    if confidence is None or confidence != confidence:  # noqa: PLR0124 - NaN
        return LiveAnswer("escalate", f"{judge.name!r} has no confidence; {left}", follows)
    return LiveAnswer(
        "escalate", f"{judge.name!r}: {_compared(stage, confidence)}; {left}", follows
    )


def _compared(stage: Stage, confidence: float | None) -> str:
    if stage.always and confidence is not None:
        return f"its every verdict is trusted, whatever its confidence ({confidence:.3f})"
    verb = "reaches" if stage.decides(confidence) else "is below"
    return f"confidence {confidence:.3f} ({stage.source}) {verb} {stage.threshold:.4g}"


def _refuse(certificate: Certificate, found: Sequence[str]) -> None:
    if found:
        raise CertificateError(f"{certificate.name} is not for these judges: {'; '.join(found)}")


def _other_version(certificate: Certificate) -> Iterator[str]:
    then, now = certificate.versions.get("panopt"), version("panopt")
    if then is not None and then != now:
        yield f"panopt is {now}, it was {then} (calibrate again with this one)"


def _differences(
    certificate: Certificate, judge: LiveJudge, *, same_prompts: bool
) -> Iterator[str]:
    """Name what of a judge is not as it was certified."""
    stage = certificate.stage(judge.name)
    then = next(known for known in certificate.scope.judges if known.name == judge.name)
    if judge.source != stage.source:
        yield f"the confidence of {judge.name!r} is {judge.source!r}, it was {stage.source!r}"
    if judge.draws != stage.draws:
        yield f"judge {judge.name!r} is asked {judge.draws} times a response, it was {stage.draws}"
    scale = certificate.scope.scale if judge.scale is None else judge.scale
    if scale != then.scale:
        yield f"the scale of judge {judge.name!r} is {scale}, it was {then.scale}"
    if judge.prompt_hash is not None and judge.prompt_hash in then.prompts:
        return
    if judge.prompt_hash is not None and None not in then.prompts:
        known = ", ".join(text for text in then.prompts if text is not None)
        yield f"the prompt of judge {judge.name!r} is {judge.prompt_hash}, certified was {known}"
    elif not same_prompts:
        yield (
            f"it is not known whether judge {judge.name!r} has the same prompt: its hash is not "
            "told here or was not in the certified logs (vouch with same_prompts if you know it)"
        )
