"""Turn the judges that promptfoo ran into one panel verdict that gates the row.

For promptfoo's ``assertScoringFunction``::

    defaultTest:
      assertScoringFunction: file://.../scoring.py:panel

Judges that failed are no low scores, copies from inside assert-sets count once, every score is
checked against its judge's scale, and a missed quorum fails the row and says so. Checks by programs
(``contains`` ...) are no votes: each must pass. Options stand in the environment or in a file (see
:mod:`panopt.shims.promptfoo.live.options`), or in a function of one's own::

    from panopt.shims.promptfoo.live.scoring import panel

    def strict(scores, context):
        return panel(scores, context, rule="unanimous", min_successful=3)

promptfoo starts a Python for each row; ``scoring.mjs`` gives the same verdicts from one Python.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from panopt.errors import PanoptError
from panopt.judging import Boolean, Failure, Numeric, Ruling, Vote, evidence, reduce_passes, rule_on
from panopt.records.markdown import readable
from panopt.shims.promptfoo.live.options import PanelOptions, read_options
from panopt.shims.promptfoo.live.votes import RowVote, row_votes
from panopt.stats.rule_names import LABELLED

__all__ = ["panel"]

MOST_CHECKS = 5
MOST_MESSAGE = 200
WEIGHED = ("mean", "majority", *LABELLED)


def panel(
    scores: Mapping[str, object] | None, context: Mapping[str, Any] | None, **options: object
) -> dict[str, Any]:
    """Combine the results of a row's assertions, as promptfoo calls a scoring function.

    Parameters
    ----------
    scores
        Named scores of the row so far; those that are finite are kept.
    context
        ``componentResults``, and the test's ``threshold``.
    **options
        Those of :class:`panopt.shims.promptfoo.live.options.PanelOptions`; they go before the
        environment.

    Returns
    -------
    dict
        What promptfoo wants: pass, score, reason, namedScores, and metadata with the panel. Never
        an error and never NaN: what is wrong fails the row, and the reason says what it is.

    Examples
    --------
    >>> judges = [{"score": s, "pass": s > 0.5, "reason": "", "assertion": {"type": "llm-rubric",
    ...     "value": "polite?", "provider": p}} for p, s in (("a", 1), ("b", 1), ("c", 0))]
    >>> found = panel({}, {"componentResults": judges}, rule="majority")
    >>> found["pass"], found["score"]
    (True, 1.0)
    """
    try:
        chosen = read_options(options)
        given = context if isinstance(context, Mapping) else {}
        votes = row_votes(given.get("componentResults"), scorers=chosen.scorers)
        found = _verdict(votes, chosen, given.get("threshold"))
    except (PanoptError, ValueError) as error:
        found = _failed(" ".join(str(error).split()))
    except Exception as error:  # noqa: BLE001 - whatever a row holds, it fails with the reason
        found = _failed(f"{type(error).__name__}: {' '.join(str(error).split())}")
    kept = {
        name: score
        for name, score in (scores if isinstance(scores, Mapping) else {}).items()
        if isinstance(score, int | float) and math.isfinite(score)
    }
    found["namedScores"] = kept | found["namedScores"]
    return found


def _verdict(votes: list[RowVote], options: PanelOptions, threshold: object) -> dict[str, Any]:
    judged = [one for one in votes if one.model and one.weight > 0]
    criteria = list(dict.fromkeys(one.criterion for one in judged))
    if options.criterion is not None:
        if judged and options.criterion not in criteria:
            known = ", ".join(map(repr, criteria))
            raise ValueError(f"criterion = {options.criterion!r} is none of {known}")
        criteria = [options.criterion]
    rulings = [
        _ruling([one for one in judged if one.criterion == name], name, options, threshold)
        for name in criteria
    ]
    broken = [one for one in votes if not one.model and one.weight > 0 and one.flag is not True]
    passed = bool(rulings) and all(ruling.passed is True for ruling in rulings)
    if not rulings:
        passed = any(not one.model for one in votes)
    values = [ruling.unit_value for ruling in rulings]
    known_values = [value for value in values if value is not None]
    score = math.fsum(known_values) / len(values) if values else float(passed and not broken)
    told = "\n".join(_line(ruling, several=len(rulings) > 1) for ruling in rulings)
    if broken:
        names = ", ".join(readable(one.vote.judge) for one in broken[:MOST_CHECKS])
        told = "\n".join(filter(None, (f"failed checks: {names}", told)))
    shown: dict[str, Any] = {ruling.criterion: _shown(ruling) for ruling in rulings}
    return {
        "pass": passed and not broken,
        "score": score,
        "reason": told or "no model judged this row",
        "namedScores": _scores(rulings),
        "metadata": {
            "panel": next(iter(shown.values())) if len(shown) == 1 else {"criteria": shown}
        },
    }


def _ruling(
    votes: list[RowVote], criterion: str, options: PanelOptions, threshold: object
) -> Ruling:
    limit = options.threshold
    if limit is None:
        fits = isinstance(threshold, int | float) and 0.0 <= threshold <= 1.0
        limit = float(threshold) if fits else 0.5  # type: ignore[arg-type]  # a number, as checked
    boolean = options.kind == "boolean"
    kind = Boolean() if boolean else Numeric(0.0, 1.0, limit)
    rule = options.rule or ("majority" if boolean else "mean")
    cast: dict[str, list[Vote]] = {}
    weights: dict[str, float] = {}
    for one in votes:
        judge = one.vote.judge
        vote = _flagged(one) if boolean else _scaled(one.vote, options)
        cast.setdefault(judge, []).append(replace(vote, draw=len(cast.get(judge, ()))))
        if rule in WEIGHED or options.weights:
            weights[judge] = options.weights.get(judge, one.weight)
    stranger = sorted(set(options.weights) - set(cast))
    if stranger:
        raise ValueError(f"weights name {stranger[0]!r}, no judge of this row")
    return rule_on(
        [reduce_passes(draws, kind=kind) for draws in cast.values()],
        kind=kind,
        rule=rule,
        min_successful=options.min_successful,
        weights=weights if len(set(weights.values())) > 1 else None,
        tie_break=options.tie_break,
        criterion=criterion,
    )


def _flagged(one: RowVote) -> Vote:
    """Take the judge's own pass or fail for its vote."""
    if one.vote.status != "ok":
        return one.vote
    if one.flag is None:
        return _without(one.vote, "the judge said neither pass nor fail")
    return replace(one.vote, value=float(one.flag))


def _scaled(vote: Vote, options: PanelOptions) -> Vote:
    """Bring a score to [0, 1] on its judge's scale; off that scale it is one failed vote."""
    declared = options.scales.get(vote.judge, options.scales.get("*"))
    if vote.status != "ok" or vote.value is None:
        return vote
    if declared is None:
        if not 0.0 <= vote.value <= 1.0:
            return _without(
                vote, f"score {vote.value:g} is off 0 to 1; declare the scale of {vote.judge!r}"
            )
        return vote
    from panopt.records.scale import Scale  # noqa: PLC0415 - brings numpy

    scale = Scale.parse(declared)
    if bool(scale.off(vote.value)):
        return _without(vote, f"score {vote.value:g} is off the scale {scale}")
    return replace(vote, value=float(scale.normalise(vote.value)))


def _without(vote: Vote, why: str) -> Vote:
    return replace(vote, status="failed", value=None, failure=Failure("parse", why))


def _line(ruling: Ruling, *, several: bool) -> str:
    line = evidence(ruling)
    return f"{readable(ruling.criterion)}: {line}" if several else line


def _scores(rulings: list[Ruling]) -> dict[str, float]:
    """Name what the panel says of each criterion, in [0, 1]."""
    one = len(rulings) == 1
    return {
        "panopt.panel" if one else f"panopt.panel.{ruling.criterion}": ruling.unit_value
        for ruling in rulings
        if ruling.unit_value is not None
    }


def _shown(ruling: Ruling) -> dict[str, Any]:
    """Give what is kept in the row: short, since promptfoo indexes it; reasons stand there."""
    names = ("outcome", "value", "passed", "agreement", "agreement_n", "disagreement", "sd")
    counts = ("n_decisive", "n_asked", "n_abstained", "n_failed", "degraded", "rule", "threshold")
    found: dict[str, Any] = {name: getattr(ruling, name) for name in (*names, *counts)}
    failed = [vote.judge for vote in ruling.votes if vote.status == "failed"]
    if failed:
        found["failed_judges"] = failed
    if ruling.reason is not None:
        found["reason"] = ruling.reason[:MOST_MESSAGE]
    if ruling.weights is not None:
        found["weights"] = dict(ruling.weights)
    found["votes"] = [_vote_shown(vote) for vote in ruling.votes]
    return found


def _vote_shown(vote: Vote) -> dict[str, Any]:
    shown: dict[str, Any] = {"judge": vote.judge, "status": vote.status, "value": vote.value}
    if vote.failure is not None:
        shown["error"] = vote.failure.message[:MOST_MESSAGE]
    if vote.passes:
        shown["draws"] = len(vote.passes)
    return shown


def _failed(why: str) -> dict[str, Any]:
    """Give the result of a row whose panel could not be read: a fail that says why."""
    return {
        "pass": False,
        "score": 0.0,
        "reason": f"panopt: no panel verdict, the row is failed: {why}",
        "namedScores": {},
        "metadata": {"panel": {"outcome": "no_votes", "reason": why[:MOST_MESSAGE]}},
    }
