"""``--plots``: figures of reports and replays, beside what is there, and a word for what is not."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np
import pytest

import panopt
from panopt.plots.drawing import draw_replays, draw_report, write_plots
from panopt.records.ask import Ask, Reading
from panopt.replay import replay_study

Fails = Callable[..., str]
LOGS = Path(__file__).parents[2] / "examples" / "logs"
PAIRS = (LOGS / "llmbar.json", "--labels", LOGS / "labels" / "llmbar.csv")


class Ended(Protocol):
    """How a run of the command ended."""

    code: int
    out: str
    err: str


Run = Callable[..., Ended]


def test_analyze_draws_what_the_report_rests_on(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "plots"
    words = ("analyze", *PAIRS, "--criterion", "natural", "--bootstrap", "20", "--plots", folder)
    ended = run(*words)
    assert ended.code == 0, ended
    names = {path.name for path in folder.iterdir()}
    assert names == {"natural-risk-coverage.svg", "natural-reliability.svg", "plots.md"}
    assert ended.out.count("written") == 3
    page = (folder / "plots.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\]\(([\w-]+\.svg)\)", page)) == names - {"plots.md"}
    assert "0 errors in 38 labels" in page
    # What is there already is left alone, and what differs is not replaced unasked.
    again = run(*words, "--json")
    assert again.code == 0
    json.loads(again.out)
    assert again.err.count("unchanged") == 3
    (folder / "plots.md").write_text("mine")
    kept = run(*words)
    assert kept.code == 2
    assert "exists with other content; pass --overwrite" in kept.err
    assert (folder / "plots.md").read_text() == "mine"
    assert run(*words, "--overwrite").code == 0
    assert (folder / "plots.md").read_text(encoding="utf-8") == page


def test_every_labelled_criterion_is_drawn_and_a_refusal_is_told(tmp_path: Path) -> None:
    study = panopt.read(PAIRS[0], labels=PAIRS[2])
    drawing = draw_report(panopt.analyze(study, panopt.Ask(n_boot=20)))
    assert drawing.missing == ()
    assert [plot.name for plot in drawing.plots] == [
        f"{criterion}-{what}"
        for criterion in ("natural", "neighbor")
        for what in ("risk-coverage", "reliability")
    ]
    assert "Certified: confidence" in drawing.plots[0].caption
    assert "Nothing is certified: " in drawing.plots[2].caption
    write_plots(drawing, tmp_path, keep=[], overwrite=False)
    for plot in drawing.plots:
        assert (tmp_path / f"{plot.name}.svg").read_bytes() == plot.svg
        ET.fromstring(plot.svg)  # noqa: S314 - ours


def scale_logs(n: int) -> str:
    """Write judges on a scale of 1 to 5, whose scores are a truth and some noise."""
    rng = np.random.default_rng(n)
    truth = rng.uniform(1.5, 4.5, n)
    lines = [
        f"i{i},{judge},{np.clip(truth[i] + rng.normal(0, 0.4), 1, 5):.3f}"
        for judge in "abc"
        for i in range(n)
    ]
    human = [f"i{i},human,{np.clip(truth[i] + rng.normal(0, 0.3), 1, 5):.3f}" for i in range(n)]
    rows = [f"{line},{'human' if ',human,' in line else 'llm'}" for line in (*lines, *human)]
    return "item,judge,score,judge_kind\n" + "\n".join(rows)


def test_P_1_scores_show_the_coverage_of_their_intervals(tmp_path: Path) -> None:
    (tmp_path / "scale.csv").write_text(scale_logs(200))
    study = panopt.read(tmp_path / "scale.csv", reading=Reading(scales=(("*", "continuous:1:5"),)))
    report = panopt.analyze(study, panopt.Ask(n_boot=50))
    drawing = draw_report(report, splits=400)
    names = [plot.name for plot in drawing.plots]
    assert [name.split("-", 1)[1] for name in names] == [
        "risk-coverage",
        "reliability",
        "conformal-coverage",
    ]
    told = drawing.plots[-1].caption
    found = re.search(r"Mean ([\d.]+), promised at least 0.9, by the law ([\d.]+);", told)
    assert found is not None
    assert abs(float(found[1]) - float(found[2])) < 0.01
    n = re.search(r"of (\d+) labelled responses: (\d+) calibrate, (\d+) are held out", told)
    assert n is not None
    calibrating = report.criteria[0].findings.named("conformal_halfwidth")[0].n
    assert int(n[1]) == calibrating == int(n[2]) + int(n[3])


def test_too_few_labels_are_told_and_nothing_is_made_up(tmp_path: Path) -> None:
    (tmp_path / "few.csv").write_text(scale_logs(12))
    study = panopt.read(tmp_path / "few.csv", reading=Reading(scales=(("*", "continuous:1:5"),)))
    drawing = draw_report(panopt.analyze(study, panopt.Ask(n_boot=50)))
    assert len(drawing.plots) == 2
    assert "12 labels; halves of at least 18 give intervals at alpha = 0.1" in drawing.missing[0]
    bare = panopt.read(LOGS / "llmbar.json")
    drawing = draw_report(panopt.analyze(bare, panopt.Ask(n_boot=50)))
    assert drawing.plots == ()
    assert len(drawing.missing) == 2
    write_plots(drawing, tmp_path / "none", keep=[], overwrite=False)
    page = (tmp_path / "none" / "plots.md").read_text(encoding="utf-8")
    assert page.startswith("## Not drawn")
    assert page.count("no labelled response has a panel verdict") == 2


def test_replay_draws_methods_and_judges(run: Run, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    human = rng.random(120) < 0.6
    lines, labels = [], []
    for i in range(120):
        labels.append(f"i{i},{int(human[i])}")
        for judge, skill in (("cheap", 0.7), ("strong", 0.95)):
            right = rng.random() < skill
            sure = rng.uniform(0.7, 1.0) if right else rng.uniform(0.5, 0.9)
            lines.append(f"i{i},{judge},{int(human[i] == right)},{sure:.3f}")
    logs, people = tmp_path / "logs.csv", tmp_path / "human.csv"
    logs.write_text("item,judge,score,confidence\n" + "\n".join(lines))
    people.write_text("item,score\n" + "\n".join(labels))
    words = ("replay", logs, "--labels", people, "--splits", "20", "--scale", "binary")
    ended = run(*words, "--plots", tmp_path / "plots", "--json")
    assert ended.code == 0, ended
    told = json.loads(ended.out)
    names = sorted(path.name for path in (tmp_path / "plots").iterdir())
    stem = next(name for name in names if name.endswith("-methods.svg")).removesuffix(
        "-methods.svg"
    )
    assert names == sorted(
        [
            *(f"{stem}-{what}.svg" for what in ("methods", "risk-coverage", "reliability")),
            *(f"{stem}-judge-{k}-reliability.svg" for k in (1, 2)),
            "plots.md",
        ]
    )
    reading = Reading(scales=(("*", "binary"),))
    study = panopt.read(logs, labels=people, reading=reading)
    found = replay_study(study, Ask(), splits=20)[0]
    caption = draw_replays([found], Ask()).plots[0].caption
    for one in found.methods:
        seen = one.known_population
        words_of = f"{one.method} accepts {seen.coverage:.1%} and succeeds in {seen.success:.1%}"
        assert words_of in caption
    assert found.labelled.confidence.shape == (120, 2)
    assert told is not None
    page = (tmp_path / "plots" / "plots.md").read_text(encoding="utf-8")
    assert re.search(r"cheap 0\.\d{3} \(120 labelled verdicts\), strong 0\.\d{3} \(120", page)


def test_without_matplotlib_nothing_starts(fails: Fails, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("panopt.plots.canvas.find_spec", lambda name: None)
    for command in ("analyze", "replay"):
        assert "pip install 'panopt[report]'" in fails(command, *PAIRS, "--plots", "nowhere")


def test_a_cascade_is_called_one_and_a_certificate_shows_no_point_of_these_labels(
    run: Run, tmp_path: Path
) -> None:
    rng = np.random.default_rng(1)
    truth = rng.random(200) < 0.5
    lines = ["item,judge,score,confidence,prompt_hash"]
    for i in range(200):
        for judge, strength in (("cheap", 0.8), ("strong", 2.0)):
            margin = rng.normal(strength)
            sure = 1 / (1 + np.exp(-abs(margin)))
            lines.append(f"i{i},{judge},{int(truth[i] == (margin > 0))},{sure:.3f},{judge}")
    logs, people = tmp_path / "logs.csv", tmp_path / "human.csv"
    logs.write_text("\n".join(lines))
    people.write_text("item,score\n" + "\n".join(f"i{i},{int(t)}" for i, t in enumerate(truth)))
    words = (logs, "--labels", people, "--scale", "binary")
    made = tmp_path / "certificate.json"
    calibrated = run("calibrate", *words, "--cascade", "cheap,strong", "--out", made)
    assert calibrated.code == 0, calibrated
    folder = tmp_path / "plots"
    ended = run("analyze", *words, "--certificate", made, "--same-prompts", "--plots", folder)
    assert ended.code == 0, ended
    page = (folder / "plots.md").read_text(encoding="utf-8")
    assert "Is the cascade as often right as it says?" in page
    assert "A certificate that was made before decides: no point is shown." in page
    assert "Certified:" not in page
