"""SNMPv2c by hand: the second client and the witness of the push's tests, with no library between it and the wire."""

from __future__ import annotations

import socket
from collections.abc import Sequence

GET, SET = 0xA0, 0xA3
READ, WRITE = b"test-ro", b"test-rw"


def _tlv(tag: int, content: bytes) -> bytes:
    n = len(content)
    length = bytes([n]) if n < 128 else bytes([0x82, n >> 8, n & 255])
    return bytes([tag]) + length + content


def _integer(value: int) -> bytes:
    return _tlv(2, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def _oid(text: str) -> bytes:
    first, second, *rest = (int(x) for x in text.split("."))
    out = bytearray([40 * first + second])
    for number in rest:
        septets = [number & 127]
        while number := number >> 7:
            septets.append(number & 127 | 128)
        out += bytes(reversed(septets))
    return _tlv(6, bytes(out))


def message(kind: int, cells: Sequence[tuple[str, int | None]], community: bytes) -> bytes:
    """A GET or SET."""
    pairs = b"".join(_tlv(0x30, _oid(o) + (_tlv(5, b"") if v is None else _integer(v))) for o, v in cells)
    pdu = _tlv(kind, _integer(1) + _integer(0) + _integer(0) + _tlv(0x30, pairs))
    return _tlv(0x30, _integer(1) + _tlv(4, community) + pdu)


def _parts(content: bytes) -> list[tuple[int, bytes]]:
    out, at = [], 0
    while at < len(content):
        tag, n, at = content[at], content[at + 1], at + 2
        if n >= 128:
            size = n & 127
            n, at = int.from_bytes(content[at : at + size], "big"), at + size
        out.append((tag, content[at : at + n]))
        at += n
    return out


def ask(
    port: int, kind: int, cells: Sequence[tuple[str, int | None]], *, wait_s: float = 2.0
) -> list[int | bytes] | None:
    """Values in order; None without an answer; a RuntimeError where the agent says no."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire:
        wire.settimeout(wait_s)
        try:
            wire.sendto(message(kind, cells, READ if kind == GET else WRITE), ("127.0.0.1", port))
            answer = wire.recv(65_000)
        except OSError:
            return None
    pdu = _parts(_parts(_parts(answer)[0][1])[2][1])
    if any(pdu[1][1]):
        raise RuntimeError(f"the agent says no: error {int.from_bytes(pdu[1][1], 'big')}")
    values = [_parts(pair)[1] for _, pair in _parts(pdu[3][1])]
    return [int.from_bytes(v, "big", signed=True) if tag in (2, 0x41, 0x42, 0x43) else v for tag, v in values]


def read(port: int, oids: Sequence[str]) -> dict[str, int | bytes]:
    """Values of objects, 20 at a time."""
    out: dict[str, int | bytes] = {}
    for first in range(0, len(oids), 20):
        part = oids[first : first + 20]
        values = ask(port, GET, [(oid, None) for oid in part])
        if values is None:
            raise TimeoutError(f"no answer on port {port}")
        out.update(zip(part, values, strict=True))
    return out
