"""What the metrics of panels compute; pure, over Inspect's scores of samples."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from inspect_ai.scorer import SampleScore
from numpy.typing import NDArray

from panopt.shims.inspect.juries import BY, PANEL
from panopt.shims.inspect.live.panel_score import PASSED, RESERVED
from panopt.shims.inspect.values import convert, kind_of
from panopt.stats.agreement import raw_agreement
from panopt.stats.alpha import krippendorff_alpha
from panopt.stats.chance_corrected import gwet_ac1
from panopt.stats.mean import mean_interval
from panopt.stats.reliability import Reliability

__all__ = ["agreement_of", "bias_of", "costs_of", "judges_of", "mean_of", "votes_of"]

Floats = NDArray[np.float64]
Numbers = dict[str, str | int | float | bool | None]

COUNTED = ("asked", "abstained", "failed", "replaced", "flipped", "calls")


def mean_of(scores: Sequence[SampleScore], *, level: float = 0.95) -> Numbers:
    """Give mean, pass rate and shares of labels of the panel, with intervals.

    Parameters
    ----------
    scores
        Of panels, or of any scorer with numbers, letters or bools.
    level
        Of the intervals.
    """
    values = [_of(score, PANEL) for score in scores]
    kind = _kind(scores)
    found: Numbers = {}
    labels = [value for value in values if _is_label(value, kind)]
    if labels:
        counts = Counter(str(label) for label in labels)
        found |= {f"share {label}": n / len(labels) for label, n in sorted(counts.items())}
    elif kind != "labelled":
        numbers = _numbers(values)
        found |= _interval("mean", "", numbers, scores, level)
        if kind == "pairwise":
            for name, won in (("wins", 1.0), ("ties", 0.5), ("losses", 0.0)):
                found[name] = int(np.count_nonzero(numbers == won))
    passed = _numbers([_of(score, PASSED) for score in scores])
    if kind != "boolean" and not np.isnan(passed).all():
        found |= _interval("pass_rate", "pass_", passed, scores, level)
    return found


def agreement_of(
    scores: Sequence[SampleScore], *, level: float = 0.95, n_boot: int = 1000
) -> Numbers:
    """Give alpha, AC1 and raw agreement of the judges, as far as they are defined."""
    names, votes, nominal = _votes(scores)
    if len(names) < 2:
        return {}
    clusters = [str(score.sample_id) for score in scores]
    rng = np.random.default_rng(0)  # of resamples: the same log gives the same interval
    alpha = krippendorff_alpha(
        votes,
        level="nominal" if nominal else "interval",
        n_boot=n_boot,
        rng=rng,
        alpha=1.0 - level,
        clusters=clusters,
        raters=names,
    )
    found = _told("alpha", alpha) | {"alpha_n": alpha.n_units}
    if nominal:
        for name, measure in (("ac1", gwet_ac1), ("agreement", raw_agreement)):
            result = measure(votes, alpha=1.0 - level, clusters=clusters, raters=names)
            found |= _told(name, result)
    return found


def judges_of(scores: Sequence[SampleScore]) -> Numbers:
    """Give the mean of each judge over its own votes; none for labels."""
    kind = _kind(scores)
    columns = _columns(scores)
    if any(_is_label(vote, kind) for column in columns.values() for vote in column):
        return {}
    means: Numbers = {}
    for name, column in columns.items():
        votes = _numbers(column)
        given = votes[~np.isnan(votes)]
        means[name] = float(given.mean()) if given.size else None
    return means


def votes_of(scores: Sequence[SampleScore], *, level: float = 0.95) -> Numbers:
    """Count how responses and votes fared."""
    told = [_jury(score) for score in scores]
    if not any(told):
        return {}
    outcomes = Counter(str(jury.get("outcome")) for jury in told if jury)
    found: Numbers = {"decided": 0, **dict(sorted(outcomes.items()))}
    open_ones = np.array([float(_open(score)) for score in scores])
    found |= _interval("undecided_rate", "undecided_", open_ones, scores, level)
    sums = {name: sum(_count(jury.get(name)) for jury in told) for name in COUNTED}
    found |= {f"votes_{name}": sums[name] for name in COUNTED[:-1]}
    found["calls"] = sums["calls"]
    found["abstention_rate"] = sums["abstained"] / sums["asked"] if sums["asked"] else None
    found["degraded"] = sum(bool(jury.get("degraded")) for jury in told)
    failures = Counter(
        str(error).split(":", 1)[0]
        for score in scores
        for error in _texts(score, "errors").values()
    )
    found |= {f"failed_{kind}": n for kind, n in sorted(failures.items())}
    return found | costs_of(told)


def costs_of(told: Sequence[Mapping[str, Any]]) -> Numbers:
    """Give what all calls cost, and where a cache answered some, what this run paid for.

    Parameters
    ----------
    told
        ``metadata.jury`` of the scores.
    """
    costs = [jury["cost"] for jury in told if isinstance(jury.get("cost"), int | float)]
    found: Numbers = {"cost": math.fsum(costs) if costs else None}
    copies = sum(_count(jury.get("cached")) for jury in told)
    if copies:
        paid = [jury.get("spent" if jury.get("cached") else "cost") for jury in told]
        known = [float(cost) for cost in paid if isinstance(cost, int | float)]
        found["calls_cached"] = copies
        found["cost_of_run"] = math.fsum(known) if costs else None
    return found


def bias_of(scores: Sequence[SampleScore], *, label: str, level: float = 0.95) -> Numbers:
    """Give the mean difference of panel and judges from human labels, with intervals."""
    humans = _numbers([(score.sample_metadata or {}).get(label) for score in scores])
    found: Numbers = {}
    columns = {PANEL: [_of(score, PANEL) for score in scores]} | _columns(scores)
    for name, column in columns.items():
        found |= _interval(name, f"{name} ", _numbers(column) - humans, scores, level)
    return found


def _interval(
    name: str, prefix: str, numbers: Floats, scores: Sequence[SampleScore], level: float
) -> Numbers:
    """Give the mean of those that are no NaN, its interval and their number."""
    known = ~np.isnan(numbers)
    clusters = np.array([str(score.sample_id) for score in scores], dtype=object)
    ids = [str(one) for one in clusters[known]]
    result = mean_interval(numbers[known], clusters=ids or None, alpha=1.0 - level)
    return {
        name: result.value,
        f"{prefix}low": result.low,
        f"{prefix}high": result.high,
        f"{prefix}n": result.n,
    }


def _columns(scores: Sequence[SampleScore]) -> dict[str, list[Any]]:
    """Give what each judge said of each response, by name; None where it has no vote."""
    dicts = [score.score.value for score in scores if isinstance(score.score.value, dict)]
    names = sorted({key for value in dicts for key in value} - RESERVED)
    return {name: [_of(score, name) for score in scores] for name in names}


def _votes(scores: Sequence[SampleScore]) -> tuple[list[str], Floats, bool]:
    """Give names of the judges, their votes (scores, judges) and whether they are categories."""
    told = _columns(scores)
    names, columns = list(told), list(told.values())
    kind = _kind(scores)
    given = {str(vote) for column in columns for vote in column if _is_label(vote, kind)}
    labels = sorted(given)
    votes = np.full((len(scores), len(names)), np.nan)
    for j, column in enumerate(columns):
        if labels:
            votes[:, j] = [labels.index(v) if v in given else np.nan for v in column]
        else:
            votes[:, j] = _numbers(column)
    return names, votes, bool(labels) or kind == "boolean"


def _of(score: SampleScore, key: str) -> Any:  # noqa: ANN401 - a score's value
    value = score.score.value
    if isinstance(value, Mapping):
        return value.get(key)
    return value if key == PANEL else None


def _numbers(values: Iterable[Any]) -> Floats:
    """Read numbers, bools and letters as panopt reads them from a log; all else is NaN."""
    listed = [value if _is_number(value) else None for value in values]
    found = convert(listed, [None] * len(listed), nominal=False).score
    return np.array([np.nan if one is None else one for one in found], dtype=np.float64)


def _is_number(value: object) -> bool:
    if isinstance(value, int | float):
        return True
    return isinstance(value, str) and kind_of(value) != "text"


def _is_label(value: object, kind: str | None) -> bool:
    return isinstance(value, str) and (kind == "labelled" or kind_of(value) == "text")


def _jury(score: SampleScore) -> Mapping[str, Any]:
    jury = (score.score.metadata or {}).get("jury")
    return jury if isinstance(jury, Mapping) and jury.get("by") == BY else {}


def _kind(scores: Sequence[SampleScore]) -> str | None:
    kinds = {jury.get("kind") for score in scores if (jury := _jury(score))}
    return str(kinds.pop()) if len(kinds) == 1 else None


def _texts(score: SampleScore, name: str) -> Mapping[str, Any]:
    texts = (score.score.metadata or {}).get(name)
    return texts if isinstance(texts, Mapping) else {}


def _open(score: SampleScore) -> bool:
    value = _of(score, PANEL)
    return value is None or (isinstance(value, float) and math.isnan(value))


def _count(given: object) -> int:
    return given if isinstance(given, int) and not isinstance(given, bool) else 0


def _told(name: str, result: Reliability) -> Numbers:
    return {name: result.value, f"{name}_low": result.low, f"{name}_high": result.high}
