"""Every slash command of the app in one table: what the answer box completes and obeys, and the palette lists.

A message that is to begin with a slash begins with two of them.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

SIGN = "/"


@dataclass(frozen=True)
class Command:
    """One command: `/name argument`."""

    name: str
    help: str
    action: str = ""
    """The action of the app that it stands for; empty: the screen's own `obey` knows it."""
    argument: str = ""
    """What may follow it, as it is shown; in brackets where it may be left out, and empty where nothing may."""

    @property
    def usage(self) -> str:
        """As it is written: `/theme [NAME]`."""
        return f"{SIGN}{self.name} {self.argument}".rstrip()

    @property
    def alone(self) -> bool:
        """Whether it may stand without an argument."""
        return not self.argument or self.argument.startswith("[")


COMMANDS = (
    Command("help", "Every key and what it does", "app.help"),
    Command("new", "Begin a new conversation", "screen.new"),
    Command("prompts", "Let Mr. Classic be asked, question after question; once more stops", "screen.practise"),
    Command("undo", "Take back the last pick", "screen.undo"),
    Command("redo", "Take what was taken back once more", "screen.redo"),
    Command("again", "Draw all answers again", "screen.redraw"),
    Command("skip", "Go on without picking", "screen.skip"),
    Command("flag", "Flag these answers for later", "screen.flag"),
    Command("count", "How many answers are given; `off`: as the settings say", argument="[1-9]"),
    Command("temperature", "How varied they are: 0 is always the same; `off` likewise", argument="[0-5]"),
    Command("details", "Length and log-probability of each answer, or not", "screen.details"),
    Command("copy", "Copy the last answer", "screen.copy_last"),
    Command("system", "Instructions for this conversation; `off` takes them away", argument="[TEXT]"),
    Command("title", "Name this conversation", argument="[TEXT]"),
    Command("find", "Search all conversations", argument="[WORDS]"),
    Command("conversations", "To the list of conversations; from there, hide it", "screen.conversations"),
    Command("archive", "Put this conversation out of the list, or back", "screen.archive_this"),
    Command("delete", "Delete this conversation for good", "screen.delete_this"),
    Command("export", "Write this conversation to a file", argument="[markdown|json]"),
    Command("import", "Take in conversations or preferences from a file", argument="FILE"),
    Command("picks", "Your picks, to look at again and change", "screen.picks"),
    Command("book", "The book: all entries, and what is known of them", "screen.book"),
    Command("rate", "Say how good this conversation is", "screen.rate"),
    Command("lesson", "Learn the picks that wait, now", "screen.lesson"),
    Command("night", "The nights and their reports", "screen.nights"),
    Command("model", "The models; with a name, that one answers from now on", argument="[NAME]"),
    Command("models", "The models, and where each came from", "screen.models"),
    Command("practice", "Levels and scores, curriculum, plugins, a reply tried", "screen.skills"),
    Command("theme", "Other colours", argument="[NAME]"),
    Command("palette", "Everything, to be searched", "app.command_palette"),
    Command("tour", "The five steps for newcomers, from the first", argument="[next|off]"),
    Command("quit", "Leave; what is written stays", "app.quit"),
)
BY_NAME = {command.name: command for command in COMMANDS}


@dataclass(frozen=True)
class Entered:
    """A line of the answer box that is a command."""

    command: Command
    argument: str


@dataclass(frozen=True)
class Offer:
    """One way to complete what is typed."""

    text: str
    """What the box holds once it is taken."""
    shown: str
    help: str
    whole: bool
    """Whether it can be obeyed as it stands."""


def read(text: str) -> Entered | str:
    """The command that `text` is, or the message: what is no command, and without its first sign what begins with two.
    Raises LookupError, with a sentence, for a command that there is not."""
    if not text.startswith(SIGN):
        return text
    if text.startswith(2 * SIGN):
        return text.removeprefix(SIGN)
    name, _, argument = text.removeprefix(SIGN).partition(" ")
    name, argument = name.strip().lower(), argument.strip()
    command = BY_NAME.get(name)
    if command is None:
        near = difflib.get_close_matches(name, BY_NAME, n=1)
        hint = f"did you mean /{near[0]}?" if near else "type / to see all of them."
        raise LookupError(f"There is no command /{name}; {hint} (A message that begins with / is written with two.)")
    return Entered(command, argument)


def offers(text: str, choices: Mapping[str, Sequence[str]]) -> list[Offer]:
    """What `text` may become: commands by their beginning, then the arguments of those that `choices` names."""
    if not text.startswith(SIGN) or text.startswith(2 * SIGN) or "\n" in text:
        return []
    name, space, argument = text.removeprefix(SIGN).partition(" ")
    if not space:
        return [
            Offer(f"{SIGN}{command.name}{' ' if command.argument else ''}", command.usage, command.help, command.alone)
            for command in COMMANDS
            if command.name.startswith(name.lower())
        ]
    return [
        Offer(f"{SIGN}{name} {choice}", choice, "", True)
        for choice in choices.get(name.lower(), ())
        if choice.startswith(argument) and choice != argument
    ]
