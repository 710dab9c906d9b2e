"""Fitting a conversation into what the model can read: older turns fall away from the front, silently."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from mrclassic.mind.parameters import ApiError
from mrclassic.mind.protocol import CONTEXT_EXCEEDED
from mrclassic.model.tokenizer import Tokenizer

_SHORTEST_REPLY = 16
"""Tokens that must stay free for the reply; with fewer an answer would be cut in its first words."""


def fit(messages: Sequence[dict[str, str]], tokenizer: Tokenizer, context: int, max_tokens: int) -> list[int]:
    """Token ids of the conversation, up to where the reply begins.

    What opens it as `system` is kept, and so is the last message; turns between are dropped, oldest first, until a
    reply of `max_tokens` fits (at least half of the context is left to the conversation, whatever was asked for).
    Raises `ApiError` when the last message alone is too long.
    """
    opening = next((place for place, message in enumerate(messages) if message["role"] != "system"), 0)
    system, rest = list(messages[:opening]), list(messages[opening:])
    begins = [place for place, message in enumerate(rest) if message["role"] == "user"]  # a turn begins with the user

    def encoded(turn: int) -> list[int]:
        return tokenizer.encode_chat(system + rest[begins[turn] :], generate=True)

    wished = context - min(max_tokens, context // 2)
    whole = tokenizer.encode_chat(messages, generate=True)
    if len(whole) <= wished:
        return whole
    # The fewer turns, the fewer tokens: the first turn from which on everything fits.
    first = bisect_left(range(len(begins) - 1), True, key=lambda turn: len(encoded(turn)) <= wished)
    ids = encoded(first)
    if len(ids) <= max(wished, context - _SHORTEST_REPLY):
        return ids
    what = "The message is" if not system else "The message with its system prompt is"
    why = "Shorten it." if len(ids) > context else "No room is left for a reply. Shorten it."
    raise ApiError(
        f"{what} {len(ids):,} tokens long; this model reads {context:,}. {why}",
        code=CONTEXT_EXCEEDED,
        param="messages",
    )
