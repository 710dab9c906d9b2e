"""One question on its way: stored, asked of the mind, its candidates stored. `ask` and `chat` share it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import typer

from mrclassic.cli import common
from mrclassic.errors import UsageError

if TYPE_CHECKING:
    from mrclassic.mind.client import MindClient
    from mrclassic.settings import Chat
    from mrclassic.store import Candidate, Pick, Store

_TITLE = 60
Best = Callable[[Sequence[dict[str, str]], Sequence[str]], int]


@dataclass(frozen=True)
class Asked:
    """A user's message and what the model would say to it, in the order shown."""

    prompt: int
    conversation: int
    checkpoint: str | None
    candidates: list[Candidate]
    notice: str | None


def read_text(text: str, what: str) -> str:
    """The words of an argument (`-` reads standard input), well-formed and not empty."""
    return not_empty(common.stdin().read() if text == "-" else text, what)


def not_empty(text: str, what: str) -> str:
    """`text`, well-formed and without the white space around it."""
    from mrclassic.mind.protocol import well_formed

    words = well_formed(text).strip()
    if not words:
        raise UsageError(f"{what} is empty; say something.")
    return words


def post(store: Store, text: str, conversation: int | None) -> int:
    """Store the user's message, in a new conversation when none is given; returns the message's id.

    It hangs below the last reply: an earlier question that nobody answered is not part of what the model reads.
    """
    if conversation is None:
        title = " ".join(text.split())
        title = title if len(title) <= _TITLE else title[: _TITLE - 1] + "…"
        conversation = store.conversations.create(title=title).id
    above = store.conversations.leaf(conversation)
    while above is not None and above.role != "assistant":
        above = store.conversations.message(above.parent) if above.parent is not None else None
    message = store.conversations.add(conversation, above.id if above else None, "user", text, origin="user")
    return message.id


def connect(ctx: typer.Context, current: common.Session) -> MindClient:
    """The mind of this home, on the device that was asked for."""
    from mrclassic.mind.client import MindClient

    return MindClient(current.home, ctx.ensure_object(common.Root).device)


async def draw(
    client: MindClient, store: Store, prompt: int, chat: Chat, seed: int | None, best: Best | None = None
) -> Asked:
    """Ask for candidates to the message `prompt` and store them as drawn; they are shown shuffled, duplicates last.
    With `best` only the one that it names is shown and stored: what nobody saw was not turned down."""
    from mrclassic.mind.protocol import sampling
    from mrclassic.store import NewCandidate
    from mrclassic.tui.draw import shuffled

    messages = [*store.preferences.context(prompt)]
    answer = await client.complete(messages, n=chat.candidates, seed=seed, **sampling(chat))
    # The same seed gives the same candidates, in the same order.
    places = shuffled(prompt if seed is None else seed, 1, len(answer.replies))
    shown = sorted(answer.replies, key=lambda reply: (reply.duplicate, places[reply.index]))
    if best is not None:
        shown = [shown[best(messages, [reply.text for reply in shown])]]
    candidates = store.candidates.add_draw(
        prompt,
        [
            NewCandidate(
                slot=reply.index,
                shown=place,
                text=reply.text,
                tokens=reply.tokens,
                logprob=reply.logprob,
                finish_reason=reply.finish_reason,
                seed=reply.seed,
                temperature=reply.temperature,
                top_p=reply.top_p,
                checkpoint=answer.checkpoint,
                duplicate=reply.duplicate,
            )
            for place, reply in enumerate(shown, start=1)
        ],
    )
    conversation = store.conversations.message(prompt).conversation
    return Asked(prompt, conversation, answer.checkpoint, candidates, answer.notice)


def take(current: common.Session, store: Store, prompt: int, *, pick: int | None, own: str | None) -> Pick:
    """Make the candidate shown as `pick`, or `own` words, the reply to `prompt`; with both, the candidate as it reads
    with the owner's changes."""
    from mrclassic.store import curation

    if own is not None and pick is None:
        return curation.take(store, current.home, prompt, own, "typed")
    candidates = {candidate.shown: candidate for candidate in store.candidates.for_prompt(prompt)}
    chosen = candidates.get(pick) if pick is not None else None
    if chosen is None:
        raise UsageError(f"There is no candidate {pick}; pick one from 1 to {len(candidates)}.")
    if own is not None and own != chosen.text.strip():
        return curation.take(store, current.home, prompt, own, "edited", candidate=chosen.id)
    if not chosen.text.strip():
        raise UsageError(f"Candidate {pick} is empty; pick another, or give your own words.")
    return curation.take(store, current.home, prompt, chosen.text, "candidate", candidate=chosen.id)


def facts(asked: Asked) -> dict[str, Any]:
    """What scripts read; the `slot` of a candidate is here the number it is shown with and picked by."""
    keys = ("text", "tokens", "logprob", "finish_reason", "duplicate", "temperature", "seed")
    return {
        "prompt": asked.prompt,
        "conversation": asked.conversation,
        "checkpoint": asked.checkpoint,
        "candidates": [
            {"slot": candidate.shown, **{key: getattr(candidate, key) for key in keys}}
            for candidate in asked.candidates
        ],
        "notice": asked.notice,
    }


def count(left: int) -> str:
    """How much waits, in words."""
    return "1 entry of the book waits to be learned" if left == 1 else f"{left} entries of the book wait to be learned"


def show(asked: Asked) -> None:
    """Print the candidates, numbered as they are picked."""
    for candidate in asked.candidates:
        mark = " (the same again)" if candidate.duplicate else ""
        body = candidate.text.strip() or "(nothing)"
        common.out(f"{candidate.shown}) " + body.replace("\n", "\n   ") + mark)


def waiting(current: common.Session, store: Store) -> int:
    """How many entries of the book the model in use has not learned yet."""
    from mrclassic.store import learnt

    return len(learnt.waiting(store, current.home))
