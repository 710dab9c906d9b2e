"""Conversation: items without gold, which the owner's taste scores, and nothing else can."""

from __future__ import annotations

import pytest

from mrclassic import rewards
from mrclassic.plugins.checking import built_in
from mrclassic.rewards.contract import columns_of, score
from mrclassic.tasks.arms import Arms
from mrclassic.tasks.base import Asked, Item, Refusal, keyed
from mrclassic.tasks.conversation import Conversation

TALK = Conversation(["Hello.", "Do you like rain?"], held_out=["What is the moon made of?"])


def test_its_items_are_scored_by_the_taste_alone() -> None:
    def taste(completions: list, **columns: object) -> list[float]:
        return [0.1 * len(completion[0]["content"]) for completion in completions]

    arms = Arms([(TALK, None)])
    chosen = rewards.select(["correct"], arms, {"taste": taste})
    items = [arms.sample("conversation:1", keyed(at)) for at in range(2)]
    found = score(chosen, [item.messages for item in items], ["Yes.", "Indeed."], columns_of(items))
    assert found.total == pytest.approx((0.4, 0.7))


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("How are you today?", "item"),
        ("what is the moon made of!", "held-out"),
        ("no end", "unparsable"),
        ("Two.\nLines.", "unparsable"),
        ("", "unparsable"),
        (f"{'long ' * 50}.", "unparsable"),
    ],
)
def test_a_line_opens_a_talk(line: str, kind: str) -> None:
    assert isinstance(TALK, Asked)
    found = TALK.parse(line)
    assert (found.kind if isinstance(found, Refusal) else "item") == kind
    if isinstance(found, Item):
        assert (found.answer, found.meta["reward"]) == ("", "taste")
        assert TALK.check(found, "Well.").verdict == "skipped"


def test_no_plugin_may_take_the_name_of_what_is_built_in() -> None:
    assert {"conversation", "gym", "strings", "programs"} <= set(built_in("task"))
