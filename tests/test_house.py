"""The house rules, held by tests: floors of imports, hooks typed as their spec, files that fit."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType

import pluggy
import pytest

from panopt import spec

ROOT = Path(__file__).parents[1]
#: The packages, as they are imported and as they lie in the checkout.
HOMES = {"panopt.plugins": "plugins", "panopt.shims": "shims", "panopt": "core/panopt"}
MOST_LINES = 450
IMPORT_SECONDS = 0.3
HEAVY = (
    "duckdb",
    "fsspec",
    "inspect_ai",
    "matplotlib",
    "msgspec",
    "pandas",
    "pyarrow",
    "pyarrow.compute",
    "rich",
    "scipy",
    "typer",
)

#: Who may import what of panopt, by the longest prefix: the floors, from the ground up.
GROUND = ("panopt.errors", "panopt.findings", "panopt.records", "panopt.stats")
FLOORS: dict[str, tuple[str, ...]] = {
    "panopt.errors": (),
    "panopt.stats": ("panopt.stats",),
    "panopt.records": ("panopt.errors", "panopt.findings", "panopt.records", "panopt.stats"),
    "panopt.findings": ("panopt.errors",),
    "panopt.spec": GROUND,
    "panopt.responses": GROUND,
    "panopt.host": (*GROUND, "panopt.spec"),
    "panopt.plugins": (*GROUND, "panopt.spec"),
    "panopt.judging": (*GROUND, "panopt.judging"),
    "panopt.jury": (*GROUND, "panopt.judging"),
    "panopt.cascade": (*GROUND, "panopt.judging", "panopt.jury"),
    "panopt.shims": (
        *GROUND,
        "panopt.cascade",
        "panopt.judging",
        "panopt.jury",
        "panopt.routed_jury",
        "panopt.router",
        "panopt.spec",
        "panopt.responses",
    ),
    "panopt.reading": (*GROUND, "panopt.host"),
    "panopt.analysis": (*GROUND, "panopt.host"),
    "panopt.writing": (*GROUND, "panopt.host", "panopt.responses"),
    "panopt.labelling": (*GROUND, "panopt.writing"),
    "panopt.label_plan": (*GROUND, "panopt.host", "panopt.analysis"),
    "panopt.certificates": (*GROUND, "panopt.host", "panopt.analysis", "panopt.writing"),
    "panopt.replay": (*GROUND, "panopt.host", "panopt.analysis", "panopt.certificates"),
    "panopt.lineup": (*GROUND, "panopt.host", "panopt.analysis", "panopt.reading"),
    "panopt.standings": (*GROUND, "panopt.lineup"),
    "panopt.comparison": (*GROUND, "panopt.host", "panopt.lineup", "panopt.standings"),
    "panopt.effect": (*GROUND, "panopt.host", "panopt.lineup"),
    "panopt.gate_anytime": (*GROUND, "panopt.lineup"),
    "panopt.gate": (*GROUND, "panopt.gate_anytime", "panopt.host", "panopt.lineup"),
    "panopt.policies": (
        *GROUND,
        "panopt.judging",
        "panopt.policy_panels",
        "panopt.router",
        "panopt.router_options",
    ),
    "panopt.policy_panels": (*GROUND, "panopt.judging"),
    "panopt.spending": (
        *GROUND,
        "panopt.policies",
        "panopt.policy_panels",
        "panopt.router_options",
    ),
    "panopt.routed_jury": (*GROUND, "panopt.judging", "panopt.jury", "panopt.router"),
    "panopt.router": (
        *GROUND,
        "panopt.judging",
        "panopt.router_beliefs",
        "panopt.router_checks",
        "panopt.router_options",
        "panopt.router_steps",
    ),
    "panopt.router_beliefs": (*GROUND, "panopt.judging"),
    "panopt.router_checks": (*GROUND, "panopt.router_options"),
    "panopt.router_options": ("panopt.errors", "panopt.judging"),
    "panopt.router_steps": (
        *GROUND,
        "panopt.router_beliefs",
        "panopt.router_checks",
        "panopt.router_options",
    ),
    "panopt.plots": (*GROUND, "panopt.plots", "panopt.replay", "panopt.writing"),
    "panopt.cli": ("panopt",),
    "panopt.__main__": ("panopt.cli",),
    "panopt": ("panopt",),  # the package itself names its public names, for readers of types
}


@cache
def modules() -> dict[str, Path]:
    """Every module of panopt and where it lies."""
    found: dict[str, Path] = {}
    for package, folder in HOMES.items():
        for path in sorted((ROOT / folder).rglob("*.py")):
            inside = path.relative_to(ROOT / folder)
            if package == "panopt" and inside.parts[0] in {"plugins", "shims"}:
                continue  # the links that readers of types use
            parts = inside.with_suffix("").parts
            parts = parts[:-1] if parts[-1] == "__init__" else parts
            found[".".join((package, *parts))] = path
    return found


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(path: Path) -> Iterator[tuple[str, int]]:
    """Every module a file imports, anywhere in it."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports are absolute"
            yield node.module or "", node.lineno
            if node.module == "panopt":
                yield from ((f"panopt.{alias.name}", node.lineno) for alias in node.names)


def below(name: str, prefix: str) -> bool:
    return name == prefix or name.startswith(f"{prefix}.")


def floor_of(name: str) -> str:
    return max((prefix for prefix in FLOORS if below(name, prefix)), key=len)


@pytest.mark.parametrize("name", sorted(modules()))
def test_modules_import_only_from_their_own_floor_down(name: str) -> None:
    allowed = FLOORS[floor_of(name)]
    if name in HOMES:  # a package names what is in it
        allowed = (*allowed, name)
    if below(name, "panopt.shims") and name.count(".") >= 2:  # a shim of several files
        allowed = (*allowed, ".".join(name.split(".")[:3]))
    for imported, line in imports(modules()[name]):
        if below(imported, "panopt") and imported != "panopt":
            legal = any(below(imported, prefix) for prefix in allowed)
            assert legal, f"{modules()[name]}:{line}: {name} must not import {imported}"


@pytest.mark.parametrize("name", [name for name in sorted(modules()) if ".stats" in name])
def test_statistics_rest_on_numpy_and_scipy_alone(name: str) -> None:
    for imported, line in imports(modules()[name]):
        top = imported.split(".")[0]
        known = top in {"numpy", "scipy", "panopt", *sys.stdlib_module_names}
        assert known, f"{modules()[name]}:{line}: imports {imported}"


@pytest.mark.parametrize("package", ["plugins", "shims"])
def test_no_plugin_or_shim_imports_another(package: str) -> None:
    for name, path in modules().items():
        if not below(name, f"panopt.{package}") or name.count(".") < 2:
            continue
        own = ".".join(name.split(".")[:3])
        for imported, line in imports(path):
            for other in ("panopt.plugins", "panopt.shims", "panopt.host", "panopt.cli"):
                alien = below(imported, other) and not below(imported, own)
                assert not alien, f"{path}:{line}: {name} must not import {imported}"


def measured_import(code: str) -> tuple[float, list[str]]:
    """CPU seconds of some code in a fresh process, and the heavy modules it loaded."""
    script = (
        "import json, sys, time\n"
        "start = time.process_time()\n"
        f"{code}\n"
        "seconds = time.process_time() - start\n"
        f"print(json.dumps([seconds, [name for name in {HEAVY!r} if name in sys.modules]]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    seconds, loaded = json.loads(done.stdout)
    return float(seconds), list(loaded)


def test_importing_panopt_is_cheap() -> None:
    runs = [measured_import("import panopt") for _ in range(3)]
    assert runs[0][1] == []
    assert min(seconds for seconds, _ in runs) < IMPORT_SECONDS


def test_importing_the_command_line_is_cheap() -> None:
    runs = [measured_import("import panopt.cli.app") for _ in range(3)]
    assert not {"inspect_ai", "duckdb", "pandas", "pyarrow", "scipy"} & set(runs[0][1])
    assert min(seconds for seconds, _ in runs) < 1.0


def test_reading_loads_no_statistics() -> None:
    code = "from panopt.host import Host\nimport panopt.reading\nHost()"
    loaded = set(measured_import(code)[1])
    heavy = {"inspect_ai", "duckdb", "pandas", "pyarrow.compute", "scipy", "typer"}
    assert not heavy & loaded, "plugins import what is heavy in the functions that need it"


def test_the_public_names_are_there_and_complete() -> None:
    import panopt  # noqa: PLC0415

    assert sorted(panopt.__all__) == dir(panopt)
    for name in panopt.__all__:
        assert getattr(panopt, name) is not None
    with pytest.raises(AttributeError, match="module 'panopt' has no attribute 'judge'"):
        panopt.judge  # noqa: B018


@pytest.mark.parametrize("name", sorted(modules()))
def test_all_is_sorted_and_true(name: str) -> None:
    found = [
        node
        for node in tree(modules()[name]).body
        if isinstance(node, ast.Assign)
        and any(isinstance(target, ast.Name) and target.id == "__all__" for target in node.targets)
    ]
    assert len(found) <= 1
    if not found:
        return
    listed = ast.literal_eval(found[0].value)
    constants = [text for text in listed if text.isupper()]
    classes = [text for text in listed if not text.isupper() and text[0].isupper()]
    functions = [text for text in listed if text[0].islower()]
    assert listed == [*sorted(constants), *sorted(classes), *sorted(functions)]
    module = importlib.import_module(name)
    assert [text for text in listed if not hasattr(module, text)] == []


def public_definitions(name: str) -> list[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return [
        node
        for node in tree(modules()[name]).body
        if isinstance(node, kinds) and not node.name.startswith(("_", "panopt_"))
    ]


@pytest.mark.parametrize("name", sorted(modules()))
def test_everything_public_has_a_docstring(name: str) -> None:
    assert ast.get_docstring(tree(modules()[name])), f"{name} has no docstring"
    for node in public_definitions(name):
        assert ast.get_docstring(node), f"{name}.{node.name} has no docstring"
        if isinstance(node, ast.ClassDef):
            for method in node.body:
                if isinstance(method, ast.FunctionDef) and not method.name.startswith("_"):
                    assert ast.get_docstring(method), f"{name}.{node.name}.{method.name}"


def hook_specs() -> dict[str, inspect.Signature]:
    return {
        name: inspect.signature(function)
        for name, function in vars(spec).items()
        if name.startswith("panopt_")
    }


def entry_points() -> dict[str, str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    points: dict[str, str] = project["project"]["entry-points"]["panopt"]
    return points


def implementations() -> Iterator[tuple[str, ModuleType, str]]:
    manager = pluggy.PluginManager(spec.PROJECT)
    for name, home in entry_points().items():
        module = importlib.import_module(home)
        for attribute in vars(module):
            if manager.parse_hookimpl_opts(module, attribute) is not None:
                yield name, module, attribute


def test_every_hook_is_typed_as_its_spec() -> None:
    specs = hook_specs()
    seen = set()
    for name, module, hook in implementations():
        assert hook in specs, f"{name}: {hook} is no hook"
        seen.add(hook)
        signature = inspect.signature(getattr(module, hook))
        for argument, parameter in signature.parameters.items():
            expected = specs[hook].parameters.get(argument)
            assert expected is not None, f"{name}: {hook} takes {argument}"
            assert parameter.annotation == expected.annotation, f"{name}: {hook}({argument})"
        assert signature.return_annotation == specs[hook].return_annotation, f"{name}: {hook}"
    assert seen == set(specs), "a hook that no built-in implements"


@pytest.mark.parametrize("package", ["plugins", "shims"])
def test_every_plugin_and_shim_has_its_line_and_its_test(package: str) -> None:
    there = {
        path.stem
        for path in (ROOT / package).iterdir()
        if (path.suffix == ".py" or (path / "__init__.py").is_file())
        and not path.name.startswith("_")
    }
    homes = {home: name for name, home in entry_points().items()}
    for name in there:
        assert homes.get(f"panopt.{package}.{name}") == name
        tests = [*ROOT.glob(f"tests/{package}/**/test_{name}*.py")]
        assert tests, f"no tests/{package}/test_{name}.py"
    listed = {home.rsplit(".", 1)[1] for home in homes if below(home, f"panopt.{package}")}
    assert listed == there


def test_every_package_is_in_the_wheel() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    packages = {name for name, path in modules().items() if path.name == "__init__.py"}
    assert sorted(project["tool"]["setuptools"]["packages"]) == sorted(packages)


@pytest.mark.parametrize("name", sorted(modules()))
def test_no_file_is_too_long_and_none_prints(name: str) -> None:
    path = modules()[name]
    lines = path.read_text(encoding="utf-8").count("\n")
    assert lines <= MOST_LINES, f"{path} has {lines} lines: look for a seam"
    if not below(name, "panopt.cli"):
        prints = [
            node.lineno
            for node in ast.walk(tree(path))
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id == "print"
        ]
        assert not prints, f"{path} prints in lines {prints}"


def test_every_file_annotates_lately() -> None:
    for path in modules().values():
        first = next((node for node in tree(path).body if isinstance(node, ast.ImportFrom)), None)
        empty = all(isinstance(node, ast.Expr) for node in tree(path).body)
        assert empty or (first is not None and first.module == "__future__"), path


def tracked() -> list[Path]:
    done = subprocess.run(
        ["git", "-C", ROOT, "ls-files", "-z"], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in done.stdout.split("\0") if name]


def test_no_file_tells_of_the_machine_it_was_made_on() -> None:
    """Absolute paths of somebody's machine have no place in what is shipped."""
    places = re.compile(rb"(?<![\w.~])/(?:work|tmp|root|home/\w+|Users/\w+)/[\w.]")
    told = {}
    for path in tracked():
        if not path.is_file() or path.suffix in {".eval", ".gz", ".parquet", ".png"}:
            continue
        found = places.search(path.read_bytes())
        if found and path != Path(__file__):
            told[str(path.relative_to(ROOT))] = found.group().decode()
    assert told == {}
