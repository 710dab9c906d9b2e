"""A screen that says things in the corner: a sentence, or what has failed."""

from __future__ import annotations

from time import monotonic

from textual.notifications import SeverityLevel
from textual.screen import Screen

from mrclassic.tui.visible import visible

COMPLAINT = 10.0
"""Seconds for which a failure is shown."""


class Saying(Screen[None]):
    """What `say` and `complain` are given is shown as it is."""

    def __init__(self) -> None:
        super().__init__()
        self._complained: dict[str, float] = {}

    def say(
        self, sentence: str, *, title: str = "", severity: SeverityLevel = "information", timeout: float = 4
    ) -> None:
        """A sentence in the corner, as it is: what a model or a file put into it is no markup."""
        self.notify(visible(sentence), title=title, severity=severity, timeout=timeout, markup=False)

    def complain(self, what: str, error: BaseException) -> None:
        """Say what failed; not again while it can still be read, for drafts are saved twice a second."""
        sentence, now = f"{what}: {error}", monotonic()
        if now - self._complained.get(sentence, -COMPLAINT) >= COMPLAINT:
            self._complained[sentence] = now
            self.say(sentence, severity="error", timeout=COMPLAINT)
