"""Recorded judge outputs, looked up by judge, item, draw and order.

One JSON object a line; only ``item`` and ``judge`` must be there::

    {"item": "q1", "judge": "gpt-a", "verdict": true, "reason": "It names the source."}

The fields ``draw``, ``order``, ``epoch``, ``system`` and ``criterion`` narrow a line down to the
calls they name; a line without them answers every call of that judge on that item. The most
narrow line counts, and of equally narrow ones the last.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import msgspec

from panopt.errors import SourceError

__all__ = ["FAULTS", "Fault", "Recorded", "Recording", "open_recording"]

Fault = Literal[
    "timeout",
    "stall",
    "429",
    "500",
    "connection",
    "crash",
    "refuse",
    "filtered",
    "truncated",
    "malformed",
    "prose",
    "empty",
    "nan",
    "out_of_range",
    "schema",
]

#: What can go wrong on cue; see :mod:`panopt.shims.inspect.live.replay_provider`.
FAULTS: tuple[str, ...] = Fault.__args__  # type: ignore[attr-defined]


class Recorded(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line of a recording; see the module for what narrows it down."""

    item: str | int
    judge: str
    draw: int | None = None
    order: Literal[0, 1] | None = None
    epoch: int | None = None
    system: str | None = None
    criterion: str | None = None
    verdict: bool | float | str | None = None
    """As the judge said it; for pairs ``first``, ``second`` or ``tie``, as shown."""
    reason: str = ""
    text: str | None = None
    """The raw reply; made of reason and verdict where it was not recorded."""
    confidence: float | None = None
    """What the judge stated in its reply."""
    probabilities: dict[str, float] | None = None
    """Of each verdict token, by its text; makes the token's log probabilities."""
    logprobs: list[Any] | None = None
    """Tokens as ``inspect_ai.model.Logprob``."""
    stop_reason: str | None = None
    fault: Fault | None = None
    failures: int | None = None
    """How many attempts `fault` spoils; None for all."""
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost: float | None = None
    seconds: float = 0.0
    """How long the judge takes."""

    @property
    def narrowness(self) -> int:
        """Count the fields that narrow the line down."""
        narrowing = (self.draw, self.order, self.epoch, self.system, self.criterion)
        return sum(field is not None for field in narrowing)


class Recording:
    """A file of recorded outputs; about 1 kB of memory a line.

    Raises
    ------
    SourceError
        When the file cannot be read or a line is not as the module says.
    """

    def __init__(self, path: Path) -> None:
        self._lines: dict[tuple[str, str], list[Recorded]] = {}
        self.path = path
        decoder = msgspec.json.Decoder(Recorded)
        number = 0
        try:
            with path.open("rb") as file:
                for number, line in enumerate(file, 1):
                    if line.strip():
                        self._add(decoder.decode(line), number)
        except OSError as error:
            raise SourceError(f"cannot be opened ({error})", source=str(path)) from error
        except msgspec.DecodeError as error:
            raise SourceError(
                f"no recorded answer: {error}", source=str(path), place=f"line {number}"
            ) from error

    @property
    def judges(self) -> frozenset[str]:
        """Name the judges that answered."""
        return frozenset(judge for judge, _ in self._lines)

    def find(self, judge: str, asked: dict[str, Any]) -> Recorded | None:
        """Give what a judge answered; None where that was not recorded.

        Parameters
        ----------
        judge
            Its name.
        asked
            ``item``, ``draw``, ``order``, ``epoch``, ``system`` and ``criterion`` of the call.
        """
        best: Recorded | None = None
        for line in self._lines.get((judge, str(asked.get("item"))), ()):
            if _answers(line, asked) and (best is None or line.narrowness >= best.narrowness):
                best = line
        return best

    def _add(self, line: Recorded, number: int) -> None:
        if line.verdict is None and line.text is None and line.fault is None:
            declined = line.reason or line.stop_reason
            if not declined:
                raise SourceError(
                    "a line needs verdict, text or fault (a judge that abstains has a reason)",
                    source=str(self.path),
                    place=f"line {number}",
                )
        self._lines.setdefault((line.judge, str(line.item)), []).append(line)


def open_recording(path: str | Path) -> Recording:
    """Open a recording; a file that did not change is read once a process."""
    resolved = Path(path).expanduser().resolve()
    try:
        facts = resolved.stat()
    except OSError as error:
        raise SourceError(f"cannot be opened ({error})", source=str(path)) from error
    return _opened(resolved, facts.st_mtime_ns, facts.st_size)


@lru_cache(maxsize=8)
def _opened(path: Path, _changed: int, _size: int) -> Recording:
    return Recording(path)


def _answers(line: Recorded, asked: dict[str, Any]) -> bool:
    return all(
        own is None or own == asked.get(name)
        for name, own in (
            ("draw", line.draw),
            ("order", line.order),
            ("epoch", line.epoch),
            ("system", line.system),
            ("criterion", line.criterion),
        )
    )
