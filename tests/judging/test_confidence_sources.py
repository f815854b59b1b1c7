"""How sure a judge is: from tokens, words, repeats and simulated annotators."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from panopt.errors import AskError, SourceError
from panopt.judging import Answer, Boolean, Labelled, Numeric, Pairwise, Question, VerdictKind
from panopt.judging.annotators import Labelling, draw_annotators, read_examples
from panopt.judging.confidence import (
    ENTROPY,
    PREDICTIVE,
    REASONED,
    SETS,
    alike,
    from_shares,
    mean_shares,
    options_of,
    posterior,
    swapped,
    verbalised,
    vote_share,
)
from panopt.judging.confidence_tokens import Token, from_tokens, option_shares
from panopt.judging.simulated import SimulatedAnnotators
from panopt.judging.verdict import Verdict
from panopt.stats.semantic import lexical_similarity, semantic_entropy

Run = Callable[[Callable[[], Any]], Any]
Make = Callable[..., Any]
YES, NO = True, False
GRADES = Labelled(("good", "good enough", "bad"))


def token(text: str, p: float = 1.0, **others: float) -> Token:
    """Give a token with its probability and, by text (``_`` for a space), its alternatives."""
    top = {text: p, **{name.replace("_", " "): q for name, q in others.items()}}
    return Token(text, math.log(p), tuple((name, math.log(q)) for name, q in top.items()))


def reply(*tokens: Token) -> list[Token]:
    return [Token('{"reason": "so", "verdict":', 0.0), *tokens, Token("}", 0.0)]


# --- Token probabilities --------------------------------------------------------------------


def test_T_3_predictive_probability_is_normalised_over_the_options() -> None:
    found = from_tokens(
        reply(token(" true", 0.6, _false=0.2, true=0.1, _maybe=0.1)),
        YES,
        kind=Boolean(),
        source=PREDICTIVE,
    )
    assert found.value == pytest.approx(0.7 / 0.9)  # both ways to write true count
    assert found.missing == pytest.approx(0.1)
    assert found.source == "predictive probability"


def test_T_3_chain_of_thought_probability_is_that_of_the_verdict_behind_the_reasons() -> None:
    tokens = [
        Token('{"reason": "one might say \\"verdict\\": false here", ', 0.0),
        Token('"verdict', 0.0),
        Token('":', 0.0),
        token(' "', 1.0),
        token("second", 0.75, first=0.25),
        Token('"}', 0.0),
    ]
    found = from_tokens(tokens, "second", kind=Pairwise(), source=REASONED)
    assert found.value == pytest.approx(0.75)
    assert found.shares == pytest.approx({"first": 0.25, "second": 0.75, "tie": 0.0})


def test_T_2_both_orders_of_a_pair_are_averaged_by_response() -> None:
    shown = option_shares(reply(token(' "first', 0.9, **{' "second': 0.1})), Pairwise(ties=False))
    turned = option_shares(reply(token(' "first', 0.7, **{' "second': 0.3})), Pairwise(ties=False))
    assert isinstance(shown, dict)
    assert isinstance(turned, dict)
    mean = mean_shares([shown, swapped(turned)])
    assert mean == pytest.approx({"first": 0.6, "second": 0.4})


def test_labels_that_begin_alike_are_told_apart_where_they_part() -> None:
    tokens = reply(
        token(' "', 0.9, **{" null": 0.1}),
        token("good", 0.8, bad=0.2),
        token(" enough", 0.25, **{'"': 0.75}),
        Token('"', 0.0),
    )
    found = option_shares(tokens, GRADES)
    expected = {"good": 0.9 * 0.8 * 0.75, "good enough": 0.9 * 0.8 * 0.25, "bad": 0.9 * 0.2}
    assert found == pytest.approx(expected)
    # One and ten are told apart by what follows.
    ten = reply(token(" 1", 0.5, **{" 7": 0.4}), token("0", 0.9, **{"}": 0.1}))
    levels = option_shares(ten, Numeric(1, 10))
    assert isinstance(levels, dict)
    assert {name: share for name, share in levels.items() if share} == pytest.approx(
        {"1": 0.05, "7": 0.4, "10": 0.45}
    )


def test_a_score_is_as_sure_as_its_side_of_the_threshold() -> None:
    tokens = reply(token("3", 0.3, **{"1": 0.1, "2": 0.2, "4": 0.4}))
    kind = Numeric(1, 4, threshold=2.5)
    assert from_tokens(tokens, 3, kind=kind, source=PREDICTIVE).value == pytest.approx(0.7)
    low = from_shares({"1": 0.1, "2": 0.2, "3": 0.3, "4": 0.4}, 2, kind=kind, source="x")
    assert low.value == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("tokens", "kind", "verdict", "reason"),
    [
        ([], Boolean(), True, "without token probabilities"),
        ([Token("I think so", 0.0)], Boolean(), True, "no verdict among the tokens"),
        (reply(Token(" true", 0.0)), Boolean(), True, "without their alternatives"),
        (reply(token(" null", 0.9)), Boolean(), True, "no option"),
        (reply(token(" 0.5")), Numeric(0, 0.5), 0.5, "no option"),
        (reply(token(" 2.5")), Numeric(1, 4), 2.5, "2.5 is no option"),
        ([Token('{"verdict": ', 0.0)], Boolean(), True, "no verdict among the tokens"),
    ],
)
def test_no_token_probability_says_why(
    tokens: list[Token], kind: VerdictKind, verdict: Verdict, reason: str
) -> None:
    found = from_tokens(tokens, verdict, kind=kind, source=PREDICTIVE)
    assert found.value is None
    assert reason in (found.reason or "")


def test_a_bare_verdict_is_found_too() -> None:
    found = from_tokens([token("Bad", 0.8, Good=0.2)], "bad", kind=GRADES, source=PREDICTIVE)
    # "Good" may still become two labels: half of it is counted to each.
    assert found.value == pytest.approx(0.8)
    assert found.shares == pytest.approx({"good": 0.1, "good enough": 0.1, "bad": 0.8})


@given(
    st.sampled_from([Boolean(), Pairwise(), Numeric(1, 5), Labelled(("poor", "fair", "fine"))]),
    st.lists(st.floats(0.01, 1.0), min_size=5, max_size=5),
    st.integers(0, 4),
    st.sampled_from(["words", "letters"]),
)
def test_a_verdict_in_one_token_or_letter_by_letter_is_as_likely(
    kind: VerdictKind, weights: list[float], said: int, tokens_are: str
) -> None:
    """Write the options letter by letter from a tree of known probabilities; read them back."""
    options = options_of(kind)
    p = dict(zip(options, weights, strict=False))
    total = sum(p.values())
    p = {name: share / total for name, share in p.items()}
    own = options[said % len(options)]
    quoted = isinstance(kind, Pairwise | Labelled)
    words = {name: f'"{name}"' if quoted else f"{name}," for name in options}
    tokens = [Token('{"verdict":', 0.0)]
    if tokens_are == "words":
        top = tuple((f" {words[name]}", math.log(share)) for name, share in p.items())
        tokens.append(Token(f" {words[own]}", math.log(p[own]), top))
    else:
        for i, letter in enumerate(words[own]):
            here = {n: s for n, s in p.items() if words[n][:i] == words[own][:i]}
            mass = sum(here.values())
            after: dict[str, float] = {}
            for name, share in here.items():
                after[words[name][i]] = after.get(words[name][i], 0.0) + share / mass
            top = tuple((text, math.log(q)) for text, q in after.items())
            tokens.append(Token(letter, math.log(after[letter]), top))
    verdict: Any = own == "true" if isinstance(kind, Boolean) else own
    if isinstance(kind, Numeric):
        verdict = float(own)
    found = from_tokens(tokens, verdict, kind=kind, source=PREDICTIVE)
    assert found.shares is not None
    assert sum(found.shares.values()) == pytest.approx(1.0)
    if tokens_are == "words":
        assert found.shares == pytest.approx(p, abs=1e-9)
    assert found.value == pytest.approx(p[own], abs=1e-9)
    assert found.missing == pytest.approx(0.0, abs=1e-9)


# --- Words, votes, texts --------------------------------------------------------------------


def test_T_3_verbalised_confidence_is_read_in_both_ranges() -> None:
    told = [0, 1, 0.25, 2, 100, "0.5", "75", "1%", " 80 % "]
    expected = [0.0, 1.0, 0.25, 0.02, 1.0, 0.5, 0.75, 0.01, 0.8]
    assert [verbalised(one).value for one in told] == expected


@pytest.mark.parametrize("told", ["high", "90 or so", True, math.nan, math.inf, None, [], "", "-1"])
def test_words_are_no_verbalised_confidence(told: object) -> None:
    found = verbalised(told)
    assert found.value is None
    assert "no number" in (found.reason or "") or "states no" in (found.reason or "")


@pytest.mark.parametrize("told", [1.5, 101, -0.5, "250%"])
def test_numbers_off_both_ranges_are_no_verbalised_confidence(told: object) -> None:
    assert "neither in [0, 1] nor a percentage" in (verbalised(told).reason or "")


def test_T_3_vote_share_and_posterior() -> None:
    assert vote_share(["a", "b", "a", "a"], "a").value == 0.75
    assert "two draws" in (vote_share(["a"], "a").reason or "")
    found = posterior({"true": 0.2, "false": 0.8}, NO, kind=Boolean())
    assert (found.value, found.source) == (0.8, "panel posterior")


def test_T_3_lexical_similarity_semantic_sets_and_entropy() -> None:
    said = ["It is right.", "it is right", "It is wrong", None, "No idea at all"]
    four = [text for text in said if text]
    assert alike(said).value == pytest.approx(float(lexical_similarity([0] * 4, four)[0]))
    found = semantic_entropy([0] * 4, four)
    assert found.n_clusters.tolist() == [3]
    assert alike(said, source=SETS).value == pytest.approx(1 - 2 / 3)
    entropy = float(found.entropy[0])
    assert alike(said, source=ENTROPY).value == pytest.approx(1 - entropy / math.log(4))
    assert alike(["a", None]).reason == "fewer than two draws wrote a text"
    with pytest.raises(ValueError, match="source = 'luck' must be one of"):
        alike(["a", "b"], source="luck")


def test_shares_that_are_none_are_refused() -> None:
    with pytest.raises(ValueError, match="shares name 'maybe', which is none of false, true"):
        from_shares({"maybe": 1.0}, YES, kind=Boolean(), source="x")
    with pytest.raises(ValueError, match=r"must lie in \[0, 1\] with a sum of 1 at most"):
        from_shares({"true": 0.9, "false": 0.3}, YES, kind=Boolean(), source="x")
    with pytest.raises(ValueError, match="tables is empty"):
        mean_shares([])
    assert from_shares({"true": 0.0}, YES, kind=Boolean(), source="x").value is None


# --- Simulated annotators -------------------------------------------------------------------


def labellings(people: int = 6, items: int = 12) -> list[Labelling]:
    """Person p passes item i when p + i is even; the last person alone passes everything."""
    return [
        Labelling(
            f"i{i}", f"task {i}", (f"response {i}",), (p + i) % 2 == 0 or p == people - 1, f"p{p}"
        )
        for p in range(people)
        for i in range(items)
    ]


def test_T_2_individual_annotators_show_one_person_each() -> None:
    drawn = draw_annotators(
        labellings(), kind=Boolean(), rng=np.random.default_rng(1), n=4, k=3, mode="individual"
    )
    people = [{shot.labelling.annotator for shot in own} for own in drawn.shots]
    assert all(len(names) == 1 for names in people)
    assert len(set.union(*people)) == 4
    assert drawn.source(votes=False) == "simulated annotators (individual, 4 x 3)"


def test_T_2_majority_annotators_show_the_majority_and_no_tie() -> None:
    tied = [
        Labelling("i0", "t", ("r",), verdict, name) for verdict, name in ((True, "a"), (False, "b"))
    ]
    most = [Labelling("i1", "t", ("s",), YES, name) for name in "abc"]
    most.append(Labelling("i1", "t", ("s",), NO, "d"))
    drawn = draw_annotators(
        tied + most, kind=Boolean(), rng=np.random.default_rng(1), n=2, k=1, mode="majority"
    )
    assert [[(s.labelling.item, s.verdict) for s in own] for own in drawn.shots] == [
        [("i1", True)]
    ] * 2
    with pytest.raises(AskError, match=r"k = 2 examples .* 1 responses have a majority label"):
        draw_annotators(tied + most, kind=Boolean(), rng=np.random.default_rng(1), n=2, k=2)


def test_T_2_randomised_labels_are_blind_to_the_true_ones() -> None:
    always = [Labelling(f"i{i}", "t", (f"r{i}",), YES, "p") for i in range(400)]
    drawn = draw_annotators(
        always, kind=Boolean(), rng=np.random.default_rng(3), n=20, k=24, mode="randomised"
    )
    passes = [shot.verdict for own in drawn.shots for shot in own]
    share = sum(bool(one) for one in passes) / len(passes)
    assert abs(share - 0.5) <= 3 * math.sqrt(0.25 / len(passes))


def test_the_same_seed_draws_the_same_annotators_and_others_another_hash() -> None:
    first, again, other = (
        draw_annotators(labellings(), kind=Boolean(), rng=np.random.default_rng(seed))
        for seed in (5, 5, 6)
    )
    assert first == again
    assert first.hash == again.hash != other.hash


def test_no_annotator_is_shown_the_response_that_is_judged() -> None:
    drawn = draw_annotators(
        labellings(), kind=Boolean(), rng=np.random.default_rng(0), n=5, k=5, mode="individual"
    )
    for i in range(12):
        asked = Question(f"i{i}", "t", (f"response {i}",), "?", Boolean())
        same_text = Question("elsewhere", "t", (f"response {i}",), "?", Boolean())
        for question in (asked, same_text):
            for j in range(5):
                shown = drawn.examples(j, question)
                assert len(shown) == 5
                assert all(one.question.item != f"i{i}" for one in shown)


def test_places_of_pairs_are_drawn_and_the_verdict_goes_with_them() -> None:
    always = [Labelling(f"i{i}", "t", (f"a{i}", f"b{i}"), "first") for i in range(200)]
    drawn = draw_annotators(
        always, kind=Pairwise(), rng=np.random.default_rng(3), n=10, k=5, mode="majority"
    )
    shots = [shot for own in drawn.shots for shot in own]
    assert {(shot.order, shot.verdict) for shot in shots} == {(0, "first"), (1, "second")}


def test_examples_are_read_from_a_file_and_odd_lines_named(tmp_path: Path) -> None:
    path = tmp_path / "examples.jsonl"
    lines: list[dict[str, Any]] = [
        {"item": 1, "task": "t", "response": "r", "verdict": "Yes", "annotator": 7},
        {"item": 2, "task": "t", "response": "s", "verdict": 0},
    ]
    path.write_text("\n".join(map(json.dumps, lines)) + "\n\n")
    found = read_examples(path, Boolean())
    assert [(one.item, one.verdict, one.annotator) for one in found] == [
        ("1", True, "7"),
        ("2", False, None),
    ]
    for change, message in (
        ({"verdict": "perhaps"}, "line 1.*'perhaps' is neither true nor false"),
        ({"response": None}, "response must be a text"),
        ({"item": None}, "item must be named"),
        ({"mood": 1}, "unknown field 'mood'"),
    ):
        path.write_text(json.dumps(lines[0] | change))
        with pytest.raises(SourceError, match=message):
            read_examples(path, Boolean())
    with pytest.raises(SourceError, match="cannot be read"):
        read_examples(tmp_path / "none.jsonl", Boolean())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n": 0}, "n = 0 must be a whole number"),
        ({"k": True}, "k = True must be"),
        ({"mode": "best"}, "mode = 'best' must be one of individual, majority, randomised"),
        ({"mode": "individual", "n": 9}, r"n = 9 annotators are wanted, and 6 people"),
        ({"k": 99}, "k = 99 examples"),
    ],
)
def test_annotators_that_cannot_be_drawn_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(AskError, match=message):
        draw_annotators(labellings(), kind=Boolean(), rng=np.random.default_rng(0), **options)


def simulated(
    scripted: type[Any], reply: object, *, kind: VerdictKind, votes: bool = False, n: int = 4
) -> tuple[SimulatedAnnotators, Any]:
    pair = isinstance(kind, Pairwise)
    verdict: Any = {Boolean: True, Numeric: 2, Pairwise: "first"}[type(kind)]
    shown = [
        Labelling(f"i{i}", "t", (f"a{i}", f"b{i}") if pair else (f"a{i}",), verdict)
        for i in range(30)
    ]
    judge = scripted("inner", reply, prompt_hash="p")
    drawn = draw_annotators(shown, kind=kind, rng=np.random.default_rng(0), n=n, k=3)
    return SimulatedAnnotators(judge, drawn, kind=kind, votes=votes), judge


def test_T_2_the_mean_of_the_label_distributions_decides(
    scripted: type[Any], run: Run, question: Make
) -> None:
    shares = [0.9, 0.6, 0.2, 0.5]

    def answer(asked: Question) -> Answer:
        p = shares[asked.draw]
        return Answer(p >= 0.5, probabilities={"true": p, "false": 1 - p})

    judge, inner = simulated(scripted, answer, kind=Boolean())
    found = run(lambda: judge(question(Boolean())))
    assert found.verdict is True
    assert found.confidence == pytest.approx(sum(shares) / 4)
    assert found.confidence_source == "simulated annotators (majority, 4 x 3)"
    assert found.usage.calls == 4
    assert {asked.draw for asked in inner.asked} == {0, 1, 2, 3}
    assert len({str(asked.examples) for asked in inner.asked}) == 4
    assert judge.prompt_hash not in (None, "p")


def test_T_2_pairs_are_asked_in_both_orders_so_that_the_place_cancels(
    scripted: type[Any], run: Run, question: Make
) -> None:
    def by_place(asked: Question) -> Answer:
        shares = {"first": 0.8, "second": 0.2}  # as shown
        return Answer("first", probabilities=swapped(shares) if asked.order else shares)

    judge, inner = simulated(scripted, by_place, kind=Pairwise())
    found = run(lambda: judge(question(Pairwise(), order=0)))
    assert found.abstained
    assert len(inner.asked) == 8

    def by_content(asked: Question) -> Answer:
        place = "first" if asked.order else "second"
        return Answer(place, probabilities={"first": 0.3, "second": 0.7})

    judge, _ = simulated(scripted, by_content, kind=Pairwise())
    for order, place in ((0, "second"), (1, "first")):
        found = run(lambda order=order: judge(question(Pairwise(), order=order)))  # type: ignore[misc]
        assert (found.verdict, round(found.confidence, 6)) == (place, 0.7)
    judge, _ = simulated(scripted, by_content, kind=Pairwise(), votes=True)
    found = run(lambda: judge(question(Pairwise(), order=0)))
    assert (found.verdict, found.confidence) == ("second", 1.0)
    assert found.confidence_source == "simulated annotators (majority, 4 x 3, votes)"


def test_annotators_score_by_the_mean_and_are_sure_of_its_side(
    scripted: type[Any], run: Run, question: Make
) -> None:
    kind = Numeric(1, 4, threshold=2.5)
    shares = {"1": 0.1, "2": 0.2, "3": 0.3, "4": 0.4}
    judge, _ = simulated(scripted, lambda _: Answer(3, probabilities=shares), kind=kind)
    found = run(lambda: judge(question(kind)))
    assert (found.verdict, found.confidence) == (pytest.approx(3.0), pytest.approx(0.7))


def test_annotators_that_mostly_fail_are_no_judge(
    scripted: type[Any], run: Run, question: Make
) -> None:
    def some(asked: Question) -> Answer:
        if asked.draw < 2:
            raise TimeoutError("slow")
        return Answer(YES, probabilities={"true": 1.0, "false": 0.0})

    judge, _ = simulated(scripted, some, kind=Boolean(), n=5)
    assert run(lambda: judge(question(Boolean()))).verdict is True
    judge, _ = simulated(scripted, some, kind=Boolean(), n=4)
    with pytest.raises(Exception, match="2 of 4 calls told nothing: TimeoutError: slow"):
        run(lambda: judge(question(Boolean())))
    judge, _ = simulated(scripted, Answer(YES), kind=Boolean())
    with pytest.raises(Exception, match="4 of 4 calls told nothing: no token probabilities"):
        run(lambda: judge(question(Boolean())))
    judge, _ = simulated(scripted, Answer(None, abstained=True, rationale="no"), kind=Boolean())
    assert run(lambda: judge(question(Boolean()))).abstained
    with pytest.raises(AskError, match="options, or whole levels"):
        SimulatedAnnotators(judge, None, kind=Numeric(0, 0.5))  # type: ignore[arg-type]
