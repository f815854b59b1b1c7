"""The router: stops, snapshots, honesty towards cheap and dissenting judges, calibrated errors."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from panopt.errors import AskError
from panopt.judging.verdict import Boolean, Labelled, Numeric, Pairwise, VerdictKind
from panopt.router import POLICIES, Router, RouterOptions

NAMES = ("weak", "fair", "good", "best")
ACCURACY = np.array([0.6, 0.75, 0.85, 0.92])


def world(n: int, seed: int, accuracy: np.ndarray = ACCURACY) -> tuple[np.ndarray, np.ndarray]:
    """Draw a truth and judges that err independently of each other."""
    rng = np.random.default_rng(seed)
    truth = rng.random(n) < 0.5
    right = rng.random((n, len(accuracy))) < accuracy
    return truth, np.where(right, truth[:, None], ~truth[:, None])


def taught(options: RouterOptions, costs: dict[str, float] | None = None) -> Router:
    """Give a router that knows its judges from 400 labelled responses."""
    router = Router(NAMES, Boolean(), options=options, costs=costs)
    truth, votes = world(400, 100)
    for t, row in zip(truth.tolist(), votes.tolist(), strict=True):
        router.teach(dict(zip(NAMES, row, strict=True)), t)
    return router


def run(router: Router, truth: np.ndarray, votes: np.ndarray) -> tuple[float, float, float]:
    """Route every response; give error, the error the router expected, and cost a response."""
    wrong, expected, before = [], [], router.spent
    place = {name: j for j, name in enumerate(router.judges)}
    for i, t in enumerate(truth.tolist()):
        step = router.next(f"r{i}")
        while step.judge is not None:
            router.observe(f"r{i}", step.judge, bool(votes[i, place[step.judge]]))
            step = router.next(f"r{i}")
        belief = router.close(f"r{i}")
        wrong.append(belief.decision != float(t))
        assert belief.error is not None
        expected.append(belief.error)
    return float(np.mean(wrong)), float(np.mean(expected)), (router.spent - before) / len(truth)


@pytest.mark.parametrize("policy", ["voi", "thompson", "random", "cheapest_first"])
@pytest.mark.parametrize("epsilon", [0.02, 0.1])
def test_expected_error_is_the_error_where_the_model_holds(policy: str, epsilon: float) -> None:
    options = RouterOptions(policy=policy, epsilon=epsilon, correlation=0.0)  # type: ignore[arg-type]
    error, expected, _ = run(taught(options), *world(1500, 1))
    se = np.sqrt(expected * (1 - expected) / 1500)
    assert abs(error - expected) < 3 * se


def test_P_8_voi_and_thompson_beat_random_at_no_more_cost() -> None:
    truth, votes = world(1500, 2)

    def at(policy: str) -> tuple[float, float, float]:
        router = taught(RouterOptions(policy=policy, epsilon=0.05, correlation=0.0))  # type: ignore[arg-type]
        return run(router, truth, votes)

    random = at("random")
    for policy in ("voi", "thompson"):
        error, _, cost = at(policy)
        assert cost < 0.8 * random[2]
        assert error < random[0] + 3 * np.sqrt(2 * 0.05 * 0.95 / 1500)


def test_naive_independence_expects_too_little_error_where_judges_share_errors() -> None:
    rng = np.random.default_rng(3)
    truth = rng.random(3000) < 0.5
    fooled = rng.random((3000, 1)) < 0.15
    own = rng.random((3000, 4)) < 0.05
    votes = np.where(fooled ^ own, ~truth[:, None], truth[:, None])
    found = {}
    for correlation in (0.0, 0.25):
        router = Router(NAMES, Boolean(), options=RouterOptions(correlation=correlation))
        for t, row in zip(truth[:300].tolist(), votes[:300].tolist(), strict=True):
            router.teach(dict(zip(NAMES, row, strict=True)), t if correlation else None)
        found[correlation] = run(router, truth[300:], votes[300:])
    assert found[0.0][1] < 0.4 * found[0.0][0]  # votes alone, taken for independent
    assert abs(found[0.25][1] - found[0.25][0]) < 3 * np.sqrt(0.15 * 0.85 / 2700)


@pytest.mark.parametrize("policy", ["voi", "thompson"])
def test_P_8_a_cheap_judge_that_knows_nothing_is_not_preferred(policy: str) -> None:
    accuracy = np.array([0.5, 0.9, 0.9])
    names = ("coin", "a", "b")
    options = RouterOptions(policy=policy, explore=0.0, epsilon=0.02)  # type: ignore[arg-type]
    router = Router(names, Boolean(), options=options, costs={"coin": 0.01, "a": 1, "b": 1})
    truth, votes = world(300, 4, accuracy)
    for t, row in zip(truth.tolist(), votes.tolist(), strict=True):
        router.teach(dict(zip(names, row, strict=True)), t)
    asked = dict.fromkeys(names, 0)
    truth, votes = world(300, 5, accuracy)
    for i in range(300):
        step = router.next(str(i))
        first = step.judge
        asked[str(first)] += 1
        while step.judge is not None:
            router.observe(str(i), step.judge, bool(votes[i, names.index(step.judge)]))
            step = router.next(str(i))
        router.close(str(i))
    assert asked["coin"] < 0.02 * 300


def test_P_8_dissent_gains_a_judge_nothing() -> None:
    accuracy = np.array([0.9, 0.9, 0.9, 0.3])  # the last one contradicts, mostly wrongly
    truth, votes = world(400, 6, accuracy)
    router = Router(("a", "b", "c", "contrary"), Boolean(), options=RouterOptions())
    for t, row in zip(truth.tolist(), votes.tolist(), strict=True):
        router.teach(dict(zip(router.judges, row, strict=True)), t)
    quality = {name: found["accuracy"] for name, found in router.quality().items()}
    assert quality["contrary"] < 0.4
    assert min(quality["a"], quality["b"], quality["c"]) > 0.85
    assert router.next("r").judge != "contrary"


@pytest.mark.parametrize(
    "policy", ["all", "random", "cheapest_first", "escalate", "thompson", "voi"]
)
def test_P_8_a_resumed_snapshot_goes_on_as_if_never_stopped(policy: str) -> None:
    truth, votes = world(300, 7)
    options = RouterOptions(policy=policy, pilot=20, seed=5)  # type: ignore[arg-type]
    whole = Router(NAMES, Boolean(), options=options)
    run(whole, truth[:150], votes[:150])
    text = json.dumps(whole.snapshot(), allow_nan=False)
    again = Router.from_snapshot(json.loads(text), resume=True)
    assert json.dumps(again.snapshot()) == text
    if policy == "thompson":  # drawn habits are not kept: both draw anew from here
        whole = Router.from_snapshot(json.loads(text), resume=True)
    assert run(again, truth[150:], votes[150:]) == run(whole, truth[150:], votes[150:])
    assert json.dumps(again.snapshot()) == json.dumps(whole.snapshot())


def test_P_8_a_warm_start_knows_the_judges_and_needs_no_pilot() -> None:
    first = taught(RouterOptions())
    truth, votes = world(200, 8)
    run(first, truth, votes)
    warm = Router.from_snapshot(first.snapshot(), judges=NAMES, kind=Boolean())
    assert warm.spent == 0
    assert warm.quality()["best"]["accuracy"] == pytest.approx(0.92, abs=0.04)
    _, _, cost = run(warm, *world(100, 9))
    assert cost < 3


def test_snapshot_of_numbers_comes_back() -> None:
    kind = Numeric(1.0, 5.0, threshold=3.0)
    router = Router(("a", "b", "c"), kind, options=RouterOptions(pilot=10))
    rng = np.random.default_rng(10)
    for i in range(60):
        level = rng.uniform(1.5, 4.5)
        step = router.next(str(i))
        while step.judge is not None:
            router.observe(str(i), step.judge, float(np.clip(level + rng.normal() * 0.3, 1, 5)))
            step = router.next(str(i))
        belief = router.close(str(i))
        assert belief.low is not None
        assert belief.high is not None
        assert 1 <= belief.low <= belief.mean <= belief.high <= 5  # type: ignore[operator]
    text = json.dumps(router.snapshot())
    assert json.dumps(Router.from_snapshot(json.loads(text), resume=True).snapshot()) == text
    assert router.quality()["a"]["noise_sd"] == pytest.approx(0.3, abs=0.15)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        ({"version": 2}, "version 2, this is 'panopt router' version 1"),
        ({"format": "x"}, "the snapshot is 'x'"),
        ({"learned": {"seen": [["", [0, 1, 0, 9], -1, 1]]}}, "snapshot is damaged"),
        ({"learned": None}, "snapshot is damaged"),
        ({"counts": [1]}, "snapshot is damaged"),
        ({"costs": [1.0]}, "snapshot is damaged"),
    ],
)
def test_damaged_snapshots_are_refused(edit: dict[str, object], message: str) -> None:
    snapshot = taught(RouterOptions()).snapshot() | edit
    with pytest.raises(AskError, match=message):
        Router.from_snapshot(snapshot)


def test_snapshots_of_others_are_refused() -> None:
    snapshot = taught(RouterOptions()).snapshot()
    with pytest.raises(AskError, match=r"judges = .'x'., but the snapshot is of"):
        Router.from_snapshot(snapshot, judges=["x"])
    with pytest.raises(AskError, match="kind = Numeric"):
        Router.from_snapshot(snapshot, kind=Numeric())


def test_stops_say_why() -> None:
    router = taught(RouterOptions(epsilon=0.2, explore=0.0))
    step = router.next("r")
    assert (step.judge, step.why) == ("best", "ask")
    assert router.next("r") == type(step)("best", "ask", "waiting for its vote")
    router.observe("r", "best", 1.0)
    stop = router.next("r")
    assert (stop.judge, stop.why) == (None, "settled")
    assert "is below 0.2" in stop.reason


def test_budget_is_never_passed_even_by_responses_judged_together() -> None:
    router = Router(NAMES, Boolean(), options=RouterOptions(policy="all", budget=6.0))
    asked = [router.next(f"r{i}").judge for i in range(7)]
    assert asked.count(None) == 1
    assert router.next("r6").why == "budget"
    assert router.close("r6").reason == "no vote"
    router.close("r0")  # cancelled: what was set aside for it is free again
    assert router.next("r7").judge is not None
    assert router.next("r8").why == "budget"


def test_failures_and_abstentions_say_nothing_and_are_not_asked_again() -> None:
    router = taught(RouterOptions(explore=0.0))
    for _ in NAMES:
        step = router.next("r")
        assert step.judge is not None
        router.observe("r", step.judge, None)
    assert router.next("r").why == "everyone"
    belief = router.close("r")
    assert (belief.decision, belief.error, belief.reason) == (None, None, "no vote")


def test_single_and_cascade_take_a_judge_at_its_word() -> None:
    single = Router(NAMES, Boolean(), options=RouterOptions(policy="single", order=("good",)))
    assert single.next("r").judge == "good"
    single.observe("r", "good", 0.0)
    assert single.next("r").why == "single"
    assert single.close("r").decision == 0.0
    options = RouterOptions(
        policy="cascade", order=("weak", "best"), thresholds={"weak": 0.9, "best": 0.8}
    )
    cascade = Router(NAMES, Boolean(), options=options)
    for name, sure, decided in (("a", 0.9, True), ("b", 0.89, False)):
        assert cascade.next(name).judge == "weak"
        cascade.observe(name, "weak", 1.0, confidence=sure)
        step = cascade.next(name)
        assert (step.why == "certified") is decided
    cascade.observe("b", "best", 1.0, confidence=None)
    assert cascade.next("b").why == "everyone"
    assert cascade.close("b").reason == "no judge was sure enough"
    assert cascade.close("a").decision == 1.0


def test_escalation_stops_where_votes_agree() -> None:
    router = taught(RouterOptions(policy="escalate", explore=0.0), {"weak": 0.1})
    assert router.next("r").judge == "weak"
    router.observe("r", "weak", 1.0)
    assert router.next("r").judge == "fair"
    router.observe("r", "fair", 1.0)
    assert router.next("r").why == "agreed"
    router.next("s")
    router.observe("s", "weak", 1.0)
    router.next("s")
    router.observe("s", "fair", 0.0)
    assert router.next("s").judge == "good"


def test_error_cost_stops_where_no_vote_pays_for_itself() -> None:
    dear = taught(RouterOptions(epsilon=1e-6, error_cost=1.0, explore=0.0))
    dear.next("r")
    dear.observe("r", "best", 1.0)
    assert dear.next("r").why == "worthless"
    assert "no vote left pays for itself" in dear.next("r").reason


@pytest.mark.parametrize(
    ("kind", "votes", "bad"),
    [
        (Labelled(("good", "bad", "ugly")), ["good", "Bad "], "fine"),
        (Pairwise(), [1.0, 0.5], 0.25),
        (Pairwise(ties=False), [1.0, 0.0], 0.5),
        (Numeric(1, 5, threshold=3), [2.0, 4.5], 5.5),
        (Boolean(), [True, 0.0], "yes"),
    ],
)
def test_votes_of_every_kind(kind: VerdictKind, votes: list[str | float], bad: object) -> None:
    router = Router(("a", "b"), kind)
    for name, vote in zip(("a", "b"), votes, strict=True):
        router.next("r")
        router.observe("r", name, vote)
    with pytest.raises(ValueError, match="must be"):
        router.teach({"a": bad})  # type: ignore[dict-item]
    belief = router.close("r")
    assert belief.n_votes == 2
    if belief.probabilities is not None:
        assert sum(belief.probabilities.values()) == pytest.approx(1)


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=4, unique_by=lambda x: x[0]))
def test_posterior_does_not_depend_on_the_order_of_votes(votes: list[tuple[int, bool]]) -> None:
    router = taught(RouterOptions())
    found = []
    for name, order in (("r", votes), ("s", votes[::-1])):
        router.next(name)
        for j, vote in order:
            router.observe(name, NAMES[j], vote)
        found.append(router.posterior(name))
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"policy": "best"}, "policy = 'best' must be one of all, single"),
        ({"epsilon": 0.0}, r"epsilon = 0.0 must lie in \(0, 1\)"),
        ({"explore": 1.5}, r"explore = 1.5 must lie in \[0, 1\]"),
        ({"correlation": 1.0}, r"correlation = 1.0 must lie in \[0, 1\)"),
        ({"budget": -1.0}, "budget = -1.0 must be finite and not negative"),
        ({"pilot": -1}, "pilot = -1 must be a whole number of at least 0"),
        ({"thresholds": {"weak": 2.0}}, r"thresholds: 2.0 of 'weak' must lie in \[0, 1\]"),
        ({"order": ("nobody",)}, "order names 'nobody', which is none of weak"),
        ({"order": ("weak", "weak")}, "names a judge twice"),
        ({"at_least": 5}, "at_least = 5 is more than the 4 judges"),
        ({"policy": "cascade"}, "thresholds go with the policy 'cascade'"),
        ({"width": 0.1}, "width is for numeric verdicts"),
    ],
)
def test_options_off_their_range_are_refused(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(AskError, match=message):
        Router(NAMES, Boolean(), options=RouterOptions(**arguments))  # type: ignore[arg-type]


def test_arguments_that_do_not_fit_are_refused() -> None:
    with pytest.raises(AskError, match="must name a judge or more"):
        Router([], Boolean())
    with pytest.raises(AskError, match="must be distinct"):
        Router(["a", "a"], Boolean())
    with pytest.raises(AskError, match="costs names 'x', which is none of a"):
        Router(["a"], Boolean(), costs={"x": 1.0})
    with pytest.raises(AskError, match="costs: -1 of 'a' must be finite"):
        Router(["a"], Boolean(), costs={"a": -1})
    with pytest.raises(AskError, match="correlation must be positive definite"):
        Router(["a", "b"], Boolean(), correlation=np.ones((2, 2)))
    with pytest.raises(AskError, match="needs a width, or a threshold"):
        Router(["a", "b"], Numeric())
    router = Router(["a"], Boolean())
    with pytest.raises(ValueError, match="response 'r' is not being judged"):
        router.observe("r", "a", 1.0)
    router.next("r")
    with pytest.raises(ValueError, match="judge 'x' is none of a"):
        router.observe("r", "x", 1.0)
    router.observe("r", "a", 1.0)
    with pytest.raises(ValueError, match="has answered about 'r' already"):
        router.observe("r", "a", 1.0)


def test_a_step_is_well_under_a_millisecond() -> None:
    router = taught(RouterOptions(policy="thompson"))
    truth, votes = world(500, 11)
    start = time.process_time()
    run(router, truth, votes)
    assert (time.process_time() - start) / 500 < 0.005  # two to five steps and the looks back


def test_every_policy_has_a_name() -> None:
    assert set(POLICIES) >= {"all", "single", "random", "cheapest_first", "escalate", "voi"}
