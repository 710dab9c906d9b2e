"""What the sentinel says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Action = Literal["continue", "warn", "pause", "roll back", "stop"]


@dataclass(frozen=True)
class Verdict:
    """What to do next and why; `rule` is empty for `continue`."""

    action: Action
    rule: str = ""
    message: str = ""

    @property
    def gravity(self) -> int:
        """0 for `continue`, up to 4 for `stop`."""
        return get_args(Action).index(self.action)


CONTINUE = Verdict("continue")
