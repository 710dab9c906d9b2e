"""The words that the mind and its clients exchange: OpenAI's chat completions, with a field of our own beside them.

Everything that OpenAI's form has no place for travels in a top-level `mrclassic` object, which other clients ignore:

* on every chunk of a stream: `tokens` and `logprob` of that choice so far;
* on a finishing chunk also `temperature`, `top_p`, `seed` and `duplicate`;
* on the first chunk `checkpoint`, `notice` and `seed`;
* `restart: index` when a choice repeated another one and is drawn again: forget what was shown of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict

from mrclassic.errors import MrClassicError

if TYPE_CHECKING:
    from mrclassic.settings import Chat

ALIAS = "mr-classic"
"""The model name that always means the checkpoint in use."""

NOTHING_HATCHED = "No model here yet; run `mrclassic hatch`."
CONTEXT_EXCEEDED = "context_length_exceeded"


class MindError(MrClassicError):
    """The running model could not answer; `code` is OpenAI's error code where there is one."""

    def __init__(self, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.code = code


class Sampling(TypedDict, total=False):
    """What the settings `chat.*` say of a reply."""

    temperature: float | None
    top_p: float | None
    top_k: int | None
    max_tokens: int | None


def sampling(chat: Chat) -> Sampling:
    """As the owner has set it; a mind that is awake may have been started with other settings."""
    return Sampling(temperature=chat.temperature, top_p=chat.top_p, top_k=chat.top_k, max_tokens=chat.max_tokens)


@dataclass(frozen=True)
class Delta:
    """What became of one candidate since the last one said about it."""

    index: int
    text: str = ""
    finish_reason: str | None = None
    tokens: int = 0
    logprob: float = 0.0
    """Sum over this candidate's tokens so far, its end token included."""
    restart: bool = False
    """It repeated another candidate and is drawn again: clear what was shown, then `text` begins it anew."""
    duplicate: bool = False
    """The model had nothing else to say: this text stands at another place too."""
    temperature: float | None = None
    """On the finishing delta: at which temperature it was drawn."""
    top_p: float | None = None
    seed: int | None = None
    checkpoint: str | None = None
    """On the first delta of a stream: who answers."""
    notice: str | None = None
    """On the first delta: what the owner should know, such as that a damaged checkpoint's parent answers."""


@dataclass(frozen=True)
class Reply:
    """One finished candidate."""

    index: int
    text: str
    tokens: int
    logprob: float
    finish_reason: str
    duplicate: bool
    temperature: float
    top_p: float
    seed: int


@dataclass(frozen=True)
class Completions:
    """All candidates of one request, in the order of their index."""

    checkpoint: str
    replies: tuple[Reply, ...]
    notice: str | None = None


def error_body(message: str, kind: str, code: str | None = None, param: str | None = None) -> dict[str, Any]:
    """An error as OpenAI words it."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def read_error(body: object) -> MindError | None:
    """The error in a decoded response body, if it is one."""
    error = body.get("error") if isinstance(body, Mapping) else None
    if not isinstance(error, Mapping):
        return None
    code = error.get("code")
    return MindError(str(error.get("message") or "The model gave an error without words."), str(code) if code else None)


def read_chunk(chunk: Mapping[str, Any]) -> list[Delta]:
    """The deltas in one `chat.completion.chunk`."""
    extra: Mapping[str, Any] = chunk.get("mrclassic") or {}
    deltas = []
    for choice in chunk.get("choices", ()):
        index = int(choice["index"])
        deltas.append(
            Delta(
                index=index,
                text=(choice.get("delta") or {}).get("content") or "",
                finish_reason=choice.get("finish_reason"),
                tokens=int(extra.get("tokens", 0)),
                logprob=float(extra.get("logprob", 0.0)),
                restart=extra.get("restart") == index,
                duplicate=bool(extra.get("duplicate", False)),
                temperature=extra.get("temperature"),
                top_p=extra.get("top_p"),
                seed=extra.get("seed"),
                checkpoint=extra.get("checkpoint"),
                notice=extra.get("notice"),
            )
        )
    return deltas


def read_completion(body: Mapping[str, Any]) -> Completions:
    """A whole `chat.completion` body."""
    extra: Mapping[str, Any] = body.get("mrclassic") or {}
    facts = {int(fact["index"]): fact for fact in extra.get("replies", ())}
    replies = []
    for choice in body.get("choices", ()):
        index = int(choice["index"])
        fact = facts.get(index, {})
        replies.append(
            Reply(
                index=index,
                text=choice["message"].get("content") or "",
                tokens=int(fact.get("tokens", 0)),
                logprob=float(fact.get("logprob", 0.0)),
                finish_reason=str(choice.get("finish_reason")),
                duplicate=bool(fact.get("duplicate", False)),
                temperature=float(fact.get("temperature", 0.0)),
                top_p=float(fact.get("top_p", 1.0)),
                seed=int(fact.get("seed", 0)),
            )
        )
    replies.sort(key=lambda reply: reply.index)
    return Completions(str(extra.get("checkpoint", body.get("model", ""))), tuple(replies), extra.get("notice"))


def well_formed(text: str) -> str:
    """`text` with halves of surrogate pairs replaced: JSON and argv can carry them, UTF-8 and the database cannot."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
