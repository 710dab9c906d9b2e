"""What a disk may hold after the power went: calls that were recorded, of which only the synced ones are sure.

The rules are POSIX's, and harsher than those of most file systems:

- what was written to a file is sure once that file is synced;
- a name (made, moved or removed) is sure once its folder is synced;
- of the rest any part may be there, in any order, and of one write any of its sectors; where a file grew without its
  data, there are zeros or whatever lay there before.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from campaigns.shim import Call

SECTOR = 512
Loss = Literal["none", "all", "some", "torn"]


@dataclass
class _Node:
    """A file or a folder: what is sure of it, and what is not yet, in order."""

    folder: bool = False
    data: bytearray = field(default_factory=bytearray)
    names: dict[str, _Node] = field(default_factory=dict)
    now: dict[str, _Node] = field(default_factory=dict)  # the names as a running process sees them
    written: list[tuple[int, bytes | None]] = field(default_factory=list)  # offset and data; None: cut off there
    changed: list[_Change] = field(default_factory=list)


@dataclass(frozen=True)
class _Change:
    """Names set (or removed, where the node is None) together, each in its folder."""

    parts: tuple[tuple[_Node, str, _Node | None], ...]


class Disk:
    """The folder `root` as it was when recording began; `follow` the calls, and at any point see what might be left."""

    def __init__(self, root: Path) -> None:
        self._path = str(root)
        self._nodes: dict[int, _Node] = {}
        self._root = self._read(root)

    def _read(self, path: Path) -> _Node:
        node = self._nodes[path.stat().st_ino] = _Node(path.is_dir())
        if node.folder:
            node.names = {child.name: self._read(child) for child in path.iterdir()}
            node.now = dict(node.names)
        else:
            node.data = bytearray(path.read_bytes())
        return node

    def follow(self, call: Call) -> None:
        """One more call has returned."""
        match call.kind:
            case "create" | "mkdir":
                node = self._nodes[call.inode] = _Node(call.kind == "mkdir")
                self._change((call.path, node))
            case "link":
                self._change((call.other, self._nodes[call.inode]))
            case "unlink":
                self._change((call.path, None))
            case "rename":
                self._change((call.path, None), (call.other, self._nodes[call.inode]))
            case "write" | "pwrite":
                self._nodes[call.inode].written.append((call.offset, call.data))
            case "truncate":
                self._nodes[call.inode].written.append((call.offset, None))
            case "fsync" | "fdatasync":
                self._notice(call)
                self._sync(self._nodes[call.inode])

    def _notice(self, call: Call) -> None:
        """A file that is synced under another name than it was made by was renamed past the shim."""
        node = self._nodes[call.inode]
        if node is not self._root:
            folder, name = self._place(call.path)
            if folder.now.get(name) is not node:
                (former,) = [name for name, each in folder.now.items() if each is node]
                self._change((f"{Path(call.path).parent}/{former}", None), (call.path, node))

    def _change(self, *parts: tuple[str, _Node | None]) -> None:
        found = []
        for path, node in parts:
            folder, name = self._place(path)
            found.append((folder, name, node))
            if node is None:
                folder.now.pop(name, None)
            else:
                folder.now[name] = node
        change = _Change(tuple(found))
        for folder in {id(folder): folder for folder, _, _ in found}.values():
            folder.changed.append(change)

    def _place(self, path: str) -> tuple[_Node, str]:
        *above, name = os.path.relpath(path, self._path).split("/")
        node = self._root
        for part in above:
            node = node.now[part]
        return node, name

    def _sync(self, node: _Node) -> None:
        if node.folder:
            for change in node.changed:
                _apply(change, {id(folder): folder.names for folder, _, _ in change.parts})
                for folder, _, _ in change.parts:
                    if folder is not node:
                        folder.changed.remove(change)
            node.changed = []
        else:
            for offset, data in node.written:
                _write(node.data, offset, data)
            node.written = []

    def left(self, loss: Loss, rng: random.Random) -> dict[str, bytes | None]:
        """What the disk holds if the power goes now: content by path below the root, None for a folder.

        none: everything came through (what a mere kill leaves); all: only what is sure; some: any of what is not, in
        order; torn: any of it, in any order and in parts.
        """
        names = {id(node): dict(node.names) for node in self._every()}
        pending = {id(change): change for node in self._every() for change in node.changed}
        for change in pending.values():
            if loss == "none" or (loss != "all" and rng.random() < 0.5):
                _apply(change, names)
        found: dict[str, bytes | None] = {}
        self._list(self._root, "", names, found, loss, rng, 0)
        return found

    def _every(self) -> list[_Node]:
        """All nodes that a name leads to, or has led to when it was last sure."""
        seen: dict[int, _Node] = {}
        todo = [self._root]
        while todo:
            node = todo.pop()
            if id(node) not in seen:
                seen[id(node)] = node
                todo += [*node.names.values(), *node.now.values()]
                todo += [each for change in node.changed for _, _, each in change.parts if each is not None]
        return list(seen.values())

    def _list(
        self,
        node: _Node,
        path: str,
        names: dict[int, dict[str, _Node]],
        found: dict[str, bytes | None],
        loss: Loss,
        rng: random.Random,
        depth: int,
    ) -> None:
        if depth > 20:  # a folder that was moved and also stayed
            return
        for name, child in names[id(node)].items():
            place = f"{path}{name}"
            if child.folder:
                found[place] = None
                self._list(child, f"{place}/", names, found, loss, rng, depth + 1)
            else:
                found[place] = bytes(_survived(child, loss, rng))


def _apply(change: _Change, names: dict[int, dict[str, _Node]]) -> None:
    for folder, name, node in change.parts:
        if node is None:
            names[id(folder)].pop(name, None)
        else:
            names[id(folder)][name] = node


def _survived(node: _Node, loss: Loss, rng: random.Random) -> bytearray:
    """The content of a file: what is sure, and of the rest what luck has it."""
    data = bytearray(node.data)
    if loss == "all":
        return data
    pending = list(node.written)
    if loss == "torn":
        rng.shuffle(pending)
    for offset, written in pending:
        if loss == "none":
            _write(data, offset, written)
        elif rng.random() < 0.5:
            if loss == "torn" and written is not None:
                _write_torn(data, offset, written, rng)
            else:
                _write(data, offset, written)
    return data


def _write(data: bytearray, offset: int, written: bytes | None) -> None:
    if written is None:
        del data[offset:]
        data.extend(bytes(offset - len(data)))
    else:
        data.extend(bytes(max(0, offset - len(data))))
        data[offset : offset + len(written)] = written


def _write_torn(data: bytearray, offset: int, written: bytes, rng: random.Random) -> None:
    """Some sectors of one write; the file may have grown by the others all the same."""
    if rng.random() < 0.5:
        grown = offset + len(written) - len(data)
        data.extend(bytes(max(0, grown)) if rng.random() < 0.5 else rng.randbytes(max(0, grown)))
    at = offset
    while at < offset + len(written):
        end = min((at // SECTOR + 1) * SECTOR, offset + len(written))
        if rng.random() < 0.5:
            _write(data, at, written[at - offset : end - offset])
        at = end


def lay_out(found: dict[str, bytes | None], root: Path) -> None:
    """Write what is left below `root`, a folder that is not there yet."""
    root.mkdir()
    for name, data in sorted(found.items(), key=lambda pair: pair[0]):
        path = root / name
        if data is None:
            path.mkdir(parents=True, exist_ok=True)
        else:
            path.write_bytes(data)


def follow(disk: Disk, calls: Iterable[Call]) -> list[str]:
    """Follow several calls; the lines that were acknowledged among them."""
    lines = []
    for call in calls:
        if call.acknowledged:
            lines.append(call.path)
        else:
            disk.follow(call)
    return lines
