"""What the commands say while they work: a progress bar on a terminal, plain log lines elsewhere; and exit codes."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from network_data.errors import InfeasibleError, OutsideProgramError, SignalError

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

DONE, BAD_INPUT, RULES_NOT_MET, OUTSIDE_FAILED, INTERRUPTED = 0, 2, 3, 4, 130
"""Exit codes of the command line."""
WIDEST = 48
"""Most characters of a name in a table."""
QUIET_S = 5.0
"""Least time between two log lines of one stage. [s]"""


def exit_code_of(error: SignalError) -> int:
    """The exit code that an error stands for."""
    if isinstance(error, InfeasibleError):
        return RULES_NOT_MET
    return OUTSIDE_FAILED if isinstance(error, OutsideProgramError) else BAD_INPUT


def guarded(job: Callable[[], int], stream: TextIO | None = None) -> int:
    """Run a job and turn the errors that a user can meet into a text on stderr and an exit code.

    Errors that nobody planned for stay what they are: a traceback is the right thing for a fault of ours.
    """
    out = stream or sys.stderr
    try:
        return job()
    except SignalError as error:
        print(f"error: {error}", file=out)
        return exit_code_of(error)
    except BrokenPipeError:
        raise  # the reader of our output went away: for main() to end quietly
    except OSError as error:
        print(f"error: {error.filename or 'file'}: {error.strerror or error}; check path, rights and space", file=out)
        return BAD_INPUT
    except KeyboardInterrupt:
        print("interrupted", file=out)
        return INTERRUPTED


class StderrLines(logging.Handler):
    """Log records as plain lines on whatever stderr is at the time, so that they go above a bar."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write the message; anything above information says so."""
        prefix = f"{record.levelname.lower()}: " if record.levelno > logging.INFO else ""
        print(f"{prefix}{record.getMessage()}", file=sys.stderr, flush=True)


def log_to_stderr() -> None:
    """Show what our packages log (information and above) and what others warn of."""
    root = logging.getLogger()
    root.addHandler(StderrLines())
    for room in ("network_data", "sim", "optimizer", "its"):
        logging.getLogger(room).setLevel(logging.INFO)


class Stage:
    """One stage of a job; `update` moves its bar or, elsewhere, writes a line every few seconds."""

    def __init__(self, console: Console, name: str, bar: tuple[Progress, TaskID] | None) -> None:
        self._console, self._name, self._bar = console, name, bar
        self._last_s = time.monotonic()

    def update(self, share: float, text: str = "") -> None:
        """Say how far the stage is.

        Parameters
        ----------
        share : float
            Work done, 0 to 1. [-]
        text : str
            What has been reached, e.g. the best delay so far.
        """
        if self._bar is not None:
            progress, task = self._bar
            progress.update(task, completed=share, text=text)
        elif time.monotonic() - self._last_s >= QUIET_S:
            self._last_s = time.monotonic()
            self._console.say(f"{self._name}: {share:4.0%} {text}".rstrip())


class Console:
    """Progress of one job on stderr; `timings_s` keeps the seconds of each stage."""

    def __init__(self, stream: TextIO | None = None, *, quiet: bool = False) -> None:
        self._stream = stream or sys.stderr
        self._quiet = quiet
        self._begin_s = time.monotonic()
        self._progress: Progress | None = None
        self.timings_s: dict[str, float] = {}

    def say(self, text: str) -> None:
        """Write one line, with the seconds since the start in front."""
        if self._quiet:
            return
        line = f"[{time.monotonic() - self._begin_s:6.1f} s] {text}"
        if self._progress is not None:
            self._progress.console.print(line, markup=False, highlight=False)
        else:
            print(line, file=self._stream, flush=True)

    @contextmanager
    def stage(self, name: str) -> Iterator[Stage]:
        """Time a stage and show it; stages of one name add up."""
        begin_s = time.monotonic()
        try:
            if self._stream.isatty() and not self._quiet:
                with self._bars() as progress:
                    yield Stage(self, name, (progress, progress.add_task(name, total=1.0, text="")))
            else:
                yield Stage(self, name, None)
        finally:
            self._progress = None
            spent_s = time.monotonic() - begin_s
            self.timings_s[name] = self.timings_s.get(name, 0.0) + spent_s
        self.say(f"{name}: {spent_s:.1f} s")

    def _bars(self) -> Progress:
        from rich.console import Console as Terminal
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[text]}"),
        )
        self._progress = Progress(*columns, console=Terminal(file=self._stream), transient=True)
        return self._progress


def format_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Columns under their headings, numbers to the right, two spaces between; very long names lose their middle."""
    cells = [[_shortened(str(x)) for x in row] for row in rows]
    widths = [max(len(row[k]) for row in [list(header), *cells]) for k in range(len(header))]
    right = [all(isinstance(row[k], int | float) or _is_number(row[k]) for row in rows) for k in range(len(header))]

    def line(row: Sequence[str]) -> str:
        parts = (x.rjust(w) if r else x.ljust(w) for x, w, r in zip(row, widths, right, strict=True))
        return "  ".join(parts).rstrip()

    return "\n".join([line(header), "  ".join("-" * w for w in widths), *(line(row) for row in cells)])


def _shortened(text: str) -> str:
    """A name of at most `WIDEST` characters: some networks name a signal by all of its nodes."""
    half = WIDEST // 2
    return text if len(text) <= WIDEST or " " in text else f"{text[:half]}…{text[-half + 1 :]}"


def _is_number(value: object) -> bool:
    text = str(value).strip().rstrip("% ").replace(",", "")
    return text in {"", "-", "–"} or text.lstrip("+-−").replace(".", "", 1).isdecimal()
