"""Live judges, free of any framework: what they are asked, what they answer, how votes count.

The orchestration stands in :mod:`panopt.jury`; shims supply the judges. Everything here is pure
and light (no numpy), so that a framework may import it at the start of every run.
"""

from __future__ import annotations

from panopt.judging.breakdown import evidence, explain
from panopt.judging.budget import Budget
from panopt.judging.panel_check import check_panel
from panopt.judging.passes import reduce_passes
from panopt.judging.protocol import (
    Answer,
    Failure,
    Judge,
    JudgeError,
    Question,
    Usage,
    Vote,
)
from panopt.judging.rules import rule_on
from panopt.judging.ruling import Ruling
from panopt.judging.tree import junit, tree
from panopt.judging.verdict import Boolean, Labelled, Numeric, Pairwise, VerdictKind

__all__ = [
    "Answer",
    "Boolean",
    "Budget",
    "Failure",
    "Judge",
    "JudgeError",
    "Labelled",
    "Numeric",
    "Pairwise",
    "Question",
    "Ruling",
    "Usage",
    "VerdictKind",
    "Vote",
    "check_panel",
    "evidence",
    "explain",
    "junit",
    "reduce_passes",
    "rule_on",
    "tree",
]
