"""One judgment: who judged which response to which item, and how."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from panopt.records.margins import is_margin
from panopt.records.scale import Scale

__all__ = ["JUDGE_KINDS", "STATUSES", "Judgment", "is_margin"]

Status = Literal["ok", "abstained", "failed"]
JudgeKind = Literal["llm", "human", "program"]

#: Statuses and kinds in the order of their codes in :class:`panopt.records.matrix.Matrix`.
STATUSES: tuple[Status, ...] = ("ok", "abstained", "failed")
JUDGE_KINDS: tuple[JudgeKind, ...] = ("llm", "human", "program")


class Judgment(BaseModel):
    """One row of a study, and so the contract for authors of shims.

    A response is named by run, system, item and epoch; a judge may score it on several
    criteria and several times (`repeat`). A judgment that is ``ok`` has a score or a label.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    item: str = Field(min_length=1)
    """Stable id of the item (question, test case): equal in every run that asks it."""
    judge: str = Field(min_length=1)
    """Who scored: model or rater name."""
    judge_kind: JudgeKind = "llm"
    """Language model, person, or deterministic program."""
    criterion: str = Field(default="score", min_length=1)
    """What was judged."""
    run: str = ""
    """Id of the evaluation run."""
    system: str = ""
    """Model or provider + prompt under test."""
    epoch: int = Field(default=1, ge=1)
    """Which answer of the system to this item, from 1."""
    repeat: int = Field(default=0, ge=0)
    """Which draw of the judge on this response, from 0."""
    order: Literal[0, 1] | None = None
    """Pairwise only: 1 where the judge saw the second response first."""
    score: float | None = None
    """Raw score on `scale`; pairwise: 1 = the first wins, .5 = tie, 0 = the second wins."""
    label: str | None = None
    """Verdict of a nominal scale."""
    scale: str | None = None
    """Text form of :class:`panopt.records.scale.Scale`; None where it is to be inferred."""
    status: Status = "ok"
    """``abstained``: the judge answered but declined; ``failed``: error, timeout, unparsable."""
    error: str | None = None
    """Why the judgment is not ``ok``."""
    confidence: float | None = None
    """The judge's probability that its verdict is right; any number where its source begins with
    ``margin``, higher for surer (a reward difference, log-odds)."""
    confidence_source: str | None = None
    """How that confidence was obtained (verbalised, logprobs, vote share, margin ...)."""
    probabilities: tuple[float, ...] | None = None
    """The judge's probability of each level of the scale, lowest first."""
    rationale: str | None = None
    """What the judge wrote: hostile text wherever it is shown."""
    prompt_hash: str | None = None
    """Hash of the judge's prompt without the response."""
    response_hash: str | None = None
    """Hash of the judged response: equal hashes are the same text."""
    response_length: int | None = Field(default=None, ge=0)
    """Characters of the judged response."""
    input_tokens: int | None = Field(default=None, ge=0)
    """Tokens read by the judge."""
    output_tokens: int | None = Field(default=None, ge=0)
    """Tokens written by the judge."""
    cost: float | None = Field(default=None, ge=0)
    """Price of the call, US dollars."""
    latency: float | None = Field(default=None, ge=0)
    """Duration of the call, seconds."""
    cached: bool = False
    """True where the verdict is a stored copy of an earlier draw: not independent of it."""
    family: str | None = None
    """Task family of the item."""
    cluster: str | None = None
    """Items of one cluster are not independent (same passage, same prompt)."""
    source: str = ""
    """File the row came from."""
    sample_id: str | None = None
    """Where in that file the response stands."""
    score_name: str | None = None
    """Under which name the score stands there."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.status == "ok" and self.score is None and self.label is None:
            raise ValueError("an ok judgment needs a score or a label")
        if self.status != "ok" and (self.score is not None or self.label is not None):
            raise ValueError(f"a judgment that {self.status} has neither score nor label")
        if self.scale is not None:
            Scale.parse(self.scale)
        if self.confidence is not None and not is_margin(self.confidence_source):
            rule = "be {} than or equal to {}, unless its source begins with 'margin'"
            if self.confidence < 0:
                raise ValueError(f"confidence should {rule.format('greater', 0)}")
            if self.confidence > 1:
                raise ValueError(f"confidence should {rule.format('less', 1)}")
        return self
