"""Stop scheduling an eval's samples when a claim about its mean score is settled.

``Task(..., early_stopping=stop_when_settled(above=0.6))`` watches the mean after every sample by
an interval that holds at every time at once (a confidence sequence: Waudby-Smith & Ramdas 2024),
so that stopping by it leaves its guarantee whole: the claim is settled wrongly with probability at
most alpha. A usual interval that is looked at again and again errs far more often.

Samples that run when the claim is settled are finished and recorded; those after them are not
begun. What was found stands in the log, in ``results.early_stopping.metadata``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inspect_ai.util import EarlyStop

from panopt.errors import AskError
from panopt.shims.inspect.live.early_stopping_claim import Claim, Population, claim_of

if TYPE_CHECKING:
    from inspect_ai.dataset import Sample
    from inspect_ai.log import EvalSpec
    from inspect_ai.scorer import SampleScore
    from pydantic import JsonValue

    from panopt.shims.inspect.live.early_stopping_run import Run

__all__ = ["MANAGER", "StopWhenSettled", "stop_when_settled"]

#: Name of the manager in logs; the claim follows.
MANAGER = "panopt/stop_when_settled"

#: One object may serve several tasks at a time (a task under several models): the run that a call
#: is about is known by the context in which Inspect makes it.
_RUNS: ContextVar[Mapping[int, Run] | None] = ContextVar("panopt_early_stopping", default=None)


def stop_when_settled(  # noqa: PLR0913 - a claim, and how to read scores
    *,
    above: float | None = None,
    below: float | None = None,
    width: float | None = None,
    baseline: str | Path | None = None,
    max_drop: float | None = None,
    better: bool = False,
    scorer: str | None = None,
    key: str | None = None,
    alpha: float = 0.05,
    min_items: int = 10,
    population: Population = "dataset",
    score_range: tuple[float, float] = (0.0, 1.0),
    value_to_float: Callable[[Any], float] | None = None,
) -> StopWhenSettled:
    """Make an early stopping for a task that runs until a claim is shown or refuted.

    Parameters
    ----------
    above, below
        Claim that the mean lies above, or below, this; with a baseline, the mean difference.
    width
        Stop, too, when the interval is no wider than this.
    baseline
        Log of another run on the same items: the mean is that of paired differences from it, over
        items that both have.
    max_drop
        Claim that the mean is no more than this below the baseline's.
    better
        Claim that the mean is above the baseline's.
    scorer, key
        Which score, where the task gives several; which key of it, where it is a dict.
    alpha
        Chance of settling a claim wrongly, or of an interval that misses the mean at any time.
    min_items
        Items that must count before anything is settled.
    population
        ``dataset``: the mean that this run would report if it ran to its end. ``items like these``:
        the mean over all the items that these are a sample of; with several epochs this one can
        settle in the first, ``dataset`` hardly before the last.
    score_range
        Least and largest score there can be. A score off it, and nothing is stopped any more.
    value_to_float
        Makes numbers of scores. Without it C is 1, P .5, I 0, and N (no answer) is unknown.

    Raises
    ------
    AskError
        For options that contradict each other, off their ranges, or a baseline that is no file.

    Notes
    -----
    The items must come in an order that has nothing to do with their scores: shuffle the data set
    (``dataset.shuffle(seed)``, or ``--sample-shuffle``); where it is not, a warning and the log
    say so. Samples count in the order of the plan, not of finishing: short samples finish first.
    Samples without a score count both ways: as the worst for the lower end of the interval, as
    the best for the upper.
    The claim is about the scores that were given, not about what a perfect judge would say.

    Examples
    --------
    >>> stop_when_settled(above=0.6).claim.verdict(0.63, 0.81)
    'shown'
    """
    claim = claim_of(
        above=above,
        below=below,
        width=width,
        paired=baseline is not None,
        max_drop=max_drop,
        better=better,
        alpha=alpha,
        min_items=min_items,
        population=population,
        score_range=score_range,
    )
    if value_to_float is not None and not callable(value_to_float):
        raise AskError(f"value_to_float = {value_to_float!r} must be a function of a score's value")
    for name, given in (("scorer", scorer), ("key", key)):
        if given is not None and not given.strip():
            raise AskError(f"{name} = {given!r} must be a name")
    place = None if baseline is None else str(baseline)
    if place is not None and "://" not in place and not Path(place).is_file():
        raise AskError(f"baseline = {place!r} is no file; name a log of Inspect")
    return StopWhenSettled(
        claim, scorer=scorer, key=key, baseline=place, value_to_float=value_to_float
    )


class StopWhenSettled:
    """An early stopping of Inspect's; made by :func:`stop_when_settled`.

    Parameters
    ----------
    claim
        What is to be settled.
    scorer, key, baseline, value_to_float
        As there.
    """

    def __init__(
        self,
        claim: Claim,
        *,
        scorer: str | None = None,
        key: str | None = None,
        baseline: str | None = None,
        value_to_float: Callable[[Any], float] | None = None,
    ) -> None:
        self.claim = claim
        self._scorer = scorer
        self._key = key
        self._baseline = baseline
        self._to_float = value_to_float
        self._runs: list[Run] = []

    async def start_task(self, task: EvalSpec, samples: list[Sample], epochs: int) -> str:
        """Learn what is planned.

        Raises
        ------
        AskError
            For a scorer that the task has not, or a baseline that has none of its items.
        SourceError
            For a baseline that cannot be read.
        """
        from panopt.shims.inspect.live.early_stopping_ledger import Ledger  # noqa: PLC0415 - numpy
        from panopt.shims.inspect.live.early_stopping_run import Run  # noqa: PLC0415 - likewise
        from panopt.shims.inspect.live.early_stopping_values import (  # noqa: PLC0415 - likewise
            baseline_means,
            measure_of,
        )

        claim = self.claim
        measure = measure_of(
            task,
            scorer=self._scorer,
            key=self._key,
            to_float=self._to_float,
            score_range=(claim.low, claim.high),
        )
        items = [str(sample.id) for sample in samples]
        means = None
        if self._baseline is not None:
            means = await baseline_means(self._baseline, measure, claim.population)
            if not means.keys() & set(items):
                raise AskError(
                    f"baseline {self._baseline} has none of the task's items: it has "
                    f"{', '.join(map(repr, list(means)[:3]))} ..., the task "
                    f"{', '.join(map(repr, items[:3]))} ..."
                )
        ledger = Ledger(items, epochs=epochs, claim=claim, baseline=means)
        run = Run(claim, measure, ledger, task, planned=items)
        self._runs.append(run)
        _RUNS.set({**(_RUNS.get() or {}), id(self): run})
        return f"{MANAGER}: {claim.words(measure.name)}"  # Inspect's viewer shows this

    async def schedule_sample(self, id: str | int, epoch: int) -> EarlyStop | None:  # noqa: A002 - as Inspect names it
        """Stop the sample where the claim is settled."""
        run = self._run()
        if run.begins(id, epoch):
            return None
        return EarlyStop(id=id, epoch=epoch, reason=run.said)

    async def complete_sample(
        self,
        id: str | int,  # noqa: A002 - as Inspect names it
        epoch: int,
        scores: dict[str, SampleScore],
    ) -> None:
        """Count a sample's score."""
        self._run().scored(id, epoch, scores)

    async def complete_task(self) -> dict[str, JsonValue]:
        """Give what was found, as JSON."""
        run = self._run()
        self._runs.remove(run)
        return run.metadata()

    def _run(self) -> Run:
        """Find the run that is meant."""
        mine = (_RUNS.get() or {}).get(id(self))
        if mine is not None and mine in self._runs:
            return mine
        return self._runs[-1]  # called from elsewhere: a sample that was queued anew
