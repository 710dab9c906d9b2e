"""What the app asks of the store: the conversation in front of the owner, his picks, and the facts around them.

Everything here runs on the store's thread (`store_thread.py`) and knows no widget.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from mrclassic import lease
from mrclassic.book import load as load_book
from mrclassic.errors import MrClassicError, UsageError
from mrclassic.tui import memory, shelf
from mrclassic.tui.draw import Draw, Piece, restored
from mrclassic.tui.library import Library
from mrclassic.tui.memory import Memory, Wish
from mrclassic.tui.models import Branch, Side, tree
from mrclassic.tui.nights import Listed, listed
from mrclassic.tui.review import Review
from mrclassic.tui.tonight import Tonight, Watcher
from mrclassic.tui.views import NOTES, Standing, View, night_words, title_of
from mrclassic.tui.widgets.history import Line

if TYPE_CHECKING:
    from mrclassic.home import Home
    from mrclassic.store import Pick, Store, Tally
    from mrclassic.store.votes import Choice

LISTED = 100
"""Conversations listed at first, and with each step further down."""
UNDONE = {"skip": "No longer skipped.", "flag": "The flag is taken down."}
REDONE = {"skip": "Skipped again.", "flag": "Flagged again."}


class Desk:
    """The conversation in front of the owner; `leaf` is the message that the next one follows."""

    store: Store

    def __init__(self, home: Home) -> None:
        self.home = home
        self.conversation: int | None = None
        self.leaf: int | None = None
        self.listed = LISTED
        """How many conversations the list shows."""
        self.kind: shelf.Kind = "own"
        self.memory: Memory | None = None
        self._undone: list[Pick] = []
        """What was taken back in this session and may be taken once more, the last of it at the end."""
        self.review = Review(home, lambda: self.store)
        self.library = Library(home, lambda: self.store)
        self._counted: tuple[tuple[str, int, int], int] | None = None
        self._watcher: Watcher | None = None

    def open(self) -> View:
        """Open the store and show the conversation that was open, else the last. (`standing` finishes what a crash left
        out of the book.)"""
        from mrclassic.store import Store

        self.store = Store.open(self.home)
        self.memory = memory.load(self.home)
        with suppress(UsageError):  # it has been deleted since
            if self.memory is not None and self.memory.conversation is not None:
                return self.show(self.store.conversations.get(self.memory.conversation).id)
        return self.last()

    def last(self) -> View:
        """Put the conversation last spoken in on the desk."""
        last = self.store.conversations.list(limit=1)
        if self.memory is None:
            # Whoever has talked here before needs no tour.
            self.memory = Memory(tour=None if last and last[0].messages else 0)
        self.conversation = self.leaf = None
        return self.show(last[0].id) if last else View()

    def remember(self, tour: int | None, wish: Wish | None, instead_of: Wish) -> None:
        """Remember what is open, how far the tour is, and what the owner wants that the settings do not say; nothing is
        written where none of that has changed."""
        now = Memory(self.conversation, tour, wish, instead_of if wish else None)
        if now != self.memory:
            memory.save(self.home, now)
            self.memory = now

    def show(self, conversation: int) -> View:
        """Put a conversation on the desk."""
        self.conversation = conversation
        leaf = self.store.conversations.leaf(conversation)
        return self._view(leaf.id if leaf else None)

    def at(self, message: int) -> View:
        """Put the branch that goes through this message on the desk, down to its end."""
        below = self.store.conversations.below(message)
        self.conversation = below.conversation
        return self._view(below.id)

    def fork(self, message: int) -> View:
        """A new conversation from here on. After an answer it goes on; a message of the owner's comes back to the box,
        to be sent as it is or changed."""
        conversations = self.store.conversations
        chosen = conversations.message(message)
        mine = chosen.role == "user"
        old = conversations.get(chosen.conversation)
        with self.store.transaction():
            above = chosen.parent if mine else chosen.id
            new = conversations.create(system=old.system) if above is None else conversations.fork(above)
            conversations.rename(new.id, f"{old.title} (fork)")
            conversations.set_draft(new.id, chosen.content if mine else "")
        return self.show(new.id)

    def instruct(self, system: str) -> View:
        """Give this conversation other instructions."""
        self.store.conversations.instruct(self._conversation(), system)
        return self.reload()

    def name(self, title: str) -> None:
        """Give this conversation another title."""
        self.store.conversations.rename(self._conversation(), title)

    def close(self) -> None:
        """Close the store."""
        self.store.close()

    def reload(self) -> View:
        """The conversation on the desk as the store has it."""
        return View() if self.conversation is None else self.show(self.conversation)

    def fresh(self) -> View:
        """Begin a new conversation; it is stored with its first character. An empty one is taken up again."""
        self.conversation = self.leaf = None
        for conversation in self.store.conversations.list(limit=1):
            if not conversation.messages:
                return self.show(conversation.id)
        return View()

    def send(self, text: str) -> int:
        """Store the owner's message and clear the draft; returns the message's id."""
        conversation = self._conversation(text)
        message = self.store.conversations.add(conversation, self.leaf, "user", text, origin="user")
        self.store.conversations.set_draft(conversation, "")
        self.leaf = message.id
        return message.id

    def withdraw(self, prompt: int, draft: str) -> None:
        """A message that the model cannot read goes back to the draft; the next one takes its place."""
        from mrclassic.store import curation

        curation.withdraw(self.store, prompt, draft)
        self.leaf = self.store.conversations.message(prompt).parent

    def context(self, prompt: int) -> list[dict[str, str]]:
        """The conversation up to and with `prompt`, as the mind reads it."""
        return [*self.store.preferences.context(prompt)]

    def save_draft(self, text: str) -> None:
        """Keep what is typed and not sent."""
        if text or self.conversation is not None:
            self.store.conversations.set_draft(self._conversation(), text)

    def save_draw(self, draw: Draw) -> None:
        """Store the finished candidates of a draw. A draw is stored once."""
        from mrclassic.store.candidates import NewCandidate

        done = [piece for piece in draw.pieces if piece.done]
        if draw.stored or not done:
            return
        rows = self.store.candidates.add_draw(
            draw.prompt,
            [
                NewCandidate(
                    slot=piece.slot,
                    shown=piece.shown,
                    text=piece.text,
                    tokens=piece.tokens,
                    logprob=piece.logprob,
                    finish_reason=piece.finish_reason or "stop",
                    seed=draw.seed if piece.seed is None else piece.seed,
                    # A server of another kind does not say; then it is as asked, or as such servers do by default.
                    temperature=_known(piece.temperature, draw.temperature),
                    top_p=_known(draw.top_p),
                    checkpoint=draw.checkpoint,
                    duplicate=piece.duplicate,
                )
                for piece in done
            ],
        )
        ids = {row.slot: row.id for row in rows}
        for piece in done:
            piece.id = ids[piece.slot]
        draw.stored = True

    def take(self, draw: Draw, text: str, kind: str, piece: Piece | None = None, of: Draw | None = None) -> str:
        """Make `text`, which is or was a `piece` of `of` (none: `draw`), the answer. Returns why the book must wait."""
        from mrclassic.store import curation

        for each in (of or draw, draw):
            self.save_draw(each)
        self._undone.clear()
        trouble = ""
        try:
            curation.take(self.store, self.home, draw.prompt, text, kind, candidate=piece.id if piece else None)
        except curation.NotBookedError as error:
            trouble = str(error)
        standing = self.store.picks.standing(draw.prompt)
        self.leaf = standing.message if standing else draw.prompt
        if self.conversation is not None:
            self.store.conversations.set_draft(self.conversation, "")
        return trouble

    def skip(self, draw: Draw) -> None:
        """Go on without an answer: the next message takes this one's place."""
        from mrclassic.store import curation

        self.save_draw(draw)
        self._undone.clear()
        curation.skip(self.store, draw.prompt)
        self.leaf = self.store.conversations.message(draw.prompt).parent

    def flag(self, draw: Draw) -> None:
        """Remember these candidates for a later look."""
        from mrclassic.store import curation

        self.save_draw(draw)
        curation.flag(self.store, draw.prompt)

    def undo(self) -> View | None:
        """Take back the last choice in this conversation and show its prompt again; `None` if there is none."""
        from mrclassic.store import curation

        if self.conversation is None:
            return None
        last = self.store.picks.last(self.conversation)
        if last is None:
            return None
        draft = self.store.conversations.draft(self.conversation)
        trouble = ""
        try:
            curation.undo(self.store, self.home, self.conversation)
        except curation.NotBookedError as error:
            trouble = str(error)
        self._undone.append(last)
        said = UNDONE.get(last.kind, "The pick is taken back.")
        # A second thought about a question that was answered took nothing out of the conversation.
        answered = last.message is None and self.store.conversations.replies(last.prompt)
        view = self.show(self.conversation) if answered else self._view(last.prompt)
        return replace(view, draft=draft, said=said, trouble=trouble)

    def redo(self) -> View | None:
        """Take what was last taken back in this conversation once more; `None` if there is nothing."""
        from mrclassic.store import curation

        here, self._undone = self._undone, []
        while here:
            pick = here.pop()
            asked = self.store.conversations.message(pick.prompt)
            if asked.conversation != self.conversation or self.store.conversations.retracted(pick.prompt):
                continue
            trouble = ""
            try:
                curation.redo(self.store, self.home, pick)
            except curation.NotBookedError as error:
                trouble = str(error)
            self._undone = here
            standing = self.store.picks.standing(pick.prompt)
            view = self._view(standing.message if standing and pick.kind not in REDONE else pick.prompt)
            return replace(view, said=REDONE.get(pick.kind, "The pick is taken once more."), trouble=trouble)
        return None

    def branch(self, prompt: int) -> View:
        """Put a conversation on the desk as it stood at one question and its reply: what is sent next follows these."""
        self.conversation = self.store.conversations.message(prompt).conversation
        replies = self.store.conversations.replies(prompt)
        return self._view(replies[-1].id if replies else prompt)

    def rating(self) -> float | None:
        """What the owner thinks of the conversation, if he has said so."""
        rating = None if self.conversation is None else self.store.ratings.of(self.conversation)
        return rating.score if rating else None

    def rate(self, conversation: int, score: int) -> None:
        """Keep what he thinks of it; 0 takes that back."""
        self.store.ratings.add(conversation, score)

    def standing(self) -> Standing:
        """The facts of the status line and of the list."""
        from mrclassic.store import curation

        used = self.store.checkpoints.in_use()
        waiting, trouble = 0, ""
        try:
            curation.settle(self.store, self.home)
            waiting = self._waiting(used.id if used else "")
        except MrClassicError as error:
            trouble = str(error)
        return Standing(
            checkpoint=used.id if used else "no checkpoint",
            waiting=waiting,
            night=night_words(
                self.store.nights.last(),
                practising=lease.night(self.home) is not None,
                waiting=lease.awaited(self.home),
            ),
            trouble=trouble,
            entries=shelf.entries(self.store, self.listed, self.kind),
            imported=self.store.conversations.from_files(),
        )

    def nights(self) -> tuple[Listed, ...]:
        """The nights, newest first."""
        return listed(self.store.nights.list(), self.home.nights)

    def tonight(self) -> Tonight:
        """The night at this moment."""
        if self._watcher is None:
            self._watcher = Watcher(self.home, self.store)
        return self._watcher.look()

    def lineage(self) -> tuple[Branch, ...]:
        """Every checkpoint, as the tree shows it."""
        return tree(self.store, self.home)

    def questions(self, one: str, other: str) -> list[str]:
        """At what two checkpoints can be compared: what the owner asked, newest first, then his book; what they have
        been compared at already comes last."""
        asked = self.store.votes.questions()
        book = [entry.turns[0].user for entry in load_book(self.home.book) if len(entry.turns) == 1]
        voted = self.store.votes.voted(one, other)
        return sorted(dict.fromkeys([*asked, *book]), key=lambda question: question in voted)

    def vote(self, question: str, sides: tuple[Side, Side], choice: Choice, blind: bool) -> Tally:
        """Store a vote; returns how the one on the left fares against the other by now."""
        left, right = sides
        votes = self.store.votes
        votes.add(question, left.checkpoint, right.checkpoint, left.text, right.text, choice, blind=blind)
        return votes.tally(left.checkpoint, right.checkpoint)

    def request(self, kind: str, **payload: object) -> int:
        """Leave a request for the service; returns its number."""
        return self.store.requests.post(kind, payload)

    def answer(self, request: int) -> dict[str, object] | None:
        """What the service answered; None while it has not."""
        found = self.store.requests.get(request)
        return None if found.done is None else found.result or {}

    def _waiting(self, used: str) -> int:
        """How many entries of the book wait to be learnt; counted anew only when book or checkpoint changed."""
        from mrclassic.store import learnt

        facts = self.home.book.stat() if self.home.book.exists() else None
        state = (used, facts.st_mtime_ns if facts else 0, facts.st_size if facts else 0)
        if self._counted is None or self._counted[0] != state:
            self._counted = (state, len(learnt.waiting(self.store, self.home)))
        return self._counted[1]

    def _conversation(self, first: str = "") -> int:
        """The conversation on the desk, made or named where it has not been yet."""
        conversations = self.store.conversations
        if self.conversation is None:
            self.conversation = conversations.create(title=title_of(first)).id
        elif first and not conversations.get(self.conversation).title:
            conversations.rename(self.conversation, title_of(first))
        return self.conversation

    def _view(self, leaf: int | None) -> View:
        """The conversation up to `leaf`, which becomes the message that the next one follows."""
        assert self.conversation is not None
        path = self.store.conversations.path(leaf) if leaf is not None else []
        prompt = path[-1] if path and path[-1].role == "user" else None
        last = self.store.picks.last(self.conversation)
        skipped = prompt is not None and last is not None and (last.kind, last.prompt) == ("skip", prompt.id)
        self.leaf = prompt.parent if skipped and prompt else leaf
        lines = [Line(m.role, m.content, NOTES.get(m.origin, ""), m.id) for m in path]
        if skipped:
            lines[-1], prompt = replace(lines[-1], note="skipped"), None
        talk = self.store.conversations.get(self.conversation)
        if talk.system:
            lines.insert(0, Line("system", talk.system))
        candidates = self.store.candidates.for_prompt(prompt.id) if prompt else []
        return View(
            conversation=self.conversation,
            title=talk.title,
            system=talk.system,
            lines=tuple(lines),
            prompt=prompt.id if prompt else None,
            draw=restored(prompt.id, candidates) if prompt and candidates else None,
            draft=self.store.conversations.draft(self.conversation),
        )


def _known(*values: float | None) -> float:
    """The first that is known; 1, which is every server's default, where none is."""
    return next((value for value in values if value is not None), 1.0)
