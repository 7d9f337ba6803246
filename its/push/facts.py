"""What is read from a controller before anything is sent: who it is, whether it is fit, and what the gate must know."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from its.push import objects as o
from its.push.driver import RefusedError
from its.push.gate import DeviceFacts, PhaseFacts
from its.push.snmp import Answer, SnmpClient
from its.push.targets import Profile, Target

Answers = Mapping[str, Answer | None]


@dataclass(frozen=True, kw_only=True)
class Found:
    """The facts for the gate, and what else the push needs: set id, sync of offsets, values of the switch.

    `takes_effect_now` is False where the switch is an action of the day that is not in force.
    """

    facts: DeviceFacts
    takes_effect_now: bool
    set_id: int | None
    sync_s: int
    switch: dict[str, int]
    notes: tuple[str, ...]


async def check_identity(client: SnmpClient, target: Target) -> None:
    """Refuse a controller that is not the one meant."""
    answers = await client.get(target.identity)
    wrong = [
        f"{oid} reads {_shown(answers[oid])}, expected {want!r}"
        for oid, want in target.identity.items()
        if not _same(answers[oid], want)
    ]
    if wrong:
        raise RefusedError(f"controller {target.id!r} at {target.address} is another one: {'; '.join(wrong)}")


async def read_facts(client: SnmpClient, target: Target, profile: Profile) -> Found:
    """Read what the gate needs, and refuse a controller that is not fit to be changed now.

    Raises
    ------
    RefusedError
        Flash, manual control, an open transaction, tables of another kind, a wrong clock; all reasons together.
    """
    scalars = await client.get(_scalars(profile))
    phases = _whole(scalars, o.MAX_PHASES, 8)
    patterns = min(_whole(scalars, o.MAX_PATTERNS, 0), 253)
    splits, rings = _whole(scalars, o.MAX_SPLITS, 0), max(1, _whole(scalars, o.MAX_RINGS, 2))
    n_actions = min(_whole(scalars, o.MAX_ACTIONS, 0), 255)
    faults, notes = _unfit(scalars, profile)
    if faults:
        raise RefusedError(f"controller {target.id!r}: {'; '.join(faults)}")
    rows = [f"{o.PHASE}.{column}.{phase}" for phase in range(1, phases + 1) for column in o.PHASE_COLUMNS]
    rows += [f"{o.PATTERN}.4.{pattern}" for pattern in range(1, patterns + 1)]
    rows += [f"{o.SEQUENCE}.{target.sequence}.{ring}" for ring in range(1, rings + 1)]
    rows += [f"{o.ACTION_PATTERN}.{action}" for action in range(1, n_actions + 1)]
    answers = await client.get(rows)
    actions = {n: _whole(answers, f"{o.ACTION_PATTERN}.{n}", 0) for n in range(1, n_actions + 1)}
    order = [_octets(answers[f"{o.SEQUENCE}.{target.sequence}.{ring}"]) for ring in range(1, rings + 1)]
    if profile.command == "action":
        lacking = [n for n in target.actions if n not in actions]
        if lacking:
            raise RefusedError(f"controller {target.id!r}: has no action {', '.join(map(str, lacking))}")
        switch = {f"{o.ACTION_PATTERN}.{n}": actions[n] for n in target.actions}
    else:
        switch = {o.SYSTEM_PATTERN: _whole(scalars, o.SYSTEM_PATTERN, 0)}
    facts = DeviceFacts(
        phases=_phases(answers, phases),
        max_patterns=patterns,
        max_splits=splits,
        pattern_splits={
            n: _whole(answers, f"{o.PATTERN}.4.{n}", 0)
            for n in range(1, patterns + 1)
            if answers[f"{o.PATTERN}.4.{n}"] is not None
        },
        orders={target.sequence: order} if any(order) else {},
        running=frozenset({_whole(scalars, o.PATTERN_STATUS, 0), _whole(scalars, o.SYSTEM_PATTERN, 0)}),
        action_patterns=actions,
    )
    set_id = scalars.get(o.SET_ID)
    sync_s = 60 * _whole(scalars, o.PATTERN_SYNC, 0)
    in_force = scalars.get(o.ACTION_STATUS)
    return Found(
        facts=facts,
        takes_effect_now=profile.command == "system" or in_force is None or in_force in target.actions,
        set_id=set_id if isinstance(set_id, int) else None,
        sync_s=sync_s,
        switch=switch,
        notes=tuple(notes),
    )


def _scalars(profile: Profile) -> list[str]:
    out = [o.MAX_PHASES, o.MAX_PATTERNS, o.PATTERN_TABLE_TYPE, o.MAX_SPLITS, o.MAX_RINGS, o.MAX_ACTIONS]
    out += [o.OPERATIONAL_MODE, o.PATTERN_STATUS, o.SYSTEM_PATTERN, o.FREE_STATUS, o.FLASH_STATUS, o.PATTERN_SYNC]
    out += [o.BACKUP_TIME, o.SET_ID, o.TIME, o.ACTION_STATUS]
    return [*out, o.TRANSACTION] if profile.transaction else out


def _unfit(scalars: Answers, profile: Profile) -> tuple[list[str], list[str]]:
    """Reasons not to change the controller now, and what is worth a note."""
    faults, notes = [], []
    if _whole(scalars, o.OPERATIONAL_MODE, 0) != 0:
        mode = _whole(scalars, o.OPERATIONAL_MODE, 0)
        faults.append(f"is set to manual (coordOperationalMode {mode}); it would not follow")
    if _whole(scalars, o.PATTERN_TABLE_TYPE, 2) != 2:
        faults.append("keeps several rows per plan (patternTableType); not supported")
    if _whole(scalars, o.FLASH_STATUS, o.NOT_FLASHING) != o.NOT_FLASHING:
        faults.append(f"is flashing (unitFlashStatus {_whole(scalars, o.FLASH_STATUS, 0)})")
    if _whole(scalars, o.PATTERN_STATUS, 0) == 255:
        faults.append("runs flash")
    sync = _whole(scalars, o.PATTERN_SYNC, 0)
    if sync == o.MIDNIGHT_BY_ACTION:
        faults.append("counts offsets from the time of the action (timebaseAscPatternSync 65535); set a time of day")
    if profile.transaction and scalars.get(o.TRANSACTION) != o.NORMAL:
        faults.append(
            f"has a transaction open (dbCreateTransaction {_shown(scalars.get(o.TRANSACTION))}): somebody else works"
        )
    clock = scalars.get(o.TIME)
    if profile.clock_s is not None and isinstance(clock, int):
        off_s = clock - time.time()
        if abs(off_s) > profile.clock_s:
            faults.append(f"has a clock that is {off_s:+.0f} s off; offsets would be as far off")
    backup_s = _whole(scalars, o.BACKUP_TIME, 0)
    if profile.command == "system" and backup_s:
        notes.append(f"leaves the system's command after {backup_s} s without one (unitBackupTime)")
    return faults, notes


def _phases(answers: Answers, n_phases: int) -> dict[int, PhaseFacts]:
    out = {}
    for phase in range(1, n_phases + 1):

        def value(column: int, phase: int = phase) -> int:
            return _whole(answers, f"{o.PHASE}.{column}.{phase}", 0)

        if value(o.OPTIONS) & o.ENABLED_BIT and value(o.RING):
            out[phase] = PhaseFacts(
                ring=value(o.RING),
                min_green_s=value(o.MIN_GREEN),
                walk_s=value(o.WALK),
                ped_clear_s=value(o.PED_CLEAR),
                yellow_ds=value(o.YELLOW),
                red_ds=value(o.RED_CLEAR),
                concurrent=frozenset(_octets(answers[f"{o.PHASE}.{o.CONCURRENCY}.{phase}"])),
            )
    return out


def _whole(answers: Answers, oid: str, default: int) -> int:
    value = answers.get(oid)
    return value if isinstance(value, int) else default


def _octets(value: Answer | None) -> tuple[int, ...]:
    return tuple(value) if isinstance(value, bytes) else ()


def _same(value: Answer | None, want: str | int) -> bool:
    if isinstance(value, bytes) and isinstance(want, str):
        return value == (bytes.fromhex(want[2:]) if want.startswith("0x") else want.encode())
    return value == want


def _shown(value: Answer | None) -> str:
    if isinstance(value, bytes):
        return repr(value.decode()) if value.isascii() else f"0x{value.hex()}"
    return "nothing" if value is None else repr(value)
