"""The host: finds plugins and shims, asks them in a stated order, and names the culprit.

The only place that sees pluggy. Built-ins and strangers come in by the same door, the entry
points of the group ``panopt``; they are asked in the order of their names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import Distribution, EntryPoint, distributions
from pathlib import Path
from types import ModuleType
from typing import TypeVar

import numpy as np
import pluggy

from panopt import spec
from panopt.errors import NotALogError, PanoptError, PluginError, SourceError
from panopt.findings import Finding, Findings
from panopt.records.ask import Ask, Reading
from panopt.records.consensus import Consensus
from panopt.records.decisions import Decisions
from panopt.records.matrix import Matrix
from panopt.records.report import Problem, Report
from panopt.records.source import Source, SourceFile
from panopt.records.study import Study

__all__ = ["Generators", "Host", "PluginInfo"]

GROUP = spec.PROJECT
Answer = TypeVar("Answer")

#: Gives each plugin and hook a generator of its own, whatever the order they are asked in.
Generators = Callable[[str, str], np.random.Generator]


@dataclass(frozen=True, slots=True)
class PluginInfo:
    """One plugin or shim: what it is, what it does, where it came from."""

    name: str
    module: str
    distribution: str
    version: str
    hooks: tuple[str, ...]
    about: str
    error: str | None = None
    """Why it could not be loaded; None where it could."""


@dataclass(frozen=True, slots=True)
class _Found:
    entry: EntryPoint
    distribution: str
    version: str


class Host:
    """A typed front to every installed plugin and shim.

    A plugin that cannot be loaded, or that raises, is a :class:`Problem` and takes no other
    plugin down; errors of the user's making (:class:`panopt.errors.PanoptError`) pass through.
    """

    def __init__(self) -> None:
        self._manager = pluggy.PluginManager(spec.PROJECT)
        self._manager.add_hookspecs(spec)
        self._infos: dict[str, PluginInfo] = {}
        self._suffixes: set[str] = set()
        self._methods: dict[str, str] = {}
        for found in _installed():
            self._load(found)

    @property
    def plugins(self) -> tuple[PluginInfo, ...]:
        """Every plugin and shim, by name; those that could not be loaded too."""
        return tuple(self._infos[name] for name in sorted(self._infos))

    @property
    def broken(self) -> tuple[Problem, ...]:
        """Plugins that could not be loaded."""
        return tuple(
            Problem(info.name, "load", info.error)
            for info in self.plugins
            if info.error is not None
        )

    def suffixes(self) -> tuple[str, ...]:
        """File endings that shims read."""
        return tuple(sorted(self._suffixes))

    def read(
        self, source: SourceFile, reading: Reading, progress: Callable[[float], None]
    ) -> Study:
        """Read one file with the first shim whose kind it is.

        A shim that breaks down over a file that another one reads is a warning of its source.

        Raises
        ------
        SourceError
            When the file is broken or no shim knows it.
        PluginError
            When a shim broke down and no other reads the file.
        """
        troubles: list[PluginError] = []
        for name in self._having("panopt_read"):
            try:
                study = self._call(
                    name, "panopt_read", Study, source=source, reading=reading, progress=progress
                )
                if study is not None:
                    return _with_warnings(study, troubles, plugin=name)
            except PluginError as error:
                troubles.append(error)
            except SourceError:
                if not troubles:
                    raise
        if troubles:
            raise troubles[0]
        if not source.head:
            raise NotALogError(
                "the file is empty; a log has at least a header", source=source.location
            )
        raise NotALogError(
            "not a log or table that an installed shim knows (see: panopt plugins)",
            source=source.location,
        )

    def methods(self) -> dict[str, str]:
        """List the aggregation methods on offer, each with the plugin that has it."""
        return dict(self._methods)

    def aggregate(  # noqa: PLR0913 - the hook's arguments
        self,
        study: Study,
        matrix: Matrix,
        *,
        method: str,
        why: str,
        ask: Ask,
        rng: Generators,
    ) -> Consensus:
        """Aggregate one criterion by a method of :meth:`methods`."""
        name = self.methods()[method]
        consensus = self._call(
            name,
            "panopt_aggregate",
            Consensus,
            study=study,
            matrix=matrix,
            method=method,
            why=why,
            ask=ask,
            rng=rng(name, "panopt_aggregate"),
        )
        if consensus is None or len(consensus) != matrix.n_responses:
            raise PluginError(
                f"gave no consensus of {matrix.n_responses} responses for its method {method!r}",
                plugin=name,
                hook="panopt_aggregate",
            )
        return consensus

    def analyze(
        self,
        study: Study,
        matrix: Matrix,
        consensus: Consensus,
        *,
        ask: Ask,
        rng: Generators,
    ) -> tuple[Findings, tuple[Problem, ...]]:
        """Ask every analyzer; those that raise are problems, the others' findings stand."""
        parts: list[Findings] = []
        problems: list[Problem] = []
        for name, part in self._each(
            "panopt_analyze", Findings, problems, study, matrix, consensus, ask, rng
        ):
            try:
                _check_findings(part, matrix.n_responses)
                parts = [Findings.merge([*parts, part])]
            except (TypeError, ValueError) as error:
                problems.append(Problem(name, "panopt_analyze", str(error), matrix.criterion))
        return (parts[0] if parts else Findings()), tuple(problems)

    def decide(
        self,
        study: Study,
        matrix: Matrix,
        consensus: Consensus,
        *,
        ask: Ask,
        rng: Generators,
    ) -> tuple[Decisions | None, tuple[Problem, ...]]:
        """Take the first decision that a plugin gives; deciders that raise are problems."""
        problems: list[Problem] = []
        for name, decisions in self._each(
            "panopt_decide", Decisions, problems, study, matrix, consensus, ask, rng
        ):
            if len(decisions) == matrix.n_responses:
                return decisions, tuple(problems)
            text = f"decided on {len(decisions)} of {matrix.n_responses} responses"
            problems.append(Problem(name, "panopt_decide", text, matrix.criterion))
        return None, tuple(problems)

    def write(self, report: Report, source: Source, target: Path) -> Path | None:
        """Let the shim that read `source`, else the others, write a copy; None where none does."""
        for name in sorted(self._having("panopt_write"), key=lambda name: name != source.format):
            written = self._call(
                name, "panopt_write", Path, report=report, source=source, target=target
            )
            if written is not None:
                return written
        return None

    def _load(self, found: _Found) -> None:
        entry = found.entry
        earlier = self._infos.get(entry.name)
        if earlier is not None:
            raise PluginError(
                f"two installed packages bring a plugin of this name: {earlier.distribution} "
                f"{earlier.version} and {found.distribution} {found.version}; uninstall one",
                plugin=entry.name,
            )
        about, error = "", None
        hooks: tuple[str, ...] = ()
        try:
            module = entry.load()
            self._manager.register(module, entry.name)
            hooks = self._hooks(module, entry.name)
            about = (module.__doc__ or "").strip().partition("\n")[0]
            suffixes = self._declared(entry.name, "panopt_suffixes", hooks)
            methods = self._declared(entry.name, "panopt_methods", hooks)
        except (Exception, SystemExit) as failure:  # noqa: BLE001 - a stranger may raise anything
            if self._manager.has_plugin(entry.name):
                self._manager.unregister(name=entry.name)
            error, hooks = " ".join(str(failure).split()) or type(failure).__name__, ()
        else:
            self._suffixes.update(suffixes)
            self._add_methods(entry.name, methods)
        self._infos[entry.name] = PluginInfo(
            entry.name,
            entry.value,
            found.distribution,
            found.version,
            hooks,
            about,
            error,
        )

    def _declared(self, name: str, hook: str, hooks: tuple[str, ...]) -> tuple[str, ...]:
        """Ask a plugin, once, for the endings or methods it declares."""
        declared = (self._call(name, hook, tuple) if hook in hooks else None) or ()
        for text in declared:
            if not isinstance(text, str):
                raise PluginError(f"declares {text!r}, which is no text", plugin=name, hook=hook)
        return declared

    def _add_methods(self, plugin: str, methods: tuple[str, ...]) -> None:
        for method in methods:
            owner = self._methods.setdefault(method, plugin)
            if owner != plugin:
                raise PluginError(
                    f"method {method!r} is already that of plugin {owner!r} "
                    f"({self._infos[owner].distribution}); rename it, or uninstall one",
                    plugin=plugin,
                    hook="panopt_methods",
                )

    def _hooks(self, module: ModuleType, name: str) -> tuple[str, ...]:
        callers = self._manager.get_hookcallers(module) or []
        hooks = tuple(sorted(caller.name for caller in callers))
        for hook in hooks:
            if not hasattr(spec, hook):
                known = ", ".join(n for n in dir(spec) if n.startswith("panopt_"))
                raise PluginError(f"no such hook; hooks are {known}", plugin=name, hook=hook)
        if not hooks:
            raise PluginError("implements no hook (mark functions with @hookimpl)", plugin=name)
        return hooks

    def _having(self, hook: str) -> list[str]:
        return [info.name for info in self.plugins if hook in info.hooks]

    def _call(
        self, plugin: str, hook: str, answer: type[Answer], **arguments: object
    ) -> Answer | None:
        """Call one hook of one plugin, and check what it answers."""
        others = [
            module for name, module in self._manager.list_name_plugin() if name != plugin and module
        ]
        caller = self._manager.subset_hook_caller(hook, others)
        try:
            results = caller(**arguments)
        except PanoptError:
            raise
        except (Exception, SystemExit) as error:
            message = f"{type(error).__name__}: {' '.join(str(error).split())}"
            raise PluginError(message, plugin=plugin, hook=hook) from error
        result = results[0] if results else None
        if result is not None and not isinstance(result, answer):
            raise PluginError(
                f"answered with {type(result).__name__}; the hook takes {answer.__name__} or None",
                plugin=plugin,
                hook=hook,
            )
        return result

    def _each(  # noqa: PLR0913, PLR0917 - the hook's arguments
        self,
        hook: str,
        answer: type[Answer],
        problems: list[Problem],
        study: Study,
        matrix: Matrix,
        consensus: Consensus,
        ask: Ask,
        rng: Generators,
    ) -> Iterator[tuple[str, Answer]]:
        for name in self._having(hook):
            try:
                part = self._call(
                    name,
                    hook,
                    answer,
                    study=study,
                    matrix=matrix,
                    consensus=consensus,
                    ask=ask,
                    rng=rng(name, hook),
                )
            except PanoptError as error:
                problems.append(Problem(name, hook, str(error), matrix.criterion))
                continue
            if part is not None:
                yield name, part


def _with_warnings(study: Study, troubles: Sequence[PluginError], *, plugin: str) -> Study:
    """Note on the source of a study which shims broke down over it."""
    if not study.sources:
        raise PluginError("gave a study without its Source", plugin=plugin, hook="panopt_read")
    if not troubles:
        return study
    first, *rest = study.sources
    first = replace(first, warnings=(*first.warnings, *map(str, troubles)))
    return Study(study.table, (first, *rest))


def _check_findings(part: Findings, n_responses: int) -> None:
    """Refuse findings that would break the report."""
    for row in part:
        if not isinstance(row, Finding):
            raise TypeError(f"gave {type(row).__name__} where a Finding is due")
    for name, values in part.columns.items():
        if np.shape(values) != (n_responses,):
            raise ValueError(
                f"column {name!r} has shape {np.shape(values)}; it must be ({n_responses},)"
            )


def _installed() -> list[_Found]:
    """List the entry points of the group, each distribution once, by plugin name."""
    found: dict[tuple[str, str, str], _Found] = {}
    for distribution in distributions():
        for entry in distribution.entry_points:
            if entry.group == GROUP:
                name, version = _name_and_version(distribution)
                found.setdefault((entry.name, entry.value, name), _Found(entry, name, version))
    return sorted(found.values(), key=lambda f: (f.entry.name, f.distribution))


def _name_and_version(distribution: Distribution) -> tuple[str, str]:
    try:
        return distribution.name or "unknown", distribution.version or "unknown"
    except (KeyError, TypeError, AttributeError):  # an installation without its METADATA file
        return "unknown", "unknown"
