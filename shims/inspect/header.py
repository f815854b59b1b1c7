"""What a log says of itself before any sample: scorers, their models, what was planned."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

__all__ = ["PROGRAMS", "Header", "Scorer"]

#: Inspect's own scorers that ask no model.
PROGRAMS = frozenset(
    {
        "answer",
        "choice",
        "exact",
        "f1",
        "includes",
        "match",
        "math",
        "pattern",
        "perplexity",
        "target_perplexity",
    }
)

#: Inspect's scorers that take their model from a role, else grade with the model under test.
MODEL_GRADED = frozenset({"model_graded_qa", "model_graded_fact"})

_MODEL_OPTIONS = ("model", "models", "grader", "grader_model", "judge", "judge_model", "judges")
_ROLE_OPTIONS = ("model_role", "role", "grader_role", "judge_role")


@dataclass(frozen=True)
class Scorer:
    """One scorer of a task.

    Attributes
    ----------
    name
        Key of its scores: the base name, with a digit where several share it.
    base
        Name of its function, without the package.
    options
        What it was made with.
    """

    name: str
    base: str
    options: Mapping[str, Any]

    @property
    def is_program(self) -> bool:
        """True for Inspect's deterministic scorers."""
        return self.base in PROGRAMS

    @property
    def reducer(self) -> str | None:
        """How several judges were reduced to one value, where that was said."""
        reducer = self.options.get("reducer")
        if isinstance(reducer, Mapping):
            reducer = reducer.get("name")
        return str(reducer).rsplit("/", 1)[-1] if reducer else None

    @property
    def other_options(self) -> tuple[tuple[str, str], ...]:
        """The options that say what is judged, not by whom."""
        apart = {*_MODEL_OPTIONS, *_ROLE_OPTIONS, "reducer", "scorers"}
        return tuple(
            (name, repr(value)) for name, value in sorted(self.options.items()) if name not in apart
        )


@dataclass(frozen=True)
class Header:
    """The header of a log, as JSON."""

    data: Mapping[str, Any]

    @property
    def version(self) -> int:
        """Version of the log format; 2 since 2024."""
        version = self.data.get("version")
        return version if isinstance(version, int) else 1

    @property
    def status(self) -> str:
        """How the run ended: success, error, cancelled; started where it did not end."""
        return str(self.data.get("status") or "started")

    @property
    def eval(self) -> Mapping[str, Any]:
        """The section ``eval``."""
        return _section(self.data, "eval")

    @property
    def results(self) -> Mapping[str, Any]:
        """The section ``results``."""
        return _section(self.data, "results")

    @property
    def task(self) -> str:
        """Name of the task, without its package."""
        return str(self.eval.get("task") or "task").rsplit("/", 1)[-1]

    @property
    def model(self) -> str:
        """The model under test."""
        return str(self.eval.get("model") or "")

    @property
    def run(self) -> str:
        """Id of the run; logs of 2024 have no eval_id."""
        own = self.eval.get("eval_id")
        return str(own or f"{self.eval.get('run_id', '')}/{self.eval.get('task_id', '')}")

    @property
    def attempt(self) -> tuple[str, str] | None:
        """The task's id, which retries of a run share, and when this one began, in UTC."""
        task, begun = self.eval.get("task_id"), self.begun
        return (str(task), begun) if task and begun else None

    @property
    def begun(self) -> str | None:
        """When the run began, in UTC."""
        try:
            begun = datetime.fromisoformat(str(self.eval.get("created")))
        except ValueError:
            return None
        return begun.astimezone(UTC).isoformat()

    @property
    def inspect_version(self) -> str | None:
        """Version of Inspect that wrote the log."""
        version = _section(self.eval, "packages").get("inspect_ai")
        return str(version) if version else None

    @property
    def planned(self) -> int | None:
        """How many responses were planned: items times epochs."""
        total = self.results.get("total_samples")
        if isinstance(total, int) and total > 0:
            return total
        dataset, config = _section(self.eval, "dataset"), _section(self.eval, "config")
        ids = dataset.get("sample_ids")
        items = len(ids) if isinstance(ids, list) and ids else dataset.get("samples")
        if not isinstance(items, int):
            return None
        epochs = config.get("epochs")
        return items * (epochs if isinstance(epochs, int) else 1)

    @property
    def sample_ids(self) -> tuple[str, ...]:
        """Ids of the items in the order in which they are planned; none where the log has none."""
        ids = _section(self.eval, "dataset").get("sample_ids")
        return tuple(map(str, ids)) if isinstance(ids, list) else ()

    @property
    def stopped(self) -> tuple[int, str] | None:
        """How many samples early stopping did not begin, and why; None where it was no fewer."""
        section = _section(self.results, "early_stopping")
        stops = section.get("early_stops")
        if not isinstance(stops, list) or not stops:
            return None
        metadata = _section(section, "metadata")
        said = metadata.get("said") if metadata.get("by") == "panopt" else None
        return len(stops), str(said or section.get("manager") or "no manager is named")

    @property
    def scores_errors(self) -> bool:
        """True where the run was told to score samples that failed."""
        return bool(_section(self.eval, "config").get("score_on_error"))

    @cached_property
    def scorers(self) -> dict[str, Scorer]:
        """The scorers by the key of their scores."""
        named: dict[str, Scorer] = {}
        for entry in self.eval.get("scorers") or ():
            base = str(entry.get("name") or "score").rsplit("/", 1)[-1]
            name, count = base, 1
            while name in named:
                name, count = f"{base}{count}", count + 1
            named[name] = Scorer(name, base, _section(entry, "options"))
        if named:
            return named
        for entry in self.results.get("scores") or ():  # before 0.3.58 there was no other list
            name = str(entry.get("scorer") or entry.get("name") or "score").rsplit("/", 1)[-1]
            named.setdefault(name, Scorer(name, name, _section(entry, "params")))
        scorer = _section(self.results, "scorer")  # format 1
        if scorer:
            name = str(scorer.get("name") or "score")
            named[name] = Scorer(name, name, _section(scorer, "params"))
        return named

    def scorer(self, name: str) -> Scorer:
        """Give the scorer whose scores stand under `name`, as far as the header knows it."""
        known = self.scorers.get(name)
        if known is not None:
            return known
        base = re.sub(r"\d+$", "", name)
        return Scorer(name, base if base in PROGRAMS | MODEL_GRADED else name, {})

    def models(self, scorer: Scorer) -> tuple[str, ...]:
        """Name the models a scorer asks, in order; none where the header does not tell."""
        for option in _MODEL_OPTIONS:
            found = _model_names(scorer.options.get(option))
            if found:
                return found
        parts = scorer.options.get("scorers")
        if isinstance(parts, list):
            names = [_model_names(_section(part, "params").get("model")) for part in parts]
            if names and all(len(name) == 1 for name in names):
                return tuple(name[0] for name in names)
        roles = _section(self.eval, "model_roles")
        for option in _ROLE_OPTIONS:
            role = scorer.options.get(option)
            role = role.get("name") if isinstance(role, Mapping) else role
            if isinstance(role, str) and role in roles:
                return _model_names(roles[role])
        if scorer.base in MODEL_GRADED:
            return _model_names(roles.get("grader")) or ((self.model,) if self.model else ())
        return ()

    @cached_property
    def models_under_test(self) -> frozenset[str]:
        """The model under test, and models bound to roles other than those of graders."""
        roles = _section(self.eval, "model_roles")
        others = [
            name
            for role, models in roles.items()
            if not re.search("grad|judg|scor", role.lower())
            for name in _model_names(models)
        ]
        return frozenset([self.model, *others])

    def grades_itself(self, scorer: Scorer) -> bool:
        """Tell whether the model under test is its own judge."""
        return self.models(scorer) == (self.model,)


def _section(data: Any, name: str) -> Mapping[str, Any]:  # noqa: ANN401 - a JSON value
    found = data.get(name) if isinstance(data, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _model_names(value: Any) -> tuple[str, ...]:  # noqa: ANN401 - a JSON value
    """Read names of models: a name, an object with the name in it, or a list of those."""
    if isinstance(value, str):
        return (value,) if value else ()
    if isinstance(value, Mapping):
        name = value.get("model") or value.get("name")
        return (name,) if isinstance(name, str) and name else ()
    if isinstance(value, list):
        names = [_model_names(part) for part in value]
        return tuple(name[0] for name in names) if all(len(name) == 1 for name in names) else ()
    return ()
