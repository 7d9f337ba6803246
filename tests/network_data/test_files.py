"""Reading untrusted files and writing whole ones."""

import gzip
from pathlib import Path

import pandas as pd
import pytest

from network_data.errors import DemandError, InputError
from network_data.formats import files
from network_data.formats.files import iter_xml, open_bytes, read_bytes, read_start, root_tag, write_aside
from network_data.tables import read_table


def put(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "file.xml"
    path.write_bytes(content)
    return path


def test_gzip_is_recognized_by_content(tmp_path: Path) -> None:
    """A gzipped file is unpacked whatever its name says, a plain one is not touched."""
    assert read_bytes(put(tmp_path, gzip.compress(b"<net/>"))) == b"<net/>"
    path = tmp_path / "plain.xml.gz"
    path.write_bytes(b"<net/>")
    assert read_bytes(path) == b"<net/>"


def test_a_damaged_gzip_is_an_error(tmp_path: Path) -> None:
    """A truncated archive says that the file is damaged, for bytes and for XML."""
    path = put(tmp_path, gzip.compress(b"<net>" + b"<edge/>" * 5000 + b"</net>")[:-40])
    with pytest.raises(InputError, match=r"file\.xml: cannot be read.*damaged"):
        read_bytes(path)
    with pytest.raises(InputError, match="damaged"):
        list(iter_xml(path))
    path.write_bytes(b"\x1f\x8b\x08\x00" + bytes(6) + b"\xff" * 20)
    with pytest.raises(InputError, match="damaged"):
        read_start(path, 4)
    with pytest.raises(InputError, match="damaged"):
        read_table(path)


def test_more_than_the_limit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small archive that unpacks to more than the limit stops early."""
    path = put(tmp_path, gzip.compress(b"<a>" + b" " * 1_000_000 + b"</a>"))
    with pytest.raises(InputError, match="unpacks to more than"):
        read_bytes(path, limit=10_000)
    monkeypatch.setattr(files, "MAX_BYTES", 10_000)
    with pytest.raises(InputError, match="unpacks to more than"):
        list(iter_xml(path))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "not well-formed XML"),
        (b"<net><edge></net>", "not well-formed XML"),
        (b"\x89PNG\r\n", "not well-formed XML"),
        (b'<!DOCTYPE net [<!ENTITY a "aa">]><net>&a;</net>', "declares entities or a DTD"),
        (b'<!DOCTYPE net [<!ENTITY a SYSTEM "file:///etc/passwd">]><net>&a;</net>', "declares entities or a DTD"),
        (b"<a>" * 60 + b"</a>" * 60, "nested deeper than 40"),
    ],
)
def test_hostile_xml_is_an_error(tmp_path: Path, content: bytes, says: str) -> None:
    """Entities, deep nesting and what is no XML end in an error that names the file."""
    with pytest.raises(InputError, match=says):
        list(iter_xml(put(tmp_path, content)))


def test_depth_counts_from_the_root(tmp_path: Path) -> None:
    """Start and end of an element have the same depth, 0 for the root."""
    events = [(event, depth, e.tag) for event, depth, e in iter_xml(put(tmp_path, b"<a><b/></a>"))]
    assert events == [("start", 0, "a"), ("start", 1, "b"), ("end", 1, "b"), ("end", 0, "a")]


def test_root_tag_reads_only_the_beginning(tmp_path: Path) -> None:
    """A file is recognized by its root even where its end is missing."""
    assert root_tag(put(tmp_path, b'<?xml version="1.0"?><!-- x --><additional><tlLogic/>')) == "additional"


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    """A path that cannot be opened names itself, a folder too."""
    with pytest.raises(InputError, match=r"nowhere\.xml: cannot be opened"):
        open_bytes(tmp_path / "nowhere.xml")
    with pytest.raises(InputError, match="cannot be opened"):
        open_bytes(tmp_path)


def test_writing_is_all_or_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that fails on the way leaves the old file and no rubbish."""
    path = tmp_path / "deep" / "plan.json"
    write_aside(path, "old")

    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", fail)
    with pytest.raises(OSError, match="No space left"):
        write_aside(path, "new")
    assert path.read_text() == "old"
    assert [p.name for p in path.parent.iterdir()] == ["plan.json"]


def test_written_files_have_ordinary_rights(tmp_path: Path) -> None:
    """The rename does not leave the private rights of a temporary file."""
    path = tmp_path / "a.txt"
    write_aside(path, b"x")
    beside = tmp_path / "b.txt"
    beside.write_text("x")
    assert path.stat().st_mode == beside.stat().st_mode


def test_parquet_texts_that_are_no_utf8_are_refused(tmp_path: Path) -> None:
    """Parquet states its texts to be UTF-8 and does not check: the reader does."""
    path = tmp_path / "x.parquet"
    pd.DataFrame({"detector": ["aaaa-good", "bbbb-good"]}).to_parquet(path, compression=None, use_dictionary=False)
    path.write_bytes(path.read_bytes().replace(b"bbbb-good", b"bb\xb2b-good"))
    with pytest.raises(DemandError, match="damaged parquet file: .*UTF8"):
        read_table(path)
