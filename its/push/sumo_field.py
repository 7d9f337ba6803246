"""The SUMO driver: a running simulation as the field of a rehearsal, over TraCI.

The unused row is a program that does not run; to switch is to make it run, at the very second of its cycle that the
offset asks for. SUMO runs in its own process with `--remote-port`; this driver is its first and only client, and the
simulation stands still during a push.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from typing import Any

from its.push.driver import Change, ChangedElsewhereError, NoAnswerError, RefusedError, Values
from its.push.gate_table import Table, TableSending, table_faults
from its.push.targets import Profile, Target
from network_data.errors import InputError
from network_data.plans import ControllerPlan

FIXED_TIME = 0
NAMES = ("its-a", "its-b")
"""Ids of the two programs that a push fills in turn."""
_connections: dict[str, Any] = {}


def connect(address: str) -> Any:
    """The connection to a simulation; one per address and process.

    Raises
    ------
    InputError
        TraCI is not installed.
    NoAnswerError
        Nobody listens.
    """
    try:
        import traci
        from traci.exceptions import FatalTraCIError
    except ModuleNotFoundError:
        raise InputError("push", "needs traci; install it with: pip install 'its-signals[sumo]'") from None
    if address not in _connections:
        host, _, port = address.rpartition(":")
        try:
            _connections[address] = traci.connect(port=int(port), host=host, numRetries=20, waitBetweenRetries=0.2)
        except (FatalTraCIError, OSError) as error:
            raise NoAnswerError(f"SUMO at {address}: {error}") from None
    return _connections[address]


def disconnect(address: str) -> None:
    """End the connection, and with it the simulation."""
    connection = _connections.pop(address, None)
    if connection is not None:
        connection.close()


class SumoDriver:
    """One traffic light of a simulation."""

    kind = "sumo"
    insecure = ""

    def __init__(self, target: Target, profile: Profile) -> None:
        self.controller_id = target.id
        self._target, self._profile = target, profile

    async def prepare(self, plan: ControllerPlan) -> Change:
        """See `Driver`."""
        sumo = await asyncio.to_thread(connect, self._target.address)
        if self._target.there not in sumo.trafficlight.getIDList():
            raise RefusedError(
                f"controller {self.controller_id!r}: the simulation has no signal {self._target.there!r}"
            )
        running = sumo.trafficlight.getProgram(self._target.there)
        name = NAMES[1] if running == NAMES[0] else NAMES[0]
        rows = [(i.duration_s, i.state) for i in plan.intervals]
        now = self._rows(running)
        in_force = Table(cycle_s=sum(d for d, _ in now), offset_s=0.0, rows=now) if now else None
        table = Table(cycle_s=plan.cycle_s, offset_s=plan.offset_s, rows=rows)
        faults = table_faults(TableSending(table=table, in_force=in_force, cycle_bounds_s=self._profile.cycle_s))
        if faults:
            raise RefusedError(f"controller {self.controller_id!r}, last gate: {'; '.join(faults)}")
        return Change(
            controller_id=self.controller_id,
            place={"program": name, "offset_s": plan.offset_s},
            row={name: _text(rows)},
            switch={"program": name},
            old_row={name: _text(self._rows(name))},
            old_switch={"program": running},
        )

    async def read(self, names: Iterable[str]) -> Values:
        """See `Driver`."""
        lights, there = connect(self._target.address).trafficlight, self._target.there
        return {name: lights.getProgram(there) if name == "program" else _text(self._rows(name)) for name in names}

    async def write_row(self, change: Change) -> None:
        """See `Driver`."""
        self._upload(change.row)

    async def switch(self, change: Change) -> None:
        """See `Driver`."""
        if await self.read(change.switch) != change.old_switch:
            raise RefusedError(f"controller {self.controller_id!r}: another program was started in between")
        self._run(str(change.switch["program"]), float(change.place["offset_s"]))

    async def watch(self, change: Change) -> list[str]:
        """See `Driver`."""
        running = (await self.read(["program"]))["program"]
        return [] if running == change.switch["program"] else [f"program {running} runs instead"]

    async def switch_back(self, change: Change) -> None:
        """See `Driver`."""
        now = (await self.read(["program"]))["program"]
        if now not in (change.switch["program"], change.old_switch["program"]):
            raise ChangedElsewhereError(f"controller {self.controller_id!r}: another program was started")
        if now != change.old_switch["program"]:
            connect(self._target.address).trafficlight.setProgram(self._target.there, change.old_switch["program"])

    async def restore_row(self, change: Change) -> None:
        """See `Driver`; a program that was not there cannot be taken out again, it stays and does not run."""
        self._upload({name: text for name, text in change.old_row.items() if text != "[]"})

    async def clear(self, change: Change) -> str:  # noqa: ARG002
        """See `Driver`; the simulation has no transaction."""
        return ""

    async def close(self) -> None:
        """The connection stays: its end would end the simulation."""

    def _rows(self, program: str) -> list[tuple[float, str]]:
        logics = connect(self._target.address).trafficlight.getAllProgramLogics(self._target.there)
        return next(([(p.duration, p.state) for p in x.phases] for x in logics if x.programID == program), [])

    def _upload(self, row: Values) -> None:
        """Programs that do not run; SUMO starts what it is given, so the running one is started again at its place."""
        lights = connect(self._target.address).trafficlight
        there = self._target.there
        running, phase = lights.getProgram(there), lights.getPhase(there)
        rest_s = lights.getNextSwitch(there) - connect(self._target.address).simulation.getTime()
        for name, text in row.items():
            phases = [lights.Phase(duration, state) for duration, state in json.loads(str(text))]
            lights.setProgramLogic(there, lights.Logic(name, FIXED_TIME, 0, phases))
        lights.setProgram(there, running)
        lights.setPhase(there, phase)
        lights.setPhaseDuration(there, rest_s)

    def _run(self, program: str, offset_s: float) -> None:
        """Start a program in step with the clock."""
        sumo = connect(self._target.address)
        sumo.trafficlight.setProgram(self._target.there, program)
        rows = self._rows(program)
        t_s = (sumo.simulation.getTime() - offset_s) % sum(d for d, _ in rows)
        for n, (duration_s, _) in enumerate(rows):
            if t_s < duration_s:
                sumo.trafficlight.setPhase(self._target.there, n)
                sumo.trafficlight.setPhaseDuration(self._target.there, duration_s - t_s)
                return
            t_s -= duration_s


def _text(rows: list[tuple[float, str]]) -> str:
    return json.dumps([[float(duration), state] for duration, state in rows])
