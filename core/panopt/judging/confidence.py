"""How sure a judge is of its verdict, from what it was seen to do; each way under its own name.

The sources and baselines of Jung et al. 2025 ("Trust or Escalate", section 2.2 and table 1):
predictive probability of the verdict, the same after a chain of thought, what the judge says of
itself, simulated annotators; and the share of votes over repeats, the posterior of a panel, and
how alike repeated texts are. A threshold that was certified on one of them means nothing on
another, so a confidence never goes without its source.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from panopt.judging.passes import REPEATS
from panopt.judging.verdict import Boolean, Labelled, Numeric, Pairwise, Verdict, VerdictKind

__all__ = [
    "ENTROPY",
    "LEXICAL",
    "MARGIN",
    "POSTERIOR",
    "PREDICTIVE",
    "REASONED",
    "REPEATS",
    "SETS",
    "VERBALISED",
    "Confidence",
    "alike",
    "from_shares",
    "mean_shares",
    "option_of",
    "options_of",
    "posterior",
    "swapped",
    "verbalised",
    "vote_share",
]

#: Names of the sources; certificates know a confidence by them.
PREDICTIVE = "predictive probability"
REASONED = "chain-of-thought probability"
VERBALISED = "verbalised"
MARGIN = "margin stated by the judge"
POSTERIOR = "panel posterior"
LEXICAL = "lexical similarity over repeats"
SETS = "semantic sets over repeats"
ENTROPY = "semantic entropy over repeats"

#: More whole levels than this have no options of their own.
MOST_LEVELS = 101

_SURE = 1e-6  # shares may miss a sum of 1 by rounding
_NUMBER = re.compile(r"\s*([0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?)\s*(%?)\s*")
_PLACES = ("first", "second", "tie")


@dataclass(frozen=True, slots=True)
class Confidence:
    """A confidence in a verdict, or why there is none.

    Attributes
    ----------
    value
        In [0, 1] (margins: any finite number, more is surer); None with a `reason`.
    source
        How it was obtained.
    reason
        Why there is none.
    shares
        Probability of each option of the verdict, adding up to 1, where the source gives that.
    missing
        Probability that lay on no option before the rest was brought to 1: on other words, on
        abstaining, or beyond the tokens that the provider tells.
    """

    value: float | None
    source: str
    reason: str | None = None
    shares: Mapping[str, float] | None = None
    missing: float | None = None


def options_of(kind: VerdictKind) -> tuple[str, ...]:
    """Name what a verdict may be, lowest first; nothing for scores without whole levels.

    Examples
    --------
    >>> options_of(Boolean()), options_of(Numeric(1, 4)), options_of(Numeric(0, 0.5))
    (('false', 'true'), ('1', '2', '3', '4'), ())
    """
    match kind:
        case Boolean():
            return ("false", "true")
        case Labelled():
            return kind.labels
        case Pairwise():
            return _PLACES if kind.ties else _PLACES[:2]
        case Numeric(low, high):
            whole = low == round(low) and high == round(high) and high - low < MOST_LEVELS
            return tuple(str(k) for k in range(round(low), round(high) + 1)) if whole else ()


def option_of(verdict: object, kind: VerdictKind) -> str | None:
    """Name the option that a verdict is; None where it is none.

    Examples
    --------
    >>> option_of(True, Boolean()), option_of(3.0, Numeric(1, 4)), option_of(3.5, Numeric(1, 4))
    ('true', '3', None)
    """
    if isinstance(kind, Labelled):
        return kind.find(verdict) if isinstance(verdict, str) else None
    if isinstance(kind, Boolean):
        return ("true" if verdict else "false") if isinstance(verdict, bool | int | float) else None
    if isinstance(kind, Numeric):
        number = isinstance(verdict, int | float) and not isinstance(verdict, bool)
        name = f"{verdict:g}" if number else None
    else:
        name = verdict if isinstance(verdict, str) else None
    return name if name in options_of(kind) else None


def from_shares(
    shares: Mapping[str, float], verdict: Verdict, *, kind: VerdictKind, source: str
) -> Confidence:
    """Give the confidence in a verdict, from the probabilities of what it might have been.

    Parameters
    ----------
    shares
        Probability of each option (:func:`options_of`), not above 1 in all; what is missing is
        shared out in proportion, and told.
    verdict
        What the judge said; of pairs in the same frame as `shares`.
    kind
        Of the verdict. Numbers with a threshold: the confidence is in its side of that.
    source
        Where the probabilities come from.

    Raises
    ------
    ValueError
        For shares that are no probabilities, or of an option that the kind has not.

    Examples
    --------
    >>> found = from_shares({"true": 0.6, "false": 0.2}, True, kind=Boolean(), source="logprobs")
    >>> round(found.value, 3), round(found.missing, 3)
    (0.75, 0.2)
    >>> likert = {"1": 0.1, "2": 0.2, "3": 0.3, "4": 0.4}
    >>> from_shares(likert, 3, kind=Numeric(1, 4, threshold=2.5), source="logprobs").value
    0.7
    """
    options = options_of(kind)
    stranger = next((name for name in shares if name not in options), None)
    if stranger is not None:
        raise ValueError(f"shares name {stranger!r}, which is none of {', '.join(options)}")
    total = math.fsum(shares.values())
    if not all(0.0 <= share <= 1.0 for share in shares.values()) or total > 1.0 + _SURE:
        raise ValueError(f"shares = {dict(shares)} must lie in [0, 1] with a sum of 1 at most")
    said = option_of(verdict, kind)
    if said is None:
        return Confidence(None, source, f"{verdict!r} is no option that has a probability")
    missing = max(0.0, 1.0 - total)
    if not total > 0.0:
        return Confidence(None, source, "no option has a probability", missing=missing)
    known = {name: shares.get(name, 0.0) / total for name in options}
    mine = [said]
    if isinstance(kind, Numeric) and kind.threshold is not None:
        passes = float(said) >= kind.threshold
        mine = [name for name in options if (float(name) >= kind.threshold) == passes]
    value = math.fsum(shares.get(name, 0.0) for name in mine) / total
    return Confidence(min(value, 1.0), source, shares=known, missing=missing)


def swapped(shares: Mapping[str, float]) -> dict[str, float]:
    """Give shares of places as shares of responses, or back, where the second was shown first.

    Examples
    --------
    >>> swapped({"first": 0.7, "second": 0.2, "tie": 0.1})
    {'second': 0.7, 'first': 0.2, 'tie': 0.1}
    """
    other = {"first": "second", "second": "first"}
    return {other.get(place, place): share for place, share in shares.items()}


def mean_shares(tables: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Average distributions: over annotators, over the two orders of a pair.

    Raises
    ------
    ValueError
        For none at all.

    Examples
    --------
    >>> mean_shares([{"first": 0.9, "second": 0.1}, swapped({"first": 0.5, "second": 0.5})])
    {'first': 0.7, 'second': 0.3}
    """
    if not tables:
        raise ValueError("tables is empty: there is nothing to average")
    names = dict.fromkeys(name for table in tables for name in table)
    return {
        name: math.fsum(table.get(name, 0.0) for table in tables) / len(tables) for name in names
    }


def verbalised(stated: object) -> Confidence:
    """Read the confidence that a judge states: 0 to 1, or 0 to 100; words are refused.

    A number of 1 or less is on [0, 1] unless a percent sign follows; whole numbers from 2 to 100
    are percentages. What lies between, such as 1.5, is neither.

    Examples
    --------
    >>> [verbalised(told).value for told in (0.9, "85%", 85, 1)]
    [0.9, 0.85, 0.85, 1.0]
    >>> verbalised("quite sure").reason
    "the stated confidence 'quite sure' is no number"
    """
    if stated is None:
        return Confidence(None, VERBALISED, "the judge states no confidence")
    number, percent = _stated(stated)
    if number is None:
        return Confidence(None, VERBALISED, f"the stated confidence {_shown(stated)} is no number")
    if percent or (number == round(number) and 2 <= number <= 100):
        number /= 100
    if not 0.0 <= number <= 1.0:
        why = f"the stated confidence {_shown(stated)} is neither in [0, 1] nor a percentage"
        return Confidence(None, VERBALISED, why)
    return Confidence(number, VERBALISED)


def vote_share(verdicts: Sequence[object], verdict: object) -> Confidence:
    """Give the share of repeated draws that gave a verdict; one draw tells nothing.

    Examples
    --------
    >>> vote_share([True, True, False], True).value.__round__(3)
    0.667
    """
    if len(verdicts) < 2:
        return Confidence(None, REPEATS, "a share of votes takes two draws or more")
    return Confidence(sum(one == verdict for one in verdicts) / len(verdicts), REPEATS)


def posterior(shares: Mapping[str, float], verdict: Verdict, *, kind: VerdictKind) -> Confidence:
    """Give the confidence that a panel's posterior puts into a verdict; see :func:`from_shares`."""
    return from_shares(shares, verdict, kind=kind, source=POSTERIOR)


def alike(texts: Sequence[str | None], *, source: str = LEXICAL) -> Confidence:
    """Give how alike the texts of repeated draws are, as a confidence in [0, 1].

    Parameters
    ----------
    texts
        Of one judge on one response; None and blank ones are left out.
    source
        `LEXICAL`: mean ROUGE-L of all pairs. `SETS`: 1 with one meaning, 0 with as many as texts.
        `ENTROPY`: one minus the entropy of the meanings over its largest value, the logarithm of
        the number of texts. Meanings are normalised exact matches.

    Raises
    ------
    ValueError
        For another source.

    Examples
    --------
    >>> alike(["the cat", "the cat", "a dog"]).value.__round__(3)
    0.333
    >>> alike(["Paris", "paris.", "Rome"], source=SETS).value
    0.5
    """
    if source not in (LEXICAL, SETS, ENTROPY):
        raise ValueError(f"source = {source!r} must be one of {LEXICAL!r}, {SETS!r}, {ENTROPY!r}")
    from panopt.stats.semantic import (  # noqa: PLC0415 - loads numpy
        lexical_similarity,
        semantic_entropy,
    )

    said = [text for text in texts if text is not None and text.strip()]
    n = len(said)
    if n < 2:
        return Confidence(None, source, "fewer than two draws wrote a text")
    item = [0] * n
    if source == LEXICAL:
        value = float(lexical_similarity(item, said)[0])
    else:
        found = semantic_entropy(item, said)
        spread = (found.n_clusters[0] - 1) / (n - 1)
        if source == ENTROPY:
            spread = found.entropy[0] / math.log(n)
        value = 1.0 - float(spread)
    return Confidence(min(max(value, 0.0), 1.0), source)


def _stated(stated: object) -> tuple[float | None, bool]:
    """Give a stated number, and whether a percent sign follows it."""
    if isinstance(stated, bool):
        return None, False
    if isinstance(stated, int | float):
        return (float(stated), False) if math.isfinite(stated) else (None, False)
    match = _NUMBER.fullmatch(stated) if isinstance(stated, str) and len(stated) < 40 else None
    return (None, False) if match is None else (float(match.group(1)), bool(match.group(2)))


def _shown(stated: object) -> str:
    text = repr(stated)
    return text if len(text) <= 60 else f"{text[:60]}..."
