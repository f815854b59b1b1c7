"""Bradley-Terry strengths against choix and scikit-learn, on the same comparisons in one run."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray


def draw(n: int, systems: int, rng: np.random.Generator) -> tuple[NDArray[np.int64], ...]:
    strength = rng.normal(size=systems)
    first = rng.integers(0, systems, n)
    second = (first + rng.integers(1, systems, n)) % systems
    won = rng.random(n) < 1 / (1 + np.exp(strength[second] - strength[first]))
    return first, second, won.astype(np.int64)


def timed(work: Callable[[], NDArray[np.float64]]) -> tuple[float, NDArray[np.float64]]:
    start = time.process_time()
    result = work()
    return time.process_time() - start, result - result.mean()


def main() -> None:
    """Print the ratios."""
    import choix
    from scipy import sparse
    from sklearn.linear_model import LogisticRegression

    from panopt.plugins.pairs import bradley_terry

    rng = np.random.default_rng(0)
    for n, systems in ((10_000, 20), (100_000, 20), (1_000_000, 100)):
        first, second, won = draw(n, systems, rng)

        def ours(
            first: NDArray[np.int64] = first,
            second: NDArray[np.int64] = second,
            won: NDArray[np.int64] = won,
        ) -> NDArray[np.float64]:
            found = bradley_terry(first, second, won)
            assert found.strength is not None
            return found.strength

        mine, strength = timed(ours)
        line = f"{n:>9,} comparisons of {systems} systems: ours 1"
        if n <= 10_000:  # a Python loop over comparisons: minutes beyond
            winner, loser = np.where(won, first, second), np.where(won, second, first)
            data = list(zip(winner.tolist(), loser.tolist(), strict=True))
            theirs, peer = timed(
                lambda data=data, systems=systems: choix.opt_pairwise(  # type: ignore[misc]
                    systems, data, alpha=0.0, tol=1e-10
                )
            )
            assert np.abs(peer - strength).max() < 1e-6
            line += f", choix {theirs / mine:.0f}"
        rows = np.tile(np.arange(n), 2)
        design = sparse.csr_matrix(
            (np.repeat([1.0, -1.0], n), (rows, np.concatenate((first, second)))), (n, systems)
        )
        model = LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-8, max_iter=500)
        theirs, peer = timed(
            lambda model=model, design=design, won=won: model.fit(design, won).coef_[0]  # type: ignore[misc]
        )
        assert np.abs(peer - strength).max() < 1e-4
        print(f"{line}, scikit-learn {theirs / mine:.1f}")


if __name__ == "__main__":
    main()
