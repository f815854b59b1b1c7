"""Measure how far repeated answers to one question mean different things.

Semantic entropy (Kuhn et al. 2023; Farquhar et al. 2024): answers that entail each other are one
meaning, and the entropy is that of the meanings, not of the wordings. Meanings weigh by how many
answers have them, or by the likelihoods of those answers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panopt.stats.arrays import as_floats, as_keys
from panopt.stats.pair_cells import coded
from panopt.stats.texts import normal_forms, rouge_l, word_codes

__all__ = ["Entails", "SemanticEntropy", "lexical_similarity", "semantic_entropy"]

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]
Correction = Literal["none", "miller_madow"]

#: Tells of each (premise, hypothesis) whether the first entails the second: truth or probability.
Entails = Callable[[Sequence[tuple[str, str]]], "Sequence[bool | float] | NDArray[np.generic]"]


@dataclass(frozen=True, slots=True, eq=False)
class SemanticEntropy:
    """Entropy over meanings; arrays have one entry an item but for `cluster`.

    Attributes
    ----------
    items
        Names of the items, sorted.
    entropy
        In nats; NaN for items with fewer than two answers, which tell nothing.
    n, n_clusters
        Answers, and meanings among them ("semantic sets").
    majority_share
        Weight of the heaviest meaning; NaN where `entropy` is.
    cluster
        Meaning of each answer, numbered within its item by first appearance; -1 for a missing
        answer (answers,).
    predictive_entropy
        Mean of minus the (length-normalised) log-likelihood over the item's answers, in nats;
        None without likelihoods.
    method
        How meanings were told apart and weighed.
    reason
        Why no item has an entropy.
    """

    items: tuple[str | int, ...]
    entropy: Floats
    n: Codes
    n_clusters: Codes
    majority_share: Floats
    cluster: Codes
    predictive_entropy: Floats | None
    method: str
    reason: str | None


def semantic_entropy(  # noqa: PLR0913 - options of one estimate
    item: ArrayLike,
    text: Sequence[str | None],
    *,
    entails: Entails | None = None,
    threshold: float = 0.5,
    log_likelihood: ArrayLike | None = None,
    length: ArrayLike | None = None,
    correction: Correction = "none",
) -> SemanticEntropy:
    """Give the entropy of the meanings of each item's answers.

    Parameters
    ----------
    item
        Name or code of the question each answer answers (answers,).
    text
        The answers (answers,); None is missing.
    entails
        Takes a sequence of (premise, hypothesis) and gives for each whether the one entails the
        other, as truth or probability. Two answers are one meaning where each entails the other.
        Answers are compared with the first answer of each meaning (Farquhar et al. 2024, algorithm
        1), many items in one call; no pair is asked twice, nor an answer against its equal, nor
        the second direction where the first fails. Put the question into the text where the
        test needs it. By default equal normal forms are one meaning
        (`panopt.stats.texts.normal_forms`).
    threshold
        Probability of entailment from which it holds, in (0, 1].
    log_likelihood
        Log-likelihood of each answer as a sequence, natural logarithm (answers,); NaN counts as a
        missing answer. Meanings then weigh by the sum of their answers' likelihoods.
    length
        Number of tokens of each answer: likelihoods are then taken per token, so that long answers
        do not count for less (Malinin & Gales 2021).
    correction
        "miller_madow" adds (meanings - 1) / (2 answers), the first-order bias of an entropy from
        counts, which is too low with few answers (Miller 1955); for counts alone.

    Returns
    -------
    SemanticEntropy
        With `reason` where no item has two answers.

    Raises
    ------
    ValueError
        For arrays of different length, values or options outside their range, and an `entails`
        that does not give one truth or probability a pair.

    Notes
    -----
    Assumes that an item's answers are independent draws (no cached copies). At most log(n) can be
    seen in n answers. Time and memory are linear in the answers, but for entailment within an item.

    Examples
    --------
    >>> found = semantic_entropy([0, 0, 0, 0], ["Paris", "paris.", "Rome", "the Paris"])
    >>> found.entropy.round(4).tolist(), found.cluster.tolist()
    ([0.5623], [0, 0, 1, 0])
    """
    texts = _texts(text)
    n = len(texts)
    codes, items = _items(item, n)
    _check(threshold, correction, counts=log_likelihood is None, length=length)
    likelihood = None if log_likelihood is None else _likelihoods(log_likelihood, length, n)
    kept = np.ones(n, dtype=np.bool_)
    if None in texts:
        kept = np.array([one is not None for one in texts], dtype=np.bool_)
    if likelihood is not None:
        kept &= ~np.isnan(likelihood)
    rows = np.flatnonzero(kept)
    of = codes[rows]
    answers = _taken(texts, rows)
    forms = _forms(answers) if entails is None else [one.strip() for one in answers]
    same, home = _distinct_answers(of, forms)
    if entails is not None:
        same = _by_entailment(same, home, forms, entails, threshold)[same]
        same, home = _renumbered(same, of)
    place = _within(home, len(items))
    cluster = np.full(n, -1, dtype=np.int64)
    cluster[rows] = place[same]
    met = np.bincount(of, minlength=len(items))
    weight = np.ones(rows.size) if likelihood is None else _weights(likelihood[rows], of)
    entropy, share = _entropy(weight, same, home, of, len(items))
    sets = np.bincount(home, minlength=len(items))
    if correction == "miller_madow":
        entropy += (sets - 1) / (2 * np.maximum(met, 1))
    few = met < 2
    entropy[few], share[few] = np.nan, np.nan
    by = "normalised exact match" if entails is None else "entailment both ways"
    weighed = "counts" if likelihood is None else "likelihoods"
    weighed += " per token" if length is not None else ""
    return SemanticEntropy(
        items,
        entropy,
        met,
        sets,
        share,
        cluster,
        None if likelihood is None else _predictive(likelihood[rows], of, met),
        f"{by}, {weighed}" + (", Miller-Madow" if correction == "miller_madow" else ""),
        "no item has two answers" if few.all() else None,
    )


def lexical_similarity(item: ArrayLike, text: Sequence[str | None]) -> Floats:
    """Give the mean ROUGE-L of all pairs of an item's answers: 1 where all are the same words.

    Parameters
    ----------
    item
        Name or code of the question each answer answers (answers,).
    text
        The answers (answers,); None is missing.

    Returns
    -------
    ndarray
        One value an item, in the order of `SemanticEntropy.items`; NaN for fewer than two answers.
        Time is quadratic in an item's distinct answers.

    Examples
    --------
    >>> lexical_similarity([0, 0, 0], ["the cat", "the cat", "a dog"]).round(4).tolist()
    [0.3333]
    """
    texts = _texts(text)
    codes, items = _items(item, len(texts))
    rows = np.array([i for i, one in enumerate(texts) if one is not None], dtype=np.int64)
    answers, of = _taken(texts, rows), codes[rows]
    same, home = _distinct_answers(of, answers)
    count = np.bincount(same, minlength=home.size).astype(np.float64)
    first = np.full(home.size, -1, dtype=np.int64)
    first[same[::-1]] = np.arange(same.size)[::-1]
    words = word_codes(answers[i] for i in first.tolist())
    equal = np.bincount(home, weights=count * (count - 1) / 2, minlength=len(items))
    total = np.asarray(equal, dtype=np.float64)
    for one, other in _pairs(home):
        alike = rouge_l(words, one, other) * count[one] * count[other]
        total += np.bincount(home[one], weights=alike, minlength=len(items))
    met = np.bincount(of, minlength=len(items)).astype(np.float64)
    pairs = met * (met - 1) / 2
    return _ratio(total, pairs)


def _texts(text: Sequence[str | None]) -> list[str | None]:
    if isinstance(text, str):  # a sequence too, of letters
        message = f"text = {text!r}: it must be a sequence of texts, one an answer"
        raise ValueError(message)  # noqa: TRY004 - a bad value, like any other here
    texts = list(text)
    odd = {type(one) for one in texts} - {str, np.str_, type(None)}
    if odd:
        row, one = next((i, one) for i, one in enumerate(texts) if type(one) in odd)
        raise ValueError(f"text[{row}] = {one!r}; it must be a text, or None where missing")
    return texts


def _items(item: ArrayLike, n: int) -> tuple[Codes, tuple[str | int, ...]]:
    keys = as_keys("item", item)
    if keys.shape != (n,):
        raise ValueError(f"item has shape {keys.shape}; it must be that of text, ({n},)")
    return coded("item", keys, None)


def _check(
    threshold: float, correction: Correction, *, counts: bool, length: ArrayLike | None
) -> None:
    if not 0 < threshold <= 1:
        raise ValueError(f"threshold = {threshold} must lie above 0, at most at 1")
    if correction not in get_args(Correction):
        raise ValueError(
            f"correction = {correction!r} must be one of {', '.join(get_args(Correction))}"
        )
    if not counts and correction != "none":
        raise ValueError(f"correction = {correction!r} is for counts; leave log_likelihood out")
    if counts and length is not None:
        raise ValueError("length is for likelihoods; give log_likelihood too")


def _likelihoods(log_likelihood: ArrayLike, length: ArrayLike | None, n: int) -> Floats:
    values = as_floats("log_likelihood", log_likelihood)
    if values.shape != (n,):
        raise ValueError(f"log_likelihood has shape {values.shape}; it must be that of text ({n},)")
    if np.isinf(values).any():
        row = int(np.flatnonzero(np.isinf(values))[0])
        raise ValueError(f"log_likelihood[{row}] = {values[row]}; it must be finite, or NaN")
    if length is None:
        return values
    tokens = as_floats("length", length)
    if tokens.shape != (n,):
        raise ValueError(f"length has shape {tokens.shape}; it must be that of text, ({n},)")
    bad = ~(np.isnan(values) | (np.isfinite(tokens) & (tokens > 0)))
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise ValueError(f"length[{row}] = {tokens[row]:g}; a length is finite and above 0")
    return values / tokens


def _taken(texts: Sequence[str | None], rows: Codes) -> list[str]:
    return [one for one in (texts[row] for row in rows.tolist()) if one is not None]


def _forms(answers: Sequence[str]) -> list[str]:
    """Give normal forms, of each distinct answer once."""
    distinct = list(dict.fromkeys(answers))
    form = dict(zip(distinct, normal_forms(distinct), strict=True))
    return [form[one] for one in answers]


def _distinct_answers(of: Codes, forms: Sequence[str]) -> tuple[Codes, Codes]:
    """Give numbers to the distinct answers of items, in the order of items and first rows."""
    known: dict[str, int] = {}
    form = np.array([known.setdefault(one, len(known)) for one in forms], dtype=np.int64)
    return _renumbered(of * max(1, len(known)) + form, of)


def _renumbered(key: Codes, of: Codes) -> tuple[Codes, Codes]:
    """Give groups numbers in the order of their items and first rows, and each its item."""
    _, first, group = np.unique(key, return_index=True, return_inverse=True)
    order = np.lexsort((first, of[first]))
    rank = np.empty(order.size, dtype=np.int64)
    rank[order] = np.arange(order.size)
    return rank[group], of[first[order]]


def _within(home: Codes, n_items: int) -> Codes:
    """Give groups, which stand in the order of their items, numbers within them."""
    sizes = np.bincount(home, minlength=n_items)
    start = np.cumsum(sizes) - sizes
    return np.arange(home.size) - start[home]


def _by_entailment(
    same: Codes, home: Codes, forms: Sequence[str], entails: Entails, threshold: float
) -> Codes:
    """Give each distinct answer the first one that means the same, itself where it is the first.

    Round by round: the first answer of every item that has no meaning yet founds one, and all
    others without a meaning are asked against it.
    """
    first = np.full(home.size, -1, dtype=np.int64)
    first[same[::-1]] = np.arange(same.size)[::-1]
    texts = [forms[row] for row in first.tolist()]
    told: dict[tuple[str, str], bool] = {}
    meaning = np.full(home.size, -1, dtype=np.int64)
    left = np.arange(home.size)
    while left.size:
        starts = np.flatnonzero(np.r_[True, home[left][1:] != home[left][:-1]])
        founder = np.repeat(left[starts], np.diff(np.r_[starts, left.size]))
        meaning[left[starts]] = left[starts]
        others, theirs = left[left != founder], founder[left != founder]
        for forward in (True, False):
            asked = [
                (texts[a], texts[b]) if forward else (texts[b], texts[a])
                for a, b in zip(theirs.tolist(), others.tolist(), strict=True)
            ]
            _ask(asked, told, entails, threshold)
            yes = np.array([told[pair] for pair in asked], dtype=np.bool_)
            others, theirs = others[yes], theirs[yes]
        meaning[others] = theirs
        left = left[meaning[left] < 0]
    return meaning


def _ask(
    pairs: Sequence[tuple[str, str]],
    told: dict[tuple[str, str], bool],
    entails: Entails,
    threshold: float,
) -> None:
    """Ask for the pairs that are not told yet, each once."""
    fresh = [pair for pair in dict.fromkeys(pairs) if pair not in told]
    if not fresh:
        return
    answer = as_floats("the answer of entails", np.asarray(entails(fresh)))
    if answer.shape != (len(fresh),):
        raise ValueError(
            f"entails gave an answer of shape {answer.shape} to {len(fresh)} pairs; it must give "
            "one truth or probability a pair"
        )
    bad = ~((answer >= 0) & (answer <= 1))
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise ValueError(
            f"entails gave {answer[row]:g} to pair {row}; a probability lies in [0, 1]"
        )
    told.update(zip(fresh, (answer >= threshold).tolist(), strict=True))


def _weights(likelihood: Floats, of: Codes) -> Floats:
    """Give likelihoods relative to the largest of their item: no sum of them underflows."""
    most = np.full(int(of.max(initial=-1)) + 1, -np.inf)
    np.maximum.at(most, of, likelihood)
    return np.asarray(np.exp(likelihood - most[of]))


def _entropy(
    weight: Floats, same: Codes, home: Codes, of: Codes, n_items: int
) -> tuple[Floats, Floats]:
    """Give the entropy of the meanings' weights, and the largest weight, of each item."""
    mass = np.bincount(same, weights=weight, minlength=home.size)
    total = np.bincount(of, weights=weight, minlength=n_items)
    share = mass / total[home]
    logs = np.log(share, out=np.zeros(share.size), where=share > 0)
    entropy = np.bincount(home, weights=-share * logs, minlength=n_items)
    largest = np.zeros(n_items)
    np.maximum.at(largest, home, share)
    return np.maximum(np.asarray(entropy, dtype=np.float64), 0.0), largest


def _predictive(likelihood: Floats, of: Codes, met: Codes) -> Floats:
    total = np.bincount(of, weights=-likelihood, minlength=met.size)
    return _ratio(np.asarray(total, dtype=np.float64), np.where(met > 1, met, 0))


def _ratio(over: Floats, under: NDArray[np.number]) -> Floats:
    """Divide, NaN by nothing."""
    return np.asarray(np.divide(over, under, out=np.full(under.shape, np.nan), where=under > 0))


def _pairs(home: Codes, block: int = 1 << 18) -> list[tuple[Codes, Codes]]:
    """List the pairs of distinct answers of one item, in blocks of about `block` pairs."""
    sizes = np.bincount(home) if home.size else np.zeros(0, dtype=np.int64)
    start = np.cumsum(sizes) - sizes
    blocks: list[tuple[Codes, Codes]] = []
    for size in np.unique(sizes[sizes > 1]).tolist():
        i, j = np.triu_indices(size, 1)
        of_size = start[sizes == size]
        rows = max(1, block // i.size)
        for at in range(0, of_size.size, rows):
            base = of_size[at : at + rows, None]
            blocks.append(((base + i).ravel(), (base + j).ravel()))
    return blocks
