"""A certificate: which verdicts may be trusted without labels, and on what that rests.

Made by ``panopt calibrate`` from labelled logs, applied by ``panopt analyze --certificate`` to logs
of the same judges, and by live cascades (:mod:`panopt.records.live`). It is of a panel, whose
pooled confidence has one threshold, or of a cascade, whose judges are asked in order until one
is sure enough: each has a threshold of its own, and the promise is of the whole. It holds
everything the promise depends on, so that whoever applies it can see whether it still fits, and a
hash of all that: what was edited by accident is refused. The hash is no signature: it tells nothing
of who made the file. Whatever can be counted again from what it holds, is (`panopt.records.proof`):
numbers that contradict each other are refused, whatever the hash.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError, field_validator, model_validator

from panopt.errors import CertificateError
from panopt.records.proof import contradictions
from panopt.records.scale import Scale
from panopt.records.stage import ALWAYS, Count, Deciding, Frozen, Level, Stage

__all__ = [
    "ALWAYS",
    "FORMAT",
    "FORMATS",
    "FORMAT_OF_CASCADE",
    "Certificate",
    "CertifiedJudge",
    "Deciding",
    "Level",
    "Scope",
    "Seen",
    "Stage",
]

#: Versions of what a certificate holds and means, of a panel and of a cascade; others are refused.
FORMAT: Literal[1] = 1
FORMAT_OF_CASCADE: Literal[2] = 2
FORMATS = (FORMAT, FORMAT_OF_CASCADE)

Share = Annotated[float, Field(gt=0, lt=1)]


class CertifiedJudge(Frozen):
    """A judge as it was when the certificate was made."""

    name: str
    """As in the logs."""
    kind: Literal["llm", "program"]
    """What it is."""
    scale: str
    """Its scale; the scores were brought to [0, 1] on it."""
    prompts: tuple[str | None, ...] = Field(min_length=1)
    """Hashes of what it was asked, sorted; None, first, where some judgments do not tell."""

    @field_validator("scale")
    @classmethod
    def _known(cls, scale: str) -> str:
        Scale.parse(scale)
        return scale


class Scope(Frozen):
    """What a certificate is for: anything else is refused."""

    criterion: str
    """What is judged."""
    scale: str
    """Scale of the criterion, the one most judges use."""
    judges: tuple[CertifiedJudge, ...] = Field(min_length=1)
    """The panel, by name."""
    aggregate: str
    """How its votes become a verdict and a confidence: ``majority`` ..., or ``cascade``."""
    confidence: str
    """Where the confidence comes from: ``vote share`` ...; of a cascade, judge by judge."""
    threshold: float = Field(ge=0, le=1)
    """A response passes at or above this value on [0, 1]."""
    min_successful: int = Field(ge=1)
    """Decisive judges a verdict takes."""


class Seen(Frozen):
    """So many labelled responses had this confidence from this many votes."""

    votes: int = Field(ge=1)
    """Decisive judges."""
    confidence: float = Field(ge=0, le=1)
    """Of the verdict."""
    count: int = Field(ge=1)
    """Labelled responses, one of each cluster."""


class Certificate(Frozen):
    """A threshold from which verdicts may be trusted, what is promised, and on what it rests."""

    format: Literal[1, 2] = FORMAT
    """Version of what a certificate holds and means: 1 of a panel, 2 of a cascade."""
    scope: Scope
    """What it is for."""
    deciding: tuple[Stage | Deciding, ...] = Field(min_length=1)
    """Thresholds: stages in the order in which judges are asked, or one entry for a panel."""
    alpha: Share
    """Share of the trusted verdicts that may disagree with humans."""
    delta: float = Field(gt=0, le=0.5)
    """Probability, over the draw of the labels, that more do."""
    n: int = Field(ge=1)
    """Independent labels at or above the threshold; clusters count once."""
    errors: Count
    """Disagreements among them."""
    bound: float = Field(gt=0, le=1)
    """Exact upper bound on the risk, at `level`."""
    level: Share
    """Level of the test: delta, or less where delta was shared among tests."""
    coverage: float = Field(ge=0, le=1)
    """Share of the labelled responses that is trusted."""
    expected_cost: float | None = Field(default=None, ge=0)
    """Mean cost of a response, in a cascade: of every judge asked until one decides."""
    n_labels: int = Field(ge=1)
    """Independent labels in all."""
    n_tied: Count
    """Labelled responses on which humans were tied: counted as disagreements."""
    n_undecided: Count
    """Labelled responses left out: the panel had no verdict, or no judge of the cascade a row."""
    n_responses: int = Field(ge=1)
    """Responses of the criterion in the logs, labelled or not."""
    promised: str
    """Of what the risk is bounded."""
    method: str
    """How the threshold was found."""
    assumption: str
    """What the promise rests on."""
    warnings: tuple[str, ...] = ()
    """What the logs it was made from hold against that."""
    seen: tuple[Seen, ...] = ()
    """Of a panel, confidences and votes of the labelled responses, one of each cluster."""
    seed: Count
    """Seed of the draw within clusters."""
    data: str
    """Digest of the judgments and labels it was made from."""
    date: str | None
    """When these were judged, as far as is known: an ISO date."""
    versions: Mapping[str, str]
    """Versions of panopt, numpy, scipy and the aggregating plugin that made it."""

    @field_validator("date")
    @classmethod
    def _is_date(cls, date: str | None) -> str | None:
        if date is not None:
            dt.date.fromisoformat(date)
        return date

    @model_validator(mode="after")
    def _proven(self) -> Self:
        """Refuse numbers that contradict each other or do not prove the promise."""
        for text in contradictions(self):
            raise ValueError(text)
        return self

    def __hash__(self) -> int:
        """Hash as its content."""
        return hash(self.sha256)

    @property
    def threshold(self) -> float:
        """Confidence from which the panel's verdicts are trusted; infinity: none is."""
        of_panel = [stage.threshold for stage in self.deciding if stage.judge == "panel"]
        return np.inf if not of_panel or of_panel[0] is None else of_panel[0]

    @property
    def stages(self) -> tuple[Stage, ...]:
        """Judges of a cascade in the order in which they are asked; none where a panel decides."""
        return tuple(stage for stage in self.deciding if isinstance(stage, Stage))

    @property
    def asked(self) -> tuple[str, ...]:
        """Judges that a cascade asks, in their order: those that may decide."""
        return tuple(stage.judge for stage in self.stages if stage.threshold is not None)

    def stage(self, judge: str) -> Stage:
        """Give the stage of one judge of a cascade.

        Raises
        ------
        CertificateError
            For a judge that has none, and where a panel decides.
        """
        if not self.stages:
            raise CertificateError(
                f"{self.name} is of a panel of judges together, not of a cascade: it says nothing "
                f"of judge {judge!r} alone (panopt calibrate --cascade makes one that does)"
            )
        for stage in self.stages:
            if stage.judge == judge:
                return stage
        known = ", ".join(repr(stage.judge) for stage in self.stages)
        raise CertificateError(f"{self.name} has no judge {judge!r}; its cascade is {known}")

    def decides(self, judge: str, confidence: float | None) -> bool:
        """Tell whether the verdict of a judge of the cascade, so sure, is trusted.

        That no judge before it decided, and that it is the judge that was certified, is the
        caller's to see to: :mod:`panopt.records.live`.

        Raises
        ------
        CertificateError
            For a judge that has no stage.
        ValueError
            For a confidence off its range.
        """
        return self.stage(judge).decides(confidence)

    @property
    def sha256(self) -> str:
        """Hash of everything it holds."""
        return _hash(self._content())

    def _content(self) -> dict[str, Any]:
        """Give what is written and hashed: of a panel nothing that only a cascade has."""
        return self.model_dump(
            mode="json", exclude={"expected_cost"} if self.expected_cost is None else None
        )

    @property
    def name(self) -> str:
        """Give the words it goes by: its date and the start of its hash."""
        return f"certificate {self.sha256[:12]} of {self.date or 'an unknown date'}"

    def confidences(self) -> NDArray[np.float64]:
        """Confidence of each labelled response, one of each cluster; sorted as in `seen`."""
        return np.repeat([row.confidence for row in self.seen], [row.count for row in self.seen])

    def votes(self) -> NDArray[np.float64]:
        """Decisive judges of the same responses."""
        votes = np.array([row.votes for row in self.seen], dtype=np.float64)
        return np.repeat(votes, [row.count for row in self.seen])

    def to_json(self) -> str:
        """Give the text of its file: plain ASCII, the same bytes for the same content."""
        content = self._content()
        document = {**content, "sha256": _hash(content)}
        return json.dumps(document, indent=2, sort_keys=True, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read the text of a file.

        Raises
        ------
        CertificateError
            For text that is no certificate, of another version, or not as it was written.
        """
        try:
            document = json.loads(
                text, object_pairs_hook=_once, parse_constant=_number, parse_float=_number
            )
        except (ValueError, RecursionError) as error:
            raise CertificateError(f"is no certificate: {error}") from error
        if not isinstance(document, dict) or not {"format", "sha256", "scope"} <= set(document):
            raise CertificateError(
                "is no certificate: it has no format, scope and sha256; panopt calibrate makes one"
            )
        if document["format"] not in FORMATS:
            known = " and ".join(map(str, FORMATS))
            raise CertificateError(
                f"is a certificate of format {document['format']!r}; this panopt reads formats "
                f"{known}: calibrate again with this version"
            )
        told = document.pop("sha256")
        if told != _hash(document):
            raise CertificateError(
                f"was changed after it was made: its hash is {_hash(document)[:12]}, the one it "
                f"tells {str(told)[:12]}; take the original, or calibrate again"
            )
        try:
            return cls.model_validate(document)
        except ValidationError as error:
            first = error.errors()[0]
            if not first["loc"]:
                told = first["msg"].removeprefix("Value error, ")
                raise CertificateError(f"contradicts itself: {told}") from error
            where = ".".join(str(part) for part in first["loc"])
            raise CertificateError(f"is no certificate: {where}: {first['msg']}") from error


def _hash(content: Mapping[str, Any]) -> str:
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse an object that names a key twice: readers differ in which one they take."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice!r} stands there twice")
    return found


def _number(text: str) -> float:
    value = float(text)
    if not np.isfinite(value):
        raise ValueError(f"{text} is no finite number")
    return value
