"""`mrclassic train base` as an owner does it: planned, trained, interrupted, gone on with, refused."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import corpora
import pytest
from homes import mrclassic

from mrclassic.cli import main

SHORT = ("--steps", "12", "--batch-tokens", "512", "--held-out", "0.1", "--json")


@pytest.fixture
def talks(tmp_path: Path) -> Path:
    rows = corpora.talks(250, turns=6)
    return corpora.write(tmp_path / "talks.jsonl.gz", [*rows[:100], '{"turns": ["broken', *rows[100:], rows[3]])


def train(home: Path, *words: str) -> tuple[int, dict, str]:
    return mrclassic(home, "train", "base", *words)


@pytest.mark.slow
def test_planned_interrupted_and_gone_on_with(talks: Path, tmp_path: Path) -> None:
    home, other = tmp_path / "home", tmp_path / "other"
    code, plan, said = train(home, str(talks), "--plan", "--epochs", "2", "--held-out", "0.1", "--json")
    assert code == 0, said
    assert "talks.jsonl.gz line 101: it is not JSON" in said
    (source,) = plan["sources"]
    assert (source["documents"] + source["held_out"], source["duplicates"], source["broken"]) == (250, 1, 1)
    assert source["passes"] == plan["epochs"] == 2
    assert plan["tokens"] == pytest.approx(2 * source["tokens"], rel=0.01)
    assert plan["minutes"] == pytest.approx(plan["steps"] * plan["seconds_per_step"] / 60)
    assert not list((home / "checkpoints").iterdir())

    code, whole, said = train(other, str(talks), *SHORT)
    assert code == 0, said
    assert (whole["ended"], whole["steps"], whole["in_use"]) == ("done", 12, True)
    assert whole["held_out"]["talks"]["perplexity"] > 1

    command = [sys.executable, "-m", "mrclassic", "--home", str(home), "train", "base", str(talks), *SHORT]
    running = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    deadline = time.monotonic() + 120
    while not (home / "runs" / "run-1" / "corpus").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=120)
    assert running.returncode == 130, said
    assert "mrclassic train base --resume 1" in said
    talks.unlink()  # the run has what it needs
    code, facts, said = train(home, "--resume", "1", "--json")
    assert code == 0, said
    assert facts["model_sha256"] == whole["model_sha256"]
    assert not list((home / "runs").iterdir())
    code, shown, _ = mrclassic(home, "model", "show", "--json")
    assert (code, shown["method"], shown["step"], shown["whole"]) == (0, "base", 12, True)
    code, _, said = train(home, "--resume", "1")
    assert (code, "is over" in said) == (2, True)


@pytest.mark.slow
def test_it_goes_on_with_a_checkpoint_and_is_a_candidate(talks: Path, tmp_path: Path) -> None:
    code, first, said = train(tmp_path / "home", str(talks), *SHORT)
    assert code == 0, said
    words = ("--from", first["checkpoint"], "--optimizer", "muon", "--weight", "talks.jsonl=2")
    code, _, said = train(tmp_path / "home", str(talks), *SHORT, *words)
    assert (code, "names no source; write NAME=W, where NAME is talks" in said) == (2, True)
    code, second, said = train(tmp_path / "home", str(talks), *SHORT, *words[:-1], "talks=2")
    assert code == 0, said
    assert not second["in_use"]
    assert second["held_out"]["talks"]["loss"] < first["held_out"]["talks"]["loss"]
    code, shown, _ = mrclassic(tmp_path / "home", "model", "show", second["checkpoint"], "--json")
    assert shown["lineage"] == [first["checkpoint"]]
    code, third, said = train(tmp_path / "home", str(talks), *SHORT, *words[:2], "--lora", "4")
    assert code == 0, said
    assert third["model_sha256"] != first["model_sha256"]


def test_a_curriculum_says_what_is_read(talks: Path, tmp_path: Path) -> None:
    prose = corpora.write(tmp_path / "prose.jsonl", [{"text": f"{at} good night rain"} for at in range(200)])
    code, facts, said = train(tmp_path / "home", str(talks), str(prose), "--mix", "learning_progress", *SHORT)
    assert code == 0, said
    assert set(facts["read"]) == {"talks", "prose"}
    assert sum(facts["read"].values()) == pytest.approx(1)
    refused = train(tmp_path / "home", str(talks), str(prose), "--mix", "uniform", *SHORT[:4], "--held-out", "0")
    assert (refused[0], "raise --held-out" in refused[2]) == (2, True)
    assert not list((tmp_path / "home" / "runs").glob("run-*")), "refused before it began"


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ((), "Name a corpus"),
        (("nothing.jsonl",), "There is no file"),
        (("here", "--size", "huge"), "There is no size 'huge'"),
        (("here", "--steps", "3", "--epochs", "2"), "each give the length"),
        (("here", "--resume", "1"), "takes everything else from the run"),
        (("here", "--compile"), "--compile is for GPUs"),
        (("here", "--mix", "learning_progress"), "--mix needs two sources"),
        (("here", "other", "--mix", "learning"), "did you mean learning_progress?"),
        (("here", "other", "--mix", "bandit", "--weight", "here=2"), "leave out --weight"),
        (("here", "--lora", "4"), "give --from"),
        (("here", "--from", "x", "--size", "tiny"), "leave out --size"),
        (("--resume", "9"), "There is no run 9"),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(
    words: tuple[str, ...],
    why: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    paths = {name: corpora.write(tmp_path / f"{name}.jsonl", corpora.talks(3)) for name in ("here", "other")}
    monkeypatch.setenv("MRCLASSIC_DEVICE", "cpu")
    given = [str(paths.get(word, word)) for word in words]
    monkeypatch.setattr(sys, "argv", ["mrclassic", "--home", str(tmp_path / "home"), "train", "base", *given])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 2
    assert why in " ".join(capsys.readouterr().err.split())
