"""Tell confidences that are margins from those that are probabilities, by their source."""

from __future__ import annotations

__all__ = ["is_margin"]


def is_margin(source: str | None) -> bool:
    """Tell whether confidences of this source are margins: any number, not probabilities.

    Examples
    --------
    >>> is_margin("margin of rewards"), is_margin("verbalised"), is_margin(None)
    (True, False, False)
    """
    return source is not None and source.strip().lower().startswith("margin")
