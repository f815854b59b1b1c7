"""Normal forms and words in common: given numbers, brute force, hostile text."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from panopt.stats.texts import normal_forms, rouge_l, word_codes

TEXTS = [
    "The cat sat on the mat.",
    "the cat was on a mat, sat",
    "A dog!",
    "Police killed the gunman",
    "police kill the gunman",
    "the gunman kill police",
    "x " * 40 + "end",
    "y x " * 50,
]

#: rouge_score.rouge_scorer.RougeScorer(["rougeL"], use_stemmer=False) of rouge-score 0.1.2, the
#: F-measures of all pairs of TEXTS in the order of itertools.combinations.
ROUGE_SCORE = [
    *(0.6153846154, 0.0, 0.2, 0.2, 0.2, 0.0, 0.0, 0.2222222222, 0.1818181818, 0.1818181818),
    *(0.1818181818, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.75, 0.5, 0.0, 0.0, 0.5, 0.0, 0.0, 0.0),
    *(0.0, 0.5673758865),
]


def test_rouge_l_is_that_of_rouge_score() -> None:
    words = word_codes(TEXTS)
    one, other = np.array(list(combinations(range(len(TEXTS)), 2))).T
    np.testing.assert_allclose(rouge_l(words, one, other), ROUGE_SCORE, atol=1e-9)


def common(one: list[int], other: list[int]) -> int:
    """Find the longest common subsequence by the textbook's table."""
    row = [0] * (len(other) + 1)
    for a in one:
        last = row
        row = [0]
        for j, b in enumerate(other):
            row.append(last[j] + 1 if a == b else max(row[-1], last[j + 1]))
    return row[-1]


@given(
    st.lists(st.integers(0, 3), max_size=90),
    st.lists(st.integers(0, 3), max_size=90),
)
def test_rouge_l_is_that_of_the_table(one: list[int], other: list[int]) -> None:
    words = [np.array(one, dtype=np.int64), np.array(other, dtype=np.int64)]
    wanted = 2 * common(one, other) / (len(one) + len(other)) if one or other else 1.0
    both = rouge_l(words, np.array([0, 1]), np.array([1, 0]))
    assert both.tolist() == pytest.approx([wanted, wanted])


@pytest.mark.parametrize("size", [63, 64, 65])
def test_texts_at_the_width_of_a_machine_word(size: int) -> None:
    words = [np.arange(size), np.arange(size)[::-1], np.arange(size)]
    found = rouge_l(words, np.array([0, 0]), np.array([2, 1]))
    assert found.tolist() == pytest.approx([1, 1 / size])


def test_P_4_normal_forms_are_those_of_the_data(shared: Path) -> None:
    """All but 5 of 5,000: a minus before a number, an underscore, an answer that is an article."""
    table = pq.read_table(shared / "data" / "sets" / "uqnlg_triviaqa_dev" / "generations.parquet")
    forms = normal_forms(table["generation"].to_pylist())
    wanted = table["generation_norm"].to_pylist()
    odd = [(a, b) for a, b in zip(forms, wanted, strict=True) if a != b]
    assert len(odd) == 5
    assert ("a", "") in odd


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("The  Eiffel\tTower!", "eiffel tower"),
        ("ﬁnal ＡＢＣ", "final abc"),  # noqa: RUF001 - ligature and full width: compatibility forms
        ("STRASSE", "strasse"),
        ("Straße", "strasse"),
        ("Cafe\u0301", "café"),
        ("-5", "-5"),
        ("5", "5"),
        ("well-known", "well known"),
        ("--3", "-3"),
        ("A", "a"),
        ("the", "the"),
        ("?!", "?!"),
        ("", ""),
        ("  ", ""),
        ("a\x00b", "b"),
        ("snake_case", "snake case"),
        ("an\nother\u2028thing", "other thing"),
        ("\u202eevil\u200b", "evil"),
    ],
)
def test_normal_form(text: str, form: str) -> None:
    assert normal_forms([text]) == [form]
    assert normal_forms(["x", text, "y"]) == ["x", form, "y"]


@given(st.lists(st.text(), max_size=8))
def test_a_text_s_form_is_its_own_alone(texts: list[str]) -> None:
    assert normal_forms(texts) == [normal_forms([text])[0] for text in texts]
