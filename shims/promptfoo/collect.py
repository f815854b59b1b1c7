"""Gather rows of promptfoo results: which verdicts there are, and whose labels.

A judgment is stored as the response it is of, the *place* of its assertion (see
:mod:`panopt.shims.promptfoo.criteria`) and its numbers; names are settled when all rows are in.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import Any

import msgspec

from panopt.errors import SourceError
from panopt.records.ask import Reading
from panopt.shims.promptfoo.columns import Columns
from panopt.shims.promptfoo.criteria import Place
from panopt.shims.promptfoo.judges import Grader, GraderNames, is_model_graded
from panopt.shims.promptfoo.metrics import REDACTED, Names, name_metrics
from panopt.shims.promptfoo.people import HUMAN, HumanLabel, read_label
from panopt.shims.promptfoo.responses import Responses, row_variables, test_metadata
from panopt.shims.promptfoo.schema import Assertion, Component, Row, canonical, decode
from panopt.shims.promptfoo.verdict import OK, count, outcome, panel_verdicts, passed
from panopt.shims.promptfoo.walk import Leaf, Scope, leaves

__all__ = ["Judgments"]

EXPECTED = "expected_label"
UNKNOWN_KIND = "component"

#: Names of variables and metadata that are kept to be told of.
MOST_SEEN = 40

MOST_KEPT = 4096
LONG = 512
NO_GRADER = Grader(None)
_any = msgspec.json.Decoder(Any)


class Judgments:
    """Verdicts and labels of a file, grown row by row.

    Attributes
    ----------
    places, rows, told, model
        What :func:`panopt.shims.promptfoo.criteria.settle` needs.
    columns
        The judgments, machine by machine; `people` holds the human ones.
    human
        What ``reading.human`` names.
    unnamed_metrics
        Metrics that stay templates in some row.
    cluster, seen
        Name of the clusters that ``reading.cluster`` asks for, and variables
        and metadata of rows without it.
    """

    def __init__(self, reading: Reading, location: str) -> None:
        self.graders = GraderNames()
        self.responses = Responses(self.graders)
        self.columns = Columns(rationales=reading.rationales)
        self.people: list[HumanLabel] = []
        self.places: list[Place] = []
        self.rows: list[range] = []
        self.told: list[Counter[str]] = []
        self.model: list[bool] = []
        self.unused = {n for n in reading.human if n.startswith(("vars.", "metadata."))}
        self.human = frozenset(reading.human)
        self._declared = bool(self.unused)
        self.cluster = reading.cluster
        self._keep = reading.rationales
        self.unnamed_metrics: set[str] = set()
        self.seen: dict[str, None] = {}
        self.location = location
        self._digest = 0
        self._compositions: dict[tuple[Place, ...], int] = {}
        self._known: dict[tuple[object, ...], tuple[int, list[int]]] = {}

    def add(self, row: Row, where: str) -> None:
        """Take in one row: every verdict on it, every label of it.

        Raises
        ------
        SourceError
            For a human label that is a list or an object.
        """
        grading = row.gradingResult
        components = grading.components if grading is not None else None
        if not components and grading is not None and grading.assertion is not None:
            components = [  # a single assertion, as older releases graded it
                Component(
                    assertion=grading.assertion,
                    passed=grading.passed,
                    score=grading.score,
                    reason=grading.reason,
                    metadata=grading.metadata,
                )
            ]
        metadata = test_metadata(row)
        if self.cluster:
            metadata.cluster = self._named_cluster(row)
        response = self.responses.add(row, metadata, judged=bool(components))
        if components:
            asserts = row.testCase.asserts if row.testCase is not None else None
            machines = []
            found = leaves(asserts, components)
            names = name_metrics(found, row)
            self.unnamed_metrics.update(names.unknown)
            for leaf in found:
                name = self._human_name(leaf.assertion, names)
                if name is None:
                    machines.append(leaf)
                else:
                    self._take_rating(leaf.component, name, response, row)
            if machines:
                self._take(machines, names, response, row)
        if metadata.expected_label is not None:
            self._take_label(metadata.expected_label, EXPECTED, response, where)
        if self._declared:
            self._take_declared(row, response, where)
        self._note_row(row)

    def forget_rows(self) -> None:
        """Forget responses, judgments and labels; keep what was learned of judges and places."""
        columns = Columns(rationales=self._keep)
        columns.judges, columns.prompts = self.columns.judges, self.columns.prompts
        self.columns, self.responses, self.people = columns, Responses(self.graders), []

    def run_name(self) -> str:
        """Name the run by its rows: the same rows in any order and format, the same name."""
        return f"rows-{self._digest:016x}"

    def _take(self, found: list[Leaf], names: Names, response: int, row: Row) -> None:
        key = _composition_key(found, names, row)
        known = None if key is None else self._known.get(key)
        if known is None:
            known = self._compose(found, names, row)
            if key is not None:
                if len(self._known) >= MOST_KEPT:
                    self._known.clear()
                self._known[key] = known
        place, prompts = known
        for leaf, prompt in zip(found, prompts, strict=True):
            metadata = leaf.component.metadata
            verdicts = panel_verdicts(metadata.panel) if metadata and len(metadata.panel) else []
            for verdict in verdicts:
                self._append(verdict, place, response, prompt)
            if not verdicts:
                self._append(leaf.component, place, response, prompt)
            place += 1

    def _compose(self, found: list[Leaf], names: Names, row: Row) -> tuple[int, list[int]]:
        """Find the places of a row's verdicts, and the codes of the judges' prompts."""
        options = row.testCase.options if row.testCase is not None else None
        default = options.provider if options is not None else None
        rubrics: dict[bytes, int] = {}
        composition = []
        prompts = []
        for component, assertion, unnamed in found:
            scope = unnamed if unnamed.name is None else Scope(unnamed.kind, names.of(unnamed.name))
            if assertion is None:
                composition.append(Place(scope, UNKNOWN_KIND, None, NO_GRADER, -1))
                prompts.append(-1)
                continue
            kind = assertion.type if isinstance(assertion.type, str) else UNKNOWN_KIND
            metric = assertion.metric if isinstance(assertion.metric, str) else ""
            name = names.of(metric)
            template = metric if name != metric else None
            own = component.assertion is not None or scope.kind != "panel"
            grader = NO_GRADER
            if own and len(assertion.provider):
                grader = self.graders.of(assertion.provider)
            elif own and default is not None and is_model_graded(kind):
                grader = self.graders.of(default)
            value = bytes(assertion.value)
            rubric = rubrics.setdefault(value, len(rubrics)) if value else -1
            composition.append(Place(scope, kind, name or None, grader, rubric, own, template))
            prompts.append(self._prompt_code(kind, value) if value else -1)
        return self._first_place(tuple(composition)), prompts

    def _first_place(self, composition: tuple[Place, ...]) -> int:
        first = self._compositions.get(composition)
        if first is None:
            first = self._compositions[composition] = len(self.places)
            self.places.extend(composition)
            self.rows.append(range(first, len(self.places)))
            self.told.extend(Counter() for _ in composition)
            self.model.extend(is_model_graded(place.kind) for place in composition)
        return first

    def _append(self, component: Component, place: int, response: int, prompt: int) -> None:
        metadata = component.metadata
        columns = self.columns
        judge = 0
        if metadata is not None:
            told = metadata.promptHash
            if isinstance(told, str) and told:  # a jury asks in words of its own
                prompt = columns.prompts.setdefault(told, len(columns.prompts))
            if metadata.judge is not None:
                judge = self._own_name(metadata.judge, place)
            if metadata.cachedResponse is True:
                columns.cached.append(len(columns))
            if metadata.confidence is not None:
                columns.state_confidence(metadata.confidence)
        score, status, error = outcome(component, self.places[place].kind)
        if error is not None:
            columns.errors[len(columns)] = error
        tokens = component.tokensUsed
        read = wrote = -1
        if tokens is not None:
            read, wrote = count(tokens.prompt), count(tokens.completion)
            if not self.model[place] and max(read, wrote, count(tokens.total)) > 0:
                self.model[place] = True
        label = passed(component) if status == OK else -1
        columns.append(
            (response, place, judge, score, label, status, prompt, read, wrote), component.reason
        )

    def _own_name(self, named: object, place: int) -> int:
        """Give the code of the judge that a verdict's own metadata names; 0 for nobody."""
        if not isinstance(named, str) or not named:
            return 0
        self.told[place][named] += 1
        self.model[place] = True
        return self.columns.judges.setdefault(named, len(self.columns.judges))

    def _prompt_code(self, kind: str, value: bytes) -> int:
        digest = hashlib.sha256(kind.encode() + b"\0" + canonical(value)).hexdigest()[:16]
        return self.columns.prompts.setdefault(digest, len(self.columns.prompts))

    def _note_row(self, row: Row) -> None:
        """Add one row to the digest of the run: its id, else its place, answer and scores."""
        named = row.id
        if type(named) is not str:
            grading = row.gradingResult
            parts = grading.components or [] if grading is not None else []
            scores = [part.score for part in parts if part is not None]
            answer = bytes(self.responses.answers[-8:])
            item = self.responses.last_item
            named = repr((row.testIdx, row.promptIdx, item, answer, scores))
        digest = hashlib.sha256(named.encode("utf-8", "replace")).digest()
        self._digest = (self._digest + int.from_bytes(digest[:8])) % 2**64

    def _human_name(self, assertion: Assertion | None, names: Names) -> str | None:
        """Name the person whose verdict the result of an assertion is; None for a machine's."""
        if assertion is None:
            return None
        if assertion.type == HUMAN:
            return HUMAN
        metric = assertion.metric
        if not isinstance(metric, str):
            return None
        for name in (names.of(metric), metric):  # as promptfoo shows it, or as the test has it
            if name in self.human:
                return name
        return None

    def _take_rating(self, component: Component, name: str, response: int, row: Row) -> None:
        self.unused.discard(name)
        score, status, _ = outcome(component, name)
        if status != OK:
            return
        clicked = name == HUMAN and score in (0.0, 1.0)
        comment = row.gradingResult.comment if name == HUMAN and row.gradingResult else None
        said = comment or component.reason
        self.people.append(
            HumanLabel(
                response,
                name,
                score,
                ("fail", "pass")[int(score)] if clicked else None,
                "binary" if clicked else None,
                said if self._keep and isinstance(said, str) else None,
                name,
            )
        )

    def _named_cluster(self, row: Row) -> Any:  # noqa: ANN401 - a JSON value
        """Find the cluster in the test's metadata or among its variables."""
        metadata = row.testCase.metadata if row.testCase is not None else msgspec.Raw()
        for place, raw in (("metadata", metadata), ("vars", row_variables(row))):
            values: object = decode(raw, _any) if len(raw) else None
            if not isinstance(values, dict):
                continue
            for name in (self.cluster, self.cluster.removeprefix(f"{place}.")):
                if values.get(name) not in (None, ""):
                    return values[name]
            if len(self.seen) < MOST_SEEN:
                self.seen.update(dict.fromkeys(f"{place}.{name}" for name in values))
        return None

    def _take_declared(self, row: Row, response: int, where: str) -> None:
        """Take labels that ``reading.human`` finds in the test's variables or metadata."""
        metadata = row.testCase.metadata if row.testCase is not None else msgspec.Raw()
        for place, raw in (("vars", row.vars), ("metadata", metadata)):
            values: object = decode(raw, _any) if len(raw) else None
            if not isinstance(values, dict):
                continue
            for name, value in values.items():
                if f"{place}.{name}" in self.human and value not in (None, ""):
                    self._take_label(value, f"{place}.{name}", response, where)

    def _take_label(self, value: Any, name: str, response: int, where: str) -> None:  # noqa: ANN401
        if value == REDACTED:
            raise SourceError(
                f"{name} is {REDACTED}: promptfoo hides variables named like secrets; rename it",
                source=self.location,
                place=where,
            )
        try:
            score, label, scale = read_label(value)
        except ValueError as error:
            raise SourceError(
                f"{name} is {value!r:.60}; {error}", source=self.location, place=where
            ) from error
        self.unused.discard(name)
        self.people.append(HumanLabel(response, name, score, label, scale, None, name))


def _composition_key(found: list[Leaf], names: Names, row: Row) -> tuple[object, ...] | None:
    """Give what the places of a row's verdicts depend on; None where that is too much to keep."""
    test = row.testCase
    if test is not None and test.options is not None and len(test.options.provider):
        return None
    key: list[object] = [*names.rendered.items()]
    for component, assertion, scope in found:
        if assertion is None:
            key.append(scope)
            continue
        kind, metric = assertion.type, assertion.metric
        named = type(kind) is str and (metric is None or type(metric) is str)
        if not named or len(assertion.provider) >= LONG:
            return None
        content = (bytes(assertion.provider), bytes(assertion.value))
        key.append((component.assertion is None, scope, kind, metric, content))
    return tuple(key)
