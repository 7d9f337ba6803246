"""What every reader of untrusted files holds to: sizes, rows, nesting, names and numbers."""

from __future__ import annotations

import json
import math
import re
import zipfile
import zlib
from typing import IO, Any

from network_data.errors import InputError

MAX_BYTES = 4 << 30
"""Most bytes read from one file after unpacking."""
MAX_RATIO = 200.0
"""Unpacked over packed size beyond which an archive is a bomb; our densest tables of counts pack 60 to 1. [-]"""
RATIO_FROM_BYTES = 32 << 20
"""Below so many unpacked bytes the ratio does not matter."""
MAX_ROWS = 100_000_000
MAX_COLUMNS = 4_096
MAX_DEPTH = 40
"""Deepest nesting of XML elements and JSON values."""
MAX_MEMBERS = 10_000
"""Most files in one zip archive."""
MAX_NAME = 256
"""Most characters of an identifier."""
CHUNK_BYTES = 1 << 20
FORMULA_STARTS = ("=", "+", "-", "@")
"""A spreadsheet runs a cell that begins so (after a tab or carriage return too, which no name may hold)."""
PLAIN_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


class LimitedStream:
    """A binary stream that stops with an error once it has given too much.

    Parameters
    ----------
    stream : binary file
        What is read, unpacked.
    where : str
        Names the file in errors.
    limit : int
        Most bytes it may give.
    packed : binary file, optional
        The file below where `stream` unpacks one: its position tells how far the packed bytes reach, and unpacking more
        than `MAX_RATIO` times as many is refused.
    """

    def __init__(self, stream: IO[bytes], where: str, limit: int = MAX_BYTES, packed: IO[bytes] | None = None) -> None:
        self.stream, self.where, self.limit, self.packed = stream, where, limit, packed
        self.given = 0

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes, or all that is left; never more than a chunk beyond the limit is held."""
        if size is None or size < 0:
            parts = []
            while part := self.read(CHUNK_BYTES):
                parts.append(part)
            return b"".join(parts)
        data = self.stream.read(size)
        self.given += len(data)
        if self.given > self.limit:
            raise InputError(self.where, f"unpacks to more than {_size(self.limit)}; split it or check what it is")
        if self.packed is not None and self.given > max(RATIO_FROM_BYTES, MAX_RATIO * self.packed.tell()):
            raise InputError(
                self.where, f"unpacks to more than {MAX_RATIO:g} times its size; check what it is, or give it unpacked"
            )
        return data

    def close(self) -> None:
        """Close the stream below."""
        self.stream.close()


def read_zip_member(archive: zipfile.ZipFile, name: str, where: str, limit: int = MAX_BYTES) -> bytes:
    """One file of a zip archive, unpacked within the limits whatever its header says of its size.

    Raises
    ------
    InputError
        Too many members, encrypted, damaged, too large, or a bomb.
    """
    if len(archive.infolist()) > MAX_MEMBERS:
        raise InputError(where, f"holds more than {MAX_MEMBERS} files; check what it is")
    info = archive.getinfo(name)
    most = int(min(limit, max(RATIO_FROM_BYTES, MAX_RATIO * info.compress_size)))
    try:
        with archive.open(info) as stream:
            return LimitedStream(stream, f"{where}: {name}", most).read()
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError, zlib.error) as error:
        raise InputError(f"{where}: {name}", f"cannot be unpacked: {error}; pack it again as a plain zip") from None


def load_json(content: bytes, where: str) -> Any:
    """JSON of untrusted origin: nested at most `MAX_DEPTH` deep, no NaN or infinity, no key twice in one object.

    Raises
    ------
    InputError
        What is wrong with it.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(where, f"is not UTF-8: {error.reason} at byte {error.start}; export it as UTF-8") from None
    if json_depth(text) > MAX_DEPTH:
        raise InputError(where, f"is nested deeper than {MAX_DEPTH} levels; check what it is")
    try:
        return json.loads(text, parse_constant=_no_constant, object_pairs_hook=_unique)
    except ValueError as error:  # also numbers of more digits than Python converts
        raise InputError(where, f"is not the JSON it should be: {error}; mend or export it again") from None


def json_depth(text: str) -> int:
    """Deepest nesting of brackets outside of strings; works on text that is no JSON too."""
    depth = deepest = 0
    for token in re.finditer(r'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', text):
        first = token[0][0]
        if first in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif first in "]}":
            depth -= 1
    return deepest


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    out = dict(pairs)
    if len(out) < len(pairs):
        seen: set[str] = set()
        again = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"key {again[:40]!r} stands twice in one object")
    return out


def name_fault(name: str) -> str | None:
    """What is wrong with an identifier (empty, too long, control or invisible characters), or None.

    Formula starts are no fault here: SUMO itself names links `-12`. They are made harmless where cells are written
    for spreadsheets; see `cell`.
    """
    if not name.strip():
        return "is empty; give a name"
    if len(name) > MAX_NAME:
        return f"has {len(name)} characters, more than {MAX_NAME}; shorten it"
    if not name.isprintable():
        return f"{name[:40]!r} has control or invisible characters; take them out"
    return None


def cell(text: str) -> str:
    """Text as a cell of a CSV file: what a spreadsheet would run as a formula gets an apostrophe in front.

    Plain numbers stay as they are; `from_cell` takes the apostrophe off again.
    """
    return f"'{text}" if _runs(text) else text


def from_cell(text: str) -> str:
    """The text that `cell` wrote."""
    return text[1:] if text[:1] == "'" and _runs(text[1:]) else text


def _runs(text: str) -> bool:
    # apostrophes of its own before a formula start get another one, so that the way back is exact
    start = text.lstrip("' \t\r\n")
    return start.startswith(FORMULA_STARTS) and PLAIN_NUMBER.fullmatch(start) is None


def number(text: str, *, low: float = -math.inf, high: float = math.inf) -> float:
    """A plain ASCII number within bounds.

    Raises
    ------
    ValueError
        What is wrong: no number (full-width digits, separators, underscores), nan or inf, or outside the bounds.
    """
    stripped = text.strip()
    if stripped.lstrip("+-").lower() in {"nan", "inf", "infinity"}:
        raise ValueError(f"{text[:40]!r} is not finite; give a number")
    if PLAIN_NUMBER.fullmatch(stripped) is None:
        raise ValueError(f"{text[:40]!r} is no plain number; write digits 0-9 with a point")
    value = float(stripped)
    if not low <= value <= high:
        raise ValueError(f"{text[:40]!r} is outside {low:g} to {high:g}; correct it")
    if math.isinf(value):
        raise ValueError(f"{text[:40]!r} is too large for a number; correct it")
    return value


def _size(n_bytes: int) -> str:
    return f"{n_bytes >> 30} GiB" if n_bytes >= 1 << 30 else f"{n_bytes:,} bytes"
