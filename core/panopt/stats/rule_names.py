"""Names of panel rules and of what comes of them; light enough for live judges to import."""

from __future__ import annotations

__all__ = ["DECIDED", "LABELLED", "OUTCOMES", "RULES", "SIDED", "SPLIT", "TIE"]

#: What became of a response.
OUTCOMES: tuple[str, ...] = (
    "decided",
    "tie",
    "split",
    "quorum_not_met",
    "all_abstained",
    "all_failed",
    "response_error",
    "no_votes",
)

#: How a rule ended: the first of the outcomes.
DECIDED, TIE, SPLIT = 0, 1, 2

#: Rules by name.
RULES: tuple[str, ...] = (
    "mean",
    "median",
    "min",
    "max",
    "trimmed_mean",
    "majority",
    "unanimous",
    "plurality",
    "absolute_majority",
)

#: Rules that count judges on the two sides of a limit, and rules that count equal labels.
SIDED = ("majority", "unanimous")
LABELLED = ("plurality", "absolute_majority")
