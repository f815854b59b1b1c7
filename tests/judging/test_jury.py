"""The jury on both event loops: draws, replacements, budgets, timeouts, cancellation, messages."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import anyio
import pytest

from panopt.errors import AskError
from panopt.judging import (
    Answer,
    Boolean,
    Budget,
    JudgeError,
    Labelled,
    Numeric,
    Pairwise,
    Question,
    Usage,
    Vote,
)
from panopt.jury import Jury

Run = Callable[[Callable[[], Awaitable[Any]]], Any]
Ask = Callable[..., Any]

YES, NO = True, False


def panel(scripted: type[Any], *replies: object) -> list[Any]:
    return [scripted(f"j{k}", reply) for k, reply in enumerate(replies)]


# --- Asking -------------------------------------------------------------------------------


def test_V_2_every_judge_gets_the_same_question_at_once(scripted: type[Any], ask: Ask) -> None:
    judges = panel(scripted, YES, YES, NO)
    ruling = ask(Jury(judges, kind=Boolean()))
    assert (ruling.outcome, ruling.passed, ruling.usage.calls) == ("decided", True, 3)
    assert [vote.judge for vote in ruling.votes] == ["j0", "j1", "j2"]
    assert all(judge.asked == judges[0].asked for judge in judges)
    assert ruling.usage.seconds is not None


def test_judges_are_asked_at_once_and_votes_stay_in_their_order(
    scripted: type[Any], run: Run
) -> None:
    running, most = 0, 0

    class Slow(scripted):  # type: ignore[misc]
        async def __call__(self, question: Question) -> Answer:
            nonlocal running, most
            running += 1
            most = max(most, running)
            await anyio.sleep(0.01 * (3 - int(self.name[1:])))
            running -= 1
            return Answer(YES)

    judges = [Slow(f"j{k}", None) for k in range(4)]
    for limit, expected in ((None, 4), (2, 2)):
        most = 0
        jury = Jury(judges, kind=Boolean(), max_concurrency=limit)
        ruling = run(lambda jury=jury: jury.judge(_question()))  # type: ignore[misc]
        assert most == expected
        assert [vote.judge for vote in ruling.votes] == ["j0", "j1", "j2", "j3"]


def _question(**changes: object) -> Question:
    values: dict[str, object] = {
        "item": "q1", "task": "t", "responses": ("r",), "rubric": "?", "kind": Boolean(),
    }  # fmt: skip
    return Question(**(values | changes))  # type: ignore[arg-type]


def test_V_11_calls_are_counted_before_any_is_made(scripted: type[Any]) -> None:
    three = panel(scripted, YES, YES, YES)
    assert Jury(three, kind=Boolean(), repeats=2).calls_per_response == 6
    assert Jury(three, kind=Pairwise(), repeats=2).calls_per_response == 12
    assert Jury(three, kind=Pairwise(), assignment="cyclic").calls_per_response == 2


def test_J_8_repeats_are_distinct_draws_and_every_pass_is_kept(
    scripted: type[Any], ask: Ask
) -> None:
    judge = scripted("a", lambda question: question.draw != 1)
    ruling = ask(Jury([judge], kind=Boolean(), repeats=3))
    assert sorted(question.draw for question in judge.asked) == [0, 1, 2]
    (vote,) = ruling.votes
    assert (vote.value, vote.confidence) == (1.0, pytest.approx(2 / 3))
    assert [(one.draw, one.value) for one in vote.passes] == [(0, 1.0), (1, 0.0), (2, 1.0)]
    assert ruling.usage.calls == 3


def test_J_8_a_judge_whose_repeats_tie_abstains(scripted: type[Any], ask: Ask) -> None:
    judges = [scripted("a", lambda question: question.draw == 0), scripted("b", YES)]
    ruling = ask(Jury(judges, kind=Boolean(), repeats=2))
    assert [vote.status for vote in ruling.votes] == ["abstained", "ok"]
    broken = ask(Jury(judges, kind=Boolean(), repeats=2, tie_break="high"))
    assert [vote.value for vote in broken.votes] == [1.0, 1.0]
    mean = scripted("c", lambda question: 0.2 + 0.3 * question.draw)
    assert ask(Jury([mean], kind=Numeric(), repeats=2)).value == pytest.approx(0.35)


def test_J_13_both_orders_un_swapped_and_flips_counted(scripted: type[Any], ask: Ask) -> None:
    fair = scripted("fair", lambda question: "second" if question.order else "first")
    biased = scripted("biased", "first")
    tied = scripted("tied", "tie")
    ruling = ask(Jury([fair, biased, tied], kind=Pairwise()))
    assert {question.order for question in fair.asked} == {0, 1}
    assert (ruling.outcome, ruling.value, ruling.n_flipped) == ("decided", 1.0, 1)
    assert [(v.status, v.value, v.flipped) for v in ruling.votes] == [
        ("ok", 1.0, False), ("abstained", None, True), ("ok", 0.5, False),
    ]  # fmt: skip
    once = ask(Jury([biased], kind=Pairwise(both_orders=False)))
    assert (once.value, once.usage.calls) == (1.0, 1)


def test_J_5_cyclic_assignment_is_the_same_at_any_concurrency(
    scripted: type[Any], run: Run
) -> None:
    judges = panel(scripted, YES, YES, YES)
    jury = Jury(judges, kind=Boolean(), assignment="cyclic")
    asked: dict[int, str] = {}

    async def one(position: int) -> None:
        ruling = await jury.judge(_question(item=f"q{position}"), position=position)
        assert (ruling.n_asked, ruling.degraded) == (1, False)
        asked[position] = ruling.votes[0].judge

    async def everything() -> None:
        async with anyio.create_task_group() as group:
            for position in reversed(range(12)):
                group.start_soon(one, position)

    run(everything)
    assert asked == {position: f"j{position % 3}" for position in range(12)}


def test_J_16_a_response_that_errored_is_not_judged(scripted: type[Any], ask: Ask) -> None:
    judges = panel(scripted, YES)
    ruling = ask(Jury(judges, kind=Boolean()), response_error="the system crashed")
    assert (ruling.outcome, ruling.reason) == ("response_error", "the system crashed")
    assert (judges[0].asked, ruling.usage) == ([], Usage())


# --- J-9: replacement ---------------------------------------------------------------------


def test_J_9_replacements_stand_in_for_mechanical_failures_only(
    scripted: type[Any], ask: Ask
) -> None:
    judges = panel(scripted, YES, Answer(None, abstained=True), RuntimeError("down"))
    spare = [scripted("s0", NO), scripted("s1", YES)]
    ruling = ask(Jury(judges, kind=Boolean(), replacements=spare))
    assert [(v.judge, v.status, v.stands_for) for v in ruling.votes] == [
        ("j0", "ok", None), ("j1", "abstained", None), ("j2", "failed", None),
        ("s0", "ok", "j2"),
    ]  # fmt: skip
    assert (ruling.n_replaced, ruling.n_asked, spare[1].asked) == (1, 4, [])


def test_J_9_replacement_goes_on_until_seats_are_filled_or_none_is_left(
    scripted: type[Any], ask: Ask
) -> None:
    down = RuntimeError("down")
    judges = panel(scripted, down, down, YES)
    spare = [scripted(f"s{k}", reply) for k, reply in enumerate((down, True, down, True))]
    ruling = ask(Jury(judges, kind=Boolean(), replacements=spare, min_successful=3))
    assert (ruling.outcome, ruling.n_decisive) == ("decided", 3)
    assert [(v.judge, v.stands_for) for v in ruling.votes[3:]] == [
        ("s0", "j0"), ("s1", "j1"), ("s2", "j0"), ("s3", "j0"),
    ]  # fmt: skip
    short = ask(Jury(judges, kind=Boolean(), replacements=spare[:1], min_successful=2))
    assert (short.outcome, short.n_failed) == ("quorum_not_met", 3)


def test_J_9_replacements_on_the_panel_already_are_left_out(scripted: type[Any]) -> None:
    judges = panel(scripted, YES, YES)
    jury = Jury(judges, kind=Boolean(), replacements=[scripted("j1", YES), scripted("s", YES)])
    assert [judge.name for judge in jury.replacements] == ["s"]
    assert jury.warnings == ("replacement 'j1' is named already, and left out",)


def test_a_replacement_takes_all_repeats_and_both_orders(scripted: type[Any], ask: Ask) -> None:
    spare = scripted("s", lambda question: "second" if question.order else "first")
    jury = Jury(panel(scripted, OSError("x")), kind=Pairwise(), replacements=[spare], repeats=2)
    ruling = ask(jury)
    assert (ruling.value, len(spare.asked)) == (1.0, 4)
    assert ruling.votes[1].stands_for == "j0"


# --- J-3, J-14: the panel -----------------------------------------------------------------


def test_J_14_one_judge_behind_two_providers_counts_once(
    scripted: type[Any], caplog: pytest.LogCaptureFixture
) -> None:
    one = scripted("a", YES, "openai/gpt-4o", "p1")
    same = scripted("b", YES, "openrouter/openai/gpt-4o", "p1")
    other = scripted("c", YES, "claude-3-opus", "p1")
    with caplog.at_level(logging.WARNING):
        jury = Jury([one, same, other], kind=Boolean())
    assert [judge.name for judge in jury.judges] == ["a", "c"]
    assert "'b' is the model of 'a' with the same prompt: they count once" in jury.warnings[0]
    assert caplog.messages == list(jury.warnings)
    with pytest.raises(AskError, match=r"min_successful = 3 must lie in 1\.\.2, the panel's size"):
        Jury([one, same, other], kind=Boolean(), min_successful=3)
    lenient = scripted("d", YES, "openrouter/openai/gpt-4o", "p2")
    kept = Jury([one, lenient, other], kind=Boolean())
    assert len(kept.judges) == 3, "another prompt is another judge"
    assert "are one model" in kept.warnings[-1]
    mapped = scripted("e", YES, "prod-eu", "p1")
    families = {"prod-eu": "openai/gpt-4o"}
    assert len(Jury([one, mapped, other], kind=Boolean(), families=families).judges) == 2


def test_J_14_a_strict_panel_refuses_before_the_first_call(scripted: type[Any], ask: Ask) -> None:
    judges = [scripted("a", YES, "gpt-4o"), scripted("b", YES, "claude-3-opus")]
    with pytest.raises(AskError, match="strict_panel: judge a and system o3-mini"):
        Jury(judges, kind=Boolean(), strict_panel=True, system="o3-mini")
    jury = Jury(judges, kind=Boolean(), strict_panel=True)
    with pytest.raises(AskError, match="strict_panel: judge a and system o3-mini"):
        ask(jury, system="o3-mini")
    assert judges[0].asked == []
    assert ask(jury, system="command-r").passed is True
    lax = Jury(judges, kind=Boolean())
    assert lax.check("o3-mini")[0].startswith("judge a and system o3-mini are both of openai")
    assert ask(lax, system="o3-mini").passed is True


# --- Failures -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (RuntimeError("odd"), "unknown"),
        (TimeoutError("slow"), "timeout"),
        (JudgeError("cut", "parse", Usage(1, 10, 5, 0.1)), "parse"),
        (ExceptionGroup("g", [ConnectionError("gone")]), "connection"),
        (BaseExceptionGroup("g", [ValueError("x")]), "unknown"),
        (Answer(math.nan), "parse"),
        (Answer(7.0), "parse"),
        (Answer("maybe"), "parse"),
        (Answer(object()), "parse"),  # type: ignore[arg-type]
    ],
)
def test_J_7_one_judges_garbage_costs_its_own_vote_alone(
    scripted: type[Any], ask: Ask, reply: object, kind: str
) -> None:
    ruling = ask(Jury(panel(scripted, 0.8, reply, 0.6), kind=Numeric(threshold=0.5)))
    assert (ruling.outcome, ruling.passed, ruling.n_failed) == ("decided", True, 1)
    assert ruling.votes[1].failure is not None
    assert ruling.votes[1].failure.kind == kind
    assert ruling.value == pytest.approx(0.7)


def test_a_failed_call_keeps_what_it_cost(scripted: type[Any], ask: Ask) -> None:
    ruling = ask(
        Jury(panel(scripted, JudgeError("cut", "parse", Usage(2, 10, 5, 0.1))), kind=Boolean())
    )
    assert (ruling.usage.calls, ruling.usage.input_tokens, ruling.usage.cost) == (2, 10, 0.1)


def test_a_call_that_takes_too_long_is_a_failed_vote(
    scripted: type[Any], hang: object, ask: Ask
) -> None:
    ruling = ask(Jury(panel(scripted, YES, hang), kind=Boolean(), timeout=0.05))
    assert (ruling.outcome, ruling.n_failed) == ("decided", 1)
    failure = ruling.votes[1].failure
    assert (failure.kind, failure.message) == ("timeout", "no answer within 0.05 s")


def test_a_judge_that_turns_its_end_into_an_error_still_timed_out(
    scripted: type[Any], ask: Ask
) -> None:
    class Wraps(scripted):  # type: ignore[misc]
        async def __call__(self, question: Question) -> Answer:
            try:
                await anyio.sleep_forever()
            finally:
                raise RuntimeError("connection closed")  # as clients do on their way out

    ruling = ask(Jury([Wraps("w", None), scripted("a", YES)], kind=Boolean(), timeout=0.05))
    assert ruling.votes[0].failure.kind == "timeout"
    assert ruling.passed is True


def test_a_judge_that_is_no_coroutine_or_answers_nothing(scripted: type[Any], ask: Ask) -> None:
    class Sync:
        name, model, prompt_hash, confidence_source = "sync", None, None, None

        def __call__(self, question: Question) -> Answer:
            return Answer(YES)

    ruling = ask(Jury([Sync(), scripted("a", YES)], kind=Boolean()))  # type: ignore[list-item]
    assert ruling.votes[0].failure.message.startswith("TypeError")
    assert ruling.passed is True


def test_a_call_that_a_judge_cancels_itself_is_its_own_failure(scripted: type[Any]) -> None:
    async def alone() -> None:
        await asyncio.sleep(10)

    class Cancels(scripted):  # type: ignore[misc]
        async def __call__(self, question: Question) -> Answer:
            task = asyncio.ensure_future(alone())
            task.cancel()
            await task
            return Answer(YES)

    judges = [Cancels("c", None), *panel(scripted, YES, YES)]
    ruling = anyio.run(Jury(judges, kind=Boolean()).judge, _question())
    assert [vote.status for vote in ruling.votes] == ["failed", "ok", "ok"]
    assert ruling.votes[0].failure is not None
    assert "cancelled" in ruling.votes[0].failure.message

    class Ends(scripted):  # type: ignore[misc]
        async def __call__(self, question: Question) -> Answer:
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
            await asyncio.sleep(10)
            return Answer(YES)

    ends = Jury([Ends("e", None), *panel(scripted, YES, YES)], kind=Boolean())
    ruling = anyio.run(ends.judge, _question())
    assert [vote.status for vote in ruling.votes] == ["failed", "ok", "ok"]
    grouped = panel(scripted, BaseExceptionGroup("g", [asyncio.CancelledError()]), YES)
    ruling = anyio.run(Jury(grouped, kind=Boolean()).judge, _question())
    assert [vote.status for vote in ruling.votes] == ["failed", "ok"]


# --- Ends of everything -------------------------------------------------------------------


class Ended(BaseException):
    """As an interrupt: no judge's failure."""


def leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for part in error.exceptions:
            yield from leaves(part)
    else:
        yield error


def test_what_is_no_exception_of_a_judge_is_raised(
    scripted: type[Any], hang: object, ask: Ask
) -> None:
    jury = Jury(panel(scripted, Ended("now"), hang), kind=Boolean(), budget=Budget(calls=9))
    with pytest.raises(BaseException) as caught:  # noqa: PT011 - a group of one
        ask(jury)
    assert [type(error) for error in leaves(caught.value)] == [Ended]


def test_outer_cancellation_ends_all_at_once_and_invents_no_vote(
    scripted: type[Any], hang: object, run: Run
) -> None:
    budget = Budget(calls=10)
    jury = Jury(
        panel(scripted, hang, hang, hang), kind=Boolean(), budget=budget, timeout=60,
        replacements=panel(scripted, YES), max_concurrency=2,
    )  # fmt: skip
    ruled = []

    async def cancelled() -> bool:
        with anyio.move_on_after(0.05) as scope:
            ruled.append(await jury.judge(_question()))
        return scope.cancelled_caught

    assert run(cancelled) is True
    assert ruled == []
    assert budget.spent.calls == 2, "two hung; the third never began, and was given back"
    held = budget.reserve("x", 8)
    assert held is not None


def test_a_judge_that_swallows_its_end_does_not_stop_it(scripted: type[Any], run: Run) -> None:
    class Stubborn(scripted):  # type: ignore[misc]
        async def __call__(self, question: Question) -> Answer:
            try:
                await anyio.sleep_forever()
            except BaseException:  # noqa: BLE001 - what no judge should do
                return Answer(YES)
            return Answer(NO)

    ruled = []

    async def cancelled() -> bool:
        with anyio.move_on_after(0.05) as scope:
            ruled.append(await Jury([Stubborn("s", None)], kind=Boolean()).judge(_question()))
        return scope.cancelled_caught

    assert run(cancelled) is True
    assert ruled == []


def test_a_task_cancelled_by_asyncio_itself_ends(scripted: type[Any], hang: object) -> None:
    async def main() -> None:
        jury = Jury(panel(scripted, hang, YES), kind=Boolean())
        task = asyncio.create_task(jury.judge(_question()))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())


# --- Budget -------------------------------------------------------------------------------


def test_a_spent_budget_is_told_and_never_replaced(scripted: type[Any], ask: Ask) -> None:
    budget = Budget(calls=5)
    judges = panel(scripted, YES, YES, YES)
    spare = scripted("s", YES)
    jury = Jury(judges, kind=Boolean(), min_successful=2, budget=budget, replacements=[spare])
    assert ask(jury).outcome == "decided"
    second = ask(jury)
    assert (second.outcome, second.n_decisive, second.degraded) == ("decided", 2, False)
    assert second.votes[2].failure.kind == "budget"
    third = ask(jury)
    assert (third.outcome, third.n_failed, third.usage.calls) == ("all_failed", 3, 0)
    assert {vote.failure.kind for vote in third.votes} == {"budget"}
    assert third.reason == "the budget is spent: none of 3 judges was asked"
    assert third.unpaid
    assert not second.unpaid
    said = third.explanation.splitlines()[0]
    assert said.startswith("BUDGET SPENT: plurality of 0 of 3 judges; the budget is spent: none of")
    assert "failed" not in third.explanation
    assert second.explanation.splitlines()[-1].endswith("was not asked")
    assert budget.spent.calls == 5
    assert spare.asked == []


def test_answers_from_a_cache_are_free(scripted: type[Any], ask: Ask) -> None:
    paid = Usage(calls=1, input_tokens=5, output_tokens=5, cost=0.5)
    budget = Budget(calls=3, tokens=30, cost=1.0)
    kept = Jury(
        [scripted("a", Answer(verdict=True, usage=paid, cached=True))],
        kind=Boolean(),
        budget=budget,
    )
    assert [ask(kept).outcome for _ in range(5)] == ["decided"] * 5
    assert (budget.spent.calls, budget.spent.cost) == (0, 0.0)
    fresh = Jury([scripted("a", Answer(verdict=True, usage=paid))], kind=Boolean(), budget=budget)
    assert [ask(fresh).outcome for _ in range(3)] == ["decided"] * 2 + ["all_failed"]
    assert (budget.spent.calls, budget.spent.cost) == (2, 1.0)


def test_no_call_is_bought_that_cannot_decide(scripted: type[Any], ask: Ask) -> None:
    budget = Budget(calls=2)
    judges = panel(scripted, YES, YES, YES)
    ruling = ask(Jury(judges, kind=Boolean(), min_successful=3, budget=budget))
    assert (ruling.outcome, budget.spent.calls) == ("all_failed", 0)
    assert ask(Jury(judges, kind=Boolean(), repeats=3, budget=Budget(calls=8))).n_decisive == 2


def test_concurrent_responses_share_a_budget_and_never_pass_it(
    scripted: type[Any], run: Run
) -> None:
    budget = Budget(calls=50)
    jury = Jury(panel(scripted, YES, YES, YES, YES), kind=Boolean(), budget=budget)
    found: list[Any] = []

    async def one(k: int) -> None:
        found.append(await jury.judge(_question(item=f"q{k}")))

    async def everything() -> None:
        async with anyio.create_task_group() as group:
            for k in range(20):
                group.start_soon(one, k)

    run(everything)
    assert budget.spent.calls == 50
    decided = sum(ruling.outcome == "decided" for ruling in found)
    assert decided == 13, "12 whole panels, one of two judges, 7 without"
    assert sum(ruling.outcome == "all_failed" for ruling in found) == 7


# --- Options ------------------------------------------------------------------------------


def test_weights_and_own_rules_reach_the_ruling(scripted: type[Any], ask: Ask) -> None:
    judges = panel(scripted, 1.0, 0.0)
    assert ask(Jury(judges, kind=Numeric(), weights={"j0": 3})).value == 0.75

    def least(votes: tuple[Vote, ...]) -> float:
        return min(vote.value or 0.0 for vote in votes)

    assert ask(Jury(judges, kind=Numeric(), rule=least)).value == 0.0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"judges": []}, r"judges must name one judge or more"),
        ({"judges": "gpt-4o"}, r"judges = 'gpt-4o' must be a sequence of judges"),
        ({"judges": ["gpt-4o"]}, r"judges hold 'gpt-4o', which is no judge with a name"),
        ({"twice": True}, r"judges name 'j0' twice; names must be distinct"),
        ({"replacements": 3}, r"replacements = 3 must be a sequence of judges"),
        ({"kind": "boolean"}, r"kind = 'boolean' must be a Boolean, Labelled, Numeric or Pairwise"),
        ({"min_successful": 4}, r"min_successful = 4 must lie in 1\.\.3, the panel's size"),
        ({"min_successful": 0}, r"min_successful = 0 must be a whole number, 1 or more"),
        (
            {"min_successful": 2, "assignment": "cyclic"},
            r"min_successful = 2 must lie in 1\.\.1, one judge a response",
        ),
        ({"repeats": 0}, r"repeats = 0 must be a whole number, 1 or more"),
        ({"repeats": 1.5}, r"repeats = 1\.5 must be a whole number, 1 or more"),
        ({"reduce": "mean"}, r"reduce = 'mean' does not suit Boolean; use plurality"),
        ({"rule": "average"}, r"rule = 'average' must be one of mean"),
        ({"weights": {"x": 1.0}}, r"weights name 'x', which is no judge or replacement"),
        ({"weights": {"j0": -1.0}}, r"weights\['j0'\] = -1\.0 must be a finite number above 0"),
        ({"assignment": "random"}, r"assignment = 'random' must be one of all, cyclic"),
        ({"tie_break": "coin"}, r"tie_break = 'coin' must be None, 'low', 'high' or 'first'"),
        (
            {"tie_break": "low", "kind": Numeric()},
            r"tie_break = 'low' has no meaning for Numeric verdicts",
        ),
        ({"timeout": 0}, r"timeout = 0 must be seconds above 0, or None"),
        ({"timeout": math.inf}, r"timeout = inf must be seconds above 0, or None"),
        ({"max_concurrency": 0}, r"max_concurrency = 0 must be a whole number, 1 or more"),
        ({"budget": 100}, r"budget = 100 must be a Budget, or None"),
        ({"families": {"j0": ""}}, r"families\['j0'\] = '' must name a maker"),
    ],
)
def test_bad_options_name_the_argument(
    scripted: type[Any], options: dict[str, Any], message: str
) -> None:
    options = dict(options)
    judges = options.pop("judges", panel(scripted, YES, YES, YES))
    if options.pop("twice", False):
        judges = [judges[0], judges[0]]
    with pytest.raises(AskError, match=message):
        Jury(judges, kind=options.pop("kind", Boolean()), **options)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Numeric(threshold=2), r"threshold = 2 must lie on the range 0\.0 to 1\.0"),
        (lambda: Numeric(1, 1), r"score_range = \(1, 1\) must be finite, low below high"),
        (lambda: Labelled(("a",)), r"labels = \['a'\] must hold two labels or more"),
        (lambda: Labelled(("a", " A ")), r"must be distinct and not blank"),
        (
            lambda: Labelled(("a", "b"), passing=frozenset("c")),
            r"passing names 'c', which is none of",
        ),
    ],
)
def test_J_2_bad_kinds_name_the_argument(make: Callable[[], object], message: str) -> None:
    with pytest.raises(AskError, match=message):
        make()


def test_a_question_that_is_not_the_jurys(scripted: type[Any], run: Run) -> None:
    jury = Jury(panel(scripted, YES), kind=Boolean())
    pairs = Jury(panel(scripted, "first"), kind=Pairwise())
    with pytest.raises(AskError, match="question is of kind Numeric"):
        run(lambda: jury.judge(_question(kind=Numeric())))
    with pytest.raises(AskError, match="question has 1 responses, not 2"):
        run(lambda: pairs.judge(_question(kind=Pairwise())))
    with pytest.raises(AskError, match="position = -1 must be a whole number, 0 or more"):
        run(lambda: jury.judge(_question(), position=-1))
