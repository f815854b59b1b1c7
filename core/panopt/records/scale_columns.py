"""The columns of a study that settling its scales looks at, and the scales settled so far."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from panopt.errors import SourceError
from panopt.records.scale import Scale
from panopt.records.study import Study

__all__ = ["GREATEST", "ScaleColumns"]

#: No judge means a number beyond this as a score.
GREATEST = 1e12


class ScaleColumns:
    """The columns of a study that settling looks at, and the scales it has settled so far."""

    def __init__(self, study: Study) -> None:
        self.score = study.numbers("score")
        beyond = np.abs(self.score) > GREATEST
        if beyond.any():  # no scale allows an infinite score, and none is inferred from it
            self.score = np.where(beyond, np.copysign(np.inf, self.score), self.score)
        self.judge, self.judges = study.codes("judge")
        self.criterion, self.criteria = study.codes("criterion")
        self.labelled = study.codes("label")[0] >= 0
        kinds, kind_names = study.codes("judge_kind")
        self.human = np.isin(kinds, [i for i, name in enumerate(kind_names) if name == "human"])
        scale, texts = study.codes("scale")
        self.scale = scale.copy()
        self.known: dict[str, int] = {text: code for code, text in enumerate(texts)}
        self.starred = np.zeros(len(self.score), dtype=np.bool_)
        self.source, self.sources = study.codes("source")
        self.item = study.table["item"]
        #: Where a judgment says which of two responses was shown first, it compares them.
        self.paired = np.zeros(len(study), dtype=np.bool_)
        if study.table["order"].null_count < len(study):
            self.paired = ~np.isnan(study.numbers("order"))
        #: Source and text of every scale that may well be another.
        self.doubts: list[tuple[str | None, str]] = []

    def blocks(self) -> list[NDArray[np.intp]]:
        """Give the rows of each criterion and judge (a human apart from a judge of his name)."""
        sizes = (len(self.criteria), len(self.judges), 2)
        kind = np.min_scalar_type(math.prod(sizes))
        key = self.criterion.astype(kind) * kind.type(2 * len(self.judges))
        key += self.judge.astype(kind) * kind.type(2) + self.human.astype(kind)
        order = np.argsort(key, kind="stable")
        return np.split(order, np.flatnonzero(np.diff(key[order])) + 1)

    def code(self, scale: Scale) -> int:
        """Give the code of a scale, a new one where it is new."""
        return self.known.setdefault(str(scale), len(self.known))

    def scale_of(self, row: int) -> Scale:
        """Give the scale settled for a row."""
        return Scale.parse(list(self.known)[self.scale[row]])

    def source_of(self, row: int) -> str | None:
        """Name the source of a row, None where it has none."""
        return self.sources[self.source[row]] if self.source[row] >= 0 else None

    def item_of(self, row: int) -> str:
        """Name the item of a row."""
        return str(self.item[row].as_py())

    def declare(self, declared: Mapping[str, Scale]) -> None:
        """Settle the scales the user declares."""
        named = {self.judges.index(name) for name in declared if name in self.judges}
        for name, wanted in declared.items():
            if name == "*":
                chosen = ~np.isin(self.judge, list(named))
            elif name in self.judges:
                chosen = self.judge == self.judges.index(name)
            else:
                raise SourceError(
                    f"a scale is declared for judge {name!r}, who judged nothing; "
                    f"judges: {', '.join(sorted(self.judges)[:10])}",
                    source="--scale",
                )
            self.scale[chosen] = self.code(wanted)
            if name == "*":
                self.starred = chosen & self.human
                between = wanted.off(self.score) & (self.score >= wanted.low)
                between &= self.human & chosen & (self.score <= wanted.high)
                people = np.unique(self.judge[between])
                soft = chosen & self.human & np.isin(self.judge, people)
                self.scale[soft] = self.code(Scale("continuous", wanted.low, wanted.high))

    def off(self, n_declared: int) -> NDArray[np.bool_]:
        """Tell which scores are off a declared scale; those inferred fit all finite scores."""
        off = np.isinf(self.score)
        for text, code in list(self.known.items())[:n_declared]:
            rows = np.flatnonzero(self.scale == code)
            off[rows] |= Scale.parse(text).off(self.score[rows])
        return off
