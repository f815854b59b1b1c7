"""Pool judges' scores into one posterior per item, with each judge's bias and noise.

Model: the score of judge j on item i is ``y = theta_i + b_j + e``, with truths
``theta_i ~ N(mu, tau^2)`` and errors ``e ~ N(0, sigma_j^2)``, all independent; biases sum to
zero, or are 0 for the anchor (humans), and are estimated from differences within items, so that
who scored which items may depend on their quality. What a judge's repeats of an item have in
common is estimated, and R of them count as R / (1 + (R - 1) rho) scores. Truths and biases are
integrated out exactly (Harville 1977), the judges' noise and tau by importance sampling under a
prior that rises from zero at zero (the boundary-avoiding idea of Chung et al. 2013): a plug-in
estimate of a small noise makes intervals far too narrow. Errors may have Student's t distribution
instead (method ``student_t``; Lange, Little and Taylor 1989): an outlier then pulls at nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from panopt.findings import Finding, Findings, finite
from panopt.records.consensus import OUTCOMES, Consensus, JudgeQuality
from panopt.spec import hookimpl
from panopt.stats.gaussian import GaussianPanel, hierarchical_gaussian
from panopt.stats.gaussian_repeats import score_weights
from panopt.stats.gaussian_within import bias_error
from panopt.stats.long_format import Codes
from panopt.stats.panel import tally_votes
from panopt.stats.votes import ABSTAINED, FAILED, NEVER

if TYPE_CHECKING:
    from panopt.records.ask import Ask
    from panopt.records.matrix import Matrix

__all__ = ["GaussianPanel", "hierarchical_gaussian"]

FloatArray = NDArray[np.float64]
Shape = Literal["normal", "student_t"]
_Rows = tuple[Codes, Codes, FloatArray]


_SCALE = "all judges use one scale, up to a constant"
_ASSUMPTIONS = {
    "normal": (
        "the judges' errors are independent given the response, normal, and of constant size",
        _SCALE,
    ),
    "student_t": (
        "the judges' errors are independent given the response, of Student's t distribution",
        _SCALE,
    ),
}
_TOLD = {
    "normal": "hierarchical Gaussian, variances integrated out",
    "student_t": "hierarchical model with Student's t errors, scales integrated out; noise_sd "
    "holds 68% of the errors",
}
_METHODS: dict[str, Shape] = {"gaussian": "normal", "student_t": "student_t"}
_LABELS = 20  # labelled responses from which humans anchor a panel that can do without
_OWN = 10  # labels from which a human has a noise of its own
_FEW = 5  # scores below which a judge's bias is as good as unknown
_ANCHORS = {True: "humans", False: "panel mean"}


@dataclass(frozen=True, slots=True)
class _Fits:
    """A criterion's panel, fitted without human labels and, where they anchor it, with them."""

    blind: GaussianPanel | None
    full: GaussianPanel
    shared_sd: FloatArray
    """Standard error that biases put on the mean estimate of a response's system."""
    anchored: bool
    warnings: tuple[str, ...]


@hookimpl
def panopt_methods() -> tuple[str, ...]:
    """Name the method, and the one for scores with outliers."""
    return tuple(_METHODS)


@hookimpl
def panopt_aggregate(matrix: Matrix, method: str, why: str, ask: Ask) -> Consensus | None:
    """Give every response its posterior, anchored by human labels where there are enough.

    What calibration rests on (the blind value, its sd, confidence and verdict) comes from a fit
    that has seen no human label.
    """
    errors = _METHODS[method]
    fits = _fit(matrix, errors)
    votes = matrix.scores()
    tally = tally_votes(votes, ask.threshold)
    outcome = _outcomes(matrix.status(), tally.n, ask.min_successful)
    decided = outcome == OUTCOMES.index("decided")
    value, sd, confidence = tally.mean, np.full(decided.size, np.nan), tally.largest_bloc()
    if fits.blind is not None:
        value, sd = np.clip(fits.blind.mean, 0.0, 1.0), fits.blind.sd
        confidence = _side_probability(np.abs(fits.blind.mean - ask.threshold) / sd)

    def known(values: FloatArray) -> FloatArray:
        return np.where(decided, values, np.nan)

    return Consensus(
        criterion=matrix.criterion,
        method=method,
        why=why,
        value=known(np.clip(fits.full.mean, 0.0, 1.0)),
        sd=known(fits.full.sd),
        estimate=known(fits.full.estimate),
        blind_value=known(value),
        blind_sd=known(sd),
        confidence=known(confidence),
        confidence_source="vote share" if fits.blind is None else "posterior probability",
        verdict=np.where(decided, value >= ask.threshold, -1).astype(np.int32),
        outcome=outcome,
        n_votes=tally.n.astype(np.int32),
        disagreement=tally.high - tally.low,
        spread=tally.sd,
        agreement=tally.largest_bloc(),
        judges=_qualities(matrix, fits.full),
        anchor=_ANCHORS[fits.anchored],
        assumptions=_ASSUMPTIONS[errors],
        warnings=fits.warnings,
        shared_sd=fits.shared_sd,
    )


@hookimpl
def panopt_analyze(matrix: Matrix, consensus: Consensus, ask: Ask) -> Findings | None:
    """Find the bias and the noise of every judge of one criterion."""
    judges, anchor, warnings = consensus.judges, consensus.anchor, consensus.warnings
    errors = _METHODS.get(consensus.method, "normal")
    reason = None
    if not judges:
        try:
            fits = _fit(matrix)
        except ValueError as error:
            reason = str(error)
            counts = np.bincount(_rows(matrix)[1], minlength=matrix.n_judges)
            judges = tuple(
                JudgeQuality(name, int(n), reason=reason)
                for name, n in zip(matrix.judges, counts, strict=True)
            )
        else:
            judges, anchor = _qualities(matrix, fits.full), _ANCHORS[fits.anchored]
            warnings = fits.warnings
    rows = [
        finding
        for judge in judges
        for finding in _judge_findings(judge, anchor, matrix.criterion, ask.level, errors)
    ]
    notes = () if judges is consensus.judges else tuple(warnings)
    return Findings(tuple(rows), notes=notes)


def _rows(matrix: Matrix) -> _Rows:
    cast = np.isfinite(matrix.votes.score)
    votes = matrix.votes
    return votes.response[cast], votes.judge[cast], votes.score[cast]


def _fit(matrix: Matrix, errors: Shape = "normal") -> _Fits:
    """Fit the judges' scores alone, and with the humans' where those anchor the panel.

    Raises
    ------
    ValueError
        The panel is identified neither way.
    """
    if matrix.scale.kind == "nominal":
        raise ValueError("the verdicts are labels without an order: they have no bias or noise")
    rows, n_judges = _rows(matrix), matrix.n_judges
    warnings: list[str] = []
    blind, trouble = None, "no judge gave a score"
    if len(rows[2]):
        try:
            blind = hierarchical_gaussian(
                *rows,
                n_items=matrix.n_responses,
                n_judges=n_judges,
                names=matrix.judges,
                errors=errors,
            )
        except ValueError as error:
            trouble = str(error)
    given = np.isfinite(matrix.human_votes.score)
    labelled = np.intersect1d(matrix.human_votes.response[given], rows[0]).size
    if labelled >= _LABELS or (labelled and blind is None):
        try:
            full, shared = _anchored(matrix, rows, given, errors)
        except ValueError as error:
            trouble = f"{trouble}; with human labels: {error}"
            warnings.append(f"human labels do not anchor the panel: {error}")
        else:
            warnings += full.warnings
            if blind is None:
                warnings.append(
                    "without human labels the panel is not identified: verdicts are those of the "
                    f"mean, confidence is the vote share ({trouble})"
                )
            return _Fits(blind, full, shared, anchored=True, warnings=tuple(warnings))
    elif labelled:
        warnings.append(
            f"{labelled} labelled responses do not anchor the panel ({_LABELS} would): bias is "
            "against the panel mean"
        )
    if blind is None:
        raise ValueError(trouble)
    warnings += blind.warnings
    shared = _shared_sd(blind, rows, matrix)
    return _Fits(blind, blind, shared, anchored=False, warnings=tuple(warnings))


def _shared_sd(fit: GaussianPanel, rows: _Rows, matrix: Matrix) -> FloatArray:
    """Give the standard error that biases put on each system's mean estimate (responses,)."""
    precision = np.where(fit.counted, fit.noise_sd, np.inf) ** -2.0
    weight = score_weights(*rows[:2], precision, fit.rho)
    return bias_error(*rows[:2], weight, fit.bias_cov, matrix.systems)


def _anchored(
    matrix: Matrix, rows: _Rows, given: NDArray[np.bool_], errors: Shape
) -> tuple[GaussianPanel, FloatArray]:
    """Fit humans as judges without bias; those with few labels are one judge together."""
    humans = matrix.human_votes
    person, names = humans.judge[given], (*matrix.humans, "humans with few labels")
    few = np.bincount(person, minlength=len(matrix.humans)) < _OWN
    present, code = np.unique(np.where(few[person], len(few), person), return_inverse=True)
    response, judge, score = rows
    anchor = matrix.n_judges + np.arange(present.size)
    together = (
        np.concatenate((response, humans.response[given])),
        np.concatenate((judge, anchor[code])),
        np.concatenate((score, humans.score[given])),
    )
    fit = hierarchical_gaussian(
        *together,
        anchor=anchor.tolist(),
        n_items=matrix.n_responses,
        n_judges=matrix.n_judges + present.size,
        names=(*matrix.judges, *(names[k] for k in present)),
        errors=errors,
    )
    return fit, _shared_sd(fit, together, matrix)


def _outcomes(status: NDArray[np.int8], n_votes: NDArray[np.int64], least: int) -> NDArray[np.int8]:
    """Say what became of each response from how its judges fared (responses, judges)."""
    asked = np.count_nonzero(status != NEVER, axis=1)
    choices = (
        (n_votes >= max(least, 1), "decided"),
        (n_votes > 0, "quorum_not_met"),
        (asked == 0, "no_votes"),
        (np.count_nonzero(status == ABSTAINED, axis=1) == asked, "all_abstained"),
        (np.count_nonzero(status == FAILED, axis=1) == asked, "all_failed"),
    )
    found = np.full(len(status), OUTCOMES.index("quorum_not_met"), dtype=np.int8)
    for where, name in reversed(choices):
        found[where] = OUTCOMES.index(name)
    return found


def _side_probability(z: FloatArray) -> FloatArray:
    """Give the probability that a normal truth lies on its mean's side, z sds away."""
    from scipy.special import ndtr  # noqa: PLC0415  # scipy is imported late

    return np.asarray(ndtr(z), dtype=np.float64)


def _qualities(matrix: Matrix, fit: GaussianPanel) -> tuple[JudgeQuality, ...]:
    counts = np.bincount(_rows(matrix)[1], minlength=matrix.n_judges)
    return tuple(
        JudgeQuality(
            name,
            int(counts[k]),
            bias=finite(fit.bias[k]) if counts[k] >= _FEW else None,
            bias_se=finite(fit.bias_se[k]) if counts[k] >= _FEW else None,
            noise_sd=finite(fit.noise_sd[k]),
            noise_se=finite(fit.noise_se[k]),
            reason=_too_few(int(counts[k])),
        )
        for k, name in enumerate(matrix.judges)
    )


def _too_few(n: int) -> str | None:
    if n == 0:
        return "the judge gave no score"
    return f"{n} of {_FEW} scores needed to tell bias from noise" if n < _FEW else None


def _judge_findings(
    judge: JudgeQuality, anchor: str, criterion: str, level: float, errors: Shape
) -> tuple[Finding, Finding]:
    """Word a judge's bias and noise, with intervals, or why there are none."""
    z = NormalDist().inv_cdf(0.5 + level / 2)
    bias, noise, reason = judge.bias, judge.noise_sd, judge.reason or "not estimated"
    bias_reach = z * (judge.bias_se or 0.0)
    noise_reach = float(np.exp(z * (judge.noise_se or 0.0) / noise)) if noise else 1.0

    def finding(name: str, value: float | None, ends: tuple[float, float] | None) -> Finding:
        return Finding(
            plugin="gaussian",
            name=name,
            criterion=criterion,
            subject_kind="judge",
            subject=judge.judge,
            value=value,
            low=None if ends is None else ends[0],
            high=None if ends is None else ends[1],
            level=None if ends is None else level,
            n=judge.n,
            method=_TOLD[errors],
            assumptions=_ASSUMPTIONS[errors],
            reason=None if value is not None else reason,
            no_interval=None if value is None or ends is not None else "no standard error is known",
            details={"anchor": anchor},
        )

    return (
        finding("bias", bias, None if bias is None else (bias - bias_reach, bias + bias_reach)),
        finding(
            "noise_sd", noise, None if noise is None else (noise / noise_reach, noise * noise_reach)
        ),
    )
