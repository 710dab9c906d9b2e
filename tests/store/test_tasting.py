"""The choices behind picks, and why taste is on or off."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import choosers

from mrclassic.choices import Choice
from mrclassic.evidence import Evidence, Point
from mrclassic.home import Home
from mrclassic.store import Preference, Store, curation, forgetting, tasting
from mrclassic.store.votes import Choice as VoteChoice


def ask(store: Store, text: str) -> int:
    talk = store.conversations.create().id
    return store.conversations.add(talk, None, "user", text, origin="user").id


def found(store: Store) -> dict[str, Choice]:
    return {each.prompt[-1][1]: each for each in tasting.choices(store)}


def test_each_kind_of_pick_is_a_choice_of_its_own_kind(home: Home, store: Store) -> None:
    for kind in ("candidate", "typed", "edited", "skip", "undone", "alone", "again"):
        prompt = ask(store, kind)
        ids = choosers.draw(store, prompt, ["a", "b", "c"] if kind != "alone" else ["a"])
        if kind in ("candidate", "undone", "alone"):
            curation.take(store, home, prompt, "a", "candidate", ids[0])
        elif kind == "typed":
            curation.take(store, home, prompt, "mine", "typed")
        elif kind == "edited":
            curation.take(store, home, prompt, "b, indeed", "edited", ids[1])
        elif kind == "again":
            later = choosers.draw(store, prompt, ["x", "y"])
            curation.take(store, home, prompt, "y", "candidate", later[1])
        else:
            curation.skip(store, prompt)
        if kind == "undone":
            curation.undo(store, home)
    made = found(store)
    assert set(made) == {"candidate", "typed", "edited", "again"}
    assert {name: (each.replies[each.winner], set(each.replies)) for name, each in made.items()} == {
        "candidate": ("a", {"a", "b", "c"}),
        "typed": ("mine", {"mine", "a", "b", "c"}),
        "edited": ("b, indeed", {"b, indeed", "b"}),
        "again": ("y", {"x", "y"}),
    }
    assert [name for name, each in made.items() if each.drawn] == ["candidate", "again"]


def vote(store: Store, question: str, one: str, other: str, choice: VoteChoice) -> int:
    return store.votes.add(question, "c1", "c2", one, other, choice, blind=True)


def test_a_vote_is_a_choice_between_two_and_the_book_knows_nothing_of_it(home: Home, store: Store) -> None:
    first = vote(store, "Tea?", "Yes.", "No.", "first")
    vote(store, "Milk?", "Yes.", "No.", "first")
    again = vote(store, "Milk?", "No.", "Yes.", "first")
    for words, choice in (("Both", "both"), ("Neither", "neither"), ("", "first"), ("Alike", "second")):
        vote(store, "Sugar?", words, "Alike", choice)
    assert [(each.prompt, each.replies[each.winner], each.kind, each.pick) for each in tasting.voted(store)] == [
        ((("user", "Tea?"),), "Yes.", "voted", -first),
        ((("user", "Milk?"),), "No.", "voted", -again),
    ]
    assert not any(each.drawn for each in tasting.voted(store)), "what taste is worth is judged by picks alone"
    assert tasting.choices(store) == []
    assert not home.book.exists()


def test_a_taste_goes_with_the_votes_that_it_learned_from(home: Home, store: Store) -> None:
    kept, gone = vote(store, "Tea?", "Yes.", "No.", "first"), vote(store, "Anna?", "Who?", "She.", "second")
    learn(home, evidence(seen=(-kept, gone)), "20260101-000000-heads-1")
    learn(home, evidence(seen=(-gone, -kept)), "20260102-000000-heads-2")
    forgetting.forget(store, home, forgetting.find(store, home, "text", "Anna"))
    assert [path.name for path in home.taste.iterdir()] == ["20260101-000000-heads-1"]
    assert [each.pick for each in tasting.voted(store)] == [-kept]


def evidence(**change: object) -> Evidence:
    facts = {
        "form": "heads", "checkpoint": None, "model_sha256": None, "seed": 0, "choices": 300, "own": 300, "judged": 300,
        "right": 150, "low": 0.44, "high": 0.56, "chance": 0.2, "by_length": 0.3, "length": 0.1, "loss": 1.2,
        "even": 1.6, "calibration": 0.03, "temperature": 1.1, "curve": (Point(1.0, 240, 0.5),), "seen": (1, 2, 3),
        "last": ((2, True), (3, False)),
    }  # fmt: skip
    return Evidence(**{**facts, **change})  # type: ignore[arg-type]


def learn(home: Home, found: Evidence, name: str = "20260101-000000-heads-1") -> None:
    folder = home.taste / name
    folder.mkdir(exist_ok=True)
    (folder / "mrclassic.json").write_text(json.dumps({"metrics": found.facts()}))


def test_why_taste_is_on_or_off(home: Home, store: Store) -> None:
    assert not tasting.standing(store, home).on
    assert "was not learned yet" in tasting.standing(store, home).why
    for _ in range(4):
        prompt = ask(store, "Hm?")
        ids = choosers.draw(store, prompt, ["a", "b"])
        curation.take(store, home, prompt, "a", "candidate", ids[0])
    learn(home, evidence())
    now = tasting.standing(store, home)
    assert (now.on, now.agreed, now.compared, now.since) == (True, 1, 2, 1)
    learn(home, evidence(right=60, low=0.16, high=0.25, length=-0.42), "20260102-000000-heads-2")
    now = tasting.standing(store, home)
    assert not now.on
    assert now.why == (
        "Your taste is no reward yet, it only orders replies: of 300 picks that it had not seen it named 20% (16% to "
        "25%), and 35% are needed (20% is chance; length alone: 30%); its scores go with length (-0.42), and less than "
        "0.3 is wanted."
    )
    learn(home, evidence(checkpoint="gone"), "20260103-000000-heads-3")
    assert "gone, which was removed" in tasting.standing(store, home).why
    (home.taste / "20260103-000000-heads-3" / "mrclassic.json").write_text("{")
    assert "cannot be read" in tasting.standing(store, home).why


def test_a_taste_goes_with_the_picks_that_it_learned_from(home: Home, store: Store) -> None:
    kept, gone = ask(store, "Hm?"), ask(store, "And?")
    for prompt in (kept, gone):
        ids = choosers.draw(store, prompt, ["a", "b"])
        curation.take(store, home, prompt, "a", "candidate", ids[0])
    first, second = (pick.id for pick in store.picks.choices())
    learn(home, evidence(seen=(first,)), "20260101-000000-heads-1")
    learn(home, evidence(seen=(first, second)), "20260102-000000-heads-2")
    forgetting.forget(store, home, forgetting.find(store, home, "pick", str(second)))
    assert [path.name for path in home.taste.iterdir()] == ["20260101-000000-heads-1"]
    assert tasting.standing(store, home).on


def test_a_taste_goes_with_what_was_imported_before_it(home: Home, store: Store) -> None:
    said = ({"role": "user", "content": "Anna?"},)
    made = Preference(messages=said, candidates=("She.", "Who?"), winner=0, kind="imported", date="")
    store.preferences.take_in("pairs.jsonl", [made])
    learn(home, evidence(), "20260101-000000-heads-1")
    learn(home, evidence(), f"{datetime.now(UTC):%Y%m%d-%H%M%S}-heads-2")
    forgetting.forget(store, home, forgetting.find(store, home, "text", "Anna"))
    assert [path.name for path in home.taste.iterdir()] == ["20260101-000000-heads-1"]


def test_what_is_needed_grows_with_chance() -> None:
    assert evidence().wanted == 0.35
    assert round(evidence(chance=0.5).wanted, 3) == 0.594
    assert evidence(own=199).lacking
    assert evidence(length=float("nan")).lacking
    assert Evidence.of(json.loads(json.dumps(evidence().facts()))) == evidence()
