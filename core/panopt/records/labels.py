"""Join human labels to the responses they judge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from panopt.errors import AskError, LabelsError
from panopt.records.schema import RESPONSE_KEY
from panopt.records.source import Source
from panopt.records.study import Study

__all__ = ["attach_labels"]


def attach_labels(study: Study, labels: Study, *, criterion: Sequence[str] = ()) -> Study:
    """Add the rows of `labels` to the responses of `study` they name.

    A label names its response by item and those of run, system and epoch that it carries; it
    must fit exactly one response judged on its criterion (or several with the same text, by
    response hash). Labels that are empty, or fit nothing, are left out with a warning.

    Parameters
    ----------
    study
        Judged responses.
    labels
        Human judgments, as read from a labels file; its source says which columns it gave.
    criterion
        Criteria under analysis: what labels without a criterion are for, where there is one.

    Raises
    ------
    AskError
        For a criterion that nobody judged.
    LabelsError
        When no label fits, when a label fits several different responses, when a criterion is
        needed but not given or unknown, or when one person contradicts herself.
    """
    unknown = [name for name in criterion if name not in study.criteria]
    if unknown and len(study):
        known = ", ".join(map(repr, study.criteria)) or "none"
        raise AskError(f"criterion {unknown[0]!r} was not judged; judged criteria: {known}")
    source = labels.sources[-1] if labels.sources else Source("labels", "columns")
    try:
        joined, warnings = _joined(study, labels, source.columns, criterion)
    except LabelsError as error:
        raise LabelsError(f"{source.location}: {error}") from None
    source = replace(source, warnings=(*source.warnings, *warnings))
    both = Study.concat([study, joined])
    return Study(both.table, (*study.sources, *labels.sources[:-1], source))


def _joined(
    study: Study, labels: Study, given: Sequence[str], criterion: Sequence[str]
) -> tuple[Study, list[str]]:
    """Give the labels in the words of the responses they fit, and what was left out."""
    if not len(labels):
        raise LabelsError("the labels file has no rows")
    given = given or (*RESPONSE_KEY[1:], "criterion")
    empty = np.isnan(labels.numbers("score")) & (labels.codes("label")[0] < 0)
    if empty.all():
        raise LabelsError("no label has a score or a verdict")
    n_all, warnings = len(labels), []
    if empty.any():
        warnings.append(f"{np.count_nonzero(empty)} of {n_all} labels are empty")
    labels = _with_criterion(study, labels.filter(~empty), given, criterion)
    keys = [column for column in RESPONSE_KEY if column == "item" or column in given]
    targets = _distinct_responses(study)
    target_key, label_key = _common_codes(targets, labels, [*keys, "criterion"])
    order = np.argsort(target_key, kind="stable")
    left = np.searchsorted(target_key[order], label_key, side="left")
    right = np.searchsorted(target_key[order], label_key, side="right")
    fits = right - left
    if not fits.any():
        named = [*keys, "criterion"] if "criterion" in given else keys
        raise LabelsError(_no_match(targets, labels, named))
    _refuse_ambiguous(targets, labels, order, left, fits, keys)
    missing = int(np.count_nonzero(fits == 0))
    if missing:
        example = labels.table["item"][int(np.flatnonzero(fits == 0)[0])].as_py()
        warnings.append(f"{missing} of {n_all} labels match no response (for example {example!r})")
    rows = np.repeat(np.arange(len(labels)), fits)
    offsets = np.arange(len(rows)) - np.repeat(np.cumsum(fits) - fits, fits)
    homes = order[np.repeat(left, fits) + offsets]
    joined = Study(labels.table.take(pa.array(rows)), labels.sources)
    for column in (*RESPONSE_KEY, "family", "cluster", "response_hash", "response_length"):
        joined = joined.with_column(
            column, targets.table[column].take(pa.array(homes)).combine_chunks()
        )
    return _without_duplicates(joined), warnings


def _with_criterion(
    study: Study, labels: Study, given: Sequence[str], chosen: Sequence[str]
) -> Study:
    """Give labels that name no criterion the one they can only be for."""
    known = study.criteria
    meant = tuple(chosen) or known
    if "criterion" in given:
        named = set(labels.table["criterion"].unique().to_pylist())
        if not named & set(known):
            raise LabelsError(
                f"labels are for criterion {min(named)!r}, which no judge judged; "
                f"judged criteria: {', '.join(map(repr, known))}"
            )
        return labels
    if len(meant) != 1:
        raise LabelsError(
            "labels have no criterion column, but several criteria were judged "
            f"({', '.join(map(repr, meant))}); add the column, or choose one with --criterion"
        )
    codes = pa.array(np.zeros(len(labels), dtype=np.int32))
    return labels.with_column(
        "criterion", pa.DictionaryArray.from_arrays(codes, pa.array([meant[0]]))
    )


def _distinct_responses(study: Study) -> Study:
    """One row a response and criterion, with its response hash if any of its rows has it."""
    key = study.group((*RESPONSE_KEY, "criterion"))
    unhashed = study.codes("response_hash")[0] < 0
    order = np.lexsort((unhashed, key))
    first = np.r_[True, np.diff(key[order]) != 0]
    return Study(study.table.take(pa.array(order[first])))


def _common_codes(
    targets: Study, labels: Study, keys: Sequence[str]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Code the key columns of both sides by one numbering."""
    both = Study.concat([targets, labels])
    key = both.group(keys)
    return key[: len(targets)], key[len(targets) :]


def _no_match(targets: Study, labels: Study, keys: Sequence[str]) -> str:
    def examples(study: Study) -> str:
        first = np.unique(study.group(keys), return_index=True)[1]
        rows = study.table.select(list(keys)).take(pa.array(np.sort(first)[:3])).to_pylist()
        return ", ".join("/".join(str(row[key]) for key in keys) for row in rows)

    return (
        f"no label matches a response by {' + '.join(keys)}: labels have {examples(labels)}; "
        f"responses have {examples(targets)}"
    )


def _refuse_ambiguous(  # noqa: PLR0913, PLR0917 - the two sides of one join
    targets: Study,
    labels: Study,
    order: NDArray[np.int64],
    left: NDArray[np.int64],
    fits: NDArray[np.int64],
    keys: Sequence[str],
) -> None:
    hashes = targets.codes("response_hash")[0][order].astype(np.int64)
    alone = np.where(hashes < 0, -1 - np.arange(len(hashes)), hashes)
    changes = np.r_[0, np.cumsum(np.diff(alone) != 0)]
    last = np.clip(left + fits - 1, 0, len(changes) - 1)
    first = np.clip(left, 0, len(changes) - 1)
    bad = (fits > 1) & (changes[last] != changes[first])
    if not bad.any():
        return
    row = int(np.flatnonzero(bad)[0])
    item = labels.table["item"][row].as_py()
    missing = [column for column in ("system", "epoch", "run") if column not in keys]
    raise LabelsError(
        f"the label of item {item!r} fits {int(fits[row])} responses; a label is of one response: "
        f"add a column {' or '.join(missing) or 'that tells them apart'} to the labels file"
    )


def _without_duplicates(labels: Study) -> Study:
    """Drop equal labels of one person on one response; refuse contradictory ones."""
    key = labels.group((*RESPONSE_KEY, "criterion", "judge", "repeat"))
    _, first, group = np.unique(key, return_index=True, return_inverse=True)
    score, verdict = labels.numbers("score"), labels.codes("label")[0]
    same = np.isclose(score, score[first][group], rtol=0, atol=0, equal_nan=True)
    clash = ~(same & (verdict == verdict[first][group]))
    if clash.any():
        row = int(np.flatnonzero(clash)[0])
        earlier = int(first[group[row]])
        values = [labels.table["label"][i].as_py() or f"{score[i]:g}" for i in (earlier, row)]
        raise LabelsError(
            f"duplicate labels of item {labels.table['item'][row].as_py()!r} by "
            f"{labels.table['judge'][row].as_py()!r} contradict each other ({values[0]} and "
            f"{values[1]}); keep one, or name the people in a judge column"
        )
    keep = np.zeros(len(labels), dtype=np.bool_)
    keep[first] = True
    return labels.filter(keep)
