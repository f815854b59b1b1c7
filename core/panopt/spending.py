"""What judging would take before it is done: calls, tokens and money, by way of choosing judges.

Calls are items x epochs x judges x calls of a judge about one response. What a call takes is the
mean of the recorded calls, or a price that is given; what is not known stays unknown, with the
reason, and so does every sum with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import cast

import numpy as np
from numpy.typing import NDArray

from panopt.errors import AskError
from panopt.policies import REPLAYED, calls_of_policy
from panopt.policy_panels import FEWEST
from panopt.records.matrix import Matrix
from panopt.records.study import Study
from panopt.router_options import Policy, RouterOptions

__all__ = ["Amount", "JudgeSpending", "PolicySpending", "Spending", "plan_spending"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Amount:
    """A number and the interval of what it will be; None, with a reason, where it is unknown.

    `low` and `high` are None where a single recorded call, or a given price, tells no spread.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class JudgeSpending:
    """One judge: calls about one response, and what one call takes, over `n` recorded calls."""

    judge: str
    calls: float
    input_tokens: Amount
    output_tokens: Amount
    cost: Amount
    n: int


@dataclass(frozen=True, slots=True)
class PolicySpending:
    """What one policy is expected to take for all items; None for calls with a `reason`."""

    policy: str
    calls: float | None
    input_tokens: Amount
    output_tokens: Amount
    cost: Amount
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Spending:
    """The plan for one criterion: `responses` = items x epochs, `repeats` as asked for or None."""

    criterion: str
    items: int
    epochs: int
    responses: int
    repeats: int | None
    level: float
    judges: tuple[JudgeSpending, ...]
    policies: tuple[PolicySpending, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Mean:
    """Mean, sd and number of recorded calls; `fixed`: a price that was given."""

    mean: float
    sd: float
    n: int
    fixed: bool = False


def plan_spending(  # noqa: PLR0913 - one argument an option
    study: Study,
    *,
    criterion: Sequence[str] = (),
    items: int | None = None,
    epochs: int = 1,
    repeats: int | None = None,
    prices: Mapping[str, float] | None = None,
    policies: Sequence[str] = ("all",),
    options: RouterOptions | None = None,
    level: float = 0.95,
) -> tuple[Spending, ...]:
    """Plan what judging items like the recorded ones takes.

    Parameters
    ----------
    study
        Judgments with tokens or costs of their calls.
    criterion
        Criteria; all where empty.
    items, epochs
        To be judged; as many items as were recorded where not given.
    repeats
        Calls of a judge about one response; as recorded (repeats and orders) where not given.
    prices
        US dollars a call, by judge, instead of recorded costs.
    policies
        Ways of choosing judges. All but ``all`` and ``single`` (the cheapest judge) are replayed
        on the recorded panels: human labels are not needed for what they cost.
    options
        How routers choose.
    level
        Of the intervals, which take calls as independent, of the recorded kind.

    Returns
    -------
    tuple of Spending
        One a criterion.

    Raises
    ------
    AskError
        For options off their range, and prices of judges that are not in the logs.
    """
    given = prices or {}
    _check(items, epochs, repeats, policies)
    found = []
    wanted = tuple(dict.fromkeys(criterion or study.criteria))
    known: set[str] = set()
    for name in wanted:
        matrix = study.matrix(name)
        if not matrix.n_judges:
            raise AskError(f"criterion {name!r} has human labels but no judge; read a log too")
        known |= set(matrix.judges)
        found.append((name, matrix))
    for name, price in given.items():
        if name not in known:
            listed = ", ".join(map(repr, sorted(known)))
            raise AskError(f"--price names {name!r}, which is no judge here: {listed}")
        if not (np.isfinite(price) and price >= 0.0):
            raise AskError(f"price {price:g} of {name!r} must be finite and not negative")
    wish = options or RouterOptions()
    return tuple(
        _planned(
            study.where("criterion", name),
            matrix,
            items,
            epochs,
            repeats,
            given,
            policies,
            wish,
            level,
        )
        for name, matrix in found
    )


def _check(items: int | None, epochs: int, repeats: int | None, policies: Sequence[str]) -> None:
    for what, value in (("items", items), ("epochs", epochs), ("repeats", repeats)):
        if value is not None and value < 1:
            raise AskError(f"{what} = {value} must be 1 or more")
    for name in policies:
        if name not in REPLAYED:
            raise AskError(f"policy {name!r} must be one of {', '.join(REPLAYED)}")


def _planned(  # noqa: PLR0913, PLR0917 - the parts of one call
    rows: Study,
    matrix: Matrix,
    items: int | None,
    epochs: int,
    repeats: int | None,
    prices: Mapping[str, float],
    policies: Sequence[str],
    options: RouterOptions,
    level: float,
) -> Spending:
    n_items = len(matrix.names["item"]) if items is None else items
    calls = _calls(matrix) if repeats is None else np.full(matrix.n_judges, float(repeats))
    means = {name: _means(rows, matrix, name) for name in ("input_tokens", "output_tokens", "cost")}
    for j, judge in enumerate(matrix.judges):
        if judge in prices:
            means["cost"][j] = _Mean(float(prices[judge]), 0.0, 0, fixed=True)
    notes = []
    priced = [mean is not None for mean in means["cost"]]
    by_cost = dict.fromkeys(matrix.judges, 1.0)
    if all(priced):
        by_cost = {
            judge: mean.mean * float(calls[j])
            for j, judge in enumerate(matrix.judges)
            if (mean := means["cost"][j]) is not None
        }
    elif set(policies) - {"all"}:
        notes.append("policies take all judges to cost the same, as some prices are unknown")
    responses = n_items * epochs
    planned = []
    for policy in dict.fromkeys(policies):
        asked = _asked(matrix, policy, responses, by_cost, options)
        planned.append(_summed(policy, asked, calls, means, matrix.judges, level))
    if any(one.reason is not None for one in planned):
        notes.append("policies are replayed on what was recorded; see the reason beside each")
    z = NormalDist().inv_cdf(0.5 + level / 2.0)
    judges = tuple(
        JudgeSpending(
            judge,
            float(calls[j]),
            _once(means["input_tokens"][j], judge, "input_tokens", z),
            _once(means["output_tokens"][j], judge, "output_tokens", z),
            _once(means["cost"][j], judge, "cost", z),
            int(np.count_nonzero(matrix.votes.judge == j)),
        )
        for j, judge in enumerate(matrix.judges)
    )
    return Spending(
        matrix.criterion,
        n_items,
        epochs,
        responses,
        repeats,
        level,
        judges,
        tuple(planned),
        tuple(notes),
    )


def _calls(matrix: Matrix) -> Floats:
    """Count recorded calls of each judge about a response it was asked about (judges,)."""
    k = matrix.n_judges
    made = np.bincount(matrix.votes.judge, minlength=k)
    about = np.bincount(
        np.unique(matrix.votes.response.astype(np.int64) * k + matrix.votes.judge) % k, minlength=k
    )
    mean: Floats = made / np.maximum(about, 1)
    return mean


def _means(rows: Study, matrix: Matrix, column: str) -> list[_Mean | None]:
    """Average what calls took that were made anew, not answered from a cache."""
    values = rows.numbers(column)[matrix.votes.row]
    cached = rows.numbers("cached")[matrix.votes.row] > 0
    found: list[_Mean | None] = []
    for j in range(matrix.n_judges):
        own = values[(matrix.votes.judge == j) & ~cached & ~np.isnan(values)]
        spread = float(own.std(ddof=1)) if own.size > 1 else np.nan
        found.append(_Mean(float(own.mean()), spread, own.size) if own.size else None)
    return found


def _once(mean: _Mean | None, judge: str, name: str, z: float) -> Amount:
    """Give what one call takes on average."""
    if mean is None:
        return Amount(None, reason=_unknown([judge], name))
    if mean.fixed or mean.n < 2:
        return Amount(mean.mean)
    reach = z * mean.sd / np.sqrt(mean.n)
    return Amount(mean.mean, max(mean.mean - reach, 0.0), mean.mean + reach)


def _unknown(judges: Sequence[str], name: str) -> str:
    what = "cost" if name == "cost" else name.replace("_", " ")
    mend = "; give --price" if name == "cost" else ""
    listed = ", ".join(judges[:4]) + (f" and {len(judges) - 4} more" * (len(judges) > 4))
    return f"{what} not recorded for {listed}{mend}"


def _asked(
    matrix: Matrix,
    policy: str,
    responses: int,
    costs: Mapping[str, float],
    options: RouterOptions,
) -> Floats | str:
    """Count the responses that each judge is asked about; or say why nobody knows."""
    k = matrix.n_judges
    if policy == "all":
        return np.full(k, float(responses))
    if policy == "single":
        cheapest = min(range(k), key=lambda j: (costs[matrix.judges[j]], j))
        return np.where(np.arange(k) == cheapest, float(responses), 0.0)
    rate = calls_of_policy(matrix, cast("Policy", policy), costs=costs, options=options)
    if rate is None:
        return (
            f"a replay of {policy!r} takes {FEWEST} responses that all of two judges or more judged"
        )
    pilot = min(options.pilot, responses)
    return pilot + (responses - pilot) * rate


def _summed(  # noqa: PLR0913, PLR0917 - the parts of one record
    policy: str,
    asked: Floats | str,
    calls: Floats,
    means: Mapping[str, list[_Mean | None]],
    judges: Sequence[str],
    level: float,
) -> PolicySpending:
    if isinstance(asked, str):
        unknown = Amount(None, reason=asked)
        return PolicySpending(policy, None, unknown, unknown, unknown, asked)
    made = asked * calls
    tokens_in, tokens_out, cost = (
        _total(made, means[name], judges, name, level)
        for name in ("input_tokens", "output_tokens", "cost")
    )
    return PolicySpending(policy, float(made.sum()), tokens_in, tokens_out, cost)


def _total(
    made: Floats, means: Sequence[_Mean | None], judges: Sequence[str], name: str, level: float
) -> Amount:
    """Sum over judges, with an interval of what the sum of so many further calls will be."""
    missing = [judges[j] for j in range(len(made)) if made[j] > 0 and means[j] is None]
    if missing:
        return Amount(None, reason=_unknown(missing, name))
    value = variance = 0.0
    known = True
    for n, mean in zip(made.tolist(), means, strict=True):
        if mean is None or n <= 0:
            continue
        value += n * mean.mean
        if mean.fixed:
            continue
        known = known and mean.n > 1
        variance += mean.sd**2 * (n + n**2 / mean.n) if mean.n > 1 else 0.0
    if not known or variance == 0.0:
        return Amount(value)
    reach = NormalDist().inv_cdf(0.5 + level / 2.0) * np.sqrt(variance)
    return Amount(value, max(value - reach, 0.0), value + reach)
