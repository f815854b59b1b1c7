"""How sure a model is as a judge, read off what Inspect gives of its reply."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from inspect_ai.model import ModelOutput

from panopt.errors import AskError
from panopt.judging.confidence import (
    LEXICAL,
    MARGIN,
    PREDICTIVE,
    REASONED,
    VERBALISED,
    options_of,
    swapped,
    verbalised,
)
from panopt.judging.confidence_tokens import Token, from_tokens
from panopt.judging.parse import Reading
from panopt.judging.protocol import Question
from panopt.judging.verdict import VerdictKind
from panopt.shims.inspect.live.model_judge import ConfidenceReader

__all__ = ["SOURCES", "MarginReader", "StatedReader", "TextReader", "TokenReader", "reader_of"]

#: Names of the option, and of what they give.
SOURCES = ("logprobs", "verbalised", "margin", "votes", "lexical", "annotators")

#: Most alternatives a token that providers tell.
MOST_LOGPROBS = 20

Told: TypeAlias = tuple[float | None, Mapping[str, float] | None]


@dataclass(frozen=True, slots=True)
class TokenReader:
    """The probability of the verdict's tokens, among those of its other options."""

    source: str
    top_logprobs: int
    is_stated: bool = False

    def read(self, question: Question, reading: Reading, output: ModelOutput) -> Told:
        """Read it off the log probabilities; None where the provider gives none."""
        if reading.verdict is None:
            return None, None
        found = from_tokens(
            _tokens(output), reading.verdict, kind=question.kind, source=self.source
        )
        shares = found.shares
        if shares is not None and question.order == 1:
            shares = swapped(shares)  # of the responses, not of the places
        return found.value, shares


@dataclass(frozen=True, slots=True)
class StatedReader:
    """What the judge says of itself."""

    source: str = VERBALISED
    is_stated: bool = True
    top_logprobs: int | None = None

    def read(self, question: Question, reading: Reading, output: ModelOutput) -> Told:  # noqa: ARG002
        """Read the number; words are no confidence."""
        return verbalised(reading.confidence).value, None


@dataclass(frozen=True, slots=True)
class MarginReader:
    """A margin in the field ``confidence`` of the reply: any finite number, more is surer."""

    source: str = MARGIN
    is_stated: bool = False
    top_logprobs: int | None = None

    def read(self, question: Question, reading: Reading, output: ModelOutput) -> Told:  # noqa: ARG002
        """Read the number."""
        stated = reading.confidence
        number = isinstance(stated, int | float) and not isinstance(stated, bool)
        return (float(stated), None) if number and math.isfinite(stated) else (None, None)


@dataclass(frozen=True, slots=True)
class TextReader:
    """How alike the rationales of repeated draws are: the cascade compares them."""

    source: str = LEXICAL
    is_stated: bool = False
    top_logprobs: int | None = None

    def read(self, question: Question, reading: Reading, output: ModelOutput) -> Told:  # noqa: ARG002
        """Tell nothing of a single draw."""
        return None, None


def reader_of(
    confidence: str, kind: VerdictKind, *, reason: bool = True, top_logprobs: int | None = None
) -> ConfidenceReader | None:
    """Give what reads a confidence of this name; None for the share of votes over repeats.

    Parameters
    ----------
    confidence
        A name in `SOURCES`; ``annotators`` reads the probabilities of each of them.
    kind
        Of verdict: some have no tokens of their own.
    reason
        Whether the judge reasons before its verdict: another source than without.
    top_logprobs
        Alternatives a token that are asked for; by default enough for the options, 20 at most.

    Raises
    ------
    AskError
        For an unknown name, or token probabilities of scores that have no whole levels.
    """
    if confidence not in SOURCES:
        raise AskError(f"confidence = {confidence!r} must be one of {', '.join(SOURCES)}")
    if top_logprobs is not None and not 1 <= top_logprobs <= MOST_LOGPROBS:
        raise AskError(f"top_logprobs = {top_logprobs} must lie in 1 to {MOST_LOGPROBS}")
    if confidence in ("logprobs", "annotators"):
        options = options_of(kind)
        if not options:
            raise AskError(
                f"confidence = {confidence!r} needs a verdict with options: these scores have no "
                "whole levels (score_range)"
            )
        wanted = top_logprobs or min(max(5, 3 * len(options)), MOST_LOGPROBS)
        return TokenReader(REASONED if reason else PREDICTIVE, wanted)
    others: dict[str, ConfidenceReader] = {
        "verbalised": StatedReader(),
        "margin": MarginReader(),
        "lexical": TextReader(),
    }
    return others.get(confidence)  # votes: counted by the cascade


def _tokens(output: ModelOutput) -> list[Token]:
    told = None if output.empty else output.choices[0].logprobs
    if told is None:
        return []
    return [
        Token(
            one.token,
            one.logprob,
            tuple((top.token, top.logprob) for top in one.top_logprobs or ()),
        )
        for one in told.content
    ]
