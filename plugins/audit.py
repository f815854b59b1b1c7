"""Say what judges lean to besides quality: their own family, long answers, one end of the scale.

Self-preference and length bias at equal quality (:mod:`panopt.stats.audit_preference`), use of the
scale, repeats that disagree and the pull of the answer shown first
(:mod:`panopt.stats.audit_habits`), drift between versions and over time
(:mod:`panopt.stats.audit_drift`). Every effect is 0 for a fair judge and has an interval; p-values
are adjusted for all tests of the criterion (Holm). Which of several judges that differ is right,
only human labels tell: where there are any, likings are measured against humans, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from panopt.findings import Finding, Findings
from panopt.records.audit_case import AuditCase, audit_case, days_of, flips_of, lengths_of, texts_of
from panopt.records.audit_words import (
    ASSUMED,
    MISSING,
    Tested,
    scale_may_explain,
    sentence,
    unit_of,
    worth_telling,
)
from panopt.records.families import family_of
from panopt.records.versions import version_pairs
from panopt.spec import hookimpl
from panopt.stats.audit_drift import time_drift, version_drift
from panopt.stats.audit_effect import AuditEffect, adjust_effects, paired_effect
from panopt.stats.audit_habits import (
    LevelUse,
    RangeUse,
    flip_shares,
    position_lean,
    range_use,
    repeat_instability,
)
from panopt.stats.audit_preference import Lengths, length_bias, self_preference
from panopt.stats.pair_names import split_pairs

if TYPE_CHECKING:
    from panopt.records.ask import Ask
    from panopt.records.matrix import Matrix
    from panopt.records.study import Study

__all__ = [
    "AuditEffect",
    "RangeUse",
    "adjust_effects",
    "flip_shares",
    "length_bias",
    "position_lean",
    "range_use",
    "repeat_instability",
    "self_preference",
    "time_drift",
    "version_drift",
]

Floats = NDArray[np.float64]
Codes = NDArray[np.integer]

_MOST_JUDGES = 24
_MOST_LEVELS = 101
_MONTH = 30.0
_STRETCHED = (
    "those who stand for quality give such answers {:+.2g} themselves: a judge that sees that "
    "difference larger or smaller, or passes only the best, shows this without any liking"
)


@hookimpl
def panopt_analyze(study: Study, matrix: Matrix, ask: Ask) -> Findings | None:
    """Look for likings, habits and drift of every judge of one criterion."""
    if matrix.scale.kind == "nominal":
        return None
    panel = audit_case(study, matrix, ask)
    if len(panel.judges) > _MOST_JUDGES:
        told = f"{matrix.criterion}: habits of judges are left out, {len(panel.judges)} judges"
        return Findings(notes=(told,))
    made = [test for audit in _AUDITS for test in audit(panel)]
    adjusted = adjust_effects([test.effect for test in made])
    tests = [test._replace(effect=effect) for test, effect in zip(made, adjusted, strict=True)]
    # That a later version lets the first named win more often says nothing of either system.
    sayable = [test for test in tests if not (panel.pairwise and test.name == "version_drift")]
    binary = matrix.scale.levels is not None and matrix.scale.levels.size == 2
    worth = {(test.name, test.judge): test for test in worth_telling(sayable, is_binary=binary)}
    rows = [
        _finding(
            matrix,
            test,
            headline=(test.name, test.judge) in worth,
            stretched=effect.shown() and scale_may_explain(test, is_binary=binary),
        )
        for test, effect in zip(tests, adjusted, strict=True)
    ]
    found = {row.name.removesuffix("_pairs").removesuffix("_humans") for row in rows}
    rows += [_missing(matrix, name, why) for name, why in MISSING.items() if name not in found]
    return Findings(
        tuple(rows), notes=tuple(sentence(matrix.criterion, test) for test in worth.values())
    )


def _self_preference(panel: AuditCase) -> Iterator[Tested]:
    matrix, systems = panel.matrix, panel.matrix.systems
    if panel.pairwise:
        yield from _own_pairs(panel)
        return
    for judge in panel.judges:
        family = panel.family[judge]
        of = np.array([maker == family for maker in panel.makers] + [False])
        if family is None or not of.any() or of[:-1].all():
            continue
        own, rest = of[systems], panel.beside(judge, other_family=True)
        words: dict[str, float | str] = {"family": family}
        y, options = panel.scores[:, judge], {"clusters": matrix.clusters, "alpha": panel.alpha}
        if rest:
            held = panel.scores[:, rest]
            found = self_preference(y, held, own, **options)  # type: ignore[arg-type]
            liked = _as_liked(y - found.details.get("slope", 1.0) * held.mean(axis=1), systems, of)
            yield Tested("self_preference", panel.name(judge), found, words | liked)
        if panel.labelled:
            human = matrix.human_mean
            found = self_preference(y, human, own, anchor="humans", **options)  # type: ignore[arg-type]
            liked = _as_liked(y - found.details.get("slope", 1.0) * human, systems, of)
            yield Tested("self_preference_humans", panel.name(judge), found, words | liked)


def _as_liked(apart: Floats, systems: Codes, of: NDArray[np.bool_]) -> dict[str, float | str]:
    """Count the systems of other families that a judge likes as much as its own family."""
    kept = ~np.isnan(apart) & (systems >= 0)
    size = np.bincount(systems[kept], minlength=len(of) - 1)
    total = np.bincount(systems[kept], apart[kept], len(of) - 1)
    own, there = of[:-1], size > 0
    if not (own & there).any():
        return {}
    mean = np.divide(total, size, out=np.full(len(size), -np.inf), where=there)
    level = float(total[own].sum() / size[own].sum())
    return {
        "liked_as_much": float(np.count_nonzero(mean[~own & there] >= level)),
        "other_systems": float(np.count_nonzero(~own & there)),
    }


def _own_pairs(panel: AuditCase) -> Iterator[Tested]:
    """Compare how often judge and others let the judge's family win against other families."""
    pairs = split_pairs(panel.matrix.names["system"]).pairs
    if pairs is None:
        return
    made = [[family_of(name, panel.ask.families) for name in pair] for pair in pairs]
    for judge in panel.judges:
        family = panel.family[judge]
        rest = panel.beside(judge, other_family=True)
        if family is None or not rest:
            continue
        side = np.array([(a == family) * 1.0 - (b == family) * 1.0 for a, b in made] + [0.0])
        sign = side[panel.matrix.systems]
        held = np.flatnonzero(sign != 0.0)
        if not held.size:
            continue
        own, theirs = panel.scores[held, judge], panel.scores[held][:, rest].mean(axis=1)
        first = sign[held] > 0
        found = paired_effect(
            np.where(first, own, 1.0 - own),
            np.where(first, theirs, 1.0 - theirs),
            clusters=panel.matrix.clusters[held],
            alpha=panel.alpha,
        )
        yield Tested("self_preference_pairs", panel.name(judge), found, {"family": family})


def _length(panel: AuditCase) -> Iterator[Tested]:
    length = lengths_of(panel)
    if panel.pairwise or length is None:
        return
    known = ~np.isnan(length)
    made: dict[tuple[int, ...], Lengths | None] = {}  # judges of one panel share the work
    for judge in panel.judges:
        rest = panel.beside(judge)
        both = tuple(sorted((judge, *rest)))
        if rest:
            if both not in made:
                made[both] = _lengths(panel, panel.scores[:, both], length, known)
            columns, place = made[both], [both.index(other) for other in rest]
            if columns is not None:
                found = columns.effect(both.index(judge), place, alpha=panel.alpha)
                yield Tested("length_bias", panel.name(judge), found, {})
        if panel.labelled:
            pair = np.column_stack((panel.scores[:, judge], panel.matrix.human_mean))
            columns = _lengths(panel, pair, length, known)
            if columns is not None:
                found = columns.effect(0, [1], anchor="humans", alpha=panel.alpha)
                yield Tested("length_bias_humans", panel.name(judge), found, {})


def _lengths(
    panel: AuditCase, scores: Floats, length: Floats, known: NDArray[np.bool_]
) -> Lengths | None:
    matrix, kept = panel.matrix, known & ~np.isnan(scores).any(axis=1)
    if not kept.any():
        return None
    keys = (matrix.items[kept], matrix.systems[kept], matrix.clusters[kept])
    return Lengths.of(scores[kept], length[kept], *keys)


def _range(panel: AuditCase) -> Iterator[Tested]:
    scale = panel.matrix.scale
    if panel.pairwise or (scale.levels is not None and scale.levels.size < 3):
        return
    levels = None if scale.levels is None else scale.normalise(scale.levels)
    if levels is not None and levels.size > _MOST_LEVELS:
        levels = None
    alike = [j for j in panel.judges if panel.matrix.judge_scales[j] == scale]
    used = LevelUse.of(panel.scores[:, alike], levels, panel.matrix.clusters)
    for place, judge in enumerate(alike):
        rest = [alike.index(other) for other in panel.beside(judge) if other in alike]
        if not rest:
            continue
        found = used.of_judge(place, rest, panel.alpha)
        words: dict[str, float | str] = {
            "top": found.top or 0.0,
            "bottom": found.bottom or 0.0,
            "levels_used": float(found.n_used),
            "levels": float(found.n_levels),
            "entropy": found.entropy or 0.0,
        }
        yield Tested("scale_ends", panel.name(judge), found.ends, words)
        yield Tested("scale_entropy", panel.name(judge), found.spread, words)


def _repeats(panel: AuditCase) -> Iterator[Tested]:
    if panel.pairwise:
        return
    found = flips_of(panel)
    if found is None:
        return
    flips, clusters = found
    for judge in panel.judges:
        own = flips[:, judge]
        if np.isnan(own).all():
            continue
        rate = repeat_instability(own, clusters=clusters, alpha=panel.alpha)
        yield Tested("repeat_flips", panel.name(judge), rate, {})
        rest = [j for j in panel.judges if panel.models[j] != panel.models[judge]]
        if rest and not np.isnan(flips[:, rest]).all():
            more = repeat_instability(own, flips[:, rest], clusters=clusters, alpha=panel.alpha)
            yield Tested("repeat_flips_excess", panel.name(judge), more, dict(more.details))


def _lean(panel: AuditCase) -> Iterator[Tested]:
    if not panel.pairwise:
        return
    matrix, votes = panel.matrix, panel.matrix.votes
    order = panel.study.numbers("order")[votes.row]
    cell = votes.response.astype(np.int64) * matrix.n_judges + votes.judge
    size = matrix.n_responses * matrix.n_judges
    means = []
    for side in (0.0, 1.0):
        kept = (order == side) & ~np.isnan(votes.score)
        n = np.bincount(cell[kept], minlength=size)
        total = np.bincount(cell[kept], votes.score[kept], size)
        mean = np.divide(total, n, out=np.full(size, np.nan), where=n > 0)
        means.append(mean.reshape(-1, matrix.n_judges))
    for judge in panel.judges:
        first, second = (mean[:, judge] for mean in means)
        if not np.isnan(first + second).all():
            found = position_lean(first, second, clusters=matrix.clusters, alpha=panel.alpha)
            yield Tested("position_lean", panel.name(judge), found, {})


def _versions(panel: AuditCase) -> Iterator[Tested]:
    names = [panel.name(judge) for judge in panel.judges]
    for before, after in version_pairs(names):
        earlier, later = (panel.scores[:, panel.judges[i]] for i in (before, after))
        if np.isnan(earlier + later).all():
            continue
        found = version_drift(earlier, later, clusters=panel.matrix.clusters, alpha=panel.alpha)
        subject = f"{names[before]} ~ {names[after]}"
        yield Tested("version_drift", subject, found, {}, "judge_pair")
    yield from _between_runs(panel)


def _between_runs(panel: AuditCase) -> Iterator[Tested]:
    """Compare a judge's scores of the same texts in the first run and in the last."""
    matrix, days = panel.matrix, days_of(panel)
    dated = ~np.isnan(days)
    if np.unique(days[dated]).size < 2:
        return
    text = texts_of(panel, ("system", "item"))
    n = int(text.max()) + 1
    first, last = np.full(n, np.inf), np.full(n, -np.inf)
    np.minimum.at(first, text[dated], days[dated])
    np.maximum.at(last, text[dated], days[dated])
    if not (last > first).any():
        return
    cluster = np.zeros(n, dtype=np.int64)
    cluster[text] = matrix.clusters
    both = np.flatnonzero(last > first)
    for judge in panel.judges:
        ends = []
        for when in (first, last):
            kept = dated & panel.there[:, judge] & (days == when[text])
            size = np.bincount(text[kept], minlength=n)
            total = np.bincount(text[kept], panel.scores[kept, judge], n)
            ends.append(np.divide(total, size, out=np.full(n, np.nan), where=size > 0)[both])
        if not np.isnan(ends[0] + ends[1]).all():
            found = version_drift(*ends, clusters=cluster[both], alpha=panel.alpha)
            yield Tested("version_drift", f"{panel.name(judge)}, first and last run", found, {})


def _over_time(panel: AuditCase) -> Iterator[Tested]:
    days = days_of(panel)
    dated = ~np.isnan(days)
    runs = panel.matrix.response_ids["run"]
    if np.unique(runs[dated]).size < 4 or np.unique(days[dated]).size < 4:
        return
    for judge in panel.judges:
        rest = panel.beside(judge)
        if not rest:
            continue
        apart = panel.scores[:, judge] - panel.scores[:, rest].mean(axis=1)
        found = time_drift(apart[dated], days[dated] / _MONTH, runs=runs[dated], alpha=panel.alpha)
        yield Tested("time_drift", panel.name(judge), found, {})


_AUDITS = (_self_preference, _length, _range, _repeats, _lean, _versions, _over_time)


def _finding(matrix: Matrix, test: Tested, *, headline: bool, stretched: bool) -> Finding:
    effect, warnings = test.effect, test.effect.notes
    if stretched:
        warnings = (*warnings, _STRETCHED.format(effect.details["quality"]))
    has = effect.low is not None and effect.high is not None
    assumed = ASSUMED.get(test.name)
    tested = {"p": effect.p, "p_adjusted": effect.p_adjusted}
    counts = {"se": effect.se, "df": effect.df, "n_clusters": effect.n_clusters}
    return Finding(
        plugin="audit",
        name=test.name,
        criterion=matrix.criterion,
        subject_kind=test.kind,
        subject=test.judge,
        value=effect.value,
        unit=unit_of(test.name),
        low=effect.low if has else None,
        high=effect.high if has else None,
        level=1.0 - effect.alpha if has else None,
        n=effect.n,
        method=effect.method,
        assumptions=(
            "items (or named clusters) are independent draws",
            *((assumed,) if assumed else ()),
            "the interval is for this number alone; p_adjusted counts all tests of the criterion",
        ),
        warnings=warnings,
        reason=effect.reason if effect.value is None else None,
        no_interval=effect.reason if effect.value is not None else None,
        details={**counts, **tested, **effect.details, **test.words},
        headline=headline,
    )


def _missing(matrix: Matrix, name: str, why: str) -> Finding:
    return Finding(
        plugin="audit",
        name=name,
        criterion=matrix.criterion,
        value=None,
        n=0,
        method="audit of judges",
        reason=why,
        headline=False,
    )
