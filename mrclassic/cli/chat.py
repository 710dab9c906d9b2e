"""A conversation line by line, for pipes and screen readers: `mrclassic chat --plain`."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from mrclassic.cli import common
from mrclassic.errors import MrClassicError

if TYPE_CHECKING:
    import asyncio

    from mrclassic.cli.asking import Asked
    from mrclassic.mind.client import MindClient
    from mrclassic.store import Pick, Store

_HELP = """Type a message. Then a number picks a candidate, a number with = and text takes it as you have changed it,
and = followed by text gives your own reply. /again draws other candidates, /skip goes on without a reply, /flag keeps
the question for later, /undo takes the last pick back, /redo takes it once more, /rate 1 to /rate 5 says how good the
conversation is, /new begins a new one, /quit leaves. Two slashes begin a message with one."""
_EDITED = re.compile(r"([1-9]) ?=(.*)")


def chat(
    ctx: typer.Context,
    plain: Annotated[bool, typer.Option("--plain", help="Line by line, without a screen.")] = False,
) -> None:
    """Chat in the app, or with --plain line by line (for pipes and screen readers).

    Example: printf 'Hello.\\n1\\n/quit\\n' | mrclassic chat --plain
    """
    if not plain:
        from mrclassic.cli.open import open_app

        open_app(ctx)
        return
    import asyncio

    from mrclassic.cli import asking

    current = common.session(ctx)
    with asyncio.Runner() as runner:
        client = asking.connect(ctx, current)
        try:
            _Lines(current, current.store(), client, runner).run()
        finally:
            runner.run(client.aclose())


class _Lines:
    """The conversation's state between two lines."""

    def __init__(self, current: common.Session, store: Store, client: MindClient, runner: asyncio.Runner) -> None:
        self._current, self._store, self._client, self._runner = current, store, client, runner
        self._input = common.stdin()
        self._conversation: int | None = None
        self._asked: Asked | None = None
        self._undone: list[Pick] = []  # what /redo takes once more, the last of it first

    def run(self) -> None:
        """Read lines until the input ends or /quit."""
        if self._input.isatty():
            common.say(_HELP)
        while (line := self._read()) is not None and line != "/quit":
            # One thing that fails must not end the conversation: say it, and read on.
            try:
                self._obey(line)
            except MrClassicError as error:
                common.say(str(error))

    def _read(self) -> str | None:
        if self._input.isatty():
            sys.stderr.write("> ")
            sys.stderr.flush()
        line = self._input.readline()
        return line.strip() if line else None

    def _obey(self, line: str) -> None:
        from mrclassic.cli import asking

        if not line:
            return
        if line.startswith("//"):
            self._say(line[1:])
        elif line.startswith("/"):
            self._command(line)
        elif line.startswith("="):
            self._take(own=asking.not_empty(line[1:], "The reply"))
        elif self._asked is not None and (edited := _EDITED.fullmatch(line)):
            self._take(pick=int(edited[1]), own=asking.not_empty(edited[2], "The reply"))
        elif self._asked is not None and line.isascii() and line.isdigit():
            self._take(pick=int(line))
        else:
            self._say(line)

    def _command(self, line: str) -> None:
        from mrclassic.store import curation

        if line == "/new":
            self._conversation, self._asked = None, None
            common.say("A new conversation.")
        elif line == "/undo":
            undone = curation.undo(self._store, self._current.home)
            common.say("Taken back." if undone else "There is nothing to undo.")
            if undone is not None and undone.supersedes is not None:
                self._undone.append(self._store.picks.get(undone.supersedes))
            # A second thought about a question that was answered leaves it so.
            if undone is not None and not (undone.message is None and self._store.conversations.replies(undone.prompt)):
                self._reopen(undone.prompt)
        elif line == "/redo":
            self._redo()
        elif line == "/again":
            if self._asked is None:
                raise MrClassicError("Say something first.")
            self._draw(self._asked.prompt)
        elif line in ("/skip", "/flag"):
            if self._asked is None:
                raise MrClassicError("Say something first.")
            (curation.skip if line == "/skip" else curation.flag)(self._store, self._asked.prompt)
            common.say("Skipped." if line == "/skip" else "Flagged for later.")
            self._asked = None if line == "/skip" else self._asked
            self._undone.clear()
        elif (words := line.split())[0] == "/rate" and len(words) == 2 and words[1].isdecimal():
            if self._conversation is None:
                raise MrClassicError("Say something first.")
            self._store.ratings.add(self._conversation, int(words[1]))
            common.say("Rated." if int(words[1]) else "No longer rated.")
        elif line == "/help":
            common.say(_HELP)
        else:
            raise MrClassicError(f"There is no command {line}; /help tells them all.")

    def _say(self, text: str) -> None:
        from mrclassic.cli import asking

        prompt = asking.post(self._store, asking.not_empty(text, "The message"), self._conversation)
        self._conversation = self._store.conversations.message(prompt).conversation
        self._draw(prompt)

    def _draw(self, prompt: int) -> None:
        from mrclassic.cli import asking

        self._asked = None
        chat = self._current.settings.chat
        self._asked = self._runner.run(asking.draw(self._client, self._store, prompt, chat, None))
        if self._asked.notice:
            common.say(self._asked.notice)
        asking.show(self._asked)

    def _reopen(self, prompt: int) -> None:
        """The question whose reply was taken back stands open again, with the candidates it had."""
        from mrclassic.cli import asking

        candidates = self._store.candidates.for_prompt(prompt)
        self._conversation = self._store.conversations.message(prompt).conversation
        self._asked = None
        if candidates:
            self._asked = asking.Asked(prompt, self._conversation, candidates[0].checkpoint, candidates, None)
            asking.show(self._asked)

    def _take(self, pick: int | None = None, own: str | None = None) -> None:
        from mrclassic.cli import asking

        if self._asked is None:
            raise MrClassicError("Say something first; then a number or = and your own words give the reply.")
        taken = asking.take(self._current, self._store, self._asked.prompt, pick=pick, own=own)
        self._asked = None
        self._undone.clear()
        self._told(taken)

    def _redo(self) -> None:
        from mrclassic.store import curation

        open_ = [pick for pick in self._undone if not self._store.conversations.retracted(pick.prompt)]
        if not open_:
            raise MrClassicError("There is nothing to redo.")
        self._undone, pick = open_[:-1], open_[-1]
        taken = curation.redo(self._store, self._current.home, pick)
        self._conversation = self._store.conversations.message(pick.prompt).conversation
        if pick.kind != "flag":
            self._asked = None
        if pick.kind in ("skip", "flag"):
            common.say("Skipped again." if pick.kind == "skip" else "Flagged again.")
        else:
            self._told(taken)

    def _told(self, taken: Pick) -> None:
        from mrclassic.cli import asking

        common.say(f"Taken: {taken.text.strip()}")
        common.say(f"{asking.count(asking.waiting(self._current, self._store))}.")
