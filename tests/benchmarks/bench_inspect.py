"""Reading and annotating a large Inspect log: CPU seconds and peak memory against Inspect's own.

Run ``python tests/benchmarks/bench_inspect.py [--samples 20000] [--skip-api]``. The log has three
scorers, one of them a panel of three judges, four judge calls a sample, and about 88 MB at 20,000
samples. 200 samples come from a real ``inspect_ai.eval`` with a mock model; each of them is
written many times under an id of its own, compressed as Inspect does it. Every measurement runs
in a process of its own.
"""

from __future__ import annotations

import argparse
import importlib.abc
import json
import random
import subprocess
import sys
import tempfile
import time
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import zstandard

from panopt.records.report import Report
from panopt.records.study import Study

N_REAL = 200
WARM_UP = Path(__file__).parents[1] / "logs" / "inspect" / "panel_majority.eval"
WORDS = [f"{a}{b}{c}" for a in "bdfgklmn" for b in ("a", "ero", "ish", "ou") for c in "nrstlx"]


def make_log(path: Path, n_samples: int) -> None:
    """Write the log."""
    with tempfile.TemporaryDirectory() as folder:
        real = _real_log(Path(folder))
        _multiply(real, path, n_samples)


def _real_log(folder: Path) -> Path:
    from inspect_ai import Task
    from inspect_ai import eval as inspect_eval
    from inspect_ai.dataset import MemoryDataset, Sample
    from inspect_ai.model import ModelOutput, ModelUsage, get_model
    from inspect_ai.scorer import includes, model_graded_fact, model_graded_qa

    rng = random.Random(0)  # noqa: S311 - words, not secrets

    def text(n: int) -> str:
        return " ".join(rng.choice(WORDS) for _ in range(n))

    def answers(n: int, *, grades: bool) -> Any:  # noqa: ANN401 - Inspect's callback
        def answer(*_: object) -> ModelOutput:
            verdict = ""
            if grades:
                verdict = "I cannot say." if rng.random() < 0.02 else f"GRADE: {rng.choice('CCI')}"
            output = ModelOutput.from_content("mockllm/model", f"{text(n)}\n\n{verdict}")
            output.usage = ModelUsage(input_tokens=300, output_tokens=n, total_tokens=300 + n)
            return output

        return answer

    def judge(name: str) -> Any:  # noqa: ANN401 - one of Inspect's models
        return get_model(f"mockllm/{name}", custom_outputs=answers(24, grades=True))

    dataset = MemoryDataset(
        [
            Sample(id=i, input=text(30), target=text(4), metadata={"family": f"f{i % 7}"})
            for i in range(N_REAL)
        ]
    )
    task = Task(
        dataset=dataset,
        name="large",
        scorer=[
            model_graded_qa(model=[judge(name) for name in ("judge-a", "judge-b", "judge-c")]),
            model_graded_fact(model=judge("judge-d")),
            includes(),
        ],
    )
    [log] = inspect_eval(
        task,
        model=get_model("mockllm/model", custom_outputs=answers(25, grades=False)),
        log_dir=str(folder),
        log_format="eval",
        display="none",
    )
    return Path(log.location)


def _multiply(real: Path, path: Path, n_samples: int) -> None:
    import zipfile_zstd  # type: ignore[import-untyped]  # noqa: F401 - zipfile learns zstd

    squeeze = zstandard.ZstdCompressor()
    with zipfile.ZipFile(real) as source:
        names = [name for name in source.namelist() if name.startswith("samples/")]
        samples = [json.loads(source.read(name)) for name in names]
        header = json.loads(source.read("header.json"))
        start = source.read("_journal/start.json")
        summaries = {s["id"]: s for s in json.loads(source.read("summaries.json"))}
        reductions = json.loads(source.read("reductions.json"))
    header["results"]["total_samples"] = header["results"]["completed_samples"] = n_samples
    header["eval"]["dataset"] |= {
        "samples": n_samples,
        "sample_ids": list(range(1, n_samples + 1)),
    }
    texts = []
    for sample in samples:
        own = sample["id"]
        sample["id"] = "@@id@@"
        sample["uuid"] = "@@uuid@@"
        texts.append((own, json.dumps(sample)))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:

        def put(name: str, content: bytes) -> None:
            info = zipfile.ZipInfo(name, date_time=(2026, 1, 2, 3, 4, 4))
            data = squeeze.compress(content)
            _put_raw(archive, info, data, content)

        put("_journal/start.json", start)
        for i in range(1, n_samples + 1):
            _, text = texts[i % N_REAL]
            content = text.replace('"@@id@@"', str(i)).replace("@@uuid@@", f"uuid{i:018d}")
            put(f"samples/{i}_epoch_1.json", content.encode())
        own = [texts[i % N_REAL][0] for i in range(1, n_samples + 1)]
        listed = [summaries[o] | {"id": i} for i, o in enumerate(own, 1)]
        put("summaries.json", json.dumps(listed).encode())
        for reduction in reductions:
            by_id = {s["sample_id"]: s for s in reduction["samples"]}
            reduction["samples"] = [by_id[o] | {"sample_id": i} for i, o in enumerate(own, 1)]
        put("reductions.json", json.dumps(reductions).encode())
        put("header.json", json.dumps(header).encode())


def _put_raw(archive: zipfile.ZipFile, info: zipfile.ZipInfo, data: bytes, content: bytes) -> None:
    """Add a member that is compressed already (zipfile itself knows zstd only since 3.14)."""
    info.compress_type = 93
    info.CRC = zlib.crc32(content)
    info.file_size, info.compress_size = len(content), len(data)
    info.create_version = info.extract_version = 63
    assert archive.fp is not None
    archive.fp.seek(archive.start_dir)
    info.header_offset = archive.fp.tell()
    archive.fp.write(info.FileHeader(zip64=False))
    archive.fp.write(data)
    archive.filelist.append(info)
    archive.NameToInfo[info.filename] = info
    archive.start_dir = archive.fp.tell()
    archive._didModify = True  # type: ignore[attr-defined]  # noqa: SLF001 - no public way


class _Hidden(importlib.abc.MetaPathFinder):
    """Hides pandas, as in a plain install: pyarrow imports it, 60 MB, where it is there."""

    def find_spec(self, name: str, *_: object) -> None:
        """Refuse pandas; leave all else to others."""
        if name == "pandas":
            raise ModuleNotFoundError(name)


def _reader(what: str) -> Callable[[Path], object]:
    if what.endswith(" (plain install)"):
        sys.meta_path.insert(0, _Hidden())
        what = what.split(maxsplit=1)[0]
    if what == "read_eval_log":
        from inspect_ai.log import read_eval_log

        return lambda path: read_eval_log(str(path))
    from panopt.analysis import analyze
    from panopt.records.ask import Ask, Reading, checked
    from panopt.records.source import SourceFile
    from panopt.shims.inspect.read import read_log
    from panopt.shims.inspect.write import write_log

    reading = checked(Reading, tier="auto" if what == "auto" else "fast")

    def read(path: Path) -> Study:
        study = read_log(SourceFile(str(path)), reading, lambda _: None)
        assert study is not None
        return study

    if what != "write":
        return read
    reports: dict[Path, Report] = {}

    def write(path: Path) -> Path | None:
        """Annotate; the first call for a log only reads and analyzes it."""
        if path not in reports:
            study = read(path)
            criterion = study.criteria[-1:]
            reports[path] = analyze(study, Ask(criterion=criterion, n_boot=0))
            return None
        with tempfile.TemporaryDirectory() as folder:
            report = reports[path]
            return write_log(report, report.study.sources[0], Path(folder, "copy.eval"))

    return write


def work(what: str, path: Path) -> None:
    """Do one thing once, and print its CPU seconds and peak memory."""
    do = _reader(what)
    do(WARM_UP)  # imports are not what is measured
    if what.startswith("write"):
        do(path)
    started = time.process_time()
    do(path)
    spent = time.process_time() - started
    # Not ru_maxrss: a child's starts at what its parent had.
    status = Path("/proc/self/status").read_text(encoding="ascii")
    peak = int(status.split("VmHWM:")[1].split()[0]) / 1024
    print(json.dumps({"cpu": spent, "peak": peak}))


def measure(what: str, path: Path) -> dict[str, float]:
    """Run one measurement in a process of its own."""
    command = [sys.executable, __file__, "--work", what, "--log", str(path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    print(f"{what:24} {result['cpu']:8.2f} s CPU  {result['peak']:8.0f} MB peak", flush=True)
    return result


def main() -> None:
    """Make the log and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=20_000)
    parser.add_argument("--log", type=Path, default=None)
    parser.add_argument("--work")
    parser.add_argument("--skip-api", action="store_true")
    given = parser.parse_args()
    if given.work:
        work(given.work, given.log)
        return
    path = given.log or Path(tempfile.gettempdir(), f"bench_{given.samples}.eval")
    if not path.exists():
        make_log(path, given.samples)
    print(f"{path}: {path.stat().st_size / 1e6:.1f} MB")
    fast = measure("fast (plain install)", path)
    measure("fast", path)
    checked = measure("auto", path)
    measure("write (plain install)", path)
    if not given.skip_api:
        api = measure("read_eval_log", path)
        print(f"read_eval_log / fast: {api['cpu'] / fast['cpu']:.1f} times the CPU")
        print(f"read_eval_log / fast with self-check: {api['cpu'] / checked['cpu']:.1f} times")


if __name__ == "__main__":
    main()
