"""Curation from the shell: ask, teach, undo, rate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from mrclassic.cli import common
from mrclassic.errors import MrClassicError, UsageError

if TYPE_CHECKING:
    from mrclassic.cli import asking


def ask(
    ctx: typer.Context,
    text: Annotated[str, typer.Argument(help="What to say; - reads standard input.")],
    n: Annotated[int | None, typer.Option("-n", "--candidates", min=1, max=9, help="How many candidates.")] = None,
    temperature: Annotated[float | None, typer.Option(min=0.0, max=5.0, help="0 is the surest reply.")] = None,
    seed: Annotated[int | None, typer.Option(help="The same seed gives the same candidates.")] = None,
    best_of: Annotated[
        int | None,
        typer.Option(min=2, max=9, help="Draw so many, and show only the one that you would likely pick."),
    ] = None,
    go_on: Annotated[bool, typer.Option("--continue", "-c", help="Go on with your last conversation.")] = False,
    as_json: common.JsonFlag = False,
) -> None:
    """Ask the model and see its candidate replies; `teach` then takes one of them.

    Example: mrclassic ask "What is your name?" -n 3
    """
    import asyncio

    from mrclassic.cli import asking

    words = asking.read_text(text, "The question")
    if best_of is not None and n not in (None, 1):
        raise UsageError("--best-of shows one reply; leave out --candidates.")
    current = common.session(ctx, chat__candidates=best_of or n, chat__temperature=temperature)
    best = _liked(current) if best_of is not None else None
    chat = current.settings.chat
    store = current.store()
    latest = store.conversations.list(limit=1) if go_on else []
    if go_on and not latest:
        raise UsageError("There is no conversation to go on with yet; ask without --continue.")
    prompt = asking.post(store, words, latest[0].id if latest else None)

    async def answer() -> asking.Asked:
        client = asking.connect(ctx, current)
        try:
            return await asking.draw(client, store, prompt, chat, seed, best)
        finally:
            await client.aclose()

    asked = asyncio.run(answer())
    if asked.notice:
        common.say(asked.notice)
    if as_json:
        common.emit(asking.facts(asked))
        return
    asking.show(asked)
    common.say('Pick one with `mrclassic teach --pick 1`, or `mrclassic teach --say "your own words"`.')


def _liked(current: common.Session) -> asking.Best:
    """Which of some replies the owner would most likely pick. A taste that is no reward yet may still order replies."""
    from mrclassic.night import taste

    return taste.opened(current.home, as_reward=False).best


def teach(
    ctx: typer.Context,
    pick: Annotated[int | None, typer.Option(min=1, help="The candidate with this number is the right reply.")] = None,
    say: Annotated[str | None, typer.Option(help="The right reply in your own words; - reads standard input.")] = None,
    as_json: common.JsonFlag = False,
) -> None:
    """Say which reply to the last question was right, or give a better one; it goes into the book.

    Example: mrclassic teach --pick 2
    """
    from mrclassic.cli import asking

    if (pick is None) == (say is None):
        raise UsageError("Give either --pick K or --say TEXT.")
    own = asking.read_text(say, "The reply") if say is not None else None
    current = common.session(ctx)
    store = current.store()
    prompt = store.candidates.last_unanswered()
    if prompt is None:
        raise UsageError('No question waits for its reply; ask one first: mrclassic ask "Hello."')
    taken = asking.take(current, store, prompt, pick=pick, own=own)
    left = asking.waiting(current, store)
    if as_json:
        facts = {"pick": taken.id, "prompt": prompt, "kind": taken.kind, "text": taken.text, "waiting": left}
        common.emit({**facts, "replaced": bool(taken.replaced_entry)})
        return
    question = store.conversations.message(prompt).content
    common.out(f"{question}\n-> {taken.text.strip()}")
    common.say(f"{asking.count(left)}. `mrclassic lesson` teaches what waits.")


def undo(ctx: typer.Context, as_json: common.JsonFlag = False) -> None:
    """Take back the last pick, skip or flag: the question is open again, and the book is as it was before.

    Example: mrclassic undo
    """
    from mrclassic.cli import asking
    from mrclassic.store import curation

    current = common.session(ctx)
    store = current.store()
    undone = curation.undo(store, current.home)
    if undone is None:
        raise MrClassicError("There is nothing to undo.")
    left = asking.waiting(current, store)
    kind = store.picks.get(undone.supersedes).kind if undone.supersedes is not None else ""
    question = store.conversations.message(undone.prompt).content
    if as_json:
        facts = {"undone": undone.supersedes, "kind": kind, "prompt": undone.prompt, "question": question}
        common.emit({**facts, "text": undone.text, "waiting": left})
        return
    said = {"skip": "the skip of", "flag": "the flag on"}.get(kind)
    common.out(f"Taken back: {said} {question}" if said else f"Taken back: {question}\n-> {undone.text.strip()}")
    common.say(f"{asking.count(left)}.")


def rate(
    ctx: typer.Context,
    score: Annotated[int, typer.Argument(min=0, max=5, help="1 is poor, 5 splendid; 0 takes the rating back.")],
    conversation: Annotated[
        int | None, typer.Option(min=1, metavar="ID", help="Which one (default: the one you last spoke in).")
    ] = None,
    as_json: common.JsonFlag = False,
) -> None:
    """Say what you think of a conversation as a whole, as far as it has come. The latest rating of it counts.

    Example: mrclassic rate 4
    """
    with common.session(ctx).store() as store:
        latest = store.conversations.list(limit=1) if conversation is None else []
        if conversation is None and not latest:
            from_files = " of your own" if store.conversations.from_files() else ""
            raise UsageError(f"There is no conversation{from_files} to rate yet; --conversation ID names another.")
        rated = store.conversations.get(latest[0].id if conversation is None else conversation)
        rating = store.ratings.add(rated.id, score)
    if as_json:
        common.emit(rating)
        return
    what = "Rated " + "★" * score + "☆" * (5 - score) if score else "No longer rated"
    common.out(f"{what}: {rated.title or f'conversation {rated.id}'}")
