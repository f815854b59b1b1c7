"""Entropy of meanings: given numbers, identities, what is asked of an entailment test, messages."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.special import logsumexp
from sklearn.metrics import roc_auc_score

from panopt.stats.semantic import lexical_similarity, semantic_entropy

NAN = np.nan


class Synonyms:
    """An entailment test by known meanings; it keeps what it was asked."""

    def __init__(
        self, meaning: dict[str, str], one_way: frozenset[tuple[str, str]] = frozenset()
    ) -> None:
        self.meaning, self.one_way = meaning, one_way
        self.asked: list[tuple[str, str]] = []
        self.calls = 0

    def __call__(self, pairs: Sequence[tuple[str, str]]) -> list[bool | float]:
        self.calls += 1
        self.asked += pairs
        return [self.meaning[a] == self.meaning[b] or (a, b) in self.one_way for a, b in pairs]


# --- Given numbers ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "mean", "auroc", "sets"),
    [("generation_norm", 1.6045, 0.8651, 0.8446), ("generation", 1.6048, 0.8641, 0.8438)],
)
def test_P_4_entropy_of_triviaqa_tells_right_answers(
    shared: Path, column: str, mean: float, auroc: float, sets: float
) -> None:
    """Against "the commonest answer contains the reference", answers clustered by their text."""
    folder = shared / "data" / "sets" / "uqnlg_triviaqa_dev"
    table = pq.read_table(folder / "generations.parquet")
    item, match = np.array(table["item_id"].to_pylist()), table["contains_match"].to_numpy()
    found = semantic_entropy(item, table[column].to_pylist())
    right = []
    for name in found.items:
        rows = np.flatnonzero(item == name)
        commonest = np.bincount(found.cluster[rows]).argmax()
        right.append(match[rows[found.cluster[rows] == commonest][0]])
    assert len(found.items) == 250
    assert found.entropy.mean() == pytest.approx(mean, abs=5e-5)
    assert roc_auc_score(right, -found.entropy) == pytest.approx(auroc, abs=5e-5)
    assert roc_auc_score(right, -found.entropy) >= 0.86
    assert roc_auc_score(right, -found.n_clusters) == pytest.approx(sets, abs=5e-5)
    assert roc_auc_score(right, found.majority_share) > 0.86
    alike = lexical_similarity(item, table[column].to_pylist())
    assert roc_auc_score(right, alike) > 0.85


def test_P_4_likelihood_weights_are_those_of_the_definition() -> None:
    """Farquhar et al. 2024: a meaning weighs the log-sum-exp of its answers, normalised."""
    rng = np.random.default_rng(0)
    text = ["a1", "b1", "a2", "c1", "b2", "a3"]
    meaning = {t: t[0] for t in text}
    likelihood = -rng.gamma(3, 300, 6)  # far below what exp() can hold
    length = rng.integers(1, 20, 6)
    for tokens in (None, length):
        each = likelihood if tokens is None else likelihood / tokens
        found = semantic_entropy(
            [7] * 6, text, entails=Synonyms(meaning), log_likelihood=likelihood, length=tokens
        )
        mass = np.array(
            [logsumexp(each[[t[0] == name for t in text]]) for name in "abc"]
        ) - logsumexp(each)
        assert found.entropy[0] == pytest.approx(stats.entropy(np.exp(mass)), abs=1e-10)
        assert found.majority_share[0] == pytest.approx(np.exp(mass.max()))
        assert found.predictive_entropy is not None
        assert found.predictive_entropy[0] == pytest.approx(-each.mean())


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from("pqrst")), min_size=1, max_size=40))
def test_counts_give_scipy_s_entropy(rows: list[tuple[int, str]]) -> None:
    item, text = [i for i, _ in rows], [t for _, t in rows]
    found = semantic_entropy(item, text)
    for k, name in enumerate(found.items):
        own = [t for i, t in rows if i == name]
        counts = np.unique(own, return_counts=True)[1]
        assert found.n[k] == len(own)
        assert found.n_clusters[k] == counts.size
        if len(own) < 2:
            assert np.isnan(found.entropy[k])
            continue
        assert found.entropy[k] == pytest.approx(stats.entropy(counts), abs=1e-12)
        assert found.majority_share[k] == counts.max() / len(own)
    equal = semantic_entropy(item, text, log_likelihood=[-5.0] * len(rows))
    np.testing.assert_allclose(equal.entropy, found.entropy, atol=1e-12)
    same = semantic_entropy(item, text, entails=Synonyms({t: t for t in "pqrst"}))
    np.testing.assert_array_equal(same.cluster, found.cluster)


def test_miller_madow_takes_most_of_the_bias_of_few_answers() -> None:
    """10 answers from four equal meanings: the plug-in is about 3 / 20 too low."""
    rng = np.random.default_rng(1)
    text = rng.choice(list("wxyz"), 20_000).tolist()
    item = np.repeat(np.arange(2000), 10)
    plain = semantic_entropy(item, text).entropy.mean()
    mended = semantic_entropy(item, text, correction="miller_madow").entropy.mean()
    assert plain - np.log(4) < -0.12
    assert abs(mended - np.log(4)) < 0.03


# --- What is asked of an entailment test ---------------------------------------------------------


def test_P_4_entailment_is_asked_once_a_pair_and_only_where_needed() -> None:
    meaning = {"Paris": "p", "It is Paris": "p", "Rome": "r", "the eternal city": "r", "Oslo": "o"}
    item = [0, 0, 0, 0, 0, 0, 1, 1, 1]
    text = ["Paris", "Rome", "It is Paris", "Paris ", "the eternal city", "Rome"]
    text += ["Paris", "Rome", "Oslo"]
    judge = Synonyms(meaning)
    found = semantic_entropy(item, text, entails=judge)
    assert found.cluster.tolist() == [0, 1, 0, 0, 1, 1, 0, 1, 2]
    assert found.entropy.round(6).tolist() == [round(np.log(2), 6), round(np.log(3), 6)]
    assert len(judge.asked) == len(set(judge.asked))
    assert all(a != b for a, b in judge.asked)
    # Paris against three others of item 0 and Oslo of item 1, back once; Rome against two, back.
    assert sorted(judge.asked) == sorted(
        [
            ("Paris", "Rome"),
            ("Paris", "It is Paris"),
            ("Paris", "the eternal city"),
            ("Paris", "Oslo"),
            ("It is Paris", "Paris"),
            ("Rome", "the eternal city"),
            ("Rome", "Oslo"),
            ("the eternal city", "Rome"),
        ]
    )
    assert judge.calls == 4


def test_entailment_one_way_is_not_the_same_meaning() -> None:
    one_way = frozenset([("a dog", "an animal")])
    judge = Synonyms({"a dog": "d", "an animal": "a"}, one_way)
    assert semantic_entropy([0, 0], ["a dog", "an animal"], entails=judge).n_clusters[0] == 2


def test_probabilities_count_from_the_threshold() -> None:
    def sure(pairs: Sequence[tuple[str, str]]) -> Any:  # noqa: ANN401 - an array
        return np.full(len(pairs), 0.7)

    text = ["x", "y"]
    assert semantic_entropy([0, 0], text, entails=sure, threshold=0.7).n_clusters[0] == 1
    assert semantic_entropy([0, 0], text, entails=sure, threshold=0.71).n_clusters[0] == 2


def test_clusters_are_those_of_the_greedy_algorithm_one_by_one() -> None:
    """Farquhar et al. 2024, algorithm 1, where entailment is not transitive."""
    rng = np.random.default_rng(2)
    for _ in range(30):
        n = int(rng.integers(2, 12))
        text = [f"t{k}" for k in range(n)]
        table = rng.random((n, n)) < 0.6

        def entails(
            pairs: Sequence[tuple[str, str]],
            table: Any = table,  # noqa: ANN401 - an array
        ) -> list[bool]:
            return [bool(table[int(a[1:]), int(b[1:])]) for a, b in pairs]

        founders: list[int] = []
        wanted = []
        for k in range(n):
            home = next((c for c, f in enumerate(founders) if table[f, k] and table[k, f]), None)
            if home is None:
                home = len(founders)
                founders.append(k)
            wanted.append(home)
        assert semantic_entropy([0] * n, text, entails=entails).cluster.tolist() == wanted


# --- Missing and odd answers ----------------------------------------------------------------------


def test_missing_answers_leave_the_tally() -> None:
    found = semantic_entropy(["q", "q", "q", "r", "s", "s"], ["yes", None, "no", "x", None, None])
    assert found.items == ("q", "r", "s")
    assert found.n.tolist() == [2, 1, 0]
    assert found.cluster.tolist() == [0, -1, 1, 0, -1, -1]
    np.testing.assert_allclose(found.entropy, [np.log(2), NAN, NAN])
    assert found.reason is None
    by_likelihood = semantic_entropy([0, 0, 0], ["x", "y", "z"], log_likelihood=[-1, -1, NAN])
    assert by_likelihood.n.tolist() == [2]


def test_no_item_with_two_answers_is_said() -> None:
    for item, text in (([], []), ([0], ["x"]), ([0, 1], ["x", "y"]), ([0, 0], [None, "x"])):
        found = semantic_entropy(item, text)
        assert found.reason == "no item has two answers"
        assert np.isnan(found.entropy).all()
        assert np.isnan(lexical_similarity(item, text)).all()


def test_hostile_text_is_text() -> None:
    text = ["[red]\x00\x1b[31m" * 50, "\u202e" * 9, "{x}%s", "\ud800", "", "x" * 10**5]
    found = semantic_entropy([0] * 6, text)
    assert found.n_clusters[0] == 6
    assert 0 <= lexical_similarity([0] * 6, text)[0] < 0.5


def test_lexical_similarity_counts_equal_answers_as_one() -> None:
    alike = lexical_similarity([0] * 4 + [1] * 2, ["a b", "a b", "a c", "d e", "u v w", "u v"])
    assert alike.tolist() == pytest.approx([(1 + 0.5 + 0.5) / 6, 0.8])


def test_a_million_texts_take_linear_memory_and_seconds() -> None:
    """A tenth of it here: time and memory per answer must not grow."""
    import time  # noqa: PLC0415 - this test alone
    import tracemalloc  # noqa: PLC0415 - this test alone

    spent, held = [], []
    for n in (10_000, 100_000):
        text = [f"Answer {k % 977}." for k in range(n)]
        item = np.arange(n) // 10
        start = time.process_time()
        semantic_entropy(item, text)
        spent.append((time.process_time() - start) / n)
        tracemalloc.start()
        semantic_entropy(item, text)
        held.append(tracemalloc.get_traced_memory()[1] / n)
        tracemalloc.stop()
    assert spent[1] < 5e-6 * 4  # 1e6 within 20 s on a machine that is shared
    assert held[1] < 1.3 * held[0]


# --- Messages -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"text": "yes"}, "text = 'yes': it must be a sequence of texts"),
        ({"text": ["x", 3]}, r"text\[1\] = 3; it must be a text, or None"),
        ({"text": ["x", NAN]}, r"text\[1\] = nan"),
        ({"item": [0]}, r"item has shape \(1,\); it must be that of text, \(2,\)"),
        ({"item": [0, None]}, "item: names must not be missing"),
        ({"threshold": 0.0}, "threshold = 0.0 must lie above 0, at most at 1"),
        ({"threshold": NAN}, "threshold = nan"),
        ({"correction": "chao"}, "correction = 'chao' must be one of none, miller_madow"),
        (
            {"correction": "miller_madow", "log_likelihood": [-1, -2]},
            "is for counts; leave log_likelihood out",
        ),
        ({"length": [1, 2]}, "length is for likelihoods"),
        ({"log_likelihood": [-1]}, "log_likelihood has shape"),
        ({"log_likelihood": [-1, -np.inf]}, r"log_likelihood\[1\] = -inf; it must be finite"),
        ({"log_likelihood": [-1, -2], "length": [1]}, "length has shape"),
        ({"log_likelihood": [-1, -2], "length": [1, 0]}, r"length\[1\] = 0; a length is finite"),
        ({"entails": lambda pairs: [True, True, True]}, "gave an answer of shape"),
        ({"entails": lambda pairs: True}, "gave an answer of shape"),
        ({"entails": lambda pairs: [1.5]}, "entails gave 1.5 to pair 0"),
        ({"entails": lambda pairs: [None]}, "entails gave nan to pair 0"),
        ({"entails": lambda pairs: ["yes"]}, "the answer of entails has dtype"),
    ],
)
def test_bad_arguments_are_named(change: dict[str, Any], message: str) -> None:
    arguments: dict[str, Any] = {"item": [0, 0], "text": ["x", "y"]}
    with pytest.raises(ValueError, match=message):
        semantic_entropy(**(arguments | change))
