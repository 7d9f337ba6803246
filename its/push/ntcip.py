"""The NTCIP 1202 driver: a pattern and a split row that are not in use, a database transaction, and a command."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence

from its.push import objects as o
from its.push.driver import Change, ChangedElsewhereError, NoAnswerError, RefusedError, Values
from its.push.facts import Found, check_identity, read_facts
from its.push.gate import NOTHING, Intent, Pair, Permit, Sending, let_back, let_through
from its.push.snmp import SnmpClient, Worker, parts
from its.push.targets import Profile, Target
from its.push.timing import Timing, timing_of
from network_data.plans import ControllerPlan

POLL_S, FIRST_POLL_S = 0.5, 0.05
"""Most and first time between two looks at something that takes its while. [s]"""
TRIES = 10
"""How often an absolute SET is repeated after silence."""
TRANSACTION_PERMIT = Permit(frozenset((o.TRANSACTION, state) for state in (o.NORMAL, o.BUFFERING, o.VERIFYING)))


class NtcipDriver:
    """One controller over SNMP."""

    kind = "ntcip"

    def __init__(self, target: Target, profile: Profile, worker: Worker, *, requests_per_s: float) -> None:
        self.controller_id = target.id
        self.insecure = (
            "" if profile.version == "3" else f"SNMP version {profile.version}: neither encrypted nor signed"
        )
        self._target, self._profile = target, profile
        self._client = SnmpClient(target, profile, worker, requests_per_s)
        self._permit = NOTHING
        self._set_id: int | None = None

    async def prepare(self, plan: ControllerPlan) -> Change:
        """See `Driver`."""
        timing = timing_of(plan, self._target, self._profile)
        await check_identity(self._client, self._target)
        found = await read_facts(self._client, self._target, self._profile)
        used = found.facts.running | set(found.facts.action_patterns.values())
        rows = zip(self._target.patterns, self._target.splits, strict=True)
        free = next(((pattern, split) for pattern, split in rows if pattern not in used), None)
        if free is None:
            raise RefusedError(f"controller {self.controller_id!r}: all patterns set aside for the push are in use")
        pattern, split = free
        row = await self._row(timing, found, pattern, split)
        sending = Sending(
            row=list(row.items()),
            switch=[(oid, pattern) for oid in found.switch],
            intent=Intent(
                pattern=pattern,
                split=split,
                coordinated=timing.coordinated,
                walking=timing.walking,
                clearance_ds=timing.clearance_ds,
                cycle_bounds_s=self._profile.cycle_s,
                actions=frozenset(self._target.actions),
            ),
            facts=found.facts,
        )
        self._permit, faults = let_through(sending)
        if faults:
            raise RefusedError(f"controller {self.controller_id!r}, last gate: {'; '.join(faults)}")
        self._set_id = found.set_id
        old_row = await self.read(row)
        if set(old_row) != set(row):
            missing = ", ".join(o.name_of(oid) for oid in row if oid not in old_row)
            raise RefusedError(f"controller {self.controller_id!r} has no {missing}")
        return Change(
            controller_id=self.controller_id,
            place={"pattern": pattern, "split": split, "actions": list(self._target.actions)},
            row={**row},
            switch=dict(sending.switch),
            old_row=old_row,
            old_switch={**found.switch},
            notes=found.notes,
            takes_effect_now=found.takes_effect_now,
        )

    async def read(self, names: Iterable[str]) -> Values:
        """See `Driver`."""
        answers = await self._client.get(names)
        return {oid: value for oid, value in answers.items() if isinstance(value, int | str)}

    async def write_row(self, change: Change) -> None:
        """See `Driver`."""
        await self._fill(_pairs(change.row), self._permit, guard=True)

    async def switch(self, change: Change) -> None:
        """See `Driver`."""
        now = await self.read([*change.row, *change.switch])
        if _part(now, change.switch) != change.old_switch:
            raise RefusedError(f"controller {self.controller_id!r}: somebody else gave a pattern command in between")
        if _part(now, change.row) != change.row:
            raise RefusedError(f"controller {self.controller_id!r}: the new row does not read as it was written")
        await self._absolute(_pairs(change.switch), self._permit)

    async def watch(self, change: Change) -> list[str]:
        """See `Driver`."""
        if not self._profile.status:
            return []
        cycle_s = change.row[f"{o.PATTERN}.2.{change.place['pattern']}"]
        watch_s = self._profile.watch_s if self._profile.watch_s is not None else 2.0 * int(cycle_s)
        asked = [o.PATTERN_STATUS, o.FREE_STATUS, o.FLASH_STATUS, o.ALARMS, o.ACTION_STATUS]
        begin_s = time.monotonic()
        while True:
            now = await self.read(asked)
            faults = _trouble(now)
            in_force = o.SYSTEM_PATTERN in change.switch or now.get(o.ACTION_STATUS) in change.place["actions"]
            runs = now.get(o.PATTERN_STATUS) == change.place["pattern"]
            if faults:
                return faults
            if time.monotonic() - begin_s >= watch_s:
                running = now.get(o.PATTERN_STATUS)
                return [] if runs or not in_force else [f"pattern {running} runs instead, after {watch_s:g} s"]
            await asyncio.sleep(min(POLL_S, max(0.05, watch_s / 4)))

    async def switch_back(self, change: Change) -> None:
        """See `Driver`."""
        now = await self.read(change.switch)
        if now == change.old_switch:
            return
        if any(now.get(oid) not in (change.switch[oid], change.old_switch[oid]) for oid in change.switch):
            raise ChangedElsewhereError(f"controller {self.controller_id!r}: somebody else gave a pattern command")
        await self._absolute(_pairs(change.old_switch), self._back(change))

    async def restore_row(self, change: Change) -> None:
        """See `Driver`."""
        await asyncio.sleep(self._profile.settle_s)  # a late copy of the command would find the old content running
        now = await self.read([*change.row, *change.switch, o.PATTERN_STATUS])
        if _part(now, change.switch) != change.old_switch:
            raise ChangedElsewhereError(f"controller {self.controller_id!r}: was switched again by somebody else")
        if self._profile.status and now.get(o.PATTERN_STATUS) == change.place["pattern"]:
            raise RefusedError(f"controller {self.controller_id!r}: still runs the new row; left as it is")
        held = _part(now, change.row)
        if held == change.old_row:
            return
        if any(held.get(oid) not in (change.row[oid], change.old_row[oid]) for oid in change.row):
            raise ChangedElsewhereError(f"controller {self.controller_id!r}: somebody else wrote into the row")
        await self._fill(_pairs(change.old_row), self._back(change), guard=False)
        if await self.read(change.row) != change.old_row:
            raise RefusedError(f"controller {self.controller_id!r}: the row does not take its old content")

    async def clear(self, change: Change) -> str:  # noqa: ARG002
        """See `Driver`: waits a while for a transaction to end by itself, then drops it."""
        if not self._profile.transaction:
            return ""
        begin_s = time.monotonic()
        while await self._state() != o.NORMAL:
            if time.monotonic() - begin_s >= self._profile.patience_s:
                await self._command(o.NORMAL, reached={o.NORMAL})
                return "a transaction was left open on the controller; dropped it"
            await asyncio.sleep(POLL_S)
        return ""

    async def close(self) -> None:
        """Nothing to let go: the sockets belong to the worker."""

    # how

    async def _row(self, timing: Timing, found: Found, pattern: int, split: int) -> dict[str, int]:
        """The cells of the pattern and its split."""
        modes = await self._modes(timing, found)
        offset_s = (timing.offset_s - found.sync_s) % timing.cycle_s
        row = {
            f"{o.PATTERN}.2.{pattern}": timing.cycle_s,
            f"{o.PATTERN}.3.{pattern}": offset_s,
            f"{o.PATTERN}.4.{pattern}": split,
            f"{o.PATTERN}.5.{pattern}": self._target.sequence,
        }
        for phase in sorted(timing.splits_s):
            row[f"{o.SPLIT}.3.{split}.{phase}"] = timing.splits_s[phase]
            row[f"{o.SPLIT}.4.{split}.{phase}"] = modes[phase]
            row[f"{o.SPLIT}.5.{split}.{phase}"] = int(phase in timing.coordinated)
        return row

    async def _modes(self, timing: Timing, found: Found) -> dict[int, int]:
        """Split modes: the profile's, else those of the split that runs now, else none (2)."""
        if self._profile.split_mode:
            return dict.fromkeys(timing.splits_s, self._profile.split_mode)
        running = (found.facts.pattern_splits.get(pattern, 0) for pattern in sorted(found.facts.running))
        split = next((number for number in running if number), 0)
        now = await self.read([f"{o.SPLIT}.4.{split}.{p}" for p in timing.splits_s]) if split else {}
        return {p: int(now.get(f"{o.SPLIT}.4.{split}.{p}", 0)) or 2 for p in timing.splits_s}

    def _back(self, change: Change) -> Permit:
        kept = {oid: v for oid, v in {**change.old_row, **change.old_switch}.items() if isinstance(v, int)}
        place = change.place
        return let_back(kept, pattern=place["pattern"], split=place["split"], actions=place["actions"])

    async def _fill(self, pairs: Sequence[Pair], permit: Permit, *, guard: bool) -> None:
        """Write cells into a row that is not in use; `guard`: only if nobody edited the database since `prepare`."""
        values = dict(pairs)
        messages = [[(oid, values[oid]) for oid in part] for part in parts(values, self._profile.pdu_bytes)]
        if not self._profile.transaction:
            for message in messages:
                await self._absolute(message, permit)
            return
        if await self._state() != o.NORMAL:
            raise RefusedError(f"controller {self.controller_id!r}: somebody else has a transaction open")
        await self._command(o.BUFFERING, reached={o.BUFFERING})
        for message in messages:
            await self._buffered(message, permit)
        await self._command(o.VERIFYING, reached={o.VERIFYING, o.VERIFIED})
        fault = await self._verdict()
        if not fault and guard and self._set_id is not None:
            now = (await self.read([o.SET_ID])).get(o.SET_ID)
            fault = "" if now == self._set_id else "somebody else edited the database in between"
            if fault:
                # a clean buffer would become live with normal(1); it fills our unused row only, and is restored
                await self._command(o.NORMAL, reached={o.NORMAL})
                raise RefusedError(f"controller {self.controller_id!r}: {fault}")
        await self._command(o.NORMAL, reached={o.NORMAL})
        if fault:
            raise RefusedError(f"controller {self.controller_id!r} refused the plan: {fault}")

    async def _verdict(self) -> str:
        """What the controller's verify says; nothing where it is content."""
        begin_s, wait_s = time.monotonic(), FIRST_POLL_S
        while (state := await self._state()) != o.VERIFIED:
            if state == o.NORMAL:
                return "it dropped the transaction (a restart, or another client)"
            if time.monotonic() - begin_s > self._profile.verify_s:
                return f"its verify did not end within {self._profile.verify_s:g} s"
            await asyncio.sleep(wait_s)
            wait_s = min(POLL_S, 2 * wait_s)
        answers = await self._client.get([o.VERIFY_STATUS, o.VERIFY_ERROR])
        status, error = answers[o.VERIFY_STATUS], answers[o.VERIFY_ERROR]
        if status == self._profile.verify_status[2]:
            return ""
        text = error.decode(errors="replace").strip() if isinstance(error, bytes) else ""
        return text or f"verify ended with status {status!r}"

    async def _state(self) -> int:
        value = (await self.read([o.TRANSACTION])).get(o.TRANSACTION)
        if not isinstance(value, int):
            raise RefusedError(f"controller {self.controller_id!r} has no database transaction; say so in its profile")
        return value

    async def _command(self, state: int, *, reached: set[int]) -> None:
        """Move the transaction on. Such a SET must not be sent twice: after silence, a GET tells what became of it."""
        for _ in range(TRIES):
            before = await self._state()
            try:
                await self._client.set([(o.TRANSACTION, state)], TRANSACTION_PERMIT)
            except NoAnswerError:
                now = await self._state()
                if now in reached:
                    return
                if now != before:
                    raise
            else:
                return
        raise NoAnswerError(f"controller {self.controller_id!r}: its transaction does not move on")

    async def _buffered(self, message: Sequence[Pair], permit: Permit) -> None:
        """A SET into the buffer, which cannot be read: repeated until answered, as it is absolute."""
        for n in range(TRIES):
            try:
                await self._client.set(message, permit)
            except NoAnswerError:
                if n == TRIES - 1:
                    raise
            else:
                return

    async def _absolute(self, message: Sequence[Pair], permit: Permit) -> None:
        """A SET that is read back, and repeated while it has surely not been done."""
        wanted = dict(message)
        for n in range(TRIES):
            try:
                await self._client.set(message, permit)
            except NoAnswerError:
                if n == TRIES - 1:
                    raise
            now = await self.read(wanted)
            if now == wanted:
                return
        raise RefusedError(f"controller {self.controller_id!r}: {_differences(wanted, now)} after {TRIES} tries")


def _pairs(values: Values) -> list[Pair]:
    return [(oid, value) for oid, value in values.items() if isinstance(value, int)]


def _part(values: Values, of: Iterable[str]) -> Values:
    return {oid: values[oid] for oid in of if oid in values}


def _differences(wanted: dict[str, int], now: Values) -> str:
    odd = [
        f"{o.name_of(oid)} is {now.get(oid)!r}, not {value}" for oid, value in wanted.items() if now.get(oid) != value
    ]
    return ", ".join(odd[:5])


def _trouble(now: Values) -> list[str]:
    """Alarms, flash and free running for a reason."""
    out = []
    if now.get(o.FLASH_STATUS, o.NOT_FLASHING) != o.NOT_FLASHING:
        out.append(f"flashes (unitFlashStatus {now[o.FLASH_STATUS]})")
    free = now.get(o.FREE_STATUS)
    if isinstance(free, int) and free in o.BAD_FREE:
        out.append(f"runs free: {o.BAD_FREE[free]}")
    alarms = now.get(o.ALARMS, 0)
    if isinstance(alarms, int):
        out += [f"alarm: {text}" for bit, text in o.BAD_ALARMS.items() if alarms >> bit & 1]
    return out
