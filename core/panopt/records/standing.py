"""Whether the certificate of a criterion still stands, by what these logs show.

Two tests may expire it, each at a small level, since an expired certificate is not applied:

- without labels: confidences, or the numbers of decisive judges behind them, are not distributed
  as those of the labelled responses were;
- with labels: a bet against its promise has paid off.

That neither did proves nothing: the promise rests on its assumptions, as before.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from panopt.records.ask import Ask
from panopt.records.calibration import calibrate, one_of_each_cluster
from panopt.records.certificate import Certificate
from panopt.records.consensus import Consensus
from panopt.records.matrix import Matrix
from panopt.stats.drift import Drift, drift_test, risk_wealth

__all__ = ["DRIFT_LEVEL", "RISK_LEVEL", "Standing", "certificate_of", "standing_of"]

#: Probability that a certificate whose assumptions hold is called expired: for drift at each
#: analysis, for the errors of labelled responses ever.
DRIFT_LEVEL = 0.01
RISK_LEVEL = 0.05


@dataclass(frozen=True, slots=True)
class Standing:
    """A certificate beside what the logs it is applied to show.

    Attributes
    ----------
    certificate
        What is applied.
    confidence, votes
        Tests of drift in confidence and in the number of decisive judges.
    p_value
        Of both together (Bonferroni); None where there is no verdict to compare.
    n_labels, n, errors
        Responses with a human label and a verdict, one of each cluster; those of them that the
        threshold accepts; disagreements among these.
    wealth
        What a bet of 1 against the promise has become on these.
    accepted
        Which responses the threshold accepts, (responses,).
    vouched
        Whether prompts that are not known are taken to be the same.
    """

    certificate: Certificate
    confidence: Drift
    votes: Drift
    p_value: float | None
    n_labels: int
    n: int
    errors: int
    wealth: float
    accepted: NDArray[np.bool_]
    vouched: bool

    @property
    def expired(self) -> str | None:
        """Why the certificate does not apply any more; None while it does."""
        if self.p_value is not None and self.p_value <= DRIFT_LEVEL:
            odd = min((self.confidence, self.votes), key=lambda test: test.p_value or 0.0)
            what = "confidences" if odd is self.confidence else "numbers of decisive judges"
            return (
                f"{what} are not distributed as those of the labelled responses were (largest "
                f"difference {odd.difference:.3f}, p = {self.p_value:.2g})"
            )
        if self.wealth >= 1.0 / RISK_LEVEL:
            return (
                f"{self.errors} of {self.n} verdicts that it trusts disagree with the human labels "
                f"of these logs, more than the {self.certificate.alpha:.4g} it promises (a bet "
                f"against it became {self.wealth:.3g}-fold)"
            )
        return None

    @property
    def threshold(self) -> float:
        """Confidence from which verdicts are trusted; infinity, none is, once it is expired."""
        return self.certificate.threshold if self.expired is None else np.inf

    def guarantee(self) -> str:
        """Say what is promised, and on what it rests."""
        made = self.certificate
        drift = "there is no verdict to compare with those"
        if self.p_value is not None:
            drift = (
                f"no drift from those is seen, p = {self.p_value:.2g}, which does not prove that "
                "there is none"
            )
        policy = ""
        if made.n_tied:
            policy = f", {made.n_tied} human ties or even splits counted as disagreement"
        if made.n_undecided:
            policy += f", {made.n_undecided} without a panel verdict not counted"
        trusting = "; prompts that logs do not tell are those of then" if self.vouched else ""
        trusting += "".join(f"; BEWARE: {text}" for text in made.warnings)
        return (
            f"{made.name}: with probability {1 - made.delta:g} over the draw of its "
            f"{made.n_labels} labels, at least {1 - made.alpha:g} {made.promised} agree with the "
            f"human label on responses like the labelled ones ({made.errors} of {made.n} of "
            f"those did not, exact bound {made.bound:.3f}{policy}); assumes: these responses are "
            f"drawn as the labelled ones were ({drift}); {made.assumption}{trusting}"
        )

    def refusal(self) -> str:
        """Say that the certificate is expired, and what to do."""
        return (
            f"{self.certificate.name} is expired: {self.expired}; nothing is trusted: calibrate "
            "again with labels of responses like these"
        )


def certificate_of(ask: Ask, criterion: str) -> Certificate | None:
    """Give the certificate that decides on trust for a criterion; None where there is none."""
    made = ask.certificate
    return made if made is not None and made.scope.criterion == criterion else None


def standing_of(
    certificate: Certificate, matrix: Matrix, consensus: Consensus, ask: Ask
) -> Standing:
    """Test a certificate on the verdicts, and labels if any, of the logs it is applied to.

    One response of each cluster is looked at, drawn without its label; the same for the same
    `ask`. That the certificate is for these judges is checked elsewhere: see
    :mod:`panopt.records.scope`.
    """
    rng = np.random.default_rng(ask.seed)
    decided = (consensus.verdict >= 0) & ~np.isnan(consensus.confidence)
    one = np.flatnonzero(decided)
    one, _ = one_of_each_cluster(one, matrix.clusters, seed=ask.seed)
    confidence = drift_test(certificate.confidences(), consensus.confidence[one], rng=rng)
    votes = drift_test(certificate.votes(), consensus.n_votes[one], rng=rng)
    p_values = [test.p_value for test in (confidence, votes) if test.p_value is not None]
    labelled = calibrate(matrix, consensus, ask)
    kept, _ = one_of_each_cluster(labelled.rows, matrix.clusters, seed=ask.seed)
    at = np.searchsorted(labelled.rows, kept)
    trusted = labelled.confidence[at] >= certificate.threshold
    n, errors = int(trusted.sum()), int(np.count_nonzero(trusted & ~labelled.agrees[at]))
    return Standing(
        certificate=certificate,
        confidence=confidence,
        votes=votes,
        p_value=min(1.0, len(p_values) * min(p_values)) if p_values else None,
        n_labels=len(kept),
        n=n,
        errors=errors,
        wealth=float(risk_wealth(errors, n, alpha=certificate.alpha)),
        accepted=decided & (np.nan_to_num(consensus.confidence, nan=-1.0) >= certificate.threshold),
        vouched=ask.same_prompts,
    )
