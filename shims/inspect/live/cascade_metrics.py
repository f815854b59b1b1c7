"""Metrics of cascades: how many responses are decided, by whom, at which cost."""

from __future__ import annotations

from inspect_ai.scorer import Metric, SampleScore, Value, metric

from panopt.shims.inspect.live.metrics import check_level

__all__ = ["cascade_rates", "cascade_stages"]


@metric(scores="unreduced")
def cascade_rates(level: float = 0.95) -> Metric:
    """Give the shares decided and abstained, with intervals, and what a response took.

    Shares are of the responses that were judged: one that errored is counted by itself. Epochs of
    a sample are one cluster.

    Parameters
    ----------
    level
        Of the intervals.
    """
    check_level(level)

    def compute(scores: list[SampleScore]) -> Value:
        from panopt.shims.inspect.live.cascade_summary import rates_of  # noqa: PLC0415 - numpy

        return rates_of(scores, level=level)

    return compute


@metric(scores="unreduced")
def cascade_stages() -> Metric:
    """Give the composition: of the decided responses, the share that each judge decided."""

    def compute(scores: list[SampleScore]) -> Value:
        from panopt.shims.inspect.live.cascade_summary import stages_of  # noqa: PLC0415 - numpy

        return stages_of(scores)

    return compute
