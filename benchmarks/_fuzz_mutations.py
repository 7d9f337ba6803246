"""Mutations of files: drawn by hypothesis from a seed as lists of numbers, applied to bytes without any chance left."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable, Mapping
from functools import cache
from zlib import crc32

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

Step = tuple[int, int, int, int]
"""Which operation, and three numbers that say where and what."""
Recipe = tuple[Step, ...]
SPAN = 65_536
EVIL_NUMBERS = (
    b"nan", b"inf", b"-inf", b"1e309", b"-1", b"0", b"-0", b"1e-320", b"9" * 40, b"9" * 5000, b"0.1.2", b"1_000", b"",
    "٣".encode(), "１".encode(), b"0x10", b"1e18", b"-2147483649", b"4294967296", b"9223372036854775808", b"1e15",
    b"1,5", b"24:61:61", b"true", b"None", b"1e6",
)  # fmt: skip
EVIL_WORDS = (
    b"", b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"=cmd()", b"a" * 300, b"x" * 70_000, "‮".encode(), "가".encode("cp949"),
    b"../../etc/passwd", b"%s%n", b"&lt;", b"]]>", b"<!--", b"\"", b"'", b",", b"\r", b"\t", b"{", b"[" * 3000, b"*",
    b"None", b"-", b":", b"#", b"[Network]", b"<a>" * 3000, "\U0001f6a6".encode(), b"\x1f\x8b", b"PK\x03\x04",
)  # fmt: skip
LAUGHS = b'<!DOCTYPE a [<!ENTITY b "bbbbbbbbbb"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]>'
BOMB_BYTES = 48 << 20
NUMBER = re.compile(rb"-?\d+(?:\.\d+)?")
WORD = re.compile(rb"[^\s,;<>=\"'\[\]{}:]+")
ATTRIBUTE = re.compile(rb"\s[\w:]+=\"[^\"]*\"")
ELEMENT = re.compile(rb"<[A-Za-z][^<>]*/>")
MOST = 2_000_000
"""No mutated file grows beyond this, so that the run tests readers and not the disk. [bytes]"""


def recipes(name: str, n: int, draw: int = 0) -> list[Recipe]:
    """`n` recipes for a format, the same at every run.

    Parameters
    ----------
    name : str
        Seeds the draw, together with its number.
    n : int
        How many.
    draw : int
        Which of the draws; each has other recipes.
    """
    out: list[Recipe] = []
    number = st.integers(0, SPAN - 1)
    step = st.tuples(st.integers(0, len(OPERATIONS) - 1), number, number, number)

    @seed(crc32(name.encode()) + draw)
    @settings(
        max_examples=n, database=None, deadline=None, phases=(Phase.generate,), suppress_health_check=list(HealthCheck)
    )
    @given(st.lists(step, min_size=1, max_size=4))
    def collect(drawn: list[Step]) -> None:
        out.append(tuple(drawn))

    collect()
    return out


def mutated(files: Mapping[str, bytes], recipe: Recipe) -> dict[str, bytes]:
    """The files after all steps; each changes one of them."""
    out = dict(files)
    for kind, a, b, c in recipe:
        name = sorted(out)[c % len(out)] if out else ""
        if name:
            out[name] = OPERATIONS[kind](out[name], a, b, c)[:MOST]
    return out


def _slice(data: bytes, a: int, b: int) -> tuple[int, int]:
    """A place anywhere in the data and a length that is mostly short."""
    begin = a * (len(data) + 1) // SPAN
    return begin, min(len(data), begin + 1 + (b % 64 if b % 4 else b % 4096))


def _flip(data: bytes, a: int, b: int, _: int) -> bytes:
    if not data:
        return data
    at = a * len(data) // SPAN
    return data[:at] + bytes([data[at] ^ (1 << b % 8)]) + data[at + 1 :]


def _byte(data: bytes, a: int, b: int, _: int) -> bytes:
    begin, _end = _slice(data, a, 0)
    return data[:begin] + bytes([b % 256]) + data[begin + 1 :]


def _delete(data: bytes, a: int, b: int, _: int) -> bytes:
    begin, end = _slice(data, a, b)
    return data[:begin] + data[end:]


def _repeat(data: bytes, a: int, b: int, c: int) -> bytes:
    begin, end = _slice(data, a, b)
    return data[:end] + data[begin:end] * (1 + (c % 3 if c % 8 else c % 3000)) + data[end:]


def _truncate(data: bytes, a: int, _: int, __: int) -> bytes:
    return data[: a * (len(data) + 1) // SPAN]


def _swap(data: bytes, a: int, b: int, c: int) -> bytes:
    (one, end), (other, last) = sorted((_slice(data, a, c), _slice(data, b, c)))
    if other < end:
        return data
    return data[:one] + data[other:last] + data[end:other] + data[one:end] + data[last:]


def _insert(data: bytes, a: int, b: int, _: int) -> bytes:
    begin, _end = _slice(data, a, 0)
    return data[:begin] + EVIL_WORDS[b % len(EVIL_WORDS)] + data[begin:]


def _token(pattern: re.Pattern[bytes], evil: tuple[bytes, ...]) -> Callable[[bytes, int, int, int], bytes]:
    def operation(data: bytes, a: int, b: int, _: int) -> bytes:
        found = [match.span() for match in pattern.finditer(data)]
        if not found:
            return data
        begin, end = found[a * len(found) // SPAN]
        return data[:begin] + evil[b % len(evil)] + data[end:]

    return operation


def _exchange(data: bytes, a: int, b: int, _: int) -> bytes:
    """A word in the place of another: what is valid by itself, and wrong there."""
    found = [match.span() for match in WORD.finditer(data)]
    if not found:
        return data
    (begin, end), (one, last) = found[a * len(found) // SPAN], found[b * len(found) // SPAN]
    return data[:begin] + data[one:last] + data[end:]


def _removed(pattern: re.Pattern[bytes]) -> Callable[[bytes, int, int, int], bytes]:
    def operation(data: bytes, a: int, _: int, __: int) -> bytes:
        found = [match.span() for match in pattern.finditer(data)]
        if not found:
            return data
        begin, end = found[a * len(found) // SPAN]
        return data[:begin] + data[end:]

    return operation


def _doubled(data: bytes, a: int, b: int, _: int) -> bytes:
    """An element twice, the second time elsewhere in the file."""
    found = [match.span() for match in ELEMENT.finditer(data)]
    if not found:
        return data
    begin, end = found[a * len(found) // SPAN]
    at = found[b * len(found) // SPAN][0]
    return data[:at] + data[begin:end] + data[at:]


def _line(data: bytes, a: int, b: int, c: int) -> bytes:
    """Lines gone, twice, in the place of others, or cut to their first cells."""
    lines = data.split(b"\n")
    one, other = a * len(lines) // SPAN, b * len(lines) // SPAN
    if c % 4 == 0:
        del lines[one]
    elif c % 4 == 1:
        lines.insert(other, lines[one])
    elif c % 4 == 2:
        lines[one], lines[other] = lines[other], lines[one]
    else:
        lines[one] = b",".join(lines[one].split(b",")[: b % 4])
    return b"\n".join(lines)


def _recoded(data: bytes, a: int, _: int, __: int) -> bytes:
    """The text in another encoding or with other line ends."""
    text = data.decode("utf-8", errors="replace")
    ways = (
        lambda: text.encode("utf-16"),
        lambda: text.encode("cp949", errors="replace"),
        lambda: text.encode("latin-1", errors="replace"),
        lambda: text.encode("utf-8-sig"),
        lambda: data.replace(b"\n", b"\r\n"),
        lambda: data.replace(b"\n", b"\r"),
        lambda: data.replace(b",", b";"),
        lambda: data.replace(b",", b"\t"),
    )
    return ways[a % len(ways)]()


@cache
def _bomb() -> bytes:
    return gzip.compress(b" " * BOMB_BYTES, compresslevel=1, mtime=0)


def _packed(data: bytes, a: int, b: int, _: int) -> bytes:
    """Gzipped, gzipped and cut, or with bombs in front: much space, entities."""
    if a % 8 == 0:
        return _bomb()
    if a % 8 == 1:
        return LAUGHS + data
    if a % 8 == 2:
        return b""
    whole = gzip.compress(data, compresslevel=1, mtime=0)
    return whole if a % 2 else whole[: b * len(whole) // SPAN]


OPERATIONS: tuple[Callable[[bytes, int, int, int], bytes], ...] = (
    _flip, _byte, _delete, _repeat, _truncate, _swap, _insert,
    _token(NUMBER, EVIL_NUMBERS), _token(NUMBER, EVIL_NUMBERS), _token(WORD, EVIL_WORDS), _token(WORD, EVIL_NUMBERS),
    _exchange, _exchange, _removed(ATTRIBUTE), _removed(ELEMENT), _doubled, _line, _line, _recoded, _packed,
)  # fmt: skip
"""Those on numbers, words, lines and attributes get past the parser and reach what the values are used for."""
