"""The record: what it holds comes back as it was, and nothing that was changed does."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import ValidationError

from panopt.errors import AskError, CertificateError
from panopt.records.ask import Ask
from panopt.records.certificate import Certificate, Deciding
from panopt.stats.binomial import certifies, risk_upper, zero_error_labels

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
    "n": 45,
    "errors": 1,
    "bound": float(risk_upper(1, 45, 0.1)),
    "level": 0.1,
    "coverage": 0.6,
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


@given(
    st.floats(0.5, 1, exclude_min=True),
    st.floats(0.2, 0.99),
    st.text(max_size=5).filter(str.isprintable),
)
def test_any_numbers_and_names_come_back(threshold: float, alpha: float, name: str) -> None:
    scope = {**CONTENT["scope"], "criterion": name}
    deciding = [{"judge": "panel", "threshold": threshold}]
    certificate = made(deciding=deciding, alpha=alpha, scope=scope)
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
    with pytest.raises(ValidationError, match=r"9 errors in 45 do not prove alpha = 0\.1"):
        made(errors=9)
    forged = made().model_copy(update={"errors": 9})  # copies are not checked
    with pytest.raises(CertificateError, match="9 errors in 45 do not prove"):
        Certificate.from_json(forged.to_json())


@pytest.mark.parametrize(
    ("forged", "message"),
    [
        (
            {"deciding": [{"judge": "panel", "threshold": 0.3}]},
            r"75 of the labels in seen are at or above the threshold 0\.3, not n = 45",
        ),
        ({"deciding": [{"judge": "panel", "threshold": None}]}, "0 of the labels in seen are"),
        ({"deciding": [{"judge": "x", "threshold": 0.8}]}, "one threshold, that of 'panel'"),
        ({"n": 60}, r"45 of the labels in seen .* not n = 60"),
        ({"bound": 0.05}, r"bound = 0\.05 does not follow: 1 errors in 45 at level 0\.1 bound"),
        ({"errors": 0}, r"bound = 0\.0837\d+ does not follow: 0 errors in 45"),
        ({"level": 0.09}, "bound = .* does not follow: 1 errors in 45 at level 0.09"),
        ({"coverage": 1.0}, "coverage = 1 does not follow from 45 trusted of 75 labels"),
        ({"coverage": 0.44}, r"coverage = 0\.44 does not follow"),
        ({"n_responses": 76}, "n_labels = 75 and n_undecided = 2 are more than the 76"),
    ],
)
def test_a_new_hash_does_not_make_numbers_follow_from_one_another(
    forged: dict[str, object], message: str
) -> None:
    document = {**json.loads(made().to_json()), **forged}
    del document["sha256"]
    canonical = json.dumps(document, sort_keys=True, separators=(",", ":"))
    document["sha256"] = hashlib.sha256(canonical.encode()).hexdigest()
    with pytest.raises(CertificateError, match=message) as raised:
        Certificate.from_json(json.dumps(document))
    assert "\n" not in str(raised.value)
    unhashed = {**document, "sha256": "0"}
    with pytest.raises(CertificateError, match="was changed after it was made"):
        Certificate.from_json(json.dumps(unhashed))


@given(
    seen=st.dictionaries(st.integers(0, 10).map(lambda tenth: tenth / 10), st.integers(1, 90)),
    threshold=st.floats(0, 1),
    errors=st.integers(0, 5),
    level=st.floats(0.01, 0.1),
)
def test_whatever_follows_is_read_back(
    seen: dict[float, int], threshold: float, errors: int, level: float
) -> None:
    n = sum(count for confidence, count in seen.items() if confidence >= threshold)
    total = sum(seen.values())
    assume(n >= zero_error_labels(0.1, level))
    assume(certifies(errors, n, alpha=0.1, delta=level))
    certificate = made(
        deciding=[{"judge": "panel", "threshold": threshold}],
        n=n,
        errors=errors,
        level=level,
        bound=float(risk_upper(errors, n, level)),
        coverage=n / total,
        n_labels=total,
        n_responses=total + 2,
        seen=[
            {"votes": 2, "confidence": confidence, "count": count}
            for confidence, count in seen.items()
        ],
    )
    assert Certificate.from_json(certificate.to_json()) == certificate


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
        ({"errors": 46}, "errors, n and n_labels must rise"),
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
    never = (Deciding(judge="panel", threshold=None), Deciding(judge="gpt", threshold=0.1))
    for one in never:  # no such certificate is read; what is in doubt is not trusted, all the same
        assert made().model_copy(update={"deciding": (one,)}).threshold == np.inf


def test_what_was_seen_is_given_response_by_response() -> None:
    assert made().confidences().tolist() == [1.0] * 5 + [0.5] * 30 + [1.0] * 40
    assert made().votes().tolist() == [1.0] * 5 + [2.0] * 70


def test_name_has_date_and_hash() -> None:
    assert made().name == f"certificate {made().sha256[:12]} of 2026-03-01"
    assert made(date=None).name.endswith("of an unknown date")
