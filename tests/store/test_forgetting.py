"""What is forgotten is gone: out of the book, the pages of nights, and every byte of every file of the database."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import babies
import choosers
import pytest
from homes import mrclassic

from mrclassic import book, retiring
from mrclassic.book import Entry, Turn
from mrclassic.errors import UsageError
from mrclassic.home import Home
from mrclassic.model import checkpoint
from mrclassic.store import Checkpoint, Preference, Recall, Store, curation
from mrclassic.store.forgetting import find, forget

if TYPE_CHECKING:
    from conftest import Talk

SECRET = "xylophonequark"


def holding(home: Home, words: str = SECRET) -> list[str]:
    """The files of the home that hold some words."""
    files = [path for path in home.root.rglob("*") if path.is_file() and path.suffix != ".safetensors"]
    return sorted(path.name for path in files if words.lower().encode() in path.read_bytes().lower())


def erased(store: Store, home: Home, kind: str, name: object) -> list[Path]:
    found = find(store, home, kind, str(name))  # type: ignore[arg-type]
    assert not found.nothing
    return forget(store, home, found)


def replies(home: Home) -> list[str]:
    return [entry.reply for entry in book.load(home.book)]


def test_a_conversation_is_forgotten_and_others_are_kept(home: Home, store: Store, talk: Talk) -> None:
    kept = talk.ask("hello")
    asked = talk.ask(f"my secret is {SECRET}")
    drawn = talk.draw(asked.id, "zanzibarmolecule one", "two")
    curation.take(store, home, asked.id, drawn[0].text, "candidate", drawn[0].id)
    curation.undo(store, home)
    pick = curation.take(store, home, asked.id, "zanzibarmolecule two", "edited", drawn[0].id)
    then = talk.ask("hello", asked.conversation)
    curation.take(store, home, then.id, "again", "typed")
    curation.take(store, home, kept.id, "hi", "typed")
    store.ratings.add(asked.conversation, 4)
    store.conversations.set_draft(asked.conversation, SECRET)
    store.copy()
    assert erased(store, home, "conversation", asked.conversation) == []
    assert [c.id for c in store.conversations.list()] == [kept.conversation]
    assert replies(home) == ["hi"]
    assert store.ratings.list() == []
    assert store.conversations.search("secret") == []
    (stone,) = store.tombstones.list()
    assert (stone.kind, stone.name, stone.checkpoints) == ("conversation", str(asked.conversation), ())
    assert pick.entry_hash in stone.entries
    assert holding(home) == holding(home, "zanzibarmolecule") == []
    assert store.damage() == []
    assert store.conversations.search("hello")[0].message == kept.id


def test_a_long_conversation_goes_in_one_stroke(home: Home, store: Store, talk: Talk) -> None:
    """A cascade from message to message would be deeper than SQLite allows."""
    conversation, parent = store.conversations.create().id, None
    with store.transaction():
        for number in range(1500):
            parent = store.conversations.add(conversation, parent, "user", f"{SECRET} {number}").id
    erased(store, home, "conversation", conversation)
    assert store.conversations.list() == []
    assert holding(home) == []


def test_what_others_chose_in_the_same_words_is_left_to_them(home: Home, store: Store, talk: Talk) -> None:
    one, other = talk.ask("hello"), talk.ask("hello")
    curation.take(store, home, one.id, f"from {SECRET}", "typed")
    curation.take(store, home, other.id, "from the other", "typed")
    erased(store, home, "conversation", one.conversation)
    assert replies(home) == ["from the other"]
    assert holding(home) == [], "nor in what the other pick had replaced"
    curation.undo(store, home)
    assert replies(home) == []


def test_a_conversation_that_goes_on_without_its_first_message_loses_its_name(
    home: Home, store: Store, talk: Talk
) -> None:
    one, other = store.conversations.create(f"{SECRET[:9]}…"), store.conversations.create("hi")
    asked = store.conversations.add(one.id, None, "user", SECRET)
    pick = curation.take(store, home, asked.id, "hi", "typed")
    store.conversations.add(one.id, None, "user", "something else")
    erased(store, home, "pick", pick.id)
    assert [store.conversations.get(each.id).title for each in (one, other)] == ["", "hi"]
    assert store.conversations.get(one.id).messages == 1
    assert holding(home, SECRET[:9]) == []


def test_a_pick_goes_with_its_question_and_what_was_said_after_it(home: Home, store: Store, talk: Talk) -> None:
    first = talk.ask("hello")
    curation.take(store, home, first.id, "hi", "typed")
    asked = talk.ask(f"I am {SECRET}, you know", first.conversation)
    drawn = talk.draw(asked.id, f"a {SECRET}", "b")
    pick = curation.take(store, home, asked.id, "b", "candidate", drawn[1].id)
    then = talk.ask("and?", first.conversation)
    curation.take(store, home, then.id, "so", "typed")
    erased(store, home, "pick", pick.id)
    assert replies(home) == ["hi"]
    assert store.conversations.get(first.conversation).messages == 2
    assert holding(home) == []
    with pytest.raises(UsageError, match=f"no pick {pick.id}"):
        find(store, home, "pick", str(pick.id))


def test_what_learned_from_the_pick_or_compared_its_words_is_found(home: Home, store: Store, talk: Talk) -> None:
    for name in ("early", "late"):
        babies.hatch(home, name)
    asked = talk.ask(f"I am {SECRET}, you know")
    before = store.runs.start("dpo", {"last": 0})
    pick = curation.take(store, home, asked.id, "so you are", "typed")
    after = store.runs.start("dpo", {"last": pick.id})
    store.runs.finish(before, "done", "early")
    store.runs.finish(after, "done", "late")
    store.votes.add(asked.content, "early", "late", "Are you?", "So.", "first", blind=True)
    found = find(store, home, "pick", str(pick.id))
    assert found.saw == ("late",)
    forget(store, home, found)
    assert store.votes.newest() == []
    assert holding(home) == []


def test_who_learned_from_what_no_manifest_lists_is_found(home: Home, store: Store, talk: Talk) -> None:
    """Imported preferences, votes, ratings and candidates that were not picked; in a run of its own, or of a night."""
    made = ("before", "dpo", "night", "rated", "game", "pleased", "pleasing", "counted")
    for name in made:
        babies.hatch(home, name)

    def run(kind: str, checkpoint: str, **settings: object) -> None:
        store.runs.finish(store.runs.start(kind, settings), "done", checkpoint)

    def saw(words: str) -> set[str]:
        return {*find(store, home, "text", words).saw}

    for kind in ("dpo", "td"):
        run(kind, "before")
    said = ({"role": "user", "content": "Who is Anna?"},)
    store.preferences.take_in(
        "pairs.jsonl",
        [Preference(messages=said, candidates=("My sister.", "A queen."), winner=0, kind="imported", date="")],
    )
    store.votes.add("Tell of Berta.", "before", "dpo", "No.", "Yes.", "first", blind=True)
    asked = talk.ask("hello")
    drawn = choosers.draw(store, asked.id, ["Good day.", "Hello, Dora."])
    curation.take(store, home, asked.id, "Good day.", "candidate", drawn[0])
    spoken = ({"role": "user", "content": "I met Clara."}, {"role": "assistant", "content": "So you did."})
    rated = store.conversations.take_in(spoken, "digest", "")
    assert rated is not None
    store.ratings.add(rated, 4)
    run("dpo", "dpo")
    night = store.nights.start({})
    store.runs.finish(store.runs.start("dpo", {}, None, night), "done")
    store.nights.finish(night, "done", checkpoint="night")
    run("td", "rated", tasks=[], rated={"seed": 0})
    run("td", "game", tasks=["guessing:10"])
    run("grpo", "pleased", rewards=["correct", "taste=0.3"])
    run("taste", "pleasing")
    run("grpo", "counted", rewards=["correct"])
    assert saw("Anna") == saw("Berta") == saw("Dora") == {"dpo", "night", "pleased", "pleasing"}
    assert saw("Clara") == {"rated"}
    assert saw("Emma") == set()


@pytest.mark.parametrize("kind", ["pick", "text"])
def test_what_an_unfinished_run_began_with_is_forgotten(home: Home, store: Store, talk: Talk, kind: str) -> None:
    pick = curation.take(store, home, talk.ask("who?").id, SECRET, "typed")
    curation.take(store, home, talk.ask("and you?").id, "Nobody else.", "typed")
    kept = home.runs / "run-1" / "book.txt"
    kept.parent.mkdir(parents=True)
    kept.write_bytes(home.book.read_bytes())
    broken = home.runs / "run-2" / "book.txt"
    broken.parent.mkdir()
    broken.write_text(f"no book {SECRET}\n")
    told = [broken] if kind == "text" else []  # a short reply is said elsewhere too
    assert erased(store, home, kind, pick.id if kind == "pick" else SECRET) == told
    assert [entry.reply for entry in book.load(kept)] == replies(home) == ["Nobody else."]


def test_words_are_forgotten_wherever_they_stand(home: Home, store: Store, talk: Talk) -> None:
    asked, other = talk.ask("hello"), talk.ask("bye")
    titled = store.conversations.create(f"About {SECRET.upper()}", system=f"Never say {SECRET}")
    store.conversations.set_draft(asked.conversation, f"and {SECRET}")
    talk.draw(asked.id, "a", f"oh {SECRET}!")
    drawn = talk.draw(other.id, f"the {SECRET}", "b")
    curation.take(store, home, asked.id, "a", "typed")
    curation.take(store, home, other.id, "the one", "edited", drawn[0].id)
    pair = Preference(
        messages=({"role": "user", "content": f'"{SECRET}"\n'},), candidates=("a", "b"), winner=0, kind="", date=""
    )
    store.preferences.take_in("file", [pair])
    run = store.runs.start("grpo", {})
    for completion, detail in ((f"say {SECRET}", {}), ("a", {"why": [SECRET]}), ("kept", {})):
        store.runs.sample(run, 1, "a prompt", completion, 1.0, detail)
    book.put(home.book, Entry((Turn("who?", SECRET), Turn("really?", "yes"))))
    home.book.write_text(f"# not {SECRET}\n# a comment\n\n" + home.book.read_text())
    home.nights.joinpath("night-1.md").write_text(f"# Night 1\n> say {SECRET}\n")
    home.nights.joinpath("night-1.json").write_text(json.dumps({"samples": [f"\n{SECRET}"], "n": 1}))
    home.logs.joinpath("mind.log").write_text(f"... {SECRET} ...")
    assert erased(store, home, "text", SECRET) == [home.logs / "mind.log"]
    assert holding(home) == ["mind.log"]
    assert replies(home) == ["a"], "the edit had the word in its origin, so the question went with it"
    assert [each.text for each in store.candidates.for_prompt(asked.id)] == ["a"]
    assert [sample.completion for sample in store.runs.samples(run)] == ["kept"]
    assert list(store.preferences.imported()) == []
    assert store.conversations.get(titled.id).title == store.conversations.get(titled.id).system == ""
    assert "# a comment\n" in home.book.read_text()
    assert json.loads(home.nights.joinpath("night-1.json").read_text()) == {"samples": ["\n(forgotten)"], "n": 1}
    (stone,) = store.tombstones.list()
    assert SECRET not in stone.name
    assert find(store, home, "text", SECRET).nothing


def test_short_words_of_a_conversation_are_not_looked_for_inside_others(home: Home, store: Store, talk: Talk) -> None:
    asked = talk.ask("sums")
    curation.take(store, home, asked.id, "4", "typed")
    run = store.runs.start("grpo", {})
    for prompt, completion in (("2 + 2", "4"), ("20 + 20", "40")):
        store.runs.sample(run, 1, prompt, completion, 1.0)
    home.nights.joinpath("night-1.md").write_text("4 sums\n")
    erased(store, home, "conversation", asked.conversation)
    assert [sample.completion for sample in store.runs.samples(run)] == ["40"]
    assert home.nights.joinpath("night-1.md").read_text() == "4 sums\n"


@pytest.mark.parametrize(
    ("kind", "name", "said"),
    [
        ("conversation", "99", "There is no conversation 99"),
        ("pick", "x", "named by its number"),
        ("text", " ", "no words"),
    ],
)
def test_what_cannot_be_forgotten_is_one_sentence(home: Home, store: Store, kind: str, name: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        find(store, home, kind, name)  # type: ignore[arg-type]


def lineage(home: Home, store: Store) -> None:
    """Three checkpoints: the second knows the book, the third was trained on from it and is in use."""
    known = tuple(entry.hash for entry in book.load(home.book))
    for name, parent, seen in (("first", None, ()), ("second", "first", known), ("third", "second", ())):
        checkpoint.save(babies.baby(), home.checkpoints / name, parent=parent, book=seen)
        store.checkpoints.add(Checkpoint(name, name, parent, status="promoted"))
        store.checkpoints.use(name)


def test_the_shell_asks_names_who_saw_it_and_what_to_do(home: Home, store: Store, talk: Talk) -> None:
    asked = talk.ask("who?")
    pick = curation.take(store, home, asked.id, SECRET, "typed")
    lineage(home, store)
    code, _, narration = mrclassic(home.root, "data", "forget", "--pick", str(pick.id))
    assert code == 2
    assert "This would delete 1 conversation, 2 messages, 1 entry of the book." in narration
    assert "say --yes" in narration
    assert holding(home)
    store.close()
    code, facts, narration = mrclassic(home.root, "data", "forget", "--text", SECRET.upper(), "--yes", "--json")
    assert code == 0, narration
    assert (facts["messages"], facts["entries"], facts["before"], facts["still_in"]) == (2, 1, "first", [])
    assert sorted(facts["checkpoints"]) == ["second", "third"]
    assert holding(home) == []
    code, said, narration = mrclassic(home.root, "data", "forget", "--text", SECRET, "--yes")
    assert (code, said, narration) == (0, "", "Nothing here holds it.\n")
    assert mrclassic(home.root, "data", "forget")[0] == 2


def test_retraining_goes_back_to_before_and_begins_with_the_book_as_it_is(home: Home, store: Store, talk: Talk) -> None:
    curation.take(store, home, talk.ask("who?").id, SECRET, "typed")
    lineage(home, store)
    store.close()
    code, said, narration = mrclassic(home.root, "data", "forget", "--text", SECRET, "--yes", "--retrain")
    assert "Trained on it, or from one that was: third, second." in said
    assert "first is in use; it learns the book anew." in narration
    # Nothing is left to learn, so the training says so at once.
    assert code == 2
    assert f"The book {home.book} has no entries" in narration.splitlines()[-1]
    with Store.open(home) as again:
        used = again.checkpoints.in_use()
        assert used is not None
        assert used.id == "first"


def test_retired_entries_drafts_and_what_was_measured_are_forgotten_too(home: Home, store: Store, talk: Talk) -> None:
    asked = talk.ask(f"my secret is {SECRET}")
    curation.take(store, home, asked.id, "I shall keep it", "typed")
    book.put(home.book, Entry((Turn("who", "me"),)))
    (told, other) = book.load(home.book)
    assert retiring.put_away(home.book, told)
    store.recalls.keep("c1", [Recall(told.hash, False, "what"), Recall(other.hash, False, f"a {SECRET}")])
    home.draft.write_text(json.dumps({"text": SECRET}))
    assert erased(store, home, "text", SECRET) == []
    assert store.recalls.of("c1") == {}
    assert not home.draft.exists()
    assert retiring.retired(book.read(home.book)) == []
    assert replies(home) == ["me"]
    assert holding(home) == []
