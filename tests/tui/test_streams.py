"""Answers that are written cost a key little, and pages that are closed leave nothing behind.

The short form of the campaigns `speed` and `hour`: it counts layouts and what lives, and takes the time that was
computed, which holds on a busy machine too.
"""

from __future__ import annotations

import asyncio
import gc
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import quantiles
from time import thread_time
from typing import Any

import many
import pytest
from textual._compositor import Compositor
from textual.widget import Widget
from tui.seats import Seat, seat

from mrclassic.home import Home
from mrclassic.tui import lean
from mrclassic.tui.draw import Draw
from mrclassic.tui.screens.nights import Nights
from mrclassic.tui.screens.picks import Picks
from mrclassic.tui.widgets.candidate_card import CandidateCard


@contextmanager
def layouts() -> Iterator[list[int]]:
    """Counts layouts that change the size of anything."""
    found, reflow = [0], Compositor.reflow

    def counted(*args: Any) -> Any:
        done = reflow(*args)
        found[0] += bool(done.resized)
        return done

    Compositor.reflow = counted  # type: ignore[assignment, method-assign]
    try:
        yield found
    finally:
        Compositor.reflow = reflow  # type: ignore[method-assign]


async def written(here: Seat, draw: Draw) -> list[float]:
    """Write five answers, some words at a time; seconds computed each time."""
    answers = [random.Random(number).choices(many.WORDS, k=100 - 9 * number) for number in range(draw.n)]
    spent = []
    for count in range(4, 101, 4):
        begun = thread_time()
        for piece, words in zip(draw.pieces, answers, strict=True):
            piece.text = " ".join(words[:count])
            piece.finish_reason = "stop" if count >= len(words) else None
        here.candidates._turn()
        await asyncio.sleep(0.01)
        spent.append(thread_time() - begun)
    return spent


@pytest.mark.parametrize(("columns", "rows"), [(60, 24), (118, 30), (200, 50)])
async def test_answers_that_are_written_seldom_need_a_layout(home: Home, columns: int, rows: int) -> None:
    lean.make()
    async with seat(home, size=(columns, rows)) as here:
        draw = Draw(1, 5, 1, None, None)
        await here.candidates.show(draw)
        await here.pilot.pause()
        cards = list(here.screen.query(CandidateCard))
        with layouts() as count:
            spent = await written(here, draw)
            assert count[0] <= 5  # the cards double two or three times, and are whole at the end
        here.candidates.repaint_cards()
        await here.until(lambda: all(card.content_size.height >= card.rows for card in cards), "whole answers")
        assert quantiles(spent, n=20)[-1] < 0.05
        for card, piece in zip(cards, draw.by_position, strict=True):
            shown = " ".join(card.render_line(y).text.removeprefix(str(card.shown)).strip() for y in range(card.rows))
            assert " ".join(shown.split()) == piece.text
        # Those that come next begin as high as these became, so that nothing moves while they are written.
        here.candidates.clear()
        again = Draw(2, 5, 1, None, None)
        await here.candidates.show(again)
        await here.pilot.pause()
        with layouts() as count:
            await written(here, again)
        assert count[0] <= 3


async def test_of_a_long_answer_the_end_is_seen_while_it_is_written(home: Home) -> None:
    async with seat(home, size=(60, 24)) as here:
        draw = Draw(1, 5, 1, None, None)
        await here.candidates.show(draw)
        text = " ".join(f"word{number}" for number in range(80))
        draw.pieces[0].text = text
        here.candidates.repaint_cards()
        await here.pilot.pause()
        card = next(card for card in here.screen.query(CandidateCard) if card.shown == draw.pieces[0].shown)
        height = card.content_size.height
        assert height < card.rows
        assert "word79" in card.render_line(height - 1).text
        assert here.candidates.max_scroll_y == 0
        draw.pieces[0].finish_reason = "stop"
        here.candidates.repaint_cards()
        assert "word0 " in card.render_line(0).text


async def test_words_on_a_card_can_be_selected(home: Home) -> None:
    async with seat(home, size=(120, 30)) as here:
        draw = Draw(1, 5, 1, None, None)
        await here.candidates.show(draw)
        for piece in draw.pieces:
            piece.text, piece.finish_reason = (
                "Words that are longer than a line of it,\nand a second paragraph.",
                "stop",
            )
        here.candidates.repaint_cards()
        await here.pilot.pause()
        card = next(iter(here.screen.query(CandidateCard)))
        await here.pilot.mouse_down(card, offset=(2, 2))
        await here.pilot.hover(card, offset=(5, 3))
        await here.pilot.mouse_up(card, offset=(5, 3))
        chosen = here.screen.get_selected_text()
        assert chosen
        assert chosen in draw.pieces[0].text


def alive() -> Counter[str]:
    """What lives, by the names of kinds."""
    gc.collect()
    return Counter(type(each).__name__ for each in gc.get_objects() if isinstance(each, Widget))


async def test_pages_that_are_closed_leave_nothing_behind(home: Home) -> None:
    lean.make()
    async with seat(home) as here:

        async def visit() -> None:
            for key in ("f1", "f4", "f7", "f12", "ctrl+p"):
                await here.pilot.press(key)
                await here.until(lambda: len(here.app.screen_stack) > 1, key)
                await here.idle()
                await here.pilot.press("down", "escape")
                await here.until(lambda: len(here.app.screen_stack) == 1, f"{key} closes")

        await visit()
        first = alive()
        for _ in range(3):
            await visit()
        here.app._tidy()
        # The last pages may still be on their way; what a page left behind, each visit would have left.
        await here.until(lambda: max((alive() - first).values(), default=0) < 3, "the pages are gone")


async def test_what_comes_for_a_page_that_has_been_closed_does_no_harm(home: Home) -> None:
    async with seat(home) as here:
        for key in ("f4", "f7"):
            await here.pilot.press(key)
            await here.until(lambda: len(here.app.screen_stack) > 1, key)
            page = here.app.screen
            await here.idle()
            await here.pilot.press("escape")
            await here.until(lambda: len(here.app.screen_stack) == 1, "the chat")
            await here.until(lambda page=page: not page.query("*"), "its end")
            if isinstance(page, Picks):
                await page._put()
                page._to_question()
            elif isinstance(page, Nights):
                assert await page._seen() is None
