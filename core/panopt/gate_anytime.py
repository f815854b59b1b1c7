"""A gate that may be asked again and again while the candidate's run grows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from panopt.errors import AskError
from panopt.lineup import Lineup
from panopt.records.comparison import Missing
from panopt.records.gate import GateCheck, Status
from panopt.records.pairing import Contender
from panopt.records.source import Source
from panopt.stats.evalue import anytime_gate
from panopt.stats.rule_names import RULES

__all__ = ["anytime_check", "by_plain_rule"]


def anytime_check(  # noqa: PLR0913 - options of one check
    side: Lineup,
    pair: tuple[int, int],
    *,
    max_drop: float,
    alpha: float,
    alpha_low: float,
    sources: Sequence[Source] = (),
    max_missing: float | None = None,
) -> GateCheck:
    """Hold one candidate to its baseline by the items that are complete so far.

    Parameters
    ----------
    side, pair
        One criterion, and the places of baseline and candidate among its contenders.
    max_drop
        Drop that is tolerated.
    alpha, alpha_low
        Levels of the bound from above, and from below, each over all looks.
    sources
        What the candidate was read from: they tell how many of its responses failed.
    max_missing
        Share of the baseline's items that may have failed; None for any.

    Raises
    ------
    AskError
        Where no item is complete, where more failed than may have, and for a panel whose scores of
        a response depend on others: they change from look to look.

    Notes
    -----
    An item is complete when the candidate has as many responses to it as the baseline; a cluster,
    when all of its items are. What is complete without a score, and what failed, may be anything:
    the candidate may fail on the hard ones; so may what takes longer than others planned later.
    What is merely not there yet is left out.
    """
    old, new = pair
    baseline, candidate = side.contenders[old], side.contenders[new]
    where = f"criterion {side.criterion!r}: {candidate.name} against {baseline.name}"
    if not by_plain_rule(side):
        raise AskError(
            f"{where}: scores by {side.consensus.method} are other ones whenever a response is "
            "added; --anytime needs a rule that looks at each response alone: --aggregate mean"
        )
    x, y = side.items.scores[:, old], side.items.scores[:, new]
    asked = side.items.present[:, old]
    done = asked & (_answers(side, candidate) >= _answers(side, baseline))
    keys = side.items.clusters
    if keys is not None:
        late = np.bincount(keys[asked & ~done], minlength=int(keys.max()) + 1) > 0
        done &= ~late[keys]
    if not (done & ~np.isnan(x) & ~np.isnan(y)).any():
        raise AskError(f"{where}: no item is complete and scored on both sides yet")
    failed, waiting = _failed(side, candidate, sources)
    n_asked, n_late = int(np.count_nonzero(asked)), int(np.count_nonzero(asked & ~done))
    if max_missing is not None and min(failed, n_late) > max_missing * n_asked:
        raise AskError(
            f"{where}: {failed:,} responses of the candidate failed, {n_late:,} of {n_asked:,} "
            "items of the baseline are not complete there: it may have failed on the hard ones; "
            "--max-missing allows a larger share"
        )
    drops = np.clip(x[done] - y[done], -1.0, 1.0)
    own = None if keys is None else keys[done]
    failed = min(failed + waiting, n_late if keys is None else np.unique(keys[asked & ~done]).size)
    drops = np.concatenate((drops, np.full(failed, np.nan)))
    if own is not None:
        own = np.concatenate((own, int(own.max()) + 1 + np.arange(failed)))
    below = anytime_gate(drops, max_drop=max_drop, alpha=alpha_low, clusters=own)
    above = anytime_gate(drops, max_drop=max_drop, alpha=alpha, clusters=own)
    status: Status = "inconclusive"
    if below.low > max_drop + 1e-12:
        status = "worse"
    elif above.high <= max_drop:
        status = "no worse"
    notes: tuple[str, ...] = (
        f"bounds hold at every look: {below.method}",
        "items are taken as they come: if those that finish first are the easy ones, wait",
    )
    if below.n_unknown:
        notes = (
            *notes,
            f"{below.n_unknown:,} failed, have no score, or were overtaken, and count as anything",
        )
    return GateCheck(
        side.criterion,
        side.measure,
        baseline.name,
        candidate.name,
        drop=float(np.nanmean(drops)),
        low=below.low,
        high=above.high,
        se=None,
        p=None,
        status=status,
        n_items=int(np.count_nonzero(done)),
        n_clusters=below.n,
        missing=Missing(n_late, 0, side.items.examples(asked & ~done)),
        detectable=None,
        items_needed=None,
        notes=notes,
    )


def by_plain_rule(side: Lineup) -> bool:
    """Tell whether a response's score depends on the verdicts on that response alone."""
    return side.consensus.method in RULES


def _failed(side: Lineup, one: Contender, sources: Sequence[Source]) -> tuple[int, int]:
    """Count what failed, and what others overtook, in a contender's runs; in all where unnamed."""
    runs = np.unique(side.matrix.response_ids["run"][one.responses]).tolist()
    names = {side.matrix.names["run"][run] for run in runs}
    own = [source for source in sources if names & set(source.runs)]
    counts = [source.counts for source in own or sources]
    return sum(each.errored for each in counts), sum(each.waiting for each in counts)


def _answers(side: Lineup, one: Contender) -> NDArray[np.int64]:
    """Count a contender's responses to each item."""
    place = {name: k for k, name in enumerate(side.items.names)}
    codes = side.matrix.items[one.responses]
    counts = np.bincount(codes, minlength=len(side.matrix.names["item"]))
    where = np.array([place.get(name, -1) for name in side.matrix.names["item"]])
    found = np.zeros(len(place), dtype=np.int64)
    found[where[where >= 0]] = counts[where >= 0]
    return found
