"""Where records come from: the file before it is read, and what was found in it."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from panopt.errors import SourceError

__all__ = [
    "MARK",
    "NO_CLUSTER",
    "REPORT_FILES",
    "UNREADABLE",
    "Counts",
    "Source",
    "SourceFile",
    "no_cluster",
]

HEAD_BYTES = 65536

#: A copy of ``x.eval`` that panopt annotated is ``x.panopt.eval``.
MARK = "panopt"

#: What panopt writes beside the copies.
REPORT_FILES = ("report.json", "responses.csv")

#: How a note begins that a source tells no cluster by the name asked for.
NO_CLUSTER = "no clusters:"

#: Names that such a note lists at most.
MOST_NAMES = 12

#: What opening and decompressing a file may raise; the last two for a URI of no known kind.
UNREADABLE = (OSError, EOFError, zlib.error, ValueError, ImportError)


def no_cluster(what: str, name: str, there: Sequence[str]) -> str:
    """Word the note of a source that has no metadata or column of the name asked for."""
    known = ", ".join(map(repr, there[:MOST_NAMES])) or "none"
    return f"{NO_CLUSTER} {name!r} is not in {what}, which hold {known}"


@dataclass(frozen=True)
class SourceFile:
    """One file a shim is asked about: a local path or an fsspec URI.

    A shim looks at `suffix` and `head` to tell whether the file is its own, and answers None
    at once where it is not.
    """

    location: str
    searched: bool = False
    """Found by searching a folder, not named: passed over where it is no log."""

    @property
    def is_remote(self) -> bool:
        """True for a URI such as ``s3://``."""
        return "://" in self.location

    @property
    def path(self) -> Path:
        """The local path; only where the file is not remote."""
        return Path(self.location)

    @property
    def name(self) -> str:
        """Last part of the location."""
        return self.location.rstrip("/").rsplit("/", 1)[-1]

    @property
    def is_gzipped(self) -> bool:
        """True where the name says gzip."""
        return self.name.lower().endswith(".gz")

    @property
    def suffix(self) -> str:
        """Lower-case ending of the name, without ``.gz``: ``.eval``, ``.jsonl`` ..."""
        name = self.name.lower().removesuffix(".gz")
        return "." + name.rsplit(".", 1)[1] if "." in name else ""

    @cached_property
    def head(self) -> bytes:
        """The first bytes of the (decompressed) content, for telling its kind."""
        try:
            if self.is_remote:
                import fsspec  # noqa: PLC0415 - only remote files need it

                compression = "gzip" if self.is_gzipped else None
                with fsspec.open(self.location, "rb", compression=compression) as remote:
                    return bytes(remote.read(HEAD_BYTES))
            opener: Any = gzip.open if self.is_gzipped else open
            with opener(self.location, "rb") as local:
                return bytes(local.read(HEAD_BYTES))
        except UNREADABLE as error:
            why = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise SourceError(f"cannot be opened ({why})", source=self.location) from error


@dataclass(frozen=True, slots=True)
class Counts:
    """How many responses a source planned and what became of them; nothing is lost silently.

    `planned` is None where the source does not tell. `scored` + `unscored` + `declined` +
    `errored` + `invalidated` = the responses found in the source.
    """

    planned: int | None = None
    completed: int = 0
    scored: int = 0
    unscored: int = 0
    """Completed, but no judge gave a decisive verdict."""
    declined: int = 0
    """The judges or the system declined to answer."""
    errored: int = 0
    """The system (or the framework) failed before a response could be judged."""
    invalidated: int = 0
    """Marked invalid in the log: kept out of every number."""
    waiting: int = 0
    """Not found, though planned before one of their epoch that was: of the first epoch. They run
    still, most likely, and what takes long may be hard. 0, too, where the source tells no order."""


@dataclass(frozen=True, slots=True)
class Source:
    """One source that was read, and what the reader has to say of it."""

    location: str
    format: str
    """Name of the shim that read it: ``inspect``, ``promptfoo``, ``tables`` ..."""
    sha256: str | None = None
    """Digest of the file's bytes; None for a remote or growing source."""
    runs: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    """Other names of its one run, by which a file of another format goes."""
    attempt: tuple[str, str] | None = None
    """The task its run is an attempt at, and when that began (UTC, ISO 8601). A later attempt
    takes over the responses that earlier ones completed."""
    begun: str | None = None
    """When its run began (ISO 8601), where the source tells."""
    task: str | None = None
    """Name of the task that was run, where the source tells."""
    counts: Counts = field(default_factory=Counts)
    columns: tuple[str, ...] = ()
    """Which of the study's columns a table gave; empty for logs."""
    notes: tuple[str, ...] = ()
    """What the reader inferred; worth a line in the report."""
    warnings: tuple[str, ...] = ()
    """What may spoil a conclusion; errors under ``strict``."""
