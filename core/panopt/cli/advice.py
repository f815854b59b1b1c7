"""What to do next, given what the evidence of one criterion supports."""

from __future__ import annotations

import numpy as np

from panopt.records.ask import Ask
from panopt.records.report import CriterionReport

__all__ = ["next_steps"]

#: Fewer responses than this may well show two levels of many by chance.
FEW = 20


def next_steps(part: CriterionReport, ask: Ask) -> tuple[str, ...]:
    """Give the next steps for one criterion, the most useful one first."""
    return (*_scale(part), *_labels(part, ask), *_decisions(part))


def _scale(part: CriterionReport) -> tuple[str, ...]:
    """Doubt a scale of which two values alone are used: they may be labels, not levels."""
    scale, scores = part.matrix.scale, part.matrix.votes.score
    levels = scale.levels
    if scale.kind != "ordinal" or levels is None or len(levels) <= 2:
        return ()
    used = np.unique(scores[np.isfinite(scores)])
    if len(used) != 2 or part.matrix.n_responses < FEW:
        return ()
    low, high = scale.raw(used).tolist()
    step = (
        f"check the scale: of {scale} only {low:g} and {high:g} occur; if they are two verdicts, "
        "add --scale nominal, or recode them as 0 and 1"
    )
    return (step,)


def _labels(part: CriterionReport, ask: Ask) -> tuple[str, ...]:
    found = part.findings.named("certified_threshold")
    if not found or found[0].value is not None:
        return ()
    needed = found[0].details.get("labels_needed")
    if not isinstance(needed, int):
        return ()
    usable = found[0].n
    if usable < needed:
        have = f"there are {usable}" if usable else "a few hundred are better"
        step = (
            f"have people label {needed} or more responses drawn at random ({have}; --label-next "
            f"{needed} writes a sheet to fill in) and read them with --labels FILE: without labels "
            "nothing can be promised"
        )
        return (step,)
    agreement = part.findings.named("human_agreement")
    rate = agreement[0].value if agreement else None
    known = "" if rate is None else f" (they agree on {rate:.0%} in all)"
    step = (
        f"at most {ask.alpha:.0%} disagreement with humans (--alpha) cannot be promised for any "
        f"share of these verdicts{known}: mend or replace judges, or allow more disagreement"
    )
    return (step,)


def _decisions(part: CriterionReport) -> tuple[str, ...]:
    if part.decisions is None:
        return ()
    counts = part.decisions.counts()
    steps = []
    if counts["escalate"]:
        steps.append(f"put the {counts['escalate']:,} to escalate before a stronger judge")
    settle = counts["ambiguous"] + counts["human"]
    if settle:
        steps.append(f"have people settle the {settle:,} that judges will not (ambiguous, human)")
    if steps:
        steps[-1] += "; --out DIR lists every response with its reason"
    return tuple(steps)
