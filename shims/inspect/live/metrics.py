"""Metrics of panels, with intervals; registered here, computed in :mod:`.summary`.

All see every epoch's score (``scores="unreduced"``) and count the epochs of a sample as one
cluster, so that intervals are right and no reducer ever meets a label or a NaN. On no scores at
all, or none with a value, they give no number rather than a 0.
"""

from __future__ import annotations

from inspect_ai.scorer import Metric, SampleScore, Value, metric

from panopt.errors import AskError

__all__ = [
    "check_level",
    "panel_agreement",
    "panel_bias",
    "panel_judges",
    "panel_mean",
    "panel_votes",
]


def check_level(level: float) -> None:
    """Refuse a level now: a metric that fails when all is judged costs the run its results.

    Raises
    ------
    AskError
        For a level that is not between 0 and 1.
    """
    given: object = level
    if isinstance(given, bool) or not isinstance(given, int | float) or not 0.0 < given < 1.0:
        raise AskError(f"level = {level!r} must lie between 0 and 1")


@metric(scores="unreduced")
def panel_mean(level: float = 0.95) -> Metric:
    """Give the panel's mean, and its pass rate, with intervals; of any scorer's numbers too.

    Wilson's interval for pass or fail, Student's t off [0, 1]; clustered by sample where there
    are epochs. Labels have their shares.

    Parameters
    ----------
    level
        Of the intervals.
    """
    check_level(level)

    def compute(scores: list[SampleScore]) -> Value:
        from panopt.shims.inspect.live.summary import mean_of  # noqa: PLC0415 - loads numpy

        return mean_of(scores, level=level)

    return compute


@metric(scores="unreduced")
def panel_agreement(level: float = 0.95, n_boot: int = 1000) -> Metric:
    """Give Krippendorff's alpha of the judges, Gwet's AC1 beside it, and raw agreement.

    ``alpha_n`` counts the responses with two votes or more, which is what alpha is of.

    Parameters
    ----------
    level
        Of the intervals.
    n_boot
        Resamples of samples for the interval of alpha.
    """
    check_level(level)

    def compute(scores: list[SampleScore]) -> Value:
        from panopt.shims.inspect.live.summary import agreement_of  # noqa: PLC0415 - loads numpy

        return agreement_of(scores, level=level, n_boot=n_boot)

    return compute


@metric(scores="unreduced")
def panel_judges() -> Metric:
    """Give the mean of each judge, on the responses that it voted on."""

    def compute(scores: list[SampleScore]) -> Value:
        from panopt.shims.inspect.live.summary import judges_of  # noqa: PLC0415 - loads numpy

        return judges_of(scores)

    return compute


@metric(scores="unreduced")
def panel_votes(level: float = 0.95) -> Metric:
    """Count outcomes, abstentions, failures by kind, replacements, flips, calls and cost.

    ``cost`` is of all calls when they were first made; where a cache answered some
    (``calls_cached``), ``cost_of_run`` is what this run paid for.

    Parameters
    ----------
    level
        Of the interval of the share of responses without a verdict.
    """
    check_level(level)

    def compute(scores: list[SampleScore]) -> Value:
        from panopt.shims.inspect.live.summary import votes_of  # noqa: PLC0415 - loads numpy

        return votes_of(scores, level=level)

    return compute


@metric(scores="unreduced")
def panel_bias(label: str, level: float = 0.95) -> Metric:
    """Give the mean of panel and judges minus that of human labels in the samples' metadata.

    A metric sees neither target nor score edits; labels of those kinds are for ``panopt analyze``.

    Parameters
    ----------
    label
        Key of the sample's metadata: a number on the judges' scale, a bool, or C, P, I.
    level
        Of the intervals.
    """
    check_level(level)

    def compute(scores: list[SampleScore]) -> Value:
        from panopt.shims.inspect.live.summary import bias_of  # noqa: PLC0415 - loads numpy

        return bias_of(scores, label=label, level=level)

    return compute
