"""`plugin check` finds each mistake it promises to find, and has nothing to say about what is right."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from drop_ins import write

from mrclassic import shipped
from mrclassic.plugins import checking
from mrclassic.plugins.checking import Finding, check
from mrclassic.plugins.remote import SECONDS, PluginFault, Remote

GOOD = '''
"""Rewards short answers."""
def mine(completions, **columns):
    return [1 / (1 + len(completion[0]["content"])) for completion in completions]
'''


def findings(folder: Path, text: str, name: str = "mine") -> list[Finding]:
    found = check(write(folder, name, text))
    assert all("\n" not in each.words and each.words.endswith(".") for each in found)
    return found


def words(folder: Path, body: str, *, before: str = "", signature: str = "completions, **columns") -> list[str]:
    """What is found in a reward with that body, as `severity words`."""
    text = f'"""Mine."""\n{before}\ndef mine({signature}):\n    {body}\n'
    return [f"{each.severity} {each.words}" for each in findings(folder, text)]


LENGTHS = "[float(len(c[0]['content'])) for c in completions]"


@pytest.mark.parametrize("path", sorted(shipped.folder("plugins").glob("*.py")), ids=lambda path: path.stem)
def test_the_examples_are_right(path: Path) -> None:
    assert check(path) == []


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        '"""By row."""\nasync def mine(completion, answer):\n    return float(answer in completion[0]["content"])',
        '"""Abstains."""\ndef mine(completions, **c):\n    return [len(c[0]["content"]) or None for c in completions]',
        '"""A class."""\nclass mine:\n    def __call__(self, completions, **columns):\n        return ' + LENGTHS,
    ],
)
def test_nothing_to_say_about_what_is_right(tmp_path: Path, text: str) -> None:
    assert findings(tmp_path, text) == []


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("return [1.0]", "error It returned 1 values, not a list of 10 values."),
        (
            "return [float('nan') for c in completions]",
            "error It returned values that are not finite numbers (10 x nan)",
        ),
        ("return [float('inf'), *range(1, len(completions))]", "not finite numbers (1 x inf)"),
        ("return [str(len(c)) for c in completions]", "not finite numbers (10 x str)"),
        ("return [c for c in completions]", "not finite numbers (10 x list)"),
        ("return None", "error It returned NoneType, not a list of 10 values."),
        ("return 'ten points'", "error It returned str, not a list"),
        ("return [None for c in completions]", "warning It abstained on every completion, so it teaches nothing."),
        ("return [1.0 for c in completions]", "warning It gave 1 to every completion, so it teaches nothing."),
        ("raise ValueError('odd')", "error It raised ValueError: odd."),
        (
            "return [1 / len(c[0]['content'].split()) for c in completions]",
            "error It raised ZeroDivisionError: division by zero, when it was given an empty completion.",
        ),
        ("raise SystemExit", "error It raised SystemExit."),
        ("import os; os._exit(1)", "error The plugin mine failed: it ended without an answer (exit code 1)."),
        (f"print('x' * 100_000); return {LENGTHS}", "warning It printed 97 KiB in one batch; that is not kept."),
        ("return [float(place) for place in range(len(completions))]", "error It depends on the order of the batch"),
        (
            "return [float(sum(ids)) for ids in columns['completion_ids']]",
            "warning It depends on the completion ids: the same text with other tokens got another value.",
        ),
        ("import random; return [random.random() for c in completions]", "warning It is not deterministic: the same"),
        (
            "return [float(hash(c[0]['content']) % 1000) for c in completions]",
            "warning It is not deterministic: in a new process the same batch got other values.",
        ),
        (f"r = {LENGTHS}; completions.clear(); return r", "error It changed its arguments (completions)"),
        (
            f"r = {LENGTHS}; columns['item'][0]['answer'] = ''; return r",
            "error It changed its arguments (item), which other rewards may see in TRL.",
        ),
    ],
)
def test_mistakes_of_a_function(tmp_path: Path, body: str, found: str) -> None:
    told = words(tmp_path, body)
    assert any(found in each for each in told), told
    assert len(told) == 1, told


def test_a_list_that_always_has_one_length(tmp_path: Path) -> None:
    found, _ = words(tmp_path, "return [0.5] * 10")
    assert found == "error For a batch of 1, it returned 10 values, not a list of 1 values."


def test_one_that_is_slow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "_SLOW", 0.5)
    (found,) = words(tmp_path, f"import time; time.sleep(0.2); return {LENGTHS}")
    assert found == "warning 64 completions would take it about 1 seconds; training waits for it."


@pytest.mark.slow
def test_torch_tensors(tmp_path: Path) -> None:
    torch = "import torch\nfrom mrclassic.rewards import reward"
    found = words(tmp_path, f"return torch.tensor({LENGTHS})", before=torch)
    # On a loaded machine it may be found slow as well.
    assert "warning It returned torch tensors; return plain floats (`.item()`, `.tolist()`)." in found


@pytest.mark.parametrize(
    ("mark", "body", "found"),
    [
        (
            "seconds=0.4",
            "import time; time.sleep(60)",
            "error The plugin mine failed: it gave no answer within 0.4 seconds.",
        ),
        ("seconds=1", f"import time; time.sleep(0.1); return {LENGTHS}", "about 1 seconds, and it is ended after 1;"),
        ("memory=50 * 2**20", "x = [bytes(2**20) for _ in range(100)]", "it wanted more than its 50 MiB of memory."),
        ("range=(0, 1)", f"return {LENGTHS}", "error It gave values from 0 to "),
        ("name='correct'", f"return {LENGTHS}", "error The reward correct is built in; give yours another name."),
        ("seconds='ten'", f"return {LENGTHS}", "ValueError: @reward(seconds='ten'): write a number above 0"),
        ("minutes=1", f"return {LENGTHS}", "unexpected keyword argument 'minutes'"),
    ],
)
def test_what_it_says_of_itself(tmp_path: Path, mark: str, body: str, found: str) -> None:
    told = words(tmp_path, body, before=f"from mrclassic.rewards import reward\n@reward({mark})")
    assert any(found in each for each in told), told


@pytest.mark.parametrize(
    ("signature", "found"),
    [
        (
            "completions",
            "warning It takes no **columns: TRL, which gives every column of a dataset, could not call it.",
        ),
        ("completions, solution, **columns", "warning It asks for solution, which not every dataset has; give it"),
        ("completions, /, **columns", "error Its signature cannot be called: everything is given by name"),
    ],
)
def test_signatures(tmp_path: Path, signature: str, found: str) -> None:
    told = words(tmp_path, f"return {LENGTHS}", signature=signature)
    assert any(found in each for each in told), told


def test_what_it_does_while_it_is_imported(tmp_path: Path) -> None:
    before = """
import os, pathlib, socket, subprocess
pathlib.Path("beside").write_text("x")
with socket.socket() as s:
    s.settimeout(0.1)
    try:
        s.connect(("127.0.0.1", 9))
    except OSError:
        pass
subprocess.run(["true"])
"""
    told = words(tmp_path, f"return {LENGTHS}", before=before)
    assert [each.partition(" while")[0] for each in told] == [
        "warning It wrote the file beside",
        "warning It used the network",
        "warning It started a process",
    ]
    assert not (tmp_path / "beside").exists()
    assert not Path("beside").exists()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("def mine(:", "mine.py line 1 is not Python"),
        ("x = 1", "mine.py defines no plugin"),
        ("raise SystemExit('no licence')\ndef mine(completions): ...", "it could not start: SystemExit: no licence"),
        (GOOD.replace('"""Rewards short answers."""', ""), "It has no docstring"),
        (GOOD + "@reward(name='mine')\ndef other(completions): ...", "The file defines mine twice"),
        ('"""."""\ndef curriculum(arms, success): ...', "it returned None, not a curriculum"),
    ],
)
def test_files(tmp_path: Path, text: str, found: str) -> None:
    told = [each.words for each in findings(tmp_path, text)]
    assert any(found in each for each in told), told


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    (found,) = check(tmp_path / "nothing.py")
    assert found.words == f"Cannot read {tmp_path}/nothing.py: No such file or directory."


# Curricula and tasks.

CLIMB = '''
"""Climbs."""
from mrclassic.curricula.bandit import Bandit
class Climb(Bandit):
    count = 0
    {}
def curriculum(arms, success):
    return Climb(arms, success)
'''


@pytest.mark.parametrize(
    ("method", "found"),
    [
        ("", ""),
        ("def propose(self, n, rng): return []", "it proposed [], not 8 known arms"),
        (
            "def propose(self, n, rng): return super().propose(n, __import__('random'))",
            "From the same state and random",
        ),
        ("def report(self): return dict.fromkeys(self._arms, 1.0)", "The shares that it reports add up to 3"),
        (
            "kept = (*Bandit.kept, 'count')\n    def propose(self, n, rng):\n        self.count += 1\n"
            "        return super().propose(n, __import__('random').Random(self.count))",
            "",  # what is counted in the state may be counted
        ),
        (
            "def propose(self, n, rng):\n        self.count += 1\n"
            "        return super().propose(n, __import__('random').Random(self.count))",
            "so no run could be resumed",
        ),
        ("def observe(self, outcomes): raise KeyError('x')", "it raised KeyError: 'x'"),
        ("def state_dict(self): return {'it': self}", "is not JSON serializable"),
        ("def state_dict(self): return {}\n    def load_state_dict(self, state): pass", "Its state is empty"),
        (
            "def load_state_dict(self, state): super().load_state_dict({**state, 'success': {}})",
            "it raised KeyError",
        ),
        ("def load_state_dict(self, state): pass", "Its state is another one once it has been saved"),
        (
            "def propose(self, n, rng): return [each.__class__(each.arm, 0.9) for each in super().propose(n, rng)]",
            "with a probability of 0.9, and a share of",
        ),
        ("def observe(self, outcomes): super().observe(outcomes[:1]); outcomes[0]", "it raised IndexError"),
        (
            "def observe(self, outcomes):\n        self._value = {arm: outcomes and outcomes[0].success or 0 "
            "for arm in self._arms}",
            "not a share of each arm",
        ),
        ("def accept(self, outcome): return 'maybe'", "of a group it said 'maybe', not 'keep' or 'redraw'"),
    ],
)
def test_curricula(tmp_path: Path, method: str, found: str) -> None:
    told = [each.words for each in findings(tmp_path, CLIMB.format(method), "climb")]
    assert any(found in each for each in told) if found else told == [], told


@pytest.mark.parametrize("outcomes", ["True", "outcomes"])
def test_a_curriculum_that_hangs_is_waited_for_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, outcomes: str
) -> None:
    waits: list[None] = []
    ask = Remote.ask

    def impatient(self: Remote, request: Mapping[str, Any], seconds: float = SECONDS) -> Any:
        try:
            return ask(self, request, 1.0 if request["call"] == "observe" else seconds)
        except PluginFault:
            waits.append(None)
            raise

    monkeypatch.setattr(Remote, "ask", impatient)
    hang = f"def observe(self, outcomes):\n        while {outcomes}: pass"
    (told,) = findings(tmp_path, CLIMB.format(hang), "climb")
    assert told.words == "The plugin climb failed: it gave no answer within 1 seconds."
    assert len(waits) == 1


SUMS = '''
"""Sums."""
from mrclassic.tasks.base import RIGHT, BadRow, Judgement, ask, no_answer
class Sums:
    name, about, levels = "sums", "sums of small numbers", ("1",)
    def sample(self, rng, level):
        return ask(f"{{2 * rng.randrange(500)}} + 1?", "x", "It is x.")
    def held_out(self, level, limit=None):
        return [ask(f"{{2 * each + 1}} + 1?", "x") for each in range(20)][:limit]
    def check(self, item, completion):
        return RIGHT if "x" in completion else no_answer()
    def row(self, data):
        raise BadRow("no rows")
    {}
def task(folder):
    return Sums()
'''


@pytest.mark.parametrize(
    ("method", "found"),
    [
        ("", ""),
        ("def sample(self, rng, level): return ask('3 + 1?', 'x')", "training draws what is held out: '3 + 1?'"),
        (
            "def sample(self, rng, level): return ask(str(__import__('time').time_ns()), 'x')",
            "draws other items",
        ),
        ("def check(self, item, completion): return no_answer()", "is judged wrong."),
        ("def check(self, item, completion): return RIGHT", "an empty completion is judged right."),
        ("def check(self, item, completion): return completion.index('x') and RIGHT", "could not judge ''"),
        ("def held_out(self, level, limit=None): return []", "Level 1 holds nothing out"),
        (
            "def row(self, data): return data['question']",
            "must raise BadRow: The plugin sums failed: it raised KeyError",
        ),
        ("def row(self, data): return ask('', '')", "It makes an item of a row that has nothing in it"),
        ("levels = ()", "has no levels"),
        ("levels = ('1', '1')", "Its levels are not all different: 1, 1."),
    ],
)
def test_tasks(tmp_path: Path, method: str, found: str) -> None:
    told = [each.words for each in findings(tmp_path, SUMS.format(method), "sums")]
    assert any(found in each for each in told) if found else told == [], told
