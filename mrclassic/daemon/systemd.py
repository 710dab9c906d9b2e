"""What a service tells systemd: datagrams of `NAME=value` lines to the socket that `$NOTIFY_SOCKET` names.

The protocol is that of sd_notify(3); without such a variable nothing is sent, so the service need not know who
started it.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import MutableMapping

_SECONDS = 1.0  # a manager that does not read must not hold up the service


class Manager:
    """Whoever started the service and wants to know how it is.

    The variables are taken out of `environment`: they are meant for this process, not for the nights that it starts.
    """

    def __init__(self, environment: MutableMapping[str, str] = os.environ) -> None:
        name = environment.pop("NOTIFY_SOCKET", "")
        wait, pid = environment.pop("WATCHDOG_USEC", ""), environment.pop("WATCHDOG_PID", "")
        # @ stands for the zero byte of the abstract namespace; of other kinds of address we know none.
        self._address = "\0" + name[1:] if name.startswith("@") else name if name.startswith("/") else ""
        ours = not pid or pid == str(os.getpid())
        # Twice in the time after which it would be held for dead.
        self._every = int(wait) / 2e6 if wait.isdigit() and ours else 0.0
        self._pinged = float("-inf")
        self._status = ""

    def ready(self) -> None:
        """The service does its work from now on."""
        self._tell("READY=1")

    def status(self, sentence: str) -> None:
        """What it does now; the same again is not sent."""
        if sentence != self._status:
            self._status = sentence
            self._tell("STATUS=" + " ".join(sentence.split()))

    def alive(self) -> None:
        """To be called by the loop that works, so that a loop that hangs is noticed."""
        if self._every and time.monotonic() - self._pinged >= self._every:
            self._pinged = time.monotonic()
            self._tell("WATCHDOG=1")

    def stopping(self) -> None:
        """It is ending."""
        self._tell("STOPPING=1")

    def _tell(self, line: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
                out.settimeout(_SECONDS)
                out.sendto(line.encode(), self._address)
        except OSError:
            return  # nobody reads any more; what the service is there for goes on
