"""One task under one model: what it was told of its samples, what is settled, what the log says."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from panopt.errors import AskError
from panopt.shims.inspect.live.early_stopping_claim import Claim, Verdict
from panopt.shims.inspect.live.early_stopping_ledger import Interval, Ledger
from panopt.shims.inspect.live.early_stopping_values import Measure

if TYPE_CHECKING:
    from inspect_ai.log import EvalSpec
    from inspect_ai.scorer import SampleScore
    from pydantic import JsonValue

__all__ = ["Run"]

_log = logging.getLogger(__name__)


class Run:
    """One task under one model.

    Parameters
    ----------
    claim, measure, ledger
        What is to be settled, by which score, and what is known.
    spec
        The task.
    planned
        Ids of all its items, in order.

    Attributes
    ----------
    verdict, said
        What was settled, and in words; None and empty as long as nothing is.
    """

    def __init__(
        self,
        claim: Claim,
        measure: Measure,
        ledger: Ledger,
        spec: EvalSpec,
        *,
        planned: Sequence[str],
    ) -> None:
        self._claim = claim
        self._measure = measure
        self._ledger = ledger
        self._n_planned = len(planned) * ledger.epochs
        self._n_left_out = len(planned) - len(ledger.items)
        self._reducers = spec.config.epochs_reducer or ["mean"]
        self._is_shuffled = bool(spec.dataset.shuffled)
        self._n_saved = 0
        self.said = ""
        self.verdict: Verdict | None = None
        self._at_stop: Interval | None = None
        self._broken: str | None = None
        self._unended: set[tuple[str, int]] = set()
        self._unscored: Counter[str] = Counter()
        if not self._is_shuffled:
            _log.warning("stop_when_settled: %s", self._about_order)

    def begins(self, item: str | int, epoch: int) -> bool:
        """Tell whether a sample is to run, maybe again after an error."""
        sample = (str(item), epoch)
        if self.verdict is None:
            self._unended.add(sample)
            return True
        self._unended.discard(sample)
        self._n_saved += 1
        return False

    def scored(self, item: str | int, epoch: int, scores: Mapping[str, SampleScore]) -> None:
        """Count the score of a sample; never raises, for that would end the eval."""
        self._unended.discard((str(item), epoch))
        try:
            number, why = self._measure.read({name: one.score for name, one in scores.items()})
            if number is None:
                self._unscored[why or "unscored"] += 1
            is_time = self._ledger.end(str(item), epoch, number)
            if is_time and self.verdict is None and self._broken is None:
                self._look()
        except AskError as error:
            self._ledger.end(str(item), epoch, None)
            self._unscored["no number on the scale"] += 1
            self._break(str(error))
        except Exception as error:  # noqa: BLE001 - it would end the eval
            _log.exception("stop_when_settled broke")
            self._break(f"{type(error).__name__}: {error}")

    def _look(self) -> None:
        now = self._ledger.interval()
        self._check(now)
        if now.n_items < min(self._claim.min_items, len(self._ledger.items)):
            return
        verdict = None if self._broken else self._claim.verdict(now.low, now.high)
        if verdict is not None:
            self.verdict, self._at_stop = verdict, now
            self.said = f"settled: {self._outcome(now)}"

    def _check(self, now: Interval) -> None:
        if self._ledger.contradiction or now.low > now.high:
            self._break(
                "no mean agrees with all that was seen: either this is one of the rare runs that "
                "alpha allows for, or the order of the items has to do with their scores"
            )

    def _break(self, why: str) -> None:
        if self._broken is None:
            self._broken = why
            _log.warning("stop_when_settled stops nothing any more: %s", why)

    def _outcome(self, at: Interval) -> str:
        words = self._claim.words(self._measure.name)
        told = {"shown": "yes", "refuted": "no", "narrow enough": "narrow enough"}
        verdict = "open" if self.verdict is None else told[self.verdict]
        return f"{words}: {verdict} ({at.low:.3f} to {at.high:.3f})"

    @property
    def _about_order(self) -> str:
        """What is to be said of the items' order."""
        if self._is_shuffled:
            return "the items come in random order: the data set was shuffled"
        return (
            "the data set is not shuffled: what is claimed holds only if the order of its items "
            "has nothing to do with their scores (dataset.shuffle(seed), or --sample-shuffle)"
        )

    def metadata(self) -> dict[str, JsonValue]:
        """Give what was found, as JSON."""
        final, claim = self._ledger.interval(), self._claim
        if self.verdict is None:
            self._check(final)
        notes: list[JsonValue] = []
        if self._n_left_out:
            notes.append(
                f"{self._n_left_out} items have no score in the baseline and count for nothing"
            )
        if self._ledger.epochs > 1 and self._reducers != ["mean"]:
            notes.append("the claim is about the mean of epochs, whatever reduces them elsewhere")
        unscored = dict(self._unscored)
        if self._unended:
            unscored["the sample failed"] = len(self._unended)
        assumptions: list[JsonValue] = [self._about_order]
        if claim.population != "dataset":
            assumptions.append("the items are independent draws from those like them")
        assumptions.append(
            "the claim is about the scores that were given; whether they are right is not looked at"
        )
        return {
            "by": "panopt",
            "schema": 1,
            "claim": claim.words(self._measure.name),
            "verdict": self.verdict or "not settled",
            "said": self._outcome(self._at_stop or final),
            "alpha": claim.alpha,
            "population": claim.population,
            "at_stop": None if self._at_stop is None else _plain(self._at_stop),
            "final": None if self._broken else _plain(final),
            "reason": self._broken,
            "scorer": self._measure.scorer,
            "key": self._measure.key,
            "n_planned_items": len(self._ledger.items),
            "n_planned_samples": self._n_planned,
            "n_samples_not_run": self._n_saved,
            "epochs": self._ledger.epochs,
            "unscored": dict(unscored),
            "order": "shuffled" if self._is_shuffled else "as given",
            "method": self._ledger.method,
            "assumptions": assumptions,
            "notes": notes,
        }


def _plain(one: Interval) -> dict[str, JsonValue]:
    return {
        "low": one.low,
        "high": one.high,
        "estimate": one.estimate,
        "n_items": one.n_items,
        "n_samples": one.n_samples,
        "n_unknown": one.n_unknown,
    }
