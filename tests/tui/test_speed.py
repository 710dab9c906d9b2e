"""How it feels: milliseconds from a key to the screen, through a real terminal, with the real model at work beside it.

    pytest tests/tui/test_speed.py -s

The bounds are generous, for busy machines; the figures are printed.
"""

from __future__ import annotations

import sys
from statistics import median, quantiles

import pytest
from tui.seats import Terminal

from mrclassic.home import Home

pytestmark = [pytest.mark.slow, pytest.mark.alone]

PAUSE = 0.03
"""Seconds between two keys: a very fast typist's."""
DONE = r"Which one\?"
ASKING = r"To Mr\. Classic"
"""The box is for the next message again."""
ANSWERED = r"mMr\. Classic(?! is)"
"""The name above an answer in the history; not the status line."""
SIGNS = "αβγδεζηθικλμνξοπρστυφχψω"
"""Typed to be measured: letters that a model trained on English does not write."""


def _figures(what: str, seconds: list[float]) -> tuple[float, float]:
    """Median and 95th percentile in milliseconds, printed."""
    middle, late = 1000 * median(seconds), 1000 * quantiles(seconds, n=20, method="inclusive")[-1]
    sys.stdout.write(f"{what:<28} median {middle:6.1f} ms   p95 {late:6.1f} ms   ({len(seconds)} keys)\n")
    return middle, late


def _type(terminal: Terminal, signs: str) -> list[float]:
    """Key to paint for each sign."""
    taken = []
    for sign in signs:
        taken.append(terminal.paints(sign, keys=sign))
        terminal.rest(PAUSE)
    return taken


def _type_while_answers_stream(terminal: Terminal) -> list[float]:
    """Send what is in the box, and type an answer of one's own until the candidates are there."""
    place = len(terminal.seen)
    # Whoever types on at once keeps the box; otherwise the candidates would get the keys.
    terminal.paints("writing…", keys="\rω")
    taken: list[float] = []
    for sign in SIGNS:
        painted = terminal.paints(sign, keys=sign)
        if terminal.shows(DONE, place):
            break
        taken.append(painted)
        terminal.rest(PAUSE)
    terminal.until(lambda: terminal.shows(DONE, place))
    return taken


def test_it_feels_instant_while_the_model_writes(sleeping_home: Home) -> None:
    with Terminal(sleeping_home) as terminal:
        opened = terminal.paints("nter sends")
        sys.stdout.write(f"\n{'start to first paint':<28}        {1000 * opened:6.0f} ms\n")
        typed = _type(terminal, SIGNS)
        _figures("typing, the model starting", typed)
        terminal.until(lambda: b"is awake" in terminal.seen)
        terminal.rest(1.0)
        idle = _figures("typing, the model idle", _type(terminal, SIGNS * 2))

        streaming: list[float] = []
        for _ in range(6):
            streaming += _type_while_answers_stream(terminal)
            # What was typed is taken as the answer; then the next message.
            terminal.paints(ASKING, keys="\r")
            _type(terminal, "ψω")
        busy = _figures("typing, five answers stream", streaming)

        picks: list[float] = []
        while len(picks) < 5:
            _type(terminal, "ψω")
            terminal.paints(DONE, keys="\r")
            terminal.rest(0.3)
            # A random model may say nothing, which is not to be picked.
            place = len(terminal.seen)
            picked = terminal.paints(f"{ANSWERED}|says nothing", keys="2")
            if terminal.shows("says nothing", place):
                terminal.paints(ASKING, keys="s")
                continue
            picks.append(picked)
            terminal.rest(0.3)
        pick = _figures("pick", picks)
        terminal.write(b"\x1b[21~")  # F10
        terminal.until(lambda: terminal.child.poll() is not None)

    assert opened < 10
    assert len(streaming) >= 20
    for middle, late in (idle, busy):
        assert middle < 50
        assert late < 250
    assert pick[0] < 250
