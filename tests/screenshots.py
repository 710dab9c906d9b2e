"""The README's pictures: the app on a home with a model that has really hatched, driven by keys and painted as SVG.

    python -m tests.screenshots                     hatches a model first, and lets it practise: some twenty minutes
    python -m tests.screenshots --home HOME         takes that home if a night has run there, else its first model
    python -m tests.screenshots --home HOME --only book

Seeds, sizes and what is typed are fixed, and so are the dates in the pictures; the words are what that model says.
Each picture keeps what it is built of, so that `tests/tui/test_screenshots.py` can tell when the app has moved on.
A further page is a further scene: a name, a size, and the keys that lead there.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import re
import shutil
import sys
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))  # as pytest has it

from homes import command
from textual.widgets import Markdown
from textual_plot import PlotWidget
from tui.seats import Seat, seat

from mrclassic import book
from mrclassic.book import Entry, Turn
from mrclassic.home import Home
from mrclassic.mind import process
from mrclassic.store import Store
from mrclassic.tui import mind_link
from mrclassic.tui.screens.book import Book
from mrclassic.tui.screens.models import Models
from mrclassic.tui.screens.nights import Nights
from mrclassic.tui.screens.skills import Skills

FOLDER = Path(__file__).resolve().parents[1] / ".github"
_BUILT = re.compile(r"<!-- built of: (.*?) -->\n")
_STAMP = re.compile(r"\b\d{8}-\d{6}(?=-[a-z])")
_DATE = re.compile(r"\b(\d{1,2})( |&#160;)[A-Z][a-z]{2}( |&#160;)\d\d:\d\d\b")
_FONT = re.compile(r"\s*@font-face \{.*?\}", re.DOTALL)  # to be fetched from elsewhere: the reader's own will do
_HELD = re.compile(r"^[A-Z][a-z]+day, .* \(UTC\): (\d+) of", re.MULTILINE)
_HELD_OPEN = shutil.ignore_patterns("*.sock", "*.lock")  # by who is at work there
_MOMENTARY = {"tour", "offers", "book--state", "levels--curves"}
"""Parts that are there while they have something to say."""

TAUGHT = {
    "Do you like the sea?": "I have only read of it. It sounds like rain that stays.",
    "What is your favourite colour?": "A deep green, like old leather chairs.",
    "Do you dream?": "At night I do sums. Some of them come out.",
}
WAITING = {"What do you do on Sundays?": "Sums, but slowly."}


@dataclass(frozen=True)
class Scene:
    """One picture: its name, its size in columns and rows, and how the app is brought there."""

    name: str
    size: tuple[int, int]
    play: Callable[[Seat], Awaitable[None]]


async def _chat(here: Seat) -> None:
    await here.pilot.press("f3")
    await here.ask("Good evening.")
    assert here.candidates.draw is not None
    likeliest = max(here.candidates.draw.pieces, key=lambda piece: piece.logprob / max(1, piece.tokens))
    await here.pilot.press(str(likeliest.shown))
    await here.idle()
    await here.ask("Do you like the rain?")


async def _book(here: Seat) -> None:
    await here.pilot.press("alt+k")
    await here.until(lambda: isinstance(here.app.screen, Book) and here.app.screen.item, "the book")
    screen = here.app.screen
    assert isinstance(screen, Book)
    await here.pilot.press("slash")
    await here.type("you like")
    await here.until(lambda: 0 < len(screen.items) < 100, "what was searched")
    await here.pilot.press("enter", "end")
    await here.idle()


async def _nights(here: Seat) -> None:
    await here.pilot.press("f7")
    await here.until(lambda: isinstance(here.app.screen, Nights) and here.app.screen.shown, "the report")
    await here.idle()


async def _models(here: Seat) -> None:
    await here.pilot.press("f12")
    await here.until(lambda: isinstance(here.app.screen, Models) and here.app.screen.branches, "the tree")
    await here.idle()


async def _practice(here: Seat) -> None:
    await here.pilot.press("alt+t")
    await here.until(lambda: isinstance(here.app.screen, Skills) and here.app.screen.levels.known, "the tasks")
    await here.pilot.press("down", "down")  # the first level that is not mastered
    await here.idle()


SCENES = (
    Scene("chat", (118, 30), _chat),
    Scene("book", (118, 26), _book),
    Scene("nights", (118, 34), _nights),
    Scene("models", (118, 26), _models),
    Scene("practice", (118, 30), _practice),
)


def built(here: Seat) -> list[str]:
    """What the screen is built of: the parts that have a name, their titles, and the keys that are offered."""
    screen = here.app.screen
    parts = [type(screen).__name__]
    for widget in screen.query("*"):
        within = any(isinstance(each, Markdown | PlotWidget) for each in widget.ancestors)
        if widget.id and widget.id not in _MOMENTARY and not within and widget.is_on_screen and widget.region:
            title = getattr(widget, "border_title", None)
            parts.append(f"#{widget.id}" + (f" {title}" if title else ""))
    hints = " ".join(str(screen.query_one("#hints").content).split())  # type: ignore[attr-defined]
    return [*parts, hints]


def told(picture: str) -> list[str]:
    """What a picture says that it is built of."""
    found = _BUILT.search(picture)
    return json.loads(found[1]) if found else []


async def paint(scene: Scene, home: Home) -> str:
    """The picture of a scene on a home, to which it is done."""
    for page in home.nights.glob("*.md"):
        page.write_text(_HELD.sub(_held, page.read_text(encoding="utf-8")))
    seeds = itertools.count(1)
    mind_link._seed = lambda: next(seeds)  # the app's own are drawn by chance
    async with seat(home, size=scene.size, chat={}) as here:
        await here.until(lambda: here.screen.mind.ready or here.screen.mind.trouble, "the model")
        await scene.play(here)
        here.app.clear_notifications()
        await here.pilot.pause(0.5)
        picture = _FONT.sub("", here.app.export_screenshot(title="Mr. Classic"))
        parts = json.dumps(built(here), ensure_ascii=False).replace("--", "\\u002d\\u002d")
    return timeless(f"<!-- built of: {parts} -->\n{picture}")


def _held(found: re.Match[str]) -> str:
    return f"Monday, 5 January 2026, 21:00 to 21:{int(found[1]):02} (UTC): {found[1]} of"


def timeless(picture: str) -> str:
    """The picture with dates that do not depend on the day on which it is made, in the same order and width."""
    stamps = {stamp: f"20260105-21{at:02}00" for at, stamp in enumerate(sorted({*_STAMP.findall(picture)}))}
    picture = _STAMP.sub(lambda found: stamps[found[0]], picture)
    return _DATE.sub(lambda found: f"{'5' if len(found[1]) == 1 else '15'}{found[2]}Jan{found[3]}21:00", picture)


def prepare(home: Home, source: Home | None) -> None:
    """A home that has lived for a few days: hatched, a night, taught, a lesson, and something that waits."""
    if source is None:
        _run(home, "hatch", "--seed", "0")
    elif any(source.nights.glob("*.md")):
        shutil.copytree(source.root, home.root, ignore=_HELD_OPEN)
    else:
        home.ensure()
        book.ensure_book(home)
        for name in ("mrclassic.db", "mrclassic.db-wal"):  # a copy: to open it may bring it up to date
            if (source.root / name).exists():
                shutil.copy(source.root / name, home.logs / name)
        with Store.open(Home(home.logs)) as store:
            first = store.checkpoints.list(-1)[-1]
        shutil.copytree(source.checkpoints / first.path, home.checkpoints / first.path)
        with Store.open(home) as store:
            store.checkpoints.add(first)
            store.checkpoints.use(first.id)
            store.checkpoints.set_golden(first.id)
    if not any(home.nights.glob("*.md")):
        _run(home, "night", "--now", "--minutes", "8", "--seed", "0")
    for question, answer in TAUGHT.items():
        _run(home, "ask", question)
        _run(home, "teach", "--say", answer)
    _run(home, "lesson", "--seed", "0")
    process.stop(home)
    book.put_all(home.book, [Entry((Turn(*said),)) for said in WAITING.items()])
    _run(home, "eval", "--entries")


def _run(home: Home, *words: str) -> None:
    done = command("--home", str(home.root), *words, timeout=2 * 3600)  # a busy machine hatches slowly
    sys.stderr.write(f"mrclassic {' '.join(words)}: {done.returncode}\n")
    if done.returncode not in (0, 3):  # a night that promotes nothing is a night like another
        raise SystemExit(done.stderr)


def main() -> None:
    """Make the pictures."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--home", type=Path, help="a home with a hatched model, which is copied")
    words.add_argument("--only", choices=[scene.name for scene in SCENES], help="this picture alone")
    words.add_argument("--keep", type=Path, help="where the prepared home stays, to be used again as it is")
    given = words.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Home(given.keep or Path(folder) / "home")
        if not home.database.exists():
            prepare(home, Home(given.home) if given.home else None)
        process.stop(home)
        for scene in SCENES:
            if given.only not in (None, scene.name):
                continue
            copy = Home(Path(folder) / scene.name)  # what one scene does is not to be seen in the next
            shutil.copytree(home.root, copy.root, ignore=_HELD_OPEN)
            try:
                (FOLDER / f"{scene.name}.svg").write_text(asyncio.run(paint(scene, copy)), encoding="utf-8")
            finally:
                process.stop(copy)
            sys.stderr.write(f"{scene.name}.svg\n")


if __name__ == "__main__":
    main()
