"""A certificate: which verdicts may be trusted without labels, and on what that rests.

Made by ``panopt calibrate`` from labelled logs, applied by ``panopt analyze --certificate`` to logs
of the same judges. It holds everything the promise depends on, so that whoever applies it can
see whether it still fits, and a hash of all that: what was edited by accident is refused. The hash
is no signature: it tells nothing of who made the file.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from panopt.errors import CertificateError
from panopt.records.scale import Scale

__all__ = ["FORMAT", "Certificate", "CertifiedJudge", "Deciding", "Scope", "Seen"]

#: Version of what a certificate holds and means; others are refused.
FORMAT: Literal[1] = 1

Share = Annotated[float, Field(gt=0, lt=1)]
Count = Annotated[int, Field(ge=0)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class CertifiedJudge(_Frozen):
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


class Scope(_Frozen):
    """What a certificate is for: anything else is refused."""

    criterion: str
    """What is judged."""
    scale: str
    """Scale of the criterion, the one most judges use."""
    judges: tuple[CertifiedJudge, ...] = Field(min_length=1)
    """The panel, by name."""
    aggregate: str
    """How its votes become a verdict and a confidence."""
    confidence: str
    """Where the confidence comes from: ``vote share`` ..."""
    threshold: float = Field(ge=0, le=1)
    """A response passes at or above this value on [0, 1]."""
    min_successful: int = Field(ge=1)
    """Decisive judges a verdict takes."""


class Deciding(_Frozen):
    """Who decides from which confidence on."""

    judge: str
    """A judge by name, or ``panel``."""
    threshold: float | None
    """Verdicts of at least this confidence are trusted; None: never."""


class Seen(_Frozen):
    """So many labelled responses had this confidence from this many votes."""

    votes: int = Field(ge=1)
    """Decisive judges."""
    confidence: float = Field(ge=0, le=1)
    """Of the verdict."""
    count: int = Field(ge=1)
    """Labelled responses, one of each cluster."""


class Certificate(_Frozen):
    """A threshold from which verdicts may be trusted, what is promised, and on what it rests."""

    format: Literal[1] = FORMAT
    """Version of what a certificate holds and means."""
    scope: Scope
    """What it is for."""
    deciding: tuple[Deciding, ...] = Field(min_length=1)
    """Thresholds, in the order in which judges are asked; one entry where a panel decides."""
    alpha: Share
    """Share of the trusted verdicts that may disagree with humans."""
    delta: Share
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
    n_labels: int = Field(ge=1)
    """Independent labels in all."""
    n_tied: Count
    """Labelled responses on which humans were tied: counted as disagreements."""
    n_undecided: Count
    """Labelled responses left out because the panel had no verdict."""
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
    seen: tuple[Seen, ...] = Field(min_length=1)
    """Confidences and votes of the labelled responses, one of each cluster: to notice drift."""
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
        """Refuse counts that contradict each other or do not prove the promise."""
        from panopt.stats.binomial import certifies  # noqa: PLC0415 - scipy is imported late

        seen = sum(row.count for row in self.seen)
        if not self.errors <= self.n <= self.n_labels:
            raise ValueError(f"errors, n and n_labels must rise: {self._counts}")
        if seen != self.n_labels:
            raise ValueError(f"seen counts {seen} labels, not the {self.n_labels} of n_labels")
        if self.level > self.delta:
            raise ValueError(f"level = {self.level} must not be above delta = {self.delta}")
        if not certifies(self.errors, self.n, alpha=self.alpha, delta=self.level):
            raise ValueError(f"{self.errors} errors in {self.n} do not prove alpha = {self.alpha}")
        return self

    @property
    def _counts(self) -> tuple[int, int, int]:
        return self.errors, self.n, self.n_labels

    def __hash__(self) -> int:
        """Hash as its content."""
        return hash(self.sha256)

    @property
    def threshold(self) -> float:
        """Confidence from which the panel's verdicts are trusted; infinity: none is."""
        of_panel = [stage.threshold for stage in self.deciding if stage.judge == "panel"]
        return np.inf if not of_panel or of_panel[0] is None else of_panel[0]

    @property
    def sha256(self) -> str:
        """Hash of everything it holds."""
        return _hash(self.model_dump(mode="json"))

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
        content = self.model_dump(mode="json")
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
        if document["format"] != FORMAT:
            raise CertificateError(
                f"is a certificate of format {document['format']!r}; this panopt reads format "
                f"{FORMAT}: calibrate again with this version"
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
            where = ".".join(str(part) for part in first["loc"]) or "content"
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
