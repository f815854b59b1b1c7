"""Components of variance: CPU seconds and peak memory against statsmodels' mixed models.

Run ``python tests/benchmarks/bench_variance.py``. Every measurement runs in a process of its own;
where the peer can answer, the estimates are compared before the times are (complete data: REML is
the analysis of variance). Beyond a few dozen items the peer takes minutes.
"""

from __future__ import annotations

import multiprocessing
import resource
import time
from collections.abc import Callable
from multiprocessing.connection import Connection

import numpy as np

Scores = np.ndarray
Work = Callable[[Scores], list[float]]
SD = {"item": 1.0, "judge": 0.6, "item_judge": 0.6, "repeat": 0.7}


def panel(n: int, k: int, r: int, *, gaps: float = 0.0) -> Scores:
    """Draw scores items x judges x repeats; a share of judgments is missing."""
    rng = np.random.default_rng(0)
    y = SD["item"] * rng.normal(size=(n, 1, 1)) + SD["judge"] * rng.normal(size=(1, k, 1))
    y = y + SD["item_judge"] * rng.normal(size=(n, k, 1))
    y = y + SD["repeat"] * rng.normal(size=(n, k, r))
    if gaps:
        y[rng.random(y.shape) < gaps] = np.nan
    return np.asarray(y)


def long(scores: Scores) -> tuple[Scores, Scores, Scores]:
    """Give codes of items and judges, and the scores that are there."""
    n, k, r = scores.shape
    items = np.repeat(np.arange(n, dtype=np.int32), k * r)
    judges = np.tile(np.repeat(np.arange(k, dtype=np.int32), r), n)
    flat = scores.ravel()
    there = ~np.isnan(flat)
    if there.all():
        return items, judges, flat
    return items[there], judges[there], flat[there]


def ours(scores: Scores) -> list[float]:
    """Estimate by fitting constants, with intervals."""
    from panopt.stats.components import variance_components

    found: list[float] = variance_components(*long(scores)).values().tolist()
    return found


def statsmodels(scores: Scores) -> list[float]:
    """Estimate by REML, without intervals."""
    import pandas as pd
    from statsmodels.regression.mixed_linear_model import MixedLM

    items, judges, flat = long(scores)
    frame = pd.DataFrame({"y": flat, "i": items, "j": judges, "one": 1})
    parts = {"item": "0 + C(i)", "item_judge": "0 + C(i):C(j)", "judge": "0 + C(j)"}
    model = MixedLM.from_formula("y ~ 1", frame, groups="one", re_formula="0", vc_formula=parts)
    found = model.fit(reml=True)
    by_name = dict(zip(model.exog_vc.names, found.vcomp, strict=True)) | {"repeat": found.scale}
    return [float(by_name[name]) for name in SD]


def measured(work: Work, scores: Scores) -> tuple[list[float], float, float]:
    """Run in a process of its own: estimates, CPU seconds, megabytes on top of the scores."""
    context = multiprocessing.get_context("fork")
    ours_end, its_end = context.Pipe(duplex=False)
    process = context.Process(target=_run, args=(work, scores, its_end))
    process.start()
    its_end.close()
    answer: tuple[list[float], float, float] = ours_end.recv()
    process.join()
    return answer


def _run(work: Work, scores: Scores, answers: Connection) -> None:
    work(panel(6, 3, 2))  # imports and caches are no part of the work
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    values = work(scores)
    seconds = time.process_time() - start
    more = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory) / 1024
    answers.send((values, seconds, more))


def compare(name: str, scores: Scores, peer: Work | None = None) -> None:
    """Print one line: our time and memory, the peer's, and the ratio of times."""
    mine = measured(ours, scores)
    line = f"{name:<40} {mine[1]:8.4f} s {mine[2]:6.0f} MB"
    if peer is not None:
        other = measured(peer, scores)
        np.testing.assert_allclose(mine[0], other[0], rtol=1e-2)
        line += f"   peer {other[1]:8.2f} s {other[2]:6.0f} MB   {other[1] / mine[1]:9.0f} x"
    print(line, flush=True)


def main() -> None:
    """Measure everything."""
    compare("40 items x 4 judges x 3 repeats", panel(40, 4, 3), statsmodels)
    compare("100,000 x 5", panel(100_000, 5, 1))
    compare("1,000,000 x 5", panel(1_000_000, 5, 1))
    compare("1,000,000 x 5, a tenth missing", panel(1_000_000, 5, 1, gaps=0.1))
    compare("333,333 x 5 x 3, a tenth missing", panel(333_333, 5, 3, gaps=0.1))
    compare("crowd, 5,000 x 164, 95% missing", panel(5_000, 164, 1, gaps=0.95))


if __name__ == "__main__":
    main()
