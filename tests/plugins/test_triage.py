from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from panopt.plugins.triage import REASONS, panopt_decide, triage
from panopt.records.ask import Ask
from panopt.records.consensus import OUTCOMES
from panopt.records.decisions import DECISIONS
from panopt.stats.doubt import independent_votes, settling_chance, vote_doubt

Judge = Callable[..., Any]


def decided(matrix: Any, consensus: Any, ask: Ask) -> Any:  # noqa: ANN401 - read loosely
    return panopt_decide(matrix, consensus, ask, np.random.default_rng(0))


def of_votes(passing: int, n: int, **options: object) -> tuple[str, str]:
    share = max(passing, n - passing) / n
    result = triage([share], vote_doubt([share], [n]), [n], [0], **options)  # type: ignore[arg-type]
    return DECISIONS[result.decision[0]], REASONS[result.reason[0]]


@pytest.mark.parametrize(
    ("passing", "n", "decision"),
    [
        (5, 5, "trust"),
        (3, 3, "trust"),
        (1, 1, "escalate"),  # a single vote is never trusted unlabelled
        (2, 2, "escalate"),
        (1, 2, "escalate"),  # two judges split: one more tells
        (2, 3, "escalate"),
        (3, 5, "escalate"),
        (4, 5, "escalate"),
        (5, 10, "ambiguous"),  # ten judges split: ten more would split too
        (8, 15, "ambiguous"),
        (14, 15, "trust"),
    ],
)
def test_votes_without_labels(passing: int, n: int, decision: str) -> None:
    assert of_votes(passing, n)[0] == decision


def test_certificate_decides_trust_and_an_empty_one_trusts_nothing() -> None:
    confidence, doubt = np.array([0.9, 0.8, 0.99]), np.array([0.1, 0.2, 0.01])
    n, fine = np.full(3, 5), np.zeros(3, dtype=int)
    names = [DECISIONS[i] for i in triage(confidence, doubt, n, fine, certified=0.9).decision]
    assert names == ["trust", "escalate", "trust"]
    nothing = triage(confidence, doubt, n, fine, certified=np.inf)
    assert not (nothing.decision == DECISIONS.index("trust")).any()


def test_reasons_beyond_the_votes() -> None:
    assert of_votes(3, 5, human_share=[0.5]) == ("ambiguous", "humans_split")
    assert of_votes(3, 5, human_share=[1.0]) == ("escalate", "may_settle")
    assert of_votes(3, 5, waver_share=[0.7]) == ("ambiguous", "judges_waver")
    assert of_votes(5, 5, waver_share=[0.7], human_share=[0.5])[0] == "trust"


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_no_verdict_goes_to_a_human_with_its_outcome(outcome: str) -> None:
    result = triage([np.nan], [np.nan], [0], [OUTCOMES.index(outcome)])
    assert DECISIONS[result.decision[0]] == "human"
    assert REASONS[result.reason[0]] == outcome
    assert np.isnan(result.chance[0])


def test_ties_are_never_trusted_but_may_be_worth_another_judge() -> None:
    tie, nobody = OUTCOMES.index("tie"), np.full(2, np.nan)
    result = triage(nobody, [0.5, 0.5], [2, 12], [tie, tie], certified=0.0)
    assert [DECISIONS[code] for code in result.decision] == ["escalate", "ambiguous"]
    assert [REASONS[code] for code in result.reason] == ["tie_may_settle", "tie_stays"]


def test_settling_chance_is_what_simulation_gives() -> None:
    # Flat prior: truth about the value now ~ N(value, se^2); m more votes of the same noise.
    rng, draws, q = np.random.default_rng(0), 200_000, stats.norm.ppf(0.9)
    for z, n, m in ((0.0, 2, 5), (0.4, 5, 5), (1.1, 3, 2), (0.2, 10, 1)):
        truth = z + rng.normal(0, 1, draws)
        new = truth + rng.normal(0, np.sqrt(n / m), draws)
        posterior = (n * z + m * new) / (n + m)
        settled = np.abs(posterior) > q * np.sqrt(n / (n + m))
        chance = settling_chance(stats.norm.sf(z), n, epsilon=0.1, worth=m)
        assert float(chance) == pytest.approx(settled.mean(), abs=0.005)


def test_vote_doubt_is_the_posterior_tail() -> None:
    assert float(vote_doubt(0.75, 8)) == pytest.approx(stats.beta(7, 3).cdf(0.5))
    assert np.isnan(vote_doubt(np.nan, 3))


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, 1), st.integers(1, 50)), min_size=1, max_size=30),
    st.floats(0.01, 0.4),
)
def test_every_response_gets_one_decision_and_trust_grows_with_epsilon(
    rows: list[tuple[float, int]], epsilon: float
) -> None:
    share, n = np.array([r[0] for r in rows]), np.array([r[1] for r in rows])
    doubt, outcome = 1 - share, np.zeros(len(rows), dtype=int)
    tight = triage(share, doubt, n, outcome, epsilon=epsilon)
    loose = triage(share, doubt, n, outcome, epsilon=min(1.5 * epsilon, 0.49))
    assert ((tight.decision != 0) | (loose.decision == 0)).all()
    assert set(tight.decision.tolist()) <= {0, 1, 2}
    assert ((tight.chance >= 0) & (tight.chance <= 1)).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epsilon": 0.5}, "epsilon = 0.5 must lie strictly between 0 and 1/2"),
        ({"worth": 0.0}, "worth = 0.0 must be a finite number above 0"),
        ({"promise": 2.0}, r"promise = 2.0 must lie in \[0, 1\]"),
        ({"human_share": [0.5, 0.5]}, "must have the shape of confidence"),
    ],
)
def test_bad_options_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        triage([0.9], [0.1], [3], [0], **options)
    with pytest.raises(ValueError, match="doubt must have the shape"):
        triage([0.9], [0.1, 0.2], [3], [0])


def test_hook_with_labels_trusts_what_is_certified(judged: Judge) -> None:
    rng = np.random.default_rng(0)
    verdict = (rng.random(500) < 0.5).astype(float)
    confidence = 0.5 + 0.5 * rng.random(500)
    right = rng.random(500) < np.where(confidence > 0.7, 0.99, 0.5)
    human = np.where(right, verdict, 1 - verdict)
    human[200:] = np.nan
    case = judged(verdict[:, None], human=human, confidence=confidence)
    found = decided(case.matrix, case.consensus, Ask())
    assert found is not None
    assert found.no_guarantee is None
    assert found.guarantee is not None
    assert "with probability 0.9 over the draw of the 200 labels" in found.guarantee
    trusted = found.decision == DECISIONS.index("trust")
    assert trusted.any()
    assert np.mean(~right[trusted]) < 0.1
    assert confidence[trusted].min() > confidence[~trusted].max()
    best, worst = int(np.argmax(confidence)), int(np.argmin(confidence))
    assert "reaches the certified" in found.why(best)
    assert "is below the certified" in found.why(worst)
    assert "settle it with probability" in found.why(worst)


def test_guarantee_counts_human_ties_as_disagreement_and_says_what_it_leaves_out(
    judged: Judge,
) -> None:
    # Right wherever the humans chose a side, but they called a tie on three of ten: with ties
    # left out everything would be certified.
    rng = np.random.default_rng(0)
    human = np.where(rng.random(400) < 0.3, 0.5, 1.0)
    votes = np.ones((400, 3))
    case = judged(votes, human=human, scale="pairwise")
    refused = decided(case.matrix, case.consensus, Ask())
    assert refused is not None
    assert refused.guarantee is None
    assert refused.counts()["trust"] == 0
    human[:396], votes[399] = 1.0, np.nan
    case = judged(votes, human=human, scale="pairwise")
    found = decided(case.matrix, case.consensus, Ask())
    assert found is not None
    assert found.guarantee is not None
    ties = np.count_nonzero(human[:399] == 0.5)
    assert ties
    assert f"counts as disagreement ({ties} of the 399 labelled responses)" in found.guarantee
    assert "1 labelled responses without a panel verdict" in found.guarantee


def test_guarantee_over_clusters_is_of_a_random_verdict_of_a_random_cluster(judged: Judge) -> None:
    # 60 items of one epoch and 60 of nine: the certificate weighs them alike, and says so.
    sizes = np.tile([1, 9], 60)
    item = np.repeat([f"i{i:03d}" for i in range(120)], sizes).tolist()
    epoch = np.concatenate([np.arange(1, size + 1) for size in sizes]).tolist()
    case = judged(np.ones((600, 3)), human=np.ones(600), item=item, epoch=epoch)
    found = decided(case.matrix, case.consensus, Ask())
    assert found is not None
    assert found.guarantee is not None
    assert "each drawn at random from a random cluster" in found.guarantee
    assert "of the trusted verdicts agree" not in found.guarantee


def test_hook_without_labels_promises_nothing(judged: Judge) -> None:
    votes = np.repeat([[1.0], [0.0]], [12, 12], axis=0) * np.ones(5)
    votes[1, :2] = 0
    votes[2] = np.nan
    case = judged(votes)
    found = decided(case.matrix, case.consensus, Ask())
    assert found is not None
    assert found.guarantee is None
    assert found.no_guarantee is not None
    assert found.no_guarantee.startswith("no human labels, at least 22 are needed")
    assert [found.name(i) for i in range(4)] == ["trust", "escalate", "human", "trust"]
    assert found.why(0) == ("doubt 0.016 is below 0.1; too few human labels to guarantee anything")
    assert found.why(2) == "every judge failed"


def test_nothing_is_trusted_unlabelled_where_judges_agree_no_better_than_chance(
    judged: Judge,
) -> None:
    # Four judges of opposite tastes: on 32 responses two pairs contradict each other, and the 8
    # on which all agree look as sure as any vote can.
    votes = np.tile([1.0, 1.0, 0.0, 0.0], (40, 1))
    votes[:4], votes[4:8] = 1.0, 0.0
    case = judged(votes)
    found = decided(case.matrix, case.consensus, Ask())
    assert found is not None
    assert found.counts()["trust"] == 0
    assert vote_doubt([1.0], [4])[0] < 0.1  # what four independent votes would leave
    assert found.no_guarantee is not None
    assert "the judges agree no better than chance (alpha -" in found.no_guarantee
    assert found.no_guarantee.endswith("nothing is trusted without human labels")
    assert found.why(0).startswith("the judges agree no better than chance")
    point = decided(case.matrix, case.consensus, Ask(n_boot=0))
    assert point is not None
    assert point.counts()["trust"] == 0


@pytest.mark.parametrize(
    ("votes", "why"),
    [
        (np.ones((30, 5)), "all votes are the same"),
        (np.array([[1.0] * 5] * 29 + [[0.0] * 5]), "not shown to agree better than chance"),
        (np.array([[1.0] * 5, [0.0] * 5]), "2 independent response.s. are too few to tell"),
        (np.ones((30, 1)), "0 response.s. have votes of two judges"),
    ],
)
def test_agreement_must_be_shown(judged: Judge, votes: np.ndarray, why: str) -> None:
    case = judged(votes)
    found = decided(case.matrix, case.consensus, Ask())
    assert found is not None
    assert found.counts()["trust"] == 0
    assert re.search(why, found.no_guarantee or "")


def test_hook_with_too_few_labels_says_so_unless_they_refute_the_panel(judged: Judge) -> None:
    votes = np.repeat([[1.0], [0.0]], 15, axis=0) * np.ones(5)
    human = np.full(30, np.nan)
    human[:10] = 1.0
    kind = judged(votes, human=human)
    found = decided(kind.matrix, kind.consensus, Ask())
    assert found is not None
    assert found.no_guarantee is not None
    assert found.no_guarantee.startswith("only 10 usable human labels, at least 22")
    assert found.counts()["trust"] == 30
    human[:8] = 0.0
    cruel = judged(votes, human=human)
    refuted = decided(cruel.matrix, cruel.consensus, Ask())
    assert refuted is not None
    assert refuted.no_guarantee == ("the few human labels contradict the panel: nothing is trusted")
    assert refuted.counts()["trust"] == 0


def test_hook_trusts_nothing_when_labels_suffice_but_certify_none(judged: Judge) -> None:
    rng = np.random.default_rng(0)
    case = judged(np.ones((100, 5)), human=(rng.random(100) < 0.5).astype(float))
    found = decided(case.matrix, case.consensus, Ask())
    assert found is not None
    assert found.counts()["trust"] == 0
    assert found.no_guarantee is not None
    assert "above alpha = 0.1" in found.no_guarantee
    assert found.why(0).startswith("no confidence is certified by the human labels; 5 vote(s)")


def test_hook_sees_split_humans_and_wavering_judges(judged: Judge) -> None:
    votes = np.tile([1.0, 1.0, 0.0], (3, 1))
    human = np.full((2, 3), np.nan)
    human[:, 0] = [1.0, 0.0]
    case = judged(votes, human=human)
    found = decided(case.matrix, case.consensus, Ask())
    assert found is not None
    assert found.name(0) == "ambiguous"
    assert "human labels are split (0.50 on the larger side)" in found.why(0)
    votes = case.matrix.votes
    repeated = replace(  # judge 1 was judge 0 asked again, who then changed its mind
        votes,
        repeat=(votes.judge == 1).astype(np.int32),
        judge=votes.judge // 2,
        score=np.where(votes.judge == 1, 0.0, 1.0),
    )
    wavering = decided(replace(case.matrix, votes=repeated), case.consensus, Ask())
    assert wavering is not None
    assert "contradict themselves on repeats" in wavering.why(1)


def test_hook_escalates_a_tie_of_two_and_says_when_all_is_certified(judged: Judge) -> None:
    votes = np.ones((40, 2))
    votes[3] = [1.0, 0.0]
    case = judged(votes, human=np.ones(40))
    outcome, confidence = case.consensus.outcome.copy(), case.consensus.confidence.copy()
    verdict = case.consensus.verdict.copy()
    outcome[3], confidence[3], verdict[3] = OUTCOMES.index("tie"), np.nan, -1
    tied = replace(case.consensus, outcome=outcome, confidence=confidence, verdict=verdict)
    found = decided(case.matrix, tied, Ask())
    assert found is not None
    assert found.name(3) == "escalate"
    assert found.why(3).endswith(
        "2 vote(s), a judge worth 5 of these votes would settle it with probability 0.42"
    )
    assert found.why(0) == "every verdict is certified, whatever its confidence (1.000)"


def test_checks_by_programs_need_no_triage_unless_humans_labelled(judged: Judge) -> None:
    votes = np.tile([[1.0], [0.0]], (20, 1))
    case = judged(votes)
    programs = replace(case.matrix, judge_kinds=("program",))
    assert decided(programs, case.consensus, Ask()) is None
    assert decided(case.matrix, case.consensus, Ask()) is not None
    labelled = judged(votes, human=votes[:, 0])
    programs = replace(labelled.matrix, judge_kinds=("program",))
    found = decided(programs, labelled.consensus, Ask())
    assert found is not None
    assert found.guarantee is not None


def test_every_sentence_can_be_filled(judged: Judge) -> None:
    case = judged(np.ones((2, 3)))
    found = decided(case.matrix, case.consensus, Ask())
    assert found is not None
    assert len(found.reasons) == len(REASONS)
    numbers = {name: values[0] for name, values in found.numbers.items()}
    for sentence in found.reasons:
        assert "{" not in sentence.format(**numbers)


def test_camps_that_one_truth_does_not_explain_are_not_trusted(judged: Judge) -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 200)
    slip = rng.random(200) < 0.6  # four judges fall for the same trap; three see the truth
    trapped = np.where(slip, 1 - truth, truth)
    votes = np.column_stack([trapped] * 4 + [truth] * 3)
    votes = np.where(rng.random(votes.shape) < 0.1, 1 - votes, votes).astype(float)
    case = judged(votes)
    found = decided(case.matrix, case.consensus, Ask())
    assert found.counts()["trust"] == 0
    assert "agree in camps that one truth does not explain" in found.no_guarantee
    independent = np.where(rng.random(votes.shape) < 0.2, 1 - truth[:, None], truth[:, None])
    case = judged(independent.astype(float))
    assert decided(case.matrix, case.consensus, Ask()).counts()["trust"] > 100


def test_votes_that_err_together_count_for_fewer(judged: Judge) -> None:
    rng = np.random.default_rng(1)
    truth = rng.integers(0, 2, 200)
    slip = rng.random(200) < 0.2
    shared = np.where(slip, 1 - truth, truth)
    votes = np.where(rng.random((200, 5)) < 0.05, 1 - shared[:, None], shared[:, None])
    few = np.full(200, np.nan)
    few[:20] = truth[:20]  # enough to see the errors go together, too few to certify
    case = judged(votes.astype(float), human=few)
    found = decided(case.matrix, case.consensus, Ask(alpha=0.05))
    together = (votes.mean(axis=1) == 0) | (votes.mean(axis=1) == 1)
    assert (found.numbers["worth"][together] < 3).all()
    assert "independent one(s)" in found.why(int(np.flatnonzero(~together)[0]))
    alone = judged(votes.astype(float))
    blind = decided(alone.matrix, alone.consensus, Ask(alpha=0.05))
    assert found.counts()["trust"] < blind.counts()["trust"]


def of_models(case: Any, names: tuple[str, ...]) -> Any:  # noqa: ANN401 - read loosely
    """Decide without labels on judges so named."""
    return decided(replace(case.matrix, judges=names), case.consensus, Ask())


def test_a_model_that_agrees_with_itself_is_not_trusted(judged: Judge) -> None:
    """One model behind providers and prompts is one judge; other models must agree with it."""
    rng = np.random.default_rng(2)
    truth = rng.integers(0, 2, 300)
    fooled = np.where(rng.random(300) < 0.3, 1 - truth, truth)
    votes = np.column_stack([fooled] * 3)
    votes = np.where(rng.random(votes.shape) < 0.05, 1 - votes, votes).astype(float)
    case = judged(votes)
    one = of_models(case, ("gpt-4o/strict", "openai:chat:gpt-4o", "openrouter/openai/gpt-4o"))
    assert one.counts()["trust"] == 0
    assert "the judges are all one model, which repeats its own errors" in one.no_guarantee
    two = of_models(case, ("gpt-4o/strict", "gpt-4o/lenient", "claude-3-opus"))
    assert two.counts()["trust"] == 0  # as two votes
    assert (two.numbers["worth"] == 2).all()
    three = of_models(case, ("gpt-4o", "gemini-1.5-pro", "claude-3-opus"))
    assert three.counts()["trust"] > 200
    assert "taking the judges to err independently" in three.no_guarantee


def test_the_agreement_of_a_model_with_itself_is_no_agreement_of_the_panel(judged: Judge) -> None:
    rng = np.random.default_rng(3)
    votes = np.column_stack([rng.integers(0, 2, 200)] * 4 + [rng.integers(0, 2, 200)] * 4)
    votes = votes.astype(float)
    case = judged(np.column_stack([votes, rng.integers(0, 2, (200, 2))]).astype(float))
    names = tuple(f"{model}/{k}" for model in ("gpt-4o", "claude-3-opus") for k in range(4))
    found = of_models(case, (*names, "gemini-1.5-pro", "qwen2-72b"))
    assert found.counts()["trust"] == 0


@given(n=st.integers(1, 50), correlation=st.floats(0, 1))
def test_correlated_votes_are_worth_one_to_all(n: int, correlation: float) -> None:
    worth = float(independent_votes(n, correlation))
    assert 1.0 - 1e-12 <= worth <= n
    assert independent_votes(n, 0.0) == n
    assert independent_votes(n, 1.0) == pytest.approx(1.0)
