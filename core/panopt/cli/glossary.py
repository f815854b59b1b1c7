"""What the numbers of a report mean, in words for a reader who knows no statistics."""

from __future__ import annotations

from panopt.findings import Finding
from panopt.records.ask import Ask

__all__ = ["SECTIONS", "meaning", "section"]

#: Sections of the terminal's list of numbers, in their order.
SECTIONS = ("against humans", "among the judges", "more")

_HUMANS = {
    "human_agreement": "share of labelled responses on which panel and human agree",
    "certified_threshold": "confidence from which verdicts are certified to agree with humans",
    "certified_coverage": "share of all responses that reach it",
    "certificate_risk": "share of verdicts that the certificate accepts and humans contradict",
    "conformal_halfwidth": "for {coverage:.4g}% of responses human and panel are this near",
    "auroc": "1: right verdicts have the higher confidence; 0.5: confidence says nothing",
    "ece": "how far the panel's confidence is from how often it is right, on average",
    "supervised_agreement": "share of human verdicts met when the votes are weighed by the labels",
}
_JUDGES = {
    "alpha": "1: the judges always agree; 0: no more than by chance (Krippendorff's alpha)",
    "raw_agreement": "share of pairs of votes on one response that are equal",
    "ac1": "agreement beyond chance, also where nearly all verdicts are alike (Gwet)",
    "effective_judges": "independent judges the panel is worth, as far as errors are shared",
    "judge_noise_share": "share of a single score's variance that is the judge, not the response",
}
_UNSEEN = "at most so many independent judges: errors that all share show only against human labels"


def section(row: Finding) -> str:
    """Name the section a number of the panel stands in."""
    if row.name in _HUMANS:
        return SECTIONS[0]
    return SECTIONS[1] if _key(row) in _JUDGES else SECTIONS[2]


def meaning(row: Finding, ask: Ask) -> str:
    """Say what a number means; of a stranger's, how it was made."""
    words = _HUMANS.get(row.name) or _JUDGES.get(_key(row))
    if row.name == "effective_judges" and row.details.get("against") != "humans":
        words = _UNSEEN
    return row.method if words is None else words.format(coverage=100 * (1 - ask.alpha))


def _key(row: Finding) -> str:
    return "alpha" if row.name.startswith("alpha_") else row.name
