"""A judge that imitates several annotators: its confidence is how far they would agree.

The one judge is asked once an annotator, each time after that annotator's examples
(:mod:`panopt.judging.annotators`), of pairs in both orders; the mean of their distributions over
the verdict's options is the ensemble's (Jung et al. 2025, equation 4). Needs anyio; imported late.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace

import anyio

from panopt.errors import AskError
from panopt.judging.annotators import Annotators
from panopt.judging.call import ask
from panopt.judging.confidence import from_shares, mean_shares, option_of, options_of
from panopt.judging.protocol import Answer, Judge, JudgeError, Order, Question, Usage, Vote
from panopt.judging.verdict import Boolean, Numeric, Pairwise, Verdict, VerdictKind

__all__ = ["SimulatedAnnotators"]


class SimulatedAnnotators:
    """Asks a judge as each of several annotators; holds nothing of a response.

    Parameters
    ----------
    judge
        Who imitates them. Its answers should carry the probability of each option
        (`Answer.probabilities`, of pairs by response and not by place).
    annotators
        Whom.
    kind
        Of verdict: one with options.
    votes
        Count its verdicts instead, where the provider tells no probabilities.

    Raises
    ------
    AskError
        For scores without whole levels, which have no distribution.
    """

    #: Both orders of a pair are asked here: a jury need not.
    both_orders = True

    def __init__(
        self, judge: Judge, annotators: Annotators, *, kind: VerdictKind, votes: bool = False
    ) -> None:
        if not options_of(kind):
            raise AskError("simulated annotators need a verdict with options, or whole levels")
        self._judge = judge
        self._annotators = annotators
        self._kind = kind
        self._votes = votes

    @property
    def name(self) -> str:
        """Name in results: that of the judge."""
        return self._judge.name

    @property
    def model(self) -> str | None:
        """Model behind it."""
        return self._judge.model

    @property
    def prompt_hash(self) -> str | None:
        """Hash of prompt and examples."""
        own = self._judge.prompt_hash
        if own is None:
            return None
        return hashlib.sha256(f"{own} {self._annotators.hash}".encode()).hexdigest()[:16]

    @property
    def confidence_source(self) -> str:
        """Name of the ensemble's confidence."""
        return self._annotators.source(votes=self._votes)

    async def __call__(self, question: Question) -> Answer:
        """Ask as every annotator at once.

        Raises
        ------
        JudgeError
            Where half of the calls or more gave no distribution: of the kind of the first failure.
        """
        votes = await self._ask_all(question)
        usage = sum((vote.usage for vote in votes), Usage())
        tables = [table for vote in votes if (table := self._shares(vote)) is not None]
        declined = [vote for vote in votes if vote.status == "abstained"]
        if 2 * len(tables) <= len(votes):
            failed = next((vote.failure for vote in votes if vote.failure is not None), None)
            if 2 * len(declined) >= len(votes):
                return Answer(None, abstained=True, rationale=declined[0].rationale, usage=usage)
            told = "no token probabilities" if failed is None else failed.message
            raise JudgeError(
                f"{len(votes) - len(tables)} of {len(votes)} calls told nothing: {told}",
                "parse" if failed is None else failed.kind,
                usage,
            )
        shares = mean_shares(tables)
        verdict = _argmax(shares, self._kind)
        if verdict is None:
            return Answer(None, abstained=True, rationale="the annotators tie", usage=usage)
        said = _level(verdict, self._kind)
        found = from_shares(shares, said, kind=self._kind, source=self.confidence_source)
        if question.order == 1 and isinstance(verdict, str):  # the answer is the place as shown
            verdict = {"first": "second", "second": "first"}.get(verdict, verdict)
        return Answer(
            verdict,
            confidence=found.value,
            confidence_source=None if found.value is None else found.source,
            probabilities=found.shares,
            usage=usage,
            cached=all(vote.cached for vote in votes),
        )

    async def _ask_all(self, question: Question) -> list[Vote]:
        pair = isinstance(self._kind, Pairwise)
        orders: tuple[Order | None, ...] = (0, 1) if pair else (None,)
        calls = [
            replace(
                question,
                draw=question.draw * self._annotators.n + j,
                order=order,
                examples=self._annotators.examples(j, question),
            )
            for j in range(self._annotators.n)
            for order in orders
        ]
        found: dict[int, Vote] = {}

        async def one(i: int) -> None:
            found[i] = await ask(self._judge, calls[i])

        async with anyio.create_task_group() as group:
            for i in range(len(calls)):
                group.start_soon(one, i)
        return [found[i] for i in range(len(calls))]

    def _shares(self, vote: Vote) -> Mapping[str, float] | None:
        """Give the distribution of one call, of pairs by response; None where it has none."""
        if vote.status != "ok":
            return None
        if not self._votes:
            return vote.probabilities
        said: object = vote.label if vote.value is None else vote.value
        if isinstance(self._kind, Pairwise):
            said = {1.0: "first", 0.0: "second"}.get(vote.value or 0.0, "tie")
        option = option_of(said, self._kind)
        return None if option is None else {option: 1.0}


def _argmax(shares: Mapping[str, float], kind: VerdictKind) -> Verdict | None:
    """Give the likeliest verdict, of numbers the mean; None where two are equally likely."""
    if isinstance(kind, Numeric):
        total = sum(shares.values())
        mean = sum(float(level) * share for level, share in shares.items()) / total
        return min(max(mean, kind.low), kind.high)
    ranked = sorted(shares.items(), key=lambda pair: -pair[1])
    if len(ranked) > 1 and ranked[0][1] - ranked[1][1] <= 1e-12:
        return None
    return ranked[0][0] == "true" if isinstance(kind, Boolean) else ranked[0][0]


def _level(verdict: Verdict, kind: VerdictKind) -> Verdict:
    """Give the whole level that stands for a mean score: the nearest one on its side."""
    if not isinstance(kind, Numeric) or not isinstance(verdict, float):
        return verdict
    levels = [float(option) for option in options_of(kind)]
    if kind.threshold is not None:
        passes = verdict >= kind.threshold
        levels = [level for level in levels if (level >= kind.threshold) == passes]
    return min(levels, key=lambda level: abs(level - verdict))
