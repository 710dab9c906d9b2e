"""A service for each test that asks for one, and nothing of it left afterwards."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator

import pytest
from daemon.services import Services, gone

from mrclassic.daemon import status
from mrclassic.home import Home


@pytest.fixture
def services(home: Home) -> Iterator[Services]:
    found = Services(home)
    yield found
    for process in found.started:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
        process.communicate()
    night = status.last_words(home).night
    if night is not None and not gone(night.pid):
        os.killpg(night.pid, signal.SIGKILL)
