"""``panopt demo``: the main job on the example logs, to see what it looks like."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from panopt.errors import SourceError

__all__ = ["demo", "example_jobs"]


def demo(
    *,
    logs: Annotated[Path, typer.Option(help="Folder with the example logs.")] = Path(
        "examples/logs"
    ),
    out: Annotated[Path, typer.Option(help="Folder for what is written.")] = Path("panopt-out"),
) -> None:
    """Analyze the example logs (one of Inspect, one of promptfoo) and write annotated copies."""
    from panopt.cli.analyze import run  # noqa: PLC0415 - the command line starts fast
    from panopt.records.ask import Ask, Reading  # noqa: PLC0415

    jobs = example_jobs(logs)
    for name, (files, labels) in jobs.items():
        run(
            [str(file) for file in files],
            labels=labels,
            ask=Ask(),
            reading=Reading(),
            out=out / name,
            copies=True,
            overwrite=True,
            as_json=False,
        )


def example_jobs(folder: Path) -> dict[str, tuple[list[Path], Path]]:
    """Pair each file of labels with the logs whose names start like its own.

    Raises
    ------
    SourceError
        Where the folder has no labelled logs.
    """
    jobs = {
        labels.stem: (
            [file for file in sorted(folder.glob(f"{labels.stem}*")) if file.is_file()],
            labels,
        )
        for labels in sorted((folder / "labels").glob("*.csv"))
    }
    jobs = {name: job for name, job in jobs.items() if job[0]}
    if not jobs:
        raise SourceError(
            "holds no example logs with labels; run it in a checkout of panopt, or give --logs",
            source=str(folder),
        )
    return jobs
