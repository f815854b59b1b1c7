"""Say how far judges agree on the same responses, beyond what chance would give.

Krippendorff's alpha (Krippendorff 2011, "Computing Krippendorff's alpha-reliability"), Cohen's
kappa (`panopt.stats.kappa`), Gwet's AC1 (Gwet 2008; with missing ratings Gwet 2014) and the
plain share of agreeing pairs. Agreement is not correctness: judges that err together agree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panopt.findings import Finding, Findings, finite
from panopt.records.ballots import ballots
from panopt.spec import hookimpl
from panopt.stats.agreement import gwet_ac1, pair_agreement, raw_agreement
from panopt.stats.bootstrap import cluster_weights, pattern_weights, percentile_interval
from panopt.stats.coincidence import krippendorff, rated_units
from panopt.stats.kappa import PairwiseKappa, Weights, cohen_kappa, pairwise_kappa
from panopt.stats.patterns import level_codes
from panopt.stats.reliability import (
    TOO_ALIKE,
    Reliability,
    check_alpha,
    cluster_codes,
    clusters_of,
    rating_matrix,
    too_few,
    undefined,
    with_interval,
)

if TYPE_CHECKING:
    from panopt.records.ask import Ask
    from panopt.records.matrix import Matrix
    from panopt.records.scale import Scale

__all__ = [
    "PairwiseKappa",
    "Reliability",
    "cohen_kappa",
    "gwet_ac1",
    "krippendorff_alpha",
    "pairwise_kappa",
    "prevalence_note",
    "raw_agreement",
]

FloatArray = NDArray[np.float64]
Level = Literal["nominal", "ordinal", "interval", "ratio"]


def krippendorff_alpha(  # noqa: PLR0913 - options of one estimate and of its interval
    ratings: ArrayLike,
    *,
    level: Level = "nominal",
    n_boot: int = 0,
    rng: np.random.Generator | None = None,
    alpha: float = 0.05,
    clusters: ArrayLike | None = None,
    raters: Sequence[str] | None = None,
) -> Reliability:
    """Compute Krippendorff's alpha of a panel, with a bootstrap interval over units.

    Parameters
    ----------
    ratings
        Matrix (units, raters) of finite numbers, NaN missing; labels as numeric codes.
    level
        How two ratings differ: "nominal" at all or not; "ordinal" by the ratings that lie
        between; "interval" by their difference, squared; "ratio" by difference over sum,
        squared (none may be negative).
    n_boot
        Bootstrap resamples of units; 0 gives no interval. Resamples in which all ratings are
        equal have no alpha and are left out; with more than half of them gone there is no
        interval.
    rng
        Source of randomness; one of fixed seed by default.
    alpha
        Probability that the interval misses (not the coefficient), in (0, 1).
    clusters
        Cluster of each unit (units,), where units are not independent (the same item more than
        once): whole clusters are then resampled.
    raters
        Names of the columns, to make sure that columns are raters.

    Returns
    -------
    Reliability
        `low` and `high` form a bias-corrected percentile interval. When the resamples show no
        spread (perfect agreement) it is Wilson's on [-1, 1] instead: agreement seen in n units
        does not prove agreement everywhere.

    Raises
    ------
    ValueError
        For ratings, level or options outside their range.

    Notes
    -----
    Assumes that units (or clusters) are a random sample. Memory is linear in the ratings; work
    is in the distinct rows. With fewer than about 5 units of the rarer label the interval is
    too short, as every bootstrap is: resamples cannot hold what the sample has not.

    Examples
    --------
    >>> round(krippendorff_alpha([[1, 1, 0], [1, 0, 0], [1, 1, 1]]).value, 4)
    0.1111
    """
    matrix = rating_matrix(ratings, raters)
    if level not in get_args(Level):
        raise ValueError(f"level = {level!r} must be one of {', '.join(get_args(Level))}")
    if n_boot < 0 or n_boot == 1:
        raise ValueError(f"n_boot = {n_boot} must be 0 (no interval) or at least 2")
    if level == "ratio" and (matrix < 0).any():
        raise ValueError(f"ratings hold {np.nanmin(matrix):g}; level 'ratio' needs 0 or more")
    check_alpha(alpha)
    groups = cluster_codes(clusters, matrix.shape[0])
    units = rated_units(matrix)
    n_units, n_ratings = units.n_units, units.n_ratings
    reason = too_few(matrix, n_units)
    if reason is not None:
        return undefined(reason, n_units=n_units, n_ratings=n_ratings, level=level)
    coefficient = krippendorff(units, level)
    value = float(coefficient(units.counts[None, :].astype(np.float64))[0])
    if np.isnan(value):
        reason = f"no variation: all {n_ratings} ratings of shared units are equal"
        return undefined(reason, n_units=n_units, n_ratings=n_ratings, level=level)
    result = Reliability(value, None, None, None, n_units, n_ratings, level)
    if not n_boot:
        return replace(result, no_interval="no bootstrap was asked for (n_boot = 0)")
    rng = np.random.default_rng(0) if rng is None else rng
    width = units.values.shape[1] if level == "ordinal" else 1
    among = clusters_of(groups, units.kept)
    weights = (
        pattern_weights(units.counts, n_boot, rng, width=width)
        if among is None
        else cluster_weights(units.pattern, among, n_boot, rng, width=width)
    )
    draws = np.concatenate([coefficient(block) for block in weights])
    free = n_units if among is None else int(among.max()) + 1
    return _with_draws(result, value, draws, free, alpha=alpha)


def prevalence_note(
    ratings: ArrayLike,
    *,
    level: Level = "nominal",
    n_levels: int | None = None,
    raters: Sequence[str] | None = None,
    names: Sequence[str] | None = None,
) -> str | None:
    """Explain in words why alpha is low although the raters agree, where that is so.

    Parameters
    ----------
    ratings, level, raters
        As in `krippendorff_alpha`.
    n_levels
        As in `gwet_ac1`.
    names
        What the ratings stand for, where they are codes from 0.

    Returns
    -------
    str or None
        `None` unless at least 80% of the ratings are one value, at least 80% of the pairs
        agree, and AC1 is above alpha by .2 or more, or alpha is undefined for lack of variation.

    Examples
    --------
    >>> print(prevalence_note([[1, 1]] * 149 + [[1, 0]])[:58])
    alpha is 0.000 although judges agree on 99.3% of pairs: 29
    """
    matrix = rating_matrix(ratings, raters)
    units = rated_units(matrix)
    if too_few(matrix, units.n_units) is not None:
        return None
    levels, codes = level_codes(matrix[units.kept])
    counts = np.bincount(codes[codes >= 0])
    top, n = int(counts.max()), units.n_ratings
    agree = pair_agreement(units)[0]
    if top < 0.8 * n or agree < 0.8:
        return None
    common = levels[counts.argmax()]
    shown = f"{common:g}" if names is None else names[int(common)]
    lopsided = f"{top} of {n} ratings are the same ({shown})"
    if top == n:
        return f"alpha is undefined: {lopsided}, so agreement by chance cannot be told from real"
    alpha = krippendorff_alpha(matrix, level=level, raters=raters).value
    ac1 = gwet_ac1(matrix, n_levels=n_levels, raters=raters).value
    if alpha is None or ac1 is None or ac1 - alpha < 0.2:
        return None
    return (
        f"alpha is {alpha:.3f} although judges agree on {agree:.1%} of pairs: {lopsided}, and "
        f"so much agreement would arise by chance; AC1, which a lopsided prevalence hardly "
        f"moves, is {ac1:.3f}; responses of more varied quality would tell more"
    )


def _with_draws(
    result: Reliability, value: float, draws: FloatArray, free: int, *, alpha: float
) -> Reliability:
    found = draws[~np.isnan(draws)]
    if found.size < max(2.0, draws.size / 2):
        why = f"{draws.size - found.size} of {draws.size} resamples have no variation"
        return replace(result, no_interval=why)
    if free < 2 or np.ptp(found) < 1e-12:
        return with_interval(replace(result, se=0.0), free, alpha=alpha, bounds=(-1, 1))
    if np.unique(found.round(9)).size <= _FEW_VALUES:
        return replace(result, no_interval=TOO_ALIKE)
    low, high = percentile_interval(found, value, n_units=free, alpha=alpha)
    return replace(result, low=low, high=high, se=float(found.std(ddof=1)))


_LEVELS: dict[str, Level] = {"ordinal": "ordinal", "continuous": "interval"}
_FEW_VALUES = 3  # resamples that take no more values than this are no distribution
_MOST_JUDGES = 10  # the pairs of more judges are too many to list
_RARE = 10  # fewer ratings off the commonest value than this make intervals too short


@hookimpl
def panopt_analyze(matrix: Matrix, ask: Ask, rng: np.random.Generator) -> Findings | None:
    """Say how far the judges of one criterion agree: the panel, and every pair of judges."""
    ratings = ballots(matrix)[0]
    kind = matrix.scale.kind
    scales = _scales_used(matrix, ratings)
    mixed = kind != "nominal" and len(scales) > 1
    level = "interval" if mixed else _LEVELS.get(kind, "nominal")
    judges, clusters, miss = matrix.judges, matrix.clusters, 1 - ask.level
    alpha = krippendorff_alpha(
        ratings,
        level=level,
        n_boot=ask.n_boot,
        rng=rng,
        alpha=miss,
        clusters=clusters,
        raters=judges,
    )
    method = f"Krippendorff's alpha, {level}" + (", scores brought to [0, 1]" if mixed else "")
    rare = _rare(ratings) if level == "nominal" else ()
    rows = [_finding(f"alpha_{level}", alpha, method, matrix, ask, warnings=rare)]
    alike = _alike(ratings, scales, ask) if mixed or kind == "continuous" else None
    notes = [_mixed_note(matrix.criterion, scales, ask)] if mixed else []
    agreement, note = _agreement(matrix, ratings, level, ask, alike)
    rows += agreement
    notes += [] if note is None else [f"{matrix.criterion}: {note}"]
    if len(judges) > _MOST_JUDGES:
        notes.append(f"{matrix.criterion}: kappa of pairs is left out, {len(judges)} judges")
    elif mixed and alike is not None:
        rows += _pair_findings(alike.ratings, None, matrix, ask, on=alike.on)
    else:
        rows += _pair_findings(ratings, None if level == "nominal" else "quadratic", matrix, ask)
    return Findings(tuple(rows), notes=tuple(notes))


class _Alike(NamedTuple):
    """Ratings that may be equal, made of scores that are equal by coincidence alone."""

    ratings: FloatArray
    on: str


def _scales_used(matrix: Matrix, ratings: FloatArray) -> set[Scale]:
    """Give the scales of judges that rated anything: the others' may be made up."""
    rated = np.flatnonzero((~np.isnan(ratings)).any(axis=0))
    return {matrix.judge_scales[judge] for judge in rated.tolist()}


def _alike(ratings: FloatArray, scales: set[Scale], ask: Ask) -> _Alike:
    """Take the side of the threshold that each score is on: 1 pass, 0 fail."""
    sides = np.where(np.isnan(ratings), np.nan, ratings >= ask.threshold)
    of = "" if {(scale.low, scale.high) for scale in scales} <= {(0.0, 1.0)} else " on [0, 1]"
    return _Alike(sides, f", on pass/fail at {ask.threshold:g}{of}")


def _mixed_note(criterion: str, scales: set[Scale], ask: Ask) -> str:
    named = ", ".join(sorted(map(str, scales)))
    return (
        f"{criterion}: judges use different scales ({named}): alpha compares their scores on "
        f"[0, 1]; raw agreement, AC1 and kappa compare pass/fail at {ask.threshold:g}"
    )


def _agreement(
    matrix: Matrix, ratings: FloatArray, level: Level, ask: Ask, alike: _Alike | None
) -> tuple[list[Finding], str | None]:
    """Give the agreement of equal ratings, plainly and beyond chance, and what to say of alpha."""
    judges, clusters, miss = matrix.judges, matrix.clusters, 1 - ask.level
    on, n_levels = "", 2
    names = matrix.labels if matrix.scale.kind == "nominal" else None
    if alike is None:
        n_levels = _n_levels(matrix, ratings)
    else:
        ratings, on = alike
        level, names = "nominal", ("fail", "pass")
    raw = raw_agreement(ratings, alpha=miss, clusters=clusters, raters=judges)
    ac1 = gwet_ac1(ratings, n_levels=n_levels, alpha=miss, clusters=clusters, raters=judges)
    note = prevalence_note(ratings, level=level, n_levels=n_levels, raters=judges, names=names)
    if note is not None and on:
        note = f"{on[2:]}, {note}"
    return [
        _finding("raw_agreement", raw, f"share of equal pairs{on}", matrix, ask),
        _finding("ac1", ac1, f"Gwet's AC1{on}", matrix, ask),
    ], note


def _n_levels(matrix: Matrix, ratings: FloatArray) -> int:
    """Count the categories on offer: those of the scale, or more where more were used."""
    known = matrix.scale.levels
    offered = len(matrix.labels) if known is None else known.size
    return max(2, offered, level_codes(ratings)[0].size)


def _rare(ratings: FloatArray) -> tuple[str, ...]:
    """Warn where too few ratings differ for an interval to hold what it says."""
    _, codes = level_codes(ratings)
    counts = np.bincount(codes[codes >= 0])
    off = int(counts.sum() - counts.max(initial=0))
    if off == 0 or off >= _RARE:
        return ()
    return (f"only {off} rating(s) differ from the commonest: the interval is too short",)


def _finding(  # noqa: PLR0913 - the parts of one record
    name: str,
    found: Reliability,
    method: str,
    matrix: Matrix,
    ask: Ask,
    *,
    warnings: tuple[str, ...] = (),
) -> Finding:
    interval = found.low is not None
    grouped = int(matrix.clusters.max(initial=-1)) + 1 < matrix.n_responses
    how = f"bootstrap, {ask.n_boot} draws" if name.startswith("alpha") else "Wilson's interval"
    return Finding(
        plugin="reliability",
        name=name,
        criterion=matrix.criterion,
        value=found.value,
        unit="share of pairs" if name == "raw_agreement" else "agreement beyond chance, at most 1",
        low=found.low,
        high=found.high,
        level=ask.level if interval else None,
        n=found.n_units,
        method=f"{method}; {how}" + (", by cluster" if grouped else "") if interval else method,
        assumptions=(f"{'clusters' if grouped else 'responses'} are a random sample",),
        warnings=warnings,
        reason=found.reason,
        no_interval=found.no_interval,
        details={"n_ratings": found.n_ratings, "se": found.se},
    )


def _pair_findings(
    ratings: FloatArray, weights: Weights | None, matrix: Matrix, ask: Ask, *, on: str = ""
) -> list[Finding]:
    pairs = pairwise_kappa(
        ratings,
        weights=weights,
        alpha=1 - ask.level,
        clusters=matrix.clusters,
        raters=matrix.judges,
    )
    rare = _rare(ratings) if weights is None else ()
    method = f"Cohen's kappa, {pairs.level}{on}"
    rows = []
    for i, j in combinations(range(len(pairs.raters)), 2):
        n = int(pairs.n_units[i, j])
        value, low, high = (finite(x[i, j]) for x in (pairs.value, pairs.low, pairs.high))
        reason = None
        if value is None:
            few = f"{n} response(s) judged by both; kappa needs two"
            reason = few if n < 2 else f"no variation: all {2 * n} ratings are equal"
        found = Reliability(value, low, high, None, n, 2 * n, pairs.level, reason)
        if value is not None and low is None:
            found = replace(found, no_interval="all responses are of one cluster")
        row = _finding("kappa", found, method, matrix, ask, warnings=rare)
        subject = f"{pairs.raters[i]} ~ {pairs.raters[j]}"
        rows.append(row.model_copy(update={"subject_kind": "judge_pair", "subject": subject}))
    return rows
