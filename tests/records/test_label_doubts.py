from __future__ import annotations

import numpy as np
import pytest

import panopt
from panopt import Ask, Study, certify
from panopt.errors import CertificateError
from panopt.records.label_doubts import one_sided, unread
from panopt.records.matrix import Matrix


def study_of(
    scores: list[float | None], words: list[str | None] | None = None, *, scale: str = "binary"
) -> Study:
    """Give two judges that pass everything, with confidence, and these human labels."""
    n = len(scores)
    names = [f"i{i}" for i in range(n)]
    nominal = scale.startswith("nominal")
    return Study.from_columns(
        {
            "item": names * 3,
            "judge": ["x"] * n + ["y"] * n + ["human"] * n,
            "judge_kind": ["llm"] * (2 * n) + ["human"] * n,
            "score": [None if nominal else 1.0] * (2 * n) + scores,
            "label": ["a" if nominal else None] * (2 * n) + (words or [None] * n),
            "confidence": np.linspace(0.5, 1.0, n).tolist() * 2 + [None] * n,
            "scale": scale,
        }
    )


def matrix_of(
    scores: list[float | None], words: list[str | None] | None = None, *, scale: str = "binary"
) -> Matrix:
    return study_of(scores, words, scale=scale).matrix("score")


def test_labels_of_both_sides_raise_no_doubt() -> None:
    matrix = matrix_of([1.0, 1.0, 0.0])
    assert one_sided(matrix, threshold=0.5) is None
    assert unread(matrix) is None


def test_labels_of_one_side_are_told() -> None:
    assert "all 3 labelled responses pass:" in str(
        one_sided(matrix_of([1.0, 1.0, 1.0]), threshold=0.5)
    )
    assert "all 2 labelled responses fail:" in str(one_sided(matrix_of([0.0, 0.0]), threshold=0.5))
    # where everything passes, no label can fail
    assert "all 2 labelled responses pass:" in str(one_sided(matrix_of([1.0, 0.0]), threshold=0.0))
    words = matrix_of([None, None], ["a", "a"], scale="nominal")
    assert "all 2 labelled responses are 'a'" in str(one_sided(words, threshold=0.5))
    assert one_sided(matrix_of([None, None], ["a", "b"], scale="nominal"), threshold=0.5) is None


def test_no_label_is_of_no_side() -> None:
    assert one_sided(matrix_of([None, None], [None, None]), threshold=0.5) is None


def test_words_that_are_no_score_are_told_and_words_that_are_verdicts_are_not() -> None:
    found = unread(matrix_of([None, None, 1.0], ["Y", "N", None]))
    assert found is not None
    assert "2 human labels of 'score' are words that are no score on binary ('Y', 'N')" in found
    assert unread(matrix_of([None, None], ["a", "b"], scale="nominal")) is None
    long = unread(matrix_of([None] * 4, ["y" * 9000, "n", "m", "k"]))
    assert long is not None
    assert len(long) < 300
    assert ", ..." in long


def test_a_certificate_tells_them_and_so_does_an_analysis() -> None:
    study = study_of([1.0] * 60)
    made = certify(study, Ask(n_boot=0))
    assert (made.n, made.errors) == (60, 0)
    assert any("all 60 labelled responses pass" in text for text in made.warnings)
    cascade = certify(study, Ask(n_boot=0, cascade=("x", "y")))
    assert any("all 60 labelled responses pass" in text for text in cascade.warnings)
    notes = panopt.analyze(study, Ask(n_boot=0)).criteria[0].findings.notes
    assert any("all 60 labelled responses pass" in text for text in notes)


def test_labels_that_are_all_lost_are_the_reason_of_the_refusal() -> None:
    with pytest.raises(CertificateError, match=r"60 human labels of 'score' are words that are no"):
        certify(study_of([None] * 60, ["Y"] * 60), Ask(n_boot=0))
