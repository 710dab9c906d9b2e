"""Serves the judge on a socket, for processes that cannot make a sandbox themselves (see `elsewhere`)."""

from __future__ import annotations

import select
import socket
import threading

from mrclassic.sandbox import backends
from mrclassic.sandbox.elsewhere import answer
from mrclassic.sandbox.judge import Judge

_HEAR_SECONDS = 30.0  # for somebody who has connected to say what is to be judged, and to read what was


def serve(listener: socket.socket, ended: int) -> None:
    """Answer on `listener` until the descriptor `ended` can be read; raises NoSandbox where nothing can be judged.

    Meant for a process that then ends: what is under way ends with it, and so do its sandboxes.
    """
    backends.choose()
    judge = Judge()
    while ended not in select.select([listener.fileno(), ended], [], [])[0]:
        try:
            connection, _ = listener.accept()
        except OSError:  # gone again already, or no descriptor left for it
            continue
        connection.settimeout(_HEAR_SECONDS)
        threading.Thread(target=_answer, args=(connection, judge), daemon=True).start()


def _answer(connection: socket.socket, judge: Judge) -> None:
    try:
        answer(connection, judge.as_they_come)
    except (OSError, ValueError):
        return  # whoever it was has hung up, or babbles: nobody waits for a verdict
