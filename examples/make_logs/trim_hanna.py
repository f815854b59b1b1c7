"""Cut the recorded verdicts the example logs replay out of the HANNA data set.

Needs ``hanna_metric_scores_llm.csv`` of github.com/dig-team/hanna-benchmark-asg (MIT; made with
commit 282f275), which has one row a system and in each cell a list of 96 scores, one a story::

    python trim_hanna.py path/to/hanna_metric_scores_llm.csv

Writes ``hanna.csv``: a row a story and criterion, with the mean of three human ratings and the
scores of five LLM judges (their first prompt; each is the mean of three samples, so scores lie on
thirds). A score outside 1 to 5 comes of a reply the source could not read; its cell is left empty.
"""

from __future__ import annotations

import ast
import csv
import sys
from pathlib import Path

CRITERION, CODE = "complexity", "CX"
SYSTEMS = ["Human", "GPT-2", "CTRL"]
JUDGES = ["Beluga-13B", "ChatGPT", "Llama-13B", "Mistral-7B", "OrcaPlatypus"]
TARGET = Path(__file__).with_name("hanna.csv")


def in_range(score: float) -> str:
    """Write a score with as many digits as thirds need, or nothing where it is off the scale."""
    return f"{score:.4g}" if 1 <= score <= 5 else ""


def main(source: str) -> None:
    """Read the source table and write the trimmed one."""
    csv.field_size_limit(sys.maxsize)
    with Path(source).open(newline="", encoding="utf-8") as file:
        table = {row["Model"]: row for row in csv.DictReader(file)}
    with TARGET.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["criterion", "system", "story_prompt", "human", *JUDGES])
        for system in SYSTEMS:
            row = table[system]
            slots = [ast.literal_eval(row[f"Human {slot} {CODE}"]) for slot in (1, 2, 3)]
            judges = [ast.literal_eval(row[f"{judge} {CODE} 1"]) for judge in JUDGES]
            for number, ratings in enumerate(zip(*slots, strict=True)):
                human = sum(ratings) / len(ratings)
                scores = [in_range(judge[number]) for judge in judges]
                writer.writerow([CRITERION, system, f"p{number:02d}", f"{human:.4g}", *scores])


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python trim_hanna.py path/to/hanna_metric_scores_llm.csv")
    main(sys.argv[1])
