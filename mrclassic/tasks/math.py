"""MATH: competition problems whose worked solution ends in \\boxed{the answer}; levels 1 to 5, and a subject.

An answer is right if it says the same as the gold one, however it is written: see `answers`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mrclassic.tasks import answers
from mrclassic.tasks.base import BadRow, Item, Judgement, ask
from mrclassic.tasks.dataset import Dataset, text_of

_LEVEL = re.compile(r"(?:level\s*)?([1-5])(?:\.0)?", re.IGNORECASE)
_UNKNOWN_LEVEL = "1"  # the published files say "Level ?" of a few problems


class Math(Dataset):
    """Rows of `problem`, `solution` and `answer`, with `level` and `subject` (or `type`)."""

    name = "math"
    about = "competition mathematics, judged as mathematics"

    def row(self, data: Mapping[str, Any]) -> Item:
        """The gold is the `answer`, else the last box of the `solution`."""
        question = text_of(data, "problem", "question", "prompt", default="")
        solution = text_of(data, "solution", default="")
        gold = text_of(data, "answer", default="").strip()
        if not gold:
            boxed = answers.find(solution) if "\\boxed" in solution else None
            if boxed is None:
                raise BadRow('it has no "answer", and its "solution" has no \\boxed{...}')
            gold = boxed.strip()
        found = _LEVEL.fullmatch(str(data.get("level", "")).strip())
        meta = {"level": found[1] if found else _UNKNOWN_LEVEL}
        subject = data.get("subject", data.get("type"))
        if isinstance(subject, str) and subject:
            meta["subject"] = subject
        trace = solution if "\\boxed" in solution else f"{solution}\n\\boxed{{{gold}}}".strip()
        return ask(question, gold, trace, **meta)

    def check(self, item: Item, completion: str) -> Judgement:
        """Right if the completion's one answer says what the gold says."""
        return answers.judge(item.answer, completion)

    def check_all(self, items: Sequence[Item], completions: Sequence[str]) -> list[Judgement]:
        """As `check`; what takes computer algebra is done together."""
        return answers.judge_all([item.answer for item in items], completions)


def task(folder: Path | None) -> Math:
    """The task on the owner's files in `folder`, or on the sample."""
    return Math(folder)
