"""Dialogues: strict reading, verifiable ends, names of places, and beginnings that training never draws."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mrclassic import tasks
from mrclassic.tasks.base import BadRow, keyed
from mrclassic.tasks.environments.base import Dialogues, Talks, is_held_out
from mrclassic.tasks.environments.keyturn import DOORS
from mrclassic.tasks.environments.mastermind import marks
from mrclassic.tasks.environments.twenty import QUALITIES, THINGS

GAMES = ("keyturn", "guessing", "mastermind", "twenty")


def task(name: str) -> Dialogues:
    found = tasks.get(name)
    assert isinstance(found, Talks)
    assert isinstance(found, Dialogues)
    return found


@pytest.mark.parametrize("name", GAMES)
def test_one_who_plays_well_wins_in_time(name: str) -> None:
    game = task(name)
    for level in game.levels:
        for at in range(20):
            item = game.sample(keyed(name, level, at), level)
            environment = game.environment(item)
            said = [environment.reply(line) for line in item.trace.splitlines()]
            assert [reply.done for reply in said] == [False] * (len(said) - 1) + [True]
            assert sum(reply.reward for reply in said) == 1.0
            assert len(said) <= environment.turns
            with pytest.raises(ValueError, match="after its end"):
                environment.reply("More.")


@pytest.mark.parametrize("name", GAMES)
@given(data=st.data())
@settings(max_examples=30, deadline=None)
def test_whatever_is_said_it_comes_to_an_end_and_only_the_right_end_pays(name: str, data: st.DataObject) -> None:
    game = task(name)
    level = data.draw(st.sampled_from(game.levels))
    item = game.sample(keyed(name, data.draw(st.integers(0, 50))), level)
    environment, total, history = game.environment(item), 0.0, list(item.messages)
    lines = [*item.trace.splitlines(), "", "yes", "7.", "A B", "Red.", "Is it wet?"]
    for turn in range(environment.turns):
        key = environment.state_key(history)
        assert key is not None
        text = data.draw(st.sampled_from(lines) | st.text(max_size=8))
        readable = environment.reads(text)
        reply = environment.reply(text)
        history += [{"role": "assistant", "content": text}, {"role": "user", "content": reply.message}]
        assert environment.state_key(history) != key, "no place is come to twice"
        total += reply.reward
        if reply.done:
            break
        assert reply.reward == 0.0
        assert readable or turn + 1 < environment.turns
    assert reply.done
    assert total in (0.0, 1.0)


@pytest.mark.parametrize("name", GAMES)
def test_reset_never_draws_what_is_held_out(name: str) -> None:
    game = task(name)
    level = game.levels[-1]
    openings = {item.question for item in game.held_out(level)}
    for at in range(50):
        item = game.sample(keyed(name, "reset", at), level)
        assert not is_held_out(name, item.answer)
        environment = game.environment(item)
        (first,) = environment.reset(keyed(name, "reset", at))
        assert first["role"] == "user"
        assert first["content"] == item.question
    assert openings
    assert all(is_held_out(name, item.answer) for item in game.held_out(level))


@pytest.mark.parametrize(
    ("name", "level", "start", "read", "unread"),
    [
        ("keyturn", "2", "7 1 red blue", ["red", "Red.", " GREEN "], ["red door", "Red!", "", "purple", "red blue"]),
        ("keyturn", "own", f"7 2 {' '.join(doors[0] for doors in DOORS)}", ["red", "Blue."], ["oak", "horn", "no"]),
        ("guessing", "10", "12 21 14", ["14", "14.", "7?", "9999"], ["fourteen", "14 15", "-3", "12345", "1.5", "١٤"]),
        ("mastermind", "2", "ABCD BA", ["A B", "ab", "DD."], ["A", "A B C", "A E", "A,B", "A-B"]),
        ("twenty", "4", "cat cat oak spoon rain", ["Is it a cat?", "is it wet?", "Is it the oak?"],
         ["cat", "Is it cat?", "Is it a dog?", "Is it alive", "Is it a cat? Is it an oak?"]),
    ],
)  # fmt: skip
def test_replies_are_read_strictly(name: str, level: str, start: str, read: list[str], unread: list[str]) -> None:
    game = task(name)
    environment = game.environment(game.row({"start": start, "level": level}))
    assert all(environment.reads(text) for text in read)
    assert not any(environment.reads(text) for text in unread)


def test_a_completion_by_itself_has_a_line_for_every_turn() -> None:
    game = task("guessing")
    item = game.row({"start": "12 21 14", "level": "10"})
    assert game.check(item, "16.\n14.").right
    assert game.check(item, "14").right
    assert not game.check(item, "14\n14").right, "it goes on after the end"
    assert not game.check(item, "15\n16").right, "it does not come to the end"
    assert not game.check(item, "the number is 14").found
    for bad in ({}, {"start": "12 21 30"}, {"start": "x"}, {"start": "12 21 14", "level": "11"}):
        with pytest.raises(BadRow):
            game.row(bad)


def test_what_one_hears() -> None:
    game = task("guessing")
    environment = game.environment(game.row({"start": "12 21 14", "level": "10"}))
    assert environment.reply("16").message == "Lower."
    assert environment.reply("a few").message == "That is no number."
    assert environment.reply("12").message == "Higher."
    assert environment.reply("13") == ("Higher. It was 14.", 0.0, True)
    walk = task("keyturn")
    environment = walk.environment(walk.row({"start": "7 2 red blue", "level": "2"}))
    assert environment.reply("White.") == ("Room 2, blue?", 0.0, False)
    assert environment.reply("Blue.") == ("The key was in room 2, and you have it.", 1.0, True)


def test_where_each_room_has_its_own_doors_those_of_another_open_nothing() -> None:
    assert len({door for doors in DOORS for door in doors}) == sum(map(len, DOORS))
    walk = task("keyturn")
    item = walk.sample(keyed("own"), "own")
    assert item.trace.splitlines() == [f"{doors[0].capitalize()}." for doors in DOORS]
    environment = walk.environment(
        walk.row({"start": item.answer.replace(item.answer.split()[1], "2", 1), "level": "own"})
    )
    assert environment.reply("Red.").message == "Room 2, oak?"
    assert not environment.reads("Red.")
    assert [environment.reply(line) for line in ("Oak.", *item.trace.splitlines()[2:])][-1].reward == 1.0
    with pytest.raises(BadRow, match="the lamps of 10 rooms"):
        walk.row({"start": "7 2 red red red red red red red red red red", "level": "own"})


@given(st.text("ABCD", min_size=3, max_size=3), st.text("ABCD", min_size=3, max_size=3))
def test_marks_are_fair(guess: str, code: str) -> None:
    placed, elsewhere = marks(guess, code)
    assert (placed, elsewhere) == marks(code, guess)
    assert (placed == 3) == (guess == code)
    assert placed + elsewhere == sum(min(guess.count(letter), code.count(letter)) for letter in "ABCD")


def test_things_can_be_told_apart() -> None:
    assert len(set(THINGS.values())) == len(THINGS)
    assert all(0 < sum(at in has for has in THINGS.values()) < len(THINGS) for at in range(len(QUALITIES)))
