"""The book: the training truth, a plain text file that the owner can edit.

    # A comment, kept as it is.
    > what is your name?
    Mr. Classic.

    > who are you?
    A small language model.
      It belongs to one person.
    > and who is that?
    You.

`> ` opens a user's line and the reply follows on the next; further lines of either are indented by two spaces; a blank
line ends an entry; an entry may hold several turns (training loss falls on the final reply). A line that would be
misread as something else is written after a dot and a space, and a lone dot is an empty line, so every text there is
survives the way through the file.

Reading and writing here is safe against other writers (a file lock) and against a crash (write, fsync, rename).
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from mrclassic import files, shipped
from mrclassic.errors import MrClassicError, UsageError
from mrclassic.home import Home

HEADER = """\
# This is the book: what Mr. Classic is taught. Edit it as you like; the next lesson or night reads it.
# "> " opens what a person says, the reply follows on the next line, and a blank line ends the entry.
# Further lines of either are indented by two spaces. An entry may hold several turns; the last reply is the one learnt.
# A line of an entry that begins with ">", "#" or a space, where that would be misread, is written after ". " (a dot and
# a space); a lone "." is an empty line. Lines that begin with "#" are comments. "#- " before each line of an entry
# retires it: it is taught no longer, and kept to come back.
"""
LOCK_SECONDS = 30.0
_SURROGATE = re.compile("[\ud800-\udfff]")


class BookError(UsageError):
    """The book cannot be read as written: the message names the file, the line and what to do. `line` is that line
    (from 1), `sentence` the message without the place."""

    def __init__(self, name: str, line: int, sentence: str) -> None:
        super().__init__(f"{name} line {line}: {sentence}")
        self.line = line
        self.sentence = sentence


def clean(text: str) -> str:
    """Text as it is kept everywhere: line ends are \\n, and what no UTF-8 file can hold becomes U+FFFD."""
    return _SURROGATE.sub("\ufffd", text.replace("\r\n", "\n").replace("\r", "\n"))


@dataclass(frozen=True)
class Turn:
    """One exchange."""

    user: str
    reply: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "user", clean(self.user))
        object.__setattr__(self, "reply", clean(self.reply))


@dataclass(frozen=True)
class Entry:
    """A conversation and the reply to learn: the last of its turns. `line` is where it stands in the file (from 1)."""

    turns: tuple[Turn, ...]
    line: int = field(default=0, compare=False)

    def __post_init__(self) -> None:
        if not self.turns:
            raise ValueError("an entry has at least one turn")

    @property
    def messages(self) -> list[dict[str, str]]:
        """The whole conversation in chat form, the final reply included."""
        return [
            message
            for turn in self.turns
            for message in ({"role": "user", "content": turn.user}, {"role": "assistant", "content": turn.reply})
        ]

    @property
    def prompt(self) -> list[dict[str, str]]:
        """The conversation without the final reply."""
        return self.messages[:-1]

    @property
    def reply(self) -> str:
        """The reply to learn."""
        return self.turns[-1].reply

    @cached_property
    def hash(self) -> str:
        """Names the entry, whatever its line or the file's layout (16 hexadecimal digits of a sha256)."""
        return _digest([message["content"] for message in self.messages])

    @cached_property
    def key(self) -> str:
        """Names the conversation without its final reply: entries of one key compete, the latest wins."""
        return _digest([message["content"] for message in self.prompt])


def _digest(texts: list[str]) -> str:
    canonical = json.dumps(texts, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


# --- text to entries and back ---


def parse(text: str, name: str = "book") -> list[Entry]:
    """Read the entries of a book; raises BookError with the line of the first mistake."""
    return [entry for entry, _, _ in spans(clean(text).split("\n"), name)]


def examine(text: str, name: str = "book") -> tuple[list[Entry], list[BookError]]:
    """All entries that can be read, and of each that cannot its first mistake."""
    lines = _without_mark(clean(text).split("\n"))
    entries: list[Entry] = []
    faults: list[BookError] = []
    for start, end in _blocks(lines):
        try:
            entries.append(_entry(lines, start, end, name))
        except BookError as error:
            faults.append(error)
    return entries, faults


def render(entry: Entry) -> str:
    """Write one entry as it stands in the book, without the blank line that ends it."""
    lines: list[str] = []
    for turn in entry.turns:
        first, *rest = turn.user.split("\n")
        lines += ["> " + first if first else ">", *map(_continued, rest)]
        first, *rest = turn.reply.split("\n")
        lines += [_escaped(first, first[:1] in {">", "#"} or first[:1].isspace()), *map(_continued, rest)]
    return "\n".join(lines) + "\n"


def _continued(line: str) -> str:
    return "  " + _escaped(line)


def _escaped(line: str, misread: bool = False) -> str:
    if not line:
        return "."
    if misread or not line.strip() or line == "." or line.startswith(". "):
        return ". " + line
    return line


def _plain(line: str) -> str:
    """The inverse of `_escaped`."""
    if line == ".":
        return ""
    return line[2:] if line.startswith(". ") else line


def spans(lines: list[str], name: str = "book") -> Iterator[tuple[Entry, int, int]]:
    """Each entry with the half-open range of lines that it takes (0-based)."""
    lines = _without_mark(lines)
    for start, end in _blocks(lines):
        yield _entry(lines, start, end, name), start, end


def _without_mark(lines: list[str]) -> list[str]:
    """Without the byte order mark that some editors put before the first line."""
    return [lines[0].removeprefix("\ufeff"), *lines[1:]] if lines else lines


def _blocks(lines: list[str]) -> Iterator[tuple[int, int]]:
    """The range of lines of each entry, without the comments above and below it."""
    start = 0
    while start < len(lines):
        if not lines[start].strip() or lines[start].startswith("#"):
            start += 1
            continue
        end = start
        while end < len(lines) and lines[end].strip():
            end += 1
        while lines[end - 1].startswith("#"):
            end -= 1  # comments at the foot of an entry belong to what follows
        yield start, end
        start = end


def _entry(lines: list[str], start: int, end: int, name: str) -> Entry:
    turns: list[Turn] = []
    user: list[str] = []
    reply: list[str] = []
    asked = start
    for number in range(start, end):
        line = lines[number]
        if line.startswith("#"):
            continue
        if line[0].isspace():
            if not user:
                raise _mistake(name, number, "an indented line that continues nothing", "begin the entry with '> '")
            (reply or user).append(_plain(line[2:] if line.startswith("  ") else line[1:]))
        elif line.startswith(">"):
            if user and not reply:
                raise _mistake(
                    name, asked, "a question without a reply", "write the reply on the line after it, not indented"
                )
            if user:
                turns.append(Turn("\n".join(user), "\n".join(reply)))
            user, reply, asked = [line[2:] if line.startswith("> ") else line[1:]], [], number
        elif not user:
            raise _mistake(name, number, "a reply without a question", "write a line that begins with '> ' above it")
        elif reply:
            raise _mistake(
                name,
                number,
                "a second line of a reply that is not indented",
                "indent it by two spaces, or put a blank line and a '> ' line before it",
            )
        else:
            reply = [_plain(line)]
    if not reply:
        raise _mistake(name, asked, "a question without a reply", "write the reply on the line after it, not indented")
    turns.append(Turn("\n".join(user), "\n".join(reply)))
    return Entry(tuple(turns), line=start + 1)


def _mistake(name: str, number: int, what: str, mend: str) -> BookError:
    return BookError(name, number + 1, f"{what}; {mend}.")


def find(text: str, key: str, name: str = "book") -> Entry | None:
    """The entry of that conversation (the last one, should the owner have written several)."""
    return next((entry for entry in reversed(parse(text, name)) if entry.key == key), None)


def with_entry(text: str, entry: Entry, name: str = "book") -> tuple[str, Entry | None]:
    """The book's text with `entry` in it, and the entry that it replaced: in place, or at the end if there was none."""
    lines = clean(text).split("\n")
    for old, start, end in reversed(list(spans(lines, name))):
        if old.prompt == entry.prompt:
            if old == entry:
                return text, old
            new = [line for line in lines[start:end] if line.startswith("#")] + render(entry).rstrip("\n").split("\n")
            return "\n".join(lines[:start] + new + lines[end:]), old
    body = clean(text).rstrip("\n")
    return (body + "\n\n" if body else "") + render(entry), None


def without_entry(text: str, entry: Entry, name: str = "book") -> tuple[str, bool]:
    """The book's text with `entry` taken out, and whether it was there. Comments stay."""
    lines = clean(text).split("\n")
    for old, start, end in reversed(list(spans(lines, name))):
        if old == entry:
            comments = [line for line in lines[start:end] if line.startswith("#")]
            if not comments and end < len(lines) and not lines[end].strip():
                end += 1  # the blank line that ended it
            return "\n".join(lines[:start] + comments + lines[end:]), True
    return text, False


# --- the file ---


def load(path: Path) -> list[Entry]:
    """Read the book at `path`; a book that is not there yet has no entries. Of a conversation that stands there twice,
    the latest reply is the one that counts."""
    return list({entry.key: entry for entry in parse(read(path), str(path))}.values())


def put(path: Path, entry: Entry) -> Entry | None:
    """Write `entry` into the book; return the entry of the same conversation that it replaced, if there was one."""
    with lock(path):
        before = read(path)
        after, old = with_entry(before or HEADER, entry, str(path))
        if after != before:
            write(path, after)
    return old


def put_all(path: Path, entries: Iterable[Entry]) -> int:
    """Write many entries into the book in one step; return how many of them it did not have."""
    with lock(path):
        before = read(path)
        text, known, more, new = before or HEADER, {each.key: each for each in parse(before, str(path))}, [], 0
        for entry in {entry.key: entry for entry in entries}.values():
            if known.get(entry.key) == entry:
                continue
            new += 1
            if entry.key in known:
                text, _ = with_entry(text, entry, str(path))
            else:
                more.append(render(entry))
        if new:
            write(path, "\n".join([text.rstrip("\n") + "\n", *more]))
    return new


def ensure_book(home: Home) -> bool:
    """Give a new home the starter book; return whether it was written now. A book that is there stays as it is."""
    if home.book.exists():
        return False
    starter = shipped.folder("data") / "personality.txt"
    try:
        text = clean(starter.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise MrClassicError(
            f"The starter book {starter} cannot be read ({error}); install mrclassic again."
        ) from error
    parse(text, str(starter))
    with lock(home.book):
        if home.book.exists():
            return False
        write(home.book, text if text.startswith("#") else HEADER + "\n" + text)
    return True


def read(path: Path) -> str:
    """The text of the book, "" if there is none yet."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise MrClassicError(f"Cannot read the book {path}: {error.strerror or error}.") from error
    try:
        return clean(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise BookError(str(path), line, "not UTF-8 text; save the file as UTF-8.") from error


def write(path: Path, text: str) -> None:
    """Replace the book's text in one step: a reader, or a crash, sees the old text or the new, never a half."""
    try:
        files.replace(path, text.encode("utf-8"))
    except OSError as error:
        raise MrClassicError(
            f"Cannot write the book {path}: {error.strerror or error}; it stays as it was until that is mended."
        ) from error


@contextlib.contextmanager
def lock(path: Path, seconds: float = LOCK_SECONDS) -> Iterator[None]:
    """Keep other writers of this book away. The lock lies in `.<name>.lock` beside it and dies with its process."""
    target = path.resolve()
    try:
        file = target.with_name(f".{target.name}.lock").open("ab")
    except OSError as error:
        raise MrClassicError(f"Cannot lock the book {path}: {error.strerror or error}.") from error
    with file:
        deadline = time.monotonic() + seconds
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise MrClassicError(
                        f"Another process has held the book {path} for {seconds:.0f} s; end it, then try again."
                    ) from None
                time.sleep(0.01)
        yield
