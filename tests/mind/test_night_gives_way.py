"""A question in the middle of a night: its process is gone, and its memory back, two seconds after it was asked."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path

import muted
import pytest

from mrclassic.daemon.status import beat_file
from mrclassic.heartbeat import pulse
from mrclassic.home import Home
from mrclassic.mind import process
from mrclassic.mind.client import MindClient
from mrclassic.store import Store

BOUND = 2.0  # seconds
ENVIRONMENT = {key: value for key, value in os.environ.items() if not key.startswith("MRCLASSIC_")}


@pytest.mark.slow
@pytest.mark.alone
async def test_a_question_ends_a_night_in_the_middle_of_an_update(tmp_path: Path) -> None:
    home = muted.hatch(Home(tmp_path / "home"), learnt=True)  # so that it practises at once
    home.settings_file.write_text('device = "cpu"\nthreads = 1\n', encoding="utf-8")
    # The best of three: the machine may be busy with other things.
    for words in ((), ("--resume",), ("--resume",)):
        took = await given_back(home, *words)
        if took < BOUND:
            break
    assert took < BOUND
    with Store.open(home) as store:
        row = store.nights.last()
        assert row is not None
        assert (row.status, row.stage) == ("interrupted", "gave way")
        assert [run.status for run in store.runs.of_night(row.id)] == ["interrupted"]


async def given_back(home: Home, *words: str) -> float:
    """Seconds from a question, asked while a night is at an update, to the end of the night's process."""
    command = [sys.executable, "-m", "mrclassic", "--home", str(home.root), "night", "--now", "--minutes", "2", *words]
    begun = pulse(beat_file(home))[0]
    night = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)
    end = time.monotonic() + 300
    while (beat := pulse(beat_file(home)))[0] == begun or "update" not in beat[1]:
        assert night.poll() is None, night.communicate()[1]
        assert time.monotonic() < end
        time.sleep(0.02)
    client = MindClient(home)
    try:
        asked = time.monotonic()
        question = asyncio.create_task(client.complete([{"role": "user", "content": "Hello."}], max_tokens=3))
        while night.poll() is None:  # one that can be waited for has given its memory back
            await asyncio.sleep(0.01)
            assert time.monotonic() < end
        took = time.monotonic() - asked
        assert (await question).replies
    finally:
        night.kill()
        _, said = night.communicate()
        await client.aclose()
        process.stop(home)
    assert night.returncode == 75, said  # by itself: it was not killed
    return took
