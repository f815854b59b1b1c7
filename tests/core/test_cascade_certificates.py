"""Certificates of cascades: made, applied as they were certified, refused, kept promises."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

import panopt
from panopt.certificates import certify
from panopt.errors import AskError, CertificateError
from panopt.host import Host
from panopt.records.ask import Ask
from panopt.records.certificate import Certificate
from panopt.records.decisions import DECISIONS
from panopt.records.live import LiveJudge, check_live, live_answer
from panopt.records.study import Study
from panopt.stats.cascade import certify_cascade

Floats = NDArray[np.float64]
HOST = Host()
JUDGES = ("cheap", "mid", "strong")
LEVELS = (0.55, 0.75, 0.95)
TRUST, ESCALATE, HUMAN = (DECISIONS.index(name) for name in ("trust", "escalate", "human"))


class Ended(Protocol):
    """How a run of the command ended; see conftest.py."""

    code: int
    out: str
    err: str


class Judged(NamedTuple):
    """Truths (n,), verdicts and confidences (n, judges)."""

    truth: Floats
    verdict: Floats
    confidence: Floats


class Population(NamedTuple):
    """Judges are sure at three levels, independently; right as often as given for each."""

    right: tuple[tuple[float, float, float], ...] = (
        (0.55, 0.8, 0.97),
        (0.6, 0.85, 0.97),
        (0.7, 0.9, 0.99),
    )

    def draw(self, seed: int, n: int) -> Judged:
        rng = np.random.default_rng(seed)
        truth = rng.integers(0, 2, n).astype(float)
        level = rng.integers(0, 3, (n, len(self.right)))
        p = np.array(self.right)[np.arange(len(self.right)), level]
        right = rng.random(level.shape) < p
        return Judged(
            truth, np.where(right, truth[:, None], 1 - truth[:, None]), np.array(LEVELS)[level]
        )

    def risk(self, certificate: Certificate) -> float:
        """Share of the accepted verdicts that are wrong: exact."""
        wrong = accepted = 0.0
        for levels in itertools.product(range(3), repeat=len(self.right)):
            for m, level in enumerate(levels):
                if certificate.stages[m].decides(LEVELS[level]):
                    accepted += 1
                    wrong += 1 - self.right[m][level]
                    break
        return wrong / accepted


def study_of(
    drawn: Judged,
    *,
    labelled: int = 0,
    keep: NDArray[np.bool_] | None = None,
    judges: Sequence[str] = JUDGES,
    source: Sequence[str | None] = ("logprobs",) * 3,
    prompt: Sequence[str | None] = ("p1",) * 3,
    item: str = "i",
    scale: str = "binary",
) -> Study:
    """Write judgments; of those that are not kept no row."""
    n, m = drawn.verdict.shape
    keep = np.ones((n, m), dtype=np.bool_) if keep is None else keep
    rows: dict[str, list[Any]] = {
        name: []
        for name in (
            *("item", "judge", "judge_kind", "score"),
            *("confidence", "confidence_source", "prompt_hash"),
        )
    }

    def put(name: str, kind: str, i: int, *values: object) -> None:
        for column, value in zip(rows, (f"{item}{i:05d}", name, kind, *values), strict=True):
            rows[column].append(value)

    for j in range(m):
        for i in np.flatnonzero(keep[:, j]).tolist():
            confidence = float(drawn.confidence[i, j])
            told = None if np.isnan(confidence) else confidence
            put(judges[j], "llm", i, float(drawn.verdict[i, j]), told, source[j], prompt[j])
    for i in range(labelled):
        put("human", "human", i, float(drawn.truth[i]), None, None, None)
    return Study.from_columns({**rows, "scale": scale})


ASK = Ask(
    cascade=JUDGES,
    costs=(("cheap", 0.1), ("mid", 1.0), ("strong", 10.0)),
    alpha=0.1,
    n_boot=0,
)


@pytest.fixture(scope="module")
def then() -> Study:
    return study_of(Population().draw(0, 600), labelled=500)


@pytest.fixture(scope="module")
def certificate(then: Study) -> Certificate:
    return certify(then, ASK, host=HOST)


@pytest.fixture(scope="module")
def now() -> Judged:
    return Population().draw(1, 300)


def applied(study: Study, certificate: Certificate, **options: object) -> panopt.CriterionReport:
    ask = Ask.model_validate({"certificate": certificate, "n_boot": 0, **options})
    report = panopt.analyze(study, ask, host=HOST)
    assert report.problems == ()
    return report.criteria[0]


def places(part: panopt.CriterionReport) -> list[int]:
    """Give the responses in the order of their items."""
    names = [part.matrix.name("item", r) for r in range(part.matrix.n_responses)]
    return sorted(range(len(names)), key=names.__getitem__)


def decisions_of(part: panopt.CriterionReport) -> list[int]:
    assert part.decisions is not None
    return [int(part.decisions.decision[r]) for r in places(part)]


def deciders(part: panopt.CriterionReport) -> list[int]:
    assert part.decisions is not None
    stage = part.decisions.numbers["stage"]
    return [-1 if np.isnan(stage[r]) else int(stage[r]) - 1 for r in places(part)]


def why(part: panopt.CriterionReport, item: int) -> str:
    assert part.decisions is not None
    return part.decisions.why(places(part)[item])


def offline(certificate: Certificate, confidence: Floats) -> list[int]:
    """Decide by the thresholds alone."""
    found = np.full(len(confidence), -1)
    for m, stage in reversed(list(enumerate(certificate.stages))):
        if stage.threshold is not None:
            found[np.nan_to_num(confidence[:, m], nan=-np.inf) >= stage.threshold] = m
    return [int(m) for m in found]


def test_it_holds_what_certify_cascade_found(then: Study, certificate: Certificate) -> None:
    drawn = Population().draw(0, 600)
    agrees = drawn.verdict[:500] == drawn.truth[:500, None]
    found = certify_cascade(
        drawn.confidence[:500],
        agrees,
        alpha=0.1,
        costs=[0.1, 1.0, 10.0],
        pool=drawn.confidence[500:],
        rng=np.random.default_rng(0),
    )
    stages = certificate.stages
    thresholds = [np.inf if s.threshold is None else s.threshold for s in stages]
    assert thresholds == found.thresholds.tolist()
    assert (certificate.n, certificate.errors, certificate.bound, certificate.coverage) == (
        *(found.n, found.errors, found.bound, found.coverage),
    )
    assert certificate.expected_cost == found.expected_cost
    decided = np.asarray(found.decide(drawn.confidence[:500]))
    assert [s.n for s in stages] == [int((decided == m).sum()) for m in range(3)]
    assert [s.errors for s in stages] == [int((~agrees[decided == m, m]).sum()) for m in range(3)]
    np.testing.assert_allclose(found.composition, [s.n / sum(t.n for t in stages) for s in stages])
    assert [s.source for s in stages] == ["logprobs"] * 3
    assert certificate.data == then.digest
    assert certificate.scope.confidence.startswith("deciding judge's own (cheap: logprobs; mid:")
    assert "plugin certificate" in certificate.versions
    assert certify(then, ASK, host=HOST).to_json() == certificate.to_json()


def test_T_1_analysis_decides_as_the_cascade_offline(now: Judged, certificate: Certificate) -> None:
    part = applied(study_of(now, item="n"), certificate)
    stage = offline(certificate, now.confidence)
    assert deciders(part) == stage
    assert decisions_of(part) == [TRUST if s >= 0 else HUMAN for s in stage]
    assert set(stage) >= {0, 1, 2}
    trusted = [i for i, s in enumerate(stage) if s >= 0]
    assert [part.consensus.verdict[i] for i in trusted] == [
        now.verdict[i, stage[i]] for i in trusted
    ]
    assert [part.consensus.confidence[i] for i in trusted] == [
        now.confidence[i, stage[i]] for i in trusted
    ]
    assert part.consensus.method == "cascade"
    assert part.decisions is not None
    promise = part.decisions.guarantee
    assert promise is not None
    assert "with probability 0.9 over the draw of its 500 labels, at least 0.9" in promise
    first = stage.index(0)
    assert why(part, first) == (
        f"judge 'cheap' decides: its confidence {now.confidence[first, 0]:.3f} (logprobs) reaches "
        f"the certified {certificate.stages[0].threshold:.3f}"
    )


def test_live_cascade_and_the_analysis_of_its_log_decide_alike(
    now: Judged, certificate: Certificate
) -> None:
    """Ask judge after judge as a live cascade does, log only who was asked, and analyze that."""
    judges = [LiveJudge(name, "p1", "logprobs") for name in certificate.asked]
    check_live(certificate, judges, criterion="score", scale="binary")
    keep = np.zeros(now.verdict.shape, dtype=np.bool_)
    decided = []
    for i, confidence in enumerate(now.confidence.tolist()):
        judge: str | None = certificate.asked[0]
        while judge is not None:
            m = JUDGES.index(judge)
            keep[i, m] = True
            answer = live_answer(certificate, LiveJudge(judge, "p1", "logprobs"), confidence[m])
            if answer.action == "decides":
                decided.append(m)
                break
            assert answer.action == "escalate"
            judge = answer.next_judge
        else:
            decided.append(-1)
    assert not keep.all()
    live = applied(study_of(now, keep=keep, item="n"), certificate)
    whole = applied(study_of(now, item="n"), certificate)
    assert deciders(live) == decided == deciders(whole)
    assert decisions_of(live) == decisions_of(whole)
    assert live.consensus.verdict.tolist() == whole.consensus.verdict.tolist()


def test_a_missing_earlier_judge_escalates_and_says_so(
    now: Judged, certificate: Certificate
) -> None:
    keep = np.ones(now.verdict.shape, dtype=np.bool_)
    keep[:50, 0] = False
    part = applied(study_of(now, keep=keep, item="n"), certificate)
    stage = offline(certificate, now.confidence)
    assert decisions_of(part)[:50] == [ESCALATE] * 50
    assert deciders(part)[50:] == stage[50:]
    assert why(part, 0).startswith(
        "judge 'cheap' was not asked, and no judge before it in the cascade decides"
    )
    later = next(i for i in range(50, 300) if stage[i] != 0)
    keep[later, 1:] = False
    held = applied(study_of(now, keep=keep, item="n"), certificate)
    assert decisions_of(held)[later] == ESCALATE
    assert "was not asked" in why(held, later)


def test_a_judge_that_failed_passes_the_response_on(now: Judged, certificate: Certificate) -> None:
    sick = now.confidence.copy()
    sick[:5, 0] = np.nan  # gave a verdict, no confidence
    part = applied(study_of(now._replace(confidence=sick), item="n"), certificate)
    assert deciders(part) == offline(certificate, sick)


def test_other_judges_in_the_logs_are_of_no_concern(now: Judged, certificate: Certificate) -> None:
    more = Judged(
        now.truth,
        np.column_stack([now.verdict, 1 - now.verdict[:, 0]]),
        np.column_stack([now.confidence, now.confidence[:, 0]]),
    )
    study = study_of(
        more,
        judges=(*JUDGES, "other"),
        source=("logprobs",) * 4,
        prompt=("p1",) * 4,
        item="n",
    )
    assert deciders(applied(study, certificate)) == offline(certificate, now.confidence)


@pytest.mark.parametrize(
    ("changes", "options", "message"),
    [
        (
            {"source": ("verbalised", "logprobs", "logprobs")},
            {},
            "the confidence of judge 'cheap' is verbalised, it was logprobs",
        ),
        (
            {"source": (None, "logprobs", "logprobs")},
            {},
            "the confidence of judge 'cheap' is stated, it was logprobs",
        ),
        ({"prompt": ("p2", "p1", "p1")}, {}, "the prompt of judge 'cheap' is p2, certified was p1"),
        ({"prompt": (None, "p1", "p1")}, {}, "not known whether 'cheap' had the same prompt"),
        ({"judges": ("a", "b", "c")}, {}, "no judge of the cascade .* gave a judgment"),
        ({"scale": "continuous:0:1"}, {}, "the scale of 'score' is continuous"),
        ({}, {"threshold": 0.6}, r"option threshold is 0\.6, it was 0\.5"),
        ({}, {"alpha": 0.2}, r"option alpha is 0\.2, certified was 0\.1"),
        ({}, {"aggregate": "mean"}, "option aggregate is mean, it was cascade"),
    ],
)
def test_other_judges_are_refused_by_name(
    now: Judged,
    certificate: Certificate,
    changes: dict[str, Any],
    options: dict[str, Any],
    message: str,
) -> None:
    with pytest.raises(CertificateError, match=message):
        applied(study_of(now, **{"item": "n", **changes}), certificate, **options)


def test_confidence_that_logs_do_not_tell_is_refused(now: Judged, certificate: Certificate) -> None:
    blank = now._replace(confidence=np.full_like(now.confidence, np.nan))
    with pytest.raises(CertificateError, match="judge 'cheap' is not told, it was logprobs"):
        applied(study_of(blank, item="n"), certificate)


def test_asking_more_often_than_certified_is_refused(now: Judged, certificate: Certificate) -> None:
    study = study_of(now, item="n")
    twice = Study.concat([study, study.with_column("repeat", np.ones(len(study), dtype=np.int32))])
    with pytest.raises(CertificateError, match=r"'cheap' was asked 2 time.s. a response, it was 1"):
        applied(twice, certificate)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cascade": ("cheap", "gpt")}, "cascade names 'gpt', which is no judge here: 'cheap'"),
        ({"cascade": ("cheap", "cheap")}, "cascade names 'cheap' twice"),
        ({"costs": (("gpt", 1.0),)}, "cost names 'gpt', which is no judge of the cascade"),
        ({"costs": (("cheap", 9.0),)}, r"costs fall from 9 \(cheap\) to 1 \(mid\)"),
        ({"aggregate": "mean"}, "options aggregate and min_successful are of a panel"),
        ({"min_successful": 2}, "options aggregate and min_successful are of a panel"),
        ({"alpha": 0.001}, "takes at least 2302 labelled responses that the cascade accepts"),
    ],
)
def test_what_cannot_be_certified_is_told(
    then: Study, options: dict[str, Any], message: str
) -> None:
    base = {"cascade": JUDGES, "n_boot": 0, **options}
    with pytest.raises(AskError, match=message):
        certify(then, Ask.model_validate(base), host=HOST)


def test_costs_without_a_cascade_are_refused(then: Study) -> None:
    with pytest.raises(AskError, match="option costs is of a cascade"):
        certify(then, Ask(costs=(("cheap", 1.0),)), host=HOST)
    with pytest.raises(AskError, match="options cascade and costs are for a certificate"):
        panopt.analyze(then, Ask(cascade=JUDGES), host=HOST)
    with pytest.raises(
        AskError, match=r"cascade cannot aggregate .*needs the certificate of a cas"
    ):
        panopt.analyze(then, Ask(aggregate="cascade"), host=HOST)


def test_holes_in_the_labelled_responses_are_no_random_sample() -> None:
    drawn = Population().draw(0, 300)
    keep = np.ones(drawn.verdict.shape, dtype=np.bool_)
    keep[:7, 2] = False
    with pytest.raises(CertificateError, match="'strong' was not asked about 7 of 300 labelled"):
        certify(study_of(drawn, labelled=300, keep=keep), ASK, host=HOST)
    keep[:7] = [True, False, True]
    with pytest.raises(CertificateError, match="'mid' was not asked about 7 of 300"):
        certify(study_of(drawn, labelled=300, keep=keep), ASK, host=HOST)


def test_confidences_of_one_judge_are_of_one_source() -> None:
    drawn = Population().draw(0, 300)
    study = study_of(drawn, labelled=300, source=(None, "logprobs", "logprobs"))
    blank = drawn._replace(confidence=drawn.confidence * [1, np.nan, 1])
    assert certify(study, ASK, host=HOST).stages[0].source == "stated"
    with pytest.raises(CertificateError, match="judge 'mid' has no confidence: it states none"):
        certify(study_of(blank, labelled=300), ASK, host=HOST)
    rest = study_of(Population().draw(5, 50), item="z", source=("verbalised",) * 3)
    with pytest.raises(CertificateError, match=r"several sources \(logprobs, verbalised\)"):
        certify(Study.concat([study_of(drawn, labelled=300), rest]), ASK, host=HOST)


def test_per_stage_proves_each_judge(then: Study) -> None:
    ask = ASK.model_copy(update={"cascade_method": "per_stage"})
    made = certify(then, ask, host=HOST)
    assert made.method == "per_stage"
    assert "method joint_path is exact without that" in made.assumption  # an option it can give
    assert made.level == pytest.approx(0.1 / 3)
    assert sum(stage.n for stage in made.stages) == made.n
    assert Certificate.from_json(made.to_json()) == made


def test_repeats_give_a_vote_share_and_must_be_as_many(certificate: Certificate) -> None:
    assert certificate.stages[0].draws == 1
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 200).astype(float)
    easy = rng.random(200) < 0.6
    parts = []
    for repeat in range(5):
        right = rng.random((200, 1)) < np.where(easy, 0.99, 0.6)[:, None]
        votes = np.where(right, truth[:, None], 1 - truth[:, None])
        drawn = Judged(truth, votes, np.full((200, 1), np.nan))
        labelled = 200 if repeat == 0 else 0
        part = study_of(drawn, judges=("cheap",), labelled=labelled, source=(None,))
        parts.append(part.with_column("repeat", np.full(len(part), repeat, dtype=np.int32)))
    study = Study.concat(parts)
    made = certify(study, Ask(cascade=("cheap",), n_boot=0), host=HOST)
    assert made.stages[0].source == "vote share over repeats"
    assert made.stages[0].draws == 5
    assert made.stages[0].threshold is not None
    fewer = Study.concat(parts[:3])
    with pytest.raises(CertificateError, match=r"was asked 3 time\(s\) a response, it was 5"):
        applied(fewer, made)


def repeats_of(seed: int, n: int, times: int, *, labelled: int, item: str) -> list[Study]:
    """Ask one judge several times about each response; a study for each time."""
    drawn = Population().draw(seed, n)
    right = np.random.default_rng(seed).random((times, n, 1)) < 0.97
    parts = []
    for repeat in range(times):
        verdict = np.where(right[repeat], drawn.truth[:, None], 1 - drawn.truth[:, None])
        part = study_of(
            Judged(drawn.truth, verdict, np.full((n, 1), np.nan)),
            judges=("cheap",),
            labelled=labelled if repeat == 0 else 0,
            source=(None,),
            item=item,
        )
        parts.append(part.with_column("repeat", np.full(len(part), repeat, dtype=np.int32)))
    return parts


def test_draws_are_those_about_labelled_responses_and_as_many_about_each() -> None:
    thrice = repeats_of(0, 150, 3, labelled=150, item="i")
    often = repeats_of(1, 40, 5, labelled=0, item="z")
    ask = Ask(cascade=("cheap",), n_boot=0)
    made = certify(Study.concat([*thrice, *often]), ask, host=HOST)
    assert made.stages[0].draws == 3
    mixed = [*thrice, *repeats_of(2, 20, 5, labelled=20, item="y")]
    with pytest.raises(
        CertificateError,
        match="'cheap' was asked 3 to 5 times about a labelled response, 150 of 170 fewer than 5",
    ):
        certify(Study.concat(mixed), ask, host=HOST)


def test_a_response_with_fewer_draws_than_certified_is_to_be_asked_again() -> None:
    made = certify(
        Study.concat(repeats_of(0, 150, 3, labelled=150, item="i")),
        Ask(cascade=("cheap",), n_boot=0),
        host=HOST,
    )
    logs = Study.concat(
        [
            *repeats_of(3, 60, 3, labelled=0, item="i"),
            *repeats_of(4, 10, 2, labelled=0, item="z"),
        ]
    )
    part = applied(logs, made)
    assert deciders(part)[-10:] == [-1] * 10
    assert decisions_of(part)[-10:] == [ESCALATE] * 10
    assert TRUST in decisions_of(part)[:60]
    assert "judge 'cheap' was not asked 3 times" in why(part, 69)


def test_drift_of_the_first_judge_expires_it(certificate: Certificate) -> None:
    drawn = Population().draw(3, 400)
    less = drawn.confidence.copy()
    less[:200, 0] = 0.55
    part = applied(study_of(drawn._replace(confidence=less), item="n"), certificate)
    assert TRUST not in decisions_of(part)
    assert part.decisions is not None
    told = part.decisions.no_guarantee
    assert told is not None
    assert "is expired: confidences of judge 'cheap' are not distributed as those of" in told
    sure = next(i for i, s in enumerate(deciders(part)) if s == 0)
    assert why(part, sure).endswith("the certificate is expired: nothing is trusted")


def test_drift_of_a_later_judge_is_seen_on_what_comes_to_it(certificate: Certificate) -> None:
    drawn = Population().draw(3, 600)
    less = drawn.confidence.copy()
    less[:, 1] = 0.55
    part = applied(study_of(drawn._replace(confidence=less), item="n"), certificate)
    assert part.decisions is not None
    assert "confidences of judge 'mid' are not distributed" in str(part.decisions.no_guarantee)


def test_labels_that_break_the_promise_expire_it(certificate: Certificate) -> None:
    drawn = Population().draw(4, 300)
    liar = drawn._replace(truth=1 - drawn.truth)
    part = applied(study_of(liar, labelled=100, item="n"), certificate)
    assert part.decisions is not None
    assert "verdicts that it trusts disagree with the human labels" in str(
        part.decisions.no_guarantee
    )
    honest = applied(study_of(drawn, labelled=100, item="n"), certificate)
    risk = honest.findings.named("certificate_risk")[0]
    accepted = np.array(deciders(honest)[:100])
    assert risk.n == int((accepted >= 0).sum())


def test_findings_tell_each_judge(now: Judged, certificate: Certificate) -> None:
    part = applied(study_of(now, item="n"), certificate)
    rows = part.findings.named("certified_threshold")
    assert [(row.subject_kind, row.subject) for row in rows] == [
        ("judge", name) for name in certificate.asked
    ]
    stage = np.array(offline(certificate, now.confidence))
    assert [row.details["n_decided"] for row in rows] == [
        int((stage == JUDGES.index(row.subject)).sum()) for row in rows
    ]
    coverage = part.findings.named("certified_coverage")[0]
    assert coverage.value == pytest.approx((stage >= 0).mean())


def test_a_judge_whose_every_margin_is_trusted_has_no_threshold_to_tell() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 200).astype(float)
    drawn = Judged(truth, truth[:, None], rng.normal(size=(200, 1)))
    told: dict[str, Any] = {"judges": ("cheap",), "source": ("margin",)}
    made = certify(
        study_of(drawn, labelled=200, **told), Ask(cascade=("cheap",), n_boot=0), host=HOST
    )
    assert made.stages[0].always
    assert "-inf" not in made.to_json().lower()
    part = applied(study_of(drawn, item="n", **told), made)
    assert decisions_of(part) == [TRUST] * 200
    row = part.findings.named("certified_threshold")[0]
    assert (row.value, row.reason) == (
        None,
        "its every verdict is certified, however low its confidence",
    )
    assert "its every verdict is certified" in why(part, 0)
    answer = live_answer(made, LiveJudge("cheap", "p1", "margin"), -1e300)
    assert answer.action == "decides"
    assert "its every verdict is trusted, whatever its confidence" in answer.reason


def risks(draws: int, method: str) -> tuple[int, int]:
    """Count certificates, and those whose exact risk is above alpha, over draws of labels."""
    population, ask = Population(), ASK.model_copy(update={"cascade_method": method})
    made = failed = 0
    for seed in range(draws):
        study = study_of(population.draw(10_000 + seed, 150), labelled=150)
        try:
            certificate = certify(study, ask, host=HOST)
        except CertificateError:
            continue
        made += 1
        failed += population.risk(certificate) > ask.alpha
    return made, failed


@pytest.mark.parametrize("method", ["joint_path", "per_stage"])
def test_T_1_promise_is_kept_as_often_as_said(method: str) -> None:
    draws = 60
    made, failed = risks(draws, method)
    assert made > draws / 3
    assert failed <= draws * 0.1 + 3 * np.sqrt(draws * 0.1 * 0.9)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["joint_path", "per_stage"])
def test_T_1_promise_is_kept_as_often_as_said_full(method: str) -> None:
    draws = 1500
    made, failed = risks(draws, method)
    assert made > draws / 3
    assert failed <= draws * 0.1 + 3 * np.sqrt(draws * 0.1 * 0.9)


def false_alarms(draws: int) -> tuple[int, int]:
    """Count certificates, and those called expired by logs drawn as the labelled ones were."""
    population, made, expired = Population(), 0, 0
    for seed in range(draws):
        study = study_of(population.draw(20_000 + seed, 200), labelled=200)
        try:
            found = certify(study, ASK.model_copy(update={"alpha": 0.2}), host=HOST)
        except CertificateError:
            continue
        part = applied(study_of(population.draw(30_000 + seed, 100), item="n"), found)
        assert part.decisions is not None
        made += 1
        expired += part.decisions.guarantee is None
    return made, expired


def test_false_alarms_are_as_rare_as_said() -> None:
    draws = 40
    made, expired = false_alarms(draws)
    assert made > draws / 2
    assert expired <= made * 0.01 + 3 * np.sqrt(made * 0.01 * 0.99)


@pytest.mark.slow
def test_false_alarms_are_as_rare_as_said_full() -> None:
    draws = 1000
    made, expired = false_alarms(draws)
    assert made > draws / 2
    assert expired <= made * 0.01 + 3 * np.sqrt(made * 0.01 * 0.99)


def real_margins(shared: Path) -> Judged:
    """Take three reward models on pairs in one order: the verdict, and the size of the margin."""
    table = pq.read_table(shared / "data/sets/judgebench_rm/scores.parquet").to_pandas()
    rows = table.query("judge_kind == 'metric' and order == 0")
    margin = rows.pivot_table(index="item_id", columns="judge", values="margin")
    right = rows.groupby("item_id").label.first().reindex(margin.index).to_numpy(dtype=float)
    best = np.argsort(((right == 1) == (margin > 0).T).mean(axis=1).to_numpy(), kind="stable")[-3:]
    values = margin.to_numpy()[:, best]
    return Judged(right, (values > 0).astype(float), np.abs(values))


def real_probabilities(shared: Path) -> Judged:
    """Take the token probabilities of one model that satisfaction exceeds 2.5, over questions."""
    table = pq.read_table(shared / "data/sets/llm_rubric/scores.parquet").to_pandas()
    human = table.query("judge_kind == 'human'").groupby(["item_id", "task"]).score.mean()
    rows = table.query("judge_kind == 'llm'").drop_duplicates(["item_id", "task"])
    rows = rows.join(human.rename("human"), on=["item_id", "task"], how="inner")
    rows = rows.dropna(subset=["human"])
    high = (rows.p3 + rows.p4).to_numpy()[:, None].clip(0.0, 1.0)
    truth = (rows.human >= 2.5).to_numpy().astype(float)
    return Judged(truth, (high >= 0.5).astype(float), np.maximum(high, 1 - high))


@pytest.mark.parametrize(
    ("name", "alpha", "judges", "source"),
    [
        ("judgebench_rm", 0.4, JUDGES, "margin of rewards"),
        ("llm_rubric", 0.15, JUDGES[:1], "token probability"),
    ],
)
def test_T_1_real_judges_decide_as_they_were_certified(
    shared: Path, name: str, alpha: float, judges: tuple[str, ...], source: str
) -> None:
    drawn = real_margins(shared) if name == "judgebench_rm" else real_probabilities(shared)
    order = np.random.default_rng(0).permutation(len(drawn.truth))
    drawn = Judged(*(array[order] for array in drawn))
    half = len(order) // 2
    told: dict[str, Any] = {"judges": judges, "source": (source,) * 3}
    labelled = Judged(*(array[:half] for array in drawn))
    made = certify(
        study_of(labelled, labelled=half, **told),
        Ask(cascade=judges, alpha=alpha, n_boot=0),
        host=HOST,
    )
    agrees = labelled.verdict == labelled.truth[:, None]
    found = certify_cascade(
        labelled.confidence,
        agrees,
        alpha=alpha,
        unit=name == "llm_rubric",
        rng=np.random.default_rng(0),
    )
    assert found.feasible
    assert [stage.unit for stage in made.stages] == [name == "llm_rubric"] * len(judges)
    rest = Judged(*(array[half:] for array in drawn))
    wanted = np.asarray(found.decide(rest.confidence)).tolist()
    part = applied(study_of(rest, item="n", **told), made)
    assert deciders(part) == wanted
    assert len(set(wanted)) > 1
    walked = []
    for confidence in rest.confidence.tolist():
        answers = [
            live_answer(made, LiveJudge(judge, "p1", source), confidence[judges.index(judge)])
            for judge in made.asked
        ]
        actions = [answer.action for answer in answers]
        first = actions.index("decides") if "decides" in actions else None
        walked.append(-1 if first is None else judges.index(made.asked[first]))
    assert walked == wanted


def rows_of(drawn: Judged, *, item: str) -> str:
    lines = ["item,judge,score,confidence,confidence_source,prompt_hash"]
    for j, judge in enumerate(JUDGES):
        pairs = zip(drawn.verdict[:, j].tolist(), drawn.confidence[:, j].tolist(), strict=True)
        lines += [f"{item}{i:05d},{judge},{v:g},{c},logprobs,p1" for i, (v, c) in enumerate(pairs)]
    return "\n".join([*lines, ""])


@pytest.fixture
def logs(table: Callable[..., Path]) -> Path:
    return table("then.csv", rows_of(Population().draw(0, 600), item="i"))


@pytest.fixture
def labels(table: Callable[..., Path]) -> Path:
    truth = Population().draw(0, 600).truth[:500]
    lines = [f"i{i:05d},{score:g}" for i, score in enumerate(truth.tolist())]
    return table("labels.csv", "\n".join(["item,score", *lines, ""]))


def test_command_certifies_and_applies_a_cascade(
    run: Callable[..., Ended],
    table: Callable[..., Path],
    logs: Path,
    labels: Path,
    tmp_path: Path,
) -> None:
    path = tmp_path / "c.json"
    costs = ("--cost", "cheap=0.1", "--cost", "mid=1", "--cost", "strong=10")
    given = ("--cascade", "cheap,mid,strong", *costs, "--scale", "binary")
    ended = run("calibrate", logs, "--labels", labels, "--out", path, *given)
    assert (ended.code, ended.err) == (0, "")
    flat = " ".join(ended.out.split())
    for words in (
        "certified: trust the first judge that is sure enough",
        "1. cheap (logprobs): confidence 0.95 or more; decides",
        "mean cost of a response:",
        "for: criterion score on binary, cascade of cheap, mid, strong",
    ):
        assert words in flat
    made = panopt.read_certificate(path)
    assert made.asked == JUDGES
    assert [stage.cost for stage in made.stages] == [0.1, 1.0, 10.0]
    now = Population().draw(1, 300)
    fresh = table("now.csv", rows_of(now, item="n"))
    out = tmp_path / "out"
    ended = run("analyze", fresh, "--certificate", path, "--scale", "binary", "--out", out)
    assert ended.code == 0
    study = panopt.read(fresh, reading=panopt.Reading(scales=(("*", "binary"),)))
    assert deciders(applied(study, made)) == offline(made, now.confidence)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--cost", "cheap=1"), "--cost is of a cascade: give --cascade too"),
        (("--method", "per_stage"), "--method is of a cascade: give --cascade too"),
        (("--cascade", "cheap,gpt"), "cascade names 'gpt', which is no judge here"),
        (("--cascade", "cheap,mid", "--cost", "cheap=x"), "costs"),
        (("--cascade", "cheap,mid", "--cost", "cheap=-1"), "costs"),
        (("--cascade", "cheap,mid", "--method", "magic"), "cascade_method"),
        (("--criterion", "style"), "criterion 'style' was not judged; judged criteria: 'score'"),
    ],
)
def test_command_names_what_it_cannot_meet(
    fails: Callable[..., str], logs: Path, labels: Path, options: tuple[str, ...], message: str
) -> None:
    assert message in fails("calibrate", logs, "--labels", labels, *options)
