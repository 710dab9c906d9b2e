"""Reading a request for chat completions: OpenAI's parameters, each checked, each refusal a clear 400."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from mrclassic.mind.protocol import ALIAS, well_formed

BODY_LIMIT = 4 * 1024 * 1024
"""Bytes of a request body. The longest context any of our models reads is far below a hundredth of this."""

MOST_CHOICES = 64
LARGEST_SEED = 2**63 - 1
HOTTEST = 5.0
"""As `chat.temperature` allows; beyond it every model speaks noise."""

_Default = TypeVar("_Default", int, int | None)
_OURS = {
    "messages", "model", "n", "stream", "stream_options", "logprobs", "top_logprobs", "seed", "temperature", "top_p",
    "top_k", "max_tokens", "max_completion_tokens", "stop", "distinct",
}  # fmt: skip
# What clients send along without wanting an effect on the text.
_IGNORED = {
    "user", "metadata", "store", "service_tier", "safety_identifier", "prompt_cache_key", "prompt_cache_retention",
    "parallel_tool_calls",
}  # fmt: skip
# What would change the text but is not done here: accepted only at the value that means "nothing".
_NEUTRAL: dict[str, tuple[object, ...]] = {
    "frequency_penalty": (0, None),
    "presence_penalty": (0, None),
    "logit_bias": ({}, None),
    "response_format": ({"type": "text"}, None),
    "tools": ([], None),
    "tool_choice": ("none", "auto", None),
    "functions": ([], None),
    "modalities": (["text"], None),
    "top_logprobs": (0, None),
}
_ROLES = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}


class ApiError(Exception):
    """A request that is answered with an error in OpenAI's form."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        kind: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message, self.status, self.kind, self.code, self.param = message, status, kind, code, param


@dataclass(frozen=True)
class Defaults:
    """What a request leaves open, from the settings `chat.*`; None is left to the model (see `advice`)."""

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    max_tokens: int = 96


@dataclass(frozen=True)
class ChatRequest:
    """A checked request; None is left to the model."""

    messages: tuple[dict[str, str], ...]
    model: str | None
    n: int
    stream: bool
    include_usage: bool
    logprobs: bool
    seed: int | None
    temperature: float | None
    top_p: float | None
    top_k: int | None
    max_tokens: int
    stop: tuple[str, ...]
    distinct: bool

    @property
    def checkpoint(self) -> str | None:
        """The checkpoint that it names; None where it asks for the one in use."""
        return None if self.model in (None, "", ALIAS) else self.model


def read_request(body: bytes, defaults: Defaults) -> ChatRequest:
    """Check `body` and fill in what it leaves open. Raises `ApiError`."""
    try:
        given = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ApiError(f"The body is not JSON ({error}).") from error
    if not isinstance(given, dict):
        raise ApiError("The body must be a JSON object.")
    _refuse_unknown(given)
    limit = "max_completion_tokens" if given.get("max_completion_tokens") is not None else "max_tokens"
    options = given.get("stream_options")
    if not isinstance(options, dict | None):
        raise ApiError("stream_options must be an object.", param="stream_options")
    model = given.get("model")
    if not isinstance(model, str | None):
        raise ApiError("model must be a string.", param="model")
    seeded = given.get("seed") is not None
    return ChatRequest(
        messages=_messages(given.get("messages")),
        model=model,
        n=_integer(given, "n", 1, low=1, high=MOST_CHOICES),
        stream=_flag(given, "stream"),
        include_usage=bool((options or {}).get("include_usage", False)),
        logprobs=_flag(given, "logprobs"),
        seed=_integer(given, "seed", 0, low=-LARGEST_SEED - 1, high=LARGEST_SEED) if seeded else None,
        temperature=_number(given, "temperature", defaults.temperature, low=0.0, high=HOTTEST),
        top_p=_number(given, "top_p", defaults.top_p, low=0.0, high=1.0, above=True),
        top_k=_integer(given, "top_k", defaults.top_k, low=0, high=1_000_000),
        max_tokens=_integer(given, limit, defaults.max_tokens, low=1, high=1_000_000),
        stop=_stop(given.get("stop")),
        distinct=_flag(given, "distinct"),
    )


def _refuse_unknown(given: Mapping[str, Any]) -> None:
    for key, value in given.items():
        if key in _OURS - _NEUTRAL.keys() or key in _IGNORED:
            continue
        if key in _NEUTRAL:
            if value not in _NEUTRAL[key]:
                raise ApiError(f"{key} is not supported here; leave it out.", code="unsupported_parameter", param=key)
            continue
        near = difflib.get_close_matches(key, sorted(_OURS), 1)
        hint = f"; did you mean {near[0]}?" if near else "."
        raise ApiError(f"Unknown parameter {key}{hint}", code="unknown_parameter", param=key)


def _messages(value: object) -> tuple[dict[str, str], ...]:
    if not isinstance(value, list) or not value:
        raise ApiError("messages must be a list with at least one message.", param="messages")
    messages = tuple(_message(message, f"messages[{index}]") for index, message in enumerate(value))
    last = f"messages[{len(messages) - 1}]"
    if messages[-1]["role"] != "user":
        raise ApiError(f"{last} must be the user's: the reply to it is what is asked for.", param=last)
    if not messages[-1]["content"].strip():
        raise ApiError(f"{last} is empty; say something.", param=last)
    return messages


def _message(value: object, where: str) -> dict[str, str]:
    if not isinstance(value, dict):
        raise ApiError(f"{where} must be an object with role and content.", param=where)
    role = value.get("role")
    if not isinstance(role, str) or role not in _ROLES:
        raise ApiError(f"{where}.role must be system, user or assistant.", param=f"{where}.role")
    content = value.get("content")
    if isinstance(content, list):
        texts = [part.get("text") for part in content if isinstance(part, dict) and part.get("type") == "text"]
        known = [text for text in texts if isinstance(text, str)]
        content = "".join(known) if len(known) == len(content) else None
    if not isinstance(content, str):
        raise ApiError(f"{where}.content must be text.", param=f"{where}.content")
    return {"role": _ROLES[role], "content": well_formed(content)}


def _stop(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    stops = [value] if isinstance(value, str) else value
    if not isinstance(stops, list) or len(stops) > 16 or not all(isinstance(stop, str) and stop for stop in stops):
        raise ApiError("stop must be a string or a list of at most 16 strings, none empty.", param="stop")
    return tuple(stops)


def _flag(given: Mapping[str, Any], key: str) -> bool:
    value = given.get(key)
    if not isinstance(value, bool | None):
        raise ApiError(f"{key} must be true or false.", param=key)
    return bool(value)


def _number(
    given: Mapping[str, Any], key: str, default: float | None, *, low: float, high: float, above: bool = False
) -> float | None:
    value = given.get(key)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ApiError(f"{key} must be a number.", param=key)
    # Written so that NaN, which JSON readers let through, is refused.
    if not (low <= value <= high) or (above and value == low):
        span = f"above {low:g} and at most {high:g}" if above else f"from {low:g} to {high:g}"
        raise ApiError(f"{key} must be {span}.", param=key)
    return float(value)


def _integer(given: Mapping[str, Any], key: str, default: _Default, *, low: int, high: int) -> int | _Default:
    value = given.get(key)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int):
        raise ApiError(f"{key} must be a whole number.", param=key)
    if not low <= value <= high:
        raise ApiError(f"{key} must be from {low} to {high}.", param=key)
    return value
