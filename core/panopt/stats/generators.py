"""Where random draws come from: a generator, a seed, or nothing."""

from __future__ import annotations

import numpy as np

__all__ = ["generator"]


def generator(rng: np.random.Generator | int | None) -> np.random.Generator:
    """Give a generator: the one given, or a fresh one of a seed (0 for None).

    Raises
    ------
    ValueError
        For anything else, and for a seed below 0.

    Examples
    --------
    >>> int(generator(7).integers(100)) == int(np.random.default_rng(7).integers(100))
    True
    """
    if isinstance(rng, np.random.Generator):
        return rng
    seed: object = 0 if rng is None else rng
    if not isinstance(seed, int | np.integer) or isinstance(seed, bool) or seed < 0:
        raise ValueError(f"rng = {rng!r} must be a numpy Generator, a seed from 0 up, or None")
    return np.random.default_rng(int(seed))
