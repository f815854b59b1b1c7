"""``panopt calibrate`` and ``panopt analyze --certificate``: from labels to trust without them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np
import pytest

import panopt


class Ended(Protocol):
    """How a run of the command ended; see conftest.py."""

    code: int
    out: str
    err: str


Run = Callable[..., Ended]
Fails = Callable[..., str]
Table = Callable[..., Path]


def text_of(
    seed: int, n: int, *, prompt: str = "p1", judges: str = "xyz", right: float = 0.97
) -> str:
    """Write votes of three judges, each right with one probability."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 2, n)
    lines = ["item,judge,score,prompt_hash"]
    for judge in judges:
        votes = np.where(rng.random(n) < right, truth, 1 - truth)
        lines += [f"i{seed}-{i},{judge},{vote},{prompt}" for i, vote in enumerate(votes)]
    return "\n".join([*lines, ""])


@pytest.fixture
def logs(table: Table) -> Path:
    return table("then.csv", text_of(0, 120))


@pytest.fixture
def labels(table: Table) -> Path:
    truth = np.random.default_rng(0).integers(0, 2, 120)[:80]
    lines = [f"i0-{i},{score}" for i, score in enumerate(truth)]
    return table("labels.csv", "\n".join(["item,score", *lines, ""]))


@pytest.fixture
def fresh(table: Table) -> Path:
    return table("now.csv", text_of(1, 200))


@pytest.fixture
def certificate(run: Run, logs: Path, labels: Path, tmp_path: Path) -> Path:
    path = tmp_path / "certificate.json"
    ended = run("calibrate", logs, "--labels", labels, "--out", path)
    assert (ended.code, ended.err) == (0, "")
    return path


def flat(text: str) -> str:
    return " ".join(text.replace("│", " ").split())


def test_calibrate_writes_a_certificate_and_says_what_it_promises(
    run: Run, logs: Path, labels: Path, tmp_path: Path
) -> None:
    path = tmp_path / "new" / "c.json"
    ended = run("calibrate", logs, "--labels", labels, "--out", path, "--date", "2026-01-02")
    assert (ended.code, ended.err) == (0, "")
    for words in (
        "certified: trust verdicts of confidence",
        "promise: with probability 0.9, at least 0.9 of the trusted verdicts agree",
        "for: criterion score on binary, majority of x, y, z",
        "from: 80 independent labels, 120 responses, judged 2026-01-02",
        "assumes: the labelled judgments are a random sample",
        "written",
    ):
        assert words in flat(ended.out)
    made = panopt.read_certificate(path)
    study = panopt.read(logs, labels=labels)
    assert made == panopt.certify(study, date="2026-01-02")


def test_json_is_the_certificate(run: Run, logs: Path, labels: Path, tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    ended = run("calibrate", logs, "--labels", labels, "--out", path, "--json")
    assert ended.out == path.read_text(encoding="utf-8")
    assert "written" in ended.err
    again = run("calibrate", logs, "--labels", labels, "--out", path, "--json")
    assert again.out == ended.out
    assert "unchanged" in again.err


def test_options_reach_the_certificate(run: Run, logs: Path, labels: Path, tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    ended = run(
        *(
            "calibrate",
            logs,
            "--labels",
            labels,
            "--out",
            path,
            "--alpha",
            "0.2",
            "--delta",
            "0.05",
        ),
        *("--threshold", "0.4", "--min-successful", "2", "--seed", "3", "--aggregate", "mean"),
        *("--criterion", "score"),
    )
    assert ended.code == 0
    made = panopt.read_certificate(path)
    assert (made.alpha, made.delta, made.seed) == (0.2, 0.05, 3)
    scope = made.scope
    assert (scope.threshold, scope.min_successful, scope.aggregate) == (0.4, 2, "mean")


def test_it_is_applied_to_logs_without_labels(run: Run, fresh: Path, certificate: Path) -> None:
    plain = json.loads(run("analyze", fresh, "--json").out)
    assert plain["criteria"][0]["decisions"]["guarantee"] is None
    ended = run("analyze", fresh, "--certificate", certificate, "--json")
    assert (ended.code, ended.err) == (0, "")
    report = json.loads(ended.out)
    promise = report["criteria"][0]["decisions"]["guarantee"]
    assert promise.startswith(f"certificate {panopt.read_certificate(certificate).sha256[:12]}")
    names = {row["name"] for row in report["criteria"][0]["findings"]}
    assert {"certified_threshold", "certified_coverage", "certificate_drift"} <= names
    shown = flat(run("analyze", fresh, "--certificate", certificate).out)
    assert "guarantee: certificate" in shown
    assert "have people label" not in shown


def test_decisions_are_written_with_their_reasons(
    run: Run, fresh: Path, certificate: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert run("analyze", fresh, "--certificate", certificate, "--out", out).code == 0
    rows = (out / "responses.csv").read_text(encoding="utf-8")
    assert "is certified" in rows or "reaches the certified" in rows


def test_an_expired_certificate_is_told_everywhere(
    run: Run, table: Table, certificate: Path, tmp_path: Path
) -> None:
    drifted = table("drifted.csv", text_of(2, 300, right=0.6))
    shown = flat(run("analyze", drifted, "--certificate", certificate).out)
    assert "no guarantee: certificate" in shown
    assert shown.count("is expired") >= 2
    ended = run("analyze", drifted, "--certificate", certificate, "--json", "--out", tmp_path / "o")
    report = json.loads(ended.out)
    assert report["criteria"][0]["decisions"]["counts"]["trust"] == 0
    assert any("is expired" in text for text in report["warnings"])
    rows = (tmp_path / "o" / "responses.csv").read_text(encoding="utf-8")
    assert "the certificate is expired" in rows


def test_an_expired_certificate_is_an_error_under_strict(
    fails: Fails, table: Table, certificate: Path
) -> None:
    drifted = table("drifted.csv", text_of(2, 300, right=0.6))
    words = fails("analyze", drifted, "--certificate", certificate, "--strict")
    assert "is expired" in words


def test_unknown_prompts_need_a_word(
    run: Run, fails: Fails, table: Table, certificate: Path
) -> None:
    silent = table("silent.csv", text_of(1, 200, prompt=""))
    words = fails("analyze", silent, "--certificate", certificate)
    assert "it is not known whether 'x', 'y', 'z' had the same prompt" in words
    assert "--same-prompts" in words
    ended = run("analyze", silent, "--certificate", certificate, "--same-prompts")
    assert "guarantee: certificate" in flat(ended.out)


def test_calibrate_says_that_prompts_are_unknown(
    run: Run, table: Table, labels: Path, tmp_path: Path
) -> None:
    silent = table("silent.csv", text_of(0, 120, prompt=""))
    ended = run("calibrate", silent, "--labels", labels, "--out", tmp_path / "c.json")
    assert "do not tell the prompts of x, y, z: who applies" in flat(ended.out)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (text_of(1, 200, prompt="p2"), "the prompt of judge 'x' is p2, certified was p1"),
        (text_of(1, 200, judges="xyw"), "judge 'w' is not among the certified (x, y, z)"),
        (text_of(1, 200, judges="xy"), "the certified judge 'z' gave no judgment"),
    ],
)
def test_other_judges_are_refused(
    text: str, message: str, fails: Fails, table: Table, certificate: Path
) -> None:
    words = fails("analyze", table("other.csv", text), "--certificate", certificate)
    assert message in words
    assert "is not for these logs" in words


def test_an_edited_certificate_is_refused(fails: Fails, fresh: Path, certificate: Path) -> None:
    text = certificate.read_text(encoding="utf-8")
    certificate.write_text(text.replace('"alpha": 0.1', '"alpha": 0.01'), encoding="utf-8")
    assert "was changed after it was made" in fails("analyze", fresh, "--certificate", certificate)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--threshold", "0.7"], "option threshold is 0.7, it was 0.5"),
        (["--alpha", "0.05"], "option alpha is 0.05, certified was 0.1"),
        (["--aggregate", "mean"], "option aggregate is mean, it was majority"),
    ],
)
def test_other_options_are_refused(
    options: list[str], message: str, fails: Fails, fresh: Path, certificate: Path
) -> None:
    assert message in fails("analyze", fresh, "--certificate", certificate, *options)


def test_the_usual_alpha_is_refused_where_it_is_asked_for_and_was_not_certified(
    run: Run, fails: Fails, logs: Path, labels: Path, fresh: Path
) -> None:
    path = fresh.parent / "lax.json"
    made = run("calibrate", logs, "--labels", labels, "--out", path, "--alpha", "0.2")
    assert made.code == 0
    assert "at least 0.8 of the trusted" in flat(run("analyze", fresh, "--certificate", path).out)
    words = fails("analyze", fresh, "--certificate", path, "--alpha", "0.1")
    assert "option alpha is 0.1, certified was 0.2" in words
    words = fails("analyze", fresh, "--certificate", path, "--delta", "0.2")
    assert "option delta is 0.2, certified was 0.1" in words
    as_certified = ("--alpha", "0.2", "--delta", "0.1")
    assert run("analyze", fresh, "--certificate", path, *as_certified).code == 0


def test_same_prompts_alone_mean_nothing(fails: Fails, fresh: Path) -> None:
    words = fails("analyze", fresh, "--same-prompts")
    assert "--same-prompts vouches for a certificate" in words


def test_too_few_labels_are_a_refusal_with_the_number(
    fails: Fails, table: Table, logs: Path, tmp_path: Path
) -> None:
    few = table("few.csv", "item,score\n" + "".join(f"i0-{i},1\n" for i in range(10)))
    words = fails("calibrate", logs, "--labels", few, "--out", tmp_path / "c.json")
    assert "10 labels cannot certify alpha = 0.1 at delta = 0.1" in words
    assert "22 without a single error are needed, and more with errors" in words
    words = fails("calibrate", logs, "--out", tmp_path / "c.json")
    assert "no response has both a human label and a panel verdict" in words


def test_a_folder_is_no_file_for_a_certificate(fails: Fails, logs: Path, labels: Path) -> None:
    words = ("calibrate", logs, "--labels", labels, "--out", logs.parent, "--overwrite")
    assert "is a folder or a device: name a file" in fails(*words)


def test_a_long_name_hides_no_other(run: Run, table: Table, labels: Path) -> None:
    text = text_of(0, 120, judges="xyz").replace(",x,", f",{'x' * 9000},")
    logs = table("long.csv", text)
    ended = run("calibrate", logs, "--labels", labels, "--out", logs.with_name("c.json"))
    told = flat(ended.out)
    assert ended.code == 0
    assert "…, y, z" in told
    assert len(told) < 2000


def test_other_files_are_never_replaced(
    run: Run, fails: Fails, logs: Path, labels: Path, table: Table
) -> None:
    mine = table("mine.json", "mine")
    words = fails("calibrate", logs, "--labels", labels, "--out", mine)
    assert "exists with other content; pass --overwrite" in words
    assert run("calibrate", logs, "--labels", labels, "--out", mine, "--overwrite").code == 0
    for source in (logs, labels):
        words = fails("calibrate", logs, "--labels", labels, "--out", source, "--overwrite")
        assert "sources are never overwritten" in words


def test_labels_that_are_no_random_sample_are_told(
    run: Run, fails: Fails, table: Table, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    lines = ["item,judge,score"]
    for i in range(200):  # the judges agree on the first half, which alone is labelled
        votes = [1, 1, 1] if i < 100 else rng.permutation([1, 1, 0]).tolist()
        lines += [f"i{i},{judge},{vote}" for judge, vote in zip("xyz", votes, strict=True)]
    logs = table("half.csv", "\n".join([*lines, ""]))
    labels = table("easy.csv", "item,score\n" + "".join(f"i{i},1\n" for i in range(100)))
    arguments = ("calibrate", logs, "--labels", labels, "--out", tmp_path / "c.json")
    assert "are no random sample" in fails(*arguments, "--strict")
    assert "may spoil it: the 100 labelled responses are no random sample" in flat(
        run(*arguments).out
    )


def test_confidences_off_their_range_are_named_where_a_cascade_misses_them(
    fails: Fails, table: Table, labels: Path
) -> None:
    lines = ["item,judge,score,confidence"]
    lines += [f"i0-{i},{judge},1,{0.5 if i else 1.5}" for judge in "xy" for i in range(80)]
    logs = table("sure.csv", "\n".join([*lines, ""]))
    out = logs.with_name("c.json")
    words = fails("calibrate", logs, "--labels", labels, "--cascade", "x,y", "--out", out)
    assert "judge 'x' has no confidence" in words
    assert "sure.csv: column confidence left out: it goes from 0.5 to 1.5, not 0-1" in words


def test_strict_makes_warnings_errors(
    fails: Fails, logs: Path, table: Table, tmp_path: Path
) -> None:
    stray = "".join(f"{name},1\n" for name in ("nobody", *(f"i0-{i}" for i in range(30))))
    labels = table("stray.csv", f"item,score\n{stray}")
    words = fails("calibrate", logs, "--labels", labels, "--out", tmp_path / "c.json", "--strict")
    assert "an error under --strict" in words


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--alpha", "1"], "option alpha = 1.0"),
        (["--delta", "0"], "option delta = 0.0"),
        (["--delta", "0.9"], "option delta = 0.9: Input should be less than or equal to 0.5"),
        (["--date", "soon"], "option date = 'soon' is no date"),
        (["--date", "9999-12-31"], "option date = '9999-12-31' lies in the future"),
        (["--min-successful", "0"], "option min_successful = 0"),
        (["--aggregate", "gaussian"], "gaussian"),
        (["--cascade", "x,y", "--cost", "x=-1"], "'x=-1': costs must be finite and not negative"),
        (["--cascade", "x,y", "--cost", "x=1", "--cost", "x=2"], "'x' has a cost already, 1"),
    ],
)
def test_bad_options_are_one_line(
    options: list[str], message: str, fails: Fails, logs: Path, labels: Path
) -> None:
    out = logs.with_name("c.json")
    assert message in fails("calibrate", logs, "--labels", labels, "--out", out, *options)
