"""A store, opened in a fresh home, and what the tests say often."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from mrclassic.home import Home
from mrclassic.store import Candidate, Message, NewCandidate, Store


@pytest.fixture
def store(home: Home) -> Iterator[Store]:
    with Store.open(home) as opened:
        yield opened


@dataclass(frozen=True)
class Talk:
    """Short forms for a conversation with the store."""

    store: Store

    def ask(self, text: str, conversation: int | None = None) -> Message:
        """A user's message at the end of a conversation (a new one, if none is given)."""
        if conversation is None:
            conversation = self.store.conversations.create().id
        leaf = self.store.conversations.leaf(conversation)
        return self.store.conversations.add(conversation, leaf.id if leaf else None, "user", text)

    def draw(self, prompt: int, *texts: str, checkpoint: str = "c1") -> list[Candidate]:
        """Candidates for a message."""
        return self.store.candidates.add_draw(
            prompt,
            [
                NewCandidate(
                    slot=slot,
                    shown=slot + 1,
                    text=text,
                    tokens=len(text.split()),
                    logprob=-0.5 * slot,
                    finish_reason="stop",
                    seed=slot,
                    temperature=0.7,
                    top_p=1.0,
                    checkpoint=checkpoint,
                )
                for slot, text in enumerate(texts)
            ],
        )


@pytest.fixture
def talk(store: Store) -> Talk:
    return Talk(store)
