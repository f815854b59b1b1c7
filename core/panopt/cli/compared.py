"""A comparison on the terminal: who was compared, which pairs are told apart, what it comes to."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from string import ascii_uppercase
from typing import TYPE_CHECKING

from panopt.cli.text import number, plain, shown
from panopt.records.comparison import Comparison, PairResult, Standing
from panopt.records.comparison_text import agreement_words, by_mean, conclusion, lacking, pair_words

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table
    from rich.text import Text

__all__ = ["show_comparisons"]

#: Systems of which every pair is shown; of more, those with the best one.
MOST_SYSTEMS = 6

#: Rows of a terminal table.
MOST_ROWS = 30

#: Pairs that are told in words beneath the table; more are clear from it.
MOST_TOLD = 3

#: Columns that a table of pairs takes besides the names.
BESIDES, BESIDES_WIDE = 53, 92

#: Width from which a terminal has room for every column.
WIDE = 110

#: Width below which p is left out beside p Holm, and least width of the names of a pair.
NARROW, SHORTEST = 64, 9


def show_comparisons(found: Sequence[Comparison], *, every: bool = False) -> None:
    """Print comparisons, a panel each.

    Parameters
    ----------
    found
        What to print.
    every
        Show every system and pair, however many there are; strengths where there is room.
    """
    from rich.console import Console  # noqa: PLC0415 - a fast start
    from rich.panel import Panel  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    console = Console()
    for one in found:
        title = Text.assemble("criterion ", shown(one.criterion, "bold"))
        level = f"intervals at {100 * one.level:.4g}%, {one.measure}"
        console.print(
            Panel(
                _body(one, width=console.width - 4, every=every),
                title=title,
                subtitle=level,
                title_align="left",
                subtitle_align="right",
            )
        )


def _body(one: Comparison, *, width: int, every: bool) -> RenderableType:
    from rich.console import Group  # noqa: PLC0415 - a fast start
    from rich.text import Text  # noqa: PLC0415

    wide, rows = width >= WIDE, None if every else MOST_ROWS
    short = short_systems([each.name for each in one.standings])
    pairs = _pairs_to_show(one, every=every)
    keys = _keys(one, short, pairs, width - (BESIDES_WIDE if wide else BESIDES))
    parts: list[RenderableType] = [
        Text.assemble(
            ("scores by ", "dim"), shown(one.aggregate, "bold"), shown(f": {one.why}", "dim")
        ),
        Text(),
        _standings(one, short, keys, every=every, wide=wide),
        Text(),
        _pairs(one, pairs[:rows], keys or short, width=width),
    ]
    hidden = len(one.pairs) - len(pairs[:rows])
    if hidden:
        best = "pairs with the best system; " if len(pairs) < len(one.pairs) else ""
        parts.append(shown(f"{best}{hidden} more: --all shows them, --json has every pair", "dim"))
    parts.append(Text())
    parts += _remarks(one, pairs, short)
    parts += [
        Text(),
        _holds("intervals hold", one.holds),
        _holds("they do not hold", one.holds_not),
    ]
    parts += [shown(f"note: {text}", "dim", longest=1000) for text in one.notes]
    if one.warnings:
        parts += [Text(), Text("may spoil a conclusion", "yellow bold")]
        parts += [shown(f"  {text}", "yellow", longest=1000) for text in one.warnings]
    clear = any(pair.better(one.level) for pair in one.pairs)
    parts += [
        Text(),
        shown(f"In short: {conclusion(one, short)}.", "bold" if clear else "bold yellow"),
    ]
    return Group(*parts)


def _holds(words: str, parts: Sequence[str]) -> Text:
    return shown(f"{words}: {'; '.join(parts)}", "dim", longest=600)


def short_systems(names: Sequence[str]) -> dict[str, str]:
    """Leave out the maker's name before a model's, where names stay apart without it.

    Examples
    --------
    >>> short_systems(["openai/gpt-5 (a)", "google/gemini (a)"])
    {'openai/gpt-5 (a)': 'gpt-5 (a)', 'google/gemini (a)': 'gemini (a)'}
    """
    short = [re.sub(r"^[\w.-]+/(?=[\w.-])", "", name) for name in names]
    often = Counter(short)
    return {name: own if often[own] == 1 else name for name, own in zip(names, short, strict=True)}


def _pairs_to_show(one: Comparison, *, every: bool) -> list[PairResult]:
    """Give the pairs, the one with the larger mean first; of many systems those with the best."""
    place = {each.name: k for k, each in enumerate(by_mean(one))}
    if len(place) == 2:
        return list(one.pairs)
    pairs = [pair if place[pair.a] < place[pair.b] else pair.turned() for pair in one.pairs]
    pairs.sort(key=lambda pair: (place[pair.a], place[pair.b]))
    if every or len(place) <= MOST_SYSTEMS:
        return pairs
    return [pair for pair in pairs if place[pair.a] == 0]


def _keys(
    one: Comparison, short: Mapping[str, str], pairs: Sequence[PairResult], room: int
) -> dict[str, str]:
    """Give a letter or number to each contender where two names take more than there is room."""
    longest = max(len(short[pair.a]) + len(short[pair.b]) + 3 for pair in pairs)
    if longest <= room:
        return {}
    order = [each.name for each in by_mean(one)] if len(one.standings) > 2 else [*short]
    many = len(order) > len(ascii_uppercase)
    return {name: f"#{k + 1}" if many else ascii_uppercase[k] for k, name in enumerate(order)}


def _standings(
    one: Comparison, short: Mapping[str, str], keys: Mapping[str, str], *, every: bool, wide: bool
) -> Table:
    from rich.table import Table  # noqa: PLC0415 - a fast start

    columns = ["items", "mean"]
    columns += ["rank"] if any(each.rank is not None for each in one.standings) else []
    strong = every and wide and any(each.strength is not None for each in one.standings)
    columns += ["strength"] if strong else []
    columns += ["unscored"] if any(each.n_unscored for each in one.standings) else []
    table = Table(box=None, pad_edge=False, header_style="bold")
    if keys:
        table.add_column("", style="bold", no_wrap=True)
    table.add_column("system", overflow="fold")
    for name in columns:
        table.add_column(name, justify="right", no_wrap=True)
    order = list(one.standings) if len(one.standings) == 2 else by_mean(one)
    for each in order if every else order[:MOST_ROWS]:
        cells = {
            "items": f"{each.n_items:,}",
            "mean": _ends(each.mean.value, each.mean.low, each.mean.high),
            "rank": _rank(each),
            "strength": _ends(each.strength, each.strength_low, each.strength_high, 2),
            "unscored": f"{each.n_unscored:,}",
        }
        names = [keys[each.name]] if keys else []
        table.add_row(*names, shown(short[each.name]), *(cells[name] for name in columns))
    return table


def _rank(one: Standing) -> str:
    if one.rank is None:
        return "-"
    if one.rank_low is None or one.rank_high is None:
        return f"{one.rank:g}"
    return f"{one.rank:g} [{one.rank_low}, {one.rank_high}]"


def _ends(value: float | None, low: float | None, high: float | None, digits: int = 3) -> str:
    if value is None or low is None or high is None:
        return number(value, digits)
    return f"{number(value, digits)} [{number(low, digits)}, {number(high, digits)}]"


def _pairs(
    one: Comparison, pairs: Sequence[PairResult], names: Mapping[str, str], *, width: int
) -> Table:
    from rich.table import Table  # noqa: PLC0415 - a fast start

    many = len(one.pairs) > 1
    table = Table(box=None, pad_edge=False, header_style="bold")
    longest = max(len(names[pair.a]) + len(names[pair.b]) + 3 for pair in pairs)
    table.add_column("a - b", overflow="fold", min_width=min(longest, SHORTEST))
    columns = ["difference", *(["p Holm"] if many else ["p"])]
    columns += ["p"] if many and width >= NARROW else []
    columns += [*(["p BH"] if many else []), "a wins"] if width >= WIDE else []
    for name in (*columns, "items", ""):
        table.add_column(name, justify="right", no_wrap=True)
    for pair in pairs:
        cells = {
            "difference": _ends(pair.value, pair.low, pair.high),
            "p": _chance(pair.p),
            "p Holm": _chance(pair.p_holm),
            "p BH": _chance(pair.p_bh),
            "a wins": _ends(pair.win_rate, pair.win_low, pair.win_high),
        }
        better = pair.better(one.level)
        verdict = "" if better is None else "better" if better == pair.a else "worse"
        table.add_row(
            shown(f"{names[pair.a]} - {names[pair.b]}"),
            *(cells[name] for name in columns),
            f"{pair.n_items:,}",
            verdict,
            style="bold" if better else None,
        )
    return table


def _chance(p: float | None) -> str:
    if p is None:
        return "-"
    return f"{p:.4f}" if p >= 0.0001 else f"{p:.1e}"


def _remarks(one: Comparison, pairs: Sequence[PairResult], short: Mapping[str, str]) -> list[Text]:
    """Say what pairs show, what they lack and what to beware of, each thing once."""
    many = len(one.pairs) > 1
    told = [pair for pair in pairs if pair.better(one.level) is not None]
    lines = []
    if many and len(told) <= MOST_TOLD:
        lines += [shown(pair_words(pair, one.level, short), "green") for pair in told]
    elif not many:
        (pair,) = one.pairs
        lines.append(shown(f"difference: {pair.method}; p: {pair.p_method}", "dim"))
    lines += [shown(text, "yellow", longest=600) for text in lacking(one, short)]
    lines += [shown(agreement_words(found), longest=600) for found in one.reference]
    groups: dict[str, list[tuple[PairResult, str]]] = {}
    for pair in pairs:
        own = list(pair.notes)
        if pair.value is None:
            own.append(f"no difference: {pair.reason}")
        elif pair.low is None:
            own.append(f"no interval: {pair.reason}")
        for text in own:
            groups.setdefault(re.sub(r"\d+", "#", text), []).append((pair, text))
    for same in groups.values():
        pair, text = same[0]
        if many:
            about = f"{plain(short[pair.a])} - {plain(short[pair.b])}"
            more = "" if len(same) == 1 else f", and {len(same) - 1} pairs like it"
            text = f"{about}{more}: {text}"
        lines.append(shown(text, "dim", longest=600))
    return lines
