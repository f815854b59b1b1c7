from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from panopt.errors import SourceError
from panopt.records.scale import Scale
from panopt.records.settle import drop_copies, settle_scales
from panopt.records.source import Source
from panopt.records.study import Study

Row = tuple[str, str, int, float | None]
ROWS = st.lists(
    st.tuples(
        st.sampled_from(["i1", "i2"]),
        st.sampled_from(["x", "y"]),
        st.integers(0, 1),
        st.sampled_from([None, 0.0, 1.0]),
    ),
    max_size=12,
)


def file_of(name: str, rows: list[Row]) -> Study:
    item, judge, repeat, score = zip(*rows, strict=True) if rows else ((), (), (), ())
    study = Study.from_columns(
        {
            "item": list(item),
            "judge": list(judge),
            "repeat": list(repeat),
            "score": np.array(score, dtype=float),
            "source": name,
        }
    )
    return Study(study.table, (Source(name, "tables"),))


@given(st.lists(ROWS, min_size=1, max_size=3))
def test_of_copies_in_several_files_those_of_the_last_are_kept(files: list[list[Row]]) -> None:
    names = [f"{9 - i}.csv" for i in range(len(files))]
    study = Study.concat([file_of(*pair) for pair in zip(names, files, strict=True)])
    kept, notes = drop_copies(study)
    last = {row[:3]: name for name, rows in zip(names, files, strict=True) for row in rows}
    expected = [
        (name, *row)
        for name, rows in zip(names, files, strict=True)
        for row in rows
        if last[row[:3]] == name
    ]
    columns = ["source", "item", "judge", "repeat", "score"]
    assert [tuple(row.values()) for row in kept.table.select(columns).to_pylist()] == expected
    dropped = len(study) - len(expected)
    assert bool(notes) == bool(dropped)
    if dropped:
        assert notes[0].startswith(f"{dropped} judgments stand in several sources; those of the")
    assert kept.sources == study.sources


def test_copies_with_another_score_are_counted() -> None:
    one = file_of("1.csv", [("a", "x", 0, 1.0), ("b", "x", 0, 1.0), ("c", "x", 0, None)])
    two = file_of("2.csv", [("a", "x", 0, 1.0), ("b", "x", 0, 0.0), ("c", "x", 0, None)])
    _, notes = drop_copies(Study.concat([one, two]))
    assert notes == (
        (
            "3 judgments stand in several sources; those of the source named last were kept "
            "(1 of them with another score)"
        ),
    )


def settled(
    columns: dict[str, Any], declared: dict[str, str] | None = None, **options: str
) -> tuple[list[str], tuple[str, ...]]:
    scales = {name: Scale.parse(text) for name, text in (declared or {}).items()}
    study, notes = settle_scales(Study.from_columns(columns), scales, **options)
    return study.table["scale"].to_pylist(), notes


def test_scales_are_inferred_for_the_panel_and_said() -> None:
    scales, notes = settled({"item": "a", "judge": ["x", "y", "z"], "score": [1.0, 4.0, 5.0]})
    assert scales == ["ordinal:1:5"] * 3
    assert notes == ("score: scale ordinal:1:5 inferred for x, y, z",)


def test_notes_name_at_most_five_judges() -> None:
    judges = [f"j{i}" for i in range(7)]
    _, notes = settled({"item": "a", "judge": judges, "score": 1.0})
    assert notes == ("score: scale binary inferred for j0, j1, j2, j3, j4 ...",)


def test_scales_are_settled_by_criterion() -> None:
    criteria = ["tone", "facts", "style"]
    scales, notes = settled(
        {"item": "a", "judge": "x", "criterion": criteria, "score": [4.0, 1.0, 2.0]}
    )
    assert scales == ["ordinal:1:5", "binary", "ordinal:1:5"]
    assert notes == (
        "tone, style: scale ordinal:1:5 inferred for x",
        "facts: scale binary inferred for x",
    )


@pytest.mark.parametrize(
    ("human", "scale"),
    [
        (4.0, "ordinal:1:5"),  # on the scale of the judges
        (3.5, "continuous:1:5"),  # a mean of ratings on that scale
        (0.0, "binary"),  # a scale of their own
        (60.0, "continuous:0:100"),
    ],
)
def test_humans_are_read_on_the_scale_of_the_judges_where_it_fits(human: float, scale: str) -> None:
    scales, _ = settled(
        {
            "item": "a",
            "judge": ["x", "y", "bob"],
            "judge_kind": ["llm", "llm", "human"],
            "score": [2.0, 5.0, human],
        }
    )
    assert scales == ["ordinal:1:5", "ordinal:1:5", scale]


PANELS = {"ordinal:0:10": [0.0, 4.0, 10.0], "ordinal:1:5": [1.0, 3.0, 5.0]}
PANELS["continuous:0:100"] = [0.0, 61.0, 100.0]


def with_people(panel: str, people: dict[str, list[float]], *, declare: bool) -> dict[str, Any]:
    """Three votes of one judge on the scale `panel`, and the labels of people without a scale."""
    rows = [(f"i{k}", "x", "llm", score, panel) for k, score in enumerate(PANELS[panel])]
    for name, scores in people.items():
        rows += [(f"i{k}", name, "human", score, None) for k, score in enumerate(scores)]  # type: ignore[misc]
    columns = dict(
        zip(("item", "judge", "judge_kind", "score", "scale"), zip(*rows, strict=True), strict=True)
    )
    if not declare:
        del columns["scale"]
    return {name: list(values) for name, values in columns.items()}


@pytest.mark.parametrize("declare", [True, False])
@pytest.mark.parametrize("panel", PANELS)
@pytest.mark.parametrize(
    ("labels", "scale"), [([0.0, 1.0], "binary"), ([0.25, 1.0], "continuous:0:1")]
)
def test_human_scores_in_0_1_stay_there_beside_any_judges(
    panel: str, labels: list[float], scale: str, *, declare: bool
) -> None:
    scales, notes = settled(with_people(panel, {"bob": labels * 10}, declare=declare))
    assert scales[:3] == [panel] * 3
    assert set(scales[3:]) == {scale}
    assert notes[-1] == f"score: scale {scale} inferred for bob"  # and no doubt


@pytest.mark.parametrize("panel", PANELS)
def test_people_who_only_gave_1s_must_declare_their_scale(panel: str) -> None:
    columns = with_people(panel, {"bob": [1.0] * 12}, declare=True)
    with pytest.raises(
        SourceError,
        match=r"the 12 scores of 'bob' on 'score' are all 1, which fits binary as well as "
        rf"{panel}; declare --scale 'bob=binary' or --scale 'bob={panel}'$",
    ):
        settled(columns)
    assert settled(columns, {"bob": "binary"})[0][-1] == "binary"
    assert settled(columns, {"bob": panel})[0][-1] == panel
    # Somebody else's 0 tells which form it was.
    both = with_people(panel, {"bob": [1.0] * 12, "eve": [0.0, 1.0] * 6}, declare=True)
    assert set(settled(both)[0][3:]) == {"binary"}


@pytest.mark.parametrize(
    ("panel", "labels", "rival"),
    [
        ("ordinal:0:10", [1.0, 2.0, 5.0], "ordinal:1:5"),
        ("continuous:0:100", [1.0, 4.0, 5.0], "ordinal:1:5"),
        ("ordinal:0:10", [0.0, 2.0, 3.0], "ordinal:0:3"),
        ("continuous:0:100", [2.0, 9.0, 10.0], "ordinal:1:10"),
        ("ordinal:1:5", [0.0, 2.0, 5.0], "ordinal:0:5"),  # fits no judge: read on 0 to 10
        ("ordinal:0:10", [1.0, 3.0, 7.0], None),
        ("ordinal:1:5", [1.0, 2.0, 2.0], None),
        ("ordinal:1:5", [1.0, 3.667, 4.333], None),  # means of whole votes
    ],
)
def test_people_low_on_the_scale_of_the_judges_are_doubted(
    panel: str, labels: list[float], rival: str | None
) -> None:
    columns = with_people(panel, {"bob": labels}, declare=True)
    scales, notes = settled(columns)
    doubts = [text for text in notes if "may be" in text]
    if rival is None:
        assert not doubts
        return
    assert len(doubts) == 1
    assert doubts[0].endswith(
        f"read as {scales[-1]}, may be {rival}; "
        f"declare --scale 'bob={scales[-1]}' or --scale 'bob={rival}'"
    )
    for scale in (scales[-1], rival):
        assert settled(columns, {"bob": scale}) == ([panel] * 3 + [scale] * 3, ())


def test_judges_as_low_as_the_people_raise_no_doubt() -> None:
    columns = with_people("ordinal:0:10", {"bob": [1.0, 2.0, 5.0]}, declare=True)
    columns["score"][:3] = [0.0, 3.0, 5.0]
    assert settled(columns)[1] == ("score: scale ordinal:0:10 inferred for bob",)


def test_one_of_a_crowd_goes_with_the_others() -> None:
    crowd = {"eve": [0.0, 4.0, 9.0], "bob": [1.0, 0.0]}
    assert settled(with_people("ordinal:0:10", crowd, declare=True))[0][3:] == ["ordinal:0:10"] * 5
    crowd["bob"] = [1.0] * 12
    scales, notes = settled(with_people("ordinal:0:10", crowd, declare=True))
    assert scales[-1] == "ordinal:0:10"
    assert "'bob' on 'score' are all 1: read as ordinal:0:10, may be binary" in notes[-1]
    crowd["bob"] = [0.0, 1.0] * 6
    with pytest.raises(SourceError, match="'bob' on 'score' span 0 to 1, which fits ordinal:0:10"):
        settled(with_people("ordinal:0:10", crowd, declare=True))
    # The others' scale does not hold a 0.
    crowd = {"eve": [1.0, 4.0, 5.0], "bob": [1.0, 0.0]}
    assert settled(with_people("ordinal:1:5", crowd, declare=True))[0][-1] == "binary"


def test_a_scale_declared_for_all_is_doubted_where_people_stay_in_0_1() -> None:
    columns = with_people("ordinal:0:10", {"bob": [0.0, 1.0] * 10}, declare=False)
    scales, notes = settled(columns, {"*": "ordinal:0:10"})
    assert set(scales) == {"ordinal:0:10"}
    assert notes == (
        (
            "the 20 scores of 'bob' on 'score' span 0 to 1: read as ordinal:0:10, may be binary; "
            "declare --scale 'bob=ordinal:0:10' or --scale 'bob=binary'"
        ),
    )


def test_a_doubt_is_a_warning_of_the_file_with_the_labels() -> None:
    columns = with_people("ordinal:0:10", {"bob": [1.0, 2.0, 5.0]}, declare=True)
    columns["source"] = ["votes.csv"] * 3 + ["labels.csv"] * 3
    study = Study(
        Study.from_columns(columns).table,
        (Source("votes.csv", "tables"), Source("labels.csv", "tables", warnings=("old",))),
    )
    read, notes = settle_scales(study, {})
    assert notes == ("score: scale ordinal:0:10 inferred for bob",)
    assert read.sources[0] == study.sources[0]
    assert read.sources[1].warnings[0] == "old"
    assert "span 1 to 5: read as ordinal:0:10, may be ordinal:1:5" in read.sources[1].warnings[1]


def test_judges_that_declare_no_scale_take_that_of_those_who_do() -> None:
    scales, notes = settled(
        {
            "item": "a",
            "judge": ["x", "y"],
            "score": [2.0, 1.0],
            "scale": ["ordinal:1:4", None],
        }
    )
    assert scales == ["ordinal:1:4", "ordinal:1:4"]
    assert notes == ("score: scale ordinal:1:4 inferred for y",)


def test_rows_of_a_judge_that_say_no_scale_take_that_of_its_others() -> None:
    scales, _ = settled(
        {
            "item": ["a", "b", "c"],
            "judge": "x",
            "score": [2.0, 1.0, None],
            "scale": ["ordinal:1:4", None, None],
        }
    )
    assert scales == ["ordinal:1:4"] * 3


def test_a_judge_that_always_failed_does_not_change_the_scale_of_the_panel() -> None:
    columns = {"item": ["a", "a"], "judge": ["x", "dead"], "score": [1.0, None]}
    scales, notes = settled(columns)
    assert scales == ["binary", "binary"]
    assert notes == ("score: scale binary inferred for x",)
    study, _ = settle_scales(Study.from_columns(columns), {})
    assert study.matrix("score").scale == Scale("binary")
    assert settled({"item": "a", "judge": ["dead"], "score": None})[0] == ["continuous:0:1"]


def test_labels_without_scores_are_nominal() -> None:
    scales, _ = settled({"item": "a", "judge": ["x", "y"], "label": ["calm", None]})
    assert scales == ["nominal", "continuous:0:1"]


def test_classes_in_numbers_are_labels_on_a_nominal_scale() -> None:
    columns = {"item": "a", "judge": ["x", "y", "z"], "score": [3.0, 1.0, 3.0]}
    study, _ = settle_scales(Study.from_columns(columns), {"*": Scale("nominal")})
    assert study.table["label"].to_pylist() == ["3", "1", "3"]
    assert study.table["score"].null_count == 3
    matrix = study.matrix("score")
    assert matrix.scale == Scale("nominal")
    assert_array_equal(matrix.n_repeats(), [[1, 1, 1]])


def test_declared_scales_win_and_the_star_is_for_the_others() -> None:
    columns = {
        "item": "a",
        "judge": ["x", "y", "z"],
        "score": [1.0, 1.0, 1.0],
        "scale": ["binary", None, None],
    }
    scales, notes = settled(columns, {"*": "ordinal:0:3", "y": "continuous:0:10"})
    assert scales == ["ordinal:0:3", "continuous:0:10", "ordinal:0:3"]
    assert notes == ()


def test_the_star_lets_humans_score_between_the_levels() -> None:
    columns = {
        "item": ["a", "b", "a", "b"],
        "judge": ["x", "x", "bob", "bob"],
        "judge_kind": ["llm", "llm", "human", "human"],
    }
    scales, _ = settled({**columns, "score": [1.0, 5.0, 3.5, 4.0]}, {"*": "ordinal:1:5"})
    assert scales == ["ordinal:1:5"] * 2 + ["continuous:1:5"] * 2
    with pytest.raises(SourceError, match="score 6 is off the scale ordinal:1:5"):
        settled({**columns, "score": [1.0, 5.0, 6.0, 4.0]}, {"*": "ordinal:1:5"})


@pytest.mark.parametrize(
    ("columns", "declared", "message"),
    [
        (
            {"score": [4.0, 7.0], "source": "votes.csv"},
            {"*": "ordinal:1:5"},
            (
                r"^votes\.csv: item 'b', judge 'x': score 7 is off the scale ordinal:1:5 "
                r"\(1 such scores\); declare the right one with --scale, or count them as failed"
            ),
        ),
        ({"score": [4.0, 3.5]}, {"x": "ordinal:1:5"}, "score 3.5 is off the scale ordinal:1:5"),
        ({"score": [4.0, 1.0], "scale": "binary"}, {}, "item 'a', judge 'x': score 4 is off"),
        ({"score": [1.0, np.inf]}, {}, "item 'b', judge 'x': score inf is off the scale binary"),
        (
            {"score": [0.5, 1e308], "source": "votes.csv"},
            {},
            r"^votes\.csv: item 'b', judge 'x': 1e\+308 is no score: beyond 1e\+12; correct it",
        ),
        ({"score": [-np.inf, 0.5]}, {}, "score -inf is off the scale continuous:0:1"),
        (
            {"score": [0.0, 1.0]},
            {"y": "binary"},
            "^--scale: a scale is declared for judge 'y', who judged nothing; judges: x",
        ),
    ],
)
def test_refuses(columns: dict[str, Any], declared: dict[str, str], message: str) -> None:
    with pytest.raises(SourceError, match=message):
        settled({"item": ["a", "b"], "judge": "x", **columns}, declared)


def test_scores_off_their_scale_may_count_as_failed() -> None:
    columns = {
        "item": list("abcd"),
        "judge": "x",
        "score": [4.0, 7.0, None, np.inf],
        "error": [None, None, "timeout", None],
    }
    study, notes = settle_scales(
        Study.from_columns(columns), {"*": Scale("ordinal", 1, 5)}, off_scale="fail"
    )
    rows = study.table.select(["score", "status", "error"]).to_pylist()
    assert [tuple(row.values()) for row in rows] == [
        (4.0, "ok", None),
        (None, "failed", "score 7 is off the scale"),
        (None, "failed", "timeout"),
        (None, "failed", "score inf is off the scale"),
    ]
    assert notes == ("2 scores off their scale count as failed votes",)
    assert_array_equal(study.matrix("score").status()[:, 0], [0, 2, 2, 2])


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["x", "y", "bob"]),
            st.sampled_from(["tone", "facts"]),
            st.sampled_from([None, 0.0, 1.0, 0.5, 3.0, 4.5, 77.0, -3.25, 1234567.875]),
            st.sampled_from([None, "fine"]),
        ),
        min_size=1,
        max_size=25,
    )
)
def test_any_scores_can_be_settled_once_and_for_all(
    rows: list[tuple[str, str, float | None, str | None]],
) -> None:
    judge, criterion, score, label = zip(*rows, strict=True)
    study = Study.from_columns(
        {
            "item": [str(i) for i in range(len(rows))],
            "judge": judge,
            "judge_kind": ["human" if name == "bob" else "llm" for name in judge],
            "criterion": criterion,
            "score": np.array(score, dtype=float),
            "label": np.array(label, dtype=object),
        }
    )
    try:
        once, _ = settle_scales(study, {})
    except SourceError as error:  # a person who only gave 1s
        assert "are all 1, which fits binary as well as" in str(error)  # noqa: PT017
        return
    assert once.table["scale"].null_count == 0
    again, notes = settle_scales(once, {})
    assert (again.digest, notes) == (once.digest, ())
    for name in once.criteria:
        scores = once.matrix(name).votes.score
        assert np.all(np.isnan(scores) | ((scores >= 0) & (scores <= 1)))


def test_nothing_to_settle() -> None:
    empty = Study.concat([])
    assert settle_scales(empty, {"*": Scale("binary")}) == (empty, ())
    assert drop_copies(empty) == (empty, ())


def test_judges_on_no_usual_scale_keep_their_own_range_with_a_warning() -> None:
    rng = np.random.default_rng(0)
    score = np.r_[rng.uniform(-11, 2, 20), rng.uniform(-4, 1073, 20), rng.integers(1, 6, 20)]
    study = Study.from_columns(
        {
            "item": [f"i{i}" for i in range(20)] * 3,
            "judge": np.repeat(["bart", "length", "five"], 20).tolist(),
            "score": score,
            "source": "votes.csv",
        }
    )
    settled, _ = settle_scales(Study(study.table, (Source("votes.csv", "tables"),)), {})
    scales = [Scale.parse(text.as_py()) for text in settled.table["scale"]][::20]
    spans = [(scale.low, scale.high) for scale in scales]
    assert spans[0] == (score[:20].min(), score[:20].max())
    assert spans[1] == (score[20:40].min(), score[20:40].max())
    assert spans[2:] == [(1.0, 5.0)]
    told = settled.sources[0].warnings
    assert len(told) == 2
    assert all("lie on no usual scale" in text for text in told)
    assert "declare one with --scale 'bart=KIND:LOW:HIGH'" in told[0]


def votes(**scores: list[float]) -> Study:
    table = [(f"i{i}", name, x) for name, column in scores.items() for i, x in enumerate(column)]
    item, judge, score = zip(*table, strict=True)
    study = Study.from_columns(
        {"item": list(item), "judge": list(judge), "score": list(score), "source": "votes.csv"}
    )
    return Study(study.table, (Source("votes.csv", "tables"),))


BINARY = [0.0, 1.0] * 25


def test_a_mistyped_score_of_a_binary_judge_is_refused_not_a_wider_scale() -> None:
    typo = [*BINARY[:-1], 7.0]
    message = (
        r"^votes\.csv: item 'i49', judge 'b': score 7 is outside \[0, 1\], where the other 49 "
        r"scores of 'b' on '.*' are all 0 or 1 \(binary\); correct it, or declare "
        r"--scale 'b=KIND:LOW:HIGH'$"
    )
    with pytest.raises(SourceError, match=message):
        settle_scales(votes(a=BINARY, b=typo), {})
    settled, _ = settle_scales(votes(a=BINARY, b=typo), {"b": Scale.parse("ordinal:0:10")})
    assert settled.table["scale"].to_pylist()[50] == "ordinal:0:10"


@pytest.mark.parametrize(
    "scores",
    [
        {"a": [*BINARY[:-3], 7.0, 3.0, 4.0]},
        {"a": [*BINARY[:-1], 7.0], "b": [0.0, 2.0, 5.0, 10.0, 3.0]},
    ],
)
def test_few_scores_beyond_a_binary_judges_others_are_a_doubt(
    scores: dict[str, list[float]],
) -> None:
    settled, _ = settle_scales(votes(**scores), {})
    assert settled.table["scale"].to_pylist()[0] == "ordinal:0:10"
    assert "if they are slips, the scale is wrong for all" in settled.sources[0].warnings[0]


@pytest.mark.parametrize(
    "scores",
    [
        [1.0] * 49 + [5.0],
        [0.0] * 40 + [1.0] * 4 + [3.0, 5.0, 6.0, 7.0, 9.0, 10.0],
        [0.0] * 49 + [10.0],
        [0.0, 1.0, 1.0, 0.0, 7.0],
        [2.0] * 30 + [100.0],
    ],
)
def test_skewed_use_of_a_wide_scale_is_read_without_a_doubt(scores: list[float]) -> None:
    settled, _ = settle_scales(votes(a=scores), {})
    assert not settled.sources[0].warnings


def test_verdicts_with_an_order_are_of_pairs() -> None:
    columns = {"item": list("abcd"), "judge": "x", "score": [0.0, 1.0, 0.5, 1.0], "order": 0}
    settled, notes = settle_scales(Study.from_columns(columns), {})
    assert set(settled.table["scale"].to_pylist()) == {"pairwise"}
    assert "scale pairwise inferred" in notes[0]
    settled, _ = settle_scales(Study.from_columns({**columns, "score": [0, 1, 0.4, 1]}), {})
    assert set(settled.table["scale"].to_pylist()) == {"continuous:0:1"}
    columns.pop("order")
    settled, _ = settle_scales(Study.from_columns(columns), {})
    assert set(settled.table["scale"].to_pylist()) == {"continuous:0:1"}
