"""Take arguments as arrays of numbers: masks become NaN, what is no number is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["as_clusters", "as_floats", "as_keys"]


def as_floats(name: str, values: ArrayLike) -> NDArray[np.float64]:
    """Give numbers as a float array; masked entries and `None` are NaN.

    Parameters
    ----------
    name
        Name of the argument, for messages.
    values
        Real numbers of any shape, bool, integer or float; a masked array, or objects that hold
        `None`. Float64 input is not copied.

    Raises
    ------
    ValueError
        For text, dates, complex numbers, other objects, and rows of unequal length.

    Examples
    --------
    >>> as_floats("scores", np.ma.masked_array([1, 2, 3], mask=[0, 1, 0])).tolist()
    [1.0, nan, 3.0]
    """
    rule = "must hold real numbers, NaN where missing"
    try:
        given = np.asanyarray(values)
    except ValueError:
        raise ValueError(f"{name} has rows of unequal length; it {rule}") from None
    mask = np.ma.getmaskarray(given) if isinstance(given, np.ma.MaskedArray) else None
    array = np.asarray(given)
    if array.dtype.kind == "O":
        _refuse_text(name, array if mask is None else array[~mask], rule)
        if mask is not None:
            array = np.where(mask, None, array)  # type: ignore[call-overload]  # objects
    elif array.dtype.kind not in "buif":
        raise ValueError(f"{name} has dtype {array.dtype}; it {rule}")
    try:
        floats = np.asarray(array, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"{name} {rule}: {error}") from None
    return floats if mask is None else np.where(mask, np.nan, floats)


def as_keys(name: str, values: ArrayLike) -> NDArray[Any]:
    """Give labels or codes, which cannot be missing, as an array.

    Raises
    ------
    ValueError
        When an entry is masked.

    Examples
    --------
    >>> as_keys("clusters", ["a", "b"]).tolist()
    ['a', 'b']
    """
    if np.ma.is_masked(values):
        raise ValueError(f"{name} has masked entries; leave those rows out")
    try:
        return np.asarray(values)
    except ValueError as error:  # rows of unequal length
        raise ValueError(f"{name} must be an array of labels or codes: {error}") from None


def as_clusters(name: str, values: ArrayLike) -> NDArray[Any]:
    """Give keys of clusters as an array: what is in no cluster would else be in one together.

    Raises
    ------
    ValueError
        When an entry is masked, None or NaN.

    Examples
    --------
    >>> as_clusters("clusters", ["a", None])
    Traceback (most recent call last):
    ValueError: clusters has missing entries (None or NaN): give each of those rows a key of its own
    """
    keys = as_keys(name, values)
    if keys.dtype == object:
        missing = any(x is None or str(x) in {"nan", "<NA>", "NaT"} for x in keys.ravel().tolist())
    else:
        missing = keys.dtype.kind == "f" and bool(np.isnan(keys).any())
    if missing:
        raise ValueError(
            f"{name} has missing entries (None or NaN): give each of those rows a key of its own"
        )
    return keys


def _refuse_text(name: str, array: NDArray[Any], rule: str) -> None:
    """Refuse text among objects, which numpy would read as numbers where it can."""
    if {str, bytes, np.str_, np.bytes_} & set(map(type, array.reshape(-1).tolist())):
        text = next(x for x in array.reshape(-1).tolist() if isinstance(x, str | bytes))
        raise ValueError(f"{name} holds {text!r}; it {rule}")
