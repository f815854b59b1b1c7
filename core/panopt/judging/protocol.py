"""The contract between a jury and the judges that a framework supplies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeVar

from panopt.judging.verdict import VerdictKind

__all__ = [
    "Answer",
    "Example",
    "Failure",
    "FailureKind",
    "Judge",
    "JudgeError",
    "Question",
    "Usage",
    "Vote",
]

FailureKind = Literal["timeout", "parse", "connection", "status", "budget", "unknown"]
Order = Literal[0, 1]
Number = TypeVar("Number", int, float)


@dataclass(frozen=True, slots=True)
class Usage:
    """What judging took; None where the framework does not tell."""

    calls: int = 0
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost: float | None = None
    """US dollars."""
    seconds: float | None = None

    def __add__(self, other: Usage) -> Usage:
        """Add up, counting what one of the two does not know as nothing."""
        return Usage(
            self.calls + other.calls,
            _sum(self.input_tokens, other.input_tokens),
            _sum(self.output_tokens, other.output_tokens),
            _sum(self.cost, other.cost),
            _sum(self.seconds, other.seconds),
        )


@dataclass(frozen=True, slots=True)
class Question:
    """What one judge is asked once.

    Attributes
    ----------
    item, epoch, system
        Names of the judged response; they never enter a prompt.
    task
        What the system was asked.
    responses
        The judged response, or for pairs the two, in the order of the pair.
    rubric
        By what to judge.
    kind
        What verdict is wanted.
    criterion
        What is judged.
    reference
        A known good answer, where there is one.
    draw
        Which repeat this is, from 0: another draw, not a cached copy.
    order
        Pairs: 1 where the judge is to be shown the second response first.
    examples
        Answered questions that the judge is shown before this one.
    """

    item: str
    task: str
    responses: tuple[str, ...]
    rubric: str
    kind: VerdictKind
    criterion: str = "score"
    system: str | None = None
    epoch: int = 1
    reference: str | None = None
    draw: int = 0
    order: Order | None = None
    details: Mapping[str, object] = field(default_factory=dict)
    """What else the framework knows of the response, for templates."""
    examples: tuple[Example, ...] = ()


@dataclass(frozen=True, slots=True)
class Example:
    """A question with the answer that is taken to be right; of pairs the place as shown."""

    question: Question
    verdict: bool | float | str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a judge answered, before it is checked.

    Attributes
    ----------
    verdict
        True or false, a label, a number; for pairs the PLACE that won as shown ("first",
        "second", "tie"), which the jury turns back into the response. None with `abstained`.
    abstained
        The judge declined: refused, or said so where the schema lets it.
    rationale
        What it wrote, reason before verdict: hostile text.
    confidence
        Its confidence in this verdict, in [0, 1], and under `confidence_source` how that was
        obtained ("logprobs", "verbalised", "simulated annotators", "vote share").
    probabilities
        Of each label or level, where known.
    """

    verdict: bool | float | str | None
    abstained: bool = False
    rationale: str = ""
    confidence: float | None = None
    confidence_source: str | None = None
    probabilities: Mapping[str, float] | None = None
    usage: Usage = Usage(calls=1)
    model: str | None = None
    cached: bool = False


class JudgeError(Exception):
    """A judge could not answer; `kind` says how, `usage` what it cost all the same."""

    def __init__(self, message: str, kind: FailureKind, usage: Usage = Usage(calls=1)) -> None:
        super().__init__(message)
        self.kind: FailureKind = kind
        self.usage = usage


class Judge(Protocol):
    """One judge: answers a question, or raises."""

    @property
    def name(self) -> str:
        """Name in results; judges of one panel have distinct names."""
        ...

    @property
    def model(self) -> str | None:
        """Model behind it, for checks of families; None where unknown."""
        ...

    @property
    def prompt_hash(self) -> str | None:
        """Hash of its prompt without the response, for certificates; None where unknown."""
        ...

    @property
    def confidence_source(self) -> str | None:
        """How its confidence is obtained; None where it gives none."""
        ...

    async def __call__(self, question: Question) -> Answer:
        """Answer a question; raise :class:`JudgeError`, or whatever the framework raises."""
        ...


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a judge gave no vote."""

    kind: FailureKind
    message: str


@dataclass(frozen=True, slots=True)
class Vote:
    """One checked answer of one judge, or what its passes were reduced to.

    Attributes
    ----------
    judge
        Name.
    status
        ``ok``, ``abstained`` or ``failed``, as in :class:`panopt.records.judgment.Judgment`.
    value
        Number on the scale of the verdict (boolean: 1 or 0; pairs: 1, 1/2, 0); None for a label
        and where the status is not ok.
    label
        For labelled verdicts.
    failure
        Where it failed.
    stands_for
        Judge that it replaces; None for a member of the panel.
    flipped
        Pairs, reduced votes: the two orders contradict one another.
    passes
        The draws that a reduced vote was made of; empty for a single draw.
    note
        What of the answer was left out, and why; or why repeats together are no vote.
    """

    judge: str
    status: Literal["ok", "abstained", "failed"]
    value: float | None = None
    label: str | None = None
    rationale: str = ""
    failure: Failure | None = None
    confidence: float | None = None
    confidence_source: str | None = None
    probabilities: Mapping[str, float] | None = None
    draw: int = 0
    order: Order | None = None
    stands_for: str | None = None
    flipped: bool = False
    usage: Usage = Usage()
    cached: bool = False
    passes: tuple[Vote, ...] = ()
    note: str = ""

    @property
    def free(self) -> bool:
        """Whether a cache answered and no call was made; not of several calls, as after a retry."""
        return self.cached and self.usage.calls == 1

    @property
    def unpaid(self) -> bool:
        """Whether the judge was not asked, for want of budget."""
        return self.failure is not None and self.failure.kind == "budget" and not self.usage.calls


def _sum(one: Number | None, other: Number | None) -> Number | None:
    if one is None:
        return other
    return one if other is None else one + other
