"""Tells the owner that a night is over: a notification on the desktop, and the facts to an address; each if wanted.

Whatever goes wrong here is one sentence and never the night's concern.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from mrclassic import desktop
from mrclassic.night.report import NightReport, to_json
from mrclassic.settings import Notify

SECONDS = 5.0  # that it may take


def night_over(own: Notify, report: NightReport, say: Callable[[str], None]) -> None:
    """Tell of a night as the settings say."""
    if own.desktop:
        fault = desktop.show(f"Night {report.night}", headline(report))
        if fault:
            say(fault)
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
