"""The event file, read back by a decoder that shares no code with the writer: framing, checksums, fields."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from homes import mrclassic
from hypothesis import given
from hypothesis import strategies as st

from mrclassic.errors import UsageError
from mrclassic.home import Home
from mrclassic.night.recorder import StoreRecorder
from mrclassic.night.tensorboard import export, masked, record
from mrclassic.store import Store
from mrclassic.training.report import Sample, StepReport
from mrclassic.training.sentinel import Verdict


def crc32c(data: bytes) -> int:
    """Bit by bit, as the definition has it."""
    crc = 0xFFFFFFFF
    for byte in data:
        for bit in range(8):
            carry = (crc ^ (byte >> bit)) & 1
            crc = (crc >> 1) ^ (0x82F63B78 if carry else 0)
    return crc ^ 0xFFFFFFFF


def unmask(value: int) -> int:
    rotated = (value - 0xA282EAD8) & 0xFFFFFFFF
    return ((rotated >> 17) | (rotated << 15)) & 0xFFFFFFFF


def records(data: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(data):
        length, check = struct.unpack_from("<QI", data, at)
        assert crc32c(data[at : at + 8]) == unmask(check)
        payload = data[at + 12 : at + 12 + length]
        assert crc32c(payload) == unmask(*struct.unpack_from("<I", data, at + 12 + length))
        yield payload
        at += length + 16
    assert at == len(data)


def fields(data: bytes) -> dict[int, list[Any]]:
    """A protobuf message's fields, by number."""
    found: dict[int, list[Any]] = {}
    at = 0

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(data):
        key = varint()
        value: Any
        if key & 7 == 0:
            value = varint()
        elif key & 7 == 1:
            value, at = data[at : at + 8], at + 8
        elif key & 7 == 5:
            value, at = data[at : at + 4], at + 4
        else:
            assert key & 7 == 2
            length = varint()
            value, at = data[at : at + length], at + length
        found.setdefault(key >> 3, []).append(value)
    return found


def read(path: Path) -> tuple[dict[str, dict[int, float]], dict[str, dict[int, str]], list[float]]:
    """Scalars and texts by tag and step, and the times of all events."""
    scalars: dict[str, dict[int, float]] = {}
    texts: dict[str, dict[int, str]] = {}
    times = []
    for place, payload in enumerate(records(path.read_bytes())):
        event = fields(payload)
        times.append(struct.unpack("<d", event[1][0])[0])
        if place == 0:
            assert event[3] == [b"brain.Event:2"]
            continue
        (step,) = event[2]
        for value in fields(event[5][0])[1]:
            one = fields(value)
            tag = one[1][0].decode()
            if 2 in one:
                scalars.setdefault(tag, {})[step] = struct.unpack("<f", one[2][0])[0]
            else:
                plugin = fields(fields(one[9][0])[1][0])[1][0]
                tensor = fields(one[8][0])
                assert (plugin, tensor[1]) == (b"text", [7])
                assert fields(fields(tensor[2][0])[2][0])[1] == [1]
                texts.setdefault(tag, {})[step] = tensor[8][0].decode()
    return scalars, texts, times


@pytest.fixture
def store(home: Home) -> Iterator[Store]:
    with Store.open(home) as opened:
        yield opened


def some_run(store: Store) -> int:
    run = store.runs.start("grpo", {})
    recorder = StoreRecorder(store, run)
    for step in range(1, 301):
        metrics = {"reward": step / 300, "completions/mean_length": 1e6, "seconds/rollout": 0.5, "seconds/update": 0.25}
        samples = tuple(Sample(f"What is {n} + {n}?", f"so {2 * n}.", None if n == 2 else 1.0) for n in range(3))
        recorder.step(StepReport(step, metrics | ({"kl": math.nan} if step == 7 else {}), samples))
        if step == 58:
            recorder.alarm(step, Verdict("pause", "parser", "The parser no longer finds it; see samples 1, 3."))
    recorder.flush()
    return run


def test_what_is_written_is_what_the_run_was(store: Store, tmp_path: Path) -> None:
    run = some_run(store)
    path = export(run, store, tmp_path / "board")
    assert path.parent == tmp_path / "board" / f"run-{run}"
    assert "tfevents" in path.name
    scalars, texts, times = read(path)
    assert scalars["reward"] == {step: pytest.approx(step / 300) for step in range(1, 301)}
    assert len(scalars["completions/mean_length"]) == 300
    assert math.isnan(scalars["kl"][7])
    assert "see samples 1, 3" in texts["sentinel"][58]
    assert "pause" in texts["sentinel"][58]
    assert "sample 3, reward none\n\n    What is 2 + 2?\n    so 4." in texts["samples"][58]
    assert times[300] - times[0] == pytest.approx(300 * 0.75)
    before = path.read_bytes()
    assert export(run, store, tmp_path / "board") == path
    assert path.read_bytes() == before
    assert [found.name for found in path.parent.iterdir()] == [path.name]


def test_an_empty_run_makes_a_readable_file_and_an_unknown_one_a_sentence(store: Store, tmp_path: Path) -> None:
    path = export(store.runs.start("grpo", {}), store, tmp_path)
    assert read(path)[0] == {}
    with pytest.raises(UsageError, match="no run 99"):
        export(99, store, tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="is a file"):
        export(1, store, tmp_path / "file")


def test_the_checksum_is_the_published_one() -> None:
    assert crc32c(b"123456789") == unmask(masked(b"123456789")) == 0xE3069283  # RFC 3720's check value


@given(st.binary(max_size=300))
def test_any_payload_survives_its_frame(payload: bytes) -> None:
    assert list(records(record(payload))) == [payload]


@pytest.mark.slow
def test_the_command_line_exports_and_tells(store: Store, home: Home, tmp_path: Path) -> None:
    run = some_run(store)
    code, facts, _ = mrclassic(home.root, "report", "--run", str(run), "--tensorboard", str(tmp_path / "tb"), "--json")
    assert code == 0
    assert read(Path(facts["events"]))[0]["reward"]
    assert facts["alarms"][0]["message"].endswith("see samples 1, 3.")
    numbers = {sample["detail"]["number"] for sample in facts["samples"] if sample["step"] == 58}
    assert numbers == {1, 2, 3}
    code, page, _ = mrclassic(home.root, "report", "--run", str(run))
    assert code == 0
    assert "see samples 1, 3" in page
    assert "sample 3 of update 58" in page
    assert mrclassic(home.root, "report", "--run", "99")[0] == 2
    assert mrclassic(home.root, "report", "--tensorboard", str(tmp_path))[0] == 2
    assert mrclassic(home.root, "report", "3", "--run", str(run))[0] == 2
