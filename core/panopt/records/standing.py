"""Whether the certificate of a criterion still stands, by what these logs show.

Two tests may expire it, each at a small level, since an expired certificate is not applied:

- without labels: confidences, or the numbers of decisive judges behind them, are not distributed
  as those of the labelled responses were; of a cascade, the confidences of each judge on the
  responses that come to it;
- with labels: a bet against its promise has paid off.

That neither did proves nothing: the promise rests on its assumptions, as before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from panopt.records.answers import answers_of
from panopt.records.ask import Ask
from panopt.records.calibration import (
    UNLABELLED,
    calibrate,
    human_verdicts,
    one_of_each_cluster,
)
from panopt.records.cascade import Walk, column_of, walk_of
from panopt.records.certificate import ALWAYS, Certificate
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
    drifts
        Tests of drift by what they compare: of a panel ``confidence`` and ``votes``, the number of
        decisive judges; of a cascade the confidence of each judge that may decide, ``stage_1`` ...
    p_value
        Of all together (Bonferroni); None where there is no verdict to compare.
    n_labels, n, errors
        Responses with a human label and a verdict, one of each cluster; those of them that the
        threshold accepts; disagreements among these.
    wealth
        What a bet of 1 against the promise has become on these.
    accepted
        Which responses the threshold accepts, (responses,).
    vouched
        Whether prompts that are not known are taken to be the same.
    walk
        A cascade on every response; None for a panel.
    """

    certificate: Certificate
    drifts: Mapping[str, Drift]
    p_value: float | None
    n_labels: int
    n: int
    errors: int
    wealth: float
    accepted: NDArray[np.bool_]
    vouched: bool
    walk: Walk | None = None

    @property
    def headline_drift(self) -> Drift:
        """Give the test that is told first: of all confidences of the panel, or the first judge."""
        return next(iter(self.drifts.values()))

    def words(self, drift: str) -> str:
        """Say what a test compares."""
        if self.walk is None:
            return {"confidence": "confidences", "votes": "numbers of decisive judges"}[drift]
        return f"confidences of judge {self.certificate.stages[_place(drift)].judge!r}"

    @property
    def expired(self) -> str | None:
        """Why the certificate does not apply any more; None while it does."""
        if self.p_value is not None and self.p_value <= DRIFT_LEVEL:
            tested = {name: test for name, test in self.drifts.items() if test.p_value is not None}
            name, odd = min(tested.items(), key=lambda pair: pair[1].p_value or 0.0)
            return (
                f"{self.words(name)} are not distributed as those of the labelled responses were "
                f"(largest difference {odd.difference:.3f}, p = {self.p_value:.2g})"
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
            what = "a panel verdict" if self.walk is None else "any judge of the cascade"
            policy += f", {made.n_undecided} without {what} not counted"
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
    if certificate.stages:
        return _of_cascade(certificate, matrix, ask)
    rng = np.random.default_rng(ask.seed)
    decided = (consensus.verdict >= 0) & ~np.isnan(consensus.confidence)
    one = np.flatnonzero(decided)
    one, _ = one_of_each_cluster(one, matrix.clusters, seed=ask.seed)
    confidence = drift_test(certificate.confidences(), consensus.confidence[one], rng=rng)
    votes = drift_test(certificate.votes(), consensus.n_votes[one], rng=rng)
    labelled = calibrate(matrix, consensus, ask)
    kept, _ = one_of_each_cluster(labelled.rows, matrix.clusters, seed=ask.seed)
    at = np.searchsorted(labelled.rows, kept)
    trusted = labelled.confidence[at] >= certificate.threshold
    n, errors = int(trusted.sum()), int(np.count_nonzero(trusted & ~labelled.agrees[at]))
    return Standing(
        certificate=certificate,
        drifts={"confidence": confidence, "votes": votes},
        p_value=_together([confidence, votes]),
        n_labels=len(kept),
        n=n,
        errors=errors,
        wealth=float(risk_wealth(errors, n, alpha=certificate.alpha)),
        accepted=decided & (np.nan_to_num(consensus.confidence, nan=-1.0) >= certificate.threshold),
        vouched=ask.same_prompts,
    )


def _of_cascade(certificate: Certificate, matrix: Matrix, ask: Ask) -> Standing:
    """Test the certificate of a cascade: each judge on the responses that come to it."""
    rng = np.random.default_rng(ask.seed)
    walk = walk_of(certificate, matrix)
    answers = answers_of(matrix, threshold=certificate.scope.threshold)
    everyone = np.arange(matrix.n_responses)
    one = np.zeros(matrix.n_responses, dtype=np.bool_)
    one[one_of_each_cluster(everyone, matrix.clusters, seed=ask.seed)[0]] = True
    drifts = {}
    for s, stage in enumerate(certificate.stages):
        if stage.threshold is not None:
            column = column_of(matrix, stage.judge)
            seen = np.zeros(0)
            if column is not None:
                seen = np.nan_to_num(answers.confidence[walk.reached[s] & one, column], nan=ALWAYS)
            drifts[f"stage_{s + 1}"] = drift_test(stage.confidences(), seen, rng=rng)
    accepted = walk.stage >= 0
    human = human_verdicts(matrix, threshold=certificate.scope.threshold)
    labelled = np.flatnonzero(human != UNLABELLED)
    kept, _ = one_of_each_cluster(labelled, matrix.clusters, seed=ask.seed)
    n = int(np.count_nonzero(accepted[kept]))
    errors = int(np.count_nonzero(accepted[kept] & (human[kept] != walk.verdict[kept])))
    return Standing(
        certificate=certificate,
        drifts=drifts,
        p_value=_together(drifts.values()),
        n_labels=int(np.count_nonzero(walk.reached[:, kept].any(axis=0))),
        n=n,
        errors=errors,
        wealth=float(risk_wealth(errors, n, alpha=certificate.alpha)),
        accepted=accepted,
        vouched=ask.same_prompts,
        walk=walk,
    )


def _together(tests: Iterable[Drift]) -> float | None:
    """Give the p-value of several tests together, of those that compare anything."""
    known = [test.p_value for test in tests if test.p_value is not None]
    return min(1.0, len(known) * min(known)) if known else None


def _place(drift: str) -> int:
    """Give the stage that a test of a cascade is of, from 0."""
    return int(drift.removeprefix("stage_")) - 1
