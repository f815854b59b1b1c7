"""What to do next, given what the evidence of one criterion supports."""

from __future__ import annotations

from panopt.records.ask import Ask
from panopt.records.report import CriterionReport

__all__ = ["next_steps"]


def next_steps(part: CriterionReport, ask: Ask) -> tuple[str, ...]:
    """Give the next steps for one criterion, the most useful one first."""
    return (*_labels(part, ask), *_decisions(part))


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
            f"have people label {needed} or more responses drawn at random ({have}) and read them "
            "with --labels FILE: without labels nothing can be promised"
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
