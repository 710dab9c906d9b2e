"""Bad input through the real command line: one clear sentence, the right exit code, no traceback, nothing lost."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import muted
import pytest
from homes import command, mrclassic

from mrclassic import book
from mrclassic.home import Home
from mrclassic.mind import process
from mrclassic.store import Store

PROGRAM = [sys.executable, "-m", "mrclassic"]
ENVIRONMENT = {key: value for key, value in os.environ.items() if not key.startswith("MRCLASSIC_")}


@pytest.fixture(scope="module")
def family(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home with a model and its parent."""
    home = Home(tmp_path_factory.mktemp("family") / "home")
    muted.hatch(home, "mute-1")
    return muted.hatch(home, "mute-2", parent="mute-1", seed=1)


@pytest.fixture
def home(family: Home, tmp_path: Path) -> Iterator[Home]:
    home = Home(shutil.copytree(family.root, tmp_path / "home"))
    yield home
    process.stop(home)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 12 MiB of its own, where this process may mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(disk)], capture_output=True)
    if mounted.returncode:
        pytest.skip("a disk of its own cannot be mounted here")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def sentence(home: Home, *words: str) -> tuple[int, str]:
    """The exit code and the one sentence that the command ends with."""
    code, _, narration = mrclassic(home.root, *words)
    assert "Traceback" not in narration
    last = narration.splitlines()[-1]
    assert last.startswith("mrclassic: ")
    return code, last.removeprefix("mrclassic: ")


def damage(home: Home, name: str) -> None:
    """Flip a bit in the middle of the weights."""
    with (home.checkpoints / name / "model.safetensors").open("r+b") as file:
        middle = file.seek(0, os.SEEK_END) // 2
        file.seek(middle)
        byte = file.read(1)[0]
        file.seek(middle)
        file.write(bytes([byte ^ 1]))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("hacth",), "No such command 'hacth'. Did you mean 'hatch'"),
        (("model", "lst"), "Did you mean 'list'?"),
        (("train", "book", "--epoch", "3"), "No such option: --epoch (Possible options: --epochs)"),
        (("hatch", "--steps", "0"), "Invalid value for '--steps'"),
        (("ask",), "Missing argument 'text'"),
        (("--home", "", "model", "list"), "--home names no folder"),
        (("--device", "gpu", "model", "list"), "use auto, cpu, cuda, cuda:N or mps"),
        (("hatch", "--size", "huge"), "There is no size 'huge'; the sizes are tiny, small, classic."),
        (("train", "grpo", "--task", "sums"), "There is no task 'sums'; known: arithmetic, gsm8k, math, humaneval,"),
        (("train", "grpo", "--task", "nights"), "There is no task 'nights'; did you mean knights?"),
        (("train", "grpo", "--reward", "corect"), "There is no reward 'corect'; did you mean correct?"),
        (("train", "grpo", "--reward", "format=much"), "The weight of the reward format is 'much'; write a number"),
        (("train", "grpo", "--group", "1"), "Invalid value for '--group'"),
        (("lab", "run", "lerning"), "did you mean learning?"),
        (("train", "grpo", "--task", "arithmetic:9"), "The task arithmetic has no level '9'; known: 1,"),
        (("train", "grpo", "--steps", "3", "--minutes", "1"), "--steps and --minutes each give the length of the run"),
        (("train", "selfplay", "--steps", "3", "--minutes", "1"), "leave one of them out."),
        (("train", "book", "--steps", "3", "--epochs", "1"), "--epochs and --steps each give the length"),
        (("hatch", "--steps", "3", "--minutes", "1"), "--steps and --minutes each give the length of the run"),
        (("train", "book", "--resume", "1", "--all", "--seed", "0"), "as it began; leave out --all and --seed."),
        (("train", "grpo", "--steps", "3", "--json", "--resume", "1"), "as it began; leave out --steps."),
        (("train", "selfplay", "--resume", "1", "--from", "x"), "as it began; leave out --from."),
        (("train", "grpo", "--resume", "99"), "There is no run 99."),
        (("night",), "Say either --now to practise or --plan"),
        (("task", "sample", "aritmetic"), "did you mean arithmetic?"),
        (("task", "check", "arithmetic", "--file", "/"), "Cannot read /: Is a directory"),
    ],
)
def test_wrong_words(words: tuple[str, ...], said: str, tmp_path: Path) -> None:
    done = command(*words, folder=tmp_path, HOME=str(tmp_path))
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert {path.name for path in tmp_path.iterdir()} <= {".mrclassic"}


@pytest.mark.parametrize("words", [("report",), ("train", "book"), ("night", "--plan"), ("eval",), ("model", "undo")])
def test_a_fresh_home_says_what_comes_first(words: tuple[str, ...], tmp_path: Path) -> None:
    code, said = sentence(Home(tmp_path / "home"), *words)
    assert code == 1
    assert "`mrclassic " in said


def test_a_model_is_not_hatched_over_another(home: Home) -> None:
    code, said = sentence(home, "hatch")
    assert code == 3
    assert said == "A model lives here already (mute-2); --again hatches another and keeps this one."


@pytest.mark.slow
def test_a_damaged_checkpoint_gives_way_to_its_parent(home: Home) -> None:
    muted.hatch(home, "known-1", learnt=True)
    muted.hatch(home, "known-2", "known-1", seed=1, learnt=True)
    damage(home, "known-2")
    instead = "known-2: model.safetensors is not as it was written"
    for words in (("ask", "Hello.", "-n", "1", "--json"), ("eval", "--suite", "book_recall", "--json")):
        code, facts, narration = mrclassic(home.root, *words)
        assert (code, facts["checkpoint"]) == (0, "known-1")
        assert instead in narration
        assert "its ancestor known-1" in narration
    # What is learnt from then on grows on the parent, and comes into use although the damaged one was.
    code, facts, narration = mrclassic(home.root, "train", "book", "--all", "--steps", "1", "--json")
    assert (code, facts["promoted"]) == (0, True), facts
    assert instead in narration
    with Store.open(home) as store:
        used = store.checkpoints.in_use()
    assert used is not None
    assert (used.id, used.parent) == (facts["checkpoint"], "known-1")


def test_when_no_ancestor_is_whole_there_is_one_sentence(home: Home) -> None:
    damage(home, "mute-2")
    shutil.rmtree(home.checkpoints / "mute-1")
    for words in (("ask", "Hello.", "-n", "1"), ("train", "book")):
        code, _, narration = mrclassic(home.root, *words)
        assert code == 1
        assert narration.count("\n") == 1, narration
        assert "nor any it came from" in narration
        assert "`mrclassic hatch --again`" in narration
    assert mrclassic(home.root, "model", "use", "mute-1")[0] == 3


def test_a_malformed_book_names_its_line_and_what_is_typed_waits_for_it(home: Home) -> None:
    broken = muted.BOOK + "\na reply to nobody\n"
    home.book.write_text(broken, encoding="utf-8")
    line = f"{home.book} line {broken.count(chr(10))}: a reply without a question"
    for words in (("train", "book"), ("hatch", "--again", "--steps", "1")):
        code, said = sentence(home, *words)
        assert code == 2
        assert said.startswith(line)
    assert mrclassic(home.root, "ask", "Who goes there?", "-n", "1")[0] == 0
    code, said = sentence(home, "teach", "--say", "A friend.")
    assert code == 1
    assert said.startswith(line)
    assert said.endswith("Your choice is stored and goes into the book once that is mended.")
    assert home.book.read_text(encoding="utf-8") == broken
    home.book.write_text(muted.BOOK, encoding="utf-8")
    assert mrclassic(home.root, "eval", "--suite", "book_recall")[0] == 0
    assert [entry.reply for entry in book.load(home.book)][-1] == "A friend."


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[night]\nminuts = 3\n", "line 2: there is no setting night.minuts; did you mean night.minutes?"),
        ("[night\n", "line 1: not valid TOML"),
        ("\n[chat]\ncandidates = 12\n", "line 3: chat.candidates = 12 does not do"),
    ],
)
def test_malformed_settings_name_file_line_and_key(text: str, said: str, tmp_path: Path) -> None:
    home = Home(tmp_path / "home").ensure()
    home.settings_file.write_text(text, encoding="utf-8")
    code, told = sentence(home, "model", "list")
    assert code == 2
    assert told.startswith(f"{home.settings_file} {said}")


def test_a_home_that_cannot_be_written(tmp_path: Path) -> None:
    """Root may write everywhere, so the command gives that power away."""
    (tmp_path / "shut").mkdir(mode=0o500)
    weak = ["setpriv", "--inh-caps=-all", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
    if weak and (shutil.which("setpriv") is None or subprocess.run([*weak, "true"], capture_output=True).returncode):
        pytest.skip("root cannot give its powers away here")
    for where in (tmp_path / "shut", tmp_path / "shut" / "home"):
        command = [*weak, *PROGRAM, "--home", str(where), "hatch"]
        done = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT)
        assert done.returncode == 1, done.stderr
        assert done.stderr.startswith(f"mrclassic: Cannot use {where}")
        assert done.stderr.count("\n") == 1


def test_a_home_whose_path_is_too_long_for_the_database(tmp_path: Path) -> None:
    code, said = sentence(Home(tmp_path.joinpath(*["x" * 100] * 5)), "model", "list")
    assert code == 1
    assert "the path is longer than the database can use" in said


@pytest.mark.slow
def test_a_full_disk_loses_nothing(family: Home, small_disk: Path) -> None:
    home = Home(small_disk / "home")
    shutil.copytree(family.root, home.root)
    try:
        assert mrclassic(home.root, "ask", "Hello there.", "-n", "2")[0] == 0
        # Training fits into the database, and its checkpoint does not fit beside the two.
        code, said = sentence(home, "train", "book", "--steps", "1")
        assert code == 1
        assert said.endswith("(the disk is full); make room and try again.")
        assert sorted(path.name for path in home.checkpoints.iterdir()) == ["mute-1", "mute-2"]
        fill(home.root / "filler")
        written = home.book.read_bytes()
        code, said = sentence(home, "teach", "--say", "Good day to you.")
        assert code == 1
        assert "the disk is full" in said or "No space left" in said
        assert home.book.read_bytes() == written
        (home.root / "filler").unlink()
        assert mrclassic(home.root, "model", "list")[0] == 0
        if "Your choice is stored" not in said:
            assert mrclassic(home.root, "teach", "--say", "Good day to you.")[0] == 0
        assert mrclassic(home.root, "eval", "--suite", "book_recall")[0] == 0
        assert [entry.reply for entry in book.load(home.book)][-1] == "Good day to you."
    finally:
        process.stop(home)


def fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        for size in (65536, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                continue


@pytest.mark.parametrize("redirection", [">&-", "2>&-", ">&- 2>&- <&-", "| head -0", "2>&1 | head -0"])
def test_output_that_nobody_reads(family: Home, redirection: str) -> None:
    command = f'"$@" {redirection}'
    words = ["sh", "-c", command, "sh", *PROGRAM, "--home", str(family.root), "model", "list"]
    done = subprocess.run(words, capture_output=True, text=True, env=ENVIRONMENT)
    assert done.returncode in (0, 1)
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


def test_odd_text_is_text_like_any_other(home: Home) -> None:
    home.settings_file.write_text("[chat]\ncandidates = 1\n", encoding="utf-8")
    texts = ("你好 🎩 مرحبا e\u0301 \u202e", "- a\tb\n\n# c\n> d")
    for text in texts:
        assert mrclassic(home.root, "ask", "--", text)[0] == 0
        assert mrclassic(home.root, "teach", f"--say={text}")[0] == 0
    assert [entry.reply for entry in book.load(home.book)][-len(texts) :] == list(texts)
    for words in (("ask", "-"), ("teach", "--say", "-"), ("chat", "--plain")):
        command = [*PROGRAM, "--home", str(home.root), *words]
        # In a UTF-8 locale Python refuses such bytes, in the C locale it smuggles them through.
        for locale in ("C.UTF-8", "C"):
            environment = {**ENVIRONMENT, "LC_ALL": locale}
            done = subprocess.run(command, input=b"\xff\xfe a\0b\n", capture_output=True, env=environment)
            assert done.returncode == 0, done.stderr
            if words[0] == "teach":
                break
    assert book.load(home.book)[-1].reply == "\ufffd\ufffd a\0b"


def test_standard_input_that_is_closed(home: Home) -> None:
    for words in ("ask -", "chat --plain", "task check arithmetic --file -"):
        command = ["sh", "-c", f'"$@" {words} <&-', "sh", *PROGRAM, "--home", str(home.root)]
        done = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT)
        assert done.returncode == 2
        assert done.stderr.startswith("mrclassic: Standard input is closed")


def test_two_nights_at_once(home: Home) -> None:
    from mrclassic.night.workplace import alone

    with alone(home, "nightly", "no"):
        code, said = sentence(home, "night", "--now", "--minutes", "1")
    assert code == 3
    assert said.startswith("A night is running in this home already")
    assert f"Process {os.getpid()} is at it" in said


def test_two_hatches_at_once(tmp_path: Path) -> None:
    from mrclassic.night.workplace import alone

    home = Home(tmp_path / "home").ensure()
    with alone(home, "hatch", "no"):
        code, said = sentence(home, "hatch")
    assert code == 3
    assert said.startswith("Another model is hatching in this home")


@pytest.mark.parametrize(
    ("verb", "said"), [("td", "needed without --rated"), ("distill", "needed"), ("grpo", "settings")]
)
def test_help_says_whether_a_task_is_needed(home: Home, verb: str, said: str) -> None:
    told = " ".join(command("train", verb, "--help", COLUMNS="200").stdout.split())
    assert f"({said})" in told or f"(default: the {said})" in told
    if verb != "grpo":
        refused = command("--home", str(home.root), "train", verb)
        assert (refused.returncode, "such as --task" in refused.stderr) == (2, True)


@pytest.mark.parametrize(
    "words",
    [("night", "--now"), ("hatch", "--again"), ("train", "grpo"), ("train", "base", "x.txt"), ("lab", "run", "gate")],
)
@pytest.mark.parametrize("minutes", ["inf", "nan", "1e9"])
def test_no_training_is_endless(words: tuple[str, ...], minutes: str, tmp_path: Path) -> None:
    done = command("--home", str(tmp_path), *words, "--minutes", minutes)
    assert done.returncode == 2
    assert "Invalid value for '--minutes'" in done.stderr
