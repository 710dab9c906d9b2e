"""What the service tells systemd, received by a real datagram socket, by path and in the abstract namespace."""

from __future__ import annotations

import os
import signal
import socket
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from daemon.services import Services

from mrclassic.daemon.systemd import Manager
from mrclassic.home import Home


@pytest.fixture(params=["path", "abstract"])
def listener(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, socket.socket]]:
    if request.param == "abstract" and sys.platform != "linux":
        pytest.skip("only Linux has abstract sockets")
    name = f"@mrclassic-{uuid.uuid4()}" if request.param == "abstract" else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind("\0" + name[1:] if name.startswith("@") else name)
        heard.settimeout(10)
        yield name, heard


def everything(heard: socket.socket) -> list[str]:
    heard.settimeout(0.2)
    lines = []
    while True:
        try:
            lines.append(heard.recv(4096).decode())
        except TimeoutError:
            return lines


def test_the_protocol(listener: tuple[str, socket.socket]) -> None:
    name, heard = listener
    environment = {"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "200000", "WATCHDOG_PID": str(os.getpid()), "PATH": "/bin"}
    manager = Manager(environment)
    assert environment == {"PATH": "/bin"}  # nights must not speak for the service
    manager.ready()
    manager.status("Next night\ntomorrow")
    manager.status("Next night\ntomorrow")
    manager.alive()
    manager.alive()  # at once again: nothing new
    manager.stopping()
    assert everything(heard) == ["READY=1", "STATUS=Next night tomorrow", "WATCHDOG=1", "STOPPING=1"]


def test_a_watchdog_meant_for_another_process_is_not_fed(listener: tuple[str, socket.socket]) -> None:
    name, heard = listener
    Manager({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "200000", "WATCHDOG_PID": "1"}).alive()
    Manager({"NOTIFY_SOCKET": name}).alive()
    assert everything(heard) == []


@pytest.mark.parametrize("name", ["", "/nobody/listens", "vsock:2:1234", "@nobody-listens-here"])
def test_without_somebody_who_listens_nothing_happens(name: str) -> None:
    manager = Manager({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "1000000"})
    manager.ready()
    manager.alive()
    manager.stopping()


def test_the_service_says_when_it_is_ready_alive_and_stopping(
    services: Services, home: Home, listener: tuple[str, socket.socket]
) -> None:
    name, heard = listener
    environment = {**os.environ, "NOTIFY_SOCKET": name, "WATCHDOG_USEC": "200000"}
    service = services.start(environment=environment)
    said = []
    while said.count("WATCHDOG=1") < 4:
        said.append(heard.recv(4096).decode())
    assert said.count("READY=1") == 1
    assert any(line.startswith("STATUS=The next night starts ") for line in said)
    service.send_signal(signal.SIGSTOP)  # a loop that stands still feeds nobody
    everything(heard)
    assert everything(heard) == []
    service.send_signal(signal.SIGCONT)
    service.terminate()
    assert service.wait(10) == 0
    assert "STOPPING=1" in everything(heard)
