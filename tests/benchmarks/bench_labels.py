"""Label models: CPU seconds and peak memory against crowd-kit, after the same number of passes.

Run ``python tests/benchmarks/bench_labels.py [--large]`` where panopt and ``crowd-kit==1.4.2`` are
installed. Posteriors are compared before times are; crowd-kit's own stopping rule is switched off.
``--large`` adds a million items for this package alone (crowd-kit takes half a minute each).
"""

from __future__ import annotations

import argparse
import importlib
import multiprocessing
import resource
import time
from collections.abc import Callable
from functools import partial
from multiprocessing.connection import Connection

import numpy as np

from panopt.stats.label_models import dawid_skene, mace, one_coin

PASSES = 20
N_JUDGES = 5
Votes = tuple[np.ndarray, np.ndarray, np.ndarray]
Work = Callable[[Votes], np.ndarray]


def crowd(n_items: int, n_labels: int, *, shuffled: bool = False) -> Votes:
    """Draw votes of five judges, right 9 to 6 times in 10."""
    rng = np.random.default_rng(0)
    item, judge = np.divmod(np.arange(n_items * N_JUDGES), N_JUDGES)
    truth = rng.integers(0, n_labels, n_items)[item]
    right = rng.random(item.size) < np.linspace(0.9, 0.6, N_JUDGES)[judge]
    other = (truth + rng.integers(1, n_labels, item.size)) % n_labels
    label = np.where(right, truth, other)
    order = rng.permutation(item.size) if shuffled else np.arange(item.size)
    return item[order], judge[order], label[order]


def ours(votes: Votes, *, model: str) -> np.ndarray:
    """Posterior of this package (items, labels)."""
    if model == "MACE":
        rng = np.random.default_rng(0)
        return mace(*votes, rng=rng, n_restarts=1, n_iter=PASSES, tol=0).posterior
    fit = dawid_skene if model == "DawidSkene" else one_coin
    return fit(*votes, smoothing=0, max_iter=PASSES, tol=0).posterior


def peers(votes: Votes, *, model: str) -> np.ndarray:
    """Posterior of crowd-kit (items, labels)."""
    aggregation = importlib.import_module("crowdkit.aggregation")
    columns = dict(zip(("task", "worker", "label"), votes, strict=True))
    frame = importlib.import_module("pandas").DataFrame(columns)
    if model == "MACE":
        fitted = aggregation.MACE(n_restarts=1, n_iter=PASSES).fit(frame)
    else:
        fitted = getattr(aggregation, model)(n_iter=PASSES, tol=-1e9).fit(frame)
    probas = fitted.probas_.sort_index()
    return np.asarray(probas[sorted(probas.columns)])


def measured(work: Work, votes: Votes) -> tuple[np.ndarray, float, float]:
    """Run in a process of its own: posterior, CPU seconds, megabytes on top of the votes."""
    context = multiprocessing.get_context("fork")
    ours_end, its_end = context.Pipe(duplex=False)
    process = context.Process(target=_run, args=(work, votes, its_end))
    process.start()
    its_end.close()
    answer: tuple[np.ndarray, float, float] = ours_end.recv()
    process.join()
    return answer


def _run(work: Work, votes: Votes, answers: Connection) -> None:
    work(crowd(50, int(votes[2].max()) + 1))  # imports and caches are no part of the work
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    value = work(votes)
    seconds = time.process_time() - start
    more = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory) / 1024
    answers.send((value, seconds, more))


def compare(name: str, votes: Votes, model: str, *, peer: bool) -> None:
    """Print one line: our time and memory, the peer's, and the ratio of times."""
    one, seconds, more = measured(partial(ours, model=model), votes)
    line = f"{name:<44} {seconds:8.3f} s {more:6.0f} MB"
    if peer:
        other, its_seconds, its_more = measured(partial(peers, model=model), votes)
        if model == "MACE":  # random starts: the same labels, not the same digits
            same = float(np.mean(one.argmax(axis=1) == other.argmax(axis=1)))
            assert same > 0.99, f"{name}: only {same:.4f} of the labels agree"
        else:
            np.testing.assert_allclose(one, other, atol=1e-7)
        ratio = its_seconds / seconds
        line += f"   peer {its_seconds:8.3f} s {its_more:6.0f} MB   {ratio:7.1f} x"
    print(line, flush=True)


def main() -> None:
    """Measure everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--large", action="store_true")
    large = parser.parse_args().large
    for n, peer in ((100_000, True), *(((1_000_000, False),) if large else ())):
        for model in ("DawidSkene", "OneCoinDawidSkene", "MACE"):
            for n_labels in (2, 5):
                for shuffled in (False, True):
                    votes = crowd(n, n_labels, shuffled=shuffled)
                    order = "shuffled" if shuffled else "sorted"
                    name = f"{model}, {n_labels} labels, {n:,} x {N_JUDGES} {order}"
                    compare(name, votes, model, peer=peer and not (shuffled and n_labels == 5))


if __name__ == "__main__":
    main()
