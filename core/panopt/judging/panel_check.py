"""Check who sits on a panel: judges of the system's own family, of one family, or the same twice.

Families are read off the names of models; an override map corrects them. Judges of unknown
families neither raise an alarm nor switch the check of the others off.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from panopt.errors import AskError
from panopt.records.families import family_of, family_warnings, model_codes

__all__ = ["check_panel", "same_weights", "weights_codes"]


def check_panel(  # noqa: PLR0913 - who judges, who is judged, and what is known of them
    judges: Sequence[str],
    *,
    models: Mapping[str, str | None] | None = None,
    system: str | None = None,
    replacements: Sequence[str] = (),
    strict: bool = False,
    families: Mapping[str, str] | None = None,
) -> tuple[str, ...]:
    """Warn of, or refuse, a panel that shares its makers with what it judges or with itself.

    Parameters
    ----------
    judges
        Names of the judges.
    models
        Model behind each judge by name; where there is none the name is read.
    system
        Model under test; None where it is not known yet.
    replacements
        Names of judges that may stand in: they must not be of the system's family either.
    strict
        Refuse a judge of the system's family, and a panel of one family.
    families
        Maker of a judge, model or system by name, before what the name says: ``{"my-proxy":
        "anthropic"}``, or with the model, so that the same weights are known behind any
        provider: ``{"my-proxy": "anthropic/claude-3-opus"}``.

    Returns
    -------
    tuple of str
        Warnings, in words.

    Raises
    ------
    AskError
        Where `strict`, with the same words.

    Examples
    --------
    >>> check_panel(["gpt-4o", "command-r-plus"], system="neo3-7b")
    ()
    >>> check_panel(["a", "b"], models={"a": "o3-mini", "b": "gpt-4o"}, strict=True)
    Traceback (most recent call last):
    panopt.errors.AskError: strict_panel: all judges are models of openai: an error they share looks like agreement; add a judge of another family
    """  # noqa: E501 - the sentence is one line
    made = _lowered(families)
    everyone = (*judges, *replacements)
    shown = {judge: (models or {}).get(judge) or judge for judge in everyone}
    makers = {judge: _maker((judge, shown[judge]), made) for judge in everyone}
    if system is not None:
        makers.setdefault(system, _maker((system,), made))
    told = tuple((name, maker or "unknown") for name, maker in makers.items())
    found = family_warnings(judges, overrides=told)
    if system is not None:
        alone = family_warnings(everyone, overrides=told)
        of_system = family_warnings(everyone, (system,), overrides=told)
        found = (*(text for text in of_system if text not in alone), *found)
    if strict and found:
        raise AskError(f"strict_panel: {'; '.join(found)}")
    twice = same_weights(judges, models=models, families=families)
    return (*found, *(_of_twins(group) for group in twice))


def same_weights(
    judges: Sequence[str],
    *,
    models: Mapping[str, str | None] | None = None,
    families: Mapping[str, str] | None = None,
) -> tuple[tuple[str, ...], ...]:
    """Find judges that are one model, whoever serves it.

    Examples
    --------
    >>> same_weights(["openai/gpt-4o", "openrouter/openai/gpt-4o", "claude-3-opus"])
    (('openai/gpt-4o', 'openrouter/openai/gpt-4o'),)
    """
    shown = [(judge, (models or {}).get(judge)) for judge in judges]
    groups: dict[int, list[str]] = {}
    for judge, code in zip(judges, weights_codes(shown, families), strict=True):
        groups.setdefault(code, []).append(judge)
    return tuple(tuple(group) for group in groups.values() if len(group) > 1)


def weights_codes(
    judges: Sequence[tuple[str, str | None]], families: Mapping[str, str] | None = None
) -> tuple[int, ...]:
    """Give judges, as name and model, numbers that are equal for one model, whoever serves it.

    Examples
    --------
    >>> weights_codes([("a", "gpt-4o"), ("b", "azure/gpt-4o"), ("c", None)], {"C": "openai/gpt-4o"})
    (0, 0, 0)
    """
    made = _lowered(families)
    names = []
    for judge, given in judges:
        model = given or judge
        stated = made.get(judge.casefold(), made.get(model.casefold(), ""))
        names.append(stated if "/" in stated else model)
    return model_codes(names)


def _lowered(families: Mapping[str, str] | None) -> dict[str, str]:
    found = {}
    for name, maker in (families or {}).items():
        given: object = maker
        if not (isinstance(given, str) and given.strip()):
            raise AskError(f"families[{name!r}] = {maker!r} must name a maker, or maker/model")
        found[name.casefold()] = maker.strip().casefold()
    return found


def _maker(names: Sequence[str], made: Mapping[str, str]) -> str | None:
    """Give the maker of a judge or system, by what is stated of any of its names first."""
    for name in names:
        stated = made.get(name.casefold())
        if stated is not None:
            maker = stated.split("/")[0]
            return None if maker == "unknown" else maker
    return family_of(names[-1])


def _of_twins(group: Sequence[str]) -> str:
    return (
        f"judges {', '.join(group)} are one model: their votes are not independent, and count "
        "as one where prompts are the same"
    )
