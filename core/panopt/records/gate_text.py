"""A gate's verdict in words, as Markdown for a pull request, and as JUnit for a build server."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from panopt.records.gate import Gate, GateCheck
from panopt.records.markdown import escaped, readable

__all__ = ["check_words", "junit", "junit_refusal", "markdown", "markdown_refusal", "verdict_words"]

SUITE = "panopt gate"


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
    """Say in a sentence or two what one check found."""
    moved = "dropped" if check.drop > 0.0 else "rose"
    text = (
        f"{check.candidate} {moved} by {abs(check.drop):.4f} against {check.baseline} on "
        f"{check.n_items:,} common items ({check.measure}); the drop is at least {check.low:.4f} "
        f"(level {1 - gate.alpha_worse:.4g}) and at most {check.high:.4f} "
        f"(level {1 - gate.alpha:.4g}); {gate.max_drop:g} is allowed"
    )
    if check.status == "worse":
        return f"{text}: worse"
    if check.status == "no worse":
        return f"{text}: no worse"
    text += ": inconclusive"
    if check.detectable is not None:
        text += (
            f"; with these items a true drop of {check.detectable:.3f} would be shown 4 times in 5"
        )
    if check.items_needed is not None:
        text += f"; about {check.items_needed:,} items would settle it"
    return text


def markdown(gate: Gate) -> str:
    """Write the verdict as Markdown, with a row a check."""
    lines = [
        f"### panopt gate: {escaped(verdict_words(gate))}",
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
    lines += [f"- {escaped(check_words(check, gate))}" for check in gate.checks]
    lines += [f"- note: {escaped(text)}" for text in (*gate.notes, *_notes(gate))]
    lines += [f"- warning: {escaped(text)}" for text in gate.warnings]
    return "\n".join([*lines, ""])


def _promise(gate: Gate) -> str:
    return (
        f"a candidate that dropped by no more than {gate.max_drop:g} is said to be worse in at "
        f"most {gate.alpha:g} of runs, all checks together"
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
        case = ET.SubElement(root, "testcase", name=readable(name), classname=SUITE)
        line = readable(check_words(check, gate))
        if gate.fails(check):
            ET.SubElement(case, "failure", message=line, type=check.status).text = line
        out = [line, *map(readable, check.notes), *map(readable, (*gate.notes, *gate.warnings))]
        ET.SubElement(case, "system-out").text = "\n".join(out)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def junit_refusal(message: str) -> str:
    """Write a JUnit report of one error: the gate could not be tested."""
    root = _suite(tests=1, failures=0, errors=1)
    case = ET.SubElement(root, "testcase", name="comparable logs", classname=SUITE)
    line = readable(message)
    ET.SubElement(case, "error", message=line, type="refused").text = line
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _suite(**counts: int) -> ET.Element:
    told = {name: str(count) for name, count in counts.items()}
    return ET.Element("testsuite", {"name": SUITE, **told})
