"""What the picks say about taste: who won over whom, and of several choices the last that stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mrclassic import book
from mrclassic.home import Home
from mrclassic.store import NewCandidate, Preference, Store, curation

if TYPE_CHECKING:
    from conftest import Talk


def drawn(store: Store, prompt: int, texts: list[str], order: list[int]) -> list[int]:
    """Candidates shown in `order`; their ids by slot."""
    rows = store.candidates.add_draw(
        prompt,
        [
            NewCandidate(
                slot=slot,
                shown=shown,
                text=text,
                tokens=1,
                logprob=-1.0,
                finish_reason="stop",
                seed=0,
                temperature=0.7,
                top_p=1.0,
                checkpoint="c1",
            )
            for slot, (text, shown) in enumerate(zip(texts, order, strict=True))
        ],
    )
    return [row.id for row in sorted(rows, key=lambda row: row.slot)]


def test_a_pick_wins_over_what_was_shown_beside_it_in_the_order_shown(home: Home, store: Store, talk: Talk) -> None:
    conversation = store.conversations.create(system="Be brief.").id
    asked = talk.ask("hello", conversation)
    ids = drawn(store, asked.id, ["a", "b", "c", "d", "e"], [3, 1, 5, 2, 4])
    pick = curation.take(store, home, asked.id, "a", "candidate", ids[0])
    (found,) = store.preferences.own()
    assert found == Preference(
        messages=({"role": "system", "content": "Be brief."}, {"role": "user", "content": "hello"}),
        candidates=("b", "d", "a", "e", "c"),
        winner=2,
        kind="candidate",
        date=pick.created,
        shown=(1, 2, 3, 4, 5),
        checkpoint="c1",
        pick=pick.id,
    )
    assert (found.chosen, found.rejected) == ("a", ("b", "d", "e", "c"))


def test_own_words_win_over_all_and_an_edit_over_its_origin(home: Home, store: Store, talk: Talk) -> None:
    one, two = talk.ask("one"), talk.ask("two")
    drawn(store, one.id, ["a", "b"], [1, 2])
    ids = drawn(store, two.id, ["a", "b"], [2, 1])
    curation.take(store, home, one.id, "mine", "typed")
    curation.take(store, home, two.id, "a, mended", "edited", ids[0])
    typed, edited = store.preferences.own()
    assert (typed.candidates, typed.winner, typed.shown) == (("a", "b", "mine"), 2, (1, 2, 0))
    assert (edited.candidates, edited.winner, edited.shown) == (("a", "a, mended"), 1, (2, 0))


def test_of_those_that_say_the_same_one_counts(home: Home, store: Store, talk: Talk) -> None:
    one, two, three = talk.ask("one"), talk.ask("two"), talk.ask("three")
    ids = drawn(store, one.id, ["a", "b", "a ", "b"], [4, 2, 1, 3])
    curation.take(store, home, one.id, "a", "candidate", ids[0])
    drawn(store, two.id, ["a", "b"], [1, 2])
    curation.take(store, home, two.id, "b", "typed")
    drawn(store, three.id, ["a", "a"], [1, 2])
    curation.take(store, home, three.id, "a", "typed")
    first, second = store.preferences.own()  # of the third there was nothing else to choose
    assert (first.candidates, first.winner, first.shown) == (("b", "a"), 1, (2, 4))
    assert (second.candidates, second.winner) == (("a", "b"), 1)


def test_a_pick_is_held_against_what_was_shown_when_it_was_made(home: Home, store: Store, talk: Talk) -> None:
    asked = talk.ask("hello")
    drawn(store, asked.id, ["a", "b"], [1, 2])
    curation.take(store, home, asked.id, "mine", "typed")
    drawn(store, asked.id, ["c", "d"], [1, 2])
    (found,) = store.preferences.own()
    assert found.rejected == ("a", "b")
    curation.revise(store, home, asked.id, "better", "typed")
    (found,) = store.preferences.own()
    assert (found.chosen, found.rejected) == ("better", ("c", "d"))


def test_a_revised_pick_supersedes_and_leaves_the_conversation_as_it_went(home: Home, store: Store, talk: Talk) -> None:
    asked = talk.ask("hello")
    ids = drawn(store, asked.id, ["a", "b"], [1, 2])
    first = curation.take(store, home, asked.id, "a", "candidate", ids[0])
    then = talk.ask("and?", asked.conversation)
    revised = curation.revise(store, home, asked.id, "b", "candidate", ids[1])
    assert (revised.supersedes, revised.message) == (first.id, None)
    assert store.conversations.leaf(asked.conversation) == then
    assert [entry.reply for entry in book.load(home.book)] == ["b"]
    assert [found.chosen for found in store.preferences.own()] == ["b"]
    curation.undo(store, home, asked.conversation)
    assert store.conversations.leaf(asked.conversation) == then
    assert [entry.reply for entry in book.load(home.book)] == ["a"]
    assert [found.chosen for found in store.preferences.own()] == ["a"]


def test_what_is_retired_says_nothing_until_it_is_restored(home: Home, store: Store, talk: Talk) -> None:
    asked = talk.ask("hello")
    ids = drawn(store, asked.id, ["a", "b"], [1, 2])
    curation.take(store, home, asked.id, "a", "candidate", ids[0])
    curation.revise(store, home, asked.id, "a, mended", "edited", ids[0])
    assert curation.retire(store, home, asked.id) == 2
    assert list(store.preferences.own()) == book.load(home.book) == []
    assert store.candidates.last_unanswered() is None, "the reply is still part of the conversation"
    assert store.conversations.get(asked.conversation).messages == 2
    restored = curation.restore(store, home, asked.id)
    assert restored is not None
    assert (restored.text, restored.kind, restored.message) == ("a, mended", "edited", None)
    assert [entry.reply for entry in book.load(home.book)] == ["a, mended"]


def test_queues(home: Home, store: Store, talk: Talk) -> None:
    asked = {name: talk.ask(name).id for name in ("pending", "draft", "done", "skipped", "retired", "unasked")}
    for name, prompt in asked.items():
        if name != "unasked":
            drawn(store, prompt, ["a", "b"], [1, 2])
    assert store.queues.counts() == {"pending": 5, "draft": 0, "done": 0, "discarded": 0}
    curation.flag(store, asked["draft"])
    curation.flag(store, asked["done"])
    for name in ("done", "retired"):
        curation.take(store, home, asked[name], "mine", "typed")
    curation.retire(store, home, asked["retired"])
    curation.skip(store, asked["skipped"])
    queues = {queue: [each.text for each in store.queues.list(queue)] for queue in store.queues.counts()}
    assert queues == {"pending": ["pending"], "draft": ["draft"], "done": ["done"], "discarded": ["skipped", "retired"]}
    assert [(each.reply, each.kind) for each in store.queues.list("done")] == [("mine", "typed")]
    curation.flag(store, asked["done"])
    assert [each.reply for each in store.queues.list("draft")] == ["mine", ""], "flagged for another look, and kept"
    for name in ("skipped", "retired", "draft"):
        curation.restore(store, home, asked[name])
    assert store.queues.counts() == {"pending": 3, "draft": 1, "done": 1, "discarded": 0}


STEPS = st.lists(
    st.tuples(st.sampled_from(["take", "revise", "retire", "restore", "undo", "skip", "flag"]), st.integers(0, 2)),
    max_size=12,
)


@given(steps=STEPS)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_book_picks_queues_and_preferences_agree_whatever_is_done(
    home: Home, store: Store, talk: Talk, steps: list[tuple[str, int]]
) -> None:
    prompts = [talk.ask(f"question {talk.store.conversations.create().id}").id for _ in range(3)]
    for prompt in prompts:
        drawn(store, prompt, ["a", "b"], [2, 1])
    for number, (what, which) in enumerate(steps):
        prompt = prompts[which]
        conversation = store.conversations.message(prompt).conversation
        if what in ("take", "revise"):
            getattr(curation, what)(store, home, prompt, f"reply {number}", "typed")
        elif what in ("retire", "restore"):
            getattr(curation, what)(store, home, prompt)
        elif what == "undo":
            curation.undo(store, home, conversation)
        else:
            getattr(curation, what)(store, prompt)
    standing = {prompt: store.picks.standing(prompt) for prompt in prompts}
    replies = {store.conversations.message(prompt).content: pick.text for prompt, pick in standing.items() if pick}
    questions = {store.conversations.message(prompt).content for prompt in prompts}
    written = {entry.turns[-1].user: entry.reply for entry in book.load(home.book)}
    assert {question: reply for question, reply in written.items() if question in questions} == replies
    own = {found.messages[-1]["content"]: found.chosen for found in store.preferences.own()}
    assert {question: reply for question, reply in own.items() if question in questions} == replies
    queued = [each for queue in store.queues.counts() for each in store.queues.list(queue) if each.prompt in prompts]
    assert sorted(each.prompt for each in queued) == prompts
    assert {each.text: each.reply for each in queued if each.reply} == replies


def test_imported_preferences_are_kept_once_and_apart(store: Store) -> None:
    found = [
        Preference(
            messages=({"role": "user", "content": "hello"},),
            candidates=("a", "b", "c"),
            winner=winner,
            kind="imported",
            date="",
        )
        for winner in (1, 1, 2)
    ]
    assert store.preferences.take_in("file", found) == 2
    assert store.preferences.take_in("file", found) == 0
    assert [each.chosen for each in store.preferences.all()] == ["b", "c"]
    assert list(store.preferences.own()) == []
    with pytest.raises(ValueError, match="at least two"):
        Preference(messages=(), candidates=("a",), winner=0, kind="imported", date="")
