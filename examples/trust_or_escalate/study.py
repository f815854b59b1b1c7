"""See which ways of trusting LLM judges keep their promise, and how much each accepts.

Run it in the checkout; a thousand replays of each method take about two minutes::

    python examples/trust_or_escalate/study.py

Writes ``table.md`` and ``methods.svg`` beside this script, the same bytes every time. ``--splits
100`` is a quick look, ``--readme`` brings the tables of the project's README up to date, and
``--shared DIR`` adds two sets that may not be passed on, from Parquet files of your own
(``README.md`` tells which), and then needs ``--out``.
"""

from __future__ import annotations

import argparse
import csv
import math
import re
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from panopt.plots import MethodPoint, Plot, methods_plot
from panopt.stats.panel_certificate import panel_confidence
from panopt.stats.ranking import auroc
from panopt.stats.replay import Labelled, Measured, Replayed, replay

HERE = Path(__file__).parent
README = HERE.parents[1] / "README.md"
ALPHAS = (0.10, 0.15, 0.20)
#: The risk that the figure and the table of the project's README are about.
SHOWN = 0.15
DELTA = 0.1
SEED = 0

COLUMNS = (
    "method",
    "decided by",
    "accepted",
    "success, known population",
    "success, held out",
    "agreement",
    "cost",
)

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Set:
    """Labelled items, judges from cheap to strong with their prices, and labels of a replay."""

    name: str
    judges: tuple[str, ...]
    labelled: Labelled
    labels: int


def simulated() -> Set:
    """Simulate three judges like those of the published cascade: right on 69, 75 and 81%.

    Two fifths of what blurs their margins is the same for all three, and they are overconfident:
    where they say 95% they are right on 72, 76 and 85%. The 5000 items are the population.
    """
    rng = np.random.default_rng(SEED)
    common, own = rng.normal(size=(5000, 1)), rng.normal(size=(5000, 3))
    margin = np.array([0.75, 1.0, 1.3]) + 1.5 * (math.sqrt(0.4) * common + math.sqrt(0.6) * own)
    p = 1.0 / (1.0 + np.exp(-2.0 * margin))
    return _of("simulated judges", ("weak", "middle", "strong"), p, np.ones(5000), 500)


def llmbar() -> Set:
    """Read how often each judge preferred output 1, over eight prompts in both orders."""
    rows = _rows(HERE / "llmbar.csv")
    judges = ("ChatGPT", "PaLM2", "GPT-4")
    ones = np.array([[float(row[f"{judge} for 1"]) for judge in judges] for row in rows])
    asked = np.array([[float(row[f"{judge} verdicts"]) for judge in judges] for row in rows])
    p = np.divide(ones, asked, out=np.full(ones.shape, np.nan), where=asked > 0)
    return _of("LLMBar", judges, p, np.array([float(row["gold"]) for row in rows]), 300)


def llm_rubric() -> Set:
    """Read one judge's token probability of a passing answer; questions of a dialogue cluster."""
    rows = _rows(HERE / "llm_rubric.csv")
    p = np.array([float(row["p 3 or 4"]) for row in rows])
    human = np.array([float(row["human mean"]) for row in rows]) >= 2.5
    dialogue = np.unique([row["dialogue"] for row in rows], return_inverse=True)[1]
    nobody = np.empty((len(p), 0))
    alone = Labelled(
        nobody,
        nobody.astype(np.bool_),
        np.maximum(p, 1.0 - p),
        (p >= 0.5) == human,
        dialogue,
        np.empty(0),
        1.0,
    )
    return Set("LLM-Rubric", ("gpt-3.5-turbo-16k",), alone, 300)


def triviaqa(shared: Path) -> Set:
    """Take three panels of three judges, weak to strong, whose vote share is their confidence."""
    rows, judges = _scores(shared / "triviaqa_judges_dev" / "scores.parquet", "llm", "score")
    right = np.array([row["label"] for row in rows])
    order = np.argsort([np.nanmean(judges[name] == right) for name in judges])
    names = np.array(list(judges))[order]
    votes = np.stack([judges[name] for name in names], axis=1)
    known = ~np.isnan(votes)
    panels_of = [slice(k, k + 3) for k in (0, 3, 6)]
    ones = np.stack([np.nansum(votes[:, of], axis=1) for of in panels_of], axis=1)
    asked = np.stack([known[:, of].sum(axis=1) for of in panels_of], axis=1)
    share = np.divide(ones, asked, out=np.full(ones.shape, np.nan), where=asked > 0)
    panels = ("three weak", "three middle", "three strong")
    return _of("TriviaQA judges", panels, share, right, 500)


def judgebench(shared: Path) -> Set:
    """Take three reward models on the pairs of GPT-4o, sure by the sigmoid of their margin."""
    rows, judges = _scores(shared / "judgebench_rm" / "scores.parquet", "metric", "margin")
    names = ("GRM-Gemma-2B", "internlm2-20b", "Skywork-Reward-Gemma-2-27B")
    margin = np.stack(
        [next(x for name, x in judges.items() if short in name) for short in names], axis=1
    )
    p = 1.0 / (1.0 + np.exp(-margin))
    return _of("JudgeBench", names, p, np.array([row["label"] for row in rows]), 250)


def _of(name: str, judges: tuple[str, ...], p: Floats, truth: Floats, labels: int) -> Set:
    """Make verdicts and confidence of each judge's probability that the answer is 1.

    A judge that is torn, at exactly one half, gives no verdict to trust: it is wrong.
    """
    says = p > 0.5
    confidence = np.maximum(p, 1.0 - p)
    agrees = (says == (truth[:, None] == 1.0)) & (p != 0.5) & ~np.isnan(p)
    verdict, sure = panel_confidence(confidence, says)
    right = (verdict == truth) & (sure > 0.5)
    costs = np.array([1.0, 3.0, 20.0])
    items = Labelled(
        confidence, agrees, sure, right, np.arange(len(truth)), costs, float(costs.sum())
    )
    return Set(name, judges, items, labels)


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _scores(path: Path, kind: str, column: str) -> tuple[list[dict[str, float]], dict[str, Floats]]:
    """Read the items that judges of a kind scored, and each judge's scores of them."""
    from pyarrow import parquet  # noqa: PLC0415 - only where there is something to read

    rows = [row for row in parquet.read_table(path).to_pylist() if row["judge_kind"] == kind]
    rows = [row for row in rows if not row.get("order")]  # of both orders the first
    items = {row["item_id"]: row for row in rows}
    place = {item: at for at, item in enumerate(items)}
    judges: dict[str, Floats] = {}
    for row in rows:
        scores = judges.setdefault(row["judge"], np.full(len(items), np.nan))
        if row[column] is not None:
            scores[place[row["item_id"]]] = row[column]
    return list(items.values()), judges


def percent(value: float | None) -> str:
    """Write a share, or a dash."""
    return "-" if value is None else f"{100 * value:.1f}"


def success(seen: Measured | None) -> str:
    """Write a success rate with its interval."""
    if seen is None:
        return "-"
    return f"{percent(seen.success)} [{percent(seen.success_low)}, {percent(seen.success_high)}]"


def composition(one: Replayed, judges: int) -> str:
    """Write which share of what is accepted each judge decides, cheap to strong."""
    shares = one.known_population.composition
    if shares is None:
        return "-"
    if one.judges is None:
        return "panel" if judges > 1 else "judge"
    by = dict(zip(one.judges, shares, strict=True))
    return " / ".join(f"{100 * by.get(m, 0.0):.0f}" for m in range(judges))


def field_table(data: Set, found: Iterable[Replayed]) -> list[str]:
    """Write the field's table of one set: a row a method."""
    reference = data.labelled.costs[-1] if data.labelled.costs.size else data.labelled.panel_cost
    lines = [
        f"| {' | '.join(COLUMNS)} |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    for one in found:
        seen = one.known_population
        name = f"**{one.method}**" if one.guaranteed else one.method
        cells = [
            name,
            composition(one, len(data.judges)),
            percent(seen.coverage),
            success(seen),
            success(one.held_out),
            percent(seen.agreement),
            f"{seen.cost / reference:.2f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def summary(results: dict[tuple[str, float], tuple[Replayed, ...]]) -> list[str]:
    """Write what each promise accepts of each set, and how often it is kept."""
    methods = ("per-stage fixed sequence", "joint path", "panel certificate")
    lines = [
        f"| judges | risk at most | {' | '.join(methods)} |",
        f"|---|--:|{'--:|' * len(methods)}",
    ]
    for (name, alpha), found in results.items():
        by = {one.method: one.known_population for one in found}
        cells = [
            f"{percent(by[method].coverage)} ({percent(by[method].success)})"
            if method in by
            else "-"
            for method in methods
        ]
        lines.append(f"| {name} | {alpha:.2f} | {' | '.join(cells)} |")
    return lines


def about(data: Set) -> str:
    """Describe a set in one paragraph."""
    items = data.labelled
    n, clusters = len(items.panel), len(np.unique(items.clusters))
    told = f"{n:,} labelled items" + (f" of {clusters:,} clusters" if clusters < n else "")
    right = [*items.agrees.mean(axis=0), items.panel_agrees.mean()]
    names = [*data.judges, "panel"] if items.costs.size else list(data.judges)
    known = ~np.isnan(items.panel)
    ranked = auroc(items.panel[known], items.panel_agrees[known]).value
    shares = ", ".join(
        f"{name} {percent(share)}%" for name, share in zip(names, right, strict=True)
    )
    return (
        f"{told}, {data.labels} labels a replay. Right: {shares}; AUROC of the confidence of the "
        f"{'panel' if items.costs.size else 'judge'} {'-' if ranked is None else f'{ranked:.2f}'}."
    )


def page(sets: list[Set], results: dict[tuple[str, float], tuple[Replayed, ...]]) -> str:
    """Write all tables."""
    splits = next(iter(results.values()))[0].known_population.n_splits
    lines = [
        "# Trust or escalate: which promises are kept",
        "",
        f"Made by `study.py`, {splits:,} replays of each method, delta {DELTA:g}, seed {SEED};",
        "shares in percent, methods in bold promise success. `README.md` tells what columns are.",
        "",
        "## What is accepted under a promise",
        "",
        "In brackets, in which share of the replays the promise was kept: the known population.",
        "",
        *summary(results),
    ]
    for data in sets:
        lines += ["", f"## {data.name}", "", about(data)]
        for alpha in ALPHAS:
            lines += ["", f"### {data.name}, risk at most {alpha:.2f}", ""]
            lines += field_table(data, results[data.name, alpha])
    return "\n".join([*lines, ""])


def figure(results: dict[tuple[str, float], tuple[Replayed, ...]], names: list[str]) -> Plot:
    """Draw success against coverage, a panel a set."""
    points = {
        name: [
            MethodPoint(
                one.method,
                one.guaranteed,
                one.known_population.coverage,
                one.known_population.success,
                one.known_population.success_low,
                one.known_population.success_high,
            )
            for one in results[name, SHOWN]
        ]
        for name in names
    }
    return methods_plot(
        points,
        delta=DELTA,
        name="methods",
        title=f"Which methods keep the risk within {SHOWN:g}",
        caption=(
            f"Share of replays in which at most {SHOWN:g} of what was accepted disagrees with "
            "humans, against the mean share accepted, in the known population. Bars: exact 95% "
            "intervals of the simulation."
        ),
    )


def refreshed(readme: str, tables: str) -> str:
    """Put the tables in the places that the README marks with their headings."""

    def table(found: re.Match[str]) -> str:
        part = tables.split(f"# {found[1]}\n", 1)[1].split("\n#", 1)[0]
        rows = "\n".join(line for line in part.splitlines() if line.startswith("|"))
        return f"<!-- study: {found[1]} -->\n{rows}\n<!-- /study -->"

    return re.sub(r"<!-- study: (.+?) -->\n.*?<!-- /study -->", table, readme, flags=re.DOTALL)


def main(arguments: list[str] | None = None) -> None:
    """Replay all sets and write the tables and the figure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--splits", type=int, default=1000, help="replays of each method")
    parser.add_argument("--shared", type=Path, help="folder with further sets, in Parquet")
    parser.add_argument("--out", type=Path, help="folder for what is written")
    parser.add_argument("--readme", action="store_true", help="bring README.md up to date")
    given = parser.parse_args(arguments)
    if given.shared is not None and given.out is None:
        parser.error("--shared needs --out: table.md here is of the sets that come with the study")
    out: Path = given.out or HERE
    sets = [simulated(), llmbar(), llm_rubric()]
    further: list[Callable[[Path], Set]] = [triviaqa, judgebench]
    if given.shared is not None:
        sets += [make(given.shared) for make in further]
    results: dict[tuple[str, float], tuple[Replayed, ...]] = {}
    for data in sets:
        for alpha in ALPHAS:
            print(f"{data.name}, risk at most {alpha:.2f}", file=sys.stderr)
            results[data.name, alpha] = replay(
                data.labelled,
                alpha=alpha,
                delta=DELTA,
                splits=given.splits,
                labels=data.labels,
                seed=SEED,
            )
    out.mkdir(parents=True, exist_ok=True)
    (out / "table.md").write_text(page(sets, results), encoding="utf-8")
    plot = figure(results, [data.name for data in sets[:3]])
    (out / "methods.svg").write_bytes(plot.svg)
    print(f"wrote {out / 'table.md'} and {out / 'methods.svg'}", file=sys.stderr)
    if given.readme:
        text = (out / "table.md").read_text(encoding="utf-8")
        README.write_text(refreshed(README.read_text(encoding="utf-8"), text), encoding="utf-8")
    print(plot.caption)


if __name__ == "__main__":
    main()
