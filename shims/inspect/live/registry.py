"""Everything Inspect finds under the name ``panopt``: scorers, metrics, reducers, the provider.

Inspect imports this module at the start of every run, so it is cheap: whatever is heavy is
imported when a scorer is made or a metric computed.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING

from inspect_ai.model import modelapi

from panopt.shims.inspect.live.cascade import cascade
from panopt.shims.inspect.live.cascade_metrics import cascade_rates, cascade_stages
from panopt.shims.inspect.live.jury import jury
from panopt.shims.inspect.live.metrics import (
    panel_agreement,
    panel_bias,
    panel_judges,
    panel_mean,
    panel_votes,
)
from panopt.shims.inspect.live.pairwise import pairwise_jury
from panopt.shims.inspect.live.panel_of import panel_of
from panopt.shims.inspect.live.reducers import panel_epochs
from panopt.shims.inspect.live.routed import routed_jury
from panopt.shims.inspect.live.semantic import semantic_entropy

if TYPE_CHECKING:
    from inspect_ai.model import ModelAPI

__all__ = [
    "cascade",
    "cascade_rates",
    "cascade_stages",
    "jury",
    "pairwise_jury",
    "panel_agreement",
    "panel_bias",
    "panel_epochs",
    "panel_judges",
    "panel_mean",
    "panel_of",
    "panel_votes",
    "panopt_replay",
    "routed_jury",
    "semantic_entropy",
]


@modelapi(name="panopt-replay")
def panopt_replay() -> type[ModelAPI]:
    """Answer from recorded judge outputs."""
    from panopt.shims.inspect.live.replay_provider import Replay  # noqa: PLC0415 - see above

    return Replay


if os.environ.get("PANOPT_HOOKS", "").lower() in {"1", "true", "yes", "on"}:
    importlib.import_module("panopt.shims.inspect.live.hooks")
