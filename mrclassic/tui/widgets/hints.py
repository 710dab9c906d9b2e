"""The last line: which keys do something just now. Each can be clicked."""

from __future__ import annotations

from collections.abc import Mapping

from rich.cells import cell_len
from textual.content import Content
from textual.events import Resize
from textual.widgets import Static

from mrclassic.tui.keys import KEYS, keys_of, shown

_ON = ("picks.next", "picks.book", "app.help")
GROUPS = {
    "candidates": (
        "candidates.edit",
        "candidates.answer",
        "candidates.redraw",
        "candidates.skip",
        "candidates.flag",
        "candidates.undo",
        "app.help",
    ),
    "practice": (
        "candidates.skip",
        "candidates.answer",
        "chat.practise",
        "candidates.edit",
        "candidates.redraw",
        "candidates.flag",
        "candidates.undo",
        "app.help",
    ),
    "failed": ("candidates.redraw", "candidates.answer", "candidates.skip", "candidates.undo", "app.help"),
    "answer": ("box.send", "box.newline", "box.leave", "app.help"),
    "box": (
        "box.send",
        "box.newline",
        "chat.conversations",
        "chat.new",
        "chat.practise",
        "chat.undo",
        "app.help",
        "app.quit",
    ),
    "history": (
        "history.leave",
        "history.fork",
        "history.copy",
        "history.undo",
        "chat.conversations",
        "chat.picks",
        "chat.nights",
        "chat.skills",
        "chat.rate",
        "chat.new",
        "app.help",
        "app.quit",
    ),
    "list": (
        "list.leave",
        "list.find",
        "list.rename",
        "list.archive",
        "list.delete",
        "list.export",
        "chat.conversations",
        "app.help",
        "app.quit",
    ),
    "find": ("find.done", "find.leave", "app.help"),
    "nights": (
        "nights.leave",
        "nights.across",
        "nights.run",
        "nights.stop",
        "nights.pause",
        "nights.resume",
        "nights.plan",
        "app.help",
    ),
    "models": (
        "models.leave",
        "models.across",
        "models.compare",
        "models.use",
        "models.undo",
        "models.mark",
        "models.export",
        "app.help",
    ),
    "levels": ("skills.leave", "skills.next", "skills.try", "skills.across", "app.help"),
    "curriculum": ("skills.leave", "skills.next", "app.help"),
    "plugins": (
        "skills.leave",
        "skills.next",
        "skills.trust",
        "skills.revoke",
        "skills.try",
        "skills.across",
        "app.help",
    ),
    "try": ("box.send", "skills.answer", "skills.draw", "skills.leave", "app.help"),
    "tried": ("skills.leave", "skills.next", "skills.across", "skills.answer", "skills.draw", "app.help"),
    "picks.pending": ("picks.leave", "picks.choose_1", "picks.own", "picks.discard", "picks.flag", "picks.open", *_ON),
    "picks.draft": (
        "picks.leave",
        "picks.choose_1",
        "picks.edit",
        "picks.own",
        "picks.discard",
        "picks.restore",
        "picks.open",
        *_ON,
    ),
    "picks.done": (
        "picks.leave",
        "picks.choose_1",
        "picks.edit",
        "picks.own",
        "picks.discard",
        "picks.flag",
        "picks.open",
        "picks.taste",
        *_ON,
    ),
    "picks.discarded": ("picks.leave", "picks.restore", "picks.choose_1", "picks.own", "picks.open", *_ON),
    "book": (
        "book.leave",
        "book.find",
        "book.edit",
        "book.add",
        "book.retire",
        "book.restore",
        "book.measure",
        "book.from",
        "book.edit_all",
        "book.picks",
        "app.help",
    ),
    "editor": ("editor.save", "editor.leave", "editor.revert", "editor.next", "app.help"),
    "compare": (
        "compare.leave",
        "compare.first",
        "compare.second",
        "compare.both",
        "compare.neither",
        "compare.next",
        "compare.ask",
        "compare.blind",
        "app.help",
    ),
}
KEPT = ("app.help", "app.quit")
"""Shown at any width; with these two everything else can be found."""
WORDS = {"box.leave": "back to the answers", "chat.undo": "undo", "picks.choose_1": "choose"}


class Hints(Static):
    """Follows the focus; drops hints from the end where the terminal is narrow, but never the first or the kept."""

    def __init__(self, moved: Mapping[str, str], words: Mapping[str, str] = WORDS) -> None:
        """`words` go before those of the keys themselves."""
        super().__init__("", id="hints")
        self._words = words
        self._moved = moved
        self._place = "box"
        self._count = 0

    def show(self, place: str, count: int = 0) -> None:
        """Show the keys of a place; `count` candidates are waiting."""
        if (place, count) != (self._place, self._count) or not self.content:
            self._place, self._count = place, count
            self._paint()

    def on_resize(self, event: Resize) -> None:
        self._paint()

    def _paint(self) -> None:
        keys = list(GROUPS[self._place])
        parts = {key_id: self._part(key_id) for key_id in keys}
        if self._place in ("candidates", "practice") and self._count:
            keys.insert(0, "pick")
            if self._place == "practice":
                parts["chat.practise"] = (parts["chat.practise"][0], "stop", parts["chat.practise"][2])
            parts["pick"] = ("1" if self._count == 1 else f"1-{self._count}", "pick", "")
        spare = [key_id for key_id in keys[1:] if key_id not in KEPT]
        while spare and sum(cell_len(f"{parts[k][0]} {parts[k][1]}") + 3 for k in keys) > self.size.width + 1:
            keys.remove(spare.pop())
        line = Content("")
        for key, word, action in (parts[key_id] for key_id in keys):
            click = f"[@click={action}]" if action else "[$foreground 60%]"
            piece = Content.from_markup(f"[$accent]$key[/] [$foreground 60%]{click}$word[/][/]", key=key, word=word)
            line = Content.assemble(line, "   " if line else "", piece)
        self.update(line)

    def _part(self, key_id: str) -> tuple[str, str, str]:
        if key_id == "picks.choose_1":
            return "1-9", WORDS[key_id], ""  # one of nine; a click on the answer itself chooses it
        key = next(key for key in KEYS if key.id == key_id)
        action = key.action if "." in key.action else ""
        return shown(keys_of(key_id, self._moved)[0]), self._words.get(key_id, key.hint), action
