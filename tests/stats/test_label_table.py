"""Patterns of votes hold exactly the votes they were made from."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from panopt.stats.label_table import VoteTable, checked_votes
from panopt.stats.label_ties import voting_groups

Votes = list[tuple[int, int, int]]


def votes_by_item(table: VoteTable, n_items: int) -> list[Counter[tuple[int, int]]]:
    """Read the votes of every item back out of a table."""
    found = []
    for item in range(n_items):
        part = slice(*table.start[table.inverse[item] : table.inverse[item] + 2].tolist())
        cells = np.divmod(table.cell[part], table.n_labels)
        found.append(
            Counter(
                dict(
                    zip(
                        zip(cells[0].tolist(), cells[1].tolist(), strict=True),
                        table.times[part].astype(int).tolist(),
                        strict=True,
                    )
                )
            )
        )
    return found


@given(
    rows=st.lists(
        st.tuples(st.integers(0, 7), st.integers(0, 3), st.integers(0, 2)), min_size=1, max_size=60
    ),
    n_judges=st.integers(4, 60),
    with_known=st.booleans(),
)
def test_a_table_holds_the_votes(rows: Votes, n_judges: int, *, with_known: bool) -> None:
    item, judge, label = np.array(rows).T
    known = np.array([-1, 0, 1, 2, -1, -1, 0, 1]) if with_known else None
    table = checked_votes(item, judge, label, n_labels=3, n_items=8, n_judges=n_judges, known=known)
    expected = [Counter((j, x) for i, j, x in rows if i == wanted) for wanted in range(8)]
    assert votes_by_item(table, 8) == expected
    assert table.counts.sum() == 8
    np.testing.assert_array_equal(np.bincount(table.inverse), table.counts)
    truth = table.truth[table.inverse]
    np.testing.assert_array_equal(truth, -np.ones(8) if known is None else known)
    assert len(
        {(str(sorted(votes.items())), t) for votes, t in zip(expected, truth, strict=True)}
    ) == (table.counts.size)


@pytest.mark.parametrize("second", [0, 1])
def test_second_votes_are_not_mistaken_for_other_votes(second: int) -> None:
    # In digits of base 3, the votes 1 and 2 of judge 0 would read as one vote of judge 1.
    item = np.r_[np.arange(2000), 0]
    table = checked_votes(item, item * 0, np.r_[np.ones(2000, int), second], n_labels=2, n_judges=2)
    expected = Counter({(0, 1): 1})
    expected[0, second] += 1
    assert votes_by_item(table, 2) == [expected, Counter({(0, 1): 1})]


def test_order_and_layout_of_votes_do_not_matter() -> None:
    rng = np.random.default_rng(0)
    item, judge = np.divmod(np.arange(3000), 3)
    label = rng.integers(0, 2, 3000)
    order = rng.permutation(3000)
    straight = checked_votes(item, judge, label, n_labels=2)
    wide = np.repeat(np.stack([item, judge, label], axis=1)[order], 2, axis=0)[::2]
    mixed = checked_votes(*wide.T, n_labels=2)
    assert votes_by_item(straight, 1000) == votes_by_item(mixed, 1000)
    assert straight.counts.size == 8


def test_narrow_codes_count_like_wide_ones() -> None:
    item, judge = np.divmod(np.arange(1500), 3)
    label = np.arange(1500) % 2 == 0
    wide = checked_votes(item, judge, label.astype(int), n_labels=2)
    narrow = checked_votes(item.astype(np.int16), judge.astype(np.uint8), label, n_labels=2)
    assert votes_by_item(wide, 500) == votes_by_item(narrow, 500)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"item": [], "judge": [], "label": []}, "label is empty"),
        ({"label": [0, 1]}, r"shapes are item \(3,\), judge \(3,\), label \(2,\)"),
        ({"item": [[0, 1, 2]], "judge": [[0, 1, 2]], "label": [[0, 1, 0]]}, "one-dimensional"),
        ({"label": [0, -1, 1]}, "label holds -1; codes count from 0"),
        ({"judge": [0, -2, 1]}, "judge holds -2"),
        ({"label": [0.0, np.nan, 1.0]}, "label has dtype float64; it must hold integer codes"),
        ({"label": [0.0, np.inf, 1.0]}, "label has dtype float64"),
        ({"label": np.array([0, None, 1])}, "label has dtype object"),
        ({"item": ["a", "b", "c"]}, "item has dtype"),
        (
            {"label": np.ma.masked_array([0, 1, 0], mask=[False, True, False])},
            "label has masked entries",
        ),
        ({"item": [0, 1, 10**12]}, "item holds 1000000000000 with only 3 scores; number them"),
        ({"label": [0, 1, 2], "n_labels": 2}, "n_labels = 2 but code 2 occurs"),
        ({"label": [0, 0, 0]}, "label holds only code 0; there must be two labels"),
        ({"known": [0, 1]}, r"n_items = 2|known has shape \(2,\)"),
        ({"known": [0, 1, 5], "n_labels": 2}, "known lies in 0..5; it must lie in -1"),
        ({"known": [0.5, 1, -1]}, "known has dtype float64"),
        ({"n_labels": 2.5}, r"n_labels = 2.5 must be a whole number"),
        ({"n_labels": 20_000}, "n_labels = 20000 with 3 judges needs 1200000000 confusion cells"),
    ],
)
def test_wrong_arguments_are_named(change: dict[str, Any], message: str) -> None:
    given: dict[str, Any] = {"item": [0, 1, 2], "judge": [0, 1, 2], "label": [0, 1, 0]}
    given = {"n_labels": None, **given, **change}
    with pytest.raises(ValueError, match=message):
        checked_votes(given.pop("item"), given.pop("judge"), given.pop("label"), **given)


def test_groups_of_judges_that_share_no_item_are_told_apart() -> None:
    item = [0, 0, 0, 1, 1, 2, 3]
    judge = [0, 1, 2, 3, 4, 5, 0]
    table = checked_votes(item, judge, [0, 1, 0, 1, 1, 0, 1], n_labels=2, n_judges=7)
    groups = voting_groups(table)
    assert groups.group.tolist() == [0, 0, 0, 1, 1, 2, -1]
    assert groups.identified.tolist() == [True, False, False]
    assert groups.judges().tolist() == [True, True, True, False, False, False, False]


def test_a_chain_of_pairs_identifies_no_judge_but_a_known_label_does() -> None:
    item, judge, label = [0, 0, 1, 1], [0, 1, 1, 2], [0, 1, 1, 0]
    table = checked_votes(item, judge, label, n_labels=2)
    assert voting_groups(table).identified.tolist() == [False]
    table = checked_votes(item, judge, label, n_labels=2, known=[1, -1])
    assert voting_groups(table).identified.tolist() == [True]
