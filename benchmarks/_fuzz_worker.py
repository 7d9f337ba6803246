"""A process that reads mutated files one by one under limits of time and memory, and says how each ended."""

from __future__ import annotations

import os
import resource
import shutil
import tempfile
import time
import traceback
import warnings
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

from benchmarks._fuzz_mutations import Recipe, mutated
from benchmarks._fuzz_seeds import Files, available
from its.console import BAD_INPUT
from network_data.errors import SignalError

HANG_S = 10.0
"""A file that takes longer hangs. [s]"""
START_S = 120.0
"""A worker that has not started by then is broken. [s]"""
MEMORY_BYTES = 1 << 30
HEADROOM_BYTES = 2 << 30
"""Address space beyond that of the loaded process: who wants more gets a MemoryError, and the machine lives on."""
READ, REFUSED, TRACEBACK, HANG, MEMORY, DIED = "read", "refused", "traceback", "hang", "memory", "died"
BAD = (TRACEBACK, HANG, MEMORY, DIED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How reading a mutated file ended, how long it took, and the most memory the process had meanwhile."""

    outcome: str
    what: str = ""
    wall_s: float = 0.0
    peak_bytes: int = 0


def written(files: Files, folder: Path, *, as_folder: bool) -> Path:
    """Write the files of a format; the path that a reader gets."""
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder if as_folder or not files else folder / next(iter(files))


def serve(connection: Connection) -> None:
    """Read whatever comes over the connection until it closes; a None ends the process."""
    warnings.simplefilter("ignore")
    formats = available()
    sound: dict[str, Files] = {}
    for name, one in formats.items():
        with tempfile.TemporaryDirectory() as folder:
            sound[name] = one.files(Path(folder))
    _limit_memory()
    connection.send(None)
    while (job := connection.recv()) is not None:
        name, recipe = job
        connection.send(_read(name, sound[name], recipe))


def _limit_memory() -> None:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    limit = pages * resource.getpagesize() + HEADROOM_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.getrlimit(resource.RLIMIT_AS)[1]))


def _read(name: str, sound: Files, recipe: Recipe) -> Outcome:
    one = available()[name]
    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    try:
        path = written(mutated(sound, recipe), folder, as_folder=one.folder)
        _reset_peak()
        began_s = time.monotonic()
        outcome, what = READ, ""
        try:
            if one.read(path) == BAD_INPUT:
                outcome = REFUSED
        except (SignalError, OSError):
            outcome = REFUSED
        except MemoryError:
            outcome, what = MEMORY, "wants more memory than the process may have"
        except BaseException as error:  # whatever gets through is what this run looks for
            outcome, what = TRACEBACK, _said(error)
        wall_s, peak_bytes = time.monotonic() - began_s, _peak_bytes()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if outcome in (READ, REFUSED) and peak_bytes > MEMORY_BYTES:
        outcome, what = MEMORY, f"{peak_bytes >> 20} MiB"
    return Outcome(outcome=outcome, what=what, wall_s=wall_s, peak_bytes=peak_bytes)


def _said(error: BaseException) -> str:
    """Kind of error, text, and the innermost line of ours."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [f for f in frames if "site-packages" not in f.filename and "benchmarks/_fuzz" not in f.filename]
    at = f" at {Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else ""
    return f"{type(error).__name__}: {str(error)[:150]}{at}"


def _reset_peak() -> None:
    """Let the kernel count the peak from here on (Linux)."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def _peak_bytes() -> int:
    """The most memory in use since the reset."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) << 10
    return 0


class Worker:
    """A reading process, started anew whenever a file has brought it down."""

    def __init__(self) -> None:
        self._context = get_context("spawn")
        self._start()

    def _start(self) -> None:
        self.connection, theirs = self._context.Pipe()
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        self.process = self._context.Process(target=serve, args=(theirs,), daemon=True)
        self.process.start()
        theirs.close()
        if not self.connection.poll(START_S):
            raise TimeoutError(f"a reading process did not start within {START_S:g} s")
        self.connection.recv()

    def read(self, name: str, recipe: Recipe) -> Outcome:
        """How one file ends; one that hangs gets a second chance alone, as the machine may have been busy."""
        outcome = self._once(name, recipe)
        return self._once(name, recipe) if outcome.outcome == HANG else outcome

    def _once(self, name: str, recipe: Recipe) -> Outcome:
        self.connection.send((name, recipe))
        if not self.connection.poll(HANG_S):
            self.stop()
            self._start()
            return Outcome(outcome=HANG, what=f"longer than {HANG_S:g} s", wall_s=HANG_S)
        try:
            return self.connection.recv()  # type: ignore[no-any-return]
        except EOFError:
            self.process.join()
            code = self.process.exitcode
            self._start()
            return Outcome(outcome=DIED, what=f"the process ended with {code}")

    def stop(self) -> None:
        """End the process."""
        self.connection.close()
        self.process.kill()
        self.process.join()
