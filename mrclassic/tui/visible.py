"""Text from a model or from elsewhere, made harmless to look at.

A control character in it would reach the terminal as a command: ESC alone can move the cursor, recolour the screen or
rename the window. Each is shown as its picture instead; what is stored stays as it was.
"""

from __future__ import annotations

_KEPT = "\n\t"
_PICTURES: dict[int, int | str] = {
    **{code: 0x2400 + code for code in range(0x20) if chr(code) not in _KEPT},
    0x7F: 0x2421,
    # Unicode's own line and paragraph separators: a text box would break lines there.
    0x2028: "\n",
    0x2029: "\n",
    **dict.fromkeys(range(0x80, 0xA0), 0xFFFD),
    # Overrides of the writing direction can make a line read as its opposite.
    **dict.fromkeys((*range(0x202A, 0x202F), *range(0x2066, 0x206A)), 0xFFFD),
}


def visible(text: str) -> str:
    """The text with every control character but line breaks and tabs replaced by a picture of it."""
    return text.replace("\r\n", "\n").replace("\r", "\n").translate(_PICTURES)
