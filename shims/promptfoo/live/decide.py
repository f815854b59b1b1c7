"""Decide on one row while the run goes on, exactly as ``panopt analyze --certificate`` would.

The verdicts of the row become the judgments of a criterion with one response, and the functions
that analyze a whole file are called on it. What needs all rows is left to the analysis: the tests
that may expire a certificate (:meth:`Decider.summary` makes the one without labels, when the run
ends), and how far the judges err together, which tells *escalate* from *ambiguous* only; judges
of one model count once here too. Human labels of the row are not looked at.
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import numpy as np

from panopt.errors import CertificateError
from panopt.findings import Findings
from panopt.records.answers import answers_of
from panopt.records.ask import Ask, Reading
from panopt.records.cascade import Walk, cascade_consensus, column_of, walk_of
from panopt.records.cascade_decisions import cascade_decisions
from panopt.records.certificate import ALWAYS, Certificate
from panopt.records.consensus import Consensus
from panopt.records.decisions import Decisions
from panopt.records.matrix import Matrix
from panopt.records.plain_rule import plain_consensus
from panopt.records.report import CriterionReport
from panopt.records.standing import DRIFT_LEVEL, Standing
from panopt.records.triage import panel_doubt, sentences, triage
from panopt.records.unproven import sides_by_model
from panopt.shims.promptfoo.annotate import Annotations, Column
from panopt.shims.promptfoo.live.fit import differences, unfit
from panopt.shims.promptfoo.live.rows import Judged, LiveRows, matrix_of_row
from panopt.stats.drift import drift_test
from panopt.stats.shares import within_share

__all__ = ["Decided", "Decider", "refusal"]

#: Of a row whose certificate is refused: a person is asked, and nothing is trusted.
REFUSED = "human"
LONGEST = 320
MOST_REASONS = 1000


class Decided(NamedTuple):
    """What is added to a row: named scores in [0, 1], and flat metadata."""

    scores: dict[str, float]
    metadata: dict[str, str | float]


class Decider:
    """Applies a certificate to the rows of a run, one by one.

    Parameters
    ----------
    certificate
        Of a panel or a cascade, made by ``panopt calibrate``.
    same_prompts
        Vouch that judges whose prompt is not known, here or in the certificate, have the same.
    reading
        How rows are read; as it was for the certificate.

    Attributes
    ----------
    refused
        Why the certificate is not applied to some rows, each reason once.
    counts
        Rows by decision.

    Raises
    ------
    CertificateError
        For a certificate that cannot be applied row by row, or was made by another version.
    """

    def __init__(
        self,
        certificate: Certificate,
        *,
        same_prompts: bool = False,
        reading: Reading | None = None,
    ) -> None:
        found = list(unfit(certificate))
        if found:
            raise CertificateError(f"{certificate.name} cannot be applied here: {'; '.join(found)}")
        scope = certificate.scope
        self.certificate = certificate
        self._name = certificate.name
        self.refused: dict[str, None] = {}
        self.counts: Counter[str] = Counter()
        self._same_prompts = same_prompts
        self._rows = LiveRows(reading)
        self._ask = Ask(threshold=scope.threshold, min_successful=scope.min_successful)
        self._judges = tuple(sorted(scope.judges, key=lambda judge: judge.name))
        self._silent = set() if certificate.stages else {judge.name for judge in scope.judges}
        self._seen: dict[str, dict[str, float]] = {}
        self._epsilon = min(certificate.alpha, 0.49)
        self._sentences = tuple(
            sentences(certificate.threshold, self._epsilon, None, correlated=correlated)
            for correlated in (False, True)
        )

    def decide(self, raw: bytes) -> Decided | None:
        """Decide on one graded row, given as JSON; None where it was not judged on the criterion.

        Raises
        ------
        ValueError, TypeError, msgspec.DecodeError, SourceError
            Where it is no row of promptfoo results.
        """
        scope = self.certificate.scope
        verdicts = self._rows.add(raw)
        mine = [one for one in verdicts if one.criterion == scope.criterion]
        if not mine:
            others = sorted({one.criterion for one in verdicts if one.kind == "llm"})
            if others:
                names = ", ".join(map(repr, others))
                self._refuse([f"rows are judged on {names}, it is for {scope.criterion!r}"])
            return None
        self._silent -= {one.judge for one in mine}
        found = list(differences(self.certificate, mine, vouched=self._same_prompts))
        found += [f"the certified judge {name!r} gave no judgment" for name in sorted(self._silent)]
        if found:
            self._refuse(found)
            self.counts[REFUSED] += 1
            return refusal(f"{self.certificate.name} is not for this row: {'; '.join(found)}")
        matrix = matrix_of_row(
            self._certified(mine),
            criterion=scope.criterion,
            scale=scope.scale,
            judges=self._judges,
        )
        if self.certificate.stages:
            consensus, decisions = self._cascade(matrix)
        else:
            consensus, decisions = self._panel(matrix)
        self.counts[decisions.name(0)] += 1
        return _annotated(matrix, consensus, decisions)

    def summary(self) -> str:
        """Say in a few words what was decided, and whether the certificate seems to fit the run.

        The test of drift is that of ``panopt analyze``, on the first row of each item.
        """
        why = f"; not applied where {'; '.join(self.refused)}" if self.refused else ""
        total = sum(self.counts.values())
        if not total:
            return f"{self.certificate.name} was applied to no row{why}"
        parts = ", ".join(f"{count} {name}" for name, count in self.counts.most_common())
        p_value = self._drift()
        if p_value is None:
            drift = "no verdict to test for drift"
        elif p_value > DRIFT_LEVEL:
            drift = f"no drift is seen, p = {p_value:.2g}"
        else:
            drift = (
                f"EXPIRED: confidences or votes are not distributed as those it was made from, "
                f"p = {p_value:.2g}: trust none of these decisions, calibrate again"
            )
        return f"{total} rows: {parts}; {self.certificate.name}: {drift}{why}"

    def _refuse(self, found: list[str]) -> None:
        if len(self.refused) < MOST_REASONS:
            self.refused |= dict.fromkeys(found)

    def _certified(self, verdicts: list[Judged]) -> list[Judged]:
        """Leave out judges that a cascade does not know: they count for nothing."""
        names = {judge.name for judge in self._judges}
        return [one for one in verdicts if one.judge in names]

    def _panel(self, matrix: Matrix) -> tuple[Consensus, Decisions]:
        made, votes = self.certificate, matrix.votes
        consensus = plain_consensus(
            matrix, made.scope.aggregate, "as the certificate has it", self._ask
        )
        n_votes = consensus.n_votes.astype(np.float64)
        models = sides_by_model(matrix, self._ask)
        if models is not None:
            n_votes = np.minimum(n_votes, np.count_nonzero(~np.isnan(models), axis=1))
        doubt = panel_doubt(consensus, n_votes)
        waver = within_share(votes.response, votes.judge, votes.score, 1)
        found = triage(
            consensus.confidence,
            doubt,
            n_votes,
            consensus.outcome,
            certified=made.threshold,
            epsilon=self._epsilon,
            waver_share=waver,
        )
        if int(consensus.verdict[0]) >= 0:
            self._see("confidence", float(consensus.confidence[0]))
            self._see("votes", float(consensus.n_votes[0]))
        return consensus, Decisions(
            criterion=matrix.criterion,
            method="certified confidence",
            decision=found.decision,
            reason=found.reason,
            reasons=self._sentences[bool((n_votes < consensus.n_votes).any())],
            numbers={
                "confidence": consensus.confidence,
                "doubt": doubt,
                "n_votes": consensus.n_votes.astype(np.float64),
                "worth": n_votes,
                "chance": found.chance,
                "human_share": np.full(1, np.nan),
                "waver_share": waver,
            },
            guarantee=self._name,
        )

    def _cascade(self, matrix: Matrix) -> tuple[Consensus, Decisions]:
        made = self.certificate
        walk = walk_of(made, matrix)
        answers = answers_of(matrix, threshold=made.scope.threshold)
        for number, stage in enumerate(made.stages):
            column = column_of(matrix, stage.judge)
            if stage.threshold is not None and column is not None and walk.reached[number, 0]:
                confidence = float(answers.confidence[0, column])
                self._see(stage.judge, ALWAYS if np.isnan(confidence) else confidence)
        decisions = cascade_decisions(matrix.criterion, self._standing(walk), walk)
        return cascade_consensus(made, matrix, "as the certificate has it"), decisions

    def _standing(self, walk: Walk) -> Standing:
        """Give the certificate as it stands before anything was tested."""
        return Standing(
            certificate=self.certificate,
            drifts={},
            p_value=None,
            n_labels=0,
            n=0,
            errors=0,
            wealth=1.0,
            accepted=walk.stage >= 0,
            vouched=self._same_prompts,
            walk=walk,
        )

    def _see(self, what: str, value: float) -> None:
        """Remember a number for the test of drift, once for each item."""
        self._seen.setdefault(what, {}).setdefault(self._rows.cluster, value)

    def _drift(self) -> float | None:
        made, rng = self.certificate, np.random.default_rng(0)
        then = {stage.judge: stage.confidences() for stage in made.stages}
        if not then:
            then = {"confidence": made.confidences(), "votes": made.votes()}
        p_values = []
        for what, values in self._seen.items():
            test = drift_test(then[what], np.array(list(values.values())), rng=rng)
            if test.p_value is not None:
                p_values.append(test.p_value)
        return min(1.0, len(p_values) * min(p_values)) if p_values else None


def refusal(why: str) -> Decided:
    """Give what is added to a row that nothing may be said of: a person is asked."""
    text = " ".join(f"nothing is trusted: {why}".split())
    short = text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
    return Decided({"panopt.trust": 0}, {"panopt_decision": REFUSED, "panopt_why": short})


def _annotated(matrix: Matrix, consensus: Consensus, decisions: Decisions) -> Decided:
    """Give what a writer of results would put into the row, and the confidence."""
    part = CriterionReport(matrix.criterion, matrix, consensus, Findings(()), decisions)
    unknown = np.full(1, np.nan)
    column = Column(part, "panopt", "panopt", {0: 0}, unknown, unknown, LONGEST)
    found = Annotations((column,))
    scores = found.scores(0)
    confidence = float(consensus.confidence[0])
    if np.isfinite(confidence):
        scores["panopt.confidence"] = round(confidence, 6)
    return Decided(scores, found.metadata(0))
