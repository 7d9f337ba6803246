"""Ctrl-C and SIGTERM as a request to come to an end: the first asks, the second breaks off."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)
SIGNALLED = 128
"""Exit codes of processes that a signal ended: this and the signal's number, as shells have it."""


@dataclass
class Interruption:
    """Whether, and by which signal, the work was asked to end."""

    by: signal.Signals | None = None

    def asked(self) -> bool:
        """Whether to come to an end."""
        return self.by is not None

    @property
    def name(self) -> str | None:
        """Name of the signal; None where nobody asked."""
        return self.by.name if self.by is not None else None

    @property
    def exit_code(self) -> int:
        """130 after SIGINT, 143 after SIGTERM, 0 where nobody asked."""
        return SIGNALLED + self.by if self.by is not None else 0


@contextmanager
def listening(say: Callable[[str], None]) -> Iterator[Interruption]:
    """Take the first SIGINT or SIGTERM as a request, the second as the end (KeyboardInterrupt).

    Outside the main thread, where Python takes no signals, nothing changes.
    """
    state = Interruption()
    if threading.current_thread() is not threading.main_thread():
        yield state
        return

    def take(number: int, _frame: FrameType | None) -> None:
        if state.by is not None:
            raise KeyboardInterrupt
        state.by = signal.Signals(number)
        say(f"{state.by.name}: ending with the best plan so far; once more breaks off without one")

    before = {one: signal.signal(one, take) for one in SIGNALS}
    try:
        yield state
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
