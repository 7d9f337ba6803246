"""What readers of untrusted files hold to."""

import gzip
import io
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from network_data import limits
from network_data.errors import InputError
from network_data.formats.files import read_bytes
from network_data.limits import LimitedStream, cell, from_cell, json_depth, load_json, name_fault, number


def test_a_bomb_stops_while_it_unpacks(tmp_path):
    """48 MiB of one byte in 47 KiB are refused by their ratio, after no more than the free 32 MiB."""
    path = tmp_path / "bomb.csv.gz"
    path.write_bytes(gzip.compress(bytes(48 << 20)))
    with pytest.raises(InputError, match="more than 200 times its size"):
        read_bytes(path)


def test_a_stream_never_holds_more_than_a_chunk_beyond_the_limit():
    """Reading all of an endless stream stops right behind the limit."""

    class Endless(io.RawIOBase):
        given = 0

        def read(self, size=-1):
            assert size >= 0
            self.given += size
            return bytes(size)

    endless = Endless()
    with pytest.raises(InputError, match="more than 3,000,000 bytes"):
        LimitedStream(endless, "x", 3_000_000).read()
    assert endless.given <= 3_000_000 + limits.CHUNK_BYTES


def test_a_zip_member_is_held_to_its_packed_size():
    """The size in the header is not believed; a bomb in a zip stops too."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("good.csv", "a,b\n" * 1000)
        archive.writestr("bomb.csv", bytes(40 << 20))
    with zipfile.ZipFile(packed) as archive:
        assert limits.read_zip_member(archive, "good.csv", "x.zip") == b"a,b\n" * 1000
        with pytest.raises(InputError, match=r"x\.zip: bomb\.csv: unpacks to more than"):
            limits.read_zip_member(archive, "bomb.csv", "x.zip")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"[" * 100_000, "nested deeper than 40"),
        (b'{"a": NaN}', "NaN is no number"),
        (b'{"a": 1, "a": 2}', "'a' stands twice"),
        (b"\xff", "is not UTF-8"),
        (b'{"a": ' + b"9" * 5000 + b"}", "is not the JSON it should be"),
        (b"{", "is not the JSON it should be"),
    ],
)
def test_hostile_json_is_an_error(content, says):
    """Deep nesting, constants that JSON lacks, double keys, endless digits and halves end in one error."""
    with pytest.raises(InputError, match=says):
        load_json(content, "x.json")


def test_brackets_in_strings_do_not_nest():
    """Depth counts brackets of the structure only."""
    assert json_depth('{"a": ["[[[[", "\\"[["]}') == 2


@pytest.mark.parametrize(
    "text", ["nan", "inf", "-Infinity", "\uff11\uff12", "1_000", "1,000", "0x10", "", "1e999", "1e9", "-3"]
)
def test_numbers_outside_the_rules_are_named(text):
    """Each odd number is refused with the text seen."""
    with pytest.raises(ValueError, match=repr(text) if text else "no plain number"):
        number(text, low=0, high=1e6)


def test_plain_numbers_pass():
    """Signs, points and exponents of ASCII digits are numbers."""
    assert [number(x) for x in ("7", " -0.5 ", "+.5", "1e3")] == [7, -0.5, 0.5, 1000]


@pytest.mark.parametrize("name", ["", "  ", "a\x00b", "a\nb", "a\u202eb", "\u200b", "x" * 300])
def test_names_with_control_characters_are_refused(name):
    """Empty, endless and invisible names have a fault; ordinary ones, SUMO's minus included, have none."""
    assert name_fault(name)
    assert name_fault("-12#3.0.s") is None
    assert name_fault("단지 앞") is None


@pytest.mark.parametrize("text", ["=1+1", "+cmd", "-12#3", "@SUM(A1)", " =1", "'=1"])
def test_formula_starts_are_made_harmless_on_export(text):
    """A cell that a spreadsheet would run begins with an apostrophe; numbers stay numbers."""
    assert cell(text) == "'" + text
    assert [cell(x) for x in ("-3.5", "a=1", "it's")] == ["-3.5", "a=1", "it's"]


@given(st.text(alphabet="'=+-@ a1", max_size=8))
def test_cells_come_back_as_they_were(text):
    """Neutralizing loses nothing."""
    assert from_cell(cell(text)) == text
