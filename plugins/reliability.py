"""Say how far judges agree on the same responses, beyond what chance would give.

Krippendorff's alpha (`panopt.stats.alpha`), Cohen's kappa (`panopt.stats.kappa`), Fleiss' kappa,
Gwet's AC1 and AC2 (`panopt.stats.chance_corrected`), the six intraclass correlations
(`panopt.stats.icc`) and the plain share of agreeing pairs; of the panel, by system, by task family,
and without each judge. Agreement is not correctness: judges that err together agree.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from panopt.findings import Finding, Findings, SubjectKind
from panopt.records.ballots import ballots
from panopt.spec import hookimpl
from panopt.stats.agreement import percent_agreement, raw_agreement
from panopt.stats.alpha import Level, WithoutRater, alpha_without, krippendorff_alpha
from panopt.stats.chance_corrected import CategoryWeights, fleiss_kappa, gwet_ac, gwet_ac1
from panopt.stats.icc import Icc, IccTable, icc
from panopt.stats.kappa import PairwiseKappa, Weights, cohen_kappa, pairwise_kappa
from panopt.stats.patterns import level_codes
from panopt.stats.prevalence import prevalence_note
from panopt.stats.reliability import Reliability

if TYPE_CHECKING:
    from panopt.records.ask import Ask
    from panopt.records.matrix import Matrix
    from panopt.records.scale import Scale

__all__ = [
    "CategoryWeights",
    "Icc",
    "IccTable",
    "Level",
    "PairwiseKappa",
    "Reliability",
    "Weights",
    "WithoutRater",
    "alpha_without",
    "cohen_kappa",
    "fleiss_kappa",
    "gwet_ac",
    "gwet_ac1",
    "icc",
    "krippendorff_alpha",
    "pairwise_kappa",
    "percent_agreement",
    "prevalence_note",
    "raw_agreement",
]

FloatArray = NDArray[np.float64]

_LEVELS: dict[str, Level] = {"ordinal": "ordinal", "continuous": "interval"}
_MOST_JUDGES = 10  # the pairs of more judges are too many to list
_MOST_SUBJECTS = 40  # systems, or task families, that are looked at one by one
_MOST_CATEGORIES = 101  # near misses on more categories than this are what an ICC is for
_UNLIKE = 3  # judges that rate unlike the others, at most, are told of in words
_RARE = 10  # fewer ratings off the commonest value than this make intervals too short
_ICCS = {"icc_2_1": "ICC(2,1)", "icc_2_k": "ICC(2,k)", "icc_3_1": "ICC(3,1)", "icc_3_k": "ICC(3,k)"}
_OF = {"1": "one judge's score", "k": "the mean of the judges"}


@hookimpl
def panopt_analyze(matrix: Matrix, ask: Ask, rng: np.random.Generator) -> Findings | None:
    """Say how far the judges agree: the panel, systems, families, pairs, and without each judge."""
    panel = _panel(matrix, ask)
    rows = [*_main(panel, rng), *_further(panel)]
    notes = [] if panel.note is None else [panel.note]
    paradox = prevalence_note(
        panel.equal,
        level="nominal" if panel.on else panel.level,
        n_levels=panel.n_levels,
        raters=matrix.judges,
        names=panel.names,
    )
    if paradox is not None:
        on = f"{panel.on[2:]}, " if panel.on else ""
        notes.append(f"{matrix.criterion}: {on}{paradox}")
    if len(matrix.judges) > _MOST_JUDGES:
        notes.append(
            f"{matrix.criterion}: kappa of pairs and alpha without each judge are left out, "
            f"{len(matrix.judges)} judges"
        )
    else:
        rows += _pairs(panel)
        without, warned = _without(panel, rng)
        rows += without
        notes += warned
    kinds: tuple[tuple[SubjectKind, str], ...] = (("system", "system"), ("group", "family"))
    for kind, column in kinds:
        found, left_out = _by(panel, kind, column, rng)
        rows += found
        notes += left_out
    return Findings(tuple(rows), notes=tuple(notes))


@dataclass(frozen=True, slots=True)
class _Panel:
    """Ratings of one criterion, and how they are compared."""

    matrix: Matrix
    ask: Ask
    ratings: FloatArray
    """Scores or label codes (responses, judges): what differs by how much."""
    level: Level
    """Level of alpha."""
    method: str
    """How alpha is described."""
    equal: FloatArray
    """Ratings that are equal or not (responses, judges): `ratings`, or the side of the pass mark
    where scores are equal by coincidence alone."""
    on: str
    """What `equal` compares where that is not `ratings`: ``, on pass/fail at 0.5``."""
    n_levels: int
    """Categories of `equal` on offer."""
    names: tuple[str, ...] | None
    """What the values of `equal` stand for, where they are codes."""
    mixed: bool
    """Whether judges use different scales."""
    note: str | None
    """What to say of that."""

    @property
    def options(self) -> _Options:
        return _Options(1 - self.ask.level, self.matrix.clusters, self.matrix.judges)

    @property
    def grouped(self) -> bool:
        return int(self.matrix.clusters.max(initial=-1)) + 1 < self.matrix.n_responses


class _Options(NamedTuple):
    """What every coefficient takes."""

    alpha: float
    clusters: NDArray[np.int32]
    raters: tuple[str, ...]


def _panel(matrix: Matrix, ask: Ask) -> _Panel:
    """Decide how the ratings of a criterion are compared."""
    ratings = ballots(matrix)[0]
    kind = matrix.scale.kind
    scales = _scales_used(matrix, ratings)
    mixed = kind != "nominal" and len(scales) > 1
    level = "interval" if mixed else _LEVELS.get(kind, "nominal")
    method = f"Krippendorff's alpha, {level}" + (", scores brought to [0, 1]" if mixed else "")
    note = _mixed_note(matrix.criterion, scales, ask) if mixed else None
    equal, on, n_levels = ratings, "", 2
    names = matrix.labels if kind == "nominal" else None
    if mixed or kind == "continuous":
        equal, on = _sides(ratings, scales, ask)
        names = ("fail", "pass")
    else:
        n_levels = _n_levels(matrix, ratings)
    return _Panel(matrix, ask, ratings, level, method, equal, on, n_levels, names, mixed, note)


def _scales_used(matrix: Matrix, ratings: FloatArray) -> set[Scale]:
    """Give the scales of judges that rated anything: the others' may be made up."""
    rated = np.flatnonzero((~np.isnan(ratings)).any(axis=0))
    return {matrix.judge_scales[judge] for judge in rated.tolist()}


def _sides(ratings: FloatArray, scales: set[Scale], ask: Ask) -> tuple[FloatArray, str]:
    """Take the side of the threshold that each score is on: 1 pass, 0 fail."""
    sides = np.where(np.isnan(ratings), np.nan, ratings >= ask.threshold)
    of = "" if {(scale.low, scale.high) for scale in scales} <= {(0.0, 1.0)} else " on [0, 1]"
    return sides, f", on pass/fail at {ask.threshold:g}{of}"


def _mixed_note(criterion: str, scales: set[Scale], ask: Ask) -> str:
    named = ", ".join(sorted(map(str, scales)))
    return (
        f"{criterion}: judges use different scales ({named}): alpha compares their scores on "
        f"[0, 1]; raw agreement, AC1 and kappa compare pass/fail at {ask.threshold:g}"
    )


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


def _main(
    panel: _Panel,
    rng: np.random.Generator,
    *,
    rows: NDArray[np.intp] | None = None,
    about: tuple[SubjectKind, str] = ("panel", ""),
) -> Iterator[Finding]:
    """Give alpha, raw agreement and AC1 of all responses, or of some."""
    ratings, equal, options = panel.ratings, panel.equal, panel.options
    if rows is not None:
        ratings, equal = ratings[rows], equal[rows]
        options = options._replace(clusters=options.clusters[rows])
    given, n_boot = options._asdict(), _draws(panel.ask)
    alpha = krippendorff_alpha(ratings, level=panel.level, n_boot=n_boot, rng=rng, **given)
    rare = _rare(ratings) if panel.level == "nominal" else ()
    name = f"alpha_{panel.level}"
    yield _finding(panel, name, alpha, panel.method, about=about, warnings=rare)
    raw = raw_agreement(equal, **given)
    yield _finding(panel, "raw_agreement", raw, f"share of equal pairs{panel.on}", about=about)
    ac1 = gwet_ac1(equal, n_levels=panel.n_levels, **given)
    yield _finding(panel, "ac1", ac1, f"Gwet's AC1{panel.on}", about=about)


def _further(panel: _Panel) -> Iterator[Finding]:
    """Give what suits the scale besides: Fleiss' kappa, AC2, intraclass correlations."""
    given = panel.options._asdict()
    if panel.level == "nominal":
        fleiss = fleiss_kappa(panel.equal, **given)
        yield _finding(panel, "fleiss_kappa", fleiss, "Fleiss' kappa", headline=False)
        return
    known = panel.matrix.scale.levels
    if panel.level == "ordinal" and known is not None:
        levels = np.union1d(panel.matrix.scale.normalise(known), level_codes(panel.ratings)[0])
        if levels.size <= _MOST_CATEGORIES:
            ac2 = gwet_ac(panel.ratings, weights="quadratic", levels=levels, **given)
            yield _finding(panel, "ac2", ac2, "Gwet's AC2, quadratic", headline=False)
    rated = np.flatnonzero((~np.isnan(panel.ratings)).any(axis=0))
    named = [panel.matrix.judges[judge] for judge in rated.tolist()]
    table = icc(panel.ratings[:, rated], **(given | {"raters": named}))
    left = f"{table.n_left_out} response(s) that not every judge rated are left out"
    warnings = (left,) if table.n_left_out and table.n_units > 1 else ()
    for name, form in _ICCS.items():
        row = table[form]
        method = f"{form}, {_OF[form[-2]]}"
        how = "by clusters" if table.by_cluster else "F distribution"
        found = Reliability(
            *(row.value, row.low, row.high, None, table.n_units, table.n_units * table.n_raters),
            level="interval",
            reason=row.reason,
            no_interval=row.no_interval,
        )
        finding = _finding(panel, name, found, method, how=how, warnings=warnings, headline=False)
        unit = "share of the variance of scores that is of responses, at most 1"
        yield finding.model_copy(update={"unit": unit, "assumptions": (table.assumptions,)})


def _pairs(panel: _Panel) -> Iterator[Finding]:
    """Give Cohen's kappa of every pair of judges."""
    weights: Weights | None = "quadratic"
    ratings, on = panel.ratings, ""
    if panel.level == "nominal" or panel.mixed:
        ratings, on, weights = panel.equal, panel.on, None
    pairs = pairwise_kappa(ratings, weights=weights, **panel.options._asdict())
    rare = _rare(ratings) if weights is None else ()
    method = f"Cohen's kappa, {pairs.level}{on}"
    for (one, two), found in zip(combinations(pairs.raters, 2), pairs.pairs, strict=True):
        about: tuple[SubjectKind, str] = ("judge_pair", f"{one} ~ {two}")
        few = f"{found.n_units} response(s) judged by both; kappa needs two"
        told = replace(found, reason=few) if found.reason and found.n_units < 2 else found
        yield _finding(panel, "kappa", told, method, about=about, warnings=rare)


def _draws(ask: Ask) -> int:
    """Give the draws of a bootstrap; one makes no interval."""
    return ask.n_boot if ask.n_boot > 1 else 0


def _without(panel: _Panel, rng: np.random.Generator) -> tuple[list[Finding], list[str]]:
    """Give alpha without each judge in turn, and name the judges that clearly lower it."""
    rated = np.flatnonzero((~np.isnan(panel.ratings)).any(axis=0))
    if rated.size < 3:
        return [], []
    judges = [panel.matrix.judges[judge] for judge in rated.tolist()]
    given = panel.options._asdict() | {"raters": judges}
    ratings, n_boot = panel.ratings[:, rated], _draws(panel.ask)
    found = alpha_without(ratings, level=panel.level, n_boot=n_boot, rng=rng, **given)
    rows, worse = [], []
    for left in found:
        row = _finding(
            panel,
            "alpha_without",
            left.without,
            f"{panel.method}, of the other judges",
            about=("judge", left.rater),
        )
        details = dict(row.details) | {
            "difference": left.difference,
            "difference_low": left.low,
            "difference_high": left.high,
        }
        rows.append(row.model_copy(update={"details": details}))
        if panel.mixed:  # a judge on a scale of its own lowers alpha by that alone
            continue
        if left.low is not None and left.high is not None and left.low > 0:
            worse.append((left.difference or 0.0, left))
    worse.sort(key=lambda pair: -pair[0])
    told = ", ".join(
        f"{left.without.value:.3f} without {left.rater} (higher by {left.difference:.3f}, "
        f"{left.low:.3f} to {left.high:.3f})"
        for _, left in worse[:_UNLIKE]
    )
    if not told:
        return rows, []
    text = (
        f"{panel.matrix.criterion}: alpha would be {told}: who rates unlike the others judges "
        "badly or is alone right: compare with human labels before you leave a judge out"
    )
    return rows, [text]


def _by(
    panel: _Panel, kind: SubjectKind, column: str, rng: np.random.Generator
) -> tuple[list[Finding], list[str]]:
    """Give the main numbers of each system, or task family, where there are several."""
    codes = panel.matrix.response_ids[column]
    counts = np.bincount(codes[codes >= 0])
    present = np.flatnonzero(counts)
    if not present.size or (present.size == 1 and counts[present[0]] == codes.size):
        return [], []
    plural = {"system": "systems", "family": "task families"}[column]
    if present.size > _MOST_SUBJECTS:
        why = f"agreement by {column} is left out, {present.size} {plural}"
        return [], [f"{panel.matrix.criterion}: {why}"]
    rows: list[Finding] = []
    for code in present.tolist():
        about = (kind, panel.matrix.names[column][code])
        rows += _main(panel, rng, rows=np.flatnonzero(codes == code), about=about)
    return rows, []


def _finding(  # noqa: PLR0913 - the parts of one record
    panel: _Panel,
    name: str,
    found: Reliability,
    method: str,
    *,
    how: str = "",
    about: tuple[SubjectKind, str] = ("panel", ""),
    warnings: tuple[str, ...] = (),
    headline: bool = True,
) -> Finding:
    interval, grouped, ask = found.low is not None, panel.grouped, panel.ask
    boot = f"bootstrap, {ask.n_boot} draws" if name.startswith("alpha") else "Wilson's interval"
    how = how or boot + (", by cluster" if grouped else "")
    return Finding(
        plugin="reliability",
        name=name,
        criterion=panel.matrix.criterion,
        subject_kind=about[0],
        subject=about[1],
        value=found.value,
        unit="share of pairs" if name == "raw_agreement" else "agreement beyond chance, at most 1",
        low=found.low,
        high=found.high,
        level=ask.level if interval else None,
        n=found.n_units,
        method=f"{method}; {how}" if interval else method,
        assumptions=(f"{'clusters' if grouped else 'responses'} are a random sample",),
        warnings=warnings,
        reason=found.reason,
        no_interval=found.no_interval,
        details={"n_ratings": found.n_ratings, "se": found.se},
        headline=headline and about[0] == "panel",
    )
