"""Gather votes for labels by item, items with the same votes together.

Models of label noise treat alike all items that got the same votes from the same judges, so the
distinct sets of votes with their counts are all such a model needs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panopt.stats.arrays import as_keys
from panopt.stats.long_format import Codes, code_count

__all__ = ["VoteTable", "checked_votes", "vote_table"]

IntArray = NDArray[np.int64]

_BLOCK = 1 << 18  # votes keyed at a time: the temporaries stay in cache
_MOST_CELLS = 1 << 27  # judges x labels x labels: 1 GB of confusion matrices


@dataclass(frozen=True, slots=True)
class VoteTable:
    """Distinct sets of votes (patterns) and how many items carry each.

    The votes of pattern p are the entries `start`[p] to `start`[p + 1] of `cell` and `times`.
    """

    counts: NDArray[np.float64]
    """Items that carry each pattern (patterns,)."""
    inverse: NDArray[np.intp]
    """Pattern of every item (items,)."""
    start: IntArray
    """Where each pattern's entries start, and where the last ends (patterns + 1,)."""
    cell: IntArray
    """Judge times number of labels plus label, rising within a pattern (entries,)."""
    times: NDArray[np.float64]
    """How often the judge gave the label (entries,)."""
    truth: IntArray
    """Known label of each pattern's items, -1 where unknown (patterns,)."""
    n_judges: int
    """Number of judges."""
    n_labels: int
    """Number of labels."""

    @property
    def n_votes(self) -> NDArray[np.float64]:
        """Votes of each pattern (patterns,)."""
        ends: NDArray[np.float64] = np.r_[0.0, np.cumsum(self.times)]
        return ends[self.start[1:]] - ends[self.start[:-1]]

    def shares(self) -> NDArray[np.float64]:
        """Give the share of each pattern's votes for each label; 0 without votes."""
        row = np.repeat(np.arange(self.counts.size), np.diff(self.start))
        place = row * self.n_labels + self.cell % self.n_labels
        size = self.counts.size * self.n_labels
        sums = np.bincount(place, weights=self.times, minlength=size).astype(np.float64)
        share: NDArray[np.float64] = sums.reshape(-1, self.n_labels)
        share /= np.maximum(share.sum(axis=1, keepdims=True), 1.0)
        return share

    def votes_given(self) -> NDArray[np.float64]:
        """Count how often each judge gave each label, over all items (judges, labels)."""
        weight = self.times * np.repeat(self.counts, np.diff(self.start))
        size = self.n_judges * self.n_labels
        given = np.bincount(self.cell, weights=weight, minlength=size).astype(np.float64)
        return given.reshape(self.n_judges, self.n_labels)


def checked_votes(  # noqa: PLR0913 - three arrays of one table, and its sizes
    item: ArrayLike,
    judge: ArrayLike,
    label: ArrayLike,
    *,
    n_labels: int | None,
    known: ArrayLike | None = None,
    n_items: int | None = None,
    n_judges: int | None = None,
) -> VoteTable:
    """Check votes in long format and gather them.

    Parameters
    ----------
    item, judge, label
        Integer codes from 0, one row a vote (votes,).
    n_labels, n_items, n_judges
        Number of codes; by default the largest that occurs, plus 1.
    known
        True label of each item, -1 where unknown (items,).

    Raises
    ------
    ValueError
        For shapes, types or values that are no codes, no votes at all, or fewer than two labels.
    """
    arrays = {"item": item, "judge": judge, "label": label}
    codes = {name: _codes(name, values) for name, values in arrays.items()}
    shapes = {name: array.shape for name, array in codes.items()}
    if len(set(shapes.values())) > 1 or codes["item"].ndim != 1:
        told = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise ValueError(f"shapes are {told}; all must be one-dimensional and of one length")
    size = codes["label"].size
    if not size:
        raise ValueError("label is empty; there must be votes")
    for name, array in codes.items():
        if int(array.min()) < 0:
            raise ValueError(
                f"{name} holds {array.min()}; codes count from 0: leave out rows without a vote"
            )
    truth = None if known is None else _codes("known", known)
    judges = code_count("n_judges", n_judges, codes["judge"], size)
    items = code_count("n_items", n_items, codes["item"], size)
    labels = code_count("n_labels", n_labels, codes["label"], size)
    if truth is not None:
        items = max(items, truth.size) if n_items is None else items
        labels = max(labels, int(truth.max(initial=-1)) + 1) if n_labels is None else labels
        _check_known(truth, items, labels)
    if labels < 2:
        raise ValueError(
            "label holds only code 0; there must be two labels (say n_labels = 2 if another one "
            "was possible)"
        )
    if judges * labels * labels > _MOST_CELLS:
        raise ValueError(
            f"n_labels = {labels} with {judges} judges needs {judges * labels * labels} confusion "
            f"cells; at most {_MOST_CELLS} are possible"
        )
    return vote_table(*codes.values(), sizes=(items, judges, labels), known=truth)


def vote_table(
    item: Codes, judge: Codes, label: Codes, *, sizes: tuple[int, int, int], known: Codes | None
) -> VoteTable:
    """Gather checked votes: linear in the votes, and one sort of items where patterns are many.

    Parameters
    ----------
    item, judge, label
        Codes (votes,); a judge may vote on an item several times.
    sizes
        Number of items, judges and labels.
    known
        True label of each item, -1 where unknown (items,).
    """
    n_items, n_judges, n_labels = sizes
    states = (n_labels + 1) ** n_judges
    truth = np.full(n_items, -1, dtype=np.int64) if known is None else known.astype(np.int64)
    all_states = states * (1 if known is None else n_labels + 1)
    if all_states <= max(4 * n_items, 1 << 12):
        found = _by_state(item, judge, label, sizes, truth, states, all_states)
        if found is not None:
            return found
    return _by_hash(item, judge, label, sizes, truth)


def _check_known(truth: Codes, n_items: int, n_labels: int) -> None:
    if truth.shape != (n_items,):
        raise ValueError(
            f"known has shape {truth.shape}; it must hold one code for each of {n_items} items"
        )
    if not -1 <= int(truth.min()) <= int(truth.max()) < n_labels:
        raise ValueError(
            f"known lies in {truth.min()}..{truth.max()}; it must lie in -1 (unknown)"
            f"..{n_labels - 1}"
        )


def _codes(name: str, values: ArrayLike) -> Codes:
    codes = as_keys(name, values)
    if codes.dtype.kind == "b":
        return codes.astype(np.int8)
    if codes.dtype.kind not in "iu" and codes.size:
        raise ValueError(
            f"{name} has dtype {codes.dtype}; it must hold integer codes from 0, without missing "
            "ones: leave those rows out"
        )
    return codes.astype(np.int64) if codes.dtype.kind not in "iu" else codes


def _sums(  # noqa: PLR0913, PLR0917 - votes, their sizes and their worth
    item: Codes, judge: Codes, label: Codes, n_items: int, n_labels: int, worth: NDArray[Any]
) -> NDArray[Any]:
    """Add up, per item, what each of its votes is worth by judge and label; overflow wraps."""
    total = np.zeros(n_items, dtype=worth.dtype)
    for start in range(0, item.size, _BLOCK):
        part = slice(start, start + _BLOCK)
        cell = judge[part].astype(np.intp, copy=False) * n_labels
        cell += label[part].astype(np.intp, copy=False)
        np.add.at(total, item[part].astype(np.intp, copy=False), worth[cell])
    return total


def _by_state(  # noqa: PLR0913, PLR0917 - one table in parts
    item: Codes,
    judge: Codes,
    label: Codes,
    sizes: tuple[int, int, int],
    truth: IntArray,
    states: int,
    all_states: int,
) -> VoteTable | None:
    """Gather by the number of the pattern; None where a judge voted twice on an item.

    The number has one digit a judge: 0 for no vote, else 1 + label.
    """
    n_items, n_judges, n_labels = sizes
    base = n_labels + 1
    place = base ** np.arange(n_judges)
    worth = (place[:, None] * np.arange(1, base)).ravel()
    key = _sums(item, judge, label, n_items, n_labels, worth)
    if int(key.max()) >= states:
        return None
    if all_states > states:
        key += (truth + 1) * states
    tally = np.bincount(key, minlength=all_states)
    present = np.flatnonzero(tally)
    pattern = np.zeros(all_states, dtype=np.intp)
    pattern[present] = np.arange(present.size)
    digits = np.empty((present.size, n_judges), dtype=np.int16 if base < 1 << 15 else np.int64)
    for column, unit in zip(digits.T, place.tolist(), strict=True):
        column[:] = present // unit % base
    row, voter = np.nonzero(digits)
    vote = digits[row, voter].astype(np.int64) - 1
    # A second vote of a judge adds to its digit, or carries to the next: either way the digits
    # then stand for fewer votes, or for lower codes in sum, than were cast.
    counts = tally[present]
    cast = int(counts @ np.count_nonzero(digits, axis=1))
    if (
        cast != item.size
        or int(counts @ digits.sum(axis=1, dtype=np.int64)) != int(label.sum()) + item.size
    ):
        return None
    return VoteTable(
        counts=counts.astype(np.float64),
        inverse=pattern[key],
        start=np.r_[0, np.cumsum(np.count_nonzero(digits, axis=1))],
        cell=voter * n_labels + vote,
        times=np.ones(row.size),
        truth=present // states - 1 if all_states > states else np.full(present.size, -1),
        n_judges=n_judges,
        n_labels=n_labels,
    )


def _by_hash(
    item: Codes, judge: Codes, label: Codes, sizes: tuple[int, int, int], truth: IntArray
) -> VoteTable:
    """Tell patterns apart by two independent 64-bit sums of random numbers, one a vote.

    Two different patterns agree in both with probability below 2^-120, which is less than that
    of a memory error.
    """
    n_items, n_judges, n_labels = sizes
    draw = _numbers(n_judges * n_labels)
    first, second = (
        _sums(item, judge, label, n_items, n_labels, draw())
        + (truth + 1).astype(np.uint64) * draw()[0]
        for _ in range(2)
    )
    _, where, inverse = np.unique(first, return_index=True, return_inverse=True)
    if (second != second[where[inverse]]).any():
        both = np.stack((first, second), axis=1)
        _, where, inverse = np.unique(both, axis=0, return_index=True, return_inverse=True)
    shown = np.zeros(n_items, dtype=bool)
    shown[where] = True
    rows = np.flatnonzero(shown[item])
    width = n_judges * n_labels
    entry = inverse[item[rows]].astype(np.int64) * width
    entry += judge[rows].astype(np.int64) * n_labels + label[rows].astype(np.int64)
    entry, times = np.unique(entry, return_counts=True)
    return VoteTable(
        counts=np.bincount(inverse, minlength=where.size).astype(np.float64),
        inverse=inverse,
        start=np.searchsorted(entry, np.arange(where.size + 1) * width),
        cell=entry % width,
        times=times.astype(np.float64),
        truth=truth[where],
        n_judges=n_judges,
        n_labels=n_labels,
    )


def _numbers(size: int) -> Callable[[], NDArray[np.uint64]]:
    """Give a maker of fixed random 64-bit numbers: patterns do not depend on a seed."""
    rng = np.random.default_rng(20_260_101)
    return lambda: rng.integers(0, 1 << 64, size=size, dtype=np.uint64)
