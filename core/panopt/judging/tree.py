"""The result of a panel as a tree, from panel to judge to criterion, for JSON lines and JUnit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypedDict
from xml.etree import ElementTree as ET

from panopt.errors import AskError
from panopt.judging.breakdown import MOST_RATIONALE, evidence, told
from panopt.judging.protocol import Usage, Vote
from panopt.judging.ruling import Ruling, kind_dict, usage_dict
from panopt.judging.verdict import Labelled, Numeric
from panopt.records.markdown import readable

__all__ = ["Node", "junit", "tree"]


class Node(TypedDict):
    """One result and the results that it is made of; everything is what JSON knows."""

    name: str
    level: str
    """``panel``, ``judge`` or ``criterion``."""
    status: str
    """An outcome of panels, a status of judges."""
    passed: bool | None
    score: float | None
    label: str | None
    evidence: str
    metadata: dict[str, object]
    children: list[Node]


def tree(*rulings: Ruling, name: str = "panel") -> Node:
    """Give the tree of one response: one ruling a criterion, of one panel.

    Parameters
    ----------
    rulings
        One or more, of distinct criteria.
    name
        Name of the panel.

    Returns
    -------
    Node
        The panel passes where it passes every criterion, and has a score where there is one
        criterion alone. A failed judge has a failed node of its own, and the panel's metadata
        has `failed_judges` where there is one.

    Raises
    ------
    AskError
        Without rulings, or for two on one criterion.
    """
    criteria = [ruling.criterion for ruling in rulings]
    if not rulings or len(set(criteria)) < len(criteria):
        raise AskError(f"rulings are on criteria {criteria}; one or more, each once, are needed")
    judges = list(dict.fromkeys(vote.judge for ruling in rulings for vote in ruling.votes))
    usage = _sum(ruling.usage for ruling in rulings)
    metadata: dict[str, object] = {
        "aggregation": rulings[0].rule,
        "threshold": rulings[0].threshold,
        "scoring": kind_dict(rulings[0].kind),
        "models": judges,
        "disagreement": {ruling.criterion: ruling.disagreement for ruling in rulings},
        "agreement": {ruling.criterion: ruling.agreement for ruling in rulings},
        "usage": usage_dict(usage),
    }
    failed = [
        judge
        for judge in judges
        if any(vote.judge == judge and vote.status == "failed" for r in rulings for vote in r.votes)
    ]
    if failed:
        metadata["failed_judges"] = failed
    one = rulings[0] if len(rulings) == 1 else None
    states = dict.fromkeys(ruling.outcome for ruling in rulings)
    return Node(
        name=readable(name),
        level="panel",
        status=" and ".join(states),
        passed=_all(ruling.passed for ruling in rulings),
        score=None if one is None else one.value,
        label=None if one is None else one.label,
        evidence="\n".join(evidence(ruling) for ruling in rulings),
        metadata=metadata,
        children=[_judge(judge, rulings) for judge in judges],
    )


def junit(trees: Mapping[str, Node], *, suite: str = "panopt") -> str:
    """Write trees as a JUnit report: a test case an item, failed, in error or passed.

    Parameters
    ----------
    trees
        Trees by item.
    suite
        Name of the test suite.

    Returns
    -------
    str
        XML. A panel without a verdict is an error, not a failure; one that nothing can pass is
        a pass with its evidence.
    """
    root = ET.Element("testsuite", name=readable(suite), tests=str(len(trees)))
    counts = {"failure": 0, "error": 0}
    for item, node in trees.items():
        case = ET.SubElement(root, "testcase", name=readable(item), classname=readable(suite))
        clean = node["status"] == "decided"
        trouble = (
            "failure" if node["passed"] is False else None if clean or node["passed"] else "error"
        )
        if trouble is not None:
            counts[trouble] += 1
            line = readable(node["evidence"])
            ET.SubElement(case, trouble, message=line, type=node["status"]).text = line
        out = [
            f"{child['name']}: {child['status']} {readable(child['evidence'])}"
            for child in node["children"]
        ]
        ET.SubElement(case, "system-out").text = "\n".join((readable(node["evidence"]), *out))
    root.set("failures", str(counts["failure"]))
    root.set("errors", str(counts["error"]))
    return ET.tostring(root, encoding="unicode")


def _judge(judge: str, rulings: tuple[Ruling, ...]) -> Node:
    pairs = [(ruling, vote) for ruling in rulings for vote in ruling.votes if vote.judge == judge]
    children = [_criterion(ruling, vote) for ruling, vote in pairs]
    one = children[0] if len(children) == 1 else None
    metadata: dict[str, object] = {"usage": usage_dict(_sum(vote.usage for _, vote in pairs))}
    stood = next((vote.stands_for for _, vote in pairs if vote.stands_for), None)
    if stood is not None:
        metadata["stands_for"] = stood
    return Node(
        name=readable(judge),
        level="judge",
        status=" and ".join(dict.fromkeys(child["status"] for child in children)),
        passed=_all(child["passed"] for child in children),
        score=None if one is None else one["score"],
        label=None if one is None else one["label"],
        evidence="\n".join(child["evidence"] for child in children),
        metadata=metadata,
        children=children,
    )


def _criterion(ruling: Ruling, vote: Vote) -> Node:
    said = vote.rationale[:MOST_RATIONALE]
    if vote.failure is not None:
        said = f"{vote.failure.kind}: {vote.failure.message}"
    metadata: dict[str, object] = {}
    if vote.confidence is not None:
        metadata["confidence"] = vote.confidence
        metadata["confidence_source"] = vote.confidence_source
    if vote.passes:
        metadata["draws"] = [
            told(one, ruling) if one.status == "ok" else one.status for one in vote.passes
        ]
    return Node(
        name=readable(ruling.criterion),
        level="criterion",
        status=vote.status,
        passed=_vote_passed(ruling, vote),
        score=vote.value,
        label=vote.label,
        evidence=readable(said or vote.note),
        metadata=metadata,
        children=[],
    )


def _vote_passed(ruling: Ruling, vote: Vote) -> bool | None:
    if vote.status == "failed":
        return False
    if isinstance(ruling.kind, Labelled):
        known = vote.label is not None and ruling.kind.passing is not None
        return vote.label in (ruling.kind.passing or ()) if known else None
    limit = ruling.threshold
    if isinstance(ruling.kind, Numeric) and ruling.kind.threshold is not None:
        limit = ruling.kind.threshold
    return None if limit is None or vote.value is None else vote.value >= limit


def _all(given: Iterable[bool | None]) -> bool | None:
    """Tell whether all passed: one failure is enough to fail, one unknown to not know."""
    found = list(given)
    if any(one is False for one in found):
        return False
    return None if not found or any(one is None for one in found) else True


def _sum(usages: Iterable[Usage]) -> Usage:
    total = Usage()
    for usage in usages:
        total += usage
    return total
