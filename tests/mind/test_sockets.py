"""Socket addresses for paths of any length, open to their owner only."""

import socket
import stat
from pathlib import Path

import pytest

from mrclassic.mind.sockets import address, bind, listening


@pytest.mark.parametrize("folder", ["short", "x" * 90 + "/" + "y" * 120])
def test_a_socket_answers_at_any_path(tmp_path: Path, folder: str) -> None:
    path = tmp_path / folder / "mind.sock"
    path.parent.mkdir(parents=True)
    assert not listening(path)
    with bind(path):
        assert listening(path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        with socket.socket(socket.AF_UNIX) as client, address(path) as where:
            client.connect(where)
    assert not listening(path)


def test_a_dead_socket_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "mind.sock"
    bind(path).close()
    assert path.exists()
    with bind(path):
        assert listening(path)


def test_no_file_descriptors_are_left(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 120) / "mind.sock"
    path.parent.mkdir()
    listening(path)  # whatever is opened once for good, is open now
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        listening(path)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
