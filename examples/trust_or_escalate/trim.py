"""Cut the recorded verdicts of the study out of the two data sets that may be passed on.

Needs checkouts of github.com/princeton-nlp/LLMBar (MIT; made with commit 900616b) and
github.com/microsoft/LLM-Rubric (MIT; made with commit 70d56fc)::

    python trim.py path/to/LLMBar path/to/LLM-Rubric

Writes ``llmbar.csv``: a row a pair of outputs, with the gold label (1: output 1 follows the
instruction better) and, for each judge, how many of its verdicts say output 1 and how many it
gave: eight prompts, each in both orders, ties and unread replies left out. And
``llm_rubric.csv``: a row a question about a dialogue, with the judge's probability that its answer
is 3 or 4 of 4, and the mean human answer; answers "does not apply" are left out.
"""

from __future__ import annotations

import csv
import json
import sys
from collections import defaultdict
from pathlib import Path

HERE = Path(__file__).parent
TASKS = ["Natural", *(f"Adversarial/{name}" for name in ("Neighbor", "GPTInst", "GPTOut"))]
TASKS += ["Adversarial/Manual"]
JUDGES = ["ChatGPT", "PaLM2", "GPT-4"]
#: Those that every judge was asked with and that choose between the two outputs.
PROMPTS = [
    "CoT",
    "Metrics",
    "Metrics_Reference",
    "Reference",
    "Swap",
    "Swap_CoT",
    "Vanilla",
    "Vanilla_NoRules",
]
ORDERS = ["swap = False", "swap = True"]
PARTS = {
    "real_data": ("real_evaluations_FIXED", "human_judges_real_convs_FIXED_ANON"),
    "synth_data": ("synth_evaluations_FIXED", "human_judges_synth_all_FIXED_ANON"),
}


def llmbar(source: Path) -> None:
    """Count the verdicts of each judge on each pair."""
    with (HERE / "llmbar.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        counts = [f"{judge} {what}" for judge in JUDGES for what in ("for 1", "verdicts")]
        writer.writerow(["item", "gold", *counts])
        for task in TASKS:
            home = source / "Dataset" / "LLMBar" / task / "evaluators"
            judged = {
                (judge, prompt): json.loads(
                    (home / judge / prompt / "result.json").read_text(encoding="utf-8")
                )
                for judge in JUDGES
                for prompt in PROMPTS
            }
            for number, pair in enumerate(judged["GPT-4", "Vanilla"]):
                row = [f"{task.split('/')[-1].lower()}-{number:03d}", 2 - int(pair["label"])]
                for judge in JUDGES:
                    answers = [
                        judged[judge, prompt][number]["results"][-1][order]["winner"]
                        for prompt in PROMPTS
                        for order in ORDERS
                    ]
                    row += [answers.count("1"), answers.count("1") + answers.count("2")]
                writer.writerow(row)


def llm_rubric(source: Path) -> None:
    """Pair what the judge expects with the mean human answer."""
    with (HERE / "llm_rubric.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["dialogue", "question", "p 3 or 4", "human mean"])
        for part, (machine, people) in PARTS.items():
            answers: dict[tuple[str, str], list[float]] = defaultdict(list)
            for row in _table(source / "data" / part / f"{people}.tsv"):
                for question in (f"Q{number}" for number in range(9)):
                    if float(row[question] or 0):
                        answers[row["text_id"], question].append(float(row[question]))
            for row in _table(source / "data" / part / f"gpt-3.5-turbo-16k_{machine}.tsv"):
                key = (row["text_id"], row["criterion"])
                if answers[key]:
                    passing = float(row["answer3_prob"]) + float(row["answer4_prob"])
                    mean = sum(answers[key]) / len(answers[key])
                    writer.writerow([*key, f"{passing:.5f}", f"{mean:.3f}"])


def _table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t"))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python trim.py path/to/LLMBar path/to/LLM-Rubric")
    llmbar(Path(sys.argv[1]))
    llm_rubric(Path(sys.argv[2]))
