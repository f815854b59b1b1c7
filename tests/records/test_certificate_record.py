"""The record: what it holds comes back as it was, and nothing that was changed does."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from panopt.errors import AskError, CertificateError
from panopt.records.ask import Ask
from panopt.records.certificate import Certificate

CONTENT: dict[str, Any] = {
    "scope": {
        "criterion": "score",
        "scale": "binary",
        "judges": [
            {"name": "x", "kind": "llm", "scale": "binary", "prompts": ["ab12"]},
            {"name": "y\u202e\U0001f600", "kind": "llm", "scale": "binary", "prompts": [None]},
        ],
        "aggregate": "majority",
        "confidence": "vote share",
        "threshold": 0.5,
        "min_successful": 1,
    },
    "deciding": [{"judge": "panel", "threshold": 0.8}],
    "alpha": 0.1,
    "delta": 0.1,
    "n": 40,
    "errors": 1,
    "bound": 0.0944,
    "level": 0.1,
    "coverage": 0.5,
    "n_labels": 75,
    "n_tied": 0,
    "n_undecided": 2,
    "n_responses": 100,
    "promised": "of the trusted verdicts",
    "method": "fixed_sequence",
    "assumption": "labels are a random sample",
    "seen": [
        {"votes": 1, "confidence": 1.0, "count": 5},
        {"votes": 2, "confidence": 0.5, "count": 30},
        {"votes": 2, "confidence": 1.0, "count": 40},
    ],
    "seed": 0,
    "data": "0" * 64,
    "date": "2026-03-01",
    "versions": {"panopt": "0.1.0"},
}


def made(**changes: object) -> Certificate:
    return Certificate.model_validate({**CONTENT, **changes})


def leaves(node: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    if isinstance(node, dict):
        return [leaf for key, value in node.items() for leaf in leaves(value, (*path, key))]
    if isinstance(node, list):
        return [leaf for key, value in enumerate(node) for leaf in leaves(value, (*path, key))]
    return [path]


def changed(text: str, path: tuple[str | int, ...]) -> str:
    """Change one value of a file, keeping its type."""
    document = json.loads(text)
    node = document
    for key in path[:-1]:
        node = node[key]
    value = node[path[-1]]
    node[path[-1]] = f"{value}x" if isinstance(value, str) else 1 if value is None else value + 1
    return json.dumps(document)


def test_a_file_gives_back_what_was_written() -> None:
    certificate = made()
    text = certificate.to_json()
    again = Certificate.from_json(text)
    assert again == certificate
    assert again.to_json() == text
    assert text.isascii()
    assert hash(again) == hash(certificate)
    assert hash(Ask(certificate=again)) == hash(Ask(certificate=certificate))


def test_layout_is_not_content() -> None:
    document = json.loads(made().to_json())
    assert Certificate.from_json(json.dumps(document)) == made()
    assert Certificate.from_json(json.dumps(document, indent=7).encode()) == made()


@given(st.floats(0, 1), st.floats(0.2, 0.99), st.text(max_size=5).filter(str.isprintable))
def test_any_numbers_and_names_come_back(threshold: float, alpha: float, name: str) -> None:
    stages = [{"judge": "panel", "threshold": threshold}, {"judge": name, "threshold": None}]
    certificate = made(deciding=stages, alpha=alpha)
    again = Certificate.from_json(certificate.to_json())
    assert again == certificate
    assert again.threshold == threshold


@pytest.mark.parametrize("path", leaves(json.loads(made().to_json())), ids=str)
def test_every_value_that_is_edited_is_noticed(path: tuple[str | int, ...]) -> None:
    with pytest.raises(CertificateError, match="was changed after it was made"):
        Certificate.from_json(changed(made().to_json(), path))


def test_a_field_that_is_added_or_lost_is_noticed() -> None:
    document = json.loads(made().to_json())
    for other in (
        {**document, "note": "x"},
        {name: value for name, value in document.items() if name != "date"},
    ):
        with pytest.raises(CertificateError, match="was changed after it was made"):
            Certificate.from_json(json.dumps(other))


def test_an_edit_with_a_new_hash_must_still_prove_what_it_promises() -> None:
    honest = made(n=40, errors=1)
    with pytest.raises(ValidationError, match=r"9 errors in 40 do not prove alpha = 0\.1"):
        made(errors=9)
    forged = honest.model_copy(update={"errors": 9})  # copies are not checked
    with pytest.raises(CertificateError, match="9 errors in 40 do not prove"):
        Certificate.from_json(forged.to_json())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is no certificate: Expecting value"),
        ("[1]", "is no certificate: it has no format, scope and sha256"),
        ('{"format": 1}', "is no certificate: it has no format, scope and sha256"),
        ("\x00\xff", "is no certificate"),
        ("[" * 100_000, "is no certificate"),
        ('{"format": 1, "format": 1}', "the key 'format' stands there twice"),
        ('{"format": NaN}', "NaN is no finite number"),
        ('{"format": 1e999}', "1e999 is no finite number"),
        (
            '{"format": 3, "scope": {}, "sha256": ""}',
            "of format 3; this panopt reads formats 1 and 2",
        ),
        ('{"format": true, "scope": {}, "sha256": ""}', "was changed"),
        ('{"format": 1, "scope": {}, "sha256": null}', "was changed"),
    ],
)
def test_what_is_no_certificate_is_told(text: str, message: str) -> None:
    with pytest.raises(CertificateError, match=message) as raised:
        Certificate.from_json(text)
    assert isinstance(raised.value, AskError)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n": 80}, "errors, n and n_labels must rise"),
        ({"errors": 41}, "errors, n and n_labels must rise"),
        ({"n_labels": 74}, "seen counts 75 labels, not the 74"),
        ({"level": 0.2}, r"level = 0\.2 must not be above delta"),
        ({"alpha": 0.0}, "greater than 0"),
        ({"delta": 0.51}, "less than or equal to 0.5"),
        ({"date": "March"}, "date"),
        ({"seen": []}, "format 1, of a panel, has `seen`"),
        ({"deciding": []}, "at least 1 item"),
        ({"versions": None}, "versions"),
        ({"more": 1}, "Extra inputs"),
    ],
)
def test_contradictions_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        made(**changes)


def test_threshold_is_the_panel_s_and_infinite_where_it_never_decides() -> None:
    assert made().threshold == 0.8
    assert made(deciding=[{"judge": "panel", "threshold": None}]).threshold == np.inf
    assert made(deciding=[{"judge": "gpt", "threshold": 0.1}]).threshold == np.inf


def test_what_was_seen_is_given_response_by_response() -> None:
    assert made().confidences().tolist() == [1.0] * 5 + [0.5] * 30 + [1.0] * 40
    assert made().votes().tolist() == [1.0] * 5 + [2.0] * 70


def test_name_has_date_and_hash() -> None:
    assert made().name == f"certificate {made().sha256[:12]} of 2026-03-01"
    assert made(date=None).name.endswith("of an unknown date")
