"""What every certificate asks of its arguments: levels, confidence, clusters, a generator."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panopt.stats.arrays import as_keys

__all__ = ["check_levels", "check_scale", "generator", "one_of_each", "within_unit"]

Floats = NDArray[np.float64]

#: Means of probabilities leave [0, 1] by rounding; by more than this they were none.
ROUNDING = 1e-9

#: Seed where no generator is given: the letters of "panopt".
SEED = 0x70616E6F7074


def check_levels(alpha: float, delta: float) -> None:
    """Refuse a risk or a failure probability off (0, 1)."""
    for name, value in (("alpha", alpha), ("delta", delta)):
        try:
            inside = 0.0 < value < 1.0
        except TypeError:
            inside = False
        if not inside:
            raise ValueError(f"{name} = {value!r} must lie strictly between 0 and 1")


def within_unit(x: Floats) -> bool:
    """Tell whether all numbers lie in [0, 1]; NaN is left out by the caller."""
    return x.size == 0 or bool(x.min() >= -ROUNDING and x.max() <= 1.0 + ROUNDING)


def check_scale(name: str, x: Floats, *, unit: bool) -> None:
    """Refuse infinite confidence, and confidence off [0, 1] unless it is said to be another scale.

    NaN is left out by the caller.
    """
    if np.isinf(x).any():
        raise ValueError(f"{name} must be finite")
    if unit and not within_unit(x):
        raise ValueError(
            f"{name} must lie in [0, 1], not {x.min():g} to {x.max():g}; pass unit=False for "
            "margins or log-odds"
        )


def one_of_each(
    clusters: ArrayLike | None, n: int, rng: np.random.Generator
) -> NDArray[np.intp] | None:
    """Keep one row a cluster: a uniform draw, which neither labels nor order can steer.

    Returns
    -------
    ndarray or None
        Rows kept; None, all of them, where no clusters are given.
    """
    if clusters is None:
        return None
    keys = as_keys("clusters", clusters)
    if keys.shape != (n,):
        raise ValueError(f"clusters must have the shape of confidence, {(n,)}, not {keys.shape}")
    try:
        codes = np.unique(keys, return_inverse=True)[1]
    except TypeError:
        raise ValueError(
            "clusters must be keys of one kind, integers or strings, without missing ones"
        ) from None
    shuffled = rng.permutation(n)
    one = np.empty(int(codes.max(initial=-1)) + 1, dtype=np.intp)
    one[codes[shuffled]] = shuffled  # the last of each cluster stays
    return one


def generator(rng: object) -> np.random.Generator:
    """Take a generator, or give one of fixed seed.

    The seed is none that people use: draws must not be the very ones that simulated the data.
    """
    if rng is None:
        return np.random.default_rng(SEED)
    if isinstance(rng, np.random.Generator):
        return rng
    raise ValueError(f"rng = {rng!r} must be a numpy Generator: numpy.random.default_rng(seed)")
