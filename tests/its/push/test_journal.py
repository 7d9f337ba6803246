"""The journal: on the disk before the step, readable after any crash, changed by nobody."""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest import mock

import pytest

from its.push.journal import (
    Journal,
    JournalFullError,
    journal_path,
    last_switches,
    only_push,
    open_journals,
    read_journal,
)
from its.store.times import utc_now
from network_data.errors import InputError


def written(path: Path, *steps: str) -> Journal:
    """A journal with some steps."""
    journal = Journal(path, utc_now)
    for step in steps:
        journal.note(step, "J1", value=1)
    return journal


def test_what_is_noted_is_read(folder: Path) -> None:
    """Steps, controllers and data come back in order; a second opening goes on where the first stopped."""
    path = folder / "a.jsonl"
    written(path, "opened", "writing").close()
    written(path, "back").close()
    assert [(e.n, e.step, e.controller, e.data) for e in read_journal(path)] == [
        (1, "opened", "J1", {"value": 1}),
        (2, "writing", "J1", {"value": 1}),
        (3, "back", "J1", {"value": 1}),
    ]


@pytest.mark.parametrize("cut", [1, 2, 40, 150])
def test_a_line_that_was_cut_short_is_no_line(folder: Path, cut: int) -> None:
    """A crash in the middle of a write leaves the steps before; the next run writes over the rest."""
    path = folder / "a.jsonl"
    written(path, "opened", "writing").close()
    path.write_bytes(path.read_bytes()[:-cut])
    assert [e.step for e in read_journal(path)] == ["opened"]
    written(path, "back").close()
    assert [e.step for e in read_journal(path)] == ["opened", "back"]


def test_a_changed_line_is_found(folder: Path) -> None:
    """Neither content nor order can be changed unseen."""
    path = folder / "a.jsonl"
    written(path, "opened", "writing", "written").close()
    lines = path.read_bytes().splitlines(keepends=True)
    for changed, says in (
        (b"".join([lines[0].replace(b"J1", b"J2"), *lines[1:]]), "line 1 does not have its hash"),
        (b"".join([lines[1], *lines[1:]]), "line 1 does not follow"),
        (b"".join([b"nonsense\n", *lines]), "line 1 is no line"),
    ):
        path.write_bytes(changed)
        with pytest.raises(InputError, match=says):
            read_journal(path)


def test_open_journals_and_last_switches(folder: Path) -> None:
    """What has no last word is open; the newest command to each controller is known, closed or not."""
    first, second = written(folder / "1.jsonl", "opened", "switching", "closed"), written(folder / "2.jsonl", "opened")
    second.note("switching", "J2")
    for journal in (first, second):
        journal.close()
    assert open_journals(folder) == [folder / "2.jsonl"]
    assert set(last_switches(folder)) == {"J1", "J2"}
    assert utc_now() - last_switches(folder)["J1"] < timedelta(minutes=1)
    assert open_journals(folder / "none") == []


def test_times_are_utc(folder: Path) -> None:
    """Over a clock change as on any day."""
    moment = datetime(2026, 10, 25, 0, 59, tzinfo=UTC)
    journal = Journal(folder / "a.jsonl", lambda: moment)
    journal.note("opened")
    journal.close()
    assert read_journal(folder / "a.jsonl")[0].at_utc == moment


def test_a_full_disk_stops_what_goes_forward(folder: Path) -> None:
    """The reserve is given up: steps back are still written, nothing new is begun, and no half line stays."""
    journal = written(folder / "a.jsonl", "opened", "kept")
    reserve = folder / "a.reserve"
    write = os.write

    def full(handle: int, data: bytes) -> int:
        if reserve.exists():
            write(handle, data[:10])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(handle, data)

    with mock.patch.object(os, "write", full):
        with pytest.raises(JournalFullError, match="No space left"):
            journal.note("writing", "J1")
        with pytest.raises(JournalFullError, match="disk is full"):
            journal.note("switching", "J1")
        journal.note("going back", "J1", back=True)
    journal.close()
    assert [e.step for e in read_journal(folder / "a.jsonl")] == ["opened", "kept", "going back"]


def test_a_disk_that_is_really_full(folder: Path) -> None:
    """On a file system of 1 MiB (where one may be mounted): no line is lost or cut."""
    if (
        os.geteuid() != 0
        or subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], capture_output=True
        ).returncode
    ):
        pytest.skip("no right to mount a small file system")
    try:
        journal = written(folder / "a.jsonl", "opened")
        (folder / "filler").write_bytes(b"x" * 400_000)
        n = 1
        while not journal.short:
            with contextlib.suppress(JournalFullError):
                journal.note("kept", "J1", change="x" * 20_000)
                n += 1
        journal.note("going back", "J1", back=True)
        journal.close()
        assert [e.step for e in read_journal(folder / "a.jsonl")] == ["opened", *["kept"] * (n - 1), "going back"]
        assert 5 < n < 50
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_journal_that_cannot_be_made(folder: Path) -> None:
    """No room for the reserve: the push does not begin."""
    with (
        mock.patch.object(os, "posix_fallocate", side_effect=OSError(errno.ENOSPC, "No space left on device")),
        pytest.raises(JournalFullError, match="No space left"),
    ):
        Journal(folder / "a.jsonl", utc_now)


def test_one_push_at_a_time(folder: Path) -> None:
    """A second process is told who is at work; after a kill the lock is free."""
    code = (
        "import time\nfrom pathlib import Path\nfrom its.push.journal import only_push\n"
        f"with only_push(Path({str(folder)!r})):\n    print('in', flush=True)\n    time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "in\n"
    with pytest.raises(InputError, match=f"process {process.pid}"), only_push(folder):
        pass
    process.kill()
    process.wait()
    process.stdout.close()
    with only_push(folder):
        pass


def test_corridors_with_odd_names_have_files_of_their_own(folder: Path) -> None:
    """Names that differ in odd letters only do not share a journal."""
    paths = {journal_path(folder, "p", name) for name in ("a/b", "a b", "a.b", "../a", "a" * 500)}
    assert len(paths) == 5
    assert all(path.parent == folder for path in paths)
