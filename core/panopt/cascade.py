"""A cascade: judges asked in turn, cheap to strong, until one is sure enough to be trusted.

Free of any framework. By a certificate (:mod:`panopt.records.live`) the whole keeps a promise; by
thresholds of the caller's it keeps none, and says so. A judge that fails, abstains or is not sure
passes the response on; where none is left the cascade abstains, and says that too.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from panopt.errors import AskError
from panopt.judging.budget import Budget
from panopt.judging.confidence import LEXICAL, Confidence, alike
from panopt.judging.own_answer import own_answer
from panopt.judging.pairs import orders_of
from panopt.judging.panel_check import check_panel
from panopt.judging.passes import REPEATS
from panopt.judging.protocol import Judge, Question, Usage, Vote
from panopt.judging.verdict import Labelled, Numeric, Pairwise, VerdictKind, scale_text
from panopt.jury import Jury
from panopt.records.margins import is_margin

if TYPE_CHECKING:
    from panopt.records.certificate import Certificate
    from panopt.records.live import LiveJudge

__all__ = ["Cascade", "End", "Passage", "Step", "check_way"]

_log = logging.getLogger(__name__)

#: How a response may end.
End = Literal["decided", "abstained", "budget", "response_error", "asked_all"]


@dataclass(frozen=True, slots=True)
class Step:
    """One judge in its turn.

    Attributes
    ----------
    vote
        What it says, all its draws together, with its confidence in that.
    decides
        Whether it is trusted.
    reason
        Why, or why not.
    """

    vote: Vote
    decides: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Passage:
    """What became of one response.

    Attributes
    ----------
    end
        ``decided``; ``abstained`` (all that may decide were asked, none is sure enough: ask a
        human); ``budget`` (the next judge could not be paid for); ``response_error`` (there was
        nothing to judge); ``asked_all`` (no judge was to decide).
    steps
        The judges that were asked, in order.
    stage
        Number of the judge that decided, from 1, among all of the cascade; None without one.
    reason
        In words, why it ended so.
    passed
        Whether the verdict passes; None where nothing can pass, or nobody decided.
    usage
        What all calls took.
    """

    end: End
    steps: tuple[Step, ...]
    stage: int | None
    reason: str
    passed: bool | None
    usage: Usage

    @property
    def vote(self) -> Vote | None:
        """The vote that is trusted; None where nobody decided."""
        return self.steps[-1].vote if self.end == "decided" else None


class Cascade:
    """Judges in their order, and from which confidence each decides.

    Parameters
    ----------
    judges
        Cheap to strong; distinct names.
    kind
        What verdict is wanted.
    certificate
        Of these judges: checked here, before any call. Judges that it never lets decide are not
        asked.
    thresholds
        Without a certificate: the confidence from which each judge decides; None: never. No
        promise comes with them.
    ask_all
        Ask every judge about every response, and let none decide: the run to calibrate from.
    criterion
        What is judged; that of the certificate where not given.
    repeats
        Draws of every judge.
    threshold
        A score on [0, 1] passes from here on; that of the certificate, or of a numeric `kind`,
        where they have one.
    same_prompts
        Vouch that judges whose prompt is not known have the certified one.
    timeout, budget
        As those of :class:`panopt.jury.Jury`.
    strict_panel, families
        Refuse judges of the system's family; see :func:`panopt.judging.panel_check.check_panel`.

    Raises
    ------
    CertificateError
        Where the certificate is not for these judges, naming every difference.
    AskError
        Naming the argument that is wrong.
    """

    def __init__(  # noqa: PLR0913 - every option of a cascade
        self,
        judges: Sequence[Judge],
        *,
        kind: VerdictKind,
        certificate: Certificate | None = None,
        thresholds: Sequence[float | None] | None = None,
        ask_all: bool = False,
        criterion: str | None = None,
        repeats: int = 1,
        threshold: float | None = None,
        same_prompts: bool = False,
        timeout: float | None = None,
        budget: Budget | None = None,
        strict_panel: bool = False,
        families: Mapping[str, str] | None = None,
    ) -> None:
        check_way(certificate, thresholds, ask_all=ask_all)
        self.kind: VerdictKind = kind
        self.certificate = certificate
        self.repeats = repeats
        self._same_prompts = same_prompts
        self.judges = tuple(judges)
        self._juries = tuple(
            Jury([judge], kind=_kind_for(judge, kind), repeats=repeats, timeout=timeout,
                 budget=budget)
            for judge in self.judges
        )  # fmt: skip
        if not self.judges:
            raise AskError("judges must name one judge or more")
        names = [judge.name for judge in self.judges]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise AskError(f"judges name {twice!r} twice; names must be distinct")
        self.sources = tuple(
            self._source_of(judge, jury)
            for judge, jury in zip(self.judges, self._juries, strict=True)
        )
        self.threshold = self._pass_mark(threshold)
        self.criterion = criterion
        self.thresholds: tuple[float | None, ...] = ()
        if certificate is not None:
            self._check(certificate)
        elif thresholds is not None:
            self.thresholds = _thresholds(thresholds, names, self.sources)
        self._strict, self._families = strict_panel, dict(families or {})
        for warning in self.check(None):
            _log.warning("%s", warning)

    @property
    def guarantee(self) -> str | None:
        """What is promised of the verdicts; None without a certificate."""
        made = self.certificate
        if made is None:
            return None
        beware = "".join(f"; BEWARE: {text}" for text in made.warnings)
        return (
            f"{made.name}: with probability {1 - made.delta:g} over the draw of its "
            f"{made.n_labels} labels, at least {1 - made.alpha:g} {made.promised} agree with the "
            f"human label on responses like the labelled ones ({made.errors} of {made.n} of those "
            f"did not, exact bound {made.bound:.3f}); assumes: these responses are drawn as the "
            "labelled ones were (panopt analyze --certificate looks for drift); "
            f"{made.assumption}{beware}"
        )

    @property
    def no_guarantee(self) -> str | None:
        """Why nothing is promised; None where something is."""
        if self.certificate is not None:
            return None
        if self.thresholds:
            return "no guarantee: the thresholds were given by hand, not certified from labels"
        return "no guarantee: every judge was asked, and none decides"

    def check(self, system: str | None) -> tuple[str, ...]:
        """Warn of judges of the system's family; refuse them where the panel is strict.

        Raises
        ------
        AskError
            Where `strict_panel`.
        """
        return check_panel(
            [judge.name for judge in self.judges],
            models={judge.name: judge.model for judge in self.judges},
            system=system,
            strict=self._strict,
            families=self._families,
        )

    async def judge(self, question: Question, *, response_error: str | None = None) -> Passage:
        """Ask judge after judge until one decides.

        Parameters
        ----------
        question
            About one response.
        response_error
            Why there is none: no judge is then asked.

        Returns
        -------
        Passage
            Always, whatever the judges do; being cancelled from outside is raised.
        """
        if response_error is not None:
            return Passage("response_error", (), None, response_error, None, Usage())
        steps: list[Step] = []
        end: End = "asked_all" if not (self.certificate or self.thresholds) else "abstained"
        for place, judge in enumerate(self.judges):
            if not self._may_decide(place):
                continue
            vote, refused = await self._ask(place, question)
            if refused:
                return self._end(
                    "budget", steps, None, f"the budget is spent before {judge.name!r}"
                )
            decides, reason = self._decide(place, vote)
            steps.append(Step(vote, decides, reason))
            if decides:
                return self._end("decided", steps, place + 1, reason)
        told = "every judge was asked" if end == "asked_all" else "no judge is sure enough"
        return self._end(end, steps, None, told)

    def _end(self, end: End, steps: Sequence[Step], stage: int | None, reason: str) -> Passage:
        usage = sum((step.vote.usage for step in steps), Usage())
        passed = self._passes(steps[-1].vote) if stage is not None else None
        return Passage(end, tuple(steps), stage, reason, passed, usage)

    def _passes(self, vote: Vote) -> bool | None:
        if isinstance(self.kind, Labelled):
            return None if self.kind.passing is None else vote.label in self.kind.passing
        if isinstance(self.kind, Pairwise) or vote.value is None:
            return None
        if isinstance(self.kind, Numeric):
            if self.kind.threshold is None and self.certificate is None:
                return None
            return (vote.value - self.kind.low) / (self.kind.high - self.kind.low) >= self.threshold
        return vote.value >= self.threshold

    async def _ask(self, place: int, question: Question) -> tuple[Vote, bool]:
        """Ask one judge, all its draws; tell whether it could not be paid for."""
        jury, judge, source = self._juries[place], self.judges[place], self.sources[place]
        ruling = await jury.judge(replace(question, kind=jury.kind))
        cast = ruling.votes[0]
        if cast.unpaid:
            return cast, True
        passes: Sequence[Vote] = cast.passes or (cast,)
        if source == LEXICAL:
            passes = self._compared(passes)
        return own_answer(
            judge.name, passes, kind=self.kind, source=source, threshold=self.threshold
        ), False

    def _compared(self, passes: Sequence[Vote]) -> Sequence[Vote]:
        """Give the draws of the verdict how alike the rationales of all draws are.

        The draws with another verdict tell none: what is left of a similarity is no confidence.
        """
        said = [one.rationale for one in passes if one.status == "ok"]
        found: Confidence = alike(said)
        verdict = own_answer("", passes, kind=self.kind, source="", threshold=self.threshold)
        if found.value is None or verdict.status != "ok":
            return passes
        return [
            replace(one, confidence=found.value, confidence_source=LEXICAL)
            if one.status == "ok" and (one.value, one.label) == (verdict.value, verdict.label)
            else one
            for one in passes
        ]

    def _decide(self, place: int, vote: Vote) -> tuple[bool, str]:
        name, sure = self.judges[place].name, vote.confidence
        if vote.failure is not None:
            trouble = f"{name!r} failed: {vote.failure.kind}"
        elif vote.status == "abstained":
            trouble = f"{name!r} abstained" + (f" ({vote.note})" if vote.note else "")
        else:
            trouble = ""
        if self.certificate is not None:
            from panopt.records.live import live_answer  # noqa: PLC0415 - loads numpy

            answer = live_answer(
                self.certificate, self._live(place), sure, same_prompts=self._same_prompts
            )
            if answer.action == "decides":
                return True, answer.reason
            return False, trouble or answer.reason
        if not self.thresholds:
            return False, trouble or f"{name!r} was asked"
        least = self.thresholds[place]
        if trouble or sure is None or least is None:
            return False, trouble or f"{name!r} has no confidence"
        told = f"confidence {sure:.3f} ({vote.confidence_source})"
        if sure >= least:
            return True, f"{name!r} decides: {told} reaches {least:.4g}"
        return False, f"{name!r}: {told} is below {least:.4g}"

    def _may_decide(self, place: int) -> bool:
        """Tell whether a judge is asked at all."""
        if self.certificate is not None:
            return self.judges[place].name in self.certificate.asked
        return not self.thresholds or self.thresholds[place] is not None

    def _live(self, place: int) -> LiveJudge:
        from panopt.records.live import LiveJudge  # noqa: PLC0415 - loads numpy

        judge, kind = self.judges[place], self._juries[place].kind
        orders = len(orders_of(kind)) if isinstance(kind, Pairwise) else 1
        return LiveJudge(
            judge.name, judge.prompt_hash, self.sources[place], draws=self.repeats * orders
        )

    def _source_of(self, judge: Judge, jury: Jury) -> str:
        source = judge.confidence_source
        if source is not None:
            return source
        draws = self.repeats * (len(orders_of(jury.kind)) if isinstance(jury.kind, Pairwise) else 1)
        if draws < 2:
            raise AskError(
                f"judge {judge.name!r} has no confidence: give it a source of one, or ask it "
                "several times (repeats)"
            )
        return REPEATS

    def _pass_mark(self, given: float | None) -> float:
        """Give the value on [0, 1] from which a score passes, and refuse one that contradicts."""
        if given is not None and not 0.0 <= given <= 1.0:
            raise AskError(f"threshold = {given!r} must lie in 0 to 1")
        certified = None if self.certificate is None else self.certificate.scope.threshold
        own = given
        if isinstance(self.kind, Numeric) and self.kind.threshold is not None:
            own = (self.kind.threshold - self.kind.low) / (self.kind.high - self.kind.low)
            if given is not None and not math.isclose(own, given):
                raise AskError(f"threshold = {given:g}, and the verdict's own is {own:g} of [0, 1]")
        if certified is None:
            return 0.5 if own is None else own
        if own is None or math.isclose(own, certified, abs_tol=1e-12):
            return certified
        return own  # check_live names the difference

    def _check(self, certificate: Certificate) -> None:
        from panopt.records.live import check_live  # noqa: PLC0415 - loads numpy

        self.criterion = self.criterion or certificate.scope.criterion
        check_live(
            certificate,
            [self._live(place) for place in range(len(self.judges))],
            criterion=self.criterion,
            scale=scale_text(self.kind),
            threshold=self.threshold,
            same_prompts=self._same_prompts,
        )


def check_way(certificate: object, thresholds: object, *, ask_all: bool) -> None:
    """Refuse more or fewer than one way to decide.

    Raises
    ------
    AskError
        Naming those that were given.
    """
    ways = {"certificate": certificate, "thresholds": thresholds, "ask_all": ask_all or None}
    given = [name for name, value in ways.items() if value is not None]
    if len(given) != 1:
        found = " and ".join(given) or "none of them"
        raise AskError(
            "a cascade takes one of certificate (with a promise), thresholds (without one) "
            f"and ask_all (to calibrate); given: {found}"
        )


def _kind_for(judge: Judge, kind: VerdictKind) -> VerdictKind:
    """Give the kind a judge is asked for: one that turns pairs itself is shown one order."""
    if isinstance(kind, Pairwise) and getattr(judge, "both_orders", False):
        return replace(kind, both_orders=False)
    return kind


def _thresholds(
    given: Sequence[float | None], names: Sequence[str], sources: Sequence[str]
) -> tuple[float | None, ...]:
    if len(given) != len(names):
        raise AskError(
            f"thresholds = {list(given)} must have one entry a judge: {', '.join(names)}"
        )
    for value in given:
        if value is not None and not math.isfinite(value):
            raise AskError(f"thresholds = {list(given)} must be finite numbers, or None: never")
    for name, source, value in zip(names, sources, given, strict=True):
        if value is not None and not is_margin(source) and not 0.0 <= value <= 1.0:
            raise AskError(
                f"thresholds: {value:g} of {name!r} must lie in 0 to 1, as its confidence "
                f"({source}) does; None: it never decides"
            )
    if all(value is None for value in given):
        raise AskError("thresholds let no judge decide")
    return tuple(None if value is None else float(value) for value in given)
