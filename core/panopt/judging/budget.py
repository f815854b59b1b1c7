"""A budget of calls, tokens and money that the judges of a whole run share.

Frameworks do not bound the calls of a scorer; this does. What a call may take is set aside before
it starts, so that calls under way cannot overspend together.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from math import isfinite
from threading import Lock

from panopt.errors import AskError
from panopt.judging.protocol import Usage

__all__ = ["Budget", "Hold"]

_ROUNDING = 1e-9
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Hold:
    """What is set aside for one call until it has ended."""

    number: int
    judge: str
    calls: int
    tokens: int
    cost: float


class Budget:
    """Calls, tokens and money that may be spent; shared by a run, safe for tasks and threads.

    Parameters
    ----------
    calls, tokens, cost
        Most that may be spent; tokens are input and output together, cost is in US dollars. None:
        no limit.
    per_call
        What one call takes at most. Without it a judge is taken to need what its dearest call so
        far took, and nothing before its first has ended: tokens and cost may then be overspent by
        the calls under way, calls never (but for judges that make several calls an answer).

    Raises
    ------
    AskError
        For a limit that is not above 0.

    Notes
    -----
    The only state that the responses of a run share. A judge that does not tell what a call took
    is not bounded by that limit; `untold` counts such calls and a warning is logged.

    Examples
    --------
    >>> budget = Budget(calls=1)
    >>> hold = budget.reserve("a")
    >>> budget.reserve("b") is None
    True
    >>> budget.settle(hold[0], Usage(calls=1, cost=0.25))
    >>> budget.spent.cost, budget.exhausted
    (0.25, True)
    """

    def __init__(
        self,
        calls: int | None = None,
        tokens: int | None = None,
        cost: float | None = None,
        *,
        per_call: Usage | None = None,
    ) -> None:
        for name, limit in (("calls", calls), ("tokens", tokens), ("cost", cost)):
            if limit is None:
                continue
            given: object = limit
            fits = isinstance(given, int if name != "cost" else (int, float))
            if isinstance(given, bool) or not fits or not (isfinite(limit) and limit > 0):
                what = "a number" if name == "cost" else "a whole number"
                raise AskError(f"budget {name} = {limit!r} must be {what} above 0, or None")
        self.calls, self.tokens, self.cost = calls, tokens, cost
        self.per_call = per_call
        self._lock = Lock()
        self._open: dict[int, Hold] = {}
        self._number = 0
        self._spent = Usage(0, 0, 0, 0.0)
        self._held = (0, 0, 0.0)
        self._dearest: dict[str, tuple[int, int, float]] = {}
        self._untold = 0
        self._refused = 0

    def __repr__(self) -> str:
        """Give limits and what is spent."""
        return (
            f"Budget(calls={self.calls}, tokens={self.tokens}, cost={self.cost}, "
            f"spent={self.spent})"
        )

    @property
    def spent(self) -> Usage:
        """What ended calls took, as far as they told."""
        with self._lock:
            return self._spent

    @property
    def untold(self) -> int:
        """Calls that did not tell what a limit counts."""
        with self._lock:
            return self._untold

    @property
    def refused(self) -> int:
        """Calls that were not made for want of budget."""
        with self._lock:
            return self._refused

    @property
    def exhausted(self) -> bool:
        """Whether a limit is reached."""
        with self._lock:
            used = self._used()
        return any(
            limit is not None and amount >= limit
            for amount, limit in zip(used, self._limits(), strict=True)
        )

    def reserve(self, judge: str, n: int = 1) -> tuple[Hold, ...] | None:
        """Set aside what `n` calls of a judge may take, all of them or none.

        Returns
        -------
        tuple of Hold or None
            One for each call, to be settled or released; None where the budget is too small.
        """
        with self._lock:
            each = self._expected(judge)
            for use, need, limit in zip(self._used(), each, self._limits(), strict=True):
                if limit is None:
                    continue
                slack = min(_ROUNDING * limit, 0.5)  # counts stay exact
                if use + n * need > limit + slack or (not need and use >= limit):
                    self._refused += n
                    return None
            holds = tuple(Hold(self._number + k, judge, *each) for k in range(n))
            self._number += n
            self._open.update((hold.number, hold) for hold in holds)
            self._hold(each, n)
            return holds

    def settle(self, hold: Hold, usage: Usage | None) -> None:
        """Charge an ended call; None: it was broken off, and is charged what was set aside."""
        with self._lock:
            if self._open.pop(hold.number, None) is None:
                return
            self._hold((hold.calls, hold.tokens, hold.cost), -1)
            if usage is None:
                usage = Usage(max(hold.calls, 1), hold.tokens, None, hold.cost)
            tokens = (usage.input_tokens or 0) + (usage.output_tokens or 0)
            took = (usage.calls, tokens, usage.cost or 0.0)
            known = self._dearest.get(hold.judge, (0, 0, 0.0))
            self._dearest[hold.judge] = (
                max(known[0], took[0]),
                max(known[1], took[1]),
                max(known[2], took[2]),
            )
            self._spent += usage
            quiet = usage.input_tokens is None and usage.output_tokens is None
            unknown = (self.cost is not None and usage.cost is None) or (
                self.tokens is not None and quiet
            )
            silent = unknown and usage.calls > 0
            self._untold += silent
            first = silent and self._untold == 1
        if first:
            _log.warning(
                "judge %r does not tell its tokens or cost: that limit does not bound it",
                hold.judge,
            )

    def release(self, hold: Hold) -> None:
        """Give back what was set aside for a call that was never made."""
        with self._lock:
            if self._open.pop(hold.number, None) is not None:
                self._hold((hold.calls, hold.tokens, hold.cost), -1)

    def _limits(self) -> tuple[int | None, int | None, float | None]:
        return self.calls, self.tokens, self.cost

    def _used(self) -> tuple[int, int, float]:
        spent, held = self._spent, self._held
        tokens = (spent.input_tokens or 0) + (spent.output_tokens or 0)
        return spent.calls + held[0], tokens + held[1], (spent.cost or 0.0) + held[2]

    def _hold(self, each: tuple[int, int, float], n: int) -> None:
        held = self._held
        cost = held[2] + n * each[2] if self._open else 0.0  # no dust of rounding stays
        self._held = (held[0] + n * each[0], held[1] + n * each[1], max(cost, 0.0))

    def _expected(self, judge: str) -> tuple[int, int, float]:
        """Give what one call of a judge takes at most, as far as is known."""
        calls, tokens, cost = self._dearest.get(judge, (0, 0, 0.0))
        told = self.per_call
        if told is not None:
            tokens = max(tokens, (told.input_tokens or 0) + (told.output_tokens or 0))
            cost = max(cost, told.cost or 0.0)
            calls = max(calls, told.calls)
        return max(calls, 1), tokens, cost
