"""A plugin in its own process: what it may do to itself, and that nobody else notices."""

from __future__ import annotations

import math
import random
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from drop_ins import approve, plugin, write

from mrclassic import curricula, plugins, tasks
from mrclassic.curricula.bandit import Bandit
from mrclassic.curricula.contract import Curriculum, Draw, Outcome
from mrclassic.home import Home
from mrclassic.plugins.remote import PluginFault
from mrclassic.plugins.remote_curriculum import STRIKES, RemoteCurriculum
from mrclassic.plugins.remote_reward import RemoteReward
from mrclassic.plugins.remote_task import RemoteTask
from mrclassic.rewards import select
from mrclassic.rewards.contract import Scores, Weighted, score
from mrclassic.store import Store
from mrclassic.tasks import arithmetic
from mrclassic.tasks.arms import Arms
from mrclassic.tasks.base import BadRow, Item, Judgement, Refusal, Task, ask

ITEMS = [ask("What is 1 + 1?", "2", level="1"), ask("What is 2 + 2?", "4", level="1")]
TEXTS = ["It is 2.", "Perhaps 5?"]


def scores(*rewards: Any, texts: list[str] = TEXTS, **columns: Any) -> Scores:
    """As the trainer asks, with the columns it gives."""
    prompts = [item.messages for item in ITEMS]
    given = {"answer": [item.answer for item in ITEMS], "item": ITEMS, "level": ["1", "1"]}
    weighted = [Weighted(each.plugin.name, each) for each in rewards]
    return score(weighted, prompts, texts, given | columns, completion_ids=[[1], [2, 3]], step=7)


def reward(folder: Path, text: str) -> RemoteReward:
    return RemoteReward(plugin(folder, "mine", text))


# What a signature may look like.


def test_the_signature_of_trl(tmp_path: Path) -> None:
    it = reward(
        tmp_path,
        """
        def mine(prompts, completions, completion_ids, answer, item, trainer_state, log_metric, log_extra, **columns):
            assert prompts[0] == [{"role": "user", "content": "What is 1 + 1?"}]
            assert item[1]["answer"] == answer[1] == "4", "an item comes as plain data"
            assert item[1]["meta"] == {"level": "1"} and columns["level"] == ["1", "1"]
            assert "mind" not in columns, "what JSON cannot carry stays where it is"
            log_metric("length", 3.0)
            log_extra("gold", answer)
            return [len(ids) + trainer_state.global_step for ids in completion_ids]
        """,
    )
    found = scores(it, mind=[object(), object()])
    assert found.faults == ()
    assert found.total == (8.0, 9.0)
    assert found.metrics()["logged/length"] == 3.0
    assert found.extra["gold"] == ("2", "4")


def test_the_signature_of_trl_in_trl(tmp_path: Path) -> None:
    """Called without any of our machinery; prompts may be plain text."""
    it = reward(
        tmp_path, "def mine(completions, **columns):\n    return [float(len(c[0]['content'])) for c in completions]"
    )
    assert it(prompts=["a", "b"], completions=["one", "three"], solution=["x", "y"]) == [3.0, 5.0]


def test_the_signature_of_verifiers(tmp_path: Path) -> None:
    it = reward(
        tmp_path,
        """
        async def mine(completion, answer, state, parser):
            if "5" in completion[-1]["content"]:
                raise ValueError("five")
            return float(answer in completion[-1]["content"])
        """,
    )
    found = scores(it)
    assert found.parts["mine"] == (1.0, None)
    assert found.faults == ("reward mine: it raised ValueError: five (on 1 of 2 completions)",), "no abstention"


def test_async_rows_run_side_by_side_on_one_loop(tmp_path: Path) -> None:
    it = reward(
        tmp_path,
        """
        import asyncio
        loops = set()
        async def mine(completion):
            loops.add(asyncio.get_running_loop())
            await asyncio.sleep(0.5)
            return len(loops)
        """,
    )
    it.ask(None)
    begun = time.monotonic()
    assert scores(it).total == (1.0, 1.0)
    assert time.monotonic() - begun < 0.9
    assert scores(it).total == (1.0, 1.0)


def test_classes_and_arrays(tmp_path: Path) -> None:
    it = reward(
        tmp_path,
        """
        import numpy
        class mine:
            def __init__(self):
                self.calls = 0
            def __call__(self, completions, **columns):
                self.calls += 1
                return numpy.array([self.calls] * len(completions))
        """,
    )
    assert [scores(it).total, scores(it).total] == [(1.0, 1.0), (2.0, 2.0)]


def test_what_it_says_of_itself(home: Home) -> None:
    write(
        home.plugins,
        "mine",
        """
        from mrclassic.rewards import reward

        @reward(name="quiet", weight=0.25, range=(0, 1), seconds=33, memory=100 * 2**20)
        def mine(completions, **columns):
            return [1.0, 7.0]
        """,
    )
    approve(home, "quiet")
    with Store.open(home) as store:
        found = plugins.rewards(home, store)
    (chosen,) = select(["quiet"], arithmetic, found)
    assert chosen.weight == 0.25
    assert found["quiet"].metadata.seconds == 33  # type: ignore[attr-defined]
    given = score([chosen], [item.messages for item in ITEMS], TEXTS, {})
    assert given.parts["quiet"] == (1.0, None), "outside the range that it declares"


# What may go wrong.


@pytest.mark.parametrize(
    ("body", "values", "fault"),
    [
        ("return [float('nan'), 1.0]", (None, 1.0), "it gave values that are not finite numbers (on 1 of 2"),
        ("return ['1', 1.0]", (None, 1.0), "it gave values that are not finite numbers (on 1 of 2"),
        ("return [1.0]", (None, None), "it returned 1 values, not a list of 2 values"),
        ("return 'ab'", (None, None), "it returned str, not a list of 2 values"),
        ("return None", (None, None), "it returned NoneType"),
        ("return [10**400, 2]", (None, 2.0), "it gave values that are not finite numbers"),
        ("raise ValueError('odd\\nwords')", (None, None), "it raised ValueError: odd words"),
        ("raise SystemExit(0)", (None, None), "it raised SystemExit: 0"),
        ("raise KeyboardInterrupt", (None, None), "it raised KeyboardInterrupt"),
        ("import os; os._exit(3)", (None, None), "it ended without an answer (exit code 3)"),
        ("import os; os.kill(os.getpid(), 11)", (None, None), "it ended without an answer (SIGSEGV)"),
        ("return [None, None]", (None, None), ""),
        ("return [None, 1]", (None, 1.0), ""),
    ],
)
def test_what_goes_wrong_is_said_and_masked(tmp_path: Path, body: str, values: tuple[Any, ...], fault: str) -> None:
    it = reward(tmp_path, f"def mine(completions, **columns):\n    {body}")
    other = RemoteReward(plugin(tmp_path, "other", "def other(completions, **columns):\n    return [0.5, 0.25]"))
    for _ in range(2):  # the second time, perhaps, in a new process
        found = scores(it, other)
        assert found.parts == {"mine": values, "other": (0.5, 0.25)}
        assert len(found.faults) == bool(fault)
        assert all(fault in words and words.startswith("reward mine: ") for words in found.faults)


def test_slow_ones_are_waited_for_side_by_side(tmp_path: Path) -> None:
    body = "import time\ndef {0}(completions, **columns):\n    time.sleep(0.5)\n    return [1.0] * len(completions)"
    slow = [RemoteReward(plugin(tmp_path, name, body.format(name))) for name in ("one", "two", "three")]
    for each in slow:
        each.ask(None)
    begun = time.monotonic()
    assert scores(*slow).total == (3.0, 3.0)
    assert time.monotonic() - begun < 1.2


def test_one_that_hangs_costs_its_batch_and_no_more(tmp_path: Path) -> None:
    it = reward(
        tmp_path,
        """
        import time
        from mrclassic.rewards import reward
        @reward(seconds=0.5)
        def mine(completions, **columns):
            while "hang" in completions[0][0]["content"]:
                time.sleep(60)
            return [1.0] * len(completions)
        """,
    )
    assert scores(it).total == (1.0, 1.0)
    begun = time.monotonic()
    found = scores(it, texts=["hang", "up"])
    assert time.monotonic() - begun < 2
    assert found.total == (None, None)
    (words,) = found.faults
    assert words.endswith("The plugin mine failed: it gave no answer within 0.5 seconds.")
    assert scores(it).total == (1.0, 1.0)


def test_one_that_allocates_without_end(tmp_path: Path) -> None:
    it = reward(
        tmp_path,
        """
        import numpy  # imports do not count
        from mrclassic.rewards import reward
        @reward(memory=64 * 2**20)
        def mine(completions, **columns):
            kept = [bytes(2**20) for _ in range(32)]
            while "more" in completions[0][0]["content"]:
                kept.append(bytes(2**20))
            return [1.0] * len(completions)
        """,
    )
    assert scores(it).total == (1.0, 1.0)
    (words,) = scores(it, texts=["more", "more"]).faults
    assert words.endswith("The plugin mine failed: it wanted more than its 64 MiB of memory.")
    assert scores(it).total == (1.0, 1.0)


def test_one_that_prints_a_gigabyte(tmp_path: Path) -> None:
    it = reward(
        tmp_path,
        """
        def mine(completions, **columns):
            for _ in range(1024):
                print("x" * 2**20)
            return [1.0] * len(completions)
        """,
    )
    it.ask(None)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert scores(it).total == (1.0, 1.0)
    if sys.platform == "linux":
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 32 * 1024  # KiB


def test_one_that_forks_and_leaves(tmp_path: Path) -> None:
    left = tmp_path / "left"
    it = reward(
        tmp_path,
        f"""
        import os, time, pathlib
        def mine(completions, **columns):
            if os.fork():
                os._exit(0)
            os.setsid()
            pathlib.Path({str(left)!r}).write_text(str(os.getpid()))
            time.sleep(60)
        """,
    )
    begun = time.monotonic()
    (words,) = scores(it).faults
    assert time.monotonic() - begun < 10
    assert "it ended without an answer (exit code 0)" in words
    if left.exists():
        stat = Path(f"/proc/{left.read_text()}/stat")
        time.sleep(0.1)
        assert not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] == "Z"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("raise SystemExit('no licence')\ndef mine(completions): ...", "it could not start: SystemExit: no licence"),
        ("import nowhere\ndef mine(completions): ...", "No module named 'nowhere' (mine.py line 1)"),
        (
            "from mrclassic.rewards import reward\n@reward(seconds=0)\ndef mine(completions): ...",
            "ValueError: @reward(seconds=0): write a number above 0",
        ),
        (
            "from mrclassic.rewards import reward\n@reward(range='01')\ndef mine(completions): ...",
            "ValueError: @reward(range='01'): write the lowest and the highest score",
        ),
        ("def mine(colour): return [1, 1]", "it asks for colour, which these items do not have"),
    ],
)
def test_one_that_cannot_begin(tmp_path: Path, text: str, words: str) -> None:
    found = scores(reward(tmp_path, text))
    assert found.total == (None, None)
    assert words in found.faults[0]


def test_one_that_changes_after_it_was_trusted(home: Home) -> None:
    path = write(home.plugins, "mine", "def mine(completions, **columns):\n    return [1.0] * len(completions)")
    approve(home, "mine")
    with Store.open(home) as store:
        it: Any = plugins.rewards(home, store)["mine"]
        path.write_text("def mine(completions, **columns):\n    return [2.0] * len(completions)")
        assert "mine" not in plugins.rewards(home, store)
    (words,) = scores(it).faults
    assert "mine.py has changed since it was approved" in words


def test_nothing_stays_when_the_program_ends(home: Home) -> None:
    write(home.plugins, "mine", "import os\ndef mine(completions, **columns):\n    return [os.getpid()]")
    approve(home, "mine")
    program = f"""
from pathlib import Path
from mrclassic import curricula, plugins, tasks
from mrclassic.home import Home
from mrclassic.store import Store
home = Home(Path({str(home.root)!r}))
with Store.open(home) as store:
    mine = plugins.rewards(home, store)["mine"]
print(int(mine(prompts=["a"], completions=["b"])[0]))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert not Path(f"/proc/{int(done.stdout)}").exists(), done.stderr


def test_a_package_is_imported_only_in_its_worker(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = tmp_path / "nice_rewards-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: nice-rewards\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[mrclassic.rewards]\nnice = nice_rewards:Group.nice\n")
    (tmp_path / "nice_rewards.py").write_text(
        "class Group:\n    @staticmethod\n    def nice(completions, **columns):\n        return [0.5, 0.5]\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with Store.open(home) as store:
        nice: Any = plugins.rewards(home, store)["nice"]
    assert scores(nice).total == (0.5, 0.5)
    assert "nice_rewards" not in sys.modules


# Curricula.

CLIMB = """
from mrclassic.curricula.bandit import Bandit
import os, sys
class Climb(Bandit):
    def observe(self, outcomes):
        if any(outcome.step == 666 for outcome in outcomes):
            self._success["a:1"] = 0.123
            os._exit(1)
        super().observe(outcomes)
    def propose(self, n, rng):
        return super().propose(n, rng) if n < 100 else [1, 2, 3]
def curriculum(arms, success):
    return Climb(arms, success)
"""
ARMS = ("a:1", "a:2", "b:1")


def outcomes(step: int, success: float = 0.9) -> list[Outcome]:
    return [Outcome(Draw(arm, 0.3), success, step) for arm in ARMS] + [Outcome(Draw("a:1", 0.3), math.nan, step)]


def test_a_curriculum_is_the_same_from_afar(tmp_path: Path) -> None:
    far: Curriculum = RemoteCurriculum(plugin(tmp_path, "climb", CLIMB, "curriculum"), ARMS, {"a:1": 0.5})
    near = Bandit(ARMS, {"a:1": 0.5})
    for step in range(5):
        rng = random.Random(step)
        seed = random.Random(step).getrandbits(64)
        assert far.propose(6, rng) == near.propose(6, random.Random(seed))
        assert far.accept(outcomes(step)[0]) == "keep"
        far.observe(outcomes(step))
        near.observe(outcomes(step))
        assert far.report() == near.report()
        assert far.state_dict() == near.state_dict()
    again = RemoteCurriculum(plugin(tmp_path, "climb", CLIMB, "curriculum"), ARMS)
    again.load_state_dict(far.state_dict())
    assert again.propose(9, random.Random(1)) == far.propose(9, random.Random(1))


def test_a_curriculum_that_was_killed_goes_on_from_its_last_state(tmp_path: Path) -> None:
    far = RemoteCurriculum(plugin(tmp_path, "climb", CLIMB, "curriculum"), ARMS)
    far.observe(outcomes(1))
    before, drawn = far.state_dict(), far.propose(5, random.Random(3))
    far.observe(outcomes(666))
    assert len(far.faults) == 1
    assert "it ended without an answer (exit code 1)" in far.faults[0]
    assert far.state_dict() == before
    assert far.propose(5, random.Random(3)) == drawn
    assert far.report()["a:1"] > 0


def test_a_curriculum_that_keeps_failing_is_left_alone(tmp_path: Path) -> None:
    far = RemoteCurriculum(plugin(tmp_path, "climb", CLIMB, "curriculum"), ARMS)
    for _ in range(STRIKES + 2):
        drawn = far.propose(100, random.Random(0))
        assert {draw.arm for draw in drawn} == set(ARMS), "evenly"
    assert len(far.faults) == STRIKES
    assert far.propose(2, random.Random(0))[0].probability == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("def curriculum(arms, success):\n    raise ValueError('no')", "it could not start: ValueError: no"),
        (
            "from mrclassic.curricula.uniform import Uniform\ndef curriculum(arms, success):\n    return Uniform('xy')",
            "its arms are not those that it was given",
        ),
    ],
)
def test_a_curriculum_that_cannot_be_built(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(PluginFault, match=words):
        RemoteCurriculum(plugin(tmp_path, "climb", text, "curriculum"), ARMS)


# Tasks.

CAPITALS = '''
"""Capitals of countries."""
import os
from mrclassic.tasks.base import RIGHT, BadRow, Judgement, ask, no_answer

class Capitals:
    name, about, levels = "capitals", "capitals of countries", ("1", "2")
    def __init__(self, folder):
        self.folder = folder
    def sample(self, rng, level):
        return ask(f"Question {rng.randrange(1000)}?", str(self.folder), "It is so.", level=level)
    def held_out(self, level, limit=None):
        return [ask(f"Held {number}?", "x", level=level) for number in range(5)][:limit]
    def check(self, item, completion):
        if completion == "leave":
            os._exit(1)
        return RIGHT if completion == item.answer else no_answer() if not completion else Judgement("wrong", "not so")
    def row(self, data):
        if "question" not in data:
            raise BadRow("it has no question")
        return ask(data["question"], data["answer"])

def task(folder):
    return Capitals(folder)
'''


def test_a_task_is_the_same_from_afar(home: Home) -> None:
    write(home.plugins, "climb", CLIMB)
    approve(home, "climb")
    write(home.plugins, "capitals", CAPITALS)
    approve(home, "capitals")
    (home.tasks / "capitals").mkdir()
    with Store.open(home) as store:
        found = plugins.tasks(home, store)
        task: Task = found["capitals"]
        climb = plugins.curricula(home, store)
    assert tasks.select("capitals:2", home.tasks, found) == (task, "2")
    assert curricula.build("climb", ARMS, {"b:1": 0.5}, climb).arms() == ARMS
    assert (task.name, task.about, task.levels) == ("capitals", "capitals of countries", ("1", "2"))
    item = task.sample(random.Random(5), "2")
    assert item == task.sample(random.Random(5), "2") != task.sample(random.Random(6), "2")
    assert (item.answer, item.trace, item.meta) == (str(home.tasks / "capitals"), "It is so.", {"level": "2"})
    assert [each.question for each in task.held_out("1", 2)] == ["Held 0?", "Held 1?"]
    assert len(task.held_out("1")) == 5
    assert task.check(item, item.answer).verdict == "right"
    assert task.check(item, "") == Judgement("wrong", "no answer found", found=False)
    assert task.row({"question": "q", "answer": "a"}) == ask("q", "a")
    with pytest.raises(BadRow, match=r"^it has no question$"):
        task.row({"answer": "a"})


ASKED = """
    asking = "Ask for a capital."
    def parse(self, question):
        if question == "leave":
            os._exit(1)
        if not question.startswith("Capital of "):
            return Refusal("unparsable", "no such question")
        return ask(question, "Rome", "It is Rome.", level="1")
    def skeleton(self, question):
        return "Capital of X?"
"""


def test_a_task_that_can_read_questions_is_a_domain_of_self_play(tmp_path: Path) -> None:
    text = CAPITALS.replace("import RIGHT", "import RIGHT, Refusal").replace("\ndef task", ASKED + "\ndef task")
    asked = RemoteTask(plugin(tmp_path, "capitals", text, "task"))
    assert Arms([(asked, None)]).domains == (asked,)
    read = asked.parse("Capital of Italy?")
    assert isinstance(read, Item)
    assert (read.question, read.answer, read.trace) == ("Capital of Italy?", "Rome", "It is Rome.")
    assert asked.parse("Hello.") == Refusal("unparsable", "no such question")
    failed = asked.parse("leave")
    assert isinstance(failed, Refusal)
    assert failed.kind == "invalid"
    assert asked.skeleton("Capital of Spain?") == "Capital of X?"


def test_a_task_that_cannot_is_none(tmp_path: Path) -> None:
    assert Arms([(RemoteTask(plugin(tmp_path, "capitals", CAPITALS, "task")), None)]).domains == ()


def test_a_task_that_fails_could_not_tell(tmp_path: Path) -> None:
    task = RemoteTask(plugin(tmp_path, "capitals", CAPITALS, "task"))
    item = Item(({"role": "user", "content": "q"},), "a")
    judged = task.check_all([item, item], ["a", "leave"])
    assert [each.verdict for each in judged] == ["error", "error"]
    assert judged[0].detail == "The plugin capitals failed: it ended without an answer (exit code 1)."
    assert task.check(item, "a").verdict == "right"


def test_a_task_that_draws_no_items(tmp_path: Path) -> None:
    text = "class Odd:\n    about, levels = '', ('1',)\n    def sample(self, rng, level):\n        return 7\n"
    task = RemoteTask(plugin(tmp_path, "odd", text + "def task(folder):\n    return Odd()", "task"))
    with pytest.raises(PluginFault, match="The plugin odd failed: 7 is no item"):
        task.sample(random.Random(1), "1")
