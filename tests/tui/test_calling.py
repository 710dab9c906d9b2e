"""Answers that are ready while the owner looks elsewhere: he is told, if he wants that."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from textual import events
from tui.seats import Terminal, seat

from mrclassic.home import Home

WANTED = {"desktop": True}


@pytest.fixture
def shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the desktop was asked to show, a line an argument."""
    shown = tmp_path / "shown"
    command = tmp_path / "notify-send"
    command.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >> {shown}\n')
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("SSH_CONNECTION", raising=False)
    return shown


async def test_who_looks_elsewhere_is_called_and_goes_on_where_he_was(baby_home: Home, shown: Path) -> None:
    async with seat(baby_home, notify=WANTED) as here:
        await here.ask("hello")
        here.app.post_message(events.AppBlur())
        await here.until(lambda: not here.app.app_focus, "the window to be left")
        assert not shown.exists(), "he was looking"
        await here.screen.action_redraw()
        await here.until(lambda: shown.exists() and shown.read_text().count("\n") == 4, "the call")
        assert shown.read_text().splitlines()[-2:] == ["Mr. Classic: Answers", "5 answers are ready."]
        (shown.parent / "notify-send").write_text("#!/bin/sh\necho 'no bus' >&2\nexit 1\n")
        for _ in range(2):
            await here.screen.action_redraw()
            await here.answered()
        await here.until(lambda: "No desktop notification: no bus." in here.toasts, "why not")
        assert here.toasts.count("no bus") == 1
        here.app.post_message(events.AppFocus())
        await here.until(lambda: here.screen.focused is here.candidates, "the answers")
        await here.pilot.press("1")
        await here.idle()
        assert len(here.texts) == 2


async def test_nobody_is_called_unasked(baby_home: Home, shown: Path) -> None:
    async with seat(baby_home) as here:
        here.app.post_message(events.AppBlur())
        await here.until(lambda: not here.app.app_focus, "the window to be left")
        here.screen.box.put("hello")
        here.screen.box.action_send()
        await here.until(lambda: here.candidates.draw is not None and here.candidates.draw.stored, "the answers")
        await here.idle()
    assert not shown.exists()


def test_over_ssh_the_terminal_rings_and_shows_it(
    baby_home: Home, shown: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSH_CONNECTION", "192.0.2.1 50000 192.0.2.2 22")
    with Terminal(baby_home, chat={"max_tokens": 12}, notify=WANTED) as terminal:
        terminal.paints("1 of 5")  # the tour: the app is open
        terminal.paints("\x07\x1b]9;Mr. Classic: 5 answers are ready.\x07", keys="hello\r\x1b[O")
    assert not shown.exists()
