"""What judges' scores say while they come in: bias and noise of each judge, belief of a response.

A response's true score is normal around the mean of all; a judge adds its bias and noise, and the
noise of two judges correlates. Learned by EM from sums over responses that the same judges
scored, with weak priors that keep every noise above nothing; with human scores, biases are
against humans, else against the panel. The belief of a response is the normal posterior given
these estimates: how uncertain they themselves are, which matters with few responses, is not in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "ScoreCell",
    "ScoreHabits",
    "ScorePrior",
    "draw_scores",
    "error_after",
    "learn_scores",
    "score_posterior",
]

Floats = NDArray[np.float64]

#: On [0, 1], before any score: noise and bias of a judge, spread of responses (sd); their worth.
NOISE, BIAS, SPREAD, WORTH = 0.1, 0.1, 0.25, 2.0

#: In one family: spread of a bias around that over all families (sd), worth of the noise there.
FAMILY_BIAS, FAMILY_WORTH = 0.05, 20.0

_TOL = 1e-5
_LEAST = 1e-6  # variance


@dataclass(frozen=True, slots=True)
class ScoreCell:
    """Sums over the responses that one set of judges scored.

    Attributes
    ----------
    judges
        Codes of those judges, rising (k,).
    n
        Responses.
    total, cross
        Sums of the scores and of their products (k,), (k, k); with `labelled` the human score
        is one more column, the last.
    labelled
        Whether the true score of these responses is known.
    """

    judges: tuple[int, ...]
    n: int
    total: Floats
    cross: Floats
    labelled: bool = False


@dataclass(frozen=True, slots=True)
class ScorePrior:
    """What is believed of judges before the scores at hand.

    Attributes
    ----------
    bias, bias_sd
        Mean of each judge's bias (judges,), and sd around it.
    noise, worth
        Variance of each judge's noise (judges,), and the scores that belief is worth.
    mean, spread
        Mean and variance of true scores.
    """

    bias: Floats
    bias_sd: float
    noise: Floats
    worth: float
    mean: float
    spread: float

    @classmethod
    def weak(cls, n_judges: int) -> ScorePrior:
        """Give what is believed before any score."""
        return cls(np.zeros(n_judges), BIAS, np.full(n_judges, NOISE**2), WORTH, 0.5, SPREAD**2)


@dataclass(frozen=True, slots=True)
class ScoreHabits:
    """Bias, variance of noise and number of scores of each judge (judges,), and the true scores."""

    bias: Floats
    noise: Floats
    n: Floats
    mean: float
    spread: float

    @classmethod
    def believed(cls, prior: ScorePrior) -> ScoreHabits:
        """Take the prior as it stands."""
        return cls(prior.bias, prior.noise, np.zeros(prior.bias.size), prior.mean, prior.spread)

    def as_prior(self) -> ScorePrior:
        """Give what a family of tasks starts from."""
        return ScorePrior(self.bias, FAMILY_BIAS, self.noise, FAMILY_WORTH, self.mean, self.spread)


def learn_scores(
    cells: Sequence[ScoreCell],
    *,
    prior: ScorePrior,
    correlation: ArrayLike,
    start: ScoreHabits | None = None,
    max_iter: int = 200,
) -> ScoreHabits:
    """Learn biases and noise from sums by EM.

    Parameters
    ----------
    cells
        Sums over responses; scores on [0, 1].
    prior
        What is believed before.
    correlation
        Of the judges' noise (judges, judges), taken as known.
    start
        Where EM begins; at the prior where not given.
    max_iter
        Most passes.

    Returns
    -------
    ScoreHabits

    Notes
    -----
    O(cells judges^3) a pass, whatever the number of responses. Variances solve "mean expected
    square = variance", which is EM's own step where noise is independent, and unbiased where not.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> noise = rng.normal(size=(5000, 3)) * [0.05, 0.1, 0.2]
    >>> y = rng.normal(0.5, 0.2, (5000, 1)) + [0.1, 0.01, -0.1] + noise
    >>> cell = ScoreCell((0, 1, 2), 5000, y.sum(axis=0), y.T @ y)
    >>> found = learn_scores([cell], prior=ScorePrior.weak(3), correlation=np.eye(3))
    >>> found.bias.round(2).tolist(), np.sqrt(found.noise).round(2).tolist()
    ([0.1, 0.01, -0.1], [0.05, 0.1, 0.2])
    """
    r = np.asarray(correlation, dtype=np.float64)
    now = ScoreHabits.believed(prior) if start is None else start
    anchored = any(cell.labelled for cell in cells)
    for _ in range(max_iter):
        residual = np.zeros((3, prior.bias.size))  # scores, sum of y - theta, sum of its square
        truth = np.zeros(3)  # responses, sum of theta, sum of its square
        for cell in cells:
            _expect(cell, now, r, residual, truth)
        n, first, second = residual
        shrink = now.noise / prior.bias_sd**2
        bias = (first + shrink * prior.bias) / (n + shrink)
        mean = (truth[1] + prior.mean) / (truth[0] + 1.0)
        if not anchored and n.any():  # the panel itself is where biases are taken from
            shift = float(np.average(bias - prior.bias, weights=n))
            bias = np.where(n > 0, bias - shift, bias)
            mean += shift
        square = second - 2.0 * bias * first + n * bias**2
        noise = (square + prior.worth * prior.noise) / (n + prior.worth)
        spread = truth[2] - 2.0 * mean * truth[1] + truth[0] * mean**2
        spread = (spread + WORTH * prior.spread) / (truth[0] + WORTH)
        after = ScoreHabits(
            bias, np.maximum(noise, _LEAST), n, float(mean), max(float(spread), _LEAST)
        )
        moved = max(
            float(np.abs(after.bias - now.bias).max(initial=0.0)),
            float(np.abs(np.sqrt(after.noise) - np.sqrt(now.noise)).max(initial=0.0)),
        )
        now = after
        if moved < _TOL:
            break
    return now


def _expect(cell: ScoreCell, now: ScoreHabits, r: Floats, residual: Floats, truth: Floats) -> None:
    """Add what a cell is expected to say of the judges and of the true scores."""
    who = list(cell.judges)
    k, n = len(who), cell.n
    if cell.labelled:
        t, tt = cell.total[k], cell.cross[k, k]
        ty, within = cell.cross[k, :k], 0.0
    else:  # theta = base + gain (y - bias), with what is left of its variance
        gain, left = _gain(now, r, who)
        base = left / now.spread * now.mean - gain @ now.bias[who]
        t = n * base + gain @ cell.total
        within = n * left
        ty = base * cell.total + cell.cross @ gain
        tt = n * base**2 + 2.0 * base * (gain @ cell.total) + gain @ cell.cross @ gain + within
    total, squares = cell.total[:k], np.diag(cell.cross)[:k]
    residual[0, who] += n
    residual[1, who] += total - t
    residual[2, who] += squares - 2.0 * ty + tt
    truth += (n, t, tt)


def _gain(now: ScoreHabits, r: Floats, who: Sequence[int]) -> tuple[Floats, float]:
    """Give what each score weighs in the posterior mean, and the posterior variance."""
    sd = np.sqrt(now.noise[list(who)])
    pull = np.linalg.solve(np.outer(sd, sd) * r[np.ix_(who, who)], np.ones(len(who)))
    left = 1.0 / (1.0 / now.spread + float(pull.sum()))
    return np.asarray(left * pull, dtype=np.float64), left


def score_posterior(
    habits: ScoreHabits, correlation: ArrayLike, judges: Sequence[int], scores: ArrayLike
) -> tuple[float, float]:
    """Give mean and sd of a response's true score after some scores.

    Parameters
    ----------
    habits
        Of the judges.
    correlation
        Of their noise (judges, judges).
    judges, scores
        Who scored it, and how (scores,).

    Examples
    --------
    One score of .9, noise .1, around .5 with sd .25: .5 + .4 (.0625 / .0725).

    >>> habits = ScoreHabits.believed(ScorePrior.weak(1))
    >>> mean, sd = score_posterior(habits, np.eye(1), [0], [0.9])
    >>> round(mean, 4), round(sd, 4)
    (0.8448, 0.0928)
    """
    who = list(judges)
    if not who:
        return habits.mean, float(np.sqrt(habits.spread))
    gain, left = _gain(habits, np.asarray(correlation, dtype=np.float64), who)
    y = np.asarray(scores, dtype=np.float64) - habits.bias[who]
    return float(left / habits.spread * habits.mean + gain @ y), float(np.sqrt(left))


def error_after(distance: float, sd: float, sd_after: ArrayLike) -> Floats:
    """Give the chance that a decision is wrong once further scores are in.

    Parameters
    ----------
    distance
        From the mean now to the threshold.
    sd
        Of the true score now, above 0.
    sd_after
        Of the true score after each choice of further scores, at most `sd` (choices,).

    Returns
    -------
    ndarray
        Chances (choices,). Mean then and true score are jointly normal, so that the chance of
        their lying on two sides of the threshold is 2 T(distance / sd, a) with a = sd_after /
        (sd^2 - sd_after^2)^(1/2) and Owen's T (1956).

    Examples
    --------
    Nothing learned: Phi(-1); all learned: 0.

    >>> error_after(0.2, 0.2, [0.2, 0.1, 0.0]).round(4).tolist()
    [0.1587, 0.0961, 0.0]
    """
    from scipy.special import owens_t  # noqa: PLC0415 - scores alone need it

    after = np.minimum(np.asarray(sd_after, dtype=np.float64), sd)
    won = np.sqrt(np.maximum(np.square(sd) - np.square(after), 0.0))
    with np.errstate(divide="ignore"):
        slope = np.where(won > 0, after / np.where(won > 0, won, 1.0), np.inf)
    return np.asarray(2.0 * owens_t(distance / sd, slope), dtype=np.float64)


def draw_scores(habits: ScoreHabits, prior: ScorePrior, rng: np.random.Generator) -> ScoreHabits:
    """Draw the judges' noise from what is known of it (scaled inverse chi-squared)."""
    freedom = habits.n + prior.worth
    noise = habits.noise * freedom / np.maximum(2.0 * rng.standard_gamma(freedom / 2.0), _LEAST)
    return ScoreHabits(habits.bias, noise, habits.n, habits.mean, habits.spread)
