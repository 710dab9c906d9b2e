"""The forms of rows. Read: what a row says, as a `Preference` or a `Talk`. Written: a row of each.

trl            {"prompt": [messages], "chosen": [message], "rejected": [message]}; also as plain strings, and
               without "prompt", where both answers begin with it (huggingface.co/docs/trl/dataset_formats)
conversations  {"prompt": [messages], "completion": [message]}: TRL's, a question and its reply
messages       {"messages": [{"role", "content"}]}: OpenAI's (content in text parts too); TRL's for language modelling
sharegpt       {"conversations": [{"from", "value"}]}, and beside it a "title" and a "rating" where there is one
hh             {"chosen": transcript, "rejected": transcript}: HH-RLHF's, see `transcripts`
argilla        a record (docs.argilla.io) with the fields context, prompt, response_1 ... and which of them was chosen,
               the "choice", or the "answer" itself; one whose status is not "submitted" was not answered

What tools say, and what is only a call of one, is left out: a model here has none.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

from mrclassic.exchange import transcripts
from mrclassic.store.preferences import IMPORTED, Messages, Preference, message
from mrclassic.store.ratings import HIGHEST, LOWEST
from mrclassic.tasks.base import BadRow
from mrclassic.training.corpus.documents import BadDocument, document

Row = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Talk:
    """A conversation; its rating from 1 to 5, if it has one."""

    messages: Messages
    title: str = ""
    rating: float | None = None

    @property
    def digest(self) -> str:
        """Names what is said in it (32 hexadecimal digits of a sha256)."""
        said = [[each["role"], each["content"]] for each in self.messages]
        return sha256(json.dumps(said).encode()).hexdigest()[:32]


def read(row: Row, form: str = "auto") -> Preference | Talk:
    """What a row of `form` says (`auto`: of whichever it looks like); raises BadRow with the reason."""
    try:
        return _READERS[guess(row) if form == "auto" else form](row)
    except BadDocument as error:
        raise BadRow(str(error)) from error


def guess(row: Row) -> str:
    """The form that a row looks like; raises BadRow."""
    if row.get("chosen") is not None:
        return "hh" if row.get("prompt") is None and transcripts.is_transcript(row["chosen"]) else "trl"
    for name, form in (("messages", "messages"), ("conversations", "sharegpt"), ("completion", "conversations")):
        if row.get(name) is not None:
            return form
    if "response_1" in row:
        return "argilla"
    raise BadRow('it has none of the fields "chosen", "messages", "conversations", "completion" and "response_1"')


def preference(said: Sequence[dict[str, str]], chosen: str, rejected: str) -> Preference:
    """One answer preferred to another, in the conversation `said`; raises BadRow where that means nothing."""
    if not any(each["role"] == "user" for each in said):
        raise BadRow("there is no question in it")
    if not chosen.strip() or not rejected.strip():
        raise BadRow(f"its {'rejected' if chosen.strip() else 'chosen'} answer is empty")
    if chosen.strip() == rejected.strip():
        raise BadRow("its two answers are the same")
    return Preference(messages=tuple(said), candidates=(chosen, rejected), winner=0, kind=IMPORTED, date="")


def pairs(found: Preference) -> Iterator[dict[str, Any]]:
    """A row of `trl` for each answer that lost."""
    for lost in found.rejected:
        yield {
            "prompt": [*found.messages],
            "chosen": [message("assistant", found.chosen)],
            "rejected": [message("assistant", lost)],
        }


def completion(talk: Talk) -> dict[str, Any]:
    """A row of `conversations`: the last message is what is to be said."""
    return {"prompt": [*talk.messages[:-1]], "completion": [talk.messages[-1]]}


def openai(talk: Talk) -> dict[str, Any]:
    """A row of `messages`."""
    return {"messages": [*talk.messages]}


_FROM = {"user": "human", "assistant": "gpt", "system": "system"}


def sharegpt(talk: Talk) -> dict[str, Any]:
    """A row of `sharegpt`."""
    turns = [{"from": _FROM[each["role"]], "value": each["content"]} for each in talk.messages]
    row: dict[str, Any] = {"title": talk.title} if talk.title else {}
    return row | {"conversations": turns} | ({} if talk.rating is None else {"rating": talk.rating})


def _hh(row: Row) -> Preference:
    chosen, rejected = (transcripts.messages(row.get(name), name) for name in ("chosen", "rejected"))
    if chosen[:-1] != rejected[:-1]:
        raise BadRow("its two texts part before the last reply")
    return preference(chosen[:-1], chosen[-1]["content"], rejected[-1]["content"])


def _trl(row: Row) -> Preference:
    said = _said(row.get("conversations") if row.get("prompt") is None else row["prompt"], "user")
    chosen, rejected = (_said(row.get(name), "assistant", name) for name in ("chosen", "rejected"))
    if len(chosen) > 1 and len(rejected) > 1:  # both begin with the conversation
        if chosen[:-1] != rejected[:-1]:
            raise BadRow("its two answers part before the last message")
        said, chosen, rejected = chosen[:-1], chosen[-1:], rejected[-1:]
    if any(len(answer) != 1 or answer[0]["role"] != "assistant" for answer in (chosen, rejected)):
        raise BadRow("its two answers are not one reply each")
    return preference(said, chosen[0]["content"], rejected[0]["content"])


def _completion(row: Row) -> Talk:
    if row.get("label") is not None:
        raise BadRow("a lone answer with a label is no conversation; give pairs (chosen, rejected)")
    return _talk([*_said(row.get("prompt"), "user"), *_said(row.get("completion"), "assistant", "completion")], row)


def _openai(row: Row) -> Talk:
    return _talk(_said(row.get("messages"), "user"), row)


def _sharegpt(row: Row) -> Talk:
    return _talk(_said(row.get("conversations"), "user"), row)


def _talk(said: Sequence[dict[str, str]], row: Row) -> Talk:
    if not any(each["role"] == "user" for each in said):
        raise BadRow("there is no question in it")
    title, rating = row.get("title"), row.get("rating")
    if rating is not None and not (isinstance(rating, int | float) and LOWEST <= rating <= HIGHEST):
        raise BadRow(f"its rating is not a number from {LOWEST} to {HIGHEST}")
    return Talk(messages=tuple(said), title=title if isinstance(title, str) else "", rating=rating)


def _said(value: object, role: str, name: str = "prompt") -> list[dict[str, str]]:
    """Messages, however they are written; plain words are said by `role`."""
    if isinstance(value, str):
        return [message(role, value)]
    if isinstance(value, Mapping):
        value = [value]
    if not isinstance(value, list):
        if name == "prompt" and value is None:
            return []
        raise BadRow(f"its {name} is neither words nor a list of messages")
    value = [each for each in value if not _of_a_tool(each)]
    who = "conversations" if any(isinstance(each, Mapping) and "from" in each for each in value) else "messages"
    return [message(each["role"], each["content"]) for each in document({who: value}).messages] if value else []


_ROLE = re.compile(r"(?:\A|\n\n)(system|user|assistant): ")


def told(said: Sequence[Mapping[str, str]]) -> str:
    """The field `context`: messages one after the other, each after its role."""
    return "\n\n".join(f"{each['role']}: {each['content']}" for each in said)


def _untold(context: str) -> list[dict[str, str]]:
    """Those messages. (One that has an empty line and then a role in it reads as two.)"""
    before, *parts = _ROLE.split(context)
    if before.strip():
        raise BadRow("its context does not begin with a role, such as `user: `")
    return [message(role, words) for role, words in zip(parts[::2], parts[1::2], strict=True)]


def _argilla(row: Row) -> Preference:
    if (status := _field(row, "status")) not in ("", "submitted"):
        raise BadRow(f"it was not answered ({status})")
    said = [*_untold(_field(row, "context")), message("user", _field(row, "prompt"))]
    shown = [_field(row, name) for name in row if _RESPONSE.fullmatch(name)]
    chosen = _field(row, "answer") or _field(row, _field(row, "choice"))
    others = [each for each in dict.fromkeys(shown) if each.strip() and each.strip() != chosen.strip()]
    if not others:
        raise BadRow("no other answer stands beside the one that was chosen")
    first = preference(said if said[-1]["content"].strip() else [], chosen, others[0])
    return replace(first, candidates=(chosen, *others))


_RESPONSE = re.compile(r"response_[1-9][0-9]*")


def _field(row: Row, name: str) -> str:
    value = row.get(name)
    return value if isinstance(value, str) else ""


def _of_a_tool(turn: object) -> bool:
    """Whether a turn is a tool's, or an assistant's that only calls one."""
    if not isinstance(turn, Mapping):
        return False
    calls = turn.get("tool_calls") or turn.get("function_call")
    return turn.get("role", turn.get("from")) in _TOOLS or bool(calls and not turn.get("content"))


_TOOLS = ("tool", "function", "function_call", "function_response", "observation")
_READERS: dict[str, Callable[[Row], Preference | Talk]] = {
    "trl": _trl,
    "conversations": _completion,
    "messages": _openai,
    "sharegpt": _sharegpt,
    "hh": _hh,
    "argilla": _argilla,
}
