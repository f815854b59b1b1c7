"""Word what may spoil a Gaussian panel, for the people who read its numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from panopt.stats.gaussian_screen import Screen

Names = Callable[[Sequence[int]], str]

#: Without an anchor three judges are needed, and this says why.
UNIDENTIFIED = (
    "without an anchor at least three judges are needed: with fewer the noise of each is "
    "unidentified, since nothing tells noise from shared error; add human labels as the anchor "
    "or a third judge, or use a plain rule such as the mean"
)

_PAIRS = 3
_CLEAR = 3.5  # z from which labelled items are no random sample


def on_screen(found: Screen, names: Names) -> list[str]:
    """Say what the screening found."""
    warnings = [
        f"{names([copy])} repeats {names([int(found.kept[copy])])}: their errors are the same, so "
        "the two are counted as one judge"
        for copy in np.flatnonzero(found.copied).tolist()
    ]
    flat, narrow, against = (
        np.flatnonzero(mask).tolist() for mask in (found.flat, found.narrow, found.reversed)
    )
    if flat:
        warnings.append(
            f"{names(flat)} left out: scores that (nearly) never vary, or far less than the other "
            "judges agree that items differ, say nothing about items on their scale"
        )
    if narrow:
        warnings.append(
            f"the scores of {names(narrow)} vary less than the other judges agree that items "
            "differ: the model takes a compressed scale for precision; rescale or drop them"
        )
    if against:
        warnings.append(
            f"the scores of {names(against)} run against the other judges': is a scale reversed?"
        )
    return warnings


def on_related(
    pairs: Sequence[tuple[int, int, float]], anchor: NDArray[np.bool_], names: Names
) -> list[str]:
    """Say whose errors are not independent.

    An anchor that seems to share errors with a judge rather shows that the other judges err
    together, away from both: against the anchor errors have no other meaning.
    """
    own = [pair for pair in pairs if not anchor[list(pair[:2])].any()]
    warnings = []
    if own:
        listed = ", of ".join(f"{names([j, k])} ({share:.2f})" for j, k, share in own[:_PAIRS])
        more = len(own) - _PAIRS
        listed += f" and of {more} more pairs of judges" if more > 0 else ""
        warnings.append(
            f"the errors of {listed} correlate: intervals take them for independent and are too "
            "narrow"
        )
    sided = sorted({judge for pair in pairs for judge in pair[:2] if anchor[list(pair[:2])].any()})
    close = [judge for judge in sided if not anchor[judge]]
    others = [k for k in range(anchor.size) if not anchor[k] and k not in close]
    if close and len(others) > 1:
        warnings.append(
            f"{names(others)} seem to share errors that {names(close)} and the human labels do "
            "not: "
            "intervals take all errors for independent and are too narrow"
        )
    return warnings


def on_two(left: Sequence[int], names: Names) -> str:
    """Say what a panel rests on when only two of its judges are different."""
    return (
        f"only {names(left)} remain: how the noise splits between them rests on independent "
        "errors, which two judges cannot show"
    )


def on_repeats(repeated: NDArray[np.bool_], names: Names) -> str:
    """Say whose repeats were averaged for errors with Student's t distribution."""
    return (
        f"the repeats of {names(np.flatnonzero(repeated).tolist())} were averaged to one score an "
        "item, since how far repeats repeat an error is told for normal errors alone; noise_sd is "
        "that of the average"
    )


def on_few(few: NDArray[np.bool_], names: Names) -> str:
    """Say who scored too little for its noise to be known."""
    return (
        f"{names(np.flatnonzero(few).tolist())} gave so few scores that their noise is little more "
        "than the prior"
    )


def on_silent(silent: NDArray[np.bool_], anchor: NDArray[np.bool_], names: Names) -> list[str]:
    """Say whose noise is too small to be measured; an anchor without noise is no surprise."""
    judges = np.flatnonzero(silent & ~anchor).tolist()
    if not judges:
        return []
    told = (
        f"the noise of {names(judges)} cannot be told from none: the panel follows these judges, "
        "which is right only if their errors are independent"
    )
    return [told]


def on_selected(shift: float, spread: float) -> list[str]:
    """Say that the items with an anchor's score are no random sample of all, and what follows."""
    if max(abs(shift), abs(spread)) <= _CLEAR:
        return []
    seen = "spread otherwise" if abs(shift) <= _CLEAR else "higher" if shift > 0 else "lower"
    told = (
        f"the responses that humans scored have scores from the judges {seen} than the others': "
        "where they were chosen for the judges' scores, biases are off and intervals too narrow, "
        "which nothing here can show or mend; label a random sample"
    )
    return [told]
