"""Which judge to ask next about a response, and when to stop: learned while a run goes on.

One router serves one run. For each response, ask :meth:`Router.next` for a judge, tell its vote by
:meth:`Router.observe`, until there is no next one; then :meth:`Router.close` gives the verdict and
lets the router learn. It calls no model and awaits nothing: callers that judge several responses
at a time, from one thread, interleave these calls as they like.

A judge is asked for how much its vote is expected to lower the chance of a wrong decision per unit
of its cost: being cheap, or differing from the others, gains it nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panopt.errors import AskError
from panopt.judging.verdict import Numeric, VerdictKind
from panopt.router_beliefs import Belief, Beliefs, Verdict, beliefs_of
from panopt.router_checks import (
    ROUNDING,
    checked_correlation,
    checked_costs,
    checked_names,
    damaged,
)
from panopt.router_options import LEARNING, POLICIES, Policy, RouterOptions, kind_from, kind_text
from panopt.router_steps import Open, Step, agreed, settled, worthless

__all__ = ["POLICIES", "Belief", "Policy", "Router", "RouterOptions", "Step"]

Floats = NDArray[np.float64]

FORMAT, VERSION = "panopt router", 1

#: Responses finished between two looks at all votes: at least these, and this share of all.
REFIT_LEAST, REFIT_SHARE = 8, 0.15

#: Responses that one draw of Thompson sampling serves.
DRAW_SERVES = 10


class Router:
    """Choose judges for the responses of one run.

    Parameters
    ----------
    judges
        Names.
    kind
        What verdict they give.
    options
        How to choose; see :class:`RouterOptions`.
    costs
        Cost of one call of each judge, in any one unit; 1 each where not given.
    models
        Model behind each judge, where its name does not tell: judges of one maker, and more so
        of one model, are assumed to err together.
    correlation
        Correlations of the judges' errors (judges, judges), instead of that assumption.
    rng
        Source of randomness; one seeded by ``options.seed`` where not given.

    Raises
    ------
    AskError
        For arguments that do not fit, naming the argument.

    Notes
    -----
    Memory: the open responses, and the distinct sets of votes seen. A step takes well under a
    millisecond; about every seventh part of a run all votes are looked at again, which takes
    milliseconds.

    Without human labels (:meth:`teach`) an error that all judges share looks like the truth: the
    chance of an error is then too small, more so the more alike the judges are. What is assumed
    of their correlation makes up for a part of it.

    Examples
    --------
    >>> from panopt.judging.verdict import Boolean
    >>> router = Router(["small", "large"], Boolean(), costs={"large": 10.0})
    >>> for i in range(100):  # the large judge is always right, the small one 4 times in 5
    ...     truth = i % 2 == 0
    ...     router.teach({"small": truth == (i % 5 > 0), "large": truth}, truth)
    >>> router.next("r1").judge
    'small'
    >>> router.observe("r1", "small", True)
    >>> router.next("r1").judge
    'large'
    >>> router.observe("r1", "large", False)
    >>> router.next("r1").reason
    'every judge has been asked'
    >>> router.close("r1").decision
    0.0
    """

    def __init__(  # noqa: PLR0913 - one argument an option
        self,
        judges: Sequence[str],
        kind: VerdictKind,
        *,
        options: RouterOptions | None = None,
        costs: Mapping[str, float] | None = None,
        models: Mapping[str, str] | None = None,
        correlation: ArrayLike | None = None,
        rng: np.random.Generator | None = None,
    ) -> None:
        self.judges = checked_names(judges)
        self.kind = kind
        self.options = RouterOptions() if options is None else options
        self.options.check(self.judges, kind)
        self.costs = checked_costs(self.judges, costs or {})
        self.spent = 0.0
        """Cost of the calls made."""
        self.n_opened = 0
        """Responses begun."""
        self.n_closed = 0
        """Responses finished."""
        self._reserved = 0.0
        self._taught = 0
        self._learn_at = 1
        self._index = {name: j for j, name in enumerate(self.judges)}
        self._rng = np.random.default_rng(self.options.seed) if rng is None else rng
        self._open: dict[str, Open] = {}
        self._drawn: dict[str, object] = {}
        self._correlation = checked_correlation(
            self.judges, models or {}, correlation, self.options
        )
        self._beliefs: Beliefs = beliefs_of(
            kind, len(self.judges), self._correlation, level=self.options.level
        )
        by_cost = sorted(range(len(self.judges)), key=lambda j: (self.costs[j], j))
        first = [self._index[name] for name in self.options.order]
        self._order = (*first, *(j for j in by_cost if j not in first))
        if self.options.policy == "cascade":
            self._order = tuple(first)

    def next(self, response: str, *, family: str = "") -> Step:
        """Say whom to ask about a response, or why nobody.

        Parameters
        ----------
        response
            Name of the response, of the caller's choosing; a new name begins one.
        family
            Family of tasks it is of: judges are known by family.

        Returns
        -------
        Step
            The same one until its vote is told.
        """
        now = self._begin(response, family)
        if now.pending is not None:
            return Step(self.judges[now.pending], "ask", "waiting for its vote")
        stop = self._stop(now)
        if stop is not None:
            return stop
        return self._choose(now)

    def observe(
        self,
        response: str,
        judge: str,
        vote: Verdict | None,
        *,
        confidence: float | None = None,
        cost: float | None = None,
    ) -> None:
        """Take up the answer of a judge.

        Parameters
        ----------
        response, judge
            What was judged, and by whom.
        vote
            True or false, a label, a number; None where the judge failed or abstained, which is
            taken to say nothing of the response.
        confidence
            Its confidence in its vote, for the policy ``cascade``.
        cost
            What the call cost; the judge's cost where not given.

        Raises
        ------
        ValueError
            For a judge or response that is unknown, a judge that has answered already, and a
            vote that is none of the kind.
        """
        now = self._opened(response)
        j = self._judge(judge)
        if j in now.asked:
            raise ValueError(f"judge {judge!r} has answered about {response!r} already")
        code = None if vote is None else self._beliefs.code(vote)
        paid = self.costs[j] if cost is None else float(cost)
        if not (np.isfinite(paid) and paid >= 0.0):
            raise ValueError(f"cost = {cost!r} must be finite and not negative")
        if now.pending == j:
            now.pending = None
            self._reserved -= self.costs[j]
        self.spent += paid
        now.asked.add(j)
        if code is None:
            return
        now.votes[j] = code
        if self.options.policy == "cascade" and confidence is not None and now.decided is None:
            threshold = self.options.thresholds.get(judge)
            if threshold is not None and confidence >= threshold:
                now.decided, now.confidence = j, confidence

    def posterior(self, response: str) -> Belief:
        """Give what is believed of a response that is being judged."""
        return self._believe(self._opened(response))

    def close(self, response: str, *, truth: Verdict | None = None) -> Belief:
        """Finish a response: give what is believed of it, learn from its votes, forget it.

        Parameters
        ----------
        response
            A response begun by :meth:`next`.
        truth
            A human's verdict on it, where there is one.
        """
        now = self._opened(response)
        known = None if truth is None else self._beliefs.code(truth)
        belief = self._believe(now)
        del self._open[response]
        if now.pending is not None:
            self._reserved -= self.costs[now.pending]
        self.n_closed += 1
        self._beliefs.add(now.family, now.votes, known)
        self._learn()
        return belief

    def teach(
        self, votes: Mapping[str, Verdict], truth: Verdict | None = None, *, family: str = ""
    ) -> None:
        """Learn from a response judged before, best with a human's verdict on it.

        Taught responses count towards the pilot of ``options``; nothing is spent on them.
        """
        codes = {self._judge(name): self._beliefs.code(vote) for name, vote in votes.items()}
        self._beliefs.add(family, codes, None if truth is None else self._beliefs.code(truth))
        self._taught += 1
        self._learn_at = 0

    def quality(self, family: str = "") -> dict[str, dict[str, float]]:
        """Give what is known of each judge: accuracy, or bias and noise in units of the scale."""
        self._learn()
        found = self._beliefs.quality(family)
        return {
            name: {measure: float(values[j]) for measure, values in found.items()}
            for name, j in self._index.items()
        }

    def snapshot(self) -> dict[str, Any]:
        """Give what was learned, as JSON holds it, to start another run from.

        Open responses are not in it.
        """
        return {
            "format": FORMAT,
            "version": VERSION,
            "judges": list(self.judges),
            "kind": kind_text(self.kind),
            "options": self.options.as_dict(),
            "costs": list(self.costs),
            "correlation": self._correlation.tolist(),
            "learned": self._beliefs.as_dict(),
            "counts": [self.n_opened, self.n_closed, self._taught, self._learn_at],
            "spent": self.spent,
            "rng": self._rng.bit_generator.state,
        }

    @classmethod
    def from_snapshot(  # noqa: PLR0913 - one argument a thing to check or change
        cls,
        snapshot: Mapping[str, Any],
        *,
        judges: Sequence[str] | None = None,
        kind: VerdictKind | None = None,
        options: RouterOptions | None = None,
        costs: Mapping[str, float] | None = None,
        resume: bool = False,
    ) -> Router:
        """Start from what another run learned.

        Parameters
        ----------
        snapshot
            What :meth:`snapshot` gave.
        judges, kind
            Refuse a snapshot of others, where given.
        options, costs
            Instead of the snapshot's.
        resume
            Go on as the same run: its spending, its pilot and its randomness too.

        Raises
        ------
        AskError
            For a snapshot of another version, other judges or another kind, or a damaged one.
        """
        if snapshot.get("format") != FORMAT or snapshot.get("version") != VERSION:
            raise AskError(
                f"the snapshot is {snapshot.get('format')!r} version {snapshot.get('version')!r}, "
                f"this is {FORMAT!r} version {VERSION}"
            )
        try:
            then, known = tuple(map(str, snapshot["judges"])), kind_from(snapshot["kind"])
            stored = RouterOptions.from_dict(snapshot["options"])
            prices = dict(zip(then, map(float, snapshot["costs"]), strict=True))
            opened, closed, taught, learn_at = map(int, snapshot["counts"])
            correlation, learned = snapshot["correlation"], snapshot["learned"]
            spent, state = float(snapshot["spent"]), snapshot["rng"]
        except (KeyError, TypeError, ValueError) as error:
            raise damaged(error) from error
        if judges is not None and tuple(judges) != then:
            raise AskError(f"judges = {list(judges)}, but the snapshot is of {list(then)}")
        if kind is not None and kind_text(kind) != kind_text(known):
            raise AskError(f"kind = {kind}, but the snapshot is of {known}")
        router = cls(
            then,
            known if kind is None else kind,
            options=options or stored,
            costs=prices if costs is None else costs,
            correlation=correlation,
        )
        try:
            router._beliefs.load(learned)
            if resume:
                router._rng.bit_generator.state = state
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise damaged(error) from error
        router._taught = taught if resume else taught + closed
        if resume:
            router.spent, router.n_opened, router.n_closed = spent, opened, closed
            router._learn_at = learn_at
        return router

    def _begin(self, response: str, family: str) -> Open:
        if response in self._open:
            return self._open[response]
        self._learn()
        wish = self.options
        learns = wish.policy in LEARNING
        pilot = self.n_opened + self._taught < wish.pilot
        full = wish.policy == "all" or (
            learns and (pilot or (wish.explore > 0.0 and self._rng.random() < wish.explore))
        )
        order = self._order
        if wish.policy == "random" and not full:
            order = tuple(self._rng.permutation(len(self.judges)).tolist())
        if wish.policy == "thompson" and self.n_opened % DRAW_SERVES == 0:
            self._drawn.clear()
        self._open[response] = Open(family, full, order)
        self.n_opened += 1
        return self._open[response]

    def _stop(self, now: Open) -> Step | None:  # noqa: PLR0911 - one return a reason
        wish = self.options
        if now.decided is not None:
            name = self.judges[now.decided]
            return Step(None, "certified", f"{name!r} decides at confidence {now.confidence:.3f}")
        if not set(now.order) - now.asked:
            return Step(None, "everyone", "every judge has been asked")
        if now.full or wish.policy in ("all", "cascade"):
            return None
        if wish.policy == "single":
            return Step(None, "single", "the one judge has answered") if now.votes else None
        if len(now.votes) < wish.at_least:
            return None
        if wish.policy == "escalate":
            return agreed(now, wish, self._beliefs.top)
        return settled(self._believe(now), wish)

    def _choose(self, now: Open) -> Step:
        free = np.inf
        if self.options.budget is not None:
            free = self.options.budget - self.spent - self._reserved + ROUNDING
        left = tuple(j for j in now.order if j not in now.asked and self.costs[j] <= free)
        if not left:
            return Step(None, "budget", f"the budget of {self.options.budget:g} is spent")
        reason = "next in order"
        chosen = left[0]
        if self.options.policy in ("voi", "thompson") and not now.full:
            found = self._beliefs.best(
                now.family, now.votes, tuple(sorted(left)), self.costs, self._draw(now.family)
            )
            stop = worthless(found, self.options)
            if stop is not None and len(now.votes) >= self.options.at_least:
                return stop
            chosen = sorted(left)[found.first]
            reason = f"lowers the chance of error by {found.value:.3g} for {found.cost:.3g}"
        now.pending = chosen
        self._reserved += self.costs[chosen]
        return Step(self.judges[chosen], "ask", reason)

    def _draw(self, family: str) -> object:
        if self.options.policy != "thompson":
            return None
        if family not in self._drawn:
            self._drawn[family] = self._beliefs.draw(family, self._rng)
        return self._drawn[family]

    def _believe(self, now: Open) -> Belief:
        policy = self.options.policy
        if policy in ("single", "cascade"):  # a judge's own word: nothing is learned to weigh it
            by = now.decided if policy == "cascade" else next(iter(now.votes), None)
            if by is None:
                why = "no judge was sure enough" if policy == "cascade" else "no vote"
                return Belief(None, n_votes=len(now.votes), reason=why)
            return Belief(self._own(now.votes[by]), n_votes=len(now.votes))
        belief = self._beliefs.believe(now.family, now.votes)
        if now.votes:
            return belief
        return replace(belief, decision=None, error=None, reason="no vote")

    def _own(self, code: float) -> float | str:
        verdict = self._beliefs.verdict(code)
        if isinstance(self.kind, Numeric) and self.kind.threshold is not None:
            return float(float(verdict) >= self.kind.threshold)
        return verdict

    def _learn(self) -> None:
        if self.n_closed + self._taught < self._learn_at:
            return
        if self.options.policy in ("single", "cascade"):
            return
        self._beliefs.refit()
        self._drawn.clear()
        done = self.n_closed + self._taught
        self._learn_at = max(done + REFIT_LEAST, int(done * (1.0 + REFIT_SHARE)))

    def _opened(self, response: str) -> Open:
        if response not in self._open:
            raise ValueError(f"response {response!r} is not being judged: next() begins one")
        return self._open[response]

    def _judge(self, name: str) -> int:
        if name not in self._index:
            raise ValueError(f"judge {name!r} is none of {', '.join(self.judges)}")
        return self._index[name]
