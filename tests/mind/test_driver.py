"""What happens when the engine itself fails, with the real parts in this process."""

import asyncio
import json
from pathlib import Path

import babies
import pytest

from mrclassic.home import Home
from mrclassic.mind.desk import Desk
from mrclassic.mind.driver import Driver, Job
from mrclassic.mind.parameters import ApiError, ChatRequest, Defaults, read_request
from mrclassic.model.engine import Event
from mrclassic.model.template import compiled
from mrclassic.settings import load
from mrclassic.store import Store


def asked(**given: object) -> ChatRequest:
    body = {"messages": [{"role": "user", "content": "Hello."}], **given}
    return read_request(json.dumps(body).encode(), Defaults())


@pytest.fixture
async def driver(tmp_path: Path) -> Driver:
    home = Home(tmp_path / "home")
    babies.hatch(home)
    driver = Driver(lambda: Desk(home, load(home)))
    await driver.start()
    return driver


async def text(job: Job) -> str:
    return "".join([piece.text async for piece in job.pieces()])


async def test_a_failing_engine_ends_every_request_in_words_and_is_raised(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> list[Event]:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(driver.desk._engine, "step", fail)
    jobs = [driver.submit(asked()) for _ in range(3)]
    running = asyncio.create_task(driver.run())
    for job in jobs:
        with pytest.raises(ApiError, match=r"failed while answering \(out of memory\); ask again"):
            await text(job)
    with pytest.raises(RuntimeError, match="out of memory"):
        await running
    with pytest.raises(ApiError, match="being shut down"):
        driver.submit(asked())


async def test_a_request_that_cannot_be_read_ends_alone(
    driver: Driver, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tokenizer = driver.desk._policy.tokenizer

    refuse = compiled("{{ raise_exception('Not like this') }}")

    def fail(**given: object) -> str:
        raise ZeroDivisionError("by nothing")

    good = tokenizer._render
    running = asyncio.create_task(driver.run())
    for broken, why, status in ((refuse, r"cannot write this .*Not like this", 400), (fail, "by nothing", 500)):
        monkeypatch.setattr(tokenizer, "_render", broken)
        job = driver.submit(asked(max_tokens=3))
        with pytest.raises(ApiError, match=why) as caught:
            await text(job)
        assert caught.value.status == status
        assert job.admitted.exception() is caught.value
    assert "ZeroDivisionError: by nothing" in capsys.readouterr().err
    monkeypatch.setattr(tokenizer, "_render", good)
    job = driver.submit(asked(max_tokens=3))
    await text(job)
    assert job.admitted.exception() is None
    assert driver.active == 0
    driver.stop()
    await running


async def test_a_job_cancelled_before_its_turn_is_never_admitted(driver: Driver) -> None:
    first, second = driver.submit(asked(max_tokens=5)), driver.submit(asked(max_tokens=5))
    driver.cancel(second)
    running = asyncio.create_task(driver.run())
    await text(first)
    assert await text(second) == ""
    assert second.admitted.exception() is not None
    assert driver.active == 0
    driver.stop()
    await running


async def test_idleness_counts_from_the_last_reply(driver: Driver) -> None:
    running = asyncio.create_task(driver.run())
    job = driver.submit(asked(max_tokens=50))
    assert driver.idle_seconds == 0
    await text(job)
    assert 0 <= driver.idle_seconds < 0.5
    await asyncio.sleep(0.05)
    assert driver.idle_seconds >= 0.05
    driver.stop()
    await running


async def test_a_request_may_name_a_checkpoint_and_the_others_wait_for_the_change(driver: Driver) -> None:
    home = driver.desk._home
    babies.hatch(home, "other", parent="baby-1", seed=1)
    with Store.open(home) as store:
        store.checkpoints.use("baby-1")
    names = (None, "other", "mr-classic", "baby-1", "other", "no-such")
    running = asyncio.create_task(driver.run())
    jobs = [driver.submit(asked(model=name, max_tokens=4, seed=3, temperature=1.0)) for name in names]
    said = [await text(job) for job in jobs[:-1]]
    assert [job.admitted.result().checkpoint for job in jobs[:-1]] == ["baby-1", "other", "baby-1", "baby-1", "other"]
    assert said[0] == said[2] == said[3] != said[1] == said[4]
    with pytest.raises(ApiError, match="no model 'no-such'") as caught:
        await text(jobs[-1])
    assert caught.value.status == 404
    last = driver.submit(asked(max_tokens=4, seed=3, temperature=1.0))
    assert await text(last) == said[0]
    driver.stop()
    await running


async def test_no_ancestor_stands_in_for_a_checkpoint_that_is_named(driver: Driver) -> None:
    folder = babies.hatch(driver.desk._home, "other", parent="baby-1", seed=1)
    weights = next(folder.glob("*.safetensors"))
    weights.write_bytes(weights.read_bytes()[:100])
    running = asyncio.create_task(driver.run())
    job = driver.submit(asked(model="other", max_tokens=3))
    with pytest.raises(ApiError, match=weights.name):
        await text(job)
    driver.stop()
    await running
