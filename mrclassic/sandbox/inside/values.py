"""The only things that pass between a program and its judge: plain values as tagged JSON, in frames of bounded size.

None, bool, int, float, complex, str, bytes, list, tuple, dict, set, frozenset and range cross as what they are. An
instance of a subclass crosses as its base (an int whose `__eq__` is always true arrives as the int it holds), so no
method that a program wrote ever runs on the judge's side. Whatever else there is stays where it is, and a number that
stands for it crosses.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Callable, Iterator
from typing import Any

LARGEST = 4 * 2**20  # bytes of a frame
MOST = 200_000  # values in a frame
DEEPEST = 40  # lists within lists
_JSON_INT = 2**63  # larger ones cross in hexadecimal: Python refuses to read decimals of more than 4,300 digits
_PLAIN: tuple[type, ...] = (bool, int, float, complex, str, bytes, list, tuple, dict, set, frozenset)
_TYPES: dict[str, type] = {kind.__name__: kind for kind in _PLAIN}
_SEQUENCES: tuple[tuple[Any, str], ...] = ((list, "l"), (tuple, "t"), (set, "s"), (frozenset, "z"))

# What the fork server tells of a process: whether it ended by itself, its wait status, its processor seconds.
ENDED = struct.Struct("<?id")

Refer = Callable[[object], list[Any]]
Resolve = Callable[[str, Any], object]


class Unfit(ValueError):  # noqa: N818 - said of a value
    """A value or a frame that does not cross."""


def encode(value: object, refer: Refer) -> Any:
    """`value` as JSON's own types; `refer` gives the tag and number of what has no plain form. Raises Unfit."""
    return _Encoder(refer).encode(value, 0)


class _Encoder:
    def __init__(self, refer: Refer) -> None:
        self.refer = refer
        self.count = 0

    def encode(self, value: Any, depth: int) -> Any:
        kind = type(value)
        if value is None or kind is bool or kind is float:
            return value
        if kind is str:
            return value
        if kind is int:
            return value if -_JSON_INT < value < _JSON_INT else ["i", hex(value)]
        self.count += 1
        if depth > DEEPEST:
            raise Unfit(f"a value more than {DEEPEST} levels deep")
        if isinstance(value, type):
            return ["T", value.__name__] if value in _PLAIN else self.refer(value)
        for base, tag in _SEQUENCES:
            if isinstance(value, base):
                return [tag, *self._all(base.__iter__(value), depth)]
        if isinstance(value, dict):
            return ["d", *self._all((each for pair in dict.items(value) for each in pair), depth)]
        if isinstance(value, int):
            return self.encode(int.__int__(value), depth)
        if isinstance(value, float):
            return float.__float__(value)
        if isinstance(value, str):
            return str.__str__(value)
        if isinstance(value, complex):
            return ["c", value.real, value.imag]
        if isinstance(value, bytes):
            return ["b", bytes.hex(value)]
        if kind is range:
            return ["g", *(self.encode(part, depth) for part in (value.start, value.stop, value.step))]
        return self.refer(value)

    def _all(self, values: Iterator[Any], depth: int) -> Iterator[Any]:
        for value in values:
            self.count += 1
            if self.count > MOST:
                raise Unfit(f"more than {MOST:,} values")
            yield self.encode(value, depth + 1)


def decode(data: Any, resolve: Resolve) -> Any:
    """The value that `encode` wrote; `resolve` gives what a tag and a number stand for. Raises Unfit."""
    try:
        return _Decoder(resolve).decode(data, 0)
    except Unfit:
        raise
    except (TypeError, ValueError, IndexError) as error:  # an unhashable key, a tag without its value
        raise Unfit(f"a malformed value ({type(error).__name__})") from error


class _Decoder:
    def __init__(self, resolve: Resolve) -> None:
        self.resolve = resolve
        self.count = 0

    def decode(self, data: Any, depth: int) -> Any:
        self.count += 1
        if self.count > MOST or depth > DEEPEST + 1:
            raise Unfit("a value too large or too deep")
        if not isinstance(data, list):
            if isinstance(data, dict):
                raise Unfit("a malformed value")
            return data
        tag = data[0]
        if tag in ("l", "t", "s", "z", "d"):
            values = [self.decode(each, depth + 1) for each in data[1:]]
            if tag == "l":
                return values
            if tag == "t":
                return tuple(values)
            if tag == "d":
                return dict(zip(values[::2], values[1::2], strict=True))
            return set(values) if tag == "s" else frozenset(values)
        if tag == "i":
            return int(data[1], 16)
        if tag == "c":
            return complex(data[1], data[2])
        if tag == "b":
            return bytes.fromhex(data[1])
        if tag == "g":
            return range(*(self.decode(part, depth + 1) for part in data[1:]))
        if tag == "T":
            return _TYPES[data[1]] if data[1] in _TYPES else self.resolve(tag, data[1])
        return self.resolve(tag, data[1])


def send(descriptor: int, message: object) -> None:
    """Write one frame: its length in four bytes, then JSON. Raises Unfit, and OSError where nobody reads."""
    data = json.dumps(message).encode()
    if len(data) > LARGEST:
        raise Unfit(f"a value of more than {LARGEST // 2**20} MiB")
    view = memoryview(len(data).to_bytes(4, "little") + data)
    while view:
        view = view[os.write(descriptor, view) :]


def receive(descriptor: int) -> Any:
    """Read one frame; raises EOFError where the other side is gone, Unfit where it is none."""
    size = int.from_bytes(_exactly(descriptor, 4), "little")
    if size > LARGEST:
        raise Unfit(f"a frame of {size:,} bytes")
    return parse(_exactly(descriptor, size))


def parse(data: bytes) -> Any:
    """What a frame holds; raises Unfit."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise Unfit("a frame that is not JSON") from error


def _exactly(descriptor: int, size: int) -> bytes:
    parts = []
    while size:
        part = os.read(descriptor, min(size, 2**20))
        if not part:
            raise EOFError
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
