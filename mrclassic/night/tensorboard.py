"""A run as an event file that TensorBoard reads, written without TensorBoard: its format is small.

A file is a row of records (TFRecord): length, masked CRC of the length, payload, masked CRC of the payload, all
little-endian; the CRC is CRC-32C and its mask is rotate right by 15 plus 0xa282ead8. A payload is a protobuf `Event`:

    Event    1 wall_time double, 2 step int64, 3 file_version string, 5 summary
    Summary  1 value: Value      1 tag string, 2 simple_value float, 8 tensor, 9 metadata

Text (alarms and samples) is a string tensor whose metadata names the plugin `text`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from mrclassic.errors import UsageError
from mrclassic.store import Store

_DT_STRING = 7
_POLYNOMIAL = 0x82F63B78  # Castagnoli, reflected


def export(run: int, store: Store, folder: Path) -> Path:
    """Write run `run` under `folder` (a file in `run-N/`, replaced if it is there already); returns the file.

    Raises UsageError where there is no such run, or `folder` is a file.
    """
    row = store.runs.get(run)
    begun = datetime.fromisoformat(row.started).timestamp()
    path = folder / f"run-{run}" / f"events.out.tfevents.{int(begun)}.mrclassic"
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file; name a folder to write the event file under.")
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name("part")
    with part.open("wb") as file:
        for event in _events(run, store, begun):
            file.write(record(event))
    part.replace(path)
    return path


def _events(run: int, store: Store, begun: float) -> Iterator[bytes]:
    """The run's events in order of time, which is that of its updates: the store keeps no other."""
    yield _double(1, begun) + _text(3, "brain.Event:2")
    when = {0: begun}
    now = begun
    for step, metrics in store.runs.steps(run):
        numbers = {name: float(value) for name, value in metrics.items() if isinstance(value, int | float)}
        now += numbers.get("seconds/rollout", 0.0) + numbers.get("seconds/update", 0.0)
        when[step] = now
        yield _event(now, step, [_scalar(name, value) for name, value in numbers.items()])
    for alarm in store.runs.alarms(run):
        words = f"**{alarm.verdict}** ({alarm.rule}): {alarm.message}"
        yield _event(when.get(alarm.step, now), alarm.step, [_words("sentinel", words)])
    samples: dict[int, list[str]] = {}
    for sample in reversed(store.runs.samples(run, 10_000)):
        reward = "none" if sample.reward is None else f"{sample.reward:g}"
        indented = "\n".join(f"    {line}" for line in f"{sample.prompt}\n{sample.completion}".splitlines())
        number = sample.detail.get("number", sample.id)
        samples.setdefault(sample.step, []).append(f"sample {number}, reward {reward}\n\n{indented}")
    for step, texts in samples.items():
        yield _event(when.get(step, now), step, [_words("samples", "\n\n".join(texts))])


# -- records


def record(payload: bytes) -> bytes:
    """One TFRecord."""
    length = struct.pack("<Q", len(payload))
    return length + struct.pack("<I", masked(length)) + payload + struct.pack("<I", masked(payload))


def masked(data: bytes) -> int:
    """The masked CRC-32C of `data`."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def _remainder(byte: int) -> int:
    for _ in range(8):
        byte = byte >> 1 ^ (_POLYNOMIAL if byte & 1 else 0)
    return byte


_TABLE = [_remainder(byte) for byte in range(256)]


# -- messages


def _event(when: float, step: int, values: list[bytes]) -> bytes:
    summary = b"".join(_bytes(1, value) for value in values)
    return _double(1, when) + _integer(2, step) + _bytes(5, summary)


def _scalar(tag: str, value: float) -> bytes:
    try:
        packed = struct.pack("<f", value)
    except OverflowError:  # beyond what a float of four bytes holds
        packed = struct.pack("<f", float("inf") if value > 0 else float("-inf"))
    return _text(1, tag) + _key(2, 5) + packed


def _words(tag: str, text: str) -> bytes:
    shape = _bytes(2, _integer(1, 1))  # one dimension of size 1
    tensor = _integer(1, _DT_STRING) + _bytes(2, shape) + _text(8, text)
    return _text(1, tag) + _bytes(8, tensor) + _bytes(9, _bytes(1, _text(1, "text")))


def _key(field: int, wire: int) -> bytes:
    return _varint(field << 3 | wire)


def _double(field: int, value: float) -> bytes:
    return _key(field, 1) + struct.pack("<d", value)


def _integer(field: int, value: int) -> bytes:
    return _key(field, 0) + _varint(value)


def _text(field: int, value: str) -> bytes:
    return _bytes(field, value.encode("utf-8", "replace"))


def _bytes(field: int, value: bytes) -> bytes:
    return _key(field, 2) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    value &= 0xFFFFFFFFFFFFFFFF  # negative numbers as two's complement
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
