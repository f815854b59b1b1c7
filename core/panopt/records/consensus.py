"""What the panel as a whole says of each response of one criterion."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from panopt.stats.rule_names import OUTCOMES

__all__ = ["OUTCOMES", "Consensus", "JudgeQuality"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class JudgeQuality:
    """How one judge measures, as the aggregator estimated it; None with a `reason` where unknown.

    `bias` is against the anchor said in `Consensus.anchor`; `noise_sd` is the sd of the error of
    a single score; both in units of the [0, 1] score, each with a standard error.
    """

    judge: str
    n: int
    bias: float | None = None
    bias_se: float | None = None
    noise_sd: float | None = None
    noise_se: float | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Consensus:
    """Per-response result of one aggregator; all arrays have one entry a response.

    Attributes
    ----------
    criterion, method, why
        What was judged; the aggregator; why it was taken.
    value
        Best estimate on [0, 1] (a posterior mean shrinks; human labels may have entered). NaN
        where the outcome is inconclusive.
    sd
        Posterior or standard error of `value`; NaN where the method has none.
    estimate
        As `value` but unshrunk: its mean over responses is unbiased for the mean of the true
        scores. What system means average. Equal to `value` for plain rules.
    blind_value, blind_sd
        As `value` and `sd`, but computed without any human label: what conformal and selective
        methods calibrate on.
    confidence
        Probability in [0, 1] that the panel's verdict (pass or fail at the threshold, or the
        plurality label) is right, computed without any human label; NaN where inconclusive.
    confidence_source
        How: ``posterior probability``, ``vote share`` ...
    verdict
        1 pass, 0 fail (blind_value against the threshold), or the label code for nominal
        criteria; -1 where inconclusive.
    outcome
        Codes into :data:`OUTCOMES`.
    n_votes
        Decisive judges.
    disagreement, spread, agreement
        Range and population sd of the judges' scores, share of judges on the winning side; NaN
        where there are no votes.
    judges
        Quality of each judge, where the method estimates it.
    anchor
        What judge bias is measured against: ``humans`` or ``panel mean``.
    assumptions, warnings
        What must hold; what may spoil it here.
    shared_sd
        Standard error of the error that the estimates of all responses of a response's system
        share, because judge biases are estimates; None where the method has none.
    probabilities
        Posterior over `levels`, shape (responses, levels), of models that have one; a row of an
        inconclusive response is NaN.
    levels
        Names of the labels, or scale levels on [0, 1], that the columns of `probabilities` are.
    own_votes
        Whether verdict and confidence of a response depend on its own votes alone. Where they
        depend on what was fitted to the other responses, a threshold certified on some logs
        means something else on others.
    """

    criterion: str
    method: str
    why: str
    value: Floats
    sd: Floats
    estimate: Floats
    blind_value: Floats
    blind_sd: Floats
    confidence: Floats
    confidence_source: str
    verdict: NDArray[np.int32]
    outcome: NDArray[np.int8]
    n_votes: NDArray[np.int32]
    disagreement: Floats
    spread: Floats
    agreement: Floats
    judges: tuple[JudgeQuality, ...] = ()
    anchor: str = "panel mean"
    assumptions: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    shared_sd: Floats | None = None
    probabilities: Floats | None = None
    levels: tuple[str | float, ...] = ()
    own_votes: bool = False

    def __post_init__(self) -> None:
        """Refuse arrays of different lengths, unknown outcomes and confidence off [0, 1]."""
        arrays = {
            name: getattr(self, name)
            for name in self.__dataclass_fields__
            if name != "probabilities" and isinstance(getattr(self, name), np.ndarray)
        }
        lengths = {name: array.shape for name, array in arrays.items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"consensus arrays differ in shape: {lengths}")
        if self.probabilities is not None:
            wanted = (len(self), len(self.levels))
            if self.probabilities.shape != wanted:
                raise ValueError(
                    f"consensus probabilities have shape {self.probabilities.shape}, not {wanted}"
                )
        if self.outcome.size and not 0 <= self.outcome.min() <= self.outcome.max() < len(OUTCOMES):
            raise ValueError(f"consensus outcomes must lie in 0..{len(OUTCOMES) - 1}")
        confident = self.confidence[~np.isnan(self.confidence)]
        if confident.size and (confident.min() < 0 or confident.max() > 1):
            raise ValueError("consensus confidence must lie in [0, 1]")

    def __len__(self) -> int:
        """Count the responses."""
        return len(self.value)
