"""The disk that power cuts are tried on: what is synced is there, what is not may be, and nothing else is."""

from __future__ import annotations

import os
import random
import tempfile
from pathlib import Path

import pytest
from campaigns.disk import SECTOR, Disk, Loss, lay_out
from campaigns.shim import Call
from hypothesis import given, settings
from hypothesis import strategies as st

NAMES = ("a", "b", "c")
ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(("write", "truncate", "rename", "unlink", "mkdir", "fsync", "fsync folder")),
        st.sampled_from(NAMES),
        st.sampled_from(NAMES),
        st.integers(0, 3 * SECTOR),
    ),
    max_size=30,
)


class Hands:
    """Acts on real files below `root`, and tells a `Disk` what the shim would have."""

    def __init__(self, root: Path) -> None:
        self.root, self.disk = root, Disk(root)
        self.inodes: dict[Path, int] = {}

    def tell(self, kind: str, path: Path, other: Path | str = "", offset: int = 0, data: bytes = b"") -> None:
        inode = (Path(other) if kind == "rename" else path).stat().st_ino if kind != "unlink" else 0
        self.disk.follow(Call(kind, inode, offset, str(path), str(other), data))

    def act(self, action: str, name: str, other: str, number: int) -> None:
        path, target = self.root / name, self.root / other
        if action == "write":
            if path.is_dir():
                return
            if not path.exists():
                path.touch()
                self.tell("create", path)
            data = bytes([number % 250 + 1]) * (number + 1)
            with path.open("r+b") as file:
                file.seek(number // 2)
                file.write(data)
            self.tell("pwrite", path, offset=number // 2, data=data)
        elif action == "mkdir" and not path.exists():
            path.mkdir()
            self.tell("mkdir", path)
        elif action == "fsync folder":
            self.tell("fsync", self.root)
        elif path.is_file():
            if action == "truncate":
                os.truncate(path, number)
                self.tell("truncate", path, offset=number)
            elif action == "rename" and not target.is_dir() and name != other:
                path.rename(target)
                self.tell("rename", path, target)
            elif action == "unlink":
                path.unlink()
                self.tell("unlink", path)
            elif action == "fsync":
                self.tell("fsync", path)

    def real(self) -> dict[str, bytes | None]:
        return {path.name: None if path.is_dir() else path.read_bytes() for path in self.root.iterdir()}


@settings(max_examples=60, deadline=None)
@given(actions=ACTIONS, seed=st.integers(0, 99))
def test_what_is_left(actions: list[tuple[str, str, str, int]], seed: int) -> None:
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        hands = Hands(Path(folder))
        for action in actions:
            hands.act(*action)
            assert hands.disk.left("none", rng) == hands.real()
        for loss in ("all", "some", "torn"):
            assert set(hands.disk.left(loss, rng)) <= set(NAMES)
        for path in Path(folder).iterdir():
            hands.tell("fsync", path)
        hands.tell("fsync", Path(folder))
        for loss in ("none", "all", "some", "torn"):
            assert hands.disk.left(loss, rng) == hands.real(), "all of it was synced"


@pytest.mark.parametrize("loss", ["all", "some", "torn"])
def test_what_was_not_synced_may_be_gone(loss: Loss, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")
    hands = Hands(tmp_path)
    hands.act("write", "b", "", 2 * SECTOR)
    hands.act("rename", "b", "a", 0)
    rng = random.Random(0)
    seen = {tuple(sorted(hands.disk.left(loss, rng).items())) for _ in range(50)}
    assert (("a", b"old"),) in seen
    if loss != "all":
        assert (("a", b""),) in seen, "the name came through, the data did not"
        assert tuple(hands.real().items()) in seen or loss == "torn"
    if loss == "torn":
        assert len(seen) > 6, "a write of three sectors comes in parts"


def test_a_disk_is_laid_out(tmp_path: Path) -> None:
    left = {"d": None, "d/e": None, "d/e/f": b"x", "g": b""}
    lay_out(left, tmp_path / "root")
    assert (tmp_path / "root" / "d" / "e" / "f").read_bytes() == b"x"
    assert (tmp_path / "root" / "g").read_bytes() == b""
