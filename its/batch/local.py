"""Districts on this machine's cores: processes that live through many districts, and are replaced when they die."""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess

from its.batch.task import Task
from its.batch.work import Outcome, failure, work
from its.console import OUTSIDE_FAILED

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
"""As workers of a cluster have it: sums in linear algebra then add up in the same order everywhere."""
POLL_S = 0.2
SPAWN = multiprocessing.get_context("spawn")


def run_local(
    tasks: Sequence[Task], *, workers: int, attempts: int, stop: Callable[[], bool] = lambda: False
) -> Iterator[Outcome]:
    """Work on districts, several at a time, each in a process.

    Parameters
    ----------
    workers : int
        Processes.
    attempts : int
        How often a district is begun whose process dies.
    stop : callable
        Where it says so, districts at work are finished and no other is begun.

    Yields
    ------
    Outcome
        In the order in which they are done.
    """
    left: queue.SimpleQueue[Task] = queue.SimpleQueue()
    for task in tasks:
        left.put(task)
    done: queue.SimpleQueue[Outcome | None] = queue.SimpleQueue()
    slots = [_Slot(left, done, attempts, stop) for _ in range(min(workers, len(tasks)))]
    before = {name: os.environ.get(name) for name in ONE_THREAD}
    os.environ.update(ONE_THREAD)  # processes take over what stands there when they begin
    try:
        for slot in slots:
            slot.start()
        at_work = len(slots)
        while at_work:
            with suppress(queue.Empty):
                outcome = done.get(timeout=POLL_S)
                if outcome is None:
                    at_work -= 1
                else:
                    yield outcome
    finally:
        for slot in slots:
            slot.end()
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


class _Slot(threading.Thread):
    """One process after the other, and the district it is at."""

    def __init__(
        self,
        left: queue.SimpleQueue[Task],
        done: queue.SimpleQueue[Outcome | None],
        attempts: int,
        stop: Callable[[], bool],
    ) -> None:
        super().__init__(daemon=True)
        self._left, self._done, self._attempts, self._stopped = left, done, attempts, stop
        self._process: SpawnProcess | None = None
        self._line: Connection | None = None
        self._ended = False

    def run(self) -> None:
        """Take districts until none is left."""
        with suppress(queue.Empty):
            while not self._stopped() and not self._ended:
                self._done.put(self._one(self._left.get_nowait()))
        self._done.put(None)

    def _one(self, task: Task) -> Outcome:
        for _ in range(self._attempts):
            line = self._line_to_process()
            try:
                line.send(task)
                found: Outcome = line.recv()
            except (EOFError, OSError):
                self._process = None
            else:
                return found
            if self._ended:
                break
        what = f"the process that worked on it died {self._attempts} times; is there enough memory?"
        return failure(task, what, OUTSIDE_FAILED)

    def _line_to_process(self) -> Connection:
        if self._line is not None and self._process is not None and self._process.is_alive():
            return self._line
        ours, theirs = SPAWN.Pipe()
        self._process = SPAWN.Process(target=serve, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()  # so that its death ends our reading
        self._line = ours
        return ours

    def end(self) -> None:
        """Break off."""
        self._ended = True
        if self._process is not None and self._process.is_alive():
            self._process.kill()
        if self._line is not None:
            self._line.close()


def serve(line: Connection) -> None:
    """What a process does: a district after the other, until nobody asks for more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that leads
    with suppress(EOFError, OSError):
        while True:
            line.send(work(line.recv()))
