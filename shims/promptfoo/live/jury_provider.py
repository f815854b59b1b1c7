"""A jury as promptfoo's grader: one provider that asks several judges, and tells every vote.

In promptfoo's configuration::

    providers:
      - id: file://.../jury_provider.py
        label: jury
        prompts: []                      # it grades, it is no column
        config: { workers: 1, judges: [openai/gpt-4o-mini, anthropic/claude-haiku-4-5] }
    defaultTest:
      providers: [what is under test]
      options: { provider: jury }        # not at the assertion: promptfoo would start one a call

Judges are called through Inspect's model API, so any model that Inspect knows, under its names and
keys. promptfoo tells a grader the test's variables, the output and the rubric, and nothing else:
give items an id in ``vars.item_id``, else a digest of the variables stands for it. Every vote lands
in ``metadata.panel.verdicts`` of the component, where ``panopt analyze`` reads each judge.
"""

from __future__ import annotations

import atexit
import hashlib
import json
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from panopt.errors import PanoptError
from panopt.judging import Question, Ruling, Vote, evidence

if TYPE_CHECKING:
    from anyio.from_thread import BlockingPortal

    from panopt.jury import Jury
    from panopt.shims.promptfoo.live.jury_config import JuryConfig

__all__ = ["call_api"]

#: Variables that promptfoo adds for graders, or that are no part of the task.
ADDED = ("output", "rubric", "item_id")
MOST_RATIONALE = 600


def call_api(
    prompt: str, options: Mapping[str, Any] | None, context: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Grade one output, as promptfoo calls a provider.

    Parameters
    ----------
    prompt
        The grading prompt promptfoo made; the judges have one of their own.
    options
        ``config`` is that of :class:`panopt.shims.promptfoo.live.jury_config.JuryConfig`.
    context
        ``vars``: the test's, and ``output`` and ``rubric``.

    Returns
    -------
    dict
        ``output`` with pass, score in [0, 1] and reason, ``metadata.panel`` with the outcome and
        every verdict, ``tokenUsage`` and ``cost``; or ``error``, where no panel can be asked.
    """
    try:
        config = json.dumps((options or {}).get("config") or {}, sort_keys=True)
        chosen, jury = _jury(config)
        variables = (context or {}).get("vars")
        question = _question(variables if isinstance(variables, Mapping) else {}, prompt, chosen)
        ruling: Ruling = _portal().call(_ask, jury, question)
    except (PanoptError, ValueError) as error:
        return {"error": f"panopt: {' '.join(str(error).split())}"}
    hashes = {judge.name: judge.prompt_hash for judge in (*jury.judges, *jury.replacements)}
    return _told(ruling, question.rubric, hashes)


@lru_cache(maxsize=8)
def _jury(config: str) -> tuple[JuryConfig, Jury]:
    """Open the jury of a configuration, once."""
    from panopt.shims.promptfoo.live.jury_config import (  # noqa: PLC0415 - brings pydantic
        open_jury,
        read_config,
    )

    chosen = read_config(json.loads(config))
    return chosen, open_jury(chosen)


@lru_cache(maxsize=1)
def _portal() -> BlockingPortal:
    """Start one event loop for all calls: clients of models live and die with their loop."""
    from anyio.from_thread import start_blocking_portal  # noqa: PLC0415 - not to read the file

    opened = start_blocking_portal()
    portal = opened.__enter__()
    atexit.register(opened.__exit__, None, None, None)
    return portal


async def _ask(jury: Jury, question: Question) -> Ruling:
    digest = hashlib.sha256(question.item.encode("utf-8", "replace")).digest()
    return await jury.judge(question, position=int.from_bytes(digest[:4]))


def _question(variables: Mapping[str, Any], prompt: str, config: JuryConfig) -> Question:
    plain = {name: _text(value) for name, value in variables.items()}
    own = {
        name: text
        for name, text in plain.items()
        if name not in ADDED and not name.startswith("_") and name != "sessionId"
    }
    item = plain.get("item_id")
    if not item:
        item = f"vars-{hashlib.sha256(json.dumps(own, sort_keys=True).encode()).hexdigest()[:16]}"
    task = own.get(config.task)
    if task is None:
        task = "\n".join(f"{name}: {text}" for name, text in own.items())
    rubric = config.rubric or plain.get("rubric")
    if not rubric:
        raise ValueError("the assertion has no rubric, and the config of the jury none either")
    if "output" not in plain:
        raise ValueError("promptfoo gave no output to judge: is this provider used as a grader?")
    return Question(
        item=item,
        task=task,
        responses=(plain["output"],),
        rubric=rubric,
        kind=config.verdict,
        details={**own, "prompt": prompt},
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _told(ruling: Ruling, rubric: str, hashes: Mapping[str, str | None]) -> dict[str, Any]:
    value, usage = ruling.unit_value, ruling.usage
    panel: dict[str, Any] = {
        "outcome": ruling.outcome,
        "rule": ruling.rule,
        "agreement": ruling.agreement,
        "n_decisive": ruling.n_decisive,
        "n_asked": ruling.n_asked,
        "degraded": ruling.degraded,
        "verdicts": [
            _verdict(vote, ruling, _prompt_hash(hashes.get(vote.judge), rubric))
            for vote in ruling.votes
        ],
    }
    if ruling.reason is not None:
        panel["reason"] = ruling.reason
    read, wrote = usage.input_tokens or 0, usage.output_tokens or 0
    answer: dict[str, Any] = {
        "output": {
            "pass": ruling.passed is True,
            "score": 0.0 if value is None else value,
            "reason": evidence(ruling),
        },
        "metadata": {"panel": panel},
        "tokenUsage": {
            "prompt": read,
            "completion": wrote,
            "total": read + wrote,
            "numRequests": usage.calls,
        },
    }
    if usage.cost is not None:
        answer["cost"] = usage.cost
    return answer


def _prompt_hash(of_judge: str | None, rubric: str) -> str | None:
    """Hash what a judge is told about every response: its own prompt, and the rubric."""
    if of_judge is None:
        return None
    return hashlib.sha256(f"{of_judge}\0{rubric}".encode("utf-8", "replace")).hexdigest()[:16]


def _verdict(vote: Vote, ruling: Ruling, prompt_hash: str | None) -> dict[str, Any]:
    """Give one vote in the form in which results files tell the verdicts of a jury."""
    shown: dict[str, Any] = {"judge": vote.judge, "reason": vote.rationale[:MOST_RATIONALE]}
    if vote.status == "ok" and vote.value is not None:
        shown["score"] = vote.value
        if ruling.threshold is not None:
            shown["pass"] = vote.value >= ruling.threshold
    elif vote.status == "abstained":
        shown["abstained"] = True
    else:
        failure = vote.failure
        shown["error"] = "failed" if failure is None else f"{failure.kind}: {failure.message}"
    if prompt_hash is not None:
        shown["prompt_hash"] = prompt_hash
    if vote.stands_for is not None:
        shown["stands_for"] = vote.stands_for
    if vote.cached:
        shown["cached"] = True
    return shown
