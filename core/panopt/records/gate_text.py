"""A gate's verdict in words, as Markdown for a pull request, and as JUnit for a build server."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from panopt.records.gate import Gate, GateCheck
from panopt.records.markdown import escaped, readable

__all__ = [
    "check_words",
    "conclusion",
    "junit",
    "junit_refusal",
    "markdown",
    "markdown_refusal",
    "plan_words",
    "verdict_words",
]

SUITE = "panopt gate"

#: Build servers ask for a time; the same logs give the same bytes.
NO_TIME = "0.000"


def verdict_words(gate: Gate) -> str:
    """Say in a sentence what the gate found."""
    failed = [check for check in gate.checks if gate.fails(check)]
    if any(check.status == "worse" for check in failed):
        return f"FAIL: a drop of more than {gate.max_drop:g} is shown"
    if failed:
        return f"FAIL: a drop of more than {gate.max_drop:g} is not ruled out"
    if all(check.status == "no worse" for check in gate.checks):
        return f"PASS: a drop of more than {gate.max_drop:g} is ruled out"
    return (
        f"PASS, but inconclusive: a drop of more than {gate.max_drop:g} is neither shown nor "
        "ruled out"
    )


def check_words(check: GateCheck, gate: Gate) -> str:
    """Say in a sentence what one check found."""
    moved = "dropped" if check.drop > 0.0 else "rose" if check.drop < 0.0 else "moved"
    low, high = 100 * (1 - gate.alpha_worse), 100 * (1 - gate.alpha)
    looks = ", at every look" if gate.anytime else ""
    return (
        f"{check.candidate} {moved} by {abs(check.drop):.3f} against {check.baseline} on "
        f"{check.n_items:,} common items ({check.measure}). The true drop is at least "
        f"{check.low:.3f} (sure at {low:.4g}%{looks}) and at most {check.high:.3f} "
        f"(at {high:.4g}%); {gate.max_drop:g} is allowed: {check.status}"
    )


def plan_words(check: GateCheck) -> str | None:
    """Say what it takes to tell where a check is inconclusive; None where it is not."""
    if check.status != "inconclusive" or check.detectable is None:
        return None
    text = f"a true drop of {check.detectable:.3f} would be shown 4 times in 5 with these items"
    if check.items_needed is not None:
        text += f"; if the drop is as measured, about {check.items_needed:,} items would tell"
    return text


def conclusion(gate: Gate) -> str:
    """Say what the verdict comes to, for a reader who knows no statistics."""
    if any(check.status == "worse" for check in gate.checks):
        return (
            f"the candidate is worse than allowed; a candidate that is not would be failed in at "
            f"most {100 * gate.alpha:g}% of runs"
        )
    if all(check.status == "no worse" for check in gate.checks):
        return "the candidate is no worse than allowed"
    if gate.anytime:
        return "the items so far are too few to tell: look again when there are more" + (
            ", and until then it does not pass" if gate.require_no_worse else ""
        )
    if gate.require_no_worse:
        return (
            "the candidate may be fine, but these items are too few to rule out that it is worse "
            "than allowed, and --require-no-worse asks for that"
        )
    return (
        "these items are too few to tell. It passes since nothing worse than allowed is shown, "
        "not since it was shown to be as good; --require-no-worse would fail it"
    )


def markdown(gate: Gate) -> str:
    """Write the verdict as Markdown, with a row a check."""
    lines = [
        f"### panopt gate: {escaped(verdict_words(gate))}",
        "",
        f"**In short:** {escaped(conclusion(gate))}.",
        "",
        "| | criterion | baseline | candidate | drop | at least | at most | items | missing |",
        "|---|---|---|---|---:|---:|---:|---:|---:|",
    ]
    for check in gate.checks:
        mark = "❌" if gate.fails(check) else "✅" if check.status == "no worse" else "❔"
        names = " | ".join(map(escaped, (check.criterion, check.baseline, check.candidate)))
        lines.append(
            f"| {mark} {check.status} | {names} | {check.drop:.4f} | {check.low:.4f} | "
            f"{check.high:.4f} | {check.n_items:,} | {check.missing.n:,} |"
        )
    lines += ["", f"{len(gate.checks)} checks; {escaped(_promise(gate))}", ""]
    lines += [f"- {escaped('; '.join(_lines(check, gate)))}" for check in gate.checks]
    lines += [f"- note: {escaped(text)}" for text in (*gate.notes, *_notes(gate))]
    lines += [f"- warning: {escaped(text)}" for text in gate.warnings]
    return "\n".join([*lines, ""])


def _lines(check: GateCheck, gate: Gate) -> list[str]:
    plan = plan_words(check)
    return [check_words(check, gate), *([plan] if plan else [])]


def _promise(gate: Gate) -> str:
    return (
        f"a candidate that dropped by no more than {gate.max_drop:g} is said to be worse in at "
        f"most {gate.alpha:g} of runs, all checks{' and looks' if gate.anytime else ''} together"
    )


def _notes(gate: Gate) -> list[str]:
    return list(dict.fromkeys(note for check in gate.checks for note in check.notes))


def markdown_refusal(message: str) -> str:
    """Write as Markdown that the gate could not be tested, and why."""
    return f"### panopt gate: REFUSED\n\n{escaped(message)}\n"


def junit(gate: Gate) -> str:
    """Write the verdict as a JUnit report, a test case a check; the inconclusive ones pass."""
    failures = sum(map(gate.fails, gate.checks))
    root = _suite(tests=len(gate.checks), failures=failures, errors=0)
    for check in gate.checks:
        name = f"{check.criterion}: {check.candidate} against {check.baseline}"
        case = _case(root, readable(name))
        line = readable(check_words(check, gate))
        if gate.fails(check):
            ET.SubElement(case, "failure", message=line, type=check.status).text = line
        told = (*_lines(check, gate)[1:], *check.notes, *gate.notes, *gate.warnings)
        out = [line, *map(readable, told)]
        ET.SubElement(case, "system-out").text = "\n".join(out)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def junit_refusal(message: str) -> str:
    """Write a JUnit report of one error: the gate could not be tested."""
    root = _suite(tests=1, failures=0, errors=1)
    case = _case(root, "comparable logs")
    line = readable(message)
    ET.SubElement(case, "error", message=line, type="refused").text = line
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _suite(**counts: int) -> ET.Element:
    told = {name: str(count) for name, count in counts.items()}
    return ET.Element("testsuite", {"name": SUITE, **told, "skipped": "0", "time": NO_TIME})


def _case(suite: ET.Element, name: str) -> ET.Element:
    return ET.SubElement(suite, "testcase", name=name, classname=SUITE, time=NO_TIME)
