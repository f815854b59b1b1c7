from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from panopt.errors import LabelsError
from panopt.records.labels import attach_labels
from panopt.records.source import Source
from panopt.records.study import Study

ITEMS, SYSTEMS = ["i1", "i2", "i3"], ["s1", "s2"]


def judged(**columns: object) -> Study:
    """Two systems answered two items, one judge judged them."""
    base = {
        "item": ["i1", "i2", "i1", "i2"],
        "system": ["s1", "s1", "s2", "s2"],
        "judge": "x",
        "score": 1.0,
    }
    return Study.from_columns({**base, **columns}, sources=[Source("log.eval", "inspect")])


def labels(given: tuple[str, ...] | None = None, **columns: object) -> Study:
    """Build the study a labels file gives: its source says which columns it had."""
    base = {"judge": "human", "judge_kind": "human"}
    source = Source("labels.csv", "tables", columns=given or tuple(columns))
    return Study.from_columns({**base, **columns}, sources=[source])


def people(study: Study) -> list[tuple[Any, ...]]:
    human = study.where("judge_kind", "human").table
    columns = ["run", "system", "item", "epoch", "criterion", "judge", "score"]
    return sorted(tuple(row.values()) for row in human.select(columns).to_pylist())


def test_a_label_goes_to_the_response_it_names() -> None:
    study = judged(run="r", epoch=2, cluster=["c1", "c2", "c1", "c2"])
    both = attach_labels(study, labels(item=["i2"], system=["s1"], score=[0.5]))
    assert people(both) == [("r", "s1", "i2", 2, "score", "human", 0.5)]
    assert both.where("judge_kind", "human").table["cluster"].to_pylist() == ["c2"]
    assert [source.location for source in both.sources] == ["log.eval", "labels.csv"]
    assert len(both) == len(study) + 1
    assert both.matrix("score").n_labelled == 1


Row = tuple[str, str, int, str]
RESPONSES = st.lists(
    st.tuples(
        st.sampled_from(ITEMS),
        st.sampled_from(SYSTEMS),
        st.integers(1, 2),
        st.sampled_from(["tone", "facts"]),
    ),
    min_size=1,
    max_size=12,
    unique=True,
)


@given(RESPONSES, RESPONSES, st.sets(st.sampled_from(["system", "epoch"])))
def test_agrees_with_a_loop_over_the_rows(
    responses: list[Row], wanted: list[Row], given: set[str]
) -> None:
    item, system, epoch, criterion = zip(*responses, strict=True)
    study = Study.from_columns(
        {
            "item": item,
            "system": system,
            "epoch": epoch,
            "criterion": criterion,
            "judge": "x",
            "score": 1.0,
        }
    )
    given |= {"item", "criterion", "score"}

    def named(row: Row) -> tuple[Any, ...]:
        return (
            row[0],
            row[1] if "system" in given else None,
            row[2] if "epoch" in given else None,
            row[3],
        )

    wanted = list({named(row): row for row in wanted}.values())
    homes: dict[Any, list[Row]] = defaultdict(list)
    for response in responses:
        homes[named(response)].append(response)
    item, system, epoch, criterion = zip(*wanted, strict=True)
    columns = {"item": item, "system": system, "epoch": epoch, "criterion": criterion}
    found = labels(
        tuple(given),
        **{name: values for name, values in columns.items() if name in given},
        score=np.linspace(0, 1, len(wanted)),
    )
    fits = [homes[named(row)] for row in wanted]
    if not {row[3] for row in wanted} & {row[3] for row in responses}:
        with pytest.raises(LabelsError, match="which no judge judged"):
            attach_labels(study, found)
    elif not any(fits):
        with pytest.raises(LabelsError, match="no label matches a response by"):
            attach_labels(study, found)
    elif any(len(fit) > 1 for fit in fits):
        with pytest.raises(LabelsError, match=r"fits \d responses; a label is of one response"):
            attach_labels(study, found)
    else:
        both = attach_labels(study, found)
        scores = np.linspace(0, 1, len(wanted))
        expected = sorted(
            ("", home[1], home[0], home[2], home[3], "human", score)
            for fit, score in zip(fits, scores.tolist(), strict=True)
            for home in fit
        )
        assert people(both) == expected
        missing = sum(not fit for fit in fits)
        warnings = both.sources[-1].warnings
        assert len(warnings) == bool(missing)
        if missing:
            assert warnings[0].startswith(f"{missing} of {len(wanted)} labels match no response")


def test_several_people_may_label_a_response() -> None:
    found = labels(item=["i1"] * 3, system="s1", judge=["ann", "bob", "ann"], score=[1.0, 0.0, 1.0])
    both = attach_labels(judged(), found)
    assert [row[-2:] for row in people(both)] == [("ann", 1.0), ("bob", 0.0)]


def test_repeats_of_one_person_stay() -> None:
    found = labels(item=["i1", "i1"], system="s1", repeat=[0, 1], score=[1.0, 0.0])
    both = attach_labels(judged(), found)
    assert [row[-1] for row in people(both)] == [0.0, 1.0]


def test_a_label_of_a_text_is_of_every_response_with_that_text() -> None:
    study = judged(response_hash=["h1", "h2", "h1", None])
    both = attach_labels(study, labels(item=["i1"], score=[0.0]))
    assert [row[1] for row in people(both)] == ["s1", "s2"]
    with pytest.raises(LabelsError, match="the label of item 'i2' fits 2 responses"):
        attach_labels(study, labels(item=["i1", "i2"], score=0.0))


def test_labels_without_a_criterion_are_for_the_only_one_judged_or_chosen() -> None:
    one = attach_labels(judged(criterion="tone"), labels(item=["i1"], system="s1", score=1.0))
    assert [row[4] for row in people(one)] == ["tone"]
    two = Study.concat([judged(criterion="tone"), judged(criterion="facts")])
    found = labels(item=["i1"], system="s1", score=1.0)
    chosen = attach_labels(two, found, criterion=["facts"])
    assert [row[4] for row in people(chosen)] == ["facts"]
    with pytest.raises(
        LabelsError,
        match=r"^labels\.csv: labels have no criterion column, but several criteria were judged "
        r"\('facts', 'tone'\); add the column, or choose one with --criterion",
    ):
        attach_labels(two, found)


def test_labels_of_criteria_nobody_judged_are_left_out_and_said() -> None:
    found = labels(item=["i1", "i1"], system="s1", criterion=["score", "tone"], score=1.0)
    both = attach_labels(judged(), found)
    assert [row[4] for row in people(both)] == ["score"]
    assert both.sources[-1].warnings == ("1 of 2 labels match no response (for example 'i1')",)
    with pytest.raises(
        LabelsError, match=r"labels are for criterion 'style', which no judge judged; .* 'score'"
    ):
        attach_labels(judged(), labels(item=["i1", "i2"], criterion=["tone", "style"], score=1.0))


def test_empty_labels_are_left_out_and_said() -> None:
    found = labels(item=["i1", "i1", "i2"], system="s1", score=[None, 1.0, 0.0])
    both = attach_labels(judged(), found)
    assert [row[-1] for row in people(both)] == [1.0, 0.0]
    assert both.sources[-1].warnings == ("1 of 3 labels are empty",)
    with pytest.raises(LabelsError, match=r"^labels\.csv: no label has a score or a verdict"):
        attach_labels(judged(), labels(item=["i1"], score=[None]))


def test_no_match_shows_three_ids_of_each_side() -> None:
    names = [f"Q{i}" for i in (1, 1, 2, 3, 4)]
    with pytest.raises(
        LabelsError,
        match=r"^labels\.csv: no label matches a response by system \+ item: labels have "
        r"s1/Q1, s1/Q2, s1/Q3; responses have s1/i1, s1/i2, s2/i1$",
    ):
        attach_labels(judged(), labels(item=names, system="s1", score=1.0, judge=list("abcde")))
    with pytest.raises(LabelsError, match="by item: labels have Q1, Q2, Q3; responses have i1, i2"):
        attach_labels(judged(), labels(item=names, score=1.0, judge=list("abcde")))
    two = Study.concat([judged(criterion="tone"), judged(item=list("abcd"), criterion="facts")])
    with pytest.raises(LabelsError, match=r"by item \+ criterion: labels have a/tone; responses"):
        attach_labels(two, labels(item=["a"], criterion=["tone"], score=1.0))


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        (("item", "score"), "add a column system or epoch or run to the labels file"),
        (("item", "system", "score"), "add a column epoch or run"),
        (("item", "system", "epoch", "score"), "add a column run"),
    ],
)
def test_ambiguous_labels_name_the_columns_that_would_tell(
    given: tuple[str, ...], missing: str
) -> None:
    study = Study.concat([judged(run="r1"), judged(run="r2")])
    columns = {"item": ["i2", "i1"], "system": "s1", "epoch": 1, "score": 1.0}
    found = labels(given, **{name: columns[name] for name in given})
    with pytest.raises(LabelsError, match=rf"the label of item 'i2' fits \d responses.*{missing}"):
        attach_labels(study, found)


def test_labels_that_contradict_each_other_are_named() -> None:
    found = labels(item=["i2", "i1", "i1"], system="s1", score=[1.0, 4.0, 2.0])
    with pytest.raises(
        LabelsError,
        match=r"^labels\.csv: duplicate labels of item 'i1' by 'human' contradict each other "
        r"\(4 and 2\); keep one, or name the people in a judge column$",
    ):
        attach_labels(judged(), found)
    words = labels(item=["i1", "i1"], system="s1", label=["good", "bad"])
    with pytest.raises(LabelsError, match=r"\(good and bad\)"):
        attach_labels(judged(), words)


def test_no_labels() -> None:
    empty = Study.concat([])
    with pytest.raises(LabelsError, match="the labels file has no rows"):
        attach_labels(judged(), empty)


def test_labels_made_in_python_need_no_source() -> None:
    found = Study.from_columns(
        {"item": ["i1"], "system": "s1", "judge": "bob", "judge_kind": "human", "score": 1.0}
    )
    both = attach_labels(judged(), found)
    assert people(both) == [("", "s1", "i1", 1, "score", "bob", 1.0)]
