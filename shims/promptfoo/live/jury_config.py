"""The configuration of a jury provider: which judges, what verdict, how their votes count."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from panopt.errors import AskError
from panopt.judging import Boolean, Budget, Numeric
from panopt.judging.models import open_judge
from panopt.judging.prompts import PromptMaker
from panopt.judging.protocol import Judge
from panopt.jury import Jury

__all__ = ["JuryConfig", "open_jury", "read_config"]

Positive = Annotated[float, Field(gt=0)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class JudgeConfig(_Frozen):
    """One judge: a model, and the name it goes by."""

    model: str = Field(min_length=1)
    """As Inspect names it: ``openai/gpt-4o-mini``."""
    name: str | None = None
    """In results; the model's where not given."""


class BudgetConfig(_Frozen):
    """What one provider may spend in a run."""

    calls: int | None = Field(default=None, ge=1)
    tokens: int | None = Field(default=None, ge=1)
    cost: Positive | None = None


class JuryConfig(_Frozen):
    """``config`` of the provider in promptfoo's configuration; unknown names are errors."""

    judges: tuple[JudgeConfig, ...] = Field(min_length=1)
    """The panel; a string is a model's name."""
    replacements: tuple[JudgeConfig, ...] = ()
    """Stand in for judges that failed."""
    kind: Literal["numeric", "boolean"] = "numeric"
    """What verdict is asked for."""
    low: float = 0.0
    """Least score."""
    high: float = 1.0
    """Greatest score."""
    threshold: float | None = None
    """A score from here on passes; the middle of the range where not given."""
    rule: str | None = None
    """How votes count; the mean of scores, the plurality of verdicts where not given."""
    min_successful: int = 1
    """Judges a verdict takes."""
    repeats: int = 1
    """Draws of each judge."""
    weights: dict[str, float] | None = None
    """Of judges, by name."""
    tie_break: str | None = None
    """What a tie counts as."""
    assignment: str = "all"
    """``cyclic``: each item goes to one judge, by its id."""
    strict_panel: bool = False
    """Refuse a panel of one family of models, or of that of `system`."""
    families: dict[str, str] = Field(default_factory=dict)
    """Makers of models, before what their names say."""
    system: str | None = None
    """Model under test, which promptfoo does not tell."""
    timeout: Positive | None = None
    """Seconds a call may take."""
    max_concurrency: int | None = Field(default=None, ge=1)
    """Calls at once."""
    budget: BudgetConfig | None = None
    """What may be spent."""
    task: str = "question"
    """Variable that holds what the system was asked; all variables where there is none."""
    rubric: str | None = None
    """By what to judge, instead of the assertion's value."""
    template: str | None = None
    """The judges' prompt; see :class:`panopt.judging.prompts.PromptMaker`."""
    basePath: str | None = None  # noqa: N815 - promptfoo adds it to every provider
    """Unused."""
    workers: int | None = None
    """Processes; read by promptfoo."""

    @field_validator("judges", "replacements", mode="before")
    @classmethod
    def _named(cls, given: object) -> object:
        if not isinstance(given, list | tuple):
            return given
        return [{"model": one} if isinstance(one, str) else one for one in given]

    @property
    def verdict(self) -> Boolean | Numeric:
        """The kind of verdict that is asked for."""
        if self.kind == "boolean":
            return Boolean()
        middle = (self.low + self.high) / 2
        return Numeric(self.low, self.high, middle if self.threshold is None else self.threshold)


def read_config(given: object) -> JuryConfig:
    """Read the configuration of a provider.

    Raises
    ------
    AskError
        Naming the option that is unknown or off its range.
    """
    try:
        return JuryConfig.model_validate(given if given is not None else {})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "config"
        shown = repr(first["input"])[:80]
        raise AskError(f"config of the jury: {where} = {shown}: {first['msg']}") from error


def open_jury(config: JuryConfig) -> Jury:
    """Open the judges of a configuration, and seat them.

    Raises
    ------
    AskError
        For a panel that cannot be, or judges that cannot be called here.
    """
    kind = config.verdict
    prompts = PromptMaker(kind, rubric=config.rubric, template=config.template)

    def seated(judges: tuple[JudgeConfig, ...]) -> list[Judge]:
        return [open_judge(judge.model, prompts, name=judge.name) for judge in judges]

    options: dict[str, Any] = {
        name: getattr(config, name)
        for name in (
            "rule",
            "min_successful",
            "repeats",
            "weights",
            "tie_break",
            "assignment",
            "strict_panel",
            "families",
            "system",
            "timeout",
            "max_concurrency",
        )
    }
    budget = None if config.budget is None else Budget(**config.budget.model_dump())
    return Jury(
        seated(config.judges),
        kind=kind,
        replacements=seated(config.replacements),
        budget=budget,
        **options,
    )
