"""The journal: one line per step, on the disk before the step is taken, so that a killed run can be brought to an end.

A file per corridor and push, JSON lines, each with the hash of the line before. A last line that was cut short by a
crash or a full disk is no line. A reserve is kept on the disk: when it is full, steps back can still be written.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from network_data.errors import InputError, SignalError

START = "0" * 64
RESERVE_BYTES = 256 << 10
"""Room for the steps back when the disk is full."""
RECENT_S = 172_800.0
"""Older journals say nothing about the time since the last change. [s]"""
TAIL_BYTES = 4096
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class JournalFullError(SignalError):
    """A step could not be written down, so it is not taken."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a journal."""

    n: int
    at_utc: datetime
    step: str
    controller: str
    data: dict[str, Any]


class Journal:
    """A journal that is being written. `note` returns when the line is on the disk."""

    def __init__(self, path: Path, clock: Callable[[], datetime]) -> None:
        self.path, self._clock = path, clock
        self.short = False
        """Whether the disk was full: then only steps back are taken."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._reserve = path.with_suffix(".reserve")
        entries, good_bytes, self._hash = _read(path) if path.exists() else ([], 0, START)
        self._n = len(entries)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.ftruncate(self._file, good_bytes)
            self._keep_reserve()
            _sync_folder(path.parent)
        except OSError as error:
            os.close(self._file)
            raise _full(path, error) from None

    def note(self, step: str, controller: str = "", *, back: bool = False, **data: Any) -> None:
        """Write a step down before it is taken, or what came of it after.

        Parameters
        ----------
        step : str
            Its name.
        controller : str
            Which one; empty for the corridor.
        back : bool
            A step back, or the last word: allowed on a full disk.
        data
            What is needed to resume.

        Raises
        ------
        JournalFullError
            It cannot be written down.
        """
        if self.short and not back:
            raise JournalFullError(f"{self.path}: the disk is full; nothing more is sent")
        content = {
            "n": self._n + 1,
            "at_utc": self._clock().astimezone(UTC).isoformat(),
            "step": step,
            "controller": controller,
            "data": data,
            "previous": self._hash,
        }
        text = json.dumps(content, sort_keys=True, ensure_ascii=False)
        digest = hashlib.sha256(text.encode()).hexdigest()
        line = f'{{"hash": "{digest}", "line": {text}}}\n'.encode()
        try:
            self._write(line)
        except OSError as error:
            if error.errno not in FULL or self.short:
                raise _full(self.path, error) from None
            self.short = True
            self._reserve.unlink(missing_ok=True)
            if not back:
                raise _full(self.path, error) from None
            try:
                self._write(line)
            except OSError as again:
                raise _full(self.path, again) from None
        self._n, self._hash = self._n + 1, digest

    def close(self) -> None:
        """Close the file; the reserve is given back."""
        os.close(self._file)
        self._reserve.unlink(missing_ok=True)

    def _write(self, line: bytes) -> None:
        size = os.fstat(self._file).st_size
        try:
            written = 0
            while written < len(line):
                written += os.write(self._file, line[written:])
            os.fsync(self._file)
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, size)
            raise

    def _keep_reserve(self) -> None:
        handle = os.open(self._reserve, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            os.posix_fallocate(handle, 0, RESERVE_BYTES)
        finally:
            os.close(handle)


def read_journal(path: Path) -> list[Entry]:
    """The lines of a journal; a cut last one is left out.

    Raises
    ------
    InputError
        A line in the middle was changed.
    """
    return _read(path)[0]


def journal_path(folder: Path, push_id: str, corridor: str) -> Path:
    """The file of a corridor in a push; the corridor's hash keeps odd names apart."""
    plain = re.sub(r"[^A-Za-z0-9_-]+", "-", corridor)[:40]
    return folder / f"{push_id}.{plain}.{hashlib.sha256(corridor.encode()).hexdigest()[:8]}.jsonl"


def open_journals(folder: Path) -> list[Path]:
    """Journals without a last word: their push was killed, or ended with a controller in an unknown state."""
    if not folder.is_dir():
        return []
    return [path for path in sorted(folder.glob("*.jsonl")) if not _is_closed(path) and read_journal(path)]


def _is_closed(path: Path) -> bool:
    """Whether the last line is the last word; only the end of the file is looked at."""
    with path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - TAIL_BYTES))
        lines = stream.read().splitlines(keepends=True)
    try:
        return bool(lines) and lines[-1].endswith(b"\n") and json.loads(lines[-1])["line"]["step"] == "closed"
    except (ValueError, KeyError, TypeError):
        return False


def last_switches(folder: Path) -> dict[str, datetime]:
    """Controller → when a push of the last two days last changed its pattern, or may have."""
    out: dict[str, datetime] = {}
    for path in sorted(folder.glob("*.jsonl")) if folder.is_dir() else []:
        if time.time() - path.stat().st_mtime > RECENT_S:
            continue
        for entry in read_journal(path):
            if entry.step == "switching" and entry.data.get("now", True):
                out[entry.controller] = max(entry.at_utc, out.get(entry.controller, entry.at_utc))
    return out


@contextlib.contextmanager
def only_push(folder: Path) -> Iterator[None]:
    """One push at a time over the journals of a folder.

    Raises
    ------
    InputError
        Another process pushes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("a+", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise InputError(
                str(folder), f"another push is at work here (process {lock.read().strip()}); wait for its end"
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def _read(path: Path) -> tuple[list[Entry], int, str]:
    """Lines, bytes of the good ones, hash of the last."""
    content = path.read_bytes()
    entries: list[Entry] = []
    good_bytes, digest = 0, START
    lines = content.split(b"\n")
    for number, raw in enumerate(lines[:-1]):
        fault, line = _checked(raw, digest)
        if line is None:
            if number == len(lines) - 2 and not lines[-1]:
                break  # cut short by a crash in the middle of the last line
            raise InputError(str(path), f"line {number + 1} {fault}; the journal was changed, look at the controllers")
        digest = hashlib.sha256(_text_of(raw)).hexdigest()
        good_bytes += len(raw) + 1
        at_utc = datetime.fromisoformat(line["at_utc"])
        entries.append(Entry(line["n"], at_utc, line["step"], line["controller"], line["data"]))
    return entries, good_bytes, digest


def _text_of(raw: bytes) -> bytes:
    """The part of a line that is hashed."""
    start = raw.find(b'"line": ')
    return raw[start + len(b'"line": ') : -1]


def _checked(raw: bytes, previous: str) -> tuple[str, Mapping[str, Any] | None]:
    try:
        content = json.loads(raw)
        line = content["line"]
    except (ValueError, KeyError, TypeError):
        return "is no line of a journal", None
    if content["hash"] != hashlib.sha256(_text_of(raw)).hexdigest():
        return "does not have its hash", None
    if line["previous"] != previous:
        return "does not follow the one before", None
    return "", line


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _full(path: Path, error: OSError) -> JournalFullError:
    return JournalFullError(f"{path}: {error.strerror}; a step that cannot be written down is not taken")
