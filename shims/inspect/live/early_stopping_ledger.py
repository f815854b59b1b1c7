"""Samples in the order in which they were planned, and an interval that holds at every time.

Samples finish in an order of their own: short and easy ones first. A mean of what is finished
would be biased, so that samples count in the order of the plan. What has no score is not left out,
for whether it has one may depend on how good the answer was: a sample that failed, was not scored
or is still running counts as the least score for the lower end, and as the largest for the upper.
The bets behind the interval do not depend on the values, so that its lower end can only fall when a
value is taken for a smaller one: what holds with all values known holds with any of them unknown.

Inspect plans all items of the first epoch, then all of the second, and so on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from panopt.shims.inspect.live.early_stopping_claim import Claim
from panopt.stats.confseq import RunningInterval

__all__ = ["Interval", "Ledger"]

Floats = NDArray[np.float64]

#: Samples that wait for one before them to end; then that one counts as unknown for good.
MOST_WAITING = 500

#: Look again when so much more than at the last look has ended.
LOOK_AFTER = 0.01

#: Ends that cross by less, as a share of the range, are one.
ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Interval:
    """What is known at one time.

    Attributes
    ----------
    low, high
        Ends of the interval.
    estimate
        Mean of the scores so far; None where there is none.
    n_items, n_samples
        Items with a score, and samples with one.
    n_unknown
        Samples without, planned before one that ended: failed, unscored or still running.
    """

    low: float
    high: float
    estimate: float | None
    n_items: int
    n_samples: int
    n_unknown: int


@dataclass(slots=True)
class _Sequence:
    """A running interval of items' means over the epochs `first` to `last`.

    `taken` items are in it for good; those after them as far as they are known.
    """

    first: int
    last: int
    running: RunningInterval
    taken: int = 0
    until: int = field(default=0)


class Ledger:
    """Keeps what became of every planned sample, and what follows for the mean.

    About the data set, the mean is the one that the run would have reported had it run to its end:
    what earlier epochs gave is known, and the last epoch's items are drawn without replacement.
    About items like these, every epoch alone tells the mean, so that the first may settle it: its
    interval holds at 1 - alpha / 2, those of means of the first 2, 3, ... epochs share the rest.

    Parameters
    ----------
    items
        Ids of the planned items, in order.
    epochs
        How often each is run.
    claim
        Says range, alpha and population.
    baseline
        Mean score of the baseline on each item; planned items that it has not are left out. None:
        the mean is that of scores.
    """

    def __init__(
        self,
        items: Sequence[str],
        *,
        epochs: int,
        claim: Claim,
        baseline: Mapping[str, float] | None = None,
    ) -> None:
        self.items = tuple(item for item in items if baseline is None or item in baseline)
        self.epochs = epochs
        self._claim = claim
        self._place = {item: place for place, item in enumerate(self.items)}
        own = np.array([0.0 if baseline is None else baseline[item] for item in self.items])
        self._baseline = own
        self._low, self._high = claim.low, claim.high
        if baseline is not None and claim.population == "dataset":
            self._low, self._high = claim.low - float(own.max()), claim.high - float(own.min())
        elif baseline is not None:  # items like these may differ by what none of these can
            self._low, self._high = claim.low - claim.high, claim.high - claim.low
        shape = (epochs, len(self.items))
        self._ended = np.zeros(shape, dtype=np.bool_)
        self._lows = np.broadcast_to(claim.low - own, shape).copy()
        self._highs = np.broadcast_to(claim.high - own, shape).copy()
        self._sequences = self._start()
        self._n_ended = 0
        self._next_look = 0.0

    def _start(self) -> list[_Sequence]:
        claim, last = self._claim, self.epochs - 1
        if claim.population == "dataset":
            running = RunningInterval(alpha=claim.alpha, population=len(self.items))
            return [_Sequence(last, last, running)]
        shares = [1.0] if last == 0 else [0.5, *[0.5 / last] * last]
        return [
            _Sequence(0, epoch, RunningInterval(alpha=claim.alpha * share))
            for epoch, share in enumerate(shares)
        ]

    @property
    def method(self) -> str:
        """How the interval is had."""
        return self._sequences[0].running.method

    @property
    def contradiction(self) -> str | None:
        """Why no mean agrees with what was seen; None where one does."""
        return next((one.running.reason for one in self._sequences if one.running.reason), None)

    def end(self, item: str, epoch: int, score: float | None) -> bool:
        """Enter what a sample gave; tell whether it is time to look at the interval.

        Parameters
        ----------
        item, epoch
            The sample; epochs count from 1.
        score
            Its score; None where it has none. What ends again (queued anew) counts the first time.
        """
        place, row = self._place.get(item), epoch - 1
        if place is None or not 0 <= row < self.epochs or self._ended[row, place]:
            return False
        self._ended[row, place] = True
        self._n_ended += 1
        if score is not None:
            self._lows[row, place] = self._highs[row, place] = score - self._baseline[place]
        for one in self._sequences:
            if one.last == row:
                one.until = max(one.until, place + 1)
        if self._n_ended < self._next_look and self._n_ended < self._ended.size:
            return False
        self._next_look = self._n_ended * (1.0 + LOOK_AFTER)
        return True

    def interval(self) -> Interval:
        """Give the interval for the mean as it is now."""
        ends = [self._look(one) for one in self._sequences]
        low, high = max(end[0] for end in ends), min(end[1] for end in ends)
        if self._claim.population == "dataset":
            # Whatever the order, the mean lies between what it would be with the least and with
            # the largest scores in all that is open.
            least, most = self._lows.mean(axis=1), self._highs.mean(axis=1)
            low, high = max(low, float(least[-1])), min(high, float(most[-1]))
            low = (float(least[:-1].sum()) + low) / self.epochs
            high = (float(most[:-1].sum()) + high) / self.epochs
        if 0.0 < low - high < ROUNDING * (self._high - self._low):
            low = high = (low + high) / 2.0
        known = self._ended & (self._lows == self._highs)
        n_known = int(np.count_nonzero(known))
        reached = np.flatnonzero(self._ended.reshape(-1)[::-1])
        n_reached = self._ended.size - int(reached[0]) if len(reached) else 0
        return Interval(
            low=low,
            high=high,
            estimate=float(self._lows[known].mean()) if n_known else None,
            n_items=int(np.count_nonzero(known.any(axis=0))),
            n_samples=n_known,
            n_unknown=n_reached - n_known,
        )

    def _look(self, one: _Sequence) -> tuple[float, float]:
        """Take what ended for good, and look ahead at what ended beyond."""
        rows = slice(one.first, one.last + 1)
        n_new = one.until - one.taken
        open_places = np.flatnonzero(~self._ended[rows, one.taken : one.until].all(axis=0))
        n_sure = int(open_places[0]) if len(open_places) else n_new
        stop = one.taken + max(n_sure, n_new - MOST_WAITING)
        one.running.update_between(*self._scaled(rows, one.taken, stop))
        one.taken = stop
        ahead = one.running
        if one.taken < one.until:
            ahead = deepcopy(one.running)
            ahead.update_between(*self._scaled(rows, one.taken, one.until))
        width = self._high - self._low
        return self._low + ahead.low * width, self._low + ahead.high * width

    def _scaled(self, rows: slice, start: int, stop: int) -> tuple[Floats, Floats]:
        """Give the least and the largest means of items, as shares of the range."""
        width = self._high - self._low
        low, high = (
            np.clip((part[rows, start:stop].mean(axis=0) - self._low) / width, 0.0, 1.0)
            for part in (self._lows, self._highs)
        )
        return low, np.maximum(low, high)
