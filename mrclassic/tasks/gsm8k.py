"""GSM8K: sums told as stories. The reference works in lines and ends in `#### <number>`; levels are its lines, 2 to 8.

The calculator's marks (`<<48/2=24>>`) are stripped from the worked reply. A reply is right if the one number that it
gives as its answer is the reference's, whatever its unit and form.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mrclassic.tasks import numbers
from mrclassic.tasks.base import BadRow, Item, Judgement, ask
from mrclassic.tasks.dataset import Dataset, text_of

_MARKS = re.compile(r"<<[^<>]*>>")
_FEWEST, _MOST = 2, 8  # lines; the few longer references count as 8


class GSM8K(Dataset):
    """Rows of `question` and `answer`."""

    name = "gsm8k"
    about = "sums told as stories"

    def row(self, data: Mapping[str, Any]) -> Item:
        """The gold is what follows the last `####`, or an answer that is only a number."""
        question, answer = text_of(data, "question", "prompt", default=""), text_of(data, "answer")
        body, _, gold = answer.rpartition("####")
        value = numbers.read(gold)
        if value is None:
            raise BadRow('its "answer" does not end in "#### " and a number')
        steps = sum(bool(line.strip()) for line in body.split("\n"))
        trace = f"{_MARKS.sub('', body).strip()}\n#### {value}" if steps else f"#### {value}"
        return ask(question, str(value), trace, level=str(min(max(steps, _FEWEST), _MOST)))

    def check(self, item: Item, completion: str) -> Judgement:
        """Right if the one number that the reply gives is the gold answer."""
        gold = numbers.read(item.answer)
        assert gold is not None, "row() made it"
        return numbers.judge(completion, gold)


def task(folder: Path | None) -> GSM8K:
    """The task on the owner's files in `folder`, or on the sample."""
    return GSM8K(folder)
