"""What deciding on a row costs a promptfoo run: the hook beside none, and Python started a row.

Run it: ``python tests/benchmarks/bench_promptfoo_hook.py [ROWS]`` (1,000 rows by default; needs
``make tools``). Five judges a row answer at once, from a provider that returns recorded verdicts.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
LOGS = ROOT / "examples" / "logs"
EXAMPLE = ROOT / "examples" / "promptfoo_panel"
MODULES = ROOT / ".tools" / "promptfoo-0.123" / "node_modules"
STDLIB_HOOK = """def afterEach(context, _):
    return {"result": {"namedScores": {"n": 1}, "metadata": {"d": "x"}}}
"""
FEWER = 40  # rows for what takes a Python each


def main() -> None:
    """Run promptfoo with each hook, and print milliseconds a row above a run without."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(folder, count)
        live = ROOT / "shims" / "promptfoo" / "live"
        hook = [f"file://{live}/hook.mjs:afterEach", f"file://{live}/hook.mjs:afterAll"]
        python = [f"file://{folder}/hook.py:afterEach"]
        bare, ours = (
            tuple(map(min, *(run(folder, hooks) for _ in range(2)))) for hooks in ([], hook)
        )
        per_row = [1e3 * (b - a) / count for a, b in zip(bare, ours, strict=True)]
        print(f"{count} rows, 5 judges: promptfoo alone {bare[0]:.1f} s of wall, {bare[1]:.1f} s")
        print(
            f"of CPU; hook.mjs adds a row {per_row[0]:.2f} ms of wall, {per_row[1]:.2f} ms of CPU"
        )
        prepare(folder, FEWER)
        few, slow = run(folder, []), run(folder, python)
        each = [1e3 * (b - a) / FEWER for a, b in zip(few, slow, strict=True)]
        print(
            f"a Python hook that does nothing adds {each[0]:.0f} ms of wall, {each[1]:.0f} of CPU"
        )
        print(f"ratio of CPU {each[1] / max(per_row[1], 1e-3):.0f}")
    decide_alone()


def prepare(folder: Path, count: int) -> None:
    """Write the example's config with `count` tests and no hooks, and the certificate."""
    import panopt

    for name in ("replay.mjs", "pairs.csv", "promptfooconfig.yaml"):
        text = (EXAMPLE / name).read_text(encoding="utf-8")
        if name == "promptfooconfig.yaml":
            start, end = text.index("extensions:"), text.index("defaultTest:")
            text = text[:start] + text[end:]
            lines = [line for line in text.splitlines() if "assertScoringFunction" not in line]
            text = "\n".join(lines) + "\n"
        if name == "pairs.csv":
            head, *rows = text.splitlines()
            made = [rows[i % len(rows)].rsplit(",", 1)[0] + f",item-{i}" for i in range(count)]
            text = "\n".join((head, *made)) + "\n"
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "hook.py").write_text(STDLIB_HOOK)
    study = panopt.read(LOGS / "llmbar.json", labels=LOGS / "labels" / "llmbar.csv")
    certificate = panopt.certify(study, panopt.Ask(criterion=("natural",)))
    panopt.write_certificate(certificate, folder / "certificate.json", overwrite=True)


def run(folder: Path, hooks: list[str]) -> tuple[float, float]:
    """Run promptfoo with some hooks; give seconds of wall and of CPU time, its workers' too."""
    switches = ("TELEMETRY", "UPDATE", "REMOTE_GENERATION", "SHARING")
    environ = os.environ | {f"PROMPTFOO_DISABLE_{name}": "1" for name in switches}
    environ |= {
        "PATH": f"{MODULES / 'node' / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "PROMPTFOO_CONFIG_DIR": str(folder / "config"),
        "PROMPTFOO_PYTHON": sys.executable,
        "PANOPT_CERTIFICATE": str(folder / "certificate.json"),
    }
    extra = [part for hook in hooks for part in ("-x", hook)]
    command = [str(MODULES / ".bin" / "promptfoo"), "eval", "--no-table", "--no-progress-bar"]
    start, before = time.perf_counter(), spent_by_children()
    done = subprocess.run(
        [*command, "--no-write", "--no-cache", *extra],
        cwd=folder,
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode not in (0, 100):
        raise SystemExit(done.stdout + done.stderr)
    return time.perf_counter() - start, spent_by_children() - before


def spent_by_children() -> float:
    """Give CPU seconds of all processes that were started and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def decide_alone() -> None:
    """Print what the worker itself takes: CPU a row, and memory."""
    import json

    import panopt
    from panopt.shims.promptfoo.live.decide import Decider

    study = panopt.read(LOGS / "llmbar.json", labels=LOGS / "labels" / "llmbar.csv")
    decider = Decider(panopt.certify(study, panopt.Ask(criterion=("natural",))))
    rows = json.loads((LOGS / "llmbar.json").read_text(encoding="utf-8"))["results"]["results"]
    lines = [json.dumps(row).encode() for row in rows[:100]] * 50
    decider.decide(lines[0])
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    for line in lines:
        decider.decide(line)
    spent = 1e3 * (time.process_time() - start) / len(lines)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(f"the decision alone: {spent:.2f} ms of CPU a row; memory +{grown} kB over {len(lines)}")


if __name__ == "__main__":
    main()
