"""The host takes strangers' plugins by the door the built-ins use, and none takes others down."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from panopt.analysis import analyze
from panopt.errors import AskError, PluginError, SourceError
from panopt.host import Host
from panopt.records.ask import Ask, Reading
from panopt.records.source import SourceFile
from panopt.records.study import Study

Install = Callable[..., Path]

COUNTS = '''
"""Counts the responses."""
from panopt.findings import Finding, Findings
from panopt.spec import hookimpl

@hookimpl
def panopt_analyze(matrix):
    row = Finding(
        plugin="counter", name="n_responses", criterion=matrix.criterion, unit="responses",
        value=matrix.n_responses, no_interval="a count", n=matrix.n_responses, method="counting",
    )
    return Findings((row,))
'''


@pytest.fixture
def study() -> Study:
    columns = {"item": list("aabbcc"), "judge": ["x", "y"] * 3, "system": "s"}
    return Study.from_columns({**columns, "score": [1.0, 0.0, 1.0, 1.0, 0.0, 0.0]})


def hooked(hook: str, body: str, arguments: str = "") -> str:
    return f"""
    from panopt.spec import hookimpl

    @hookimpl
    def {hook}({arguments}):
        {body}
    """


def test_built_ins_come_in_by_entry_points_in_the_order_of_their_names() -> None:
    infos = Host().plugins
    names = [info.name for info in infos]
    assert names == sorted(names)
    tables = infos[names.index("tables")]
    assert (tables.module, tables.distribution) == ("panopt.shims.tables", "panopt")
    assert tables.hooks == ("panopt_read", "panopt_suffixes")
    assert tables.about == "Plain tables of judgments or human labels: CSV, JSONL and Parquet."
    assert tables.error is None


def test_a_stranger_is_listed_and_asked(install: Install, study: Study) -> None:
    install("counter", COUNTS, distribution="panopt-counter", version="2.1")
    host = Host()
    info = next(info for info in host.plugins if info.name == "counter")
    assert (info.distribution, info.version) == ("panopt-counter", "2.1")
    assert (info.hooks, info.about) == (("panopt_analyze",), "Counts the responses.")
    report = analyze(study, host=host)
    (row,) = report.criteria[0].findings.named("n_responses")
    assert (row.value, row.plugin) == (3, "counter")
    assert report.versions["plugin counter"] == "panopt-counter 2.1"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("raise RuntimeError('no\\n  luck')", "^no luck$"),
        ("raise SystemExit(3)", "^3$"),
        ("import a_module_that_is_not_there", "No module named 'a_module_that_is_not_there'"),
        ("def (", "invalid syntax"),
        ("x = 1", "plugin 'odd': implements no hook"),
        (hooked("panopt_judge", "return 1"), "'odd', hook panopt_judge: no such hook; hooks are "),
        (hooked("panopt_analyze", "return 1", "study, mood"), "mood"),
        (hooked("panopt_methods", "raise KeyError('x')"), "hook panopt_methods: KeyError: 'x'"),
        (hooked("panopt_methods", "return ['best']"), "answered with list; the hook takes tuple"),
        (hooked("panopt_suffixes", "return ('.x', 7)"), "panopt_suffixes: declares 7, which is no"),
    ],
)
def test_a_plugin_that_cannot_be_loaded_is_reported_and_left_out(
    install: Install, study: Study, source: str, message: str
) -> None:
    install("odd", source)
    install("counter", COUNTS)
    host = Host()
    info = next(info for info in host.plugins if info.name == "odd")
    assert info.hooks == ()
    (problem,) = [problem for problem in host.broken if problem.plugin == "odd"]
    assert problem.hook == "load"
    assert re.search(message, problem.message), problem.message
    report = analyze(study, host=host)
    assert problem in report.problems
    assert any(warning.startswith("odd (load): ") for warning in report.warnings)
    assert len(report.criteria[0].findings.named("n_responses")) == 1
    assert "plugin odd" not in report.versions


@pytest.mark.parametrize(
    ("hook", "body", "message"),
    [
        ("panopt_analyze", "raise RuntimeError('out of luck')", "RuntimeError: out of luck"),
        ("panopt_analyze", "raise SystemExit(1)", "SystemExit: 1"),
        ("panopt_analyze", "return {'mean': 1}", "answered with dict; the hook takes Findings or"),
        ("panopt_analyze", "return 1 / 0", "ZeroDivisionError: division by zero"),
        ("panopt_decide", "raise RuntimeError('out\\n of luck')", "RuntimeError: out of luck"),
        ("panopt_decide", "return 7", "answered with int; the hook takes Decisions or None"),
    ],
)
def test_a_plugin_that_raises_or_answers_wrongly_takes_nothing_down(
    install: Install, study: Study, hook: str, body: str, message: str
) -> None:
    install("aaa", hooked(hook, body))  # asked before all others
    install("counter", COUNTS)
    report = analyze(study, host=Host())
    (problem,) = [problem for problem in report.problems if problem.plugin == "aaa"]
    assert (problem.hook, problem.criterion) == (hook, "score")
    assert message in problem.message
    part = report.criteria[0]
    assert len(part.findings.named("n_responses")) == 1
    assert part.decisions is not None
    assert f"aaa ({hook}): plugin 'aaa', hook {hook}: " in "\n".join(report.warnings)


FINDINGS = """
import numpy as np
from panopt.findings import Findings
from panopt.spec import hookimpl

@hookimpl
def panopt_analyze(matrix):
    return Findings({})
"""


@pytest.mark.parametrize(
    ("findings", "message"),
    [
        ("rows=('mean',)", "gave str where a Finding is due"),
        ("columns={'low': np.zeros(2)}", r"column 'low' has shape (2,); it must be (3,)"),
    ],
)
def test_findings_that_would_break_the_report_are_a_problem(
    install: Install, study: Study, findings: str, message: str
) -> None:
    install("aaa", FINDINGS.format(findings))
    report = analyze(study, host=Host())
    (problem,) = [problem for problem in report.problems if problem.plugin == "aaa"]
    assert (problem.hook, problem.message) == ("panopt_analyze", message)


def test_two_analyzers_that_give_one_column_are_a_problem_of_the_second(
    install: Install, study: Study
) -> None:
    column = FINDINGS.format("columns={'mine': np.zeros(3)}")
    install("aaa", column)
    install("bbb", column)
    report = analyze(study, host=Host())
    problems = [(problem.plugin, problem.message) for problem in report.problems]
    assert ("bbb", "two analyzers give a column 'mine'") in problems
    assert "mine" in report.criteria[0].findings.columns


def test_decisions_of_another_length_are_a_problem(install: Install, study: Study) -> None:
    source = """
    import numpy as np
    from panopt.records.decisions import Decisions
    from panopt.spec import hookimpl

    @hookimpl
    def panopt_decide(matrix):
        code = np.zeros(1, dtype=int)
        return Decisions(matrix.criterion, "x", code, code, ("why",), no_guarantee="none")
    """
    install("aaa", source)
    report = analyze(study, host=Host())
    (problem,) = [problem for problem in report.problems if problem.plugin == "aaa"]
    assert problem.message == "decided on 1 of 3 responses"
    assert report.criteria[0].decisions is not None


def test_two_plugins_of_one_name_are_an_error_that_names_both(install: Install) -> None:
    install("tables", COUNTS, distribution="other-tables", version="3.0")
    with pytest.raises(
        PluginError,
        match=r"plugin 'tables': two installed packages bring a plugin of this name: "
        r"other-tables 3\.0 and panopt [0-9.]+; uninstall one",
    ):
        Host()


def test_two_plugins_of_one_method_are_an_error_that_names_both(install: Install) -> None:
    install("zzz", hooked("panopt_methods", "return ('mean',)"))
    with pytest.raises(
        PluginError,
        match=r"'zzz', hook panopt_methods: method 'mean' is already that of plugin 'panel' \(pan",
    ):
        Host()


def test_an_installation_without_metadata_has_no_name(install: Install) -> None:
    install("counter", COUNTS, version=None)
    info = next(info for info in Host().plugins if info.name == "counter")
    assert (info.distribution, info.version) == ("unknown", "unknown")


AGGREGATOR = """
from panopt.spec import hookimpl

@hookimpl
def panopt_methods():
    return ("best",)

@hookimpl
def panopt_aggregate(matrix, method, why):
    {}
"""


@pytest.mark.parametrize(
    ("body", "error", "message"),
    [
        ("return None", PluginError, "gave no consensus of 3 responses for its method 'best'"),
        ("return matrix", PluginError, "answered with Matrix; the hook takes Consensus or None"),
        ("raise KeyError('x')", PluginError, "'odd', hook panopt_aggregate: KeyError: 'x'"),
        ("raise ValueError('too few')", AskError, "^best cannot aggregate 'score': too few"),
    ],
)
def test_a_method_that_was_asked_for_and_fails_is_an_error(
    install: Install, study: Study, body: str, error: type[Exception], message: str
) -> None:
    install("odd", AGGREGATOR.format(body))
    host = Host()
    assert host.methods()["best"] == "odd"
    with pytest.raises(error, match=message):
        analyze(study, Ask(aggregate="best"), host=host)


READER = '''
"""Reads anything."""
from panopt.records.study import Study
from panopt.spec import hookimpl

@hookimpl
def panopt_suffixes():
    return (".odd", ".csv")

@hookimpl
def panopt_read(source):
    {}
'''


def read(host: Host, path: Path) -> Study:
    return host.read(SourceFile(str(path)), Reading(), lambda share: None)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("raise RuntimeError('lost')", "plugin 'aaa', hook panopt_read: RuntimeError: lost"),
        ("return 'study'", "answered with str; the hook takes Study or None"),
        ("return Study.from_columns({'item': 'a', 'judge': 'j'})", "gave a study without its Sour"),
    ],
)
def test_a_shim_that_breaks_leaves_the_file_to_the_next_one(
    install: Install, table: Callable[..., Path], tmp_path: Path, body: str, message: str
) -> None:
    install("aaa", READER.format(body))
    host = Host()
    study = read(host, table())
    assert len(study) == 12
    (warning,) = study.sources[0].warnings
    assert message in warning
    odd = tmp_path / "log.odd"
    odd.write_text("x")
    with pytest.raises(PluginError, match=message.replace("'", ".")):
        read(host, odd)
    broken = table("broken.csv", "item;judge;score\na;j;1\n")
    with pytest.raises(PluginError, match=message.replace("'", ".")):  # the first trouble
        read(host, broken)


def test_what_no_shim_knows(tmp_path: Path) -> None:
    host = Host()
    note = tmp_path / "note.txt"
    note.write_text("hello")
    with pytest.raises(SourceError, match=r"note\.txt: not a log or table that an installed shim"):
        read(host, note)
    note.write_bytes(b"")
    with pytest.raises(SourceError, match=r"note\.txt: the file is empty; a log has at least"):
        read(host, note)


def test_suffixes_are_those_of_all_shims(install: Install) -> None:
    install("aaa", READER.format("return None"))
    suffixes = Host().suffixes()
    assert {".odd", ".csv", ".parquet", ".jsonl"} <= set(suffixes)
    assert list(suffixes) == sorted(set(suffixes))


def test_the_shim_that_read_a_source_writes_its_copy(
    install: Install, table: Callable[..., Path], tmp_path: Path
) -> None:
    writer = """
    from panopt.spec import hookimpl

    @hookimpl
    def panopt_write(target):
        {}
    """
    install("aaa", writer.format("raise RuntimeError('not mine')"))
    install("mine", writer.format("target.write_text('mine'); return target"))
    host = Host()
    study = read(host, table())
    report = analyze(study, host=host)
    source = report.study.sources[0]
    target = tmp_path / "copy"
    with pytest.raises(PluginError, match="plugin 'aaa', hook panopt_write: RuntimeError: not"):
        host.write(report, source, target)
    assert host.write(report, replace(source, format="mine"), target) == target
    assert target.read_text() == "mine"


def test_each_plugin_and_hook_has_random_numbers_of_its_own(install: Install, study: Study) -> None:
    source = """
    from panopt.findings import Finding, Findings
    from panopt.spec import hookimpl

    @hookimpl
    def panopt_analyze(matrix, rng):
        return Findings((Finding(
            plugin="{0}", name="{0}", criterion=matrix.criterion, value=float(rng.random()),
            no_interval="one draw", n=1, method="drawing"),))
    """
    install("zzz", source.format("zzz"))

    def drawn(ask: Ask) -> dict[str, float | None]:
        rows = analyze(study, ask, host=Host()).criteria[0].findings
        return {row.name: row.value for row in rows if row.method == "drawing"}

    alone = drawn(Ask())
    install("aaa", source.format("aaa"))
    both = drawn(Ask())
    assert both["zzz"] == alone["zzz"]  # whoever else is asked before
    assert both["aaa"] != both["zzz"]
    assert drawn(Ask(seed=1))["zzz"] != alone["zzz"]
