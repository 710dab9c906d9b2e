"""Reading an answer off the end of a reply: `ANSWER: x`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

ANSWER = re.compile(r"\bANSWER:[ \t]*(\S[^\n]*)\Z")


class Parser:
    """What rubric functions written for verifiers get as `parser`."""

    def parse(self, text: str) -> str:
        """What follows the last `ANSWER:`, if the text ends with that line; else the whole text."""
        text = text.strip()
        found = ANSWER.search(text)
        return found[1] if found else text

    def parse_answer(self, completion: str | Sequence[Mapping[str, str]]) -> str:
        """The same for a completion: its last message."""
        return self.parse(completion if isinstance(completion, str) else completion[-1]["content"])
