"""What an audit of judges says in words: units, sentences, and why an audit is missing."""

from __future__ import annotations

from typing import NamedTuple

from panopt.findings import SubjectKind
from panopt.stats.audit_effect import AuditEffect

__all__ = [
    "ASSUMED",
    "MISSING",
    "Tested",
    "scale_may_explain",
    "sentence",
    "unit_of",
    "worth_telling",
]

MOST_TOLD = 2
#: With fewer systems of other families one cannot tell a family from a system.
FEW_SYSTEMS = 6
_STRETCH = 0.5  # by how much a judge may stretch one part of the scale beside another
_SCORE = "score in [0, 1]"


class Tested(NamedTuple):
    """One effect of one judge, and what its sentence needs."""

    name: str
    judge: str
    effect: AuditEffect
    words: dict[str, float | str]
    kind: SubjectKind = "judge"


class _Told(NamedTuple):
    least: float
    """The least effect that is worth a sentence."""
    unit: str
    text: str


#: The gravest first.
_TOLD: dict[str, _Told] = {
    "self_preference_humans": _Told(
        0.03,
        _SCORE,
        "judge {judge} gives answers of its own family ({family}) {size} {more} than answers of "
        "others that humans score alike",
    ),
    "self_preference": _Told(
        0.03,
        _SCORE,
        "judge {judge} gives answers of its own family ({family}) {size} {more} than other judges "
        "do, after taking out how it scores answers of other families",
    ),
    "self_preference_pairs": _Told(
        0.03,
        "share of pairs won",
        "judge {judge} lets answers of its own family ({family}) win {size} {more} often than "
        "other judges do, against answers of other families",
    ),
    "length_bias_humans": _Told(
        0.02,
        f"{_SCORE} per doubling of the length",
        "judge {judge} gives an answer twice as long {size} {more}, where humans score both alike",
    ),
    "length_bias": _Told(
        0.02,
        f"{_SCORE} per doubling of the length",
        "judge {judge} gives an answer twice as long {size} {more} than the other judges do",
    ),
    "version_drift": _Told(
        0.03,
        _SCORE,
        "{judge}: the later scores the same answers {size} {more} than the earlier",
    ),
    "time_drift": _Told(
        0.02,
        f"{_SCORE} per 30 days",
        "judge {judge} scores {size} {more} every 30 days, beside the other judges",
    ),
    "repeat_flips_excess": _Told(
        0.05,
        "share of pairs of repeats",
        "judge {judge}, asked the same again, changes between pass and fail in {rate:.0%} of pairs "
        "of repeats, {size} {more} than the other judges",
    ),
    "scale_ends": _Told(
        0.3,
        "share of scores",
        "judge {judge} gives {top:.0%} of its scores at the top and {bottom:.0%} at the bottom of "
        "the scale, {size} {more} than the other judges give at the ends",
    ),
}
_UNITS = {
    "scale_entropy": "share of the largest entropy",
    "position_lean": "share of pairs above one half",
    "repeat_flips": "share of pairs of repeats",
}
#: Effects of which one direction alone is told.
#: That a judge gives its own family less than others do may be another judge's liking of it.
_ONE_WAY = frozenset(
    ("repeat_flips_excess", "scale_ends", "self_preference", "self_preference_pairs")
)

_PANEL = "the other judges have no such liking of their own, and judges err independently"
_HUMANS = "the human score is the quality"
_BESIDE = "what the other judges do is fair"
ASSUMED: dict[str, str] = {
    "self_preference": _PANEL,
    "self_preference_pairs": _PANEL,
    "length_bias": _PANEL,
    "self_preference_humans": _HUMANS,
    "length_bias_humans": _HUMANS,
    "scale_ends": _BESIDE,
    "scale_entropy": _BESIDE,
    "repeat_flips_excess": _BESIDE,
    "time_drift": "runs depart from the trend independently; what is judged has no trend that "
    "judge and others see differently",
}
#: Why an audit found nothing to look at.
MISSING: dict[str, str] = {
    "self_preference": "no judge is known to be of one maker with some of the systems, and not "
    "with others (--family NAME=MAKER tells)",
    "length_bias": "no source tells how long responses are, or there is no other judge",
    "scale_ends": "the scale has only two levels, or there is no other judge",
    "repeat_flips": "no judge scored a response twice",
    "version_drift": "no two judges are versions of one, and none judged the same responses in "
    "two runs with dates",
    "time_drift": "there are not four runs of different dates, or there is no other judge",
}


def unit_of(name: str) -> str:
    """Give the unit of an effect."""
    return _TOLD[name].unit if name in _TOLD else _UNITS[name]


def scale_may_explain(test: Tested, *, is_binary: bool = False) -> bool:
    """Tell whether a liking may be no more than another use of the scale.

    Where the others find the favoured answers better (`details`: ``quality``), a judge that
    stretches the upper part of the scale gives them more without any liking. One that stretches it
    by half may be; by as much again where its use of the scale is not measured (one other judge),
    or cannot be (pass or fail: a strict judge tells apart only the best).

    Examples
    --------
    >>> told = {"quality": 0.2, "slope": 1.0}
    >>> effect = AuditEffect(0.1, 0.05, 0.15, 0.02, 9.0, 0.01, 40, 10, 0.05, "", details=told)
    >>> scale_may_explain(Tested("self_preference", "judge", effect, {}))
    True
    """
    value, quality = test.effect.value, test.effect.details.get("quality")
    if value is None or quality is None:
        return False
    if is_binary and _human(test):  # pass or fail is all of quality: there is nothing to stretch
        return False
    slope = abs(test.effect.details.get("slope", 1.0))
    is_measured = slope != 1.0 and not is_binary
    return abs(value) <= abs(quality) * (_STRETCH * slope if is_measured else max(1.0, slope))


def worth_telling(tests: list[Tested], *, is_binary: bool = False) -> list[Tested]:
    """Choose what a first look must show: shown beyond chance, large, the gravest kind first.

    `is_binary` says that scores are pass or fail; see :func:`scale_may_explain`.
    """
    grave = list(_TOLD)
    by_humans = {(test.name.removesuffix("_humans"), test.judge) for test in tests if _human(test)}
    found: list[tuple[int, float, int, Tested]] = []
    for test in tests:
        value = test.effect.value
        if test.name not in _TOLD or value is None or not test.effect.shown():
            continue
        if (test.name, test.judge) in by_humans:  # humans have said what the panel may only guess
            continue
        if not _of_family(test) or scale_may_explain(test, is_binary=is_binary):
            continue
        if (value if test.name in _ONE_WAY else abs(value)) >= _TOLD[test.name].least:
            found.append((grave.index(test.name), -abs(value), len(found), test))
    kinds: dict[str, list[Tested]] = {}
    for *_, test in sorted(found, key=lambda each: each[:3]):
        kinds.setdefault(test.name.removesuffix("_humans"), []).append(test)
    return [_and_others(of) for of in kinds.values()][:MOST_TOLD]


def _of_family(test: Tested) -> bool:
    """Tell whether a judge's own family is not merely one of several that it likes, or not."""
    others, liked = test.words.get("other_systems"), test.words.get("liked_as_much")
    if others is None or liked is None:
        return True
    return liked == (0.0 if (test.effect.value or 0.0) > 0.0 else others)


def _human(test: Tested) -> bool:
    return test.name.endswith("_humans") and test.effect.p is not None


def _and_others(tests: list[Tested]) -> Tested:
    """Give the largest effect, and how many other judges are shown to have it the same way."""
    first = tests[0]
    value = first.effect.value or 0.0
    alike = {test.judge for test in tests[1:] if (test.effect.value or 0.0) * value > 0.0}
    return first._replace(words=first.words | {"others_alike": float(len(alike - {first.judge}))})


def sentence(criterion: str, test: Tested) -> str:
    """Say an effect in words for a reader who knows no statistics."""
    effect, value = test.effect, test.effect.value or 0.0
    words: dict[str, float | str] = {
        "judge": test.judge,
        "size": f"{abs(value):.2g}",
        "more": "more" if value > 0 else "less",
    }
    told = _TOLD[test.name].text.format(**(words | test.words))
    ends = ""
    if effect.low is not None and effect.high is not None:
        low, high = sorted((abs(effect.low), abs(effect.high)))
        ends = f" ({low:.2g} to {high:.2g})"
    alike = test.words.get("others_alike", 0.0)
    if isinstance(alike, float) and alike > 0.0:
        ends += f", and {alike:.0f} other judge{'s' * (alike > 1)} likewise"
    systems, aside = test.words.get("other_systems"), ""
    if isinstance(systems, float) and systems < FEW_SYSTEMS:
        several = f"{systems:.0f} other system{'s' * (systems > 1)}"
        aside = f"; with {several} it may be a liking of the one, not of its family"
        if value < 0.0:
            aside = aside.replace("liking", "dislike")
    return f"{criterion}: {told}{ends}{aside}"
