"""Every key of the app in one table: the bindings, the hint line and the help page are made from it.

A binding's id is stable: the owner's settings name it (`[keys]` in mrclassic.toml) to move it to another key, so an id
is never renamed. No command has a Ctrl key as its only way, because tmux and screen take those for themselves.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass

from textual.binding import Binding, BindingType
from textual.dom import DOMNode
from textual.keys import Keys, key_to_character

from mrclassic.errors import UsageError


@dataclass(frozen=True)
class Key:
    """One command and the keys that reach it."""

    id: str
    keys: str
    action: str
    hint: str
    """What the hint line says; empty where there is no room for it."""
    help: str
    """What the help page says."""
    priority: bool = False

    @property
    def place(self) -> str:
        """Where the key works: the part of the id before the dot."""
        return self.id.partition(".")[0]


PLACES = {
    "app": "Everywhere",
    "chat": "In the chat",
    "candidates": "While the answers wait",
    "box": "In the answer box",
    "history": "In the history",
    "list": "In the list of conversations",
    "find": "In the search above it",
    "nights": "On the page of the nights",
    "picks": "On the page of the picks",
    "book": "On the page of the book",
    "editor": "While the book is edited",
    "models": "On the page of the models",
    "compare": "While two models are compared",
    "skills": "On the page of practice",
}

KEYS = (
    Key("app.help", "f1,question_mark", "app.help", "help", "This page"),
    Key("app.quit", "f10,ctrl+q,q", "app.quit", "quit", "Leave; what is written stays (q: outside the answer box)"),
    Key("app.theme", "f9", "app.next_theme", "", "Other colours: dark, light, and both with high contrast"),
    Key("app.palette", "ctrl+p,colon", "app.command_palette", "", "Everything, to be searched (: outside the box)"),
    Key(
        "chat.conversations",
        "f2",
        "screen.conversations",
        "conversations",
        "To the list of conversations; from there, hide it",
    ),
    Key("chat.new", "f3", "screen.new", "new", "Begin a new conversation"),
    Key("chat.picks", "f4", "screen.picks", "picks", "Your picks, to look at again and change", priority=True),
    Key("chat.book", "alt+k", "screen.book", "book", "The book: all entries, and what is known of them", priority=True),
    Key("chat.wake", "f5", "screen.wake", "", "Wake the model again after a failure"),
    Key("chat.lesson", "f6", "screen.lesson", "lesson", "Learn the picks that wait, now", priority=True),
    Key("chat.nights", "f7", "screen.nights", "nights", "The night that runs, and all reports", priority=True),
    Key("chat.models", "f12", "screen.models", "models", "The models, and where each came from", priority=True),
    Key(
        "chat.skills",
        "alt+t,ctrl+t",
        "screen.skills",
        "practice",
        "Levels and scores, curriculum, plugins, a reply tried",
        priority=True,
    ),
    Key("chat.undo", "f8", "screen.undo", "", "Take back the last pick, from anywhere"),
    Key(
        "chat.practise", "f11", "screen.practise", "be asked", "Be asked, question after question; stop", priority=True
    ),
    Key("chat.rate", "alt+r,ctrl+r", "screen.rate", "rate", "Say how good this conversation is", priority=True),
    Key("chat.older", "pageup", "screen.older", "", "Scroll the history up", priority=True),
    Key("chat.newer", "pagedown", "screen.newer", "", "Scroll the history down", priority=True),
    *(Key(f"candidates.pick_{n}", str(n), f"pick({n})", "", f"Pick answer {n}") for n in range(1, 10)),
    Key("candidates.next", "right,down,j,l", "next", "", "Highlight the next answer"),
    Key("candidates.previous", "left,up,k,h", "previous", "", "Highlight the previous answer"),
    Key("candidates.take", "enter", "take", "take", "Pick the highlighted answer"),
    Key("candidates.edit", "e", "edit", "edit", "Edit the highlighted answer before taking it"),
    Key("candidates.redraw", "r", "screen.redraw", "redraw", "Draw all answers again"),
    Key("candidates.redraw_one", "R", "screen.redraw_one", "", "Draw the highlighted answer again, warmer"),
    Key("candidates.answer", "tab,t", "screen.own_answer", "own answer", "Write your own answer"),
    Key("candidates.skip", "s,n", "screen.skip", "skip", "Go on without picking"),
    Key("candidates.flag", "f", "screen.flag", "flag", "Flag these answers for later"),
    Key("candidates.undo", "backspace", "screen.undo", "undo", "Take back the last pick"),
    Key("candidates.redo", "u", "screen.redo", "", "Take what was taken back once more"),
    Key("candidates.details", "i", "details", "", "Length and mean log-probability of each answer, or not"),
    Key("candidates.copy", "y,c", "copy", "", "Copy the highlighted answer (works over ssh)"),
    Key("candidates.more", "plus,equals_sign", "screen.more(1)", "", "One answer more in the next draw"),
    Key("candidates.fewer", "minus", "screen.more(-1)", "", "One answer less"),
    Key("candidates.warmer", "greater_than_sign", "screen.warmer(1)", "", "The next draw more varied (temperature)"),
    Key("candidates.cooler", "less_than_sign", "screen.warmer(-1)", "", "The next draw less varied"),
    Key("candidates.leave", "escape", "screen.leave_candidates", "", "Twice: go on without picking"),
    Key("box.send", "enter", "send", "send", "Send"),
    Key("box.newline", "ctrl+j,shift+enter,alt+enter", "newline", "new line", "New line (Alt+Enter works everywhere)"),
    Key("box.leave", "escape", "screen.leave_box", "", "Back to the answers, or to the history"),
    Key("history.undo", "backspace", "screen.undo", "undo", "Take back the last pick"),
    Key("history.redo", "u", "screen.redo", "", "Take what was taken back once more"),
    Key("history.previous", "up,k", "choose(-1)", "", "Choose the message before"),
    Key("history.next", "down,j", "choose(1)", "", "Choose the message after"),
    Key("history.fork", "f", "screen.fork", "fork", "A new conversation from the chosen message on"),
    Key("history.copy", "y,c", "screen.copy_chosen", "copy", "Copy the chosen message (works over ssh)"),
    Key("history.practise", "p", "screen.practise", "", "Be asked, question after question; stop"),
    Key("history.earlier", "home", "earlier", "earlier", "The beginning; once more: mount earlier messages"),
    Key("history.leave", "escape,enter,tab", "screen.write", "write", "Back to the answer box"),
    Key("list.leave", "escape,tab", "screen.write", "write", "Back to the answer box"),
    Key("list.find", "slash", "screen.find", "search", "Search all conversations"),
    Key("list.rename", "r", "screen.rename", "rename", "Another title"),
    Key("list.archive", "a", "screen.archive", "put away", "Put out of the list, or back"),
    Key("list.archived", "A", "screen.archived", "", "Those put away, or the others again"),
    Key("list.imported", "i", "screen.imported", "", "Those that came from files, or your own again"),
    Key("list.export", "x", "screen.export", "export", "Write to a file"),
    Key("list.delete", "d,delete", "screen.delete", "delete", "Delete for good"),
    Key("find.done", "enter,down", "done(True)", "to what was found", "To what was found"),
    Key("find.leave", "escape", "done(False)", "end the search", "End the search"),
    *(
        Key(f"picks.choose_{n}", str(n), f"screen.choose({n})", "", f"Choose answer {n} after all")
        for n in range(1, 10)
    ),
    Key("picks.next", "right,l", "screen.queue(1)", "queue", "The next queue: pending, draft, done, discarded"),
    Key("picks.previous", "left,h", "screen.queue(-1)", "", "The queue before"),
    Key("picks.edit", "e", "screen.edit", "edit", "Edit the answer that stands"),
    Key("picks.own", "t", "screen.own", "own answer", "Write your own answer"),
    Key("picks.discard", "d", "screen.discard", "discard", "Take it out of what is taught; the conversation stays"),
    Key("picks.restore", "b", "screen.restore", "bring back", "Bring back what was discarded, or take a flag down"),
    Key("picks.flag", "f", "screen.flag", "flag", "Put it among the drafts, to come back to"),
    Key("picks.open", "o", "screen.open", "open", "Go on from there in the chat, in a branch of its own"),
    Key("picks.taste", "n", "screen.taste", "learn taste", "Learn your taste from all picks, now"),
    Key("picks.older", "pageup", "screen.page(-1)", "", "Scroll the page up", priority=True),
    Key("picks.newer", "pagedown", "screen.page(1)", "", "Scroll the page down", priority=True),
    Key("picks.book", "tab", "screen.show_tab('book')", "book", "The book: all entries, and what is known of them"),
    Key("picks.leave", "escape,q,f4", "screen.leave", "back", "Back to the chat"),
    Key("book.leave", "escape,q", "screen.leave", "back", "Back to the chat"),
    Key("book.find", "slash", "screen.find", "search", "Search questions and answers"),
    Key("book.next", "right,l", "screen.filter(1)", "", "The next list: all, known, not known, waiting, retired"),
    Key("book.previous", "left,h", "screen.filter(-1)", "", "The list before"),
    Key("book.from", "f", "screen.from", "from", "Only what comes from one source: starter, picks, by hand"),
    Key("book.edit", "e", "screen.edit", "edit", "Edit this entry, or go on with what was not saved"),
    Key("book.edit_all", "E", "screen.edit_all", "whole book", "Edit the whole book, beginning here"),
    Key("book.add", "n,a", "screen.add", "new", "Write a new entry"),
    Key("book.retire", "d", "screen.retire", "retire", "Teach this entry no longer, and keep it"),
    Key("book.restore", "b", "screen.restore", "bring back", "Teach a retired entry again"),
    Key("book.measure", "m", "screen.measure", "measure", "Look what the model in use knows by heart"),
    Key("book.open", "o", "screen.open", "", "Go on in the chat from the pick that wrote it"),
    Key("book.across", "tab", "screen.across", "", "From the list to the page, and back", priority=True),
    Key("book.picks", "f4", "screen.picks", "picks", "Your picks, to look at again and change"),
    Key("editor.save", "f2,ctrl+s", "screen.save", "save", "Save, unless there is a mistake", priority=True),
    Key("editor.next", "f3", "screen.next", "next mistake", "To the next line with a mistake", priority=True),
    Key("editor.revert", "f8", "screen.revert", "throw away", "Throw away what was changed", priority=True),
    Key("editor.leave", "escape", "screen.leave", "back", "Back to the book; what is not saved is kept", priority=True),
    Key("nights.leave", "escape,q,f7", "app.pop_screen", "back", "Back to the chat"),
    Key("nights.across", "tab", "screen.across", "page", "From the list to the page, and back", priority=True),
    Key("nights.older", "pageup", "screen.page(-1)", "", "Scroll the report up", priority=True),
    Key("nights.newer", "pagedown,space", "screen.page(1)", "", "Scroll the report down", priority=True),
    Key("nights.run", "n", "screen.steer('run')", "night now", "Begin a night, or go on with the one cut short"),
    Key("nights.pause", "p", "screen.steer('pause')", "pause", "No night until you resume; the one that runs saves"),
    Key("nights.resume", "r", "screen.steer('resume')", "resume", "Let nights start again"),
    Key("nights.stop", "s", "screen.steer('stop')", "stop", "End the night that runs; what it did is saved"),
    Key("models.leave", "escape,q,f12", "app.pop_screen", "back", "Back to the chat"),
    Key("models.compare", "c", "screen.compare", "compare", "Compare with the model in use, or with the marked one"),
    Key("models.mark", "m,space", "screen.mark", "mark", "Mark the one that others are compared with"),
    Key("models.use", "u", "screen.use", "use", "Let this model answer from now on"),
    Key("models.undo", "z,backspace", "screen.undo", "undo", "Back to the model that answered before"),
    Key("models.export", "x", "screen.export", "export", "Write this model into a folder, for other programs"),
    Key("models.across", "tab", "screen.across", "page", "From the tree to the page, and back", priority=True),
    Key("models.older", "pageup", "screen.page(-1)", "", "Scroll the page up", priority=True),
    Key("models.newer", "pagedown", "screen.page(1)", "", "Scroll the page down", priority=True),
    Key("compare.leave", "escape,q", "screen.leave", "back", "Back to the models"),
    Key("compare.first", "1,left", "screen.vote('first')", "left", "The first answer is better"),
    Key("compare.second", "2,right", "screen.vote('second')", "right", "The second answer is better"),
    Key("compare.both", "3,b", "screen.vote('both')", "both", "Both are good"),
    Key("compare.neither", "0,n", "screen.vote('neither')", "neither", "Neither is good"),
    Key("compare.next", "s", "screen.next", "skip", "Another question, without a vote"),
    Key("compare.blind", "v", "screen.blind", "names", "Say who answers, or no longer"),
    Key("compare.ask", "t,tab", "screen.ask", "your question", "Ask both a question of your own"),
    Key("skills.leave", "escape,q,alt+t", "screen.leave", "back", "Out of a line; back to the chat"),
    Key("skills.next", "right,l", "screen.next(1)", "next part", "The next part: levels, curriculum, plugins, try"),
    Key("skills.previous", "left,h", "screen.next(-1)", "", "The part before"),
    Key("skills.across", "tab", "screen.across", "page", "From the list to the page, and back", priority=True),
    Key("skills.older", "pageup", "screen.page(-1)", "", "Scroll the page up", priority=True),
    Key("skills.newer", "pagedown", "screen.page(1)", "", "Scroll the page down", priority=True),
    Key("skills.try", "t", "screen.try", "try", "Try a question of this level, or this reward"),
    Key("skills.draw", "f5", "screen.draw", "draw", "Draw the next question of the level", priority=True),
    Key(
        "skills.answer",
        "f6",
        "screen.answer",
        "let him answer",
        "He answers, and that is scored",
        priority=True,
    ),
    Key("skills.trust", "a", "screen.trust", "trust", "Trust this plugin with exactly the text on the page"),
    Key("skills.revoke", "x", "screen.revoke", "revoke", "Trust this plugin no longer"),
    Key("nights.plan", "t", "screen.plan", "plan", "What a night would do now, and what it would cost"),
)


def bindings(place: str) -> list[BindingType]:
    """The Textual bindings of one place."""
    # Over the answers no text is typed: their keys are taken at once, in the order in which they were pressed.
    at_once = place == "candidates"
    return [
        Binding(key.keys, key.action, key.help, id=key.id, priority=key.priority or at_once, show=False)
        for key in KEYS
        if key.place == place
    ]


def place_of(focused: DOMNode | None, screen: DOMNode) -> str:
    """The place whose keys work where the focus is; empty where there is none."""
    nodes = [screen] if focused is None else [node for node in focused.ancestors_with_self if isinstance(node, DOMNode)]
    named = (each.id for node in nodes for each in node.BINDINGS if isinstance(each, Binding) and each.id)
    return next((place for key_id in named if (place := key_id.partition(".")[0]) in PLACES), "")


def keys_of(key_id: str, moved: Mapping[str, str]) -> list[str]:
    """The keys that reach a command, the owner's own ones where the settings name them."""
    default = next(key.keys for key in KEYS if key.id == key_id)
    return [name.strip() for name in moved.get(key_id, default).split(",")]


_SHOWN = {
    "question_mark": "?",
    "backspace": "Bksp",
    "enter": "Enter",
    "escape": "Esc",
    "pageup": "PgUp",
    "pagedown": "PgDn",
    "left": "←",
    "right": "→",
    "up": "↑",
    "down": "↓",
    "tab": "Tab",
    "home": "Home",
    "plus": "+",
    "equals_sign": "=",
    "minus": "-",
    "greater_than_sign": ">",
    "less_than_sign": "<",
    "colon": ":",
    "slash": "/",
    "delete": "Del",
}


def shown(key: str) -> str:
    """A key as it is printed: `ctrl+j` becomes `Ctrl+J`."""
    *modifiers, last = key.split("+")
    name = _SHOWN.get(last, last.upper() if last.startswith("f") and last[1:].isdigit() else last)
    if modifiers and len(name) == 1:
        name = name.upper()
    return "+".join([*(modifier.capitalize() for modifier in modifiers), name])


def check(moved: Mapping[str, str]) -> list[str]:
    """The conflicts in the owner's own keys, one sentence each. Raises `UsageError` for an id that does not exist, and
    for a letter that would be taken out of what is written."""
    known = {key.id: key for key in KEYS}
    said = []
    for key_id in moved:
        if key_id not in known:
            near = difflib.get_close_matches(key_id, known, n=1)
            advice = f"did you mean {near[0]}?" if near else "F1 in the app lists all of them."
            raise UsageError(f"mrclassic.toml, [keys]: there is no command {key_id!r}; {advice}")
        said += _unfit(known[key_id], keys_of(key_id, moved))
    for place in (place for place in PLACES if place != "chat"):
        taken: dict[str, str] = {}
        # What works everywhere and what works in the chat are side by side there.
        for key in (key for key in KEYS if key.place == place or (place, key.place) == ("app", "chat")):
            for name in keys_of(key.id, moved):
                if name in taken:
                    said.append(
                        f"The key {shown(name)} is given to {taken[name]} and to {key.id}; one of them is lost."
                    )
                taken[name] = key.id
    return said + _hidden(moved)


def _unfit(key: Key, names: list[str]) -> list[str]:
    """Keys that no keyboard has, or none at all; a character where text is written too raises `UsageError`."""
    said = []
    for name in names:
        character = key_to_character(name)
        if key.priority and character is not None and character.isprintable() and name not in key.keys.split(","):
            raise UsageError(
                f"mrclassic.toml, [keys]: {key.id} works while you write too, so {name!r} could not be written any "
                f"more; give it a key such as f6 or alt+{name if len(name) == 1 else 'b'}."
            )
        *modifiers, last = name.split("+")
        if not name:
            said.append(f"mrclassic.toml, [keys]: {key.id} has an empty key; nothing is reached by that.")
        elif not _MODIFIERS.issuperset(modifiers) or (last not in _NAMED and key_to_character(last) is None):
            said.append(
                f"mrclassic.toml, [keys]: {key.id}: there is no key {name!r}; F1 in the app names those in use."
            )
    return said


_MODIFIERS = frozenset({"ctrl", "alt", "shift", "super", "hyper", "meta"})
_NAMED = frozenset(key.value for key in Keys if "+" not in key.value and not key.value.startswith("<"))
_IN_CHAT = ("candidates", "box", "history", "list", "find")
"""The places that are parts of the chat."""


def _hidden(moved: Mapping[str, str]) -> list[str]:
    """What works everywhere, or in all of the chat, and no longer meets one of its keys in some place, or takes it from
    what that place has; as it is by default is as it is meant."""
    said = []
    for wide in (key for key in KEYS if key.place in ("app", "chat")):
        for narrow in (key for key in KEYS if key.place not in ("app", "chat")):
            if wide.place == "chat" and narrow.place not in _IN_CHAT:
                continue
            usual = {*wide.keys.split(",")} & {*narrow.keys.split(",")}
            for name in sorted({*keys_of(wide.id, moved)} & {*keys_of(narrow.id, moved)} - usual - {""}):
                reached, hidden = (wide, narrow) if wide.priority else (narrow, wide)
                said.append(f"The key {shown(name)}, given to {reached.id}, does not reach {hidden.id} there.")
    return said
