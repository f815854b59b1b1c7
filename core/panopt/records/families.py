"""Whose model a judge is: maker and model read off the names that people give to judges.

Judges from one maker share training data and habits, and so errors. Names come as model ids
(``o3-mini``), behind providers (``openrouter/anthropic/claude-3.5-sonnet``,
``openai:chat:gpt-4o``, ``bedrock/us.anthropic.claude-3-haiku-20240307-v1:0``) and with a prompt
after them (``GPT-4/Vanilla``). The same weights behind two providers are one maker and one model.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

__all__ = ["family_of", "family_warnings", "model_codes", "model_of", "same_model"]

#: How the models of each maker are called: patterns that start at a word of the name.
_MODELS: tuple[tuple[str, str], ...] = (
    ("anthropic", r"claude"),
    ("openai", r"chatgpt|gpt(?!-?(j|neo|bigcode|sw3)\b)(?![a-z])|(?<!-)o[134](?![a-z0-9])"),
    ("openai", r"(text-)?davinci|codex(?![a-z])|computer-use-preview"),
    ("google", r"gemini|gemma|medgemma|codegemma|learnlm|palm-?2?(?![a-z0-9])"),
    ("google", r"(text|chat)-bison|bard(?![a-z])"),
    ("meta", r"llama|code-?llama|llamaguard"),
    ("mistral", r"(open-)?(mistral|mixtral|ministral|codestral|magistral|pixtral|devstral)"),
    ("alibaba", r"qwen|qwq|qvq"),
    ("deepseek", r"deepseek"),
    ("xai", r"grok"),
    ("microsoft", r"phi(?=-?\d|-(mini|small|medium|silica)|$)|wizardlm"),
    ("amazon", r"nova-(micro|lite|pro|premier|sonic|\d)|titan-(text|tg1|embed)"),
    ("cohere", r"command(?=-|$)|c4ai|aya-"),
    ("ai21", r"jamba|jurassic|j2-(mid|ultra|light)"),
    ("nvidia", r"nemotron|nvlm"),
    ("01-ai", r"yi-(\d|large|lightning|medium|spark|vision|coder)"),
    ("zhipu", r"chatglm|glm(?=-?\d|-z)"),
    ("moonshot", r"kimi|moonshot"),
    ("minimax", r"minimax|abab\d"),
    ("tii", r"falcon"),
    ("databricks", r"dbrx|dolly-v"),
    ("ibm", r"granite"),
    ("allenai", r"olmo|tulu"),
    ("tencent", r"hunyuan"),
    ("baidu", r"ernie"),
    ("bytedance", r"doubao|seed-oss"),
    ("shanghai-ai-lab", r"internlm"),
    ("baichuan", r"baichuan"),
    ("upstage", r"solar-(\d|pro|mini)"),
    ("lg", r"exaone"),
    ("reka", r"reka-(core|flash|edge|spark)"),
    ("snowflake", r"snowflake-arctic"),
    ("stability", r"stablelm|stable-beluga"),
    ("lmsys", r"vicuna"),
    ("writer", r"palmyra"),
    ("eleutherai", r"gpt-?(j|neo|neox)(?![a-z])|pythia(?=-\d)"),
)

#: Providers that serve their own models alone: they tell the maker where the model does not.
_MAKERS: Mapping[str, str] = {
    "openai": "openai",
    "anthropic": "anthropic",
    "google": "google",
    "mistral": "mistral",
    "mistralai": "mistral",
    "cohere": "cohere",
    "deepseek": "deepseek",
    "deepseek-ai": "deepseek",
    "x-ai": "xai",
    "xai": "xai",
    "ai21": "ai21",
    "moonshotai": "moonshot",
    "qwen": "alibaba",
}

_PATTERNS = tuple((maker, re.compile(rf"(?<![a-z0-9])({text})")) for maker, text in _MODELS)
_PARTS = re.compile(r"/|:(?!\d)")
_END = re.compile(r"[ \t()\[\],;|#]")
_TAIL = re.compile(r"(-v\d+:\d+|-latest|:\d+)$")


@lru_cache(maxsize=4096)
def family_of(name: str, overrides: tuple[tuple[str, str], ...] = ()) -> str | None:
    """Give the maker of the model a name stands for, None where it is unknown.

    Parameters
    ----------
    name
        Judge or system, however it is called.
    overrides
        Pairs (name, maker) that go before what the name says; case does not matter. The maker
        ``unknown`` makes a name unknown.

    Examples
    --------
    >>> [family_of(name) for name in ("o3-mini", "command-r-plus", "neo3-7b")]
    ['openai', 'cohere', None]
    >>> family_of("judge A", (("Judge A", "anthropic"),))
    'anthropic'
    """
    for stated, maker in overrides:
        if stated.casefold() == name.casefold():
            told = maker.strip().casefold()
            return None if told in ("", "unknown") else told
    text = _plain(name)
    found = _find(text)
    if found is not None:
        return found[0]
    return next((_MAKERS[part] for part in _PARTS.split(text)[:-1] if part in _MAKERS), None)


@lru_cache(maxsize=4096)
def model_of(name: str) -> str:
    """Give a name of the model that is the same behind every provider and prompt.

    Snapshots of different dates are different models.

    Examples
    --------
    >>> model_of("bedrock/us.anthropic.claude-3-5-sonnet-20241022-v2:0")
    'claude35sonnet20241022'
    >>> model_of("vertex/claude-3-5-sonnet@20241022"), model_of("GPT-4/Vanilla")
    ('claude35sonnet20241022', 'gpt4')
    """
    text = _plain(name)
    found = _find(text)
    rest = _PARTS.split(text)[-1] if found is None else _END.split(found[1])[0]
    return re.sub(r"[^a-z0-9]", "", _TAIL.sub("", rest))


def same_model(first: str, second: str) -> bool:
    """Tell whether two names stand for the same weights, whoever serves them.

    Examples
    --------
    >>> same_model("openai:chat:gpt-4o", "openrouter/openai/gpt-4o")
    True
    >>> same_model("gpt-4o", "gpt-4o-mini")
    False
    """
    model = model_of(first)
    return model != "" and model == model_of(second) and family_of(first) == family_of(second)


def model_codes(names: Sequence[str]) -> tuple[int, ...]:
    """Give judges numbers by model: one known model has one, whoever serves and prompts it.

    A name in which no known model is found is a model of its own.

    Examples
    --------
    >>> model_codes(["gpt-4o/strict", "o3-mini", "openrouter/openai/gpt-4o", "a/judge", "b/judge"])
    (0, 1, 0, 2, 3)
    """
    keys = [
        name if _find(_plain(name)) is None else (family_of(name), model_of(name)) for name in names
    ]
    number = {key: code for code, key in enumerate(dict.fromkeys(keys))}
    return tuple(number[key] for key in keys)


def family_warnings(
    judges: Sequence[str],
    systems: Iterable[str] = (),
    *,
    overrides: tuple[tuple[str, str], ...] = (),
) -> tuple[str, ...]:
    """Warn where judges share a known maker with what they judge, or all with each other.

    Names of unknown makers neither raise a warning nor stop the others' check.

    Parameters
    ----------
    judges, systems
        Names of the judges (not of humans or programs) and of the systems under test.
    overrides
        As in :func:`family_of`.

    Returns
    -------
    tuple of str
        Sentences; empty where there is nothing to warn of.

    Examples
    --------
    >>> family_warnings(["gpt-4o", "neo3-7b"], ["o3-mini"])[0]
    "judge gpt-4o and system o3-mini are both of openai: judges tend to favour their own family's answers"
    """  # noqa: E501 - the sentence is one line
    made = {judge: family_of(judge, overrides) for judge in judges}
    warnings: list[str] = []
    tested = [(system, family_of(system, overrides)) for system in systems]
    for maker in dict.fromkeys(maker for _, maker in tested if maker is not None):
        own = [judge for judge in judges if made[judge] == maker]
        if own:
            under = [system for system, of in tested if of == maker]
            warnings.append(
                f"{_named('judge', own)} and {_named('system', under)} are both of {maker}: judges "
                "tend to favour their own family's answers"
            )
    known = {maker for maker in made.values() if maker is not None}
    n_known = sum(maker is not None for maker in made.values())
    if len(known) == 1 and n_known >= 2:
        (maker,) = known
        who = "all judges" if n_known == len(made) else f"all {n_known} judges of known family"
        one = len({model_of(judge) for judge in judges if made[judge]}) == 1
        warnings.append(
            f"{who} are {'one model' if one else 'models'} of {maker}: an error they share looks "
            "like agreement; add a judge of another family"
        )
    return tuple(warnings)


def _find(text: str) -> tuple[str, str] | None:
    """Give the maker of the model named in a text, and the text from that name on.

    The last part that names a model counts: what stands before it is a provider.
    """
    for part in reversed(_PARTS.split(text)):
        hits = [(match.start(), maker) for maker, rule in _PATTERNS if (match := rule.search(part))]
        if hits:
            start, maker = min(hits)
            return maker, part[start:]
    return None


def _plain(name: str) -> str:
    """Write names alike: lower case, one sign between words."""
    return re.sub(r"[._@]", "-", name.strip().casefold())


def _named(what: str, names: Sequence[str], most: int = 4) -> str:
    """List names, the first few of many."""
    shown = ", ".join(names[:most]) + (f" and {len(names) - most} more" * (len(names) > most))
    return f"{what}{'s' if len(names) > 1 else ''} {shown}"
