"""What is asked of a judge, as it stands in the metadata of the prompt's message.

Inspect logs it with the call and no provider sends it: transcripts tell which draw of which judge
a call was, and the replay provider finds the recorded answer by it.
"""

from __future__ import annotations

from typing import Any

from panopt.judging.protocol import Question

__all__ = ["ASKED", "asked_of"]

#: Key of a message's metadata.
ASKED = "panopt"


def asked_of(question: Question) -> dict[str, Any]:
    """Name the response, the draw and the order of a question."""
    return {
        "item": question.item,
        "epoch": question.epoch,
        "system": question.system,
        "criterion": question.criterion,
        "draw": question.draw,
        "order": question.order,
    }
