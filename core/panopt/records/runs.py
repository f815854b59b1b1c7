"""Sources that hold the same run in two formats, one of which does not name it."""

from __future__ import annotations

import numpy as np

from panopt.records.study import Study

__all__ = ["drop_twins"]


def drop_twins(study: Study) -> tuple[Study, tuple[str, ...]]:
    """Drop the rows of sources whose one run another source holds under its proper name.

    A shim gives a run without an id a name made of its rows, and lists that name among the
    ``aliases`` of a source that has the id too: equal names, equal rows.

    Returns
    -------
    tuple
        The study without those rows, and a note for each source they stood in.
    """
    named = {alias: source for source in study.sources for alias in source.aliases}
    twins = {
        source.location: named[source.runs[0]].location
        for source in study.sources
        if len(source.runs) == 1 and source.runs[0] in named
    }
    if not twins:
        return study, ()
    codes, names = study.codes("source")
    keep = ~np.isin(codes, [code for code, name in enumerate(names) if name in twins])
    notes = (
        f"{twin} holds the same rows as {other}: they count once" for twin, other in twins.items()
    )
    return study.filter(keep), tuple(notes)
