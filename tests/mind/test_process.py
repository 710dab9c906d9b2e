"""The mind as a real process: one a home, leaving when told or idle, started anew after a crash."""

import asyncio
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import babies
import pytest

from mrclassic.home import Home
from mrclassic.mind import process
from mrclassic.mind.client import MindClient
from mrclassic.mind.protocol import Completions, MindError
from mrclassic.mind.sockets import listening
from mrclassic.store import Store

HELLO = [{"role": "user", "content": "Hello."}]


async def test_one_for_each_home_and_private(fresh_home: Home) -> None:
    clients = [MindClient(fresh_home) for _ in range(3)]
    await asyncio.gather(*(client.ensure() for client in clients))
    pids = {(await client.health()).pid for client in clients}
    assert pids == {process.holder(fresh_home)}
    assert stat.S_IMODE(fresh_home.socket.stat().st_mode) == 0o600
    assert stat.S_IMODE(fresh_home.run.stat().st_mode) == 0o700
    for client in clients:
        await client.aclose()


async def broken(client: MindClient, pid: int, sign: signal.Signals) -> tuple[str, float]:
    """Send `sign` to the process in the middle of a stream: the sentence that ends it, and when the signal was sent."""
    began = 0.0
    try:
        async for delta in client.stream(HELLO, n=16, max_tokens=450):
            if delta.text and not began:
                began = time.monotonic()
                os.kill(pid, sign)
    except MindError as error:
        return str(error), began
    raise AssertionError("the stream ended as if nothing had happened")


async def test_a_crash_in_the_middle_of_a_reply_is_one_sentence_and_a_restart(fresh_home: Home) -> None:
    client = MindClient(fresh_home)
    pid = (await client.health()).pid
    message, _ = await broken(client, pid, signal.SIGKILL)
    assert "ended in the middle of a reply" in message
    assert "\n" not in message
    assert (await client.complete(HELLO, max_tokens=3)).replies
    assert (await client.health()).pid != pid
    await client.aclose()


async def test_a_crash_between_replies_is_not_even_noticed(fresh_home: Home) -> None:
    client = MindClient(fresh_home)
    pid = (await client.health()).pid
    os.kill(pid, signal.SIGKILL)
    assert (await client.complete(HELLO, max_tokens=3)).replies
    await client.aclose()


async def test_sigterm_ends_it_within_a_second_and_ends_streams_in_words(fresh_home: Home) -> None:
    client = MindClient(fresh_home)
    pid = (await client.health()).pid
    message, began = await broken(client, pid, signal.SIGTERM)
    assert message == "The model is being shut down; ask again and it starts anew."
    while process.holder(fresh_home) is not None:
        await asyncio.sleep(0.01)
        assert time.monotonic() - began < 1.0
    assert not fresh_home.socket.exists()
    await client.aclose()


async def test_shutdown_by_a_client_and_over_the_socket(fresh_home: Home) -> None:
    import httpx

    client = MindClient(fresh_home)
    await client.ensure()
    await client.shutdown()
    assert process.holder(fresh_home) is None
    await client.shutdown()  # nothing runs: nothing happens
    await client.ensure()
    http = httpx.Client(transport=httpx.HTTPTransport(uds=str(fresh_home.socket), verify=False), base_url="http://mind")
    assert http.post("/v1/shutdown").status_code == 200
    end = time.monotonic() + 2
    while process.holder(fresh_home) is not None:
        await asyncio.sleep(0.01)
        assert time.monotonic() < end
    await client.aclose()


async def test_idleness_gives_the_memory_back(fresh_home: Home) -> None:
    fresh_home.settings_file.write_text("[mind]\nidle_minutes = 0.01\n")
    client = MindClient(fresh_home)
    await client.complete(HELLO, max_tokens=3)
    end = time.monotonic() + 5
    while process.holder(fresh_home) is not None:
        await asyncio.sleep(0.05)
        assert time.monotonic() < end
    assert (await client.complete(HELLO, max_tokens=3)).replies, "and it comes back when asked"
    await client.aclose()


async def test_a_long_home_path(tmp_path: Path) -> None:
    home = Home(tmp_path / ("long" * 30) / ("er" * 60))
    babies.hatch(home, "long-1")
    client = MindClient(home)
    assert await client.checkpoint() == "long-1"
    assert (await client.complete(HELLO, max_tokens=3)).replies
    await client.shutdown()
    await client.aclose()


async def test_nothing_hatched_is_one_sentence(tmp_path: Path) -> None:
    client = MindClient(Home(tmp_path / "empty"))
    with pytest.raises(MindError, match=r"^No model here yet; run `mrclassic hatch`\.$"):
        await client.ensure()


async def test_settings_that_cannot_be_read_are_named(fresh_home: Home) -> None:
    fresh_home.settings_file.write_text("[mind]\nidle_minuts = 3\n")
    with pytest.raises(MindError, match="idle_minutes"):
        await MindClient(fresh_home).ensure()


async def test_a_new_checkpoint_is_taken_up_between_replies(fresh_home: Home) -> None:
    client = MindClient(fresh_home)
    before = await client.complete(HELLO, max_tokens=20, temperature=1.0, seed=1)
    babies.hatch(fresh_home, "baby-2", parent="baby-1", seed=5)
    after = await client.complete(HELLO, max_tokens=20, temperature=1.0, seed=1)
    assert (before.checkpoint, after.checkpoint) == ("baby-1", "baby-2")
    assert before.replies[0].text != after.replies[0].text
    assert after.notice is None
    await client.aclose()


@pytest.mark.parametrize("awake", [True, False])
async def test_a_damaged_checkpoint_falls_back_to_its_parent_and_says_so(fresh_home: Home, awake: bool) -> None:
    client = MindClient(fresh_home)
    if awake:
        await client.ensure()
    folder = babies.hatch(fresh_home, "baby-2", parent="baby-1", seed=5)
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-64] + b"\0" * 64)
    answer = await client.complete(HELLO, max_tokens=3)
    assert answer.checkpoint == "baby-1"
    assert answer.notice is not None
    assert "baby-2" in answer.notice
    assert "baby-1" in answer.notice
    assert (await client.health()).notice == answer.notice
    await client.aclose()


async def test_a_damaged_checkpoint_without_a_parent_is_said(fresh_home: Home) -> None:
    with Store.open(fresh_home) as store:
        folder = fresh_home.checkpoints / store.checkpoints.get("baby-1").path
    (folder / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(MindError, match="baby-1"):
        await MindClient(fresh_home).ensure()


async def test_the_log_tells_nothing_of_what_was_said(fresh_home: Home) -> None:
    client = MindClient(fresh_home)
    await client.complete([{"role": "user", "content": "a secret of mine"}], max_tokens=3)
    await client.shutdown()
    assert "secret" not in process.log_path(fresh_home).read_text()
    await client.aclose()


def test_it_outlives_the_terminal_of_who_started_it(fresh_home: Home) -> None:
    code = (
        "import sys; from pathlib import Path; from mrclassic.home import Home; from mrclassic.mind import process;"
        "process.bring_up(Home(Path(sys.argv[1])))"
    )
    subprocess.run([sys.executable, "-c", code, str(fresh_home.root)], check=True, timeout=60)
    assert listening(fresh_home.socket)
    pid = process.holder(fresh_home)
    assert pid is not None
    assert os.getsid(pid) == pid


async def test_a_reply_under_way_keeps_its_weights_and_the_next_one_waits_for_the_new(fresh_home: Home) -> None:
    client = MindClient(fresh_home)
    asked: asyncio.Task[Completions] | None = None
    said = {}
    async for delta in client.stream(HELLO, n=4, max_tokens=200, seed=2, temperature=1.0):
        said[delta.index] = delta.text if delta.restart else said.get(delta.index, "") + delta.text
        if delta.text and asked is None:
            babies.hatch(fresh_home, "baby-2", parent="baby-1", seed=5)
            asked = asyncio.create_task(client.complete(HELLO, max_tokens=3))
    assert asked is not None
    assert (await asked).checkpoint == "baby-2"
    with Store.open(fresh_home) as store:
        store.checkpoints.use("baby-1")
    again = await client.complete(HELLO, n=4, max_tokens=200, seed=2, temperature=1.0)
    assert again.checkpoint == "baby-1"
    assert [said[index] for index in range(4)] == [reply.text for reply in again.replies]
    await client.aclose()


async def test_it_leaves_when_nobody_can_reach_it_any_more(fresh_home: Home) -> None:
    client = MindClient(fresh_home)
    pid = (await client.health()).pid
    fresh_home.socket.unlink()
    assert (await client.health()).pid != pid
    await client.aclose()


async def test_giving_up_while_it_starts_takes_no_time(fresh_home: Home) -> None:
    client = MindClient(fresh_home)
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(client.ensure(), 0.2)
    assert time.monotonic() - began < 1
    assert (await client.complete(HELLO, max_tokens=3)).replies, "it went on starting, and answers the next time"
    await client.aclose()


def test_a_file_in_the_working_folder_does_not_stand_in_for_a_library(fresh_home: Home, tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("raise SystemExit('not torch')")
    code = (
        "import sys; from pathlib import Path; from mrclassic.home import Home; from mrclassic.mind import process;"
        "process.bring_up(Home(Path(sys.argv[1])))"
    )
    command = [sys.executable, "-P", "-c", code, str(fresh_home.root)]
    package = str(Path(process.__file__).parents[2])
    subprocess.run(command, check=True, timeout=60, cwd=tmp_path, env={**os.environ, "PYTHONPATH": package})
    assert listening(fresh_home.socket)


async def test_who_waits_in_line_does_not_come_to_life_after_the_one_before_was_ended(fresh_home: Home) -> None:
    command = [sys.executable, "-m", "mrclassic.mind", "--home", str(fresh_home.root)]
    with process.hold(fresh_home) as ours:
        assert ours
        second = subprocess.Popen(command, cwd=Path(process.__file__).parents[2])
        await asyncio.sleep(0.5)
        assert second.poll() is None, "it waits for the first to answer"
    assert await asyncio.to_thread(second.wait, 20) == 0
    assert process.holder(fresh_home) is None
