"""What the morning's report says of the night to come."""

from __future__ import annotations

from mrclassic.night.outlook import outlook
from mrclassic.settings import Settings


def test_what_waits_what_is_practised_and_what_must_be_kept() -> None:
    lines = outlook("It begins on Sunday.", Settings(), {"arithmetic:1": 1.0, "arithmetic:3": 0.25}, 3)
    assert lines == (
        "It begins on Sunday.",
        "It begins with the book: 3 entries wait.",
        "It practises arithmetic:3 (25%); 35% of the time for questions of its own.",
        "It must keep what is mastered: arithmetic:1.",
    )


def test_nothing_is_left_to_practise() -> None:
    lines = outlook("", Settings(), {"arithmetic:1": 1.0}, 0)
    assert lines[0].startswith("Everything it practises is mastered")


def test_what_it_learns_from_what_was_said() -> None:
    lines = outlook("It begins on Sunday.", Settings(), {"arithmetic:3": 0.25}, 0, {"dpo": 0.1, "taste": 0.15})
    assert lines[1] == "It learns from what you said: your picks (dpo) (10% of the time), your taste (15% of the time)."
