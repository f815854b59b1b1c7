"""Certificates from Python: made, kept, refused by name, expired, right as often as promised."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

import panopt
from panopt.certificates import certify, read_certificate, write_certificate
from panopt.errors import AskError, CertificateError, OutputError
from panopt.host import Host
from panopt.records.ask import Ask
from panopt.records.certificate import Certificate, CertifiedJudge
from panopt.records.source import Source
from panopt.records.study import Study

JUDGES = 5
HOST = Host()


class Population(NamedTuple):
    """Items are easy or hard; five judges are right alike often, independently given which."""

    easy: float = 0.7
    right: tuple[float, float] = (0.97, 0.6)

    def risk(self, threshold: float) -> float:
        """Share of verdicts with at least this vote share that are wrong: exact."""
        wrong = accepted = 0.0
        for share, p in zip((self.easy, 1 - self.easy), self.right, strict=True):
            for k in range(JUDGES + 1):
                if max(k, JUDGES - k) / JUDGES >= threshold:
                    mass = share * float(stats.binom.pmf(k, JUDGES, p))
                    accepted += mass
                    wrong += mass * (k < JUDGES / 2)
        return wrong / accepted

    def draw(
        self, rng: np.random.Generator, n: int
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Give truths (n,) and votes (n, judges)."""
        truth = (rng.random(n) < 0.5).astype(float)
        right = np.where(rng.random(n) < self.easy, *self.right)
        votes = np.where(
            rng.random((n, JUDGES)) < right[:, None], truth[:, None], 1 - truth[:, None]
        )
        return truth, votes


def study_of(
    votes: NDArray[np.float64],
    human: NDArray[np.float64] | None = None,
    *,
    judges: Sequence[str] = "abcde",
    prompt: Sequence[str | None] = ("p1",) * JUDGES,
    item: str = "i",
    **columns: Any,  # noqa: ANN401 - any column
) -> Study:
    n, m = votes.shape
    names = [f"{item}{i:05d}" for i in range(n)]
    labelled = [] if human is None else np.flatnonzero(~np.isnan(human)).tolist()
    rows = {
        "item": names * m + [names[i] for i in labelled],
        "judge": np.repeat(list(judges), n).tolist() + ["human"] * len(labelled),
        "judge_kind": ["llm"] * (n * m) + ["human"] * len(labelled),
        "score": votes.T.ravel().tolist()
        + [float(human[i]) for i in labelled if human is not None],
        "prompt_hash": [text for text in prompt for _ in range(n)] + [None] * len(labelled),
    }
    return Study.from_columns({**rows, "scale": "binary", **columns})


@pytest.fixture(scope="module")
def then() -> Study:
    truth, votes = Population().draw(np.random.default_rng(0), 300)
    truth[200:] = np.nan
    return study_of(votes, truth)


@pytest.fixture(scope="module")
def now() -> Study:
    return study_of(Population().draw(np.random.default_rng(1), 400)[1], item="new")


@pytest.fixture(scope="module")
def certificate(then: Study) -> Certificate:
    return certify(then, Ask(n_boot=0), host=HOST)


def applied(study: Study, certificate: Certificate, **options: object) -> panopt.CriterionReport:
    ask = Ask.model_validate({"certificate": certificate, "n_boot": 0, **options})
    return panopt.analyze(study, ask, host=HOST).criteria[0]


def test_certificate_holds_what_it_rests_on(then: Study, certificate: Certificate) -> None:
    matrix = then.matrix("score")
    assert certificate.data == then.digest
    assert certificate.scope.judges == tuple(
        CertifiedJudge(name=name, kind="llm", scale="binary", prompts=("p1",)) for name in "abcde"
    )
    assert (certificate.scope.aggregate, certificate.scope.confidence) == ("majority", "vote share")
    assert (certificate.n_labels, certificate.n_responses) == (200, 300)
    shares = matrix.scores().mean(axis=1)
    confidence = np.maximum(shares, 1 - shares)[:200]
    right = (shares[:200] >= 0.5) == matrix.human_mean[:200]
    accepted = confidence >= certificate.threshold
    assert certificate.n == accepted.sum()
    assert certificate.errors == np.count_nonzero(~right[accepted])
    assert certificate.bound <= certificate.alpha
    assert sorted(certificate.confidences()) == pytest.approx(sorted(confidence))
    assert certificate.versions["plugin panel"].startswith("panopt ")
    assert certificate.date is None


def test_same_input_same_bytes(then: Study, certificate: Certificate) -> None:
    assert certify(then, Ask(n_boot=0)).to_json() == certificate.to_json()


def test_it_is_applied_to_new_logs_with_its_promise_in_words(
    now: Study, certificate: Certificate
) -> None:
    part = applied(now, certificate)
    assert part.decisions is not None
    shares = part.matrix.scores().mean(axis=1)
    accepted = np.maximum(shares, 1 - shares) >= certificate.threshold
    assert (part.decisions.decision == 0).tolist() == accepted.tolist()
    assert 0 < accepted.sum() < len(accepted)
    promise = part.decisions.guarantee
    assert promise is not None
    for words in (
        f"certificate {certificate.sha256[:12]}",
        "with probability 0.9 over the draw of its 200 labels, at least 0.9 of the trusted",
        "assumes: these responses are drawn as the labelled ones were",
        "does not prove that there is none",
    ):
        assert words in promise
    assert "vouch" not in promise
    assert part.consensus.why == "as the certificate has it"


def test_other_criteria_have_no_part_in_it(certificate: Certificate) -> None:
    votes = Population().draw(np.random.default_rng(1), 60)[1]
    both = Study.concat([study_of(votes), study_of(votes, criterion="style")])
    report = panopt.analyze(both, Ask(certificate=certificate, n_boot=0), host=HOST)
    first, second = (part.decisions for part in report.criteria)
    assert first is not None
    assert second is not None
    assert first.guarantee is not None
    assert second.guarantee is None
    assert (first.decision == 0).any()
    assert not (second.decision == 0).any()  # without the certificate the panel's own doubt would
    assert "for another criterion: nothing is trusted without human labels" in str(
        second.no_guarantee
    )
    alone = panopt.analyze(both, Ask(n_boot=0), host=HOST).criteria[1].decisions
    assert alone is not None
    assert (alone.decision == 0).any()


def test_labels_certify_criteria_that_the_certificate_is_not_for(certificate: Certificate) -> None:
    votes = Population().draw(np.random.default_rng(1), 60)[1]
    truth, judged = Population().draw(np.random.default_rng(5), 400)
    both = Study.concat([study_of(votes), study_of(judged, truth, criterion="style")])
    second = panopt.analyze(both, Ask(certificate=certificate, n_boot=0), host=HOST).criteria[1]
    assert second.decisions is not None
    assert "over the draw of the 400 labels" in (second.decisions.guarantee or "")
    assert (second.decisions.decision == 0).any()


def test_labels_beside_it_certify_nothing_of_their_own(certificate: Certificate) -> None:
    truth, votes = Population().draw(np.random.default_rng(5), 400)
    part = applied(study_of(votes, truth), certificate)
    assert [row.plugin for row in part.findings.named("certified_threshold")] == ["certificate"]
    assert part.decisions is not None
    assert "over the draw of its 200 labels" in (part.decisions.guarantee or "")


VOTES = Population().draw(np.random.default_rng(2), 100)[1]


@pytest.mark.parametrize(
    ("study", "options", "message"),
    [
        (study_of(VOTES, judges="abcdf"), {}, r"judge 'f' is not among the certified \(a, b, c"),
        (study_of(VOTES, judges="abcdf"), {}, "the certified judge 'e' gave no judgment"),
        (study_of(VOTES[:, :4], judges="abcd", prompt=["p1"] * 4), {}, "'e' gave no judgment"),
        (study_of(VOTES, prompt=["p1"] * 4 + ["p2"]), {}, "prompt of judge 'e' is p2, certified"),
        (
            study_of(VOTES, prompt=["p1"] * 4 + ["p2"]),
            {"same_prompts": True},  # vouches for what is unknown, not for what is different
            "prompt of judge 'e' is p2, certified was p1",
        ),
        (
            study_of(VOTES, prompt=["p1"] * 3 + [None] * 2),
            {},
            "not known whether 'd', 'e' had the same prompt.*--same-prompts",
        ),
        (study_of(VOTES, judge_kind="program"), {}, "judge 'a' is a program judge, it was a llm"),
        (
            study_of(VOTES, scale="ordinal:0:1"),
            {},
            "scale of judge 'a' is ordinal:0:1, it was binary .*--scale a=binary",
        ),
        (
            study_of(VOTES, scale="ordinal:0:1"),
            {},
            "the scale of 'score' is ordinal:0:1, it was binary",
        ),
        (study_of(VOTES, criterion="style"), {}, "is for criterion 'score', these are 'style'"),
        (study_of(VOTES), {"criterion": ("other",)}, "is for criterion 'score', these are 'other'"),
        (study_of(VOTES), {"aggregate": "gaussian"}, "option aggregate is gaussian, it was majori"),
        (study_of(VOTES), {"threshold": 0.6}, r"option threshold is 0\.6, it was 0\.5"),
        (study_of(VOTES), {"min_successful": 3}, "option min_successful is 3, it was 1"),
        (study_of(VOTES), {"alpha": 0.05}, r"option alpha is 0\.05, certified was 0\.1"),
        (study_of(VOTES), {"delta": 0.2}, r"option delta is 0\.2, certified was 0\.1"),
    ],
)
def test_each_difference_is_refused_by_name(
    study: Study, options: dict[str, object], message: str, certificate: Certificate
) -> None:
    with pytest.raises(CertificateError, match=message):
        applied(study, certificate, **options)


def with_scope(certificate: Certificate, **changes: object) -> Certificate:
    scope = certificate.scope.model_copy(update=changes)
    return Certificate.model_validate({**certificate.model_dump(), "scope": scope})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"confidence": "posterior probability"}, "the confidence is the vote share, it was poste"),
        ({"aggregate": "gaussian"}, "fitted to the logs at hand"),
        ({"aggregate": "no_such"}, "aggregation method 'no_such' is unknown"),
    ],
)
def test_another_source_of_confidence_is_refused(
    changes: dict[str, object], message: str, now: Study, certificate: Certificate
) -> None:
    with pytest.raises(AskError, match=message):
        applied(now, with_scope(certificate, **changes))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("panopt", r"panopt is [\d.]+, it was 0\.0\.1 \(calibrate again"),
        ("plugin panel", r"plugin panel is panopt [\d.]+, it was 0\.0\.1"),
        ("plugin strange", r"plugin strange is not installed, it was 0\.0\.1"),
    ],
)
def test_another_version_is_refused(
    name: str, message: str, now: Study, certificate: Certificate
) -> None:
    versions = {**certificate.versions, name: "0.0.1"}
    other = certificate.model_copy(update={"versions": versions})
    with pytest.raises(CertificateError, match=message):
        applied(now, other)


def test_versions_of_numpy_do_not_matter(now: Study, certificate: Certificate) -> None:
    other = certificate.model_copy(update={"versions": {**certificate.versions, "numpy": "2.0"}})
    decisions = applied(now, other).decisions
    assert decisions is not None
    assert decisions.guarantee is not None


def test_unknown_prompts_take_a_word_and_are_told(then: Study) -> None:
    truth, votes = Population().draw(np.random.default_rng(0), 300)
    silent = certify(study_of(votes, truth, prompt=[None] * JUDGES), host=HOST)
    known, unknown = study_of(VOTES), study_of(VOTES, prompt=[None] * JUDGES)
    for study in (known, unknown):
        with pytest.raises(CertificateError, match="it is not known whether 'a', 'b'"):
            applied(study, silent)
        decisions = applied(study, silent, same_prompts=True).decisions
        assert decisions is not None
        assert "prompts that logs do not tell are those of then" in (decisions.guarantee or "")


def test_a_prompt_that_is_gone_is_refused(then: Study) -> None:
    truth, votes = Population().draw(np.random.default_rng(0), 300)
    halves = [
        study_of(votes[:150], truth[:150]),
        study_of(votes[150:], truth[150:], prompt=["p2"] * JUDGES, item="k"),
    ]
    two = certify(Study.concat(halves), host=HOST)
    assert two.scope.judges[0].prompts == ("p1", "p2")
    with pytest.raises(CertificateError, match="'a' is never p2, which was among the certified"):
        applied(study_of(VOTES), two)


def test_hashes_of_filled_in_prompts_certify_nothing() -> None:
    truth, votes = Population().draw(np.random.default_rng(0), 100)
    hashes = [f"p{i}" for _ in range(JUDGES) for i in range(100)] + [None] * 100
    study = study_of(votes, truth, prompt_hash=hashes)
    with pytest.raises(CertificateError, match="judge 'a' has 100 prompt hashes"):
        certify(study, host=HOST)


def test_drift_of_confidences_expires_it(certificate: Certificate) -> None:
    hard = Population(easy=0.1).draw(np.random.default_rng(1), 400)[1]
    report = panopt.analyze(study_of(hard), Ask(certificate=certificate, n_boot=0), host=HOST)
    decisions = report.criteria[0].decisions
    assert decisions is not None
    assert decisions.counts()["trust"] == 0
    assert decisions.guarantee is None
    assert "is expired: confidences are not distributed" in (decisions.no_guarantee or "")
    assert any("is expired" in text for text in report.warnings)
    assert any("is expired" in text for text in report.to_dict()["warnings"])
    assert decisions.why(0).startswith("the certificate is expired; ")


def test_votes_that_are_missing_expire_it() -> None:
    # Two judges who agree are as unanimous as five.
    truth, votes = Population(right=(1.0, 1.0)).draw(np.random.default_rng(0), 200)
    made = certify(study_of(votes, truth), host=HOST)
    votes[50:, 2:] = np.nan
    item, judge = np.nonzero(~np.isnan(votes))
    study = Study.from_columns(
        {
            "item": [f"i{i}" for i in item],
            "judge": ["abcde"[j] for j in judge],
            "score": votes[item, judge],
            "prompt_hash": "p1",
            "scale": "binary",
        }
    )
    decisions = applied(study, made).decisions
    assert decisions is not None
    assert "numbers of decisive judges are not distributed" in (decisions.no_guarantee or "")


def test_labels_that_break_the_promise_expire_it(certificate: Certificate) -> None:
    # The votes are distributed as ever; it is the humans who changed their minds.
    truth, votes = Population().draw(np.random.default_rng(7), 400)
    turned = np.where(np.random.default_rng(8).random(400) < 0.35, 1 - truth, truth)
    part = applied(study_of(votes, turned), certificate)
    assert part.decisions is not None
    assert part.decisions.counts()["trust"] == 0
    assert "disagree with the human labels of these logs" in (part.decisions.no_guarantee or "")
    fine = applied(study_of(votes, truth), certificate).decisions
    assert fine is not None
    assert fine.guarantee is not None


@pytest.mark.parametrize("n", [0, 1])
def test_hardly_any_verdicts_are_no_trouble(n: int, certificate: Certificate) -> None:
    study = study_of(np.ones((1, JUDGES)))
    if not n:
        study = study_of(np.ones((1, JUDGES)), status="failed", score=None)
    decisions = applied(study, certificate).decisions
    assert decisions is not None
    assert decisions.guarantee is not None
    assert ("no verdict to compare" in decisions.guarantee) == (n == 0)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (0, "no response has both a human label and a panel verdict; .* at least 22 labelled"),
        (21, "21 labels cannot certify .*22 without a single error are needed, and more"),
    ],
)
def test_too_few_labels_are_refused_with_the_number(labels: int, message: str) -> None:
    truth, votes = Population(easy=1.0, right=(1.0, 1.0)).draw(np.random.default_rng(0), 100)
    truth[labels:] = np.nan
    with pytest.raises(CertificateError, match=message):
        certify(study_of(votes, truth), host=HOST)
    truth[:22] = votes[:22, 0]
    assert certify(study_of(votes, truth), host=HOST).coverage == 1.0


def test_judges_at_chance_certify_nothing() -> None:
    truth, votes = Population(right=(0.5, 0.5)).draw(np.random.default_rng(0), 300)
    with pytest.raises(CertificateError, match=r"the risk may be .* above alpha = 0\.1"):
        certify(study_of(votes, truth), host=HOST)


def test_labels_of_easy_responses_alone_are_told() -> None:
    rng = np.random.default_rng(0)
    truth, votes = Population().draw(rng, 400)
    easiest = np.argsort(-np.abs(votes.mean(axis=1) - 0.5), kind="stable")
    truth, votes = truth[easiest], votes[easiest]
    truth[150:] = np.nan
    made = certify(study_of(votes, truth), host=HOST)
    (warning,) = made.warnings
    assert "the 150 labelled responses are no random sample of these logs" in warning
    part = applied(study_of(votes[:150]), made)
    assert part.decisions is not None
    assert f"BEWARE: {warning}" in (part.decisions.guarantee or "")
    assert part.findings.named("certified_threshold")[0].warnings == (warning,)


def test_a_random_sample_of_labels_is_no_cause_for_a_warning(certificate: Certificate) -> None:
    assert certificate.warnings == ()


def test_a_confidence_fitted_to_these_logs_is_refused(then: Study) -> None:
    with pytest.raises(
        CertificateError, match=r"'dawid_skene' is fitted to the logs.*--aggregate maj"
    ):
        certify(then, Ask(aggregate="dawid_skene"), host=HOST)


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (Ask(criterion=("style", "score")), "name it with --criterion: 'style', 'score'"),
        (Ask(criterion=("other",)), "criterion 'other' was not judged"),
        (Ask(aggregate="other"), "aggregation method 'other' is unknown"),
    ],
)
def test_wrong_asks_are_told(ask: Ask, message: str, then: Study) -> None:
    with pytest.raises(AskError, match=message):
        certify(then, ask, host=HOST)


def test_a_certificate_makes_no_certificate(then: Study, certificate: Certificate) -> None:
    with pytest.raises(AskError, match="makes no new certificate"):
        certify(then, Ask(certificate=certificate), host=HOST)


def test_labels_without_judges_are_told() -> None:
    study = Study.from_columns({"item": ["a"], "judge": "h", "judge_kind": "human", "score": [1.0]})
    with pytest.raises(AskError, match="has human labels but no judge"):
        certify(study, host=HOST)


def test_date_is_given_or_told_by_the_runs_never_by_the_clock(then: Study) -> None:
    began = ("2026-01-05T08:00:00+00:00", "2026-02-01T00:00:00+00:00", "soon")
    sources = [Source(f"s{i}", "odd", attempt=("t", time)) for i, time in enumerate(began)]
    dated = Study(then.table, tuple(sources))
    assert certify(dated, host=HOST).date == "2026-02-01"
    assert certify(dated, date="2025-12-31", host=HOST).date == "2025-12-31"
    assert certify(Study(then.table, (replace(sources[2]),)), host=HOST).date is None
    with pytest.raises(
        AskError, match=r"option date = '1\.2\.2026' is no date; write it YYYY-MM-DD"
    ):
        certify(then, date="1.2.2026", host=HOST)


def test_a_date_may_be_today_but_not_in_the_future(then: Study) -> None:
    now = dt.datetime.now(dt.UTC)
    assert certify(then, date=now.date().isoformat(), host=HOST).date == now.date().isoformat()
    late = (now + dt.timedelta(days=2)).date().isoformat()
    with pytest.raises(AskError, match=f"option date = '{late}' lies in the future"):
        certify(then, date=late, host=HOST)


def test_clusters_count_once() -> None:
    truth, votes = Population(easy=1.0).draw(np.random.default_rng(0), 60)
    one = study_of(votes, truth)
    twice = Study.concat([one, study_of(votes, truth, epoch=2)])
    found = certify(twice, host=HOST)
    assert (found.n_labels, found.n_responses) == (60, 120)
    assert "each drawn at random from a random cluster" in found.promised
    again = applied(twice.filter(np.asarray(twice.codes("judge_kind")[0] == 0)), found)
    drift = again.findings.named("certificate_drift")[0]
    assert drift.n == 60


@pytest.mark.parametrize("seed", range(3))
def test_what_is_kept_of_clusters_is_what_was_counted(seed: int) -> None:
    """Three responses an item, with votes of their own: `seen` is of those that `n` counts."""
    rng = np.random.default_rng(seed)
    drawn = [Population(easy=0.6).draw(rng, 300) for _ in range(3)]
    parts = [study_of(votes, truth, epoch=e) for e, (truth, votes) in enumerate(drawn, start=1)]
    found = certify(Study.concat(parts), Ask(seed=seed), host=HOST)
    assert "each drawn at random from a random cluster" in found.promised
    assert found.coverage != found.n / found.n_labels
    assert int(np.count_nonzero(found.confidences() >= found.threshold)) == found.n
    assert Certificate.from_json(found.to_json()) == found


def test_a_file_is_written_whole_and_never_over_another(
    certificate: Certificate, tmp_path: Path
) -> None:
    path = tmp_path / "deep" / "certificate.json"
    assert write_certificate(certificate, path).state == "written"
    assert read_certificate(path) == certificate
    assert write_certificate(certificate, path).state == "unchanged"
    path.write_text("mine", encoding="utf-8")
    with pytest.raises(OutputError, match="exists with other content; pass --overwrite"):
        write_certificate(certificate, path)
    assert path.read_text(encoding="utf-8") == "mine"
    write_certificate(certificate, path, overwrite=True)
    assert read_certificate(path) == certificate
    source = Study(study_of(VOTES).table, (Source(str(path), "odd"),))
    other = certificate.model_copy(update={"seed": 1})
    with pytest.raises(OutputError, match="sources are never overwritten"):
        write_certificate(other, path, overwrite=True, study=source)
    assert [file.name for file in path.parent.iterdir()] == ["certificate.json"]


def test_files_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    with pytest.raises(CertificateError, match=r"none\.json: cannot be read \(No such file"):
        read_certificate(tmp_path / "none.json")
    (tmp_path / "x.json").write_text("{}", encoding="utf-8")
    with pytest.raises(CertificateError, match=r"x\.json: is no certificate"):
        read_certificate(tmp_path / "x.json")


def test_the_report_holds_the_certificate(now: Study, certificate: Certificate) -> None:
    report = panopt.analyze(now, Ask(certificate=certificate, n_boot=0), host=HOST)
    text = json.dumps(report.to_dict(), allow_nan=False)
    assert certificate.data in text
    assert certificate.sha256 in text


def broken_promises(draws: int, population: Population, *, labels: int, apply: int) -> list[bool]:
    """Certify on fresh labelled logs time and again: was the risk really above alpha?

    The true risk at a threshold is enumerated, not sampled. The first `apply` certificates are
    applied to fresh logs, which must trust exactly what reaches the threshold.
    """
    broken, refused = [], 0
    for seed in range(draws):
        rng = np.random.default_rng(seed)
        truth, votes = population.draw(rng, labels)
        try:
            made = certify(study_of(votes, truth), Ask(n_boot=0), host=HOST)
        except CertificateError:
            refused += 1
            broken.append(False)
            continue
        broken.append(population.risk(made.threshold) > made.alpha)
        if seed < apply:
            fresh = population.draw(rng, 300)[1]
            decisions = applied(study_of(fresh), made).decisions
            assert decisions is not None
            share = fresh.mean(axis=1)
            sure = np.maximum(share, 1 - share) >= made.threshold
            trusted = decisions.decision == 0
            assert trusted.tolist() == (sure & (decisions.guarantee is not None)).tolist()
    assert refused < draws
    return broken


#: The risk of all verdicts is just above alpha: nearly every false step is one too far.
HARD = Population(easy=0.68)


def test_promises_are_broken_at_most_as_often_as_told() -> None:
    assert 0.1 < HARD.risk(0.0) < 0.105
    draws = 100
    broken = broken_promises(draws, HARD, labels=150, apply=4)
    assert np.mean(broken) <= 0.1 + 3 * np.sqrt(0.09 / draws)


@pytest.mark.slow
@pytest.mark.parametrize("labels", [60, 150, 400])
def test_promises_are_broken_at_most_as_often_as_told_in_many_draws(labels: int) -> None:
    draws = 1500
    broken = broken_promises(draws, HARD, labels=labels, apply=20)
    assert np.mean(broken) <= 0.1 + 3 * np.sqrt(0.09 / draws)


def false_alarms(draws: int) -> float:
    """Share of certificates called expired on logs drawn as theirs were, half of them labelled."""
    easy = Population(easy=0.95)
    alarms = 0
    for seed in range(draws):
        rng = np.random.default_rng(seed)
        truth, votes = easy.draw(rng, 80)
        made = certify(study_of(votes, truth), Ask(n_boot=0), host=HOST)
        truth, votes = easy.draw(rng, 120)
        truth[60:] = np.nan
        decisions = applied(study_of(votes, truth), made).decisions
        assert decisions is not None
        alarms += decisions.guarantee is None
    return alarms / draws


def test_a_certificate_that_holds_is_hardly_ever_called_expired() -> None:
    assert false_alarms(25) <= 0.06 + 3 * np.sqrt(0.06 * 0.94 / 25)


@pytest.mark.slow
def test_a_certificate_that_holds_is_hardly_ever_called_expired_in_many_draws() -> None:
    assert false_alarms(400) <= 0.06 + 3 * np.sqrt(0.06 * 0.94 / 400)


def test_public_names() -> None:
    names: dict[str, Callable[..., object]] = {
        "certify": certify,
        "read_certificate": read_certificate,
        "write_certificate": write_certificate,
    }
    for name, function in names.items():
        assert getattr(panopt, name) is function
    assert panopt.Certificate is Certificate
