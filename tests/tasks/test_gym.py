"""The tasks of reasoning-gym behind our verdicts: by name and level, the same everywhere, exact; no reply is run."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from homes import mrclassic
from hypothesis import given, settings
from hypothesis import strategies as st

from mrclassic import tasks
from mrclassic.errors import UsageError
from mrclassic.home import Home
from mrclassic.sandbox.worker import Pool, WorkerFault
from mrclassic.tasks import gym, listing
from mrclassic.tasks.arms import Arms
from mrclassic.tasks.base import BadRow, Item, ask, keyed
from mrclassic.tasks.gym import exact
from mrclassic.tasks.listing import facts

LIBRARY = pytest.mark.skipif(not gym.installed(), reason="reasoning-gym is not installed")
# One of each kind: a number, words, a list, a matrix, several right answers, and one whose verifier computes the reply.
NAMES = ("leg_counting", "spell_backward", "number_sorting", "pool_matrix", "n_queens", "simple_integration")


class _Fixed(random.Random):
    """Draws this number first."""

    def __init__(self, first: int) -> None:
        super().__init__(0)
        self.first: int | None = first

    def getrandbits(self, k: int) -> int:
        first, self.first = self.first, None
        return super().getrandbits(k) if first is None else first


def made(gold: str, **metadata: object) -> Item:
    return ask("", gold, entry={"question": "", "answer": gold, "metadata": metadata})


def test_without_the_library_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(gym, "find_spec", lambda name: None)
    gym._known.cache_clear()
    with pytest.raises(UsageError, match=r"not installed: pip install 'mrclassic\[gym\]'"):
        tasks.select("gym:leg_counting:1")
    assert "gym" not in {each["name"] for each in facts(tmp_path)}


def test_the_name_is_taken(tmp_path: Path) -> None:
    (tmp_path / "gym.jsonl").write_text('{"prompt": "1?", "answer": "1"}\n')
    assert "gym" not in tasks.names(tmp_path)


@LIBRARY
def test_names_and_levels() -> None:
    task, level = tasks.select("gym:leg_counting:3")
    assert (task.name, level, task.levels[:4]) == ("gym:leg_counting", "3", ("1", "2", "3", "4"))
    assert tasks.select("gym:leg_counting")[1] is None
    assert task.about
    for words, told in (
        ("gym:leg_countin", "did you mean gym:leg_counting"),
        ("gym", "no task 'gym:'"),
        ("gym:puzzle24", "no task"),
        ("gym:leg_counting:x", "no level 'x'"),
    ):
        with pytest.raises(UsageError, match=told):
            tasks.select(words)
    named = ("gym:leg_counting:1", "gym:spell_backward:2", "arithmetic:1")
    arms = Arms([tasks.select(words) for words in named])
    assert arms.names == named
    items = [arms.sample(name, keyed(name)) for name in arms.names]
    assert all(judged.right for judged in arms.check_all(items, [item.trace for item in items]))


@LIBRARY
@pytest.mark.parametrize("name", NAMES)
def test_it_draws_judges_and_holds_out(name: str) -> None:
    task = tasks.get(f"gym:{name}")
    for level in task.levels[:2]:
        count = 3 if name == "simple_integration" else 20
        items = [task.sample(keyed("gym", level, at), level) for at in range(count)]
        assert items == [task.sample(keyed("gym", level, at), level) for at in range(count)]
        judged = gym.Gym(name).check_all(items, [item.trace for item in items])
        assert {each.verdict for each in judged} == {"right"}
        silent = task.check(items[0], " ")
        assert (silent.verdict, silent.found) == ("wrong", False)
        held_out = task.held_out(level, count)
        assert 0 < len({item.question for item in held_out}) == len(held_out) <= count  # there are few boards of queens
        assert all(gym.is_held_out(item.question) for item in held_out)
        assert not any(gym.is_held_out(item.question) for item in items)
        assert list(task.held_out(level, 2)) == list(held_out[:2])


@LIBRARY
def test_another_process_draws_the_same() -> None:
    requests = [
        {"call": "draw", "name": name, "level": 1, "seed": seed}
        for name in ("pool_matrix", "list_functions", "family_relationships", "survo", "course_schedule")
        for seed in (7, 2**31 - 1)
    ]
    with Pool("mrclassic.tasks.gym.library:answerer", 1, memory=gym._MEMORY, start_seconds=120.0) as other:
        there = other.map(requests[::-1], 60.0)[::-1]
    assert gym.pool().map(requests, 60.0) == there
    assert all(isinstance(each, dict) for each in there)


@LIBRARY
@pytest.mark.parametrize(
    ("name", "gold", "near"),
    [
        ("number_sorting", "['100', '250']", "['101', '250']"),
        ("pool_matrix", "100 3\n5 7", "101 3\n5 7"),
        ("number_format", "100", "100.005"),
        ("decimal_arithmetic", "0.30", "0.301"),
        ("leg_counting", "100", "101"),
        ("game_of_life_halting", "False", "True"),
        ("game_of_life_halting", "False", "whatever"),
    ],
)
def test_near_is_not_right(name: str, gold: str, near: str) -> None:
    task = tasks.get(f"gym:{name}")
    item = made(gold, decimal_places=1)
    assert task.check(item, f"ANSWER: {gold}").right
    assert task.check(item, f"ANSWER: {near}").verdict == "wrong"


@LIBRARY
def test_the_library_s_verifier_has_the_last_word() -> None:
    queens = tasks.get("gym:n_queens")
    item = queens.sample(keyed(1), "1")
    assert queens.check(item, item.trace).right
    assert queens.check(item, "ANSWER:\nQ Q Q Q\n_ _ _ _\n_ _ _ _\n_ _ _ _").verdict == "wrong"
    integral = tasks.get("gym:simple_integration")
    asked = integral.sample(keyed(2), "1")
    rewritten = f"{asked.answer.removesuffix(' + C')} + 3 + x - x + C"
    assert integral.check(asked, f"ANSWER: {rewritten}").right, "equal in another form, and computed in confinement"
    assert integral.check(asked, "ANSWER: x*sin(x) + C").verdict == "wrong"


@LIBRARY
@pytest.mark.parametrize("name", ["n_queens", "countdown", "simple_integration", "string_insertion", "spiral_matrix"])
def test_what_a_model_wrote_is_not_run(name: str, tmp_path: Path) -> None:
    task = tasks.get(f"gym:{name}")
    item = task.sample(keyed(1), "1")
    spoor = tmp_path / "spoor"
    for text in (
        f"__import__('os').system('touch {spoor}')",
        f"[open('{spoor}', 'w')]",
        f"(lambda: open('{spoor}', 'w')) ()",
        "[].__class__.__base__.__subclasses__ ()",
    ):
        judged = task.check(item, f"ANSWER: {text}")
        assert judged.verdict == "wrong"
        assert "calls a function" in judged.detail or name == "spiral_matrix"  # its gold answers are numbers
    assert not spoor.exists()
    bomb = task.check(item, "ANSWER: 9**9**9**9**9")
    assert bomb.verdict in ("wrong", "error")
    assert task.check(item, item.trace).right, "and it goes on"


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(-999, 999), min_size=1, max_size=6), st.integers(0, 5), st.sampled_from((-1, 1, 100)))
def test_every_number_counts(values: list[int], place: int, by: int) -> None:
    gold = str(values)
    assert exact.judge(gold, gold) is not None
    other = list(values)
    other[place % len(values)] += by
    judged = exact.judge(gold, str(other))
    assert judged is not None
    assert judged.verdict == "wrong"
    longer = exact.judge(gold, str([*values, 0]))
    assert longer is not None
    assert longer.verdict == "wrong"


@LIBRARY
def test_a_reply_that_a_verifier_trips_over_is_wrong() -> None:
    task = tasks.get("gym:prime_factorization")
    item = task.sample(keyed(1), "1")
    assert task.check(item, "ANSWER: as if").verdict == "wrong"
    # Where it trips over the right answer as well, it is the verifier's own fault.
    assert tasks.get("gym:countdown").check(made("3 + 4"), "ANSWER: 3 + 5").verdict in ("wrong", "error")


def test_what_the_guard_leaves_to_the_verifier() -> None:
    assert exact.judge("x**2 + C", "x**2 + 1") is None
    assert exact.judge("Friday", "7") is None
    right = exact.judge("1/2", "0.5")
    assert right is not None
    assert right.right


@pytest.mark.parametrize(
    ("completion", "gold", "found"),
    [
        ("First 3, then 4.\nANSWER: 7", "7", "7"),
        ("<answer> 7 </answer> I hope", "7", "7"),
        ("So the answer is 7.", "7", "7"),
        ("It is \\boxed{7}", "7", "7"),
        ("thinking\nmother", "mother", "mother"),
        ("ANSWER:\n1 2\n3 4", "9 9\n9 9", "1 2\n3 4"),
        ("ANSWER: 7\nand more", "7", "7"),
        ("1 2\n3 4", "9 9\n9 9", "1 2\n3 4"),
        ("", "7", ""),
    ],
)
def test_where_the_answer_stands(completion: str, gold: str, found: str) -> None:
    assert gym.answer(completion, gold) == found


@LIBRARY
def test_rows() -> None:
    task = tasks.get("gym:leg_counting")
    assert task.check(task.row({"answer": "100"}), "100").right
    assert task.check(task.row({"question": "q", "answer": 100, "metadata": {}}), "ANSWER: 101").verdict == "wrong"
    for row in ({}, {"answer": "1", "metadata": 3}):
        with pytest.raises(BadRow):
            task.row(row)
    with_metadata = tasks.get("gym:countdown").row(
        {"answer": "3 + 4", "metadata": {"numbers": [3, 4], "target": 7}},
    )
    assert tasks.get("gym:countdown").check(with_metadata, "4 + 3").right
    assert tasks.get("gym:countdown").check(with_metadata, "7").verdict == "wrong"


@LIBRARY
def test_the_list_has_them_in_one_entry() -> None:
    entry = listing._gym()
    assert entry["source"].startswith("reasoning-gym ")
    told = {each["level"]: each["example"] for each in entry["levels"]}
    assert "(levels 1 to 36)" in told["leg_counting"]
    assert {"knights_knaves", "countdown"} <= set(told)


@LIBRARY
def test_a_number_that_makes_no_item_is_passed_over() -> None:
    countdown = gym.Gym("countdown")
    assert isinstance(countdown._draw(1407503393, "2"), WorkerFault)
    assert countdown.sample(_Fixed(1407503393), "2").answer


@LIBRARY
@pytest.mark.slow
def test_the_command_line(home: Home) -> None:
    cases = home.root / "cases.jsonl"
    rows = [{"answer": "100", "completion": "ANSWER: 100"}, {"answer": "100", "completion": "ANSWER: 101"}]
    cases.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    _, judged, _ = mrclassic(home.root, "task", "check", "gym:leg_counting", "--file", str(cases), "--json")
    assert [row["verdict"] for row in judged] == ["right", "wrong"]
