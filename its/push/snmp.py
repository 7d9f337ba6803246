"""SNMP as the push needs it: GETs may be repeated, a SET leaves once and only with a permit; what failures mean."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from pysnmp.error import PySnmpError
from pysnmp.hlapi.v3arch.asyncio import (
    USM_AUTH_HMAC96_SHA,
    USM_AUTH_HMAC192_SHA256,
    USM_AUTH_HMAC256_SHA384,
    USM_AUTH_HMAC384_SHA512,
    USM_PRIV_CFB128_AES,
    USM_PRIV_CFB192_AES,
    USM_PRIV_CFB256_AES,
    CommunityData,
    ContextData,
    Integer32,
    ObjectIdentity,
    ObjectType,
    SnmpEngine,
    UdpTransportTarget,
    UsmUserData,
    get_cmd,
    set_cmd,
)
from pysnmp.proto.errind import RequestTimedOut
from pysnmp.proto.rfc1902 import IpAddress, ObjectName
from pysnmp.proto.rfc1905 import EndOfMibView, NoSuchInstance, NoSuchObject

from its.push.driver import NoAnswerError, RefusedError
from its.push.gate import Pair, Permit
from its.push.secrets import Secret, need_secret
from its.push.targets import Profile, Target
from network_data.errors import InputError

AUTH = {
    "SHA-1": USM_AUTH_HMAC96_SHA,
    "SHA-256": USM_AUTH_HMAC192_SHA256,
    "SHA-384": USM_AUTH_HMAC256_SHA384,
    "SHA-512": USM_AUTH_HMAC384_SHA512,
}
PRIV = {"AES-128": USM_PRIV_CFB128_AES, "AES-192": USM_PRIV_CFB192_AES, "AES-256": USM_PRIV_CFB256_AES}
HEADER_BYTES = 150
"""What a message needs beside its cells, SNMPv3's security included."""
UNSURE = {"commitFailed", "undoFailed", "genErr"}
"""Error states of a SET that leave open what was stored."""
LEAST_KEY = 8
"""Shortest password of SNMPv3 (RFC 3414)."""
BACKOFF, MOST = 1.3, 3.0
"""Each further try of a GET waits that much longer, up to that many times the first."""

Answer = int | str | bytes


@dataclass
class Worker:
    """What the controllers of one process share: SNMP engines by credential, and how many talk at once."""

    concurrency: int
    engines: dict[str, SnmpEngine] = field(default_factory=dict)
    gate: asyncio.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        self.gate = asyncio.Semaphore(self.concurrency)

    def engine(self, name: str) -> SnmpEngine:
        """The engine of a credential: users of one name may have other keys elsewhere."""
        if name not in self.engines:
            self.engines[name] = SnmpEngine()
        return self.engines[name]

    def drop(self, name: str) -> str:
        """Close an engine of one controller, if it was used; the name of the next one."""
        engine = self.engines.pop(name, None)
        if engine is not None:
            engine.close_dispatcher()
        start, _, number = name.rpartition(" ")
        return f"{start} {int(number) + 1}"

    def close(self) -> None:
        """Close all sockets."""
        for engine in self.engines.values():
            engine.close_dispatcher()
        self.engines.clear()


class SnmpClient:
    """One agent. GETs are repeated until answered; a SET is sent once, and only what its permit covers."""

    def __init__(self, target: Target, profile: Profile, worker: Worker, requests_per_s: float) -> None:
        host, _, port = target.address.rpartition(":")
        self.address, self._where = target.address, (host.strip("[]"), int(port))
        self._user, self._secret, self._profile, self._worker = target.user, target.secret, profile, worker
        self._engine_name, self._spare = target.secret, f"{target.secret} {target.address} 0"
        self._found: dict[str, Secret] = {}
        self._gap_s, self._last_s = 1.0 / requests_per_s, 0.0
        self._alone = asyncio.Lock()
        self.requests = 0

    async def get(self, oids: Iterable[str]) -> dict[str, Answer | None]:
        """Values of objects; None where the agent has none.

        Raises
        ------
        RefusedError
            Wrong user or key, no right to read.
        NoAnswerError
            Nothing came back, from a fresh engine either.
        """
        out: dict[str, Answer | None] = {}
        for part in parts(oids, self._profile.pdu_bytes):
            out.update(await self._get_part(part))
        return out

    async def set(self, pairs: Sequence[Pair], permit: Permit) -> None:
        """Send one SET, once.

        Raises
        ------
        RefusedError
            The permit does not cover it (then nothing was sent), or the agent said no.
        NoAnswerError
            It may or may not have been done.
        """
        if not permit.covers(pairs):
            raise RefusedError(f"{self.address}: the last gate gave no permit for what was about to be sent")
        kind, _ = await self._ask(set_cmd, [(oid, Integer32(value)) for oid, value in pairs], tries=1)
        if kind:
            names = ", ".join(oid for oid, _ in pairs[:3])
            text = f"{self.address}: SET of {names}{'…' if len(pairs) > 3 else ''} answered {kind}"
            raise NoAnswerError(text) if kind in UNSURE else RefusedError(text)

    async def _get_part(self, part: Sequence[str]) -> dict[str, Answer | None]:
        kind, found = await self._ask(get_cmd, [(oid, None) for oid in part], tries=self._profile.attempts)
        if kind == "noSuchName":  # SNMPv1: one unknown object fails the whole request
            if len(part) == 1:
                return {part[0]: None}
            halves = part[: len(part) // 2], part[len(part) // 2 :]
            return {**await self._get_part(halves[0]), **await self._get_part(halves[1])}
        if kind == "tooBig" and len(part) > 1:
            halves = part[: len(part) // 2], part[len(part) // 2 :]
            return {**await self._get_part(halves[0]), **await self._get_part(halves[1])}
        if kind:
            raise RefusedError(f"{self.address}: GET of {part[0]}… answered {kind}")
        return found

    async def _ask(
        self, command: object, cells: Sequence[tuple[str, Integer32 | None]], *, tries: int
    ) -> tuple[str, dict[str, Answer | None]]:
        """(error status or nothing, values); tries again after silence, at last with a fresh engine."""
        async with self._alone:
            wait_s = self._profile.timeout_s
            for n in range(tries):
                # an engine that spoke to an agent before its restart never hears from it again: every other late try
                # is made with a fresh one, which is kept if it is answered
                fresh = self._profile.version == "3" and n >= tries // 2 and n % 2 == 1
                answer = await self._once(command, cells, wait_s, self._spare if fresh else self._engine_name)
                if answer is not None:
                    self._engine_name = self._spare if fresh else self._engine_name
                    return answer
                wait_s = min(wait_s * BACKOFF, MOST * self._profile.timeout_s)
            self._spare = self._worker.drop(self._spare)
        raise NoAnswerError(f"{self.address}: no answer, {tries} times asked")

    async def _once(
        self, command: object, cells: Sequence[tuple[str, Integer32 | None]], wait_s: float, engine: str
    ) -> tuple[str, dict[str, Answer | None]] | None:
        """One request; None where nothing came back."""
        objects = [_object(oid, value) for oid, value in cells]
        failed = ""
        async with self._worker.gate:
            await self._pace()
            self.requests += 1
            try:
                transport = await UdpTransportTarget.create(self._where, timeout=wait_s, retries=0)
                indication, status, _, found = await command(  # type: ignore[operator]
                    self._worker.engine(engine),
                    self._credentials(),
                    transport,
                    ContextData(),
                    *objects,
                    lookupMib=False,
                )
            except PySnmpError as error:
                failed = type(error).__name__
        if failed:  # raised out here: pysnmp's frames and words may hold keys, and must not hang on as context
            raise RefusedError(f"{self.address}: SNMP failed ({failed}); check address, user and keys")
        if isinstance(indication, RequestTimedOut):
            return None
        if indication:
            raise RefusedError(f"{self.address}: {_first_line(indication)}; check user, keys and rights")
        if int(status):
            return status.prettyPrint(), {}
        asked = [oid for oid, _ in cells]
        values = {".".join(map(str, tuple(name))): _plain(value) for name, value in found}
        return "", {oid: values.get(oid) for oid in asked}

    def _credentials(self) -> UsmUserData | CommunityData:
        if self._profile.version != "3":
            model = 0 if self._profile.version == "1" else 1
            return CommunityData(self._need("community").reveal(), mpModel=model)
        return UsmUserData(
            self._user,
            self._need("auth").reveal(),
            self._need("priv").reveal(),
            authProtocol=AUTH[self._profile.auth],
            privProtocol=PRIV[self._profile.priv],
        )

    def _need(self, part: str) -> Secret:
        """A secret, looked up once: a keyring takes its time."""
        if part not in self._found:
            secret = need_secret(self._secret, part)
            text = secret.reveal()
            fit = text.isascii() and text.isprintable() and (part == "community" or len(text) >= LEAST_KEY)
            del text
            if not fit:
                raise InputError(f"secret {self._secret}.{part}", f"needs {LEAST_KEY} or more plain ASCII characters")
            self._found[part] = secret
        return self._found[part]

    async def _pace(self) -> None:
        wait_s = self._last_s + self._gap_s - time.monotonic()
        if wait_s > 0:
            await asyncio.sleep(wait_s)
        self._last_s = time.monotonic()


def parts(oids: Iterable[str], pdu_bytes: int) -> Iterator[list[str]]:
    """Objects in as few messages as fit."""
    part: list[str] = []
    size = HEADER_BYTES
    for oid in oids:
        need = _cell_bytes(oid)
        if part and size + need > pdu_bytes:
            yield part
            part, size = [], HEADER_BYTES
        part.append(oid)
        size += need
    if part:
        yield part


def _cell_bytes(oid: str) -> int:
    """Bytes of an object with a short value, as BER writes it."""
    return 7 + sum(1 if int(x) < 128 else 2 if int(x) < 16_384 else 3 for x in oid.split(".")[1:])


@lru_cache(maxsize=65_536)
def _identity(oid: str) -> ObjectIdentity:
    """pysnmp looks each new one up among its MIBs, which costs more than sending it: keep them."""
    return ObjectIdentity(tuple(int(x) for x in oid.split(".")))


def _object(oid: str, value: Integer32 | None) -> ObjectType:
    identity = _identity(oid)
    return ObjectType(identity) if value is None else ObjectType(identity, value)


def _plain(value: object) -> Answer | None:
    if isinstance(value, NoSuchInstance | NoSuchObject | EndOfMibView):
        return None
    if isinstance(value, ObjectName):
        return ".".join(map(str, tuple(value)))
    if isinstance(value, IpAddress):
        return str(value.prettyPrint())
    if hasattr(value, "asOctets"):
        return bytes(value.asOctets())
    return int(value)  # type: ignore[call-overload, no-any-return]


def _first_line(error: object) -> str:
    return (str(error).splitlines() or ["failed"])[0][:200]
