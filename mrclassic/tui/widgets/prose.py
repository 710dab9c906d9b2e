"""A finished text as a widget: Markdown where it holds some, plain text otherwise.

Plain text keeps the owner's line breaks and costs a tenth of Markdown to lay out; nothing is rendered as Markdown while
it is still being written.
"""

from __future__ import annotations

import re

from textual.widget import Widget
from textual.widgets import Static

from mrclassic.tui.visible import visible

_MARKDOWN = re.compile(
    r"(^\s{0,3}(#{1,6}\s|[-*+]\s|\d+[.)]\s|>\s|```|\|.+\|))|\*\*\S|`[^`\n]+`|\[[^\]\n]+\]\([^)\n]+\)", re.MULTILINE
)

LONGEST = 6000
"""Characters of one message that are laid out; a pasted book would otherwise hold up every resize."""


def prose(text: str, markdown: bool = True) -> Widget:
    """The widget for a finished text."""
    text = visible(text)
    if len(text) > LONGEST:
        return Static(f"{text[:LONGEST]} … ({len(text) - LONGEST:,} more characters)", markup=False, classes="prose")
    if markdown and _MARKDOWN.search(text):
        from textual.widgets import Markdown

        return Markdown(text, classes="prose")
    return Static(text, markup=False, classes="prose")
