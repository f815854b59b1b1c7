"""Which keys of a dict-valued score, or names of scorers, stand for judges."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

__all__ = ["AGGREGATES", "looks_like_judge", "split_keys"]

_WORDS = re.compile(
    r"(?:^|[^a-z])(?:judge|grader|rater|annotator|juror|evaluator|reviewer)s?(?:[^a-z]|$)"
    r"|^j\d+$"
)
_FAMILIES = re.compile(
    r"(?:^|[^a-z])(?:gpt|chatgpt|claude|gemini|gemma|llama|mistral|mixtral|ministral|qwen|deepseek"
    r"|grok|command|phi|nova|kimi|glm|sonnet|opus|haiku|o)"
    r"[-_.: ]?(?:[a-z]?\d|r\b|mini|pro|flash)"
)

#: Keys that beside judges' keys hold what was made of the judges' scores.
AGGREGATES = frozenset(
    {
        "aggregate",
        "agreement",
        "average",
        "avg",
        "consensus",
        "count",
        "final",
        "jury",
        "majority",
        "max",
        "mean",
        "median",
        "min",
        "mode",
        "n",
        "overall",
        "panel",
        "score",
        "sd",
        "std",
        "stdev",
        "sum",
        "total",
        "var",
        "variance",
        "vote",
    }
)


def looks_like_judge(name: str, known: Collection[str] = ()) -> bool:
    """Tell whether a name is that of a judge: a model, a word for judges, or one of `known`.

    Examples
    --------
    >>> [looks_like_judge(name) for name in ("openai/gpt-4o", "judge_a", "claude-3", "clarity")]
    [True, True, True, False]
    """
    low = name.lower()
    return (
        name in known
        or ("/" in name and " " not in name)
        or _WORDS.search(low) is not None
        or _FAMILIES.search(low) is not None
    )


def split_keys(
    keys: Iterable[str], known: Collection[str], how: str
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Split the keys of dict-valued scores into judges and aggregates of them.

    Parameters
    ----------
    keys
        All keys that occur.
    known
        Names of models and judges that the log gives elsewhere.
    how
        ``auto``: judges are told by their names, two of them at least; ``judges``: all keys
        that are no aggregate; ``criteria``: none.

    Returns
    -------
    tuple
        Judges and aggregates; both are empty where the keys are criteria.
    """
    listed = tuple(sorted(keys))
    if how == "criteria":
        return (), ()
    if how == "judges":
        judges = tuple(key for key in listed if key.lower() not in AGGREGATES)
    else:
        judges = tuple(key for key in listed if looks_like_judge(key, known))
        if len(judges) < 2:
            return (), ()
    return judges, tuple(key for key in listed if key not in judges)
