"""Who goes first: unfinished pushes are brought to an end, a canary goes alone, then waves, until anything fails."""

from __future__ import annotations

import asyncio
import multiprocessing
import secrets
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from its.push.corridor import CorridorPush, Member
from its.push.drivers import Drivers
from its.push.journal import Journal, JournalFullError, journal_path, open_journals, read_journal
from its.push.street import Street, refuse_read
from its.push.targets import Corridor, Targets
from its.store.times import utc_now
from network_data.errors import InputError, SignalError
from network_data.plans import TimingPlan


@dataclass(frozen=True, kw_only=True)
class Result:
    """What became of one controller; `reasons` tell why it is not new, or what was odd on the way."""

    controller: str
    corridor: str
    driver: str
    insecure: str
    state: str
    switched: bool
    reasons: tuple[str, ...]
    change: dict[str, Any] | None
    read_back: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Push:
    """A push: the plan, where it goes, where it is written down.

    With a `street` what was read back must keep its rules. `begun` hears of each corridor before anything is sent to
    it, `told` hears its results.
    """

    push_id: str
    plan_id: str
    plan: TimingPlan
    targets: Targets
    folder: Path
    street: Street | None = None
    clock: Callable[[], datetime] = utc_now
    begun: Callable[[str, str, Corridor], None] = lambda _push, _plan, _corridor: None
    told: Callable[[str, str, Sequence[Result]], None] = lambda _push, _plan, _results: None
    say: Callable[[str], None] = lambda _text: None


def new_push_id(plan_id: str, now: datetime) -> str:
    """An id that sorts by time and names the plan."""
    return f"{now.strftime('%Y%m%dT%H%M%SZ')}-{plan_id[:8]}-{secrets.token_hex(3)}"


def chosen_corridors(targets: Targets, plan: TimingPlan, names: Sequence[str] = ()) -> list[Corridor]:
    """The corridors a plan goes to.

    Raises
    ------
    InputError
        A corridor of which the plan names some controllers only; controllers of the plan without a target (unless
        corridors are chosen by name); unknown names.
    """
    known = {corridor.name: corridor for corridor in targets.corridors()}
    faults = [f"there is no corridor {name!r}" for name in names if name not in known]
    chosen = [known[name] for name in names if name in known] if names else list(known.values())
    out = []
    for corridor in chosen:
        lacking = [c for c in corridor.controllers if c not in plan.controllers]
        if not lacking:
            out.append(corridor)
        elif len(lacking) < len(corridor.controllers) or names:
            faults.append(f"corridor {corridor.name!r}: the plan does not name {', '.join(lacking)}")
    if not names:
        reached = {c for corridor in chosen for c in corridor.controllers}
        faults += [f"controller {c!r} of the plan has no target" for c in plan.controllers if c not in reached]
    if not out and not faults:
        faults.append("none of its controllers is in the plan")
    if faults:
        raise InputError("targets", faults)
    return out


def waves(corridors: Sequence[Corridor], targets: Targets) -> Iterator[list[Corridor]]:
    """Canaries one by one, then waves."""
    order = targets.order
    for corridor in corridors[: order.canary]:
        yield [corridor]
    for first in range(order.canary, len(corridors), order.wave):
        yield list(corridors[first : first + order.wave])


def too_soon(
    corridors: Sequence[Corridor], targets: Targets, last_utc: Mapping[str, datetime], now: datetime
) -> list[str]:
    """Controllers whose pattern was changed too short a time ago, in words."""
    wait = timedelta(seconds=targets.order.min_change_s)
    names = [c for corridor in corridors for c in corridor.controllers]
    return [
        f"controller {c!r} got its last pattern at {last_utc[c]:%H:%M:%S} UTC; "
        f"not again before {last_utc[c] + wait:%H:%M:%S}"
        for c in names
        if c in last_utc and now - last_utc[c] < wait
    ]


def recover(targets: Targets, folder: Path, push: Push) -> list[Result]:
    """Bring every push that was killed, or ended unknown, to a known state, as far as its controllers answer."""
    out: list[Result] = []
    for path in open_journals(folder):
        out += asyncio.run(_recover(path, targets, push))
    return out


def roll_out(push: Push, corridors: Sequence[Corridor]) -> list[Result]:
    """Push to the corridors, wave by wave; stop after the first wave in which a controller is not new."""
    processes = push.targets.order.processes
    if processes == 1 or len(corridors) <= push.targets.order.canary:
        return asyncio.run(_roll_out(push, corridors, None))
    with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn")) as pool:
        return asyncio.run(_roll_out(push, corridors, pool))


async def _roll_out(push: Push, corridors: Sequence[Corridor], pool: Executor | None) -> list[Result]:
    out: list[Result] = []
    with stop_flag() as stopped:
        for n, wave in enumerate(waves(corridors, push.targets), start=1):
            names = ", ".join(corridor.name for corridor in wave[:3]) + ("…" if len(wave) > 3 else "")
            push.say(f"wave {n}: {len(wave)} corridors ({names})")
            begin_s = time.monotonic()
            out += await _wave(push, wave, pool, stopped)
            if any(result.state != "new" for result in out) or stopped():
                push.say("stopped: a controller did not take its plan")
                break
            if sum(len(corridor.controllers) for corridor in corridors) > len(out):
                changed = sum(len(corridor.controllers) for corridor in wave)
                spent_s = time.monotonic() - begin_s
                await asyncio.sleep(max(0.0, 60.0 * changed / push.targets.order.controllers_per_min - spent_s))
    return out


async def _wave(
    push: Push, wave: Sequence[Corridor], pool: Executor | None, stopped: Callable[[], bool]
) -> list[Result]:
    """All corridors of a wave at once; spread over the processes where there are several."""
    try:
        for corridor in wave:
            _open(push, corridor)
    except JournalFullError as error:
        return [_not_begun(push, c, corridor, str(error)) for corridor in wave for c in corridor.controllers]
    if pool is None or len(wave) == 1:
        results = await _corridors(push, wave, stopped)
    else:
        loop = asyncio.get_running_loop()
        bare = replace(push, begun=_hear_nothing, told=_hear_nothing, say=_hear_nothing)
        parts = [list(wave[k :: push.targets.order.processes]) for k in range(push.targets.order.processes)]
        done = await asyncio.gather(*(loop.run_in_executor(pool, work, bare, part) for part in parts if part))
        results = [result for part in done for result in part]
    for corridor in wave:
        push.told(push.push_id, push.plan_id, [r for r in results if r.corridor == corridor.name])
    return results


def work(push: Push, corridors: Sequence[Corridor]) -> list[Result]:
    """What one process does of a wave."""

    async def run() -> list[Result]:
        with stop_flag() as stopped:
            return await _corridors(push, corridors, stopped)

    return asyncio.run(run())


async def _corridors(push: Push, corridors: Sequence[Corridor], stopped: Callable[[], bool]) -> list[Result]:
    drivers = Drivers(push.targets)
    try:
        done = await asyncio.gather(*(_one(push, corridor, drivers, stopped) for corridor in corridors))
    finally:
        drivers.close()
    return [result for part in done for result in part]


def _not_begun(push: Push, controller: str, corridor: Corridor, reason: str) -> Result:
    member = _member(Drivers(push.targets), push.targets, controller, None)
    member.reasons.append(reason)
    return _result(member, corridor.name)


def _hear_nothing(*_: object) -> None:
    pass


def _open(push: Push, corridor: Corridor) -> None:
    """The first line of a corridor's journal; only then others are told that it has begun."""
    journal = Journal(journal_path(push.folder, push.push_id, corridor.name), push.clock)
    try:
        journal.note(
            "opened",
            push=push.push_id,
            plan=push.plan_id,
            corridor=corridor.name,
            controllers=list(corridor.controllers),
            addresses={c: _address(push.targets, c) for c in corridor.controllers},
        )
    finally:
        journal.close()
    push.begun(push.push_id, push.plan_id, corridor)


async def _one(push: Push, corridor: Corridor, drivers: Drivers, stopped: Callable[[], bool]) -> list[Result]:
    members = [_member(drivers, push.targets, c, push.plan) for c in corridor.controllers]
    journal = Journal(journal_path(push.folder, push.push_id, corridor.name), push.clock)
    try:
        await CorridorPush(members, journal, stopped, lambda member: _judged(push, member)).run()
    finally:
        journal.close()
        await asyncio.gather(*(member.driver.close() for member in members))
    return [_result(member, corridor.name) for member in members]


def _judged(push: Push, member: Member) -> None:
    """`check_plan` on what the controller holds now."""
    target = push.targets.target(member.id)
    if push.street is not None and member.plan is not None and member.change is not None and target is not None:
        refuse_read(push.street, member.plan, member.change, member.read_back, target, push.targets.profile_of(target))


async def _recover(path: Path, targets: Targets, push: Push) -> list[Result]:
    entries = read_journal(path)
    opened = entries[0].data
    faults = []
    for controller, address in opened["addresses"].items():
        if targets.target(controller) is None:
            faults.append(f"controller {controller!r} is not in the targets; an unfinished push to it must end first")
        elif _address(targets, controller) != address:
            faults.append(f"controller {controller!r} was at {address} when the unfinished push began; has it moved?")
    if faults:
        raise InputError(str(path), faults)
    push.say(f"ending the push {opened['push']} of corridor {opened['corridor']}, which was left open")
    drivers = Drivers(targets)
    members = [_member(drivers, targets, c, None) for c in opened["controllers"]]
    journal = Journal(path, push.clock)
    try:
        await CorridorPush(members, journal).resume(entries)
    finally:
        journal.close()
        await asyncio.gather(*(member.driver.close() for member in members))
        drivers.close()
    results = [_result(member, opened["corridor"]) for member in members]
    push.told(opened["push"], opened["plan"], results)
    return results


def _member(drivers: Drivers, targets: Targets, controller_id: str, plan: TimingPlan | None) -> Member:
    target = targets.target(controller_id)
    if target is None:
        raise InputError("targets", f"controller {controller_id!r} is not in the file")
    return Member(drivers.make(target), plan.controllers.get(controller_id) if plan is not None else None)


def _address(targets: Targets, controller_id: str) -> str:
    target = targets.target(controller_id)
    return target.address if target is not None else ""


def _result(member: Member, corridor: str) -> Result:
    return Result(
        controller=member.id,
        corridor=corridor,
        driver=member.driver.kind,
        insecure=member.driver.insecure,
        state=member.state,
        switched=member.switched and member.change is not None and member.change.takes_effect_now,
        reasons=tuple(member.reasons),
        change=member.change.as_json() if member.change is not None else None,
        read_back=dict(member.read_back),
    )


@contextmanager
def stop_flag() -> Iterator[Callable[[], bool]]:
    """Whether somebody asked the process to end (SIGINT, SIGTERM): then the corridors at work go back first."""
    asked: list[int] = []
    loop = asyncio.get_running_loop()
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, asked.append, number)
    except (NotImplementedError, RuntimeError, ValueError):
        pass  # not the main thread, or no signals here
    try:
        yield lambda: bool(asked)
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            try:
                loop.remove_signal_handler(number)
            except (NotImplementedError, RuntimeError, ValueError):
                break


async def rehearse(push: Push, corridors: Sequence[Corridor]) -> list[Result]:
    """A dry run: every controller is read and its values pass the gate; nothing is written, not even a journal."""
    drivers = Drivers(push.targets)
    out: list[Result] = []
    try:
        for corridor in corridors:
            members = [_member(drivers, push.targets, c, push.plan) for c in corridor.controllers]
            await asyncio.gather(*(_prepared(member) for member in members))
            out += [_result(member, corridor.name) for member in members]
            await asyncio.gather(*(member.driver.close() for member in members))
    finally:
        drivers.close()
    return out


async def _prepared(member: Member) -> None:
    if member.plan is None:
        return
    try:
        member.change = await member.driver.prepare(member.plan)
    except SignalError as error:
        member.reasons.append(str(error))
