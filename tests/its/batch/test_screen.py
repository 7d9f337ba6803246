"""The bar on a terminal."""

from __future__ import annotations

import io
import sys

import pytest

from its.batch.screen import Screen


class Terminal(io.StringIO):
    """Looks like a terminal to whoever asks."""

    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    """Districts done of all, and what came of the last; markup in names is text."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with Screen(4) as screen:
        assert screen.shown
        screen.done("north [red]", "passed", "1 plan passed every gate")
    assert "1/4" in terminal.getvalue()
    assert "north [red]: passed" in terminal.getvalue()


def test_elsewhere_there_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    """In a log file a bar is noise."""
    with Screen(4) as screen:
        assert not screen.shown
        screen.done("north", "passed", "")
    assert capsys.readouterr().err == ""
