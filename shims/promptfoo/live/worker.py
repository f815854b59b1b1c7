"""Answer the hook and the scoring function of one promptfoo run: lines of JSON on stdin and stdout.

A question is ``{"id": 1, "do": "decide", "row": "..."}`` or ``"do": "panel"``, with what is asked
as JSON in a string; an answer ``{"id": 1, "result": {...} or null, "note": "..." or null}``, where
the note is for the user's eyes. Nothing that stands in a row ends the worker.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import msgspec

from panopt.errors import AskError, PanoptError

if TYPE_CHECKING:
    from panopt.records.certificate import Certificate
    from panopt.shims.promptfoo.live.decide import Decider

__all__ = ["Worker", "serve"]

UNSET = "PANOPT_CERTIFICATE names no certificate: no decision is written"


class Question(msgspec.Struct):
    """One question, as the JavaScript side asks it."""

    id: int
    do: str
    row: str = ""
    scores: str = "{}"
    context: str = "{}"
    options: str = "{}"


class Worker:
    """What is kept from question to question: the certificate, and the names of judges."""

    def __init__(self) -> None:
        self._decider: Decider | None = None
        self._failed: str | None = None
        self._told: set[str] = set()

    def answer(self, line: bytes) -> dict[str, Any]:
        """Answer one question; whatever is wrong with it is said, not raised."""
        try:
            question = msgspec.json.decode(line, type=Question)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return {"id": None, "result": None, "note": f"no question: {error}"}
        note: str | None
        try:
            if question.do == "decide":
                result, note = self._decide(question.row.encode("utf-8", "replace"))
            elif question.do == "panel":
                result, note = self._panel(question)
            elif question.do == "summary":
                result, note = None, self._summary()
            else:
                result, note = None, f"{question.do!r} is no question"
        except Exception as error:  # noqa: BLE001 - a row must not end the run; it is told
            result, note = None, f"{question.do}: {type(error).__name__}: {_one_line(error)}"
        return {"id": question.id, "result": result, "note": note}

    def _decide(self, row: bytes) -> tuple[dict[str, Any] | None, str | None]:
        decider = self._ready()
        if decider is None:
            return self._without(), self._failed
        before = len(decider.refused)
        try:
            found = decider.decide(row)
        except (ValueError, TypeError, PanoptError) as error:
            return _refusal(_one_line(error)), f"a row could not be read: {_one_line(error)}"
        fresh = list(decider.refused)[before:]
        note = f"{decider.certificate.name} is not applied: {'; '.join(fresh)}" if fresh else None
        if found is None:
            return None, note
        return {"namedScores": found.scores, "metadata": found.metadata}, note

    def _ready(self) -> Decider | None:
        if self._decider is None and self._failed is None:
            try:
                self._decider = _decider()
            except PanoptError as error:
                self._failed = _one_line(error)
        return self._decider

    def _without(self) -> dict[str, Any] | None:
        """Give what is written where no certificate can be applied: nothing is trusted."""
        return None if self._failed == UNSET else _refusal(str(self._failed))

    def _summary(self) -> str | None:
        decider = self._ready()
        return self._failed if decider is None else decider.summary()

    def _panel(self, question: Question) -> tuple[dict[str, Any], str | None]:
        from panopt.shims.promptfoo.live.scoring import panel  # noqa: PLC0415 - the hook needs none

        options = json.loads(question.options)
        result = panel(json.loads(question.scores), json.loads(question.context), **options)
        return result, None


def _decider() -> Decider:
    from panopt.records.ask import Reading  # noqa: PLC0415 - a panel without certificate needs none
    from panopt.shims.promptfoo.live.decide import Decider  # noqa: PLC0415 - see above
    from panopt.shims.promptfoo.live.options import read_options  # noqa: PLC0415 - see above

    options = read_options()
    if options.certificate is None:
        raise AskError(UNSET)
    return Decider(
        _read_certificate(Path(options.certificate)),
        same_prompts=options.same_prompts,
        reading=Reading.model_validate({"scorers": options.scorers}),
    )


def _read_certificate(path: Path) -> Certificate:
    from panopt.records.certificate import Certificate  # noqa: PLC0415 - see above

    try:
        return Certificate.from_json(path.read_bytes())
    except OSError as error:
        raise AskError(f"certificate {path}: cannot be read ({error.strerror})") from error
    except PanoptError as error:
        raise AskError(f"{path}: {error}") from error


def _refusal(why: str) -> dict[str, Any]:
    from panopt.shims.promptfoo.live.decide import refusal  # noqa: PLC0415 - see above

    found = refusal(why)
    return {"namedScores": found.scores, "metadata": found.metadata}


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def serve(questions: Iterable[bytes], answers: IO[bytes]) -> None:
    """Answer questions until there are no more."""
    worker = Worker()
    for line in questions:
        if line.strip():
            text = json.dumps(worker.answer(line), allow_nan=False)
            answers.write(text.encode() + b"\n")
            answers.flush()


def main() -> None:
    """Serve stdin; what anything else prints goes to stderr, so that answers stay whole."""
    with os.fdopen(os.dup(1), "wb") as answers:
        os.dup2(2, 1)
        try:
            serve(sys.stdin.buffer, answers)
        except BrokenPipeError:
            sys.stderr.write("panopt: promptfoo ended before it was answered\n")


if __name__ == "__main__":
    main()
