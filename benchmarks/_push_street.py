"""A street of real agents behind a bad line, on which pushes are hurt in every way and the plans then counted.

The witness reads the agents past the line, by hand. What must hold after every push, and after the rerun that follows
one that ended unknown: each controller runs the old plan or the new one, whole, and the journal says which.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import signal
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from benchmarks import _push_wire as wire
from benchmarks._push_agents import SECRETS, Agent, cells_of, free_ports, wait_until_up
from benchmarks._push_proxy import Proxy
from its.push import objects as o
from its.push.journal import Journal, open_journals
from its.push.rollout import Push, Result, chosen_corridors, new_push_id, recover, roll_out
from its.push.snmp import SnmpClient
from its.push.targets import Targets
from its.store.times import utc_now
from network_data.plans import BarrierGroup, ControllerPlan, Interval, Phase, TimingPlan

SPLITS_S = (40, 20, 30)
PATTERNS = (2, 3)
"""Rows for the push; pattern 1 is what a controller comes up with."""
YELLOW_S, RED_S = 3.0, 2.0
STEPS = 60
"""More steps than a push of two controllers takes."""

Truth = tuple[int, ...]


def plan_of(name: str, variant: int) -> ControllerPlan:
    """A plan of three phases; variants differ in cycle, offset and splits."""
    splits = [s + (variant * (n + 1)) % 7 for n, s in enumerate(SPLITS_S)]
    rows: list[Interval] = []
    phases = []
    for n, split in enumerate(splits):
        green_s = split - YELLOW_S - RED_S
        letters = ["r"] * len(SPLITS_S)
        for letter, length_s in (("G", green_s), ("y", YELLOW_S), ("r", RED_S)):
            letters[n] = letter
            rows.append(Interval(float(length_s), "".join(letters)))
        phases.append(
            Phase(
                name=str(n + 1),
                movements=(),
                permitted=(),
                crossings=(),
                green_s=green_s,
                yellow_s=YELLOW_S,
                red_clearance_s=RED_S,
                min_green_s=5.0,
                max_green_s=green_s,
            )
        )
    return ControllerPlan(
        controller_id=name,
        program_id=f"v{variant}",
        offset_s=float(variant * 11 % sum(splits)),
        intervals=tuple(rows),
        barrier_groups=(BarrierGroup(rings=(tuple(phases),)),),
    )


@dataclass(frozen=True)
class Fault:
    """What is done to a push: its kind, and at which of its steps."""

    kind: str
    step: int = 1
    victim: int = 0


@dataclass
class Outcome:
    """What came of a faulted push; `wrong` is empty where the invariant held."""

    fault: Fault
    hit: bool
    states: dict[str, str]
    resolved: dict[str, str]
    wrong: list[str]
    reasons: list[str]


class Street:
    """Two agents (or more), a line, a journal; pushes that are hurt."""

    def __init__(
        self, folder: Path, *, n: int = 2, scripted: bool = True, command: str = "action", seed: int = 0
    ) -> None:
        os.environ.update(SECRETS)
        self.folder, self.scripted, self.command = folder, scripted, command
        self.names = [f"J{k + 1}" for k in range(n)]
        self._variant = 0
        self._base: Truth | None = None
        """What somebody else's command may put in force, where the fault is just that, perhaps after our last look."""
        base = {name: plan_of(name, 0) for name in self.names}
        self.agents = [
            Agent(name, port, folder / name, cells_of(base[name]), scripted=scripted)
            for name, port in zip(self.names, free_ports(n), strict=True)
        ]
        for agent in self.agents:
            agent.start()
        wait_until_up(self.agents)
        self.proxy = Proxy([agent.port for agent in self.agents], seed)
        self.journal = folder / "journal"

    def close(self) -> None:
        """End all that was started."""
        self.proxy.close()
        for agent in self.agents:
            agent.stop()

    def targets(self, **changes: Any) -> Targets:
        """The targets file, through the line."""
        profile = {
            "transaction": self.scripted,
            "status": self.scripted,
            "command": self.command,
            "watch_s": 0.0,
            "clock_s": None,
            "settle_s": 0.05,
            "patience_s": 0.6,
            "timeout_s": 0.2,
            "attempts": 9,
            "verify_s": 5.0,
            "pdu_bytes": 1400,
        }
        profile.update(changes.pop("profile", {}))
        entries = tuple(
            agent.target(patterns=PATTERNS, splits=PATTERNS, actions=(1,), **changes) | {"address": f"127.0.0.1:{port}"}
            for agent, port in zip(self.agents, self.proxy.ports, strict=True)
        )
        content = {
            "profile": {"default": profile},
            "order": {"requests_per_s": 1000.0, "controllers_per_min": 1e9, "min_change_s": 0.0},
            "controller": entries,
            "corridor": ({"name": "street", "controllers": tuple(self.names)},),
        }
        return Targets.model_validate(content)

    def truth(self) -> dict[str, Truth]:
        """The plan that each controller runs, cell by cell, as the witness reads it."""
        return {agent.name: _running(agent, self.command) for agent in self.agents}

    def row_of(self, plan: ControllerPlan) -> Truth:
        """What the cells of a controller read that runs a plan of ours."""
        splits = [round(p.split_s) for g in plan.barrier_groups for ring in g.rings for p in ring]
        flags = [1] + [0] * (len(splits) - 1)
        return (round(plan.cycle_s), round(plan.offset_s), 1, *splits, *flags)

    def push(self, fault: Fault) -> Outcome:
        """Push the next variant with a fault, heal everything, rerun where needed, and compare with the witness."""
        self._variant += 1
        self.reasons: list[str] = []
        plan = TimingPlan(controllers={name: plan_of(name, self._variant) for name in self.names})
        old = self.truth()
        new = {name: self.row_of(plan.controllers[name]) for name in self.names}
        self._base = self.row_of(plan_of("", 0)) if fault.kind == "second commander" else None
        injured = _Injury(self, fault)
        states = self._pushed(plan, fault, injured)
        self.heal()
        now = self.truth()
        wrong = self._mixed(now, old, new, "after the push") + self._said(states, now, old, new)
        resolved = dict(states)
        if any(state == "unknown" for state in states.values()) or open_journals(self.journal):
            results = recover(self.targets(), self.journal, self._push_of(plan, self.targets()))
            resolved.update({r.controller: r.state for r in results})
            now = self.truth()
            wrong += self._mixed(now, old, new, "after the rerun") + self._said(resolved, now, old, new)
            if any(state == "unknown" for state in resolved.values()) or open_journals(self.journal):
                wrong.append("a rerun did not resolve the unknown")
        if len({now[name] == new[name] for name in self.names if now[name] != self._base}) > 1:
            wrong.append(f"the corridor is torn: {now}")
        wrong += [
            f"{a.name}: a transaction is left open" for a in self.agents if self.scripted and _transaction(a) != 1
        ]
        return Outcome(fault, injured.hit, states, resolved, [f"{fault}: {text}" for text in wrong], self.reasons)

    def heal(self) -> None:
        """Line, agents and disk in order again."""
        self.proxy.heal()
        for agent in self.agents:
            agent.thaw()
            if not agent.running:
                agent.start()
            agent.misbehave()
        wait_until_up(self.agents)
        self.free_transactions()

    def free_transactions(self) -> None:
        """A second client that left its transaction open goes away in the end."""
        for agent in self.agents:
            if agent.foreign:
                wire.ask(agent.port, wire.SET, [(o.TRANSACTION, o.NORMAL)])
                agent.foreign = False

    def _push_of(self, plan: TimingPlan, targets: Targets) -> Push:
        return Push(
            push_id=new_push_id(f"{self._variant:08x}", utc_now()),
            plan_id="0" * 64,
            plan=plan,
            targets=targets,
            folder=self.journal,
        )

    def _pushed(self, plan: TimingPlan, fault: Fault, injury: _Injury) -> dict[str, str]:
        targets = self.targets(**injury.changes())
        push = self._push_of(plan, targets)
        if fault.kind == "kill -9":
            self._in_a_child(push, injury)
            injury.hit = True
            return {}
        with injury.inflicted():
            results: list[Result] = roll_out(push, chosen_corridors(targets, plan))
        self.reasons = [text for result in results for text in result.reasons]
        return {result.controller: result.state for result in results}

    def _in_a_child(self, push: Push, injury: _Injury) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # the line's thread is not needed in the child
            child = os.fork()
        if child == 0:
            try:
                with injury.inflicted():
                    roll_out(push, chosen_corridors(push.targets, push.plan))
            finally:
                os._exit(0)
        os.waitpid(child, 0)

    def _mixed(self, now: dict[str, Truth], old: dict[str, Truth], new: dict[str, Truth], when: str) -> list[str]:
        return [
            f"{name} {when} runs {now[name]}, neither the old {old[name]} nor the new {new[name]}"
            for name in self.names
            if now[name] not in (old[name], new[name], self._base)
        ]

    def _said(
        self, states: dict[str, str], now: dict[str, Truth], old: dict[str, Truth], new: dict[str, Truth]
    ) -> list[str]:
        meant = {"new": new, "old": old}
        return [
            f"{name} is said to be {state}, runs {now[name]}"
            for name, state in states.items()
            if state in meant and now[name] not in (meant[state][name], self._base)
        ]


class _Injury:
    """Does what a fault says at its step; a step is a line of the journal or a SET, before and after."""

    def __init__(self, street: Street, fault: Fault) -> None:
        self.street, self.fault, self.hit, self._n = street, fault, False, 0
        self._full = False

    def changes(self) -> dict[str, Any]:
        """Faults of the targets file: credentials."""
        secrets = {"wrong key": "wrong", "wrong privacy key": "half"}
        out: dict[str, Any] = {}
        if self.fault.kind in secrets:
            self.hit = True
            out["secret"] = secrets[self.fault.kind]
        if self.fault.kind == "read-only user":
            self.hit = True
            out.update(user="viewer", secret="viewer")
        if "loss" in self.fault.kind:
            out["profile"] = {"attempts": 16}
        if self.fault.kind in ("wrong privacy key", "agent dies", "agent hangs"):
            out["profile"] = {"attempts": 3}
        return out

    @contextlib.contextmanager
    def inflicted(self) -> Iterator[None]:
        """While this lasts, the fault is in force."""
        kind, street = self.fault.kind, self.street
        victim = street.agents[self.fault.victim % len(street.agents)]
        if kind == "30 % loss":
            street.proxy.loss, self.hit = 0.3, True
        elif kind == "doubled packets":
            street.proxy.double, self.hit = 0.5, True
        elif kind == "loss, doubled and late":
            street.proxy.loss, street.proxy.double, street.proxy.late_s, self.hit = 0.15, 0.2, 0.15, True
        elif kind in ("read-only cell", "partial store", "verify error"):
            row = _idle_row(victim, street.command)
            cell = f".{o.SPLIT}.3.{row}.2"
            faults: dict[str, Any] = {"read-only cell": {"read_only": [cell]}, "partial store": {"loses": [cell]}}
            victim.misbehave(**faults.get(kind, {"verify_error": "SEQ 01 SAME PHASE FAULT"}))
            self.hit = True
        elif kind == "second client in a transaction":
            wire.ask(victim.port, wire.SET, [(o.TRANSACTION, o.BUFFERING)])
            victim.foreign = self.hit = True
        note, send = Journal.note, SnmpClient.set
        if self.fault.kind == "disk full":
            with mock.patch.object(os, "write", self._limited(os.write)), self._stepped(note, send):
                yield
            return
        with self._stepped(note, send):
            yield

    @contextlib.contextmanager
    def _stepped(self, note: Callable[..., None], send: Callable[..., Any]) -> Iterator[None]:
        def noted(journal: Journal, *names: Any, **data: Any) -> None:
            self._step()
            note(journal, *names, **data)
            self._step()

        async def sent(client: SnmpClient, *names: Any) -> None:
            self._step()
            await send(client, *names)
            self._step()

        with mock.patch.object(Journal, "note", noted), mock.patch.object(SnmpClient, "set", sent):
            yield

    def _step(self) -> None:
        self._n += 1
        if self._n != self.fault.step:
            return
        victim = self.street.agents[self.fault.victim % len(self.street.agents)]
        kind = self.fault.kind
        if kind == "kill -9":
            os.kill(os.getpid(), signal.SIGKILL)
        elif kind == "second commander":
            wire.ask(victim.port, wire.SET, [(f"{o.ACTION_PATTERN}.1", 1)])
        elif kind == "asked to stop":
            os.kill(os.getpid(), signal.SIGTERM)
        elif kind == "agent dies":
            victim.stop()
        elif kind == "agent reboots":
            victim.stop()
            victim.start()
            wait_until_up([victim])
        elif kind == "agent hangs":
            victim.freeze()
        elif kind == "disk full":
            self._full = True
        elif kind == "second writer":
            _write_past(victim, self.street)
        else:
            return
        self.hit = True

    def _limited(self, write: Callable[[int, bytes], int]) -> Callable[[int, bytes], int]:
        def limited(handle: int, data: bytes) -> int:
            if self._full and data.startswith(b'{"hash"'):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return write(handle, data)

        return limited


KINDS: tuple[str, ...] = (
    "none", "30 % loss", "doubled packets", "loss, doubled and late", "kill -9", "agent dies", "agent reboots",
    "agent hangs", "disk full", "second client in a transaction", "second writer", "wrong key", "wrong privacy key",
    "read-only user", "read-only cell", "partial store", "verify error", "asked to stop",
    "second commander",
)  # fmt: skip
STEPPED = (
    "kill -9",
    "agent dies",
    "agent reboots",
    "agent hangs",
    "disk full",
    "second writer",
    "asked to stop",
    "second commander",
)
"""Faults that strike at a step."""


def _running(agent: Agent, command: str) -> Truth:
    pattern = _pattern(agent, command)
    split = int(wire.read(agent.port, [f"{o.PATTERN}.4.{pattern}"])[f"{o.PATTERN}.4.{pattern}"])
    names = [f"{o.PATTERN}.{column}.{pattern}" for column in (2, 3, 5)]
    names += [f"{o.SPLIT}.{column}.{split}.{phase}" for column in (3, 5) for phase in range(1, len(SPLITS_S) + 1)]
    found = wire.read(agent.port, names)
    return tuple(int(found[name]) for name in names)


def _pattern(agent: Agent, command: str) -> int:
    found = wire.read(agent.port, [o.SYSTEM_PATTERN, f"{o.ACTION_PATTERN}.1"])
    return (
        int(found[o.SYSTEM_PATTERN])
        if command == "system" and found[o.SYSTEM_PATTERN]
        else int(found[f"{o.ACTION_PATTERN}.1"])
    )


def _idle_row(agent: Agent, command: str) -> int:
    return PATTERNS[1] if _pattern(agent, command) == PATTERNS[0] else PATTERNS[0]


def _transaction(agent: Agent) -> int:
    return int(wire.read(agent.port, [o.TRANSACTION])[o.TRANSACTION])


def _write_past(agent: Agent, street: Street) -> None:
    """Somebody else writes into the row that is being filled, in a transaction of their own if one is needed."""
    row = _idle_row(agent, street.command)
    cell = (f"{o.SPLIT}.3.{row}.1", 77)
    with contextlib.suppress(RuntimeError):
        if street.scripted:
            if _transaction(agent) != o.NORMAL:
                return
            wire.ask(agent.port, wire.SET, [(o.TRANSACTION, o.BUFFERING)])
            wire.ask(agent.port, wire.SET, [cell])
            wire.ask(agent.port, wire.SET, [(o.TRANSACTION, o.VERIFYING)])
            while _transaction(agent) != o.VERIFIED:
                time.sleep(0.01)
            wire.ask(agent.port, wire.SET, [(o.TRANSACTION, o.NORMAL)])
        else:
            wire.ask(agent.port, wire.SET, [cell])


def fresh_street(folder: Path, **options: Any) -> Street:
    """A street in an empty folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return Street(folder, **options)
