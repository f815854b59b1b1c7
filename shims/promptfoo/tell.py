"""Say what a results file held, what was assumed in reading it, and what may spoil conclusions."""

from __future__ import annotations

import re

import numpy as np

from panopt.errors import SourceError
from panopt.records.source import Counts, Source, no_cluster
from panopt.shims.promptfoo.collect import Judgments
from panopt.shims.promptfoo.document import Document
from panopt.shims.promptfoo.people import HUMAN
from panopt.shims.promptfoo.table import Built
from panopt.shims.promptfoo.verdict import FAILED

__all__ = ["describe"]

MOST_NAMED = 8
_DATED = re.compile(r"^eval-\w+-(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)")


def describe(
    document: Document, judgments: Judgments, built: Built, *, sha256: str | None, run: str
) -> Source:
    """Build the record of one file that was read.

    Raises
    ------
    SourceError
        For an evaluation record that promptfoo saved without its results.
    """
    size = len(judgments.responses)
    location = judgments.location
    if size == 0 and document.generation.endswith("without a version") and document.eval_id:
        raise SourceError(
            "an evaluation record saved without its results; "
            f"export them (promptfoo export eval {document.eval_id} -o results.json)",
            source=location,
        )
    return Source(
        location=location,
        format="promptfoo",
        sha256=sha256,
        runs=(run,),
        aliases=() if run == judgments.run_name() else (judgments.run_name(),),
        begun=_begun(run),
        counts=_counts(document, judgments, built),
        notes=tuple(_notes(document, judgments, built)),
        warnings=tuple(_warnings(document, judgments, built)),
    )


def _begun(run: str) -> str | None:
    """Read off promptfoo's name of a run when it began: ``eval-abc-2025-09-23T08:09:58``."""
    found = _DATED.search(run)
    return None if found is None else f"{found[1]}+00:00"


def _counts(document: Document, judgments: Judgments, built: Built) -> Counts:
    size = len(judgments.responses)
    errored = int(np.frombuffer(judgments.responses.errored, dtype=np.uint8).sum())
    scored, declined = int(built.scored.sum()), int(built.declined.sum())
    planned = document.planned
    return Counts(
        planned=planned if planned is not None and planned >= size else None,
        completed=size - errored,
        scored=scored,
        unscored=size - errored - scored - declined,
        declined=declined,
        errored=errored,
    )


def _notes(document: Document, judgments: Judgments, built: Built) -> list[str]:
    release = f", promptfoo {document.promptfoo_version}" if document.promptfoo_version else ""
    notes = [f"promptfoo results, {document.generation}{release}"]
    for criterion, judges in built.panels.items():
        if len(judges) > 1:
            notes.append(f"criterion {criterion!r}: a panel of {_names(judges)}")
    repeats = built.repeats
    if repeats > 1:
        notes.append(f"up to {repeats} answers of a system to an item, told apart by testIdx")
    if judgments.cluster and not judgments.responses.clusters:
        notes.append(
            no_cluster("the tests' metadata and variables", judgments.cluster, list(judgments.seen))
        )
    if judgments.graders.secret:
        notes.append(
            "the file holds a secret in clear (assertion.provider.config); it was not read, "
            "but an annotated copy holds it too"
        )
    return notes


def _warnings(document: Document, judgments: Judgments, built: Built) -> list[str]:
    responses = judgments.responses
    size, verdicts = len(responses), len(judgments.columns)
    warnings = []
    if size and not verdicts and not judgments.people:
        warnings.append(
            "no judge's verdict stands in it: the tests assert nothing, "
            f"or results of {document.generation} keep no verdicts"
        )
    elif not size:
        warnings.append("the run has no results: zero tests")
    elif responses.unjudged:
        warnings.append(f"{responses.unjudged} of {size} rows were graded by no assertion")
    errored = sum(responses.errored)
    if errored:
        warnings.append(
            f"{errored} of {size} rows are errors; their answers, and other judges' verdicts, "
            "are lost to promptfoo"
        )
    failed = int(np.count_nonzero(judgments.columns.column("status") == FAILED))
    if failed:
        warnings.append(
            f"{failed} of {verdicts} verdicts are judge errors, which promptfoo stores as score 0;"
            " they are read as failed"
        )
    warnings += _independence(judgments)
    warnings += _identity(judgments, built)
    warnings += _labels(judgments, built)
    if document.cut_off:
        warnings.append("the last line is cut off (a run that was killed?); it is left out")
    return warnings


def _independence(judgments: Judgments) -> list[str]:
    cached = len(judgments.columns.cached)
    responses = judgments.responses
    warnings = []
    if cached:
        warnings.append(
            f"{cached} of {len(judgments.columns)} verdicts are cached copies: "
            "not independent of the verdicts they copy"
        )
    if responses.cached and len(judgments.columns):
        warnings.append(
            f"{responses.cached} of {len(responses)} answers come from promptfoo's cache: "
            "not independent of the answers they copy"
        )
    if any(place.kind == "select-best" for place in judgments.places):
        warnings.append(
            "select-best shows the judge the answers in the order they were completed, which is "
            "not recorded: its verdicts carry an unknown position bias"
        )
    return warnings


def _identity(judgments: Judgments, built: Built) -> list[str]:
    warnings = []
    if built.settled.unnamed:
        warnings.append(
            f"the grader of {_names(built.settled.unnamed)} is promptfoo's default, whose model "
            "the file does not name: judges named by metric or type may be one model"
        )
    warnings += [
        f"several graders go by {name!r}; they are told apart by metric, where they have one"
        for name in built.settled.alike
    ]
    templates = sorted(judgments.unnamed_metrics - judgments.human)
    if templates:
        warnings.append(
            f"metric {_names(templates)} is a template that variables alone do not fill in, and "
            "named scores of the row do not tell its name: criteria are named by the template"
        )
    several = sorted(judgments.responses.several_vars)
    if several:
        warnings.append(
            f"{len(several)} item ids stand for several sets of variables ({_names(several)}): "
            "their answers count as answers to one item"
        )
    if built.same_test:
        warnings.append(
            f"{built.same_test} rows repeat system, item and testIdx of another row: "
            "several runs in one file?"
        )
    return warnings


def _labels(judgments: Judgments, built: Built) -> list[str]:
    warnings = []
    homes = built.homes
    if homes.assumed is not None:
        warnings.append(
            f"human labels are of a row, and rows were judged on several criteria: they are taken "
            f"for {homes.assumed!r}, the only one with several judges"
        )
    if homes.homeless:
        warnings.append(
            f"{homes.homeless} human labels fit none of several criteria and stay unused "
            f"(criterion {HUMAN!r}); give them in a labels file with a column criterion"
        )
    declared = {label.response for label in judgments.people if label.judge == "expected_label"}
    columns = {judgments.responses.column[response] for response in declared}
    if len(columns) > 1:
        warnings.append(
            f"expected_label is of a test, and {len(columns)} systems answered: it is taken as "
            "the label of each answer"
        )
    warnings += [f"no row has {name}, named for human labels" for name in sorted(judgments.unused)]
    return warnings


def _names(names: list[str] | tuple[str, ...]) -> str:
    shown = ", ".join(names[:MOST_NAMED])
    return shown if len(names) <= MOST_NAMED else f"{shown} and {len(names) - MOST_NAMED} more"
