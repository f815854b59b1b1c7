"""The fast tier: local ``.eval`` files and JSON logs, read directly and only where needed."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from panopt.errors import SourceError
from panopt.shims.inspect.archive import Archive
from panopt.shims.inspect.header import Header
from panopt.shims.inspect.logs import N_PROBES
from panopt.shims.inspect.schema import EventfulSample, Sample, decode, sample_kinds
from panopt.shims.inspect.summaries import confirmed

__all__ = ["FastLog", "JsonLog", "UnfamiliarError"]


class UnfamiliarError(SourceError):
    """The log is written in a way the fast tier does not know; the API tier may."""


class FastLog:
    """A local ``.eval`` file; one sample is in memory at a time.

    Raises
    ------
    SourceError
        When the file is damaged or is no Inspect log.
    """

    def __init__(self, path: Path, cluster: str = "") -> None:
        self._kinds = sample_kinds(cluster)
        self._archive = Archive(path)
        self._location = str(path)
        self._samples = self._archive.samples()
        try:
            self.header = self._read_header()
        except BaseException:
            self.close()
            raise

    @property
    def n_samples(self) -> int:
        """Number of samples in the log."""
        return len(self._samples)

    @property
    def is_finished(self) -> bool:
        """True where the run that wrote the log has ended."""
        return "header.json" in self._archive.members

    def probes(self) -> Sequence[EventfulSample]:
        """Give the first samples that have scores, with their transcripts."""
        found: list[EventfulSample] = []
        for sample in self.samples(eventful=True):
            if sample.scores and isinstance(sample, EventfulSample):
                found.append(sample)
            if len(found) == N_PROBES:
                break
        return found

    def samples(self, *, eventful: bool) -> Iterator[Sample]:
        """Go through the samples in the order of the file."""
        kind = self._kinds[eventful]
        for entry in self._samples:
            try:
                sample = decode(self._archive.read(entry), kind)
            except msgspec.DecodeError as error:
                raise _not_a_sample(self._location, entry.filename, error) from error
            yield with_named_score(sample, self.header)

    def facts(self) -> tuple[str, ...]:
        """Name the fields of the first sample's metadata."""
        return _facts(json.loads(self._archive.read(self._samples[0]))) if self._samples else ()

    def confirms(self, samples: Sequence[Sample]) -> bool:
        """Tell whether the log's own summaries, of a tested version, say the same of samples."""
        return confirmed(self._archive, self.header, samples)

    def close(self) -> None:
        """Let go of the file."""
        self._archive.close()

    def _read_header(self) -> Header:
        members = self._archive.members
        name = "header.json" if self.is_finished else "_journal/start.json"
        if name not in members:
            raise SourceError(
                "the archive holds neither header.json nor _journal/start.json; a .eval log "
                "has one of them",
                source=self._location,
            )
        try:
            data = json.loads(self._archive.read(members[name]))
        except ValueError as error:
            raise SourceError(f"no JSON ({error})", source=self._location, place=name) from error
        return checked_header(data, self._location)


class JsonLog:
    """A log in one JSON document, read whole.

    Raises
    ------
    SourceError
        When the document is broken or is no Inspect log.
    """

    def __init__(self, path: Path, cluster: str = "") -> None:
        self._location = str(path)
        try:
            opener = gzip.open if path.name.lower().endswith(".gz") else open
            with opener(path, "rb") as file:
                content = file.read()
        except (OSError, EOFError) as error:
            raise SourceError(f"cannot be read ({error})", source=self._location) from error
        try:
            data = json.loads(content)
        except ValueError as error:
            raise SourceError(
                f"the JSON is broken ({error}); copy the file again", source=self._location
            ) from error
        samples = data.pop("samples", None) or [] if isinstance(data, dict) else []
        self.header = checked_header(data, self._location)
        try:
            self._samples: Sequence[EventfulSample] = msgspec.convert(
                samples,
                list[sample_kinds(cluster)[True]],  # type: ignore[misc]  # made on demand
            )
            self._facts = _facts(samples[0]) if samples else ()
        except msgspec.ValidationError as error:
            raise _not_a_sample(self._location, "samples", error) from error
        for sample in self._samples:
            with_named_score(sample, self.header)

    @property
    def n_samples(self) -> int:
        """Number of samples in the log."""
        return len(self._samples)

    def probes(self) -> Sequence[EventfulSample]:
        """Give the first samples that have scores, with their transcripts."""
        return [sample for sample in self._samples if sample.scores][:N_PROBES]

    def samples(self, *, eventful: bool) -> Iterator[Sample]:  # noqa: ARG002 - they all are
        """Go through the samples."""
        yield from self._samples

    def facts(self) -> tuple[str, ...]:
        """Name the fields of the first sample's metadata."""
        return self._facts

    def close(self) -> None:
        """Let go of the samples."""
        self._samples = []


def checked_header(data: object, location: str) -> Header:
    """Check that this is the header of an Inspect log.

    Raises
    ------
    SourceError
        When it is not.
    """
    if not isinstance(data, dict) or not isinstance(data.get("eval"), dict):
        raise SourceError(
            "not an Inspect log: its header has no section 'eval'; name a log that Inspect wrote",
            source=location,
        )
    return Header(data)


def _facts(sample: object) -> tuple[str, ...]:
    metadata = sample.get("metadata") if isinstance(sample, dict) else None
    return tuple(metadata) if isinstance(metadata, dict) else ()


def with_named_score(sample: Sample, header: Header) -> Sample:
    """Put the one score of a log of 2024 under its scorer's name, as Inspect does."""
    if sample.score is not None and not sample.scores:
        sample.scores = {next(iter(header.scorers), "score"): sample.score}
    return sample


def _not_a_sample(location: str, place: str, error: Exception) -> UnfamiliarError:
    return UnfamiliarError(
        f"not a sample as Inspect writes it ({error}); copy the file again, or read it with "
        "the API tier",
        source=location,
        place=place,
    )
