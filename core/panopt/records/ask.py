"""What the user asks: one frozen object with every option of an analysis, and one of a reading."""

from __future__ import annotations

from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from panopt.errors import AskError
from panopt.records.certificate import Certificate

__all__ = ["Ask", "Reading", "checked"]


Options = TypeVar("Options", bound=BaseModel)


class Ask(BaseModel):
    """Every option of an analysis; unknown names are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    criterion: tuple[str, ...] = ()
    """Criteria to analyze; all of them where empty."""
    aggregate: str = "auto"
    """Aggregation method by name, or ``auto``: by scale, number of judges and labels."""
    alpha: float = Field(default=0.1, gt=0, lt=1)
    """Disagreement with humans that is tolerated among trusted responses; miscoverage of
    conformal intervals."""
    delta: float = Field(default=0.1, gt=0, le=0.5)
    """Probability, over the draw of the calibration labels, that a certificate fails; what fails
    more often than it holds is no promise."""
    level: float = Field(default=0.95, gt=0, lt=1)
    """Confidence level of intervals."""
    threshold: float = Field(default=0.5, ge=0, le=1)
    """A response passes at or above this value on [0, 1]."""
    min_successful: int = Field(default=1, ge=1)
    """Fewer decisive judges than this leave a response inconclusive."""
    seed: int = Field(default=0, ge=0)
    """Seed of everything random."""
    n_boot: int = Field(default=1000, ge=0)
    """Bootstrap draws; 0 for none."""
    families: tuple[tuple[str, str], ...] = ()
    """Pairs (judge or system, maker of its model) that go before what the names say."""
    certificate: Certificate | None = None
    """What decides on trust for its criterion, instead of labels in these logs."""
    cascade: tuple[str, ...] = ()
    """To certify: judges of a cascade, cheap to strong; a panel of all judges where empty."""
    costs: tuple[tuple[str, Annotated[float, Field(ge=0)]], ...] = ()
    """To certify a cascade: pairs (judge, price of one judgment); 1 where not given."""
    cascade_method: Literal["joint_path", "per_stage"] = "joint_path"
    """To certify a cascade: test the risk of the whole, or of judge after judge."""
    same_prompts: bool = False
    """Vouch that judges whose prompt is not known, here or in the certificate, had the same."""


class Reading(BaseModel):
    """Every option of reading sources; unknown names are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    columns: tuple[tuple[str, str], ...] = ()
    """For tables: pairs (panopt's column, column of the file)."""
    judge_kind: Literal["llm", "human", "program"] = "llm"
    """Kind of judges in tables that do not say; ``human`` when labels are read."""
    scales: tuple[tuple[str, str], ...] = ()
    """Declared scales: pairs (judge or ``*``, text of a Scale); undeclared ones are inferred."""
    human: tuple[str, ...] = ()
    """Judges, scorers or metrics whose verdicts are human labels; ``target``: Inspect's target."""
    scorers: Literal["auto", "judges", "criteria"] = "auto"
    """How several Inspect scorers are read: judges of one criterion, or a criterion each."""
    keys: Literal["auto", "judges", "criteria"] = "auto"
    """How the keys of dict-valued scores are read."""
    cluster: str = ""
    """Field of a sample's or test's metadata, or column of a table, that names the cluster of
    its item: what items have in common; ``cluster`` where empty."""
    off_scale: Literal["error", "fail"] = "error"
    """Scores off a declared scale: refuse the source, or count them as failed votes."""
    tier: Literal["auto", "api", "fast"] = "auto"
    """Which Inspect reader: the public API, the fast one, or by size."""
    low_memory: bool = False
    """Stream large JSON files instead of mapping them: slower, memory independent of size."""
    rationales: bool = True
    """Keep what the judges wrote."""
    strict: bool = False
    """Make warnings errors."""


def checked(model: type[Options], **options: object) -> Options:
    """Build an options object, turning pydantic's errors into one line.

    Raises
    ------
    AskError
        Naming option, value and rule.
    """
    try:
        return model(**options)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise AskError(f"option {name} = {first['input']!r}: {first['msg']}") from error
