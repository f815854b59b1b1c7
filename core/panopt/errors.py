"""What can go wrong, said in one line: what, where, the rule, the mend.

::

    PanoptError
    ├── SourceError     a log or table that cannot be read
    │   └── NotALogError    a file that holds no judgments in any form a shim knows
    ├── LabelsError     human labels that do not fit the responses
    ├── AskError        an option that is unknown, off its range or cannot be met
    │   └── CertificateError    a certificate that cannot be made, read or applied here
    ├── OutputError     a result that cannot be written
    └── PluginError     a plugin or shim that broke the hooks' contract
"""

from __future__ import annotations

__all__ = [
    "AskError",
    "CertificateError",
    "LabelsError",
    "NotALogError",
    "OutputError",
    "PanoptError",
    "PluginError",
    "SourceError",
]


class PanoptError(Exception):
    """Root of every error panopt raises on purpose."""


class SourceError(PanoptError):
    """A source cannot be read: ``source`` is the file, ``place`` where in it."""

    def __init__(self, message: str, *, source: str, place: str | None = None) -> None:
        self.source = source
        self.place = place
        where = source if place is None else f"{source}: {place}"
        super().__init__(f"{where}: {message}")


class NotALogError(SourceError):
    """A file that is no log and no table of judgments; passed over where a folder is searched."""


class LabelsError(PanoptError):
    """Human labels contradict each other or match no response."""


class AskError(PanoptError, ValueError):
    """An option is unknown, outside its range or impossible for these data."""


class CertificateError(AskError):
    """A certificate cannot be made of these labels, was edited, or is not for these logs."""


class OutputError(PanoptError):
    """A result cannot be written where it was asked for: ``target`` is the path."""

    def __init__(self, message: str, *, target: str) -> None:
        self.target = target
        super().__init__(f"{target}: {message}")


class PluginError(PanoptError):
    """A plugin raised, or answered with what its hook does not allow."""

    def __init__(self, message: str, *, plugin: str, hook: str | None = None) -> None:
        self.plugin = plugin
        self.hook = hook
        where = f"plugin {plugin!r}" if hook is None else f"plugin {plugin!r}, hook {hook}"
        super().__init__(f"{where}: {message}")
