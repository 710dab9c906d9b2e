"""Conversations: trees of messages, drafts, search that takes any text, deletion that really deletes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import many
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mrclassic.errors import UsageError
from mrclassic.home import Home
from mrclassic.store import Store, curation, forgetting

if TYPE_CHECKING:
    from conftest import Talk


def test_the_conversation_last_spoken_in_comes_first(store: Store, talk: Talk) -> None:
    first, second = store.conversations.create("one", "Be brief."), store.conversations.create("two")
    assert [c.id for c in store.conversations.list()] == [second.id, first.id]
    talk.ask("hello", first.id)
    listed = store.conversations.list()
    assert [c.id for c in listed] == [first.id, second.id]
    assert (listed[0].messages, listed[0].system, listed[0].archived) == (1, "Be brief.", False)
    assert listed[0].updated > listed[0].created
    assert listed[0].updated.endswith("+00:00")
    assert len(store.conversations.list(limit=1)) == 1


def test_rename_and_archive(store: Store) -> None:
    one = store.conversations.create("one")
    store.conversations.rename(one.id, "uno")
    store.conversations.archive(one.id)
    assert store.conversations.list() == []
    assert [c.title for c in store.conversations.list(archived=True)] == ["uno"]
    store.conversations.archive(one.id, archived=False)
    assert store.conversations.get(one.id).archived is False


@pytest.mark.parametrize("archived", [False, True])
def test_those_from_files_are_listed_apart_until_something_is_said_there(store: Store, archived: bool) -> None:
    own = store.conversations.create("own").id
    said = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    taken = [store.conversations.take_in(said, str(number)) for number in range(2)]
    assert [talk.id for talk in store.conversations.list(from_files=True)] == taken[::-1]
    assert [talk.id for talk in store.conversations.list()] == [own]
    assert taken[0] is not None
    store.conversations.rename(taken[0], "read, and named")
    assert store.conversations.from_files() == 2
    last = store.conversations.leaf(taken[0])
    assert last is not None
    store.conversations.add(taken[0], last.id, "user", "go on")
    assert [talk.id for talk in store.conversations.list()] == [taken[0], own]
    for each in (own, *taken):
        assert each is not None
        store.conversations.archive(each, archived)
    assert len(store.conversations.list(archived=True)) == 3 * archived
    assert store.conversations.from_files() == 1 - archived


def test_messages_form_a_tree(store: Store) -> None:
    talk = store.conversations.create()
    root = store.conversations.add(talk.id, None, "user", "hello")
    left = store.conversations.add(talk.id, root.id, "assistant", "hi", origin="candidate", checkpoint="c1")
    right = store.conversations.add(talk.id, root.id, "assistant", "good day", origin="typed")
    below = store.conversations.add(talk.id, left.id, "user", "well?")
    assert store.conversations.path(below.id) == [root, left, below]
    assert store.conversations.path(right.id) == [root, right]
    assert store.conversations.leaf(talk.id) == below
    assert store.conversations.replies(root.id) == [left, right]
    assert store.conversations.message(left.id).checkpoint == "c1"


def test_what_does_not_exist_is_one_sentence(store: Store, talk: Talk) -> None:
    message = talk.ask("hello")
    other = store.conversations.create()
    for attempt in (
        lambda: store.conversations.get(99),
        lambda: store.conversations.message(99),
        lambda: store.conversations.path(99),
        lambda: store.conversations.add(99, None, "user", "x"),
        lambda: store.conversations.rename(99, "x"),
        lambda: store.conversations.set_draft(99, "x"),
    ):
        with pytest.raises(UsageError, match=r"There is no (conversation|message) 99\."):
            attempt()
    with pytest.raises(UsageError, match="not part of conversation"):
        store.conversations.add(other.id, message.id, "assistant", "x", "typed")


def test_a_draft_survives_the_process(home: Home, store: Store) -> None:
    talk = store.conversations.create()
    assert store.conversations.draft(talk.id) == ""
    store.conversations.set_draft(talk.id, "half a sent")
    with Store.open(home) as other:
        assert other.conversations.draft(talk.id) == "half a sent"


def test_any_text_is_kept(store: Store, talk: Talk) -> None:
    for text in ("你好 🦊", "x" * 100_000, "a\0b", "'; DROP TABLE messages; --", "\ud800"):
        message = talk.ask(text)
        assert store.conversations.message(message.id).content == text.replace("\ud800", "\ufffd")


def test_search_finds_words_beginnings_and_text_without_spaces(store: Store, talk: Talk) -> None:
    fox = talk.ask("The quick brown fox über the lazy dog")
    chinese = talk.ask("你叫什么名字？")
    percent = talk.ask("100% sure (really)")

    def found(text: str) -> list[int]:
        return [hit.message for hit in store.conversations.search(text)]

    assert found("fox") == found("bro") == found("LAZY quick") == found("uber") == found('"brown fox"') == [fox.id]
    assert found("cat") == found("") == found("  ") == found("fox cat") == []
    assert found("名字") == [chinese.id]
    assert found("100%") == found("(really)") == [percent.id]
    hit = store.conversations.search("brown")[0]
    assert "brown" in hit.snippet
    assert (hit.conversation, hit.role) == (fox.conversation, "user")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.one_of(st.text(), st.text(alphabet='"*^:(){}+-~ANDORTNEa\\\0 ')))
def test_search_takes_any_text(store: Store, text: str) -> None:
    assert isinstance(store.conversations.search(text), list)


def test_titles_are_searched_as_written(store: Store) -> None:
    rain = store.conversations.create("100% Rain_fall")
    store.conversations.create("rain")
    assert [talk.id for talk in store.conversations.titled("rain_F")] == [rain.id]
    assert [talk.id for talk in store.conversations.titled("0%")] == [rain.id]
    assert store.conversations.titled("r_in") == store.conversations.titled(" ") == []


def test_what_no_index_knows_is_read_among_the_newest(store: Store, talk: Talk) -> None:
    old, new = talk.ask("你好吗"), talk.ask("你好")
    assert [hit.message for hit in store.conversations.literally("好")] == [new.id, old.id]
    assert [hit.message for hit in store.conversations.literally("好", newest=1)] == [new.id]


def test_a_fork_is_a_conversation_of_its_own(home: Home, store: Store, talk: Talk) -> None:
    first = talk.ask("one")
    reply = store.conversations.add(first.conversation, first.id, "assistant", "1", origin="candidate", checkpoint="c1")
    store.conversations.instruct(first.conversation, "Be brief.")
    after = talk.ask("two", first.conversation)
    fork = store.conversations.fork(reply.id)
    assert (fork.system, fork.messages) == ("Be brief.", 2)
    copied = store.conversations.messages(fork.id)
    assert [(m.role, m.content, m.origin, m.checkpoint) for m in copied] == [
        ("user", "one", "user", None),
        ("assistant", "1", "candidate", "c1"),
    ]
    assert [message.parent for message in copied] == [None, copied[0].id]
    forgetting.forget(store, home, forgetting.find(store, home, "conversation", str(first.conversation)))
    assert store.conversations.messages(fork.id) == copied
    assert after.id not in [message.id for message in copied]


def test_the_end_of_a_branch_and_what_was_asked_first(store: Store, talk: Talk) -> None:
    root = talk.ask("one")
    left = store.conversations.add(root.conversation, root.id, "assistant", "1")
    below = store.conversations.add(root.conversation, left.id, "user", "and?")
    other = store.conversations.add(root.conversation, None, "user", "other")
    assert store.conversations.below(root.id) == below
    assert store.conversations.below(other.id) == other
    assert [text for text, _ in store.conversations.openings()] == ["other", "one"]
    assert [text for text, _ in store.conversations.openings(1)] == ["other"]
    curation.withdraw(store, other.id, "")
    assert [text for text, _ in store.conversations.openings()] == ["one"]


def test_lists_and_searches_stay_quick(home: Home) -> None:
    """20,000 messages in 2,000 conversations: each view well under the time a person notices."""
    many.fill(home, 2000, 20_000, imported=1000)
    with Store.open(home) as store:
        for view in (
            lambda: store.conversations.list(100),
            lambda: store.conversations.list(100, from_files=True),
            store.conversations.from_files,
            lambda: store.conversations.search(many.WORDS[-1]),
            lambda: store.conversations.search(many.WORDS[0]),
            lambda: store.conversations.search("not there"),
            lambda: store.conversations.path(20_000),
            lambda: store.conversations.leaf(2000),
            lambda: store.candidates.last_unanswered(),
        ):
            seconds = []
            for _ in range(3):
                begun = time.perf_counter()
                view()
                seconds.append(time.perf_counter() - begun)
            assert min(seconds) < 0.1
