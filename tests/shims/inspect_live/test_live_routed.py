"""``panopt/routed_jury`` in real evals over recorded judges."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from panopt.errors import AskError
from panopt.shims.inspect.live.routed import routed_jury

Scores = Any


def votes_of(n: int) -> tuple[dict[str, bool], dict[str, dict[str, bool]]]:
    rng = np.random.default_rng(0)
    truth = {f"q{i}": bool(rng.random() < 0.5) for i in range(n)}
    return truth, {
        item: {
            name: t == bool(rng.random() < a) for name, a in (("a", 0.7), ("b", 0.85), ("c", 0.95))
        }
        for item, t in truth.items()
    }


def run(replayed: Scores, votes: dict[str, dict[str, bool]], **options: Any) -> Any:  # noqa: ANN401
    replayed.record_votes(votes)
    scorer = routed_jury([f"panopt-replay/{name}" for name in "abc"], **options)
    log = replayed.run(scorer, list(votes))
    gc.collect()  # what an eval leaves open is told of here, where it is let pass
    assert log.status == "success", log.error
    return {str(s.id): s.scores["routed_jury"] for s in log.samples}


def test_fewer_judges_are_asked_and_the_score_says_why(replayed: Scores, tmp_path: Path) -> None:
    truth, votes = votes_of(60)
    kept = tmp_path / "router.json"
    costs = '{"panopt-replay/c": 2}'
    options = {"pilot": 20, "epsilon": 0.15, "correlation": 0.0, "snapshot": str(kept)}
    scores = run(replayed, votes, costs=costs, **options)
    asked = [score.value["n"] for score in scores.values()]
    assert len(asked) == 60
    assert sum(n == 3 for n in asked) >= 20
    assert np.mean(asked) < 2.6
    wrong = [score.value["panel"] != float(truth[item]) for item, score in scores.items()]
    assert np.mean(wrong) < 0.2
    for score in scores.values():
        missing = sum(np.isnan(score.value[f"panopt-replay/{name}"]) for name in "abc")
        assert missing == 3 - score.value["n"]
        assert "Stopped: " in score.explanation
        assert score.metadata["router"]["stop"] in {"settled", "everyone", "worthless"}
    again = run(replayed, votes, costs=costs, **options)  # knows the judges from the first item on
    assert np.mean([score.value["n"] for score in again.values()]) < np.mean(asked)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"policy": "best"}, "policy = 'best' must be one of"),
        ({"policy": "cascade"}, "is the scorer panopt/cascade"),
        ({"epsilon": 2.0}, "epsilon = 2.0 must lie in"),
        ({"costs": '{"x": 1}'}, "costs names 'x'"),
        ({"kind": "numeric"}, "needs a width, or a threshold"),
        ({"order": "x"}, "order names 'x'"),
    ],
)
def test_bad_options_are_refused_when_the_scorer_is_made(
    options: dict[str, Any], message: str
) -> None:
    with pytest.raises(AskError, match=message):
        routed_jury(["panopt-replay/a", "panopt-replay/b"], **options)
