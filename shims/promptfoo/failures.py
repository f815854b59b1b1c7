"""Tell a judge that failed from a judge that said no: promptfoo stores both as score 0.

Newer graders flag their failures (``metadata.graderError``); the others are known by what
promptfoo writes as the reason.
"""

from __future__ import annotations

import re

__all__ = ["first_line", "judge_error"]

#: Failures of any grader, of any release; the text of a provider's error follows.
ANYWHERE = re.compile(
    r"(Moderation )?API error: \d{3}\b|API call error: |Could not perform remote grading: "
    r"|No output$"
    r"|Could not extract JSON from [\w-]+ response"
    r"|[\w-]+ produced malformed response|Remote grading failed"
    r"|Search rubric evaluation failed: "
)
#: Failures of graders of one type.
FAILED = {
    "factuality": re.compile(
        r"Factuality checker output did not match expected format: |Invalid category value: "
        r"|Invalid option: |Error parsing output: |Unexpected token "
    ),
    "g-eval": re.compile(
        r"G-Eval .*(returned no output|invalid or missing)|LLM-proposed |G-Eval criterion \d+/"
    ),
    "python": re.compile(r"Error running Python script: |Python code execution failed: "),
    "javascript": re.compile(r"Custom function threw error: "),
    "ruby": re.compile(r"Error running Ruby script: |Ruby code execution failed: "),
    "webhook": re.compile(r"Webhook error: |Webhook response"),
    "classifier": re.compile(r"No classification scores returned|Unknown error fetching class"),
}
FAILED["model-graded-factuality"] = FAILED["factuality"]
#: Graders whose verdicts read alike, so that any other reason is a failure.
SUCCEEDED = {
    "model-graded-closedqa": re.compile(r"The submission (meets|does not meet) the criterion"),
    "select-best": re.compile(r"Output (not )?selected"),
    "similar": re.compile(r"Similarity |Distance |Dot product |Euclidean |Cosine "),
}
LONGEST = 200


def judge_error(kind: str, reason: str) -> bool:
    """Tell whether a verdict of score 0 is a failure of the judge.

    Parameters
    ----------
    kind
        Type of the assertion, without ``not-``.
    reason
        What promptfoo gives as the reason.

    Examples
    --------
    >>> judge_error("llm-rubric", "the answer is wrong")
    False
    >>> judge_error("factuality", "API error: 500 Internal Server Error")
    True
    """
    if ANYWHERE.match(reason):
        return True
    failed = FAILED.get(kind)
    if failed is not None and failed.match(reason):
        return True
    succeeded = SUCCEEDED.get(kind.split(":", 1)[0])
    return succeeded is not None and not succeeded.match(reason)


def first_line(reason: str) -> str:
    """Give the first line of a reason, at most 200 characters."""
    line = reason.strip().split("\n", 1)[0].strip()
    return line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"
