"""A notification on the owner's desktop. Whatever goes wrong is one sentence, and nobody else's concern."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence

SECONDS = 5.0  # that it may take


def show(title: str, words: str) -> str:
    """Show it; returns why it cannot be shown, mostly nothing."""
    command = _command(title, words)
    if command is None:
        return "No desktop notification: neither notify-send nor osascript is there (notify.desktop)."
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"No desktop notification: {error}."
    return (
        f"No desktop notification: {done.stderr.strip() or f'exit code {done.returncode}'}." if done.returncode else ""
    )


def _command(title: str, words: str) -> Sequence[str] | None:
    """What shows a notification here; the words are arguments, never a part of a script."""
    if sys.platform == "darwin" and shutil.which("osascript"):
        script = "on run words\ndisplay notification (item 2 of words) with title (item 1 of words)\nend run"
        return ["osascript", "-e", script, f"Mr. Classic: {title}", words]
    if shutil.which("notify-send"):
        return ["notify-send", "--app-name=Mr. Classic", "--", f"Mr. Classic: {title}", words]
    return None
