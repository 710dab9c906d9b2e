"""Nothing that a model says reaches the terminal as a command."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from tui.seats import seat

from mrclassic.home import Home
from mrclassic.store import Store
from mrclassic.tui.visible import visible


@given(st.text())
def test_no_control_character_is_left(text: str) -> None:
    shown = visible(text)
    assert not [c for c in shown if (ord(c) < 32 and c not in "\n\t") or 0x7F <= ord(c) < 0xA0]
    assert visible(shown) == shown


def test_ordinary_text_stays() -> None:
    assert visible("Good day,\n\t你好 🎩 [b]") == "Good day,\n\t你好 🎩 [b]"


async def test_an_escape_sequence_in_a_conversation_is_shown_as_text(home: Home) -> None:
    with Store.open(home) as store:
        conversation = store.conversations.create("\x1b]0;owned\x07").id
        question = store.conversations.add(conversation, None, "user", "hello \x1b[2J")
        store.conversations.add(conversation, question.id, "assistant", "**bold** \x1b[31mred")
    async with seat(home) as here:
        await here.until(lambda: here.screen.shelf.option_count, "the list")
        strips = [strip for line in here.app.screen._compositor.render_strips() for strip in line]
        assert "\x1b" not in "".join(segment.text for segment in strips)
        assert any("␛[2J" in "".join(s.text for s in line) for line in here.app.screen._compositor.render_strips())
