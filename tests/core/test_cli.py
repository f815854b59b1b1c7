"""The command: what a person sees, what a program reads, and one line for bad input."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import pytest
from rich.console import Console
from rich.markup import render

from panopt.cli.text import number, plain, shown


class Ended(Protocol):
    """How a run of the command ended; see conftest.py."""

    code: int
    out: str
    err: str


Run = Callable[..., Ended]
Fails = Callable[..., str]
Table = Callable[..., Path]

#: What steers a terminal, hides text or could be read as markup.
HOSTILE = (
    "\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07",
    "\x9b31m",
    "line\nbreak\r\n\u2028\u2029",
    "\u202eevil\u202c\u2066x\u2069",
    "[red]bold[/red] [/] [link=http://x]y[/link] \\[z] :smile:",
    "\x00\x7f\u200b\ufeff\ue000",
)
STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")


def test_analyze_shows_systems_judges_and_decisions(run: Run, table: Table) -> None:
    ended = run("analyze", table())
    assert (ended.code, ended.err) == (0, "")
    for words in (
        "12 judgments",
        "criterion score",
        "6 responses, 2 judges on binary, 0 with human labels",
        "aggregated by majority: the verdicts are binary",
        "no guarantee:",
        "decisions:",
    ):
        assert words in ended.out
    assert "scale binary inferred for x, y" in " ".join(ended.out.split())


def test_json_is_plain_json_and_the_same_twice(run: Run, table: Table) -> None:
    path = table("log.csv", "item,judge,score,task\na,x,,é\nb,x,1,é\na,y,,é\nb,y,1,é\n")
    first, again = (run("analyze", path, "--json", "--bootstrap", "20") for _ in range(2))
    assert (first.code, first.err) == (0, "")
    assert first.out == again.out

    def refuse(name: str) -> None:
        raise AssertionError(name)

    report = json.loads(first.out, parse_constant=refuse)
    assert report["criteria"][0]["criterion"] == "é"
    assert first.out.isascii()


def test_json_does_not_depend_on_the_seed_of_hashes(table: Table) -> None:
    path = table()
    outs = {
        subprocess.run(
            [sys.executable, "-m", "panopt", "analyze", str(path), "--json", "--bootstrap", "20"],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outs) == 1


def test_write_and_out(run: Run, odd_log: Table, tmp_path: Path) -> None:
    log = odd_log()
    ended = run("analyze", log, "--write", "--out", tmp_path / "out")
    assert ended.code == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "log.panopt.odd",
        "report.json",
        "responses.csv",
    ]
    assert ended.out.count("written") == 3
    again = run("analyze", log, "--write", "--out", tmp_path / "out")
    assert again.out.count("unchanged") == 3
    printed = run("analyze", log, "--json").out
    assert json.loads(printed) == json.loads((tmp_path / "out" / "report.json").read_text())


def test_out_alone_writes_no_copies_and_nothing_at_all_without_it(
    run: Run, odd_log: Table, tmp_path: Path
) -> None:
    log = odd_log()
    before = sorted(tmp_path.iterdir())
    assert run("analyze", log).code == 0
    assert sorted(tmp_path.iterdir()) == before
    assert run("analyze", log, "--out", tmp_path / "out").code == 0
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["report.json", "responses.csv"]


def test_options_reach_the_analysis(run: Run, table: Table) -> None:
    path = table("log.csv", "question,model,rater,stars\nq1,m,x,2\nq2,m,x,4\nq1,m,y,3\nq2,m,y,5\n")
    ended = run(
        *("analyze", path, "--json", "--column", "item=question", "--column", "score=stars"),
        *("--scale", "ordinal:0:5", "--scale", "y=ordinal:1:5", "--alpha", ".2", "--seed", "7"),
        *("--aggregate", "median", "--threshold", ".6", "--level", ".9", "--bootstrap", "0"),
    )
    report = json.loads(ended.out)
    assert report["criteria"][0]["judge_scales"] == ["ordinal:0:5", "ordinal:1:5"]
    assert report["criteria"][0]["aggregate"]["method"] == "median"
    assert report["ask"] == {
        **report["ask"],
        "alpha": 0.2,
        "seed": 7,
        "threshold": 0.6,
        "level": 0.9,
        "n_boot": 0,
    }


def test_plugins_are_listed(run: Run, install: Callable[..., Path]) -> None:
    install("zzz", "raise RuntimeError('no luck')", distribution="bad-luck", version="0.9")
    shown_table = run("plugins")
    assert shown_table.code == 0
    assert "tables" in shown_table.out
    assert "broken:" in shown_table.out
    infos = {info["name"]: info for info in json.loads(run("plugins", "--json").out)}
    assert infos["tables"]["hooks"] == ["panopt_read", "panopt_suffixes"]
    assert infos["zzz"]["distribution"] == "bad-luck"
    assert infos["zzz"]["error"] == "no luck"


def test_help_and_version(run: Run) -> None:
    assert "analyze" in run().out
    assert run("--version").out.count(".") == 2
    assert "--labels" in run("analyze", "--help").out
    assert [run(*args).code for args in ((), ("--version",), ("analyze", "--help"))] == [0, 0, 0]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--alpha", "0"], r"option alpha = 0\.0: Input should be greater than 0"),
        (["--alpha", "1"], r"option alpha = 1\.0: Input should be less than 1"),
        (["--alpha", "nan"], "option alpha = nan: "),
        (["--alpha", "much"], "Invalid value for '--alpha'"),
        (["--alpha"], "Option '--alpha' requires an argument"),
        (["--delta", "-1"], r"option delta = -1\.0"),
        (["--level", "95"], r"option level = 95\.0"),
        (["--threshold", "2"], r"option threshold = 2\.0"),
        (["--min-successful", "0"], "option min_successful = 0"),
        (["--seed", "-1"], "option seed = -1"),
        (["--bootstrap", "-5"], "option n_boot = -5"),
        (["--aggregate", "best"], "aggregation method 'best' is unknown; known: auto, .*majority"),
        (["--criterion", "tune"], "criterion 'tune' was not judged; judged criteria: 'score'"),
        (["--scorers", "all"], "option scorers = 'all'"),
        (["--keys", "all"], "option keys = 'all'"),
        (["--tier", "slow"], "option tier = 'slow'"),
        (["--off-scale", "drop"], "option off_scale = 'drop'"),
        (["--scale", "stars:1:5"], "scale kind 'stars' is unknown"),
        (["--scale", "ordinal:5"], "scale 'ordinal:5' is not of the form KIND or KIND:LOW:HIGH"),
        (["--scale", "ordinal:5:1"], "low below high"),
        (["--scale", "q=binary"], "--scale: a scale is declared for judge 'q', who judged nothing"),
        (["--scale", "ordinal:1:5"], "score 0 is off the scale ordinal:1:5"),
        (["--column", "item"], "option --column 'item' is not of the form NAME=VALUE"),
        (["--column", "=q"], "option --column '=q' is not of the form"),
        (["--column", "mood=score"], "cannot map to 'mood', which is no column of a judgment"),
        (["--column", "item=q"], r"column 'q' \(mapped to 'item'\) is not in the file"),
        (["--human", "gould"], "no judge, scorer, metric or column of these sources has that name"),
        (["--labels", "nowhere.csv"], r"nowhere\.csv: is no file; name a CSV"),
        (["--frobnicate"], "No such option: --frobnicate"),
        (["--strict"], r" \(an error under --strict\)"),
    ],
)
def test_a_bad_option_is_one_line(
    fails: Fails, table: Table, args: list[str], message: str
) -> None:
    path = table()
    assert re.search(message, fails("analyze", "--out", path.parent / "out", path, *args))


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["analyze"], "Missing argument"),
        (["analyse"], "No such command 'analyse'"),
        (["analyze", "nowhere.eval"], r"nowhere\.eval: does not exist; name a file"),
        (["analyze", "no*where"], r"no\*where: matches no file"),
        (["analyze", "x" * 400], "cannot be opened \\(File name too long\\)"),
        (["plugins", "--frob"], "No such option: --frob"),
        (["demo", "--logs", "nowhere"], "nowhere: holds no example logs"),
    ],
)
def test_bad_usage_is_one_line(fails: Fails, args: list[str], message: str) -> None:
    assert re.search(message, fails(*args))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("log.eval", b"", r"log\.eval: the file is empty"),
        ("log.eval", b"PK\x03\x04 and then nothing", r"log\.eval: "),
        ("log.json", b"", r"log\.json: the file is empty"),
        ("log.json", b'{"hello": "world"}', r"log\.json: "),
        ("log.json", b'{"half": ', r"log\.json: "),
        ("log.jsonl", b"not json\n", r"log\.jsonl: line 1: is no JSON object"),
        ("log.yaml", b"hello: world\n", r"log\.yaml: "),
        ("log.txt", b"hello", r"log\.txt: not a log or table that an installed shim knows"),
        ("log.csv", b"", r"log\.csv: the file is empty; a table has a header"),
        ("log.csv", b"item,judge,score\n", r"log\.csv: the table has no rows"),
        ("log.csv", b"item,score\na,1\n", r"log\.csv: needs a column judge \(or judge_id, "),
        ("log.csv", b"judge,score\na,1\n", r"log\.csv: needs a column item \(or item_id, "),
        ("log.csv", b"item,judge\na,x\n", r"log\.csv: needs a column score or label; columns are"),
        ("log.csv", b"item,judge,score\na,x,inf\n", r"item 'a', judge 'x': score inf is off the"),
        ("log.csv", b"item,judge,score\na,x,good\nb,x,1\n", r"row 1: score 'good' is no number"),
        ("log.csv", b"item,judge,score,status\na,x,1,okay\n", "row 1: column 'status' has 'okay'"),
        ("log.csv", b"item,judge,score,judge_kind\na,x,1,robot\n", "'judge_kind' has 'robot'"),
        ("log.csv", b"item,judge,score,scale\na,x,7,ordinal:1:5\n", "score 7 is off the scale ord"),
        ("log.csv", b"item,judge,score\n,x,1\n", r"log\.csv: row 1: column 'item' is empty"),
        ("log.csv", b"item,judge,judge_kind,score\na,x,human,1\n", "has human labels but no judge"),
        ("log.parquet", b"PAR1 and then nothing", r"log\.parquet: cannot be parsed"),
        ("log.csv.gz", b"\x1f\x8b and then nothing", r"log\.csv\.gz: cannot be opened"),
    ],
)
def test_a_bad_file_is_one_line(
    fails: Fails, tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    line = fails("analyze", path, "--write", "--out", tmp_path / "out")
    assert re.search(message, line), line


def test_an_empty_folder_is_one_line(fails: Fails, tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    assert "logs: the folder holds no log (files ending in " in fails("analyze", tmp_path / "logs")


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (
            "item,score\nQ1,1\nQ2,1\nQ3,0\nQ4,0\n",
            "labels have Q1, Q2, Q3; responses have i0, i1, i2",
        ),
        (
            "item,score\ni0,1\ni0,0\n",
            "duplicate labels of item 'i0' by 'human' contradict each oth",
        ),
        ("item,criterion,score\ni0,tone,1\n", "labels are for criterion 'tone', which no judge"),
        ("item,score\ni0,\n", r"labels\.csv: no label has a score or a verdict"),
        ("item,mood\ni0,1\n", "labels need a column score or label; columns are 'item', 'mood'"),
        ("", r"labels\.csv: the file is empty"),
    ],
)
def test_bad_labels_are_one_line(fails: Fails, table: Table, labels: str, message: str) -> None:
    log, path = table(), table("labels.csv", labels)
    assert message.replace("\\", "") in fails("analyze", log, "--labels", path)


def test_ambiguous_labels_are_one_line(fails: Fails, table: Table) -> None:
    log = table("log.csv", "item,system,judge,score\na,s1,x,1\na,s2,x,0\n")
    line = fails("analyze", log, "--labels", table("labels.csv", "item,score\na,1\n"))
    assert "the label of item 'a' fits 2 responses; a label is of one response: add a col" in line


def test_outputs_that_cannot_be_written_are_one_line(
    fails: Fails, run: Run, odd_log: Table, tmp_path: Path
) -> None:
    log = odd_log()
    (tmp_path / "file").write_text("a file")
    assert re.search(
        r"file/out/.*: cannot be written \(Not a directory\)",
        fails("analyze", log, "--write", "--out", tmp_path / "file" / "out"),
    )
    copy = odd_log("x.panopt.odd")
    assert "is a source of this analysis; sources are never" in fails("analyze", copy, "--write")
    assert run("analyze", log, "--out", tmp_path / "out").code == 0
    line = fails("analyze", log, "--out", tmp_path / "out", "--alpha", ".3")
    assert "report.json: exists with other content; pass --overwrite" in line
    overwritten = run("analyze", log, "--out", tmp_path / "out", "--alpha", ".3", "--overwrite")
    assert overwritten.code == 0


def test_a_clash_of_plugins_is_one_line(fails: Fails, install: Callable[..., Path]) -> None:
    install("tables", "x = 1", distribution="other-tables")
    for command in (["plugins"], ["analyze", "x.csv"]):
        line = fails(*command)
        assert "two installed packages bring a plugin of this name: other-tables 1.0 and pa" in line


def test_hostile_names_never_reach_the_terminal(
    run: Run, fails: Fails, tmp_path: Path, install: Callable[..., Path]
) -> None:
    rows = [
        {
            "item": f"{text}-{i}",
            "judge": f"{text} {judge}",
            "system": text,
            "criterion": HOSTILE[0] + HOSTILE[5],
            "score": (i + k) % 2,
            "rationale": text,
        }
        for i, text in enumerate(HOSTILE)
        for k, judge in enumerate("ab")
    ]
    path = tmp_path / "log.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    text = json.dumps("".join(HOSTILE))
    install("zzz", f'"""[red]Doc[/red] \\x1b[31m"""\nraise RuntimeError({text})')
    for args in (
        ["analyze", path],
        ["analyze", path, "--json"],
        ["plugins"],
        ["plugins", "--json"],
    ):
        ended = run(*args)
        assert (ended.code, ended.err) == (0, "")
        assert not STEERING.search(ended.out), STEERING.search(ended.out)
    assert "[red]bold[/red]" in run("analyze", path).out.replace("\n", "")
    for args in (
        ["analyze", path, "--criterion", HOSTILE[4]],
        ["analyze", path, "--scale", f"{HOSTILE[0]}=binary"],
        ["analyze", path, "--aggregate", "".join(HOSTILE).replace("\x00", "")],
        ["analyze", tmp_path / HOSTILE[1]],
        ["analyze", path, "--column", f"item={HOSTILE[5]}"],
    ):
        line = fails(*args)
        assert not STEERING.search(line.removesuffix("\n"))


@pytest.mark.parametrize("text", HOSTILE)
def test_plain_text_is_one_line_of_letters(text: str) -> None:
    assert not STEERING.search(plain(text))
    assert "\n" not in plain(text)
    console = Console(width=200, force_terminal=True, color_system=None, _environ={})
    with console.capture() as capture:
        console.print(shown(text), shown(f"{text}{text}", "red"))
    assert capture.get().rstrip("\n").replace(" ", "") == (plain(text) * 3).replace(" ", "")


def test_plain_text_keeps_what_can_be_read() -> None:
    assert plain("  naïve  日本語 \N{SNOWMAN} [x]\t1 ") == "naïve 日本語 \N{SNOWMAN} [x] 1"
    assert plain("ab" * 400, longest=10) == "ababababa…"
    assert len(plain("x" * 10_000)) == 300
    assert str(render("x")) == "x"
    assert (number(None), number(0.12345)) == ("-", "0.123")


def test_pandas_is_not_imported_to_look_for_it(table: Table) -> None:
    code = (
        "import sys; from panopt.cli.app import main\n"
        f"sys.argv = ['panopt', 'analyze', {str(table())!r}, '--json']\n"
        "try: main()\n"
        "except SystemExit as end: assert end.code in (0, None)\n"
        "assert 'pandas' not in sys.modules\n"
        "import pyarrow as pa\n"
        "assert pa.array(['a', None]).to_pylist() == ['a', None]\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
