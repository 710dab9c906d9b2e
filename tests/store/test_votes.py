"""Votes between two checkpoints, counted from either side, and gone with the conversation that they quote."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mrclassic.home import Home
from mrclassic.store import Store, Tally, forgetting

if TYPE_CHECKING:
    from mrclassic.store.votes import Choice

CHOICES: tuple[Choice, ...] = ("first", "second", "both", "neither")


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.booleans(), st.sampled_from(CHOICES)), max_size=12))
def test_the_tally_does_not_depend_on_who_stood_where(store: Store, votes: list[tuple[bool, Choice]]) -> None:
    before = store.votes.tally("a", "b")
    won = {"better": 0, "worse": 0, "equal": 0}
    for swapped, choice in votes:
        first, second = ("b", "a") if swapped else ("a", "b")
        store.votes.add("Hello.", first, second, "x", "y", choice, blind=True)
        fate = "equal" if choice in ("both", "neither") else "better" if (choice == "first") != swapped else "worse"
        won[fate] += 1
    after = store.votes.tally("a", "b")
    gained = Tally(after.better - before.better, after.worse - before.worse, after.equal - before.equal)
    assert gained == Tally(**won)
    mirrored = store.votes.tally("b", "a")
    assert (mirrored.better, mirrored.worse, mirrored.equal) == (after.worse, after.better, after.equal)
    assert store.votes.tally("a", "c").votes == 0


def test_what_was_asked_comes_once_newest_first_and_goes_with_its_conversation(home: Home, store: Store) -> None:
    conversations = []
    for question in ("Hello.", "Who are you?", "Hello."):
        conversation = store.conversations.create().id
        store.conversations.add(conversation, None, "user", question)
        conversations.append(conversation)
    assert store.votes.questions() == ["Hello.", "Who are you?"]
    store.votes.add("Who are you?", "a", "b", "I.", "You.", "first", blind=False)
    (vote,) = store.votes.newest()
    assert (vote.first_text, vote.choice, vote.blind) == ("I.", "first", False)
    assert store.votes.voted("b", "a") == {"Who are you?"}
    forgetting.forget(store, home, forgetting.find(store, home, "conversation", str(conversations[1])))
    assert store.votes.newest() == []
    assert store.votes.questions() == ["Hello."]
