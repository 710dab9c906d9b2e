"""A job's pieces in OpenAI's words: the chunks of a stream, or one whole completion."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from mrclassic.mind.desk import Admitted
from mrclassic.mind.driver import Job
from mrclassic.mind.parameters import ApiError, ChatRequest
from mrclassic.mind.protocol import error_body
from mrclassic.mind.replies import Piece, TokenFact


@dataclass
class _Choice:
    """What is known of one candidate when all is said."""

    text: str = ""
    last: Piece | None = None
    facts: list[TokenFact] = field(default_factory=list)

    def take(self, piece: Piece) -> None:
        if piece.restart:
            self.text, self.facts = "", []
        self.text += piece.text
        self.facts += piece.facts
        self.last = piece


async def whole(job: Job, admitted: Admitted) -> dict[str, Any]:
    """A `chat.completion`. Raises `ApiError`."""
    choices = [_Choice() for _ in range(job.asked.n)]
    async for piece in job.pieces():
        choices[piece.index].take(piece)
    return {
        **_head("chat.completion", admitted),
        "choices": [
            {
                "index": index,
                "message": {"role": "assistant", "content": choice.text, "refusal": None},
                "logprobs": _logprobs(job.asked, choice.facts),
                "finish_reason": choice.last.finish_reason if choice.last else None,
            }
            for index, choice in enumerate(choices)
        ],
        "usage": _usage(admitted, choices),
        "mrclassic": {
            **_about(admitted),
            "replies": [
                {"index": choice.last.index, **_numbers(choice.last), **_final(choice.last, admitted)}
                for choice in choices
                if choice.last is not None
            ],
        },
    }


async def chunks(job: Job, admitted: Admitted) -> AsyncIterator[bytes]:
    """The lines of a server-sent stream of `chat.completion.chunk`s, `[DONE]` included."""
    asked = job.asked
    head = _head("chat.completion.chunk", admitted)
    if asked.include_usage:
        head["usage"] = None
    choices = [_Choice() for _ in range(asked.n)]
    for index in range(asked.n):
        opening = _chunk(index, {"role": "assistant", "content": ""})
        yield _event({**head, **opening, "mrclassic": _about(admitted)})
    try:
        async for piece in job.pieces():
            choices[piece.index].take(piece)
            for chunk in _said(piece, asked, admitted):
                yield _event({**head, **chunk})
    except ApiError as error:
        yield _event(error_body(error.message, error.kind, error.code, error.param))
        return
    if asked.include_usage:
        yield _event({**head, "choices": [], "usage": _usage(admitted, choices)})
    yield b"data: [DONE]\n\n"


def _said(piece: Piece, asked: ChatRequest, admitted: Admitted) -> list[dict[str, Any]]:
    """One piece as chunks: its text, then, apart as OpenAI does it, its end."""
    numbers = _numbers(piece)
    said: list[dict[str, Any]] = []
    if piece.restart:
        said.append({**_chunk(piece.index, {}), "mrclassic": {"restart": piece.index}})
    if piece.text or piece.facts:
        logprobs = _logprobs(asked, piece.facts)
        said.append({**_chunk(piece.index, {"content": piece.text}, logprobs), "mrclassic": numbers})
    if piece.finish_reason is not None:
        ending = _chunk(piece.index, {}, finish_reason=piece.finish_reason)
        said.append({**ending, "mrclassic": {**numbers, **_final(piece, admitted)}})
    return said


def _chunk(
    index: int, delta: Mapping[str, Any], logprobs: Mapping[str, Any] | None = None, finish_reason: str | None = None
) -> dict[str, Any]:
    return {"choices": [{"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": finish_reason}]}


def _event(value: Mapping[str, Any]) -> bytes:
    # In ASCII: many clients also end a line at U+0085 or U+2028, which a model may well say.
    return b"data: " + json.dumps(value, separators=(",", ":")).encode() + b"\n\n"


def _head(kind: str, admitted: Admitted) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{secrets.token_hex(12)}",
        "object": kind,
        "created": int(time.time()),
        "model": admitted.checkpoint,
        "system_fingerprint": admitted.checkpoint,
    }


def _about(admitted: Admitted) -> dict[str, Any]:
    return {"checkpoint": admitted.checkpoint, "notice": admitted.notice, "seed": admitted.seed}


def _numbers(piece: Piece) -> dict[str, Any]:
    return {"tokens": piece.tokens, "logprob": round(piece.logprob, 4)}


def _final(piece: Piece, admitted: Admitted) -> dict[str, Any]:
    drawn = {"temperature": piece.temperature, "top_p": admitted.top_p, "seed": admitted.seed}
    return {**drawn, "duplicate": piece.duplicate}


def _usage(admitted: Admitted, choices: list[_Choice]) -> dict[str, int]:
    said = sum(choice.last.tokens for choice in choices if choice.last is not None)
    return {
        "prompt_tokens": admitted.prompt_tokens,
        "completion_tokens": said,
        "total_tokens": admitted.prompt_tokens + said,
    }


def _logprobs(asked: ChatRequest, facts: list[TokenFact] | tuple[TokenFact, ...]) -> dict[str, Any] | None:
    if not asked.logprobs:
        return None
    content = [
        {
            "token": fact.text,
            "logprob": fact.logprob,
            # A token that is a part of a character has no text of its own to show the bytes of.
            "bytes": None if "\ufffd" in fact.text else list(fact.text.encode()),
            "top_logprobs": [],
        }
        for fact in facts
    ]
    return {"content": content, "refusal": None}
