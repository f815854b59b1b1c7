"""Compare texts by their words: a normal form for exact match, and shared order of words.

The normal form is the one question answering uses (Rajpurkar et al. 2016: lower case, no articles,
no punctuation, single spaces), on Unicode. ROUGE-L (Lin 2004) is the F-measure of the longest
common subsequence of words, here by the bit-parallel method of Hyyrö 2004.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["normal_forms", "rouge_l", "word_codes"]

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

_END = "\x00"  # stands between texts; taken out of them first
_BLOCK = 1 << 14  # texts turned, or pairs compared, at a time
_BITS = 64

# A sign stays before a number that starts a word: -5 is not 5.
_MARKS = re.compile(rf"[^\w{_END}-]+|_|(?<=\w)-|-(?!\d)")
_ARTICLES = frozenset(("a", "an", "the"))


def normal_forms(texts: Sequence[str]) -> list[str]:
    """Give the normal form of each text: equal forms are the same answer, but for case and marks.

    Texts that are nothing but articles ("A", as an option) or marks keep them.

    Examples
    --------
    >>> normal_forms(["The  Eiffel Tower!", "eiffel tower", "A", "-5", "5"])
    ['eiffel tower', 'eiffel tower', 'a', '-5', '5']
    """
    forms: list[str] = []
    for start in range(0, len(texts), _BLOCK):
        forms += _normal_block(texts[start : start + _BLOCK])
    return forms


def _normal_block(texts: Sequence[str]) -> list[str]:
    # One long text costs as much as one short one costs a thousand times.
    joined = _END.join(text.replace(_END, " ") if _END in text else text for text in texts)
    plain = _MARKS.sub(" ", unicodedata.normalize("NFKC", joined).casefold())
    forms = []
    for text, form in zip(texts, plain.split(_END), strict=True):
        words = form.split()
        bare = [word for word in words if word not in _ARTICLES]
        forms.append(" ".join(bare or words) or text.strip())
    return forms


def word_codes(texts: Iterable[str]) -> list[Codes]:
    """Give the words of each text as codes, without marks and case (articles stay)."""
    codes: dict[str, int] = {}
    found = []
    for text in texts:
        words = _MARKS.sub(" ", unicodedata.normalize("NFKC", text).casefold()).split()
        found.append(np.array([codes.setdefault(w, len(codes)) for w in words], dtype=np.int64))
    return found


def rouge_l(words: Sequence[Codes], one: Codes, other: Codes) -> Floats:
    """Give the ROUGE-L F-measure of pairs of texts.

    Parameters
    ----------
    words
        Codes of the words of each text.
    one, other
        Texts of each pair (pairs,).

    Returns
    -------
    ndarray
        Twice the longest common subsequence over the sum of the lengths (pairs,); 1 for two texts
        without words.

    Notes
    -----
    Memory is linear in the words; time in pairs times words of one text, 64 words of the other at
    a time where it has no more than that.

    Examples
    --------
    >>> words = word_codes(["the cat sat", "the cat ran off"])
    >>> rouge_l(words, np.array([0]), np.array([1])).round(4).tolist()
    [0.5714]
    """
    size = np.array([w.size for w in words], dtype=np.int64)
    common = np.zeros(one.size)
    short = (size[one] <= _BITS) & (size[other] <= _BITS)
    rows = np.flatnonzero(short)
    rows = rows[np.argsort(size[one[rows]] + size[other[rows]], kind="stable")]  # little padding
    for start in range(0, rows.size, _BLOCK):
        block = rows[start : start + _BLOCK]
        common[block] = _common_short(words, size, one[block], other[block])
    for row in np.flatnonzero(~short).tolist():
        common[row] = _common_long(words[one[row]].tolist(), words[other[row]].tolist())
    total = size[one] + size[other]
    return np.asarray(np.divide(2 * common, total, out=np.ones(one.size), where=total > 0))


def _common_short(words: Sequence[Codes], size: Codes, one: Codes, other: Codes) -> Floats:
    """Give the lengths of longest common subsequences of texts of at most 64 words."""
    left, right = _padded(words, size, one, -1), _padded(words, size, other, -2)
    bit = np.uint64(1) << np.arange(right.shape[1], dtype=np.uint64)
    zeros = np.full(one.size, ~np.uint64(0))  # a cleared bit is a word of the subsequence
    for place in range(left.shape[1]):
        match = ((right == left[:, place, None]) * bit).sum(axis=1, dtype=np.uint64)
        met = zeros & match
        zeros = (zeros + met) | (zeros - met)
    return np.asarray(np.bitwise_count(~zeros), dtype=np.float64)


def _padded(words: Sequence[Codes], size: Codes, of: Codes, blank: int) -> Codes:
    width = int(size[of].max(initial=0))
    filled = np.arange(width) < size[of][:, None]
    grid = np.full(filled.shape, blank, dtype=np.int64)
    grid[filled] = np.concatenate([words[i] for i in of.tolist()]) if of.size else []
    return grid


def _common_long(one: list[int], other: list[int]) -> int:
    """Give the length of the longest common subsequence by whole numbers of any length."""
    match: dict[int, int] = {}
    for place, word in enumerate(other):
        match[word] = match.get(word, 0) | 1 << place
    full = (1 << len(other)) - 1
    zeros = full
    for word in one:
        met = zeros & match.get(word, 0)
        zeros = ((zeros + met) | (zeros - met)) & full
    return len(other) - zeros.bit_count()
