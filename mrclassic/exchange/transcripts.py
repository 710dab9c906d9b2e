"""HH-RLHF: two whole transcripts a row, alike up to the last reply (Bai et al. 2022, github.com/anthropics/hh-rlhf).

{"chosen": "\\n\\nHuman: Hello.\\n\\nAssistant: Good day.", "rejected": "\\n\\nHuman: Hello.\\n\\nAssistant: What?"}
"""

from __future__ import annotations

import re

from mrclassic.store.preferences import message
from mrclassic.tasks.base import BadRow

_TURN = re.compile(r"\n\n(Human|Assistant):")
_ROLES = {"Human": "user", "Assistant": "assistant"}


def is_transcript(text: object) -> bool:
    """Whether a text is one."""
    return isinstance(text, str) and _TURN.match(text) is not None


def messages(text: object, name: str) -> list[dict[str, str]]:
    """A transcript in chat form, its last message a reply; turns of one speaker in a row are one. Raises BadRow."""
    if not isinstance(text, str) or not is_transcript(text):
        raise BadRow(f'its {name} text does not begin with a blank line and "Human:" or "Assistant:"')
    _, *parts = _TURN.split(text)
    found: list[dict[str, str]] = []
    for speaker, words in zip(parts[::2], parts[1::2], strict=True):
        role, words = _ROLES[speaker], words.strip()
        if found and found[-1]["role"] == role:
            words = f"{found.pop()['content']}\n{words}".strip()
        found.append(message(role, words))
    if found[-1]["role"] != "assistant":
        raise BadRow(f"its {name} text ends with a question")
    return found
