"""What a router is given, checked once: names, costs and correlations of its judges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panopt.errors import AskError
from panopt.records.families import family_of, model_codes
from panopt.router_options import RouterOptions
from panopt.stats.routing_dependence import prior_correlation

__all__ = ["ROUNDING", "checked_correlation", "checked_costs", "checked_names", "damaged"]

Floats = NDArray[np.float64]

#: Budgets and variances are compared with this slack.
ROUNDING = 1e-9


def checked_names(judges: Sequence[str]) -> tuple[str, ...]:
    """Give the names, which are distinct and not blank."""
    names = (judges,) if isinstance(judges, str) else tuple(judges)
    if not names or any(not name.strip() for name in names):
        raise AskError(f"judges = {list(names)} must name a judge or more")
    if len(set(names)) < len(names):
        raise AskError(f"judges = {list(names)} must be distinct")
    return names


def checked_costs(judges: tuple[str, ...], costs: Mapping[str, float]) -> tuple[float, ...]:
    """Give the cost of a call of each judge, 1 where it is not told."""
    for name, cost in costs.items():
        if name not in judges:
            raise AskError(f"costs names {name!r}, which is none of {', '.join(judges)}")
        if not (np.isfinite(cost) and cost >= 0.0):
            raise AskError(f"costs: {cost!r} of {name!r} must be finite and not negative")
    return tuple(float(costs.get(name, 1.0)) for name in judges)


def checked_correlation(
    judges: tuple[str, ...],
    models: Mapping[str, str],
    given: ArrayLike | None,
    options: RouterOptions,
) -> Floats:
    """Give the correlation of the judges' errors: the given one, or what their names suggest."""
    if given is None:
        called = [models.get(name, name) for name in judges]
        makers = [family_of(name) for name in called]
        return prior_correlation(makers, model_codes(called), apart=options.correlation)
    found = np.array(given, dtype=np.float64)
    n = len(judges)
    if found.shape != (n, n) or not np.isfinite(found).all():
        raise AskError(f"correlation of shape {found.shape} must be finite, ({n}, {n})")
    if not (np.allclose(found, found.T) and np.allclose(np.diag(found), 1.0)):
        raise AskError("correlation must be symmetric, with ones on its diagonal")
    if float(np.linalg.eigvalsh(found)[0]) <= ROUNDING:
        raise AskError("correlation must be positive definite")
    return found


def damaged(error: Exception) -> AskError:
    """Say that a snapshot was edited or cut off."""
    return AskError(f"the router's snapshot is damaged: {type(error).__name__}: {error}")
