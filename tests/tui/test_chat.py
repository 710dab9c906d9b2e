"""The owner's evening: a message, five answers, a pick; all of it against the real store and the real model."""

from __future__ import annotations

import pytest
from textual.events import Key
from tui.seats import seat

from mrclassic import book
from mrclassic.home import Home
from mrclassic.store import Store
from mrclassic.tui.draw import shuffled
from mrclassic.tui.visible import visible


async def test_a_message_gets_five_answers_and_a_digit_picks_one(baby_home: Home) -> None:
    async with seat(baby_home) as here:
        assert here.screen.focused is here.box
        await here.ask("good evening")
        draw = here.candidates.draw
        assert draw is not None
        assert [piece.shown for piece in draw.by_position] == [1, 2, 3, 4, 5]
        wanted = draw.by_position[1].text
        await here.pilot.press("2")
        assert here.texts == ["good evening", wanted], "the pick is shown before it is stored"
        assert not here.candidates.display
        assert here.screen.focused is here.box
        await here.idle()
    with Store.open(baby_home) as store:
        pick = store.picks.history()[0]
        assert (pick.kind, pick.text, pick.booked) == ("candidate", book.clean(wanted), True)
        stored = store.candidates.get(pick.candidate or 0)
        assert stored is not None
        assert stored.shown == 2
        assert [c.shown for c in sorted(store.candidates.for_prompt(pick.prompt), key=lambda c: c.slot)] == shuffled(
            pick.prompt, draw.number, 5
        )
    assert book.load(baby_home.book)[-1].turns[-1].user == "good evening"


async def test_tab_leads_to_an_answer_of_ones_own(baby_home: Home) -> None:
    async with seat(baby_home) as here:
        await here.ask("who are you")
        await here.pilot.press("tab")
        assert here.box.border_title == "Your own answer"
        await here.type("your servant")
        await here.pilot.press("escape")
        assert here.screen.focused is here.candidates, "Escape leads back to the answers"
        assert "pick" in str(here.screen.hints.content)
        await here.pilot.press("tab")
        assert "back to the answers" in str(here.screen.hints.content)
        await here.pilot.press("enter")
        assert here.texts == ["who are you", "your servant"]
        assert "F2 conversations" in str(here.screen.hints.content), "the hints follow, though the focus stays"
        await here.idle()
    with Store.open(baby_home) as store:
        assert [(p.kind, p.text, p.candidate) for p in store.picks.history()] == [("typed", "your servant", None)]
    assert book.load(baby_home.book)[-1].reply == "your servant"


async def test_a_candidate_is_edited_before_it_is_taken(baby_home: Home) -> None:
    async with seat(baby_home) as here:
        await here.ask("hello")
        draw = here.candidates.draw
        assert draw is not None
        await here.pilot.press("right", "e")
        assert here.box.text == visible(draw.by_position[1].text)
        assert here.box.border_title == "Answer 2, edited"
        await here.type(" indeed")
        await here.pilot.press("enter")
        await here.idle()
        edited = draw.by_position[1]
    with Store.open(baby_home) as store:
        pick = store.picks.history()[0]
        assert (pick.kind, pick.candidate, pick.text.endswith("indeed")) == ("edited", edited.id, True)


async def test_an_edit_that_changes_nothing_is_a_plain_pick(baby_home: Home) -> None:
    async with seat(baby_home) as here:
        await here.ask("hello")
        await here.pilot.press("e", "enter")
        await here.idle()
    with Store.open(baby_home) as store:
        assert store.picks.history()[0].kind == "candidate"


async def test_r_draws_again_and_keeps_the_draw_before(baby_home: Home) -> None:
    async with seat(baby_home) as here:
        await here.ask("hello")
        first = here.candidates.draw
        assert first is not None
        await here.pilot.press("r")
        await here.until(lambda: here.candidates.draw is not first, "a new draw")
        await here.answered()
        second = here.candidates.draw
        assert second is not None
        assert second.seed != first.seed
        await here.pilot.press("enter")
        await here.idle()
    with Store.open(baby_home) as store:
        assert store.picks.history()[0].candidate in {piece.id for piece in second.pieces}
        assert all(store.candidates.get(piece.id or 0) for piece in first.pieces)


@pytest.mark.parametrize(("key", "change"), [("r", ""), ("r", "yes"), ("R", "")])
async def test_an_edit_is_of_the_draw_in_which_it_was_begun(baby_home: Home, key: str, change: str) -> None:
    async with seat(baby_home) as here:
        await here.ask("hello")
        first = here.candidates.draw
        assert first is not None
        await here.pilot.press("right", "e", "escape", key)
        await here.until(lambda: here.candidates.draw is not first, "a new draw")
        await here.until(lambda: here.candidates.draw and here.candidates.draw.stored, "all of it")
        await here.pilot.press("tab")
        assert here.box.border_title == "Answer 2, edited"
        await here.type(change)
        await here.pilot.press("enter")
        await here.idle()
        begun = first.by_position[1]
    with Store.open(baby_home) as store:
        pick = store.picks.history()[0]
        assert (pick.kind, pick.candidate) == ("edited" if change else "candidate", begun.id)
        assert pick.text.endswith(change) if change else pick.text == book.clean(begun.text)
        assert store.candidates.beside(pick)[1].text == book.clean(begun.text)


async def test_backspace_takes_the_last_pick_back(baby_home: Home) -> None:
    async with seat(baby_home) as here:
        await here.ask("hello")
        before = len(book.load(baby_home.book))
        await here.pilot.press("1")
        await here.idle()
        assert len(book.load(baby_home.book)) == before + 1
        await here.pilot.press("backspace")
        await here.until(lambda: here.candidates.display, "the candidates again")
        assert here.texts == ["hello"]
        assert here.screen.focused is here.candidates
        assert len(book.load(baby_home.book)) == before
        await here.pilot.press("3")
        await here.idle()
    with Store.open(baby_home) as store:
        assert [pick.kind for pick in store.picks.history()] == ["candidate", "undo", "candidate"]


async def test_backspace_with_answers_waiting_goes_back_to_the_pick_before(baby_home: Home) -> None:
    async with seat(baby_home) as here:
        await here.ask("one")
        await here.pilot.press("1")
        await here.ask("two")
        await here.pilot.press("backspace")
        await here.until(lambda: here.texts == ["one"], "the first message")
        await here.pilot.press("2")
        assert here.box.text == "two", "the overtaken message comes back to the box"
        await here.idle()


async def test_backspace_that_empties_a_line_undoes_nothing(baby_home: Home) -> None:
    async with seat(baby_home) as here:
        await here.ask("hello")
        await here.pilot.press("1")
        await here.type("ab")
        await here.pilot.press("backspace", "backspace", "backspace", "backspace")
        await here.idle()
        assert len(here.texts) == 2


async def test_skip_goes_on_without_a_pick(baby_home: Home) -> None:
    async with seat(baby_home) as here:
        await here.ask("a")
        await here.pilot.press("s")
        assert here.history.bubbles[-1].note == "skipped"
        await here.ask("b")
        await here.pilot.press("escape", "escape")
        await here.until(lambda: not here.candidates.display, "the second skip")
        await here.ask("c")
        await here.pilot.press("1")
        await here.idle()
    with Store.open(baby_home) as store:
        assert [pick.kind for pick in store.picks.history()] == ["candidate", "skip", "skip"]
        answered = store.picks.history()[0]
        assert len(store.conversations.path(answered.message or 0)) == 2, "what was skipped is no context"


async def test_a_skipped_message_does_not_wait_after_a_restart(baby_home: Home) -> None:
    async with seat(baby_home) as here:
        await here.ask("a")
        await here.pilot.press("s")
        await here.idle()
    async with seat(baby_home) as here:
        assert not here.candidates.display
        assert here.history.bubbles[-1].note == "skipped"


async def test_f_flags(baby_home: Home) -> None:
    async with seat(baby_home) as here:
        await here.ask("a")
        await here.pilot.press("f")
        await here.until(lambda: "Flagged" in here.toasts, "the flag")
        assert here.candidates.display, "a flagged message still waits"
    with Store.open(baby_home) as store:
        assert store.picks.history()[0].kind == "flag"


async def test_answers_that_wait_are_there_after_a_restart(baby_home: Home) -> None:
    async with seat(baby_home) as here:
        await here.ask("hello")
        assert here.candidates.draw is not None
        before = [book.clean(piece.text) for piece in here.candidates.draw.by_position]
    async with seat(baby_home) as here:
        assert here.candidates.draw is not None
        assert [piece.text for piece in here.candidates.draw.by_position] == before
        assert here.screen.focused is here.candidates


async def test_an_empty_message_is_not_sent(home: Home) -> None:
    async with seat(home) as here:
        await here.pilot.press("enter")
        await here.type("  ")
        await here.pilot.press("enter")
        assert "Nothing to send" in here.toasts
        assert here.texts == []


async def test_a_second_app_on_the_same_home_sees_the_same(baby_home: Home) -> None:
    async with seat(baby_home) as first:
        await first.ask("hello")
        async with seat(baby_home) as second:
            assert second.texts == ["hello"]
            await second.pilot.press("1")
            await second.idle()
            assert len(second.texts) == 2
        await first.pilot.press("2")
        await first.idle()
    with Store.open(baby_home) as store:
        assert [pick.kind for pick in store.picks.history()] == ["candidate", "candidate"]


async def test_emoji_and_chinese(baby_home: Home) -> None:
    async with seat(baby_home) as here:
        here.box.put("你好 🎩 [b]not markup[/b]")
        await here.pilot.press("enter")
        await here.answered()
        await here.pilot.press("1")
        await here.idle()
        assert here.texts[0] == "你好 🎩 [b]not markup[/b]"
    assert "你好 🎩 [b]not markup[/b]" in baby_home.book.read_text(encoding="utf-8")


async def test_what_is_typed_on_after_enter_belongs_to_the_next_text(baby_home: Home) -> None:
    async with seat(baby_home) as here:
        for key in ("a", "b", "ctrl+j", "c", "enter", "d", "e"):
            here.box.post_message(Key(key, key if len(key) == 1 else None))
        await here.answered()
        assert here.texts == ["ab\nc"]
        assert here.box.text == "de"
        assert here.screen.focused is here.box, "who is writing is not interrupted"


async def test_an_answer_begun_is_not_lost_by_picking_a_card(baby_home: Home) -> None:
    async with seat(baby_home) as here:
        await here.ask("hello")
        await here.pilot.press("tab")
        await here.type("perhaps")
        await here.pilot.press("escape", "1")
        assert here.box.text == "perhaps"
        await here.idle()


async def test_an_answer_of_ones_own_gives_way_to_an_edit_and_comes_back(baby_home: Home) -> None:
    async with seat(baby_home) as here:
        await here.ask("hello")
        await here.pilot.press("tab")
        await here.type("mine")
        await here.pilot.press("escape", "e")
        assert "mine" not in here.box.text
        await here.screen.keep_draft()
        assert here.screen.desk.store.conversations.draft(here.screen.conversation or 0).startswith("mine\n")
        here.box.put("")
        await here.pilot.press("escape", "tab")
        assert (here.box.text, here.box.border_title) == ("mine", "Your own answer"), "from an emptied box at once"
        await here.pilot.press("escape", "e", "enter")
        assert (here.box.text, len(here.texts)) == ("mine", 2), "and after the pick"
        await here.idle()
    with Store.open(baby_home) as store:
        assert [pick.kind for pick in store.picks.history()] == ["candidate"]


async def test_an_edit_that_is_left_is_no_message_and_waits_for_its_answer(baby_home: Home) -> None:
    async with seat(baby_home) as here:
        await here.ask("hello")
        await here.pilot.press("right", "e")
        edited = here.box.text + " indeed"
        await here.type(" indeed")
        await here.pilot.press("escape", "1")
        assert here.box.text == ""
        await here.idle()
        await here.pilot.press("f8")
        await here.until(lambda: here.candidates.display, "the answers again")
        assert here.screen.focused is here.candidates, "u takes it once more"
        await here.pilot.press("right", "e")
        assert (here.box.text, here.box.border_title) == (edited, "Answer 2, edited")
        await here.pilot.press("escape", "s")
        assert here.box.text == "", "nor after a skip"
        await here.idle()
