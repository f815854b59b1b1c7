"""Cut the recorded verdicts the promptfoo example replays out of the LLMBar data set.

Needs a checkout of github.com/princeton-nlp/LLMBar (MIT; made with commit 900616b), where each
judge has a ``result.json`` for each task and prompt::

    python trim_llmbar.py path/to/LLMBar

Writes ``llmbar.csv``: a row a pair, with the verdicts of five LLM judges (prompt ``Metrics``, the
pair shown in its own order) and the gold label. 1: output 1 follows the instruction better, 0:
output 2 does; a cell is empty where the source could not read a verdict. Of Natural all 100 pairs
are taken, of Neighbor 60 drawn at random. A pair's number is its place in the source, from 0.
"""

from __future__ import annotations

import csv
import json
import random
import sys
from pathlib import Path

FOLDERS = {"natural": "Natural", "neighbor": "Adversarial/Neighbor"}
N_PAIRS = {"natural": 100, "neighbor": 60}
JUDGES = ["ChatGPT", "Falcon", "GPT-4", "LLaMA2", "PaLM2"]
VERDICT = {"1": 1, "2": 0, None: None}  # these judges and this prompt have no ties
SEED = 20260101
TARGET = Path(__file__).with_name("llmbar.csv")


def main(source: str) -> None:
    """Read the judges' results and write the trimmed table."""
    draw = random.Random(SEED)  # noqa: S311 - a sample, not a secret
    with TARGET.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["item", "task", *JUDGES, "gold"])
        for task, folder in FOLDERS.items():
            home = Path(source) / "Dataset" / "LLMBar" / folder / "evaluators"
            judged = [
                json.loads((home / judge / "Metrics" / "result.json").read_text(encoding="utf-8"))
                for judge in JUDGES
            ]
            for number in sorted(draw.sample(range(len(judged[0])), N_PAIRS[task])):
                pairs = [results[number] for results in judged]
                verdicts = [VERDICT[pair["results"][1]["swap = False"]["winner"]] for pair in pairs]
                gold = VERDICT[str(pairs[0]["label"])]
                writer.writerow([f"{task}-{number:03d}", task, *verdicts, gold])


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python trim_llmbar.py path/to/LLMBar")
    main(sys.argv[1])
