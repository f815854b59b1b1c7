"""What asking further judges is worth: how much it is expected to lower the chance of an error.

The value of information (Howard 1966) of a set of votes is the chance that today's decision is
wrong less the chance that the decision after those votes is. One vote alone is often worth
nothing, as it cannot turn the decision, where two or three can: so sets are valued too, and the
judge asked first is one of the set that is worth most per unit of cost. A judge that knows
nothing is worth nothing however cheap, and one that dissents gains nothing by it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "Asking",
    "best_asking",
    "best_of",
    "damped",
    "mutual_information",
    "set_values",
]

Floats = NDArray[np.float64]

#: Outcomes that are looked ahead at most: nine votes of two labels.
MOST_OUTCOMES = 512

_LEAST_COST = 1e-12  # what costs nothing goes first, by its value
_NOTHING = 1e-9  # chances below are rounding


@dataclass(frozen=True, slots=True)
class Asking:
    """The best set of judges to ask on.

    Attributes
    ----------
    first
        Place, among the judges left, of the one to ask next.
    n
        Judges in the set.
    value
        Expected fall of the chance of an error.
    cost
        Of the set.
    """

    first: int
    n: int
    value: float
    cost: float


def damped(confusion: ArrayLike, prevalence: ArrayLike, novelty: ArrayLike) -> Floats:
    """Bring judges' habits nearer to saying nothing, as far as others have said it before them.

    Parameters
    ----------
    confusion
        Probability of each vote given the truth (judges, labels, labels).
    prevalence
        Shares of the labels (labels,).
    novelty
        What each judge tells beside the others as a share of what it tells alone, in [0, 1]
        (judges,): 1 leaves its habits as they are, 0 makes a vote say nothing.

    Returns
    -------
    ndarray
        Geometric means of a judge's habits and its votes' shares, with weight the root of its
        novelty, as information grows with the square of a log likelihood ratio.

    Examples
    --------
    >>> damped([[[0.9, 0.1], [0.2, 0.8]]], [0.5, 0.5], [1.0])[0].round(2).tolist()
    [[0.9, 0.1], [0.2, 0.8]]
    """
    habits = np.asarray(confusion, dtype=np.float64)
    share = np.asarray(prevalence, dtype=np.float64) @ habits
    weight = np.sqrt(np.asarray(novelty, dtype=np.float64))[:, None, None]
    mixed = habits**weight * share[:, None, :] ** (1.0 - weight)
    found: Floats = mixed / mixed.sum(axis=2, keepdims=True)
    return found


def set_values(posterior: ArrayLike, confusion: ArrayLike) -> Floats:
    """Give the value of the first vote, of the first two, and so on.

    Parameters
    ----------
    posterior
        Probability of each label now (labels,).
    confusion
        Probability of each vote given the truth, of judges in the order in which they would be
        asked (judges, labels, labels); votes are independent given the truth.

    Returns
    -------
    ndarray
        Expected fall of the chance of an error, by number of votes (sets,), as far as at most
        512 outcomes are looked at.

    Examples
    --------
    A judge right in 7 of 10 cannot turn a probability of .8; two can: .7^2 .2 - .3^2 .8 is won.

    >>> judge = [[0.7, 0.3], [0.3, 0.7]]
    >>> (set_values([0.2, 0.8], [judge] * 3) + 0.0).round(4).tolist()
    [0.0, 0.026, 0.047]
    """
    now = np.asarray(posterior, dtype=np.float64)
    risk = 1.0 - float(now.max())
    joint = now[None, :]
    values: list[float] = []
    for habits in np.asarray(confusion, dtype=np.float64):
        if joint.size * now.size > MOST_OUTCOMES * now.size and values:
            break
        joint = (joint[:, None, :] * habits.T[None, :, :]).reshape(-1, now.size)
        values.append(max(risk - (1.0 - float(joint.max(axis=1).sum())), 0.0))
    return np.array(values)


def best_asking(
    posterior: ArrayLike, alone: ArrayLike, ordered: ArrayLike, order: ArrayLike, costs: ArrayLike
) -> Asking:
    """Choose the judge to ask next: first of the set that is worth most per unit of cost.

    Parameters
    ----------
    posterior
        Probability of each label now (labels,).
    alone
        Habits of each judge left, as if it were asked next and alone (judges, labels, labels).
    ordered
        Habits of the judges in `order`, each as if it were asked after those before it.
    order
        Places of the judges left, in the order in which sets grow (judges,).
    costs
        Cost of each judge left (judges,).

    Returns
    -------
    Asking
        As :func:`best_of`.
    """
    sets = set_values(posterior, ordered)
    habits = np.asarray(alone, dtype=np.float64)
    single = [float(set_values(posterior, one[None])[0]) for one in habits]
    return best_of(sets, single, order, costs)


def best_of(sets: ArrayLike, single: ArrayLike, order: ArrayLike, costs: ArrayLike) -> Asking:
    """Choose by value per unit of cost among the growing sets and each judge alone.

    Parameters
    ----------
    sets
        Value of the first judge in `order`, of the first two, and so on (sets,).
    single
        Value of each judge left, alone (judges,).
    order, costs
        As in :func:`best_asking`.

    Returns
    -------
    Asking
        Where nothing is worth anything, the first judge in `order`, with a value of 0.

    Examples
    --------
    >>> best_of([0.1, 0.4], [0.0, 0.1], [1, 0], [1.0, 1.0])
    Asking(first=1, n=2, value=0.4, cost=2.0)
    """
    price = np.asarray(costs, dtype=np.float64)
    places = np.asarray(order, dtype=np.int64)
    values = np.asarray(sets, dtype=np.float64)
    total = np.cumsum(price[places])[: values.size]
    options = [
        (int(places[0]), n + 1, value, cost)
        for n, (value, cost) in enumerate(zip(values.tolist(), total.tolist(), strict=True))
    ]
    alone = np.asarray(single, dtype=np.float64).tolist()
    options += [
        (place, 1, value, cost)
        for place, (value, cost) in enumerate(zip(alone, price.tolist(), strict=True))
    ]
    found = Asking(int(places[0]), 1, 0.0, float(price[places[0]]))
    best = 0.0
    for first, n, value, cost in options:
        rate = value / max(cost, _LEAST_COST)
        if value > _NOTHING and rate > best * (1.0 + _NOTHING):
            best, found = rate, Asking(first, n, value, cost)
    return found


def mutual_information(posterior: ArrayLike, confusion: ArrayLike) -> Floats:
    """Give what each judge's vote and the truth have in common, in nats (judges,).

    Examples
    --------
    >>> knows, guesses = [[1.0, 0.0], [0.0, 1.0]], [[0.5, 0.5], [0.5, 0.5]]
    >>> mutual_information([0.5, 0.5], [knows, guesses]).round(3).tolist()
    [0.693, 0.0]
    """
    joint = np.asarray(posterior, dtype=np.float64)[None, :, None] * np.asarray(confusion)
    apart = joint.sum(axis=1, keepdims=True) * joint.sum(axis=2, keepdims=True)
    ratio = np.divide(joint, apart, out=np.ones_like(joint), where=joint > 0)
    found: Floats = np.maximum((joint * np.log(ratio)).sum(axis=(1, 2)), 0.0)
    return found
