"""Say of any exception how a judge failed: timeout, connection, status, parse, or unknown."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future
from typing import get_args

from panopt.judging.protocol import Failure, FailureKind, JudgeError
from panopt.records.markdown import readable

__all__ = ["KINDS", "failure_of"]

KINDS: tuple[FailureKind, ...] = get_args(FailureKind)

_MOST_MESSAGE = 500
_MOST_CAUSES = 8
_PARSE = ("jsondecodeerror", "validationerror", "decodeerror")
_CONNECTION = ("connect", "gaierror", "sslerror", "networkerror", "protocolerror")
_STATUS = ("ratelimit", "statuserror", "overloaded", "authenticationerror", "permissiondenied")


def failure_of(error: BaseException) -> Failure:
    """Read kind and message off an exception, the frameworks' own among them.

    Parameters
    ----------
    error
        What a judge raised. Groups, causes and the last attempt of a retry are looked into.

    Examples
    --------
    >>> failure_of(TimeoutError("too slow"))
    Failure(kind='timeout', message='TimeoutError: too slow')
    >>> failure_of(ExceptionGroup("all", [ConnectionResetError("gone")])).kind
    'connection'
    """
    kinds = (kind for kind in map(_kind, _causes(error)) if kind is not None)
    found: FailureKind = next(kinds, "unknown")
    leaf = next(part for part in _causes(error) if not isinstance(part, BaseExceptionGroup))
    return Failure(found, _message(leaf))


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Give an exception and what it came of, the nearest first."""
    waiting, seen = [error], 0
    while waiting and seen < _MOST_CAUSES:
        part = waiting.pop(0)
        seen += 1
        yield part
        if isinstance(part, BaseExceptionGroup):
            waiting[:0] = part.exceptions[:_MOST_CAUSES]
            seen -= 1
        last = getattr(part, "last_attempt", None)  # of a retry that was given up
        tried = None
        if isinstance(last, Future) and last.done() and not last.cancelled():
            tried = last.exception()
        waiting += [cause for cause in (tried, part.__cause__) if cause is not None]


def _kind(error: BaseException) -> FailureKind | None:
    if isinstance(error, JudgeError):
        return error.kind if error.kind in KINDS else "unknown"
    name = type(error).__name__.casefold()
    if isinstance(error, TimeoutError) or "timeout" in name:
        return "timeout"
    if _status(error) is not None or any(part in name for part in _STATUS):
        return "status"
    if isinstance(error, ConnectionError) or any(part in name for part in _CONNECTION):
        return "connection"
    return "parse" if any(part in name for part in _PARSE) else None


def _status(error: BaseException) -> int | None:
    """Give the HTTP status that an exception carries, if it does."""
    for holder in (error, getattr(error, "response", None)):
        for name in ("status_code", "status", "code"):
            code = getattr(holder, name, None)
            if isinstance(code, int) and 400 <= code <= 599:
                return code
    return None


def _message(error: BaseException) -> str:
    name = type(error).__name__
    try:
        told = str(error)
    except Exception as broken:  # noqa: BLE001 - a message is other people's code
        told = f"its message cannot be read ({type(broken).__name__})"
    if isinstance(error, JudgeError):
        name = ""
    code = _status(error)
    if code is not None and str(code) not in told:
        name = f"{name} {code}".strip()
    text = ": ".join(part for part in (name, told) if part)
    return readable(text[:_MOST_MESSAGE]) or type(error).__name__
