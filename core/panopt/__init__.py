"""Uncertainty for judged evaluations: what LLM-judge scores support, and what they do not.

``study = panopt.read(...)``, ``report = panopt.analyze(study, panopt.Ask(...))``,
``panopt.write(report)``. Names are loaded when first used, so that importing panopt is cheap.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from panopt.analysis import analyze
    from panopt.certificates import certify, read_certificate, write_certificate
    from panopt.comparison import compare
    from panopt.errors import (
        AskError,
        CertificateError,
        LabelsError,
        OutputError,
        PanoptError,
        PluginError,
        SourceError,
    )
    from panopt.findings import Finding, Findings
    from panopt.gate import run_gate
    from panopt.host import Host
    from panopt.reading import read, read_sides
    from panopt.records.ask import Ask, Reading
    from panopt.records.certificate import Certificate
    from panopt.records.comparison import Comparison
    from panopt.records.consensus import Consensus, JudgeQuality
    from panopt.records.decisions import Decisions
    from panopt.records.judgment import Judgment
    from panopt.records.matrix import Matrix
    from panopt.records.report import CriterionReport, Report
    from panopt.records.scale import Scale
    from panopt.records.source import Counts, Source, SourceFile
    from panopt.records.study import Study
    from panopt.replay import CriterionReplay, replay_study
    from panopt.spec import hookimpl
    from panopt.writing import write

__all__ = [
    "Ask",
    "AskError",
    "Certificate",
    "CertificateError",
    "Comparison",
    "Consensus",
    "Counts",
    "CriterionReplay",
    "CriterionReport",
    "Decisions",
    "Finding",
    "Findings",
    "Host",
    "JudgeQuality",
    "Judgment",
    "LabelsError",
    "Matrix",
    "OutputError",
    "PanoptError",
    "PluginError",
    "Reading",
    "Report",
    "Scale",
    "Source",
    "SourceError",
    "SourceFile",
    "Study",
    "analyze",
    "certify",
    "compare",
    "hookimpl",
    "read",
    "read_certificate",
    "read_sides",
    "replay_study",
    "run_gate",
    "write",
    "write_certificate",
]

_HOMES = {
    "panopt.analysis": ("analyze",),
    "panopt.certificates": ("certify", "read_certificate", "write_certificate"),
    "panopt.comparison": ("compare",),
    "panopt.errors": (
        "AskError",
        "CertificateError",
        "LabelsError",
        "OutputError",
        "PanoptError",
        "PluginError",
        "SourceError",
    ),
    "panopt.findings": ("Finding", "Findings"),
    "panopt.gate": ("run_gate",),
    "panopt.host": ("Host",),
    "panopt.reading": ("read", "read_sides"),
    "panopt.records.ask": ("Ask", "Reading"),
    "panopt.records.certificate": ("Certificate",),
    "panopt.records.comparison": ("Comparison",),
    "panopt.records.consensus": ("Consensus", "JudgeQuality"),
    "panopt.records.decisions": ("Decisions",),
    "panopt.records.judgment": ("Judgment",),
    "panopt.records.matrix": ("Matrix",),
    "panopt.records.report": ("CriterionReport", "Report"),
    "panopt.records.scale": ("Scale",),
    "panopt.records.source": ("Counts", "Source", "SourceFile"),
    "panopt.records.study": ("Study",),
    "panopt.replay": ("CriterionReplay", "replay_study"),
    "panopt.spec": ("hookimpl",),
    "panopt.writing": ("write",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> object:
    """Load a public name from its module on first use."""
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module 'panopt' has no attribute {name!r}")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names."""
    return sorted(__all__)
