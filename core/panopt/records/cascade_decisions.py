"""Decisions of a certified cascade: whom to trust, whom to ask next, when to ask a human."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from panopt.records.cascade import Walk
from panopt.records.certificate import Certificate
from panopt.records.decisions import DECISIONS, Decisions
from panopt.records.stage import Stage
from panopt.records.standing import Standing

__all__ = ["cascade_decisions"]

TRUST, ESCALATE, HUMAN = (DECISIONS.index(name) for name in ("trust", "escalate", "human"))


def cascade_decisions(criterion: str, standing: Standing, walk: Walk) -> Decisions:
    """Decide on each response as the cascade does.

    *Trust*: the first judge, in the order of the certificate, that is sure enough; the verdict
    is its own. *Escalate*: the next judge of the cascade has not been asked. *Human*: all were
    asked and none is sure enough, or the certificate is expired.
    """
    certificate, expired = standing.certificate, standing.expired
    stages = certificate.stages
    n = len(stages)
    reason = np.full(len(walk.stage), 2 * n, dtype=np.int16)
    reason[np.isnan(walk.confidence)] = 2 * n + 1
    reason[walk.last < 0] = 2 * n + 2
    for where, first in ((walk.stage, 0), (walk.stopped, n)):
        reason[where >= 0] = (first + where[where >= 0]).astype(np.int16)
    decision = np.full(len(walk.stage), HUMAN, dtype=np.int8)
    decision[walk.stopped >= 0] = ESCALATE
    decision[walk.stage >= 0] = TRUST if expired is None else HUMAN
    words = standing.guarantee() if expired is None else standing.refusal()
    return Decisions(
        criterion=criterion,
        method="certified cascade" if expired is None else "expired certificate",
        decision=decision,
        reason=reason,
        reasons=_sentences(certificate, expired=expired is not None),
        numbers={
            "confidence": walk.confidence,
            "threshold": _thresholds(stages, walk.last),
            "stage": np.where(walk.stage >= 0, walk.stage + 1.0, np.nan),
        },
        guarantee=words if expired is None else None,
        no_guarantee=None if expired is None else words,
    )


def _thresholds(stages: tuple[Stage, ...], last: NDArray[np.int32]) -> NDArray[np.float64]:
    """Give the threshold that the last judge had to reach; NaN where none gave a verdict."""
    own = [np.nan if stage.threshold is None else stage.threshold for stage in stages]
    return np.array([*own, np.nan])[last]


def _sentences(certificate: Certificate, *, expired: bool) -> tuple[str, ...]:
    """Word every reason: who decides, who was not asked, and why nobody decides."""
    stages = certificate.stages
    but = "; but the certificate is expired: nothing is trusted" if expired else ""
    decides = tuple(f"{_decides(stage)}{but}" for stage in stages)
    stopped = tuple(
        f"judge {_quoted(stage)} was not asked{_so_often(stage)}, and no judge before it in the "
        "cascade decides: it is next to be asked; what others say is not certified without it"
        for stage in stages
    )
    everyone = ", ".join(_quoted(stage) for stage in stages if stage.threshold is not None)
    nobody = f"no judge of the cascade ({everyone})"
    return (
        *decides,
        *stopped,
        f"{nobody} is sure enough; the last one's {{confidence:.3f}} is below {{threshold:.3f}}",
        f"{nobody} is sure enough; the last one told no confidence",
        f"{nobody} gave a verdict",
    )


def _decides(stage: Stage) -> str:
    told = f"its confidence {{confidence:.3f}} ({_plain(stage.source)})"
    who = f"judge {_quoted(stage)} decides: {told}"
    if stage.always:
        return f"{who} does not matter, its every verdict is certified"
    return f"{who} reaches the certified {{threshold:.3f}}"


def _so_often(stage: Stage) -> str:
    return "" if stage.draws == 1 else f" {stage.draws} times"


def _quoted(stage: Stage) -> str:
    return _plain(repr(stage.judge))


def _plain(text: str) -> str:
    """Keep braces of a name from being read as a field."""
    return text.replace("{", "{{").replace("}", "}}")
