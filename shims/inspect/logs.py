"""A log that is open for reading, whichever tier reads it."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from panopt.shims.inspect.header import Header
from panopt.shims.inspect.schema import EventfulSample, Sample

__all__ = ["Log", "collector_paused", "order_key"]


class Log(Protocol):
    """What both tiers give."""

    @property
    def header(self) -> Header:
        """What the log says of itself."""
        ...

    @property
    def n_samples(self) -> int:
        """Number of samples in the log."""
        ...

    def probes(self) -> Sequence[EventfulSample]:
        """Give the first samples that have scores, with their transcripts."""
        ...

    def samples(self, *, eventful: bool) -> Iterator[Sample]:
        """Go through the samples; with their transcripts where `eventful`."""
        ...

    def facts(self) -> tuple[str, ...]:
        """Name the fields of the first sample's metadata."""
        ...

    def close(self) -> None:
        """Let go of the file."""
        ...


#: How many samples are looked at before the log is read.
N_PROBES = 3


def order_key(sample: Sample) -> tuple[int, str]:
    """Give what Inspect sorts samples by."""
    own = sample.id
    return sample.epoch, own if isinstance(own, str) else str(own).zfill(20)


@contextmanager
def collector_paused() -> Iterator[None]:
    """Pause the cyclic garbage collector: many live objects make it cost more than the reading."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
