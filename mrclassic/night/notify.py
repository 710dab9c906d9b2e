"""Tells the owner that a night is over: a notification on the desktop, and the facts to an address; each if wanted.

Whatever goes wrong here is one sentence and never the night's concern.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mrclassic.night.report import NightReport, to_json
from mrclassic.settings import Notify

SECONDS = 5.0  # that either may take


def night_over(own: Notify, report: NightReport, say: Callable[[str], None]) -> None:
    """Tell of a night as the settings say."""
    if own.desktop:
        _desktop(f"Night {report.night}", headline(report), say)
    if own.webhook:
        post(own.webhook, to_json(report), say)


def headline(report: NightReport) -> str:
    """The night in one sentence."""
    if report.promoted:
        suites = report.gate.suites if report.gate else ()
        gained = [suite for suite in suites if suite.kind == "target" and suite.passed]
        words = ", ".join(f"{suite.name} {suite.parent:.0%} -> {suite.child:.0%}" for suite in gained[:3])
        return f"A new model is in use: {words}." if words else "A new model is in use."
    reason = report.gate.reasons[0].rstrip(".") if report.gate and report.gate.reasons else "nothing was judged"
    return f"The model in use stays: {reason}."


def post(url: str, facts: Mapping[str, Any], say: Callable[[str], None]) -> None:
    """Send `facts` as JSON, once; an answer of 300 and above is a failure, for nobody follows it elsewhere."""
    import httpx

    body = json.dumps(facts, ensure_ascii=False).encode("utf-8", "backslashreplace")
    try:
        answer = httpx.post(url, content=body, headers={"Content-Type": "application/json"}, timeout=SECONDS)
        if not answer.is_success:
            say(f"The webhook (notify.webhook) answered {answer.status_code}.")
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        say(f"The webhook (notify.webhook) could not be told: {error or type(error).__name__}.")


def _desktop(title: str, words: str, say: Callable[[str], None]) -> None:
    command = _command(title, words)
    if command is None:
        say("No desktop notification: neither notify-send nor osascript is there (notify.desktop).")
        return
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
        if done.returncode:
            say(f"No desktop notification: {done.stderr.strip() or f'exit code {done.returncode}'}.")
    except (OSError, subprocess.TimeoutExpired) as error:
        say(f"No desktop notification: {error}.")


def _command(title: str, words: str) -> Sequence[str] | None:
    """What shows a notification here; the words are arguments, never a part of a script."""
    if sys.platform == "darwin" and shutil.which("osascript"):
        script = "on run words\ndisplay notification (item 2 of words) with title (item 1 of words)\nend run"
        return ["osascript", "-e", script, f"Mr. Classic: {title}", words]
    if shutil.which("notify-send"):
        return ["notify-send", "--app-name=Mr. Classic", "--", f"Mr. Classic: {title}", words]
    return None
