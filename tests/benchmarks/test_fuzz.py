"""The fuzz run: the same files at every run, sound files are read, and a small slice of the whole finds nothing."""

from __future__ import annotations

import gzip
import time
from pathlib import Path

import pytest

from benchmarks import fuzz
from benchmarks._fuzz_mutations import OPERATIONS, SPAN, mutated, recipes
from benchmarks._fuzz_seeds import Format, available
from benchmarks._fuzz_worker import BAD, HANG, READ, REFUSED, TRACEBACK, Worker, _read, written
from network_data.errors import InputError

WANTED = {
    "SUMO network", "SUMO programs, WAUT", "SUMO loops E1, E2, E3", "SALT", "GMNS", "UTDF", "UTDF volumes",
    "controller events", "Korean turns, by lane", "Korean inventory", "plan.json", "counts", "detectors", "turns",
}  # fmt: skip


# osm2gmns takes seconds to start, and the reader has its own tests
@pytest.mark.parametrize("name", [name for name in available() if name != "OpenStreetMap"])
def test_sound_files_are_read(name: str, tmp_path: Path) -> None:
    """What is not mutated passes its reader: the run starts from files that get far."""
    one = available()[name]
    (tmp_path / "made").mkdir()
    (tmp_path / "read").mkdir()
    path = written(one.files(tmp_path / "made"), tmp_path / "read", as_folder=one.folder)
    assert one.read(path) != 2


def test_every_format_is_there() -> None:
    """Those of the table in docs/formats.md, and what goes with them."""
    assert set(available()) >= WANTED


def test_the_draw_is_the_same_at_every_run() -> None:
    """Fixed seeds: the same recipes again, others for another format."""
    assert recipes("SALT", 30) == recipes("SALT", 30) != recipes("GMNS", 30)
    assert len(recipes("SALT", 30)) == 30


def test_every_operation_takes_any_bytes() -> None:
    """Empty files, ends of files, no text: all that is drawn can be applied, and none does nothing throughout."""
    text = b'<a b="1" c="x"/><d e="2.5"/>\n7,8,9\nq,w,e\n'
    for n, operation in enumerate(OPERATIONS):
        changed = {operation(text, a, b, c) for a in (0, 30_000, SPAN - 1) for b in (0, 5, SPAN - 1) for c in (0, 3)}
        assert changed - {text}, n
        for data in (b"", b"\xff", b"\n"):
            assert isinstance(operation(data, SPAN - 1, SPAN - 1, SPAN - 1), bytes)


def test_a_bomb_is_a_bomb() -> None:
    """Packed it is small, unpacked beyond what the ratio allows."""
    packed = OPERATIONS[-1](b"x", 0, 0, 0)
    assert len(packed) < 1_000_000
    assert len(gzip.decompress(packed)) > 32 << 20


def test_numbers_add_up() -> None:
    """The shares of the formats make the whole; the slow one has fewer."""
    numbers = fuzz.numbers_of(10_000, list(available()))
    assert sum(numbers.values()) == 10_000
    assert min(numbers, key=lambda name: numbers[name]) == "OpenStreetMap" or "OpenStreetMap" not in numbers


def test_outcomes_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of ours is a refusal; any other gets through and is named with its line."""

    def refuse(path: Path) -> None:
        raise InputError(str(path), "no")

    def fail(path: Path) -> None:
        raise IndexError("tuple index out of range")

    readers = {"ours": refuse, "theirs": fail, "fine": lambda path: path.read_bytes()}
    made = {name: Format(name=name, files=lambda _: {"x": b"1"}, read=reader) for name, reader in readers.items()}
    monkeypatch.setattr("benchmarks._fuzz_worker.available", lambda: made)
    # the limit is for a worker's process; this one runs other tests too, and its peak is theirs
    monkeypatch.setattr("benchmarks._fuzz_worker.MEMORY_BYTES", 1 << 40)
    ended = {name: _read(name, {"x": b"1"}, ((0, 0, 0, 0),)) for name in made}
    assert {name: one.outcome for name, one in ended.items()} == {"ours": REFUSED, "theirs": TRACEBACK, "fine": READ}
    assert ended["theirs"].what.startswith("IndexError: tuple index out of range at test_fuzz.py:")
    assert ended["fine"].peak_bytes > 0


def test_recipes_touch_files_of_a_folder() -> None:
    """Each step changes one file, chosen by its third number."""
    files = {"a": b"1,2,3", "b": b"4,5,6"}
    assert mutated(files, ((2, 0, 1, 1),))["a"] == files["a"]
    assert mutated(files, ((2, 0, 1, 1),))["b"] != files["b"]


@pytest.mark.slow
def test_a_file_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the limit the process is ended, tried once more, and another one reads on."""
    monkeypatch.setattr("benchmarks._fuzz_worker.HANG_S", 0.0)
    worker = Worker()
    try:
        began_s = time.monotonic()
        outcome = worker.read("SUMO network", recipes("SUMO network", 1)[0])
        assert outcome.outcome == HANG
        assert time.monotonic() - began_s < 120
        monkeypatch.setattr("benchmarks._fuzz_worker.HANG_S", 60.0)
        assert worker.read("turns", recipes("turns", 1)[0]).outcome in (READ, REFUSED)
    finally:
        worker.stop()


@pytest.mark.slow
def test_a_slice_of_the_run_finds_nothing() -> None:
    """Twenty files of each format: every one is read or refused, in time and within 1 GiB."""
    numbers = {name: 1 if name == "OpenStreetMap" else 20 for name in available()}
    ended = fuzz.run(numbers, lambda text: None)
    assert {name: len(one) for name, one in ended.items()} == numbers
    bad = [(name, o.outcome, o.what) for name, one in ended.items() for _, o in one if o.outcome in BAD]
    assert bad == []
