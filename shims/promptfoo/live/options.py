"""What a user may set for a panel inside a promptfoo run, and where: environment, file or call.

promptfoo hands a scoring function scores and results, and no configuration. So options stand in the
environment (``PANOPT_RULE=median``), in a YAML or JSON file that ``PANOPT_PANEL`` names, or in the
call of a function of one's own; each goes before the former.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path

from panopt.errors import AskError

__all__ = ["PanelOptions", "read_options"]

PREFIX = "PANOPT_"
FILE = "PANOPT_PANEL"
KINDS = ("numeric", "boolean")
TRUE = ("1", "true", "yes", "on")
FALSE = ("0", "false", "no", "off", "")


@dataclass(frozen=True, slots=True)
class PanelOptions:
    """Options of a panel; see ``shims/README.md``.

    Attributes
    ----------
    kind
        ``numeric``: votes are scores; ``boolean``: votes are the judges' pass flags.
    rule
        A name of :data:`panopt.stats.rule_names.RULES`; None: ``mean`` of scores, ``majority`` of
        flags.
    threshold
        On [0, 1]; None: that of the test, else 1/2.
    min_successful
        Fewer judges with a verdict than this leave the row inconclusive, which fails it.
    tie_break
        What becomes of a tie of a rule that counts labels.
    scales
        By judge, ``*`` for the others: text of its scale. Undeclared scores must be on [0, 1].
    weights
        By judge; others have that of their assertion.
    criterion
        The one to judge by; None: all that models judged, of which each must pass.
    scorers
        How assertions become criteria, as ``panopt analyze --scorers``.
    certificate
        What the hook decides by.
    same_prompts
        Vouch for prompts that are not known.
    """

    kind: str = "numeric"
    rule: str | None = None
    threshold: float | None = None
    min_successful: int = 1
    tie_break: str | None = None
    scales: Mapping[str, str] = field(default_factory=dict)
    weights: Mapping[str, float] = field(default_factory=dict)
    criterion: str | None = None
    scorers: str = "auto"
    certificate: str | None = None
    same_prompts: bool = False

    def __post_init__(self) -> None:
        """Refuse what is off its range, naming option, value and rule."""
        from panopt.stats.rule_names import RULES  # noqa: PLC0415 - light, but not for the hook

        if self.kind not in KINDS:
            raise AskError(f"kind = {self.kind!r} must be one of {', '.join(KINDS)}")
        if self.rule is not None and self.rule not in RULES:
            raise AskError(f"rule = {self.rule!r} must be one of {', '.join(RULES)}")
        if self.threshold is not None and not 0.0 <= self.threshold <= 1.0:
            raise AskError(f"threshold = {self.threshold} must lie on [0, 1]")
        if self.min_successful < 1:
            raise AskError(f"min_successful = {self.min_successful} must be 1 or more")
        if self.scorers not in ("auto", "judges", "criteria"):
            raise AskError(f"scorers = {self.scorers!r} must be auto, judges or criteria")
        for name, weight in self.weights.items():
            if not 0.0 <= weight < float("inf"):
                raise AskError(f"weight {weight} of {name!r} must be a finite number, 0 or more")


def read_options(
    given: Mapping[str, object] | None = None, environ: Mapping[str, str] | None = None
) -> PanelOptions:
    """Read the options of this run.

    Parameters
    ----------
    given
        What the call says: goes before everything.
    environ
        The environment; that of the process where not given.

    Raises
    ------
    AskError
        For an option that is unknown or off its range, naming where it stands.

    Examples
    --------
    >>> read_options({"rule": "median"}, {"PANOPT_MIN_SUCCESSFUL": "3"}).min_successful
    3
    """
    environ = os.environ if environ is None else environ
    known = {option.name for option in fields(PanelOptions)}
    taken: dict[str, object] = {
        name: environ[PREFIX + name.upper()]
        for name in known - {"scales", "weights"}
        if environ.get(PREFIX + name.upper())
    }
    file = environ.get(FILE)
    if file:
        taken |= _known(_of_file(Path(file)), known, file)
    taken |= _known(given or {}, known, "the call")
    return PanelOptions(**{name: _typed(name, value) for name, value in taken.items()})  # type: ignore[arg-type]  # checked by _typed


def _of_file(path: Path) -> dict[str, object]:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise AskError(f"{FILE} = {path}: cannot be read ({error.strerror})") from error
    try:
        if path.suffix == ".json":
            found = json.loads(text)
        else:
            import yaml  # noqa: PLC0415 - one process a row: what is not needed is not loaded

            found = yaml.safe_load(text)
    except Exception as error:  # json's, yaml's: both tell where
        raise AskError(f"{FILE} = {path}: {' '.join(str(error).split())}") from error
    if not isinstance(found, dict):
        raise AskError(f"{FILE} = {path}: options are a mapping of names to values")
    certificate = found.get("certificate")
    if isinstance(certificate, str):
        found["certificate"] = str(path.parent / certificate)
    return found


def _known(found: Mapping[str, object], known: set[str], where: str) -> dict[str, object]:
    unknown = sorted(str(name) for name in found if name not in known)
    if unknown:
        names = ", ".join(sorted(known))
        raise AskError(f"option {unknown[0]!r} of {where} is unknown; known: {names}")
    return {name: value for name, value in found.items() if value is not None}


def _typed(name: str, value: object) -> object:
    """Bring a value from text or YAML to the type of its option."""
    if name in ("scales", "weights"):
        if not isinstance(value, Mapping):
            raise AskError(f"{name} = {value!r} must be a mapping of judges")
        made = {str(judge): inner for judge, inner in value.items()}
        if name == "scales":
            return {judge: str(text) for judge, text in made.items()}
        return {judge: _number(f"weight of {judge}", weight) for judge, weight in made.items()}
    if name == "threshold":
        return _number(name, value)
    if name == "min_successful":
        number = _number(name, value)
        if number != int(number):
            raise AskError(f"{name} = {value!r} must be a whole number")
        return int(number)
    if name == "same_prompts":
        word = str(value).lower()
        if word not in (*TRUE, *FALSE):
            raise AskError(f"{name} = {value!r} must be true or false")
        return word in TRUE
    return str(value)


def _number(name: str, value: object) -> float:
    try:
        if isinstance(value, bool):
            raise TypeError  # noqa: TRY301 - one message for both
        return float(value)  # type: ignore[arg-type]  # what is no number raises
    except (TypeError, ValueError):
        raise AskError(f"{name} = {value!r} must be a number") from None
