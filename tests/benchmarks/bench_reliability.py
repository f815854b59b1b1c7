"""Agreement coefficients and panel rules: CPU seconds and peak memory against their peers.

Run ``python tests/benchmarks/bench_reliability.py [--large]``. Every measurement runs in a process
of its own, on the same scores; numbers are compared before times are. ``--large`` adds a million
units (the krippendorff package then needs about 3 GB).
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import time
from collections.abc import Callable
from functools import partial
from multiprocessing.connection import Connection
from typing import Literal, get_args

import numpy as np

Scores = np.ndarray
Work = Callable[[Scores], float | None]
Level = Literal["nominal", "ordinal", "interval", "ratio"]
MOST_MEMORY = 8 << 30
DISCRETE: tuple[tuple[Level, int, int], ...] = (
    ("nominal", 10, 2),
    ("ordinal", 5, 11),
    ("interval", 5, 11),
)


def panel(n_units: int, n_judges: int, n_levels: int | None) -> Scores:
    """Draw scores of judges that share a latent quality; continuous without levels."""
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(n_units, 1)) + rng.normal(size=(n_units, n_judges))
    if n_levels is None:
        return scores
    return np.clip(np.rint(scores * n_levels / 6 + n_levels / 2), 0, n_levels - 1)


def ours(scores: Scores, *, level: Level, n_boot: int = 0) -> float | None:
    """Alpha of this package."""
    from panopt.plugins.reliability import krippendorff_alpha

    return krippendorff_alpha(scores, level=level, n_boot=n_boot).value


def package(scores: Scores, *, level: Level) -> float | None:
    """Alpha of the krippendorff package."""
    import krippendorff

    return float(krippendorff.alpha(reliability_data=scores.T, level_of_measurement=level))


def package_bootstrap(scores: Scores, *, level: Level, n_boot: int) -> float | None:
    """Bootstrap by calling the krippendorff package on every resample."""
    import krippendorff

    rng = np.random.default_rng(0)
    for _ in range(n_boot):
        rows = scores[rng.integers(0, len(scores), len(scores))]
        krippendorff.alpha(reliability_data=rows.T, level_of_measurement=level)
    return package(scores, level=level)


def kappa(scores: Scores) -> float | None:
    """Quadratic kappa of this package."""
    from panopt.plugins.reliability import cohen_kappa

    return cohen_kappa(scores[:, 0], scores[:, 1], weights="quadratic").value


def sklearn_kappa(scores: Scores) -> float | None:
    """Quadratic kappa of scikit-learn."""
    from sklearn.metrics import cohen_kappa_score

    return float(cohen_kappa_score(scores[:, 0], scores[:, 1], weights="quadratic"))


def fleiss(scores: Scores) -> float | None:
    """Fleiss' kappa of this package, with its interval."""
    from panopt.plugins.reliability import fleiss_kappa

    return fleiss_kappa(scores).value


def statsmodels_fleiss(scores: Scores) -> float | None:
    """Fleiss' kappa of statsmodels, from the same ratings, without an interval."""
    from statsmodels.stats.inter_rater import aggregate_raters, fleiss_kappa

    return float(fleiss_kappa(aggregate_raters(scores)[0]))


def intraclass(scores: Scores) -> float | None:
    """All six intraclass correlations of this package; ICC(2,k)."""
    from panopt.plugins.reliability import icc

    return icc(scores)["ICC(2,k)"].value


def pingouin_icc(scores: Scores) -> float | None:
    """All six of pingouin, from the table in long format that it takes; ICC(A,k)."""
    import pandas as pd
    import pingouin

    n, k = scores.shape
    columns = {"unit": np.repeat(np.arange(n), k), "rater": np.tile(np.arange(k), n)}
    long = pd.DataFrame(columns | {"score": scores.ravel()})
    found = pingouin.intraclass_corr(long, "unit", "rater", "score").set_index("Type")
    return float(found.loc["ICC(A,k)", "ICC"])


def median(scores: Scores) -> float | None:
    """Median rule of this package, with outcome, spread and agreement."""
    from panopt.plugins.panel import combine

    return float(combine(scores, rule="median", threshold=5).value.mean())


def nanmedian(scores: Scores) -> float | None:
    """Median, range and standard deviation by numpy's functions that know NaN."""
    value = np.nanmedian(scores, axis=1)
    _ = np.nanmax(scores, axis=1) - np.nanmin(scores, axis=1)
    _ = np.nanstd(scores, axis=1)
    return float(value.mean())


def measured(work: Work, scores: Scores) -> tuple[float | None, float, float] | str:
    """Run in a process of its own: value, CPU seconds, megabytes on top of the scores."""
    context = multiprocessing.get_context("fork")
    ours_end, its_end = context.Pipe(duplex=False)
    process = context.Process(target=_run, args=(work, scores, its_end))
    process.start()
    its_end.close()
    try:
        answer: tuple[float | None, float, float] | str = ours_end.recv()
    except EOFError:
        answer = "died"
    process.join()
    return answer


def _run(work: Work, scores: Scores, answers: Connection) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    try:
        work(scores[:50])  # imports and caches are no part of the work
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        start = time.process_time()
        value = work(scores)
        seconds = time.process_time() - start
        more = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory) / 1024
        answers.send((value, seconds, more))
    except MemoryError as error:
        answers.send(f"MemoryError: {str(error)[:60]}")


def compare(name: str, scores: Scores, mine: Work, peer: Work | None, *, factor: float = 1) -> None:
    """Print one line: our time and memory, the peer's, and the ratio of times.

    `factor` scales the peer's time where it did only a part of the work.
    """
    one = measured(mine, scores)
    if isinstance(one, str):
        print(f"{name:<44} {one}")
        return
    line = f"{name:<44} {one[1]:8.3f} s {one[2]:6.0f} MB"
    if peer is not None:
        other = measured(peer, scores)
        if isinstance(other, str):
            line += f"   peer: {other}"
        else:
            if one[0] is not None and other[0] is not None:
                np.testing.assert_allclose(one[0], other[0], atol=1e-9)
            seconds = other[1] * factor
            line += f"   peer {seconds:8.3f} s {other[2]:6.0f} MB   {seconds / one[1]:7.1f} x"
    print(line, flush=True)


def main() -> None:
    """Measure everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--large", action="store_true")
    large = parser.parse_args().large
    sizes = (100_000, 1_000_000) if large else (100_000,)
    for n in sizes:
        for level, judges, levels in DISCRETE:
            compare(
                f"alpha {level}, {levels} levels, {n:,} x {judges}",
                panel(n, judges, levels),
                partial(ours, level=level),
                partial(package, level=level),
            )
        holes = panel(n, 5, 11)
        holes[np.random.default_rng(1).random(holes.shape) < 0.2] = np.nan
        compare(
            f"alpha ordinal, 11 levels, a fifth missing, {n:,} x 5",
            holes,
            partial(ours, level="ordinal"),
            partial(package, level="ordinal"),
        )
        for level in get_args(Level):
            scores = np.exp(panel(n, 5, None))
            compare(
                f"alpha {level}, continuous, {n:,} x 5", scores, partial(ours, level=level), None
            )
        compare(f"kappa quadratic, 11 levels, {n:,}", panel(n, 2, 11), kappa, sklearn_kappa)
        compare(f"Fleiss, 5 levels, {n:,} x 5", panel(n, 5, 5), fleiss, statsmodels_fleiss)
        compare(f"ICC, all forms, {n:,} x 5", panel(n, 5, None), intraclass, pingouin_icc)
        compare(f"median and its spread, {n:,} x 5", panel(n, 5, 11), median, nanmedian)
    small = panel(400, 5, None)
    compare(
        "alpha interval, continuous, 400 x 5",
        small,
        partial(ours, level="interval"),
        partial(package, level="interval"),
    )
    compare(
        "alpha ordinal, 101 levels, 10,000 x 5",
        panel(10_000, 5, 101),
        partial(ours, level="ordinal"),
        partial(package, level="ordinal"),
    )
    compare(
        "alpha ordinal, 2,000 resamples, 10,000 x 5",
        panel(10_000, 5, 11),
        partial(ours, level="ordinal", n_boot=2000),
        partial(package_bootstrap, level="ordinal", n_boot=20),
        factor=100,
    )


if __name__ == "__main__":
    main()
