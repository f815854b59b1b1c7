"""One pass over an open log, and the study made of it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from panopt.records.ask import Reading
from panopt.records.source import Source, no_cluster
from panopt.records.study import Study
from panopt.shims.inspect.header import Header
from panopt.shims.inspect.layout import human_names, lay_out
from panopt.shims.inspect.logs import Log
from panopt.shims.inspect.panels import Panel, Reply, find_panels, replies_of, reproduces
from panopt.shims.inspect.prompts import prompt_hash
from panopt.shims.inspect.responses import Responses
from panopt.shims.inspect.rows import build_rows
from panopt.shims.inspect.schema import EventfulSample, Sample
from panopt.shims.inspect.series import Gathered

__all__ = ["Remarks", "assemble"]


@dataclass(slots=True)
class Remarks:
    """What is to be said of how a log was read."""

    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Tally:
    """How often the votes from the transcript reduce to the score in the log."""

    asked: dict[str, int] = field(default_factory=dict)
    agreed: dict[str, int] = field(default_factory=dict)

    def add(self, name: str, *, same: bool | None) -> None:
        """Count one sample."""
        if same is not None:
            self.asked[name] = self.asked.get(name, 0) + 1
            self.agreed[name] = self.agreed.get(name, 0) + same


def assemble(  # noqa: PLR0913 - the log, its source, and where to put what is found
    log: Log,
    location: str,
    reading: Reading,
    progress: Callable[[float], None],
    remarks: Remarks,
    *,
    sha256: str | None,
    keep: Collection[int] = (),
) -> tuple[Study, list[Sample]]:
    """Read all judgments of a log.

    Parameters
    ----------
    log, location
        The open log, and where it came from.
    reading, progress
        As given to the hook.
    remarks
        Gets what is to be said, and may hold something already.
    sha256
        Digest of the file.
    keep
        Positions of samples to give back as they were read.
    """
    header = log.header
    probes = log.probes()
    panels, lost = find_panels(header, probes)
    names: set[str] = set(header.scorers)
    gathered = Gathered(
        lambda name: name in human_names(header, reading, (name,)), reading.rationales
    )
    responses = Responses(header, keeps_targets="target" in reading.human)
    tally = Tally()
    kept: list[Sample] = []
    step = max(1, log.n_samples // 100)
    for index, sample in enumerate(log.samples(eventful=bool(panels))):
        if index in keep:
            kept.append(sample)
        if responses.add(sample):
            names.update(sample.scores or ())
            gathered.add(index, sample, _replies(sample, panels, tally))
        if index % step == 0:
            progress(index / log.n_samples)
    gathered.settle()
    humans = human_names(header, reading, names)
    layout = lay_out(header, gathered, reading, humans=humans, panels=panels)
    prompts = {name: prompt_hash(name, header.scorer(name), probes) for name in sorted(names)}
    rows = build_rows(gathered, responses, layout, reading, prompts)
    columns = rows.finish(location)
    counts = responses.counts(*rows.judged())
    notes, warnings = responses.remarks()
    _say_panels(header, panels, lost, tally, notes, warnings)
    _say_humans(header, reading, names, gathered, humans, notes)
    if reading.cluster and not any(responses.clusters):
        notes.append(no_cluster("the samples' metadata", reading.cluster, log.facts()))
    source = Source(
        location=location,
        format="inspect",
        sha256=sha256,
        runs=(header.run,),
        attempt=header.attempt,
        begun=header.begun,
        task=header.task,
        counts=counts,
        notes=(*remarks.notes, *layout.notes, *notes),
        warnings=(*remarks.warnings, *layout.warnings, *warnings),
    )
    progress(1.0)
    return Study.from_columns(columns, sources=[source], source=location), kept


def _replies(
    sample: Sample, panels: dict[str, Panel], tally: Tally
) -> dict[str, list[Reply | None]]:
    if not panels or not isinstance(sample, EventfulSample):
        return {}
    replies = replies_of(sample, panels)
    for name, own in replies.items():
        tally.add(name, same=reproduces(own, panels[name], (sample.scores or {})[name]))
    return replies


def _say_panels(  # noqa: PLR0913, PLR0917 - what was found, and where to say it
    header: Header,
    panels: dict[str, Panel],
    lost: tuple[str, ...],
    tally: Tally,
    notes: list[str],
    warnings: list[str],
) -> None:
    for name, panel in panels.items():
        asked, agreed = tally.asked.get(name, 0), tally.agreed.get(name, 0)
        said = f"{name}: the votes of its {len(panel.judges)} judges were read from their replies"
        if agreed < asked:
            warnings.append(f"{said}; they give the recorded score in {agreed} of {asked} samples")
        elif asked:
            notes.append(f"{said}; they give the recorded score in all {asked} samples")
        else:
            notes.append(said)
    for name in lost:
        judges = len(header.models(header.scorer(name)))
        warnings.append(
            f"{name}: the votes of its {judges} judges are not in the log; what was made of them "
            "is read as one judge"
        )


def _say_humans(  # noqa: PLR0913, PLR0917 - what was found, and where to say it
    header: Header,
    reading: Reading,
    names: set[str],
    gathered: Gathered,
    humans: frozenset[str],
    notes: list[str],
) -> None:
    known = {key.part for key in gathered.series} | {"target"}
    known |= {spelling for name in humans for spelling in (name, header.scorer(name).base)}
    for wanted in reading.human:
        if wanted not in known:
            scores = ", ".join(sorted(names)) or "none"
            notes.append(f"no score or key is named {wanted!r} here (scores: {scores})")
