"""A task of the owner's own: JSON lines with a `prompt` (text or messages) and an `answer`.

An answer that is a number is compared as one (see `numbers.py`), any other as words, without regard to case and spaces.
Optional: `reward`, the name of the reward that scores the row (then the answer may be missing), `level`, `split` and
`trace`, a worked reply to imitate. All further columns are handed to the rewards.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mrclassic.tasks import numbers
from mrclassic.tasks.base import RIGHT, BadRow, Item, Judgement, no_answer
from mrclassic.tasks.dataset import Dataset, text_of
from mrclassic.tasks.trivia import candidates

_OURS = ("prompt", "question", "answer", "split", "trace", "completion")
_ROLES = ("system", "user", "assistant")


class Own(Dataset):
    """Rows of `prompt` and `answer`."""

    about = "your own"

    def __init__(self, name: str, folder: Path | None) -> None:
        super().__init__(folder)
        self.name = name

    def row(self, data: Mapping[str, Any]) -> Item:
        """See the module's docstring."""
        reward = data.get("reward")
        if reward is not None and not isinstance(reward, str):
            raise BadRow('its "reward" is no name')
        answer = text_of(data, "answer", default=None if reward is None else "").strip()
        if not answer and reward is None:
            raise BadRow('its "answer" is empty')
        level = text_of(data, "level", default="1").strip()
        if not level or ":" in level:
            raise BadRow('its "level" is empty or has a colon')
        meta = {key: value for key, value in data.items() if key not in _OURS} | {"level": level}
        return Item(_messages(data), answer, text_of(data, "trace", default=answer), meta)

    @property
    def rewards(self) -> tuple[str, ...]:
        """The rewards that rows name themselves."""
        levels = self.loaded.levels.values()
        named = (item.meta.get("reward") for level in levels for item in (*level.train, *level.held_out))
        return tuple(dict.fromkeys(name for name in named if name))

    def key(self, item: Item) -> str:
        """The whole conversation: the last question alone may be "And then?"."""
        return "\n".join(" ".join(message["content"].split()) for message in item.messages)

    def check(self, item: Item, completion: str) -> Judgement:
        """Right if the reply gives the answer; skipped where the row has none."""
        if not item.answer:
            return Judgement("skipped", f'its row has no "answer"; the reward {item.meta.get("reward")} scores it')
        gold = numbers.read(item.answer)
        if gold is not None:
            return numbers.judge(completion, gold)
        given = candidates(completion)
        if not given:
            return no_answer("it says nothing")
        if all(any(_same(form, item.answer) for form in forms) for forms in given):
            return RIGHT
        return Judgement("wrong", f"{given[0][0]}; the answer is {item.answer}")


def _messages(data: Mapping[str, Any]) -> tuple[Mapping[str, str], ...]:
    prompt = data.get("prompt", data.get("question"))
    if not isinstance(prompt, list):
        return ({"role": "user", "content": text_of(data, "prompt", "question", default="")},)
    messages = []
    for message in prompt:
        role, content = (message.get("role"), message.get("content")) if isinstance(message, dict) else (None, None)
        if role not in _ROLES or not isinstance(content, str):
            raise BadRow('its "prompt" is a list, but not of messages with a "role" and a "content"')
        messages.append({"role": role, "content": content})
    if not messages or messages[-1]["role"] != "user":
        raise BadRow('its "prompt" does not end with a message of the user')
    return tuple(messages)


def _same(given: str, answer: str) -> bool:
    # Only the full stop of a sentence, quotes and spaces are dropped: "C++" is not "C".
    def bare(text: str) -> str:
        return " ".join(text.strip(" \t\n\"'“”").removesuffix(".").strip(" \"'“”").casefold().split())

    return bare(given) == bare(answer)
